//! Running the binary, making Geant4 files, reading the trees.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use panaskimg::root::{BranchType, Cell, Options, RootFile};

/// What a run printed and how it ended.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub err: String,
}

/// Runs the program in a folder.
pub fn run(folder: &Path, arguments: &[&str]) -> Run {
    let output = Command::cargo_bin("panaSKImg")
        .unwrap()
        .env("NO_COLOR", "1")
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap();
    Run { code: output.status.code().unwrap_or(-1), err: String::from_utf8_lossy(&output.stderr).into_owned() }
}

/// Files written by ROOT itself.
pub fn by_root(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/geant4").join(name)
}

/// Writes a configuration.
pub fn configure(folder: &Path, config: serde_json::Value) {
    std::fs::write(folder.join("c.json"), config.to_string()).unwrap();
}

/// All entries of a branch.
pub fn entries<T: oxyroot::UnmarshalerInto<Item = T>>(file: &Path, tree: &str, branch: &str) -> Vec<T> {
    let mut file = oxyroot::RootFile::open(file).unwrap();
    let tree = file.get_tree(tree).unwrap();
    tree.branch(branch).unwrap_or_else(|| panic!("no branch {branch}")).as_iter::<T>().unwrap().collect()
}

/// Names of the branches of a tree.
pub fn branches(file: &Path, tree: &str) -> Vec<String> {
    let mut file = oxyroot::RootFile::open(file).unwrap();
    file.get_tree(tree).unwrap().branches().map(|b| b.name().to_owned()).collect()
}

/// One deposit: CCD, x, y, z from the back (mm), energy (eV), time (s), PDG code.
pub type Deposit = (i32, f64, f64, f64, f64, f64, i32);

/// Makes a Geant4 file with one event for each list of deposits. `without` leaves out `tree` or `tree.branch`.
pub fn geant4(path: &Path, events: &[Vec<Deposit>], without: &str) {
    let mut file = RootFile::create(path, Options::default()).unwrap();
    let keep = |tree: &str, branch: &str| without != tree && without != format!("{tree}.{branch}");
    let mut tree = |name: &str, rows: &[Vec<(&'static str, Cell<'_>)>]| {
        if without == name {
            return;
        }
        let schema: Vec<(String, BranchType)> = rows[0]
            .iter()
            .filter(|(branch, _)| keep(name, branch))
            .map(|(branch, cell)| (branch.to_string(), cell.branch_type()))
            .collect();
        let id = file.tree(name, schema).unwrap();
        for row in rows {
            let cells: Vec<Cell<'_>> = row.iter().filter(|(branch, _)| keep(name, branch)).map(|(_, c)| *c).collect();
            file.fill(id, &cells).unwrap();
        }
    };
    tree(
        "RunInfo",
        &[vec![
            ("NEvts", Cell::Int(100)),
            ("NCCDs", Cell::Int(1)),
            ("Seed", Cell::Int(7)),
            ("concatedVolumeNames", Cell::Str("CCDSensor_PV")),
            ("volumeMass", Cell::VecDouble(&[9.0])),
            ("volumeDensity", Cell::VecDouble(&[2.33])),
            ("volumeVolume", Cell::VecDouble(&[3.6])),
            ("volumeSurface", Cell::VecDouble(&[107.0])),
            ("primaryParticle", Cell::Str("e-")),
            ("primaryIon", Cell::Str("")),
            ("simulatedVolume", Cell::Str("CCDSensor_PV")),
        ]],
    );
    let ids: Vec<Vec<(&str, Cell<'_>)>> = (0..events.len()).map(|i| vec![("EventID", Cell::Int(i as i32))]).collect();
    tree("EventOut", &ids);
    let columns: Vec<_> = events
        .iter()
        .map(|hits| {
            let real = |f: fn(&Deposit) -> f64| hits.iter().map(f).collect::<Vec<f64>>();
            let int = |f: fn(&Deposit) -> i32| hits.iter().map(f).collect::<Vec<i32>>();
            (int(|h| h.0), real(|h| h.1), real(|h| h.2), real(|h| h.3), real(|h| h.4), real(|h| h.5), int(|h| h.6))
        })
        .collect();
    let rows: Vec<Vec<(&str, Cell<'_>)>> = columns
        .iter()
        .enumerate()
        .map(|(i, c)| {
            vec![
                ("EventID", Cell::Int(i as i32)),
                ("CCDid", Cell::VecInt(&c.0)),
                ("posx", Cell::VecDouble(&c.1)),
                ("posy", Cell::VecDouble(&c.2)),
                ("posz", Cell::VecDouble(&c.3)),
                ("Edep", Cell::VecDouble(&c.4)),
                ("time", Cell::VecDouble(&c.5)),
                ("pdg", Cell::VecInt(&c.6)),
            ]
        })
        .collect();
    tree("CCDOut", &rows);
    file.finish().unwrap();
}
