//! Scatter plots of all images, medians over the images, numbers against image number.

use super::run::titled;
use super::{style, wide};
use crate::dqm::catalogue::{self, Scope};
use crate::dqm::model::{Entry, Flag, LineFit, MonitorElement, RunEntry};
use crate::plot::{
    Band, Colour, Figure, Guide, Legend, LegendPlace, Line, Marker, Panel, Points, Shape, Stroke, value_with_error,
};
use crate::stats::robust;

/// Number and monitor element of the reference run.
pub(super) type Theirs<'a> = Option<(i64, &'a MonitorElement)>;

/// Amplifiers of both runs in the order of their labels, with an index for those that are neither L nor U.
fn amplifiers(me: &MonitorElement) -> Vec<(String, usize)> {
    let mut names: Vec<String> = me.entries.iter().filter(|e| e.is_available()).map(|e| e.amplifier.clone()).collect();
    names.sort_by(|a, b| crate::dqm::elements::label_order(a, b));
    names.dedup();
    names.into_iter().enumerate().map(|(k, n)| (n, k)).collect()
}

/// The values of all images of an amplifier as one series.
fn joined(me: &MonitorElement, amplifier: &str) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let (mut x, mut y, mut e) = (Vec::new(), Vec::new(), Vec::new());
    for entry in me.of_amplifier(amplifier) {
        let (xs, ys, es) = (entry.x.as_slice(), entry.y.as_slice(), entry.yerr.as_slice());
        x.extend_from_slice(xs);
        y.extend_from_slice(ys);
        e.extend((0..ys.len()).map(|k| es.get(k).copied().unwrap_or(f64::NAN)));
    }
    (x, y, e)
}

fn axes(panel: Panel, me: &MonitorElement) -> Panel {
    let panel = panel.x(me.xlabel.clone()).y(me.ylabel.clone());
    if me.id == 3 { panel.log_x().log_y() } else { panel }
}

/// All images and amplifiers.
pub(super) fn all_images(me: &MonitorElement, theirs: Theirs<'_>, with_errors: bool) -> Option<Figure> {
    let amplifiers = amplifiers(me);
    if amplifiers.is_empty() {
        return None;
    }
    let mut panel = axes(Panel::new().legend(Legend::outside()), me);
    let mut inset = Panel::new();
    let mut all = Vec::new();
    if let Some((run, reference)) = theirs {
        for (k, (name, index)) in amplifiers.iter().enumerate() {
            let (x, y, _) = joined(reference, name);
            let mut points = Points::new(&x, &y).marker(style::reference(style::marker(name, *index)));
            inset = inset.points(points.clone());
            if k == 0 {
                points = points.label(format!("ref run {run}"));
            }
            panel = panel.points(points);
        }
    }
    for (name, index) in &amplifiers {
        let (x, y, e) = joined(me, name);
        all.extend(y.iter().copied().filter(|y| y.is_finite()));
        let mut points = Points::new(&x, &y).marker(style::marker(name, *index));
        inset = inset.points(points.clone());
        if with_errors {
            points = points.y_errors(&e);
        }
        panel = panel.points(points.label(format!("amp {name}")));
    }
    if let Some((low, high)) = crowded(&all)
        && me.id != 3
    {
        let frame = inset.y_range(low, high).legend(Legend::hidden());
        panel = panel.inset(0.12, 0.5, 0.65, 0.35, frame);
    }
    Some(titled(wide(&figure_name(me)), me).panel(panel))
}

/// Where most values are, if some lie so far outside that the others cannot be seen: percentiles 1 and 99 (spec 06 §5.4),
/// or three interquartile ranges around the quartiles when one image of a short run, which is more than 1 %, lies there.
fn crowded(values: &[f64]) -> Option<(f64, f64)> {
    let (low, high) = robust::min_max(values)?;
    let [p1, q1, q3, p99] = robust::percentiles(values, [1.0, 25.0, 75.0, 99.0]);
    let beyond = |from: f64, to: f64, width: f64| width > 0.0 && (high > to + width || low < from - width);
    if beyond(p1, p99, 4.0 * (p99 - p1)) {
        return Some((p1, p99));
    }
    let range = q3 - q1;
    beyond(q1, q3, 8.0 * range).then_some(((q1 - 3.0 * range).max(low), (q3 + 3.0 * range).min(high)))
}

/// Name of the figure: that of its file.
pub(super) fn figure_name(me: &MonitorElement) -> String {
    catalogue::by_id(me.id).map_or_else(|| me.title.clone(), catalogue::Description::file_stem)
}

/// Medians over the images with quartiles, fit and reference; one panel per amplifier.
pub(super) fn medians(me: &MonitorElement) -> Option<Figure> {
    let runs: Vec<&RunEntry> = me.run.iter().filter(|r| !r.median.is_empty()).collect();
    if runs.is_empty() {
        return None;
    }
    let several_ccds = runs.iter().any(|r| r.ccd != runs[0].ccd);
    let mut figure = titled(wide(&format!("{}_median", figure_name(me))), me);
    figure.grid.cols = if runs.len() <= 3 { runs.len() } else { runs.len().div_ceil(2) };
    for (index, run) in runs.iter().enumerate() {
        let x = run.x.as_slice();
        let name = &run.amplifier;
        let ccd = if several_ccds { format!("CCD {}, ", run.ccd) } else { String::new() };
        let images = if run.n_images == 1 { "1 image".into() } else { format!("{} images", run.n_images) };
        let mut panel = axes(Panel::new(), me).title(format!("{ccd}amp {name}, {images}"));
        panel = panel.band(
            Band::new(x, run.p25.as_slice(), run.p75.as_slice())
                .colour(Colour::hex(0x45afed).with_alpha(0.45))
                .label("25–75 %"),
        );
        if let Some(reference) = &run.reference {
            let (rx, ry) = (reference.x.as_slice(), reference.median.as_slice());
            let stroke = Stroke::new(Colour::REFERENCE.with_alpha(0.8)).width(0.9);
            panel = panel.line(Line::new(rx, ry).stroke(stroke).label(format!("ref run {} median", reference.run)));
            if let Some(fit) = reference.fit {
                let stroke = Stroke::new(Colour::REFERENCE).width(1.6).dashed();
                panel = panel.line(straight(&fit, rx).stroke(stroke).label(fit_label("ref fit", &fit)));
            }
        }
        let marker = style::marker(name, index);
        panel = panel.points(Points::new(x, run.median.as_slice()).marker(marker.size(3.5)).label("median"));
        if let Some(fit) = run.fit {
            panel =
                panel.line(straight(&fit, x).stroke(Stroke::new(style::FIT).width(3.0)).label(fit_label("fit", &fit)));
        }
        if let Some((low, high)) = with_headroom(run) {
            panel = panel.y_range(low, high);
        }
        figure = figure.panel(panel.legend(Legend { columns: 1, ..Legend::default() }));
    }
    Some(figure)
}

/// Range of what is drawn with room above it for the legend, which would lie on the points otherwise.
fn with_headroom(run: &RunEntry) -> Option<(f64, f64)> {
    const LEGEND: f64 = 0.45;
    let theirs = run.reference.as_ref().map(|r| r.median.as_slice()).unwrap_or_default();
    let drawn: Vec<f64> = [run.p25.as_slice(), run.median.as_slice(), run.p75.as_slice(), theirs]
        .concat()
        .into_iter()
        .filter(|y| y.is_finite())
        .collect();
    let (low, high) = robust::min_max(&drawn)?;
    let width = high - low;
    (width > 0.0).then_some((low - 0.05 * width, high + LEGEND * width))
}

fn straight(fit: &LineFit, x: &[f64]) -> Line {
    let ends = robust::min_max(x).map_or(Vec::new(), |(low, high)| vec![low, high]);
    let y: Vec<f64> = ends.iter().map(|x| fit.at(*x)).collect();
    Line::new(ends, y)
}

fn fit_label(what: &str, fit: &LineFit) -> String {
    let (slope, intercept) =
        (value_with_error(fit.slope, fit.slope_err), value_with_error(fit.intercept, fit.intercept_err));
    format!("{what}: slope {slope}, intercept {intercept}")
}

/// One number per image with its error, the median of the run, the allowed range, and rings around what failed.
pub(super) fn numbers(me: &MonitorElement, theirs: Theirs<'_>, ranges: Vec<(f64, f64)>) -> Option<Figure> {
    let amplifiers = amplifiers(me);
    if amplifiers.is_empty() {
        return None;
    }
    let mut panel = Panel::new().x(me.xlabel.clone()).y(me.ylabel.clone()).legend(Legend::outside());
    let dated = matches!(me.id, 32 | 33);
    if let Some(highest) = match me.id {
        111 | 114 => Some(1.0),
        112 => Some(2.0),
        _ => None,
    } {
        // flags: all of them 0 is no reason for an axis from −0.5
        panel = panel.y_range(-0.1, highest + 0.1);
    }
    if !dated && me.scope == Scope::S {
        panel = panel.integer_x();
    }
    let mut worst: Vec<(&Entry, f64)> = Vec::new();
    for (k, (low, high)) in ranges.iter().enumerate() {
        for at in [low, high] {
            if at.is_finite() {
                let guide = Guide::horizontal(*at).colour(style::FAILED.with_alpha(0.7));
                let first = k == 0 && (at == low || !low.is_finite());
                panel = panel.guide(if first { guide.label("allowed range") } else { guide });
            }
        }
    }
    for (name, index) in &amplifiers {
        let entries: Vec<&Entry> = me.of_amplifier(name).filter(|e| e.y.scalar().is_some()).collect();
        let pick = |f: &dyn Fn(&Entry) -> &crate::dqm::model::Values| -> Vec<f64> {
            entries.iter().map(|e| f(e).as_slice().first().copied().unwrap_or(f64::NAN)).collect()
        };
        let x: Vec<f64> = pick(&|e| &e.x);
        // Without a date the image number stands in.
        let x: Vec<f64> =
            x.iter().zip(&entries).map(|(x, e)| if x.is_finite() { *x } else { e.image as f64 }).collect();
        let (y, e) = (pick(&|e| &e.y), pick(&|e| &e.yerr));
        let colour = style::colour(name, *index);
        let median = robust::median(&y.iter().copied().filter(|y| y.is_finite()).collect::<Vec<_>>());
        if median.is_finite() {
            panel = panel
                .guide(Guide::horizontal(median).colour(colour.with_alpha(0.8)).label(format!("amp {name} median")));
        }
        if let Some((run, reference)) = theirs {
            let values: Vec<f64> = reference.of_amplifier(name).filter_map(|e| e.y.scalar()).collect();
            let median = robust::median(&values.iter().copied().filter(|y| y.is_finite()).collect::<Vec<_>>());
            if median.is_finite() {
                let dash = if *index % 2 == 0 {
                    Stroke::new(Colour::REFERENCE).width(1.2).dash_dotted()
                } else {
                    Stroke::new(Colour::REFERENCE).width(1.2).dotted()
                };
                panel = panel
                    .guide(Guide::horizontal(median).stroke(dash).label(format!("ref run {run} amp {name} median")));
            }
        }
        worst.extend(entries.iter().zip(&x).filter(|(e, _)| e.status == Flag::Fail).map(|(e, x)| (*e, *x)));
        let marker = style::marker(name, *index);
        let points = Points::new(&x, &y).y_errors(&e).marker(Marker { size: 6.0, ..marker });
        panel = panel.points(points.label(format!("amp {name}")));
    }
    if !worst.is_empty() {
        let ring = Marker { shape: Shape::Circle, size: 12.0, face: None, edge: style::FAILED };
        let ring = Marker { face: Some(Colour::WHITE.with_alpha(0.0)), ..ring };
        let x: Vec<f64> = worst.iter().map(|(_, x)| *x).collect();
        let y: Vec<f64> = worst.iter().map(|(e, _)| e.y.scalar().unwrap_or(f64::NAN)).collect();
        panel = panel.points(Points::new(x, y).marker(ring).label("failed"));
    }
    debug_assert!(panel.legend.place == LegendPlace::Outside);
    Some(titled(wide(&figure_name(me)), me).panel(panel))
}
