//! Closure: images with known noise in common.

use ndarray::{Array2, Array3};

use super::*;
use crate::image::{Side, SkipCube};
use crate::process::{CommonParameters, registry};
use crate::stats::random::{Poisson, Stream};
use crate::stats::robust::{self, Ddof};

const IMAGE: &str = "mean_compressed_pedestal_subtracted";

fn run(process: &CorrelatedNoiseProcess, raw: &mut RawData) -> Result<(), ProcessError> {
    let common = CommonParameters { save_plots: true, ..CommonParameters::default() };
    let entry = registry::find("CorrelatedNoiseProcess").unwrap();
    raw.report.enter(0, entry.tag, None);
    process.execute(raw, &Context { entry, common: &common, amplifier: 0, seed: 321 })
}

fn result(raw: &RawData, amplifier: &str) -> CorrelatedNoise {
    raw.products.get_for::<CorrelatedNoise>(amplifier).unwrap().clone()
}

/// Own noise of each channel and the factor with which the common noise (variance 1) enters it, ADU.
const OWN: [f64; 4] = [1.5, 1.2, 2.0, 1.0];
const FACTOR: [f64; 4] = [1.0, 0.8, -0.5, 0.0];

/// Noise that remains after the best linear correction.
fn expected_after(a: usize) -> f64 {
    let others: f64 = (0..4).filter(|b| *b != a).map(|b| (FACTOR[b] / OWN[b]).powi(2)).sum();
    (OWN[a].powi(2) + FACTOR[a].powi(2) / (1.0 + others)).sqrt()
}

/// Four stacked extensions of `rows` × (`active` + `overscan`) pixels, 10 ADU/e⁻, dark current 0.3 e⁻.
fn stacked(rows: usize, active: usize, overscan: usize, seed: u64) -> RawData {
    let mut random = Stream::from_seed(seed);
    let cols = active + overscan;
    let mut pixels = Array2::zeros((4 * rows, cols));
    let poisson = Poisson::new(0.3);
    for row in 0..rows {
        for col in 0..cols {
            let common = random.normal();
            for a in 0..4 {
                let charge = if col < active { 10.0 * poisson.draw(&mut random) as f64 } else { 0.0 };
                pixels[[a * rows + row, col]] = charge + FACTOR[a] * common + OWN[a] * random.normal();
            }
        }
    }
    let mut raw = RawData::from_image(IMAGE, pixels);
    raw.stacked = true;
    raw.amplifiers = (0..4)
        .map(|a| Amplifier {
            full: Region::new(a * rows..(a + 1) * rows, 0..cols),
            active: Region::new(a * rows..(a + 1) * rows, 0..active),
            overscan: Region::new(a * rows..(a + 1) * rows, active..cols),
            ..Amplifier::whole_image(&format!("EXT{}", a + 1), a + 1, 4 * rows, cols)
        })
        .collect();
    raw
}

fn with_gain(weights: &str) -> CorrelatedNoiseProcess {
    serde_json::from_str(&format!(r#"{{"gain": 10, "weights": "{weights}"}}"#)).unwrap()
}

#[test]
fn the_noise_falls_to_what_theory_allows_and_the_charge_stays() {
    let mut raw = stacked(200, 100, 60, 1);
    run(&with_gain("image"), &mut raw).unwrap();
    let n = 200.0 * 60.0;
    for a in 0..4 {
        let r = result(&raw, &format!("EXT{}", a + 1));
        let before = (OWN[a].powi(2) + FACTOR[a].powi(2)).sqrt();
        assert!((r.before / before - 1.0).abs() < 5.0 / f64::sqrt(2.0 * n), "{a}: {}", r.before);
        if FACTOR[a] == 0.0 {
            assert!(!r.applied, "nothing in common, nothing subtracted: chance {}", r.chance);
            continue;
        }
        assert!(r.applied);
        assert!(
            (r.after / expected_after(a) - 1.0).abs() < 5.0 / f64::sqrt(2.0 * n),
            "{a}: {} {}",
            r.after,
            expected_after(a)
        );
        // the best weight of channel b: g_a·g_b/σ_b² / (1 + Σ g²/σ²)
        let others: f64 = (0..4).filter(|b| *b != a).map(|b| (FACTOR[b] / OWN[b]).powi(2)).sum();
        for (k, b) in (0..4).filter(|b| *b != a).enumerate() {
            let best = FACTOR[a] * FACTOR[b] / OWN[b].powi(2) / (1.0 + others);
            assert!(
                (r.weights[k] - best).abs() < 5.0 * r.errors[k],
                "{a} {b}: {} ± {} {best}",
                r.weights[k],
                r.errors[k]
            );
        }
        let correlation = FACTOR[a] * FACTOR[1] / (before * (OWN[1].powi(2) + FACTOR[1].powi(2)).sqrt());
        if a != 1 {
            assert!((r.correlation_before[1] - correlation).abs() < 5.0 / f64::sqrt(n), "{}", r.correlation_before[1]);
        }
    }
    // the active region, which the fit has not seen: no charge is lost, and the noise of the peaks falls as promised
    let (before, after) = (&raw.images[IMAGE], &raw.images[&format!("{IMAGE}_correlated")]);
    for (a, amplifier) in raw.amplifiers.iter().enumerate().take(3) {
        let (x, y) = (amplifier.active.view(before), amplifier.active.view(after));
        let difference = (&y - &x).mean().unwrap();
        assert!(difference.abs() < 5.0 * before_rms(&y, &x) / f64::sqrt(20_000.0), "{difference}");
        let residues: Vec<f64> = y.iter().map(|q| q - 10.0 * (q / 10.0).round()).collect();
        let (_, std) = robust::mean_and_std(&residues, Ddof::Sample);
        // residues of ±5 ADU cut the tails of a 2 ADU noise a little
        assert!((std / expected_after(a) - 1.0).abs() < 0.03, "{a}: {std} {}", expected_after(a));
    }
    assert_eq!(raw.report.figures[0].figure.name, "CorrelatedNoiseProcess");
    assert_eq!(raw.report.figures[0].figure.panels.len(), 6);
    let card = |k: &str| raw.report.cards.iter().find(|c| c.keyword == k).and_then(|c| c.value.as_f64());
    assert_eq!(card("CNAPP1"), Some(1.0));
    assert_eq!(card("CNAPP4"), Some(0.0));
    assert_eq!(card("CNSIGA1"), Some(result(&raw, "EXT1").after));
}

fn before_rms(y: &ndarray::ArrayView2<f64>, x: &ndarray::ArrayView2<f64>) -> f64 {
    let differences: Vec<f64> = (y - x).iter().copied().collect();
    robust::mean_and_std(&differences, Ddof::Sample).1
}

#[test]
fn couplings_that_drift_are_followed_row_by_row() {
    // the coupling of the second channel changes sign in the middle of the image
    let (rows, cols) = (60, 120);
    let mut random = Stream::from_seed(3);
    let mut pixels = Array2::zeros((rows, 2 * cols));
    for row in 0..rows {
        let factor = if row < rows / 2 { 1.0 } else { -1.0 };
        for col in 0..cols {
            let common = 2.0 * random.normal();
            pixels[[row, col]] = common + random.normal();
            pixels[[row, 2 * cols - 1 - col]] = factor * common + random.normal();
        }
    }
    let half = |name: &str, side, cols: std::ops::Range<usize>, overscan| Amplifier {
        side,
        full: Region::new(0..rows, cols),
        overscan: Region::new(0..rows, overscan),
        ..Amplifier::whole_image(name, 0, rows, 240)
    };
    let mut results = Vec::new();
    for weights in ["image", "row"] {
        let mut raw = RawData::from_image(IMAGE, pixels.clone());
        raw.amplifiers = vec![half("U", Side::U, 120..240, 120..160), half("L", Side::L, 0..120, 80..120)];
        let process: CorrelatedNoiseProcess = serde_json::from_str(&format!(r#"{{"weights": "{weights}"}}"#)).unwrap();
        run(&process, &mut raw).unwrap();
        results.push(result(&raw, "L"));
    }
    // on average the couplings cancel; row by row the noise falls from √5 to √(1 + 4/5)
    assert!(!results[0].applied || results[0].after > 2.1, "{:?}", results[0]);
    assert!(results[1].applied && results[1].own_rows == 60);
    let expected = (1.0 + 4.0 / 5.0_f64).sqrt();
    assert!((results[1].after / expected - 1.0).abs() < 5.0 / f64::sqrt(2.0 * 2400.0), "{}", results[1].after);
}

#[test]
fn interference_that_changes_from_sample_to_sample_is_streamed_away() {
    // in every skip the second channel sees the common noise with another sign: the average hides the coupling
    let (rows, cols, skips) = (30, 100, 6);
    let mut random = Stream::from_seed(4);
    let mut cube = Array3::zeros((2 * rows, cols, skips));
    for row in 0..rows {
        for col in 0..cols {
            for k in 0..skips {
                let sign = if (k + row) % 2 == 0 { 1.0 } else { -1.0 };
                let common = 3.0 * random.normal();
                cube[[row, col, k]] = 500.0 + common + random.normal();
                cube[[rows + row, col, k]] = 700.0 + sign * common + random.normal();
            }
        }
    }
    let mean = cube.mean_axis(ndarray::Axis(2)).unwrap();
    let image = Array2::from_shape_fn((2 * rows, cols), |(r, c)| mean[[r, c]] - if r < rows { 500.0 } else { 700.0 });
    let make = || {
        let mut raw = RawData::from_image(IMAGE, image.clone());
        raw.nskips = skips;
        raw.stacked = true;
        raw.cube = Some(SkipCube::from_reals(cube.clone()));
        raw.amplifiers = (0..2)
            .map(|a| Amplifier {
                full: Region::new(a * rows..(a + 1) * rows, 0..cols),
                active: Region::new(a * rows..(a + 1) * rows, 0..60),
                overscan: Region::new(a * rows..(a + 1) * rows, 60..cols),
                ..Amplifier::whole_image(&format!("EXT{a}"), a, 2 * rows, cols)
            })
            .collect();
        raw
    };
    let sampled: CorrelatedNoiseProcess = serde_json::from_str(r#"{"weights": "row_and_sample"}"#).unwrap();
    let mut raw = make();
    run(&CorrelatedNoiseProcess::default(), &mut raw).unwrap();
    assert!(!result(&raw, "EXT0").applied, "on the average there is nothing in common");
    let mut raw = make();
    run(&sampled, &mut raw).unwrap();
    // one sample: √(1 + 9/10) remains of √10; columns that the fit has not seen
    let after = &raw.images[&format!("{IMAGE}_correlated")];
    let active: Vec<f64> = raw.amplifiers[0].active.view(after).iter().copied().collect();
    let (_, std) = robust::mean_and_std(&active, Ddof::Sample);
    // a weight of 0.9 from 40 columns has the variance 1.9/(40·10) and multiplies signals of variance 10; the mean of the
    // signal over these columns, which is taken out of it, moves the row by 0.9·√(10/40)
    let expected = ((1.9 * (1.0 + 1.0 / 40.0) + 0.81 * 10.0 / 40.0) / skips as f64).sqrt();
    assert!((std / expected - 1.0).abs() < 5.0 / f64::sqrt(2.0 * 1800.0), "{std} {expected}");
    let mut averaged = make();
    averaged.cube = None;
    assert!(run(&sampled, &mut averaged).unwrap_err().to_string().contains("row_and_sample"));
}

#[test]
fn delayed_signals_need_lags() {
    // channel 1 sees what channel 0 saw two pixels before
    let (rows, cols) = (100, 80);
    let mut random = Stream::from_seed(8);
    let mut pixels = Array2::zeros((2 * rows, cols));
    for row in 0..rows {
        let common: Vec<f64> = (0..cols + 2).map(|_| 2.0 * random.normal()).collect();
        for col in 0..cols {
            pixels[[row, col]] = common[col + 2] + random.normal();
            pixels[[rows + row, col]] = common[col] + random.normal();
        }
    }
    let make = || {
        let mut raw = RawData::from_image(IMAGE, pixels.clone());
        raw.stacked = true;
        raw.amplifiers = (0..2)
            .map(|a| Amplifier {
                full: Region::new(a * rows..(a + 1) * rows, 0..cols),
                overscan: Region::new(a * rows..(a + 1) * rows, 40..cols),
                ..Amplifier::whole_image(&format!("EXT{a}"), a, 2 * rows, cols)
            })
            .collect();
        raw
    };
    let mut raw = make();
    run(&CorrelatedNoiseProcess::default(), &mut raw).unwrap();
    assert!(!result(&raw, "EXT0").applied);
    let mut raw = make();
    run(&CorrelatedNoiseProcess { lags: 2, ..Default::default() }, &mut raw).unwrap();
    let r = result(&raw, "EXT0");
    assert_eq!(r.signals, ["EXT1-2", "EXT1-1", "EXT1+0", "EXT1+1", "EXT1+2"]);
    assert!((r.weights[4] - 0.8).abs() < 5.0 * r.errors[4], "{:?}", r.weights);
    assert!((r.after / 1.8f64.sqrt() - 1.0).abs() < 0.05, "{}", r.after);
}

#[test]
fn pixels_with_charge_in_the_other_channels_do_no_harm() {
    let mut raw = stacked(50, 60, 40, 5);
    // a bright cluster in EXT2: the correction of the others must not see it
    for row in 10..20 {
        for col in 10..20 {
            raw.images[IMAGE][[50 + row, col]] += 4000.0;
        }
    }
    let before = raw.images[IMAGE].clone();
    run(&with_gain("image"), &mut raw).unwrap();
    let after = &raw.images[&format!("{IMAGE}_correlated")];
    for row in 10..20 {
        for col in 10..20 {
            assert!((after[[row, col]] - before[[row, col]]).abs() < 5.0, "{}", after[[row, col]] - before[[row, col]]);
        }
    }
}

#[test]
fn what_cannot_be_done_is_said() {
    let mut single = RawData::from_image(IMAGE, Array2::zeros((4, 4)));
    run(&CorrelatedNoiseProcess::default(), &mut single).unwrap();
    assert_eq!(single.report.warnings().count(), 1);
    assert_eq!(single.images.len(), 1);

    let mut raw = stacked(20, 60, 40, 6);
    raw.amplifiers.iter_mut().for_each(|a| a.overscan.cols = 100..100);
    run(&with_gain("image"), &mut raw).unwrap();
    assert!(raw.report.warnings().any(|w| w.text.contains("overscan")), "falls back to the active region");
    assert!(result(&raw, "EXT1").applied);

    raw.amplifiers[3].full.cols = 0..50;
    assert!(run(&with_gain("image"), &mut raw).unwrap_err().to_string().contains("same shape"));
    let bad: CorrelatedNoiseProcess =
        serde_json::from_str(r#"{"n_sigma": 0, "lags": 9, "weights": "row_and_sample", "max_electrons": -1}"#).unwrap();
    assert_eq!(bad.check().len(), 4);
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut raw = stacked(30, 40, 30, 7);
        pool.install(|| run(&with_gain("row"), &mut raw)).unwrap();
        raw.images[&format!("{IMAGE}_correlated")].clone()
    };
    assert_eq!(with(1), with(4));
}
