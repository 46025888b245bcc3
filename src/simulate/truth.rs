//! The truth of an image: what was put in, for each amplifier, particle and pixel (spec 07 §8.6).

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::charge::Contribution;
use super::error::{Result, SimulateError};
use super::fits_file::{FitsFile, Hdu, PixelType};
use super::header::{TRUTH_ENERGY, TRUTH_ID};
use super::particles::Particle;
use super::readout::{Pedestal, mean_skip_offset};
use super::setup::Setup;
use crate::fits::Card;

/// Charges above this are counted together in the last bin of the charge histogram.
const HISTOGRAM_BINS: usize = 10_000;

/// Images of the truth file, for each extension, in this order.
const IMAGES: [(&str, PixelType, &str, &str); 6] = [
    ("CHARGE", PixelType::I32, "electrons", "charge before readout"),
    ("SIGNAL_E", PixelType::I32, "electrons", "charge of particles"),
    (TRUTH_ENERGY, PixelType::F32, "eV", "charge of particles times e2eV"),
    (TRUTH_ID, PixelType::I32, "", "particle with the largest charge, 0: none"),
    ("PEDESTAL", PixelType::F32, "ADU", "pedestal, mean over the skips"),
    ("SATURATED", PixelType::U8, "", "1: all samples at the end of the ADC range"),
];

/// The FITS file of the truth, filled row by row.
#[derive(Debug)]
pub struct TruthImages<'a> {
    setup: &'a Setup,
    file: FitsFile,
    /// The image itself, if energies and numbers are appended to it as HDUs 1 and 2.
    embedded: Option<&'a FitsFile>,
}

/// Truth of a row of one extension, `[image column]`.
#[derive(Debug)]
pub struct TruthRow {
    charge: Vec<u32>,
    signal: Vec<u32>,
    id: Vec<u32>,
    pedestal: Vec<f32>,
    saturated: Vec<bool>,
}

impl TruthRow {
    /// An empty row of this many image columns.
    pub fn new(cols: usize) -> Self {
        Self {
            charge: vec![0; cols],
            signal: vec![0; cols],
            id: vec![0; cols],
            pedestal: vec![0.0; cols],
            saturated: vec![false; cols],
        }
    }

    /// Enters what one amplifier has read; `of_row` are the contributions to this row, in order of columns.
    #[allow(clippy::too_many_arguments)]
    pub fn enter(
        &mut self,
        setup: &Setup,
        side: usize,
        row: usize,
        charge: &[u32],
        of_row: &[Contribution],
        pedestal: &Pedestal,
        saturated: &[bool],
    ) {
        let geometry = &setup.geometry;
        let offset = mean_skip_offset(setup);
        for (col, &electrons) in charge.iter().enumerate() {
            let image_col = geometry.image_col(side, col);
            self.charge[image_col] = electrons;
            self.pedestal[image_col] = (pedestal.rows[row] + pedestal.cols[col] + offset) as f32;
            self.saturated[image_col] = saturated[col];
        }
        for pixel in of_row.chunk_by(|a, b| a.col == b.col) {
            let image_col = geometry.image_col(side, pixel[0].col as usize);
            self.signal[image_col] = pixel.iter().fold(0_u32, |sum, c| sum.saturating_add(c.electrons));
            // Of equal contributions the first particle wins.
            let largest = pixel.iter().rev().max_by_key(|c| c.electrons);
            self.id[image_col] = largest.map_or(0, |c| c.id);
        }
    }
}

impl<'a> TruthImages<'a> {
    /// Creates the file.
    pub fn create(setup: &'a Setup, path: &Path, embedded: Option<&'a FitsFile>) -> Result<Self> {
        let geometry = &setup.geometry;
        let mut hdus = vec![Hdu { image: None, name: None, cards: vec![Card::new("SIMS", true, "simulated image")] }];
        for ext in 0..geometry.extensions() {
            let version = if geometry.extensions() > 1 { ext as i64 + 1 } else { 0 };
            hdus.extend(IMAGES.iter().map(|(name, kind, unit, comment)| Hdu {
                image: Some((*kind, geometry.cols(), geometry.rows())),
                name: Some(((*name).into(), version)),
                cards: vec![Card::new("BUNIT", *unit, *comment)],
            }));
        }
        Ok(Self { setup, file: FitsFile::create(path, &hdus)?, embedded })
    }

    /// Writes a row.
    pub fn write(&self, ext: usize, row: usize, truth: &TruthRow) -> Result<()> {
        fn bytes<T: Copy, const N: usize>(values: &[T], convert: impl Fn(T) -> [u8; N]) -> Vec<u8> {
            values.iter().flat_map(|&v| convert(v)).collect()
        }
        let e2ev = self.setup.config.e2ev;
        let energy = bytes(&truth.signal, |e| ((f64::from(e) * e2ev) as f32).to_be_bytes());
        let id = bytes(&truth.id, u32::to_be_bytes);
        if let Some(image) = self.embedded {
            image.write_row(1, row, 0, 4, &energy)?;
            image.write_row(2, row, 0, 4, &id)?;
        }
        let images = [
            bytes(&truth.charge, u32::to_be_bytes),
            bytes(&truth.signal, u32::to_be_bytes),
            energy,
            id,
            bytes(&truth.pedestal, f32::to_be_bytes),
            bytes(&truth.saturated, |s| [u8::from(s)]),
        ];
        for (i, bytes) in images.iter().enumerate() {
            self.file.write_row(1 + ext * IMAGES.len() + i, row, 0, 1, bytes)?;
        }
        Ok(())
    }

    /// Gives the file its name.
    pub fn finish(self) -> Result<()> {
        self.file.finish()
    }
}

/// Counts over the pixels of one amplifier.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AmplifierCounts {
    /// Charge of all active pixels, e⁻.
    pub active_charge: u64,
    /// `[Q]`: active pixels with charge Q and without charge of particles.
    pub histogram: Vec<u64>,
    /// Pixels whose samples are all at the end of the ADC range.
    pub saturated: u64,
}

impl AmplifierCounts {
    /// Counts a row.
    pub fn of_row(setup: &Setup, row: usize, charge: &[u32], of_row: &[Contribution], saturated: &[bool]) -> Self {
        let mut counts = Self { saturated: saturated.iter().filter(|s| **s).count() as u64, ..Self::default() };
        if !setup.geometry.is_active_row(row) {
            return counts;
        }
        let mut particles = of_row.iter().map(|c| c.col as usize).peekable();
        for col in setup.geometry.active_cols() {
            while particles.next_if(|c| *c < col).is_some() {}
            counts.active_charge += u64::from(charge[col]);
            if particles.peek() != Some(&col) {
                let bin = (charge[col] as usize).min(HISTOGRAM_BINS);
                if counts.histogram.len() <= bin {
                    counts.histogram.resize(bin + 1, 0);
                }
                counts.histogram[bin] += 1;
            }
        }
        counts
    }

    /// Adds the counts of other pixels.
    pub fn add(&mut self, other: &Self) {
        self.active_charge += other.active_charge;
        self.saturated += other.saturated;
        if self.histogram.len() < other.histogram.len() {
            self.histogram.resize(other.histogram.len(), 0);
        }
        self.histogram.iter_mut().zip(&other.histogram).for_each(|(a, b)| *a += b);
    }
}

/// The content of `_truth.json`.
pub fn summary(
    setup: &Setup,
    index: u64,
    counts: &[AmplifierCounts],
    pedestals: &[Pedestal],
    phases: &[f64],
    particles: &[Vec<Particle>],
) -> Value {
    let geometry = &setup.geometry;
    let offset = mean_skip_offset(setup);
    let rows = geometry.rows();
    let lambda: Vec<f64> = (0..rows).map(|row| setup.lambda(row)).collect();
    let active = geometry.prescan_rows..geometry.prescan_rows + geometry.active_rows;
    let lambda_mean = lambda[active].iter().sum::<f64>() / geometry.active_rows as f64;
    let n_active = geometry.active_rows * geometry.active;
    let config = serde_json::to_value(&setup.config).unwrap_or_default();
    let amplifiers: Vec<Value> = (0..geometry.amplifiers())
        .map(|amplifier| {
            let ext = amplifier / geometry.amplifiers_per_extension();
            let sigma1 = setup.gain[amplifier] * setup.config.noise.sigma1;
            json!({
                "ext": ext,
                "amplifier": geometry.amplifier_name(amplifier),
                "gain_adu_per_e": setup.gain[amplifier],
                "sigma1_adu": sigma1,
                "sigma_avg_adu": setup.sigma_average(amplifier),
                "lambda_mean": lambda_mean,
                "lambda_per_row": lambda,
                "pedestal_rows": pedestals[amplifier].rows.iter().map(|p| p + offset).collect::<Vec<_>>(),
                "pedestal_cols": pedestals[amplifier].cols,
                "n_active_pixels": n_active,
                "mean_charge_active": counts[amplifier].active_charge as f64 / n_active as f64,
                "charge_histogram": counts[amplifier].histogram,
                "n_saturated": counts[amplifier].saturated,
                "n_particles": particles[ext].len(),
                "hot_cols": setup.config.hot_cols.iter().filter(|h| h.ext.is_none_or(|e| e == ext)).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "seed": setup.config.seed,
        "image": i64::from(setup.config.image_id) + index as i64,
        "image_index": index,
        "rows": rows,
        "cols": geometry.cols(),
        "t_row_s": setup.t_row,
        "t_read_s": setup.t_read,
        "line_phases_rad": phases,
        "amplifiers": amplifiers,
        "config": config,
    })
}

/// Columns of `_truth.csv`.
const PARTICLE_COLUMNS: &str = "image,ext,amp,id,source,pdg,phase,t_s,E_keV,n_created,n_collected,x_mm,y_mm,z_mm,x2_mm,y2_mm,z2_mm,row,col,n_pix,row_min,row_max,col_min,col_max,q_max,lost";
/// Columns of `_truth_pixels.csv`.
const PIXEL_COLUMNS: &str = "image,ext,id,row,col,n_e";

/// The two tables: particles, and their pixels. `particles` by extension.
pub fn tables(setup: &Setup, index: u64, particles: &[Vec<Particle>]) -> (Vec<u8>, Vec<u8>) {
    let image = i64::from(setup.config.image_id) + index as i64;
    let mut list = format!("{PARTICLE_COLUMNS}\n").into_bytes();
    let mut pixels = format!("{PIXEL_COLUMNS}\n").into_bytes();
    for (ext, particles) in particles.iter().enumerate() {
        for p in particles {
            // Writing to memory does not fail.
            let _ = writeln!(list, "{image},{ext},{}", particle_fields(setup, ext, p));
            for pixel in &p.pixels {
                let _ = writeln!(pixels, "{image},{ext},{},{},{},{}", p.id, pixel.row, pixel.col, pixel.electrons);
            }
        }
    }
    (list, pixels)
}

fn particle_fields(setup: &Setup, ext: usize, p: &Particle) -> String {
    let geometry = &setup.geometry;
    let total: f64 = p.pixels.iter().map(|c| f64::from(c.electrons)).sum();
    let centroid = |coordinate: fn(&super::particles::PixelCharge) -> u32| {
        p.pixels.iter().map(|c| f64::from(c.electrons) * f64::from(coordinate(c))).sum::<f64>() / total
    };
    let (row, col) = (centroid(|c| c.row), centroid(|c| c.col));
    let range = |coordinate: fn(&super::particles::PixelCharge) -> u32| {
        let values = || p.pixels.iter().map(coordinate);
        match (values().min(), values().max()) {
            (Some(min), Some(max)) => format!("{min},{max}"),
            _ => ",".into(),
        }
    };
    let amplifier = if col.is_finite() {
        let (side, _) = geometry.readout_col(col.round() as usize);
        geometry.amplifier_name(ext * geometry.amplifiers_per_extension() + side)
    } else {
        ""
    };
    let number = |x: f64| if x.is_finite() { x.to_string() } else { String::new() };
    let mm = |point: [f64; 3]| point.map(|x| number(x / 1e3)).join(",");
    let phase = if p.arrival.in_readout { "readout" } else { "exposure" };
    format!(
        "{amplifier},{},{},{},{phase},{},{},{},{},{},{},{},{},{},{},{},{},{}",
        p.id,
        p.source.name(),
        p.pdg,
        number(p.arrival.time),
        number((p.energy * 1e3).round() / 1e6),
        p.created,
        p.collected,
        mm(p.start),
        mm(p.end),
        number(row),
        number(col),
        p.pixels.len(),
        range(|c| c.row),
        range(|c| c.col),
        p.pixels.iter().map(|c| c.electrons).max().unwrap_or(0),
        p.lost
    )
}

/// Writes a whole file under a temporary name, then renames it.
pub fn write_file(path: PathBuf, bytes: &[u8]) -> Result<()> {
    crate::atomic_file::write(&path, bytes).map_err(|source| SimulateError::Write { path, source })
}
