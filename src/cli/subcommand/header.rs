//! `panaSKImg header` ([`crate::workbench::header`]).

use clap::{ArgMatches, Args as _, Command};

use super::super::{Surroundings, UsageError};
use super::{Subcommand, bench};
use crate::workbench::header::{HeaderArgs, run};

pub(super) const TOOL: Subcommand = Subcommand {
    name: "header",
    old_names: &["diffheader"],
    summary: "Show the header of a file, or what differs between two (exit code 1 if they differ)",
    hidden: false,
    command,
    work,
};

fn command() -> Command {
    HeaderArgs::augment_args(Command::new("header")).after_help(
        "Example:\n  panaSKImg header diff a.fits b.fits\n  panaSKImg header show a_EXT1_waders.fits \"ME*\" --hext 0",
    )
}

fn work(matches: &ArgMatches, surroundings: &Surroundings<'_>) -> Result<u8, UsageError> {
    bench::work(matches, surroundings, run)
}
