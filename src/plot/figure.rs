//! A figure as plain data: what is to be seen, not how it is drawn.
//!
//! Processes return figures; drawing them (PDF, EPS, PNG, SVG, terminal) is the business of `render`. A figure
//! can therefore be asserted in a test without a pixel being drawn.
//!
//! ```
//! use panaskimg::plot::{Figure, Guide, Panel, Points};
//!
//! let figure = Figure::new("PedestalSubtractionProcess_Baseline_EXT1")
//!     .title("amplifier EXT1")
//!     .panel(Panel::new().x("row").y("Baseline (ADUs)").points(Points::indexed([1158.1, 1158.4, f64::NAN, 1157.9])));
//! assert_eq!(figure.panels.len(), 1);
//! ```

use serde::Serialize;

use super::annotation::{Anchor, Legend, Note};
use super::axis::{Axis, AxisScale, SecondAxis};
use super::image::{ImagePlot, RowOrigin};
use super::overlay::{DataText, Direction, Guide, Polygon, Strip};
use super::series::{Band, Contours, Histogram, Line, Points, Series};

/// When a figure is drawn (spec 01 §6.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Kind {
    /// A result: written with `save_plots`, shown with `--display`.
    #[default]
    Final,
    /// A step on the way: exists only with `__verbose__`, `show_fit` or `__DEBUG__`.
    Intermediate,
}

/// Size on paper.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Size {
    /// Width in inches.
    pub width: f64,
    /// Height in inches.
    pub height: f64,
}

/// Arrangement of the panels.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Grid {
    /// Rows; 0: as many as the panels need.
    pub rows: usize,
    /// Columns; 0: as many as the panels need.
    pub cols: usize,
    /// Relative heights of the rows, from the top; missing ones count 1.
    pub heights: Vec<f64>,
    /// Relative widths of the columns; missing ones count 1.
    pub widths: Vec<f64>,
    /// Panels of a column share their x axis: no gap, same range, tick labels only at the lowest.
    pub share_x: bool,
}

/// A figure.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figure {
    /// Part of the file name between prefix and extension, such as `PedestalSubtractionProcess_Baseline_EXT1`.
    pub name: String,
    /// Final or intermediate.
    pub kind: Kind,
    /// Title lines, the first one larger (what / `image: <file name>` / `process chain: A,B`).
    pub title: Vec<String>,
    /// Size on paper; `None`: from the number of panels.
    pub size: Option<Size>,
    /// Pixels per inch of the PNG; `None`: 200.
    pub dpi: Option<f64>,
    /// Arrangement of the panels.
    pub grid: Grid,
    /// Panels; without a cell of their own they fill the grid row by row.
    pub panels: Vec<Panel>,
    /// What the figure shows in one or two sentences, for reports and as description in files.
    pub caption: Option<String>,
    /// Further pages (PDF only).
    pub more_pages: Vec<Figure>,
}

impl Figure {
    /// Empty final figure.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// One more title line.
    pub fn title(mut self, line: impl Into<String>) -> Self {
        self.title.push(line.into());
        self
    }

    /// The three title lines of image figures: what, image file, process chain joined by commas.
    pub fn titles(self, what: &str, file_name: &str, chain: &[impl AsRef<str>]) -> Self {
        let chain: Vec<&str> = chain.iter().map(AsRef::as_ref).collect();
        self.title(what).title(format!("image: {file_name}")).title(format!("process chain: {}", chain.join(", ")))
    }

    /// Only drawn with `__verbose__`, `show_fit` or `__DEBUG__`.
    pub fn intermediate(self) -> Self {
        Self { kind: Kind::Intermediate, ..self }
    }

    /// With this size in inches.
    pub fn size(self, width: f64, height: f64) -> Self {
        Self { size: Some(Size { width, height }), ..self }
    }

    /// With this size of the PNG in pixels, at `dpi` pixels per inch.
    pub fn pixels(self, width: u32, height: u32, dpi: f64) -> Self {
        Self { dpi: Some(dpi), ..self.size(f64::from(width) / dpi, f64::from(height) / dpi) }
    }

    /// Panels in this grid.
    pub fn grid(mut self, rows: usize, cols: usize) -> Self {
        self.grid.rows = rows;
        self.grid.cols = cols;
        self
    }

    /// With these relative row heights, from the top.
    pub fn heights(mut self, heights: impl IntoIterator<Item = f64>) -> Self {
        self.grid.heights = heights.into_iter().collect();
        self
    }

    /// With these relative column widths.
    pub fn widths(mut self, widths: impl IntoIterator<Item = f64>) -> Self {
        self.grid.widths = widths.into_iter().collect();
        self
    }

    /// Panels of a column share their x axis.
    pub fn share_x(mut self) -> Self {
        self.grid.share_x = true;
        self
    }

    /// One more panel.
    pub fn panel(mut self, panel: Panel) -> Self {
        self.panels.push(panel);
        self
    }

    /// A main panel with a residual panel of a third of its height below, on the same x axis.
    pub fn with_residuals(self, main: Panel, residuals: Panel) -> Self {
        self.grid(2, 1).heights([3.0, 1.0]).share_x().panel(main).panel(residuals)
    }

    /// With a caption.
    pub fn caption(self, caption: impl Into<String>) -> Self {
        Self { caption: Some(caption.into()), ..self }
    }

    /// With one more page (PDF only).
    pub fn page(mut self, page: Figure) -> Self {
        self.more_pages.push(page);
        self
    }

    /// Rows and columns of the grid, large enough for every panel.
    pub fn grid_shape(&self) -> (usize, usize) {
        let mut rows = self.grid.rows;
        let mut cols = self.grid.cols;
        for panel in &self.panels {
            if let Some(cell) = panel.cell {
                rows = rows.max(cell.row.saturating_add(cell.row_span.max(1)));
                cols = cols.max(cell.col.saturating_add(cell.col_span.max(1)));
            }
        }
        let free = self.panels.iter().filter(|p| p.cell.is_none()).count();
        let cols = if cols > 0 { cols } else { free.div_ceil(rows.max(1)).max(1) };
        let cells: usize =
            self.panels.iter().map(|p| p.cell.map_or(1, |c| c.row_span.max(1) * c.col_span.max(1))).sum();
        (rows.max(cells.div_ceil(cols)).max(1), cols)
    }
}

/// Place of a panel in the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// Row, from the top, 0-based.
    pub row: usize,
    /// Column, 0-based.
    pub col: usize,
    /// Rows covered.
    pub row_span: usize,
    /// Columns covered.
    pub col_span: usize,
}

/// Relation of the units of x and y on paper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Aspect {
    /// The data fill the frame.
    #[default]
    Free,
    /// One unit of x is as long as one of y.
    Equal,
}

/// A small panel inside a panel.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inset {
    /// Distance of its left side from that of the frame, in frame widths.
    pub left: f64,
    /// Distance of its lower side from that of the frame, in frame heights.
    pub bottom: f64,
    /// Width in frame widths.
    pub width: f64,
    /// Height in frame heights.
    pub height: f64,
    /// Content.
    pub panel: Panel,
}

/// One coordinate system with what is drawn in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Panel {
    /// Place in the grid; `None`: the next free cell.
    pub cell: Option<Cell>,
    /// Title above the frame.
    pub title: Option<String>,
    /// Lower axis.
    pub x: Axis,
    /// Left axis.
    pub y: Axis,
    /// Second scale on top.
    pub top: Option<SecondAxis>,
    /// Second scale at the right.
    pub right: Option<SecondAxis>,
    /// Layers, from the lowest.
    pub series: Vec<Series>,
    /// Text boxes.
    pub notes: Vec<Note>,
    /// Legend of the labelled series.
    pub legend: Legend,
    /// Further legends with own entries.
    pub more_legends: Vec<Legend>,
    /// Relation of the units of x and y.
    pub aspect: Aspect,
    /// Small panels inside.
    pub insets: Vec<Inset>,
}

impl Panel {
    /// Empty panel with linear axes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Panel of an image with axes `column` and `row`, ticks at whole pixels; row 0 on top turns the y axis over.
    pub fn image_of(image: ImagePlot) -> Self {
        let reversed = image.origin == RowOrigin::Top;
        let mut panel = Self::new().x("column").y("row").integer_x().integer_y().image(image);
        panel.y.reversed = reversed;
        panel
    }

    /// With this title.
    pub fn title(self, title: impl Into<String>) -> Self {
        Self { title: Some(title.into()), ..self }
    }

    /// With this label of the lower axis.
    pub fn x(mut self, label: impl Into<String>) -> Self {
        self.x.label = label.into();
        self
    }

    /// With this label of the left axis.
    pub fn y(mut self, label: impl Into<String>) -> Self {
        self.y.label = label.into();
        self
    }

    /// With this lower axis.
    pub fn x_axis(self, axis: Axis) -> Self {
        Self { x: axis, ..self }
    }

    /// With this left axis.
    pub fn y_axis(self, axis: Axis) -> Self {
        Self { y: axis, ..self }
    }

    /// Logarithmic lower axis.
    pub fn log_x(mut self) -> Self {
        self.x.scale = AxisScale::Log;
        self
    }

    /// Logarithmic left axis.
    pub fn log_y(mut self) -> Self {
        self.y.scale = AxisScale::Log;
        self
    }

    /// With these ends of the lower axis.
    pub fn x_range(mut self, min: f64, max: f64) -> Self {
        self.x = self.x.range(min, max);
        self
    }

    /// With these ends of the left axis.
    pub fn y_range(mut self, min: f64, max: f64) -> Self {
        self.y = self.y.range(min, max);
        self
    }

    /// Integer ticks on the lower axis.
    pub fn integer_x(mut self) -> Self {
        self.x.integer = true;
        self
    }

    /// Integer ticks on the left axis.
    pub fn integer_y(mut self) -> Self {
        self.y.integer = true;
        self
    }

    /// Pale lines at the ticks of both axes.
    pub fn with_grid(mut self) -> Self {
        self.x.grid = true;
        self.y.grid = true;
        self
    }

    /// With a second scale on top.
    pub fn top(self, axis: SecondAxis) -> Self {
        Self { top: Some(axis), ..self }
    }

    /// With a second scale at the right.
    pub fn right(self, axis: SecondAxis) -> Self {
        Self { right: Some(axis), ..self }
    }

    /// One more layer of any kind.
    pub fn with(mut self, series: impl Into<Series>) -> Self {
        self.series.push(series.into());
        self
    }

    /// One more layer of points.
    pub fn points(self, points: Points) -> Self {
        self.with(points)
    }

    /// One more curve.
    pub fn line(self, line: Line) -> Self {
        self.with(line)
    }

    /// One more band between two curves.
    pub fn band(self, band: Band) -> Self {
        self.with(band)
    }

    /// One more histogram.
    pub fn histogram(self, histogram: Histogram) -> Self {
        self.with(histogram)
    }

    /// One more image.
    pub fn image(self, image: ImagePlot) -> Self {
        self.with(image)
    }

    /// One more set of contour lines.
    pub fn contours(self, contours: Contours) -> Self {
        self.with(contours)
    }

    /// One more line across the panel.
    pub fn guide(self, guide: Guide) -> Self {
        self.with(guide)
    }

    /// One more strip across the panel.
    pub fn strip(self, strip: Strip) -> Self {
        self.with(strip)
    }

    /// One more polygon.
    pub fn polygon(self, polygon: Polygon) -> Self {
        self.with(polygon)
    }

    /// More texts at data coordinates.
    pub fn text(self, text: DataText) -> Self {
        self.with(text)
    }

    /// One more text box.
    pub fn note(mut self, note: Note) -> Self {
        self.notes.push(note);
        self
    }

    /// With this legend of the labelled series.
    pub fn legend(self, legend: Legend) -> Self {
        Self { legend, ..self }
    }

    /// Legend of the labelled series in this place.
    pub fn legend_at(self, anchor: Anchor) -> Self {
        self.legend(Legend::at(anchor))
    }

    /// One more legend with own entries.
    pub fn more_legend(mut self, legend: Legend) -> Self {
        self.more_legends.push(legend);
        self
    }

    /// One unit of x as long as one of y.
    pub fn equal_aspect(self) -> Self {
        Self { aspect: Aspect::Equal, ..self }
    }

    /// In this cell of the grid (0-based).
    pub fn at(self, row: usize, col: usize) -> Self {
        self.spanning(row, col, 1, 1)
    }

    /// In this cell of the grid (0-based), covering several rows and columns.
    pub fn spanning(self, row: usize, col: usize, row_span: usize, col_span: usize) -> Self {
        Self { cell: Some(Cell { row, col, row_span, col_span }), ..self }
    }

    /// With a small panel inside, placed in fractions of the frame from its lower left corner.
    pub fn inset(mut self, left: f64, bottom: f64, width: f64, height: f64, panel: Panel) -> Self {
        self.insets.push(Inset { left, bottom, width, height, panel });
        self
    }

    /// Guides of the panel at values of y.
    pub fn horizontal_guides(&self) -> impl Iterator<Item = &Guide> {
        self.series.iter().filter_map(|s| match s {
            Series::Guide(g) if g.direction == Direction::Horizontal => Some(g),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grid_holds_every_panel() {
        let empty = Figure::new("f");
        assert_eq!(empty.grid_shape(), (1, 1));
        let side_by_side = Figure::new("f").panel(Panel::new()).panel(Panel::new()).panel(Panel::new());
        assert_eq!(side_by_side.grid_shape(), (1, 3));
        assert_eq!(side_by_side.clone().grid(0, 2).grid_shape(), (2, 2));
        assert_eq!(side_by_side.clone().grid(3, 0).grid_shape(), (3, 1));
        // A grid given too small grows by rows (spec 04 §5.3).
        assert_eq!(side_by_side.grid(1, 1).grid_shape(), (3, 1));
        let spanning = Figure::new("f").panel(Panel::new().spanning(0, 0, 1, 2)).panel(Panel::new().at(1, 1));
        assert_eq!(spanning.grid_shape(), (2, 2));
    }

    #[test]
    fn a_figure_is_data() {
        let figure = Figure::new("FitDarkCurrentProcess_DCfit_EXT1")
            .titles("Dark Current Fit", "skip_1.fits", &["CompressSkips", "Pedestal"])
            .with_residuals(
                Panel::new().y("Counts").log_y().histogram(Histogram::uniform(0.0, 3.0, [1.0, 2.0, 4.0])),
                Panel::new().x("Pixel Charge [ADU]").guide(Guide::horizontal(0.0)),
            );
        assert_eq!(figure.kind, Kind::Final);
        assert_eq!(figure.title[2], "process chain: CompressSkips, Pedestal");
        assert_eq!(figure.panels[0].y.scale, AxisScale::Log);
        assert!(matches!(&figure.panels[0].series[0], Series::Histogram(h) if h.edges == [0.0, 1.0, 2.0, 3.0]));
        assert_eq!(figure.panels[1].horizontal_guides().count(), 1);
        assert!(figure.grid.share_x);
        assert_eq!(figure.clone(), figure);
        let json = serde_json::to_value(&figure).unwrap();
        assert_eq!(json["panels"][0]["series"][0]["Histogram"]["counts"][2], 4.0);
        assert_eq!(json["kind"], "Final");
    }

    #[test]
    fn image_panels_follow_the_row_origin() {
        let top = Panel::image_of(ImagePlot::new(ndarray::Array2::zeros((2, 3))));
        assert!(top.y.reversed);
        let bottom = Panel::image_of(ImagePlot::new(ndarray::Array2::zeros((2, 3))).origin_bottom());
        assert!(!bottom.y.reversed);
    }
}
