//! What is known about a run, as data (spec 06 §§8.2, 11).
//!
//! | type | what it is |
//! |---|---|
//! | [`Summary`] | everything about a run: what the files `me_summary_runNNN.json` and `.pkl` hold |
//! | [`RunRecord`] | the run itself: number, period, directories, overall flag, gains, reference |
//! | [`ImageRecord`] | one input file: numbers, geometry, times, flag or error |
//! | [`MonitorElement`] | one ME of the run: its description from the [`catalogue`](super::catalogue), plots, caption, [`Entry`]s and [`RunEntry`]s |
//! | [`Entry`] | the ME on one image and amplifier: numbers, straight line, tests, flag, plot, or why it does not apply |
//! | [`RunEntry`] | the ME on the whole run and one amplifier: median over the images, comparison with the reference |
//! | [`QualityTest`] | one test: what was compared with what, and the flag |
//!
//! An image is identified by its file name ([`ImageRecord::file`]); its number is repeated in the entries, which belong
//! to an image by [`Entry::file`]. Paths of plots are relative to the directory `runNNN`.
//!
//! Numbers that do not exist are NaN in memory, `null` in JSON and NaN in the pickle.

mod entry;
#[cfg(test)]
pub(crate) mod example;
mod flag;
pub(crate) mod numbers;
mod records;

pub use entry::{Entry, Extra, HistogramCounts, LineFit, QualityTest, ReferenceProfile, RunEntry};
pub use flag::Flag;
pub use numbers::{Pair, Values};
pub use records::{
    DarkCurrent, ImageRecord, MaskCounts, MaskRegions, MonitorElement, NumberOrigin, ReferenceRun, RunRecord, SCHEMA,
    Summary, VERSION, padded, run_directory, used_gains,
};
