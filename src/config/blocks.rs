//! The block of one process: defaults, then what the user gives, key by key.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::shape::{Mismatch, Shape, describe_value, schema_of};
use crate::process::registry::{OldKey, ProcessEntry, Scope};
use crate::process::{CommonParameters, SKImageProcess};

/// Keys that every block may have and that have no effect.
pub(super) const WITHOUT_EFFECT: [&str; 5] = ["__sequence_id__", "active", "unit", "units", "histequ"];

/// Other names of keys that every block has.
pub(super) const ALIASES: [(&str, &str); 6] = [
    ("save_images", "save_image"),
    ("save_img", "save_image"),
    ("save_imgs", "save_image"),
    ("save_plot", "save_plots"),
    ("save_as", "save_plots"),
    ("format_figure", "format_figures"),
];

/// The complete parameters of one process.
#[derive(Debug, Clone)]
pub struct Block {
    /// The process.
    pub entry: &'static ProcessEntry,
    /// Its own parameters, complete. Numbers stand as they were typed (`4` or `4.0`).
    pub parameters: Map<String, Value>,
    /// Parameters that every process has.
    pub common: CommonParameters,
    /// Keys that the user gave (by file or command line), own and common ones, under their proper names.
    pub explicit: BTreeSet<String>,
    common_values: Map<String, Value>,
    /// Own parameters that the user gave as `{amplifier: value}` although the parameter struct holds one value.
    per_amplifier: BTreeSet<String>,
    shapes: IndexMap<String, Shape>,
    common_shapes: IndexMap<String, Shape>,
}

/// What a key of a block stands for.
#[derive(Debug, Clone, PartialEq)]
pub enum Meaning {
    /// An own or common parameter of this name.
    Parameter(String),
    /// Another name of this parameter, used in older files.
    Renamed(String),
    /// One item of a list of another process.
    Moved(&'static str, &'static str, usize),
    /// No effect, and the user should know.
    Ignored,
    /// No effect.
    Silent,
    /// No such key.
    Unknown,
}

impl Block {
    /// The block of a process with all defaults; `None` for processes that act on simulated hits only.
    pub fn with_defaults(entry: &'static ProcessEntry) -> Option<Self> {
        let maker = entry.maker?;
        let Value::Object(parameters) = (maker.defaults)() else { return None };
        let Ok(Value::Object(common_values)) = serde_json::to_value(CommonParameters::default()) else { return None };
        Some(Self {
            entry,
            shapes: Shape::of_keys((maker.schema)().as_value()),
            common_shapes: Shape::of_keys(schema_of::<CommonParameters>().as_value()),
            parameters,
            common: CommonParameters::default(),
            common_values,
            explicit: BTreeSet::new(),
            per_amplifier: BTreeSet::new(),
        })
    }

    /// Names of all keys that may be given.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.shapes.keys().chain(self.common_shapes.keys()).map(String::as_str)
    }

    /// What a key as typed by a person stands for; `-` and `_` are the same.
    pub fn meaning(&self, typed: &str) -> Meaning {
        let key = typed.replace('-', "_");
        let proper = |name: &str| name.replace('-', "_") == key;
        if let Some(name) = self.shapes.keys().find(|n| proper(n)) {
            return Meaning::Parameter(name.clone());
        }
        if let Some((_, old)) = self.entry.old_keys.iter().find(|(name, _)| proper(name)) {
            return match *old {
                OldKey::Renamed(name) => Meaning::Renamed(name.to_owned()),
                OldKey::Alias(name) => Meaning::Parameter(name.to_owned()),
                OldKey::Moved(process, name, index) => Meaning::Moved(process, name, index),
                OldKey::Ignored => Meaning::Ignored,
                OldKey::Silent => Meaning::Silent,
            };
        }
        if self.common_shapes.contains_key(&key) {
            return Meaning::Parameter(key);
        }
        if let Some((_, name)) = ALIASES.iter().find(|(alias, _)| *alias == key) {
            return Meaning::Parameter((*name).to_owned());
        }
        match key.as_str() {
            // Every block may name an image; a process that has only one input does not care.
            "image" => Meaning::Ignored,
            k if WITHOUT_EFFECT.contains(&k) => Meaning::Silent,
            _ => Meaning::Unknown,
        }
    }

    fn shape(&self, key: &str) -> Option<&Shape> {
        self.shapes.get(key).or_else(|| self.common_shapes.get(key))
    }

    /// Sets a parameter (by its proper name). Null leaves the default where null is no value. Returns remarks.
    pub fn set(&mut self, key: &str, value: &Value) -> Result<Vec<String>, Vec<Mismatch>> {
        let Some(shape) = self.shape(key).cloned() else { return Ok(Vec::new()) };
        if value.is_null() && !shape.allows_null() {
            return Ok(Vec::new());
        }
        let own = self.shapes.contains_key(key);
        if key == "format_figures" && !own {
            let (formats, remarks) = figure_formats(value, &shape)?;
            self.common_values.insert(key.into(), formats);
            self.explicit.insert(key.into());
            self.read_common();
            return Ok(remarks);
        }
        let by_amplifier = value.as_object().filter(|_| own && !shape.allows_object());
        let conformed = match by_amplifier {
            Some(map) if self.entry.scope == Scope::Amplifier => {
                let mut result = Map::new();
                let mut mismatches = Vec::new();
                for (amplifier, one) in map {
                    match self.conform(key, &shape, one) {
                        Ok(v) if v.is_null() && !shape.allows_null() => {}
                        Ok(v) => {
                            result.insert(amplifier.clone(), v);
                        }
                        Err(found) => mismatches.extend(
                            found.into_iter().map(|m| Mismatch { inside: format!(".{amplifier}{}", m.inside), ..m }),
                        ),
                    }
                }
                if mismatches.is_empty() { Ok(Value::Object(result)) } else { Err(mismatches) }
            }
            _ => self.conform(key, &shape, value),
        }?;
        if by_amplifier.is_some() {
            self.per_amplifier.insert(key.to_owned());
        } else {
            self.per_amplifier.remove(key);
        }
        self.explicit.insert(key.to_owned());
        if own {
            self.parameters.insert(key.to_owned(), conformed);
        } else {
            self.common_values.insert(key.to_owned(), conformed);
            self.read_common();
        }
        Ok(Vec::new())
    }

    fn conform(&self, key: &str, shape: &Shape, value: &Value) -> Result<Value, Vec<Mismatch>> {
        shape.conform(value).or_else(|mismatches| {
            // The schema does not list old spellings of a choice; the parameter struct knows them.
            let known = mismatches.iter().all(|m| m.spelling) && self.accepts(key, value);
            if known { Ok(value.clone()) } else { Err(mismatches) }
        })
    }

    fn accepts(&self, key: &str, value: &Value) -> bool {
        let Some(maker) = self.entry.maker else { return false };
        let mut trial = (maker.defaults)();
        trial[key] = value.clone();
        (maker.build)(trial).is_ok()
    }

    /// Sets one item of a list parameter.
    pub fn set_item(&mut self, key: &str, index: usize, item: &Value) -> Result<Vec<String>, Vec<Mismatch>> {
        let mut list = self.parameters.get(key).cloned().unwrap_or(Value::Null);
        match list.get_mut(index) {
            Some(place) => *place = item.clone(),
            None => list = Value::Array(vec![item.clone(); index + 1]),
        }
        self.set(key, &list)
    }

    /// Sets the entry of amplifier `L` or `U` of a per-amplifier parameter; the others keep their values.
    ///
    /// The entry of `L` also serves every image with one amplifier, so it replaces what was given for single
    /// amplifiers under other names (`EXT1`, `A`, `default`, …). A longer name that ends in `_L` or `_U` means the same
    /// amplifier and is replaced too.
    pub fn set_amplifier(&mut self, key: &str, amplifier: &str, value: &Value) -> Result<Vec<String>, Vec<Mismatch>> {
        let other = if amplifier == "L" { "U" } else { "L" };
        let mut map = match self.parameters.get(key) {
            Some(Value::Object(map)) => map.clone(),
            Some(all) => Map::from_iter([(other.to_owned(), all.clone()), ("default".to_owned(), all.clone())]),
            None => Map::new(),
        };
        let belongs = |name: &str, side: &str| name == side || name.ends_with(&format!("_{side}"));
        if amplifier == "L" {
            if let Some(default) = map.get("default").cloned()
                && !map.contains_key("U")
            {
                map.insert("U".into(), default);
            }
            map.retain(|name, _| belongs(name, "U"));
            map.insert("default".into(), value.clone());
        }
        map.retain(|name, _| name == amplifier || !belongs(name, amplifier));
        map.insert(amplifier.to_owned(), value.clone());
        self.set(key, &Value::Object(map))
    }

    /// The keys that the user gave, with their values.
    pub fn given(&self) -> Map<String, Value> {
        let own = self.parameters.iter().filter(|(k, _)| self.explicit.contains(*k));
        own.map(|(k, v)| (k.clone(), v.clone())).collect()
    }

    /// The block as it stands in a configuration file: all own parameters, and the common ones that are not default.
    pub fn to_json(&self) -> Value {
        let mut map = self.parameters.clone();
        if let Ok(Value::Object(defaults)) = serde_json::to_value(CommonParameters::default()) {
            for (key, value) in &self.common_values {
                if defaults.get(key) != Some(value) && !map.contains_key(key) {
                    map.insert(key.clone(), value.clone());
                }
            }
        }
        Value::Object(map)
    }

    /// Whether some parameter must be resolved for an amplifier before the process can be made.
    pub fn depends_on_amplifier(&self) -> bool {
        !self.per_amplifier.is_empty()
    }

    /// The own parameters for an amplifier with these names (name first, then aliases), values given per amplifier
    /// resolved. The error is the key that has no value for it.
    pub fn resolved<'n>(&self, names: impl Iterator<Item = &'n str> + Clone) -> Result<Value, String> {
        let mut map = self.parameters.clone();
        for key in &self.per_amplifier {
            let Some(Value::Object(each)) = self.parameters.get(key) else { continue };
            let value = names.clone().find_map(|n| each.get(n)).or_else(|| each.get("default"));
            map.insert(key.clone(), value.ok_or_else(|| key.clone())?.clone());
        }
        Ok(Value::Object(map))
    }

    /// Makes the process in every variant that the values per amplifier allow, as a last check; returns what is wrong.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut amplifiers: BTreeSet<&str> = BTreeSet::new();
        for key in &self.per_amplifier {
            if let Some(Value::Object(each)) = self.parameters.get(key) {
                amplifiers.extend(each.keys().map(String::as_str));
            }
        }
        if amplifiers.is_empty() {
            amplifiers.insert("default");
        }
        for amplifier in amplifiers {
            // Without a value for this amplifier, images that have it fail; whether there are any is not known yet.
            let Ok(parameters) = self.resolved(std::iter::once(amplifier)) else { continue };
            match self.build(parameters) {
                Ok(process) => problems.extend(process.check()),
                Err(error) => problems.push(error),
            }
        }
        problems.dedup();
        problems
    }

    /// Makes the process from complete parameters.
    pub fn build(&self, parameters: Value) -> Result<Box<dyn SKImageProcess>, String> {
        let maker = self.entry.maker.ok_or_else(|| format!("{} acts on simulated hits only", self.entry.name))?;
        (maker.build)(parameters).map_err(|e| e.to_string())
    }

    fn read_common(&mut self) {
        if let Ok(common) = serde_json::from_value(Value::Object(self.common_values.clone())) {
            self.common = common;
        }
    }
}

/// Figure formats: an unknown one becomes pdf, with a remark (spec 01 §6.5); a single text counts as a list of one.
fn figure_formats(value: &Value, shape: &Shape) -> Result<(Value, Vec<String>), Vec<Mismatch>> {
    let list = match value {
        Value::String(_) => Value::Array(vec![value.clone()]),
        other => other.clone(),
    };
    let Value::Array(items) = &list else {
        return shape.conform(value).map(|v| (v, Vec::new()));
    };
    let mut formats: Vec<Value> = Vec::new();
    let mut remarks = Vec::new();
    for item in items {
        let format = match item {
            Value::String(s) => Value::String(s.trim_start_matches('.').to_lowercase()),
            other => other.clone(),
        };
        let one = Value::Array(vec![format.clone()]);
        let format = match shape.conform(&one) {
            Ok(_) => format,
            Err(m) if m.iter().all(|m| m.spelling) => {
                remarks.push(format!("there is no figure format {}; pdf is written instead", describe_value(item)));
                Value::String("pdf".into())
            }
            Err(m) => return Err(m),
        };
        if !formats.contains(&format) {
            formats.push(format);
        }
    }
    Ok((Value::Array(formats), remarks))
}
