//! MeanPixelChargePerAxis and GaussianNoiseProcess: means of rows and columns, and noise that is added.

use serde_json::json;

use super::super::case::{Analysed, Case, Findings, Quantity, chain};
use super::super::{Extent, Study};
use crate::process::analysis::mean_pixel_charge_per_axis::ChargePerLine;
use crate::stats::robust::{Ddof, mean_and_std};

const ROW: &str = "mean of a row";
const COLUMN: &str = "mean of a column";
const ADDED: &str = "noise added";

pub(super) const STUDY: Study = Study {
    name: "lines",
    title: "MeanPixelChargePerAxis, GaussianNoiseProcess: means of rows and columns, added noise",
    quantities: &[
        Quantity::with_own_error(
            ROW,
            "ADU",
            "every row against its pedestal; errors widened to Student's t, √((n−1)/(n−3))",
        ),
        Quantity::with_own_error(COLUMN, "ADU", "every column against its pedestal; as the rows"),
        Quantity::with_expected_error(ADDED, "ADU", "width of all pixels against √(σ_N² + σ²); /√(2n)"),
    ],
    cases,
};

fn cases(extent: Extent) -> Vec<Case> {
    let simulate = json!({"rows": 60, "active_cols": 80, "prescan_cols": 4, "overscan_cols": 20, "skips": 100, "averaged": true,
        "gain": 5.0, "noise": {"sigma1": 3.0}, "lambda_image": 0.0});
    let axes: &[(&str, &str)] =
        if extent == Extent::Fast { &[("row", "mean")] } else { &[("row", "mean"), ("col", "mean")] };
    let mut cases: Vec<Case> = axes
        .iter()
        .map(|&(axis, function)| {
            let mut simulate = simulate.clone();
            simulate["pedestal"] = if axis == "row" { json!({"row_rms": 5.0}) } else { json!({"col_rms": 5.0}) };
            let process = chain(&[
                ("CompressSkipperProcess", json!({})),
                ("MeanPixelChargePerAxis", json!({"axis": axis, "function": function, "region": "active"})),
            ]);
            Case::new(format!("{function} per {axis}"), simulate, process, per_line)
        })
        .collect();
    let process = chain(&[("CompressSkipperProcess", json!({})), ("GaussianNoiseProcess", json!({"sigma": 2.0}))]);
    cases.push(Case::new("2 ADU added to 1.5 ADU", simulate, process, added));
    cases
}

fn per_line(image: &Analysed, findings: &mut Findings) -> Result<(), String> {
    let amplifier = image.amplifier();
    let found = image.raw.products.get_for::<ChargePerLine>(&amplifier.name).ok_or("there are no means")?;
    let config = &image.setup.config.pedestal;
    let columns = image.truth.list("L", "pedestal_cols")?;
    let rows = image.truth.list("L", "pedestal_rows")?;
    for (i, (&value, &error)) in found.values.iter().zip(&found.errors).enumerate() {
        let line = found.first + i;
        let n = found.pixels[i] as f64;
        let (name, truth) =
            if config.row_rms > 0.0 { (ROW, rows[line]) } else { (COLUMN, config.base + columns[line]) };
        findings.compare(name, value, truth, error * ((n - 1.0) / (n - 3.0)).sqrt());
    }
    Ok(())
}

fn added(image: &Analysed, findings: &mut Findings) -> Result<(), String> {
    let noisy = image.raw.image("mean_compressed_wgnoise").map_err(|e| e.to_string())?;
    let values: Vec<f64> = noisy.iter().copied().collect();
    let width = image.sigma_average(0).hypot(2.0);
    findings.compare(ADDED, mean_and_std(&values, Ddof::Sample).1, width, width / (2.0 * values.len() as f64).sqrt());
    Ok(())
}
