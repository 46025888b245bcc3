//! What can be wrong with a FITS file.
//!
//! The messages do not repeat the name of the file: whoever reports them knows it (log lines begin with it).

/// Why a FITS file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FitsError {
    /// The operating system refused.
    #[error("{action} failed: {source}")]
    Io {
        /// What was tried.
        action: String,
        /// Reason.
        source: std::io::Error,
    },
    /// The content is something else.
    #[error("not a FITS file: it begins with {found} (expected \"SIMPLE  =\", or gzip or bzip2 around it)")]
    NotFits {
        /// First bytes, readable.
        found: String,
    },
    /// The stream around the FITS file is damaged.
    #[error("the {format} stream is damaged after {bytes} decompressed bytes: {reason}")]
    Stream {
        /// `gzip` or `bzip2`.
        format: &'static str,
        /// Bytes that could be decompressed.
        bytes: u64,
        /// Reason.
        reason: String,
    },
    /// The file ends too early.
    #[error("truncated in the {part} of HDU {hdu}: {expected} bytes expected, {found} found")]
    Truncated {
        /// HDU in which the file ends.
        hdu: usize,
        /// `header` or `data`.
        part: &'static str,
        /// Size that the file must have at least.
        expected: u64,
        /// Size of the file (decompressed).
        found: u64,
    },
    /// A structural keyword has an impossible value.
    #[error("HDU {hdu}: {keyword} is {value}; {expected}")]
    BadKeyword {
        /// HDU.
        hdu: usize,
        /// Keyword.
        keyword: String,
        /// Value found, or `missing`.
        value: String,
        /// What would be right.
        expected: String,
    },
    /// There is no such HDU.
    #[error("there is no HDU {hdu} (the file has {existing})")]
    NoSuchHdu {
        /// HDU asked for.
        hdu: usize,
        /// List of HDUs with their names.
        existing: String,
    },
    /// The HDU holds no two-dimensional image.
    #[error("HDU {hdu} is {what}, not a two-dimensional image (the file has {existing})")]
    NotAnImage {
        /// HDU asked for.
        hdu: usize,
        /// What it is.
        what: String,
        /// List of HDUs with their names.
        existing: String,
    },
    /// A compression algorithm that is not supported.
    #[error("HDU {hdu}: unsupported compression {algorithm} (supported: {supported})")]
    UnsupportedCompression {
        /// HDU.
        hdu: usize,
        /// `ZCMPTYPE`.
        algorithm: String,
        /// Names that work.
        supported: &'static str,
    },
    /// A compressed tile cannot be decompressed.
    #[error("HDU {hdu}: tile {tile} is corrupt: {reason}")]
    CorruptTile {
        /// HDU.
        hdu: usize,
        /// Tile, counted from 0.
        tile: u64,
        /// Reason.
        reason: String,
    },
}

impl FitsError {
    /// An error of the operating system.
    pub(crate) fn io(action: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io { action: action.into(), source }
    }
}
