//! From preset, file and options to one configuration: options beat the file, the file the preset, the preset the
//! defaults (spec 07 §8.1).

use std::path::Path;

use serde_json::{Map, Value};

use super::config::SimulationConfig;
use super::error::{Result, SimulateError};
use super::presets;

/// Section of the configuration file.
const SECTION: &str = "simulate";

/// Where parameters may come from.
#[derive(Debug, Clone, Default)]
pub struct Origins<'a> {
    /// Name of a preset.
    pub preset: Option<&'a str>,
    /// Configuration file with an object `simulate`.
    pub file: Option<&'a Path>,
    /// `key=value` with dotted keys.
    pub settings: &'a [String],
    /// Seed.
    pub seed: Option<u64>,
}

/// Merges all origins.
pub fn load(origins: &Origins) -> Result<SimulationConfig> {
    let mut problems = Vec::new();
    let mut merged = Map::new();
    if let Some(name) = origins.preset {
        match presets::find(name) {
            Some(preset) => merge(&mut merged, preset.values()),
            None => problems.push(format!(
                "there is no preset `{name}`; there are {}",
                presets::PRESETS.iter().map(|p| p.name).collect::<Vec<_>>().join(", ")
            )),
        }
    }
    if let Some(path) = origins.file {
        merge(&mut merged, section(path)?);
    }
    for setting in origins.settings {
        match setting.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.trim().to_owned()));
                let nested = key
                    .trim()
                    .rsplit('.')
                    .fold(value, |inner, key| Value::Object(Map::from_iter([(key.to_owned(), inner)])));
                merge(&mut merged, nested);
            }
            _ => problems.push(format!("--set {setting}: must be key=value, for example noise.sigma1=2.5")),
        }
    }
    if let Some(seed) = origins.seed {
        merged.insert("seed".into(), seed.into());
    }
    match serde_json::from_value(Value::Object(merged.clone())) {
        Ok(config) if problems.is_empty() => Ok(config),
        Ok(_) => Err(SimulateError::Parameters(problems)),
        Err(error) => {
            problems.extend(wrong_keys(&merged, &error.to_string()));
            Err(SimulateError::Parameters(problems))
        }
    }
}

/// The object `simulate` of a configuration file.
fn section(path: &Path) -> Result<Value> {
    let failed = |reason: String| SimulateError::Configuration { path: path.to_owned(), reason };
    let bytes = std::fs::read(path).map_err(|e| failed(e.to_string()))?;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut document: Value = serde_json::from_slice(text).map_err(|e| failed(e.to_string()))?;
    match document.get_mut(SECTION).map(Value::take) {
        Some(section @ Value::Object(_)) => Ok(section),
        Some(_) => Err(failed(format!("`{SECTION}` must be an object"))),
        None => Err(failed(format!("there is no object `{SECTION}` in it"))),
    }
}

/// Objects are merged key by key, everything else is replaced.
fn merge(into: &mut Map<String, Value>, from: Value) {
    let Value::Object(from) = from else { return };
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(old)), new @ Value::Object(_)) => merge(old, new),
            (_, new) => {
                into.insert(key, new);
            }
        }
    }
}

/// The keys that make a configuration unreadable, each tried on its own; `whole` if it is none of them alone.
fn wrong_keys(merged: &Map<String, Value>, whole: &str) -> Vec<String> {
    let mut problems = Vec::new();
    find_wrong(merged, &mut Vec::new(), &mut problems);
    if problems.is_empty() {
        problems.push(whole.to_owned());
    }
    problems
}

fn find_wrong(object: &Map<String, Value>, path: &mut Vec<String>, problems: &mut Vec<String>) {
    for (key, value) in object {
        path.push(key.clone());
        let alone =
            path.iter().rev().fold(value.clone(), |inner, key| Value::Object(Map::from_iter([(key.clone(), inner)])));
        if let Err(error) = serde_json::from_value::<SimulationConfig>(alone) {
            let before = problems.len();
            // A group such as `noise`: the error is in one of its keys.
            if let (Value::Object(inner), true) = (value, is_group(path)) {
                find_wrong(inner, path, problems);
            }
            if problems.len() == before {
                problems.push(format!("{} = {value}: {}", path.join("."), plainly(&error.to_string())));
            }
        }
        path.pop();
    }
}

/// What is wrong with a value, without the names of types of the programming language.
fn plainly(error: &str) -> String {
    if error.contains("untagged enum") {
        return "this is none of the forms that the key may have; see --keys".into();
    }
    let (what, expected) = error.rsplit_once("expected ").unwrap_or((error, ""));
    let expected = match expected {
        "usize" | "u8" | "u16" | "u32" | "u64" => "a whole number, at least 0, was expected",
        "i8" | "i16" | "i32" | "i64" => "a whole number was expected",
        "f32" | "f64" => "a number was expected",
        _ => return error.to_owned(),
    };
    format!("{what}{expected}")
}

/// Whether the defaults have an object at this path.
fn is_group(path: &[String]) -> bool {
    let defaults = serde_json::to_value(SimulationConfig::default()).unwrap_or_default();
    path.iter().try_fold(&defaults, |value, key| value.get(key)).is_some_and(Value::is_object)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(settings: &[&str]) -> Result<SimulationConfig> {
        let settings: Vec<String> = settings.iter().map(|s| s.to_string()).collect();
        load(&Origins { settings: &settings, ..Origins::default() })
    }

    #[test]
    fn options_beat_the_file_the_file_beats_the_preset() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("sim.json");
        std::fs::write(&file, r#"{"input": {}, "simulate": {"skips": 20, "noise": {"sigma1": 2.0}, "gain": 5}}"#)
            .unwrap();
        let settings = ["gain=7".to_owned(), "noise.flicker=0.5".to_owned(), "layout=single".to_owned()];
        let config =
            load(&Origins { preset: Some("leach"), file: Some(&file), settings: &settings, seed: Some(9) }).unwrap();
        assert_eq!((config.rows, config.skips, config.seed), (200, 20, 9));
        assert_eq!((config.noise.sigma1, config.noise.flicker), (2.0, 0.5));
        assert_eq!(config.gain, super::super::config::PerAmp::All(7.0));
        assert_eq!(config.layout, super::super::config::Layout::Single);
    }

    #[test]
    fn all_presets_are_valid() {
        for preset in &presets::PRESETS {
            let config = load(&Origins { preset: Some(preset.name), ..Origins::default() }).unwrap();
            super::super::setup::Setup::new(config).unwrap();
        }
    }

    #[test]
    fn wrong_keys_are_named_with_their_path() {
        let message = set(&["noise.sigma=3", "skips=-4", "rows=\"many\"", "gain=10"]).unwrap_err().to_string();
        for text in
            ["noise.sigma = 3", "sigma1", "skips = -4", "rows = \"many\"", "a whole number, at least 0, was expected"]
        {
            assert!(message.contains(text), "`{text}` not in {message}");
        }
        assert!(!message.contains("usize"), "{message}");
        let message = set(&["t_exp=\"NaN\"", "gain=\"high\""]).unwrap_err().to_string();
        assert!(message.contains("a number was expected") && message.contains("--keys"), "{message}");
        assert!(!message.contains("gain = 10"), "{message}");
        assert!(set(&["skips"]).unwrap_err().to_string().contains("key=value"));
        let message = load(&Origins { preset: Some("big"), ..Origins::default() }).unwrap_err().to_string();
        assert!(message.contains("tiny, leach, acm, example"), "{message}");
        let message = load(&Origins { file: Some(Path::new("/nowhere.json")), ..Origins::default() }).unwrap_err();
        assert!(message.to_string().contains("/nowhere.json"));
    }
}
