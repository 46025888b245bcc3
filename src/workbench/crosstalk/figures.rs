//! Figures of the cross-talk tool (spec 03 §6).

use ndarray::Array2;

use super::measure::{Coefficient, Matrix};
use super::module::Module;
use crate::plot::{
    Anchor, Axis, Band, Colour, DataText, Figure, Guide, Histogram, ImagePlot, Line, Marker, Note, Palette, Panel,
    Points, Shape,
};
use crate::stats::histogram;
use crate::stats::robust::min_max;

/// Coefficients are shown in this unit.
const UNIT: f64 = 1e-4;
/// Charge axis of the spectra, e⁻, and its bins.
const SPECTRUM: (f64, f64, usize) = (-2.0, 2.5, 225);

/// What the figures need to know besides the data.
#[derive(Debug, Clone, PartialEq)]
pub struct Context {
    /// Beginning of the names, e.g. `crosstalk_ACM-5_lag_00`.
    pub prefix: String,
    /// Title, e.g. `module 5`.
    pub title: String,
    /// Upper end of the charge of the seeds, e⁻.
    pub charge: f64,
    /// Show coefficients minus null coefficients in the matrix.
    pub from_null: bool,
}

/// Coefficient by energy, one panel per pair.
pub fn alpha_vs_energy(matrix: &Matrix, context: &Context) -> Figure {
    let n = matrix.labels.len();
    let mut figure = Figure::new(format!("{}_alpha_vs_energy", context.prefix))
        .title(format!("Cross-talk by charge, {}", context.title))
        .grid(n, n.saturating_sub(1))
        .size(4.2 * n.saturating_sub(1) as f64, 3.2 * n as f64);
    for (dst, src, c) in matrix.pairs() {
        let used: Vec<_> = c.bins.iter().filter(|b| b.seeds > 0).collect();
        let column = |f: &dyn Fn(&super::measure::EnergyBin) -> f64| used.iter().map(|b| f(b)).collect::<Vec<f64>>();
        let charges = column(&|b| b.mean_charge);
        let (first, last) = min_max(&charges).unwrap_or((0.0, context.charge));
        // room for the number of seeds of the last bin
        let margin = 0.07 * (last - first).max(1.0);
        let panel = Panel::new()
            .x_range(first - margin, last + 2.0 * margin)
            .title(format!("{} ← {}", matrix.labels[dst], matrix.labels[src]))
            .x("seed charge [e⁻]")
            .y("α [10^{−4}]")
            .band(Band::new(column(&|b| b.mean_charge), column(&|b| b.p68.0 / UNIT), column(&|b| b.p68.1 / UNIT)))
            .points(
                Points::new(column(&|b| b.mean_charge), column(&|b| b.alpha / UNIT)).y_errors_asymmetric(
                    column(&|b| (b.alpha - b.p68.0) / UNIT),
                    column(&|b| (b.p68.1 - b.alpha) / UNIT),
                ),
            )
            .guide(Guide::horizontal(c.alpha / UNIT).colour(Colour::RED))
            .text(
                DataText::new(used.iter().map(|b| (b.mean_charge, b.alpha / UNIT, b.seeds.to_string())))
                    .size(7.0)
                    .shift(9.0, 5.0),
            )
            .note(
                Note::new(Anchor::TopRight, [format!("α/α_{{null}} = {}", signed(format!("{:.1}", c.alpha / c.null)))])
                    .size(7.0),
            );
        figure = figure.panel(panel);
    }
    figure
}

/// The seeds of each source in each destination, with the lines α·x + n for n = 0, 1, 2 e⁻.
pub fn visual_summary(module: &Module, matrix: &Matrix, context: &Context, lag: (i64, i64)) -> Figure {
    let n = matrix.labels.len();
    let mut figure = Figure::new(format!("{}_visual_xtalk_summary", context.prefix))
        .title(format!("Charge seen in one channel against that of the other, {}", context.title))
        .grid(n, n)
        .size(3.6 * n as f64, 3.0 * n as f64);
    for dst in 0..n {
        for src in 0..n {
            let mut panel = Panel::new()
                .x(format!("{} [e⁻]", matrix.labels[src]))
                .y(format!("{} [e⁻]", matrix.labels[dst]))
                .x_range(0.0, context.charge)
                .y_range(-2.0, 2.0)
                .at(dst, src);
            match &matrix.coefficients[dst][src] {
                Some(c) => {
                    let (x, y) = seen(module, dst, src, lag);
                    let dots = Marker::filled(Shape::Circle, Colour::BLUE.with_alpha(0.4)).size(1.2);
                    panel = panel.points(Points::new(x, y).marker(dots));
                    for level in 0..3 {
                        let line = |slope: f64| {
                            Line::function(0.0, context.charge, 2, move |x| slope * x + f64::from(level)).width(0.8)
                        };
                        panel = panel.line(line(c.alpha)).line(line(c.correction()).dashed().colour(Colour::ORANGE));
                    }
                }
                None => panel = panel.note(Note::new(Anchor::Top, [matrix.labels[src].clone()])),
            }
            figure = figure.panel(panel);
        }
    }
    figure
}

/// Charges of the seeds of `src` and what `dst` shows there.
fn seen(module: &Module, dst: usize, src: usize, lag: (i64, i64)) -> (Vec<f64>, Vec<f64>) {
    let mut points = (Vec::new(), Vec::new());
    for frame in &module.frames {
        let image = &frame.images[dst];
        for seed in &frame.seeds[src] {
            let (row, col) = (seed.row as i64 + lag.0, seed.col as i64 + lag.1);
            let target = usize::try_from(row).ok().zip(usize::try_from(col).ok());
            if let Some(q) = target.and_then(|at| image.get(at)) {
                points.0.push(seed.charge);
                points.1.push(*q);
            }
        }
    }
    points
}

/// The matrix of coefficients with intervals and numbers of seeds.
pub fn global_alpha(matrix: &Matrix, context: &Context) -> Figure {
    let n = matrix.labels.len();
    let shown = |c: &Coefficient| if context.from_null { c.alpha - c.null } else { c.alpha };
    let values = matrix.map(|c| shown(c) / UNIT);
    let image = Array2::from_shape_fn((n, n), |(dst, src)| values[dst][src]);
    let texts = matrix.pairs().map(|(dst, src, c)| {
        let (mut down, mut up) = (c.alpha - c.p68.0, c.p68.1 - c.alpha);
        if context.from_null {
            (down, up) = (down.hypot(c.null_p68.1 - c.null), up.hypot(c.null - c.null_p68.0));
        }
        let value = signed(format!("{:.3}", shown(c) / UNIT));
        (src as f64, dst as f64, format!("{value} +{:.3} −{:.3}  (n = {})", up / UNIT, down / UNIT, c.kept))
    });
    let ticks = |labels: &[String]| labels.iter().cloned().enumerate().map(|(k, l)| (k as f64, l)).collect::<Vec<_>>();
    let what = if context.from_null { "α − α_{null}" } else { "α" };
    // the same colour for the same size of either sign
    let largest = values.iter().flatten().filter(|v| v.is_finite()).fold(0.0, |m: f64, v| m.max(v.abs()));
    let largest = if largest > 0.0 { largest } else { 1.0 };
    let plot = ImagePlot::new(image)
        .range(-largest, largest)
        .palette(Palette::Diverging)
        .colour_label(format!("{what} [10^{{−4}}]"));
    let panel = Panel::image_of(plot)
        .x_axis(Axis::new("source").ticks(ticks(&matrix.labels)))
        .y_axis(Axis::new("destination").ticks(ticks(&matrix.labels)).reversed())
        .text(DataText::new(texts).size(8.0).halo());
    Figure::new(format!("{}_global_alpha", context.prefix))
        .title(format!("Cross-talk coefficients, {}", context.title))
        .size(2.4 * n as f64 + 1.5, 1.6 * n as f64 + 1.0)
        .panel(panel)
}

/// A number with a minus sign instead of a hyphen.
fn signed(number: String) -> String {
    number.replace('-', "−")
}

/// What is subtracted from a channel at the seeds of the others.
pub fn correction_vs_charge(module: &Module, matrix: &Matrix, context: &Context) -> Figure {
    let n = matrix.labels.len();
    let mut figure = Figure::new(format!("{}_correction_vs_charge", context.prefix))
        .title(format!("Correction at the seeds of the other channels, {}", context.title))
        .grid(1, n)
        .size(4.2 * n as f64, 3.6);
    for dst in 0..n {
        let mut panel = Panel::new()
            .title(matrix.labels[dst].clone())
            .x("seed charge in the source [e⁻]")
            .y("correction [e⁻]")
            .guide(Guide::horizontal(0.0).solid().colour(Colour::GREY));
        for (_, src, c) in matrix.pairs().filter(|(d, _, _)| *d == dst) {
            let charges: Vec<f64> = module.frames.iter().flat_map(|f| f.seeds[src].iter().map(|s| s.charge)).collect();
            let corrections = charges.iter().map(|q| -c.correction() * q).collect::<Vec<_>>();
            let dots = Marker::filled(Shape::Circle, Colour::series(src)).size(1.5);
            panel = panel.points(Points::new(charges, corrections).marker(dots).label(matrix.labels[src].clone()));
        }
        figure = figure.panel(panel);
    }
    figure
}

/// Charge distributions before and after the correction.
pub fn spectra(before: &[Array2<f64>], after: &[Array2<f64>], labels: &[String], context: &Context) -> Figure {
    let (lo, hi, n_bins) = SPECTRUM;
    let n = labels.len();
    let mut figure = Figure::new(format!("{}_pcd", context.prefix))
        .title(format!("Pixel charge before and after the correction, {}", context.title))
        .grid(1, n)
        .size(4.4 * n as f64, 3.8);
    for channel in 0..n {
        let mut panel = Panel::new()
            .title(labels[channel].clone())
            .x("pixel charge [e⁻]")
            .y_axis(Axis::new("counts").log().from(0.5))
            .x_range(lo, hi);
        for (image, label, colour) in
            [(&before[channel], "before", Colour::BLACK), (&after[channel], "after", Colour::RED)]
        {
            let values: Vec<f64> = image.iter().copied().filter(|q| q.is_finite()).collect();
            if let Ok(bins) = histogram::Histogram::window(&values, lo, hi, n_bins) {
                panel = panel.histogram(Histogram::uniform(lo, hi, bins.contents()).colour(colour).label(label));
            }
        }
        figure = figure.panel(panel);
    }
    figure
}
