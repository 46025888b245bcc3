//! The figure of ChargeLossPlot (spec 04 §5.3).

use super::{ChargeLossPlot, Shot, SkipCurves, equalised};
use crate::image::RawData;
use crate::plot::{
    Anchor, Axis, Colour, Guide, Histogram, ImagePlot, Palette, Panel, Points, Stroke, value_with_error,
};
use crate::process::Context;
use crate::process::commissioning::figure;
use crate::stats::robust;

/// Colours of mean, standard deviation and difference where there is one amplifier.
const CURVES: [Colour; 3] = [Colour::GREEN, Colour::ORANGE, Colour::SKY];
/// Bins of the pixel charge distribution between the smallest and the largest value, and empty ones on either side.
const BINS: usize = 500;
const MARGIN: usize = 10;
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
        // the axis grows so that the points pass below
        panels.push(panel.legend_at(Anchor::Top));
    }
    if let Some(image) = raw.images.get("mean_compressed") {
        let values: Vec<f64> = raw
            .amplifiers
            .iter()
            .flat_map(|a| a.active.view(image).iter().copied().filter(|x| x.is_finite()).collect::<Vec<_>>())
            .collect();
        if let Some((panel, inside)) = charge_distribution(process, &values) {
            panels.push(panel);
            if inside == 0
                && let Some((least, most)) = robust::min_max(&values)
            {
                let [low, high] = process.pcd_charge_range;
                raw.report.warn(format!(
                    "no pixel of the mean image lies in `pcd_charge_range` [{low}, {high}] ADU: they reach from {least:.2} to \
                     {most:.2} ADU"
                ));
            }
        }
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

/// The distribution of the pixel values, and how many of them lie in its range.
fn charge_distribution(process: &ChargeLossPlot, values: &[f64]) -> Option<(Panel, u64)> {
    let [low, high] = process.pcd_charge_range;
    let fixed = usize::try_from(process.pcd_nbins).ok().filter(|n| *n > 1);
    let (low, high, bins) = match fixed {
        Some(bins) => (low, high, bins),
        None => {
            let (low, high) = robust::min_max(values)?;
            // the smallest and the largest value lie in bins of their own beside the frame
            let (width, between) = if high > low { ((high - low) / BINS as f64, BINS) } else { (0.1, 0) };
            let low = low - (MARGIN as f64 + 0.5) * width;
            let bins = between + 2 * MARGIN + 1;
            (low, low + bins as f64 * width, bins)
        }
    };
    let counts = crate::stats::Histogram::corrected(values, low, high, bins).ok()?;
    let inside = counts.counts().iter().sum::<u64>();
    let label = if inside as usize == values.len() {
        format!("{inside} pixels")
    } else {
        format!("{inside} of {} pixels", values.len())
    };
    let y = if process.pcd_ylog { Axis::new("counts").log().from(0.5) } else { Axis::new("counts") };
    let mut panel = Panel::new()
        .title("mean image, active region")
        .x("pixel charge [ADU]")
        .y_axis(y)
        .x_range(low, high)
        .histogram(Histogram::uniform(low, high, counts.contents()).label(label))
        .legend_at(Anchor::TopRight);
    if fixed.is_some() {
        let tick = |i: i32| {
            let at = low + (high - low) * f64::from(i) / 4.0;
            (at, value_with_error(at, f64::NAN))
        };
        panel.x = panel.x.ticks((0..5).map(tick));
    }
    Some((panel, inside))
}
