//! Other programs read our files: ROOT itself, uproot and jsroot.
//!
//! `PANASKIMG_PYTHON` names a Python with `pip install root==0.1a12 uproot awkward`, `PANASKIMG_JSROOT` a folder where
//! `npm install --ignore-scripts jsroot` was run. Without them the tests say so and pass.

use std::path::Path;
use std::process::Command;

use panaskimg::root::{BranchType, Compression, Options, RootFile};
use serde_json::{Map, Value as Json, json};

use crate::content::{Random, Table, fill};
use crate::objects::write_objects;
use crate::reader::all_types;
use crate::recorded::{recorded, recorded_tables};

/// A tree with branches of every type, filled at random; the vectors of an entry have equal lengths, as those of
/// clusters do.
fn every_type(name: &str, entries: usize, random: &mut Random) -> Table {
    let schema = all_types().enumerate().map(|(i, kind)| (format!("b{i}_{kind:?}"), kind)).collect();
    random_table(name, schema, entries, random)
}

/// A companion with scalars only.
fn info(entries: usize, random: &mut Random) -> Table {
    let schema = [("RUNID", BranchType::Int), ("total_exposure", BranchType::Double), ("version", BranchType::String)];
    random_table("info", schema.map(|(name, kind)| (name.to_owned(), kind)).into(), entries, random)
}

fn random_table(name: &str, schema: Vec<(String, BranchType)>, entries: usize, random: &mut Random) -> Table {
    let rows = (0..entries)
        .map(|_| {
            let length = random.below(9);
            schema.iter().map(|&(_, kind)| random.value(kind, length)).collect()
        })
        .collect();
    Table { name: name.into(), schema, rows }
}

fn add(folder: &Path, files: &mut Map<String, Json>, name: &str, options: Options, tables: &[Table]) {
    let setting = options.compression.setting();
    let mut file = RootFile::create(folder.join(name), options).unwrap();
    fill(&mut file, tables).unwrap();
    file.finish().unwrap();
    let trees: Map<_, _> = tables.iter().map(|table| (table.name.clone(), table.json())).collect();
    files.insert(name.to_owned(), json!({ "compression": setting, "trees": trees }));
}

/// Writes files of all sorts and the description of their content.
fn write_files(folder: &Path) {
    let mut random = Random(2025);
    let mut files = Map::new();
    let small_baskets = Options { basket_size: 700, ..Options::default() };
    for (number, entries) in [3, 0, 1, 40].into_iter().enumerate() {
        let tables = [every_type("clusters", entries, &mut random), info(entries, &mut random)];
        let options = if number == 3 { small_baskets.clone() } else { Options::default() };
        add(folder, &mut files, &format!("chain_{number}.root"), options, &tables);
    }
    for compression in [Compression::None, Compression::Zlib(6), Compression::Lz4, Compression::Zstd] {
        let tables = [every_type("clusters", 5, &mut random), info(5, &mut random)];
        let name = format!("chain_setting_{}.root", compression.setting());
        add(folder, &mut files, &name, Options::with_compression(compression), &tables);
    }
    let dated = Options { created: Some(jiff::civil::date(2025, 8, 7).at(17, 2, 13, 0)), ..small_baskets };
    add(folder, &mut files, "baskets.root", dated, &[every_type("many", 2500, &mut random)]);
    if let Some(recorded) = recorded() {
        let mut tables = recorded_tables(&recorded);
        for table in &mut tables {
            let row = table.rows[0].clone();
            table.rows.extend([row.clone(), row]);
        }
        add(folder, &mut files, "recorded.root", Options::default(), &tables);
    }
    let merge: Vec<_> = (0..4).map(|number| format!("chain_{number}.root")).collect();
    let expected = json!({
        "files": files,
        "chain": "chain_*.root",
        "merge": merge,
        "objects": write_objects(folder),
    });
    std::fs::write(folder.join("expected.json"), expected.to_string()).unwrap();
}

/// Runs a script of `tests/interop` on fresh files; if it fails, the files are kept to be looked at.
fn run(program: &str, script: &str, environment: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(script);
    let output = Command::new(program)
        .arg(&script)
        .arg(folder.path().join("expected.json"))
        .envs(environment.iter().copied())
        .output()
        .unwrap_or_else(|error| panic!("cannot run {program}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let status = output.status;
    assert!(status.success(), "{} on {}: {status}\n{out}\n{err}", script.display(), folder.keep().display());
    print!("{out}");
}

/// The value of an environment variable that names an optional program.
fn optional(variable: &str) -> Option<String> {
    let value = std::env::var(variable).ok();
    if value.is_none() {
        println!("skipped: {variable} is not set");
    }
    value
}

#[test]
fn root_reads_our_files_in_every_way() {
    let Some(python) = optional("PANASKIMG_PYTHON") else {
        return;
    };
    run(&python, "root_read.py", &[]);
}

#[test]
fn root_draws_our_histograms_and_graphs() {
    let Some(python) = optional("PANASKIMG_PYTHON") else {
        return;
    };
    run(&python, "root_objects.py", &[]);
}

#[test]
fn uproot_reads_our_files() {
    let Some(python) = optional("PANASKIMG_PYTHON") else {
        return;
    };
    run(&python, "root_uproot.py", &[]);
}

#[test]
fn jsroot_reads_our_files() {
    let Some(modules) = optional("PANASKIMG_JSROOT") else {
        return;
    };
    run("node", "root_jsroot.mjs", &[("PANASKIMG_JSROOT", &modules)]);
}
