//! A FITS file of known shape that is filled in any order.
//!
//! All headers and the size of every data unit are known before the first pixel: headers are written at once, and rows go
//! to their places by positioned writes, from several threads and in any order. Nothing of the image is kept in memory.
//! The file has a temporary name until it is finished.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::error::{Result, SimulateError};
use crate::atomic_file::temporary_name;
use crate::fits::{Card, format_card};

const BLOCK: u64 = 2880;

/// Type of the values of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PixelType {
    /// 8-bit unsigned integers.
    U8,
    /// 16-bit integers, stored minus 32768.
    U16,
    /// 32-bit integers.
    I32,
    /// 32-bit integers, stored minus 2147483648.
    U32,
    /// 32-bit floats.
    F32,
    /// 64-bit floats.
    F64,
}

impl PixelType {
    fn bitpix(self) -> i64 {
        match self {
            Self::U8 => 8,
            Self::U16 => 16,
            Self::I32 | Self::U32 => 32,
            Self::F32 => -32,
            Self::F64 => -64,
        }
    }

    fn bzero(self) -> Option<i64> {
        match self {
            Self::U16 => Some(1 << 15),
            Self::U32 => Some(1 << 31),
            _ => None,
        }
    }

    /// Bytes of a value.
    pub fn bytes(self) -> u64 {
        self.bitpix().unsigned_abs() / 8
    }
}

/// One HDU: its image, if it has one, and its cards.
#[derive(Debug, Clone)]
pub struct Hdu {
    /// Type, columns and rows; `None`: no data.
    pub image: Option<(PixelType, usize, usize)>,
    /// EXTNAME and EXTVER (0: none).
    pub name: Option<(String, i64)>,
    /// Further cards.
    pub cards: Vec<Card>,
}

impl Hdu {
    /// Bytes of its data.
    pub fn bytes(&self) -> u64 {
        self.image.map_or(0, |(kind, cols, rows)| kind.bytes() * cols as u64 * rows as u64)
    }
}

/// A FITS file under construction.
#[derive(Debug)]
pub struct FitsFile {
    file: Option<File>,
    temporary: PathBuf,
    target: PathBuf,
    /// Start of the data, bytes per row, by HDU.
    places: Vec<(u64, u64)>,
}

impl FitsFile {
    /// Creates the file with these HDUs, all pixels zero (stored).
    pub fn create(target: &Path, hdus: &[Hdu]) -> Result<Self> {
        let failed = |source| SimulateError::Write { path: target.to_owned(), source };
        let mut offset = 0;
        let mut places = Vec::with_capacity(hdus.len());
        let mut headers = Vec::with_capacity(hdus.len());
        for (i, hdu) in hdus.iter().enumerate() {
            let header = header(hdu, i == 0, hdus.len() > 1);
            let start = offset + header.len() as u64;
            let (row, rows) = hdu.image.map_or((0, 0), |(kind, cols, rows)| (cols as u64 * kind.bytes(), rows as u64));
            places.push((start, row));
            headers.push((offset, header));
            offset = start + (row * rows).next_multiple_of(BLOCK);
        }
        let temporary = temporary_name(target);
        let file = File::create_new(&temporary).map_err(failed)?;
        let created = Self { file: Some(file), temporary, target: target.to_owned(), places };
        created.file.as_ref().map_or(Ok(()), |f| f.set_len(offset)).map_err(failed)?;
        for (offset, header) in headers {
            created.write_at(&header, offset)?;
        }
        Ok(created)
    }

    /// Writes big-endian values of a row, from column `first` (in values of `size` bytes) on.
    pub fn write_row(&self, hdu: usize, row: usize, first: usize, size: usize, bytes: &[u8]) -> Result<()> {
        let (start, row_bytes) = self.places[hdu];
        self.write_at(bytes, start + row as u64 * row_bytes + (first * size) as u64)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let file = self.file.as_ref().ok_or_else(|| io::Error::other("the file is finished"));
        file.and_then(|file| write_all_at(file, bytes, offset))
            .map_err(|source| SimulateError::Write { path: self.target.clone(), source })
    }

    /// Gives the file its name, replacing an older one.
    pub fn finish(mut self) -> Result<()> {
        self.file = None;
        fs::rename(&self.temporary, &self.target)
            .map_err(|source| SimulateError::Write { path: self.target.clone(), source })
    }

    /// Like [`FitsFile::finish`], but compresses the file with gzip on the way (without time or name: the same content
    /// gives the same bytes).
    pub fn finish_gzip(mut self) -> Result<()> {
        self.file = None;
        let failed = |source| SimulateError::Write { path: self.target.clone(), source };
        let compressed = temporary_name(&self.target);
        let pack = || -> io::Result<()> {
            let output = File::create_new(&compressed)?;
            let mut encoder = flate2::write::GzEncoder::new(io::BufWriter::new(output), flate2::Compression::best());
            io::copy(&mut File::open(&self.temporary)?, &mut encoder)?;
            io::Write::flush(&mut encoder.finish()?)?;
            fs::rename(&compressed, &self.target)
        };
        let result = pack().map_err(failed);
        for path in [&self.temporary, &compressed] {
            // After the renaming only the uncompressed one is left.
            let _ = fs::remove_file(path);
        }
        result
    }
}

impl Drop for FitsFile {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // Nothing more can be done if the temporary file cannot be removed.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(windows)]
fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[written..];
        offset += written as u64;
    }
    Ok(())
}

/// The header of an HDU, padded to whole blocks.
fn header(hdu: &Hdu, primary: bool, extended: bool) -> Vec<u8> {
    let mut cards = Vec::new();
    if primary {
        cards.push(Card::new("SIMPLE", true, "file conforms to the FITS standard"));
    } else {
        cards.push(Card::new("XTENSION", "IMAGE", "image extension"));
    }
    let (kind, axes) = match hdu.image {
        Some((kind, cols, rows)) => (kind, vec![cols, rows]),
        None => (PixelType::U8, Vec::new()),
    };
    cards.push(Card::new("BITPIX", kind.bitpix(), "bits per value"));
    cards.push(Card::new("NAXIS", axes.len(), "number of axes"));
    for (i, length) in axes.iter().enumerate() {
        cards.push(Card::new(format!("NAXIS{}", i + 1), *length, ""));
    }
    if primary && extended {
        cards.push(Card::new("EXTEND", true, "there are extensions"));
    }
    if !primary {
        cards.push(Card::new("PCOUNT", 0, ""));
        cards.push(Card::new("GCOUNT", 1, ""));
    }
    if let Some(zero) = kind.bzero() {
        cards.push(Card::new("BSCALE", 1, ""));
        cards.push(Card::new("BZERO", zero, "unsigned integers"));
    }
    if let Some((name, version)) = &hdu.name {
        cards.push(Card::new("EXTNAME", name.as_str(), ""));
        if *version > 0 {
            cards.push(Card::new("EXTVER", *version, ""));
        }
    }
    cards.extend(hdu.cards.iter().cloned());
    let mut bytes = Vec::new();
    cards.iter().for_each(|card| format_card(card, &mut bytes));
    bytes.extend(format!("{:<80}", "END").bytes());
    bytes.resize(bytes.len().next_multiple_of(BLOCK as usize), b' ');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_can_be_written_in_any_order_and_nothing_is_left_of_an_abandoned_file() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a.fits");
        let hdus = [
            Hdu { image: None, name: None, cards: vec![Card::new("NDCM", 2, "")] },
            Hdu { image: Some((PixelType::U16, 3, 2)), name: Some(("CCD_A".into(), 0)), cards: Vec::new() },
        ];
        let file = FitsFile::create(&target, &hdus).unwrap();
        file.write_row(1, 1, 1, 2, &[1, 2, 3, 4]).unwrap();
        file.write_row(1, 0, 0, 2, &[9, 8]).unwrap();
        assert!(!target.exists());
        file.finish().unwrap();
        let bytes = fs::read(&target).unwrap();
        assert_eq!(bytes.len(), 3 * 2880);
        assert_eq!(bytes[5760..5772], [9, 8, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
        drop(FitsFile::create(&dir.path().join("b.fits"), &hdus).unwrap());
        FitsFile::create(&dir.path().join("c.fits.gz"), &hdus).unwrap().finish_gzip().unwrap();
        let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["a.fits", "c.fits.gz"]);
    }
}
