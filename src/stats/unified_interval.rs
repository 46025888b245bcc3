//! Interval for a quantity that cannot be negative, from a Gaussian measurement that can (Feldman & Cousins, Phys. Rev. D
//! 57 (1998) 3873).
//!
//! For each true value µ ≥ 0 the measurements x are ordered by P(x|µ)/P(x|max(x, 0)) until they hold the confidence level;
//! the interval is the set of µ that accept the measurement. It is an upper limit near 0, two-sided far from it, never
//! empty, and covers in between.

use super::distributions::normal_cdf;

/// Lower and upper end for a measurement `x` in units of its standard deviation.
pub fn unified_interval(x: f64, confidence: f64) -> (f64, f64) {
    if !x.is_finite() || !(confidence > 0.0 && confidence < 1.0) {
        return (f64::NAN, f64::NAN);
    }
    let accepted = |mu: f64| acceptance(mu, confidence);
    // both ends of the accepted measurements grow with µ
    let high = bisect(x.max(0.0), x.max(0.0) + 12.0, |mu| accepted(mu).0 > x);
    let low = if accepted(0.0).1 >= x { 0.0 } else { bisect(0.0, x, |mu| accepted(mu).1 >= x) };
    (low, high)
}

/// The place where `above` turns true.
fn bisect(mut low: f64, mut high: f64, above: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if above(middle) { high = middle } else { low = middle }
    }
    0.5 * (low + high)
}

/// Measurements accepted for a true value: those with ln(P(x|µ)/P(x|best)) > −l, l such that they hold the confidence.
fn acceptance(mu: f64, confidence: f64) -> (f64, f64) {
    let ends = |l: f64| {
        let half = (2.0 * l).sqrt();
        let low = if mu >= half {
            mu - half
        } else if mu > 0.0 {
            0.5 * mu - l / mu
        } else {
            f64::NEG_INFINITY
        };
        (low, mu + half)
    };
    let l = bisect(0.0, 60.0, |l| {
        let (low, high) = ends(l);
        normal_cdf(high - mu) - normal_cdf(low - mu) > confidence
    });
    ends(l)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::test_data::SplitMix64;

    #[test]
    fn limits_of_the_paper() {
        // table X of the paper, two decimals
        for (x, confidence, low, high) in [
            (0.0, 0.90, 0.0, 1.64),
            (0.0, 0.95, 0.0, 1.96),
            (3.0, 0.90, 1.37, 4.64),
            (-1.0, 0.90, 0.0, 0.81),
            (-3.0, 0.90, 0.0, 0.26),
        ] {
            let found = unified_interval(x, confidence);
            assert!((found.0 - low).abs() < 0.01 && (found.1 - high).abs() < 0.01, "{x} {confidence}: {found:?}");
        }
        assert!(unified_interval(f64::NAN, 0.9).0.is_nan());
    }

    #[test]
    fn the_interval_covers() {
        let mut random = SplitMix64(3);
        for mu in [0.0, 0.5, 1.5, 4.0] {
            let covered = (0..2000)
                .filter(|_| {
                    let (low, high) = unified_interval(mu + random.gaussian(), 0.9);
                    (low..=high).contains(&mu)
                })
                .count();
            // binomial: 1800 ± 13
            assert!((covered as f64 - 1800.0).abs() < 5.0 * 13.5, "{mu}: {covered}");
        }
    }
}
