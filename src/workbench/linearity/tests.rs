use clap::FromArgMatches as _;

use super::*;
use crate::stats::random::Stream;
use crate::workbench::test_files::{extensions, image};

fn args(words: &[&str]) -> LinearityArgs {
    let command = LinearityArgs::augment_args(clap::Command::new("linearity"));
    LinearityArgs::from_arg_matches(
        &command.get_matches_from(std::iter::once("linearity").chain(words.iter().copied())),
    )
    .unwrap()
}

/// Pixels in ADU: `counts(n)` with n electrons, at k n (1 + q n), noise `sigma`·k.
fn pixels(k: f64, q: f64, sigma: f64, last: usize, counts: impl Fn(usize) -> usize) -> Vec<f64> {
    let mut stream = Stream::from_seed(31);
    let mut values = Vec::new();
    for n in 0..=last {
        let at = n as f64;
        values.extend((0..counts(n)).map(|_| k * (at * (1.0 + q * at) + sigma * stream.normal())));
    }
    values
}

fn found(values: Vec<f64>, start: Option<f64>) -> Linearity {
    let folder = tempfile::tempdir().unwrap();
    let mut results = Results::new(&FigureArgs::default(), folder.path()).unwrap();
    measure(&Sample::independent(values), start, "ADU", (0.0, 1350.0), 30.0, &mut results).unwrap()
}

/// 700 peaks of a chain that is 2 % off at 700 e⁻: every peak has its number, gain and non-linearity within errors.
#[test]
fn peaks_are_followed_to_several_hundred_electrons() {
    let (k, q, sigma) = (1.354, -3e-5, 0.17);
    let values = pixels(k, q, sigma, 700, |n| if n < 10 { 20_000 >> n.min(6) } else { 110 });
    let found = found(values, None);
    assert!(found.peaks.len() >= 690, "{} peaks", found.peaks.len());
    let mut chi2 = 0.0;
    for peak in &found.peaks {
        let n = peak.electrons as f64;
        let pull = (peak.fit.mu - k * n * (1.0 + q * n)) / peak.fit.mu_error;
        assert!(pull.abs() < 6.0, "peak {n}: {pull}");
        chi2 += pull * pull;
    }
    let per_peak = chi2 / found.peaks.len() as f64;
    // χ² of 700 peaks: 1 ± 0.053, and the fit of overlapping tails adds a little
    assert!((0.8..1.25).contains(&per_peak), "{per_peak}");
    let (measured, error) = found.nonlinearity().unwrap();
    assert!((measured - q).abs() < 4.0 * error && error < 1e-7, "{measured} ± {error}");
    let parabola = found.parabola.as_ref().unwrap();
    assert!((parabola.coefficients[1] - k).abs() < 4.0 * parabola.error(1));
    let (noise, noise_error) = found.noise;
    assert!((noise / k - sigma).abs() < 4.0 * noise_error / k + 0.002, "{noise}");
    // the line misses the ends of the parabola by q N²/6 = 2.4 e⁻
    let largest = found.grouped().iter().map(|g| g.1.abs()).fold(0.0, f64::max);
    assert!((1.5..4.0).contains(&largest), "{largest}");
}

/// Gain, non-linearity and largest deviation over 600 electrons, with noise up to where peaks touch, for a linear and a
/// bent response; the peaks beyond the first ones hold 300 pixels.
#[test]
fn the_integral_non_linearity_is_recovered_over_600_electrons() {
    for (q, sigma) in [(0.0, 0.15), (2e-5, 0.15), (-2e-5, 0.2), (1e-5, 0.25)] {
        let values = pixels(5.0, q, sigma, 600, |n| if n < 5 { 8000 } else { 300 });
        let found = found(values, Some(5.0));
        assert!(found.peaks.len() >= 595, "q {q}: {} peaks", found.peaks.len());
        let parabola = found.parabola.as_ref().unwrap();
        let pull = |value: f64, truth: f64, error: f64| {
            assert!(((value - truth) / error).abs() < 4.0, "q {q} σ {sigma}: {value} ± {error}, truth {truth}");
        };
        pull(parabola.coefficients[1], 5.0, parabola.error(1));
        let (measured, error) = found.nonlinearity().unwrap();
        pull(measured, q, error);
        let (inl, inl_error) = found.integral_nonlinearity().unwrap();
        // between 0 and 600 e⁻ the parabola leaves its chord by −q 600²/4: ±1.8 e⁻ at 2e-5
        let last = found.peaks[found.peaks.len() - 1].electrons as f64;
        pull(inl, -0.25 * q * last * last, inl_error);
        assert!(inl_error < 0.05, "{inl_error}");
        // the errors are right: χ² of the peaks about the parabola
        let reduced = parabola.chi2_per_ndf();
        // 1 ± √(2/597), four of these
        assert!((reduced - 1.0).abs() < 4.0 * (2.0f64 / 597.0).sqrt(), "q {q} σ {sigma}: χ²/ndf {reduced}");
        // every residual from the line is that of the parabola
        let pulls: Vec<f64> = found
            .peaks
            .iter()
            .map(|p| (p.fit.mu - 5.0 * p.electrons as f64 * (1.0 + q * p.electrons as f64)) / p.fit.mu_error)
            .collect();
        let width = crate::stats::robust::mean_and_std(&pulls, crate::stats::robust::Ddof::Sample).1;
        assert!((width - 1.0).abs() < 0.12, "q {q} σ {sigma}: width of the pulls {width}");
    }
}

#[test]
fn gains_of_all_set_ups_are_found_and_gaps_crossed() {
    for (k, sigma) in [(1.3, 0.2), (10.0, 0.16), (43.0, 0.12)] {
        // nothing between 60 and 70 electrons
        let values = pixels(k, 0.0, sigma, 150, |n| if (60..70).contains(&n) { 0 } else { 400 });
        for start in [None, Some(1.1 * k)] {
            let found = found(values.clone(), start);
            let gain = found.gain();
            assert!((gain - k).abs() < 4.0 * found.line.error(1), "{gain} for {k}");
            assert_eq!(found.peaks.len(), 141);
            assert!(found.line.chi2_per_ndf() < 1.6, "{}", found.line.chi2_per_ndf());
            let steps = track::spacings(&found);
            let gap = steps.iter().find(|s| s.0 == 70.0).unwrap();
            assert!((gap.1 - k).abs() < 5.0 * gap.2, "{gap:?}");
        }
    }
}

#[test]
fn a_smooth_tail_is_no_comb() {
    let mut values = pixels(1.0, 0.0, 0.15, 12, |_| 500);
    let mut stream = Stream::from_seed(9);
    values.extend((0..20_000).map(|_| 13.0 + 200.0 * stream.uniform()));
    let found = found(values, Some(1.0));
    // A straight slope can be taken for peaks of any place; their width gives most of them away.
    let beyond = found.peaks.iter().filter(|p| p.electrons > 16).count();
    assert!(beyond < 40, "{beyond} peaks in a smooth distribution");
}

/// Wherever the first wanted peak lies, and although the pixels are 2.5 % off: no peak is cut in two, and each has its
/// number. Below the first wanted one the same as from 0 on, but for the pixels of the neighbours (0.3 of an error).
#[test]
fn any_peak_can_be_the_first() {
    let values = pixels(1.025, 0.0, 0.17, 70, |_| 800);
    let folder = tempfile::tempdir().unwrap();
    let mut results = Results::new(&FigureArgs::default(), folder.path()).unwrap();
    let all = found(values.clone(), Some(1.0));
    for first in [5usize, 10, 20, 30, 45] {
        let sample = Sample::independent(values.clone());
        let some = measure(&sample, Some(1.0), "e-", (first as f64, 60.0), 30.0, &mut results).unwrap();
        let electrons: Vec<usize> = some.peaks.iter().map(|p| p.electrons).collect();
        assert_eq!(electrons, (first..=60).collect::<Vec<_>>(), "from {first}");
        for peak in &some.peaks {
            let same = all.peaks.iter().find(|p| p.electrons == peak.electrons).unwrap();
            assert!((peak.fit.mu - same.fit.mu).abs() < 0.3 * same.fit.mu_error, "from {first}: {peak:?} {same:?}");
        }
        assert!((some.gain() - 1.025).abs() < 4.0 * some.line.error(1), "from {first}: {}", some.gain());
    }
    // Without low peaks the search begins at the start value.
    let high: Vec<f64> = values.into_iter().filter(|x| *x > 1.025 * 18.5).collect();
    let some = measure(&Sample::independent(high), Some(1.0), "e-", (20.0, 60.0), 30.0, &mut results).unwrap();
    assert_eq!((some.peaks[0].electrons, some.peaks.len()), (20, 41));
}

/// Whole ADU have peaks too, but they say nothing about electrons.
#[test]
fn raw_skips_and_steps_of_the_converter_are_refused() {
    use crate::fits::Card;
    let folder = tempfile::tempdir().unwrap();
    let mut stream = Stream::from_seed(4);
    let noise = image(40, 200, |_, _| 0.0).mapv(|_: f64| (840.0 + 6.0 * stream.normal()).round());
    extensions(folder.path(), "raw.fits", &[("", &noise, &[Card::new("NDCMS", 20, "")])]);
    extensions(folder.path(), "steps.fits", &[("", &noise, &[])]);
    extensions(folder.path(), "halves.fits", &[("", &noise.mapv(|x| 0.5 * x), &[Card::new("NDCMS", 2, "")])]);
    let message = |words: &[&str]| run(&args(words), folder.path()).unwrap_err().to_string();
    assert!(message(&["raw.fits"]).contains("20 skips per pixel"), "{}", message(&["raw.fits"]));
    for file in ["steps.fits", "halves.fits"] {
        let text = message(&[file, "-k", "1"]);
        assert!(text.contains("steps of") || text.contains("not resolved"), "{text}");
    }
    // 20 columns per skip by chance, but averaged pixels are no whole numbers
    let averaged = pixels(1.4, 0.0, 0.15, 9, |_| 400);
    let data = image(40, 100, |r, c| averaged[100 * r + c]);
    extensions(folder.path(), "averaged.fits", &[("", &data, &[Card::new("NDCMS", 20, "")])]);
    run(&args(&["averaged.fits"]), folder.path()).unwrap();
}

#[test]
fn images_and_options() {
    let folder = tempfile::tempdir().unwrap();
    let values = pixels(1.01, 0.0, 0.15, 9, |_| 400);
    let data = image(40, 100, |r, c| values[100 * r + c]);
    extensions(folder.path(), "a.fits", &[("CALIBRATED", &data, &[])]);
    let results = run(&args(&["a.fits", "-k", "5"]), folder.path()).unwrap();
    assert!(results.text.iter().any(|l| l.starts_with("gain of the pixels 5.0")), "{:?}", results.text);
    let csv = std::fs::read_to_string(folder.path().join("a_linearity.csv")).unwrap();
    assert!(csv.contains("n_e,mu_e,mu_err,sigma_e,sigma_err,counts,fit_e,residual_e,residual_e"), "{csv}");
    assert_eq!(results.figures.len(), 2);
    let message = |words: &[&str]| run(&args(words), folder.path()).unwrap_err().to_string();
    assert!(message(&["a.fits", "--ne", "5", "2"]).contains("--ne"));
    run(&args(&["a.fits", "--ne", "0", "6"]), folder.path()).unwrap();
    let csv = std::fs::read_to_string(folder.path().join("a_linearity.csv")).unwrap();
    assert!(csv.lines().last().unwrap().starts_with("6,"), "{csv}");
    let flat = image(10, 10, |_, _| 1.0);
    extensions(folder.path(), "flat.fits", &[("", &flat, &[])]);
    assert!(message(&["flat.fits"]).contains("not resolved"), "{}", message(&["flat.fits"]));
}
