//! Figures of `trend`.

use super::points::microseconds;
use super::{DAY, Fitted, Horizontal, Parameters, Quantity, Series, TrendArgs, mean_and_scatter, unit_over};
use crate::plot::{Axis, Colour, Figure, Guide, Histogram, Line, Note, Panel, Points};
use crate::stats::distributions::gaussian;
use crate::stats::histogram::{self, BinRule};
use crate::stats::robust::min_max;

/// Unit of the horizontal axis in a fit.
pub fn per_unit(horizontal: &Horizontal) -> &str {
    match horizontal {
        Horizontal::Time | Horizontal::Exposure => "day",
        Horizontal::Image => "image",
        Horizontal::Key(key) => key,
    }
}

fn vertical_label(args: &TrendArgs, quantity: &Quantity) -> String {
    let unit = quantity.unit(args).replace("e-", "e⁻");
    let what = match quantity {
        Quantity::Card { key, .. } => key.clone(),
        Quantity::DarkCurrent => "dark current".into(),
        Quantity::Rate => "single-electron rate".into(),
        Quantity::Noise => "trimmed standard deviation / (sf·SSAMP)".into(),
    };
    if unit.is_empty() { what } else { format!("{what} [{unit}]") }
}

/// Values against time, with the fits.
pub fn trend(
    args: &TrendArgs,
    parameters: &Parameters,
    quantity: &Quantity,
    series: &[Series],
    fits: &[Option<Fitted>],
    name: &str,
) -> Figure {
    let mut x = match &parameters.horizontal {
        Horizontal::Time => Axis::new("time (UTC)").time(),
        Horizontal::Image => Axis::new("image").integer(),
        Horizontal::Exposure => Axis::new("exposure and half of the readout, summed [days]"),
        Horizontal::Key(key) if microseconds(quantity, key) => Axis::new(format!("{key} [µs]")),
        Horizontal::Key(key) => Axis::new(key.clone()),
    };
    let at: Vec<f64> = series.iter().flat_map(|s| &s.points).map(|p| p.x).collect();
    if let (Horizontal::Time, Some((lo, hi))) = (&parameters.horizontal, min_max(&at))
        && hi - lo < 1.0
    {
        // a single moment: the day around it
        x = x.range(lo - 0.5 * DAY, hi + 0.5 * DAY);
    }
    if let Some([lo, hi]) = args.xlim.as_deref() {
        let first = series.iter().flat_map(|s| &s.points).map(|p| p.x).fold(f64::INFINITY, f64::min);
        let place = |v: f64| if parameters.horizontal == Horizontal::Time { first + v * DAY } else { v };
        x = x.range(place(*lo), place(*hi));
    }
    let mut y = Axis::new(vertical_label(args, quantity));
    if let Some([lo, hi]) = args.ylim.as_deref() {
        y = y.range(*lo, *hi);
    }
    let mut panel = Panel::new().x_axis(x).y_axis(y).with_grid();
    for (k, (one, fitted)) in series.iter().zip(fits).enumerate() {
        let column = |f: fn(&super::Point) -> f64| one.points.iter().map(f).collect::<Vec<f64>>();
        let colour = Colour::series(k);
        let points =
            Points::new(column(|p| p.x), column(|p| p.y)).y_errors(column(|p| p.error)).filled(colour).size(4.0);
        panel = panel.points(points.label(one.label(quantity)));
        if let Some(found) = fitted {
            let (lo, hi) = min_max(&column(|p| p.x)).unwrap_or((0.0, 1.0));
            let curve = |x: f64| found.fit.at((x - found.zero) / found.scale);
            panel = panel.line(Line::function(lo, hi, 200, curve).colour(colour).dashed());
            let mut note =
                Note::fit_results().line(format!("{}, pol{}", one.label(quantity), found.fit.coefficients.len() - 1));
            for (i, c) in found.fit.coefficients.iter().enumerate() {
                let unit = unit_over(quantity.unit(args), per_unit(&parameters.horizontal), i).replace("e-", "e⁻");
                let unit = match unit.strip_prefix('/') {
                    Some(per) => format!(" [1/{per}]"),
                    None if unit.is_empty() => unit,
                    None => format!(" [{unit}]"),
                };
                note = note.value(format!("p_{{{i}}}{unit}"), *c, found.fit.error(i));
            }
            if !found.scattered {
                note = note.chi2(found.fit.chi2, usize::try_from(found.fit.ndf).unwrap_or(0));
            }
            panel = panel.note(note.size(8.0));
        }
    }
    let images = series.iter().map(|s| s.points.len()).max().unwrap_or(0);
    let plural = if images == 1 { "" } else { "s" };
    let against_key = *quantity == Quantity::Noise && matches!(parameters.horizontal, Horizontal::Key(_));
    Figure::new(if against_key { name.to_owned() } else { format!("{name}_TIMESTAMP") })
        .title(format!("{} of {images} image{plural}", quantity.name()))
        .size(10.0, 5.0)
        .panel(panel)
}

/// Distribution of the values (bins after Freedman and Diaconis) with the Gaussian of their mean and standard deviation.
pub fn distribution(args: &TrendArgs, quantity: &Quantity, series: &[Series], name: &str) -> Figure {
    let mut panel = Panel::new().x(vertical_label(args, quantity)).y("images");
    let all: Vec<f64> = series.iter().flat_map(|s| s.points.iter().map(|p| p.y)).collect();
    let (lo, hi) = min_max(&all).unwrap_or((0.0, 1.0));
    let margin = if hi > lo { 0.05 * (hi - lo) } else { 0.5 * lo.abs().max(1.0) };
    let (lo, hi) = (lo - margin, hi + margin);
    let bins = BinRule::Freedman.bins(&all).clamp(5, 200);
    panel = panel.x_range(lo - 2.0 * margin, hi + 2.0 * margin);
    for (k, one) in series.iter().enumerate() {
        let values: Vec<f64> = one.points.iter().map(|p| p.y).collect();
        let Ok(counts) = histogram::Histogram::window(&values, lo, hi, bins) else { continue };
        let colour = Colour::series(k);
        let drawn = Histogram::uniform(lo, hi, counts.contents()).poisson_errors().colour(colour);
        panel = panel.histogram(drawn.label(one.label(quantity)));
        let (mean, std) = mean_and_scatter(&values);
        if std > 0.0 {
            let area = values.len() as f64 * counts.width();
            panel = panel
                .line(
                    Line::function(lo - 2.0 * margin, hi + 2.0 * margin, 300, |x| area * gaussian(x, mean, std))
                        .colour(colour)
                        .dashed(),
                )
                .guide(Guide::vertical(mean).colour(colour).dotted());
            let n = values.len() as f64;
            panel = panel.note(
                Note::fit_results()
                    .line(one.label(quantity))
                    .value("mean", mean, std / n.sqrt())
                    .value("standard deviation", std, std / (2.0 * (n - 1.0).max(1.0)).sqrt())
                    .size(8.0),
            );
        }
    }
    Figure::new(format!("{name}_distribution"))
        .title(format!("Distribution of {}", quantity.name()))
        .title(format!("{} images within {:.2} days", all.len(), span(series)))
        .size(7.0, 5.0)
        .panel(panel)
}

/// Days from the first to the last image.
fn span(series: &[Series]) -> f64 {
    let times: Vec<f64> = series.iter().flat_map(|s| s.points.iter().map(|p| p.time)).collect();
    min_max(&times).map_or(0.0, |(lo, hi)| (hi - lo) / DAY)
}
