//! Dark-current results from image to image, from the headers of processed images: `--dqm --dqm-evolution "FILES"`
//! (spec 06 §16).

use std::path::PathBuf;

use super::arguments::Arguments;
use super::{Surroundings, UsageError, print, say};
use crate::atomic_file;
use crate::dqm::trend::evolution;
use crate::output::figures::csv_with;
use crate::plot::{Format, render};
use crate::workbench::files::{FitsFile, expand};

/// Options of `--dqm-evolution`.
#[derive(Debug, Clone)]
pub struct DqmEvolutionOptions {
    /// Processed images.
    pub files: Vec<PathBuf>,
    /// Directory of figure and table.
    pub output: PathBuf,
}

impl DqmEvolutionOptions {
    /// Completes what was typed.
    pub(super) fn new(surroundings: &Surroundings<'_>, a: &Arguments) -> Result<Self, UsageError> {
        let variable = (surroundings.variable)("DQM_OUT_DIR").filter(|v| !v.is_empty()).map(PathBuf::from);
        let output = a.general.output.clone().or(variable).unwrap_or_else(|| ".".into());
        let files = expand(&a.dqm.dqm_evolution, &surroundings.directory)
            .map_err(|e| UsageError::NoInput(format!("--dqm-evolution: {e}")))?;
        Ok(Self { files, output })
    }
}

/// Draws the figure and writes the table; returns the exit code.
///
/// # Errors
/// No image has the cards, or the results cannot be written.
pub(super) fn run(options: &DqmEvolutionOptions) -> Result<u8, UsageError> {
    let other = UsageError::Other;
    let mut points = Vec::new();
    let mut failed = false;
    for path in &options.files {
        match FitsFile::open(path).and_then(|file| file.cards(0)).map(|cards| evolution::points(&cards)) {
            Ok(found) if found.is_empty() => {
                say("warning", format!("{}: no MEGAIN and MEIMGID cards; the image is left out", path.display()));
            }
            Ok(found) => points.extend(found),
            Err(error) => {
                failed = true;
                say("error", error.to_string());
            }
        }
    }
    points.sort_by_key(|p| (p.run, p.image));
    let Some(figure) = evolution::figure(&points) else {
        return Err(other("--dqm-evolution: none of the files has MEGAIN and MEIMGID cards".into()));
    };
    let (table, head) = evolution::table(&points);
    let directory = &options.output;
    std::fs::create_dir_all(directory)
        .map_err(|e| other(format!("{}: the directory cannot be made: {e}", directory.display())))?;
    let png = render(&figure, Format::Png).map_err(|e| other(format!("{}: {e}", figure.name)))?;
    for (ending, bytes) in [("png", png), ("csv", csv_with(&table, Some(&head)).into_bytes())] {
        let path = directory.join(format!("{}.{ending}", figure.name));
        atomic_file::write(&path, &bytes).map_err(|e| other(format!("{}: cannot be written: {e}", path.display())))?;
        print(&format!("{}\n", path.display()));
    }
    Ok(u8::from(failed))
}
