//! Why a FITS file cannot become an image.

use super::user_region::RangeError;
use crate::fits::FitsError;

/// Why a FITS file cannot become an image. The messages do not repeat the name of the file.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The file cannot be read.
    #[error(transparent)]
    Fits(#[from] FitsError),
    /// No HDU holds an image.
    #[error("no HDU holds a two-dimensional image (the file has {existing})")]
    NoImages {
        /// List of HDUs.
        existing: String,
    },
    /// The number of skips must be known and is not.
    #[error(
        "`input.image.skip_image` is true, but none of the keywords {keywords} (`input.convention.Nskips`) is in {place}"
    )]
    NoSkips {
        /// Keywords looked for.
        keywords: String,
        /// HDUs looked in.
        place: String,
    },
    /// The number of skips is not a positive integer.
    #[error(
        "the number of skips, {keyword} (`input.convention.Nskips`), is `{found}`; an integer of at least 1 was expected"
    )]
    BadSkips {
        /// Keyword.
        keyword: String,
        /// Text of the card.
        found: String,
    },
    /// The samples cannot be divided into pixels.
    #[error(
        "{length} {axis} cannot be divided into pixels of {skips} skips ({keyword}, `input.image.axis_to_compress` {axis_number})"
    )]
    NotDivisible {
        /// Length of the axis.
        length: usize,
        /// `rows` or `columns`.
        axis: &'static str,
        /// Skips per pixel.
        skips: usize,
        /// Keyword of the number of skips.
        keyword: String,
        /// Axis of the configuration.
        axis_number: u8,
    },
    /// Rows that cannot be binned.
    #[error("{rows} rows cannot be binned by {factor} (`input.image.row_binning`)")]
    RowBinning {
        /// Rows.
        rows: usize,
        /// Factor.
        factor: usize,
    },
    /// The Leach correction of two amplifiers needs two halves.
    #[error("{cols} columns cannot be split between two amplifiers (`input.image.correct_leach_bug` with AMPL `UL`)")]
    OddColumns {
        /// Columns.
        cols: usize,
    },
    /// The overscan comes out negative.
    #[error(
        "the overscan would have {overscan} columns: `input.image.ccd_cols` {ccd_cols} with binning {binning} does not fit an image of {cols} columns"
    )]
    NegativeOverscan {
        /// Columns of the overscan.
        overscan: i64,
        /// `ccd_cols`.
        ccd_cols: usize,
        /// Column binning.
        binning: usize,
        /// Columns of the image.
        cols: usize,
    },
    /// No active pixel is left.
    #[error(
        "no active {axis} is left: {before} prescan and {after} overscan {axis} of {length} (`{keys}` of `input.image`)"
    )]
    NoActivePixels {
        /// `rows` or `columns`.
        axis: &'static str,
        /// Prescan.
        before: usize,
        /// Overscan.
        after: usize,
        /// Length of the axis per amplifier.
        length: usize,
        /// Keys of the configuration.
        keys: &'static str,
    },
    /// The explicit active region makes no sense.
    #[error("`input.image.{key}` is [{first}, {last}]; {expected}")]
    ActiveRegion {
        /// Key.
        key: &'static str,
        /// First index.
        first: usize,
        /// Last index.
        last: usize,
        /// What would be right.
        expected: String,
    },
    /// An impossible number of amplifiers.
    #[error("`input.image.n_amp` is {found}; 1 or 2 was expected")]
    AmplifierCount {
        /// Value found.
        found: u8,
    },
    /// Extensions of different shapes cannot be stacked.
    #[error(
        "--acm stacks extensions of equal shape: HDU {first} has {} × {}, HDU {other} has {} × {}",
        first_shape.0, first_shape.1, other_shape.0, other_shape.1
    )]
    UnequalShapes {
        /// First HDU.
        first: usize,
        /// Rows and columns of the first.
        first_shape: (usize, usize),
        /// HDU that differs.
        other: usize,
        /// Its rows and columns.
        other_shape: (usize, usize),
    },
    /// An HDU that an option names cannot be read.
    #[error("{option}: {source}")]
    Hdu {
        /// Option and key of the configuration.
        option: &'static str,
        /// Reason.
        source: FitsError,
    },
    /// The Monte-Carlo truth does not fit.
    #[error(
        "the Monte-Carlo truth in HDU {hdu} (`--MCT`) has {} × {} pixels, the image {} × {}",
        found.0, found.1, expected.0, expected.1
    )]
    TruthShape {
        /// HDU of the truth.
        hdu: usize,
        /// Rows and columns found.
        found: (usize, usize),
        /// Rows and columns of the image.
        expected: (usize, usize),
    },
    /// The mask cannot be read or does not fit.
    #[error("mask of `--mask`: {0}")]
    Mask(#[from] super::auxiliary::MaskError),
    /// An amplifier without data.
    #[error("amplifier {amplifier} has no finite pixel in its active region")]
    NothingFinite {
        /// Amplifier.
        amplifier: String,
    },
    /// The time zone cannot be understood.
    #[error("`input.datetime.timezone` is `{found}`; `UTC`, `local` or an offset like `+02:00` was expected")]
    TimeZone {
        /// Value found.
        found: String,
    },
    /// A range of the user does not fit the image.
    #[error(transparent)]
    Range(#[from] RangeError),
}
