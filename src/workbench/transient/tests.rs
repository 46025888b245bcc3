use clap::FromArgMatches as _;

use super::*;
use crate::fits::Card;
use crate::stats::random::Stream;
use crate::workbench::test_files::{image, with_cards};

fn args(words: &[&str]) -> TransientArgs {
    let command = TransientArgs::augment_args(clap::Command::new("transient"));
    TransientArgs::from_arg_matches(
        &command.get_matches_from(std::iter::once("transient").chain(words.iter().copied())),
    )
    .unwrap()
}

/// Pulls of the fitted parameters over many curves: mean 0 and width 1 within the errors of 400 samples.
#[test]
fn settling_constants_are_found_with_their_errors() {
    let (level, amplitude, tau, noise) = (1000.0, 12.0, 9.0, 0.5);
    let mut stream = Stream::from_seed(17);
    let mut pulls = Vec::new();
    for _ in 0..400 {
        let curve: Vec<f64> =
            (0..100).map(|k| level + amplitude * (-f64::from(k) / tau).exp() + noise * stream.normal()).collect();
        let fit = fit_settling(&curve, &[noise; 100]).unwrap();
        assert_eq!(fit.behaviour(), Behaviour::Settles);
        // undo the scaling of the errors by √(χ²/ndf)
        let scale = (fit.chi2 / fit.ndf as f64).max(1.0).sqrt();
        pulls.push([
            (fit.tau - tau) / fit.tau_error * scale,
            (fit.amplitude - amplitude) / fit.amplitude_error * scale,
            (fit.level - level) / fit.level_error * scale,
        ]);
    }
    for k in 0..3 {
        let of: Vec<f64> = pulls.iter().map(|p| p[k]).collect();
        let (mean, std) = crate::stats::robust::mean_and_std(&of, crate::stats::robust::Ddof::Sample);
        // 3.5 standard errors: 3.5/√400 and 3.5/√800; the estimate of τ itself is biased by less than 0.1
        assert!(mean.abs() < 0.25 && (std - 1.0).abs() < 0.125, "parameter {k}: {mean} ± {std}");
    }
}

#[test]
fn a_flat_curve_does_not_settle() {
    let mut stream = Stream::from_seed(5);
    let found = (0..200).filter(|_| {
        let curve: Vec<f64> = (0..60).map(|_| 500.0 + stream.normal()).collect();
        fit_settling(&curve, &[1.0; 60]).is_some_and(|fit| fit.behaviour() != Behaviour::Constant)
    });
    // 0.27 % of 200 curves by two free parameters, a few more because τ means nothing in a flat curve; 5 % would be wrong
    assert!(found.count() <= 10);
    assert_eq!(fit_settling(&[1.0; 5], &[1.0; 5]), None);
    assert_eq!(fit_settling(&[1.0; 8], &[0.0; 8]), None);
    assert!(fit_settling(&[7.0; 8], &[1.0; 8]).is_none_or(|fit| fit.behaviour() == Behaviour::Constant));
}

#[test]
fn a_slow_loss_is_a_drift() {
    // 1 ADU over 100 skips, mean known to 0.05 ADU
    let mut stream = Stream::from_seed(6);
    let curve: Vec<f64> = (0..100).map(|k| 700.0 - 0.01 * f64::from(k) + 0.05 * stream.normal()).collect();
    let fit = fit_settling(&curve, &[0.05; 100]).unwrap();
    assert_eq!(fit.behaviour(), Behaviour::Drifts);
    // ends of a line through 100 points: 2·0.05/√100 each
    assert!((fit.change() + 0.99).abs() < 4.0 * 0.015, "{}", fit.change());
}

/// Two amplifiers, 8 columns, 30 skips: L settles from +20, U (stored in reverse order of time) from −10.
#[test]
fn both_halves_are_read_in_the_order_of_time() {
    let folder = tempfile::tempdir().unwrap();
    let skips = 30;
    let mut stream = Stream::from_seed(2);
    let noise = image(40, 8 * skips, |_, _| 0.0).mapv(|_: f64| stream.normal());
    let data = image(40, 8 * skips, |r, sample| {
        let (col, k) = (sample / skips, sample % skips);
        let (amplitude, time) = if col < 4 { (20.0, k) } else { (-10.0, skips - 1 - k) };
        (1000.0 + 50.0 * ((r + col) % 3) as f64 + amplitude * (-(time as f64) / 4.0).exp() + noise[[r, sample]]).round()
    });
    let cards = [Card::new("AMPL", "UL", ""), Card::new("NDCMS", skips, "")];
    with_cards(folder.path(), "raw.fits", &data, &cards);
    let results = run(&args(&["raw.fits", "-r", "0", "3", "-c", "1,6"]), folder.path()).unwrap();
    let csv = std::fs::read_to_string(folder.path().join("raw_transient.csv")).unwrap();
    let number = |key: &str| -> f64 {
        let line = csv.lines().find(|l| l.starts_with(&format!("# {key}="))).unwrap();
        line.split_once('=').unwrap().1.parse().unwrap()
    };
    for (amplifier, amplitude) in [("L", 20.0), ("U", -10.0)] {
        let pull = |key: &str, truth: f64| {
            let error = number(&format!("{}_err_{amplifier}", key.split_once('_').unwrap().0));
            (number(&format!("{key}_{amplifier}")) - truth) / error
        };
        assert!(pull("tau_skips", 4.0).abs() < 4.0, "{amplifier}");
        assert!(pull("amplitude_ADU", amplitude).abs() < 4.0, "{amplifier}");
    }
    let header = csv.lines().find(|l| l.starts_with("skip")).unwrap();
    assert!(header.ends_with("q_0_1_ADU,q_0_6_ADU,q_3_1_ADU,q_3_6_ADU"), "{header}");
    let first: Vec<f64> =
        csv.lines().find(|l| l.starts_with("0,")).unwrap().split(',').map(|x| x.parse().unwrap()).collect();
    assert_eq!(first[5], data[[0, skips]]);
    assert_eq!(first[6], data[[0, 7 * skips - 1]], "the first skip of U stands last");
    assert_eq!(results.figures.len(), 3);
}

/// Numbers of an exponential stand in the table of a curve that settles only.
#[test]
fn a_flat_image_has_no_settling_constant_in_its_table() {
    let folder = tempfile::tempdir().unwrap();
    let mut stream = Stream::from_seed(12);
    let data = image(30, 4 * 25, |_, _| 0.0).mapv(|_: f64| 700.0 + stream.normal());
    with_cards(folder.path(), "raw.fits", &data, &[Card::new("NDCMS", 25, "")]);
    let results = run(&args(&["raw.fits", "-r", "1", "-c", "1"]), folder.path()).unwrap();
    assert!(results.text[0].contains("no settling"), "{:?}", results.text);
    let csv = std::fs::read_to_string(folder.path().join("raw_transient.csv")).unwrap();
    for key in ["tau_skips_1", "tau_err_1", "amplitude_ADU_1", "amplitude_err_1", "level_ADU_1", "level_err_1"] {
        assert!(csv.lines().any(|l| l == format!("# {key}=")), "{key}: {csv}");
    }
    assert!(csv.lines().any(|l| l.starts_with("# mean_ADU_1=7")), "{csv}");
}

#[test]
fn mistakes_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    with_cards(folder.path(), "raw.fits", &image(4, 10, |_, _| 1.0), &[Card::new("X", 1, "")]);
    let message = |words: &[&str]| run(&args(words), folder.path()).unwrap_err().to_string();
    assert!(message(&["raw.fits", "-r", "0", "-c", "0"]).contains("--skips"));
    assert!(message(&["raw.fits", "-r", "0", "-c", "0", "--skips", "3"]).contains("cannot be divided"));
    assert!(message(&["raw.fits", "-r", "9", "-c", "0", "--skips", "5"]).contains("9 lies beyond"));
}
