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
    // amplitude (ADU), τ (columns), prescan, overscan, dark current (e⁻)
    let settings: &[(f64, f64, u32, u32, f64)] = match extent {
        Extent::Fast => &[(8.0, 6.0, 0, 60, 0.0), (30.0, 6.0, 8, 60, 0.3)],
        Extent::Full => &[
            (8.0, 6.0, 0, 60, 0.0),
            (3.0, 2.5, 0, 60, 0.0),
            (30.0, 6.0, 0, 60, 0.0),
            (30.0, 6.0, 8, 60, 0.0),
            (30.0, 6.0, 8, 60, 0.3),
            (30.0, 6.0, 8, 0, 0.3),
            (8.0, 3.0, 8, 60, 0.5),
        ],
    };
    settings
        .iter()
        .map(|&(amplitude, tau, prescan, overscan, lambda)| {
            let simulate = json!({"rows": 60, "active_cols": 150, "prescan_cols": prescan, "overscan_cols": overscan, "skips": 400,
                "averaged": true, "gain": 5.0, "noise": {"sigma1": 3.0}, "lambda_image": lambda,
                "pedestal": {"col_transient": {"amplitude": amplitude, "tau": tau}}});
            let pedestal = json!({"method": "median", "use_mad": false, "in_overscan": overscan > 0});
            let process = chain(&[
                ("CompressSkipperProcess", json!({})),
                ("PedestalSubtractionProcess", pedestal),
                ("CorrectElectronicColumnTransient", json!({"col_start": 0, "col_end": 60, "amplitude": [amplitude], "mu": [0.2]})),
            ]);
            let label = format!("{amplitude} ADU, τ {tau} columns, prescan {prescan}, overscan {overscan}, λ {lambda} e⁻");
            Case::new(label, simulate, process, compare)
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
