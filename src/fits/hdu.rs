//! The HDUs of a file: where they are, what they hold, and whether the file is long enough for what they promise.
//!
//! Nothing is allocated from a size that a header states before the size has been compared with the file.

use super::bytes::Bytes;
use super::cards::{CARD, parse_header};
use super::error::FitsError;
use super::header::{Card, CardValue, Header};
use super::writer::checksum;

/// FITS files are made of blocks of this many bytes.
pub(super) const BLOCK: u64 = 2880;

/// A header longer than this many bytes (a million cards) is taken for garbage.
const LONGEST_HEADER: u64 = 80_000_000;

/// How many times larger than its compressed bytes an image may be, once it has more than
/// [`TRUSTED_PIXELS`]: gzip reaches 1032 bytes per byte.
const HIGHEST_RATIO: u64 = 5000;

/// Compressed images up to this many pixels are believed.
const TRUSTED_PIXELS: u64 = 64 << 20;

/// What an HDU holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HduKind {
    /// An image (also one without data).
    Image,
    /// A tile-compressed image, stored in a binary table.
    CompressedImage,
    /// A table.
    Table,
    /// Something else.
    Other,
}

/// One HDU of a file.
#[derive(Debug, Clone)]
pub struct Hdu {
    /// Position in the file, from 0.
    pub index: usize,
    /// EXTNAME, if there is one.
    pub extname: Option<String>,
    /// What it holds.
    pub kind: HduKind,
    /// Lengths of the axes of the (uncompressed) image in FITS order: columns first. Empty: no data.
    pub axes: Vec<u64>,
    /// BITPIX of the (uncompressed) image.
    pub bitpix: i64,
    /// Compression algorithm (`ZCMPTYPE`).
    pub compression: Option<String>,
    /// Cards as stored.
    pub(super) stored: Header,
    /// First byte of the data.
    pub(super) data_offset: u64,
    /// Bytes of the data, without the padding to whole blocks.
    pub(super) data_bytes: u64,
    /// Sum of the header as stored, as `CHECKSUM` counts it.
    pub(super) header_sum: u32,
}

impl Hdu {
    /// Whether it holds a two-dimensional image: two axes, or more of which only two are longer than 1.
    pub fn is_plane(&self) -> bool {
        matches!(self.kind, HduKind::Image | HduKind::CompressedImage)
            && self.axes.len() >= 2
            && self.axes[0] > 0
            && self.axes[1] > 0
            && self.axes[2..].iter().all(|&n| n == 1)
    }

    /// Rows and columns, if it holds a two-dimensional image.
    pub fn plane_shape(&self) -> Option<(usize, usize)> {
        if !self.is_plane() {
            return None;
        }
        Some((usize::try_from(self.axes[1]).ok()?, usize::try_from(self.axes[0]).ok()?))
    }

    /// Index and name, e.g. `1 CCD_A`.
    pub fn title(&self) -> String {
        match &self.extname {
            Some(name) => format!("{} {name}", self.index),
            None => self.index.to_string(),
        }
    }

    /// What it holds, in words.
    pub fn describe(&self) -> String {
        match self.kind {
            HduKind::Table => "a table".into(),
            HduKind::Other => "of an unknown kind".into(),
            _ if self.axes.is_empty() => "empty (NAXIS 0)".into(),
            _ => {
                let axes: Vec<_> = self.axes.iter().rev().map(u64::to_string).collect();
                let compressed = self.compression.as_deref().map_or(String::new(), |z| format!(", {z}"));
                format!("an image of {} (BITPIX {}{compressed})", axes.join(" × "), self.bitpix)
            }
        }
    }
}

/// The HDUs of a file and what was odd about it.
pub(super) struct Scan {
    pub(super) hdus: Vec<Hdu>,
    /// The HDU in which the file ends too early, if it does.
    pub(super) truncated: Option<FitsError>,
    pub(super) warnings: Vec<String>,
}

/// Walks through the file from header to header.
///
/// # Errors
/// If not even the primary header can be read, or a structural keyword makes no sense.
pub(super) fn scan(bytes: &Bytes) -> Result<Scan, FitsError> {
    let mut scan = Scan { hdus: Vec::new(), truncated: None, warnings: Vec::new() };
    let mut offset = 0;
    while offset < bytes.len() {
        let index = scan.hdus.len();
        let stored = match read_header(bytes, offset, index)? {
            HeaderBytes::Complete(text) => {
                let length = text.len() as u64;
                (parse_header(&text), length, checksum(&text))
            }
            HeaderBytes::Cut(expected) => {
                let error = FitsError::Truncated { hdu: index, part: "header", expected, found: bytes.len() };
                if index == 0 {
                    return Err(error);
                }
                scan.truncated = Some(error);
                break;
            }
            HeaderBytes::NoHeader => {
                let rest = bytes.len() - offset;
                scan.warnings.push(format!("{rest} bytes after the last HDU are no FITS and were ignored"));
                break;
            }
        };
        let mut hdu = describe(index, stored.0, offset + stored.1)?;
        hdu.header_sum = stored.2;
        let end = hdu.data_offset.saturating_add(hdu.data_bytes);
        let padded = hdu.data_offset.saturating_add(hdu.data_bytes.div_ceil(BLOCK).saturating_mul(BLOCK));
        scan.hdus.push(hdu);
        if end > bytes.len() {
            scan.truncated =
                Some(FitsError::Truncated { hdu: index, part: "data", expected: padded, found: bytes.len() });
            break;
        }
        if padded > bytes.len() {
            scan.warnings.push(format!(
                "the last block of HDU {index} is incomplete ({padded} bytes expected, {} found); its data are complete",
                bytes.len()
            ));
        }
        offset = padded;
    }
    Ok(scan)
}

enum HeaderBytes {
    Complete(Vec<u8>),
    /// The file must have at least this many bytes.
    Cut(u64),
    NoHeader,
}

/// Reads blocks up to the one with the `END` card.
fn read_header(bytes: &Bytes, offset: u64, index: usize) -> Result<HeaderBytes, FitsError> {
    let mut text = Vec::new();
    loop {
        let at = offset + text.len() as u64;
        let left = bytes.len().saturating_sub(at);
        let start = text.len();
        let take = left.min(BLOCK) as usize;
        text.resize(start + take, 0);
        bytes.read_exact_at(&mut text[start..], at).map_err(|e| FitsError::io("reading a header", e))?;
        if start == 0 && index > 0 {
            let begin = &text[..take.min(8)];
            if take < 8 || begin != b"XTENSION" {
                return Ok(HeaderBytes::NoHeader);
            }
        }
        if (take as u64) < BLOCK {
            return Ok(HeaderBytes::Cut(at + BLOCK));
        }
        let is_end = |card: &[u8]| card.starts_with(b"END") && card[3..].iter().all(|&b| b == b' ');
        if text[start..].chunks_exact(CARD).any(is_end) {
            return Ok(HeaderBytes::Complete(text));
        }
        if text.len() as u64 > LONGEST_HEADER {
            return Err(bad(index, "END", "missing", "a header of a FITS file ends with it"));
        }
    }
}

fn bad(hdu: usize, keyword: &str, value: impl ToString, expected: impl Into<String>) -> FitsError {
    FitsError::BadKeyword { hdu, keyword: keyword.into(), value: value.to_string(), expected: expected.into() }
}

/// Value of an integer keyword that must be there.
fn required(header: &Header, hdu: usize, keyword: &str) -> Result<i64, FitsError> {
    match header.card(keyword) {
        None => Err(bad(hdu, keyword, "missing", "it is required here")),
        Some(card) => {
            card.value.as_i64().ok_or_else(|| bad(hdu, keyword, card.value.to_text(), "an integer was expected"))
        }
    }
}

/// Axes from `NAXIS` and `NAXISn` (or `ZNAXIS`, `ZNAXISn`).
fn axes(header: &Header, hdu: usize, prefix: &str) -> Result<Vec<u64>, FitsError> {
    let naxis = format!("{prefix}NAXIS");
    let n = required(header, hdu, &naxis)?;
    if !(0..=999).contains(&n) {
        return Err(bad(hdu, &naxis, n, "0 to 999 was expected"));
    }
    (1..=n)
        .map(|i| {
            let keyword = format!("{naxis}{i}");
            let length = required(header, hdu, &keyword)?;
            u64::try_from(length).map_err(|_| bad(hdu, &keyword, length, "a length cannot be negative"))
        })
        .collect()
}

fn check_bitpix(hdu: usize, keyword: &str, bitpix: i64) -> Result<i64, FitsError> {
    if matches!(bitpix, 8 | 16 | 32 | 64 | -32 | -64) {
        Ok(bitpix)
    } else {
        Err(bad(hdu, keyword, bitpix, "8, 16, 32, 64, -32 or -64 was expected"))
    }
}

/// Product of the axes; `None` if it overflows. No axes: no pixels.
fn pixels(axes: &[u64]) -> Option<u64> {
    if axes.is_empty() { Some(0) } else { axes.iter().try_fold(1u64, |product, &n| product.checked_mul(n)) }
}

/// Kind, shape and size of an HDU from its stored header.
fn describe(index: usize, stored: Header, data_offset: u64) -> Result<Hdu, FitsError> {
    let kind_text = if index == 0 { "IMAGE".to_owned() } else { stored.text("XTENSION").unwrap_or_default() };
    let bitpix = check_bitpix(index, "BITPIX", required(&stored, index, "BITPIX")?)?;
    let stored_axes = axes(&stored, index, "")?;
    let pcount = stored.integer("PCOUNT").unwrap_or(0);
    let gcount = stored.integer("GCOUNT").unwrap_or(1);
    let (Ok(extra), Ok(groups)) = (u64::try_from(pcount), u64::try_from(gcount)) else {
        let (keyword, value) = if pcount < 0 { ("PCOUNT", pcount) } else { ("GCOUNT", gcount) };
        return Err(bad(index, keyword, value, "it cannot be negative"));
    };
    let data_bytes = pixels(&stored_axes)
        .and_then(|n| if stored_axes.is_empty() { Some(0) } else { n.checked_add(extra) })
        .and_then(|n| n.checked_mul(groups))
        .and_then(|n| n.checked_mul(bitpix.unsigned_abs() / 8))
        .filter(|n| n.checked_add(data_offset).is_some_and(|end| end < u64::MAX - BLOCK));
    let Some(data_bytes) = data_bytes else {
        let product: Vec<_> = stored_axes.iter().map(u64::to_string).collect();
        return Err(bad(index, "NAXISn", product.join(" × "), "no file can hold so many pixels"));
    };
    let extname = stored.text("EXTNAME").map(|s| s.trim().to_owned()).filter(|s| !s.is_empty());
    let compressed = stored.value("ZIMAGE").and_then(CardValue::as_bool) == Some(true);
    let kind = match kind_text.trim() {
        "IMAGE" | "IUEIMAGE" => HduKind::Image,
        "BINTABLE" | "A3DTABLE" if compressed => HduKind::CompressedImage,
        "BINTABLE" | "A3DTABLE" | "TABLE" => HduKind::Table,
        _ => HduKind::Other,
    };
    let mut hdu = Hdu {
        index,
        extname,
        kind,
        axes: stored_axes,
        bitpix,
        compression: None,
        stored,
        data_offset,
        data_bytes,
        header_sum: 0,
    };
    if kind == HduKind::CompressedImage {
        describe_compressed(&mut hdu)?;
    }
    Ok(hdu)
}

/// Shape of a tile-compressed image, and whether its table fits.
fn describe_compressed(hdu: &mut Hdu) -> Result<(), FitsError> {
    let (index, header) = (hdu.index, &hdu.stored);
    let table_rows = hdu.axes.get(1).copied().unwrap_or(0);
    let axes = axes(header, index, "Z")?;
    let bitpix = check_bitpix(index, "ZBITPIX", required(header, index, "ZBITPIX")?)?;
    let mut tiles = 1u64;
    let mut tile_pixels = 1u64;
    for (i, &length) in axes.iter().enumerate() {
        let keyword = format!("ZTILE{}", i + 1);
        // default of the convention: one row per tile
        let tile = match header.card(&keyword) {
            None => {
                if i == 0 {
                    length.max(1)
                } else {
                    1
                }
            }
            Some(card) => card
                .value
                .as_i64()
                .and_then(|n| u64::try_from(n).ok())
                .filter(|&n| n > 0)
                .ok_or_else(|| bad(index, &keyword, card.value.to_text(), "a positive integer was expected"))?,
        };
        tiles = tiles.saturating_mul(length.div_ceil(tile));
        tile_pixels = tile_pixels.saturating_mul(tile.min(length.max(1)));
    }
    let plausible = TRUSTED_PIXELS.max(hdu.data_bytes.saturating_mul(HIGHEST_RATIO));
    let count = pixels(&axes).filter(|&n| n <= plausible && n.max(tile_pixels) < i64::MAX as u64 / 8);
    let Some(count) = count else {
        let product: Vec<_> = axes.iter().map(u64::to_string).collect();
        let expected = format!("{} compressed bytes cannot hold so many pixels", hdu.data_bytes);
        return Err(bad(index, "ZNAXISn", product.join(" × "), expected));
    };
    if count > 0 && tiles != table_rows {
        return Err(bad(index, "NAXIS2", table_rows, format!("ZNAXISn and ZTILEn make {tiles} tiles, one per row")));
    }
    hdu.compression = Some(header.text("ZCMPTYPE").unwrap_or_default().trim().to_owned());
    hdu.axes = axes;
    hdu.bitpix = bitpix;
    Ok(())
}

/// Cards that only describe how a compressed image is stored.
fn is_compression_card(keyword: &str) -> bool {
    const NAMES: [&str; 18] = [
        "ZIMAGE", "ZCMPTYPE", "ZBITPIX", "ZNAXIS", "ZTENSION", "ZSIMPLE", "ZEXTEND", "ZBLOCKED", "ZPCOUNT", "ZGCOUNT",
        "ZQUANTIZ", "ZDITHER0", "ZBLANK", "ZMASKCMP", "ZHECKSUM", "ZDATASUM", "THEAP", "TFIELDS",
    ];
    const INDEXED: [&str; 8] = ["ZNAXIS", "ZTILE", "ZNAME", "ZVAL", "TTYPE", "TFORM", "TUNIT", "TDIM"];
    NAMES.contains(&keyword)
        || INDEXED.iter().any(|prefix| {
            keyword.strip_prefix(prefix).is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        })
}

/// The header as that of an uncompressed image: `NAXISn` and `BITPIX` are those of the image, cards about the
/// compression are left out.
pub(super) fn image_header(hdu: &Hdu) -> Header {
    if hdu.kind != HduKind::CompressedImage {
        return hdu.stored.clone();
    }
    let mut header = Header::new();
    for card in hdu.stored.cards() {
        match card.keyword.as_str() {
            "XTENSION" => header.push(Card::new("XTENSION", "IMAGE", "Image extension")),
            "BITPIX" => header.push(Card::new("BITPIX", hdu.bitpix, "bits per pixel")),
            "NAXIS" => {
                header.push(Card::new("NAXIS", hdu.axes.len(), "number of axes"));
                for (i, &length) in hdu.axes.iter().enumerate() {
                    header.push(Card::new(format!("NAXIS{}", i + 1), length as i64, ""));
                }
            }
            "NAXIS1" | "NAXIS2" => {}
            "PCOUNT" => header.push(Card::new("PCOUNT", 0, "")),
            "CHECKSUM" | "DATASUM" => {}
            keyword if is_compression_card(keyword) && !card.is_commentary() => {}
            _ => header.push(card.clone()),
        }
    }
    header
}
