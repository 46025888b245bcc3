//! Charge lost between skips (id 80, off by default): the tails of the differences to a reference skip (spec 04 §6.2).
//!
//! k_CL = (N₊ − N₋)/(N₊ + N₋), where N± counts pixels whose difference lies more than t standard deviations above or
//! below its mean; the standard deviation is that of the pixels within 3 σ, corrected for the truncation. The element is
//! k_CL divided by its error.

use super::{Reason, Shot, vector};
use crate::dqm::model::{Entry, Extra};
use crate::stats::robust::{self, Ddof, MAD_TO_SIGMA};

/// Standard deviation of a Gaussian truncated at 3 σ, in σ.
const TRUNCATION: f64 = 0.986_578;
/// Fewest pixels.
const FEWEST: usize = 100;

/// Charge loss between two skips.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChargeLoss {
    /// Coefficient k_CL.
    pub coefficient: f64,
    /// Its error.
    pub error: f64,
    /// Pixels above and below.
    pub counts: (usize, usize),
}

/// Coefficient and error for counts above and below; `None` if both are 0.
pub fn coefficient(above: usize, below: usize) -> Option<ChargeLoss> {
    if above + below == 0 {
        return None;
    }
    let (p, m) = (above as f64, below as f64);
    let (pu, mu) = (p.max(1.0), m.max(1.0));
    let total = pu + mu;
    let error = 2.0 * (pu * mu * total).sqrt() / (total * total);
    Some(ChargeLoss { coefficient: (p - m) / (p + m), error, counts: (above, below) })
}

/// Charge loss from the differences of two skips, zeros left out (saturation); the reason why there is none.
///
/// # Errors
/// Too few pixels, no spread, nothing in the tails.
pub fn of_differences(differences: &[f64], threshold: f64) -> Result<ChargeLoss, String> {
    let d: Vec<f64> = differences.iter().copied().filter(|d| d.is_finite() && *d != 0.0).collect();
    if d.len() < FEWEST {
        return Err(format!("only {} pixels differ", d.len()));
    }
    let (mut mu, mad) = robust::median_and_mad(&d);
    let mut sigma = MAD_TO_SIGMA * mad;
    for _ in 0..100 {
        let near: Vec<f64> = d.iter().copied().filter(|d| (d - mu).abs() < 3.0 * sigma).collect();
        if near.len() < FEWEST || !(sigma > 0.0) {
            return Err("the differences have no spread".into());
        }
        let (mean, std) = robust::mean_and_std(&near, Ddof::Population);
        let change = (mean - mu).abs().max((std / TRUNCATION - sigma).abs());
        (mu, sigma) = (mean, std / TRUNCATION);
        if change < 1e-9 * sigma {
            break;
        }
    }
    let above = d.iter().filter(|d| **d - mu > threshold * sigma).count();
    let below = d.iter().filter(|d| **d - mu < -threshold * sigma).count();
    coefficient(above, below).ok_or_else(|| "no pixel lies in the tails".into())
}

/// Entry of id 80.
pub(super) fn entry(shot: &Shot<'_>) -> Result<Entry, Reason> {
    let Some(cube) = shot.raw.cube.as_ref().filter(|_| shot.raw.nskips > 1) else {
        return Err("the image holds no single skips".into());
    };
    let n = shot.raw.nskips as i64;
    // Negative skips count from the end.
    let skip = |key: &str| -> Result<usize, Reason> {
        let s = shot.number(key)? as i64;
        usize::try_from(if s < 0 { n + s } else { s })
            .ok()
            .filter(|s| *s < n as usize)
            .ok_or_else(|| format!("`{key}` is {s}, the image has {n} skips"))
    };
    let (start, end, reference) = (skip("id_skip_start")?, skip("id_skip_end")?, skip("id_skip_reference")?);
    let threshold = shot.number("kcl_threshold")?;
    let step = shot.count("skip_step")?.max(1);
    let step = if 2 * step > end.saturating_sub(start) { 1 } else { step };
    let skips: Vec<usize> = (start..=end).step_by(step).filter(|s| *s != reference).collect();
    let mut wanted = skips.clone();
    wanted.push(reference);
    let images = cube.skip_images(&wanted).map_err(|e| e.to_string())?;
    let clusters = shot.raw.masks.get("mask_clusters").map(|m| &m.pixels);
    let region = &shot.amplifier.active;
    let last = &images[images.len() - 1];
    let (mut x, mut y, mut above, mut below) = (Vec::new(), Vec::new(), 0, 0);
    for (s, image) in skips.iter().zip(&images) {
        let differences: Vec<f64> = region
            .rows
            .clone()
            .flat_map(|r| region.cols.clone().map(move |c| [r, c]))
            .filter(|at| !clusters.is_some_and(|m| m[*at]))
            .map(|at| image[at] - last[at])
            .collect();
        if let Ok(loss) = of_differences(&differences, threshold) {
            x.push(*s as f64);
            y.push(loss.coefficient / loss.error);
            above += loss.counts.0;
            below += loss.counts.1;
        }
    }
    if x.is_empty() {
        return Err("no skip gives an estimate".into());
    }
    let mut entry = vector(x, y);
    entry.extra.insert("tails".into(), Extra::Text(format!("N_blw={below}, N_abv={above}")));
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coefficients_of_the_specification() {
        let k = coefficient(40, 160).unwrap();
        assert!((k.coefficient + 0.6).abs() < 1e-12 && (k.error - 0.056569).abs() < 5e-7);
        let k = coefficient(20, 0).unwrap();
        assert!(k.coefficient == 1.0 && (k.error - 0.092943).abs() < 5e-7);
        assert!(coefficient(0, 0).is_none());
    }
}
