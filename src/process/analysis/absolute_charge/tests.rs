//! Closure: images whose electrons are known.

use super::*;
use crate::image::Region;
use crate::process::analysis::fit_verdict::FitVerdict;
use crate::process::analysis::{CalibrationProcess, FitDarkCurrentPerRow, FitDarkCurrentProcess};
use crate::process::{CommonParameters, registry};
use crate::stats::random::{Poisson, Stream};

const IMAGE: &str = "mean_compressed_pedestal_subtracted";

fn run(name: &str, process: &dyn SKImageProcess, raw: &mut RawData) -> Result<(), ProcessError> {
    let common = CommonParameters { save_plots: true, ..CommonParameters::default() };
    let entry = registry::find(name).unwrap();
    for amplifier in 0..raw.amplifiers.len() {
        raw.report.enter(0, entry.tag, Some(&raw.amplifiers[amplifier].name.clone()));
        process.execute(raw, &Context { entry, common: &common, amplifier, seed: 321 })?;
    }
    Ok(())
}

/// 300 × 300 pixels, 10 ADU/e⁻, μ0 = 0.2 ADU; dark current from `low` in the first to `high` in the last row. The last 20
/// columns are overscan. Returns the image and the true electrons.
fn image(noise: f64, low: f64, high: f64, seed: u64) -> (RawData, Array2<f64>) {
    let mut random = Stream::from_seed(seed);
    let mut truth = Array2::zeros((300, 300));
    for row in 0..300 {
        let poisson = Poisson::new(low + (high - low) * row as f64 / 299.0);
        for col in 0..280 {
            truth[[row, col]] = poisson.draw(&mut random) as f64;
        }
    }
    truth[[7, 7]] = 150.0;
    let pixels = truth.mapv(|n| 0.2 + 10.0 * n + noise * random.normal());
    let mut raw = RawData::from_image(IMAGE, pixels);
    raw.amplifiers[0].active = Region::new(0..300, 0..280);
    raw.amplifiers[0].overscan = Region::new(0..300, 280..300);
    (raw, truth)
}

fn fit() -> FitDarkCurrentProcess {
    serde_json::from_str(r#"{"x_min": -8, "x_max": 55, "n_peaks": 6, "binning_size": 0.5, "fit_options": "L"}"#)
        .unwrap()
}

#[test]
fn electrons_are_counted_and_wrong_ones_are_as_many_as_promised() {
    for (noise, seed) in [(1.5, 1), (2.2, 2), (2.8, 3)] {
        let (mut raw, truth) = image(noise, 0.3, 0.3, seed);
        run("FitDarkCurrentProcess", &fit(), &mut raw).unwrap();
        run("AbsoluteChargeProcess", &AbsoluteChargeProcess::default(), &mut raw).unwrap();
        let (numbers, probabilities) =
            (&raw.images[&format!("{IMAGE}_n")], &raw.images[&format!("{IMAGE}_n_probability")]);
        let (mut wrong, mut expected, mut variance) = (0.0, 0.0, 0.0);
        for ((at, n), p) in numbers.indexed_iter().zip(probabilities) {
            wrong += f64::from(u8::from(*n != truth[at]));
            expected += 1.0 - p;
            variance += p * (1.0 - p);
        }
        assert!(
            (wrong - expected).abs() < 5.0 * f64::sqrt(variance.max(1.0)),
            "{noise}: {wrong} wrong, {expected} expected"
        );
        let counts = raw.products.get_for::<ElectronCounts>("EXT0").unwrap();
        assert_eq!(counts.total(), 300 * 280);
        let mean = counts.electrons / counts.total() as f64;
        let true_mean = Region::new(0..300, 0..280).view(&truth).mean().unwrap();
        // the most probable number is a little biased where peaks overlap: by less than the share of wrong ones
        assert!((mean - true_mean).abs() < 0.2 * counts.wrong_share() + 1e-4, "{noise}: {mean} {true_mean}");
        // charge of particles is not pulled down: within 4 widths of its peak (noise and error of the gain)
        let width = counts.response.width(150.0) / counts.response.gain;
        let found = numbers[[7, 7]];
        assert!((found - 150.0).abs() <= (4.0 * width).round().max(1.0), "{noise}: {found} electrons, width {width}");
    }
}

#[test]
fn cards_tables_figures_and_the_pixel_tree() {
    let (mut raw, _) = image(1.5, 0.3, 0.3, 4);
    run("FitDarkCurrentProcess", &fit(), &mut raw).unwrap();
    run("AbsoluteChargeProcess", &AbsoluteChargeProcess::default(), &mut raw).unwrap();
    let card = |k: &str| raw.report.cards.iter().find(|c| c.keyword == k).and_then(|c| c.value.as_f64());
    assert!((card("QNMEAN0").unwrap() - 0.3).abs() < 5.0 * (0.3f64 / 84_000.0).sqrt() + 150.0 / 84_000.0);
    assert!(card("QNWRNG0").unwrap() < 0.01);
    let figure = raw.report.figures.iter().find(|f| f.figure.name == "AbsoluteChargeProcess_EXT0").unwrap();
    assert_eq!(figure.figure.panels.len(), 2);
    // one histogram for each number of electrons from 0 to 4 at least, which hold the active pixels
    let series = figure.figure.panels.iter().flat_map(|p| &p.series);
    let histograms = series.filter(|s| matches!(s, crate::plot::Series::Histogram(_))).count();
    assert!(histograms >= 4, "{histograms}");
    assert!(raw.report.tables.iter().any(|t| t.1.name == "AbsoluteChargeProcess_EXT0"));
    raw.images.insert("mean_compressed".into(), Array2::zeros((300, 300)));
    let common = CommonParameters::default();
    let entry = registry::find("CalibrationProcess").unwrap();
    let context = Context { entry, common: &common, amplifier: 0, seed: 1 };
    crate::process::analysis::pixel_tree::request(&mut raw, &context, true);
    let tree = &raw.products.get::<crate::process::analysis::pixel_tree::PixelTrees>().unwrap().0[0];
    assert_eq!(tree.branches(&raw), ["row", "col", "Q", "psQ", "N", "PN"]);
}

#[test]
fn the_dark_current_of_the_rows_makes_a_better_prior() {
    let (mut raw, truth) = image(2.8, 0.01, 1.2, 5);
    let rows: FitDarkCurrentPerRow = serde_json::from_str(
        r#"{"row_step": 20, "x_min": -8, "x_max": 55, "n_peaks": 6, "binning_size": 0.5, "fit_options": "L", "dc_max": 20,
            "do_calibration": true}"#,
    )
    .unwrap();
    run("FitDarkCurrentPerRow", &rows, &mut raw).unwrap();
    let wrong = |per_row: bool, raw: &mut RawData| {
        let process: AbsoluteChargeProcess = serde_json::from_value(serde_json::json!({
            "gain": 10, "noise": 2.8, "offset": 0.2, "dark_current": 0.605, "per_row": per_row
        }))
        .unwrap();
        run("AbsoluteChargeProcess", &process, raw).unwrap();
        let numbers = &raw.images[&format!("{IMAGE}_n")];
        let expected = raw.products.get_for::<ElectronCounts>("EXT0").unwrap().wrong.iter().sum::<f64>();
        let wrong = numbers.indexed_iter().filter(|(at, n)| at.1 < 280 && **n != truth[*at]).count() as f64;
        (wrong, expected)
    };
    let (one, _) = wrong(false, &mut raw);
    let (each, expected) = wrong(true, &mut raw);
    assert!(each < 0.97 * one, "{each} {one}");
    assert!((each - expected).abs() < 5.0 * expected.sqrt() + 0.03 * expected, "{each} {expected}");
}

#[test]
fn what_is_not_resolved_is_not_claimed() {
    // noise of 0.5 e⁻
    let (mut raw, _) = image(5.0, 0.3, 0.3, 6);
    let given: AbsoluteChargeProcess =
        serde_json::from_str(r#"{"gain": 10, "noise": {"EXT0": 5}, "dark_current": 0.3}"#).unwrap();
    run("AbsoluteChargeProcess", &given, &mut raw).unwrap();
    assert!(raw.images[&format!("{IMAGE}_n")].iter().all(|n| n.is_nan()));
    assert!(raw.report.warnings().any(|w| w.text.contains("0.500 e-")));
    // no fit, nothing given
    let (mut raw, _) = image(1.5, 0.3, 0.3, 7);
    run("AbsoluteChargeProcess", &AbsoluteChargeProcess::default(), &mut raw).unwrap();
    assert!(raw.report.warnings().any(|w| w.text.contains("did not run before")));
    assert!(raw.report.cards.is_empty());
    // an amplifier without entry
    let other: AbsoluteChargeProcess = serde_json::from_str(r#"{"gain": {"EXT7": 10}}"#).unwrap();
    assert!(matches!(run("AbsoluteChargeProcess", &other, &mut raw), Err(ProcessError::NoValueForAmplifier { .. })));
    let bad: AbsoluteChargeProcess = serde_json::from_str(r#"{"particle_share": 2, "max_noise": 0}"#).unwrap();
    assert_eq!(bad.check().len(), 2);
}

/// A fit that leaves out peaks is contradicted by its residuals: its status, its card and everything made from it say so.
#[test]
fn a_contradicted_fit_is_not_used_in_silence() {
    let (mut raw, _) = image(1.5, 0.6, 0.6, 6);
    let two_peaks: FitDarkCurrentProcess = serde_json::from_str(
        r#"{"x_min": -8, "x_max": 55, "n_peaks": 2, "binning_size": 0.5, "fit_options": "Q", "gain_min": 5, "gain_max": 15}"#,
    )
    .unwrap();
    run("FitDarkCurrentProcess", &two_peaks, &mut raw).unwrap();
    let verdict = raw.products.get_for::<DarkCurrentFit>("EXT0").unwrap().verdict();
    assert!(verdict.has(FitVerdict::CONTRADICTED) && verdict.is_usable(), "{}", verdict.text());
    let status = raw.report.cards.iter().find(|c| c.keyword == "MESTAT0").and_then(|c| c.value.as_f64());
    assert_eq!(status, Some(f64::from(verdict.word())));
    let calibration: CalibrationProcess = serde_json::from_str(r#"{"from_dc_fit": true}"#).unwrap();
    run("CalibrationProcess", &calibration, &mut raw).unwrap();
    run("AbsoluteChargeProcess", &AbsoluteChargeProcess::default(), &mut raw).unwrap();
    for place in ["dark-current fit is contradicted", "gives the gain is not good", "gives the response is not good"] {
        assert!(raw.report.warnings().any(|w| w.text.contains(place)), "{place}: {:?}", raw.report.log);
    }
}

/// −2 ln L of single pixels grows with their number and the unit: it is no χ².
#[test]
fn a_good_unbinned_fit_is_good() {
    let (mut raw, _) = image(2.0, 0.5, 0.5, 7);
    let unbinned: FitDarkCurrentProcess =
        serde_json::from_str(r#"{"x_min": -8, "x_max": 65, "n_peaks": 7, "method": "unbinned"}"#).unwrap();
    run("FitDarkCurrentProcess", &unbinned, &mut raw).unwrap();
    let fit = raw.products.get_for::<DarkCurrentFit>("EXT0").unwrap();
    assert!(fit.verdict().is_good() && fit.fit.objective > 2.0 * fit.fit.ndf as f64, "{}", fit.verdict().text());
    let correlated = raw.report.measurements.iter().any(|m| m.name == "correlation_lambda_gain");
    assert!(correlated, "the correlation matrix is among the measurements");
    assert!(raw.report.measurements.iter().any(|m| m.name == "electrons_profile_error_high"));
}
