//! What can go wrong in a closure study.

use std::path::PathBuf;

/// Why a study could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ClosureError {
    /// No study of this name.
    #[error("there is no study `{name}`; the studies are {}", existing.join(", "))]
    NoStudy {
        /// Asked for.
        name: String,
        /// All of them.
        existing: Vec<&'static str>,
    },
    /// No setting of the chosen studies.
    #[error("no setting's name holds `{text}`; closure.md of a whole study lists them")]
    NoSetting {
        /// Asked for.
        text: String,
    },
    /// The configuration of a case is not acceptable.
    #[error("{case}: {reason}")]
    Case {
        /// Study and setting.
        case: String,
        /// Sentence.
        reason: String,
    },
    /// An image could not be simulated, read or analysed.
    #[error("{case}, image {image}: {reason}")]
    Image {
        /// Study and setting.
        case: String,
        /// Number of the image, from 0.
        image: u64,
        /// Sentence.
        reason: String,
    },
    /// A file cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    Write {
        /// File or directory.
        path: PathBuf,
        /// Reason.
        source: std::io::Error,
    },
    /// A figure cannot be drawn.
    #[error("a figure of the report cannot be drawn: {0}")]
    Figure(#[from] crate::plot::RenderError),
    /// No threads.
    #[error("the worker threads cannot be started: {0}")]
    Threads(String),
}
