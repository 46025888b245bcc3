//! Running the binary, reading its outputs, making small FITS files.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;

/// Folder with the comparison data; `None`, said aloud, where it is absent.
pub fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("PANASKIMG_TEST_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    if folder.join("README.md").is_file() {
        return Some(folder);
    }
    eprintln!("skipped: no comparison data in {} (set PANASKIMG_TEST_DATA)", folder.display());
    None
}

/// What a run printed and how it ended.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs the program.
pub fn run<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Run {
    let output = Command::cargo_bin("panaSKImg").unwrap().env("NO_COLOR", "1").args(arguments).output().unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Names of the files in a folder, sorted.
pub fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .map(|entries| entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect())
        .unwrap_or_default();
    names.sort();
    names
}

/// A JSON file.
pub fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))).unwrap()
}

/// A measured number of a summary: value and error.
pub fn measured(summary: &Value, name: &str, amplifier: &str) -> (f64, f64) {
    let list = summary["measurements"].as_array().unwrap();
    let found = list
        .iter()
        .find(|m| m["name"] == name && m["amplifier"] == amplifier)
        .unwrap_or_else(|| panic!("no measurement {name} of {amplifier}"));
    (found["value"].as_f64().unwrap_or(f64::NAN), found["error"].as_f64().unwrap_or(f64::NAN))
}

/// A `vector<float>` branch of the first entry of a tree.
pub fn floats(path: &Path, tree: &str, branch: &str) -> Vec<f64> {
    let mut file = oxyroot::RootFile::open(path).unwrap();
    let tree = file.get_tree(tree).unwrap();
    let first = tree.branch(branch).unwrap().as_iter::<Vec<f32>>().unwrap().next().unwrap();
    first.into_iter().map(f64::from).collect()
}

/// A `vector<vector<float>>` branch of the first entry of a tree.
pub fn float_lists(path: &Path, tree: &str, branch: &str) -> Vec<Vec<f64>> {
    let mut file = oxyroot::RootFile::open(path).unwrap();
    let tree = file.get_tree(tree).unwrap();
    let first = tree.branch(branch).unwrap().as_iter::<Vec<Vec<f32>>>().unwrap().next().unwrap();
    first.into_iter().map(|row| row.into_iter().map(f64::from).collect()).collect()
}

/// Shape and values of a little-endian float64 or bool `.npy` array.
pub fn npy(path: &Path) -> (Vec<usize>, Vec<f64>) {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let length = u16::from_le_bytes([bytes[8], bytes[9]]) as usize;
    let header = String::from_utf8_lossy(&bytes[10..10 + length]).into_owned();
    let shape = header.split("'shape': (").nth(1).unwrap().split(')').next().unwrap();
    let shape = shape.split(',').filter_map(|n| n.trim().parse().ok()).collect();
    let data = &bytes[10 + length..];
    let values = if header.contains("<f8") {
        data.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect()
    } else {
        data.iter().map(|b| f64::from(*b)).collect()
    };
    (shape, values)
}

/// A header card of 80 characters.
pub fn card(keyword: &str, value: &str) -> String {
    format!("{:<80}", format!("{keyword:<8}= {value:>20}"))
}

/// A FITS file with one image: cards after `NAXIS2`, then big-endian pixels.
pub fn fits(bitpix: i32, cols: usize, rows: usize, cards: &[(&str, &str)], pixels: &[u8]) -> Vec<u8> {
    let mut header = String::new();
    for (keyword, value) in [
        ("SIMPLE", "T"),
        ("BITPIX", &bitpix.to_string()),
        ("NAXIS", "2"),
        ("NAXIS1", &cols.to_string()),
        ("NAXIS2", &rows.to_string()),
    ] {
        header.push_str(&card(keyword, value));
    }
    cards.iter().for_each(|(keyword, value)| header.push_str(&card(keyword, value)));
    header.push_str(&format!("{:80}", "END"));
    let mut bytes = header.into_bytes();
    bytes.resize(bytes.len().next_multiple_of(2880), b' ');
    bytes.extend_from_slice(pixels);
    bytes.resize(bytes.len().next_multiple_of(2880), 0);
    bytes
}

/// Big-endian doubles.
pub fn doubles(values: impl IntoIterator<Item = f64>) -> Vec<u8> {
    values.into_iter().flat_map(f64::to_be_bytes).collect()
}

/// Big-endian 32-bit integers.
pub fn integers(values: impl IntoIterator<Item = i32>) -> Vec<u8> {
    values.into_iter().flat_map(i32::to_be_bytes).collect()
}
