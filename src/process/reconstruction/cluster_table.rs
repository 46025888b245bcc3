//! The clusters of an image and their observables: the product of ClusterFinder.
//!
//! Pixels of all clusters lie in flat vectors, cut by [`ClusterTable::offsets`]; observables with one value per cluster
//! are in [`Cluster`]. Later processes append quantities of their own as named [`Column`]s; each becomes a branch of the
//! tree `clustersRec`.

use std::ops::Range;

use indexmap::IndexMap;

/// Observables of a cluster along one axis (x: columns, y: rows), in pixels, 1-based as in the ROOT tree (spec 05 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Projected {
    /// Smallest coordinate.
    pub min: u32,
    /// Largest coordinate.
    pub max: u32,
    /// Unweighted mean coordinate.
    pub mean: f64,
    /// Barycentre ΣE·v / ΣE.
    pub position: f64,
    /// (1/n)·Σv², neither centred nor rooted; px².
    pub mean_square: f64,
    /// Standard deviation, every pixel with weight 1.
    pub std: f64,
    /// Standard deviation weighted with the energy.
    pub weighted_std: f64,
    /// Mean of the Gaussian fitted to the profile; NaN without fit.
    pub fitted_position: f64,
    /// Standard deviation of that Gaussian; NaN without fit.
    pub fitted_std: f64,
}

impl Projected {
    /// Pixels from the first to the last, both included (`DX`, `DY`).
    pub fn extent(&self) -> u32 {
        self.max - self.min + 1
    }
}

/// The closest other cluster with a seed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Closest {
    /// Its position in the table; its `cluster_id` is one more.
    pub index: usize,
    /// Distance between the barycentres, px.
    pub distance: f64,
    /// |ΔPosX|, px.
    pub dx: f64,
    /// |ΔPosY|, px.
    pub dy: f64,
}

/// Observables of one cluster that are a single number.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cluster {
    /// Index of its amplifier in `RawData::amplifiers`.
    pub amplifier: usize,
    /// Along the columns.
    pub x: Projected,
    /// Along the rows.
    pub y: Projected,
    /// Sum of the pixel energies, keV.
    pub energy: f64,
    /// Sum of the same pixels in the pedestal-subtracted image, ADU.
    pub energy_subtracted: f64,
    /// Sum of the same pixels in the averaged image, ADU.
    pub energy_averaged: f64,
    /// Largest pixel energy, keV.
    pub qmax: f64,
    /// Position among the pixels of the cluster of the first one that has it.
    pub qmax_pixel: usize,
    /// Whether one of its pixels is a seed.
    pub has_seed: bool,
    /// Noise of a pixel where it was found, eV.
    pub sigma_ev: f64,
    /// Energy of a seed pixel, keV.
    pub seed_kev: f64,
    /// Smallest pixel energy in units of the noise.
    pub significance_min: f64,
    /// Largest pixel energy in units of the noise.
    pub significance_max: f64,
    /// Closest other cluster, for clusters with a seed.
    pub closest: Option<Closest>,
}

impl Cluster {
    /// sqrt(std_x² + std_y²), px.
    pub fn std_xy(&self) -> f64 {
        self.x.std.hypot(self.y.std)
    }

    /// sqrt((weighted std_x² + weighted std_y²)/2), px: with the ½ that [`std_xy`](Self::std_xy) lacks.
    pub fn weighted_std_xy(&self) -> f64 {
        ((self.x.weighted_std.powi(2) + self.y.weighted_std.powi(2)) / 2.0).sqrt()
    }
}

/// Lists of different lengths in one vector: list `i` is `values[offsets[i]..offsets[i + 1]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Lists<T> {
    /// All elements.
    pub values: Vec<T>,
    /// One more than there are lists; the first is 0.
    pub offsets: Vec<usize>,
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self { values: Vec::new(), offsets: vec![0] }
    }
}

impl<T> Lists<T> {
    /// List number `i`.
    pub fn get(&self, i: usize) -> &[T] {
        &self.values[self.offsets[i]..self.offsets[i + 1]]
    }

    /// Number of lists.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends a list.
    pub fn push(&mut self, list: impl IntoIterator<Item = T>) {
        self.values.extend(list);
        self.offsets.push(self.values.len());
    }
}

impl<T, L: IntoIterator<Item = T>> FromIterator<L> for Lists<T> {
    fn from_iter<I: IntoIterator<Item = L>>(lists: I) -> Self {
        let mut all = Self::default();
        lists.into_iter().for_each(|list| all.push(list));
        all
    }
}

/// A quantity appended to all clusters.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// An integer per cluster: branch `vector<int>`.
    Int(Vec<i32>),
    /// A real number per cluster: branch `vector<float>`.
    Float(Vec<f32>),
    /// An integer per pixel, in the order of the table's pixels: branch `vector<vector<int>>`.
    PixelInt(Vec<i32>),
    /// A real number per pixel: branch `vector<vector<float>>`.
    PixelFloat(Vec<f32>),
    /// A list of integers per cluster: branch `vector<vector<int>>`.
    IntList(Lists<i32>),
    /// A list of real numbers per cluster: branch `vector<vector<float>>`.
    FloatList(Lists<f32>),
}

/// A column does not fit the table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column `{name}` has {found} elements; the table has {expected} {of}")]
pub struct ColumnLength {
    /// Name of the column.
    pub name: String,
    /// Elements given.
    pub found: usize,
    /// Elements needed.
    pub expected: usize,
    /// `clusters` or `pixels`.
    pub of: &'static str,
}

/// Profiles of the clusters along both axes: contents Σ E/Qmax of unit bins from min − 1 to max + 1 (spec 05 §3.3).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Profiles {
    /// Along x; list `i` belongs to cluster `i` and has `DX` + 2 bins.
    pub x: Lists<f64>,
    /// Along y; `DY` + 2 bins.
    pub y: Lists<f64>,
}

/// All clusters of an image, in the order of their ids: amplifier by amplifier, within one in raster order of their
/// first pixels. The id of a cluster is its position plus 1.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterTable {
    /// Observables, one element per cluster.
    pub clusters: Vec<Cluster>,
    /// The pixels of cluster `i` are number `offsets[i]` to `offsets[i + 1]` (excluded) of the vectors below.
    pub offsets: Vec<usize>,
    /// Rows of the pixels, from 0.
    pub rows: Vec<u32>,
    /// Columns of the pixels, from 0.
    pub cols: Vec<u32>,
    /// Energies of the pixels, keV.
    pub energies: Vec<f64>,
    /// Energies of the pixels in units of the noise.
    pub significances: Vec<f64>,
    /// The pixels in the pedestal-subtracted image, ADU; NaN if there is none.
    pub subtracted: Vec<f64>,
    /// The pixels in the averaged image, ADU; NaN if there is none.
    pub averaged: Vec<f64>,
    /// Profiles, if they were asked for.
    pub profiles: Option<Profiles>,
    /// Quantities that depend on the input or come from later processes.
    columns: IndexMap<String, Column>,
}

impl Default for ClusterTable {
    fn default() -> Self {
        Self {
            clusters: Vec::new(),
            offsets: vec![0],
            rows: Vec::new(),
            cols: Vec::new(),
            energies: Vec::new(),
            significances: Vec::new(),
            subtracted: Vec::new(),
            averaged: Vec::new(),
            profiles: None,
            columns: IndexMap::new(),
        }
    }
}

impl ClusterTable {
    /// Number of clusters.
    pub fn len(&self) -> usize {
        self.clusters.len()
    }

    /// Whether there are no clusters.
    pub fn is_empty(&self) -> bool {
        self.clusters.is_empty()
    }

    /// Number of pixels of all clusters.
    pub fn pixel_count(&self) -> usize {
        self.rows.len()
    }

    /// Positions of the pixels of a cluster in the pixel vectors.
    pub fn pixels(&self, cluster: usize) -> Range<usize> {
        self.offsets[cluster]..self.offsets[cluster + 1]
    }

    /// Row and column (from 0) of the pixels of a cluster, in raster order.
    pub fn coordinates(&self, cluster: usize) -> impl ExactSizeIterator<Item = (usize, usize)> + '_ {
        self.pixels(cluster).map(|i| (self.rows[i] as usize, self.cols[i] as usize))
    }

    /// The sum over the pixels of each cluster of a quantity given per pixel.
    pub fn sums(&self, per_pixel: &[f64]) -> Vec<f64> {
        (0..self.len()).map(|i| per_pixel[self.pixels(i)].iter().sum()).collect()
    }

    /// Appends a quantity, replacing one of the same name.
    ///
    /// # Errors
    /// If it has not one element per cluster (or pixel).
    pub fn set_column(&mut self, name: &str, column: Column) -> Result<(), ColumnLength> {
        let (found, expected, of) = match &column {
            Column::Int(v) => (v.len(), self.len(), "clusters"),
            Column::Float(v) => (v.len(), self.len(), "clusters"),
            Column::IntList(v) => (v.len(), self.len(), "clusters"),
            Column::FloatList(v) => (v.len(), self.len(), "clusters"),
            Column::PixelInt(v) => (v.len(), self.pixel_count(), "pixels"),
            Column::PixelFloat(v) => (v.len(), self.pixel_count(), "pixels"),
        };
        if found != expected {
            return Err(ColumnLength { name: name.to_owned(), found, expected, of });
        }
        self.columns.insert(name.to_owned(), column);
        Ok(())
    }

    /// The appended quantities, by branch name.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = (&str, &Column)> {
        self.columns.iter().map(|(name, column)| (name.as_str(), column))
    }

    /// An appended quantity.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.get(name)
    }

    /// Appends the clusters of another amplifier. Appended columns must not exist yet: they are made for all clusters
    /// at once.
    pub(crate) fn append(&mut self, mut other: Self) {
        if self.is_empty() && (self.profiles.is_none() || other.profiles.is_some()) {
            *self = other;
            return;
        }
        let (shift, other_len) = (self.rows.len(), other.clusters.len());
        self.clusters.append(&mut other.clusters);
        self.offsets.extend(other.offsets[1..].iter().map(|o| o + shift));
        self.rows.append(&mut other.rows);
        self.cols.append(&mut other.cols);
        self.energies.append(&mut other.energies);
        self.significances.append(&mut other.significances);
        self.subtracted.append(&mut other.subtracted);
        self.averaged.append(&mut other.averaged);
        // Clusters without profiles get empty ones, if any others have them.
        let (mine, theirs) = (self.clusters.len() - other_len, other_len);
        if self.profiles.is_some() || other.profiles.is_some() {
            let all = self.profiles.get_or_insert_with(|| Profiles::empty(mine));
            all.append(other.profiles.unwrap_or_else(|| Profiles::empty(theirs)));
        }
    }
}

impl Profiles {
    /// Profiles without bins, for `n` clusters.
    fn empty(n: usize) -> Self {
        let empty = || Lists { values: Vec::new(), offsets: vec![0; n + 1] };
        Self { x: empty(), y: empty() }
    }

    /// Appends the profiles of other clusters.
    pub(super) fn append(&mut self, other: Self) {
        for (all, mut more) in [(&mut self.x, other.x), (&mut self.y, other.y)] {
            let shift = all.values.len();
            all.values.append(&mut more.values);
            all.offsets.extend(more.offsets[1..].iter().map(|o| o + shift));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_clusters() -> ClusterTable {
        ClusterTable {
            clusters: vec![Cluster::default(); 2],
            offsets: vec![0, 1, 3],
            rows: vec![0, 4, 5],
            cols: vec![0, 4, 4],
            energies: vec![1.0, 2.0, 4.0],
            ..ClusterTable::default()
        }
    }

    #[test]
    fn columns_have_one_element_per_cluster_or_pixel() {
        let mut table = two_clusters();
        assert!(table.set_column("hotreg", Column::Int(vec![0, 1])).is_ok());
        assert!(table.set_column("p", Column::PixelInt(vec![0, 1, 2])).is_ok());
        assert!(table.set_column("l", Column::IntList([vec![], vec![1, 2, 3]].into_iter().collect())).is_ok());
        let error = table.set_column("bad", Column::PixelFloat(vec![0.0; 2])).unwrap_err();
        assert_eq!(error.to_string(), "column `bad` has 2 elements; the table has 3 pixels");
        assert_eq!(table.columns().map(|(name, _)| name).collect::<Vec<_>>(), ["hotreg", "p", "l"]);
    }

    #[test]
    fn appending_keeps_every_cluster_with_its_pixels() {
        let mut table = two_clusters();
        table.append(two_clusters());
        assert_eq!(table.offsets, [0, 1, 3, 4, 6]);
        assert_eq!(table.sums(&table.energies), [1.0, 6.0, 1.0, 6.0]);
        assert_eq!(table.coordinates(3).collect::<Vec<_>>(), [(4, 4), (5, 4)]);
    }
}
