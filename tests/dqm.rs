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
