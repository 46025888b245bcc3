//! Reals: NumPy's order of additions, NaN that spoils a pixel or is left out.

use std::ops::Range;

use super::{Function, Needs, Reduction};
use crate::stats::robust::{median_in_place, pairwise_sum};

/// Reduces every pixel of a block; `values` is `[function, pixel]`.
pub(super) fn reduce(
    samples: &[f64],
    per_pixel: usize,
    skips: &Range<usize>,
    functions: &[Reduction],
    needs: Needs,
    values: &mut [f64],
) {
    let pixels = samples.len() / per_pixel.max(1);
    let mut work = Work::default();
    for (p, pixel) in samples.chunks_exact(per_pixel).enumerate() {
        let pixel = &pixel[skips.start..skips.end];
        let has_nan = pixel.iter().any(|x| x.is_nan());
        let result = if has_nan { None } else { Some(Quantities::of(pixel, needs, &mut work)) };
        let without_nan =
            if has_nan && functions.iter().any(|f| f.split().1) { Some(work.without_nan(pixel, needs)) } else { None };
        for (f, function) in functions.iter().enumerate() {
            let (function, skips_nan) = function.split();
            let chosen = if skips_nan { without_nan.as_ref().or(result.as_ref()) } else { result.as_ref() };
            values[f * pixels + p] = chosen.map_or(f64::NAN, |q| q.value(function));
        }
    }
}

/// Working space.
#[derive(Default)]
struct Work {
    deviations: Vec<f64>,
    sorted: Vec<f64>,
}

impl Work {
    /// Quantities of the skips that are not NaN. As NumPy does, NaN counts as 0 in the sums (which fixes their order),
    /// and the number of skips is that of the others.
    fn without_nan(&mut self, pixel: &[f64], needs: Needs) -> Quantities {
        let present: Vec<f64> = pixel.iter().copied().filter(|x| !x.is_nan()).collect();
        let mut q = Quantities::of(&present, needs, self);
        let zeroed: Vec<f64> = pixel.iter().map(|&x| if x.is_nan() { 0.0 } else { x }).collect();
        q.sum = pairwise_sum(&zeroed);
        q.mean = q.sum / present.len() as f64;
        if needs.squares {
            self.deviations.clear();
            let mean = q.mean;
            self.deviations.extend(pixel.iter().map(|&x| if x.is_nan() { 0.0 } else { (x - mean) * (x - mean) }));
            q.variance = pairwise_sum(&self.deviations) / present.len() as f64;
        }
        q
    }
}

/// Quantities of the skips of a pixel; those that were not needed are 0.
struct Quantities {
    sum: f64,
    mean: f64,
    variance: f64,
    low: f64,
    high: f64,
    median: f64,
    product: f64,
}

impl Quantities {
    /// From samples without NaN; of no samples everything but sum (0) and product (1) is NaN.
    fn of(pixel: &[f64], needs: Needs, work: &mut Work) -> Self {
        let n = pixel.len() as f64;
        let mut q = Self { sum: 0.0, mean: f64::NAN, variance: 0.0, low: 0.0, high: 0.0, median: 0.0, product: 1.0 };
        if needs.sums || needs.squares {
            q.sum = pairwise_sum(pixel);
            q.mean = q.sum / n;
        }
        if needs.squares {
            work.deviations.clear();
            work.deviations.extend(pixel.iter().map(|x| (x - q.mean) * (x - q.mean)));
            q.variance = pairwise_sum(&work.deviations) / n;
        }
        if needs.extremes {
            (q.low, q.high) = pixel.iter().fold((f64::NAN, f64::NAN), |(low, high), &x| (x.min(low), x.max(high)));
        }
        if needs.median {
            work.sorted.clear();
            work.sorted.extend_from_slice(pixel);
            q.median = if pixel.is_empty() { f64::NAN } else { median_in_place(&mut work.sorted) };
        }
        if needs.product {
            q.product = pixel.iter().product();
        }
        q
    }

    fn value(&self, function: Function) -> f64 {
        match function {
            Function::Mean => self.mean,
            Function::Std => self.variance.sqrt(),
            Function::Var => self.variance,
            Function::Median => self.median,
            Function::Min => self.low,
            Function::Max => self.high,
            Function::Sum => self.sum,
            Function::Prod => self.product,
            Function::Ptp => self.high - self.low,
        }
    }
}
