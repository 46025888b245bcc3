//! `panaSKImg compose` ([`crate::workbench::compose`]).

use clap::{ArgMatches, Args as _, Command};

use super::super::{Surroundings, UsageError};
use super::{Subcommand, bench};
use crate::workbench::compose::{ComposeArgs, run};

pub(super) const TOOL: Subcommand = Subcommand {
    name: "compose",
    old_names: &["get_compose_fits_file"],
    summary: "Join images of a run in the order of time, as one tall image or as a cube",
    hidden: false,
    command,
    work,
};

fn command() -> Command {
    ComposeArgs::augment_args(Command::new("compose"))
        .after_help("Example:\n  panaSKImg compose \"run42/*_waders.fits\" -c -o run42.fits --ext CALIBRATED")
}

fn work(matches: &ArgMatches, surroundings: &Surroundings<'_>) -> Result<u8, UsageError> {
    bench::work(matches, surroundings, run)
}
