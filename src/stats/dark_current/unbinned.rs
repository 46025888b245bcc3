//! Unbinned likelihood −2 Σ ln[p(q)/Z] of the pixels in a window (spec 03 §1.11).
//!
//! p(q) = Σ_n Pois(n|L)·gauss(q; μ0 + n·g, σ), Z = ∫ p over the window. Parameters as in the improved binned fit, of
//! which N_tot does not enter: it follows as n_window/Z.
//!
//! **Speed.** At one pixel the Gaussians of neighbouring peaks are in the ratio exp(δ·t − δ²/2), δ = g/σ, which itself
//! changes by exp(−δ²) from peak to peak: a few exponentials per pixel, whatever the number of peaks. Pixels are summed
//! in chunks of 2048, in parallel when there are many, and the chunks are added in order: the result does not
//! depend on the number of threads.

use super::model::{GAIN, LAMBDA, MU0, N_PARAMETERS, Parameters, REACH, SIGMA};
use crate::stats::bounded_search::{Expansion, Objective};
use crate::stats::distributions::{INV_SQRT_2PI, normal_density, normal_interval};
use rayon::prelude::*;

/// Smallest probability density that is taken the logarithm of.
const DENSITY_FLOOR: f64 = 1e-300;

/// Pixels per partial sum.
const CHUNK: usize = 2048;

/// Pixels from which on the chunks are shared among threads.
const PARALLEL: usize = 4 * CHUNK;

/// Peaks whose Gaussian at a pixel is this much smaller than that of the nearest peak are left out: 18 orders below
/// what a double can see even when the nearest peak is 1e-20 times as probable.
const NEGLIGIBLE: f64 = 1e-54;

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

    /// Probability density at `q` and its derivatives; `bend` is exp(−(g/σ)²).
    fn density(&self, q: f64, p: &Parameters, bend: f64) -> Probability {
        let (mu0, sigma, gain) = (p[MU0], p[SIGMA], p[GAIN]);
        let (inverse, step) = (1.0 / sigma, gain / sigma);
        let nearest = ((q - mu0) / gain).round().clamp(0.0, self.n_max as f64) as usize;
        let t0 = (q - mu0) * inverse - nearest as f64 * step;
        let mut total = Probability::default();
        if t0.abs() > REACH {
            return total;
        }
        let top = INV_SQRT_2PI * inverse * (-0.5 * t0 * t0).exp();
        let negligible = NEGLIGIBLE * top;
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
            if g <= negligible {
                break;
            }
            add(n, g);
        }
        let (mut g, mut ratio) = (top, (-step * t0 - 0.5 * step * step).exp());
        for n in (0..nearest).rev() {
            g *= ratio;
            ratio *= bend;
            if g <= negligible {
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

impl UnbinnedObjective {
    /// Σ ln p, Σ of the scores and of their outer products (lower triangle) over some pixels.
    fn sum(&self, pixels: &[f64], p: &Parameters, log_z: &Parameters, with_curvature: bool) -> Expansion<N_PARAMETERS> {
        let step = p[GAIN] / p[SIGMA];
        let bend = (-step * step).exp();
        let mut sums = Expansion::ZERO;
        for &q in pixels {
            let density = self.density(q, p, bend);
            let floored = density.value.max(DENSITY_FLOOR);
            sums.value += floored.ln();
            let inverse = 1.0 / floored;
            let mut score = [0.0; N_PARAMETERS];
            for k in MU0..=GAIN {
                score[k] = density.d[k] * inverse - log_z[k];
                sums.gradient[k] += score[k];
            }
            if with_curvature {
                for row in MU0..=GAIN {
                    for col in MU0..=row {
                        sums.curvature[row][col] += score[row] * score[col];
                    }
                }
            }
        }
        sums
    }

    fn evaluate(&mut self, p: &Parameters, with_curvature: bool) -> Expansion<N_PARAMETERS> {
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
        let this = &*self;
        let sum = |chunk: &[f64]| this.sum(chunk, p, &log_z, with_curvature);
        let parts: Vec<Expansion<N_PARAMETERS>> = if this.pixels.len() >= PARALLEL {
            this.pixels.par_chunks(CHUNK).map(sum).collect()
        } else {
            this.pixels.chunks(CHUNK).map(sum).collect()
        };
        let mut log_p = 0.0;
        for part in &parts {
            log_p += part.value;
            for row in MU0..=GAIN {
                e.gradient[row] -= 2.0 * part.gradient[row];
                // outer products of the scores: expectation of the second derivatives, positive semi-definite
                for col in MU0..=row {
                    e.curvature[row][col] += 2.0 * part.curvature[row][col];
                }
            }
        }
        for row in MU0..=GAIN {
            for col in MU0..row {
                e.curvature[col][row] = e.curvature[row][col];
            }
        }
        e.value = -2.0 * (log_p - self.pixels.len() as f64 * z.value.ln());
        e
    }
}

impl Objective<N_PARAMETERS> for UnbinnedObjective {
    fn expand(&mut self, p: &Parameters) -> Expansion<N_PARAMETERS> {
        self.evaluate(p, true)
    }

    fn gradient(&mut self, p: &Parameters) -> Parameters {
        self.evaluate(p, false).gradient
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::test_data::SplitMix64;

    fn pixels(n: usize) -> Vec<f64> {
        let mut random = SplitMix64(9);
        (0..n)
            .map(|_| {
                let electrons = crate::stats::distributions::poisson_quantile(random.uniform(), 0.6);
                0.01 + 1.35 * electrons as f64 + 0.2 * random.gaussian()
            })
            .collect()
    }

    #[test]
    fn equals_the_formula() {
        let sample = pixels(500);
        let p = [1.0, 0.02, 0.21, 0.55, 1.33, 0.0, 0.0];
        let window = (-1.0, 7.0);
        let gauss = crate::stats::distributions::gaussian;
        let poisson = |n: u64| crate::stats::distributions::poisson_probability(n, p[LAMBDA]);
        let density =
            |q: f64| (0..=8u64).map(|n| poisson(n) * gauss(q, p[MU0] + n as f64 * p[GAIN], p[SIGMA])).sum::<f64>();
        let z: f64 = (0..=8u64)
            .map(|n| {
                let centre = p[MU0] + n as f64 * p[GAIN];
                poisson(n) * normal_interval((window.0 - centre) / p[SIGMA], (window.1 - centre) / p[SIGMA])
            })
            .sum();
        let inside: Vec<f64> = sample.iter().copied().filter(|&q| q > window.0 && q < window.1).collect();
        let slow = -2.0 * inside.iter().map(|&q| (density(q) / z).ln()).sum::<f64>();
        let mut objective = UnbinnedObjective::new(&sample, window, 8);
        let fast = objective.expand(&p);
        assert!((fast.value / slow - 1.0).abs() < 1e-12, "{} {slow}", fast.value);
        for k in MU0..=GAIN {
            let step = 1e-6 * p[k];
            let (mut up, mut down) = (p, p);
            up[k] += step;
            down[k] -= step;
            let difference = (objective.expand(&up).value - objective.expand(&down).value) / (2.0 * step);
            assert!(
                (fast.gradient[k] - difference).abs() < 1e-5 * difference.abs() + 1e-13 * slow / step,
                "{k}: {} {difference}",
                fast.gradient[k]
            );
        }
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let sample = pixels(3 * PARALLEL / 2);
        let p = [1.0, 0.02, 0.21, 0.55, 1.33, 0.0, 0.0];
        let with_threads = |n: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
            pool.install(|| UnbinnedObjective::new(&sample, (-1.0, 7.0), 8).expand(&p))
        };
        assert_eq!(with_threads(1), with_threads(3));
    }
}
