//! The cube of skips: rows × columns × skips, streamed in blocks of rows and never held whole.
//!
//! A raw skipper image of 2000 skips is many times larger than what a laptop should hold. Blocks of about half a
//! megabyte stay in the cache of a core; each thread has its own buffers, so the memory needed is that of a few blocks.
//! Blocks do not depend on the number of threads, and results come back in the order of rows: any number of threads
//! gives the same numbers, bit for bit.
//!
//! The corrections of the set-up act on each block while it is read, in the order of spec 01 §4.4:
//!
//! ```text
//! read ─> Leach fix ─> polarity ─> [row, col, skip] ─> row binning ─> flip of the U skips
//! ```

mod assemble;
mod counts;
mod layout;

use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};

use ndarray::{Array2, Array3};
use rayon::prelude::*;

use self::assemble::Buffers;
use super::Region;
use crate::fits::FitsError;
use crate::fits::writer::add;

pub use counts::{SampleCounts, SaturationLimit};
pub use layout::{CubeLayout, LeachFix};

/// Samples in a block, about: half a megabyte of integers.
const BLOCK_SAMPLES: usize = 128 << 10;

/// Blocks whose findings are held at the same time while several consumers look at the cube.
const BLOCKS_PER_WAVE: usize = 64;

/// Samples, integers where the file holds integers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Samples<'a> {
    /// Integers, ADU.
    Int(&'a [i32]),
    /// Anything else, ADU; NaN: undefined.
    Real(&'a [f64]),
}

impl<'a> Samples<'a> {
    /// Number of samples.
    pub fn len(&self) -> usize {
        match self {
            Self::Int(x) => x.len(),
            Self::Real(x) => x.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Some of them.
    pub fn part(&self, range: Range<usize>) -> Self {
        match self {
            Self::Int(x) => Self::Int(&x[range]),
            Self::Real(x) => Self::Real(&x[range]),
        }
    }

    /// One of them as a double.
    pub fn get(&self, index: usize) -> f64 {
        match self {
            Self::Int(x) => f64::from(x[index]),
            Self::Real(x) => x[index],
        }
    }

    /// All of them as doubles.
    pub fn iter(self) -> impl Iterator<Item = f64> + 'a {
        (0..self.len()).map(move |i| self.get(i))
    }
}

/// A rectangle of pixels with all their skips.
#[derive(Debug, Clone)]
pub struct Block<'a> {
    /// Rows of the image.
    pub rows: Range<usize>,
    /// Columns of the image.
    pub cols: Range<usize>,
    /// Skips per pixel.
    pub skips: usize,
    /// The samples in the order `[row, col, skip]`.
    pub samples: Samples<'a>,
}

impl<'a> Block<'a> {
    /// The skips of a pixel; `row` and `col` are those of the image and must lie in the block.
    pub fn pixel(&self, row: usize, col: usize) -> Samples<'a> {
        let pixel = (row - self.rows.start) * self.cols.len() + (col - self.cols.start);
        self.samples.part(pixel * self.skips..(pixel + 1) * self.skips)
    }

    /// The pixels of the block: row, column and skips.
    pub fn pixels(&self) -> impl Iterator<Item = (usize, usize, Samples<'a>)> + '_ {
        self.rows.clone().flat_map(move |r| self.cols.clone().map(move |c| (r, c, self.pixel(r, c))))
    }
}

impl Block<'_> {
    /// Sample `skip` of each pixel, in the order of the pixels; NaN if there are fewer skips.
    fn copy_skip(&self, skip: usize, out: &mut [f64]) {
        if skip >= self.skips {
            out.fill(f64::NAN);
            return;
        }
        match self.samples {
            Samples::Int(all) => {
                let samples = all.iter().skip(skip).step_by(self.skips);
                out.iter_mut().zip(samples).for_each(|(q, &sample)| *q = f64::from(sample));
            }
            Samples::Real(all) if self.skips == 1 => out.copy_from_slice(all),
            Samples::Real(all) => {
                let samples = all.iter().skip(skip).step_by(self.skips);
                out.iter_mut().zip(samples).for_each(|(q, &sample)| *q = sample);
            }
        }
    }
}

/// Something that looks at every block; several of them share one pass over the file ([`SkipCube::stream`]).
pub trait Consumer: Sync {
    /// Looks at a block; called in parallel.
    fn observe(&self, block: &Block<'_>) -> Box<dyn std::any::Any + Send>;

    /// Takes what [`Consumer::observe`] found, block after block in the order of rows.
    fn collect(&mut self, found: Box<dyn std::any::Any + Send>);
}

/// Where the samples are.
#[derive(Debug)]
enum Store {
    /// In a file.
    File(Box<CubeLayout>),
    /// In memory: `[row, col, skip]`.
    Int(Vec<i32>),
    /// In memory: `[row, col, skip]`.
    Real(Vec<f64>),
}

/// What is counted on the first pass over the samples.
#[derive(Debug)]
struct Tally {
    counts: SampleCounts,
    /// Sum of the stored data of each extension.
    data_sums: Vec<u32>,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        self.data_sums.iter_mut().zip(&other.data_sums).for_each(|(sum, part)| *sum = add(*sum, *part));
    }
}

/// The samples of a skipper image.
#[derive(Debug)]
pub struct SkipCube {
    rows: usize,
    cols: usize,
    skips: usize,
    store: Store,
    /// Full regions of the amplifiers, for the counts.
    amplifiers: Vec<Region>,
    limit: Option<SaturationLimit>,
    counts: OnceLock<SampleCounts>,
    /// Sum of the stored data of each extension, once all of them have been read.
    data_sums: OnceLock<Vec<u32>>,
    /// Whether somebody wants to know them.
    summing: bool,
    buffers: Mutex<Vec<Buffers>>,
}

impl SkipCube {
    fn new(shape: (usize, usize, usize), store: Store) -> Self {
        let (rows, cols, skips) = shape;
        Self {
            rows,
            cols,
            skips,
            store,
            amplifiers: vec![Region::new(0..rows, 0..cols)],
            limit: None,
            counts: OnceLock::new(),
            data_sums: OnceLock::new(),
            summing: false,
            buffers: Mutex::new(Vec::new()),
        }
    }

    /// A cube in a file. `amplifiers`: full region of each, for the counts of saturated and undefined samples.
    ///
    /// # Errors
    /// If the inversion of the polarity needs the largest sample and the file cannot be read.
    pub fn from_file(
        layout: CubeLayout,
        amplifiers: Vec<Region>,
        limit: Option<SaturationLimit>,
    ) -> Result<Self, FitsError> {
        let layout = layout.prepare()?;
        let mut cube = Self::new(layout.shape(), Store::File(Box::new(layout)));
        cube.amplifiers = amplifiers;
        cube.limit = limit;
        Ok(cube)
    }

    /// Sums the data while they are streamed ([`SkipCube::data_sums`]).
    pub fn summing_data(mut self) -> Self {
        self.summing = matches!(&self.store, Store::File(layout) if layout.reads_every_byte_once());
        self
    }

    /// HDU and `DATASUM` of the extensions the samples come from. Those that were not summed while they were streamed are
    /// read once more.
    ///
    /// # Errors
    /// If the data cannot be read.
    pub fn data_sums(&self) -> Result<Vec<(usize, u32)>, FitsError> {
        let Store::File(layout) = &self.store else { return Ok(Vec::new()) };
        let known = self.data_sums.get();
        let sum = |(i, plane): (usize, &crate::fits::Plane)| {
            let sum = match known.and_then(|sums| sums.get(i)) {
                Some(&sum) => sum,
                None => plane.data_sum()?,
            };
            Ok((plane.hdu(), sum))
        };
        layout.planes().iter().enumerate().map(sum).collect()
    }

    /// Whether the header of an extension says what the sum of its data is.
    pub fn states_data_sums(&self) -> bool {
        matches!(&self.store, Store::File(layout) if layout.planes().iter().any(crate::fits::Plane::states_data_sum))
    }

    /// Sentences about extensions whose data or header do not agree with their `DATASUM` and `CHECKSUM` cards; see
    /// [`SkipCube::data_sums`].
    ///
    /// # Errors
    /// If the data cannot be read.
    pub fn contradicted_sums(&self) -> Result<Vec<String>, FitsError> {
        let Store::File(layout) = &self.store else { return Ok(Vec::new()) };
        if !self.states_data_sums() {
            return Ok(Vec::new());
        }
        let sums = self.data_sums()?;
        Ok(layout.planes().iter().zip(sums).filter_map(|(plane, (_, sum))| plane.contradicted_sums(sum)).collect())
    }

    /// A small cube in memory, for tests and simulations.
    pub fn from_reals(samples: Array3<f64>) -> Self {
        let shape = samples.dim();
        Self::new(shape, Store::Real(samples.as_standard_layout().into_owned().into_raw_vec_and_offset().0))
    }

    /// A small cube of integers in memory, for tests and simulations.
    pub fn from_integers(samples: Array3<i32>) -> Self {
        let shape = samples.dim();
        Self::new(shape, Store::Int(samples.as_standard_layout().into_owned().into_raw_vec_and_offset().0))
    }

    /// Rows, columns, skips.
    pub fn shape(&self) -> (usize, usize, usize) {
        (self.rows, self.cols, self.skips)
    }

    /// Whether the samples are integers.
    pub fn is_integer(&self) -> bool {
        match &self.store {
            Store::File(layout) => layout.is_integer(),
            Store::Int(_) => true,
            Store::Real(_) => false,
        }
    }

    /// Saturated and undefined samples per amplifier, once the cube has been streamed completely.
    pub fn counts(&self) -> Option<&SampleCounts> {
        self.counts.get()
    }

    /// Calls `work` for blocks of whole rows that cover the image, in parallel; the results are in the order of rows.
    ///
    /// # Errors
    /// If the samples cannot be read.
    pub fn for_each_block<T: Send>(&self, work: impl Fn(&Block<'_>) -> T + Sync) -> Result<Vec<T>, FitsError> {
        self.for_each_block_of(0..self.rows, None, work)
    }

    /// As [`SkipCube::for_each_block`], for some of the rows and with this many rows per block (`None`: so many that a
    /// block fits the cache).
    ///
    /// # Errors
    /// If the samples cannot be read.
    pub fn for_each_block_of<T: Send>(
        &self,
        rows: Range<usize>,
        rows_per_block: Option<usize>,
        work: impl Fn(&Block<'_>) -> T + Sync,
    ) -> Result<Vec<T>, FitsError> {
        let rows = rows.start.min(self.rows)..rows.end.min(self.rows);
        let step = rows_per_block.unwrap_or_else(|| self.rows_per_block()).max(1);
        let blocks: Vec<_> =
            rows.clone().step_by(step).map(|first| (first..(first + step).min(rows.end), 0..self.cols)).collect();
        self.run(&blocks, rows == (0..self.rows), work)
    }

    /// As [`SkipCube::for_each_block`], for work that looks at pixels one by one: long rows are divided, so that blocks
    /// stay small. The results are in the order of rows, and of columns within a row.
    ///
    /// # Errors
    /// If the samples cannot be read.
    pub fn for_each_patch<T: Send>(&self, work: impl Fn(&Block<'_>) -> T + Sync) -> Result<Vec<T>, FitsError> {
        let patches = self.patches();
        self.run(&patches, true, work)
    }

    /// The blocks of [`SkipCube::for_each_patch`].
    pub(super) fn patches(&self) -> Vec<(Range<usize>, Range<usize>)> {
        let row = self.cols * self.skips;
        let divisible = match &self.store {
            Store::File(layout) => layout.rows_can_be_divided(),
            _ => true,
        };
        let parts = if divisible { (row / BLOCK_SAMPLES).clamp(1, self.cols.max(1)) } else { 1 };
        let (height, width) = (self.rows_per_block(), self.cols.div_ceil(parts).max(1));
        (0..self.rows)
            .step_by(height)
            .flat_map(|r| (0..self.cols).step_by(width).map(move |c| (r, c)))
            .map(|(r, c)| (r..(r + height).min(self.rows), c..(c + width).min(self.cols)))
            .collect()
    }

    /// Rows of a block that fits the cache.
    fn rows_per_block(&self) -> usize {
        let fitting = (BLOCK_SAMPLES / (self.cols * self.skips).max(1)).max(1);
        match &self.store {
            Store::File(layout) => layout.whole_tiles(fitting),
            _ => fitting,
        }
    }

    /// Lets several consumers share one pass over the samples, in blocks of whole rows. What they find is collected in
    /// waves of some blocks, so that the memory needed does not grow with the image.
    ///
    /// # Errors
    /// If the samples cannot be read.
    pub fn stream(&self, consumers: &mut [&mut dyn Consumer]) -> Result<(), FitsError> {
        let step = self.rows_per_block().max(1);
        let blocks: Vec<_> =
            (0..self.rows).step_by(step).map(|r| (r..(r + step).min(self.rows), 0..self.cols)).collect();
        let counting = self.counts.get().is_none();
        let mut total = self.new_tally();
        for wave in blocks.chunks(BLOCKS_PER_WAVE) {
            let found = {
                let shared: Vec<&dyn Consumer> = consumers.iter().map(|c| &**c).collect();
                self.run_blocks(wave, counting, |block| shared.iter().map(|c| c.observe(block)).collect::<Vec<_>>())?
            };
            for (findings, tally) in found {
                for (consumer, finding) in consumers.iter_mut().zip(findings) {
                    consumer.collect(finding);
                }
                if let Some(tally) = tally {
                    total.add(&tally);
                }
            }
        }
        if counting {
            self.publish(total);
        }
        Ok(())
    }

    /// Reads part of the cube as doubles, `[row, col, skip]`. For small parts: nothing is streamed.
    ///
    /// # Errors
    /// If the samples cannot be read.
    pub fn read(&self, rows: Range<usize>, skips: Range<usize>) -> Result<Array3<f64>, FitsError> {
        let skips = skips.start.min(self.skips)..skips.end.min(self.skips);
        let parts = self.for_each_block_of(rows.clone(), None, |block| {
            let pixels = block.pixels().flat_map(|(_, _, s)| s.part(skips.clone()).iter());
            pixels.collect::<Vec<f64>>()
        })?;
        let rows = rows.start.min(self.rows)..rows.end.min(self.rows);
        let flat = parts.concat();
        Ok(Array3::from_shape_vec((rows.len(), self.cols, skips.len()), flat).unwrap_or_default())
    }

    /// The images of single skips, `[row, col]` each, in one pass. That of a skip that does not exist is all NaN.
    ///
    /// # Errors
    /// If the samples cannot be read.
    pub fn skip_images(&self, skips: &[usize]) -> Result<Vec<Array2<f64>>, FitsError> {
        let step = self.rows_per_block().max(1);
        let mut images: Vec<_> = skips.iter().map(|_| vec![0.0; self.rows * self.cols]).collect();
        // Each block fills its own part of the images: nothing is held twice.
        let mut places: Vec<Vec<&mut [f64]>> = (0..self.rows.div_ceil(step)).map(|_| Vec::new()).collect();
        for image in &mut images {
            let parts = image.chunks_mut((step * self.cols).max(1));
            places.iter_mut().zip(parts).for_each(|(place, part)| place.push(part));
        }
        let places: Vec<Mutex<Vec<&mut [f64]>>> = places.into_iter().map(Mutex::new).collect();
        self.for_each_block_of(0..self.rows, Some(step), |block| {
            let mut place = places[block.rows.start / step].lock().unwrap_or_else(PoisonError::into_inner);
            for (part, &k) in place.iter_mut().zip(skips) {
                block.copy_skip(k, part);
            }
        })?;
        drop(places);
        let shape = (self.rows, self.cols);
        Ok(images.into_iter().map(|pixels| Array2::from_shape_vec(shape, pixels).unwrap_or_default()).collect())
    }

    /// Works through blocks in parallel. `complete`: they are the whole image, so that saturation can be counted.
    pub(super) fn run<T: Send>(
        &self,
        blocks: &[(Range<usize>, Range<usize>)],
        complete: bool,
        work: impl Fn(&Block<'_>) -> T + Sync,
    ) -> Result<Vec<T>, FitsError> {
        let counting = complete && self.counts.get().is_none();
        let mut total = self.new_tally();
        let values = self
            .run_blocks(blocks, counting, work)?
            .into_iter()
            .map(|(value, tally)| {
                if let Some(tally) = tally {
                    total.add(&tally);
                }
                value
            })
            .collect();
        if counting {
            self.publish(total);
        }
        Ok(values)
    }

    /// Works through blocks in parallel, counting saturated and undefined samples of each if asked for.
    fn run_blocks<T: Send>(
        &self,
        blocks: &[(Range<usize>, Range<usize>)],
        counting: bool,
        work: impl Fn(&Block<'_>) -> T + Sync,
    ) -> Result<Vec<(T, Option<Tally>)>, FitsError> {
        blocks
            .par_iter()
            .map(|(rows, cols)| {
                let mut buffers = self.lock_buffers().pop().unwrap_or_default();
                let mut tally = counting.then(|| self.new_tally());
                let result = self.with_block(rows, cols, &mut buffers, tally.as_mut(), &work);
                self.lock_buffers().push(buffers);
                Ok((result?, tally))
            })
            .collect()
    }

    fn new_tally(&self) -> Tally {
        let extensions = match &self.store {
            Store::File(layout) if self.summing => layout.planes().len(),
            _ => 0,
        };
        Tally { counts: SampleCounts::new(self.amplifiers.len(), self.limit), data_sums: vec![0; extensions] }
    }

    /// Keeps what a complete pass has counted. Another thread may have streamed the cube at the same time, with the same
    /// counts.
    fn publish(&self, total: Tally) {
        let _ = self.counts.set(total.counts);
        if !total.data_sums.is_empty() {
            let _ = self.data_sums.set(total.data_sums);
        }
    }

    fn lock_buffers(&self) -> std::sync::MutexGuard<'_, Vec<Buffers>> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_block<T>(
        &self,
        rows: &Range<usize>,
        cols: &Range<usize>,
        buffers: &mut Buffers,
        tally: Option<&mut Tally>,
        work: impl Fn(&Block<'_>) -> T,
    ) -> Result<T, FitsError> {
        let (mut counts, sums) = match tally {
            Some(Tally { counts, data_sums }) => (Some(counts), &mut data_sums[..]),
            None => (None, &mut [][..]),
        };
        let mut count = |samples: Samples<'_>, per_col: usize, rows: &Range<usize>| {
            if let Some(counts) = &mut counts {
                counts.count(samples, rows, cols, per_col, &self.amplifiers);
            }
        };
        let samples = match &self.store {
            Store::File(layout) => assemble::block(layout, rows, cols, buffers, sums, &mut count)?,
            Store::Int(all) => Samples::Int(self.slice(all, rows, cols, &mut buffers.integers)),
            Store::Real(all) => Samples::Real(self.slice(all, rows, cols, &mut buffers.reals)),
        };
        if !matches!(self.store, Store::File(_)) {
            count(samples, self.skips, rows);
        }
        Ok(work(&Block { rows: rows.clone(), cols: cols.clone(), skips: self.skips, samples }))
    }

    /// Part of samples in memory, copied only if it is not contiguous.
    fn slice<'a, T: Copy>(
        &self,
        all: &'a [T],
        rows: &Range<usize>,
        cols: &Range<usize>,
        buffer: &'a mut Vec<T>,
    ) -> &'a [T] {
        let row = self.cols * self.skips;
        if cols.len() == self.cols {
            return &all[rows.start * row..rows.end * row];
        }
        buffer.clear();
        for r in rows.clone() {
            buffer.extend_from_slice(&all[r * row + cols.start * self.skips..r * row + cols.end * self.skips]);
        }
        buffer
    }
}

#[cfg(test)]
mod tests;
