//! Decaying exponentials fitted to the column medians.
//!
//! f(c) = Σ A_i·exp(−μ_i·c) by unweighted least squares inside 0 ≤ A_i ≤ 50 (image units), 0 ≤ μ_i ≤ 50 (1/column).
//! A sum of exponentials has flat directions and local minima, so the search starts from the user's values and from a
//! grid of rates 0.02 … 5 per column (all combinations, amplitudes by linear least squares); the lowest residual sum
//! wins, the user's start when others are equally good. Errors: (JᵀJ)⁻¹ scaled by RSS/NDF (spec 02 §9).

use crate::process::analysis::fit_verdict::{FitVerdict, is_contradicted};
use crate::stats::bounded_search::{Bounds, Expansion, Objective, descend, polish};
use crate::stats::small_matrix;

/// Most exponentials of one fit.
pub const MAX_EXPONENTIALS: usize = 4;
/// Upper limit of amplitudes (image units) and rates (1/column).
pub const UPPER_LIMIT: f64 = 50.0;

/// Parameters: all amplitudes, then all rates.
const N: usize = 2 * MAX_EXPONENTIALS;
/// Rates from which the search starts besides the user's, 1/column.
const GRID: [f64; 8] = [0.02, 0.05, 0.12, 0.3, 0.6, 1.2, 2.5, 5.0];
/// A start must beat the best one before by this fraction of the residual sum.
const TIE: f64 = 1e-9;

/// One exponential.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exponential {
    /// Value extrapolated to the first column read, in image units.
    pub amplitude: f64,
    /// Its error; NaN when it rests on a limit or has none.
    pub amplitude_error: f64,
    /// Decay rate, 1/column.
    pub rate: f64,
    /// Its error, as `amplitude_error`.
    pub rate_error: f64,
}

/// The fitted transient.
#[derive(Debug, Clone, PartialEq)]
pub struct TransientFit {
    /// The exponentials, the largest at the first fitted column first.
    pub exponentials: Vec<Exponential>,
    /// Residual sum of squares, image units².
    pub residual_sum: f64,
    /// Points − 2 per exponential.
    pub ndf: i64,
    /// Residual sum in units of the variance of a column median, if that is known.
    pub chi2: Option<f64>,
    /// What the fit is worth.
    pub verdict: FitVerdict,
}

impl TransientFit {
    /// The transient at a column (counted from the first one read), image units.
    pub fn value(&self, column: f64) -> f64 {
        self.exponentials.iter().map(|e| e.amplitude * (-e.rate * column).exp()).sum()
    }
}

/// Fits the medians at these columns. `start` holds the user's (amplitude, rate) pairs, at most [`MAX_EXPONENTIALS`];
/// `noise` is the standard deviation of one median, if it is known. Points must be finite.
pub fn fit_transient(columns: &[f64], medians: &[f64], start: &[(f64, f64)], noise: Option<f64>) -> TransientFit {
    let n = start.len().min(MAX_EXPONENTIALS);
    let ndf = columns.len() as i64 - 2 * n as i64;
    if ndf <= 0 || n == 0 {
        let nothing = Exponential { amplitude: 0.0, amplitude_error: f64::NAN, rate: 0.0, rate_error: f64::NAN };
        return TransientFit {
            exponentials: vec![nothing; n],
            residual_sum: medians.iter().map(|m| m * m).sum(),
            ndf,
            chi2: None,
            verdict: FitVerdict::new(FitVerdict::TOO_FEW_DATA),
        };
    }
    let mut bounds = Bounds { lo: [0.0; N], hi: [0.0; N] };
    for k in (0..n).chain(MAX_EXPONENTIALS..MAX_EXPONENTIALS + n) {
        bounds.hi[k] = UPPER_LIMIT;
    }
    // First on a scale of a millionth of the signal, then on that of the residuals, where ΔF = 1 is one standard
    // deviation and the tolerances of the search mean something.
    let signal = medians.iter().map(|m| m * m).sum::<f64>() / medians.len() as f64;
    let mut squares = Squares { columns, medians, n, variance: (1e-6 * signal).max(f64::MIN_POSITIVE) };
    let mut best: Option<([f64; N], f64, bool)> = None;
    for p in starts(&squares, start) {
        let reached = descend(&mut squares, &p, &bounds, 1e-6);
        let rss = squares.residual_sum(&reached.p);
        if rss.is_finite() && best.is_none_or(|(_, lowest, _)| rss < lowest * (1.0 - TIE)) {
            best = Some((reached.p, rss, reached.converged));
        }
    }
    let (p, rss, converged) = best.unwrap_or(([0.0; N], f64::INFINITY, false));
    squares.variance = (rss / ndf as f64).max(1e-12 * squares.variance);
    let (reached, converged) = if rss.is_finite() {
        let refined = descend(&mut squares, &p, &bounds, 1e-9);
        let (reached, _) = polish(&mut squares, refined, &bounds);
        // residuals of rounding size leave no curvature to judge by: the first search decides
        let exact = rss <= 1e-20 * signal * medians.len() as f64;
        let settled = reached.converged || exact && converged;
        (reached.p, settled)
    } else {
        (p, false)
    };
    squares.result(&reached, &bounds, ndf, noise, converged)
}

/// The user's start first, then every combination of grid rates.
fn starts(squares: &Squares<'_>, user: &[(f64, f64)]) -> Vec<[f64; N]> {
    let n = squares.n;
    let mut first = [0.0; N];
    for (k, (amplitude, rate)) in user.iter().take(n).enumerate() {
        first[k] = amplitude.clamp(0.0, UPPER_LIMIT);
        first[MAX_EXPONENTIALS + k] = rate.clamp(0.0, UPPER_LIMIT);
    }
    let mut all = vec![first];
    for subset in 1_u32..1 << GRID.len() {
        if subset.count_ones() as usize != n {
            continue;
        }
        let mut p = [0.0; N];
        for (k, i) in (0..GRID.len()).filter(|i| subset & (1 << i) != 0).enumerate() {
            p[MAX_EXPONENTIALS + k] = GRID[i];
        }
        if squares.set_amplitudes(&mut p) {
            all.push(p);
        }
    }
    all
}

/// Sum of squared residuals over a variance.
struct Squares<'a> {
    columns: &'a [f64],
    medians: &'a [f64],
    n: usize,
    variance: f64,
}

impl Squares<'_> {
    fn residual_sum(&self, p: &[f64; N]) -> f64 {
        let residual = |(c, m): (&f64, &f64)| {
            let f: f64 = (0..self.n).map(|k| p[k] * (-p[MAX_EXPONENTIALS + k] * c).exp()).sum();
            (m - f).powi(2)
        };
        self.columns.iter().zip(self.medians).map(residual).sum()
    }

    /// Derivatives of the model at a column, and its value.
    fn derivatives(&self, p: &[f64; N], column: f64) -> ([f64; N], f64) {
        let mut d = [0.0; N];
        let mut f = 0.0;
        for k in 0..self.n {
            let decay = (-p[MAX_EXPONENTIALS + k] * column).exp();
            d[k] = decay;
            d[MAX_EXPONENTIALS + k] = -column * p[k] * decay;
            f += p[k] * decay;
        }
        (d, f)
    }

    /// Amplitudes by linear least squares for the rates in `p`, not below zero; false if they are not determined.
    fn set_amplitudes(&self, p: &mut [f64; N]) -> bool {
        let (mut normal, mut right) = ([[0.0; N]; N], [0.0; N]);
        for (c, m) in self.columns.iter().zip(self.medians) {
            let (d, _) = self.derivatives(p, *c);
            for i in 0..self.n {
                right[i] += d[i] * m;
                for j in 0..self.n {
                    normal[i][j] += d[i] * d[j];
                }
            }
        }
        let Some(solution) = small_matrix::solve(&normal, &right, self.n) else { return false };
        for k in 0..self.n {
            p[k] = solution[k].clamp(0.0, UPPER_LIMIT);
        }
        true
    }

    fn result(&self, p: &[f64; N], bounds: &Bounds<N>, ndf: i64, noise: Option<f64>, converged: bool) -> TransientFit {
        let residual_sum = self.residual_sum(p);
        let (free, n_free) = bounds.interior(p);
        let mut normal = [[0.0; N]; N];
        for c in self.columns {
            let (d, _) = self.derivatives(p, *c);
            for (i, &row) in free[..n_free].iter().enumerate() {
                for (j, &col) in free[..n_free].iter().enumerate() {
                    normal[i][j] += d[row] * d[col];
                }
            }
        }
        let inverse = small_matrix::inverse(&normal, n_free);
        let scale = residual_sum / ndf as f64;
        let mut errors = [f64::NAN; N];
        if let Some(inverse) = &inverse {
            for (i, &k) in free[..n_free].iter().enumerate() {
                errors[k] = (inverse[i][i] * scale).sqrt();
            }
        }
        let first = self.columns.first().copied().unwrap_or(0.0);
        let mut exponentials: Vec<Exponential> = (0..self.n)
            .map(|k| Exponential {
                amplitude: p[k],
                amplitude_error: errors[k],
                rate: p[MAX_EXPONENTIALS + k],
                rate_error: errors[MAX_EXPONENTIALS + k],
            })
            .collect();
        let size = |e: &Exponential| e.amplitude * (-e.rate * first).exp();
        exponentials.sort_by(|a, b| size(b).total_cmp(&size(a)));
        let chi2 = noise.filter(|s| *s > 0.0).map(|s| residual_sum / (s * s));
        TransientFit {
            exponentials,
            residual_sum,
            ndf,
            chi2,
            verdict: FitVerdict::default()
                .with(FitVerdict::NOT_CONVERGED, !converged)
                .with(FitVerdict::AT_LIMIT, n_free < 2 * self.n)
                .with(FitVerdict::NO_ERRORS, inverse.is_none())
                .with(FitVerdict::CONTRADICTED, chi2.is_some_and(|chi2| is_contradicted(chi2, ndf))),
        }
    }
}

impl Objective<N> for Squares<'_> {
    fn expand(&mut self, p: &[f64; N]) -> Expansion<N> {
        let mut e = Expansion::ZERO;
        for (c, m) in self.columns.iter().zip(self.medians) {
            let (d, f) = self.derivatives(p, *c);
            let r = (m - f) / self.variance;
            e.value += (m - f) * r;
            for i in 0..N {
                e.gradient[i] -= 2.0 * r * d[i];
                for j in 0..N {
                    e.curvature[i][j] += 2.0 * d[i] * d[j] / self.variance;
                }
            }
        }
        e
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: [f64; 12] = [2.02, 1.47, 1.11, 0.81, 0.62, 0.44, 0.33, 0.25, 0.17, 0.14, 0.0, 0.0];

    fn columns(from: usize, to: usize) -> Vec<f64> {
        (from..to).map(|c| c as f64).collect()
    }

    #[test]
    fn example_of_the_specification() {
        let fit = fit_transient(&columns(1, 10), &EXAMPLE[1..10], &[(0.013, 0.12)], None);
        let e = fit.exponentials[0];
        // six decimals are given
        assert!((e.amplitude - 1.990806).abs() < 1e-6 && (e.rate - 0.297759).abs() < 1e-6, "{e:?}");
        assert!((fit.residual_sum - 7.782667e-4).abs() < 1e-10, "{}", fit.residual_sum);
        assert_eq!(fit.ndf, 7);
        assert!(fit.verdict.is_good(), "{}", fit.verdict.text());
        assert!(e.amplitude_error > 0.0 && e.rate_error > 0.0);
    }

    #[test]
    fn an_exact_exponential_is_recovered_from_a_far_start() {
        let c = columns(1, 30);
        let m: Vec<f64> = c.iter().map(|c| 3.0 * (-2.5 * c).exp()).collect();
        let fit = fit_transient(&c, &m, &[(0.013, 0.12)], None);
        assert!((fit.exponentials[0].amplitude - 3.0).abs() < 1e-6, "{:?}", fit.exponentials);
        assert!((fit.exponentials[0].rate - 2.5).abs() < 1e-6);
        assert!(fit.verdict.is_usable(), "{}", fit.verdict.text());
    }

    #[test]
    fn two_exponentials_are_told_apart() {
        let c = columns(0, 60);
        let m: Vec<f64> = c.iter().map(|c| 4.0 * (-1.1 * c).exp() + 0.8 * (-0.09 * c).exp()).collect();
        let fit = fit_transient(&c, &m, &[(0.013, 0.12), (0.013, 0.12)], None);
        let [fast, slow] = fit.exponentials[..] else { panic!() };
        assert!((fast.amplitude - 4.0).abs() < 1e-5 && (fast.rate - 1.1).abs() < 1e-5, "{fast:?}");
        assert!((slow.amplitude - 0.8).abs() < 1e-5 && (slow.rate - 0.09).abs() < 1e-6, "{slow:?}");
    }

    #[test]
    fn a_flat_baseline_says_that_there_is_no_transient() {
        // medians that fall and rise around zero by 0.01: the amplitude is zero within its error, or on its limit
        let c = columns(1, 40);
        let m: Vec<f64> = c.iter().map(|c| 0.01 * (c * 2.3).sin()).collect();
        let fit = fit_transient(&c, &m, &[(0.013, 0.12)], Some(0.007));
        let e = fit.exponentials[0];
        assert!(fit.value(1.0).abs() < 0.02, "{e:?}");
        assert!(!fit.verdict.is_good() || e.amplitude < 3.0 * e.amplitude_error, "{e:?} {}", fit.verdict.text());
    }

    #[test]
    fn a_wrong_shape_and_too_few_points_are_admitted() {
        // a step is no exponential: residuals of 0.5 where 0.01 is the noise
        let c = columns(1, 21);
        let m: Vec<f64> = c.iter().map(|c| if *c < 10.0 { 1.0 } else { 0.0 }).collect();
        let fit = fit_transient(&c, &m, &[(0.013, 0.12)], Some(0.01));
        assert!(fit.verdict.has(FitVerdict::CONTRADICTED));
        let fit = fit_transient(&columns(1, 3), &EXAMPLE[1..3], &[(0.013, 0.12)], None);
        assert!(fit.verdict.has(FitVerdict::TOO_FEW_DATA) && fit.value(0.0) == 0.0);
    }

    #[test]
    fn errors_cover_the_truth() {
        // 400 toys of 20 columns with noise 0.02: pulls of the rate have width 1 within 5/√800
        let c = columns(1, 21);
        let truth: Vec<f64> = c.iter().map(|c| 2.0 * (-0.25 * c).exp()).collect();
        let mut stream = crate::stats::random::Stream::from_seed(9);
        let mut pulls = Vec::new();
        for _ in 0..400 {
            let m: Vec<f64> = truth.iter().map(|m| m + 0.02 * stream.normal()).collect();
            let fit = fit_transient(&c, &m, &[(0.013, 0.12)], Some(0.02));
            let e = fit.exponentials[0];
            pulls.push((e.rate - 0.25) / e.rate_error);
        }
        let (mean, spread) = crate::stats::robust::mean_and_std(&pulls, crate::stats::robust::Ddof::Sample);
        // the error is itself estimated from 18 degrees of freedom: Student's t widens the pulls by √(18/16)
        let expected = (18.0_f64 / 16.0).sqrt();
        assert!(mean.abs() < 0.25 && (spread - expected).abs() < 0.18, "{mean} {spread}");
    }
}
