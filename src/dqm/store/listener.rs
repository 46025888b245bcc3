//! The database as a listener of a run.

use std::path::PathBuf;

use super::{Store, StoreError};
use crate::dqm::model::{Entry, ImageRecord, RunRecord};
use crate::dqm::run::{Listener, RunDone};

/// Records every image when it is done, and the run at its end. A database that cannot be opened is reported once; the
/// run goes on without it.
#[derive(Debug)]
pub struct StoreListener {
    path: PathBuf,
    state: State,
}

#[derive(Debug)]
enum State {
    Closed,
    Open(Store),
    Unusable,
}

impl StoreListener {
    /// Records into this file, which is opened with the first image.
    pub fn new(path: PathBuf) -> Self {
        Self { path, state: State::Closed }
    }

    fn with(&mut self, work: impl FnOnce(&mut Store) -> Result<(), StoreError>) -> Result<(), String> {
        if matches!(self.state, State::Closed) {
            match Store::open(&self.path) {
                Ok(store) => self.state = State::Open(store),
                Err(error) => {
                    self.state = State::Unusable;
                    return Err(format!("{error}; nothing is recorded in the database"));
                }
            }
        }
        match &mut self.state {
            State::Open(store) => work(store).map_err(|e| e.to_string()),
            _ => Ok(()),
        }
    }
}

impl Listener for StoreListener {
    fn image_done(&mut self, run: &RunRecord, image: &ImageRecord, entries: &[(u16, Entry)]) -> Result<(), String> {
        self.with(|store| store.record_image(run, image, entries.iter().map(|(id, entry)| (*id, entry))))
    }

    fn run_done(&mut self, done: &RunDone<'_>) -> Result<(), String> {
        self.with(|store| store.record_run(done.summary))
    }
}
