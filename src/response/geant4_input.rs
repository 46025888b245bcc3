//! Geant4 files of the DAMIC-M simulation (spec 07 §3): trees `RunInfo`, `EventOut` and `CCDOut`.
//!
//! Files are read by `oxyroot`, basket by basket. It panics on files it does not understand; such a panic is caught here
//! and becomes an error that names the file, so that a foreign or damaged file never ends the program.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

use oxyroot::{Branch, ReaderTree, RootFile};

use super::error::{ResponseRunError, Result};

/// Events that are handed over at a time.
const BATCH: usize = 256;

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
    /// Its run.
    pub run: RunInfo,
    /// Entries of `EventOut`, i.e. generated events.
    pub generated: i64,
    /// Columns of primaries that the file has.
    pub primary_columns: Arc<[&'static str]>,
}

thread_local! {
    /// Whether a panic of this thread is expected and needs no message.
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `read`; a panic inside becomes an error.
fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T>) -> Result<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !EXPECTED.get() {
                previous(info);
            }
        }));
    });
    EXPECTED.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(read));
    EXPECTED.set(false);
    result.unwrap_or_else(|reason| {
        let text = reason
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| reason.downcast_ref::<&str>().copied())
            .unwrap_or("unknown reason");
        let text: String = text.lines().next().unwrap_or_default().chars().take(200).collect();
        Err(unusable(path, format!("is damaged or not a ROOT file that can be read ({text})")))
    })
}

fn unusable(path: &Path, reason: impl Into<String>) -> ResponseRunError {
    ResponseRunError::Input { path: path.to_owned(), reason: reason.into() }
}

impl Geant4File {
    /// Opens a file and reads what is known about the run.
    ///
    /// # Errors
    /// If it is not a ROOT file, or lacks a tree or branch, which is named.
    pub fn open(path: &Path) -> Result<Self> {
        // Other formats make the reader fail in strange ways: say early that it is none of its files.
        let start = first_bytes(path)?;
        if !start.starts_with(b"root") {
            return Err(unusable(path, "is not a ROOT file (it does not begin with `root`)"));
        }
        guarded(path, || {
            let mut file = RootFile::open(path).map_err(|e| unusable(path, format!("cannot be opened: {e}")))?;
            let run = tree(&mut file, path, "RunInfo")?;
            let event = tree(&mut file, path, "EventOut")?;
            tree(&mut file, path, "CCDOut")?;
            branch(&event, path, "EventOut", "EventID")?;
            let primary_columns =
                PRIMARY_COLUMNS.into_iter().filter(|name| event.branch(name).is_some()).collect::<Vec<_>>();
            let run = read_run(&run, path)?;
            Ok(Self { path: path.to_owned(), run, generated: event.entries(), primary_columns: primary_columns.into() })
        })
    }

    /// Reads the events with deposits, in the order of the file, and hands them over in batches.
    ///
    /// # Errors
    /// If the file is damaged, or what `take` returns.
    pub fn events(&self, mut take: impl FnMut(Vec<Event>) -> Result<()>) -> Result<()> {
        let path = self.path.as_path();
        let mut primaries = self.primaries()?;
        let mut file = guarded(path, || RootFile::open(path).map_err(|e| unusable(path, format!("cannot be opened: {e}"))))?;
        let tree = guarded(path, || tree(&mut file, path, "CCDOut"))?;
        let entries = usize::try_from(tree.entries()).unwrap_or(0);
        let mut columns = guarded(path, || Columns::new(&tree, path))?;
        let mut done = 0;
        while done < entries {
            let end = (done + BATCH).min(entries);
            let batch = guarded(path, || {
                (done..end).filter_map(|entry| columns.event(path, entry).transpose()).collect::<Result<Vec<_>>>()
            })?;
            let batch: Vec<Event> = batch
                .into_iter()
                .map(|mut event| {
                    event.primaries = primaries.remove(&event.id).unwrap_or_default();
                    event
                })
                .collect();
            take(batch)?;
            done = end;
        }
        Ok(())
    }

    /// Primaries of the events that have deposits.
    fn primaries(&self) -> Result<HashMap<i64, Vec<Vec<f64>>>> {
        let path = self.path.as_path();
        guarded(path, || {
            let mut file = RootFile::open(path).map_err(|e| unusable(path, format!("cannot be opened: {e}")))?;
            let hits = tree(&mut file, path, "CCDOut")?;
            let wanted: HashSet<i64> = scalars(&hits, path, "CCDOut", "EventID")?.map(|x| x as i64).collect();
            let events = tree(&mut file, path, "EventOut")?;
            let mut columns: Vec<Values<'_>> = Vec::new();
            for name in self.primary_columns.iter() {
                columns.push(vectors(&events, path, "EventOut", name)?);
            }
            let mut found = HashMap::new();
            for id in scalars(&events, path, "EventOut", "EventID")? {
                let values: Vec<Vec<f64>> = columns.iter_mut().map(|c| c.next().unwrap_or_default()).collect();
                if wanted.contains(&(id as i64)) {
                    found.insert(id as i64, values);
                }
            }
            Ok(found)
        })
    }
}

fn first_bytes(path: &Path) -> Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(4).read_to_end(&mut bytes))
        .map_err(|e| unusable(path, format!("cannot be read: {e}")))?;
    Ok(bytes)
}

fn tree(file: &mut RootFile, path: &Path, name: &str) -> Result<ReaderTree> {
    let existing: Vec<String> = file.keys_name().map(str::to_owned).collect();
    if !existing.iter().any(|key| key == name) {
        return Err(unusable(path, format!("has no tree `{name}` (objects: {})", existing.join(", "))));
    }
    file.get_tree(name).map_err(|e| unusable(path, format!("tree `{name}` cannot be read: {e}")))
}

fn branch<'t>(tree: &'t ReaderTree, path: &Path, tree_name: &str, name: &str) -> Result<&'t Branch> {
    tree.branch(name).ok_or_else(|| {
        let existing: Vec<&str> = tree.branches().map(Branch::name).collect();
        unusable(path, format!("tree `{tree_name}` has no branch `{name}` (branches: {})", existing.join(", ")))
    })
}

type Values<'t> = Box<dyn Iterator<Item = Vec<f64>> + 't>;

/// A branch of scalars of any number type.
fn scalars<'t>(
    tree: &'t ReaderTree,
    path: &Path,
    tree_name: &str,
    name: &str,
) -> Result<Box<dyn Iterator<Item = f64> + 't>> {
    let branch = branch(tree, path, tree_name, name)?;
    macro_rules! try_types {
        ($($type:ty),*) => {$(
            if let Ok(values) = branch.as_iter::<$type>() {
                return Ok(Box::new(values.map(|x| x as f64)));
            }
        )*};
    }
    try_types!(i32, i64, f64, f32, u32, u64, i16, u16, i8, u8);
    Err(wrong_type(branch, path, tree_name, "a number"))
}

/// A branch of vectors of any number type.
fn vectors<'t>(tree: &'t ReaderTree, path: &Path, tree_name: &str, name: &str) -> Result<Values<'t>> {
    let branch = branch(tree, path, tree_name, name)?;
    macro_rules! try_types {
        ($($type:ty),*) => {$(
            if let Ok(values) = branch.as_iter::<Vec<$type>>() {
                return Ok(Box::new(values.map(|v| v.into_iter().map(|x| x as f64).collect())));
            }
        )*};
    }
    try_types!(f64, f32, i32, i64, u32, u64, i16, u16);
    Err(wrong_type(branch, path, tree_name, "a vector of numbers"))
}

fn text(tree: &ReaderTree, path: &Path, tree_name: &str, name: &str) -> Result<String> {
    let branch = branch(tree, path, tree_name, name)?;
    let mut values = branch.as_iter::<String>().map_err(|_| wrong_type(branch, path, tree_name, "a text"))?;
    // Character leaves may carry their terminator.
    Ok(values.next().unwrap_or_default().replace('\0', ""))
}

fn wrong_type(branch: &Branch, path: &Path, tree_name: &str, expected: &str) -> ResponseRunError {
    let found = branch.item_type_name();
    unusable(path, format!("branch `{}` of tree `{tree_name}` is `{found}`, not {expected}", branch.name()))
}

fn read_run(tree: &ReaderTree, path: &Path) -> Result<RunInfo> {
    const NAME: &str = "RunInfo";
    let number = |name: &str| -> Result<i64> { Ok(scalars(tree, path, NAME, name)?.next().unwrap_or(0.0) as i64) };
    let numbers = |name: &str| -> Result<Vec<f64>> { Ok(vectors(tree, path, NAME, name)?.next().unwrap_or_default()) };
    let ccds = if tree.branch("NCCDs").is_some() || tree.branch("NCCD").is_none() { "NCCDs" } else { "NCCD" };
    let names = text(tree, path, NAME, "concatedVolumeNames")?;
    Ok(RunInfo {
        events: number("NEvts")?,
        ccds: number(ccds)?,
        seed: number("Seed")?,
        volume_names: names.split(';').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        masses: numbers("volumeMass")?,
        densities: numbers("volumeDensity")?,
        volumes: numbers("volumeVolume")?,
        surfaces: numbers("volumeSurface")?,
        primary_particle: text(tree, path, NAME, "primaryParticle")?,
        primary_ion: text(tree, path, NAME, "primaryIon")?,
        simulated_volume: text(tree, path, NAME, "simulatedVolume")?,
    })
}

/// Iterators over the branches of `CCDOut`.
struct Columns<'t> {
    ids: Box<dyn Iterator<Item = f64> + 't>,
    vectors: Vec<(&'static str, Values<'t>)>,
}

/// Branches of `CCDOut` that are read.
const HIT_COLUMNS: [&str; 7] = ["CCDid", "posx", "posy", "posz", "Edep", "time", "pdg"];

impl<'t> Columns<'t> {
    fn new(tree: &'t ReaderTree, path: &Path) -> Result<Self> {
        let mut columns = Vec::new();
        for name in HIT_COLUMNS {
            columns.push((name, vectors(tree, path, "CCDOut", name)?));
        }
        Ok(Self { ids: scalars(tree, path, "CCDOut", "EventID")?, vectors: columns })
    }

    /// The next event; `None` if nothing was deposited.
    fn event(&mut self, path: &Path, entry: usize) -> Result<Option<Event>> {
        let short = |name: &str| unusable(path, format!("branch `{name}` of tree `CCDOut` ends at entry {entry}"));
        let id = self.ids.next().ok_or_else(|| short("EventID"))? as i64;
        let mut values: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for (name, column) in &mut self.vectors {
            values.insert(name, column.next().ok_or_else(|| short(name))?);
        }
        let n = values["Edep"].len();
        if let Some((name, column)) = values.iter().find(|(_, column)| column.len() != n) {
            return Err(unusable(
                path,
                format!("event {id}: branch `{name}` has {} elements, but `Edep` has {n}", column.len()),
            ));
        }
        let total: f64 = values["Edep"].iter().sum();
        if n == 0 || total.is_nan() || total <= 0.0 {
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
