//! Speed of the simulation. Run with `cargo bench --bench simulate`; the goal is 100 million skip samples per second on
//! two cores, written to disk.

use divan::Bencher;
use divan::counter::ItemsCount;
use panaskimg::simulate::{ImageFiles, Setup, SimulationConfig, simulate_image};
use panaskimg::stats::random::{Poisson, Stream};

fn main() {
    divan::main();
}

/// Gaussian numbers, one thread.
#[divan::bench]
fn normal(bencher: Bencher) {
    let mut stream = Stream::from_seed(1);
    let mut out = vec![0.0; 16 * 1024];
    bencher.counter(ItemsCount::new(out.len())).bench_local(|| stream.fill_normal(3.0, &mut out));
}

/// Poisson numbers of a dark image, one thread.
#[divan::bench(args = [0.001, 0.1, 1.0, 100.0])]
fn poisson(bencher: Bencher, mean: f64) {
    let mut stream = Stream::from_seed(1);
    let poisson = Poisson::new(mean);
    bencher
        .counter(ItemsCount::new(10_000_u32))
        .bench_local(|| (0..10_000).map(|_| poisson.draw(&mut stream)).sum::<u64>());
}

/// Whole images with their truth, all cores, samples per second written to disk.
#[divan::bench(args = ["plain", "losses", "lines", "flicker", "dual", "averaged"], sample_count = 5)]
fn image(bencher: Bencher, kind: &str) {
    let mut json =
        serde_json::json!({"rows": 500, "active_cols": 1000, "overscan_cols": 100, "skips": 200, "lambda_image": 0.1});
    let more = match kind {
        "losses" => serde_json::json!({"charge_loss": 1e-4}),
        "lines" => {
            serde_json::json!({"noise": {"lines": [{"freq": 60.0, "amplitude": 1.0}, {"freq": 900.0, "amplitude": 1.0}]}})
        }
        "flicker" => serde_json::json!({"rows": 50, "noise": {"flicker": 1.0}}),
        "dual" => serde_json::json!({"layout": "dual", "crosstalk": 0.001}),
        "averaged" => serde_json::json!({"averaged": true}),
        _ => serde_json::json!({}),
    };
    if let (Some(all), Some(more)) = (json.as_object_mut(), more.as_object()) {
        all.extend(more.clone());
    }
    let config: SimulationConfig = serde_json::from_value(json).expect("valid keys");
    let setup = Setup::new(config).expect("valid parameters");
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let files = ImageFiles::new(&folder.path().join("image.fits"));
    let samples = setup.geometry.rows() * setup.geometry.cols() * setup.geometry.skips;
    bencher
        .counter(ItemsCount::new(samples))
        .bench_local(|| simulate_image(&setup, 0, &files, false, None).expect("the image is written"));
}
