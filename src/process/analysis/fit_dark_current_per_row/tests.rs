//! Per-row fits of the real image (spec 03 §2.4) and of images whose dark current grows along the rows.

use ndarray::Array2;

use super::*;
use crate::image::raw_data::Mask;
use crate::image::{Amplifier, Region};
use crate::process::analysis::fit_verdict::FitVerdict;
use crate::process::{CommonParameters, registry};
use crate::stats::random::{Poisson, Stream};
use crate::stats::test_data;

const IMAGE: &str = "mean_compressed_pedestal_subtracted";

fn run(process: &FitDarkCurrentPerRow, raw: &mut RawData, save_plots: bool) -> Result<(), ProcessError> {
    let common = CommonParameters { save_plots, ..CommonParameters::default() };
    let entry = registry::find("FitDarkCurrentPerRow").unwrap();
    for amplifier in 0..raw.amplifiers.len() {
        raw.report.enter(0, entry.tag, Some(&raw.amplifiers[amplifier].name.clone()));
        process.execute(raw, &Context { entry, common: &common, amplifier, seed: 321 })?;
    }
    Ok(())
}

fn fits(raw: &RawData, amplifier: &str) -> crate::process::analysis::fit_dark_current_slices::SliceFits {
    raw.products.get_for::<PerRowFits>(amplifier).unwrap().0.clone()
}

/// The real image with the recorded pedestals subtracted.
fn real_image() -> Option<RawData> {
    let pixels = test_data::real_image(1)?;
    let mu = test_data::recorded_nested("info", "EXT1_pedestal_mu_row_ADU")?.swap_remove(0);
    let image = Array2::from_shape_fn((320, 640), |(r, c)| pixels[640 * r + c] - mu[r]);
    let mut raw = RawData::from_image(IMAGE, image);
    raw.amplifiers = vec![Amplifier::whole_image("EXT1", 1, 320, 640)];
    Some(raw)
}

fn settings_of_the_check(options: &str) -> FitDarkCurrentPerRow {
    serde_json::from_value(serde_json::json!({
        "row_start": 3, "row_step": 10, "x_min": -0.65, "x_max": 2.0, "binning_size": 0.05, "n_peaks": 2, "calibration": 1,
        "do_calibration": true, "mu_min": -1, "mu_max": 1, "sigma_min": 0.001, "sigma_max": 0.5, "dc_min": 1e-4,
        "dc_max": 2, "gain_min": 0.8, "gain_max": 1.8, "fit_options": options
    }))
    .unwrap()
}

#[test]
fn numbers_of_the_real_image() {
    let Some(mut raw) = real_image() else { return };
    run(&settings_of_the_check("L"), &mut raw, true).unwrap();
    let result = fits(&raw, "EXT1");
    // spec 03 §2.4: rows, pixels, σ, λ, gain, λ/gain, BC/NDF and NDF; values to 1e-3
    let table = [
        (3, 6067, 0.194790, 0.362989, 1.346294, 0.26962, 0.94976, 47),
        (103, 5123, 0.215623, 0.884733, 1.343571, 0.65849, 1.00969, 47),
        (203, 4112, 0.220486, 1.402741, 1.345562, 1.04249, 1.04795, 47),
    ];
    for (row, pixels, sigma, lambda, gain, dc, chi2, ndf) in table {
        let fit = result.fits.iter().find(|f| f.lines.start == row).unwrap();
        assert_eq!((fit.pixels, fit.ndf), (pixels, ndf), "row {row}");
        for (found, expected) in [
            (fit.sigma.value * fit.gain.value, sigma),
            (fit.dc.value * fit.gain.value, lambda),
            (fit.gain.value, gain),
            (fit.dc.value, dc),
            (fit.chi2, chi2),
        ] {
            assert!((found / expected - 1.0).abs() < 1e-3, "row {row}: {found} {expected}");
        }
        assert!(fit.verdict.is_good(), "row {row}: {}", fit.verdict.text());
    }
    let last = result.fits.iter().find(|f| f.lines.start == 303).unwrap();
    assert_eq!(last.lines, 303..313);
    assert!(last.dc.at_limit && last.verdict.has(FitVerdict::AT_LIMIT));
    assert_eq!(last.pixels, 3229);
    assert!((last.dc.value - 1.46).abs() < 0.01);
    assert!(!last.trusts(&last.dc));
    // exposure during the readout: about 0.0039 e⁻ per row
    let slope = result.trends[0].as_ref().unwrap().coefficients[1];
    assert!((slope - 0.0039).abs() < 2e-4, "{slope}");
    assert!(raw.report.warnings().any(|w| w.text.contains("row 303") && w.text.contains("lambda")));
    assert!(raw.report.cards.is_empty() && raw.report.info.is_empty(), "the fit of the amplifier is not touched");

    run(&settings_of_the_check("Q"), &mut raw, false).unwrap();
    let first = fits(&raw, "EXT1").fits[0].clone();
    assert!((first.dc.value - 0.26729).abs() < 1e-3 * 0.267 && first.ndf == 46, "{first:?}");
}

#[test]
fn files_keep_their_names_and_columns() {
    let Some(mut raw) = real_image() else { return };
    let process =
        FitDarkCurrentPerRow { q_threshold: Some(100.0), debug_rows: Some([3, 14]), ..settings_of_the_check("L") };
    run(&process, &mut raw, true).unwrap();
    let names: Vec<_> = raw.report.figures.iter().map(|f| f.figure.name.as_str()).collect();
    for par in ["dc", "mu", "sigma", "calibration"] {
        assert!(names.contains(&format!("FitDarkCurrentPerRow_plot_{par}vsRows_EXT1").as_str()), "{names:?}");
        assert!(names.contains(&format!("FitDarkCurrentPerRow_hist_{par}vsRows_EXT1").as_str()), "{names:?}");
    }
    assert!(names.contains(&"FitDarkCurrentPerRow_plot_has_highE_pixvsRows_EXT1"));
    let pages = raw.report.figures.iter().find(|f| f.figure.name == "FitDarkCurrentPerRow_fits_EXT1").unwrap();
    assert_eq!(pages.figure.more_pages.len(), 1, "groups at rows 3 and 13");
    let csv = &raw.report.tables[0].1;
    assert_eq!(csv.name, "FitDarkCurrentPerRow_sideEXT1");
    assert_eq!(
        csv.columns.join(","),
        "x_dc,dc,err_x_dc,err_dc,x_mu,mu,err_x_mu,err_mu,x_resolution,resolution,err_x_resolution,err_resolution,x_gain,gain,\
         err_x_gain,err_gain"
    );
    assert_eq!(csv.rows[0][..3], [8.0, fits(&raw, "EXT1").fits[0].dc.value, 5.0]);
    let flagged = fits(&raw, "EXT1").fits.iter().filter(|f| f.above_threshold > Some(0)).count();
    assert!(flagged > 0);
}

/// `rows` × 500 pixels at 10 ADU/e⁻, noise 1.5 ADU, dark current growing from 0.05 by 0.002 e⁻ per row.
fn growing(rows: usize, seed: u64) -> Array2<f64> {
    let mut stream = Stream::from_seed(seed);
    let mut pixels = Array2::zeros((rows, 500));
    for row in 0..rows {
        let poisson = Poisson::new(0.05 + 0.002 * row as f64);
        for q in pixels.row_mut(row) {
            *q = 10.0 * poisson.draw(&mut stream) as f64 + 1.5 * stream.normal();
        }
    }
    pixels
}

#[test]
fn a_growing_dark_current_is_recovered_for_every_method() {
    let rows = 200;
    for (method, options) in [("root", "L"), ("binned", "E"), ("unbinned", "")] {
        let mut raw = RawData::from_image(IMAGE, growing(rows, 3));
        let process: FitDarkCurrentPerRow = serde_json::from_value(serde_json::json!({
            "row_step": 10, "n_peaks": 5, "binning_size": 0.5, "x_min": -6, "x_max": 45, "dc_max": 20,
            "do_calibration": true, "fit_options": options, "method": method
        }))
        .unwrap();
        run(&process, &mut raw, false).unwrap();
        let result = fits(&raw, "EXT0");
        assert_eq!(result.fits.len(), 20);
        let bad = result.not_good().count();
        assert!(bad <= 1, "{method}: {bad} groups not good");
        let line = result.trends[0].as_ref().unwrap();
        // the line is fitted at the middle of each group: row + step/2, while the rows are row … row + 9: shift of ½ row
        let expected = [0.05 - 0.5 * 0.002, 0.002];
        for k in 0..2 {
            let pull = (line.coefficients[k] - expected[k]) / line.error(k);
            assert!(pull.abs() < 5.0, "{method} {k}: {} ± {}", line.coefficients[k], line.error(k));
        }
        // spec 07 §8.8: error of the slope √(12 λ/(cols rows³))
        let predicted = (12.0 * 0.25 / (500.0 * (rows as f64).powi(3))).sqrt();
        assert!((line.error(1) / predicted - 1.0).abs() < 0.3, "{method}: {} {predicted}", line.error(1));
        for fit in &result.fits {
            assert!((fit.sigma.value - 0.15).abs() < 5.0 * fit.sigma.error, "{method} {:?}", fit.sigma);
            if method != "root" {
                let (down, up) = fit.dc_profile;
                assert!(down < 0.0 && up > 0.0 && (up / fit.dc.error - 1.0).abs() < 0.15, "{method} {down} {up}");
            }
        }
    }
}

#[test]
fn groups_follow_the_amplifier_and_failures_are_told() {
    let process: FitDarkCurrentPerRow = serde_json::from_value(serde_json::json!({
        "row_start": 5, "row_end": -5, "row_step": 20, "n_peaks": 5, "binning_size": 0.5, "x_min": -6, "x_max": 45,
        "dc_max": 20, "calibration": {"EXT2": 10, "default": 10}, "do_calibration": false, "rows_to_mask": [[5, 25]]
    }))
    .unwrap();
    // two stacked extensions of 60 rows: rows count within each
    let mut pixels = Array2::zeros((120, 500));
    Region::new(0..60, 0..500).view_mut(&mut pixels).assign(&growing(60, 1));
    Region::new(60..120, 0..500).view_mut(&mut pixels).assign(&growing(60, 2));
    let mut raw = RawData::from_image(IMAGE, pixels);
    let block = |n: usize| Amplifier {
        full: Region::new(60 * n..60 * n + 60, 0..500),
        active: Region::new(60 * n..60 * n + 60, 0..500),
        ..Amplifier::whole_image(&format!("EXT{}", n + 1), n + 1, 120, 500)
    };
    raw.amplifiers = vec![block(0), block(1)];
    raw.stacked = true;
    run(&process, &mut raw, false).unwrap();
    for name in ["EXT1", "EXT2"] {
        let result = fits(&raw, name);
        assert_eq!(result.empty, 1, "the first group is masked");
        let lines: Vec<_> = result.fits.iter().map(|f| (f.lines.clone(), f.x, f.half_width)).collect();
        assert_eq!(lines, [(25..45, 35.0, 10.0), (45..60, 55.0, 10.0)]);
        assert!(result.fits.iter().all(|f| f.gain.value == 10.0 && f.gain.error == 0.0));
    }
    // a group with a handful of pixels cannot be fitted, and says so
    let mut few = RawData::from_image(IMAGE, growing(20, 4));
    let fewer = FitDarkCurrentPerRow {
        cols_to_mask: serde_json::from_str("[[3, 500]]").unwrap(),
        row_step: 1,
        // Neyman's chi-square counts filled bins only: three pixels cannot fill more than there are parameters.
        fit_options: "Q".into(),
        ..process.clone()
    };
    run(&FitDarkCurrentPerRow { rows_to_mask: PerAmplifier::default(), ..fewer }, &mut few, false).unwrap();
    let result = fits(&few, "EXT0");
    assert!(result.fits.iter().any(|f| f.verdict.has(FitVerdict::TOO_FEW_DATA)));
    assert!(few.report.warnings().any(|w| w.text.contains("too few data")));

    let asked = FitDarkCurrentPerRow { mask_clusters: true, ..process.clone() };
    assert!(matches!(run(&asked, &mut few, false), Err(ProcessError::NotRunBefore { .. })));
    let mut pixels = Array2::from_elem((20, 500), false);
    pixels.slice_axis_mut(ndarray::Axis(1), (0..400).into()).fill(true);
    few.masks.insert("mask_clusters".into(), Mask { pixels, extname: None });
    run(&FitDarkCurrentPerRow { rows_to_mask: PerAmplifier::default(), ..asked }, &mut few, false).unwrap();
    assert!(fits(&few, "EXT0").fits[0].pixels <= 15 * 100, "15 rows of 100 columns are left");

    let late = FitDarkCurrentPerRow { row_start: 500, ..process };
    assert!(run(&late, &mut few, false).unwrap_err().to_string().contains("nothing is left"));
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let image = growing(80, 9);
    let run_with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut raw = RawData::from_image(IMAGE, image.clone());
        let process = FitDarkCurrentPerRow { n_peaks: 5.into(), binning_size: 0.5, ..Default::default() };
        pool.install(|| run(&process, &mut raw, false)).unwrap();
        format!("{:?}", fits(&raw, "EXT0"))
    };
    assert_eq!(run_with(1), run_with(4));
}

#[test]
fn ends_and_parameters() {
    let groups = |json: &str| {
        let process: FitDarkCurrentPerRow = serde_json::from_str(json).unwrap();
        process.slicing().groups(20).into_iter().map(|g| (g.start, g.end)).collect::<Vec<_>>()
    };
    assert_eq!(groups(r#"{"row_step": 8}"#), [(0, 8), (8, 16), (16, 20)]);
    assert_eq!(groups(r#"{"row_step": 1, "row_start": 18}"#), [(18, 19), (19, 20)], "the last row is included");
    assert_eq!(groups(r#"{"row_step": 8, "row_end": -6}"#), [(0, 8), (8, 16)]);
    assert_eq!(groups(r#"{"row_step": 8, "row_end": 9}"#), [(0, 8), (8, 16)]);
    let problems = |json: &str| serde_json::from_str::<FitDarkCurrentPerRow>(json).unwrap().check();
    assert_eq!(problems(r#"{"row_step": 0}"#).len(), 1);
    assert_eq!(problems(r#"{"row_start": 5, "row_end": 5, "x_min": 3, "x_max": 3}"#).len(), 2);
    assert!(problems(r#"{"add_mask": [true, null, null]}"#)[0].contains("`add_mask`"));
}
