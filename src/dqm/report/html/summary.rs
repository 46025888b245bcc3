//! The summary inside the page, for scripts that read reports.

use std::io::{self, Write};

use super::super::escape;
use crate::dqm::model::{Entry, MonitorElement, RunEntry, Summary, Values};

/// Summaries with more numbers than this (about 8 MB of text) stand in the page without the arrays of single images;
/// a page that a phone can open is worth more, and the whole summary lies beside it.
const MOST_NUMBERS: usize = 400_000;

/// Writes the summary as JSON into a `<script>` element that no browser runs. The counts behind the mask are left out.
pub fn embed(out: &mut dyn Write, summary: &Summary) -> io::Result<()> {
    let reduced = numbers(summary) > MOST_NUMBERS;
    let json = serde_json::to_string(&without_weight(summary, reduced)).map_err(io::Error::other)?;
    writeln!(
        out,
        "<script type=\"application/json\" id=\"summary\" data-arrays=\"{}\">{}</script>",
        if reduced { "reduced" } else { "all" },
        escape::script_json(&json)
    )
}

fn numbers(summary: &Summary) -> usize {
    let of = |e: &Entry| {
        let vectors: usize = [&e.x, &e.y, &e.xerr, &e.yerr, &e.yfit, &e.goodness].iter().map(|v| v.len()).sum();
        vectors + e.histogram.as_ref().map_or(0, |h| h.counts.len() / 4)
    };
    summary.mes.values().flat_map(|me| &me.entries).map(of).sum()
}

/// A copy without the counts of the mask and, if `reduced`, without the arrays of the images. Medians of the run stay.
fn without_weight(summary: &Summary, reduced: bool) -> Summary {
    let entry = |e: &Entry| {
        if !reduced {
            return e.clone();
        }
        Entry {
            image: e.image,
            file: e.file.clone(),
            ccd: e.ccd,
            amplifier: e.amplifier.clone(),
            row_offset: e.row_offset,
            y: e.y.scalar().map_or(Values::Nothing, Values::One),
            yerr: e.yerr.scalar().map_or(Values::Nothing, Values::One),
            fit: e.fit,
            tests: e.tests.clone(),
            status: e.status,
            reason: e.reason.clone(),
            plot: e.plot.clone(),
            ..Entry::default()
        }
    };
    let element = |me: &MonitorElement| MonitorElement {
        id: me.id,
        scope: me.scope,
        title: me.title.clone(),
        caption: me.caption.clone(),
        xlabel: me.xlabel.clone(),
        ylabel: me.ylabel.clone(),
        unit: me.unit.clone(),
        aliases: me.aliases.clone(),
        plots: me.plots.clone(),
        status: me.status,
        entries: me.entries.iter().map(entry).collect(),
        run: me.run.iter().map(RunEntry::clone).collect(),
    };
    Summary {
        schema: summary.schema.clone(),
        version: summary.version,
        tool: summary.tool.clone(),
        run: summary.run.clone(),
        dc: summary.dc.clone(),
        images: summary.images.clone(),
        mes: summary.mes.iter().map(|(name, me)| (name.clone(), element(me))).collect(),
        outliers: Vec::new(),
    }
}
