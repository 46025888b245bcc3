//! Bounded Levenberg–Marquardt search for the Gaussian of a histogram, and its errors.
//!
//! χ²(A, μ, σ) = Σ (n − A·g)²/n over the non-empty bins, g = exp(−½t²), t = (c − μ)/σ.
//!
//! The search uses the Gauss–Newton matrix with Marquardt's scaling and Nielsen's damping (Madsen, Nielsen & Tingleff,
//! *Methods for non-linear least squares problems*, 2004, §3.2); a component that would leave the box stops on its
//! limit and is held there while the gradient points outwards. Far from a good fit Gauss–Newton converges only
//! linearly, so the last digits come from Newton steps with the full second-derivative matrix.

use crate::stats::bounded_search::quoted_error;
use crate::stats::small_matrix::{self, Matrix};

/// Allowed intervals of μ and σ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Box2 {
    /// Interval of the mean.
    pub mu: (f64, f64),
    /// Interval of the standard deviation (positive).
    pub sigma: (f64, f64),
}

impl Box2 {
    fn interval(&self, parameter: usize) -> (f64, f64) {
        match parameter {
            1 => self.mu,
            2 => self.sigma,
            _ => (f64::NEG_INFINITY, f64::INFINITY),
        }
    }

    fn clip(&self, mut p: [f64; 3]) -> [f64; 3] {
        // max before min: an inverted interval cannot panic
        p[1] = p[1].max(self.mu.0).min(self.mu.1);
        p[2] = p[2].max(self.sigma.0).min(self.sigma.1);
        p
    }
}

/// The non-empty bins of a histogram.
#[derive(Debug, Clone, Default)]
pub struct BinnedGaussian {
    centres: Vec<f64>,
    contents: Vec<f64>,
}

impl BinnedGaussian {
    /// Takes the non-empty bins of `contents` on [lo, hi], with centres lo + (i−1)·w + w/2, i = 1…B.
    pub fn set(&mut self, contents: &[f64], lo: f64, hi: f64) {
        let width = (hi - lo) / contents.len() as f64;
        self.centres.clear();
        self.contents.clear();
        for (bin, &content) in contents.iter().enumerate() {
            if content > 0.0 {
                self.centres.push(lo + bin as f64 * width + 0.5 * width);
                self.contents.push(content);
            }
        }
    }

    /// Number of non-empty bins.
    pub fn len(&self) -> usize {
        self.contents.len()
    }

    /// No bin has a content.
    pub fn is_empty(&self) -> bool {
        self.contents.is_empty()
    }

    /// χ² at (A, μ, σ).
    pub fn chi2(&self, [amplitude, mu, sigma]: [f64; 3]) -> f64 {
        let inverse = 1.0 / sigma;
        let mut sum = 0.0;
        for (&c, &n) in self.centres.iter().zip(&self.contents) {
            let t = (c - mu) * inverse;
            let residual = n - amplitude * (-0.5 * t * t).exp();
            sum += residual * residual / n;
        }
        sum
    }

    /// χ², its gradient and its Gauss–Newton matrix (both halved: −Jᵀr and JᵀJ), and the halved full Hessian.
    fn expand(&self, [amplitude, mu, sigma]: [f64; 3]) -> Expansion {
        let inverse = 1.0 / sigma;
        let mut e = Expansion::default();
        for (&c, &n) in self.centres.iter().zip(&self.contents) {
            let t = (c - mu) * inverse;
            let t2 = t * t;
            let g = (-0.5 * t2).exp();
            let f = amplitude * g;
            let weight = 1.0 / n;
            let residual = n - f;
            let pull = residual * weight;
            e.chi2 += residual * pull;
            // derivatives of the model
            let d_mu = f * t * inverse;
            let d_sigma = f * t2 * inverse;
            e.gradient[0] -= pull * g;
            e.gradient[1] -= pull * d_mu;
            e.gradient[2] -= pull * d_sigma;
            e.gauss_newton[0][0] += weight * g * g;
            e.gauss_newton[1][0] += weight * d_mu * g;
            e.gauss_newton[2][0] += weight * d_sigma * g;
            e.gauss_newton[1][1] += weight * d_mu * d_mu;
            e.gauss_newton[2][1] += weight * d_sigma * d_mu;
            e.gauss_newton[2][2] += weight * d_sigma * d_sigma;
            // second derivatives of the model, times the residual
            let scaled = pull * g * inverse;
            e.curvature[1][0] -= scaled * t;
            e.curvature[2][0] -= scaled * t2;
            let scaled = pull * f * inverse * inverse;
            e.curvature[1][1] -= scaled * (t2 - 1.0);
            e.curvature[2][1] -= scaled * t * (t2 - 2.0);
            e.curvature[2][2] -= scaled * t2 * (t2 - 3.0);
        }
        for row in 0..3 {
            for col in 0..row {
                e.gauss_newton[col][row] = e.gauss_newton[row][col];
                e.curvature[col][row] = e.curvature[row][col];
            }
        }
        e
    }
}

/// χ² and the halves of its derivatives at a point.
#[derive(Debug, Clone, Copy, Default)]
struct Expansion {
    chi2: f64,
    gradient: [f64; 3],
    gauss_newton: Matrix<3>,
    /// What the full halved Hessian has besides `gauss_newton`.
    curvature: Matrix<3>,
}

impl Expansion {
    fn hessian(&self) -> Matrix<3> {
        let mut hessian = self.gauss_newton;
        for (row, extra) in hessian.iter_mut().zip(&self.curvature) {
            for (element, extra) in row.iter_mut().zip(extra) {
                *element += extra;
            }
        }
        hessian
    }
}

/// Where a search ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Solution {
    /// A, μ, σ.
    pub parameters: [f64; 3],
    /// χ² there.
    pub chi2: f64,
    /// The relative steps or the gradient became negligible.
    pub converged: bool,
}

/// Relative size of a step that ends the search.
const STEP_TOLERANCE: f64 = 1e-13;
/// Relative change of χ² per step below which the Gauss–Newton phase hands over to Newton steps.
const HANDOVER: f64 = 1e-6;
const MAX_STEPS: usize = 500;
/// Damping of the first step. It decides in which of several minima a difficult row ends: with 0.1 all rows of spec 02
/// §12.2 end where they should and 311 of the 320 recorded ones; 1 loses two of those, 0.001 sends rows of several
/// electron peaks to the wide solution.
const FIRST_DAMPING: f64 = 0.1;
/// Gain per step, in units of χ², that no statistics can notice …
const FLAT: f64 = 1e-6;
/// … and the number of such steps in a row after which a valley counts as flat. A Gaussian narrower than a bin fits
/// one bin exactly for any μ and σ along a line; a search would follow that line for ever.
const FLAT_STEPS: usize = 15;

/// The parameters that can move: not those on a limit with the descent direction pointing outwards.
fn free_parameters(p: &[f64; 3], gradient: &[f64; 3], limits: &Box2) -> ([usize; 3], usize) {
    let mut free = [0; 3];
    let mut n = 0;
    for k in 0..3 {
        let (lo, hi) = limits.interval(k);
        let held = (p[k] <= lo && gradient[k] > 0.0) || (p[k] >= hi && gradient[k] < 0.0) || lo >= hi;
        if !held {
            free[n] = k;
            n += 1;
        }
    }
    (free, n)
}

/// Solves (matrix + damping·diag(matrix))·step = −gradient for the free parameters; zero for the others.
fn damped_step(matrix: &Matrix<3>, gradient: &[f64; 3], damping: f64, free: &[usize]) -> Option<[f64; 3]> {
    let mut packed = [[0.0; 3]; 3];
    let mut rhs = [0.0; 3];
    for (i, &row) in free.iter().enumerate() {
        rhs[i] = -gradient[row];
        for (j, &col) in free.iter().enumerate() {
            packed[i][j] = matrix[row][col];
        }
        packed[i][i] += damping * matrix[row][row];
    }
    let solution = small_matrix::solve(&packed, &rhs, free.len())?;
    let mut step = [0.0; 3];
    for (i, &row) in free.iter().enumerate() {
        step[row] = solution[i];
    }
    Some(step)
}

fn negligible(step: &[f64; 3], p: &[f64; 3]) -> bool {
    // μ may be any number, its scale is σ
    let scales = [p[0].abs(), p[2], p[2]];
    step.iter().zip(scales).all(|(step, scale)| step.abs() <= STEP_TOLERANCE * scale + f64::MIN_POSITIVE)
}

/// Local minimum of χ² reached from `start` (A, μ, σ) inside `limits`.
pub fn minimise(bins: &BinnedGaussian, start: [f64; 3], limits: &Box2) -> Solution {
    let mut p = limits.clip(start);
    let mut here = bins.expand(p);
    let mut damping = FIRST_DAMPING;
    let mut growth = 2.0;
    let mut newton = false;
    let mut handover = HANDOVER;
    let mut flat_steps = 0;
    let end = |parameters, chi2, converged| Solution { parameters, chi2, converged };
    for _ in 0..MAX_STEPS {
        let (free, n_free) = free_parameters(&p, &here.gradient, limits);
        let (matrix, damped) = if newton { (here.hessian(), 0.0) } else { (here.gauss_newton, damping) };
        let Some(step) = damped_step(&matrix, &here.gradient, damped, &free[..n_free]) else {
            if newton {
                // not convex here: back to the matrix that always is, and longer with it
                newton = false;
                handover *= 1e-2;
            } else {
                damping *= growth;
                growth *= 2.0;
                if !damping.is_finite() {
                    return end(p, here.chi2, false);
                }
            }
            continue;
        };
        let trial = limits.clip([p[0] + step[0], p[1] + step[1], p[2] + step[2]]);
        let moved = [trial[0] - p[0], trial[1] - p[1], trial[2] - p[2]];
        if negligible(&moved, &p) {
            return end(p, here.chi2, true);
        }
        let there = bins.expand(trial);
        let gained = here.chi2 - there.chi2;
        if gained >= 0.0 && there.chi2.is_finite() {
            if !newton {
                let slope = (0..3).map(|k| moved[k] * here.gradient[k]).sum::<f64>();
                let predicted = -2.0 * slope - small_matrix::bilinear(&matrix, &moved, &moved, 3);
                let ratio = if predicted > 0.0 { gained / predicted } else { 0.0 };
                damping *= (1.0 - (2.0 * ratio - 1.0).powi(3)).clamp(1.0 / 3.0, 2.0);
                growth = 2.0;
            }
            let exhausted = newton && gained <= f64::EPSILON * here.chi2;
            newton = gained <= handover * here.chi2;
            flat_steps = if gained < FLAT { flat_steps + 1 } else { 0 };
            p = trial;
            here = there;
            if flat_steps == FLAT_STEPS || (exhausted && negligible_gradient(&here, &p, limits)) {
                return end(p, here.chi2, true);
            }
        } else if gained.abs() <= 4.0 * f64::EPSILON * here.chi2 {
            // χ² cannot tell the two points apart any more
            return end(p, here.chi2, true);
        } else if newton {
            newton = false;
            handover *= 1e-2;
        } else {
            damping *= growth;
            growth *= 2.0;
        }
    }
    end(p, here.chi2, false)
}

/// The Newton decrement, expected gain of another step, is below the rounding of χ².
fn negligible_gradient(here: &Expansion, p: &[f64; 3], limits: &Box2) -> bool {
    let (free, n_free) = free_parameters(p, &here.gradient, limits);
    match damped_step(&here.hessian(), &here.gradient, 0.0, &free[..n_free]) {
        Some(step) => -(0..3).map(|k| step[k] * here.gradient[k]).sum::<f64>() <= 1e-14 * here.chi2 + 1e-300,
        None => false,
    }
}

/// Errors of a solution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Errors {
    /// Errors of A, μ, σ as Minuit quotes them; NaN where there is none.
    pub quoted: [f64; 3],
    /// 2·H⁻¹, NaN for parameters on a limit.
    pub covariance: Matrix<3>,
    /// μ rests on a limit.
    pub mu_at_limit: bool,
    /// σ rests on a limit.
    pub sigma_at_limit: bool,
}

/// Errors from the full Hessian over the parameters that are not on a limit (spec 02 §3.2 step 5 and D9).
pub fn errors(bins: &BinnedGaussian, solution: &Solution, limits: &Box2) -> Errors {
    let p = solution.parameters;
    let on_limit = |k: usize| {
        let (lo, hi) = limits.interval(k);
        let margin = 1e-6 * (hi - lo);
        p[k] <= lo + margin || p[k] >= hi - margin
    };
    let mut errors = Errors {
        quoted: [f64::NAN; 3],
        covariance: [[f64::NAN; 3]; 3],
        mu_at_limit: on_limit(1),
        sigma_at_limit: on_limit(2),
    };
    let mut free = [0; 3];
    let mut n_free = 0;
    for k in [0, 1, 2] {
        let held = (k == 1 && errors.mu_at_limit) || (k == 2 && errors.sigma_at_limit);
        if !held {
            free[n_free] = k;
            n_free += 1;
        }
    }
    let hessian = bins.expand(p).hessian();
    let mut packed = [[0.0; 3]; 3];
    for i in 0..n_free {
        for j in 0..n_free {
            packed[i][j] = hessian[free[i]][free[j]];
        }
    }
    // `hessian` is half of the second-derivative matrix, its inverse is 2·H⁻¹
    if let Some(inverse) = small_matrix::inverse(&packed, n_free) {
        for i in 0..n_free {
            for j in 0..n_free {
                errors.covariance[free[i]][free[j]] = inverse[i][j];
            }
            let parameter = free[i];
            let parabolic = inverse[i][i].sqrt();
            let (lo, hi) = limits.interval(parameter);
            errors.quoted[parameter] = quoted_error(p[parameter], parabolic, lo, hi);
        }
    }
    errors
}
