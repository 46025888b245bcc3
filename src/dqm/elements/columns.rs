//! Counts of pixels per column: outlying std of the skips (id 2), charge above some electrons (id 12).

use ndarray::Array2;

use super::{Reason, Shot, extra, vector};
use crate::dqm::model::Entry;
use crate::image::Side;
use crate::stats::robust::{self, Ddof};

/// Number of pixels of each active column whose std over the skips exceeds mean + n_std·std of the active region; x is
/// the distance to the amplifier, so that cross-talk partners have the same.
pub(super) fn outlying_std(shot: &Shot<'_>) -> Result<Entry, Reason> {
    if shot.raw.nskips < 2 {
        return Err("the image has one skip".into());
    }
    let n_std = shot.number("n_std")?;
    let pixels = shot.amplifier.active.view(shot.image(&shot.config.image)?);
    let finite: Vec<f64> = pixels.iter().copied().filter(|q| q.is_finite()).collect();
    let (mean, std) = robust::mean_and_std(&finite, Ddof::Population);
    let limit = mean + n_std * std;
    let mut y: Vec<f64> =
        pixels.columns().into_iter().map(|c| c.iter().filter(|q| **q > limit).count() as f64).collect();
    if shot.amplifier.side == Side::U {
        y.reverse();
    }
    let x = (1..=y.len()).map(|k| k as f64).collect();
    let mut entry = vector(x, y);
    extra(&mut entry, "limit", limit);
    Ok(entry)
}

/// Number of rows of each column of the amplifier with round(q) > ne electrons.
pub(super) fn above_charge(shot: &Shot<'_>) -> Result<Entry, Reason> {
    let ne = shot.number("ne")?;
    let factor = shot.electrons()?;
    let region = &shot.amplifier.full;
    let pixels = region.view(shot.image(&shot.config.image)?).mapv(|q| q * factor);
    let masked = if shot.config.truth("mask_clusters") {
        let (rows, cols) = (shot.count("DROWS")?, shot.count("DCOLS")?);
        Some(shadows(&pixels, shot.number("Qhigh_pix")?, rows, cols))
    } else {
        None
    };
    let mut counts = vec![0u32; region.cols.len()];
    for ((row, col), q) in pixels.indexed_iter() {
        if q.round_ties_even() > ne && !masked.as_ref().is_some_and(|m| m[[row, col]]) {
            counts[col] += 1;
        }
    }
    let x = region.cols.clone().map(|c| shot.col_number(c)).collect();
    Ok(vector(x, counts.into_iter().map(f64::from).collect()))
}

/// The boxes of `rows` × `cols` that begin at pixels above `high`.
fn shadows(pixels: &Array2<f64>, high: f64, rows: usize, cols: usize) -> Array2<bool> {
    let mut mask = Array2::from_elem(pixels.dim(), false);
    let (height, width) = pixels.dim();
    for ((r, c), q) in pixels.indexed_iter() {
        if *q > high {
            for row in r..r.saturating_add(rows).min(height) {
                for col in c..c.saturating_add(cols).min(width) {
                    mask[[row, col]] = true;
                }
            }
        }
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shadows_begin_at_the_pixel_and_end_at_the_border() {
        let mut pixels = Array2::zeros((4, 4));
        pixels[[2, 1]] = 30.0;
        let mask = shadows(&pixels, 20.5, 2, 5);
        let masked: Vec<_> = mask.indexed_iter().filter(|(_, m)| **m).map(|(at, _)| at).collect();
        assert_eq!(masked, [(2, 1), (2, 2), (2, 3), (3, 1), (3, 2), (3, 3)]);
    }
}
