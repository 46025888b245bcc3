use super::*;
use crate::stats::random::Stream;
use crate::workbench::test_files::{extensions, image};

fn columns(counts: impl Iterator<Item = u64>) -> Vec<Line> {
    counts.enumerate().map(|(first, selected)| Line { first, width: 1, selected, total: 1000 }).collect()
}

/// The example of the specification.
fn example() -> Vec<Line> {
    columns((0..100).map(|c| match c {
        37 => 60,
        50..=52 => 45,
        _ => 20,
    }))
}

fn args(words: &[&str]) -> HotcolsArgs {
    use clap::{Args as _, FromArgMatches as _};
    let command = HotcolsArgs::augment_args(clap::Command::new("hotcols"));
    let words = std::iter::once("hotcols").chain(words.iter().copied());
    HotcolsArgs::from_arg_matches(&command.get_matches_from(words)).unwrap()
}

#[test]
fn the_example_of_the_specification() {
    let lines = example();
    let found = find_hot(&lines, &Baseline::RunningMedian(51), 4.0, false);
    assert!((found[37].z - 8.944).abs() < 1e-3, "{}", found[37].z);
    assert!((found[51].z - 5.590).abs() < 1e-3, "{}", found[51].z);
    let fragments = fragments(&args(&["x"]), &lines, &found, &[]);
    assert_eq!(fragments[0]["skip_cols"], json!([37, [50, 52]]));
    assert_eq!(fragments[0]["hot_cols"], json!([37, [50, 52]]));
    assert_eq!(fragments[1]["cols_to_mask"], json!([37, [50, 53]]));
    let polynomial = find_hot(&lines, &Baseline::Polynomial(2), 4.0, false);
    assert!(found.iter().zip(&polynomial).all(|(a, b)| a.hot == b.hot));
}

#[test]
fn the_gap_example_of_the_specification() {
    let rates = [0.10, 0.11, 0.09, 0.10, 0.30, 0.12, 0.10, 0.11];
    let lines = columns(rates.iter().map(|r| (r * 1000.0f64).round() as u64));
    let (hot, threshold) = find_gaps(&lines);
    assert_eq!(hot.iter().position(|h| *h), Some(4));
    assert_eq!(hot.iter().filter(|h| **h).count(), 1);
    assert_eq!(threshold, Some(0.30));
}

#[test]
fn gaps_do_not_eat_the_quiet_columns() {
    let mut rates = vec![100u64; 40];
    (rates[3], rates[7], rates[20]) = (900, 500, 480);
    let (hot, _) = find_gaps(&columns(rates.into_iter()));
    let numbers: Vec<usize> = (0..40).filter(|i| hot[*i]).collect();
    assert_eq!(numbers, [3, 7, 20]);
    assert_eq!(find_gaps(&columns(std::iter::repeat_n(5, 10))).1, None);
}

#[test]
fn quiet_columns_are_rarely_hot_on_a_slope_and_with_few_counts() {
    // Poisson tails: P(z ≥ 4) at a mean of 20 is about 2.4e-4 per column, so 4000 columns hold about one.
    let mut stream = Stream::from_seed(3);
    let lines: Vec<Line> = (0..4000)
        .map(|first| {
            let mean = 15.0 + 10.0 * first as f64 / 4000.0;
            let selected = crate::stats::random::Poisson::new(mean).draw(&mut stream);
            Line { first, width: 1, selected, total: 1000 }
        })
        .collect();
    for baseline in [Baseline::RunningMedian(51), Baseline::Polynomial(1)] {
        let hot = find_hot(&lines, &baseline, 4.0, false).iter().filter(|f| f.hot).count();
        assert!(hot <= 6, "{baseline:?}: {hot}");
    }
}

#[test]
fn columns_of_a_file_are_found_with_masked_pixels_left_out() {
    let folder = tempfile::tempdir().unwrap();
    // Column 20 has one electron in every second row; column 30 too, but there it is a cluster and masked.
    let data = image(60, 50, |r, c| if (c == 20 || c == 30) && r % 2 == 0 { 1.0 } else { 0.0 });
    let mask = image(60, 50, |r, c| f64::from(u8::from(c == 30 && r % 2 == 0)));
    extensions(folder.path(), "a.fits", &[("CALIBRATED", &data, &[]), ("CLSMASK", &mask, &[])]);
    extensions(folder.path(), "b.fits", &[("CALIBRATED", &data, &[]), ("CLSMASK", &mask, &[])]);
    let results = run(&args(&["?.fits", "--addovs", "45", "49", "--tpix", "1000"]), folder.path()).unwrap();
    assert_eq!(results.text[0], "1 of 42 columns are hot (2 files)");
    let json: Value = serde_json::from_slice(&std::fs::read(folder.path().join("a_HotCols.json")).unwrap()).unwrap();
    assert_eq!(json["skip_cols"], json!([20, [45, 49]]));
    assert_eq!(json["cols_to_mask"], json!([20, [45, 50]]));
    let csv = std::fs::read_to_string(folder.path().join("a_HotCols.csv")).unwrap();
    let row = csv.lines().find(|l| l.starts_with("20,")).unwrap();
    assert!(row.starts_with("20,1,60,60,60,120,0"), "{row}");
    assert!(csv.lines().any(|l| l.starts_with("49,")), "the last column counts");
    let beyond = run(&args(&["a.fits", "--addpre", "0", "1", "--addovs", "48", "500"]), folder.path()).unwrap();
    assert_eq!(beyond.warnings, ["--addovs 48 500: the image has columns 0 to 49 only"]);
    assert!(beyond.text[1].contains("[[0,1],20,[48,49]]"), "{:?}", beyond.text);
    let wrong = run(&args(&["a.fits", "--addovs", "49", "45"]), folder.path()).unwrap_err();
    assert!(wrong.is_usage() && wrong.to_string().contains("A ≤ B"), "{wrong}");
    let rows = run(&args(&["a.fits", "--axis", "row", "--mask", "none"]), folder.path()).unwrap();
    assert!(rows.text[0].starts_with("0 of 60 rows"), "{:?}", rows.text);
}

#[test]
fn the_exposure_is_that_of_the_pixel_mass() {
    // 2.33 g/cm³ × (15 µm)² × 675 µm = 3.5387e-10 kg
    assert!((PIXEL_MASS - 3.54e-10).abs() < 0.01e-10);
}

/// The last active columns stand beside an empty overscan: nothing is hot, and a hot column in front of the edge still is.
#[test]
fn the_edge_of_the_active_region_is_not_hot() {
    for (seed, active) in [(8, 40), (9, 200), (10, 200)] {
        let mut random = Stream::from_seed(seed);
        let mut lines: Vec<Line> = (0..active + 42)
            .map(|first| {
                let rate = if first < active { 14.0 } else { 0.02 };
                let selected = crate::stats::random::Poisson::new(rate).draw(&mut random);
                Line { first, width: 1, selected, total: 60 }
            })
            .collect();
        let hot = |lines: &[Line]| -> Vec<usize> {
            let found = find_hot(lines, &Baseline::RunningMedian(51), 5.0, false);
            (0..lines.len()).filter(|&k| found[k].hot).collect()
        };
        // 200 Poisson numbers of mean 14 exceed 14 + 5·√14 = 32.7 with a probability of 200 × 1.2e-5
        assert_eq!(hot(&lines), Vec::<usize>::new(), "{active}");
        lines[active - 2].selected = 56;
        assert_eq!(hot(&lines), [active - 2], "{active}");
    }
}
