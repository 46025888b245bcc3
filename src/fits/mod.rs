//! FITS files in and out: the only place that knows cfitsio.
//!
//! The structure of a file (format, HDUs, sizes, headers) is read and checked here in safe code, so that an absurd or
//! truncated file is an error with a sentence and never an allocation; uncompressed pixels are read with positioned
//! reads and decoded here, tile-compressed ones by cfitsio.

mod bytes;
mod cards;
mod cfitsio;
mod content;
mod decode;
pub mod error;
mod hdu;
pub mod header;
mod input;
pub mod writer;

pub use bytes::Wrapping;
pub(crate) use cards::format_card;
pub use error::FitsError;
pub use hdu::{Hdu, HduKind};
pub use header::{Card, CardValue, Header};
pub use input::{FitsInput, Plane};
pub use writer::FitsWriter;

#[cfg(test)]
pub(crate) mod test_files;
#[cfg(test)]
mod tests;
