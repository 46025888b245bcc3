//! Histograms of all images of a run, and counts per column as stacked bars.

use super::run::titled;
use super::run_scatter::{Theirs, figure_name};
use super::{style, wide};
use crate::dqm::elements::label_order;
use crate::dqm::model::{Entry, HistogramCounts, MonitorElement, Summary};
use crate::dqm::quality::short;
use crate::plot::{Anchor, Colour, Figure, Guide, Histogram, Legend, Note, Panel, Stroke};

/// Most bins of a curve: more cannot be seen.
const MOST_BINS: usize = 1000;
/// Most curves with a legend entry of their own.
const MOST_LABELS: usize = 10;

/// Bins merged so that at most [`MOST_BINS`] of a histogram's range are left.
fn rebinned(h: &HistogramCounts) -> (Vec<f64>, Vec<f64>) {
    let group = h.counts.len().div_ceil(MOST_BINS).max(1);
    let counts: Vec<f64> = h.counts.chunks(group).map(|c| c.iter().map(|n| f64::from(*n)).sum()).collect();
    let width = group as f64 * h.width;
    let edges = (0..=counts.len()).map(|k| h.first_edge + k as f64 * width).collect();
    (edges, counts)
}

/// Step outlines, one per image and amplifier, logarithmic counts.
pub(super) fn outlines(me: &MonitorElement, theirs: Theirs<'_>, summary: &Summary, stacked: bool) -> Option<Figure> {
    let entries: Vec<&Entry> = me.entries.iter().filter(|e| e.histogram.is_some()).collect();
    if entries.is_empty() {
        return None;
    }
    let mut names: Vec<&str> = entries.iter().map(|e| e.amplifier.as_str()).collect();
    names.sort_by(|a, b| label_order(a, b));
    names.dedup();
    let each = entries.len() <= MOST_LABELS;
    let mut panel = Panel::new().x(me.xlabel.clone()).y(me.ylabel.clone()).log_y().legend(Legend::outside());
    if let Some((run, reference)) = theirs {
        let mut labelled = false;
        for h in reference.entries.iter().filter_map(|e| e.histogram.as_ref()) {
            let (edges, counts) = rebinned(h);
            let stroke = Stroke::new(Colour::REFERENCE.with_alpha(0.5)).width(0.5);
            let curve = Histogram::new(edges, counts).stroke(stroke);
            panel = panel.histogram(if labelled { curve } else { curve.label(format!("ref run {run}")) });
            labelled = true;
        }
    }
    let mut base: Option<(f64, Vec<f64>)> = None;
    for (k, entry) in entries.iter().enumerate() {
        let Some(h) = &entry.histogram else { continue };
        let index = names.iter().position(|n| *n == entry.amplifier).unwrap_or(0);
        let (edges, counts) = rebinned(h);
        let colour = if each { Colour::series(k) } else { style::colour(&entry.amplifier, index) };
        let alpha = if each { 0.95 } else { 0.45 };
        let stroke = Stroke::new(colour.with_alpha(alpha)).width(if each { 0.9 } else { 0.5 });
        let mut curve = Histogram::new(edges.clone(), counts.clone()).stroke(stroke);
        if stacked {
            curve.base =
                base.as_ref().filter(|(low, b)| *low == edges[0] && b.len() == counts.len()).map(|b| b.1.clone());
            let sum: Vec<f64> = match &curve.base {
                Some(b) => b.iter().zip(&counts).map(|(b, n)| b + n).collect(),
                None => counts.clone(),
            };
            base = Some((edges[0], sum));
        }
        let first = entries.iter().position(|e| e.amplifier == entry.amplifier) == Some(k);
        if each {
            curve = curve.label(format!("{},{},{}", entry.image, entry.ccd, entry.amplifier));
        } else if first {
            let images = entries.iter().filter(|e| e.amplifier == entry.amplifier).count();
            curve = curve.label(format!("amp {}, {images} images", entry.amplifier));
        }
        panel = panel.histogram(curve);
    }
    if me.id == 43 {
        for electrons in 0..4 {
            panel = panel.guide(Guide::vertical(f64::from(electrons)).dotted());
        }
    }
    panel = panel.note(Note::new(Anchor::TopRight, gains(summary, &names)).grey());
    Some(titled(wide(&figure_name(me)), me).panel(panel))
}

/// The gains used, one line per amplifier.
fn gains(summary: &Summary, names: &[&str]) -> Vec<String> {
    names
        .iter()
        .filter_map(|name| {
            let used: Vec<f64> = summary.images.iter().filter_map(|i| i.gains.get(*name)).map(|g| g.value).collect();
            let (low, high) = crate::stats::robust::min_max(&used)?;
            Some(if low == high {
                format!("gain {name}: {} ADU/e⁻", short(low))
            } else {
                format!("gain {name}: {}…{} ADU/e⁻", short(low), short(high))
            })
        })
        .collect()
}

/// Mean counts over the images per column, bars stacked by amplifier.
pub(super) fn stacked_counts(me: &MonitorElement) -> Option<Figure> {
    let runs: Vec<_> = me.run.iter().filter(|r| !r.mean.is_empty()).collect();
    let longest = runs.iter().map(|r| r.mean.len()).max().filter(|n| *n > 0)?;
    let mut panel = Panel::new().x(me.xlabel.clone()).y("mean number of pixels per image").legend(Legend::outside());
    let mut base = vec![0.0; longest];
    for (index, run) in runs.iter().enumerate() {
        let mut counts: Vec<f64> = run.mean.as_slice().iter().map(|y| if y.is_finite() { *y } else { 0.0 }).collect();
        counts.resize(longest, 0.0);
        let mut bars = Histogram::uniform(0.5, longest as f64 + 0.5, &counts);
        bars.base = Some(base.clone());
        bars.stroke = None;
        bars.fill = Some(style::colour(&run.amplifier, index).with_alpha(0.85));
        base.iter_mut().zip(&counts).for_each(|(b, n)| *b += n);
        panel = panel.histogram(bars.label(format!("amp {}", run.amplifier)));
    }
    let highest = base.iter().fold(0.0f64, |a, b| a.max(*b));
    panel = panel.y_range(0.0, if highest > 0.0 { 1.08 * highest } else { 1.0 });
    if highest == 0.0 {
        panel = panel.note(Note::new(Anchor::Top, ["no such pixel in any image"]).grey());
    }
    Some(titled(wide(&figure_name(me)), me).panel(panel))
}
