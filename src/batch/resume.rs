//! Which items need not be done again (`--resume`).
//!
//! The summary of an item is written last, and the old one is removed before anything else of the item is written: where
//! it exists, the outputs it lists are complete and belong together. An item is up to date if its summary names the same
//! program version, configuration, options and input content, every output it lists exists, and neither the input nor any
//! file that the configuration names is newer than it.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use serde_json::Value;

use crate::fits::FitsInput;
use crate::image::content_checksum;
use crate::output::images::TOOL;
use crate::output::{ItemNames, Provenance};

/// Whether all outputs of this item are complete and were made from the same input in the same way.
pub(super) fn is_up_to_date(input: &FitsInput, hdus: &[usize], names: &ItemNames, provenance: &Provenance) -> bool {
    let path = names.summary();
    let Ok(text) = fs::read_to_string(&path) else { return false };
    let Ok(summary) = serde_json::from_str::<Value>(&text) else { return false };
    let Some(written) = modified(&path) else { return false };
    let same = summary["tool"] == TOOL
        && without_extensions(&summary["config"]) == without_extensions(&provenance.config)
        && summary["options"] == provenance.options
        && summary["input"]["hdus"] == serde_json::json!(hdus)
        && summary["input"]["bytes"] == input.size();
    if !same || modified(input.path()).is_none_or(|t| t > written) {
        return false;
    }
    let Some(outputs) = summary["outputs"].as_array() else { return false };
    let exists = |output: &Value| output.as_str().is_some_and(|name| names.directory().join(name).is_file());
    if !outputs.iter().all(exists) || names_newer_file(&provenance.config, written) {
        return false;
    }
    let recorded = &summary["input"]["checksum"];
    let recorded =
        format!("{} {}", recorded["kind"].as_str().unwrap_or_default(), recorded["value"].as_str().unwrap_or_default());
    content_checksum(input, hdus).is_ok_and(|checksum| checksum == recorded)
}

/// The configuration without the list of extensions: which others are analysed says nothing about this one.
fn without_extensions(config: &Value) -> Value {
    let mut config = config.clone();
    if let Some(image) = config["input"]["image"].as_object_mut() {
        image.remove("extensions");
    }
    config
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|m| m.modified()).ok()
}

/// Whether a text of the configuration is the name of a file (mask, baseline, CSV) that was changed since.
fn names_newer_file(config: &Value, written: SystemTime) -> bool {
    match config {
        Value::String(text) => {
            let path = Path::new(text);
            path.is_file() && modified(path).is_none_or(|t| t > written)
        }
        Value::Array(values) => values.iter().any(|v| names_newer_file(v, written)),
        Value::Object(values) => values.values().any(|v| names_newer_file(v, written)),
        _ => false,
    }
}
