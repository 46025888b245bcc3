//! Character cells: 2 × 4 braille dots each, or two coloured halves.

use super::drawing::{Mark, Raster};
use super::geometry::{Path, Point, Rect, Segment, pt};
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
pub(crate) const ACROSS: usize = 2;
pub(crate) const DOWN: usize = 4;

/// Character cells of a frame.
pub(crate) struct Cells {
    width: usize,
    height: usize,
    dots: Vec<u8>,
    ink: Vec<Option<Colour>>,
    /// Colours of the upper and lower half.
    image: Vec<Option<(Colour, Colour)>>,
}

impl Cells {
    pub fn new(width: usize, height: usize) -> Self {
        let n = width * height;
        Self { width, height, dots: vec![0; n], ink: vec![None; n], image: vec![None; n] }
    }

    fn dot(&mut self, x: f64, y: f64, colour: Colour) {
        let (x, y) = (x.floor(), y.floor());
        if !(x >= 0.0 && y >= 0.0 && x < (self.width * ACROSS) as f64 && y < (self.height * DOWN) as f64) {
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
        let steps = (b.x - a.x).abs().max((b.y - a.y).abs()).ceil().clamp(1.0, 10_000.0) as usize;
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
            let index = raster.indices.get(row.min(raster.height - 1) * raster.width + column.min(raster.width - 1));
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
                self.image[cell] = Some((halves.0.unwrap_or(Colour::WHITE), halves.1.unwrap_or(Colour::WHITE)));
            }
        }
    }

    pub fn mark(&mut self, mark: &Mark) {
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
                let colour = pen.as_ref().map(|p| p.colour).or(*fill).unwrap_or(Colour::BLACK);
                // One dot is hard to see; many would run into each other.
                let size = if at.len() <= 150 { 2 } else { 1 };
                for (p, i) in at.iter().flat_map(|p| (0..size * size).map(move |i| (p, i))) {
                    let shift = |k: i32| f64::from(k) - f64::from(size - 1) / 2.0;
                    self.dot(p.x + shift(i % size), p.y + shift(i / size), colour);
                }
            }
            Mark::Image { raster, rect, clip } => self.paste(raster, rect, clip),
            Mark::Text { .. } => {}
        }
    }

    pub fn row(&self, row: usize, colours: TextColours) -> String {
        let mut out = String::new();
        let mut painter = Painter::new(colours);
        for cell in row * self.width..(row + 1) * self.width {
            let dots = char::from_u32(0x2800 + u32::from(self.dots[cell])).unwrap_or(' ');
            let (c, ink, ground) = match (self.dots[cell], self.image[cell]) {
                (0, None) => (' ', None, None),
                (0, Some((upper, lower))) if colours != TextColours::None => ('▀', Some(upper), Some(lower)),
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
pub(crate) fn shade_of(upper: Colour, lower: Colour) -> char {
    let bright = |c: Colour| 0.299 * f64::from(c.r) + 0.587 * f64::from(c.g) + 0.114 * f64::from(c.b);
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
pub(crate) struct Painter {
    colours: TextColours,
    current: (Option<Colour>, Option<Colour>),
}

impl Painter {
    pub fn new(colours: TextColours) -> Self {
        Self { colours, current: (None, None) }
    }

    pub fn set(&mut self, out: &mut String, ink: Option<Colour>, ground: Option<Colour>) {
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
    let distance = |a: [i32; 3]| a.iter().zip(&channels).map(|(a, b)| (a - b).pow(2)).sum::<i32>();
    let cube = channels.map(|v| (0..6usize).min_by_key(|i| (LEVELS[*i] - v).abs()).unwrap_or(0));
    let mean = channels.iter().sum::<i32>() / 3;
    let grey = ((mean - 8) / 10).clamp(0, 23);
    let of_cube = distance(cube.map(|i| LEVELS[i]));
    if distance([8 + 10 * grey; 3]) < of_cube {
        232 + grey as u8
    } else {
        (16 + 36 * cube[0] + 6 * cube[1] + cube[2]) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_colours_are_found() {
        assert_eq!(nearest_of_256(Colour::rgb(255, 0, 0)), 196);
        assert_eq!(nearest_of_256(Colour::WHITE), 231);
        assert_eq!(nearest_of_256(Colour::BLACK), 16);
        assert_eq!(nearest_of_256(Colour::rgb(128, 128, 128)), 244);
    }
}
