//! Files written by ROOT 6.40 (tests/data/geant4), of two producers: the same events give the same pixels and clusters.

use serde_json::json;

use super::support::*;

#[test]
fn files_of_both_producers_are_read() {
    let dir = tempfile::tempdir().unwrap();
    configure(
        dir.path(),
        json!({"detector_response": {"PixelizeSignal": {"active": 1}}, "reconstruction": {"ClusterFinder": {"active": 1}},
            "CF": {"ccd_shape": [1000, 1000]}}),
    );
    let (full, light) = (by_root("full.root"), by_root("light.root"));
    let run = run(
        dir.path(),
        &[
            "response",
            "c.json",
            "--g4file",
            full.to_str().unwrap(),
            light.to_str().unwrap(),
            "--g4out",
            "out",
            "--tag",
            "t",
        ],
    );
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.err.contains("1 deposits lie outside"), "{}", run.err);
    assert!(run.err.contains("have the same RunInfo.Seed, -1"), "{}", run.err);
    for name in ["full", "light"] {
        let file = dir.path().join(format!("out/out_simulCCDimg_t_{name}.root"));
        // events 12 (empty) and 13 (no energy) leave nothing
        assert_eq!(entries::<i32>(&file, "pixelizedEvent", "event"), [10, 11, 14], "{name}");
        assert_eq!(entries::<Vec<i32>>(&file, "pixelizedEvent", "ccd"), [vec![1], vec![1, 2], vec![1, 1]]);
        assert_eq!(entries::<Vec<i32>>(&file, "clustersRec", "ccd"), [vec![1], vec![1, 2], vec![1, 1]]);
        assert_eq!(entries::<Vec<f32>>(&file, "clustersRec", "Energy"), [vec![0.02], vec![3.74, 1.87], vec![0.4, 0.5]]);
        // pixel [1, 0] from 0, so row 2 and column 1 from 1; depth from the gates: 0.675 − (0.575 + 0.375)/2
        assert_eq!(entries::<Vec<f32>>(&file, "clustersRec", "PosY")[0], [2.0]);
        assert_eq!(entries::<Vec<f32>>(&file, "clustersRec", "PosX")[0], [1.0]);
        assert!((entries::<Vec<f32>>(&file, "clustersRec", "PosZ")[0][0] - 0.2).abs() < 1e-6);
        assert_eq!(entries::<Vec<i32>>(&file, "clustersRec", "issilicon")[1], [0, 1]);
        // the second hit of event 14 is in the third window of 1e9 days
        assert_eq!(entries::<Vec<f32>>(&file, "clustersRec", "img_time")[2], [0.0, 2.0]);
        // two primaries for odd events, the columns that the file has
        assert_eq!(entries::<Vec<f32>>(&file, "clustersRec", "pp_posx")[1], [11.0, 111.0]);
        assert_eq!(branches(&file, "clustersRec").iter().any(|b| b == "pp_energy"), name == "full");
        assert_eq!(entries::<i32>(&file, "geant4_config", "NCCDs"), [2]);
        assert_eq!(entries::<f64>(&file, "geant4_config", "pp_vol_mass"), [250.0]);
        assert_eq!(entries::<f64>(&file, "geant4_config", "ccd_mass"), [9.0], "the first of the numbered volumes");
        assert_eq!(entries::<String>(&file, "geant4_config", "pp_ion"), ["60a27z"]);
    }
}

/// Primaries that are no ions: ROOT leaves out even the length of the empty text.
#[test]
fn an_empty_text_is_read() {
    let dir = tempfile::tempdir().unwrap();
    configure(
        dir.path(),
        json!({"detector_response": {"PixelizeSignal": {"active": 1}}, "CF": {"ccd_shape": [1000, 1000]}}),
    );
    let file = by_root("electron.root");
    let run =
        run(dir.path(), &["response", "c.json", "--g4file", file.to_str().unwrap(), "--g4out", "out", "--tag", "t"]);
    assert_eq!(run.code, 0, "{run:?}");
    let out = dir.path().join("out/out_simulCCDimg_t_electron.root");
    assert_eq!(entries::<i32>(&out, "pixelizedEvent", "event"), [10, 11, 14]);
    assert_eq!(entries::<String>(&out, "geant4_config", "pp_ion"), [""]);
    assert_eq!(entries::<String>(&out, "geant4_config", "pp_gps"), ["e-"]);
}

/// All files in one output: events are numbered on by the generated events of the files before (12 each).
#[test]
fn several_files_make_one_output() {
    let dir = tempfile::tempdir().unwrap();
    configure(
        dir.path(),
        json!({"detector_response": {"PixelizeSignal": {"active": true}}, "reconstruction": {"ClusterFinder": {"active": true}},
            "CF": {"ccd_shape": [1000, 1000]}}),
    );
    let (full, light) = (by_root("full.root"), by_root("light.root"));
    let files = ["--g4file", full.to_str().unwrap(), light.to_str().unwrap()];
    let mut arguments = vec!["response", "c.json"];
    arguments.extend(files);
    arguments.extend(["--altogether", "-o", "all.root"]);
    let made = run(dir.path(), &arguments);
    assert_eq!(made.code, 0, "{made:?}");
    let file = dir.path().join("all.root");
    assert_eq!(entries::<i32>(&file, "clustersRec", "event"), [10, 11, 14, 22, 23, 26]);
    assert_eq!(entries::<i32>(&file, "geant4_config", "Nfile"), [0, 1]);
    // columns that only one of the files has are left out
    assert!(!branches(&file, "clustersRec").iter().any(|b| b == "pp_energy"));
    let without_name = run(dir.path(), &["response", "c.json", "--g4file", full.to_str().unwrap(), "--altogether"]);
    assert_eq!(without_name.code, 2, "{without_name:?}");
}
