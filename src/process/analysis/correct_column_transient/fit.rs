//! Decaying exponentials fitted to the column medians.
//!
//! f(c) = Σ A_i·exp(−μ_i·c) by unweighted least squares inside 0 ≤ A_i ≤ 50 (image units), 0 ≤ μ_i ≤ 50 (1/column).
//! A sum of exponentials has flat directions and local minima, so the search starts from the user's values and from a
//! grid of rates 0.02 … 5 per column (all combinations, amplitudes by linear least squares); the lowest residual sum
//! wins, the user's start when others are equally good. Errors: (JᵀJ)⁻¹ scaled by RSS/NDF (spec 02 §9).
//!
//! Points may rest on two levels (module `levels`). A level that is not known is one more parameter; the error of a known
//! one moves the parameters by −(JᵀWJ)⁻¹JᵀW·1 per unit, which is added to their errors. Where the points of the two
//! levels scatter differently they weigh accordingly; with a single level all weights are equal.

use crate::process::analysis::fit_verdict::{FitVerdict, is_contradicted};
use crate::stats::bounded_search::{Bounds, Expansion, Objective, descend, polish};
use crate::stats::small_matrix;

/// Most exponentials of one fit.
pub const MAX_EXPONENTIALS: usize = 4;
/// Upper limit of amplitudes (image units) and rates (1/column).
pub const UPPER_LIMIT: f64 = 50.0;

/// Parameters: all amplitudes, then all rates, then the free level.
const N: usize = 2 * MAX_EXPONENTIALS + 1;
/// The free level.
const LEVEL: usize = N - 1;
/// Rates from which the search starts besides the user's, 1/column.
const GRID: [f64; 8] = [0.02, 0.05, 0.12, 0.3, 0.6, 1.2, 2.5, 5.0];
/// A start must beat the best one before by this fraction of the residual sum.
const TIE: f64 = 1e-9;

/// A column median to fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Column, counted from the first one read.
    pub column: f64,
    /// Median, image units, relative to its level if that is known.
    pub median: f64,
    /// Weight in the sum of squares.
    pub weight: f64,
    /// Which of the two levels it rests on.
    pub level: usize,
}

/// What is known of a level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reference {
    /// It was subtracted; image units.
    Known {
        /// Standard error of what was subtracted.
        error: f64,
    },
    /// It is a parameter of the fit.
    Free,
}

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
    /// Free level and its error, image units, if there was one.
    pub level: Option<(f64, f64)>,
    /// Residual sum of squares, image units².
    pub residual_sum: f64,
    /// Points − 2 per exponential − 1 for a free level.
    pub ndf: i64,
    /// Weighted residual sum in units of the variance of a column median of weight 1, if that is known.
    pub chi2: Option<f64>,
    /// What the fit is worth.
    pub verdict: FitVerdict,
}

impl TransientFit {
    /// The transient at a column (counted from the first one read), image units.
    pub fn value(&self, column: f64) -> f64 {
        self.exponentials.iter().map(|e| e.amplitude * (-e.rate * column).exp()).sum()
    }

    /// A fit was made and found nothing that decays along the columns: every amplitude rests on zero, or its rate on the
    /// upper limit, where the exponential has vanished one column after the first.
    pub fn is_flat(&self) -> bool {
        !self.verdict.has(FitVerdict::TOO_FEW_DATA)
            && self.exponentials.iter().all(|e| e.amplitude <= 0.0 || e.rate >= UPPER_LIMIT)
    }
}

/// Fits the medians. `start` holds the user's (amplitude, rate) pairs, at most [`MAX_EXPONENTIALS`]; `noise` is the standard
/// deviation of one median of weight 1, if it is known. Points must be finite; at most one level may be free.
pub fn fit_transient(
    points: &[Point],
    levels: &[Reference; 2],
    start: &[(f64, f64)],
    noise: Option<f64>,
) -> TransientFit {
    let n = start.len().min(MAX_EXPONENTIALS);
    let free = levels.iter().position(|level| *level == Reference::Free);
    let free = free.filter(|free| points.iter().any(|p| p.level == *free));
    let ndf = points.len() as i64 - 2 * n as i64 - i64::from(free.is_some());
    if ndf <= 0 || n == 0 {
        let nothing = Exponential { amplitude: 0.0, amplitude_error: f64::NAN, rate: 0.0, rate_error: f64::NAN };
        return TransientFit {
            exponentials: vec![nothing; n],
            level: None,
            residual_sum: points.iter().map(|p| p.median * p.median).sum(),
            ndf,
            chi2: None,
            verdict: FitVerdict::new(FitVerdict::TOO_FEW_DATA),
        };
    }
    let mut bounds = Bounds { lo: [0.0; N], hi: [0.0; N] };
    for k in (0..n).chain(MAX_EXPONENTIALS..MAX_EXPONENTIALS + n) {
        bounds.hi[k] = UPPER_LIMIT;
    }
    if free.is_some() {
        (bounds.lo[LEVEL], bounds.hi[LEVEL]) = (f64::NEG_INFINITY, f64::INFINITY);
    }
    // First on a scale of a millionth of the signal, then on that of the residuals, where ΔF = 1 is one standard
    // deviation and the tolerances of the search mean something.
    let signal = points.iter().map(|p| p.weight * p.median * p.median).sum::<f64>() / points.len() as f64;
    let mut squares = Squares { points, n, free, variance: (1e-6 * signal).max(f64::MIN_POSITIVE) };
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
        let exact = rss <= 1e-20 * signal * points.len() as f64;
        let settled = reached.converged || exact && converged;
        (reached.p, settled)
    } else {
        (p, false)
    };
    squares.result(&reached, &bounds, levels, ndf, noise, converged)
}

/// The user's start first, then every combination of grid rates.
fn starts(squares: &Squares<'_>, user: &[(f64, f64)]) -> Vec<[f64; N]> {
    let n = squares.n;
    let mut first = [0.0; N];
    for (k, (amplitude, rate)) in user.iter().take(n).enumerate() {
        first[k] = amplitude.clamp(0.0, UPPER_LIMIT);
        first[MAX_EXPONENTIALS + k] = rate.clamp(0.0, UPPER_LIMIT);
    }
    squares.set_level(&mut first);
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

/// Weighted sum of squared residuals over a variance.
struct Squares<'a> {
    points: &'a [Point],
    n: usize,
    free: Option<usize>,
    variance: f64,
}

impl Squares<'_> {
    /// Sum of weighted squared residuals.
    fn residual_sum(&self, p: &[f64; N]) -> f64 {
        self.points.iter().map(|point| point.weight * (point.median - self.derivatives(p, point).1).powi(2)).sum()
    }

    /// Derivatives of the model at a point, and its value.
    fn derivatives(&self, p: &[f64; N], point: &Point) -> ([f64; N], f64) {
        let mut d = [0.0; N];
        let mut f = 0.0;
        for k in 0..self.n {
            let decay = (-p[MAX_EXPONENTIALS + k] * point.column).exp();
            d[k] = decay;
            d[MAX_EXPONENTIALS + k] = -point.column * p[k] * decay;
            f += p[k] * decay;
        }
        if self.free == Some(point.level) {
            d[LEVEL] = 1.0;
            f += p[LEVEL];
        }
        (d, f)
    }

    /// Amplitudes and free level by linear least squares for the rates in `p`, amplitudes not below zero; false if they
    /// are not determined.
    fn set_amplitudes(&self, p: &mut [f64; N]) -> bool {
        let linear: Vec<usize> = (0..self.n).chain(self.free.map(|_| LEVEL)).collect();
        let (mut normal, mut right) = ([[0.0; N]; N], [0.0; N]);
        for point in self.points {
            let (d, _) = self.derivatives(p, point);
            for (i, &a) in linear.iter().enumerate() {
                right[i] += point.weight * d[a] * point.median;
                for (j, &b) in linear.iter().enumerate() {
                    normal[i][j] += point.weight * d[a] * d[b];
                }
            }
        }
        let Some(solution) = small_matrix::solve(&normal, &right, linear.len()) else { return false };
        for (&a, value) in linear.iter().zip(solution) {
            p[a] = if a == LEVEL { value } else { value.clamp(0.0, UPPER_LIMIT) };
        }
        true
    }

    /// The free level as the mean residual of its points.
    fn set_level(&self, p: &mut [f64; N]) {
        p[LEVEL] = 0.0;
        let residuals: Vec<f64> = self
            .points
            .iter()
            .filter(|point| self.free == Some(point.level))
            .map(|point| point.median - self.derivatives(p, point).1)
            .collect();
        if !residuals.is_empty() {
            p[LEVEL] = residuals.iter().sum::<f64>() / residuals.len() as f64;
        }
    }

    fn result(
        &self,
        p: &[f64; N],
        bounds: &Bounds<N>,
        levels: &[Reference; 2],
        ndf: i64,
        noise: Option<f64>,
        converged: bool,
    ) -> TransientFit {
        let residual_sum = self.points.iter().map(|point| (point.median - self.derivatives(p, point).1).powi(2)).sum();
        let weighted_sum = self.residual_sum(p);
        let (interior, n_free) = bounds.interior(p);
        let mut normal = [[0.0; N]; N];
        // JᵀW·1 for the points of each level
        let mut shifts = [[0.0; N]; 2];
        for point in self.points {
            let (d, _) = self.derivatives(p, point);
            for (i, &row) in interior[..n_free].iter().enumerate() {
                shifts[point.level][i] += point.weight * d[row];
                for (j, &col) in interior[..n_free].iter().enumerate() {
                    normal[i][j] += point.weight * d[row] * d[col];
                }
            }
        }
        let inverse = small_matrix::inverse(&normal, n_free);
        let scale = weighted_sum / ndf as f64;
        let mut errors = [f64::NAN; N];
        if let Some(inverse) = &inverse {
            for (i, &k) in interior[..n_free].iter().enumerate() {
                let mut variance = inverse[i][i] * scale;
                for (shift, level) in shifts.iter().zip(levels) {
                    if let Reference::Known { error } = level {
                        let moved: f64 = (0..n_free).map(|j| inverse[i][j] * shift[j]).sum();
                        variance += (moved * error).powi(2);
                    }
                }
                errors[k] = variance.sqrt();
            }
        }
        let first = self.points.first().map_or(0.0, |point| point.column);
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
        let chi2 = noise.filter(|s| *s > 0.0).map(|s| weighted_sum / (s * s));
        TransientFit {
            exponentials,
            level: self.free.map(|_| (p[LEVEL], errors[LEVEL])),
            residual_sum,
            ndf,
            chi2,
            verdict: FitVerdict::default()
                .with(FitVerdict::NOT_CONVERGED, !converged)
                .with(FitVerdict::AT_LIMIT, n_free < 2 * self.n + usize::from(self.free.is_some()))
                .with(FitVerdict::NO_ERRORS, inverse.is_none())
                .with(FitVerdict::CONTRADICTED, chi2.is_some_and(|chi2| is_contradicted(chi2, ndf))),
        }
    }
}

impl Objective<N> for Squares<'_> {
    fn expand(&mut self, p: &[f64; N]) -> Expansion<N> {
        let mut e = Expansion::ZERO;
        for point in self.points {
            let (d, f) = self.derivatives(p, point);
            let weight = point.weight / self.variance;
            let r = weight * (point.median - f);
            e.value += (point.median - f) * r;
            for i in 0..N {
                e.gradient[i] -= 2.0 * r * d[i];
                for j in 0..N {
                    e.curvature[i][j] += 2.0 * weight * d[i] * d[j];
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

    fn points(columns: &[f64], medians: &[f64]) -> Vec<Point> {
        let point = |(c, m): (&f64, &f64)| Point { column: *c, median: *m, weight: 1.0, level: 0 };
        columns.iter().zip(medians).map(point).collect()
    }

    /// A fit of medians on one level that is known exactly.
    fn fitted(columns: &[f64], medians: &[f64], start: &[(f64, f64)], noise: Option<f64>) -> TransientFit {
        fit_transient(&points(columns, medians), &[Reference::Known { error: 0.0 }; 2], start, noise)
    }

    fn columns(from: usize, to: usize) -> Vec<f64> {
        (from..to).map(|c| c as f64).collect()
    }

    #[test]
    fn example_of_the_specification() {
        let fit = fitted(&columns(1, 10), &EXAMPLE[1..10], &[(0.013, 0.12)], None);
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
        let fit = fitted(&c, &m, &[(0.013, 0.12)], None);
        assert!((fit.exponentials[0].amplitude - 3.0).abs() < 1e-6, "{:?}", fit.exponentials);
        assert!((fit.exponentials[0].rate - 2.5).abs() < 1e-6);
        assert!(fit.verdict.is_usable(), "{}", fit.verdict.text());
    }

    #[test]
    fn two_exponentials_are_told_apart() {
        let c = columns(0, 60);
        let m: Vec<f64> = c.iter().map(|c| 4.0 * (-1.1 * c).exp() + 0.8 * (-0.09 * c).exp()).collect();
        let fit = fitted(&c, &m, &[(0.013, 0.12), (0.013, 0.12)], None);
        let [fast, slow] = fit.exponentials[..] else { panic!() };
        assert!((fast.amplitude - 4.0).abs() < 1e-5 && (fast.rate - 1.1).abs() < 1e-5, "{fast:?}");
        assert!((slow.amplitude - 0.8).abs() < 1e-5 && (slow.rate - 0.09).abs() < 1e-6, "{slow:?}");
    }

    #[test]
    fn a_flat_baseline_says_that_there_is_no_transient() {
        // medians that fall and rise around zero by 0.01: the amplitude is zero within its error, or on its limit
        let c = columns(1, 40);
        let m: Vec<f64> = c.iter().map(|c| 0.01 * (c * 2.3).sin()).collect();
        let fit = fitted(&c, &m, &[(0.013, 0.12)], Some(0.007));
        let e = fit.exponentials[0];
        assert!(fit.value(1.0).abs() < 0.02, "{e:?}");
        assert!(!fit.verdict.is_good() || e.amplitude < 3.0 * e.amplitude_error, "{e:?} {}", fit.verdict.text());
        // medians that rise: nothing decays
        let m: Vec<f64> = c.iter().map(|c| -0.5 * (-0.1 * c).exp()).collect();
        let rising = fitted(&c, &m, &[(0.013, 0.12)], None);
        assert!(rising.is_flat() && rising.verdict.has(FitVerdict::AT_LIMIT), "{rising:?}");
    }

    #[test]
    fn a_wrong_shape_and_too_few_points_are_admitted() {
        // a step is no exponential: residuals of 0.5 where 0.01 is the noise
        let c = columns(1, 21);
        let m: Vec<f64> = c.iter().map(|c| if *c < 10.0 { 1.0 } else { 0.0 }).collect();
        let fit = fitted(&c, &m, &[(0.013, 0.12)], Some(0.01));
        assert!(fit.verdict.has(FitVerdict::CONTRADICTED));
        let fit = fitted(&columns(1, 3), &EXAMPLE[1..3], &[(0.013, 0.12)], None);
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
            let fit = fitted(&c, &m, &[(0.013, 0.12)], Some(0.02));
            let e = fit.exponentials[0];
            pulls.push((e.rate - 0.25) / e.rate_error);
        }
        let (mean, spread) = crate::stats::robust::mean_and_std(&pulls, crate::stats::robust::Ddof::Sample);
        // the error is itself estimated from 18 degrees of freedom: Student's t widens the pulls by √(18/16)
        let expected = (18.0_f64 / 16.0).sqrt();
        assert!(mean.abs() < 0.25 && (spread - expected).abs() < 0.18, "{mean} {spread}");
    }

    /// 400 toys: a prescan of 8 columns 0.5 below the others and with a third of their noise; pulls of amplitude and rate.
    fn toys_with_a_step(levels: [Reference; 2], offset_error: f64) -> [(f64, f64); 2] {
        let mut stream = crate::stats::random::Stream::from_seed(12);
        let mut pulls = [Vec::new(), Vec::new()];
        for _ in 0..400 {
            let offset = offset_error * stream.normal() - if levels[1] == Reference::Free { 0.5 } else { 0.0 };
            let toy: Vec<Point> = (0..50)
                .map(|c| {
                    let (level, noise, weight) = if c < 8 { (1, 0.05, 9.0) } else { (0, 0.15, 1.0) };
                    let column = f64::from(c);
                    let step = if level == 1 { offset } else { 0.0 };
                    let median = 3.0 * (-0.15 * column).exp() + step + noise * stream.normal();
                    Point { column, median, weight, level }
                })
                .collect();
            let e = fit_transient(&toy, &levels, &[(0.013, 0.12)], Some(0.15)).exponentials[0];
            pulls[0].push((e.amplitude - 3.0) / e.amplitude_error);
            pulls[1].push((e.rate - 0.15) / e.rate_error);
        }
        pulls.map(|p| crate::stats::robust::mean_and_std(&p, crate::stats::robust::Ddof::Sample))
    }

    #[test]
    fn a_step_between_prescan_and_active_columns_is_no_part_of_the_decay() {
        let exact = Reference::Known { error: 0.0 };
        for (levels, error) in [([exact, Reference::Free], 0.0), ([exact, Reference::Known { error: 0.1 }], 0.1)] {
            for (mean, width) in toys_with_a_step(levels, error) {
                // 4 standard errors of mean and width of 400 pulls (2 % wider: Student's t of 47 degrees of freedom), and a
                // tenth for the curvature of the model
                assert!(mean.abs() < 4.0 / 20.0 + 0.1, "{levels:?}: {mean}");
                assert!((width - 1.02).abs() < 4.0 / 800_f64.sqrt(), "{levels:?}: {width}");
            }
        }
    }

    #[test]
    fn a_free_level_is_found_with_the_decay() {
        let c = columns(0, 30);
        let m: Vec<f64> = c.iter().map(|c| 3.0 * (-0.4 * c).exp() - if *c < 6.0 { 0.7 } else { 0.0 }).collect();
        let mut toy = points(&c, &m);
        toy[..6].iter_mut().for_each(|p| p.level = 1);
        let found = fit_transient(&toy, &[Reference::Known { error: 0.0 }, Reference::Free], &[(0.013, 0.12)], None);
        let e = found.exponentials[0];
        assert!((e.amplitude - 3.0).abs() < 1e-6 && (e.rate - 0.4).abs() < 1e-6, "{found:?}");
        assert!((found.level.unwrap().0 + 0.7).abs() < 1e-6);
        assert_eq!(found.ndf, 27);
        assert!(fitted(&c, &m, &[(0.013, 0.12)], None).level.is_none());
    }
}
