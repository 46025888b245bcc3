//! The section `input`: merging its four parts over the defaults, key by key.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::InputConfig;
use super::input::{ConventionConfig, DatetimeConfig, ImageConfig};
use super::load::{mismatch_text, unknown_key};
use super::problem::nearest;
use super::shape::{Mismatch, Shape, describe_value, schema_of};

/// Parts of the section.
const PARTS: [&str; 4] = ["image", "datetime", "scp", "convention"];

/// The section under construction.
#[derive(Debug)]
pub(super) struct InputSections {
    parts: IndexMap<&'static str, Map<String, Value>>,
    shapes: IndexMap<&'static str, IndexMap<String, Shape>>,
}

/// The finished section.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) values: InputConfig,
    pub(super) json: Value,
}

/// A problem with a key of the section. Not strict: a warning.
#[derive(Debug)]
pub(super) struct InputProblem {
    pub(super) key: String,
    pub(super) text: String,
    pub(super) strict: bool,
}

impl InputProblem {
    fn error(key: impl Into<String>, text: impl Into<String>) -> Self {
        Self { key: key.into(), text: text.into(), strict: true }
    }

    fn warning(key: impl Into<String>, text: impl Into<String>) -> Self {
        Self { key: key.into(), text: text.into(), strict: false }
    }
}

impl InputSections {
    pub(super) fn with_defaults() -> Self {
        let mut defaults = serde_json::to_value(InputConfig::default()).unwrap_or_default();
        let part = |name: &'static str| match defaults[name].take() {
            Value::Object(map) => (name, map),
            _ => (name, Map::new()),
        };
        Self {
            parts: PARTS.map(part).into_iter().collect(),
            shapes: IndexMap::from([
                ("image", Shape::of_keys(schema_of::<ImageConfig>().as_value())),
                ("datetime", Shape::of_keys(schema_of::<DatetimeConfig>().as_value())),
                ("scp", IndexMap::new()),
                ("convention", Shape::of_keys(schema_of::<ConventionConfig>().as_value())),
            ]),
        }
    }

    /// Puts the values of a file over the defaults. `lenient`: unknown keys are warnings.
    pub(super) fn merge(&mut self, section: &Map<String, Value>, lenient: bool) -> Vec<InputProblem> {
        let mut problems = Vec::new();
        for (name, value) in section {
            let path = format!("input.{name}");
            let Some(part) = PARTS.iter().find(|p| *p == name) else {
                let hint = nearest(name, PARTS).map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
                let text = format!("unknown part of `input`, ignored{hint} (parts: {})", PARTS.join(", "));
                problems.push(InputProblem::warning(path, text));
                continue;
            };
            match value {
                Value::Null => {}
                Value::Object(map) => self.merge_part(part, map, lenient, &mut problems),
                other => {
                    let text = format!("found {}; expected an object {{…}}", describe_value(other));
                    problems.push(InputProblem::error(path, text));
                }
            }
        }
        problems
    }

    fn merge_part(
        &mut self,
        part: &'static str,
        given: &Map<String, Value>,
        lenient: bool,
        problems: &mut Vec<InputProblem>,
    ) {
        let keyword = Shape::OneOrMany(Box::new(Shape::Text));
        for (typed, value) in given {
            let path = format!("input.{part}.{typed}");
            let shapes = &self.shapes[part];
            let known = match part {
                // Names of the convention are known in any case.
                "convention" => shapes.keys().find(|k| k.eq_ignore_ascii_case(typed)).cloned(),
                "image" if typed == "save_image" && !given.contains_key("save_images") => Some("save_images".into()),
                _ => shapes.contains_key(typed).then(|| typed.clone()),
            };
            let (key, shape) = match known {
                Some(key) => {
                    let shape = shapes[&key].clone();
                    (key, shape)
                }
                None if matches!(part, "scp" | "convention") => (typed.clone(), keyword.clone()),
                None if typed == "save_image" => {
                    let text = "other name of `save_images`, which is given too and counts";
                    problems.push(InputProblem::warning(path, text));
                    continue;
                }
                None => {
                    let text = unknown_key(typed, shapes.keys().map(String::as_str));
                    problems.push(if lenient {
                        InputProblem::warning(path, format!("{text}; the key is ignored"))
                    } else {
                        InputProblem::error(path, text)
                    });
                    continue;
                }
            };
            if value.is_null() && !shape.allows_null() {
                continue;
            }
            match shape.conform(value) {
                Ok(v) => {
                    self.parts[part].insert(key, v);
                }
                Err(mismatches) => {
                    for m in mismatches {
                        let text = mismatch_text(&m);
                        problems.push(InputProblem::error(format!("{path}{}", m.inside), text));
                    }
                }
            }
        }
    }

    /// Sets a key of `input.image` from the command line.
    pub(super) fn set_image(&mut self, key: &'static str, value: &Value) -> Result<(), Vec<Mismatch>> {
        let value = match self.shapes["image"].get(key) {
            Some(shape) => shape.conform(value)?,
            None => value.clone(),
        };
        self.parts["image"].insert(key.to_owned(), value);
        Ok(())
    }

    /// The typed section, and values that each fit but make no sense.
    pub(super) fn finish(self) -> Result<Finished, InputProblem> {
        let json = Value::Object(self.parts.into_iter().map(|(k, v)| (k.to_owned(), Value::Object(v))).collect());
        match serde_json::from_value(json.clone()) {
            Ok(values) => Ok(Finished { values, json }),
            Err(e) => Err(InputProblem::error("input", e.to_string())),
        }
    }
}

/// Values of `input` that each fit but make no sense.
pub(super) fn check(input: &InputConfig) -> Vec<InputProblem> {
    let mut problems = Vec::new();
    let mut error = |key: &str, text: String| problems.push(InputProblem::error(format!("input.{key}"), text));
    let image = &input.image;
    for (key, list) in [("image.extensions", &image.extensions), ("image.ext_header", &image.ext_header)] {
        if list.as_ref().is_some_and(|l| l.as_slice().is_empty()) {
            error(key, "found []; expected at least one HDU number".into());
        }
    }
    if let Some(extensions) = &image.extensions {
        let numbers = extensions.as_slice();
        if let Some(twice) = numbers.iter().enumerate().find(|(i, n)| numbers[..*i].contains(n)) {
            error(
                "image.extensions",
                format!("HDU {} is listed twice; the outputs would overwrite each other", twice.1),
            );
        }
    }
    for (key, region) in
        [("image.active_region_rows", image.active_region_rows), ("image.active_region_cols", image.active_region_cols)]
    {
        if let Some([first, last]) = region
            && first > last
        {
            error(key, format!("found [{first}, {last}]; the first must not be larger than the last"));
        }
    }
    if image.amp_name.as_deref().is_some_and(|name| name.trim().is_empty() || name.contains(['/', '\\'])) {
        error("image.amp_name", "the name of the amplifier is part of file names: not empty, no slashes".into());
    }
    if image.saturation_adu.is_some_and(|level| level.is_nan()) {
        error("image.saturation_adu", "not a number".into());
    }
    if !is_timezone(&input.datetime.timezone) {
        let found = describe_value(&Value::from(input.datetime.timezone.as_str()));
        error(
            "datetime.timezone",
            format!("found {found}; expected \"UTC\", \"local\" or an offset such as \"+02:00\""),
        );
    }
    problems
}

/// `UTC`, `local` or `±HH:MM`.
fn is_timezone(text: &str) -> bool {
    let offset = |t: &str| {
        let (hours, minutes) = t.split_once(':')?;
        let digits =
            |s: &str| (s.len() == 2 && s.bytes().all(|b| b.is_ascii_digit())).then(|| s.parse::<u32>().ok())?;
        Some(digits(hours)? <= 23 && digits(minutes)? <= 59)
    };
    matches!(text, "UTC" | "local") || text.strip_prefix(['+', '-']).and_then(offset) == Some(true)
}
