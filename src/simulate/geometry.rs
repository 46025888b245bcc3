//! Where a pixel of the CCD goes: physical pixels → binned pixels → amplifier and readout column → image column → file
//! column (spec 07 §8.5).
//!
//! ```text
//! one line of an amplifier, in readout order:  prescan | active | overscan
//! single, acm:  image column C = readout column c
//! dual:         | L: C = c                | U: C = 2·line − 1 − c |
//! ```
//!
//! L reads the left half of the CCD from the left edge, U the right half from the right edge. In the file the U half is
//! the mirror image in time: its samples of one pixel stand in reverse order.

use super::config::Layout;

/// Names of the extensions of the `acm` layout.
pub const ACM_EXTENSIONS: [&str; 4] = ["CCD_A", "CCD_B", "CCD_D", "CCD_C"];

/// Shape of the image and of the CCD behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Geometry {
    /// Amplifiers and extensions.
    pub layout: Layout,
    /// Rows before the active ones, image pixels.
    pub prescan_rows: usize,
    /// Active rows, image pixels.
    pub active_rows: usize,
    /// Rows after the active ones, image pixels.
    pub overscan_rows: usize,
    /// Prescan pixels of a line of one amplifier.
    pub prescan: usize,
    /// Active pixels of a line of one amplifier (binned).
    pub active: usize,
    /// Overscan pixels of a line of one amplifier.
    pub overscan: usize,
    /// Binning of rows.
    pub npbin: usize,
    /// Binning of columns.
    pub nsbin: usize,
    /// Rows of the CCD (unbinned).
    pub phys_rows: usize,
    /// Active rows that are read (unbinned).
    pub read_rows: usize,
    /// Active columns of the CCD (unbinned).
    pub phys_cols: usize,
    /// Samples per pixel.
    pub skips: usize,
}

/// A pixel of an amplifier: row and column in the order of readout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReadoutPixel {
    /// Amplifier within the CCD: 0, or 1 for U.
    pub amplifier: usize,
    /// Image row.
    pub row: usize,
    /// Readout column, from 0.
    pub col: usize,
}

impl Geometry {
    /// Extensions with an image, i.e. CCDs.
    pub fn extensions(&self) -> usize {
        if self.layout == Layout::Acm { ACM_EXTENSIONS.len() } else { 1 }
    }

    /// Amplifiers that read one CCD.
    pub fn amplifiers_per_extension(&self) -> usize {
        if self.layout == Layout::Dual { 2 } else { 1 }
    }

    /// All amplifiers; number `ext · amplifiers_per_extension + amplifier`.
    pub fn amplifiers(&self) -> usize {
        self.extensions() * self.amplifiers_per_extension()
    }

    /// Name of an amplifier (by its number) as in the truth files: `L`, `U`, or the extension's name.
    pub fn amplifier_name(&self, number: usize) -> &'static str {
        match self.layout {
            Layout::Acm => ACM_EXTENSIONS[number],
            _ if number == 1 => "U",
            _ => "L",
        }
    }

    /// Image rows.
    pub fn rows(&self) -> usize {
        self.prescan_rows + self.active_rows + self.overscan_rows
    }

    /// Pixels of a line of one amplifier.
    pub fn line(&self) -> usize {
        self.prescan + self.active + self.overscan
    }

    /// Image columns of one extension.
    pub fn cols(&self) -> usize {
        self.line() * self.amplifiers_per_extension()
    }

    /// Active readout columns of a line.
    pub fn active_cols(&self) -> std::ops::Range<usize> {
        self.prescan..self.prescan + self.active
    }

    /// Whether an image row holds pixels of the CCD (no prescan, no overscan row).
    pub fn is_active_row(&self, row: usize) -> bool {
        (self.prescan_rows..self.prescan_rows + self.active_rows).contains(&row)
    }

    /// Image column of a readout column.
    pub fn image_col(&self, amplifier: usize, col: usize) -> usize {
        if amplifier == 1 { 2 * self.line() - 1 - col } else { col }
    }

    /// Amplifier (within the CCD) and readout column of an image column.
    pub fn readout_col(&self, image_col: usize) -> (usize, usize) {
        if image_col < self.line() { (0, image_col) } else { (1, 2 * self.line() - 1 - image_col) }
    }

    /// Where the charge of a physical pixel appears when the readout has already advanced by `shift` image rows; `None`
    /// if it is not read.
    pub fn place(&self, phys_row: usize, phys_col: usize, shift: usize) -> Option<ReadoutPixel> {
        if phys_row >= self.phys_rows || phys_col >= self.phys_cols {
            return None;
        }
        let row = (self.prescan_rows + phys_row / self.npbin).checked_add(shift)?;
        if row >= self.rows() {
            return None;
        }
        let binned = phys_col / self.nsbin;
        let (amplifier, active) = if binned < self.active { (0, binned) } else { (1, 2 * self.active - 1 - binned) };
        Some(ReadoutPixel { amplifier, row, col: self.prescan + active })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry(layout: Layout) -> Geometry {
        Geometry {
            layout,
            prescan_rows: 0,
            active_rows: 4,
            overscan_rows: 1,
            prescan: 1,
            active: 6,
            overscan: 3,
            npbin: 1,
            nsbin: 1,
            phys_rows: 4,
            read_rows: 4,
            phys_cols: if layout == Layout::Dual { 12 } else { 6 },
            skips: 2,
        }
    }

    /// Regions of spec 01 §4.8, test "2 amp, 20, 12, 1, 1": L prescan 0:1, active 1:7; U active 13:19, prescan 19:20.
    #[test]
    fn two_amplifiers_read_the_halves_from_their_edges() {
        let g = geometry(Layout::Dual);
        assert_eq!(g.cols(), 20);
        let image_col = |phys_col| {
            let p = g.place(0, phys_col, 0).unwrap();
            (p.amplifier, g.image_col(p.amplifier, p.col))
        };
        assert_eq!([image_col(0), image_col(5)], [(0, 1), (0, 6)]);
        assert_eq!([image_col(6), image_col(11)], [(1, 13), (1, 18)]);
        for col in 0..20 {
            let (amplifier, readout) = g.readout_col(col);
            assert_eq!(g.image_col(amplifier, readout), col);
        }
    }

    #[test]
    fn charge_is_binned_shifted_by_the_readout_and_lost_beyond_the_last_row() {
        let mut g = geometry(Layout::Single);
        assert_eq!(g.place(3, 5, 1), Some(ReadoutPixel { amplifier: 0, row: 4, col: 6 }));
        assert_eq!(g.place(3, 5, 2), None);
        assert_eq!(g.place(4, 0, 0), None);
        assert_eq!(g.place(0, 6, 0), None);
        (g.npbin, g.nsbin, g.active_rows, g.active) = (2, 3, 2, 2);
        assert_eq!(g.place(3, 5, 0), Some(ReadoutPixel { amplifier: 0, row: 1, col: 2 }));
    }
}
