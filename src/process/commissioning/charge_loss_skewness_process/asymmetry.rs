//! How symmetric is the distribution of differences between two skips? (Spec 04 §6.2.)

use crate::process::commissioning::moments::Moments;
use crate::stats::robust::{self, MAD_TO_SIGMA};

/// σ of a Gaussian cut at ±3 σ, in units of the full one: √(1 − 2aφ(a)/(2Φ(a)−1)).
const TRUNCATION: f64 = 0.986_578_2;
/// Half width of the core in σ.
const CORE: f64 = 3.0;
/// Pixels needed.
const MIN_PIXELS: usize = 100;

/// Numbers of one difference; NaN where there are too few pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct Asymmetry {
    /// Skip whose difference to the reference it is.
    pub skip: usize,
    /// Differences that are not exactly zero.
    pub pixels: usize,
    /// Mean of the core, ADU.
    pub mu: f64,
    /// Standard deviation of the core, ADU.
    pub sigma: f64,
    /// Differences above μ + tσ.
    pub n_above: usize,
    /// Differences below μ − tσ.
    pub n_below: usize,
    /// k_CL = (N₊ − N₋)/(N₊ + N₋).
    pub kcl: f64,
    /// Its error u.
    pub kcl_error: f64,
    /// Skewness g₁ of the differences within the outlier cut.
    pub skewness: f64,
    /// Its error.
    pub skewness_error: f64,
    /// Differences within the outlier cut.
    pub n_skewness: usize,
    /// Mean of all differences, ADU.
    pub mean: f64,
    /// Its error, ADU.
    pub mean_error: f64,
    /// Sum of the skip over the region, ADU.
    pub total_charge: f64,
    /// Why there are no numbers.
    pub problem: Option<String>,
}

impl Asymmetry {
    /// Error of μ, σ/√n: the cut at 3σ costs less than 2 %.
    pub fn mu_error(&self) -> f64 {
        self.sigma / (self.pixels as f64).sqrt()
    }

    /// k_CL in units of its error.
    pub fn significance(&self) -> f64 {
        self.kcl / self.kcl_error
    }
}

/// k_CL and its error from the counts of the two tails; an empty tail counts as 1 in the error only.
pub fn tail_asymmetry(above: usize, below: usize) -> (f64, f64) {
    if above + below == 0 {
        return (f64::NAN, f64::NAN);
    }
    let (p, m) = (above as f64, below as f64);
    let (p1, m1) = (p.max(1.0), m.max(1.0));
    ((p - m) / (p + m), 2.0 * (p1 * m1 * (p1 + m1)).sqrt() / ((p1 + m1) * (p1 + m1)))
}

/// Mean and standard deviation of the Gaussian core of a sample.
pub fn core(values: &[f64]) -> (f64, f64) {
    let (median, mad) = robust::median_and_mad(values);
    let (mut mu, mut sigma) = (median, MAD_TO_SIGMA * mad);
    for _ in 0..100 {
        let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for d in values.iter().map(|x| x - mu).filter(|d| d.abs() < CORE * sigma) {
            n += 1.0;
            sum += d;
            squares += d * d;
        }
        if n == 0.0 {
            return (mu, 0.0);
        }
        let shift = sum / n;
        let next = (squares / n - shift * shift).max(0.0).sqrt() / TRUNCATION;
        let change = shift.abs().max((next - sigma).abs());
        mu += shift;
        sigma = next;
        if change < 1e-9 * sigma {
            break;
        }
    }
    (mu, sigma)
}

/// The numbers of a set of differences; `threshold`: start of the tails, `cut`: outliers left out of the skewness, both
/// in σ. Values that are not finite are left out.
pub fn asymmetry(skip: usize, differences: &[f64], threshold: f64, cut: f64, total_charge: f64) -> Asymmetry {
    // exact zeros are pixels saturated in both skips
    let finite = differences.iter().copied().filter(|x| x.is_finite());
    let all = Moments::of(finite.clone());
    let d: Vec<f64> = finite.filter(|x| *x != 0.0).collect();
    let mut result = Asymmetry {
        skip,
        pixels: d.len(),
        mu: f64::NAN,
        sigma: f64::NAN,
        n_above: 0,
        n_below: 0,
        kcl: f64::NAN,
        kcl_error: f64::NAN,
        skewness: f64::NAN,
        skewness_error: f64::NAN,
        n_skewness: 0,
        mean: all.mean(),
        mean_error: all.std() / all.n.sqrt(),
        total_charge,
        problem: None,
    };
    if d.len() < MIN_PIXELS {
        result.problem = Some(format!("{} differences, {MIN_PIXELS} are needed", d.len()));
        return result;
    }
    let (mu, sigma) = core(&d);
    if !(sigma > 0.0) {
        result.problem = Some("the differences have no spread".into());
        return result;
    }
    (result.mu, result.sigma) = (mu, sigma);
    result.n_above = d.iter().filter(|x| **x - mu > threshold * sigma).count();
    result.n_below = d.iter().filter(|x| **x - mu < -threshold * sigma).count();
    (result.kcl, result.kcl_error) = tail_asymmetry(result.n_above, result.n_below);
    let kept: Vec<f64> = d.into_iter().filter(|x| (x - mu).abs() < cut * sigma).collect();
    let n = kept.len() as f64;
    let mean = kept.iter().sum::<f64>() / n;
    let moment = |power: i32| kept.iter().map(|x| (x - mean).powi(power)).sum::<f64>() / n;
    result.n_skewness = kept.len();
    result.skewness = moment(3) / moment(2).powf(1.5);
    result.skewness_error = (6.0 * (n - 2.0) / ((n + 1.0) * (n + 3.0))).sqrt();
    result
}
