//! Pickles of the older tool (spec 06 §9).
//!
//! Plain lists, numbers and strings are used; objects of packages that are unknown here have become `None`. Lines are
//! recomputed, rows of stacked extensions are shifted to begin at 1, and a monitor element without usable x and y is left
//! out.

use std::collections::BTreeMap;

use serde_pickle::{HashableValue, Value};

use crate::dqm::catalogue::{self, Description, Scope};
use crate::dqm::model::{
    DarkCurrent, Entry, ImageRecord, MonitorElement, Pair, RunRecord, SCHEMA, Summary, VERSION, Values,
};

type Dict = BTreeMap<HashableValue, Value>;

/// A summary from the flat dictionary of the older tool.
pub(super) fn from_value(value: Value) -> Result<Summary, String> {
    let Value::Dict(dict) = value else { return Err("the pickle holds no dictionary".into()) };
    let run = get(&dict, "run").and_then(number).ok_or("the dictionary has no number `run`")?;
    let mut summary = Summary {
        schema: SCHEMA.into(),
        version: VERSION,
        tool: "older tool".into(),
        run: RunRecord { number: run as i64, ..RunRecord::default() },
        dc: DarkCurrent {
            gain: pair(&dict, "me_dc_gain"),
            lambda: pair(&dict, "me_dc_lambda"),
            sigma: pair(&dict, "me_dc_sigma"),
            mu0: pair(&dict, "me_dc_mu0"),
            per_amp: BTreeMap::new(),
        },
        ..Summary::default()
    };
    for (key, value) in &dict {
        let (HashableValue::String(name), Value::Dict(me)) = (key, value) else { continue };
        let Some(description) = catalogue::find(name) else { continue };
        let entries = entries(me, description);
        if entries.is_empty() {
            continue;
        }
        for entry in &entries {
            if !summary.images.iter().any(|i| i.file == entry.file) {
                let (number, file) = (entry.image, entry.file.clone());
                summary.images.push(ImageRecord { number, file, ..ImageRecord::default() });
            }
        }
        summary.mes.insert(description.name.into(), element(description, entries));
    }
    if summary.mes.is_empty() {
        return Err("no monitor element in it has usable x and y".into());
    }
    summary.images.sort_by_key(|i| i.number);
    summary.run.n_images = summary.images.len();
    summary.mes.sort_by(|_, a, _, b| a.id.cmp(&b.id));
    Ok(summary)
}

fn element(description: &Description, entries: Vec<Entry>) -> MonitorElement {
    MonitorElement {
        id: description.id,
        scope: description.scope,
        title: description.title.into(),
        caption: String::new(),
        xlabel: description.x_label().into(),
        ylabel: description.y_label(),
        unit: description.unit.into(),
        aliases: description.aliases().map(str::to_owned).collect(),
        plots: Vec::new(),
        status: Default::default(),
        entries,
        run: Vec::new(),
    }
}

/// One entry per element of the parallel lists. The older tool does not say which image an element belongs to: the k-th
/// one of an amplifier is taken as image k.
fn entries(me: &Dict, description: &Description) -> Vec<Entry> {
    let (Some(x), Some(y)) = (get(me, "x").and_then(list), get(me, "y").and_then(list)) else { return Vec::new() };
    let amplifiers = get(me, "amplifier").and_then(list).unwrap_or_default();
    let images = get(me, "image").and_then(list).unwrap_or_default();
    let mut seen: BTreeMap<String, i64> = BTreeMap::new();
    let mut entries = Vec::new();
    for (k, (x, y)) in x.iter().zip(&y).enumerate() {
        let amplifier = match amplifiers.get(k) {
            Some(Value::String(name)) => name.clone(),
            Some(other) => number(other).map_or_else(String::new, |n| n.to_string()),
            None => String::new(),
        };
        let ordinal = seen.entry(amplifier.clone()).or_default();
        let image = images.get(k).and_then(number).map_or(*ordinal, |n| n as i64);
        *ordinal += 1;
        let (x, y) = if description.scope == Scope::S {
            let Some(y) = number(y) else { continue };
            (Values::One(number(x).unwrap_or(*ordinal as f64)), Values::One(y))
        } else {
            let (Some(mut x), Some(y)) = (numbers(x), numbers(y)) else { continue };
            if x.len() != y.len() || x.is_empty() {
                continue;
            }
            let shift = x[0] - 1.0;
            if description.scope == Scope::R && shift > 0.0 && !description.needs_dark_current_fit() {
                x.iter_mut().for_each(|x| *x -= shift);
            }
            (Values::Many(x), Values::Many(y))
        };
        entries.push(Entry { image, file: format!("image {image}"), amplifier, x, y, ..Entry::default() });
    }
    entries
}

fn get<'a>(dict: &'a Dict, key: &str) -> Option<&'a Value> {
    dict.get(&HashableValue::String(key.into()))
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::I64(n) => Some(*n as f64),
        Value::F64(x) => Some(*x),
        Value::Bool(b) => Some(f64::from(u8::from(*b))),
        Value::Int(n) => n.to_string().parse().ok(),
        _ => None,
    }
}

fn list(value: &Value) -> Option<Vec<Value>> {
    match value {
        Value::List(items) | Value::Tuple(items) => Some(items.clone()),
        _ => None,
    }
}

/// A list of numbers, `None` standing for a missing one. Anything else, such as the inner parts of an array of a package
/// that is not there, makes it no list of numbers.
fn numbers(value: &Value) -> Option<Vec<f64>> {
    let of = |v: &Value| if matches!(v, Value::None) { Some(f64::NAN) } else { number(v) };
    let numbers: Vec<f64> = match value {
        Value::List(items) => items.iter().map(of).collect::<Option<_>>()?,
        Value::Tuple(items) => items.iter().map(of).collect::<Option<_>>()?,
        _ => return None,
    };
    numbers.iter().any(|x| x.is_finite()).then_some(numbers)
}

fn pair(dict: &Dict, key: &str) -> Pair {
    let items = get(dict, key).and_then(list).unwrap_or_default();
    let at = |k: usize| items.get(k).and_then(number).unwrap_or(f64::NAN);
    Pair::new(at(0), at(1))
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    #[test]
    fn a_pickle_of_the_older_tool_is_read_as_far_as_it_is_plain() {
        let script = r#"
import pickle, sys, datetime, collections
class Array(list):
    def __reduce__(self): return (Array, (), tuple(self))
d = {"run": 30, "me_dc_gain": [10.1, 0.07], "me_dc_lambda": [3.2, 0.1], "me_dc_sigma": [0.15, 0.01], "me_dc_mu0": [0.0, 0.001],
 "MEMeanPixelChargePerRow": {"x": [[321,322,323],[321,322,323]], "y": [[.1,.2,.3],[.1,.2,None]], "amplifier": ["EXT2","EXT2"],
   "fit_model": [0.1, 0.0], "when": datetime.datetime(2022,5,10), "xlabel": "row"},
 "MEOVSPedestalMu": {"x": [datetime.datetime(2022,5,10), datetime.datetime(2022,5,11)], "y": [1158.1, 1158.4], "amplifier": ["L","L"]},
 "MEImageMedianperCol": {"x": [Array([1, (3,), None, 0, None])], "y": [Array([1, (3,), None, 0, None])], "amplifier": ["L"]},
 "MEBroken": {"x": [collections.Counter()], "y": [1]}}
pickle.dump(d, open(sys.argv[1], "wb"), protocol=int(sys.argv[2]))
"#;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("old.pkl");
        for protocol in ["0", "1", "2", "3", "4", "5"] {
            let run =
                std::process::Command::new("python3").args(["-I", "-c", script]).arg(&path).arg(protocol).output();
            let Ok(out) = run else {
                println!("skipped: there is no python3");
                return;
            };
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
            let summary = read(&path).unwrap();
            assert!(summary.element(10).is_none_or(|me| me.entries.is_empty()), "an array of a package is no list");
            assert_eq!((summary.run.number, summary.images.len()), (30, 2));
            let me = summary.element(1).unwrap();
            assert_eq!(me.entries[0].x.as_slice(), [1.0, 2.0, 3.0], "rows of a stacked extension begin at 1");
            assert!(me.entries[1].y.as_slice()[2].is_nan());
            let scalars = summary.element(32).unwrap();
            assert_eq!(scalars.entries[1].x, Values::One(2.0), "dates become ordinals");
            assert_eq!(summary.dc.gain, Pair::new(10.1, 0.07));
        }
    }
}
