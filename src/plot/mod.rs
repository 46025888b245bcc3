//! Figures as data, and their renderers.
//!
//! A process returns [`Figure`]s: panels, axes, series, annotations, nothing drawn. [`render`](fn@render) turns a figure
//! into the bytes of a PDF, EPS, PNG or SVG file, [`render_report`] makes a PDF of headings, text and figures,
//! [`Showcase`] opens figures in a viewer or draws them in the terminal. Names and places of files are not decided here.
//!
//! ```
//! use panaskimg::plot::{Figure, Format, Histogram, Line, Note, Panel, Points, render};
//!
//! let figure = Figure::new("FitDarkCurrentProcess_DCfit_ratio_EXT1")
//!     .title("Dark Current Fit [amplifier EXT1]")
//!     .with_residuals(
//!         Panel::new()
//!             .y("Counts")
//!             .log_y()
//!             .histogram(Histogram::uniform(-1.0, 2.0, [3.0, 90.0, 20.0]).label("data"))
//!             .line(Line::function(-1.0, 2.0, 200, |x| 90.0 * (-x * x).exp()).label("fit"))
//!             .note(Note::fit_results().chi2(1.2, 1).value("λ [e⁻]", 0.1361, 0.0007)),
//!         Panel::new().x("Pixel Charge [ADU]").y("residual").points(Points::new([-0.5, 0.5, 1.5], [0.1, 0.0, -0.1])),
//!     );
//! let pdf = render(&figure, Format::Pdf)?;
//! assert!(pdf.starts_with(b"%PDF"));
//! # Ok::<(), panaskimg::plot::RenderError>(())
//! ```
//!
//! Text anywhere may hold `_{…}` and `^{…}`. Values that are not finite are left out, whatever the series.

mod annotation;
mod axis;
mod figure;
mod image;
mod overlay;
mod render;
mod series;
mod show;
mod style;

pub use annotation::{Anchor, Legend, LegendEntry, LegendKey, LegendPlace, Note, value_with_error, without_markup};
pub use axis::{Axis, AxisScale, SecondAxis};
pub use figure::{Aspect, Cell, Figure, Grid, Inset, Kind, Panel, Size};
pub use image::{ColourRange, ColourScale, ImagePlot, MaskStyle, RowOrigin};
pub use overlay::{Arrows, DataText, Direction, Guide, Polygon, Strip};
pub use render::{
    Format, Paragraph, Pixels, RenderError, ReportSection, Reprint, TextColours, render, render_all, render_html,
    render_pages, render_pixels, render_report, render_text,
};
pub use series::{Band, Contours, Errors, Histogram, Line, Points, Series};
pub use show::{
    DisplayEnvironment, DisplayTarget, ShowError, Showcase, Shown, TerminalEnvironment, TerminalGraphics,
    display_target, draw_in_terminal, terminal_graphics, text_colours,
};
pub use style::{Colour, Dash, Marker, Palette, Shape, Stroke};
