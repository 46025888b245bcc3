//! The particles as a Geant4 file (trees `RunInfo`, `EventOut`, `CCDOut` of spec 07 §3), so that `panaSKImg response` can
//! start from the same deposits.

use std::path::Path;

use super::error::{Result, SimulateError};
use super::particles::Particle;
use super::setup::Setup;
use crate::root::{BranchType, Cell, Options, RootFile, TreeId};

/// Name of the sensitive volumes.
const VOLUME: &str = "CCDSensor_PV";
/// Density of silicon, g/cm³.
const SILICON_DENSITY: f64 = 2.33;

/// A file of Geant4 trees under construction.
pub struct Geant4Output {
    file: RootFile,
    path: std::path::PathBuf,
    event_tree: TreeId,
    hit_tree: TreeId,
    events: i32,
}

impl Geant4Output {
    /// Creates the file.
    pub fn create(path: &Path) -> Result<Self> {
        let failed = |source| SimulateError::WriteRoot { path: path.to_owned(), source };
        let mut file = RootFile::create(path, Options::default()).map_err(failed)?;
        let event_tree = file.tree("EventOut", EVENT_BRANCHES).map_err(failed)?;
        let hit_tree = file.tree("CCDOut", HIT_BRANCHES).map_err(failed)?;
        Ok(Self { file, path: path.to_owned(), event_tree, hit_tree, events: 0 })
    }

    /// Adds the particles of an image, `[extension][particle]`, one event each. Exact pixel charges have no deposit and
    /// are left out.
    pub fn add(&mut self, setup: &Setup, particles: &[Vec<Particle>]) -> Result<()> {
        for (ext, particles) in particles.iter().enumerate() {
            for particle in particles.iter().filter(|p| !p.deposits.is_empty()) {
                self.event(setup, ext, particle).map_err(|source| self.failed(source))?;
            }
        }
        Ok(())
    }

    fn failed(&self, source: crate::root::RootError) -> SimulateError {
        SimulateError::WriteRoot { path: self.path.clone(), source }
    }

    fn event(&mut self, setup: &Setup, ext: usize, particle: &Particle) -> crate::root::Result<()> {
        let id = self.events;
        self.events += 1;
        let n = particle.deposits.len();
        let thickness = setup.config.thickness;
        // Local positions: mm, z from the back side.
        let axis = |k: usize| -> Vec<f64> {
            let convert = |x: f64| if k == 2 { (thickness - x) / 1e3 } else { x / 1e3 };
            particle.deposits.iter().map(|d| convert(d.position[k])).collect()
        };
        let [x, y, z] = [axis(0), axis(1), axis(2)];
        let energy: Vec<f64> = particle.deposits.iter().map(|d| d.energy).collect();
        let length = (0..3).map(|k| (particle.end[k] - particle.start[k]).powi(2)).sum::<f64>().sqrt();
        let momentum = |k: usize| {
            let along = if length > 0.0 { (particle.end[k] - particle.start[k]) / length } else { 0.0 };
            [particle.energy * if k == 2 { -along } else { along }]
        };
        let start = [particle.start[0] / 1e3, particle.start[1] / 1e3, (thickness - particle.start[2]) / 1e3];
        let [mx, my, mz] = [momentum(0), momentum(1), momentum(2)];
        self.file.fill(
            self.event_tree,
            &[
                Cell::Int(id),
                Cell::VecInt(&[particle.pdg]),
                Cell::VecInt(&[0]),
                Cell::VecInt(&[0]),
                Cell::VecDouble(&[particle.energy]),
                Cell::VecDouble(&start[0..1]),
                Cell::VecDouble(&start[1..2]),
                Cell::VecDouble(&start[2..3]),
                Cell::VecDouble(&mx),
                Cell::VecDouble(&my),
                Cell::VecDouble(&mz),
                Cell::VecDouble(&[0.0]),
            ],
        )?;
        self.file.fill(
            self.hit_tree,
            &[
                Cell::Int(id),
                Cell::VecInt(&vec![particle.pdg; n]),
                Cell::VecInt(&vec![1; n]),
                Cell::VecInt(&vec![0; n]),
                Cell::VecInt(&vec![ext as i32 + 1; n]),
                Cell::VecDouble(&x),
                Cell::VecDouble(&y),
                Cell::VecDouble(&z),
                Cell::VecDouble(&energy),
                Cell::VecDouble(&vec![particle.arrival.time; n]),
            ],
        )
    }

    /// Adds the run and completes the file.
    pub fn finish(mut self, setup: &Setup) -> Result<()> {
        let path = self.path.clone();
        let failed = |source| SimulateError::WriteRoot { path: path.clone(), source };
        let run_tree = self.file.tree("RunInfo", RUN_BRANCHES).map_err(failed)?;
        let cm = |um: f64| um / 1e4;
        let (x, y, z) = (
            cm(setup.geometry.phys_cols as f64 * setup.config.pixel_size),
            cm(setup.geometry.phys_rows as f64 * setup.config.pixel_size),
            cm(setup.config.thickness),
        );
        let ccds = setup.geometry.extensions();
        let names = (0..ccds)
            .map(|i| if ccds == 1 { VOLUME.to_owned() } else { format!("{VOLUME}_{}", i + 1) })
            .collect::<Vec<_>>()
            .join(";");
        let seed = (setup.config.seed & i32::MAX as u64) as i32;
        self.file
            .fill(
                run_tree,
                &[
                    Cell::Int(self.events),
                    Cell::Int(ccds as i32),
                    Cell::Int(seed),
                    Cell::Str(&names),
                    Cell::VecInt(&(0..ccds as i32).collect::<Vec<_>>()),
                    Cell::VecDouble(&vec![x * y * z * SILICON_DENSITY / 1e3; ccds]),
                    Cell::VecDouble(&vec![SILICON_DENSITY; ccds]),
                    Cell::VecDouble(&vec![x * y * z; ccds]),
                    Cell::VecDouble(&vec![2.0 * (x * y + y * z + z * x); ccds]),
                    Cell::Str("simulate"),
                    Cell::Str(""),
                    Cell::Str(VOLUME),
                ],
            )
            .map_err(failed)?;
        self.file.finish().map_err(failed)
    }
}

const RUN_BRANCHES: [(&str, BranchType); 12] = [
    ("NEvts", BranchType::Int),
    ("NCCDs", BranchType::Int),
    ("Seed", BranchType::Int),
    ("concatedVolumeNames", BranchType::String),
    ("volumeNameID", BranchType::VecInt),
    ("volumeMass", BranchType::VecDouble),
    ("volumeDensity", BranchType::VecDouble),
    ("volumeVolume", BranchType::VecDouble),
    ("volumeSurface", BranchType::VecDouble),
    ("primaryParticle", BranchType::String),
    ("primaryIon", BranchType::String),
    ("simulatedVolume", BranchType::String),
];

const EVENT_BRANCHES: [(&str, BranchType); 12] = [
    ("EventID", BranchType::Int),
    ("pdg", BranchType::VecInt),
    ("charge", BranchType::VecInt),
    ("volid", BranchType::VecInt),
    ("energy", BranchType::VecDouble),
    ("posx", BranchType::VecDouble),
    ("posy", BranchType::VecDouble),
    ("posz", BranchType::VecDouble),
    ("momx", BranchType::VecDouble),
    ("momy", BranchType::VecDouble),
    ("momz", BranchType::VecDouble),
    ("triggerTime", BranchType::VecDouble),
];

const HIT_BRANCHES: [(&str, BranchType); 10] = [
    ("EventID", BranchType::Int),
    ("pdg", BranchType::VecInt),
    ("trackid", BranchType::VecInt),
    ("parentid", BranchType::VecInt),
    ("CCDid", BranchType::VecInt),
    ("posx", BranchType::VecDouble),
    ("posy", BranchType::VecDouble),
    ("posz", BranchType::VecDouble),
    ("Edep", BranchType::VecDouble),
    ("time", BranchType::VecDouble),
];
