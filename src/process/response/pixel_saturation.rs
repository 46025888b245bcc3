//! PixelSaturation: the largest energy of a pixel (spec 07 §4.6).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::process::digitize::{Ccd, DigitizeProcess, HitCollection, Recorded, ResponseContext, ResponseError};

/// Parameters of PixelSaturation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PixelSaturation {
    /// Largest value of a pixel, ADU.
    pub saturation: f64,
}

impl Default for PixelSaturation {
    fn default() -> Self {
        Self { saturation: 65535.0 }
    }
}

impl DigitizeProcess for PixelSaturation {
    fn name(&self) -> &'static str {
        "PixelSaturation"
    }

    fn sequence_id(&self) -> u32 {
        55
    }

    fn check(&self, _: &Ccd) -> Vec<String> {
        if self.saturation > 0.0 {
            Vec::new()
        } else {
            vec![format!("`saturation` = {} must be positive", self.saturation)]
        }
    }

    fn execute(&self, hits: &mut HitCollection, context: &ResponseContext<'_>) -> Result<(), ResponseError> {
        hits.saturation = Some(self.saturation * context.ccd.adc2ev);
        Ok(())
    }

    fn recorded(&self) -> Vec<(&'static str, Recorded)> {
        vec![("saturation", self.saturation.into())]
    }
}
