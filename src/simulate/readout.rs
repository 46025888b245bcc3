//! From charge to ADC values, sample by sample (spec 07 §8.3 steps 2–5):
//!
//! ```text
//! signal = Q_k (1 + quadratic Q_k) + σ₁ ξ + flicker(t) + Σ lines           [e⁻]
//! ADU    = pedestal + polarity · gain · (signal + Σ_j x_ij signal_j)
//! ```
//!
//! One call makes one row of all amplifiers (cross-talk mixes samples taken at the same time), in stretches short enough
//! to stay in the processor's cache.

use std::f64::consts::PI;

use super::config::{LinePhase, SimulationConfig};
use super::flicker::Flicker;
use super::setup::Setup;
use crate::stats::random::{Binomial, Stream, Tag};

/// Samples of one amplifier that are made at a time.
const STRETCH: usize = 16 * 1024;

/// How samples are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// Big-endian 16-bit integers with BZERO 32768.
    U16,
    /// Big-endian 32-bit integers; with BZERO 2147483648 for 32 bits.
    I32 {
        /// Whether BZERO is needed.
        offset: bool,
    },
    /// Big-endian 64-bit floats, one per pixel.
    F64,
}

impl Storage {
    /// The storage for this configuration.
    pub fn of(config: &SimulationConfig) -> Self {
        match (config.averaged, config.adc_bits) {
            (true, _) => Self::F64,
            (_, 0..=16) => Self::U16,
            (_, bits) => Self::I32 { offset: bits == 32 },
        }
    }

    /// Bytes of a value.
    pub fn bytes(self) -> usize {
        match self {
            Self::U16 => 2,
            Self::I32 { .. } => 4,
            Self::F64 => 8,
        }
    }
}

/// Pedestal of one amplifier, without the offsets of the skips.
#[derive(Debug, Clone, PartialEq)]
pub struct Pedestal {
    /// Level of each image row, ADU.
    pub rows: Vec<f64>,
    /// Offset of each readout column, ADU.
    pub cols: Vec<f64>,
}

impl Pedestal {
    /// Drawn for this image and amplifier.
    pub fn new(setup: &Setup, image: u64, amplifier: usize) -> Self {
        let config = &setup.config.pedestal;
        let rows = setup.geometry.rows();
        let stream = |tag, row| Stream::new(setup.config.seed, tag, image, amplifier as u64, row as u64);
        let level = |row: usize| {
            let random =
                if config.row_rms > 0.0 { config.row_rms * stream(Tag::RowPedestal, row).normal() } else { 0.0 };
            config.base + random + config.row_drift * row as f64 / rows as f64
        };
        let mut columns = stream(Tag::ColumnPedestal, 0);
        let offset = |col: usize| {
            let random = if config.col_rms > 0.0 { config.col_rms * columns.normal() } else { 0.0 };
            let transient = config.col_transient;
            random + transient.amplitude * libm::exp(-(col as f64) / transient.tau)
        };
        Self { rows: (0..rows).map(level).collect(), cols: (0..setup.geometry.line()).map(offset).collect() }
    }
}

/// Mean offset of the skips, ADU.
pub fn mean_skip_offset(setup: &Setup) -> f64 {
    setup.config.pedestal.skip_transient.iter().sum::<f64>() / setup.geometry.skips as f64
}

/// An interference line with its phase in this image.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Line {
    /// Cycles per sample.
    cycles: f64,
    amplitude: f64,
    /// In cycles.
    phase: f64,
}

/// What all rows of an image share.
#[derive(Debug)]
pub struct Readout<'a> {
    setup: &'a Setup,
    image: u64,
    storage: Storage,
    pedestals: &'a [Pedestal],
    lines: Vec<Line>,
    /// 1/f noise; `None`: none.
    flicker: Option<Flicker>,
    /// Steps of the signal per pixel: the skips, or 1 for averaged images.
    steps: usize,
    /// Offsets of the skips, as long as the skips; empty: none.
    offsets: Vec<f64>,
}

/// 1/f noise of one row and amplifier.
#[derive(Debug, Clone)]
pub struct FlickerRow {
    /// State at the start of the row.
    pub start: Vec<f64>,
    /// Random numbers of the row.
    stream: Stream,
    /// The row after a start from zero, where it is kept.
    kept: Option<Vec<f64>>,
    /// State at the end of the row after a start from zero.
    pub end_from_rest: Vec<f64>,
}

/// Where finished bytes go.
pub trait RowSink {
    /// Error of the sink.
    type Error;
    /// Takes a stretch of a row: extension, first file column (in values), big-endian values.
    fn put(&mut self, ext: usize, first: usize, bytes: &[u8]) -> Result<(), Self::Error>;
}

/// Memory that a thread keeps from row to row.
#[derive(Debug, Default)]
pub struct Scratch {
    signals: Vec<Vec<f64>>,
    mixed: Vec<f64>,
    bytes: Vec<u8>,
    losses: Vec<u32>,
    flicker: Vec<f64>,
}

/// State of one amplifier while its row is made.
struct Channel<'a> {
    noise: Stream,
    loss: Stream,
    charge: &'a [u32],
    flicker: Option<(FlickerState, &'a FlickerRow)>,
}

struct FlickerState {
    decaying: Vec<f64>,
    from_rest: Vec<f64>,
    stream: Stream,
}

impl<'a> Readout<'a> {
    /// Prepares the readout of an image; `pedestals` by amplifier.
    pub fn new(setup: &'a Setup, image: u64, pedestals: &'a [Pedestal]) -> Self {
        let config = &setup.config;
        let skips = setup.geometry.skips;
        let mut phases = Stream::new(config.seed, Tag::Lines, image, 0, 0);
        let lines = config
            .noise
            .lines
            .iter()
            .map(|line| Line {
                cycles: line.freq * config.t_skip,
                amplitude: line.amplitude,
                phase: match line.phase {
                    LinePhase::Fixed(phase) => phase / (2.0 * PI),
                    LinePhase::Random(_) => phases.uniform(),
                },
            })
            .collect();
        let flicker = (!setup.flicker_corners.is_empty()).then(|| {
            if config.averaged {
                Flicker::per_pixel(config.noise.flicker, &setup.flicker_corners, config.t_skip, skips)
            } else {
                Flicker::per_sample(config.noise.flicker, &setup.flicker_corners, config.t_skip)
            }
        });
        let mut offsets = config.pedestal.skip_transient.clone();
        if !offsets.is_empty() {
            offsets.resize(skips, 0.0);
        }
        let steps = if config.averaged { 1 } else { skips };
        Self { setup, image, storage: Storage::of(config), pedestals, lines, flicker, steps, offsets }
    }

    /// Phases of the lines in this image, rad.
    pub fn line_phases(&self) -> Vec<f64> {
        self.lines.iter().map(|line| line.phase * 2.0 * PI).collect()
    }

    /// Whether there is 1/f noise.
    pub fn has_flicker(&self) -> bool {
        self.flicker.is_some()
    }

    /// Values of the signal in a row of one amplifier.
    pub fn values_per_line(&self) -> usize {
        self.setup.geometry.line() * self.steps
    }

    /// State of the 1/f noise before row 0.
    pub fn flicker_start(&self, amplifier: usize) -> Vec<f64> {
        let mut stream = self.stream(Tag::Flicker, amplifier, 0);
        self.flicker.as_ref().map_or_else(Vec::new, |f| f.start(&mut stream))
    }

    /// The part of the 1/f noise that depends on the row's own random numbers; `keep` stores it, otherwise it is made
    /// again when the row is read.
    pub fn flicker_row(&self, amplifier: usize, row: usize, keep: bool) -> Option<FlickerRow> {
        let flicker = self.flicker.as_ref()?;
        let mut stream = self.stream(Tag::Flicker, amplifier, row);
        if row == 0 {
            // The numbers that made the state before row 0.
            flicker.start(&mut stream);
        }
        let mut state = flicker.rest();
        let mut after = stream.clone();
        let values = self.values_per_line();
        let mut kept = vec![0.0; if keep { values } else { STRETCH.min(values) }];
        let mut done = 0;
        while done < values {
            let stretch = kept.len().min(values - done);
            flicker.advance(&mut state, &mut after, &mut kept[..stretch]);
            done += stretch;
        }
        Some(FlickerRow { start: Vec::new(), stream, kept: keep.then_some(kept), end_from_rest: state })
    }

    /// State at the end of a row.
    pub fn flicker_end(&self, row: &FlickerRow) -> Vec<f64> {
        let steps = self.values_per_line();
        self.flicker.as_ref().map_or_else(Vec::new, |f| f.end_of_row(&row.start, &row.end_from_rest, steps))
    }

    fn stream(&self, tag: Tag, amplifier: usize, row: usize) -> Stream {
        Stream::new(self.setup.config.seed, tag, self.image, amplifier as u64, row as u64)
    }

    /// Makes one row of all amplifiers. `charge[amplifier][readout column]`; `flicker` by amplifier, empty if there is
    /// none; `saturated[amplifier][readout column]` is set where every sample of a pixel is at the end of the ADC range.
    pub fn row<S: RowSink>(
        &self,
        row: usize,
        charge: &[&[u32]],
        flicker: &[FlickerRow],
        scratch: &mut Scratch,
        saturated: &mut [Vec<bool>],
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let geometry = &self.setup.geometry;
        let mut channels: Vec<Channel> = charge
            .iter()
            .enumerate()
            .map(|(amplifier, charge)| Channel {
                noise: self.stream(Tag::Noise, amplifier, row),
                loss: self.stream(Tag::Loss, amplifier, row),
                charge,
                flicker: flicker.get(amplifier).map(|f| {
                    let state = FlickerState {
                        decaying: f.start.clone(),
                        from_rest: vec![0.0; f.start.len()],
                        stream: f.stream.clone(),
                    };
                    (state, f)
                }),
            })
            .collect();
        scratch.signals.resize_with(channels.len(), Vec::new);
        let pixels_per_stretch = (STRETCH / self.steps).max(1);
        let line = geometry.line();
        let mut first = 0;
        while first < line {
            let cols = first..(first + pixels_per_stretch).min(line);
            for (amplifier, channel) in channels.iter_mut().enumerate() {
                let mut signal = std::mem::take(&mut scratch.signals[amplifier]);
                signal.resize(cols.len() * self.steps, 0.0);
                self.signal(row, cols.clone(), channel, scratch, &mut signal);
                scratch.signals[amplifier] = signal;
            }
            for amplifier in 0..channels.len() {
                self.digitise(row, cols.clone(), amplifier, scratch, &mut saturated[amplifier], sink)?;
            }
            first = cols.end;
        }
        Ok(())
    }

    /// The signal of a stretch of pixels at the input of one amplifier, e⁻.
    fn signal(
        &self,
        row: usize,
        cols: std::ops::Range<usize>,
        channel: &mut Channel,
        scratch: &mut Scratch,
        signal: &mut [f64],
    ) {
        let config = &self.setup.config;
        let skips = self.setup.geometry.skips;
        let sigma = if config.averaged { config.noise.sigma1 / (skips as f64).sqrt() } else { config.noise.sigma1 };
        if sigma > 0.0 {
            channel.noise.fill_normal(sigma, signal);
        } else {
            signal.fill(0.0);
        }
        if let Some((state, row)) = &mut channel.flicker
            && let Some(flicker) = &self.flicker
        {
            let range = cols.start * self.steps..cols.end * self.steps;
            scratch.flicker.resize(signal.len(), 0.0);
            match &row.kept {
                Some(kept) => scratch.flicker.copy_from_slice(&kept[range]),
                None => flicker.advance(&mut state.from_rest, &mut state.stream, &mut scratch.flicker),
            }
            flicker.add_decay(&mut state.decaying, &mut scratch.flicker);
            signal.iter_mut().zip(&scratch.flicker).for_each(|(s, f)| *s += f);
        }
        for line in &self.lines {
            self.add_line(line, row, cols.start, signal);
        }
        for (pixel, col) in signal.chunks_exact_mut(self.steps).zip(cols) {
            let charge = channel.charge[col];
            if charge > 0 {
                self.add_charge(charge, &mut channel.loss, &mut scratch.losses, pixel);
            }
        }
    }

    /// Adds a sine; its phase is computed anew for every pixel and turned from sample to sample inside a pixel.
    fn add_line(&self, line: &Line, row: usize, first_col: usize, signal: &mut [f64]) {
        let geometry = &self.setup.geometry;
        let skips = geometry.skips;
        let first_pixel = (row * geometry.line() + first_col) as f64;
        let angle = |cycles: f64| 2.0 * PI * (cycles - cycles.floor());
        if self.setup.config.averaged {
            // mean of sin(φ + kδ) over k = 0 … N−1
            let half_turn = PI * line.cycles;
            let (sum, one) = (libm::sin(half_turn * skips as f64), libm::sin(half_turn));
            let damping = if one.abs() < 1e-12 { 1.0 } else { sum / (one * skips as f64) };
            for (i, s) in signal.iter_mut().enumerate() {
                let samples = (first_pixel + i as f64) * skips as f64 + 0.5 * (skips - 1) as f64;
                *s += line.amplitude * damping * libm::sin(angle(line.phase + line.cycles * samples));
            }
            return;
        }
        let turn = angle(line.cycles);
        let (turn_sin, turn_cos) = (libm::sin(turn), libm::cos(turn));
        for (i, pixel) in signal.chunks_exact_mut(skips).enumerate() {
            let phase = angle(line.phase + line.cycles * (first_pixel + i as f64) * skips as f64);
            let (mut sin, mut cos) = (line.amplitude * libm::sin(phase), line.amplitude * libm::cos(phase));
            for s in pixel {
                *s += sin;
                (sin, cos) = (sin * turn_cos + cos * turn_sin, cos * turn_cos - sin * turn_sin);
            }
        }
    }

    /// Adds the charge of a pixel to its samples; electrons may be lost between samples.
    fn add_charge(&self, charge: u32, stream: &mut Stream, losses: &mut Vec<u32>, pixel: &mut [f64]) {
        let config = &self.setup.config;
        let skips = self.setup.geometry.skips;
        let response = |q: f64| q * (1.0 + config.quadratic * q);
        let p = config.charge_loss;
        if p <= 0.0 {
            let signal = response(f64::from(charge));
            pixel.iter_mut().for_each(|s| *s += signal);
            return;
        }
        losses.clear();
        losses.resize(skips, 0);
        if (charge as usize) < skips {
            // An electron is still there in the first samples, as many as a geometric number says.
            for _ in 0..charge {
                let lifetime = stream.geometric(p);
                if lifetime < skips as u64 {
                    losses[lifetime as usize] += 1;
                }
            }
        } else {
            let binomial = Binomial::new(p);
            let mut left = u64::from(charge);
            for loss in &mut losses[1..] {
                *loss = binomial.draw(left, stream) as u32;
                left -= u64::from(*loss);
            }
        }
        let mut left = charge;
        let mut samples = losses.iter().map(|loss| {
            left -= loss;
            response(f64::from(left))
        });
        if config.averaged {
            pixel[0] += samples.sum::<f64>() / skips as f64;
        } else {
            pixel.iter_mut().for_each(|s| *s += samples.next().unwrap_or(0.0));
        }
    }

    /// Cross-talk, gain, pedestal, ADC; hands the bytes to the sink.
    fn digitise<S: RowSink>(
        &self,
        row: usize,
        cols: std::ops::Range<usize>,
        amplifier: usize,
        scratch: &mut Scratch,
        saturated: &mut [bool],
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let Scratch { signals, mixed, bytes, .. } = scratch;
        let signal = match &self.setup.crosstalk {
            None => &signals[amplifier],
            Some(matrix) => {
                mixed.clone_from(&signals[amplifier]);
                for (other, fraction) in signals.iter().zip(&matrix[amplifier]) {
                    if *fraction != 0.0 {
                        mixed.iter_mut().zip(other).for_each(|(s, o)| *s += fraction * o);
                    }
                }
                &*mixed
            }
        };
        let geometry = &self.setup.geometry;
        let pedestal = &self.pedestals[amplifier];
        let scale = f64::from(self.setup.config.polarity) * self.setup.gain[amplifier];
        let mirrored = amplifier % geometry.amplifiers_per_extension() == 1;
        let size = self.storage.bytes();
        bytes.resize(signal.len() * size, 0);
        let pixel_bytes = size * self.steps;
        for (i, pixel) in signal.chunks_exact(self.steps).enumerate() {
            let col = cols.start + i;
            let level = pedestal.rows[row] + pedestal.cols[col];
            // Mirrored pixels are filled from the end, sample by sample: time runs backwards in the file.
            let place = if mirrored { cols.len() - 1 - i } else { i };
            let out = &mut bytes[place * pixel_bytes..][..pixel_bytes];
            saturated[col] = self.convert(pixel, level, scale, mirrored, out);
        }
        let first = if mirrored { geometry.cols() - cols.end } else { cols.start };
        sink.put(amplifier / geometry.amplifiers_per_extension(), first * self.steps, bytes)
    }

    /// Converts the samples of a pixel; true if all of them are at the end of the range to which charge drives them.
    fn convert(&self, signal: &[f64], level: f64, scale: f64, mirrored: bool, out: &mut [u8]) -> bool {
        if self.storage == Storage::F64 {
            let offset = mean_skip_offset(self.setup);
            out.copy_from_slice(&(level + offset + scale * signal[0]).to_be_bytes());
            return false;
        }
        let max = self.setup.adc_max();
        let end = if scale > 0.0 { max as u32 } else { 0 };
        let adc = |level: f64, s: f64| {
            // Adding 1.5·2⁵² rounds to an integer, half to even, and leaves it in the low bits.
            const ROUND: f64 = 6_755_399_441_055_744.0;
            ((level + scale * s).max(0.0).min(max) + ROUND).to_bits() as u32
        };
        let mut at_end = 0;
        let mut count = |value: u32| {
            at_end += usize::from(value == end);
            value
        };
        match self.storage {
            Storage::U16 => {
                let places = out.chunks_exact_mut(2);
                let store =
                    |place: &mut [u8], value: u32| place.copy_from_slice(&((value as u16) ^ 0x8000).to_be_bytes());
                self.each_sample(signal, level, mirrored, places, |level, s, place| store(place, count(adc(level, s))));
            }
            _ => {
                let places = out.chunks_exact_mut(4);
                let flip = if self.storage == (Storage::I32 { offset: true }) { 0x8000_0000 } else { 0 };
                self.each_sample(signal, level, mirrored, places, |level, s, place| {
                    place.copy_from_slice(&(count(adc(level, s)) ^ flip).to_be_bytes());
                });
            }
        }
        at_end == signal.len()
    }

    /// Calls `store(level of the skip, signal, place)` for each sample.
    #[inline(always)]
    fn each_sample<'b>(
        &self,
        signal: &[f64],
        level: f64,
        mirrored: bool,
        places: impl DoubleEndedIterator<Item = &'b mut [u8]> + ExactSizeIterator,
        mut store: impl FnMut(f64, f64, &mut [u8]),
    ) {
        match (self.offsets.is_empty(), mirrored) {
            (true, false) => signal.iter().zip(places).for_each(|(s, p)| store(level, *s, p)),
            (true, true) => signal.iter().zip(places.rev()).for_each(|(s, p)| store(level, *s, p)),
            (false, false) => {
                signal.iter().zip(&self.offsets).zip(places).for_each(|((s, o), p)| store(level + o, *s, p));
            }
            (false, true) => {
                signal.iter().zip(&self.offsets).zip(places.rev()).for_each(|((s, o), p)| store(level + o, *s, p));
            }
        }
    }
}

#[cfg(test)]
mod tests;
