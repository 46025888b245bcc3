//! Trends over runs (spec 06 §16): how gain, dark current, noise and the monitor elements change from run to run.

pub mod history;

pub use history::{FitValue, RunTrend, TrendValue};
