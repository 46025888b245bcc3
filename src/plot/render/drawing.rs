//! A figure laid out on paper: the list of marks that every file format knows how to make.
//!
//! Layout happens once ([`super::layout`]); PDF, EPS, SVG and PNG only spell the same marks differently, which is why
//! the four files look the same.

use std::sync::{Arc, OnceLock};

use super::font::Glyph;
use super::geometry::{Path, Point, Rect};
use crate::plot::style::{Colour, Dash, Stroke};

/// A stroke with its dash lengths resolved.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pen {
    pub colour: Colour,
    /// Points.
    pub width: f64,
    /// On and off lengths in points; empty: solid.
    pub dashes: Vec<f64>,
    /// Round ends (dots, joined data) instead of flat ones.
    pub round: bool,
}

impl Pen {
    pub fn solid(colour: Colour, width: f64) -> Self {
        Self { colour, width, dashes: Vec::new(), round: false }
    }
}

impl From<Stroke> for Pen {
    fn from(stroke: Stroke) -> Self {
        let width = if stroke.width.is_finite() { stroke.width.clamp(0.1, 50.0) } else { 1.0 };
        // Dash lengths grow with the width, as in most plotting programs; dots are round.
        let w = width.max(0.8);
        let (dashes, round) = match stroke.dash {
            Dash::Solid => (vec![], false),
            Dash::Dashed => (vec![4.2 * w, 2.4 * w], false),
            Dash::Dotted => (vec![0.01, 2.2 * w], true),
            Dash::DashDotted => (vec![5.0 * w, 2.2 * w, 1.0 * w, 2.2 * w], false),
        };
        Self { colour: stroke.colour, width, dashes, round }
    }
}

/// Pixels with a palette.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Raster {
    pub width: usize,
    pub height: usize,
    /// One palette index per pixel, row by row from the top.
    pub indices: Vec<u8>,
    /// At most 256 colours; every index is below its length.
    pub palette: Vec<[u8; 3]>,
    /// The indices as zlib data, made once for all formats.
    deflated: OnceLock<Vec<u8>>,
}

impl Raster {
    pub fn new(width: usize, height: usize, indices: Vec<u8>, palette: Vec<[u8; 3]>) -> Self {
        Self { width, height, indices, palette, deflated: OnceLock::new() }
    }

    /// The indices as zlib data. Noise does not become smaller at higher levels than this.
    pub fn deflated(&self) -> &[u8] {
        self.deflated.get_or_init(|| super::pdf::deflate(&self.indices, 3))
    }
}

/// One mark on paper.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Mark {
    /// A filled and/or stroked path; inside by the non-zero rule.
    Path { path: Path, fill: Option<Colour>, pen: Option<Pen> },
    /// The same small path at many places.
    Stamps { path: Path, fill: Option<Colour>, pen: Option<Pen>, at: Vec<Point> },
    /// A line of text whose baseline starts at `at`, reading to the right, or upwards.
    Text { glyphs: Vec<Glyph>, at: Point, upwards: bool, colour: Colour },
    /// An image stretched over `rect`, of which only the part in `clip` is seen.
    Image { raster: Arc<Raster>, rect: Rect, clip: Rect },
}

/// A laid-out page.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Drawing {
    /// Points.
    pub width: f64,
    /// Points.
    pub height: f64,
    /// Title for the file's metadata.
    pub title: String,
    /// Description for the file's metadata.
    pub description: String,
    pub marks: Vec<Mark>,
}

impl Drawing {
    pub fn fill(&mut self, path: Path, colour: Colour) {
        self.path(path, Some(colour), None);
    }

    pub fn stroke(&mut self, path: Path, pen: Pen) {
        self.path(path, None, Some(pen));
    }

    pub fn path(&mut self, path: Path, fill: Option<Colour>, pen: Option<Pen>) {
        if !path.is_empty() && (fill.is_some() || pen.is_some()) {
            self.marks.push(Mark::Path { path, fill, pen });
        }
    }
}
