//! What the command line changes in the configuration.

use std::path::PathBuf;

use serde_json::Value;

/// Where an option goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// `input.image.<key>`.
    Image(&'static str),
    /// `process.<process>.<key>`.
    Process(&'static str, &'static str),
    /// One item of a list: `process.<process>.<key>[<index>]`.
    Item(&'static str, &'static str, usize),
    /// The entry of one amplifier: `process.<process>.<key>.<amplifier>`. The entry of `L` also serves images with one
    /// amplifier.
    Amplifier(&'static str, &'static str, &'static str),
    /// This key of every process of the sequence.
    EveryProcess(&'static str),
    /// `process.sequence`.
    Sequence,
}

/// One value from the command line.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    /// The option, as the user knows it.
    pub option: &'static str,
    /// Where it goes; several places at once for some options.
    pub targets: &'static [Target],
    /// The value.
    pub value: Value,
}

/// Everything that the command line says about the configuration. Later values win.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Overrides {
    /// Values for keys of the configuration.
    pub values: Vec<Override>,
    /// Unknown keys are warnings.
    pub lenient: bool,
    /// What only the command line can say.
    pub options: RunOptions,
}

/// Choices that influence the results and that only the command line can make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOptions {
    /// Stack the extensions into one image.
    pub acm: bool,
    /// FITS file with pixels to mask before clustering.
    pub mask: Option<PathBuf>,
    /// HDU of the Monte-Carlo truth.
    pub mct: Option<usize>,
    /// Run number; `None`: from the file name.
    pub run: Option<i64>,
    /// CCD number; `None`: from the file name.
    pub ccd: Option<i64>,
    /// Seed of every random number.
    pub seed: u64,
}

/// Seed of every random number unless the command line says otherwise.
pub const DEFAULT_SEED: u64 = 321;

impl Default for RunOptions {
    fn default() -> Self {
        Self { acm: false, mask: None, mct: None, run: None, ccd: None, seed: DEFAULT_SEED }
    }
}

impl RunOptions {
    /// The options as JSON, for provenance: keys as on the command line. A mask is named with its size and the time of
    /// its last change, POSIX seconds.
    pub fn to_json(&self) -> Value {
        let mask = self.mask.as_ref().map(|path| {
            let metadata = std::fs::metadata(path).ok();
            let changed = metadata.as_ref().and_then(|m| m.modified().ok());
            let seconds = changed.and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok()).map(|d| d.as_secs());
            serde_json::json!({"file": path, "bytes": metadata.map(|m| m.len()), "changed": seconds})
        });
        serde_json::json!({
            "acm": self.acm, "mask": mask, "MCT": self.mct, "run": self.run, "ccd": self.ccd, "seed": self.seed,
        })
    }
}

impl Overrides {
    /// Adds a value.
    pub fn set(&mut self, option: &'static str, targets: &'static [Target], value: impl Into<Value>) {
        self.values.push(Override { option, targets, value: value.into() });
    }
}
