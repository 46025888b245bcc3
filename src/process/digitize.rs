//! [`DigitizeProcess`]: one step of the detector response, from the deposits of a simulated event to pixels
//! (spec 07 §§3–4).
//!
//! A step acts on a [`HitCollection`]: the deposits of one event in one CCD and one time window. It reads what earlier
//! steps left there and changes it; it touches no file. Collections are independent of each other and are worked on in
//! parallel; steps that gather several of them (images with pasted clusters, images of many events) do so afterwards, in
//! order, through [`Gatherer`].

use std::fmt;
use std::sync::OnceLock;

use ndarray::Array2;
use rayon::prelude::*;

use crate::fits::Header;
use crate::process::reconstruction::ClusterTable;
use crate::stats::random::{Stream, Tag};

/// The simulated CCD and the constants of the run (spec 07 §1).
#[derive(Debug, Clone, PartialEq)]
pub struct Ccd {
    /// Mean energy per electron-hole pair, eV.
    pub e2ev: f64,
    /// eV per ADU.
    pub adc2ev: f64,
    /// Active rows.
    pub rows: usize,
    /// Active columns.
    pub cols: usize,
    /// Pixel size along x (columns), mm.
    pub pixel_x: f64,
    /// Pixel size along y (rows), mm.
    pub pixel_y: f64,
    /// Thickness, mm.
    pub thickness: f64,
    /// Rows before the active ones, in full images.
    pub rows_prescan: usize,
    /// Rows after the active ones.
    pub rows_overscan: usize,
    /// Columns before the active ones.
    pub cols_prescan: usize,
    /// Columns after the active ones.
    pub cols_overscan: usize,
    /// Width of the time window that makes an image, s.
    pub image_time: f64,
}

impl Ccd {
    /// Shape of a full image, pre- and overscan included: rows, columns.
    pub fn full_shape(&self) -> (usize, usize) {
        (self.rows_prescan + self.rows + self.rows_overscan, self.cols_prescan + self.cols + self.cols_overscan)
    }
}

/// A deposit, or (after Diffusion) an electron.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Along the columns, mm.
    pub x: f64,
    /// Along the rows, mm.
    pub y: f64,
    /// Depth from the gates, mm.
    pub z: f64,
    /// Energy, eV.
    pub energy: f64,
    /// Time, s.
    pub time: f64,
    /// PDG code of the particle that left it.
    pub pdg: i32,
    /// Electrons it stands for: 0 for deposits, 1 after Diffusion.
    pub charge: u32,
    /// Width of the diffusion it went through, mm.
    pub sigma: f64,
}

/// Which particles contributed to a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ParticleFlags {
    /// Neutrons.
    pub neutron: bool,
    /// Photons.
    pub gamma: bool,
    /// Silicon recoils, where an ion is the most frequent particle.
    pub silicon: bool,
    /// Alpha particles.
    pub alpha: bool,
    /// Any ion.
    pub ion: bool,
    /// Electrons and positrons.
    pub electron: bool,
}

/// A pixel with signal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pixel {
    /// Row of the CCD, from 0.
    pub row: u32,
    /// Column of the CCD, from 0.
    pub col: u32,
    /// Energy, eV; with noise and saturation once they have been added.
    pub energy: f64,
    /// Electrons (0 without Diffusion).
    pub charge: u32,
    /// Mean depth of the contributions, mm; −1 for noise only.
    pub z: f64,
    /// Mean width of their diffusion, mm.
    pub sigma: f64,
    /// Energy-weighted mean time, s; −1 for noise only.
    pub time: f64,
    /// Standard deviation of the times, s; −1 for noise only.
    pub std_time: f64,
    /// Time window; −1 for noise only.
    pub window: i64,
    /// Most frequent PDG code; −1 for noise only.
    pub pdg: i32,
    /// Contributing particles.
    pub flags: ParticleFlags,
    /// Energy before the saturation, eV (saturation without noise only).
    pub unsaturated: f64,
}

impl Pixel {
    /// A pixel that holds nothing but noise.
    pub fn noise_only(row: u32, col: u32, energy: f64) -> Self {
        Self {
            row,
            col,
            energy,
            charge: 0,
            z: -1.0,
            sigma: -1.0,
            time: -1.0,
            std_time: -1.0,
            window: -1,
            pdg: -1,
            flags: ParticleFlags::default(),
            unsaturated: energy,
        }
    }
}

/// Noise of a rectangle of pixels of the CCD, eV.
#[derive(Debug, Clone, PartialEq)]
pub struct NoisePatch {
    /// Row of the first pixel.
    pub row: usize,
    /// Column of the first pixel.
    pub col: usize,
    /// `[row, col]`, eV.
    pub values: Array2<f32>,
}

impl NoisePatch {
    /// Noise of a pixel; 0 outside.
    pub fn at(&self, row: usize, col: usize) -> f64 {
        let place = (row.checked_sub(self.row), col.checked_sub(self.col));
        match place {
            (Some(r), Some(c)) => self.values.get((r, c)).map_or(0.0, |v| f64::from(*v)),
            _ => 0.0,
        }
    }
}

/// What is known of the place of a pasted cluster.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PastedPixels {
    /// Rows in the blank image.
    pub rows: Vec<i32>,
    /// Columns in the blank image.
    pub cols: Vec<i32>,
    /// Energies, keV.
    pub energies: Vec<f32>,
}

/// The deposits of one event in one CCD and one time window, and what became of them.
#[derive(Debug, Clone, Default)]
pub struct HitCollection {
    /// Number of the event.
    pub event: i64,
    /// Number of the CCD, from 1.
    pub ccd: i32,
    /// Time window, floor(time / image time).
    pub window: i64,
    /// Position of the window among those of this event and CCD, from 0.
    pub window_number: u64,
    /// Deposits or electrons, until they are pixelised.
    pub hits: Vec<Hit>,
    /// The deposits as they came, where they are needed for a picture.
    pub deposits: Vec<Hit>,
    /// Pixels, in raster order, once they are made.
    pub pixels: Vec<Pixel>,
    /// Whether the pixels have been made.
    pub pixelized: bool,
    /// Row, column and energy (eV) of the pixels before noise was added, where a later image needs them.
    pub signal: Vec<(u32, u32, f64)>,
    /// Noise around the pixels, to be added.
    pub noise: Vec<NoisePatch>,
    /// Largest energy of a pixel, eV.
    pub saturation: Option<f64>,
    /// Whether noise, saturation and threshold have been applied.
    pub assembled: bool,
    /// Clusters, once they are made.
    pub clusters: Option<ClusterTable>,
    /// Positions in `pixels` of the pixels of the clusters, in the order of the table.
    pub cluster_pixels: Vec<usize>,
    /// Where it was pasted.
    pub pasted: Option<PastedPixels>,
    /// Deposits that lie outside the CCD and were left out.
    pub outside: usize,
    /// Nothing is left of it.
    pub killed: bool,
}

/// Smallest number above all rows of a CCD: streams of different time windows do not meet.
const ROWS_PER_WINDOW: u64 = 1 << 20;

impl HitCollection {
    /// The random stream for this purpose.
    pub fn stream(&self, seed: u64, tag: Tag) -> Stream {
        self.row_stream(seed, tag, 0)
    }

    /// The random stream for this purpose and row of the CCD.
    pub fn row_stream(&self, seed: u64, tag: Tag, row: usize) -> Stream {
        let row = self.window_number.wrapping_mul(ROWS_PER_WINDOW).wrapping_add(row as u64);
        Stream::new(seed, tag, self.event as u64, self.ccd as u64, row & u64::from(u32::MAX))
    }

    /// Keeps the pixels as they are now, before noise, for steps that gather collections later.
    pub fn keep_signal(&mut self) {
        if self.signal.is_empty() {
            self.signal = self.pixels.iter().map(|p| (p.row, p.col, p.energy)).collect();
        }
    }

    /// First and last row and column with signal.
    pub fn extent(&self) -> Option<Extent> {
        let first = self.pixels.first()?;
        let start = Extent { rows: (first.row, first.row), cols: (first.col, first.col) };
        Some(self.pixels.iter().fold(start, |e, p| Extent {
            rows: (e.rows.0.min(p.row), e.rows.1.max(p.row)),
            cols: (e.cols.0.min(p.col), e.cols.1.max(p.col)),
        }))
    }
}

/// First and last row and column, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Rows.
    pub rows: (u32, u32),
    /// Columns.
    pub cols: (u32, u32),
}

/// Noise of the full CCD, made once and shared by all collections.
#[derive(Debug, Default)]
pub struct FullNoise {
    /// Sum of the noise of all processes that work on full images, eV, `[row, col]` with pre- and overscan.
    pub sum: Option<Array2<f32>>,
    /// Active pixels whose noise alone is above the threshold, in raster order, once somebody has asked.
    above: OnceLock<Vec<(u32, u32)>>,
}

impl FullNoise {
    /// Adds the noise of a process, eV.
    pub fn add(&mut self, noise: Array2<f32>) {
        match &mut self.sum {
            Some(sum) => *sum += &noise,
            None => self.sum = Some(noise),
        }
    }

    /// Active pixels (row and column of the CCD) whose noise alone is above `threshold`, which must always be the same.
    pub fn above(&self, ccd: &Ccd, threshold: f64) -> &[(u32, u32)] {
        self.above.get_or_init(|| {
            let Some(sum) = &self.sum else { return Vec::new() };
            (0..ccd.rows)
                .into_par_iter()
                .flat_map_iter(|row| {
                    let line = sum.row(ccd.rows_prescan + row);
                    let found: Vec<(u32, u32)> = (0..ccd.cols)
                        .filter(|col| f64::from(line[ccd.cols_prescan + col]) > threshold)
                        .map(|col| (row as u32, col as u32))
                        .collect();
                    found
                })
                .collect()
        })
    }
}

/// What the header says about the noise.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct NoiseCards {
    /// Dark current, e⁻/pixel/s.
    pub dark_current: f64,
    /// Exposure, s.
    pub exposure: f64,
    /// Pedestal, e⁻.
    pub pedestal: f64,
    /// Noise, e⁻.
    pub sigma: f64,
}

/// What a step is told besides the collection.
#[derive(Debug)]
pub struct ResponseContext<'a> {
    /// The CCD.
    pub ccd: &'a Ccd,
    /// Seed of every random number.
    pub seed: u64,
    /// Noise of the full CCD.
    pub full_noise: &'a FullNoise,
    /// Threshold of the pixels, eV.
    pub threshold: Option<f64>,
    /// Largest value of a pixel, ADU.
    pub saturation_adu: Option<f64>,
    /// Noise parameters for the headers of images.
    pub noise_cards: NoiseCards,
    /// Name of the Geant4 file.
    pub input_name: &'a str,
}

/// A value of the tree `process_config`.
#[derive(Debug, Clone, PartialEq)]
pub enum Recorded {
    /// An integer.
    Int(i64),
    /// A number.
    Real(f64),
    /// A text.
    Text(String),
}

impl Recorded {
    /// The word that stands for a choice in the configuration.
    pub fn choice(value: &impl serde::Serialize) -> Self {
        let word = serde_json::to_value(value).ok();
        Self::Text(word.and_then(|w| w.as_str().map(str::to_owned)).unwrap_or_default())
    }

    /// A path; empty if there is none.
    pub fn path(path: Option<&std::path::PathBuf>) -> Self {
        Self::Text(path.map(|p| p.display().to_string()).unwrap_or_default())
    }
}

impl From<f64> for Recorded {
    fn from(x: f64) -> Self {
        Self::Real(x)
    }
}

impl From<bool> for Recorded {
    fn from(x: bool) -> Self {
        Self::Int(i64::from(x))
    }
}

impl From<usize> for Recorded {
    fn from(x: usize) -> Self {
        Self::Int(x as i64)
    }
}

impl From<&str> for Recorded {
    fn from(x: &str) -> Self {
        Self::Text(x.to_owned())
    }
}

/// One step of the detector response.
pub trait DigitizeProcess: Send + Sync + fmt::Debug {
    /// Name of the process.
    fn name(&self) -> &'static str;

    /// Position in the chain: steps are run in this order, whatever the order of the configuration.
    fn sequence_id(&self) -> u32;

    /// Values that make no sense; each text begins with the key.
    fn check(&self, _ccd: &Ccd) -> Vec<String> {
        Vec::new()
    }

    /// What is worth a warning before the run.
    fn remarks(&self, _ccd: &Ccd) -> Vec<String> {
        Vec::new()
    }

    /// Acts on a collection.
    ///
    /// # Errors
    /// What makes the step impossible for this collection.
    fn execute(&self, hits: &mut HitCollection, context: &ResponseContext<'_>) -> Result<(), ResponseError>;

    /// Noise of the full CCD (with pre- and overscan), eV, if the step works on full images.
    fn full_noise(&self, _ccd: &Ccd, _seed: u64) -> Option<Array2<f32>> {
        None
    }

    /// The part of the step that gathers collections, if it has one.
    ///
    /// # Errors
    /// If its input (blank images, …) cannot be used.
    fn gatherer(&self, _ccd: &Ccd, _seed: u64) -> Result<Option<Box<dyn Gatherer>>, ResponseError> {
        Ok(None)
    }

    /// Its parameters in internal units (mm, eV, s, e⁻) for the tree `process_config`.
    fn recorded(&self) -> Vec<(&'static str, Recorded)>;
}

/// Where an image of a [`Gatherer`] goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImagePlace {
    /// `<output file without .root><ending>`.
    BesideOutput(String),
    /// This path.
    Path(std::path::PathBuf),
}

/// An image made from many collections.
#[derive(Debug, Clone)]
pub struct GatheredImage {
    /// Where it goes.
    pub place: ImagePlace,
    /// HDUs: header and pixels.
    pub hdus: Vec<(Header, Array2<f64>)>,
}

/// The part of a step that gathers collections, one after the other, in order.
pub trait Gatherer: Send + fmt::Debug {
    /// Takes a collection that has passed the chain; may kill it. Returns the images that are complete now.
    ///
    /// # Errors
    /// If a blank image cannot be read.
    fn gather(
        &mut self,
        hits: &mut HitCollection,
        context: &ResponseContext<'_>,
    ) -> Result<Vec<GatheredImage>, ResponseError>;

    /// The images that are not complete when a file ends.
    ///
    /// # Errors
    /// As for `gather`.
    fn close(&mut self, context: &ResponseContext<'_>) -> Result<Vec<GatheredImage>, ResponseError>;
}

/// Errors of the detector response.
#[derive(Debug, thiserror::Error)]
pub enum ResponseError {
    /// A step cannot work on a collection.
    #[error("{process}, event {event}, CCD {ccd}: {reason}")]
    Collection {
        /// Process.
        process: &'static str,
        /// Event.
        event: i64,
        /// CCD.
        ccd: i32,
        /// Sentence.
        reason: String,
    },
    /// A step cannot work at all.
    #[error("{process}: {reason}")]
    Process {
        /// Process.
        process: &'static str,
        /// Sentence.
        reason: String,
    },
}
