use clap::FromArgMatches as _;

use super::*;
use crate::fits::Card;
use crate::workbench::test_files::{image, with_cards};

fn args(words: &[&str]) -> TrendArgs {
    let command = TrendArgs::augment_args(clap::Command::new("trend"));
    TrendArgs::from_arg_matches(&command.get_matches_from(std::iter::once("trend").chain(words.iter().copied())))
        .unwrap()
}

fn rows(folder: &Path, name: &str) -> Vec<Vec<f64>> {
    let csv = std::fs::read_to_string(folder.join(format!("plot_fitsval_{name}.csv"))).unwrap();
    let lines = csv.lines().filter(|l| !l.starts_with('#')).skip(1);
    lines.map(|l| l.split(',').map(|x| x.parse().unwrap_or(f64::NAN)).collect()).collect()
}

fn card(key: &str, value: impl Into<crate::fits::CardValue>) -> Card {
    Card::new(key, value, "")
}

#[test]
fn the_dark_current_of_the_specification() {
    let folder = tempfile::tempdir().unwrap();
    let cards = [
        card("DATEINI", "2024-01-01T00:00:00"),
        card("DATEEND", "2024-01-01T01:12:00"),
        card("EXPOSURE", 0),
        card("NSBIN", 100),
        card("NPBIN", 1),
        card("MEDC1", 0.5),
        card("EMEDC1", 0.01),
        card("MEGAIN1", 1.25),
        card("EMEGAIN1", 0.005),
    ];
    with_cards(folder.path(), "a.fits", &image(2, 2, |_, _| 0.0), &cards);
    run(&args(&["a.fits", "--dc", "-c", "--dates", "DATEINI", "DATEEND", "EXPOSURE"]), folder.path()).unwrap();
    let row = &rows(folder.path(), "DC")[0];
    assert!((row[5] - 0.08).abs() < 1e-12, "{row:?}");
    assert!((row[6] - 0.00163).abs() < 5e-6, "{row:?}");
    // Not continuous: half of the readout, twice the dark current.
    run(&args(&["a.fits", "--dc"]), folder.path()).unwrap();
    assert!((rows(folder.path(), "DC")[0][5] - 0.16).abs() < 1e-12);
}

/// Temperatures that rise by 2 per day, named against the order of time.
fn temperatures(folder: &Path) {
    for (name, day) in [("c", 1), ("a", 2), ("b", 3), ("d", 4)] {
        let cards = [
            card("EXPSTART", format!("2024-03-0{day}T06:00:00")),
            card("TEMP", 100.0 + 2.0 * f64::from(day)),
            card("ETEMP", 0.1),
            card("MEXP", 43_200_000),
            card("MREAD", 86_400_000),
        ];
        with_cards(folder, &format!("{name}.fits"), &image(2, 2, |_, _| 0.0), &cards);
    }
}

#[test]
fn values_stand_in_the_order_of_time_with_their_errors_and_the_slope_is_found() {
    let folder = tempfile::tempdir().unwrap();
    temperatures(folder.path());
    with_cards(folder.path(), "e.fits", &image(2, 2, |_, _| 0.0), &[card("EXPSTART", "2024-03-05T06:00:00")]);
    let results = run(&args(&["temp", "?.fits", "--err", "ETEMP", "--fit", "pol1"]), folder.path()).unwrap();
    assert_eq!(results.warnings, ["e.fits: there is no number TEMP; the image was left out"]);
    let table = rows(folder.path(), "TEMP");
    assert_eq!(table.iter().map(|r| r[5]).collect::<Vec<_>>(), [102.0, 104.0, 106.0, 108.0]);
    assert_eq!(table.iter().map(|r| r[2]).collect::<Vec<_>>(), [0.0, 1.0, 2.0, 3.0]);
    // Slope error of a line through 0, 1, 2, 3 days: 0.1/√5
    assert!(results.text.iter().any(|l| l == "  p1 = 2.000 ± 0.045 /day"), "{:?}", results.text);
    assert!(results.text.iter().any(|l| l == "  p0 = 102.000 ± 0.084"), "{:?}", results.text);
}

/// Two CCDs, A in one set of files and B in the other.
#[test]
fn amplifiers_in_files_of_their_own_names_of_modules_and_the_first_images() {
    let folder = tempfile::tempdir().unwrap();
    for day in 1..=3 {
        for (ccd, gain) in [("A", 1.2), ("B", 1.4)] {
            let cards = [
                card("EXPSTART", format!("2024-03-0{day}T06:00:00")),
                card(&format!("MEGAIN{ccd}"), gain + 0.01 * f64::from(day)),
            ];
            with_cards(folder.path(), &format!("{ccd}{day}.fits"), &image(2, 2, |_, _| 0.0), &cards);
        }
    }
    let results = run(&args(&["MEGAIN", "?*.fits"]), folder.path()).unwrap();
    assert!(results.warnings.is_empty(), "{:?}", results.warnings);
    assert_eq!(rows(folder.path(), "MEGAIN").len(), 6);
    assert!(results.text.iter().any(|l| l.starts_with("MEGAINA: 3 images, mean 1.220")), "{:?}", results.text);
    let words = ["MEGAIN", "?*.fits", "--ccdnames", "A,B", "--modules", "DM07-1,DM07-2", "--nfile", "4"];
    let results = run(&args(&words), folder.path()).unwrap();
    assert_eq!(rows(folder.path(), "MEGAIN").len(), 4);
    assert!(results.text.iter().any(|l| l.starts_with("MEGAIN DM07-2: 2 images")), "{:?}", results.text);
    let wrong = ["MEGAIN", "?*.fits", "--amp", "A,B", "--modules", "DM07"];
    assert!(run(&args(&wrong), folder.path()).unwrap_err().to_string().contains("--modules"));
}

#[test]
fn other_horizontal_axes() {
    let folder = tempfile::tempdir().unwrap();
    temperatures(folder.path());
    let x = |words: &[&str]| {
        run(&args(words), folder.path()).unwrap();
        rows(folder.path(), "TEMP").iter().map(|r| r[4]).collect::<Vec<_>>()
    };
    assert_eq!(x(&["-p", "TEMP", "?.fits", "--x", "image"]), [0.0, 1.0, 2.0, 3.0]);
    // 0.5 day of exposure and half of a day of readout per image
    assert_eq!(x(&["TEMP", "?.fits", "--x", "exposure"]), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(x(&["TEMP", "?.fits", "--x", "TEMP"]), [102.0, 104.0, 106.0, 108.0]);
}

#[test]
fn rates_per_day_use_the_times_of_the_image_or_of_the_joined_images() {
    let folder = tempfile::tempdir().unwrap();
    let mut cards = vec![
        card("DATE", "2024-01-01T00:00:00"),
        card("LAM", 3.0),
        card("MEXP", 43_200_000),
        card("MREAD", 86_400_000),
        card("NPBIN", 3),
    ];
    with_cards(folder.path(), "a.fits", &image(2, 2, |_, _| 0.0), &cards);
    run(&args(&["LAM", "a.fits", "--isdc"]), folder.path()).unwrap();
    assert!((rows(folder.path(), "LAM")[0][5] - 1.0).abs() < 1e-12);
    cards.extend([card("CTBINEXP", 0.0), card("CTBINPIX", 43_200.0)]);
    with_cards(folder.path(), "a.fits", &image(2, 2, |_, _| 0.0), &cards);
    run(&args(&["LAM", "a.fits", "--isdc"]), folder.path()).unwrap();
    assert!((rows(folder.path(), "LAM")[0][5] - 2.0).abs() < 1e-12);
}

#[test]
fn noise_is_that_of_the_trimmed_region() {
    let folder = tempfile::tempdir().unwrap();
    let pixels = image(10, 10, |r, c| if (r, c) == (0, 0) { 1e6 } else { f64::from(u8::from((r + c) % 2 == 0)) });
    let cards = [card("DATE", "2024-01-01T00:00:00"), card("SSAMP", 30)];
    with_cards(folder.path(), "a.fits", &pixels, &cards);
    run(&args(&["a.fits", "--std", "--sf", "0.1", "--x", "SSAMP"]), folder.path()).unwrap();
    let row = &rows(folder.path(), "SSAMP_STD")[0];
    assert!((row[4] - 2.0).abs() < 1e-12, "30 samples of 1/15 µs: {row:?}");
    assert!((row[5] - 0.5 / 3.0).abs() < 1e-9, "{row:?}");
    // The command line of plot_fitsval.
    std::fs::remove_file(folder.path().join("plot_fitsval_SSAMP_STD.csv")).unwrap();
    let results = run(&args(&["-i", "a.fits", "--std", "--sf", "0.1", "-p", "SSAMP"]), folder.path()).unwrap();
    assert!(results.warnings.is_empty(), "{:?}", results.warnings);
    assert_eq!(rows(folder.path(), "SSAMP_STD"), std::slice::from_ref(row));
    assert!(folder.path().join("plot_fitsval_SSAMP_STD.pdf").is_file());
    let two = run(&args(&["a.fits", "--std", "-p", "SSAMP,PSAMP"]), folder.path()).unwrap_err().to_string();
    assert!(two.contains("one keyword"), "{two}");
}

/// Dark current of the specification with two amplifiers; b.fits has only the first one, c.fits none.
fn two_amplifiers(folder: &Path) {
    for (name, day, amplifiers) in [("a", 1, 2), ("b", 2, 1), ("c", 3, 0)] {
        let mut cards = vec![
            card("DATEINI", format!("2024-01-0{day}T00:00:00")),
            card("DATEEND", format!("2024-01-0{day}T01:12:00")),
            card("EXPOSURE", 0),
            card("NSBIN", 100),
        ];
        for amplifier in 1..=amplifiers {
            cards.extend([card(&format!("MEDC{amplifier}"), 0.5), card(&format!("MEGAIN{amplifier}"), 1.25)]);
        }
        with_cards(folder, &format!("{name}.fits"), &image(2, 2, |_, _| 0.0), &cards);
    }
}

#[test]
fn keywords_that_the_user_names_are_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    two_amplifiers(folder.path());
    let missing = |words: &[&str]| {
        let words: Vec<&str> = ["a.fits", "--dc", "--amp", "1"].iter().chain(words).copied().collect();
        run(&args(&words), folder.path()).unwrap_err().to_string()
    };
    assert!(missing(&["--binning", "FOO", "BAR"]).contains("a.fits: there is no number FOO"));
    assert!(missing(&["--dates", "DATEINI", "DATEEND", "FOO"]).contains("there is no number FOO"));
    assert!(missing(&["--dates", "DATEINI", "FOO", "EXPOSURE"]).contains("there is no date FOO"));
    let error = run(&args(&["MEDC1", "a.fits", "--err", "EFOO"]), folder.path()).unwrap_err().to_string();
    assert!(error.contains("a.fits: there is no number EFOO"), "{error}");
    run(&args(&["a.fits", "--dc", "--amp", "1", "--binning", "NSBIN", "NSBIN"]), folder.path()).unwrap();
    // half of 4320 s, 100 × 100 pixels
    assert!((rows(folder.path(), "DC")[0][5] - 0.0016).abs() < 1e-12);
}

#[test]
fn a_file_is_missed_only_if_it_has_none_of_the_amplifiers() {
    let folder = tempfile::tempdir().unwrap();
    two_amplifiers(folder.path());
    let results = run(&args(&["?.fits", "--dc", "--amp", "1,2"]), folder.path()).unwrap();
    assert_eq!(results.warnings, ["c.fits: there is no number MEDC1; the image was left out"]);
    assert_eq!(rows(folder.path(), "DC").len(), 3);
    let results = run(&args(&["[ab].fits", "--dc", "--amp", "1,3"]), folder.path()).unwrap();
    assert_eq!(results.warnings, ["no image holds MEDC3"]);
}

#[test]
fn units_of_what_is_drawn_and_of_its_slope() {
    assert_eq!(unit_over("e-/pix/day", "day", 1), "e-/pix/day²");
    assert_eq!(unit_over("1/pix/day", "day", 2), "1/pix/day³");
    assert_eq!(unit_over("ADU", "day", 1), "ADU/day");
    assert_eq!(unit_over("", "image", 2), "/image²");
    let folder = tempfile::tempdir().unwrap();
    two_amplifiers(folder.path());
    let results = run(&args(&["MEDC,EXPOSURE", "a.fits", "--amp", "1", "--per-day"]), folder.path());
    assert!(results.unwrap().text[0].ends_with(" ADU/pix/day"));
}

#[test]
fn values_without_scatter_are_said_to_be_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for day in 1..=7 {
        let cards = [card("DATE", format!("2024-01-0{day}T00:00:00")), card("GAIN", 1.3)];
        with_cards(folder.path(), &format!("{day}.fits"), &image(2, 2, |_, _| 0.0), &cards);
    }
    let results = run(&args(&["GAIN", "?.fits"]), folder.path()).unwrap();
    assert_eq!(results.text, ["GAIN: 7 images, all 1.3"]);
    let results = run(&args(&["GAIN", "?.fits", "--fit", "pol1"]), folder.path()).unwrap();
    assert_eq!(results.text[1..3], ["  p0 = 1.3", "  p1 = 0 /day"]);
}

/// Two images of 0.5 day of exposure and a day of readout each, joined: 2 × (0.5 + 0.5) days, whatever MEXP says.
#[test]
fn joined_images_count_with_all_their_exposures() {
    let folder = tempfile::tempdir().unwrap();
    temperatures(folder.path());
    let cards = [
        card("EXPSTART", "2024-03-09T06:00:00"),
        card("TEMP", 1.0),
        card("MEXP", 1000),
        card("CNUMIMG", 2),
        card("CTBINEXP", 43_200.0),
        card("CTBINPIX", 43_200.0),
    ];
    with_cards(folder.path(), "j.fits", &image(2, 2, |_, _| 0.0), &cards);
    run(&args(&["TEMP", "[cj].fits", "--x", "exposure"]), folder.path()).unwrap();
    assert_eq!(rows(folder.path(), "TEMP").iter().map(|r| r[4]).collect::<Vec<_>>(), [1.0, 3.0]);
}

#[test]
fn an_unreadable_file_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    temperatures(folder.path());
    std::fs::write(folder.path().join("x.fits"), "no image").unwrap();
    let results = run(&args(&["TEMP", "?.fits"]), folder.path()).unwrap();
    assert_eq!((results.code, rows(folder.path(), "TEMP").len()), (1, 4));
    assert!(results.warnings.len() == 1 && results.warnings[0].contains("x.fits"), "{:?}", results.warnings);
    let error = run(&args(&["TEMP", "x.fits"]), folder.path()).unwrap_err();
    assert!(!error.is_usage() && !error.is_no_input(), "{error}");
}

#[test]
fn the_command_lines_of_the_old_programs() {
    let folder = tempfile::tempdir().unwrap();
    two_amplifiers(folder.path());
    run(&args(&["dc", "a.fits", "--ccdnames", "1"]), folder.path()).unwrap();
    assert!((rows(folder.path(), "DC")[0][5] - 0.16).abs() < 1e-12);
    let message = |words: &[&str]| run(&args(words), folder.path()).unwrap_err().to_string();
    for file in ["s_*.fits", "a.fits", "b", "./b"] {
        std::fs::write(folder.path().join("b"), "").unwrap();
        assert!(message(&[file]).contains("is taken as a keyword; name KEY, --dc, --rate or --std"), "{file}");
    }
}

#[test]
fn mistakes_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    temperatures(folder.path());
    let message = |words: &[&str]| run(&args(words), folder.path()).unwrap_err().to_string();
    assert!(message(&["NOKEY", "a.fits"]).contains("no file holds"), "{}", message(&["NOKEY", "a.fits"]));
    assert!(message(&["TEMP", "a.fits", "--fit", "exp"]).contains("pol7"));
    assert!(message(&["TEMP,X", "a.fits", "--err", "ETEMP"]).contains("1 keywords of errors"));
    assert!(run(&args(&["TEMP", "zz*.fits"]), folder.path()).unwrap_err().is_no_input());
    assert!(message(&[]).contains("a keyword is expected"));
}
