//! From planes of the file to the samples of the image: a cube that is streamed, or, with one value per pixel, an image
//! in memory. All corrections act in the cube, so that both kinds of image get the same ones.

use ndarray::Axis;

use super::skips::{Corrections, Layout};
use crate::config::input::ImageConfig;
use crate::fits::Plane;
use crate::image::cube::{CubeLayout, LeachFix, SaturationLimit};
use crate::image::error::ImageError;
use crate::image::{RawData, Region, Side, SkipCube};

/// Gives the image its cube, or reads it when it has one value per pixel.
pub(super) fn load(
    raw: &mut RawData,
    planes: Vec<Plane>,
    layout: &Layout,
    corrections: &Corrections,
    row_factor: usize,
    config: &ImageConfig,
) -> Result<(), ImageError> {
    let limit = saturation_limit(&planes, corrections, config);
    let two_halves = raw.amplifiers.iter().any(|a| a.side == Side::U);
    let cube_layout = CubeLayout::new(planes, layout.skips)
        .along_rows(layout.along_rows)
        .leach(corrections.leach.map(|halves| if halves { LeachFix::Halves } else { LeachFix::Whole }))
        .invert(corrections.polarity)
        .bin_rows(row_factor)
        .flip_upper(two_halves && layout.skips > 1);
    let regions: Vec<Region> = raw.amplifiers.iter().map(|a| a.full.clone()).collect();
    let cube = SkipCube::from_file(cube_layout, regions, limit)?;
    if layout.skips > 1 {
        raw.cube = Some(cube);
        return Ok(());
    }
    let image = cube.read(0..raw.rows, 0..1)?.index_axis_move(Axis(2), 0);
    if let Some(counts) = cube.counts() {
        for warning in counts.warnings(&raw.amplifiers) {
            raw.report.warn(warning);
        }
    }
    for amplifier in &raw.amplifiers {
        if amplifier.active.view(&image).iter().all(|x| !x.is_finite()) {
            return Err(ImageError::NothingFinite { amplifier: amplifier.name.clone() });
        }
    }
    raw.images.insert("raw".into(), image.clone());
    raw.images.insert("mean_compressed".into(), image);
    Ok(())
}

/// The end of the digitiser's range at which samples saturate, before the polarity is inverted (spec 01 §7.3).
fn saturation_limit(planes: &[Plane], corrections: &Corrections, config: &ImageConfig) -> Option<SaturationLimit> {
    let ends = planes.first().and_then(Plane::limits);
    if corrections.polarity {
        config.saturation_adu.or(ends.map(|(low, _)| low)).map(SaturationLimit::AtMost)
    } else {
        config.saturation_adu.or(ends.map(|(_, high)| high)).map(SaturationLimit::AtLeast)
    }
}
