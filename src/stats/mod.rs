//! Histograms, robust estimators, fit models and fits: the numerical heart, pure functions on slices.
//!
//! Nothing here knows images, configurations or files; callers select pixels and pass numbers (ADU or e⁻).
//!
//! | room | what is in it |
//! |---|---|
//! | [`robust`] | percentiles, median, MAD, trimmed and clipped moments |
//! | [`distributions`] | Gaussian, Poisson, χ² |
//! | [`histogram`] | uniform histograms, bin-index rules, rules for the number of bins |
//! | [`peak_finder`] | peaks of binned distributions |
//! | [`gaussian_fit`] | Gaussian fit of a pedestal row, and the older windowed estimate |
//! | [`charge_comb`] | the comb of single-electron peaks: gain and linearity |
//! | [`dark_current`] | Poisson⊗Gaussian fit of the pixel-charge distribution: noise, dark current, gain |
//! | [`profile_fit`] | Gaussian fit of a cluster's profile |
//! | [`polynomial`] | weighted straight lines and polynomials |
//! | [`minimise`] | any other model: named parameters, limits, errors, profile intervals |
//! | [`bounded_search`], [`small_matrix`] | the engine below: Levenberg–Marquardt in a box, Hessian, profiles |
//! | [`unified_interval`] | interval for a quantity that cannot be negative |
//! | [`random`] | seeded streams of random numbers and their distributions |
//! | [`small_matrix`], [`band_matrix`] | positive-definite matrices: small on the stack, long banded ones |
//!
//! A fit that fails is a result with a [`status`], not an error: errors are for input that cannot be fitted at all.
//! Results depend on the input alone, bit for bit, never on the number of threads.

pub mod band_matrix;
pub mod bounded_search;
pub mod charge_comb;
pub mod dark_current;
pub mod distributions;
mod error;
pub mod gaussian_fit;
pub mod histogram;
pub mod minimise;
pub mod peak_finder;
pub mod polynomial;
pub mod profile_fit;
pub mod random;
pub mod robust;
pub mod small_matrix;
pub mod status;
pub mod unified_interval;

pub use error::StatsError;
pub use histogram::{BinRule, Histogram};
pub use status::Status;

#[cfg(test)]
pub(crate) mod test_data;
