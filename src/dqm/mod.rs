//! Data-quality monitor: the images of a run become monitor elements, tests, flags, plots and summaries (spec 06).
//!
//! A *run* is a set of images taken under the same conditions. Every image goes through the ordinary chain; on what the
//! chain leaves, the *monitor elements* (ME) of the [`catalogue`] are computed: vectors per row, column or skip,
//! histograms, single numbers. Tests compare them with limits and with a reference run, and their flags say at a glance
//! which image needs a look.
//!
//! ```text
//! image ─> chain ─> monitor elements ─> tests ─┐      (images are independent of each other: in parallel)
//! image ─> …                                   ├─> run: medians, mask, tests, plots ─> summary (.json, .pkl)
//! image ─> …                                   ┘      (a function of the image records alone)
//! ```
//!
//! Everything that is known about a run is in one [`model::Summary`]; stores, reports and trends are made from it.

pub mod catalogue;
pub mod elements;
pub mod model;
pub mod plots;
pub mod quality;
pub mod report;
pub mod run;
pub mod store;
pub mod summary;
pub mod trend;
