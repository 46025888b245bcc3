//! Complete, valid options of an analysis: what the engine works with.

use std::path::{Path, PathBuf};

use super::arguments::Arguments;
use super::inputs::{self, Selection};
use super::mapping::overrides;
use super::tokens::TakenList;
use super::{Surroundings, UsageError};
use crate::config::overrides::DEFAULT_SEED;
use crate::config::{Config, RunOptions};

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// What a physicist wants to follow.
    Normal,
    /// Also the full header, the list of HDUs and intermediate quantities (`--verbose`).
    Verbose,
    /// Also the details of every fit (`--debug`).
    Debug,
}

/// Options of an analysis, complete and checked.
#[derive(Debug, Clone)]
pub struct AnalysisOptions {
    /// Inputs: at least one file, or at least one input that matches nothing and counts as failed.
    pub selection: Selection,
    /// Configuration: defaults, file and command line merged. Its `options` hold `--acm`, `--mask`, `--MCT`, `--run`,
    /// `--ccd` and `--seed`.
    pub config: Config,
    /// Directory for all outputs; may not exist yet.
    pub output: PathBuf,
    /// Name of the one ROOT file for all inputs, in the output directory; `None`: one per input.
    pub one_root_file: Option<PathBuf>,
    /// Number of threads, at least 1.
    pub threads: usize,
    /// How much is said.
    pub verbosity: Verbosity,
    /// Whether unknown keys of the configuration are only warnings.
    pub lenient: bool,
    /// Whether final figures are shown.
    pub display: bool,
    /// Whether items whose outputs are complete are left out.
    pub resume: bool,
    /// What may be a mistake on the command line (the configuration has its own list).
    pub warnings: Vec<String>,
}

/// The configuration that the command line asks for.
pub(super) fn load_config(surroundings: &Surroundings<'_>, a: &Arguments) -> Result<Config, UsageError> {
    let mut all = overrides(a);
    all.options = RunOptions {
        acm: a.general.acm,
        mask: a.clustering.mask.clone(),
        mct: a.general.mct,
        run: a.general.run,
        ccd: a.general.ccd,
        seed: a.general.seed.unwrap_or(DEFAULT_SEED),
    };
    Ok(Config::load_with(surroundings.table, a.general.json.as_deref(), &all)?)
}

impl AnalysisOptions {
    /// Completes and checks what was typed. `base` is the directory in which inputs are looked for.
    pub(super) fn new(
        surroundings: &Surroundings<'_>,
        a: &Arguments,
        base: &Path,
        lists: &[TakenList],
    ) -> Result<Self, UsageError> {
        if a.infiles.is_empty() {
            return Err(UsageError::NoInfile(trap(lists, surroundings)));
        }
        let calibration = a.all_processes.cal.or(a.fit_calibration.calibration);
        if a.dark_current.do_calibration && calibration.is_none() {
            let text = "--do-calibration starts from a calibration constant; give it with --calibration X (ADU/e-)";
            return Err(UsageError::Other(text.into()));
        }
        if let Some(mask) = &a.clustering.mask
            && !surroundings.directory.join(mask).is_file()
        {
            return Err(UsageError::Other(format!("--mask {}: there is no such file", mask.display())));
        }
        let config = load_config(surroundings, a)?;
        let selection = inputs::select(&a.infiles, &a.general.skip, base)?;
        if selection.files.is_empty() {
            return Err(UsageError::NoInput(why_nothing(&selection)));
        }
        let mut warnings = Vec::new();
        let threads = a.general.ncpus.map_or(surroundings.cores, |n| n as usize);
        if threads > surroundings.cores {
            warnings.push(format!("--ncpus {threads}: this machine has {} cores", surroundings.cores));
        }
        let verbosity = match (a.all_processes.debug, a.all_processes.verbose) {
            (true, _) => Verbosity::Debug,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        };
        Ok(Self {
            selection,
            config,
            output: a.general.output.clone().unwrap_or_else(|| ".".into()),
            one_root_file: a.general.oroot.clone(),
            threads,
            verbosity,
            lenient: a.general.lenient,
            display: a.all_processes.display,
            resume: a.general.resume,
            warnings,
        })
    }

    /// Makes the output directory, with its parents, and checks that files can be written there.
    ///
    /// # Errors
    /// The path and the reason.
    pub fn prepare_output(&self) -> Result<(), UsageError> {
        let error = |reason: std::io::Error| {
            let text = reason.to_string();
            let text = text.split(" (os error").next().unwrap_or(&text).to_lowercase();
            UsageError::Other(format!("{}: the output directory cannot be used: {text}", self.output.display()))
        };
        std::fs::create_dir_all(&self.output).map_err(error)?;
        // Permissions alone do not tell: the file system may be read-only or full.
        let probe = self.output.join(format!(".panaSKImg-{}.tmp", std::process::id()));
        std::fs::write(&probe, b"").map_err(error)?;
        std::fs::remove_file(&probe).map_err(error)
    }

    /// What was understood, one line per item, for the log before the work begins.
    pub fn understood(&self) -> Vec<String> {
        let mut lines = Vec::new();
        lines.push(match &self.config.file {
            Some(path) => format!("configuration {}", path.display()),
            None => "configuration: built-in defaults".to_owned(),
        });
        let names: Vec<&str> = self.config.sequence.iter().map(|e| e.name).collect();
        lines.push(format!("sequence {}", names.join(" → ")));
        let count = |n: usize| if n == 1 { "1 file".to_owned() } else { format!("{n} files") };
        let mut inputs = format!("input {}", count(self.selection.files.len()));
        if !self.selection.dropped.is_empty() {
            inputs.push_str(&format!(", {} dropped by --skip", self.selection.dropped.len()));
        }
        lines.push(inputs);
        if self.verbosity > Verbosity::Normal {
            lines.extend(self.selection.files.iter().map(|f| format!("  selected {}", f.display())));
            lines.extend(self.selection.dropped.iter().map(|f| format!("  dropped {}", f.display())));
        }
        lines.push(format!("output {}", self.output.display()));
        lines
    }
}

/// What to add to "no INFILE is given": usually a list took it.
fn trap(lists: &[TakenList], surroundings: &Surroundings<'_>) -> String {
    let looks_like_input = |word: &str| {
        word.contains(['*', '?', '/'])
            || [".fits", ".fit", ".fz", ".gz", ".bz2"].iter().any(|end| word.ends_with(end))
            || surroundings.directory.join(word).is_file()
    };
    let taken = lists.iter().find(|l| l.words.iter().any(|w| looks_like_input(w))).or(lists.last());
    let Some(list) = taken else {
        return "; give a file or a quoted pattern (panaSKImg --help tells more)".into();
    };
    let first = list.words.iter().position(|w| looks_like_input(w)).unwrap_or(list.words.len().saturating_sub(1));
    let (values, rest) = list.words.split_at(first.max(1).min(list.words.len()));
    let mut text = format!(
        "; {} takes all words up to the next option, here: {}\n       \
         An INFILE must not follow the list directly. Write it before the list, or put -- between",
        list.option,
        list.words.join(" ")
    );
    if !rest.is_empty() {
        text.push_str(&format!(":\n       panaSKImg ... {} {} -- {}", list.option, values.join(" "), rest.join(" ")));
    }
    text
}

fn why_nothing(selection: &Selection) -> String {
    if selection.dropped.is_empty() {
        let one = |u: &inputs::Unmatched| format!("{} {}", u.infile.to_string_lossy(), u.reason);
        selection.unmatched.iter().map(one).collect::<Vec<_>>().join("; ")
    } else {
        let n = selection.dropped.len();
        let last = selection.dropped.last().map(|f| f.display().to_string()).unwrap_or_default();
        format!("--skip drops all {n} files that match, the last one {last}")
    }
}
