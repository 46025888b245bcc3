//! What can go wrong in a run of the detector response.

use std::path::PathBuf;

use crate::process::digitize::ResponseError;

/// Errors of a run.
#[derive(Debug, thiserror::Error)]
pub enum ResponseRunError {
    /// The configuration cannot be used; one sentence per problem.
    #[error("{}: {}", path.display(), problems.join("\n  "))]
    Configuration {
        /// File.
        path: PathBuf,
        /// Problems.
        problems: Vec<String>,
    },
    /// A Geant4 file cannot be used.
    #[error("{}: {reason}", path.display())]
    Input {
        /// File.
        path: PathBuf,
        /// Sentence.
        reason: String,
    },
    /// A step failed.
    #[error("{}: {error}", path.display())]
    Step {
        /// Geant4 file.
        path: PathBuf,
        /// What the step says.
        error: ResponseError,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {reason}", path.display())]
    Write {
        /// File.
        path: PathBuf,
        /// Reason.
        reason: String,
    },
    /// The request makes no sense.
    #[error("{0}")]
    Usage(String),
}

/// Result of a run.
pub type Result<T> = std::result::Result<T, ResponseRunError>;
