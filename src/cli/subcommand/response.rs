//! `panaSKImg response`: the detector response to a Geant4 simulation (spec 07 §2).

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{ArgMatches, Args as _, Command, FromArgMatches as _};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::super::{ALL_DONE, SOME_FAILED, Surroundings, UsageError, print, say};
use super::Subcommand;
use crate::process::response as steps;
use crate::response::config::{CcdConfig, InRoot, OutRoot};
use crate::response::event_display::{EventDisplay, QUANTITIES};
use crate::response::run::{Job, Summary, run};
use crate::response::{ResponseConfig, ResponseRunError};

pub(super) const TOOL: Subcommand = Subcommand {
    name: "response",
    old_names: &["psimulCCDimg"],
    summary: "Make clusters and images from a Geant4 simulation",
    hidden: false,
    command,
    work,
};

/// What a CCD would have recorded of the events of a Geant4 simulation: diffusion, readout, dark current, noise,
/// saturation; clusters and images.
#[derive(Debug, Clone, clap::Args)]
struct ResponseArgs {
    /// Configuration (JSON)
    #[arg(value_name = "JSONFILE")]
    config: Option<PathBuf>,
    /// Geant4 ROOT files [default: those of the configuration, in_root]
    #[arg(long, value_name = "F", num_args = 1..)]
    g4file: Vec<PathBuf>,
    /// Output directory; created when missing
    #[arg(long, value_name = "DIR")]
    g4out: Option<PathBuf>,
    /// All inputs make one output; the numbers of the events run on
    #[arg(long, requires = "output")]
    altogether: bool,
    /// Name of the output file with --altogether
    #[arg(short, value_name = "NAME", requires = "altogether")]
    output: Option<PathBuf>,
    /// Part of the output's name
    #[arg(long, value_name = "TAG", default_value_t = format!("v{}", env!("CARGO_PKG_VERSION")))]
    tag: String,
    /// Seed of all random numbers
    #[arg(long, value_name = "N", default_value_t = 321)]
    seed: u64,
    /// Threads to use [default: all cores]
    #[arg(long, alias = "threads", value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    ncpus: Option<u16>,
    /// Print every key of the configuration with its meaning and default
    #[arg(long)]
    json: bool,
    /// Draw each event and CCD (PDF beside the output)
    #[arg(long)]
    debug: bool,
    /// With --debug: only these events
    #[arg(long, value_name = "N", num_args = 1.., requires = "debug")]
    event: Vec<i64>,
    /// With --debug: clusters of at least so many pixels get a panel
    #[arg(long, value_name = "N", default_value_t = 3)]
    cls_pix_min: usize,
    /// With --debug: quantity of the map
    #[arg(long, value_name = "P", default_value = "Edep", value_parser = QUANTITIES)]
    dparam: String,
    /// More messages
    #[arg(long)]
    verbose: bool,
    /// Accepted for older scripts
    #[arg(long, value_name = "LEVEL", hide = true)]
    dlevel: Option<String>,
    /// Accepted for older scripts
    #[arg(long, value_name = "DIR", hide = true)]
    dir: Option<PathBuf>,
}

fn command() -> Command {
    ResponseArgs::augment_args(Command::new("response")).after_help(
        "Examples:\n  panaSKImg response config.json --g4file run1.root run2.root --g4out out\n  \
         panaSKImg response config.json --g4file run?.root --altogether -o all.root\n  panaSKImg response --json",
    )
}

fn work(matches: &ArgMatches, _: &Surroundings<'_>) -> Result<u8, UsageError> {
    let args = ResponseArgs::from_arg_matches(matches).map_err(|e| UsageError::Clap(Box::new(e)))?;
    if args.json {
        print(&help());
        return Ok(ALL_DONE);
    }
    if args.dir.is_some() {
        return Err(UsageError::Other("--dir does not exist any more: use --g4file with a path".into()));
    }
    let path = args.config.as_deref().ok_or_else(|| UsageError::Other("no JSONFILE is given".into()))?;
    let config = ResponseConfig::load(path).map_err(|e| UsageError::Other(e.to_string()))?;
    config.warnings.iter().for_each(|w| say("warning", w));
    let jobs = jobs(&args, &config)?;
    let directory = jobs[0].output.parent().unwrap_or(Path::new(".")).to_owned();
    std::fs::create_dir_all(&directory)
        .map_err(|e| UsageError::Other(format!("cannot create {}: {e}", directory.display())))?;
    let display = args.debug.then(|| EventDisplay {
        events: args.event.clone(),
        smallest_cluster: args.cls_pix_min,
        quantity: args.dparam.clone(),
    });
    let threads = args.ncpus.map_or(0, usize::from);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| UsageError::Other(format!("cannot start {threads} threads: {e}")))?;
    let mut failed = 0;
    let mut seeds: HashMap<i64, &Job> = HashMap::new();
    for job in &jobs {
        match pool.install(|| run(&config, job, args.seed, display.as_ref())) {
            Ok(summary) => {
                report(job, &summary, args.verbose);
                if let [seed] = summary.seeds[..]
                    && let Some(other) = seeds.insert(seed, job)
                {
                    say(
                        "warning",
                        format!(
                            "{} and {} have the same RunInfo.Seed, {seed}: events of the same EventID get the same random \
                             numbers; use --altogether, or another --seed for one of them",
                            other.inputs[0].display(),
                            job.inputs[0].display()
                        ),
                    );
                }
            }
            Err(error) => {
                say("error", error);
                failed += 1;
            }
        }
    }
    Ok(if failed == 0 { ALL_DONE } else { SOME_FAILED })
}

/// One output per input, or one for all.
fn jobs(args: &ResponseArgs, config: &ResponseConfig) -> Result<Vec<Job>, UsageError> {
    let mut inputs = args.g4file.clone();
    if inputs.is_empty() {
        let from_config = config.in_root.root_file_name.as_ref().map(|name| {
            config.in_root.in_dir_path.as_ref().map_or_else(|| name.clone(), |directory| directory.join(name))
        });
        inputs.extend(from_config);
    }
    if inputs.is_empty() {
        return Err(UsageError::NoInput("give Geant4 files with --g4file, or `in_root` in the configuration".into()));
    }
    let directory =
        args.g4out.clone().or_else(|| config.out_root.out_dir_path.clone()).unwrap_or_else(|| PathBuf::from("."));
    if let Some(name) = &args.output {
        return Ok(vec![Job { inputs, output: directory.join(name) }]);
    }
    let prefix = &config.out_root.prefix_root_name;
    let jobs: Vec<Job> = inputs
        .into_iter()
        .map(|input| {
            let name = input.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Job { output: directory.join(format!("{prefix}_{}_{name}", args.tag)), inputs: vec![input] }
        })
        .collect();
    for (i, job) in jobs.iter().enumerate() {
        if let Some(other) = jobs[..i].iter().find(|other| other.output == job.output) {
            return Err(UsageError::Other(format!(
                "{} and {} would both be written to {}; use --altogether, or different directories",
                other.inputs[0].display(),
                job.inputs[0].display(),
                job.output.display()
            )));
        }
    }
    Ok(jobs)
}

fn report(job: &Job, summary: &Summary, verbose: bool) {
    let own_warnings = summary
        .warnings
        .iter()
        .filter(|w| ["volumes (", "deposits lie", "repeat an EventID"].iter().any(|part| w.contains(part)));
    own_warnings.for_each(|w| say("warning", w));
    let mut text = format!(
        "{}: {} events, {} with signal, {} clusters\n",
        job.output.display(),
        summary.events,
        summary.written,
        summary.clusters
    );
    if verbose {
        for input in &job.inputs {
            let _ = writeln!(text, "  read {}", input.display());
        }
    }
    for file in &summary.files {
        let _ = writeln!(text, "  wrote {}", file.display());
    }
    print(&text);
}

/// Every key with its meaning and default.
fn help() -> String {
    let mut text = String::from("Configuration of `panaSKImg response` (blocks with `\"active\": 1` take part):\n");
    let mut group = |name: &str, schema: Value, defaults: Value| {
        let _ = writeln!(text, "\n{name}");
        let properties = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
        for (key, about) in &properties {
            let meaning = about.get("description").and_then(Value::as_str).unwrap_or_default().replace('\n', " ");
            let default = defaults.get(key).cloned().unwrap_or(Value::Null);
            let _ = writeln!(text, "  {key:<24} {default:<22} {meaning}");
        }
    };
    fn of<P: JsonSchema + Default + Serialize>() -> (Value, Value) {
        let schema = crate::config::shape::schema_of::<P>().to_value();
        (schema, serde_json::to_value(P::default()).unwrap_or(Value::Object(Map::new())))
    }
    macro_rules! groups {
        ($($name:literal => $type:ty),* $(,)?) => {$({
            let (schema, defaults) = of::<$type>();
            group($name, schema, defaults);
        })*};
    }
    groups! {
        "in_root" => InRoot,
        "out_root" => OutRoot,
        "detector_response.Diffusion" => steps::Diffusion,
        "detector_response.ContinuousReadout" => steps::ContinuousReadout,
        "detector_response.PixelizeSignal" => steps::PixelizeSignal,
        "detector_response.DarkCurrent" => steps::DarkCurrent,
        "detector_response.ElectronicNoise" => steps::ElectronicNoise,
        "detector_response.PixelSaturation" => steps::PixelSaturation,
        "detector_response.PasteClusterProcess" => steps::PasteClusterProcess,
        "detector_response.CreateFitsImage" => steps::CreateFitsImage,
        "reconstruction.SignalPatternRecognition" => steps::SignalPatternRecognition,
        "reconstruction.ClusterFinder" => steps::ClusterFinder,
        "CF" => CcdConfig,
    }
    text
}

impl From<ResponseRunError> for UsageError {
    fn from(error: ResponseRunError) -> Self {
        Self::Other(error.to_string())
    }
}
