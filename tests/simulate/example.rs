//! The example image of the repository: made by the preset, and readable with its configuration.

use std::io::Read as _;
use std::path::Path;

use super::support::*;

/// Behind the header, which holds the version of the program, the pixels are the same.
#[test]
fn the_example_image_is_what_the_preset_makes() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["simulate", "--preset", "example", "-o", "example.fits.gz"]);
    let pixels = |path: &Path| {
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
        bytes[2880..].to_vec()
    };
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    assert!(pixels(&dir.path().join("example.fits.gz")) == pixels(&committed.join("example.fits.gz")));
    let table = |folder: &Path| std::fs::read_to_string(folder.join("example_truth.csv")).unwrap();
    assert_eq!(table(dir.path()), table(&committed));
    assert!(std::fs::metadata(committed.join("example.fits.gz")).unwrap().len() < 300_000);
}

/// The chain of the example finds gain, noise and dark current within five errors, and one cluster for each particle.
#[test]
fn the_example_chain_finds_what_is_in_the_image() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let (image, config) = (folder.join("example.fits.gz"), folder.join("example.json"));
    let run = run(dir.path(), &[image.to_str().unwrap(), "-j", config.to_str().unwrap(), "-o", "."]);
    assert_eq!(run.code, 0, "{run:?}");
    let summary = json(&dir.path().join("example_EXT0_summary.json"));
    let measured = |name: &str| {
        let found = summary["measurements"].as_array().unwrap().iter().find(|m| m["name"] == name);
        let found = found.unwrap_or_else(|| panic!("no measurement {name} in {summary}"));
        (found["value"].as_f64().unwrap(), found["error"].as_f64().unwrap())
    };
    let (gain, error) = measured("gain");
    assert!((gain - 1.5).abs() < 5.0 * error, "{gain} ± {error}");
    assert!(run.out.contains("8 clusters"), "{}", run.out);
}
