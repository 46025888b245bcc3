//! The one typed truth about what to do: built-in defaults < JSON file < command line.
//!
//! Defaults, types and descriptions come from the parameter structs themselves (through the registry of processes and
//! the JSON schemas derived from the structs), so that a parameter is described in one place only. [`Config::load`]
//! brings the layers together and collects everything that is wrong; [`Config::to_json`] writes the result so that it
//! can be read again.

pub mod blocks;
pub mod describe;
pub mod document;
pub mod input;
mod input_section;
mod load;
pub mod named;
pub mod overrides;
pub mod problem;
pub mod sequence;
pub mod shape;
#[cfg(test)]
pub(crate) mod test_table;
#[cfg(test)]
mod tests;
pub mod values;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use indexmap::IndexMap;
use serde_json::{Map, Value};

pub use blocks::Block;
pub use input::InputConfig;
pub use overrides::{Overrides, RunOptions, Target};
pub use problem::{ConfigErrors, Place, Problem};
pub use values::{IndexList, OneOrMany, PairEnd, PerAmplifier};

use crate::image::Amplifier;
use crate::process::{CommonParameters, ProcessEntry, SKImageProcess, registry};

/// The complete, valid configuration of a run.
#[derive(Debug, Clone)]
pub struct Config {
    /// How files become images.
    pub input: InputConfig,
    /// The processes in the order of execution, each once; never empty.
    pub sequence: Vec<&'static ProcessEntry>,
    /// Section `monitoring_elements`, as it stands in the file.
    pub monitoring_elements: Option<Value>,
    /// What only the command line can say.
    pub options: RunOptions,
    /// What may be a mistake in the file or on the command line.
    pub warnings: Vec<Problem>,
    /// The configuration file.
    pub file: Option<PathBuf>,
    blocks: IndexMap<&'static str, Block>,
    input_json: Value,
}

impl Config {
    /// Reads a configuration file (`None`: built-in defaults only) and puts the command line over it.
    ///
    /// # Errors
    /// All problems at once, each with file, line, key, value found and value expected.
    pub fn load(path: Option<&Path>, overrides: &Overrides) -> Result<Self, ConfigErrors> {
        Self::load_with(registry::all(), path, overrides)
    }

    /// [`load`](Self::load) with another table of processes.
    pub fn load_with(
        table: &'static [ProcessEntry],
        path: Option<&Path>,
        overrides: &Overrides,
    ) -> Result<Self, ConfigErrors> {
        let file = path.map(load::File::read).transpose()?;
        load::Loader::new(table, file.as_ref(), overrides).load()
    }

    /// Reads a configuration from the bytes of a file called `name`.
    ///
    /// # Errors
    /// As for [`load`](Self::load).
    pub fn parse(
        table: &'static [ProcessEntry],
        name: &str,
        bytes: &[u8],
        overrides: &Overrides,
    ) -> Result<Self, ConfigErrors> {
        let file = load::File::parse(Path::new(name), bytes)?;
        load::Loader::new(table, Some(&file), overrides).load()
    }

    /// The block of a process; `None` for processes that act on simulated hits only.
    pub fn block(&self, entry: &ProcessEntry) -> Option<&Block> {
        self.blocks.get(entry.name)
    }

    /// The parameters that every process has.
    pub fn common(&self, entry: &ProcessEntry) -> &CommonParameters {
        static DEFAULT: LazyLock<CommonParameters> = LazyLock::new(CommonParameters::default);
        self.block(entry).map_or(&DEFAULT, |b| &b.common)
    }

    /// Makes a process. Parameters that are given per amplifier although the process holds one value are resolved for
    /// `amplifier`; [`Block::depends_on_amplifier`] tells whether there are any.
    ///
    /// # Errors
    /// A sentence that names the key, if it has no value for this amplifier.
    pub fn process(&self, entry: &ProcessEntry, amplifier: &Amplifier) -> Result<Box<dyn SKImageProcess>, String> {
        let block = self.block(entry).ok_or_else(|| format!("{} acts on simulated hits only", entry.name))?;
        let names: Vec<&str> = amplifier.names().collect();
        let parameters = block.resolved(names.iter().copied()).map_err(|key| {
            format!(
                "parameter `{key}` has no value for amplifier {} (names tried: {}, default)",
                names[0],
                names.join(", ")
            )
        })?;
        block.build(parameters)
    }

    /// The whole configuration as a file would hold it: defaults, file and command line merged, blocks of all
    /// processes. Reading it again gives the same configuration.
    pub fn to_json(&self) -> Value {
        self.json(|_| true)
    }

    /// The configuration as far as this run uses it: only the blocks of processes in the sequence.
    pub fn run_json(&self) -> Value {
        self.json(|entry| self.sequence.iter().any(|e| e.name == entry.name))
    }

    /// Whether a process of the sequence shows figures.
    pub fn displays_figures(&self) -> bool {
        self.sequence.iter().filter_map(|entry| self.block(entry)).any(|block| block.common.display)
    }

    fn json(&self, wanted: impl Fn(&ProcessEntry) -> bool) -> Value {
        let mut process = Map::new();
        process.insert("sequence".into(), sequence::Sequence::to_text(&self.sequence).into());
        for block in self.blocks.values().filter(|b| wanted(b.entry)) {
            process.insert(block.entry.name.into(), block.to_json());
        }
        let mut all = Map::new();
        all.insert("input".into(), self.input_json.clone());
        all.insert("process".into(), Value::Object(process));
        if let Some(elements) = &self.monitoring_elements {
            all.insert("monitoring_elements".into(), elements.clone());
        }
        Value::Object(all)
    }
}
