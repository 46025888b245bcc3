//! Rates of single-electron pixels along lines that start at a cluster, for EvalCTIProcess and EvalHaloProcess.
//!
//! A rate is the number of pixels whose charge lies strictly inside an interval, divided by the number of pixels looked
//! at; pixels that are not finite count neither above nor below the fraction bar, and an empty set has the rate 0.

use ndarray::Array2;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::image::{Amplifier, RawData, Side};
use crate::plot::{Colour, Figure, Line, Panel, Points};
use crate::process::reconstruction::ClusterTable;
use crate::process::{Context, ProcessError};

/// Distances at which rates are given: `[maximum, step]` stands for step, 2·step, … below the maximum (pixels).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Distances(
    /// Distances are below this one.
    pub u32,
    /// Step, at least 1.
    pub u32,
);

impl Distances {
    /// The distances, ascending.
    pub fn values(self) -> Vec<usize> {
        (1..).map(|k| k * self.1 as usize).take_while(|d| *d < self.0 as usize && self.1 > 0).collect()
    }

    /// What is wrong with them, if anything, as a sentence about `key`.
    pub fn problem(self, key: &str) -> Option<String> {
        let Self(maximum, step) = self;
        (step == 0 || step >= maximum).then(|| {
            format!("`{key}` is [{maximum}, {step}]; [maximum, step] with 1 ≤ step < maximum is expected, in pixels")
        })
    }
}

/// Which pixels are counted and how distances are used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counting {
    /// Charge interval, both ends excluded.
    pub range: [f64; 2],
    /// Count up to each distance (true) or between it and the one before.
    pub cumulative: bool,
}

impl Counting {
    /// 1 for a counted pixel, 0 for another one; `None` for a missing one.
    #[inline]
    fn hit(&self, q: f64) -> Option<u32> {
        q.is_finite().then(|| u32::from(q > self.range[0] && q < self.range[1]))
    }

    /// Adds to `sums` the rates of a line of pixels at distances 1, 2, …, for each of `distances` (ascending).
    pub fn add_line(&self, pixels: impl Iterator<Item = f64>, distances: &[usize], sums: &mut [f64]) {
        let mut pixels = pixels.fuse();
        let (mut hits, mut looked_at, mut walked) = (0_u32, 0_u32, 0);
        for (&distance, sum) in distances.iter().zip(sums) {
            if !self.cumulative {
                (hits, looked_at) = (0, 0);
            }
            while walked < distance {
                walked += 1;
                if let Some(hit) = pixels.next().and_then(|q| self.hit(q)) {
                    hits += hit;
                    looked_at += 1;
                }
            }
            if looked_at > 0 {
                *sum += f64::from(hits) / f64::from(looked_at);
            }
        }
    }

    /// Adds the rates of the quadrant of pixels that lie at least one row and one column away from a corner: `pixel(i, j)`
    /// is the charge i rows and j columns away, or `None` outside of the amplifier.
    pub fn add_quadrant(&self, pixel: impl Fn(usize, usize) -> Option<f64>, distances: &[usize], sums: &mut [f64]) {
        let Some(&largest) = distances.last() else { return };
        let mut hits = vec![0_u32; distances.len()];
        let mut looked_at = vec![0_u32; distances.len()];
        for i in 1..largest {
            if pixel(i, 1).is_none() {
                break;
            }
            // the ring of (i, j) only grows with j
            let mut ring = 0;
            for j in 1.. {
                let squared = i * i + j * j;
                while ring < distances.len() && squared > distances[ring] * distances[ring] {
                    ring += 1;
                }
                let Some(q) = pixel(i, j).filter(|_| ring < distances.len()) else { break };
                if let Some(hit) = self.hit(q) {
                    hits[ring] += hit;
                    looked_at[ring] += 1;
                }
            }
        }
        let (mut all_hits, mut all_looked_at) = (0, 0);
        for (k, sum) in sums.iter_mut().enumerate().take(distances.len()) {
            (all_hits, all_looked_at) = if self.cumulative {
                (all_hits + hits[k], all_looked_at + looked_at[k])
            } else {
                (hits[k], looked_at[k])
            };
            if all_looked_at > 0 {
                *sum += f64::from(all_hits) / f64::from(all_looked_at);
            }
        }
    }

    /// The rate in the active region of an amplifier outside of all clusters: what chance alone gives.
    pub fn background(&self, image: &Array2<f64>, amplifier: &Amplifier, in_cluster: &Array2<bool>) -> f64 {
        let (mut hits, mut looked_at) = (0_u64, 0_u64);
        let pixels = amplifier.active.view(image);
        let mask = amplifier.active.view(in_cluster);
        for (q, masked) in pixels.iter().zip(mask) {
            if let (false, Some(hit)) = (*masked, self.hit(*q)) {
                hits += u64::from(hit);
                looked_at += 1;
            }
        }
        if looked_at > 0 { hits as f64 / looked_at as f64 } else { f64::NAN }
    }
}

/// First and last pixel of a cluster in each of its columns (or rows), ascending.
pub fn extremes(pixels: impl Iterator<Item = (usize, usize)>) -> Vec<(usize, usize, usize)> {
    let mut places: Vec<(usize, usize)> = pixels.collect();
    places.sort_unstable();
    let mut lines: Vec<(usize, usize, usize)> = Vec::new();
    for (line, at) in places {
        match lines.last_mut() {
            Some((last, _, highest)) if *last == line => *highest = at,
            _ => lines.push((line, at, at)),
        }
    }
    lines
}

/// Charges from column `from` (excluded) on, along `row`, in or against the readout direction of the amplifier.
pub fn along_row<'a>(
    image: &'a Array2<f64>,
    amplifier: &Amplifier,
    row: usize,
    from: usize,
    later: bool,
) -> Box<dyn Iterator<Item = f64> + 'a> {
    let cols = amplifier.full.cols.clone();
    // pixels read later lie at higher columns, except for U, whose first pixel read is the last column
    if later == (amplifier.side != Side::U) {
        Box::new((from + 1..cols.end).map(move |col| image[[row, col]]))
    } else {
        Box::new((cols.start..from.max(cols.start)).rev().map(move |col| image[[row, col]]))
    }
}

/// Pixels that belong to a cluster with a seed. Clusters without one are mostly the single electrons to be counted.
pub fn cluster_pixels(table: &ClusterTable, shape: (usize, usize)) -> Array2<bool> {
    let mut mask = Array2::from_elem(shape, false);
    for cluster in (0..table.len()).filter(|i| table.clusters[*i].has_seed) {
        for (row, col) in table.coordinates(cluster) {
            if let Some(m) = mask.get_mut((row, col)) {
                *m = true;
            }
        }
    }
    mask
}

/// The clusters, or the error that names the process that makes them.
pub fn clusters(raw: &RawData) -> Result<&ClusterTable, ProcessError> {
    raw.products
        .get::<ClusterTable>()
        .ok_or_else(|| ProcessError::NotRunBefore { needed: "ClusterFinder", what: "the clusters".into() })
}

/// Mean over clusters of rates per distance, with its statistical error.
#[derive(Debug, Clone, PartialEq)]
pub struct MeanRates {
    /// Distances, pixels.
    pub distances: Vec<usize>,
    /// Mean rate at each distance.
    pub means: Vec<f64>,
    /// Standard error of the mean; NaN for fewer than two clusters.
    pub errors: Vec<f64>,
    /// Clusters that were averaged.
    pub clusters: usize,
}

impl MeanRates {
    /// Averages the rates of the clusters for which `take` is true.
    pub fn new(distances: &[usize], rates: &[Vec<f64>], take: impl Fn(usize) -> bool) -> Self {
        let taken: Vec<&Vec<f64>> = rates.iter().enumerate().filter(|(i, _)| take(*i)).map(|(_, r)| r).collect();
        let n = taken.len() as f64;
        let (mut means, mut errors) = (Vec::new(), Vec::new());
        for k in 0..distances.len() {
            let mean = taken.iter().map(|r| r[k]).sum::<f64>() / n;
            let squares: f64 = taken.iter().map(|r| (r[k] - mean).powi(2)).sum();
            means.push(mean);
            errors.push(if taken.len() > 1 { (squares / (n - 1.0) / n).sqrt() } else { f64::NAN });
        }
        Self { distances: distances.to_vec(), means, errors, clusters: taken.len() }
    }

    /// The mean and error at the smallest distance.
    pub fn first(&self) -> Option<(usize, f64, f64)> {
        Some((*self.distances.first()?, *self.means.first()?, *self.errors.first()?))
    }
}

/// One panel: mean rates against the distance, and the rate that chance gives.
pub fn rates_panel(curves: &[(&str, &MeanRates)], chance: f64, range: [f64; 2]) -> Panel {
    let mut panel = Panel::new()
        .x("distance [pixels]")
        .y(format!("mean rate of pixels with {} < q < {} e⁻", range[0], range[1]))
        .integer_x();
    for (k, (label, rates)) in curves.iter().enumerate() {
        let x: Vec<f64> = rates.distances.iter().map(|d| *d as f64).collect();
        panel = panel.points(
            Points::new(x, &rates.means)
                .y_errors(&rates.errors)
                .colour(Colour::series(k))
                .label(format!("{label} ({} clusters)", rates.clusters)),
        );
    }
    let distances = curves.iter().flat_map(|(_, rates)| rates.distances.iter().map(|d| *d as f64));
    if let (true, Some(farthest)) = (chance.is_finite(), distances.reduce(f64::max)) {
        // a curve, not a guide: the axis reaches to it
        let line = Line::new([0.0, farthest], [chance, chance]).dashed().colour(Colour::BLACK).width(0.8);
        panel = panel.line(line.label(format!("outside of clusters: {chance:.5}")));
    }
    panel
}

/// The figure of one amplifier.
pub fn rates_figure(raw: &RawData, context: &Context<'_>, amplifier: &str, title: &str, panel: Panel) -> Figure {
    let mut chain = raw.chain.clone();
    chain.push(context.entry.tag.to_owned());
    Figure::new(format!("{}_rates_{amplifier}", context.entry.name))
        .titles(&format!("{title}, amplifier {amplifier}"), &raw.source.label, &chain)
        .panel(panel)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::process::reconstruction::cluster_table::Cluster;

    /// Image and cluster of spec 03 §7.
    pub fn example() -> RawData {
        let mut pixels = Array2::zeros((12, 14));
        for place in [
            (6, 5),
            (8, 5),
            (9, 5),
            (6, 6),
            (11, 6),
            (5, 8),
            (5, 12),
            (4, 6),
            (4, 9),
            (2, 5),
            (5, 2),
            (3, 3),
            (7, 4),
            (10, 11),
        ] {
            pixels[place] = 1.0;
        }
        pixels[(0, 0)] = 5.0;
        let mut raw = RawData::from_image("mean_compressed_pedestal_subtracted_e", pixels);
        raw.products.set(table(&[&[(4, 5), (5, 5), (5, 6)]]));
        raw
    }

    /// A table of clusters with seeds on amplifier 0.
    pub fn table(clusters: &[&[(usize, usize)]]) -> ClusterTable {
        let mut table = ClusterTable::default();
        for pixels in clusters {
            table.clusters.push(Cluster { has_seed: true, ..Cluster::default() });
            for (row, col) in *pixels {
                table.rows.push(*row as u32);
                table.cols.push(*col as u32);
                table.energies.push(1.0);
            }
            table.offsets.push(table.rows.len());
        }
        table
    }

    #[test]
    fn distances_are_multiples_of_the_step_below_the_maximum() {
        assert_eq!(Distances(7, 2).values(), [2, 4, 6]);
        assert_eq!(Distances(6, 2).values(), [2, 4]);
        assert_eq!(Distances(155, 10).values().len(), 15);
        assert!(Distances(5, 0).problem("radius").unwrap().starts_with("`radius` is [5, 0]"));
        assert!(Distances(5, 5).problem("radius").is_some() && Distances(5, 4).problem("radius").is_none());
    }

    #[test]
    fn missing_pixels_count_nowhere() {
        let counting = Counting { range: [0.75, 1.5], cumulative: true };
        let mut sums = [0.0; 2];
        counting.add_line([1.0, f64::NAN, 0.0, 1.5, 0.75].into_iter(), &[3, 9], &mut sums);
        assert_eq!(sums, [0.5, 0.25], "the ends of the interval are excluded");
        let mut sums = [0.0; 1];
        counting.add_line(std::iter::empty(), &[3], &mut sums);
        assert_eq!(sums, [0.0]);
    }

    #[test]
    fn lines_of_a_cluster() {
        assert_eq!(extremes([(5, 4), (5, 5), (6, 5), (5, 9)].into_iter()), [(5, 4, 9), (6, 5, 5)]);
    }

    #[test]
    fn means_have_standard_errors() {
        let rates = vec![vec![0.1], vec![0.3], vec![0.2], vec![9.0]];
        let mean = MeanRates::new(&[2], &rates, |i| i < 3);
        assert!((mean.means[0] - 0.2).abs() < 1e-15);
        assert!((mean.errors[0] - 0.1 / 3f64.sqrt()).abs() < 1e-15);
        assert!(MeanRates::new(&[2], &rates, |i| i == 0).errors[0].is_nan());
    }
}
