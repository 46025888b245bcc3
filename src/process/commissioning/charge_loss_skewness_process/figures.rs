//! The figure of ChargeLossSkewnessProcess (spec 04 §6.4), with the fit of the loss per transfer below.

use super::{Asymmetry, ChargeLoss};
use crate::image::RawData;
use crate::plot::{
    Anchor, Axis, Colour, Guide, Line, Marker, Note, Panel, Points, Shape, Stroke, interval, value_with_error,
};
use crate::process::Context;
use crate::process::commissioning::figure;

/// Points of the reference's figure.
const POINT: Colour = Colour::hex(0x1c82d6);

pub(super) fn draw(raw: &mut RawData, context: &Context<'_>, result: &ChargeLoss) {
    let name = raw.amplifiers[context.amplifier].name.clone();
    let reference = result.reference;
    let skips: Vec<usize> = result.skips.iter().map(|a| a.skip).collect();
    let listed = match skips.as_slice() {
        [a, b, .., z] => format!("{a}−{reference}, {b}−{reference}, … {z}−{reference}"),
        _ => skips.iter().map(|k| format!("{k}−{reference}")).collect::<Vec<_>>().join(", "),
    };
    let title = format!("amp {name}, Single-skip pixel charge image difference: {listed} NDCMs");
    let x: Vec<f64> = skips.iter().map(|k| *k as f64).collect();
    let of = |f: &dyn Fn(&Asymmetry) -> f64| result.skips.iter().map(f).collect::<Vec<f64>>();
    let marker = Marker { shape: Shape::Circle, size: 4.0, face: Some(POINT), edge: Colour::BLACK };
    let pane = |label: &str, y: Vec<f64>, errors: Option<Vec<f64>>| {
        let points = Points::new(&x, y).marker(marker);
        let points = if let Some(errors) = errors { points.y_errors(errors) } else { points };
        Panel::new().x("NDCM ordinal").y(label).points(points).legend(hidden())
    };
    let far = of(&|a| a.significance().abs()).into_iter().filter(|v| v.is_finite()).fold(5.0, f64::max);
    let significance = pane("k_{CL}/u", of(&Asymmetry::significance), None)
        .y_range(-1.15 * far, 1.15 * far)
        .guide(Guide::horizontal(0.0).solid())
        .guide(Guide::horizontal(5.0).colour(Colour::RED))
        .guide(Guide::horizontal(-5.0).colour(Colour::RED));
    let skewness = Panel::new()
        .x("NDCM ordinal")
        .y("skewness")
        .points(Points::new(&x, of(&|a| a.skewness)).y_errors(of(&|a| a.skewness_error)).marker(marker))
        .guide(Guide::horizontal(0.0).solid());
    let mean =
        pane(&format!("mean(q_{{NDCM}} − q_{{{reference}}}) [ADU]"), of(&|a| a.mean), Some(of(&|a| a.mean_error)));
    let mu = pane("μ_{0} [ADU]", of(&|a| a.mu), Some(of(&Asymmetry::mu_error)));
    let total = pane("total image charge [ADU]", of(&|a| a.total_charge), None);
    let below = retained(result);
    let mut figure = figure(raw, context, format!("ChargeLossSkewnessProcess_{name}"), &title)
        .size(14.0, if below.is_some() { 13.0 } else { 10.0 })
        .panel(significance.at(0, 0))
        .panel(skewness.at(0, 1))
        .panel(mean.at(1, 0))
        .panel(mu.at(1, 1))
        .panel(total.at(2, 0))
        .panel(traces(result).at(2, 1))
        .caption(
            "Asymmetry and skewness of the differences between single skips and the reference skip, their means and \
             cores, the total charge of each skip, the skips of two pixels, and the charge that is left after each skip.",
        );
    if let Some(panel) = below {
        figure = figure.panel(panel.spanning(3, 0, 1, 2));
    }
    raw.report.figure(figure);
}

fn hidden() -> crate::plot::Legend {
    crate::plot::Legend::hidden()
}

/// Skips of the pixels with the largest and the smallest value.
fn traces(result: &ChargeLoss) -> Panel {
    let Some(extremes) = &result.extremes else { return Panel::new() };
    let log = extremes.iter().flat_map(|t| &t.samples).all(|x| *x > 0.0);
    let mut axis = Axis::new("pixel charge [ADU]");
    if log {
        axis = axis.log();
    }
    let mut panel = Panel::new().x("skip").y_axis(axis);
    for (trace, colour) in extremes.iter().zip([Colour::RED, Colour::BLUE]) {
        panel = panel.line(
            Line::new((0..trace.samples.len()).map(|k| k as f64), &trace.samples)
                .stroke(Stroke::new(colour).width(0.8))
                .label(format!("q_{{{},{}}}", trace.row, trace.col)),
        );
    }
    panel
}

/// Share of the charge that is left, and the fitted decay.
fn retained(result: &ChargeLoss) -> Option<Panel> {
    let loss = result.transfer.as_ref().filter(|t| t.is_measured())?;
    let x: Vec<f64> = loss.retained.iter().map(|r| r.0).collect();
    let first = loss.first_skip as f64;
    let (low, high) = (*x.first()?, *x.last()?);
    let p = loss.probability;
    let decay = match loss.first_skip {
        0 => "(1 − p)^{skip}".to_owned(),
        first => format!("(1 − p)^{{skip − {first}}}"),
    };
    let note = Note::new(Anchor::BottomLeft, Vec::<String>::new())
        .entry("loss per transfer", value_with_error(p, loss.error))
        .entry("95 % interval", interval(loss.interval.0, loss.interval.1));
    Some(
        Panel::new()
            .x("skip")
            .y("charge left")
            .points(
                Points::new(&x, loss.retained.iter().map(|r| r.1).collect::<Vec<_>>())
                    .y_errors(loss.retained.iter().map(|r| r.2).collect::<Vec<_>>())
                    .marker(Marker::filled(Shape::Circle, Colour::BLACK).size(3.5))
                    .label("cov(first quarter of the skips, skip), overscan subtracted"),
            )
            .line(Line::function(low, high, 200, |k| (1.0 - p).powf(k - first)).label(decay))
            .note(note)
            .legend_at(Anchor::TopRight),
    )
}
