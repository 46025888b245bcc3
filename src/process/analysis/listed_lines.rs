//! Rows and columns that a parameter lists, as indices of the stored image (spec 01 §2.6).
//!
//! Rows of a stacked image are counted within the extension, columns always in the whole image. Indices outside are
//! ignored with one warning per list; an amplifier without an entry has an empty list.

use crate::config::{IndexList, PairEnd, PerAmplifier};
use crate::image::RawData;

/// The listed rows of an amplifier, ascending, as rows of the stored image.
pub fn listed_rows(
    raw: &mut RawData,
    amplifier: usize,
    list: &PerAmplifier<IndexList>,
    key: &str,
    end: PairEnd,
) -> Vec<usize> {
    let (first, rows) = raw.row_block(amplifier);
    indices(raw, amplifier, list, key, rows, end).into_iter().map(|row| row + first).collect()
}

/// The listed columns, ascending, as columns of the stored image.
pub fn listed_cols(
    raw: &mut RawData,
    amplifier: usize,
    list: &PerAmplifier<IndexList>,
    key: &str,
    end: PairEnd,
) -> Vec<usize> {
    let cols = raw.cols;
    indices(raw, amplifier, list, key, cols, end)
}

fn indices(
    raw: &mut RawData,
    amplifier: usize,
    list: &PerAmplifier<IndexList>,
    key: &str,
    length: usize,
    end: PairEnd,
) -> Vec<usize> {
    let Some(list) = list.get(&raw.amplifiers[amplifier]) else { return Vec::new() };
    let (indices, outside) = list.indices(length, end);
    if outside > 0 {
        raw.report
            .warn(format!("`{key}`: {outside} entries lie outside 0…{} and are ignored", length.saturating_sub(1)));
    }
    indices
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Amplifier, Region};
    use ndarray::Array2;

    #[test]
    fn rows_count_within_the_extension_and_columns_in_the_image() {
        let mut raw = RawData::from_image("x", Array2::zeros((6, 4)));
        let block = |n: usize| Amplifier {
            full: Region::new(3 * n..3 * n + 3, 0..4),
            ..Amplifier::whole_image(&format!("EXT{}", n + 1), n + 1, 6, 4)
        };
        raw.amplifiers = vec![block(0), block(1)];
        let list: PerAmplifier<IndexList> = serde_json::from_str(r#"{"EXT2": [0, [1, 2], 7]}"#).unwrap();
        assert_eq!(listed_rows(&mut raw, 0, &list, "skip_rows", PairEnd::Included), [0usize; 0]);
        assert_eq!(listed_rows(&mut raw, 1, &list, "skip_rows", PairEnd::Included), [3, 4, 5]);
        assert_eq!(raw.report.warnings().count(), 1);
        assert_eq!(listed_rows(&mut raw, 1, &list, "rows_to_mask", PairEnd::Excluded), [3, 4]);
        assert_eq!(listed_cols(&mut raw, 1, &list, "skip_cols", PairEnd::Included), [0, 1, 2]);
    }
}
