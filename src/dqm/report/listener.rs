//! The reports as a listener of a run.

use std::path::PathBuf;

use super::{index, write_run};
use crate::dqm::model::{Entry, ImageRecord, RunRecord};
use crate::dqm::run::{Listener, RunDone};
use crate::dqm::store::Store;

/// Writes the page and the PDF of a run at its end, and the index over all runs. Comes after the listener that records
/// the run in the database, from which the index is made.
#[derive(Debug)]
pub struct ReportListener {
    /// Parent of the output directory.
    pub output: PathBuf,
    /// Database; `None`: the index is made from the summaries of the output directory.
    pub database: Option<PathBuf>,
    /// Write the PDF.
    pub pdf: bool,
}

impl Listener for ReportListener {
    fn image_done(&mut self, _: &RunRecord, _: &ImageRecord, _: &[(u16, Entry)]) -> Result<(), String> {
        Ok(())
    }

    fn run_done(&mut self, done: &RunDone<'_>) -> Result<(), String> {
        let page = write_run(done.summary, &done.tree.root, self.pdf).map_err(|e| e.to_string());
        let recorded = self.database.as_ref().map(|path| Store::open(path).and_then(|mut store| store.trends()));
        let runs = match recorded {
            Some(Ok(runs)) => runs,
            // Why the database cannot be read has been said by the one who writes it.
            Some(Err(_)) | None => index::from_summaries(&self.output),
        };
        let index = index::write(&runs, &self.output).map_err(|e| e.to_string());
        page.and(index)
    }
}
