//! Two-sample Kolmogorov–Smirnov test, two-sided (spec 06 §8.1).
//!
//! D is the largest distance of the two empirical distribution functions. Up to n₁·n₂ = 4·10⁶ the probability of a
//! distance at least as large is exact: the share of lattice paths from (0, 0) to (n₁, n₂) that stay within it (the
//! recursion of Nikiforov 1994, AS 288, in probabilities so that nothing overflows). Beyond that, Kolmogorov's series.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

/// Largest n₁·n₂ for which paths are counted.
const EXACT: usize = 4_000_000;

/// Distance D and the probability of a distance at least as large when both samples are of one population. Values that
/// are not finite are left out; `None` if nothing is left of a sample.
pub fn two_sample(first: &[f64], second: &[f64]) -> Option<(f64, f64)> {
    let sorted = |v: &[f64]| {
        let mut v: Vec<f64> = v.iter().copied().filter(|x| x.is_finite()).collect();
        v.sort_unstable_by(f64::total_cmp);
        v
    };
    two_sorted(&sorted(first), &sorted(second))
}

/// [`two_sample`] for samples that are sorted and finite.
pub fn two_sorted(a: &[f64], b: &[f64]) -> Option<(f64, f64)> {
    let (n1, n2) = (a.len(), b.len());
    if n1 == 0 || n2 == 0 {
        return None;
    }
    // The distance in units of 1/(n₁·n₂), an integer.
    let mut steps: u64 = 0;
    let (mut i, mut j) = (0, 0);
    while i < n1 && j < n2 {
        let x = a[i].min(b[j]);
        while i < n1 && a[i] <= x {
            i += 1;
        }
        while j < n2 && b[j] <= x {
            j += 1;
        }
        steps = steps.max(((i * n2) as u64).abs_diff((j * n1) as u64));
    }
    let distance = steps as f64 / (n1 as f64 * n2 as f64);
    Some((distance, probability(n1, n2, steps)))
}

fn probability(n1: usize, n2: usize, steps: u64) -> f64 {
    if n1.saturating_mul(n2) > EXACT {
        return asymptotic(n1, n2, steps as f64 / (n1 as f64 * n2 as f64));
    }
    // The same few distances come again and again when a run is compared image by image.
    type Probabilities = HashMap<(usize, usize, u64), f64>;
    static KNOWN: LazyLock<Mutex<Probabilities>> = LazyLock::new(Mutex::default);
    let key = (n1.min(n2), n1.max(n2), steps);
    let known = |key| KNOWN.lock().unwrap_or_else(|e| e.into_inner()).get(key).copied();
    if let Some(p) = known(&key) {
        return p;
    }
    let p = exact(key.0, key.1, steps);
    KNOWN.lock().unwrap_or_else(|e| e.into_inner()).insert(key, p);
    p
}

/// 1 − share of the paths whose distance stays below `steps`/(n₁·n₂).
fn exact(n1: usize, n2: usize, steps: u64) -> f64 {
    let inside = |i: usize, j: usize| ((i * n2) as u64).abs_diff((j * n1) as u64) < steps;
    let mut u: Vec<f64> = (0..=n2).map(|j| if inside(0, j) { 1.0 } else { 0.0 }).collect();
    for i in 1..=n1 {
        let w = i as f64 / (i + n2) as f64;
        u[0] = if inside(i, 0) { w * u[0] } else { 0.0 };
        for j in 1..=n2 {
            u[j] = if inside(i, j) { w * u[j] + u[j - 1] } else { 0.0 };
        }
    }
    (1.0 - u[n2]).clamp(0.0, 1.0)
}

fn asymptotic(n1: usize, n2: usize, distance: f64) -> f64 {
    let n = (n1 as f64 * n2 as f64 / (n1 + n2) as f64).sqrt();
    let lambda = (n + 0.12 + 0.11 / n) * distance;
    let mut sum = 0.0;
    for j in 1..=100 {
        let j = f64::from(j);
        let term = (-2.0 * j * j * lambda * lambda).exp();
        sum += if j % 2.0 == 1.0 { term } else { -term };
        if term < 1e-17 {
            break;
        }
    }
    (2.0 * sum).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts all orders of the pooled sample one by one.
    fn slow(n1: usize, n2: usize, steps: u64) -> f64 {
        fn paths(i: usize, j: usize, n: (usize, usize), steps: u64) -> (u64, u64) {
            let outside = ((i * n.1) as u64).abs_diff((j * n.0) as u64) >= steps;
            if outside {
                let all = |a: u64, b: u64| (1..=a).fold(1u64, |c, k| c * (b + k) / k);
                let rest = all((n.0 - i) as u64, (n.1 - j) as u64);
                return (rest, rest);
            }
            if (i, j) == n {
                return (0, 1);
            }
            let mut total = (0, 0);
            for (di, dj) in [(1, 0), (0, 1)] {
                if i + di <= n.0 && j + dj <= n.1 {
                    let (o, a) = paths(i + di, j + dj, n, steps);
                    total = (total.0 + o, total.1 + a);
                }
            }
            total
        }
        let (outside, all) = paths(0, 0, (n1, n2), steps);
        outside as f64 / all as f64
    }

    #[test]
    fn the_recursion_counts_the_paths() {
        for (n1, n2) in [(1, 1), (3, 5), (6, 6), (7, 4), (8, 8)] {
            for steps in 1..=(n1 * n2) as u64 {
                let (a, b) = (exact(n1, n2, steps), slow(n1, n2, steps));
                assert!((a - b).abs() < 1e-12, "{n1} {n2} {steps}: {a} {b}");
            }
        }
    }

    #[test]
    fn large_samples_agree_with_the_series() {
        for steps in [150u64, 300, 450] {
            let (n1, n2) = (900, 1100);
            let steps = steps * 250;
            let d = steps as f64 / (n1 * n2) as f64;
            let (a, b) = (exact(n1, n2, steps), asymptotic(n1, n2, d));
            // the series is good to a few per cent at this size
            assert!((a - b).abs() < 0.05 * a + 0.005, "D = {d}: {a} {b}");
        }
    }

    #[test]
    fn ties_and_missing_values_do_no_harm() {
        assert_eq!(two_sample(&[1.0, 1.0, f64::NAN], &[1.0, 1.0]), Some((0.0, 1.0)));
        assert_eq!(two_sample(&[], &[1.0]), None);
        let (d, p) = two_sample(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]).unwrap();
        assert!(d == 1.0 && (p - 0.1).abs() < 1e-12);
    }
}
