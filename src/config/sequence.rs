//! The sequence of processes: which ones run, in which order (spec 01 §§2.6, 2.7).

use serde_json::Value;

use super::problem::nearest;
use crate::process::ProcessEntry;

/// The sequence that runs when neither the configuration nor the command line names one.
pub const DEFAULT_SEQUENCE: &str =
    "CompressSkipperProcess;PedestalSubtractionProcess;CalibrationProcess;ClusterFinder;BuildClusterMask";

/// A sequence and what is wrong with it.
#[derive(Debug, Default)]
pub struct Sequence {
    /// The processes in the order of execution, each once.
    pub entries: Vec<&'static ProcessEntry>,
    /// Why it cannot run.
    pub errors: Vec<String>,
    /// What may be a mistake.
    pub warnings: Vec<String>,
}

/// The process of this name, tag or alias in a table.
pub fn find(table: &'static [ProcessEntry], name: &str) -> Option<&'static ProcessEntry> {
    table.iter().find(|e| e.is_called(name))
}

/// Reads a sequence: names separated by `;` or `,` (blanks and empty items do not count), or a list of names.
pub fn parse(value: &Value, table: &'static [ProcessEntry]) -> Sequence {
    let mut sequence = Sequence::default();
    let names: Vec<&str> = match value {
        Value::String(text) => text.split([';', ',']).collect(),
        Value::Array(items) if items.iter().all(Value::is_string) => items.iter().filter_map(Value::as_str).collect(),
        other => {
            sequence.errors.push(format!(
                "found {}; expected names separated by `;` or `,`, or a list of names",
                super::shape::describe_value(other)
            ));
            return sequence;
        }
    };
    let mut last_unknown = None;
    for name in names.into_iter().map(str::trim).filter(|n| !n.is_empty()) {
        match find(table, name) {
            None => {
                let close = nearest(name, runnable(table));
                let hint = close.map(|c| format!("; did you mean `{c}`?")).unwrap_or_default();
                last_unknown = Some(sequence.errors.len());
                sequence.errors.push(format!("unknown process `{name}`{hint}"));
            }
            Some(entry) if entry.is_simulation_only() => sequence.errors.push(simulation_only(entry.name)),
            Some(entry) if sequence.entries.iter().any(|e| e.name == entry.name) => {
                let also = if name == entry.name { String::new() } else { format!(" (as `{name}`)") };
                sequence
                    .warnings
                    .push(format!("`{}` is listed twice{also}; it runs once, at its first place", entry.name));
            }
            Some(entry) => sequence.entries.push(entry),
        }
    }
    if let Some(i) = last_unknown {
        let names = runnable(table).collect::<Vec<_>>().join(", ");
        sequence.errors[i].push_str(&format!(" (processes: {names})"));
    }
    if sequence.entries.is_empty() && sequence.errors.is_empty() {
        let names = runnable(table).collect::<Vec<_>>().join(", ");
        sequence.errors.push(format!("the sequence is empty; expected at least one process (processes: {names})"));
    }
    sequence.check_order();
    sequence
}

fn runnable(table: &'static [ProcessEntry]) -> impl Iterator<Item = &'static str> {
    table.iter().filter(|e| !e.is_simulation_only()).map(|e| e.name)
}

fn simulation_only(name: &str) -> String {
    let instead = if name == "CreateFitsImage" {
        "; images of a data sequence are written with `input.image.save_images` or --save-img"
    } else {
        ""
    };
    format!(
        "`{name}` acts on simulated hits, not on images; detector response is simulated with `panaSKImg response`, whole \
         images with `panaSKImg simulate`{instead}"
    )
}

impl Sequence {
    fn check_order(&mut self) {
        for (i, entry) in self.entries.iter().enumerate() {
            for needed in entry.after {
                let place = self.entries.iter().position(|e| e.name == *needed);
                if place.is_none() {
                    self.errors.push(format!("`{}` needs `{needed}` earlier in the sequence", entry.name));
                } else if place > Some(i) {
                    self.errors.push(format!("`{}` stands before `{needed}`, which it needs", entry.name));
                }
            }
        }
    }

    /// The sequence as text: names separated by `;`.
    pub fn to_text(entries: &[&'static ProcessEntry]) -> String {
        entries.iter().map(|e| e.name).collect::<Vec<_>>().join(";")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::test_table::TABLE;
    use serde_json::json;

    fn names(value: Value) -> Vec<&'static str> {
        let sequence = parse(&value, TABLE);
        assert_eq!(sequence.errors, Vec::<String>::new());
        sequence.entries.iter().map(|e| e.name).collect()
    }

    #[test]
    fn names_tags_and_aliases_in_any_notation() {
        let expected = ["CompressSkipperProcess", "PedestalSubtractionProcess", "RNvsNskipsPlot"];
        assert_eq!(names(json!("CompressSkipsProcess; PedestalSubtractedProcess ,;NoiseVSSkipPlot;")), expected);
        assert_eq!(names(json!(["CompressSkipperProcess", " PedestalSubtractionProcess", "RNvsNskipsPlot"])), expected);
    }

    #[test]
    fn a_process_runs_once() {
        let s = parse(&json!("CompressSkipperProcess,CalibrationProcess,CompressSkipsProcess"), TABLE);
        assert_eq!(Sequence::to_text(&s.entries), "CompressSkipperProcess;CalibrationProcess");
        assert_eq!(s.warnings.len(), 1);
        assert!(s.warnings[0].contains("CompressSkipsProcess"), "{:?}", s.warnings);
    }

    #[test]
    fn what_cannot_run_is_said_with_the_names_that_can() {
        let error = |v: Value| parse(&v, TABLE).errors.join("\n");
        assert!(error(json!("")).contains("empty"));
        assert!(error(json!(" ; ,")).contains("CompressSkipperProcess"));
        assert!(error(json!([1])).contains("list of names"));
        let e = error(json!("CompressSkiperProcess;BuilderRawData"));
        assert!(e.contains("did you mean `CompressSkipperProcess`?") && e.contains("`BuilderRawData`"), "{e}");
        assert_eq!(e.matches("(processes: ").count(), 1, "the list is shown once: {e}");
        let e = error(json!("CreateFitsImage"));
        assert!(e.contains("response") && e.contains("simulate") && e.contains("--save-img"), "{e}");
    }

    #[test]
    fn a_process_stands_after_those_it_needs() {
        let error = |v: Value| parse(&v, TABLE).errors.join("\n");
        assert_eq!(
            error(json!("BuildClusterMask;ClusterFinder")),
            "`BuildClusterMask` stands before `ClusterFinder`, which it needs"
        );
        assert_eq!(
            error(json!("BuildClusterMask")),
            "`BuildClusterMask` needs `ClusterFinder` earlier in the sequence"
        );
        assert_eq!(error(json!("ClusterFinder;BuildClusterMask")), "");
    }
}
