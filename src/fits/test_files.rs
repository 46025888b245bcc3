//! Files for the tests: the real image where it is available, and FITS files with any kind of pixels.

use std::path::{Path, PathBuf};

use super::cards::{CARD, format_card};
use super::header::{Card, Header};

pub(crate) use crate::stats::test_data::{REAL_IMAGE as REAL, path as test_data};

/// Stored pixels.
#[derive(Debug, Clone)]
pub(crate) enum Stored {
    U8(Vec<u8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl Stored {
    fn bitpix(&self) -> i64 {
        match self {
            Self::U8(_) => 8,
            Self::I16(_) => 16,
            Self::I32(_) => 32,
            Self::I64(_) => 64,
            Self::F32(_) => -32,
            Self::F64(_) => -64,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::U8(x) => x.clone(),
            Self::I16(x) => x.iter().flat_map(|v| v.to_be_bytes()).collect(),
            Self::I32(x) => x.iter().flat_map(|v| v.to_be_bytes()).collect(),
            Self::I64(x) => x.iter().flat_map(|v| v.to_be_bytes()).collect(),
            Self::F32(x) => x.iter().flat_map(|v| v.to_be_bytes()).collect(),
            Self::F64(x) => x.iter().flat_map(|v| v.to_be_bytes()).collect(),
        }
    }
}

/// One HDU: axes in FITS order (columns first), pixels, further cards.
#[derive(Debug, Clone)]
pub(crate) struct TestHdu {
    pub axes: Vec<usize>,
    pub pixels: Stored,
    pub cards: Vec<Card>,
}

impl TestHdu {
    /// An image of `rows` × `cols`.
    pub(crate) fn image(rows: usize, cols: usize, pixels: Stored) -> Self {
        Self { axes: vec![cols, rows], pixels, cards: Vec::new() }
    }

    /// An HDU without data.
    pub(crate) fn empty() -> Self {
        Self { axes: Vec::new(), pixels: Stored::U8(Vec::new()), cards: Vec::new() }
    }

    /// With another card.
    pub(crate) fn card(mut self, keyword: &str, value: impl Into<super::CardValue>) -> Self {
        self.cards.push(Card::new(keyword, value, ""));
        self
    }

    /// With a card that has a comment.
    pub(crate) fn commented(mut self, keyword: &str, value: impl Into<super::CardValue>, comment: &str) -> Self {
        self.cards.push(Card::new(keyword, value, comment));
        self
    }
}

/// The bytes of a header with these cards.
pub(crate) fn header_bytes(cards: &[Card]) -> Vec<u8> {
    let mut bytes = Vec::new();
    cards.iter().for_each(|card| format_card(card, &mut bytes));
    let mut end = b"END".to_vec();
    end.resize(CARD, b' ');
    bytes.extend(end);
    bytes.resize(bytes.len().next_multiple_of(2880), b' ');
    bytes
}

/// A FITS file.
pub(crate) fn fits_bytes(hdus: &[TestHdu]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (i, hdu) in hdus.iter().enumerate() {
        let mut header = Header::new();
        header.push(if i == 0 { Card::new("SIMPLE", true, "") } else { Card::new("XTENSION", "IMAGE", "") });
        header.push(Card::new("BITPIX", hdu.pixels.bitpix(), ""));
        header.push(Card::new("NAXIS", hdu.axes.len(), ""));
        for (axis, length) in hdu.axes.iter().enumerate() {
            header.push(Card::new(format!("NAXIS{}", axis + 1), *length, ""));
        }
        if i > 0 {
            header.push(Card::new("PCOUNT", 0, ""));
            header.push(Card::new("GCOUNT", 1, ""));
        }
        hdu.cards.iter().for_each(|card| header.push(card.clone()));
        bytes.extend(header_bytes(header.cards()));
        bytes.extend(hdu.pixels.bytes());
        bytes.resize(bytes.len().next_multiple_of(2880), 0);
    }
    bytes
}

/// Writes a file into a directory.
pub(crate) fn write_file(directory: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}
