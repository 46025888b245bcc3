//! What can go wrong in a simulation.

use std::path::PathBuf;

/// Errors of the simulation.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// Parameters that are impossible; one sentence each, with key and value.
    #[error("the configuration of the simulation is not acceptable:\n  {}", .0.join("\n  "))]
    Parameters(Vec<String>),
    /// The configuration file cannot be read.
    #[error("cannot read the configuration {}: {reason}", path.display())]
    Configuration {
        /// File.
        path: PathBuf,
        /// Reason.
        reason: String,
    },
    /// A Geant4 file cannot be used.
    #[error("{0}")]
    Geant4(String),
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// File.
        path: PathBuf,
        /// Reason.
        source: std::io::Error,
    },
    /// The ROOT file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    WriteRoot {
        /// File.
        path: PathBuf,
        /// Reason.
        source: crate::root::RootError,
    },
    /// The threads cannot be started.
    #[error("cannot start {threads} threads: {reason}")]
    Threads {
        /// Number.
        threads: usize,
        /// Reason.
        reason: String,
    },
}

/// Result of this module.
pub type Result<T> = std::result::Result<T, SimulateError>;
