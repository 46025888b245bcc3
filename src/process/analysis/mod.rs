//! From the raw samples to calibrated images.

pub mod calibration;
pub mod compress_skipper;
pub mod correct_column_transient;
pub mod cross_talk;
pub mod eval_cti;
pub mod eval_halo;
pub mod fit_dark_current;
pub mod fit_dark_current_per_col;
pub mod fit_dark_current_per_row;
pub mod fit_dark_current_slices;
pub mod fit_verdict;
pub mod gaussian_fit;
mod gaussian_histogram;
mod listed_lines;
pub mod pedestal_subtraction;
pub mod products;
mod single_electron_rates;
pub mod two_d_gauss;
mod units;

pub use calibration::CalibrationProcess;
pub use compress_skipper::CompressSkipperProcess;
pub use correct_column_transient::CorrectElectronicColumnTransient;
pub use cross_talk::CrossTalkProcess;
pub use eval_cti::EvalCTIProcess;
pub use eval_halo::EvalHaloProcess;
pub use fit_dark_current::FitDarkCurrentProcess;
pub use fit_dark_current_per_col::FitDarkCurrentPerCol;
pub use fit_dark_current_per_row::FitDarkCurrentPerRow;
pub use gaussian_fit::GaussianFitProcess;
pub use pedestal_subtraction::PedestalSubtractionProcess;
pub use two_d_gauss::TwoDGaussProcess;
