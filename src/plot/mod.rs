//! Figures as data, and their renderers.

/// A figure as data.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figure {}

/// A drawing format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Portable Document Format.
    Pdf,
    /// Encapsulated PostScript.
    Eps,
    /// Raster image.
    Png,
    /// Scalable Vector Graphics.
    Svg,
}
