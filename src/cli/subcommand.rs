//! Tools of their own, called by name (spec 01 §1.7). A tool is one file with a [`Subcommand`] and one row in
//! [`SUBCOMMANDS`].

mod activity;
mod bench;
mod closure;
mod completions;
mod compose;
mod crosstalk;
mod cut;
mod header;
mod hotcols;
mod linearity;
mod man;
mod pcd;
mod response;
mod simulate;
mod threshold;
mod topology;
mod transient;
mod trend;
mod view;

use std::ffi::{OsStr, OsString};

use super::{Surroundings, UsageError};

/// One tool.
pub struct Subcommand {
    /// Name.
    pub name: &'static str,
    /// Names of the older programs it replaces: also names of the tool, and names under which the binary is invoked.
    pub old_names: &'static [&'static str],
    /// What it does, one line.
    pub summary: &'static str,
    /// Not shown in the help.
    pub hidden: bool,
    /// Its command line.
    pub command: fn() -> clap::Command,
    /// Does it; returns the exit code.
    pub work: fn(&clap::ArgMatches, &Surroundings<'_>) -> Result<u8, UsageError>,
}

impl std::fmt::Debug for Subcommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Subcommand({})", self.name)
    }
}

/// All tools, in the order of the help.
pub static SUBCOMMANDS: &[Subcommand] = &[
    simulate::TOOL,
    response::TOOL,
    closure::TOOL,
    crosstalk::TOOL,
    compose::TOOL,
    hotcols::TOOL,
    pcd::TOOL,
    view::TOOL,
    trend::TOOL,
    header::TOOL,
    linearity::TOOL,
    threshold::TOOL,
    transient::TOOL,
    topology::TOOL,
    cut::TOOL,
    activity::TOOL,
    completions::TOOL,
    man::TOOL,
];

/// The tool of this name or older name.
pub fn find(name: &OsStr) -> Option<&'static Subcommand> {
    SUBCOMMANDS.iter().find(|s| name == s.name || s.old_names.iter().any(|old| name == *old))
}

/// The tool that the program of this name was.
pub(super) fn find_old(program: &OsStr) -> Option<&'static Subcommand> {
    SUBCOMMANDS.iter().find(|s| s.old_names.iter().any(|old| program == *old))
}

/// The list of tools for the help, if there are any to show.
pub(super) fn overview() -> Option<String> {
    let shown: Vec<&Subcommand> = SUBCOMMANDS.iter().filter(|s| !s.hidden).collect();
    // The summary on a line of its own: clap continues a wrapped line where it begins.
    let lines: String = shown.iter().map(|s| format!("  {}\n        {}\n", s.name, s.summary)).collect();
    (!shown.is_empty()).then(|| format!("Tools (panaSKImg TOOL --help):\n{lines}"))
}

impl Subcommand {
    /// The command line under its full name.
    pub(super) fn named_command(&self) -> clap::Command {
        let command = (self.command)().name(self.name).bin_name(format!("panaSKImg {}", self.name)).about(self.summary);
        // `-3` behind an option is its value; whether it makes sense is judged where the value is used.
        command.mut_args(|arg| {
            let is_value = !arg.is_positional() && arg.get_action().takes_values();
            if is_value { arg.allow_negative_numbers(true) } else { arg }
        })
    }

    /// The words of a command line of this tool, called by this name: what the older program of the name implied is said.
    pub(super) fn words_as(&self, called: &OsStr, words: Vec<OsString>) -> Vec<OsString> {
        if called == "dc_analysis" { trend::words_of_dc_analysis(words) } else { words }
    }

    /// Reads its own command line and does the work.
    ///
    /// # Errors
    /// What makes it impossible to begin.
    pub fn run(&self, words: Vec<OsString>) -> Result<u8, UsageError> {
        let command = self.named_command();
        let words = std::iter::once(OsString::from(self.name)).chain(bench::separate_flags(&command, words));
        match command.try_get_matches_from(words) {
            Ok(matches) => (self.work)(&matches, &Surroundings::real()),
            Err(error) if error.use_stderr() => Err(UsageError::Clap(Box::new(error))),
            Err(error) => {
                let _ = error.print();
                Ok(super::ALL_DONE)
            }
        }
    }
}
