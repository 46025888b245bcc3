//! Figures of `view`.

use ndarray::{Array2, Axis as ArrayAxis, concatenate};

use super::listing::Listed;
use super::{Parameters, Stretch, Tile, ViewArgs};
use crate::image::report::Table;
use crate::plot::{Axis, Colour, Figure, Guide, Histogram, ImagePlot, Line, Panel, Strip, Stroke};
use crate::stats::histogram;
use crate::stats::robust::percentiles;
use crate::workbench::error::{BenchError, BenchResult};

/// Half width of the windows around circled pixels.
const ZOOM: usize = 50;
/// Windows drawn at most.
const MOST_ZOOMS: usize = 12;
/// Colour of the circles, which no palette has.
const CIRCLE: Colour = Colour::rgb(255, 0, 255);
/// Bins of the distribution.
const BINS: usize = 200;

/// Ends of the colours: as asked for, or fitting the unit.
pub fn colour_range(args: &ViewArgs, tiles: &[Tile]) -> (f64, f64) {
    if let Some([lo, hi]) = args.color_range.as_deref() {
        return (*lo, *hi);
    }
    if tiles[0].unit == "e-" {
        return (-0.5, 7.5);
    }
    let values: Vec<f64> = tiles.iter().flat_map(Tile::kept).collect();
    if values.is_empty() {
        return (0.0, 1.0);
    }
    let [lo, hi] = percentiles(&values, [0.5, 99.5]);
    if lo < hi { (lo, hi) } else { (lo - 0.5, lo + 0.5) }
}

fn unit(tile: &Tile) -> String {
    tile.unit.replace("e-", "e⁻")
}

/// Quantity and unit of the pixels.
fn label(tile: &Tile) -> String {
    format!("{} [{}]", tile.quantity, unit(tile))
}

fn picture(args: &ViewArgs, parameters: &Parameters, tile: &Tile, values: Array2<f64>, range: (f64, f64)) -> ImagePlot {
    let whole = tile.unit == "e-" && !args.float && args.stretch == Stretch::Linear;
    let steps = (range.1 - range.0).floor();
    let plot = ImagePlot::new(values)
        .origin_bottom()
        .palette(parameters.palette.clone())
        .range(range.0, range.1)
        .colour_label(label(tile));
    let plot = match args.stretch {
        Stretch::Linear => plot,
        Stretch::Log => plot.range(range.0.max(1e-3 * range.1.abs()), range.1).log(),
        Stretch::Equal => plot.equalised(),
    };
    if whole && (2.0..=64.0).contains(&steps) { plot.steps(steps as usize) } else { plot }
}

/// Values with hidden pixels removed.
fn shown(args: &ViewArgs, tile: &Tile) -> Array2<f64> {
    let mut values = tile.values.clone();
    if let Some(mask) = tile.mask.as_ref().filter(|_| args.hide) {
        values.zip_mut_with(mask, |q, masked| {
            if *masked {
                *q = f64::NAN;
            }
        });
    }
    values
}

fn axis_names(tile: &Tile) -> (&'static str, &'static str) {
    if tile.is_turned() { ("row", "column of the half") } else { ("column", "row") }
}

/// Width and height in inches of an image of this shape, not too flat and not too tall.
fn size(rows: f64, cols: f64, width: f64) -> (f64, f64) {
    (width + 1.6, (width * (rows / cols).clamp(0.25, 1.3)) + 1.2)
}

/// All images, one over the other.
pub fn stack(
    args: &ViewArgs,
    parameters: &Parameters,
    tiles: &[Tile],
    listed: Option<&[Listed]>,
    range: (f64, f64),
) -> Figure {
    let parts: Vec<Array2<f64>> = tiles.iter().map(|t| shown(args, t)).collect();
    let views: Vec<_> = parts.iter().map(|p| p.view()).collect();
    let values = concatenate(ArrayAxis(0), &views).unwrap_or_default();
    let (rows, cols) = values.dim();
    let (r0, c0) = if tiles.len() == 1 { tiles[0].start() } else { (0, tiles[0].start().1) };
    let (x0, y0) = (c0 as f64 - 0.5, r0 as f64 - 0.5);
    let plot = picture(args, parameters, &tiles[0], values, range).extent(x0, x0 + cols as f64, y0, y0 + rows as f64);
    let (x, y) = axis_names(&tiles[0]);
    let mut panel = Panel::image_of(plot).x(x).y(y);
    let mut bottom = r0;
    let mut ticks = Vec::new();
    for (number, tile) in tiles.iter().enumerate() {
        if number > 0 {
            let edge = Stroke::new(Colour::GREY).width(0.9).dashed();
            panel = panel.guide(Guide::horizontal(bottom as f64 - 0.5).stroke(edge));
        }
        panel = overlays(panel, args, tile, (bottom as f64, c0 as f64), number, listed);
        ticks.push((bottom as f64 + 0.5 * tile.values.nrows() as f64 - 0.5, short(&tile.name)));
        bottom += tile.values.nrows();
    }
    if tiles.len() > 1 {
        panel = panel.y_axis(Axis::new("").ticks(ticks));
    }
    for column in args.ovs_col.iter().filter(|_| !tiles[0].is_turned()) {
        let line = Stroke::new(Colour::YELLOW).width(1.2);
        panel = panel.guide(Guide::vertical(*column as f64 - 0.5).stroke(line));
    }
    let title = match tiles {
        [one] => format!("{}{}{}", one.name, one.which(), one.half()),
        many => {
            let (first, last) = (short(&many[0].name), short(&many[many.len() - 1].name));
            format!("{first} … {last} ({} images){}", many.len(), many[0].half())
        }
    };
    let (width, height) = size(rows as f64, cols as f64, 10.0);
    Figure::new(parameters.name.clone()).title(title).size(width, height).panel(panel)
}

/// The images in a grid.
pub fn grid(
    args: &ViewArgs,
    parameters: &Parameters,
    tiles: &[Tile],
    listed: Option<&[Listed]>,
    columns: usize,
    range: (f64, f64),
) -> Figure {
    let columns = columns.min(tiles.len());
    let rows = tiles.len().div_ceil(columns);
    let (tile_rows, tile_cols) = tiles[0].values.dim();
    let (width, height) = size(tile_rows as f64, tile_cols as f64, (12.0 / columns as f64).max(2.5));
    let mut figure = Figure::new(parameters.name.clone())
        .grid(rows, columns)
        .size(width * columns as f64, (height * rows as f64).min(40.0));
    for (number, tile) in tiles.iter().enumerate() {
        let (r0, c0) = tile.start();
        let (x0, y0) = (c0 as f64 - 0.5, r0 as f64 - 0.5);
        let (rows, cols) = tile.values.dim();
        let plot = picture(args, parameters, tile, shown(args, tile), range);
        let plot = plot.extent(x0, x0 + cols as f64, y0, y0 + rows as f64);
        let (x, y) = axis_names(tile);
        let mut panel = Panel::image_of(plot).x(x).y(y).title(short(&tile.name) + tile.half());
        for column in args.ovs_col.iter().filter(|_| !tile.is_turned()) {
            let line = Stroke::new(Colour::YELLOW).width(1.2);
            panel = panel.guide(Guide::vertical(*column as f64 - 0.5).stroke(line));
        }
        figure = figure.panel(overlays(panel, args, tile, (r0 as f64, c0 as f64), number, listed));
    }
    figure
}

/// Outlines of masked pixels, hot columns and circles; `at`: row and column of the first pixel on the axes.
fn overlays(
    mut panel: Panel,
    args: &ViewArgs,
    tile: &Tile,
    at: (f64, f64),
    number: usize,
    listed: Option<&[Listed]>,
) -> Panel {
    if !tile.is_turned() && (number == 0 || args.grid.is_some()) {
        for column in &tile.hot {
            let x = *column as f64;
            panel = panel.with(Strip::vertical(x - 0.5, x + 0.5).colour(Colour::ORANGE.with_alpha(0.45)));
        }
    }
    if let Some(mask) = tile.mask.as_ref().filter(|_| !args.hide) {
        let (x, y) = outline(mask, at);
        panel = panel.line(Line::new(x, y).colour(Colour::RED).width(0.7));
    }
    if let Some(listed) = listed {
        let (rows, cols) = tile.values.dim();
        let reach = ((0.006 * cols as f64).max(1.3), (0.009 * rows as f64).max(1.3));
        let own = listed.iter().filter(|p| p.tile == number);
        let places = own.map(|p| (at.1 + p.col as f64, at.0 + p.row as f64));
        panel = panel.line(circles(places, reach));
    }
    panel
}

/// Circles around places, of these half axes; the pixels inside stay visible.
fn circles(places: impl Iterator<Item = (f64, f64)>, (rx, ry): (f64, f64)) -> Line {
    const CORNERS: usize = 24;
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for (cx, cy) in places {
        for k in 0..=CORNERS {
            let angle = std::f64::consts::TAU * k as f64 / CORNERS as f64;
            x.push(cx + rx * angle.cos());
            y.push(cy + ry * angle.sin());
        }
        x.push(f64::NAN);
        y.push(f64::NAN);
    }
    Line::new(x, y).colour(CIRCLE).width(1.3)
}

/// Edges between masked and other pixels as line segments separated by NaN.
fn outline(mask: &Array2<bool>, (row0, col0): (f64, f64)) -> (Vec<f64>, Vec<f64>) {
    let (mut x, mut y) = (Vec::new(), Vec::new());
    let masked = |row: Option<usize>, col: Option<usize>| {
        row.zip(col).and_then(|(r, c)| mask.get([r, c])).copied().unwrap_or(false)
    };
    for ((row, col), _) in mask.indexed_iter().filter(|(_, m)| **m) {
        let (left, bottom) = (col0 + col as f64 - 0.5, row0 + row as f64 - 0.5);
        let sides = [
            (masked(row.checked_sub(1), Some(col)), (0.0, 0.0), (1.0, 0.0)),
            (masked(Some(row + 1), Some(col)), (0.0, 1.0), (1.0, 1.0)),
            (masked(Some(row), col.checked_sub(1)), (0.0, 0.0), (0.0, 1.0)),
            (masked(Some(row), Some(col + 1)), (1.0, 0.0), (1.0, 1.0)),
        ];
        for (inside, from, to) in sides {
            if !inside {
                x.extend([left + from.0, left + to.0, f64::NAN]);
                y.extend([bottom + from.1, bottom + to.1, f64::NAN]);
            }
        }
    }
    (x, y)
}

/// Windows around the circled pixels.
pub fn zooms(args: &ViewArgs, parameters: &Parameters, tiles: &[Tile], listed: &[Listed], range: (f64, f64)) -> Figure {
    let some = &listed[..listed.len().min(MOST_ZOOMS)];
    let columns = some.len().min(4);
    let rows = some.len().div_ceil(columns);
    let mut figure = Figure::new(format!("{}_ne", parameters.name))
        .title(format!("{} of {} pixels of the wanted charge", some.len(), listed.len()))
        .grid(rows, columns)
        .size(4.4 * columns as f64, 3.6 * rows as f64 + 0.6);
    for pixel in some {
        let tile = &tiles[pixel.tile];
        let (n, m) = tile.values.dim();
        let rows = pixel.row.saturating_sub(ZOOM)..(pixel.row + ZOOM + 1).min(n);
        let cols = pixel.col.saturating_sub(ZOOM)..(pixel.col + ZOOM + 1).min(m);
        let part =
            Array2::from_shape_fn((rows.len(), cols.len()), |(r, c)| tile.values[[rows.start + r, cols.start + c]]);
        let (r0, c0) = tile.start();
        let (x0, y0) = ((c0 + cols.start) as f64 - 0.5, (r0 + rows.start) as f64 - 0.5);
        let plot =
            picture(args, parameters, tile, part, range).extent(x0, x0 + cols.len() as f64, y0, y0 + rows.len() as f64);
        let (row, col) = tile.original(pixel.row, pixel.col);
        let (x, y) = axis_names(tile);
        let charge = format!("col {col}, row {row}: {} {}", tile.values[[pixel.row, pixel.col]], unit(tile));
        let title = if tiles.len() > 1 { format!("{}, {charge}", short(&tile.name)) } else { charge };
        let mut panel = Panel::image_of(plot)
            .x(x)
            .y(y)
            .title(title)
            .line(circles([((c0 + pixel.col) as f64, (r0 + pixel.row) as f64)].into_iter(), (2.5, 2.5)));
        if let Some(mask) = &tile.mask {
            let part = Array2::from_shape_fn((rows.len(), cols.len()), |(r, c)| mask[[rows.start + r, cols.start + c]]);
            let (x, y) = outline(&part, (y0 + 0.5, x0 + 0.5));
            panel = panel.line(Line::new(x, y).colour(Colour::RED).width(0.7));
        }
        figure = figure.panel(panel);
    }
    figure
}

/// Distribution of the charge of all pixels that count, and its table.
pub fn distribution(parameters: &Parameters, tiles: &[Tile], range: (f64, f64)) -> (Figure, Table) {
    let name = format!("{}_pcd", parameters.name);
    let values: Vec<f64> = tiles.iter().flat_map(Tile::kept).collect();
    let margin = 0.05 * (range.1 - range.0);
    let (lo, hi) = if tiles[0].unit == "e-" { range } else { (range.0 - margin, range.1 + margin) };
    let mut panel = Panel::new().x(label(&tiles[0])).y_axis(Axis::new("counts").log().from(0.5)).x_range(lo, hi);
    let mut rows = Vec::new();
    if let Ok(bins) = histogram::Histogram::window(&values, lo, hi, BINS) {
        let edge = |i: usize| lo + (hi - lo) * i as f64 / BINS as f64;
        rows.extend(bins.contents().iter().enumerate().map(|(i, n)| vec![edge(i), edge(i + 1), *n]));
        let drawn = Histogram::uniform(lo, hi, bins.contents()).label(format!("{} pixels", values.len()));
        panel = panel.histogram(drawn.colour(Colour::BLUE));
    }
    let title = match tiles {
        [one] => format!("{}{}", one.name, one.half()),
        many => format!("{} images{}", many.len(), many[0].half()),
    };
    let columns = ["low", "high", "counts"].map(String::from).to_vec();
    (Figure::new(name.clone()).title(title).size(8.0, 5.0).panel(panel), Table { name, columns, rows })
}

/// The stack as PNG, one pixel per pixel, row 0 at the bottom; pixels without value are white.
pub fn native(args: &ViewArgs, parameters: &Parameters, tiles: &[Tile], range: (f64, f64)) -> BenchResult<Vec<u8>> {
    let cols = tiles.iter().map(|t| t.values.ncols()).max().unwrap_or(0);
    let rows: usize = tiles.iter().map(|t| t.values.nrows()).sum();
    let steps = (range.1 - range.0).floor();
    let whole = tiles[0].unit == "e-" && !args.float && (2.0..=64.0).contains(&steps);
    let mut rgb = vec![255u8; 3 * rows * cols];
    let mut row_from_top = rows;
    for tile in tiles {
        for (line, values) in shown(args, tile).rows().into_iter().enumerate() {
            let at = (row_from_top - 1 - line) * cols;
            for (col, q) in values.iter().enumerate().filter(|(_, q)| q.is_finite()) {
                let mut t = ((q - range.0) / (range.1 - range.0)).clamp(0.0, 1.0);
                if whole {
                    t = ((t * steps).floor().min(steps - 1.0)) / (steps - 1.0);
                }
                let colour = parameters.palette.at(t);
                rgb[3 * (at + col)..3 * (at + col) + 3].copy_from_slice(&[colour.r, colour.g, colour.b]);
            }
        }
        row_from_top -= tile.values.nrows();
    }
    let failed = |e: png::EncodingError| BenchError::Data(format!("the native picture cannot be made: {e}"));
    let too_large = |_| BenchError::Data("the native picture is too large".into());
    let mut bytes = Vec::new();
    let (width, height) = (u32::try_from(cols).map_err(too_large)?, u32::try_from(rows).map_err(too_large)?);
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&rgb).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

/// The end of a long name, which tells images apart.
fn short(name: &str) -> String {
    let stem = crate::output::naming::stem(name);
    let n = stem.chars().count();
    if n <= 30 { stem.to_owned() } else { format!("…{}", stem.chars().skip(n - 28).collect::<String>()) }
}
