//! Deposits of a Geant4 simulation as a source of particles (spec 07 §8.4, type `geant4`): each event of the file is one
//! particle of every CCD that it hits.
//!
//! Positions are those of the file (local, mm, origin at a corner of the CCD, z from the back side); deposits outside of
//! the CCD are left out. Energies become electrons by the physics of the simulation; the times of the file are not used,
//! events arrive as the phase of the source says.

use std::path::{Path, PathBuf};

use super::error::{Result, SimulateError};
use super::particles::Deposit;
use super::setup::Setup;
use crate::response::geant4_input::{Event, Geant4File};

/// An event in one CCD.
#[derive(Debug, Clone, PartialEq)]
pub struct Geant4Event {
    /// Particle that left most of the energy (PDG code).
    pub pdg: i32,
    /// Deposits, in the order of the file.
    pub deposits: Vec<Deposit>,
}

/// Events of all files, by extension.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Geant4Events {
    /// `[extension][event]`; CCD number 1 of the files is extension 0.
    pub by_extension: Vec<Vec<Geant4Event>>,
    /// Deposits outside of the CCDs, or in CCDs that the image does not have.
    pub outside: u64,
}

impl Geant4Events {
    /// Reads all events of the files.
    ///
    /// # Errors
    /// If a file cannot be read, is not a ROOT file, or lacks a tree or branch.
    pub fn read(files: &[PathBuf], setup: &Setup) -> Result<Self> {
        let mut events = Self { by_extension: vec![Vec::new(); setup.geometry.extensions()], outside: 0 };
        for path in files {
            events.add_file(path, setup).map_err(|e| SimulateError::Geant4(e.to_string()))?;
        }
        if events.by_extension.iter().all(Vec::is_empty) {
            let names: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
            return Err(SimulateError::Geant4(format!(
                "{}: no event has a deposit inside the CCD of {} rows and {} columns",
                names.join(", "),
                setup.geometry.phys_rows,
                setup.geometry.phys_cols
            )));
        }
        Ok(events)
    }

    fn add_file(&mut self, path: &Path, setup: &Setup) -> crate::response::Result<()> {
        Geant4File::open(path)?.events(Geant4File::BATCH, |batch| {
            batch.iter().for_each(|event| self.add(event, setup));
            Ok(())
        })
    }

    fn add(&mut self, event: &Event, setup: &Setup) {
        let mut taken = 0;
        for (ext, list) in self.by_extension.iter_mut().enumerate() {
            let hits = event.hits.iter().filter(|h| h.ccd as i64 == ext as i64 + 1);
            let mut deposits: Vec<(i32, Deposit)> = Vec::new();
            for hit in hits {
                let [x, y, depth] = hit.position.map(|mm| 1e3 * mm);
                let position = [x, y, setup.config.thickness - depth];
                if hit.energy.is_finite() && hit.energy >= 0.0 && super::particles::inside(position, setup) {
                    deposits.push((hit.pdg, Deposit { position, energy: hit.energy }));
                }
            }
            taken += deposits.len();
            if !deposits.is_empty() {
                let pdg = main_particle(&deposits);
                list.push(Geant4Event { pdg, deposits: deposits.into_iter().map(|d| d.1).collect() });
            }
        }
        self.outside += (event.hits.len() - taken) as u64;
    }
}

/// The code with the largest sum of energies; of equal ones the smallest.
fn main_particle(deposits: &[(i32, Deposit)]) -> i32 {
    let mut sums: std::collections::BTreeMap<i32, f64> = std::collections::BTreeMap::new();
    for (pdg, deposit) in deposits {
        *sums.entry(*pdg).or_default() += deposit.energy;
    }
    sums.iter().fold((0, -1.0), |best, (pdg, sum)| if *sum > best.1 { (*pdg, *sum) } else { best }).0
}
