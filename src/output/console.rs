//! What the user sees: results on stdout, everything else on stderr (spec 01 §6.8).

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;

use crate::image::{Level, LogRecord};

/// The terminal. Lines of one item stay together; colours only on a terminal and never with `NO_COLOR`.
#[derive(Debug)]
pub struct Console {
    threshold: Level,
    colour_out: bool,
    colour_err: bool,
    lock: Mutex<()>,
}

impl Console {
    /// Shows messages from `threshold` on; results, warnings and errors are always shown.
    pub fn new(threshold: Level) -> Self {
        let colours = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
            && std::env::var_os("TERM").is_none_or(|t| t != "dumb");
        Self {
            threshold,
            colour_out: colours && io::stdout().is_terminal(),
            colour_err: colours && io::stderr().is_terminal(),
            lock: Mutex::new(()),
        }
    }

    /// The least important level that is shown.
    pub fn threshold(&self) -> Level {
        self.threshold
    }

    /// Shows one message about an item (`label` is file and HDU), or about the run if `label` is empty.
    pub fn show(&self, label: &str, record: &LogRecord) {
        self.show_all(label, std::slice::from_ref(record));
    }

    /// Shows messages about an item, without letting others in between.
    pub fn show_all(&self, label: &str, records: &[LogRecord]) {
        let _guard = self.lock.lock();
        let mut out = String::new();
        let mut err = String::new();
        for record in records.iter().filter(|r| r.level >= self.threshold) {
            let line = format_line(
                label,
                record,
                if record.level == Level::Result { self.colour_out } else { self.colour_err },
            );
            if record.level == Level::Result {
                // Keep the order in which a person reads both streams in one terminal.
                flush(&mut err, true);
                out.push_str(&line);
            } else {
                flush(&mut out, false);
                err.push_str(&line);
            }
        }
        flush(&mut err, true);
        flush(&mut out, false);
    }

    /// A message about the run.
    pub fn say(&self, level: Level, text: impl Into<String>) {
        self.show("", &LogRecord { level, process: String::new(), text: text.into() });
    }

    /// A line on stdout as it is.
    pub fn print(&self, text: &str) {
        let _guard = self.lock.lock();
        let mut text = format!("{text}\n");
        flush(&mut text, false);
    }
}

fn flush(text: &mut String, to_stderr: bool) {
    if text.is_empty() {
        return;
    }
    // A closed pipe must not end the run: the files are what counts.
    if to_stderr {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    } else {
        let mut out = io::stdout().lock();
        let _ = out.write_all(text.as_bytes());
        let _ = out.flush();
    }
    text.clear();
}

fn format_line(label: &str, record: &LogRecord, colour: bool) -> String {
    let (tag, code) = match record.level {
        Level::Debug => ("debug", "2"),
        Level::Verbose => ("verbose", "2"),
        Level::Info => ("info", "36"),
        Level::Result => ("result", "32"),
        Level::Warning => ("warning", "33"),
        Level::Error => ("error", "31;1"),
    };
    let mut line = if colour { format!("\x1b[{code}m[{tag}]\x1b[0m ") } else { format!("[{tag}] ") };
    if !label.is_empty() {
        line.push_str(label);
        line.push_str(": ");
    }
    if !record.process.is_empty() {
        line.push_str(&record.process);
        line.push_str(": ");
    }
    line.push_str(&record.text);
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_level_item_and_process() {
        let record = LogRecord { level: Level::Warning, process: "ClusterFinder".into(), text: "no seed".into() };
        assert_eq!(format_line("a.fz[1]", &record, false), "[warning] a.fz[1]: ClusterFinder: no seed\n");
        let record = LogRecord { level: Level::Info, process: String::new(), text: "2 inputs".into() };
        assert_eq!(format_line("", &record, false), "[info] 2 inputs\n");
    }
}
