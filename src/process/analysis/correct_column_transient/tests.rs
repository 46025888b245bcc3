//! The process on images whose transient is known.

use super::*;
use crate::image::Region;
use crate::process::{CommonParameters, registry};
use crate::stats::random::Stream;

const IMAGE: &str = "mean_compressed_pedestal_subtracted";

fn run(process: &CorrectElectronicColumnTransient, raw: &mut RawData) {
    let common = CommonParameters { save_plots: true, ..CommonParameters::default() };
    let entry = registry::find("CorrectElectronicColumnTransient").unwrap();
    for amplifier in 0..raw.amplifiers.len() {
        raw.report.enter(0, entry.tag, Some(&raw.amplifiers[amplifier].name.clone()));
        process.execute(raw, &Context { entry, common: &common, amplifier, seed: 321 }).unwrap();
    }
}

/// Noise 0.2 ADU; transients 3 exp(−0.4 c) on L and 1.5 exp(−0.15 c) on U, each from its own read-out side.
fn two_amplifiers(rows: usize, half: usize) -> RawData {
    let mut stream = Stream::from_seed(4);
    let mut pixels = Array2::zeros((rows, 2 * half));
    for ((_, c), q) in pixels.indexed_iter_mut() {
        let transient =
            if c < half { 3.0 * (-0.4 * c as f64).exp() } else { 1.5 * (-0.15 * (2 * half - 1 - c) as f64).exp() };
        *q = transient + 0.2 * stream.normal();
    }
    let mut raw = RawData::from_image(IMAGE, pixels);
    let amplifier = |name: &str, side, cols| Amplifier {
        side,
        full: Region::new(0..rows, cols),
        ..Amplifier::whole_image(name, 0, rows, 2 * half)
    };
    raw.amplifiers = vec![amplifier("U", Side::U, half..2 * half), amplifier("L", Side::L, 0..half)];
    raw
}

#[test]
fn each_amplifier_is_corrected_from_its_read_out_side() {
    let (rows, half) = (400, 120);
    let mut raw = two_amplifiers(rows, half);
    let process = CorrectElectronicColumnTransient { col_start: 0, ..Default::default() };
    run(&process, &mut raw);
    for (name, amplitude, rate) in [("U", 1.5, 0.15), ("L", 3.0, 0.4)] {
        let transient = raw.products.get_for::<ColumnTransient>(name).unwrap();
        let e = transient.fit.exponentials[0];
        assert!(transient.applied && transient.fit.verdict.is_good(), "{}", transient.fit.verdict.text());
        assert!((e.amplitude - amplitude).abs() < 5.0 * e.amplitude_error, "{name} {e:?}");
        assert!((e.rate - rate).abs() < 5.0 * e.rate_error, "{name} {e:?}");
    }
    // spec 07 §8.8: what is left of the column medians is below 5·1.253·sN/√rows
    let corrected = &raw.images[&format!("{IMAGE}_correct_cols")];
    for amplifier in &raw.amplifiers {
        for (c, column) in column_medians(corrected, amplifier).iter().enumerate() {
            let median = column.median;
            assert!(median.abs() < 5.0 * 1.2533 * 0.2 / (rows as f64).sqrt(), "{} {c}: {median}", amplifier.name);
        }
    }
    let card = |k: &str| raw.report.cards.iter().find(|c| c.keyword == k).and_then(|c| c.value.as_f64());
    assert!(card("ECTMUU").is_some() && card("ECTAL").is_some() && card("ECTCHIU").is_some());
    assert_eq!(card("ECTSTL"), Some(0.0));
    for branch in ["U_ect_mu", "L_ect_amplitude", "L_ect_chi", "U_ect_status"] {
        assert!(raw.report.info.contains_key(branch), "{branch}");
    }
    assert!(!raw.report.info.contains_key("ect_mu"), "plain names for a single amplifier only");
    let names: Vec<_> = raw.report.figures.iter().map(|f| f.figure.name.as_str()).collect();
    assert_eq!(names, ["CorrectElectronicColumnTransient_ETfit_U", "CorrectElectronicColumnTransient_ETfit_L"]);
    assert_eq!(raw.report.tables.len(), 2);
}

#[test]
fn amplifiers_are_independent_and_columns_outside_stay() {
    let mut raw = two_amplifiers(60, 80);
    let before = raw.images[IMAGE].clone();
    run(&CorrectElectronicColumnTransient { col_start: 2, col_end: 20, ..Default::default() }, &mut raw);
    let corrected = raw.images[&format!("{IMAGE}_correct_cols")].clone();
    for c in [0, 1, 20, 79, 80, 139, 158, 159] {
        assert_eq!(corrected.column(c), before.column(c), "column {c}");
    }
    let mut other = two_amplifiers(60, 80);
    other.images[IMAGE].slice_axis_mut(Axis(1), (80..160).into()).fill(f64::NAN);
    run(&CorrectElectronicColumnTransient { col_start: 2, col_end: 20, ..Default::default() }, &mut other);
    let again = &other.images[&format!("{IMAGE}_correct_cols")];
    assert_eq!(again.slice_axis(Axis(1), (0..80).into()), corrected.slice_axis(Axis(1), (0..80).into()));
    let failed = other.products.get_for::<ColumnTransient>("U").unwrap();
    assert!(!failed.applied && failed.fit.verdict.has(FitVerdict::TOO_FEW_DATA));
    assert!(other.report.warnings().any(|w| w.text.contains("too few data")));
}

#[test]
fn the_example_of_the_specification_as_an_image() {
    let medians = [2.02, 1.47, 1.11, 0.81, 0.62, 0.44, 0.33, 0.25, 0.17, 0.14, 0.0, 0.0];
    let mut raw = RawData::from_image(IMAGE, Array2::from_shape_fn((3, 12), |(_, c)| medians[c]));
    run(&CorrectElectronicColumnTransient { col_end: 10, ..Default::default() }, &mut raw);
    let corrected = &raw.images[&format!("{IMAGE}_correct_cols")];
    assert_eq!(corrected[[0, 0]], 2.02);
    assert!((corrected[[2, 1]] - (1.47 - 1.990806 * (-0.297759_f64).exp())).abs() < 2e-6);
    for name in ["ect_mu", "ect_amplitude", "ect_chi"] {
        assert!(raw.report.info.contains_key(name));
    }
    let fit_only = CorrectElectronicColumnTransient { correct_image: false, ..Default::default() };
    let mut raw = RawData::from_image(IMAGE, Array2::zeros((3, 12)));
    run(&fit_only, &mut raw);
    assert_eq!(raw.images.len(), 1);
}

#[test]
fn parameters_that_make_no_sense_are_named() {
    let problems = |json: &str| serde_json::from_str::<CorrectElectronicColumnTransient>(json).unwrap().check();
    assert!(problems(r#"{"col_start": 5, "col_end": 5}"#)[0].starts_with("`col_start` is 5"));
    assert_eq!(problems(r#"{"n_exp": 2}"#).len(), 2, "a start value for each");
    assert!(problems(r#"{"n_exp": 9, "mu": [1,1,1,1,1,1,1,1,1], "amplitude": [1,1,1,1,1,1,1,1,1]}"#)[0].contains('9'));
    assert_eq!(problems(r#"{"mu": [-1]}"#).len(), 1);
}
