//! Pixel-charge distributions: ids 40–43.

use super::{Reason, Shot, extra};
use crate::dqm::model::{Entry, Extra, HistogramCounts, Values};
use crate::stats::gaussian_fit::{GaussianFitSettings, Outcome, StartRule, fit_gaussian};
use crate::stats::histogram::{BinRule, Histogram};
use crate::stats::robust;

/// Bin width of the distributions in electrons.
const WIDTH: f64 = 0.02;
/// Range of the single-electron spectrum, e⁻.
const SPECTRUM: (f64, f64) = (-2.0, 10.0);
/// Most bins that are stored.
const MOST_BINS: usize = 1_000_000;

/// Counts in bins of [`WIDTH`] whose edges are multiples of it; trailing empty bins are left out.
fn count(values: impl Iterator<Item = f64> + Clone) -> Result<HistogramCounts, Reason> {
    let range = values
        .clone()
        .filter(|q| q.is_finite())
        .fold(None, |r: Option<(f64, f64)>, q| Some(r.map_or((q, q), |(lo, hi)| (lo.min(q), hi.max(q)))));
    let Some((low, high)) = range else { return Err("there is no pixel".into()) };
    let first = (low / WIDTH).floor();
    let bins = (high / WIDTH).floor() - first + 1.0;
    if !(bins <= MOST_BINS as f64) {
        return Err(format!("the charges run from {low:.4e} to {high:.4e} e⁻, too many bins of {WIDTH} e⁻"));
    }
    let mut counts = vec![0u32; bins as usize];
    for q in values.filter(|q| q.is_finite()) {
        let bin = ((q / WIDTH).floor() - first) as usize;
        if let Some(n) = counts.get_mut(bin) {
            *n = n.saturating_add(1);
        }
    }
    Ok(HistogramCounts { first_edge: first * WIDTH, width: WIDTH, counts })
}

fn stored(histogram: HistogramCounts) -> Entry {
    let pixels: f64 = histogram.counts.iter().map(|n| f64::from(*n)).sum();
    let mut entry = Entry { histogram: Some(histogram), ..Entry::default() };
    entry.extra.insert("pixels".into(), Extra::Integer(pixels as i64));
    entry
}

/// Id 40: overscan pixels of the averaged image divided by the gain: the raw baseline.
pub(super) fn overscan(shot: &Shot<'_>) -> Result<Entry, Reason> {
    let factor = shot.electrons()?;
    let pixels = shot.overscan()?.view(shot.image(&shot.config.image)?);
    let mut entry = stored(count(pixels.iter().map(|q| q * factor))?);
    extra(&mut entry, "gain", shot.gain().unwrap_or(f64::NAN));
    Ok(entry)
}

/// Id 41: active pixels below the lowest one plus `threshold`.
pub(super) fn active(shot: &Shot<'_>) -> Result<Entry, Reason> {
    let factor = shot.electrons()?;
    let threshold = shot.number("threshold")?;
    let pixels = shot.amplifier.active.view(shot.image(&shot.config.image)?);
    let lowest = pixels.iter().filter(|q| q.is_finite()).fold(f64::INFINITY, |lo, q| lo.min(q * factor));
    let limit = lowest + threshold;
    let mut entry = stored(count(pixels.iter().map(|q| q * factor).filter(move |q| *q < limit))?);
    extra(&mut entry, "gain", shot.gain().unwrap_or(f64::NAN));
    Ok(entry)
}

/// Id 43: active pixels outside of clusters between −2 and 10 e⁻.
pub(super) fn single_electrons(shot: &Shot<'_>) -> Result<Entry, Reason> {
    let factor = shot.electrons()?;
    let image = shot.image(&shot.config.image)?;
    let region = &shot.amplifier.active;
    let clusters = shot.raw.masks.get("mask_clusters").filter(|_| shot.config.truth("mask_clusters"));
    let bins = ((SPECTRUM.1 - SPECTRUM.0) / WIDTH).round() as usize;
    let mut counts = vec![0u32; bins];
    let mut masked = 0i64;
    for row in region.rows.clone() {
        for col in region.cols.clone() {
            if clusters.is_some_and(|m| m.pixels[[row, col]]) {
                masked += 1;
                continue;
            }
            let bin = ((image[[row, col]] * factor - SPECTRUM.0) / WIDTH).floor();
            if bin >= 0.0 && bin < bins as f64 {
                counts[bin as usize] = counts[bin as usize].saturating_add(1);
            }
        }
    }
    let mut entry = stored(HistogramCounts { first_edge: SPECTRUM.0, width: WIDTH, counts });
    extra(&mut entry, "gain", shot.gain().unwrap_or(f64::NAN));
    entry.extra.insert("masked".into(), Extra::Integer(masked));
    Ok(entry)
}

/// Id 42: Gaussian fit of the overscan pixels in ADU; max(10, ⌊0.5·range⌋) bins.
pub(super) fn overscan_peak(shot: &Shot<'_>) -> Result<Entry, Reason> {
    let pixels = shot.overscan()?.view(shot.image(&shot.config.image)?);
    let values: Vec<f64> = pixels.iter().copied().filter(|q| q.is_finite()).collect();
    let (low, high) = robust::min_max(&values).ok_or("the overscan has no values")?;
    if !(high > low) {
        return Err("all pixels of the overscan are equal".into());
    }
    let range = high - low;
    let bins = if range > 5.0 { ((0.5 * range) as usize).clamp(10, MOST_BINS) } else { 10 };
    let settings = GaussianFitSettings { bins: BinRule::Manual(bins), start: StartRule::Standard };
    let fit = fit_gaussian(&values, settings);
    if matches!(fit.outcome, Outcome::TooFewValues | Outcome::ConstantSample) {
        return Err("the overscan has too few values for a fit".into());
    }
    let histogram = Histogram::corrected(&values, low, high, bins).map_err(|e| e.to_string())?;
    let counts: Vec<u32> = histogram.counts().iter().map(|n| u32::try_from(*n).unwrap_or(u32::MAX)).collect();
    let width = range / bins as f64;
    let model = |x: f64| fit.amplitude * (-0.5 * ((x - fit.mu) / fit.sigma).powi(2)).exp();
    let expected: Vec<f64> = (0..bins).map(|k| model(low + (k as f64 + 0.5) * width)).collect();
    let mut entry = stored(HistogramCounts { first_edge: low, width, counts });
    entry.yfit = Values::Many(expected);
    entry.goodness = Values::One(if fit.ndf > 0 { fit.chi2 / fit.ndf as f64 } else { f64::NAN });
    for (name, value) in [
        ("amplitude", fit.amplitude),
        ("amplitude_err", fit.amplitude_error),
        ("mu", fit.mu),
        ("mu_err", fit.mu_error),
        ("sigma", fit.sigma),
        ("sigma_err", fit.sigma_error),
        ("chi2", fit.chi2),
    ] {
        extra(&mut entry, name, value);
    }
    entry.extra.insert("ndf".into(), Extra::Integer(fit.ndf));
    Ok(entry)
}
