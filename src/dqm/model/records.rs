//! The run, its images and its monitor elements: the content of the summary files.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::entry::{Entry, RunEntry};
use super::flag::Flag;
use super::numbers::{Pair, number};
use crate::dqm::catalogue::Scope;
use crate::stats::robust;

/// Name of the format of the summary.
pub const SCHEMA: &str = "panaskimg-dqm-summary";
/// Its version. Readers refuse newer ones.
pub const VERSION: u32 = 1;

/// Everything that is known about a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Summary {
    /// [`SCHEMA`].
    pub schema: String,
    /// [`VERSION`].
    pub version: u32,
    /// Program and version that made it.
    pub tool: String,
    /// The run.
    pub run: RunRecord,
    /// Results of the dark-current fit that stand for the run: of the HR image, else of the last image.
    pub dc: DarkCurrent,
    /// The images, sorted by file name, each once.
    pub images: Vec<ImageRecord>,
    /// The active monitor elements by name, in the order of their ids.
    pub mes: IndexMap<String, MonitorElement>,
    /// How often each pixel was outlying, one record per shape of frame: what the run mask is made from.
    #[serde(default)]
    pub outliers: Vec<MaskCounts>,
}

impl Summary {
    /// A monitor element by its id.
    pub fn element(&self, id: u16) -> Option<&MonitorElement> {
        self.mes.values().find(|me| me.id == id)
    }

    /// An image by its file name.
    pub fn image(&self, file: &str) -> Option<&ImageRecord> {
        self.images.iter().find(|i| i.file == file)
    }

    /// The directory of the run's outputs below the parent: `run059`.
    pub fn run_directory(&self) -> String {
        run_directory(self.run.number)
    }

    /// All tests of the run with where they were made: (name of the ME, entry of an image, test).
    pub fn image_tests(&self) -> impl Iterator<Item = (&str, &Entry, &super::QualityTest)> {
        self.mes.iter().flat_map(|(name, me)| {
            me.entries.iter().flat_map(move |e| e.tests.iter().map(move |t| (name.as_str(), e, t)))
        })
    }

    /// All tests on the level of the run: (name of the ME, entry of the run, test).
    pub fn run_tests(&self) -> impl Iterator<Item = (&str, &RunEntry, &super::QualityTest)> {
        self.mes
            .iter()
            .flat_map(|(name, me)| me.run.iter().flat_map(move |e| e.tests.iter().map(move |t| (name.as_str(), e, t))))
    }
}

/// The gain that made the electrons of each amplifier: median over the images, ADU/e⁻.
pub fn used_gains(images: &[ImageRecord]) -> BTreeMap<String, f64> {
    let mut by_amplifier: BTreeMap<&String, Vec<f64>> = BTreeMap::new();
    for (amplifier, gain) in images.iter().flat_map(|i| &i.gains).filter(|(_, g)| g.value > 0.0) {
        by_amplifier.entry(amplifier).or_default().push(gain.value);
    }
    by_amplifier.into_iter().map(|(a, values)| (a.clone(), robust::median(&values))).collect()
}

/// `run059`: the number with at least three digits.
pub fn run_directory(number: i64) -> String {
    format!("run{}", padded(number))
}

/// The number of a run with at least three digits.
pub fn padded(number: i64) -> String {
    format!("{number:03}")
}

/// The run itself.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RunRecord {
    /// Run number.
    pub number: i64,
    /// Tag of the data-taking campaign.
    pub tag: String,
    /// Start of the first exposure, UTC, `2022-05-10T00:00:00`.
    pub start: Option<String>,
    /// End of the last readout, UTC.
    pub end: Option<String>,
    /// Directory of the images, as given.
    pub data_dir: String,
    /// Parent of the output directory, as given.
    pub output_dir: String,
    /// Worst flag of images and run-level tests; an image with an error makes it `fail`.
    pub status: Flag,
    /// Images, those with errors included.
    pub n_images: usize,
    /// File name of the high-resolution image.
    pub image_hr: Option<String>,
    /// Reference run.
    pub reference: Option<ReferenceRun>,
    /// Gains of the run that were used for all images, from the high-resolution image: ADU/e⁻ by amplifier.
    pub gains: BTreeMap<String, Pair>,
    /// Merged configuration of the chain, as JSON text.
    #[serde(default)]
    pub config: String,
    /// Configuration of the monitor elements in use, as JSON text.
    #[serde(default)]
    pub me_config: String,
    /// Masked pixels of the run mask.
    #[serde(default)]
    pub n_masked: Option<u64>,
    /// File of the run mask, relative to the directory of the run.
    #[serde(default)]
    pub mask: Option<String>,
    /// Warnings that concern the run.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// The reference run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReferenceRun {
    /// Run number.
    pub run: i64,
    /// Its summary file, as given.
    pub path: String,
}

/// Results of the dark-current fit of an image (spec 06 §11).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct DarkCurrent {
    /// Gain, ADU/e⁻.
    pub gain: Pair,
    /// Dark current, ADU/bin/img: not divided by the gain.
    pub lambda: Pair,
    /// Single-electron resolution, e⁻.
    pub sigma: Pair,
    /// Position of the zero-electron peak, e⁻.
    pub mu0: Pair,
    /// The same for every amplifier; the values above are those of the first.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub per_amp: BTreeMap<String, DarkCurrent>,
}

/// Where the number of an image comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NumberOrigin {
    /// From its name.
    #[default]
    Name,
    /// Its position in the sorted list of images, from 0.
    Position,
    /// The option `--image`, plus its position.
    Option,
}

/// One input file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ImageRecord {
    /// Image number.
    pub number: i64,
    /// Where the number comes from.
    pub number_from: NumberOrigin,
    /// File name; unique in the run.
    pub file: String,
    /// Size of the file, bytes.
    pub file_size: u64,
    /// Time of its last change, ns since 1970.
    pub file_mtime_ns: Option<i64>,
    /// CCD number.
    pub ccd: i64,
    /// Amplifiers, in sorted order.
    pub amplifiers: Vec<String>,
    /// Rows of the frame (stacked extensions together).
    pub nrows: usize,
    /// Columns of the frame, pixels.
    pub ncols: usize,
    /// Skips per pixel.
    pub nskips: usize,
    /// Rows summed on chip.
    pub npbin: usize,
    /// Columns summed on chip.
    pub nsbin: usize,
    /// Exposure time, s.
    #[serde(with = "number")]
    pub texp: f64,
    /// Readout time, s.
    #[serde(with = "number")]
    pub tread: f64,
    /// Start of the exposure, UTC, `2022-05-10T00:00:00.000`.
    pub start: Option<String>,
    /// End of the readout, UTC.
    pub end: Option<String>,
    /// Temperature, K.
    #[serde(rename = "T")]
    pub temperature: Pair,
    /// Pressure, mbar.
    #[serde(rename = "P")]
    pub pressure: Pair,
    /// Gain used for each amplifier, ADU/e⁻.
    pub gains: BTreeMap<String, Pair>,
    /// Whether it is the high-resolution image.
    pub is_hr: bool,
    /// Worst flag of its monitor elements, or `error`.
    pub status: Flag,
    /// Why it could not be processed.
    pub error: Option<String>,
    /// Output files, relative to the directory of the run.
    #[serde(default)]
    pub outputs: Vec<String>,
    /// Warnings of its processing.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// A monitor element of the run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MonitorElement {
    /// Stable id.
    pub id: u16,
    /// What is a value.
    pub scope: Scope,
    /// Title.
    pub title: String,
    /// One or two sentences: image, region, cuts, gain.
    pub caption: String,
    /// Label of the x axis.
    pub xlabel: String,
    /// Label of the y axis, with unit.
    pub ylabel: String,
    /// Unit of the values; empty for pure numbers.
    pub unit: String,
    /// Other names under which it is known.
    pub aliases: Vec<String>,
    /// Plots of the run, relative to its directory.
    pub plots: Vec<String>,
    /// Worst flag of everything below.
    pub status: Flag,
    /// One entry per image and amplifier, in the order of [`Summary::images`] and sorted amplifiers.
    pub entries: Vec<Entry>,
    /// One entry per amplifier.
    pub run: Vec<RunEntry>,
}

impl MonitorElement {
    /// The entries of an amplifier that have a result.
    pub fn of_amplifier<'a>(&'a self, amplifier: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |e| e.amplifier == amplifier && e.is_available())
    }

    /// Amplifiers of the entries, sorted, each once.
    pub fn amplifiers(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.entries.iter().map(|e| e.amplifier.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Counts per pixel of outlying values, over images of one shape.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MaskCounts {
    /// Rows of the frame.
    pub rows: usize,
    /// Columns of the frame.
    pub cols: usize,
    /// Files counted, sorted.
    pub files: Vec<String>,
    /// Regions of the amplifiers, in sorted order.
    pub amplifiers: Vec<MaskRegions>,
    /// Counts of all pixels in raster order, little-endian u32, zlib, base64.
    pub counts: String,
    /// Counted apart because every part of a run has it: the high-resolution image.
    #[serde(default)]
    pub apart: bool,
}

/// A list: an array would be a tuple in a pickle.
fn as_list<S: serde::Serializer>(numbers: &[usize; 4], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(numbers)
}

/// Regions of an amplifier: [first row, end of rows, first column, end of columns], ends excluded, from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaskRegions {
    /// Name.
    pub name: String,
    /// CCD number.
    pub ccd: i64,
    /// Everything it reads.
    #[serde(serialize_with = "as_list")]
    pub full: [usize; 4],
    /// Active pixels.
    #[serde(serialize_with = "as_list")]
    pub active: [usize; 4],
}
