//! A figure in letters: braille dots for lines and markers, half blocks for images. For terminals without graphics.
//!
//! Drawing the page as a picture of half blocks would leave its labels unreadable at eighty columns; here the labels are
//! text, and every character cell holds 2 × 4 dots of the curve.

use super::boxes;
use super::cells::{ACROSS, Cells, DOWN, Painter, TextColours, shade_of};
use super::drawing::Drawing;
use super::geometry::Rect;
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
        let inner = script[1..].strip_prefix('{').and_then(|s| s.split_once('}'));
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
    out.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
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
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

fn centred(text: &str, width: usize) -> String {
    let text = cut(text, width);
    format!("{}{text}", " ".repeat((width - length(&text)) / 2))
}

fn panel_text(out: &mut String, plan: &Plan, columns: usize, share: f64, colours: TextColours) {
    let panel = plan.panel;
    let height = ((columns as f64 * 0.22).clamp(10.0, 40.0) * share).max(6.0) as usize;
    let vertical = |label: &str| if label.is_empty() { 0.0 } else { 1.0 };
    let y_ticks = ticks_of(
        &panel.y.ticks,
        &plan.y,
        panel.y.integer,
        &Room { length: height as f64, spacing: 3.0, extent: &vertical },
    );
    let margin = y_ticks.major.iter().map(|(_, l)| length(&plain(l))).max().unwrap_or(0).min(columns / 3);
    let width = columns - margin - 3;
    let wide = |label: &str| length(&plain(label)) as f64;
    let x_ticks =
        ticks_of(&panel.x.ticks, &plan.x, panel.x.integer, &Room { length: width as f64, spacing: 9.0, extent: &wide });
    let rect = Rect::new(0.0, 0.0, (width * ACROSS) as f64, (height * DOWN) as f64);
    let frame = Frame { rect, x: plan.x, y: plan.y };
    let mut drawing =
        Drawing { width: rect.x1, height: rect.y1, title: String::new(), description: String::new(), marks: vec![] };
    plan.draw_series(&mut drawing, &frame, Density { dpi: 72.0, snap: true });
    let mut cells = Cells::new(width, height);
    drawing.marks.iter().for_each(|m| cells.mark(m));

    let common = |t: &Ticks| t.common.as_ref().map(|c| format!(" ({})", plain(c))).unwrap_or_default();
    if let Some(title) = panel.title.as_ref().filter(|t| !t.is_empty()) {
        *out += &format!("{}\n", centred(&plain(title), columns));
    }
    if !panel.y.label.is_empty() {
        *out += &format!("{}\n", cut(&format!("{}{}", plain(&panel.y.label), common(&y_ticks)), columns));
    }
    *out += &format!("{}┌{}┐\n", " ".repeat(margin + 1), "─".repeat(width));
    let row_of = |v: f64| ((1.0 - plan.y.unit(v)) * height as f64).floor().clamp(0.0, (height - 1) as f64) as usize;
    for row in 0..height {
        let label = y_ticks.major.iter().find(|(v, _)| row_of(*v) == row).map(|(_, l)| cut(&plain(l), margin));
        let edge = if label.is_some() { '┤' } else { '│' };
        let label = label.unwrap_or_default();
        let space = " ".repeat(margin - length(&label));
        *out += &format!("{space}{label} {edge}{}│\n", cells.row(row, colours));
    }
    *out += &lower_edge(plan, &x_ticks, width, margin);
    if !panel.x.label.is_empty() {
        *out += &format!("{}\n", centred(&format!("{}{}", plain(&panel.x.label), common(&x_ticks)), columns));
    }
    captions(out, plan, columns, colours);
}

fn ticks_of(named: &Option<Vec<(f64, String)>>, scale: &Scale, integer: bool, room: &Room) -> Ticks {
    match named {
        None => ticks(scale, integer, room),
        Some(named) => {
            let mut ticks = Ticks { major: named.clone(), ..Ticks::default() };
            ticks.major.retain(|(v, _)| v.is_finite() && scale.contains(*v));
            ticks
        }
    }
}

/// Lower side of the frame with ticks, and the line of labels.
fn lower_edge(plan: &Plan, ticks: &Ticks, width: usize, margin: usize) -> String {
    let mut edge = vec!['─'; width];
    let mut labels = vec![' '; margin + width + 3];
    for (v, label) in &ticks.major {
        let column = (plan.x.unit(*v) * width as f64).floor().clamp(0.0, (width - 1) as f64) as usize;
        edge[column] = '┬';
        let label: Vec<char> = plain(label).chars().collect();
        let start = (margin + 2 + column).saturating_sub(label.len() / 2).min(labels.len().saturating_sub(label.len()));
        // Named ticks may be too long for their places: later ones give way.
        let end = (start + label.len()).min(labels.len());
        let free = labels[start.saturating_sub(1)..end].iter().all(|c| *c == ' ');
        if free && label.len() <= labels.len() {
            labels[start..end].copy_from_slice(&label[..end - start]);
        }
    }
    let labels: String = labels.into_iter().collect();
    let edge: String = edge.into_iter().collect();
    format!("{}└{edge}┘\n{}\n", " ".repeat(margin + 1), labels.trim_end())
}

/// Colour bar, legend and notes, each on lines of their own.
fn captions(out: &mut String, plan: &Plan, columns: usize, colours: TextColours) {
    if let Some((image, limits)) = plan.bar_image() {
        let number = |v: f64| typographic_minus(&plain(&significant(v, 4)));
        let mut painter = Painter::new(colours);
        *out += &format!("{} ", number(limits.low));
        for i in 0..32 {
            let [r, g, b] = super::raster::colour_at(image, (f64::from(i) + 0.5) / 32.0);
            let c = Colour::rgb(r, g, b);
            painter.set(out, Some(c), Some(c));
            out.push(if colours == TextColours::None { shade_of(c, c) } else { '█' });
        }
        painter.set(out, None, None);
        let scale = if image.scale == ColourScale::Log { " (log)" } else { "" };
        *out += &format!(" {} {}{scale}\n", number(limits.high), plain(&image.colour_label));
    }
    for entry in boxes::entries(&plan.panel.legend, &plan.panel.series) {
        let (symbol, colour) = match entry.key {
            LegendKey::Line(s) => ("──", Some(s.colour)),
            LegendKey::Marker { marker, .. } => (" •", Some(marker.edge)),
            LegendKey::Patch { fill, stroke } => ("▒▒", fill.or(stroke.map(|s| s.colour))),
            LegendKey::Nothing => ("  ", None),
        };
        let mut painter = Painter::new(colours);
        painter.set(out, colour, None);
        *out += symbol;
        painter.set(out, None, None);
        *out += &format!(" {}\n", cut(&plain(&entry.text), columns.saturating_sub(3)));
    }
    for note in &plan.panel.notes {
        let first = note.lines.iter().filter(|l| l.1.is_some()).map(|l| length(&plain(&l.0))).max().unwrap_or(0);
        for (left, right) in &note.lines {
            let left = plain(left);
            let line = match right {
                Some(right) => format!("{left}{}  {}", " ".repeat(first - length(&left)), plain(right)),
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
        *out += &format!("{}\n", cut(&format!("{}: {}", plain(note), significant(at, 6)), columns));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::{Figure, ImagePlot, Line, Note, Panel, Points};

    #[test]
    fn markup_becomes_plain_text() {
        assert_eq!(plain("10^{−3} N_{skips} λ^{a} skip_598^2"), "10⁻³ N_skips λ^a skip_598^2");
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
        for expected in ["Dark current", "λ [e⁻]", "row", "100", "── fit", "slope  50.0 ± 1.5", "┤", "┬"] {
            assert!(text.contains(expected), "{expected} is missing in\n{text}");
        }
        assert!(!text.contains('\x1b'));
        // The rising line goes from the lower left to the upper right.
        let rows: Vec<&str> = text.lines().filter(|l| l.ends_with('│')).collect();
        let dots = |l: &str| l.chars().position(|c| ('\u{2801}'..='\u{28ff}').contains(&c));
        let (first, last) = (rows.iter().find_map(|l| dots(l)), rows.iter().rev().find_map(|l| dots(l)));
        assert!(first > last, "{text}");
    }

    #[test]
    fn images_are_half_blocks() {
        let image = ndarray::Array2::from_shape_fn((20, 20), |(r, _)| r as f64);
        let figure = Figure::new("f").panel(Panel::image_of(ImagePlot::new(image).colour_label("ADU")));
        let text = render_text(&figure, 60, TextColours::Full);
        assert!(text.contains('▀') && text.contains("\x1b[38;2;") && text.contains("ADU"));
        assert!(text.contains("\x1b[0m"));
    }
}
