//! What a panel shows: points, lines, bands, histograms, contours (images: [`super::image`], guides and outlines:
//! [`super::overlay`]).
//!
//! Every value that is not finite is left out when the figure is drawn; vectors of different length are cut to the
//! shortest.

use std::borrow::Borrow;

use ndarray::Array2;
use serde::{Serialize, Serializer};

use super::image::ImagePlot;
use super::overlay::{Arrows, DataText, Guide, Polygon, Strip};
use super::style::{Colour, Marker, Shape, Stroke};

/// Numbers from anything that yields `f64` or `&f64` (vector, slice, 1-D array, iterator).
pub(crate) fn collect<I>(values: I) -> Vec<f64>
where
    I: IntoIterator,
    I::Item: Borrow<f64>,
{
    values.into_iter().map(|v| *v.borrow()).collect()
}

/// One layer of a panel; layers are drawn in the order in which they were added.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Series {
    /// Data points.
    Points(Points),
    /// A curve.
    Line(Line),
    /// Area between two curves.
    Band(Band),
    /// Histogram.
    Histogram(Histogram),
    /// Image.
    Image(ImagePlot),
    /// Contour lines of a surface.
    Contours(Contours),
    /// Line across the whole panel.
    Guide(Guide),
    /// Strip across the whole panel.
    Strip(Strip),
    /// Closed polygon (cluster outline, region, selection).
    Polygon(Polygon),
    /// Text at data coordinates.
    Text(DataText),
    /// Arrows between data coordinates.
    Arrows(Arrows),
}

impl Series {
    /// Text of its legend entry.
    pub fn label(&self) -> Option<&str> {
        match self {
            Self::Points(s) => s.label.as_deref(),
            Self::Line(s) => s.label.as_deref(),
            Self::Band(s) => s.label.as_deref(),
            Self::Histogram(s) => s.label.as_deref(),
            Self::Contours(s) => s.label.as_deref(),
            Self::Guide(s) => s.label.as_deref(),
            Self::Strip(s) => s.label.as_deref(),
            Self::Polygon(s) => s.label.as_deref(),
            Self::Arrows(s) => s.label.as_deref(),
            Self::Image(_) | Self::Text(_) => None,
        }
    }
}

macro_rules! into_series {
    ($($kind:ident => $type:ty),* $(,)?) => {
        $(impl From<$type> for Series {
            fn from(series: $type) -> Self {
                Self::$kind(series)
            }
        })*
    };
}

into_series! {
    Points => Points,
    Line => Line,
    Band => Band,
    Histogram => Histogram,
    Image => ImagePlot,
    Contours => Contours,
    Guide => Guide,
    Strip => Strip,
    Polygon => Polygon,
    Text => DataText,
    Arrows => Arrows,
}

/// Half lengths of the error bars of a series of points.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Errors {
    /// Same length on both sides.
    Symmetric(Vec<f64>),
    /// Lengths towards lower and higher values.
    Asymmetric {
        /// Towards lower values.
        low: Vec<f64>,
        /// Towards higher values.
        high: Vec<f64>,
    },
}

impl Errors {
    /// Lengths (low, high) of point `index`; none when missing or not finite.
    pub fn at(&self, index: usize) -> Option<(f64, f64)> {
        let (low, high) = match self {
            Self::Symmetric(e) => (*e.get(index)?, *e.get(index)?),
            Self::Asymmetric { low, high } => (*low.get(index)?, *high.get(index)?),
        };
        (low.is_finite() && high.is_finite()).then_some((low.abs(), high.abs()))
    }
}

/// Data points, optionally with error bars and joined by a line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Points {
    /// x values.
    pub x: Vec<f64>,
    /// y values.
    pub y: Vec<f64>,
    /// Error bars along x.
    pub x_errors: Option<Errors>,
    /// Error bars along y.
    pub y_errors: Option<Errors>,
    /// Marker.
    pub marker: Marker,
    /// Line that joins the points, under the markers.
    pub joined: Option<Stroke>,
    /// Legend text.
    pub label: Option<String>,
}

impl Points {
    /// Open blue circles at (x, y).
    pub fn new<X, Y>(x: X, y: Y) -> Self
    where
        X: IntoIterator,
        X::Item: Borrow<f64>,
        Y: IntoIterator,
        Y::Item: Borrow<f64>,
    {
        Self {
            x: collect(x),
            y: collect(y),
            x_errors: None,
            y_errors: None,
            marker: Marker::default(),
            joined: None,
            label: None,
        }
    }

    /// Points at x = 0, 1, 2, … (rows, columns, skips).
    pub fn indexed<Y>(y: Y) -> Self
    where
        Y: IntoIterator,
        Y::Item: Borrow<f64>,
    {
        let y = collect(y);
        Self::new((0..y.len()).map(|i| i as f64), y)
    }

    /// With symmetric error bars along y.
    pub fn y_errors<E>(self, errors: E) -> Self
    where
        E: IntoIterator,
        E::Item: Borrow<f64>,
    {
        Self { y_errors: Some(Errors::Symmetric(collect(errors))), ..self }
    }

    /// With symmetric error bars along x (half widths of blocks of rows).
    pub fn x_errors<E>(self, errors: E) -> Self
    where
        E: IntoIterator,
        E::Item: Borrow<f64>,
    {
        Self { x_errors: Some(Errors::Symmetric(collect(errors))), ..self }
    }

    /// With error bars along y of different length towards lower and higher values.
    pub fn y_errors_asymmetric<L, H>(self, low: L, high: H) -> Self
    where
        L: IntoIterator,
        L::Item: Borrow<f64>,
        H: IntoIterator,
        H::Item: Borrow<f64>,
    {
        Self { y_errors: Some(Errors::Asymmetric { low: collect(low), high: collect(high) }), ..self }
    }

    /// With this marker.
    pub fn marker(self, marker: Marker) -> Self {
        Self { marker, ..self }
    }

    /// Open circles of this colour.
    pub fn colour(self, colour: Colour) -> Self {
        Self { marker: Marker { face: self.marker.face.map(|_| colour), edge: colour, ..self.marker }, ..self }
    }

    /// Filled circles of this colour.
    pub fn filled(self, colour: Colour) -> Self {
        Self { marker: Marker { size: self.marker.size, ..Marker::filled(self.marker.shape, colour) }, ..self }
    }

    /// With this shape of marker.
    pub fn shape(self, shape: Shape) -> Self {
        Self { marker: Marker { shape, ..self.marker }, ..self }
    }

    /// With markers of this diameter, in points.
    pub fn size(self, size: f64) -> Self {
        Self { marker: self.marker.size(size), ..self }
    }

    /// Joined by a line.
    pub fn joined(self, stroke: Stroke) -> Self {
        Self { joined: Some(stroke), ..self }
    }

    /// With a legend entry.
    pub fn label(self, label: impl Into<String>) -> Self {
        Self { label: Some(label.into()), ..self }
    }
}

/// A curve through (x, y); a value that is not finite interrupts it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// x values.
    pub x: Vec<f64>,
    /// y values.
    pub y: Vec<f64>,
    /// Colour, width, pattern.
    pub stroke: Stroke,
    /// Steps half way between the points instead of straight pieces.
    pub step: bool,
    /// Legend text.
    pub label: Option<String>,
}

impl Line {
    /// Solid red line, as for fits.
    pub fn new<X, Y>(x: X, y: Y) -> Self
    where
        X: IntoIterator,
        X::Item: Borrow<f64>,
        Y: IntoIterator,
        Y::Item: Borrow<f64>,
    {
        Self { x: collect(x), y: collect(y), stroke: Stroke::new(Colour::RED).width(1.4), step: false, label: None }
    }

    /// The function at `samples` (at least 2) equidistant places from `low` to `high`.
    pub fn function(low: f64, high: f64, samples: usize, f: impl Fn(f64) -> f64) -> Self {
        let last = samples.max(2) - 1;
        let x: Vec<f64> = (0..=last).map(|i| low + (high - low) * i as f64 / last as f64).collect();
        let y: Vec<f64> = x.iter().map(|&x| f(x)).collect();
        Self::new(x, y)
    }

    /// With this colour, width and pattern.
    pub fn stroke(self, stroke: Stroke) -> Self {
        Self { stroke, ..self }
    }

    /// With this colour.
    pub fn colour(self, colour: Colour) -> Self {
        Self { stroke: Stroke { colour, ..self.stroke }, ..self }
    }

    /// With this width in points.
    pub fn width(self, width: f64) -> Self {
        Self { stroke: self.stroke.width(width), ..self }
    }

    /// Dashed.
    pub fn dashed(self) -> Self {
        Self { stroke: self.stroke.dashed(), ..self }
    }

    /// Dotted.
    pub fn dotted(self) -> Self {
        Self { stroke: self.stroke.dotted(), ..self }
    }

    /// As steps.
    pub fn step(self) -> Self {
        Self { step: true, ..self }
    }

    /// With a legend entry.
    pub fn label(self, label: impl Into<String>) -> Self {
        Self { label: Some(label.into()), ..self }
    }
}

/// Area between the curves (x, low) and (x, high).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Band {
    /// x values.
    pub x: Vec<f64>,
    /// Lower curve.
    pub low: Vec<f64>,
    /// Upper curve.
    pub high: Vec<f64>,
    /// Fill, usually transparent.
    pub colour: Colour,
    /// Legend text.
    pub label: Option<String>,
}

impl Band {
    /// Pale blue band (quartiles of a run).
    pub fn new<X, L, H>(x: X, low: L, high: H) -> Self
    where
        X: IntoIterator,
        X::Item: Borrow<f64>,
        L: IntoIterator,
        L::Item: Borrow<f64>,
        H: IntoIterator,
        H::Item: Borrow<f64>,
    {
        Self {
            x: collect(x),
            low: collect(low),
            high: collect(high),
            colour: Colour::hex(0x45afed).with_alpha(0.35),
            label: None,
        }
    }

    /// With this fill.
    pub fn colour(self, colour: Colour) -> Self {
        Self { colour, ..self }
    }

    /// With a legend entry.
    pub fn label(self, label: impl Into<String>) -> Self {
        Self { label: Some(label.into()), ..self }
    }
}

/// Histogram: `counts[i]` between `edges[i]` and `edges[i + 1]`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Histogram {
    /// Bin edges, ascending, one more than counts.
    pub edges: Vec<f64>,
    /// Bin contents.
    pub counts: Vec<f64>,
    /// Where each bin starts, for stacked histograms; `None`: at zero.
    pub base: Option<Vec<f64>>,
    /// Half lengths of error bars at the bin centres.
    pub errors: Option<Vec<f64>>,
    /// Outline; `None`: no outline.
    pub stroke: Option<Stroke>,
    /// Filling; `None`: hollow.
    pub fill: Option<Colour>,
    /// Legend text.
    pub label: Option<String>,
}

impl Histogram {
    /// Hollow black histogram.
    pub fn new<E, C>(edges: E, counts: C) -> Self
    where
        E: IntoIterator,
        E::Item: Borrow<f64>,
        C: IntoIterator,
        C::Item: Borrow<f64>,
    {
        Self {
            edges: collect(edges),
            counts: collect(counts),
            base: None,
            errors: None,
            stroke: Some(Stroke::new(Colour::BLACK).width(0.9)),
            fill: None,
            label: None,
        }
    }

    /// Bins of equal width from `low` to `high`.
    pub fn uniform<C>(low: f64, high: f64, counts: C) -> Self
    where
        C: IntoIterator,
        C::Item: Borrow<f64>,
    {
        let counts = collect(counts);
        let n = counts.len();
        Self::new((0..=n).map(|i| low + (high - low) * i as f64 / n.max(1) as f64), counts)
    }

    /// Outline of this colour.
    pub fn colour(self, colour: Colour) -> Self {
        let width = self.stroke.map_or(0.9, |s| s.width);
        Self { stroke: Some(Stroke::new(colour).width(width)), ..self }
    }

    /// With this outline.
    pub fn stroke(self, stroke: Stroke) -> Self {
        Self { stroke: Some(stroke), ..self }
    }

    /// Filled, without outline.
    pub fn filled(self, colour: Colour) -> Self {
        Self { fill: Some(colour), stroke: None, ..self }
    }

    /// Pale histogram to compare with (the spectrum before masking, a reference run).
    pub fn reference(self) -> Self {
        Self {
            fill: Some(Colour::PALE_BLUE.with_alpha(0.45)),
            stroke: Some(Stroke::new(Colour::PALE_BLUE).width(0.8)),
            ..self
        }
    }

    /// With error bars at the bin centres.
    pub fn errors<E>(self, errors: E) -> Self
    where
        E: IntoIterator,
        E::Item: Borrow<f64>,
    {
        Self { errors: Some(collect(errors)), ..self }
    }

    /// With Poisson error bars √n.
    pub fn poisson_errors(self) -> Self {
        let errors = self.counts.iter().map(|n| n.max(0.0).sqrt()).collect();
        Self { errors: Some(errors), ..self }
    }

    /// Stacked on these heights.
    pub fn stacked_on<B>(self, base: B) -> Self
    where
        B: IntoIterator,
        B::Item: Borrow<f64>,
    {
        Self { base: Some(collect(base)), ..self }
    }

    /// With a legend entry.
    pub fn label(self, label: impl Into<String>) -> Self {
        Self { label: Some(label.into()), ..self }
    }
}

/// Contour lines of a surface sampled on a grid.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contours {
    /// Places of the columns of `z`, ascending.
    pub x: Vec<f64>,
    /// Places of the rows of `z`, ascending.
    pub y: Vec<f64>,
    /// Heights, `z[[row, col]]` at (`x[col]`, `y[row]`).
    #[serde(serialize_with = "rows_of")]
    pub z: Array2<f64>,
    /// Heights at which lines are drawn.
    pub levels: Vec<f64>,
    /// Colour, width, pattern.
    pub stroke: Stroke,
    /// Legend text.
    pub label: Option<String>,
}

impl Contours {
    /// Red contour lines.
    pub fn new<X, Y, L>(x: X, y: Y, z: Array2<f64>, levels: L) -> Self
    where
        X: IntoIterator,
        X::Item: Borrow<f64>,
        Y: IntoIterator,
        Y::Item: Borrow<f64>,
        L: IntoIterator,
        L::Item: Borrow<f64>,
    {
        Self {
            x: collect(x),
            y: collect(y),
            z,
            levels: collect(levels),
            stroke: Stroke::new(Colour::RED).width(0.9),
            label: None,
        }
    }

    /// With this colour, width and pattern.
    pub fn stroke(self, stroke: Stroke) -> Self {
        Self { stroke, ..self }
    }

    /// With a legend entry.
    pub fn label(self, label: impl Into<String>) -> Self {
        Self { label: Some(label.into()), ..self }
    }
}

/// A 2-D array as a list of rows.
fn rows_of<S: Serializer>(z: &Array2<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(z.rows().into_iter().map(|row| row.to_vec()))
}
