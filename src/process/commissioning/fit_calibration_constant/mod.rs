//! FitCalibrationConstant: gain and linearity from the single-electron peaks of the pixel charge.
//!
//! The comb of peaks is found and fitted by [`crate::stats::charge_comb`] on all pixels of an amplifier; the slope of
//! peak position against electron number is the gain, the residuals are the non-linearity. Spec 04 §2.

mod figures;
pub mod legacy;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::selection::Ranges;
use crate::config::PerAmplifier;
use crate::config::named::named_values;
use crate::image::RawData;
use crate::image::report::{Table, TableHead};
use crate::plot::value_with_error;
use crate::process::analysis::products::Gain;
use crate::process::{Context, Measurement, ProcessError, SKImageProcess};
use crate::stats::charge_comb::{CombFit, CombOptions, NotResolved, Sample, fit_comb};

named_values! {
    /// How the peaks are fitted.
    pub enum CalibrationMethod {
        /// All peaks together as a mixture of Gaussians.
        Mixture = "mixture",
        /// One after the other, as older programs did.
        Legacy = "legacy",
    }
}

/// Parameters of FitCalibrationConstant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct FitCalibrationConstant {
    /// Image to fit.
    pub image: String,
    /// Largest number of peaks, the 0 e- peak included.
    #[schemars(range(min = 2))]
    pub n_peaks: usize,
    /// Gain to start with, ADU/e-; null: found from the data.
    pub calibration: PerAmplifier<Option<f64>>,
    /// Method legacy: where the window of the next peak begins, in widths of the first peak.
    pub n_sigma_win_fit: f64,
    /// Draw the fits of the peaks.
    pub show_fit: bool,
    /// Bin width of the figure of the pixel charge, e-.
    pub pcd_bin_width: f64,
    /// Accepted, without effect.
    pub use_pcd: Option<serde_json::Value>,
    /// Pixels that a peak must hold.
    #[schemars(range(min = 1))]
    pub min_counts: usize,
    /// mixture, or legacy for comparison with older results.
    pub method: CalibrationMethod,
    /// Start from `calibration` even if the data seem to tell another gain.
    pub force_calibration: bool,
}

impl Default for FitCalibrationConstant {
    fn default() -> Self {
        Self {
            image: "mean_compressed".into(),
            n_peaks: 100,
            calibration: None.into(),
            n_sigma_win_fit: 3.0,
            show_fit: true,
            pcd_bin_width: 0.05,
            use_pcd: None,
            min_counts: 30,
            method: CalibrationMethod::Mixture,
            force_calibration: false,
        }
    }
}

/// Gain and peaks of an amplifier, left for later processes and the monitor.
#[derive(Debug, Clone, PartialEq)]
pub struct CalibrationConstant {
    /// The fit.
    pub fit: CombFit,
    /// Electrons in the first peak.
    pub first_electron: usize,
}

impl CalibrationConstant {
    /// Electron number of peak `i`.
    pub fn electrons(&self, i: usize) -> f64 {
        (i + self.first_electron) as f64
    }

    /// Charge of a pixel value, e⁻.
    pub fn charge(&self, x: f64) -> f64 {
        (x - self.fit.offset()) / self.fit.gain() + self.first_electron as f64
    }

    /// The line at peak `i`, units of the image.
    pub fn line(&self, i: usize) -> f64 {
        self.fit.offset() + self.fit.gain() * i as f64
    }
}

impl SKImageProcess for FitCalibrationConstant {
    fn execute(&self, raw: &mut RawData, context: &Context<'_>) -> Result<(), ProcessError> {
        let amplifier = raw.amplifiers[context.amplifier].clone();
        let name = raw.resolve_image_name(&self.image).to_owned();
        let region = Ranges::pixels(raw, context)?.within(&amplifier.full);
        let pixels = Sample::of_rows(region.view(raw.image(&name)?).rows());
        if let Some(keys) = self.calibration.mistaken_keys(&amplifier, &raw.amplifiers) {
            raw.report.warn(format!(
                "amplifier {}: `calibration` has no value for it (given: {keys}), no start value is used",
                amplifier.name
            ));
        }
        let fit = match self.fit(&pixels, self.calibration.get(&amplifier).copied().flatten()) {
            Ok(fit) => fit,
            Err(problem) => {
                raw.report.warn(format!("amplifier {}: {problem}; the amplifier is skipped", amplifier.name));
                return Ok(());
            }
        };
        for warning in &fit.warnings {
            raw.report.warn(format!("amplifier {}: {warning}", amplifier.name));
        }
        let subtracted = name.contains("_pedestal_subtracted");
        let first = fit.peaks[0].mu / fit.gain();
        let first_electron = if subtracted { first.round().clamp(0.0, 1e9) as usize } else { 0 };
        let result = CalibrationConstant { fit, first_electron };
        self.report(raw, context, &result, &name, pixels.values().len());
        if context.wants_figures() {
            figures::draw(self, raw, context, &result, pixels.values(), &name);
        }
        let calibrated = name.ends_with("_e");
        if !calibrated && raw.products.get_for::<Gain>(&amplifier.name).is_none() {
            raw.products.set_for(&amplifier.name, Gain { adu_per_electron: result.fit.gain() });
        }
        raw.products.set_for(&amplifier.name, result);
        Ok(())
    }

    fn check(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.n_peaks < 2 {
            problems.push(format!("`n_peaks` is {}; a spacing needs at least 2 peaks", self.n_peaks));
        }
        for start in self.calibration.values().flatten().filter(|c| !(**c > 0.0)) {
            problems.push(format!("`calibration` is {start}; a positive number of ADU/e- is expected"));
        }
        if !(self.pcd_bin_width > 0.0) {
            problems.push(format!("`pcd_bin_width` is {}; a positive width is expected", self.pcd_bin_width));
        }
        if !(self.n_sigma_win_fit > 0.0) {
            problems.push(format!("`n_sigma_win_fit` is {}; a positive number is expected", self.n_sigma_win_fit));
        }
        problems
    }
}

impl FitCalibrationConstant {
    /// The comb of the pixels of an amplifier; `start`: gain to start with.
    ///
    /// # Errors
    /// If the single-electron peaks are not resolved.
    pub fn fit(&self, pixels: &Sample, start: Option<f64>) -> Result<CombFit, NotResolved> {
        match self.method {
            CalibrationMethod::Mixture => {
                let options = CombOptions {
                    n_peaks: self.n_peaks,
                    start,
                    force_start: self.force_calibration,
                    min_counts: self.min_counts as f64,
                };
                fit_comb(pixels, &options)
            }
            CalibrationMethod::Legacy => {
                legacy::legacy_comb(pixels.values(), self.n_peaks, start, self.n_sigma_win_fit)
            }
        }
    }

    fn report(
        &self,
        raw: &mut RawData,
        context: &Context<'_>,
        result: &CalibrationConstant,
        image: &str,
        pixels: usize,
    ) {
        let amplifier = raw.amplifiers[context.amplifier].clone();
        let (name, short) = (&amplifier.name, amplifier.short_name());
        let fit = &result.fit;
        let unit = if image.ends_with("_e") { "e-" } else { "ADU" };
        let (noise, noise_error) = fit.noise;
        let k = fit.gain();
        let mut text = format!(
            "amplifier {name}: gain {} {unit}/e-, offset {} {unit}, {} peaks, χ²/ndf {:.2}/{}, peak width {} {unit} = {} e-",
            value_with_error(k, fit.gain_error()),
            value_with_error(fit.offset(), fit.offset_error()),
            fit.peaks.len(),
            fit.line.chi2,
            fit.line.ndf,
            value_with_error(noise, noise_error),
            value_with_error(noise / k, noise_error / k),
        );
        if fit.line.chi2_per_ndf() > 1.0 {
            text.push_str(&format!(
                " (error of the gain with the scatter of the peaks: {:.2e})",
                fit.scaled_gain_error()
            ));
        }
        raw.report.result(text);
        raw.report.inform(format!(
            "amplifier {name}: for comparison, line without weights {:.4}, median spacing {:.4}, weighted spacing {:.4} \
             {unit}/e-",
            fit.unweighted_slope, fit.median_spacing, fit.weighted_spacing
        ));
        raw.report.measure(
            Measurement::new("calibration_constant", k, format!("{unit}/e-"))
                .error(fit.gain_error())
                .card(format!("MECAL{short}"), format!("[{unit}/e-] gain from single-electron peaks"))
                .error_card(format!("EMECAL{short}"), format!("[{unit}/e-] error of the gain"))
                .headline("gain from peaks"),
        );
        raw.report.measure(
            Measurement::new("calibration_offset", fit.offset(), unit)
                .error(fit.offset_error())
                .card(format!("MECOFF{short}"), format!("[{unit}] position of the first peak (line)")),
        );
        raw.report.measure(
            Measurement::integer("calibration_peaks", fit.peaks.len() as i64)
                .card(format!("MECNPK{short}"), "single-electron peaks used"),
        );
        raw.report.measure(Measurement::new("calibration_peak_width", noise, unit).error(noise_error));
        let mut head = TableHead::default()
            .scalar("amplifier", name)
            .scalar("image", image)
            .scalar("pixels", pixels)
            .scalar("method", self.method)
            .scalar(format!("gain_{unit}_per_e"), k)
            .scalar("gain_error", fit.gain_error())
            .scalar("gain_error_with_scatter", fit.scaled_gain_error())
            .scalar(format!("offset_{unit}"), fit.offset())
            .scalar("offset_error", fit.offset_error())
            .scalar("chi2", fit.line.chi2)
            .scalar("ndf", fit.line.ndf)
            .scalar("unweighted_slope", fit.unweighted_slope)
            .scalar("median_spacing", fit.median_spacing)
            .scalar("weighted_spacing", fit.weighted_spacing);
        if let Some((q, error)) = fit.nonlinearity() {
            let last = result.electrons(fit.peaks.len() - 1);
            raw.report.result(format!(
                "amplifier {name}: non-linearity {} per electron up to {last} e-{}",
                value_with_error(q, error),
                if q.abs() > 3.0 * error { "" } else { ": none seen" }
            ));
            raw.report.measure(Measurement::new("calibration_nonlinearity", q, "1/e-").error(error));
            head = head.scalar("nonlinearity_per_e", q).scalar("nonlinearity_error", error);
        }
        let columns = [
            "n_e",
            &format!("mu_{unit}"),
            "mu_err",
            &format!("sigma_{unit}"),
            "sigma_err",
            "counts",
            &format!("fit_{unit}"),
            &format!("residual_{unit}"),
            "residual_e",
        ];
        let rows = fit.peaks.iter().enumerate().map(|(i, p)| {
            let line = result.line(i);
            let residual = p.mu - line;
            vec![result.electrons(i), p.mu, p.mu_error, p.sigma, p.sigma_error, p.counts, line, residual, residual / k]
        });
        let table = Table {
            name: format!("FitCalibrationConstant_lineality_from_single_electron_peaks_{name}"),
            columns: columns.map(str::to_owned).to_vec(),
            rows: rows.collect(),
        };
        raw.report.table_with(table, head);
    }
}
