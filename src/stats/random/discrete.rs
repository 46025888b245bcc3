//! Poisson, binomial and geometric random numbers, exact for every mean.
//!
//! Small means by inversion (Poisson: search from 0; binomial: jumps from success to success), large ones by
//! transformed rejection (W. Hörmann, Insurance: Mathematics and Economics 12, 39 (1993), algorithm PTRS; and
//! J. Stat. Comput. Simul. 46, 101 (1993), algorithm BTRS), whose cost does not depend on the mean.

use super::Stream;

/// Below this mean inversion is faster.
const INVERSION_LIMIT: f64 = 10.0;

/// A Poisson distribution, prepared for many draws.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Poisson {
    mean: f64,
    /// exp(−mean) for inversion; ln(mean) for rejection.
    prepared: f64,
}

impl Poisson {
    /// With this mean ≥ 0 (a mean that is not a positive number gives always 0).
    pub fn new(mean: f64) -> Self {
        let mean = if mean > 0.0 { mean } else { 0.0 };
        Self { mean, prepared: if mean < INVERSION_LIMIT { libm::exp(-mean) } else { libm::log(mean) } }
    }

    /// A number. A mean of 0 uses no random number.
    #[inline]
    pub fn draw(&self, stream: &mut Stream) -> u64 {
        if self.mean == 0.0 {
            0
        } else if self.mean < INVERSION_LIMIT {
            self.by_inversion(stream)
        } else {
            self.by_rejection(stream)
        }
    }

    #[inline]
    fn by_inversion(&self, stream: &mut Stream) -> u64 {
        let mut left = stream.uniform();
        let mut probability = self.prepared;
        let mut k = 0;
        while left >= probability {
            left -= probability;
            k += 1;
            probability *= self.mean / k as f64;
            // Rounding may leave more than all terms together.
            if probability < 1e-18 && k as f64 > self.mean {
                break;
            }
        }
        k
    }

    fn by_rejection(&self, stream: &mut Stream) -> u64 {
        let (mean, ln_mean) = (self.mean, self.prepared);
        let b = 0.931 + 2.53 * mean.sqrt();
        let a = -0.059 + 0.02483 * b;
        let ln_inverse_alpha = libm::log(1.1239 + 1.1328 / (b - 3.4));
        let squeeze = 0.9277 - 3.6224 / (b - 2.0);
        loop {
            let u = stream.uniform() - 0.5;
            let v = stream.positive_uniform();
            let us = 0.5 - u.abs();
            let k = ((2.0 * a / us + b) * u + mean + 0.43).floor();
            if us >= 0.07 && v <= squeeze {
                return k as u64;
            }
            if k < 0.0 || !k.is_finite() || (us < 0.013 && v > us) {
                continue;
            }
            let accept = -mean + k * ln_mean - libm::lgamma(k + 1.0);
            if libm::log(v) + ln_inverse_alpha - libm::log(a / (us * us) + b) <= accept {
                return k as u64;
            }
        }
    }
}

/// A binomial probability, prepared for many draws with different numbers of trials.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Binomial {
    probability: f64,
    /// The smaller one of p and 1 − p.
    minor: f64,
    ln_failure: f64,
}

impl Binomial {
    /// With this probability of success, 0..=1.
    pub fn new(probability: f64) -> Self {
        let minor = probability.min(1.0 - probability).max(0.0);
        Self { probability, minor, ln_failure: libm::log1p(-minor) }
    }

    /// Number of successes in `trials`. Probabilities 0 and 1, and 0 trials, use no random number.
    #[inline]
    pub fn draw(&self, trials: u64, stream: &mut Stream) -> u64 {
        if trials == 0 || self.probability <= 0.0 {
            return 0;
        }
        if self.probability >= 1.0 {
            return trials;
        }
        let minor = if trials as f64 * self.minor < INVERSION_LIMIT {
            self.by_jumps(trials, stream)
        } else {
            self.by_rejection(trials, stream)
        };
        if self.probability <= 0.5 { minor } else { trials - minor }
    }

    fn by_jumps(&self, trials: u64, stream: &mut Stream) -> u64 {
        let mut done = 0.0;
        let mut successes = 0;
        loop {
            done += (libm::log(stream.positive_uniform()) / self.ln_failure).floor() + 1.0;
            // A NaN (0/0) cannot occur: minor > 0 here, so ln_failure < 0.
            if done > trials as f64 {
                return successes;
            }
            successes += 1;
        }
    }

    fn by_rejection(&self, trials: u64, stream: &mut Stream) -> u64 {
        let (n, p) = (trials as f64, self.minor);
        let spread = (n * p * (1.0 - p)).sqrt();
        let b = 1.15 + 2.53 * spread;
        let a = -0.0873 + 0.0248 * b + 0.01 * p;
        let centre = n * p + 0.5;
        let squeeze = 0.92 - 4.2 / b;
        let alpha = (2.83 + 5.1 / b) * spread;
        let mode = ((n + 1.0) * p).floor();
        let at_mode = libm::lgamma(mode + 1.0) + libm::lgamma(n - mode + 1.0);
        let ln_odds = libm::log(p / (1.0 - p));
        loop {
            let u = stream.uniform() - 0.5;
            let v = stream.positive_uniform();
            let us = 0.5 - u.abs();
            let k = ((2.0 * a / us + b) * u + centre).floor();
            if us >= 0.07 && v <= squeeze {
                return k as u64;
            }
            if !(0.0..=n).contains(&k) {
                continue;
            }
            let accept = at_mode - libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0) + (k - mode) * ln_odds;
            if libm::log(v * alpha / (a / (us * us) + b)) <= accept {
                return k as u64;
            }
        }
    }
}

impl Stream {
    /// Number of trials up to and with the first success, each with probability `p` in (0, 1]; saturates at `u64::MAX`.
    pub fn geometric(&mut self, p: f64) -> u64 {
        if p >= 1.0 {
            return 1;
        }
        let failures = (libm::log(self.positive_uniform()) / libm::log1p(-p)).floor();
        (failures as u64).saturating_add(1)
    }

    /// An index with probability proportional to its weight; `None` if no weight is positive.
    pub fn choose(&mut self, weights: impl Iterator<Item = f64> + Clone) -> Option<usize> {
        let total: f64 = weights.clone().filter(|w| *w > 0.0).sum();
        if total.is_nan() || total <= 0.0 || total.is_infinite() {
            return None;
        }
        let mut left = self.uniform() * total;
        let mut last = None;
        for (i, weight) in weights.enumerate().filter(|(_, w)| *w > 0.0) {
            last = Some(i);
            if left < weight {
                break;
            }
            left -= weight;
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::distributions::{ln_gamma, poisson_probability};

    /// χ² of the counts against the probabilities; cells with less than 10 expected are merged. Gives (χ², cells − 1).
    fn chi_square(counts: &[u32], probability: impl Fn(usize) -> f64) -> (f64, f64) {
        let n: f64 = counts.iter().map(|&c| f64::from(c)).sum();
        let (mut chi2, mut cells) = (0.0, 0);
        let (mut rest_seen, mut rest_expected) = (n, n);
        let (mut seen, mut expected) = (0.0, 0.0);
        for (k, &count) in counts.iter().enumerate() {
            seen += f64::from(count);
            expected += n * probability(k);
            if expected > 10.0 && rest_expected - expected > 10.0 {
                chi2 += (seen - expected) * (seen - expected) / expected;
                cells += 1;
                rest_seen -= seen;
                rest_expected -= expected;
                (seen, expected) = (0.0, 0.0);
            }
        }
        chi2 += (rest_seen - rest_expected).powi(2) / rest_expected;
        (chi2, f64::from(cells))
    }

    /// A χ² within five standard deviations of its mean.
    fn assert_compatible((chi2, ndf): (f64, f64), what: &str) {
        assert!((chi2 - ndf).abs() < 5.0 * (2.0 * ndf).sqrt().max(3.0), "{what}: χ² {chi2} of {ndf}");
    }

    fn histogram(n: usize, mut draw: impl FnMut() -> u64) -> Vec<u32> {
        let mut counts = Vec::new();
        for _ in 0..n {
            let k = draw() as usize;
            if k >= counts.len() {
                counts.resize(k + 1, 0);
            }
            counts[k] += 1;
        }
        counts
    }

    #[test]
    fn poisson_counts_follow_their_probabilities_on_both_sides_of_the_limit() {
        for (i, mean) in [0.001, 0.1, 0.7, 3.0, 9.99, 10.0, 35.0, 400.0].into_iter().enumerate() {
            let mut stream = Stream::from_seed(10 + i as u64);
            let poisson = Poisson::new(mean);
            let counts = histogram(300_000, || poisson.draw(&mut stream));
            assert_compatible(chi_square(&counts, |k| poisson_probability(k as u64, mean)), &format!("mean {mean}"));
        }
    }

    #[test]
    fn binomial_counts_follow_their_probabilities_on_both_sides_of_the_limit() {
        for (i, (n, p)) in
            [(1, 0.3), (10, 0.5), (1000, 1e-4), (50, 0.9), (200, 0.05), (200, 0.3), (5000, 0.7)].into_iter().enumerate()
        {
            let mut stream = Stream::from_seed(30 + i as u64);
            let binomial = Binomial::new(p);
            let counts = histogram(300_000, || binomial.draw(n, &mut stream));
            let ln_choose = |k: f64| {
                let n = n as f64;
                ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0)
            };
            let probability = |k: usize| {
                let k = k as f64;
                (ln_choose(k) + k * f64::ln(p) + (n as f64 - k) * (1.0 - p).ln()).exp()
            };
            assert!(counts.len() as u64 <= n + 1);
            assert_compatible(chi_square(&counts, probability), &format!("n {n}, p {p}"));
        }
    }

    #[test]
    fn certain_outcomes_use_no_randomness() {
        let mut stream = Stream::from_seed(1);
        let before = stream.clone();
        assert_eq!(Poisson::new(0.0).draw(&mut stream), 0);
        assert_eq!(Poisson::new(-1.0).draw(&mut stream), 0);
        assert_eq!(Binomial::new(0.0).draw(5, &mut stream), 0);
        assert_eq!(Binomial::new(1.0).draw(5, &mut stream), 5);
        assert_eq!(Binomial::new(0.4).draw(0, &mut stream), 0);
        assert_eq!(stream, before);
    }

    /// P(k trials) = (1 − p)^(k−1) p.
    #[test]
    fn geometric_lifetimes_follow_their_law() {
        let mut stream = Stream::from_seed(50);
        let p = 0.2;
        let counts = histogram(200_000, || stream.geometric(p));
        let probability = |k: usize| if k == 0 { 0.0 } else { (1.0_f64 - p).powi(k as i32 - 1) * p };
        assert_compatible(chi_square(&counts, probability), "geometric");
        assert!(Stream::from_seed(1).geometric(1e-300) > 1_000_000_000);
    }

    #[test]
    fn indices_are_chosen_by_weight() {
        let mut stream = Stream::from_seed(60);
        let weights = [100.0, 51.0, 0.0, 17.0];
        let counts = histogram(168_000, || stream.choose(weights.iter().copied()).unwrap() as u64);
        assert_compatible(chi_square(&counts, |k| weights[k] / 168.0), "lines");
        assert_eq!(stream.choose([0.0, -1.0].into_iter()), None);
    }
}
