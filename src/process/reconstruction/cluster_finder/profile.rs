//! The profile of a cluster along one axis and the Gaussian fitted to it (spec 05 §3.3).

/// Contents Σ E/Qmax of unit bins; the first and the last are empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Centre of the first bin, px (1-based).
    pub first: f64,
    /// Contents.
    pub contents: Vec<f64>,
}

/// Mean and standard deviation of the fitted Gaussian, px; NaN if the contents are not those of a distribution.
pub fn fit(_profile: &Profile) -> (f64, f64) {
    (f64::NAN, f64::NAN)
}
