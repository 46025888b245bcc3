//! Analysis of skipper-CCD images.
//!
//! A raw skipper image (rows × columns·skips, in ADU) goes in; calibrated images, fitted gain, noise and dark current,
//! and the clusters of pixels left by particles come out. The binary `panaSKImg` is a thin shell around this library.
//!
//! The way of the data, one direction and no loops:
//!
//! ```text
//! command line + JSON ─> config ─> items (file × extension)
//! FITS ─> fits ─> image::RawData ─> process::ProcessManager ─> output: FITS, ROOT, figures, summary
//! ```
#![deny(unsafe_code)]
#![warn(missing_docs)]

#[forbid(unsafe_code)]
pub mod atomic_file;
#[forbid(unsafe_code)]
pub mod batch;
#[forbid(unsafe_code)]
pub mod cli;
#[forbid(unsafe_code)]
pub mod closure;
#[forbid(unsafe_code)]
pub mod config;
#[forbid(unsafe_code)]
pub mod dqm;
pub mod fits;
#[forbid(unsafe_code)]
pub mod image;
#[forbid(unsafe_code)]
pub mod output;
#[forbid(unsafe_code)]
pub mod plot;
#[forbid(unsafe_code)]
pub mod process;
#[forbid(unsafe_code)]
pub mod response;
#[forbid(unsafe_code)]
pub mod root;
#[forbid(unsafe_code)]
pub mod simulate;
#[forbid(unsafe_code)]
pub mod stats;
#[forbid(unsafe_code)]
pub mod workbench;
