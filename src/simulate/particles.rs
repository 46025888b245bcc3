//! Particles of one CCD: from the sources to electrons in image pixels (spec 07 §8.4).
//!
//! The numbers of particles come from the stream (`particles`, image, extension, 0), everything about particle *i* (from 1)
//! from (`particles`, image, extension, *i*): particles are made in parallel, and one more of them changes no other.

use rayon::prelude::*;

use super::geant4_source::Geant4Event;
use super::setup::Setup;
use super::sources::{CcdSide, Count, Model, PhaseConfig, Source, SourceType, Straggling, XRayLine, Zenith};
use crate::simulate::detector::collection_probability;
use crate::stats::random::{Binomial, Poisson, Stream, Tag};

/// Energy that leaves with an escaping silicon K photon, eV.
const ESCAPE_EV: f64 = 1740.0;
/// Below this energy (eV) an electron stops where it is made, seen with pixels of 15 µm.
const POINT_ELECTRON_EV: f64 = 20_000.0;
/// Spread of the direction of an electron per µm, rad, in both angles.
const ELECTRON_SCATTERING: f64 = 0.3;

/// Energy left at a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Deposit {
    /// x (columns), y (rows), z (from the gates), µm.
    pub position: [f64; 3],
    /// eV.
    pub energy: f64,
}

/// Electrons of a particle in an image pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PixelCharge {
    /// Image row.
    pub row: u32,
    /// Image column.
    pub col: u32,
    /// Electrons.
    pub electrons: u32,
}

/// When a particle arrived.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrival {
    /// Whether during the readout.
    pub in_readout: bool,
    /// Seconds since the start of the exposure.
    pub time: f64,
    /// Image rows that had been read by then.
    pub rows_read: usize,
}

/// One particle with its truth.
#[derive(Debug, Clone, PartialEq)]
pub struct Particle {
    /// Number in its CCD, from 1.
    pub id: u32,
    /// Source.
    pub source: SourceType,
    /// PDG code (0: exact charges).
    pub pdg: i32,
    /// When.
    pub arrival: Arrival,
    /// Deposited energy inside the CCD, eV.
    pub energy: f64,
    /// Electron-hole pairs made.
    pub created: u64,
    /// Electrons collected, i.e. not lost at the back side.
    pub collected: u64,
    /// Collected electrons that ended outside the image.
    pub lost: u64,
    /// First point, µm.
    pub start: [f64; 3],
    /// Last point, µm.
    pub end: [f64; 3],
    /// Its charge in the image, sorted by row and column.
    pub pixels: Vec<PixelCharge>,
    /// Its deposits, if asked for.
    pub deposits: Vec<Deposit>,
}

/// All particles of a CCD in one image.
pub fn particles(setup: &Setup, image: u64, ext: usize, keep_deposits: bool) -> Vec<Particle> {
    let seed = setup.config.seed;
    let mut counts = Stream::new(seed, Tag::Particles, image, ext as u64, 0);
    let mut list: Vec<(&Source, usize)> = Vec::new();
    for source in &setup.sources {
        let events = setup.geant4.by_extension.get(ext).map_or(0, Vec::len) as u64;
        // Images take the events of Geant4 files in turn.
        let (first, n) = match (source.count, &source.model) {
            (Count::Exact(n), Model::Geant4) => {
                let first = image.saturating_mul(n).min(events);
                (first, n.min(events - first))
            }
            (Count::All, _) => (0, events),
            (Count::Exact(n), _) => (0, n),
            (Count::Mean(mean), _) => (0, Poisson::new(mean).draw(&mut counts)),
        };
        list.extend((first..first + n).map(|event| (source, event as usize)));
    }
    list.into_par_iter()
        .enumerate()
        .map(|(i, (source, event))| {
            let mut stream = Stream::new(seed, Tag::Particles, image, ext as u64, i as u64 + 1);
            particle(setup, source, (ext, event), i as u32 + 1, keep_deposits, &mut stream)
        })
        .collect()
}

fn particle(
    setup: &Setup,
    source: &Source,
    (ext, event): (usize, usize),
    id: u32,
    keep_deposits: bool,
    stream: &mut Stream,
) -> Particle {
    let arrival = arrival(setup, source.phase, stream);
    let track = match &source.model {
        Model::Pixels(charges) => return exact_charges(setup, id, arrival, &charges[ext]),
        Model::Geant4 => recorded(&setup.geant4.by_extension[ext][event]),
        _ => track(setup, source, stream),
    };
    let energy = track.deposits.iter().map(|d| d.energy).sum();
    let mut cloud = Cloud::default();
    for deposit in &track.deposits {
        cloud.add(setup, deposit, arrival.rows_read, stream);
    }
    Particle {
        id,
        source: source.kind,
        pdg: track.pdg,
        arrival,
        energy,
        created: cloud.created,
        collected: cloud.collected,
        lost: cloud.lost,
        start: track.start,
        end: track.end,
        pixels: cloud.pixels(),
        deposits: if keep_deposits { track.deposits } else { Vec::new() },
    }
}

fn arrival(setup: &Setup, phase: PhaseConfig, stream: &mut Stream) -> Arrival {
    let (t_exp, t_read) = (setup.config.t_exp, setup.t_read);
    let in_readout = match phase {
        PhaseConfig::Exposure => false,
        PhaseConfig::Readout => true,
        PhaseConfig::Both => stream.uniform() * (t_exp + t_read) >= t_exp,
    };
    if in_readout {
        let since = t_read * stream.uniform();
        Arrival { in_readout, time: t_exp + since, rows_read: (since / setup.t_row).floor() as usize }
    } else {
        Arrival { in_readout, time: t_exp * stream.uniform(), rows_read: 0 }
    }
}

fn exact_charges(setup: &Setup, id: u32, arrival: Arrival, charges: &[(usize, usize, u32)]) -> Particle {
    let mut pixels: Vec<PixelCharge> = charges
        .iter()
        .map(|&(row, col, electrons)| PixelCharge { row: row as u32, col: col as u32, electrons })
        .collect();
    pixels.sort_unstable();
    pixels.dedup_by(|next, kept| {
        let same = (next.row, next.col) == (kept.row, kept.col);
        if same {
            kept.electrons = kept.electrons.saturating_add(next.electrons);
        }
        same
    });
    let total = pixels.iter().map(|p| u64::from(p.electrons)).sum();
    Particle {
        id,
        source: SourceType::Pixels,
        pdg: 0,
        arrival,
        energy: total as f64 * setup.config.e2ev,
        created: total,
        collected: total,
        lost: 0,
        start: [f64::NAN; 3],
        end: [f64::NAN; 3],
        pixels,
        deposits: Vec::new(),
    }
}

/// The path of a particle.
struct Track {
    pdg: i32,
    start: [f64; 3],
    end: [f64; 3],
    deposits: Vec<Deposit>,
}

impl Track {
    fn point(pdg: i32, position: [f64; 3], energy: f64) -> Self {
        Self { pdg, start: position, end: position, deposits: vec![Deposit { position, energy }] }
    }
}

fn track(setup: &Setup, source: &Source, stream: &mut Stream) -> Track {
    let pixel = setup.config.pixel_size;
    let thickness = setup.config.thickness;
    let (rows, cols) = &source.region;
    let x = stream.uniform_in(cols.start as f64, cols.end as f64) * pixel;
    let y = stream.uniform_in(rows.start as f64, rows.end as f64) * pixel;
    match &source.model {
        Model::Point { energy, depth } => {
            let z = depth.unwrap_or_else(|| thickness * stream.uniform());
            Track::point(11, [x, y, z], *energy)
        }
        Model::Uniform { min, max } => {
            let z = thickness * stream.uniform();
            Track::point(11, [x, y, z], stream.uniform_in(*min, *max))
        }
        Model::XRays { lines, side, escape } => {
            let (energy, depth) = x_ray(lines, *escape, thickness, stream);
            let z = if *side == CcdSide::Back { thickness - depth } else { depth };
            Track::point(22, [x, y, z], energy)
        }
        Model::Electron { energy } => {
            let z = thickness * stream.uniform();
            electron([x, y, z], *energy, setup, stream)
        }
        Model::Muon { dedx, straggling, zenith } => muon([x, y, 0.0], *dedx, *straggling, *zenith, setup, stream),
        Model::Pixels(_) | Model::Geant4 => {
            Track { pdg: 0, start: [x, y, 0.0], end: [x, y, 0.0], deposits: Vec::new() }
        }
    }
}

/// The deposits of a Geant4 event.
fn recorded(event: &Geant4Event) -> Track {
    let place = |deposit: Option<&Deposit>| deposit.map_or([f64::NAN; 3], |d| d.position);
    Track {
        pdg: event.pdg,
        start: place(event.deposits.first()),
        end: place(event.deposits.last()),
        deposits: event.deposits.clone(),
    }
}

/// Energy (eV) and depth below the surface (µm) of an X ray absorbed in the CCD: a line by its weight, an exponential
/// depth, both drawn again if the X ray passes through.
fn x_ray(lines: &[XRayLine], escape: f64, thickness: f64, stream: &mut Stream) -> (f64, f64) {
    // The chance to be absorbed is part of the weight: drawing until one is absorbed would give the same distribution,
    // but could take for ever with hard lines in a thin CCD.
    let absorbed = |line: &XRayLine| -libm::expm1(-thickness / line.attenuation);
    let chosen = stream.choose(lines.iter().map(|line| line.weight * absorbed(line))).unwrap_or(0);
    let line = &lines[chosen];
    let depth = -line.attenuation * libm::log1p(-stream.uniform() * absorbed(line));
    let escapes = escape > 0.0 && stream.uniform() < escape;
    (if escapes { (line.energy - ESCAPE_EV).max(0.0) } else { line.energy }, depth.min(thickness))
}

/// A random walk of range 0.0171 E^1.75 µm (E in keV) in steps of 1 µm and equal energy.
fn electron(start: [f64; 3], energy: f64, setup: &Setup, stream: &mut Stream) -> Track {
    const PDG: i32 = 11;
    if energy < POINT_ELECTRON_EV {
        return Track::point(PDG, start, energy);
    }
    let length = 0.0171 * libm::pow(energy / 1e3, 1.75);
    let steps = length.round().clamp(1.0, 1e7) as usize;
    let mut polar = libm::acos(stream.uniform_in(-1.0, 1.0));
    let mut azimuth = stream.uniform_in(0.0, 2.0 * std::f64::consts::PI);
    let mut position = start;
    let mut end = start;
    let mut deposits = Vec::with_capacity(steps);
    for _ in 0..steps {
        let step = [libm::sin(polar) * libm::cos(azimuth), libm::sin(polar) * libm::sin(azimuth), libm::cos(polar)];
        let middle = std::array::from_fn(|i| position[i] + 0.5 * step[i]);
        position = std::array::from_fn(|i| position[i] + step[i]);
        if inside(middle, setup) {
            deposits.push(Deposit { position: middle, energy: energy / steps as f64 });
            end = middle;
        }
        polar += ELECTRON_SCATTERING * stream.normal();
        azimuth += ELECTRON_SCATTERING * stream.normal();
    }
    Track { pdg: PDG, start, end, deposits }
}

/// A straight track through the full thickness, from the front plane to the back.
fn muon(
    start: [f64; 3],
    dedx: f64,
    straggling: Straggling,
    zenith: Zenith,
    setup: &Setup,
    stream: &mut Stream,
) -> Track {
    let cosine = match zenith {
        Zenith::Fixed(angle) => libm::cos(angle),
        Zenith::Distribution(_) => stream.positive_uniform().sqrt().sqrt(),
    };
    let sine = (1.0 - cosine * cosine).max(0.0).sqrt();
    let azimuth = stream.uniform_in(0.0, 2.0 * std::f64::consts::PI);
    let direction = [sine * libm::cos(azimuth), sine * libm::sin(azimuth), cosine];
    let factor = match straggling {
        Straggling::None => 1.0,
        Straggling::Moyal => (1.0 + 0.06 * (moyal(stream) - 1.27)).max(0.1),
    };
    let length = (setup.config.thickness / cosine).min(longest_track(setup));
    let steps = length.ceil().max(1.0) as usize;
    let step = length / steps as f64;
    let mut end = start;
    let mut deposits = Vec::new();
    for i in 0..steps {
        let along = (i as f64 + 0.5) * step;
        let position = std::array::from_fn(|k| start[k] + along * direction[k]);
        // A straight line that has left the CCD does not come back.
        if !inside(position, setup) {
            break;
        }
        deposits.push(Deposit { position, energy: dedx * step * factor });
        end = std::array::from_fn(|k| start[k] + (along + 0.5 * step) * direction[k]);
    }
    Track { pdg: 13, start, end, deposits }
}

/// A number with the Moyal density exp(−(m + e^−m)/2)/√(2π): if g is Gaussian, −ln g² is such a number.
fn moyal(stream: &mut Stream) -> f64 {
    let g = stream.normal();
    -libm::log((g * g).max(f64::MIN_POSITIVE))
}

/// The diagonal of the CCD, µm.
fn longest_track(setup: &Setup) -> f64 {
    let pixel = setup.config.pixel_size;
    let (x, y) = (setup.geometry.phys_cols as f64 * pixel, setup.geometry.phys_rows as f64 * pixel);
    (x * x + y * y + setup.config.thickness * setup.config.thickness).sqrt()
}

pub(super) fn inside(position: [f64; 3], setup: &Setup) -> bool {
    let pixel = setup.config.pixel_size;
    let [x, y, z] = position;
    (0.0..setup.geometry.phys_cols as f64 * pixel).contains(&x)
        && (0.0..setup.geometry.phys_rows as f64 * pixel).contains(&y)
        && (0.0..=setup.config.thickness).contains(&z)
}

/// The electrons of a particle on their way to the pixels.
#[derive(Default)]
struct Cloud {
    created: u64,
    collected: u64,
    lost: u64,
    /// Image row and column of each electron.
    arrived: Vec<(u32, u32)>,
}

impl Cloud {
    /// Pair creation, partial collection, diffusion.
    fn add(&mut self, setup: &Setup, deposit: &Deposit, rows_read: usize, stream: &mut Stream) {
        let config = &setup.config;
        let [x, y, z] = deposit.position;
        let created = setup.pairs.pairs(deposit.energy, stream);
        let collected = if config.apply_pcc {
            Binomial::new(collection_probability(config.thickness - z)).draw(created, stream)
        } else {
            created
        };
        self.created += created;
        self.collected += collected;
        let width = setup.diffusion.width(z, deposit.energy);
        let per_pixel = 1.0 / config.pixel_size;
        for _ in 0..collected {
            let col = ((x + width * stream.normal()) * per_pixel).floor();
            let row = ((y + width * stream.normal()) * per_pixel).floor();
            let place = (row >= 0.0 && col >= 0.0)
                .then(|| setup.geometry.place(row as usize, col as usize, rows_read))
                .flatten();
            match place {
                Some(p) => {
                    let image_col = setup.geometry.image_col(p.amplifier, p.col);
                    self.arrived.push((p.row as u32, image_col as u32));
                }
                None => self.lost += 1,
            }
        }
    }

    /// Sums by pixel.
    fn pixels(mut self) -> Vec<PixelCharge> {
        self.arrived.sort_unstable();
        self.arrived
            .chunk_by(|a, b| a == b)
            .map(|same| PixelCharge { row: same[0].0, col: same[0].1, electrons: same.len() as u32 })
            .collect()
    }
}

#[cfg(test)]
mod tests;
