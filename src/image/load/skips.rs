//! Skips or averaged? And which corrections of the set-up apply? (Spec 01 §§4.5, 4.6.)

use std::fmt;

use crate::config::input::{ImageConfig, InputConfig};
use crate::fits::Plane;
use crate::image::cube::LeachFix;
use crate::image::error::ImageError;
use crate::image::keywords::{Keywords, is_axis, names};
use crate::image::regions::is_two_amplifiers;
use crate::image::report::Report;

/// What the pixels of the file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipDecision {
    /// One sample per pixel.
    Single,
    /// An average over this many skips.
    Averaged(usize),
    /// The skips themselves.
    Skips(usize),
}

impl fmt::Display for SkipDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Single => f.write_str("one skip per pixel"),
            Self::Averaged(n) => write!(f, "already averaged over {n} skips"),
            Self::Skips(n) => write!(f, "{n} skips per pixel"),
        }
    }
}

/// Pixels of one extension and their skips, before row binning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub rows: usize,
    pub cols: usize,
    /// Skips in the data, 1 for averaged images.
    pub skips: usize,
    /// Skips according to the header.
    pub ndcm: usize,
    /// Keyword of the number of skips.
    pub keyword: String,
    /// Skips are stored along the rows (axis 0).
    pub along_rows: bool,
    pub decision: SkipDecision,
}

/// Finds out what the samples are.
pub(super) fn layout(
    planes: &[Plane],
    keywords: &Keywords,
    config: &InputConfig,
    report: &mut Report,
) -> Result<Layout, ImageError> {
    let (rows, cols) = planes.first().map_or((0, 0), Plane::shape);
    let wanted = &config.convention.nskips;
    let (keyword, ndcm) = skips_of_header(keywords, config, report)?;
    let axis = config.image.axis_to_compress;
    let along_rows = axis == 0;
    let length = if along_rows { rows } else { cols };
    let averaged = |ndcm| Layout {
        rows,
        cols,
        skips: 1,
        ndcm,
        keyword: keyword.clone(),
        along_rows,
        decision: if ndcm == 1 { SkipDecision::Single } else { SkipDecision::Averaged(ndcm) },
    };
    let layout = match config.image.skip_image {
        _ if ndcm == 1 => averaged(1),
        Some(false) => averaged(ndcm),
        Some(true) if length % ndcm != 0 => {
            let axis = if along_rows { "rows" } else { "columns" };
            let axis_number = config.image.axis_to_compress;
            return Err(ImageError::NotDivisible { length, axis, skips: ndcm, keyword, axis_number });
        }
        None if is_declared_averaged(keywords, config, cols) => averaged(ndcm),
        None if length % ndcm != 0 => {
            report.warn(format!(
                "{length} samples along axis {axis} are no multiple of {ndcm} skips ({keyword}): taken as an averaged image \
                 (`input.image.skip_image` decides)"
            ));
            averaged(ndcm)
        }
        _ => Layout {
            rows: if along_rows { rows / ndcm } else { rows },
            cols: if along_rows { cols } else { cols / ndcm },
            skips: ndcm,
            ndcm,
            keyword: keyword.clone(),
            along_rows,
            decision: SkipDecision::Skips(ndcm),
        },
    };
    if wanted.as_slice().iter().all(|k| k.trim().is_empty()) && config.image.skip_image == Some(true) {
        return Err(ImageError::NoSkips { keywords: "(none)".into(), place: keywords.place() });
    }
    check_declared_shape(keywords, config, &layout, report);
    Ok(layout)
}

/// Keyword and number of skips; a missing keyword counts as one skip.
fn skips_of_header(
    keywords: &Keywords,
    config: &InputConfig,
    report: &mut Report,
) -> Result<(String, usize), ImageError> {
    let wanted = &config.convention.nskips;
    let Some(found) = keywords.find(wanted) else {
        if config.image.skip_image == Some(true) {
            return Err(ImageError::NoSkips { keywords: names(wanted), place: keywords.place() });
        }
        let list = names(wanted);
        if !list.is_empty() {
            report.warn(format!(
                "no keyword {list} (`input.convention.Nskips`) in {}: one skip per pixel is assumed",
                keywords.place()
            ));
        }
        let keyword = wanted.as_slice().iter().rfind(|k| !k.trim().is_empty());
        return Ok((keyword.map_or_else(|| "NDCM".to_owned(), |k| k.trim().to_ascii_uppercase()), 1));
    };
    let keyword = found.card.keyword.clone();
    let ndcm = found.card.value.as_i64().and_then(|n| usize::try_from(n).ok()).filter(|&n| n >= 1);
    match ndcm {
        Some(ndcm) => Ok((keyword, ndcm)),
        None => Err(ImageError::BadSkips { keyword, found: found.card.value.to_text() }),
    }
}

/// Whether the header says that the pixels are averages: card IMAGE, or a number of columns that is that of the array.
fn is_declared_averaged(keywords: &Keywords, config: &InputConfig, cols: usize) -> bool {
    let image = keywords.find(&crate::config::OneOrMany::One("IMAGE".to_owned()));
    if image.is_some_and(|f| f.card.value.to_text().trim().eq_ignore_ascii_case("averaged")) {
        return true;
    }
    keywords
        .find(&config.convention.ncols)
        .filter(|f| !is_axis(&f.card.keyword))
        .and_then(|f| f.card.value.as_i64())
        .is_some_and(|n| usize::try_from(n) == Ok(cols))
}

/// Dimensions come from the array; a header that says something else gets a warning.
fn check_declared_shape(keywords: &Keywords, config: &InputConfig, layout: &Layout, report: &mut Report) {
    let convention = &config.convention;
    let along = |along_rows| if layout.along_rows == along_rows { layout.skips } else { 1 };
    for (key, wanted, pixels, skips) in [
        ("Nrows", &convention.nrows, layout.rows, along(true)),
        ("Ncols", &convention.ncols, layout.cols, along(false)),
    ] {
        let Some(found) = keywords.find(wanted) else { continue };
        let declared = found.card.value.as_i64();
        let fits = [pixels, pixels * skips].iter().any(|&n| i64::try_from(n).ok() == declared);
        if !fits {
            report.warn(format!(
                "{} in HDU {} (`input.convention.{key}`) is {}, the array has {pixels} pixels of {skips} samples",
                found.card.keyword,
                found.hdu,
                found.card.value.to_text()
            ));
        }
    }
}

/// Corrections of the set-up that act on the samples as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Corrections {
    /// Undo the shift by two samples.
    pub leach: Option<LeachFix>,
    /// maximum − value.
    pub polarity: bool,
    /// The skips of the right half are in reverse order.
    pub flip_upper: bool,
}

/// The corrections that the configuration asks for.
pub(super) fn corrections(
    planes: &[Plane],
    ampl: &str,
    amplifiers: usize,
    config: &ImageConfig,
    stacked: bool,
    report: &mut Report,
) -> Result<Corrections, ImageError> {
    let mut corrections = Corrections { leach: None, polarity: config.correct_polarity, flip_upper: amplifiers == 2 };
    if !config.correct_leach_bug {
        return Ok(corrections);
    }
    if stacked {
        report.warn("`input.image.correct_leach_bug` is not applied to stacked extensions (--acm)");
        return Ok(corrections);
    }
    let halves = if ampl.trim().is_empty() { amplifiers == 2 } else { is_two_amplifiers(ampl) };
    let cols = planes.first().map_or(0, |p| p.shape().1);
    if halves && !cols.is_multiple_of(2) {
        return Err(ImageError::OddColumns { cols });
    }
    corrections.leach = Some(if halves { LeachFix::Halves } else { LeachFix::Whole });
    Ok(corrections)
}
