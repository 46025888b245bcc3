//! BuildClusterMask: pixels around clusters, hot rows and hot columns as boolean images (spec 05 §4).
//!
//! Later processes leave the masked pixels out (`mask_clusters`), and both masks are written with the final images.
//! A cluster is masked run by run: the pixels of a row that are close together widen to one interval, which is filled
//! in all rows that the margins reach.

use std::ops::Range;

use ndarray::Array2;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::EV_PER_ELECTRON;
use super::cluster_table::{Cluster, ClusterTable};
use crate::config::{IndexList, PerAmplifier};
use crate::image::raw_data::Mask;
use crate::image::{RawData, Region, Side};
use crate::process::{Context, Measurement, ProcessError, SKImageProcess};

/// Margin of clusters that are not above `cluster_box_E_min`, pixels.
const SMALL_MARGIN: usize = 1;
/// A pixel of the id image holds its cluster's id times this, plus its charge in e⁻.
const ID_SCALE: f64 = 1e10;

/// Parameters of BuildClusterMask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[allow(non_snake_case, reason = "names of the configuration")]
pub struct BuildClusterMask {
    /// Columns masked before each pixel of an energetic cluster (in reading order).
    pub N_col_pre: usize,
    /// Columns masked after each pixel of an energetic cluster (in reading order).
    pub N_col_post: usize,
    /// Rows masked before each pixel of an energetic cluster.
    pub N_row_pre: usize,
    /// Rows masked after each pixel of an energetic cluster.
    pub N_row_post: usize,
    /// Clusters above this energy, e-, are masked with the margins above, the others with one pixel on all sides.
    pub cluster_box_E_min: f64,
    /// Smallest number of pixels of a cluster that is masked.
    pub cluster_size_min: usize,
    /// Clusters up to this energy, e-, are not masked.
    pub cluster_E_min: f64,
    /// Smallest extent in columns of a cluster that is masked.
    pub cluster_DX_min: f64,
    /// Smallest extent in rows of a cluster that is masked.
    pub cluster_DY_min: f64,
    /// [true, energy in e-]: clusters up to this energy are masked even if `cluster_E_min` would leave them.
    pub mask_below_threshold: (bool, f64),
    /// Energetic clusters: mask whole columns, from each pixel on `N_col_post` of them, instead of the box.
    pub mask_cluster_column: bool,
    /// Energetic clusters: mask their whole rows instead of the box.
    pub mask_cluster_row: bool,
    /// Also make an image with cluster id and charge at the bright pixels of the masked clusters.
    pub add_cluster_id: bool,
    /// Bright pixels of that image: above this fraction of the largest pixel energy; a value above 1 is a charge in e-.
    pub qmax_threshold: f64,
    /// Also make a mask with a disc around the brightest pixel of each masked cluster.
    pub circular_mask: bool,
    /// Radius of the discs, pixels.
    pub radius: f64,
    /// Columns that are always masked: indices and [first, last].
    pub hot_cols: PerAmplifier<IndexList>,
    /// Rows that are always masked: indices and [first, last]; with stacked extensions counted within the extension.
    pub hot_rows: PerAmplifier<IndexList>,
}

impl Default for BuildClusterMask {
    fn default() -> Self {
        Self {
            N_col_pre: 5,
            N_col_post: 5,
            N_row_pre: 5,
            N_row_post: 5,
            cluster_box_E_min: 100.0,
            cluster_size_min: 2,
            cluster_E_min: 0.0,
            cluster_DX_min: 1.0,
            cluster_DY_min: 1.0,
            mask_below_threshold: (false, 0.0),
            mask_cluster_column: false,
            mask_cluster_row: false,
            add_cluster_id: false,
            qmax_threshold: 0.5,
            circular_mask: false,
            radius: 0.0,
            hot_cols: PerAmplifier::default(),
            hot_rows: PerAmplifier::default(),
        }
    }
}

impl SKImageProcess for BuildClusterMask {
    fn execute(&self, raw: &mut RawData, _context: &Context<'_>) -> Result<(), ProcessError> {
        if raw.amplifiers.len() > 2 && !raw.stacked {
            return Err(ProcessError::Failed(format!(
                "the image has {} amplifiers; at most two are possible where extensions are not stacked",
                raw.amplifiers.len()
            )));
        }
        let table = raw.products.take::<ClusterTable>().ok_or_else(|| ProcessError::NotRunBefore {
            needed: "ClusterFinder",
            what: "the clusters to be masked".into(),
        })?;
        let masked: Vec<usize> = (0..table.len()).filter(|&i| self.is_masked(&table, i)).collect();
        let mut clusters = Canvas::new(raw, true);
        raw.amplifiers.iter().for_each(|a| clusters.fill(a.active.rows.clone(), a.active.cols.clone(), false));
        for &i in &masked {
            self.mask_cluster(&mut clusters, raw, &table, i);
        }
        let mut full = clusters.clone();
        self.mask_hot_lines(&mut full, raw);
        self.report(raw, masked.len(), table.len(), &clusters, &full);

        if self.add_cluster_id {
            raw.images.insert("mask_clusters_ids".into(), self.id_image(raw, &table, &masked));
        }
        if self.circular_mask {
            let mut discs = Canvas::new(raw, false);
            masked.iter().for_each(|&i| self.mask_disc(&mut discs, raw, &table, i));
            raw.masks.insert("circular_mask_clusters".into(), Mask { pixels: discs.into_image(), extname: None });
        }
        for (name, canvas, extname) in
            [("mask_clusters_only", clusters, "CLSMASK"), ("mask_clusters", full, "FULLMASK")]
        {
            raw.masks.insert(name.into(), Mask { pixels: canvas.into_image(), extname: Some(extname.into()) });
        }
        raw.products.set(table);
        Ok(())
    }

    fn check(&self) -> Vec<String> {
        if self.circular_mask && !(self.radius.is_finite() && self.radius >= 0.0) {
            return vec![format!("`radius` is {}; a number of pixels ≥ 0 is expected", self.radius)];
        }
        Vec::new()
    }
}

/// Energy of a cluster, e⁻.
fn electrons(kev: f64) -> f64 {
    kev * 1000.0 / EV_PER_ELECTRON
}

impl BuildClusterMask {
    fn is_masked(&self, table: &ClusterTable, i: usize) -> bool {
        let cluster = &table.clusters[i];
        let energy = electrons(cluster.energy);
        let (bypass, below) = self.mask_below_threshold;
        cluster.has_seed
            && table.pixels(i).len() >= self.cluster_size_min
            && (energy > self.cluster_E_min || (bypass && energy <= below))
            && f64::from(cluster.x.extent()) >= self.cluster_DX_min
            && f64::from(cluster.y.extent()) >= self.cluster_DY_min
    }

    /// Masks a cluster and what its margins, or whole rows or columns, cover.
    fn mask_cluster(&self, canvas: &mut Canvas, raw: &RawData, table: &ClusterTable, i: usize) {
        let cluster = &table.clusters[i];
        let field = field(raw, cluster);
        let energetic = electrons(cluster.energy) > self.cluster_box_E_min;
        // U is read from the right edge, so what is read after a pixel lies to its left.
        let mirrored = raw.amplifiers[cluster.amplifier].side == Side::U;
        let oriented = |before: usize, after: usize| if mirrored { (after, before) } else { (before, after) };
        let all_rows = field.rows.clone();
        if energetic && self.mask_cluster_column {
            let (left, right) = oriented(0, self.N_col_post.saturating_sub(1));
            let mut cols: Vec<usize> = table.coordinates(i).map(|(_, col)| col).collect();
            cols.sort_unstable();
            for run in runs(cols.into_iter(), left, right) {
                canvas.fill(all_rows.clone(), clip(&run, left, right, &field.cols), true);
            }
        } else if energetic && self.mask_cluster_row {
            let rows = table.coordinates(i).map(|(row, _)| row);
            for run in runs(rows, 0, 0) {
                canvas.fill(run.start..run.end, field.cols.clone(), true);
            }
        } else {
            let ((left, right), (above, below)) = if energetic {
                (oriented(self.N_col_pre, self.N_col_post), (self.N_row_pre, self.N_row_post))
            } else {
                ((SMALL_MARGIN, SMALL_MARGIN), (SMALL_MARGIN, SMALL_MARGIN))
            };
            let pixels = table.pixels(i);
            let (rows, cols) = (&table.rows[pixels.clone()], &table.cols[pixels]);
            let mut start = 0;
            for line in rows.chunk_by(|a, b| a == b) {
                let row = line[0] as usize;
                let reached = clip(&(row..row + 1), above, below, &field.rows);
                let in_line = cols[start..start + line.len()].iter().map(|&col| col as usize);
                for run in runs(in_line, left, right) {
                    canvas.fill(reached.clone(), clip(&run, left, right, &field.cols), true);
                }
                start += line.len();
            }
        }
    }

    fn mask_disc(&self, canvas: &mut Canvas, raw: &RawData, table: &ClusterTable, i: usize) {
        let cluster = &table.clusters[i];
        let field = field(raw, cluster);
        let centre = table.pixels(i).start + cluster.qmax_pixel;
        let (row, col) = (table.rows[centre] as usize, table.cols[centre] as usize);
        let reach = self.radius.floor() as usize;
        let rows = clip(&(row..row + 1), reach, reach, &field.rows);
        for r in rows {
            let half = (self.radius.powi(2) - (r as f64 - row as f64).powi(2)).max(0.0).sqrt().floor() as usize;
            canvas.fill(r..r + 1, clip(&(col..col + 1), half, half, &field.cols), true);
        }
    }

    /// Masks the listed rows and columns of each amplifier in its own region.
    fn mask_hot_lines(&self, canvas: &mut Canvas, raw: &mut RawData) {
        for index in 0..raw.amplifiers.len() {
            let amplifier = raw.amplifiers[index].clone();
            let (first, rows) = raw.row_block(index);
            let cols = raw.cols;
            for row in super::indices(raw, self.hot_rows.get(&amplifier), "hot_rows", rows) {
                canvas.fill(first + row..first + row + 1, amplifier.full.cols.clone(), true);
            }
            let listed = super::indices(raw, self.hot_cols.get(&amplifier), "hot_cols", cols);
            let foreign = listed.iter().filter(|col| !amplifier.full.cols.contains(col)).count();
            if foreign > 0 && matches!(self.hot_cols, PerAmplifier::Each(_)) {
                raw.report.warn(format!(
                    "`hot_cols`: {foreign} columns listed for amplifier {} are not read by it and are left out",
                    amplifier.name
                ));
            }
            for col in listed.into_iter().filter(|col| amplifier.full.cols.contains(col)) {
                canvas.fill(amplifier.full.rows.clone(), col..col + 1, true);
            }
        }
    }

    /// Id and charge of the bright pixels of the masked clusters, 0 elsewhere.
    fn id_image(&self, raw: &RawData, table: &ClusterTable, masked: &[usize]) -> Array2<f64> {
        let mut image = Array2::zeros((raw.rows, raw.cols));
        for &i in masked {
            let qmax = table.clusters[i].qmax;
            for p in table.pixels(i) {
                let charge = electrons(table.energies[p]);
                let bright = if self.qmax_threshold > 1.0 {
                    charge > self.qmax_threshold
                } else {
                    table.energies[p] / qmax > self.qmax_threshold
                };
                if bright {
                    image[[table.rows[p] as usize, table.cols[p] as usize]] = (i + 1) as f64 * ID_SCALE + charge;
                }
            }
        }
        image
    }

    fn report(&self, raw: &mut RawData, masked: usize, clusters: usize, only: &Canvas, full: &Canvas) {
        let (only, full) = (only.count(), full.count());
        let total = (raw.rows * raw.cols).max(1);
        raw.report.measure(Measurement::integer("masked_clusters", masked as i64));
        raw.report.measure(Measurement::integer("pixels_masked_by_clusters", only as i64));
        raw.report.measure(Measurement::integer("masked_pixels", full as i64));
        raw.report.result(format!(
            "{masked} of {clusters} clusters masked: {only} pixels outside the active region or near clusters, {full} with \
             hot rows and columns ({:.2} %)",
            100.0 * full as f64 / total as f64
        ));
    }
}

/// Where a cluster's margins may reach: the image, or its extension if several are stacked.
fn field(raw: &RawData, cluster: &Cluster) -> Region {
    let rows = if raw.stacked { raw.amplifiers[cluster.amplifier].full.rows.clone() } else { 0..raw.rows };
    Region::new(rows, 0..raw.cols)
}

/// The range widened by margins, inside `limits`.
fn clip(range: &Range<usize>, before: usize, after: usize, limits: &Range<usize>) -> Range<usize> {
    let start = range.start.saturating_sub(before).max(limits.start);
    let end = range.end.saturating_add(after).min(limits.end);
    start..end.max(start)
}

/// Ranges that cover sorted coordinates; those that would touch when widened by the margins are one.
fn runs(coordinates: impl Iterator<Item = usize>, before: usize, after: usize) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for v in coordinates {
        match runs.last_mut() {
            Some(run) if v.saturating_sub(before) <= run.end.saturating_add(after) => run.end = run.end.max(v + 1),
            _ => runs.push(v..v + 1),
        }
    }
    runs
}

/// A boolean image that is filled rectangle by rectangle.
#[derive(Debug, Clone)]
struct Canvas {
    rows: usize,
    cols: usize,
    pixels: Vec<bool>,
}

impl Canvas {
    fn new(raw: &RawData, value: bool) -> Self {
        Self { rows: raw.rows, cols: raw.cols, pixels: vec![value; raw.rows * raw.cols] }
    }

    fn fill(&mut self, rows: Range<usize>, cols: Range<usize>, value: bool) {
        let cols = cols.start.min(self.cols)..cols.end.min(self.cols);
        for row in rows.start..rows.end.min(self.rows) {
            let line = row * self.cols;
            self.pixels[line + cols.start..line + cols.end.max(cols.start)].fill(value);
        }
    }

    fn count(&self) -> usize {
        self.pixels.iter().filter(|p| **p).count()
    }

    fn into_image(self) -> Array2<bool> {
        let shape = (self.rows, self.cols);
        Array2::from_shape_vec(shape, self.pixels).unwrap_or_else(|_| Array2::from_elem(shape, true))
    }
}

#[cfg(test)]
mod tests;
