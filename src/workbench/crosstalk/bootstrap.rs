//! Bootstrap of a median.
//!
//! A bootstrap sample draws n values with replacement from the n values of the sample. Drawing all of them is not needed:
//! an element drawn is x(⌈n·U⌉), U uniform, so the k-th smallest of the drawn elements is x(⌈n·U(k)⌉) with U(k) the k-th
//! smallest of n uniform numbers, which has a Beta(k, n − k + 1) distribution. The distribution is exactly that of the
//! plain bootstrap at the cost of one or two random numbers per bootstrap sample instead of n.

use crate::stats::random::Stream;
use crate::stats::robust;

/// Intervals of a bootstrapped median.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Intervals {
    /// 16th and 84th percentile.
    pub p68: (f64, f64),
    /// 2.5th and 97.5th percentile.
    pub p95: (f64, f64),
}

impl Intervals {
    /// Unknown.
    pub const NONE: Self = Self { p68: (f64::NAN, f64::NAN), p95: (f64::NAN, f64::NAN) };
}

/// Percentiles of the medians of `size` bootstrap samples of `values` (finite). Unknown for no values or no samples.
pub fn median_intervals(values: &[f64], size: usize, stream: &mut Stream) -> Intervals {
    if values.is_empty() || size == 0 {
        return Intervals::NONE;
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let medians: Vec<f64> = (0..size).map(|_| bootstrap_median(&sorted, stream)).collect();
    let [a, b, c, d] = robust::percentiles(&medians, [2.5, 16.0, 84.0, 97.5]);
    Intervals { p68: (b, c), p95: (a, d) }
}

/// Median of one bootstrap sample of the values, which are sorted.
fn bootstrap_median(sorted: &[f64], stream: &mut Stream) -> f64 {
    let n = sorted.len();
    let at = |u: f64| sorted[((n as f64 * u) as usize).min(n - 1)];
    if n % 2 == 1 {
        let k = n / 2 + 1;
        return at(beta(k, n - k + 1, stream));
    }
    // the two central order statistics: the upper one first, the lower one is the largest of n/2 uniform numbers below it
    let k = n / 2;
    let upper = beta(k + 1, n - k, stream);
    let lower = upper * libm::pow(stream.positive_uniform(), 1.0 / k as f64);
    0.5 * (at(lower) + at(upper))
}

/// Beta(a, b) for positive integers.
fn beta(a: usize, b: usize, stream: &mut Stream) -> f64 {
    let (x, y) = (gamma(a as f64, stream), gamma(b as f64, stream));
    x / (x + y)
}

/// Gamma(shape, 1) for shape ≥ 1 (Marsaglia & Tsang, ACM TOMS 26, 363 (2000)).
fn gamma(shape: f64, stream: &mut Stream) -> f64 {
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = stream.normal();
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && libm::log(stream.positive_uniform()) < 0.5 * x * x + d - d * v + d * libm::log(v) {
            return d * v;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The plain bootstrap: draw n values with replacement, take the median.
    fn plain(values: &[f64], size: usize, stream: &mut Stream) -> Intervals {
        let n = values.len();
        let medians: Vec<f64> = (0..size)
            .map(|_| {
                let mut drawn: Vec<f64> = (0..n).map(|_| values[stream.below(n as u64) as usize]).collect();
                robust::median_in_place(&mut drawn)
            })
            .collect();
        let [a, b, c, d] = robust::percentiles(&medians, [2.5, 16.0, 84.0, 97.5]);
        Intervals { p68: (b, c), p95: (a, d) }
    }

    #[test]
    fn intervals_are_those_of_the_plain_bootstrap() {
        let mut stream = Stream::from_seed(1);
        for n in [1, 2, 3, 6, 41, 200] {
            let values: Vec<f64> = (0..n).map(|_| stream.normal()).collect();
            let (fast, slow) = (median_intervals(&values, 40_000, &mut stream), plain(&values, 40_000, &mut stream));
            // a percentile of 40 000 medians is uncertain by 0.25 % in probability, a percent of the width of the interval;
            // for small n the medians are a few discrete values and must agree exactly or in the neighbouring one
            let width = (slow.p95.1 - slow.p95.0).max(1e-12);
            for (a, b) in
                [(fast.p68.0, slow.p68.0), (fast.p68.1, slow.p68.1), (fast.p95.0, slow.p95.0), (fast.p95.1, slow.p95.1)]
            {
                assert!((a - b).abs() <= 0.05 * width, "{n}: {fast:?} {slow:?}");
            }
        }
    }

    #[test]
    fn gamma_numbers_have_their_mean_and_variance() {
        let mut stream = Stream::from_seed(2);
        for shape in [1.0, 2.0, 7.0, 500.0] {
            let n = 50_000;
            let values: Vec<f64> = (0..n).map(|_| gamma(shape, &mut stream)).collect();
            let (mean, std) = robust::mean_and_std(&values, robust::Ddof::Sample);
            assert!((mean - shape).abs() < 5.0 * (shape / f64::from(n)).sqrt(), "{shape}: {mean}");
            // relative error of a standard deviation: √((kurtosis − 1)/4n), kurtosis 3 + 6/shape
            let error = ((2.0 + 6.0 / shape) / (4.0 * f64::from(n))).sqrt();
            assert!((std / shape.sqrt() - 1.0).abs() < 5.0 * error, "{shape}: {std}");
        }
    }

    #[test]
    fn nothing_gives_nothing() {
        let mut stream = Stream::from_seed(3);
        assert!(median_intervals(&[], 100, &mut stream).p68.0.is_nan());
        assert!(median_intervals(&[1.0], 0, &mut stream).p68.0.is_nan());
        assert_eq!(median_intervals(&[1.5], 10, &mut stream).p95, (1.5, 1.5));
    }
}
