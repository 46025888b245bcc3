//! The profile of a cluster along one axis (spec 05 §3.3).

use crate::stats::profile_fit::fit_profile;

/// Contents Σ E/Qmax of unit bins; the first and the last are empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Centre of the first bin, px (1-based).
    pub first: f64,
    /// Contents.
    pub contents: Vec<f64>,
}

impl Profile {
    /// Profile of pixels with these coordinates (from 0) between `min` and `max` (1-based, both included).
    pub fn new(coordinates: &[u32], energies: &[f64], qmax: f64, min: u32, max: u32) -> Self {
        let mut contents = vec![0.0; (max - min) as usize + 3];
        for (&v, &e) in coordinates.iter().zip(energies) {
            // `min` counts from 1 and the first bin lies one before it.
            contents[(v + 2 - min) as usize] += e / qmax;
        }
        Self { first: f64::from(min) - 1.0, contents }
    }

    /// Mean and standard deviation of the fitted Gaussian, px; NaN if the contents are not those of a distribution
    /// (pixels that are not positive, which only a cut at or below 0 lets through).
    pub fn fit(&self) -> (f64, f64) {
        let fit = fit_profile(&self.contents, self.first);
        (fit.mean, fit.sigma)
    }
}
