//! EvalHaloProcess: single electrons in the region read before bright pixels, from dark current alone and from a halo of
//! known electrons.

use serde_json::{Value, json};

use super::super::case::{Analysed, Case, Findings, Quantity, chain};
use super::super::{Extent, Study};
use super::{MEDIAN_VARIANCE, student};
use crate::image::Side;
use crate::stats::distributions::{normal_interval, poisson_probability};

const NEAR: &str = "rates up to the first distance";
const FAR: &str = "rates up to the second distance";
const HALO: &str = "rates in a halo";

pub(super) const STUDY: Study = Study {
    name: "halo",
    title: "EvalHaloProcess: single electrons before bright pixels",
    quantities: &[
        Quantity::with_own_error(
            NEAR,
            "1/pixel",
            "sum of the three rates of pixels of 0.75 to 1.5 e- against 3 P(0.75 < q < 1.5), Poisson dark current with noise; errors \
             widened to Student's t, √((n−1)/(n−3))",
        ),
        Quantity::with_own_error(FAR, "1/pixel", "the same at twice the distance, or between the two"),
        Quantity::with_expected_error(
            HALO,
            "1/pixel",
            "bright pixels with one electron in each of three pixels before them (counted) and after them (not counted); the noise \
             decides which lie inside",
        ),
    ],
    cases,
};

/// Charge of the bright pixels, e⁻, and counted charges.
const BRIGHT: u32 = 500;
const RANGE: [f64; 2] = [0.75, 1.5];
/// Gain, ADU/e⁻.
const GAIN: f64 = 5.0;
/// Distances, pixels: the bright pixels are far enough from each other that no pixel is looked at twice.
const NEAREST: usize = 5;
const PITCH: usize = 12;
/// Single electrons of the halo: rows and columns before the bright pixel. One lies in each of the three parts.
const ELECTRONS: [(usize, usize); 3] = [(3, 0), (0, 4), (2, 3)];

fn cases(extent: Extent) -> Vec<Case> {
    let dark = |label: &str, layout: &str, cumulative: bool| {
        let simulate = simulation(layout, json!({"lambda_image": 0.3}), false);
        Case::new(label, simulate, process(cumulative), |image, findings| {
            image.amplifiers().try_for_each(|(amplifier, number, _)| {
                let expected = 3.0 * counted(image, number, 0.3, amplifier.overscan.cols.len());
                for (quantity, distance) in [(NEAR, NEAREST), (FAR, 2 * NEAREST)] {
                    let [rate, error, clusters] = rate(image, &amplifier.name, distance)?;
                    findings.compare(quantity, rate, expected, error * student(clusters as usize));
                }
                Ok(())
            })
        })
    };
    let halo = |label: &str, layout: &str| {
        Case::new(label, simulation(layout, json!({"lambda_image": 0.0}), true), process(true), with_halo)
    };
    let mut cases =
        vec![dark("dark current 0.3 e⁻, cumulative", "single", true), halo("halo of three electrons", "single")];
    if extent == Extent::Full {
        cases.extend([
            dark("dark current 0.3 e⁻, ring by ring", "single", false),
            dark("dark current 0.3 e⁻, two amplifiers", "dual", true),
            halo("halo of three electrons, two amplifiers", "dual"),
        ]);
    }
    cases
}

/// Columns of one amplifier: prescan, active, overscan.
const COLUMNS: [usize; 3] = [4, 86, 60];

fn simulation(layout: &str, more: Value, halo: bool) -> Value {
    let amplifiers = if layout == "dual" { 2 } else { 1 };
    let line: usize = COLUMNS.iter().sum();
    let mut list: Vec<Value> = Vec::new();
    for amplifier in 0..amplifiers {
        // the half of the second amplifier is the mirror image
        let stored = |col: usize| if amplifier == 0 { col } else { 2 * line - 1 - col };
        for (row, col) in (0..4).flat_map(|r| (0..6).map(move |c| (13 + PITCH * r, 17 + PITCH * c))) {
            list.push(json!([row, stored(col), BRIGHT]));
            for (rows, cols) in ELECTRONS.iter().filter(|_| halo) {
                list.push(json!([row - rows, stored(col - cols), 1]));
                // mirrored at the bright pixel: read after it
                list.push(json!([row + rows, stored(col + cols), 1]));
            }
        }
    }
    let mut simulate = json!({"layout": layout, "rows": 60, "active_cols": amplifiers * COLUMNS[1], "prescan_cols": COLUMNS[0],
        "overscan_cols": COLUMNS[2], "skips": 400, "averaged": true, "gain": GAIN, "noise": {"sigma1": 4.0},
        "sources": [{"type": "pixels", "list": list}]});
    simulate["lambda_image"] = more["lambda_image"].clone();
    simulate
}

fn process(cumulative: bool) -> Value {
    chain(&[
        ("CompressSkipperProcess", json!({})),
        ("PedestalSubtractionProcess", json!({"method": "median", "use_mad": false})),
        ("CalibrationProcess", json!({"gain": GAIN})),
        ("ClusterFinder", json!({"absolute_threshold": 20, "absolute_threshold_unit": "e", "get_fitted_STD": false})),
        ("EvalHaloProcess", json!({"radius": [2 * NEAREST + 1, NEAREST], "Qrange_e": RANGE, "cumulative": cumulative})),
    ])
}

/// Probability that a pixel with a Poisson number of electrons of this mean is counted; the noise holds the error of the
/// pedestals.
fn counted(image: &Analysed, number: usize, mean: f64, overscan: usize) -> f64 {
    let sigma =
        image.sigma_average(number) / image.setup.gain[number] * (1.0 + MEDIAN_VARIANCE / overscan as f64).sqrt();
    let inside = |n: f64| normal_interval((RANGE[0] - n) / sigma, (RANGE[1] - n) / sigma);
    (0..6).map(|n| poisson_probability(n, mean) * inside(n as f64)).sum()
}

/// Mean rate of an amplifier at a distance, its error, and the number of clusters.
fn rate(image: &Analysed, amplifier: &str, distance: usize) -> Result<[f64; 3], String> {
    let name = format!("EvalHaloProcess_rates_{amplifier}");
    let (_, table) = image.raw.report.tables.iter().find(|(_, t)| t.name == name).ok_or("there are no rates")?;
    let row = table.rows.iter().find(|row| row[0] == distance as f64).ok_or("the distance is not in the table")?;
    Ok([row[1], row[2], row[3]])
}

/// Every part has one electron among empty pixels: rate (a₁ + (n − 1)a₀)/n, with a_k the probability that a pixel of k
/// electrons is counted and n the number of pixels of the part.
fn with_halo(image: &Analysed, findings: &mut Findings) -> Result<(), String> {
    for (amplifier, number, _) in image.amplifiers() {
        let sigma = image.sigma_average(number) / image.setup.gain[number]
            * (1.0 + MEDIAN_VARIANCE / amplifier.overscan.cols.len() as f64).sqrt();
        let inside = |n: f64| normal_interval((RANGE[0] - n) / sigma, (RANGE[1] - n) / sigma);
        let (one, none) = (inside(1.0), inside(0.0));
        let [rate, _, clusters] = rate(image, &amplifier.name, NEAREST)?;
        if clusters != 24.0 {
            return Err(format!("{clusters} bright pixels of 24 were found (side {:?})", amplifier.side == Side::U));
        }
        let quadrant = (1..=NEAREST)
            .flat_map(|i| (1..=NEAREST).map(move |j| i * i + j * j))
            .filter(|squared| *squared <= NEAREST * NEAREST)
            .count();
        let (mut truth, mut variance) = (0.0, 0.0);
        for n in [NEAREST, NEAREST, quadrant].map(|n| n as f64) {
            truth += (one + (n - 1.0) * none) / n;
            variance += (one * (1.0 - one) + (n - 1.0) * none * (1.0 - none)) / (n * n);
        }
        findings.compare(HALO, rate, truth, (variance / clusters).sqrt());
    }
    Ok(())
}
