//! ClusterFinder on simulated hits: neighbouring pixels make clusters (spec 07 §4.9).
//!
//! Neighbourhood and observables are those of the ClusterFinder of images (spec 05 §§2.3, 3.1).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::assemble::assemble;
use crate::process::digitize::{Ccd, DigitizeProcess, HitCollection, Recorded, ResponseContext, ResponseError};
use crate::process::reconstruction::ClusterTable;
use crate::process::reconstruction::cluster_finder::linkage::{Reach, components};
use crate::process::reconstruction::cluster_finder::observables;
use crate::process::reconstruction::cluster_finder::threshold::Cuts;

/// Parameters of ClusterFinder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterFinder {
    /// 0: pixels that touch by a side or a corner belong together; 1: pixels at most √2·`max_nearest_neighbor` apart.
    pub method: u8,
    /// Reach of method 1, pixels.
    pub max_nearest_neighbor: u32,
    /// Pixels must be above this charge, e⁻; null: the threshold of SignalPatternRecognition, if it is active.
    pub spr_threshold: Option<f64>,
}

impl Default for ClusterFinder {
    fn default() -> Self {
        Self { method: 1, max_nearest_neighbor: 2, spr_threshold: None }
    }
}

impl DigitizeProcess for ClusterFinder {
    fn name(&self) -> &'static str {
        "ClusterFinder"
    }

    fn sequence_id(&self) -> u32 {
        500
    }

    fn check(&self, _: &Ccd) -> Vec<String> {
        let mut problems = Vec::new();
        if self.method > 1 {
            problems.push(format!("`method` = {} must be 0 or 1", self.method));
        }
        if self.max_nearest_neighbor == 0 {
            problems.push("`max_nearest_neighbor` = 0 must be at least 1".into());
        }
        if self.spr_threshold.is_some_and(|t| !t.is_finite()) {
            problems.push("`spr_threshold` must be a number".into());
        }
        problems
    }

    fn execute(&self, hits: &mut HitCollection, context: &ResponseContext<'_>) -> Result<(), ResponseError> {
        assemble(hits, context);
        let rows: Vec<u32> = hits.pixels.iter().map(|p| p.row).collect();
        let cols: Vec<u32> = hits.pixels.iter().map(|p| p.col).collect();
        let largest = context.ccd.rows.max(context.ccd.cols).min(u32::MAX as usize) as u32;
        let reach = if self.method == 0 {
            Reach::eight_neighbours()
        } else {
            Reach::within(self.max_nearest_neighbor, largest)
        };
        let found = components(&rows, &cols, &reach);
        let mut order: Vec<usize> = (0..hits.pixels.len()).collect();
        order.sort_by_key(|&i| found.labels[i]);
        let n = order.len();
        let pixels = || order.iter().map(|&i| &hits.pixels[i]);
        let mut table = ClusterTable::default();
        table.rows.extend(pixels().map(|p| p.row));
        table.cols.extend(pixels().map(|p| p.col));
        table.energies.extend(pixels().map(|p| p.energy / 1e3));
        table.significances.resize(n, 0.0);
        table.subtracted.resize(n, f64::NAN);
        table.averaged.resize(n, f64::NAN);
        for label in 0..found.count as u32 {
            table.offsets.push(order.partition_point(|&i| found.labels[i] <= label));
        }
        observables::evaluate(&mut table, 0, false, |_| Cuts::multiples(0.0, 0.0, 0.0));
        hits.clusters = Some(table);
        hits.cluster_pixels = order;
        Ok(())
    }

    fn recorded(&self) -> Vec<(&'static str, Recorded)> {
        let mut values = vec![
            ("method", usize::from(self.method).into()),
            ("max_nearest_neighbor", Recorded::Int(i64::from(self.max_nearest_neighbor))),
        ];
        values.extend(self.spr_threshold.map(|t| ("spr_threshold", t.into())));
        values
    }
}
