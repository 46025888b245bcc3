//! Reading one block: samples from the file, corrected, in the order `[row, col, skip]`.

use std::ops::Range;

use super::Samples;
use super::layout::{CubeLayout, LeachFix, Piece};
use crate::fits::writer::add;
use crate::fits::{FitsError, Plane};

/// Samples at either end of a row that Leach controllers shift.
const LEACH_SHIFT: usize = 2;

/// Working space of one thread.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    bytes: Vec<u8>,
    pub(super) integers: Vec<i32>,
    pub(super) reals: Vec<f64>,
    stored_integers: Vec<i32>,
    stored_reals: Vec<f64>,
}

/// What the corrections need of a sample.
trait Sample: Copy + Default {
    fn read(
        plane: &Plane,
        rows: Range<usize>,
        cols: Range<usize>,
        out: &mut [Self],
        bytes: &mut Vec<u8>,
    ) -> Result<(), FitsError>;
    fn inverted(self, maximum: f64) -> Self;
    fn plus(self, other: Self) -> Self;
    fn samples(all: &[Self]) -> Samples<'_>;
}

impl Sample for i32 {
    fn read(
        plane: &Plane,
        rows: Range<usize>,
        cols: Range<usize>,
        out: &mut [Self],
        bytes: &mut Vec<u8>,
    ) -> Result<(), FitsError> {
        plane.read_i32(rows, cols, out, bytes)
    }

    #[inline(always)]
    fn inverted(self, maximum: f64) -> Self {
        // exact: the layout chose integers only if the difference of the extremes fits
        (maximum as i32).wrapping_sub(self)
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    fn samples(all: &[Self]) -> Samples<'_> {
        Samples::Int(all)
    }
}

impl Sample for f64 {
    fn read(
        plane: &Plane,
        rows: Range<usize>,
        cols: Range<usize>,
        out: &mut [Self],
        bytes: &mut Vec<u8>,
    ) -> Result<(), FitsError> {
        plane.read_f64(rows, cols, out, bytes)
    }

    #[inline(always)]
    fn inverted(self, maximum: f64) -> Self {
        maximum - self
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self + other
    }

    fn samples(all: &[Self]) -> Samples<'_> {
        Samples::Real(all)
    }
}

/// Reads the samples of a rectangle of pixels. `count` sees them before the polarity is inverted, with the number of
/// samples per column and the rows. `sums`, if there are any, takes what the bytes add to the sum of each plane.
pub(super) fn block<'b>(
    layout: &CubeLayout,
    rows: &Range<usize>,
    cols: &Range<usize>,
    buffers: &'b mut Buffers,
    sums: &mut [u32],
    count: impl FnMut(Samples<'_>, usize, &Range<usize>),
) -> Result<Samples<'b>, FitsError> {
    let Buffers { bytes, integers, reals, stored_integers, stored_reals } = buffers;
    let n = rows.len() * cols.len() * layout.skips;
    if layout.is_integer() {
        integers.resize(n, 0);
        fill(layout, (rows, cols), integers, stored_integers, bytes, sums, count)?;
        Ok(Samples::Int(integers))
    } else {
        reals.resize(n, 0.0);
        fill(layout, (rows, cols), reals, stored_reals, bytes, sums, count)?;
        Ok(Samples::Real(reals))
    }
}

fn fill<T: Sample>(
    layout: &CubeLayout,
    (rows, cols): (&Range<usize>, &Range<usize>),
    out: &mut [T],
    stored: &mut Vec<T>,
    bytes: &mut Vec<u8>,
    sums: &mut [u32],
    mut count: impl FnMut(Samples<'_>, usize, &Range<usize>),
) -> Result<(), FitsError> {
    let line = cols.len() * layout.skips;
    let mut done = 0;
    for piece in layout.pieces(rows) {
        let part = &mut out[done..done + piece.rows.len() * line];
        done += part.len();
        if layout.reads_as_stored() {
            let samples = cols.start * layout.skips..cols.end * layout.skips;
            T::read(piece.plane, piece.rows.clone(), samples.clone(), part, bytes)?;
            if let Some(sum) = sums.get_mut(piece.position) {
                *sum = add(*sum, piece.plane.part_of_data_sum(&piece.rows, &samples, bytes));
            }
            count(T::samples(part), layout.skips, &piece.image_rows);
            invert(part, piece.maximum);
        } else {
            rearranged(layout, &piece, cols, part, stored, bytes, &mut count)?;
        }
    }
    if layout.flip_upper && layout.skips > 1 {
        flip_upper(out, cols, layout.cols() / 2, layout.skips);
    }
    Ok(())
}

/// Samples that are not stored in the order of the cube, or need their neighbours.
fn rearranged<T: Sample>(
    layout: &CubeLayout,
    piece: &Piece<'_>,
    cols: &Range<usize>,
    out: &mut [T],
    stored: &mut Vec<T>,
    bytes: &mut Vec<u8>,
    count: &mut impl FnMut(Samples<'_>, usize, &Range<usize>),
) -> Result<(), FitsError> {
    let per_col = if layout.along_rows { 1 } else { layout.skips };
    let factor = layout.stored_rows_per_row();
    let lines = piece.rows.start * factor..piece.rows.end * factor;
    let line_cols = cols.start * per_col..cols.end * per_col;
    let width = line_cols.len();
    stored.resize((lines.len() + usize::from(layout.leach.is_some())) * width, T::default());
    T::read(piece.plane, lines.clone(), line_cols.clone(), &mut stored[..lines.len() * width], bytes)?;
    if let Some(fix) = layout.leach {
        let next = lines.end % piece.plane.shape().0;
        T::read(piece.plane, next..next + 1, line_cols, &mut stored[lines.len() * width..], bytes)?;
        undo_leach_shift(stored, width, fix);
    }
    let samples = &mut stored[..lines.len() * width];
    count(T::samples(samples), per_col, &piece.image_rows);
    invert(samples, piece.maximum);

    out.fill(T::default());
    let skips = if layout.along_rows { layout.skips } else { 1 };
    let row_length = cols.len() * layout.skips;
    for (l, line) in samples.chunks_exact(width.max(1)).enumerate() {
        let (cube_row, skip) = (l / skips, l % skips);
        let row = cube_row / layout.row_factor;
        let target = &mut out[row * row_length..(row + 1) * row_length];
        if layout.along_rows {
            for (pixel, &x) in target.chunks_exact_mut(layout.skips).zip(line) {
                pixel[skip] = pixel[skip].plus(x);
            }
        } else {
            for (y, &x) in target.iter_mut().zip(line) {
                *y = y.plus(x);
            }
        }
    }
    Ok(())
}

/// Shifts the samples of each line back by two; those that come from the next line are taken from there. The last line
/// serves only as the next one of the line before it.
pub(super) fn undo_leach_shift<T: Copy>(lines: &mut [T], width: usize, fix: LeachFix) {
    let half = if fix == LeachFix::Halves { width / 2 } else { width };
    if width == 0 || half < LEACH_SHIFT {
        return;
    }
    let count = lines.len() / width;
    for r in 0..count.saturating_sub(1) {
        let (line, next) = lines[r * width..(r + 2) * width].split_at_mut(width);
        line.copy_within(LEACH_SHIFT..half, 0);
        line[half - LEACH_SHIFT..half].copy_from_slice(&next[..LEACH_SHIFT]);
        if fix == LeachFix::Halves {
            line.copy_within(half..width - LEACH_SHIFT, half + LEACH_SHIFT);
            line[half..half + LEACH_SHIFT].copy_from_slice(&next[width - LEACH_SHIFT..]);
        }
    }
}

fn invert<T: Sample>(samples: &mut [T], maximum: Option<f64>) {
    if let Some(maximum) = maximum {
        samples.iter_mut().for_each(|x| *x = x.inverted(maximum));
    }
}

/// Reverses the skips of the pixels in columns from `half` on.
fn flip_upper<T>(samples: &mut [T], cols: &Range<usize>, half: usize, skips: usize) {
    let first = half.clamp(cols.start, cols.end) - cols.start;
    for row in samples.chunks_exact_mut((cols.len() * skips).max(1)) {
        row[first * skips..].chunks_exact_mut(skips).for_each(<[T]>::reverse);
    }
}
