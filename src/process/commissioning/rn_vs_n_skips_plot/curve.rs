//! The noise of the mean of the first N skips, for a grid of N, and the power law through it (spec 04 §3.2).
//!
//! Independent samples give σ₁/√N. The slope of ln σ against ln N tells how far the samples are from that; its error
//! takes into account that averages over more skips contain those over fewer: the variances of the means of N < M skips
//! are correlated as N/M.

use std::ops::Range;

use crate::image::Region;
use crate::image::cube::{Block, Samples};
use crate::process::commissioning::fft_noise_plot::SkipSpectrumSurvey;
use crate::process::commissioning::fft_noise_plot::spectrum::Spectrum;
use crate::process::commissioning::moments::Moments;
use crate::process::commissioning::selection::rows_in_block;
use crate::process::commissioning::survey::{HELD_VALUES, Survey};
use crate::stats::distributions::normal_cdf;
use crate::stats::robust::{self, MAD_TO_SIGMA};

/// Error of 1.4826·MAD of n normal numbers, times √n/σ: its efficiency against the standard deviation is 36.75 %.
const MAD_ERROR: f64 = 1.1664;
/// Points of a logarithmic grid at most.
const MAX_POINTS: i64 = 1 << 16;

/// Numbers of skips to average: `step` > 0: 1 and its multiples up to `all`, and `all`; < 0: |step| logarithmic points.
///
/// # Errors
/// If `step` or `all` is 0.
pub fn grid(step: i64, all: usize) -> Result<Vec<usize>, String> {
    if step == 0 {
        return Err("`n_skips_per_block` is 0; a step in the number of skips (> 0) or minus a number of points is \
                    expected"
            .into());
    }
    if all == 0 {
        return Err("no skip is left".into());
    }
    let mut numbers: Vec<usize> = match usize::try_from(step) {
        Ok(step) => {
            let multiples = (1..=all / step).map(|i| i * step);
            [1].into_iter().chain(multiples).chain([all]).collect()
        }
        Err(_) => {
            let points = step.unsigned_abs().min(MAX_POINTS as u64) as usize;
            let top = (all as f64).ln();
            let at = |i: usize| if points > 1 { top * i as f64 / (points - 1) as f64 } else { 0.0 };
            (0..points).map(|i| ((at(i).exp() + 0.5).floor() as usize).clamp(1, all)).collect()
        }
    };
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

/// How the noise of an image is measured.
#[derive(Debug, Clone, PartialEq)]
pub struct CurveOptions {
    /// Pixels used.
    pub region: Region,
    /// Skips used.
    pub skips: Range<usize>,
    /// Numbers of skips to average.
    pub grid: Vec<usize>,
    /// Standard deviation instead of 1.4826·MAD.
    pub blank: bool,
    /// Subtract the median of each row first.
    pub subtract_row_median: bool,
}

/// Sees the pixels of a region and averages their first skips.
#[derive(Debug)]
pub struct CurveSurvey {
    options: CurveOptions,
    /// Part of the grid that this pass looks at.
    part: Range<usize>,
    /// Means of this pass, `[grid][pixel]`.
    values: Vec<Vec<f64>>,
    /// Whether the samples are whole numbers, so that means of n are multiples of 1/n.
    whole: bool,
    moments: Vec<Moments>,
    /// Noise and number of pixels, `[grid]`.
    noise: Vec<(f64, usize)>,
    spectrum: Option<SkipSpectrumSurvey>,
}

/// What is found in a block: means as `[grid][pixel]`, and the spectrum.
#[derive(Debug)]
pub struct Found {
    means: Vec<Vec<f64>>,
    whole: bool,
    spectrum: Option<<SkipSpectrumSurvey as Survey>::Found>,
}

impl CurveSurvey {
    /// Prepares a survey.
    pub fn new(options: CurveOptions) -> Self {
        let points = options.grid.len();
        let per_pass =
            if options.blank { points } else { (HELD_VALUES / options.region.len().max(1)).clamp(1, points) };
        let spectrum =
            (options.skips.len() >= 4).then(|| SkipSpectrumSurvey::new(options.region.clone(), options.skips.clone()));
        let mut survey = Self {
            options,
            part: 0..per_pass,
            values: Vec::new(),
            whole: true,
            moments: Vec::new(),
            noise: Vec::new(),
            spectrum,
        };
        survey.prepare();
        survey
    }

    fn prepare(&mut self) {
        self.values = vec![Vec::new(); self.part.len()];
        self.moments = vec![Moments::default(); self.part.len()];
    }

    /// The measured curve; `step`: time between samples, s, for the spectrum.
    pub fn curve(&self, step: Option<f64>) -> NoiseCurve {
        let spectrum = self.spectrum.as_ref().and_then(|s| s.spectrum(step));
        NoiseCurve::new(&self.options.grid, &self.noise, self.options.blank, spectrum)
    }
}

impl Survey for CurveSurvey {
    type Found = Found;

    fn observe(&self, block: &Block<'_>) -> Found {
        let region = &self.options.region;
        let rows = rows_in_block(region, &block.rows);
        let grid = &self.options.grid[self.part.clone()];
        let mut means = vec![Vec::with_capacity(rows.len() * region.cols.len()); grid.len()];
        let mut whole = !self.options.subtract_row_median;
        for row in rows {
            for col in region.cols.clone() {
                let samples = block.pixel(row, col).part(self.options.skips.clone());
                whole &= matches!(samples, Samples::Int(_));
                prefix_means(samples, grid, &mut means);
            }
            if self.options.subtract_row_median {
                for means in &mut means {
                    let first = means.len() - region.cols.len();
                    let median = robust::median(&means[first..]);
                    means[first..].iter_mut().for_each(|x| *x -= median);
                }
            }
        }
        let spectrum =
            if self.part.start == 0 { self.spectrum.as_ref().map(|s| Survey::observe(s, block)) } else { None };
        Found { means, whole, spectrum }
    }

    fn collect(&mut self, found: Found) {
        self.whole &= found.whole;
        for (i, means) in found.means.into_iter().enumerate() {
            if self.options.blank {
                self.moments[i].merge(&Moments::of(means));
            } else {
                self.values[i].extend(means.into_iter().filter(|x| x.is_finite()));
            }
        }
        if let (Some(mine), Some(found)) = (&mut self.spectrum, found.spectrum) {
            Survey::collect(mine, found);
        }
    }

    fn needs_another_pass(&mut self) -> bool {
        if self.options.blank {
            self.noise.extend(self.moments.iter().map(|m| (m.std(), m.n as usize)));
        } else {
            let averaged = &self.options.grid[self.part.clone()];
            for (mut values, n_skips) in std::mem::take(&mut self.values).into_iter().zip(averaged) {
                let n = values.len();
                let sigma = if self.whole {
                    robust::sigma_of_steps(&mut values, 1.0 / *n_skips as f64)
                } else {
                    MAD_TO_SIGMA * robust::median_and_mad_in_place(&mut values).1
                };
                self.noise.push((sigma, n));
            }
        }
        let done = self.part.end;
        self.part = done..(done + self.part.len()).min(self.options.grid.len());
        self.prepare();
        !self.part.is_empty()
    }
}

/// Appends the means of the first n samples, n in the ascending grid.
fn prefix_means(samples: Samples<'_>, grid: &[usize], means: &mut [Vec<f64>]) {
    let mut done = 0;
    match samples {
        Samples::Int(x) => {
            let mut sum = 0i64;
            for (n, means) in grid.iter().zip(means) {
                sum += x[done..*n].iter().map(|v| i64::from(*v)).sum::<i64>();
                done = *n;
                means.push(sum as f64 / *n as f64);
            }
        }
        Samples::Real(x) => {
            let mut sum = 0.0;
            for (n, means) in grid.iter().zip(means) {
                sum += x[done..*n].iter().sum::<f64>();
                done = *n;
                means.push(sum / *n as f64);
            }
        }
    }
}

/// Noise against the number of skips.
#[derive(Debug, Clone, PartialEq)]
pub struct NoiseCurve {
    /// Skips averaged.
    pub n_skips: Vec<usize>,
    /// Noise of the average, ADU.
    pub noise: Vec<f64>,
    /// Its statistical error, ADU.
    pub error: Vec<f64>,
    /// Pixels used.
    pub pixels: usize,
    /// Exponent of the power law, −½ for independent samples; NaN with fewer than two points.
    pub slope: f64,
    /// Its error.
    pub slope_error: f64,
    /// Noise of a single sample according to the power law, ADU.
    pub sigma_1: f64,
    /// Its error, ADU.
    pub sigma_1_error: f64,
    /// Noise that the spectrum along the skips predicts, with its error, ADU.
    pub predicted: Option<Vec<(f64, f64)>>,
}

impl NoiseCurve {
    fn new(grid: &[usize], noise: &[(f64, usize)], blank: bool, spectrum: Option<Spectrum>) -> Self {
        let factor = if blank { std::f64::consts::FRAC_1_SQRT_2 } else { MAD_ERROR };
        let sigma: Vec<f64> = noise.iter().map(|n| n.0).collect();
        let error: Vec<f64> = noise.iter().map(|(s, n)| factor * s / (*n as f64).sqrt()).collect();
        let law = power_law(grid, &sigma, &error, blank);
        Self {
            n_skips: grid.to_vec(),
            noise: sigma,
            error,
            pixels: noise.iter().map(|n| n.1).max().unwrap_or(0),
            slope: law.slope.0,
            slope_error: law.slope.1,
            sigma_1: law.sigma_1.0,
            sigma_1_error: law.sigma_1.1,
            predicted: spectrum.map(|s| grid.iter().map(|n| s.noise_of_mean(*n)).collect()),
        }
    }

    /// Noise at the largest number of skips, with its error, ADU.
    pub fn last(&self) -> (f64, f64) {
        (self.noise.last().copied().unwrap_or(f64::NAN), self.error.last().copied().unwrap_or(f64::NAN))
    }

    /// σ ∝ 1/√N through the last point.
    pub fn expected_from_last(&self, n: usize) -> f64 {
        self.last().0 * (self.n_skips.last().copied().unwrap_or(1) as f64 / n as f64).sqrt()
    }

    /// σ ∝ 1/√N through the first point.
    pub fn expected_from_first(&self, n: usize) -> f64 {
        let (first, at) = (self.noise.first().copied().unwrap_or(f64::NAN), self.n_skips.first().copied().unwrap_or(1));
        first * (at as f64 / n as f64).sqrt()
    }

    /// Noise at any number of skips, ADU: between the points interpolated in logarithms, beyond the last one with the
    /// fitted slope.
    pub fn at(&self, n: f64) -> f64 {
        let points = self.n_skips.len();
        let ln = |i: usize| ((self.n_skips[i] as f64).ln(), self.noise[i].ln());
        let t = n.max(1.0).ln();
        let above = self.n_skips.partition_point(|m| (*m as f64) < n);
        if points == 0 {
            return f64::NAN;
        }
        if above >= points {
            let (x, y) = ln(points - 1);
            let slope = if self.slope.is_finite() { self.slope.clamp(-0.5, 0.0) } else { -0.5 };
            return (y + slope * (t - x)).exp();
        }
        let (x1, y1) = ln(above);
        if above == 0 {
            return (y1 - 0.5 * (t - x1)).exp();
        }
        let (x0, y0) = ln(above - 1);
        (y0 + (y1 - y0) * (t - x0) / (x1 - x0)).exp()
    }
}

struct PowerLaw {
    slope: (f64, f64),
    sigma_1: (f64, f64),
}

/// A point of the curve in logarithms.
struct Point {
    /// ln N.
    x: f64,
    /// ln σ.
    y: f64,
    /// Error of ln σ.
    error: f64,
    /// N.
    n: f64,
}

/// Correlation of the MAD of two normal quantities with correlation ρ: 4·P(|x| < m, |y| < m) − 1, where m = 0.6745 is the
/// MAD of a normal distribution (joint distribution of two sample medians).
fn mad_correlation(rho: f64) -> f64 {
    const INTERVALS: usize = 32;
    let m = 1.0 / MAD_TO_SIGMA;
    let width = (1.0 - rho * rho).sqrt();
    if !(width > 1e-6) {
        return 1.0;
    }
    let density = |x: f64| {
        let inside = normal_cdf((m - rho * x) / width) - normal_cdf((-m - rho * x) / width);
        (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt() * inside
    };
    // Simpson's rule from 0 to m, twice
    let step = m / INTERVALS as f64;
    let weight = |k: usize| {
        if k == 0 || k == INTERVALS {
            1.0
        } else if k % 2 == 1 {
            4.0
        } else {
            2.0
        }
    };
    let sum: f64 = (0..=INTERVALS).map(|k| weight(k) * density(k as f64 * step)).sum();
    4.0 * (2.0 * sum * step / 3.0) - 1.0
}

/// Least-squares line of ln σ against ln N, unweighted, with the errors that the correlated points give it. Means of
/// the first m and n samples are correlated by ρ = √(m/n); their standard deviations (`blank`) by ρ², their MAD less.
fn power_law(grid: &[usize], sigma: &[f64], error: &[f64], blank: bool) -> PowerLaw {
    let points: Vec<Point> = grid
        .iter()
        .zip(sigma.iter().zip(error))
        .filter(|(_, (s, _))| **s > 0.0 && s.is_finite())
        .map(|(n, (s, e))| Point { x: (*n as f64).ln(), y: s.ln(), error: e / s, n: *n as f64 })
        .collect();
    let nothing = (f64::NAN, f64::NAN);
    let count = points.len() as f64;
    let centre = points.iter().map(|p| p.x).sum::<f64>() / count;
    let spread: f64 = points.iter().map(|p| (p.x - centre) * (p.x - centre)).sum();
    if !(spread > 0.0) {
        return PowerLaw { slope: nothing, sigma_1: nothing };
    }
    // slope and intercept are weighted sums of the ln σ
    let slope_weight = |p: &Point| (p.x - centre) / spread;
    let intercept_weight = |p: &Point| 1.0 / count - centre * slope_weight(p);
    let mut correlations = Vec::with_capacity(points.len() * (points.len() + 1) / 2);
    for (i, p) in points.iter().enumerate() {
        for q in &points[..=i] {
            let square = p.n.min(q.n) / p.n.max(q.n);
            correlations.push(if blank { square } else { mad_correlation(square.sqrt()) });
        }
    }
    let combine = |weight: &dyn Fn(&Point) -> f64| {
        let value: f64 = points.iter().map(|p| weight(p) * p.y).sum();
        let mut variance = 0.0;
        let mut correlation = correlations.iter();
        for (i, p) in points.iter().enumerate() {
            for (j, q) in points[..=i].iter().enumerate() {
                let twice = if i == j { 1.0 } else { 2.0 };
                let c = correlation.next().copied().unwrap_or(1.0);
                variance += twice * weight(p) * weight(q) * p.error * q.error * c;
            }
        }
        (value, variance.max(0.0).sqrt())
    };
    let slope = combine(&slope_weight);
    let (ln, error) = combine(&intercept_weight);
    PowerLaw { slope, sigma_1: (ln.exp(), ln.exp() * error) }
}

#[cfg(test)]
mod correlation_tests {
    use super::*;
    use crate::stats::random::Stream;
    use crate::stats::robust::median_and_mad_in_place;

    #[test]
    fn nested_means_have_correlated_mads() {
        assert!(mad_correlation(0.0).abs() < 1e-8);
        assert_eq!(mad_correlation(1.0), 1.0);
        // to second order in ρ: ½·(2 m φ(m))²·4 = 0.3676
        assert!((mad_correlation(0.05) / (0.3676 * 0.0025) - 1.0).abs() < 0.02);
        // 2000 pairs of MAD, each of 400 pairs of numbers with ρ = √½: the error of a correlation is (1 − ρ²)/√2000
        let mut random = Stream::from_seed(11);
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for _ in 0..2000 {
            let pairs: Vec<(f64, f64)> = (0..400).map(|_| (random.normal(), random.normal())).collect();
            let mut a: Vec<f64> = pairs.iter().map(|p| p.0).collect();
            let mut b: Vec<f64> = pairs.iter().map(|p| (p.0 + p.1) * std::f64::consts::FRAC_1_SQRT_2).collect();
            x.push(median_and_mad_in_place(&mut a).1);
            y.push(median_and_mad_in_place(&mut b).1);
        }
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        let (mx, my) = (mean(&x), mean(&y));
        let sum = |f: &dyn Fn(usize) -> f64| (0..x.len()).map(f).sum::<f64>();
        let found = sum(&|i| (x[i] - mx) * (y[i] - my))
            / (sum(&|i| (x[i] - mx).powi(2)) * sum(&|i| (y[i] - my).powi(2))).sqrt();
        let expected = mad_correlation(std::f64::consts::FRAC_1_SQRT_2);
        assert!((found - expected).abs() < 5.0 / f64::sqrt(2000.0), "{found} {expected}");
    }
}
