//! What a run of the monitor is told, and the directories it writes to (spec 06 §§2, 3).

use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::dqm::elements::config::Elements;
use crate::dqm::model::run_directory;

/// Which names the run plots get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PlotNames {
    /// Those of this program (the seed document).
    #[default]
    Seed,
    /// Those of version 7.2.
    V7,
    /// Both.
    Both,
}

/// Everything that a run needs, complete and valid.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Run number.
    pub run: i64,
    /// Tag of the data-taking campaign.
    pub tag: String,
    /// Files, absolute, sorted, each once.
    pub inputs: Vec<PathBuf>,
    /// Inputs that match no file, as sentences; each counts as an image with an error.
    pub unmatched: Vec<String>,
    /// Directory of the images, as given.
    pub data_dir: PathBuf,
    /// Parent of the output directory, as given.
    pub output: PathBuf,
    /// The high-resolution image: absolute path.
    pub image_hr: Option<PathBuf>,
    /// Make the dark-current elements on all images, also with a high-resolution image.
    pub all_me: bool,
    /// Number of the first image, if it is not to come from the names.
    pub first_image: Option<i64>,
    /// Summary of the reference run.
    pub reference: Option<PathBuf>,
    /// Configuration of the chain.
    pub config: Config,
    /// Configuration of the monitor elements.
    pub elements: Elements,
    /// Names of the run plots.
    pub names: PlotNames,
    /// Draw plots; without, a run takes a fraction of the time and has the same numbers.
    pub draw: bool,
    /// Worker threads, at least 1.
    pub threads: usize,
}

/// The directories of a run.
#[derive(Debug, Clone)]
pub struct RunTree {
    /// `runNNN`.
    pub root: PathBuf,
}

impl RunTree {
    /// Directories below that of the run.
    const ROOMS: [&'static str; 10] =
        ["avgimg", "recon", "logs", "others", "me", "me/dcfit", "me/pcd", "me/sed", "me/img", "me/report"];

    /// The directory of run `number` below `output`.
    pub fn new(output: &Path, number: i64) -> Self {
        Self { root: output.join(run_directory(number)) }
    }

    /// Makes all directories.
    ///
    /// # Errors
    /// The path and the reason.
    pub fn create(&self) -> Result<(), String> {
        for room in Self::ROOMS {
            let path = self.root.join(room);
            std::fs::create_dir_all(&path)
                .map_err(|e| format!("{}: the directory cannot be made: {e}", path.display()))?;
        }
        Ok(())
    }

    /// A directory or file of the run by its path relative to it.
    pub fn at(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Directory of the summaries and plots.
    pub fn me(&self) -> PathBuf {
        self.root.join("me")
    }
}
