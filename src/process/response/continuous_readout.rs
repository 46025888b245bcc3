//! ContinuousReadout: a deposit during continuous readout lands in a row that is read later (spec 07 §4.2).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::process::digitize::{Ccd, DigitizeProcess, HitCollection, Recorded, ResponseContext, ResponseError};
use crate::stats::random::Tag;

const NAME: &str = "ContinuousReadout";

/// What the time of a deposit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TimeOrigin {
    /// The time of the deposit.
    Hit,
    /// One time per collection, uniform over exposure and readout.
    Uniform,
}

/// Parameters of ContinuousReadout.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ContinuousReadout {
    /// Time to read a pixel, all skips included, s; 0: no effect.
    pub pixel_read_time: f64,
    /// Amplifiers that read the CCD: 1, 2 (each half a row), or 4 (each half of the rows too).
    pub ampli: u8,
    /// `hit`: time of the deposit; `uniform`: one random time per collection.
    pub time_origin: TimeOrigin,
    /// With `uniform`: exposure before the readout, s; deposits during the exposure are not shifted.
    pub exp_time: f64,
}

impl Default for ContinuousReadout {
    fn default() -> Self {
        Self { pixel_read_time: 0.001, ampli: 4, time_origin: TimeOrigin::Hit, exp_time: 0.0 }
    }
}

impl ContinuousReadout {
    /// Time to read a row, s.
    fn row_time(&self, ccd: &Ccd) -> f64 {
        let pixels = if self.ampli == 1 { ccd.cols as f64 } else { ccd.cols as f64 / 2.0 };
        self.pixel_read_time * pixels
    }
}

impl DigitizeProcess for ContinuousReadout {
    fn name(&self) -> &'static str {
        NAME
    }

    fn sequence_id(&self) -> u32 {
        20
    }

    fn check(&self, _: &Ccd) -> Vec<String> {
        let mut problems = Vec::new();
        if ![1, 2, 4].contains(&self.ampli) {
            problems.push(format!("`ampli` = {} must be 1, 2 or 4", self.ampli));
        }
        for (key, value) in [("pixel_read_time", self.pixel_read_time), ("exp_time", self.exp_time)] {
            if !(0.0..1e12).contains(&value) {
                problems.push(format!("`{key}` = {value} must be a time in s"));
            }
        }
        problems
    }

    fn execute(&self, hits: &mut HitCollection, context: &ResponseContext<'_>) -> Result<(), ResponseError> {
        let ccd = context.ccd;
        let row_time = self.row_time(ccd);
        if row_time <= 0.0 {
            return Ok(());
        }
        let common = match self.time_origin {
            TimeOrigin::Hit => None,
            TimeOrigin::Uniform => {
                let total = self.exp_time + ccd.rows as f64 * row_time;
                Some(total * hits.stream(context.seed, Tag::Readout).uniform() - self.exp_time)
            }
        };
        let half = ccd.rows as f64 * ccd.pixel_y / 2.0;
        for hit in &mut hits.hits {
            let rows = (common.unwrap_or(hit.time) / row_time).floor();
            if rows > 0.0 {
                let upwards = if self.ampli == 4 && hit.y > half { -1.0 } else { 1.0 };
                hit.y += upwards * rows * ccd.pixel_y;
            }
        }
        Ok(())
    }

    fn recorded(&self) -> Vec<(&'static str, Recorded)> {
        vec![
            ("pixel_read_time", self.pixel_read_time.into()),
            ("ampli", usize::from(self.ampli).into()),
            ("exp_time", self.exp_time.into()),
            ("time_origin", Recorded::choice(&self.time_origin)),
        ]
    }
}
