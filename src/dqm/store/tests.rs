//! What is recorded comes back; writers do not disturb each other; nothing is doubled or lost.

use std::path::Path;
use std::process::{Command, Stdio};

use super::*;
use crate::dqm::model::{Flag, Summary, example};

fn counts(path: &Path) -> [i64; 5] {
    let connection = Connection::open(path).unwrap();
    ["runs", "images", "mes", "me_values", "me_tests"]
        .map(|table| connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap())
}

/// The summary without what the database does not keep.
fn kept(mut summary: Summary) -> Summary {
    summary.dc = Default::default();
    summary.outliers.clear();
    summary.run.gains.clear();
    summary.run.warnings.clear();
    for image in &mut summary.images {
        image.gains.clear();
        image.outputs.clear();
        image.warnings.clear();
        image.amplifiers.clear();
    }
    for me in summary.mes.values_mut() {
        me.plots.truncate(1);
    }
    summary
}

fn json(summary: &Summary) -> serde_json::Value {
    serde_json::to_value(summary).unwrap()
}

#[test]
fn a_run_comes_back_as_it_was_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/dqm.sqlite");
    let summary = example::run(59, 3);
    let mut store = Store::open(&path).unwrap();
    store.record_summary(&summary).unwrap();
    let mut back = store.summary(59, &summary.run.tag).unwrap().unwrap();
    for image in &mut back.images {
        let wanted = &summary.image(&image.file).unwrap().amplifiers;
        assert_eq!(&image.amplifiers, wanted);
        image.amplifiers.clear();
    }
    let (mut found, mut wanted) = (json(&back), json(&kept(summary.clone())));
    // The plots of a run hang on its values: elements without any have none, and keep their own status.
    for value in [&mut found, &mut wanted] {
        for me in value["mes"].as_object_mut().unwrap().values_mut() {
            if me["run"].as_array().unwrap().is_empty() {
                me["plots"] = serde_json::json!([]);
            }
        }
    }
    for (name, me) in wanted["mes"].as_object().unwrap() {
        assert_eq!(found["mes"][name], *me, "{name}");
    }
    for key in ["schema", "version", "tool", "run", "images"] {
        assert_eq!(found[key], wanted[key], "{key}");
    }
    assert!(store.summary(60, "").unwrap().is_none());
    let runs = store.runs().unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!((runs[0].number, runs[0].n_images, runs[0].n_errors, runs[0].status), (59, 3, 1, Flag::Fail));
}

#[test]
fn a_rerun_makes_no_row_more_or_less() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dqm.sqlite");
    let summary = example::run(59, 4);
    Store::open(&path).unwrap().record_summary(&summary).unwrap();
    let first = counts(&path);
    assert_eq!(first[..2], [1, 4]);
    let mut store = Store::open(&path).unwrap();
    store.record_summary(&summary).unwrap();
    store.record_run(&summary).unwrap();
    assert_eq!(counts(&path), first);

    // A run of fewer images takes the others out, with their values; another tag is another run.
    std::thread::sleep(std::time::Duration::from_millis(5));
    let mut fewer = summary.clone();
    let gone = fewer.images.remove(0).file;
    fewer.mes.values_mut().for_each(|me| me.entries.retain(|e| e.file != gone));
    Store::open(&path).unwrap().record_summary(&fewer).unwrap();
    let of_one: i64 = summary.mes.values().flat_map(|me| &me.entries).filter(|e| e.file == gone).count() as i64;
    assert_eq!(counts(&path)[1..4], [3, first[2], first[3] - of_one]);
    let other = Summary { run: crate::dqm::model::RunRecord { tag: "other".into(), ..summary.run.clone() }, ..summary };
    Store::open(&path).unwrap().record_summary(&other).unwrap();
    assert_eq!(counts(&path)[..2], [2, 7]);
}

#[test]
fn a_test_that_changes_its_verdict_changes_the_row() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(&dir.path().join("dqm.sqlite")).unwrap();
    let mut summary = example::run(59, 2);
    store.record_summary(&summary).unwrap();
    let failures = |store: &Store| -> i64 {
        let sql = "SELECT count(*) FROM me_tests WHERE flag = 'fail'";
        store.connection.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    assert!(failures(&store) > 0);
    for entry in summary.mes.values_mut().flat_map(|me| &mut me.entries) {
        entry.tests.iter_mut().for_each(|t| t.flag = Flag::Pass);
        entry.update_status();
    }
    let image = summary.images[1].clone();
    let of_image = summary.mes.values().flat_map(|me| me.entries.iter().map(|e| (me.id, e)));
    store.record_image(&summary.run, &image, of_image.filter(|(_, e)| e.file == image.file)).unwrap();
    assert_eq!(failures(&store), 0);
}

#[test]
fn the_view_answers_questions_about_trends() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(&dir.path().join("dqm.sqlite")).unwrap();
    for number in [61, 59, 60] {
        store.record_summary(&example::run(number, 2)).unwrap();
    }
    let sql = "SELECT run, scalar FROM trend WHERE me = 'MEFitDCLambda' AND amplifier = 'L' AND image = 1 ORDER BY run";
    let mut statement = store.connection.prepare(sql).unwrap();
    let found: Vec<(i64, f64)> =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap();
    let wanted: Vec<(i64, f64)> = [59, 60, 61]
        .map(|n| (n, example::run(n, 2).mes["MEFitDCLambda"].of_amplifier("L").next().unwrap().headline().unwrap()))
        .into();
    assert_eq!(found, wanted);
}

#[test]
fn trends_are_the_same_from_database_and_summaries() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(&dir.path().join("dqm.sqlite")).unwrap();
    let mut summaries: Vec<Summary> = [59, 60].map(|n| example::run(n, 4)).into();
    summaries[1].images[0].is_hr = true;
    summaries[1].images[1].texp = f64::NAN;
    for summary in &summaries {
        store.record_summary(summary).unwrap();
    }
    // Missing numbers are NaN, which is never equal: compare as text.
    let wanted: Vec<String> =
        summaries.iter().map(|s| format!("{:#?}", crate::dqm::trend::RunTrend::of_summary(s))).collect();
    let found: Vec<String> = store.trends().unwrap().iter().map(|t| format!("{t:#?}")).collect();
    assert_eq!(found, wanted);
    let hr = summaries[1].mes["MEFitDCLambda"].of_amplifier("L").next().unwrap();
    let lambda = store.trends().unwrap()[1].fits["1 L"].lambda_per_day.value;
    // 600 s of exposure and half of 1200 s of readout.
    assert!((lambda / (hr.headline().unwrap() * 72.0) - 1.0).abs() < 1e-12);
}

#[test]
fn newer_and_foreign_databases_are_refused_with_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let newer = dir.path().join("newer");
    Store::open(&newer).unwrap().connection.pragma_update(None, "user_version", 7).unwrap();
    let foreign = dir.path().join("foreign");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE runs(a)").unwrap();
    let text = dir.path().join("text");
    std::fs::write(&text, "this is no database, and longer than a header of SQLite would be, by far".repeat(20))
        .unwrap();
    for (path, expected) in [(&newer, "version 7"), (&foreign, "`runs`"), (&text, "not a database")] {
        let before = std::fs::read(path).unwrap();
        let error = Store::open(path).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains(path.to_str().unwrap()), "{error}");
        assert_eq!(std::fs::read(path).unwrap(), before, "an unknown file is left alone");
    }
    let blocked = text.join("dqm.sqlite");
    assert!(Store::open(&blocked).unwrap_err().to_string().contains("directory"));
}

/// Body of the processes that the tests below start: records the run given in the environment, over and over.
#[test]
#[ignore = "started by other tests as a process of its own"]
fn writer_process() {
    let Some(path) = std::env::var_os("PANASKIMG_TEST_STORE") else { return };
    let number = |key| std::env::var(key).unwrap().parse::<i64>().unwrap();
    let summary = example::run(number("PANASKIMG_TEST_RUN"), 5);
    for _ in 0..number("PANASKIMG_TEST_TIMES") {
        Store::open(Path::new(&path)).unwrap().record_summary(&summary).unwrap();
    }
}

fn writer(path: &Path, run: i64, times: i64) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "dqm::store::tests::writer_process", "--ignored", "--quiet"])
        .env("PANASKIMG_TEST_STORE", path)
        .env("PANASKIMG_TEST_RUN", run.to_string())
        .env("PANASKIMG_TEST_TIMES", times.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn two_processes_write_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dqm.sqlite");
    // Two of the same run and one of another, all making the file.
    let writers = [writer(&path, 59, 3), writer(&path, 59, 3), writer(&path, 60, 3)];
    for mut process in writers {
        assert!(process.wait().unwrap().success());
    }
    let single = dir.path().join("single.sqlite");
    let mut store = Store::open(&single).unwrap();
    store.record_summary(&example::run(59, 5)).unwrap();
    store.record_summary(&example::run(60, 5)).unwrap();
    assert_eq!(counts(&path), counts(&single));
    assert_eq!(
        Store::open(&path).unwrap().summary(59, "commissioning <2>").unwrap().map(|s| json(&s)),
        store.summary(59, "commissioning <2>").unwrap().map(|s| json(&s))
    );
}

#[test]
fn a_killed_writer_leaves_whole_images() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dqm.sqlite");
    let summary = example::run(59, 5);
    let mut process = writer(&path, 59, 1000);
    let begun = std::time::Instant::now();
    while begun.elapsed().as_secs() < 20 && !(path.exists() && Store::open(&path).is_ok_and(|s| has_images(&s))) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    process.kill().unwrap();
    process.wait().unwrap();
    let mut store = Store::open(&path).unwrap();
    let integrity: String = store.connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(integrity, "ok");
    // Whatever is there of an image is all of it.
    let found = store.summary(59, &summary.run.tag).unwrap().unwrap();
    assert!(!found.images.is_empty());
    for image in &found.images {
        let of = |s: &Summary| s.mes.values().flat_map(|me| &me.entries).filter(|e| e.file == image.file).count();
        assert_eq!(of(&found), of(&summary), "{}", image.file);
    }
    store.record_summary(&summary).unwrap();
    let single = dir.path().join("single.sqlite");
    Store::open(&single).unwrap().record_summary(&summary).unwrap();
    assert_eq!(counts(&path), counts(&single));
}

fn has_images(store: &Store) -> bool {
    store.connection.query_row("SELECT count(*) > 0 FROM images", [], |row| row.get(0)).unwrap_or(false)
}
