//! From the raw samples to calibrated images.

pub mod pedestal_subtraction;
pub mod products;

pub use pedestal_subtraction::PedestalSubtractionProcess;
