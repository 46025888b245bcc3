//! Saturated and undefined samples (spec 01 §7.3).

use std::ops::Range;

use super::Samples;
use crate::image::{Amplifier, Region};

/// The end of the range of the digitiser at which samples saturate, before the polarity is inverted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SaturationLimit {
    /// Samples of at least this many ADU.
    AtLeast(f64),
    /// Samples of at most this many ADU: the polarity is inverted.
    AtMost(f64),
}

/// Numbers of samples per amplifier.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleCounts {
    /// All samples.
    pub samples: Vec<u64>,
    /// Samples at the limit of the digitiser.
    pub saturated: Vec<u64>,
    /// Samples that are undefined or not finite.
    pub undefined: Vec<u64>,
    limit: Option<SaturationLimit>,
}

impl SampleCounts {
    /// Nothing counted yet.
    pub fn new(amplifiers: usize, limit: Option<SaturationLimit>) -> Self {
        let zero = vec![0; amplifiers];
        Self { samples: zero.clone(), saturated: zero.clone(), undefined: zero, limit }
    }

    /// Adds the counts of other samples.
    pub fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.samples, &other.samples),
            (&mut self.saturated, &other.saturated),
            (&mut self.undefined, &other.undefined),
        ];
        for (mine, theirs) in pairs {
            for (a, b) in mine.iter_mut().zip(theirs) {
                *a += b;
            }
        }
    }

    /// Counts the samples of a rectangle of pixels: `per_col` samples per column, and as many lines as there are.
    pub fn count(
        &mut self,
        samples: Samples<'_>,
        rows: &Range<usize>,
        cols: &Range<usize>,
        per_col: usize,
        amplifiers: &[Region],
    ) {
        let line = cols.len() * per_col;
        let lines = samples.len() / line.max(1);
        let lines_per_row = lines / rows.len().max(1);
        for (a, region) in amplifiers.iter().enumerate() {
            let own_rows = region.rows.start.max(rows.start)..region.rows.end.min(rows.end);
            let own_cols = region.cols.start.max(cols.start)..region.cols.end.min(cols.end);
            if own_rows.is_empty() || own_cols.is_empty() {
                continue;
            }
            let of_line = (own_cols.start - cols.start) * per_col..(own_cols.end - cols.start) * per_col;
            for l in (own_rows.start - rows.start) * lines_per_row..(own_rows.end - rows.start) * lines_per_row {
                let part = samples.part(l * line + of_line.start..l * line + of_line.end);
                self.samples[a] += part.len() as u64;
                self.saturated[a] += self.limit.map_or(0, |limit| saturated(part, limit));
                if let Samples::Real(x) = part {
                    self.undefined[a] += x.iter().filter(|x| x.is_nan()).count() as u64;
                }
            }
        }
    }

    /// One sentence per amplifier and problem.
    pub fn warnings(&self, amplifiers: &[Amplifier]) -> Vec<String> {
        let mut warnings = Vec::new();
        for (i, amplifier) in amplifiers.iter().enumerate() {
            let of = |counts: &[u64]| counts.get(i).copied().unwrap_or(0);
            let total = of(&self.samples);
            for (count, what) in [(of(&self.saturated), "at the ADC limit"), (of(&self.undefined), "without a value")] {
                if count > 0 {
                    let percent = percentage(count, total);
                    warnings.push(format!("amplifier {}: {count} samples ({percent} %) {what}", amplifier.name));
                }
            }
        }
        warnings
    }
}

/// A percentage with three significant digits.
fn percentage(count: u64, total: u64) -> String {
    let percent = 100.0 * count as f64 / total.max(1) as f64;
    let decimals = if percent >= 10.0 { 1 } else { (2 - percent.log10().floor() as i32).clamp(0, 12) };
    format!("{percent:.*}", decimals as usize)
}

fn saturated(samples: Samples<'_>, limit: SaturationLimit) -> u64 {
    let count = match (samples, limit) {
        (Samples::Int(x), SaturationLimit::AtLeast(level)) => {
            // the conversion saturates: levels outside the range of i32 keep their meaning
            let level = level.ceil() as i32;
            x.iter().filter(|x| **x >= level).count()
        }
        (Samples::Int(x), SaturationLimit::AtMost(level)) => {
            let level = level.floor() as i32;
            x.iter().filter(|x| **x <= level).count()
        }
        (Samples::Real(x), SaturationLimit::AtLeast(level)) => x.iter().filter(|x| **x >= level).count(),
        (Samples::Real(x), SaturationLimit::AtMost(level)) => x.iter().filter(|x| **x <= level).count(),
    };
    count as u64
}
