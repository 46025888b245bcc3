//! Smallest and largest distance between the pixels of each cluster and the masked pixels (spec 05 §3.5).
//!
//! Exact, in integers up to the final square root.
//!
//! * Smallest: the two-pass Euclidean distance transform of Meijster, Roerdink and Hesselink (2000): distances along the
//!   columns for the whole image, then the lower envelope of the parabolas (x − i)² + g(i)² for the rows that hold
//!   cluster pixels. The cost does not depend on how far or how dense the mask is.
//! * Largest: the farthest masked pixel is a corner of the convex hull of the mask, and the farthest pixel of a cluster is
//!   the first or last one of a row.

use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis};
use rayon::prelude::*;

use crate::process::reconstruction::cluster_table::ClusterTable;

/// Columns handled by one task of the first pass.
const COLUMNS_PER_TASK: usize = 256;
/// Column distance where a column has no masked pixel.
const NONE: u32 = u32::MAX;

/// Smallest and largest distance per cluster, px; −1 for both if nothing is masked.
pub fn mask_distances(mask: ArrayView2<'_, bool>, table: &ClusterTable) -> (Vec<f64>, Vec<f64>) {
    let hull = convex_hull(mask);
    if hull.is_empty() {
        return (vec![-1.0; table.len()], vec![-1.0; table.len()]);
    }
    let nearest = nearest_squared(mask, table);
    let min = |i: usize| nearest[table.pixels(i)].iter().min().map_or(f64::NAN, |&d| (d as f64).sqrt());
    let max =
        |i: usize| (farthest_squared(&hull, &table.rows[table.pixels(i)], &table.cols[table.pixels(i)]) as f64).sqrt();
    ((0..table.len()).map(min).collect(), (0..table.len()).into_par_iter().map(max).collect())
}

/// Squared distance from each pixel of the table to the nearest masked pixel.
fn nearest_squared(mask: ArrayView2<'_, bool>, table: &ClusterTable) -> Vec<u64> {
    let along_columns = column_distances(mask);
    let mut pixels: Vec<u32> = (0..table.pixel_count() as u32).collect();
    pixels.sort_unstable_by_key(|&i| (table.rows[i as usize], i));
    let by_row: Vec<&[u32]> = pixels.chunk_by(|&a, &b| table.rows[a as usize] == table.rows[b as usize]).collect();
    let found: Vec<Vec<u64>> = by_row
        .par_iter()
        .map(|pixels| {
            let row = table.rows[pixels[0] as usize] as usize;
            let transform = row_transform(along_columns.row(row).iter().copied());
            pixels.iter().map(|&i| transform[table.cols[i as usize] as usize]).collect()
        })
        .collect();
    let mut nearest = vec![0; table.pixel_count()];
    for (pixels, squared) in by_row.iter().zip(found) {
        pixels.iter().zip(squared).for_each(|(&i, d)| nearest[i as usize] = d);
    }
    nearest
}

/// Distance from each pixel to the nearest masked pixel of its column, in rows.
fn column_distances(mask: ArrayView2<'_, bool>) -> Array2<u32> {
    let mut distance = Array2::from_elem(mask.dim(), NONE);
    let sweep = |mut distance: ArrayViewMut2<'_, u32>, mask: ArrayView2<'_, bool>| {
        let last = mask.nrows().saturating_sub(1);
        distance.zip_mut_with(&mask, |d, &masked| *d = if masked { 0 } else { NONE });
        let mut relax = |upper: usize, down: bool| {
            let (mut above, mut below) = distance.view_mut().split_at(Axis(0), upper + 1);
            let (mut first, mut second) = (above.row_mut(upper), below.row_mut(0));
            let (from, to) = if down { (&first, &mut second) } else { (&second, &mut first) };
            to.zip_mut_with(from, |t, &s| *t = (*t).min(s.saturating_add(1)));
        };
        (0..last).for_each(|row| relax(row, true));
        (0..last).rev().for_each(|row| relax(row, false));
    };
    distance
        .axis_chunks_iter_mut(Axis(1), COLUMNS_PER_TASK)
        .into_par_iter()
        .zip(mask.axis_chunks_iter(Axis(1), COLUMNS_PER_TASK))
        .for_each(|(distance, mask)| sweep(distance, mask));
    distance
}

/// Squared distance to the nearest masked pixel for each pixel of a row, from the distances along the columns.
fn row_transform(along_columns: impl ExactSizeIterator<Item = u32>) -> Vec<u64> {
    let width = along_columns.len();
    // Parabolas of the lower envelope: column, height, and the first column where it is the lowest.
    let mut envelope: Vec<(i64, i64, i64)> = Vec::new();
    for (i, distance) in along_columns.enumerate().filter(|(_, d)| *d != NONE) {
        let (i, height) = (i as i64, i64::from(distance).pow(2));
        let mut start = 0;
        while let Some(&(j, other, from)) = envelope.last() {
            // Last column where the parabola of j is not above that of i.
            let cross = (i * i - j * j + height - other).div_euclid(2 * (i - j));
            if cross < from {
                envelope.pop();
            } else {
                start = cross + 1;
                break;
            }
        }
        if start < width as i64 {
            envelope.push((i, height, start));
        }
    }
    let mut transform = Vec::with_capacity(width);
    let mut current = 0;
    for x in 0..width as i64 {
        while envelope.get(current + 1).is_some_and(|next| next.2 <= x) {
            current += 1;
        }
        transform.push(envelope.get(current).map_or(u64::MAX, |&(i, height, _)| ((x - i).pow(2) + height) as u64));
    }
    transform
}

/// Corners (row, column) of the convex hull of the masked pixels (monotone chain over the ends of each row).
fn convex_hull(mask: ArrayView2<'_, bool>) -> Vec<(i64, i64)> {
    let ends: Vec<[(i64, i64); 2]> = (0..mask.nrows())
        .into_par_iter()
        .filter_map(|row| {
            let line = mask.row(row);
            let first = line.iter().position(|&m| m)?;
            let last = line.iter().rposition(|&m| m)?;
            Some([(row as i64, first as i64), (row as i64, last as i64)])
        })
        .collect();
    let points: Vec<(i64, i64)> = ends.into_iter().flatten().collect();
    let turns_left =
        |a: (i64, i64), b: (i64, i64), c: (i64, i64)| (b.0 - a.0) * (c.1 - a.1) - (b.1 - a.1) * (c.0 - a.0) > 0;
    let half = |points: &mut dyn Iterator<Item = &(i64, i64)>| {
        let mut chain: Vec<(i64, i64)> = Vec::new();
        for &p in points {
            while chain.len() >= 2 && !turns_left(chain[chain.len() - 2], chain[chain.len() - 1], p) {
                chain.pop();
            }
            chain.push(p);
        }
        chain
    };
    let mut hull = half(&mut points.iter());
    hull.extend(half(&mut points.iter().rev()));
    hull.sort_unstable();
    hull.dedup();
    hull
}

/// Squared distance from the pixels of a cluster to the farthest corner.
fn farthest_squared(hull: &[(i64, i64)], rows: &[u32], cols: &[u32]) -> u64 {
    let squared = |i: usize| {
        let (row, col) = (i64::from(rows[i]), i64::from(cols[i]));
        hull.iter().map(|h| ((h.0 - row).pow(2) + (h.1 - col).pow(2)) as u64).max().unwrap_or(0)
    };
    let is_end = |i: &usize| {
        let (first, last) = (*i == 0 || rows[i - 1] != rows[*i], rows.get(i + 1).is_none_or(|r| r != &rows[*i]));
        first || last
    };
    (0..rows.len()).filter(is_end).map(squared).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::process::reconstruction::cluster_table::Cluster;

    fn table(clusters: &[Vec<(u32, u32)>]) -> ClusterTable {
        let mut table = ClusterTable::default();
        for pixels in clusters {
            table.rows.extend(pixels.iter().map(|p| p.0));
            table.cols.extend(pixels.iter().map(|p| p.1));
            table.offsets.push(table.rows.len());
            table.clusters.push(Cluster::default());
        }
        table
    }

    #[test]
    fn nothing_masked_is_minus_one() {
        let mask = Array2::from_elem((4, 5), false);
        assert_eq!(mask_distances(mask.view(), &table(&[vec![(0, 0)]])), (vec![-1.0], vec![-1.0]));
    }

    #[test]
    fn a_masked_corner() {
        let mut mask = Array2::from_elem((4, 5), false);
        mask[[0, 0]] = true;
        let (min, max) = mask_distances(mask.view(), &table(&[vec![(0, 3), (3, 4)], vec![(0, 0)]]));
        assert_eq!((min, max), (vec![3.0, 0.0], vec![5.0, 0.0]));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        /// Over all pairs of a cluster pixel and a masked pixel.
        #[test]
        fn distances_equal_those_over_all_pairs(
            (rows, cols) in (1usize..24, 1usize..24),
            masked in prop::collection::vec((0usize..24, 0usize..24), 1..60),
            clusters in prop::collection::vec(prop::collection::btree_set((0u32..24, 0u32..24), 1..12), 0..6),
        ) {
            let mut mask = Array2::from_elem((rows, cols), false);
            masked.iter().for_each(|&(r, c)| mask[[r % rows, c % cols]] = true);
            let clusters: Vec<Vec<(u32, u32)>> = clusters
                .into_iter()
                .map(|c| c.into_iter().map(|(r, c)| (r % rows as u32, c % cols as u32)).collect::<std::collections::BTreeSet<_>>())
                .map(|c| c.into_iter().collect())
                .collect();
            let (min, max) = mask_distances(mask.view(), &table(&clusters));
            for (i, cluster) in clusters.iter().enumerate() {
                let distances: Vec<f64> = cluster
                    .iter()
                    .flat_map(|&(r, c)| mask.indexed_iter().filter(|(_, m)| **m).map(move |((mr, mc), _)| {
                        ((f64::from(r) - mr as f64).powi(2) + (f64::from(c) - mc as f64).powi(2)).sqrt()
                    }))
                    .collect();
                prop_assert_eq!(min[i], distances.iter().copied().fold(f64::INFINITY, f64::min));
                prop_assert_eq!(max[i], distances.iter().copied().fold(0.0, f64::max));
            }
        }
    }
}
