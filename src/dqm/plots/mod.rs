//! Plots of the monitor elements (spec 06 §5.4): figures as functions of the summary, and of the images for pictures.
//!
//! [`run::of_run`] makes all plots of a run from its [`Summary`](super::model::Summary) alone (the pixel mask from the
//! counts in it), so reports and merged runs draw the same. [`image::of_image`] makes the plots of one image.

pub mod image;
pub mod run;
mod run_histogram;
mod run_scatter;
pub mod style;

use std::path::Path;

use crate::atomic_file;
use crate::plot::{self, Figure, Format};

/// Writes a figure as PNG, atomically.
///
/// # Errors
/// A sentence with the path.
pub fn write_png(figure: &Figure, path: &Path) -> Result<(), String> {
    let bytes = plot::render(figure, Format::Png).map_err(|e| format!("{}: {e}", path.display()))?;
    atomic_file::write(path, &bytes).map_err(|e| format!("{}: {e}", path.display()))
}

/// The standard size: 2000 × 1000 pixels, 10 × 5 inches.
fn wide(name: &str) -> Figure {
    Figure::new(name).pixels(2000, 1000, 200.0)
}

/// The size of plots of one image and amplifier: 800 × 600 pixels.
fn small(name: &str) -> Figure {
    Figure::new(name).pixels(800, 600, 120.0)
}
