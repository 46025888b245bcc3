//! The configuration described for people and for editors: `--json help`, `--json schema`, and readable JSON.

use serde_json::{Map, Value, json};

use super::InputConfig;
use super::blocks::{ALIASES, WITHOUT_EFFECT};
use super::input::{ConventionConfig, DatetimeConfig, ImageConfig};
use super::sequence::DEFAULT_SEQUENCE;
use super::shape::{Shape, schema_of};
use crate::process::registry::{OldKey, Scope};
use crate::process::{CommonParameters, ProcessEntry};

/// The whole configuration, section by section: each key with its default, its type and what it means.
pub fn annotated(table: &'static [ProcessEntry], width: usize) -> String {
    let mut page = Page { text: String::new(), width };
    page.paragraph(
        "Configuration of panaSKImg: a JSON file with the sections `input` and `process`. Every key may be left out; then \
         the default shown here applies. Options of the command line win over the file.",
        0,
    );
    page.paragraph("Shown for each key: default (type), then what it means.", 0);
    page.list(&[
        ("int, float, text, bool", "a number, a text in double quotes, true or false"),
        ("null", "not set; where the type does not name null, null means the default"),
        (
            "per amplifier",
            "also an object with one value for each, {\"U\": 10.7, \"L\": 10.0}; `default` serves the others",
        ),
        ("index list", "indices and pairs, [0, [10, 12], 40]; a pair includes its end, but not in *_to_mask"),
    ]);
    let defaults = serde_json::to_value(InputConfig::default()).unwrap_or_default();
    page.heading("input.image", "how the image is laid out in the file");
    page.keys(schema_of::<ImageConfig>().as_value(), &defaults["image"]);
    page.heading("input.datetime", "header keywords with the times of exposure and readout; the first present wins");
    page.keys(schema_of::<DatetimeConfig>().as_value(), &defaults["datetime"]);
    page.heading("input.scp", "slow control: any name → header keyword(s), carried as metadata");
    page.heading("input.convention", "header keywords with the properties of the image; \"\" switches one off");
    page.keys(schema_of::<ConventionConfig>().as_value(), &defaults["convention"]);
    page.heading("process.sequence", "processes to run, in this order, separated by ; or , or as a list");
    page.key("sequence", &Value::from(DEFAULT_SEQUENCE), "text | list of text", "");
    let common = serde_json::to_value(CommonParameters::default()).unwrap_or_default();
    page.heading("process.<Name>", "keys of every process");
    page.keys(schema_of::<CommonParameters>().as_value(), &common);
    for entry in table {
        let Some(maker) = entry.maker else { continue };
        let often = match entry.scope {
            Scope::Image => "once per image",
            Scope::Amplifier => "once per amplifier",
        };
        page.heading(&format!("process.{}", entry.name), &format!("{} ({}, {often})", entry.summary, entry.group));
        page.keys((maker.schema)().as_value(), &(maker.defaults)());
    }
    page.text
}

/// Every key of a parameter struct with its default, type and meaning: its own keys first, then, under a heading each, those
/// of the objects in it and of the objects in its lists.
pub fn annotated_object(introduction: &str, name: &str, schema: &Value, defaults: &Value, width: usize) -> String {
    let mut page = Page { text: String::new(), width };
    page.paragraph(introduction, 0);
    page.paragraph("Shown for each key: default (type), then what it means.", 0);
    page.object(name, "", schema, defaults);
    page.text
}

/// The object that a schema describes itself, in one of its alternatives, or in its list.
fn inner_object(schema: &Value) -> Option<&Value> {
    if schema["properties"].is_object() {
        return Some(schema);
    }
    let alternatives = ["anyOf", "oneOf"].into_iter().filter_map(|key| schema[key].as_array()).flatten();
    alternatives.chain(schema.get("items")).find_map(inner_object)
}

struct Page {
    text: String,
    width: usize,
}

impl Page {
    fn heading(&mut self, name: &str, meaning: &str) {
        self.text.push('\n');
        self.paragraph(&format!("{name}: {meaning}"), 0);
    }

    fn list(&mut self, items: &[(&str, &str)]) {
        let widest = items.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, meaning) in items {
            let hanging = widest + 4;
            let lines = wrap(meaning, self.width.saturating_sub(hanging));
            for (i, line) in lines.iter().enumerate() {
                let label = if i == 0 { *name } else { "" };
                self.text.push_str(&format!("  {label:widest$}  {line}\n"));
            }
        }
    }

    fn object(&mut self, name: &str, meaning: &str, schema: &Value, defaults: &Value) {
        self.text.push('\n');
        self.paragraph(&if meaning.is_empty() { name.to_owned() } else { format!("{name}: {meaning}") }, 0);
        let is_inner = |key: &str| inner_object(&schema["properties"][key]);
        for (key, shape) in Shape::of_keys(schema) {
            let description = schema["properties"][&key]["description"].as_str().unwrap_or("");
            if is_inner(&key).is_none() {
                self.key(&key, &defaults[&key], &shape.short(), description);
            }
        }
        for key in Shape::of_keys(schema).keys() {
            if let Some(inner) = is_inner(key) {
                let property = &schema["properties"][key];
                let list = property["type"] == "array" || property["items"].is_object();
                let path = format!("{name}.{key}{}", if list { "[…]" } else { "" });
                let meaning = property["description"].as_str().unwrap_or("").split("\n\n").next().unwrap_or("");
                self.object(&path, &meaning.replace('\n', " "), inner, &defaults[key]);
            }
        }
    }

    fn keys(&mut self, schema: &Value, defaults: &Value) {
        for (key, shape) in Shape::of_keys(schema) {
            let description = schema["properties"][&key]["description"].as_str().unwrap_or("");
            self.key(&key, &defaults[&key], &shape.short(), description);
        }
    }

    fn key(&mut self, key: &str, default: &Value, kind: &str, description: &str) {
        self.text.push_str(&format!("  {key} = {}  ({kind})\n", compact(default)));
        // The first paragraph says what it means; what follows is for the documentation.
        let first = description.split("\n\n").next().unwrap_or("").replace('\n', " ");
        self.paragraph(&first, 6);
    }

    fn paragraph(&mut self, text: &str, indent: usize) {
        for line in wrap(text, self.width.saturating_sub(indent)) {
            self.text.push_str(&format!("{:indent$}{line}\n", ""));
        }
    }
}

/// Lines of at most `width` characters (longer words stay whole).
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A configuration file that holds every key with its default.
pub fn default_document(table: &'static [ProcessEntry]) -> Value {
    let mut process = Map::new();
    process.insert("sequence".into(), DEFAULT_SEQUENCE.into());
    for entry in table {
        if let Some(maker) = entry.maker {
            process.insert(entry.name.into(), (maker.defaults)());
        }
    }
    json!({
        "$schema": "panaskimg.schema.json",
        "input": InputConfig::default(),
        "process": process,
    })
}

/// The JSON schema of the configuration, for the completion and the checks of editors.
pub fn schema(table: &'static [ProcessEntry]) -> Value {
    let mut processes = Map::new();
    let runnable: Vec<&ProcessEntry> = table.iter().filter(|e| !e.is_simulation_only()).collect();
    let names: Vec<&str> = runnable.iter().map(|e| e.name).collect();
    processes.insert(
        "sequence".into(),
        json!({
            "description": "Processes to run, in this order, separated by `;` or `,`, or as a list.",
            "default": DEFAULT_SEQUENCE,
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"enum": names}, "uniqueItems": true, "minItems": 1}],
        }),
    );
    let common = schema_of::<CommonParameters>();
    for entry in runnable {
        let Some(maker) = entry.maker else { continue };
        let own = (maker.schema)();
        let defaults = (maker.defaults)();
        let mut properties = Map::new();
        for (key, property) in own.as_value()["properties"].as_object().into_iter().flatten() {
            let mut property = property.clone();
            if entry.scope == Scope::Amplifier && !Shape::of(&property).allows_object() {
                property = per_amplifier(property);
            }
            if let (Value::Object(map), Some(default)) = (&mut property, defaults.get(key)) {
                map.insert("default".into(), default.clone());
            }
            properties.insert(key.clone(), property);
        }
        for (key, property) in common.as_value()["properties"].as_object().into_iter().flatten() {
            properties.entry(key.clone()).or_insert_with(|| property.clone());
        }
        older_names(entry, &mut properties);
        let block = object(entry.summary, properties);
        for alias in entry.aliases {
            processes.insert((*alias).into(), deprecated(&block, &format!("Old name of `{}`.", entry.name)));
        }
        processes.insert(entry.name.into(), block);
    }
    let part = |schema: schemars::Schema, description: &str| {
        let properties = schema.as_value()["properties"].as_object().cloned().unwrap_or_default();
        let open = schema.get("additionalProperties").cloned();
        let mut part = object(description, properties);
        if let Some(open) = open {
            part["additionalProperties"] = open;
        }
        part
    };
    let keyword = json!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]});
    let mut image = part(schema_of::<ImageConfig>(), "How the image is laid out in the file.");
    let saved = deprecated(&image["properties"]["save_images"], "Old name of `save_images`.");
    image["properties"]["save_image"] = saved;
    let input = Map::from_iter([
        ("image".to_owned(), image),
        ("datetime".to_owned(), part(schema_of::<DatetimeConfig>(), "Header keywords with times.")),
        (
            "scp".to_owned(),
            json!({"description": "Slow control: any name → header keyword(s).", "type": "object",
                   "additionalProperties": keyword}),
        ),
        (
            "convention".to_owned(),
            part(schema_of::<ConventionConfig>(), "Header keywords with properties of the image."),
        ),
    ]);
    let top = Map::from_iter([
        ("$schema".to_owned(), json!({"type": "string"})),
        ("input".to_owned(), object("How files become images.", input)),
        ("process".to_owned(), object("What is done with the images.", processes)),
        (
            "monitoring_elements".to_owned(),
            json!({"description": "Monitor elements of the data-quality monitor.", "type": "object"}),
        ),
    ]);
    let mut schema =
        json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Configuration of panaSKImg"});
    if let (Value::Object(all), Value::Object(body)) = (&mut schema, object("", top)) {
        all.extend(body);
    }
    schema
}

/// Adds the names that keys of a block have in older files, which the program still accepts.
fn older_names(entry: &ProcessEntry, properties: &mut Map<String, Value>) {
    let without_effect = || json!({"description": "Without effect.", "deprecated": true});
    for (old, meaning) in entry.old_keys {
        let property = match meaning {
            OldKey::Renamed(new) | OldKey::Alias(new) => match properties.get(*new) {
                Some(property) => deprecated(property, &format!("Old name of `{new}`.")),
                None => continue,
            },
            OldKey::Moved(process, key, _) => {
                json!({"description": format!("Sets `{key}` of {process}."), "deprecated": true})
            }
            OldKey::Ignored | OldKey::Silent => without_effect(),
        };
        properties.entry((*old).to_owned()).or_insert(property);
    }
    for (old, new) in ALIASES {
        if let Some(property) = properties.get(new) {
            let property = deprecated(property, &format!("Old name of `{new}`."));
            properties.entry(old.to_owned()).or_insert(property);
        }
    }
    for key in WITHOUT_EFFECT {
        properties.entry(key.to_owned()).or_insert_with(without_effect);
    }
}

/// The same property under a name that new files should not use.
fn deprecated(property: &Value, description: &str) -> Value {
    let mut property = property.clone();
    if let Value::Object(map) = &mut property {
        map.insert("description".into(), description.into());
        map.insert("deprecated".into(), true.into());
    }
    property
}

/// An object with these keys and comments, nothing else.
fn object(description: &str, properties: Map<String, Value>) -> Value {
    json!({
        "description": description,
        "type": "object",
        "properties": properties,
        "patternProperties": {"^(#|//)|^comment$": true},
        "additionalProperties": false,
    })
}

/// One value for all amplifiers, or an object with one for each.
fn per_amplifier(mut property: Value) -> Value {
    let mut outer = Map::new();
    if let Value::Object(map) = &mut property {
        for key in ["description", "default"] {
            if let Some(value) = map.remove(key) {
                outer.insert(key.into(), value);
            }
        }
    }
    outer.insert("anyOf".into(), json!([property, {"type": "object", "additionalProperties": property}]));
    Value::Object(outer)
}

/// JSON as a person would lay it out: one key per line, lists and small objects without keys inside on one line.
pub fn pretty(value: &Value) -> String {
    let mut text = String::new();
    write_pretty(value, 0, &mut text);
    text.push('\n');
    text
}

fn write_pretty(value: &Value, indent: usize, text: &mut String) {
    let compact = compact(value);
    let flat = match value {
        Value::Object(map) => map.is_empty() || (compact.len() <= 60 && map.values().all(|v| !v.is_object())),
        Value::Array(_) => compact.len() + indent <= 110,
        _ => true,
    };
    if flat {
        text.push_str(&compact);
        return;
    }
    let inner = indent + 2;
    let (open, close) = if value.is_object() { ('{', '}') } else { ('[', ']') };
    let entries: Vec<(Option<&String>, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(k, v)| (Some(k), v)).collect(),
        Value::Array(items) => items.iter().map(|v| (None, v)).collect(),
        _ => Vec::new(),
    };
    text.push(open);
    for (i, (key, entry)) in entries.iter().enumerate() {
        text.push_str(if i == 0 { "\n" } else { ",\n" });
        text.push_str(&" ".repeat(inner));
        if let Some(key) = key {
            text.push_str(&Value::from(key.as_str()).to_string());
            text.push_str(": ");
        }
        write_pretty(entry, inner, text);
    }
    text.push('\n');
    text.push_str(&" ".repeat(indent));
    text.push(close);
}

/// JSON on one line, with a blank after commas and colons.
fn compact(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(compact).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entry = |(k, v): (&String, &Value)| format!("{}: {}", Value::from(k.as_str()), compact(v));
            format!("{{{}}}", map.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::test_table::TABLE;

    #[test]
    fn every_key_is_described_at_any_width() {
        for width in [60, 80, 120] {
            let text = annotated(TABLE, width);
            let unwrapped = text.split_whitespace().collect::<Vec<_>>().join(" ");
            for line in text.lines() {
                assert!(line.chars().count() <= width || line.contains(" = "), "{width}: {line}");
            }
            for key in [
                "extensions = null  (int ≥ 0 | list | null)",
                "gain = 5.3  (float | per amplifier)",
                "method = \"gauss_fit\"  (gauss_fit | median | mean | gauss_fit_window)",
                "process.ClusterFinder: finds clusters (reconstruction, once per amplifier)",
            ] {
                let key = key.split_whitespace().collect::<Vec<_>>().join(" ");
                assert!(unwrapped.contains(&key), "`{key}` is missing at width {width}");
            }
        }
    }

    #[test]
    fn pretty_json_is_the_same_json() {
        let value = schema(TABLE);
        assert_eq!(serde_json::from_str::<Value>(&pretty(&value)).unwrap(), value);
        assert_eq!(
            pretty(&json!({"a": [1, [2, 3]], "b": {"c": {"L": 10, "U": 10.5}}, "d": {}})),
            "{\n  \"a\": [1, [2, 3]],\n  \"b\": {\n    \"c\": {\"L\": 10, \"U\": 10.5}\n  },\n  \"d\": {}\n}\n"
        );
    }
}
