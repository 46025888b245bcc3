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
