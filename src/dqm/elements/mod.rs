//! The monitor elements of one image: from what the chain left to entries (spec 06 §6.2).
//!
//! [`measure`] runs the active elements in the order of their ids, each on every amplifier in the order of the labels.
//! What cannot be computed (no overscan, no skips, a failed process) is an entry with a reason, never an error. Nothing
//! here changes the images of the chain; only `recalibrate` of the dark-current fit replaces the calibrated one.

mod amplifier_flags;
pub use amplifier_flags::slow_control;
pub mod charge_loss;
mod columns;
pub mod config;
mod dark_current;
mod histograms;
pub mod outliers;
mod pedestal;
mod pixel_charge;
mod skips;

use std::collections::BTreeMap;

use ndarray::Array2;

use super::catalogue::Scope;
use super::model::{Entry, Extra, Flag, Pair, Values};
use crate::image::{Amplifier, RawData, Region};
use config::{ElementConfig, Elements};
pub use dark_current::AmplifierFit;
pub use outliers::Outliers;

/// What is known about the image besides its pixels.
#[derive(Debug, Clone)]
pub struct ImageFacts {
    /// Image number.
    pub image: i64,
    /// CCD number.
    pub ccd: i64,
    /// File name.
    pub file: String,
    /// Whether the dark-current elements (ids 50–64) are made on this image.
    pub dark_current: bool,
    /// Gains, ADU/e⁻, by amplifier.
    pub gains: BTreeMap<String, Pair>,
}

/// What the elements found.
#[derive(Debug, Default)]
pub struct Measured {
    /// Entries with the id of their element, in the order in which they were made.
    pub entries: Vec<(u16, Entry)>,
    /// Outlying pixels for the run mask.
    pub outliers: Option<Outliers>,
    /// The dark-current fit of each amplifier.
    pub fits: BTreeMap<String, AmplifierFit>,
    /// Gains at the end: those of the facts, or of the dark-current fit with `recalibrate`.
    pub gains: BTreeMap<String, Pair>,
    /// What may be a mistake.
    pub warnings: Vec<String>,
}

impl Measured {
    /// Worst flag of all entries.
    pub fn status(&self) -> Flag {
        Flag::worst(self.entries.iter().map(|(_, e)| e.status))
    }
}

/// One amplifier of the image, as an element sees it.
struct Shot<'a> {
    raw: &'a RawData,
    amplifier: &'a Amplifier,
    config: &'a ElementConfig,
    gains: &'a BTreeMap<String, Pair>,
}

/// Why an element does not apply.
type Reason = String;

impl<'a> Shot<'a> {
    /// The image of the element, or another one.
    fn image(&self, name: &str) -> Result<&'a Array2<f64>, Reason> {
        self.raw.image(name).map_err(|e| e.to_string())
    }

    /// Gain of the amplifier, ADU/e⁻.
    fn gain(&self) -> Result<f64, Reason> {
        match self.gains.get(&self.amplifier.name) {
            Some(gain) if gain.value.is_finite() && gain.value > 0.0 => Ok(gain.value),
            Some(gain) => Err(format!("the gain {} ADU/e⁻ cannot be used", gain.value)),
            None => Err(format!("amplifier {} has no gain", self.amplifier.name)),
        }
    }

    /// Factor that brings the element's image to electrons: 1 for calibrated images.
    fn electrons(&self) -> Result<f64, Reason> {
        if self.config.image.ends_with("_e") { Ok(1.0) } else { self.gain().map(|g| 1.0 / g) }
    }

    /// The overscan, if it has columns.
    fn overscan(&self) -> Result<&'a Region, Reason> {
        if self.amplifier.overscan.is_empty() {
            Err(format!("amplifier {} has no overscan", self.amplifier.name))
        } else {
            Ok(&self.amplifier.overscan)
        }
    }

    /// Number of a row within the amplifier, from 1.
    fn row_number(&self, row: usize) -> f64 {
        (row - self.amplifier.full.rows.start) as f64 + 1.0
    }

    /// Number of a column of the frame, from 1.
    fn col_number(&self, col: usize) -> f64 {
        col as f64 + 1.0
    }

    /// Pixels summed on chip.
    fn binning(&self) -> f64 {
        (self.raw.row_binning * self.raw.col_binning).max(1) as f64
    }

    fn number(&self, key: &str) -> Result<f64, Reason> {
        self.config.number(key, self.amplifier)
    }

    /// A parameter that counts something.
    fn count(&self, key: &str) -> Result<usize, Reason> {
        let x = self.number(key)?;
        if x >= 0.0 && x.fract() == 0.0 && x < 1e9 {
            Ok(x as usize)
        } else {
            Err(format!("`{key}` is {x}; a count was expected"))
        }
    }
}

/// Values of an entry: x and y of the same length.
fn vector(x: Vec<f64>, y: Vec<f64>) -> Entry {
    Entry { x: Values::Many(x), y: Values::Many(y), ..Entry::default() }
}

/// Draws the straight line through the values, with their errors if `sigma` is given.
fn with_line(mut entry: Entry, sigma: Option<&[f64]>, zscore_max: Option<f64>) -> Entry {
    let (x, y) = (entry.x.as_slice(), entry.y.as_slice());
    let fit = super::quality::fit_line_without_outliers(x, y, sigma, zscore_max);
    if let Some(line) = fit {
        entry.yfit = Values::Many(x.iter().map(|x| line.at(*x)).collect());
    }
    entry.fit = fit;
    entry
}

/// Runs the active elements. `raw` changes only if the dark-current fit recalibrates.
pub fn measure(raw: &mut RawData, facts: &ImageFacts, elements: &Elements) -> Measured {
    let mut measured = Measured { gains: facts.gains.clone(), ..Measured::default() };
    let mut order: Vec<usize> = (0..raw.amplifiers.len()).collect();
    order.sort_by(|a, b| label_order(&raw.amplifiers[*a].name, &raw.amplifiers[*b].name));
    let amplifiers: Vec<Amplifier> = order.iter().map(|k| raw.amplifiers[*k].clone()).collect();

    let single_skips = skips::scan(raw, &amplifiers, elements, &mut measured.warnings);
    if let Some(mask) = elements.get(100) {
        match outliers::find(raw, &amplifiers, mask) {
            Ok(found) => measured.outliers = Some(found),
            Err(reason) => measured.warnings.push(format!("{}: {reason}", mask.description.name)),
        }
    }
    let mut pixel_charges = BTreeMap::new();
    let mut slices = BTreeMap::new();
    let mut flags = amplifier_flags::Memory::default();
    let mut fitted = false;
    for config in elements.active() {
        let d = config.description;
        if d.scope == Scope::M {
            continue;
        }
        if d.scope == Scope::I {
            measured.entries.push((d.id, picture(raw, config, facts)));
            continue;
        }
        if (60..=64).contains(&d.id) && facts.dark_current && !fitted {
            fitted = true;
            measured.fits = dark_current::fit_amplifiers(raw, &amplifiers, config);
            if elements.any(60).is_some_and(|e| e.truth("recalibrate")) {
                dark_current::recalibrate(raw, &amplifiers, &measured.fits, &mut measured.gains);
            }
        }
        for amplifier in &amplifiers {
            let shot = Shot { raw, amplifier, config, gains: &measured.gains };
            let found = match d.id {
                0 => skips::mean_difference(&shot, &single_skips),
                1 | 5 | 6 | 7 => pixel_charges
                    .entry(amplifier.name.clone())
                    .or_insert_with(|| pixel_charge::per_row(&shot))
                    .as_ref()
                    .map_err(Reason::clone)
                    .map(|rows| rows.entry(&shot, facts.image)),
                2 => columns::outlying_std(&shot),
                3 => skips::noise(&shot, &single_skips),
                8 | 9 => pixel_charge::row_medians(&shot),
                10 | 11 => pixel_charge::column_medians(&shot),
                12 => columns::above_charge(&shot),
                20 | 21 => pixel_charge::overscan(&shot),
                30..=33 => pedestal::entry(&shot),
                40 => histograms::overscan(&shot),
                41 => histograms::active(&shot),
                42 => histograms::overscan_peak(&shot),
                43 => histograms::single_electrons(&shot),
                50..=57 if !facts.dark_current => Err(dark_current::NOT_HERE.into()),
                50..=57 => {
                    let per_row = d.id <= 53;
                    slices
                        .entry((per_row, amplifier.name.clone()))
                        .or_insert_with(|| dark_current::slices(&shot, per_row))
                        .as_ref()
                        .map_err(Reason::clone)
                        .map(|s| s.entry(d.id, config.zscore_max))
                }
                60..=64 if !facts.dark_current => Err(dark_current::NOT_HERE.into()),
                60..=64 => dark_current::entry(&shot, measured.fits.get(&amplifier.name), facts.image),
                80 => charge_loss::entry(&shot),
                110..=116 => amplifier_flags::entry(&shot, facts.image, &mut flags),
                _ => Err("this monitor element is not known".into()),
            };
            let entry = found.unwrap_or_else(|reason| Entry { reason: Some(reason), ..Entry::default() });
            let (first, _) = (amplifier.full.rows.start, ());
            let own = Entry {
                image: facts.image,
                file: facts.file.clone(),
                ccd: facts.ccd,
                amplifier: amplifier.name.clone(),
                row_offset: first,
                ..entry
            };
            measured.entries.push((d.id, own));
        }
    }
    measured
}

/// `L`, `U`; `EXT2` before `EXT10`.
pub fn label_order(a: &str, b: &str) -> std::cmp::Ordering {
    let split = |s: &str| {
        let digits = s.bytes().rev().take_while(u8::is_ascii_digit).count();
        let (word, number) = s.split_at(s.len() - digits);
        (word.to_owned(), number.parse::<u64>().unwrap_or(0))
    };
    split(a).cmp(&split(b))
}

/// Entry of a picture: whether the image exists.
fn picture(raw: &RawData, config: &ElementConfig, facts: &ImageFacts) -> Entry {
    let reason = if config.description.id == 72 && raw.nskips < 2 {
        Some("the image has one skip".to_owned())
    } else {
        raw.image(&config.image).err().map(|e| e.to_string())
    };
    Entry { image: facts.image, file: facts.file.clone(), ccd: facts.ccd, reason, ..Entry::default() }
}

/// Start of the exposure as days since 2022-01-01T00:00:00; NaN if unknown (the start of the readout stands in).
pub fn days_since_2022(raw: &RawData) -> f64 {
    const START: f64 = 1_640_995_200.0;
    let start = if raw.times.exposure_start.is_finite() { raw.times.exposure_start } else { raw.times.readout_start };
    (start - START) / 86_400.0
}

/// A number as further result.
fn extra(entry: &mut Entry, name: &str, value: f64) {
    entry.extra.insert(name.into(), Extra::Number(value));
}
