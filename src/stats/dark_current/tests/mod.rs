//! Dark-current fits against the test vectors of spec 03 §1.10, §1.11, §2.4 and the golden variants.

mod recorded;
mod toys;

use super::*;

/// Settings of the real image (spec 03 §1.10).
fn real(options: &str, n_peaks: usize) -> DarkCurrentSettings {
    DarkCurrentSettings {
        options: FitOptions::parse(options),
        window: (-5.0, 10.0),
        bin_width: BinWidth::Width(0.05),
        n_peaks,
        calibration: 1.0,
        limits: ParameterLimits { mu0: (-1.0, 1.0), sigma: (0.001, 0.5), lambda: (1e-4, 2.0), gain: (0.8, 1.8) },
        ..Default::default()
    }
}

/// Settings of the tiny histogram and the toys, which differ in their limits.
fn toy(options: &str, n_peaks: usize, window: (f64, f64)) -> DarkCurrentSettings {
    DarkCurrentSettings {
        window,
        limits: ParameterLimits { mu0: (-1.0, 1.0), sigma: (0.001, 100.0), lambda: (0.001, 10.0), gain: (0.8, 1.8) },
        ..real(options, n_peaks)
    }
}

fn fixed_gain(gain: f64, settings: DarkCurrentSettings) -> DarkCurrentSettings {
    DarkCurrentSettings { free_gain: false, calibration: gain, ..settings }
}

#[track_caller]
fn assert_close(what: &str, value: f64, expected: f64, tolerance: f64) {
    assert!((value - expected).abs() <= tolerance, "{what}: {value} instead of {expected} (± {tolerance:e})");
}

/// Half a unit of the last of the digits given for `x`.
fn digits(x: f64, significant: i32) -> f64 {
    if x == 0.0 {
        return 0.0;
    }
    0.51 * 10f64.powi(x.abs().log10().floor() as i32 - significant + 1)
}
