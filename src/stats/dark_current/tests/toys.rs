//! Seeded toys, their statistics, and hostile input.

use super::super::*;
use super::{assert_close, digits, fixed_gain, toy};
use crate::stats::bounded_search::IntervalEnd;
use crate::stats::histogram::Histogram;
use crate::stats::test_data::SplitMix64;

struct Toy {
    pixels: Vec<f64>,
    electrons: Vec<usize>,
}

/// Seeded pixels of spec 03 §1.10.
fn toy_pixels(seed: u64, mu0: f64, gain: f64, sigma: f64, mean: f64) -> Toy {
    let mut random = SplitMix64(seed);
    let mut toy = Toy { pixels: Vec::new(), electrons: vec![0; 12] };
    for _ in 0..20_000 {
        let (u1, u2, u3) = (random.uniform(), random.uniform(), random.uniform());
        let zeta = (-2.0 * (1.0 - u1).ln()).sqrt() * (2.0 * std::f64::consts::PI * u2).cos();
        let k = crate::stats::distributions::poisson_quantile(u3, mean);
        toy.electrons[k as usize] += 1;
        toy.pixels.push(mu0 + gain * k as f64 + sigma * zeta);
    }
    toy
}

fn toy_a() -> Toy {
    toy_pixels(12345, 0.02, 1.3, 0.22, 0.05)
}

fn toy_b() -> Toy {
    toy_pixels(2024, 0.01, 1.35, 0.20, 0.6)
}

#[test]
fn the_generator_repeats() {
    let (a, b) = (toy_a(), toy_b());
    for (q, value) in a.pixels.iter().zip([0.05293238, -0.11681309, -0.08226895, 0.19662782, 1.58930665]) {
        assert_close("q", *q, value, 5.1e-9);
    }
    assert_close("sum", a.pixels.iter().sum(), 1671.43057315, 1e-7);
    assert_eq!(a.electrons[..4], [19024, 951, 24, 1]);
    assert_eq!(a.pixels.iter().filter(|&&q| q > -1.5 && q < 4.5).count(), 20000);
    assert_close("sum", b.pixels.iter().sum(), 16314.81159191, 1e-7);
    assert_eq!(b.electrons[..7], [11085, 6460, 1995, 392, 60, 7, 1]);
    let inside = |lo, hi| b.pixels.iter().filter(|&&q| q > lo && q < hi).count();
    assert_eq!((inside(-1.0, 7.0), inside(-1.0, 2.0)), (19998, 17542));
}

#[test]
fn toys() {
    let (a, b) = (toy_a().pixels, toy_b().pixels);
    let nan = f64::NAN;
    let (wide_a, wide_b, narrow_b) = ((-1.5, 4.5), (-1.0, 7.0), (-1.0, 2.0));
    for (pixels, settings, values, errors, ndf, chi2, objective) in [
        (
            &a,
            toy("L", 3, wide_a),
            [766.061, 0.018261, 0.219638, 0.065377, 1.305405],
            [6.852, 0.001596, 0.001105, 0.002102, 0.007151],
            115,
            1.02661,
            nan,
        ),
        (
            &a,
            toy("Q", 3, wide_a),
            [768.645, 0.018405, 0.219126, 0.063284, 1.298428],
            [7.064, 0.001594, 0.001128, 0.002096, 0.007611],
            66,
            1.81937,
            46.7692,
        ),
        (
            &a,
            fixed_gain(1.3, toy("L", 3, wide_a)),
            [769.246, 0.018497, 0.219630, 0.065141, 1.3],
            [5.439, nan, nan, 0.002071, 0.0],
            116,
            1.02269,
            nan,
        ),
        (
            &a,
            fixed_gain(1.3, toy("Q", 3, wide_a)),
            [767.711, 0.018342, 0.219132, 0.063347, 1.3],
            [nan; 5],
            67,
            1.78651,
            46.8119,
        ),
        (&a, toy("L", 2, wide_a), [747.742, 0.018550, 0.225087, 0.068327, 1.339044], [nan; 5], 115, 7.30415, nan),
        (
            &b,
            toy("L", 6, wide_b),
            [739.898, 0.011137, 0.201078, 0.804564, 1.351511],
            [5.328, 0.001801, 0.001009, 0.007471, 0.001846],
            155,
            0.864082,
            nan,
        ),
        (
            &b,
            toy("Q", 6, wide_b),
            [736.538, 0.011173, 0.200522, 0.797264, 1.351736],
            [5.324, nan, nan, 0.007550, 0.001912],
            120,
            1.13058,
            nan,
        ),
        (
            &b,
            toy("L", 2, narrow_b),
            [734.890, 0.011619, 0.200922, 0.787311, 1.350907],
            [6.310, nan, nan, 0.012470, 0.003155],
            55,
            0.704368,
            nan,
        ),
    ] {
        let fit = fit_pixels(pixels, &settings).unwrap();
        for ((parameter, value), error) in fit.parameters.iter().zip(values).zip(errors) {
            assert_close(parameter.name, parameter.value, value, 0.005 * parameter.error + digits(value, 6));
            if error.is_finite() {
                // four digits are given
                assert_close("error", parameter.error, error, 1e-3 * error + digits(error, 4));
            }
        }
        assert_eq!((fit.ndf, fit.status), (ndf, Status(0)));
        let first_order = settings.options.objective == ObjectiveKind::Neyman;
        assert_close("chi2", fit.chi2(), chi2, if first_order { 3e-5 } else { 5e-6 } * chi2);
        if objective.is_finite() {
            assert_close("χ²", fit.objective, objective, 1e-4);
        }
    }
}

#[test]
fn improved_fits() {
    let (a, b) = (toy_a().pixels, toy_b().pixels);
    let settings =
        |method, n_peaks, window| DarkCurrentSettings { method, window_peaks: false, ..toy("", n_peaks, window) };
    let (wide_a, wide_b, narrow_b) = ((-1.5, 4.5), (-1.0, 7.0), (-1.0, 2.0));
    let nan = f64::NAN;
    type Case<'a> = (&'a [f64], DarkCurrentSettings, (f64, f64), [(f64, f64); 4], (f64, f64), f64);
    let cases: [Case; 5] = [
        (
            &a,
            settings(Method::Binned, 6, wide_a),
            (20000.0, 141.42),
            [(0.0182941, 0.0015941), (0.2188581, 0.0011059), (0.0500884, 0.0015902), (1.3030476, 0.0071236)],
            (-0.0015735, 0.0016070),
            73.10148,
        ),
        (
            &a,
            settings(Method::Unbinned, 6, wide_a),
            (nan, nan),
            [(0.0183139, 0.0015889), (0.2186256, 0.0010997), (0.0500915, 0.0015902), (1.3028038, 0.0071011)],
            (nan, nan),
            3913.99888,
        ),
        (
            &b,
            settings(Method::Binned, 6, wide_b),
            (19999.6, 141.43),
            [(0.0111369, 0.0018008), (0.2005592, 0.0010111), (0.5953074, 0.0054663), (1.3515108, 0.0018461)],
            (-0.0054494, 0.0054831),
            133.93159,
        ),
        (
            &b,
            settings(Method::Unbinned, 6, wide_b),
            (nan, nan),
            [(0.0110280, 0.0017949), (0.2004476, 0.0010053), (0.5953277, 0.0054663), (1.3515102, 0.0018404)],
            (nan, nan),
            33181.67987,
        ),
        (
            &b,
            settings(Method::Binned, 2, narrow_b),
            (19854.8, 164.1),
            [(0.0116265, 0.0019130), (0.2003907, 0.0010861), (0.5827869, 0.0091285), (1.3508280, 0.0031613)],
            (-0.0090637, 0.0091941),
            38.49556,
        ),
    ];
    for (pixels, settings, (total, total_error), rest, (down, up), objective) in cases {
        let fit = fit_pixels(pixels, &settings).unwrap();
        println!(
            "{} {:?}: objective {} p {}",
            settings.method.name(),
            settings.window,
            fit.objective,
            fit.goodness.p_value
        );
        assert!(fit.status.is_good(), "{:?}", fit.warnings);
        let direct = fit.direct.unwrap();
        if total.is_finite() {
            assert_close("N_tot", direct.n_total.value, total, 0.005 * total_error + 0.05);
            assert_close("N_tot error", direct.n_total.error, total_error, 1e-3 * total_error);
        } else {
            // the likelihood of the counts fixes N_tot as well: nearly all pixels are in the window
            assert_close("N_tot", direct.n_total.value, fit.included_pixels as f64, 5.0);
            assert_close("N_tot error", direct.n_total.error, 141.4, 0.5);
        }
        for (parameter, (value, error)) in [fit.mu0(), fit.sigma(), &direct.electrons, fit.gain()].into_iter().zip(rest)
        {
            assert_close(parameter.name, parameter.value, value, 0.005 * error);
            assert_close("error", parameter.error, error, 1e-3 * error);
        }
        let (low, high) = direct.electrons.profile_errors().unwrap();
        if down.is_finite() {
            // the crossing is found to 2e-5 of the objective, 1e-5 of the error
            assert_close("L −", low, down, 1e-4 * up);
            assert_close("L +", high, up, 1e-4 * up);
        }
        assert_close("objective", fit.objective, objective, 1.1e-5);
        // quoted in ADU: MEDC = L·g with its error
        assert_close("λ", fit.lambda().value, direct.electrons.value * fit.gain().value, 1e-12);
        assert_close(
            "λ/g",
            fit.lambda_in_electrons().error_with_covariance,
            direct.electrons.error,
            1e-3 * direct.electrons.error,
        );
    }
}

#[test]
fn profile_intervals_of_the_compatible_fit() {
    // for large samples the interval is parabolic: N ± its error to a few per cent, every parameter has both ends
    let fit = fit_pixels(&toy_b().pixels, &toy("LE", 6, (-1.0, 7.0))).unwrap();
    for parameter in &fit.parameters[..5] {
        let (down, up) = parameter.profile_errors().unwrap();
        println!("{} {:e} {down:e} {up:e}", parameter.name, parameter.error);
        assert!((down / parameter.error + 1.0).abs() < 0.02 && (up / parameter.error - 1.0).abs() < 0.02);
    }
    // near a limit the lower end is the limit
    let mut settings = toy("LE", 6, (-1.0, 7.0));
    settings.limits.mu0.0 = fit.mu0().value - 0.2 * fit.mu0().error;
    let near = fit_pixels(&toy_b().pixels, &settings).unwrap();
    assert!(matches!(near.mu0().interval.unwrap()[0], IntervalEnd::AtLimit(_)));
}

#[test]
fn repeated_toys_are_unbiased() {
    // 100 images of 2000 pixels, L = 0.3 e⁻, gain 1.3, noise 0.2: pull mean 0 ± 0.1, width 1 ± 0.071
    for method in [Method::Binned, Method::Unbinned] {
        let settings = DarkCurrentSettings { method, ..toy("", 4, (-1.5, 6.0)) };
        let pulls: Vec<[f64; 3]> = (0..100)
            .map(|seed| {
                let mut random = SplitMix64(seed);
                let pixels: Vec<f64> = (0..2000)
                    .map(|_| {
                        let k = crate::stats::distributions::poisson_quantile(random.uniform(), 0.3);
                        1.3 * k as f64 + 0.2 * random.gaussian()
                    })
                    .collect();
                let fit = fit_pixels(&pixels, &settings).unwrap();
                let electrons = fit.direct.unwrap().electrons;
                let pull = |p: &FitParameter, truth: f64| (p.value - truth) / p.error;
                [pull(&electrons, 0.3), pull(fit.gain(), 1.3), pull(fit.sigma(), 0.2)]
            })
            .collect();
        for k in 0..3 {
            let column: Vec<f64> = pulls.iter().map(|pull| pull[k]).collect();
            let (mean, width) = crate::stats::robust::mean_and_std(&column, Default::default());
            println!("{} {k}: pull {mean:.3}, width {width:.3}", method.name());
            assert!(mean.abs() < 4.0 * 0.1 && (width - 1.0).abs() < 4.0 * 0.071);
        }
    }
}

#[test]
fn low_dark_current_with_wide_peaks() {
    // 0.001 e⁻, gain 10, noise 0.3 e⁻: 20 single electrons beside 20 000 empty pixels whose tail hides them from the
    // start values; the default limits of the gain reach to 100
    for method in [Method::Root, Method::Binned, Method::Unbinned] {
        for seed in 0..3 {
            let mut random = SplitMix64(seed);
            let pixels: Vec<f64> = (0..20_000)
                .map(|_| {
                    let k = crate::stats::distributions::poisson_quantile(random.uniform(), 0.001);
                    10.0 * k as f64 + 3.0 * random.gaussian()
                })
                .collect();
            let fit = fit_pixels(&pixels, &DarkCurrentSettings { method, ..Default::default() }).unwrap();
            assert!(fit.status.is_good(), "{} {seed}: {:?}", method.name(), fit.warnings);
            assert!(
                (fit.gain().value - 10.0).abs() < 5.0 * fit.gain().error,
                "{} {seed}: {:?}",
                method.name(),
                fit.gain()
            );
            let electrons = fit.lambda_in_electrons();
            assert!((electrons.value - 0.001).abs() < 5.0 * electrons.error_with_covariance);
        }
    }
}

#[test]
fn too_few_data_and_wrong_settings() {
    let none = fit_pixels(&[], &toy("L", 2, (-1.0, 2.0))).unwrap();
    assert_eq!((none.status, none.chi2(), none.was_made()), (Status(Status::TOO_FEW_DATA), -999.0, false));
    assert_eq!(none.warnings.len(), 1);
    assert!(!none.status.is_usable());
    let few = fit_pixels(&[0.0, 0.1, 0.2, 1.3], &toy("Q", 2, (-1.0, 2.0))).unwrap();
    assert_eq!(few.status, Status(Status::TOO_FEW_DATA));
    let automatic = DarkCurrentSettings { bin_width: BinWidth::Automatic, ..toy("L", 2, (-1.0, 2.0)) };
    assert_eq!(fit_pixels(&[f64::NAN; 3], &automatic).unwrap().status, Status(Status::TOO_FEW_DATA));
    let wrong = |change: fn(&mut DarkCurrentSettings)| {
        let mut settings = toy("L", 2, (-1.0, 2.0));
        change(&mut settings);
        fit_pixels(&toy_a().pixels, &settings)
    };
    assert!(wrong(|s| s.window = (2.0, -1.0)).is_err());
    assert!(wrong(|s| s.window = (f64::NAN, 1.0)).is_err());
    assert!(wrong(|s| s.bin_width = BinWidth::Width(100.0)).is_err());
    assert!(wrong(|s| s.limits.sigma = (1.0, 0.5)).is_err());
    assert!(wrong(|s| s.n_peaks = 0).is_err());
    assert!(wrong(|s| s.calibration = f64::INFINITY).is_err());
    assert!(wrong(|s| s.options = FitOptions::parse("LX")).unwrap().warnings.iter().any(|w| w.contains('X')));
    assert!(Method::from_name("Binned").is_ok() && Method::from_name("scan").is_err());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    /// Any counts and any sensible or senseless settings give a result or an error: never a panic, and never a value
    /// that is not a number where a fit is said to have been made.
    #[test]
    fn any_histogram_gives_a_result(
        counts in proptest::collection::vec(0u64..200, 1..60),
        span in 1e-3f64..1e3,
        calibration in -1.0f64..50.0,
        gain_min in -1.0f64..2.0,
        n_peaks in 1usize..12,
        letters in "[QLPWIE]{0,3}",
        free_gain in proptest::prelude::any::<bool>(),
        linear in proptest::prelude::any::<bool>(),
        binned in proptest::prelude::any::<bool>(),
    ) {
        let histogram = Histogram::from_counts(-0.3 * span, 0.7 * span, counts).unwrap();
        let settings = DarkCurrentSettings {
            method: if binned { Method::Binned } else { Method::Root },
            options: FitOptions::parse(&letters),
            n_peaks,
            calibration,
            free_gain,
            linear_term: linear.then_some((0.0, 0.0)),
            limits: ParameterLimits { gain: (gain_min, 60.0), sigma: (0.0, 100.0), ..Default::default() },
            ..Default::default()
        };
        let fit = fit_histogram(&histogram, &settings).unwrap();
        if fit.was_made() {
            for parameter in &fit.parameters {
                proptest::prop_assert!(parameter.value.is_finite() && parameter.error.is_finite(), "{:?}", parameter);
            }
        }
    }
}
