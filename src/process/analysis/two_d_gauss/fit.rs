//! Starts, limits and result of the two-dimensional fit (spec 03 §4).
//!
//! The search starts from the user's values, and from values read off the histogram with θ = 0 and ±½·θ_start; the
//! lowest objective wins, the user's start when others are equally good. θ → θ ± 90° with s_L and s_U exchanged is the
//! same distribution: the solution with the smallest |θ| is kept.

use std::f64::consts::FRAC_PI_2;

use super::histogram::PairHistogram;
use super::model::{A, CAL, DC, N, NAMES, OFFSET, Parameters, Peaks, SIG, THETA};
use super::objective::PairObjective;
use crate::process::analysis::fit_verdict::{FitVerdict, is_contradicted};
use crate::stats::bounded_search::{
    Bounds, IntervalEnd, Reached, covariance, descend, polish, profile_interval, quoted_error,
};
use crate::stats::dark_current::FitOptions;
use crate::stats::distributions::chi2_survival;
use crate::stats::small_matrix::Matrix;

/// Start value and limits of each parameter, in the order of [`NAMES`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StartAndLimits {
    /// Start values.
    pub start: Parameters,
    /// Limits.
    pub bounds: Bounds<N>,
}

/// Result of the fit.
#[derive(Debug, Clone, PartialEq)]
pub struct PairFit {
    /// Values in the order of [`NAMES`]: θ in rad, dark currents in e⁻, the rest in ADU (gains ADU/e⁻).
    pub values: Parameters,
    /// Parabolic errors, as Minuit quotes them for limited parameters; NaN on a limit or without.
    pub errors: Parameters,
    /// Covariance, zero for parameters on a limit.
    pub covariance: Matrix<N>,
    /// Distances to the ends of the profile intervals (down, up), NaN where not found; `None` unless asked for.
    pub profile_errors: Option<[(f64, f64); N]>,
    /// Objective at the minimum.
    pub objective: f64,
    /// Used bins − parameters.
    pub ndf: i64,
    /// Pearson χ² of bins merged until 5 pairs are expected in each, and its degrees of freedom.
    pub merged_chi2: (f64, i64),
    /// Probability of a larger merged χ².
    pub p_value: f64,
    /// Names of the parameters on a limit.
    pub at_limit: Vec<&'static str>,
    /// What the fit is worth.
    pub verdict: FitVerdict,
}

impl PairFit {
    /// The value of parameter `k` if it may be used: the fit settled, and the value does not rest on a limit, which would be
    /// the choice of a user and no measurement.
    pub fn usable(&self, k: usize) -> Option<f64> {
        (self.verdict.is_usable() && !self.at_limit.contains(&NAMES[k])).then_some(self.values[k])
    }

    /// Correlation of two parameters; 0 when one has no error.
    pub fn correlation(&self, j: usize, k: usize) -> f64 {
        let scale = (self.covariance[j][j] * self.covariance[k][k]).sqrt();
        if scale > 0.0 { self.covariance[j][k] / scale } else { 0.0 }
    }
}

/// A start must beat the best one before by this much of the objective.
const TIE: f64 = 1e-6;
/// Gain of the objective below which the first search stops.
const STOP: f64 = 1e-7;
/// Expectation up to which bins are merged for the goodness of fit.
const MERGED: f64 = 5.0;

/// Fits the histogram. `None` when it has no more filled bins than parameters.
pub fn fit_pairs(
    histogram: &PairHistogram,
    begin: &StartAndLimits,
    peaks: Peaks,
    options: &FitOptions,
) -> Option<PairFit> {
    if histogram.non_empty() <= N {
        return None;
    }
    let mut objective = PairObjective::new(histogram, options.objective, options.bin_value, peaks);
    let bounds = begin.bounds;
    let mut best: Option<Reached<N>> = None;
    for start in starts(histogram, begin) {
        let reached = descend(&mut objective, &start, &bounds, STOP);
        let value = reached.at.value;
        let improves = best.is_none_or(|b| value < b.at.value - TIE * b.at.value.abs().max(1.0));
        if value.is_finite() && improves {
            best = Some(reached);
        }
    }
    let (reached, hessian) = polish(&mut objective, best?, &bounds);
    let errors = covariance(&hessian, &reached.p, &bounds);
    let mut result = PairFit {
        values: reached.p,
        errors: [f64::NAN; N],
        covariance: errors.unwrap_or([[0.0; N]; N]),
        profile_errors: None,
        objective: reached.at.value,
        ndf: objective.used_bins() as i64 - N as i64,
        merged_chi2: merged_chi2(&histogram.counts, &objective.expected(&reached.p)),
        p_value: f64::NAN,
        at_limit: (0..N).filter(|&k| bounds.is_at_limit(k, reached.p[k])).map(|k| NAMES[k]).collect(),
        verdict: FitVerdict::default()
            .with(FitVerdict::NOT_CONVERGED, !reached.converged)
            .with(FitVerdict::NO_ERRORS, errors.is_none()),
    };
    for k in 0..N {
        let variance = result.covariance[k][k];
        if variance > 0.0 {
            result.errors[k] = quoted_error(reached.p[k], variance.sqrt(), bounds.lo[k], bounds.hi[k]);
        }
    }
    if let (true, Some(covariance)) = (options.minos, &errors) {
        let mut intervals = [(f64::NAN, f64::NAN); N];
        for k in (0..N).filter(|&k| covariance[k][k] > 0.0) {
            let ends = profile_interval(&mut objective, &reached, covariance, &bounds, k);
            let distance = |end: IntervalEnd| end.value().map_or(f64::NAN, |x| x - reached.p[k]);
            intervals[k] = (distance(ends[0]), distance(ends[1]));
        }
        result.profile_errors = Some(intervals);
    }
    let (chi2, ndf) = result.merged_chi2;
    if ndf > 0 {
        result.p_value = chi2_survival(chi2, ndf as u64);
    }
    result.verdict = result
        .verdict
        .with(FitVerdict::AT_LIMIT, !result.at_limit.is_empty())
        .with(FitVerdict::CONTRADICTED, is_contradicted(chi2, ndf));
    Some(smallest_angle(result))
}

/// The user's start, then starts read off the histogram.
fn starts(histogram: &PairHistogram, begin: &StartAndLimits) -> Vec<Parameters> {
    let user = begin.start;
    let (fullest, height) = histogram.fullest();
    let n = histogram.n_bins;
    let (x0, y0) = (histogram.centre(fullest % n), histogram.centre(fullest / n));
    let (cal_l, cal_u) = (user[CAL], user[CAL + 1]);
    // pairs near the peaks (0,0), (1,0) and (0,1), and the spread around the first one
    let (mut zero, mut one_l, mut one_u) = (0.0, 0.0, 0.0);
    let (mut sum_x, mut sum_y) = (0.0, 0.0);
    for (x, y, h) in histogram.bins() {
        let (x, y) = (x - x0, y - y0);
        let near = |x: f64, y: f64| x.abs() < 0.5 * cal_l && y.abs() < 0.5 * cal_u;
        if near(x, y) {
            zero += h;
            sum_x += h * x * x;
            sum_y += h * y * y;
        } else if near(x - cal_l, y) {
            one_l += h;
        } else if near(x, y - cal_u) {
            one_u += h;
        }
    }
    let mut read = user;
    read[A] = height;
    read[OFFSET] = x0;
    read[OFFSET + 1] = y0;
    if zero > 0.0 {
        read[SIG] = (sum_x / zero).sqrt();
        read[SIG + 1] = (sum_y / zero).sqrt();
        read[DC] = one_l / zero;
        read[DC + 1] = one_u / zero;
    }
    let mut all = vec![user];
    for theta in [0.0, 0.5 * user[THETA], -0.5 * user[THETA]] {
        let mut start = read;
        start[THETA] = theta;
        all.push(start);
    }
    // off the limits, so that the search sees both sides at first
    for start in &mut all {
        for k in 0..N {
            let (lo, hi) = (begin.bounds.lo[k], begin.bounds.hi[k]);
            let margin = if (hi - lo).is_finite() { 1e-6 * (hi - lo) } else { 0.0 };
            start[k] = start[k].max(lo + margin).min(hi - margin);
        }
    }
    all
}

/// The equivalent solution with the smallest |θ|.
fn smallest_angle(mut fit: PairFit) -> PairFit {
    let turned = fit.values[THETA] - FRAC_PI_2.copysign(fit.values[THETA]);
    if turned.abs() < fit.values[THETA].abs() {
        fit.values[THETA] = turned;
        fit.values.swap(SIG, SIG + 1);
        fit.errors.swap(SIG, SIG + 1);
        fit.covariance.swap(SIG, SIG + 1);
        fit.covariance.iter_mut().for_each(|row| row.swap(SIG, SIG + 1));
        if let Some(intervals) = &mut fit.profile_errors {
            intervals.swap(SIG, SIG + 1);
        }
        for name in &mut fit.at_limit {
            *name = match *name {
                "sig_L" => "sig_U",
                "sig_U" => "sig_L",
                other => other,
            };
        }
    }
    fit
}

/// Pearson χ² of bins merged in raster order until [`MERGED`] counts are expected, and its degrees of freedom.
fn merged_chi2(counts: &[f64], expected: &[f64]) -> (f64, i64) {
    let (mut chi2, mut groups) = (0.0, 0_i64);
    let (mut h, mut f) = (0.0, 0.0);
    for (count, nu) in counts.iter().zip(expected) {
        h += count;
        f += nu;
        if f >= MERGED {
            chi2 += (h - f) * (h - f) / f;
            groups += 1;
            (h, f) = (0.0, 0.0);
        }
    }
    // what is left belongs to the last group; alone it would weigh too much
    if f > 0.0 && h > 0.0 {
        chi2 += (h - f) * (h - f) / f.max(MERGED);
    }
    (chi2, groups - N as i64)
}
