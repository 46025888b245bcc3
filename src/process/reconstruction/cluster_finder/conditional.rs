//! Observables that exist only for some inputs or chains: other versions of the image, `--mask`, `--MCT`, `PPCOL`
//! (spec 05 §3.5).

use ndarray::Array2;
use rayon::prelude::*;

use super::mask_distance::mask_distances;
use crate::image::RawData;
use crate::image::raw_data::Truth;
use crate::process::reconstruction::cluster_table::{ClusterTable, Column, ColumnLength};

/// Branches hold the header keyword `PPCOL` times this.
pub const PPCOL_SCALE: f64 = 1e34;

/// Pixels looked up by one task, at least.
const PIXELS_PER_TASK: usize = 4096;

/// Values of an image at the pixels of all clusters; NaN where the image has no such pixel.
pub fn at_pixels(image: &Array2<f64>, rows: &[u32], cols: &[u32]) -> Vec<f64> {
    let value = |(&row, &col): (&u32, &u32)| image.get([row as usize, col as usize]).copied().unwrap_or(f64::NAN);
    rows.par_iter().zip(cols).with_min_len(PIXELS_PER_TASK).map(value).collect()
}

/// Appends everything that this image allows. `subtracted` is the name of its pedestal-subtracted image.
pub fn append_all(table: &mut ClusterTable, raw: &RawData, subtracted: &str) -> Result<(), ColumnLength> {
    // The names by which older macros know the two corrections.
    for (ending, branch) in [("correct_cols", "ECTS"), ("correlated", "ROT")] {
        if let Some(image) = raw.images.get(&format!("{subtracted}_{ending}")) {
            let values = at_pixels(image, &table.rows, &table.cols);
            append_pixels(table, branch, &values)?;
        }
    }
    if let Some(mask) = &raw.clustering_mask {
        let (min, max) = mask_distances(mask.view(), table);
        table.set_column("dist_mask_min", Column::Float(narrow(&min)))?;
        table.set_column("dist_mask_max", Column::Float(narrow(&max)))?;
    }
    if let Some(ppcol) = raw.header.number("PPCOL") {
        table.set_column("ppcol", Column::Float(vec![(ppcol * PPCOL_SCALE) as f32; table.len()]))?;
    }
    if let Some(truth) = &raw.truth {
        append_truth(table, truth)?;
    }
    Ok(())
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&v| v as f32).collect()
}

/// Appends `pixels_E_<name>` and their sum `Energy_<name>`.
fn append_pixels(table: &mut ClusterTable, name: &str, values: &[f64]) -> Result<(), ColumnLength> {
    let sums = narrow(&table.sums(values));
    table.set_column(&format!("pixels_E_{name}"), Column::PixelFloat(narrow(values)))?;
    table.set_column(&format!("Energy_{name}"), Column::Float(sums))
}

/// Appends the true energies (eV in the image, keV in the table) and true clusters of the pixels.
///
/// `MCT_pileup_Ncls` counts the true clusters that deposited energy in the cluster: the id of a pixel without true
/// energy says nothing.
fn append_truth(table: &mut ClusterTable, truth: &Truth) -> Result<(), ColumnLength> {
    let energies: Vec<f64> = at_pixels(&truth.energy, &table.rows, &table.cols).iter().map(|e| e / 1000.0).collect();
    let ids: Vec<i32> = at_pixels(&truth.cluster, &table.rows, &table.cols).iter().map(|&id| id as i32).collect();
    let (mut hit, mut clusters) = (Vec::new(), Vec::new());
    for i in 0..table.len() {
        let range = table.pixels(i);
        let mut own: Vec<i32> = range.clone().filter(|&p| energies[p] > 0.0).map(|p| ids[p]).collect();
        hit.push(own.len() as i32);
        own.sort_unstable();
        own.dedup();
        clusters.push(own.len() as i32);
    }
    append_pixels(table, "MCT", &energies)?;
    table.set_column("Npix_MCT", Column::Int(hit))?;
    table.set_column("pixels_MCT_cls_id", Column::PixelInt(ids))?;
    table.set_column("MCT_pileup", Column::Int(clusters.iter().map(|&n| i32::from(n > 1)).collect()))?;
    table.set_column("MCT_pileup_Ncls", Column::Int(clusters))
}
