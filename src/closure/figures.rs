//! Pull plots: an overview of means and widths, and the distribution of the pulls of every row of the table.

use super::pull::TOLERANCE;
use super::{Entry, StudyResult, Verdict};
use crate::plot::{Anchor, Axis, Band, Colour, Figure, Guide, Histogram, Line, Marker, Note, Panel, Points, Shape};
use crate::stats::distributions::normal_density;

/// Panels of a page of distributions.
const COLUMNS: usize = 4;
const ROWS: usize = 5;
/// Range and bins of the distributions.
const REACH: f64 = 5.0;
const BINS: usize = 40;
/// Height of a row of the overview, and of what is around it, inches.
const LINE: f64 = 0.2;
const FRAME: f64 = 1.3;

fn colour(verdict: Verdict) -> Colour {
    match verdict {
        Verdict::Closes => Colour::BLUE,
        Verdict::ByDesign => Colour::ORANGE,
        Verdict::Fails => Colour::RED,
    }
}

/// Means (in their standard errors) and widths of all pulls of a study.
pub fn overview(study: &StudyResult) -> Figure {
    let entries: Vec<(String, &Entry)> =
        study.entries().map(|(label, entry)| (format!("{}: {label}", entry.quantity.name), entry)).collect();
    let n = entries.len();
    // the first row of the table on top
    let place = |i: usize| (n - i) as f64;
    let ticks: Vec<(f64, String)> =
        entries.iter().enumerate().map(|(i, (label, _))| (place(i), label.clone())).collect();
    let y = || Axis::new("").range(0.3, n as f64 + 0.7);
    let band = |centre: f64, half: f64| {
        Band::new([centre - half, centre + half], [0.3, 0.3], [n as f64 + 0.7, n as f64 + 0.7])
            .colour(Colour::PALE_BLUE.with_alpha(0.35))
    };
    let series = |verdict: Verdict, value: fn(&Entry) -> (f64, f64), label: Option<&str>| {
        let chosen: Vec<(f64, (f64, f64))> = entries
            .iter()
            .enumerate()
            .filter(|(_, (_, e))| e.verdict() == verdict)
            .map(|(i, (_, e))| (place(i), value(e)))
            .collect();
        let points = Points::new(chosen.iter().map(|c| c.1.0), chosen.iter().map(|c| c.0))
            .x_errors(chosen.iter().map(|c| c.1.1))
            .marker(Marker::filled(Shape::Circle, colour(verdict)).size(4.0));
        (!chosen.is_empty()).then(|| match label {
            Some(label) => points.label(label),
            None => points,
        })
    };
    let mean = |e: &Entry| {
        let s = e.summary();
        (s.mean / s.mean_error(), 1.0)
    };
    let width = |e: &Entry| {
        let s = e.summary();
        (s.width, s.width_error)
    };
    // the whole tolerance is in view
    let means: Vec<f64> = entries.iter().map(|(_, e)| mean(e).0).filter(|x| x.is_finite()).collect();
    let lowest = means.iter().copied().fold(-TOLERANCE - 0.5, |a, x| a.min(x - 1.5));
    let highest = means.iter().copied().fold(TOLERANCE + 0.5, |a, x| a.max(x + 1.5));
    let mut left = Panel::new()
        .x("mean pull × √n")
        .x_range(lowest, highest)
        .y_axis(y().ticks(ticks))
        .band(band(0.0, TOLERANCE))
        .guide(Guide::vertical(0.0).colour(Colour::GREY));
    let mut right = Panel::new()
        .x("width of the pulls")
        .y_axis(y().ticks((1..=n).map(|i| (i as f64, ""))))
        .guide(Guide::vertical(1.0).colour(Colour::GREY));
    for verdict in [Verdict::Closes, Verdict::ByDesign, Verdict::Fails] {
        left = series(verdict, mean, None).map_or(left.clone(), |points| left.points(points));
        right = series(verdict, width, Some(verdict.word())).map_or(right.clone(), |points| right.points(points));
    }
    Figure::new(format!("closure_{}_overview", study.name))
        .title(study.title)
        .grid(1, 2)
        .size(12.0, LINE * n as f64 + FRAME)
        .panel(left.at(0, 0))
        .panel(right.at(0, 1))
}

/// Distributions of the pulls against the unit Gaussian, several figures if there are many.
pub fn distributions(study: &StudyResult) -> Vec<Figure> {
    let entries: Vec<(&str, &Entry)> = study.entries().collect();
    entries
        .chunks(COLUMNS * ROWS)
        .enumerate()
        .map(|(page, entries)| {
            let rows = entries.len().div_ceil(COLUMNS);
            let mut figure = Figure::new(format!("closure_{}_pulls_{}", study.name, page + 1))
                .title(study.title)
                .grid(rows, COLUMNS)
                .size(14.0, 2.5 * rows as f64 + 0.5);
            for (i, (label, entry)) in entries.iter().enumerate() {
                figure = figure.panel(distribution(label, entry).at(i / COLUMNS, i % COLUMNS));
            }
            figure
        })
        .collect()
}

fn distribution(label: &str, entry: &Entry) -> Panel {
    let s = entry.summary();
    let bin = 2.0 * REACH / BINS as f64;
    let mut counts = vec![0.0; BINS];
    for pull in entry.pulls.values() {
        // what lies outside is shown in the last bins
        let place = ((pull + REACH) / bin).floor().clamp(0.0, BINS as f64 - 1.0);
        counts[place as usize] += 1.0;
    }
    let scale = s.n as f64 * bin;
    let top = counts.iter().fold(scale * normal_density(0.0), |a: f64, b| a.max(*b));
    Panel::new()
        .title(entry.quantity.name)
        .x("pull")
        .x_range(-REACH, REACH)
        .y_range(0.0, 1.6 * top)
        .histogram(Histogram::uniform(-REACH, REACH, counts).colour(colour(entry.verdict())))
        .line(Line::function(-REACH, REACH, 200, move |x| scale * normal_density(x)).colour(Colour::BLACK).width(1.0))
        .note(
            Note::new(
                Anchor::TopLeft,
                [
                    label.to_owned(),
                    format!("{} pulls, mean {:+.3} ± {:.3}", s.n, s.mean, s.mean_error()),
                    format!("width {:.3} ± {:.3}", s.width, s.width_error),
                ],
            )
            .size(7.5),
        )
}
