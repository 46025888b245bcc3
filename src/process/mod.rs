//! The chain: processes, their registry and the manager that runs them.
//!
//! A process is a parameter struct (its doc comments are the help text) plus `execute`. Adding one means adding one file
//! and one row to the table in [`registry`].

pub mod analysis;
pub mod commissioning;
pub mod common;
pub mod digitize;
pub mod manager;
pub mod measurement;
pub mod reconstruction;
pub mod registry;
pub mod response;

use std::fmt;

pub use common::CommonParameters;
pub use manager::ProcessManager;
pub use measurement::Measurement;
pub use registry::{Group, ProcessEntry, Scope};

use crate::image::RawData;

/// What a process is told besides the image.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Row of the registry.
    pub entry: &'static ProcessEntry,
    /// Parameters that every process has.
    pub common: &'a CommonParameters,
    /// Index of the amplifier to work on, in `RawData::amplifiers` (0 for processes that run once per image).
    pub amplifier: usize,
    /// Seed of every random number (`--seed`).
    pub seed: u64,
}

impl Context<'_> {
    /// Whether the process should make its final figures: they are saved or displayed.
    pub fn wants_figures(&self) -> bool {
        self.common.save_plots || self.common.display
    }

    /// Whether the process should offer its ROOT objects: they are saved (`root` in `format_figures`).
    pub fn wants_root_objects(&self) -> bool {
        self.common.save_plots && self.common.format_figures.contains(&common::FigureFormat::Root)
    }

    /// Whether intermediate figures are wanted (`__verbose__` or `__DEBUG__`).
    pub fn wants_intermediate_figures(&self) -> bool {
        self.common.verbose || self.common.debug
    }
}

/// One step of the chain on an image: reads what earlier steps left in `raw` and adds its own images, products and
/// report. It touches no file, no terminal and no global.
pub trait SKImageProcess: Send + Sync + fmt::Debug {
    /// Runs on one amplifier (`context.amplifier`) or on the whole image, as the registry says.
    fn execute(&self, raw: &mut RawData, context: &Context<'_>) -> Result<(), ProcessError>;

    /// What the process wants to see of the samples: asked before the chain starts, so that all of them share one pass
    /// over the file ([`commissioning::survey`]). `None`: nothing, or the parameters do not fit the image, which
    /// `execute` will say.
    fn survey(&self, _raw: &RawData, _context: &Context<'_>) -> Option<Box<dyn commissioning::survey::BookedSurvey>> {
        None
    }

    /// Values that make no sense together; each text is one sentence that begins with the key, e.g.
    /// "`hist_nbins` is 0; method `manual` needs a positive number of bins".
    fn check(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Why a process could not do its work. The manager adds process, amplifier and image.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// An image is missing.
    #[error(transparent)]
    MissingImage(#[from] crate::image::raw_data::MissingImage),
    /// A per-amplifier parameter has no entry for this amplifier.
    #[error("parameter `{key}` has no value for amplifier {amplifier} (amplifiers of this image: {existing})")]
    NoValueForAmplifier {
        /// Parameter.
        key: String,
        /// Amplifier.
        amplifier: String,
        /// All amplifiers and their aliases.
        existing: String,
    },
    /// A process that must run before did not.
    #[error("{needed} must run before, to make {what}")]
    NotRunBefore {
        /// Process.
        needed: &'static str,
        /// What is missing.
        what: String,
    },
    /// The pixels could not be read.
    #[error("{0}")]
    Input(String),
    /// Anything else, as one sentence with the values in it.
    #[error("{0}")]
    Failed(String),
}

impl ProcessError {
    /// Error for a per-amplifier parameter without a value for an amplifier of `raw`.
    pub fn no_value(key: &str, raw: &RawData, amplifier: usize) -> Self {
        Self::NoValueForAmplifier {
            key: key.to_owned(),
            amplifier: raw.amplifiers[amplifier].name.clone(),
            existing: raw
                .amplifiers
                .iter()
                .map(|a| a.names().collect::<Vec<_>>().join("/"))
                .collect::<Vec<_>>()
                .join(", "),
        }
    }
}
