//! Which skips and pixels a process uses: the user's ranges against the regions of an amplifier.

use std::ops::Range;

use crate::image::user_region::resolve_range;
use crate::image::{RawData, Region};
use crate::process::{Context, ProcessError};

/// The ranges of `id_skip_…`, `id_row_…` and `id_col_…`, of the process block or else of `input.image`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranges {
    /// Skips.
    pub skips: Range<usize>,
    /// Rows.
    pub rows: Range<usize>,
    /// Columns.
    pub cols: Range<usize>,
}

impl Ranges {
    /// Resolves the ranges for an image.
    ///
    /// # Errors
    /// If one does not fit the image.
    pub fn of(raw: &RawData, context: &Context<'_>) -> Result<Self, ProcessError> {
        let region = context.common.region(&raw.user_region);
        let resolve = |name, (start, end), length| {
            resolve_range(name, start, end, length).map_err(|e| ProcessError::Failed(e.to_string()))
        };
        Ok(Self { skips: resolve("id_skip", region.skips, raw.nskips)?, ..Self::pixels(raw, context)? })
    }

    /// The ranges of rows and columns only; all skips.
    ///
    /// # Errors
    /// If one does not fit the image.
    pub fn pixels(raw: &RawData, context: &Context<'_>) -> Result<Self, ProcessError> {
        let region = context.common.region(&raw.user_region);
        let resolve = |name, (start, end), length| {
            resolve_range(name, start, end, length).map_err(|e| ProcessError::Failed(e.to_string()))
        };
        Ok(Self {
            skips: 0..raw.nskips,
            rows: resolve("id_row", region.rows, raw.rows)?,
            cols: resolve("id_col", region.cols, raw.cols)?,
        })
    }

    /// The part of a region inside the ranges.
    pub fn within(&self, region: &Region) -> Region {
        let meet = |a: &Range<usize>, b: &Range<usize>| {
            let start = a.start.max(b.start);
            start..a.end.min(b.end).max(start)
        };
        Region::new(meet(&region.rows, &self.rows), meet(&region.cols, &self.cols))
    }
}

/// The part of a region inside a block of whole rows.
pub fn rows_in_block(region: &Region, rows: &Range<usize>) -> Range<usize> {
    let start = region.rows.start.max(rows.start);
    start..region.rows.end.min(rows.end).max(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_cut_to_the_ranges_and_never_inverted() {
        let ranges = Ranges { skips: 0..5, rows: 2..8, cols: 10..20 };
        assert_eq!(ranges.within(&Region::new(0..4, 15..30)), Region::new(2..4, 15..20));
        assert!(ranges.within(&Region::new(9..12, 0..5)).is_empty());
        assert!(rows_in_block(&Region::new(3..6, 0..1), &(8..9)).is_empty());
    }
}
