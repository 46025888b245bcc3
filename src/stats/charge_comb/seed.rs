//! Where the comb starts: the first peak and the spacing, from the peaks of a histogram (spec 04 §2.3 A).
//!
//! The width of the bins is not known beforehand (gains from 1 to 50 ADU/e⁻ occur): several are tried, from a quarter of
//! the MAD downwards. Counts are made homoscedastic by y = 2 √(h + 3/8) (Anscombe), so that one threshold on the
//! prominence means the same significance everywhere.

use super::{CombOptions, NotResolved};
use crate::stats::peak_finder::{PeakConditions, find_peaks};
use crate::stats::robust;

/// Smallest prominence of 2 √(h + 3/8): about five standard deviations.
const PROMINENCE: f64 = 5.0;
/// Halvings of a quarter of the MAD to the finest bins.
const FINEST: u32 = 6;
/// Histograms are not made finer than this.
const MAX_BINS: usize = 1 << 20;

/// A peak of the search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeedPeak {
    /// Centre of its bin.
    pub at: f64,
    /// Smoothed counts there.
    pub height: f64,
    /// Prominence of 2 √(h + 3/8).
    pub prominence: f64,
}

/// Start values of the comb and the histogram in which they were found.
#[derive(Debug, Clone, PartialEq)]
pub struct Seed {
    /// Position of the first peak.
    pub first: f64,
    /// Spacing of the peaks.
    pub spacing: f64,
    /// Whether the start value of the user helped.
    pub guided: bool,
    /// All accepted peaks.
    pub peaks: Vec<SeedPeak>,
    /// Lower edge of the histogram; values below were ignored.
    pub low: f64,
    /// Width of its bins.
    pub width: f64,
    /// Its contents.
    pub counts: Vec<f64>,
}

/// A seed, warnings that say where data and start value disagree, and the bin width at which the search may go on if it
/// turns out to be none.
pub type Found = (Seed, Vec<String>, Option<u32>);

/// Looks for the comb, beginning with bins of MAD/4·2^−`from`.
///
/// # Errors
/// If there are fewer than two peaks and no start value, or no peak at all.
pub fn find_seed(values: &[f64], options: &CombOptions, from: u32) -> Result<Found, NotResolved> {
    let Some((smallest, _)) = robust::min_max(values) else {
        return Err(NotResolved::because("there is no pixel"));
    };
    let (median, mad) = robust::median_and_mad(values);
    if !(mad > 0.0) {
        return Err(NotResolved::because(format!("more than half of the pixels have the value {median}")));
    }
    let search = Search { values, median, mad, low: smallest.max(median - 20.0 * mad) };
    let start = options.start.filter(|c| c.is_finite() && *c > 0.0);
    let mut warnings = Vec::new();
    let unguided = if options.force_start && start.is_some() { None } else { search.unguided(from) };
    if let Some((seed, width)) = unguided {
        if let Some(c) = start
            && (seed.spacing / c - 1.0).abs() > 0.3
        {
            warnings.push(format!(
                "the peaks are {:.3} apart, not {c} as `calibration` says; the data win (`force_calibration` starts from \
                 the given value)",
                seed.spacing
            ));
        }
        return Ok((seed, warnings, Some(width + 1)));
    }
    let Some(c) = start.filter(|_| from == 0) else {
        return Err(NotResolved::because(
            "fewer than two peaks stand out and `calibration` (--cal) gives no start value",
        ));
    };
    let seed = search.guided(c).ok_or_else(|| NotResolved::because("no peak stands out"))?;
    if seed.peaks.len() == 1 {
        warnings.push(format!("only one peak stands out; the search for the others starts from `calibration` = {c}"));
    }
    Ok((seed, warnings, None))
}

/// The first peak of the longest run of neighbours. In a bright image the overscan makes a peak of its own at 0 e⁻, far
/// below those of the exposed pixels; a comb that started there would find nothing to hold on to.
fn start_of_comb(peaks: &[SeedPeak], spacing: f64) -> f64 {
    let (mut best, mut best_length) = (peaks[0].at, 0);
    let mut start = 0;
    for i in 0..peaks.len() {
        if i > 0 && peaks[i].at - peaks[i - 1].at > 1.6 * spacing {
            start = i;
        }
        if i + 1 - start > best_length {
            (best, best_length) = (peaks[start].at, i + 1 - start);
        }
    }
    best
}

struct Search<'a> {
    values: &'a [f64],
    median: f64,
    mad: f64,
    low: f64,
}

impl Search<'_> {
    /// Bin widths from MAD/4·2^−`from` to MAD/256: the first that shows peaks, and its number.
    fn unguided(&self, from: u32) -> Option<(Seed, u32)> {
        (from..=FINEST).find_map(|j| {
            let width = self.mad / 4.0 / f64::from(1 << j);
            let seed = self.with_width(width, None)?;
            (seed.peaks.len() >= 2 && seed.spacing >= 8.0 * width).then_some((seed, j))
        })
    }

    /// Peaks about `spacing` apart.
    fn guided(&self, spacing: f64) -> Option<Seed> {
        self.with_width(spacing / 20.0, Some(spacing))
    }

    /// The first range that shows two peaks; with a start value, else the last one that shows a single peak.
    fn with_width(&self, width: f64, start: Option<f64>) -> Option<Seed> {
        let counts = self.histogram(width)?;
        let mut single = None;
        for n in 3..=102 {
            let bins = ((self.median + f64::from(n) * self.mad - self.low) / width).ceil() as usize;
            let part = &counts[..bins.min(counts.len())];
            let peaks = self.peaks(part, width, start);
            let seed = |first: f64, spacing: f64| Seed {
                first,
                spacing,
                guided: start.is_some(),
                peaks: peaks.clone(),
                low: self.low,
                width,
                counts: part.to_vec(),
            };
            if peaks.len() >= 2 {
                let spacings: Vec<f64> = peaks.windows(2).map(|p| p[1].at - p[0].at).collect();
                let spacing = robust::median(&spacings);
                return Some(seed(start_of_comb(&peaks, spacing), spacing));
            }
            if let (1, Some(c)) = (peaks.len(), start) {
                single = Some(seed(peaks[0].at, c));
            }
            if bins >= counts.len() {
                break;
            }
        }
        single
    }

    /// The histogram up to median + 102 MAD or the largest value.
    fn histogram(&self, width: f64) -> Option<Vec<f64>> {
        let (_, largest) = robust::min_max(self.values)?;
        let end = (self.median + 102.0 * self.mad).min(largest + width);
        let bins = ((end - self.low) / width).ceil();
        if !(bins >= 1.0 && bins <= MAX_BINS as f64) {
            return None;
        }
        let mut counts = vec![0.0; bins as usize];
        for x in self.values.iter().filter(|x| **x >= self.low) {
            if let Some(count) = counts.get_mut(((x - self.low) / width) as usize) {
                *count += 1.0;
            }
        }
        Some(counts)
    }

    fn peaks(&self, counts: &[f64], width: f64, start: Option<f64>) -> Vec<SeedPeak> {
        let n = counts.len();
        let smooth: Vec<f64> = (0..n)
            .map(|i| {
                let part = &counts[i.saturating_sub(1)..(i + 2).min(n)];
                part.iter().sum::<f64>() / part.len() as f64
            })
            .collect();
        let y: Vec<f64> = smooth.iter().map(|h| 2.0 * (h + 0.375).sqrt()).collect();
        let distance = start.map(|c| 0.6 * c / width);
        let found = find_peaks(&y, PeakConditions { height: None, distance, prominence: Some(PROMINENCE) });
        found
            .into_iter()
            .map(|p| SeedPeak {
                at: self.low + (p.index as f64 + 0.5) * width,
                height: smooth[p.index],
                prominence: p.prominence,
            })
            .collect()
    }
}
