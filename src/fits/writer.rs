//! Writing images: header cards and pixels (BITPIX −64, −32, or 8 for bit masks), as a primary HDU and image extensions.
//!
//! The layout is written directly (FITS 4.0, sections 3.3, 4.4 and 7.1): blocks of 2880 bytes, big-endian pixels, each
//! HDU with its `DATASUM` and `CHECKSUM`. NaN stands for missing pixels.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

use ndarray::Array2;
use rayon::prelude::*;

use super::cards::{CARD, format_card};
use super::error::FitsError;
use super::header::{Card, Header};
use crate::atomic_file::AtomicFile;

/// FITS files consist of blocks of this many bytes.
const BLOCK: usize = 2880;

/// Pixels that are turned into bytes at a time: both copies fit the cache.
const PIECE: usize = 1 << 16;

/// A FITS file to be: images with their headers, in order.
#[derive(Debug, Default)]
pub struct FitsWriter<'a> {
    hdus: Vec<(Header, Pixels<'a>, Option<usize>)>,
}

/// The pixels of an HDU, `[row, col]`.
#[derive(Debug)]
enum Pixels<'a> {
    Real(Cow<'a, Array2<f64>>),
    Single(Array2<f32>),
    Bytes(Cow<'a, Array2<u8>>),
}

impl<'a> FitsWriter<'a> {
    /// A file without HDUs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends an image (`[row, col]`); the first one becomes the primary HDU. Structural cards are added, the header
    /// must not hold any.
    pub fn push(&mut self, header: Header, pixels: Cow<'a, Array2<f64>>) {
        self.hdus.push((header, Pixels::Real(pixels), None));
    }

    /// Appends an image in single precision (`[row, col]`, BITPIX −32), rounded to the nearest such number.
    pub fn push_single(&mut self, header: Header, pixels: &Array2<f64>) {
        self.hdus.push((header, Pixels::Single(pixels.mapv(|x| x as f32)), None));
    }

    /// Appends a stack of `planes` images of equal size, one below the other in `pixels`, as an image with three axes
    /// (plane, row, column). Without planes, or if the rows cannot be divided among them, it is a plain image.
    pub fn push_stack(&mut self, header: Header, pixels: Cow<'a, Array2<f64>>, planes: usize) {
        let divides = planes > 0 && pixels.nrows().is_multiple_of(planes);
        self.hdus.push((header, Pixels::Real(pixels), divides.then_some(planes)));
    }

    /// Appends an image of bytes (`[row, col]`, BITPIX 8): masks and their bits.
    pub fn push_bytes(&mut self, header: Header, pixels: Cow<'a, Array2<u8>>) {
        self.hdus.push((header, Pixels::Bytes(pixels), None));
    }

    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Writing to memory does not fail.
        let _ = self.write_to(&mut bytes);
        bytes
    }

    /// Writes the file, bzip2-compressed if asked for. It appears complete or not at all.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn write(&self, path: &Path, bzip2: bool) -> Result<(), FitsError> {
        let error = |source| FitsError::Io { action: "writing".to_owned(), source };
        let mut file = AtomicFile::create(path).map_err(error)?;
        if bzip2 {
            let mut encoder = bzip2::write::BzEncoder::new(file, bzip2::Compression::default());
            self.write_to(&mut encoder).map_err(error)?;
            file = encoder.finish().map_err(error)?;
        } else {
            self.write_to(&mut file).map_err(error)?;
        }
        file.commit().map_err(error)
    }

    /// Writes the HDUs in order. The pixels are turned into bytes piece by piece: memory does not grow with the image.
    fn write_to(&self, out: &mut (impl Write + Send)) -> io::Result<()> {
        let several = self.hdus.len() > 1;
        for (position, (header, pixels, planes)) in self.hdus.iter().enumerate() {
            let (shape, bitpix, mut data): (_, _, Vec<u8>) = match pixels {
                Pixels::Real(pixels) => {
                    let (rows, cols) = pixels.dim();
                    let pixels = pixels.as_standard_layout();
                    let pixels = pixels.as_slice().unwrap_or_default();
                    let sum = pixels.par_chunks(PIECE).map(sum_of_reals).reduce(|| 0, add);
                    out.write_all(&header_bytes(position, several, header, (rows, cols), -64, *planes, sum))?;
                    write_reals(pixels, out)?;
                    continue;
                }
                Pixels::Single(pixels) => (pixels.dim(), -32, pixels.iter().flat_map(|x| x.to_be_bytes()).collect()),
                Pixels::Bytes(pixels) => (pixels.dim(), 8, pixels.iter().copied().collect()),
            };
            data.resize(data.len().next_multiple_of(BLOCK), 0);
            out.write_all(&header_bytes(position, several, header, shape, bitpix, *planes, checksum(&data)))?;
            out.write_all(&data)?;
        }
        Ok(())
    }
}

/// Writes pixels as big-endian doubles, filled up to whole blocks; the next piece is encoded while one is written.
fn write_reals(pixels: &[f64], out: &mut (impl Write + Send)) -> io::Result<()> {
    let encode = |piece: &[f64], bytes: &mut Vec<u8>| {
        bytes.resize(piece.len() * 8, 0);
        bytes.chunks_exact_mut(8).zip(piece).for_each(|(bytes, x)| bytes.copy_from_slice(&x.to_be_bytes()));
    };
    let (mut ready, mut next) = (Vec::new(), Vec::new());
    for piece in pixels.chunks(PIECE) {
        let (written, ()) = rayon::join(|| out.write_all(&ready), || encode(piece, &mut next));
        written?;
        std::mem::swap(&mut ready, &mut next);
    }
    out.write_all(&ready)?;
    let length = pixels.len() * 8;
    out.write_all(&vec![0; length.next_multiple_of(BLOCK) - length])
}

/// The checksum of pixels as they are stored.
fn sum_of_reals(pixels: &[f64]) -> u32 {
    let halves = pixels.iter().map(|x| x.to_bits()).map(|bits| (bits >> 32) + (bits & 0xffff_ffff));
    fold(halves.sum())
}

/// The header of an HDU in whole blocks, with the checksums of its data and of all of it.
fn header_bytes(
    position: usize,
    several: bool,
    header: &Header,
    (rows, cols): (usize, usize),
    bitpix: i64,
    planes: Option<usize>,
    data_sum: u32,
) -> Vec<u8> {
    let mut structural = vec![
        if position == 0 {
            Card::new("SIMPLE", true, "conforms to the FITS standard")
        } else {
            Card::new("XTENSION", "IMAGE", "image extension")
        },
        Card::new(
            "BITPIX",
            bitpix,
            match bitpix {
                8 => "unsigned 8-bit integers",
                -32 => "32-bit floating point",
                _ => "64-bit floating point",
            },
        ),
        Card::new("NAXIS", if planes.is_some() { 3 } else { 2 }, "number of axes"),
        Card::new("NAXIS1", cols, "columns"),
        Card::new("NAXIS2", rows / planes.unwrap_or(1), "rows"),
    ];
    structural.extend(planes.map(|n| Card::new("NAXIS3", n, "images")));
    if position > 0 {
        structural.push(Card::new("PCOUNT", 0, "no group parameters"));
        structural.push(Card::new("GCOUNT", 1, "one group"));
    } else if several {
        structural.push(Card::new("EXTEND", true, "there are extensions"));
    }
    let mut bytes = Vec::new();
    structural.iter().chain(header.cards()).for_each(|card| format_card(card, &mut bytes));
    format_card(&Card::new("DATASUM", data_sum.to_string(), "checksum of the data"), &mut bytes);
    let place = bytes.len() + 11;
    format_card(&Card::new("CHECKSUM", "0000000000000000", "checksum of the HDU"), &mut bytes);
    let mut end = b"END".to_vec();
    end.resize(CARD, b' ');
    bytes.extend_from_slice(&end);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), b' ');
    let whole = add(checksum(&bytes), data_sum);
    bytes[place..place + 16].copy_from_slice(&encode_checksum(whole));
    bytes
}

/// The 32-bit ones'-complement sum of big-endian words (FITS 4.0, appendix J). The length must be a multiple of 4.
pub fn checksum(bytes: &[u8]) -> u32 {
    let sum: u64 = bytes.chunks_exact(4).map(|w| u64::from(u32::from_be_bytes([w[0], w[1], w[2], w[3]]))).sum();
    fold(sum)
}

/// The sum of two checksums.
pub fn add(a: u32, b: u32) -> u32 {
    fold(u64::from(a) + u64::from(b))
}

/// Carries of a 64-bit sum added back into 32 bits.
fn fold(mut sum: u64) -> u32 {
    while sum >> 32 != 0 {
        sum = (sum & 0xffff_ffff) + (sum >> 32);
    }
    sum as u32
}

/// The complement of a checksum as 16 printable characters, rotated to the place of the `CHECKSUM` value in its card
/// (FITS 4.0, appendix J).
fn encode_checksum(sum: u32) -> [u8; 16] {
    const OFFSET: i32 = 0x30;
    let excluded = |c: i32| (0x3a..=0x40).contains(&c) || (0x5b..=0x60).contains(&c);
    let mut text = [0u8; 16];
    for (i, byte) in (!sum).to_be_bytes().into_iter().enumerate() {
        let (quotient, remainder) = (i32::from(byte) / 4 + OFFSET, i32::from(byte) % 4);
        let mut letters = [quotient + remainder, quotient, quotient, quotient];
        // Punctuation is avoided by moving two letters in opposite directions, which keeps their sum.
        while letters.iter().any(|c| excluded(*c)) {
            for pair in [0, 2] {
                if excluded(letters[pair]) || excluded(letters[pair + 1]) {
                    letters[pair] += 1;
                    letters[pair + 1] -= 1;
                }
            }
        }
        for (j, letter) in letters.into_iter().enumerate() {
            text[(4 * j + i + 1) % 16] = letter as u8;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fits::{CardValue, FitsInput};

    fn header() -> Header {
        let mut header = Header::new();
        header.set(Card::new("EXTNAME", "MEAN", "name"));
        header.set(Card::new("NDCM", 1, "skips"));
        header.set(Card::new("PSSIGEXT1", 0.25, "a long name"));
        header.set(Card::new("MEGAIN1", f64::NAN, "not fitted"));
        header.push(Card::history("x".repeat(200)));
        header
    }

    #[test]
    fn images_and_cards_come_back_as_written() {
        let dir = tempfile::tempdir().unwrap();
        let mut pixels = Array2::from_shape_fn((3, 5), |(r, c)| r as f64 - 0.1 * c as f64);
        pixels[[1, 1]] = f64::NAN;
        for bzip2 in [false, true] {
            let path = dir.path().join("a.fits");
            let mut writer = FitsWriter::new();
            writer.push(header(), Cow::Borrowed(&pixels));
            writer.push(Header::new(), Cow::Owned(Array2::ones((2, 2))));
            writer.push_bytes(Header::new(), Cow::Owned(Array2::from_elem((3, 1), 255)));
            writer.push_single(Header::new(), &pixels);
            writer.write(&path, bzip2).unwrap();
            let input = FitsInput::open(&path).unwrap();
            let back = input.read_image(0).unwrap();
            assert!(back.iter().zip(&pixels).all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())));
            assert_eq!(input.read_image(1).unwrap(), Array2::<f64>::ones((2, 2)));
            assert_eq!(input.read_image(2).unwrap(), Array2::from_elem((3, 1), 255.0));
            assert_eq!(input.header(3).unwrap().number("BITPIX"), Some(-32.0));
            let single = input.read_image(3).unwrap();
            let nearest = |x: f64| f64::from(x as f32);
            assert!(single.iter().zip(&pixels).all(|(a, b)| *a == nearest(*b) || (a.is_nan() && b.is_nan())));
            let read = input.header(0).unwrap();
            assert_eq!(read.text("EXTNAME").unwrap(), "MEAN");
            assert_eq!(read.number("PSSIGEXT1"), Some(0.25));
            assert_eq!(read.value("MEGAIN1"), Some(&CardValue::Undefined));
            let history: String =
                read.cards().iter().filter(|c| c.keyword == "HISTORY").map(|c| c.comment.as_str()).collect();
            assert_eq!(history, "x".repeat(200));
        }
    }

    #[test]
    fn an_hdu_with_its_checksum_sums_to_minus_zero() {
        for seed in 0..200u32 {
            let pixels = Array2::from_shape_fn((2, 3), |(r, c)| f64::from(seed) * 1.7 + (r * 7 + c) as f64);
            let flags = pixels.mapv(|x| x as u8);
            for pixels in [
                Pixels::Real(Cow::Borrowed(&pixels)),
                Pixels::Single(pixels.mapv(|x| x as f32)),
                Pixels::Bytes(Cow::Borrowed(&flags)),
            ] {
                let bytes = FitsWriter { hdus: vec![(header(), pixels, None)] }.to_bytes();
                assert_eq!(bytes.len() % BLOCK, 0);
                assert_eq!(checksum(&bytes), u32::MAX, "FITS 4.0 appendix J: all ones");
            }
        }
    }

    /// More pixels than one piece holds, rows that are not contiguous, and an empty image: bytes as written one by one.
    #[test]
    fn pieces_join_without_a_seam() {
        let wide = Array2::from_shape_fn((257, 600), |(r, c)| (r * 1000 + c) as f64 - 0.25);
        let turned = wide.clone().reversed_axes();
        for pixels in [wide, turned, Array2::zeros((0, 5))] {
            let mut writer = FitsWriter::new();
            writer.push(header(), Cow::Borrowed(&pixels));
            let bytes = writer.to_bytes();
            let data: Vec<u8> = pixels.iter().flat_map(|x| x.to_be_bytes()).collect();
            let start = bytes.len() - data.len().next_multiple_of(BLOCK);
            assert_eq!(bytes[start..start + data.len()], data);
            assert!(bytes[start + data.len()..].iter().all(|byte| *byte == 0));
            assert_eq!((bytes.len() % BLOCK, checksum(&bytes)), (0, u32::MAX));
        }
    }
}
