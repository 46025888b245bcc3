//! What was put in comes out, within statistics: four standard deviations per number.

use serde_json::json;

use crate::support::{ALL, agrees, analyse, measured, simulate};

#[test]
fn gain_and_noise_from_small_to_large() {
    // noise of the mean: 0.16 to 0.18 e-
    for (seed, (gain, sigma, skips)) in
        [(1.3, 2.0, 150), (5.0, 3.0, 300), (10.0, 4.0, 500), (43.0, 6.0, 1200)].into_iter().enumerate()
    {
        let folder = tempfile::tempdir().unwrap();
        let image = simulate(
            folder.path(),
            json!({"rows": 40, "active_cols": 120, "overscan_cols": 30, "skips": skips, "gain": gain, "seed": seed + 1,
                   "adc_bits": 20, "noise": {"sigma1": sigma}, "lambda_image": 0.7, "t_exp": 3600.0}),
        );
        let raw = analyse(
            &image,
            ALL,
            json!({"PedestalSubtractionProcess": {"method": "median"},
                   "FitCalibrationConstant": {"image": "pedestal_subtracted"}}),
        );
        agrees(&raw, "calibration_constant", gain, 4.0);
        let k = measured(&raw, "calibration_constant");
        assert!(k.error.unwrap() < 0.01 * gain, "{k:?}");
        // the samples are rounded to whole ADU, which adds 1/12 to their variance
        let sample = (gain * sigma).hypot((1.0f64 / 12.0).sqrt());
        agrees(&raw, "single_sample_noise", sample, 4.0);
        agrees(&raw, "noise_slope", -0.5, 4.0);
        agrees(&raw, "readout_noise", sample / f64::from(skips).sqrt(), 4.0);
        agrees(&raw, "predicted_noise", sample / f64::from(skips).sqrt(), 4.0);
        agrees(&raw, "fft_skips_white_sigma", sample, 4.0);
        assert_eq!(measured(&raw, "fft_skips_lines").value, 0.0);
        assert!(measured(&raw, "best_number_of_skips").value > 20.0);
    }
}

#[test]
fn pick_up_lines_and_flicker_noise() {
    let folder = tempfile::tempdir().unwrap();
    let image = simulate(
        folder.path(),
        json!({"rows": 60, "active_cols": 120, "overscan_cols": 40, "skips": 250, "gain": 10.0, "seed": 4,
               "lambda_image": 0.1, "t_skip": 4e-5, "noise": {"sigma1": 3.0, "flicker": 1.0, "flicker_fmax": 500.0,
               "lines": [{"freq": 4321.0, "amplitude": 0.6, "phase": "random"},
                         {"freq": 9040.0, "amplitude": 0.3, "phase": "random"}]}}),
    );
    let raw = analyse(&image, "CompressSkipperProcess;RNvsNskipsPlot;FFTNoisePlot", json!({}));
    let all = |name: &str| raw.report.measurements.iter().filter(|m| m.name == name).collect::<Vec<_>>();
    let (frequencies, amplitudes) = (all("fft_skips_line_frequency"), all("fft_skips_line_amplitude"));
    assert_eq!(frequencies.len(), 2, "{frequencies:?}");
    for (frequency, amplitude) in [(4321.0, 6.0), (9040.0, 3.0)] {
        let number = frequencies
            .iter()
            .position(|f| (f.value - frequency).abs() < 25.0)
            .unwrap_or_else(|| panic!("{frequency}: {frequencies:?}"));
        // bins are 100 Hz wide; leakage from the line's image at negative frequency: 3 % of a bin
        let (f, a) = (frequencies[number], amplitudes[number]);
        assert!((f.value - frequency).abs() < 4.0 * f.error.unwrap() + 3.0, "{f:?}");
        assert!((a.value - amplitude).abs() < 4.0 * a.error.unwrap() + 0.03 * amplitude, "{a:?}");
    }
    let white = measured(&raw, "fft_skips_white_sigma");
    // the 1/f noise of the simulation ends gradually at its upper frequency and leaves a few per cent
    assert!((white.value / 30.0 - 1.0).abs() < 0.03, "{white:?}");
    let corner = measured(&raw, "fft_skips_corner_frequency");
    assert!(corner.value > 3.0 * corner.error.unwrap());
    let slope = measured(&raw, "noise_slope");
    assert!(slope.value > -0.45, "slow noise flattens the curve: {slope:?}");
    assert!(measured(&raw, "readout_noise").value > 1.5 * measured(&raw, "predicted_noise").value);
}

#[test]
fn charge_loss_per_transfer() {
    for (seed, loss) in [0.0, 1e-5, 1e-4, 1e-3].into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let image = simulate(
            folder.path(),
            json!({"rows": 60, "active_cols": 150, "overscan_cols": 40, "skips": 200, "gain": 5.0, "seed": seed + 10,
                   "noise": {"sigma1": 3.0, "flicker": 0.5}, "lambda_image": 40.0, "charge_loss": loss,
                   "pedestal": {"row_rms": 20.0}}),
        );
        let raw = analyse(&image, "CompressSkipperProcess;ChargeLossSkewnessProcess", json!({}));
        agrees(&raw, "charge_loss_per_transfer", loss, 4.0);
        let found = measured(&raw, "charge_loss_per_transfer");
        assert!(found.error.unwrap() < 5e-5, "{found:?}");
        let limit = measured(&raw, "charge_loss_upper_limit");
        assert!(limit.value > loss, "{limit:?}");
        if loss == 1e-3 {
            assert!(measured(&raw, "asymmetric_skips").value >= 0.0);
            assert!(found.value > 10.0 * found.error.unwrap());
        }
    }
}

#[test]
fn a_quadratic_response() {
    // λ = 30: peaks from about 12 to 50 e-, response 10 Q (1 + 5e-4 Q)
    let folder = tempfile::tempdir().unwrap();
    let image = simulate(
        folder.path(),
        json!({"rows": 80, "active_cols": 400, "overscan_cols": 40, "skips": 400, "gain": 10.0, "seed": 3,
               "adc_bits": 20, "noise": {"sigma1": 3.0}, "lambda_image": 30.0, "quadratic": 5e-4, "averaged": true}),
    );
    let raw = analyse(
        &image,
        "CompressSkipperProcess;FitCalibrationConstant",
        json!({"FitCalibrationConstant": {"n_peaks": 60}, "CompressSkipperProcess": {}}),
    );
    // the peaks count from the first one found, n₀: μ = k (n₀ + i) (1 + q (n₀ + i)), so that the curvature over the
    // slope at the first peak is q/(1 + 2 q n₀)
    let first = raw.report.measurements.iter().find(|m| m.name == "calibration_offset").unwrap();
    let n0 = ((first.value - 1000.0) / 10.0).round();
    let q = 5e-4 / (1.0 + 2.0 * 5e-4 * n0);
    agrees(&raw, "calibration_nonlinearity", q, 4.0);
    assert!(measured(&raw, "calibration_peaks").value > 20.0);
}
