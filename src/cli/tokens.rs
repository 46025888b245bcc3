//! From the words of the shell to words that `clap` reads without doubt (spec 01 §1.1).
//!
//! Three rules of this command line are not clap's: long options may be abbreviated even when another option's full name
//! is longer, a list of integers ends before the first word that is no integer, and a list of texts must tell which
//! words it took when no input file is left. So the words are brought into one form first: every option under its full
//! name with `=` and its value, lists joined by commas, then `--` and the input files.

use std::ffi::{OsStr, OsString};

use clap::{Arg, Command};

/// Words for clap.
#[derive(Debug, PartialEq, Eq, Default)]
pub(crate) struct Tokens {
    /// Options, each one word.
    pub(crate) options: Vec<OsString>,
    /// Input files.
    pub(crate) positionals: Vec<OsString>,
    /// Lists of texts with the words they took.
    pub(crate) lists: Vec<TakenList>,
}

/// A list of texts with the words it took.
#[derive(Debug, PartialEq, Eq, Clone)]
pub(crate) struct TakenList {
    /// The option.
    pub(crate) option: String,
    /// Its values, one per word.
    pub(crate) words: Vec<String>,
}

/// Why the words make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// An abbreviation fits several options.
    #[error("--{given} is ambiguous: it could be {candidates}")]
    Ambiguous {
        /// As given, without dashes.
        given: String,
        /// Options it could mean.
        candidates: String,
    },
    /// A list of integers without any.
    #[error("--{option} needs at least one integer; found {found}")]
    NoInteger {
        /// The option.
        option: String,
        /// The word that follows.
        found: String,
    },
}

/// Whether a word is an integer or several joined by commas.
fn is_integers(word: &OsStr) -> bool {
    word.to_str().is_some_and(|w| w.split(',').all(|part| part.parse::<i64>().is_ok()))
}

/// Whether a word begins an option: a dash and something that is no number.
fn is_option(word: &OsStr) -> bool {
    let bytes = word.as_encoded_bytes();
    match bytes {
        [b'-', b'0'..=b'9', ..] | [b'-', b'.', b'0'..=b'9', ..] | [b'-'] => false,
        [b'-', ..] => true,
        _ => false,
    }
}

/// Brings words (without the program's name) into one form.
pub(crate) fn normalise(command: &Command, words: Vec<OsString>) -> Result<Tokens, TokenError> {
    let mut tokens = Tokens::default();
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        if word == "--" {
            tokens.positionals.extend(words);
            break;
        }
        if !is_option(&word) {
            tokens.positionals.push(word);
            continue;
        }
        let Some((arg, attached)) = find(command, &word)? else {
            // Unknown: clap says so, with the nearest option.
            tokens.options.push(word);
            continue;
        };
        let Some(long) = arg.get_long() else { continue };
        if !arg.get_action().takes_values() {
            // A value on a flag is clap's to refuse; a letter (-h) may mean something else than its long form.
            let spelled = word.to_string_lossy().starts_with("--") && attached.is_none();
            tokens.options.push(if spelled { format!("--{long}").into() } else { word });
            continue;
        }
        let most = arg.get_num_args().map_or(1, |n| n.max_values());
        let mut values: Vec<OsString> = Vec::new();
        match attached {
            Some(value) => values.push(value),
            None if most <= 1 => values.extend(words.next_if(|next| !is_option(next) && *next != "--")),
            None => {
                let integers = is_integer_list(arg);
                while let Some(next) = words.next_if(|next| !is_option(next) && (!integers || is_integers(next))) {
                    values.push(next);
                }
                if integers && values.is_empty() {
                    let found = words.peek().map_or("nothing".into(), |w| format!("`{}`", w.to_string_lossy()));
                    return Err(TokenError::NoInteger { option: long.to_owned(), found });
                }
                if !integers {
                    let words = values.iter().map(|v| v.to_string_lossy().into_owned()).collect();
                    tokens.lists.push(TakenList { option: format!("--{long}"), words });
                }
            }
        }
        if most > 1 {
            // The last list wins as a whole; clap would join them.
            let same = format!("--{long}=");
            tokens.options.retain(|o| !o.to_string_lossy().starts_with(&same));
        }
        let mut option = OsString::from(format!("--{long}"));
        for (i, value) in values.iter().enumerate() {
            option.push(if i == 0 { "=" } else { "," });
            option.push(value);
        }
        tokens.options.push(option);
    }
    Ok(tokens)
}

/// Lists of integers are marked in the definition by their type.
fn is_integer_list(arg: &Arg) -> bool {
    arg.get_value_parser().type_id() == clap::builder::ValueParser::from(clap::value_parser!(i64)).type_id()
}

/// The argument that a word names, and the value attached to it.
fn find<'c>(command: &'c Command, word: &OsStr) -> Result<Option<(&'c Arg, Option<OsString>)>, TokenError> {
    // An option that is not Unicode is left to clap, except for a value after `=`, which no option needs to be.
    let Some(text) = word.to_str() else { return Ok(None) };
    if let Some(long) = text.strip_prefix("--") {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(OsString::from(value))),
            None => (long, None),
        };
        return Ok(find_long(command, name)?.map(|arg| (arg, value)));
    }
    let mut letters = text.chars();
    letters.next();
    let letter = letters.next();
    let rest = letters.as_str();
    let arg = command.get_arguments().find(|a| a.get_short().is_some() && a.get_short() == letter);
    let value = rest.strip_prefix('=').unwrap_or(rest);
    Ok(arg.map(|arg| (arg, (!rest.is_empty()).then(|| OsString::from(value)))))
}

/// The argument with this long name, or the only one whose name begins so.
fn find_long<'c>(command: &'c Command, given: &str) -> Result<Option<&'c Arg>, TokenError> {
    fn names(arg: &Arg) -> Vec<&str> {
        arg.get_long().into_iter().chain(arg.get_all_aliases().unwrap_or_default()).collect()
    }
    if let Some(arg) = command.get_arguments().find(|a| names(a).contains(&given)) {
        return Ok(Some(arg));
    }
    let begins = |arg: &&Arg| !given.is_empty() && names(arg).iter().any(|n| n.starts_with(given));
    let candidates: Vec<&Arg> = command.get_arguments().filter(begins).collect();
    match candidates.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        several => {
            let shown = several.iter().flat_map(|a| names(a)).filter(|n| n.starts_with(given));
            let candidates: Vec<String> = shown.map(|n| format!("--{n}")).collect();
            Err(TokenError::Ambiguous { given: given.to_owned(), candidates: candidates.join(", ") })
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{Arg, ArgAction};

    use super::*;

    fn command() -> Command {
        let list = |name: &'static str| Arg::new(name).long(name).num_args(1..).action(ArgAction::Append);
        let mut command = Command::new("t")
            .arg(list("ext").short('e').value_parser(clap::value_parser!(i64)))
            .arg(list("skip"))
            .arg(Arg::new("skip-start").long("skip-start").alias("start"))
            .arg(Arg::new("flag").long("flag").action(ArgAction::SetTrue));
        command.build();
        command
    }

    fn words(text: &str) -> String {
        let words = text.split_whitespace().map(OsString::from).collect();
        match normalise(&command(), words) {
            Ok(t) => {
                let join = |v: &[OsString]| v.iter().map(|w| w.to_string_lossy()).collect::<Vec<_>>().join(" ");
                format!("{} | {}", join(&t.options), join(&t.positionals)).trim().to_owned()
            }
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn every_spelling_becomes_the_same_form() {
        for (given, expected) in [
            ("a --flag b", "--flag | a b"),
            ("--fl a", "--flag | a"),
            ("--start -3 a", "--skip-start=-3 | a"),
            ("--skip-s=-.5 a", "--skip-start=-.5 | a"),
            ("--skip a b --flag c", "--skip=a,b --flag | c"),
            ("--skip a -1 -- --flag", "--skip=a,-1 | --flag"),
            ("-e 1 -2 3,4 a 5", "--ext=1,-2,3,4 | a 5"),
            ("-e1 a", "--ext=1 | a"),
            ("-e 1 a -e 2", "--ext=2 | a"),
            ("-h", "-h |"),
            ("--skip --flag", "--skip --flag |"),
            ("--skip-start", "--skip-start |"),
            ("--skip-start -x", "--skip-start -x |"),
            ("--nothing=1 a", "--nothing=1 | a"),
            ("-x a", "-x | a"),
            ("- -5", "| - -5"),
            ("--sk a", "--sk is ambiguous: it could be --skip, --skip-start"),
            ("-e x", "--ext needs at least one integer; found `x`"),
        ] {
            assert_eq!(words(given), expected, "{given}");
        }
    }

    #[test]
    fn lists_remember_the_words_they_took() {
        let words = ["--skip", "a", "b"].map(OsString::from).to_vec();
        let lists = normalise(&command(), words).unwrap().lists;
        assert_eq!(lists, [TakenList { option: "--skip".into(), words: vec!["a".into(), "b".into()] }]);
    }
}
