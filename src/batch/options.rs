//! What a batch is told: complete and valid before anything is read.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::output::naming::stem;
use crate::process::ProcessManager;

/// Everything that a run of the analysis mode needs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Files, absolute, sorted, each once.
    pub inputs: Vec<PathBuf>,
    /// Arguments that match no file, and why; each counts as a failed item.
    pub unmatched: Vec<(String, String)>,
    /// Merged configuration.
    pub config: Config,
    /// Output directory, which exists.
    pub output: PathBuf,
    /// Number of worker threads, at least 1.
    pub threads: usize,
    /// One ROOT file for all items (`--oroot`): its name in the output directory.
    pub combined_root: Option<PathBuf>,
    /// Whether final figures are shown.
    pub display: bool,
    /// Whether items whose outputs are complete are left out.
    pub resume: bool,
}

/// Why a run is impossible. All are usage or configuration errors (exit code 2).
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// Parameters of processes are not acceptable.
    #[error("{}", .0.join("\nerror: "))]
    Chain(Vec<String>),
    /// Two inputs would write the same files.
    #[error("{} and {} would write the same output files ({}…): run them separately or rename one", first.display(), second.display(), stem)]
    SameOutput {
        /// One input.
        first: PathBuf,
        /// The other.
        second: PathBuf,
        /// Common beginning of the output names.
        stem: String,
    },
    /// The common ROOT file cannot be written.
    #[error("{0}")]
    Output(String),
    /// No threads.
    #[error("the worker threads cannot be started: {0}")]
    Threads(String),
}

impl Options {
    /// The chain of the configuration.
    pub(super) fn manager(&self) -> Result<ProcessManager, BatchError> {
        ProcessManager::new(&self.config).map_err(|e| BatchError::Chain(e.iter().map(ToString::to_string).collect()))
    }

    /// Two inputs must not write the same files.
    pub(super) fn check_names(&self) -> Result<(), BatchError> {
        let mut seen: HashMap<String, &Path> = HashMap::new();
        for path in &self.inputs {
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            if let Some(first) = seen.insert(stem(&name).to_owned(), path) {
                let stem = stem(&name).to_owned();
                return Err(BatchError::SameOutput { first: first.to_owned(), second: path.clone(), stem });
            }
        }
        Ok(())
    }
}
