//! What is said about the items, in the order of the inputs, and the totals at the end.

use std::time::Duration;

use super::item::{ItemOutcome, Outcome};
use crate::image::{Level, LogRecord};
use crate::output::console::Console;
use crate::output::root_files::CombinedRoot;
use crate::output::summary::{Headlines, table};

/// Counts and result lines of a run.
#[derive(Debug, Default)]
pub struct Totals {
    /// Files to be worked on.
    pub inputs: usize,
    /// Files worked on.
    pub files: usize,
    /// Items that succeeded.
    pub ok: usize,
    /// Items that failed.
    pub failed: usize,
    /// Items left out because their outputs are complete (`--resume`).
    pub skipped: usize,
    /// Warnings.
    pub warnings: usize,
    /// Whether the run was interrupted.
    pub interrupted: bool,
    /// Wall time.
    pub elapsed: Duration,
    headlines: Vec<Headlines>,
    lines: Vec<String>,
}

impl Totals {
    /// Totals before the first file, after so many warnings about the configuration.
    pub(super) fn after_warnings(warnings: usize) -> Self {
        Self { warnings, ..Self::default() }
    }

    /// Exit code of the run (spec 01 §7.1).
    pub fn exit_code(&self) -> u8 {
        match (self.interrupted, self.failed) {
            (true, _) => 130,
            (false, 0) => 0,
            _ => 1,
        }
    }

    /// Shows the messages of the items of a file and counts them.
    pub(super) fn add_file(&mut self, items: Vec<ItemOutcome>, console: &Console, combined: &mut Option<CombinedRoot>) {
        self.files += 1;
        for mut item in items {
            if let (Some(combined), Some(trees)) = (combined.as_mut(), item.trees.take()) {
                match combined.add(*trees) {
                    Ok(remarks) => item.log.extend(remarks.into_iter().map(|text| LogRecord {
                        level: Level::Warning,
                        process: String::new(),
                        text,
                    })),
                    Err(error) => item.outcome = Outcome::Failed(error),
                }
            }
            if let Outcome::Failed(reason) = &item.outcome {
                let text = reason.clone();
                item.log.push(LogRecord { level: Level::Error, process: String::new(), text });
            }
            console.show_all(&item.label, &item.log);
            self.warnings += item.log.iter().filter(|r| r.level == Level::Warning).count();
            match &item.outcome {
                Outcome::Done => {
                    self.ok += 1;
                    self.lines.push(format!("OK      {}  {}", item.label, list(&item.outputs)));
                }
                Outcome::Failed(reason) => {
                    self.failed += 1;
                    self.lines.push(format!("FAILED  {}  {reason}", item.label));
                }
                Outcome::UpToDate => {
                    self.skipped += 1;
                    self.lines.push(format!("OK      {}  up to date, not done again", item.label));
                }
                Outcome::Interrupted => {
                    self.lines.push(format!("STOPPED {}  interrupted, nothing written", item.label))
                }
            }
            self.headlines.append(&mut item.headlines);
        }
    }

    /// The table of headline numbers, one line per item, and the totals.
    pub(super) fn print(&self, console: &Console) {
        let table = table(&self.headlines);
        if !table.is_empty() {
            console.print(&format!("\n{}\n", table.join("\n")));
        }
        for line in &self.lines {
            console.print(line);
        }
        let skipped = if self.skipped > 0 { format!(", {} up to date", self.skipped) } else { String::new() };
        console.print(&format!(
            "processed {} file(s), {} image(s): {} ok{skipped}, {} failed, {} warning(s), {:.2} s{}",
            self.files,
            self.ok + self.failed + self.skipped,
            self.ok,
            self.failed,
            self.warnings,
            self.elapsed.as_secs_f64(),
            if self.interrupted {
                format!("; interrupted, {} file(s) left: go on with --resume", self.inputs.saturating_sub(self.files))
            } else {
                String::new()
            },
        ));
    }
}

/// Output names for one line: all of them if they are few.
fn list(outputs: &[String]) -> String {
    const SHOWN: usize = 3;
    if outputs.len() <= SHOWN {
        return outputs.join(" ");
    }
    format!("{} (+{} more)", outputs[..SHOWN].join(" "), outputs.len() - SHOWN)
}
