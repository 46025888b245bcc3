//! Pixels: the cube of a skipper image, or the image itself if there is one value per pixel.

use ndarray::Array2;

use super::skips::{Corrections, Layout};
use crate::config::input::ImageConfig;
use crate::fits::{FitsInput, Plane};
use crate::image::cube::{CubeLayout, SaturationLimit};
use crate::image::error::ImageError;
use crate::image::{Amplifier, RawData, SkipCube};

/// Opens the cube; an image with one value per pixel is read and stored as `mean_compressed`
/// (`raw` is another name of it).
pub(super) fn load(
    raw: &mut RawData,
    planes: Vec<Plane>,
    layout: &Layout,
    corrections: Corrections,
    config: &ImageConfig,
) -> Result<(), ImageError> {
    let limit = saturation_limit(&planes, config);
    let samples = CubeLayout::new(planes, layout.skips)
        .along_rows(layout.along_rows && layout.skips > 1)
        .leach(corrections.leach)
        .invert(corrections.polarity)
        .bin_rows(config.row_binning)
        .flip_upper(corrections.flip_upper);
    let regions = raw.amplifiers.iter().map(|a| a.full.clone()).collect();
    let mut cube = SkipCube::from_file(samples, regions, limit)?;
    if raw.source.checksum.is_empty() || cube.states_data_sums() {
        cube = cube.summing_data();
    }
    if layout.skips > 1 {
        raw.cube = Some(cube);
        return Ok(());
    }
    let image = cube.skip_images(&[0])?.pop().unwrap_or_default();
    for warning in cube.counts().map(|counts| counts.warnings(&raw.amplifiers)).unwrap_or_default() {
        raw.report.warn(warning);
    }
    if raw.source.checksum.is_empty() {
        raw.source.checksum = data_sums(&cube)?;
    }
    cube.contradicted_sums()?.into_iter().for_each(|text| raw.report.warn(text));
    require_finite(&image, &raw.amplifiers)?;
    raw.images.insert("mean_compressed".into(), image);
    Ok(())
}

/// Identifies the content of a large file by the sums of its data, and compares the data with the sums that its header
/// states. Streams the cube once if nothing else has done so.
///
/// # Errors
/// If the data cannot be read.
pub fn identify(raw: &mut RawData) -> Result<(), ImageError> {
    if let Some(cube) = &raw.cube {
        if raw.source.checksum.is_empty() {
            raw.source.checksum = data_sums(cube)?;
        }
        cube.contradicted_sums()?.into_iter().for_each(|text| raw.report.warn(text));
    }
    Ok(())
}

/// What identifies the content of these HDUs: `SHA-256 <hex>` of a small file, `DATASUM <decimal> (HDU n) …` of a large
/// one, whose data are read for it.
///
/// # Errors
/// If the file cannot be read.
pub fn content_checksum(input: &FitsInput, hdus: &[usize]) -> Result<String, ImageError> {
    if let Some(hash) = input.hash_if_small()? {
        return Ok(hash);
    }
    let sums = hdus.iter().map(|&hdu| Ok((hdu, input.plane(hdu)?.data_sum()?)));
    Ok(sums_as_text(sums.collect::<Result<Vec<_>, ImageError>>()?))
}

fn data_sums(cube: &SkipCube) -> Result<String, ImageError> {
    Ok(sums_as_text(cube.data_sums()?))
}

fn sums_as_text(sums: Vec<(usize, u32)>) -> String {
    let sums: Vec<String> = sums.into_iter().map(|(hdu, sum)| format!("{sum} (HDU {hdu})")).collect();
    format!("DATASUM {}", sums.join(" "))
}

/// Every amplifier must have at least one finite active pixel.
///
/// # Errors
/// Naming the first amplifier that has none.
pub fn require_finite(image: &Array2<f64>, amplifiers: &[Amplifier]) -> Result<(), ImageError> {
    match amplifiers.iter().find(|a| !a.active.view(image).iter().any(|x| x.is_finite())) {
        None => Ok(()),
        Some(amplifier) => Err(ImageError::NothingFinite { amplifier: amplifier.name.clone() }),
    }
}

/// Where samples saturate: the configured level, else the end of the range of 8- and 16-bit integers.
fn saturation_limit(planes: &[Plane], config: &ImageConfig) -> Option<SaturationLimit> {
    let limits = planes.first().and_then(Plane::limits);
    if config.correct_polarity {
        config.saturation_adu.or(limits.map(|(low, _)| low)).map(SaturationLimit::AtMost)
    } else {
        config.saturation_adu.or(limits.map(|(_, high)| high)).map(SaturationLimit::AtLeast)
    }
}
