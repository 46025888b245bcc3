//! The ROOT file writer.
mod atomic_file;
mod buffer;
mod compression;
mod error;
mod file;
mod objects;
mod options;
mod output;
mod record;
mod streamer_info;
mod tree;

pub use atomic_file::AtomicFile;
pub use compression::Compression;
pub use error::{Result, RootError};
pub use file::{RootFile, TreeId};
pub use objects::{Function, Graph, Histogram, Parameter};
pub use options::Options;
pub use tree::{BranchType, Cell, Column, Nested};
