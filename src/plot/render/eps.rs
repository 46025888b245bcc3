//! Encapsulated PostScript, language level 3: for LaTeX and for journals.
//!
//! Text is text in an embedded TrueType subset (Type 42), images are compressed. PostScript knows no transparency:
//! transparent colours become those they give on white paper. The file follows the document structuring conventions, is
//! 7-bit clean and carries no date.

use super::RenderError;
use super::drawing::{Drawing, Mark, Pen, Raster};
use super::font::{self, Glyph};
use super::geometry::{Path, Point, Rect, Segment};
use super::number;
use super::subset::Subset;
use crate::plot::style::Colour;

/// Short names for what every page uses.
const PROLOG: &str = "\
/m {moveto} bind def
/l {lineto} bind def
/c {curveto} bind def
/h {closepath} bind def
/f {fill} bind def
/s {stroke} bind def
/g {gsave} bind def
/G {grestore} bind def
/k {setrgbcolor} bind def
/w {setlinewidth} bind def
/d {0 setdash} bind def
/b {dup setlinecap setlinejoin} bind def
/F {/PanaskimgFigure findfont exch scalefont setfont} bind def
/t {show} bind def
/T {gsave translate} bind def
";

/// The drawing as an EPS file.
pub(crate) fn write(drawing: &Drawing) -> Result<Vec<u8>, RenderError> {
    let mut eps = Writer {
        out: Vec::with_capacity(64 * 1024),
        height: drawing.height,
        subset: Subset::of(std::slice::from_ref(drawing))?,
        stamps: 0,
    };
    eps.head(drawing);
    eps.font();
    eps.text("%%EndProlog\n%%Page: 1 1\nsave\n");
    for mark in &drawing.marks {
        eps.mark(mark);
    }
    eps.text("restore\nshowpage\n%%Trailer\nend\n%%EOF\n");
    Ok(eps.out)
}

/// Text for a comment line: 7-bit, one line, of limited length.
fn comment(text: &str) -> String {
    text.chars().take(200).map(|c| if (' '..='~').contains(&c) { c } else { '?' }).collect()
}

/// PostScript name of a character's glyph.
fn glyph_name(character: char, number: u16) -> String {
    let code = character as u32;
    // Several glyphs could stand for one character only if fonts had variants; the number keeps names distinct.
    match number {
        0 => ".notdef".into(),
        _ if code <= 0xffff => format!("uni{code:04X}"),
        _ => format!("u{code:X}"),
    }
}

struct Writer {
    out: Vec<u8>,
    height: f64,
    subset: Option<Subset>,
    stamps: usize,
}

impl Writer {
    fn text(&mut self, s: &str) {
        self.out.extend_from_slice(s.as_bytes());
    }

    fn numbers(&mut self, values: &[f64]) {
        for v in values {
            number::push(&mut self.out, *v);
            self.out.push(b' ');
        }
    }

    fn head(&mut self, drawing: &Drawing) {
        let (w, h) = (drawing.width, drawing.height);
        self.text("%!PS-Adobe-3.0 EPSF-3.0\n");
        self.text(&format!("%%BoundingBox: 0 0 {} {}\n", w.ceil() as i64, h.ceil() as i64));
        self.text(&format!("%%HiResBoundingBox: 0 0 {w:.3} {h:.3}\n"));
        self.text(&format!("%%Title: {}\n", comment(&drawing.title)));
        self.text(concat!("%%Creator: panaSKImg ", env!("CARGO_PKG_VERSION"), "\n"));
        self.text("%%LanguageLevel: 3\n%%DocumentData: Clean7Bit\n%%Pages: 1\n");
        if self.subset.is_some() {
            self.text("%%DocumentSuppliedResources: font PanaskimgFigure\n");
        }
        self.text("%%EndComments\n%%BeginProlog\n40 dict begin\n");
        self.text(PROLOG);
    }

    /// The used part of the font as Type 42 (Adobe Technical Note 5012).
    fn font(&mut self) {
        let Some(subset) = self.subset.take() else {
            return;
        };
        let bounds = font::face().global_bounding_box();
        self.text("%%BeginResource: font PanaskimgFigure\n");
        self.text("%!PS-TrueTypeFont-1.0-1.0\n11 dict begin\n/FontName /PanaskimgFigure def\n");
        self.text("/FontType 42 def\n/FontMatrix [1 0 0 1 0 0] def\n/PaintType 0 def\n");
        let unit = |v: i16| f64::from(v) / font::units_per_em();
        let bbox = [bounds.x_min, bounds.y_min, bounds.x_max, bounds.y_max].map(unit);
        self.text("/FontBBox [");
        for v in bbox {
            number::push_scaled(&mut self.out, v, 4);
            self.text(" ");
        }
        self.text("] def\n/Encoding 256 array 0 1 255 {1 index exch /.notdef put} for\n");
        for (number, (character, _)) in subset.glyphs.iter().filter(|(n, _)| (1..256).contains(*n)) {
            self.text(&format!("dup {number} /{} put\n", glyph_name(*character, *number)));
        }
        self.text(&format!("def\n/CharStrings {} dict dup begin\n/.notdef 0 def\n", subset.glyphs.len() + 1));
        for (number, (character, _)) in subset.glyphs.iter().filter(|(n, _)| **n > 0) {
            self.text(&format!("/{} {number} def\n", glyph_name(*character, *number)));
        }
        self.text("end readonly def\n/sfnts [\n");
        // Strings hold at most 65535 bytes and end with a padding byte; a page's subset is far smaller than one.
        for part in subset.file.chunks(65_000) {
            self.text("<");
            for line in part.chunks(38) {
                for byte in line {
                    self.text(&format!("{byte:02x}"));
                }
                self.text("\n");
            }
            self.text("00>\n");
        }
        self.text("] def\nFontName currentdict end definefont pop\n%%EndResource\n");
        self.subset = Some(subset);
    }

    fn place(&mut self, p: Point) {
        self.numbers(&[p.x, self.height - p.y]);
    }

    fn colour(&mut self, c: Colour) {
        let c = c.on_white();
        for channel in [c.r, c.g, c.b] {
            number::push_scaled(&mut self.out, f64::from(channel) / 255.0, 3);
            self.out.push(b' ');
        }
        self.text("k\n");
    }

    fn path(&mut self, path: &Path) {
        for segment in &path.segments {
            match *segment {
                Segment::Move(p) => {
                    self.place(p);
                    self.text("m\n");
                }
                Segment::Line(p) => {
                    self.place(p);
                    self.text("l\n");
                }
                Segment::Cubic(a, b, p) => {
                    self.place(a);
                    self.place(b);
                    self.place(p);
                    self.text("c\n");
                }
                Segment::Close => self.text("h\n"),
            }
        }
    }

    fn pen(&mut self, pen: &Pen) {
        self.colour(pen.colour);
        self.numbers(&[pen.width]);
        self.text("w ");
        self.text(if pen.round { "1 b [" } else { "0 b [" });
        self.numbers(&pen.dashes);
        self.text("] d\n");
    }

    fn painted(&mut self, path: &Path, fill: Option<Colour>, pen: Option<&Pen>) {
        self.path(path);
        if let Some(fill) = fill {
            if pen.is_some() {
                self.text("g ");
            }
            self.colour(fill);
            self.text(if pen.is_some() { "f G\n" } else { "f\n" });
        }
        if let Some(pen) = pen {
            self.pen(pen);
            self.text("s\n");
        }
    }

    fn mark(&mut self, mark: &Mark) {
        match mark {
            Mark::Path { path, fill, pen } => {
                // Long paths are drawn in pieces: interpreters limit the points of one path, and a stroke may be cut
                // wherever a new piece begins.
                if fill.is_none() && path.segments.len() > 1400 {
                    for piece in pieces(path) {
                        self.painted(&piece, None, pen.as_ref());
                    }
                } else {
                    self.painted(path, *fill, pen.as_ref());
                }
            }
            Mark::Stamps { path, fill, pen, at } => self.stamps(path, *fill, pen.as_ref(), at),
            Mark::Text { glyphs, at, upwards, colour } => self.glyphs(glyphs, *at, *upwards, *colour),
            Mark::Image { raster, rect, clip } => self.image(raster, rect, clip),
        }
    }

    fn stamps(&mut self, path: &Path, fill: Option<Colour>, pen: Option<&Pen>, at: &[Point]) {
        let name = self.stamps;
        self.stamps += 1;
        self.text(&format!("/S{name} {{T\n"));
        let height = std::mem::replace(&mut self.height, 0.0);
        self.painted(path, fill, pen);
        self.height = height;
        self.text("G} bind def\n");
        for p in at {
            self.place(*p);
            self.text(&format!("S{name}\n"));
        }
    }

    fn glyphs(&mut self, glyphs: &[Glyph], at: Point, upwards: bool, colour: Colour) {
        let Some(subset) = self.subset.take() else {
            return;
        };
        // A font shows at most 256 glyphs at a time; text beyond is drawn as outlines.
        if glyphs.iter().any(|g| subset.number(g.id) > 255) {
            self.painted(&font::text_outline(glyphs, at, upwards), Some(colour), None);
            self.subset = Some(subset);
            return;
        }
        self.text("g ");
        self.place(at);
        self.text(if upwards { "translate 90 rotate " } else { "translate " });
        self.colour(colour);
        let mut size = None;
        for run in glyphs.chunk_by(|a, b| a.size == b.size && a.rise == b.rise) {
            if size != Some(run[0].size) {
                number::push_scaled(&mut self.out, run[0].size, 3);
                self.text(" F\n");
                size = Some(run[0].size);
            }
            // A new string wherever kerning interrupts the natural advance.
            let mut rest = run;
            while let Some(first) = rest.first() {
                let mut expected = first.x;
                let mut n = 0;
                for g in rest {
                    if (g.x - expected).abs() > 0.002 * g.size {
                        break;
                    }
                    expected = g.x + font::advance(g.id) * g.size;
                    n += 1;
                }
                let (line, after) = rest.split_at(n.clamp(1, 80));
                self.numbers(&[first.x, first.rise]);
                self.text("m <");
                for g in line {
                    self.text(&format!("{:02x}", subset.number(g.id)));
                }
                self.text("> t\n");
                rest = after;
            }
        }
        self.text("G\n");
        self.subset = Some(subset);
    }

    fn image(&mut self, raster: &Raster, rect: &Rect, clip: &Rect) {
        if raster.width == 0 || raster.height == 0 {
            return;
        }
        let (w, h) = (raster.width, raster.height);
        self.text("g ");
        self.numbers(&[clip.x0, self.height - clip.y1, clip.width(), clip.height()]);
        self.text("rectclip\n");
        self.numbers(&[rect.x0, self.height - rect.y1]);
        self.text("translate ");
        self.numbers(&[rect.width(), rect.height()]);
        self.text(&format!("scale\n[/Indexed /DeviceRGB {} <\n", raster.palette.len() - 1));
        for colours in raster.palette.chunks(12) {
            for [r, g, b] in colours {
                self.text(&format!("{r:02x}{g:02x}{b:02x}"));
            }
            self.text("\n");
        }
        self.text(">] setcolorspace\n");
        self.text(&format!(
            "<< /ImageType 1 /Width {w} /Height {h} /BitsPerComponent 8 /Decode [0 255] /Interpolate false\n\
             /ImageMatrix [{w} 0 0 -{h} 0 {h}]\n\
             /DataSource currentfile /ASCII85Decode filter /FlateDecode filter >> image\n"
        ));
        ascii85(raster.deflated(), &mut self.out);
        self.text("G\n");
    }
}

/// A path cut into pieces of at most 1000 segments, each beginning where the one before ended.
fn pieces(path: &Path) -> Vec<Path> {
    let mut out = vec![Path::new()];
    let (mut start, mut here) = (Point::default(), Point::default());
    for &segment in &path.segments {
        let current = out.len() - 1;
        if out[current].segments.len() > 1000 && !matches!(segment, Segment::Close) {
            out.push(Path::new());
            if !matches!(segment, Segment::Move(_)) {
                out[current + 1].move_to(here);
            }
        }
        let current = out.len() - 1;
        match segment {
            Segment::Move(p) => (start, here) = (p, p),
            Segment::Line(p) | Segment::Cubic(_, _, p) => here = p,
            Segment::Close => here = start,
        }
        // A closing line of a piece that began elsewhere has to be drawn.
        out[current].segments.push(match segment {
            Segment::Close if current > 0 => Segment::Line(start),
            other => other,
        });
    }
    out
}

/// Appends `data` in base 85 with the end mark, in short lines.
fn ascii85(data: &[u8], out: &mut Vec<u8>) {
    let mut column = 0;
    let mut push = |bytes: &[u8]| {
        for &b in bytes {
            // A line that begins with % could be taken for a comment.
            if column >= 76 || (column == 0 && b == b'%') {
                if column == 0 {
                    out.push(b' ');
                } else {
                    out.push(b'\n');
                }
                column = 0;
            }
            if column == 0 && b == b'%' {
                out.push(b' ');
            }
            out.push(b);
            column += 1;
        }
    };
    for group in data.chunks(4) {
        let mut word = [0u8; 4];
        word[..group.len()].copy_from_slice(group);
        let mut n = u32::from_be_bytes(word);
        if n == 0 && group.len() == 4 {
            push(b"z");
            continue;
        }
        let mut digits = [0u8; 5];
        for d in digits.iter_mut().rev() {
            *d = b'!' + (n % 85) as u8;
            n /= 85;
        }
        push(&digits[..=group.len()]);
    }
    out.extend_from_slice(b"\n~>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_85_is_that_of_the_red_book() {
        let text = |data: &[u8]| {
            let mut out = Vec::new();
            ascii85(data, &mut out);
            String::from_utf8(out).unwrap()
        };
        // Worked out by hand: "Man " is 1298230816 = (24 73 80 78 61) in base 85.
        assert_eq!(text(b"Man "), "9jqo^\n~>\n");
        assert_eq!(text(b"Man"), "9jqo\n~>\n");
        assert_eq!(text(&[0; 5]), "z!!\n~>\n");
        assert_eq!(text(b""), "\n~>\n");
    }

    #[test]
    fn long_paths_are_cut_without_gaps() {
        let mut path = Path::new();
        path.move_to(Point { x: -1.0, y: 0.0 });
        for i in 0..3500 {
            path.line_to(Point { x: f64::from(i), y: 0.0 });
        }
        path.close();
        let cut = pieces(&path);
        assert_eq!(cut.len(), 4);
        for pair in cut.windows(2) {
            let Some(Segment::Line(end)) = pair[0].segments.last() else { panic!() };
            assert_eq!(pair[1].segments[0], Segment::Move(*end));
        }
        assert_eq!(cut[3].segments.last(), Some(&Segment::Line(Point { x: -1.0, y: 0.0 })));
    }
}
