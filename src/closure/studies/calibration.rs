//! CalibrationProcess: charge per pixel in electrons, with a known gain and with the fitted one.

use serde_json::json;

use super::super::case::{Analysed, Case, Findings, Quantity, chain};
use super::super::{Extent, Study};
use super::MEDIAN_VARIANCE;
use crate::process::analysis::fit_dark_current::DarkCurrentFit;
use crate::stats::robust::mean;

const CHARGE: &str = "mean charge";

pub(super) const STUDY: Study = Study {
    name: "calibration",
    title: "CalibrationProcess: mean charge of the calibrated image",
    quantities: &[Quantity::with_expected_error(
        CHARGE,
        "e-",
        "mean of the active pixels against the mean charge really there; √(σ²/(n g²) + k σ²/(g² n_os rows)), and with a \
         fitted gain its relative error",
    )],
    cases,
};

fn cases(extent: Extent) -> Vec<Case> {
    let settings: &[(f64, i32, bool)] = match extent {
        Extent::Fast => &[(7.0, 1, false)],
        Extent::Full => &[(7.0, 1, false), (7.0, -1, false), (1.35, 1, false), (7.0, 1, true)],
    };
    settings
        .iter()
        .map(|&(gain, polarity, from_fit)| {
            let simulate = json!({"rows": 30, "active_cols": 60, "prescan_cols": 4, "overscan_cols": 60, "skips": 400, "averaged": true,
                "gain": gain, "polarity": polarity, "noise": {"sigma1": 3.0}, "lambda_image": 1.0, "pedestal": {"base": 2000.0, "row_rms": 4.0}});
            let process = chain(&[
                ("CompressSkipperProcess", json!({})),
                ("PedestalSubtractionProcess", json!({"method": "median", "use_mad": false})),
                ("FitDarkCurrentProcess", json!({"method": "unbinned", "calibration": gain, "n_peaks": 9, "x_min": -gain,
                    "x_max": 8.5 * gain, "dc_max": 100.0})),
                ("CalibrationProcess", json!({"gain": gain, "from_dc_fit": from_fit, "gain_round_digits": null})),
            ]);
            let how = if from_fit { "fitted gain" } else { "known gain" };
            let sign = if polarity < 0 { ", charge lowers the ADU" } else { "" };
            Case::new(format!("{how} {gain} ADU/e⁻{sign}"), simulate, process, move |image, findings| compare(image, findings, from_fit))
        })
        .collect()
}

fn compare(image: &Analysed, findings: &mut Findings, from_fit: bool) -> Result<(), String> {
    let amplifier = image.amplifier();
    let calibrated = image.raw.image("mean_compressed_pedestal_subtracted_e").map_err(|e| e.to_string())?;
    let active: Vec<f64> = amplifier.active.view(calibrated).iter().copied().collect();
    let sigma = image.sigma_average(0) / image.setup.gain[0];
    let over = (amplifier.overscan.cols.len() * amplifier.overscan.rows.len()) as f64;
    let truth = image.truth.number("L", "mean_charge_active")?;
    let mut error = sigma * (1.0 / active.len() as f64 + MEDIAN_VARIANCE / over).sqrt();
    if from_fit {
        let fit = image.raw.products.get_for::<DarkCurrentFit>(&amplifier.name).ok_or("there is no fit")?;
        if !fit.is_usable() {
            findings.missing(CHARGE);
            return Ok(());
        }
        error = error.hypot(truth * fit.gain_error() / fit.gain());
    }
    findings.compare(CHARGE, mean(&active), truth, error);
    Ok(())
}
