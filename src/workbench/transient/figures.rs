//! Figures of `transient`.

use super::{Behaviour, MeanCurve, Trace};
use crate::plot::{Axis, Colour, Figure, Guide, Histogram, Line, Note, Panel, Points, Stroke};
use crate::stats::histogram::{self, BinRule};
use crate::stats::robust::{self, min_max};

/// Mean of all pixels against skip, one panel per amplifier.
pub fn mean(name: &str, curves: &[MeanCurve]) -> Figure {
    let mut figure = Figure::new(format!("{name}_mean"))
        .title("Mean of all pixels per skip")
        .grid(1, curves.len())
        .size(1.0 + 6.5 * curves.len() as f64, 4.8);
    for curve in curves {
        let mut panel = Panel::new()
            .title(format!("amplifier {}", curve.amplifier))
            .x_axis(Axis::new("NDCM ordinal").integer())
            .y("mean pixel value [ADU]")
            .points(Points::indexed(&curve.mean).y_errors(&curve.error).size(2.5));
        if let Some(s) = &curve.settling {
            let behaviour = s.behaviour();
            let note = match behaviour {
                Behaviour::Settles => Note::fit_results()
                    .value("τ [skips]", s.tau, s.tau_error)
                    .value("A [ADU]", s.level, s.level_error)
                    .value("B [ADU]", s.amplitude, s.amplitude_error)
                    .chi2(s.chi2, s.ndf),
                Behaviour::Drifts => Note::fit_results().value("mean [ADU]", s.mean, s.mean_error).chi2(s.chi2, s.ndf),
                Behaviour::Constant => {
                    Note::fit_results().value("mean [ADU]", s.mean, s.mean_error).chi2(s.constant_chi2, s.ndf + 2)
                }
            };
            panel = if behaviour == Behaviour::Constant {
                panel.guide(Guide::horizontal(s.mean).colour(Colour::RED))
            } else {
                let last = curve.mean.len().saturating_sub(1) as f64;
                panel.line(Line::function(0.0, last, 400, |k| s.at(k)).label("A + B exp(−k/τ)"))
            };
            panel = panel.note(note.size(8.0));
        }
        figure = figure.panel(panel);
    }
    figure
}

/// Skips of the pixels.
pub fn traces(name: &str, traces: &[Trace]) -> Figure {
    let mut panel = Panel::new().x_axis(Axis::new("NDCM ordinal").integer()).y("pixel charge [ADUs]");
    for (k, trace) in traces.iter().enumerate() {
        let colour = Colour::series(k);
        let points = Points::indexed(&trace.values).size(1.8).filled(colour);
        let line = Stroke::new(colour.with_alpha(0.4)).width(0.5);
        let label = format!("{},{}: {:.1}", trace.row, trace.col, mean_of(trace));
        panel = panel.points(points.joined(line).label(label)).guide(Guide::horizontal(mean_of(trace)).colour(colour));
    }
    // Points fill all of the panel.
    panel = panel.legend(crate::plot::Legend::outside());
    Figure::new(format!("{name}_traces")).title("Skips of pixels (row,col: mean)").size(11.0, 5.0).panel(panel)
}

/// Their distributions.
pub fn histograms(name: &str, traces: &[Trace]) -> Figure {
    let mut panel = Panel::new().x("pixel charge [ADUs]").y("skips");
    for (k, trace) in traces.iter().enumerate() {
        let Some((lo, hi)) = min_max(&trace.values) else { continue };
        let (lo, hi) = (lo - 5.0, hi + 5.0);
        let bins = BinRule::Freedman.bins(&trace.values);
        // The rule counts bins between the smallest and the largest value.
        let bins = ((bins as f64) * (hi - lo) / (hi - lo - 10.0).max(1.0)).ceil().clamp(5.0, 1000.0) as usize;
        if let Ok(counts) = histogram::Histogram::window(&trace.values, lo, hi, bins) {
            let drawn = Histogram::uniform(lo, hi, counts.contents()).colour(Colour::series(k));
            panel = panel.histogram(drawn.label(format!("{},{}: {:.1}", trace.row, trace.col, mean_of(trace))));
        }
    }
    if traces.len() > 6 {
        panel = panel.legend(crate::plot::Legend::outside());
    }
    Figure::new(format!("{name}_hist")).title("Skips of pixels (row,col: mean)").size(8.0, 5.0).panel(panel)
}

fn mean_of(trace: &Trace) -> f64 {
    robust::mean(&trace.values)
}
