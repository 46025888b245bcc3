//! The processes of the test bench: gain from the comb of peaks, noise against the number of skips, noise spectrum,
//! charge loss between skips. All on raw images, with all their skips.

use serde_json::{Value, json};

use super::super::case::{Analysed, Case, Findings, Quantity, chain, merged};
use super::super::{Extent, Study};

pub(super) const GAIN: &str = "gain of the comb";
pub(super) const SLOPE: &str = "noise slope";
pub(super) const AVERAGED: &str = "noise of all skips";
pub(super) const SINGLE: &str = "noise of one sample";
pub(super) const WHITE: &str = "white noise of the spectrum";
pub(super) const FREQUENCY: &str = "frequency of a line";
pub(super) const AMPLITUDE: &str = "amplitude of a line";
pub(super) const LOSS: &str = "charge loss per transfer";

/// What the processes of the test bench are compared in, one by one here and together in `test_stand`.
pub(super) const QUANTITIES: [Quantity; 8] = [
    Quantity::with_own_error(GAIN, "ADU/e-", "FitCalibrationConstant against the gain of the simulation"),
    Quantity::with_own_error(SLOPE, "", "RNvsNskipsPlot: slope of ln σ against ln N, white noise: −1/2"),
    Quantity::with_own_error(AVERAGED, "ADU", "RNvsNskipsPlot: noise with all skips against gσ₁/√N and rounding"),
    Quantity::with_own_error(SINGLE, "ADU", "RNvsNskipsPlot: fitted noise of one sample against gσ₁ and rounding"),
    Quantity::with_own_error(WHITE, "ADU", "FFTNoisePlot along the skips against gσ₁ and rounding"),
    Quantity::with_own_error(FREQUENCY, "Hz", "FFTNoisePlot along the skips: strongest line"),
    Quantity::with_own_error(AMPLITUDE, "ADU", "FFTNoisePlot along the skips: strongest line, g times its amplitude"),
    Quantity::with_own_error(LOSS, "", "ChargeLossSkewnessProcess against the probability of the simulation"),
];

pub(super) const STUDY: Study = Study {
    name: "commissioning",
    title: "FitCalibrationConstant, RNvsNskipsPlot, FFTNoisePlot, ChargeLossSkewnessProcess",
    quantities: &QUANTITIES,
    cases,
};

/// Time of a sample, s.
pub(super) const SAMPLE: f64 = 4e-5;

fn cases(extent: Extent) -> Vec<Case> {
    let base = json!({"rows": 30, "active_cols": 60, "prescan_cols": 4, "overscan_cols": 40, "skips": 64, "t_skip": SAMPLE,
        "gain": 10.0, "noise": {"sigma1": 3.0}, "lambda_image": 0.0, "pedestal": {"row_rms": 0.0}});
    let compress = ("CompressSkipperProcess", json!({}));
    let mut cases = Vec::new();

    let combs: &[(f64, f64, f64)] = match extent {
        Extent::Fast => &[(10.0, 1.0, 0.15)],
        Extent::Full => &[(10.0, 1.0, 0.15), (10.0, 4.0, 0.15), (1.35, 1.0, 0.18), (10.0, 1.0, 0.22)],
    };
    for &(gain, lambda, noise) in combs {
        let simulate = merged(
            &base,
            json!({"rows": 60, "active_cols": 100, "skips": 400, "averaged": true, "gain": gain, "lambda_image": lambda,
                "noise": {"sigma1": 20.0 * noise}}),
        );
        let process = chain(&[
            compress.clone(),
            ("PedestalSubtractionProcess", json!({"method": "median", "use_mad": false})),
            ("FitCalibrationConstant", json!({"image": "mean_compressed_pedestal_subtracted", "calibration": gain})),
        ]);
        cases.push(Case::new(
            format!("gain {gain}, λ {lambda}, σ {noise} e⁻"),
            simulate,
            process,
            |image, findings| compare(image, findings, GAIN, "calibration_constant", image.setup.gain[0]),
        ));
    }

    let noises: &[(usize, f64)] = match extent {
        Extent::Fast => &[(64, 3.0)],
        Extent::Full => &[(64, 3.0), (400, 3.0), (100, 1.0)],
    };
    for &(skips, sigma1) in noises {
        let simulate = merged(&base, json!({"skips": skips, "noise": {"sigma1": sigma1}}));
        let process = chain(&[
            compress.clone(),
            ("RNvsNskipsPlot", json!({})),
            ("FFTNoisePlot", json!({"region": "all", "sample_time": SAMPLE})),
        ]);
        cases.push(Case::new(format!("{skips} skips, σ₁ {sigma1} e⁻"), simulate, process, noise));
    }

    // on a bin of the transform, and between two
    let lines: &[f64] = if extent == Extent::Fast { &[8.37] } else { &[8.0, 8.1, 8.25, 8.37, 8.5, 8.8, 20.1, 20.5] };
    for &bin in lines {
        let frequency = bin / (64.0 * SAMPLE);
        let noise = json!({"sigma1": 3.0, "lines": [{"freq": frequency, "amplitude": 1.0, "phase": "random"}]});
        let process = chain(&[compress.clone(), ("FFTNoisePlot", json!({"region": "all", "sample_time": SAMPLE}))]);
        let label = format!("line of 10 ADU at bin {bin} of 64 skips");
        cases.push(Case::new(label, merged(&base, json!({"noise": noise})), process, line));
    }

    let losses: &[f64] = if extent == Extent::Fast { &[2e-3] } else { &[2e-3, 2e-4] };
    for &loss in losses {
        let simulate = merged(&base, json!({"lambda_image": 30.0, "charge_loss": loss, "noise": {"sigma1": 2.0}}));
        let process = chain(&[compress.clone(), ("ChargeLossSkewnessProcess", json!({"display": false}))]);
        cases.push(Case::new(
            format!("loss {loss} per transfer, 30 e⁻/pix"),
            simulate,
            process,
            |image, findings| {
                compare(image, findings, LOSS, "charge_loss_per_transfer", image.setup.config.charge_loss)
            },
        ));
    }
    cases
}

/// A measurement of the first amplifier against its truth.
pub(super) fn compare(
    image: &Analysed,
    findings: &mut Findings,
    quantity: &'static str,
    key: &str,
    truth: f64,
) -> Result<(), String> {
    match image.measurement(key, &image.amplifier().name) {
        Some((value, error)) => findings.compare(quantity, value, truth, error),
        None => findings.missing(quantity),
    }
    Ok(())
}

/// Noise curve and spectrum of an image of white noise.
pub(super) fn noise(image: &Analysed, findings: &mut Findings) -> Result<(), String> {
    let averaged = image.sigma_average(0);
    let single = averaged * (image.setup.geometry.skips as f64).sqrt();
    compare(image, findings, SLOPE, "noise_slope", -0.5)?;
    compare(image, findings, AVERAGED, "readout_noise", averaged)?;
    compare(image, findings, SINGLE, "single_sample_noise", single)?;
    compare(image, findings, WHITE, "fft_skips_white_sigma", single)
}

/// The line that the spectrum along the skips shows most clearly.
pub(super) fn line(image: &Analysed, findings: &mut Findings) -> Result<(), String> {
    let line: Value = serde_json::to_value(&image.setup.config.noise.lines[0]).map_err(|e| e.to_string())?;
    let number = |key: &str| line[key].as_f64().unwrap_or(f64::NAN);
    // the first measurement is that of the most significant line
    compare(image, findings, FREQUENCY, "fft_skips_line_frequency", number("freq"))?;
    compare(image, findings, AMPLITUDE, "fft_skips_line_amplitude", number("amplitude") * image.setup.gain[0])
}
