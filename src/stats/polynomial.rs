//! Weighted least-squares polynomials in closed form: straight lines against rows, linearity, trends.
//!
//! The normal equations are set up in x shifted and scaled to [−1, 1], where they are well conditioned for the few
//! degrees used here, and transformed back. Errors are those of the given σ, or covariance V of the points
//! (C = (JᵀV⁻¹J)⁻¹), not scaled by the residuals.

use crate::stats::band_matrix::BandMatrix;
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
    check_lengths(
        x,
        &[("y values of a polynomial fit", y.len()), ("errors of a polynomial fit", sigma.len())],
        degree,
    )?;
    let points: Vec<(f64, f64, f64)> = x
        .iter()
        .zip(y)
        .zip(sigma)
        .map(|((&x, &y), &sigma)| (x, y, 1.0 / sigma))
        .filter(|(x, y, w)| x.is_finite() && y.is_finite() && (w * w).is_finite() && *w > 0.0)
        .collect();
    let weighted = |column: &mut [f64]| column.iter_mut().zip(&points).for_each(|(c, p)| *c *= p.2);
    let x: Vec<f64> = points.iter().map(|p| p.0).collect();
    let y: Vec<f64> = points.iter().map(|p| p.1).collect();
    Ok(solve(&x, y, weighted, degree))
}

/// Fits a polynomial of `degree` to points whose errors are correlated: `covariance[i][j]` of points i and j. With fewer
/// different x than coefficients, or a covariance that is not positive definite, everything is NaN.
///
/// # Errors
/// Different lengths, or a degree above [`MAX_DEGREE`].
pub fn fit_correlated_polynomial(
    x: &[f64],
    y: &[f64],
    covariance: &[Vec<f64>],
    degree: usize,
) -> Result<PolynomialFit, StatsError> {
    check_lengths(x, &[("y values of a polynomial fit", y.len()), ("rows of a covariance", covariance.len())], degree)?;
    if let Some(row) = covariance.iter().find(|row| row.len() != x.len()) {
        return Err(StatsError::Length { what: "columns of a covariance", expected: x.len(), got: row.len() });
    }
    let finite = x.iter().chain(y).all(|v| v.is_finite());
    match BandMatrix::full(covariance).factor().filter(|_| finite) {
        Some(factor) => Ok(solve(x, y.to_vec(), |column: &mut [f64]| factor.whiten(column), degree)),
        None => Ok(undetermined(x.len() as i64 - degree as i64 - 1, degree + 1)),
    }
}

/// The covariance of the coefficients that [`fit_correlated_polynomial`] finds with the weights of `assumed`, if the points
/// scatter as `actual` says: (JᵀWJ)⁻¹JᵀW · actual · WJ(JᵀWJ)⁻¹ with W = assumed⁻¹. `actual` may be singular.
///
/// # Errors
/// As for the fit.
pub fn propagated_covariance(
    x: &[f64],
    assumed: &[Vec<f64>],
    actual: &[Vec<f64>],
    degree: usize,
) -> Result<Vec<Vec<f64>>, StatsError> {
    check_lengths(
        x,
        &[("rows of a covariance", actual.len()), ("rows of the assumed covariance", assumed.len())],
        degree,
    )?;
    let n = degree + 1;
    let unknown = || vec![vec![f64::NAN; n]; n];
    let Some(factor) = BandMatrix::full(assumed).factor() else { return Ok(unknown()) };
    let scale = Scale::of(x);
    // columns of J and of WJ
    let columns: Vec<Vec<f64>> = (0..n).map(|k| scale.column(x, k)).collect();
    let mut weighted = columns.clone();
    weighted.iter_mut().for_each(|column| factor.solve(column));
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let moved: Vec<Vec<f64>> = weighted.iter().map(|w| actual.iter().map(|line| product(line, w)).collect()).collect();
    let (mut information, mut middle) = ([[0.0; N]; N], [[0.0; N]; N]);
    for row in 0..n {
        for col in 0..n {
            information[row][col] = product(&columns[row], &weighted[col]);
            middle[row][col] = product(&weighted[row], &moved[col]);
        }
    }
    let Some(inverse) = small_matrix::inverse(&information, n) else { return Ok(unknown()) };
    let times = |a: &[[f64; N]; N], b: &[[f64; N]; N]| -> [[f64; N]; N] {
        std::array::from_fn(|row| std::array::from_fn(|col| (0..n).map(|k| a[row][k] * b[k][col]).sum()))
    };
    Ok(scale.back(&times(&times(&inverse, &middle), &inverse), n))
}

fn check_lengths(x: &[f64], lengths: &[(&'static str, usize)], degree: usize) -> Result<(), StatsError> {
    if let Some(&(what, got)) = lengths.iter().find(|(_, got)| *got != x.len()) {
        return Err(StatsError::Length { what, expected: x.len(), got });
    }
    if degree > MAX_DEGREE {
        return Err(StatsError::Length { what: "coefficients of a polynomial", expected: N, got: degree + 1 });
    }
    Ok(())
}

fn undetermined(ndf: i64, n: usize) -> PolynomialFit {
    PolynomialFit { coefficients: vec![f64::NAN; n], covariance: vec![vec![f64::NAN; n]; n], chi2: f64::NAN, ndf }
}

/// The fit to finite points; `whiten` makes a column of the design matrix, or y, one of independent rows of error 1.
fn solve(x: &[f64], mut y: Vec<f64>, whiten: impl Fn(&mut [f64]), degree: usize) -> PolynomialFit {
    let n = degree + 1;
    let ndf = x.len() as i64 - n as i64;
    if ndf < 0 {
        return undetermined(ndf, n);
    }
    let scale = Scale::of(x);
    let mut columns: Vec<Vec<f64>> = (0..n).map(|k| scale.column(x, k)).collect();
    columns.iter_mut().for_each(|column| whiten(column));
    whiten(&mut y);
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut matrix = [[0.0; N]; N];
    let mut rhs = [0.0; N];
    for row in 0..n {
        rhs[row] = product(&columns[row], &y);
        for col in 0..n {
            matrix[row][col] = product(&columns[row], &columns[col]);
        }
    }
    let (Some(scaled), Some(inverse)) = (small_matrix::solve(&matrix, &rhs, n), small_matrix::inverse(&matrix, n))
    else {
        return undetermined(ndf, n);
    };
    let back = scale.transformation(n);
    let coefficients: Vec<f64> = (0..n).map(|k| (0..n).map(|j| back[k][j] * scaled[j]).sum()).collect();
    let covariance = scale.back(&inverse, n);
    let chi2 = (0..x.len())
        .map(|i| {
            let f: f64 = (0..n).map(|k| scaled[k] * columns[k][i]).sum();
            (y[i] - f) * (y[i] - f)
        })
        .sum();
    PolynomialFit { coefficients, covariance, chi2, ndf }
}

/// x shifted and scaled to [−1, 1].
struct Scale {
    centre: f64,
    half: f64,
}

impl Scale {
    fn of(x: &[f64]) -> Self {
        let (lo, hi) = x.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), x| (lo.min(*x), hi.max(*x)));
        Self { centre: 0.5 * (lo + hi), half: if hi > lo { 0.5 * (hi - lo) } else { 1.0 } }
    }

    /// Powers k of the scaled x.
    fn column(&self, x: &[f64], k: usize) -> Vec<f64> {
        x.iter().map(|x| ((x - self.centre) / self.half).powi(k as i32)).collect()
    }

    /// Coefficient of xᵏ in ((x − centre)/half)ʲ, as `[k][j]`.
    fn transformation(&self, n: usize) -> [[f64; N]; N] {
        let mut matrix = [[0.0; N]; N];
        matrix[0][0] = 1.0;
        for j in 1..n {
            for k in 0..=j {
                let raised = if k > 0 { matrix[k - 1][j - 1] } else { 0.0 };
                matrix[k][j] = (raised - self.centre * matrix[k][j - 1]) / self.half;
            }
        }
        matrix
    }

    /// The covariance of the coefficients of powers of x from that of the scaled ones.
    fn back(&self, covariance: &[[f64; N]; N], n: usize) -> Vec<Vec<f64>> {
        let back = self.transformation(n);
        let element = |row: usize, col: usize| {
            let term = |i: usize, j: usize| back[row][i] * covariance[i][j] * back[col][j];
            (0..n).map(|i| (0..n).map(|j| term(i, j)).sum::<f64>()).sum()
        };
        (0..n).map(|row| (0..n).map(|col| element(row, col)).collect()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::test_data::SplitMix64;

    #[test]
    fn a_covariance_is_propagated_through_the_weights_of_another() {
        let x: Vec<f64> = (0..6).map(f64::from).collect();
        let y = [0.0; 6];
        let diagonal = |f: &dyn Fn(usize) -> f64| -> Vec<Vec<f64>> {
            (0..6).map(|i| (0..6).map(|j| if i == j { f(i) } else { 0.0 }).collect()).collect()
        };
        let assumed = diagonal(&|i| 1.0 + i as f64);
        let fit = fit_correlated_polynomial(&x, &y, &assumed, 1).unwrap();
        let same = propagated_covariance(&x, &assumed, &assumed, 1).unwrap();
        for (a, b) in same.iter().flatten().zip(fit.covariance.iter().flatten()) {
            assert!((a / b - 1.0).abs() < 1e-12, "{a} {b}");
        }
        // a common offset moves the line, not its slope; a matrix of ones has rank one
        let shift = propagated_covariance(&x, &assumed, &vec![vec![4.0; 6]; 6], 1).unwrap();
        assert!((shift[0][0] - 4.0).abs() < 1e-12 && shift[1][1].abs() < 1e-12, "{shift:?}");
        assert!(propagated_covariance(&x, &assumed, &assumed[..5], 1).is_err());
    }

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
    fn correlated_points() {
        // Two measurements of a constant share an error: V = [[2, 1], [1, 5]]. Best mean with weights
        // (5 − 1, 2 − 1)/5 = (0.8, 0.2); variance det V/(2 + 5 − 2) = 9/5; χ² = (y₁ − y₂)²/5
        let fit = fit_correlated_polynomial(&[0.0, 1.0], &[3.0, 8.0], &[vec![2.0, 1.0], vec![1.0, 5.0]], 0).unwrap();
        assert!((fit.coefficients[0] - 4.0).abs() < 1e-12 && (fit.covariance[0][0] - 1.8).abs() < 1e-12);
        assert!((fit.chi2 - 5.0).abs() < 1e-12 && fit.ndf == 1);
        // without correlation as with plain errors
        let (x, y, sigma) = ([0.0, 1.0, 2.0, 4.0], [1.0, 0.0, 3.0, 2.5], [0.5, 1.0, 2.0, 0.7]);
        let covariance: Vec<Vec<f64>> =
            (0..4).map(|i| (0..4).map(|j| if i == j { sigma[i] * sigma[i] } else { 0.0 }).collect()).collect();
        let plain = fit_polynomial(&x, &y, &sigma, 2).unwrap();
        let full = fit_correlated_polynomial(&x, &y, &covariance, 2).unwrap();
        for k in 0..3 {
            assert!((plain.coefficients[k] - full.coefficients[k]).abs() < 1e-12);
            assert!((plain.error(k) - full.error(k)).abs() < 1e-12);
        }
        let singular = fit_correlated_polynomial(&x[..2], &y[..2], &[vec![1.0; 2], vec![1.0; 2]], 0).unwrap();
        assert!(singular.coefficients[0].is_nan());
        assert!(fit_correlated_polynomial(&x, &y, &covariance[..3], 1).is_err());
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
