//! The best number of skips for a given exposure time.
//!
//! More skips tell empty pixels from single electrons better, but the readout takes longer: less of the time is exposure,
//! and dark current collects meanwhile. A search for rare single electrons is the more sensitive the larger
//!
//! ```text
//! F(N) = t ε / √((t + r_N) · (λ_N ε + f + 1/n))
//! ```
//!
//! (signal over the square root of the background per unit of wall time), with exposure t, readout r_N = N t_s n,
//! probability ε = Φ((1 − x)/σ_N) that an electron lies above the threshold x, probability f = Φ(−x/σ_N) that an empty
//! pixel does, dark current λ_N = D (t + r_N/2), n pixels. 1/n stands for the one event that is always possible. For each N
//! the threshold is the best one.

use crate::stats::distributions::normal_survival;

/// What the choice depends on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conditions {
    /// Exposure time, s.
    pub exposure: f64,
    /// Time between samples, s.
    pub sample_time: f64,
    /// Pixels read by the amplifier.
    pub pixels: f64,
    /// Dark current, e⁻/pixel/day.
    pub dark_current: f64,
}

/// The best choice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Optimum {
    /// Number of skips.
    pub skips: f64,
    /// Its uncertainty from that of the noise; NaN if it is a lower limit.
    pub skips_error: f64,
    /// Whether the search ended at `skips`: the best number is this one or a larger one.
    pub is_lower_limit: bool,
    /// Smallest number of skips with at least 95 % of the best sensitivity.
    pub low: f64,
    /// Largest such number; infinite if the search ended at one.
    pub high: f64,
    /// Noise there, e⁻.
    pub noise: f64,
    /// Best threshold there, e⁻.
    pub threshold: f64,
    /// Readout time there, s.
    pub readout: f64,
}

impl Optimum {
    /// The numbers of skips with at least 95 % of the best sensitivity.
    pub fn range(&self) -> String {
        if self.high.is_finite() {
            format!("{:.0} … {:.0}", self.low, self.high)
        } else {
            format!("{:.0} or more", self.low)
        }
    }
}

/// Skips looked at: a factor of 1.02 apart.
const STEP: f64 = 0.02;

/// Finds the best number of skips up to `largest`; `noise(N)` in e⁻, `error`: relative error of the noise.
pub fn optimum(conditions: &Conditions, noise: &dyn Fn(f64) -> f64, error: f64, largest: f64) -> Option<Optimum> {
    let valid = conditions.exposure > 0.0 && conditions.sample_time > 0.0 && conditions.pixels >= 1.0 && largest >= 1.0;
    if !valid {
        return None;
    }
    let numbers: Vec<f64> = {
        let mut numbers: Vec<f64> =
            (0..).map(|i| (STEP * f64::from(i)).exp().round()).take_while(|n| *n <= largest).collect();
        numbers.dedup();
        numbers
    };
    let best = |scale: f64| {
        let values: Vec<(f64, f64)> = numbers.iter().map(|n| sensitivity(conditions, *n, scale * noise(*n))).collect();
        let top = values.iter().enumerate().filter(|(_, v)| v.0.is_finite());
        top.fold(None, |best: Option<(usize, f64)>, (i, v)| match best {
            Some((_, b)) if b >= v.0 => best,
            _ => Some((i, v.0)),
        })
        .map(|(i, _)| (i, values))
    };
    let (at, values) = best(1.0)?;
    let around = [best(1.0 - error)?.0, best(1.0 + error)?.0].map(|i| numbers[i]);
    let good: Vec<f64> =
        numbers.iter().zip(&values).filter(|(_, v)| v.0 >= 0.95 * values[at].0).map(|(n, _)| *n).collect();
    let (skips, tried) = (numbers[at], numbers.last().copied()?);
    let is_lower_limit = skips >= tried;
    Some(Optimum {
        skips,
        // not better known than the steps of the search
        skips_error: if is_lower_limit { f64::NAN } else { (0.5 * (around[1] - around[0]).abs()).max(STEP * skips) },
        is_lower_limit,
        low: good.first().copied()?,
        high: good.last().copied().map(|n| if n >= tried { f64::INFINITY } else { n })?,
        noise: noise(skips),
        threshold: values[at].1,
        readout: skips * conditions.sample_time * conditions.pixels,
    })
}

/// F at the best threshold, and that threshold, e⁻.
pub fn sensitivity(conditions: &Conditions, skips: f64, sigma: f64) -> (f64, f64) {
    let readout = skips * conditions.sample_time * conditions.pixels;
    let dark = conditions.dark_current * (conditions.exposure + 0.5 * readout) / 86400.0;
    let at = |x: f64| {
        let efficiency = normal_survival((x - 1.0) / sigma);
        let background = dark * efficiency + normal_survival(x / sigma) + 1.0 / conditions.pixels;
        conditions.exposure * efficiency / ((conditions.exposure + readout) * background).sqrt()
    };
    (0..=250)
        .map(|i| -0.5 + 0.01 * f64::from(i))
        .map(|x| (at(x), x))
        .fold((f64::NEG_INFINITY, f64::NAN), |best, v| if v.0 > best.0 { v } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(exposure: f64, dark_current: f64) -> Conditions {
        Conditions { exposure, sample_time: 4e-5, pixels: 1e5, dark_current }
    }

    fn noise(n: f64) -> f64 {
        3.0 / n.sqrt()
    }

    #[test]
    fn the_best_number_is_a_maximum_and_grows_with_the_exposure() {
        let mut before = 0.0;
        for exposure in [100.0, 1e3, 1e4, 1e5] {
            let c = conditions(exposure, 0.01);
            let found = optimum(&c, &noise, 0.01, 1e4).unwrap();
            let f = |n: f64| sensitivity(&c, n, noise(n)).0;
            for other in [0.5, 0.8, 1.2, 2.0] {
                assert!(f(found.skips) >= f(other * found.skips), "{exposure} {other}");
            }
            assert!(found.low <= found.skips && found.skips <= found.high);
            assert!(found.skips >= before, "{exposure}");
            assert!(found.threshold > 0.4 && found.threshold < 1.2);
            before = found.skips;
        }
    }

    #[test]
    fn with_noise_far_below_one_electron_more_skips_only_cost_time() {
        let found = optimum(&conditions(1000.0, 1.0), &|_| 0.05, 0.01, 1e4).unwrap();
        assert_eq!(found.skips, 1.0);
        assert!(!found.is_lower_limit && found.skips_error > 0.0);
        assert!(optimum(&conditions(0.0, 1.0), &noise, 0.01, 1e4).is_none());
        assert!(optimum(&conditions(1.0, 1.0), &|_| f64::NAN, 0.01, 1e4).is_none());
    }

    #[test]
    fn where_the_search_ends_the_best_number_is_a_lower_limit() {
        // the maximum lies at some hundreds of skips
        let far = optimum(&conditions(1e4, 0.01), &noise, 0.01, 1e4).unwrap();
        assert!(!far.is_lower_limit && far.skips > 100.0 && far.high.is_finite());
        let near = optimum(&conditions(1e4, 0.01), &noise, 0.01, 50.0).unwrap();
        assert!(near.is_lower_limit && near.skips_error.is_nan() && near.high.is_infinite());
        // numbers are 2 % apart
        assert!(near.skips > 48.0 && near.skips <= 50.0);
        assert!(near.range().ends_with("or more"), "{}", near.range());
    }
}
