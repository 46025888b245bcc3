//! Local minimum of a smooth objective inside a box, its Hessian, and profile intervals.
//!
//! The engine of the dark-current and cluster-profile fits, for objectives F with analytic first derivatives and a
//! positive semi-definite approximation of the second ones (Gauss–Newton for χ², the observed information for
//! likelihoods). Scaled so that ΔF = 1 is one standard deviation.
//!
//! 1. [`descend`]: Levenberg–Marquardt with Marquardt's scaling and Nielsen's damping; components that reach a limit
//!    stay there while the gradient points outwards.
//! 2. [`polish`]: Newton steps with the full Hessian, differenced once from the gradient and then kept (chord method):
//!    far from a good fit the approximation of step 1 converges only linearly.
//! 3. [`covariance`]: C = 2·H⁻¹ over the parameters that are neither fixed nor on a limit.
//! 4. [`profile_interval`]: where F, minimised over the other parameters, is 1 above the minimum (Minos).
//!
//! Everything is on the stack; `N` is the number of parameters, fixed ones included.

use crate::stats::small_matrix::{self, Matrix};

/// Value and derivatives of an objective at a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expansion<const N: usize> {
    /// F.
    pub value: f64,
    /// ∂F/∂p.
    pub gradient: [f64; N],
    /// Positive semi-definite approximation of ∂²F/∂p².
    pub curvature: Matrix<N>,
}

impl<const N: usize> Expansion<N> {
    /// All zero, for accumulation.
    pub const ZERO: Self = Self { value: 0.0, gradient: [0.0; N], curvature: [[0.0; N]; N] };

    fn is_finite(&self) -> bool {
        self.value.is_finite() && self.gradient.iter().all(|g| g.is_finite())
    }
}

/// A function to minimise. `&mut self` so that implementations can reuse buffers; the result must depend on `p` only.
pub trait Objective<const N: usize> {
    /// F and its derivatives. A value that is not finite marks a point outside the domain.
    fn expand(&mut self, p: &[f64; N]) -> Expansion<N>;

    /// F and its gradient; the curvature may be left out. Used where only differences of gradients are needed.
    fn gradient(&mut self, p: &[f64; N]) -> [f64; N] {
        self.expand(p).gradient
    }
}

/// Closed intervals of the parameters; a parameter whose ends coincide is fixed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds<const N: usize> {
    /// Lower limits (−∞ for none).
    pub lo: [f64; N],
    /// Upper limits (+∞ for none).
    pub hi: [f64; N],
}

impl<const N: usize> Bounds<N> {
    /// The parameter cannot move.
    pub fn is_fixed(&self, k: usize) -> bool {
        self.lo[k] >= self.hi[k]
    }

    /// A free parameter rests on one of its limits.
    pub fn is_at_limit(&self, k: usize, value: f64) -> bool {
        !self.is_fixed(k) && (value <= self.lo[k] || value >= self.hi[k])
    }

    /// The nearest point of the box.
    pub fn clip(&self, mut p: [f64; N]) -> [f64; N] {
        for (value, (lo, hi)) in p.iter_mut().zip(self.lo.iter().zip(&self.hi)) {
            *value = value.max(*lo).min(*hi);
        }
        p
    }

    /// Parameters that can move from `p` downhill, packed to the front, and their number.
    fn movable(&self, p: &[f64; N], gradient: &[f64; N]) -> ([usize; N], usize) {
        let mut indices = [0; N];
        let mut n = 0;
        for k in 0..N {
            let held = self.is_fixed(k)
                || (p[k] <= self.lo[k] && gradient[k] > 0.0)
                || (p[k] >= self.hi[k] && gradient[k] < 0.0);
            if !held {
                indices[n] = k;
                n += 1;
            }
        }
        (indices, n)
    }

    /// Parameters neither fixed nor on a limit, packed to the front, and their number.
    pub fn interior(&self, p: &[f64; N]) -> ([usize; N], usize) {
        let mut indices = [0; N];
        let mut n = 0;
        for (k, &value) in p.iter().enumerate() {
            if !self.is_fixed(k) && !self.is_at_limit(k, value) {
                indices[n] = k;
                n += 1;
            }
        }
        (indices, n)
    }
}

/// A point reached by a search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reached<const N: usize> {
    /// Parameters.
    pub p: [f64; N],
    /// Objective and derivatives there.
    pub at: Expansion<N>,
    /// The search settled.
    pub converged: bool,
    /// Evaluations of the objective.
    pub evaluations: usize,
}

/// Packs the rows and columns `indices` of a matrix to the front.
fn pack<const N: usize>(matrix: &Matrix<N>, indices: &[usize]) -> Matrix<N> {
    let mut packed = [[0.0; N]; N];
    for (i, &row) in indices.iter().enumerate() {
        for (j, &col) in indices.iter().enumerate() {
            packed[i][j] = matrix[row][col];
        }
    }
    packed
}

/// Solves (M + damping·diag M)·step = −gradient over `indices`.
fn damped_step<const N: usize>(
    matrix: &Matrix<N>,
    gradient: &[f64; N],
    damping: f64,
    indices: &[usize],
) -> Option<[f64; N]> {
    let mut packed = pack(matrix, indices);
    let mut rhs = [0.0; N];
    for (i, &row) in indices.iter().enumerate() {
        rhs[i] = -gradient[row];
        packed[i][i] *= 1.0 + damping;
        // a parameter without influence (zero row) must not make the system singular
        if packed[i][i] <= 0.0 {
            packed[i][i] = 1.0;
        }
    }
    let solution = small_matrix::solve(&packed, &rhs, indices.len())?;
    let mut step = [0.0; N];
    for (i, &row) in indices.iter().enumerate() {
        step[row] = solution[i];
    }
    step.iter().all(|x| x.is_finite()).then_some(step)
}

fn dot<const N: usize>(a: &[f64; N], b: &[f64; N]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Largest number of evaluations of one descent.
const MAX_EVALUATIONS: usize = 400;

/// Damping at which steps are lost in rounding.
const MAX_DAMPING: f64 = 1e15;

/// Levenberg–Marquardt descent from `start` until a step gains less than `stop` (absolute, in units of F) twice in a
/// row, or the expected gain is that small.
pub fn descend<const N: usize>(
    objective: &mut impl Objective<N>,
    start: &[f64; N],
    bounds: &Bounds<N>,
    stop: f64,
) -> Reached<N> {
    let mut p = bounds.clip(*start);
    let mut here = objective.expand(&p);
    let mut evaluations = 1;
    let (mut damping, mut growth, mut small_gains) = (1e-3, 2.0, 0);
    let mut converged = false;
    while evaluations < MAX_EVALUATIONS && here.is_finite() && !converged && damping < MAX_DAMPING {
        let (indices, n) = bounds.movable(&p, &here.gradient);
        if n == 0 {
            converged = true;
            break;
        }
        let Some(step) = damped_step(&here.curvature, &here.gradient, damping, &indices[..n]) else {
            damping *= growth;
            growth *= 2.0;
            continue;
        };
        let trial = bounds.clip(std::array::from_fn(|k| p[k] + step[k]));
        let moved: [f64; N] = std::array::from_fn(|k| trial[k] - p[k]);
        let predicted = -dot(&moved, &here.gradient) - 0.5 * small_matrix::bilinear(&here.curvature, &moved, &moved, N);
        if predicted.abs() < 1e-3 * stop && damping < 1.0 {
            converged = true;
            break;
        }
        let there = objective.expand(&trial);
        evaluations += 1;
        let gained = here.value - there.value;
        if gained > 0.0 && there.is_finite() {
            let ratio = if predicted > 0.0 { gained / predicted } else { 0.0 };
            damping *= (1.0 - (2.0 * ratio - 1.0).powi(3)).clamp(1.0 / 3.0, 2.0);
            growth = 2.0;
            // under heavy damping steps are short, and their gains say nothing
            small_gains = if gained < stop && damping < 1.0 { small_gains + 1 } else { 0 };
            converged = small_gains >= 2;
            p = trial;
            here = there;
        } else {
            // the values cannot be told apart any more: rounding, not a bad step
            if gained.abs() <= 8.0 * f64::EPSILON * here.value.abs() && damping < 1.0 {
                converged = true;
            }
            damping *= growth;
            growth *= 2.0;
        }
    }
    if !converged && here.is_finite() {
        // no step leads further down; it is a minimum if the undamped step promises nothing either
        converged = estimated_distance(&here.curvature, &p, &here.gradient, bounds).abs() < stop;
    }
    Reached { p, at: here, converged, evaluations }
}

/// Second-derivative matrix by central differences of the gradient, step 1e-5·max(|p|, 0.01) (spec 03 §1.7). Rows and
/// columns of fixed parameters are zero.
pub fn hessian<const N: usize>(objective: &mut impl Objective<N>, p: &[f64; N], bounds: &Bounds<N>) -> Matrix<N> {
    let mut hessian = [[0.0; N]; N];
    for k in (0..N).filter(|&k| !bounds.is_fixed(k)) {
        let step = 1e-5 * p[k].abs().max(0.01);
        let shifted = |by: f64| {
            let mut q = *p;
            q[k] += by;
            q
        };
        let (up, down) = (objective.gradient(&shifted(step)), objective.gradient(&shifted(-step)));
        for j in (0..N).filter(|&j| !bounds.is_fixed(j)) {
            hessian[k][j] = (up[j] - down[j]) / (2.0 * step);
        }
    }
    small_matrix::symmetrise(&mut hessian, N);
    hessian
}

/// Estimated distance to the minimum, ½·gᵀ·H⁻¹·g over the movable parameters; infinite when H is not positive definite.
pub fn estimated_distance<const N: usize>(
    hessian: &Matrix<N>,
    p: &[f64; N],
    gradient: &[f64; N],
    bounds: &Bounds<N>,
) -> f64 {
    let (indices, n) = bounds.movable(p, gradient);
    match damped_step(hessian, gradient, 0.0, &indices[..n]) {
        Some(step) => -0.5 * dot(&step, gradient),
        None => f64::INFINITY,
    }
}

/// Newton steps with one full Hessian, refreshed when progress slows; never goes uphill. Returns the point and the
/// Hessian there. `converged` tells whether the estimated distance to the minimum is below 2e-6 (spec 03 §1.7).
pub fn polish<const N: usize>(
    objective: &mut impl Objective<N>,
    mut reached: Reached<N>,
    bounds: &Bounds<N>,
) -> (Reached<N>, Matrix<N>) {
    let goal = 1e-12;
    let mut matrix = hessian(objective, &reached.p, bounds);
    let mut fresh = true;
    for _ in 0..30 {
        let (indices, n) = bounds.movable(&reached.p, &reached.at.gradient);
        let Some(step) = damped_step(&matrix, &reached.at.gradient, 0.0, &indices[..n]) else {
            break;
        };
        let distance = -0.5 * dot(&step, &reached.at.gradient);
        if distance.abs() < goal {
            break;
        }
        let trial = bounds.clip(std::array::from_fn(|k| reached.p[k] + step[k]));
        let there = objective.expand(&trial);
        reached.evaluations += 1;
        let rounding = 16.0 * f64::EPSILON * reached.at.value.abs();
        if there.is_finite() && there.value <= reached.at.value + rounding {
            let slow = {
                let (indices, n) = bounds.movable(&trial, &there.gradient);
                damped_step(&matrix, &there.gradient, 0.0, &indices[..n])
                    .is_none_or(|next| -0.5 * dot(&next, &there.gradient) > 0.1 * distance)
            };
            reached.p = trial;
            reached.at = there;
            fresh = false;
            if !slow {
                continue;
            }
        }
        if fresh {
            break;
        }
        matrix = hessian(objective, &reached.p, bounds);
        fresh = true;
    }
    if !fresh {
        matrix = hessian(objective, &reached.p, bounds);
    }
    let distance = estimated_distance(&matrix, &reached.p, &reached.at.gradient, bounds);
    reached.converged = if distance.is_finite() { distance.abs() < 2e-6 } else { reached.converged };
    (reached, matrix)
}

/// C = 2·H⁻¹ over the parameters that are neither fixed nor on a limit; zero elsewhere. `None` when H is not positive
/// definite there.
pub fn covariance<const N: usize>(hessian: &Matrix<N>, p: &[f64; N], bounds: &Bounds<N>) -> Option<Matrix<N>> {
    let (indices, n) = bounds.interior(p);
    let inverse = small_matrix::inverse(&pack(hessian, &indices[..n]), n)?;
    let mut covariance = [[0.0; N]; N];
    for i in 0..n {
        for j in 0..n {
            covariance[indices[i]][indices[j]] = 2.0 * inverse[i][j];
        }
    }
    Some(covariance)
}

/// The error Minuit quotes for a parameter limited on both sides: it works in u with p = l + ½(h−l)(1 + sin u) and
/// averages the two displacements of p for u ± δ. `error` is the parabolic error in p itself; without two finite
/// limits it is returned as it is.
pub fn quoted_error(value: f64, error: f64, lo: f64, hi: f64) -> f64 {
    let range = hi - lo;
    if !(range.is_finite() && range > 0.0 && error.is_finite()) {
        return error;
    }
    let sine = (2.0 * (value - lo) / range - 1.0).clamp(-1.0, 1.0);
    let u = sine.asin();
    let delta = 2.0 * error / (range * u.cos());
    if !delta.is_finite() {
        return f64::NAN;
    }
    let at = |u: f64| lo + 0.5 * range * (1.0 + u.sin());
    let up = if delta > 1.0 { range } else { (at(u + delta) - value).abs() };
    let down = (at(u - delta) - value).abs();
    0.5 * (up + down)
}

/// One end of a profile interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum IntervalEnd {
    /// The profiled objective is 1 above its minimum at this value.
    Found(f64),
    /// A limit of the parameter comes first.
    AtLimit(f64),
    /// The search did not settle, or found a lower minimum.
    Failed,
}

impl IntervalEnd {
    /// The value where F has risen by 1, if there is one.
    pub fn value(self) -> Option<f64> {
        match self {
            Self::Found(x) => Some(x),
            Self::AtLimit(_) | Self::Failed => None,
        }
    }
}

/// Both ends of the profile interval of parameter `k` around the minimum `best` with covariance `cov`.
pub fn profile_interval<const N: usize>(
    objective: &mut impl Objective<N>,
    best: &Reached<N>,
    cov: &Matrix<N>,
    bounds: &Bounds<N>,
    k: usize,
) -> [IntervalEnd; 2] {
    [-1.0, 1.0].map(|side| profile_end(objective, best, cov, bounds, k, side))
}

fn profile_end<const N: usize>(
    objective: &mut impl Objective<N>,
    best: &Reached<N>,
    cov: &Matrix<N>,
    bounds: &Bounds<N>,
    k: usize,
    side: f64,
) -> IntervalEnd {
    let sigma = cov[k][k].max(0.0).sqrt();
    if sigma == 0.0 || !sigma.is_finite() {
        return IntervalEnd::Failed;
    }
    let limit = if side < 0.0 { bounds.lo[k] } else { bounds.hi[k] };
    // s = √(F − F_min) is nearly linear in the displacement d (in σ): solve s(d) = 1
    let (mut near, mut far) = ((0.0, 0.0), None::<(f64, f64)>);
    let mut others = best.p;
    let mut last = 0.0;
    let mut distance = 1.0;
    for _ in 0..25 {
        let mut x = best.p[k] + side * distance * sigma;
        let beyond = (x - limit) * side >= 0.0;
        if beyond {
            x = limit;
            distance = (x - best.p[k]).abs() / sigma;
        }
        // start of the inner minimisation: move the others along the regression on p[k]
        for j in 0..N {
            others[j] += cov[j][k] / cov[k][k] * side * (distance - last) * sigma;
        }
        others[k] = x;
        last = distance;
        let mut inner = *bounds;
        inner.lo[k] = x;
        inner.hi[k] = x;
        let reached = descend(objective, &others, &inner, 1e-6);
        if !reached.at.is_finite() {
            return IntervalEnd::Failed;
        }
        others = reached.p;
        let rise = reached.at.value - best.at.value;
        if rise < -1e-3 {
            return IntervalEnd::Failed;
        }
        if (rise - 1.0).abs() < 2e-5 {
            return IntervalEnd::Found(x);
        }
        let s = rise.max(0.0).sqrt();
        if s < 1.0 {
            if beyond {
                return IntervalEnd::AtLimit(limit);
            }
            near = (distance, s);
        } else {
            far = Some((distance, s));
        }
        distance = match far {
            Some(far) => {
                // inside the bracket: the chord, kept off its ends
                let chord = near.0 + (1.0 - near.1) * (far.0 - near.0) / (far.1 - near.1);
                let margin = 1e-3 * (far.0 - near.0);
                if margin < 1e-9 {
                    return IntervalEnd::Found(x);
                }
                chord.clamp(near.0 + margin, far.0 - margin)
            }
            None if s > 0.1 => (distance / s).min(4.0 * distance),
            None => 4.0 * distance,
        };
    }
    IntervalEnd::Failed
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rosenbrock's valley as a sum of two squares.
    struct Valley;

    impl Objective<2> for Valley {
        fn expand(&mut self, &[x, y]: &[f64; 2]) -> Expansion<2> {
            let (r0, r1) = (1.0 - x, 10.0 * (y - x * x));
            let (j0, j1) = ([-1.0, 0.0], [-20.0 * x, 10.0]);
            let mut e = Expansion { value: r0 * r0 + r1 * r1, ..Expansion::ZERO };
            for a in 0..2 {
                e.gradient[a] = 2.0 * (r0 * j0[a] + r1 * j1[a]);
                for b in 0..2 {
                    e.curvature[a][b] = 2.0 * (j0[a] * j0[b] + j1[a] * j1[b]);
                }
            }
            e
        }
    }

    const OPEN: Bounds<2> = Bounds { lo: [f64::NEG_INFINITY; 2], hi: [f64::INFINITY; 2] };

    #[test]
    fn follows_a_valley() {
        let reached = descend(&mut Valley, &[-1.2, 1.0], &OPEN, 1e-10);
        let (reached, matrix) = polish(&mut Valley, reached, &OPEN);
        assert!(reached.converged);
        // F is below 1e-12 there, so x is within 1e-6
        assert!((reached.p[0] - 1.0).abs() < 1e-6 && (reached.p[1] - 1.0).abs() < 2e-6, "{:?}", reached.p);
        // exact Hessian at (1, 1): [[802, −400], [−400, 200]], so C = [[1, 2], [2, 4.01]]
        let cov = covariance(&matrix, &reached.p, &OPEN).unwrap();
        assert!((cov[0][0] - 1.0).abs() < 1e-4 && (cov[1][1] - 4.01).abs() < 4e-4 && (cov[0][1] - 2.0).abs() < 2e-4);
    }

    #[test]
    fn stops_on_the_wall() {
        // with x ≤ 0.5 the minimum is (0.5, 0.25), F = 0.25
        let bounds = Bounds { lo: [-2.0, -2.0], hi: [0.5, 2.0] };
        let (reached, matrix) = {
            let reached = descend(&mut Valley, &[-1.2, 1.0], &bounds, 1e-10);
            polish(&mut Valley, reached, &bounds)
        };
        assert_eq!(reached.p[0], 0.5);
        assert!((reached.p[1] - 0.25).abs() < 1e-9 && (reached.at.value - 0.25).abs() < 1e-12);
        let cov = covariance(&matrix, &reached.p, &bounds).unwrap();
        assert_eq!(cov[0][0], 0.0);
        assert!((cov[1][1] - 0.01).abs() < 1e-8);
    }

    #[test]
    fn profile_of_the_valley() {
        // minimising over y leaves (1 − x)²: the interval is exactly 1 ± 1, though the valley bends by 3 units of y
        let reached = descend(&mut Valley, &[-1.2, 1.0], &OPEN, 1e-10);
        let (reached, matrix) = polish(&mut Valley, reached, &OPEN);
        let cov = covariance(&matrix, &reached.p, &OPEN).unwrap();
        let [lo, hi] = profile_interval(&mut Valley, &reached, &cov, &OPEN, 0).map(|end| end.value().unwrap());
        assert!(lo.abs() < 2e-5 && (hi - 2.0).abs() < 2e-5, "{lo} {hi}");
        let walled = Bounds { lo: [0.5, -9.0], hi: [1.5, 9.0] };
        let ends = profile_interval(&mut Valley, &reached, &cov, &walled, 0);
        assert_eq!(ends, [IntervalEnd::AtLimit(0.5), IntervalEnd::AtLimit(1.5)]);
    }
}
