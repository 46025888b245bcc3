//! The whole program on whole images, as a user waits for it: best of five runs, wall time.
//!
//! Needs the comparison data (`PANASKIMG_TEST_DATA`, default `../shared/data`); `PANASKIMG_LARGE` names the raw image
//! `large` of its generator. Run with `cargo bench --bench chain`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

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
    // The folder holds nothing but what these runs wrote.
    let _ = std::fs::remove_dir_all(out);
}
