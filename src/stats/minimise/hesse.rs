//! Second derivatives of an objective at its minimum, by differences of its values with steps of a fraction of the
//! errors: what HESSE does.

use super::MAX_PARAMETERS;
use super::cost::Cost;
use crate::stats::bounded_search::{Bounds, Reached};
use crate::stats::small_matrix::Matrix;

/// Rise of the objective aimed at by a step: a step of 0.07 standard deviations. Smaller ones drown in rounding, larger
/// ones see the third derivatives.
const RISE: f64 = 5e-3;

/// Second-derivative matrix at `reached`; rows of parameters that are fixed or on a limit are zero.
pub(super) fn second_derivatives(
    cost: &mut impl Cost,
    reached: &Reached<MAX_PARAMETERS>,
    bounds: &Bounds<MAX_PARAMETERS>,
) -> Matrix<MAX_PARAMETERS> {
    let mut hessian = [[0.0; MAX_PARAMETERS]; MAX_PARAMETERS];
    let (free, n) = bounds.interior(&reached.p);
    let free = &free[..n];
    let middle = reached.at.value;
    let mut steps = [0.0; MAX_PARAMETERS];
    // differences must stand clear of the rounding of the value
    let rise = RISE.max(1e5 * f64::EPSILON * middle.abs());
    for &k in free {
        let room = (reached.p[k] - bounds.lo[k]).min(bounds.hi[k] - reached.p[k]);
        let curvature = reached.at.curvature[k][k];
        let mut step = if curvature > 0.0 { (2.0 * rise / curvature).sqrt() } else { cost.scale(k) };
        for _ in 0..4 {
            step = step.min(0.9 * room).max(f64::MIN_POSITIVE);
            let mut at = |x: f64| {
                let mut q = reached.p;
                q[k] = x;
                cost.value(&q)
            };
            let second = (at(reached.p[k] + step) + at(reached.p[k] - step) - 2.0 * middle) / (step * step);
            hessian[k][k] = second;
            steps[k] = step;
            let better = (2.0 * rise / second.abs()).sqrt();
            if !better.is_finite() || (better / step - 1.0).abs() < 0.3 {
                break;
            }
            step = better.clamp(0.02 * step, 50.0 * step);
        }
    }
    for (a, &row) in free.iter().enumerate() {
        for &col in &free[..a] {
            let mut corner = |r: f64, c: f64| {
                let mut q = reached.p;
                q[row] += r * steps[row];
                q[col] += c * steps[col];
                cost.value(&q)
            };
            let mixed = corner(1.0, 1.0) + corner(-1.0, -1.0) - corner(1.0, -1.0) - corner(-1.0, 1.0);
            hessian[row][col] = mixed / (4.0 * steps[row] * steps[col]);
            hessian[col][row] = hessian[row][col];
        }
    }
    hessian
}
