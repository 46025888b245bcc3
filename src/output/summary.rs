//! The summary of an item: every measured number, machine-readable (spec 01 §6.9).

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::image::RawData;
use crate::process::Measurement;

/// Name and version of the format.
pub const SCHEMA: (&str, u32) = ("panaskimg-summary", 1);

/// The summary as JSON. `outputs` are file names in the output directory, `config` the merged configuration,
/// `options` what the command line says beside it ([`crate::config::RunOptions::to_json`]).
pub fn summary(
    raw: &RawData,
    config: &Value,
    options: &Value,
    outputs: &[String],
    timings: &[(String, Duration)],
) -> Value {
    let file = raw.source.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let range = |r: &std::ops::Range<usize>| json!([r.start, r.end]);
    let region = |r: &crate::image::Region| json!({"rows": range(&r.rows), "cols": range(&r.cols)});
    let amplifiers: Vec<Value> = raw
        .amplifiers
        .iter()
        .map(|a| {
            json!({
                "name": a.name, "aliases": a.aliases, "hdu": a.hdu, "full": region(&a.full), "active": region(&a.active),
                "prescan": region(&a.prescan), "overscan": region(&a.overscan),
            })
        })
        .collect();
    let timings: Map<String, Value> = timings.iter().map(|(name, t)| (name.clone(), json!(t.as_secs_f64()))).collect();
    let (checksum_kind, checksum) = raw.source.checksum.split_once(' ').unwrap_or(("", &raw.source.checksum));
    json!({
        "schema": SCHEMA.0,
        "version": SCHEMA.1,
        "tool": super::images::TOOL,
        "input": {
            "file": file, "bytes": raw.source.bytes, "checksum": {"kind": checksum_kind, "value": checksum},
            "sha256": (checksum_kind == "SHA-256").then_some(checksum), "hdus": raw.source.hdus,
        },
        "run": raw.numbers.run,
        "image": raw.numbers.image,
        "ccd": raw.numbers.ccd,
        "config": config,
        "options": options,
        "chain": raw.chain,
        "geometry": {
            "rows": raw.rows, "cols": raw.cols, "skips": raw.nskips, "ndcm": raw.ndcm,
            "row_binning": raw.row_binning, "col_binning": raw.col_binning, "amplifiers": amplifiers,
        },
        "times": {
            "exposure_start": number(raw.times.exposure_start), "readout_start": number(raw.times.readout_start),
            "readout_end": number(raw.times.readout_end), "exposure_s": number(raw.times.exposure),
            "readout_s": number(raw.times.readout), "total_s": number(raw.times.total()),
        },
        "measurements": raw.report.measurements.iter().map(measurement).collect::<Vec<_>>(),
        "outputs": outputs,
        "warnings": raw.report.warnings().map(|w| if w.process.is_empty() { w.text.clone() }
            else { format!("{}: {}", w.process, w.text) }).collect::<Vec<_>>(),
        "timings_s": timings,
    })
}

fn measurement(m: &Measurement) -> Value {
    let value = if m.integral && m.value.is_finite() { json!(m.value as i64) } else { number(m.value) };
    json!({
        "name": m.name, "value": value, "error": m.error.map(number), "unit": m.unit, "amplifier": m.amplifier,
        "process": m.process,
    })
}

/// A number, or null if it is not finite.
fn number(x: f64) -> Value {
    serde_json::Number::from_f64(x).map_or(Value::Null, Value::Number)
}

/// The headline numbers of one amplifier of an item, for the table at the end of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Headlines {
    /// File and HDU.
    pub label: String,
    /// Amplifier; empty for numbers of the whole image.
    pub amplifier: String,
    /// Column heading and text, in the order of execution.
    pub cells: Vec<(String, String)>,
}

/// The headline numbers of an image, one entry per amplifier.
pub fn headlines(raw: &RawData) -> Vec<Headlines> {
    let mut rows: Vec<Headlines> = Vec::new();
    for m in &raw.report.measurements {
        let Some(heading) = &m.headline else { continue };
        let amplifier = m.amplifier.clone().unwrap_or_default();
        let text = match m.error {
            _ if !m.value.is_finite() => "-".to_owned(),
            Some(error) if error.is_finite() && error > 0.0 => crate::plot::value_with_error(m.value, error),
            _ if m.integral => (m.value as i64).to_string(),
            _ => crate::plot::value_with_error(m.value, f64::NAN),
        };
        let heading = if m.unit.is_empty() { heading.clone() } else { format!("{heading} [{}]", m.unit) };
        match rows.iter_mut().find(|r| r.amplifier == amplifier) {
            Some(row) => row.cells.push((heading, text)),
            None => rows.push(Headlines { label: raw.source.label.clone(), amplifier, cells: vec![(heading, text)] }),
        }
    }
    rows
}

/// The table of headline numbers as text lines, aligned; empty without numbers.
pub fn table(rows: &[Headlines]) -> Vec<String> {
    let mut headings: Vec<&str> = Vec::new();
    for (heading, _) in rows.iter().flat_map(|r| &r.cells) {
        if !headings.contains(&heading.as_str()) {
            headings.push(heading);
        }
    }
    if headings.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![vec!["image", "amplifier"]];
    lines[0].extend(&headings);
    for row in rows {
        let mut line = vec![row.label.as_str(), row.amplifier.as_str()];
        line.extend(
            headings.iter().map(|h| row.cells.iter().rev().find(|(name, _)| name == h).map_or("", |(_, text)| text)),
        );
        lines.push(line);
    }
    let widths: Vec<usize> =
        (0..lines[0].len()).map(|c| lines.iter().map(|l| l[c].chars().count()).max().unwrap_or(0)).collect();
    lines
        .iter()
        .map(|line| {
            let cells: Vec<String> = line
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count())))
                .collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn numbers_that_are_not_finite_become_null_and_integers_stay_integers() {
        let mut raw = RawData::from_image("mean_compressed", Array2::zeros((2, 3)));
        raw.report.enter(0, "FitDarkCurrentProcess", Some("EXT1"));
        raw.report.measure(Measurement::new("gain", 1.35, "ADU/e-").error(f64::NAN));
        raw.report.measure(Measurement::integer("status", 2));
        raw.source.checksum = "SHA-256 abc".into();
        let value = summary(&raw, &json!({}), &json!({}), &["a.fits".into()], &[]);
        assert_eq!(value["measurements"][0]["error"], Value::Null);
        assert_eq!(value["measurements"][0]["amplifier"], "EXT1");
        assert_eq!(value["measurements"][1]["value"], json!(2));
        assert_eq!(value["input"]["sha256"], "abc");
        assert_eq!(value["geometry"]["rows"], 2);
        assert_eq!(value["times"]["readout_s"], Value::Null);
    }

    #[test]
    fn the_table_has_one_row_per_amplifier_and_one_column_per_headline() {
        let mut raw = RawData::from_image("mean_compressed", Array2::zeros((2, 3)));
        raw.source.label = "a.fits[0]".into();
        for amplifier in ["U", "L"] {
            raw.report.enter(0, "FitDarkCurrentProcess", Some(amplifier));
            raw.report.measure(Measurement::new("gain", 1.353_821, "ADU/e-").error(0.0012).headline("gain"));
        }
        raw.report.measure(Measurement::integer("clusters", 12).headline("clusters"));
        raw.report.measure(Measurement::new("noise", f64::NAN, "e-").headline("noise"));
        assert_eq!(
            table(&headlines(&raw)),
            [
                "image      amplifier  gain [ADU/e-]    clusters  noise [e-]",
                "a.fits[0]  U          1.3538 ± 0.0012",
                "a.fits[0]  L          1.3538 ± 0.0012  12        -",
            ]
        );
        assert!(table(&[]).is_empty());
    }
}
