//! Reports of a run: a page for the browser, a PDF, and an index over all runs (spec 06 §14).
//!
//! All are made from the [`Summary`] and the PNG files beside it, so they can be made again at any time, also after a
//! merge. A plot that is missing is a sentence in its place.

pub mod escape;
mod groups;
pub mod html;
pub mod index;
mod listener;
mod pdf;
mod pictures;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use super::model::{Flag, Summary, padded};
use crate::plot::RenderError;

pub use listener::ReportListener;
pub use pdf::write_run as write_pdf;
pub use pictures::{Pictures, Wanted};

/// Largest run whose page holds the plots of single images; larger ones link to them (spec 06 §14).
pub const EMBEDDED_IMAGES: usize = 50;
/// Largest run whose PDF holds the plots of single images.
pub const PRINTED_IMAGES: usize = 20;

/// Why a report cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The file cannot be written.
    #[error("{}: the report cannot be written: {source}", path.display())]
    Write {
        /// File.
        path: PathBuf,
        /// Reason.
        source: io::Error,
    },
    /// It cannot be laid out.
    #[error("{}: the report cannot be laid out: {source}", path.display())]
    Layout {
        /// File.
        path: PathBuf,
        /// Reason.
        source: RenderError,
    },
}

/// File name of the page of a run, in its directory, and of the index in the output directory.
pub const PAGE: &str = "index.html";

/// Path of the PDF report, relative to the directory of the run.
pub fn pdf_path(run: i64) -> String {
    format!("me/report/me_report_run{}.pdf", padded(run))
}

/// Writes the page of a run into its directory and, if wanted, the PDF.
///
/// # Errors
/// A file cannot be written.
pub fn write_run(summary: &Summary, directory: &Path, with_pdf: bool) -> Result<(), ReportError> {
    // Pictures of the run are used by both and small enough to be kept.
    let pictures = Pictures::of_run(summary, directory);
    if with_pdf {
        pdf::write_run(summary, directory, &pictures)?;
    }
    html::write_run(summary, directory, &pictures)
}

/// Numbers of tests by flag: (fail, warn, pass).
fn test_counts(summary: &Summary) -> (usize, usize, usize) {
    let flags = summary.image_tests().map(|(_, _, t)| t.flag).chain(summary.run_tests().map(|(_, _, t)| t.flag));
    flags.fold((0, 0, 0), |(fail, warn, pass), flag| match flag {
        Flag::Fail | Flag::Error => (fail + 1, warn, pass),
        Flag::Warn => (fail, warn + 1, pass),
        Flag::Pass => (fail, warn, pass + 1),
        Flag::None => (fail, warn, pass),
    })
}

/// The verdict on a run as a sentence.
fn verdict(summary: &Summary) -> String {
    let (fail, warn, pass) = test_counts(summary);
    let errors = summary.images.iter().filter(|i| i.error.is_some()).count();
    let bad = summary.images.iter().filter(|i| i.status == Flag::Fail).count();
    let tested = fail + warn + pass;
    let mut text = if tested == 0 {
        "No test was made.".to_owned()
    } else {
        format!("{tested} tests: {fail} failed, {warn} with a warning, {pass} passed.")
    };
    let images = summary.images.len();
    if bad > 0 {
        text.push_str(&format!(" {bad} of {images} images failed."));
    }
    if errors > 0 {
        text.push_str(&format!(" {errors} of {images} images could not be processed."));
    }
    text
}

/// Masked pixels, with their share of the frame if all images have one shape.
fn masked(n: u64, summary: &Summary) -> String {
    let mut shapes: Vec<usize> =
        summary.images.iter().filter(|i| i.error.is_none()).map(|i| i.nrows * i.ncols).filter(|n| *n > 0).collect();
    shapes.dedup();
    match shapes[..] {
        [pixels] => format!("{n} ({} % of the frame)", escape::number(100.0 * n as f64 / pixels as f64)),
        _ => n.to_string(),
    }
}

/// `2022-05-10T00:00:00.000` as `2022-05-10 00:00:00`.
fn date(utc: Option<&str>) -> String {
    let Some(utc) = utc else { return "unknown".into() };
    let whole = utc.split('.').next().unwrap_or(utc);
    whole.trim_end_matches('Z').replacen('T', " ", 1)
}
