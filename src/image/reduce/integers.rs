//! Integers: exact sums, and an exact median by counting.
//!
//! Median: the samples of a pixel lie close together, so their distances from the smallest one mostly fit 8 or 16 bits.
//! Packed that small, 32 or more of them are compared in one instruction, and a bisection of the value ("how many are
//! at most v?") is finished long before a sort or a selection would be.

use std::ops::Range;

use super::{Function, Needs, Reduction};

/// Reduces every pixel of a block; `values` is `[function, pixel]`.
pub(super) fn reduce(
    samples: &[i32],
    per_pixel: usize,
    skips: &Range<usize>,
    functions: &[Reduction],
    needs: Needs,
    values: &mut [f64],
) {
    pulp::Arch::new().dispatch(Work { samples, per_pixel, skips, functions, needs, values });
}

/// The work on a block, compiled once for each set of instructions.
struct Work<'a> {
    samples: &'a [i32],
    per_pixel: usize,
    skips: &'a Range<usize>,
    functions: &'a [Reduction],
    needs: Needs,
    values: &'a mut [f64],
}

impl pulp::NullaryFnOnce for Work<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { samples, per_pixel, skips, functions, needs, values } = self;
        let pixels = samples.len() / per_pixel.max(1);
        let mut packed = Packed::default();
        for (p, pixel) in samples.chunks_exact(per_pixel.max(1)).enumerate() {
            let result = Quantities::of(&pixel[skips.start..skips.end], needs, &mut packed);
            for (f, function) in functions.iter().enumerate() {
                values[f * pixels + p] = result.value(function.split().0);
            }
        }
    }
}

/// Quantities of the skips of a pixel; those that were not needed are 0.
struct Quantities {
    n: f64,
    sum: f64,
    variance: f64,
    low: f64,
    high: f64,
    median: f64,
    product: f64,
}

impl Quantities {
    #[inline(always)]
    fn of(pixel: &[i32], needs: Needs, packed: &mut Packed) -> Self {
        let mut q =
            Self { n: pixel.len() as f64, sum: 0.0, variance: 0.0, low: 0.0, high: 0.0, median: 0.0, product: 0.0 };
        if needs.squares {
            (q.sum, q.variance) = sum_and_variance(pixel);
        } else if needs.sums {
            q.sum = sum(pixel) as f64;
        }
        if needs.extremes || needs.median {
            let (low, high) = extremes(pixel);
            (q.low, q.high) = (f64::from(low), f64::from(high));
            if needs.median {
                q.median = packed.median(pixel, low, high);
            }
        }
        if needs.product {
            q.product = pixel.iter().fold(1.0, |product, &x| product * f64::from(x));
        }
        q
    }

    #[inline(always)]
    fn value(&self, function: Function) -> f64 {
        match function {
            Function::Mean => self.sum / self.n,
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

#[inline(always)]
fn extremes(pixel: &[i32]) -> (i32, i32) {
    pixel.iter().fold((i32::MAX, i32::MIN), |(low, high), &x| (low.min(x), high.max(x)))
}

/// Distances from the first sample are summed in 32 bits as long as they are smaller than this.
const NEAR: i32 = 1 << 10;

/// Samples whose squared distances 32 bits can take up: 2047 · 2²⁰ < 2³¹.
const RUN: usize = 2047;

/// Sum. A plain loop: the compiler widens it to 64 bits.
#[inline(always)]
fn sum(pixel: &[i32]) -> i64 {
    pixel.iter().map(|&x| i64::from(x)).sum()
}

/// Sum and variance (÷ n). With d = x − x₀: n² variance = n·Σd² − (Σd)², exact in integers and rounded once.
#[inline(always)]
fn sum_and_variance(pixel: &[i32]) -> (f64, f64) {
    let Some(&first) = pixel.first() else { return (0.0, f64::NAN) };
    // so limited, a difference that wraps around is never taken for a small one
    let origin = first.clamp(-(1 << 30), 1 << 30);
    let (mut sum, mut squares, mut span) = (0i64, 0i64, 0i32);
    for run in pixel.chunks(RUN) {
        let (mut s, mut q, mut t) = (0i32, 0i32, 0i32);
        for &x in run {
            let d = x.wrapping_sub(origin);
            t |= d.wrapping_add(NEAR);
            s = s.wrapping_add(d);
            q = q.wrapping_add(d.wrapping_mul(d));
        }
        sum += i64::from(s);
        squares += i64::from(q);
        span |= t;
    }
    // every distance + NEAR lies in 0 … 2·NEAR − 1
    if span as u32 >= 2 * NEAR as u32 {
        return sum_and_variance_of_far(pixel);
    }
    let n = pixel.len() as i64;
    (((i64::from(origin) * n) + sum) as f64, variance(n, i128::from(sum), i128::from(squares)))
}

/// The same for samples that are farther apart.
#[inline(never)]
fn sum_and_variance_of_far(pixel: &[i32]) -> (f64, f64) {
    pulp::Arch::new().dispatch(Far { pixel })
}

struct Far<'a> {
    pixel: &'a [i32],
}

impl pulp::NullaryFnOnce for Far<'_> {
    type Output = (f64, f64);

    #[inline(always)]
    fn call(self) -> (f64, f64) {
        let pixel = self.pixel;
        let n = pixel.len() as i64;
        let origin = i64::from(pixel.first().copied().unwrap_or(0));
        let (mut sum, mut squares, mut span) = (0i64, 0i64, 0i64);
        for &x in pixel {
            let d = i64::from(x) - origin;
            span |= d ^ (d >> 63);
            sum += d;
            squares = squares.wrapping_add(d.wrapping_mul(d));
        }
        let bits = 64 - span.leading_zeros();
        let fits = 2 * bits + (64 - n.leading_zeros()) <= 62;
        let squares = if fits { i128::from(squares) } else { pixel.iter().map(|&x| square(x, origin)).sum() };
        ((origin * n + sum) as f64, variance(n, i128::from(sum), squares))
    }
}

fn square(x: i32, origin: i64) -> i128 {
    let d = i128::from(i64::from(x) - origin);
    d * d
}

/// (n·Σd² − (Σd)²) / n².
#[inline(always)]
fn variance(n: i64, sum: i128, squares: i128) -> f64 {
    let spread = i128::from(n) * squares - sum * sum;
    // conversions of 64 bits are one instruction
    let spread = i64::try_from(spread).map_or(spread as f64, |s| s as f64);
    spread / (n as f64 * n as f64)
}

/// Samples as distances from the smallest one, in as few bytes as possible.
#[derive(Default)]
struct Packed {
    bytes: Vec<u8>,
    words: Vec<u16>,
    wide: Vec<u32>,
}

impl Packed {
    /// Median of a pixel whose smallest and largest sample are known.
    #[inline(always)]
    fn median(&mut self, pixel: &[i32], low: i32, high: i32) -> f64 {
        let range = high.wrapping_sub(low) as u32;
        if range < 1 << 8 {
            let distances = pixel.iter().map(|&x| x.wrapping_sub(low) as u8);
            median_distance(&mut self.bytes, distances, range as u8, f64::from(low))
        } else if range < 1 << 16 {
            let distances = pixel.iter().map(|&x| x.wrapping_sub(low) as u16);
            median_distance(&mut self.words, distances, range as u16, f64::from(low))
        } else {
            let distances = pixel.iter().map(|&x| x.wrapping_sub(low) as u32);
            median_distance(&mut self.wide, distances, range, f64::from(low))
        }
    }
}

/// An unsigned integer of 8, 16 or 32 bits.
trait Distance: Copy + Ord + Into<u32> + Default {
    fn narrow(x: u32) -> Self;
    /// Samples that can be counted before a counter of the same width may overflow.
    const RUN: usize;
    fn one_if(condition: bool) -> Self;
    fn plus(self, other: Self) -> Self;
}

macro_rules! distance {
    ($($t:ty => $run:expr),*) => {$(
        impl Distance for $t {
            const RUN: usize = $run;
            #[inline(always)]
            fn narrow(x: u32) -> Self { x as $t }
            #[inline(always)]
            fn one_if(condition: bool) -> Self { <$t>::from(condition) }
            #[inline(always)]
            fn plus(self, other: Self) -> Self { self.wrapping_add(other) }
        }
    )*};
}
distance!(u8 => 255, u16 => 65535, u32 => 1 << 24);

/// Lanes that are counted side by side.
const LANES: usize = 64;

/// How many samples are at most `limit`.
#[inline(always)]
fn count_at_most<D: Distance>(samples: &[D], limit: D) -> usize {
    let mut total = 0usize;
    for run in samples.chunks(D::RUN * LANES) {
        let mut lanes = [D::default(); LANES];
        let (blocks, rest) = run.as_chunks::<LANES>();
        for block in blocks {
            for (lane, &x) in lanes.iter_mut().zip(block) {
                *lane = lane.plus(D::one_if(x <= limit));
            }
        }
        total += lanes.iter().map(|&lane| lane.into() as usize).sum::<usize>();
        total += rest.iter().filter(|x| **x <= limit).count();
    }
    total
}

/// Median of `low` + distances, all of which are at most `range`.
#[inline(always)]
fn median_distance<D: Distance>(packed: &mut Vec<D>, distances: impl Iterator<Item = D>, range: D, low: f64) -> f64 {
    packed.clear();
    packed.extend(distances);
    let n = packed.len();
    // the upper of the two central samples, or the central one
    let rank = n / 2 + 1;
    let (mut below, mut at_most): (u32, u32) = (0, range.into());
    while below < at_most {
        let middle = below + (at_most - below) / 2;
        if count_at_most(packed, D::narrow(middle)) >= rank {
            at_most = middle;
        } else {
            below = middle + 1;
        }
    }
    let upper = at_most;
    if n % 2 == 1 || upper == 0 {
        return low + f64::from(upper);
    }
    let under = D::narrow(upper - 1);
    if count_at_most(packed, under) < n / 2 {
        return low + f64::from(upper);
    }
    // exactly half lies below: the lower central sample is the largest of them
    let lower = packed.iter().fold(D::default(), |best, &x| if x <= under { best.max(x) } else { best });
    let (lower, upper) = (low + f64::from(lower.into()), low + f64::from(upper));
    0.5 * (lower + upper)
}
