//! `panaSKImg linearity` ([`crate::workbench::linearity`]).

use clap::{ArgMatches, Args as _, Command};

use super::super::{Surroundings, UsageError};
use super::{Subcommand, bench};
use crate::workbench::linearity::{LinearityArgs, run};

pub(super) const TOOL: Subcommand = Subcommand {
    name: "linearity",
    old_names: &["get_calibration_constant"],
    summary: "Gain and linearity from the single-electron peaks, up to more than a thousand electrons",
    hidden: false,
    command,
    work,
};

fn command() -> Command {
    LinearityArgs::augment_args(Command::new("linearity"))
        .after_help("Example:\n  panaSKImg linearity \"out/*_waders.fits\" --ext PEDSUBTRACTED -k 1.35 -o run42")
}

fn work(matches: &ArgMatches, surroundings: &Surroundings<'_>) -> Result<u8, UsageError> {
    bench::work(matches, surroundings, run)
}
