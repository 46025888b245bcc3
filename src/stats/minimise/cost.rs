//! Objectives with numerical derivatives.

use super::MAX_PARAMETERS;
use crate::stats::bounded_search::{Bounds, Expansion, Objective};
use crate::stats::dark_current::objective::{LOG_FLOOR, floored_ln};
use crate::stats::small_matrix::{self, Matrix};

type Point = [f64; MAX_PARAMETERS];

/// An objective of [`super::Fit`].
pub(super) trait Cost: Objective<MAX_PARAMETERS> {
    /// The value alone.
    fn value(&mut self, p: &Point) -> f64;

    /// First guess of a displacement of parameter `k` that changes the value noticeably.
    fn scale(&self, k: usize) -> f64;

    /// From now on the curvature may be taken as this matrix (near the minimum).
    fn keep_curvature(&mut self, _hessian: &Matrix<MAX_PARAMETERS>) {}
}

/// Data of a [`VectorCost`].
pub(super) enum VectorKind {
    /// Σ w·(y − f)²; weight 0 leaves a datum out.
    LeastSquares(Vec<f64>),
    /// Baker–Cousins.
    Poisson,
}

/// χ² or Poisson likelihood of a vector of data; the model's Jacobian is taken by central differences.
pub(super) struct VectorCost<'a, M> {
    data: &'a [f64],
    kind: VectorKind,
    model: M,
    bounds: Bounds<MAX_PARAMETERS>,
    n: usize,
    scales: Point,
    expected: Vec<f64>,
    shifted: Vec<f64>,
    jacobian: Vec<Vec<f64>>,
}

impl<'a, M: FnMut(&[f64], &mut [f64])> VectorCost<'a, M> {
    pub(super) fn new(
        data: &'a [f64],
        kind: VectorKind,
        model: M,
        bounds: &Bounds<MAX_PARAMETERS>,
        n: usize,
        scales: Point,
    ) -> Self {
        let column = || vec![0.0; data.len()];
        Self {
            data,
            kind,
            model,
            bounds: *bounds,
            n,
            scales,
            expected: column(),
            shifted: column(),
            jacobian: (0..n).map(|_| column()).collect(),
        }
    }

    fn compare(&self) -> f64 {
        let pairs = self.data.iter().zip(&self.expected);
        match &self.kind {
            VectorKind::LeastSquares(weights) => {
                let used = pairs.zip(weights).filter(|(_, weight)| **weight > 0.0);
                used.map(|((y, f), weight)| (y - f) * (y - f) * weight).sum()
            }
            VectorKind::Poisson => {
                let term = |(&h, &f): (&f64, &f64)| {
                    if f < 0.0 || f.is_nan() {
                        f64::INFINITY
                    } else if h > 0.0 {
                        f - h + h * (h.ln() - floored_ln(f))
                    } else {
                        f
                    }
                };
                2.0 * pairs.map(term).sum::<f64>()
            }
        }
    }

    fn fill_jacobian(&mut self, p: &Point) {
        for k in (0..self.n).filter(|&k| !self.bounds.is_fixed(k)) {
            // cube root of the rounding: best for central differences
            let step = 6e-6 * p[k].abs().max(0.1 * self.scales[k]);
            let (mut up, mut down) = (*p, *p);
            up[k] = (p[k] + step).min(self.bounds.hi[k]);
            down[k] = (p[k] - step).max(self.bounds.lo[k]);
            let inverse = 1.0 / (up[k] - down[k]);
            (self.model)(&up[..self.n], &mut self.shifted);
            self.jacobian[k].copy_from_slice(&self.shifted);
            (self.model)(&down[..self.n], &mut self.shifted);
            for (d, low) in self.jacobian[k].iter_mut().zip(&self.shifted) {
                *d = (*d - low) * inverse;
            }
        }
    }
}

impl<M: FnMut(&[f64], &mut [f64])> Cost for VectorCost<'_, M> {
    fn value(&mut self, p: &Point) -> f64 {
        (self.model)(&p[..self.n], &mut self.expected);
        self.compare()
    }

    fn scale(&self, k: usize) -> f64 {
        self.scales[k]
    }
}

impl<M: FnMut(&[f64], &mut [f64])> Objective<MAX_PARAMETERS> for VectorCost<'_, M> {
    fn expand(&mut self, p: &Point) -> Expansion<MAX_PARAMETERS> {
        let mut e = Expansion { value: self.value(p), ..Expansion::ZERO };
        if !e.value.is_finite() {
            return e;
        }
        self.fill_jacobian(p);
        let free: Vec<usize> = (0..self.n).filter(|&k| !self.bounds.is_fixed(k)).collect();
        for (i, &y) in self.data.iter().enumerate() {
            let f = self.expected[i];
            let (slope, weight) = match &self.kind {
                VectorKind::LeastSquares(weights) if weights[i] > 0.0 => {
                    (-2.0 * (y - f) * weights[i], 2.0 * weights[i])
                }
                VectorKind::LeastSquares(_) => continue,
                VectorKind::Poisson => {
                    let floored = f.max(LOG_FLOOR);
                    // of f − h·ln f with respect to f
                    (2.0 * (1.0 - y / floored), 2.0 * y / floored / floored)
                }
            };
            for (a, &row) in free.iter().enumerate() {
                let d = self.jacobian[row][i];
                if d == 0.0 {
                    continue;
                }
                e.gradient[row] += slope * d;
                for &col in &free[..=a] {
                    e.curvature[row][col] += weight * d * self.jacobian[col][i];
                }
            }
        }
        for row in 0..self.n {
            for col in 0..row {
                e.curvature[col][row] = e.curvature[row][col];
            }
        }
        e
    }
}

/// Any function; first and second derivatives by differences of its values.
pub(super) struct ScalarCost<'a> {
    function: &'a mut dyn FnMut(&[f64]) -> f64,
    bounds: Bounds<MAX_PARAMETERS>,
    /// Displacements used for the differences; adapted so that the function changes by about a hundredth.
    steps: Point,
    kept: Option<Matrix<MAX_PARAMETERS>>,
}

/// Change of the function, in units of one standard deviation, that differences aim at.
const AIM: f64 = 1e-3;

impl<'a> ScalarCost<'a> {
    pub(super) fn new(
        function: &'a mut dyn FnMut(&[f64]) -> f64,
        bounds: &Bounds<MAX_PARAMETERS>,
        scales: Point,
    ) -> Self {
        Self { function, bounds: *bounds, steps: scales.map(|scale| 0.03 * scale), kept: None }
    }

    /// Centre of the differences in parameter `k`: `p[k]`, or so far inside that both neighbours respect the limits.
    fn centre(&self, p: &Point, k: usize, step: f64) -> f64 {
        let (lo, hi) = (self.bounds.lo[k] + step, self.bounds.hi[k] - step);
        if lo > hi { 0.5 * (self.bounds.lo[k] + self.bounds.hi[k]) } else { p[k].max(lo).min(hi) }
    }
}

impl Cost for ScalarCost<'_> {
    fn value(&mut self, p: &Point) -> f64 {
        (self.function)(p)
    }

    fn scale(&self, k: usize) -> f64 {
        self.steps[k]
    }

    fn keep_curvature(&mut self, hessian: &Matrix<MAX_PARAMETERS>) {
        self.kept = Some(*hessian);
    }
}

impl Objective<MAX_PARAMETERS> for ScalarCost<'_> {
    fn expand(&mut self, p: &Point) -> Expansion<MAX_PARAMETERS> {
        let mut e = Expansion { value: self.value(p), ..Expansion::ZERO };
        if !e.value.is_finite() {
            return e;
        }
        let free: Vec<usize> = (0..MAX_PARAMETERS).filter(|&k| !self.bounds.is_fixed(k)).collect();
        let mut centre = *p;
        for &k in &free {
            let range = self.bounds.hi[k] - self.bounds.lo[k];
            let step = self.steps[k].min(0.25 * range);
            let at = self.centre(p, k, step);
            let mut q = *p;
            let mut shifted = |x: f64| {
                q[k] = x;
                (self.function)(&q)
            };
            let (up, down) = (shifted(at + step), shifted(at - step));
            let middle = if at == p[k] { e.value } else { shifted(at) };
            let second = (up + down - 2.0 * middle) / (step * step);
            e.gradient[k] = (up - down) / (2.0 * step) + second * (p[k] - at);
            e.curvature[k][k] = second;
            centre[k] = at;
            // next time: a step that raises the function by AIM at this curvature, but well above its rounding
            let aim = AIM.max(1e4 * f64::EPSILON * e.value.abs());
            let better = (2.0 * aim / second.abs()).sqrt();
            if better.is_finite() && better > 0.0 {
                self.steps[k] = better.clamp(0.1 * step, 10.0 * step);
            }
        }
        if let Some(kept) = self.kept {
            e.curvature = kept;
            return e;
        }
        for (a, &row) in free.iter().enumerate() {
            for &col in &free[..a] {
                let (hr, hc) = (self.steps[row], self.steps[col]);
                let mut corner = |r: f64, c: f64| {
                    let mut q = *p;
                    q[row] = (centre[row] + r * hr).max(self.bounds.lo[row]).min(self.bounds.hi[row]);
                    q[col] = (centre[col] + c * hc).max(self.bounds.lo[col]).min(self.bounds.hi[col]);
                    (self.function)(&q)
                };
                let mixed = corner(1.0, 1.0) + corner(-1.0, -1.0) - corner(1.0, -1.0) - corner(-1.0, 1.0);
                let mixed = mixed / (4.0 * hr * hc);
                e.curvature[row][col] = if mixed.is_finite() { mixed } else { 0.0 };
                e.curvature[col][row] = e.curvature[row][col];
            }
        }
        make_positive(&mut e.curvature, &free);
        e
    }
}

/// Where the function is not convex its curvature serves only as a scale: the absolute values of the diagonal.
fn make_positive(curvature: &mut Matrix<MAX_PARAMETERS>, free: &[usize]) {
    let mut packed = [[0.0; MAX_PARAMETERS]; MAX_PARAMETERS];
    for (i, &row) in free.iter().enumerate() {
        for (j, &col) in free.iter().enumerate() {
            packed[i][j] = curvature[row][col];
        }
    }
    if small_matrix::cholesky(&packed, free.len()).is_some() {
        return;
    }
    for &row in free {
        for &col in free {
            curvature[row][col] =
                if row == col && curvature[row][row].is_finite() { curvature[row][row].abs() } else { 0.0 };
        }
    }
}
