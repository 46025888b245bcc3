//! Figures of FitDarkCurrentProcess (spec 03 §1.9).

use super::{DarkCurrentFit, FitDarkCurrentProcess, Sample};
use crate::image::root_objects::{RootFunction, RootHistogram, RootObject, RootObjects};
use crate::image::{Amplifier, RawData};
use crate::plot::{Anchor, Axis, Colour, Figure, Guide, Histogram, Line, Marker, Note, Panel, Points, Shape};
use crate::process::Context;
use crate::process::analysis::units::{shown, unit_of_image};
use crate::stats::dark_current::DarkCurrentSettings;
use crate::stats::histogram::Histogram as Counts;

/// The spectrum with the fitted curve, and the residuals below it; `ratio_plot` adds the relative residuals.
pub(super) fn draw(
    process: &FitDarkCurrentProcess,
    raw: &mut RawData,
    context: &Context<'_>,
    amplifier: &Amplifier,
    settings: &DarkCurrentSettings,
    result: &DarkCurrentFit,
    unmasked: Option<&[f64]>,
) {
    let fit = &result.fit;
    let unit = shown(unit_of_image(&process.image));
    let unit = unit.as_str();
    let counts = fit.histogram.contents();
    let (lo, hi) = (fit.histogram.lo(), fit.histogram.hi());
    let x_label = format!("Pixel Charge [{unit}]");
    let mut panel = Panel::new().x(&x_label).y_axis(Axis::new("Counts").log().from(0.5)).x_range(lo, hi);
    if let Some(all) = unmasked
        && let Ok(before) = Counts::window(all, lo, hi, fit.histogram.n_bins())
    {
        panel =
            panel.histogram(Histogram::uniform(lo, hi, before.contents()).reference().label("without cluster mask"));
    }
    panel = panel.histogram(Histogram::uniform(lo, hi, &counts).label("pixels"));
    if fit.was_made() {
        let samples = (8 * fit.histogram.n_bins()).clamp(400, 4000);
        panel = panel
            .line(
                Line::function(lo, hi, samples, |x| Some(fit.curve(x)).filter(|y| *y > 0.05).unwrap_or(f64::NAN))
                    .width(1.8)
                    .label("fit"),
            )
            .note(fit_box(result, unit));
    }
    panel = panel.note(Note::new(Anchor::TopRight, frame_text(raw, amplifier)).grey()).legend_at(Anchor::TopLeft);

    let title = format!("Dark Current Fit [amplifier {}]", amplifier.name);
    let name = |what: &str| format!("FitDarkCurrentProcess_{what}_{}", amplifier.name);
    let centres = fit.histogram.centres();
    let pulls: Vec<f64> =
        counts.iter().zip(&fit.expected).map(|(h, f)| if *h > 0.0 { (h - f) / h.sqrt() } else { f64::NAN }).collect();
    let residuals = Panel::new()
        .x(&x_label)
        .y("(data − fit)/√data")
        .x_range(lo, hi)
        .guide(Guide::horizontal(0.0).solid().colour(Colour::GREY))
        .points(Points::new(&centres, &pulls).marker(Marker::filled(Shape::Circle, Colour::BLACK).size(2.2)));
    let figure = Figure::new(name("DCfit")).title(&title);
    let figure =
        if fit.was_made() { figure.with_residuals(panel.clone(), residuals) } else { figure.panel(panel.clone()) };
    raw.report.figure(figure);

    if process.ratio_plot && fit.was_made() {
        let ratio: Vec<f64> = counts
            .iter()
            .zip(&fit.expected)
            .map(|(h, f)| if *h > 0.0 { 100.0 * (h - f) / h } else { f64::NAN })
            .collect();
        let below = Panel::new()
            .x(&x_label)
            .y("(Data−Model)/Data [x100]")
            .x_range(lo, hi)
            .guide(Guide::horizontal(0.0).solid().colour(Colour::GREY))
            .points(Points::new(&centres, &ratio).marker(Marker::filled(Shape::Circle, Colour::BLACK).size(2.2)));
        raw.report.figure(Figure::new(name("DCfit_ratio")).title(&title).with_residuals(panel, below));
    }
    let _ = (context, settings);
}

/// The pixel-charge distribution with the fitted function, for ROOT (spec 03 §1.9).
pub(super) fn root_objects(
    process: &FitDarkCurrentProcess,
    amplifier: &Amplifier,
    result: &DarkCurrentFit,
    unmasked: Option<&[f64]>,
) -> RootObjects {
    let fit = &result.fit;
    let unit = shown(unit_of_image(&process.image));
    let unit = unit.as_str();
    let range = (fit.histogram.lo(), fit.histogram.hi());
    let samples = (8 * fit.histogram.n_bins()).clamp(400, 4000);
    let at = |i: usize| fit.curve(range.0 + (range.1 - range.0) * i as f64 / samples as f64);
    let names = ["norm", "mu", "sigma", "lambda", "gain", "DCx", "DC0"];
    let function = fit.was_made().then(|| RootFunction {
        name: "fit".into(),
        values: (0..=samples).map(at).collect(),
        parameters: names.iter().zip(&fit.parameters).map(|(n, p)| ((*n).to_owned(), p.value, p.error)).collect(),
        chi2: fit.objective,
        ndf: fit.ndf,
        points: fit.used_bins,
    });
    let histogram = |name: &str, contents: Vec<f64>, function| {
        RootObject::Histogram(RootHistogram {
            name: name.into(),
            title: format!("pixel charge, amplifier {}", amplifier.name),
            axes: (format!("Pixel Charge [{unit}]"), "Counts".into()),
            range,
            contents,
            function,
        })
    };
    let mut objects = vec![histogram("pcd", fit.histogram.contents(), function)];
    if let Some(all) = unmasked
        && let Ok(before) = Counts::window(all, range.0, range.1, fit.histogram.n_bins())
    {
        objects.push(histogram("pcd_raw", before.contents(), None));
    }
    RootObjects { name: format!("FitDarkCurrentProcess_side{}", amplifier.name), objects }
}

fn fit_box(result: &DarkCurrentFit, unit: &str) -> Note {
    let fit = &result.fit;
    let mut note = Note::fit_results().chi2(fit.objective, fit.ndf.max(0) as usize);
    for (name, p) in [
        ("Norm".to_owned(), fit.norm()),
        (format!("μ₀ [{unit}]"), fit.mu0()),
        (format!("σ [{unit}]"), fit.sigma()),
        (format!("λ [{unit}/bin/img]"), fit.lambda()),
        (format!("gain [{unit}/e]"), fit.gain()),
    ] {
        note = note.value(name, p.value, p.error);
    }
    if !result.verdict().is_good() {
        note = note.line(format!("fit: {}", result.verdict().text())).colour(Colour::RED);
    }
    note
}

/// What the image is: amplifier, shape, binning, times.
fn frame_text(raw: &RawData, amplifier: &Amplifier) -> Vec<String> {
    let from_card = raw.header.integer("NSKIPS").and_then(|n| usize::try_from(n).ok());
    let skips = from_card.unwrap_or(raw.nskips);
    let skips = if skips == 1 && raw.ndcm > 1 { raw.ndcm } else { skips };
    let mut lines = vec![
        format!("CCD-{}", amplifier.name),
        format!("frame: {}x{}x{skips}", raw.rows, raw.cols),
        format!("bin: {}x{}x{skips}", raw.row_binning, raw.col_binning),
    ];
    if raw.times.exposure > 0.0 {
        lines.push(format!("t_exp={:.1}s", raw.times.exposure));
    }
    if raw.times.readout > 0.0 {
        lines.push(format!("t_read={:.1}s", raw.times.readout));
    }
    lines
}

/// Debug figure: rows and columns of the pixels far below zero, which no electron explains.
pub(super) fn draw_low_pixels(
    process: &FitDarkCurrentProcess,
    raw: &mut RawData,
    amplifier: &Amplifier,
    calibration: f64,
    sample: &Sample,
) {
    let Some((selection, name)) = &sample.selection else { return };
    let Some(image) = raw.images.get(name) else { return };
    let (mut rows, mut cols) = (vec![0.0; raw.rows], vec![0.0; raw.cols]);
    for ((row, col), q) in image.indexed_iter() {
        if *q < -calibration / 2.0 && selection.selects(row, col) {
            rows[row] += 1.0;
            cols[col] += 1.0;
        }
    }
    let panel = |label: &str, counts: Vec<f64>| {
        Panel::new().x(label).y("Counts").histogram(Histogram::uniform(-0.5, counts.len() as f64 - 0.5, counts))
    };
    let figure = Figure::new(format!("FitDarkCurrentProcess_low_pixels_{}", amplifier.name))
        .title(format!("Pixels of {} below {} [amplifier {}]", process.image, -calibration / 2.0, amplifier.name))
        .grid(1, 2)
        .size(10.0, 4.0)
        .panel(panel("row", rows))
        .panel(panel("column", cols))
        .intermediate();
    raw.report.figure(figure);
}
