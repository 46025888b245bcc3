//! Events of Geant4 files as a source: those that the simulation itself wrote, those of real ROOT, and files that are
//! none.

use super::support::*;

/// Numbers of a column of `_truth.csv`.
fn column(folder: &std::path::Path, name: &str, column: usize) -> Vec<f64> {
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    text.lines().skip(1).map(|l| l.split(',').nth(column).unwrap().parse().unwrap()).collect()
}

#[test]
fn particles_come_back_from_their_own_trees() {
    let dir = tempfile::tempdir().unwrap();
    let sources = r#"sources=[{"type": "fe55", "n": 40}, {"type": "muon", "n": 3}, {"type": "electron", "n": 4, "energy_keV": 60}]"#;
    simulate(dir.path(), &["skips=1", "lambda_image=0", sources], &["--g4-out", "g4.root", "-o", "first.fits"]);
    simulate(dir.path(), &["skips=1", "lambda_image=0"], &["--g4file", "g4.root", "-o", "again.fits", "--seed", "9"]);
    let (first, again) = (column(dir.path(), "first_truth.csv", 8), column(dir.path(), "again_truth.csv", 8));
    assert_eq!(first.len(), again.len());
    for (a, b) in first.iter().zip(&again) {
        // the energies are written with six decimals of a keV
        assert!((a - b).abs() < 2e-6, "{a} {b} keV");
    }
    // the same deposits make as many pairs, within the fluctuation √(2 F E/ε) of the difference
    let (made, again) = (column(dir.path(), "first_truth.csv", 9), column(dir.path(), "again_truth.csv", 9));
    for ((energy, a), b) in first.iter().zip(&made).zip(&again) {
        // each deposit of a track is rounded to whole pairs: steps of 1 µm, 300 eV of a muon, add 1/12 each
        let steps = (1e3 * energy / 100.0).max(1.0);
        let variance = 2.0 * (0.129 * 1e3 * energy / 3.74 + steps / 12.0);
        assert!((a - b).abs() < 5.0 * variance.sqrt(), "{energy} keV: {a} and {b} pairs");
    }
}

/// Images take their events in turn; more than there are is an error, and so is a source without files.
#[test]
fn images_share_the_events() {
    let dir = tempfile::tempdir().unwrap();
    let points = r#"sources=[{"type": "uniform", "n": 5, "emin_keV": 1, "emax_keV": 9}]"#;
    simulate(dir.path(), &["skips=1", points], &["--g4-out", "g4.root", "-o", "made.fits"]);
    let all = column(dir.path(), "made_truth.csv", 8);
    let two = r#"sources=[{"type": "geant4", "n": 2}]"#;
    simulate(dir.path(), &["skips=1", two], &["--g4file", "g4.root", "--n-images", "2", "-o", "s.fits"]);
    let energies = [column(dir.path(), "s_1_truth.csv", 8), column(dir.path(), "s_2_truth.csv", 8)].concat();
    assert!(
        energies.iter().zip(&all).all(|(a, b)| (a - b).abs() < 2e-6) && energies.len() == 4,
        "{energies:?} {all:?}"
    );

    for (arguments, text) in [
        (vec!["--set", two, "--g4file", "g4.root", "--n-images", "3"], "need 6, but the files have 5"),
        (vec!["--set", two], "needs files: --g4file"),
    ] {
        let out = tempfile::tempdir().unwrap();
        std::fs::copy(dir.path().join("g4.root"), out.path().join("g4.root")).unwrap();
        let run = run(out.path(), &[vec!["simulate", "--set", "skips=1"], arguments].concat());
        assert_eq!(run.code, 2, "{run:?}");
        assert!(run.err.contains(text), "{}", run.err);
        assert_eq!(files(out.path()), ["g4.root"]);
    }
}

/// Files of real ROOT are read (their events lie in a CCD of 1000 × 1000 pixels); foreign files are refused, and nothing
/// is written.
#[test]
fn real_root_files_are_read_and_foreign_ones_refused() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/geant4/full.root");
    let dir = tempfile::tempdir().unwrap();
    let size = ["rows=1000", "active_cols=1000", "skips=1", "lambda_image=0", "averaged=true"];
    simulate(dir.path(), &size, &["--g4file", root.to_str().unwrap(), "-o", "s.fits"]);
    // CCD 1 of events 10, 11 and 14: 20 eV, 3.74 keV, and both windows of 14 together
    assert_eq!(column(dir.path(), "s_truth.csv", 8), [0.02, 3.74, 0.9]);

    let bad = tempfile::tempdir().unwrap();
    std::fs::write(bad.path().join("text.root"), "not a ROOT file").unwrap();
    let run = run(bad.path(), &["simulate", "--g4file", "text.root", "-o", "s.fits"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("text.root"), "{}", run.err);
    assert_eq!(files(bad.path()), ["text.root"]);
}
