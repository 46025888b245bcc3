//! Dark-current fit: the pixel-charge distribution as Poisson electrons with Gaussian noise.
//!
//! Gives noise, dark current and gain of one amplifier. The compatible fit ([`Method::Root`]) minimises what ROOT
//! minimises for the same option letters, but from start values that always find the minimum and with a status word;
//! [`Method::Binned`] and [`Method::Unbinned`] are better likelihoods with profile intervals (spec 03 §1).
//!
//! | file | content |
//! |---|---|
//! | [`model`] | expected counts per bin with derivatives |
//! | [`objective`] | binned objectives: Neyman, Pearson, likelihood, unit weights |
//! | [`unbinned`] | likelihood of single pixels |
//! | [`options`] | the option letters |
//! | [`settings`] | what is fitted, how |
//! | `starts` | window, limits, start values |
//! | [`fit`] | search, errors |
//! | `goodness` | p-value, warnings |
//! | [`result`] | values, errors, conversions |
//!
//! ```
//! use panaskimg::stats::dark_current::{self, DarkCurrentSettings};
//!
//! // 0, 1 and 2 electrons at 10 ADU/e⁻, spread by 1.5 ADU
//! let pixels: Vec<f64> = (0..3000)
//!     .map(|i| {
//!         let electrons = match i % 10 { 0 | 1 => 1.0, 2 => 2.0, _ => 0.0 };
//!         10.0 * electrons + 1.5 * (((i * 7919) % 3000) as f64 / 3000.0 - 0.5) * 3.0
//!     })
//!     .collect();
//! let fit = dark_current::fit_pixels(&pixels, &DarkCurrentSettings::default())?;
//! assert!((fit.gain().value - 10.0).abs() < 0.5);
//! # Ok::<(), panaskimg::stats::StatsError>(())
//! ```

pub mod fit;
mod goodness;
pub mod model;
pub mod objective;
pub mod options;
pub mod result;
pub mod settings;
mod starts;
#[cfg(test)]
mod tests;
pub mod unbinned;

pub use crate::stats::status::Status;
pub use fit::{fit_histogram, fit_pixels};
pub use goodness::Goodness;
pub use options::{FitOptions, ObjectiveKind};
pub use result::{DarkCurrentFit, DirectParameters, FitParameter, InElectrons, StartUsed};
pub use settings::{BinWidth, DarkCurrentSettings, Method, ParameterLimits, Profiles, StartHints, automatic_window};
