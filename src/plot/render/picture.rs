//! An image layer as a mark on paper.

use std::sync::Arc;

use super::drawing::{Drawing, Mark};
use super::geometry::Rect;
use super::layout::Density;
use super::limits::Limits;
use super::marks::Frame;
use super::raster::{self, Window};
use super::scale::Scale;
use crate::plot::image::ImagePlot;

/// Draws the visible part of an image.
pub(crate) fn draw(drawing: &mut Drawing, frame: &Frame, s: &ImagePlot, limits: Limits, density: Density) {
    let (rows, cols) = s.values.dim();
    let [x0, x1, y0, y1] = s.edges();
    if rows == 0 || cols == 0 || !(x1 - x0).is_normal() || !(y1 - y0).is_normal() {
        return;
    }
    // Which pixels are seen: from the ends of the axes, in pixels counted from the first row and column.
    let span = |first: f64, last: f64, scale: &Scale, pixels: usize| {
        let place = |v: f64| ((v - first) / (last - first) * pixels as f64).clamp(0.0, pixels as f64);
        let (a, b) = (place(scale.min), place(scale.max));
        (a.min(b), a.max(b))
    };
    let (col_from, col_to) = span(x0, x1, &frame.x, cols);
    let (row_from, row_to) = span(y0, y1, &frame.y, rows);
    if col_to - col_from < 1e-9 || row_to - row_from < 1e-9 {
        return;
    }
    let x_of =
        |col: f64| frame.rect.x0 + frame.x.unit_or_below(x0 + (x1 - x0) * col / cols as f64) * frame.rect.width();
    let y_of =
        |row: f64| frame.rect.y1 - frame.y.unit_or_below(y0 + (y1 - y0) * row / rows as f64) * frame.rect.height();
    let window = Window { row_from, row_to, col_from, col_to };
    let pixels = |length: f64| (length.abs() / 72.0 * density.dpi).round().clamp(1.0, 20_000.0) as usize;
    let (width, height) = (x_of(col_to) - x_of(col_from), y_of(row_to) - y_of(row_from));
    if !(width.abs() > 0.0 && height.abs() > 0.0 && width.is_finite() && height.is_finite()) {
        return;
    }
    let flip = (height < 0.0, width < 0.0);
    let most = (pixels(height), pixels(width));
    let (mut raster, seen) = raster::render(s, limits, window, most, flip);
    if !density.snap {
        raster::enlarge_small(&mut raster, most);
    }
    let order = |a: f64, b: f64| if a < b { (a, b) } else { (b, a) };
    let (left, right) = order(x_of(seen.col_from), x_of(seen.col_to));
    let (top, bottom) = order(y_of(seen.row_from), y_of(seen.row_to));
    let rect = Rect::new(left, top, right, bottom);
    drawing.marks.push(Mark::Image { raster: Arc::new(raster), rect, clip: frame.rect });
}
