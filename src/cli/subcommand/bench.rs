//! What all bench tools do around their work: read the options, print, show the figures.

use std::ffi::OsString;
use std::fmt::Display;
use std::path::Path;

use clap::{ArgMatches, Command, FromArgMatches};

use super::super::{SOME_FAILED, Surroundings, UsageError, print, say};
use crate::plot::{DisplayEnvironment, Figure, Showcase, Shown, display_target};
use crate::workbench::error::BenchResult;
use crate::workbench::results::Results;

/// Reads the options, runs the tool, prints and shows its results; returns the exit code.
pub(super) fn work<A: FromArgMatches>(
    matches: &ArgMatches,
    surroundings: &Surroundings<'_>,
    run: fn(&A, &Path) -> BenchResult<Results>,
) -> Result<u8, UsageError> {
    let arguments = A::from_arg_matches(matches).map_err(|e| UsageError::Clap(Box::new(e)))?;
    let results = match run(&arguments, &surroundings.directory) {
        Ok(results) => results,
        Err(error) => return failed(&error, error.is_no_input(), error.is_usage()),
    };
    results.notes.iter().for_each(|n| say("note", n));
    results.warnings.iter().for_each(|w| say("warning", w));
    results.text.iter().for_each(|line| print(&format!("{line}\n")));
    results.written.iter().for_each(|path| print(&format!("wrote {}\n", path.display())));
    if results.display {
        show(&results.figures);
    }
    Ok(results.code)
}

/// What an error means (spec 01 §7.1): no input file, wrong usage, or an item that failed (exit code 1).
///
/// # Errors
/// The first two.
pub(super) fn failed(error: &impl Display, is_no_input: bool, is_usage: bool) -> Result<u8, UsageError> {
    if is_no_input {
        Err(UsageError::NoInput(error.to_string()))
    } else if is_usage {
        Err(UsageError::Other(error.to_string()))
    } else {
        say("error", error);
        Ok(SOME_FAILED)
    }
}

/// Shows figures in a viewer or in the terminal (spec 01 §6.5).
pub(super) fn show(figures: &[(Figure, Vec<std::path::PathBuf>)]) {
    let mut showcase = Showcase::new(display_target(&DisplayEnvironment::current()));
    for (figure, paths) in figures {
        match showcase.show(figure, paths) {
            Ok(Shown::Listed(paths)) => paths.iter().for_each(|p| say("info", format!("figure: {}", p.display()))),
            Ok(_) => {}
            Err(error) => say("warning", error),
        }
    }
}

/// Options with an optional truth value take the next word only if it is one: `--display a.fits` names a file,
/// `--display false a.fits` does not show.
pub(super) fn separate_flags(command: &Command, words: Vec<OsString>) -> Vec<OsString> {
    // The words that the option of this name understands, if it takes a truth value that may be left out.
    let truths = |word: &OsString| -> Option<Vec<String>> {
        let word = word.to_string_lossy();
        command.get_arguments().find_map(|arg| {
            let words: Vec<String> = arg.get_possible_values().iter().map(|v| v.get_name().to_owned()).collect();
            let optional = arg.get_num_args().is_some_and(|n| n.min_values() == 0 && n.takes_values());
            let long = word.strip_prefix("--");
            let aliases = arg.get_visible_aliases().unwrap_or_default();
            let named = long.is_some_and(|l| arg.get_long() == Some(l) || aliases.contains(&l))
                || arg.get_short().is_some_and(|s| *word == format!("-{s}"));
            (named && optional && words.iter().any(|w| w == "true")).then_some(words)
        })
    };
    let mut out = Vec::new();
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        if word == "--" {
            out.push(word);
            out.extend(words.by_ref());
        } else if let Some(truths) = truths(&word) {
            let next = words.peek().map(|next| next.to_string_lossy().to_ascii_lowercase());
            let value = next.filter(|next| truths.contains(next));
            if value.is_some() {
                words.next();
            }
            let mut whole = word;
            whole.push(format!("={}", value.unwrap_or_else(|| "true".into())));
            out.push(whole);
        } else {
            out.push(word);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_after_a_flag_is_no_truth_value() {
        let command = super::super::find("crosstalk".as_ref()).unwrap().named_command();
        let words = |list: &[&str]| list.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(
            separate_flags(&command, words(&["--display", "a.fits", "--display", "True", "b", "--lag", "1", "2"])),
            words(&["--display=true", "a.fits", "--display=true", "b", "--lag", "1", "2"])
        );
        assert_eq!(separate_flags(&command, words(&["--", "--display"])), words(&["--", "--display"]));
    }
}
