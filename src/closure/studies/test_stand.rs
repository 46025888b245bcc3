//! All five processes of the test bench together, on raw images of gains from 1.3 to 43 ADU/e⁻ and single-sample noises
//! from 2 to 6 e⁻: clean, with an interference line and 1/f noise, and with charge lost from skip to skip.

use serde_json::json;

use super::super::case::{Analysed, Case, Findings, Quantity, chain, merged};
use super::super::{Extent, Study};
use super::commissioning::{GAIN, LOSS, QUANTITIES, SAMPLE, WHITE, compare, line, noise};

const PREDICTED: &str = "noise predicted from the spectrum";
const CHANGE: &str = "change of the mean per skip";

pub(super) const STUDY: Study = Study {
    name: "test_stand",
    title: "FitCalibrationConstant, RNvsNskipsPlot, FFTNoisePlot, ChargeLossPlot, ChargeLossSkewnessProcess together",
    quantities: &[
        QUANTITIES[0],
        QUANTITIES[1],
        QUANTITIES[2],
        QUANTITIES[3],
        QUANTITIES[4],
        QUANTITIES[5],
        QUANTITIES[6],
        QUANTITIES[7],
        Quantity::with_own_error(
            PREDICTED,
            "ADU",
            "RNvsNskipsPlot: noise with all skips from the spectrum against gσ₁/√N and rounding",
        ),
        Quantity::with_own_error(
            CHANGE,
            "ADU",
            "ChargeLossPlot: slope of the mean of all pixels against −g p λ (1 − p)^{(N−1)/2} times their active part",
        ),
    ],
    cases,
};

/// Pedestal, ADU: with 1000 the digitiser would cut off, at 43 ADU/e⁻, noise beyond 3.9 σ, which is 5e-5 of the variance.
const BASE: f64 = 10_000.0;
/// Standard deviation of the 1/f noise, e⁻. Averaging the skips leaves most of it: beside the white noise the peaks get
/// 0.2 to 0.25 e⁻ wide, and stay apart.
const FLICKER: f64 = 0.2;
/// Active columns, and all.
const COLUMNS: [usize; 2] = [100, 144];

fn cases(extent: Extent) -> Vec<Case> {
    // gain, noise of a sample and skips: 0.16 to 0.18 e⁻ after averaging
    let (stands, rows): (&[(f64, f64, usize)], usize) = match extent {
        Extent::Fast => (&[(10.0, 1.3, 60)], 20),
        Extent::Full => (&[(1.3, 2.0, 150), (5.0, 3.0, 300), (10.0, 4.0, 500), (43.0, 6.0, 1200)], 40),
    };
    let mut cases = Vec::new();
    for &(gain, sigma1, skips) in stands {
        let base = json!({"rows": rows, "active_cols": COLUMNS[0], "prescan_cols": 4, "overscan_cols": 40, "skips": skips,
            "t_skip": SAMPLE, "gain": gain, "adc_bits": 20, "pedestal": {"base": BASE}, "noise": {"sigma1": sigma1}, "lambda_image": 0.7});
        let process = chain(&[
            ("CompressSkipperProcess", json!({})),
            ("PedestalSubtractionProcess", json!({"method": "median", "use_mad": false})),
            ("FitCalibrationConstant", json!({"image": "pedestal_subtracted", "calibration": gain})),
            ("RNvsNskipsPlot", json!({})),
            ("FFTNoisePlot", json!({"region": "all", "sample_time": SAMPLE})),
            ("ChargeLossPlot", json!({})),
            ("ChargeLossSkewnessProcess", json!({"display": false})),
        ]);
        let stand = format!("{gain} ADU/e⁻, {sigma1} e⁻, {skips} skips");
        cases.push(Case::new(stand.clone(), base.clone(), process.clone(), clean));

        // 0.3 of a bin off the bins of a record, and 1/f noise up to half of the sampling rate
        let frequency = (0.3 * skips as f64).floor() + 0.3;
        let pick_up =
            json!({"freq": frequency / (skips as f64 * SAMPLE), "amplitude": 0.4 * sigma1, "phase": "random"});
        let noises = json!({"sigma1": sigma1, "flicker": FLICKER, "flicker_fmax": 0.5 / SAMPLE, "lines": [pick_up]});
        let simulate = merged(&base, json!({"noise": noises}));
        cases.push(Case::new(format!("{stand}, line and 1/f noise"), simulate, process.clone(), disturbed));

        let losses: &[f64] = if extent == Extent::Fast { &[1e-3] } else { &[0.0, 1e-4, 1e-3] };
        for &loss in losses {
            let leaking = merged(&base, json!({"lambda_image": 30.0, "charge_loss": loss, "skips": 64}));
            let label = format!("{gain} ADU/e⁻, {sigma1} e⁻, 64 skips, 30 e⁻/pix, loss {loss}");
            cases.push(Case::new(label, leaking, process.clone(), leak));
        }
    }
    cases
}

fn clean(image: &Analysed, findings: &mut Findings) -> Result<(), String> {
    compare(image, findings, GAIN, "calibration_constant", image.setup.gain[0])?;
    noise(image, findings)?;
    compare(image, findings, PREDICTED, "predicted_noise", image.sigma_average(0))?;
    compare(image, findings, CHANGE, "mean_change_per_skip", 0.0)
}

fn disturbed(image: &Analysed, findings: &mut Findings) -> Result<(), String> {
    compare(image, findings, GAIN, "calibration_constant", image.setup.gain[0])?;
    let skips = image.setup.geometry.skips as f64;
    compare(image, findings, WHITE, "fft_skips_white_sigma", image.sigma_average(0) * skips.sqrt())?;
    line(image, findings)
}

fn leak(image: &Analysed, findings: &mut Findings) -> Result<(), String> {
    let (config, gain, skips) = (&image.setup.config, image.setup.gain[0], image.setup.geometry.skips as f64);
    let single = image.sigma_average(0) * skips.sqrt();
    compare(image, findings, WHITE, "fft_skips_white_sigma", single)?;
    compare(image, findings, LOSS, "charge_loss_per_transfer", config.charge_loss)?;
    let loss = config.charge_loss;
    let charge = config.lambda_image.unwrap_or(0.0) * COLUMNS[0] as f64 / COLUMNS[1] as f64;
    let change = -gain * loss * charge * (1.0 - loss).powf(0.5 * (skips - 1.0));
    compare(image, findings, CHANGE, "mean_change_per_skip", change)
}
