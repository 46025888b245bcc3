//! Distributions: Gaussian, Poisson, χ².
//!
//! | function | from | accuracy |
//! |---|---|---|
//! | `erf`, `erfc`, `ln_gamma` | `libm` (the FreeBSD msun algorithms) | < 1 ulp for erf and erfc |
//! | incomplete gamma, start of the Gaussian quantile | `statrs` | 1e-12 or better |
//! | Gaussian quantile | the above plus one Halley step with `libm::erfc` | a few ulp |
//!
//! `libm` is used directly in inner loops (bin-integrated models call erf some ten thousand times per fit); `statrs`
//! where a number is needed once per fit.

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

/// 1/√(2π).
pub const INV_SQRT_2PI: f64 = 0.398_942_280_401_432_7;

/// Error function.
pub fn erf(x: f64) -> f64 {
    libm::erf(x)
}

/// Complementary error function, accurate in the far tail.
pub fn erfc(x: f64) -> f64 {
    libm::erfc(x)
}

/// Density of the standard Gaussian at `t`.
pub fn normal_density(t: f64) -> f64 {
    INV_SQRT_2PI * (-0.5 * t * t).exp()
}

/// Φ(t), probability that a standard Gaussian is below `t`.
pub fn normal_cdf(t: f64) -> f64 {
    0.5 * libm::erfc(-t * FRAC_1_SQRT_2)
}

/// 1 − Φ(t), accurate for large `t`.
pub fn normal_survival(t: f64) -> f64 {
    0.5 * libm::erfc(t * FRAC_1_SQRT_2)
}

/// Φ(b) − Φ(a) without cancellation in the tails (a ≤ b; negated when a > b).
pub fn normal_interval(a: f64, b: f64) -> f64 {
    if a + b > 0.0 {
        0.5 * (libm::erfc(a * FRAC_1_SQRT_2) - libm::erfc(b * FRAC_1_SQRT_2))
    } else {
        0.5 * (libm::erfc(-b * FRAC_1_SQRT_2) - libm::erfc(-a * FRAC_1_SQRT_2))
    }
}

/// Φ⁻¹(p). ∓∞ at p = 0 and 1, NaN outside.
pub fn normal_quantile(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p == 0.5 {
        return 0.0;
    }
    let start = -SQRT_2 * statrs::function::erf::erfc_inv(2.0 * p);
    if !start.is_finite() {
        return if p < 0.5 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    // one Halley step on Φ(t) − p, in the tail that keeps all digits
    let excess = if p < 0.5 { normal_cdf(start) - p } else { (1.0 - p) - normal_survival(start) };
    let density = normal_density(start);
    if density <= f64::MIN_POSITIVE {
        return start;
    }
    let step = excess / density;
    start - step / (1.0 + 0.5 * start * step)
}

/// ln Γ(x), x > 0.
pub fn ln_gamma(x: f64) -> f64 {
    libm::lgamma(x)
}

/// Poisson probability of `k` for mean `mean` ≥ 0.
pub fn poisson_probability(k: u64, mean: f64) -> f64 {
    if mean <= 0.0 {
        return if mean < 0.0 || mean.is_nan() {
            f64::NAN
        } else if k == 0 {
            1.0
        } else {
            0.0
        };
    }
    if k <= 20 && mean < 700.0 {
        // the direct product is exact to k roundings
        return (1..=k).fold((-mean).exp(), |p, j| p * mean / j as f64);
    }
    let k = k as f64;
    (k * mean.ln() - mean - libm::lgamma(k + 1.0)).exp()
}

/// The k at which the Poisson distribution function first exceeds `u` in [0, 1): inversion of one uniform number.
///
/// For means up to 700 this is the plain recurrence of spec 03 §1.10 (p ← p·mean/k, c ← c + p), operation by
/// operation, so that seeded toys repeat exactly. Larger means, where exp(−mean) underflows, start from the mode.
pub fn poisson_quantile(u: f64, mean: f64) -> u64 {
    if !(mean > 0.0 && mean.is_finite()) || u.is_nan() {
        return 0;
    }
    if mean <= 700.0 {
        let mut p = (-mean).exp();
        let mut c = p;
        let mut k = 0u64;
        // beyond mean + 40 √mean + 60 the probability is below the last bit of u
        let last = (mean + 40.0 * mean.sqrt() + 60.0) as u64;
        while u >= c && k < last {
            k += 1;
            p *= mean / k as f64;
            c += p;
        }
        return k;
    }
    // the regularised incomplete gamma gives the distribution function at the mode; walk from there
    let mut k = mean.floor();
    let mut c = statrs::function::gamma::gamma_ur(k + 1.0, mean);
    let mut p = (k * mean.ln() - mean - libm::lgamma(k + 1.0)).exp();
    if u >= c {
        let last = mean + 40.0 * mean.sqrt() + 60.0;
        while u >= c && k < last {
            k += 1.0;
            p *= mean / k;
            c += p;
        }
    } else {
        while k > 0.0 && u < c - p {
            c -= p;
            p *= k / mean;
            k -= 1.0;
        }
    }
    k as u64
}

/// Probability that a χ² variable with `ndf` degrees of freedom exceeds `chi2`. NaN when undefined.
pub fn chi2_survival(chi2: f64, ndf: u64) -> f64 {
    if ndf == 0 || chi2.is_nan() {
        return f64::NAN;
    }
    if chi2 <= 0.0 {
        return 1.0;
    }
    if chi2.is_infinite() {
        return 0.0;
    }
    statrs::function::gamma::checked_gamma_ur(0.5 * ndf as f64, 0.5 * chi2).unwrap_or(f64::NAN)
}

/// Density of a Gaussian of mean `mu` and width `sigma` at `x`.
pub fn gaussian(x: f64, mu: f64, sigma: f64) -> f64 {
    normal_density((x - mu) / sigma) / sigma
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaussian_table() {
        // Φ(1), Φ(2), Φ(3), and the tail at 10 σ (Abramowitz & Stegun 26.2)
        assert!((normal_cdf(1.0) - 0.841_344_746_068_542_9).abs() < 1e-15);
        assert!((normal_cdf(2.0) - 0.977_249_868_051_820_8).abs() < 1e-15);
        assert!((normal_survival(3.0) - 1.349_898_031_630_094_6e-3).abs() < 1e-17);
        assert!((normal_survival(10.0) / 7.619_853_024_160_527e-24 - 1.0).abs() < 1e-13);
        assert!(
            (normal_interval(10.0, 11.0) / (7.619_853_024_160_527e-24 - 1.910_659_574_498_669e-28) - 1.0).abs() < 1e-13
        );
        assert!((normal_interval(-1.0, 1.0) - 0.682_689_492_137_085_9).abs() < 1e-15);
        assert!((normal_quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-15);
        assert!((normal_quantile(0.75) * crate::stats::robust::MAD_TO_SIGMA - 1.0).abs() < 1e-15);
    }

    #[test]
    fn quantile_inverts_the_distribution_function() {
        // d Φ⁻¹/dp · one rounding of p is the best that can be had
        for t in [-8.0, -5.0, -2.5, -1.0, -0.1, 0.3, 1.7, 3.0, 5.0] {
            let p = normal_cdf(t);
            let rounding = f64::EPSILON * p.max(if t > 0.0 { 1.0 } else { p }) / normal_density(t);
            assert!((normal_quantile(p) - t).abs() < 4.0 * rounding + 1e-15, "t = {t}");
        }
        assert_eq!(normal_quantile(0.0), f64::NEG_INFINITY);
        assert_eq!(normal_quantile(1.0), f64::INFINITY);
        assert!(normal_quantile(1.5).is_nan());
    }

    #[test]
    fn poisson_sums_to_one_and_has_its_mean() {
        for mean in [1e-4, 0.05, 0.6, 5.0, 90.0, 900.0] {
            let last = (mean + 40.0 * f64::sqrt(mean) + 60.0) as u64;
            let p: Vec<f64> = (0..=last).map(|k| poisson_probability(k, mean)).collect();
            let total: f64 = p.iter().sum();
            let first: f64 = p.iter().enumerate().map(|(k, p)| k as f64 * p).sum();
            // lgamma(900) is about 5200, so its rounding allows 1e-12
            assert!((total - 1.0).abs() < 2e-12, "mean {mean}: total {total}");
            assert!((first / mean - 1.0).abs() < 2e-12, "mean {mean}");
        }
        assert_eq!(poisson_probability(0, 0.0), 1.0);
        assert_eq!(poisson_probability(3, 0.0), 0.0);
        assert!(poisson_probability(0, -1.0).is_nan());
    }

    #[test]
    fn poisson_quantile_brackets_the_distribution_function() {
        for mean in [0.05, 0.6, 12.0, 650.0, 3000.0] {
            for u in [0.001, 0.3, 0.5, 0.95, 0.9999] {
                let k = poisson_quantile(u, mean);
                let below = if k == 0 { 0.0 } else { statrs::function::gamma::gamma_ur(k as f64, mean) };
                let upto = statrs::function::gamma::gamma_ur(k as f64 + 1.0, mean);
                assert!(below <= u + 1e-11 && u < upto + 1e-11, "mean {mean}, u {u}: k {k}, {below} … {upto}");
            }
        }
        assert_eq!(poisson_quantile(0.9, 0.0), 0);
        assert_eq!(poisson_quantile(f64::NAN, 1.0), 0);
    }

    #[test]
    fn chi2_tail() {
        // 95 % points of χ²: 3.841459 (1), 18.307038 (10), 124.342113 (100)
        for (ndf, point) in [(1, 3.841_458_820_694_124), (10, 18.307_038_053_275_146), (100, 124.342_113_404_004)] {
            assert!((chi2_survival(point, ndf) - 0.05).abs() < 1e-12, "ndf {ndf}");
        }
        assert_eq!(chi2_survival(0.0, 5), 1.0);
        assert_eq!(chi2_survival(f64::INFINITY, 5), 0.0);
        assert!(chi2_survival(1.0, 0).is_nan());
        // exp(−x/2) is the exact tail for two degrees of freedom
        assert!((chi2_survival(60.0, 2) / (-30.0f64).exp() - 1.0).abs() < 1e-12);
    }
}
