//! How a curve settles: A + B·exp(−k/τ).
//!
//! For a given τ, A and B are a weighted linear least-squares problem; the sum of squares as function of ln τ is searched
//! on a grid, and then by golden sections. The errors are those of the inverse of JᵀWJ in all three parameters, scaled by
//! √(χ²/ndf) where the curve is no exponential within its errors.

use crate::stats::small_matrix;

/// The fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settling {
    /// A: where the curve ends, ADU.
    pub level: f64,
    /// Error of A.
    pub level_error: f64,
    /// B: the first skip minus A, ADU.
    pub amplitude: f64,
    /// Error of B.
    pub amplitude_error: f64,
    /// τ, skips.
    pub tau: f64,
    /// Error of τ.
    pub tau_error: f64,
    /// Σ ((mean − curve)/error)².
    pub chi2: f64,
    /// Skips − 3.
    pub ndf: usize,
    /// Weighted mean of all skips, ADU.
    pub mean: f64,
    /// Its error.
    pub mean_error: f64,
    /// χ² of a constant.
    pub constant_chi2: f64,
}

/// What the mean of the pixels does from skip to skip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// It stays: a constant fits as well as an exponential.
    Constant,
    /// It settles within the skips.
    Settles,
    /// It changes from the first skip to the last.
    Drifts,
}

impl Settling {
    /// Whether the exponential fits better than a constant, with three standard deviations: χ² smaller by 11.83, which
    /// two more parameters reach by chance in 0.27 % of the flat curves.
    pub fn behaviour(&self) -> Behaviour {
        let scale = (self.chi2 / self.ndf as f64).max(1.0);
        if (self.constant_chi2 - self.chi2) / scale < 11.83 {
            Behaviour::Constant
        } else if self.tau + self.tau_error < self.skips() / 2.0 {
            Behaviour::Settles
        } else {
            Behaviour::Drifts
        }
    }

    fn skips(&self) -> f64 {
        (self.ndf + 3) as f64
    }

    /// From the first skip to the last, ADU.
    pub fn change(&self) -> f64 {
        self.at(self.skips() - 1.0) - self.at(0.0)
    }

    /// The curve at skip k.
    pub fn at(&self, k: f64) -> f64 {
        self.level + self.amplitude * (-k / self.tau).exp()
    }
}

/// A, B and χ² for a given τ.
fn linear(mean: &[f64], weights: &[f64], tau: f64) -> Option<(f64, f64, f64)> {
    let (mut s, mut se, mut see, mut sy, mut sye) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (k, (y, w)) in mean.iter().zip(weights).enumerate() {
        let e = (-(k as f64) / tau).exp();
        s += w;
        se += w * e;
        see += w * e * e;
        sy += w * y;
        sye += w * y * e;
    }
    let det = s * see - se * se;
    if !(det > 1e-14 * s * see) {
        return None;
    }
    let (a, b) = ((see * sy - se * sye) / det, (s * sye - se * sy) / det);
    let chi2 = mean.iter().zip(weights).enumerate().map(|(k, (y, w))| {
        let r = y - a - b * (-(k as f64) / tau).exp();
        w * r * r
    });
    Some((a, b, chi2.sum()))
}

/// Fits a curve with errors; `None` with fewer than 6 points, or if an error is not positive.
pub fn fit_settling(mean: &[f64], error: &[f64]) -> Option<Settling> {
    let n = mean.len();
    if n < 6 || error.len() != n || !mean.iter().chain(error).all(|x| x.is_finite()) || error.iter().any(|e| *e <= 0.0)
    {
        return None;
    }
    // Around the middle of the curve, so that large pedestals cost no digits.
    let centre = mean[n / 2];
    let shifted: Vec<f64> = mean.iter().map(|y| y - centre).collect();
    let weights: Vec<f64> = error.iter().map(|e| e.powi(-2)).collect();
    let chi2 = |ln_tau: f64| linear(&shifted, &weights, ln_tau.exp()).map_or(f64::INFINITY, |(_, _, chi2)| chi2);
    let (lo, hi) = (0.2f64.ln(), (2.0 * n as f64).ln());
    const STEPS: usize = 80;
    let at = |i: usize| lo + (hi - lo) * i as f64 / STEPS as f64;
    let best = (0..=STEPS).min_by(|a, b| chi2(at(*a)).total_cmp(&chi2(at(*b))))?;
    let ln_tau = golden(at(best.saturating_sub(1)), at((best + 1).min(STEPS)), chi2);
    let tau = ln_tau.exp();
    let (a, b, chi2) = linear(&shifted, &weights, tau)?;
    let mut matrix = [[0.0; 3]; 3];
    for (k, w) in weights.iter().enumerate() {
        let k = k as f64;
        let e = (-k / tau).exp();
        let gradient = [1.0, e, b * e * k / (tau * tau)];
        for i in 0..3 {
            for j in 0..3 {
                matrix[i][j] += w * gradient[i] * gradient[j];
            }
        }
    }
    let total: f64 = weights.iter().sum();
    let mean = shifted.iter().zip(&weights).map(|(y, w)| w * y).sum::<f64>() / total;
    let constant_chi2 = shifted.iter().zip(&weights).map(|(y, w)| w * (y - mean) * (y - mean)).sum::<f64>();
    let ndf = n - 3;
    let scale = (chi2 / ndf as f64).max(1.0);
    let errors = match small_matrix::inverse(&matrix, 3) {
        Some(c) => [0, 1, 2].map(|i| (c[i][i].max(0.0) * scale).sqrt()),
        // Without a transient τ is undetermined, A and B are not.
        None => {
            let pair = [[matrix[0][0], matrix[0][1]], [matrix[1][0], matrix[1][1]]];
            let c = small_matrix::inverse(&pair, 2)?;
            [(c[0][0] * scale).sqrt(), (c[1][1] * scale).sqrt(), f64::INFINITY]
        }
    };
    let [level_error, amplitude_error, tau_error] = errors;
    Some(Settling {
        level: a + centre,
        level_error,
        amplitude: b,
        amplitude_error,
        tau,
        tau_error,
        chi2,
        ndf,
        mean: mean + centre,
        mean_error: total.sqrt().recip() * (constant_chi2 / (n - 1) as f64).max(1.0).sqrt(),
        constant_chi2,
    })
}

/// Place of the minimum between `lo` and `hi`.
fn golden(mut lo: f64, mut hi: f64, f: impl Fn(f64) -> f64) -> f64 {
    const RATIO: f64 = 0.618_033_988_749_894_9;
    let (mut x1, mut x2) = (hi - RATIO * (hi - lo), lo + RATIO * (hi - lo));
    let (mut f1, mut f2) = (f(x1), f(x2));
    for _ in 0..60 {
        if f1 <= f2 {
            (hi, x2, f2) = (x2, x1, f1);
            x1 = hi - RATIO * (hi - lo);
            f1 = f(x1);
        } else {
            (lo, x1, f1) = (x1, x2, f2);
            x2 = lo + RATIO * (hi - lo);
            f2 = f(x2);
        }
    }
    0.5 * (lo + hi)
}
