//! Smallest and largest distance between the pixels of each cluster and the masked pixels (spec 05 §3.5).
//!
//! Exact, in integers up to the final square root.
//!
//! * Smallest: the nearest masked pixel lies in the same row, above or below. One sweep over the rows from the top keeps,
//!   for each column, the distance to the last masked pixel; a sweep from the bottom does the same for those below. In
//!   each row the runs of cluster pixels look at the masked columns from near to far, until no column farther away can
//!   be nearer than what the cluster has found.
//! * Largest: the farthest masked pixel is a corner of the convex hull of the mask, and the farthest pixel of a cluster is
//!   the first or last one of a row.

use ndarray::ArrayView2;
use rayon::prelude::*;

use crate::process::reconstruction::cluster_table::ClusterTable;

/// Distance along a column without a masked pixel so far.
const NONE: u32 = u32::MAX;

/// Smallest and largest distance per cluster, px; −1 for both if nothing is masked.
pub fn mask_distances(mask: ArrayView2<'_, bool>, table: &ClusterTable) -> (Vec<f64>, Vec<f64>) {
    let hull = convex_hull(mask);
    if hull.is_empty() {
        return (vec![-1.0; table.len()], vec![-1.0; table.len()]);
    }
    let max = |i: usize| {
        let pixels = table.pixels(i);
        (farthest_squared(&hull, &table.rows[pixels.clone()], &table.cols[pixels]) as f64).sqrt()
    };
    let min = nearest_squared(mask, table).into_iter().map(|d| (d as f64).sqrt()).collect();
    (min, (0..table.len()).into_par_iter().map(max).collect())
}

/// Consecutive pixels of a cluster in a row.
#[derive(Debug, Clone, Copy)]
struct Run {
    row: u32,
    first: u32,
    last: u32,
    cluster: u32,
}

/// Squared distance from each cluster to the nearest masked pixel; there is at least one.
fn nearest_squared(mask: ArrayView2<'_, bool>, table: &ClusterTable) -> Vec<u64> {
    let mut any = vec![false; mask.ncols()];
    for row in mask.rows() {
        any.iter_mut().zip(row).for_each(|(any, &masked)| *any |= masked);
    }
    let columns: Vec<u32> = (0..mask.ncols() as u32).filter(|&c| any[c as usize]).collect();
    let runs = runs(table);
    let rows = mask.nrows();
    let (above, below) = rayon::join(
        || sweep(mask, &columns, (0..rows).collect(), &runs, table.len()),
        || sweep(mask, &columns, (0..rows).rev().collect(), &runs, table.len()),
    );
    above.into_iter().zip(below).map(|(a, b)| a.min(b)).collect()
}

/// The runs of all clusters, by row.
fn runs(table: &ClusterTable) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for cluster in 0..table.len() {
        for i in table.pixels(cluster) {
            let (row, col) = (table.rows[i], table.cols[i]);
            match runs.last_mut() {
                Some(run) if run.cluster == cluster as u32 && run.row == row && run.last + 1 == col => run.last = col,
                _ => runs.push(Run { row, first: col, last: col, cluster: cluster as u32 }),
            }
        }
    }
    runs.sort_by_key(|run| run.row);
    runs
}

/// Squared distance from each cluster to the nearest masked pixel in the same row or in one that comes earlier in
/// `order`; the largest number where there is none. `columns` are the columns with masked pixels.
fn sweep(mask: ArrayView2<'_, bool>, columns: &[u32], order: Vec<usize>, runs: &[Run], clusters: usize) -> Vec<u64> {
    let mut nearest = vec![u64::MAX; clusters];
    let mut distances = vec![NONE; columns.len()];
    for row in order {
        let line = mask.row(row);
        for (distance, &col) in distances.iter_mut().zip(columns) {
            *distance = if line[col as usize] { 0 } else { distance.saturating_add(1) };
        }
        let start = runs.partition_point(|run| (run.row as usize) < row);
        let here = runs[start..].iter().take_while(|run| run.row as usize == row);
        let mut least = None;
        for run in here {
            let least = *least.get_or_insert_with(|| distances.iter().copied().min().unwrap_or(NONE));
            if least != NONE {
                let best = &mut nearest[run.cluster as usize];
                *best = search(run, columns, &distances, u64::from(least).pow(2), *best);
            }
        }
    }
    nearest
}

/// The smaller of `best` and the squared distance from a run to the nearest masked pixel, given the distances along the
/// masked columns and the square of the least of them.
fn search(run: &Run, columns: &[u32], distances: &[u32], least: u64, mut best: u64) -> u64 {
    let left = columns.partition_point(|&c| c < run.first);
    let right = left + columns[left..].partition_point(|&c| c <= run.last);
    let mut consider = |k: usize, dx: u32| {
        let dx = u64::from(dx).pow(2);
        if distances[k] != NONE {
            best = best.min(dx + u64::from(distances[k]).pow(2));
        }
        dx + least < best
    };
    (left..right).for_each(|k| _ = consider(k, 0));
    for k in (0..left).rev() {
        if !consider(k, run.first - columns[k]) {
            break;
        }
    }
    for (k, &col) in columns.iter().enumerate().skip(right) {
        if !consider(k, col - run.last) {
            break;
        }
    }
    best
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
    use ndarray::Array2;
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
