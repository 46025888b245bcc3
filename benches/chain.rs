//! The whole program on whole images, as a user waits for it: best of five runs, wall time.
//!
//! Needs the comparison data (`PANASKIMG_TEST_DATA`, default `../shared/data`); `PANASKIMG_LARGE` names the raw image
//! `large` of its generator. Run with `cargo bench --bench chain`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

fn best_of_five(what: &str, arguments: &[&str]) {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        let output = Command::new(env!("CARGO_BIN_EXE_panaSKImg")).args(arguments).output();
        match output {
            Ok(output) if output.status.success() => best = best.min(start.elapsed()),
            Ok(output) => return eprintln!("{what}: {}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => return eprintln!("{what}: {error}"),
        }
    }
    println!("{what:<62} {:.3} s", best.as_secs_f64());
}

/// An image that the program simulates, and a chain for it: `simulate` and `process` are sections of a configuration.
fn simulated(folder: &Path, name: &str, simulate: &Value, process: &Value) -> Option<[String; 2]> {
    let path = |ending: &str| folder.join(format!("{name}{ending}"));
    let config = path(".json");
    std::fs::write(&config, json!({ "simulate": simulate }).to_string()).ok()?;
    let image = path(".fits").display().to_string();
    let arguments = ["simulate", "--json", config.to_str()?, "-o", &image];
    let made = Command::new(env!("CARGO_BIN_EXE_panaSKImg")).args(arguments).output().ok()?;
    if !made.status.success() {
        eprintln!("{name}: {}", String::from_utf8_lossy(&made.stderr));
        return None;
    }
    let reading = std::fs::read_to_string(path("_panaSKImg.json")).ok()?;
    let mut reading: Value = serde_json::from_str(&reading).ok()?;
    reading["process"] = process.clone();
    std::fs::write(&config, reading.to_string()).ok()?;
    Some([config.display().to_string(), image])
}

/// A configuration with some of its values replaced, as text.
fn merged(config: &str, changes: &Value) -> Option<String> {
    fn merge(into: &mut Value, changes: &Value) {
        match (into.as_object_mut(), changes.as_object()) {
            (Some(object), Some(changes)) => {
                changes.iter().for_each(|(key, value)| merge(object.entry(key).or_insert(Value::Null), value));
            }
            _ => *into = changes.clone(),
        }
    }
    let mut config: Value = serde_json::from_str(config).ok()?;
    merge(&mut config, changes);
    Some(config.to_string())
}

/// The analysis processes: fits of all rows, clusters of a large image, the cross-talk of four channels.
fn analysis(out: &Path) {
    if let Err(error) = std::fs::create_dir_all(out) {
        return eprintln!("{}: {error}", out.display());
    }
    let out_text = out.display().to_string();
    let simulate = json!({"rows": 640, "active_cols": 640, "prescan_cols": 0, "overscan_cols": 60, "skips": 500, "averaged": true,
        "gain": 1.35, "noise": {"sigma1": 3.7}, "lambda_image": 0.5});
    let process = json!({"sequence": "CompressSkipperProcess,PedestalSubtractionProcess,FitDarkCurrentPerRow",
        "PedestalSubtractionProcess": {"method": "median"},
        "FitDarkCurrentPerRow": {"row_step": 1, "calibration": 1.35, "n_peaks": 5, "do_calibration": true, "x_min": -1, "x_max": 6}});
    if let Some([config, image]) = simulated(out, "rows", &simulate, &process) {
        best_of_five("FitDarkCurrentPerRow, 640 rows of 640 pixels", &["--json", &config, "-o", &out_text, &image]);
    }
    let simulate = json!({"rows": 4000, "active_cols": 4000, "prescan_cols": 0, "overscan_cols": 0, "skips": 500, "averaged": true,
        "gain": 1.0, "noise": {"sigma1": 4.0}, "lambda_image": 0.0, "pedestal": {"base": 0.0},
        "sources": [{"type": "point", "n": 10_000, "energy_keV": 5.9}]});
    let finder = |image: &str| json!({"spr_image": image, "spr_threshold": [0.18, 6, 20]});
    let process = json!({"sequence": "CalibrationProcess,ClusterFinder",
        "CalibrationProcess": {"image": "mean_compressed", "gain": 1.0}, "ClusterFinder": finder("mean_compressed_e")});
    if let Some([config, image]) = simulated(out, "clusters", &simulate, &process) {
        best_of_five(
            "4000 × 4000, 10 000 clusters: calibrated, FITS and ROOT",
            &["--json", &config, "-o", &out_text, &image],
        );
        // The image is in electrons: nothing but the clusters has to be made and written.
        let clusters = json!({"input": {"image": {"save_images": false}},
            "process": {"sequence": "ClusterFinder", "ClusterFinder": finder("mean_compressed")}});
        let changed = std::fs::read_to_string(&config).ok().and_then(|text| merged(&text, &clusters));
        if changed.is_some_and(|text| std::fs::write(&config, text).is_ok()) {
            best_of_five(
                "4000 × 4000 in electrons, 10 000 clusters to ROOT",
                &["--json", &config, "-o", &out_text, &image],
            );
        }
    }
    let module = ["crosstalk", "--sim", "true", "2e-4", "0.16", "320", "640", "-o", &out_text];
    best_of_five("cross-talk matrix of four channels, 320 × 640, with figures", &module);
}

fn main() {
    best_of_five("--list-processes", &["--list-processes"]);
    let data = std::env::var_os("PANASKIMG_TEST_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let out = std::env::temp_dir().join(format!("panaskimg-bench-{}", std::process::id()));
    let text = |path: PathBuf| path.display().to_string();
    let out_text = text(out.clone());
    let image = text(data.join("avg_Image_5_Low_Temp_109_20250807_170213_15.fz"));
    let config = text(data.join("recorded.json"));
    if Path::new(&image).is_file() {
        best_of_five("four averaged extensions, six processes", &["--json", &config, "-o", &out_text, &image]);
        let plots = ["--json", &config, "-o", &out_text, "--save-plots", &image];
        best_of_five("the same with all plots", &plots);
    } else {
        eprintln!("skipped: no comparison data in {}", data.display());
    }
    match std::env::var("PANASKIMG_LARGE") {
        Ok(large) => {
            let config = text(data.join("synth_large.json"));
            best_of_five("640 × 700 × 500 raw, six processes", &["--json", &config, "-o", &out_text, &large]);
            let compress = ["--json", &config, "-s", "CompressSkipperProcess", "-o", &out_text, &large];
            best_of_five("640 × 700 × 500 raw, compression", &compress);
        }
        Err(_) => eprintln!("skipped: PANASKIMG_LARGE names no raw image"),
    }
    analysis(&out);
    // The folder holds nothing but what these runs wrote.
    let _ = std::fs::remove_dir_all(out);
}
