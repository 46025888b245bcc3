//! Weighted least-squares polynomial through points with y errors.

use crate::stats::small_matrix;

/// Highest degree.
pub const MAX_DEGREE: usize = 9;

/// Number of coefficients of the highest degree.
const N: usize = MAX_DEGREE + 1;

/// A fitted polynomial Σ c_k·x^k.
#[derive(Debug, Clone, PartialEq)]
pub struct Polynomial {
    /// Coefficients c_0, c_1, …
    pub coefficients: Vec<f64>,
    /// Their errors, from the errors of the points.
    pub errors: Vec<f64>,
    /// Σ ((y − p(x))/error)².
    pub chi2: f64,
    /// Points − coefficients.
    pub ndf: i64,
}

impl Polynomial {
    /// The polynomial at `x`.
    pub fn value(&self, x: f64) -> f64 {
        self.coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c)
    }
}

/// Fits a polynomial of this degree (at most [`MAX_DEGREE`]) to points (x, y, error). Points that are not finite or whose
/// error is not positive are left out; `None` when fewer points than coefficients remain.
///
/// Solved in x scaled to [−1, 1] around the middle, where the normal equations are well conditioned.
pub fn fit_polynomial(points: &[(f64, f64, f64)], degree: usize) -> Option<Polynomial> {
    let n = degree.min(MAX_DEGREE) + 1;
    let used: Vec<(f64, f64, f64)> = points
        .iter()
        .copied()
        .filter(|(x, y, e)| x.is_finite() && y.is_finite() && e.is_finite() && *e > 0.0)
        .collect();
    if used.len() < n {
        return None;
    }
    let (lo, hi) = used.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), p| (lo.min(p.0), hi.max(p.0)));
    let middle = 0.5 * (lo + hi);
    let half = if hi > lo { 0.5 * (hi - lo) } else { 1.0 };
    let (mut normal, mut right) = ([[0.0; N]; N], [0.0; N]);
    for (x, y, e) in &used {
        let t = (x - middle) / half;
        let mut powers = [1.0; N];
        for k in 1..n {
            powers[k] = powers[k - 1] * t;
        }
        for i in 0..n {
            right[i] += powers[i] * y / (e * e);
            for j in 0..n {
                normal[i][j] += powers[i] * powers[j] / (e * e);
            }
        }
    }
    let inverse = small_matrix::inverse(&normal, n)?;
    let scaled: Vec<f64> = (0..n).map(|i| (0..n).map(|j| inverse[i][j] * right[j]).sum()).collect();
    // t^k = Σ_m binomial(k, m) (−middle)^(k−m) x^m / half^k: row m of the map from scaled to plain coefficients
    let mut map = [[0.0; N]; N];
    for k in 0..n {
        let mut binomial = 1.0;
        for m in (0..=k).rev() {
            map[m][k] = binomial * (-middle).powi((k - m) as i32) / half.powi(k as i32);
            binomial *= m as f64 / (k - m + 1) as f64;
        }
    }
    let coefficients: Vec<f64> = (0..n).map(|m| (0..n).map(|k| map[m][k] * scaled[k]).sum()).collect();
    let variance =
        |m: usize| -> f64 { (0..n).map(|i| (0..n).map(|j| map[m][i] * inverse[i][j] * map[m][j]).sum::<f64>()).sum() };
    let errors = (0..n).map(|m| variance(m).max(0.0).sqrt()).collect();
    let at = |t: f64| scaled.iter().rev().fold(0.0, |sum, c| sum * t + c);
    let chi2 = used.iter().map(|(x, y, e)| ((y - at((x - middle) / half)) / e).powi(2)).sum();
    Some(Polynomial { coefficients, errors, chi2, ndf: used.len() as i64 - n as i64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_line_has_the_textbook_errors() {
        // five points with equal errors 0.1: slope error σ/√Σ(x−x̄)², intercept σ·√(1/n + x̄²/Σ(x−x̄)²)
        let points: Vec<_> = (0..5).map(|i| (100.0 + f64::from(i), 3.0 - 0.25 * f64::from(i), 0.1)).collect();
        let line = fit_polynomial(&points, 1).unwrap();
        assert!((line.coefficients[1] + 0.25).abs() < 1e-12 && (line.coefficients[0] - 28.0).abs() < 1e-10);
        assert!((line.errors[1] - 0.1 / 10f64.sqrt()).abs() < 1e-12);
        assert!((line.errors[0] - 0.1 * (0.2 + 102f64.powi(2) / 10.0).sqrt()).abs() < 1e-10);
        assert!(line.chi2 < 1e-20 && line.ndf == 3);
    }

    #[test]
    fn a_parabola_is_recovered_and_bad_points_are_left_out() {
        let mut points: Vec<_> = (0..20).map(f64::from).map(|x| (x, 1.0 - 2.0 * x + 0.5 * x * x, 0.3)).collect();
        points.push((5.0, 1e9, 0.0));
        points.push((5.0, f64::NAN, 1.0));
        let fit = fit_polynomial(&points, 2).unwrap();
        for (found, expected) in fit.coefficients.iter().zip([1.0, -2.0, 0.5]) {
            assert!((found - expected).abs() < 1e-9, "{:?}", fit.coefficients);
        }
        assert_eq!(fit.ndf, 17);
        assert!((fit.value(4.0) - 1.0).abs() < 1e-9);
        assert_eq!(fit_polynomial(&points[..2], 2), None);
    }
}
