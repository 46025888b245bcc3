//! The chain: processes, their registry and the manager that runs them.

pub mod measurement;

pub use measurement::Measurement;
