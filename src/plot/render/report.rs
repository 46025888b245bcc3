//! A report of several A4 pages in one PDF: headings, text, figures.

use super::RenderError;
use super::drawing::{Drawing, Mark, Pen};
use super::font::{self, ASCENT, Glyph, LINE_SKIP, Text};
use super::geometry::{Point, Rect, pt};
use super::layout::{Density, compose};
use super::pdf;
use super::theme::INK;
use crate::plot::figure::Figure;

/// A4 in points.
const PAGE: (f64, f64) = (595.28, 841.89);
const MARGIN: f64 = 54.0;
const HEADING: f64 = 15.0;
const BODY: f64 = 10.0;

/// One section of a report; it starts on a new page and takes as many as it needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReportSection {
    /// Heading.
    pub heading: String,
    /// Figure below the heading, as wide as the text (less when it would be too high); its further pages follow it.
    pub figure: Option<Figure>,
    /// Text below the figure. A paragraph that begins with `• ` is indented.
    pub paragraphs: Vec<String>,
}

/// The sections as one PDF with page numbers.
///
/// # Errors
/// When the font cannot be embedded.
pub fn render_report(title: &str, sections: &[ReportSection]) -> Result<Vec<u8>, RenderError> {
    let mut pages = Vec::new();
    for section in sections {
        let mut writer = Writer { pages: vec![page(title)], y: MARGIN };
        writer.paragraph(&section.heading, HEADING, 0.0);
        writer.y += 4.0;
        for figure in section.figure.iter().flat_map(|f| std::iter::once(f).chain(&f.more_pages)) {
            writer.figure(figure);
        }
        for text in &section.paragraphs {
            let indent = if text.starts_with("• ") { 12.0 } else { 0.0 };
            writer.paragraph(text, BODY, indent);
            writer.y += 4.0;
        }
        pages.append(&mut writer.pages);
    }
    if pages.is_empty() {
        pages.push(page(title));
    }
    let count = pages.len();
    for (i, page) in pages.iter_mut().enumerate() {
        let text = Text::new(&format!("{} / {count}", i + 1), 9.0);
        let at = pt((PAGE.0 - text.width) / 2.0, PAGE.1 - 0.55 * MARGIN);
        page.marks.push(Mark::Text { glyphs: text.glyphs, at, upwards: false, colour: INK });
    }
    pdf::write(&pages)
}

fn page(title: &str) -> Drawing {
    Drawing { width: PAGE.0, height: PAGE.1, title: title.into(), description: title.into(), marks: vec![] }
}

/// Fills pages from the top.
struct Writer {
    pages: Vec<Drawing>,
    y: f64,
}

impl Writer {
    /// Makes sure that `height` points are free, on a new page if need be.
    fn reserve(&mut self, height: f64) {
        if self.y + height > PAGE.1 - MARGIN && self.y > MARGIN {
            if let Some(title) = self.pages.last().map(|p| p.title.clone()) {
                self.pages.push(page(&title));
            }
            self.y = MARGIN;
        }
    }

    fn push(&mut self, mark: Mark) {
        if let Some(page) = self.pages.last_mut() {
            page.marks.push(mark);
        }
    }

    fn paragraph(&mut self, text: &str, size: f64, indent: f64) {
        let width = PAGE.0 - 2.0 * MARGIN - indent;
        for (i, line) in wrap(text, size, width).into_iter().enumerate() {
            self.reserve(LINE_SKIP * size);
            // The mark of a list item stands in the indent.
            let x = if i == 0 && indent > 0.0 { MARGIN } else { MARGIN + indent };
            let at = pt(x, self.y + ASCENT * size);
            self.push(Mark::Text { glyphs: line.glyphs, at, upwards: false, colour: INK });
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
            },
            ReportSection { paragraphs: vec!["word ".repeat(3000)], ..ReportSection::default() },
        ];
        // 3000 words of about 26 points in lines of 487 points: 167 lines of 12.2 points, three pages of 734 points.
        assert_eq!(pages_of(&render_report("DQM", &sections).unwrap()), 1 + 1 + 3);
        assert_eq!(pages_of(&render_report("empty", &[]).unwrap()), 1);
    }

    #[test]
    fn figures_stay_inside_the_margins() {
        let image = ImagePlot::new(ndarray::Array2::zeros((4, 4)));
        let high = Figure::new("f").title("title").size(6.0, 30.0).panel(Panel::image_of(image).x("x"));
        let mut writer = Writer { pages: vec![page("t")], y: MARGIN };
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
}
