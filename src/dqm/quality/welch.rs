//! Welch's t test: are the means of two samples equal, whatever their variances? (spec 06 §8.1)
//!
//! t = (m₁ − m₂)/√(v₁/n₁ + v₂/n₂) with sample variances, ν after Welch and Satterthwaite, two-sided Student probability
//! through the regularised incomplete beta function.

use crate::stats::robust::{self, Ddof};

/// (t, ν, p); `None` with fewer than two finite values in a sample, or if neither varies.
pub fn welch(first: &[f64], second: &[f64]) -> Option<(f64, f64, f64)> {
    let moments = |v: &[f64]| {
        let v: Vec<f64> = v.iter().copied().filter(|x| x.is_finite()).collect();
        let (mean, std) = robust::mean_and_std(&v, Ddof::Sample);
        (v.len() >= 2).then(|| (mean, std * std / v.len() as f64, v.len() as f64))
    };
    let ((m1, v1, n1), (m2, v2, n2)) = (moments(first)?, moments(second)?);
    let variance = v1 + v2;
    if !(variance > 0.0) {
        return None;
    }
    let t = (m1 - m2) / variance.sqrt();
    let nu = variance * variance / (v1 * v1 / (n1 - 1.0) + v2 * v2 / (n2 - 1.0));
    Some((t, nu, student_two_sided(t, nu)))
}

/// Probability of |t| or more for ν degrees of freedom; NaN when undefined.
pub fn student_two_sided(t: f64, nu: f64) -> f64 {
    if !(nu > 0.0) || t.is_nan() {
        return f64::NAN;
    }
    statrs::function::beta::checked_beta_reg(0.5 * nu, 0.5, nu / (nu + t * t)).unwrap_or(f64::NAN)
}

/// The |t| that is exceeded with probability `p` (two-sided) for ν degrees of freedom, by bisection.
pub fn student_quantile(p: f64, nu: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while student_two_sided(high, nu) > p && high < 1e9 {
        high *= 2.0;
    }
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if student_two_sided(middle, nu) > p {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_degree_of_freedom_is_the_cauchy_distribution_and_many_are_the_gaussian() {
        // P(|t| > 1) = 1/2 for Cauchy; 0.0455003 for two Gaussian standard deviations
        assert!((student_two_sided(1.0, 1.0) - 0.5).abs() < 1e-12);
        assert!((student_two_sided(2.0, 1e7) - 0.0455003).abs() < 1e-6);
        // table: t(0.975, 10) = 2.228139
        assert!((student_quantile(0.05, 10.0) - 2.228139).abs() < 1e-5);
    }

    #[test]
    fn without_spread_or_values_there_is_no_test() {
        assert!(welch(&[1.0, 1.0], &[2.0, 2.0]).is_none());
        assert!(welch(&[1.0], &[2.0, 3.0]).is_none());
        assert!(welch(&[1.0, 1.0], &[2.0, 3.0]).is_some());
    }
}
