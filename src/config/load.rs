//! How a configuration comes together: defaults, then the file, then the command line; every problem is collected.

use std::path::Path;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::blocks::{Block, Meaning};
use super::document::{Document, DocumentError};
use super::input_section::{self, InputProblem, InputSections};
use super::overrides::{Overrides, Target};
use super::problem::{ConfigErrors, Place, Problem, nearest};
use super::sequence::{self, DEFAULT_SEQUENCE, Sequence};
use super::shape::{Mismatch, describe_value};
use super::{Config, RunOptions};
use crate::process::ProcessEntry;

/// Sections of the configurations of the detector simulation.
const SIMULATION_SECTIONS: [&str; 5] = ["in_root", "out_root", "detector_response", "reconstruction", "CF"];

/// Sections at the top of the file. `$schema` is for editors.
const SECTIONS: [&str; 4] = ["input", "process", "monitoring_elements", "$schema"];

/// A file that has been read, or none.
#[derive(Debug)]
pub(super) struct File<'a> {
    pub(super) path: &'a Path,
    pub(super) document: Document,
}

impl<'a> File<'a> {
    /// Reads and parses a file.
    pub(super) fn read(path: &'a Path) -> Result<Self, ConfigErrors> {
        let error = |line, text: String| ConfigErrors::one(Problem::new(Place::File(path.into(), line), "", text));
        let bytes = std::fs::read(path).map_err(|e| {
            let reason = if path.is_dir() { "it is a directory".to_owned() } else { plain_reason(&e) };
            error(None, format!("the configuration file cannot be read: {reason}"))
        })?;
        Self::parse(path, &bytes)
    }

    /// Parses the content of a file.
    pub(super) fn parse(path: &'a Path, bytes: &[u8]) -> Result<Self, ConfigErrors> {
        let error =
            |e: DocumentError| ConfigErrors::one(Problem::new(Place::File(path.into(), e.line()), "", e.to_string()));
        Ok(Self { path, document: Document::parse(bytes).map_err(error)? })
    }
}

/// The reason of an I/O error without the operating system's number.
fn plain_reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

/// Collects values and problems.
pub(super) struct Loader<'a> {
    table: &'static [ProcessEntry],
    file: Option<&'a File<'a>>,
    overrides: &'a Overrides,
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
    blocks: IndexMap<&'static str, Block>,
    sequence: Vec<&'static ProcessEntry>,
}

impl<'a> Loader<'a> {
    pub(super) fn new(table: &'static [ProcessEntry], file: Option<&'a File<'a>>, overrides: &'a Overrides) -> Self {
        let blocks = table.iter().filter_map(|e| Some((e.name, Block::with_defaults(e)?))).collect();
        Self { table, file, overrides, errors: vec![], warnings: vec![], blocks, sequence: vec![] }
    }

    pub(super) fn load(mut self) -> Result<Config, ConfigErrors> {
        let empty = Map::new();
        let content = self.file.map_or(&empty, |f| &f.document.content);
        if let Some(section) = SIMULATION_SECTIONS.iter().find(|s| content.contains_key(**s)) {
            return Err(ConfigErrors::one(Problem::new(
                self.place(section),
                *section,
                "this section belongs to a configuration of the detector simulation; run it with `panaSKImg response`",
            )));
        }
        self.report_duplicates();
        self.check_sections(content);

        let mut input = InputSections::with_defaults();
        let sections = self.section(content, "input");
        for problem in input.merge(&sections, self.overrides.lenient) {
            self.report_input(problem);
        }
        let processes = self.section(content, "process");
        self.choose_sequence(processes.get("sequence"));
        self.read_blocks(&processes);
        self.feed_older_names();
        self.apply_overrides(&mut input);
        self.check_blocks();
        let input = match input.finish() {
            Ok(finished) => {
                input_section::check(&finished.values).into_iter().for_each(|p| self.report_input(p));
                Some(finished)
            }
            Err(problem) => {
                self.report_input(problem);
                None
            }
        };
        // In the order of the file, as a person mends them; the command line comes last.
        let line = |p: &Problem| if let Place::File(_, line) = p.place { line.unwrap_or(0) } else { usize::MAX };
        self.errors.sort_by_key(line);
        self.warnings.sort_by_key(line);
        let Some(input) = input.filter(|_| self.errors.is_empty()) else {
            return Err(ConfigErrors { errors: self.errors, warnings: self.warnings });
        };
        Ok(Config {
            input: input.values,
            input_json: input.json,
            sequence: self.sequence,
            blocks: self.blocks,
            monitoring_elements: content.get("monitoring_elements").filter(|v| !v.is_null()).cloned(),
            options: RunOptions::clone(&self.overrides.options),
            warnings: self.warnings,
            file: self.file.map(|f| f.path.to_owned()),
        })
    }

    /// Place of a key in the file.
    fn place(&self, key: &str) -> Place {
        match self.file {
            Some(file) => Place::File(file.path.to_owned(), file.document.line(key)),
            None => Place::Merged,
        }
    }

    fn report(&mut self, error: bool, place: Place, key: impl Into<String>, text: impl Into<String>) {
        let problem = Problem::new(place, key, text);
        if error { self.errors.push(problem) } else { self.warnings.push(problem) }
    }

    fn report_input(&mut self, problem: InputProblem) {
        self.report(problem.strict, self.place(&problem.key), problem.key, problem.text);
    }

    fn report_duplicates(&mut self) {
        let Some(file) = self.file else { return };
        for duplicate in &file.document.duplicates {
            let place = Place::File(file.path.to_owned(), Some(duplicate.line));
            let text = format!("the key is given twice (before in line {}); this one counts", duplicate.earlier_line);
            self.warnings.push(Problem::new(place, &duplicate.key, text));
        }
    }

    fn check_sections(&mut self, content: &Map<String, Value>) {
        for key in content.keys().filter(|k| !SECTIONS.contains(&k.as_str())) {
            let hint = did_you_mean(nearest(key, SECTIONS));
            let text = format!("unknown section, ignored{hint} (sections: input, process, monitoring_elements)");
            self.report(false, self.place(key), key, text);
        }
    }

    /// A section of the file, empty when it is missing or null.
    fn section(&mut self, content: &Map<String, Value>, name: &str) -> Map<String, Value> {
        match content.get(name) {
            Some(Value::Object(map)) => map.clone(),
            None | Some(Value::Null) => Map::new(),
            Some(other) => {
                let text = format!("found {}; expected an object {{…}}", describe_value(other));
                self.report(true, self.place(name), name, text);
                Map::new()
            }
        }
    }

    fn choose_sequence(&mut self, from_file: Option<&Value>) {
        let key = "process.sequence";
        let chosen = self.overrides.values.iter().rfind(|o| o.targets.contains(&Target::Sequence));
        let default = Value::from(DEFAULT_SEQUENCE);
        let (place, value) = match (chosen, from_file.filter(|v| !v.is_null())) {
            (Some(o), _) => (Place::Option(o.option), &o.value),
            (None, Some(value)) => (self.place(key), value),
            (None, None) => (Place::Merged, &default),
        };
        let Sequence { entries, errors, warnings } = sequence::parse(value, self.table);
        for text in errors {
            self.report(true, place.clone(), key, text);
        }
        for text in warnings {
            self.report(false, place.clone(), key, text);
        }
        self.sequence = entries;
    }

    fn runs(&self, process: &str) -> bool {
        self.sequence.iter().any(|e| e.name == process)
    }

    fn read_blocks(&mut self, processes: &Map<String, Value>) {
        let mut seen: IndexMap<&'static str, &str> = IndexMap::new();
        let mut unknown = Vec::new();
        for (name, content) in processes.iter().filter(|(n, _)| *n != "sequence") {
            let path = format!("process.{name}");
            let Some(entry) = sequence::find(self.table, name) else {
                unknown.push(path);
                continue;
            };
            if entry.is_simulation_only() {
                let text = "the process acts on simulated hits; the block is ignored here";
                self.report(false, self.place(&path), path, text);
                continue;
            }
            if let Some(other) = seen.insert(entry.name, name) {
                let text = format!("`{name}` and `{other}` are the same process; the keys of both are used");
                self.report(false, self.place(&path), &path, text);
            }
            match content {
                Value::Object(block) => self.read_block(entry, &path, block),
                Value::Null => {}
                other => {
                    let text = format!("found {}; expected an object {{…}} with parameters", describe_value(other));
                    self.report(true, self.place(&path), path, text);
                }
            }
        }
        self.report_unknown_blocks(unknown);
    }

    /// Blocks whose names look like a known process get a warning each; the rest is listed in one.
    fn report_unknown_blocks(&mut self, paths: Vec<String>) {
        let mut rest: Vec<String> = Vec::new();
        for path in paths {
            let name = path.trim_start_matches("process.").to_owned();
            let names = self.table.iter().map(|e| e.name);
            match nearest(&name, names).filter(|near| strsim::normalized_damerau_levenshtein(near, &name) > 0.7) {
                Some(near) => {
                    let text = format!("there is no such process; the block is ignored; did you mean `{near}`?");
                    self.report(false, self.place(&path), path, text);
                }
                None => rest.push(path),
            }
        }
        if let [first, ..] = rest.as_slice() {
            let (key, text) = match rest.len() {
                1 => (first.clone(), "there is no such process; the block is ignored".to_owned()),
                n => {
                    ("process".to_owned(), format!("{n} blocks of unknown processes are ignored: {}", rest.join(", ")))
                }
            };
            let place = self.place(first);
            self.report(false, place, key, text);
        }
    }

    fn read_block(&mut self, entry: &'static ProcessEntry, path: &str, given: &Map<String, Value>) {
        let Some(block) = self.blocks.get(entry.name) else { return };
        let meanings: Vec<(&String, Meaning)> = given.keys().map(|k| (k, block.meaning(k))).collect();
        // Proper names come last, so that they win over older names of the same parameter.
        let proper = |(key, meaning): &(&String, Meaning)| matches!(meaning, Meaning::Parameter(name) if name == *key);
        let mut ordered = meanings.clone();
        ordered.sort_by_key(proper);
        let mut seen: IndexMap<String, &String> = IndexMap::new();
        for (key, meaning) in ordered {
            let full = format!("{path}.{key}");
            let place = self.place(&full);
            if let Meaning::Parameter(name) | Meaning::Renamed(name) = &meaning
                && let Some(other) = seen.insert(name.clone(), key)
            {
                let text = format!("`{other}` and `{key}` are the same parameter; `{key}` counts");
                self.report(false, place.clone(), &full, text);
            }
            match meaning {
                Meaning::Parameter(name) => self.set(entry.name, &name, &given[key], place, &full),
                Meaning::Renamed(name) => {
                    self.report(false, place.clone(), &full, format!("older name of `{name}`"));
                    self.set(entry.name, &name, &given[key], place, &full);
                }
                Meaning::Moved(process, name, index) => {
                    if self.blocks.contains_key(process) {
                        let idle = if self.runs(process) || !self.runs(entry.name) {
                            String::new()
                        } else {
                            format!("; it has no effect: {process} is not in the sequence")
                        };
                        let text = format!("older name of `process.{process}.{name}[{index}]`{idle}");
                        self.report(false, place.clone(), &full, text);
                        self.set_item(process, name, index, &given[key], place, &full);
                    } else {
                        self.report(false, place, &full, "older key, without effect");
                    }
                }
                Meaning::Ignored => self.report(false, place, &full, "this key has no effect here"),
                Meaning::Silent => {}
                Meaning::Unknown => self.report_unknown_key(entry, place, &full, key),
            }
        }
    }

    fn report_unknown_key(&mut self, entry: &'static ProcessEntry, place: Place, full: &str, key: &str) {
        let Some(block) = self.blocks.get(entry.name) else { return };
        let text = unknown_key(key, block.keys());
        let strict = self.runs(entry.name) && !self.overrides.lenient;
        let text = if strict { text } else { format!("{text}; the key is ignored") };
        self.report(strict, place, full, text);
    }

    fn set(&mut self, process: &str, key: &str, value: &Value, place: Place, full: &str) {
        if let Some(block) = self.blocks.get_mut(process) {
            let result = block.set(key, value);
            self.report_result(result, place, full);
        }
    }

    fn set_item(&mut self, process: &str, key: &str, index: usize, value: &Value, place: Place, full: &str) {
        if let Some(block) = self.blocks.get_mut(process) {
            let result = block.set_item(key, index, value);
            self.report_result(result, place, full);
        }
    }

    fn report_result(&mut self, result: Result<Vec<String>, Vec<Mismatch>>, place: Place, full: &str) {
        match result {
            Ok(remarks) => {
                for text in remarks {
                    self.report(false, place.clone(), full, text);
                }
            }
            Err(mismatches) => {
                for m in mismatches {
                    let text = mismatch_text(&m);
                    self.report(true, place.clone(), format!("{full}{}", m.inside), text);
                }
            }
        }
    }

    /// Keys of an older process that is now a part of another one go there, unless the user gave them there too.
    fn feed_older_names(&mut self) {
        for entry in self.sequence.clone() {
            let Some((target, feed)) = entry.feeds else { continue };
            let Some(given) = self.blocks.get(entry.name).map(Block::given) else { continue };
            for (key, value) in feed(&given) {
                let explicit = self.blocks.get(target).is_some_and(|b| b.explicit.contains(&key));
                if !explicit {
                    let full = format!("process.{}", entry.name);
                    self.set(target, &key, &value, self.place(&full), &format!("{full} → {target}.{key}"));
                }
            }
        }
    }

    fn apply_overrides(&mut self, input: &mut InputSections) {
        for change in &self.overrides.values {
            let place = Place::Option(change.option);
            let mut unknown = Vec::new();
            let mut idle = Vec::new();
            let mut reached = false;
            for target in change.targets {
                match *target {
                    Target::Sequence => reached = true,
                    Target::Image(key) => {
                        reached = true;
                        if let Err(mismatches) = input.set_image(key, &change.value) {
                            for m in mismatches {
                                let text = mismatch_text(&m);
                                self.report(true, place.clone(), format!("input.image.{key}"), text);
                            }
                        }
                    }
                    Target::EveryProcess(key) => {
                        reached = true;
                        for entry in self.sequence.clone() {
                            let full = format!("process.{}.{key}", entry.name);
                            self.set(entry.name, key, &change.value, place.clone(), &full);
                        }
                    }
                    Target::Process(process, ..) | Target::Item(process, ..) | Target::Amplifier(process, ..) => {
                        if !self.blocks.contains_key(process) {
                            unknown.push(process);
                            continue;
                        }
                        if self.runs(process) {
                            reached = true
                        } else {
                            idle.push(process)
                        }
                        self.apply_to_process(target, &change.value, place.clone());
                    }
                }
            }
            if !reached && idle.is_empty() {
                let text = format!("this version has no process {}", unknown.join(" or "));
                self.report(true, place, "process", text);
            } else if !reached && !self.sequence.is_empty() {
                let text = format!("has no effect: {} is not in the sequence", idle.join(" or "));
                self.report(false, place, "process.sequence", text);
            }
        }
    }

    fn apply_to_process(&mut self, target: &Target, value: &Value, place: Place) {
        match *target {
            Target::Process(process, key) => {
                self.set(process, key, value, place, &format!("process.{process}.{key}"));
            }
            Target::Item(process, key, index) => {
                self.set_item(process, key, index, value, place, &format!("process.{process}.{key}[{index}]"));
            }
            Target::Amplifier(process, key, amplifier) => {
                if let Some(block) = self.blocks.get_mut(process) {
                    let result = block.set_amplifier(key, amplifier, value);
                    let full = format!("process.{process}.{key}.{amplifier}");
                    self.report_result(result, place, &full);
                }
            }
            _ => {}
        }
    }

    /// Values that each fit but make no sense together: only for processes that run.
    fn check_blocks(&mut self) {
        if !self.errors.is_empty() {
            return;
        }
        for entry in self.sequence.clone() {
            let path = format!("process.{}", entry.name);
            let Some(block) = self.blocks.get(entry.name) else { continue };
            for text in block.problems() {
                let key = text.strip_prefix('`').and_then(|t| t.split('`').next()).unwrap_or("");
                let given = block.explicit.contains(key);
                let place = self.place(&format!("{path}.{key}"));
                // A line can only be named if the file, not the command line or a default, says it.
                let place = if given && matches!(place, Place::File(_, Some(_))) { place } else { self.place(&path) };
                self.errors.push(Problem::new(place, &path, text));
            }
        }
    }
}

/// "; did you mean …?", or nothing.
pub(super) fn did_you_mean(name: Option<&str>) -> String {
    name.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default()
}

/// Text for an unknown key: the nearest valid one, or all of them.
pub(super) fn unknown_key<'k>(key: &str, valid: impl Iterator<Item = &'k str>) -> String {
    let valid: Vec<&str> = valid.collect();
    match nearest(key, valid.iter().copied()) {
        Some(near) => format!("unknown key; did you mean `{near}`?"),
        None => format!("unknown key (valid keys: {})", valid.join(", ")),
    }
}

/// "found …; expected …"
pub(super) fn mismatch_text(mismatch: &Mismatch) -> String {
    let quoted = mismatch.found.strip_prefix('"').and_then(|f| f.strip_suffix('"'));
    // "4" instead of 4 is a frequent mistake.
    let hint = match quoted {
        Some(text) if !mismatch.spelling && text.trim().parse::<f64>().is_ok() => " (without quotes)",
        _ => "",
    };
    format!("found {}; expected {}{hint}", mismatch.found, mismatch.expected)
}
