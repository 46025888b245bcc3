//! The command line: from the words of the shell to complete, valid options, and what is said when they are not.
//!
//! [`parse`] decides what is wanted ([`Command`]) and does no work itself; [`run`] does it. Nothing behind this module
//! asks whether an option was given: [`AnalysisOptions`] holds the result.

pub mod analysis;
mod arguments;
pub mod dqm;
mod dqm_arguments;
mod dqm_evolution;
mod dqm_run;
mod dqm_trend;
mod information;
pub mod inputs;
mod mapping;
mod message;
pub mod options;
pub mod subcommand;
#[cfg(test)]
mod tests;
mod tokens;

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

use arguments::Arguments;
pub use dqm::DqmOptions;
pub use message::{print, say};
pub use options::{AnalysisOptions, Verbosity};
pub use subcommand::Subcommand;
use tokens::{TakenList, TokenError};

use crate::config::ConfigErrors;
use crate::process::{ProcessEntry, registry};

/// Exit code: everything was processed.
pub const ALL_DONE: u8 = 0;
/// Exit code: at least one item failed, the others were processed.
pub const SOME_FAILED: u8 = 1;
/// Exit code: wrong usage or configuration; nothing was processed.
pub const WRONG_USAGE: u8 = 2;
/// Exit code: there is no input file.
pub const NO_INPUT: u8 = 3;
/// Exit code: interrupted by the user.
pub const INTERRUPTED: u8 = 130;

/// Whether this version has the data-quality monitor. Its options are in the help if it has.
const HAS_DQM: bool = true;

/// What the user wants.
#[derive(Debug)]
pub enum Command {
    /// Run the chain on images.
    Analysis(Box<AnalysisOptions>),
    /// Run the data-quality monitor.
    Dqm(Box<DqmOptions>),
    /// Put parts of a run of the monitor together.
    DqmMerge(Box<dqm::DqmMergeOptions>),
    /// Dark-current results from image to image.
    DqmEvolution(Box<dqm_evolution::DqmEvolutionOptions>),
    /// Trends over runs.
    DqmTrend(Box<dqm_trend::DqmTrendOptions>),
    /// Print a text and stop.
    Information(String),
    /// Print the help or the version and stop.
    Help(Box<clap::Error>),
    /// Run a tool of its own.
    Subcommand(&'static Subcommand, Vec<OsString>),
}

/// Why there is nothing to do, or why it cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// Unknown option, bad value, …
    #[error("{0}")]
    Clap(Box<clap::Error>),
    /// An ambiguous abbreviation, or a list without values.
    #[error(transparent)]
    Tokens(#[from] TokenError),
    /// The configuration has errors.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// The inputs cannot be selected.
    #[error(transparent)]
    Selection(#[from] inputs::SelectionError),
    /// No INFILE was given.
    #[error("no INFILE is given{0}")]
    NoInfile(String),
    /// No file is left to work on.
    #[error("no input file: {0}")]
    NoInput(String),
    /// Anything else, in one sentence.
    #[error("{0}")]
    Other(String),
}

impl UsageError {
    /// Exit code of the program.
    pub fn exit_code(&self) -> u8 {
        if matches!(self, Self::NoInput(_)) { NO_INPUT } else { WRONG_USAGE }
    }

    /// Writes the error to the terminal, once, as a person should read it.
    pub fn report(&self) {
        match self {
            Self::Clap(error) => {
                let _ = error.print();
            }
            Self::Config(errors) => {
                errors.warnings.iter().for_each(|w| say("warning", w));
                errors.errors.iter().for_each(|e| say("error", e));
            }
            other => say("error", other),
        }
    }
}

/// Everything outside the command line that decides what it means; a struct, so that tests can choose it.
pub struct Surroundings<'a> {
    /// Table of processes.
    pub table: &'static [ProcessEntry],
    /// Working directory.
    pub directory: PathBuf,
    /// Environment variables.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// Cores of the machine.
    pub cores: usize,
    /// Whether this version has the data-quality monitor.
    pub has_dqm: bool,
}

impl Surroundings<'static> {
    /// The real ones.
    pub fn real() -> Self {
        Self {
            table: registry::all(),
            directory: std::env::current_dir().unwrap_or_else(|_| ".".into()),
            variable: &|name| std::env::var_os(name),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            has_dqm: HAS_DQM,
        }
    }
}

/// Decides what is wanted. `words` begin with the name under which the program was called.
///
/// # Errors
/// Everything that is wrong with the command line and the configuration, in sentences.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Command, UsageError> {
    parse_in(&Surroundings::real(), words)
}

/// [`parse`] in given surroundings.
///
/// # Errors
/// As for [`parse`].
pub fn parse_in(
    surroundings: &Surroundings<'_>,
    words: impl IntoIterator<Item = OsString>,
) -> Result<Command, UsageError> {
    let mut words = words.into_iter();
    let program = words.next().unwrap_or_default();
    let program = Path::new(&program).file_stem().unwrap_or(OsStr::new("panaSKImg")).to_owned();
    let mut words: Vec<OsString> = words.collect();
    if program == "dqmSKImg" {
        words.insert(0, "--dqm".into());
    } else if let Some(tool) = subcommand::find_old(&program) {
        return Ok(Command::Subcommand(tool, tool.words_as(&program, words)));
    }
    if let Some(tool) = words.first().and_then(|first| subcommand::find(first))
        && !surroundings.directory.join(&words[0]).is_file()
    {
        let own = words.split_off(1);
        return Ok(Command::Subcommand(tool, tool.words_as(&words[0], own)));
    }
    if words.is_empty() {
        words.push("-h".into());
    }
    let mut command = plain_command(surroundings);
    command.build();
    let tokens = tokens::normalise(&command, words)?;
    let asks_for_help = |word: &&OsString| *word == "-h" || *word == "--help";
    let long_help = tokens.options.iter().find(asks_for_help).is_some_and(|word| word == "--help");
    let canonical =
        [OsString::from("panaSKImg")].into_iter().chain(tokens.options).chain(["--".into()]).chain(tokens.positionals);
    let arguments = match command.try_get_matches_from_mut(canonical) {
        Ok(matches) => Arguments::from_arg_matches(&matches).map_err(|e| UsageError::Clap(Box::new(e)))?,
        Err(error) if error.use_stderr() => return Err(UsageError::Clap(Box::new(error))),
        // The texts of the help need the registry; they are made only when they are shown.
        Err(error) if error.kind() == clap::error::ErrorKind::DisplayHelp => {
            return Ok(Command::Help(Box::new(help(surroundings, long_help))));
        }
        Err(error) => return Ok(Command::Help(Box::new(error))),
    };
    decide(surroundings, arguments, &tokens.lists)
}

fn decide(surroundings: &Surroundings<'_>, arguments: Arguments, lists: &[TakenList]) -> Result<Command, UsageError> {
    if arguments.all_processes.list_processes {
        return Ok(Command::Information(information::processes(surroundings.table, arguments.all_processes.verbose)));
    }
    match arguments.general.json.as_deref().and_then(Path::to_str) {
        Some("help") => return Ok(Command::Information(information::configuration(surroundings.table))),
        Some("schema") => return Ok(Command::Information(information::schema(surroundings.table))),
        _ => {}
    }
    if arguments.general.dump_config {
        let config = options::load_config(surroundings, &arguments)?;
        config.warnings.iter().for_each(|w| say("warning", w));
        return Ok(Command::Information(information::dump(&config)));
    }
    // Trends and evolutions are of the monitor and of nothing else; images are for neither.
    let is_trend = arguments.dqm.dqm_trend.is_some() || !arguments.dqm.dqm_evolution.is_empty();
    if arguments.dqm.dqm || (is_trend && arguments.infiles.is_empty()) {
        if !surroundings.has_dqm {
            return Err(UsageError::Other("this version has no data-quality monitor (--dqm)".into()));
        }
        if arguments.dqm.dqm_merge.is_some() {
            return Ok(Command::DqmMerge(Box::new(dqm::DqmMergeOptions::new(surroundings, &arguments)?)));
        }
        if arguments.dqm.dqm_trend.is_some() {
            return Ok(Command::DqmTrend(Box::new(dqm_trend::DqmTrendOptions::new(surroundings, &arguments)?)));
        }
        if !arguments.dqm.dqm_evolution.is_empty() {
            let options = dqm_evolution::DqmEvolutionOptions::new(surroundings, &arguments)?;
            return Ok(Command::DqmEvolution(Box::new(options)));
        }
        return Ok(Command::Dqm(Box::new(DqmOptions::new(surroundings, arguments, lists)?)));
    }
    if let Some(option) = arguments.dqm.first_given() {
        return Err(UsageError::Other(if surroundings.has_dqm {
            format!("{option} is an option of the data-quality monitor; add --dqm")
        } else {
            format!("{option} is an option of the data-quality monitor, which this version does not have")
        }));
    }
    let directory = surroundings.directory.clone();
    let options = AnalysisOptions::new(surroundings, &arguments, &directory, lists)?;
    Ok(Command::Analysis(Box::new(options)))
}

/// The definition of the command line without the texts that need the registry.
fn plain_command(surroundings: &Surroundings<'_>) -> clap::Command {
    let mut command = Arguments::command();
    if !surroundings.has_dqm {
        let own = arguments_of::<dqm_arguments::DqmArguments>();
        command = command.mut_args(|arg| if own.contains(arg.get_id()) { arg.hide(true) } else { arg });
    }
    command
}

fn arguments_of<A: clap::Args>() -> Vec<clap::Id> {
    let command = A::augment_args(clap::Command::new("part"));
    command.get_arguments().map(|a| a.get_id().clone()).collect()
}

/// The complete definition of the command line: for the help, the man page and the shells.
pub(crate) fn full_command(surroundings: &Surroundings<'_>) -> clap::Command {
    let command = mapping::describe_keys(plain_command(surroundings), surroundings.table);
    match subcommand::overview() {
        Some(overview) => {
            let usage = "panaSKImg [options] INFILE [INFILE ...]\n       panaSKImg TOOL [options] ...";
            let rest = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            command.override_usage(usage).after_help(format!("{overview}\n{rest}"))
        }
        None => command,
    }
}

/// The help as clap's own result, so that it is printed with the colours that the terminal can show.
fn help(surroundings: &Surroundings<'_>, long: bool) -> clap::Error {
    let word = if long { "--help" } else { "-h" };
    match full_command(surroundings).try_get_matches_from(["panaSKImg", word]) {
        Err(error) => error,
        Ok(_) => clap::Error::new(clap::error::ErrorKind::DisplayHelp),
    }
}

/// Does what is wanted; returns the exit code.
///
/// # Errors
/// What makes it impossible to begin.
pub fn run(command: Command) -> Result<ExitCode, UsageError> {
    match command {
        Command::Analysis(options) => analysis::run(&options).map(ExitCode::from),
        Command::Dqm(options) => dqm_run::run(&options).map(ExitCode::from),
        Command::DqmMerge(options) => dqm_run::merge(&options).map(ExitCode::from),
        Command::DqmEvolution(options) => dqm_evolution::run(&options).map(ExitCode::from),
        Command::DqmTrend(options) => dqm_trend::run(&options).map(ExitCode::from),
        Command::Information(text) => {
            print(&text);
            Ok(ExitCode::from(ALL_DONE))
        }
        Command::Help(error) => {
            let _ = error.print();
            // clap ends the help where its last text ends.
            if !error.to_string().ends_with('\n') {
                print("\n");
            }
            let _ = std::io::stdout().flush();
            Ok(ExitCode::from(ALL_DONE))
        }
        Command::Subcommand(tool, words) => tool.run(words).map(ExitCode::from),
    }
}
