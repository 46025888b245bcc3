//! `panaSKImg hotcols` ([`crate::workbench::hotcols`]).

use clap::{ArgMatches, Args as _, Command};

use super::super::{Surroundings, UsageError};
use super::{Subcommand, bench};
use crate::workbench::hotcols::{HotcolsArgs, run};

pub(super) const TOOL: Subcommand = Subcommand {
    name: "hotcols",
    old_names: &["find_hot_regions", "analysis_hotcolumns_f"],
    summary: "Find hot columns or rows and write them as lists for the configuration",
    hidden: false,
    command,
    work,
};

fn command() -> Command {
    HotcolsArgs::augment_args(Command::new("hotcols")).after_help(
        "Example:\n  panaSKImg hotcols \"out/*_waders.fits\" --cols 8 6151 --charge 0.8 10 --nsigma 4 --outdir masks",
    )
}

fn work(matches: &ArgMatches, surroundings: &Surroundings<'_>) -> Result<u8, UsageError> {
    bench::work(matches, surroundings, run)
}
