//! `panaSKImg threshold` ([`crate::workbench::threshold`]).

use clap::{ArgMatches, Args as _, Command};

use super::super::{Surroundings, UsageError};
use super::{Subcommand, bench};
use crate::workbench::threshold::{ThresholdArgs, run};

pub(super) const TOOL: Subcommand = Subcommand {
    name: "threshold",
    old_names: &["get_energy_threshold"],
    summary: "Charge threshold between 0 and 1 e- from a dark-current fit",
    hidden: false,
    command,
    work,
};

fn command() -> Command {
    ThresholdArgs::augment_args(Command::new("threshold")).after_help("Example:\n  panaSKImg threshold --from out/image_EXT1_waders.fits\n  panaSKImg threshold --dcfit 0.0035 0.273 1.284 0.0066 --scan-sigma 0.2 0.4 --scan-lam 0.001 0.1")
}

fn work(matches: &ArgMatches, surroundings: &Surroundings<'_>) -> Result<u8, UsageError> {
    bench::work(matches, surroundings, run)
}
