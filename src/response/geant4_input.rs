//! Geant4 files of the DAMIC-M simulation (spec 07 §3): trees `RunInfo`, `EventOut` and `CCDOut`.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{ResponseRunError, Result};
use crate::root::read::{BranchReader, ReadError, ReadResult, RootInput, TreeReader, Values};

/// Columns of `EventOut` that are attached to the output, if they exist.
pub const PRIMARY_COLUMNS: [&str; 7] = ["posx", "posy", "posz", "momx", "momy", "momz", "energy"];

/// A deposit as it stands in the file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RawHit {
    /// CCD, from 1.
    pub ccd: i32,
    /// Local position, mm.
    pub position: [f64; 3],
    /// eV.
    pub energy: f64,
    /// s.
    pub time: f64,
    /// PDG code.
    pub pdg: i32,
}

/// One event with deposits.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Event {
    /// `EventID`.
    pub id: i64,
    /// Its deposits.
    pub hits: Vec<RawHit>,
    /// For each column of [`Geant4File::primary_columns`] one value per primary.
    pub primaries: Vec<Vec<f64>>,
}

/// The entry of `RunInfo`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunInfo {
    /// Simulated events.
    pub events: i64,
    /// CCDs.
    pub ccds: i64,
    /// Seed.
    pub seed: i64,
    /// Names of the volumes.
    pub volume_names: Vec<String>,
    /// Masses, as in the file.
    pub masses: Vec<f64>,
    /// g/cm³.
    pub densities: Vec<f64>,
    /// cm³.
    pub volumes: Vec<f64>,
    /// cm².
    pub surfaces: Vec<f64>,
    /// Primary particle.
    pub primary_particle: String,
    /// Primary ion.
    pub primary_ion: String,
    /// Volume of the primaries.
    pub simulated_volume: String,
}

/// A Geant4 file.
#[derive(Debug)]
pub struct Geant4File {
    path: PathBuf,
    input: RootInput,
    /// Its run.
    pub run: RunInfo,
    /// Entries of `EventOut`, i.e. generated events.
    pub generated: i64,
    /// Columns of primaries that the file has.
    pub primary_columns: Arc<[&'static str]>,
}

fn unusable(path: &Path, reason: impl ToString) -> ResponseRunError {
    ResponseRunError::Input { path: path.to_owned(), reason: reason.to_string() }
}

impl Geant4File {
    /// Events that are usually handed over at a time.
    pub const BATCH: u64 = 256;

    /// Opens a file and reads what is known about the run.
    ///
    /// # Errors
    /// If it is not a ROOT file, or lacks a tree or branch, which is named.
    pub fn open(path: &Path) -> Result<Self> {
        let read = || -> ReadResult<Self> {
            let input = RootInput::open(path)?;
            let run = read_run(&input.tree("RunInfo")?)?;
            let events = input.tree("EventOut")?;
            events.branch("EventID")?;
            Columns::new(&input.tree("CCDOut")?)?;
            let columns: Vec<&str> = PRIMARY_COLUMNS.into_iter().filter(|name| events.branch(name).is_ok()).collect();
            let generated = i64::try_from(events.entries()).unwrap_or(i64::MAX);
            Ok(Self { path: path.to_owned(), input, run, generated, primary_columns: columns.into() })
        };
        read().map_err(|e| unusable(path, e))
    }

    /// Reads the events with deposits, in the order of the file, and hands them over in batches of `batch`. An `EventID`
    /// that occurs several times takes the primaries of that number in the order of the file.
    ///
    /// # Errors
    /// If the file is damaged, or what `take` returns.
    pub fn events(&self, batch: u64, mut take: impl FnMut(Vec<Event>) -> Result<()>) -> Result<()> {
        let failed = |e: ReadError| unusable(&self.path, e);
        let mut primaries = self.primaries().map_err(failed)?;
        let tree = self.input.tree("CCDOut").map_err(failed)?;
        let mut columns = Columns::new(&tree).map_err(failed)?;
        let entries = tree.entries();
        let mut done = 0;
        while done < entries {
            let end = (done + batch.max(1)).min(entries);
            let mut events = Vec::new();
            for entry in done..end {
                if let Some(mut event) = columns.event(entry).map_err(failed)? {
                    event.primaries = match primaries.get_mut(&event.id) {
                        Some(of_id) if of_id.len() > 1 => of_id.pop_front().unwrap_or_default(),
                        Some(of_id) => of_id.front().cloned().unwrap_or_default(),
                        None => Vec::new(),
                    };
                    events.push(event);
                }
            }
            take(events)?;
            done = end;
        }
        Ok(())
    }

    /// Primaries of the events that have deposits.
    fn primaries(&self) -> ReadResult<HashMap<i64, VecDeque<Vec<Vec<f64>>>>> {
        let hits = self.input.tree("CCDOut")?;
        let wanted: HashSet<i64> =
            scalars(&hits, "EventID")?.map(|x| x.map(|x| x as i64)).collect::<ReadResult<_>>()?;
        let events = self.input.tree("EventOut")?;
        let mut columns =
            self.primary_columns.iter().map(|name| vectors(&events, name)).collect::<ReadResult<Vec<_>>>()?;
        let mut found: HashMap<i64, VecDeque<Vec<Vec<f64>>>> = HashMap::new();
        for id in scalars(&events, "EventID")? {
            let id = id? as i64;
            let values =
                columns.iter_mut().map(|c| c.next().unwrap_or(Ok(Vec::new()))).collect::<ReadResult<Vec<_>>>()?;
            if wanted.contains(&id) {
                found.entry(id).or_default().push_back(values);
            }
        }
        Ok(found)
    }
}

fn wrong_type<T>(tree: &TreeReader, branch: &BranchReader, expected: &str) -> ReadResult<T> {
    Err(ReadError(format!(
        "branch `{}` of tree `{}` is `{}`, not {expected}",
        branch.name(),
        tree.name(),
        branch.type_name()
    )))
}

type Scalars<'t> = Box<dyn Iterator<Item = ReadResult<f64>> + 't>;
type Vectors<'t> = Box<dyn Iterator<Item = ReadResult<Vec<f64>>> + 't>;

/// A branch of numbers of any type.
fn scalars<'t>(tree: &'t TreeReader, name: &str) -> ReadResult<Scalars<'t>> {
    let branch = tree.branch(name)?;
    if !branch.is_number() {
        return wrong_type(tree, branch, "a number");
    }
    Ok(Box::new(branch.values().map(|value| {
        value.map(|value| match value {
            Values::Number(x) => x,
            _ => f64::NAN,
        })
    })))
}

/// A branch of vectors of numbers of any type.
fn vectors<'t>(tree: &'t TreeReader, name: &str) -> ReadResult<Vectors<'t>> {
    let branch = tree.branch(name)?;
    if !branch.is_vector() {
        return wrong_type(tree, branch, "a vector of numbers");
    }
    Ok(Box::new(branch.values().map(|value| {
        value.map(|value| match value {
            Values::Numbers(values) => values,
            _ => Vec::new(),
        })
    })))
}

/// The first entry of a branch of texts.
fn text(tree: &TreeReader, name: &str) -> ReadResult<String> {
    let branch = tree.branch(name)?;
    if !branch.is_text() {
        return wrong_type(tree, branch, "a text");
    }
    match branch.values().next().transpose()? {
        // Character leaves may carry their terminator.
        Some(Values::Text(text)) => Ok(text.replace('\0', "")),
        _ => Ok(String::new()),
    }
}

fn read_run(tree: &TreeReader) -> ReadResult<RunInfo> {
    let number = |name: &str| -> ReadResult<i64> { Ok(scalars(tree, name)?.next().transpose()?.unwrap_or(0.0) as i64) };
    let numbers =
        |name: &str| -> ReadResult<Vec<f64>> { Ok(vectors(tree, name)?.next().transpose()?.unwrap_or_default()) };
    let ccds = if tree.branch("NCCD").is_ok() { "NCCD" } else { "NCCDs" };
    let names = text(tree, "concatedVolumeNames")?;
    Ok(RunInfo {
        events: number("NEvts")?,
        ccds: number(ccds)?,
        seed: number("Seed")?,
        volume_names: names.split(';').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        masses: numbers("volumeMass")?,
        densities: numbers("volumeDensity")?,
        volumes: numbers("volumeVolume")?,
        surfaces: numbers("volumeSurface")?,
        primary_particle: text(tree, "primaryParticle")?,
        primary_ion: text(tree, "primaryIon")?,
        simulated_volume: text(tree, "simulatedVolume")?,
    })
}

/// Iterators over the branches of `CCDOut`.
struct Columns<'t> {
    ids: Scalars<'t>,
    vectors: Vec<(&'static str, Vectors<'t>)>,
}

/// Branches of `CCDOut` that are read.
const HIT_COLUMNS: [&str; 7] = ["CCDid", "posx", "posy", "posz", "Edep", "time", "pdg"];

impl<'t> Columns<'t> {
    fn new(tree: &'t TreeReader) -> ReadResult<Self> {
        let vectors =
            HIT_COLUMNS.into_iter().map(|name| Ok((name, vectors(tree, name)?))).collect::<ReadResult<_>>()?;
        Ok(Self { ids: scalars(tree, "EventID")?, vectors })
    }

    /// The next event; `None` if nothing was deposited.
    fn event(&mut self, entry: u64) -> ReadResult<Option<Event>> {
        let short = |name: &str| ReadError(format!("branch `{name}` of tree `CCDOut` ends at entry {entry}"));
        let id = self.ids.next().ok_or_else(|| short("EventID"))?? as i64;
        let mut values: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for (name, column) in &mut self.vectors {
            values.insert(name, column.next().ok_or_else(|| short(name))??);
        }
        let n = values["Edep"].len();
        if let Some((name, column)) = values.iter().find(|(_, column)| column.len() != n) {
            return Err(ReadError(format!(
                "event {id}: branch `{name}` has {} elements, but `Edep` has {n}",
                column.len()
            )));
        }
        // A deposit without a number is left out and counted later, like one outside of the CCD; the others stay.
        let total: f64 = values["Edep"].iter().filter(|e| e.is_finite()).sum();
        if n == 0 || total <= 0.0 {
            return Ok(None);
        }
        let hits = (0..n)
            .map(|i| RawHit {
                ccd: values["CCDid"][i] as i32,
                position: [values["posx"][i], values["posy"][i], values["posz"][i]],
                energy: values["Edep"][i],
                time: values["time"][i],
                pdg: values["pdg"][i] as i32,
            })
            .collect();
        Ok(Some(Event { id, hits, primaries: Vec::new() }))
    }
}
