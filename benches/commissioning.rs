//! The five commissioning processes on a raw image of 200 × 400 pixels × 2000 skips (int32, 0.64 GB): best wall time of
//! five runs and peak memory. Goal: 2 s and 300 MB on two cores.
//!
//! The image is simulated into the folder for temporary files, or named by `PANASKIMG_COMMISSIONING`. Run with
//! `cargo bench --bench commissioning`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use panaskimg::simulate::{ImageFiles, Setup, SimulationConfig, simulate_image};

const SEQUENCES: [(&str, &str); 7] = [
    (
        "all five, with compression and pedestal",
        "CompressSkipperProcess,PedestalSubtractionProcess,FitCalibrationConstant,RNvsNskipsPlot,FFTNoisePlot,ChargeLossPlot,ChargeLossSkewnessProcess",
    ),
    ("compression alone", "CompressSkipperProcess"),
    ("FitCalibrationConstant", "CompressSkipperProcess,PedestalSubtractionProcess,FitCalibrationConstant"),
    ("RNvsNskipsPlot", "RNvsNskipsPlot"),
    ("FFTNoisePlot", "CompressSkipperProcess,FFTNoisePlot"),
    ("ChargeLossPlot", "ChargeLossPlot"),
    ("ChargeLossSkewnessProcess", "ChargeLossSkewnessProcess"),
];

/// Wall time and peak memory (MB, 0 if unknown) of a run.
fn run(arguments: &[&str]) -> Option<(Duration, f64)> {
    let start = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_panaSKImg"))
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak: f64 = 0.0;
    loop {
        if let Ok(text) = std::fs::read_to_string(&status)
            && let Some(line) = text.lines().find(|l| l.starts_with("VmHWM:"))
            && let Some(kilobytes) = line.split_whitespace().nth(1).and_then(|n| n.parse::<f64>().ok())
        {
            peak = peak.max(kilobytes / 1024.0);
        }
        if let Some(ended) = child.try_wait().ok()? {
            return ended.success().then(|| (start.elapsed(), peak));
        }
        std::thread::sleep(Duration::from_millis(3));
    }
}

fn simulated(folder: &Path) -> Option<PathBuf> {
    let config: SimulationConfig = serde_json::from_value(serde_json::json!({
        "rows": 200, "active_cols": 340, "prescan_cols": 8, "overscan_cols": 52, "skips": 2000, "adc_bits": 24,
        "gain": 10.0, "noise": {"sigma1": 5.0}, "lambda_image": 0.5, "charge_loss": 1e-5, "t_exp": 3600.0
    }))
    .ok()?;
    let image = folder.join("commissioning.fits");
    simulate_image(&Setup::new(config).ok()?, 0, &ImageFiles::new(&image), false, None).ok()?;
    Some(image)
}

fn main() {
    let Ok(folder) = tempfile::tempdir() else { return eprintln!("skipped: no folder for temporary files") };
    let image = std::env::var_os("PANASKIMG_COMMISSIONING").map(PathBuf::from).or_else(|| simulated(folder.path()));
    let Some(image) = image else { return eprintln!("skipped: the image could not be simulated") };
    let config = image.with_file_name("commissioning_panaSKImg.json").display().to_string();
    let (image, out) = (image.display().to_string(), folder.path().join("out").display().to_string());
    for plots in [false, true] {
        for (what, sequence) in SEQUENCES {
            let mut arguments = vec!["--json", &config, "-s", sequence, "-o", &out];
            if plots {
                arguments.push("--save-plots");
            }
            arguments.push(&image);
            let runs: Vec<_> = (0..5).filter_map(|_| run(&arguments)).collect();
            let best = runs.iter().map(|r| r.0).min();
            let memory = runs.iter().map(|r| r.1).fold(0.0, f64::max);
            let what = if plots { format!("{what}, with figures") } else { what.to_owned() };
            match best {
                Some(best) => println!("{what:<56} {:.3} s  {memory:.0} MB", best.as_secs_f64()),
                None => println!("{what:<56} failed"),
            }
        }
    }
}
