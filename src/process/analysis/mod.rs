//! From the raw samples to calibrated images.

pub mod calibration;
pub mod fit_dark_current;
pub mod fit_verdict;
pub mod gaussian_fit;
mod gaussian_histogram;
mod listed_lines;
pub mod pedestal_subtraction;
pub mod products;
mod units;

pub use calibration::CalibrationProcess;
pub use fit_dark_current::FitDarkCurrentProcess;
pub use gaussian_fit::GaussianFitProcess;
pub use pedestal_subtraction::PedestalSubtractionProcess;
