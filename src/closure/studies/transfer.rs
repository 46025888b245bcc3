//! EvalCTIProcess: single electrons that trail bright pixels, from a known charge-transfer inefficiency. On the way:
//! BuildClusterMask masks the pixels of the particles.

use serde_json::{Value, json};

use super::super::case::{Analysed, Case, Findings, Quantity, chain};
use super::super::{Extent, Study};
use crate::stats::distributions::{normal_interval, poisson_probability};

const BEHIND_ROWS: &str = "rate behind a pixel of the row";
const BEHIND_COLUMNS: &str = "rate behind a pixel of the column";

pub(super) const STUDY: Study = Study {
    name: "transfer",
    title: "EvalCTIProcess: single electrons behind bright pixels",
    quantities: &[
        Quantity::with_own_error(
            BEHIND_ROWS,
            "1/pixel",
            "pixels of 0.75 to 1.5 e- next to a pixel of Q e- against P(1; Q·cti) times the part of the noise inside",
        ),
        Quantity::with_own_error(BEHIND_COLUMNS, "1/pixel", "as behind rows, with the vertical inefficiency"),
    ],
    cases,
};

/// Charge of the bright pixels, e⁻, and counted charges.
const BRIGHT: u32 = 2000;
const RANGE: [f64; 2] = [0.75, 1.5];

fn cases(extent: Extent) -> Vec<Case> {
    // every tenth row and column, far from each other
    let places: Vec<Value> =
        (0..12).flat_map(|r| (0..8).map(move |c| json!([5 + 10 * r, 9 + 10 * c, BRIGHT]))).collect();
    let settings: &[(f64, f64)] = match extent {
        Extent::Fast => &[(2e-4, 3e-4)],
        Extent::Full => &[(2e-4, 3e-4), (5e-4, 1e-4)],
    };
    settings
        .iter()
        .map(|&(horizontal, vertical)| {
            let simulate = json!({"rows": 124, "active_cols": 86, "prescan_cols": 4, "overscan_cols": 60, "skips": 400,
                "averaged": true, "gain": 5.0, "noise": {"sigma1": 2.4}, "lambda_image": 0.0, "adc_bits": 24,
                "cti_h": horizontal, "cti_v": vertical, "sources": [{"type": "pixels", "list": places}]});
            let process = chain(&[
                ("CompressSkipperProcess", json!({})),
                ("PedestalSubtractionProcess", json!({"method": "median", "use_mad": false})),
                ("CalibrationProcess", json!({"gain": 5.0})),
                (
                    "ClusterFinder",
                    json!({"absolute_threshold": 20, "absolute_threshold_unit": "e", "get_fitted_STD": false}),
                ),
                ("BuildClusterMask", json!({"cluster_size_min": 1, "cluster_E_min": 100})),
                ("EvalCTIProcess", json!({"HCTI": [3, 1], "VCTI": [3, 1], "Qrange_e": RANGE})),
            ]);
            Case::new(format!("cti {horizontal} along rows, {vertical} along columns"), simulate, process, compare)
        })
        .collect()
}

fn compare(image: &Analysed, findings: &mut Findings) -> Result<(), String> {
    let name = &image.amplifier().name;
    let sigma = image.sigma_average(0) / image.setup.gain[0];
    // one electron inside the range; two electrons hardly
    let accepted = |n: f64| normal_interval((RANGE[0] - n) / sigma, (RANGE[1] - n) / sigma);
    let config = &image.setup.config;
    for (quantity, key, cti, other) in [
        (BEHIND_ROWS, "hcti_rate_1_pixels", config.cti_h, config.cti_v),
        (BEHIND_COLUMNS, "vcti_rate_1_pixels", config.cti_v, config.cti_h),
    ] {
        let (rate, error) = image.measurement(key, name).ok_or_else(|| format!("`{key}` is not measured"))?;
        // what is left behind is binomial, next to Poisson at these fractions; some of it stays behind once more, and
        // some of the bright pixel is lost to the other direction first
        let mean = f64::from(BRIGHT) * cti * (1.0 - cti) * (1.0 - other);
        let truth: f64 = (0..4).map(|n| poisson_probability(n, mean) * accepted(n as f64)).sum();
        findings.compare(quantity, rate, truth, error);
    }
    let mask = &image.raw.masks.get("mask_clusters_only").ok_or("there is no mask of the clusters")?.pixels;
    let bright = image.truth.image("CHARGE")?;
    match bright.indexed_iter().find(|((row, col), q)| **q > 100.0 && !mask[[*row, *col]]) {
        Some(((row, col), q)) => Err(format!("pixel [{row}, {col}] with {q} electrons is not masked")),
        None => Ok(()),
    }
}
