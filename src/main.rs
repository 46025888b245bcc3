//! The program: parse, run, exit code. Everything else is the library.

use std::process::ExitCode;

use panaskimg::cli;

fn main() -> ExitCode {
    cli::parse(std::env::args_os()).and_then(cli::run).unwrap_or_else(|error| {
        error.report();
        ExitCode::from(error.exit_code())
    })
}
