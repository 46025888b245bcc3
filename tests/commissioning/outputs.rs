//! One pass over the file, the same numbers with any number of threads, and the files that a user finds.

use panaskimg::process::commissioning::survey::Surveys;
use serde_json::json;

use crate::support::{ALL, analyse, simulate};

fn small(folder: &std::path::Path) -> std::path::PathBuf {
    simulate(
        folder,
        json!({"rows": 50, "active_cols": 160, "overscan_cols": 24, "skips": 120, "gain": 10.0, "seed": 21,
               "layout": "dual", "noise": {"sigma1": 2.0}, "lambda_image": 1.0, "charge_loss": 1e-4}),
    )
}

#[test]
fn one_pass_serves_all_processes() {
    let folder = tempfile::tempdir().unwrap();
    let raw = analyse(&small(folder.path()), ALL, json!({}));
    assert_eq!(raw.products.get::<Surveys>().unwrap().passes(), 1);
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let image = small(folder.path());
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let raw = pool.install(|| analyse(&image, ALL, json!({})));
        let numbers: Vec<(String, u64, Option<u64>)> = raw
            .report
            .measurements
            .iter()
            .map(|m| (m.name.clone(), m.value.to_bits(), m.error.map(f64::to_bits)))
            .collect();
        let tables: Vec<Vec<Vec<u64>>> = raw
            .report
            .tables
            .iter()
            .map(|(_, t)| t.rows.iter().map(|r| r.iter().map(|x| x.to_bits()).collect()).collect())
            .collect();
        (numbers, tables)
    };
    let one = run(1);
    for threads in [2, 5] {
        assert_eq!(one, run(threads), "{threads} threads");
    }
}

#[test]
fn figures_tables_images_and_cards_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let image = small(folder.path());
    let sequence = ALL.replace(';', ",");
    let output = assert_cmd::Command::cargo_bin("panaSKImg")
        .unwrap()
        .current_dir(folder.path())
        .args(["--json", "sim_panaSKImg.json", "-s", &sequence, "--save-plots", "--save-img", "-o", "out"])
        .arg(&image)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for name in [
        "sim_NoiseVSSkipPlot_U.pdf",
        "sim_NoiseVSSkipPlot_L.eps",
        "sim_NoiseVSSkipPlot_all.pdf",
        "sim_NoiseVSSkipPlot_U.csv",
        "sim_FFTNoisePlot_skips_U.pdf",
        "sim_FFTNoisePlot_rows_L.csv",
        "sim_FFTNoisePlot_L.pdf",
        "sim_FFTNoisePlot_L.csv",
        "sim_ChargeLossPlot.pdf",
        "sim_ChargeLossPlot.csv",
        "sim__skipper_chargeloss.fits",
        "sim_ChargeLossSkewnessProcess_L.csv",
        "sim_ChargeLossSkewnessProcess_L.pdf",
        "sim_FitCalibrationConstant_lineality_from_single_electron_peaks_U.pdf",
        "sim_FitCalibrationConstant_PCD_low_and_high_EnergyRange_AMPLIFIER_L.pdf",
        "sim_FitCalibrationConstant_PCD_low_and_high_EnergyRange_AMPLIFIER_L.csv",
        "sim_FitCalibrationConstant_calibration_guess_U.csv",
        "sim_FitCalibrationConstant_fit_peaks_U.csv",
        "sim_NoiseVSSkipPlot_all.csv",
    ] {
        assert!(folder.path().join("out").join(name).is_file(), "{name} is missing\n{said}");
    }
    let csv = std::fs::read_to_string(folder.path().join("out/sim_FFTNoisePlot_skips_U.csv")).unwrap();
    assert!(csv.starts_with("# sample_time=") && csv.contains("\nfreq_Hz,magnitude,psd_ADU2_per_Hz,asd\n"), "{csv}");
    let input = panaskimg::fits::FitsInput::open(folder.path().join("out/sim_EXT0_waders.fits")).unwrap();
    let header = input.header(0).unwrap();
    for keyword in ["MECALU", "EMECALL", "MECOFFU", "MECNPKL", "MERNLU", "MERNFL", "MERNAU"] {
        assert!(header.number(keyword).is_some(), "{keyword}");
    }
    let images = panaskimg::fits::FitsInput::open(folder.path().join("out/sim__skipper_chargeloss.fits")).unwrap();
    let names: Vec<_> = (0..images.hdus().len()).map(|h| images.header(h).unwrap().text("EXTNAME").unwrap()).collect();
    assert_eq!(names, ["SKIP0", "SKIP1", "SKIP2", "BASELINE", "MEAN", "STD", "DIFF0", "DIFF1", "DIFF2"]);
    assert_eq!(images.header(6).unwrap().integer("BASESKIP"), Some(119));
    // differences in single precision
    let bits: Vec<_> = (0..names.len()).map(|h| images.header(h).unwrap().integer("BITPIX").unwrap()).collect();
    assert_eq!(bits, [-64, -64, -64, -64, -64, -64, -32, -32, -32]);
}
