//! Peaks of a binned distribution.
//!
//! * [`smoothed`]: the first maximum of the twice smoothed contents that reaches a quarter of the highest one. Default
//!   for pedestals of exposed images (spec 02 §3.3).
//! * [`first_bump`]: what the reference does, a numerical derivative of the linearly interpolated histogram changing
//!   sign. It takes any one-count fluctuation in the left tail for the peak; kept for comparison with old results.
//! * [`find_peaks`]: local maxima selected by height, mutual distance and prominence, with the conventions of SciPy's
//!   `signal.find_peaks` (plateaus give their middle sample, the first and last sample are never peaks).

use crate::stats::error::StatsError;

/// Which peak a Gaussian fit starts from in images with several charge peaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PeakFinder {
    /// [`smoothed`].
    #[default]
    Smoothed,
    /// [`first_bump`].
    FirstBump,
}

impl PeakFinder {
    /// The finder named in a configuration (case-insensitive).
    ///
    /// # Errors
    /// Unknown name.
    pub fn from_name(name: &str) -> Result<Self, StatsError> {
        match name.to_ascii_lowercase().as_str() {
            "smoothed" => Ok(Self::Smoothed),
            "first_bump" => Ok(Self::FirstBump),
            _ => Err(StatsError::UnknownPeakFinder { name: name.to_owned() }),
        }
    }

    /// 0-based peak bin of `contents` on [lo, hi]; `n_values` is the size of the sample.
    pub fn find(self, contents: &[f64], lo: f64, hi: f64, n_values: usize) -> Option<usize> {
        match self {
            Self::Smoothed => smoothed(contents),
            Self::FirstBump => first_bump(contents, lo, hi, n_values),
        }
    }
}

/// 0-based bin of the first maximum of the contents, smoothed twice with weights (1, 2, 1)/4 (edge bins replicated),
/// that is at least a quarter of the largest smoothed value. The first and last bin are never taken.
pub fn smoothed(contents: &[f64]) -> Option<usize> {
    let n = contents.len();
    if n < 3 {
        return None;
    }
    let smooth = |y: &[f64]| -> Vec<f64> {
        (0..n).map(|i| 0.25 * (y[i.saturating_sub(1)] + 2.0 * y[i] + y[(i + 1).min(n - 1)])).collect()
    };
    let s = smooth(&smooth(contents));
    let threshold = 0.25 * s.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (1..n - 1).find(|&i| s[i] >= threshold && s[i] >= s[i - 1] && s[i] > s[i + 1])
}

/// 0-based bin of the first sign change, + to −, of the derivative of the interpolated histogram on [lo, hi].
///
/// Where the neighbours of a bin are equal the sign of the derivative is that of its rounding error; the expressions
/// below are therefore written operation by operation as in spec 02 §3.3 and must not be rearranged.
pub fn first_bump(contents: &[f64], lo: f64, hi: f64, n_values: usize) -> Option<usize> {
    let n = contents.len();
    if n < 2 || lo.partial_cmp(&hi) != Some(std::cmp::Ordering::Less) {
        return None;
    }
    let width = (hi - lo) / n as f64;
    // centre of the 1-based bin i
    let centre = |i: usize| lo + (i as f64 - 1.0) * width + 0.5 * width;
    let content = |i: usize| contents[i - 1];
    let interpolate = |x: f64| {
        if x <= centre(1) {
            return content(1);
        }
        if x >= centre(n) {
            return content(n);
        }
        let bin = (1 + (n as f64 * (x - lo) / (hi - lo)) as usize).min(n);
        let left = if x <= centre(bin) { bin - 1 } else { bin };
        // both neighbours exist unless rounding put x beyond the outermost centres
        let left = left.clamp(1, n - 1);
        let (x0, y0) = (centre(left), content(left));
        let (x1, y1) = (centre(left + 1), content(left + 1));
        y0 + (x - x0) * ((y1 - y0) / (x1 - x0))
    };
    let h = 0.001 * (hi - lo);
    let derivative = |x: f64| {
        let wide = interpolate(x + h) - interpolate(x - h);
        let narrow = interpolate(x + h / 2.0) - interpolate(x - h / 2.0);
        (1.0 / (2.0 * h)) * (8.0 * narrow - wide) / 3.0
    };
    let mut before = 0.0;
    for i in 1..=n.min(n_values) {
        let here = derivative(centre(i));
        if here < 0.0 && before > 0.0 {
            return Some(i - 1);
        }
        before = here;
    }
    None
}

/// Conditions a local maximum must meet; absent ones are not applied.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PeakConditions {
    /// Smallest value at the peak.
    pub height: Option<f64>,
    /// Smallest distance between peaks, in samples; of two closer ones the higher stays (the later of equals).
    pub distance: Option<f64>,
    /// Smallest prominence: height above the higher of the two lowest points that separate the peak from higher ground
    /// (or from the end of the data) on either side.
    pub prominence: Option<f64>,
}

/// A local maximum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// Sample, 0-based; the middle one (rounded down) of a plateau.
    pub index: usize,
    /// Value there.
    pub height: f64,
    /// Height above the surrounding baseline.
    pub prominence: f64,
}

/// Local maxima of `y` in order, selected by height, then distance, then prominence.
pub fn find_peaks(y: &[f64], conditions: PeakConditions) -> Vec<Peak> {
    let mut indices = local_maxima(y);
    if let Some(height) = conditions.height {
        indices.retain(|&i| y[i] >= height);
    }
    if let Some(distance) = conditions.distance {
        indices = keep_distant(y, &indices, distance);
    }
    let peaks = indices.into_iter().map(|index| Peak { index, height: y[index], prominence: prominence(y, index) });
    match conditions.prominence {
        Some(smallest) => peaks.filter(|peak| peak.prominence >= smallest).collect(),
        None => peaks.collect(),
    }
}

/// Samples higher than both neighbours; for plateaus higher than both ends' neighbours, the middle one.
fn local_maxima(y: &[f64]) -> Vec<usize> {
    let mut maxima = Vec::new();
    let mut i = 1;
    while i + 1 < y.len() {
        if y[i - 1] < y[i] {
            let mut end = i;
            while end + 1 < y.len() && y[end + 1] == y[i] {
                end += 1;
            }
            if end + 1 < y.len() && y[end + 1] < y[i] {
                maxima.push((i + end) / 2);
            }
            i = end + 1;
        } else {
            i += 1;
        }
    }
    maxima
}

/// Removes peaks closer than `distance` samples to a higher one, from the highest down.
fn keep_distant(y: &[f64], indices: &[usize], distance: f64) -> Vec<usize> {
    let distance = distance.ceil();
    let mut order: Vec<usize> = (0..indices.len()).collect();
    order.sort_by(|&a, &b| y[indices[a]].total_cmp(&y[indices[b]]));
    let mut keep = vec![true; indices.len()];
    for &here in order.iter().rev() {
        if !keep[here] {
            continue;
        }
        for other in (0..here).rev().take_while(|&k| ((indices[here] - indices[k]) as f64) < distance) {
            keep[other] = false;
        }
        for other in (here + 1..indices.len()).take_while(|&k| ((indices[k] - indices[here]) as f64) < distance) {
            keep[other] = false;
        }
    }
    indices.iter().zip(keep).filter_map(|(&index, keep)| keep.then_some(index)).collect()
}

/// Height of the sample `index` above its surroundings.
fn prominence(y: &[f64], index: usize) -> f64 {
    let top = y[index];
    let lowest = |samples: &mut dyn Iterator<Item = f64>| samples.take_while(|&v| v <= top).fold(top, f64::min);
    let left = lowest(&mut y[..=index].iter().rev().copied());
    let right = lowest(&mut y[index..].iter().copied());
    top - left.max(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row 0 of the real image, spec 02 §12.1.
    const ROW_0: [f64; 50] = [
        1., 3., 10., 15., 26., 31., 74., 51., 56., 66., 46., 33., 10., 10., 3., 5., 0., 0., 1., 0., 1., 0., 4., 3.,
        16., 20., 14., 12., 19., 9., 13., 6., 1., 1., 0., 0., 0., 0., 1., 1., 0., 5., 2., 2., 5., 6., 9., 3., 2., 0.,
    ];

    #[test]
    fn peak_bins_of_a_real_row() {
        assert_eq!(first_bump(&ROW_0, -40.941935, -37.326778, 597), Some(7));
        assert_eq!(smoothed(&ROW_0), Some(8));
    }

    #[test]
    fn stray_counts_fool_only_the_old_finder() {
        let counts = [0., 0., 2., 1., 0., 0., 4., 9., 30., 45., 31., 8., 1., 0., 12., 20., 11., 0.];
        assert_eq!(first_bump(&counts, 0.0, 18.0, 174), Some(3));
        assert_eq!(smoothed(&counts), Some(9));
    }

    #[test]
    fn monotonic_or_empty_contents_have_no_peak() {
        for counts in [&[][..], &[1.0], &[1.0, 2.0], &[1.0, 2.0, 3.0, 4.0]] {
            assert_eq!(smoothed(counts), None);
            assert_eq!(first_bump(counts, 0.0, 1.0, 10), None);
        }
        assert_eq!(first_bump(&[0.0, 1.0, 0.0], 1.0, 1.0, 10), None);
        assert_eq!(first_bump(&[0.0, 1.0, 0.0], f64::NAN, 1.0, 10), None);
    }

    #[test]
    fn prominences() {
        // two hills and a plateau; saddle heights read off by eye
        let y = [0.0, 5.0, 2.0, 4.0, 1.0, 3.0, 3.0, 3.0, 0.0];
        let peaks = find_peaks(&y, PeakConditions::default());
        let found: Vec<(usize, f64)> = peaks.iter().map(|p| (p.index, p.prominence)).collect();
        assert_eq!(found, [(1, 5.0), (3, 2.0), (6, 2.0)]);
        let tall = find_peaks(&y, PeakConditions { height: Some(3.5), ..Default::default() });
        assert_eq!(tall.len(), 2);
        let distant = find_peaks(&y, PeakConditions { distance: Some(3.0), ..Default::default() });
        assert_eq!(distant.iter().map(|p| p.index).collect::<Vec<_>>(), [1, 6]);
        let prominent = find_peaks(&y, PeakConditions { prominence: Some(2.5), ..Default::default() });
        assert_eq!(prominent.iter().map(|p| p.index).collect::<Vec<_>>(), [1]);
        assert!(find_peaks(&[1.0, 1.0, 1.0], PeakConditions::default()).is_empty());
    }
}
