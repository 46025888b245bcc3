//! A figure in letters: braille dots for lines and markers, half blocks for images. For terminals without graphics.
//!
//! Drawing the page as a picture of half blocks would leave its labels unreadable at eighty columns; here the labels are
//! text, and every character cell holds 2 × 4 dots of the curve.

use super::boxes;
use super::drawing::{Drawing, Mark, Raster};
use super::geometry::{Path, Point, Rect, Segment, pt};
use super::layout::{self, Density};
use super::marks::Frame;
use super::panel::Plan;
use super::scale::Scale;
use super::ticks::{Room, Ticks, ticks};
use crate::plot::annotation::{LegendKey, significant, typographic_minus};
use crate::plot::figure::Figure;
use crate::plot::image::ColourScale;
use crate::plot::series::Series;
use crate::plot::style::Colour;

/// Colours that a terminal understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextColours {
    /// None: letters only (`NO_COLOR`, files).
    None,
    /// The 256 colours of xterm.
    Palette,
    /// 24 bits.
    Full,
}

/// Dots per character cell.
const ACROSS: usize = 2;
const DOWN: usize = 4;

/// The figure as lines of text, `columns` wide (40 to 240), panels below each other.
pub fn render_text(figure: &Figure, columns: usize, colours: TextColours) -> String {
    let columns = columns.clamp(40, 240);
    let mut out = String::new();
    for line in figure.title.iter().filter(|l| !l.is_empty()) {
        out += &centred(&plain(line), columns);
        out.push('\n');
    }
    for (share, plan) in layout::plans(figure) {
        panel_text(&mut out, &plan, columns, share, colours);
    }
    out
}

/// Text without markup: `10^{−3}` becomes `10⁻³`, `N_{skips}` becomes `N_skips`.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['_', '^']) {
        let (before, script) = rest.split_at(at);
        out.push_str(before);
        let sign = &script[..1];
        let inner = script[1..]
            .strip_prefix('{')
            .and_then(|s| s.split_once('}'));
        match inner {
            Some((content, after)) => {
                let raised: Option<String> = content.chars().map(superscript).collect();
                match raised {
                    Some(raised) if sign == "^" => out.push_str(&raised),
                    _ => {
                        out.push_str(sign);
                        out.push_str(content);
                    }
                }
                rest = after;
            }
            None => {
                out.push_str(sign);
                rest = &script[1..];
            }
        }
    }
    out.push_str(rest);
    out.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn superscript(c: char) -> Option<char> {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    match c {
        '−' | '-' => Some('⁻'),
        '+' => Some('⁺'),
        _ => c.to_digit(10).map(|d| DIGITS[d as usize]),
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// At most `width` characters.
fn cut(text: &str, width: usize) -> String {
    if length(text) <= width {
        return text.to_string();
    }
    text.chars()
        .take(width.saturating_sub(1))
        .chain(['…'])
        .collect()
}

fn centred(text: &str, width: usize) -> String {
    let text = cut(text, width);
    format!("{}{text}", " ".repeat((width - length(&text)) / 2))
}

/// Character cells of a frame.
struct Cells {
    width: usize,
    height: usize,
    dots: Vec<u8>,
    ink: Vec<Option<Colour>>,
    /// Colours of the upper and lower half.
    image: Vec<Option<(Colour, Colour)>>,
}

impl Cells {
    fn new(width: usize, height: usize) -> Self {
        let n = width * height;
        Self {
            width,
            height,
            dots: vec![0; n],
            ink: vec![None; n],
            image: vec![None; n],
        }
    }

    fn dot(&mut self, x: f64, y: f64, colour: Colour) {
        let (x, y) = (x.floor(), y.floor());
        if !(x >= 0.0
            && y >= 0.0
            && x < (self.width * ACROSS) as f64
            && y < (self.height * DOWN) as f64)
        {
            return;
        }
        let (x, y) = (x as usize, y as usize);
        // Bits of the braille patterns block: left column 1, 2, 4, 64; right column 8, 16, 32, 128.
        let bit = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]][y % DOWN][x % ACROSS];
        let cell = y / DOWN * self.width + x / ACROSS;
        self.dots[cell] |= bit;
        self.ink[cell] = Some(colour);
    }

    fn line(&mut self, a: Point, b: Point, colour: Colour) {
        let steps = (b.x - a.x)
            .abs()
            .max((b.y - a.y).abs())
            .ceil()
            .clamp(1.0, 10_000.0) as usize;
        for i in 0..=steps {
            let t = i as f64 / steps as f64;
            self.dot(a.x + (b.x - a.x) * t, a.y + (b.y - a.y) * t, colour);
        }
    }

    fn stroke(&mut self, path: &Path, colour: Colour) {
        for polygon in flatten(path) {
            for pair in polygon.windows(2) {
                self.line(pair[0], pair[1], colour);
            }
        }
    }

    /// A sparse pattern of dots inside a path (even–odd).
    fn shade(&mut self, path: &Path, colour: Colour) {
        let polygons = flatten(path);
        for row in 0..self.height * DOWN {
            let y = row as f64 + 0.5;
            let mut crossings: Vec<f64> = polygons
                .iter()
                .flat_map(|p| p.windows(2))
                .filter(|w| (w[0].y <= y) != (w[1].y <= y))
                .map(|w| w[0].x + (w[1].x - w[0].x) * (y - w[0].y) / (w[1].y - w[0].y))
                .collect();
            crossings.sort_by(f64::total_cmp);
            for span in crossings.chunks_exact(2) {
                let (from, to) = (span[0].max(0.0).ceil() as usize, span[1].max(0.0) as usize);
                for x in from..to.min(self.width * ACROSS) {
                    if row % 2 == 0 && (x + row / 2 % 2).is_multiple_of(2) {
                        self.dot(x as f64, y, colour);
                    }
                }
            }
        }
    }

    fn paste(&mut self, raster: &Raster, rect: &Rect, clip: &Rect) {
        let pixel = |x: f64, y: f64| {
            let inside = clip.contains(pt(x, y)) && rect.contains(pt(x, y));
            let column = ((x - rect.x0) / rect.width() * raster.width as f64) as usize;
            let row = ((y - rect.y0) / rect.height() * raster.height as f64) as usize;
            let index = raster
                .indices
                .get(row.min(raster.height - 1) * raster.width + column.min(raster.width - 1));
            let [r, g, b] = *raster.palette.get(*index? as usize)?;
            inside.then_some(Colour::rgb(r, g, b))
        };
        if raster.width == 0 || raster.height == 0 {
            return;
        }
        for cell in 0..self.image.len() {
            let x = ((cell % self.width) as f64 + 0.5) * ACROSS as f64;
            let y = (cell / self.width * DOWN) as f64;
            let halves = (pixel(x, y + 1.0), pixel(x, y + 3.0));
            if halves.0.is_some() || halves.1.is_some() {
                self.image[cell] = Some((
                    halves.0.unwrap_or(Colour::WHITE),
                    halves.1.unwrap_or(Colour::WHITE),
                ));
            }
        }
    }

    fn mark(&mut self, mark: &Mark) {
        match mark {
            Mark::Path { path, fill, pen } => {
                if let Some(fill) = fill.filter(|f| *f != Colour::WHITE) {
                    self.shade(path, fill);
                }
                if let Some(pen) = pen.as_ref().filter(|p| p.colour != Colour::WHITE) {
                    self.stroke(path, pen.colour);
                }
            }
            Mark::Stamps { fill, pen, at, .. } => {
                let colour = pen
                    .as_ref()
                    .map(|p| p.colour)
                    .or(*fill)
                    .unwrap_or(Colour::BLACK);
                // One dot is hard to see; many would run into each other.
                let size = if at.len() <= 150 { 2 } else { 1 };
                for (p, i) in at
                    .iter()
                    .flat_map(|p| (0..size * size).map(move |i| (p, i)))
                {
                    let shift = |k: i32| f64::from(k) - f64::from(size - 1) / 2.0;
                    self.dot(p.x + shift(i % size), p.y + shift(i / size), colour);
                }
            }
            Mark::Image { raster, rect, clip } => self.paste(raster, rect, clip),
            Mark::Text { .. } => {}
        }
    }

    fn row(&self, row: usize, colours: TextColours) -> String {
        let mut out = String::new();
        let mut painter = Painter {
            colours,
            current: (None, None),
        };
        for cell in row * self.width..(row + 1) * self.width {
            let dots = char::from_u32(0x2800 + u32::from(self.dots[cell])).unwrap_or(' ');
            let (c, ink, ground) = match (self.dots[cell], self.image[cell]) {
                (0, None) => (' ', None, None),
                (0, Some((upper, lower))) if colours != TextColours::None => {
                    ('▀', Some(upper), Some(lower))
                }
                (0, Some((upper, lower))) => (shade_of(upper, lower), None, None),
                (_, None) => (dots, self.ink[cell], None),
                (_, Some((upper, _))) => (dots, self.ink[cell], Some(upper)),
            };
            painter.set(&mut out, ink, ground);
            out.push(c);
        }
        painter.set(&mut out, None, None);
        out
    }
}

/// Letters for a brightness, dark to bright.
fn shade_of(upper: Colour, lower: Colour) -> char {
    let bright =
        |c: Colour| 0.299 * f64::from(c.r) + 0.587 * f64::from(c.g) + 0.114 * f64::from(c.b);
    let level = (bright(upper) + bright(lower)) / 2.0 / 256.0 * 5.0;
    [' ', '░', '▒', '▓', '█'][(level as usize).min(4)]
}

/// Straight pieces of a path; curves by their end points.
fn flatten(path: &Path) -> Vec<Vec<Point>> {
    let mut lines: Vec<Vec<Point>> = Vec::new();
    for segment in &path.segments {
        match (*segment, lines.last_mut()) {
            (Segment::Move(p), _) => lines.push(vec![p]),
            (Segment::Line(p) | Segment::Cubic(_, _, p), Some(line)) => line.push(p),
            (Segment::Close, Some(line)) => line.extend(line.first().copied()),
            _ => {}
        }
    }
    lines
}

/// Writes colour changes only where the colour changes.
struct Painter {
    colours: TextColours,
    current: (Option<Colour>, Option<Colour>),
}

impl Painter {
    fn set(&mut self, out: &mut String, ink: Option<Colour>, ground: Option<Colour>) {
        // Black ink is the terminal's own colour, which may be white on black.
        let neutral = |c: Colour| c.r.max(c.g).max(c.b) < 80;
        let ink = ink.filter(|c| ground.is_some() || !neutral(*c));
        if self.colours == TextColours::None || self.current == (ink, ground) {
            return;
        }
        out.push_str("\x1b[0m");
        for (code, colour) in [(38, ink), (48, ground)] {
            let Some(c) = colour.map(Colour::on_white) else {
                continue;
            };
            match self.colours {
                TextColours::Full => *out += &format!("\x1b[{code};2;{};{};{}m", c.r, c.g, c.b),
                _ => *out += &format!("\x1b[{code};5;{}m", nearest_of_256(c)),
            }
        }
        self.current = (ink, ground);
    }
}

/// Number of the nearest colour of xterm's 6 × 6 × 6 cube or grey ramp.
fn nearest_of_256(c: Colour) -> u8 {
    const LEVELS: [i32; 6] = [0, 95, 135, 175, 215, 255];
    let channels = [c.r, c.g, c.b].map(i32::from);
    let distance = |a: [i32; 3]| {
        a.iter()
            .zip(&channels)
            .map(|(a, b)| (a - b).pow(2))
            .sum::<i32>()
    };
    let cube = channels.map(|v| {
        (0..6usize)
            .min_by_key(|i| (LEVELS[*i] - v).abs())
            .unwrap_or(0)
    });
    let mean = channels.iter().sum::<i32>() / 3;
    let grey = ((mean - 8) / 10).clamp(0, 23);
    let of_cube = distance(cube.map(|i| LEVELS[i]));
    if distance([8 + 10 * grey; 3]) < of_cube {
        232 + grey as u8
    } else {
        (16 + 36 * cube[0] + 6 * cube[1] + cube[2]) as u8
    }
}

fn panel_text(out: &mut String, plan: &Plan, columns: usize, share: f64, colours: TextColours) {
    let panel = plan.panel;
    let height = ((columns as f64 * 0.22).clamp(10.0, 40.0) * share).max(6.0) as usize;
    let vertical = |label: &str| if label.is_empty() { 0.0 } else { 1.0 };
    let y_ticks = ticks_of(
        &panel.y.ticks,
        &plan.y,
        panel.y.integer,
        &Room {
            length: height as f64,
            spacing: 3.0,
            extent: &vertical,
        },
    );
    let margin = y_ticks
        .major
        .iter()
        .map(|(_, l)| length(&plain(l)))
        .max()
        .unwrap_or(0)
        .min(columns / 3);
    let width = columns - margin - 3;
    let wide = |label: &str| length(&plain(label)) as f64;
    let x_ticks = ticks_of(
        &panel.x.ticks,
        &plan.x,
        panel.x.integer,
        &Room {
            length: width as f64,
            spacing: 9.0,
            extent: &wide,
        },
    );
    let rect = Rect::new(0.0, 0.0, (width * ACROSS) as f64, (height * DOWN) as f64);
    let frame = Frame {
        rect,
        x: plan.x,
        y: plan.y,
    };
    let mut drawing = Drawing {
        width: rect.x1,
        height: rect.y1,
        title: String::new(),
        description: String::new(),
        marks: vec![],
    };
    plan.draw_series(
        &mut drawing,
        &frame,
        Density {
            dpi: 72.0,
            snap: true,
        },
    );
    let mut cells = Cells::new(width, height);
    drawing.marks.iter().for_each(|m| cells.mark(m));

    let common = |t: &Ticks| {
        t.common
            .as_ref()
            .map(|c| format!(" ({})", plain(c)))
            .unwrap_or_default()
    };
    if let Some(title) = panel.title.as_ref().filter(|t| !t.is_empty()) {
        *out += &format!("{}\n", centred(&plain(title), columns));
    }
    if !panel.y.label.is_empty() {
        *out += &format!(
            "{}\n",
            cut(
                &format!("{}{}", plain(&panel.y.label), common(&y_ticks)),
                columns
            )
        );
    }
    *out += &format!("{}┌{}┐\n", " ".repeat(margin + 1), "─".repeat(width));
    let row_of = |v: f64| {
        ((1.0 - plan.y.unit(v)) * height as f64)
            .floor()
            .clamp(0.0, (height - 1) as f64) as usize
    };
    for row in 0..height {
        let label = y_ticks
            .major
            .iter()
            .find(|(v, _)| row_of(*v) == row)
            .map(|(_, l)| cut(&plain(l), margin));
        let edge = if label.is_some() { '┤' } else { '│' };
        let label = label.unwrap_or_default();
        let space = " ".repeat(margin - length(&label));
        *out += &format!("{space}{label} {edge}{}│\n", cells.row(row, colours));
    }
    *out += &lower_edge(plan, &x_ticks, width, margin);
    if !panel.x.label.is_empty() {
        *out += &format!(
            "{}\n",
            centred(
                &format!("{}{}", plain(&panel.x.label), common(&x_ticks)),
                columns
            )
        );
    }
    captions(out, plan, columns, colours);
}

fn ticks_of(
    named: &Option<Vec<(f64, String)>>,
    scale: &Scale,
    integer: bool,
    room: &Room,
) -> Ticks {
    match named {
        None => ticks(scale, integer, room),
        Some(named) => {
            let mut ticks = Ticks {
                major: named.clone(),
                ..Ticks::default()
            };
            ticks
                .major
                .retain(|(v, _)| v.is_finite() && scale.contains(*v));
            ticks
        }
    }
}

/// Lower side of the frame with ticks, and the line of labels.
fn lower_edge(plan: &Plan, ticks: &Ticks, width: usize, margin: usize) -> String {
    let mut edge = vec!['─'; width];
    let mut labels = vec![' '; margin + width + 3];
    for (v, label) in &ticks.major {
        let column = (plan.x.unit(*v) * width as f64)
            .floor()
            .clamp(0.0, (width - 1) as f64) as usize;
        edge[column] = '┬';
        let label: Vec<char> = plain(label).chars().collect();
        let start = (margin + 2 + column)
            .saturating_sub(label.len() / 2)
            .min(labels.len().saturating_sub(label.len()));
        // Named ticks may be too long for their places: later ones give way.
        let end = (start + label.len()).min(labels.len());
        let free = labels[start.saturating_sub(1)..end]
            .iter()
            .all(|c| *c == ' ');
        if free && label.len() <= labels.len() {
            labels[start..end].copy_from_slice(&label[..end - start]);
        }
    }
    let labels: String = labels.into_iter().collect();
    let edge: String = edge.into_iter().collect();
    format!(
        "{}└{edge}┘\n{}\n",
        " ".repeat(margin + 1),
        labels.trim_end()
    )
}

/// Colour bar, legend and notes, each on lines of their own.
fn captions(out: &mut String, plan: &Plan, columns: usize, colours: TextColours) {
    if let Some((image, limits)) = plan.bar_image() {
        let number = |v: f64| typographic_minus(&plain(&significant(v, 4)));
        let mut painter = Painter {
            colours,
            current: (None, None),
        };
        *out += &format!("{} ", number(limits.low));
        for i in 0..32 {
            let [r, g, b] = super::raster::colour_at(image, (f64::from(i) + 0.5) / 32.0);
            let c = Colour::rgb(r, g, b);
            painter.set(out, Some(c), Some(c));
            out.push(if colours == TextColours::None {
                shade_of(c, c)
            } else {
                '█'
            });
        }
        painter.set(out, None, None);
        let scale = if image.scale == ColourScale::Log {
            " (log)"
        } else {
            ""
        };
        *out += &format!(
            " {} {}{scale}\n",
            number(limits.high),
            plain(&image.colour_label)
        );
    }
    for entry in boxes::entries(&plan.panel.legend, &plan.panel.series) {
        let (symbol, colour) = match entry.key {
            LegendKey::Line(s) => ("──", Some(s.colour)),
            LegendKey::Marker { marker, .. } => (" •", Some(marker.edge)),
            LegendKey::Patch { fill, stroke } => ("▒▒", fill.or(stroke.map(|s| s.colour))),
            LegendKey::Nothing => ("  ", None),
        };
        let mut painter = Painter {
            colours,
            current: (None, None),
        };
        painter.set(out, colour, None);
        *out += symbol;
        painter.set(out, None, None);
        *out += &format!(" {}\n", cut(&plain(&entry.text), columns.saturating_sub(3)));
    }
    for note in &plan.panel.notes {
        let first = note
            .lines
            .iter()
            .filter(|l| l.1.is_some())
            .map(|l| length(&plain(&l.0)))
            .max()
            .unwrap_or(0);
        for (left, right) in &note.lines {
            let left = plain(left);
            let line = match right {
                Some(right) => format!(
                    "{left}{}  {}",
                    " ".repeat(first - length(&left)),
                    plain(right)
                ),
                None => left,
            };
            *out += &format!("{}\n", cut(&line, columns));
        }
    }
    let texts = plan.panel.series.iter().filter_map(|s| match s {
        Series::Guide(g) => g.note.as_deref().map(|n| (n, g.at)),
        _ => None,
    });
    for (note, at) in texts {
        *out += &format!(
            "{}\n",
            cut(&format!("{}: {}", plain(note), significant(at, 6)), columns)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::{Figure, ImagePlot, Line, Note, Panel, Points};

    #[test]
    fn markup_becomes_plain_text() {
        assert_eq!(
            plain("10^{−3} N_{skips} λ^{a} skip_598^2"),
            "10⁻³ N_skips λ^a skip_598^2"
        );
        assert_eq!(plain("open^{"), "open^{");
    }

    #[test]
    fn a_figure_is_readable_in_letters() {
        let figure = Figure::new("f").title("Dark current").panel(
            Panel::new()
                .x("row")
                .y("λ [e⁻]")
                .points(Points::indexed([0.0, 50.0, 100.0]))
                .line(Line::new([0.0, 2.0], [0.0, 100.0]).label("fit"))
                .note(Note::fit_results().value("slope", 50.0, 1.5)),
        );
        let text = render_text(&figure, 60, TextColours::None);
        assert!(text.lines().all(|l| l.chars().count() <= 60), "{text}");
        for expected in [
            "Dark current",
            "λ [e⁻]",
            "row",
            "100",
            "── fit",
            "slope  50.0 ± 1.5",
            "┤",
            "┬",
        ] {
            assert!(text.contains(expected), "{expected} is missing in\n{text}");
        }
        assert!(!text.contains('\x1b'));
        // The rising line goes from the lower left to the upper right.
        let rows: Vec<&str> = text.lines().filter(|l| l.ends_with('│')).collect();
        let dots = |l: &str| {
            l.chars()
                .position(|c| ('\u{2801}'..='\u{28ff}').contains(&c))
        };
        let (first, last) = (
            rows.iter().find_map(|l| dots(l)),
            rows.iter().rev().find_map(|l| dots(l)),
        );
        assert!(first > last, "{text}");
    }

    #[test]
    fn images_are_half_blocks() {
        let image = ndarray::Array2::from_shape_fn((20, 20), |(r, _)| r as f64);
        let figure =
            Figure::new("f").panel(Panel::image_of(ImagePlot::new(image).colour_label("ADU")));
        let text = render_text(&figure, 60, TextColours::Full);
        assert!(text.contains('▀') && text.contains("\x1b[38;2;") && text.contains("ADU"));
        assert!(text.contains("\x1b[0m"));
    }

    #[test]
    fn the_nearest_colours_are_found() {
        assert_eq!(nearest_of_256(Colour::rgb(255, 0, 0)), 196);
        assert_eq!(nearest_of_256(Colour::WHITE), 231);
        assert_eq!(nearest_of_256(Colour::BLACK), 16);
        assert_eq!(nearest_of_256(Colour::rgb(128, 128, 128)), 244);
    }
}
