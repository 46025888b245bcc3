//! Gaussian fit of a cluster's charge profile along one axis (spec 05 §3.3).
//!
//! Profile: unit bins at lo − 1, lo, …, hi + 1 (the first and last are empty), contents n_b = Σ E/Qmax. Minimised is
//! NLL = Σ_b [f_b − n_b + n_b·ln(n_b/f_b)] for f = A·exp(−(x−m)²/2s²) at the bin centres, with m in [lo, hi] and s in
//! (0, 10·s₀].
//!
//! **Method.** For given m and s the best A is S/G with S = Σn, G = Σ_b exp(−t²/2); what remains is
//!
//! ```text
//! φ(m, s) = S·[ln G(m, s) + ((x̄ − m)² + v)/(2 s²)],   x̄, v: mean and variance of the profile
//! ```
//!
//! an exponential family: Fisher scoring (the Hessian replaced by S times the covariance of the scores) converges in a
//! few steps of D + 2 exponentials each. A profile costs about a microsecond, Migrad a hundred.
//!
//! **Narrow profiles.** With one or two columns (D ≤ 2) the minimum is degenerate: any small s fits exactly, the NLL
//! falls towards s → 0 through tails that no data resolve, and Migrad reports where it happened to stop. Here the answer
//! is defined instead: the s at which the NLL is [`NARROW_EXCESS`] per unit of content above its infimum (Migrad's
//! tolerance of 0.01 stops there), and never so large that m comes closer than a quarter of a pixel to the brighter
//! column, where Migrad, coming from a small s₀, meets the valley. Such widths say "one or two columns", no more.

use crate::stats::bounded_search::{Bounds, Expansion, Objective, descend};

/// Excess of the NLL per unit of content that defines the width of profiles of one or two columns.
pub const NARROW_EXCESS: f64 = 3e-6;

/// Smallest width the search starts from: a narrower Gaussian lives in one bin and its shape has no gradient.
const RESOLVED: f64 = 0.35;

/// Result of a profile fit; positions in the coordinates of the bin centres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProfileFit {
    /// A, height of the Gaussian.
    pub amplitude: f64,
    /// m, `fPos`.
    pub mean: f64,
    /// s, `fSTD`.
    pub sigma: f64,
    /// Fewer than three columns: the width is a convention.
    pub narrow: bool,
    /// The search settled.
    pub converged: bool,
}

impl ProfileFit {
    const NONE: Self = Self { amplitude: f64::NAN, mean: f64::NAN, sigma: f64::NAN, narrow: true, converged: false };
}

/// Fits `contents` = [0, n(lo), …, n(hi), 0] with bin centres `first_centre`, `first_centre` + 1, …
///
/// All NaN when there are fewer than three bins, a content is not finite or negative, or all are zero.
pub fn fit_profile(contents: &[f64], first_centre: f64) -> ProfileFit {
    let total: f64 = contents.iter().sum();
    let valid = contents.iter().all(|n| n.is_finite() && *n >= 0.0) && total.is_finite() && total > 0.0;
    if contents.len() < 3 || !valid {
        return ProfileFit::NONE;
    }
    let columns = contents.len() - 2;
    // coordinates from the first bin: no cancellation at large column numbers
    let mut fit = match columns {
        1 => one_column(contents[1]),
        2 => two_columns(contents[1], contents[2]),
        _ => wide(contents, total),
    };
    fit.mean += first_centre;
    fit
}

/// One column of content `n`: m is fixed on it, the excess is 2·n·exp(−1/2s²).
fn one_column(n: f64) -> ProfileFit {
    let sigma = 1.0 / (2.0 * (2.0 / NARROW_EXCESS).ln()).sqrt();
    ProfileFit { amplitude: n, mean: 1.0, sigma, narrow: true, converged: true }
}

/// Two columns a, b: f passes through both for m = ½ + s²·ln(b/a) (from the first), and leaves
/// (a²/b + b²/a)·exp(−1/s²) in the empty neighbours.
fn two_columns(a: f64, b: f64) -> ProfileFit {
    if a == 0.0 || b == 0.0 {
        let mut fit = one_column(a + b);
        fit.mean = if a > 0.0 { 1.0 } else { 2.0 };
        return fit;
    }
    let ratio = (b / a).ln();
    let tails = (a * a / b + b * b / a) / (NARROW_EXCESS * (a + b));
    let by_tails = 1.0 / tails.ln();
    let by_distance = if ratio == 0.0 { f64::INFINITY } else { 0.25 / ratio.abs() };
    let variance = by_tails.min(by_distance);
    let offset = 0.5 + variance * ratio;
    let amplitude = a * (offset * offset / (2.0 * variance)).exp();
    ProfileFit { amplitude, mean: 1.0 + offset, sigma: variance.sqrt(), narrow: true, converged: true }
}

/// φ for m and s, doubled so that ΔF = 1 is one standard deviation.
struct Shape {
    n_bins: usize,
    total: f64,
    mean: f64,
    variance: f64,
}

impl Shape {
    /// Σ g, and the first four moments of x − m under g = exp(−(x−m)²/2s²).
    fn moments(&self, m: f64, s: f64) -> [f64; 5] {
        let inverse = 1.0 / (2.0 * s * s);
        let mut sums = [0.0; 5];
        for bin in 0..self.n_bins {
            let d = bin as f64 - m;
            let d2 = d * d;
            let g = (-d2 * inverse).exp();
            sums[0] += g;
            sums[1] += g * d;
            sums[2] += g * d2;
            sums[3] += g * d2 * d;
            sums[4] += g * d2 * d2;
        }
        sums
    }
}

impl Objective<2> for Shape {
    fn expand(&mut self, &[m, s]: &[f64; 2]) -> Expansion<2> {
        let [g, d1, d2, d3, d4] = self.moments(m, s);
        if g <= 0.0 || s <= 0.0 {
            return Expansion { value: f64::INFINITY, ..Expansion::ZERO };
        }
        let [d1, d2, d3, d4] = [d1 / g, d2 / g, d3 / g, d4 / g];
        let offset = self.mean - m;
        let spread = offset * offset + self.variance;
        let (s2, s3) = (s * s, s * s * s);
        let scale = 2.0 * self.total;
        let mut e = Expansion { value: scale * (g.ln() + spread / (2.0 * s2)), ..Expansion::ZERO };
        e.gradient = [scale * (d1 - offset) / s2, scale * (d2 - spread) / s3];
        // covariance of the scores d/s² and d²/s³ under the model
        e.curvature[0][0] = scale * (d2 - d1 * d1) / (s2 * s2);
        e.curvature[0][1] = scale * (d3 - d1 * d2) / (s2 * s3);
        e.curvature[1][0] = e.curvature[0][1];
        e.curvature[1][1] = scale * (d4 - d2 * d2) / (s3 * s3);
        e
    }
}

fn wide(contents: &[f64], total: f64) -> ProfileFit {
    let weighted = |power: &dyn Fn(f64) -> f64| -> f64 {
        contents.iter().enumerate().map(|(bin, n)| n * power(bin as f64)).sum::<f64>() / total
    };
    let mean = weighted(&|x| x);
    let variance = weighted(&|x| (x - mean) * (x - mean));
    let n_bins = contents.len();
    let start = if variance > 0.0 { variance.sqrt() } else { n_bins as f64 / 4.0 };
    let mut shape = Shape { n_bins, total, mean, variance };
    let bounds = Bounds { lo: [1.0, 1e-3 * start], hi: [(n_bins - 2) as f64, 10.0 * start] };
    let reached = descend(&mut shape, &[mean, start.max(RESOLVED)], &bounds, 1e-11);
    let [m, s] = reached.p;
    let amplitude = total / shape.moments(m, s)[0];
    ProfileFit { amplitude, mean: m, sigma: s, narrow: false, converged: reached.converged }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::test_data;
    use proptest::prelude::*;

    /// NLL of the specification, term by term.
    fn nll(contents: &[f64], first: f64, [a, m, s]: [f64; 3]) -> f64 {
        let term = |(bin, &n): (usize, &f64)| {
            let t = (first + bin as f64 - m) / s;
            // ln f explicitly: f may underflow
            let ln_f = a.ln() - 0.5 * t * t;
            if n > 0.0 { ln_f.exp() - n + n * (n.ln() - ln_f) } else { ln_f.exp() }
        };
        contents.iter().enumerate().map(term).sum()
    }

    /// Migrad with the settings of spec 05 §3.3.
    fn migrad(contents: &[f64], first: f64) -> [f64; 3] {
        let total: f64 = contents.iter().sum();
        let mean = contents.iter().enumerate().map(|(i, n)| n * (first + i as f64)).sum::<f64>() / total;
        let square = contents.iter().enumerate().map(|(i, n)| n * (first + i as f64).powi(2)).sum::<f64>() / total;
        let spread = (square - mean * mean).max(0.0).sqrt();
        let spread = if spread > 1e-6 { spread } else { contents.len() as f64 / 4.0 };
        let largest = contents.iter().copied().fold(0.0, f64::max);
        let amplitude = 0.5 * (largest + total / (2.506628 * spread));
        let (lo, hi) = (first + 1.0, first + contents.len() as f64 - 2.0);
        let mut step = 0.1 * (hi - lo);
        if hi - mean < 2.0 * step {
            step = 0.5 * (hi - mean);
        } else if mean - lo < 2.0 * step {
            step = 0.5 * (mean - lo);
        }
        struct Cost<'a>(&'a [f64], f64);
        impl minuit2::FCN for Cost<'_> {
            fn value(&self, p: &[f64]) -> f64 {
                let value = nll(self.0, self.1, [p[0].max(1e-300), p[1], p[2].max(1e-6)]);
                if value.is_finite() { value } else { 1e30 }
            }
            fn error_def(&self) -> f64 {
                0.5
            }
        }
        let search = minuit2::MnMigrad::new().with_strategy(1).tolerance(0.01).add("a", amplitude, 0.3 * amplitude);
        let search = if lo == hi { search.add_const("m", mean) } else { search.add_limited("m", mean, step, lo, hi) };
        let search = search.add_limited("s", spread, 0.5 * spread, 0.0, 10.0 * spread);
        let p = search.minimize(&Cost(contents, first)).params();
        [p[0], p[1], p[2]]
    }

    #[test]
    fn example_of_the_specification() {
        let fit = fit_profile(&[0.0, 0.25, 1.5, 0.25, 0.0], 9.0);
        assert!((fit.amplitude - 1.5064001).abs() < 5e-8);
        assert!((fit.mean - 11.0).abs() < 1e-7);
        assert!((fit.sigma - 0.5251198).abs() < 5e-8);
    }

    #[test]
    fn profiles_of_the_recorded_file() {
        // 260 profiles of 130 clusters; tolerances of spec 05 §3.3
        let mut compared = [0, 0];
        let mut worst: [f64; 4] = [0.0; 4];
        for (axis, coordinate, position, width) in
            [("X", "projectionX", "fPosX", "fSTD_X"), ("Y", "projectionY", "fPosY", "fSTD_Y")]
        {
            let Some(profiles) = test_data::recorded_nested("clustersRec", coordinate) else {
                return;
            };
            let column = |name: &str| test_data::recorded("clustersRec", name).unwrap();
            let (low, position, width) = (column(&format!("min{axis}")), column(position), column(width));
            for (cluster, profile) in profiles.iter().enumerate() {
                let fit = fit_profile(profile, low[cluster] - 1.0);
                let (dm, ds) = ((fit.mean - position[cluster]).abs(), (fit.sigma - width[cluster]).abs());
                assert!(fit.converged);
                if profile.len() >= 5 {
                    compared[0] += 1;
                    worst[0] = worst[0].max(dm);
                    worst[1] = worst[1].max(ds / fit.sigma);
                    assert!(dm <= 0.03 && ds <= 3e-3 * fit.sigma, "{axis} {cluster}: {fit:?}, {dm} {ds}");
                } else {
                    compared[1] += 1;
                    worst[2] = worst[2].max(dm);
                    worst[3] = worst[3].max(ds);
                    assert!(dm <= 0.05 && ds <= 0.05, "{axis} {cluster} {profile:?}: {fit:?}, {dm} {ds}");
                }
            }
        }
        println!(
            "{compared:?} profiles; worst Δm, Δs/s: {:.4}, {:.5}; narrow Δm, Δs: {:.4}, {:.4}",
            worst[0], worst[1], worst[2], worst[3]
        );
        assert_eq!(compared, [241, 19]);
    }

    proptest! {
        /// Nothing is lower than the minimum: not Migrad's point, not its neighbours.
        #[test]
        fn is_the_minimum(contents in prop::collection::vec(0.01f64..1.0, 3..40), first in -5.0f64..600.0) {
            let mut profile = vec![0.0];
            profile.extend(&contents);
            profile.push(0.0);
            let fit = fit_profile(&profile, first);
            let here = nll(&profile, first, [fit.amplitude, fit.mean, fit.sigma]);
            let total: f64 = contents.iter().sum();
            let moment = |power: i32| contents.iter().enumerate().map(|(i, n)| n * (i as f64).powi(power)).sum::<f64>() / total;
            let s_limit = 10.0 * (moment(2) - moment(1).powi(2)).sqrt() * (1.0 + 1e-9);
            // Migrad's goal is 1e-5 above the minimum
            let reference = migrad(&profile, first);
            prop_assert!(here <= nll(&profile, first, reference) + 1e-7, "{:?} {:?}", fit, reference);
            for (dm, ds) in [(1e-3, 0.0), (-1e-3, 0.0), (0.0, 1e-3), (0.0, -1e-3)] {
                let (m, s) = (fit.mean + dm, fit.sigma * (1.0 + ds));
                let inside = m >= first + 1.0 && m <= first + contents.len() as f64 && s <= s_limit;
                prop_assert!(!inside || here <= nll(&profile, first, [fit.amplitude, m, s]) + 1e-9);
            }
        }

        #[test]
        fn narrow_profiles_are_where_migrad_stops(a in 0.25f64..1.0) {
            let profile = [0.0, 1.0, a, 0.0];
            let fit = fit_profile(&profile, 99.0);
            let [_, m, s] = migrad(&profile, 99.0);
            prop_assert!((fit.mean - m).abs() < 0.05 && (fit.sigma - s).abs() < 0.05, "{} {:?} {} {}", a, fit, m, s);
            // and practically at the infimum, which is 0
            prop_assert!(nll(&profile, 99.0, [fit.amplitude, fit.mean, fit.sigma]) < 1.1 * NARROW_EXCESS * (1.0 + a));
        }
    }

    #[test]
    fn odd_profiles() {
        assert!(fit_profile(&[0.0, 0.0], 0.0).mean.is_nan());
        assert!(fit_profile(&[0.0, 0.0, 0.0], 0.0).mean.is_nan());
        assert!(fit_profile(&[0.0, f64::NAN, 1.0, 0.0], 0.0).mean.is_nan());
        assert!(fit_profile(&[0.0, -1.0, 3.0, 0.0], 0.0).mean.is_nan());
        assert_eq!(fit_profile(&[0.0, 0.0, 1.0, 0.0], 6.0).mean, 8.0);
        // a single filled column among empty ones stays finite
        let spike = fit_profile(&[0.0, 0.0, 2.0, 0.0, 0.0], 0.0);
        assert!(spike.mean.is_finite() && spike.sigma > 0.0);
        // U-shaped: no Gaussian, the width rests on a finite value
        let hollow = fit_profile(&[0.0, 1.0, 0.01, 1.0, 0.0], 0.0);
        assert!((hollow.mean - 2.0).abs() < 1e-6 && hollow.sigma.is_finite());
    }
}
