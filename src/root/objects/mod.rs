//! Objects that stand in a file beside trees: histograms, graphs, and functions attached to them.
//!
//! They are written as ROOT 6.28 streams them (classes `TH1F`, `TGraph`, `TGraphErrors`, `TF1`) with ROOT's default
//! attributes, so that `file.Get("pcd")->Draw()` gives a usable picture at once.

mod function;
mod graph;
mod histogram;

pub use function::{Function, Parameter};
pub use graph::Graph;
pub use histogram::Histogram;

/// Value of a minimum or maximum that nobody has set.
const UNSET: f64 = -1111.0;
/// Most bins or points of an object: more cannot be streamed as one (2³⁰ bytes), and no picture needs them.
const LARGEST: usize = 10_000_000;
