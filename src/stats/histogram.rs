//! Uniform histograms, the two bin-index rules of the reference, and the rules for the number of bins.
//!
//! Two index rules exist because existing results depend on them bin by bin:
//!
//! * [`corrected_bin`] (pedestal fits; spec 02 §3.2): b = trunc(n·(x − lo)/(hi − lo)), then moved by one so that
//!   lo + b·w ≤ x < lo + (b+1)·w, w = (hi − lo)/n. Averages of integers lie exactly on bin edges, and there only the
//!   corrected index is reproducible.
//! * [`window_bin`] (dark-current fits; spec 03 §1.3): floor(n·(x − lo)/(hi − lo)) for lo < x < hi strictly; an index
//!   that rounds up to n belongs to the last bin.

use crate::stats::error::StatsError;
use crate::stats::robust;

/// Largest number of bins of one histogram: 2²⁷ counts are 1 GiB, more than any plot or fit can use.
pub const MAX_BINS: usize = 1 << 27;

/// Largest number of bins a Gaussian fit uses (spec 02 D15).
pub const MAX_FIT_BINS: usize = 10_000;

/// Smallest number of bins a Gaussian fit uses, one per parameter (spec 02 D15).
pub const MIN_FIT_BINS: usize = 3;

/// 0-based bin of `x` on [lo, hi) with the edge correction; `None` outside and for NaN.
#[inline]
pub fn corrected_bin(x: f64, lo: f64, hi: f64, n_bins: usize) -> Option<usize> {
    if !(x >= lo && x < hi) {
        return None;
    }
    let n = n_bins as f64;
    let width = (hi - lo) / n;
    let mut bin = (n * (x - lo) / (hi - lo)) as usize;
    if x < lo + bin as f64 * width {
        bin = bin.saturating_sub(1);
    } else if x >= lo + (bin + 1) as f64 * width {
        bin += 1;
    }
    Some(bin.min(n_bins - 1))
}

/// 0-based bin of `x` in the open window (lo, hi); `None` outside and for NaN.
#[inline]
pub fn window_bin(x: f64, lo: f64, hi: f64, n_bins: usize) -> Option<usize> {
    if !(x > lo && x < hi) {
        return None;
    }
    Some(((n_bins as f64 * (x - lo) / (hi - lo)) as usize).min(n_bins - 1))
}

/// How the number of bins of a Gaussian fit follows from the sample (spec 02 §3.2, `hist_nbins_method`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BinRule {
    /// Bins two units wide: trunc(0.5·(max − min)) if max − min > 5, else 10.
    #[default]
    Default,
    /// 1 + ⌈log₂ n⌉.
    Sturges,
    /// ⌈(max − min)/(2·IQR·n^(−1/3))⌉ (Freedman & Diaconis 1981); Sturges when the IQR is 0.
    Freedman,
    /// A given number.
    Manual(usize),
}

impl BinRule {
    /// The rule named in a configuration (case-insensitive); `manual_bins` is used by `manual` only.
    ///
    /// # Errors
    /// Unknown name, or `manual` without a positive number of bins.
    pub fn from_name(name: &str, manual_bins: i64) -> Result<Self, StatsError> {
        match name.to_ascii_lowercase().as_str() {
            "default" => Ok(Self::Default),
            "sturge" | "sturges" => Ok(Self::Sturges),
            "freedman" => Ok(Self::Freedman),
            "manual" => match usize::try_from(manual_bins) {
                Ok(n) if n > 0 => Ok(Self::Manual(n)),
                _ => Err(StatsError::ManualBins { n_bins: manual_bins }),
            },
            _ => Err(StatsError::UnknownBinRule { name: name.to_owned() }),
        }
    }

    /// Number of bins for the values (free of NaN, reordered here) spanning `lo`…`hi`, within
    /// [`MIN_FIT_BINS`]…[`MAX_FIT_BINS`].
    pub fn bins_in_place(self, values: &mut [f64], lo: f64, hi: f64) -> usize {
        let n = values.len();
        let bins = match self {
            Self::Default if hi - lo > 5.0 => 0.5 * (hi - lo),
            Self::Default => 10.0,
            Self::Sturges => sturges(n) as f64,
            Self::Freedman => {
                let quartile_1 = robust::percentile_in_place(values, 25.0);
                let quartile_3 = robust::percentile_in_place(values, 75.0);
                let width = 2.0 * (quartile_3 - quartile_1) * (n as f64).powf(-1.0 / 3.0);
                if width > 0.0 { ((hi - lo) / width).ceil() } else { sturges(n) as f64 }
            }
            Self::Manual(bins) => bins as f64,
        };
        // the float-to-integer cast saturates, NaN becomes 0
        (bins as usize).clamp(MIN_FIT_BINS, MAX_FIT_BINS)
    }

    /// Number of bins for a sample (NaN left out), see [`BinRule::bins_in_place`].
    pub fn bins(self, sample: &[f64]) -> usize {
        let mut values = robust::present(sample).into_owned();
        match robust::min_max(&values) {
            Some((lo, hi)) => self.bins_in_place(&mut values, lo, hi),
            None => MIN_FIT_BINS,
        }
    }
}

/// Sturges' number of bins, 1 + ⌈log₂ n⌉.
pub fn sturges(n: usize) -> usize {
    // ⌈log₂ n⌉ is the number of bits of n − 1
    1 + (usize::BITS - n.saturating_sub(1).leading_zeros()) as usize
}

/// Counts in uniform bins on [lo, hi].
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    lo: f64,
    hi: f64,
    counts: Vec<u64>,
    outside: u64,
}

impl Histogram {
    /// An empty histogram.
    ///
    /// # Errors
    /// Empty or infinite range; no bins or more than [`MAX_BINS`].
    pub fn new(lo: f64, hi: f64, n_bins: usize) -> Result<Self, StatsError> {
        check(lo, hi, n_bins)?;
        Ok(Self { lo, hi, counts: vec![0; n_bins], outside: 0 })
    }

    /// A histogram of counts made elsewhere.
    ///
    /// # Errors
    /// Empty or infinite range; no bins or more than [`MAX_BINS`].
    pub fn from_counts(lo: f64, hi: f64, counts: Vec<u64>) -> Result<Self, StatsError> {
        check(lo, hi, counts.len())?;
        Ok(Self { lo, hi, counts, outside: 0 })
    }

    /// Histogram of the values in [lo, hi) with [`corrected_bin`].
    ///
    /// # Errors
    /// As [`Histogram::new`].
    pub fn corrected(sample: &[f64], lo: f64, hi: f64, n_bins: usize) -> Result<Self, StatsError> {
        Self::filled(sample, lo, hi, n_bins, corrected_bin)
    }

    /// Histogram of the values in the open window (lo, hi) with [`window_bin`].
    ///
    /// # Errors
    /// As [`Histogram::new`].
    pub fn window(sample: &[f64], lo: f64, hi: f64, n_bins: usize) -> Result<Self, StatsError> {
        Self::filled(sample, lo, hi, n_bins, window_bin)
    }

    fn filled(
        sample: &[f64],
        lo: f64,
        hi: f64,
        n_bins: usize,
        bin_of: impl Fn(f64, f64, f64, usize) -> Option<usize>,
    ) -> Result<Self, StatsError> {
        let mut histogram = Self::new(lo, hi, n_bins)?;
        for &x in sample {
            match bin_of(x, lo, hi, n_bins) {
                Some(bin) => histogram.counts[bin] += 1,
                None => histogram.outside += u64::from(!x.is_nan()),
            }
        }
        Ok(histogram)
    }

    /// Lower end of the first bin.
    pub fn lo(&self) -> f64 {
        self.lo
    }

    /// Upper end of the last bin.
    pub fn hi(&self) -> f64 {
        self.hi
    }

    /// Number of bins.
    pub fn n_bins(&self) -> usize {
        self.counts.len()
    }

    /// Width of a bin.
    pub fn width(&self) -> f64 {
        (self.hi - self.lo) / self.counts.len() as f64
    }

    /// Counts per bin.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Counts per bin as floating-point numbers, for fits and plots.
    pub fn contents(&self) -> Vec<f64> {
        self.counts.iter().map(|&count| count as f64).collect()
    }

    /// Values inside the range.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Values that were given but lie outside the range (missing values are not counted anywhere).
    pub fn outside(&self) -> u64 {
        self.outside
    }

    /// Number of bins with at least one count.
    pub fn non_empty(&self) -> usize {
        self.counts.iter().filter(|&&count| count > 0).count()
    }

    /// Bin with the most counts, the first of equals.
    pub fn fullest_bin(&self) -> usize {
        let mut best = 0;
        for (bin, count) in self.counts.iter().enumerate() {
            if *count > self.counts[best] {
                best = bin;
            }
        }
        best
    }

    /// Lower edge of a 0-based bin; `edge(n_bins)` is the upper end of the range.
    pub fn edge(&self, bin: usize) -> f64 {
        if bin >= self.counts.len() { self.hi } else { self.lo + bin as f64 * self.width() }
    }

    /// Centre of a 0-based bin, lo + (bin + ½)·w.
    pub fn centre(&self, bin: usize) -> f64 {
        self.lo + (bin as f64 + 0.5) * self.width()
    }

    /// All n + 1 edges.
    pub fn edges(&self) -> Vec<f64> {
        (0..=self.counts.len()).map(|bin| self.edge(bin)).collect()
    }

    /// All n centres.
    pub fn centres(&self) -> Vec<f64> {
        (0..self.counts.len()).map(|bin| self.centre(bin)).collect()
    }

    /// Counts divided by (total·width): integrates to 1. All zero when empty.
    pub fn density(&self) -> Vec<f64> {
        let scale = match self.total() {
            0 => 0.0,
            total => 1.0 / (total as f64 * self.width()),
        };
        self.counts.iter().map(|&count| count as f64 * scale).collect()
    }

    /// Corner points of the outline, two per bin: (left edge, y), (right edge, y), for y = counts.
    pub fn outline(&self) -> Vec<(f64, f64)> {
        self.counts
            .iter()
            .enumerate()
            .flat_map(|(bin, &count)| [(self.edge(bin), count as f64), (self.edge(bin + 1), count as f64)])
            .collect()
    }
}

fn check(lo: f64, hi: f64, n_bins: usize) -> Result<(), StatsError> {
    if !(lo.is_finite() && hi.is_finite() && lo < hi && (hi - lo).is_finite()) {
        return Err(StatsError::EmptyRange { lo, hi });
    }
    if !(1..=MAX_BINS).contains(&n_bins) {
        return Err(StatsError::BinCount { n_bins, max: MAX_BINS });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The corrected index always names the bin whose edges enclose the value, also when n·(x−lo)/(hi−lo) rounds
        /// across an edge.
        #[test]
        fn corrected_bin_encloses(lo in -1e4f64..1e4, span in 1e-3f64..1e4, n in 1usize..500, k in 0usize..500, ulps in -2i64..3) {
            let hi = lo + span;
            let width = (hi - lo) / n as f64;
            let edge = lo + (k.min(n - 1)) as f64 * width;
            let x = f64::from_bits((edge.to_bits() as i64 + ulps) as u64);
            if let Some(bin) = corrected_bin(x, lo, hi, n) {
                prop_assert!(bin < n);
                prop_assert!(bin == 0 || lo + bin as f64 * width <= x);
                prop_assert!(bin == n - 1 || x < lo + (bin + 1) as f64 * width);
            } else {
                prop_assert!(x < lo || x >= hi);
            }
        }

        #[test]
        fn nothing_is_lost(sample in prop::collection::vec(-5.0f64..5.0, 0..300), n in 1usize..40) {
            for histogram in [Histogram::corrected(&sample, -2.0, 3.0, n)?, Histogram::window(&sample, -2.0, 3.0, n)?] {
                prop_assert_eq!(histogram.total() + histogram.outside(), sample.len() as u64);
                let area: f64 = histogram.density().iter().map(|d| d * histogram.width()).sum();
                prop_assert!(histogram.total() == 0 || (area - 1.0).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn ends_of_the_range() {
        // pedestal rule: lower end in, upper end out; dark-current rule: both out
        assert_eq!(corrected_bin(0.0, 0.0, 1.0, 4), Some(0));
        assert_eq!(corrected_bin(1.0, 0.0, 1.0, 4), None);
        assert_eq!(corrected_bin(f64::NAN, 0.0, 1.0, 4), None);
        assert_eq!(window_bin(0.0, 0.0, 1.0, 4), None);
        assert_eq!(window_bin(1.0, 0.0, 1.0, 4), None);
        assert_eq!(window_bin(1.0 - f64::EPSILON / 2.0, 0.0, 1.0, 3), Some(2));
        // 0.7·10 = 7.000000000000001 but 0.1 + 6·0.1 > 0.7: the correction decides
        assert_eq!(corrected_bin(0.7, 0.0, 1.0, 10), Some(if 0.7 < 7.0 * 0.1 { 6 } else { 7 }));
    }

    #[test]
    fn bin_rules() {
        // spec 02 §3.2; the caps of D15
        assert_eq!(sturges(200), 9);
        assert_eq!(sturges(64), 7);
        assert_eq!(sturges(1), 1);
        let flat: Vec<f64> = (0..=100).map(f64::from).collect();
        assert_eq!(BinRule::Default.bins(&flat), 50);
        assert_eq!(BinRule::Default.bins(&flat[..6]), 10);
        assert_eq!(BinRule::Manual(25).bins(&flat), 25);
        // IQR 50, n 101: 100/(100·101^(−1/3)) = 4.66
        assert_eq!(BinRule::Freedman.bins(&flat), 5);
        let mut spike = vec![1.0; 100];
        spike.push(9.0);
        assert_eq!(BinRule::Freedman.bins(&spike), sturges(101));
        assert_eq!(BinRule::Default.bins(&[0.0, 1e9]), MAX_FIT_BINS);
        assert_eq!(BinRule::Manual(1).bins(&flat), MIN_FIT_BINS);
        assert_eq!(BinRule::from_name("STURGES", 0), Ok(BinRule::Sturges));
        assert_eq!(BinRule::from_name("manual", 50), Ok(BinRule::Manual(50)));
        assert_eq!(BinRule::from_name("manual", 0), Err(StatsError::ManualBins { n_bins: 0 }));
        assert!(BinRule::from_name("doane", 0).is_err());
    }

    #[test]
    fn absurd_ranges_are_errors() {
        assert!(Histogram::new(1.0, 1.0, 5).is_err());
        assert!(Histogram::new(f64::NAN, 1.0, 5).is_err());
        assert!(Histogram::new(-f64::MAX, f64::MAX, 5).is_err());
        assert_eq!(Histogram::new(0.0, 1.0, 0), Err(StatsError::BinCount { n_bins: 0, max: MAX_BINS }));
        assert!(Histogram::new(0.0, 1.0, usize::MAX).is_err());
    }

    #[test]
    fn outline_of_two_bins() {
        let histogram = Histogram::corrected(&[0.1, 0.6, 0.7], 0.0, 1.0, 2).unwrap();
        assert_eq!(histogram.outline(), [(0.0, 1.0), (0.5, 1.0), (0.5, 2.0), (1.0, 2.0)]);
        assert_eq!(histogram.edges(), [0.0, 0.5, 1.0]);
        assert_eq!(histogram.centres(), [0.25, 0.75]);
        assert_eq!(histogram.fullest_bin(), 1);
        assert_eq!(histogram.non_empty(), 2);
    }
}
