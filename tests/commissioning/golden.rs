//! The recorded output of the Python tool on the small synthetic image, where it is right or wrong by a known factor.

use std::path::PathBuf;

use panaskimg::process::commissioning::charge_loss_skewness_process::ChargeLoss;
use panaskimg::process::commissioning::fft_noise_plot::NoiseSpectra;
use serde_json::{Value, json};

use crate::support::analyse_with;

/// The folder of the recorded chain, or `None` with a line on the terminal.
fn golden() -> Option<PathBuf> {
    let data = std::env::var_os("PANASKIMG_TEST_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let folder = data.join("golden/small");
    if folder.join("all_fix/results.json").is_file() {
        return Some(folder);
    }
    println!("skipped: no test data {}", folder.display());
    None
}

/// Numbers of a float64 `.npy` file of version 1.
fn npy(path: PathBuf) -> Vec<f64> {
    let bytes = std::fs::read(path).unwrap();
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    bytes[start..].as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect()
}

#[test]
fn spectra_and_differences_of_the_python_tool() {
    let Some(folder) = golden() else { return };
    let mut document: Value =
        serde_json::from_slice(&std::fs::read(folder.join("all_fix/config.json")).unwrap()).unwrap();
    let sequence = "CompressSkipperProcess;FFTNoisePlot;ChargeLossSkewnessProcess";
    document["process"]["sequence"] = json!(sequence);
    // every skip, as the recorded run did
    document["process"]["ChargeLossSkewnessProcess"]["skip_step"] = json!(1);
    let raw = analyse_with(&folder.join("synth_small_1.fits"), &document);

    // the tool divides by (rows + 1)(columns + 1) instead of rows times columns (spec 04 §4.3), and drops the last bin
    let recorded = npy(folder.join("all_fix/fft_skips_EXT0_y.npy"));
    let spectra = raw.products.get_for::<NoiseSpectra>("EXT0").unwrap();
    let found = &spectra.skips.as_ref().unwrap().spectrum.magnitude;
    assert_eq!(recorded.len(), found.len() - 1);
    let factor = (50.0 * 52.0) / (51.0 * 53.0);
    for (recorded, found) in recorded.iter().zip(found) {
        // float precision
        assert!((recorded / (factor * found) - 1.0).abs() < 1e-9, "{recorded} {found}");
    }

    let text = std::fs::read_to_string(folder.join("all_fix/results.json")).unwrap().replace("NaN", "null");
    let results: Value = serde_json::from_str(&text).unwrap();
    let recorded = &results["process"]["ChargeLossSkewnessProcess_EXT0"];
    let list = |key: &str| recorded[key].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect::<Vec<_>>();
    let loss = raw.products.get_for::<ChargeLoss>("EXT0").unwrap();
    let (skips, means, sums) = (list("skips"), list("mean_pcdd"), list("sum_pcd"));
    assert!(skips.len() > 20);
    for ((skip, mean), sum) in skips.iter().zip(means).zip(sums) {
        let found = loss.skips.iter().find(|a| a.skip as f64 == *skip).unwrap();
        assert!((found.mean - mean).abs() < 1e-9 && found.total_charge == sum, "skip {skip}: {found:?}, {mean}, {sum}");
    }
}
