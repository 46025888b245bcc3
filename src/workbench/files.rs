//! Input files of the bench tools: patterns, extensions by number or EXTNAME, masks, header cards.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use jiff::tz::TimeZone;
use ndarray::Array2;

use super::error::{BenchError, BenchResult};
use crate::cli::inputs;
use crate::fits::{Card, CardValue, FitsInput, Header};
use crate::image::times::parse_date;

/// An extension of a FITS file: a number, or an EXTNAME in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extension {
    /// HDU number, the primary is 0.
    Number(usize),
    /// EXTNAME.
    Name(String),
}

impl FromStr for Extension {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        Ok(text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Number))
    }
}

impl std::fmt::Display for Extension {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(n) => write!(f, "HDU {n}"),
            Self::Name(name) => write!(f, "HDU with EXTNAME {name}"),
        }
    }
}

/// A whole number of an option that cannot be negative.
///
/// # Errors
/// Anything else.
pub fn whole(text: &str) -> Result<usize, String> {
    text.trim().parse().map_err(|_| "a whole number, 0 or more, is expected".to_owned())
}

/// The files that patterns stand for, each once however it is written, sorted by path. Relative patterns count from `base`.
///
/// # Errors
/// Without any pattern, or if one of them matches no file.
pub fn expand(patterns: &[String], base: &Path) -> BenchResult<Vec<PathBuf>> {
    if patterns.is_empty() {
        return Err(BenchError::NoInput("none is named".into()));
    }
    let mut files = Vec::new();
    for pattern in patterns {
        let found = inputs::matching(&OsString::from(pattern), base);
        if found.is_empty() {
            let reason = inputs::reason(&OsString::from(pattern), base);
            return Err(BenchError::NoInput(format!("`{pattern}` {reason}")));
        }
        files.extend(found.into_iter().map(tidy));
    }
    // Of several ways to write a file the shortest one stays.
    files.sort_by(|a, b| a.components().count().cmp(&b.components().count()).then_with(|| a.cmp(b)));
    let mut seen = HashSet::new();
    files.retain(|path| seen.insert(identity(path)));
    files.sort();
    Ok(files)
}

/// What is the same for all ways to write a path: links followed, no `..`; the path itself if there is no such file.
pub fn identity(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// The path without `.` and `..`, unless a link makes another file of it.
fn tidy(path: PathBuf) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(plain.components().next_back(), Some(Component::Normal(_))) => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    if identity(&plain) == identity(&path) { plain } else { path }
}

/// Name of a file without directories and FITS endings.
pub fn stem_of(path: &Path) -> String {
    crate::output::naming::stem(&name_of(path)).to_owned()
}

/// Name of a file without directories.
pub fn name_of(path: &Path) -> String {
    path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

/// An opened FITS file that knows its name.
#[derive(Debug, Clone)]
pub struct FitsFile {
    /// Path.
    pub path: PathBuf,
    /// Content.
    pub input: FitsInput,
}

impl FitsFile {
    /// Opens a file.
    ///
    /// # Errors
    /// If it cannot be read or is no FITS.
    pub fn open(path: &Path) -> BenchResult<Self> {
        let input = FitsInput::open(path)
            .map_err(|e| BenchError::Unreadable { path: path.to_owned(), reason: e.to_string() })?;
        Ok(Self { path: path.to_owned(), input })
    }

    /// Number of an HDU.
    ///
    /// # Errors
    /// If there is none.
    pub fn find(&self, extension: &Extension) -> BenchResult<usize> {
        let hdus = self.input.hdus();
        let found = match extension {
            Extension::Number(n) => (*n < hdus.len()).then_some(*n),
            Extension::Name(name) => {
                hdus.iter().position(|h| h.extname.as_deref().is_some_and(|e| e.eq_ignore_ascii_case(name)))
            }
        };
        found.ok_or_else(|| BenchError::NoImage {
            path: self.path.clone(),
            wanted: extension.to_string(),
            existing: self.input.list_hdus(),
        })
    }

    /// Number of the HDU with the data: the one asked for; else one of these EXTNAMEs; else the first image.
    ///
    /// # Errors
    /// If there is none.
    pub fn find_data(&self, extension: Option<&Extension>, names: &[&str]) -> BenchResult<usize> {
        if let Some(extension) = extension {
            return self.find(extension);
        }
        let hdus = self.input.hdus();
        let named = |name: &&str| {
            hdus.iter().position(|h| h.is_plane() && h.extname.as_deref().is_some_and(|e| e.eq_ignore_ascii_case(name)))
        };
        names.iter().find_map(named).or_else(|| hdus.iter().position(|h| h.is_plane())).ok_or_else(|| {
            BenchError::NoImage {
                path: self.path.clone(),
                wanted: "two-dimensional image".into(),
                existing: self.input.list_hdus(),
            }
        })
    }

    /// An image, `[row, col]`; NaN: undefined.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn image(&self, hdu: usize) -> BenchResult<Array2<f64>> {
        self.input.read_image(hdu).map_err(|e| self.unreadable(e))
    }

    /// A mask of the shape of the image, true: masked (non-zero or undefined). The name `none`: no mask.
    ///
    /// # Errors
    /// If the extension does not exist, cannot be read, or has another shape.
    pub fn mask(&self, extension: &Extension, shape: (usize, usize)) -> BenchResult<Option<Array2<bool>>> {
        if matches!(extension, Extension::Name(name) if name.eq_ignore_ascii_case("none")) {
            return Ok(None);
        }
        let pixels = self.image(self.find(extension)?)?;
        if pixels.dim() != shape {
            return Err(BenchError::Shape {
                path: self.path.clone(),
                found: pixels.dim(),
                expected: shape,
                hint: format!(" (mask, {extension})"),
            });
        }
        Ok(Some(pixels.mapv(|x| x != 0.0)))
    }

    /// Header of an HDU.
    ///
    /// # Errors
    /// If there is no such HDU.
    pub fn header(&self, hdu: usize) -> BenchResult<Header> {
        self.input.header(hdu).map_err(|e| self.unreadable(e))
    }

    /// The headers in which cards are looked for: that of `hdu`, the primary one, the others.
    ///
    /// # Errors
    /// If there is no such HDU.
    pub fn cards(&self, hdu: usize) -> BenchResult<Cards> {
        let mut headers = vec![self.header(hdu)?];
        for other in (0..self.input.hdus().len()).filter(|n| *n != hdu) {
            // A file that is cut off after the wanted HDU has fewer headers.
            if let Ok(header) = self.input.header(other) {
                headers.push(header);
            }
        }
        Ok(Cards { headers })
    }

    fn unreadable(&self, error: impl std::fmt::Display) -> BenchError {
        BenchError::Unreadable { path: self.path.clone(), reason: error.to_string() }
    }
}

/// Header cards of a file.
#[derive(Debug, Clone, Default)]
pub struct Cards {
    headers: Vec<Header>,
}

impl Cards {
    /// Cards of these headers; the first one that has a card decides.
    pub fn new(headers: Vec<Header>) -> Self {
        Self { headers }
    }

    /// Value of a card.
    pub fn value(&self, key: &str) -> Option<&CardValue> {
        self.headers.iter().find_map(|h| h.value(key)).filter(|v| **v != CardValue::Undefined)
    }

    /// Finite number of a card.
    pub fn number(&self, key: &str) -> Option<f64> {
        self.value(key).and_then(CardValue::as_f64).filter(|x| x.is_finite())
    }

    /// Text of a card.
    pub fn text(&self, key: &str) -> Option<String> {
        self.value(key).map(CardValue::to_text)
    }

    /// Unix seconds of the first of these cards that holds a date (UTC).
    pub fn date(&self, keys: &[&str]) -> Option<f64> {
        keys.iter().find_map(|key| parse_date(&self.text(key)?, &TimeZone::UTC))
    }

    /// First of these keys that has a number.
    pub fn first_number(&self, keys: &[&str]) -> Option<f64> {
        keys.iter().find_map(|key| self.number(key))
    }

    /// Names of all cards that begin with `prefix`, without it, in order.
    pub fn suffixes(&self, prefix: &str) -> Vec<String> {
        let cards = self.headers.iter().flat_map(|h| h.cards().iter());
        let mut found: Vec<String> = Vec::new();
        for card in cards.filter(|c| !c.is_commentary()) {
            if let Some(rest) = card.keyword.strip_prefix(prefix)
                && !found.iter().any(|f| f == rest)
            {
                found.push(rest.to_owned());
            }
        }
        found
    }

    /// Exposure and readout time, seconds, as [`Cards::known_times`]; 0 for what is not there.
    pub fn times(&self) -> (f64, f64) {
        let (exposure, readout) = self.known_times();
        (exposure.unwrap_or(0.0), readout.unwrap_or(0.0))
    }

    /// Exposure and readout time, seconds: `MEXP` and `MREAD` are milliseconds, `EXPOSURE`, `EXPTIME`, `READOUT_SEC` of
    /// the ACM board and the dates of start and end seconds (spec 04 §4.2).
    pub fn known_times(&self) -> (Option<f64>, Option<f64>) {
        let exposure = self.number("MEXP").map(|t| 1e-3 * t).or_else(|| self.first_number(&["EXPOSURE", "EXPTIME"]));
        let from_dates = || {
            let start = self.date(&["RDSTART", "RDSTRT", "DATEINI", "DATESTART"])?;
            let end = self.date(&["RDEND", "DATEEND"])?;
            let started_before_exposure = self.date(&["RDSTART", "RDSTRT"]).is_none();
            let before = if started_before_exposure { exposure.unwrap_or(0.0) } else { 0.0 };
            Some((end - start - before).max(0.0))
        };
        let readout = self.number("MREAD").map(|t| 1e-3 * t);
        (exposure, readout.or_else(|| self.number("READOUT_SEC")).or_else(from_dates))
    }
}

/// Unit of the pixels of an HDU, `e-` or `ADU`.
pub fn unit_of(file: &FitsFile, hdu: usize) -> BenchResult<String> {
    let header = file.header(hdu)?;
    let electrons = match header.text("BUNIT") {
        Some(unit) => {
            let unit = unit.trim().to_ascii_lowercase();
            unit.starts_with("electron") || unit == "e-" || unit == "e"
        }
        None => false,
    };
    let calibrated = header.text("EXTNAME").is_some_and(|e| e.trim().eq_ignore_ascii_case("CALIBRATED"));
    Ok(if electrons || calibrated { "e-" } else { "ADU" }.to_owned())
}

/// The card that keeps the unit of an HDU in an image made of it: its own `BUNIT`, or what its name says.
pub fn unit_card(file: &FitsFile, hdu: usize) -> BenchResult<Option<Card>> {
    let own = file.header(hdu)?.card("BUNIT").filter(|card| card.value != CardValue::Undefined).cloned();
    let electrons = unit_of(file, hdu)? == "e-";
    Ok(own.or_else(|| electrons.then(|| Card::new("BUNIT", "electron", "unit of the pixels"))))
}

/// Values of the pixels that are finite and not masked.
pub fn unmasked(image: &Array2<f64>, mask: Option<&Array2<bool>>) -> Vec<f64> {
    match mask {
        Some(mask) => image.iter().zip(mask).filter(|(q, m)| q.is_finite() && !**m).map(|(q, _)| *q).collect(),
        None => image.iter().copied().filter(|q| q.is_finite()).collect(),
    }
}

/// A half-open range of two numbers of an option; a negative end means "to the last".
pub fn range_of(values: &[i64], length: usize, option: &'static str) -> BenchResult<std::ops::Range<usize>> {
    let &[start, end] = values else {
        return Err(BenchError::option(option, "two numbers are expected"));
    };
    let end = if end < 0 { length } else { usize::try_from(end).unwrap_or(length).min(length) };
    let start = usize::try_from(start).unwrap_or(0);
    if start >= end {
        return Err(BenchError::option(
            option,
            format!("no pixel lies between {} and {} of {length}", values[0], values[1]),
        ));
    }
    Ok(start..end)
}
