//! Runs the chain on many files: items in parallel, messages and outputs in order, and no item can spoil another.
//!
//! An item is one (file, extension), or one file whose extensions are stacked. Work is shared over files, extensions
//! and rows; what comes out does not depend on the number of threads (spec 01 §§1.6, 3, 7.4).

mod item;
mod options;
mod present;
mod report;
mod resume;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rayon::prelude::*;

pub use item::{ItemOutcome, Outcome};
pub use options::{BatchError, Options};
pub use report::Totals;

use crate::fits::FitsInput;
use crate::image::Level;
use crate::output::Provenance;
use crate::output::console::Console;
use crate::output::root_files::CombinedRoot;
use item::{Job, failed};
use present::Presenter;

/// Files that are worked on together; bounds the memory of a long batch and keeps its messages in order.
const FILES_PER_THREAD: usize = 4;

/// Set to stop a running batch: no item is begun any more, and nothing more is written.
pub type Interrupt = AtomicBool;

/// Runs the batch and reports it on the console.
///
/// # Errors
/// Only what makes the whole run impossible: an unacceptable chain, outputs that would overwrite each other, a
/// common ROOT file that cannot be written. A failed item is part of the [`Totals`].
pub fn run(options: &Options, console: &Console, interrupt: &Interrupt) -> Result<Totals, BatchError> {
    let start = Instant::now();
    let manager = options.manager()?;
    options.check_names()?;
    let provenance = Provenance::of(&options.config);
    let job = Job { options, manager: &manager, provenance: &provenance, interrupt };
    if options.resume {
        let removed = crate::atomic_file::remove_leftovers(&options.output);
        if removed > 0 {
            console.say(Level::Info, format!("removed {removed} unfinished file(s) of a run that was killed"));
        }
    }
    if options.resume && options.combined_root.is_some() {
        console.say(Level::Warning, "--resume: the common ROOT file of --oroot needs every image; all are done again");
    }

    let combined = match &options.combined_root {
        Some(name) if manager.contains("ClusterFinder") => {
            Some(CombinedRoot::create(&options.output.join(name)).map_err(BatchError::Output)?)
        }
        Some(_) => {
            console
                .say(Level::Warning, "--oroot: without ClusterFinder in the sequence there is no ROOT file to write");
            None
        }
        None => None,
    };
    let presenter = options.display.then(Presenter::new);
    let sequencer = Mutex::new(Sequencer {
        next: 0,
        waiting: Vec::new(),
        totals: Totals::after_warnings(options.config.warnings.len()),
        combined,
        presenter,
    });
    console.begin_progress(options.inputs.len());
    for (infile, reason) in &options.unmatched {
        let outcome = failed(infile.clone(), Vec::new(), reason.clone());
        lock(&sequencer).totals.add_file(vec![outcome], console, &mut None);
    }

    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads)
        .build()
        .map_err(|e| BatchError::Threads(e.to_string()))?;
    pool.install(|| {
        let files: Vec<_> = options.inputs.iter().enumerate().collect();
        for chunk in files.chunks(FILES_PER_THREAD * options.threads.max(1)) {
            chunk.par_iter().for_each(|(position, path)| {
                if interrupt.load(Ordering::Relaxed) {
                    return;
                }
                let items = job.file(*position, path);
                lock(&sequencer).done(*position, items, console);
            });
        }
    });

    console.end_progress();
    let Sequencer { mut totals, combined, waiting, .. } = sequencer.into_inner().unwrap_or_else(|e| e.into_inner());
    let mut combined = combined;
    // After an interrupt, files before the ones done may be missing: what was done is reported all the same.
    let mut rest = waiting;
    rest.sort_by_key(|(position, _)| *position);
    for (_, items) in rest {
        totals.add_file(items, console, &mut combined);
    }
    totals.inputs = options.inputs.len() + options.unmatched.len();
    totals.interrupted = interrupt.load(Ordering::Relaxed);
    if let Some(combined) = combined {
        if totals.interrupted {
            console.say(Level::Warning, "interrupted: the common ROOT file is not written");
        } else {
            let path = combined.finish(&manager, &options.config).map_err(BatchError::Output)?;
            console.say(Level::Result, format!("wrote {}", path.display()));
        }
    }
    totals.elapsed = start.elapsed();
    totals.print(console);
    Ok(totals)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Brings the outcomes of files, which end in any order, back into the order of the inputs.
struct Sequencer {
    next: usize,
    waiting: Vec<(usize, Vec<ItemOutcome>)>,
    totals: Totals,
    combined: Option<CombinedRoot>,
    presenter: Option<Presenter>,
}

impl Sequencer {
    fn done(&mut self, position: usize, items: Vec<ItemOutcome>, console: &Console) {
        self.waiting.push((position, items));
        while let Some(index) = self.waiting.iter().position(|(p, _)| *p == self.next) {
            let (_, mut items) = self.waiting.swap_remove(index);
            let figures: Vec<_> = items.iter_mut().map(|i| (i.label.clone(), std::mem::take(&mut i.figures))).collect();
            self.totals.add_file(items, console, &mut self.combined);
            if let Some(presenter) = &mut self.presenter {
                figures.iter().for_each(|(label, figures)| presenter.show(label, figures, console));
            }
            console.progress(1);
            self.next += 1;
        }
    }
}

/// The HDUs of each item of a file: one per extension, or all together when they are stacked.
pub fn items_of(input: &FitsInput, options: &Options) -> Result<Vec<Vec<usize>>, crate::image::ImageError> {
    let hdus = crate::image::data_hdus(input, &options.config.input)?;
    Ok(if options.config.options.acm { vec![hdus] } else { hdus.into_iter().map(|hdu| vec![hdu]).collect() })
}
