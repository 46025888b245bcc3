//! FitDarkCurrentProcess: dark current, gain, noise and zero peak with all methods, over noise and dark current.

use serde_json::{Value, json};

use super::super::case::{Analysed, ByDesign, Case, Findings, Quantity, chain};
use super::super::{Extent, Study};
use super::MEDIAN_VARIANCE;
use crate::process::analysis::fit_dark_current::DarkCurrentFit;

const LAMBDA: &str = "dark current";
const GAIN: &str = "gain";
const SIGMA: &str = "noise";
const ZERO: &str = "zero peak";
const RATE: &str = "dark rate";

pub(super) const STUDY: Study = Study {
    name: "dark_current",
    title: "FitDarkCurrentProcess: dark current, gain, noise and zero peak",
    quantities: &[
        Quantity::with_own_error(LAMBDA, "e-/pix", "λ/g with its error against the Poisson mean"),
        Quantity::with_own_error(GAIN, "ADU/e-", "against the gain of the simulation"),
        Quantity::with_own_error(
            SIGMA,
            "ADU",
            "against σ_N√(1+π/(2n_os)), and √(σ² + w²/12) where the model is taken at the centres of bins of width w; error with that \
             of the shared pedestals",
        ),
        Quantity::with_own_error(ZERO, "ADU", "against 0; error with that of the pedestals"),
        Quantity::with_own_error(RATE, "e-/pix/day", "λ over the header's times against the rate of the simulation"),
    ],
    cases,
};

/// Gain of the simulation, ADU/e⁻.
const TRUE_GAIN: f64 = 10.0;

/// A way to fit.
#[derive(Debug, Clone, Copy)]
struct Way {
    label: &'static str,
    method: &'static str,
    options: &'static str,
}

impl Way {
    /// The counts of a bin are compared with the model at its centre.
    fn at_bin_centres(self) -> bool {
        self.method == "root" && !self.options.contains('I')
    }
}

const NEYMAN: Way = Way { label: "χ² (Q)", method: "root", options: "Q" };
const NEYMAN_INTEGRAL: Way = Way { label: "χ² with bin integrals (QI)", method: "root", options: "QI" };
const PEARSON: Way = Way { label: "Pearson χ² (QP)", method: "root", options: "QP" };
const LIKELIHOOD: Way = Way { label: "likelihood (QL)", method: "root", options: "QL" };
const LIKELIHOOD_INTEGRAL: Way = Way { label: "likelihood with bin integrals (QLI)", method: "root", options: "QLI" };
const BINNED: Way = Way { label: "binned", method: "binned", options: "Q" };
const UNBINNED: Way = Way { label: "unbinned", method: "unbinned", options: "Q" };

const NEYMAN_BIAS: &str = "Neyman's χ² divides by the counts found, so low bins weigh too much and empty ones nothing: with 20000 \
                           pixels λ is low by about one of its errors (the bias does not fall with the number of pixels per bin fixed); use \
                           method binned or unbinned";
const PEARSON_BIAS: &str = "Pearson's χ² divides by the counts expected: one count where next to none is expected pulls without \
                            limit, so λ and σ are high and the scatter is up to 2.5 times the error; use method binned or unbinned";
/// How far off the pulls are with 20 000 pixels, λ 0.5, σ 0.17 e⁻; an independent Monte Carlo of Neyman's χ² (150 images,
/// another minimiser) gives −0.97 ± 0.09 for λ and −0.86 ± 0.09 for σ, widths 1.15. The gain and the zero peak of both kinds of Neyman's χ²
/// close, as does the zero peak of Pearson's.
const NEYMAN_BOUNDS: &[ByDesign] = &[
    ByDesign::new(LAMBDA, [-1.05, -0.85], [0.95, 1.15], NEYMAN_BIAS),
    ByDesign::new(SIGMA, [-0.9, -0.6], [0.9, 1.15], NEYMAN_BIAS),
];
const PEARSON_BOUNDS: &[ByDesign] = &[
    ByDesign::new(LAMBDA, [1.5, 2.0], [1.5, 2.4], PEARSON_BIAS),
    ByDesign::new(GAIN, [0.1, 0.5], [2.0, 3.0], PEARSON_BIAS),
    ByDesign::new(SIGMA, [0.5, 0.8], [1.0, 1.2], PEARSON_BIAS),
];

fn cases(extent: Extent) -> Vec<Case> {
    let mut cases = Vec::new();
    match extent {
        Extent::Fast => cases.push(case(BINNED, 0.5, 0.17, (40, 80))),
        Extent::Full => {
            for way in [NEYMAN, NEYMAN_INTEGRAL, PEARSON, LIKELIHOOD, LIKELIHOOD_INTEGRAL, BINNED] {
                cases.push(case(way, 0.5, 0.17, (100, 200)));
            }
            for (lambda, noise) in [(0.01, 0.15), (0.1, 0.15), (2.0, 0.15), (0.1, 0.25), (0.5, 0.25), (2.0, 0.25)] {
                cases.push(case(BINNED, lambda, noise, (100, 200)));
                cases.push(case(UNBINNED, lambda, noise, (50, 120)));
            }
        }
    }
    cases.push(raw_skips(extent));
    cases.push(rate(extent));
    cases
}

fn process(way: Way, lambda: f64) -> Value {
    let peaks = (lambda + 5.0 * f64::sqrt(lambda)).ceil() + 3.0;
    chain(&[
        ("CompressSkipperProcess", json!({})),
        ("PedestalSubtractionProcess", json!({"method": "median", "use_mad": false})),
        (
            "FitDarkCurrentProcess",
            json!({"method": way.method, "fit_options": way.options, "calibration": TRUE_GAIN, "n_peaks": peaks as usize,
                "x_min": -10.0, "x_max": TRUE_GAIN * (peaks - 0.5), "dc_max": 100.0, "mu_min": -2.0, "mu_max": 2.0}),
        ),
    ])
}

fn case(way: Way, lambda: f64, noise: f64, (rows, cols): (usize, usize)) -> Case {
    // 400 averaged skips
    let simulate = json!({"rows": rows, "active_cols": cols, "prescan_cols": 4, "overscan_cols": 60, "skips": 400, "averaged": true,
        "gain": TRUE_GAIN, "noise": {"sigma1": 20.0 * noise}, "lambda_image": lambda});
    let case = Case::new(
        format!("{}, λ {lambda}, σ {noise} e⁻", way.label),
        simulate,
        process(way, lambda),
        move |image, findings| fitted(image, way.at_bin_centres(), findings),
    );
    // The objectives of older output, kept for comparison with it (spec 03 §1.6); `binned` and `unbinned` are without bias.
    let bounds = match (way.method, way.options) {
        ("root", "Q" | "QI") => NEYMAN_BOUNDS,
        ("root", "QP") => PEARSON_BOUNDS,
        _ => &[],
    };
    bounds.iter().fold(case, |case, bound| case.by_design(*bound))
}

/// The same from the samples, with rounding to integers.
fn raw_skips(extent: Extent) -> Case {
    let (rows, cols) = if extent == Extent::Fast { (20, 60) } else { (50, 100) };
    let simulate = json!({"rows": rows, "active_cols": cols, "prescan_cols": 4, "overscan_cols": 60, "skips": 100,
        "gain": TRUE_GAIN, "noise": {"sigma1": 1.7}, "lambda_image": 0.5, "pedestal": {"row_rms": 3.0}});
    Case::new(
        "unbinned, raw image of 100 skips, λ 0.5, σ 0.17 e⁻",
        simulate,
        process(UNBINNED, 0.5),
        |image, findings| fitted(image, false, findings),
    )
}

/// Exposure and readout known from the header: 0.3 e⁻ per pixel in a day and a short readout, so that the mean number of
/// electrons is nearly the same in all rows.
fn rate(extent: Extent) -> Case {
    let (rows, cols) = if extent == Extent::Fast { (40, 80) } else { (100, 200) };
    let simulate = json!({"rows": rows, "active_cols": cols, "prescan_cols": 4, "overscan_cols": 60, "skips": 400, "averaged": true,
        "gain": TRUE_GAIN, "noise": {"sigma1": 3.0}, "dark_current": 0.3, "t_exp": 86400.0, "t_skip": 4e-6});
    Case::new("binned, 0.3 e⁻/pix/day for a day", simulate, process(BINNED, 0.3), |image, findings| {
        let fit = fit(image)?;
        if !fit.is_usable() {
            findings.missing(RATE);
            return Ok(());
        }
        let times = image.raw.times;
        let rows = image.setup.geometry.rows() as f64;
        // mean over the rows r of exposure + r·t_row (spec 07 §8.2)
        let days = (times.exposure + 0.5 * (rows - 1.0) / rows * times.readout) / 86_400.0;
        let lambda = fit.fit.lambda_in_electrons();
        let electrons = fit
            .fit
            .direct
            .map_or((lambda.value, lambda.error_with_covariance), |d| (d.electrons.value, d.electrons.error));
        findings.compare(RATE, electrons.0 / days, image.setup.config.dark_current, electrons.1 / days);
        Ok(())
    })
}

fn fit(image: &Analysed) -> Result<&DarkCurrentFit, String> {
    image.raw.products.get_for::<DarkCurrentFit>(&image.amplifier().name).ok_or_else(|| "there is no fit".into())
}

fn fitted(image: &Analysed, at_bin_centres: bool, findings: &mut Findings) -> Result<(), String> {
    let result = fit(image)?;
    if !result.is_usable() {
        [LAMBDA, GAIN, SIGMA, ZERO].into_iter().for_each(|name| findings.missing(name));
        return Ok(());
    }
    let fit = &result.fit;
    let lambda = image.setup.config.lambda_image.unwrap_or(f64::NAN);
    let in_electrons = fit.lambda_in_electrons();
    let (found, error) = fit
        .direct
        .as_ref()
        .map_or((in_electrons.value, in_electrons.error_with_covariance), |d| (d.electrons.value, d.electrons.error));
    findings.compare(LAMBDA, found, lambda, error);
    findings.compare(GAIN, fit.gain().value, image.setup.gain[0], fit.gain().error);

    // The pedestal error e of a row (variance k σ²/n_os) shifts all its pixels together: the fit takes it for noise of
    // single pixels. It moves the zero peak by the mean e, and the width by that of Σe².
    let amplifier = image.amplifier();
    let sigma = image.sigma_average(0);
    let shared = MEDIAN_VARIANCE * sigma * sigma / amplifier.overscan.cols.len() as f64;
    let rows = amplifier.active.rows.len() as f64;
    let mut width = (sigma * sigma + shared).sqrt();
    // spec 03 §1.6, as ROOT without the letter I: the counts of a bin are compared with the model at its centre
    if at_bin_centres {
        width = width.hypot(fit.histogram.width() / 12_f64.sqrt());
    }
    let extra = (2.0 / rows).sqrt() * shared / (2.0 * width);
    findings.compare(SIGMA, fit.sigma().value, width, fit.sigma().error.hypot(extra));
    findings.compare(ZERO, fit.mu0().value, 0.0, fit.mu0().error.hypot((shared / rows).sqrt()));
    Ok(())
}
