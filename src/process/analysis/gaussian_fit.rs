//! GaussianFitProcess: the readout noise of a region, from one Gaussian fit per amplifier.
//!
//! The pixels of the overscan (or of the active region) that lie within `n_sigma` of their trimmed mean are histogrammed
//! and fitted by [`crate::stats::gaussian_fit`]; σ is the noise of one pixel. Nothing is changed in the image. Spec 02
//! §5.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fit_verdict::FitVerdict;
use super::gaussian_histogram::gaussian_panel;
use super::listed_lines::{listed_cols, listed_rows};
use super::pedestal_subtraction::Selection;
use super::units::{shown, unit_of_image};
use crate::config::named::named_values;
use crate::config::{IndexList, PairEnd, PerAmplifier};
use crate::image::report::{InfoValue, Table};
use crate::image::{Amplifier, RawData};
use crate::plot::{Figure, value_with_error};
use crate::process::{Context, Measurement, ProcessError, SKImageProcess};
use crate::stats::gaussian_fit::{GaussianFit, GaussianFitSettings, Outcome, StartRule, fit_gaussian};
use crate::stats::histogram::BinRule;
use crate::stats::robust;

/// Fraction of the pixels left out at each end before the preselection.
const TRIMMED_FRACTION: f64 = 0.1;

named_values! {
    /// How the number of histogram bins is chosen.
    pub enum GaussianBins {
        /// Bins two units wide, 10 bins when the range is below 5 units.
        Default = "default",
        /// 1 + log₂ n.
        Sturges = "sturge" | "sturges",
        /// Freedman–Diaconis.
        Freedman = "freedman",
    }
}

/// Parameters of GaussianFitProcess.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GaussianFitProcess {
    /// Image whose pixels are fitted.
    pub image: String,
    /// Fit the overscan columns (true) or the active region (false).
    pub in_overscan: bool,
    /// Rows left out (not in overscan only): indices and [first, last].
    pub skip_rows: PerAmplifier<IndexList>,
    /// Columns left out (not in overscan only): indices and [first, last].
    pub skip_cols: PerAmplifier<IndexList>,
    /// Fit only pixels near the mean of the central 80 % of them.
    pub in_trim_mean: bool,
    /// Half width of that preselection, in standard deviations of the central 80 %.
    pub n_sigma: f64,
    /// Number of histogram bins: default, sturge or freedman.
    pub hist_nbins_method: GaussianBins,
}

impl Default for GaussianFitProcess {
    fn default() -> Self {
        Self {
            image: "mean_compressed".into(),
            in_overscan: true,
            skip_rows: PerAmplifier::default(),
            skip_cols: PerAmplifier::default(),
            in_trim_mean: true,
            n_sigma: 3.0,
            hist_nbins_method: GaussianBins::Freedman,
        }
    }
}

/// Result of GaussianFitProcess for one amplifier, left for later processes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RegionNoise {
    /// The fit, in units of the image.
    pub fit: GaussianFit,
    /// Trimmed mean and standard deviation of the preselection, if one was made.
    pub preselection: Option<(f64, f64)>,
    /// What the fit is worth.
    pub verdict: FitVerdict,
}

impl SKImageProcess for GaussianFitProcess {
    fn execute(&self, raw: &mut RawData, context: &Context<'_>) -> Result<(), ProcessError> {
        let amplifier = raw.amplifiers[context.amplifier].clone();
        let place = if self.in_overscan { "overscan" } else { "active region" };
        let values = self.pixels(raw, context.amplifier, &amplifier)?;
        let Some((smallest, largest)) = robust::min_max(&values) else {
            raw.report.warn(format!(
                "amplifier {}: the {place} holds no pixel to fit{}; nothing is measured",
                amplifier.name,
                if self.in_overscan { " (`in_overscan`: false fits the active region)" } else { "" }
            ));
            return Ok(());
        };
        let (kept, result) = self.fit(&values);
        if result.fit.outcome == Outcome::TooFewValues {
            raw.report.warn(format!(
                "amplifier {}: {} pixel of the {place} is left after the preselection; nothing is measured",
                amplifier.name,
                kept.len()
            ));
            return Ok(());
        }
        let unit = unit_of_image(raw.resolve_image_name(&self.image));
        report(raw, &amplifier, &result, place, unit, values.len(), (smallest, largest));
        if context.wants_figures() {
            draw(raw, context, &amplifier, &result, &kept, place, unit);
        }
        raw.products.set_for(&amplifier.name, result);
        Ok(())
    }

    fn check(&self) -> Vec<String> {
        if self.n_sigma > 0.0 {
            Vec::new()
        } else {
            vec![format!("`n_sigma` is {}; a positive number is expected", self.n_sigma)]
        }
    }
}

impl GaussianFitProcess {
    /// Finite values of the region, in raster order.
    fn pixels(&self, raw: &mut RawData, index: usize, amplifier: &Amplifier) -> Result<Vec<f64>, ProcessError> {
        let (region, rows, cols) = if self.in_overscan {
            (amplifier.overscan.clone(), Vec::new(), Vec::new())
        } else {
            let rows = listed_rows(raw, index, &self.skip_rows, "skip_rows", PairEnd::Included);
            let cols = listed_cols(raw, index, &self.skip_cols, "skip_cols", PairEnd::Included);
            (amplifier.active.clone(), rows, cols)
        };
        let selection = Selection::new(region.clone(), amplifier.full.clone(), &rows, &cols);
        Ok(selection.values(raw.image(&self.image)?, region.rows, region.cols))
    }

    /// Preselects and fits (a pure function of the values). Returns the values fitted and the result.
    pub fn fit(&self, values: &[f64]) -> (Vec<f64>, RegionNoise) {
        let preselection = self.in_trim_mean.then(|| robust::trimmed_mean_and_std(values, TRIMMED_FRACTION));
        let kept: Vec<f64> = match preselection {
            // identical values have no spread: they are all central
            Some((centre, spread)) => {
                values.iter().copied().filter(|x| (x - centre).abs() < self.n_sigma * spread || *x == centre).collect()
            }
            None => values.to_vec(),
        };
        let bins = match self.hist_nbins_method {
            GaussianBins::Default => BinRule::Default,
            GaussianBins::Sturges => BinRule::Sturges,
            GaussianBins::Freedman => BinRule::Freedman,
        };
        let fit = fit_gaussian(&kept, GaussianFitSettings { bins, start: StartRule::Standard });
        (kept, RegionNoise { fit, preselection, verdict: FitVerdict::from(&fit) })
    }
}

/// Measurements, cards, `info` branches, table and log lines.
fn report(
    raw: &mut RawData,
    amplifier: &Amplifier,
    result: &RegionNoise,
    place: &str,
    unit: &str,
    n_pixels: usize,
    (smallest, largest): (f64, f64),
) {
    let RegionNoise { fit, verdict, .. } = result;
    let (name, short) = (&amplifier.name, amplifier.short_name());
    let single = raw.amplifiers.len() == 1;
    raw.report.measure(verdict.measurement("gaussian_fit_status", &format!("GFSTAT{short}")));
    raw.report.info_branch(format!("{name}_gf_status"), InfoValue::Int(i32::from(verdict.word())));
    if verdict.has(FitVerdict::TOO_FEW_DATA) {
        raw.report.warn(format!(
            "amplifier {name}, {place}: no fit: {n_pixels} pixels between {smallest:.4} and {largest:.4} {unit} fill too few bins of a \
             histogram"
        ));
        return;
    }
    let mut sigma = Measurement::new("gaussian_fit_sigma", fit.sigma, unit)
        .error(fit.sigma_error)
        .card(format!("GFSIG{short}"), format!("Gaussian fit: sigma in {place} [{unit}]"))
        .error_card(format!("GFESIG{short}"), format!("Gaussian fit: error of sigma [{unit}]"))
        .info_branch(format!("{name}_gf_sigma"));
    let mut chi2 = Measurement::new("gaussian_fit_chi2_ndf", fit.chi2_per_ndf(), "")
        .card(format!("GFCHI{short}"), "Gaussian fit: chi2/NDF");
    if single {
        sigma = sigma
            .card("GFSIG", format!("Gaussian fit: sigma in {place} [{unit}]"))
            .error_card("GFESIG", format!("Gaussian fit: error of sigma [{unit}]"));
        chi2 = chi2.card("GFCHI2", "Gaussian fit: chi2/NDF");
    }
    raw.report.measure(Measurement::new("gaussian_fit_mu", fit.mu, unit).error(fit.mu_error));
    raw.report.measure(sigma);
    raw.report.measure(chi2);
    raw.report.table(Table {
        name: format!("GaussianFitProcess_{name}"),
        columns: [
            &format!("mu_{unit}"),
            &format!("mu_error_{unit}"),
            &format!("sigma_{unit}"),
            &format!("sigma_error_{unit}"),
            "chi2",
            "ndf",
            "n_bins",
            "n_pixels",
            "status",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: vec![vec![
            fit.mu,
            fit.mu_error,
            fit.sigma,
            fit.sigma_error,
            fit.chi2,
            fit.ndf as f64,
            fit.n_bins as f64,
            fit.n_values as f64,
            f64::from(verdict.word()),
        ]],
    });
    raw.report.result(format!(
        "amplifier {name}, {place} ({n_pixels} pixels, {smallest:.4} … {largest:.4} {unit}): σ = {} {unit}, μ = {} {unit} from {} \
         pixels, χ²/NDF {:.3} ({} bins){}",
        value_with_error(fit.sigma, fit.sigma_error),
        value_with_error(fit.mu, fit.mu_error),
        fit.n_values,
        fit.chi2_per_ndf(),
        fit.n_bins,
        verdict.remark()
    ));
    verdict.warn(raw, &format!("amplifier {name}: the Gaussian fit to the {place}"));
}

fn draw(
    raw: &mut RawData,
    context: &Context<'_>,
    amplifier: &Amplifier,
    result: &RegionNoise,
    kept: &[f64],
    place: &str,
    unit: &str,
) {
    let mut chain = raw.chain.clone();
    chain.push(context.entry.tag.to_owned());
    let panel = gaussian_panel(kept, &result.fit, unit).x(format!("pixel charge [{}]", shown(unit)));
    let figure = Figure::new(format!("GaussianFitProcess_{}", amplifier.name))
        .titles(&format!("Gaussian fit, amplifier {}, {place}", amplifier.name), &raw.source.label, &chain)
        .panel(panel)
        .caption(format!("Pixels of the {place} of amplifier {} and the Gaussian fitted to them.", amplifier.name));
    raw.report.figure(figure);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Region;
    use crate::process::{CommonParameters, registry};
    use crate::stats::distributions::normal_quantile;
    use crate::stats::test_data;
    use ndarray::Array2;

    fn run(process: &GaussianFitProcess, raw: &mut RawData, save_plots: bool) {
        let common = CommonParameters { save_plots, ..CommonParameters::default() };
        let entry = registry::find("GaussianFitProcess").unwrap();
        for amplifier in 0..raw.amplifiers.len() {
            raw.report.enter(0, entry.tag, Some(&raw.amplifiers[amplifier].name.clone()));
            process.execute(raw, &Context { entry, common: &common, amplifier, seed: 321 }).unwrap();
        }
    }

    fn card(raw: &RawData, keyword: &str) -> Option<f64> {
        raw.report.cards.iter().find(|c| c.keyword == keyword).and_then(|c| c.value.as_f64())
    }

    /// Gaussian quantiles, shuffled by a fixed stride so that rows and columns look alike.
    fn gaussian_image(rows: usize, cols: usize, mu: f64, sigma: f64) -> Array2<f64> {
        let n = rows * cols;
        let stride = (0..).map(|k| 7919 + k).find(|s: &usize| gcd(*s, n) == 1).unwrap();
        Array2::from_shape_fn((rows, cols), |(r, c)| {
            let j = ((r * cols + c) * stride) % n;
            mu + sigma * normal_quantile((j as f64 + 0.5) / n as f64)
        })
    }

    fn gcd(a: usize, b: usize) -> usize {
        if b == 0 { a } else { gcd(b, a % b) }
    }

    #[test]
    fn numbers_of_the_real_image() {
        let Some(pixels) = test_data::real_image(1) else { return };
        let process = GaussianFitProcess { in_overscan: false, ..Default::default() };
        let (kept, result) = process.fit(&pixels);
        let (centre, spread) = result.preselection.unwrap();
        // spec 02 §12.2, six decimals
        assert!((centre + 39.185848).abs() < 5e-7 && (spread - 1.091779).abs() < 5e-7, "{centre} {spread}");
        assert_eq!((kept.len(), result.fit.n_bins, result.fit.ndf), (189_681, 114, 105));
        assert!((result.fit.mu + 39.145187).abs() < 2e-5, "{}", result.fit.mu);
        assert!((result.fit.sigma - 0.834155).abs() < 2e-5, "{}", result.fit.sigma);
        assert!((result.fit.chi2_per_ndf() - 1580.5).abs() < 0.1, "{}", result.fit.chi2_per_ndf());
        assert!(result.verdict.has(FitVerdict::CONTRADICTED), "not a Gaussian population, and the fit says so");
    }

    #[test]
    fn the_noise_of_the_overscan_is_found_beside_foreign_pixels() {
        let mut image = gaussian_image(100, 60, 1000.0, 2.5);
        for row in 0..20 {
            image[[row, 50]] = 4000.0; // a bleeding column: 1 % of the overscan
        }
        image[[3, 55]] = f64::NAN;
        let mut raw = RawData::from_image("mean_compressed", image);
        raw.amplifiers[0].overscan = Region::new(0..100, 40..60);
        raw.amplifiers[0].active = Region::new(0..100, 0..40);
        run(&GaussianFitProcess::default(), &mut raw, true);
        let result = raw.products.get_for::<RegionNoise>("EXT0").unwrap();
        // quantiles have no statistical scatter: what is left is the binning, 0.1 of the error σ/√(2n) = 0.04
        assert!((result.fit.sigma - 2.5).abs() < 0.04, "{}", result.fit.sigma);
        assert!((result.fit.mu - 1000.0).abs() < 2.5 / 2000f64.sqrt(), "{}", result.fit.mu);
        assert!(result.verdict.is_good(), "{}", result.verdict.text());
        for keyword in ["GFSIG0", "GFSIG"] {
            assert_eq!(card(&raw, keyword), Some(result.fit.sigma));
        }
        assert_eq!(card(&raw, "GFSTAT0"), Some(0.0));
        assert!(card(&raw, "GFCHI2").is_some() && card(&raw, "GFCHI0").is_some() && card(&raw, "GFESIG").is_some());
        let figure = &raw.report.figures[0].figure;
        assert_eq!(figure.name, "GaussianFitProcess_EXT0");
        assert_eq!(figure.panels[0].series.len(), 2, "histogram and curve");
        assert_eq!(figure.panels[0].notes.len(), 1, "no red note");
    }

    #[test]
    fn amplifiers_are_independent_and_a_missing_overscan_is_a_warning() {
        let mut raw = RawData::from_image("mean_compressed", gaussian_image(50, 40, 10.0, 1.0));
        let half = |name: &str, cols: std::ops::Range<usize>| Amplifier {
            full: Region::new(0..50, cols.clone()),
            overscan: Region::new(0..50, cols.start..cols.start),
            active: Region::new(0..50, cols),
            ..Amplifier::whole_image(name, 0, 50, 40)
        };
        raw.amplifiers = vec![half("U", 20..40), half("L", 0..20)];
        run(&GaussianFitProcess::default(), &mut raw, false);
        assert_eq!(raw.report.warnings().count(), 2);
        assert!(raw.report.cards.is_empty() && raw.report.measurements.is_empty());

        let process = GaussianFitProcess { in_overscan: false, ..Default::default() };
        run(&process, &mut raw, false);
        assert!(card(&raw, "GFSIGU").is_some() && card(&raw, "GFSIGL").is_some() && card(&raw, "GFSIG").is_none());
        let before = *raw.products.get_for::<RegionNoise>("L").unwrap();
        raw.images["mean_compressed"].slice_axis_mut(ndarray::Axis(1), (20..40).into()).fill(7.0);
        run(&process, &mut raw, false);
        assert_eq!(*raw.products.get_for::<RegionNoise>("L").unwrap(), before);
        let constant = raw.products.get_for::<RegionNoise>("U").unwrap();
        assert_eq!((constant.fit.mu, constant.fit.sigma), (7.0, 0.0));
        assert!(constant.verdict.has(FitVerdict::TOO_FEW_DATA));
    }

    #[test]
    fn listed_lines_are_left_out_of_the_active_region() {
        let mut image = gaussian_image(40, 40, 0.0, 1.0);
        image.slice_axis_mut(ndarray::Axis(0), (5..8).into()).fill(2.5);
        let mut raw = RawData::from_image("mean_compressed", image);
        let process: GaussianFitProcess =
            serde_json::from_str(r#"{"in_overscan": false, "skip_rows": [[5, 7]], "in_trim_mean": false}"#).unwrap();
        run(&process, &mut raw, false);
        assert_eq!(raw.products.get_for::<RegionNoise>("EXT0").unwrap().fit.n_values, 37 * 40);
        assert!(serde_json::from_str::<GaussianFitProcess>(r#"{"hist_nbins_method": "manual"}"#).is_err());
        assert_eq!(GaussianFitProcess { n_sigma: 0.0, ..Default::default() }.check().len(), 1);
    }
}
