//! Single-electron peaks one after the other, as far as there are data.
//!
//! Where the next peak lies is predicted from the last one and the mean spacing of the last five. Around the prediction,
//! within ±1.5 spacings, three Gaussians are fitted by expectation maximisation, and the middle one is kept: its
//! neighbours take up their own pixels, so that overlapping peaks do not pull it. The search ends after 20 peaks in a row
//! without enough pixels.
//!
//! [`together`] then fits all of them at once: only that gives errors that know of the overlap, and the correlations of
//! neighbours.

use super::Linearity;
use crate::stats::charge_comb::{CombPeak, FreePeaks, Sample, fit_free_peaks};

/// Peaks in a row without enough pixels that end the search.
const MISSING: usize = 20;
/// Peaks from which spacing and width are predicted.
const MEMORY: usize = 5;
/// Bins per spacing.
const BINS: f64 = 100.0;
/// Iterations at most.
const ITERATIONS: usize = 300;
/// How far a peak may lie from its prediction, in spacings.
const REACH: f64 = 0.3;
/// The widest peaks that count as resolved, in spacings.
const WIDEST: f64 = 0.45;

/// One peak.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// Number of electrons.
    pub electrons: usize,
    /// Position, width, pixels.
    pub fit: CombPeak,
}

/// Fits all peaks at once, from where they were found; the same peaks, without those that turn out to hold fewer than
/// `min_counts` pixels, and without those below `first` electrons, which are only neighbours of the others.
pub fn together(pixels: &Sample, peaks: &[Peak], first: usize, min_counts: f64) -> (Vec<usize>, FreePeaks) {
    let mut start: Vec<(f64, f64)> = Vec::new();
    let mut electrons: Vec<Option<usize>> = Vec::new();
    for (i, peak) in peaks.iter().enumerate() {
        if let Some(before) = i.checked_sub(1).map(|i| &peaks[i]) {
            // peaks that were not found have their place too, or their pixels would pull at the neighbours
            let steps = peak.electrons - before.electrons;
            for k in 1..steps {
                let share = k as f64 / steps as f64;
                start.push((before.fit.mu + share * (peak.fit.mu - before.fit.mu), before.fit.sigma));
                electrons.push(None);
            }
        }
        start.push((peak.fit.mu, peak.fit.sigma));
        electrons.push(Some(peak.electrons).filter(|n| *n >= first));
    }
    let (first, last) = (&peaks[0], &peaks[peaks.len() - 1]);
    let spacing = (last.fit.mu - first.fit.mu) / (last.electrons - first.electrons).max(1) as f64;
    let mut free = fit_free_peaks(pixels, &start, spacing);
    let keep: Vec<bool> =
        free.peaks.iter().zip(&electrons).map(|(p, n)| n.is_some() && p.counts >= min_counts).collect();
    free.retain(|i, _| keep[i]);
    let kept = electrons.into_iter().zip(keep).filter(|(_, keep)| *keep).filter_map(|(n, _)| n).collect();
    (kept, free)
}

/// The peaks of the comb (the first one of `zero` electrons) and all that follow up to `last` electrons. `sorted`: the
/// values in ascending order.
pub fn track(sorted: &[f64], comb: &[CombPeak], zero: usize, last: usize, min_counts: f64) -> Vec<Peak> {
    let mut peaks: Vec<Peak> = comb.iter().enumerate().map(|(i, p)| Peak { electrons: zero + i, fit: *p }).collect();
    let Some(end) = peaks.last().copied() else { return peaks };
    let (mut place, mut missing) = (end.fit.mu, 0);
    for electrons in end.electrons + 1..=last {
        let recent = &peaks[peaks.len().saturating_sub(MEMORY + 1)..];
        let (first, newest) = (recent[0], recent[recent.len() - 1]);
        if newest.electrons == first.electrons {
            break;
        }
        let spacing = (newest.fit.mu - first.fit.mu) / (newest.electrons - first.electrons) as f64;
        let sigma = recent.iter().map(|p| p.fit.sigma).sum::<f64>() / recent.len() as f64;
        let predicted = place + spacing;
        match middle(sorted, predicted, spacing, sigma) {
            Some(fit) if fit.counts >= min_counts => {
                peaks.push(Peak { electrons, fit });
                (place, missing) = (fit.mu, 0);
            }
            _ => {
                (place, missing) = (predicted, missing + 1);
                if missing == MISSING {
                    break;
                }
            }
        }
    }
    peaks
}

/// The middle one of three Gaussians around `predicted`; `None` if there are no pixels, or no peak.
fn middle(sorted: &[f64], predicted: f64, spacing: f64, sigma: f64) -> Option<CombPeak> {
    let low = predicted - 1.5 * spacing;
    let width = spacing / BINS;
    let n_bins = (3.0 * BINS) as usize;
    let from = sorted.partition_point(|x| *x < low);
    let to = sorted.partition_point(|x| *x < low + 3.0 * spacing);
    if to <= from || !(sigma > 0.0 && spacing > 0.0) {
        return None;
    }
    let mut counts = vec![0.0; n_bins];
    for x in &sorted[from..to] {
        counts[(((x - low) / width) as usize).min(n_bins - 1)] += 1.0;
    }
    let bins: Vec<(f64, f64)> = counts
        .iter()
        .enumerate()
        .filter(|(_, n)| **n > 0.0)
        .map(|(i, n)| (low + (i as f64 + 0.5) * width, *n))
        .collect();
    let total = (to - from) as f64;
    let centres = [predicted - spacing, predicted, predicted + spacing];
    let mut mu = centres;
    let mut s = [sigma; 3];
    let mut share = [1.0 / 3.0; 3];
    for _ in 0..ITERATIONS {
        let mut sums = [[0.0; 3]; 3];
        for &(x, n) in &bins {
            let density: [f64; 3] =
                std::array::from_fn(|i| share[i] / s[i] * (-0.5 * ((x - mu[i]) / s[i]).powi(2)).exp());
            let all: f64 = density.iter().sum();
            if all <= 0.0 {
                continue;
            }
            for i in 0..3 {
                let r = n * density[i] / all;
                let d = x - centres[i];
                sums[i][0] += r;
                sums[i][1] += r * d;
                sums[i][2] += r * d * d;
            }
        }
        let mut change = 0.0f64;
        for i in 0..3 {
            let [n, sum, squares] = sums[i];
            share[i] = n / total;
            if n < 1e-9 {
                continue;
            }
            let mean = (sum / n).clamp(-REACH * spacing, REACH * spacing);
            let variance = (squares / n - 2.0 * mean * sum / n + mean * mean).max(0.0);
            let next = centres[i] + mean;
            change = change.max((next - mu[i]).abs());
            mu[i] = next;
            // the width of a bin widens the peaks; it is removed again
            s[i] = (variance - width * width / 12.0).max(0.0).sqrt().clamp(0.3 * sigma, 2.0 * sigma);
        }
        if change < 1e-6 * spacing {
            break;
        }
    }
    let at_limit = (mu[1] - predicted).abs() > 0.999 * REACH * spacing;
    let peak = CombPeak::of(mu[1], s[1], share[1] * total);
    (!at_limit && peak.sigma < WIDEST * spacing).then_some(peak)
}

/// Distances of neighbouring peaks per electron: electron number of the upper one, distance, error.
pub fn spacings(found: &Linearity) -> Vec<(f64, f64, f64)> {
    found
        .peaks
        .windows(2)
        .enumerate()
        .map(|(i, w)| {
            let steps = (w[1].electrons - w[0].electrons) as f64;
            let variance = found.free.variance(&[(i, -1.0), (i + 1, 1.0)]);
            (w[1].electrons as f64, (w[1].fit.mu - w[0].fit.mu) / steps, variance.sqrt() / steps)
        })
        .collect()
}
