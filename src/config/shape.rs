//! What a value of the configuration may look like.
//!
//! A [`Shape`] is read from the JSON schema that `schemars` derives from a parameter struct, so the struct stays the only
//! place where a parameter is described. It brings values into the form that the struct reads (0/1 become booleans, 4.0
//! an integer where one is wanted; nothing else changes, a number keeps the form in which it was typed), and it says in
//! words what is expected.

use std::fmt::Write as _;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value};

/// The shape of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Anything.
    Any,
    /// `true`, `false`, 0 or 1.
    Bool,
    /// An integral number inside these limits.
    Integer(Limits),
    /// A number inside these limits.
    Number(Limits),
    /// A text.
    Text,
    /// One of these texts.
    Choice(Vec<String>),
    /// A list; shortest and longest length.
    List(Box<Shape>, usize, Option<usize>),
    /// A list with a shape for each place.
    Tuple(Vec<Shape>),
    /// A list of indices and pairs of indices.
    IndexList,
    /// One value, or a list of such values.
    OneOrMany(Box<Shape>),
    /// One value for all amplifiers, or an object `{amplifier: value}`.
    PerAmplifier(Box<Shape>),
    /// An object with any names.
    Map(Box<Shape>),
    /// The shape, or null.
    OrNull(Box<Shape>),
    /// One of these.
    Either(Vec<Shape>),
}

/// Limits of a number, both included unless `above` or `below` says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// Smallest value.
    pub min: Option<f64>,
    /// Largest value.
    pub max: Option<f64>,
    /// Values must be larger.
    pub above: Option<f64>,
    /// Values must be smaller.
    pub below: Option<f64>,
}

/// A value that does not fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Mismatch {
    /// Where inside the value: `.L`, `[2]`, or empty.
    pub inside: String,
    /// What was found.
    pub found: String,
    /// What is expected.
    pub expected: String,
    /// Whether only the spelling of a text is unknown; the parameter struct may know it as an old spelling.
    pub spelling: bool,
}

impl Limits {
    fn of(schema: &Value) -> Self {
        let number = |key: &str| schema.get(key).and_then(Value::as_f64);
        Self {
            min: number("minimum"),
            max: number("maximum"),
            above: number("exclusiveMinimum"),
            below: number("exclusiveMaximum"),
        }
    }

    fn contain(&self, x: f64) -> bool {
        self.min.is_none_or(|m| x >= m)
            && self.max.is_none_or(|m| x <= m)
            && self.above.is_none_or(|m| x > m)
            && self.below.is_none_or(|m| x < m)
    }

    /// ` from 1 to 5`, ` ≥ 0`, … or nothing. Two integers are named.
    fn describe(&self) -> String {
        let mut text = match (self.min, self.max) {
            (Some(a), Some(b)) if b - a == 1.0 => format!(" {a} or {b}"),
            (Some(a), Some(b)) => format!(" from {a} to {b}"),
            (Some(a), None) => format!(" ≥ {a}"),
            (None, Some(b)) => format!(" ≤ {b}"),
            (None, None) => String::new(),
        };
        if let Some(a) = self.above {
            let _ = write!(text, " > {a}");
        }
        if let Some(b) = self.below {
            let _ = write!(text, " < {b}");
        }
        text
    }
}

/// The JSON schema of a parameter struct, with references inlined.
pub fn schema_of<P: JsonSchema>() -> Schema {
    schemars::generate::SchemaSettings::draft2020_12()
        .with(|s| s.inline_subschemas = true)
        .into_generator()
        .into_root_schema_for::<P>()
}

impl Shape {
    /// The shapes of all keys of an object, from its JSON schema.
    pub fn of_keys(schema: &Value) -> IndexMap<String, Shape> {
        let properties = schema.get("properties").and_then(Value::as_object);
        properties.into_iter().flatten().map(|(key, schema)| (key.clone(), Self::of(schema))).collect()
    }

    /// The shape described by a JSON schema (as `schemars` writes it, with references inlined).
    pub fn of(schema: &Value) -> Self {
        if let Some(alternatives) = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array) {
            return Self::of_alternatives(alternatives);
        }
        let choice = |values: &[Value]| {
            Self::Choice(values.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect::<Vec<_>>())
        };
        let types: Vec<&str> = match schema.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let mut shapes: Vec<Shape> = types
            .iter()
            .filter(|t| **t != "null")
            .map(|t| match *t {
                "boolean" => Self::Bool,
                "integer" => Self::Integer(Limits::of(schema)),
                "number" => Self::Number(Limits::of(schema)),
                "string" => match (schema.get("enum"), schema.get("const")) {
                    (Some(Value::Array(values)), _) => choice(values),
                    (_, Some(one)) => choice(std::slice::from_ref(one)),
                    _ => Self::Text,
                },
                "array" => Self::of_list(schema),
                "object" => match schema.get("additionalProperties") {
                    Some(entry) if schema.get("properties").is_none() => Self::Map(Box::new(Self::of(entry))),
                    _ => Self::Any,
                },
                _ => Self::Any,
            })
            .collect();
        let shape = match shapes.len() {
            0 => Self::Any,
            1 => shapes.remove(0),
            _ => Self::Either(shapes),
        };
        if types.contains(&"null") && shape != Self::Any { Self::OrNull(Box::new(shape)) } else { shape }
    }

    fn of_list(schema: &Value) -> Self {
        if let Some(places) = schema.get("prefixItems").and_then(Value::as_array) {
            return Self::Tuple(places.iter().map(Self::of).collect());
        }
        let item = schema.get("items").map_or(Self::Any, Self::of);
        if item == Self::OneOrMany(Box::new(Self::Integer(Limits::default()))) {
            return Self::IndexList;
        }
        let length = |key: &str| schema.get(key).and_then(Value::as_u64).map(|n| n as usize);
        Self::List(Box::new(item), length("minItems").unwrap_or(0), length("maxItems"))
    }

    fn of_alternatives(alternatives: &[Value]) -> Self {
        let is_null = |v: &Value| v.get("type").and_then(Value::as_str) == Some("null");
        let nullable = alternatives.iter().any(is_null);
        let mut shapes: Vec<Shape> = alternatives.iter().filter(|v| !is_null(v)).map(Self::of).collect();
        let shape = if shapes.iter().all(|s| matches!(s, Self::Choice(_))) {
            Self::Choice(shapes.into_iter().flat_map(|s| if let Self::Choice(c) = s { c } else { vec![] }).collect())
        } else {
            match shapes.as_slice() {
                [_] => shapes.remove(0),
                [one, Self::List(many, ..)] if *one == **many => Self::OneOrMany(many.clone()),
                [one, Self::Map(each)] if *one == **each => Self::PerAmplifier(each.clone()),
                _ => Self::Either(shapes),
            }
        };
        match shape {
            Self::OrNull(_) => shape,
            _ if nullable => Self::OrNull(Box::new(shape)),
            _ => shape,
        }
    }

    /// Whether null is a value (and does not mean "not set").
    pub fn allows_null(&self) -> bool {
        match self {
            Self::Any | Self::OrNull(_) => true,
            Self::Either(shapes) => shapes.iter().any(Self::allows_null),
            _ => false,
        }
    }

    /// Whether a JSON object is a possible value.
    pub fn allows_object(&self) -> bool {
        match self {
            Self::Any | Self::PerAmplifier(_) | Self::Map(_) => true,
            Self::OrNull(inner) => inner.allows_object(),
            Self::Either(shapes) => shapes.iter().any(Self::allows_object),
            _ => false,
        }
    }

    /// The value in the form that the parameter struct reads, or why it does not fit.
    pub fn conform(&self, value: &Value) -> Result<Value, Vec<Mismatch>> {
        match (self, value) {
            (Self::Any, _) | (Self::Text, Value::String(_)) | (Self::Bool, Value::Bool(_)) => Ok(value.clone()),
            (Self::Bool, Value::Number(n)) if n.as_f64() == Some(0.0) => Ok(Value::Bool(false)),
            (Self::Bool, Value::Number(n)) if n.as_f64() == Some(1.0) => Ok(Value::Bool(true)),
            (Self::Integer(limits), Value::Number(n)) => {
                let x = n.as_f64().unwrap_or(f64::NAN);
                // Above 2^53 a float no longer says which integer is meant.
                if x.fract() == 0.0 && limits.contain(x) && (n.is_i64() || n.is_u64() || x.abs() < 9.007e15) {
                    Ok(if n.is_f64() { Value::from(x as i64) } else { value.clone() })
                } else {
                    self.mismatch(value)
                }
            }
            (Self::Number(limits), Value::Number(n)) if limits.contain(n.as_f64().unwrap_or(f64::NAN)) => {
                Ok(value.clone())
            }
            (Self::Choice(names), Value::String(s)) if names.contains(s) => Ok(value.clone()),
            (Self::Choice(_), Value::String(_)) => Err(vec![Mismatch { spelling: true, ..self.mismatch_of(value) }]),
            (Self::List(item, min, max), Value::Array(values)) => {
                if values.len() < *min || max.is_some_and(|m| values.len() > m) {
                    return self.mismatch(value);
                }
                each(values.iter().map(|v| item.conform(v))).map(Value::Array)
            }
            (Self::Tuple(places), Value::Array(values)) if places.len() == values.len() => {
                each(places.iter().zip(values).map(|(shape, v)| shape.conform(v))).map(Value::Array)
            }
            (Self::IndexList, Value::Array(values)) => {
                let index = Self::Integer(Limits::default());
                let item = Self::OneOrMany(Box::new(index));
                each(values.iter().map(|v| item.conform(v))).map(Value::Array)
            }
            (Self::OneOrMany(item), Value::Array(values)) => {
                each(values.iter().map(|v| item.conform(v))).map(Value::Array)
            }
            (Self::OneOrMany(item), _) => item.conform(value).or_else(|_| self.mismatch(value)),
            (Self::PerAmplifier(item) | Self::Map(item), Value::Object(map)) => item.conform_each(map),
            (Self::PerAmplifier(item), _) => item.conform(value).map_err(|mut mismatches| {
                for m in mismatches.iter_mut().filter(|m| m.inside.is_empty()) {
                    m.expected = self.describe();
                }
                mismatches
            }),
            (Self::OrNull(_), Value::Null) => Ok(Value::Null),
            (Self::OrNull(inner), _) => inner.conform(value).map_err(|mut mismatches| {
                for m in mismatches.iter_mut().filter(|m| m.inside.is_empty()) {
                    m.expected.push_str(", or null");
                }
                mismatches
            }),
            (Self::Either(shapes), _) => {
                let results: Vec<_> = shapes.iter().map(|s| s.conform(value)).collect();
                // A reading that changes nothing is the one that was meant.
                let unchanged = results.iter().flatten().find(|v| *v == value).cloned();
                match unchanged.or_else(|| results.into_iter().flatten().next()) {
                    Some(v) => Ok(v),
                    None => self.mismatch(value),
                }
            }
            _ => self.mismatch(value),
        }
    }

    /// An object `{amplifier: value}` with this shape for each value; null entries count as not given.
    pub fn conform_each(&self, map: &Map<String, Value>) -> Result<Value, Vec<Mismatch>> {
        let mut result = Map::new();
        let mut mismatches = Vec::new();
        for (name, value) in map {
            if value.is_null() && !self.allows_null() {
                continue;
            }
            match self.conform(value) {
                Ok(v) => {
                    result.insert(name.clone(), v);
                }
                Err(found) => mismatches.extend(found.into_iter().map(|m| m.below(&format!(".{name}")))),
            }
        }
        if mismatches.is_empty() { Ok(Value::Object(result)) } else { Err(mismatches) }
    }

    fn mismatch_of(&self, value: &Value) -> Mismatch {
        Mismatch { inside: String::new(), found: describe_value(value), expected: self.describe(), spelling: false }
    }

    fn mismatch(&self, value: &Value) -> Result<Value, Vec<Mismatch>> {
        Err(vec![self.mismatch_of(value)])
    }

    /// What is expected, in words: "an integer ≥ 0, or a list of them".
    pub fn describe(&self) -> String {
        match self {
            Self::Any => "any value".into(),
            Self::Bool => "true or false".into(),
            Self::Integer(limits) => format!("an integer{}", limits.describe()),
            Self::Number(limits) => format!("a number{}", limits.describe()),
            Self::Text => "a text in double quotes".into(),
            Self::Choice(names) => match names.as_slice() {
                [one] => format!("\"{one}\""),
                [most @ .., last] => format!("\"{}\" or \"{last}\"", most.join("\", \"")),
                [] => "nothing".into(),
            },
            Self::List(item, min, max) => match (min, max) {
                (a, Some(b)) if a == b => format!("a list of {a} values, each {}", item.describe()),
                (0, None) => format!("a list, each item {}", item.describe()),
                (a, None) => format!("a list of at least {a} values, each {}", item.describe()),
                (a, Some(b)) => format!("a list of {a} to {b} values, each {}", item.describe()),
            },
            Self::Tuple(places) => format!("a list of {} values {}", places.len(), self.short()),
            Self::IndexList => "a list of indices and pairs, such as [0, [10, 12], 40]".into(),
            Self::OneOrMany(item) => format!("{}, or a list of them", item.describe()),
            Self::PerAmplifier(item) => {
                format!("{}, or an object with one for each amplifier {{\"U\": …, \"L\": …}}", item.describe())
            }
            Self::Map(item) => format!("an object with values that are each {}", item.describe()),
            Self::OrNull(inner) => format!("{}, or null", inner.describe()),
            Self::Either(shapes) => shapes.iter().map(Self::describe).collect::<Vec<_>>().join(", or "),
        }
    }

    /// The type in a few characters, for tables: `int ≥ 0 | list`.
    pub fn short(&self) -> String {
        match self {
            Self::Any => "any".into(),
            Self::Bool => "bool".into(),
            Self::Integer(limits) => format!("int{}", limits.describe()),
            Self::Number(limits) => format!("float{}", limits.describe()),
            Self::Text => "text".into(),
            Self::Choice(names) => names.join(" | "),
            Self::List(item, min, Some(max)) if min == max => vec![item.short(); *min].join(", ").bracketed(),
            Self::List(item, ..) => format!("list of {}", item.short_in_list()),
            Self::Tuple(places) => places.iter().map(Self::short_in_list).collect::<Vec<_>>().join(", ").bracketed(),
            Self::IndexList => "index list".into(),
            Self::OneOrMany(item) => format!("{} | list", item.short()),
            Self::PerAmplifier(item) => format!("{} | per amplifier", item.short()),
            Self::Map(item) => format!("{{name: {}}}", item.short()),
            Self::OrNull(inner) => format!("{} | null", inner.short()),
            Self::Either(shapes) => shapes.iter().map(Self::short).collect::<Vec<_>>().join(" | "),
        }
    }

    fn short_in_list(&self) -> String {
        let short = self.short();
        if short.contains('|') { format!("({short})") } else { short }
    }
}

impl Mismatch {
    fn below(mut self, step: &str) -> Self {
        self.inside.insert_str(0, step);
        self
    }
}

trait Bracketed {
    fn bracketed(self) -> String;
}

impl Bracketed for String {
    fn bracketed(self) -> String {
        format!("[{self}]")
    }
}

/// All values, or all mismatches with their place in the list.
fn each(results: impl Iterator<Item = Result<Value, Vec<Mismatch>>>) -> Result<Vec<Value>, Vec<Mismatch>> {
    let mut values = Vec::new();
    let mut mismatches = Vec::new();
    for (i, result) in results.enumerate() {
        match result {
            Ok(v) => values.push(v),
            Err(found) => mismatches.extend(found.into_iter().map(|m| m.below(&format!("[{i}]")))),
        }
    }
    if mismatches.is_empty() { Ok(values) } else { Err(mismatches) }
}

/// A value as it is shown in a message: JSON, cut when long.
pub fn describe_value(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 60 { text } else { text.chars().take(57).chain("…".chars()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{IndexList, OneOrMany, PerAmplifier};
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    #[derive(Debug, Serialize, Deserialize, JsonSchema)]
    enum Method {
        /// A documented variant.
        #[serde(rename = "gauss_fit")]
        GaussFit,
        #[serde(rename = "mean")]
        Mean,
    }

    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Shapes {
        flag: bool,
        count: u32,
        #[schemars(range(min = 1, max = 2))]
        amplifiers: Option<u8>,
        width: f64,
        method: Method,
        maybe_method: Option<Method>,
        gain: PerAmplifier<f64>,
        rows: PerAmplifier<IndexList>,
        threshold: PerAmplifier<(Option<f64>, f64, f64)>,
        extensions: Option<OneOrMany<usize>>,
        range: Option<[f64; 2]>,
        mask: (bool, Option<String>, Option<i64>),
        formats: Vec<Method>,
    }

    fn shape(key: &str) -> Shape {
        Shape::of_keys(schema_of::<Shapes>().as_value())[key].clone()
    }

    fn expected(key: &str, value: Value) -> String {
        let mismatches = shape(key).conform(&value).unwrap_err();
        mismatches.iter().map(|m| format!("{}: {}", m.inside, m.expected)).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn shapes_are_recognised_in_the_derived_schema() {
        for (key, short) in [
            ("flag", "bool"),
            ("count", "int ≥ 0"),
            ("amplifiers", "int 1 or 2 | null"),
            ("width", "float"),
            ("method", "mean | gauss_fit"),
            ("gain", "float | per amplifier"),
            ("rows", "index list | per amplifier"),
            ("threshold", "[(float | null), float, float] | per amplifier"),
            ("extensions", "int ≥ 0 | list | null"),
            ("range", "[float, float] | null"),
            ("mask", "[bool, (text | null), (int | null)]"),
            ("formats", "list of (mean | gauss_fit)"),
        ] {
            assert_eq!(shape(key).short(), short, "{key}");
        }
    }

    #[test]
    fn only_what_must_change_is_changed() {
        for (key, given, read) in [
            ("flag", json!(1), json!(true)),
            ("flag", json!(0.0), json!(false)),
            ("count", json!(4.0), json!(4)),
            ("width", json!(4), json!(4)),
            ("width", json!(4.0), json!(4.0)),
            ("gain", json!({"L": 10, "U": null}), json!({"L": 10})),
            ("rows", json!([0, [10.0, 12]]), json!([0, [10, 12]])),
            ("rows", json!({"EXT1": [], "EXT2": [[0, 1]]}), json!({"EXT1": [], "EXT2": [[0, 1]]})),
            ("threshold", json!([null, 3, 4.5]), json!([null, 3, 4.5])),
            ("extensions", json!([1.0, 2]), json!([1, 2])),
            ("extensions", json!(null), json!(null)),
            ("mask", json!([0, null, null]), json!([false, null, null])),
        ] {
            // Compared as text: 4 and 4.0 must not be confused.
            assert_eq!(shape(key).conform(&given).unwrap().to_string(), read.to_string(), "{key}");
        }
    }

    #[test]
    fn mismatches_say_where_and_what_is_expected() {
        assert_eq!(expected("flag", json!(2)), ": true or false");
        assert_eq!(expected("count", json!(-1)), ": an integer ≥ 0");
        assert_eq!(expected("count", json!(1.5)), ": an integer ≥ 0");
        assert_eq!(expected("amplifiers", json!(4)), ": an integer 1 or 2, or null");
        assert_eq!(
            expected("gain", json!("5")),
            ": a number, or an object with one for each amplifier {\"U\": …, \"L\": …}"
        );
        assert_eq!(expected("gain", json!({"L": 1, "U": "5"})), ".U: a number");
        assert_eq!(expected("threshold", json!({"L": [null, "3", 4]})), ".L[1]: a number");
        assert_eq!(expected("rows", json!([0, 1.5])), "[1]: an integer, or a list of them");
        assert!(shape("method").conform(&json!("gaus_fit")).unwrap_err()[0].spelling);
        assert_eq!(expected("maybe_method", json!("x")), ": \"mean\" or \"gauss_fit\", or null");
        assert_eq!(expected("range", json!([1])), ": a list of 2 values, each a number, or null");
        let huge = json!(1e300);
        assert_eq!(expected("count", huge), ": an integer ≥ 0");
    }
}
