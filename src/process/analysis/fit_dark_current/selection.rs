//! The pixels that enter a dark-current fit (spec 03 §1.2).

use ndarray::Array2;

use crate::config::{IndexList, PairEnd, PerAmplifier};
use crate::image::{RawData, Region};
use crate::process::ProcessError;

/// Which pixels of an amplifier are fitted.
#[derive(Debug, Clone)]
pub struct PixelSelection {
    /// Candidates: active region, overscan columns, or everything the amplifier reads.
    pub region: Region,
    /// Excluded rows of the stored image.
    rows: Vec<bool>,
    /// Excluded columns of the stored image.
    cols: Vec<bool>,
    /// Excluded pixels, `[row, col]` of the stored image.
    mask: Option<Array2<bool>>,
}

/// What [`PixelSelection::new`] needs to know.
#[derive(Debug, Clone, Copy)]
pub struct SelectionRules<'a> {
    /// Overscan columns instead of the active region.
    pub in_overscan: bool,
    /// Leave out the pixels of the cluster mask.
    pub mask_clusters: bool,
    /// Rows left out, counted within the extension.
    pub rows_to_mask: &'a PerAmplifier<IndexList>,
    /// Columns left out, of the stored image.
    pub cols_to_mask: &'a PerAmplifier<IndexList>,
}

impl PixelSelection {
    /// The pixels of amplifier `index`. With an `outside_mask` (from a file) nothing but that mask and the listed rows and
    /// columns is applied.
    ///
    /// # Errors
    /// `mask_clusters` without a cluster mask.
    pub fn new(
        raw: &mut RawData,
        index: usize,
        rules: SelectionRules<'_>,
        outside_mask: Option<Array2<bool>>,
    ) -> Result<Self, ProcessError> {
        let amplifier = raw.amplifiers[index].clone();
        let from_file = outside_mask.is_some();
        let region = match (from_file, rules.in_overscan) {
            (true, _) => &amplifier.full,
            (false, true) => &amplifier.overscan,
            (false, false) => &amplifier.active,
        };
        let mask = if from_file {
            outside_mask
        } else if rules.mask_clusters && !rules.in_overscan {
            let clusters = raw.masks.get("mask_clusters").ok_or_else(|| ProcessError::NotRunBefore {
                needed: "ClusterFinder and BuildClusterMask",
                what: "the mask of the clusters, asked for by `mask_clusters`".into(),
            })?;
            Some(clusters.pixels.clone())
        } else {
            None
        };
        // Rows of the configuration count within the extension; a mask from a file is as large as the whole image.
        let (block, rows_of_block) = if from_file { (0, raw.rows) } else { raw.row_block(index) };
        let rows = listed(raw, index, rules.rows_to_mask, "rows_to_mask", block, rows_of_block, raw.rows);
        let cols = listed(raw, index, rules.cols_to_mask, "cols_to_mask", 0, raw.cols, raw.cols);
        Ok(Self { region: region.clone(), rows, cols, mask })
    }

    /// Whether a pixel enters the fit.
    pub fn selects(&self, row: usize, col: usize) -> bool {
        self.region.contains(row, col)
            && !self.rows[row]
            && !self.cols[col]
            && self.mask.as_ref().is_none_or(|mask| !mask[[row, col]])
    }

    /// Finite values of the selected pixels, in raster order.
    pub fn values(&self, image: &Array2<f64>) -> Vec<f64> {
        self.values_of_rows(image, self.region.rows.clone())
    }

    /// Finite values of the selected pixels in these rows, in raster order.
    pub fn values_of_rows(&self, image: &Array2<f64>, rows: std::ops::Range<usize>) -> Vec<f64> {
        let rows = rows.start.max(self.region.rows.start)..rows.end.min(self.region.rows.end);
        let mut values = Vec::with_capacity(rows.len() * self.region.cols.len());
        for row in rows.filter(|&r| !self.rows[r]) {
            for col in self.region.cols.clone().filter(|&c| !self.cols[c]) {
                if self.mask.as_ref().is_none_or(|mask| !mask[[row, col]]) && image[[row, col]].is_finite() {
                    values.push(image[[row, col]]);
                }
            }
        }
        values
    }

    /// The same pixels without the mask of the clusters, to compare with.
    pub fn without_mask(&self) -> Self {
        Self { mask: None, ..self.clone() }
    }

    /// Whether a mask of pixels is applied.
    pub fn is_masked(&self) -> bool {
        self.mask.is_some()
    }
}

/// Flags of the listed indices, shifted by `offset`, in a vector of `total` lines.
fn listed(
    raw: &mut RawData,
    index: usize,
    list: &PerAmplifier<IndexList>,
    key: &str,
    offset: usize,
    length: usize,
    total: usize,
) -> Vec<bool> {
    let mut flags = vec![false; total];
    let Some(list) = list.get(&raw.amplifiers[index]) else { return flags };
    let (indices, outside) = list.indices(length, PairEnd::Excluded);
    if outside > 0 {
        raw.report
            .warn(format!("`{key}`: {outside} entries lie outside 0…{} and are ignored", length.saturating_sub(1)));
    }
    indices.into_iter().for_each(|i| flags[i + offset] = true);
    flags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::raw_data::Mask;

    fn raw() -> RawData {
        let mut raw = RawData::from_image("x", Array2::from_shape_fn((4, 5), |(r, c)| (10 * r + c) as f64));
        raw.amplifiers[0].overscan = Region::new(0..4, 4..5);
        raw.amplifiers[0].active = Region::new(0..4, 0..4);
        raw
    }

    fn list(json: &str) -> PerAmplifier<IndexList> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn rows_columns_regions_and_masks_are_left_out() {
        let mut raw = raw();
        let (rows, cols) = (list("[[0,2]]"), list("{\"EXT0\": [3]}"));
        let mut rules =
            SelectionRules { in_overscan: false, mask_clusters: false, rows_to_mask: &rows, cols_to_mask: &cols };
        let select = |raw: &mut RawData, rules, mask| PixelSelection::new(raw, 0, rules, mask);
        let image = raw.images["x"].clone();
        assert_eq!(select(&mut raw, rules, None).unwrap().values(&image), [20.0, 21.0, 22.0, 30.0, 31.0, 32.0]);
        rules.in_overscan = true;
        assert_eq!(select(&mut raw, rules, None).unwrap().values(&image), [24.0, 34.0]);
        rules = SelectionRules { in_overscan: false, mask_clusters: true, ..rules };
        assert!(select(&mut raw, rules, None).is_err());
        let mut pixels = Array2::from_elem((4, 5), false);
        pixels[[2, 0]] = true;
        raw.masks.insert("mask_clusters".into(), Mask { pixels: pixels.clone(), extname: None });
        assert_eq!(select(&mut raw, rules, None).unwrap().values(&image), [21.0, 22.0, 30.0, 31.0, 32.0]);
        rules.mask_clusters = false;
        let from_file = select(&mut raw, rules, Some(pixels)).unwrap();
        assert_eq!(from_file.values(&image), [21.0, 22.0, 24.0, 30.0, 31.0, 32.0, 34.0], "no active-region cut");
    }

    #[test]
    fn rows_of_a_stacked_extension_count_within_it() {
        let mut raw = raw();
        raw.stacked = true;
        let whole = raw.amplifiers[0].clone();
        let mut second = whole.clone();
        second.full = Region::new(2..4, 0..5);
        second.active = Region::new(2..4, 0..2);
        raw.amplifiers = vec![whole, second];
        let (rows, cols) = (list("[0]"), list("[]"));
        let rules =
            SelectionRules { in_overscan: false, mask_clusters: false, rows_to_mask: &rows, cols_to_mask: &cols };
        let image = raw.images["x"].clone();
        assert_eq!(PixelSelection::new(&mut raw, 1, rules, None).unwrap().values(&image), [30.0, 31.0]);
    }
}
