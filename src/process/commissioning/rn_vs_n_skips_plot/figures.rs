//! Figures of RNvsNskipsPlot (spec 04 §3.3).

use super::NoiseVsSkips;
use crate::image::RawData;
use crate::image::report::{Table, TableHead};
use crate::plot::{Anchor, Axis, Colour, Guide, Line, Marker, Panel, Points, Shape, Stroke, value_with_error};
use crate::process::Context;
use crate::process::commissioning::{electrons, figure};

/// The prediction of the spectrum is drawn in the lower pane if all of it lies between these multiples of 1/√N.
const LEAST_RATIO: f64 = 0.1;
const LARGEST_RATIO: f64 = 3.0;

/// The curve of the amplifier; after the last one, all of them together.
pub(super) fn draw(raw: &mut RawData, context: &Context<'_>) {
    let name = raw.amplifiers[context.amplifier].name.clone();
    if let Some(result) = raw.products.get_for::<NoiseVsSkips>(&name).filter(|r| is_visible(r)) {
        let (main, ratio) = panels(result);
        let figure = figure(raw, context, format!("NoiseVSSkipPlot_{name}"), &format!("Amplifier {name}"))
            .size(8.0, 7.6)
            .with_residuals(main, ratio)
            .caption(
                "Noise of the mean of the first N skips; 1/√N through the last and the first point; prediction of the \
                 noise spectrum of the same pixels. Below: measured over 1/√N through the last point.",
            );
        raw.report.figure(figure);
    }
    let any = raw.amplifiers.iter().any(|a| raw.products.get_for(&a.name).is_some_and(is_visible));
    if any && raw.amplifiers.len() > 1 && context.amplifier + 1 == raw.amplifiers.len() {
        let panel = all(raw);
        let figure = figure(raw, context, "NoiseVSSkipPlot_all".into(), "All amplifiers").size(8.0, 6.0).panel(panel);
        raw.report.figure(figure);
        all_table(raw);
    }
}

/// Whether there is a point on a logarithmic axis.
fn is_visible(result: &NoiseVsSkips) -> bool {
    result.curve.noise.iter().any(|s| *s > 0.0)
}

/// The curves of all amplifiers in one table.
fn all_table(raw: &mut RawData) {
    let (mut labels, mut rows) = (Vec::new(), Vec::new());
    for amplifier in &raw.amplifiers {
        let Some(result) = raw.products.get_for::<NoiseVsSkips>(&amplifier.name) else { continue };
        let curve = &result.curve;
        for ((n, noise), error) in curve.n_skips.iter().zip(&curve.noise).zip(&curve.error) {
            labels.push(amplifier.name.clone());
            rows.push(vec![*n as f64, *noise, *error]);
        }
    }
    let columns = ["n_skips", "noise_ADU", "noise_error"].map(str::to_owned).to_vec();
    let head = TableHead { row_labels: Some(("amp".to_owned(), labels)), ..TableHead::default() };
    raw.report.table_with(Table { name: "NoiseVSSkipPlot_all".into(), columns, rows }, head);
}

fn panels(result: &NoiseVsSkips) -> (Panel, Panel) {
    let curve = &result.curve;
    let x: Vec<f64> = curve.n_skips.iter().map(|n| *n as f64).collect();
    let largest = x.last().copied().unwrap_or(1.0);
    let expected = |f: &dyn Fn(usize) -> f64| curve.n_skips.iter().map(|n| f(*n)).collect::<Vec<f64>>();
    let from_last = expected(&|n| curve.expected_from_last(n));
    let from_first = expected(&|n| curve.expected_from_first(n));
    let (low, high) = (0.85, 1.25 * largest.max(1.5));
    let predicted: Option<Vec<f64>> = curve.predicted.as_ref().map(|p| p.iter().map(|p| p.0).collect());
    let over = |values: &[f64]| values.iter().zip(&from_last).map(|(v, e)| v / e).collect::<Vec<f64>>();
    let extent = |values: &[f64]| {
        let values = values.iter().copied().filter(|v| v.is_finite() && *v > 0.0);
        values.fold((f64::INFINITY, 0.0_f64), |(l, h), v| (l.min(v), h.max(v)))
    };
    // the lower pane shows the prediction, too, unless it is far off
    let ratios = over(&curve.noise);
    let (mut lowest, mut highest) = extent(&ratios);
    let mut out_of_range = "";
    if let Some(predicted) = &predicted {
        let (least, most) = extent(&over(predicted));
        if least >= LEAST_RATIO && most <= LARGEST_RATIO {
            (lowest, highest) = (lowest.min(least), highest.max(most));
        } else {
            out_of_range = if most > LARGEST_RATIO { " (above the lower pane)" } else { " (below the lower pane)" };
        }
    }
    let (bottom, top) = {
        let lines = [&curve.noise, &from_last, &from_first].into_iter().chain(&predicted);
        let (least, most) = extent(&lines.flatten().copied().collect::<Vec<f64>>());
        // room for the notes below and the legend above
        let span = (most / least).ln().max(1.4);
        (least * (-0.16 * span).exp(), most * (0.12 * span).exp())
    };
    let mut main = Panel::new()
        .x("N_{skips}")
        .y_axis(Axis::new("Pixel readout noise (ADU)").log().range(bottom, top))
        .log_x()
        .integer_x()
        .x_range(low, high);
    if curve.n_skips.len() > 1 {
        main = main
            .line(Line::new(&x, &from_last).width(1.2).label("1/√N_{skip}, last point"))
            .line(Line::new(&x, &from_first).width(1.2).dashed().label("1/√N_{skip}, first point"));
    }
    if let Some(values) = &predicted {
        let label = format!("predicted from the spectrum{out_of_range}");
        main = main.line(Line::new(&x, values).colour(Colour::BLUE).width(1.6).label(label));
        if let Some((slow, curve)) = with_slow_noise(curve).filter(|_| !result.may_hold_charge) {
            main = main.line(
                Line::new(&x, curve)
                    .stroke(Stroke::new(Colour::BLUE).width(1.2).dashed())
                    .label(format!("with {slow:.3} ADU slower than a pixel")),
            );
        }
    }
    let mut note = crate::plot::Note::new(Anchor::BottomLeft, Vec::<String>::new());
    if curve.slope.is_finite() {
        note =
            note.value("σ₁ [ADU]", curve.sigma_1, curve.sigma_1_error).value("slope α", curve.slope, curve.slope_error);
    }
    note = note.value(format!("σ at N = {largest} [ADU]"), curve.last().0, curve.last().1);
    if let Some(best) = result.optimum {
        let text = if best.is_lower_limit {
            format!("at least {:.0}", best.skips)
        } else {
            format!("{:.0} ({})", best.skips, best.range())
        };
        note = note.entry("best N for this exposure", text);
    }
    // keeps clear of the ticks of the lower axis
    note = note.line("");
    main = main
        .points(
            Points::new(&x, &curve.noise)
                .y_errors(&curve.error)
                .marker(Marker::filled(Shape::Circle, Colour::BLACK).size(3.6))
                .label(format!("Data ({} pixels)", curve.pixels)),
        )
        .note(note)
        .legend_at(Anchor::TopRight);
    if let Some(gain) = result.gain {
        main = main.right(electrons("Pixel readout noise (e⁻)", gain));
    }
    if let Some(best) = result.optimum
        && best.skips <= largest
        && !best.is_lower_limit
    {
        main = main.guide(Guide::vertical(best.skips).dotted());
    }
    let mut ratio = Panel::new()
        .x("N_{skips}")
        .y_axis(Axis::new("noise / expected").range((lowest - 0.06).clamp(0.0, 0.8), (highest + 0.06).clamp(1.3, 3.2)))
        .log_x()
        .integer_x()
        .x_range(low, high)
        .guide(Guide::horizontal(1.0).colour(Colour::RED).solid());
    if let Some(values) = predicted.as_ref().filter(|_| out_of_range.is_empty()) {
        ratio = ratio.line(Line::new(&x, over(values)).colour(Colour::BLUE).width(1.6));
    }
    ratio = ratio.points(
        Points::new(&x, &ratios)
            .y_errors(over(&curve.error))
            .marker(Marker::filled(Shape::Circle, Colour::BLACK).size(3.6)),
    );
    (main, ratio)
}

/// Noise slower than a pixel, ADU, and the prediction with it; `None` where there is none to speak of.
fn with_slow_noise(curve: &super::NoiseCurve) -> Option<(f64, Vec<f64>)> {
    let predicted = curve.predicted.as_ref()?;
    let ((last, error), (expected, expected_error)) = (curve.last(), *predicted.last()?);
    // nor where there is no noise at all
    if !(last - expected > 3.0 * error.hypot(expected_error)) {
        return None;
    }
    let slow = (last * last - expected * expected).sqrt();
    Some((slow, predicted.iter().map(|p| p.0.hypot(slow)).collect()))
}

fn all(raw: &RawData) -> Panel {
    let mut panel = Panel::new().x("N_{skips}").y_axis(Axis::new("Pixel readout noise (ADU)").log()).log_x();
    let found = raw.amplifiers.iter().filter_map(|a| Some((a, raw.products.get_for::<NoiseVsSkips>(&a.name)?)));
    for (i, (amplifier, result)) in found.enumerate() {
        let curve = &result.curve;
        let colour = Colour::series(i);
        panel = panel.points(
            Points::new(curve.n_skips.iter().map(|n| *n as f64), &curve.noise)
                .y_errors(&curve.error)
                .marker(Marker::filled(Shape::series(i), colour))
                .joined(Stroke::new(colour).width(0.7))
                .label(format!(
                    "{}: σ₁ = {} ADU, α = {}",
                    amplifier.name,
                    value_with_error(curve.sigma_1, curve.sigma_1_error),
                    value_with_error(curve.slope, curve.slope_error)
                )),
        );
    }
    panel.legend_at(Anchor::TopRight)
}
