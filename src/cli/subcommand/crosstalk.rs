//! `panaSKImg crosstalk`: the cross-talk matrix of a module ([`crate::workbench::crosstalk`]).

use clap::{ArgMatches, Args, Command, FromArgMatches};

use super::super::{ALL_DONE, Surroundings, UsageError, print, say};
use super::{Subcommand, bench};
use crate::workbench::crosstalk::{CrosstalkArgs, run};

pub(super) const TOOL: Subcommand = Subcommand {
    name: "crosstalk",
    old_names: &["crosstalk_cli"],
    summary: "Measure the cross-talk between the channels of a module and correct the images",
    hidden: false,
    command,
    work,
};

fn command() -> Command {
    CrosstalkArgs::augment_args(Command::new("crosstalk"))
}

fn work(matches: &ArgMatches, surroundings: &Surroundings<'_>) -> Result<u8, UsageError> {
    let arguments = CrosstalkArgs::from_arg_matches(matches).map_err(|e| UsageError::Clap(Box::new(e)))?;
    let results = match run(&arguments, &surroundings.directory) {
        Ok(results) => results,
        Err(error) => return bench::failed(&error, error.is_no_input(), error.is_usage()),
    };
    results.warnings.iter().for_each(|w| say("warning", w));
    results.text.iter().for_each(|line| print(&format!("{line}\n")));
    results.written.iter().for_each(|path| print(&format!("wrote {}\n", path.display())));
    if arguments.display {
        bench::show(&results.figures);
    }
    Ok(ALL_DONE)
}
