//! Speed of the fits, on samples like those of a real image. Run with `cargo bench --bench fits`.

use divan::{Bencher, black_box};
use panaskimg::stats::dark_current::{
    BinWidth, DarkCurrentSettings, FitOptions, Method, ParameterLimits, fit_histogram, fit_pixels,
};
use panaskimg::stats::gaussian_fit::{GaussianFitSettings, GaussianFitter, StartRule};
use panaskimg::stats::histogram::{BinRule, Histogram};
use panaskimg::stats::minimise::{Fit, Parameter};
use panaskimg::stats::peak_finder::PeakFinder;
use panaskimg::stats::profile_fit::fit_profile;
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

/// Histogram of 195 000 pixels in 300 bins, like the real image.
fn pixels(mean_electrons: f64, n: usize) -> Vec<f64> {
    Random(4).row(n, mean_electrons)
}

fn dark_current(letters: &str, n_peaks: usize, window: (f64, f64)) -> DarkCurrentSettings {
    DarkCurrentSettings {
        options: FitOptions::parse(letters),
        window,
        bin_width: BinWidth::Width(0.05),
        n_peaks,
        calibration: 1.3,
        limits: ParameterLimits { mu0: (-1.0, 1.0), sigma: (0.001, 100.0), lambda: (0.001, 10.0), gain: (0.8, 1.8) },
        ..Default::default()
    }
}

/// Binned fit of a whole image, 300 bins, from three starts; default letters (likelihood with profile intervals).
#[divan::bench(args = [2, 5])]
fn dark_current_300_default(bencher: Bencher, n_peaks: usize) {
    let window = (-5.0, 10.0);
    let histogram = Histogram::window(&pixels(0.5, 195_000), window.0, window.1, 300).unwrap();
    let settings = dark_current("QR S L EM", n_peaks, window);
    bencher.bench_local(|| fit_histogram(black_box(&histogram), &settings));
}

/// The same with the Neyman χ².
#[divan::bench(args = [2, 5])]
fn dark_current_300_neyman(bencher: Bencher, n_peaks: usize) {
    let window = (-5.0, 10.0);
    let histogram = Histogram::window(&pixels(0.5, 195_000), window.0, window.1, 300).unwrap();
    let settings = dark_current("Q", n_peaks, window);
    bencher.bench_local(|| fit_histogram(black_box(&histogram), &settings));
}

/// Slice of ten rows: 6000 pixels, 140 bins, two peaks.
#[divan::bench(args = ["Q", "QL", "QR S L EM"])]
fn dark_current_slice_140(bencher: Bencher, letters: &str) {
    let sample = pixels(0.05, 6_000);
    let settings = dark_current(letters, 2, (-2.0, 5.0));
    bencher.bench_local(|| fit_pixels(black_box(&sample), &settings));
}

/// Improved fits of 20 000 pixels.
#[divan::bench(args = ["binned", "unbinned"])]
fn dark_current_improved_20k(bencher: Bencher, method: &str) {
    let sample = pixels(0.6, 20_000);
    let method = Method::from_name(method).unwrap();
    let settings = DarkCurrentSettings { method, ..dark_current("", 5, (-1.0, 7.0)) };
    bencher.bench_local(|| fit_pixels(black_box(&sample), &settings));
}

/// Profiles of the sizes that clusters have: mostly a few columns, now and then a track.
fn profiles() -> Vec<Vec<f64>> {
    let mut random = Random(5);
    (0..256)
        .map(|k| {
            let columns = match k % 16 {
                0..4 => 1,
                4..8 => 2,
                8..15 => 3 + k % 5,
                _ => 40,
            };
            let mut profile = vec![0.0];
            for column in 0..columns {
                let t = (column as f64 + 0.5) / columns as f64 * 4.0 - 2.0;
                profile.push((-0.5 * t * t).exp() * (0.5 + random.uniform()));
            }
            profile.push(0.0);
            profile
        })
        .collect()
}

/// 256 cluster profiles.
#[divan::bench]
fn profiles_256(bencher: Bencher) {
    let profiles = profiles();
    bencher.bench_local(|| profiles.iter().map(|profile| fit_profile(black_box(profile), 100.0).sigma).sum::<f64>());
}

/// General fit: ten parameters, 10 000 bins, numerical derivatives (the two-amplifier fit).
#[divan::bench(sample_count = 10)]
fn two_dimensional_gaussians(bencher: Bencher) {
    let model = |p: &[f64], f: &mut [f64]| {
        let axis = |k: usize| -10.0 + 0.4 * (k as f64 + 0.5);
        let peaks = |x: f64, centre: f64, gain: f64, sigma: f64, mean: f64| -> f64 {
            (0..3)
                .map(|n| {
                    let n = f64::from(n);
                    let t = (x - centre - n * gain) / sigma;
                    (-mean).exp() * mean.powf(n) / (1.0 + n * (n - 1.0) / 2.0) * (-0.5 * t * t).exp()
                })
                .sum()
        };
        for (bin, f) in f.iter_mut().enumerate() {
            let (x, y) = (axis(bin % 100), axis(bin / 100));
            *f = p[0] * peaks(x, p[1], p[2], p[3], p[4]) * peaks(y, p[5], p[6], p[7], p[8]) + p[9];
        }
    };
    let truth = [240.0, 0.1, 7.0, 1.0, 0.05, -0.2, 8.0, 2.0, 0.1, 0.01];
    let mut counts = vec![0.0; 10_000];
    model(&truth, &mut counts);
    for h in &mut counts {
        *h = h.round();
    }
    let parameters: Vec<Parameter> =
        truth.iter().map(|&value| Parameter::new("p", 1.1 * value, 0.1 * value.abs()).limited(-300.0, 300.0)).collect();
    let fit = Fit::new(parameters);
    bencher.bench_local(|| fit.poisson(black_box(&counts), model));
}
