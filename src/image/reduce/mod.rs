//! Reducing the skips of each pixel to one value: mean, standard deviation, median, … (spec 02 §2).
//!
//! The definitions are those of NumPy, on doubles:
//!
//! * integers: sums are exact, so the mean is the correctly rounded quotient, as NumPy's is; the variance is computed
//!   from exact sums and rounded once;
//! * reals: sums are pairwise, in NumPy's order of additions; the variance is the mean square of the deviations from
//!   the mean (two passes);
//! * a pixel with an undefined skip (NaN) is NaN, except in the `nan…` forms, which leave such skips out.

mod integers;
mod reals;

use std::ops::Range;

use ndarray::Array2;

use super::SkipCube;
use super::cube::{Block, SampleCounts, Samples};
use crate::fits::FitsError;

/// A function of the skips of a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// Arithmetic mean.
    Mean,
    /// Standard deviation, ÷ n.
    Std,
    /// Variance, ÷ n.
    Var,
    /// Median; the mean of the two central values of an even number.
    Median,
    /// Smallest value.
    Min,
    /// Largest value.
    Max,
    /// Sum.
    Sum,
    /// Product.
    Prod,
    /// Largest minus smallest value.
    Ptp,
    /// [`Reduction::Mean`] of the skips that are not NaN.
    NanMean,
    /// [`Reduction::Std`] of the skips that are not NaN.
    NanStd,
    /// [`Reduction::Var`] of the skips that are not NaN.
    NanVar,
    /// [`Reduction::Median`] of the skips that are not NaN.
    NanMedian,
    /// [`Reduction::Min`] of the skips that are not NaN.
    NanMin,
    /// [`Reduction::Max`] of the skips that are not NaN.
    NanMax,
    /// [`Reduction::Sum`] of the skips that are not NaN; 0 if there is none.
    NanSum,
    /// [`Reduction::Prod`] of the skips that are not NaN; 1 if there is none.
    NanProd,
    /// [`Reduction::Ptp`] of the skips that are not NaN.
    NanPtp,
}

/// A name that is no function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no function for the skips of a pixel (mean, average, std, var, median, min, amin, max, amax, sum, prod, ptp, \
     and with `nan` before the name)"
)]
pub struct UnknownFunction(pub String);

impl Reduction {
    /// The function with this NumPy name.
    ///
    /// # Errors
    /// If there is none.
    pub fn from_name(name: &str) -> Result<Self, UnknownFunction> {
        let lower = name.trim().to_ascii_lowercase();
        let (base, skips_nan) = match lower.strip_prefix("nan") {
            Some(base) => (base, true),
            None => (lower.as_str(), false),
        };
        let function = match base {
            "mean" | "average" => Self::Mean,
            "std" => Self::Std,
            "var" => Self::Var,
            "median" => Self::Median,
            "min" | "amin" => Self::Min,
            "max" | "amax" => Self::Max,
            "sum" => Self::Sum,
            "prod" => Self::Prod,
            "ptp" => Self::Ptp,
            _ => return Err(UnknownFunction(name.to_owned())),
        };
        Ok(if skips_nan { function.skipping_nan() } else { function })
    }

    /// The form that leaves NaN out.
    fn skipping_nan(self) -> Self {
        match self {
            Self::Mean | Self::NanMean => Self::NanMean,
            Self::Std | Self::NanStd => Self::NanStd,
            Self::Var | Self::NanVar => Self::NanVar,
            Self::Median | Self::NanMedian => Self::NanMedian,
            Self::Min | Self::NanMin => Self::NanMin,
            Self::Max | Self::NanMax => Self::NanMax,
            Self::Sum | Self::NanSum => Self::NanSum,
            Self::Prod | Self::NanProd => Self::NanProd,
            Self::Ptp | Self::NanPtp => Self::NanPtp,
        }
    }

    /// The function itself, and whether it leaves NaN out.
    fn split(self) -> (Function, bool) {
        let function = match self {
            Self::Mean | Self::NanMean => Function::Mean,
            Self::Std | Self::NanStd => Function::Std,
            Self::Var | Self::NanVar => Function::Var,
            Self::Median | Self::NanMedian => Function::Median,
            Self::Min | Self::NanMin => Function::Min,
            Self::Max | Self::NanMax => Function::Max,
            Self::Sum | Self::NanSum => Function::Sum,
            Self::Prod | Self::NanProd => Function::Prod,
            Self::Ptp | Self::NanPtp => Function::Ptp,
        };
        (function, self == self.skipping_nan())
    }
}

/// A function without the question of NaN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Mean,
    Std,
    Var,
    Median,
    Min,
    Max,
    Sum,
    Prod,
    Ptp,
}

/// Which intermediate quantities a set of functions needs.
#[derive(Debug, Clone, Copy, Default)]
struct Needs {
    sums: bool,
    squares: bool,
    extremes: bool,
    median: bool,
    product: bool,
}

impl Needs {
    fn of(functions: &[Reduction]) -> Self {
        let mut needs = Self::default();
        for function in functions {
            match function.split().0 {
                Function::Mean | Function::Sum => needs.sums = true,
                Function::Std | Function::Var => needs.squares = true,
                Function::Min | Function::Max | Function::Ptp => needs.extremes = true,
                Function::Median => needs.median = true,
                Function::Prod => needs.product = true,
            }
        }
        needs
    }
}

/// The images that [`reduce`] makes.
#[derive(Debug, Clone, PartialEq)]
pub struct Reduced {
    /// One image per function, `[row, col]`.
    pub images: Vec<Array2<f64>>,
    /// Saturated and undefined samples, of all skips.
    pub saturation: SampleCounts,
}

/// Reduces the skips in the range to one value per pixel and function, in one pass over the file.
///
/// # Errors
/// If the samples cannot be read.
pub fn reduce(cube: &SkipCube, skips: Range<usize>, functions: &[Reduction]) -> Result<Reduced, FitsError> {
    let (rows, cols, all) = cube.shape();
    let skips = skips.start.min(all)..skips.end.min(all);
    let needs = Needs::of(functions);
    let patches = cube.patches();
    let pieces = cube.run(&patches, true, |block| reduce_block(block, &skips, functions, needs))?;
    let mut images = vec![Array2::zeros((rows, cols)); functions.len()];
    for ((patch_rows, patch_cols), piece) in patches.iter().zip(pieces) {
        let (height, width) = (patch_rows.len(), patch_cols.len());
        for (f, image) in images.iter_mut().enumerate() {
            for r in 0..height {
                let from = (f * height + r) * width;
                if let Some(target) = image.row_mut(patch_rows.start + r).as_slice_mut() {
                    target[patch_cols.clone()].copy_from_slice(&piece[from..from + width]);
                }
            }
        }
    }
    let saturation = cube.counts().cloned().unwrap_or_else(|| SampleCounts::new(0, None));
    Ok(Reduced { images, saturation })
}

/// The values of a block: `[function, row, col]`.
fn reduce_block(block: &Block<'_>, skips: &Range<usize>, functions: &[Reduction], needs: Needs) -> Vec<f64> {
    let pixels = block.rows.len() * block.cols.len();
    let mut values = vec![f64::NAN; functions.len() * pixels];
    if skips.is_empty() || pixels == 0 {
        return values;
    }
    match block.samples {
        Samples::Int(samples) => integers::reduce(samples, block.skips, skips, functions, needs, &mut values),
        Samples::Real(samples) => reals::reduce(samples, block.skips, skips, functions, needs, &mut values),
    }
    values
}

/// Reduces the skips of a single pixel.
pub fn reduce_pixel(samples: Samples<'_>, function: Reduction) -> f64 {
    let skips = samples.len();
    let block = Block { rows: 0..1, cols: 0..1, skips, samples };
    reduce_block(&block, &(0..skips), &[function], Needs::of(&[function])).first().copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests;
