//! An amplifier and the regions of the image that it reads (spec 01 §4.8).

use std::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2, Axis, Slice};

/// A rectangle of pixels: half-open ranges of rows and columns of the stored image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Region {
    /// Rows, end excluded.
    pub rows: Range<usize>,
    /// Columns, end excluded.
    pub cols: Range<usize>,
}

impl Region {
    /// The rectangle `rows` × `cols`.
    pub fn new(rows: Range<usize>, cols: Range<usize>) -> Self {
        Self { rows, cols }
    }

    /// Whether the pixel lies inside.
    pub fn contains(&self, row: usize, col: usize) -> bool {
        self.rows.contains(&row) && self.cols.contains(&col)
    }

    /// The pixels of this region in an image that holds it.
    pub fn view<'a, T>(&self, image: impl Into<ArrayView2<'a, T>>) -> ArrayView2<'a, T> {
        let mut view = image.into();
        view.slice_axis_inplace(Axis(0), Slice::from(self.rows.clone()));
        view.slice_axis_inplace(Axis(1), Slice::from(self.cols.clone()));
        view
    }

    /// The pixels of this region in an image that holds it, to be changed.
    pub fn view_mut<'a, T>(&self, image: impl Into<ArrayViewMut2<'a, T>>) -> ArrayViewMut2<'a, T> {
        let mut view = image.into();
        view.slice_axis_inplace(Axis(0), Slice::from(self.rows.clone()));
        view.slice_axis_inplace(Axis(1), Slice::from(self.cols.clone()));
        view
    }

    /// Number of pixels.
    pub fn len(&self) -> usize {
        self.rows.len() * self.cols.len()
    }

    /// Whether there is no pixel inside.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Where the amplifier sits in its extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The only amplifier of the extension.
    Single,
    /// Left half of a two-amplifier image, read from column 0 on.
    L,
    /// Right half of a two-amplifier image, stored mirrored: its first pixel read is the last column.
    U,
}

/// One output stage and the pixels it reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amplifier {
    /// Name in parameters, files and branches: `EXT<n>`, `U`, `L`, or `amp_name`.
    pub name: String,
    /// Other names under which per-amplifier parameters are looked up.
    pub aliases: Vec<String>,
    /// HDU of the extension.
    pub hdu: usize,
    /// Position in its extension.
    pub side: Side,
    /// Everything it reads.
    pub full: Region,
    /// Prescan columns, all rows of the amplifier.
    pub prescan: Region,
    /// Overscan columns, all rows of the amplifier.
    pub overscan: Region,
    /// Active pixels: no prescan, no overscan.
    pub active: Region,
}

impl Amplifier {
    /// An amplifier that reads a whole image of `rows` × `cols` pixels, without prescan or overscan.
    pub fn whole_image(name: &str, hdu: usize, rows: usize, cols: usize) -> Self {
        Self {
            name: name.into(),
            aliases: Vec::new(),
            hdu,
            side: Side::Single,
            full: Region::new(0..rows, 0..cols),
            prescan: Region::new(0..rows, 0..0),
            overscan: Region::new(0..rows, cols..cols),
            active: Region::new(0..rows, 0..cols),
        }
    }

    /// Name used in header cards: without a leading `EXT` (`EXT1` → `1`).
    pub fn short_name(&self) -> &str {
        match self.name.strip_prefix("EXT") {
            Some(rest) if !rest.is_empty() => rest,
            _ => &self.name,
        }
    }

    /// Name, then aliases: the order in which per-amplifier parameters are looked up.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        std::iter::once(self.name.as_str()).chain(self.aliases.iter().map(String::as_str))
    }

    /// Column counted from the first one that this amplifier reads (for `U` from the right edge).
    pub fn readout_column(&self, col: usize) -> usize {
        match self.side {
            Side::U => self.full.cols.end - 1 - col,
            _ => col - self.full.cols.start,
        }
    }
}
