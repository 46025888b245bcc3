//! What may be chosen for a file.

use jiff::civil::DateTime;

use super::compression::Compression;
use super::tree::BASKET_SIZE;

/// Smallest and largest basket sizes; a basket's size has 31 bits, and one entry may exceed it by 2³⁰.
const BASKET_LIMITS: (usize, usize) = (256, 1 << 28);

/// Choices for a new ROOT file.
///
/// Without a date and with the default identifier, the same content gives the same bytes.
#[derive(Clone, Debug)]
pub struct Options {
    /// How payloads are compressed; the default is zlib at level 1.
    pub compression: Compression,
    /// Date and time written into the file, in whatever zone the caller uses (ROOT itself writes local time); none
    /// leaves 0, which ROOT shows as 1995-00-00. ROOT can express the years from 1995 to 2058.
    pub created: Option<DateTime>,
    /// The 16 bytes that identify the file. By default they are made from its content: repeatable, and different for
    /// different files, as readers that keep objects of several files in one cache (uproot can) expect.
    pub uuid: Option<[u8; 16]>,
    /// A basket is closed when it exceeds this number of bytes before compression (at least 256, at most 2²⁸). The
    /// default of 32 000 is ROOT's; larger baskets suit long trees of numbers.
    pub basket_size: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { compression: Compression::default(), created: None, uuid: None, basket_size: BASKET_SIZE }
    }
}

impl Options {
    /// The default choices with another compression.
    pub fn with_compression(compression: Compression) -> Self {
        Self { compression, ..Self::default() }
    }

    /// The basket size within its limits.
    pub(super) fn basket_size(&self) -> usize {
        self.basket_size.clamp(BASKET_LIMITS.0, BASKET_LIMITS.1)
    }
}
