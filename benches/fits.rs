//! Speed of the fits, on samples like those of a real image. Run with `cargo bench --bench fits`.

use divan::{Bencher, black_box};
use panaskimg::stats::gaussian_fit::{GaussianFitSettings, GaussianFitter, StartRule};
use panaskimg::stats::histogram::BinRule;
use panaskimg::stats::peak_finder::PeakFinder;
use panaskimg::stats::robust;

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

    /// Charge of a pixel in ADU: Poisson electrons, gain 1.35, noise 0.2.
    fn pixel(&mut self, mean_electrons: f64) -> f64 {
        let u = self.uniform();
        let (mut k, mut p) = (0.0, (-mean_electrons).exp());
        let mut c = p;
        while u >= c && k < 50.0 {
            k += 1.0;
            p *= mean_electrons / k;
            c += p;
        }
        1.35 * k + 0.2 * self.gaussian()
    }

    fn row(&mut self, n: usize, mean_electrons: f64) -> Vec<f64> {
        (0..n).map(|_| self.pixel(mean_electrons)).collect()
    }
}

/// A pedestal row: 600 pixels, 50 bins, two or three electron peaks, start from the smoothed peak.
#[divan::bench]
fn gaussian_row_600_manual_50_smoothed(bencher: Bencher) {
    let mut random = Random(1);
    let rows: Vec<Vec<f64>> = (0..64).map(|_| random.row(600, 0.5)).collect();
    let settings =
        GaussianFitSettings { bins: BinRule::Manual(50), start: StartRule::HighDarkCurrent(PeakFinder::Smoothed) };
    let mut fitter = GaussianFitter::new();
    let mut next = 0;
    bencher.bench_local(|| {
        next = (next + 1) % rows.len();
        fitter.fit(black_box(&rows[next]), settings)
    });
}

/// A pedestal row of one population: 600 pixels, Freedman bins, start from the median.
#[divan::bench]
fn gaussian_row_600_freedman_standard(bencher: Bencher) {
    let mut random = Random(2);
    let rows: Vec<Vec<f64>> = (0..64).map(|_| random.row(600, 0.0)).collect();
    let settings = GaussianFitSettings { bins: BinRule::Freedman, start: StartRule::Standard };
    let mut fitter = GaussianFitter::new();
    let mut next = 0;
    bencher.bench_local(|| {
        next = (next + 1) % rows.len();
        fitter.fit(black_box(&rows[next]), settings)
    });
}

/// Median and MAD of an image of 200 000 pixels.
#[divan::bench]
fn median_and_mad_200k(bencher: Bencher) {
    let sample = Random(3).row(204_800, 0.5);
    bencher.bench_local(|| robust::median_and_mad(black_box(&sample)));
}
