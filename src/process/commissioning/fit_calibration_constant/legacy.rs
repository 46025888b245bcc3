//! The reference's estimate of the gain (spec 04 §2.2), to compare with older results.
//!
//! Peaks are located one after the other in windows that follow from the peak before; the line is not weighted. It needs
//! gains of many ADU/e⁻ and a 0 e⁻ peak that stands alone.
//!
//! Pixels below half of the minimum are left out of the search for the first two peaks only, not of the peaks: without
//! the tail of the 0 e⁻ peak its width would be 5 % smaller (0.1717 instead of 0.1816 e⁻ in set B of spec 04 §7.2), all
//! windows, which begin three of these widths above the peak before, would move, and the gain with them (43.197 instead
//! of 43.277).

use crate::stats::charge_comb::{CombFit, CombPeak, NotResolved, Seed, SeedPeak};
use crate::stats::peak_finder::{PeakConditions, find_peaks};
use crate::stats::polynomial::fit_polynomial;
use crate::stats::robust;

/// Estimates the comb as the reference does.
///
/// # Errors
/// If there are fewer than two peaks.
pub fn legacy_comb(values: &[f64], n_peaks: usize, start: Option<f64>, n_sigma: f64) -> Result<CombFit, NotResolved> {
    let not_resolved = |reason: &str| NotResolved { reason: reason.to_owned() };
    let values: Vec<f64> = values.iter().copied().filter(|x| x.is_finite()).collect();
    let (smallest, _) = robust::min_max(&values).ok_or_else(|| not_resolved("there is no pixel"))?;
    let above: Vec<f64> = values.iter().copied().filter(|x| *x > 0.5 * smallest).collect();
    let seed = seed(&above, start)?;
    let k0 = seed.spacing;
    let charges: Vec<f64> = values.iter().map(|x| x / k0).collect();
    let lowest = robust::min_max(&charges).map_or(0.0, |m| m.0);
    let mut peaks: Vec<CombPeak> = Vec::new();
    for i in 0..n_peaks.max(2) {
        let (low, high) = match (peaks.first(), peaks.last()) {
            (Some(first), Some(last)) => {
                let low = (last.mu + n_sigma * first.sigma) / k0;
                (low, low + 1.0)
            }
            _ => (lowest, 2.0),
        };
        let inside = |x: f64| x > low && if i == 0 { x < high } else { x <= high };
        let selected: Vec<f64> = charges.iter().copied().filter(|x| inside(*x)).collect();
        match estimate(&selected) {
            Some((mu, sigma)) => peaks.push(CombPeak::of(mu * k0, sigma * k0, selected.len() as f64)),
            None => break,
        }
    }
    if peaks.len() < 2 {
        return Err(not_resolved("fewer than two peaks were found"));
    }
    let x: Vec<f64> = (0..peaks.len()).map(|i| i as f64).collect();
    let mu: Vec<f64> = peaks.iter().map(|p| p.mu).collect();
    let fit = |sigma: f64| {
        fit_polynomial(&x, &mu, &vec![sigma; x.len()], 1).map_err(|e| NotResolved { reason: e.to_string() })
    };
    // errors from the scatter of the points; with two points there is none
    let scatter = fit(1.0)?.chi2_per_ndf().max(0.0).sqrt();
    let line = fit(if scatter > 0.0 { scatter } else { peaks[0].mu_error.hypot(peaks[1].mu_error) })?;
    let spacings: Vec<f64> = mu.windows(2).map(|w| w[1] - w[0]).collect();
    let total: f64 = (1..=spacings.len()).map(|i| 1.0 / i as f64).sum();
    let weighted = spacings.iter().enumerate().map(|(i, s)| s / (i + 1) as f64).sum::<f64>() / total;
    let mut warnings = vec!["method `legacy`: kept for comparison with older results only".to_owned()];
    if k0 < 0.0 {
        warnings.push("the second peak lies below the first: is the polarity inverted (--invert)?".into());
    }
    let noise = mean_width(&peaks);
    Ok(CombFit {
        seed,
        peaks,
        noise,
        unweighted_slope: line.coefficients[1],
        line,
        parabola: None,
        median_spacing: robust::median(&spacings),
        weighted_spacing: weighted,
        warnings,
    })
}

/// Mean of the widths, weighted by their errors, and its error.
fn mean_width(peaks: &[CombPeak]) -> (f64, f64) {
    let total: f64 = peaks.iter().map(|p| p.sigma_error.powi(-2)).sum();
    let sum: f64 = peaks.iter().map(|p| p.sigma * p.sigma_error.powi(-2)).sum();
    (sum / total, total.sqrt().recip())
}

/// The two most prominent peaks of a histogram of 1 ADU bins.
fn seed(values: &[f64], start: Option<f64>) -> Result<Seed, NotResolved> {
    let not_resolved = |reason: &str| NotResolved { reason: reason.to_owned() };
    let (low, high) = robust::min_max(values).ok_or_else(|| not_resolved("there is no pixel"))?;
    let (median, mad) = robust::median_and_mad(values);
    let mut single = None;
    for n in 3..103 {
        let end = median + f64::from(n) * mad;
        let bins = (end - low).floor();
        if !(1.0..1e7).contains(&bins) {
            break;
        }
        let mut counts = vec![0.0; bins as usize];
        for x in values.iter().filter(|x| **x < low + bins) {
            counts[((x - low) as usize).min(bins as usize - 1)] += 1.0;
        }
        let conditions = PeakConditions { height: None, distance: start.filter(|c| *c >= 1.0), prominence: Some(10.0) };
        let peaks = find_peaks(&counts, conditions);
        let mut found: Vec<SeedPeak> = peaks
            .iter()
            .map(|p| SeedPeak { at: low + p.index as f64 + 0.5, height: p.height, prominence: p.prominence })
            .collect();
        found.sort_by(|a, b| b.prominence.total_cmp(&a.prominence));
        let seed = |peaks: Vec<SeedPeak>, spacing: f64| Seed {
            first: peaks[0].at,
            spacing,
            guided: start.is_some(),
            peaks,
            low,
            width: 1.0,
            counts: counts.clone(),
        };
        if let [first, second, ..] = found.as_slice() {
            let spacing = ((second.at - first.at) * 100.0).round() / 100.0;
            return Ok(seed(vec![*first, *second], spacing));
        }
        if let (1, Some(c)) = (found.len(), start) {
            single = Some(seed(found, c));
        }
        if end > high {
            break;
        }
    }
    single.ok_or_else(|| not_resolved("fewer than two peaks stand out in bins of 1 ADU"))
}

/// Position and width of the highest bump of a window, in electrons.
fn estimate(selected: &[f64]) -> Option<(f64, f64)> {
    if selected.is_empty() {
        return None;
    }
    let (median, mad) = robust::median_and_mad(selected);
    let within = |centre: f64, half: f64| -> Vec<f64> {
        selected.iter().copied().filter(|x| (x - centre).abs() <= half).collect()
    };
    let moments = |part: &[f64]| {
        let (mean, std) = robust::mean_and_std(part, robust::Ddof::Population);
        (mean.is_finite() && std > 0.0).then_some((mean, std))
    };
    if selected.len() <= 50 {
        return moments(&within(median, 7.0 * mad));
    }
    let bins = selected.len().isqrt();
    let (low, high) = (median - 7.0 * mad, median + 7.0 * mad);
    let histogram = crate::stats::Histogram::window(selected, low, high, bins).ok()?;
    let density = histogram.density();
    let mut threshold = 0.1;
    let peak = loop {
        let found = find_peaks(&density, PeakConditions { prominence: Some(threshold), ..Default::default() });
        if let Some(peak) = found.iter().max_by(|a, b| a.height.total_cmp(&b.height)) {
            break histogram.edge(peak.index);
        }
        threshold *= 0.5;
        if threshold < 1e-9 {
            return None;
        }
    };
    moments(&within(peak, 4.0 * mad))
}
