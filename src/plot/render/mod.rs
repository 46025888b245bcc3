//! From figure data to files: layout once, then PDF, EPS, PNG, SVG, or the terminal.
//!
//! A figure is laid out into a list of marks on paper (lines, markers, text, images), and every format spells the same
//! marks, so the files look alike. Fonts are embedded; nothing is read from the system; the same figure always gives
//! the same bytes.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::figure::Figure;
use drawing::Drawing;
use layout::{Density, compose};

pub use self::png::Pixels;
pub use cells::TextColours;
pub use report::{Paragraph, ReportSection, render_report};
pub use reprint::Reprint;
pub use text::render_text;

mod axes;
mod boxes;
mod cells;
mod contour;
mod drawing;
mod eps;
mod font;
mod footprint;
mod geometry;
mod layout;
mod limits;
mod marks;
mod number;
mod panel;
mod pdf;
mod picture;
mod png;
mod raster;
mod report;
mod reprint;
mod scale;
mod subset;
mod svg;
#[cfg(test)]
mod tests;
mod text;
mod theme;
mod ticks;

/// File formats of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// Portable Document Format; the only one for several pages.
    Pdf,
    /// Encapsulated PostScript.
    Eps,
    /// Portable Network Graphics.
    Png,
    /// Scalable Vector Graphics.
    Svg,
}

impl Format {
    /// All formats, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Pdf, Self::Eps, Self::Png, Self::Svg];

    /// Extension of file names, without dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Eps => "eps",
            Self::Png => "png",
            Self::Svg => "svg",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.extension())
    }
}

impl FromStr for Format {
    type Err = RenderError;

    fn from_str(name: &str) -> Result<Self, RenderError> {
        let wanted = name.trim().trim_start_matches('.').to_ascii_lowercase();
        Self::ALL
            .into_iter()
            .find(|f| f.extension() == wanted)
            .ok_or_else(|| RenderError::UnknownFormat { name: name.to_string() })
    }
}

/// Why a figure could not be drawn.
#[derive(Debug, Error)]
pub enum RenderError {
    /// Not one of the four formats.
    #[error("`{name}` is not a figure format; use pdf, eps, png or svg")]
    UnknownFormat {
        /// What was asked for.
        name: String,
    },
    /// Too many pixels.
    #[error(
        "the figure would have {width} × {height} pixels, more than a PNG is made for; reduce its size or resolution"
    )]
    TooLarge {
        /// Pixels across.
        width: u64,
        /// Pixels down.
        height: u64,
    },
    /// Several pages in a format of one page.
    #[error("figure `{name}` has {pages} pages; only pdf holds several")]
    ManyPages {
        /// Name of the figure.
        name: String,
        /// Number of its pages.
        pages: usize,
        /// The format asked for.
        format: Format,
    },
    /// The PNG encoder refused.
    #[error("the PNG encoder reported: {0}")]
    Png(#[from] ::png::EncodingError),
    /// A file is not a PNG picture.
    #[error("this is not a PNG picture: {0}")]
    NoPng(#[from] ::png::DecodingError),
    /// The font could not be cut down.
    #[error("the embedded font could not be reduced to the glyphs in use: {message}")]
    Font {
        /// Report of the font library.
        message: String,
    },
}

/// Pixels per inch of PNG files unless the figure says otherwise.
const PNG_DPI: f64 = 200.0;

/// The bytes of a file with this figure.
///
/// # Errors
/// [`RenderError::ManyPages`] for several pages in another format than PDF, [`RenderError::TooLarge`] for a PNG of more
/// than 2·10⁸ pixels.
pub fn render(figure: &Figure, format: Format) -> Result<Vec<u8>, RenderError> {
    let mut files = render_all(figure, &[format]);
    files.pop().unwrap_or_else(|| Err(RenderError::UnknownFormat { name: format.to_string() }))
}

/// The bytes of the files in several formats, in their order; layout is shared where the formats allow.
pub fn render_all(figure: &Figure, formats: &[Format]) -> Vec<Result<Vec<u8>, RenderError>> {
    let mut vector: Option<Drawing> = None;
    formats
        .iter()
        .map(|&format| {
            if format != Format::Pdf && !figure.more_pages.is_empty() {
                let pages = 1 + figure.more_pages.len();
                return Err(RenderError::ManyPages { name: figure.name.clone(), pages, format });
            }
            if format == Format::Png {
                let dpi = figure_dpi(figure);
                return png::write(&compose(figure, Density { dpi, snap: true }), dpi);
            }
            let drawing = vector.get_or_insert_with(|| compose(figure, Density::VECTOR));
            match format {
                Format::Pdf if figure.more_pages.is_empty() => pdf::write(std::slice::from_ref(drawing)),
                Format::Pdf => {
                    let rest = figure.more_pages.iter().map(|page| compose(page, Density::VECTOR));
                    pdf::write(&std::iter::once(drawing.clone()).chain(rest).collect::<Vec<_>>())
                }
                Format::Eps => eps::write(drawing),
                _ => svg::write(drawing, svg::Usage::File, &identifier(figure)),
            }
        })
        .collect()
}

/// Several figures as the pages of one PDF file.
///
/// # Errors
/// When the font cannot be embedded.
pub fn render_pages(figures: &[Figure]) -> Result<Vec<u8>, RenderError> {
    let pages: Vec<Drawing> = figures
        .iter()
        .flat_map(|f| std::iter::once(f).chain(&f.more_pages))
        .map(|f| compose(f, Density::VECTOR))
        .collect();
    pdf::write(&pages)
}

/// The figure as an `<svg>` element for an HTML page, as wide as its container. Ids start with a name made from
/// `unique`, which must differ between the figures of a page.
///
/// # Errors
/// When an image cannot be encoded.
pub fn render_html(figure: &Figure, unique: &str) -> Result<String, RenderError> {
    let bytes = svg::write(&compose(figure, Density::VECTOR), svg::Usage::Inline, unique)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The figure as pixels at `dpi` pixels per inch, for terminals.
///
/// # Errors
/// [`RenderError::TooLarge`] for more than 2·10⁸ pixels.
pub fn render_pixels(figure: &Figure, dpi: f64) -> Result<Pixels, RenderError> {
    let dpi = if dpi.is_finite() { dpi.clamp(10.0, 2400.0) } else { PNG_DPI };
    png::draw(&compose(figure, Density { dpi, snap: true }), dpi)
}

fn figure_dpi(figure: &Figure) -> f64 {
    figure.dpi.filter(|d| d.is_finite()).unwrap_or(PNG_DPI).clamp(10.0, 2400.0)
}

/// Prefix of the ids of a figure: its name.
fn identifier(figure: &Figure) -> String {
    figure.name.clone()
}
