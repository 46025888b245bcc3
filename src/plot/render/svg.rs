//! SVG: text as outlines (it looks the same everywhere, without a font to install), images as embedded PNG.

use std::collections::BTreeMap;

use base64::Engine;

use super::RenderError;
use super::drawing::{Drawing, Mark, Pen, Raster};
use super::font::{self, Glyph};
use super::geometry::{Path, Point, Rect, Segment};
use super::number;
use crate::plot::style::Colour;

/// How the file will be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    /// A file of its own, with XML declaration and size in points.
    File,
    /// An element inside an HTML page, as wide as its container.
    Inline,
}

/// The drawing as SVG text. All ids start with `prefix`, so that several drawings can share a page.
pub(crate) fn write(drawing: &Drawing, usage: Usage, prefix: &str) -> Result<Vec<u8>, RenderError> {
    let mut svg = Writer { out: Vec::with_capacity(64 * 1024), prefix: safe_prefix(prefix), clips: 0 };
    svg.head(drawing, usage);
    svg.glyph_shapes(drawing);
    for mark in &drawing.marks {
        svg.mark(mark)?;
    }
    svg.out.extend_from_slice(b"</svg>\n");
    Ok(svg.out)
}

/// Letters, digits and underscores only, and not empty.
fn safe_prefix(prefix: &str) -> String {
    let kept: String = prefix.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    format!("f{kept}")
}

/// Text as XML character data; characters that XML forbids are left out.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push(' '),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}

struct Writer {
    out: Vec<u8>,
    prefix: String,
    clips: usize,
}

impl Writer {
    fn text(&mut self, s: &str) {
        self.out.extend_from_slice(s.as_bytes());
    }

    fn number(&mut self, v: f64) {
        number::push(&mut self.out, v);
    }

    /// ` name="value"`.
    fn attribute(&mut self, name: &str, v: f64) {
        self.text(" ");
        self.text(name);
        self.text("=\"");
        self.number(v);
        self.text("\"");
    }

    fn head(&mut self, drawing: &Drawing, usage: Usage) {
        if usage == Usage::File {
            self.text("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        }
        self.text(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" role=\"img\"",
        );
        if usage == Usage::File {
            self.text(" width=\"");
            self.number(drawing.width);
            self.text("pt\" height=\"");
            self.number(drawing.height);
            self.text("pt\"");
        } else {
            self.text(" style=\"width:100%;height:auto\"");
        }
        self.text(" viewBox=\"0 0 ");
        self.number(drawing.width);
        self.text(" ");
        self.number(drawing.height);
        self.text("\">\n<title>");
        self.text(&escape(&drawing.title));
        self.text("</title>\n<desc>");
        self.text(&escape(&drawing.description));
        self.text("</desc>\n<rect");
        self.attribute("width", drawing.width);
        self.attribute("height", drawing.height);
        self.text(" fill=\"#fff\"/>\n");
    }

    /// Every glyph once, at a size of 100 so that two decimals suffice.
    fn glyph_shapes(&mut self, drawing: &Drawing) {
        let mut used: BTreeMap<u16, ()> = BTreeMap::new();
        for mark in &drawing.marks {
            if let Mark::Text { glyphs, .. } = mark {
                used.extend(glyphs.iter().map(|g| (g.id, ())));
            }
        }
        let shapes: Vec<(u16, Path)> = used.into_keys().map(|id| (id, font::outline(id))).collect();
        self.text("<defs>\n");
        for (id, shape) in shapes.iter().filter(|(_, s)| !s.is_empty()) {
            let prefix = self.prefix.clone();
            self.text(&format!("<path id=\"{prefix}g{id}\" d=\""));
            self.path_data(&shape.map(|p| Point { x: 100.0 * p.x, y: 100.0 * p.y }));
            self.text("\"/>\n");
        }
        self.text("</defs>\n");
    }

    fn path_data(&mut self, path: &Path) {
        for segment in &path.segments {
            let (letter, points): (u8, &[Point]) = match segment {
                Segment::Move(p) => (b'M', std::slice::from_ref(p)),
                Segment::Line(p) => (b'L', std::slice::from_ref(p)),
                Segment::Cubic(a, b, p) => (b'C', &[*a, *b, *p]),
                Segment::Close => (b'Z', &[]),
            };
            self.out.push(letter);
            for (i, p) in points.iter().enumerate() {
                if i > 0 {
                    self.out.push(b' ');
                }
                self.number(p.x);
                self.out.push(b' ');
                self.number(p.y);
            }
        }
    }

    fn colour(&mut self, name: &str, colour: Option<Colour>) {
        match colour {
            None => self.text(&format!(" {name}=\"none\"")),
            Some(c) => {
                self.text(&format!(" {name}=\"#{:02x}{:02x}{:02x}\"", c.r, c.g, c.b));
                if c.a < 255 {
                    self.text(&format!(" {name}-opacity=\"{:.3}\"", f64::from(c.a) / 255.0));
                }
            }
        }
    }

    fn paint(&mut self, fill: Option<Colour>, pen: Option<&Pen>) {
        self.colour("fill", fill);
        let Some(pen) = pen else { return };
        self.colour("stroke", Some(pen.colour));
        self.attribute("stroke-width", pen.width);
        if pen.round {
            self.text(" stroke-linecap=\"round\" stroke-linejoin=\"round\"");
        }
        if !pen.dashes.is_empty() {
            self.text(" stroke-dasharray=\"");
            for (i, d) in pen.dashes.iter().enumerate() {
                if i > 0 {
                    self.text(" ");
                }
                self.number(*d);
            }
            self.text("\"");
        }
    }

    fn mark(&mut self, mark: &Mark) -> Result<(), RenderError> {
        match mark {
            Mark::Path { path, fill, pen } => {
                self.text("<path");
                self.paint(*fill, pen.as_ref());
                self.text(" d=\"");
                self.path_data(path);
                self.text("\"/>\n");
            }
            Mark::Stamps { path, fill, pen, at } => self.stamps(path, *fill, pen.as_ref(), at),
            Mark::Text { glyphs, at, upwards, colour } => self.glyphs(glyphs, *at, *upwards, *colour),
            Mark::Image { raster, rect, clip } => self.image(raster, rect, clip)?,
        }
        Ok(())
    }

    fn stamps(&mut self, path: &Path, fill: Option<Colour>, pen: Option<&Pen>, at: &[Point]) {
        let id = format!("{}s{}", self.prefix, self.clips);
        self.clips += 1;
        self.text(&format!("<defs><path id=\"{id}\" d=\""));
        self.path_data(path);
        self.text("\"/></defs>\n<g");
        self.paint(fill, pen);
        self.text(">\n");
        for p in at {
            self.text(&format!("<use xlink:href=\"#{id}\""));
            self.attribute("x", p.x);
            self.attribute("y", p.y);
            self.text("/>\n");
        }
        self.text("</g>\n");
    }

    fn glyphs(&mut self, glyphs: &[Glyph], at: Point, upwards: bool, colour: Colour) {
        // The words themselves, for search and for screen readers.
        let words: String = glyphs.iter().map(|g| g.character).collect();
        self.text("<g aria-label=\"");
        self.text(&escape(&words));
        self.text("\"");
        self.colour("fill", Some(colour));
        self.text(" transform=\"translate(");
        self.number(at.x);
        self.text(" ");
        self.number(at.y);
        self.text(if upwards { ") rotate(-90)\">" } else { ")\">" });
        for g in glyphs.iter().filter(|g| g.character != ' ') {
            self.text(&format!("<use xlink:href=\"#{}g{}\" transform=\"translate(", self.prefix, g.id));
            self.number(g.x);
            self.text(" ");
            self.number(-g.rise);
            self.text(") scale(");
            number::push_scaled(&mut self.out, g.size / 100.0, 4);
            self.text(")\"/>");
        }
        self.text("</g>\n");
    }

    fn image(&mut self, raster: &Raster, rect: &Rect, clip: &Rect) -> Result<(), RenderError> {
        let id = format!("{}c{}", self.prefix, self.clips);
        self.clips += 1;
        let whole = clip.grown(0.01);
        let cut =
            !(whole.contains(Point { x: rect.x0, y: rect.y0 }) && whole.contains(Point { x: rect.x1, y: rect.y1 }));
        if cut {
            self.text(&format!("<clipPath id=\"{id}\"><rect"));
            self.rect(clip);
            self.text(&format!("/></clipPath>\n<g clip-path=\"url(#{id})\">\n"));
        }
        self.text("<image preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\"");
        self.rect(rect);
        let encoded = base64::engine::general_purpose::STANDARD.encode(png_of(raster)?);
        for name in ["href", "xlink:href"].iter().skip(1) {
            self.text(&format!(" {name}=\"data:image/png;base64,"));
            self.text(&encoded);
            self.text("\"");
        }
        self.text("/>\n");
        if cut {
            self.text("</g>\n");
        }
        Ok(())
    }

    fn rect(&mut self, r: &Rect) {
        self.attribute("x", r.x0);
        self.attribute("y", r.y0);
        self.attribute("width", r.width());
        self.attribute("height", r.height());
    }
}

/// A raster as a PNG file with a palette.
fn png_of(raster: &Raster) -> Result<Vec<u8>, RenderError> {
    let mut out = Vec::new();
    let palette: Vec<u8> = raster.palette.iter().flatten().copied().collect();
    let mut encoder = png::Encoder::new(&mut out, raster.width as u32, raster.height as u32);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    encoder.set_palette(palette);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&raster.indices)?;
    writer.finish()?;
    Ok(out)
}
