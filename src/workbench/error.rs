//! What can go wrong in a bench tool, each as one sentence.

use std::path::PathBuf;

/// Why a bench tool has no result.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A pattern matches nothing, or no file was named (exit code 3).
    #[error("{0}")]
    NoInput(String),
    /// A file cannot be read.
    #[error("{}: {reason}", path.display())]
    Unreadable {
        /// File.
        path: PathBuf,
        /// Reason.
        reason: String,
    },
    /// An image is missing.
    #[error("{}: there is no {wanted}; the file has {existing}", path.display())]
    NoImage {
        /// File.
        path: PathBuf,
        /// What was looked for.
        wanted: String,
        /// What exists.
        existing: String,
    },
    /// Images of different shapes.
    #[error("{}: the image has {} rows × {} columns; {} × {} are expected{hint}",
            path.display(), found.0, found.1, expected.0, expected.1)]
    Shape {
        /// File.
        path: PathBuf,
        /// Rows and columns found.
        found: (usize, usize),
        /// Rows and columns expected.
        expected: (usize, usize),
        /// What to do about it, beginning with a blank or punctuation; may be empty.
        hint: String,
    },
    /// A header card is missing or makes no sense.
    #[error("{}: {reason}", path.display())]
    Keyword {
        /// File.
        path: PathBuf,
        /// Which card, and what is wrong.
        reason: String,
    },
    /// A file cannot be written.
    #[error("{} cannot be written: {reason}", path.display())]
    Unwritable {
        /// File.
        path: PathBuf,
        /// Reason.
        reason: String,
    },
    /// An option has a value that makes no sense.
    #[error("{option}: {reason}")]
    Option {
        /// Option.
        option: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The data do not allow what is asked for.
    #[error("{0}")]
    Data(String),
}

impl BenchError {
    /// Whether there is no input file (exit code 3).
    pub fn is_no_input(&self) -> bool {
        matches!(self, Self::NoInput(_))
    }

    /// Whether an option makes no sense or a result cannot be written (exit code 2); everything else is a matter of the
    /// file (exit code 1, spec 01 §7.1).
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Option { .. } | Self::Unwritable { .. })
    }

    /// Whether one file is not what it should be, while others may be: it cannot be read, or has no such image.
    pub fn is_of_one_file(&self) -> bool {
        matches!(self, Self::Unreadable { .. } | Self::NoImage { .. })
    }

    /// A wrong option.
    pub fn option(option: &'static str, reason: impl Into<String>) -> Self {
        Self::Option { option, reason: reason.into() }
    }
}

/// Result of a bench tool.
pub type BenchResult<T> = Result<T, BenchError>;
