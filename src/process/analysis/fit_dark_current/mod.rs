//! FitDarkCurrentProcess: gain, noise and dark current from the single-electron peaks.
//!
//! The pixel-charge distribution of an amplifier is fitted with (Poisson dark current) ⊗ (Gaussian noise). Spec 03 §1;
//! the fit itself is [`crate::stats::dark_current`].

mod figures;
mod parameters;
mod selection;

pub use parameters::{CsvColumn, DarkCurrentAxis, FitDarkCurrentProcess, FitMethod, MaskFile};
pub use selection::{PixelSelection, SelectionRules};

use std::path::Path;

use ndarray::Array2;

use super::fit_verdict::FitVerdict;
use super::{FitDarkCurrentPerCol, FitDarkCurrentPerRow};
use crate::config::PerAmplifier;
use crate::image::report::{ConfigResult, InfoValue};
use crate::image::{Amplifier, Level, RawData};
use crate::process::{Context, Measurement, ProcessError, SKImageProcess};
use crate::stats::dark_current::{
    self, BinWidth, DarkCurrentSettings, FitOptions, FitParameter, Method, ParameterLimits, Profiles, StartHints,
    Status, automatic_window,
};

/// The fit of one amplifier, as later processes see it (CalibrationProcess, monitor elements).
#[derive(Debug, Clone, PartialEq)]
pub struct DarkCurrentFit {
    /// The fit with everything it found.
    pub fit: dark_current::DarkCurrentFit,
    /// Pixels of the amplifier's extension.
    pub total_pixels: usize,
}

impl DarkCurrentFit {
    /// Fitted gain, ADU/e⁻.
    pub fn gain(&self) -> f64 {
        self.fit.gain().value
    }

    /// Its error, ADU/e⁻.
    pub fn gain_error(&self) -> f64 {
        self.fit.gain().error
    }

    /// Whether the gain may be used: the fit converged and has errors, and the gain does not rest on a limit, which would
    /// be the choice of a user and no measurement. (Spec 03 §1.12 excludes only fits that failed.)
    pub fn is_usable(&self) -> bool {
        self.fit.status.is_usable() && self.gain().is_finite() && self.gain() > 0.0 && !self.gain_at_limit()
    }

    /// Whether the gain rests on a limit.
    pub fn gain_at_limit(&self) -> bool {
        self.fit.parameters_at_limit().iter().any(|name| *name == self.fit.gain().name)
    }

    /// What the fit is worth.
    pub fn verdict(&self) -> FitVerdict {
        FitVerdict::from(&self.fit)
    }
}

/// Gain assumed when neither configuration nor header give a start value, ADU/e⁻ (spec 03 §1.3).
const GAIN_WITHOUT_HINT: f64 = 1.05;
/// Half width of the gain limits around a start value from the header, ADU/e⁻ (spec 03 §1.3).
const GAIN_LIMITS_FROM_HEADER: f64 = 3.0;

impl SKImageProcess for FitDarkCurrentProcess {
    fn execute(&self, raw: &mut RawData, context: &Context<'_>) -> Result<(), ProcessError> {
        let index = context.amplifier;
        let amplifier = raw.amplifiers[index].clone();
        let sample = self.sample(raw, index)?;
        let settings = self.settings(raw, &amplifier, &sample.values)?;
        let fit =
            dark_current::fit_pixels(&sample.values, &settings).map_err(|e| ProcessError::Failed(e.to_string()))?;
        let result = DarkCurrentFit { fit, total_pixels: sample.total_pixels };
        self.judge(raw, &amplifier, &result);
        self.report(raw, &amplifier, &settings, &result, sample.from_image);
        if context.wants_figures() {
            figures::draw(self, raw, context, &amplifier, &settings, &result, sample.unmasked.as_deref());
        }
        if context.wants_root_objects() {
            raw.report.root_objects(figures::root_objects(self, &amplifier, &result, sample.unmasked.as_deref()));
        }
        if context.common.debug {
            figures::draw_low_pixels(self, raw, &amplifier, settings.calibration, &sample);
        }
        raw.products.set_for(&amplifier.name, result);
        match self.dc_axis {
            DarkCurrentAxis::None => Ok(()),
            DarkCurrentAxis::Row => FitDarkCurrentPerRow::from(self).execute(raw, context),
            DarkCurrentAxis::Col => FitDarkCurrentPerCol::from(self).execute(raw, context),
        }
    }

    fn check(&self) -> Vec<String> {
        self.problems()
    }
}

/// The numbers that are fitted.
pub(super) struct Sample {
    /// Values in the image's unit.
    values: Vec<f64>,
    /// The same without the cluster mask, to be drawn beside.
    unmasked: Option<Vec<f64>>,
    /// Pixels of the amplifier's extension.
    total_pixels: usize,
    /// Whether they are pixels of an image (not a CSV column).
    from_image: bool,
    /// Which pixels, for debug figures.
    selection: Option<(PixelSelection, String)>,
}

impl FitDarkCurrentProcess {
    fn sample(&self, raw: &mut RawData, index: usize) -> Result<Sample, ProcessError> {
        if let CsvColumn(true, Some(path), Some(column)) = &self.data_as_csv {
            let values = crate::image::auxiliary::csv_column(Path::new(path), column)
                .map_err(|e| ProcessError::Input(format!("`data_as_csv`: {e}")))?;
            let total_pixels = values.len();
            return Ok(Sample { values, unmasked: None, total_pixels, from_image: false, selection: None });
        }
        let mask = self.mask_from_file(raw)?;
        let rules = SelectionRules {
            in_overscan: self.in_overscan,
            mask_clusters: self.mask_clusters,
            rows_to_mask: &self.rows_to_mask,
            cols_to_mask: &self.cols_to_mask,
        };
        let selection = PixelSelection::new(raw, index, rules, mask)?;
        let name = raw.resolve_image_name(&self.image).to_owned();
        let image = raw.image(&name)?;
        // U and L share an extension; a stacked extension counts its own rows.
        let total_pixels = raw.row_block(index).1 * raw.cols;
        Ok(Sample {
            values: selection.values(image),
            unmasked: selection.is_masked().then(|| selection.without_mask().values(image)),
            total_pixels,
            from_image: true,
            selection: Some((selection, name)),
        })
    }

    pub(super) fn mask_from_file(&self, raw: &RawData) -> Result<Option<Array2<bool>>, ProcessError> {
        let MaskFile(true, Some(path), hdu) = &self.apply_mask_from_fits else { return Ok(None) };
        let path = if path == "same" { raw.source.path.clone() } else { Path::new(path).to_owned() };
        let mask = crate::image::auxiliary::read_mask(&path, *hdu, (raw.rows, raw.cols))
            .map_err(|e| ProcessError::Input(format!("`apply_mask_from_fits`: {e}")))?;
        Ok(Some(mask))
    }

    pub(super) fn settings(
        &self,
        raw: &mut RawData,
        amplifier: &Amplifier,
        values: &[f64],
    ) -> Result<DarkCurrentSettings, ProcessError> {
        let index = raw.amplifiers.iter().position(|a| a.name == amplifier.name).unwrap_or(0);
        let get = |key: &str, parameter: &PerAmplifier<f64>| {
            parameter.get(amplifier).copied().ok_or_else(|| ProcessError::no_value(key, raw, index))
        };
        let range = |name: &str, lo: &PerAmplifier<f64>, hi: &PerAmplifier<f64>| {
            let limits = (get(&format!("{name}_min"), lo)?, get(&format!("{name}_max"), hi)?);
            if limits.0 > limits.1 {
                return Err(ProcessError::Failed(format!(
                    "`{name}_min` is {} and `{name}_max` is {}; {name}_min ≤ {name}_max is expected",
                    limits.0, limits.1
                )));
            }
            Ok(limits)
        };
        let mut limits = ParameterLimits {
            mu0: range("mu", &self.mu_min, &self.mu_max)?,
            sigma: range("sigma", &self.sigma_min, &self.sigma_max)?,
            lambda: range("dc", &self.dc_min, &self.dc_max)?,
            gain: range("gain", &self.gain_min, &self.gain_max)?,
        };
        let n_peaks = *self.n_peaks.get(amplifier).ok_or_else(|| ProcessError::no_value("n_peaks", raw, index))?;
        let configured =
            *self.calibration.get(amplifier).ok_or_else(|| ProcessError::no_value("calibration", raw, index))?;
        let from_header = raw.metadata.get("itgtime").and_then(crate::fits::CardValue::as_f64).filter(|x| *x > 0.0);
        let calibration = match (configured, from_header) {
            (Some(calibration), _) => calibration,
            (None, Some(hint)) => {
                limits.gain = (hint - GAIN_LIMITS_FROM_HEADER, hint + GAIN_LIMITS_FROM_HEADER);
                raw.report.inform(format!(
                    "`calibration` is null: the gain starts at {hint} (header, itgtime), limits ± {GAIN_LIMITS_FROM_HEADER}"
                ));
                hint
            }
            (None, None) => {
                raw.report.inform(format!("`calibration` is null: the gain starts at {GAIN_WITHOUT_HINT} ADU/e-"));
                GAIN_WITHOUT_HINT
            }
        };
        let window = automatic_window(self.x_min, self.x_max, calibration, n_peaks, self.n_sigma_fit, values);
        if window.0 >= window.1 {
            return Err(ProcessError::Failed(format!(
                "the window {}…{} ADU is empty (keys `x_min`, `x_max`, `calibration`, `n_peaks`)",
                window.0, window.1
            )));
        }
        Ok(DarkCurrentSettings {
            method: match self.method {
                FitMethod::Root => Method::Root,
                FitMethod::Binned => Method::Binned,
                FitMethod::Unbinned => Method::Unbinned,
            },
            options: FitOptions::parse(&self.fit_options),
            window,
            bin_width: BinWidth::from_size(self.binning_size),
            n_peaks,
            calibration,
            free_gain: self.do_calibration,
            limits,
            linear_term: self.add_linear_dq.then_some((self.crx, self.cr0)),
            start: StartHints {
                mu0: self.mu_gauss,
                sigma_electrons: self.sigma_gauss,
                lambda_electrons: self.lambda_poisson,
            },
            window_peaks: self.window_peaks,
            profiles: Profiles::All,
        })
    }

    /// Warnings about what may be wrong with the result (spec 03 §1.12).
    fn judge(&self, raw: &mut RawData, amplifier: &Amplifier, result: &DarkCurrentFit) {
        let fit = &result.fit;
        let who = format!("amplifier {}", amplifier.name);
        for warning in &fit.warnings {
            raw.report.warn(format!("{who}: {warning}"));
        }
        if result.verdict().has(FitVerdict::CONTRADICTED) {
            raw.report.warn(format!(
                "{who}: the dark-current fit is contradicted by its residuals (χ² {:.0} for {} degrees of freedom): its values may be \
                 wrong by more than their errors; look at the figure, raise `n_peaks` or narrow the window",
                fit.goodness.chi2, fit.goodness.ndf
            ));
        }
    }

    fn report(
        &self,
        raw: &mut RawData,
        amplifier: &Amplifier,
        settings: &DarkCurrentSettings,
        result: &DarkCurrentFit,
        from_image: bool,
    ) {
        let fit = &result.fit;
        let a = amplifier.short_name().to_owned();
        let numbers = raw.numbers;
        let pixels_per_bin = (raw.row_binning * raw.col_binning).max(1) as f64;
        let electrons_image = self.image.ends_with("_e");
        let unit = if electrons_image { "e-" } else { "ADU" };
        let report = &mut raw.report;
        self.report_configuration(report, settings, result);

        report.measure(result.verdict().measurement("dark_current_fit_status", &format!("MESTAT{a}")));
        report.info_branch(format!("{}_dc_status", amplifier.name), InfoValue::Int(i32::from(result.verdict().word())));
        if from_image {
            let fraction = fit.included_pixels as f64 / result.total_pixels.max(1) as f64;
            report.measure(
                Measurement::new("dark_current_fit_fraction", fraction, "")
                    .card(format!("MEFRAC{a}"), "dark-current fit: fraction of pixels used"),
            );
        }
        if !fit.was_made() {
            return;
        }
        // without a positive definite Hessian the errors are unknown, not 0
        let no_errors = fit.status.has(Status::NOT_POSITIVE_DEFINITE);
        let known = |error: f64| if no_errors { f64::NAN } else { error };
        // the table at the end shows measurements, not numbers that a failed fit left behind
        let heading = |m: Measurement, heading: &str| if result.is_usable() { m.headline(heading) } else { m };
        let quantity = |name: &str, p: &FitParameter, unit: &str, key: &str, text: &str| {
            Measurement::new(name, p.value, unit)
                .error(known(p.error))
                .card(format!("ME{key}{a}"), text)
                .error_card(format!("EME{key}{a}"), format!("error of ME{key}{a}"))
                .info_branch(info_branch(key, amplifier))
        };
        let gain = quantity("gain", fit.gain(), &format!("{unit}/e-"), "GAIN", "dark-current fit: gain [ADU/e-]");
        report.measure(heading(gain, "gain"));
        report.measure(quantity(
            "dark_current",
            fit.lambda(),
            &format!("{unit}/bin/img"),
            "DC",
            "dark-current fit: lambda [ADU/bin/img]",
        ));
        report.measure(quantity("readout_noise", fit.sigma(), unit, "SIG", "dark-current fit: noise [ADU]"));
        report.measure(quantity("zero_peak", fit.mu0(), unit, "MU0", "dark-current fit: zero-electron peak [ADU]"));
        report.card(format!("MEIMGID{a}"), numbers.image, "dark-current fit: image number");
        report.card(format!("MERUNID{a}"), numbers.run, "dark-current fit: run number");
        report.measure(
            Measurement::new("dark_current_fit_chi2", fit.chi2(), "")
                .card(format!("MECHI2{a}"), "dark-current fit: Baker-Cousins chi2/NDF"),
        );
        report.measure(
            Measurement::integer("dark_current_fit_ndf", fit.ndf)
                .card(format!("MENDF{a}"), "dark-current fit: degrees of freedom"),
        );
        report.card(format!("MEMETH{a}"), self.method.name(), "dark-current fit: method");
        report.measure(Measurement::new("dark_current_fit_p_value", fit.goodness.p_value, ""));

        let noise = fit.sigma_in_electrons();
        let lambda = fit.lambda_in_electrons();
        let noise_electrons = Measurement::new("noise_electrons", noise.value, "e-");
        report.measure(heading(noise_electrons.error(known(noise.error_with_covariance)), "noise"));
        let per_pixel = Measurement::new("dark_current_electrons", lambda.value / pixels_per_bin, "e-/pix/img");
        let mut per_pixel =
            heading(per_pixel.error(known(lambda.error_with_covariance / pixels_per_bin)), "dark current");
        if let Some(direct) = &fit.direct {
            let e = &direct.electrons;
            per_pixel.value = e.value / pixels_per_bin;
            per_pixel.error = Some(e.error / pixels_per_bin);
            report.measure(
                Measurement::new("dark_current_fitted_electrons", e.value, "e-/bin/img")
                    .error(e.error)
                    .card(format!("MEDCE{a}"), "dark-current fit: lambda [e-/bin/img]")
                    .error_card(format!("EMEDCE{a}"), format!("error of MEDCE{a}")),
            );
            report.measure(
                Measurement::new("dark_current_fit_pixels", direct.n_total.value, "pixels")
                    .error(direct.n_total.error)
                    .card(format!("MENTOT{a}"), "dark-current fit: pixels of all peaks"),
            );
        }
        report.measure(per_pixel.clone());
        let mut profiles = Vec::new();
        for p in fit.parameters.iter().chain(fit.direct.iter().flat_map(|d| [&d.n_total, &d.electrons])) {
            if let Some((down, up)) = p.profile_errors() {
                let of = match p.name {
                    "mu0" | "sigma" => unit.to_owned(),
                    "lambda" => format!("{unit}/bin/img"),
                    "gain" => format!("{unit}/e-"),
                    _ => String::new(),
                };
                report.measure(Measurement::new(format!("{}_profile_error_low", p.name), down, of.clone()));
                report.measure(Measurement::new(format!("{}_profile_error_high", p.name), up, of));
                profiles.push((p.name, format!("{:.6} {down:+.6} {up:+.6}", p.value)));
            }
        }
        use crate::plot::value_with_error as text;
        let goodness = match fit.method {
            // −2 ln L of single pixels says nothing about the goodness
            Method::Unbinned => format!("−2 ln L {:.4}", fit.objective),
            _ => format!("χ²/NDF {:.4} / {}", fit.objective, fit.ndf),
        };
        report.result(format!(
            "amplifier {}: norm {}, μ0 {} {unit}, σ {} {unit}, λ {} {unit}/bin/img, gain {} {unit}/e-; fit {} ({goodness}, p {:.3}, start {:?})",
            amplifier.name,
            text(fit.norm().value, fit.norm().error),
            text(fit.mu0().value, fit.mu0().error),
            text(fit.sigma().value, fit.sigma().error),
            text(fit.lambda().value, fit.lambda().error),
            text(fit.gain().value, fit.gain().error),
            result.verdict().text(),
            fit.goodness.p_value,
            fit.start,
        ));
        report.result(format!(
            "amplifier {}: Noise [e-] = {}, dark current {} e-/pix/img",
            amplifier.name,
            text(noise.value, noise.error_with_covariance),
            text(per_pixel.value, per_pixel.error.unwrap_or(f64::NAN)),
        ));
        // the methods of spec 03 §1.11 tell all they know
        let level = if fit.direct.is_some() { Level::Info } else { Level::Verbose };
        for (name, interval) in &profiles {
            report.log(level, format!("amplifier {}: profile interval of {name}: {interval}", amplifier.name));
        }
        let correlations = correlations(fit);
        if !correlations.is_empty() {
            let list: Vec<String> = correlations.iter().map(|(a, b, c)| format!("({a}, {b}) {c:+.3}")).collect();
            report.log(level, format!("amplifier {}: correlations {}", amplifier.name, list.join(", ")));
        }
        for (a, b, correlation) in correlations {
            report.measure(Measurement::new(format!("correlation_{a}_{b}"), correlation, ""));
        }
    }

    /// The numbers that go to the ROOT tree `process_config` (spec 03 §1.8).
    fn report_configuration(
        &self,
        report: &mut crate::image::Report,
        settings: &DarkCurrentSettings,
        result: &DarkCurrentFit,
    ) {
        let fit = &result.fit;
        let mut int = |name: &str, value: usize| report.config_result(name, ConfigResult::Int(value as i64));
        int("_n_peaks", settings.n_peaks);
        int("_ntrails", 0);
        int("included_pixels", fit.included_pixels as usize);
        int("total_pixels", result.total_pixels);
        int("n_bins_used", fit.histogram.n_bins());
        let mut real = |name: &str, value: f64| report.config_result(name, ConfigResult::Double(value));
        real("binning_size_used", fit.histogram.width());
        real("chi2", fit.chi2());
        real("norm_guess", fit.norm_guess);
        real("sigma_guess", fit.sigma_guess);
        for (name, p) in [
            ("norm", fit.norm()),
            ("mu0", fit.mu0()),
            ("sigma", fit.sigma()),
            ("lambda", fit.lambda()),
            ("gain", fit.gain()),
        ] {
            let finite = |x: f64| if x.is_finite() { x } else { 0.0 };
            real(&format!("dc_{name}"), finite(p.value));
            real(&format!("dc_{name}_err"), finite(p.error));
        }
    }
}

/// Name of a branch of the `info` tree: lower case of `<AMP>_<QUANTITY><AMP without its last character>` (spec 05 §9.4).
pub fn info_branch(quantity: &str, amplifier: &Amplifier) -> String {
    let mut cut = amplifier.name.clone();
    cut.pop();
    format!("{}_{quantity}{cut}", amplifier.name).to_lowercase()
}

/// Correlations of the free parameters: their names and the coefficient.
fn correlations(fit: &dark_current::DarkCurrentFit) -> Vec<(&'static str, &'static str, f64)> {
    let p = &fit.parameters;
    let pairs = (0..p.len()).flat_map(|j| (0..j).map(move |k| (k, j)));
    pairs.map(|(k, j)| (p[k].name, p[j].name, fit.correlation(j, k))).filter(|(_, _, c)| *c != 0.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_branches_keep_their_odd_names() {
        let amplifier = |name: &str| Amplifier::whole_image(name, 1, 1, 1);
        assert_eq!(info_branch("GAIN", &amplifier("EXT1")), "ext1_gainext");
        assert_eq!(info_branch("MU0", &amplifier("EXT12")), "ext12_mu0ext1");
        assert_eq!(info_branch("DC", &amplifier("U")), "u_dc");
    }
}
