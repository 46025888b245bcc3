//! The straight line through the values of a monitor element (spec 06 §5.3).
//!
//! y = a + b·x. With errors: weights 1/σ², errors from the covariance, not rescaled; points with σ = 0 are left out.
//! Without errors: unit weights, errors of the parameters times √(χ²/ndf).

use crate::dqm::model::LineFit;
use crate::stats::polynomial::fit_polynomial;
use crate::stats::robust::{self, Ddof};

/// The line through the finite points; `None` with fewer than two different x. Without `sigma` all points count the same.
pub fn fit_line(x: &[f64], y: &[f64], sigma: Option<&[f64]>) -> Option<LineFit> {
    let n = x.len().min(y.len());
    let unit = vec![1.0; n];
    let weights = sigma.filter(|s| s.len() >= n).map_or(&unit[..], |s| &s[..n]);
    let fit = fit_polynomial(&x[..n], &y[..n], weights, 1).ok()?;
    let [intercept, slope] = [fit.coefficients[0], fit.coefficients[1]];
    if !(intercept.is_finite() && slope.is_finite()) {
        return None;
    }
    let chi2_ndf = if fit.ndf > 0 { fit.chi2 / fit.ndf as f64 } else { f64::NAN };
    // Without degrees of freedom unweighted points do not tell their spread.
    let scale = if sigma.is_some() { 1.0 } else { chi2_ndf.sqrt() };
    Some(LineFit { slope, slope_err: fit.error(1) * scale, intercept, intercept_err: fit.error(0) * scale, chi2_ndf })
}

/// [`fit_line`] without the points that lie `zscore_max` or more standard deviations from the mean; `None` keeps all.
pub fn fit_line_without_outliers(
    x: &[f64],
    y: &[f64],
    sigma: Option<&[f64]>,
    zscore_max: Option<f64>,
) -> Option<LineFit> {
    let Some(limit) = zscore_max else { return fit_line(x, y, sigma) };
    let finite: Vec<f64> = y.iter().copied().filter(|y| y.is_finite()).collect();
    let (mean, std) = robust::mean_and_std(&finite, Ddof::Population);
    let keep: Vec<usize> =
        (0..x.len().min(y.len())).filter(|&k| !((y[k] - mean).abs() / std >= limit) || std == 0.0).collect();
    let pick = |v: &[f64]| -> Vec<f64> { keep.iter().map(|&k| v.get(k).copied().unwrap_or(f64::NAN)).collect() };
    let picked = sigma.map(pick);
    fit_line(&pick(x), &pick(y), picked.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_specification() {
        let x = [1.0, 2.0, 3.0, 4.0];
        let y = [1.0, 2.0, 2.0, 4.0];
        let close = |a: f64, b: f64| assert!((a - b).abs() < 5e-7, "{a} {b}");
        let weighted = fit_line(&x, &y, Some(&[0.5, 0.5, 1.0, 1.0])).unwrap();
        close(weighted.slope, 0.876404);
        close(weighted.slope_err, 0.335201);
        close(weighted.intercept, 0.134831);
        close(weighted.intercept_err, 0.711068);
        close(weighted.chi2_ndf, 0.382022);
        let plain = fit_line(&x, &y, None).unwrap();
        close(plain.slope, 0.9);
        close(plain.slope_err, 0.264575);
        close(plain.intercept, 0.0);
        close(plain.intercept_err, 0.724569);
        close(plain.chi2_ndf, 0.35);
    }

    #[test]
    fn points_without_error_or_value_are_left_out_and_two_points_have_no_goodness() {
        let x = [1.0, 2.0, 3.0];
        let fit = fit_line(&x, &[1.0, 50.0, 3.0], Some(&[0.1, 0.0, 0.1])).unwrap();
        assert!((fit.slope - 1.0).abs() < 1e-12 && fit.chi2_ndf.is_nan());
        let fit = fit_line(&x, &[1.0, f64::NAN, 3.0], None).unwrap();
        assert!((fit.slope - 1.0).abs() < 1e-12);
        assert!(fit_line(&[1.0, 1.0], &[1.0, 2.0], None).is_none());
        assert!(fit_line(&[], &[], None).is_none());
    }

    #[test]
    fn outliers_are_removed_only_when_asked_for() {
        let x: Vec<f64> = (0..20).map(f64::from).collect();
        let mut y = x.clone();
        y[10] = 1000.0;
        assert!(fit_line_without_outliers(&x, &y, None, None).unwrap().intercept > 10.0);
        let fit = fit_line_without_outliers(&x, &y, None, Some(3.0)).unwrap();
        assert!((fit.slope - 1.0).abs() < 1e-12 && fit.intercept.abs() < 1e-10);
    }
}
