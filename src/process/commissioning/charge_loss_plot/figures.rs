//! The figure of ChargeLossPlot (spec 04 §5.3).

use super::{ChargeLossPlot, Shot, SkipCurves, equalised};
use crate::image::RawData;
use crate::plot::{Anchor, Axis, Colour, Guide, Histogram, ImagePlot, Palette, Panel, Points, Stroke};
use crate::process::Context;
use crate::process::commissioning::figure;
use crate::stats::robust;

/// Colours of mean, standard deviation and difference where there is one amplifier.
const CURVES: [Colour; 3] = [Colour::GREEN, Colour::ORANGE, Colour::SKY];
/// Side of a pane, inches.
const PANE: f64 = 4.0;

/// One of the curves of an amplifier.
type Curve = fn(&SkipCurves) -> &Vec<f64>;

/// Images, curves and pixel charge distribution.
pub(super) fn draw(
    process: &ChargeLossPlot,
    raw: &mut RawData,
    context: &Context<'_>,
    shots: &[Shot],
    curves: &[SkipCurves],
    baseline: usize,
) {
    let mut panels: Vec<Panel> = shots.iter().map(|shot| image_panel(process, shot)).collect();
    let means: [(&str, Curve); 3] = [
        ("mean(q_{ij}^{skip}) [ADU]", |c| &c.mean),
        ("std(q_{ij}^{skip}) [ADU]", |c| &c.std),
        ("mean(q^{skip=k} − q^{baseline}) [ADU]", |c| &c.difference),
    ];
    for (number, (label, values)) in means.into_iter().enumerate() {
        let mut panel = Panel::new().x("skip number").y(label).guide(Guide::vertical(baseline as f64));
        if number == 2 {
            panel = panel.guide(Guide::horizontal(0.0).dotted());
        }
        for (i, curve) in curves.iter().enumerate() {
            let several = curves.len() > 1;
            let colour = if several { Colour::series(i) } else { CURVES[number] };
            let y = values(curve);
            let size = if y.len() > 200 { 2.2 } else { 4.0 };
            let mut points =
                Points::indexed(y).colour(colour).size(size).joined(Stroke::new(colour.with_alpha(0.6)).width(0.6));
            if several {
                points = points.label(curve.amplifier.clone().unwrap_or_default());
            }
            panel = panel.points(points);
        }
        // the first skips are low, the baseline is often the last one: neither reaches the middle of the lower edge
        panels.push(panel.legend_at(Anchor::Bottom));
    }
    if let Some(image) = raw.images.get("mean_compressed") {
        let values: Vec<f64> = raw
            .amplifiers
            .iter()
            .flat_map(|a| a.active.view(image).iter().copied().filter(|x| x.is_finite()).collect::<Vec<_>>())
            .collect();
        panels.extend(charge_distribution(process, &values));
    }
    let side = (panels.len() as f64).sqrt().round().max(1.0) as usize;
    let cols = if side * side < panels.len() { side + 1 } else { side };
    let rows = panels.len().div_ceil(cols);
    let mut figure = figure(raw, context, "ChargeLossPlot".into(), "Charge non-conservation between skips")
        .grid(rows, cols)
        .size(PANE * 1.15 * cols as f64, PANE * rows as f64 + 0.6)
        .caption(
            "Single skips, the baseline skip, the compressed images and the differences to the baseline; mean and \
             spread of every skip; pixel charge distribution of the active region.",
        );
    for panel in panels {
        figure = figure.panel(panel);
    }
    raw.report.figure(figure);
}

fn image_panel(process: &ChargeLossPlot, shot: &Shot) -> Panel {
    let palette = if process.gray_palette { Palette::Gray } else { Palette::Bird };
    let plot = if process.histequ {
        ImagePlot::new(equalised(&shot.pixels)).palette(palette).range(0.0, 1.0).colour_label("equalised")
    } else if shot.is_difference {
        let plot = ImagePlot::new(shot.pixels.clone()).difference(5.0).colour_label("ADU");
        if process.gray_palette { plot.palette(Palette::Gray) } else { plot }
    } else {
        ImagePlot::new(shot.pixels.clone()).palette(palette).colour_label("ADU")
    };
    Panel::image_of(plot).title(shot.title.as_str()).x("column").y("row")
}

fn charge_distribution(process: &ChargeLossPlot, values: &[f64]) -> Option<Panel> {
    let [low, high] = process.pcd_charge_range;
    let fixed = usize::try_from(process.pcd_nbins).ok().filter(|n| *n > 1);
    let (low, high, bins) = match fixed {
        Some(bins) => (low, high, bins),
        None => {
            let (low, high) = robust::min_max(values)?;
            (low, if high > low { high } else { low + 1.0 }, 500)
        }
    };
    let counts = crate::stats::Histogram::window(values, low, high, bins).ok()?;
    let y = if process.pcd_ylog { Axis::new("counts").log().from(0.5) } else { Axis::new("counts") };
    let mut panel = Panel::new()
        .title("mean image, active region")
        .x("pixel charge [ADU]")
        .y_axis(y)
        .histogram(Histogram::uniform(low, high, counts.contents()).label(format!("{} pixels", values.len())))
        .legend_at(Anchor::TopRight);
    if fixed.is_some() {
        let tick = |i: i32| {
            let at = low + (high - low) * f64::from(i) / 4.0;
            (at, format!("{}", (at * 1e6).round() / 1e6))
        };
        panel.x = panel.x.range(low, high).ticks((0..5).map(tick));
    }
    Some(panel)
}
