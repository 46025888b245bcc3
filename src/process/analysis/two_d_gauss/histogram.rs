//! Pairs of simultaneously read pixels and their two-dimensional histogram.

use ndarray::Array2;

use crate::image::Amplifier;

/// Counts of pairs, x = L, y = U, the same uniform bins on both axes.
#[derive(Debug, Clone, PartialEq)]
pub struct PairHistogram {
    /// Lower edge, ADU.
    pub lo: f64,
    /// Bin width, ADU.
    pub width: f64,
    /// Bins per axis.
    pub n_bins: usize,
    /// Counts, row by row: bin (x, y) is number y·n_bins + x.
    pub counts: Vec<f64>,
    /// Pairs inside the histogram.
    pub inside: usize,
    /// All pairs.
    pub entries: usize,
}

impl PairHistogram {
    /// Fills `trunc((hi − lo)/bin_size)` bins per axis on [lo, hi).
    pub fn new(pairs: &[(f64, f64)], lo: f64, hi: f64, bin_size: f64) -> Self {
        let n_bins = ((hi - lo) / bin_size) as usize;
        let mut counts = vec![0.0; n_bins * n_bins];
        let mut inside = 0;
        let scale = n_bins as f64 / (hi - lo);
        let bin = |q: f64| {
            let k = ((q - lo) * scale) as usize;
            (q >= lo && q < hi).then(|| k.min(n_bins - 1))
        };
        for &(x, y) in pairs {
            if let (Some(col), Some(row)) = (bin(x), bin(y)) {
                counts[row * n_bins + col] += 1.0;
                inside += 1;
            }
        }
        Self { lo, width: (hi - lo) / n_bins.max(1) as f64, n_bins, counts, inside, entries: pairs.len() }
    }

    /// Centre of bin `k` of either axis, ADU.
    pub fn centre(&self, k: usize) -> f64 {
        self.lo + (k as f64 + 0.5) * self.width
    }

    /// Largest content.
    pub fn max(&self) -> f64 {
        self.counts.iter().copied().fold(0.0, f64::max)
    }

    /// Number and content of the fullest bin (the first of several).
    pub fn fullest(&self) -> (usize, f64) {
        let mut best = (0, 0.0);
        for (k, &n) in self.counts.iter().enumerate() {
            if n > best.1 {
                best = (k, n);
            }
        }
        best
    }

    /// Number of bins with content.
    pub fn non_empty(&self) -> usize {
        self.counts.iter().filter(|n| **n > 0.0).count()
    }

    /// Centres and contents of all bins.
    pub fn bins(&self) -> impl Iterator<Item = (f64, f64, f64)> + '_ {
        let n = self.n_bins;
        self.counts.iter().enumerate().map(move |(k, h)| (self.centre(k % n), self.centre(k / n), *h))
    }

    /// Contents as an image, row 0 at the lowest y.
    pub fn as_image(&self) -> Array2<f64> {
        Array2::from_shape_fn((self.n_bins, self.n_bins), |(row, col)| self.counts[row * self.n_bins + col])
    }
}

/// Places of a pair in the stored image: (row in L, column in L) and (row in U, column in U).
pub type PairPlace = ((usize, usize), (usize, usize));

/// The pixels of both amplifiers read at the same time, from `row_start` on, between the prescan (plus `col_start`) and
/// the overscan.
pub fn pair_places(
    l: &Amplifier,
    u: &Amplifier,
    row_start: usize,
    col_start: usize,
) -> impl Iterator<Item = PairPlace> {
    let width = l.full.cols.len().min(u.full.cols.len());
    let from = l.prescan.cols.len() + col_start;
    let to = width.saturating_sub(l.overscan.cols.len());
    let rows = l.full.rows.len().min(u.full.rows.len());
    let (l_row, u_row) = (l.full.rows.start, u.full.rows.start);
    let (l_col, u_col) = (l.full.cols.start, u.full.cols.end);
    (row_start.min(rows)..rows)
        .flat_map(move |row| (from.min(to)..to).map(move |c| ((l_row + row, l_col + c), (u_row + row, u_col - 1 - c))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Region, Side};

    #[test]
    fn pairs_are_read_at_the_same_time() {
        // 10 columns, prescan 1 and overscan 1 per amplifier
        let half = |name: &str, side, cols: std::ops::Range<usize>, pre, over| Amplifier {
            side,
            full: Region::new(0..2, cols),
            prescan: Region::new(0..2, pre),
            overscan: Region::new(0..2, over),
            ..Amplifier::whole_image(name, 0, 2, 10)
        };
        let l = half("L", Side::L, 0..5, 0..1, 4..5);
        let u = half("U", Side::U, 5..10, 9..10, 5..6);
        let places: Vec<_> = pair_places(&l, &u, 1, 0).collect();
        assert_eq!(places, [((1, 1), (1, 8)), ((1, 2), (1, 7)), ((1, 3), (1, 6))]);
        assert_eq!(pair_places(&l, &u, 0, 2).count(), 2);
        assert_eq!(pair_places(&l, &u, 9, 99).count(), 0);
    }

    #[test]
    fn the_histogram_counts_what_lies_inside() {
        let h = PairHistogram::new(&[(0.1, 0.9), (-1.0, 0.0), (1.0, 0.5), (0.0, 0.0)], -1.0, 1.0, 0.5);
        assert_eq!((h.n_bins, h.entries, h.inside), (4, 4, 3));
        assert_eq!(h.counts[3 * 4 + 2], 1.0);
        assert_eq!(h.counts[2 * 4], 1.0);
        assert_eq!(h.centre(0), -0.75);
        assert_eq!(h.fullest(), (8, 1.0));
        assert_eq!(h.as_image()[[3, 2]], 1.0);
    }
}
