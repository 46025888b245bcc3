//! From calibrated images to clusters and masks.
//!
//! [`ClusterFinder`] makes the [`ClusterTable`]; [`BuildClusterMask`] turns clusters and hot rows and columns into masks,
//! [`ApplySelectionCuts`] tags clusters.

pub mod apply_selection_cuts;
pub mod build_cluster_mask;
pub mod cluster_finder;
pub mod cluster_table;
pub mod signal_pattern_recognition;
#[cfg(test)]
pub(crate) mod test_images;

pub use apply_selection_cuts::ApplySelectionCuts;
pub use build_cluster_mask::BuildClusterMask;
pub use cluster_finder::ClusterFinder;
pub use cluster_table::ClusterTable;
pub use signal_pattern_recognition::SignalPatternRecognition;

use crate::config::{IndexList, PairEnd};
use crate::image::RawData;

/// Mean energy deposited in silicon per electron of charge, eV (spec 01 §4.13).
pub const EV_PER_ELECTRON: f64 = 3.74;

/// The indices of a list (none if there is no list for this amplifier), sorted; entries outside `0..length` are reported
/// and left out.
fn indices(raw: &mut RawData, list: Option<&IndexList>, key: &str, length: usize) -> Vec<usize> {
    let Some(list) = list else { return Vec::new() };
    let (indices, outside) = list.indices(length, PairEnd::Included);
    if outside > 0 {
        let last = length.saturating_sub(1);
        raw.report.warn(format!("`{key}`: {outside} entries lie outside 0…{last} and are left out"));
    }
    indices
}
