//! The grids and the cube of spec 04 §§3.2, 7.3.

use super::*;
use crate::image::{Region, SkipCube};
use crate::process::commissioning::test_data::skip_cube;
use crate::process::{CommonParameters, registry};

fn run(process: &RNvsNskipsPlot, samples: ndarray::Array3<f64>, common: &CommonParameters) -> RawData {
    let skips = samples.dim().2;
    run_on(process, SkipCube::from_reals(samples), skips, common)
}

fn run_on(process: &RNvsNskipsPlot, cube: SkipCube, skips: usize, common: &CommonParameters) -> RawData {
    let mut raw = RawData::from_image("raw", ndarray::Array2::zeros((16, 48)));
    raw.nskips = skips;
    raw.cube = Some(cube);
    raw.amplifiers[0].active = Region::new(0..16, 0..32);
    raw.amplifiers[0].overscan = Region::new(0..16, 32..48);
    let entry = registry::find("NoiseVSSkipPlot").unwrap();
    raw.report.enter(0, entry.tag, Some("EXT0"));
    process.execute(&mut raw, &Context { entry, common, amplifier: 0, seed: 1 }).unwrap();
    raw
}

#[test]
fn grids_of_the_specification() {
    assert_eq!(grid(10, 64).unwrap(), [1, 10, 20, 30, 40, 50, 60, 64]);
    assert_eq!(grid(100, 500).unwrap(), [1, 100, 200, 300, 400, 500]);
    assert_eq!(grid(-10, 64).unwrap(), [1, 2, 3, 4, 6, 10, 16, 25, 40, 64]);
    assert_eq!(grid(-10, 54).unwrap(), [1, 2, 4, 6, 9, 14, 22, 35, 54]);
    assert_eq!(grid(1000, 3).unwrap(), [1, 3]);
    assert_eq!(grid(-1, 3).unwrap(), [1]);
    assert!(grid(0, 64).is_err() && grid(5, 0).is_err());
    assert_eq!(grid(i64::MIN, 4).unwrap(), [1, 2, 3, 4]);
}

#[test]
fn noise_of_the_cube() {
    // powers of two: logarithmic points of 64
    let process = RNvsNskipsPlot { n_skips_per_block: -7, is_blank: true, ..Default::default() };
    let raw = run(&process, skip_cube(), &CommonParameters::default());
    let found = &raw.products.get_for::<NoiseVsSkips>("EXT0").unwrap().curve;
    assert_eq!(found.n_skips, [1, 2, 4, 8, 16, 32, 64]);
    // digits of the specification
    for (noise, expected) in found.noise.iter().zip([12.0226, 8.4936, 6.0981, 4.2362, 2.9709, 2.1315, 1.5246]) {
        assert!((noise - expected).abs() < 6e-5, "{noise} {expected}");
    }
    assert!((found.slope + 0.49872).abs() < 6e-6 && (found.sigma_1 - 12.0176).abs() < 6e-5);
    assert!((found.slope + 0.5).abs() < 3.0 * found.slope_error && found.slope_error < 0.01);

    let process = RNvsNskipsPlot { n_skips_per_block: -7, ..Default::default() };
    let common = CommonParameters { save_plots: true, ..CommonParameters::default() };
    let raw = run(&process, skip_cube(), &common);
    let found = &raw.products.get_for::<NoiseVsSkips>("EXT0").unwrap().curve;
    for (noise, expected) in found.noise.iter().zip([11.0284, 7.4176, 6.2076, 4.1190, 3.0376, 2.2603, 1.5443]) {
        assert!((noise - expected).abs() < 6e-5, "{noise} {expected}");
    }
    // each point is within four of its errors of 12/√N, and so is the prediction of the spectrum
    for i in 0..7 {
        let expected = 12.0 / (found.n_skips[i] as f64).sqrt();
        assert!((found.noise[i] - expected).abs() < 4.0 * found.error[i]);
        let (predicted, error) = found.predicted.as_ref().unwrap()[i];
        assert!((predicted - expected).abs() < 4.0 * error, "{predicted} ± {error}");
    }
    let cards: Vec<_> = raw.report.cards.iter().map(|c| c.keyword.as_str()).collect();
    assert_eq!(cards, ["MERNL0", "MERNF0", "MERNA0"]);
    assert_eq!(raw.report.tables[0].1.name, "NoiseVSSkipPlot_EXT0");
    assert_eq!(raw.report.figures.len(), 1, "one amplifier: nothing to overlay");
}

#[test]
fn row_medians_are_removed_where_asked_for() {
    let mut cube = skip_cube();
    for ((row, _, _), x) in cube.indexed_iter_mut() {
        *x += 100.0 * row as f64;
    }
    let plain =
        run(&RNvsNskipsPlot { is_blank: true, ..Default::default() }, cube.clone(), &CommonParameters::default());
    let process = RNvsNskipsPlot { is_blank: true, subtract_row_median: true, ..Default::default() };
    let levelled = run(&process, cube, &CommonParameters::default());
    let last = |raw: &RawData| raw.products.get_for::<NoiseVsSkips>("EXT0").unwrap().curve.last().0;
    assert!(last(&plain) > 400.0, "rows differ");
    assert!((last(&levelled) - 1.5).abs() < 0.15, "{}", last(&levelled));
    // rows that differ may hold charge
    assert!(plain.report.warnings().any(|w| w.text.contains("charge, or noise that averaging does not reduce")));
}

/// The cube of spec 04 §7.3 as one whole region, read in 0.786432 s.
fn run_without_overscan(process: &RNvsNskipsPlot) -> RawData {
    let mut raw = RawData::from_image("raw", ndarray::Array2::zeros((16, 48)));
    raw.nskips = 64;
    raw.times.readout = 0.786432;
    raw.cube = Some(SkipCube::from_reals(skip_cube()));
    let entry = registry::find("RNvsNskipsPlot").unwrap();
    let common = CommonParameters::default();
    process.execute(&mut raw, &Context { entry, common: &common, amplifier: 0, seed: 1 }).unwrap();
    raw
}

#[test]
fn the_best_number_of_skips_needs_gain_times_and_exposure() {
    let process =
        RNvsNskipsPlot { gain: Some(4.0).into(), exposure_time: Some(100.0), dark_current: 10.0, ..Default::default() };
    let raw = run_without_overscan(&process);
    let found = raw.products.get_for::<NoiseVsSkips>("EXT0").unwrap();
    let best = found.optimum.unwrap();
    assert!(best.skips > 100.0 && best.skips <= 640.0, "3 e- per sample need many skips: {best:?}");
    assert_eq!(raw.report.warnings().count(), 1, "no overscan");
    assert!(raw.report.tables[0].1.columns.contains(&"noise_e".to_owned()));
}

#[test]
fn a_constant_image_has_no_noise_to_draw() {
    let common = CommonParameters { save_plots: true, ..CommonParameters::default() };
    let constant = ndarray::Array3::from_elem((16, 48, 8), 7);
    let cubes = [SkipCube::from_integers(constant.clone()), SkipCube::from_reals(constant.mapv(f64::from))];
    for raw in cubes.map(|cube| run_on(&RNvsNskipsPlot::default(), cube, 8, &common)) {
        assert!(raw.report.warnings().any(|w| w.text.contains("the noise is 0")));
        assert!(raw.report.figures.is_empty());
        assert!(raw.report.cards.iter().all(|c| c.keyword == "MERNL0"));
    }
}

#[test]
fn a_single_skip_has_noise_and_no_slope() {
    let common = CommonParameters { id_skip_start: Some(5), id_skip_end: Some(6), ..CommonParameters::default() };
    let raw = run(&RNvsNskipsPlot::default(), skip_cube(), &common);
    let cards: Vec<_> = raw.report.cards.iter().map(|c| c.keyword.as_str()).collect();
    assert_eq!(cards, ["MERNL0"]);
    let texts: Vec<_> = raw.report.log.iter().map(|l| l.text.as_str()).collect();
    assert!(texts.iter().any(|t| t.contains("with 1 skip; one number of skips has no slope")), "{texts:?}");
}

#[test]
fn the_best_number_at_the_end_of_the_search_is_a_lower_limit() {
    // 30 e- per sample in a long exposure: thousands of skips would be best, 640 are looked at
    let process = RNvsNskipsPlot { gain: Some(0.4).into(), exposure_time: Some(1e4), ..Default::default() };
    let raw = run_without_overscan(&process);
    assert!(raw.products.get_for::<NoiseVsSkips>("EXT0").unwrap().optimum.unwrap().is_lower_limit);
    let found = raw.report.measurements.iter().find(|m| m.name == "best_number_of_skips_at_least").unwrap();
    assert!(found.error.is_none() && found.value > 620.0 && found.value <= 640.0);
    assert!(raw.report.measurements.iter().all(|m| m.name != "best_number_of_skips"));
    let scalars = &raw.report.table_heads["NoiseVSSkipPlot_EXT0"].scalars;
    assert!(scalars.iter().any(|(key, _)| key == "best_number_of_skips_at_least"));
    assert!(raw.report.log.iter().any(|l| l.text.contains("at least 6")));
}

#[test]
fn an_averaged_image_is_left_alone() {
    let mut raw = RawData::from_image("mean_compressed", ndarray::Array2::zeros((4, 4)));
    let entry = registry::find("RNvsNskipsPlot").unwrap();
    let common = CommonParameters::default();
    let context = Context { entry, common: &common, amplifier: 0, seed: 1 };
    RNvsNskipsPlot::default().execute(&mut raw, &context).unwrap();
    assert_eq!(raw.report.warnings().count(), 1);
    assert_eq!(RNvsNskipsPlot { n_skips_per_block: 0, ..Default::default() }.check().len(), 1);
    let problems = RNvsNskipsPlot { gain: Some(-3.0).into(), ..Default::default() }.check();
    assert!(problems.len() == 1 && problems[0].starts_with("`gain` is -3"), "{problems:?}");
}
