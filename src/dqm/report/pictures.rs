//! The plots of a run, read from their files and made small enough for reports.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use rayon::prelude::*;

use crate::dqm::model::Summary;
use crate::plot::Reprint;

/// Width of plots of the run, pixels (spec 06 §14).
const RUN_WIDTH: usize = 1400;
/// Width of plots of single images: there are many.
const IMAGE_WIDTH: usize = 1000;

/// Which kind of plot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Of the run.
    Run,
    /// Of a single image.
    Image,
}

impl Wanted {
    fn width(self) -> usize {
        if self == Self::Run { RUN_WIDTH } else { IMAGE_WIDTH }
    }
}

/// Plots by their path relative to the directory of the run; a sentence for those that cannot be read.
#[derive(Debug, Default)]
pub struct Pictures {
    by_path: BTreeMap<String, Result<Reprint, String>>,
}

impl Pictures {
    /// The plots of the run.
    pub fn of_run(summary: &Summary, directory: &Path) -> Self {
        let paths: Vec<&str> = summary.mes.values().flat_map(|me| &me.plots).map(String::as_str).collect();
        let read = paths.par_iter().map(|path| ((*path).to_owned(), read(directory, path, Wanted::Run)));
        Self { by_path: read.collect() }
    }

    /// One of them.
    ///
    /// # Errors
    /// The sentence that stands in its place.
    pub fn get(&self, path: &str) -> Result<&Reprint, &str> {
        match self.by_path.get(path) {
            Some(Ok(picture)) => Ok(picture),
            Some(Err(reason)) => Err(reason),
            None => Err("the plot was not drawn"),
        }
    }
}

/// Reads a plot. Paths that lead out of the directory of the run are refused: summaries may come from elsewhere.
///
/// # Errors
/// The sentence that stands in its place.
pub fn read(directory: &Path, path: &str, wanted: Wanted) -> Result<Reprint, String> {
    let inside = Path::new(path).components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    if !inside {
        return Err("the plot lies outside of the directory of the run".into());
    }
    let bytes = std::fs::read(directory.join(path)).map_err(|e| format!("the plot cannot be read: {e}"))?;
    Reprint::from_png(&bytes, wanted.width()).map_err(|e| format!("the plot cannot be shown: {e}"))
}
