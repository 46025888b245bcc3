//! Reading trees of numbers and texts from ROOT files.
//!
//! Written because no library reads what the simulation programs and all versions of ROOT write: `oxyroot` refuses files
//! of ROOT 6.40 and panics on damaged ones. A ROOT file describes its own classes (the list of `TStreamerInfo`); trees and
//! branches are decoded with these descriptions ([`schema`], [`object`]), so that older and newer layouts are read alike.
//! Every position and count is checked against the bytes that are there: a damaged file is an error and never a panic or
//! a huge allocation.
//!
//! What is read: top-level trees; branches of numbers (`TLeafI`, …), texts (`TLeafC`, `std::string`), and
//! `std::vector` of numbers or of such vectors; compression by zlib, LZ4, zstd and LZMA.

mod branch;
mod cursor;
mod decompress;
mod file;
mod object;
mod schema;

pub use branch::{BranchReader, Values};
pub use file::{RootInput, TreeReader};

/// A ROOT file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReadError(pub String);

/// Result of reading.
pub type ReadResult<T> = std::result::Result<T, ReadError>;

/// An error with this text.
fn fault<T>(text: impl Into<String>) -> ReadResult<T> {
    Err(ReadError(text.into()))
}

#[cfg(test)]
mod tests;
