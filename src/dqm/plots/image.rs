//! The plots of one image: noise versus skips, overscan peak, dark-current fit, pictures of the frame.

use std::sync::Arc;

use rayon::prelude::*;

use super::{small, wide};
use crate::dqm::catalogue::{self, Description};
use crate::dqm::elements::config::{ElementConfig, Elements};
use crate::dqm::model::{Entry, Extra, HistogramCounts, ImageRecord};
use crate::image::RawData;
use crate::plot::{
    Anchor, Colour, ColourRange, Figure, Guide, Histogram, ImagePlot, Legend, Line, Marker, Note, Palette, Panel,
    Points, RowOrigin, Shape, Stroke,
};

/// A plot of an image.
#[derive(Debug, Clone)]
pub struct ImageFigure {
    /// Id of its monitor element.
    pub id: u16,
    /// Amplifier; `None`: all of them.
    pub amplifier: Option<String>,
    /// Path relative to the directory of the run.
    pub path: String,
    /// The figure.
    pub figure: Figure,
}

/// The plots of an image. `stem`: name of its file without endings.
pub fn of_image(
    raw: &RawData,
    entries: &[(u16, Entry)],
    record: &ImageRecord,
    elements: &Elements,
    run: i64,
    stem: &str,
) -> Vec<ImageFigure> {
    let mut plots: Vec<ImageFigure> = entries
        .par_iter()
        .filter(|(id, e)| matches!(id, 3 | 60) && e.is_available())
        .filter_map(|(id, entry)| {
            let d = catalogue::by_id(*id)?;
            let a = &entry.amplifier;
            let (path, figure) = match id {
                3 => (format!("me/img/{stem}_amp{a}_{}.png", d.name), noise(d, entry, record)),
                _ => (format!("me/dcfit/{stem}_amp_{a}_{}.png", d.name), dark_current(d, entry, record)?),
            };
            Some(ImageFigure { id: *id, amplifier: Some(a.clone()), path, figure })
        })
        .collect();
    let peaks: Vec<&Entry> = entries.iter().filter(|(id, e)| *id == 42 && e.is_available()).map(|(_, e)| e).collect();
    if let (Some(d), false) = (catalogue::by_id(42), peaks.is_empty()) {
        let path = format!("me/pcd/{}_{stem}.png", d.name);
        plots.push(ImageFigure { id: 42, amplifier: None, path, figure: overscan_peak(d, &peaks, record) });
    }
    let pictures: Vec<ImageFigure> = entries
        .par_iter()
        .filter(|(id, e)| (70..=73).contains(id) && e.is_available())
        .filter_map(|(id, _)| {
            let config = elements.get(*id)?;
            let path = format!("me/img/file_{stem}_run{run}_{}.png", config.description.file_stem());
            let figure = picture(raw, config, record, run)?;
            Some(ImageFigure { id: *id, amplifier: None, path, figure })
        })
        .collect();
    plots.extend(pictures);
    plots
}

/// What the frame is, as lines of text.
fn facts(record: &ImageRecord) -> Vec<String> {
    let mut lines = vec![
        format!("frame: {}×{}×{}", record.nrows, record.ncols, record.nskips),
        format!("bin: {}×{}×{}", record.npbin, record.nsbin, record.nskips),
    ];
    if record.texp.is_finite() {
        lines.push(format!("t_{{exp}} {} s", crate::dqm::quality::short(record.texp)));
    }
    if record.tread.is_finite() {
        lines.push(format!("t_{{read}} {} s", crate::dqm::quality::short(record.tread)));
    }
    lines
}

/// Readout noise versus samples per pixel, logarithmic, with 1/√N.
pub fn noise(d: &Description, entry: &Entry, record: &ImageRecord) -> Figure {
    let x = entry.x.as_slice();
    let dots = Marker { face: Some(Colour::BLACK), ..Marker::open(Shape::Circle, Colour::BLACK) };
    let panel = Panel::new()
        .x(d.x_label())
        .y(d.y_label())
        .log_x()
        .log_y()
        .line(Line::new(x, entry.yfit.as_slice()).stroke(Stroke::new(Colour::RED).width(1.4).dashed()).label("1/√N"))
        .points(
            Points::new(x, entry.y.as_slice()).y_errors(entry.yerr.as_slice()).marker(dots.size(4.0)).label("overscan"),
        )
        .note(Note::new(Anchor::BottomLeft, facts(record)).grey());
    let image = record.number;
    small(d.name).title(d.title).title(format!("image {image}, amp {}", entry.amplifier)).panel(panel)
}

fn number(entry: &Entry, key: &str) -> f64 {
    match entry.extra.get(key) {
        Some(Extra::Number(x)) => *x,
        Some(Extra::Integer(n)) => *n as f64,
        _ => f64::NAN,
    }
}

fn edges(h: &HistogramCounts) -> Vec<f64> {
    (0..=h.counts.len()).map(|k| h.first_edge + k as f64 * h.width).collect()
}

/// The dark-current fit.
pub fn dark_current(d: &Description, entry: &Entry, record: &ImageRecord) -> Option<Figure> {
    let h = entry.histogram.as_ref()?;
    let edges = edges(h);
    let centres: Vec<f64> = edges.windows(2).map(|w| 0.5 * (w[0] + w[1])).collect();
    // Below half a count the curve would only stretch the axis.
    let fitted: Vec<f64> = entry.yfit.as_slice().iter().map(|y| if *y > 0.3 { *y } else { f64::NAN }).collect();
    let mut note = Note::fit_results().chi2(number(entry, "chi2"), number(entry, "ndf").max(0.0) as usize);
    for (name, key, unit) in [
        ("Norm", "norm", ""),
        ("μ_{0} [ADU]", "mu0", ""),
        ("σ [ADU]", "sigma", ""),
        ("λ [ADU/bin]", "lambda", ""),
        ("gain [ADU/e⁻]", "gain", ""),
    ] {
        note = note.value(format!("{name}{unit}"), number(entry, key), number(entry, &format!("{key}_err")));
    }
    let mut text = vec![format!("image {}", record.number), format!("CCD-{}", entry.amplifier)];
    text.extend(facts(record));
    let panel = Panel::new()
        .x(d.x_label())
        .y("counts")
        .log_y()
        .histogram(Histogram::new(&edges, h.counts.iter().map(|n| f64::from(*n)).collect::<Vec<_>>()))
        .line(Line::new(centres, fitted).stroke(Stroke::new(Colour::RED).width(2.5)))
        .note(note)
        .note(Note::new(Anchor::TopLeft, text).grey())
        .legend(Legend::hidden());
    Some(small(d.name).title(d.title).title(format!("[class {}]", d.name)).panel(panel))
}

/// The zero-electron peak of the overscan, one panel per amplifier.
pub fn overscan_peak(d: &Description, entries: &[&Entry], record: &ImageRecord) -> Figure {
    let mut figure = wide(d.name).title(d.title).title(format!("image {} ({})", record.number, record.file));
    figure.grid.cols = if entries.len() <= 3 { entries.len() } else { entries.len().div_ceil(2) };
    for entry in entries {
        let Some(h) = &entry.histogram else { continue };
        let edges = edges(h);
        let (a, mu, sigma) = (number(entry, "amplitude"), number(entry, "mu"), number(entry, "sigma"));
        let (low, high) = (edges[0], edges[edges.len() - 1]);
        let model = |x: f64| {
            let y = a * (-0.5 * ((x - mu) / sigma).powi(2)).exp();
            if y > 0.3 { y } else { f64::NAN }
        };
        let note = Note::fit_results()
            .chi2(number(entry, "chi2"), number(entry, "ndf").max(0.0) as usize)
            .entry("pixels", format!("{}", number(entry, "pixels")))
            .value("μ [ADU]", mu, number(entry, "mu_err"))
            .value("σ [ADU]", sigma, number(entry, "sigma_err"));
        let panel = Panel::new()
            .x(d.x_label())
            .y("counts")
            .log_y()
            .title(format!("amp {}", entry.amplifier))
            .histogram(Histogram::new(&edges, h.counts.iter().map(|n| f64::from(*n)).collect::<Vec<_>>()))
            .line(Line::function(low, high, 400, model))
            .note(note);
        figure = figure.panel(panel);
    }
    figure
}

/// The whole frame.
fn picture(raw: &RawData, config: &ElementConfig, record: &ImageRecord, run: i64) -> Option<Figure> {
    let d = config.description;
    let image = raw.image(&config.image).ok()?;
    let (palette, range, label) = match d.id {
        70 => (Palette::Jet, ColourRange::Full, "log_{10}(q − min + 1)"),
        71 => (Palette::YellowOrangeRedReversed, ColourRange::Percentiles { low: 1.0, high: 99.0 }, "charge [ADU]"),
        72 => {
            (Palette::YellowOrangeRedReversed, ColourRange::Percentiles { low: 1.0, high: 99.0 }, "std of skips [ADU]")
        }
        _ => (Palette::YellowOrangeRedReversed, ColourRange::Fixed { low: -0.5, high: 4.5 }, "charge [e⁻]"),
    };
    let values = if d.id == 70 {
        let lowest = image.iter().copied().filter(|q| q.is_finite()).fold(f64::INFINITY, f64::min);
        image.mapv(|q| (q - lowest + 1.0).log10())
    } else {
        image.clone()
    };
    let (rows, cols) = values.dim();
    let plot = ImagePlot {
        palette,
        range,
        origin: RowOrigin::Bottom,
        extent: Some([0.5, cols as f64 + 0.5, 0.5, rows as f64 + 0.5]),
        ..ImagePlot::new(Arc::new(values))
    }
    .colour_label(label);
    let mut panel = Panel::new()
        .x("columns")
        .y("rows")
        .integer_x()
        .integer_y()
        .x_range(0.5, cols as f64 + 0.5)
        .y_range(0.5, rows as f64 + 0.5)
        .image(plot);
    let mut limits: Vec<usize> = raw.amplifiers.iter().flat_map(|a| [a.active.cols.start, a.active.cols.end]).collect();
    limits.sort_unstable();
    limits.dedup();
    for at in limits {
        // Red alone disappears on a red map.
        let casing = Stroke::new(Colour::WHITE).width(2.6);
        panel = panel.guide(Guide::vertical(at as f64 + 0.5).stroke(casing));
        panel = panel.guide(Guide::vertical(at as f64 + 0.5).colour(Colour::RED));
    }
    let direction = raw.metadata.get("ampdir").map_or_else(|| "–".to_owned(), crate::fits::CardValue::to_text);
    let title = format!(
        "{} [run {run}, skips {}, binning {}×{}, VCKDIRN {}]",
        record.file,
        record.nskips,
        record.npbin,
        record.nsbin,
        direction.trim()
    );
    Some(wide(d.name).title(d.title).title(title).panel(panel))
}
