//! Unreadable and foreign files, impossible configurations: a clear message, nothing written, never a panic.

use std::path::Path;

use panaskimg::root::read::RootInput;
use serde_json::json;

use super::support::*;

fn plain() -> serde_json::Value {
    json!({"detector_response": {"PixelizeSignal": {"active": 1}}, "CF": {"ccd_shape": [100, 100]}})
}

fn outputs(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|n| n.starts_with("out_") || n.ends_with(".tmp")).collect()
}

#[test]
fn missing_trees_and_branches_are_named() {
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path(), plain());
    for (without, text) in [
        ("CCDOut", "no tree `CCDOut`"),
        ("EventOut", "no tree `EventOut`"),
        ("RunInfo", "no tree `RunInfo`"),
        ("CCDOut.Edep", "tree `CCDOut` has no branch `Edep`"),
        ("CCDOut.pdg", "tree `CCDOut` has no branch `pdg`"),
        ("EventOut.EventID", "EventID"),
        ("RunInfo.NCCDs", "tree `RunInfo` has no branch `NCCDs`"),
        ("RunInfo.volumeMass", "tree `RunInfo` has no branch `volumeMass`"),
    ] {
        let path = dir.path().join("g4.root");
        geant4(&path, &[vec![(1, 0.1, 0.1, 0.1, 100.0, 0.0, 11)]], without);
        let run = run(dir.path(), &["response", "c.json", "--g4file", "g4.root"]);
        assert_eq!(run.code, 1, "{without}: {run:?}");
        assert!(run.err.contains(text) && run.err.contains("g4.root"), "{without}: {}", run.err);
        assert!(outputs(dir.path()).is_empty(), "{without} left {:?}", outputs(dir.path()));
    }
}

#[test]
fn other_files_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path(), plain());
    let root = std::fs::read(by_root("full.root")).unwrap();
    for (name, content, text) in [
        ("empty.root", Vec::new(), "not a ROOT file"),
        ("text.root", b"hello, world".to_vec(), "not a ROOT file"),
        ("short.root", root[..300].to_vec(), "cut off"),
        ("half.root", root[..root.len() / 2].to_vec(), "cut off"),
    ] {
        std::fs::write(dir.path().join(name), content).unwrap();
        let run = run(dir.path(), &["response", "c.json", "--g4file", name]);
        assert_eq!(run.code, 1, "{name}: {run:?}");
        assert!(run.err.contains(text) && run.err.contains(name), "{name}: {}", run.err);
    }
    assert_eq!(run(dir.path(), &["response", "c.json", "--g4file", "nowhere.root"]).code, 1);
    assert_eq!(run(dir.path(), &["response", "c.json"]).code, 3);
    assert!(outputs(dir.path()).is_empty());
}

#[test]
fn impossible_configurations_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    geant4(&dir.path().join("g4.root"), &[vec![(1, 0.1, 0.1, 0.1, 100.0, 0.0, 11)]], "");
    let pixelize = json!({"active": 1});
    for (config, text) in [
        (
            json!({"detector_response": {"PixelizeSignal": pixelize, "Diffusion": {"active": 1, "sigma": 3}}}),
            "detector_response.Diffusion.sigma = 3",
        ),
        (
            json!({"detector_response": {"PixelizeSignal": pixelize, "Diffusion": {"active": 1, "model": "other"}}}),
            "Diffusion.model = \"other\"",
        ),
        (json!({"detector_response": {"PixelizeSignal": pixelize, "Diffusion": {"active": 1, "B": 0.01}}}), "infinite"),
        (
            json!({"detector_response": {"PixelizeSignal": pixelize, "Diffusion": {"active": 1, "repulsion": 1}}}),
            "sigma_map_file",
        ),
        (
            json!({"detector_response": {"PixelizeSignal": pixelize, "Difusion": {"active": 1}}}),
            "did you mean `Diffusion`",
        ),
        (json!({"detector_response": {"Diffusion": {"active": 1}}}), "PixelizeSignal must be active"),
        (
            json!({"detector_response": {"PixelizeSignal": pixelize}, "reconstruction": {"ClusterFinder": {"active": 1, "spr_threshold": 3}}}),
            "a threshold",
        ),
        (
            json!({"detector_response": {"PixelizeSignal": pixelize}, "reconstruction": {"CreateFitsImage": {"active": 1}}}),
            "full-image",
        ),
        (
            json!({"detector_response": {"PixelizeSignal": pixelize, "ElectronicNoise": {"active": 1, "sigma": -1}}}),
            "`sigma` = -1",
        ),
        (
            json!({"detector_response": {"PixelizeSignal": pixelize, "PasteClusterProcess": {"active": 1}}}),
            "`blank_dir` is required",
        ),
        (json!({"detector_response": {"PixelizeSignal": pixelize}, "CF": {"ccd_shape": [0, 10]}}), "CF.ccd_shape"),
        (json!({"detector_response": {"PixelizeSignal": pixelize}, "CF": {"e2ev": 3}}), "CF.e2ev = 3"),
        (json!({"detector_response": {}}), "no process is active"),
        (json!({"process": {}}), "no group `process`"),
        (json!([]), "not an object"),
    ] {
        configure(dir.path(), config.clone());
        let run = run(dir.path(), &["response", "c.json", "--g4file", "g4.root"]);
        assert_eq!(run.code, 2, "{config}: {run:?}");
        assert!(run.err.contains(text), "{config}: `{text}` not in {}", run.err);
        assert!(outputs(dir.path()).is_empty());
    }
    configure(dir.path(), plain());
    let old = run(dir.path(), &["response", "c.json", "--dir", "x"]);
    assert!(old.code == 2 && old.err.contains("use --g4file with a path"), "{old:?}");
}

/// Reads everything there is to read.
fn read_all(path: &Path) -> Result<usize, String> {
    let input = RootInput::open(path).map_err(|e| e.to_string())?;
    let mut values = 0;
    for name in ["RunInfo", "EventOut", "CCDOut"] {
        let tree = input.tree(name).map_err(|e| e.to_string())?;
        for branch in tree.names() {
            for value in tree.branch(branch).map_err(|e| e.to_string())?.values().take(10_000) {
                value.map_err(|e| e.to_string())?;
                values += 1;
            }
        }
    }
    Ok(values)
}

/// Any byte of a file may be damaged: reading ends with values or an error, never with a panic.
#[test]
fn damaged_files_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("damaged.root");
    let mut failed = 0;
    for name in ["full.root", "light.root"] {
        let whole = std::fs::read(by_root(name)).unwrap();
        let complete = read_all(&by_root(name)).unwrap();
        let mut state = 88172645463325252_u64;
        let mut random = move |n: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % n as u64) as usize
        };
        for round in 0..1500 {
            let mut bytes = whole.clone();
            match round % 3 {
                0 => {
                    let (place, bit) = (random(bytes.len()), random(8));
                    bytes[place] ^= 1 << bit;
                }
                1 => {
                    let place = random(bytes.len() - 4);
                    let value = [0xff, 0xff, 0xff, [0xff, 0x7f, 0, 1][random(4)]];
                    bytes[place..place + 4].copy_from_slice(&value);
                }
                _ => bytes.truncate(random(whole.len())),
            }
            std::fs::write(&path, &bytes).unwrap();
            match read_all(&path) {
                Ok(values) => assert!(values <= complete * 10_000),
                Err(_) => failed += 1,
            }
        }
    }
    assert!(failed > 1000, "only {failed} of 3000 damages were noticed");
}
