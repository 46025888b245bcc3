//! Single linkage: which selected pixels belong together.
//!
//! Two pixels are linked when their offset (dx, dy) is within reach, and a cluster is a connected component of that
//! graph. Method 0 (pixels that touch by a side or a corner) is reach N = 1 of method 1 (dx² + dy² ≤ 2N², spec 05 §2.4).
//!
//! The pixels come in raster order. Each row is first cut into *chains*: runs whose neighbours are at most w(0) columns
//! apart, w(dy) being the largest column distance allowed at row distance dy. Then, for each pixel and each of the rows
//! up to the reach above it, only the nearest pixel to the left and the nearest to the right have to be looked at:
//! w(dy) ≤ w(0), so all other pixels of that row within reach are in the chains of these two. The cost is a merge of
//! sorted lists per pair of rows, whatever N and however dense the image; a union–find over the chains does the rest.

use std::ops::Range;

/// Which offsets link two pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// `half_widths[dy]`: largest |dx| that links pixels dy rows apart.
    half_widths: Vec<u32>,
}

impl Reach {
    /// Pixels that touch by a side or a corner (method 0).
    pub fn eight_neighbours() -> Self {
        Self::within(1, u32::MAX)
    }

    /// Pixels at a distance of at most √2·`n` (method 1), i.e. dx² + dy² ≤ 2n². `extent` is the larger dimension of the
    /// image: a larger `n` links everything and is cut there.
    pub fn within(n: u32, extent: u32) -> Self {
        let limit = 2 * u64::from(n.min(extent)).pow(2);
        let half_widths = (0..=limit.isqrt()).map(|dy| (limit - dy * dy).isqrt() as u32).collect();
        Self { half_widths }
    }

    /// Whether pixels at this offset are linked.
    pub fn links(&self, dx: u32, dy: u32) -> bool {
        self.half_widths.get(dy as usize).is_some_and(|&w| dx <= w)
    }
}

/// The clusters of a list of pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Components {
    /// For each pixel the number of its cluster, from 0, in the order of their first pixels.
    pub labels: Vec<u32>,
    /// Number of clusters.
    pub count: usize,
}

/// Sets that are merged; the smallest member represents a set, so numbering does not depend on the order of merging.
struct DisjointSets {
    parent: Vec<u32>,
}

impl DisjointSets {
    fn new(n: usize) -> Self {
        Self { parent: (0..n as u32).collect() }
    }

    fn find(&mut self, mut i: u32) -> u32 {
        while self.parent[i as usize] != i {
            let grandparent = self.parent[self.parent[i as usize] as usize];
            self.parent[i as usize] = grandparent;
            i = grandparent;
        }
        i
    }

    fn unite(&mut self, a: u32, b: u32) {
        let (a, b) = (self.find(a), self.find(b));
        self.parent[a.max(b) as usize] = a.min(b);
    }
}

/// The connected components of pixels given by row and column, in raster order, under a reach.
pub fn components(rows: &[u32], cols: &[u32], reach: &Reach) -> Components {
    let in_row = reach.half_widths.first().copied().unwrap_or(0);
    let (chain_of, chains) = chains(rows, cols, in_row);
    let mut sets = DisjointSets::new(chains);

    let lines = lines(rows);
    let mut first = 0;
    for (k, lower) in lines.iter().enumerate() {
        let row = rows[lower.start];
        while (row - rows[lines[first].start]) as usize >= reach.half_widths.len() {
            first += 1;
        }
        for upper in &lines[first..k] {
            let half_width = reach.half_widths[(row - rows[upper.start]) as usize];
            link_lines(cols, &chain_of, upper.clone(), lower.clone(), half_width, &mut sets);
        }
    }

    let mut number = vec![0; chains];
    let mut count = 0;
    for chain in 0..chains as u32 {
        let root = sets.find(chain);
        if root == chain {
            number[chain as usize] = count;
            count += 1;
        } else {
            number[chain as usize] = number[root as usize];
        }
    }
    Components { labels: chain_of.iter().map(|&c| number[c as usize]).collect(), count: count as usize }
}

/// Numbers the runs of pixels of one row whose neighbours are at most `gap` columns apart.
fn chains(rows: &[u32], cols: &[u32], gap: u32) -> (Vec<u32>, usize) {
    let mut chain_of = Vec::with_capacity(rows.len());
    let mut count = 0;
    for i in 0..rows.len() {
        if i == 0 || rows[i] != rows[i - 1] || cols[i] - cols[i - 1] > gap {
            count += 1;
        }
        chain_of.push(count - 1);
    }
    (chain_of, count as usize)
}

/// The ranges of pixels that share a row.
fn lines(rows: &[u32]) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let mut start = 0;
    for chunk in rows.chunk_by(|a, b| a == b) {
        lines.push(start..start + chunk.len());
        start += chunk.len();
    }
    lines
}

/// Unites the chains of two rows wherever two pixels are at most `half_width` columns apart.
fn link_lines(
    cols: &[u32],
    chain_of: &[u32],
    upper: Range<usize>,
    lower: Range<usize>,
    half_width: u32,
    sets: &mut DisjointSets,
) {
    let mut last = (u32::MAX, u32::MAX);
    let mut unite = |above: usize, below: usize, sets: &mut DisjointSets| {
        let pair = (chain_of[above], chain_of[below]);
        if pair != last {
            sets.unite(pair.0, pair.1);
            last = pair;
        }
    };
    let mut right = upper.start;
    for i in lower {
        let col = cols[i];
        while right < upper.end && cols[right] < col {
            right += 1;
        }
        if right > upper.start && col - cols[right - 1] <= half_width {
            unite(right - 1, i, sets);
        }
        if right < upper.end && cols[right] - col <= half_width {
            unite(right, i, sets);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn label(pixels: &[(u32, u32)], reach: &Reach) -> Components {
        let rows: Vec<u32> = pixels.iter().map(|p| p.0).collect();
        let cols: Vec<u32> = pixels.iter().map(|p| p.1).collect();
        components(&rows, &cols, reach)
    }

    /// The definition: links by real distance ≤ √2·N + 10⁻⁷ over all pairs, components by repeated flooding.
    fn brute_force(pixels: &[(u32, u32)], n: u32) -> Components {
        let radius = 2f64.sqrt() * f64::from(n) + 1e-7;
        let linked = |a: (u32, u32), b: (u32, u32)| {
            let (dy, dx) = (f64::from(a.0) - f64::from(b.0), f64::from(a.1) - f64::from(b.1));
            (dx * dx + dy * dy).sqrt() <= radius
        };
        let mut labels = vec![u32::MAX; pixels.len()];
        let mut count = 0;
        for start in 0..pixels.len() {
            if labels[start] != u32::MAX {
                continue;
            }
            labels[start] = count;
            let mut front = vec![start];
            while let Some(i) = front.pop() {
                for j in 0..pixels.len() {
                    if labels[j] == u32::MAX && linked(pixels[i], pixels[j]) {
                        labels[j] = count;
                        front.push(j);
                    }
                }
            }
            count += 1;
        }
        Components { labels, count: count as usize }
    }

    /// Flood fill over the 8 neighbours on an image, the textbook form of method 0.
    fn flood_fill(pixels: &[(u32, u32)], size: u32) -> Components {
        let at = |r: i64, c: i64| pixels.iter().position(|&p| (i64::from(p.0), i64::from(p.1)) == (r, c));
        let mut labels = vec![u32::MAX; pixels.len()];
        let mut count = 0;
        for start in 0..pixels.len() {
            if labels[start] != u32::MAX {
                continue;
            }
            let mut front = vec![pixels[start]];
            labels[start] = count;
            while let Some((r, c)) = front.pop() {
                for dr in -1..=1 {
                    for dc in -1..=1 {
                        let (r, c) = (i64::from(r) + dr, i64::from(c) + dc);
                        if (0..i64::from(size)).contains(&r)
                            && (0..i64::from(size)).contains(&c)
                            && let Some(i) = at(r, c)
                            && labels[i] == u32::MAX
                        {
                            labels[i] = count;
                            front.push(pixels[i]);
                        }
                    }
                }
            }
            count += 1;
        }
        Components { labels, count: count as usize }
    }

    #[test]
    fn the_reach_of_one_is_eight_connectivity_of_two_a_square_of_three_is_not() {
        let one = Reach::within(1, 100);
        let two = Reach::within(2, 100);
        for dy in 0..6 {
            for dx in 0..6 {
                assert_eq!(one.links(dx, dy), dx <= 1 && dy <= 1, "{dx} {dy}");
                assert_eq!(two.links(dx, dy), dx <= 2 && dy <= 2, "{dx} {dy}");
            }
        }
        let three = Reach::within(3, 100);
        assert!(three.links(4, 0) && three.links(4, 1) && !three.links(4, 2));
        assert!(three.links(1, 4) && !three.links(2, 4));
        assert_eq!(Reach::eight_neighbours(), one);
    }

    /// Spec 05 §2.4.
    #[test]
    fn the_example_is_one_cluster_for_two_and_two_clusters_for_one() {
        let pixels = [(1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 5), (3, 6), (5, 6)];
        assert_eq!(label(&pixels, &Reach::within(2, 10)).count, 1);
        for reach in [Reach::within(1, 10), Reach::eight_neighbours()] {
            let found = label(&pixels, &reach);
            assert_eq!(found, Components { labels: vec![0, 0, 0, 0, 0, 0, 0, 1], count: 2 });
        }
    }

    #[test]
    fn extremes() {
        assert_eq!(label(&[], &Reach::within(2, 5)).count, 0);
        assert_eq!(label(&[(0, 0), (0, 1), (1, 0)], &Reach::within(0, 5)).count, 3);
        assert_eq!(label(&[(0, 0), (0, 4), (4, 0), (4, 4)], &Reach::within(u32::MAX, 5)).count, 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

        #[test]
        fn labels_equal_the_brute_force_over_all_pairs(
            set in prop::collection::btree_set((0u32..24, 0u32..24), 0..160), n in 0u32..7,
        ) {
            let pixels: Vec<_> = set.into_iter().collect();
            prop_assert_eq!(label(&pixels, &Reach::within(n, 24)), brute_force(&pixels, n));
        }

        #[test]
        fn labels_of_method_0_equal_a_flood_fill(set in prop::collection::btree_set((0u32..20, 0u32..20), 0..200)) {
            let pixels: Vec<_> = set.into_iter().collect();
            prop_assert_eq!(label(&pixels, &Reach::eight_neighbours()), flood_fill(&pixels, 20));
        }
    }
}
