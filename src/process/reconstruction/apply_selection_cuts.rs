//! ApplySelectionCuts: tags clusters that touch listed rows or columns (spec 05 §5).
//!
//! Nothing is removed: each cluster gets `hotreg` = 1 if one of its pixels lies in a listed row or column of its
//! amplifier, and `excluded` = 1 if `hotreg` or if it has no seed. Before ClusterFinder in the sequence the lists are left
//! for it, after it the clusters are tagged at once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cluster_table::{ClusterTable, Column, ColumnLength};
use crate::config::{IndexList, PerAmplifier};
use crate::image::RawData;
use crate::process::{Context, Measurement, ProcessError, SKImageProcess};

/// Parameters of ApplySelectionCuts.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ApplySelectionCuts {
    /// Columns whose clusters are tagged: indices and [first, last].
    pub cols: PerAmplifier<IndexList>,
    /// Rows whose clusters are tagged: indices and [first, last]; with stacked extensions counted within the extension.
    pub rows: PerAmplifier<IndexList>,
}

/// Rows and columns whose clusters are to be tagged, left for ClusterFinder.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HotRegions {
    /// Per amplifier, in the order of `RawData::amplifiers`: rows and columns of the image, sorted.
    per_amplifier: Vec<(Vec<usize>, Vec<usize>)>,
}

impl HotRegions {
    /// Appends the columns `hotreg` and `excluded`.
    pub fn tag(&self, table: &mut ClusterTable) -> Result<(), ColumnLength> {
        let listed = |list: &[usize], i: usize| list.binary_search(&i).is_ok();
        let hot: Vec<bool> = (0..table.len())
            .map(|cluster| {
                self.per_amplifier.get(table.clusters[cluster].amplifier).is_some_and(|(rows, cols)| {
                    table.coordinates(cluster).any(|(row, col)| listed(rows, row) || listed(cols, col))
                })
            })
            .collect();
        let excluded = hot.iter().zip(&table.clusters).map(|(&hot, c)| i32::from(hot || !c.has_seed)).collect();
        table.set_column("hotreg", Column::Int(hot.into_iter().map(i32::from).collect()))?;
        table.set_column("excluded", Column::Int(excluded))
    }
}

impl SKImageProcess for ApplySelectionCuts {
    fn execute(&self, raw: &mut RawData, _context: &Context<'_>) -> Result<(), ProcessError> {
        let mut hot = HotRegions::default();
        for index in 0..raw.amplifiers.len() {
            let amplifier = raw.amplifiers[index].clone();
            let (first, rows) = raw.row_block(index);
            let cols = raw.cols;
            let rows = super::indices(raw, self.rows.get(&amplifier), "rows", rows);
            let cols = super::indices(raw, self.cols.get(&amplifier), "cols", cols);
            hot.per_amplifier.push((rows.into_iter().map(|row| first + row).collect(), cols));
        }
        if let Some(mut table) = raw.products.take::<ClusterTable>() {
            hot.tag(&mut table).map_err(|e| ProcessError::Failed(e.to_string()))?;
            if let Some(Column::Int(tagged)) = table.column("hotreg") {
                let count = tagged.iter().filter(|t| **t == 1).count();
                raw.report.measure(Measurement::integer("clusters_in_hot_regions", count as i64));
                raw.report.result(format!("{count} of {} clusters touch listed rows or columns", table.len()));
            }
            raw.products.set(table);
        }
        raw.products.set(hot);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use serde_json::json;

    use super::*;
    use crate::image::{Amplifier, Region, Side};
    use crate::process::reconstruction::test_images::{self, run};

    /// Four clusters in a left and a right half: at columns 2 (with a seed), 6 (without), 12 and 17 (with).
    fn image() -> RawData {
        let mut pixels = Array2::zeros((6, 20));
        for (row, col, charge) in [(1, 2, 9.0), (1, 3, 4.0), (4, 6, 3.5), (1, 12, 9.0), (4, 17, 9.0)] {
            pixels[[row, col]] = charge;
        }
        let amplifier = Amplifier::whole_image("EXT0", 0, 6, 20);
        let mut raw = test_images::calibrated("mean_compressed", pixels, &[0.0; 6], &[1.0; 6], 1.0, amplifier);
        let half = |name: &str, side, cols: std::ops::Range<usize>| Amplifier {
            side,
            full: Region::new(0..6, cols.clone()),
            active: Region::new(0..6, cols),
            ..Amplifier::whole_image(name, 0, 6, 20)
        };
        raw.amplifiers = vec![half("U", Side::U, 10..20), half("L", Side::L, 0..10)];
        raw
    }

    fn tags(raw: &RawData) -> (Vec<i32>, Vec<i32>) {
        let table = raw.products.get::<ClusterTable>().unwrap();
        let column = |name: &str| match table.column(name) {
            Some(Column::Int(values)) => values.clone(),
            other => panic!("{other:?}"),
        };
        (column("hotreg"), column("excluded"))
    }

    const FINDER: &str = "ClusterFinder";
    const CUTS: &str = "ApplySelectionCuts";

    #[test]
    fn clusters_are_tagged_in_both_orders() {
        let finder = json!({"spr_threshold": [1.0, 3, 5]});
        for (cuts, hot, excluded) in [
            // The order of the clusters is U: 12, 17; L: 2, 6.
            (json!({"cols": [3]}), [0, 0, 1, 0], [0, 0, 1, 1]),
            (json!({"rows": [[4, 5]]}), [0, 1, 0, 1], [0, 1, 0, 1]),
            (json!({"rows": {"L": [4]}, "cols": {"U": [12, 3]}}), [1, 0, 0, 1], [1, 0, 0, 1]),
            (json!({}), [0, 0, 0, 0], [0, 0, 0, 1]),
        ] {
            let mut after = image();
            run(&mut after, FINDER, finder.clone()).unwrap();
            run(&mut after, CUTS, cuts.clone()).unwrap();
            let mut before = image();
            run(&mut before, CUTS, cuts.clone()).unwrap();
            run(&mut before, FINDER, finder.clone()).unwrap();
            assert_eq!(tags(&after), (hot.to_vec(), excluded.to_vec()), "{cuts}");
            assert_eq!(tags(&before), tags(&after), "{cuts}");
        }
    }

    #[test]
    fn without_the_process_there_are_no_tags() {
        let mut raw = image();
        run(&mut raw, FINDER, json!({"spr_threshold": [1.0, 3, 5]})).unwrap();
        assert_eq!(raw.products.get::<ClusterTable>().unwrap().columns().len(), 0);
    }

    #[test]
    fn rows_of_stacked_extensions_are_local() {
        let mut raw = image();
        raw.stacked = true;
        let block = |hdu: usize, rows: std::ops::Range<usize>| Amplifier {
            full: Region::new(rows.clone(), 0..20),
            active: Region::new(rows, 0..20),
            ..Amplifier::whole_image(&format!("EXT{hdu}"), hdu, 6, 20)
        };
        raw.amplifiers = vec![block(1, 0..3), block(2, 3..6)];
        run(&mut raw, FINDER, json!({"spr_threshold": [1.0, 3, 5]})).unwrap();
        // Clusters: columns 2 and 12 in row 1 of the first extension, 6 and 17 in row 1 of the second.
        run(&mut raw, CUTS, json!({"rows": {"EXT2": [1]}})).unwrap();
        assert_eq!(tags(&raw).0, [0, 0, 1, 1]);
    }
}
