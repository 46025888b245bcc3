//! `panaSKImg man`: the manual page (`panaSKImg man | man -l -`).

use clap::{ArgMatches, Command};

use super::super::{ALL_DONE, Surroundings, UsageError, full_command, print};
use super::Subcommand;

pub(super) const TOOL: Subcommand =
    Subcommand { name: "man", old_names: &[], summary: "Print the manual page", hidden: true, command, work };

fn command() -> Command {
    Command::new("man")
}

fn work(_: &ArgMatches, surroundings: &Surroundings<'_>) -> Result<u8, UsageError> {
    let mut page = Vec::new();
    clap_mangen::Man::new(full_command(surroundings))
        .render(&mut page)
        .map_err(|e| UsageError::Other(format!("the manual page cannot be made: {e}")))?;
    print(&String::from_utf8_lossy(&page));
    Ok(ALL_DONE)
}
