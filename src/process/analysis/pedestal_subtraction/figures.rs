//! Figures of PedestalSubtractionProcess (spec 02 §4.8).

use ndarray::Array2;

use super::{LineEstimate, PedestalSubtractionProcess, Selection, Used};
use crate::image::root_objects::{RootGraph, RootObject, RootObjects};
use crate::image::{Amplifier, RawData};
use crate::plot::{Anchor, Colour, Figure, Guide, Histogram, ImagePlot, Line, Marker, Note, Panel, Points, Shape};
use crate::process::Context;
use crate::process::analysis::products::{Axis, PedestalAxis};
use crate::stats::robust::{self, Location, SigmaClip};

/// Most lines whose fits are overlaid or drawn one by one.
const MAX_FIT_PAGES: usize = 5000;

/// Everything that is drawn for one amplifier.
#[allow(clippy::too_many_arguments)]
pub(super) fn draw(
    process: &PedestalSubtractionProcess,
    raw: &mut RawData,
    context: &Context<'_>,
    input: &Array2<f64>,
    output: &Array2<f64>,
    axes: &[PedestalAxis],
    selections: &[(Axis, Selection, Vec<LineEstimate>)],
    used: Used,
) {
    let amplifier = raw.amplifiers[context.amplifier].clone();
    let file = raw.source.label.clone();
    let mut chain = raw.chain.clone();
    chain.push(context.entry.tag.to_owned());
    let name = |what: &str| format!("PedestalSubtractionProcess_{what}_{}", amplifier.name);
    let mut figures = Vec::new();

    for (position, axis) in axes.iter().enumerate() {
        // Rows and columns of axis `both` must not overwrite each other.
        let suffix = if position > 0 { "_col" } else { "" };
        figures.push(along_axis(
            &name(&format!("Baseline{suffix}")),
            axis,
            &axis.mu,
            &axis.mu_error,
            "Baseline (ADUs)",
            &amplifier,
        ));
        figures.push(along_axis(
            &name(&format!("Sigma{suffix}")),
            axis,
            &axis.sigma,
            &axis.sigma_error,
            "Sigma (ADUs)",
            &amplifier,
        ));
        figures.push(with_mean_and_median(&name(&format!("mu_lines{suffix}")), axis, &axis.mu, "μ", &file, &chain));
        figures.push(with_mean_and_median(
            &name(&format!("sigma_lines{suffix}")),
            axis,
            &axis.sigma,
            "σ",
            &file,
            &chain,
        ));
    }
    figures.push(before_and_after(&name("image"), input, output, axes, &amplifier).titles(
        "Pedestal Subtracted Image",
        &file,
        &chain,
    ));
    if let Some((_, selection, _)) = selections.first() {
        figures.push(pixels_used(&name("mask"), input, selection, &amplifier, used));
    }
    if context.common.display {
        for axis in [Axis::Row, Axis::Col] {
            figures.push(residual_charge(&name(&format!("MedianCharge_{}", axis.name())), output, axis, &amplifier));
        }
    }
    if process.show_fit {
        figures.extend(overlaid_fits(&name("gauss"), input, selections, process, axes));
    }
    if context.common.debug {
        figures.extend(fit_pages(&name("fits"), input, selections, process, used));
    }
    for figure in figures {
        raw.report.figure(figure);
    }
}

/// Baseline and σ along the axes as graphs, for ROOT (spec 02 §4.8).
pub(super) fn root_objects(amplifier: &Amplifier, axes: &[PedestalAxis]) -> RootObjects {
    let mut objects = Vec::new();
    for (position, axis) in axes.iter().enumerate() {
        let suffix = if position > 0 { "_col" } else { "" };
        for (name, label, y, y_errors) in [
            ("baseline_adus", "Baseline (ADUs)", &axis.mu, &axis.mu_error),
            ("sigma_adus", "Sigma (ADUs)", &axis.sigma, &axis.sigma_error),
        ] {
            objects.push(RootObject::Graph(RootGraph {
                name: format!("{name}{suffix}"),
                title: format!("amplifier {}", amplifier.name),
                axes: (axis.axis.name().into(), label.into()),
                x: line_numbers(axis),
                y: y.clone(),
                x_errors: Vec::new(),
                y_errors: y_errors.clone(),
            }));
        }
    }
    RootObjects { name: format!("PedestalSubtractionProcess_side{}_all_params", amplifier.name), objects }
}

fn line_numbers(axis: &PedestalAxis) -> Vec<f64> {
    (0..axis.mu.len()).map(|i| (axis.first + i) as f64).collect()
}

/// A quantity along the axis with its errors.
fn along_axis(
    name: &str,
    axis: &PedestalAxis,
    values: &[f64],
    errors: &[f64],
    label: &str,
    amplifier: &Amplifier,
) -> Figure {
    let points = Points::new(line_numbers(axis), values).y_errors(errors);
    let panel = Panel::new().x(axis.axis.name()).y(label).integer_x().points(points);
    Figure::new(name).title(format!("amplifier {}", amplifier.name)).panel(panel)
}

/// A quantity along the axis with its mean and median.
fn with_mean_and_median(
    name: &str,
    axis: &PedestalAxis,
    values: &[f64],
    symbol: &str,
    file: &str,
    chain: &[String],
) -> Figure {
    let finite: Vec<f64> = values.iter().copied().filter(|x| x.is_finite()).collect();
    let mut panel = Panel::new().x(axis.axis.name()).y(format!("{symbol} [ADUs]")).integer_x();
    panel = panel.points(Points::new(line_numbers(axis), values));
    if !finite.is_empty() {
        let (mean, median) = (robust::mean(&finite), robust::median(&finite));
        panel = panel
            .guide(Guide::horizontal(mean).dotted().colour(Colour::GREEN).label(format!("mean {mean:.4} ADUs")))
            .guide(Guide::horizontal(median).colour(Colour::ORANGE).label(format!("median {median:.4} ADUs")));
    }
    Figure::new(name).titles(&format!("{symbol} as a function of {}", axis.axis.name()), file, chain).panel(panel)
}

/// The image before and after, and the pedestal that was subtracted.
fn before_and_after(
    name: &str,
    input: &Array2<f64>,
    output: &Array2<f64>,
    axes: &[PedestalAxis],
    amplifier: &Amplifier,
) -> Figure {
    let full = &amplifier.full;
    let part = |image: &Array2<f64>| full.view(image).to_owned();
    let edges = |plot: ImagePlot| {
        plot.extent(
            full.cols.start as f64 - 0.5,
            full.cols.end as f64 - 0.5,
            full.rows.start as f64 - 0.5,
            full.rows.end as f64 - 0.5,
        )
        .colour_label("ADU")
    };
    let image = |title: &str, pixels: &Array2<f64>| {
        Panel::image_of(edges(ImagePlot::new(part(pixels)))).title(title).x("columns").y("rows")
    };
    let mut panels = vec![image("raw data", input), image("after pedestal subtraction", output)];
    for axis in axes.iter().filter(|a| a.axis != Axis::Frame) {
        let finite: Vec<f64> = axis.mu.iter().copied().filter(|x| x.is_finite()).collect();
        let mut panel = Panel::new().x(axis.axis.name()).y("pedestal [ADUs]").integer_x();
        panel = panel.points(Points::new(line_numbers(axis), &axis.mu));
        if !finite.is_empty() {
            panel = panel.guide(Guide::horizontal(robust::median(&finite)).dotted());
        }
        panels.push(panel);
    }
    let count = panels.len();
    let mut figure = Figure::new(name).grid(1, count).size(5.2 * count as f64, 4.6);
    for panel in panels {
        figure = figure.panel(panel);
    }
    figure
}

/// The image used for the estimate; removed pixels white.
fn pixels_used(name: &str, input: &Array2<f64>, selection: &Selection, amplifier: &Amplifier, used: Used) -> Figure {
    let full = &amplifier.full;
    let (r0, c0) = (full.rows.start, full.cols.start);
    let pixels = full.view(input).to_owned();
    let mask = Array2::from_shape_fn(pixels.dim(), |(r, c)| !selection.selects(input, r0 + r, c0 + c));
    let plot = ImagePlot::new(pixels)
        .mask(mask)
        .extent(c0 as f64 - 0.5, full.cols.end as f64 - 0.5, r0 as f64 - 0.5, full.rows.end as f64 - 0.5)
        .colour_label("ADU");
    let cut = match selection.cut() {
        Some(_) => format!("masked pixels ({}): (q_ij − <q_ij>) > {} × MAD", selection.n_outliers, used.n_mad),
        None => "no outlier mask".to_owned(),
    };
    let place = if used.in_overscan { "overscan" } else { "active region" };
    Figure::new(name)
        .title(format!("Image Used to Estimate the pedestal ({place}, amplifier {})", amplifier.name))
        .title(cut)
        .panel(Panel::image_of(plot).x("columns").y("rows"))
}

/// Median and clipped mean of the subtracted image along one axis.
fn residual_charge(name: &str, output: &Array2<f64>, axis: Axis, amplifier: &Amplifier) -> Figure {
    let active = &amplifier.active;
    let part = active.view(output);
    let lanes = part.axis_iter(ndarray::Axis(if axis == Axis::Row { 0 } else { 1 }));
    let first = if axis == Axis::Row { active.rows.start } else { active.cols.start };
    let (mut index, mut medians, mut means) = (Vec::new(), Vec::new(), Vec::new());
    for (i, lane) in lanes.enumerate() {
        let values: Vec<f64> = lane.iter().copied().filter(|x| x.is_finite()).collect();
        if values.is_empty() {
            continue;
        }
        index.push((first + i) as f64);
        medians.push(robust::median(&values));
        let (centre, spread) = robust::trimmed_mean_and_std(&values, 0.1);
        let inside: Vec<f64> = values.iter().copied().filter(|x| (x - centre).abs() <= 5.0 * spread).collect();
        let clipped = robust::sigma_clip(&inside, SigmaClip { centre: Location::Mean, ..SigmaClip::default() });
        means.push(robust::mean(&clipped.values));
    }
    let panel = Panel::new()
        .x(axis.name())
        .y("pixel charge [ADU]")
        .integer_x()
        .points(Points::new(&index, &medians).marker(Marker::filled(Shape::Square, Colour::BLACK)).label("median"))
        .points(Points::new(&index, &means).marker(Marker::open(Shape::Circle, Colour::RED)).label("5σ-clipped mean"));
    Figure::new(name).title(format!("amplifier {}", amplifier.name)).panel(panel).intermediate()
}

/// Lines whose fits are drawn: those of `DEBUG_ROWS`, or all.
fn lines_drawn(process: &PedestalSubtractionProcess, first: usize, lines: usize) -> impl Iterator<Item = usize> {
    let [from, to] = process.debug_rows.unwrap_or([0, usize::MAX]);
    (0..lines).filter(move |i| (from..=to).contains(&(first + i))).take(MAX_FIT_PAGES)
}

fn histogram_of(values: &[f64], n_bins: usize) -> Option<(f64, f64, Vec<f64>)> {
    let (lo, hi) = robust::min_max(values).filter(|(lo, hi)| lo < hi)?;
    let histogram = crate::stats::histogram::Histogram::corrected(values, lo, hi, n_bins.max(1)).ok()?;
    Some((lo, hi, histogram.contents()))
}

fn line_values(input: &Array2<f64>, selection: &Selection, axis: Axis, line: usize) -> Vec<f64> {
    let full = &selection.full;
    match axis {
        Axis::Row => selection.values(input, line..line + 1, full.cols.clone()),
        Axis::Col => selection.values(input, full.rows.clone(), line..line + 1),
        Axis::Frame => selection.values(input, full.rows.clone(), full.cols.clone()),
    }
}

/// All fits over their normalised histograms, one colour per line.
fn overlaid_fits(
    name: &str,
    input: &Array2<f64>,
    selections: &[(Axis, Selection, Vec<LineEstimate>)],
    process: &PedestalSubtractionProcess,
    axes: &[PedestalAxis],
) -> Option<Figure> {
    let (axis, selection, estimates) = selections.first()?;
    let first = axes.first()?.first;
    let mut panel = Panel::new().x("ADUs").y("density").log_y();
    let single = estimates.len() == 1;
    for i in lines_drawn(process, first, estimates.len()) {
        let Some(fit) = estimates[i].fit.filter(|f| f.is_fitted()) else { continue };
        let values = line_values(input, selection, *axis, first + i);
        let Some((lo, hi, counts)) = histogram_of(&values, fit.n_bins) else { continue };
        let width = (hi - lo) / counts.len() as f64;
        let total: f64 = counts.iter().sum();
        let scale = 1.0 / (total * width);
        let colour = if single { Colour::BLACK } else { Colour::series(i) };
        let centres: Vec<f64> = (0..counts.len()).map(|b| lo + (b as f64 + 0.5) * width).collect();
        panel = panel
            .points(
                Points::new(&centres, counts.iter().map(|c| if *c > 0.0 { c * scale } else { f64::NAN }))
                    .marker(Marker::filled(Shape::Circle, colour).size(2.0)),
            )
            .line(
                Line::function(lo, hi, 200, |x| {
                    fit.amplitude * scale * (-0.5 * ((x - fit.mu) / fit.sigma).powi(2)).exp()
                })
                .colour(colour)
                .dashed(),
            );
    }
    let smallest = 0.5 / selection.region.len().max(1) as f64;
    Some(
        Figure::new(name)
            .title("Gaussian fit to the zero-charge pixel distribution")
            .title(format!("(over {})", axis.name()))
            .panel(panel.y_axis(crate::plot::Axis::new("density").log().from(smallest)))
            .intermediate(),
    )
}

/// One page per line: its histogram and the fitted curve.
fn fit_pages(
    name: &str,
    input: &Array2<f64>,
    selections: &[(Axis, Selection, Vec<LineEstimate>)],
    process: &PedestalSubtractionProcess,
    used: Used,
) -> Option<Figure> {
    let (axis, selection, estimates) = selections.first()?;
    let first = match axis {
        Axis::Row => selection.full.rows.start,
        Axis::Col => selection.full.cols.start,
        Axis::Frame => 0,
    };
    let mut pages = lines_drawn(process, first, estimates.len()).filter_map(|i| {
        let fit = estimates[i].fit?;
        let values = line_values(input, selection, *axis, first + i);
        let (lo, hi, counts) = histogram_of(&values, fit.n_bins)?;
        let mut panel = Panel::new()
            .x(if used.in_overscan { "pixel charge [in ovs] (ADU)" } else { "pixel charge [in active] (ADU)" })
            .y("counts")
            .histogram(Histogram::uniform(lo, hi, counts));
        if fit.amplitude.is_finite() && fit.sigma > 0.0 {
            panel = panel
                .line(Line::function(lo, hi, 400, |x| {
                    fit.amplitude * (-0.5 * ((x - fit.mu) / fit.sigma).powi(2)).exp()
                }))
                .note(
                    Note::fit_results()
                        .at(Anchor::TopRight)
                        .chi2(fit.chi2, fit.ndf.max(0) as usize)
                        .value("μ [ADU]", fit.mu, fit.mu_error)
                        .value("σ [ADU]", fit.sigma, fit.sigma_error),
                );
        }
        Some(Figure::new(name).title(format!("{} {}", axis.name(), first + i)).panel(panel).intermediate())
    });
    let mut figure = pages.next()?;
    for page in pages {
        figure = figure.page(page);
    }
    Some(figure)
}
