//! What can go wrong while a ROOT file is written.

use thiserror::Error;

use super::tree::BranchType;

/// An error of the ROOT file writer.
///
/// Errors about a row, a schema or a name leave the file as it was: the caller may go on. After
/// [`RootError::Io`] or [`RootError::FileTooLarge`] the file cannot be completed, and every further call answers
/// [`RootError::Abandoned`].
#[derive(Debug, Error)]
pub enum RootError {
    /// The operating system refused to create, write or rename the file.
    #[error("cannot {action} the ROOT file {file}: {source}")]
    Io {
        /// What was being done ("create", "write", …).
        action: &'static str,
        /// The file, as it was named by the caller.
        file: String,
        /// The reason the system gave.
        source: std::io::Error,
    },
    /// The file would reach 2 000 000 000 bytes, from where ROOT uses another layout.
    #[error(
        "the ROOT file {file} would grow to {bytes} bytes; this writer stops before 2 000 000 000, split the data over several files"
    )]
    FileTooLarge {
        /// The file.
        file: String,
        /// The size it would have had.
        bytes: u64,
    },
    /// An earlier error made the file incomplete.
    #[error("the ROOT file {file} was abandoned after an earlier write error and cannot be completed")]
    Abandoned {
        /// The file.
        file: String,
    },
    /// Two trees, histograms or graphs of a file have the same name.
    #[error("the ROOT file {file} already has an object named \"{name}\"")]
    DuplicateObject {
        /// The file.
        file: String,
        /// The name used twice.
        name: String,
    },
    /// Two branches of a tree have the same name.
    #[error("the tree \"{tree}\" already has a branch named \"{branch}\"")]
    DuplicateBranch {
        /// The tree.
        tree: String,
        /// The name used twice.
        branch: String,
    },
    /// ROOT could not look the name up again.
    #[error("the {what} \"{name}\" cannot be used in a ROOT file: {reason}")]
    InvalidName {
        /// "tree", "branch", "file", "title", …
        what: &'static str,
        /// The name.
        name: String,
        /// Why not.
        reason: &'static str,
    },
    /// The tree handle belongs to another file.
    #[error("the ROOT file {file} did not create the tree of this handle")]
    UnknownTree {
        /// The file that was asked to fill the tree.
        file: String,
    },
    /// A row has another number of cells than the tree has branches.
    #[error("the tree \"{tree}\" has {expected} branches, but {got} values were given to fill it")]
    WrongCount {
        /// The tree.
        tree: String,
        /// Number of branches.
        expected: usize,
        /// Number of values.
        got: usize,
    },
    /// A cell does not have the type of its branch.
    #[error("the branch \"{branch}\" of the tree \"{tree}\" holds {expected}, but {got} was given to fill it")]
    WrongType {
        /// The tree.
        tree: String,
        /// The branch.
        branch: String,
        /// The type of the branch.
        expected: BranchType,
        /// The type of the value.
        got: BranchType,
    },
    /// Columns given together have different lengths.
    #[error(
        "the column for the branch \"{branch}\" of the tree \"{tree}\" has {got} values, the first column has {expected}"
    )]
    ColumnLength {
        /// The tree.
        tree: String,
        /// The branch.
        branch: String,
        /// Length of the first column.
        expected: usize,
        /// Length of this column.
        got: usize,
    },
    /// The offsets of a flat nested vector do not cut its values into rows.
    #[error(
        "the offsets for the branch \"{branch}\" of the tree \"{tree}\" do not divide {values} values into rows: {reason}"
    )]
    BadOffsets {
        /// The tree.
        tree: String,
        /// The branch.
        branch: String,
        /// Number of values.
        values: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// One value of one entry is larger than the format can express.
    #[error(
        "one entry of the branch \"{branch}\" of the tree \"{tree}\" would take {bytes} bytes; ROOT can hold less than 1 073 741 822"
    )]
    EntryTooLarge {
        /// The tree.
        tree: String,
        /// The branch.
        branch: String,
        /// Its encoded size.
        bytes: usize,
    },
    /// A histogram, graph or function is not consistent in itself.
    #[error("the {what} \"{name}\" cannot be written: {reason}")]
    BadObject {
        /// "histogram", "graph" or "function".
        what: &'static str,
        /// Its name.
        name: String,
        /// What is wrong, with the numbers.
        reason: String,
    },
}

/// Result of the ROOT file writer.
pub type Result<T> = std::result::Result<T, RootError>;
