//! The analysis of images: from complete options to outputs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::options::Verbosity;
use super::{AnalysisOptions, UsageError};
use crate::batch;
use crate::image::Level;
use crate::output::Console;

/// Runs the chain on all inputs; returns the exit code.
///
/// # Errors
/// What makes it impossible to begin; failures of single items are reported and counted instead.
pub fn run(options: &AnalysisOptions) -> Result<u8, UsageError> {
    options.prepare_output()?;
    let console = Console::new(match options.verbosity {
        Verbosity::Normal => Level::Info,
        Verbosity::Verbose => Level::Verbose,
        Verbosity::Debug => Level::Debug,
    });
    options.warnings.iter().for_each(|w| console.say(Level::Warning, w));
    options.config.warnings.iter().for_each(|w| console.say(Level::Warning, w.to_string()));
    options.understood().into_iter().for_each(|line| console.say(Level::Info, line));

    let interrupt = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupt);
    // Without a handler an interrupt ends the program at once; complete files stay complete all the same.
    let _ = ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed));

    let selection = &options.selection;
    let batch = batch::Options {
        inputs: selection.files.clone(),
        unmatched: selection
            .unmatched
            .iter()
            .map(|u| (u.infile.to_string_lossy().into_owned(), u.reason.to_owned()))
            .collect(),
        config: options.config.clone(),
        output: options.output.clone(),
        threads: options.threads,
        combined_root: options.one_root_file.clone(),
        display: options.display || options.config.displays_figures(),
        resume: options.resume,
    };
    let totals = batch::run(&batch, &console, &interrupt).map_err(|e| UsageError::Other(e.to_string()))?;
    Ok(totals.exit_code())
}
