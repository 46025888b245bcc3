//! `panaSKImg topology` ([`crate::workbench::topology`]).

use clap::{ArgMatches, Args as _, Command};

use super::super::{Surroundings, UsageError};
use super::{Subcommand, bench};
use crate::workbench::topology::{TopologyArgs, run};

pub(super) const TOOL: Subcommand = Subcommand {
    name: "topology",
    old_names: &["cluster_topology"],
    summary: "Draw the clusters of a ROOT file, and their mean",
    hidden: false,
    command,
    work,
};

fn command() -> Command {
    TopologyArgs::augment_args(Command::new("topology")).after_help(
        "Example:\n  panaSKImg topology out/panaSKImg_clustersRec_image_ext1.root --emin 1 --emax 10 --skipsre",
    )
}

fn work(matches: &ArgMatches, surroundings: &Surroundings<'_>) -> Result<u8, UsageError> {
    bench::work(matches, surroundings, run)
}
