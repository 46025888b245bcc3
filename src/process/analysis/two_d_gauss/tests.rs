//! The fit against the toy of spec 03 §4, and the process on two-amplifier images.

use std::f64::consts::TAU;

use super::*;
use crate::image::Region;
use crate::process::analysis::fit_verdict::FitVerdict;
use crate::process::{CommonParameters, registry};
use crate::stats::distributions::poisson_quantile;

const NAME: &str = "mean_compressed_pedestal_subtracted";

/// The generator of spec 03 §1.10.
struct SplitMix(u64);

impl SplitMix {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / 9_007_199_254_740_992.0
    }
}

/// Pairs drawn from the model.
fn toy(seed: u64, n: usize, p: &Parameters) -> Vec<(f64, f64)> {
    let mut random = SplitMix(seed);
    let (sine, cosine) = p[THETA].sin_cos();
    (0..n)
        .map(|_| {
            let [u1, u2, u3, u4] = std::array::from_fn(|_| random.uniform());
            let r = (-2.0 * (1.0 - u1).ln()).sqrt();
            let (alpha, beta) = (p[SIG] * r * (TAU * u2).cos(), p[SIG + 1] * r * (TAU * u2).sin());
            let (i, j) = (poisson_quantile(u3, p[DC]) as f64, poisson_quantile(u4, p[DC + 1]) as f64);
            (
                p[OFFSET] + p[CAL] * i + alpha * cosine + beta * sine,
                p[OFFSET + 1] + p[CAL + 1] * j - alpha * sine + beta * cosine,
            )
        })
        .collect()
}

const TRUTH: Parameters = [1000.0, std::f64::consts::FRAC_PI_6, 0.05, 0.1, 1.0, 2.0, 7.0, 8.0, 0.1, -0.2];

fn toy_process() -> TwoDGaussProcess {
    serde_json::from_str(
        r#"{"q_min_ADU": -10, "q_max_ADU": 30, "bin_size": 0.4, "dc_L": 0.05, "dc_U": 0.05, "sig_L": 1.5, "sig_U": 1.5,
            "cal_L": 7, "cal_U": 7, "fit_opt": "L"}"#,
    )
    .unwrap()
}

#[test]
fn toy_of_the_specification() {
    let pairs = toy(77, 20_000, &TRUTH);
    for (x, y, ex, ey) in
        [(pairs[0].0, pairs[0].1, -0.71169443, 0.36177631), (pairs[1].0, pairs[1].1, -0.34834765, 2.10505497)]
    {
        assert!((x - ex).abs() < 1e-8 && (y - ey).abs() < 1e-8);
    }
    let (sum_x, sum_y) = pairs.iter().fold((0.0, 0.0), |s, p| (s.0 + p.0, s.1 + p.1));
    assert!((sum_x - 9288.0327).abs() < 1e-4 && (sum_y - 12085.6605).abs() < 1e-4);

    let process = toy_process();
    let histogram = PairHistogram::new(&pairs, -10.0, 30.0, 0.4);
    assert_eq!((histogram.n_bins, histogram.max(), histogram.non_empty()), (100, 239.0, 1149));
    let options = FitOptions::parse("LE");
    let begin = process.start_and_limits(histogram.max());
    let fit = fit_pairs(&histogram, &begin, Peaks { x: 2, y: 2 }, &options).unwrap();
    let expected = [
        (A, 249.363, 2.51),
        (THETA, 29.990_f64.to_radians(), 0.277_f64.to_radians()),
        (DC, 0.050498, 0.00160),
        (DC + 1, 0.100592, 0.00229),
        (SIG, 1.01318, 0.00519),
        (SIG + 1, 2.01619, 0.0103),
        (CAL, 6.9644, 0.0366),
        (CAL + 1, 8.06619, 0.0365),
    ];
    for (k, value, error) in expected {
        // the values are given with an accuracy of about 0.003 of their errors
        assert!((fit.values[k] - value).abs() < 0.01 * error, "{}: {} ± {}", NAMES[k], fit.values[k], fit.errors[k]);
        assert!((fit.errors[k] / error - 1.0).abs() < 0.01, "{}: error {}", NAMES[k], fit.errors[k]);
    }
    assert!((fit.values[OFFSET] - 0.11214).abs() < 2e-4 && (fit.values[OFFSET + 1] + 0.20568).abs() < 2e-4);
    assert!((fit.objective - 2131.144).abs() < 2e-3, "{}", fit.objective);
    assert_eq!(fit.ndf, 9990);
    assert!(fit.verdict.is_good(), "{}", fit.verdict.text());
    // intervals of a nearly parabolic likelihood: within 5 % of the parabolic errors
    let intervals = fit.profile_errors.unwrap();
    for k in 0..N {
        let (down, up) = intervals[k];
        assert!((down / -fit.errors[k] - 1.0).abs() < 0.05 && (up / fit.errors[k] - 1.0).abs() < 0.05, "{}", NAMES[k]);
    }
}

#[test]
fn likelihood_and_chi_square_find_the_truth() {
    let pairs = toy(5, 50_000, &TRUTH);
    let histogram = PairHistogram::new(&pairs, -10.0, 30.0, 0.4);
    let process = toy_process();
    let begin = process.start_and_limits(histogram.max());
    for options in ["L", "LI", "Q"] {
        let fit = fit_pairs(&histogram, &begin, Peaks { x: 2, y: 2 }, &FitOptions::parse(options)).unwrap();
        for k in [THETA, CAL, CAL + 1, OFFSET, OFFSET + 1] {
            assert!(
                (fit.values[k] - TRUTH[k]).abs() < 5.0 * fit.errors[k],
                "{options} {}: {}",
                NAMES[k],
                fit.values[k]
            );
        }
        // the bin centre inflates the noise: σ² + w²/12 (0.67 % and 0.17 % of σ); χ² is biased by sparse bins
        let tolerance = if options == "LI" { 0.0 } else { 0.02 };
        for k in [SIG, SIG + 1] {
            let allowed = 5.0 * fit.errors[k] + tolerance * TRUTH[k];
            assert!((fit.values[k] - TRUTH[k]).abs() < allowed, "{options} {}: {}", NAMES[k], fit.values[k]);
        }
    }
}

#[test]
fn objectives_have_the_derivatives_they_claim() {
    use crate::stats::bounded_search::Objective;
    let histogram = PairHistogram::new(&toy(5, 20_000, &TRUTH), -4.0, 6.0, 0.5);
    for options in ["L", "LI", "P", "Q", "W", "WW"] {
        let parsed = FitOptions::parse(options);
        let mut objective =
            objective::PairObjective::new(&histogram, parsed.objective, parsed.bin_value, Peaks { x: 1, y: 1 });
        let mut p = TRUTH;
        p[A] = 300.0;
        let here = objective.expand(&p);
        for k in 0..N {
            let step = 1e-5 * p[k].abs().max(0.1);
            let mut at = |by: f64| {
                let mut q = p;
                q[k] += by;
                objective.expand(&q).value
            };
            let difference = (at(step) - at(-step)) / (2.0 * step);
            // rounding of F over the step
            let rounding = 4.0 * f64::EPSILON * here.value.abs() / step;
            let allowed = 1e-5 * difference.abs() + rounding + 1e-4;
            assert!(
                (here.gradient[k] - difference).abs() < allowed,
                "{options} {}: {} {difference}",
                NAMES[k],
                here.gradient[k]
            );
        }
    }
}

#[test]
fn the_turned_solution_is_the_same_with_the_smallest_angle() {
    let pairs = toy(11, 20_000, &TRUTH);
    let histogram = PairHistogram::new(&pairs, -10.0, 30.0, 0.4);
    let mut process = toy_process();
    // limits that hold only the turned solution: θ = 30° − 90° = −60°, noises exchanged
    process.theta = -60.0;
    process.theta_range = Some([-80.0, -40.0]);
    let begin = process.start_and_limits(histogram.max());
    let fit = fit_pairs(&histogram, &begin, Peaks { x: 2, y: 2 }, &FitOptions::parse("L")).unwrap();
    assert!((fit.values[THETA].to_degrees() - 30.0).abs() < 2.0, "{}", fit.values[THETA].to_degrees());
    assert!(fit.values[SIG] < 1.2 && fit.values[SIG + 1] > 1.8, "{:?}", fit.values);
    let lattice = Lattice::new(&fit.values, Peaks { x: 2, y: 2 });
    assert!(lattice.value(0.0, 0.0) > 100.0);
}

/// An image whose halves hold the pairs, U mirrored.
fn image_of(pairs: &[(f64, f64)], rows: usize) -> RawData {
    let half = pairs.len() / rows;
    let mut pixels = Array2::zeros((rows, 2 * half));
    for (k, (x, y)) in pairs.iter().take(rows * half).enumerate() {
        pixels[[k / half, k % half]] = *x;
        pixels[[k / half, 2 * half - 1 - k % half]] = *y;
    }
    let mut raw = RawData::from_image(NAME, pixels);
    let amplifier = |name: &str, side, cols: std::ops::Range<usize>| Amplifier {
        side,
        full: Region::new(0..rows, cols.clone()),
        overscan: Region::new(0..rows, cols.end..cols.end),
        active: Region::new(0..rows, cols),
        ..Amplifier::whole_image(name, 0, rows, 2 * half)
    };
    raw.amplifiers = vec![amplifier("U", Side::U, half..2 * half), amplifier("L", Side::L, 0..half)];
    raw
}

fn run(process: &TwoDGaussProcess, raw: &mut RawData) -> Result<(), ProcessError> {
    let common = CommonParameters { save_plots: true, ..CommonParameters::default() };
    let entry = registry::find("TwoDGaussProcess").unwrap();
    raw.report.enter(0, entry.tag, None);
    process.execute(raw, &Context { entry, common: &common, amplifier: 0, seed: 321 })
}

#[test]
fn the_process_calibrates_and_decorrelates_at_full_size() {
    let mut raw = image_of(&toy(3, 20_000, &TRUTH), 100);
    let process = TwoDGaussProcess { do_decorrelation: true, ..toy_process() };
    run(&process, &mut raw).unwrap();
    let fit = raw.products.get::<PairFit>().unwrap().clone();
    assert!(fit.verdict.is_good());
    let electrons = &raw.images[&format!("{NAME}_e")];
    assert_eq!(electrons.dim(), (100, 400));
    assert_eq!(electrons[[3, 7]], raw.images[NAME][[3, 7]] / fit.values[CAL]);
    assert_eq!(electrons[[3, 307]], raw.images[NAME][[3, 307]] / fit.values[CAL + 1]);
    assert_eq!(raw.products.get_for::<Gain>("U").unwrap().adu_per_electron, fit.values[CAL + 1]);
    // without electrons, the rotated halves are uncorrelated: |r| < 5/√n
    let rotated = &raw.images[&format!("{NAME}_decorrelated")];
    let (mut su, mut sv, mut suv, mut n) = (0.0, 0.0, 0.0, 0.0);
    for row in 0..100 {
        for c in 0..200 {
            let (u, v) = (rotated[[row, c]], rotated[[row, 399 - c]]);
            if u.abs() < 3.0 && v.abs() < 3.5 {
                (su, sv, suv, n) = (su + u * u, sv + v * v, suv + u * v, n + 1.0);
            }
        }
    }
    let r = suv / (su * sv).sqrt();
    // the angle is known to 0.3°: r changes by 2·(s_U² − s_L²)/(2 s_L s_U)·δθ = 0.008 per 0.3°
    assert!(r.abs() < 5.0 / f64::sqrt(n) + 0.03, "{r}");
    let card = |k: &str| raw.report.cards.iter().find(|c| c.keyword == k).and_then(|c| c.value.as_f64());
    assert_eq!(card("TDGTHETA"), Some(fit.values[THETA]));
    assert_eq!(card("TDGTHETAE"), Some(fit.errors[THETA]));
    assert_eq!(card("TDGNPIX"), Some(20_000.0));
    assert_eq!(card("TDGSTAT"), Some(0.0));
    assert_eq!(raw.report.figures[0].figure.name, "TwoDGaussProcess_BestFit");
    assert_eq!(raw.report.figures[0].figure.panels[0].series.len(), 2);
}

#[test]
fn gains_without_a_fit_and_fits_without_data() {
    let mut raw = image_of(&toy(3, 400, &TRUTH), 20);
    let process = TwoDGaussProcess { do_fit: false, cal_l: 5.0, cal_u: 10.0, ..toy_process() };
    run(&process, &mut raw).unwrap();
    assert_eq!(raw.images[&format!("{NAME}_e")][[0, 0]], raw.images[NAME][[0, 0]] / 5.0);
    assert!(raw.report.cards.is_empty());

    // everything outside of the histogram: no fit, the configured gains, and a warning for each
    let mut raw = image_of(&vec![(500.0, 500.0); 400], 20);
    run(&toy_process(), &mut raw).unwrap();
    assert_eq!(raw.images[&format!("{NAME}_e")][[0, 0]], 500.0 / 7.0);
    assert!(raw.report.warnings().count() >= 2);
    assert!(raw.products.get::<PairFit>().is_none());
}

#[test]
fn gains_on_a_limit_are_no_measurement() {
    // the gain of L is 7 ADU/e⁻; the limits exclude it
    let mut raw = image_of(&toy(3, 20_000, &TRUTH), 100);
    let process = TwoDGaussProcess { cal_l: 5.0, cal_l_range: Some([4.0, 6.0]), ..toy_process() };
    run(&process, &mut raw).unwrap();
    let fit = raw.products.get::<PairFit>().unwrap();
    assert!(fit.at_limit.contains(&"cal_L"), "{:?}", fit.at_limit);
    assert_eq!(fit.usable(CAL), None);
    assert_eq!(raw.images[&format!("{NAME}_e")][[0, 0]], raw.images[NAME][[0, 0]] / 5.0);
    let warned = raw.report.warnings().any(|w| w.text.contains("no usable gain: cal_L = 5"));
    assert!(warned, "{:?}", raw.report.log);
}

#[test]
fn masks_and_amplifiers() {
    let mut raw = image_of(&toy(3, 400, &TRUTH), 20);
    let asked = TwoDGaussProcess { mask_clusters: Some(true), ..toy_process() };
    assert!(matches!(run(&asked, &mut raw), Err(ProcessError::NotRunBefore { .. })));
    let mut single = RawData::from_image(NAME, Array2::zeros((4, 4)));
    let error = run(&toy_process(), &mut single).unwrap_err().to_string();
    assert!(error.contains("EXT0"), "{error}");

    let mut pixels = Array2::from_elem((20, 40), false);
    pixels[[0, 0]] = true;
    pixels[[1, 39]] = true;
    raw.masks.insert("mask_clusters".into(), crate::image::raw_data::Mask { pixels, extname: None });
    let (l, u) = (raw.amplifiers[1].clone(), raw.amplifiers[0].clone());
    assert_eq!(asked.pairs(&mut raw, NAME, &l, &u).unwrap().len(), 398);
}

#[test]
fn a_wrong_model_is_contradicted() {
    // a third of the pairs come from another distribution
    let mut pairs = toy(3, 20_000, &TRUTH);
    let other = Parameters::from([1.0, 0.0, 0.05, 0.1, 3.5, 0.5, 7.0, 8.0, 3.0, 3.0]);
    pairs.extend(toy(4, 10_000, &other));
    let histogram = PairHistogram::new(&pairs, -10.0, 30.0, 0.4);
    let begin = toy_process().start_and_limits(histogram.max());
    let fit = fit_pairs(&histogram, &begin, Peaks { x: 2, y: 2 }, &FitOptions::parse("L")).unwrap();
    assert!(fit.verdict.has(FitVerdict::CONTRADICTED), "{:?}", fit.merged_chi2);
}

#[test]
fn ranges_follow_their_start_values() {
    let process: TwoDGaussProcess =
        serde_json::from_str(r#"{"cal_L": 12, "sig_U": 1, "dc_U_range": [0.01, 1]}"#).unwrap();
    let begin = process.start_and_limits(10.0);
    assert_eq!((begin.bounds.lo[CAL], begin.bounds.hi[CAL]), (9.0, 15.0));
    assert_eq!((begin.bounds.lo[SIG + 1], begin.bounds.hi[SIG + 1]), (0.01, 4.0));
    assert_eq!((begin.bounds.lo[DC + 1], begin.bounds.hi[DC + 1]), (0.01, 1.0));
    assert_eq!(begin.bounds.hi[THETA], 1.0);
    let problems =
        serde_json::from_str::<TwoDGaussProcess>(r#"{"sig_L_range": [-1, 5], "bin_size": 0}"#).unwrap().check();
    assert_eq!(problems.len(), 2, "{problems:?}");
}
