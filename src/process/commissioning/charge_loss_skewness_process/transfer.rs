//! The probability that an electron is lost between one skip and the next.
//!
//! With loss probability p the charge that a pixel still holds d skips later is Q (1 − p)^d on average, whatever Q is. The
//! covariance over the pixels of the mean Z of the first M skips with a later skip k is therefore
//!
//! ```text
//! C_k = cov(Z, q_k) = A (1 − p)^k
//! ```
//!
//! exactly, for any distribution of the charge; noise drops out because Z and q_k are different samples, and noise that is
//! correlated over the skips is subtracted as the same covariance in the overscan. Covariances are taken within rows,
//! so that pedestals of rows and of skips have no effect. p is a least-squares fit to all C_k; its error comes from a
//! jackknife over groups of rows, which knows all correlations; the interval is that of a quantity that cannot be
//! negative ([`crate::stats::unified_interval`]).

use std::ops::Range;

use crate::image::Region;
use crate::image::cube::{Block, Samples};
use crate::process::commissioning::selection::rows_in_block;
use crate::stats::unified_interval::unified_interval;

/// Groups of the jackknife.
const GROUPS: usize = 20;
/// Share of the skips in Z.
const WINDOW: f64 = 0.25;
/// The covariance must stand out by this many errors.
const SMALLEST_SIGNAL: f64 = 5.0;
/// Confidence level of the interval.
pub const CONFIDENCE: f64 = 0.95;

/// Sums over the pixels of some rows.
#[derive(Debug, Clone, PartialEq, Default)]
struct Sums {
    /// Degrees of freedom: pixels minus rows.
    n: f64,
    /// Σ (Z − Z̄_row) q_k for the skips behind the window.
    products: Vec<f64>,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        if self.products.is_empty() {
            self.products.clone_from(&other.products);
        } else {
            self.products.iter_mut().zip(&other.products).for_each(|(a, b)| *a += b);
        }
        self.n += other.n;
    }
}

/// Gathers the covariances, per group of rows, of the active pixels and of the overscan.
#[derive(Debug, Clone)]
pub struct TransferSurvey {
    active: Region,
    overscan: Region,
    skips: Range<usize>,
    groups: Vec<[Sums; 2]>,
}

/// Group of rows, and its sums over active pixels and overscan.
pub type Found = Vec<(usize, [Partial; 2])>;

/// Sums of part of a group.
#[derive(Debug, Clone, Default)]
pub struct Partial(Sums);

impl TransferSurvey {
    /// For the pixels of two regions with the same rows; `None` with fewer than four skips.
    pub fn new(active: Region, overscan: Region, skips: Range<usize>) -> Option<Self> {
        (skips.len() >= 4 && !active.is_empty()).then(|| Self {
            active,
            overscan,
            skips,
            groups: vec![Default::default(); GROUPS],
        })
    }

    /// Skips in Z.
    fn window(&self) -> usize {
        ((WINDOW * self.skips.len() as f64) as usize).max(1)
    }

    /// Looks at a block of whole rows.
    pub fn observe(&self, block: &Block<'_>) -> Found {
        let mut found: Found = Vec::new();
        let rows = self.active.rows.len().max(1);
        for row in rows_in_block(&self.active, &block.rows) {
            let group = (row - self.active.rows.start) * GROUPS / rows;
            if found.last().is_none_or(|(g, _)| *g != group) {
                found.push((group, Default::default()));
            }
            let Some((_, sums)) = found.last_mut() else { continue };
            for (sums, cols) in sums.iter_mut().zip([&self.active.cols, &self.overscan.cols]) {
                self.row(block, row, cols, &mut sums.0);
            }
        }
        found
    }

    fn row(&self, block: &Block<'_>, row: usize, cols: &Range<usize>, sums: &mut Sums) {
        let window = self.window();
        let late = self.skips.start + window..self.skips.end;
        let early = self.skips.start..self.skips.start + window;
        let usable: Vec<(usize, f64)> = cols
            .clone()
            .filter_map(|col| {
                let pixel = block.pixel(row, col);
                let z = match pixel.part(early.clone()) {
                    Samples::Int(x) => x.iter().map(|v| i64::from(*v)).sum::<i64>() as f64 / window as f64,
                    Samples::Real(x) => x.iter().sum::<f64>() / window as f64,
                };
                let complete = match pixel.part(late.clone()) {
                    // a pixel without any spread is saturated
                    Samples::Int(x) => x.iter().any(|v| *v != x[0]),
                    Samples::Real(x) => x.iter().all(|v| v.is_finite()) && x.iter().any(|v| *v != x[0]),
                };
                (z.is_finite() && complete).then_some((col, z))
            })
            .collect();
        if usable.len() < 2 {
            return;
        }
        let mean = usable.iter().map(|u| u.1).sum::<f64>() / usable.len() as f64;
        sums.n += usable.len() as f64 - 1.0;
        sums.products.resize(late.len(), 0.0);
        let products = &mut sums.products;
        for (col, z) in usable {
            let weight = z - mean;
            match block.pixel(row, col).part(late.clone()) {
                Samples::Int(x) => pulp::Arch::new().dispatch(|| {
                    // relative to the mean of Z the products stay small
                    products.iter_mut().zip(x).for_each(|(p, v)| *p += weight * (f64::from(*v) - mean));
                }),
                Samples::Real(x) => products.iter_mut().zip(x).for_each(|(p, v)| *p += weight * (v - mean)),
            }
        }
    }

    /// Adds what was found in a block.
    pub fn collect(&mut self, found: Found) {
        for (group, sums) in found {
            for (mine, theirs) in self.groups[group].iter_mut().zip(&sums) {
                mine.add(&theirs.0);
            }
        }
    }

    /// Fits the loss.
    pub fn fit(&self) -> Option<TransferLoss> {
        let used: Vec<&[Sums; 2]> = self.groups.iter().filter(|g| g[0].n > 0.0).collect();
        let covariance = |left_out: Option<usize>| {
            let mut total = [Sums::default(), Sums::default()];
            for (_, group) in used.iter().enumerate().filter(|(i, _)| Some(*i) != left_out) {
                total.iter_mut().zip(group.iter()).for_each(|(t, g)| t.add(g));
            }
            let [active, overscan] = total;
            let mut values: Vec<f64> = active.products.iter().map(|p| p / active.n).collect();
            if overscan.n >= 100.0 {
                values.iter_mut().zip(&overscan.products).for_each(|(v, p)| *v -= p / overscan.n);
            }
            values
        };
        if used.len() < 3 {
            return None;
        }
        let all = covariance(None);
        let (amplitude, loss) = fit_decay(&all)?;
        let parts: Vec<(Vec<f64>, (f64, f64))> = (0..used.len())
            .filter_map(|i| {
                let part = covariance(Some(i));
                let fit = fit_decay(&part)?;
                Some((part, fit))
            })
            .collect();
        if parts.len() < used.len() {
            return None;
        }
        let jackknife = |values: &dyn Fn(usize) -> f64| {
            let n = parts.len() as f64;
            let mean = (0..parts.len()).map(values).sum::<f64>() / n;
            ((n - 1.0) / n * (0..parts.len()).map(|i| (values(i) - mean).powi(2)).sum::<f64>()).sqrt()
        };
        let amplitude_error = jackknife(&|i| parts[i].1.0);
        let loss_error = jackknife(&|i| parts[i].1.1);
        let significance = amplitude / amplitude_error;
        let bins = all.len().min(40);
        let binned = |values: &[f64], b: usize| {
            let part = &values[b * values.len() / bins..(b + 1) * values.len() / bins];
            part.iter().sum::<f64>() / part.len() as f64
        };
        let first = self.skips.start + self.window();
        let retained = (0..bins).map(|b| {
            let centre = first as f64 + 0.5 * ((b * all.len() / bins + (b + 1) * all.len() / bins) as f64 - 1.0);
            // relative to the same sample's amplitude, so that the common scale does not enlarge the errors
            let error = jackknife(&|i| binned(&parts[i].0, b) / parts[i].1.0);
            (centre, binned(&all, b) / amplitude, error)
        });
        Some(TransferLoss {
            probability: loss,
            error: loss_error,
            interval: {
                let (low, high) = unified_interval(loss / loss_error, CONFIDENCE);
                (low * loss_error, high * loss_error)
            },
            significance,
            first_skip: first,
            retained: retained.collect(),
        })
    }
}

/// Charge lost per transfer.
#[derive(Debug, Clone, PartialEq)]
pub struct TransferLoss {
    /// Probability that an electron is lost from one skip to the next; negative by chance (or if charge is gained).
    pub probability: f64,
    /// Its standard deviation.
    pub error: f64,
    /// 95 % confidence interval, not below 0.
    pub interval: (f64, f64),
    /// How far the charge in the image stands out of the noise, in standard deviations.
    pub significance: f64,
    /// First skip of the fit.
    pub first_skip: usize,
    /// Skip, share of the charge that is left relative to the first skip of the fit, its error.
    pub retained: Vec<(f64, f64, f64)>,
}

impl TransferLoss {
    /// Whether there is enough charge in the image to say something.
    pub fn is_measured(&self) -> bool {
        self.significance > SMALLEST_SIGNAL && self.error.is_finite()
    }
}

/// Least-squares fit of A (1 − p)^d, d = 0, 1, …: (A, p).
fn fit_decay(values: &[f64]) -> Option<(f64, f64)> {
    let n = values.len();
    if n < 2 || values.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let (mut a, mut p) = (values.iter().sum::<f64>() / n as f64, 0.0_f64);
    for _ in 0..60 {
        let (mut faa, mut fap, mut fpp, mut ra, mut rp) = (0.0, 0.0, 0.0, 0.0, 0.0);
        let mut power = 1.0;
        for (d, v) in values.iter().enumerate() {
            let da = power;
            let dp = -a * d as f64 * power / (1.0 - p);
            let r = v - a * power;
            faa += da * da;
            fap += da * dp;
            fpp += dp * dp;
            ra += da * r;
            rp += dp * r;
            power *= 1.0 - p;
        }
        let determinant = faa * fpp - fap * fap;
        if !(determinant > 0.0) {
            return None;
        }
        let step_a = (fpp * ra - fap * rp) / determinant;
        let step_p = (faa * rp - fap * ra) / determinant;
        a += step_a;
        // the powers must stay finite over all skips
        let limit = (20.0 / n as f64).min(0.9);
        p = (p + step_p).clamp(-limit, limit);
        if step_p.abs() < 1e-12 && step_a.abs() <= 1e-12 * a.abs() {
            break;
        }
    }
    (a.is_finite() && p.is_finite()).then_some((a, p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decay_is_recovered_exactly() {
        for p in [0.0, 1e-5, 1e-3, 0.03, -1e-4] {
            let values: Vec<f64> = (0..500).map(|d| 7.0 * (1.0f64 - p).powi(d)).collect();
            let (a, found) = fit_decay(&values).unwrap();
            assert!((a - 7.0).abs() < 1e-9 && (found - p).abs() < 1e-11, "{p}: {a} {found}");
        }
        assert_eq!(fit_decay(&[1.0]), None);
        assert_eq!(fit_decay(&[1.0, f64::NAN, 2.0]), None);
        assert_eq!(fit_decay(&[0.0, 0.0, 0.0]), None);
    }
}
