//! Where the samples of a cube are in its file, and what is done to them.

use std::ops::Range;

use super::{BLOCK_SAMPLES, Samples};
use crate::fits::{FitsError, Plane};

/// A group of tiles with more samples than this is not read as a whole.
const LARGEST_TILE_BLOCK: usize = 16 << 20;

/// Undoing the shift of Leach controllers by two samples (spec 01 §4.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeachFix {
    /// One amplifier: rows are shifted as a whole.
    Whole,
    /// Two amplifiers: each half is shifted, in opposite directions.
    Halves,
}

/// Where the samples of a cube are in its file, and what is done to them.
#[derive(Debug, Clone)]
pub struct CubeLayout {
    planes: Vec<Plane>,
    /// Skips per pixel.
    pub(super) skips: usize,
    /// Skips are stored along the rows (axis 0): `cube[r, c, k] = raw[r·N + k, c]`.
    pub(super) along_rows: bool,
    pub(super) leach: Option<LeachFix>,
    pub(super) row_factor: usize,
    /// The right half belongs to `U`: its skips are stored in reverse order of time.
    pub(super) flip_upper: bool,
    invert: bool,
    integer: bool,
    /// Largest sample of each extension, if the polarity is inverted.
    maxima: Vec<f64>,
}

impl CubeLayout {
    /// Samples of these extensions (of equal shape, stacked along the rows) with `skips` skips per pixel.
    pub fn new(planes: Vec<Plane>, skips: usize) -> Self {
        Self {
            planes,
            skips: skips.max(1),
            along_rows: false,
            leach: None,
            row_factor: 1,
            flip_upper: false,
            invert: false,
            integer: false,
            maxima: Vec::new(),
        }
    }

    /// Skips are stored along the rows instead of the columns.
    pub fn along_rows(mut self, yes: bool) -> Self {
        self.along_rows = yes;
        self
    }

    /// Undo the shift of Leach controllers.
    pub fn leach(mut self, fix: Option<LeachFix>) -> Self {
        self.leach = fix;
        self
    }

    /// Replace each sample by the largest one of its extension minus the sample.
    pub fn invert(mut self, yes: bool) -> Self {
        self.invert = yes;
        self
    }

    /// Sum this many consecutive rows, skip by skip.
    pub fn bin_rows(mut self, factor: usize) -> Self {
        self.row_factor = factor.max(1);
        self
    }

    /// Reverse the order of the skips in the right half of the image.
    pub fn flip_upper(mut self, yes: bool) -> Self {
        self.flip_upper = yes;
        self
    }

    /// Decides between integers and reals, and finds the largest samples if they are needed.
    pub(super) fn prepare(mut self) -> Result<Self, FitsError> {
        self.integer = self.planes.iter().all(|plane| {
            // sums of binned rows must stay below the limits of i32
            plane.is_integer()
                && (self.row_factor == 1
                    || plane.limits().is_some_and(|(low, high)| {
                        high.max(-low).max(high - low) * (self.row_factor as f64) < f64::from(i32::MAX)
                    }))
        });
        if self.invert {
            let extremes = self.planes.iter().map(extremes).collect::<Result<Vec<_>, _>>()?;
            self.integer &= extremes.iter().all(|(low, high)| high - low <= f64::from(i32::MAX));
            self.maxima = extremes.into_iter().map(|(_, high)| high).collect();
        }
        Ok(self)
    }

    pub(super) fn is_integer(&self) -> bool {
        self.integer
    }

    /// Rows of an extension as stored that make one row of the image.
    pub(super) fn stored_rows_per_row(&self) -> usize {
        self.row_factor * if self.along_rows { self.skips } else { 1 }
    }

    /// Rows of the image that one extension makes.
    fn rows_per_extension(&self) -> usize {
        self.planes.first().map_or(0, |p| p.shape().0) / self.stored_rows_per_row()
    }

    pub(super) fn cols(&self) -> usize {
        self.planes.first().map_or(0, |p| p.shape().1) / if self.along_rows { 1 } else { self.skips }
    }

    pub(super) fn shape(&self) -> (usize, usize, usize) {
        (self.rows_per_extension() * self.planes.len(), self.cols(), self.skips)
    }

    /// Rows of the image as pieces of extensions: the extension, its largest sample, rows counted in the extension, and
    /// the same rows in the image.
    pub(super) fn pieces(&self, rows: &Range<usize>) -> impl Iterator<Item = Piece<'_>> {
        let height = self.rows_per_extension();
        let rows = rows.clone();
        self.planes.iter().enumerate().filter_map(move |(i, plane)| {
            let shift = i * height;
            let image_rows = rows.start.max(shift)..rows.end.min(shift + height);
            (!image_rows.is_empty()).then(|| Piece {
                position: i,
                plane,
                maximum: self.maxima.get(i).copied(),
                rows: image_rows.start - shift..image_rows.end - shift,
                image_rows,
            })
        })
    }

    /// Whether the samples of a block are what is stored, in the same order.
    pub(super) fn reads_as_stored(&self) -> bool {
        !self.along_rows && self.row_factor == 1 && self.leach.is_none()
    }

    /// Whether one pass over all blocks reads every byte of the data once.
    pub(super) fn reads_every_byte_once(&self) -> bool {
        self.reads_as_stored() && !self.planes.iter().any(Plane::is_tiled)
    }

    /// The extensions the samples come from.
    pub(super) fn planes(&self) -> &[Plane] {
        &self.planes
    }

    /// Whether part of a row can be read without reading all of it.
    pub(super) fn rows_can_be_divided(&self) -> bool {
        !self.along_rows && self.leach.is_none() && !self.planes.iter().any(Plane::is_tiled)
    }

    /// About `fitting` rows of the image, so many that they are made of whole tiles.
    pub(super) fn whole_tiles(&self, fitting: usize) -> usize {
        let Some(plane) = self.planes.first() else { return fitting };
        let tile = plane.tile_rows();
        let unit = tile / greatest_common_divisor(tile, self.stored_rows_per_row());
        let samples = unit.saturating_mul(self.cols()).saturating_mul(self.skips);
        if samples > LARGEST_TILE_BLOCK { fitting } else { unit * (fitting / unit).max(1) }
    }
}

/// Rows of one extension.
pub(super) struct Piece<'a> {
    /// Which of the extensions it is.
    pub position: usize,
    pub plane: &'a Plane,
    /// Largest sample of the extension, if the polarity is inverted.
    pub maximum: Option<f64>,
    /// Rows counted in the extension.
    pub rows: Range<usize>,
    /// The same rows counted in the image.
    pub image_rows: Range<usize>,
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// Smallest and largest sample of an extension, NaN ignored; 0 and 0 if there is none.
fn extremes(plane: &Plane) -> Result<(f64, f64), FitsError> {
    use rayon::prelude::*;
    let (rows, cols) = plane.shape();
    let step = (BLOCK_SAMPLES / cols.max(1)).max(1).next_multiple_of(plane.tile_rows());
    let starts: Vec<usize> = (0..rows).step_by(step).collect();
    let (low, high) = starts
        .into_par_iter()
        .map_init(
            || (Vec::new(), Vec::new(), Vec::new()),
            |(integers, reals, scratch), first| {
                let part = first..(first + step).min(rows);
                let n = part.len() * cols;
                Ok(if plane.is_integer() {
                    integers.resize(n, 0);
                    plane.read_i32(part, 0..cols, integers, scratch)?;
                    range_of(Samples::Int(integers))
                } else {
                    reals.resize(n, 0.0);
                    plane.read_f64(part, 0..cols, reals, scratch)?;
                    range_of(Samples::Real(reals))
                })
            },
        )
        .try_reduce(|| (f64::INFINITY, f64::NEG_INFINITY), |a, b| Ok((a.0.min(b.0), a.1.max(b.1))))?;
    Ok(if low <= high { (low, high) } else { (0.0, 0.0) })
}

fn range_of(samples: Samples<'_>) -> (f64, f64) {
    match samples {
        Samples::Int(x) => pulp::Arch::new().dispatch(
            #[inline(always)]
            || {
                let (low, high) = x.iter().fold((i32::MAX, i32::MIN), |(l, h), &v| (l.min(v), h.max(v)));
                (f64::from(low), f64::from(high))
            },
        ),
        // f64::min and max pass over NaN
        Samples::Real(x) => x.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v))),
    }
}
