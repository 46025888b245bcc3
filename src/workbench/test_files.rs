//! Small FITS files for the tests of the tools.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use ndarray::Array2;

use crate::fits::{Card, FitsWriter, Header};

/// An image from a function of row and column.
pub fn image(rows: usize, cols: usize, value: impl Fn(usize, usize) -> f64) -> Array2<f64> {
    Array2::from_shape_fn((rows, cols), |(r, c)| value(r, c))
}

/// A file with one image and these cards.
pub fn with_cards(folder: &Path, name: &str, pixels: &Array2<f64>, cards: &[Card]) -> PathBuf {
    extensions(folder, name, &[("", pixels, cards)])
}

/// A file with images: EXTNAME, pixels, further cards.
pub fn extensions(folder: &Path, name: &str, images: &[(&str, &Array2<f64>, &[Card])]) -> PathBuf {
    let mut writer = FitsWriter::new();
    for (extname, pixels, cards) in images {
        let mut header = Header::new();
        if !extname.is_empty() {
            header.push(Card::new("EXTNAME", *extname, ""));
        }
        cards.iter().for_each(|card| header.push(card.clone()));
        writer.push(header, Cow::Borrowed(*pixels));
    }
    let path = folder.join(name);
    writer.write(&path, false).unwrap();
    path
}
