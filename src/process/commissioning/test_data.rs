//! The portable random numbers of spec 04 §7.1, for tests only.

use crate::stats::distributions::{normal_quantile, poisson_quantile};
use crate::stats::test_data::SplitMix64;

/// Normal numbers in pairs: r cos 2πu₂, r sin 2πu₂.
pub fn normals(seed: u64, n: usize) -> Vec<f64> {
    let mut random = SplitMix64(seed);
    let mut numbers = Vec::with_capacity(n + 1);
    while numbers.len() < n {
        let (u1, u2) = (random.uniform(), random.uniform());
        let r = (-2.0 * (1.0 - u1).ln()).sqrt();
        let t = 2.0 * std::f64::consts::PI * u2;
        numbers.extend([r * t.cos(), r * t.sin()]);
    }
    numbers.truncate(n);
    numbers
}

/// Poisson numbers, one uniform number each.
pub fn poissons(seed: u64, mean: f64, n: usize) -> Vec<f64> {
    let mut random = SplitMix64(seed);
    (0..n).map(|_| poisson_quantile(random.uniform(), mean) as f64).collect()
}

/// Peaks at i·k of exactly Gaussian shape: quantiles instead of random numbers (spec 04 §7.2).
pub fn comb(k: f64, sigma: f64, counts: &[usize]) -> Vec<f64> {
    let peak = |(i, &n): (usize, &usize)| {
        (0..n).map(move |j| i as f64 * k + sigma * normal_quantile((j as f64 + 0.5) / n as f64)).collect::<Vec<_>>()
    };
    counts.iter().enumerate().flat_map(peak).collect()
}

#[test]
fn check_values_of_the_specification() {
    for (found, expected) in normals(1, 4).iter().zip([-0.03426732, -1.29260853, -2.50006749, 0.91146659]) {
        assert!((found - expected).abs() < 5e-9);
    }
    assert_eq!(poissons(1, 1.0, 10), [1.0, 2.0, 3.0, 1.0, 1.0, 2.0, 2.0, 1.0, 0.0, 2.0]);
}

/// The cube of spec 04 §7.3: 16 rows × 48 columns × 64 skips, 1000 + 12·normal(2024), row-major, skip fastest.
pub fn skip_cube() -> ndarray::Array3<f64> {
    let values = normals(2024, 16 * 48 * 64).into_iter().map(|z| 1000.0 + 12.0 * z).collect();
    ndarray::Array3::from_shape_vec((16, 48, 64), values).unwrap()
}

#[test]
fn check_values_of_the_cube() {
    let cube = skip_cube();
    for (found, expected) in cube.iter().zip([1013.72523, 1009.61176, 1007.53080, 1006.73975]) {
        assert!((found - expected).abs() < 6e-6);
    }
    assert!((cube[[15, 47, 63]] - 986.38480).abs() < 6e-6);
    assert!((cube.index_axis(ndarray::Axis(0), 0).row(0).sum() / 64.0 - 999.549884).abs() < 6e-7);
}
