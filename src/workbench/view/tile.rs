//! One image as it is drawn: cut, turned over, rounded.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use ndarray::{Array2, Axis, Slice};

use super::ViewArgs;
use crate::workbench::error::{BenchError, BenchResult};
use crate::workbench::files::{FitsFile, name_of, range_of, unit_of};

/// A half of an image with two amplifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Half {
    /// The left half.
    #[default]
    #[value(name = "L")]
    L,
    /// The right half, mirrored.
    #[value(name = "U")]
    U,
}

/// One image.
#[derive(Debug, Clone)]
pub struct Tile {
    /// File.
    pub path: PathBuf,
    /// Its name.
    pub name: String,
    /// `e-` or `ADU`.
    pub unit: String,
    /// What the pixels are, for axes.
    pub quantity: &'static str,
    /// The HDU, if the user did not name it and the file has other images.
    chosen: Option<String>,
    /// Values as drawn, `[row, col]`.
    pub values: Array2<f64>,
    /// The same before they were rounded to whole electrons.
    measured: Array2<f64>,
    /// Masked pixels, of the same shape.
    pub mask: Option<Array2<bool>>,
    /// Pixels in hot columns.
    pub hot: Vec<usize>,
    /// Row and column of the image that pixel (0, 0) is.
    origin: (usize, usize),
    turned: Option<Half>,
    width: usize,
}

impl Tile {
    /// Reads an image and cuts out what is wanted.
    pub fn read(args: &ViewArgs, path: &Path) -> BenchResult<Self> {
        let file = FitsFile::open(path)?;
        let hdu = file.find_data(args.ext.as_ref(), &["CALIBRATED"])?;
        let unit = unit_of(&file, hdu)?;
        let own = &file.input.hdus()[hdu];
        let is_std = own.extname.as_deref().is_some_and(|name| name.trim().eq_ignore_ascii_case("STD"));
        let quantity = if is_std { "standard deviation of the skips" } else { "pixel charge" };
        let images = file.input.hdus().iter().filter(|h| h.is_plane()).count();
        let chosen = (args.ext.is_none() && images > 1).then(|| own.title());
        let mut values = file.image(hdu)?;
        let shape = values.dim();
        let mut mask = match &args.mext {
            Some(extension) => file.mask(extension, shape)?,
            None => None,
        };
        let measured = values.clone();
        if unit == "e-" && !args.float {
            // −0.3 is no electron, not −0.
            values.mapv_inplace(|q| q.round() + 0.0);
        }
        let (mut rows, mut cols) = (0..shape.0, 0..shape.1);
        let turned = args.transpose.then_some(args.amp);
        if let Some(half) = turned {
            let middle = shape.1 / 2;
            cols = match half {
                Half::L => args.prescan..middle.saturating_sub(args.overscan),
                Half::U => middle + args.overscan..shape.1.saturating_sub(args.prescan),
            };
            if cols.is_empty() {
                return Err(BenchError::option(
                    "--prescan and --overscan",
                    format!("no column of a half of {middle} is left"),
                ));
            }
        }
        if let Some(zoom) = &args.zoom {
            rows = range_of(&zoom[..2], shape.0, "--zoom (rows)")?;
            let wanted = range_of(&zoom[2..], shape.1, "--zoom (columns)")?;
            cols = cols.start.max(wanted.start)..cols.end.min(wanted.end);
            if cols.is_empty() {
                return Err(BenchError::option("--zoom", "no column of it lies in the half of the amplifier"));
            }
        }
        let hot: Vec<usize> = args.hotcol.iter().copied().filter(|c| cols.contains(c)).collect();
        let origin = (rows.start, cols.start);
        let width = cols.len();
        let name = name_of(path);
        let path = path.to_owned();
        let mut tile =
            Self { path, name, unit, quantity, chosen, values, measured, mask: None, hot, origin, turned, width };
        tile.values = tile.cut(&tile.values, &rows, &cols);
        tile.measured = tile.cut(&tile.measured, &rows, &cols);
        mask = mask.map(|m| tile.cut(&m, &rows, &cols));
        tile.mask = mask;
        Ok(tile)
    }

    fn cut<T: Copy>(
        &self,
        image: &Array2<T>,
        rows: &std::ops::Range<usize>,
        cols: &std::ops::Range<usize>,
    ) -> Array2<T> {
        let part = image.slice_axis(Axis(0), Slice::from(rows.clone()));
        let mut part = part.slice_axis(Axis(1), Slice::from(cols.clone()));
        if self.turned == Some(Half::U) {
            part.invert_axis(Axis(1));
        }
        if self.turned.is_some() { part.t().as_standard_layout().into_owned() } else { part.to_owned() }
    }

    /// Which image of the file it is, if that was not asked for: ` (HDU 0 CALIBRATED)`.
    pub fn which(&self) -> String {
        self.chosen.as_ref().map_or_else(String::new, |hdu| format!(" (HDU {hdu})"))
    }

    /// Which half it is: `, amplifier U`.
    pub fn half(&self) -> &'static str {
        match self.turned {
            None => "",
            Some(Half::L) => ", amplifier L",
            Some(Half::U) => ", amplifier U",
        }
    }

    /// Row and column of the image of a drawn pixel.
    pub fn original(&self, row: usize, col: usize) -> (usize, usize) {
        match self.turned {
            None => (self.origin.0 + row, self.origin.1 + col),
            Some(Half::L) => (self.origin.0 + col, self.origin.1 + row),
            Some(Half::U) => (self.origin.0 + col, self.origin.1 + self.width - 1 - row),
        }
    }

    /// Place of the first drawn pixel on the axes: row, column. Turned images are counted from 0.
    pub fn start(&self) -> (usize, usize) {
        if self.turned.is_some() { (0, 0) } else { self.origin }
    }

    /// Whether rows and columns are exchanged.
    pub fn is_turned(&self) -> bool {
        self.turned.is_some()
    }

    /// Whether a drawn pixel counts: finite, not masked, in no hot column.
    pub fn counts(&self, row: usize, col: usize) -> bool {
        self.values[[row, col]].is_finite()
            && !self.mask.as_ref().is_some_and(|m| m[[row, col]])
            && !self.hot.contains(&self.original(row, col).1)
    }

    /// Values of all pixels that count, as measured.
    pub fn kept(&self) -> Vec<f64> {
        self.measured.indexed_iter().filter(|((r, c), _)| self.counts(*r, *c)).map(|(_, q)| *q).collect()
    }
}
