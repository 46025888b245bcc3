//! CorrelatedNoiseProcess: removes the noise that amplifiers read at the same time have in common.
//!
//! Pick-up, ripple of a common supply and clock feed-through appear in all channels that sample at the same moment. For
//! amplifier a at readout position t, with z the noise parts of the others (module `signals`),
//!
//! ```text
//! x_a'(t) = x_a(t) − Σ_b Σ_l w_ab,l · z_b(t + l),     w = argmin Σ_t (z_a(t) − Σ w·z_b(t + l))²
//! ```
//!
//! the sum over t running over noise pixels (overscan, or empty pixels of the active region), l over −lags … lags pixels.
//! This is the best linear estimate: with one common source C of variance s² that enters channel i with factor g_i beside
//! its own noise σ_i, what remains is σ_a² + g_a² s²/(1 + s² Σ_b g_b²/σ_b²). All amplifiers are corrected with the others as
//! they were before: each then holds a little of the others' own noise, and the correlation after is negative (−ρ for two
//! amplifiers of correlation ρ). Where pixels of other channels are unknown
//! (charge that cannot be taken out), weights for the remaining ones are used, from the same sums.
//!
//! | `weights` | fitted to | when |
//! |---|---|---|
//! | `image` | all noise pixels of the averaged image | default: couplings are constant |
//! | `row` | the noise pixels of each row (the image's where they are too few) | couplings that drift |
//! | `row_and_sample` | the noise columns of each row and skip of the raw cube, streamed | interference that changes from sample to sample |
//!
//! White noise of single samples dilutes the last kind: use it only where it lowers the noise. Nothing is subtracted from
//! an amplifier whose noise the others do not explain better than chance (probability above 10⁻³), or whose noise would
//! not fall. The image made is `<image>_correlated` (the name that spec 05 §3.5 reserves for it).

mod apply;
mod regression;
mod report;
mod signals;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fit_dark_current::DarkCurrentFit;
use super::products::Gain;
use crate::config::PerAmplifier;
use crate::config::named::named_values;
use crate::image::{Amplifier, RawData, Region};
use crate::process::{Context, ProcessError, SKImageProcess};

use regression::MAX_SIGNALS;
use signals::{ChargeScale, Signal, signal};

/// Overscans narrower than this are not used.
const MIN_OVERSCAN_COLUMNS: usize = 3;
/// Probability of chance above which nothing is subtracted.
const CHANCE: f64 = 1e-3;

named_values! {
    /// For which part of the image weights are fitted.
    pub enum WeightScope {
        /// One set for the image.
        Image = "image",
        /// One set for each row.
        Row = "row" | "rows",
        /// One set for each row and skip of the raw cube.
        RowAndSample = "row_and_sample",
    }
}

/// Parameters of CorrelatedNoiseProcess.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CorrelatedNoiseProcess {
    /// Image to correct (pedestal-subtracted, or calibrated).
    pub image: String,
    /// Fit the overscan columns (true) or the empty pixels of the active region (false).
    pub in_overscan: bool,
    /// One set of weights per image, per row, or per row_and_sample (raw cubes).
    pub weights: WeightScope,
    /// Noise pixels lie within this many robust standard deviations.
    pub n_sigma: f64,
    /// Pixels read up to this many before and after are used too.
    #[schemars(range(min = 0, max = 5))]
    pub lags: usize,
    /// Gain with which the charge of a pixel is taken out, image units per e-; null: that of CalibrationProcess or
    /// FitDarkCurrentProcess, if one ran before.
    pub gain: Option<PerAmplifier<f64>>,
    /// Pixels with more electrons than this do not serve to correct others.
    pub max_electrons: f64,
}

impl Default for CorrelatedNoiseProcess {
    fn default() -> Self {
        Self {
            image: "mean_compressed_pedestal_subtracted".into(),
            in_overscan: true,
            weights: WeightScope::Image,
            n_sigma: 5.0,
            lags: 0,
            gain: None,
            max_electrons: 20.0,
        }
    }
}

/// What was found for one amplifier, left for later processes.
#[derive(Debug, Clone, PartialEq)]
pub struct CorrelatedNoise {
    /// Names of the signals: amplifiers, with the lag where there is one.
    pub signals: Vec<String>,
    /// Weights of the image, one per signal; empty when they are not determined.
    pub weights: Vec<f64>,
    /// Their errors.
    pub errors: Vec<f64>,
    /// Noise before, image units: standard deviation of the noise pixels around their row means.
    pub before: f64,
    /// Noise after, image units, with the degrees of freedom of the weights taken into account.
    pub after: f64,
    /// Correlation with each other amplifier before, in the order of `RawData::amplifiers` (1 with itself).
    pub correlation_before: Vec<f64>,
    /// The same after.
    pub correlation_after: Vec<f64>,
    /// Noise pixels used.
    pub points: usize,
    /// Probability that independent noise explains as much.
    pub chance: f64,
    /// Rows whose own weights were fitted, of all (`weights` row or row_and_sample).
    pub own_rows: usize,
    /// Whether the amplifier was corrected.
    pub applied: bool,
}

impl SKImageProcess for CorrelatedNoiseProcess {
    fn execute(&self, raw: &mut RawData, context: &Context<'_>) -> Result<(), ProcessError> {
        let count = raw.amplifiers.len();
        if count < 2 {
            raw.report.warn("noise in common needs at least two amplifiers read at the same time; nothing is done");
            return Ok(());
        }
        let n_signals = (count - 1) * (2 * self.lags + 1);
        if n_signals > MAX_SIGNALS {
            return Err(ProcessError::Failed(format!(
                "{count} amplifiers with `lags` {} make {n_signals} signals; at most {MAX_SIGNALS} are possible",
                self.lags
            )));
        }
        check_shapes(&raw.amplifiers)?;
        let name = raw.resolve_image_name(&self.image).to_owned();
        let in_overscan = self.in_overscan_of(raw);
        let mut noise: Vec<Signal> = Vec::new();
        for index in 0..count {
            let amplifier = raw.amplifiers[index].clone();
            let region: &Region = if in_overscan { &amplifier.overscan } else { &amplifier.active };
            let gain = self.gain_of(raw, &amplifier, &name);
            let scale = ChargeScale { gain, max_electrons: self.max_electrons };
            noise.push(signal(raw.image(&name)?, &amplifier, region, scale, self.n_sigma));
        }
        let samples = self.weights == WeightScope::RowAndSample;
        if samples && raw.cube.is_none() {
            return Err(ProcessError::Failed(
                "`weights` \"row_and_sample\" needs the single skips; this image is averaged already (use \"row\" or \
                 \"image\")"
                    .into(),
            ));
        }
        let corrections = apply::corrections(self, raw, context, &noise)?;
        let mut image = raw.image(&name)?.clone();
        let results: Vec<CorrelatedNoise> = corrections.iter().map(|c| c.result.clone()).collect();
        for (amplifier, correction) in raw.amplifiers.iter().zip(&corrections) {
            if correction.result.applied {
                apply::subtract(&mut image, amplifier, &correction.pixels);
            }
        }
        raw.images.insert(format!("{name}_correlated"), image);
        report::report(self, raw, context, &noise, &results, &name, in_overscan);
        for (amplifier, result) in raw.amplifiers.iter().zip(results) {
            raw.products.set_for(&amplifier.name, result);
        }
        Ok(())
    }

    fn check(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !(self.n_sigma > 0.0) {
            problems.push(format!("`n_sigma` is {}; a positive number is expected", self.n_sigma));
        }
        if self.lags > 5 {
            problems.push(format!("`lags` is {}; 0 to 5 pixels are possible", self.lags));
        }
        if self.weights == WeightScope::RowAndSample && self.lags > 0 {
            problems.push("`lags` works with `weights` \"image\" and \"row\" only".into());
        }
        if !(self.max_electrons >= 0.0) {
            problems.push(format!("`max_electrons` is {}; a number from 0 on is expected", self.max_electrons));
        }
        problems
    }
}

/// All amplifiers must read the same number of rows and columns.
fn check_shapes(amplifiers: &[Amplifier]) -> Result<(), ProcessError> {
    let shape = |a: &Amplifier| (a.full.rows.len(), a.full.cols.len());
    match amplifiers.iter().find(|a| shape(a) != shape(&amplifiers[0])) {
        None => Ok(()),
        Some(other) => Err(ProcessError::Failed(format!(
            "amplifier {} reads {:?} pixels and amplifier {} {:?}; the same shape is needed to pair pixels read at the same time",
            amplifiers[0].name,
            shape(&amplifiers[0]),
            other.name,
            shape(other)
        ))),
    }
}

impl CorrelatedNoiseProcess {
    /// Whether the overscan is used: all amplifiers need one.
    fn in_overscan_of(&self, raw: &mut RawData) -> bool {
        let narrow = raw.amplifiers.iter().find(|a| a.overscan.cols.len() < MIN_OVERSCAN_COLUMNS);
        match (self.in_overscan, narrow) {
            (true, Some(amplifier)) => {
                let text = format!(
                    "amplifier {} has {} overscan columns (at least {MIN_OVERSCAN_COLUMNS} are needed): the empty pixels of the \
                     active region are used",
                    amplifier.name,
                    amplifier.overscan.cols.len()
                );
                raw.report.warn(text);
                false
            }
            (wanted, _) => wanted,
        }
    }

    /// Image units per electron, where they are known.
    fn gain_of(&self, raw: &mut RawData, amplifier: &Amplifier, image: &str) -> Option<f64> {
        let gain = match &self.gain {
            Some(gain) => gain.get(amplifier).copied(),
            None if image.ends_with("_e") => Some(1.0),
            None => {
                let used = raw.products.get_for::<Gain>(&amplifier.name).map(|g| g.adu_per_electron);
                let fit = raw.products.get_for::<DarkCurrentFit>(&amplifier.name).filter(|f| f.is_usable());
                let fitted = fit.map(|f| (f.gain(), f.verdict())).filter(|_| used.is_none());
                if let Some((_, verdict)) = fitted {
                    verdict
                        .warn(raw, &format!("amplifier {}: the dark-current fit that gives the gain", amplifier.name));
                }
                used.or(fitted.map(|(gain, _)| gain))
            }
        };
        gain.filter(|g| g.is_finite() && *g > 0.0)
    }
}
