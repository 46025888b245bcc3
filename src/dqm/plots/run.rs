//! The plots of a run.

use rayon::prelude::*;

use super::{run_histogram, run_scatter, wide};
use crate::dqm::catalogue::{self, Description, Scope};
use crate::dqm::elements::config::Elements;
use crate::dqm::model::{MonitorElement, Summary};
use crate::dqm::run::mask::Mask;
use crate::plot::{Colour, ColourRange, Figure, ImagePlot, Palette, Panel, RowOrigin};

/// A plot of a run.
#[derive(Debug, Clone)]
pub struct RunPlot {
    /// Id of its monitor element.
    pub id: u16,
    /// Path relative to the directory of the run.
    pub path: String,
    /// The same with number and name of version 7.2.
    pub v7_path: String,
    /// The figure; its caption is that of the element.
    pub figure: Figure,
}

/// All plots of a run, ascending ids. Elements without a result have none.
pub fn of_run(summary: &Summary, reference: Option<&Summary>, mask: Option<&Mask>) -> Vec<RunPlot> {
    let elements = serde_json::from_str::<serde_json::Value>(&summary.run.me_config)
        .ok()
        .and_then(|v| Elements::read("", v.get("monitoring_elements")?).ok())
        .unwrap_or_default();
    let mes: Vec<&MonitorElement> = summary.mes.values().collect();
    mes.par_iter().flat_map(|me| of_element(me, summary, reference, &elements, mask)).collect()
}

/// The plots of one monitor element.
pub fn of_element(
    me: &MonitorElement,
    summary: &Summary,
    reference: Option<&Summary>,
    elements: &Elements,
    mask: Option<&Mask>,
) -> Vec<RunPlot> {
    let Some(d) = catalogue::by_id(me.id) else { return Vec::new() };
    let theirs = reference.and_then(|r| r.element(me.id).map(|me| (r.run.number, me)));
    let config = elements.any(me.id);
    let with_errors = config.is_some_and(|c| c.plot_with_yerrors);
    let stacked = config.is_some_and(|c| c.truth("do_stacked_hist"));
    let mut plots = Vec::new();
    let mut add = |suffix: &str, figure: Option<Figure>| {
        if let Some(figure) = figure {
            let directory = d.room.directory();
            let (path, v7_path) = match d.scope {
                Scope::M => (format!("{directory}/{}_mask.png", d.name), format!("{directory}/MEDefectsMask_mask.png")),
                _ => (
                    format!("{directory}/{}{suffix}.png", d.file_stem()),
                    format!("{directory}/{}{suffix}.png", d.v7_file_stem()),
                ),
            };
            plots.push(RunPlot { id: d.id, path, v7_path, figure: figure.caption(&me.caption) });
        }
    };
    match d.scope {
        Scope::R | Scope::C if d.id == 2 => {
            add("", run_histogram::stacked_counts(me));
            add("_median", run_scatter::medians(me));
        }
        Scope::R | Scope::C => {
            add("", run_scatter::all_images(me, theirs, with_errors));
            add("_median", run_scatter::medians(me));
        }
        Scope::K => add("", run_scatter::all_images(me, theirs, with_errors)),
        Scope::S => add("", run_scatter::numbers(me, theirs, ranges(config, summary, me))),
        Scope::H if !matches!(d.id, 42 | 60) => add("", run_histogram::outlines(me, theirs, summary, stacked)),
        Scope::M => add("", mask.map(|m| mask_figure(d, m))),
        Scope::H | Scope::I => {}
    }
    plots
}

/// Title lines of a plot.
pub(super) fn titled(figure: Figure, me: &MonitorElement) -> Figure {
    let name = catalogue::by_id(me.id).map_or("", |d| d.name);
    figure.title(me.title.clone()).title(format!("[class {name}]"))
}

/// Allowed ranges of a scalar: (amplifier or empty, low, high).
fn ranges(
    config: Option<&crate::dqm::elements::config::ElementConfig>,
    summary: &Summary,
    me: &MonitorElement,
) -> Vec<(f64, f64)> {
    let ccd = summary.images.first().map_or(1, |i| i.ccd);
    let Some(config) = config else { return Vec::new() };
    let mut found: Vec<(f64, f64)> =
        me.amplifiers().into_iter().filter_map(|a| config.tests.range(ccd, std::iter::once(a))).collect();
    found.dedup();
    found
}

fn mask_figure(d: &Description, mask: &Mask) -> Figure {
    let bits = mask.bits.mapv(f64::from);
    let flags = bits.mapv(|b| if b > 0.0 { 1.0 } else { 0.0 });
    let extent = {
        let (rows, cols) = flags.dim();
        [0.5, cols as f64 + 0.5, 0.5, rows as f64 + 0.5]
    };
    let panel = |image: ImagePlot, title: String| {
        let image = ImagePlot { origin: RowOrigin::Bottom, extent: Some(extent), ..image };
        Panel::new().x("column").y("row").integer_x().integer_y().title(title).image(image)
    };
    let images = mask.images;
    let fraction = ImagePlot {
        palette: Palette::Viridis,
        range: ColourRange::Fixed { low: 0.0, high: 1.0 },
        ..ImagePlot::new(mask.fraction.clone())
    }
    .colour_label("fraction of images");
    let flags = ImagePlot {
        palette: Palette::Custom(vec![Colour::hex(0xf3f3f0), Colour::hex(0x8a1538)]),
        range: ColourRange::Fixed { low: 0.0, high: 1.0 },
        steps: Some(2),
        ..ImagePlot::new(flags)
    }
    .without_colour_bar();
    let listed: Vec<String> = mask
        .amplifiers
        .iter()
        .map(|a| {
            format!(
                "amp {}: {} pixels, {} hot rows, {} hot columns",
                a.name,
                a.masked,
                a.hot_rows.len(),
                a.hot_cols.len()
            )
        })
        .collect();
    wide(d.name)
        .title(d.title)
        .title(format!("[class {}]", d.name))
        .title(listed.join("; "))
        .grid(1, 2)
        .panel(panel(fraction, format!("outlying in {images} images")))
        .panel(panel(flags, format!("masked: {} pixels", mask.masked)))
}
