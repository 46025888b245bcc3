//! Peaks of their own places and widths, fitted together, with the covariance of what was fitted (spec 04 §2.3 C).
//!
//! Where peaks overlap, a value may belong to either neighbour, and σ/√n understates the error of a position: by 2 % at
//! widths of 0.15 spacings, 7 % at 0.2, and more than a factor two at 0.3. The covariance is therefore the inverse of
//! the information of the whole mixture, estimated from the data themselves: with the shares r_ij of component i in bin
//! j of h_j values, and t_ij = (x_j − μᵢ)/σᵢ, the derivatives of the logarithm of the density at x_j are
//!
//! ```text
//! s_j = (r_ij t_ij,  r_ij (t_ij² − 1),  r_ij)  for  (μᵢ/σᵢ, ln σᵢ, ln nᵢ),      I = Σ_j h_j s_j s_jᵀ
//! ```
//!
//! (Titterington, Smith & Makov 1985, §4.3). I is a band matrix, as only neighbours overlap.
//!
//! That holds for values that are independent of each other. Pixels of a row share slow noise and the error of the row's
//! pedestal, and peaks whose shares in the rows differ move against each other. With the sums S_r of s over the values of
//! row r, and R rows, the covariance is then
//!
//! ```text
//! C = I⁻¹ (Σ_r S_r S_rᵀ) I⁻¹ R/(R − 1)
//! ```
//!
//! (errors clustered by row: Liang & Zeger, Biometrika 73 (1986) 13), whatever it is that the pixels of a row share.

use super::mixture::{CONVERGED, Data, REACH, Sums, share};
use super::{CombPeak, Sample};
use crate::stats::band_matrix::{BandFactor, BandMatrix};
use crate::stats::distributions::normal_cdf;

const ITERATIONS: usize = 3000;
/// Bins per spacing.
const BINS: f64 = 100.0;
/// How far a peak may move from its start, in spacings.
const SHIFT: f64 = 0.3;
/// Components that take up the data beyond the last wanted peak. The data end in the middle of the last one, whose place
/// is then wrong; the others keep that away from the wanted peaks.
const BEYOND: usize = 3;
/// Neighbours of a component that can overlap with it.
const OVERLAP: usize = 4;
/// Values that a peak below the first one holds at least: in a bright image it may be nearly as high as the first one.
const FEW: f64 = 3.0;
/// Values below which a component has no errors of its own.
const PRESENT: f64 = 1.0;

/// Peaks with the covariances `[i][j]` of their positions and of their widths.
#[derive(Debug, Clone, PartialEq)]
pub struct FreePeaks {
    /// The peaks, errors included.
    pub peaks: Vec<CombPeak>,
    /// Covariance of the positions.
    pub mu_covariance: Vec<Vec<f64>>,
    /// Covariance of the widths.
    pub sigma_covariance: Vec<Vec<f64>>,
    /// Covariances of positions and widths with what the values of a row share; not of full rank with fewer rows than
    /// peaks.
    pub of_rows: Option<[Vec<Vec<f64>>; 2]>,
}

/// Rows below which what they share is not estimated.
const FEWEST_ROWS: usize = 10;

impl FreePeaks {
    /// Variance of Σ wᵢ μᵢ over `(i, wᵢ)`, that of rows where it is larger.
    pub fn variance(&self, terms: &[(usize, f64)]) -> f64 {
        let of = |matrix: &[Vec<f64>]| -> f64 {
            let pairs = terms.iter().flat_map(|a| terms.iter().map(move |b| (a, b)));
            pairs.map(|((i, wi), (j, wj))| wi * wj * matrix[*i][*j]).sum()
        };
        let of_rows = self.of_rows.as_ref().map_or(0.0, |both| of(&both[0]));
        of(&self.mu_covariance).max(of_rows)
    }

    /// Keeps the peaks that hold `keep(i, peak)`, with the others as unknown as before.
    pub fn retain(&mut self, keep: impl Fn(usize, &CombPeak) -> bool) {
        let kept: Vec<usize> = (0..self.peaks.len()).filter(|i| keep(*i, &self.peaks[*i])).collect();
        let part = |matrix: &[Vec<f64>]| -> Vec<Vec<f64>> {
            kept.iter().map(|row| kept.iter().map(|col| matrix[*row][*col]).collect()).collect()
        };
        self.mu_covariance = part(&self.mu_covariance);
        self.sigma_covariance = part(&self.sigma_covariance);
        self.of_rows = self.of_rows.take().map(|both| both.map(|matrix| part(&matrix)));
        self.peaks = kept.iter().map(|i| self.peaks[*i]).collect();
    }
}

/// A component near whose start the fit stays.
#[derive(Debug, Clone, Copy)]
struct Component {
    start: CombPeak,
    now: CombPeak,
}

/// Fits peaks near `start`: (position, width) in ascending order, about `spacing` apart. Values below the first and
/// beyond the last peak do not disturb them.
pub fn fit_free_peaks(sample: &Sample, start: &[(f64, f64)], spacing: f64) -> FreePeaks {
    let values = sample.values();
    let (Some(&(first, first_sigma)), Some(&(last, last_sigma))) = (start.first(), start.last()) else {
        return FreePeaks { peaks: Vec::new(), mu_covariance: Vec::new(), sigma_covariance: Vec::new(), of_rows: None };
    };
    let below = usize::from(peak_below(values, first, first_sigma, spacing));
    let mut places: Vec<(f64, f64)> = (0..below).map(|_| (first - spacing, first_sigma)).collect();
    places.extend_from_slice(start);
    places.extend((1..=BEYOND).map(|i| (last + i as f64 * spacing, last_sigma)));
    let low = first - spacing * if below > 0 { 1.5 } else { 1.0 };
    let high = last + spacing * (BEYOND as f64 + 0.5);
    let data = Data::new(values, low, high, spacing / BINS);
    let equal = data.total / places.len() as f64;
    let mut components: Vec<Component> = places
        .iter()
        .map(|&(mu, sigma)| CombPeak::of(mu, sigma, equal))
        .map(|peak| Component { start: peak, now: peak })
        .collect();
    let near = Neighbours::new(&data, &components, spacing);
    maximise(&data, &near, &mut components, spacing);
    covariance(&data, &near, &components, below..below + start.len(), spacing, sample)
}

/// Whether there is a peak a spacing below the first one: more values than its tail can hold.
fn peak_below(values: &[f64], first: f64, sigma: f64, spacing: f64) -> bool {
    let within = |lo: f64, hi: f64| {
        values.iter().filter(|x| **x >= first + lo * spacing && **x < first + hi * spacing).count() as f64
    };
    let tail = |at: f64| normal_cdf(at * spacing / sigma);
    let expected = within(-0.5, 0.5) * (tail(-0.7) - tail(-1.3));
    within(-1.3, -0.7) - expected > (5.0 * expected.sqrt()).max(FEW)
}

/// The components that can have a part in each bin, and the nearest one.
struct Neighbours(Vec<(usize, usize, usize)>);

impl Neighbours {
    fn new(data: &Data, components: &[Component], spacing: f64) -> Self {
        let widest = components.iter().map(|c| c.start.sigma).fold(0.0, f64::max);
        let reach = SHIFT * spacing + REACH * 2.0 * widest;
        let mu = |i: usize| components[i].start.mu;
        let last = components.len() - 1;
        let bins = data.bins.iter().map(|&(x, _)| {
            let above = components.partition_point(|c| c.start.mu < x);
            let nearest = match above {
                0 => 0,
                _ if above > last => last,
                _ if x - mu(above - 1) < mu(above) - x => above - 1,
                _ => above,
            };
            let from = components.partition_point(|c| c.start.mu < x - reach).min(nearest);
            let to = components.partition_point(|c| c.start.mu <= x + reach).saturating_sub(1).max(nearest);
            (from, to, nearest)
        });
        Self(bins.collect())
    }

    /// Calls `take` with every bin (centre, contents) and the components that share it (number, share).
    fn for_each(&self, data: &Data, components: &[Component], mut take: impl FnMut((f64, f64), &[(usize, f64)])) {
        let (mut densities, mut shares) = (Vec::new(), Vec::new());
        for (&bin, &(from, to, nearest)) in data.bins.iter().zip(&self.0) {
            densities.clear();
            densities.extend(components[from..=to].iter().map(|c| {
                let t = (bin.0 - c.now.mu) / c.now.sigma;
                if t.abs() > REACH { 0.0 } else { c.now.counts / c.now.sigma * (-0.5 * t * t).exp() }
            }));
            shares.clear();
            share(&densities, from, nearest, |i, r| shares.push((i, r)));
            take(bin, &shares);
        }
    }
}

/// Expectation maximisation.
fn maximise(data: &Data, near: &Neighbours, components: &mut [Component], spacing: f64) {
    for _ in 0..ITERATIONS {
        let mut sums = vec![Sums::default(); components.len()];
        near.for_each(data, components, |(x, h), shares| {
            shares.iter().for_each(|&(i, r)| sums[i].add(h * r, x - components[i].now.mu));
        });
        let mut change: f64 = 0.0;
        for (Component { start, now }, sum) in components.iter_mut().zip(&sums) {
            let before = *now;
            now.counts = sum.n;
            if sum.n > 0.0 {
                let shift = sum.d / sum.n;
                now.mu = (before.mu + shift).clamp(start.mu - SHIFT * spacing, start.mu + SHIFT * spacing);
                let moved = now.mu - before.mu;
                let variance = (sum.dd - 2.0 * moved * sum.d + moved * moved * sum.n) / sum.n;
                now.sigma = variance.max(0.0).sqrt().clamp(0.3 * start.sigma, 2.0 * start.sigma);
            }
            change = change.max((now.mu - before.mu).abs()).max((now.sigma - before.sigma).abs());
        }
        if change < CONVERGED * spacing {
            break;
        }
    }
}

/// The derivatives s_j of a bin: component and (μ/σ, ln σ, ln n).
type Derivatives = Vec<(usize, [f64; 3])>;

/// The `wanted` components with their covariance.
fn covariance(
    data: &Data,
    near: &Neighbours,
    components: &[Component],
    wanted: std::ops::Range<usize>,
    spacing: f64,
    sample: &Sample,
) -> FreePeaks {
    let mut information = BandMatrix::zeros(3 * components.len(), 3 * OVERLAP + 2);
    // the ranges within which the fit looks: they matter for peaks of a handful of values only
    for (i, c) in components.iter().enumerate() {
        let place = (c.now.sigma / (SHIFT * spacing)).powi(2);
        for (k, prior) in [place, 1.0, 1e-2].into_iter().enumerate() {
            information.add(3 * i + k, 3 * i + k, prior);
        }
    }
    let mut of_bins: Vec<Derivatives> = Vec::with_capacity(data.bins.len());
    near.for_each(data, components, |(x, h), shares| {
        let present = shares.iter().filter(|(i, _)| components[*i].now.counts >= PRESENT);
        let derivatives: Derivatives = present
            .map(|&(i, r)| {
                let t = (x - components[i].now.mu) / components[i].now.sigma;
                (i, [r * t, r * (t * t - 1.0), r])
            })
            .collect();
        for (k, (row, a)) in derivatives.iter().enumerate() {
            for (col, b) in derivatives[..=k].iter().filter(|d| row - d.0 <= OVERLAP) {
                for (p, a) in a.iter().enumerate() {
                    for (q, b) in b.iter().enumerate().filter(|(q, _)| row != col || *q <= p) {
                        information.add(3 * row + p, 3 * col + q, h * a * b);
                    }
                }
            }
        }
        of_bins.push(derivatives);
    });
    let mut peaks: Vec<CombPeak> = wanted.clone().map(|i| components[i].now).collect();
    // positive definite, because the prior is
    let Some(factor) = information.factor() else {
        let unknown = vec![vec![f64::NAN; peaks.len()]; peaks.len()];
        return FreePeaks { peaks, mu_covariance: unknown.clone(), sigma_covariance: unknown, of_rows: None };
    };
    let n = peaks.len();
    let (mut mu, mut sigma) = (vec![vec![0.0; n]; n], vec![vec![0.0; n]; n]);
    for row in 0..n {
        for (k, matrix) in [&mut mu, &mut sigma].into_iter().enumerate() {
            let mut column = vec![0.0; 3 * components.len()];
            column[3 * (wanted.start + row) + k] = 1.0;
            factor.solve(&mut column);
            for col in 0..n {
                matrix[row][col] = peaks[row].sigma * peaks[col].sigma * column[3 * (wanted.start + col) + k];
            }
        }
    }
    let of_rows = of_rows(data, &of_bins, components, wanted, &factor, sample);
    for (i, peak) in peaks.iter_mut().enumerate() {
        let of_row = |k: usize| of_rows.as_ref().map_or(0.0, |both| both[k][i][i]);
        peak.mu_error = mu[i][i].max(of_row(0)).sqrt();
        peak.sigma_error = sigma[i][i].max(of_row(1)).sqrt();
    }
    FreePeaks { peaks, mu_covariance: mu, sigma_covariance: sigma, of_rows }
}

/// Covariances of the positions and widths of the `wanted` components, clustered by row; none with few rows.
fn of_rows(
    data: &Data,
    of_bins: &[Derivatives],
    components: &[Component],
    wanted: std::ops::Range<usize>,
    factor: &BandFactor,
    sample: &Sample,
) -> Option<[Vec<Vec<f64>>; 2]> {
    let count = sample.rows().count();
    if count < FEWEST_ROWS {
        return None;
    }
    let n = wanted.len();
    let mut covariances = [vec![vec![0.0; n]; n], vec![vec![0.0; n]; n]];
    let place = data.places();
    let mut moved = vec![0.0; 3 * components.len()];
    let correction = count as f64 / (count as f64 - 1.0);
    for row in sample.rows() {
        moved.fill(0.0);
        for bin in row.iter().filter_map(|x| place(*x)) {
            for (i, derivatives) in &of_bins[bin] {
                derivatives.iter().enumerate().for_each(|(k, d)| moved[3 * i + k] += d);
            }
        }
        // how far the row pulls every position and width
        factor.solve(&mut moved);
        for (k, covariance) in covariances.iter_mut().enumerate() {
            let pull: Vec<f64> = wanted.clone().map(|i| components[i].now.sigma * moved[3 * i + k]).collect();
            for (line, a) in covariance.iter_mut().zip(&pull) {
                line.iter_mut().zip(&pull).for_each(|(c, b)| *c += correction * a * b);
            }
        }
    }
    Some(covariances)
}
