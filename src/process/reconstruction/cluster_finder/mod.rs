//! ClusterFinder: pixels above a noise threshold, grouped into clusters, with all their observables.
//!
//! Runs once per amplifier; the clusters of all amplifiers go to one [`ClusterTable`] and are numbered through. Spec 05
//! §§2, 3. The steps, one file each: the cuts ([`threshold`]), the pixels above them ([`selection`]), optional blocks of
//! rows ([`row_splitting`]), the links between pixels ([`linkage`]), the observables ([`observables`], with the
//! [`profile`] fits), and what needs all clusters: the [`closest`] one, the [`mask_distance`]s and other
//! [`conditional`] quantities.

pub mod closest;
pub mod conditional;
pub mod linkage;
pub mod mask_distance;
pub mod observables;
pub mod profile;
pub mod row_splitting;
pub mod selection;
pub mod threshold;

#[cfg(test)]
mod tests;

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::linkage::{Components, Reach};
use self::selection::{Acceptance, SelectedPixels};
use self::threshold::{ChargeUnit, Cuts, Threshold};
use super::EV_PER_ELECTRON;
use super::apply_selection_cuts::HotRegions;
use super::cluster_table::{Closest, ClusterTable};
use crate::config::{IndexList, PerAmplifier};
use crate::image::RawData;
use crate::image::auxiliary::csv_column;
use crate::image::report::ConfigResult;
use crate::process::{Context, Measurement, ProcessError, SKImageProcess};

/// Column of the noise table of `ismoskita`.
const RESOLUTION_COLUMN: &str = "resolution";

/// Parameters of ClusterFinder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ClusterFinder {
    /// Pixel selection [σ, n_min, n_seed]: pixels of at least n_min·σ are selected, those of at least n_seed·σ are seeds.
    /// σ: null (mean sigma of the pedestal), a number in e-, or a header keyword that holds it in ADU.
    pub spr_threshold: PerAmplifier<Threshold>,
    /// Charge above which pixels are selected, and are seeds too, instead of multiples of σ; null: `spr_threshold`.
    pub absolute_threshold: Option<PerAmplifier<f64>>,
    /// Unit of `absolute_threshold`: ADC or e.
    pub absolute_threshold_unit: ChargeUnit,
    /// Image in which clusters are searched: in e- if its name ends in `_e`, else in ADU.
    pub spr_image: String,
    /// σ = null stands for the mean of the pedestal sigmas (true) or their median (false).
    pub spr_sigma_mean: bool,
    /// Leave out the pixels masked by `--mask` (false: only their distances to the clusters are computed).
    pub apply_mask: bool,
    /// Rows left out: indices and [first, last]; with stacked extensions counted within the extension.
    pub skip_rows: PerAmplifier<IndexList>,
    /// Columns left out: indices and [first, last].
    pub skip_cols: PerAmplifier<IndexList>,
    /// 0: pixels that touch by a side or a corner belong together; 1: pixels at most √2·`max_nearest_neighbor` apart.
    #[schemars(range(min = 0, max = 1))]
    pub method: u8,
    /// Reach N of method 1, pixels: dx² + dy² ≤ 2·N².
    pub max_nearest_neighbor: u32,
    /// Keep only clusters that contain a seed.
    pub only_cls_seed: bool,
    /// Fit Gaussians to the profiles of the clusters; false: no branches fPos*, fSTD_*, projection*.
    #[serde(rename = "get_fitted_STD")]
    pub get_fitted_std: bool,
    /// Cluster the image in blocks of rows, cut where nothing is selected.
    pub split_image_in_rows: bool,
    /// Smallest number of rows of a block.
    pub min_length: usize,
    /// Quiet rows required after a cut.
    pub consecutive_ones: usize,
    /// A row is quiet if no selected pixel exceeds this charge, in units of the image.
    pub qmax_to_split_in_rows: f64,
    /// Columns ignored when quiet rows are searched: indices and [first, last].
    pub hot_cols_tosplit: PerAmplifier<IndexList>,
    /// [true, CSV file]: σ (e-) of block i is row i of the column `resolution`, instead of that of `spr_threshold`.
    pub ismoskita: (bool, Option<String>),
}

impl Default for ClusterFinder {
    fn default() -> Self {
        Self {
            spr_threshold: PerAmplifier::All(Threshold(None, 3.0, 4.0)),
            absolute_threshold: None,
            absolute_threshold_unit: ChargeUnit::Adu,
            spr_image: "mean_compressed_pedestal_subtracted_e".into(),
            spr_sigma_mean: true,
            apply_mask: true,
            skip_rows: PerAmplifier::default(),
            skip_cols: PerAmplifier::default(),
            method: 1,
            max_nearest_neighbor: 2,
            only_cls_seed: false,
            get_fitted_std: true,
            split_image_in_rows: false,
            min_length: 500,
            consecutive_ones: 10,
            qmax_to_split_in_rows: 2.5,
            hot_cols_tosplit: PerAmplifier::default(),
            ismoskita: (false, None),
        }
    }
}

/// Numbers of one amplifier, for the report.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    blocks: usize,
    selected: usize,
    components: usize,
    with_seed: usize,
}

impl SKImageProcess for ClusterFinder {
    fn execute(&self, raw: &mut RawData, context: &Context<'_>) -> Result<(), ProcessError> {
        let index = context.amplifier;
        let name = raw.resolve_image_name(&self.spr_image).to_owned();
        raw.image(&name)?;
        let cuts = self.cuts(raw, index)?;
        let accept = self.acceptance(raw, index);
        let sources = Sources::of(raw, &name, index);
        let (found, counts) = self.find(raw, index, &sources, &cuts, accept)?;
        self.report(raw, index, &cuts, &counts, found.len());

        let earlier = if index == 0 { None } else { raw.products.take::<ClusterTable>() };
        let mut table = earlier.unwrap_or_default();
        table.append(found);
        if index + 1 == raw.amplifiers.len() {
            self.complete(raw, &mut table, &sources.subtracted)?;
        }
        raw.products.set(table);
        Ok(())
    }

    fn check(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.method > 1 {
            problems
                .push(format!("`method` is {}; 0 (touching pixels) or 1 (single linkage) is expected", self.method));
        }
        if self.ismoskita.0 && self.ismoskita.1.is_none() {
            problems
                .push("`ismoskita` is [true, null]; the name of a CSV file is expected as its second item".to_owned());
        }
        problems
    }
}

/// The images of one amplifier that a cluster is made from.
struct Sources {
    /// Image in which clusters are searched.
    searched: String,
    /// Units of that image per electron: 1, or the gain.
    unit: f64,
    /// Pedestal-subtracted image, ADU.
    subtracted: String,
    /// Averaged image, ADU.
    averaged: String,
}

impl Sources {
    /// The ADU images are those of the compression from which the searched image was made, if it was the median or if
    /// there are none of the mean.
    fn of(raw: &RawData, searched: &str, amplifier: usize) -> Self {
        let base = match searched.split_once("_compressed") {
            Some((function, _)) if function == "median" || !raw.images.contains_key("mean_compressed") => {
                format!("{function}_compressed")
            }
            _ => "mean_compressed".to_owned(),
        };
        Self {
            searched: searched.to_owned(),
            unit: if searched.ends_with("_e") { 1.0 } else { threshold::gain_of(raw, amplifier) },
            subtracted: format!("{base}_pedestal_subtracted"),
            averaged: base,
        }
    }
}

/// The pixels of an amplifier that may be selected: its active region without rows and columns given by lists and,
/// if `apply_mask`, without those of `--mask`. List entries outside the image are reported and left out.
pub(super) fn acceptance(
    raw: &mut RawData,
    amplifier: usize,
    skip_rows: Option<&IndexList>,
    skip_cols: Option<&IndexList>,
) -> Acceptance<'static> {
    let (first, rows) = raw.row_block(amplifier);
    let cols = raw.cols;
    let skip_rows = super::indices(raw, skip_rows, "skip_rows", rows);
    Acceptance {
        region: raw.amplifiers[amplifier].active.clone(),
        skip_rows: skip_rows.into_iter().map(|row| first + row).collect(),
        skip_cols: super::indices(raw, skip_cols, "skip_cols", cols),
        mask: None,
    }
}

impl ClusterFinder {
    fn cuts(&self, raw: &RawData, index: usize) -> Result<Cuts, ProcessError> {
        let amplifier = &raw.amplifiers[index];
        if let Some(absolute) = &self.absolute_threshold {
            let key = "absolute_threshold";
            let charge = *absolute.get(amplifier).ok_or_else(|| ProcessError::no_value(key, raw, index))?;
            return threshold::absolute_cuts(
                charge,
                self.absolute_threshold_unit,
                raw,
                index,
                self.spr_sigma_mean,
                key,
            );
        }
        let key = "spr_threshold";
        let threshold = self.spr_threshold.get(amplifier).ok_or_else(|| ProcessError::no_value(key, raw, index))?;
        threshold::cuts(threshold, raw, index, self.spr_sigma_mean, key)
    }

    fn acceptance(&self, raw: &mut RawData, index: usize) -> Acceptance<'static> {
        let amplifier = raw.amplifiers[index].clone();
        acceptance(raw, index, self.skip_rows.get(&amplifier), self.skip_cols.get(&amplifier))
    }

    /// The clusters of one amplifier, with the observables that depend on the cluster alone.
    fn find(
        &self,
        raw: &mut RawData,
        index: usize,
        sources: &Sources,
        cuts: &Cuts,
        accept: Acceptance<'static>,
    ) -> Result<(ClusterTable, Counts), ProcessError> {
        let hot_cols = if self.split_image_in_rows { self.hot_cols(raw, index) } else { Vec::new() };
        if raw.clustering_mask.is_some() && !self.apply_mask && index == 0 {
            raw.report.warn(
                "`apply_mask` is false: the pixels of --mask are not left out, only their distances to the clusters are \
                 computed",
            );
        }
        let image = raw.image(&sources.searched)?;
        let mask = raw.clustering_mask.as_ref().filter(|_| self.apply_mask);
        if let Some(mask) = mask.filter(|mask| mask.dim() != image.dim()) {
            let (found, expected) = (mask.dim(), image.dim());
            return Err(ProcessError::Failed(format!(
                "the mask has {found:?} rows and columns, the image {expected:?}"
            )));
        }
        let accept = Acceptance { mask, ..accept };
        let unit = sources.unit;
        let block_rows = &raw.amplifiers[index].full.rows;

        let mut selected = selection::select(image, &accept, block_rows.clone(), cuts.pixel * unit);
        let splits = if self.split_image_in_rows { self.splits(&selected, block_rows, &hot_cols) } else { Vec::new() };
        let blocks = row_splitting::blocks(block_rows.len(), &splits);
        let blocks: Vec<Range<usize>> =
            blocks.into_iter().map(|b| block_rows.start + b.start..block_rows.start + b.end).collect();
        let cuts = self.cuts_of_blocks(cuts, blocks.len())?;
        if self.ismoskita.0 {
            let parts =
                blocks.iter().zip(&cuts).map(|(b, c)| selection::select(image, &accept, b.clone(), c.pixel * unit));
            selected = parts.fold(SelectedPixels::default(), SelectedPixels::joined);
        }

        // Looked up in raster order, which is the order in memory; grouped by cluster below.
        let values = |name: &str| match raw.images.get(name) {
            Some(image) => conditional::at_pixels(image, &selected.rows, &selected.cols),
            None => vec![f64::NAN; selected.len()],
        };
        let (subtracted, averaged) = (values(&sources.subtracted), values(&sources.averaged));
        let mut counts = Counts { blocks: blocks.len(), selected: selected.len(), ..Counts::default() };
        let mut table = ClusterTable::default();
        let mut block_of = Vec::new();
        let mut has_seed = Vec::new();
        for (number, (rows, cuts)) in blocks.iter().zip(&cuts).enumerate() {
            let pixels = selected.in_rows(rows);
            let reach = self.reach(image.dim());
            let components =
                linkage::components(&selected.rows[pixels.clone()], &selected.cols[pixels.clone()], &reach);
            counts.components += components.count;
            let groups = Groups::of(&components, &selected.values[pixels.clone()], cuts.seed * unit);
            counts.with_seed += groups.has_seed.iter().filter(|s| **s).count();
            for (cluster, &seeded) in groups.has_seed.iter().enumerate() {
                if self.only_cls_seed && !seeded {
                    continue;
                }
                for &i in groups.pixels(cluster) {
                    let i = pixels.start + i as usize;
                    let charge = selected.values[i] / unit;
                    table.rows.push(selected.rows[i]);
                    table.cols.push(selected.cols[i]);
                    table.energies.push(charge * EV_PER_ELECTRON / 1000.0);
                    table.significances.push(charge / cuts.sigma);
                    table.subtracted.push(subtracted[i]);
                    table.averaged.push(averaged[i]);
                }
                table.offsets.push(table.rows.len());
                block_of.push(number);
                has_seed.push(seeded);
            }
        }
        observables::evaluate(&mut table, index, self.get_fitted_std, |cluster| cuts[block_of[cluster]]);
        table.clusters.iter_mut().zip(has_seed).for_each(|(cluster, seeded)| cluster.has_seed = seeded);
        Ok((table, counts))
    }

    fn reach(&self, (rows, cols): (usize, usize)) -> Reach {
        let extent = u32::try_from(rows.max(cols)).unwrap_or(u32::MAX);
        match self.method {
            0 => Reach::eight_neighbours(),
            _ => Reach::within(self.max_nearest_neighbor, extent),
        }
    }

    fn hot_cols(&self, raw: &mut RawData, index: usize) -> Vec<usize> {
        let amplifier = raw.amplifiers[index].clone();
        let cols = raw.cols;
        super::indices(raw, self.hot_cols_tosplit.get(&amplifier), "hot_cols_tosplit", cols)
    }

    /// Rows after which the block of an amplifier is cut, counted from its first row.
    fn splits(&self, selected: &SelectedPixels, block_rows: &Range<usize>, hot_cols: &[usize]) -> Vec<usize> {
        let mut busy = vec![false; block_rows.len()];
        for i in 0..selected.len() {
            let hot = hot_cols.binary_search(&(selected.cols[i] as usize)).is_ok();
            if selected.values[i] > self.qmax_to_split_in_rows && !hot {
                busy[selected.rows[i] as usize - block_rows.start] = true;
            }
        }
        row_splitting::split_rows(&busy, self.min_length, self.consecutive_ones)
    }

    /// The cuts of each block: all the same, or with the noise of the table that `ismoskita` names.
    fn cuts_of_blocks(&self, cuts: &Cuts, blocks: usize) -> Result<Vec<Cuts>, ProcessError> {
        let (true, Some(path)) = (self.ismoskita.0, &self.ismoskita.1) else {
            return Ok(vec![*cuts; blocks]);
        };
        let noise = csv_column(path.as_ref(), RESOLUTION_COLUMN).map_err(|e| ProcessError::Input(e.to_string()))?;
        if noise.len() < blocks {
            return Err(ProcessError::Failed(format!(
                "{path} has {} values in column `{RESOLUTION_COLUMN}`; the image was cut into {blocks} blocks",
                noise.len()
            )));
        }
        if let Some((i, sigma)) =
            noise[..blocks].iter().enumerate().find(|(_, sigma)| !(sigma.is_finite() && **sigma > 0.0))
        {
            return Err(ProcessError::Failed(format!(
                "{path}: value {i} of column `{RESOLUTION_COLUMN}` is {sigma}; a positive noise in e- is expected"
            )));
        }
        Ok(noise[..blocks].iter().map(|&sigma| cuts.with_noise(sigma)).collect())
    }

    /// What needs the clusters of all amplifiers.
    fn complete(&self, raw: &mut RawData, table: &mut ClusterTable, subtracted: &str) -> Result<(), ProcessError> {
        find_closest(table);
        conditional::append_all(table, raw, subtracted).map_err(|e| ProcessError::Failed(e.to_string()))?;
        if let Some(hot) = raw.products.get::<HotRegions>() {
            hot.tag(table).map_err(|e| ProcessError::Failed(e.to_string()))?;
        }
        if raw.amplifiers.len() > 1 {
            let n = table.len();
            raw.report.result(format!("{n} clusters in {} amplifiers", raw.amplifiers.len()));
        }
        Ok(())
    }

    fn report(&self, raw: &mut RawData, index: usize, cuts: &Cuts, counts: &Counts, clusters: usize) {
        let amplifier = raw.amplifiers[index].name.clone();
        let report = &mut raw.report;
        let (n_min, n_seed) = cuts.multiples.unwrap_or((cuts.pixel / cuts.sigma, cuts.seed / cuts.sigma));
        for (name, value) in [("sigma_e", cuts.sigma), ("n_min", n_min), ("n_seed", n_seed)] {
            report.config_result(&format!("spr_threshold_{amplifier}_{name}"), ConfigResult::Double(value));
        }
        report.measure(Measurement::new("pixel_threshold", cuts.pixel, "e-"));
        report.measure(Measurement::new("seed_threshold", cuts.seed, "e-"));
        report.measure(Measurement::integer("selected_pixels", counts.selected as i64));
        report.measure(Measurement::integer("clusters", clusters as i64).headline("clusters"));
        let blocks = if counts.blocks > 1 { format!(" in {} blocks of rows", counts.blocks) } else { String::new() };
        report.result(format!(
            "amplifier {amplifier}: σ {:.4} e-, {} pixels at or above {:.4} e- (seeds {:.4} e-){blocks}: {} groups, {} with \
             a seed; {clusters} clusters",
            cuts.sigma, counts.selected, cuts.pixel, cuts.seed, counts.components, counts.with_seed
        ));
        if cuts.pixel <= 0.0 {
            report.warn(format!(
                "amplifier {amplifier}: the pixel cut of {} e- is not positive, so empty pixels are selected",
                cuts.pixel
            ));
        }
    }
}

/// Finds for each cluster with a seed the closest other one with a seed.
fn find_closest(table: &mut ClusterTable) {
    let seeded: Vec<usize> = (0..table.len()).filter(|&i| table.clusters[i].has_seed).collect();
    let points: Vec<closest::Point> =
        seeded.iter().map(|&i| (table.clusters[i].x.position, table.clusters[i].y.position)).collect();
    for (k, neighbour) in closest::closest_others(&points).into_iter().enumerate() {
        table.clusters[seeded[k]].closest = neighbour.map(|other| {
            let (dx, dy) = ((points[k].0 - points[other].0).abs(), (points[k].1 - points[other].1).abs());
            Closest { index: seeded[other], distance: dx.hypot(dy), dx, dy }
        });
    }
}

/// The pixels of components, grouped.
struct Groups {
    order: Vec<u32>,
    offsets: Vec<usize>,
    has_seed: Vec<bool>,
}

impl Groups {
    /// Groups pixels by label, keeping their order; `seed` is the smallest value of a seed.
    fn of(components: &Components, values: &[f64], seed: f64) -> Self {
        let mut offsets = vec![0; components.count + 1];
        let mut has_seed = vec![false; components.count];
        for (&label, &value) in components.labels.iter().zip(values) {
            offsets[label as usize + 1] += 1;
            has_seed[label as usize] |= value >= seed;
        }
        for i in 0..components.count {
            offsets[i + 1] += offsets[i];
        }
        let mut next = offsets.clone();
        let mut order = vec![0; values.len()];
        for (i, &label) in components.labels.iter().enumerate() {
            order[next[label as usize]] = i as u32;
            next[label as usize] += 1;
        }
        Self { order, offsets, has_seed }
    }

    fn pixels(&self, group: usize) -> &[u32] {
        &self.order[self.offsets[group]..self.offsets[group + 1]]
    }
}
