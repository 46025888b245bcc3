//! `panaSKImg view` ([`crate::workbench::view`]).

use clap::{ArgMatches, Args as _, Command};

use super::super::{Surroundings, UsageError};
use super::{Subcommand, bench};
use crate::workbench::view::{ViewArgs, run};

pub(super) const TOOL: Subcommand = Subcommand {
    name: "view",
    old_names: &["drawImageGrid"],
    summary: "Draw images stacked or in a grid, one colour per electron",
    hidden: false,
    command,
    work,
};

fn command() -> Command {
    ViewArgs::augment_args(Command::new("view")).after_help("Example:\n  panaSKImg view \"out/*_waders.fits\" --mext CLSMASK --ovs-col 6152 --ne 2,3\n  panaSKImg view a_EXT1_waders.fits --zoom 100 200 0 640 --float --display")
}

fn work(matches: &ArgMatches, surroundings: &Surroundings<'_>) -> Result<u8, UsageError> {
    bench::work(matches, surroundings, run)
}
