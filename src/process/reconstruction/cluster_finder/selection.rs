//! Pixels above a charge, in raster order (spec 05 §2.2).

use std::ops::Range;

use ndarray::{Array2, ArrayView1, Axis, Slice};
use rayon::prelude::*;

use crate::image::Region;

/// Rows scanned by one task: enough work to be worth a task, few enough to keep all threads busy.
const ROWS_PER_TASK: usize = 32;
/// Pixels compared at once; a block without a hit costs one comparison per pixel and no branch.
const BLOCK: usize = 16;

/// Where pixels may be selected: a rectangle without some rows, columns and pixels.
///
/// Excluded pixels are never selected, not even by a cut at or below 0.
#[derive(Debug, Clone, Default)]
pub struct Acceptance<'a> {
    /// The active pixels of the amplifier.
    pub region: Region,
    /// Excluded rows of the image, sorted.
    pub skip_rows: Vec<usize>,
    /// Excluded columns of the image, sorted.
    pub skip_cols: Vec<usize>,
    /// Excluded pixels (true), `[row, col]`.
    pub mask: Option<&'a Array2<bool>>,
}

/// Selected pixels in raster order: rows, and columns ascending within a row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SelectedPixels {
    /// Rows, from 0.
    pub rows: Vec<u32>,
    /// Columns, from 0.
    pub cols: Vec<u32>,
    /// Values, in the unit of the image.
    pub values: Vec<f64>,
}

impl SelectedPixels {
    /// Number of pixels.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// These pixels followed by others of later rows.
    pub fn joined(mut self, other: Self) -> Self {
        self.append(other);
        self
    }

    fn append(&mut self, mut other: Self) {
        self.rows.append(&mut other.rows);
        self.cols.append(&mut other.cols);
        self.values.append(&mut other.values);
    }

    /// The positions of the pixels that lie in these rows.
    pub fn in_rows(&self, rows: &Range<usize>) -> Range<usize> {
        let before = |row: usize| self.rows.partition_point(|&r| (r as usize) < row);
        before(rows.start)..before(rows.end)
    }
}

/// The pixels of `rows` (clipped to the acceptance) with a value of at least `cut`. NaN is never selected.
pub fn select(image: &Array2<f64>, accept: &Acceptance<'_>, rows: Range<usize>, cut: f64) -> SelectedPixels {
    let region = &accept.region;
    let last_row = rows.end.min(region.rows.end).min(image.nrows());
    let first_row = rows.start.max(region.rows.start).min(last_row);
    let cols = region.cols.start..region.cols.end.min(image.ncols());
    if cols.is_empty() {
        return SelectedPixels::default();
    }
    let mut skip_cols = vec![false; cols.len()];
    for &col in &accept.skip_cols {
        if cols.contains(&col) {
            skip_cols[col - cols.start] = true;
        }
    }
    let tasks: Vec<Range<usize>> = (first_row..last_row)
        .step_by(ROWS_PER_TASK)
        .map(|start| start..(start + ROWS_PER_TASK).min(last_row))
        .collect();
    let parts: Vec<SelectedPixels> = tasks
        .into_par_iter()
        .map(|rows| {
            let mut found = SelectedPixels::default();
            for row in rows.filter(|r| accept.skip_rows.binary_search(r).is_err()) {
                let line = image.row(row);
                hits(line.slice_axis(Axis(0), Slice::from(cols.clone())), cut, |i, value| {
                    let col = cols.start + i;
                    if !skip_cols[i] && accept.mask.is_none_or(|mask| !mask[[row, col]]) {
                        found.rows.push(row as u32);
                        found.cols.push(col as u32);
                        found.values.push(value);
                    }
                });
            }
            found
        })
        .collect();
    let mut all = SelectedPixels::default();
    parts.into_iter().for_each(|part| all.append(part));
    all
}

/// Calls `visit` with position and value of every element at or above `cut`, in order.
fn hits(line: ArrayView1<'_, f64>, cut: f64, mut visit: impl FnMut(usize, f64)) {
    let mut each = |i: usize, value: f64| {
        if value >= cut {
            visit(i, value);
        }
    };
    match line.as_slice() {
        Some(values) => {
            let (blocks, rest) = values.as_chunks::<BLOCK>();
            for (number, block) in blocks.iter().enumerate() {
                if block.iter().fold(false, |any, &v| any | (v >= cut)) {
                    block.iter().enumerate().for_each(|(i, &v)| each(number * BLOCK + i, v));
                }
            }
            let start = blocks.len() * BLOCK;
            rest.iter().enumerate().for_each(|(i, &v)| each(start + i, v));
        }
        None => line.iter().enumerate().for_each(|(i, &v)| each(i, v)),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::ShapeBuilder;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_cut_is_inclusive_and_nan_is_below_it() {
        let image = Array2::from_shape_vec((1, 4), vec![1.0, 2.0, f64::NAN, 1.9999]).unwrap();
        let accept = Acceptance { region: Region::new(0..1, 0..4), ..Acceptance::default() };
        assert_eq!(select(&image, &accept, 0..1, 2.0).cols, [1]);
        assert_eq!(select(&image, &accept, 0..1, f64::NEG_INFINITY).cols, [0, 1, 3]);
    }

    proptest! {
        #[test]
        fn selection_equals_a_look_at_every_pixel(
            values in prop::collection::vec(prop_oneof![9 => -1.0..4.0f64, 1 => Just(f64::NAN)], 70 * 45),
            first in 0usize..40, length in 0usize..50, cut in -2.0..4.0f64,
            skip_rows in prop::collection::btree_set(0usize..70, 0..6),
            skip_cols in prop::collection::btree_set(0usize..45, 0..6),
            column_major in any::<bool>(),
        ) {
            let shape = (70, 45);
            let image = if column_major {
                Array2::from_shape_vec(shape.f(), values).unwrap()
            } else {
                Array2::from_shape_vec(shape, values).unwrap()
            };
            let mask = Array2::from_shape_fn(shape, |(r, c)| (r * 7 + c * 3) % 11 == 0);
            let accept = Acceptance {
                region: Region::new(2..68, 3..41),
                skip_rows: skip_rows.iter().copied().collect(),
                skip_cols: skip_cols.iter().copied().collect(),
                mask: Some(&mask),
            };
            let rows = first..first + length;
            let mut expected = SelectedPixels::default();
            for ((r, c), &v) in image.indexed_iter() {
                let accepted = accept.region.contains(r, c) && rows.contains(&r) && !mask[[r, c]]
                    && !skip_rows.contains(&r) && !skip_cols.contains(&c);
                if accepted && v >= cut {
                    expected.append(SelectedPixels { rows: vec![r as u32], cols: vec![c as u32], values: vec![v] });
                }
            }
            prop_assert_eq!(select(&image, &accept, rows, cut), expected);
        }
    }
}
