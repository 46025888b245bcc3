//! CorrectElectronicColumnTransient: amplitude and rate of the decay along the first columns.

use serde_json::json;

use super::super::case::{Analysed, Case, Findings, Quantity, chain};
use super::super::{Extent, Study};
use crate::process::analysis::correct_column_transient::ColumnTransient;

const AMPLITUDE: &str = "amplitude";
const RATE: &str = "rate";

pub(super) const STUDY: Study = Study {
    name: "column_transient",
    title: "CorrectElectronicColumnTransient: exponential decay along the rows",
    quantities: &[
        Quantity::with_own_error(AMPLITUDE, "ADU", "height at the first column read"),
        Quantity::with_own_error(RATE, "1/column", "1/τ"),
    ],
    cases,
};

fn cases(extent: Extent) -> Vec<Case> {
    let settings: &[(f64, f64)] = match extent {
        Extent::Fast => &[(8.0, 6.0)],
        Extent::Full => &[(8.0, 6.0), (3.0, 2.5), (30.0, 6.0)],
    };
    settings
        .iter()
        .map(|&(amplitude, tau)| {
            let simulate = json!({"rows": 60, "active_cols": 150, "prescan_cols": 0, "overscan_cols": 60, "skips": 400, "averaged": true,
                "gain": 5.0, "noise": {"sigma1": 3.0}, "lambda_image": 0.0, "pedestal": {"col_transient": {"amplitude": amplitude, "tau": tau}}});
            let process = chain(&[
                ("CompressSkipperProcess", json!({})),
                ("PedestalSubtractionProcess", json!({"method": "median", "use_mad": false})),
                ("CorrectElectronicColumnTransient", json!({"col_start": 0, "col_end": 60, "amplitude": [amplitude], "mu": [0.2]})),
            ]);
            Case::new(format!("{amplitude} ADU, τ {tau} columns"), simulate, process, compare)
        })
        .collect()
}

fn compare(image: &Analysed, findings: &mut Findings) -> Result<(), String> {
    let transient = image.raw.products.get_for::<ColumnTransient>(&image.amplifier().name).ok_or("there is no fit")?;
    let truth = image.setup.config.pedestal.col_transient;
    match transient.fit.exponentials.first().filter(|_| transient.fit.verdict.is_usable()) {
        Some(first) => {
            findings.compare(AMPLITUDE, first.amplitude, truth.amplitude, first.amplitude_error);
            findings.compare(RATE, first.rate, 1.0 / truth.tau, first.rate_error);
        }
        None => [AMPLITUDE, RATE].into_iter().for_each(|name| findings.missing(name)),
    }
    Ok(())
}
