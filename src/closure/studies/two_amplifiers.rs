//! Two amplifiers: TwoDGaussProcess, and the chain of each side on its own.

use serde_json::json;

use super::super::case::{Analysed, ByDesign, Case, Findings, Quantity, chain};
use super::super::{Extent, Study};
use super::MEDIAN_VARIANCE;
use crate::process::analysis::fit_dark_current::DarkCurrentFit;
use crate::process::analysis::two_d_gauss::{NAMES, PairFit};

const LAMBDA: &str = "dark current";
const GAIN: &str = "gain";
const SIGMA: &str = "noise";
const SIDE: &str = "gain of one side";

pub(super) const STUDY: Study = Study {
    name: "two_amplifiers",
    title: "TwoDGaussProcess, and FitDarkCurrentProcess of amplifiers U and L",
    quantities: &[
        Quantity::with_own_error(LAMBDA, "e-/pix", "both sides against the Poisson mean"),
        Quantity::with_own_error(GAIN, "ADU/e-", "both sides against their gains"),
        Quantity::with_own_error(
            SIGMA,
            "ADU",
            "both sides against √(σ_N²(1+π/(2n_os)) + w²/12): the model is taken at the centres of bins of width w",
        ),
        Quantity::with_own_error(SIDE, "ADU/e-", "FitDarkCurrentProcess, both sides against their gains"),
    ],
    cases,
};

/// Gains of L and U, ADU/e⁻.
const GAINS: [f64; 2] = [7.0, 6.0];

/// Bins of the histogram of pairs, ADU.
const BIN: f64 = 0.5;
const NEYMAN: &str = "Neyman's χ² passes over empty bins, of which the histogram of pairs has many: λ is low by about 1.5 of its errors; \
     use the letter L";

/// An independent Monte Carlo (40 images of 10 000 pairs, another minimiser) gives mean pulls of −1.64 ± 0.15 (λ), +0.13 ± 0.14
/// (gain) and −1.85 ± 0.12 (σ), widths 1.3, 1.3 and 1.1.
const NEYMAN_BOUNDS: [ByDesign; 3] = [
    ByDesign::new(LAMBDA, [-1.85, -1.4], [1.05, 1.4], NEYMAN),
    ByDesign::new(GAIN, [-0.1, 0.3], [1.0, 1.35], NEYMAN),
    ByDesign::new(SIGMA, [-2.0, -1.6], [0.95, 1.2], NEYMAN),
];

fn cases(extent: Extent) -> Vec<Case> {
    let (rows, cols) = if extent == Extent::Fast { (30, 80) } else { (100, 200) };
    let simulate = json!({"layout": "dual", "rows": rows, "active_cols": cols, "prescan_cols": 4, "overscan_cols": 60, "skips": 400,
        "averaged": true, "gain": GAINS, "noise": {"sigma1": 3.4}, "lambda_image": 0.1});
    let pedestal = [
        ("CompressSkipperProcess", json!({})),
        ("PedestalSubtractionProcess", json!({"method": "median", "use_mad": false})),
    ];
    let sides = json!({"method": "binned", "calibration": {"L": GAINS[0], "U": GAINS[1]}, "n_peaks": 6, "x_min": -7.0, "x_max": 33.0, "dc_max": 100.0});
    let mut one = pedestal.to_vec();
    one.push(("FitDarkCurrentProcess", sides));
    let mut cases = vec![Case::new("each side alone, binned", simulate.clone(), chain(&one), each_side)];
    if extent == Extent::Full {
        for (label, options) in
            [("both sides together, likelihood (Q R L)", "Q R L"), ("both sides together, χ² (Q R)", "Q R")]
        {
            let mut two = pedestal.to_vec();
            two.push((
                "TwoDGaussProcess",
                json!({"theta": 0.0, "theta_range": [-20.0, 20.0], "dc_L": 0.1, "dc_U": 0.1, "sig_L": 1.2, "sig_U": 1.0,
                    "cal_L": 7.0, "cal_U": 6.0, "fit_opt": options, "NpX": 3, "NpY": 3, "q_min_ADU": -8.0,
                    "q_max_ADU": 25.0, "bin_size": BIN}),
            ));
            let case = Case::new(label, simulate.clone(), chain(&two), together);
            cases.push(match options {
                "Q R" => NEYMAN_BOUNDS.iter().fold(case, |case, bound| case.by_design(*bound)),
                _ => case,
            });
        }
    }
    cases
}

fn each_side(image: &Analysed, findings: &mut Findings) -> Result<(), String> {
    for (amplifier, number, _) in image.amplifiers() {
        let fit = image.raw.products.get_for::<DarkCurrentFit>(&amplifier.name).ok_or("there is no fit")?;
        match fit.is_usable() {
            true => findings.compare(SIDE, fit.gain(), image.setup.gain[number], fit.gain_error()),
            false => findings.missing(SIDE),
        }
    }
    Ok(())
}

fn together(image: &Analysed, findings: &mut Findings) -> Result<(), String> {
    let fit = image.raw.products.get::<PairFit>().ok_or("there is no fit")?;
    let value = |name: &str| {
        let k = NAMES.iter().position(|n| *n == name).unwrap_or(0);
        (fit.values[k], fit.errors[k])
    };
    let lambda = image.setup.config.lambda_image.unwrap_or(f64::NAN);
    for (amplifier, number, side) in image.amplifiers() {
        let sigma = image.sigma_average(number);
        let shared = MEDIAN_VARIANCE / amplifier.overscan.cols.len() as f64;
        let extra = (2.0 / amplifier.active.rows.len() as f64).sqrt() * shared * sigma / 2.0;
        let (dc, dc_error) = value(&format!("dc_{side}"));
        findings.compare(LAMBDA, dc, lambda, dc_error);
        let (gain, gain_error) = value(&format!("cal_{side}"));
        findings.compare(GAIN, gain, image.setup.gain[number], gain_error);
        let (width, width_error) = value(&format!("sig_{side}"));
        let truth = (sigma * sigma * (1.0 + shared) + BIN * BIN / 12.0).sqrt();
        findings.compare(SIGMA, width, truth, width_error.hypot(extra));
    }
    Ok(())
}
