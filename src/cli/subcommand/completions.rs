//! `panaSKImg completions SHELL`: the completions of a shell, to be saved where it looks for them.

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;

use super::super::{ALL_DONE, Surroundings, UsageError, full_command, print};
use super::{SUBCOMMANDS, Subcommand};

pub(super) const TOOL: Subcommand = Subcommand {
    name: "completions",
    old_names: &[],
    summary: "Print the completions of a shell",
    hidden: true,
    command,
    work,
};

fn command() -> Command {
    let shell = Arg::new("shell").required(true).value_name("SHELL").value_parser(value_parser!(Shell));
    Command::new("completions").arg(shell.help("Shell that is to complete the options of panaSKImg"))
}

fn work(matches: &ArgMatches, surroundings: &Surroundings<'_>) -> Result<u8, UsageError> {
    let Some(shell) = matches.get_one::<Shell>("shell") else { return Ok(ALL_DONE) };
    let tools = SUBCOMMANDS.iter().filter(|s| !s.hidden).map(Subcommand::named_command);
    let mut command = full_command(surroundings).subcommands(tools);
    let mut text = Vec::new();
    clap_complete::generate(*shell, &mut command, "panaSKImg", &mut text);
    print(&String::from_utf8_lossy(&text));
    Ok(ALL_DONE)
}
