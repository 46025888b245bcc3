//! `panaSKImg closure`: what the analysis finds on simulated images against what was put in (spec 07 §8.8).

use std::path::PathBuf;
use std::time::Instant;

use clap::{ArgMatches, Args as _, Command, FromArgMatches as _};

use super::super::{ALL_DONE, SOME_FAILED, Surroundings, UsageError, print, say};
use super::Subcommand;
use crate::closure::report::{Tally, line, write};
use crate::closure::{ClosureError, Extent, Plan, STUDIES, Study, find};

pub(super) const TOOL: Subcommand = Subcommand {
    name: "closure",
    old_names: &[],
    summary: "Check what the analysis finds against simulated truth, with pull plots",
    hidden: false,
    command,
    work,
};

/// Checks what the analysis finds on simulated images against what was put in.
///
/// For each process and a grid of settings, images are simulated, analysed and compared with their truth. If estimates
/// and errors are right, the pulls (estimate − truth)/error have mean 0 and width 1. Writes closure.md, closure.pdf,
/// closure.csv, closure.json and the pull plots. Exit code 1 if a quantity does not close that should.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = examples())]
struct ClosureArgs {
    /// Directory of the report
    #[arg(short, long, value_name = "DIR", default_value = "closure")]
    output: PathBuf,
    /// Studies to make [default: all]
    #[arg(value_name = "STUDY")]
    studies: Vec<String>,
    /// Images per setting
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(10..=1_000_000))]
    images: u64,
    /// Only settings whose name holds this text
    #[arg(long, value_name = "TEXT")]
    setting: Option<String>,
    /// Seed of all random numbers
    #[arg(long, value_name = "N", default_value_t = 321)]
    seed: u64,
    /// Few settings and small images, as in the tests
    #[arg(long)]
    fast: bool,
    /// Threads to use [default: all cores]
    #[arg(long, alias = "threads", value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    ncpus: Option<u16>,
}

fn examples() -> String {
    let list: String = STUDIES.iter().map(|s| format!("  {:<18} {}\n", s.name, s.title)).collect();
    format!(
        "Studies:\n{list}\nExamples:\n  panaSKImg closure -o report\n  panaSKImg closure dark_current pedestal --images 1000 --seed 5"
    )
}

fn command() -> Command {
    ClosureArgs::augment_args(Command::new("closure"))
}

fn work(matches: &ArgMatches, _: &Surroundings<'_>) -> Result<u8, UsageError> {
    let args = ClosureArgs::from_arg_matches(matches).map_err(|e| UsageError::Clap(Box::new(e)))?;
    let studies: Vec<&'static Study> = if args.studies.is_empty() {
        STUDIES.iter().collect()
    } else {
        args.studies
            .iter()
            .map(|name| find(name))
            .collect::<Result<_, _>>()
            .map_err(|e| UsageError::Other(e.to_string()))?
    };
    match run(&args, &studies) {
        Ok(tally) => Ok(if tally.fails == 0 { ALL_DONE } else { SOME_FAILED }),
        Err(error) => {
            say("error", error);
            Ok(SOME_FAILED)
        }
    }
}

fn run(args: &ClosureArgs, studies: &[&'static Study]) -> Result<Tally, ClosureError> {
    let start = Instant::now();
    let extent = if args.fast { Extent::Fast } else { Extent::Full };
    let plan = Plan { extent, images: args.images, seed: args.seed, setting: args.setting.clone() };
    let folder = tempfile::tempdir().map_err(|source| ClosureError::Write { path: std::env::temp_dir(), source })?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(args.ncpus.map_or(0, usize::from))
        .build()
        .map_err(|e| ClosureError::Threads(e.to_string()))?;
    let results = pool.install(|| {
        let mut results = Vec::new();
        for study in studies {
            print(&format!("{}\n", study.title));
            let result = study.run(&plan, folder.path(), &mut |case| {
                for entry in &case.entries {
                    print(&format!("{}\n", line(&case.label, entry)));
                }
            })?;
            results.push(result);
        }
        Ok::<_, ClosureError>(results)
    })?;
    if let Some(setting) = args.setting.as_ref().filter(|_| results.iter().all(|r| r.cases.is_empty())) {
        return Err(ClosureError::NoSetting { text: setting.clone() });
    }
    let tally = Tally::of(&results);
    let written = write(&results, &plan, &args.output)?;
    let report = written.first().map(|p| p.display().to_string()).unwrap_or_default();
    print(&format!(
        "{}; {:.0} s\nwrote {report} and {} other files\n",
        tally.sentence(),
        start.elapsed().as_secs_f64(),
        written.len().saturating_sub(1)
    ));
    Ok(tally)
}
