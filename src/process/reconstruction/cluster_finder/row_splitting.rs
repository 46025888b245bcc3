//! Cutting an image into blocks of rows at quiet places, so that each block can be clustered on its own
//! (`split_image_in_rows`, spec 05 §2.6).

use std::ops::Range;

/// Rows at which the image is cut: the last row of a block.
///
/// `busy` says for each row whether it holds charge. A cut needs the row and the `consecutive` rows after it to be quiet,
/// and blocks of at least `min_length` rows.
pub fn split_rows(busy: &[bool], min_length: usize, consecutive: usize) -> Vec<usize> {
    let (n, step) = (busy.len(), min_length.saturating_sub(1));
    let mut splits = Vec::new();
    let mut i = 0;
    while i + step < n {
        let last = i.saturating_add(consecutive).min(n - 1);
        if i >= step && busy[i..=last].iter().all(|b| !b) {
            splits.push(i);
            i += step.max(1);
        } else {
            i += 1;
        }
    }
    splits
}

/// The blocks that cuts after the rows `splits` make of `rows` rows: together all rows, none empty.
pub fn blocks(rows: usize, splits: &[usize]) -> Vec<Range<usize>> {
    let mut blocks = Vec::with_capacity(splits.len() + 1);
    let mut start = 0;
    for end in splits.iter().map(|s| s + 1).chain([rows]) {
        // The first boundary is row 0 itself, so a cut there separates nothing.
        if end > start && end > 1 {
            blocks.push(start..end);
            start = end;
        }
    }
    if start < rows {
        blocks.push(start..rows);
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Vec<bool> {
        (0..40).map(|row| !matches!(row, 5..=8 | 12..=14 | 22..=29)).collect()
    }

    /// Spec 05 §2.6.
    #[test]
    fn the_example_of_forty_rows() {
        assert_eq!(split_rows(&example(), 10, 3), [22]);
        assert_eq!(split_rows(&example(), 8, 2), [12, 22]);
    }

    #[test]
    #[allow(clippy::single_range_in_vec_init, reason = "a list of one block")]
    fn blocks_end_with_the_row_of_the_cut() {
        assert_eq!(blocks(40, &[12, 22]), [0..13, 13..23, 23..40]);
        assert_eq!(blocks(40, &[]), [0..40]);
        assert_eq!(blocks(40, &[39]), [0..40]);
        assert_eq!(blocks(40, &[0, 20]), [0..21, 21..40]);
        assert_eq!(blocks(1, &[]), [0..1]);
        assert!(blocks(0, &[]).is_empty());
    }

    #[test]
    fn odd_parameters_end() {
        let quiet = vec![false; 7];
        assert_eq!(split_rows(&quiet, 0, 0), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(split_rows(&quiet, 1, usize::MAX), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(split_rows(&quiet, 100, 1), Vec::<usize>::new());
        assert_eq!(split_rows(&[], 1, 1), Vec::<usize>::new());
    }
}
