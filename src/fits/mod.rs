//! FITS files in and out: the only place that knows cfitsio.

pub mod header;

pub use header::{Card, CardValue, Header};
