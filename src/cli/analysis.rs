//! The analysis of images: from complete options to outputs.

use super::{AnalysisOptions, UsageError, say};

/// Runs the chain on all inputs; returns the exit code.
///
/// # Errors
/// What makes it impossible to begin; failures of single items are reported and counted instead.
pub fn run(options: &AnalysisOptions) -> Result<u8, UsageError> {
    options.prepare_output()?;
    options.warnings.iter().for_each(|w| say("warning", w));
    options.config.warnings.iter().for_each(|w| say("warning", w));
    options.understood().iter().for_each(|line| say("info", line));
    Err(UsageError::Other("this version reads the command line but does not process images yet".into()))
}
