//! Running the binary and reading what it made.

use std::path::Path;

use assert_cmd::Command;
use ndarray::Array2;
use panaskimg::fits::FitsInput;

/// What a run printed and how it ended.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs the program in a folder.
pub fn run(folder: &Path, arguments: &[&str]) -> Run {
    let output = Command::cargo_bin("panaSKImg")
        .unwrap()
        .env("NO_COLOR", "1")
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs `simulate`, which must succeed; `settings` as for `--set`.
pub fn simulate(folder: &Path, settings: &[&str], more: &[&str]) -> Run {
    let mut arguments = vec!["simulate"];
    settings.iter().for_each(|s| arguments.extend(["--set", s]));
    arguments.extend(more);
    let run = run(folder, &arguments);
    assert_eq!(run.code, 0, "{run:?}");
    run
}

/// Names of the files in a folder, sorted.
pub fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// An image by EXTNAME and position among those of this name.
pub fn named_image(path: &Path, name: &str, number: usize) -> Array2<f64> {
    let input = FitsInput::open(path).unwrap();
    let hdu = (0..input.hdus().len())
        .filter(|&hdu| input.header(hdu).unwrap().text("EXTNAME").as_deref() == Some(name))
        .nth(number)
        .unwrap_or_else(|| panic!("no {name} number {number} in {}", path.display()));
    input.read_image(hdu).unwrap()
}

/// A JSON file.
pub fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))).unwrap()
}
