//! The ROOT files with the cluster trees: one per item, or one for a whole run (`--oroot`).

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::cluster_trees::{self, Entry, Provenance};
use crate::config::Config;
use crate::image::RawData;
use crate::image::report::ConfigResult;
use crate::process::ProcessManager;
use crate::root::{BranchType, Options, RootFile, TreeId};

/// The entries of one image.
#[derive(Debug)]
pub struct ImageTrees {
    clusters: Entry,
    info: Entry,
    /// Whether they go to the trees `…_tagged`.
    tagged: bool,
    results: IndexMap<String, ConfigResult>,
}

impl ImageTrees {
    /// The entries of an image. In a common file of several images (`combined`), image number 0 is replaced by the
    /// position of the file in the list of inputs.
    pub fn of(raw: &RawData, combined: bool) -> Self {
        let mut numbers = raw.numbers;
        if combined && numbers.image == 0 {
            numbers.image = raw.source.position as i64;
        }
        Self {
            clusters: cluster_trees::clusters_rec(raw, numbers),
            info: cluster_trees::info(raw, numbers),
            tagged: cluster_trees::is_tagged(&raw.header),
            results: raw.report.config_results.clone(),
        }
    }
}

/// Writes the file of one image.
///
/// # Errors
/// One sentence with the path.
pub fn write_one(path: &Path, trees: &ImageTrees, manager: &ProcessManager, config: &Config) -> Result<(), String> {
    let error = |e: crate::root::RootError| format!("{}: {e}", path.display());
    let mut file = RootFile::create(path, Options::default()).map_err(error)?;
    let suffix = if trees.tagged { "_tagged" } else { "" };
    for (name, entry) in [("clustersRec", &trees.clusters), ("info", &trees.info)] {
        let tree = file.tree(&format!("{name}{suffix}"), entry.schema()).map_err(error)?;
        file.fill(tree, &entry.cells()).map_err(error)?;
    }
    write_config(&mut file, &trees.results, manager, config).map_err(error)?;
    file.finish().map_err(error)
}

fn write_config(
    file: &mut RootFile,
    results: &IndexMap<String, ConfigResult>,
    manager: &ProcessManager,
    config: &Config,
) -> crate::root::Result<()> {
    let blocks: Vec<(&str, Map<String, Value>)> = manager
        .sequence()
        .map(|entry| {
            let block = config.block(entry).map(|b| b.to_json());
            (entry.tag, block.and_then(|b| b.as_object().cloned()).unwrap_or_default())
        })
        .collect();
    let provenance = Provenance {
        version: env!("CARGO_PKG_VERSION").into(),
        commit: env!("PANASKIMG_COMMIT").into(),
        config: config.run_json().to_string(),
    };
    let entry = cluster_trees::process_config(blocks.iter().map(|(tag, b)| (*tag, b)), results, &provenance);
    let tree = file.tree("process_config", entry.schema())?;
    file.fill(tree, &entry.cells())
}

/// A tree of the common file and the form of its entries.
#[derive(Debug)]
struct CommonTree {
    name: String,
    id: TreeId,
    schema: Vec<(String, BranchType)>,
}

/// One ROOT file for all images of a run, written entry by entry.
#[derive(Debug)]
pub struct CombinedRoot {
    path: PathBuf,
    file: RootFile,
    trees: Vec<CommonTree>,
    /// Entries of the `info` trees, kept until the branches of all images are known.
    infos: Vec<(String, Entry)>,
    results: IndexMap<String, ConfigResult>,
}

impl CombinedRoot {
    /// Starts the file.
    ///
    /// # Errors
    /// One sentence with the path.
    pub fn create(path: &Path) -> Result<Self, String> {
        let file = RootFile::create(path, Options::default()).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Self { path: path.to_owned(), file, trees: Vec::new(), infos: Vec::new(), results: IndexMap::new() })
    }

    /// Appends the entries of an image; returns what had to be left out, as sentences.
    ///
    /// # Errors
    /// One sentence with the path.
    pub fn add(&mut self, trees: ImageTrees) -> Result<Vec<String>, String> {
        let mut remarks = Vec::new();
        let suffix = if trees.tagged { "_tagged" } else { "" };
        let name = format!("clustersRec{suffix}");
        let left_out = self.fill(&name, trees.clusters).map_err(|e| format!("{}: {e}", self.path.display()))?;
        if !left_out.is_empty() {
            let lacking = left_out.join(", ");
            remarks.push(format!("tree {name}: this image has branches that the first one lacks: {lacking}"));
        }
        self.infos.push((format!("info{suffix}"), trees.info));
        self.results = trees.results;
        Ok(remarks)
    }

    fn fill(&mut self, name: &str, entry: Entry) -> crate::root::Result<Vec<String>> {
        let position = match self.trees.iter().position(|t| t.name == name) {
            Some(position) => position,
            None => {
                let schema = entry.schema();
                let id = self.file.tree(name, schema.clone())?;
                self.trees.push(CommonTree { name: name.to_owned(), id, schema });
                self.trees.len() - 1
            }
        };
        let tree = &self.trees[position];
        let (entry, left_out) = entry.conformed(&tree.schema);
        self.file.fill(tree.id, &entry.cells())?;
        Ok(left_out)
    }

    /// Writes the `info` trees with the branches of all images; what an image lacks is NaN or empty.
    fn write_infos(&mut self) -> crate::root::Result<()> {
        let infos = std::mem::take(&mut self.infos);
        let mut schemas: IndexMap<String, IndexMap<String, BranchType>> = IndexMap::new();
        for (name, entry) in &infos {
            let schema = schemas.entry(name.clone()).or_default();
            for (branch, kind) in entry.schema() {
                schema.entry(branch).or_insert(kind);
            }
        }
        for (name, schema) in schemas {
            let schema: Vec<(String, BranchType)> = schema.into_iter().collect();
            let id = self.file.tree(&name, schema.clone())?;
            self.trees.push(CommonTree { name, id, schema });
        }
        for (name, entry) in infos {
            self.fill(&name, entry)?;
        }
        Ok(())
    }

    /// Completes the file.
    ///
    /// # Errors
    /// One sentence with the path.
    pub fn finish(mut self, manager: &ProcessManager, config: &Config) -> Result<PathBuf, String> {
        let path = self.path.clone();
        let error = |e: crate::root::RootError| format!("{}: {e}", path.display());
        self.write_infos().map_err(error)?;
        write_config(&mut self.file, &self.results, manager, config).map_err(error)?;
        self.file.finish().map_err(error)?;
        Ok(path)
    }
}
