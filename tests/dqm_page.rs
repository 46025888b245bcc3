//! The reports of a run seen from outside: pages used in a headless browser, the database after a rerun, trends
//! (spec 06 §§12, 14, 16).
//!
//! The browser is Chromium (`PANASKIMG_CHROMIUM`, else `chromium`); screenshots go to `PANASKIMG_SCREENSHOTS`, if set.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use panaskimg::simulate::header::analysis_input;
use panaskimg::simulate::series::Series;
use panaskimg::simulate::{Setup, SimulationConfig};
use rusqlite::Connection;
use serde_json::json;

const MARKUP: &str = "<script>alert(1)<script>";

/// Six images whose names and headers hold markup. The third has a shifted pedestal, the last is cut off.
fn images(directory: &Path, run: u32) {
    let mut setup = None;
    for image in 1..=6 {
        let base = if image == 3 { 1040.0 } else { 1000.0 };
        let config: SimulationConfig = serde_json::from_value(json!({
            "layout": "dual", "rows": 40, "active_cols": 50, "prescan_cols": 2, "overscan_cols": 12, "skips": 16,
            "noise": {"sigma1": 0.8}, "lambda_image": 0.1, "image_id": image, "run_id": run,
            "pedestal": {"base": base}, "seed": 40 + image + 100 * u64::from(run),
        }))
        .unwrap();
        let made = Setup::new(config).unwrap();
        let plain = directory.join(format!("plain_{image}.fits"));
        Series::new(made.clone(), Some(&plain), 1, false, None).unwrap().make(1, &mut |_| {}).unwrap();
        let _ = std::fs::remove_file(directory.join(format!("plain_{image}_truth.fits")));
        let mut bytes = with_card(std::fs::read(&plain).unwrap(), "OBJECT  = '</script><script>alert(2)</script>'");
        std::fs::remove_file(plain).unwrap();
        if image == 6 {
            bytes.truncate(bytes.len() / 2);
        }
        std::fs::write(directory.join(format!("Image_{MARKUP}_{run}_{image}.fits")), bytes).unwrap();
        setup = Some(made);
    }
    let config = json!({
        "input": analysis_input(&setup.unwrap()),
        "process": {
            "sequence": "CompressSkipperProcess,PedestalSubtractionProcess,CalibrationProcess",
            "CompressSkipperProcess": {"func_to_compress": ["mean", "std"]},
            "PedestalSubtractionProcess": {"method": "gauss_fit", "in_overscan": true, "axis": "row"},
            "CalibrationProcess": {"gain": 10.0},
        },
    });
    std::fs::write(directory.join("config.json"), config.to_string()).unwrap();
}

/// The file with one more card at the end of its first header, which must have room for it.
fn with_card(mut bytes: Vec<u8>, card: &str) -> Vec<u8> {
    let end = bytes.as_chunks::<80>().0.iter().position(|c| c.starts_with(b"END     ")).unwrap() * 80;
    assert_ne!((end + 80) % 2880, 0, "the header is full");
    bytes[end..end + 80].copy_from_slice(format!("{card:80}").as_bytes());
    bytes[end + 80..end + 160].copy_from_slice(format!("{:80}", "END").as_bytes());
    bytes
}

fn run(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_panaSKImg"));
    for variable in ["DQM_DATA_DIR", "DQM_RUN", "DQM_OUT_DIR", "DQM_MONGO_URI"] {
        command.env_remove(variable);
    }
    command.current_dir(directory).arg("--dqm").args(arguments).output().unwrap()
}

fn monitor(directory: &Path, number: u32, more: &[&str]) -> Output {
    let number = number.to_string();
    let mut arguments = vec!["--run", &number, "--json", "config.json", "--dqm-data-dir", &number, "-o", "out"];
    arguments.extend(["--tag", "</script><script>alert(3)</script>", "Image*fits"]);
    arguments.extend(more);
    run(directory, &arguments)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn rows(database: &Path) -> Vec<i64> {
    let connection = Connection::open(database).unwrap();
    ["runs", "images", "mes", "me_values", "me_tests"]
        .iter()
        .map(|t| connection.query_row(&format!("SELECT count(*) FROM {t}"), [], |row| row.get(0)).unwrap())
        .collect()
}

/// The first program of these names that answers.
fn find(names: &[Option<String>]) -> Option<String> {
    let answers = |name: &String| Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success());
    names.iter().flatten().find(|name| answers(name)).cloned()
}

#[test]
fn reports_of_two_runs() {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path();
    for number in [30, 59] {
        let data = dir.join(number.to_string());
        std::fs::create_dir(&data).unwrap();
        images(&data, number);
        std::fs::rename(data.join("config.json"), dir.join("config.json")).unwrap();
    }
    let first = monitor(dir, 30, &["--skip", "_3.fits", "_6.fits", "--no-pdf"]);
    assert_eq!(first.status.code(), Some(0), "{}{}", text(&first.stdout), text(&first.stderr));
    assert!(!dir.join("out/run030/me/report/me_report_run030.pdf").exists());
    let reference = ["--me-ref", "out/run030/me/me_summary_run030.pkl"];
    let second = monitor(dir, 59, &reference);
    // The image that is cut off is an error of the run.
    assert_eq!(second.status.code(), Some(1), "{}{}", text(&second.stdout), text(&second.stderr));

    // The database has every image once, also after a rerun.
    let database = dir.join("out/dqm.sqlite");
    let before = rows(&database);
    assert_eq!(before[..2], [2, 4 + 6]);
    monitor(dir, 59, &reference);
    assert_eq!(rows(&database), before);
    let connection = Connection::open(&database).unwrap();
    let statuses: Vec<(String, String)> = connection
        .prepare("SELECT i.file, i.status FROM images i JOIN runs r USING(run_id) WHERE r.number = 59 ORDER BY 1")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let status = |end: &str| statuses.iter().find(|(file, _)| file.ends_with(end)).map(|(_, status)| status.as_str());
    assert_eq!(status("_3.fits"), Some("fail"), "{statuses:?}");
    assert_eq!(status("_6.fits"), Some("error"), "{statuses:?}");

    let pdf = std::fs::read(dir.join("out/run059/me/report/me_report_run059.pdf")).unwrap();
    assert!(pdf.starts_with(b"%PDF") && pdf.ends_with(b"%%EOF"));

    // Trends from the database and from summaries are the same files.
    let drawn = run(dir, &["--dqm-trend", "--trend-me", "MEMeanDCperRow", "MEOVSPedestalMu", "-o", "out"]);
    assert_eq!(drawn.status.code(), Some(0), "{}", text(&drawn.stderr));
    let summaries = "out/run030/me/me_summary_run030.json,out/run059/me/me_summary_run059.pkl";
    let again =
        run(dir, &["--dqm-trend", summaries, "--trend-me", "MEMeanDCperRow", "MEOVSPedestalMu", "-o", "trends"]);
    assert_eq!(again.status.code(), Some(0), "{}", text(&again.stderr));
    for name in ["MEMeanDCperRow_run_evolution.png", "MEOVSPedestalMu_run_evolution.png"] {
        assert_eq!(
            std::fs::read(dir.join("out").join(name)).unwrap(),
            std::fs::read(dir.join("trends").join(name)).unwrap()
        );
    }

    let pages: Vec<PathBuf> =
        ["run059/index.html", "run030/index.html", "index.html"].iter().map(|p| dir.join("out").join(p)).collect();
    for page in &pages {
        let page = std::fs::read_to_string(page).unwrap();
        assert!(!page.contains("<script>alert"));
    }
    let chromium =
        find(&[std::env::var("PANASKIMG_CHROMIUM").ok(), Some("chromium".into()), Some("chromium-browser".into())]);
    let python = find(&[std::env::var("PANASKIMG_PYTHON").ok(), Some("python3".into())]);
    let (Some(chromium), Some(python)) = (chromium, python) else {
        println!("skipped: there is no chromium (PANASKIMG_CHROMIUM) or no python3; the pages are not opened");
        return;
    };
    let screenshots = std::env::var_os("PANASKIMG_SCREENSHOTS").map_or(dir.join("screenshots"), PathBuf::from);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/dqm_page.py");
    let used = Command::new(python).arg(script).arg(chromium).arg(screenshots).args(&pages).output().unwrap();
    assert!(used.status.success(), "{}{}", text(&used.stdout), text(&used.stderr));
    print!("{}", text(&used.stdout));
}
