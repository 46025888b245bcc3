//! What is said about an image once it is loaded.

use crate::fits::FitsInput;
use crate::image::keywords::Keywords;
use crate::image::report::{Level, Report};
use crate::image::{Amplifier, RawData};

use super::SkipDecision;

/// HDUs and header, for `--verbose`.
pub(super) fn headers(input: &FitsInput, keywords: &Keywords, report: &mut Report) {
    report.log(Level::Verbose, input.list_hdus());
    for card in keywords.output_header().cards() {
        let text = if card.is_commentary() {
            format!("{} {}", card.keyword, card.comment)
        } else {
            format!("{} = {}", card.keyword, card.value.to_text())
        };
        report.log(Level::Verbose, text);
    }
}

/// Shape, regions, times and numbers.
pub(super) fn image(raw: &mut RawData, decision: SkipDecision) {
    let mut lines = vec![format!("{} rows × {} columns × {} skips; {decision}", raw.rows, raw.cols, raw.nskips)];
    lines.extend(raw.amplifiers.iter().map(amplifier));
    let times = &raw.times;
    lines.push(format!(
        "exposure {} s, readout {}, total {} s",
        microseconds(times.exposure),
        if times.readout.is_finite() { format!("{} s", microseconds(times.readout)) } else { "unknown".into() },
        microseconds(times.total())
    ));
    lines.push(format!("run {}, image {}, ccd {}", raw.numbers.run, raw.numbers.image, raw.numbers.ccd));
    for line in lines {
        raw.report.inform(line);
    }
}

/// A time rounded to microseconds, s.
fn microseconds(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}

fn amplifier(amplifier: &Amplifier) -> String {
    let range = |r: &std::ops::Range<usize>| {
        if r.is_empty() { "none".to_owned() } else { format!("{}:{}", r.start, r.end) }
    };
    format!(
        "amplifier {}: active rows {} columns {}, overscan columns {}, prescan columns {}",
        amplifier.name,
        range(&amplifier.active.rows),
        range(&amplifier.active.cols),
        range(&amplifier.overscan.cols),
        range(&amplifier.prescan.cols)
    )
}
