//! The tool from files to files.

use std::borrow::Cow;

use clap::Parser;
use ndarray::Array2;

use super::module::coded;
use super::*;
use crate::fits::{Card, FitsInput, FitsWriter, Header};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    arguments: CrosstalkArgs,
}

fn arguments(words: &[&str]) -> CrosstalkArgs {
    Line::try_parse_from(std::iter::once("crosstalk").chain(words.iter().copied())).unwrap().arguments
}

/// Writes the four files of a simulated data set.
fn write_set(directory: &Path, stamp: &str, seed: u64) -> Vec<Vec<f64>> {
    let what = Simulation { rows: 150, cols: 200, ..Simulation::default() };
    let (module, truth) = simulate(&what, (400.0, 5000.0), (0, 0), seed);
    let frame = &module.frames[0];
    for channel in 0..4 {
        let mut codes = Array2::zeros(frame.images[channel].dim());
        for seed in &frame.seeds[channel] {
            codes[[seed.row, seed.col]] = coded(seed.cluster, seed.charge);
        }
        let mut header = Header::new();
        header.push(Card::new("EXTNAME", "CALIBRATED", ""));
        for (k, letter) in ['A', 'B', 'D', 'C'].into_iter().enumerate() {
            header.push(Card::new(format!("CH{k}"), format!("CCD_{letter}"), ""));
        }
        header.push(Card::new(format!("GAIN_{}", channel + 1), 1.3, ""));
        let mut second = Header::new();
        second.push(Card::new("EXTNAME", "QMAX", ""));
        let mut writer = FitsWriter::new();
        writer.push(header, Cow::Borrowed(&frame.images[channel]));
        writer.push(second, Cow::Owned(codes));
        writer.write(&directory.join(format!("avg_Image_{stamp}_EXT{}_waders.fits", channel + 1)), false).unwrap();
    }
    truth
}

#[test]
fn from_files_to_a_corrected_file_figures_and_numbers() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    std::fs::create_dir(&data).unwrap();
    write_set(&data, "20250807_170213_15", 1);
    write_set(&data, "20250808_170213_16", 1);
    let words = [
        "-d",
        "data",
        "-i",
        "*_15_EXT*_waders.fits",
        "-d",
        "data",
        "-i",
        "*_16_EXT*_waders.fits",
        "--acm",
        "109",
        "-o",
        "out",
        "--bootstrap-size",
        "500",
        "--fmt",
        "svg,png",
    ];
    let results = run(&arguments(&words), directory.path()).unwrap();
    assert_eq!(results.matrix.labels, ["A-CH0", "B-CH1", "D-CH2", "C-CH3"]);
    assert!(results.warnings.is_empty(), "{:?}", results.warnings);
    assert_eq!(results.text.len(), 12);
    let names: Vec<String> =
        results.written.iter().map(|p| p.file_name().unwrap().to_string_lossy().into_owned()).collect();
    for name in [
        "avg_Image_20250807_170213_15_20250808_170213_16_xtalkcorrected.fits",
        "crosstalk_ACM-109_lag_00_alpha_vs_energy.svg",
        "crosstalk_ACM-109_lag_00_visual_xtalk_summary.png",
        "crosstalk_ACM-109_lag_00_global_alpha.svg",
        "crosstalk_ACM-109_lag_00_correction_vs_charge.svg",
        "crosstalk_ACM-109_lag_00_pcd.svg",
        "crosstalk_ACM-109_lag_00_results.json",
    ] {
        assert!(names.contains(&name.to_owned()), "{name} in {names:?}");
    }

    let file = FitsInput::open(&results.written[0]).unwrap();
    let extnames: Vec<_> = file.hdus().iter().map(|h| h.extname.clone().unwrap()).collect();
    assert_eq!(
        extnames,
        ["XTALK_1", "XTALK_2", "XTALK_3", "XTALK_4", "CALIBRATED_1", "CALIBRATED_2", "CALIBRATED_3", "CALIBRATED_4"]
    );
    assert_eq!(file.read_image(0).unwrap().dim(), (300, 200), "data sets are stacked along the rows");
    let header = file.header(0).unwrap();
    assert_eq!(header.integer("ACM"), Some(109));
    assert_eq!(header.integer("LAG0"), Some(0));
    assert_eq!(header.number("GAIN_4"), Some(1.3), "cards of all inputs");
    let c = results.matrix.coefficients[0][2].as_ref().unwrap();
    assert_eq!(header.number("A-CH0D-CH2"), Some(c.alpha));
    assert_eq!(header.number("A-CH0D-CH2_NULL"), Some(c.alpha - c.null));

    let json: Value = serde_json::from_slice(&std::fs::read(results.written.last().unwrap()).unwrap()).unwrap();
    assert_eq!(json["alpha"][0][2], c.alpha);
    assert!(json["alpha"][1][1].is_null());
    assert_eq!(json["pairs"][0]["coefficient"]["bins"].as_array().unwrap().len(), 5);
}

#[test]
fn coefficients_from_files_are_the_simulated_ones() {
    let directory = tempfile::tempdir().unwrap();
    let truth = write_set(directory.path(), "20250807_170213_15", 5);
    let words = ["-d", ".", "-i", "*.fits", "--bootstrap-size", "100", "-o", "out", "--fmt", "svg"];
    let matrix = run(&arguments(&words), directory.path()).unwrap().matrix;
    for (dst, src, c) in matrix.pairs() {
        // 60 seeds: 1.25·0.16/(√60·⟨Q⟩) ≈ 1.5e-5
        assert!((c.alpha - truth[dst][src]).abs() < 8e-5, "{dst} {src}: {} {}", c.alpha, truth[dst][src]);
    }
}

#[test]
fn simulated_data_need_no_files() {
    let directory = tempfile::tempdir().unwrap();
    let words = ["--sim", "true", "0.001", "0.2", "100", "120", "-o", "x/y", "--lag", "-1", "2", "--fmt", "svg"];
    let results = run(&arguments(&words), directory.path()).unwrap();
    assert!(directory.path().join("x/y/simulation_xtalkcorrected.fits").exists());
    assert!(directory.path().join("x/y/crosstalk_ACM-none_lag_-12_results.json").exists());
    assert!(results.text[0].contains("simulated"));
}

#[test]
fn mistakes_are_explained() {
    let directory = tempfile::tempdir().unwrap();
    let error = |words: &[&str]| run(&arguments(words), directory.path()).unwrap_err();
    assert!(matches!(error(&[]), CrosstalkError::NoInput));
    assert!(matches!(error(&["-d", "a", "-d", "b", "-i", "x"]), CrosstalkError::Pairs { directories: 2, patterns: 1 }));
    assert!(error(&["-d", ".", "-i", "*.fits"]).is_no_input());
    assert!(error(&["--sim", "maybe"]).to_string().contains("maybe"));
    assert!(error(&["--sim", "true", "-1"]).to_string().contains("dark current"));
    assert!(error(&["--sim", "true", "--qrange", "5", "5"]).to_string().contains("LO < HI"));
    assert!(error(&["--sim", "true", "--fmt", "gif"]).to_string().contains("gif"));
    std::fs::write(directory.path().join("a_EXT1_x.fits"), b"nothing").unwrap();
    let found = error(&["-d", ".", "-i", "*.fits"]).to_string();
    assert!(found.contains("1 files match") && found.contains("exactly 4"), "{found}");
    for n in 2..5 {
        std::fs::write(directory.path().join(format!("a_EXT{n}_x.fits")), b"nothing").unwrap();
    }
    assert!(matches!(error(&["-d", ".", "-i", "*.fits"]), CrosstalkError::Unreadable { .. }));
}
