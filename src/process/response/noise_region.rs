//! The rectangle around a signal in which noise is made (spec 07 §4.5), and noise of whole CCDs.

use std::ops::Range;

use ndarray::Array2;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::process::digitize::{Ccd, Extent, HitCollection, NoisePatch};
use crate::stats::random::{Stream, Tag};

/// Where noise is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum NoiseMode {
    /// Around the signal of each collection.
    #[default]
    #[serde(rename = "cropped-image")]
    Cropped,
    /// In the whole CCD, once for all collections.
    #[serde(rename = "full-image")]
    Full,
}

impl NoiseMode {
    /// Name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cropped => "cropped-image",
            Self::Full => "full-image",
        }
    }
}

/// Margins before the signal along one axis: `min`, `max` of the signal, length of the region and of the axis.
fn margin(min: usize, max: usize, length: usize, axis: usize) -> usize {
    let extent = max - min + 1;
    let half = (length - extent) / 2;
    let behind = axis.saturating_sub(max);
    if half > min {
        min
    } else if behind < half {
        (length - extent).saturating_sub(behind).min(min)
    } else {
        half
    }
}

/// Rows and columns of the region around a signal, clipped to the CCD.
pub fn region(extent: Extent, size: usize, min_enlarge: usize, ccd: &Ccd) -> (Range<usize>, Range<usize>) {
    let rows = (extent.rows.0 as usize, extent.rows.1 as usize);
    let cols = (extent.cols.0 as usize, extent.cols.1 as usize);
    let largest = (rows.1 - rows.0 + 1).max(cols.1 - cols.0 + 1);
    let length = if largest > size { largest + min_enlarge } else { size };
    let range = |(min, max): (usize, usize), axis: usize| {
        let first = min - margin(min, max, length, axis);
        first..(first + length).min(axis).max(max + 1)
    };
    (range(rows, ccd.rows), range(cols, ccd.cols))
}

/// Noise around the signal of a collection: `draw` makes the energies (eV) of a row of the CCD from its stream.
pub fn patch(
    hits: &HitCollection,
    region: (Range<usize>, Range<usize>),
    seed: u64,
    tag: Tag,
    draw: impl Fn(usize, &mut Stream, &mut [f32]),
) -> NoisePatch {
    let (rows, cols) = region;
    let mut values = Array2::zeros((rows.len(), cols.len()));
    for (mut line, row) in values.rows_mut().into_iter().zip(rows.clone()) {
        if let Some(line) = line.as_slice_mut() {
            draw(row, &mut hits.row_stream(seed, tag, row), line);
        }
    }
    NoisePatch { row: rows.start, col: cols.start, values }
}

/// Noise of the whole CCD, pre- and overscan included: `draw` makes the energies (eV) of a row of the image, counted from
/// its first row, from its stream. One stream per row; the image is that of event 0 and CCD 0, which has no hits.
pub fn full(ccd: &Ccd, seed: u64, tag: Tag, draw: impl Fn(usize, &mut Stream, &mut [f32]) + Sync) -> Array2<f32> {
    let (rows, cols) = ccd.full_shape();
    let mut values = vec![0.0; rows * cols];
    if cols > 0 {
        values.par_chunks_exact_mut(cols).enumerate().for_each(|(row, line)| {
            draw(row, &mut Stream::new(seed, tag, 0, 0, row as u64), line);
        });
    }
    Array2::from_shape_vec((rows, cols), values).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::response::tests_support::ccd;

    /// Examples of spec 07 §4.5: CCD of 100 × 200, L = 30, enlargement 5.
    #[test]
    fn margins_of_the_specification() {
        assert_eq!((margin(5, 6, 30, 200), margin(20, 20, 30, 100)), (5, 14));
        assert_eq!(margin(190, 198, 30, 200), 19);
        assert_eq!((margin(100, 139, 45, 200), margin(50, 50, 45, 100)), (2, 22));
    }

    #[test]
    fn regions_contain_the_signal_and_stay_in_the_ccd() {
        let ccd = ccd(100, 200);
        for rows in [(0, 0), (99, 99), (40, 60), (0, 99)] {
            for cols in [(0, 3), (199, 199), (0, 199), (90, 95), (196, 199)] {
                for size in [1, 10, 30, 500] {
                    let (r, c) = region(Extent { rows, cols }, size, 5, &ccd);
                    assert!(r.start <= rows.0 as usize && (rows.1 as usize) < r.end && r.end <= 100, "{rows:?} {r:?}");
                    assert!(c.start <= cols.0 as usize && (cols.1 as usize) < c.end && c.end <= 200, "{cols:?} {c:?}");
                }
            }
        }
    }
}
