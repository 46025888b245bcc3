//! For each cluster the closest other one (spec 05 §3.4): a k-d tree over the barycentres.
//!
//! The answer is that of a comparison of all pairs, ties included (the smallest number wins): a subtree is left out only
//! if the squared distance to its side of the cut, computed as for a pair, exceeds the best one found, and rounding is
//! monotonic.

use rayon::prelude::*;

/// A barycentre, (x, y) in pixels.
pub type Point = (f64, f64);

/// Below this many points a subtree is searched one by one.
const LEAF: usize = 8;

/// Positions of points, ordered so that each half on either side of the middle element is a subtree, cut alternately by
/// x and by y.
struct Tree<'a> {
    points: &'a [Point],
    order: Vec<u32>,
}

/// A candidate: squared distance, position.
type Best = (f64, u32);

fn coordinate(point: Point, depth: usize) -> f64 {
    if depth.is_multiple_of(2) { point.0 } else { point.1 }
}

fn squared_distance(a: Point, b: Point) -> f64 {
    (a.0 - b.0).powi(2) + (a.1 - b.1).powi(2)
}

impl<'a> Tree<'a> {
    /// A tree of the points with finite coordinates.
    fn new(points: &'a [Point]) -> Self {
        let finite = |i: &u32| points[*i as usize].0.is_finite() && points[*i as usize].1.is_finite();
        let mut order: Vec<u32> = (0..points.len() as u32).filter(finite).collect();
        Self::arrange(points, &mut order, 0);
        Self { points, order }
    }

    fn arrange(points: &[Point], order: &mut [u32], depth: usize) {
        if order.len() <= LEAF {
            return;
        }
        let middle = order.len() / 2;
        let key = |i: u32| coordinate(points[i as usize], depth);
        order.select_nth_unstable_by(middle, |&a, &b| key(a).total_cmp(&key(b)).then(a.cmp(&b)));
        let (left, right) = order.split_at_mut(middle);
        Self::arrange(points, left, depth + 1);
        Self::arrange(points, &mut right[1..], depth + 1);
    }

    /// Improves `best` with the points of a subtree other than `own`.
    fn search(&self, subtree: &[u32], depth: usize, own: u32, best: &mut Best) {
        let from = self.points[own as usize];
        let mut consider = |i: u32| {
            let candidate = (squared_distance(from, self.points[i as usize]), i);
            if i != own && (candidate.0 < best.0 || (candidate.0 == best.0 && i < best.1)) {
                *best = candidate;
            }
        };
        if subtree.len() <= LEAF {
            subtree.iter().copied().for_each(consider);
            return;
        }
        let middle = subtree.len() / 2;
        consider(subtree[middle]);
        let (left, right) = (&subtree[..middle], &subtree[middle + 1..]);
        let beyond = coordinate(from, depth) - coordinate(self.points[subtree[middle] as usize], depth);
        let (near, far) = if beyond < 0.0 { (left, right) } else { (right, left) };
        self.search(near, depth + 1, own, best);
        if beyond.powi(2) <= best.0 {
            self.search(far, depth + 1, own, best);
        }
    }
}

/// For each point the position of the closest other one; of several at the same distance the first. `None` where there
/// is no other point. Points that are not finite are nobody's neighbours and have none.
pub fn closest_others(points: &[Point]) -> Vec<Option<usize>> {
    let tree = Tree::new(points);
    points
        .par_iter()
        .enumerate()
        .map(|(own, point)| {
            if !(point.0.is_finite() && point.1.is_finite()) {
                return None;
            }
            let mut best = (f64::INFINITY, u32::MAX);
            tree.search(&tree.order, 0, own as u32, &mut best);
            (best.1 != u32::MAX).then_some(best.1 as usize)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn brute_force(points: &[Point]) -> Vec<Option<usize>> {
        (0..points.len())
            .map(|i| {
                let others = (0..points.len()).filter(|&j| j != i);
                others.min_by(|&a, &b| {
                    squared_distance(points[i], points[a])
                        .total_cmp(&squared_distance(points[i], points[b]))
                        .then(a.cmp(&b))
                })
            })
            .collect()
    }

    #[test]
    fn a_single_point_has_no_neighbour() {
        assert_eq!(closest_others(&[]), []);
        assert_eq!(closest_others(&[(1.0, 2.0)]), [None]);
        assert_eq!(closest_others(&[(1.0, 2.0), (f64::NAN, 2.0)]), [None, None]);
        assert_eq!(closest_others(&[(1.0, 2.0), (1.0, 2.0)]), [Some(1), Some(0)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        #[test]
        fn the_tree_finds_what_all_pairs_find(
            points in prop::collection::vec((0.0..4000.0f64, 0.0..4000.0f64), 0..300),
        ) {
            prop_assert_eq!(closest_others(&points), brute_force(&points));
        }

        /// Barycentres on a coarse lattice: many equal distances and equal points.
        #[test]
        fn ties_go_to_the_smallest_number(points in prop::collection::vec((0u8..12, 0u8..12), 0..250)) {
            let points: Vec<Point> = points.into_iter().map(|(x, y)| (f64::from(x), f64::from(y))).collect();
            prop_assert_eq!(closest_others(&points), brute_force(&points));
        }
    }
}
