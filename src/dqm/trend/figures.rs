//! Figures of the trends over runs (spec 06 §16).

use std::collections::BTreeSet;

use super::history::{FitValue, GAIN, LAMBDA, MU0, RunTrend, SIGMA};
use crate::dqm::catalogue::{self, Scope};
use crate::dqm::model::Pair;
use crate::dqm::plots::style;
use crate::plot::{Arrows, Axis, Colour, Figure, Guide, Panel, Points, Strip, Stroke};
use crate::stats::robust;

/// Runs that are shaded, with a label.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// First run.
    pub first: f64,
    /// Last run.
    pub last: f64,
    /// Label; may be empty.
    pub label: String,
}

/// Limits of the y axes of the second figure of the dark-current fit; `None`: around the bulk of the runs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FitRanges {
    /// Gain, ADU/e⁻.
    pub gain: Option<[f64; 2]>,
    /// Dark current, e⁻/pix/day.
    pub lambda: Option<[f64; 2]>,
    /// Resolution, e⁻.
    pub sigma: Option<[f64; 2]>,
    /// Zero-electron peak, e⁻.
    pub mu0: Option<[f64; 2]>,
}

impl FitRanges {
    /// Those of the older script.
    pub const OLDER: Self =
        Self { gain: Some([4.6, 5.5]), lambda: Some([0.05, 1.0]), sigma: Some([0.0, 0.2]), mu0: Some([-0.12, 0.12]) };
}

/// Median ± 6 MAD, with room for the usual error; `None` without points.
fn bulk(points: &[(f64, Pair)]) -> Option<[f64; 2]> {
    let values: Vec<f64> = points.iter().map(|(_, p)| p.value).collect();
    let errors: Vec<f64> = points.iter().map(|(_, p)| p.error).filter(|e| e.is_finite()).collect();
    let (median, mad) = robust::median_and_mad(&values);
    let error = if errors.is_empty() { 0.0 } else { robust::median(&errors) };
    let half = 6.0 * mad + 3.0 * error;
    (half > 0.0 && median.is_finite()).then_some([median - half, median + half])
}

/// Runs × amplifiers in 2×2 panels: gain, dark current, resolution, zero-electron peak. `ranges`: limits of the y axes.
/// `None` if no run has a fit.
pub fn dark_current_fit(runs: &[RunTrend], ranges: Option<FitRanges>, spans: &[Span]) -> Option<Figure> {
    let amplifiers: BTreeSet<&str> = runs.iter().flat_map(|r| r.fits.keys()).map(String::as_str).collect();
    if amplifiers.is_empty() {
        return None;
    }
    // Summaries of older versions do not hold the times of their images.
    let per_day = runs.iter().flat_map(|r| r.fits.values()).any(|f| f.lambda_per_day.value.is_finite());
    let name = if ranges.is_some() { "DCFit_run_evolution_z1" } else { "DCFit_run_evolution_z0" };
    let limits = |id: u16| {
        ranges.and_then(|r| match id {
            GAIN => r.gain,
            LAMBDA => r.lambda,
            SIGMA => r.sigma,
            _ => r.mu0,
        })
    };
    let mut figure = Figure::new(name).pixels(2400, 1600, 200.0).grid(2, 2).title(format!(
        "Dark-current fit, runs {} to {}",
        runs.first().map_or(0, |r| r.run),
        runs.last().map_or(0, |r| r.run)
    ));
    for (id, label) in [
        (GAIN, "gain [ADU/e⁻]"),
        (LAMBDA, if per_day { "dark current λ [e⁻/pix/day]" } else { "dark current λ [e⁻/pix/img]" }),
        (SIGMA, "resolution σ [e⁻]"),
        (MU0, "zero-electron peak μ_{0} [e⁻]"),
    ] {
        let pick = move |fit: &FitValue| match id {
            GAIN => fit.gain,
            LAMBDA if per_day => fit.lambda_per_day,
            LAMBDA => fit.lambda,
            SIGMA => fit.sigma,
            _ => fit.mu0,
        };
        let mut panel = shaded(Panel::new().x_axis(Axis::new("run").integer()).y(label).with_grid(), spans);
        let mut all = Vec::new();
        for (k, amplifier) in amplifiers.iter().enumerate() {
            let of = |r: &RunTrend| r.fits.get(*amplifier).map(|f| (r.run as f64, pick(f)));
            let points: Vec<(f64, Pair)> = runs.iter().filter_map(of).filter(|(_, p)| p.value.is_finite()).collect();
            panel = fitted_points(panel, &points, amplifier, k);
            all.extend(points);
        }
        if ranges.is_some()
            && let Some([low, high]) = limits(id).or_else(|| bulk(&all))
        {
            panel = panel.y_range(low, high);
        }
        figure = figure.panel(panel);
    }
    Some(figure)
}

/// Points with errors of an amplifier and their median. An error much larger than the others would set the scale of the
/// panel: such points are arrows of three median errors, up and down.
pub(super) fn fitted_points(mut panel: Panel, points: &[(f64, Pair)], amplifier: &str, index: usize) -> Panel {
    if points.is_empty() {
        return panel;
    }
    let errors: Vec<f64> = points.iter().map(|(_, p)| p.error).filter(|e| e.is_finite()).collect();
    let (usual, most) = if errors.is_empty() {
        (f64::NAN, f64::INFINITY)
    } else {
        let median = robust::median(&errors);
        (median, median + 3.0 * population_std(&errors))
    };
    // With few runs a single one drives the spread up; ten times the median is never a usual error.
    let is_large = |p: &Pair| p.error > most || p.error > 10.0 * usual;
    let (short, name) = (amplifier.rsplit(' ').next().unwrap_or(amplifier), amplifier);
    let (marker, colour) = (style::marker(short, index), style::colour(short, index));
    let plain = points.iter().filter(|(_, p)| !is_large(p));
    let (x, y): (Vec<f64>, Vec<f64>) = plain.clone().map(|(x, p)| (*x, p.value)).unzip();
    let errors: Vec<f64> = plain.map(|(_, p)| p.error).collect();
    panel = panel.points(Points::new(x, y).y_errors(errors).marker(marker).label(name));
    let large: Vec<&(f64, Pair)> = points.iter().filter(|(_, p)| is_large(p)).collect();
    if !large.is_empty() && usual.is_finite() {
        let ends = large
            .iter()
            .flat_map(|(x, p)| [3.0 * usual, -3.0 * usual].map(|length| ((*x, p.value), (*x, p.value + length))));
        panel = panel.with(Arrows::new(ends).stroke(Stroke::new(colour)));
        let (x, y): (Vec<f64>, Vec<f64>) = large.iter().map(|(x, p)| (*x, p.value)).unzip();
        panel = panel.points(Points::new(x, y).marker(marker));
    }
    let median = robust::median(&points.iter().map(|(_, p)| p.value).collect::<Vec<_>>());
    panel.guide(Guide::horizontal(median).stroke(Stroke::new(colour.with_alpha(0.7)).dashed()))
}

/// Standard deviation, divided by N.
fn population_std(values: &[f64]) -> f64 {
    let mean = robust::mean(values);
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len().max(1) as f64).sqrt()
}

fn shaded(mut panel: Panel, spans: &[Span]) -> Panel {
    for (k, span) in spans.iter().enumerate() {
        let strip = Strip::vertical(span.first - 0.5, span.last + 0.5).colour(Colour::series(k).with_alpha(0.12));
        panel = panel.strip(if span.label.is_empty() { strip } else { strip.label(span.label.clone()) });
    }
    panel
}

/// An element against the run: left quartiles and fitted intercept, right the fitted slope. `None` without values.
pub fn element(runs: &[RunTrend], id: u16, name: &str, spans: &[Span]) -> Option<Figure> {
    let amplifiers: BTreeSet<&str> =
        runs.iter().flat_map(|r| r.values.keys()).filter(|(i, _)| *i == id).map(|(_, a)| a.as_str()).collect();
    if amplifiers.is_empty() {
        return None;
    }
    let (title, unit, scope) = catalogue::by_id(id).map_or((name, "", Scope::S), |d| (d.title, d.unit, d.scope));
    let in_unit = |what: &str, per: &str| {
        let unit = format!("{unit}{per}");
        if unit.is_empty() { what.to_owned() } else { format!("{what} [{unit}]") }
    };
    let per = match scope {
        Scope::R => "/row",
        Scope::C => "/column",
        _ => "/image",
    };
    let axis = || Axis::new("run").integer();
    let mut left = shaded(Panel::new().x_axis(axis()).y(in_unit(title, "")).with_grid(), spans);
    let mut right = shaded(Panel::new().x_axis(axis()).y(in_unit("slope", per)).with_grid(), spans);
    let mut has_slopes = false;
    for (k, amplifier) in amplifiers.iter().enumerate() {
        let short = amplifier.rsplit(' ').next().unwrap_or(amplifier);
        let (marker, colour) = (style::marker(short, k), style::colour(short, k));
        let of = |r: &RunTrend| r.values.get(&(id, (*amplifier).to_owned())).map(|v| (r.run as f64, *v));
        let values: Vec<_> = runs.iter().filter_map(of).collect();
        let xs = || values.iter().map(|(x, _)| *x);
        left = left.points(
            Points::new(xs(), values.iter().map(|(_, v)| v.median))
                .y_errors_asymmetric(
                    values.iter().map(|(_, v)| v.median - v.p25),
                    values.iter().map(|(_, v)| v.p75 - v.median),
                )
                .marker(marker)
                .label(format!("{amplifier}: median, quartiles")),
        );
        let fits: Vec<_> = values.iter().filter_map(|(x, v)| v.fit.map(|f| (*x, f))).collect();
        if fits.is_empty() {
            continue;
        }
        has_slopes = true;
        let xs = || fits.iter().map(|(x, _)| *x);
        // Beside the median, not on it.
        left = left.points(
            Points::new(xs().map(|x| x + 0.2), fits.iter().map(|(_, f)| f.intercept))
                .y_errors(fits.iter().map(|(_, f)| f.intercept_err))
                .marker(crate::plot::Marker { face: None, size: 6.5, ..marker })
                .colour(colour)
                .label(format!("{amplifier}: intercept")),
        );
        right = right.points(
            Points::new(xs(), fits.iter().map(|(_, f)| f.slope))
                .y_errors(fits.iter().map(|(_, f)| f.slope_err))
                .marker(marker)
                .label(*amplifier),
        );
    }
    let figure =
        Figure::new(format!("{name}_run_evolution")).pixels(2400, 900, 200.0).title(format!("{title} [{name}]"));
    Some(if has_slopes {
        figure.grid(1, 2).panel(left).panel(right.guide(Guide::horizontal(0.0)))
    } else {
        figure.panel(left)
    })
}
