//! The noise that each amplifier shows, position by position of the readout.
//!
//! The noise part of a pixel is what is left without its charge: the value minus the nearest number of electrons where
//! the gain is known and the peaks are resolved, else (and in the overscan, which is empty) the value itself if it is small. Where neither holds, the noise part
//! is unknown (NaN) and the pixel neither serves the fit nor corrects others. Each row has zero mean over its noise
//! pixels, so that a correction never moves a pedestal.

use ndarray::Array2;

use crate::image::{Amplifier, Region, Side};
use crate::stats::robust::{self, MAD_TO_SIGMA};

/// Noise above this fraction of a gain does not allow to tell numbers of electrons.
pub const RESOLVED_NOISE: f64 = 0.3;

/// Up to this fraction of a gain the value of an overscan pixel is noise.
const EMPTY_REACH: f64 = 0.75;

/// What is known of an amplifier's charge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChargeScale {
    /// ADU (image units) per electron, if it is known.
    pub gain: Option<f64>,
    /// Most electrons that are subtracted; beyond, the response is not trusted.
    pub max_electrons: f64,
}

/// Noise of one amplifier, in the order of readout.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// Noise part of each pixel, `[row, readout column]`, image units; NaN where it is unknown.
    pub noise: Array2<f64>,
    /// Charge that was subtracted, image units.
    pub charge: Array2<f64>,
    /// Whether the pixel serves the fit.
    pub fitted: Array2<bool>,
    /// Robust width of the noise, image units.
    pub sigma: f64,
    /// Whether numbers of electrons are told apart.
    pub resolved: bool,
}

/// The amplifier's pixels in the order of readout.
pub fn in_readout_order(image: &Array2<f64>, amplifier: &Amplifier) -> Array2<f64> {
    let mut part = amplifier.full.view(image);
    if amplifier.side == Side::U {
        part.invert_axis(ndarray::Axis(1));
    }
    part.to_owned()
}

/// A region of the stored image as ranges of rows and readout columns of the amplifier.
fn local(region: &Region, amplifier: &Amplifier) -> Region {
    let rows = region.rows.start - amplifier.full.rows.start..region.rows.end - amplifier.full.rows.start;
    let full = &amplifier.full.cols;
    let cols = match amplifier.side {
        Side::U => full.end - region.cols.end..full.end - region.cols.start,
        _ => region.cols.start - full.start..region.cols.end - full.start,
    };
    Region::new(rows, cols)
}

/// Takes the noise out of the pixels of an amplifier. `region` holds the pixels that may serve the fit (of the stored
/// image), `n_sigma` cuts them.
pub fn signal(image: &Array2<f64>, amplifier: &Amplifier, region: &Region, scale: ChargeScale, n_sigma: f64) -> Signal {
    let is_empty = *region == amplifier.overscan;
    let pixels = in_readout_order(image, amplifier);
    let region = local(region, amplifier);
    let mut values: Vec<f64> = region.view(&pixels).iter().copied().filter(|x| x.is_finite()).collect();
    let (centre, mad) =
        if values.is_empty() { (f64::NAN, f64::NAN) } else { robust::median_and_mad_in_place(&mut values) };
    let mut sigma = MAD_TO_SIGMA * mad;
    let resolved_gain = scale.gain.filter(|g| {
        // the width of the residues of the nearest electrons, which does not grow with the charge
        let mut residues: Vec<f64> = values_around(&pixels, &region, *g);
        let width = MAD_TO_SIGMA * robust::median_distance_in_place(&mut residues, 0.0);
        let resolved = width < RESOLVED_NOISE * g;
        if resolved {
            sigma = width;
        }
        resolved
    });
    let resolved = resolved_gain.is_some();
    let mut noise = Array2::from_elem(pixels.dim(), f64::NAN);
    let mut charge = Array2::zeros(pixels.dim());
    for ((at, x), (z, q)) in pixels.indexed_iter().zip(noise.iter_mut().zip(charge.iter_mut())) {
        let _ = at;
        match resolved_gain {
            Some(g) => {
                let electrons = (x / g).round();
                if electrons.abs() <= scale.max_electrons {
                    *q = electrons * g;
                    *z = x - *q;
                }
            }
            None if (x - centre).abs() <= n_sigma * sigma => *z = *x,
            None => {}
        }
    }
    // No charge is expected in the overscan: noise beyond half an electron would be taken for one, and what the amplifiers
    // share would be lost just where it is large.
    if let (Some(g), true) = (resolved_gain, is_empty) {
        let limit = (n_sigma * sigma).min(EMPTY_REACH * g);
        for (row, col) in region.rows.clone().flat_map(|row| region.cols.clone().map(move |col| (row, col))) {
            let x = pixels[[row, col]];
            if (x - centre).abs() <= limit {
                noise[[row, col]] = x;
                charge[[row, col]] = 0.0;
            }
        }
    }
    let mut fitted = Array2::from_elem(pixels.dim(), false);
    let limit = n_sigma * sigma;
    for row in region.rows.clone() {
        for col in region.cols.clone() {
            let z = noise[[row, col]];
            // charges near a cluster are less well known than empty pixels
            fitted[[row, col]] = z.is_finite()
                && (z - if resolved { 0.0 } else { centre }).abs() <= limit
                && charge[[row, col]].abs() <= scale.gain.unwrap_or(0.0) * 1.5;
        }
    }
    let mut signal = Signal { noise, charge, fitted, sigma, resolved };
    signal.centre_rows();
    signal
}

fn values_around(pixels: &Array2<f64>, region: &Region, gain: f64) -> Vec<f64> {
    region.view(pixels).iter().filter(|x| x.is_finite()).map(|x| x - gain * (x / gain).round()).collect()
}

impl Signal {
    /// Subtracts from each row the mean of the noise of its fitted pixels (0 without any).
    fn centre_rows(&mut self) {
        for (mut noise, fitted) in self.noise.rows_mut().into_iter().zip(self.fitted.rows()) {
            let (mut sum, mut n) = (0.0, 0_usize);
            for (z, fitted) in noise.iter().zip(fitted) {
                if *fitted {
                    sum += z;
                    n += 1;
                }
            }
            if n > 0 {
                let mean = sum / n as f64;
                noise.mapv_inplace(|z| z - mean);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amplifier(side: Side, rows: usize, cols: usize) -> Amplifier {
        Amplifier {
            side,
            overscan: Region::new(0..rows, if side == Side::U { 0..3 } else { cols - 3..cols }),
            ..Amplifier::whole_image("X", 0, rows, cols)
        }
    }

    #[test]
    fn electrons_are_taken_out_where_the_gain_resolves_them() {
        let image = Array2::from_shape_vec((1, 6), vec![10.5, 0.4, 310.0, -0.3, 0.1, 0.2]).unwrap();
        let a = amplifier(Side::Single, 1, 6);
        let scale = ChargeScale { gain: Some(10.0), max_electrons: 20.0 };
        let s = signal(&image, &a, &a.overscan, scale, 5.0);
        assert!(s.resolved);
        assert_eq!(s.charge.row(0).to_vec(), [10.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert!(s.noise[[0, 2]].is_nan(), "31 electrons are too many");
        // the overscan has zero mean: −0.3 + 0.1 + 0.2 = 0
        assert!((s.noise[[0, 0]] - 0.5).abs() < 1e-12 && (s.noise[[0, 3]] + 0.3).abs() < 1e-12);
        assert_eq!(s.fitted.row(0).to_vec(), [false, false, false, true, true, true]);
    }

    #[test]
    fn large_noise_of_the_overscan_is_not_taken_for_an_electron() {
        // σ = 2 of 10 ADU: values beyond ±5 ADU are rare noise in the overscan, but an electron in the active region
        let mut image = Array2::from_shape_fn((40, 6), |(r, c)| 2.0 * (((7 * r + 11 * c) % 41) as f64 / 20.0 - 1.0));
        image[[3, 4]] = 6.5;
        image[[3, 0]] = 6.5;
        image[[9, 5]] = 10.4;
        let a = amplifier(Side::Single, 40, 6);
        let s = signal(&image, &a, &a.overscan, ChargeScale { gain: Some(10.0), max_electrons: 20.0 }, 5.0);
        assert!(s.resolved);
        assert_eq!((s.charge[[3, 4]], s.charge[[3, 0]], s.charge[[9, 5]]), (0.0, 10.0, 10.0));
        assert!(s.fitted[[3, 4]]);
    }

    #[test]
    fn without_a_gain_large_values_are_unknown() {
        let image = Array2::from_shape_vec((1, 6), vec![0.5, 90.0, -0.2, -1.0, 0.0, 1.0]).unwrap();
        let a = amplifier(Side::Single, 1, 6);
        let s = signal(&image, &a, &a.overscan, ChargeScale { gain: None, max_electrons: 20.0 }, 3.0);
        assert!(!s.resolved && s.noise[[0, 1]].is_nan() && s.noise[[0, 0]] == 0.5);
    }

    #[test]
    fn the_mirrored_half_is_put_in_the_order_of_readout() {
        let image = Array2::from_shape_vec((1, 6), vec![-1.0, 0.0, 1.0, 3.0, 4.0, 5.0]).unwrap();
        let a = amplifier(Side::U, 1, 6);
        let s = signal(&image, &a, &a.overscan, ChargeScale { gain: None, max_electrons: 1.0 }, 100.0);
        assert_eq!(s.noise.row(0).to_vec(), [5.0, 4.0, 3.0, 1.0, 0.0, -1.0]);
        assert_eq!(s.fitted.row(0).to_vec(), [false, false, false, true, true, true]);
    }
}
