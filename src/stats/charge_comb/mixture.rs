//! Equidistant Gaussians fitted by expectation maximisation to a fine histogram (spec 04 §2.3 B).
//!
//! Only bins that hold something and only components within eight widths take part, so that a comb of a hundred peaks
//! costs no more than its data.

use crate::stats::small_matrix;

/// Components further away than this many widths have no part in a value.
pub(super) const REACH: f64 = 8.0;
const EQUIDISTANT_ITERATIONS: usize = 500;
/// Change below which an iteration has converged, in spacings.
pub(super) const CONVERGED: f64 = 1e-6;

/// Combs whose data reach beyond this component may bend: over hundreds of electrons the response is no straight line.
const STRAIGHT_COMPONENTS: usize = 32;
/// Values that a component must hold to count for that.
const POPULATED: f64 = 10.0;

/// Equidistant peaks of one width, in long combs on a slightly bent scale: µᵢ = first + spacing i + bend i².
#[derive(Debug, Clone, PartialEq)]
pub struct Comb {
    /// Position of component 0.
    pub first: f64,
    /// Spacing.
    pub spacing: f64,
    /// Bend.
    pub bend: f64,
    /// Common width.
    pub sigma: f64,
    /// Share of each component in the data.
    pub weights: Vec<f64>,
}

impl Comb {
    /// Position of component `i`.
    pub fn place(&self, i: usize) -> f64 {
        let i = i as f64;
        self.first + i * (self.spacing + i * self.bend)
    }

    /// Component (not an integer) at a value.
    fn number(&self, x: f64) -> f64 {
        let straight = (x - self.first) / self.spacing;
        // two steps suffice: the bend is small against the spacing
        let step = |i: f64| (x - self.first) / (self.spacing + i * self.bend);
        if self.bend == 0.0 { straight } else { step(step(straight)) }
    }
}

/// The bins that hold something.
#[derive(Debug, Clone)]
pub struct Data {
    /// Centre and contents.
    pub bins: Vec<(f64, f64)>,
    /// Sum of the contents.
    pub total: f64,
    /// The range [low, high) and the width of all bins, empty ones included.
    range: (f64, f64),
    width: f64,
    /// Number of all bins.
    n: usize,
}

/// Σ h r, Σ h r d, Σ h r d² of a component, d from its place at the start of the iteration.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    pub n: f64,
    pub d: f64,
    pub dd: f64,
}

impl Sums {
    pub fn add(&mut self, weight: f64, d: f64) {
        self.n += weight;
        self.d += weight * d;
        self.dd += weight * d * d;
    }
}

impl Data {
    /// Histogram of the values in [low, high).
    pub fn new(values: &[f64], low: f64, high: f64, width: f64) -> Self {
        let n = (((high - low) / width).round() as usize).max(1);
        let mut data = Self { bins: Vec::new(), total: 0.0, range: (low, high), width, n };
        let mut counts = vec![0u32; n];
        values.iter().filter_map(|x| data.number(*x)).for_each(|i| counts[i] += 1);
        let held = counts.iter().enumerate().filter(|(_, c)| **c > 0);
        data.bins = held.map(|(i, c)| (low + (i as f64 + 0.5) * width, f64::from(*c))).collect();
        data.total = data.bins.iter().map(|b| b.1).sum();
        data
    }

    /// Number of the bin of a value among all bins.
    fn number(&self, x: f64) -> Option<usize> {
        let (low, high) = self.range;
        (x >= low && x < high).then(|| (((x - low) / self.width) as usize).min(self.n - 1))
    }

    /// Where each value lies in `bins`.
    pub fn places(&self) -> impl Fn(f64) -> Option<usize> + '_ {
        let mut place = vec![0; self.n];
        self.bins.iter().enumerate().for_each(|(i, (x, _))| {
            if let Some(number) = self.number(*x) {
                place[number] = i;
            }
        });
        move |x| self.number(x).map(|number| place[number])
    }

    /// Fits `n` equidistant components. `None` if the data lie in one component only.
    pub fn fit_equidistant(&self, n: usize, first: f64, spacing: f64, bend: f64, sigma: f64) -> Option<Comb> {
        if self.total <= 0.0 || n < 2 {
            return None;
        }
        let mut comb = Comb { first, spacing, bend, sigma, weights: vec![1.0 / n as f64; n] };
        for _ in 0..EQUIDISTANT_ITERATIONS {
            let next = self.step_equidistant(&comb)?;
            let change = (next.first - comb.first)
                .abs()
                .max((next.spacing - comb.spacing).abs())
                .max((next.sigma - comb.sigma).abs())
                .max((next.bend - comb.bend).abs() * n as f64);
            comb = next;
            if change < CONVERGED * comb.spacing {
                break;
            }
        }
        Some(comb)
    }

    fn step_equidistant(&self, comb: &Comb) -> Option<Comb> {
        let n = comb.weights.len();
        let (g, s) = (comb.spacing, comb.sigma);
        let places: Vec<f64> = (0..n).map(|i| comb.place(i)).collect();
        let mut sums = vec![Sums::default(); n];
        let mut densities = Vec::new();
        for &(x, h) in &self.bins {
            let number = comb.number(x);
            let (from, to) = neighbours(number, REACH * s / g, n);
            densities.clear();
            densities.extend((from..=to).map(|i| {
                let t = (x - places[i]) / s;
                comb.weights[i] * (-0.5 * t * t).exp()
            }));
            share(&densities, from, nearest(number, n), |i, r| sums[i].add(h * r, x - places[i]));
        }
        let bends = sums.iter().rposition(|sum| sum.n >= POPULATED).is_some_and(|last| last >= STRAIGHT_COMPONENTS);
        let next = if bends { self.shifted(comb, &sums, 3) } else { None };
        next.or_else(|| self.shifted(comb, &sums, 2))
    }

    /// The comb moved by the least-squares shifts of its first two or three coefficients. `None` if they are not
    /// determined or make no scale.
    fn shifted(&self, comb: &Comb, sums: &[Sums], terms: usize) -> Option<Comb> {
        let n = comb.weights.len() as f64;
        let (mut matrix, mut rhs) = ([[0.0; 3]; 3], [0.0; 3]);
        for (i, sum) in sums.iter().enumerate() {
            let u = i as f64 / n;
            let powers = [1.0, u, u * u];
            for row in 0..terms {
                rhs[row] += powers[row] * sum.d;
                for col in 0..terms {
                    matrix[row][col] += powers[row] * powers[col] * sum.n;
                }
            }
        }
        let shift = small_matrix::solve(&matrix, &rhs, terms)?;
        let total: f64 = sums.iter().map(|sum| sum.n).sum();
        let variance = sums
            .iter()
            .enumerate()
            .map(|(i, sum)| {
                let u = i as f64 / n;
                let shift = shift[0] + u * (shift[1] + u * shift[2]);
                sum.dd - 2.0 * shift * sum.d + shift * shift * sum.n
            })
            .sum::<f64>()
            / total;
        let smallest = 1e-3 * comb.spacing;
        let next = Comb {
            first: comb.first + shift[0],
            spacing: comb.spacing + shift[1] / n,
            bend: comb.bend + shift[2] / (n * n),
            sigma: variance.max(smallest * smallest).sqrt(),
            weights: sums.iter().map(|sum| sum.n / self.total).collect(),
        };
        // a scale whose steps change much is none
        let last_spacing = next.spacing + 2.0 * n * next.bend;
        let steady = last_spacing > 0.5 * next.spacing && last_spacing < 2.0 * next.spacing;
        (next.spacing > 0.0 && steady && next.sigma.is_finite()).then_some(next)
    }
}

/// First and last component within `reach` of `at`, both in spacings from component 0; at least the nearest one.
fn neighbours(at: f64, reach: f64, n: usize) -> (usize, usize) {
    let last = (n - 1) as f64;
    let near = nearest(at, n);
    let from = (at - reach).ceil().clamp(0.0, last) as usize;
    let to = (at + reach).floor().clamp(0.0, last) as usize;
    (from.min(near), to.max(near))
}

fn nearest(at: f64, n: usize) -> usize {
    at.round().clamp(0.0, (n - 1) as f64) as usize
}

/// Divides a value among components in proportion to their densities; all to the nearest where they vanish.
pub(super) fn share(densities: &[f64], from: usize, nearest: usize, mut take: impl FnMut(usize, f64)) {
    let sum: f64 = densities.iter().sum();
    if sum > 0.0 {
        for (k, density) in densities.iter().enumerate().filter(|(_, d)| **d > 0.0) {
            take(from + k, density / sum);
        }
    } else {
        take(nearest, 1.0);
    }
}
