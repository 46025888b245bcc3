//! How the program speaks: results on stdout, everything else on stderr (spec 01 §6.8).

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};

/// Writes a text to stdout. A reader that went away (`| head`) is no error.
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// Writes `level: text` to stderr, in colour on a terminal unless `NO_COLOR` is set.
pub fn say(level: &str, text: impl Display) {
    let mut err = std::io::stderr().lock();
    let coloured = err.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let colour = match level {
        "error" => "\x1b[1;31m",
        "warning" => "\x1b[1;33m",
        _ => "\x1b[1m",
    };
    let _ = if coloured { writeln!(err, "{colour}{level}:\x1b[0m {text}") } else { writeln!(err, "{level}: {text}") };
}
