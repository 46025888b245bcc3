//! A run of the monitor: images in parallel, then everything that needs all of them (spec 06 §§1, 2, 4).
//!
//! | room | what is in it |
//! |---|---|
//! | [`options`] | what a run is told; its directories |
//! | [`reference`](mod@reference) | the reference run |
//! | [`mod@image`] | one image: chain, elements, tests, plots, files |
//! | `assemble` | records of images to summary: a pure function, also behind a merge |
//! | [`mask`] | hot pixels, rows and columns |
//! | [`merge`] | parts of a run put together |
//!
//! The high-resolution image goes first, because its gains are those of the run. The other images are independent of
//! each other; their results come back in the order of their names, whatever the number of threads. Stores and reports
//! listen ([`Listener`]) and cannot stop the work.

mod assemble;
mod captions;
pub mod image;
pub mod mask;
pub mod merge;
pub mod options;
pub mod reference;
mod testing;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rayon::prelude::*;

use self::assemble::{Parts, assemble};
use self::image::{ImageResult, Job, level_word};
use self::options::{PlotNames, RunOptions, RunTree};
use self::reference::ReferenceRun;
use super::elements::config::Elements;
use super::model::{Entry, Flag, ImageRecord, Pair, RunRecord, Summary};
use super::plots::{self, run::RunPlot};
use super::summary::{self, SummaryError};
use crate::atomic_file;
use crate::config::{Config, Overrides};
use crate::fits::Header;
use crate::image::{Level, LogRecord};
use crate::output::{Console, Provenance};
use crate::process::{ProcessManager, registry};

/// Images that are worked on together, per thread: bounds the memory of a long run.
const FILES_PER_THREAD: usize = 2;

/// Somebody who is told what becomes known: a store, a report. What goes wrong there is a warning of the run.
pub trait Listener: Send {
    /// An image is done (or has an error). Images come in the order of their names, the high-resolution image first.
    ///
    /// # Errors
    /// A sentence.
    fn image_done(&mut self, run: &RunRecord, image: &ImageRecord, entries: &[(u16, Entry)]) -> Result<(), String>;

    /// The run is done; its files are written. `plots` are the plots of the run with their figures.
    ///
    /// # Errors
    /// A sentence.
    fn run_done(&mut self, done: &RunDone<'_>) -> Result<(), String>;
}

/// What a [`Listener`] is told at the end.
#[derive(Debug, Clone, Copy)]
pub struct RunDone<'a> {
    /// The summary.
    pub summary: &'a Summary,
    /// Summary of the reference run.
    pub reference: Option<&'a Summary>,
    /// Plots of the run, ascending ids.
    pub plots: &'a [RunPlot],
    /// Directories of the run.
    pub tree: &'a RunTree,
}

/// Why a run cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The chain has parameters that are not acceptable.
    #[error("{}", .0.join("\nerror: "))]
    Chain(Vec<String>),
    /// The reference cannot be read.
    #[error("--me-ref {0}")]
    Reference(SummaryError),
    /// The parts of a run cannot be put together.
    #[error(transparent)]
    Merge(#[from] merge::MergeError),
    /// The outputs cannot be written.
    #[error("{0}")]
    Output(String),
    /// No threads.
    #[error("the worker threads cannot be started: {0}")]
    Threads(String),
}

/// What came out of a run.
#[derive(Debug)]
pub struct RunTotals {
    /// The summary; `None` after an interrupt.
    pub summary: Option<Summary>,
    /// Images with an error.
    pub failed: usize,
    /// A store or report could not be written.
    pub listeners_failed: bool,
    /// The run was interrupted.
    pub interrupted: bool,
}

impl RunTotals {
    /// Exit code of the program: 0, 1 (an image or a store failed), 130 (interrupted).
    pub fn exit_code(&self) -> u8 {
        match (self.interrupted, self.failed > 0 || self.listeners_failed) {
            (true, _) => 130,
            (_, true) => 1,
            _ => 0,
        }
    }
}

/// Runs the monitor.
///
/// # Errors
/// What makes it impossible to begin, or to write the summary. Images that fail are part of the totals.
pub fn run(
    options: &RunOptions,
    console: &Console,
    interrupt: &AtomicBool,
    listeners: &mut [Box<dyn Listener>],
) -> Result<RunTotals, RunError> {
    let start = Instant::now();
    let reference = options.reference.as_deref().map(ReferenceRun::read).transpose().map_err(RunError::Reference)?;
    let tree = RunTree::new(&options.output, options.run);
    tree.create().map_err(RunError::Output)?;
    let mut journal = Journal::new(console);
    options.elements.warnings.iter().for_each(|w| journal.say(Level::Warning, w.clone()));
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads)
        .build()
        .map_err(|e| RunError::Threads(e.to_string()))?;

    let (json, _) = summary::file_names(options.run);
    if let Ok(before) = summary::read(&tree.at(&format!("me/{json}")))
        && before.run.tag != options.tag
    {
        journal.say(
            Level::Warning,
            format!(
                "{} holds the files of run {} with the tag `{}`; those of the tag `{}` take their place",
                tree.root.display(),
                options.run,
                before.run.tag,
                options.tag
            ),
        );
    }
    let chain = Chain::new(options.config.clone())?;
    let mut parts = Parts::default();
    let mut state = State { failed: 0, listeners_failed: false, first_header: None };
    let mut record = RunRecord {
        number: options.run,
        tag: options.tag.clone(),
        data_dir: options.data_dir.display().to_string(),
        output_dir: options.output.display().to_string(),
        config: chain.provenance.config_text.clone(),
        me_config: options.elements.to_json().to_string(),
        ..RunRecord::default()
    };
    let mut inputs: Vec<&PathBuf> = options.inputs.iter().collect();
    let mut gains = BTreeMap::new();
    if let Some(hr) = &options.image_hr {
        let position = inputs.iter().position(|p| *p == hr).unwrap_or(0);
        inputs.retain(|p| *p != hr);
        let job = chain.job(options, &tree, &gains, reference.as_ref());
        let mut result = pool.install(|| job.image(hr, position, true));
        gains = std::mem::take(&mut result.fitted_gains);
        record.gains = gains.clone();
        if !gains.is_empty() {
            // The gains hold for all images of the run, this one included: it is made again with them.
            let with_own = Chain::new(with_gains(&options.config, &gains)?)?;
            let job = with_own.job(options, &tree, &gains, reference.as_ref());
            let first = std::mem::replace(&mut result, pool.install(|| job.image(hr, position, true)));
            let about_gains = |r: &LogRecord| r.level == Level::Warning && r.text.contains("gain of the run");
            result.log.extend(first.log.into_iter().filter(about_gains));
        }
        let text = if gains.is_empty() {
            "the high-resolution image has no good dark-current fit: the gains of the chain are used".to_owned()
        } else {
            let list: Vec<String> = gains
                .iter()
                .map(|(a, g)| format!("{a} {} ADU/e⁻", crate::plot::value_with_error(g.value, g.error)))
                .collect();
            format!("gains of the run from {}: {}", result.record.file, list.join(", "))
        };
        journal.say(if gains.is_empty() { Level::Warning } else { Level::Info }, text);
        state.take(result, &record, &mut parts, &mut journal, listeners);
    }
    // With gains of the run the calibration of the chain uses them too.
    let calibrated = if gains.is_empty() { None } else { Some(Chain::new(with_gains(&options.config, &gains)?)?) };
    let job = calibrated.as_ref().unwrap_or(&chain).job(options, &tree, &gains, reference.as_ref());

    for missing in &options.unmatched {
        let mut result = ImageResult::default();
        result.record.file = missing.clone();
        result.record.status = Flag::Error;
        result.record.error = Some("no such file, and the pattern matches nothing".into());
        result.log.push(LogRecord {
            level: Level::Error,
            process: String::new(),
            text: "no such file, and the pattern matches nothing".into(),
        });
        state.take(result, &record, &mut parts, &mut journal, listeners);
    }
    let positions: BTreeMap<&PathBuf, usize> = options.inputs.iter().enumerate().map(|(k, p)| (p, k)).collect();
    let shared =
        Mutex::new((&mut state, &mut parts, &mut journal, &mut *listeners, Vec::<(usize, ImageResult)>::new(), 0));
    pool.install(|| {
        let files: Vec<(usize, &PathBuf)> = inputs.iter().copied().enumerate().collect();
        for chunk in files.chunks(FILES_PER_THREAD * options.threads.max(1)) {
            chunk.par_iter().for_each(|(order, path)| {
                if interrupt.load(Ordering::Relaxed) {
                    return;
                }
                let result = job.image(path, positions.get(*path).copied().unwrap_or(0), false);
                let mut guard = shared.lock().unwrap_or_else(|e| e.into_inner());
                let (state, parts, journal, listeners, waiting, next) = &mut *guard;
                waiting.push((*order, result));
                while let Some(k) = waiting.iter().position(|(o, _)| *o == *next) {
                    let (_, result) = waiting.swap_remove(k);
                    state.take(result, &record, parts, journal, listeners);
                    *next += 1;
                }
            });
        }
    });
    drop(shared);
    let mut totals = RunTotals {
        summary: None,
        failed: state.failed,
        listeners_failed: state.listeners_failed,
        interrupted: interrupt.load(Ordering::Relaxed),
    };
    if totals.interrupted {
        journal.say(Level::Warning, "interrupted: no summary is written; the same command does the run again");
        journal.write(&tree);
        return Ok(totals);
    }
    let processed = start.elapsed().as_secs_f64();
    let ending = Ending {
        tree: &tree,
        elements: &options.elements,
        reference: reference.as_ref(),
        names: options.names,
        draw: options.draw,
        header: state.first_header.map(|(_, h)| h).unwrap_or_default(),
    };
    let summary =
        pool.install(|| ending.finish(parts, record, &mut journal, listeners, &mut totals.listeners_failed))?;
    journal.say(
        Level::Info,
        format!(
            "{} images in {processed:.2} s, run level in {:.2} s",
            summary.images.len(),
            start.elapsed().as_secs_f64() - processed
        ),
    );
    journal.write(&tree);
    closing_line(console, &summary, totals.exit_code() == 0);
    totals.summary = Some(summary);
    Ok(totals)
}

/// What a merge is told.
#[derive(Debug, Clone)]
pub struct MergeOptions {
    /// Summaries of the parts.
    pub summaries: Vec<PathBuf>,
    /// Parent of the output directory.
    pub output: PathBuf,
    /// Reference run; `None`: that of the parts.
    pub reference: Option<PathBuf>,
    /// Names of the run plots.
    pub names: PlotNames,
    /// Draw plots.
    pub draw: bool,
    /// Worker threads, at least 1.
    pub threads: usize,
}

/// Puts the parts of a run together.
///
/// # Errors
/// Parts that do not fit, a reference that cannot be read, outputs that cannot be written.
pub fn merge_parts(
    options: &MergeOptions,
    console: &Console,
    listeners: &mut [Box<dyn Listener>],
) -> Result<RunTotals, RunError> {
    let (parts, mut record) = merge::read(&options.summaries)?;
    let reference = options
        .reference
        .clone()
        .or_else(|| record.reference.as_ref().map(|r| PathBuf::from(&r.path)))
        .map(|path| ReferenceRun::read(&path))
        .transpose()
        .map_err(RunError::Reference)?;
    let section = serde_json::from_str::<serde_json::Value>(&record.me_config).unwrap_or_default();
    let section = section.get("monitoring_elements").cloned().unwrap_or_default();
    let elements = Elements::read("summary of the parts", &section).map_err(|e| RunError::Output(e.to_string()))?;
    record.output_dir = options.output.display().to_string();
    let tree = RunTree::new(&options.output, record.number);
    tree.create().map_err(RunError::Output)?;
    let mut journal = Journal::new(console);
    let mut listeners_failed = false;
    for (image, entries) in &parts.images {
        for listener in listeners.iter_mut() {
            if let Err(reason) = listener.image_done(&record, image, entries) {
                listeners_failed = true;
                journal.say(Level::Warning, reason);
            }
        }
    }
    let failed = parts.images.iter().filter(|(r, _)| r.error.is_some()).count();
    let header = merge::first_header(&options.summaries, record.number);
    let ending = Ending {
        tree: &tree,
        elements: &elements,
        reference: reference.as_ref(),
        names: options.names,
        draw: options.draw,
        header,
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads)
        .build()
        .map_err(|e| RunError::Threads(e.to_string()))?;
    let summary = pool.install(|| ending.finish(parts, record, &mut journal, listeners, &mut listeners_failed))?;
    journal.write(&tree);
    let totals = RunTotals { summary: None, failed, listeners_failed, interrupted: false };
    closing_line(console, &summary, totals.exit_code() == 0);
    Ok(RunTotals { summary: Some(summary), ..totals })
}

/// The line that scripts look for.
fn closing_line(console: &Console, summary: &Summary, ok: bool) {
    let (_, pickle) = summary::file_names(summary.run.number);
    let status = if ok { "OK" } else { "ERROR" };
    console.print(&format!("DQM PROCESS STATUS::{status}, RUN::{}, PKL::{pickle}", summary.run.number));
}

/// The chain with its configuration.
struct Chain {
    config: Config,
    manager: ProcessManager,
    provenance: Provenance,
}

impl Chain {
    fn new(config: Config) -> Result<Self, RunError> {
        let manager =
            ProcessManager::new(&config).map_err(|e| RunError::Chain(e.iter().map(ToString::to_string).collect()))?;
        let provenance = Provenance::of(&config);
        Ok(Self { config, manager, provenance })
    }

    fn job<'a>(
        &'a self,
        options: &'a RunOptions,
        tree: &'a RunTree,
        run_gains: &'a BTreeMap<String, Pair>,
        reference: Option<&'a ReferenceRun>,
    ) -> Job<'a> {
        Job {
            options,
            tree,
            manager: &self.manager,
            config: &self.config,
            provenance: &self.provenance,
            run_gains,
            reference,
        }
    }
}

/// The configuration with these gains in its calibration.
fn with_gains(config: &Config, gains: &BTreeMap<String, Pair>) -> Result<Config, RunError> {
    let mut json = config.to_json();
    if let Some(block) = json.pointer_mut("/process/CalibrationProcess").and_then(|v| v.as_object_mut()) {
        let mut map = match block.get("gain") {
            Some(serde_json::Value::Object(map)) => map.clone(),
            Some(value) => [("default".to_owned(), value.clone())].into_iter().collect(),
            None => serde_json::Map::new(),
        };
        for (amplifier, gain) in gains {
            map.insert(amplifier.clone(), gain.value.into());
        }
        block.insert("gain".into(), map.into());
        block.insert("from_dc_fit".into(), false.into());
    }
    let bytes = json.to_string();
    let overrides = Overrides { options: config.options.clone(), ..Overrides::default() };
    Config::parse(registry::all(), "configuration with the gains of the run", bytes.as_bytes(), &overrides)
        .map_err(|e| RunError::Chain(e.errors.iter().map(ToString::to_string).collect()))
}

/// What is counted while images come back.
struct State {
    failed: usize,
    listeners_failed: bool,
    /// Header of the first image by name, for the mask.
    first_header: Option<(String, Header)>,
}

impl State {
    fn take(
        &mut self,
        mut result: ImageResult,
        run: &RunRecord,
        parts: &mut Parts,
        journal: &mut Journal<'_>,
        listeners: &mut [Box<dyn Listener>],
    ) {
        let record = &result.record;
        journal.image(record, &result.log);
        if record.error.is_some() {
            self.failed += 1;
        }
        if let Some(outliers) = result.outliers.take() {
            parts.outliers.add(&record.file, record.ccd, &outliers, record.is_hr);
            if self.first_header.as_ref().is_none_or(|(file, _)| record.file < *file) {
                self.first_header = result.header.take().map(|h| (record.file.clone(), h));
            }
        }
        for listener in listeners.iter_mut() {
            if let Err(reason) = listener.image_done(run, record, &result.entries) {
                self.listeners_failed = true;
                journal.say(Level::Warning, reason);
            }
        }
        parts.images.push((result.record, result.entries));
    }
}

/// What is done when all images are there.
struct Ending<'a> {
    tree: &'a RunTree,
    elements: &'a Elements,
    reference: Option<&'a ReferenceRun>,
    names: PlotNames,
    draw: bool,
    header: Header,
}

impl Ending<'_> {
    fn finish(
        &self,
        parts: Parts,
        record: RunRecord,
        journal: &mut Journal<'_>,
        listeners: &mut [Box<dyn Listener>],
        listeners_failed: &mut bool,
    ) -> Result<Summary, RunError> {
        let (mut summary, mask) = assemble(parts, record, self.elements, self.reference);
        let reference = self.reference.map(|r| &r.summary);
        let drawn = if self.draw { plots::run::of_run(&summary, reference, mask.as_ref()) } else { Vec::new() };
        let problems: Vec<String> = drawn.par_iter().flat_map_iter(|plot| self.write_plot(plot)).collect();
        for problem in problems {
            journal.say(Level::Warning, problem.clone());
            summary.run.warnings.push(problem);
        }
        for plot in &drawn {
            let path = if self.names == PlotNames::V7 { &plot.v7_path } else { &plot.path };
            if let Some(me) = summary.mes.values_mut().find(|me| me.id == plot.id) {
                me.plots.push(path.clone());
            }
        }
        if let Some(mask) = &mask {
            let path = self.tree.me().join(mask::file_name(summary.run.number));
            mask::write(mask, summary.run.number, &self.header, &path).map_err(RunError::Output)?;
        }
        summary.run.warnings.iter().for_each(|w| journal.say(Level::Warning, w.clone()));
        summary::write(&summary, &self.tree.me()).map_err(|e| RunError::Output(e.to_string()))?;
        journal.flags(&summary);
        let done = RunDone { summary: &summary, reference, plots: &drawn, tree: self.tree };
        for listener in listeners {
            if let Err(reason) = listener.run_done(&done) {
                *listeners_failed = true;
                journal.say(Level::Warning, reason);
            }
        }
        Ok(summary)
    }

    fn write_plot(&self, plot: &RunPlot) -> Vec<String> {
        let paths: &[&String] = match self.names {
            PlotNames::Seed => &[&plot.path],
            PlotNames::V7 => &[&plot.v7_path],
            PlotNames::Both if plot.path == plot.v7_path => &[&plot.path],
            PlotNames::Both => &[&plot.path, &plot.v7_path],
        };
        let bytes = match crate::plot::render(&plot.figure, crate::plot::Format::Png) {
            Ok(bytes) => bytes,
            Err(error) => return vec![format!("{}: {error}", plot.path)],
        };
        let write = |path: &&String| {
            let path = self.tree.at(path);
            atomic_file::write(&path, &bytes).err().map(|e| format!("{}: {e}", path.display()))
        };
        paths.iter().filter_map(write).collect()
    }
}

/// What is said, on the terminal and in `logs/run.log`.
struct Journal<'a> {
    console: &'a Console,
    lines: Vec<String>,
}

impl<'a> Journal<'a> {
    fn new(console: &'a Console) -> Self {
        Self { console, lines: vec![crate::output::images::TOOL.to_owned()] }
    }

    fn say(&mut self, level: Level, text: impl Into<String>) {
        let text = text.into();
        self.lines.push(format!("[{}] {text}", level_word(level)));
        self.console.say(level, text);
    }

    fn image(&mut self, record: &ImageRecord, log: &[LogRecord]) {
        // Results of single processes are in the log of the image; here only what needs a person.
        let important: Vec<LogRecord> = log.iter().filter(|r| r.level >= Level::Warning).cloned().collect();
        let shown = if self.console.threshold() < Level::Info { log.to_vec() } else { important };
        self.console.show_all(&record.file, &shown);
        let line = match &record.error {
            Some(reason) => format!("error  {}  {reason}", record.file),
            None => format!("{:<5}  {}  image {}", record.status, record.file, record.number),
        };
        self.lines.push(line.clone());
        self.console.print(&line);
    }

    /// What failed, in a few lines.
    fn flags(&mut self, summary: &Summary) {
        let mut lines = Vec::new();
        // One fit stands behind four elements (61 to 64): it is said once.
        let mut fits = std::collections::HashSet::new();
        for (name, entry, test) in summary.image_tests().filter(|(_, _, t)| t.flag == Flag::Fail) {
            if test.name == "QT:chi2" && !fits.insert((&entry.file, &entry.amplifier, &test.reason)) {
                continue;
            }
            lines.push(format!("fail   {}  {name} {}: {}", entry.file, entry.amplifier, test.reason));
        }
        for (name, entry, test) in summary.run_tests().filter(|(_, _, t)| t.flag == Flag::Fail) {
            lines.push(format!("fail   run  {name} {}: {}", entry.amplifier, test.reason));
        }
        for line in &lines {
            self.console.print(line);
        }
        self.lines.append(&mut lines);
        let count = |flag: Flag| summary.images.iter().filter(|i| i.status == flag).count();
        let text = format!(
            "run {}: {} ({} images: {} pass, {} warn, {} fail, {} error, {} without tests)",
            summary.run.number,
            summary.run.status,
            summary.images.len(),
            count(Flag::Pass),
            count(Flag::Warn),
            count(Flag::Fail),
            count(Flag::Error),
            count(Flag::None),
        );
        self.lines.push(text.clone());
        self.console.print(&text);
    }

    fn write(&self, tree: &RunTree) {
        // What is in it was shown; the run is no worse without the file.
        let _ = atomic_file::write(&tree.at("logs/run.log"), (self.lines.join("\n") + "\n").as_bytes());
    }
}

/// The high-resolution image: the first file whose name contains `text`, among the inputs, else among the `others`.
pub fn find_high_resolution(text: &str, inputs: &[PathBuf], others: &[PathBuf]) -> Option<PathBuf> {
    let matches = |p: &&PathBuf| p.file_name().is_some_and(|n| n.to_string_lossy().contains(text));
    inputs.iter().find(matches).or_else(|| others.iter().find(|p| matches(p) && is_fits(p))).cloned()
}

fn is_fits(path: &Path) -> bool {
    let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
    [".fits", ".fit", ".fz", ".fits.gz", ".fits.bz2", ".fit.gz", ".fit.bz2"].iter().any(|end| name.ends_with(end))
}
