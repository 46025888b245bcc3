//! Images as figure data: values, mask, colours, range.

use std::sync::Arc;

use ndarray::{Array2, ArrayView2};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::style::{Colour, Palette};

/// Where row 0 of an image is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum RowOrigin {
    /// Row 0 on top, rows grow downwards.
    #[default]
    Top,
    /// Row 0 at the bottom.
    Bottom,
}

/// From which values the colours run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub enum ColourRange {
    /// Between these percentiles of the finite, unmasked values.
    Percentiles {
        /// Lower percentile, in 0…100.
        low: f64,
        /// Upper percentile, in 0…100.
        high: f64,
    },
    /// From the lowest to the highest value.
    Full,
    /// Between these values.
    Fixed {
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
    /// Median ± this many robust standard deviations (1.4826·MAD), for difference images.
    AroundMedian {
        /// Half width in robust standard deviations.
        n_sigma: f64,
    },
}

impl Default for ColourRange {
    fn default() -> Self {
        Self::Percentiles { low: 0.5, high: 99.5 }
    }
}

/// How values are laid out along the colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum ColourScale {
    /// Linear.
    #[default]
    Linear,
    /// Logarithmic; values ≤ 0 get the lowest colour.
    Log,
    /// Equal numbers of pixels for equal parts of the palette; the colour bar runs from 0 to 1 (rank).
    HistogramEqualised,
}

/// How masked pixels are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum MaskStyle {
    /// In one colour (white by default).
    Colour(Colour),
    /// White with diagonal grey hatching.
    Hatched,
}

/// An image layer. Pixel (row r, column c) covers c − ½ … c + ½ and r − ½ … r + ½ unless [`ImagePlot::extent`] is set;
/// pixels that are not finite stay white.
#[derive(Clone, Debug, PartialEq)]
pub struct ImagePlot {
    /// Values, `[row, col]`.
    pub values: Arc<Array2<f64>>,
    /// Pixels to draw as masked, `[row, col]`, same shape as the values (another shape is ignored).
    pub mask: Option<Arc<Array2<bool>>>,
    /// How masked pixels look.
    pub mask_style: MaskStyle,
    /// Where row 0 is.
    pub origin: RowOrigin,
    /// Outer edges (x of the first and after the last column, y of the first and after the last row).
    pub extent: Option<[f64; 4]>,
    /// Colours.
    pub palette: Palette,
    /// Number of discrete colours; `None`: continuous.
    pub steps: Option<usize>,
    /// Value range of the colours.
    pub range: ColourRange,
    /// Linear, logarithmic or equalised.
    pub scale: ColourScale,
    /// Whether a colour bar is drawn.
    pub colour_bar: bool,
    /// Text along the colour bar (quantity and unit).
    pub colour_label: String,
}

impl ImagePlot {
    /// Bird palette, robust linear range, row 0 on top, with a colour bar. The array is shared, not copied, when an
    /// `Arc` is given.
    pub fn new(values: impl Into<Arc<Array2<f64>>>) -> Self {
        Self {
            values: values.into(),
            mask: None,
            mask_style: MaskStyle::Colour(Colour::WHITE),
            origin: RowOrigin::Top,
            extent: None,
            palette: Palette::Bird,
            steps: None,
            range: ColourRange::default(),
            scale: ColourScale::Linear,
            colour_bar: true,
            colour_label: String::new(),
        }
    }

    /// From a view (copied) of any number type.
    pub fn from_view<T: Copy + Into<f64>>(values: ArrayView2<'_, T>) -> Self {
        Self::new(values.mapv(Into::into))
    }

    /// With masked pixels.
    pub fn mask(self, mask: impl Into<Arc<Array2<bool>>>) -> Self {
        Self { mask: Some(mask.into()), ..self }
    }

    /// With masked pixels in this colour.
    pub fn mask_colour(self, colour: Colour) -> Self {
        Self { mask_style: MaskStyle::Colour(colour), ..self }
    }

    /// With masked pixels hatched.
    pub fn mask_hatched(self) -> Self {
        Self { mask_style: MaskStyle::Hatched, ..self }
    }

    /// Row 0 at the bottom.
    pub fn origin_bottom(self) -> Self {
        Self { origin: RowOrigin::Bottom, ..self }
    }

    /// Covering x0…x1 (columns) and y0…y1 (rows) instead of pixel numbers.
    pub fn extent(self, x0: f64, x1: f64, y0: f64, y1: f64) -> Self {
        Self { extent: Some([x0, x1, y0, y1]), ..self }
    }

    /// With these colours.
    pub fn palette(self, palette: Palette) -> Self {
        Self { palette, ..self }
    }

    /// With this number of discrete colours.
    pub fn steps(self, steps: usize) -> Self {
        Self { steps: Some(steps), ..self }
    }

    /// Colours between these values.
    pub fn range(self, low: f64, high: f64) -> Self {
        Self { range: ColourRange::Fixed { low, high }, ..self }
    }

    /// Colours between these percentiles.
    pub fn percentiles(self, low: f64, high: f64) -> Self {
        Self { range: ColourRange::Percentiles { low, high }, ..self }
    }

    /// Colours from the lowest to the highest value.
    pub fn full_range(self) -> Self {
        Self { range: ColourRange::Full, ..self }
    }

    /// Diverging colours, symmetric around the median within `n_sigma` robust standard deviations.
    pub fn difference(self, n_sigma: f64) -> Self {
        Self { range: ColourRange::AroundMedian { n_sigma }, palette: Palette::Diverging, ..self }
    }

    /// Logarithmic colours.
    pub fn log(self) -> Self {
        Self { scale: ColourScale::Log, ..self }
    }

    /// Histogram-equalised colours.
    pub fn equalised(self) -> Self {
        Self { scale: ColourScale::HistogramEqualised, ..self }
    }

    /// With text along the colour bar.
    pub fn colour_label(self, label: impl Into<String>) -> Self {
        Self { colour_label: label.into(), ..self }
    }

    /// Without a colour bar.
    pub fn without_colour_bar(self) -> Self {
        Self { colour_bar: false, ..self }
    }

    /// Outer edges in data coordinates: x0, x1, y0, y1 (row 0 begins at y0).
    pub fn edges(&self) -> [f64; 4] {
        let (rows, cols) = self.values.dim();
        self.extent.unwrap_or([-0.5, cols as f64 - 0.5, -0.5, rows as f64 - 0.5])
    }

    /// Whether pixel (row, col) is masked.
    pub fn is_masked(&self, row: usize, col: usize) -> bool {
        self.mask.as_ref().is_some_and(|m| m.dim() == self.values.dim() && m[[row, col]])
    }
}

impl Serialize for ImagePlot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (rows, cols) = self.values.dim();
        let mut s = serializer.serialize_struct("ImagePlot", 13)?;
        s.serialize_field("rows", &rows)?;
        s.serialize_field("cols", &cols)?;
        s.serialize_field("values", &self.values.iter().collect::<Vec<_>>())?;
        s.serialize_field("mask", &self.mask.as_ref().map(|m| m.iter().collect::<Vec<_>>()))?;
        s.serialize_field("mask_style", &self.mask_style)?;
        s.serialize_field("origin", &self.origin)?;
        s.serialize_field("extent", &self.extent)?;
        s.serialize_field("palette", &self.palette)?;
        s.serialize_field("steps", &self.steps)?;
        s.serialize_field("range", &self.range)?;
        s.serialize_field("scale", &self.scale)?;
        s.serialize_field("colour_bar", &self.colour_bar)?;
        s.serialize_field("colour_label", &self.colour_label)?;
        s.end()
    }
}
