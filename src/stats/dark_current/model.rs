//! Expected counts per bin: Poisson electrons times Gaussian noise, with first derivatives.
//!
//! With K peaks and m = λ/g (spec 03 §1.4),
//!
//! ```text
//! f(x) = N Σ_{n<K} G_n(x)·[P_n + CRx·x/g + CR0/g]
//! G_n(x) = exp(−t²/2)/(√(2π)·σ/g),  t = (x − μ0 − n·g)/σ,  0 if |t| > 39;   P_n = e^(−m)·mⁿ/n!
//! ```
//!
//! in counts per bin at the bin centre x, or averaged over the bin (exact, by the error function).
//!
//! **Speed.** On a uniform grid the Gaussian obeys G(x+w) = G(x)·r(x), r(x+w) = r(x)·exp(−w²/σ²): two products instead
//! of an exponential per bin. The recurrence runs from the bin next to each peak outwards, where it underflows
//! gracefully, and is restarted from exponentials every 16 bins, which keeps its relative error below 1e-13.

use crate::stats::distributions::INV_SQRT_2PI;
use std::f64::consts::FRAC_1_SQRT_2;

/// Number of parameters, in the order of [`PARAMETER_NAMES`].
pub const N_PARAMETERS: usize = 7;

/// Norm (counts), μ0, σ, λ (ADU), gain (ADU/e⁻), and the two coefficients of the linear term.
pub const PARAMETER_NAMES: [&str; N_PARAMETERS] = ["norm", "mu0", "sigma", "lambda", "gain", "CRx", "CR0"];

/// Index of the norm.
pub const NORM: usize = 0;
/// Index of the position of the zero-electron peak.
pub const MU0: usize = 1;
/// Index of the noise.
pub const SIGMA: usize = 2;
/// Index of the dark current.
pub const LAMBDA: usize = 3;
/// Index of the gain.
pub const GAIN: usize = 4;
/// Index of the coefficient of x in the linear term.
pub const CRX: usize = 5;
/// Index of the constant of the linear term.
pub const CR0: usize = 6;

/// Parameters of the model in the order of [`PARAMETER_NAMES`].
pub type Parameters = [f64; N_PARAMETERS];

/// Distance from a peak, in σ, beyond which its Gaussian is 0.
pub const REACH: f64 = 39.0;

/// Largest number of peaks.
pub const MAX_PEAKS: usize = 4096;

/// Bins after which the recurrence is restarted.
const BLOCK: usize = 16;

/// Where the model is evaluated in a bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BinValue {
    /// At the centre.
    #[default]
    Centre,
    /// Averaged over the bin.
    Mean,
}

/// Value of the model at one point `x`: the plain formula, for curves and checks.
pub fn density(p: &Parameters, n_peaks: usize, x: f64) -> f64 {
    let [norm, mu0, sigma, lambda, gain, crx, cr0] = *p;
    let m = lambda / gain;
    let linear = crx * x / gain + cr0 / gain;
    let mut poisson = (-m).exp();
    let mut sum = 0.0;
    for n in 0..n_peaks {
        if n > 0 {
            poisson *= m / n as f64;
        }
        let t = (x - mu0 - n as f64 * gain) / sigma;
        if t.abs() <= REACH {
            sum += (-0.5 * t * t).exp() * (poisson + linear);
        }
    }
    norm * INV_SQRT_2PI * gain / sigma * sum
}

/// The model on a uniform grid of bins, with buffers for one Gaussian, the values and the derivatives.
#[derive(Debug, Clone)]
pub struct ModelGrid {
    lo: f64,
    width: f64,
    n_bins: usize,
    n_peaks: usize,
    bin_value: BinValue,
    with_linear: bool,
    /// 0, 1, 2, …: integers are slow to convert in the inner loops.
    ramp: Vec<f64>,
    gaussian: Vec<f64>,
    /// Expected counts per bin.
    pub values: Vec<f64>,
    /// ∂(expected counts)/∂p, one vector per parameter; CRx and CR0 are empty without the linear term.
    pub derivatives: [Vec<f64>; N_PARAMETERS],
}

/// What the coefficients of one peak are made of.
struct Peak {
    n: f64,
    centre: f64,
    /// N·g/(√(2π)·σ) (centre) or N·g/w (mean): what multiplies exp(−t²/2) or ΔΦ.
    scale: f64,
    poisson: f64,
    /// ∂P_n/∂m = P_{n−1} − P_n.
    poisson_slope: f64,
}

impl ModelGrid {
    /// A grid of `n_bins` bins of width `width` from `lo`, for `n_peaks` peaks. `with_linear` fills the derivatives of
    /// the linear term too.
    pub fn new(lo: f64, width: f64, n_bins: usize, n_peaks: usize, bin_value: BinValue, with_linear: bool) -> Self {
        let column = || vec![0.0; n_bins];
        let mut derivatives: [Vec<f64>; N_PARAMETERS] = std::array::from_fn(|_| column());
        if !with_linear {
            derivatives[CRX].clear();
            derivatives[CR0].clear();
        }
        let ramp = (0..n_bins).map(|bin| bin as f64).collect();
        let (gaussian, values) = (column(), column());
        Self { lo, width, n_bins, n_peaks, bin_value, with_linear, ramp, gaussian, values, derivatives }
    }

    /// Number of peaks.
    pub fn n_peaks(&self) -> usize {
        self.n_peaks
    }

    #[inline(always)]
    fn centre(&self, bin: usize) -> f64 {
        self.lo + (bin as f64 + 0.5) * self.width
    }

    /// Fills [`ModelGrid::values`] and [`ModelGrid::derivatives`] at `p`. Needs σ > 0 and g > 0.
    #[inline(always)]
    pub fn evaluate(&mut self, p: &Parameters) {
        self.values.fill(0.0);
        for column in &mut self.derivatives {
            column.fill(0.0);
        }
        let [norm, mu0, sigma, lambda, gain, ..] = *p;
        let m = lambda / gain;
        let scale = norm
            * gain
            * match self.bin_value {
                BinValue::Centre => INV_SQRT_2PI / sigma,
                BinValue::Mean => 1.0 / self.width,
            };
        let (mut poisson, mut below) = ((-m).exp(), 0.0);
        for n in 0..self.n_peaks {
            if n > 0 {
                below = poisson;
                poisson *= m / n as f64;
            }
            let n = n as f64;
            let peak = Peak { n, centre: mu0 + n * gain, scale, poisson, poisson_slope: below - poisson };
            match self.bin_value {
                BinValue::Centre => self.add_peak_at_centres(&peak, p),
                BinValue::Mean => self.add_peak_means(&peak, p),
            }
        }
        // ∂f/∂N = f/N, also when N = 0 is approached
        if norm != 0.0 {
            let inverse = 1.0 / norm;
            for (d, f) in self.derivatives[NORM].iter_mut().zip(&self.values) {
                *d = f * inverse;
            }
        }
    }

    /// Bins whose `position` (centre or edge) lies within [`REACH`] σ of the peak.
    #[inline(always)]
    fn reach(&self, centre: f64, sigma: f64, margin: f64) -> (usize, usize) {
        let clamp = |x: f64| {
            if x > 0.0 { (x as usize).min(self.n_bins) } else { 0 }
        };
        let first = (centre - REACH * sigma - self.lo) / self.width - 0.5 - margin;
        let last = (centre + REACH * sigma - self.lo) / self.width - 0.5 + margin;
        (clamp(first.ceil()), clamp(last.floor() + 1.0))
    }

    /// exp(−t²/2) at the centres of the bins `first`…`last` (exclusive).
    #[inline(always)]
    fn fill_gaussian(&mut self, centre: f64, sigma: f64, first: usize, last: usize) {
        let step = self.width / sigma;
        let t_of = |bin: usize| (self.lo + (bin as f64 + 0.5) * self.width - centre) / sigma;
        if step > 1.0 {
            for (k, g) in self.gaussian[first..last].iter_mut().enumerate() {
                let t = t_of(first + k);
                *g = (-0.5 * t * t).exp();
            }
            return;
        }
        let bend = (-step * step).exp();
        // outwards from the peak on either side
        let split = (((centre - self.lo) / self.width).max(0.0) as usize).clamp(first, last);
        for (block, values) in self.gaussian[split..last].chunks_mut(BLOCK).enumerate() {
            let t = t_of(split + block * BLOCK);
            let (mut g, mut ratio) = ((-0.5 * t * t).exp(), (-step * (t + 0.5 * step)).exp());
            for value in values {
                *value = g;
                g *= ratio;
                ratio *= bend;
            }
        }
        for (block, values) in self.gaussian[first..split].rchunks_mut(BLOCK).enumerate() {
            let t = t_of(split - 1 - block * BLOCK);
            let (mut g, mut ratio) = ((-0.5 * t * t).exp(), (step * (t - 0.5 * step)).exp());
            for value in values.iter_mut().rev() {
                *value = g;
                g *= ratio;
                ratio *= bend;
            }
        }
    }

    #[inline(always)]
    fn add_peak_at_centres(&mut self, peak: &Peak, p: &Parameters) {
        let [norm, _, sigma, lambda, gain, crx, cr0] = *p;
        let (first, last) = self.reach(peak.centre, sigma, 0.0);
        if first >= last {
            return;
        }
        self.fill_gaussian(peak.centre, sigma, first, last);
        let (inverse_sigma, inverse_gain) = (1.0 / sigma, 1.0 / gain);
        let slope = peak.poisson_slope * inverse_gain;
        let n_over_sigma = peak.n * inverse_sigma;
        let m_over_gain = lambda * inverse_gain * inverse_gain;
        let n = last - first;
        // t and x at the centre of the bin first + i
        let (t0, t_step) = ((self.centre(first) - peak.centre) * inverse_sigma, self.width * inverse_sigma);
        let (x0, x_step) = (self.centre(first), self.width);
        let ramp = &self.ramp[..n];
        let g = &self.gaussian[first..last][..n];
        let [_, d_mu, d_sigma, d_lambda, d_gain, d_crx, d_cr0] = &mut self.derivatives;
        let f = &mut self.values[first..last][..n];
        let d_mu = &mut d_mu[first..last][..n];
        let d_sigma = &mut d_sigma[first..last][..n];
        let d_lambda = &mut d_lambda[first..last][..n];
        let d_gain = &mut d_gain[first..last][..n];
        if crx == 0.0 && cr0 == 0.0 {
            // everything that does not depend on the bin goes into the coefficients
            let amplitude = peak.scale * peak.poisson;
            let over_sigma = amplitude * inverse_sigma;
            let slope = peak.scale * slope;
            let (gain_0, gain_1) = (amplitude * inverse_gain - slope * lambda * inverse_gain, amplitude * n_over_sigma);
            for i in 0..n {
                let t = t0 + t_step * ramp[i];
                f[i] += amplitude * g[i];
                d_mu[i] += over_sigma * g[i] * t;
                d_sigma[i] += over_sigma * g[i] * (t * t - 1.0);
                d_lambda[i] += slope * g[i];
                d_gain[i] += g[i] * (gain_0 + gain_1 * t);
            }
        } else {
            for i in 0..n {
                let t = t0 + t_step * ramp[i];
                let linear = (crx * (x0 + x_step * ramp[i]) + cr0) * inverse_gain;
                let scaled = peak.scale * g[i];
                let a = scaled * (peak.poisson + linear);
                f[i] += a;
                d_mu[i] += a * t * inverse_sigma;
                d_sigma[i] += a * (t * t - 1.0) * inverse_sigma;
                d_lambda[i] += scaled * slope;
                d_gain[i] += a * (inverse_gain + n_over_sigma * t)
                    - scaled * (peak.poisson_slope * m_over_gain + linear * inverse_gain);
            }
        }
        if self.with_linear && norm != 0.0 {
            let (d_crx, d_cr0) = (&mut d_crx[first..last], &mut d_cr0[first..last]);
            for i in 0..n {
                let scaled = peak.scale * g[i] * inverse_gain;
                d_crx[i] += scaled * (x0 + x_step * ramp[i]);
                d_cr0[i] += scaled;
            }
        }
    }

    /// Bin means: with a, b = t at the lower and upper edge, the mean of G_n is (g/w)·ΔΦ and that of x·G_n is
    /// (g/w)·(μ_n·ΔΦ − σ·Δφ), Δ meaning "at b minus at a".
    fn add_peak_means(&mut self, peak: &Peak, p: &Parameters) {
        let [norm, _, sigma, lambda, gain, crx, cr0] = *p;
        // a bin counts if either edge is within reach
        let (first, last) = self.reach(peak.centre, sigma, 0.5);
        if first >= last {
            return;
        }
        let (inverse_sigma, inverse_gain) = (1.0 / sigma, 1.0 / gain);
        let linear_in_x = crx * inverse_gain;
        let weight = peak.poisson + cr0 * inverse_gain;
        let with_linear = self.with_linear || crx != 0.0 || cr0 != 0.0;
        let mut lower = Edge::at((self.centre(first) - 0.5 * self.width - peak.centre) * inverse_sigma);
        for bin in first..last {
            let upper = Edge::at((self.lo + (bin + 1) as f64 * self.width - peak.centre) * inverse_sigma);
            let area = lower.area_to(&upper);
            let d0 = upper.phi - lower.phi;
            let d1 = upper.t * upper.phi - lower.t * lower.phi;
            // derivatives of ΔΦ with respect to the centre of the peak and to σ
            let (area_centre, area_sigma) = (-d0 * inverse_sigma, -d1 * inverse_sigma);
            let s = peak.scale;
            let (mut value, mut d_centre, mut d_sigma) =
                (s * weight * area, s * weight * area_centre, s * weight * area_sigma);
            if with_linear {
                let d2 = upper.t * upper.t * upper.phi - lower.t * lower.t * lower.phi;
                let first_moment = peak.centre * area - sigma * d0;
                let moment_centre = area + peak.centre * area_centre - d1;
                let moment_sigma = peak.centre * area_sigma - d0 - d2;
                value += s * linear_in_x * first_moment;
                d_centre += s * linear_in_x * moment_centre;
                d_sigma += s * linear_in_x * moment_sigma;
                if self.with_linear && norm != 0.0 {
                    self.derivatives[CRX][bin] += s * inverse_gain * first_moment;
                    self.derivatives[CR0][bin] += s * inverse_gain * area;
                }
                // the linear coefficients carry 1/g
                self.derivatives[GAIN][bin] -=
                    s * inverse_gain * (linear_in_x * first_moment + cr0 * inverse_gain * area);
            }
            let slope = s * peak.poisson_slope * inverse_gain * area;
            self.values[bin] += value;
            self.derivatives[MU0][bin] += d_centre;
            self.derivatives[SIGMA][bin] += d_sigma;
            self.derivatives[LAMBDA][bin] += slope;
            self.derivatives[GAIN][bin] += value * inverse_gain + peak.n * d_centre - slope * lambda * inverse_gain;
            lower = upper;
        }
    }
}

/// The standard Gaussian at a bin edge.
#[derive(Clone, Copy)]
struct Edge {
    t: f64,
    phi: f64,
    /// Probability beyond |t|.
    tail: f64,
}

impl Edge {
    fn at(t: f64) -> Self {
        if t.abs() > REACH {
            return Self { t, phi: 0.0, tail: 0.0 };
        }
        Self { t, phi: INV_SQRT_2PI * (-0.5 * t * t).exp(), tail: 0.5 * libm::erfc(t.abs() * FRAC_1_SQRT_2) }
    }

    /// Φ(upper) − Φ(self), from the tails on the same side so that nothing cancels.
    fn area_to(&self, upper: &Self) -> f64 {
        match (self.t < 0.0, upper.t < 0.0) {
            (true, true) => upper.tail - self.tail,
            (true, false) => 1.0 - self.tail - upper.tail,
            _ => self.tail - upper.tail,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECK: Parameters = [800.0, 0.02, 0.22, 0.065, 1.3, 0.0, 0.0];

    #[test]
    fn values_of_the_specification() {
        for (x, value) in [(0.0, 1786.53445), (0.65, 30.5926331), (1.3, 89.3268025), (2.0, 0.797738030)] {
            assert!((density(&CHECK, 3, x) / value - 1.0).abs() < 5e-9, "f({x}) = {}", density(&CHECK, 3, x));
        }
        let mut linear = CHECK;
        (linear[CRX], linear[CR0]) = (0.001, 0.002);
        for (x, value) in [(0.0, 1789.42388), (0.65, 30.6935555), (1.3, 94.0943687), (2.0, 0.956012648)] {
            assert!((density(&linear, 3, x) / value - 1.0).abs() < 5e-9, "f({x}) = {}", density(&linear, 3, x));
        }
    }

    fn cases() -> Vec<(Parameters, f64, f64, usize, usize)> {
        let mut linear = CHECK;
        (linear[CRX], linear[CR0]) = (0.001, 0.002);
        vec![
            (CHECK, -1.5, 0.05, 120, 3),
            (linear, -1.5, 0.05, 120, 3),
            ([6480.0, 0.013, 0.222, 0.984, 1.354, 0.0, 0.0], -5.0, 0.05, 300, 5),
            ([100.0, -0.3, 3.0, 4.0, 5.0, 0.0, 0.0], -20.0, 0.25, 200, 12),
            // σ smaller than a bin, and peaks outside the grid
            ([50.0, 0.4, 0.02, 0.5, 1.3, 0.0, 0.0], -2.0, 0.1, 40, 40),
        ]
    }

    #[test]
    fn recurrence_equals_the_formula() {
        for (p, lo, width, n_bins, n_peaks) in cases() {
            let mut grid = ModelGrid::new(lo, width, n_bins, n_peaks, BinValue::Centre, true);
            grid.evaluate(&p);
            for bin in 0..n_bins {
                let exact = density(&p, n_peaks, lo + (bin as f64 + 0.5) * width);
                // far in the tail t²/2 ~ 700 amplifies the rounding of t
                assert!((grid.values[bin] - exact).abs() <= 1e-11 * exact + 1e-290, "bin {bin}: {exact}");
            }
        }
    }

    #[test]
    fn means_equal_a_numerical_average() {
        // 5-point Gauss–Legendre in 8 slices of the bin: exact far beyond 1e-10 for a Gaussian
        let nodes = [0.0, 0.538_469_310_105_683_1, 0.906_179_845_938_664];
        let weights = [0.568_888_888_888_888_9, 0.478_628_670_499_366_47, 0.236_926_885_056_189_08];
        for (p, lo, width, n_bins, n_peaks) in cases() {
            let mut grid = ModelGrid::new(lo, width, n_bins, n_peaks, BinValue::Mean, true);
            grid.evaluate(&p);
            for bin in 0..n_bins {
                let mut mean = 0.0;
                for slice in 0..32 {
                    let half = width / 64.0;
                    let centre = lo + bin as f64 * width + (2 * slice + 1) as f64 * half;
                    mean += weights[0] * density(&p, n_peaks, centre) / 64.0;
                    for (node, weight) in nodes[1..].iter().zip(&weights[1..]) {
                        mean += weight
                            * (density(&p, n_peaks, centre - node * half) + density(&p, n_peaks, centre + node * half))
                            / 64.0;
                    }
                }
                assert!(
                    (grid.values[bin] - mean).abs() <= 1e-9 * mean + 1e-30,
                    "bin {bin}: {} {mean}",
                    grid.values[bin]
                );
            }
        }
    }

    #[test]
    fn derivatives_equal_differences() {
        for bin_value in [BinValue::Centre, BinValue::Mean] {
            for (p, lo, width, n_bins, n_peaks) in cases() {
                let grid_at = |p: &Parameters| {
                    let mut grid = ModelGrid::new(lo, width, n_bins, n_peaks, bin_value, true);
                    grid.evaluate(p);
                    grid
                };
                let here = grid_at(&p);
                for k in 0..N_PARAMETERS {
                    let step = 1e-5 * p[k].abs().max(1e-3);
                    let (mut up, mut down) = (p, p);
                    up[k] += step;
                    down[k] -= step;
                    let (up, down) = (grid_at(&up), grid_at(&down));
                    let scale = here.derivatives[k].iter().fold(0.0, |m: f64, d| m.max(d.abs()));
                    let noise = here.values.iter().fold(0.0, |m: f64, f| m.max(*f)) * 1e-15 / step;
                    for bin in 0..n_bins {
                        let difference = (up.values[bin] - down.values[bin]) / (2.0 * step);
                        let error = (here.derivatives[k][bin] - difference).abs();
                        assert!(
                            error < 2e-6 * scale + noise,
                            "{bin_value:?} ∂/∂{} in bin {bin}: {error} of {scale}",
                            PARAMETER_NAMES[k]
                        );
                    }
                }
            }
        }
    }
}
