//! A report of several A4 pages in one PDF: headings, text, figures, a list of the figures, bookmarks.

use std::sync::Arc;

use super::RenderError;
use super::drawing::{Drawing, Mark, Pen};
use super::font::{self, ASCENT, Glyph, LINE_SKIP, Text};
use super::geometry::{Point, Rect, pt};
use super::layout::{Density, compose};
use super::pdf;
use super::reprint::Reprint;
use super::theme::INK;
use crate::plot::figure::Figure;
use crate::plot::style::Colour;

/// A4 in points.
const PAGE: (f64, f64) = (595.28, 841.89);
const MARGIN: f64 = 54.0;
const HEADING: f64 = 15.0;
const BODY: f64 = 10.0;
/// Least share of a page that a section wants to find free before it begins there.
const ROOM: f64 = 0.48;

/// A paragraph of a report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Paragraph {
    /// Text. One that begins with `• ` is indented.
    pub text: String,
    /// Colour; `None`: that of the ink.
    pub colour: Option<Colour>,
}

impl From<String> for Paragraph {
    fn from(text: String) -> Self {
        Self { text, colour: None }
    }
}

impl From<&str> for Paragraph {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// One section of a report; it takes as many pages as it needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReportSection {
    /// Heading.
    pub heading: String,
    /// Bookmark and line in the list of figures; empty: neither.
    pub short: String,
    /// Figure below the heading, as wide as the text (less when it would be too high); its further pages follow it.
    pub figure: Option<Figure>,
    /// Pictures below the figure, in the same way.
    pub pictures: Vec<Reprint>,
    /// Small pictures with a line of text under each, two side by side, below the others.
    pub thumbnails: Vec<(Reprint, String)>,
    /// Text below the figures.
    pub paragraphs: Vec<Paragraph>,
    /// List of all sections that have a short name, with their pages, below the text.
    pub list: bool,
    /// Begins where the section before has ended if about half of the page is free; otherwise on a new page.
    pub follows: bool,
}

/// The sections as one PDF with page numbers and bookmarks.
///
/// # Errors
/// When the font cannot be embedded.
pub fn render_report(title: &str, sections: &[ReportSection]) -> Result<Vec<u8>, RenderError> {
    let mut writer = Writer { pages: Vec::new(), y: MARGIN, title: title.to_owned() };
    // Page of every section, and the lines of the list: (page, y, section).
    let mut begins = Vec::with_capacity(sections.len());
    let mut lines = Vec::new();
    for section in sections {
        if !section.follows || writer.y + ROOM * (PAGE.1 - 2.0 * MARGIN) > PAGE.1 - MARGIN {
            writer.new_page();
        }
        begins.push(writer.pages.len().saturating_sub(1));
        writer.section(section);
        if section.list {
            for (number, _) in sections.iter().enumerate().filter(|(_, s)| !s.short.is_empty()) {
                writer.reserve(LINE_SKIP * BODY);
                lines.push((writer.pages.len() - 1, writer.y, number));
                writer.y += LINE_SKIP * BODY;
            }
            writer.y += 10.0;
        }
    }
    if writer.pages.is_empty() {
        writer.new_page();
    }
    let mut links = Vec::with_capacity(lines.len());
    for (page, y, number) in lines {
        links.push((page, Rect::new(MARGIN, y, PAGE.0 - MARGIN, y + LINE_SKIP * BODY), begins[number]));
        listed(&mut writer.pages[page], y, &sections[number].short, begins[number] + 1);
    }
    let count = writer.pages.len();
    for (i, page) in writer.pages.iter_mut().enumerate() {
        let text = Text::new(&format!("{} / {count}", i + 1), 9.0);
        let at = pt((PAGE.0 - text.width) / 2.0, PAGE.1 - 0.55 * MARGIN);
        page.marks.push(Mark::Text { glyphs: text.glyphs, at, upwards: false, colour: INK });
    }
    let named = sections.iter().zip(&begins).filter(|(s, _)| !s.short.is_empty());
    let bookmarks: Vec<(String, usize)> = named.map(|(s, page)| (s.short.clone(), *page)).collect();
    pdf::write_with_bookmarks(&writer.pages, &bookmarks, &links)
}

/// A line of the list of figures: name, dots, page number.
fn listed(page: &mut Drawing, y: f64, name: &str, number: usize) {
    let width = PAGE.0 - 2.0 * MARGIN;
    let mut text = |text: Text, x: f64| {
        let at = pt(x, y + ASCENT * BODY);
        page.marks.push(Mark::Text { glyphs: text.glyphs, at, upwards: false, colour: INK });
    };
    let number = Text::new(&number.to_string(), BODY);
    let end = PAGE.0 - MARGIN - number.width;
    let name = font::fit(name, BODY, width - 60.0, 0.6).into_iter().next().unwrap_or_default();
    let from = MARGIN + name.width + 6.0;
    let dot = font::width(" .", BODY);
    let dots = (((end - 6.0 - from) / dot).floor().max(0.0)) as usize;
    text(Text::new(&" .".repeat(dots.min(400)), BODY), end - 6.0 - dots as f64 * dot);
    text(number, end);
    text(name, MARGIN);
}

fn page(title: &str) -> Drawing {
    Drawing { width: PAGE.0, height: PAGE.1, title: title.into(), description: title.into(), marks: vec![] }
}

/// Fills pages from the top.
struct Writer {
    pages: Vec<Drawing>,
    y: f64,
    title: String,
}

impl Writer {
    fn new_page(&mut self) {
        self.pages.push(page(&self.title));
        self.y = MARGIN;
    }

    fn section(&mut self, section: &ReportSection) {
        if self.y > MARGIN {
            self.y += 14.0;
        }
        self.paragraph(&section.heading, HEADING, 0.0, INK);
        self.y += 4.0;
        for figure in section.figure.iter().flat_map(|f| std::iter::once(f).chain(&f.more_pages)) {
            self.figure(figure);
        }
        for picture in &section.pictures {
            self.picture(picture);
        }
        for pair in section.thumbnails.chunks(2) {
            self.thumbnails(pair);
        }
        for paragraph in &section.paragraphs {
            let indent = if paragraph.text.starts_with("• ") { 12.0 } else { 0.0 };
            self.paragraph(&paragraph.text, BODY, indent, paragraph.colour.unwrap_or(INK));
            self.y += 4.0;
        }
    }

    /// Makes sure that `height` points are free, on a new page if need be.
    fn reserve(&mut self, height: f64) {
        if self.pages.is_empty() || (self.y + height > PAGE.1 - MARGIN && self.y > MARGIN) {
            self.new_page();
        }
    }

    fn push(&mut self, mark: Mark) {
        if let Some(page) = self.pages.last_mut() {
            page.marks.push(mark);
        }
    }

    fn paragraph(&mut self, text: &str, size: f64, indent: f64, colour: Colour) {
        let width = PAGE.0 - 2.0 * MARGIN - indent;
        for (i, line) in wrap(text, size, width).into_iter().enumerate() {
            self.reserve(LINE_SKIP * size);
            // The mark of a list item stands in the indent.
            let x = if i == 0 && indent > 0.0 { MARGIN } else { MARGIN + indent };
            let at = pt(x, self.y + ASCENT * size);
            self.push(Mark::Text { glyphs: line.glyphs, at, upwards: false, colour });
            self.y += LINE_SKIP * size;
        }
    }

    fn figure(&mut self, figure: &Figure) {
        let drawing = compose(figure, Density::VECTOR);
        let (width, height) = (PAGE.0 - 2.0 * MARGIN, PAGE.1 - 2.0 * MARGIN - 3.0 * HEADING);
        let scale = (width / drawing.width).min(height / drawing.height).min(1.0);
        self.reserve(drawing.height * scale);
        let shift = pt(MARGIN + (width - drawing.width * scale) / 2.0, self.y);
        for mark in drawing.marks {
            self.push(placed(mark, scale, shift));
        }
        self.y += drawing.height * scale + 10.0;
    }
}

impl Writer {
    /// A picture, as wide as the text unless it would be higher than half a page.
    fn picture(&mut self, picture: &Reprint) {
        let (across, down) = (picture.width() as f64, picture.height() as f64);
        if across < 1.0 || down < 1.0 {
            return;
        }
        let (width, height) = (PAGE.0 - 2.0 * MARGIN, (PAGE.1 - 2.0 * MARGIN) / 2.0);
        let scale = (width / across).min(height / down);
        self.reserve(down * scale);
        let x = MARGIN + (width - across * scale) / 2.0;
        let rect = Rect::new(x, self.y, x + across * scale, self.y + down * scale);
        self.push(Mark::Image { raster: Arc::clone(&picture.raster), rect, clip: rect });
        self.y += down * scale + 8.0;
    }
}

impl Writer {
    /// Up to two pictures side by side, each with a line of text.
    fn thumbnails(&mut self, pair: &[(Reprint, String)]) {
        const GAP: f64 = 12.0;
        const CAPTION: f64 = 8.0;
        let width = (PAGE.0 - 2.0 * MARGIN - GAP) / 2.0;
        let scale = |p: &Reprint| {
            let (across, down) = (p.width() as f64, p.height() as f64);
            if across < 1.0 || down < 1.0 { 0.0 } else { (width / across).min(width / down) }
        };
        let height = pair.iter().map(|(p, _)| p.height() as f64 * scale(p)).fold(0.0, f64::max);
        self.reserve(height + LINE_SKIP * CAPTION + 8.0);
        for (k, (picture, caption)) in pair.iter().enumerate() {
            let x = MARGIN + k as f64 * (width + GAP);
            let scale = scale(picture);
            let rect =
                Rect::new(x, self.y, x + picture.width() as f64 * scale, self.y + picture.height() as f64 * scale);
            self.push(Mark::Image { raster: Arc::clone(&picture.raster), rect, clip: rect });
            if let Some(line) = font::fit(caption, CAPTION, width, 0.6).into_iter().next() {
                let at = pt(x, self.y + height + ASCENT * CAPTION + 2.0);
                self.push(Mark::Text { glyphs: line.glyphs, at, upwards: false, colour: INK });
            }
        }
        self.y += height + LINE_SKIP * CAPTION + 8.0;
    }
}

/// A paragraph in lines, broken at spaces; endless words are cut.
fn wrap(text: &str, size: f64, width: f64) -> Vec<Text> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let longer = if line.is_empty() { word.to_string() } else { format!("{line} {word}") };
        if font::width(&longer, size) <= width {
            line = longer;
        } else {
            lines.extend((!line.is_empty()).then(|| std::mem::take(&mut line)));
            line = word.to_string();
        }
    }
    lines.push(line);
    lines.iter().filter(|l| !l.is_empty()).flat_map(|l| font::fit(l, size, width, 1.0)).collect()
}

/// A mark made smaller and moved.
fn placed(mark: Mark, scale: f64, shift: Point) -> Mark {
    let point = |p: Point| pt(p.x * scale + shift.x, p.y * scale + shift.y);
    let rect = |r: Rect| {
        let (a, b) = (point(pt(r.x0, r.y0)), point(pt(r.x1, r.y1)));
        Rect::new(a.x, a.y, b.x, b.y)
    };
    let pen = |pen: Option<Pen>| {
        pen.map(|p| Pen { width: p.width * scale, dashes: p.dashes.iter().map(|d| d * scale).collect(), ..p })
    };
    match mark {
        Mark::Path { path, fill, pen: stroke } => Mark::Path { path: path.map(point), fill, pen: pen(stroke) },
        Mark::Stamps { path, fill, pen: stroke, at } => Mark::Stamps {
            path: path.map(|p| pt(p.x * scale, p.y * scale)),
            fill,
            pen: pen(stroke),
            at: at.into_iter().map(point).collect(),
        },
        Mark::Text { glyphs, at, upwards, colour } => Mark::Text {
            glyphs: glyphs
                .into_iter()
                .map(|g| Glyph { x: g.x * scale, rise: g.rise * scale, size: g.size * scale, ..g })
                .collect(),
            at: point(at),
            upwards,
            colour,
        },
        Mark::Image { raster, rect: r, clip } => Mark::Image { raster, rect: rect(r), clip: rect(clip) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::{ImagePlot, Panel, Points};

    fn pages_of(pdf: &[u8]) -> usize {
        pdf.windows(11).filter(|w| *w == b"/Type /Page").count() - 1
    }

    #[test]
    fn every_section_starts_a_page_and_long_ones_take_more() {
        let figure = Figure::new("f").pixels(2000, 1000, 200.0).panel(Panel::new().points(Points::indexed([1.0, 2.0])));
        let sections = [
            ReportSection { heading: "DQM Report for run number 59".into(), ..ReportSection::default() },
            ReportSection {
                heading: "Mean pixel charge per row".into(),
                figure: Some(figure.clone().page(figure.clone())),
                paragraphs: vec!["• slope: 0.0004 ± 0.0001, passed".into(); 3],
                ..ReportSection::default()
            },
            ReportSection { paragraphs: vec!["word ".repeat(3000).into()], ..ReportSection::default() },
        ];
        // 3000 words of about 26 points in lines of 487 points: 167 lines of 12.2 points, three pages of 734 points.
        assert_eq!(pages_of(&render_report("DQM", &sections).unwrap()), 1 + 1 + 3);
        assert_eq!(pages_of(&render_report("empty", &[]).unwrap()), 1);
    }

    #[test]
    fn figures_stay_inside_the_margins() {
        let image = ImagePlot::new(ndarray::Array2::zeros((4, 4)));
        let high = Figure::new("f").title("title").size(6.0, 30.0).panel(Panel::image_of(image).x("x"));
        let mut writer = Writer { pages: vec![page("t")], y: MARGIN, title: "t".into() };
        writer.figure(&high);
        let bounds = Rect::new(MARGIN, MARGIN, PAGE.0 - MARGIN, PAGE.1 - MARGIN).grown(1.0);
        for mark in &writer.pages[0].marks {
            match mark {
                Mark::Image { rect, .. } => {
                    assert!(rect.corners().iter().all(|p| bounds.contains(*p)))
                }
                Mark::Text { at, .. } => assert!(bounds.contains(*at)),
                _ => {}
            }
        }
    }

    fn words(page: &Drawing) -> Vec<String> {
        let text = |mark: &Mark| match mark {
            Mark::Text { glyphs, .. } => Some(glyphs.iter().map(|g| g.character).collect()),
            _ => None,
        };
        page.marks.iter().filter_map(text).collect()
    }

    #[test]
    fn the_list_of_figures_names_the_page_of_every_figure() {
        let picture = crate::plot::render(
            &Figure::new("f").pixels(400, 200, 100.0).panel(Panel::new().points(Points::indexed([1.0, 2.0]))),
            crate::plot::Format::Png,
        );
        let picture = Reprint::from_png(&picture.unwrap(), 1400).unwrap();
        let figure = |n: usize| ReportSection {
            heading: format!("Figure {n}"),
            short: format!("short name {n}"),
            pictures: vec![picture.clone()],
            follows: true,
            ..ReportSection::default()
        };
        let mut sections = vec![ReportSection { heading: "Report".into(), list: true, ..ReportSection::default() }];
        sections.extend((1..=4).map(figure));
        let pdf = render_report("t", &sections).unwrap();
        // Figures are 244 points high, a page has 734: the first two find more than half of the page of the list free.
        assert_eq!(pages_of(&pdf), 2);
        let text = String::from_utf8_lossy(&pdf);
        assert!(text.contains("/Outlines") && text.contains("(short name 4)"));

        let mut page = page("t");
        listed(&mut page, 100.0, "short name 4", 3);
        let words = words(&page);
        assert!(words.contains(&"3".to_owned()) && words.contains(&"short name 4".to_owned()));
        let right = |m: &Mark| match m {
            Mark::Text { glyphs, at, .. } => glyphs.iter().map(|g| at.x + g.x).fold(0.0, f64::max),
            _ => 0.0,
        };
        assert!(page.marks.iter().map(right).all(|x| x <= PAGE.0 - MARGIN));
    }
}
