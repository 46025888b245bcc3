//! From figure data to marks on paper: the grid of panels and the title.

use super::drawing::{Drawing, Mark};
use super::font::{self, ASCENT, LINE_SKIP, Text};
use super::geometry::{Rect, pt};
use super::panel::{Margins, Plan};
use super::scale::{Scale, scales_of, shared_x_scale, y_scale};
use super::theme::{INK, Theme};
use crate::plot::figure::{Cell, Figure, Size};

/// Resolution of the output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Density {
    /// Pixels per inch of embedded images (vector formats) or of the whole output (raster formats).
    pub dpi: f64,
    /// Frames are moved to pixel edges, so that image pixels are not blurred.
    pub snap: bool,
}

impl Density {
    /// PDF, EPS, SVG.
    pub const VECTOR: Self = Self { dpi: 300.0, snap: false };

    pub fn snapped(&self, r: Rect) -> Rect {
        if !self.snap {
            return r;
        }
        let snap = |v: f64| (v * self.dpi / 72.0).round() * 72.0 / self.dpi;
        Rect::new(snap(r.x0), snap(r.y0), snap(r.x1), snap(r.y1))
    }
}

/// Panels beyond this in one direction are not drawn.
const MOST_TRACKS: usize = 100;
/// Distance between columns and rows of panels.
const GAP: f64 = 12.0;
/// Distance between panels of a common axis.
const SHARED_GAP: f64 = 5.0;
/// White rim of the page.
const RIM: f64 = 7.0;

/// Lays out the first page of a figure.
pub(crate) fn compose(figure: &Figure, density: Density) -> Drawing {
    let (rows, cols) = figure.grid_shape();
    let (rows, cols) = (rows.min(MOST_TRACKS), cols.min(MOST_TRACKS));
    let size = page_size(figure, rows, cols);
    let (width, height) = (size.width * 72.0, size.height * 72.0);
    let mut drawing = Drawing {
        width,
        height,
        title: figure.title.first().unwrap_or(&figure.name).clone(),
        description: figure.caption.clone().unwrap_or_else(|| figure.name.clone()),
        marks: Vec::new(),
    };
    let theme = Theme::USUAL;
    let top = draw_title(&mut drawing, figure, &theme);
    let cells = assign_cells(figure, rows, cols);
    let mut plans = plan_panels(figure, &cells, theme, density);
    let area = Rect::new(RIM, top, width - RIM, height - RIM);
    let before = slots(figure, &plans, rows, cols, area);
    for ((_, plan), (slot, _)) in plans.iter_mut().zip(&before) {
        plan.make_room(*slot);
    }
    let after = slots(figure, &plans, rows, cols, area);
    for ((_, plan), (slot, left)) in plans.iter().zip(after) {
        plan.draw(&mut drawing, slot, left);
    }
    drawing
}

/// The panels of a figure with their axes, in their order, without a page; with the height of each relative to the
/// highest.
pub(crate) fn plans(figure: &Figure) -> Vec<(f64, Plan<'_>)> {
    let (rows, cols) = figure.grid_shape();
    let (rows, cols) = (rows.min(MOST_TRACKS), cols.min(MOST_TRACKS));
    let cells = assign_cells(figure, rows, cols);
    let height = |row: usize| ratio(&figure.grid.heights, row);
    let highest = (0..rows).map(height).fold(0.0, f64::max);
    plan_panels(figure, &cells, Theme::USUAL, Density::VECTOR)
        .into_iter()
        .map(|(cell, plan)| (height(cell.row) / highest, plan))
        .collect()
}

/// Size asked for, or one that gives every panel room to be read.
fn page_size(figure: &Figure, rows: usize, cols: usize) -> Size {
    if let Some(size) = figure.size {
        let sane = |v: f64, usual: f64| {
            if v.is_finite() { v.clamp(0.5, 100.0) } else { usual }
        };
        return Size { width: sane(size.width, 6.4), height: sane(size.height, 4.6) };
    }
    let width = match cols {
        1 => 6.4,
        2 => 9.6,
        3 => 12.6,
        n => (3.6 * n as f64).min(30.0),
    };
    let largest = (0..rows).map(|r| ratio(&figure.grid.heights, r)).fold(0.0, f64::max);
    let units: f64 = (0..rows).map(|r| ratio(&figure.grid.heights, r) / largest).sum();
    let each = if cols == 1 { 4.2 } else { 3.5 };
    let title = figure.title.len() as f64 * 0.18;
    Size { width, height: (each * units + 0.4 + title).min(60.0) }
}

/// Relative size of a track; missing and useless ones count 1.
fn ratio(ratios: &[f64], index: usize) -> f64 {
    ratios.get(index).copied().filter(|r| r.is_finite() && *r > 0.0).map_or(1.0, |r| r.clamp(1e-3, 1e3))
}

/// Draws the title lines; returns where they end.
fn draw_title(drawing: &mut Drawing, figure: &Figure, theme: &Theme) -> f64 {
    let mut y = RIM;
    // Titles must not push the panels off the page.
    let lowest = drawing.height * 0.4;
    for (i, line) in figure.title.iter().enumerate().filter(|(_, l)| !l.is_empty()) {
        let size = if i == 0 { theme.title } else { theme.subtitle };
        for text in font::fit(line, size, drawing.width - 2.0 * RIM, 0.75) {
            if y + LINE_SKIP * text.size > lowest {
                break;
            }
            let at = pt((drawing.width - text.width) / 2.0, y + ASCENT * text.size);
            y += LINE_SKIP * text.size;
            let Text { glyphs, .. } = text;
            drawing.marks.push(Mark::Text { glyphs, at, upwards: false, colour: INK });
        }
    }
    if y > RIM { y + 4.0 } else { y }
}

/// Cells of the panels; those without one get the next free cell. `None`: off the grid.
fn assign_cells(figure: &Figure, rows: usize, cols: usize) -> Vec<Option<Cell>> {
    let mut taken = vec![false; rows * cols];
    let own: Vec<Option<Cell>> = figure
        .panels
        .iter()
        .map(|p| {
            let c = p.cell.filter(|c| c.row < rows && c.col < cols)?;
            let cell =
                Cell { row_span: c.row_span.clamp(1, rows - c.row), col_span: c.col_span.clamp(1, cols - c.col), ..c };
            for r in cell.row..cell.row + cell.row_span {
                taken[r * cols + cell.col..][..cell.col_span].fill(true);
            }
            Some(cell)
        })
        .collect();
    figure
        .panels
        .iter()
        .zip(own)
        .map(|(panel, own)| {
            if panel.cell.is_some() {
                return own;
            }
            let free = taken.iter().position(|t| !t)?;
            taken[free] = true;
            Some(Cell { row: free / cols, col: free % cols, row_span: 1, col_span: 1 })
        })
        .collect()
}

/// Panels with their cells and axes; with a shared x axis the panels of a column get the same.
fn plan_panels<'a>(
    figure: &'a Figure,
    cells: &[Option<Cell>],
    theme: Theme,
    density: Density,
) -> Vec<(Cell, Plan<'a>)> {
    let placed = || figure.panels.iter().zip(cells).filter_map(|(p, c)| Some((p, (*c)?)));
    placed()
        .map(|(panel, cell)| {
            let (x, y): (Scale, Scale);
            let mut labels = true;
            if figure.grid.share_x {
                let mut column: Vec<_> = placed().filter(|(_, c)| c.col == cell.col).collect();
                column.sort_by_key(|(_, c)| c.row);
                labels = column.last().is_none_or(|(_, c)| c.row == cell.row);
                let panels: Vec<_> = column.iter().map(|(p, _)| *p).collect();
                x = shared_x_scale(&panels);
                y = y_scale(panel, &x);
            } else {
                (x, y) = scales_of(panel);
            }
            // Panels without data of their own have no say in small pictures of a hundred panels.
            let theme = theme.scaled(crowding(figure));
            (cell, Plan::new(panel, x, y, labels, theme, density))
        })
        .collect()
}

/// Smaller type when a fixed page is crowded with panels.
fn crowding(figure: &Figure) -> f64 {
    let Some(size) = figure.size else { return 1.0 };
    let (rows, cols) = figure.grid_shape();
    let per_panel = (size.width / cols as f64 / 2.6).min(size.height / rows as f64 / 1.9);
    if per_panel.is_finite() { per_panel.clamp(0.45, 1.0) } else { 1.0 }
}

/// The frames of the panels: margins are what the labels need, the rest is shared in the wanted ratios. Labels depend on
/// the frames and these on the labels, so it takes a few rounds. Also the room at the left of each frame.
fn slots(figure: &Figure, plans: &[(Cell, Plan)], rows: usize, cols: usize, area: Rect) -> Vec<(Rect, f64)> {
    let shared = figure.grid.share_x;
    let row_gap = if shared { SHARED_GAP } else { GAP };
    let mut frames = vec![(area.width() / cols as f64 * 0.8, area.height() / rows as f64 * 0.8); plans.len()];
    let mut slots: Vec<(Rect, f64)> = Vec::new();
    for _ in 0..3 {
        let margins: Vec<Margins> = plans.iter().zip(&frames).map(|((_, plan), (w, h))| plan.margins(*w, *h)).collect();
        let track = |n: usize, value: &dyn Fn(&Cell, &Margins) -> (usize, f64)| {
            let mut tracks = vec![0.0f64; n];
            for ((cell, _), m) in plans.iter().zip(&margins) {
                let (i, v) = value(cell, m);
                tracks[i] = tracks[i].max(v);
            }
            tracks
        };
        let left = track(cols, &|c, m| (c.col, m.left));
        let right = track(cols, &|c, m| (c.col + c.col_span - 1, m.right));
        let top = track(rows, &|c, m| (c.row, m.top));
        let bottom = track(rows, &|c, m| (c.row + c.row_span - 1, m.bottom));
        let x = spread(area.x0, area.x1, &left, &right, GAP, &figure.grid.widths);
        let y = spread(area.y0, area.y1, &top, &bottom, row_gap, &figure.grid.heights);
        slots = plans
            .iter()
            .map(|(c, _)| {
                let (x0, x1) = (x[c.col].0, x[c.col + c.col_span - 1].1);
                (Rect::new(x0, y[c.row].0, x1, y[c.row + c.row_span - 1].1), left[c.col])
            })
            .collect();
        frames = slots.iter().map(|(s, _)| (s.width(), s.height())).collect();
    }
    slots
}

/// Begin and end of the frames along one direction.
fn spread(from: f64, to: f64, before: &[f64], after: &[f64], gap: f64, ratios: &[f64]) -> Vec<(f64, f64)> {
    let n = before.len();
    let fixed: f64 = before.iter().chain(after).sum::<f64>() + gap * (n - 1) as f64;
    // However long the labels, something of the frame is left; the labels then run over.
    let least = 0.25 * (to - from);
    let free = (to - from - fixed).max(least);
    let squeeze = if fixed > 0.0 { ((to - from - free) / fixed).min(1.0) } else { 1.0 };
    let total: f64 = (0..n).map(|i| ratio(ratios, i)).sum();
    let mut at = from;
    (0..n)
        .map(|i| {
            let begin = at + before[i] * squeeze;
            let end = begin + free * ratio(ratios, i) / total;
            at = end + (after[i] + gap) * squeeze;
            (begin, end)
        })
        .collect()
}
