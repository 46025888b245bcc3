//! From the raw samples to calibrated images.

pub mod calibration;
pub mod fit_dark_current;
pub mod pedestal_subtraction;
pub mod products;

pub use calibration::CalibrationProcess;
pub use fit_dark_current::FitDarkCurrentProcess;
pub use pedestal_subtraction::PedestalSubtractionProcess;
