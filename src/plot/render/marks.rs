//! The layers of a panel as marks on paper.

use std::collections::HashSet;

use super::contour;
use super::drawing::{Drawing, Mark, Pen};
use super::font::{self, CAP_HEIGHT, Text};
use super::geometry::{Path, Point, Rect, clip_polygon, clip_polyline, clip_segment, pt, thin_polyline};
use super::layout::Density;
use super::limits::Limits;
use super::picture;
use super::raster;
use super::scale::Scale;
use crate::plot::image::ImagePlot;
use crate::plot::overlay::{Arrows, DataText, Direction, Guide, Polygon, Strip};
use crate::plot::series::{Band, Contours, Errors, Histogram, Line, Points, Series};
use crate::plot::style::{Colour, Marker, Shape, Stroke};

/// A frame on paper with its axes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Frame {
    pub rect: Rect,
    pub x: Scale,
    pub y: Scale,
}

impl Frame {
    /// Place of x on paper; NaN when it has none.
    pub fn across(&self, x: f64) -> f64 {
        self.rect.x0 + self.x.unit(x) * self.rect.width()
    }

    /// Place of y on paper; NaN when it has none.
    pub fn up(&self, y: f64) -> f64 {
        self.rect.y1 - self.y.unit(y) * self.rect.height()
    }

    pub fn place(&self, x: f64, y: f64) -> Option<Point> {
        let p = pt(self.across(x), self.up(y));
        (p.x.is_finite() && p.y.is_finite()).then_some(p)
    }

    /// Like [`Frame::up`], with a value that a logarithm cannot show placed below the frame.
    pub fn up_or_below(&self, y: f64) -> f64 {
        self.rect.y1 - self.y.unit_or_below(y) * self.rect.height()
    }

    /// Like [`Frame::across`], with a value that a logarithm cannot show placed left of the frame.
    fn across_or_left(&self, x: f64) -> f64 {
        self.rect.x0 + self.x.unit_or_below(x) * self.rect.width()
    }
}

/// Lines closer than this on paper cannot be told apart.
const FINEST: f64 = 0.12;

/// Draws one layer. `limits` is the colour range when the layer is an image.
pub(crate) fn draw(
    drawing: &mut Drawing,
    frame: &Frame,
    series: &Series,
    limits: Option<Limits>,
    ground: Option<(&ImagePlot, Limits)>,
    density: Density,
) {
    match series {
        Series::Points(s) => points(drawing, frame, s),
        Series::Line(s) => line(drawing, frame, s),
        Series::Band(s) => band(drawing, frame, s),
        Series::Histogram(s) => histogram(drawing, frame, s),
        Series::Image(s) => {
            if let Some(limits) = limits {
                picture::draw(drawing, frame, s, limits, density);
            }
        }
        Series::Contours(s) => contours(drawing, frame, s),
        Series::Guide(s) => guide(drawing, frame, s),
        Series::Strip(s) => strip(drawing, frame, s),
        Series::Polygon(s) => polygon(drawing, frame, s),
        Series::Text(s) => data_text(drawing, frame, s, ground),
        Series::Arrows(s) => arrows(drawing, frame, s),
    }
}

/// Outline of a marker around the origin, and whether it is only stroked.
pub(crate) fn marker_path(marker: &Marker) -> (Path, bool) {
    let r = marker_radius(marker);
    let mut path = Path::new();
    match marker.shape {
        Shape::Circle => path.circle(Point::default(), r),
        Shape::Dot => path.circle(Point::default(), r * 0.4),
        // Squares and triangles of the area of the circle, so that none looks larger.
        Shape::Square => path.rect(Rect::new(-0.886 * r, -0.886 * r, 0.886 * r, 0.886 * r)),
        Shape::TriangleUp => path.polygon(&[pt(0.0, -1.25 * r), pt(1.13 * r, 0.75 * r), pt(-1.13 * r, 0.75 * r)]),
        Shape::TriangleDown => path.polygon(&[pt(0.0, 1.25 * r), pt(1.13 * r, -0.75 * r), pt(-1.13 * r, -0.75 * r)]),
        Shape::Diamond => path.polygon(&[pt(0.0, -1.3 * r), pt(1.2 * r, 0.0), pt(0.0, 1.3 * r), pt(-1.2 * r, 0.0)]),
        Shape::Cross => {
            path.segment(pt(-0.8 * r, -0.8 * r), pt(0.8 * r, 0.8 * r));
            path.segment(pt(-0.8 * r, 0.8 * r), pt(0.8 * r, -0.8 * r));
        }
        Shape::Plus => {
            path.segment(pt(-r, 0.0), pt(r, 0.0));
            path.segment(pt(0.0, -r), pt(0.0, r));
        }
    }
    (path, matches!(marker.shape, Shape::Cross | Shape::Plus))
}

/// Radius in points, sane whatever was asked for.
fn marker_radius(marker: &Marker) -> f64 {
    if marker.size.is_finite() { (marker.size / 2.0).clamp(0.2, 50.0) } else { 2.0 }
}

/// Marks of one marker at many places.
pub(crate) fn stamps(marker: &Marker, at: Vec<Point>) -> Mark {
    let (path, stroked) = marker_path(marker);
    let width = (0.17 * marker_radius(marker).sqrt() + 0.45).min(1.4);
    let pen = Pen::solid(marker.edge, width);
    match marker.shape {
        _ if stroked => Mark::Stamps { path, fill: None, pen: Some(pen), at },
        Shape::Dot => Mark::Stamps { path, fill: Some(marker.edge), pen: None, at },
        // White inside keeps error bars and curves out of open markers.
        _ => Mark::Stamps { path, fill: Some(marker.face.unwrap_or(Colour::WHITE)), pen: Some(pen), at },
    }
}

fn points(drawing: &mut Drawing, frame: &Frame, s: &Points) {
    let places: Vec<Option<Point>> = s.x.iter().zip(&s.y).map(|(&x, &y)| frame.place(x, y)).collect();
    if let Some(stroke) = s.joined {
        joined(drawing, frame, places.iter().copied(), stroke);
    }
    error_bars(drawing, frame, s, &places);
    let inside = frame.rect.grown(0.01);
    let mut seen = HashSet::new();
    // Markers on top of each other within a thirtieth of a point are one on paper.
    let grid = |v: f64| (v * 30.0).round() as i64;
    let distinct = |p: &Point| s.marker.face.is_some_and(|f| f.a < 255) || seen.insert((grid(p.x), grid(p.y)));
    let at: Vec<Point> = places.into_iter().flatten().filter(|p| inside.contains(*p)).filter(distinct).collect();
    if !at.is_empty() {
        drawing.marks.push(stamps(&s.marker, at));
    }
}

fn error_bars(drawing: &mut Drawing, frame: &Frame, s: &Points, places: &[Option<Point>]) {
    let mut path = Path::new();
    let cap = if places.len() <= 150 { (0.4 * marker_radius(&s.marker)).max(1.0) } else { 0.0 };
    let radius = match s.marker.shape {
        Shape::Cross | Shape::Plus | Shape::Dot => 0.0,
        _ => marker_radius(&s.marker) * 0.8,
    };
    let rect = &frame.rect;
    let mut bar = |from: Point, to: Point, across: Point| {
        // A bar hidden by its marker would only blur the outline.
        if (to.x - from.x).hypot(to.y - from.y) <= 2.0 * radius {
            return;
        }
        if let Some((a, b)) = clip_segment(from, to, rect) {
            path.segment(a, b);
        }
        for end in [from, to] {
            if cap > 0.0 && rect.contains(end) {
                path.segment(
                    pt(end.x - cap * across.x, end.y - cap * across.y),
                    pt(end.x + cap * across.x, end.y + cap * across.y),
                );
            }
        }
    };
    let arms = |errors: &Option<Errors>, i: usize| errors.as_ref().and_then(|e| e.at(i));
    for (i, place) in places.iter().enumerate() {
        let Some(place) = place else { continue };
        if let Some((low, high)) = arms(&s.y_errors, i) {
            let ends = (frame.up_or_below(s.y[i] - low), frame.up_or_below(s.y[i] + high));
            if ends.0.is_finite() && ends.1.is_finite() {
                bar(pt(place.x, ends.0), pt(place.x, ends.1), pt(1.0, 0.0));
            }
        }
        if let Some((low, high)) = arms(&s.x_errors, i) {
            let ends = (frame.across_or_left(s.x[i] - low), frame.across_or_left(s.x[i] + high));
            if ends.0.is_finite() && ends.1.is_finite() {
                bar(pt(ends.0, place.y), pt(ends.1, place.y), pt(0.0, 1.0));
            }
        }
    }
    drawing.stroke(path, Pen::solid(s.marker.edge, 0.75));
}

/// A line through places, interrupted where there is none.
fn joined(drawing: &mut Drawing, frame: &Frame, places: impl Iterator<Item = Option<Point>>, stroke: Stroke) {
    let mut path = Path::new();
    let mut run: Vec<Point> = Vec::new();
    let finish = |run: &mut Vec<Point>, path: &mut Path| {
        for piece in clip_polyline(&thin_polyline(std::mem::take(run), FINEST), &frame.rect) {
            path.polyline(&piece);
        }
    };
    for place in places {
        match place {
            Some(p) => run.push(p),
            None => finish(&mut run, &mut path),
        }
    }
    finish(&mut run, &mut path);
    drawing.stroke(path, Pen { round: true, ..Pen::from(stroke) });
}

fn line(drawing: &mut Drawing, frame: &Frame, s: &Line) {
    // Where a curve dives through the floor of a logarithmic axis it is drawn down to the frame.
    let place = |x: f64, y: f64| {
        let p = pt(frame.across(x), frame.up_or_below(y));
        (p.x.is_finite() && p.y.is_finite() && !y.is_nan()).then_some(p)
    };
    let places: Vec<Option<Point>> = s.x.iter().zip(&s.y).map(|(&x, &y)| place(x, y)).collect();
    if !s.step {
        return joined(drawing, frame, places.into_iter(), s.stroke);
    }
    let mut steps = Vec::with_capacity(2 * places.len() + 1);
    for (i, place) in places.iter().enumerate() {
        match (i.checked_sub(1).and_then(|j| places[j]), place) {
            (Some(a), Some(b)) => {
                let middle = (a.x + b.x) / 2.0;
                steps.extend([Some(pt(middle, a.y)), Some(pt(middle, b.y)), Some(*b)]);
            }
            _ => steps.push(*place),
        }
    }
    joined(drawing, frame, steps.into_iter(), s.stroke);
}

fn band(drawing: &mut Drawing, frame: &Frame, s: &Band) {
    let mut path = Path::new();
    let (mut lower, mut upper): (Vec<Point>, Vec<Point>) = (vec![], vec![]);
    let mut finish = |lower: &mut Vec<Point>, upper: &mut Vec<Point>| {
        let mut outline = thin_polyline(std::mem::take(lower), FINEST);
        outline.extend(thin_polyline(std::mem::take(upper), FINEST).into_iter().rev());
        path.polygon(&clip_polygon(&outline, &frame.rect));
    };
    for ((&x, &low), &high) in s.x.iter().zip(&s.low).zip(&s.high) {
        let (x, a, b) = (frame.across(x), frame.up_or_below(low), frame.up_or_below(high));
        if x.is_finite() && a.is_finite() && b.is_finite() {
            lower.push(pt(x, a));
            upper.push(pt(x, b));
        } else {
            finish(&mut lower, &mut upper);
        }
    }
    finish(&mut lower, &mut upper);
    drawing.fill(path, s.colour);
}

fn histogram(drawing: &mut Drawing, frame: &Frame, s: &Histogram) {
    // Runs of bins that can be drawn; each bin is (left, right, base, top) on paper.
    let mut runs: Vec<Vec<[f64; 4]>> = vec![vec![]];
    let bins = s.counts.len().min(s.edges.len().saturating_sub(1));
    for i in 0..bins {
        let base = s.base.as_ref().and_then(|b| b.get(i)).copied().unwrap_or(0.0);
        let bin = [
            frame.across(s.edges[i]),
            frame.across(s.edges[i + 1]),
            frame.up_or_below(base),
            frame.up_or_below(base + s.counts[i]),
        ];
        match runs.last_mut() {
            Some(run) if bin.iter().all(|v| v.is_finite()) => run.push(bin),
            _ => runs.push(vec![]),
        }
    }
    let (mut area, mut outline) = (Path::new(), Path::new());
    for run in runs.iter().filter(|r| !r.is_empty()) {
        let (first, last) = (run[0], run[run.len() - 1]);
        let mut top: Vec<Point> = run.iter().flat_map(|b| [pt(b[0], b[3]), pt(b[1], b[3])]).collect();
        top = thin_polyline(top, FINEST);
        if s.fill.is_some() {
            let mut polygon = top.clone();
            polygon.extend(run.iter().rev().flat_map(|b| [pt(b[1], b[2]), pt(b[0], b[2])]));
            area.polygon(&clip_polygon(&polygon, &frame.rect));
        }
        top.insert(0, pt(first[0], first[2]));
        top.push(pt(last[1], last[2]));
        for piece in clip_polyline(&top, &frame.rect) {
            outline.polyline(&piece);
        }
    }
    if let Some(fill) = s.fill {
        drawing.fill(area, fill);
    }
    if let Some(stroke) = s.stroke {
        // Thinner where the bins are so narrow that their sides would run into each other.
        let bin = frame.rect.width() / visible_bins(frame, s).max(1) as f64;
        let width = stroke.width.min((0.7 * bin).max(0.35));
        drawing.stroke(outline, stroke.width(width).into());
    }
    if let Some(errors) = &s.errors {
        histogram_errors(drawing, frame, s, errors, bins);
    }
}

fn visible_bins(frame: &Frame, s: &Histogram) -> usize {
    s.edges.iter().filter(|e| frame.x.contains(**e)).count()
}

fn histogram_errors(drawing: &mut Drawing, frame: &Frame, s: &Histogram, errors: &[f64], bins: usize) {
    let mut bars = Path::new();
    for (i, error) in errors.iter().enumerate().take(bins) {
        let top = s.base.as_ref().and_then(|b| b.get(i)).copied().unwrap_or(0.0) + s.counts[i];
        let x = (frame.across(s.edges[i]) + frame.across(s.edges[i + 1])) / 2.0;
        let (a, b) = (pt(x, frame.up_or_below(top - error)), pt(x, frame.up_or_below(top + error)));
        if let Some((a, b)) = clip_segment(a, b, &frame.rect)
            && *error > 0.0
        {
            bars.segment(a, b);
        }
    }
    let colour = s.stroke.map(|o| o.colour).or(s.fill).unwrap_or(Colour::BLACK);
    drawing.stroke(bars, Pen::solid(Colour { a: 255, ..colour }, 0.7));
}

fn contours(drawing: &mut Drawing, frame: &Frame, s: &Contours) {
    let mut path = Path::new();
    for &level in &s.levels {
        for curve in contour::join(contour::contour(&s.x, &s.y, s.z.view(), level)) {
            let places: Option<Vec<Point>> = curve.into_iter().map(|(x, y)| frame.place(x, y)).collect();
            for piece in clip_polyline(&places.unwrap_or_default(), &frame.rect) {
                path.polyline(&piece);
            }
        }
    }
    drawing.stroke(path, Pen { round: true, ..Pen::from(s.stroke) });
}

fn guide(drawing: &mut Drawing, frame: &Frame, s: &Guide) {
    let rect = &frame.rect;
    let (from, to) = match s.direction {
        Direction::Horizontal => (pt(rect.x0, frame.up(s.at)), pt(rect.x1, frame.up(s.at))),
        Direction::Vertical => (pt(frame.across(s.at), rect.y1), pt(frame.across(s.at), rect.y0)),
    };
    let Some((from, to)) = clip_segment(from, to, &rect.grown(0.01)) else {
        return;
    };
    let mut path = Path::new();
    path.segment(from, to);
    drawing.stroke(path, s.stroke.into());
    if let Some(note) = &s.note {
        let text = Text::new(note, 8.5);
        let colour = Colour { a: 255, ..s.stroke.colour };
        let (at, upwards) = match s.direction {
            Direction::Horizontal => (pt(to.x - text.width - 5.0, to.y - 2.5), false),
            Direction::Vertical => (pt(to.x - 2.5, to.y + text.width + 6.0), true),
        };
        drawing.marks.push(Mark::Text { glyphs: text.glyphs, at, upwards, colour });
    }
}

fn strip(drawing: &mut Drawing, frame: &Frame, s: &Strip) {
    let r = frame.rect;
    let ends = match s.direction {
        Direction::Horizontal => [frame.up_or_below(s.from), frame.up_or_below(s.to)],
        Direction::Vertical => [frame.across_or_left(s.from), frame.across_or_left(s.to)],
    };
    if ends.iter().any(|v| v.is_nan()) {
        return;
    }
    let [a, b] = if ends[0] < ends[1] { ends } else { [ends[1], ends[0]] };
    let corners = match s.direction {
        Direction::Horizontal => Rect::new(r.x0, a, r.x1, b).corners(),
        Direction::Vertical => Rect::new(a, r.y0, b, r.y1).corners(),
    };
    let mut path = Path::new();
    path.polygon(&clip_polygon(&corners, &r));
    drawing.fill(path, s.colour);
}

fn polygon(drawing: &mut Drawing, frame: &Frame, s: &Polygon) {
    let mut corners: Vec<Point> = s.x.iter().zip(&s.y).filter_map(|(&x, &y)| frame.place(x, y)).collect();
    if let Some(fill) = s.fill {
        let mut path = Path::new();
        path.polygon(&clip_polygon(&corners, &frame.rect));
        drawing.fill(path, fill);
    }
    if let Some(stroke) = s.stroke {
        let mut path = Path::new();
        if corners.iter().all(|p| frame.rect.contains(*p)) {
            path.polygon(&corners);
        } else if let Some(&first) = corners.first() {
            corners.push(first);
            for piece in clip_polyline(&corners, &frame.rect) {
                path.polyline(&piece);
            }
        }
        drawing.stroke(path, stroke.into());
    }
}

fn data_text(drawing: &mut Drawing, frame: &Frame, s: &DataText, ground: Option<(&ImagePlot, Limits)>) {
    let size = if s.size.is_finite() { s.size.clamp(1.0, 100.0) } else { 7.0 };
    let shift = if s.shift.0.is_finite() && s.shift.1.is_finite() { s.shift } else { (0.0, 0.0) };
    for (x, y, content) in &s.items {
        let Some(place) = frame.place(*x, *y).filter(|p| frame.rect.contains(*p)) else {
            continue;
        };
        let text = Text::new(content, size);
        let at = pt(place.x + shift.0 - text.width / 2.0, place.y - shift.1 + CAP_HEIGHT * size / 2.0);
        let dark = || ground.is_some_and(|(image, limits)| raster::is_dark_at(image, limits, *x, *y));
        let colour = if s.adaptive && dark() { Colour::WHITE } else { s.colour };
        if s.halo {
            halo(drawing, &text, at, false);
        }
        drawing.marks.push(Mark::Text { glyphs: text.glyphs, at, upwards: false, colour });
    }
}

/// White rim around a text.
fn halo(drawing: &mut Drawing, text: &Text, at: Point, upwards: bool) {
    let outline = font::text_outline(&text.glyphs, at, upwards);
    let pen = Pen { round: true, ..Pen::solid(Colour::WHITE, 0.3 * text.size) };
    drawing.stroke(outline, pen);
}

fn arrows(drawing: &mut Drawing, frame: &Frame, s: &Arrows) {
    let (mut shafts, mut heads) = (Path::new(), Path::new());
    for ((x0, y0), (x1, y1)) in &s.items {
        let (Some(tail), Some(tip)) = (frame.place(*x0, *y0), frame.place(*x1, *y1)) else {
            continue;
        };
        let Some((a, b)) = clip_segment(tail, tip, &frame.rect) else {
            continue;
        };
        let length = (b.x - a.x).hypot(b.y - a.y);
        if length < 0.1 {
            continue;
        }
        let (ux, uy) = ((b.x - a.x) / length, (b.y - a.y) / length);
        let head = 5.0f64.min(length);
        let neck = pt(b.x - head * ux, b.y - head * uy);
        shafts.segment(a, neck);
        if b == tip {
            let side = |k: f64| pt(neck.x - k * uy, neck.y + k * ux);
            heads.polygon(&[b, side(0.4 * head), side(-0.4 * head)]);
        } else {
            shafts.segment(neck, b);
        }
    }
    drawing.stroke(shafts, s.stroke.into());
    drawing.fill(heads, s.stroke.colour);
}
