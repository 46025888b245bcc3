//! Parts of a run put together (`--dqm-merge`): the same result as one run over all images, whatever the parts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::assemble::{Parts, renumber};
use crate::dqm::model::{Entry, ImageRecord, NumberOrigin, RunRecord, Summary};
use crate::dqm::summary::{self, SummaryError};
use crate::fits::{FitsInput, Header};

/// Why parts cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A summary cannot be read.
    #[error(transparent)]
    Read(#[from] SummaryError),
    /// The parts do not fit.
    #[error("{}: {reason}", path.display())]
    Unfit {
        /// The part.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// There are none.
    #[error("--dqm-merge needs the summaries (me_summary_runNNN.json or .pkl) of the parts")]
    Nothing,
}

/// The images of all parts and the record of their run. An image may be in several parts (the high-resolution image is)
/// if it gave the same in all of them.
///
/// # Errors
/// Parts of different runs, configurations or gains; an image that differs between parts.
pub fn read(paths: &[PathBuf]) -> Result<(Parts, RunRecord), MergeError> {
    let mut parts = Parts::default();
    let mut run: Option<RunRecord> = None;
    let mut known: BTreeMap<String, Images> = BTreeMap::new();
    for path in paths {
        let summary = summary::read(path)?;
        let unfit = |reason: String| MergeError::Unfit { path: path.clone(), reason };
        match &run {
            None => run = Some(summary.run.clone()),
            Some(first) => same_run(first, &summary.run).map_err(unfit)?,
        }
        take(summary, path, &mut known, &mut parts)?;
    }
    let mut run = run.ok_or(MergeError::Nothing)?;
    run.warnings.clear();
    parts.images = known.into_values().map(|i| (i.record, i.entries)).collect();
    Ok((parts, run))
}

struct Images {
    record: ImageRecord,
    entries: Vec<(u16, Entry)>,
}

fn same_run(first: &RunRecord, other: &RunRecord) -> Result<(), String> {
    let differs = |what: &str, a: &dyn std::fmt::Display, b: &dyn std::fmt::Display| {
        Err(format!("this part has another {what} than the first one ({b} instead of {a})"))
    };
    if first.number != other.number {
        return differs("run number", &first.number, &other.number);
    }
    if first.tag != other.tag {
        return differs("tag", &first.tag, &other.tag);
    }
    if first.gains != other.gains {
        let text = |r: &RunRecord| format!("{:?}", r.gains.iter().map(|(a, g)| (a, g.value)).collect::<Vec<_>>());
        return differs("gain of the run", &text(first), &text(other));
    }
    if first.me_config != other.me_config {
        return Err("this part has another configuration of the monitor elements than the first one".into());
    }
    let reference = |r: &RunRecord| r.reference.as_ref().map(|r| r.run);
    if reference(first) != reference(other) {
        return Err("this part was compared with another reference run than the first one".into());
    }
    Ok(())
}

fn take(
    mut summary: Summary,
    path: &Path,
    known: &mut BTreeMap<String, Images>,
    parts: &mut Parts,
) -> Result<(), MergeError> {
    let mut entries: BTreeMap<String, Vec<(u16, Entry)>> = BTreeMap::new();
    for me in summary.mes.values_mut() {
        for entry in me.entries.drain(..) {
            entries.entry(entry.file.clone()).or_default().push((me.id, entry));
        }
    }
    let mut repeated = Vec::new();
    for record in std::mem::take(&mut summary.images) {
        let own = Images { entries: entries.remove(&record.file).unwrap_or_default(), record };
        match known.get(&own.record.file) {
            None => {
                known.insert(own.record.file.clone(), own);
            }
            Some(first) if essence(first) == essence(&own) => repeated.push(own.record.file),
            Some(_) => {
                let reason = format!("image {} differs from the same image in an earlier part", own.record.file);
                return Err(MergeError::Unfit { path: path.to_owned(), reason });
            }
        }
    }
    for record in summary.outliers {
        // The high-resolution image is counted apart, because every part has it.
        if record.files.len() == 1 && repeated.contains(&record.files[0]) {
            continue;
        }
        parts.outliers.add_record(&record).map_err(|reason| MergeError::Unfit { path: path.to_owned(), reason })?;
    }
    Ok(())
}

/// Everything about an image except a number that comes from its position.
fn essence(image: &Images) -> String {
    let (mut record, mut entries) = (image.record.clone(), image.entries.clone());
    if record.number_from == NumberOrigin::Position {
        renumber(&mut record, &mut entries, 0);
    }
    serde_json::to_string(&(record, entries)).unwrap_or_default()
}

/// The header of the run's first image, from the mask beside the summary of the part that has that image; empty if there
/// is none.
pub(super) fn first_header(paths: &[PathBuf], run: i64) -> Header {
    let mut found: Option<(String, Header)> = None;
    for path in paths {
        let Ok(summary) = summary::read(path) else { continue };
        let files = summary.outliers.iter().flat_map(|o| &o.files);
        let Some(first) = files.min().cloned() else { continue };
        if found.as_ref().is_some_and(|(file, _)| *file <= first) {
            continue;
        }
        let mask = path.with_file_name(super::mask::file_name(run));
        if let Ok(header) = FitsInput::open(&mask).and_then(|input| input.header(0)) {
            found = Some((first, header));
        }
    }
    let mut header = found.map(|(_, h)| h).unwrap_or_default();
    let made = format!("Made by {}", crate::output::images::TOOL);
    // What the mask added to the header of the image is added again.
    let added = ["EXTNAME", "RUN", "NFILES", "FPIX", "FPPROW", "FPPCOL", "NMASKED"];
    header.remove_if(|card| {
        (card.keyword == "HISTORY" && card.comment == made) || added.contains(&card.keyword.as_str())
    });
    header
}
