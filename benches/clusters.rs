//! Speed of cluster finding and masking. Run with `cargo bench --bench clusters`.

use divan::Bencher;
use ndarray::Array2;
use panaskimg::image::RawData;
use panaskimg::process::analysis::products::Gain;
use panaskimg::process::{CommonParameters, Context, SKImageProcess, registry};
use serde_json::{Value, json};

fn main() {
    divan::main();
}

/// Deterministic numbers (splitmix64).
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 * 2f64.powi(-53)
    }

    fn gaussian(&mut self) -> f64 {
        let (u1, u2) = (self.uniform(), self.uniform());
        (-2.0 * (1.0 - u1).ln()).sqrt() * (2.0 * std::f64::consts::PI * u2).cos()
    }
}

/// A calibrated image in e⁻ with noise of 0.2 e⁻ and diffused point-like charges, 20 to 60 pixels each.
fn image(rows: usize, cols: usize, clusters: usize) -> RawData {
    let mut random = Random(5);
    let mut electrons = Array2::from_shape_fn((rows, cols), |_| 0.2 * random.gaussian());
    for _ in 0..clusters {
        let (row, col) = (random.uniform() * rows as f64, random.uniform() * cols as f64);
        let (charge, width) = (200.0 + 2000.0 * random.uniform(), 0.8 + 0.6 * random.uniform());
        for r in (row as usize).saturating_sub(6)..(row as usize + 7).min(rows) {
            for c in (col as usize).saturating_sub(6)..(col as usize + 7).min(cols) {
                let d2 = (r as f64 - row).powi(2) + (c as f64 - col).powi(2);
                electrons[[r, c]] +=
                    charge / (std::f64::consts::TAU * width * width) * (-d2 / (2.0 * width * width)).exp();
            }
        }
    }
    let subtracted = &electrons * 5.0;
    let averaged = &subtracted + 2000.0;
    let mut raw = RawData::from_image("mean_compressed", averaged);
    raw.images.insert("mean_compressed_pedestal_subtracted".into(), subtracted);
    raw.images.insert("mean_compressed_pedestal_subtracted_e".into(), electrons);
    raw.products.set_for("EXT0", Gain { adu_per_electron: 5.0 });
    raw
}

fn process(name: &str, parameters: &Value) -> Box<dyn SKImageProcess> {
    let maker = registry::find(name).and_then(|e| e.maker).expect("a process of this name");
    let mut block = (maker.defaults)();
    for (key, value) in parameters.as_object().expect("an object") {
        block[key] = value.clone();
    }
    (maker.build)(block).expect("valid parameters")
}

fn execute(raw: &mut RawData, name: &str, process: &dyn SKImageProcess) {
    let common = CommonParameters::default();
    let entry = registry::find(name).expect("a process of this name");
    process.execute(raw, &Context { entry, common: &common, amplifier: 0, seed: 1 }).expect("success");
}

/// 4000 × 4000 pixels with 10 000 clusters; the second argument says whether profiles are fitted.
#[divan::bench(args = [(4000, 10_000, true), (4000, 10_000, false)], sample_count = 20)]
fn find(bencher: Bencher, (size, clusters, fits): (usize, usize, bool)) {
    let mut raw = image(size, size, clusters);
    let finder = process("ClusterFinder", &json!({"spr_threshold": [0.2, 4, 10], "get_fitted_STD": fits}));
    bencher.bench_local(|| execute(&mut raw, "ClusterFinder", &*finder));
}

/// One extension of 320 × 640 pixels, without and with fits.
#[divan::bench(args = [false, true], sample_count = 100)]
fn find_in_an_extension(bencher: Bencher, fits: bool) {
    let mut raw = image(320, 640, 130);
    let finder = process("ClusterFinder", &json!({"spr_threshold": [0.2, 4, 10], "get_fitted_STD": fits}));
    bencher.bench_local(|| execute(&mut raw, "ClusterFinder", &*finder));
}

/// Every fifth pixel or so selected: the linkage of single pixels of noise.
#[divan::bench(args = [1, 2, 4], sample_count = 5)]
fn find_in_noise(bencher: Bencher, reach: u32) {
    let mut raw = image(4000, 4000, 0);
    let parameters = json!({"spr_threshold": [0.2, 0.85, 10], "only_cls_seed": true, "max_nearest_neighbor": reach});
    let finder = process("ClusterFinder", &parameters);
    bencher.bench_local(|| execute(&mut raw, "ClusterFinder", &*finder));
}

/// The same image with a mask of hot columns and single pixels.
#[divan::bench(sample_count = 10)]
fn find_with_a_mask(bencher: Bencher) {
    let mut raw = image(4000, 4000, 10_000);
    raw.clustering_mask =
        Some(Array2::from_shape_fn((4000, 4000), |(r, c)| c % 900 == 7 || (r * 31 + c * 17) % 90_001 == 0));
    let finder = process("ClusterFinder", &json!({"spr_threshold": [0.2, 4, 10]}));
    bencher.bench_local(|| execute(&mut raw, "ClusterFinder", &*finder));
}

/// Masks with the default margins of five pixels.
#[divan::bench(sample_count = 20)]
fn mask(bencher: Bencher) {
    let mut raw = image(4000, 4000, 10_000);
    execute(
        &mut raw,
        "ClusterFinder",
        &*process("ClusterFinder", &json!({"spr_threshold": [0.2, 4, 10], "get_fitted_STD": false})),
    );
    let mask = process("BuildClusterMask", &json!({}));
    bencher.bench_local(|| execute(&mut raw, "BuildClusterMask", &*mask));
}

/// The content of the trees, as data.
#[divan::bench(sample_count = 20)]
fn tree_content(bencher: Bencher) {
    let mut raw = image(4000, 4000, 10_000);
    execute(&mut raw, "ClusterFinder", &*process("ClusterFinder", &json!({"spr_threshold": [0.2, 4, 10]})));
    bencher.bench_local(|| panaskimg::output::cluster_trees::clusters_rec(&raw, raw.numbers));
}
