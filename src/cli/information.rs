//! What the program tells about itself: processes and configuration (spec 01 §1.4).

use crate::config::{Config, describe};
use crate::process::ProcessEntry;

/// One process per line: a tab, a blank and the name, sorted by byte value; with `verbose` also group and summary.
pub(super) fn processes(table: &'static [ProcessEntry], verbose: bool) -> String {
    let mut entries: Vec<&ProcessEntry> = table.iter().collect();
    entries.sort_by_key(|e| e.name);
    let widest = |f: fn(&ProcessEntry) -> String| entries.iter().map(|e| f(e).len()).max().unwrap_or(0);
    let (name, group) = (widest(|e| e.name.to_owned()), widest(|e| e.group.to_string()));
    let line = |e: &&ProcessEntry| match verbose {
        false => format!("\t {}\n", e.name),
        true => {
            let only = if e.is_simulation_only() { " (simulation only)" } else { "" };
            format!("\t {:name$}  {:group$}  {}{only}\n", e.name, e.group.to_string(), e.summary)
        }
    };
    entries.iter().map(line).collect()
}

/// The whole configuration, each key with type, default and description.
pub(super) fn configuration(table: &'static [ProcessEntry]) -> String {
    describe::annotated(table, message_width())
}

/// The JSON schema of the configuration.
pub(super) fn schema(table: &'static [ProcessEntry]) -> String {
    describe::pretty(&describe::schema(table))
}

/// The merged configuration.
pub(super) fn dump(config: &Config) -> String {
    describe::pretty(&config.to_json())
}

/// Width for running text: that of the terminal, within what can be read.
fn message_width() -> usize {
    terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0)).clamp(60, 120)
}
