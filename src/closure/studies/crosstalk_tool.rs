//! `panaSKImg crosstalk`: coefficients of a module of four channels whose cross-talk is known.

use serde_json::{Value, json};

use super::super::case::{Analysed, ByDesign, Case, Findings, Quantity, chain};
use super::super::{Extent, Study};
use crate::workbench::crosstalk::measure::{Settings, measure};
use crate::workbench::crosstalk::module::{Channel, Frame, Module, seeds};

const ALPHA: &str = "coefficient";
const NULL: &str = "null coefficient";
const INSIDE_68: &str = "truth inside 68 %";
const INSIDE_95: &str = "truth inside 95 %";

pub(super) const STUDY: Study = Study {
    name: "crosstalk_matrix",
    title: "panaSKImg crosstalk: coefficients between the channels of a module",
    quantities: &[
        Quantity::with_own_error(ALPHA, "", "all 12 pairs against the simulated matrix; bootstrapped standard error"),
        Quantity::with_own_error(NULL, "", "at random places, against 0; bootstrapped standard error"),
        Quantity::with_expected_error(
            INSIDE_68,
            "pairs",
            "pairs of an image whose 68 % interval holds the truth; binomial",
        ),
        Quantity::with_expected_error(INSIDE_95, "pairs", "the same with the 95 % interval"),
    ],
    cases,
};

const FLUCTUATING: &str = "the bootstrapped standard error of a median of 80 values is itself uncertain by a seventh, which widens pulls by 2 to 5 %";

const CHANNELS: usize = 4;
/// Gain, ADU/e⁻.
const GAIN: f64 = 1.35;

/// Seeds in each channel (rows × columns of a grid), noise (e⁻).
fn cases(extent: Extent) -> Vec<Case> {
    let settings: &[(usize, usize, f64)] = match extent {
        Extent::Fast => &[(8, 10, 0.16)],
        Extent::Full => &[(8, 10, 0.16), (8, 10, 0.5), (16, 20, 0.16)],
    };
    settings
        .iter()
        .map(|&(down, across, noise)| {
            let matrix: Vec<Vec<f64>> = (0..CHANNELS)
                .map(|dst| (0..CHANNELS).map(|src| if dst == src { 0.0 } else { coefficient(dst, src) }).collect())
                .collect();
            let simulate = json!({"layout": "acm", "rows": 4 * down + 4, "active_cols": 4 * across + 4, "prescan_cols": 4,
                "overscan_cols": 600, "skips": 400, "averaged": true, "gain": GAIN, "noise": {"sigma1": 20.0 * noise}, "lambda_image": 2e-4,
                "crosstalk": matrix, "sources": [{"type": "pixels", "list": bright(down, across)}]});
            let process = chain(&[
                ("CompressSkipperProcess", json!({})),
                ("PedestalSubtractionProcess", json!({"method": "median", "use_mad": false})),
                ("CalibrationProcess", json!({"gain": GAIN})),
                (
                    "ClusterFinder",
                    json!({"absolute_threshold": 50, "absolute_threshold_unit": "e", "get_fitted_STD": false}),
                ),
                ("BuildClusterMask", json!({"cluster_size_min": 1, "add_cluster_id": true})),
            ]);
            let case = Case::together(format!("{} seeds, σ {noise} e⁻", down * across), simulate, process, compare);
            let mut case = case;
            for name in [ALPHA, NULL] {
                case = case.by_design(ByDesign::new(name, [0.0, 0.0], [1.0, 1.05], FLUCTUATING));
            }
            case
        })
        .collect()
}

/// The simulated coefficients: of both signs, up to 4·10⁻⁴.
fn coefficient(dst: usize, src: usize) -> f64 {
    1e-4 * [[0.0, 4.0, -1.0, 0.5], [-2.0, 0.0, 3.0, -0.3], [1.5, -4.0, 0.0, 2.0], [0.0, 0.2, -3.0, 0.0]][dst][src]
}

/// One bright pixel per channel in every square of 4 × 4 pixels, at different places; charges from 500 to 4500 e⁻.
fn bright(down: usize, across: usize) -> Vec<Value> {
    let mut list = Vec::new();
    for ext in 0..CHANNELS {
        for (row, col) in (0..down).flat_map(|r| (0..across).map(move |c| (r, c))) {
            let k = row * across + col;
            let charge = 500 + (k * 977 + ext * 331) % 4000;
            // rows 0 and 2 of the square, columns 0 and 2: no two are neighbours
            list.push(json!([ext, 4 * row + 2 * (ext / 2), 4 + 4 * col + 2 * (ext % 2), charge]));
        }
    }
    list
}

fn compare(extensions: &[Analysed], findings: &mut Findings) -> Result<(), String> {
    let (mut images, mut found) = (Vec::new(), Vec::new());
    for extension in extensions {
        let image = |name: &str| extension.raw.image(name).map_err(|e| e.to_string());
        images.push(image("mean_compressed_pedestal_subtracted_e")?.clone());
        found.push(seeds(image("mask_clusters_ids")?));
    }
    let channels = (0..CHANNELS).map(|n| Channel { label: format!("CH{n}"), number: n + 1 }).collect();
    let module = Module { channels, frames: vec![Frame { images, seeds: found }] };
    let index = extensions.first().map_or(0, |e| e.index);
    let matrix = measure(&module, &Settings { seed: index, bootstrap: 2000, ..Settings::default() });
    let (mut pairs, mut inside_68, mut inside_95) = (0.0, 0.0, 0.0);
    for (dst, src, c) in matrix.pairs() {
        let inside = |(lo, hi): (f64, f64)| f64::from(u8::from((lo..=hi).contains(&coefficient(dst, src))));
        pairs += 1.0;
        inside_68 += inside(c.p68);
        inside_95 += inside(c.p95);
        findings.compare(ALPHA, c.alpha, coefficient(dst, src), c.error);
        findings.compare(NULL, c.null, 0.0, c.null_error);
    }
    for (quantity, found, p) in [(INSIDE_68, inside_68, 0.68), (INSIDE_95, inside_95, 0.95)] {
        findings.compare(quantity, found, pairs * p, f64::sqrt(pairs * p * (1.0 - p)));
    }
    Ok(())
}
