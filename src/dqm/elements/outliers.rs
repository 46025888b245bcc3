//! Outlying pixels of one image, which the run counts to find hot pixels, rows and columns (spec 06 §7).

use ndarray::Array2;

use super::config::{ElementConfig, SUBTRACTED};
use crate::image::{Amplifier, RawData};
use crate::stats::robust;

/// Pixels of an image that lie above their row, by amplifier.
#[derive(Debug, Clone, PartialEq)]
pub struct Outliers {
    /// `[row, col]` of the frame, true = outlying.
    pub pixels: Array2<bool>,
    /// Amplifiers of the frame, whose regions the mask of the run needs.
    pub amplifiers: Vec<Amplifier>,
}

/// An active pixel is outlying if q > m + n_mad·d and q ≤ q_max_adu; m, d: median and MAD of the overscan pixels of its
/// row (of the active ones without overscan).
///
/// # Errors
/// The reason why it cannot be said.
pub fn find(raw: &RawData, amplifiers: &[Amplifier], config: &ElementConfig) -> Result<Outliers, String> {
    let name = if config.image.is_empty() { SUBTRACTED } else { &config.image };
    let image = raw.image(name).map_err(|e| e.to_string())?;
    let mut pixels = Array2::from_elem(image.dim(), false);
    let mut values = Vec::new();
    for amplifier in amplifiers {
        let n_mad = config.number("n_mad", amplifier)?;
        let highest = config.number("q_max_adu", amplifier)?;
        let (active, overscan) = (&amplifier.active, &amplifier.overscan);
        for row in active.rows.clone() {
            let columns = if overscan.cols.is_empty() { active.cols.clone() } else { overscan.cols.clone() };
            values.clear();
            values.extend(columns.map(|col| image[[row, col]]).filter(|q| q.is_finite()));
            let (median, mad) = robust::median_and_mad_in_place(&mut values);
            let limit = median + n_mad * mad;
            for col in active.cols.clone() {
                let q = image[[row, col]];
                pixels[[row, col]] = q > limit && q <= highest;
            }
        }
    }
    Ok(Outliers { pixels, amplifiers: amplifiers.to_vec() })
}
