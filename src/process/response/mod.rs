//! The steps of the detector response, on the hits of a Geant4 simulation (spec 07 §4), in the order in which they run.
//!
//! | step | sequence id |
//! |---|---|
//! | [`Diffusion`] | 10 |
//! | [`ContinuousReadout`] | 20 |
//! | [`PixelizeSignal`] | 30 |
//! | [`DarkCurrent`] | 40 |
//! | [`ElectronicNoise`] | 50 |
//! | [`PixelSaturation`] | 55 |
//! | [`PasteClusterProcess`] | 60 |
//! | [`CreateFitsImage`] | 200 |
//! | [`SignalPatternRecognition`] | 400 |
//! | [`ClusterFinder`] | 500 |

pub mod assemble;
pub mod cluster_finder;
pub mod continuous_readout;
pub mod create_fits_image;
pub mod dark_current;
pub mod diffusion;
pub mod electronic_noise;
pub mod flag;
pub mod noise_region;
pub mod paste_cluster;
pub mod pixel_saturation;
pub mod pixelize_signal;
pub mod sigma_map;
pub mod signal_pattern_recognition;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod tests_support;

pub use cluster_finder::ClusterFinder;
pub use continuous_readout::ContinuousReadout;
pub use create_fits_image::CreateFitsImage;
pub use dark_current::DarkCurrent;
pub use diffusion::Diffusion;
pub use electronic_noise::ElectronicNoise;
pub use paste_cluster::PasteClusterProcess;
pub use pixel_saturation::PixelSaturation;
pub use pixelize_signal::PixelizeSignal;
pub use signal_pattern_recognition::SignalPatternRecognition;
