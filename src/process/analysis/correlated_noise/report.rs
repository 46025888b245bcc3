//! What CorrelatedNoiseProcess says: numbers, cards, table, figures.

use ndarray::Array2;

use super::apply::noise_values;
use super::signals::Signal;
use super::{CorrelatedNoise, CorrelatedNoiseProcess, WeightScope};
use crate::image::RawData;
use crate::image::report::{InfoValue, Table};
use crate::plot::{Axis, DataText, Figure, Histogram, ImagePlot, Palette, Panel, value_with_error};
use crate::process::analysis::units::{shown, unit_of_image};
use crate::process::{Context, Measurement};
use crate::stats::histogram;
use crate::stats::robust;

/// Bins of the noise histograms.
const NOISE_BINS: usize = 80;

/// Measurements, cards, `info` branches, table, log lines and figures of all amplifiers.
pub(super) fn report(
    process: &CorrelatedNoiseProcess,
    raw: &mut RawData,
    context: &Context<'_>,
    noise: &[Signal],
    results: &[CorrelatedNoise],
    name: &str,
    in_overscan: bool,
) {
    let unit = unit_of_image(name);
    let amplifiers = raw.amplifiers.clone();
    let place = if in_overscan { "overscan" } else { "empty active" };
    for (index, (amplifier, result)) in amplifiers.iter().zip(results).enumerate() {
        let short = amplifier.short_name();
        // what is left as it is has the noise that it had
        let after = if result.applied { result.after } else { result.before };
        let relative = (2.0 * result.points.max(1) as f64).sqrt();
        let error = |sigma: f64| sigma / relative;
        raw.report.measure(
            Measurement::new("noise_before", result.before, unit)
                .error(error(result.before))
                .amplifier(&amplifier.name)
                .card(format!("CNSIGB{short}"), format!("correlated noise: sigma before [{unit}]")),
        );
        raw.report.measure(
            Measurement::new("noise_after", after, unit)
                .error(error(after))
                .amplifier(&amplifier.name)
                .card(format!("CNSIGA{short}"), format!("correlated noise: sigma after [{unit}]"))
                .info_branch(format!("{}_correlated_noise_after", amplifier.name)),
        );
        raw.report.measure(
            Measurement::integer("correlated_noise_subtracted", i64::from(result.applied))
                .amplifier(&amplifier.name)
                .card(format!("CNAPP{short}"), "correlated noise: subtracted (1)"),
        );
        let applied = InfoValue::Int(i32::from(result.applied));
        raw.report.info_branch(format!("{}_correlated_noise_subtracted", amplifier.name), applied);
        for ((signal, weight), error) in result.signals.iter().zip(&result.weights).zip(&result.errors) {
            raw.report.measure(
                Measurement::new(format!("weight_of_{signal}"), *weight, "").error(*error).amplifier(&amplifier.name),
            );
        }
        let mut correlations = Vec::new();
        for (other, (before, after)) in result.correlation_before.iter().zip(&result.correlation_after).enumerate() {
            if other == index {
                continue;
            }
            let with = &amplifiers[other].name;
            for (when, value) in [("before", before), ("after", after)] {
                raw.report.measure(
                    Measurement::new(format!("correlation_with_{with}_{when}"), *value, "")
                        .error((1.0 - value * value) / (result.points.max(1) as f64).sqrt())
                        .amplifier(&amplifier.name),
                );
            }
            let text = |c: &f64| signed(*c);
            correlations.push(format!("{with} {} → {}", text(before), text(after)));
        }
        let outcome = if result.applied {
            format!(
                "noise {} → {} {unit}",
                value_with_error(result.before, error(result.before)),
                value_with_error(result.after, error(result.after))
            )
        } else {
            format!("noise {} {unit}, nothing subtracted", value_with_error(result.before, error(result.before)))
        };
        let own = match process.weights {
            WeightScope::Image => String::new(),
            _ => format!(", {} of {} rows with weights of their own", result.own_rows, amplifier.full.rows.len()),
        };
        raw.report.result(format!(
            "amplifier {}: {outcome}; correlation with {} ({} {place} pixels{own})",
            amplifier.name,
            correlations.join(", "),
            result.points
        ));
        explain(raw, &amplifier.name, result);
    }
    raw.report.table(table(&amplifiers.iter().map(|a| a.name.clone()).collect::<Vec<_>>(), results, unit));
    if context.wants_figures() {
        draw(raw, context, noise, results, name, unit);
    }
}

/// A correlation with its sign, which a zero has not.
fn signed(correlation: f64) -> String {
    match format!("{correlation:+.3}").as_str() {
        _ if !correlation.is_finite() => "unknown".into(),
        "+0.000" | "-0.000" => "0.000".into(),
        text => text.replace('-', "−"),
    }
}

/// Why nothing was subtracted.
fn explain(raw: &mut RawData, amplifier: &str, result: &CorrelatedNoise) {
    if result.applied {
        return;
    }
    if result.weights.is_empty() {
        raw.report.warn(format!(
            "amplifier {amplifier}: {} noise pixels are shared with all other amplifiers, too few (or too alike) for a fit; it is \
             left as it is",
            result.points
        ));
    } else if result.chance > super::CHANCE {
        raw.report.inform(format!(
            "amplifier {amplifier}: the others explain no more of its noise than chance (probability {:.2}); it is left as it is",
            result.chance
        ));
    } else {
        raw.report.warn(format!(
            "amplifier {amplifier}: the noise would rise from {:.4} to {:.4} (too few noise pixels for these weights); it is left \
             as it is",
            result.before, result.after
        ));
    }
}

fn table(names: &[String], results: &[CorrelatedNoise], unit: &str) -> Table {
    let mut columns =
        vec!["amplifier".into(), "subtracted".into(), format!("noise_before_{unit}"), format!("noise_after_{unit}")];
    columns.extend(names.iter().map(|n| format!("correlation_before_{n}")));
    columns.extend(names.iter().map(|n| format!("correlation_after_{n}")));
    columns.extend(["points".into(), "probability_of_chance".into()]);
    let rows = results
        .iter()
        .enumerate()
        .map(|(k, r)| {
            let after = if r.applied { r.after } else { r.before };
            let mut row = vec![k as f64, f64::from(u8::from(r.applied)), r.before, after];
            row.extend(&r.correlation_before);
            row.extend(&r.correlation_after);
            row.extend([r.points as f64, r.chance]);
            row
        })
        .collect();
    Table { name: "CorrelatedNoiseProcess".into(), columns, rows }
}

/// Correlations before and after, and the noise of every amplifier before and after.
fn draw(
    raw: &mut RawData,
    context: &Context<'_>,
    noise: &[Signal],
    results: &[CorrelatedNoise],
    name: &str,
    unit: &str,
) {
    let names: Vec<String> = raw.amplifiers.iter().map(|a| a.name.clone()).collect();
    let mut chain = raw.chain.clone();
    chain.push(context.entry.tag.to_owned());
    let n = names.len();
    let ticks = || names.iter().cloned().enumerate().map(|(k, name)| (k as f64, name)).collect::<Vec<_>>();
    let matrix = |title: &str, of: &dyn Fn(&CorrelatedNoise) -> Vec<f64>| {
        let values: Vec<Vec<f64>> = results.iter().map(of).collect();
        let image = Array2::from_shape_fn((n, n), |(r, c)| if r == c { f64::NAN } else { values[r][c] });
        let texts = (0..n).flat_map(|r| (0..n).map(move |c| (r, c))).filter(|(r, c)| r != c);
        let texts: Vec<_> = texts.map(|(r, c)| (c as f64, r as f64, signed(values[r][c]))).collect();
        let plot = ImagePlot::new(image).range(-1.0, 1.0).palette(Palette::Diverging).colour_label("correlation");
        Panel::image_of(plot)
            .title(title)
            .x_axis(Axis::new("").ticks(ticks()))
            .y_axis(Axis::new("").ticks(ticks()).reversed())
            .text(DataText::new(texts).size(8.0).halo())
    };
    // the matrices above, the amplifiers below in pairs
    let rows = 1 + n.div_ceil(2);
    let mut figure = Figure::new("CorrelatedNoiseProcess")
        .titles("Noise in common", &raw.source.label, &chain)
        .grid(rows, 2)
        .size(9.6, 3.8 * rows as f64)
        .panel(matrix("before", &|r| r.correlation_before.clone()).at(0, 0))
        .panel(matrix("after", &|r| r.correlation_after.clone()).at(0, 1))
        .caption(
            "Correlation of the noise of amplifiers read at the same time, and the noise of each, before and after. Each is \
             corrected with the others as they were: it then holds a little of their noise, hence the small negative correlation \
             after.",
        );
    let corrected = raw.images.get(&format!("{name}_correlated"));
    for (k, (amplifier, signal)) in raw.amplifiers.iter().zip(noise).enumerate() {
        let Some(corrected) = corrected else { continue };
        let (before, after) = noise_values(signal, corrected, amplifier);
        let limit = 5.0 * signal.sigma;
        let centre = robust::median(&after);
        let shifted: Vec<f64> = after.iter().map(|x| x - centre).collect();
        let mut panel = Panel::new()
            .title(format!("amplifier {}", amplifier.name))
            .x(format!("noise [{}]", shown(unit)))
            .y("pixels");
        for (values, label, is_reference) in [(&before, "before", true), (&shifted, "after", false)] {
            if let Ok(bins) = histogram::Histogram::window(values, -limit, limit, NOISE_BINS) {
                let drawn = Histogram::uniform(-limit, limit, bins.contents()).label(label);
                panel = panel.histogram(if is_reference { drawn.reference() } else { drawn });
            }
        }
        figure = figure.panel(panel.at(1 + k / 2, k % 2));
    }
    raw.report.figure(figure);
}
