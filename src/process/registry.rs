//! The one table of processes.
//!
//! `--list-processes`, `--json help`, the JSON schema, the validation of the configuration and the tables of the
//! documentation are all made from it.

use std::fmt;

use schemars::{JsonSchema, Schema};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::SKImageProcess;
use super::analysis::*;
use super::commissioning::*;
use super::reconstruction::signal_pattern_recognition::feed_cluster_finder;
use super::reconstruction::*;
use crate::config::shape::schema_of;

/// How often a process runs on an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Once.
    Image,
    /// Once per amplifier.
    Amplifier,
}

/// Family of a process, for lists and documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// From the raw samples to calibrated images.
    Analysis,
    /// Studies of a detector on the test bench.
    Commissioning,
    /// From calibrated images to clusters.
    Reconstruction,
    /// Detector response, on simulated hits only.
    Response,
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Analysis => "analysis",
            Self::Commissioning => "commissioning",
            Self::Reconstruction => "reconstruction",
            Self::Response => "detector response",
        })
    }
}

/// What becomes of a key that older configuration files use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldKey {
    /// Another name of this key, with a warning.
    Renamed(&'static str),
    /// Another name of this key, without a warning.
    Alias(&'static str),
    /// Sets the keys of another process: (process, key, index in the list).
    Moved(&'static str, &'static str, usize),
    /// Without effect, with a warning.
    Ignored,
    /// Without effect, silently.
    Silent,
}

/// Keys of one process that set keys of another one: makes them from the keys that the user gave.
pub type Feed = fn(&Map<String, Value>) -> Map<String, Value>;

/// One row of the table.
pub struct ProcessEntry {
    /// Name in sequences and blocks.
    pub name: &'static str,
    /// Name in file names, branches and process chains.
    pub tag: &'static str,
    /// Other accepted names.
    pub aliases: &'static [&'static str],
    /// Family.
    pub group: Group,
    /// How often it runs.
    pub scope: Scope,
    /// One line.
    pub summary: &'static str,
    /// Processes that must stand earlier in the sequence.
    pub after: &'static [&'static str],
    /// Keys of older files.
    pub old_keys: &'static [(&'static str, OldKey)],
    /// Process whose keys this one sets too (an older name of a part of it), and how. Keys that the user gives to that
    /// process itself win.
    pub feeds: Option<(&'static str, Feed)>,
    /// How to make it; `None` for processes that act on simulated hits only.
    pub maker: Option<Maker>,
}

impl fmt::Debug for ProcessEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProcessEntry({})", self.name)
    }
}

/// Functions that make a process and describe its parameters.
#[derive(Clone, Copy)]
pub struct Maker {
    /// JSON schema of the parameters.
    pub schema: fn() -> Schema,
    /// The parameters with their defaults.
    pub defaults: fn() -> Value,
    /// The process from a complete, validated block.
    pub build: fn(Value) -> Result<Box<dyn SKImageProcess>, serde_json::Error>,
}

fn defaults_of<P: Default + Serialize>() -> Value {
    serde_json::to_value(P::default()).unwrap_or(Value::Null)
}

fn build_from<P: SKImageProcess + DeserializeOwned + 'static>(
    block: Value,
) -> Result<Box<dyn SKImageProcess>, serde_json::Error> {
    Ok(Box::new(serde_json::from_value::<P>(block)?))
}

/// A row for a process on images. `P` is its parameter struct.
pub(crate) const fn row<P>(name: &'static str, group: Group, scope: Scope, summary: &'static str) -> ProcessEntry
where
    P: SKImageProcess + DeserializeOwned + Serialize + Default + JsonSchema + 'static,
{
    ProcessEntry {
        name,
        tag: name,
        aliases: &[],
        group,
        scope,
        summary,
        after: &[],
        old_keys: &[],
        feeds: None,
        maker: Some(Maker { schema: schema_of::<P>, defaults: defaults_of::<P>, build: build_from::<P> }),
    }
}

/// A row for a process that acts on simulated hits only.
pub(crate) const fn simulation_only(name: &'static str, summary: &'static str) -> ProcessEntry {
    ProcessEntry {
        name,
        tag: name,
        aliases: &[],
        group: Group::Response,
        scope: Scope::Image,
        summary,
        after: &[],
        old_keys: &[],
        feeds: None,
        maker: None,
    }
}

impl ProcessEntry {
    pub(crate) const fn tag(mut self, tag: &'static str) -> Self {
        self.tag = tag;
        self
    }

    pub(crate) const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    pub(crate) const fn after(mut self, after: &'static [&'static str]) -> Self {
        self.after = after;
        self
    }

    pub(crate) const fn old_keys(mut self, keys: &'static [(&'static str, OldKey)]) -> Self {
        self.old_keys = keys;
        self
    }

    pub(crate) const fn feeds(mut self, process: &'static str, feed: Feed) -> Self {
        self.feeds = Some((process, feed));
        self
    }

    /// Whether `name` is the name, the tag or an alias of this process.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.tag == name || self.aliases.contains(&name)
    }

    /// Whether the process acts on simulated hits only.
    pub fn is_simulation_only(&self) -> bool {
        self.maker.is_none()
    }
}

/// All processes, sorted by name.
pub fn all() -> &'static [ProcessEntry] {
    TABLE
}

/// The process of this name, tag or alias.
pub fn find(name: &str) -> Option<&'static ProcessEntry> {
    TABLE.iter().find(|e| e.is_called(name))
}

use Group::*;
use OldKey::*;
use Scope::{Amplifier, Image};

static TABLE: &[ProcessEntry] = &[
    row::<AbsoluteChargeProcess>(
        "AbsoluteChargeProcess",
        Analysis,
        Amplifier,
        "counts the electrons of every pixel, with the probability that the number is right",
    ),
    row::<AddBKGComponent>("AddBKGComponent", Analysis, Amplifier, "adds background to simulated or blank images"),
    row::<ApplySelectionCuts>(
        "ApplySelectionCuts",
        Reconstruction,
        Image,
        "tags the clusters that touch listed rows or columns",
    ),
    row::<BuildClusterMask>(
        "BuildClusterMask",
        Reconstruction,
        Image,
        "masks the pixels around clusters, hot rows and hot columns",
    )
    .after(&["ClusterFinder"]),
    row::<CalibrationProcess>("CalibrationProcess", Analysis, Image, "converts ADU to electrons"),
    row::<ChargeLossPlot>(
        "ChargeLossPlot",
        Commissioning,
        Image,
        "shows single skips and their differences: is charge lost between skips?",
    ),
    row::<ChargeLossSkewnessProcess>(
        "ChargeLossSkewnessProcess",
        Commissioning,
        Amplifier,
        "measures charge loss: tails of differences between skips, probability per transfer",
    ),
    row::<ClusterFinder>(
        "ClusterFinder",
        Reconstruction,
        Amplifier,
        "finds clusters of pixels and computes their observables",
    )
    .old_keys(&[
        ("spr_mask", Renamed("apply_mask")),
        ("image", Renamed("spr_image")),
        ("threshold", Renamed("spr_threshold")),
        ("halo_radius", Moved("EvalHaloProcess", "radius", 0)),
        ("halo_radius_min", Moved("EvalHaloProcess", "radius", 1)),
        ("radius_of_acceptancy", Silent),
    ]),
    row::<CompressSkipperProcess>(
        "CompressSkipperProcess",
        Analysis,
        Image,
        "reduces the skips of each pixel to one value (mean, standard deviation, …)",
    )
    .tag("CompressSkipsProcess"),
    simulation_only("ContinuousReadout", "gives each simulated charge the pixel and time at which it is read"),
    row::<CorrectElectronicColumnTransient>(
        "CorrectElectronicColumnTransient",
        Analysis,
        Amplifier,
        "fits and removes the offset that decays along the first columns of each row",
    ),
    row::<CorrelatedNoiseProcess>(
        "CorrelatedNoiseProcess",
        Analysis,
        Image,
        "removes the noise that amplifiers read at the same time have in common",
    ),
    simulation_only("CreateFitsImage", "writes simulated images as FITS"),
    row::<CrossTalkProcess>(
        "CrossTalkProcess",
        Analysis,
        Image,
        "flags pixels whose skips scatter unusually in all amplifiers at the same position",
    ),
    simulation_only("DarkCurrent", "adds thermal charges to simulated pixels"),
    simulation_only("Diffusion", "spreads simulated charges while they drift to the pixels"),
    simulation_only("ElectronicNoise", "adds readout noise to simulated pixels"),
    row::<EvalCTIProcess>(
        "EvalCTIProcess",
        Analysis,
        Image,
        "rate of single electrons that trail each cluster: charge-transfer inefficiency",
    )
    .after(&["ClusterFinder"]),
    row::<EvalHaloProcess>("EvalHaloProcess", Analysis, Image, "rate of single electrons read before each cluster")
        .after(&["ClusterFinder"]),
    row::<FFTNoisePlot>(
        "FFTNoisePlot",
        Commissioning,
        Amplifier,
        "noise spectrum along skips and rows: pick-up lines, 1/f and white noise",
    ),
    row::<FitCalibrationConstant>(
        "FitCalibrationConstant",
        Commissioning,
        Amplifier,
        "fits the single-electron peaks: gain and linearity",
    ),
    row::<FitDarkCurrentPerCol>(
        "FitDarkCurrentPerCol",
        Analysis,
        Amplifier,
        "fits the dark current, noise and gain of groups of columns",
    ),
    row::<FitDarkCurrentPerRow>(
        "FitDarkCurrentPerRow",
        Analysis,
        Amplifier,
        "fits the dark current, noise and gain of groups of rows",
    ),
    row::<FitDarkCurrentProcess>(
        "FitDarkCurrentProcess",
        Analysis,
        Amplifier,
        "fits Poisson ⊗ Gaussian peaks to the pixel charge: gain, noise, dark current",
    ),
    row::<GaussianFitProcess>(
        "GaussianFitProcess",
        Analysis,
        Amplifier,
        "fits a Gaussian to the pixels of a region: the readout noise",
    )
    .old_keys(&[("show_outliers", Ignored), ("n_sigma_win_fit", Ignored)]),
    row::<GaussianNoiseProcess>(
        "GaussianNoiseProcess",
        Analysis,
        Image,
        "adds Gaussian noise to simulated images that have none",
    ),
    row::<MeanPixelChargePerAxis>(
        "MeanPixelChargePerAxis",
        Analysis,
        Amplifier,
        "mean, median, … of the pixels of every column or row",
    ),
    simulation_only("PasteClusterProcess", "pastes simulated clusters into real images"),
    row::<PedestalSubtractionProcess>(
        "PedestalSubtractionProcess",
        Analysis,
        Amplifier,
        "estimates the baseline per row or column and subtracts it",
    )
    .aliases(&["PedestalSubtractedProcess"])
    .old_keys(&[
        ("n_mad_mask", Renamed("n_sigma_to_mask")),
        ("is_highT", Renamed("is_highDC")),
        ("highT", Renamed("is_highDC")),
        ("highDC", Renamed("is_highDC")),
    ]),
    simulation_only("PixelSaturation", "limits the charge of simulated pixels"),
    simulation_only("PixelizeSignal", "collects simulated charges in pixels"),
    row::<RNvsNskipsPlot>(
        "RNvsNskipsPlot",
        Commissioning,
        Amplifier,
        "readout noise against the number of skips averaged, and the best number of skips",
    )
    .tag("NoiseVSSkipPlot")
    .old_keys(&[("include_row_dependency", Silent)]),
    row::<SignalPatternRecognition>(
        "SignalPatternRecognition",
        Reconstruction,
        Amplifier,
        "older name of the pixel selection of ClusterFinder",
    )
    .feeds("ClusterFinder", feed_cluster_finder),
    row::<TwoDGaussProcess>(
        "TwoDGaussProcess",
        Analysis,
        Image,
        "fits the two amplifiers of an image together: correlation, noises, dark currents, gains",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_names_are_unique() {
        let names: Vec<_> = all().iter().map(|e| e.name).collect();
        assert!(names.windows(2).all(|w| w[0] < w[1]), "{names:?}");
    }

    #[test]
    fn every_default_block_builds_its_process() {
        for entry in all() {
            if let Some(maker) = entry.maker {
                let process = (maker.build)((maker.defaults)()).unwrap_or_else(|e| panic!("{}: {e}", entry.name));
                assert_eq!(process.check(), Vec::<String>::new(), "{}", entry.name);
            }
        }
    }
}
