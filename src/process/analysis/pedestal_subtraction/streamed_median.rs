//! Exact median and MAD of the samples of a cube that does not fit in memory.
//!
//! Integers are counted by value in one pass, which gives both numbers. Reals (and integers that spread too widely) are
//! found digit by digit: the order-preserving bit pattern of the doubles is histogrammed 16 bits at a time, each pass
//! looking only at the bin that holds the wanted rank, until so few values are left that they can be collected. Only
//! counts are added up, so the result does not depend on the order in which blocks are read, nor on the number of threads.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::fits::FitsError;
use crate::image::SkipCube;
use crate::image::cube::Samples;

/// Widest range of integers that is counted value by value.
const COUNTED_SPAN: i64 = 1 << 22;
/// At most this many values are collected.
const COLLECTED: u64 = 1 << 20;
/// Bits of a digit.
const DIGIT: u32 = 16;

/// Median and MAD (unscaled) of the finite samples of the skips in `skips` of the pixels for which `takes(row, col)` is
/// true; `None` if there are none.
///
/// # Errors
/// If the samples cannot be read.
pub fn median_and_mad(
    cube: &SkipCube,
    skips: &Range<usize>,
    takes: impl Fn(usize, usize) -> bool + Sync,
) -> Result<Option<(f64, f64)>, FitsError> {
    if cube.is_integer()
        && let Some(counts) = count_integers(cube, skips, &takes)?
    {
        return Ok(counts.median_and_mad());
    }
    let samples = Stream { cube, skips, takes: &takes };
    let Some(median) = samples.median(|x| x)? else { return Ok(None) };
    Ok(samples.median(|x| (x - median).abs())?.map(|mad| (median, mad)))
}

/// Accumulators that threads take and give back; addition of counts does not depend on the order.
struct Pool<T>(Mutex<Vec<T>>);

impl<T> Pool<T> {
    fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    fn with<R>(&self, make: impl FnOnce() -> T, work: impl FnOnce(&mut T) -> R) -> R {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut item = taken.unwrap_or_else(make);
        let result = work(&mut item);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(item);
        result
    }

    fn into_inner(self) -> Vec<T> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often each integer occurs, from `first` on.
#[derive(Debug, Default)]
struct Counts {
    first: i64,
    counts: Vec<u64>,
    too_wide: bool,
}

impl Counts {
    fn add(&mut self, value: i64, n: u64) {
        if self.counts.is_empty() {
            self.first = value;
        }
        let last = self.first + self.counts.len() as i64 - 1;
        if value < self.first || value > last {
            // room to spare on the side that grows, so that growing is rare
            let span = (last.max(value) - self.first.min(value) + 1).max(1);
            if span > COUNTED_SPAN {
                self.too_wide = true;
                return;
            }
            if value < self.first {
                let grown = (self.first - value + span / 4).min(COUNTED_SPAN);
                let mut counts = vec![0; grown as usize];
                counts.append(&mut self.counts);
                self.counts = counts;
                self.first -= grown;
            } else {
                self.counts.resize((value - self.first + 1 + span / 4) as usize, 0);
            }
        }
        self.counts[(value - self.first) as usize] += n;
    }

    fn merge(mut self, other: Self) -> Self {
        self.too_wide |= other.too_wide;
        for (k, n) in other.counts.into_iter().enumerate().filter(|(_, n)| *n > 0) {
            self.add(other.first + k as i64, n);
        }
        self
    }

    fn median_and_mad(&self) -> Option<(f64, f64)> {
        let occupied = || self.counts.iter().enumerate().filter(|(_, n)| **n > 0);
        let values: Vec<(f64, u64)> = occupied().map(|(k, n)| ((self.first + k as i64) as f64, *n)).collect();
        let median = weighted_median(&values)?;
        let mut distances: Vec<(f64, u64)> = values.into_iter().map(|(x, n)| ((x - median).abs(), n)).collect();
        distances.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        Some((median, weighted_median(&distances)?))
    }
}

/// Median of sorted values with their numbers.
fn weighted_median(sorted: &[(f64, u64)]) -> Option<f64> {
    let n: u64 = sorted.iter().map(|(_, n)| n).sum();
    let at = |rank: u64| {
        let mut below = 0;
        sorted.iter().find(|(_, n)| {
            below += n;
            rank < below
        })
    };
    Some(0.5 * (at(n.checked_sub(1)? / 2)?.0 + at(n / 2)?.0))
}

/// Counts of integers; `None` if they spread too widely.
fn count_integers(
    cube: &SkipCube,
    skips: &Range<usize>,
    takes: &(impl Fn(usize, usize) -> bool + Sync),
) -> Result<Option<Counts>, FitsError> {
    let pool = Pool::new();
    cube.for_each_block(|block| {
        pool.with(Counts::default, |counts| {
            for (_, _, samples) in block.pixels().filter(|(row, col, _)| takes(*row, *col)) {
                match samples.part(skips.clone()) {
                    Samples::Int(values) => values.iter().for_each(|x| counts.add(i64::from(*x), 1)),
                    // a cube of integers holds nothing else
                    Samples::Real(_) => counts.too_wide = true,
                }
            }
        });
    })?;
    let total = pool.into_inner().into_iter().fold(Counts::default(), Counts::merge);
    Ok((!total.too_wide).then_some(total))
}

/// The selected samples, to be looked at again and again.
struct Stream<'a, F> {
    cube: &'a SkipCube,
    skips: &'a Range<usize>,
    takes: &'a F,
}

/// Order-preserving bit pattern of a double.
fn key(x: f64) -> u64 {
    let bits = x.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// The double of a bit pattern.
fn unkey(key: u64) -> f64 {
    f64::from_bits(if key >> 63 == 1 { key & !(1 << 63) } else { !key })
}

impl<F: Fn(usize, usize) -> bool + Sync> Stream<'_, F> {
    /// Calls `look` with the keys of all finite selected samples, transformed; each thread has its own accumulator.
    fn pass<T: Send>(
        &self,
        transform: &(impl Fn(f64) -> f64 + Sync),
        make: impl Fn() -> T + Sync,
        look: impl Fn(&mut T, u64) + Sync,
    ) -> Result<Vec<T>, FitsError> {
        let pool = Pool::new();
        self.cube.for_each_block(|block| {
            pool.with(&make, |accumulator| {
                for (_, _, samples) in block.pixels().filter(|(row, col, _)| (self.takes)(*row, *col)) {
                    for x in samples.part(self.skips.clone()).iter().filter(|x| x.is_finite()) {
                        // −0 and 0 are one value
                        look(accumulator, key(transform(x) + 0.0));
                    }
                }
            });
        })?;
        Ok(pool.into_inner())
    }

    /// Counts of the 16-bit digit above `shift` of the keys whose higher digits are `prefix`.
    fn digit(&self, transform: &(impl Fn(f64) -> f64 + Sync), prefix: u64, shift: u32) -> Result<Vec<u64>, FitsError> {
        let above = |key: u64| if shift + DIGIT == u64::BITS { 0 } else { key >> (shift + DIGIT) };
        let parts = self.pass(
            transform,
            || vec![0_u64; 1 << DIGIT],
            |counts, key| {
                if above(key) == prefix {
                    counts[((key >> shift) & ((1 << DIGIT) - 1)) as usize] += 1;
                }
            },
        )?;
        let mut total = vec![0; 1 << DIGIT];
        for part in parts {
            total.iter_mut().zip(part).for_each(|(t, n)| *t += n);
        }
        Ok(total)
    }

    /// Median of the transformed samples.
    fn median(&self, transform: impl Fn(f64) -> f64 + Sync) -> Result<Option<f64>, FitsError> {
        let mut shift = u64::BITS - DIGIT;
        let mut prefix = 0;
        let mut counts = self.digit(&transform, prefix, shift)?;
        let n: u64 = counts.iter().sum();
        if n == 0 {
            return Ok(None);
        }
        let (lower, upper) = ((n - 1) / 2, n / 2);
        let mut below = 0;
        loop {
            let mut bin = 0;
            while below + counts[bin] <= lower {
                below += counts[bin];
                bin += 1;
            }
            prefix = prefix << DIGIT | bin as u64;
            if counts[bin] <= COLLECTED || shift == 0 {
                break;
            }
            shift -= DIGIT;
            counts = self.digit(&transform, prefix, shift)?;
        }
        // the values with this prefix, and the smallest one above
        let parts = self.pass(
            &transform,
            || (Vec::new(), u64::MAX),
            |(values, above), key| match (key >> shift).cmp(&prefix) {
                // without digits left, all of them are equal
                std::cmp::Ordering::Equal if shift > 0 || values.is_empty() => values.push(key),
                std::cmp::Ordering::Greater => *above = (*above).min(key),
                _ => {}
            },
        )?;
        let above = parts.iter().map(|(_, above)| *above).min().unwrap_or(u64::MAX);
        let mut values: Vec<u64> = parts.into_iter().flat_map(|(values, _)| values).collect();
        values.sort_unstable();
        let equal = shift == 0;
        let at = |rank: u64| -> f64 {
            let within = usize::try_from(rank - below).unwrap_or(usize::MAX);
            let last = if equal { counts[(prefix & ((1 << DIGIT) - 1)) as usize] } else { values.len() as u64 };
            match values.get(if equal { 0 } else { within }) {
                Some(key) if (within as u64) < last => unkey(*key),
                _ => unkey(above),
            }
        };
        Ok(Some(0.5 * (at(lower) + at(upper))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::Stream as Random;
    use crate::stats::robust;
    use ndarray::Array3;

    fn check(cube: &SkipCube, all: &Array3<f64>, skips: Range<usize>, takes: fn(usize, usize) -> bool) {
        let values: Vec<f64> = all
            .indexed_iter()
            .filter(|((r, c, k), x)| takes(*r, *c) && skips.contains(k) && x.is_finite())
            .map(|(_, x)| *x)
            .collect();
        let expected = robust::median_and_mad(&values);
        assert_eq!(median_and_mad(cube, &skips, takes).unwrap(), Some(expected), "{} values", values.len());
    }

    #[test]
    fn integers_are_counted_exactly() {
        let mut random = Random::from_seed(1);
        for (rows, spread) in [(1, 3.0), (2, 3.0), (7, 400.0), (8, 40_000.0)] {
            let cube = Array3::from_shape_fn((rows, 5, 6), |_| (1000.0 + spread * random.normal()) as i32);
            let all = cube.mapv(f64::from);
            check(&SkipCube::from_integers(cube.clone()), &all, 1..6, |r, c| r != 1 && c > 0);
            check(&SkipCube::from_integers(cube), &all, 0..5, |_, _| true);
        }
    }

    #[test]
    fn integers_over_the_whole_range_are_found_by_digits() {
        let mut random = Random::from_seed(2);
        let cube = Array3::from_shape_fn((6, 5, 4), |_| random.bits() as i32);
        let all = cube.mapv(f64::from);
        check(&SkipCube::from_integers(cube), &all, 0..4, |_, _| true);
    }

    #[test]
    fn reals_with_missing_and_equal_values() {
        let mut random = Random::from_seed(3);
        for n in [1, 2, 3, 10] {
            let mut all = Array3::from_shape_fn((n, 7, 9), |_| -40.0 + random.normal());
            check(&SkipCube::from_reals(all.clone()), &all, 2..8, |_, c| c < 5);
            all.iter_mut().step_by(3).for_each(|x| *x = -40.5);
            all.iter_mut().step_by(7).for_each(|x| *x = f64::NAN);
            check(&SkipCube::from_reals(all.clone()), &all, 0..9, |_, _| true);
        }
        let zeros = Array3::from_shape_fn((2, 2, 3), |(r, _, _)| if r == 0 { -0.0 } else { 0.0 });
        check(&SkipCube::from_reals(zeros.clone()), &zeros, 0..3, |_, _| true);
    }

    #[test]
    fn many_equal_values_need_all_digits() {
        // more than can be collected of one value, and the median between two values
        let n = 1_100_000;
        let all = Array3::from_shape_fn((1, 2 * n, 1), |(_, c, _)| if c < n { 1.5 } else { 2.5 + (c % 7) as f64 });
        check(&SkipCube::from_reals(all.clone()), &all, 0..1, |_, _| true);
        let all = all.mapv(|x| if x < 2.0 { 1.5 } else { 0.25 });
        check(&SkipCube::from_reals(all.clone()), &all, 0..1, |_, _| true);
    }

    #[test]
    fn nothing_selected() {
        let cube = SkipCube::from_integers(Array3::zeros((2, 2, 2)));
        assert_eq!(median_and_mad(&cube, &(0..2), |_, _| false).unwrap(), None);
        let cube = SkipCube::from_reals(Array3::from_elem((2, 2, 2), f64::NAN));
        assert_eq!(median_and_mad(&cube, &(0..2), |_, _| true).unwrap(), None);
    }

    #[test]
    fn keys_keep_the_order() {
        let values = [f64::NEG_INFINITY, -3.5, -1e-300, 0.0, 1e-300, 2.0, f64::INFINITY];
        assert!(values.windows(2).all(|w| key(w[0]) < key(w[1])));
        assert!(values.iter().all(|x| unkey(key(*x)) == *x));
    }
}
