//! DarkCurrent: thermal electrons (spec 07 §4.4).

use ndarray::Array2;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::noise_region::{NoiseMode, full, patch, region};
use crate::process::digitize::{Ccd, DigitizeProcess, HitCollection, Recorded, ResponseContext, ResponseError};
use crate::simulate::setup::DAY;
use crate::stats::random::{Poisson, Stream, Tag};

const NAME: &str = "DarkCurrent";

/// How long a pixel collects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ExposureMode {
    /// All pixels equally long.
    Exposure,
    /// Each row longer than the one before, by the time to read a row.
    ExposurePerRow,
}

/// Parameters of DarkCurrent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DarkCurrent {
    /// Rate, e⁻/pixel/day.
    pub darkcurrent: f64,
    /// Exposure, days.
    pub exp_time: f64,
    /// Time to read a row, days (`exposure-per-row`).
    pub row_readtime: f64,
    /// `exposure`, or `exposure-per-row`.
    pub exp_mode: ExposureMode,
    /// `cropped-image` (around the signal), or `full-image` (once for all collections).
    pub mode: NoiseMode,
    /// Size of the region around the signal, pixels.
    pub img_size: usize,
    /// Enlargement of the region for larger signals, pixels.
    pub min_enlarge: usize,
}

impl Default for DarkCurrent {
    fn default() -> Self {
        Self {
            darkcurrent: 0.001,
            exp_time: 8.0 / 24.0,
            row_readtime: 0.0,
            exp_mode: ExposureMode::Exposure,
            mode: NoiseMode::Cropped,
            img_size: 300,
            min_enlarge: 30,
        }
    }
}

impl DarkCurrent {
    /// Mean number of electrons of a pixel of this row of the CCD.
    pub fn mean(&self, row: usize) -> f64 {
        match self.exp_mode {
            ExposureMode::Exposure => self.darkcurrent * self.exp_time,
            ExposureMode::ExposurePerRow => self.darkcurrent * (self.exp_time + row as f64 * self.row_readtime),
        }
    }

    fn draw(&self, row: usize, e2ev: f64, stream: &mut Stream, line: &mut [f32]) {
        let poisson = Poisson::new(self.mean(row));
        for value in line {
            *value = (poisson.draw(stream) as f64 * e2ev) as f32;
        }
    }
}

impl DigitizeProcess for DarkCurrent {
    fn name(&self) -> &'static str {
        NAME
    }

    fn sequence_id(&self) -> u32 {
        40
    }

    fn check(&self, ccd: &Ccd) -> Vec<String> {
        let mut problems = Vec::new();
        for (key, value) in
            [("darkcurrent", self.darkcurrent), ("exp_time", self.exp_time), ("row_readtime", self.row_readtime)]
        {
            if !(0.0..1e12).contains(&value) {
                problems.push(format!("`{key}` = {value} must not be negative"));
            }
        }
        let largest = self.mean(ccd.rows);
        if largest > 1e8 {
            problems
                .push(format!("`darkcurrent` = {}: {largest:.3e} electrons per pixel are too many", self.darkcurrent));
        }
        problems
    }

    fn execute(&self, hits: &mut HitCollection, context: &ResponseContext<'_>) -> Result<(), ResponseError> {
        if self.mode == NoiseMode::Cropped
            && let Some(extent) = hits.extent()
        {
            let region = region(extent, self.img_size, self.min_enlarge, context.ccd);
            let e2ev = context.ccd.e2ev;
            let noise =
                patch(hits, region, context.seed, Tag::Dark, |row, stream, line| self.draw(row, e2ev, stream, line));
            hits.noise.push(noise);
        }
        Ok(())
    }

    fn full_noise(&self, ccd: &Ccd, seed: u64) -> Option<Array2<f32>> {
        let active = ccd.cols_prescan..ccd.cols_prescan + ccd.cols;
        (self.mode == NoiseMode::Full).then(|| {
            full(ccd, seed, Tag::Dark, |row, stream, line| match row.checked_sub(ccd.rows_prescan) {
                Some(row) if row < ccd.rows => self.draw(row, ccd.e2ev, stream, &mut line[active.clone()]),
                _ => {}
            })
        })
    }

    fn recorded(&self) -> Vec<(&'static str, Recorded)> {
        let exp_mode = match self.exp_mode {
            ExposureMode::Exposure => "exposure",
            ExposureMode::ExposurePerRow => "exposure-per-row",
        };
        vec![
            ("darkcurrent", (self.darkcurrent / DAY).into()),
            ("exp_time", (self.exp_time * DAY).into()),
            ("row_readtime", (self.row_readtime * DAY).into()),
            ("exp_mode", exp_mode.into()),
            ("mode", self.mode.name().into()),
            ("img_size", self.img_size.into()),
            ("min_enlarge", self.min_enlarge.into()),
        ]
    }
}
