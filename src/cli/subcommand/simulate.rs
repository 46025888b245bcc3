//! `panaSKImg simulate`: raw skipper images whose truth is known (spec 07 §8.1).

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{ArgMatches, Args as _, Command, FromArgMatches as _};

use super::super::{ALL_DONE, SOME_FAILED, Surroundings, UsageError, print, say};
use super::Subcommand;
use crate::config::describe::annotated_object;
use crate::config::shape::schema_of;
use crate::simulate::load::{Origins, load};
use crate::simulate::presets::PRESETS;
use crate::simulate::series::Series;
use crate::simulate::sources::{SourceConfig, SourceType};
use crate::simulate::{Setup, SimulateError, SimulationConfig};

pub(super) const TOOL: Subcommand = Subcommand {
    name: "simulate",
    old_names: &[],
    summary: "Make raw skipper images whose truth is known",
    hidden: false,
    command,
    work,
};

/// Makes raw skipper images whose truth is known.
///
/// Every image comes with the truth of its amplifiers (_truth.json), particles (_truth.csv, _truth_pixels.csv) and pixels
/// (_truth.fits), and with an analysis configuration that reads it (_panaSKImg.json). The same configuration and seed give
/// the same bytes, with any number of threads.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = examples())]
struct SimulateArgs {
    /// Configuration with an object `simulate`
    #[arg(short, long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The image to be written (.fits or .fits.gz) [default: Image_ccd<ccd>_Source_<run>_<image>.fits]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Start from a known set-up
    #[arg(long, value_name = "NAME", value_parser = PRESETS.map(|p| p.name))]
    preset: Option<String>,
    /// Seed of all random numbers
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Number of images; more than one get the names <stem>_<i>.fits, i from 1
    #[arg(long, value_name = "M", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    n_images: u64,
    /// Set a parameter, for example --set noise.sigma1=2.5 (may be repeated)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Append the true energies (eV) and particle numbers as extensions of the image, for analysis with --MCT 1
    #[arg(long)]
    embed_truth: bool,
    /// Geant4 files whose events are put into the images; without a source of type `geant4` in the configuration all
    /// events go into every image
    #[arg(long, value_name = "FILE", num_args = 1..)]
    g4file: Vec<PathBuf>,
    /// Write the particles as Geant4 trees, the input of `panaSKImg response`
    #[arg(long, value_name = "FILE")]
    g4_out: Option<PathBuf>,
    /// Threads to use [default: all cores]
    #[arg(long, alias = "threads", value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    ncpus: Option<u16>,
    /// Print every key of the configuration with its default and what it means
    #[arg(long)]
    keys: bool,
    /// Print the complete configuration, file sizes and the expected truth, and write nothing
    #[arg(long)]
    dry_run: bool,
}

fn examples() -> String {
    let mut text = String::from("Presets:\n");
    for preset in &PRESETS {
        let _ = writeln!(text, "  {:<8} {}", preset.name, preset.summary);
    }
    text.push_str(
        "\nExamples:\n  panaSKImg simulate --preset leach --set dark_current=5 -o leach.fits\n  \
         panaSKImg simulate -j fe55.json --n-images 20 --seed 7 -o fe55.fits\n  \
         panaSKImg simulate --preset acm --dry-run\n  panaSKImg simulate --keys",
    );
    text
}

/// The configuration, key by key.
fn keys() -> String {
    let defaults = serde_json::to_value(SimulationConfig::default()).unwrap_or_default();
    annotated_object(
        "Configuration of `panaSKImg simulate`: a JSON file with the object `simulate`, or --set KEY=VALUE. Every key may be \
         left out; then the default shown here, or that of the preset, applies.",
        "simulate",
        schema_of::<SimulationConfig>().as_value(),
        &defaults,
        100,
    )
}

fn command() -> Command {
    SimulateArgs::augment_args(Command::new("simulate"))
}

fn work(matches: &ArgMatches, _: &Surroundings<'_>) -> Result<u8, UsageError> {
    let args = SimulateArgs::from_arg_matches(matches).map_err(|e| UsageError::Clap(Box::new(e)))?;
    if args.keys {
        print(&keys());
        return Ok(ALL_DONE);
    }
    let unacceptable = |error: SimulateError| UsageError::Other(error.to_string());
    let mut config = load(&Origins {
        preset: args.preset.as_deref(),
        file: args.json.as_deref(),
        settings: &args.settings,
        seed: args.seed,
    })
    .map_err(unacceptable)?;
    let geant4 = |source: &SourceConfig| source.kind == SourceType::Geant4;
    if !args.g4file.is_empty() && !config.sources.iter().any(geant4) {
        config.sources.push(SourceConfig::of_kind(SourceType::Geant4));
    }
    let setup =
        Setup::new(config).and_then(|setup| setup.with_geant4(&args.g4file, args.n_images)).map_err(unacceptable)?;
    if setup.geant4.outside > 0 {
        say("warning", format!("{} Geant4 deposits lie outside of the CCD and are left out", setup.geant4.outside));
    }
    let output = args.output.as_deref();
    let series =
        Series::new(setup, output, args.n_images, args.embed_truth, args.g4_out.as_deref()).map_err(unacceptable)?;
    if args.dry_run {
        print(&series.plan());
        return Ok(ALL_DONE);
    }
    let threads = args.ncpus.map_or(0, usize::from);
    match series.make(threads, &mut |files| print(&format!("{}\n", files.image.display()))) {
        Ok(()) => Ok(ALL_DONE),
        Err(error) => {
            say("error", error);
            Ok(SOME_FAILED)
        }
    }
}
