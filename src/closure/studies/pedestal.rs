//! PedestalSubtractionProcess: the baseline of rows and columns, its error, and the noise that is left.

use serde_json::{Value, json};

use super::super::case::{Analysed, ByDesign, Case, Findings, Quantity, chain, merged};
use super::super::{Extent, Study};
use super::{MEDIAN_VARIANCE, student};
use crate::process::analysis::products::{Axis, Pedestal};
use crate::stats::distributions::ln_gamma;

const ROW: &str = "pedestal of a row";
const COLUMN: &str = "pedestal of a column";
const SIGMA: &str = "sigma of a row";
const FITTED_SIGMA: &str = "fitted sigma of a row";
const LEFT: &str = "noise left";

pub(super) const STUDY: Study = Study {
    name: "pedestal",
    title: "PedestalSubtractionProcess: pedestals, their errors, and the noise after subtraction",
    quantities: &[
        Quantity::with_own_error(
            ROW,
            "ADU",
            "every row against the truth; errors that come from the scatter of the same n pixels widened to Student's t, √((n−1)/(n−3))",
        ),
        Quantity::with_own_error(COLUMN, "ADU", "every column against the truth; as the rows"),
        Quantity::with_expected_error(
            SIGMA,
            "ADU",
            "standard deviation (÷n) of every row against its expectation σ_N√(2/n)Γ(n/2)/Γ((n−1)/2)",
        ),
        Quantity::with_own_error(FITTED_SIGMA, "ADU", "every row against the width of the averaged noise"),
        Quantity::with_expected_error(
            LEFT,
            "ADU",
            "width of empty active pixels; σ_N√(1+k/n_os), k = 1 (mean), π/2 (median); error /√(2n)",
        ),
    ],
    cases,
};

const DROPPED_MAXIMUM: &str = "the histogram ends at the largest value and does not count it (spec 02 §3.2, step 2, as the \
                               reference), so μ lies low by about 0.005 σ with 200 pixels; and Neyman's χ² passes over empty bins";
const NEYMAN: &str = "Neyman's χ² (spec 02 §3.2, as the reference) passes over empty bins and believes low ones too much: σ comes \
                      out small, by about 1 to 2 % with 60 to 200 pixels";

const LEFT_EDGE: &str = "the window is centred on the left edge of the highest bin (spec 02 §3.4), so it cuts the upper tail more than the \
     lower one: μ lies low by about 0.015 σ with 10 MAD";

fn cases(extent: Extent) -> Vec<Case> {
    let base = json!({"rows": 20, "active_cols": 40, "prescan_cols": 4, "overscan_cols": 60, "skips": 400, "averaged": true,
        "lambda_image": 0.0, "pedestal": {"row_rms": 5.0, "row_drift": 20.0}});
    let case = |label: &str, simulate: Value, block: Value| {
        let process = chain(&[("CompressSkipperProcess", json!({})), ("PedestalSubtractionProcess", block)]);
        Case::new(label, merged(&base, simulate), process, rows)
    };
    let mut cases = vec![
        case("mean, 60 overscan columns", json!({}), json!({"method": "mean", "use_mad": false})),
        case("median, 60 overscan columns", json!({}), json!({"method": "median", "use_mad": false})),
    ];
    let fit = json!({"method": "gauss_fit", "hist_nbins_method": "freedman"});
    cases.push(case("Gaussian fit, 200 columns", json!({"overscan_cols": 200}), fit.clone()));
    if extent == Extent::Full {
        cases.extend([
            case(
                "median and MAD, 1000 columns",
                json!({"overscan_cols": 1000, "rows": 10}),
                json!({"method": "median", "use_mad": true}),
            ),
            case(
                "mean, σ₁ 10 e⁻, gain 2",
                json!({"gain": 2.0, "noise": {"sigma1": 10.0}}),
                json!({"method": "mean", "use_mad": false}),
            ),
            case("Gaussian fit, 60 columns", json!({}), fit.clone()),
            case("Gaussian fit, 1000 columns", json!({"overscan_cols": 1000, "rows": 10}), fit),
            case(
                "window of 10 MAD, 200 columns",
                json!({"overscan_cols": 200}),
                json!({"method": "gauss_fit_window", "n_sigma_win_fit": 10}),
            ),
            case(
                "active region, median",
                json!({"active_cols": 200}),
                json!({"method": "median", "use_mad": false, "in_overscan": false}),
            ),
        ]);
    }
    if extent == Extent::Full {
        let process = chain(&[
            ("CompressSkipperProcess", json!({})),
            (
                "PedestalSubtractionProcess",
                json!({"method": "median", "use_mad": false, "in_rawskipimage": true, "n_sigma_to_mask": -1}),
            ),
        ]);
        let simulate = merged(&base, json!({"skips": 40, "averaged": false}));
        cases.push(Case::new("median skip by skip, 60 columns, 40 skips", simulate, process, skip_by_skip));
    }
    let columns = chain(&[
        ("CompressSkipperProcess", json!({})),
        (
            "PedestalSubtractionProcess",
            json!({"method": "median", "use_mad": false, "axis": "col", "in_overscan": false}),
        ),
    ]);
    let simulate = merged(
        &base,
        json!({"rows": 100, "active_cols": 20, "overscan_cols": 6, "pedestal": {"row_rms": 0.0, "row_drift": 0.0, "col_rms": 5.0}}),
    );
    cases.push(Case::new("columns, median of 100 rows", simulate, columns, self::columns));
    for case in &mut cases {
        case.by_design.extend(known(&case.label));
    }
    cases
}

/// How far off the fits of small histograms are, by the number of pixels of a row.
fn known(label: &str) -> Vec<ByDesign> {
    let level = |mean, width| ByDesign::new(ROW, mean, width, DROPPED_MAXIMUM);
    let sigma = |mean, width| ByDesign::new(FITTED_SIGMA, mean, width, NEYMAN);
    match label {
        "Gaussian fit, 60 columns" => {
            // some of the fits of 60 pixels rest on a limit
            let sigma = sigma([-0.12, -0.04], [1.08, 1.18]).missing(0.04);
            vec![level([-0.18, -0.1], [1.06, 1.14]), sigma]
        }
        "Gaussian fit, 200 columns" => {
            vec![level([-0.09, -0.03], [1.08, 1.13]), sigma([-0.27, -0.2], [1.1, 1.18])]
        }
        "Gaussian fit, 1000 columns" => {
            vec![level([-0.08, 0.0], [1.05, 1.12]), sigma([-0.65, -0.54], [1.13, 1.22])]
        }
        "window of 10 MAD, 200 columns" => {
            vec![ByDesign::new(ROW, [-0.25, -0.18], [1.05, 1.11], LEFT_EDGE)]
        }
        _ => Vec::new(),
    }
}

fn rows(image: &Analysed, findings: &mut Findings) -> Result<(), String> {
    let amplifier = image.amplifier();
    let product = image.raw.products.get_for::<Pedestal>(&amplifier.name).ok_or("there is no pedestal")?;
    let axis = product.axes.first().ok_or("there is no pedestal")?;
    let truth = image.truth.list("L", "pedestal_rows")?;
    let sigma = image.sigma_average(0);
    let method = facts(image);
    let pixels = if method.overscan { amplifier.overscan.cols.len() } else { amplifier.active.cols.len() };
    let (mean_std, std_error) = expected_dispersion(pixels);
    let widening = if method.variance.is_some() { student(pixels) } else { 1.0 };
    for row in 0..truth.len() {
        findings.compare(ROW, axis.mu[row], truth[row], axis.mu_error[row] * widening);
        match method.sigma {
            RowSigma::StandardDeviation => {
                findings.compare(SIGMA, axis.sigma[row], sigma * mean_std, sigma * std_error)
            }
            RowSigma::Fitted => findings.compare(FITTED_SIGMA, axis.sigma[row], sigma, axis.sigma_error[row]),
            RowSigma::Other => {}
        }
    }
    if let (true, Some(k)) = (method.overscan, method.variance) {
        noise_left(image, findings, sigma, k)?;
    }
    Ok(())
}

/// The width of the active pixels after the subtraction of an estimate whose variance is `k` times that of the mean.
fn noise_left(image: &Analysed, findings: &mut Findings, sigma: f64, k: f64) -> Result<(), String> {
    let amplifier = image.amplifier();
    let left = image.raw.image("mean_compressed_pedestal_subtracted").map_err(|e| e.to_string())?;
    let active: Vec<f64> = amplifier.active.view(left).iter().copied().collect();
    let n_os = amplifier.overscan.cols.len() as f64;
    // Pixels of a row share the error of its pedestal: the sum of squares fluctuates by both.
    let (n, rows) = (active.len() as f64, amplifier.active.rows.len() as f64);
    let (own, shared) = (sigma * sigma, k * sigma * sigma / n_os);
    let width = (own + shared).sqrt();
    let error = (2.0 * own * own / n + 2.0 * shared * shared / rows + 4.0 * own * shared / n).sqrt() / (2.0 * width);
    let square = active.iter().map(|x| x * x).sum::<f64>() / n;
    findings.compare(LEFT, square.sqrt(), width, error);
    Ok(())
}

/// Each skip has its own pedestal: the mean of the medians has the error of a median of as many averaged pixels, and the
/// dispersion is that of single samples.
fn skip_by_skip(image: &Analysed, findings: &mut Findings) -> Result<(), String> {
    let amplifier = image.amplifier();
    let product = image.raw.products.get_for::<Pedestal>(&amplifier.name).ok_or("there is no pedestal")?;
    let axis = product.axes.first().ok_or("there is no pedestal")?;
    let sigma = image.sigma_average(0);
    let skips = image.setup.geometry.skips as f64;
    let (mean_std, std_error) = expected_dispersion(amplifier.overscan.cols.len());
    for (row, truth) in image.truth.list("L", "pedestal_rows")?.into_iter().enumerate() {
        findings.compare(ROW, axis.mu[row], truth, axis.mu_error[row]);
        findings.compare(SIGMA, axis.sigma[row], sigma * skips.sqrt() * mean_std, sigma * std_error);
    }
    noise_left(image, findings, sigma, MEDIAN_VARIANCE)
}

/// Expectation and standard deviation of the standard deviation (divided by n) of n normal numbers of width 1.
fn expected_dispersion(pixels: usize) -> (f64, f64) {
    let n = pixels as f64;
    let mean = (2.0 / n).sqrt() * (ln_gamma(0.5 * n) - ln_gamma(0.5 * (n - 1.0))).exp();
    (mean, ((n - 1.0) / n - mean * mean).sqrt())
}

/// What the settings of the process imply.
struct MethodFacts {
    overscan: bool,
    /// Variance of the estimate over that of the mean, where it is known.
    variance: Option<f64>,
    /// What the dispersion of a row is.
    sigma: RowSigma,
}

enum RowSigma {
    StandardDeviation,
    Fitted,
    /// MAD, or the moments of a window.
    Other,
}

fn facts(image: &Analysed) -> MethodFacts {
    let card = |key: &str| {
        let card = image.raw.report.cards.iter().find(|c| c.keyword == key);
        card.map(|c| c.value.to_text()).unwrap_or_default()
    };
    let method = card("PSFUNC");
    MethodFacts {
        overscan: card("PSOVS") == "1",
        variance: match method.as_str() {
            "mean" => Some(1.0),
            "median" => Some(MEDIAN_VARIANCE),
            _ => None,
        },
        sigma: match (method.as_str(), card("PSMAD").as_str()) {
            ("gaus_fit", _) => RowSigma::Fitted,
            ("mean" | "median", "0") => RowSigma::StandardDeviation,
            _ => RowSigma::Other,
        },
    }
}

fn columns(image: &Analysed, findings: &mut Findings) -> Result<(), String> {
    let amplifier = image.amplifier();
    let product = image.raw.products.get_for::<Pedestal>(&amplifier.name).ok_or("there is no pedestal")?;
    let axis = product.axes.iter().find(|a| a.axis == Axis::Col).ok_or("there is no pedestal of columns")?;
    let base = image.setup.config.pedestal.base;
    for (col, truth) in image.truth.list("L", "pedestal_cols")?.into_iter().enumerate() {
        findings.compare(COLUMN, axis.mu[col], base + truth, axis.mu_error[col] * student(image.setup.geometry.rows()));
    }
    Ok(())
}
