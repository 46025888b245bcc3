//! `panaSKImg closure`, seen from outside.

use assert_cmd::Command;

fn closure(folder: &std::path::Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::cargo_bin("panaSKImg")
        .unwrap()
        .env("NO_COLOR", "1")
        .current_dir(folder)
        .arg("closure")
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// The report is complete, and the numbers do not depend on the number of threads.
#[test]
fn the_report_has_a_table_and_plots() {
    let dir = tempfile::tempdir().unwrap();
    let run = |threads: &str, out: &str| {
        let (code, text, err) =
            closure(dir.path(), &["column_transient", "--fast", "--images", "30", "--ncpus", threads, "-o", out]);
        assert_eq!(code, 0, "{text}{err}");
        let read = |name: &str| std::fs::read(dir.path().join(out).join(name)).unwrap();
        (read("closure.json"), read("closure.csv"), read("closure_column_transient_overview.png"))
    };
    let one = run("1", "a");
    assert!(one == run("2", "b"), "results depend on the number of threads");
    let table = std::fs::read_to_string(dir.path().join("a/closure.md")).unwrap();
    assert!(table.contains("| amplitude | 8 ADU, τ 6 columns, "), "{table}");
    for name in ["closure_column_transient_overview.png", "closure_column_transient_pulls_1.png"] {
        assert!(table.contains(name) && dir.path().join("a").join(name).exists(), "{name}");
    }
    assert!(std::fs::read(dir.path().join("a/closure.pdf")).unwrap().starts_with(b"%PDF"));
    let json: serde_json::Value = serde_json::from_slice(&one.0).unwrap();
    assert_eq!(json["studies"][0]["comparisons"][0]["n"], 30);
}

#[test]
fn unknown_studies_are_refused_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let (code, _, err) = closure(dir.path(), &["dark_curent", "-o", "out"]);
    assert_eq!(code, 2);
    assert!(err.contains("there is no study `dark_curent`") && err.contains("dark_current"), "{err}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
