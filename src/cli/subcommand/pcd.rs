//! `panaSKImg pcd` ([`crate::workbench::pcd`]).

use clap::{ArgMatches, Args as _, Command};

use super::super::{Surroundings, UsageError};
use super::{Subcommand, bench};
use crate::workbench::pcd::{PcdArgs, run};

pub(super) const TOOL: Subcommand = Subcommand {
    name: "pcd",
    old_names: &["pcd_plot"],
    summary: "Compare the pixel charge distributions of data sets",
    hidden: false,
    command,
    work,
};

fn command() -> Command {
    PcdArgs::augment_args(Command::new("pcd")).after_help("Example:\n  panaSKImg pcd -d \"run42/*_waders.fits\" \"run43/*_waders.fits\" --ho 600 -1 5 --norm --label \"130 K\" \"140 K\"")
}

fn work(matches: &ArgMatches, surroundings: &Surroundings<'_>) -> Result<u8, UsageError> {
    bench::work(matches, surroundings, run)
}
