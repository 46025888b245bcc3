//! The most probable number of electrons of a pixel, and its probability.
//!
//! A pixel with n electrons shows a charge q distributed as a Gaussian around μ0 + n·g with
//!
//! ```text
//! σ_n² = σ² + V(μ0) + 2 n C(μ0, g) + n² V(g)
//! ```
//!
//! (noise, and the uncertainty of the calibration, which grows with the charge). By Bayes' theorem
//!
//! ```text
//! P(n|q) ∝ [(1 − ε)·Poisson(n; λ) + ε/(M + 1)]·exp(−(q − μ0 − n g)²/2σ_n²)/σ_n
//! ```
//!
//! the prior being dark current, and with probability ε charge of a particle, evenly spread over 0 … M electrons: without
//! it, the steep Poisson tail would pull every large charge down.

use crate::stats::distributions::poisson_probability;

/// Candidates farther from the charge than this many σ_n are left out.
const REACH: f64 = 9.0;
/// Poisson terms are tabulated up to here; beyond, the flat part decides.
const TABLE: usize = 64;

/// How a charge shows, image units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Response {
    /// Image units per electron.
    pub gain: f64,
    /// Noise, image units.
    pub sigma: f64,
    /// Position of the zero-electron peak, image units.
    pub offset: f64,
    /// Variance of the offset.
    pub offset_variance: f64,
    /// Variance of the gain.
    pub gain_variance: f64,
    /// Their covariance.
    pub covariance: f64,
}

impl Response {
    /// Width of the peak of n electrons.
    pub fn width(&self, n: f64) -> f64 {
        let calibration = self.offset_variance + 2.0 * n * self.covariance + n * n * self.gain_variance;
        (self.sigma * self.sigma + calibration.max(0.0)).sqrt()
    }
}

/// What is known before the pixel is looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Prior {
    poisson: Vec<f64>,
    flat: f64,
}

impl Prior {
    /// Dark current `lambda` (e⁻ per pixel), and charge of particles with probability `particles` up to `max` electrons.
    pub fn new(lambda: f64, particles: f64, max: usize) -> Self {
        let lambda = lambda.max(0.0);
        let poisson = (0..TABLE as u64).map(|n| (1.0 - particles) * poisson_probability(n, lambda)).collect();
        Self { poisson, flat: particles / (max as f64 + 1.0) }
    }

    /// Probability of n electrons.
    pub fn of(&self, n: usize) -> f64 {
        self.poisson.get(n).copied().unwrap_or(0.0) + self.flat
    }
}

/// The most probable number of electrons and its probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assigned {
    /// Electrons.
    pub electrons: usize,
    /// Probability.
    pub probability: f64,
}

/// Assigns a number of electrons to a charge (image units); `None` for a missing pixel.
pub fn assign(q: f64, response: &Response, prior: &Prior) -> Option<Assigned> {
    if !q.is_finite() {
        return None;
    }
    let nearest = ((q - response.offset) / response.gain).round().max(0.0);
    // beyond this the doubles cannot tell neighbouring electrons
    if nearest > 1e12 {
        return None;
    }
    let reach = (REACH * response.width(nearest) / response.gain).ceil().clamp(1.0, 10_000.0) as usize;
    let nearest = nearest as usize;
    let mut best: Option<(usize, f64)> = None;
    let log_weight = |n: usize| {
        let width = response.width(n as f64);
        let t = (q - response.offset - n as f64 * response.gain) / width;
        prior.of(n).ln() - width.ln() - 0.5 * t * t
    };
    let candidates = nearest.saturating_sub(reach)..=nearest + reach;
    for n in candidates.clone() {
        let weight = log_weight(n);
        if best.is_none_or(|(_, highest)| weight > highest) {
            best = Some((n, weight));
        }
    }
    let (electrons, highest) = best?;
    let total: f64 = candidates.map(|n| (log_weight(n) - highest).exp()).sum();
    Some(Assigned { electrons, probability: 1.0 / total })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESPONSE: Response =
        Response { gain: 10.0, sigma: 2.0, offset: 0.5, offset_variance: 0.0, gain_variance: 0.0, covariance: 0.0 };

    #[test]
    fn two_peaks_meet_where_prior_and_likelihood_balance() {
        let prior = Prior::new(0.1, 0.0, 1000);
        // ln(λ) + (q − μ0)·g/σ² − g²/2σ² = 0 at the border of 0 and 1 electrons
        let border = 0.5 + 5.0 - 0.1f64.ln() * 4.0 / 10.0;
        let below = assign(border - 0.01, &RESPONSE, &prior).unwrap();
        let above = assign(border + 0.01, &RESPONSE, &prior).unwrap();
        assert_eq!((below.electrons, above.electrons), (0, 1));
        assert!((below.probability - 0.5).abs() < 0.01 && (above.probability - 0.5).abs() < 0.01);
        assert!(assign(0.5, &RESPONSE, &prior).unwrap().probability > 0.999_99);
        assert_eq!(assign(-40.0, &RESPONSE, &prior).unwrap().electrons, 0);
        assert_eq!(assign(f64::NAN, &RESPONSE, &prior), None);
    }

    #[test]
    fn the_probability_is_that_of_the_plain_formula() {
        let prior = Prior::new(0.7, 1e-3, 500);
        for q in [-3.0, 4.2, 7.7, 16.1, 25.3] {
            let weights: Vec<f64> = (0..200)
                .map(|n| {
                    let t = (q - 0.5 - 10.0 * f64::from(n)) / 2.0;
                    (0.999 * poisson_probability(n as u64, 0.7) + 1e-3 / 501.0) * (-0.5 * t * t).exp()
                })
                .collect();
            let total: f64 = weights.iter().sum();
            let best = (0..200).max_by(|a, b| weights[*a].total_cmp(&weights[*b])).unwrap();
            let found = assign(q, &RESPONSE, &prior).unwrap();
            assert_eq!(found.electrons, best);
            assert!((found.probability - weights[best] / total).abs() < 1e-12, "{q}");
        }
    }

    #[test]
    fn large_charges_are_not_pulled_down_and_grow_uncertain_with_the_gain() {
        let prior = Prior::new(0.1, 1e-3, 1000);
        let found = assign(0.5 + 10.0 * 50.0, &RESPONSE, &prior).unwrap();
        assert_eq!(found.electrons, 50);
        assert!(found.probability > 0.97);
        // gain known to 1 %: at 50 electrons, half an electron
        let uncertain = Response { gain_variance: 0.01, ..RESPONSE };
        let found = assign(0.5 + 10.0 * 50.0, &uncertain, &prior).unwrap();
        assert_eq!(found.electrons, 50);
        assert!(found.probability > 0.6 && found.probability < 0.8, "{}", found.probability);
        assert!(assign(1e300, &RESPONSE, &prior).is_none());
    }
}
