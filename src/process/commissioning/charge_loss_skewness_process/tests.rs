//! The data of spec 04 §§6.2, 7.4, and simulated charge.

use super::asymmetry::tail_asymmetry;
use super::*;
use crate::image::SkipCube;
use crate::process::commissioning::test_data::normals;
use crate::process::{CommonParameters, registry};
use crate::stats::random::{Binomial, Poisson, Stream};
use ndarray::Array3;

/// 10 000 pixels of spec 04 §7.4; skip 0 is s, skip 1 the reference.
fn pixels(loss: bool) -> Vec<(i32, i32)> {
    let nearest = |mean: f64, z: f64| (mean + 20.0 * z).round() as i32;
    let pairs = normals(101, 10_000).into_iter().zip(normals(202, 10_000)).enumerate();
    pairs
        .map(|(i, (r, s))| {
            let lost = if loss && i % 50 == 0 { 150 } else { 0 };
            (nearest(2970.0, s), nearest(3000.0, r) - lost)
        })
        .collect()
}

fn near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() < tolerance, "{found}, expected {expected}");
}

#[test]
fn differences_of_the_specification() {
    for (loss, mu, sigma, above, below, kcl, u, g1, n) in [
        (false, -29.9685, 28.2778, 5, 5, 0.0, 0.316228, 0.01453, 9929),
        (true, -29.9921, 28.2570, 202, 5, 0.951691, 0.021342, 1.49443, 9929),
    ] {
        let d: Vec<f64> = pixels(loss).into_iter().map(|(s, r)| f64::from(s - r)).collect();
        let found = asymmetry(0, &d, 3.2, 8.0, 0.0);
        near(found.mu, mu, 6e-5);
        near(found.sigma, sigma, 6e-5);
        assert_eq!((found.n_above, found.n_below), (above, below));
        near(found.kcl, kcl, 6e-7);
        near(found.kcl_error, u, 6e-7);
        near(found.skewness, g1, 6e-6);
        near(found.skewness_error, 0.024575, 6e-7);
        // 71 and 69 exact zeros
        assert_eq!(10_000 - found.pixels, if loss { 69 } else { 71 });
        assert!(found.n_skewness.abs_diff(n) <= 2, "{}", found.n_skewness);
    }
}

#[test]
fn tails_of_the_specification() {
    let (k, u) = tail_asymmetry(40, 160);
    near(k, -0.6, 1e-12);
    near(u, 0.056569, 6e-7);
    let (k, u) = tail_asymmetry(20, 0);
    near(k, 1.0, 1e-12);
    near(u, 0.092943, 6e-7);
    assert!(tail_asymmetry(0, 0).0.is_nan());
}

#[test]
fn too_few_pixels_and_no_spread_have_a_reason() {
    assert!(asymmetry(0, &[1.0; 50], 3.2, 8.0, 0.0).problem.unwrap().contains("50"));
    assert!(asymmetry(0, &[2.0; 500], 3.2, 8.0, 0.0).problem.unwrap().contains("spread"));
    assert!(asymmetry(0, &[0.0; 500], 3.2, 8.0, 0.0).mu.is_nan());
}

#[test]
fn the_skips_that_are_compared() {
    let skips = |start, end, step, reference, all| {
        let process = ChargeLossSkewnessProcess {
            id_skip_start: start,
            id_skip_end: end,
            skip_step: step,
            id_skip_reference: reference,
            ..Default::default()
        };
        process.skips(all)
    };
    assert_eq!(skips(2, -1, 20, 1, 500).unwrap().len(), 25);
    assert_eq!(skips(0, -1, 50, 1, 64).unwrap().len(), 63);
    assert_eq!(skips(0, 9, 3, -1, 10).unwrap(), [0, 3, 6]);
    assert_eq!(skips(0, 9, 3, -4, 10).unwrap(), [0, 3, 9]);
    for (start, end, reference) in [(0, -1, 64), (64, -1, 1), (5, 3, 1), (0, 64, 1)] {
        assert!(skips(start, end, 5, reference, 64).is_err());
    }
}

/// Pixels with a Poisson charge that lose electrons with probability p per skip; white noise of 3 e⁻, 5 ADU/e⁻.
fn lossy(rows: usize, cols: usize, skips: usize, lambda: f64, p: f64, seed: u64) -> Array3<i32> {
    let mut random = Stream::from_seed(seed);
    let (poisson, binomial) = (Poisson::new(lambda), Binomial::new(p));
    let mut cube = Array3::zeros((rows, cols, skips));
    let mut noise = vec![0.0; skips];
    for r in 0..rows {
        for c in 0..cols {
            // the last tenth of the columns is overscan
            let mut charge = if c < cols * 9 / 10 { poisson.draw(&mut random) } else { 0 };
            random.fill_normal(15.0, &mut noise);
            for k in 0..skips {
                cube[[r, c, k]] = (1000.0 + 5.0 * charge as f64 + noise[k]).round() as i32;
                charge -= binomial.draw(charge, &mut random);
            }
        }
    }
    cube
}

fn run(cube: Array3<i32>, process: &ChargeLossSkewnessProcess) -> RawData {
    let (rows, cols, skips) = cube.dim();
    let mut raw = RawData::from_image("raw", ndarray::Array2::zeros((rows, cols)));
    raw.nskips = skips;
    raw.cube = Some(SkipCube::from_integers(cube));
    raw.amplifiers[0].active = Region::new(0..rows, 0..cols * 9 / 10);
    raw.amplifiers[0].overscan = Region::new(0..rows, cols * 9 / 10..cols);
    let common = CommonParameters { save_plots: true, ..CommonParameters::default() };
    let entry = registry::find("ChargeLossSkewnessProcess").unwrap();
    raw.report.enter(0, entry.tag, Some("EXT0"));
    process.execute(&mut raw, &Context { entry, common: &common, amplifier: 0, seed: 1 }).unwrap();
    raw
}

#[test]
fn the_loss_per_transfer_is_recovered() {
    for (i, p) in [0.0, 1e-4, 1e-3].into_iter().enumerate() {
        let raw = run(lossy(40, 100, 100, 50.0, p, 7 + i as u64), &ChargeLossSkewnessProcess::default());
        let found = raw.products.get_for::<ChargeLoss>("EXT0").unwrap();
        let loss = found.transfer.as_ref().unwrap();
        assert!(loss.is_measured());
        assert!((loss.probability - p).abs() < 4.0 * loss.error, "{p}: {} ± {}", loss.probability, loss.error);
        assert!(loss.error < 2e-4, "{}", loss.error);
        assert!(loss.interval.0 >= 0.0 && loss.interval.1 > loss.probability);
        assert_eq!(raw.report.cards.len(), 3);
        assert_eq!(raw.report.figures.len(), 1);
    }
}

#[test]
fn an_image_without_charge_says_nothing_about_its_loss() {
    let raw = run(lossy(20, 50, 40, 0.0, 0.0, 3), &ChargeLossSkewnessProcess::default());
    assert!(raw.report.cards.is_empty());
    assert!(raw.report.log.iter().any(|l| l.text.contains("too little charge")));
}

#[test]
fn rows_of_the_table_follow_the_definition() {
    let cube = lossy(20, 50, 12, 20.0, 0.01, 5);
    let process = ChargeLossSkewnessProcess { id_skip_reference: -1, skip_step: 3, ..Default::default() };
    let raw = run(cube.clone(), &process);
    let found = raw.products.get_for::<ChargeLoss>("EXT0").unwrap();
    assert_eq!(found.skips.iter().map(|a| a.skip).collect::<Vec<_>>(), [0, 3, 6, 9]);
    for a in &found.skips {
        let d: Vec<f64> = (0..20)
            .flat_map(|r| (0..45).map(move |c| (r, c)))
            .map(|(r, c)| f64::from(cube[[r, c, a.skip]] - cube[[r, c, 11]]))
            .collect();
        let total: f64 =
            (0..20).flat_map(|r| (0..45).map(move |c| (r, c))).map(|(r, c)| f64::from(cube[[r, c, a.skip]])).sum();
        assert_eq!(*a, asymmetry(a.skip, &d, 3.2, 8.0, total));
    }
    let [high, low] = found.extremes.as_ref().unwrap();
    assert!(high.samples[11] > low.samples[11]);
    assert_eq!(high.samples[0], f64::from(cube[[high.row, high.col, 0]]));
    assert_eq!(raw.report.tables[0].1.rows.len(), 4);
}

#[test]
fn skips_without_result_have_no_counts_and_a_reason() {
    // two skips are the same in all pixels
    let mut cube = lossy(20, 50, 12, 20.0, 0.0, 5);
    for k in [0, 3] {
        let reference = cube.index_axis(ndarray::Axis(2), 1).to_owned();
        cube.index_axis_mut(ndarray::Axis(2), k).assign(&reference);
    }
    let raw = run(cube.clone(), &ChargeLossSkewnessProcess::default());
    let table = &raw.report.tables[0].1;
    for row in &table.rows {
        let same = [0.0, 3.0].contains(&row[0]);
        assert_eq!((row[3].is_nan(), row[4].is_nan()), (same, same), "{row:?}");
    }
    let scalars = &raw.report.table_heads[&table.name].scalars;
    let reason = &scalars.iter().find(|(key, _)| key == "skips_without_result").unwrap().1;
    assert_eq!(reason, "0 3: 0 differences, 100 are needed");
    // the reference alone
    let process =
        ChargeLossSkewnessProcess { id_skip_reference: 4, id_skip_start: 4, id_skip_end: 4, ..Default::default() };
    let raw = run(cube, &process);
    assert!(raw.report.figures.is_empty() && raw.report.tables.is_empty());
    assert!(raw.report.warnings().any(|w| w.text.contains("reference skip 4")));
}
