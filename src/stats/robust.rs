//! Location and spread of a sample: percentiles, median, MAD, trimmed and clipped moments.
//!
//! Skipper images hold tracks of particles, hot columns and masked pixels; a pedestal or a noise estimated by plain
//! moments would follow them. The estimators here bear a fraction of foreign pixels.
//!
//! Conventions (spec 02 §1.1): MAD = median(|x − median x|), **unscaled**; "robust σ" = 1.4826 MAD only where a
//! caller writes it ([`MAD_TO_SIGMA`]); standard deviations divide by n unless [`Ddof::Sample`] is asked for; the
//! median of an even number of values is the mean of the two central ones; percentiles interpolate linearly between
//! order statistics (type 7 of Hyndman & Fan 1996, the default of NumPy).
//!
//! **Missing values.** NaN marks a missing (masked) pixel: every function leaves NaN out. A sample without any value
//! gives NaN. Infinite values are values. The `…_in_place` variants reorder their argument and expect it free of NaN
//! (NaN sorts above +∞ there); they are for inner loops that own a buffer.
//!
//! Cost: O(n) per order statistic (quick-select), never a full sort.

use std::borrow::Cow;

use crate::stats::distributions::{normal_cdf, normal_quantile};

/// σ of a Gaussian population divided by its MAD, 1/Φ⁻¹(3/4).
pub const MAD_TO_SIGMA: f64 = 1.482_602_218_505_602;

/// Divisor of a variance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ddof {
    /// Divide by n (the convention of this program).
    #[default]
    Population,
    /// Divide by n − 1.
    Sample,
}

/// Centre of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Location {
    /// Arithmetic mean.
    Mean,
    /// Median.
    #[default]
    Median,
}

/// The values of `sample` that are not NaN; borrows when none is missing.
pub fn present(sample: &[f64]) -> Cow<'_, [f64]> {
    if sample.iter().any(|x| x.is_nan()) {
        Cow::Owned(sample.iter().copied().filter(|x| !x.is_nan()).collect())
    } else {
        Cow::Borrowed(sample)
    }
}

/// The values of `sample` that are not NaN, in a buffer of their own.
fn present_owned(sample: &[f64]) -> Vec<f64> {
    sample.iter().copied().filter(|x| !x.is_nan()).collect()
}

/// Smallest and largest value; `None` for an empty sample.
pub fn min_max(sample: &[f64]) -> Option<(f64, f64)> {
    let (mut lo, mut hi) = (f64::INFINITY, f64::NEG_INFINITY);
    let mut any = false;
    for &x in sample {
        // comparisons with NaN are false: a missing value changes neither bound
        if x <= lo {
            lo = x;
        }
        if x >= hi {
            hi = x;
        }
        any |= !x.is_nan();
    }
    any.then_some((lo, hi))
}

/// Sum of f(x) by recursive halving with eight accumulators in blocks of 128: rounding grows as log n instead of n, and
/// the order of additions is that of NumPy on contiguous data, so that means agree with it bit for bit.
fn pairwise_sum_of(values: &[f64], f: &impl Fn(f64) -> f64) -> f64 {
    let n = values.len();
    if n < 8 {
        return values.iter().fold(0.0, |sum, &x| sum + f(x));
    }
    if n <= 128 {
        let mut lanes = [0.0; 8];
        for (lane, &x) in lanes.iter_mut().zip(values) {
            *lane = f(x);
        }
        let mut blocks = values[8..].chunks_exact(8);
        for block in &mut blocks {
            for (lane, &x) in lanes.iter_mut().zip(block) {
                *lane += f(x);
            }
        }
        let sum = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
        return blocks.remainder().iter().fold(sum, |sum, &x| sum + f(x));
    }
    let half = n / 2 - (n / 2) % 8;
    pairwise_sum_of(&values[..half], f) + pairwise_sum_of(&values[half..], f)
}

/// Sum with rounding that grows as log n, in NumPy's order of additions; NaN counts.
pub fn pairwise_sum(values: &[f64]) -> f64 {
    pairwise_sum_of(values, &|x| x)
}

/// Arithmetic mean.
pub fn mean(sample: &[f64]) -> f64 {
    let values = present(sample);
    pairwise_sum(&values) / values.len() as f64
}

/// Mean and standard deviation. The deviation of a single value is 0 (population) or NaN (sample).
pub fn mean_and_std(sample: &[f64], ddof: Ddof) -> (f64, f64) {
    let values = present(sample);
    let centre = pairwise_sum(&values) / values.len() as f64;
    let divisor = match ddof {
        Ddof::Population => values.len() as f64,
        Ddof::Sample => values.len() as f64 - 1.0,
    };
    let variance = pairwise_sum_of(&values, &|x| (x - centre) * (x - centre)) / divisor;
    (centre, if divisor > 0.0 { variance.sqrt() } else { f64::NAN })
}

/// Standard deviation, see [`mean_and_std`].
pub fn std_deviation(sample: &[f64], ddof: Ddof) -> f64 {
    mean_and_std(sample, ddof).1
}

/// The order statistics number `rank` and `rank + 1` (0-based; the second equals the first at the upper end).
/// Reorders `values`, which must not be empty and must hold more than `rank` values.
fn neighbours_in_place(values: &mut [f64], rank: usize) -> (f64, f64) {
    let (_, lower, above) = values.select_nth_unstable_by(rank, f64::total_cmp);
    let lower = *lower;
    let upper = above.iter().copied().min_by(f64::total_cmp).unwrap_or(lower);
    (lower, upper)
}

/// Percentile `q` (0…100) by linear interpolation between order statistics; reorders `values`.
/// NaN for an empty sample or q outside 0…100.
pub fn percentile_in_place(values: &mut [f64], q: f64) -> f64 {
    if values.is_empty() || !(0.0..=100.0).contains(&q) {
        return f64::NAN;
    }
    let position = q / 100.0 * (values.len() - 1) as f64;
    let rank = (position.floor() as usize).min(values.len() - 1);
    let fraction = position - rank as f64;
    let (lower, upper) = neighbours_in_place(values, rank);
    if lower == upper {
        return lower; // also two infinities, whose difference would be NaN
    }
    // interpolate from the nearer end, so that fraction 1 gives the upper value exactly
    let gap = upper - lower;
    if fraction >= 0.5 { upper - gap * (1.0 - fraction) } else { lower + gap * fraction }
}

/// Percentile `q` (0…100), see [`percentile_in_place`].
pub fn percentile(sample: &[f64], q: f64) -> f64 {
    percentile_in_place(&mut present_owned(sample), q)
}

/// Several percentiles of one sample.
pub fn percentiles<const N: usize>(sample: &[f64], q: [f64; N]) -> [f64; N] {
    let mut values = present_owned(sample);
    q.map(|q| percentile_in_place(&mut values, q))
}

/// Median; reorders `values`. NaN for an empty sample.
pub fn median_in_place(values: &mut [f64]) -> f64 {
    let n = values.len();
    if n == 0 {
        return f64::NAN;
    }
    if n % 2 == 1 {
        return *values.select_nth_unstable_by(n / 2, f64::total_cmp).1;
    }
    let (lower, upper) = neighbours_in_place(values, n / 2 - 1);
    if lower == upper { lower } else { 0.5 * (lower + upper) }
}

/// Median.
pub fn median(sample: &[f64]) -> f64 {
    median_in_place(&mut present_owned(sample))
}

/// Fewest values from which the error of a median follows.
const MIN_MEDIAN_ERROR: usize = 10;

/// Median and its standard error: half the interval between the order statistics n/2 ± √n/2, which holds the median of the
/// population in 68 % of the samples, whatever its distribution. The error is NaN for fewer than 10 values.
pub fn median_and_error(sample: &[f64]) -> (f64, f64) {
    let mut values = present_owned(sample);
    let n = values.len();
    let median = median_in_place(&mut values);
    if n < MIN_MEDIAN_ERROR {
        return (median, f64::NAN);
    }
    let reach = 50.0 / (n as f64).sqrt();
    let [lo, hi] = [50.0 - reach, 50.0 + reach].map(|q| percentile_in_place(&mut values, q));
    (median, 0.5 * (hi - lo))
}

/// Median of |x − centre|; overwrites `values` with these distances.
pub fn median_distance_in_place(values: &mut [f64], centre: f64) -> f64 {
    for x in values.iter_mut() {
        *x = (*x - centre).abs();
    }
    median_in_place(values)
}

/// Steps between the smallest and the largest value beyond which they are taken for continuous.
const MOST_STEPS: f64 = 1e6;
/// Halvings of an interval of steps, to the precision of doubles.
const HALVINGS: usize = 60;

/// Median and unscaled MAD; overwrites `values`.
pub fn median_and_mad_in_place(values: &mut [f64]) -> (f64, f64) {
    let centre = median_in_place(values);
    (centre, median_distance_in_place(values, centre))
}

/// Standard deviation of Gaussian values that were rounded to multiples of `step`, rounding included, from their MAD:
///
/// ```text
/// σ² = (1.4826 MAD)² + step²/12
/// ```
///
/// The MAD of whole numbers is itself a whole or half number, for σ = 2.6 it is 2 and 14 % off. Here the values of a step
/// count as spread over it as a Gaussian that has the same share below either edge; the added term is the rounding. Falls
/// back to the plain MAD where the values cover more steps than could matter. 0 where all values are the same, NaN without
/// a value.
pub fn sigma_of_steps(values: &mut [f64], step: f64) -> f64 {
    let plain = |values: &mut [f64]| MAD_TO_SIGMA * median_and_mad_in_place(values).1;
    let Some((low, high)) = min_max(values) else { return f64::NAN };
    let steps = ((high - low) / step).round();
    if steps == 0.0 {
        return 0.0;
    }
    if !(step > 0.0 && steps < MOST_STEPS) {
        return plain(values);
    }
    let mut counts = vec![0u64; steps as usize + 1];
    values.iter().for_each(|x| counts[((x - low) / step).round() as usize] += 1);
    let half = 0.5 * values.len() as f64;
    // values up to a place on the axis of steps, of which number i reaches from i to i + 1
    let sums: Vec<f64> = std::iter::once(0.0)
        .chain(counts.iter().scan(0.0, |sum, n| {
            *sum += *n as f64;
            Some(*sum)
        }))
        .collect();
    let all = values.len() as f64;
    let below = |at: f64| {
        let at = at.clamp(0.0, counts.len() as f64);
        let whole = (at as usize).min(counts.len() - 1);
        let (before, after, share) = (sums[whole], sums[whole + 1], at - whole as f64);
        if before > 0.0 && after < all {
            let (a, b) = (normal_quantile(before / all), normal_quantile(after / all));
            all * normal_cdf(a + share * (b - a))
        } else {
            before + share * (after - before)
        }
    };
    // `f` increases from `low` to `high`
    let solve = |mut low: f64, mut high: f64, f: &dyn Fn(f64) -> f64| {
        for _ in 0..HALVINGS {
            let middle = 0.5 * (low + high);
            if f(middle) < half { low = middle } else { high = middle }
        }
        0.5 * (low + high)
    };
    let end = counts.len() as f64;
    let centre = solve(0.0, end, &below);
    let mad = solve(0.0, end, &|d| below(centre + d) - below(centre - d));
    step * (MAD_TO_SIGMA * mad).hypot(12f64.sqrt().recip())
}

/// Median and unscaled MAD.
pub fn median_and_mad(sample: &[f64]) -> (f64, f64) {
    median_and_mad_in_place(&mut present_owned(sample))
}

/// Unscaled median absolute deviation about the median.
pub fn mad(sample: &[f64]) -> f64 {
    median_and_mad(sample).1
}

/// Location and dispersion as the pedestal methods `mean` and `median` define them (spec 02 §3.1): the dispersion is
/// the standard deviation or, with `use_mad`, the median of |x − location|: for [`Location::Mean`] about the *mean*.
pub fn location_and_dispersion(sample: &[f64], location: Location, use_mad: bool) -> (f64, f64) {
    let mut values = present_owned(sample);
    let centre = match location {
        Location::Mean => pairwise_sum(&values) / values.len() as f64,
        Location::Median => median_in_place(&mut values),
    };
    let spread = if use_mad {
        median_distance_in_place(&mut values, centre)
    } else {
        // from the sample, not the buffer: the order of summation must not depend on the selection above
        std_deviation(sample, Ddof::Population)
    };
    (centre, spread)
}

/// Mean and standard deviation (÷n) after dropping the trunc(`fraction`·n) smallest and as many of the largest values.
/// `fraction` is clamped to 0…0.5; NaN when nothing is left.
pub fn trimmed_mean_and_std(sample: &[f64], fraction: f64) -> (f64, f64) {
    let mut values = present_owned(sample);
    let n = values.len();
    let cut = ((fraction.clamp(0.0, 0.5) * n as f64) as usize).min(n / 2);
    if n == 0 || 2 * cut >= n {
        return (f64::NAN, f64::NAN);
    }
    if cut > 0 {
        values.select_nth_unstable_by(cut, f64::total_cmp);
        values[cut..].select_nth_unstable_by(n - 2 * cut - 1, f64::total_cmp);
    }
    let kept = &mut values[cut..n - cut];
    // sorted, so that the sums do not depend on the order of the pixels in the image
    kept.sort_unstable_by(f64::total_cmp);
    mean_and_std(kept, Ddof::Population)
}

/// How [`sigma_clip`] rejects.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SigmaClip {
    /// Standard deviations kept below the centre.
    pub n_sigma_low: f64,
    /// Standard deviations kept above the centre.
    pub n_sigma_high: f64,
    /// Largest number of passes; clipping stops earlier when a pass rejects nothing.
    pub max_passes: usize,
    /// Centre of the accepted interval.
    pub centre: Location,
}

impl Default for SigmaClip {
    fn default() -> Self {
        Self { n_sigma_low: 5.0, n_sigma_high: 5.0, max_passes: 100, centre: Location::Median }
    }
}

/// What [`sigma_clip`] kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Clipped {
    /// Accepted values, in the order of the sample.
    pub values: Vec<f64>,
    /// Accepted interval of the last pass, both ends included.
    pub interval: (f64, f64),
    /// Passes made.
    pub passes: usize,
}

/// Rejects values farther than n standard deviations (÷n) from the centre, repeatedly, until nothing is rejected.
pub fn sigma_clip(sample: &[f64], how: SigmaClip) -> Clipped {
    let mut values = present_owned(sample);
    let mut interval = (f64::NEG_INFINITY, f64::INFINITY);
    let mut passes = 0;
    while passes < how.max_passes && !values.is_empty() {
        let (average, spread) = mean_and_std(&values, Ddof::Population);
        let centre = match how.centre {
            Location::Mean => average,
            Location::Median => median(&values),
        };
        interval = (centre - how.n_sigma_low * spread, centre + how.n_sigma_high * spread);
        let before = values.len();
        values.retain(|&x| x >= interval.0 && x <= interval.1);
        passes += 1;
        if values.len() == before {
            break;
        }
    }
    Clipped { values, interval, passes }
}

#[cfg(test)]
mod tests {
    /// Rounded numbers: σ² + step²/12 within the error of a MAD, 1.166/√n, at every place between the steps.
    #[test]
    fn the_noise_of_rounded_values_is_not_bound_to_the_steps() {
        let mut stream = crate::stats::random::Stream::from_seed(51);
        for (sigma, step) in [(2.6, 1.0), (0.7, 1.0), (1.1, 0.5), (40.0, 1.0), (300.0, 0.001)] {
            let n = 200_000;
            let mut values: Vec<f64> = (0..n)
                .map(|_| 1000.3 + sigma * stream.normal())
                .map(|x: f64| if step > 0.01 { (x / step).round() * step } else { x })
                .collect();
            let found = sigma_of_steps(&mut values, step);
            let expected = sigma.hypot(if step > 0.01 { step / 12f64.sqrt() } else { 0.0 });
            let tolerance = 4.0 * 1.166 / f64::from(n).sqrt();
            assert!((found / expected - 1.0).abs() < tolerance, "{sigma} {step}: {found} for {expected}");
        }
        assert!(sigma_of_steps(&mut [], 1.0).is_nan());
        assert_eq!(sigma_of_steps(&mut [5.0; 9], 1.0), 0.0);
    }

    use super::*;
    use crate::stats::distributions::normal_quantile;
    use proptest::prelude::*;

    /// The obvious percentile: sort, then interpolate.
    fn percentile_by_sorting(sample: &[f64], q: f64) -> f64 {
        let mut sorted: Vec<f64> = sample.iter().copied().filter(|x| !x.is_nan()).collect();
        sorted.sort_by(f64::total_cmp);
        let position = q / 100.0 * (sorted.len() - 1) as f64;
        let below = sorted[position.floor() as usize];
        let above = sorted[position.ceil() as usize];
        below + (above - below) * position.fract()
    }

    proptest! {
        #[test]
        fn selection_equals_sorting(sample in prop::collection::vec(-1e3f64..1e3, 1..200), q in 0.0f64..100.0) {
            let (fast, slow) = (percentile(&sample, q), percentile_by_sorting(&sample, q));
            prop_assert!((fast - slow).abs() <= 1e-12 * 1e3);
            prop_assert!((median(&sample) - percentile_by_sorting(&sample, 50.0)).abs() <= 1e-12 * 1e3);
        }

        #[test]
        fn missing_values_change_nothing(sample in prop::collection::vec(-10.0f64..10.0, 1..50), at in 0usize..50) {
            let mut holed = sample.clone();
            holed.insert(at.min(sample.len()), f64::NAN);
            prop_assert_eq!(median_and_mad(&sample), median_and_mad(&holed));
            prop_assert_eq!(mean_and_std(&sample, Ddof::Population), mean_and_std(&holed, Ddof::Population));
            prop_assert_eq!(trimmed_mean_and_std(&sample, 0.1), trimmed_mean_and_std(&holed, 0.1));
            prop_assert_eq!(min_max(&sample), min_max(&holed));
        }
    }

    #[test]
    fn numpy_values() {
        // numpy.percentile([15, 20, 35, 40, 50], [40, 10, 90]) = 29, 17, 46
        let sample = [50.0, 15.0, 40.0, 20.0, 35.0];
        assert_eq!(percentiles(&sample, [40.0, 10.0, 90.0]), [29.0, 17.0, 46.0]);
        // spec 02 §2: skips 10, 12, 11, 99
        let skips = [10.0, 12.0, 11.0, 99.0];
        let (average, spread) = mean_and_std(&skips, Ddof::Population);
        assert_eq!(average, 33.0);
        assert!((spread - 38.111678).abs() < 5e-7);
        assert_eq!(median(&skips), 11.5);
        assert_eq!(mad(&skips), 1.0);
        assert!((std_deviation(&skips, Ddof::Sample) - 44.007575).abs() < 5e-7);
        // the cross-talk example of spec 03 §5: 1…20, limits 1.95 and 19.05, inside them mean 10.5, sample std 5.338539
        let ramp: Vec<f64> = (1..=20).map(f64::from).collect();
        let [lo, hi] = percentiles(&ramp, [5.0, 95.0]);
        assert!((lo - 1.95).abs() < 1e-12 && (hi - 19.05).abs() < 1e-12);
        let inside: Vec<f64> = ramp.into_iter().filter(|&x| x >= lo && x <= hi).collect();
        let (average, spread) = mean_and_std(&inside, Ddof::Sample);
        assert!((average - 10.5).abs() < 1e-12 && (spread - 5.338539).abs() < 5e-7);
    }

    #[test]
    fn dispersion_about_the_chosen_location() {
        // mean 33: distances 23, 21, 22, 66 → 22.5; median 11.5: 1.5, 0.5, 0.5, 87.5 → 1
        let skips = [10.0, 12.0, 11.0, 99.0];
        assert_eq!(location_and_dispersion(&skips, Location::Mean, true), (33.0, 22.5));
        assert_eq!(location_and_dispersion(&skips, Location::Median, true), (11.5, 1.0));
        let (_, spread) = location_and_dispersion(&skips, Location::Median, false);
        assert!((spread - 38.111678).abs() < 5e-7);
    }

    #[test]
    fn gaussian_quantiles_have_mad_0_6745_sigma() {
        // mid-point quantiles of a Gaussian, σ = 2.5: MAD = 0.67449 σ up to the granularity 1/n of the sample
        let n = 10_001;
        let sample: Vec<f64> = (1..=n).map(|j| 7.0 + 2.5 * normal_quantile((j as f64 - 0.5) / n as f64)).collect();
        let (centre, spread) = median_and_mad(&sample);
        assert!((centre - 7.0).abs() < 1e-12);
        assert!((spread * MAD_TO_SIGMA - 2.5).abs() < 1e-3);
    }

    #[test]
    fn clipping_removes_a_track_and_keeps_the_noise() {
        let n = 2_000;
        let mut sample: Vec<f64> = (1..=n).map(|j| normal_quantile((j as f64 - 0.5) / n as f64)).collect();
        sample.extend((0..20).map(|k| 200.0 + f64::from(k)));
        let clipped = sigma_clip(&sample, SigmaClip::default());
        assert_eq!(clipped.values.len(), n);
        assert!(clipped.interval.0 < -4.9 && clipped.interval.1 < 5.1);
        // 10 % trimming: two-sided, of a Gaussian: known variance of the truncated normal at ±1.2816 is 0.4380
        let (centre, spread) = trimmed_mean_and_std(&sample[..n], 0.1);
        assert!(centre.abs() < 1e-12 && (spread - 0.4380f64.sqrt()).abs() < 2e-3);
    }

    #[test]
    fn empty_and_degenerate_samples() {
        assert!(median(&[]).is_nan() && mean(&[]).is_nan() && percentile(&[f64::NAN], 50.0).is_nan());
        assert!(std_deviation(&[3.0], Ddof::Sample).is_nan());
        assert_eq!(mean_and_std(&[3.0], Ddof::Population), (3.0, 0.0));
        assert_eq!(min_max(&[f64::NAN]), None);
        assert!(trimmed_mean_and_std(&[1.0, 2.0], 0.5).0.is_nan());
        assert_eq!(median(&[f64::INFINITY, f64::INFINITY]), f64::INFINITY);
        assert!(percentile(&[1.0], 101.0).is_nan());
    }
}
