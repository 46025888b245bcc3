//! What the user sees: results on stdout, everything else on stderr (spec 01 §6.8).

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::image::{Level, LogRecord};

/// The terminal. Lines of one item stay together; colours only on a terminal and never with `NO_COLOR`.
#[derive(Debug)]
pub struct Console {
    threshold: Level,
    colour_out: bool,
    colour_err: bool,
    lock: Mutex<()>,
    progress: Mutex<Option<ProgressBar>>,
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
            progress: Mutex::new(None),
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
        self.paused(|| self.write_records(label, records));
    }

    fn write_records(&self, label: &str, records: &[LogRecord]) {
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

    /// Begins a bar that counts files, if standard error is a terminal and there are several.
    pub fn begin_progress(&self, files: usize) {
        if files < 2 || !io::stderr().is_terminal() {
            return;
        }
        let template = "{wide_bar} {pos}/{len} files, {elapsed} elapsed, about {eta} to go";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(Some(files as u64), ProgressDrawTarget::stderr()).with_style(style);
        bar.enable_steady_tick(std::time::Duration::from_millis(500));
        *self.bar() = Some(bar);
    }

    /// This many more files are done.
    pub fn progress(&self, files: u64) {
        if let Some(bar) = &*self.bar() {
            bar.inc(files);
        }
    }

    /// Removes the bar.
    pub fn end_progress(&self) {
        if let Some(bar) = self.bar().take() {
            bar.finish_and_clear();
        }
    }

    /// Does something to the terminal while the bar is out of the way.
    pub fn paused<T>(&self, work: impl FnOnce() -> T) -> T {
        match &*self.bar() {
            Some(bar) => bar.suspend(work),
            None => work(),
        }
    }

    fn bar(&self) -> std::sync::MutexGuard<'_, Option<ProgressBar>> {
        self.progress.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A line on stdout as it is.
    pub fn print(&self, text: &str) {
        let _guard = self.lock.lock();
        let mut text = format!("{text}\n");
        self.paused(|| flush(&mut text, false));
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
