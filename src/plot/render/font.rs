//! The font of all figures, embedded: metrics, kerning, outlines, and the layout of a line of text.
//!
//! A subset of STIX Two Math (see `assets/font`): an upright serif face made for science, with Greek and the signs of
//! formulas. Text may hold `_{…}` and `^{…}`.

use std::sync::OnceLock;

use ttf_parser::gpos::{PairAdjustment, PositioningSubtable};
use ttf_parser::{Face, GlyphId, OutlineBuilder};

use super::geometry::{Path, Point, Segment, pt};

/// The font file.
pub(crate) const DATA: &[u8] = include_bytes!("../../../assets/font/figures.ttf");

/// PostScript name of the font.
pub(crate) const NAME: &str = "STIXTwoMath-Regular";

/// A glyph placed on its line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Glyph {
    pub id: u16,
    pub character: char,
    /// Distance from the start of the line, points.
    pub x: f64,
    /// Height of its baseline above that of the line, points.
    pub rise: f64,
    /// Font size, points.
    pub size: f64,
}

/// A laid-out line of text.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Text {
    pub glyphs: Vec<Glyph>,
    /// Advance width, points.
    pub width: f64,
    /// Font size, points.
    pub size: f64,
}

/// Height of capitals and figures in units of the font size.
pub(crate) const CAP_HEIGHT: f64 = 0.657;
/// Height above the baseline that a line of text needs, in units of the font size.
pub(crate) const ASCENT: f64 = 0.76;
/// Depth below the baseline that a line of text needs, in units of the font size.
pub(crate) const DESCENT: f64 = 0.24;
/// Distance of baselines in units of the font size.
pub(crate) const LINE_SKIP: f64 = 1.22;

/// Size of superscripts and subscripts relative to the text around them.
const SCRIPT_SIZE: f64 = 0.7;
/// Rise of a superscript in units of the size of the text around it.
const SUPERSCRIPT_RISE: f64 = 0.36;
/// Fall of a subscript in units of the size of the text around it.
const SUBSCRIPT_FALL: f64 = 0.16;

/// The parsed font; the embedded file is known to be sound (see the tests).
pub(crate) fn face() -> &'static Face<'static> {
    static FACE: OnceLock<Face<'static>> = OnceLock::new();
    FACE.get_or_init(|| Face::parse(DATA, 0).expect("the embedded font is a sound TrueType file"))
}

/// Font units per em.
pub(crate) fn units_per_em() -> f64 {
    f64::from(face().units_per_em())
}

/// Advance width in units of the font size.
pub(crate) fn advance(id: u16) -> f64 {
    f64::from(face().glyph_hor_advance(GlyphId(id)).unwrap_or(500)) / units_per_em()
}

/// Glyph of a character; white space of any kind is a space, unknown characters are the empty box.
fn glyph_of(character: char) -> u16 {
    let character = if character.is_whitespace() || character.is_control() { ' ' } else { character };
    face().glyph_index(character).map_or(0, |id| id.0)
}

/// Pair kerning in units of the font size.
fn kerning(left: u16, right: u16) -> f64 {
    let (left, right) = (GlyphId(left), GlyphId(right));
    let Some(gpos) = face().tables().gpos else {
        return 0.0;
    };
    for lookup in gpos.lookups {
        for subtable in lookup.subtables.into_iter::<PositioningSubtable>() {
            let PositioningSubtable::Pair(pair) = subtable else {
                continue;
            };
            let Some(index) = pair.coverage().get(left) else {
                continue;
            };
            let found = match pair {
                PairAdjustment::Format1 { sets, .. } => sets.get(index).and_then(|set| set.get(right)),
                PairAdjustment::Format2 { classes, matrix, .. } => {
                    matrix.get((classes.0.get(left), classes.1.get(right)))
                }
            };
            if let Some((first, _)) = found {
                return f64::from(first.x_advance) / units_per_em();
            }
        }
    }
    0.0
}

/// One character with its size and rise relative to the line.
struct Styled {
    character: char,
    size: f64,
    rise: f64,
}

/// Longest line that is laid out; nothing longer can be read.
const LONGEST_LINE: usize = 1000;

/// Resolves `_{…}` and `^{…}`, which may be nested. Braces that belong to no script are printed.
fn parse_markup(text: &str) -> Vec<Styled> {
    let mut out = Vec::with_capacity(text.len());
    // (size, rise) outside each open script.
    let mut open: Vec<(f64, f64)> = Vec::new();
    let (mut size, mut rise) = (1.0, 0.0);
    let mut rest = text.chars().take(LONGEST_LINE).peekable();
    while let Some(c) = rest.next() {
        match c {
            '_' | '^' if rest.peek() == Some(&'{') => {
                rest.next();
                open.push((size, rise));
                rise += if c == '^' { SUPERSCRIPT_RISE * size } else { -SUBSCRIPT_FALL * size };
                size *= SCRIPT_SIZE;
            }
            '}' if !open.is_empty() => (size, rise) = open.pop().unwrap_or((1.0, 0.0)),
            character => out.push(Styled { character, size, rise }),
        }
    }
    out
}

impl Text {
    /// Lays out one line at `size` points.
    pub fn new(text: &str, size: f64) -> Self {
        let mut glyphs: Vec<Glyph> = Vec::with_capacity(text.len());
        let mut x = 0.0;
        for styled in parse_markup(text) {
            let id = glyph_of(styled.character);
            let own = size * styled.size;
            let rise = size * styled.rise;
            if let Some(previous) = glyphs.last()
                && previous.size == own
                && previous.rise == rise
            {
                x += kerning(previous.id, id) * own;
            }
            glyphs.push(Glyph { id, character: styled.character, x, rise, size: own });
            x += advance(id) * own;
        }
        Self { glyphs, width: x, size }
    }
}

/// Width of a line of text in points.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    Text::new(text, size).width
}

/// A text broken into lines of at most `width` points: first made smaller (down to `smallest` of its size), then broken
/// at spaces and commas, or anywhere.
pub(crate) fn fit(text: &str, size: f64, width: f64, smallest: f64) -> Vec<Text> {
    let end = text.char_indices().nth(LONGEST_LINE).map_or(text.len(), |(i, _)| i);
    let text = &text[..end];
    let whole = Text::new(text, size);
    if whole.width <= width || width <= 0.0 || width.is_nan() {
        return vec![whole];
    }
    let ratio = width / whole.width;
    if ratio >= smallest {
        return vec![Text::new(text, size * ratio)];
    }
    let size = size * smallest;
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_inclusive([' ', ',']) {
        let mut word = word;
        if self::width(&format!("{line}{}", word.trim_end()), size) > width && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        // A word longer than the line is cut.
        while self::width(word.trim_end(), size) > width {
            let cut = longest_prefix(word, size, width);
            lines.push(word[..cut].to_string());
            word = &word[cut..];
        }
        line.push_str(word);
    }
    lines.push(line);
    lines.iter().map(|l| l.trim_end()).filter(|l| !l.is_empty()).map(|l| Text::new(l, size)).collect()
}

/// Byte length of the longest prefix that is not wider than `width`; at least one character.
fn longest_prefix(word: &str, size: f64, width: f64) -> usize {
    let first = word.chars().next().map_or(word.len(), char::len_utf8);
    let ends = word.char_indices().map(|(i, c)| i + c.len_utf8());
    ends.take_while(|&end| self::width(&word[..end], size) <= width).last().unwrap_or(first)
}

/// Outline of a glyph in units of the font size, y downwards, starting at the origin of its baseline.
pub(crate) fn outline(id: u16) -> Path {
    struct Builder {
        path: Path,
        at: Point,
        scale: f64,
    }
    impl Builder {
        fn place(&self, x: f32, y: f32) -> Point {
            pt(f64::from(x) * self.scale, -f64::from(y) * self.scale)
        }
    }
    impl OutlineBuilder for Builder {
        fn move_to(&mut self, x: f32, y: f32) {
            self.at = self.place(x, y);
            self.path.move_to(self.at);
        }
        fn line_to(&mut self, x: f32, y: f32) {
            self.at = self.place(x, y);
            self.path.line_to(self.at);
        }
        fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
            let (from, control, to) = (self.at, self.place(x1, y1), self.place(x, y));
            // The same parabola as a cubic curve.
            let towards = |p: Point| pt(p.x + (control.x - p.x) * 2.0 / 3.0, p.y + (control.y - p.y) * 2.0 / 3.0);
            self.path.segments.push(Segment::Cubic(towards(from), towards(to), to));
            self.at = to;
        }
        fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
            let to = self.place(x, y);
            self.path.segments.push(Segment::Cubic(self.place(x1, y1), self.place(x2, y2), to));
            self.at = to;
        }
        fn close(&mut self) {
            self.path.close();
        }
    }
    let mut builder = Builder { path: Path::new(), at: Point::default(), scale: 1.0 / units_per_em() };
    face().outline_glyph(GlyphId(id), &mut builder);
    builder.path
}

/// Outlines of a line of text whose baseline starts at `at`.
pub(crate) fn text_outline(glyphs: &[Glyph], at: Point, upwards: bool) -> Path {
    let mut path = Path::new();
    for g in glyphs {
        let placed = outline(g.id).map(|p| {
            let (x, y) = (g.x + p.x * g.size, p.y * g.size - g.rise);
            if upwards { pt(at.x + y, at.y - x) } else { pt(at.x + x, at.y + y) }
        });
        path.segments.extend(placed.segments);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_has_the_signs_of_the_field() {
        let needed = "ADU e⁻ μ σ λ χ² α ± × − · √ ° ⟨q⟩ ≤ ≥ ≈ ⊗ Σ ∫ → – … „“ ‘’ éüñßøåçł½ µ Ω ₀₁₂ ⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻";
        for c in needed.chars() {
            assert!(glyph_of(c) != 0, "no glyph for {c:?}");
        }
        assert!(DATA.len() < 150_000);
    }

    #[test]
    fn scripts_are_smaller_and_raised() {
        let text = Text::new("10^{−3} N_{skips}", 10.0);
        let of = |c: char| *text.glyphs.iter().find(|g| g.character == c).unwrap();
        assert_eq!((of('1').size, of('1').rise), (10.0, 0.0));
        assert_eq!(of('3').size, 7.0);
        assert!(of('3').rise > 0.0 && of('k').rise < 0.0);
        assert!(!text.glyphs.iter().any(|g| "{}^_".contains(g.character)));
    }

    #[test]
    fn lone_braces_and_underscores_are_printed() {
        let characters = |t: &str| Text::new(t, 10.0).glyphs.iter().map(|g| g.character).collect::<String>();
        for literal in ["skip_598_a.fits", "a^b", "{x}", "}", "_", "<a & b>"] {
            assert_eq!(characters(literal), literal);
        }
        assert_eq!(characters("x^{unclosed"), "xunclosed");
    }

    #[test]
    fn kerning_pulls_pairs_together() {
        assert!(width("AV", 10.0) < width("A", 10.0) + width("V", 10.0));
        assert_eq!(width("11", 10.0), 2.0 * width("1", 10.0));
    }

    #[test]
    fn long_text_is_shrunk_then_broken() {
        let text = "process chain: CompressSkips, PedestalSubtractionProcess, FitDarkCurrentProcess";
        let natural = width(text, 10.0);
        assert_eq!(fit(text, 10.0, natural + 1.0, 0.8).len(), 1);
        let shrunk = fit(text, 10.0, natural * 0.9, 0.8);
        assert_eq!(shrunk.len(), 1);
        assert!(shrunk[0].width <= natural * 0.9 + 1e-9);
        let broken = fit(text, 10.0, natural * 0.4, 0.8);
        assert!(broken.len() > 1 && broken.iter().all(|l| l.width <= natural * 0.4 + 1e-9));
        // One endless word, and no room at all.
        assert!(fit(&"x".repeat(500), 10.0, 50.0, 0.8).iter().all(|l| l.width <= 50.0));
        assert!(!fit("abc", 10.0, 0.0, 0.8).is_empty());
    }
}
