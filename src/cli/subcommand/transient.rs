//! `panaSKImg transient` ([`crate::workbench::transient`]).

use clap::{ArgMatches, Args as _, Command};

use super::super::{Surroundings, UsageError};
use super::{Subcommand, bench};
use crate::workbench::transient::{TransientArgs, run};

pub(super) const TOOL: Subcommand = Subcommand {
    name: "transient",
    old_names: &["plot_skip_transient"],
    summary: "Draw the skips of chosen pixels and how their mean settles",
    hidden: false,
    command,
    work,
};

fn command() -> Command {
    TransientArgs::augment_args(Command::new("transient"))
        .after_help("Example:\n  panaSKImg transient raw.fits -r 10 20 -c 5 300")
}

fn work(matches: &ArgMatches, surroundings: &Surroundings<'_>) -> Result<u8, UsageError> {
    bench::work(matches, surroundings, run)
}
