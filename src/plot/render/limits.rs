//! The colour range of an image.

use crate::plot::image::{ColourRange, ColourScale, ImagePlot};

/// Values used to find a range; larger images are sampled, which moves a percentile by less than 0.1 in rank.
const LARGEST_SAMPLE: usize = 1 << 20;

/// Colour range of an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limits {
    pub low: f64,
    pub high: f64,
}

/// Finite, unmasked values in any order; at most [`LARGEST_SAMPLE`] of them, taken at a regular distance that is coprime
/// to the number of columns so that every column is represented.
fn sample_of(image: &ImagePlot) -> Vec<f64> {
    let (rows, cols) = image.values.dim();
    let n = rows * cols;
    let mut stride = n.div_ceil(LARGEST_SAMPLE).max(1);
    while stride > 1 && greatest_common_divisor(stride, cols) != 1 {
        stride += 1;
    }
    (0..n)
        .step_by(stride)
        .map(|i| (i / cols, i % cols))
        .filter(|&(r, c)| !image.is_masked(r, c))
        .map(|(r, c)| image.values[[r, c]])
        .filter(|v| v.is_finite())
        .collect()
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// Percentile `p` (0…100), linear between neighbours (as NumPy); NaN when there are no values. Reorders the values.
pub(crate) fn percentile(values: &mut [f64], p: f64) -> f64 {
    let Some(last) = values.len().checked_sub(1) else {
        return f64::NAN;
    };
    let position = if p.is_nan() { 0.0 } else { (p / 100.0).clamp(0.0, 1.0) } * last as f64;
    let index = position.floor() as usize;
    let (_, &mut low, above) = values.select_nth_unstable_by(index, f64::total_cmp);
    let high = above.iter().copied().reduce(f64::min).unwrap_or(low);
    let f = position - index as f64;
    // Written so that ±1e308 do not overflow.
    low * (1.0 - f) + high * f
}

/// The colour range of an image; always finite, `low < high`, positive for a logarithmic scale.
pub(crate) fn limits(image: &ImagePlot) -> Limits {
    if image.scale == ColourScale::HistogramEqualised {
        return Limits { low: 0.0, high: 1.0 };
    }
    let mut sample = match image.range {
        ColourRange::Fixed { low, high } if low.is_finite() && high.is_finite() => Vec::from([low, high]),
        _ => sample_of(image),
    };
    if image.scale == ColourScale::Log {
        sample.retain(|&v| v > 0.0);
    }
    let (low, high) = match image.range {
        ColourRange::Fixed { low, high } => {
            let mut own = |v: f64, p: f64| {
                if v.is_finite() { v } else { percentile(&mut sample, p) }
            };
            (own(low, 0.0), own(high, 100.0))
        }
        ColourRange::Full => (percentile(&mut sample, 0.0), percentile(&mut sample, 100.0)),
        ColourRange::Percentiles { low, high } => (percentile(&mut sample, low), percentile(&mut sample, high)),
        ColourRange::AroundMedian { n_sigma } => {
            let median = percentile(&mut sample, 50.0);
            let mut deviations: Vec<f64> = sample.iter().map(|v| (v - median).abs()).collect();
            let mad = percentile(&mut deviations, 50.0);
            // An image of mostly equal values (a blank difference) still shows its outliers.
            let spread = if mad > 0.0 { 1.4826 * mad * n_sigma.abs() } else { percentile(&mut deviations, 100.0) };
            (median - spread, median + spread)
        }
    };
    sane(low, high, image.scale)
}

fn sane(low: f64, high: f64, scale: ColourScale) -> Limits {
    let bound = |v: f64, fallback: f64| {
        if v.is_finite() { v.clamp(-1e300, 1e300) } else { fallback }
    };
    let (mut low, mut high) = (bound(low, 0.0), bound(high, 1.0));
    if low > high {
        std::mem::swap(&mut low, &mut high);
    }
    if scale == ColourScale::Log {
        high = if high > 0.0 { high } else { 1.0 };
        low = if low > 0.0 { low } else { high * 1e-3 };
        if high / low < 1.0 + 1e-9 || low < 1e-300 {
            (low, high) = (high / 2.0, high * 2.0);
        }
    } else if high - low <= low.abs().max(high.abs()) * 1e-12 || high - low < 1e-300 {
        let half = if low.abs() < 1e-290 { 0.5 } else { low.abs() * 0.01 };
        (low, high) = (low - half, high + half);
    }
    Limits { low, high }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, arr2};

    #[test]
    fn percentiles_are_those_of_numpy() {
        // numpy.percentile([1, 2, 3, 4, 10], [0, 0.5, 25, 50, 90, 99.5, 100])
        let mut v = [3.0, 10.0, 1.0, 4.0, 2.0];
        for (p, expected) in
            [(0.0, 1.0), (0.5, 1.02), (25.0, 2.0), (50.0, 3.0), (90.0, 7.6), (99.5, 9.88), (100.0, 10.0)]
        {
            assert!((percentile(&mut v, p) - expected).abs() < 1e-12, "{p}");
        }
        assert!(percentile(&mut [], 50.0).is_nan());
    }

    #[test]
    fn the_robust_range_ignores_tracks_and_missing_pixels() {
        // 10 000 pixels of noise-like values 0…99, thirty of them bright tracks, some missing.
        let mut values = Array2::from_shape_fn((100, 100), |(r, c)| ((r * 100 + c) % 100) as f64);
        values.iter_mut().step_by(334).for_each(|v| *v = 1e6);
        values[[3, 3]] = f64::NAN;
        values[[4, 3]] = f64::INFINITY;
        let l = limits(&ImagePlot::new(values.clone()));
        assert!(l.low < 1.0 && (98.0..=99.0).contains(&l.high), "{l:?}");
        assert_eq!(limits(&ImagePlot::new(values).full_range()).high, 1e6);
    }

    #[test]
    fn ranges_are_always_usable() {
        let odd: [Array2<f64>; 5] = [
            Array2::zeros((0, 0)),
            Array2::zeros((2, 2)),
            Array2::from_elem((2, 2), f64::NAN),
            arr2(&[[f64::MAX, f64::MIN]]),
            arr2(&[[-1.0, -2.0]]),
        ];
        for values in odd {
            let base = ImagePlot::new(values);
            let variants = [
                base.clone(),
                base.clone().log(),
                base.clone().equalised(),
                base.clone().full_range(),
                base.clone().difference(5.0),
                base.clone().range(3.0, 3.0),
                base.clone().range(f64::NAN, f64::INFINITY).log(),
                base.clone().percentiles(f64::NAN, 200.0),
            ];
            for image in variants {
                let l = limits(&image);
                assert!(l.low < l.high && (l.high - l.low).is_finite(), "{image:?} {l:?}");
            }
        }
    }

    #[test]
    fn differences_are_symmetric_around_the_median() {
        let values = Array2::from_shape_fn((1, 101), |(_, c)| c as f64);
        let l = limits(&ImagePlot::new(values).difference(5.0));
        // Median 50, MAD 25.
        assert!((l.low - (50.0 - 5.0 * 1.4826 * 25.0)).abs() < 1e-9 && (l.low + l.high - 100.0).abs() < 1e-9);
    }
}
