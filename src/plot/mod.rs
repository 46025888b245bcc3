//! Figures as data, and their renderers.
//!
//! Processes return [`Figure`]s: panels, axes, series, annotations, nothing drawn. `render` turns a
//! figure into the bytes of a PDF, EPS, PNG or SVG file, or draws it in the terminal.

mod annotation;
mod axis;
mod figure;
mod image;
mod overlay;
pub mod render;
mod series;
mod show;
mod style;

pub use annotation::{Anchor, Legend, LegendEntry, LegendKey, LegendPlace, Note, value_with_error};
pub use axis::{Axis, AxisScale, SecondAxis};
pub use figure::{Aspect, Cell, Figure, Grid, Inset, Kind, Panel, Size};
pub use image::{ColourRange, ColourScale, ImagePlot, MaskStyle, RowOrigin};
pub use overlay::{Arrows, DataText, Direction, Guide, Polygon, Strip};
pub use render::{
    Format, Pixels, RenderError, TextColours, render, render_all, render_html, render_pages, render_pixels, render_text,
};
pub use series::{Band, Contours, Errors, Histogram, Line, Points, Series};
pub use show::{
    DisplayEnvironment, DisplayTarget, ShowError, Showcase, Shown, TerminalEnvironment, TerminalGraphics,
    display_target, draw_in_terminal, terminal_graphics, text_colours,
};
pub use style::{Colour, Dash, Marker, Palette, Shape, Stroke};
