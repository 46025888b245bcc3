//! The cube of skips: rows × columns × skips, read in blocks of rows and never held whole.

/// The samples of a skipper image.
#[derive(Debug)]
pub struct SkipCube {}
