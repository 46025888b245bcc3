//! The data-quality monitor seen from outside: exit codes, the line that scripts look for, a run that is killed
//! (spec 06 §2).

use std::path::Path;
use std::process::{Command, Output};

use panaskimg::simulate::header::analysis_input;
use panaskimg::simulate::series::Series;
use panaskimg::simulate::{Setup, SimulationConfig};
use serde_json::json;

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_panaSKImg"));
    for variable in ["DQM_DATA_DIR", "DQM_RUN", "DQM_OUT_DIR", "DQM_MONGO_URI"] {
        command.env_remove(variable);
    }
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Three small images, a configuration that reads them, and one of monitor elements that do not draw much.
fn images(directory: &Path) {
    let mut setup = None;
    for image in 1..=3 {
        let config: SimulationConfig = serde_json::from_value(json!({
            "layout": "dual", "rows": 30, "active_cols": 40, "prescan_cols": 2, "overscan_cols": 12, "skips": 16,
            "noise": {"sigma1": 0.8}, "lambda_image": 0.1, "image_id": image, "run_id": 5, "seed": 40 + image,
        }))
        .unwrap();
        let made = Setup::new(config).unwrap();
        let path = directory.join(format!("Image_Source_5_{image}.fits"));
        Series::new(made.clone(), Some(&path), 1, false, None).unwrap().make(1, &mut |_| {}).unwrap();
        std::fs::remove_file(directory.join(format!("Image_Source_5_{image}_truth.fits"))).unwrap();
        setup = Some(made);
    }
    let config = json!({
        "input": analysis_input(&setup.unwrap()),
        "process": {
            "sequence": "CompressSkipperProcess,PedestalSubtractionProcess,CalibrationProcess",
            "PedestalSubtractionProcess": {"method": "median", "in_overscan": true},
            "CalibrationProcess": {"gain": 10.0},
        },
    });
    std::fs::write(directory.join("config.json"), config.to_string()).unwrap();
    let elements = json!({"monitoring_elements": {
        "MEMeanDCperRow": {"active": 1}, "MEOVSPedestalMu": {"active": 1, "qt_valid_range": [0, null]},
        "MEMaskedPixels": {"active": 1},
    }});
    std::fs::write(directory.join("me.json"), elements.to_string()).unwrap();
}

fn monitor(directory: &Path, more: &[&str]) -> Command {
    let mut command = program();
    command.current_dir(directory).args(["--dqm", "--run", "5", "--json", "config.json", "--me-json", "me.json"]);
    command.args(["--dqm-data-dir", ".", "-o", "out"]).args(more);
    command
}

fn run(directory: &Path, more: &[&str]) -> Output {
    monitor(directory, more).output().unwrap()
}

#[test]
fn exit_codes_and_the_closing_line() {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path();
    images(dir);
    let done = run(dir, &["Image*fits"]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let out = text(&done.stdout);
    assert_eq!(out.lines().last(), Some("DQM PROCESS STATUS::OK, RUN::5, PKL::me_summary_run005.pkl"));
    assert!(dir.join("out/run005/me/me_summary_run005.pkl").is_file());

    std::fs::write(dir.join("Image_Source_5_4.fits"), b"no image").unwrap();
    let failed = run(dir, &["Image*fits", "--me-ref", "out/run005/me/me_summary_run005.json"]);
    assert_eq!(failed.status.code(), Some(1));
    let out = text(&failed.stdout);
    assert!(out.lines().any(|l| l.starts_with("error  Image_Source_5_4.fits")), "{out}");
    assert_eq!(out.lines().last(), Some("DQM PROCESS STATUS::ERROR, RUN::5, PKL::me_summary_run005.pkl"));

    for (more, code, words) in [
        (&["nothing*fits"][..], 3, "nothing*fits"),
        (&["Image*fits", "--me-ref", "config.json"], 2, "config.json"),
        (&["Image*fits", "--me-ref", "absent.pkl"], 2, "absent.pkl"),
        (&["Image*fits", "--me-json", "config.json"], 2, "monitoring_elements"),
        (&["Image*fits", "--watch"], 2, "--watch"),
        (&["--dqm-merge", "absent.json"], 2, "absent.json"),
    ] {
        let output = run(dir, more);
        assert_eq!(output.status.code(), Some(code), "{more:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(words), "{more:?}: {}", text(&output.stderr));
    }
    let old = dir.join("dqmSKImg");
    std::fs::copy(env!("CARGO_BIN_EXE_panaSKImg"), &old).unwrap();
    let output = Command::new(&old).current_dir(dir).output().unwrap();
    assert!(text(&output.stderr).contains("DQM_DATA_DIR"), "dqmSKImg is the monitor: {}", text(&output.stderr));
}

#[test]
fn a_killed_run_done_again_is_as_if_it_had_not_been_killed() {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path();
    images(dir);
    for pause in [0, 30, 80, 160] {
        let mut child = monitor(dir, &["Image*fits"]).stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(pause));
        let _ = child.kill();
        child.wait().unwrap();
    }
    let result = || {
        assert_eq!(run(dir, &["Image*fits"]).status.code(), Some(0));
        let summary = std::fs::read(dir.join("out/run005/me/me_summary_run005.json")).unwrap();
        (summary, rows(&dir.join("out/dqm.sqlite")))
    };
    let killed = result();
    std::fs::remove_dir_all(dir.join("out")).unwrap();
    let undisturbed = result();
    assert!(killed.0 == undisturbed.0);
    assert_eq!(killed.1, undisturbed.1);
    assert_eq!(undisturbed.1[..2], [1, 3], "one run, three images");
    assert!(undisturbed.1[2..].iter().all(|n| *n > 0), "{:?}", undisturbed.1);
}

/// Numbers of rows: runs, images, values, tests.
fn rows(database: &Path) -> [i64; 4] {
    let connection = rusqlite::Connection::open(database).unwrap();
    ["runs", "images", "me_values", "me_tests"]
        .map(|table| connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap())
}

/// The check values of spec 06 §19 that do not depend on the level of the row pedestals: the MAD per row (id 9) and the
/// errors of slope and intercept of the mean charge per row (ids 6, 7). Those that do (ids 1, 8, 10, 11) move with the
/// fits of rows that hold several electron peaks, which differ from one fitting program to the next.
#[test]
fn the_check_values_of_the_real_image_that_do_not_depend_on_the_pedestal() {
    let data = std::env::var_os("PANASKIMG_TEST_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), Into::into);
    let image = "avg_Image_5_Low_Temp_109_20250807_170213_15.fz";
    if !data.join(image).is_file() {
        eprintln!("skipped: {} is not there", data.join(image).display());
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path();
    std::fs::copy(data.join(image), dir.join(image)).unwrap();
    let gains = json!({"EXT1": 1.3535, "EXT2": 1.4097, "EXT3": 1.3258, "EXT4": 1.3478});
    let config = json!({
        "input": {
            "image": {"extensions": [1, 2, 3, 4], "ext_header": 0, "skip_image": false, "n_amp": 1, "ccd_rows": 320,
                      "ccd_cols": 640, "n_cols_prescan": 0},
            "convention": {"Nskips": "NDCM", "Ncols": "NCOL", "Nrows": "NROW", "Npbin": "NPBIN", "Nsbin": "NSBIN",
                           "exposure_time": "EXPOSURE", "read_time": "MREAD"},
        },
        "process": {
            "sequence": "CompressSkipperProcess;PedestalSubtractionProcess;CalibrationProcess",
            "PedestalSubtractionProcess": {"method": "gauss_fit", "in_overscan": false, "axis": "row",
                                           "n_sigma_to_mask": 1.5, "hist_nbins_method": "freedman"},
            "CalibrationProcess": {"gain": gains},
        },
    });
    std::fs::write(dir.join("config.json"), config.to_string()).unwrap();
    let elements = json!({"monitoring_elements": {
        "MEMADPixelChargePerRow": {"active": 1}, "MESlopeFromMeanPCPerRow": {"active": 1},
        "MEInterceptFromMeanPCPerRow": {"active": 1}, "MEOVSMedianPixelChargePerRow": {"active": 1},
        "MEReadoutnoiseNDCM": {"active": 1},
    }});
    std::fs::write(dir.join("me.json"), elements.to_string()).unwrap();
    let done = run(dir, &["avg*.fz", "--no-pdf"]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let summary = std::fs::read_to_string(dir.join("out/run005/me/me_summary_run005.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    let numbers = |name: &str, key: &str| -> Vec<f64> {
        let entries = summary["mes"][name]["entries"].as_array().unwrap();
        entries
            .iter()
            .map(|e| match &e[key] {
                serde_json::Value::Array(y) => {
                    let mut y: Vec<f64> = y.iter().filter_map(serde_json::Value::as_f64).collect();
                    y.sort_by(f64::total_cmp);
                    0.5 * (y[y.len() / 2] + y[(y.len() - 1) / 2])
                }
                one => one.as_f64().unwrap(),
            })
            .collect()
    };
    for (name, key, wanted, tolerance) in [
        ("MEMADPixelChargePerRow", "y", [0.82922, 0.84784, 0.85368, 0.82473], 1e-4),
        ("MESlopeFromMeanPCPerRow", "yerr", [0.4105e-3, 0.4201e-3, 0.4043e-3, 0.3966e-3], 2e-2),
        ("MEInterceptFromMeanPCPerRow", "yerr", [0.0358, 0.0424, 0.0356, 0.0342], 2e-2),
    ] {
        for (found, wanted) in numbers(name, key).iter().zip(wanted) {
            assert!((found / wanted - 1.0).abs() < tolerance, "{name}: {found} {wanted}");
        }
    }
    for name in ["MEOVSMedianPixelChargePerRow", "MEReadoutnoiseNDCM"] {
        let entries = summary["mes"][name]["entries"].as_array().unwrap();
        assert!(entries.iter().all(|e| e["y"].is_null() && e["status"] == "none"), "{name}: no overscan, no skips");
    }
}
