//! Skipper images whose truth is known (spec 07 §8): the measure of everything that the analysis claims.
//!
//! ```text
//! config ─> setup ─┬─> particles ─> charge ─┐
//!                  └─> pedestal, noise ─────┴─> readout ─> FITS image
//!                                           └─> truth: JSON, CSV, FITS, Geant4 trees
//! ```
//!
//! | room | what is in it |
//! |---|---|
//! | [`config`], [`presets`], [`load`] | what a user may ask for |
//! | [`setup`], [`geometry`], [`sources`] | the same, checked and complete |
//! | [`detector`] | pair creation, partial collection, diffusion (shared with the detector response) |
//! | [`particles`], [`geant4_source`], [`charge`] | electrons in pixels |
//! | [`readout`], [`flicker`] | from electrons to ADC values |
//! | [`fits_file`], [`header`], [`truth`], [`geant4_output`] | the files |
//! | [`image`], [`series`] | one image; several of them |
//!
//! Rows are made in parallel, each from its own random streams ([`crate::stats::random`]), and go straight to their place
//! in the file: the bytes do not depend on the number of threads, and memory does not grow with the image.

pub mod charge;
pub mod config;
pub mod detector;
mod error;
pub mod fits_file;
pub mod flicker;
pub mod geant4_output;
pub mod geant4_source;
pub mod geometry;
pub mod header;
pub mod image;
pub mod load;
pub mod particles;
pub mod presets;
pub mod readout;
pub mod series;
pub mod setup;
pub mod sources;
pub mod truth;

pub use config::SimulationConfig;
pub use error::{Result, SimulateError};
pub use image::{ImageFiles, simulate_image};
pub use setup::Setup;
