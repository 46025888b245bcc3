//! `panaSKImg cut` ([`crate::workbench::cut`]).

use clap::{ArgMatches, Args as _, Command};

use super::super::{Surroundings, UsageError};
use super::{Subcommand, bench};
use crate::workbench::cut::{CutArgs, run};

pub(super) const TOOL: Subcommand = Subcommand {
    name: "cut",
    old_names: &["cut_fits_image"],
    summary: "Cut the same region out of many images",
    hidden: false,
    command,
    work,
};

fn command() -> Command {
    CutArgs::augment_args(Command::new("cut"))
        .after_help("Example:\n  panaSKImg cut \"out/*_waders.fits\" --col 1200 20 --row 300 20 --film")
}

fn work(matches: &ArgMatches, surroundings: &Surroundings<'_>) -> Result<u8, UsageError> {
    bench::work(matches, surroundings, run)
}
