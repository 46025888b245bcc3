//! Simulated images through the chain.

use std::path::{Path, PathBuf};

use panaskimg::config::{Config, Overrides};
use panaskimg::fits::FitsInput;
use panaskimg::image::{LoadOptions, RawData, load};
use panaskimg::process::{Measurement, ProcessManager};
use panaskimg::simulate::{ImageFiles, Setup, SimulationConfig, simulate_image};
use serde_json::{Value, json};

/// All five processes.
pub const ALL: &str = "CompressSkipperProcess;PedestalSubtractionProcess;FitCalibrationConstant;RNvsNskipsPlot;\
                       FFTNoisePlot;ChargeLossPlot;ChargeLossSkewnessProcess";

/// Simulates an image; returns its path. The configuration that reads it lies beside it.
pub fn simulate(folder: &Path, parameters: Value) -> PathBuf {
    let config: SimulationConfig = serde_json::from_value(parameters).unwrap();
    let image = folder.join("sim.fits");
    simulate_image(&Setup::new(config).unwrap(), 0, &ImageFiles::new(&image), false, None).unwrap();
    image
}

/// The analysis configuration of a simulated image with these process blocks.
pub fn configuration(image: &Path, sequence: &str, blocks: Value) -> Config {
    let path = image.with_file_name("sim_panaSKImg.json");
    let mut document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    document["process"] = blocks;
    document["process"]["sequence"] = json!(sequence);
    let path = image.with_file_name("analysis.json");
    std::fs::write(&path, document.to_string()).unwrap();
    Config::load(Some(&path), &Overrides::default()).unwrap_or_else(|e| panic!("{e}"))
}

/// Runs a chain on the first HDU of an image.
pub fn analyse(image: &Path, sequence: &str, blocks: Value) -> RawData {
    let config = configuration(image, sequence, blocks);
    let options = LoadOptions { config: &config.input, options: &config.options, position: 0 };
    let mut raw = load(&FitsInput::open(image).unwrap(), &[0], &options).unwrap();
    ProcessManager::new(&config).unwrap().run(&mut raw).unwrap_or_else(|e| panic!("{e}"));
    raw
}

/// The first measurement of this name.
pub fn measured<'a>(raw: &'a RawData, name: &str) -> &'a Measurement {
    raw.report.measurements.iter().find(|m| m.name == name).unwrap_or_else(|| {
        let log: Vec<_> = raw.report.log.iter().map(|l| l.text.as_str()).collect();
        panic!("no measurement {name}; log: {log:#?}")
    })
}

/// Agreement within `n` errors.
pub fn agrees(raw: &RawData, name: &str, expected: f64, n: f64) {
    let m = measured(raw, name);
    let error = m.error.unwrap();
    assert!((m.value - expected).abs() < n * error, "{name}: {} ± {error}, put in {expected}", m.value);
}
