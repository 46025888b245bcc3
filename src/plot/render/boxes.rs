//! Legends and notes: their size, their place, their marks.

use super::drawing::{Drawing, Mark, Pen};
use super::font::{ASCENT, CAP_HEIGHT, DESCENT, LINE_SKIP, Text};
use super::geometry::{Path, Point, Rect, pt};
use super::marks;
use super::theme::{INK, Theme};
use crate::plot::annotation::{Anchor, Legend, LegendEntry, LegendKey, LegendPlace, Note};
use crate::plot::series::Series;
use crate::plot::style::{Colour, Marker, Shape};

/// Distance of boxes from the frame and from each other.
const MARGIN: f64 = 7.0;
/// Width of a legend's samples.
const KEY: f64 = 20.0;

/// Entries of the labelled series, then the legend's own.
pub(crate) fn entries(legend: &Legend, series: &[Series]) -> Vec<LegendEntry> {
    let mut all: Vec<LegendEntry> =
        series.iter().filter_map(|s| Some(LegendEntry::new(key_of(s), s.label().filter(|l| !l.is_empty())?))).collect();
    all.extend(legend.entries.iter().cloned());
    all
}

fn key_of(series: &Series) -> LegendKey {
    match series {
        Series::Points(s) => LegendKey::Marker { marker: s.marker, line: s.joined, error_bar: s.y_errors.is_some() },
        Series::Line(s) => LegendKey::Line(s.stroke),
        Series::Band(s) => LegendKey::Patch { fill: Some(s.colour), stroke: None },
        Series::Strip(s) => LegendKey::Patch { fill: Some(s.colour), stroke: None },
        Series::Histogram(s) => match (s.fill, s.stroke) {
            (None, Some(stroke)) => LegendKey::Line(stroke),
            (fill, stroke) => LegendKey::Patch { fill, stroke },
        },
        Series::Contours(s) => LegendKey::Line(s.stroke),
        Series::Guide(s) => LegendKey::Line(s.stroke),
        Series::Polygon(s) => LegendKey::Patch { fill: s.fill, stroke: s.stroke },
        Series::Arrows(s) => LegendKey::Line(s.stroke),
        Series::Image(_) | Series::Text(_) => LegendKey::Nothing,
    }
}

/// A legend or note ready to be placed.
pub(crate) struct Block {
    width: f64,
    height: f64,
    /// Marks relative to the upper left corner.
    rows: Vec<Row>,
    framed: bool,
    pub anchor: Option<Anchor>,
}

enum Row {
    Text { text: Text, at: Point, colour: Colour },
    Key { key: LegendKey, at: Point },
}

impl Block {
    /// A legend no wider than `width`, no higher than `height` if more columns can help; `None` without entries.
    pub fn legend(legend: &Legend, entries: &[LegendEntry], theme: &Theme, width: f64, height: f64) -> Option<Self> {
        if legend.place == LegendPlace::Hidden || entries.is_empty() {
            return None;
        }
        // More entries than paper: the rest is counted in the last line.
        let most = 60;
        let mut shown: Vec<LegendEntry> = entries.iter().take(most).cloned().collect();
        if entries.len() > most {
            shown.push(LegendEntry::new(LegendKey::Nothing, format!("… and {} more", entries.len() - most)));
        }
        let mut size = theme.note;
        let largest = shown.iter().map(|e| Text::new(&e.text, size).width).fold(0.0, f64::max);
        let mut columns = legend.columns;
        if columns == 0 {
            let fits = |n: usize| n as f64 * size * LINE_SKIP <= 0.5 * height;
            columns = 1;
            while !fits(shown.len().div_ceil(columns)) && (columns + 1) as f64 * (KEY + largest + 16.0) < 0.8 * width {
                columns += 1;
            }
        }
        let columns = columns.clamp(1, shown.len());
        let per_column = shown.len().div_ceil(columns);
        // Small type where there is too much for the frame.
        let needed = per_column as f64 * size * LINE_SKIP;
        if needed > 0.9 * height {
            size = (size * 0.9 * height / needed).max(4.0);
        }
        let room = (width - 2.0 * MARGIN) / columns as f64 - KEY - 14.0;
        let texts: Vec<Text> = shown.iter().map(|e| shrunk(&e.text, size, room)).collect();
        let mut block = Self { width: 0.0, height: 0.0, rows: vec![], framed: legend.framed, anchor: None };
        let mut top = 0.0;
        if let Some(title) = &legend.title {
            let text = shrunk(title, size, width);
            block.width = text.width;
            block.rows.push(Row::Text { text, at: pt(0.0, ASCENT * size), colour: INK });
            top = size * LINE_SKIP;
        }
        let mut x = 0.0;
        for (keys, texts) in shown.chunks(per_column).zip(texts.chunks(per_column)) {
            let has_key = keys.iter().any(|e| e.key != LegendKey::Nothing);
            let indent = if has_key { KEY + 6.0 } else { 0.0 };
            let column = texts.iter().map(|t| t.width).fold(0.0, f64::max);
            for (i, (entry, text)) in keys.iter().zip(texts).enumerate() {
                let baseline = top + i as f64 * size * LINE_SKIP + ASCENT * size;
                block.rows.push(Row::Key { key: entry.key, at: pt(x, baseline - CAP_HEIGHT * size / 2.0) });
                block.rows.push(Row::Text { text: text.clone(), at: pt(x + indent, baseline), colour: INK });
            }
            block.width = block.width.max(x + indent + column);
            x += indent + column + 14.0;
        }
        block.height = top + per_column as f64 * size * LINE_SKIP - (LINE_SKIP - ASCENT - DESCENT) * size;
        block.anchor = match legend.place {
            LegendPlace::At(anchor) if anchor != Anchor::Free => Some(anchor),
            _ => None,
        };
        Some(block)
    }

    /// A note no wider than `width`; `None` without lines.
    pub fn note(note: &Note, theme: &Theme, width: f64, height: f64) -> Option<Self> {
        if note.lines.is_empty() {
            return None;
        }
        let mut size = note.size.filter(|s| s.is_finite()).unwrap_or(theme.note).clamp(3.0, 60.0);
        let needed = note.lines.len() as f64 * size * LINE_SKIP;
        if needed > 0.9 * height {
            size = (size * 0.9 * height / needed).max(3.0);
        }
        // Names and values in two columns; single texts run across both.
        let columns = |i: usize| -> f64 {
            let texts = note.lines.iter().filter_map(|(a, b)| b.as_ref().map(|b| if i == 0 { a } else { b }));
            texts.map(|t| Text::new(t, size).width).fold(0.0, f64::max)
        };
        let gap = if note.lines.iter().any(|l| l.1.is_some()) { 1.1 * size } else { 0.0 };
        let (first, second) = (columns(0), columns(1));
        let across = note.lines.iter().filter(|l| l.1.is_none()).map(|l| Text::new(&l.0, size).width);
        let natural = across.fold(first + gap + second, f64::max);
        let scale = if natural > width - 2.0 * MARGIN { ((width - 2.0 * MARGIN) / natural).max(0.3) } else { 1.0 };
        size *= scale;
        let (block_width, first, gap) = (natural * scale, first * scale, gap * scale);
        let right = matches!(note.anchor, Anchor::TopRight | Anchor::Right | Anchor::BottomRight);
        let centre = matches!(note.anchor, Anchor::Top | Anchor::Bottom);
        let mut rows = Vec::new();
        for (i, (left, value)) in note.lines.iter().enumerate() {
            let baseline = i as f64 * size * LINE_SKIP + ASCENT * size;
            let text = Text::new(left, size);
            let x = match value {
                Some(_) => 0.0,
                None if note.boxed && gap == 0.0 => 0.0,
                None if right && !note.boxed => block_width - text.width,
                None if centre || note.boxed => (block_width - text.width) / 2.0,
                None => 0.0,
            };
            rows.push(Row::Text { text, at: pt(x, baseline), colour: note.colour });
            if let Some(value) = value {
                let text = Text::new(value, size);
                rows.push(Row::Text { text, at: pt(first + gap, baseline), colour: note.colour });
            }
        }
        let height = note.lines.len() as f64 * size * LINE_SKIP - (LINE_SKIP - ASCENT - DESCENT) * size;
        Some(Self { width: block_width, height, rows, framed: note.boxed, anchor: Some(note.anchor) })
    }

    fn padding(&self) -> f64 {
        if self.framed { 4.5 } else { 0.0 }
    }

    /// Width with padding and margin, for a legend beside the frame.
    pub fn outer_width(&self) -> f64 {
        self.width + 2.0 * self.padding() + MARGIN
    }

    /// The rectangle taken when the upper left corner is here.
    pub fn rect_at(&self, x: f64, y: f64) -> Rect {
        Rect::new(x, y, x + self.width + 2.0 * self.padding(), y + self.height + 2.0 * self.padding())
    }

    /// The rectangle taken when the block is anchored in `frame`, moved inwards past `taken` rectangles at its place.
    pub fn rect(&self, frame: &Rect, anchor: Anchor, taken: &[Rect]) -> Rect {
        let (w, h) = (self.width + 2.0 * self.padding(), self.height + 2.0 * self.padding());
        let x = match anchor {
            Anchor::TopLeft | Anchor::Left | Anchor::BottomLeft => frame.x0 + MARGIN,
            Anchor::Top | Anchor::Bottom => (frame.x0 + frame.x1 - w) / 2.0,
            Anchor::TopRight | Anchor::Right | Anchor::BottomRight | Anchor::Free => frame.x1 - MARGIN - w,
        };
        let upwards = matches!(anchor, Anchor::BottomLeft | Anchor::Bottom | Anchor::BottomRight);
        let mut y = match anchor {
            Anchor::TopLeft | Anchor::Top | Anchor::TopRight | Anchor::Free => frame.y0 + MARGIN,
            Anchor::Left | Anchor::Right => (frame.y0 + frame.y1 - h) / 2.0,
            Anchor::BottomLeft | Anchor::Bottom | Anchor::BottomRight => frame.y1 - MARGIN - h,
        };
        for _ in 0..=taken.len() {
            let here = Rect::new(x, y, x + w, y + h);
            let Some(other) = taken.iter().find(|t| t.overlaps(&here)) else {
                break;
            };
            y = if upwards { other.y0 - h - 3.0 } else { other.y1 + 3.0 };
        }
        Rect::new(x, y, x + w, y + h)
    }

    /// Draws the block into `rect`, on white ground when it has a frame or hides something.
    pub fn draw(&self, drawing: &mut Drawing, rect: Rect, ground: bool) {
        if self.framed || ground {
            let mut path = Path::new();
            path.rect(if self.framed { rect } else { rect.grown(2.0) });
            let pen = self.framed.then(|| Pen::solid(INK, 0.6));
            let white = Colour::WHITE.with_alpha(if self.framed { 0.93 } else { 0.8 });
            drawing.path(path, Some(white), pen);
        }
        let origin = pt(rect.x0 + self.padding(), rect.y0 + self.padding());
        for row in &self.rows {
            match row {
                Row::Text { text, at, colour } => drawing.marks.push(Mark::Text {
                    glyphs: text.glyphs.clone(),
                    at: pt(origin.x + at.x, origin.y + at.y),
                    upwards: false,
                    colour: *colour,
                }),
                Row::Key { key, at } => draw_key(drawing, key, pt(origin.x + at.x, origin.y + at.y)),
            }
        }
    }
}

fn shrunk(text: &str, size: f64, room: f64) -> Text {
    let natural = Text::new(text, size);
    if natural.width <= room || room <= 0.0 || room.is_nan() {
        return natural;
    }
    Text::new(text, size * (room / natural.width).max(0.4))
}

/// Draws a legend's sample from its left middle.
fn draw_key(drawing: &mut Drawing, key: &LegendKey, at: Point) {
    let line = |drawing: &mut Drawing, pen: Pen| {
        let mut path = Path::new();
        path.segment(at, pt(at.x + KEY, at.y));
        drawing.stroke(path, pen);
    };
    match key {
        LegendKey::Nothing => {}
        LegendKey::Line(stroke) => line(drawing, (*stroke).into()),
        LegendKey::Marker { marker, line: joined, error_bar } => {
            if let Some(stroke) = joined {
                line(drawing, (*stroke).into());
            }
            let centre = pt(at.x + KEY / 2.0, at.y);
            if *error_bar {
                let mut path = Path::new();
                path.segment(pt(centre.x, at.y - 5.0), pt(centre.x, at.y + 5.0));
                drawing.stroke(path, Pen::solid(marker.edge, 0.75));
            }
            // A dot of the data's size would be lost beside its text.
            let sample = match marker.shape {
                Shape::Dot => marker.size(marker.size.clamp(4.0, 8.0)),
                _ => Marker { size: marker.size.clamp(3.0, 8.0), ..*marker },
            };
            drawing.marks.push(marks::stamps(&sample, vec![centre]));
        }
        LegendKey::Patch { fill, stroke } => {
            let mut path = Path::new();
            path.rect(Rect::new(at.x + 1.0, at.y - 3.6, at.x + KEY - 1.0, at.y + 3.6));
            drawing.path(path, *fill, stroke.map(Pen::from));
        }
    }
}

/// A box in its place.
pub(crate) struct Placed {
    pub block: Block,
    pub rect: Rect,
    /// Number of places of the data under it.
    pub hidden: usize,
    anchor: Anchor,
}

/// Finds places for the boxes of a panel: first those that ask for one, then the others in the corner that hides the
/// least data.
pub(crate) fn arrange(frame: &Rect, blocks: Vec<Block>, footprint: &[Point]) -> Vec<Placed> {
    const CANDIDATES: [Anchor; 8] = [
        Anchor::TopRight,
        Anchor::TopLeft,
        Anchor::BottomRight,
        Anchor::BottomLeft,
        Anchor::Top,
        Anchor::Bottom,
        Anchor::Right,
        Anchor::Left,
    ];
    let hits = |r: &Rect| {
        let around = r.grown(2.0);
        footprint.iter().filter(|p| around.contains(**p)).count()
    };
    let room = frame.grown(0.5);
    let mut taken: Vec<Rect> = Vec::new();
    let mut placed = Vec::new();
    let (fixed, free): (Vec<Block>, Vec<Block>) = blocks.into_iter().partition(|b| b.anchor.is_some());
    for block in fixed.into_iter().chain(free) {
        let cost = |anchor: &Anchor| {
            let rect = block.rect(frame, *anchor, &taken);
            let inside = room.contains(pt(rect.x0, rect.y0)) && room.contains(pt(rect.x1, rect.y1));
            (!inside, hits(&rect))
        };
        let anchor = block.anchor.or_else(|| CANDIDATES.into_iter().min_by_key(cost)).unwrap_or_default();
        let rect = block.rect(frame, anchor, &taken);
        let hidden = hits(&rect);
        taken.push(rect);
        placed.push(Placed { block, rect, hidden, anchor });
    }
    placed
}

/// Factor by which the left axis has to grow upwards so that the data pass below this box; infinite when growing does
/// not help.
pub(crate) fn headroom(frame: &Rect, placed: &Placed, footprint: &[Point]) -> f64 {
    if !matches!(placed.anchor, Anchor::TopLeft | Anchor::Top | Anchor::TopRight) {
        return f64::INFINITY;
    }
    let around = placed.rect.grown(4.0);
    let highest = footprint
        .iter()
        .filter(|p| p.x >= around.x0 && p.x <= around.x1 && frame.grown(0.5).contains(**p))
        .map(|p| frame.y1 - p.y)
        .fold(0.0, f64::max);
    let free = frame.y1 - around.y1;
    if free <= 0.0 { f64::INFINITY } else { (highest / free).max(1.0) }
}
