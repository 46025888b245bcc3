//! Errors of the statistics module.

use thiserror::Error;

/// Why a histogram or a fit could not be set up. A fit that was set up but failed is not an error: its result says so.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum StatsError {
    /// The range of a histogram is empty, inverted or not finite.
    #[error("the histogram range [{lo}, {hi}] is empty or not finite: the lower end must be below the upper end")]
    EmptyRange {
        /// Lower end.
        lo: f64,
        /// Upper end.
        hi: f64,
    },
    /// A histogram needs at least one bin and no more than can be held in memory.
    #[error("a histogram of {n_bins} bins was asked for; between 1 and {max} are possible")]
    BinCount {
        /// Bins asked for.
        n_bins: usize,
        /// Largest number of bins.
        max: usize,
    },
    /// A binning rule of unknown name.
    #[error("unknown binning rule '{name}'; known rules: default, sturge (sturges), freedman, manual")]
    UnknownBinRule {
        /// The name given.
        name: String,
    },
    /// Manual binning without a number of bins.
    #[error("the binning rule 'manual' needs a positive number of bins, not {n_bins}")]
    ManualBins {
        /// The number given.
        n_bins: i64,
    },
    /// A peak finder of unknown name.
    #[error("unknown peak finder '{name}'; known peak finders: smoothed, first_bump")]
    UnknownPeakFinder {
        /// The name given.
        name: String,
    },
    /// The limits of a parameter are inverted or not numbers.
    #[error("the limits [{lo}, {hi}] of the fit parameter '{name}' are inverted or not numbers")]
    InvalidLimits {
        /// Parameter.
        name: String,
        /// Lower limit.
        lo: f64,
        /// Upper limit.
        hi: f64,
    },
    /// A start value is not a finite number.
    #[error("the start value {value} of the fit parameter '{name}' is not a finite number")]
    InvalidStart {
        /// Parameter.
        name: String,
        /// Start value.
        value: f64,
    },
    /// A number of peaks that the model cannot have.
    #[error("the number of peaks is {n_peaks}; the model needs between 1 and {max}")]
    PeakCount {
        /// Peaks asked for.
        n_peaks: usize,
        /// Largest number of peaks.
        max: usize,
    },
    /// Two inputs that must have the same length have not.
    #[error("{what}: expected {expected} values, got {got}")]
    Length {
        /// What was passed.
        what: &'static str,
        /// Length needed.
        expected: usize,
        /// Length found.
        got: usize,
    },
    /// A fit method of unknown name.
    #[error("unknown dark-current fit method '{name}'; known methods: root, binned, unbinned")]
    UnknownMethod {
        /// The name given.
        name: String,
    },
}
