//! FitDarkCurrentPerRow and FitDarkCurrentPerCol: dark current that grows along the rows, and hot columns.

use serde_json::json;

use super::super::case::{Analysed, Case, Findings, Quantity, chain};
use super::super::{Extent, Study};
use crate::process::analysis::fit_dark_current_slices::{PerColFits, PerRowFits};

const SLOPE: &str = "slope along the rows";
const GROUP: &str = "dark current of a group of rows";
const COLUMN: &str = "dark current of a column";
const HOT: &str = "dark current of a hot column";

pub(super) const STUDY: Study = Study {
    name: "slices",
    title: "FitDarkCurrentPerRow, FitDarkCurrentPerCol: dark current along the axes",
    quantities: &[
        Quantity::with_own_error(SLOPE, "e-/pix/row", "of the straight line against R t_row/86400"),
        Quantity::with_own_error(GROUP, "e-/pix", "every group against the mean of its rows"),
        Quantity::with_own_error(COLUMN, "e-/pix", "every column against the Poisson mean"),
        Quantity::with_own_error(HOT, "e-/pix", "every hot column against the Poisson mean with its extra charge"),
    ],
    cases,
};

/// Gain of the simulation, ADU/e⁻.
const GAIN: f64 = 10.0;

fn cases(extent: Extent) -> Vec<Case> {
    let (rows, cols) = if extent == Extent::Fast { (50, 60) } else { (100, 200) };
    // 0 to 0.6 e⁻ from the first row to the last
    let line = 4.0 + cols as f64 + 60.0;
    let t_row = line * 400.0 * 4e-5;
    let rate = 0.6 * 86_400.0 / (rows as f64 * t_row);
    let methods: &[&str] = if extent == Extent::Fast { &["unbinned"] } else { &["unbinned", "binned"] };
    let mut cases: Vec<Case> = methods
        .iter()
        .map(|method| {
            let simulate = json!({"rows": rows, "active_cols": cols, "prescan_cols": 4, "overscan_cols": 60, "skips": 400, "averaged": true,
                "gain": GAIN, "noise": {"sigma1": 3.0}, "dark_current": rate});
            let process = chain(&[
                ("CompressSkipperProcess", json!({})),
                ("PedestalSubtractionProcess", json!({"method": "median", "use_mad": false})),
                ("FitDarkCurrentPerRow", json!({"method": method, "row_step": 10, "calibration": GAIN, "n_peaks": 6})),
            ]);
            Case::new(format!("groups of 10 rows, {method}"), simulate, process, along_rows)
        })
        .collect();
    let rows = if extent == Extent::Fast { 200 } else { 400 };
    let simulate = json!({"rows": rows, "active_cols": 12, "prescan_cols": 0, "overscan_cols": 60, "skips": 400, "averaged": true,
        "gain": GAIN, "noise": {"sigma1": 3.0}, "lambda_image": 0.3, "hot_cols": [{"col": 5, "lambda": 0.8}]});
    let process = chain(&[
        ("CompressSkipperProcess", json!({})),
        ("PedestalSubtractionProcess", json!({"method": "median", "use_mad": false})),
        (
            "FitDarkCurrentPerCol",
            json!({"method": "unbinned", "col_step": 1, "calibration": GAIN, "n_peaks": 8, "col_end": 12}),
        ),
    ]);
    cases.push(Case::new("single columns, one hot", simulate, process, along_columns));
    cases
}

fn along_rows(image: &Analysed, findings: &mut Findings) -> Result<(), String> {
    let name = &image.amplifier().name;
    let PerRowFits(result) = image.raw.products.get_for(name).ok_or("there are no fits")?;
    let per_row = image.setup.config.dark_current * image.setup.t_row / 86_400.0;
    match result.trends.first().and_then(Option::as_ref) {
        Some(line) if line.coefficients.len() > 1 => {
            findings.compare(SLOPE, line.coefficients[1], per_row, line.error(1))
        }
        _ => findings.missing(SLOPE),
    }
    for group in &result.fits {
        if !group.trusts(&group.dc) {
            findings.missing(GROUP);
            continue;
        }
        let rows = group.lines.clone();
        let truth = rows.clone().map(|row| image.setup.lambda(row)).sum::<f64>() / rows.len() as f64;
        findings.compare(GROUP, group.dc.value, truth, group.dc.error_with_covariance);
    }
    Ok(())
}

fn along_columns(image: &Analysed, findings: &mut Findings) -> Result<(), String> {
    let name = &image.amplifier().name;
    let PerColFits(result) = image.raw.products.get_for(name).ok_or("there are no fits")?;
    let config = &image.setup.config;
    for group in &result.fits {
        let hot = config.hot_cols.iter().find(|h| (h.col..h.col + h.width).contains(&group.lines.start));
        let quantity = if hot.is_some() { HOT } else { COLUMN };
        if !group.trusts(&group.dc) {
            findings.missing(quantity);
            continue;
        }
        let truth = config.lambda_image.unwrap_or(f64::NAN) + hot.map_or(0.0, |h| h.lambda);
        findings.compare(quantity, group.dc.value, truth, group.dc.error_with_covariance);
    }
    Ok(())
}
