//! One image from start to end: particles, then block after block of rows, whose charge is made first and then read.
//!
//! A block is a few megabytes whatever the size of the image. Rows of a block are read in parallel, and each writes its
//! own part of the files.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::charge::{ChargeMaker, contributions, of_row};
use super::config::Layout;
use super::error::{Result, SimulateError};
use super::fits_file::FitsFile;
use super::geant4_output::Geant4Output;
use super::header;
use super::particles::particles;
use super::readout::{FlickerRow, Pedestal, Readout, RowSink, Scratch, Storage};
use super::setup::Setup;
use super::truth::{self, AmplifierCounts, TruthImages, TruthRow};

/// Charge held at a time, pixels.
const BLOCK_PIXELS: usize = 2 << 20;
/// Rows made at a time: enough for many threads.
const BLOCK_ROWS: usize = 512;
/// 1/f noise held at a time, bytes.
const FLICKER_BYTES: usize = 64 << 20;

/// The files of one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFiles {
    /// The image.
    pub image: PathBuf,
    /// Path and beginning of the names of the truth files.
    stem: PathBuf,
}

impl ImageFiles {
    /// For an image of this name, `….fits` or `….fits.gz`.
    pub fn new(image: &Path) -> Self {
        let name = image.file_name().unwrap_or_default().to_string_lossy();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        let stem = [".fits", ".fit"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        Self { image: image.to_owned(), stem: image.with_file_name(stem) }
    }

    /// Number `number` of a series: `<stem>_<number>` with the same ending.
    pub fn numbered(&self, number: u64) -> Self {
        let name = self.image.file_name().unwrap_or_default().to_string_lossy();
        let stem = self.stem.file_name().unwrap_or_default().to_string_lossy();
        let ending = name.strip_prefix(&*stem).unwrap_or_default();
        Self::new(&self.image.with_file_name(format!("{stem}_{number}{ending}")))
    }

    /// A file beside the image: `<stem><ending>`.
    pub fn beside(&self, ending: &str) -> PathBuf {
        let stem = self.stem.file_name().unwrap_or_default().to_string_lossy();
        self.stem.with_file_name(format!("{stem}{ending}"))
    }

    /// All files of the image.
    pub fn all(&self) -> [PathBuf; 6] {
        [
            self.image.clone(),
            self.beside("_truth.json"),
            self.beside("_truth.csv"),
            self.beside("_truth_pixels.csv"),
            self.beside("_truth.fits"),
            self.beside("_panaSKImg.json"),
        ]
    }

    fn compressed(&self) -> bool {
        self.image.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz"))
    }
}

/// Makes image number `index` (from 0) of a series. The files appear when all of them are complete.
pub fn simulate_image(
    setup: &Setup,
    index: u64,
    files: &ImageFiles,
    embed_truth: bool,
    geant4: Option<&mut Geant4Output>,
) -> Result<()> {
    let geometry = &setup.geometry;
    let particles: Vec<_> =
        (0..geometry.extensions()).map(|ext| particles(setup, index, ext, geant4.is_some())).collect();
    let signal: Vec<_> = particles.iter().flat_map(|p| contributions(setup, p)).collect();
    let pedestals: Vec<_> = (0..geometry.amplifiers()).map(|a| Pedestal::new(setup, index, a)).collect();
    let readout = Readout::new(setup, index, &pedestals);

    let image = FitsFile::create(&files.image, &header::image_hdus(setup, index, embed_truth))?;
    let truth_images = TruthImages::create(setup, &files.beside("_truth.fits"), embed_truth.then_some(&image))?;
    let rows =
        Rows { setup, readout: &readout, pedestals: &pedestals, signal: &signal, image: &image, truth: &truth_images };
    let mut charge: Vec<_> =
        signal.iter().enumerate().map(|(a, signal)| ChargeMaker::new(setup, index, a, signal)).collect();
    let mut flicker: Vec<_> = (0..geometry.amplifiers()).map(|a| readout.flicker_start(a)).collect();
    let mut counts = vec![AmplifierCounts::default(); geometry.amplifiers()];
    let block = (BLOCK_PIXELS / (geometry.line() * geometry.amplifiers())).clamp(1, BLOCK_ROWS);
    let mut first = 0;
    while first < geometry.rows() {
        let block = first..(first + block).min(geometry.rows());
        let charge: Vec<_> = charge.iter_mut().map(|maker| maker.block(block.clone())).collect();
        rows.read(block.clone(), &charge, &mut flicker, &mut counts)?;
        first = block.end;
    }

    let summary = truth::summary(setup, index, &counts, &pedestals, &readout.line_phases(), &particles);
    let (list, pixels) = truth::tables(setup, index, &particles);
    if let Some(output) = geant4 {
        output.add(setup, &particles)?;
    }
    truth::write_file(files.beside("_truth.json"), &pretty(&summary))?;
    truth::write_file(files.beside("_truth.csv"), &list)?;
    truth::write_file(files.beside("_truth_pixels.csv"), &pixels)?;
    let analysis = serde_json::json!({ "input": header::analysis_input(setup) });
    truth::write_file(files.beside("_panaSKImg.json"), &pretty(&analysis))?;
    truth_images.finish()?;
    if files.compressed() { image.finish_gzip() } else { image.finish() }
}

fn pretty(value: &serde_json::Value) -> Vec<u8> {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text.into_bytes()
}

/// What is needed to read rows.
struct Rows<'a> {
    setup: &'a Setup,
    readout: &'a Readout<'a>,
    pedestals: &'a [Pedestal],
    signal: &'a [Vec<super::charge::Contribution>],
    image: &'a FitsFile,
    truth: &'a TruthImages<'a>,
}

impl Rows<'_> {
    /// Reads a block of rows; `charge[amplifier][row of the block]`, `flicker` the state of the 1/f noise by amplifier.
    fn read(
        &self,
        block: std::ops::Range<usize>,
        charge: &[Vec<Vec<u32>>],
        flicker: &mut [Vec<f64>],
        counts: &mut [AmplifierCounts],
    ) -> Result<()> {
        let amplifiers = charge.len();
        let row_bytes = self.readout.values_per_line() * size_of::<f64>() * amplifiers;
        let part = if self.readout.has_flicker() { (FLICKER_BYTES / row_bytes).max(1) } else { block.len() };
        // A row too large to be kept has its noise made twice.
        let keep = row_bytes <= FLICKER_BYTES;
        let mut first = block.start;
        while first < block.end {
            let rows = first..(first + part).min(block.end);
            let flicker_rows = self.flicker_rows(rows.clone(), flicker, keep);
            let row_counts = rows
                .clone()
                .into_par_iter()
                .map(|row| {
                    let charge: Vec<&[u32]> = charge.iter().map(|rows| &rows[row - block.start][..]).collect();
                    let flicker = flicker_rows.get(row - rows.start).map_or(&[][..], Vec::as_slice);
                    self.row(row, &charge, flicker)
                })
                .collect::<Result<Vec<_>>>()?;
            for row in row_counts {
                counts.iter_mut().zip(&row).for_each(|(sum, counts)| sum.add(counts));
            }
            first = rows.end;
        }
        Ok(())
    }

    /// 1/f noise of some rows, `[row][amplifier]`: made in parallel, joined in order.
    fn flicker_rows(&self, rows: std::ops::Range<usize>, states: &mut [Vec<f64>], keep: bool) -> Vec<Vec<FlickerRow>> {
        if !self.readout.has_flicker() {
            return Vec::new();
        }
        let amplifiers = states.len();
        let mut parts: Vec<Vec<FlickerRow>> = rows
            .into_par_iter()
            .map(|row| (0..amplifiers).into_par_iter().filter_map(|a| self.readout.flicker_row(a, row, keep)).collect())
            .collect();
        for row in &mut parts {
            for (part, state) in row.iter_mut().zip(states.iter_mut()) {
                part.start.clone_from(state);
                *state = self.readout.flicker_end(part);
            }
        }
        parts
    }

    /// Reads one row of all amplifiers, with its truth.
    fn row(&self, row: usize, charge: &[&[u32]], flicker: &[FlickerRow]) -> Result<Vec<AmplifierCounts>> {
        thread_local! {
            static SCRATCH: RefCell<Scratch> = RefCell::default();
        }
        let geometry = &self.setup.geometry;
        let mut saturated = vec![vec![false; geometry.line()]; charge.len()];
        let mut sink = ImageRow {
            file: self.image,
            row,
            first_hdu: usize::from(self.setup.config.layout == Layout::Acm),
            size: Storage::of(&self.setup.config).bytes(),
        };
        SCRATCH
            .with_borrow_mut(|scratch| self.readout.row(row, charge, flicker, scratch, &mut saturated, &mut sink))?;
        let mut counts = Vec::with_capacity(charge.len());
        let per_ext = geometry.amplifiers_per_extension();
        for ext in 0..geometry.extensions() {
            let mut truth = TruthRow::new(geometry.cols());
            for side in 0..per_ext {
                let a = ext * per_ext + side;
                let signal = of_row(&self.signal[a], row);
                truth.enter(self.setup, side, row, charge[a], signal, &self.pedestals[a], &saturated[a]);
                counts.push(AmplifierCounts::of_row(self.setup, row, charge[a], signal, &saturated[a]));
            }
            self.truth.write(ext, row, &truth)?;
        }
        Ok(counts)
    }
}

/// A row of the image file.
struct ImageRow<'a> {
    file: &'a FitsFile,
    row: usize,
    first_hdu: usize,
    size: usize,
}

impl RowSink for ImageRow<'_> {
    type Error = SimulateError;

    fn put(&mut self, ext: usize, first: usize, bytes: &[u8]) -> Result<()> {
        self.file.write_row(self.first_hdu + ext, self.row, first, self.size, bytes)
    }
}
