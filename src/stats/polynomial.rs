//! Weighted least-squares polynomials in closed form: straight lines against rows, linearity, trends.
//!
//! The normal equations are set up in x shifted and scaled to [−1, 1], where they are well conditioned for the few
//! degrees used here, and transformed back. Errors are those of the given σ (C = (JᵀWJ)⁻¹), not scaled by the
//! residuals.

use crate::stats::error::StatsError;
use crate::stats::small_matrix;

/// Highest degree.
pub const MAX_DEGREE: usize = 7;

const N: usize = MAX_DEGREE + 1;

/// A fitted polynomial Σ cₖ·xᵏ.
#[derive(Debug, Clone, PartialEq)]
pub struct PolynomialFit {
    /// cₖ, lowest power first; NaN without enough points.
    pub coefficients: Vec<f64>,
    /// Their covariance.
    pub covariance: Vec<Vec<f64>>,
    /// Σ ((y − f(x))/σ)².
    pub chi2: f64,
    /// Points − coefficients.
    pub ndf: i64,
}

impl PolynomialFit {
    /// Value at x.
    pub fn at(&self, x: f64) -> f64 {
        self.coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c)
    }

    /// Error of the coefficient of xᵏ; NaN if there is none.
    pub fn error(&self, k: usize) -> f64 {
        self.covariance.get(k).map_or(f64::NAN, |row| row[k].sqrt())
    }

    /// χ²/NDF, −999 without degrees of freedom.
    pub fn chi2_per_ndf(&self) -> f64 {
        if self.ndf > 0 && self.chi2.is_finite() { self.chi2 / self.ndf as f64 } else { -999.0 }
    }
}

/// Fits a polynomial of `degree` to points with errors `sigma`; points that are not finite, or whose error is not
/// finite and positive, are left out. With fewer different x than coefficients everything is NaN.
///
/// # Errors
/// Different lengths, or a degree above [`MAX_DEGREE`].
pub fn fit_polynomial(x: &[f64], y: &[f64], sigma: &[f64], degree: usize) -> Result<PolynomialFit, StatsError> {
    for (what, got) in [("y values of a polynomial fit", y.len()), ("errors of a polynomial fit", sigma.len())] {
        if got != x.len() {
            return Err(StatsError::Length { what, expected: x.len(), got });
        }
    }
    if degree > MAX_DEGREE {
        return Err(StatsError::Length { what: "coefficients of a polynomial", expected: N, got: degree + 1 });
    }
    let points: Vec<(f64, f64, f64)> = x
        .iter()
        .zip(y)
        .zip(sigma)
        .map(|((&x, &y), &sigma)| (x, y, 1.0 / (sigma * sigma)))
        .filter(|(x, y, w)| x.is_finite() && y.is_finite() && w.is_finite() && *w > 0.0)
        .collect();
    let n = degree + 1;
    let ndf = points.len() as i64 - n as i64;
    let undetermined =
        PolynomialFit { coefficients: vec![f64::NAN; n], covariance: vec![vec![f64::NAN; n]; n], chi2: f64::NAN, ndf };
    let (lo, hi) = points.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), p| (lo.min(p.0), hi.max(p.0)));
    if ndf < 0 {
        return Ok(undetermined);
    }
    let (centre, half) = (0.5 * (lo + hi), if hi > lo { 0.5 * (hi - lo) } else { 1.0 });
    let mut matrix = [[0.0; N]; N];
    let mut rhs = [0.0; N];
    for &(x, y, w) in &points {
        let u = (x - centre) / half;
        let mut powers = [1.0; N];
        for k in 1..n {
            powers[k] = powers[k - 1] * u;
        }
        for row in 0..n {
            rhs[row] += w * powers[row] * y;
            for col in 0..n {
                matrix[row][col] += w * powers[row] * powers[col];
            }
        }
    }
    let (Some(scaled), Some(inverse)) = (small_matrix::solve(&matrix, &rhs, n), small_matrix::inverse(&matrix, n))
    else {
        return Ok(undetermined);
    };
    let back = transformation(centre, half, n);
    let coefficients: Vec<f64> = (0..n).map(|k| (0..n).map(|j| back[k][j] * scaled[j]).sum()).collect();
    let covariance = (0..n)
        .map(|row| {
            (0..n)
                .map(|col| {
                    let term = |i: usize, j: usize| back[row][i] * inverse[i][j] * back[col][j];
                    (0..n).map(|i| (0..n).map(|j| term(i, j)).sum::<f64>()).sum()
                })
                .collect()
        })
        .collect();
    let chi2 = points
        .iter()
        .map(|&(x, y, w)| {
            let u = (x - centre) / half;
            let f = scaled[..n].iter().rev().fold(0.0, |sum, c| sum * u + c);
            w * (y - f) * (y - f)
        })
        .sum();
    Ok(PolynomialFit { coefficients, covariance, chi2, ndf })
}

/// Coefficient of xᵏ in ((x − centre)/half)ʲ, as `[k][j]`.
fn transformation(centre: f64, half: f64, n: usize) -> [[f64; N]; N] {
    let mut matrix = [[0.0; N]; N];
    matrix[0][0] = 1.0;
    for j in 1..n {
        for k in 0..=j {
            let raised = if k > 0 { matrix[k - 1][j - 1] } else { 0.0 };
            matrix[k][j] = (raised - centre * matrix[k][j - 1]) / half;
        }
    }
    matrix
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::test_data::SplitMix64;

    #[test]
    fn straight_line() {
        // y = 0, 1, 1, 2 at x = 0…3, σ = 1: slope 0.6, intercept 0.1, χ² 0.2; Var(slope) = 1/5, Var(intercept) = 0.7
        let fit = fit_polynomial(&[0., 1., 2., 3.], &[0., 1., 1., 2.], &[1.0; 4], 1).unwrap();
        for (value, expected) in fit.coefficients.iter().zip([0.1, 0.6]) {
            assert!((value - expected).abs() < 1e-12);
        }
        assert!((fit.error(1) - 0.2f64.sqrt()).abs() < 1e-12 && (fit.error(0) - 0.7f64.sqrt()).abs() < 1e-12);
        assert!((fit.covariance[0][1] + 0.3).abs() < 1e-12);
        assert!((fit.chi2 - 0.2).abs() < 1e-12);
        assert_eq!(fit.ndf, 2);
    }

    #[test]
    fn recovers_a_polynomial_far_from_the_origin() {
        let x: Vec<f64> = (0..50).map(|i| 1000.0 + f64::from(i)).collect();
        let exact = |x: f64| 3.0 - 2.0 * (x - 1020.0) + 0.01 * (x - 1020.0).powi(2);
        let y: Vec<f64> = x.iter().map(|&x| exact(x)).collect();
        let fit = fit_polynomial(&x, &y, &[0.5; 50], 2).unwrap();
        // powers of 1000 cost six digits
        assert!(x.iter().all(|&x| (fit.at(x) - exact(x)).abs() < 1e-7));
        assert!((fit.coefficients[2] - 0.01).abs() < 1e-12);
    }

    #[test]
    fn pulls_are_standard() {
        // 2000 lines of ten points: the mean pull is 0 ± 0.022, its width 1 ± 0.016
        let mut random = SplitMix64(5);
        let x: Vec<f64> = (0..10).map(f64::from).collect();
        let pulls: Vec<f64> = (0..2000)
            .map(|_| {
                let y: Vec<f64> = x.iter().map(|x| 1.0 - 0.3 * x + 0.2 * random.gaussian()).collect();
                let fit = fit_polynomial(&x, &y, &[0.2; 10], 1).unwrap();
                (fit.coefficients[1] + 0.3) / fit.error(1)
            })
            .collect();
        let (mean, width) = crate::stats::robust::mean_and_std(&pulls, crate::stats::robust::Ddof::Population);
        assert!(mean.abs() < 4.0 * 0.022 && (width - 1.0).abs() < 4.0 * 0.016);
    }

    #[test]
    fn undetermined_and_wrong_input() {
        assert!(fit_polynomial(&[1.0], &[1.0, 2.0], &[1.0], 1).is_err());
        assert!(fit_polynomial(&[1.0], &[1.0], &[1.0], 8).is_err());
        let same_x = fit_polynomial(&[2.0; 5], &[1.0; 5], &[1.0; 5], 1).unwrap();
        assert!(same_x.coefficients[0].is_nan());
        let few = fit_polynomial(&[1.0, 2.0], &[f64::NAN, 1.0], &[1.0, 1.0], 1).unwrap();
        assert_eq!((few.ndf, few.chi2_per_ndf()), (-1, -999.0));
        let constant = fit_polynomial(&[2.0; 4], &[1.0, 2.0, 3.0, 4.0], &[1.0; 4], 0).unwrap();
        assert!((constant.coefficients[0] - 2.5).abs() < 1e-12);
    }
}
