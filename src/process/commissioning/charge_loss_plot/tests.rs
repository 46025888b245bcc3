//! Images, moments and equalisation against their definitions.

use super::*;
use crate::image::{Amplifier, Region, SkipCube};
use crate::process::commissioning::test_data::skip_cube;
use crate::process::{CommonParameters, registry};
use ndarray::{Array3, Axis};

fn run(process: &ChargeLossPlot, common: &CommonParameters, samples: Array3<f64>) -> Result<RawData, ProcessError> {
    let (rows, cols, skips) = samples.dim();
    let mut raw = RawData::from_image("mean_compressed", samples.mean_axis(Axis(2)).unwrap());
    raw.nskips = skips;
    raw.cube = Some(SkipCube::from_reals(samples));
    let half = |name: &str, cols: std::ops::Range<usize>| Amplifier {
        full: Region::new(0..rows, cols.clone()),
        active: Region::new(0..rows, cols.clone()),
        ..Amplifier::whole_image(name, 0, rows, cols.end)
    };
    raw.amplifiers = vec![half("U", cols / 2..cols), half("L", 0..cols / 2)];
    let entry = registry::find("ChargeLossPlot").unwrap();
    process.execute(&mut raw, &Context { entry, common, amplifier: 0, seed: 1 })?;
    Ok(raw)
}

#[test]
fn moments_and_images_are_those_of_the_skips() {
    let mut cube = skip_cube();
    cube[[2, 3, 10]] = f64::NAN;
    let common = CommonParameters { save_plots: true, save_image: true, ..CommonParameters::default() };
    let process = ChargeLossPlot { skip_id_list: vec![0, 10, -2], skip_id_baseline: 60, ..Default::default() };
    let raw = run(&process, &common, cube.clone()).unwrap();
    let table = &raw.report.tables[0].1;
    assert_eq!(table.rows.len(), 3 * 64);
    let labels = &raw.report.table_heads["ChargeLossPlot"].row_labels.as_ref().unwrap().1;
    for (number, (label, cols)) in [("all", 0..48), ("U", 24..48), ("L", 0..24)].into_iter().enumerate() {
        for k in [0, 10, 33] {
            let row = &table.rows[64 * number + k];
            assert_eq!(labels[64 * number + k], label);
            let values: Vec<f64> =
                (0..16).flat_map(|r| cols.clone().map(move |c| (r, c))).map(|(r, c)| cube[[r, c, k]]).collect();
            let (mean, std) = robust::mean_and_std(&values, robust::Ddof::Population);
            // rounding of 1000 in double precision
            assert!((row[1] - mean).abs() < 1e-9 && (row[2] - std).abs() < 1e-9, "{label} {k}");
            assert!((row[3] - (row[1] - table.rows[64 * number + 60][1])).abs() < 1e-12);
        }
    }
    let file = &raw.report.image_files[0];
    assert_eq!(file.name, "_skipper_chargeloss");
    let names: Vec<_> = file.hdus.iter().map(|h| h.extname.as_str()).collect();
    assert_eq!(names, ["SKIP0", "SKIP10", "SKIP62", "BASELINE", "MEAN", "DIFF0", "DIFF10", "DIFF62"]);
    assert_eq!(file.hdus[1].pixels[[5, 7]], cube[[5, 7, 10]]);
    assert_eq!(file.hdus[5].pixels[[5, 7]], cube[[5, 7, 0]] - cube[[5, 7, 60]]);
    assert!(file.hdus.iter().all(|h| h.single_precision == h.extname.starts_with("DIFF")));
    assert_eq!(raw.report.figures[0].figure.panels.len(), 8 + 4);
}

#[test]
fn skips_that_do_not_exist_are_named() {
    let common = CommonParameters::default();
    for (list, baseline, what) in [(vec![0, 64], -1, "64"), (vec![0], 64, "skip_id_baseline"), (vec![-65], 1, "-65")] {
        let process = ChargeLossPlot { skip_id_list: list, skip_id_baseline: baseline, ..Default::default() };
        let error = run(&process, &common, skip_cube()).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
    // the built-in list fits any image of skips
    assert!(run(&ChargeLossPlot::default(), &common, Array3::zeros((2, 4, 2))).is_ok());
}

#[test]
fn the_first_skip_of_the_user_is_always_shown() {
    let common = CommonParameters { id_skip_start: Some(5), save_image: true, ..CommonParameters::default() };
    let process = ChargeLossPlot { skip_id_list: vec![7], ..Default::default() };
    let raw = run(&process, &common, skip_cube()).unwrap();
    assert_eq!(raw.report.image_files[0].hdus[0].extname, "SKIP5");
    let common = CommonParameters { save_image: true, ..CommonParameters::default() };
    let process = ChargeLossPlot { skip_id_list: vec![0], ..Default::default() };
    let raw = run(&process, &common, skip_cube()).unwrap();
    assert_eq!(raw.report.image_files[0].hdus[1].extname, "SKIP1");
}

#[test]
fn the_settling_of_the_first_skips_is_found() {
    let mut cube = skip_cube();
    for k in 0..5 {
        cube.index_axis_mut(Axis(2), k).mapv_inplace(|x| x - 1900.0 * (-(k as f64)).exp());
    }
    let common = CommonParameters::default();
    let raw = run(&ChargeLossPlot::default(), &common, cube).unwrap();
    let settled: Vec<_> = raw.report.measurements.iter().filter(|m| m.name == "settled_from_skip").collect();
    assert_eq!(settled.len(), 2);
    assert!(settled.iter().all(|m| m.value == 5.0), "{settled:?}");
}

/// 12 ADU of noise in 384 pixels: the slope over 64 skips is known to 12/√384/√(64³/12) = 0.0041 ADU.
#[test]
fn the_slope_of_a_leaking_image_is_found_and_does_not_count_as_settling() {
    let mut cube = skip_cube();
    for k in 0..64 {
        cube.index_axis_mut(Axis(2), k).mapv_inplace(|x| x - 0.3 * k as f64);
    }
    let raw = run(&ChargeLossPlot::default(), &CommonParameters::default(), cube).unwrap();
    let all = |name: &str| raw.report.measurements.iter().filter(|m| m.name == name).cloned().collect::<Vec<_>>();
    for slope in all("mean_change_per_skip") {
        let error = slope.error.unwrap();
        assert!((slope.value + 0.3).abs() < 4.0 * error, "{slope:?}");
        // the scatter of 64 means is known to 9 %
        assert!((error / 0.0041 - 1.0).abs() < 0.4, "{slope:?}");
    }
    assert!(all("settled_from_skip").iter().all(|m| m.value == 0.0));
    assert_eq!(all("mean_change_per_skip").len(), 2);
}

#[test]
fn a_few_skips_do_not_tell_whether_they_settle() {
    let common = CommonParameters::default();
    for (skips, stated) in [(2, false), (6, false), (7, true), (20, true)] {
        let all = skip_cube();
        let cube = Array3::from_shape_fn((16, 48, skips), |index| all[index]);
        let raw = run(&ChargeLossPlot::default(), &common, cube).unwrap();
        for name in ["settled_from_skip", "mean_change_per_skip"] {
            assert_eq!(raw.report.measurements.iter().any(|m| m.name == name), stated, "{skips} skips: {name}");
        }
        assert!(!raw.report.warnings().any(|w| w.text.contains("settle")), "{skips} skips");
    }
}

/// The pixel charge distribution of a figure.
fn last_pane(raw: &RawData) -> (String, crate::plot::Histogram) {
    let panel = raw.report.figures[0].figure.panels.last().unwrap();
    let crate::plot::Series::Histogram(histogram) = &panel.series[0] else { panic!("{panel:?}") };
    (histogram.label.clone().unwrap(), histogram.clone())
}

#[test]
fn all_pixels_are_in_the_charge_distribution_or_it_says_how_many() {
    let common = CommonParameters { save_plots: true, ..CommonParameters::default() };
    let constant = Array3::from_elem((16, 40, 8), 1000.1);
    for cube in [skip_cube(), constant] {
        let pixels = (cube.dim().0 * cube.dim().1) as f64;
        let raw = run(&ChargeLossPlot::default(), &common, cube).unwrap();
        let (label, histogram) = last_pane(&raw);
        assert_eq!(label, format!("{pixels} pixels"));
        assert_eq!(histogram.counts.iter().sum::<f64>(), pixels);
        assert!(histogram.counts[0] == 0.0 && *histogram.counts.last().unwrap() == 0.0, "margins");
        assert!(raw.report.warnings().next().is_none(), "a constant image has settled");
    }
    let process = ChargeLossPlot { pcd_nbins: 50, ..Default::default() };
    let raw = run(&process, &common, skip_cube()).unwrap();
    assert_eq!(last_pane(&raw).0, "0 of 768 pixels");
    assert!(raw.report.warnings().any(|w| w.text.contains("`pcd_charge_range`")));
    let ticks = raw.report.figures[0].figure.panels.last().unwrap().x.ticks.clone().unwrap();
    assert_eq!(ticks[0], (-100.0, "−100".to_owned()));
}

#[test]
fn equalisation_of_the_example() {
    let values: Vec<f64> = (0..15).map(f64::from).chain([100.0]).collect();
    let image = Array2::from_shape_vec((4, 4), values).unwrap();
    let found = equalised(&image);
    for (index, expected) in
        [(0, 0.3125), (1, 0.375), (2, 0.4375), (5, 0.625), (9, 0.875), (10, 0.9375), (14, 0.9375), (15, 1.0)]
    {
        assert!((found.as_slice().unwrap()[index] - expected).abs() < 1e-12, "{index}");
    }
    assert!(equalised(&Array2::from_elem((3, 3), 7.0)).iter().all(|x| *x == 1.0));
    assert!(equalised(&Array2::from_elem((1, 1), f64::NAN))[[0, 0]].is_nan());
}
