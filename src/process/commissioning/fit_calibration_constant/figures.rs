//! Figures of FitCalibrationConstant (spec 04 §2.4).

use super::{CalibrationConstant, FitCalibrationConstant};
use crate::image::RawData;
use crate::image::report::{Table, TableHead};
use crate::plot::{
    Anchor, Axis, Colour, DataText, Guide, Histogram, Line, Marker, Note, Panel, Points, SecondAxis, Shape, Stroke,
    value_with_error,
};
use crate::process::Context;
use crate::process::commissioning::figure;

/// Peaks of the figure of the fits.
const SHOWN_PEAKS: usize = 10;
/// Bins per electron of the figure of the fits.
const BINS_PER_ELECTRON: f64 = 40.0;

pub(super) fn draw(
    process: &FitCalibrationConstant,
    raw: &mut RawData,
    context: &Context<'_>,
    result: &CalibrationConstant,
    values: &[f64],
    image: &str,
) {
    let unit = if image.ends_with("_e") { "e⁻" } else { "ADU" };
    let amplifier = raw.amplifiers[context.amplifier].name.clone();
    let name = |what: &str| format!("FitCalibrationConstant_{what}_{amplifier}");
    let seed = figure(raw, context, name("calibration_guess"), "starting point for the calibration constant fit")
        .size(9.0, 5.6)
        .panel(seed_panel(result, unit));
    raw.report.figure(seed);
    seed_table(raw, name("calibration_guess"), result, unit);
    if process.show_fit {
        let (spectrum, pulls, rows) = fit_panels(result, values, unit);
        table(raw, name("fit_peaks"), &["charge_e", "counts", "model", "pull"], rows);
        let peaks = figure(raw, context, name("fit_peaks"), &format!("Single-electron peaks [amplifier {amplifier}]"))
            .size(10.0, 7.0)
            .with_residuals(spectrum, pulls);
        raw.report.figure(peaks);
    }
    let title = format!("Linearity from single electron peaks [amplifier {amplifier}]");
    let mut linearity =
        figure(raw, context, name("lineality_from_single_electron_peaks"), &title).grid(2, 2).size(12.0, 7.6);
    for panel in linearity_panels(result, unit) {
        linearity = linearity.panel(panel);
    }
    raw.report.figure(linearity);
    let (panels, rows): (Vec<Panel>, Vec<_>) = charge_panels(process, result, values).into_iter().unzip();
    table(raw, name("PCD_low_and_high_EnergyRange_AMPLIFIER"), &["from_e", "to_e", "counts"], rows.concat());
    let width = 7.0 * panels.len() as f64;
    let mut charge = figure(
        raw,
        context,
        name("PCD_low_and_high_EnergyRange_AMPLIFIER"),
        &format!("Calibrated pixel charge distribution [amplifier {amplifier}]"),
    )
    .grid(1, panels.len())
    .size(width, 5.0);
    for panel in panels {
        charge = charge.panel(panel);
    }
    raw.report.figure(charge);
}

/// A table beside the figure of the same name.
fn table(raw: &mut RawData, name: String, columns: &[&str], rows: Vec<Vec<f64>>) {
    raw.report.table(Table { name, columns: columns.iter().map(|c| (*c).to_owned()).collect(), rows });
}

/// The histogram of the search, and the peaks that it found.
fn seed_table(raw: &mut RawData, name: String, result: &CalibrationConstant, unit: &str) {
    let seed = &result.fit.seed;
    let mut head = TableHead::default()
        .scalar("bin_width", seed.width)
        .scalar("ignored_below", seed.low)
        .scalar("spacing", seed.spacing)
        .scalar("start_value_used", seed.guided);
    for (i, peak) in seed.peaks.iter().enumerate() {
        head = head.scalar(format!("peak_{}", i + 1), format!("{} prominence {}", peak.at, peak.prominence));
    }
    let unit = if unit == "ADU" { "ADU" } else { "e" };
    let rows = seed.counts.iter().enumerate().map(|(i, n)| vec![seed.low + (i as f64 + 0.5) * seed.width, *n]);
    let columns = vec![format!("charge_{unit}"), "counts".to_owned()];
    raw.report.table_with(Table { name, columns, rows: rows.collect() }, head);
}

fn seed_panel(result: &CalibrationConstant, unit: &str) -> Panel {
    let seed = &result.fit.seed;
    let high = seed.low + seed.width * seed.counts.len() as f64;
    let centres = (0..seed.counts.len()).map(|i| seed.low + (i as f64 + 0.5) * seed.width).collect::<Vec<_>>();
    let most = seed.counts.iter().copied().fold(1.0, f64::max);
    let prominences = seed.peaks.iter().map(|p| (p.at, p.height.max(0.7), format!("{:.0}", p.prominence)));
    let mut panel = Panel::new()
        .x(format!("pixel charge [{unit}]"))
        .y_axis(Axis::new("counts").log().range(0.5, 200.0 * most))
        .points(
            Points::new(centres, &seed.counts)
                .marker(Marker::open(Shape::Cross, Colour::RED).size(3.2))
                .label(format!("pixels, bins of {:.4} {unit}", seed.width)),
        )
        .points(
            Points::new(
                seed.peaks.iter().map(|p| p.at).collect::<Vec<_>>(),
                seed.peaks.iter().map(|p| p.height.max(0.7)).collect::<Vec<_>>(),
            )
            .marker(Marker::open(Shape::Circle, Colour::BLACK).size(7.0))
            .label("found peaks (prominence in σ)"),
        )
        .text(DataText::new(prominences).shift(12.0, 7.0).halo())
        .guide(Guide::vertical(seed.low).solid().label("ignoring pixels below"));
    for (i, peak) in seed.peaks.iter().take(2).enumerate() {
        let guide = Guide::vertical(peak.at);
        panel = panel.guide(match i {
            0 => guide.label("first found peak"),
            _ => guide.dotted().label("second found peak"),
        });
    }
    panel
        .note(
            Note::new(Anchor::TopLeft, Vec::<String>::new())
                .boxed()
                .entry("distance of the peaks", format!("{:.4} {unit}/e⁻", seed.spacing))
                .entry("start value used", if seed.guided { "yes" } else { "no" })
                .line("if this is wrong, give `calibration`"),
        )
        .x_range(seed.low - 0.02 * (high - seed.low), high)
        .legend_at(Anchor::TopRight)
}

/// Spectrum and pulls; charge, counts, model and pull of every bin.
fn fit_panels(result: &CalibrationConstant, values: &[f64], unit: &str) -> (Panel, Panel, Vec<Vec<f64>>) {
    let fit = &result.fit;
    let shown = fit.peaks.len().min(SHOWN_PEAKS);
    let (first, last) = (result.electrons(0), result.electrons(shown - 1));
    let (low, high) = (first - 1.0, last + 1.0);
    let bins = ((high - low) * BINS_PER_ELECTRON).round() as usize;
    let width = (high - low) / bins as f64;
    let mut counts = vec![0.0; bins];
    for x in values {
        let t = (result.charge(*x) - low) / width;
        if t >= 0.0
            && let Some(count) = counts.get_mut(t as usize)
        {
            *count += 1.0;
        }
    }
    let (k, first_electron) = (fit.gain(), result.first_electron as f64);
    let value = |n: f64| fit.offset() + k * (n - first_electron);
    // pixels per bin of `width` electrons
    let model = |n: f64, peak: Option<usize>| fit.density(value(n), peak) * k * width;
    let centres: Vec<f64> = (0..bins).map(|i| low + (i as f64 + 0.5) * width).collect();
    let visible = |y: f64| if y > 0.3 { y } else { f64::NAN };
    let mut panel =
        Panel::new().y_axis(Axis::new(format!("pixels per {width:.3} e⁻")).log().from(0.5)).x_range(low, high).points(
            Points::new(&centres, &counts)
                .marker(Marker::open(Shape::Circle, Colour::BLUE).size(3.0))
                .label(format!("{} pixels", values.len())),
        );
    for i in 0..shown {
        let centre = result.charge(fit.peaks[i].mu);
        let half = 5.0 * fit.peaks[i].sigma / k;
        let curve = Line::function(centre - half, centre + half, 160, |n| visible(model(n, Some(i))));
        panel = panel.line(curve.stroke(Stroke::new(Colour::series(i)).width(1.0).dashed()));
    }
    let (noise, noise_error) = fit.noise;
    panel = panel
        .line(Line::function(low, high, 1200, |n| visible(model(n, None))).width(1.3).label("sum of the peaks"))
        .top(SecondAxis {
            label: format!("pixel charge [{unit}]"),
            factor: k,
            offset: fit.offset() - k * first_electron,
        })
        .note(
            Note::fit_results()
                .value(format!("k [{unit}/e⁻]"), k, fit.gain_error())
                .value(format!("σ [{unit}]"), noise, noise_error)
                .value("σ [e⁻]", noise / k, noise_error / k)
                .entry("peaks", fit.peaks.len().to_string()),
        )
        .legend_at(Anchor::TopLeft);
    // beyond the last peak of the fit there is no model
    let modelled = if shown < fit.peaks.len() { high } else { last + 0.5 };
    let pulls: Vec<f64> = centres
        .iter()
        .zip(&counts)
        .map(|(n, y)| {
            let expected = model(*n, None);
            if expected >= 1.0 && *n <= modelled { (y - expected) / expected.sqrt() } else { f64::NAN }
        })
        .collect();
    let far = pulls.iter().copied().filter(|p| p.is_finite()).fold(3.5, |m: f64, p| m.max(1.1 * p.abs()));
    let below = Panel::new()
        .x("pixel charge [e⁻]")
        .y("(data − model)/√model")
        .y_range(-far, far)
        .x_range(low, high)
        .guide(Guide::horizontal(0.0).solid().colour(Colour::GREY))
        .points(Points::new(&centres, &pulls).marker(Marker::filled(Shape::Circle, Colour::BLACK).size(2.0)));
    let rows = centres.iter().zip(&counts).zip(&pulls).map(|((n, y), pull)| vec![*n, *y, model(*n, None), *pull]);
    (panel, below, rows.collect())
}

fn linearity_panels(result: &CalibrationConstant, unit: &str) -> [Panel; 4] {
    let fit = &result.fit;
    let k = fit.gain();
    let n: Vec<f64> = (0..fit.peaks.len()).map(|i| result.electrons(i)).collect();
    let reconstructed: Vec<f64> = fit.peaks.iter().map(|p| result.charge(p.mu)).collect();
    let errors: Vec<f64> = fit.peaks.iter().map(|p| p.mu_error / k).collect();
    let residuals: Vec<f64> = reconstructed.iter().zip(&n).map(|(r, n)| r - n).collect();
    let marker = Marker::open(Shape::Circle, Colour::BLUE).size(if n.len() > 60 { 2.6 } else { 4.5 });
    let x = "True Charge [e⁻]";
    let (low, high) = (n[0], n[n.len() - 1]);
    let note = Note::new(Anchor::BottomRight, Vec::<String>::new())
        .value(format!("k [{unit}/e⁻]"), k, fit.gain_error())
        .value(format!("b [{unit}]"), fit.offset(), fit.offset_error())
        .chi2(fit.line.chi2, fit.line.ndf.max(0) as usize);
    let charge = Panel::new()
        .x(x)
        .y("reconstructed charge [e⁻]")
        .with_grid()
        .line(Line::new([low, high], [low, high]).stroke(Stroke::new(Colour::BLACK).dashed()))
        .points(
            Points::new(&n, &reconstructed)
                .y_errors(&errors)
                .marker(marker)
                .label(format!("calibration: {} {unit}/e⁻", value_with_error(k, fit.gain_error()))),
        )
        .note(note)
        .legend_at(Anchor::TopLeft);
    let relative = |values: &[f64]| -> Vec<f64> {
        values.iter().zip(&n).map(|(v, n)| if *n > 0.0 { v / n } else { f64::NAN }).collect()
    };
    let zero = || Guide::horizontal(0.0).solid().colour(Colour::GREY);
    let difference = Panel::new()
        .x(x)
        .y("relative difference from fit")
        .guide(zero())
        .points(Points::new(&n, relative(&residuals)).y_errors(relative(&errors)).marker(marker));
    let mut residual = Panel::new().x(x).y("residual [e⁻]").guide(zero());
    if let Some((q, error)) = fit.nonlinearity()
        && let Some(parabola) = &fit.parabola
    {
        let first = result.first_electron as f64;
        residual = residual
            .line(
                Line::function(low, high, 200, |n| result.charge(parabola.at(n - first)) - n)
                    .width(1.2)
                    .label(format!("parabola: {} per e⁻", value_with_error(q, error))),
            )
            .legend_at(Anchor::Free);
    }
    residual = residual.points(Points::new(&n, &residuals).y_errors(&errors).marker(marker));
    let (noise, noise_error) = fit.noise;
    let sigma = Panel::new()
        .x(x)
        .y("sigma [e⁻]")
        .guide(
            Guide::horizontal(noise / k)
                .solid()
                .colour(Colour::RED)
                .label(format!("mean: {} e⁻", value_with_error(noise / k, noise_error / k))),
        )
        .points(
            Points::new(&n, fit.peaks.iter().map(|p| p.sigma / k).collect::<Vec<_>>())
                .y_errors(fit.peaks.iter().map(|p| p.sigma_error / k).collect::<Vec<_>>())
                .marker(marker),
        );
    [charge, difference, residual, sigma]
}

/// The calibrated spectrum: few electrons, and up to 200 if there are data; with ends and contents of the bins.
fn charge_panels(
    process: &FitCalibrationConstant,
    result: &CalibrationConstant,
    values: &[f64],
) -> Vec<(Panel, Vec<Vec<f64>>)> {
    let charges: Vec<f64> = values.iter().map(|x| result.charge(*x)).collect();
    let first = result.first_electron as f64;
    let top = first + process.n_peaks.min(30) as f64;
    let largest = charges.iter().copied().fold(first, f64::max);
    let top = top.min(largest.ceil() + 1.0).max(first + 3.0);
    let panel = |low: f64, high: f64, width: f64, lines: bool| {
        let bins = ((high - low) / width).round().clamp(1.0, 40_000.0) as usize;
        let counts = crate::stats::Histogram::window(&charges, low, high, bins).ok()?;
        let mut panel = Panel::new()
            .x("pixel charge [e⁻]")
            .y_axis(Axis::new(format!("pixels per {:.3} e⁻", (high - low) / bins as f64)).log().from(0.5))
            .x_range(low, high);
        if lines {
            let from = low.ceil() as i64;
            for n in from..=high.floor() as i64 {
                panel = panel.guide(Guide::vertical(n as f64).stroke(Stroke::new(Colour::PALE_GREY).width(0.6)));
            }
        }
        let at = |i: usize| low + (high - low) * i as f64 / bins as f64;
        let rows = counts.contents().iter().enumerate().map(|(i, n)| vec![at(i), at(i + 1), *n]).collect();
        Some((panel.histogram(Histogram::uniform(low, high, counts.contents()).colour(Colour::BLUE)), rows))
    };
    let many = charges.iter().any(|q| *q > first + 30.0 && *q < 200.0) && process.n_peaks > 2;
    let mut panels: Vec<(Panel, Vec<Vec<f64>>)> =
        panel(first - 2.0, top, process.pcd_bin_width, true).into_iter().collect();
    if many {
        // so far up there are a few pixels per peak: one bin each
        panels.extend(panel(first + 29.5, first + 200.5, process.pcd_bin_width.max(1.0), false));
    }
    panels
}
