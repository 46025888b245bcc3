//! AddBKGComponent: dark current and clusters that are added, and dark current that is found again.

use ndarray::Array2;
use serde_json::{Value, json};

use super::super::case::{Analysed, Case, Findings, Quantity, chain};
use super::super::{Extent, Study};
use crate::image::Amplifier;
use crate::process::analysis::fit_dark_current::DarkCurrentFit;

const LEVEL: &str = "dark current added";
const SLOPE: &str = "slope of the dark current added";
const PLACE: &str = "mean row of the clusters added";
const CHARGE: &str = "mean charge of the clusters added";
const FOUND: &str = "dark current found";

pub(super) const STUDY: Study = Study {
    name: "add_background",
    title: "AddBKGComponent: dark current and clusters added",
    quantities: &[
        Quantity::with_expected_error(
            LEVEL,
            "e-/pix",
            "mean of what was added against (slope·r + intercept)/4; √(mean/n)",
        ),
        Quantity::with_expected_error(SLOPE, "e-/pix/row", "least squares over the row means against slope/4"),
        Quantity::with_expected_error(PLACE, "rows", "density 0.0050 + 0.0040 u along the rows, u from 0 to 1"),
        Quantity::with_expected_error(CHARGE, "e-", "against the middle of the range; width of the range/√(12 n)"),
        Quantity::with_own_error(FOUND, "e-/pix", "FitDarkCurrentProcess after the addition, against the sum of both"),
    ],
    cases,
};

/// Gain of the simulation, ADU/e⁻.
const GAIN: f64 = 10.0;
const IMAGE: &str = "mean_compressed_pedestal_subtracted_e";
/// `params` of a dark current that grows: slope per row and intercept, four times what a pixel gets.
const LINE: [f64; 2] = [0.02, 0.8];
/// Clusters per amplifier and their charges, e⁻.
const CLUSTERS: usize = 300;
const CHARGES: [f64; 2] = [2.0, 6.0];
/// Mean electrons of a pixel, simulated and added.
const DARK: [f64; 2] = [0.1, 0.2];

fn cases(extent: Extent) -> Vec<Case> {
    let (rows, cols) = if extent == Extent::Fast { (40, 80) } else { (100, 200) };
    let simulate = |layout: &str, lambda: f64| {
        json!({"layout": layout, "rows": rows, "active_cols": cols, "prescan_cols": 4, "overscan_cols": 60, "skips": 400, "averaged": true,
            "gain": GAIN, "noise": {"sigma1": 3.0}, "lambda_image": lambda})
    };
    let with = |block: Value, more: &[(&str, Value)]| {
        let mut steps = vec![
            ("CompressSkipperProcess", json!({})),
            ("PedestalSubtractionProcess", json!({"method": "median", "use_mad": false})),
            ("CalibrationProcess", json!({"gain": GAIN})),
            ("AddBKGComponent", block),
        ];
        steps.extend(more.iter().cloned());
        chain(&steps)
    };
    let growing = with(json!({"image": IMAGE, "function": "dc", "params": LINE}), &[]);
    let clusters = with(
        json!({"image": IMAGE, "function": "linear", "Ncls": CLUSTERS, "Emin": CHARGES[0], "Emax": CHARGES[1]}),
        &[],
    );
    let fit = json!({"image": IMAGE, "method": "binned", "calibration": 1.0, "n_peaks": 6, "x_min": -1.0, "x_max": 5.5,
        "binning_size": 0.05, "dc_min": 1e-4, "dc_max": 10.0, "gain_min": 0.5, "gain_max": 2.0, "sigma_max": 1.0});
    let constant = with(
        json!({"image": IMAGE, "function": "dc", "params": [0.0, 4.0 * DARK[1]]}),
        &[("FitDarkCurrentProcess", fit)],
    );
    vec![
        Case::new("dark current growing with the row, two amplifiers", simulate("dual", 0.0), growing, dark_current),
        Case::new("clusters of 2 to 6 e⁻, two amplifiers", simulate("dual", 0.0), clusters, self::clusters),
        Case::new("0.2 e⁻ added to 0.1 e⁻", simulate("single", DARK[0]), constant, found),
    ]
}

/// What was added to the active region of an amplifier; an error if anything was added elsewhere.
fn added(image: &Analysed, amplifier: &Amplifier) -> Result<Array2<f64>, String> {
    let with = image.raw.image(IMAGE).map_err(|e| e.to_string())?;
    let without = image.raw.image(&format!("{IMAGE}_woExtraDC")).map_err(|e| e.to_string())?;
    let difference = with - without;
    let outside = amplifier.full.view(&difference).iter().filter(|d| **d != 0.0).count();
    let inside = amplifier.active.view(&difference).iter().filter(|d| **d != 0.0).count();
    match outside == inside {
        true => Ok(amplifier.active.view(&difference).to_owned()),
        false => Err("something was added outside of the active region".into()),
    }
}

fn dark_current(image: &Analysed, findings: &mut Findings) -> Result<(), String> {
    for (amplifier, ..) in image.amplifiers() {
        let added = added(image, amplifier)?;
        let (rows, cols) = added.dim();
        let mean = |row: usize| (LINE[0] * row as f64 + LINE[1]) / 4.0;
        let expected = (0..rows).map(mean).sum::<f64>() / rows as f64;
        findings.compare(LEVEL, added.sum() / added.len() as f64, expected, (expected / added.len() as f64).sqrt());
        let centre = 0.5 * (rows as f64 - 1.0);
        let (mut slope, mut spread, mut variance) = (0.0, 0.0, 0.0);
        for (row, line) in added.rows().into_iter().enumerate() {
            let x = row as f64 - centre;
            slope += x * line.sum() / cols as f64;
            spread += x * x;
            variance += x * x * mean(row) / cols as f64;
        }
        findings.compare(SLOPE, slope / spread, LINE[0] / 4.0, variance.sqrt() / spread);
    }
    Ok(())
}

fn clusters(image: &Analysed, findings: &mut Findings) -> Result<(), String> {
    for (amplifier, ..) in image.amplifiers() {
        let added = added(image, amplifier)?;
        let rows = added.nrows();
        // probability of a row: the density integrated from u = row/rows to (row + 1)/rows
        let below = |row: usize| {
            let u = row as f64 / rows as f64;
            (0.0050 * u + 0.0020 * u * u) / 0.0070
        };
        let moment = |k: i32| (0..rows).map(|r| (below(r + 1) - below(r)) * (r as f64).powi(k)).sum::<f64>();
        let (mean, square) = (moment(1), moment(2));
        // weights are the charges, which are drawn independently of the rows: the variance grows by ⟨q²⟩/⟨q⟩²
        let middle = 0.5 * (CHARGES[0] + CHARGES[1]);
        let width = (CHARGES[1] - CHARGES[0]) / 12_f64.sqrt();
        let n = CLUSTERS as f64;
        let total = added.sum();
        let found = added.indexed_iter().map(|((row, _), q)| row as f64 * q).sum::<f64>() / total;
        let widening = 1.0 + (width / middle).powi(2);
        findings.compare(PLACE, found, mean, ((square - mean * mean) * widening / n).sqrt());
        findings.compare(CHARGE, total / n, middle, width / n.sqrt());
    }
    Ok(())
}

fn found(image: &Analysed, findings: &mut Findings) -> Result<(), String> {
    let fit = image.raw.products.get_for::<DarkCurrentFit>(&image.amplifier().name).ok_or("there is no fit")?;
    match fit.fit.direct.filter(|_| fit.is_usable()) {
        Some(direct) => findings.compare(FOUND, direct.electrons.value, DARK[0] + DARK[1], direct.electrons.error),
        None => findings.missing(FOUND),
    }
    Ok(())
}
