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
//!                                                         └─> dqm: monitor elements ─> summary, store, reports
//! ```
//!
//! | room | what lives there |
//! |---|---|
//! | [`cli`] | the command line: options, subcommands, messages; no work of its own |
//! | [`config`] | the one typed configuration: defaults < JSON < command line; its help and schema |
//! | [`fits`] | headers and pixels; the only place that knows cfitsio, and the only one with unsafe code |
//! | [`image`] | [`RawData`](image::RawData): regions, the streamed cube of skips, reductions, masks, measurements |
//! | [`process`] | the traits of the chain, the registry, and one folder per process |
//! | [`stats`] | histograms, robust estimators, models, and the minimisers of the fits |
//! | [`plot`] | figures as data, and what draws them: PNG, SVG, PDF, EPS, terminal |
//! | [`root`] | ROOT files: trees and objects, written and read |
//! | [`output`] | names and content of everything that a run leaves behind |
//! | [`atomic_file`] | files that are complete or not there |
//! | [`batch`] | many files in parallel, `--resume`, the lines at the end |
//! | [`dqm`] | the data-quality monitor |
//! | [`simulate`], [`response`] | raw images with known truth; Geant4 hits to clusters and images |
//! | [`closure`] | the analysis against simulated truth |
//! | [`workbench`] | the small tools of a test stand |
//!
//! Fits are made by own minimisers ([`stats`]): they agree with the C++ Minuit2 to a thousandth of an error, find minima
//! that the Rust port misses, and never panic; that port stays as a witness in tests. Figures are drawn by own renderers
//! ([`plot`]) because every format must show the same, byte for byte on every machine.
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
