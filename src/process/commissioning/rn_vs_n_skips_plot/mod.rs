//! RNvsNskipsPlot: readout noise of the mean of the first N skips against N.
//!
//! Uncorrelated noise falls as 1/√N; 1/f noise and pick-up flatten the curve. The measured curve stands beside what the
//! noise spectrum of the same pixels predicts, and the best number of skips for the exposure is told. Spec 04 §3; the
//! curve is measured in [`curve`], the best number of skips found in `optimum`.

pub mod curve;
mod figures;
pub mod optimum;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::curve::{CurveOptions, CurveSurvey, NoiseCurve, grid};
use self::optimum::{Conditions, Optimum, optimum};
use super::selection::Ranges;
use super::survey::{BookedSurvey, finished};
use super::time_base::time_base;
use crate::config::PerAmplifier;
use crate::image::RawData;
use crate::image::report::{Table, TableHead};
use crate::plot::value_with_error;
use crate::process::{Context, Measurement, ProcessError, SKImageProcess};

/// The slope may differ by this much from −½ without a warning.
const SLOPE_TOLERANCE: f64 = 0.05;
/// What remains of an average over many skips where the pixels are not known to be empty.
const NOT_REDUCED: &str = "charge, or noise that averaging does not reduce";
/// The best number of skips is looked for up to this many times the measured ones.
const EXTRAPOLATION: f64 = 10.0;

/// Parameters of RNvsNskipsPlot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RNvsNskipsPlot {
    /// Positive: step in the number of skips averaged; negative: number of points, equidistant in the logarithm.
    pub n_skips_per_block: i64,
    /// The image holds no charge: use all pixels and their standard deviation.
    pub is_blank: bool,
    /// Subtract the median of each row (of the pixels used) first.
    pub subtract_row_median: bool,
    /// Gain, ADU per electron, for the noise in electrons; null: that found by earlier processes.
    pub gain: PerAmplifier<Option<f64>>,
    /// Exposure for which the best number of skips is told, s; null: that of the image.
    pub exposure_time: Option<f64>,
    /// Dark current for the best number of skips, e-/pixel/day.
    pub dark_current: f64,
}

impl Default for RNvsNskipsPlot {
    fn default() -> Self {
        Self {
            n_skips_per_block: -100,
            is_blank: false,
            subtract_row_median: false,
            gain: None.into(),
            exposure_time: None,
            dark_current: 0.0,
        }
    }
}

/// The result for an amplifier, left for later processes and the monitor.
#[derive(Debug, Clone, PartialEq)]
pub struct NoiseVsSkips {
    /// The measured curve.
    pub curve: NoiseCurve,
    /// Gain, ADU/e⁻, if known.
    pub gain: Option<f64>,
    /// Best number of skips, if gain, sample time and exposure are known.
    pub optimum: Option<Optimum>,
    /// Whether the pixels are not the overscan: what averaging does not reduce may be charge.
    pub may_hold_charge: bool,
}

impl SKImageProcess for RNvsNskipsPlot {
    fn execute(&self, raw: &mut RawData, context: &Context<'_>) -> Result<(), ProcessError> {
        let amplifier = raw.amplifiers[context.amplifier].clone();
        if raw.cube.is_none() {
            raw.report.warn(format!("amplifier {}: the image has no single skips, nothing to do", amplifier.name));
            return Ok(());
        }
        let options = self.options(raw, context)?;
        if options.region.is_empty() {
            raw.report.warn(format!("amplifier {}: no pixel to measure the noise on", amplifier.name));
            return Ok(());
        }
        if !self.is_blank && amplifier.overscan.is_empty() {
            raw.report.warn(format!(
                "amplifier {}: the image has no overscan, the noise is that of the active region",
                amplifier.name
            ));
        }
        if let Some(keys) = self.gain.mistaken_keys(&amplifier, &raw.amplifiers) {
            raw.report.warn(format!("amplifier {}: `gain` has no value for it (given: {keys})", amplifier.name));
        }
        let first = options.skips.start;
        let survey = finished(raw, context, CurveSurvey::new(options))?;
        let times = time_base(raw, context.amplifier, None);
        let curve = survey.curve(times.map(|t| t.sample));
        let gain = self
            .gain
            .get(&amplifier)
            .copied()
            .flatten()
            .filter(|g| *g > 0.0)
            .or_else(|| super::known_gain(raw, context.amplifier));
        let exposure = self.exposure_time.unwrap_or(raw.times.exposure);
        let optimum = gain.zip(times).and_then(|(gain, times)| {
            let conditions = Conditions {
                exposure,
                sample_time: times.sample,
                pixels: amplifier.full.len() as f64,
                dark_current: self.dark_current,
            };
            let (last, error) = curve.last();
            let largest = EXTRAPOLATION * curve.n_skips.last().copied().unwrap_or(1) as f64;
            optimum(&conditions, &|n| curve.at(n) / gain, error / last, largest)
        });
        let may_hold_charge = self.is_blank || amplifier.overscan.is_empty();
        let result = NoiseVsSkips { curve, gain, optimum, may_hold_charge };
        self.report(raw, context, &result, first, exposure);
        raw.products.set_for(&amplifier.name, result);
        if context.wants_figures() {
            figures::draw(raw, context);
        }
        Ok(())
    }

    fn survey(&self, raw: &RawData, context: &Context<'_>) -> Option<Box<dyn BookedSurvey>> {
        let options = self.options(raw, context).ok().filter(|o| !o.region.is_empty())?;
        Some(Box::new(CurveSurvey::new(options)))
    }

    fn check(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if let Err(problem) = grid(self.n_skips_per_block, 1) {
            problems.push(problem);
        }
        if !(self.dark_current >= 0.0) {
            problems.push("`dark_current` must not be negative".into());
        }
        for gain in self.gain.values().flatten().filter(|g| !(**g > 0.0)) {
            problems.push(format!("`gain` is {gain}; a positive number of ADU/e- is expected"));
        }
        problems
    }
}

impl RNvsNskipsPlot {
    fn options(&self, raw: &RawData, context: &Context<'_>) -> Result<CurveOptions, ProcessError> {
        let amplifier = &raw.amplifiers[context.amplifier];
        let ranges = Ranges::of(raw, context)?;
        let region = if self.is_blank {
            &amplifier.full
        } else if amplifier.overscan.is_empty() {
            &amplifier.active
        } else {
            &amplifier.overscan
        };
        Ok(CurveOptions {
            region: ranges.within(region),
            grid: grid(self.n_skips_per_block, ranges.skips.len()).map_err(ProcessError::Failed)?,
            skips: ranges.skips,
            blank: self.is_blank,
            subtract_row_median: self.subtract_row_median,
        })
    }

    fn report(
        &self,
        raw: &mut RawData,
        context: &Context<'_>,
        result: &NoiseVsSkips,
        first_skip: usize,
        exposure: f64,
    ) {
        let amplifier = raw.amplifiers[context.amplifier].clone();
        let (name, short) = (&amplifier.name, amplifier.short_name());
        let NoiseVsSkips { curve, gain, optimum, may_hold_charge } = result;
        let (last, last_error) = curve.last();
        let largest = curve.n_skips.last().copied().unwrap_or(0);
        let mut text =
            format!("amplifier {name}: noise {} ADU with {}", value_with_error(last, last_error), skips_text(largest));
        if let Some(gain) = gain {
            text.push_str(&format!(" ({} e-)", value_with_error(last / gain, last_error / gain)));
        }
        if curve.slope.is_finite() {
            text.push_str(&format!(
                ", σ₁ = {} ADU, slope {}",
                value_with_error(curve.sigma_1, curve.sigma_1_error),
                value_with_error(curve.slope, curve.slope_error),
            ));
        } else if curve.n_skips.len() < 2 {
            text.push_str("; one number of skips has no slope");
        }
        raw.report.result(format!("{text} ({} pixels)", curve.pixels));
        if curve.noise.iter().all(|s| *s == 0.0) {
            raw.report.warn(format!(
                "amplifier {name}: the noise is 0: the pixels have the same value, there is nothing to draw"
            ));
        } else if let Some(n) = curve.n_skips.iter().zip(&curve.noise).find_map(|(n, s)| (*s == 0.0).then_some(*n)) {
            raw.report.warn(format!(
                "amplifier {name}: the noise is 0 with {}: more than half of the pixels have the same value",
                skips_text(n)
            ));
        }
        if (curve.slope + 0.5).abs() > SLOPE_TOLERANCE {
            raw.report.warn(format!(
                "amplifier {name}: the noise falls as N^{:.3}, not as 1/√N: {}",
                curve.slope,
                if *may_hold_charge { NOT_REDUCED } else { "the samples are correlated" }
            ));
        }
        raw.report.measure(
            Measurement::new("readout_noise", last, "ADU")
                .error(last_error)
                .card(format!("MERNL{short}"), "[ADU] noise at the largest number of skips"),
        );
        if curve.slope.is_finite() {
            raw.report.measure(
                Measurement::new("single_sample_noise", curve.sigma_1, "ADU")
                    .error(curve.sigma_1_error)
                    .card(format!("MERNF{short}"), "[ADU] fitted noise of one sample"),
            );
            raw.report.measure(
                Measurement::new("noise_slope", curve.slope, "")
                    .error(curve.slope_error)
                    .card(format!("MERNA{short}"), "slope of ln(noise) vs ln(skips)"),
            );
        }
        let mut head = TableHead::default()
            .scalar("amplifier", name)
            .scalar("first_skip", first_skip)
            .scalar("pixels", curve.pixels)
            .scalar("estimator", if self.is_blank { "std" } else { "1.4826 MAD" })
            .scalar("slope", curve.slope)
            .scalar("slope_error", curve.slope_error)
            .scalar("sigma_1_ADU", curve.sigma_1)
            .scalar("sigma_1_error", curve.sigma_1_error);
        if let Some(predicted) = curve.predicted.as_ref().and_then(|p| p.last()) {
            let difference = (last * last - predicted.0 * predicted.0).max(0.0).sqrt();
            let error = last_error.hypot(predicted.1);
            raw.report.inform(format!(
                "amplifier {name}: the spectrum along the skips predicts {} ADU with {}{}",
                value_with_error(predicted.0, predicted.1),
                skips_text(largest),
                if last > predicted.0 + 3.0 * error && *may_hold_charge {
                    format!("; {difference:.3} ADU are {NOT_REDUCED}")
                } else if last > predicted.0 + 3.0 * error {
                    format!("; {difference:.3} ADU come from noise slower than a pixel")
                } else {
                    String::new()
                }
            ));
            raw.report.measure(Measurement::new("predicted_noise", predicted.0, "ADU").error(predicted.1));
        }
        if let Some(best) = optimum {
            let beyond = if best.skips > largest as f64 { " (extrapolated)" } else { "" };
            let number = if best.is_lower_limit {
                format!("at least {:.0}, where the search ends{beyond}; there", best.skips)
            } else {
                format!("{:.0} ± {:.0}{beyond}, {} are within 5 %;", best.skips, best.skips_error, best.range())
            };
            raw.report.result(format!(
                "amplifier {name}: best number of skips for {exposure} s of exposure: {number} noise {:.3} e-, threshold \
                 {:.2} e-, readout {:.0} s",
                best.noise, best.threshold, best.readout
            ));
            head = head.scalar("exposure_s", exposure);
            if best.is_lower_limit {
                raw.report.measure(Measurement::new("best_number_of_skips_at_least", best.skips, ""));
                head = head.scalar("best_number_of_skips_at_least", best.skips);
            } else {
                raw.report.measure(Measurement::new("best_number_of_skips", best.skips, "").error(best.skips_error));
                head = head.scalar("best_number_of_skips", best.skips).scalar("within_5_percent", best.range());
            }
        }
        let mut columns: Vec<String> =
            ["n_skips", "noise_ADU", "noise_error", "expected_last", "expected_first"].map(str::to_owned).to_vec();
        if curve.predicted.is_some() {
            columns.extend(["predicted_ADU".to_owned(), "predicted_error".to_owned()]);
        }
        if gain.is_some() {
            columns.push("noise_e".into());
        }
        let rows = (0..curve.n_skips.len()).map(|i| {
            let n = curve.n_skips[i];
            let mut row = vec![
                n as f64,
                curve.noise[i],
                curve.error[i],
                curve.expected_from_last(n),
                curve.expected_from_first(n),
            ];
            if let Some(predicted) = &curve.predicted {
                row.extend([predicted[i].0, predicted[i].1]);
            }
            row.extend(gain.map(|g| curve.noise[i] / g));
            row
        });
        let table = Table { name: format!("NoiseVSSkipPlot_{name}"), columns, rows: rows.collect() };
        raw.report.table_with(table, head);
    }
}

/// `1 skip`, `2 skips`.
fn skips_text(n: usize) -> String {
    format!("{n} skip{}", if n == 1 { "" } else { "s" })
}
