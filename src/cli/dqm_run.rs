//! The data-quality monitor: from complete options to outputs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::dqm::{DqmArguments, DqmMergeOptions, DqmOptions};
use super::options::Verbosity;
use super::{UsageError, say};
use crate::dqm::elements::config::Elements;
use crate::dqm::model::run_directory;
use crate::dqm::report::{self, ReportListener};
use crate::dqm::run::options::{PlotNames, RunOptions};
use crate::dqm::run::{self, Listener, MergeOptions};
use crate::dqm::store::StoreListener;
use crate::image::Level;
use crate::output::Console;
use crate::plot::{DisplayEnvironment, DisplayTarget, display_target};

/// Runs the monitor; returns the exit code.
///
/// # Errors
/// What makes it impossible to begin; images that fail are reported and counted instead.
pub(super) fn run(options: &DqmOptions) -> Result<u8, UsageError> {
    let a = &options.arguments;
    refuse_what_is_missing(a, options.mongo_uri.is_some())?;
    let Some(number) = options.run else {
        return Err(UsageError::Other("--run-map needs --watch, which this version does not have; give --run".into()));
    };
    let chain = &options.chain;
    chain.prepare_output()?;
    let elements = elements(a, chain.config.monitoring_elements.as_ref(), chain.config.file.as_deref())?;
    let console = Console::new(match chain.verbosity {
        Verbosity::Normal => Level::Info,
        Verbosity::Verbose => Level::Verbose,
        Verbosity::Debug => Level::Debug,
    });
    chain.warnings.iter().for_each(|w| console.say(Level::Warning, w));
    chain.config.warnings.iter().for_each(|w| console.say(Level::Warning, w.to_string()));
    chain.understood().into_iter().for_each(|line| console.say(Level::Info, line));
    let interrupt = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupt);
    // Without a handler an interrupt ends the program at once; complete files stay complete all the same.
    let _ = ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed));

    let selection = &chain.selection;
    let run_options = RunOptions {
        run: number,
        tag: a.tag.clone().unwrap_or_default(),
        inputs: selection.files.clone(),
        unmatched: selection.unmatched.iter().map(|u| u.infile.to_string_lossy().into_owned()).collect(),
        data_dir: options.data_dir.clone(),
        output: chain.output.clone(),
        image_hr: options.image_hr.clone(),
        all_me: a.all_me,
        first_image: a.image,
        reference: a.me_ref.clone(),
        config: chain.config.clone(),
        elements,
        names: names(a),
        draw: true,
        threads: chain.threads,
    };
    let totals = run::run(&run_options, &console, &interrupt, &mut listeners(a, &chain.output))
        .map_err(|e| UsageError::Other(e.to_string()))?;
    if chain.display && totals.summary.is_some() {
        show(&chain.output.join(run_directory(number)).join(report::PAGE));
    }
    Ok(totals.exit_code())
}

/// Opens the page of the run in a graphical session; names it elsewhere.
fn show(page: &Path) {
    let graphical = display_target(&DisplayEnvironment::current()) == DisplayTarget::Viewer;
    if !graphical || open::that_detached(page).is_err() {
        say("display", page.display().to_string());
    }
}

/// Puts parts of a run together; returns the exit code.
///
/// # Errors
/// Parts that do not fit, outputs that cannot be written.
pub(super) fn merge(options: &DqmMergeOptions) -> Result<u8, UsageError> {
    let a = &options.arguments;
    refuse_what_is_missing(a, false)?;
    let console = Console::new(Level::Info);
    let merge = MergeOptions {
        summaries: options.summaries.clone(),
        output: options.output.clone(),
        reference: a.me_ref.clone(),
        names: names(a),
        draw: true,
        threads: options.threads,
    };
    let totals = run::merge_parts(&merge, &console, &mut listeners(a, &options.output))
        .map_err(|e| UsageError::Other(e.to_string()))?;
    Ok(totals.exit_code())
}

/// Stores and reports that the options ask for: the database first, because the index of the reports is made from it.
fn listeners(a: &DqmArguments, output: &Path) -> Vec<Box<dyn Listener>> {
    let database = database(a, output);
    let mut listeners: Vec<Box<dyn Listener>> = Vec::new();
    if let Some(path) = &database {
        listeners.push(Box::new(StoreListener::new(path.clone())));
    }
    let pdf = !a.no_pdf && a.nopdf != Some(1);
    listeners.push(Box::new(ReportListener { output: output.to_owned(), database, pdf }));
    listeners
}

/// The database of an output directory; `None` with `--db none`.
fn database(a: &DqmArguments, output: &Path) -> Option<PathBuf> {
    match &a.db {
        Some(path) if path.as_os_str() == "none" => None,
        Some(path) => Some(path.clone()),
        None => Some(output.join("dqm.sqlite")),
    }
}

fn names(a: &DqmArguments) -> PlotNames {
    match a.dqm_names.as_deref() {
        Some("v7") => PlotNames::V7,
        Some("both") => PlotNames::Both,
        _ => PlotNames::Seed,
    }
}

/// The configuration of the monitor elements: `--me-json`, else the section of the configuration, else the defaults.
fn elements(
    a: &DqmArguments,
    section: Option<&serde_json::Value>,
    file: Option<&std::path::Path>,
) -> Result<Elements, UsageError> {
    let error = |e: crate::dqm::elements::config::ElementsError| UsageError::Other(e.to_string());
    match (&a.me_json, section) {
        (Some(path), _) => Elements::from_file(path).map_err(error),
        (None, Some(section)) => {
            let file = file.map_or_else(|| "configuration".to_owned(), |f| f.display().to_string());
            Elements::read(&file, section).map_err(error)
        }
        (None, None) => Ok(Elements::default()),
    }
}

/// Options of spec 06 whose part of the program does not exist yet.
fn refuse_what_is_missing(a: &DqmArguments, mongo: bool) -> Result<(), UsageError> {
    let missing = [
        ("--watch", a.watch || a.watch_once || a.watch_status),
        ("--publish", a.publish.is_some()),
        ("--mongo-uri", mongo || a.mongo_uri.is_some()),
        ("--mongo-json", a.mongo_json.is_some()),
    ];
    for (option, given) in missing {
        if given {
            return Err(UsageError::Other(format!("{option}: this version does not have it")));
        }
    }
    Ok(())
}
