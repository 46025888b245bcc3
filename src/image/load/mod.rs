//! From an opened FITS file to [`RawData`] (spec 01 §4).
//!
//! Order of operations: read, Leach fix, polarity, separation of the skips (or "averaged"), row binning, regions and
//! masks, flip of the skips of `U`, identification numbers. For a skipper image the corrections act while the cube is
//! streamed; an averaged image is a cube of one skip, read at once.

mod describe;
mod pixels;
mod skips;

use std::path::{Path, absolute};

use super::auxiliary::read_mask;
use super::error::ImageError;
use super::keywords::{Keywords, names};
use super::raw_data::{Source, Truth, UserRegion};
use super::regions::{self, Geometry};
use super::report::Report;
use super::{RawData, numbers, times};
use crate::config::input::InputConfig;
use crate::config::{OneOrMany, RunOptions};
use crate::fits::{FitsInput, Plane};

pub use pixels::{content_checksum, identify, require_finite};
pub use skips::SkipDecision;

/// How to load an image.
#[derive(Debug, Clone, Copy)]
pub struct LoadOptions<'a> {
    /// Section `input` of the configuration.
    pub config: &'a InputConfig,
    /// Options of the command line: stacking, mask, truth, numbers.
    pub options: &'a RunOptions,
    /// Position of the file in the sorted list of inputs, from 0.
    pub position: usize,
}

/// The HDUs that hold the data: those of `input.image.extensions`; else HDU 0 if it holds an image, else all image HDUs
/// in order.
///
/// # Errors
/// If no HDU holds an image.
pub fn data_hdus(input: &FitsInput, config: &InputConfig) -> Result<Vec<usize>, ImageError> {
    if let Some(extensions) = &config.image.extensions {
        let listed = extensions.as_slice();
        if !listed.is_empty() {
            return Ok(listed.to_vec());
        }
    }
    let images: Vec<usize> = input.hdus().iter().filter(|h| h.is_plane()).map(|h| h.index).collect();
    match images.first() {
        None => {
            // a file cut off before its first image is truncated, not empty
            input.hdu(input.hdus().len().saturating_sub(1))?;
            Err(ImageError::NoImages { existing: input.list_hdus() })
        }
        Some(0) => Ok(vec![0]),
        Some(_) => Ok(images),
    }
}

/// Loads the image of one item: one HDU, or several to be stacked along the rows (`--acm`).
///
/// # Errors
/// Everything that makes the item unusable: unreadable data, skips that do not divide the columns, regions that do not
/// fit. What can be missing is a warning in the report of the image.
pub fn load(input: &FitsInput, hdus: &[usize], how: &LoadOptions<'_>) -> Result<RawData, ImageError> {
    let config = &how.config.image;
    let stacked = how.options.acm;
    let mut report = Report::default();
    for warning in input.warnings() {
        report.warn(warning);
    }
    let planes = planes(input, hdus)?;
    let header_hdu = ext_header(input, hdus, how.config);
    if let Some(hdu) = header_hdu {
        input.hdu(hdu).map_err(|source| ImageError::Hdu { option: "ext_header (--hext)", source })?;
    }
    let keywords = Keywords::new(input, hdus.first().copied().unwrap_or(0), header_hdu)?;
    describe::headers(input, &keywords, &mut report);

    let text = |wanted: &OneOrMany<String>| keywords.find(wanted).map(|f| f.card.value.to_text());
    let ampl = text(&how.config.convention.ampl).unwrap_or_default();
    let amplifier_count = regions::amplifier_count(config, &ampl, stacked)?;
    let layout = skips::layout(&planes, &keywords, how.config, &mut report)?;
    let corrections = skips::corrections(&planes, &ampl, amplifier_count, config, stacked, &mut report)?;
    let row_factor = config.row_binning.max(1);
    if layout.rows % row_factor != 0 {
        return Err(ImageError::RowBinning { rows: layout.rows, factor: row_factor });
    }
    let rows = layout.rows / row_factor;
    let row_binning = binning(&keywords, "Npbin", &how.config.convention.npbin, &mut report) * row_factor;
    let col_binning = binning(&keywords, "Nsbin", &how.config.convention.nsbin, &mut report);
    let extensions: Vec<_> =
        hdus.iter().map(|&hdu| (hdu, input.hdus().get(hdu).and_then(|h| h.extname.clone()))).collect();
    let geometry =
        Geometry { rows, cols: layout.cols, row_binning, col_binning, ampl: &ampl, extensions: &extensions, stacked };
    let amplifiers = regions::amplifiers(config, &geometry)?;
    warn_missing_ampl(&keywords, how.config, &mut report);

    let mut raw = RawData {
        source: source(input, hdus, how.position)?,
        header: keywords.output_header(),
        metadata: metadata(&keywords, how.config, &mut report),
        rows: rows * hdus.len(),
        cols: layout.cols,
        nskips: layout.skips,
        ndcm: layout.ndcm,
        skip_keyword: layout.keyword.clone(),
        row_binning,
        col_binning,
        amplifiers,
        stacked,
        times: times::read_times(&keywords, how.config, &mut report)?,
        numbers: identification(input.path(), how),
        user_region: UserRegion {
            rows: (config.id_row_start, config.id_row_end),
            cols: (config.id_col_start, config.id_col_end),
            skips: (config.id_skip_start, config.id_skip_end),
        },
        report,
        ..RawData::default()
    };
    pixels::load(&mut raw, planes, &layout, corrections, config)?;
    auxiliary(&mut raw, input, how.options)?;
    describe::image(&mut raw, layout.decision);
    Ok(raw)
}

/// The images of the item; all of the same shape.
fn planes(input: &FitsInput, hdus: &[usize]) -> Result<Vec<Plane>, ImageError> {
    let planes = hdus.iter().map(|&hdu| input.plane(hdu)).collect::<Result<Vec<_>, _>>()?;
    let Some(first) = planes.first() else {
        return Err(ImageError::NoImages { existing: input.list_hdus() });
    };
    if let Some(other) = planes.iter().find(|p| p.shape() != first.shape()) {
        return Err(ImageError::UnequalShapes {
            first: first.hdu(),
            first_shape: first.shape(),
            other: other.hdu(),
            other_shape: other.shape(),
        });
    }
    Ok(planes)
}

/// The HDU of `ext_header` for this item: paired with `extensions` if the lists are equally long, else the first one.
fn ext_header(input: &FitsInput, hdus: &[usize], config: &InputConfig) -> Option<usize> {
    let listed = config.image.ext_header.as_ref()?.as_slice();
    let data = data_hdus(input, config).ok()?;
    let paired = (listed.len() == data.len()).then(|| data.iter().position(|h| Some(h) == hdus.first())).flatten();
    listed.get(paired.unwrap_or(0)).copied()
}

/// A binning factor from the header: 1 if it is not there or makes no sense.
fn binning(keywords: &Keywords, key: &str, wanted: &OneOrMany<String>, report: &mut Report) -> usize {
    let Some(found) = keywords.find(wanted) else {
        inform_missing(keywords, key, wanted, "counts as 1", report);
        return 1;
    };
    match found.card.value.as_i64().and_then(|n| usize::try_from(n).ok()).filter(|&n| n > 0) {
        Some(n) => n,
        None => {
            let (keyword, text) = (&found.card.keyword, found.card.value.to_text());
            report.warn(format!(
                "{keyword} in HDU {} (`input.convention.{key}`) is `{text}`, not a positive integer: it counts as 1",
                found.hdu
            ));
            1
        }
    }
}

fn warn_missing_ampl(keywords: &Keywords, config: &InputConfig, report: &mut Report) {
    let wanted = &config.convention.ampl;
    if keywords.find(wanted).is_some() {
        return;
    }
    if config.image.correct_leach_bug {
        let (names, place) = (names(wanted), keywords.place());
        report.warn(format!(
            "no keyword {names} (`input.convention.ampl`) in {place}: the Leach correction follows the number of amplifiers"
        ));
    } else {
        inform_missing(keywords, "ampl", wanted, "does not tell which amplifiers read the image", report);
    }
}

/// Information about a keyword that is not in the header; none if the look-up is disabled.
fn inform_missing(keywords: &Keywords, key: &str, wanted: &OneOrMany<String>, consequence: &str, report: &mut Report) {
    let names = names(wanted);
    if !names.is_empty() {
        report
            .inform(format!("no keyword {names} (`input.convention.{key}`) in {}: it {consequence}", keywords.place()));
    }
}

/// Values of the keywords that are carried along: slow control, and names of the convention without a use of their own.
fn metadata(
    keywords: &Keywords,
    config: &InputConfig,
    report: &mut Report,
) -> indexmap::IndexMap<String, crate::fits::CardValue> {
    let convention = &config.convention;
    let own = [("ampdir".to_owned(), &convention.ampdir), ("itgtime".to_owned(), &convention.itgtime)];
    let extra = convention.extra.iter().map(|(name, wanted)| (name.clone(), wanted));
    let scp = config.scp.iter().map(|(name, wanted)| (name.clone(), wanted));
    let mut values = indexmap::IndexMap::new();
    for (section, (name, wanted)) in
        own.into_iter().chain(extra).map(|entry| ("convention", entry)).chain(scp.map(|entry| ("scp", entry)))
    {
        match keywords.find(wanted) {
            Some(found) => {
                report.log(super::Level::Verbose, format!("{name} = {}", found.card.value.to_text()));
                values.insert(name, found.card.value.clone());
            }
            None => {
                let keywords_text = names(wanted);
                if !keywords_text.is_empty() {
                    let place = keywords.place();
                    report.inform(format!("no keyword {keywords_text} (`input.{section}.{name}`) in {place}"));
                }
            }
        }
    }
    values
}

fn source(input: &FitsInput, hdus: &[usize], position: usize) -> Result<Source, ImageError> {
    let path = absolute(input.path()).unwrap_or_else(|_| input.path().to_owned());
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let list = hdus.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    Ok(Source {
        hdus: hdus.to_vec(),
        position,
        bytes: input.size(),
        checksum: input.hash_if_small()?.unwrap_or_default(),
        label: format!("{name}[{list}]"),
        path,
    })
}

/// Numbers from the file name, unless the command line gives them.
fn identification(path: &Path, how: &LoadOptions<'_>) -> super::raw_data::Numbers {
    let path = absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut found = numbers::from_path(&path);
    found.run = how.options.run.unwrap_or(found.run);
    found.ccd = how.options.ccd.unwrap_or(found.ccd);
    found
}

/// Mask and Monte-Carlo truth named on the command line.
fn auxiliary(raw: &mut RawData, input: &FitsInput, options: &RunOptions) -> Result<(), ImageError> {
    let shape = (raw.rows, raw.cols);
    if let Some(path) = &options.mask {
        let mask = read_mask(path, None, shape)?;
        let masked = mask.iter().filter(|m| **m).count();
        raw.report.inform(format!("mask {}: {masked} pixels are excluded from clustering", path.display()));
        raw.clustering_mask = Some(mask);
    }
    if let Some(hdu) = options.mct {
        let read = |hdu| {
            let named = |source| ImageError::Hdu { option: "--MCT", source };
            let image = input.read_image(hdu).map_err(named)?;
            if image.dim() == shape {
                Ok(image)
            } else {
                Err(ImageError::TruthShape { hdu, found: image.dim(), expected: shape })
            }
        };
        raw.truth = Some(Truth { energy: read(hdu)?, cluster: read(hdu + 1)? });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
