//! What is laid over the data of a panel: guides, strips, outlines, texts, arrows.

use std::borrow::Borrow;

use serde::Serialize;

use super::series::collect;
use super::style::{Colour, Stroke};

/// Direction of a guide or a strip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Direction {
    /// Along x, at a value of y.
    Horizontal,
    /// Along y, at a value of x.
    Vertical,
}

/// A straight line across the whole panel.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Guide {
    /// Direction.
    pub direction: Direction,
    /// Value of y (horizontal) or x (vertical).
    pub at: f64,
    /// Colour, width, pattern.
    pub stroke: Stroke,
    /// Text along the line, near its end.
    pub note: Option<String>,
    /// Legend text.
    pub label: Option<String>,
}

impl Guide {
    /// Thin dashed dark line at y = `at`.
    pub fn horizontal(at: f64) -> Self {
        Self {
            direction: Direction::Horizontal,
            at,
            stroke: Stroke::new(Colour::hex(0x404040)).width(0.9).dashed(),
            note: None,
            label: None,
        }
    }

    /// Thin dashed dark line at x = `at`.
    pub fn vertical(at: f64) -> Self {
        Self { direction: Direction::Vertical, ..Self::horizontal(at) }
    }

    /// With this colour, width and pattern.
    pub fn stroke(self, stroke: Stroke) -> Self {
        Self { stroke, ..self }
    }

    /// With this colour.
    pub fn colour(self, colour: Colour) -> Self {
        Self { stroke: Stroke { colour, ..self.stroke }, ..self }
    }

    /// Solid.
    pub fn solid(self) -> Self {
        Self { stroke: Stroke::new(self.stroke.colour).width(self.stroke.width), ..self }
    }

    /// Dotted.
    pub fn dotted(self) -> Self {
        Self { stroke: self.stroke.dotted(), ..self }
    }

    /// With text along the line.
    pub fn note(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }

    /// With a legend entry.
    pub fn label(self, label: impl Into<String>) -> Self {
        Self { label: Some(label.into()), ..self }
    }
}

/// A coloured strip across the whole panel.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Strip {
    /// Direction.
    pub direction: Direction,
    /// One side.
    pub from: f64,
    /// Other side.
    pub to: f64,
    /// Fill, usually transparent.
    pub colour: Colour,
    /// Legend text.
    pub label: Option<String>,
}

impl Strip {
    /// Pale grey strip between two values of y.
    pub fn horizontal(from: f64, to: f64) -> Self {
        Self { direction: Direction::Horizontal, from, to, colour: Colour::hex(0x606060).with_alpha(0.15), label: None }
    }

    /// Pale grey strip between two values of x.
    pub fn vertical(from: f64, to: f64) -> Self {
        Self { direction: Direction::Vertical, ..Self::horizontal(from, to) }
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

/// A closed polygon in data coordinates.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Polygon {
    /// x of the corners.
    pub x: Vec<f64>,
    /// y of the corners.
    pub y: Vec<f64>,
    /// Outline.
    pub stroke: Option<Stroke>,
    /// Filling.
    pub fill: Option<Colour>,
    /// Legend text.
    pub label: Option<String>,
}

impl Polygon {
    /// Red outline through these corners.
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
            stroke: Some(Stroke::new(Colour::RED).width(0.9)),
            fill: None,
            label: None,
        }
    }

    /// Rectangle between two corners.
    pub fn rectangle(x0: f64, y0: f64, x1: f64, y1: f64) -> Self {
        Self::new([x0, x1, x1, x0], [y0, y0, y1, y1])
    }

    /// With this outline.
    pub fn stroke(self, stroke: Stroke) -> Self {
        Self { stroke: Some(stroke), ..self }
    }

    /// Filled, keeping the outline.
    pub fn fill(self, colour: Colour) -> Self {
        Self { fill: Some(colour), ..self }
    }

    /// With a legend entry.
    pub fn label(self, label: impl Into<String>) -> Self {
        Self { label: Some(label.into()), ..self }
    }
}

/// Texts centred at data coordinates (numbers in cells, frequencies of lines).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DataText {
    /// (x, y, text).
    pub items: Vec<(f64, f64, String)>,
    /// Colour.
    pub colour: Colour,
    /// Size in points.
    pub size: f64,
    /// Shift on paper in points (right, up), to stand clear of the data.
    pub shift: (f64, f64),
    /// White rim that keeps the text readable on an image.
    pub halo: bool,
    /// White where the image below is dark, else `colour`.
    pub adaptive: bool,
}

impl DataText {
    /// Black text of 7 points.
    pub fn new<S: Into<String>>(items: impl IntoIterator<Item = (f64, f64, S)>) -> Self {
        Self {
            items: items.into_iter().map(|(x, y, text)| (x, y, text.into())).collect(),
            colour: Colour::BLACK,
            size: 7.0,
            shift: (0.0, 0.0),
            halo: false,
            adaptive: false,
        }
    }

    /// With this colour.
    pub fn colour(self, colour: Colour) -> Self {
        Self { colour, ..self }
    }

    /// With this size in points.
    pub fn size(self, size: f64) -> Self {
        Self { size, ..self }
    }

    /// Shifted on paper, in points to the right and upwards.
    pub fn shift(self, right: f64, up: f64) -> Self {
        Self { shift: (right, up), ..self }
    }

    /// With a white rim.
    pub fn halo(self) -> Self {
        Self { halo: true, ..self }
    }

    /// White where the image below is dark.
    pub fn on_image(self) -> Self {
        Self { adaptive: true, ..self }
    }
}

/// Arrows from one place to another, in data coordinates.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Arrows {
    /// (x, y) of tail, (x, y) of tip.
    pub items: Vec<((f64, f64), (f64, f64))>,
    /// Colour and width.
    pub stroke: Stroke,
    /// Legend text.
    pub label: Option<String>,
}

impl Arrows {
    /// Dark arrows.
    pub fn new(items: impl IntoIterator<Item = ((f64, f64), (f64, f64))>) -> Self {
        Self { items: items.into_iter().collect(), stroke: Stroke::new(Colour::hex(0x404040)), label: None }
    }

    /// With this colour and width.
    pub fn stroke(self, stroke: Stroke) -> Self {
        Self { stroke, ..self }
    }

    /// With a legend entry.
    pub fn label(self, label: impl Into<String>) -> Self {
        Self { label: Some(label.into()), ..self }
    }
}
