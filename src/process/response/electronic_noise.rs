//! ElectronicNoise: readout noise and pedestal (spec 07 §4.5).

use ndarray::Array2;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::noise_region::{NoiseMode, full, patch, region};
use crate::process::digitize::{Ccd, DigitizeProcess, HitCollection, Recorded, ResponseContext, ResponseError};
use crate::stats::random::{Stream, Tag};

const NAME: &str = "ElectronicNoise";

/// Parameters of ElectronicNoise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ElectronicNoise {
    /// Mean of an empty pixel, e⁻.
    pub pedestal: f64,
    /// Noise of one sample, e⁻.
    pub sigma: f64,
    /// Samples per pixel: the noise is sigma/√nSamples.
    #[serde(rename = "nSamples")]
    pub n_samples: u32,
    /// `cropped-image` (around the signal), or `full-image` (once for all collections).
    pub mode: NoiseMode,
    /// Size of the region around the signal, pixels.
    pub img_size: usize,
    /// Enlargement of the region for larger signals, pixels.
    pub min_enlarge: usize,
}

impl Default for ElectronicNoise {
    fn default() -> Self {
        Self { pedestal: 0.0, sigma: 0.25, n_samples: 1, mode: NoiseMode::Cropped, img_size: 300, min_enlarge: 30 }
    }
}

impl ElectronicNoise {
    /// Noise of a pixel, e⁻.
    pub fn width(&self) -> f64 {
        self.sigma / f64::from(self.n_samples).sqrt()
    }

    fn draw(&self, e2ev: f64, stream: &mut Stream, line: &mut [f32]) {
        let width = self.width();
        for value in line {
            *value = ((self.pedestal + width * stream.normal()) * e2ev) as f32;
        }
    }
}

impl DigitizeProcess for ElectronicNoise {
    fn name(&self) -> &'static str {
        NAME
    }

    fn sequence_id(&self) -> u32 {
        50
    }

    fn check(&self, _: &Ccd) -> Vec<String> {
        let mut problems = Vec::new();
        if !(0.0..1e9).contains(&self.sigma) {
            problems.push(format!("`sigma` = {} must not be negative", self.sigma));
        }
        if self.n_samples == 0 {
            problems.push("`nSamples` = 0 must be at least 1".into());
        }
        if self.pedestal.abs() > 1e9 {
            problems.push(format!("`pedestal` = {} is too large", self.pedestal));
        }
        problems
    }

    fn execute(&self, hits: &mut HitCollection, context: &ResponseContext<'_>) -> Result<(), ResponseError> {
        if self.mode == NoiseMode::Cropped
            && let Some(extent) = hits.extent()
        {
            let region = region(extent, self.img_size, self.min_enlarge, context.ccd);
            let e2ev = context.ccd.e2ev;
            let noise = patch(hits, region, context.seed, Tag::Noise, |_, stream, line| self.draw(e2ev, stream, line));
            hits.noise.push(noise);
        }
        Ok(())
    }

    fn full_noise(&self, ccd: &Ccd, seed: u64) -> Option<Array2<f32>> {
        (self.mode == NoiseMode::Full)
            .then(|| full(ccd, seed, Tag::Noise, |_, stream, line| self.draw(ccd.e2ev, stream, line)))
    }

    fn recorded(&self) -> Vec<(&'static str, Recorded)> {
        vec![
            ("pedestal", self.pedestal.into()),
            ("sigma", self.sigma.into()),
            ("nSamples", Recorded::Int(i64::from(self.n_samples))),
            ("mode", self.mode.name().into()),
            ("img_size", self.img_size.into()),
            ("min_enlarge", self.min_enlarge.into()),
        ]
    }
}
