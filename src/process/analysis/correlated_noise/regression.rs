//! Linear combinations of simultaneous signals by least squares.
//!
//! y = Σ w_i·x_i, fitted to the points of many rows. Sums of products are made row by row and added up in order; a row
//! mean that was subtracted before costs one degree of freedom per row. Weights for a part of the signals (when the others
//! are missing at a pixel) are solved from the same sums.

use std::collections::HashMap;

use crate::stats::small_matrix::{self, Matrix};

/// Most signals of one combination.
pub const MAX_SIGNALS: usize = 24;

/// Sums of products of one or more rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Sums {
    /// Points.
    pub points: usize,
    /// Rows with points.
    pub rows: usize,
    /// Σ y².
    yy: f64,
    /// Σ y·x_i.
    xy: Vec<f64>,
    /// Σ x_i·x_j, row by row.
    xx: Vec<f64>,
}

impl Sums {
    /// No points of `signals` signals.
    pub fn new(signals: usize) -> Self {
        Self { points: 0, rows: 0, yy: 0.0, xy: vec![0.0; signals], xx: vec![0.0; signals * signals] }
    }

    /// Number of signals.
    pub fn signals(&self) -> usize {
        self.xy.len()
    }

    /// One more point.
    pub fn add_point(&mut self, y: f64, x: &[f64]) {
        let n = self.signals();
        self.points += 1;
        self.yy += y * y;
        for i in 0..n {
            self.xy[i] += y * x[i];
            for j in 0..=i {
                self.xx[i * n + j] += x[i] * x[j];
            }
        }
    }

    /// The points of another row.
    pub fn add(&mut self, other: &Self) {
        self.points += other.points;
        self.rows += other.rows;
        self.yy += other.yy;
        self.xy.iter_mut().zip(&other.xy).for_each(|(a, b)| *a += b);
        self.xx.iter_mut().zip(&other.xx).for_each(|(a, b)| *a += b);
    }

    fn xx(&self, i: usize, j: usize) -> f64 {
        let n = self.signals();
        if j <= i { self.xx[i * n + j] } else { self.xx[j * n + i] }
    }

    /// Least-squares weights of the signals in `mask` (bit i: signal i); the others are 0. `None` when they are not
    /// determined.
    pub fn solve(&self, mask: u32) -> Option<Combination> {
        let used: Vec<usize> = (0..self.signals()).filter(|i| mask & (1 << i) != 0).collect();
        let degrees = self.points as i64 - self.rows as i64 - used.len() as i64;
        if degrees <= 0 {
            return None;
        }
        let inverse = self.inverse(&used)?;
        let mut weights = vec![0.0; self.signals()];
        let mut explained = 0.0;
        for (i, &a) in used.iter().enumerate() {
            weights[a] = used.iter().enumerate().map(|(j, &b)| inverse[i][j] * self.xy[b]).sum();
            explained += weights[a] * self.xy[a];
        }
        let variance = ((self.yy - explained) / degrees as f64).max(0.0);
        let mut errors = vec![0.0; self.signals()];
        for (i, &a) in used.iter().enumerate() {
            errors[a] = (variance * inverse[i][i]).max(0.0).sqrt();
        }
        Some(Combination {
            weights,
            errors,
            residual_variance: variance,
            explained: if self.yy > 0.0 { explained / self.yy } else { 0.0 },
            degrees,
        })
    }

    /// (Σ x xᵀ)⁻¹ of the signals used; `None` if it is singular.
    fn inverse(&self, used: &[usize]) -> Option<Matrix<MAX_SIGNALS>> {
        let mut normal = [[0.0; MAX_SIGNALS]; MAX_SIGNALS];
        for (i, &a) in used.iter().enumerate() {
            for (j, &b) in used.iter().enumerate() {
                normal[i][j] = self.xx(a, b);
            }
        }
        small_matrix::inverse(&normal, used.len())
    }

    /// Σ y²/(points − rows): the variance of y around its row means.
    pub fn variance(&self) -> f64 {
        self.yy / self.points.saturating_sub(self.rows) as f64
    }
}

/// Weights of a linear combination.
#[derive(Debug, Clone, PartialEq)]
pub struct Combination {
    /// One per signal.
    pub weights: Vec<f64>,
    /// Their errors.
    pub errors: Vec<f64>,
    /// Variance of y minus the combination, with the degrees of freedom taken into account.
    pub residual_variance: f64,
    /// Share of Σ y² that the combination explains (R²).
    pub explained: f64,
    /// Points − rows − signals.
    pub degrees: i64,
}

impl Combination {
    /// n·R²: χ² with one degree of freedom per signal if the signals have nothing in common with y.
    pub fn statistic(&self, signals: usize) -> f64 {
        (self.degrees as f64 + signals as f64) * self.explained
    }
}

/// Errors of weights without the assumption that y scatters equally at all points.
///
/// C = (n/degrees)·H⁻¹ (Σ r² x xᵀ) H⁻¹ with H = Σ x xᵀ and r the residuals (White, Econometrica 48, 817 (1980)). Noise
/// alone gives the usual errors. Interference does not: where a line is at its crest the residuals lie on one side, and
/// the usual errors of its weight are 5 to 10 % too large.
#[derive(Debug, Clone, PartialEq)]
pub struct ScatterErrors {
    weights: Vec<f64>,
    inverse: Matrix<MAX_SIGNALS>,
    scale: f64,
    squares: Vec<f64>,
}

impl ScatterErrors {
    /// For the weights of all signals, before the first point; `None` when they are not determined.
    pub fn new(sums: &Sums, fit: &Combination) -> Option<Self> {
        let all: Vec<usize> = (0..sums.signals()).collect();
        let inverse = sums.inverse(&all)?;
        let scale = sums.points as f64 / fit.degrees as f64;
        Some(Self { weights: fit.weights.clone(), inverse, scale, squares: vec![0.0; sums.signals()] })
    }

    /// One of the points of the sums.
    pub fn add_point(&mut self, y: f64, x: &[f64]) {
        let residual = y - self.weights.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
        for (square, line) in self.squares.iter_mut().zip(&self.inverse) {
            let influence: f64 = line.iter().zip(x).map(|(h, x)| h * x).sum();
            *square += (influence * residual).powi(2);
        }
    }

    /// The points of another row.
    pub fn add(&mut self, other: &Self) {
        self.squares.iter_mut().zip(&other.squares).for_each(|(a, b)| *a += b);
    }

    /// The errors of the weights.
    pub fn errors(&self) -> Vec<f64> {
        self.squares.iter().map(|s| (self.scale * s).sqrt()).collect()
    }
}

/// Weights for every set of signals that occurs, solved when first asked for.
#[derive(Debug)]
pub struct Weights<'a> {
    sums: &'a Sums,
    solved: HashMap<u32, Vec<f64>>,
}

impl<'a> Weights<'a> {
    /// Weights from these sums.
    pub fn new(sums: &'a Sums) -> Self {
        Self { sums, solved: HashMap::new() }
    }

    /// The weights of the signals in `mask`; all 0 when they are not determined.
    pub fn of(&mut self, mask: u32) -> &[f64] {
        let sums = self.sums;
        self.solved.entry(mask).or_insert_with(|| {
            if mask == 0 {
                return vec![0.0; sums.signals()];
            }
            sums.solve(mask).map_or_else(|| vec![0.0; sums.signals()], |c| c.weights)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::Stream;

    #[test]
    fn weights_are_recovered_within_their_errors() {
        let mut random = Stream::from_seed(5);
        let mut sums = Sums::new(3);
        for _ in 0..50 {
            let mut row = Sums::new(3);
            row.rows = 1;
            let points: Vec<[f64; 4]> = (0..40)
                .map(|_| {
                    let x: [f64; 3] = std::array::from_fn(|_| random.normal());
                    [0.7 * x[0] - 0.2 * x[2] + 0.5 * random.normal(), x[0], x[1], x[2]]
                })
                .collect();
            let mean: [f64; 4] = std::array::from_fn(|i| points.iter().map(|p| p[i]).sum::<f64>() / 40.0);
            for p in &points {
                row.add_point(p[0] - mean[0], &[p[1] - mean[1], p[2] - mean[2], p[3] - mean[3]]);
            }
            sums.add(&row);
        }
        let c = sums.solve(0b111).unwrap();
        for (w, (e, truth)) in c.weights.iter().zip(c.errors.iter().zip([0.7, 0.0, -0.2])) {
            assert!((w - truth).abs() < 5.0 * e, "{c:?}");
            // error of a weight: σ/√n
            assert!((e / (0.5 / 1950f64.sqrt()) - 1.0).abs() < 0.1, "{e}");
        }
        // 1947 degrees of freedom: relative error of a variance √(2/1947) = 3 %
        assert!((c.residual_variance / 0.25 - 1.0).abs() < 0.16, "{}", c.residual_variance);
        assert_eq!(c.degrees, 2000 - 50 - 3);
        assert!(c.statistic(3) > 1000.0);
        // without the first signal, nothing but the third explains anything
        let mut weights = Weights::new(&sums);
        assert_eq!(weights.of(0b110)[0], 0.0);
        assert!((weights.of(0b100)[2] + 0.2).abs() < 0.1);
        assert_eq!(weights.of(0), [0.0; 3]);
    }

    #[test]
    fn errors_hold_for_lines_as_for_noise() {
        // y and x share a sine (amplitude 1.4, noise 1) or noise of the same power; 400 samples of 600 points
        let mut random = Stream::from_seed(8);
        for line in [true, false] {
            let (mut found, mut errors, mut usual) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..400 {
                let phase = random.uniform();
                let points: Vec<(f64, [f64; 1])> = (0..600)
                    .map(|k| {
                        let sine = 1.4 * (std::f64::consts::TAU * (0.137 * f64::from(k) + phase)).sin();
                        let common = if line { sine } else { random.normal() };
                        (common + random.normal(), [common + random.normal()])
                    })
                    .collect();
                let mut sums = Sums::new(1);
                points.iter().for_each(|(y, x)| sums.add_point(*y, x));
                let fit = sums.solve(1).unwrap();
                let mut scatter = ScatterErrors::new(&sums, &fit).unwrap();
                points.iter().for_each(|(y, x)| scatter.add_point(*y, x));
                found.push(fit.weights[0]);
                errors.push(scatter.errors()[0]);
                usual.push(fit.errors[0]);
            }
            let mean = crate::stats::robust::mean;
            let spread = crate::stats::robust::std_deviation(&found, crate::stats::robust::Ddof::Sample);
            // relative error of a standard deviation of 400 numbers: 1/√800 = 3.5 %
            assert!((spread / mean(&errors) - 1.0).abs() < 4.0 / 800_f64.sqrt(), "{spread} {}", mean(&errors));
            let excess = mean(&usual) / mean(&errors) - 1.0;
            assert!(if line { excess > 0.05 } else { excess.abs() < 0.02 }, "{excess}");
        }
    }

    #[test]
    fn independent_noise_is_explained_by_chance_as_often_as_promised() {
        let mut random = Stream::from_seed(6);
        let mut below = 0;
        for _ in 0..400 {
            let mut sums = Sums::new(3);
            for _ in 0..300 {
                let x: [f64; 3] = std::array::from_fn(|_| random.normal());
                sums.add_point(random.normal(), &x);
            }
            below += usize::from(
                crate::stats::distributions::chi2_survival(sums.solve(0b111).unwrap().statistic(3), 3) < 0.1,
            );
        }
        // binomial(400, 0.1): 40 ± 6
        assert!((15..=70).contains(&below), "{below}");
    }

    #[test]
    fn too_few_points_and_equal_signals_have_no_weights() {
        let mut sums = Sums::new(2);
        sums.add_point(1.0, &[1.0, 2.0]);
        sums.add_point(1.5, &[2.0, 1.0]);
        assert_eq!(sums.solve(0b11), None);
        let mut equal = Sums::new(2);
        for k in 0..10 {
            equal.add_point(f64::from(k), &[f64::from(k), f64::from(k)]);
        }
        assert_eq!(equal.solve(0b11), None);
        assert_eq!(Weights::new(&equal).of(0b11), [0.0, 0.0]);
    }
}
