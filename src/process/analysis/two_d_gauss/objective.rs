//! What is minimised: the letters of `fit_opt` (spec 03 §1.6) on the two-dimensional histogram.
//!
//! For the likelihood, the sum of the expectations over all bins is needed but the logarithm only in non-empty ones:
//! Σ f is summed peak by peak within exp(−60), which leaves out less than 10⁻²¹ of it, and only the non-empty bins are
//! evaluated one by one. Sums run in a fixed order, so that they do not depend on the number of threads.

use rayon::prelude::*;

use super::histogram::PairHistogram;
use super::model::{Lattice, N, Parameters, Peaks, Places, SIG};
use crate::stats::bounded_search::{Expansion, Objective};
use crate::stats::dark_current::ObjectiveKind;
use crate::stats::dark_current::model::BinValue;
use crate::stats::dark_current::objective::{LOG_FLOOR, floored_ln};

/// Exponent beyond which an empty bin gets nothing from a peak.
const REACH: f64 = 60.0;
/// Smallest denominator of the Pearson χ².
const PEARSON_FLOOR: f64 = 1e-6;
/// Bins of one work package; fixed, so that sums have a fixed order.
const PACKAGE: usize = 512;
/// Nodes and weights of the Gauss–Legendre rule of three points on [−½, ½].
const LEGENDRE: [(f64, f64); 3] =
    [(-0.387_298_334_620_741_7, 5.0 / 18.0), (0.0, 8.0 / 18.0), (0.387_298_334_620_741_7, 5.0 / 18.0)];

/// The objective as a function of the parameters.
#[derive(Debug)]
pub struct PairObjective<'a> {
    histogram: &'a PairHistogram,
    kind: ObjectiveKind,
    mean: bool,
    peaks: Peaks,
    /// Bins evaluated one by one: (x, y, counts).
    bins: Vec<(f64, f64, f64)>,
    /// Part of the objective that does not depend on the parameters.
    constant: f64,
}

impl<'a> PairObjective<'a> {
    /// The objective of this kind.
    pub fn new(histogram: &'a PairHistogram, kind: ObjectiveKind, value: BinValue, peaks: Peaks) -> Self {
        let every = matches!(kind, ObjectiveKind::Pearson | ObjectiveKind::UnitWeightsAll);
        let bins: Vec<_> = histogram.bins().filter(|(_, _, h)| every || *h > 0.0).collect();
        let constant = match kind {
            ObjectiveKind::Likelihood => bins.iter().map(|(_, _, h)| 2.0 * (h * h.ln() - h)).sum(),
            _ => 0.0,
        };
        Self { histogram, kind, mean: value == BinValue::Mean, peaks, bins, constant }
    }

    /// Bins that count for the degrees of freedom.
    pub fn used_bins(&self) -> usize {
        if self.kind.uses_empty_bins() { self.histogram.counts.len() } else { self.bins.len() }
    }

    /// Expectation of one bin and its derivatives.
    fn bin(&self, lattice: &Lattice, x: f64, y: f64) -> (f64, Parameters) {
        if !self.mean {
            return lattice.value_and_gradient(x, y);
        }
        let width = self.histogram.width;
        let mut total = (0.0, [0.0; N]);
        for (ax, wx) in LEGENDRE {
            for (ay, wy) in LEGENDRE {
                let (value, gradient) = lattice.value_and_gradient(x + ax * width, y + ay * width);
                total.0 += wx * wy * value;
                total.1.iter_mut().zip(gradient).for_each(|(t, g)| *t += wx * wy * g);
            }
        }
        total
    }

    /// Expected counts of all bins, row by row, for the goodness of fit.
    pub fn expected(&self, p: &Parameters) -> Vec<f64> {
        let lattice = Lattice::new(p, self.peaks);
        let n = self.histogram.n_bins;
        (0..n * n)
            .into_par_iter()
            .map(|k| self.bin(&lattice, self.histogram.centre(k % n), self.histogram.centre(k / n)).0)
            .collect()
    }

    /// Σ f over all bins with its derivatives.
    fn total(&self, lattice: &Lattice) -> (f64, Parameters) {
        let nodes: &[(f64, f64)] = if self.mean { &LEGENDRE } else { &[(0.0, 1.0)] };
        let places = |shift: f64| Places {
            first: self.histogram.centre(0) + shift * self.histogram.width,
            step: self.histogram.width,
            count: self.histogram.n_bins,
        };
        let tasks: Vec<_> = lattice
            .peaks()
            .iter()
            .flat_map(|peak| nodes.iter().flat_map(move |x| nodes.iter().map(move |y| (peak, *x, *y))))
            .collect();
        let shares: Vec<(f64, Parameters)> = tasks
            .into_par_iter()
            .map(|(peak, (ax, wx), (ay, wy))| {
                let moments = lattice.sum_within(peak, places(ax), places(ay), REACH);
                let mut share = (0.0, [0.0; N]);
                lattice.accumulate(peak, &moments, &mut share);
                (wx * wy * share.0, share.1.map(|g| wx * wy * g))
            })
            .collect();
        let mut total = (0.0, [0.0; N]);
        for (value, gradient) in shares {
            total.0 += value;
            total.1.iter_mut().zip(gradient).for_each(|(t, g)| *t += g);
        }
        total
    }

    /// Adds one bin to the objective; `f` is its expectation, `d` its derivatives.
    fn add_bin(&self, e: &mut Expansion<N>, h: f64, f: f64, d: &Parameters) {
        // F, dF/df and the coefficient of the curvature, for derivatives of f (or of ln f for the likelihood)
        let (value, slope, weight, scale) = match self.kind {
            // far from all peaks the logarithm continues as a straight line whose slope says nothing about a direction
            ObjectiveKind::Likelihood if f <= LOG_FLOOR => (-2.0 * h * floored_ln(f), 0.0, 0.0, 1.0),
            ObjectiveKind::Likelihood => (-2.0 * h * f.ln(), -2.0 * h, 2.0 * h, f.recip()),
            ObjectiveKind::Neyman => ((h - f).powi(2) / h, -2.0 * (h - f) / h, 2.0 / h, 1.0),
            ObjectiveKind::Pearson if f > PEARSON_FLOOR => {
                ((h - f).powi(2) / f, 1.0 - (h / f).powi(2), 2.0 * (h / f).powi(2) / f, 1.0)
            }
            ObjectiveKind::Pearson => {
                ((h - f).powi(2) / PEARSON_FLOOR, -2.0 * (h - f) / PEARSON_FLOOR, 2.0 / PEARSON_FLOOR, 1.0)
            }
            ObjectiveKind::UnitWeights | ObjectiveKind::UnitWeightsAll => ((h - f).powi(2), -2.0 * (h - f), 2.0, 1.0),
        };
        e.value += value;
        let d = d.map(|d| d * scale);
        for i in 0..N {
            e.gradient[i] += slope * d[i];
            for j in 0..=i {
                e.curvature[i][j] += weight * d[i] * d[j];
            }
        }
    }
}

impl Objective<N> for PairObjective<'_> {
    fn expand(&mut self, p: &Parameters) -> Expansion<N> {
        let mut sum = Expansion::ZERO;
        if !(p[SIG] > 0.0 && p[SIG + 1] > 0.0 && p.iter().all(|x| x.is_finite())) {
            sum.value = f64::NAN;
            return sum;
        }
        let lattice = Lattice::new(p, self.peaks);
        let packages: Vec<Expansion<N>> = self
            .bins
            .par_chunks(PACKAGE)
            .map(|bins| {
                let mut e = Expansion::ZERO;
                for &(x, y, h) in bins {
                    let (f, d) = self.bin(&lattice, x, y);
                    self.add_bin(&mut e, h, f, &d);
                }
                e
            })
            .collect();
        sum.value = self.constant;
        for e in packages {
            sum.value += e.value;
            for i in 0..N {
                sum.gradient[i] += e.gradient[i];
                for j in 0..=i {
                    sum.curvature[i][j] += e.curvature[i][j];
                }
            }
        }
        if self.kind == ObjectiveKind::Likelihood {
            let (value, gradient) = self.total(&lattice);
            sum.value += 2.0 * value;
            for i in 0..N {
                sum.gradient[i] += 2.0 * gradient[i];
            }
        }
        for i in 0..N {
            for j in 0..i {
                sum.curvature[j][i] = sum.curvature[i][j];
            }
        }
        sum
    }
}
