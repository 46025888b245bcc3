//! The golden and the tiny histogram, the real image and the golden variants.

use super::super::model::*;
use super::super::*;
use super::{assert_close, digits, fixed_gain, real};
use crate::stats::histogram::Histogram;
use crate::stats::test_data;

/// Bins 60…299 of the golden histogram of the real image; the others are empty.
#[rustfmt::skip]
const GOLDEN: [u64; 240] = [
    1, 2, 3, 3, 11, 11, 21, 24, 30, 41, 41, 45, 56, 59, 46, 45, 40, 31, 34, 23, 14, 25, 10, 10,
    15, 20, 47, 108, 181, 314, 552, 992, 1610, 2393, 3225, 4457, 5402, 6521, 7374, 7701, 7818, 7623, 6719, 5791, 4669, 3584, 2605, 1823,
    1265, 841, 539, 384, 301, 240, 240, 268, 353, 501, 741, 1158, 1681, 2369, 3093, 3845, 4491, 5197, 5331, 5670, 5217, 4745, 4088, 3536,
    2774, 2036, 1450, 1034, 751, 490, 380, 249, 192, 174, 150, 245, 268, 395, 627, 816, 1073, 1456, 1812, 2121, 2356, 2485, 2430, 2420,
    2237, 1957, 1675, 1315, 982, 774, 534, 395, 279, 183, 146, 113, 81, 81, 91, 103, 176, 210, 289, 399, 519, 661, 763, 860,
    917, 933, 947, 892, 736, 628, 533, 378, 294, 238, 175, 108, 81, 67, 42, 37, 40, 32, 37, 53, 64, 103, 146, 179,
    218, 238, 328, 270, 358, 320, 292, 260, 227, 201, 128, 111, 79, 64, 46, 36, 29, 14, 19, 10, 11, 12, 18, 28,
    32, 46, 68, 81, 90, 98, 125, 109, 120, 116, 96, 72, 60, 44, 42, 35, 19, 16, 10, 11, 3, 2, 3, 8,
    6, 8, 10, 11, 29, 37, 42, 37, 54, 46, 61, 50, 44, 50, 47, 40, 21, 16, 12, 12, 9, 8, 3, 6,
    1, 3, 2, 2, 9, 9, 15, 14, 10, 22, 26, 28, 29, 21, 38, 36, 23, 25, 25, 17, 8, 9, 6, 3,
];

fn golden() -> Histogram {
    let mut counts = vec![0; 60];
    counts.extend(GOLDEN);
    Histogram::from_counts(-5.0, 10.0, counts).unwrap()
}

/// Some bins of the golden histogram as a histogram of their own.
fn golden_part(first: usize, last: usize) -> Histogram {
    let whole = golden();
    Histogram::from_counts(whole.edge(first), whole.edge(last + 1), whole.counts()[first..=last].to_vec()).unwrap()
}

fn tiny() -> Histogram {
    let counts = [4, 7, 26, 67, 91, 109, 145, 137, 77, 34, 11, 2, 1, 6, 8, 22, 32, 45, 42, 34, 37, 13, 7, 0];
    Histogram::from_counts(-0.6, 1.8, counts.to_vec()).unwrap()
}

#[test]
fn golden_histogram() {
    let fit = fit_histogram(&golden(), &real("Q", 2)).unwrap();
    assert_eq!(fit.status, Status(0), "{:?}", fit.warnings);
    assert_eq!((fit.included_pixels, fit.histogram.n_bins(), fit.used_bins, fit.ndf), (194_594, 300, 240, 235));
    assert_close("norm_guess", fit.norm_guess, 648.6466667, 1e-7);
    // the true minimum of an independent minimiser; parameters within 0.002 of their errors, errors within 1e-3
    let expected = [
        (6480.4161, 20.7679),
        (0.01290278, 0.00074245),
        (0.22241732, 0.00044932),
        (0.98433219, 0.00529940),
        (1.35382083, 0.00120245),
    ];
    for (parameter, (value, error)) in fit.parameters.iter().zip(expected) {
        println!("{}: {} ± {}", parameter.name, parameter.value, parameter.error);
        assert_close(parameter.name, parameter.value, value, 0.002 * error);
        assert_close(parameter.name, parameter.error, error, 1e-3 * error);
    }
    assert!(fit.objective <= 48126.8528, "{}", fit.objective);
    assert_close("χ²", fit.objective, 48126.852742119, 1e-5);
    assert_close("chi2", fit.chi2(), 24650.7810, 1e-5 * 24650.7810);
    // what the reference stored
    let stored = [6480.4214190514, 0.012902655258624, 0.222417333689224, 0.984333648958673, 1.35382120343193];
    for (parameter, value) in fit.parameters.iter().zip(stored) {
        assert_close(parameter.name, parameter.value, value, 0.002 * parameter.error);
    }
    // conversion to electrons and correlations (lesson d)
    let electrons = fit.lambda_in_electrons();
    assert_close("λ/g", electrons.value, 0.727078, 1e-6);
    assert_close("its error", electrons.error, 0.003967, 4e-6);
    assert_close("its error with covariance", electrons.error_with_covariance, 0.003863, 4e-6);
    assert_close("corr(λ, g)", fit.correlation(LAMBDA, GAIN), 0.16, 0.005);
    assert_close("corr(μ0, g)", fit.correlation(MU0, GAIN), -0.60, 0.005);
    assert_close("corr(N, λ)", fit.correlation(NORM, LAMBDA), 0.46, 0.005);
}

#[test]
fn golden_histogram_other_settings() {
    let fit = fit_histogram(&golden(), &fixed_gain(1.35, real("Q", 2))).unwrap();
    assert_close("N", fit.norm().value, 6498.2935, 0.002 * 20.0);
    assert_close("N error", fit.norm().error, 19.9991, 0.02);
    assert_close("μ0", fit.mu0().value, 0.01432697, 1.2e-6);
    assert_close("μ0 error", fit.mu0().error, 0.00059240, 6e-7);
    assert_close("σ", fit.sigma().value, 0.22243882, 1e-6);
    assert_close("σ error", fit.sigma().error, 0.00044936, 5e-7);
    assert_close("λ", fit.lambda().value, 0.98154661, 1e-5);
    assert_close("λ error", fit.lambda().error, 0.00521511, 5.3e-6);
    assert_eq!((fit.gain().value, fit.gain().error, fit.ndf), (1.35, 0.0, 236));
    assert_close("χ²", fit.objective, 48136.9525, 1e-4);
    assert_close("chi2", fit.chi2(), 24583.097, 1e-5 * 24583.0);

    let fit = fit_histogram(&golden(), &real("Q", 5)).unwrap();
    for (k, value, error) in [
        (NORM, 6949.48, 16.38),
        (MU0, 0.0132393, f64::NAN),
        (SIGMA, 0.2261116, f64::NAN),
        (LAMBDA, 1.182038, 0.003543),
        (GAIN, 1.353072, 0.000645),
    ] {
        let parameter = &fit.parameters[k];
        assert_close(parameter.name, parameter.value, value, 0.005 * parameter.error + digits(value, 7));
        if error.is_finite() {
            assert_close("error", parameter.error, error, 1e-3 * error);
        }
    }
    assert_close("χ²", fit.objective, 6919.151, 6e-4);
    assert_eq!(fit.ndf, 235);

    let fit = fit_histogram(&golden(), &real("Q", 10)).unwrap();
    for (k, value, error) in [
        (NORM, 6961.175, 16.37),
        (MU0, 0.0132396, f64::NAN),
        (SIGMA, 0.2262774, f64::NAN),
        (LAMBDA, 1.195878, 0.003596),
        (GAIN, 1.353076, 0.000635),
    ] {
        let parameter = &fit.parameters[k];
        assert_close(parameter.name, parameter.value, value, 0.005 * parameter.error + digits(value, 7));
        if error.is_finite() {
            assert_close("error", parameter.error, error, 1e-3 * error);
        }
    }
    assert_close("χ²", fit.objective, 6214.857, 6e-4);

    for (first, last, n_peaks, values, errors, objective, ndf) in [
        (87, 139, 2, [6504.082, 0.0129768, 0.2239529, 0.9823217, 1.353083], [20.77, 0.005282, 0.001197], 657.513, 48),
        (
            87,
            299,
            10,
            [7161.425, 0.0121158, 0.2294197, 1.281001, 1.354701],
            [16.46, 0.003028, 0.000491],
            10106.644,
            208,
        ),
    ] {
        let fit = fit_histogram(&golden_part(first, last), &real("L", n_peaks)).unwrap();
        for (parameter, value) in fit.parameters.iter().zip(values) {
            assert_close(parameter.name, parameter.value, value, 0.005 * parameter.error + digits(value, 7));
        }
        for (k, error) in [(NORM, errors[0]), (LAMBDA, errors[1]), (GAIN, errors[2])] {
            assert_close("error", fit.parameters[k].error, error, 1e-3 * error);
        }
        assert_close("objective", fit.objective, objective, 6e-4);
        assert_eq!(fit.ndf, ndf);
        assert!(fit.status.is_good());
    }

    // bin integral: σ without the width of the bins
    let fit = fit_histogram(&golden(), &real("QI", 2)).unwrap();
    assert_close("σ", fit.sigma().value, 0.2219484, 2e-6);

    // a likelihood over peaks that are not modelled runs to the limits, and says so
    let fit = fit_histogram(&golden(), &real("L", 2)).unwrap();
    println!("L, K = 2: {:?} {:?} {}", fit.values(), fit.status, fit.chi2());
    assert_eq!((fit.sigma().value, fit.gain().value), (0.5, 1.8));
    assert_close("μ0", fit.mu0().value, 0.810, 6e-4);
    assert_close("chi2", fit.chi2(), 2078.6, 0.06);
    assert!(fit.status.has(Status::AT_LIMIT) && fit.status.is_usable());
    assert!(
        fit.warnings.iter().any(|sentence| sentence.contains("outside the 2 modelled peaks")),
        "{:?}",
        fit.warnings
    );
}

#[test]
fn tiny_histogram() {
    let settings = |options, n_peaks| DarkCurrentSettings {
        limits: ParameterLimits { mu0: (-1.0, 1.0), sigma: (0.001, 1.0), lambda: (0.001, 2.0), gain: (0.8, 1.8) },
        window_peaks: false,
        window: (-0.6, 1.8),
        bin_width: BinWidth::Width(0.1),
        ..real(options, n_peaks)
    };
    let nan = f64::NAN;
    for (settings, values, errors, ndf, chi2) in [
        (
            settings("L", 2),
            [83.5357, 0.020927, 0.201100, 0.417517, 1.204588],
            [2.9434, 0.007625, 0.004791, 0.031365, 0.015046],
            19,
            1.478058,
        ),
        (
            settings("Q", 2),
            [81.2179, 0.019991, 0.198576, 0.416867, 1.208670],
            [2.9284, 0.007608, 0.004506, 0.032236, 0.017095],
            18,
            1.611858,
        ),
        (
            settings("LI", 2),
            [83.5359, 0.020921, 0.199012, 0.417520, 1.204594],
            [2.9434, nan, 0.004841, nan, nan],
            19,
            1.488265,
        ),
        (
            fixed_gain(1.2, settings("L", 2)),
            [83.8517, 0.022075, 0.201063, 0.415938, 1.2],
            [2.7670, nan, nan, 0.030815, 0.0],
            20,
            1.408807,
        ),
    ] {
        let fit = fit_histogram(&tiny(), &settings).unwrap();
        for ((parameter, value), error) in fit.parameters.iter().zip(values).zip(errors) {
            assert_close(parameter.name, parameter.value, value, 1e-3 * parameter.error + digits(value, 6));
            if error.is_finite() {
                assert_close("error", parameter.error, error, 1e-3 * error);
            }
        }
        assert_eq!(fit.ndf, ndf);
        // away from the minimum of its own objective the quoted number moves with the parameters (data/README: 3e-5)
        let first_order = settings.options.objective == ObjectiveKind::Neyman;
        assert_close("chi2", fit.chi2(), chi2, if first_order { 3e-5 * chi2 } else { 1e-6 * chi2 });
    }
    assert_close("χ²", fit_histogram(&tiny(), &settings("Q", 2)).unwrap().objective, 24.42334, 6e-6);

    let binned = DarkCurrentSettings { method: Method::Binned, ..settings("", 2) };
    let fit = fit_histogram(&tiny(), &binned).unwrap();
    let direct = fit.direct.unwrap();
    assert_close("N_tot", direct.n_total.value, 1006.20, 0.006);
    assert_close("N_tot error", direct.n_total.error, 33.20, 0.034);
    assert_close("μ0", fit.mu0().value, 0.020901, 1e-6);
    assert_close("σ", fit.sigma().value, 0.198980, 1e-6);
    assert_close("σ error", fit.sigma().error, 0.004836, 5e-6);
    assert_close("L", direct.electrons.value, 0.346511, 2e-6);
    assert_close("L error", direct.electrons.error, 0.025668, 2.6e-5);
    let (down, up) = direct.electrons.profile_errors().unwrap();
    assert_close("L −", down, -0.02489, 1e-5);
    assert_close("L +", up, 0.02649, 1e-5);
    assert_close("g", fit.gain().value, 1.204744, 2e-6);
    assert_close("g error", fit.gain().error, 0.015019, 1.6e-5);
    assert_close("objective", fit.objective, 28.12942, 6e-6);
    assert_eq!(fit.ndf, 19);
}

/// Pixels of the real image with the recorded pedestals removed.
fn real_pixels() -> Option<Vec<Vec<f64>>> {
    let pixels = test_data::real_image(1)?;
    let mu = test_data::recorded_nested("info", "EXT1_pedestal_mu_row_ADU")?;
    Some(pixels.chunks_exact(640).zip(&mu[0]).map(|(row, mu)| row.iter().map(|q| q - mu).collect()).collect())
}

#[test]
fn real_image_histogram() {
    let Some(rows) = real_pixels() else { return };
    let pixels: Vec<f64> = rows[3..].iter().flatten().copied().collect();
    let fit = fit_pixels(&pixels, &real("Q", 2)).unwrap();
    assert_eq!(fit.included_pixels, 194_594);
    // float32 pedestals move one pixel across the edge 5.9 (spec 03 §1.10)
    let moved: u64 = fit.histogram.counts().iter().zip(golden().counts()).map(|(a, b)| a.abs_diff(*b)).sum();
    assert!(moved <= 2, "{moved}");
    assert_close("gain", fit.gain().value, 1.353821, 0.002 * 0.0012);
}

#[test]
fn slices_of_the_real_image() {
    // spec 03 §2.4; compare values to 1e-3
    let Some(rows) = real_pixels() else { return };
    let slice = |first: usize| -> Vec<f64> { rows[first..first + 10].iter().flatten().copied().collect() };
    let settings = |options| DarkCurrentSettings { window: (-0.65, 2.0), ..real(options, 2) };
    for (first, options, included, mu0, sigma, lambda, gain, electrons, chi2, ndf) in [
        (3, "L", 6067, 0.001412, 0.194790, 0.362989, 1.346294, 0.26962, 0.94976, 47),
        (3, "Q", 6067, 0.001362, 0.193462, 0.359571, 1.345243, 0.26729, 0.99051, 46),
        (103, "L", 5123, -0.000603, 0.215623, 0.884733, 1.343571, 0.65849, 1.00969, 47),
        (203, "L", 4112, 0.001522, 0.220486, 1.402741, 1.345562, 1.04249, 1.04795, 47),
        (303, "L", 3229, 0.067957, 0.280694, 2.0, 1.365797, 1.46, 1.30407, 47),
    ] {
        let fit = fit_pixels(&slice(first), &settings(options)).unwrap();
        assert_eq!((fit.histogram.n_bins(), fit.included_pixels, fit.ndf), (52, included, ndf));
        assert_close("μ0", fit.mu0().value, mu0, 1e-4);
        assert_close("σ", fit.sigma().value, sigma, 1e-4);
        assert_close("λ", fit.lambda().value, lambda, 1e-4);
        assert_close("g", fit.gain().value, gain, 1e-4);
        assert_close("λ/g", fit.lambda_in_electrons().value, electrons, if lambda == 2.0 { 5e-3 } else { 1e-4 });
        assert_close("chi2", fit.chi2(), chi2, 1e-4);
        assert_eq!(fit.status.has(Status::AT_LIMIT), lambda == 2.0);
        assert_eq!(fit.lambda().at_limit, lambda == 2.0);
    }
    // the improved fit of rows 103…112 (spec 03 §1.11)
    let improved = DarkCurrentSettings { method: Method::Binned, window_peaks: false, ..settings("") };
    let fit = fit_pixels(&slice(103), &improved).unwrap();
    let direct = fit.direct.unwrap();
    for (parameter, value, error) in [
        (&direct.n_total, 5973.7, 94.6),
        (fit.mu0(), -0.000619, 0.003934),
        (fit.sigma(), 0.215042, 0.002213),
        (&direct.electrons, 0.658293, 0.018827),
        (fit.gain(), 1.343533, 0.006214),
    ] {
        assert_close(parameter.name, parameter.value, value, 0.005 * error + digits(value, 5));
        assert_close("error", parameter.error, error, 1e-3 * error);
    }
    let (down, up) = direct.electrons.profile_errors().unwrap();
    assert_close("L −", down, -0.018579, 1e-5);
    assert_close("L +", up, 0.019080, 1e-5);
    assert_close("objective", fit.objective, 47.61509, 1e-4);
    assert_eq!(fit.ndf, 47);
}

#[test]
fn golden_variants() {
    // the Python tool on one image, 15 ways: 0.003 of an error on the same histogram, `chi2` of a Q fit to 3e-5
    let Some(variants) = test_data::json("golden/small/variants/dcfit.json") else {
        return;
    };
    let Some(histograms) = test_data::npz("golden/small/variants/dcfit_hist.npz") else {
        return;
    };
    let mut compared = 0;
    for (name, variant) in variants.as_object().unwrap() {
        let parameter = |key: &str| variant["params"][key].as_f64();
        let limits = |key: &str| (parameter(&format!("{key}_min")).unwrap(), parameter(&format!("{key}_max")).unwrap());
        let settings = DarkCurrentSettings {
            options: FitOptions::parse(variant["params"]["fit_options"].as_str().unwrap()),
            window: automatic_window(parameter("x_min"), parameter("x_max"), 5.0, 3, None, &[]),
            bin_width: BinWidth::from_size(parameter("binning_size").unwrap()),
            n_peaks: parameter("n_peaks").unwrap() as usize,
            calibration: parameter("calibration").unwrap(),
            free_gain: variant["params"]["do_calibration"].as_bool().unwrap(),
            limits: ParameterLimits {
                mu0: (-1.0, 1.0),
                sigma: limits("sigma"),
                lambda: limits("dc"),
                gain: limits("gain"),
            },
            linear_term: variant["params"]["add_linear_DQ"].as_bool().unwrap_or(false).then_some((0.0, 0.0)),
            ..Default::default()
        };
        // the arrays include under- and overflow
        let (counts, edges) = (&histograms[&format!("{name}/counts")], &histograms[&format!("{name}/edges")]);
        let counts: Vec<u64> = counts[1..counts.len() - 1].iter().map(|&count| count as u64).collect();
        let included: u64 = counts.iter().sum();
        assert_eq!(variant["included_pixels"].as_u64(), Some(included));
        assert_eq!(settings.bin_width.n_bins(settings.window, included as usize), Ok(counts.len()), "{name}");
        let histogram = Histogram::from_counts(edges[0], edges[counts.len()], counts).unwrap();
        let fit = fit_histogram(&histogram, &settings).unwrap();

        assert_eq!(variant["ndf"].as_i64(), Some(fit.ndf), "{name}");
        assert_close("norm_guess", fit.norm_guess, variant["norm_guess"].as_f64().unwrap(), 1e-9);
        assert_close("sigma_guess", fit.sigma_guess, variant["sigma_guess"].as_f64().unwrap(), 1e-12);
        let chi2 = variant["chi2_attr"].as_f64().unwrap();
        // one peak leaves norm, λ and gain degenerate: there the reference stops somewhere in the valley
        let degenerate = name.starts_with("npeaks1");
        let mut worst: (f64, f64) = (0.0, 0.0);
        for (parameter, golden) in fit.parameters.iter().zip(variant["fit"].as_array().unwrap()) {
            let (value, error) = (golden["value"].as_f64().unwrap(), golden["error"].as_f64().unwrap());
            if degenerate {
                continue;
            }
            if parameter.fixed || parameter.at_limit {
                assert_close(parameter.name, parameter.value, value, 1e-3 * error + 1e-12);
            } else {
                worst.0 = worst.0.max((parameter.value - value).abs() / error);
                worst.1 = worst.1.max((parameter.error / error - 1.0).abs());
            }
        }
        println!(
            "{name}: {:.4} of an error, errors to {:.4}, chi2 to {:.1e}, start {:?}",
            worst.0,
            worst.1,
            fit.chi2() / chi2 - 1.0,
            fit.start
        );
        assert!(worst.0 < 0.003, "{name}");
        assert!(worst.1 < 0.01, "{name}");
        assert_close(name, fit.chi2(), chi2, 3e-5 * chi2);
        compared += 1;
    }
    assert_eq!(compared, 15);
}

#[test]
fn minos_agrees_with_minuit() {
    // the tiny histogram by likelihood: Minuit as an independent witness, to its own tolerance of the crossing
    let settings = DarkCurrentSettings {
        limits: ParameterLimits { mu0: (-1.0, 1.0), sigma: (0.001, 1.0), lambda: (0.001, 2.0), gain: (0.8, 1.8) },
        ..real("LE", 2)
    };
    let histogram = tiny();
    let fit = fit_histogram(&histogram, &settings).unwrap();
    let objective = |p: &[f64]| {
        let p = [p[0], p[1], p[2], p[3], p[4], 0.0, 0.0];
        let expected: Vec<f64> = (0..24).map(|bin| density(&p, 2, histogram.centre(bin))).collect();
        objective::baker_cousins(&histogram.contents(), &expected)
    };
    let mut search = minuit2::MnMigrad::new().tolerance(1e-3);
    for parameter in &fit.parameters[..5] {
        search = search.add(parameter.name, parameter.value, parameter.error);
    }
    let minimum = search.minimize(&objective);
    let minimum = minuit2::MnHesse::new().calculate(&objective, &minimum);
    assert!((minimum.fval() - fit.objective).abs() < 1e-5);
    let minos = minuit2::MnMinos::new(&objective, &minimum).with_tolerance(0.01);
    for (k, parameter) in fit.parameters[..5].iter().enumerate() {
        let ((down, up), (minuit_down, minuit_up)) = (parameter.profile_errors().unwrap(), minos.errors(k));
        println!("{}: {down} {up}, Minuit {minuit_down} {minuit_up}", parameter.name);
        assert!((down / minuit_down - 1.0).abs() < 5e-3 && (up / minuit_up - 1.0).abs() < 5e-3);
        assert!((minimum.user_state().errors()[k] / parameter.error - 1.0).abs() < 5e-3);
    }
}
