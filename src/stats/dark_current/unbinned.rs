//! Unbinned likelihood −2 Σ ln[p(q)/Z] of the pixels in a window (spec 03 §1.11).
//!
//! p(q) = Σ_n Pois(n|L)·gauss(q; μ0 + n·g, σ), Z = ∫ p over the window. Parameters as in the improved binned fit, of
//! which N_tot does not enter: it follows as n_window/Z.
//!
//! **Speed.** At one pixel the Gaussians of neighbouring peaks are in the ratio exp(δ·t − δ²/2), δ = g/σ, which itself
//! changes by exp(−δ²) from peak to peak: two exponentials per pixel, whatever the number of peaks.

use super::model::{GAIN, LAMBDA, MU0, N_PARAMETERS, Parameters, REACH, SIGMA};
use crate::stats::bounded_search::{Expansion, Objective};
use crate::stats::distributions::{INV_SQRT_2PI, normal_density, normal_interval};

/// Smallest probability density that is taken the logarithm of.
const DENSITY_FLOOR: f64 = 1e-300;

/// Unbinned objective.
#[derive(Debug, Clone)]
pub struct UnbinnedObjective {
    pixels: Vec<f64>,
    window: (f64, f64),
    n_max: usize,
    poisson: Vec<f64>,
}

/// A probability and its derivatives with respect to the parameters (that of N_tot is zero).
#[derive(Clone, Copy, Default)]
struct Probability {
    value: f64,
    d: [f64; N_PARAMETERS],
}

impl UnbinnedObjective {
    /// Objective for the pixels strictly inside `window`; electrons 0…`n_max`.
    pub fn new(pixels: &[f64], window: (f64, f64), n_max: usize) -> Self {
        let pixels = pixels.iter().copied().filter(|&q| q > window.0 && q < window.1).collect();
        Self { pixels, window, n_max, poisson: vec![0.0; n_max + 1] }
    }

    /// Pixels in the window.
    pub fn n_pixels(&self) -> usize {
        self.pixels.len()
    }

    /// Highest electron number.
    pub fn n_max(&self) -> usize {
        self.n_max
    }

    fn set_poisson(&mut self, electrons: f64) {
        let mut p = (-electrons).exp();
        for (n, target) in self.poisson.iter_mut().enumerate() {
            if n > 0 {
                p *= electrons / n as f64;
            }
            *target = p;
        }
    }

    /// ∂Pois(n|L)/∂L = Pois(n − 1) − Pois(n).
    fn poisson_slope(&self, n: usize) -> f64 {
        (if n == 0 { 0.0 } else { self.poisson[n - 1] }) - self.poisson[n]
    }

    /// Probability of the window and its derivatives.
    fn acceptance(&self, p: &Parameters) -> Probability {
        let (mu0, sigma, gain) = (p[MU0], p[SIGMA], p[GAIN]);
        let mut z = Probability::default();
        for n in 0..=self.n_max {
            let centre = mu0 + n as f64 * gain;
            let (a, b) = ((self.window.0 - centre) / sigma, (self.window.1 - centre) / sigma);
            let area = normal_interval(a, b);
            let (phi_a, phi_b) = (normal_density(a), normal_density(b));
            let d_centre = self.poisson[n] * (phi_a - phi_b) / sigma;
            z.value += self.poisson[n] * area;
            z.d[MU0] += d_centre;
            z.d[SIGMA] += self.poisson[n] * (a * phi_a - b * phi_b) / sigma;
            z.d[LAMBDA] += self.poisson_slope(n) * area;
            z.d[GAIN] += n as f64 * d_centre;
        }
        z
    }

    /// Probability density at `q` and its derivatives.
    fn density(&self, q: f64, p: &Parameters) -> Probability {
        let (mu0, sigma, gain) = (p[MU0], p[SIGMA], p[GAIN]);
        let (inverse, step) = (1.0 / sigma, gain / sigma);
        let nearest = ((q - mu0) / gain).round().clamp(0.0, self.n_max as f64) as usize;
        let t0 = (q - mu0) * inverse - nearest as f64 * step;
        let mut total = Probability::default();
        if t0.abs() > REACH {
            return total;
        }
        let top = INV_SQRT_2PI * inverse * (-0.5 * t0 * t0).exp();
        let bend = (-step * step).exp();
        let mut add = |n: usize, g: f64| {
            let t = (q - mu0) * inverse - n as f64 * step;
            let a = self.poisson[n] * g;
            let pull = a * t * inverse;
            total.value += a;
            total.d[MU0] += pull;
            total.d[SIGMA] += a * (t * t - 1.0) * inverse;
            total.d[LAMBDA] += self.poisson_slope(n) * g;
            total.d[GAIN] += n as f64 * pull;
        };
        add(nearest, top);
        // towards more electrons, then towards fewer; a Gaussian that underflows ends the sum
        let (mut g, mut ratio) = (top, (step * t0 - 0.5 * step * step).exp());
        for n in nearest + 1..=self.n_max {
            g *= ratio;
            ratio *= bend;
            if g == 0.0 {
                break;
            }
            add(n, g);
        }
        let (mut g, mut ratio) = (top, (-step * t0 - 0.5 * step * step).exp());
        for n in (0..nearest).rev() {
            g *= ratio;
            ratio *= bend;
            if g == 0.0 {
                break;
            }
            add(n, g);
        }
        total
    }

    /// Probability that a pixel falls into the window, and its gradient.
    pub fn window_probability(&mut self, p: &Parameters) -> (f64, Parameters) {
        self.set_poisson(p[LAMBDA]);
        let z = self.acceptance(p);
        (z.value, z.d)
    }
}

impl Objective<N_PARAMETERS> for UnbinnedObjective {
    fn expand(&mut self, p: &Parameters) -> Expansion<N_PARAMETERS> {
        let mut e = Expansion { value: f64::INFINITY, ..Expansion::ZERO };
        if !(p.iter().all(|x| x.is_finite()) && p[SIGMA] > 0.0 && p[GAIN] > 0.0 && p[LAMBDA] >= 0.0) {
            return e;
        }
        self.set_poisson(p[LAMBDA]);
        let z = self.acceptance(p);
        if z.value <= 0.0 || z.value.is_nan() {
            return e;
        }
        let log_z = z.d.map(|d| d / z.value);
        let mut sum = 0.0;
        for &q in &self.pixels {
            let density = self.density(q, p);
            let floored = density.value.max(DENSITY_FLOOR);
            sum += floored.ln();
            let inverse = 1.0 / floored;
            let mut score = [0.0; N_PARAMETERS];
            for k in MU0..=GAIN {
                score[k] = density.d[k] * inverse - log_z[k];
                e.gradient[k] -= 2.0 * score[k];
            }
            // outer products of the scores: expectation of the second derivatives, positive semi-definite
            for row in MU0..=GAIN {
                for col in MU0..=row {
                    e.curvature[row][col] += 2.0 * score[row] * score[col];
                }
            }
        }
        for row in MU0..=GAIN {
            for col in MU0..row {
                e.curvature[col][row] = e.curvature[row][col];
            }
        }
        e.value = -2.0 * (sum - self.pixels.len() as f64 * z.value.ln());
        e
    }
}
