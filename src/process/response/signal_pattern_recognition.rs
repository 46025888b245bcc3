//! SignalPatternRecognition on simulated hits: the threshold of the pixels (spec 07 §4.9).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::assemble::assemble;
use crate::process::digitize::{Ccd, DigitizeProcess, HitCollection, Recorded, ResponseContext, ResponseError};

/// Parameters of SignalPatternRecognition.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SignalPatternRecognition {
    /// 1: a fixed threshold, the only method.
    pub method: u8,
    /// Threshold, ADU: pixels above it are kept.
    pub threshold: f64,
}

impl Default for SignalPatternRecognition {
    fn default() -> Self {
        Self { method: 1, threshold: 15.0 }
    }
}

impl DigitizeProcess for SignalPatternRecognition {
    fn name(&self) -> &'static str {
        "SignalPatternRecognition"
    }

    fn sequence_id(&self) -> u32 {
        400
    }

    fn check(&self, _: &Ccd) -> Vec<String> {
        let mut problems = Vec::new();
        if self.method != 1 {
            problems.push(format!("`method` = {} does not exist on simulated hits, only 1", self.method));
        }
        if !self.threshold.is_finite() {
            problems.push(format!("`threshold` = {} must be a number", self.threshold));
        }
        problems
    }

    fn execute(&self, hits: &mut HitCollection, context: &ResponseContext<'_>) -> Result<(), ResponseError> {
        assemble(hits, context);
        Ok(())
    }

    fn recorded(&self) -> Vec<(&'static str, Recorded)> {
        vec![("method", usize::from(self.method).into()), ("threshold", self.threshold.into())]
    }
}
