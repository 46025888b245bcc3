//! The process on images; the fit itself is tested in `stats::charge_comb`.

use super::*;
use crate::image::{Amplifier, Region};
use crate::process::commissioning::test_data::{comb, normals};
use crate::process::{CommonParameters, registry};
use ndarray::Array2;

/// An image that holds these values, and NaN.
fn image(mut values: Vec<f64>, cols: usize) -> Array2<f64> {
    let rows = values.len().div_ceil(cols);
    values.resize(rows * cols, f64::NAN);
    Array2::from_shape_vec((rows, cols), values).unwrap()
}

fn run(process: &FitCalibrationConstant, raw: &mut RawData) -> Result<(), ProcessError> {
    let common = CommonParameters { save_plots: true, ..CommonParameters::default() };
    let entry = registry::find("FitCalibrationConstant").unwrap();
    for amplifier in 0..raw.amplifiers.len() {
        raw.report.enter(0, entry.tag, Some(&raw.amplifiers[amplifier].name.clone()));
        process.execute(raw, &Context { entry, common: &common, amplifier, seed: 1 })?;
    }
    Ok(())
}

fn card(raw: &RawData, keyword: &str) -> Option<f64> {
    raw.report.cards.iter().find(|c| c.keyword == keyword).and_then(|c| c.value.as_f64())
}

#[test]
fn every_amplifier_has_its_own_gain_cards_table_and_figures() {
    let upper = image(comb(10.0, 1.6, &[10000, 5000, 2500, 1250, 625]), 125);
    let lower = image(comb(43.29, 7.7922, &[12000, 4000, 2000, 900, 475]), 125);
    let both = ndarray::concatenate(ndarray::Axis(1), &[lower.view(), upper.view()]).unwrap();
    let rows = both.nrows();
    let mut raw = RawData::from_image("mean_compressed_pedestal_subtracted", both);
    let half = |name: &str, cols: std::ops::Range<usize>| Amplifier {
        full: Region::new(0..rows, cols),
        ..Amplifier::whole_image(name, 0, rows, 250)
    };
    raw.amplifiers = vec![half("U", 125..250), half("L", 0..125)];
    let process: FitCalibrationConstant = serde_json::from_str(
        r#"{"image": "pedestal_subtracted", "n_peaks": 5, "calibration": {"L": 40.0}, "use_pcd": null}"#,
    )
    .unwrap();
    run(&process, &mut raw).unwrap();
    for (amplifier, gain) in [("U", 10.0), ("L", 43.29)] {
        let k = card(&raw, &format!("MECAL{amplifier}")).unwrap();
        let error = card(&raw, &format!("EMECAL{amplifier}")).unwrap();
        assert!((k - gain).abs() < error, "{amplifier}: {k} ± {error}");
        assert!(card(&raw, &format!("MECOFF{amplifier}")).unwrap().abs() < 0.1);
        assert_eq!(card(&raw, &format!("MECNPK{amplifier}")), Some(5.0));
        assert_eq!(raw.products.get_for::<Gain>(amplifier).unwrap().adu_per_electron, k);
    }
    // a table beside each of the four figures of an amplifier
    assert_eq!(raw.report.figures.len(), 8);
    for figure in &raw.report.figures {
        let table = raw.report.tables.iter().map(|(_, t)| t).find(|t| t.name == figure.figure.name);
        assert!(!table.unwrap_or_else(|| panic!("{}", figure.figure.name)).rows.is_empty());
    }
    // one x axis for the four panes of the linearity; no pull where there is no model
    for figure in raw.report.figures.iter().map(|f| &f.figure).filter(|f| f.name.contains("lineality")) {
        let ends: Vec<_> = figure.panels.iter().map(|p| (p.x.min.unwrap(), p.x.max.unwrap())).collect();
        assert!(ends.len() == 4 && ends.iter().all(|e| *e == ends[0] && e.0 < 0.0 && e.1 > 4.0), "{ends:?}");
    }
    for (_, table) in raw.report.tables.iter().filter(|(_, t)| t.name.contains("fit_peaks")) {
        assert!(table.rows.iter().all(|row| (-0.5..=4.5).contains(&row[0]) || row[3].is_nan()));
    }
    let peaks = raw.report.tables.iter().filter(|(_, t)| t.name.contains("lineality"));
    assert!(peaks.map(|(_, t)| t.rows.len()).eq([5, 5]));
    assert_eq!(raw.report.figures[3].figure.name, "FitCalibrationConstant_PCD_low_and_high_EnergyRange_AMPLIFIER_U");
}

#[test]
fn an_unresolved_amplifier_is_a_warning_and_no_gain() {
    let mut raw =
        RawData::from_image("mean_compressed", image(normals(12, 20_000).into_iter().map(|z| 2.0 * z).collect(), 50));
    run(&FitCalibrationConstant::default(), &mut raw).unwrap();
    assert!(raw.report.warnings().any(|w| w.text.contains("not resolved")));
    assert!(raw.report.cards.is_empty() && raw.products.get_for::<Gain>("EXT0").is_none());
    for (image, maker) in [
        ("nothing", None),
        ("median_compressed", Some("CompressSkipperProcess")),
        ("mean_compressed_pedestal_subtracted_e", Some("CalibrationProcess")),
    ] {
        let error = run(&FitCalibrationConstant { image: image.into(), ..Default::default() }, &mut raw);
        let text = error.unwrap_err().to_string();
        assert!(text.contains("existing: mean_compressed)"), "{text}");
        assert_eq!(
            text.split_once("; ").map(|t| t.1),
            maker.map(|m| format!("{m} would make it")).as_deref(),
            "{text}"
        );
    }
}

#[test]
fn the_figure_of_the_search_marks_where_the_comb_begins() {
    // an overscan at 0 e-, and peaks from 20 e- on
    let overscan = comb(10.0, 1.0, &[3000]);
    let bright = comb(10.0, 1.0, &[400, 900, 1500, 2000, 1500, 900, 400]).into_iter().map(|x| x + 200.0);
    let pixels = image(overscan.into_iter().chain(bright).collect(), 100);
    let mut raw = RawData::from_image("mean_compressed_pedestal_subtracted", pixels);
    let process = FitCalibrationConstant { image: "mean_compressed_pedestal_subtracted".into(), ..Default::default() };
    run(&process, &mut raw).unwrap();
    assert_eq!(raw.products.get_for::<CalibrationConstant>("EXT0").unwrap().first_electron, 20);
    let guide = |text: &str| {
        let series = &raw.report.figures[0].figure.panels[0].series;
        let found = series.iter().find(|s| s.label() == Some(text));
        let Some(crate::plot::Series::Guide(guide)) = found else { panic!("{text}: {found:?}") };
        guide.at
    };
    // bins of the search are narrower than 1 ADU
    assert!((guide("first peak of the comb") - 200.0).abs() < 1.0);
    assert!((guide("second peak of the comb") - 210.0).abs() < 1.0);
    // both panes of the charge hold data: the overscan, and the comb beside it
    let charge = &raw.report.figures.last().unwrap().figure;
    assert_eq!(charge.panels[0].x.min, Some(-2.0));
    assert!(charge.panels[0].x.max >= Some(27.0));
}

#[test]
fn the_first_electron_counts_from_the_pedestal_and_a_gain_in_use_is_kept() {
    // peaks 7, 8, 9 e- only
    let values: Vec<f64> = comb(10.0, 1.0, &[3000, 6000, 3000]).into_iter().map(|x| x + 69.5).collect();
    let mut raw = RawData::from_image("mean_compressed_pedestal_subtracted", image(values, 100));
    raw.products.set_for("EXT0", Gain { adu_per_electron: 9.9 });
    let process = FitCalibrationConstant { image: "mean_compressed_pedestal_subtracted".into(), ..Default::default() };
    run(&process, &mut raw).unwrap();
    let result = raw.products.get_for::<CalibrationConstant>("EXT0").unwrap();
    assert_eq!(result.first_electron, 7);
    assert!((result.charge(79.5) - 8.0).abs() < 0.01);
    assert_eq!(raw.products.get_for::<Gain>("EXT0").unwrap().adu_per_electron, 9.9);
}

#[test]
fn the_legacy_method_gives_what_the_reference_gives() {
    // set B of spec 04 §7.2; the reference: start 43.0, gain 43.2769, and these widths of the peaks
    let values = comb(43.29, 7.7922, &[20000, 3000, 1000, 600, 400]);
    let process = FitCalibrationConstant { n_peaks: 5, method: CalibrationMethod::Legacy, ..Default::default() };
    let fit = process.fit(&Sample::independent(values), Some(40.0)).unwrap();
    assert!((fit.seed.spacing - 43.0).abs() < 1e-9, "{}", fit.seed.spacing);
    // the rounding of the quoted numbers
    assert!((fit.unweighted_slope - 43.2769).abs() < 1e-4, "{}", fit.unweighted_slope);
    assert!((fit.median_spacing - 43.2460).abs() < 1e-4, "{}", fit.median_spacing);
    assert!((fit.weighted_spacing - 43.2339).abs() < 1e-4, "{}", fit.weighted_spacing);
    for (peak, sigma) in fit.peaks.iter().zip([0.1816, 0.1788, 0.1764, 0.1767, 0.1741]) {
        assert!((peak.sigma / 43.0 - sigma).abs() < 1e-4, "{} {sigma}", peak.sigma / 43.0);
    }
}

#[test]
fn parameters_that_make_no_sense_are_named() {
    let process =
        FitCalibrationConstant { n_peaks: 1, pcd_bin_width: 0.0, n_sigma_win_fit: -1.0, ..Default::default() };
    assert_eq!(process.check().len(), 3);
    for calibration in [r#"-10"#, r#"{"L": 10, "U": 0}"#] {
        let process: FitCalibrationConstant =
            serde_json::from_str(&format!(r#"{{"calibration": {calibration}}}"#)).unwrap();
        let problems = process.check();
        assert!(problems.len() == 1 && problems[0].starts_with("`calibration` is"), "{problems:?}");
    }
}

#[test]
fn a_start_value_for_another_amplifier_is_named() {
    let pixels = image(comb(10.0, 1.6, &[10000, 5000, 2500]), 125);
    for (calibration, warned) in [(r#"{"X": 10}"#, true), (r#"{"EXT0": 10, "X": 10}"#, false), ("10", false)] {
        let mut raw = RawData::from_image("mean_compressed", pixels.clone());
        let text = format!(r#"{{"image": "mean_compressed", "calibration": {calibration}}}"#);
        run(&serde_json::from_str(&text).unwrap(), &mut raw).unwrap();
        assert_eq!(raw.report.warnings().any(|w| w.text.contains("(given: X)")), warned, "{calibration}");
    }
}
