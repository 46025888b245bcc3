//! 1/f noise: a sum of Ornstein-Uhlenbeck processes of equal variance whose corner frequencies are spread evenly in
//! log f (spec 07 §8.3).
//!
//! Each process advances by x ← ρ x + √(1 − ρ²) s ξ with ρ = exp(−2π f t_skip). This is linear, so a row is the sum of two
//! parts: what it would be after a start from zero, which depends on the row's own random numbers only and is made in
//! parallel, and the decay of the state with which the row before ended. Only the states at the ends of the rows are
//! passed on in order.

use crate::stats::random::Stream;

/// One process, advanced by one sample or by all skips of a pixel.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Process {
    /// Decay per step.
    decay: f64,
    /// Output per unit of the state before the step.
    carry: f64,
    /// Innovation of the state and of the output from the first random number.
    state_1: f64,
    output_1: f64,
    /// Innovation of the output from the second one (averaged over skips only).
    output_2: f64,
}

/// 1/f noise of one amplifier in units of its input, e⁻.
#[derive(Debug, Clone, PartialEq)]
pub struct Flicker {
    processes: Vec<Process>,
    /// Standard deviation of each process.
    spread: f64,
    two_numbers: bool,
}

impl Flicker {
    /// With total standard deviation `rms` and these corner frequencies (Hz), sampled every `t_skip` s.
    pub fn per_sample(rms: f64, corners: &[f64], t_skip: f64) -> Self {
        let spread = rms / (corners.len() as f64).sqrt();
        let processes = corners
            .iter()
            .map(|f| {
                let ln_decay = -2.0 * std::f64::consts::PI * f * t_skip;
                let decay = libm::exp(ln_decay);
                let innovation = spread * (-libm::expm1(2.0 * ln_decay)).sqrt();
                Process { decay, carry: decay, state_1: innovation, output_1: innovation, output_2: 0.0 }
            })
            .collect();
        Self { processes, spread, two_numbers: false }
    }

    /// The same noise averaged over the `skips` samples of each pixel: sum and end of a stretch of the process are jointly
    /// Gaussian, so one step per pixel is exact.
    pub fn per_pixel(rms: f64, corners: &[f64], t_skip: f64, skips: usize) -> Self {
        let mut flicker = Self::per_sample(rms, corners, t_skip);
        flicker.two_numbers = true;
        let n = skips as f64;
        for (process, f) in flicker.processes.iter_mut().zip(corners) {
            let ln_decay = -2.0 * std::f64::consts::PI * f * t_skip;
            let step = process.state_1;
            // A random number i steps before the end adds ρ^i to the end and (1 − ρ^(i+1))/(1 − ρ) to the sum.
            let (mut end_end, mut end_sum, mut sum_sum, mut carry) = (0.0, 0.0, 0.0, 0.0);
            for i in 0..skips {
                let to_end = libm::exp(ln_decay * i as f64);
                let to_sum = libm::expm1(ln_decay * (i + 1) as f64) / libm::expm1(ln_decay);
                end_end += to_end * to_end;
                end_sum += to_end * to_sum;
                sum_sum += to_sum * to_sum;
                carry += libm::exp(ln_decay * (i + 1) as f64);
            }
            let to_end = end_end.sqrt();
            process.decay = libm::exp(ln_decay * n);
            process.carry = carry / n;
            process.state_1 = step * to_end;
            process.output_1 = step * end_sum / to_end / n;
            process.output_2 = step * (sum_sum - end_sum * end_sum / end_end).max(0.0).sqrt() / n;
        }
        flicker
    }

    /// The state before the first row, in equilibrium.
    pub fn start(&self, stream: &mut Stream) -> Vec<f64> {
        self.processes.iter().map(|_| self.spread * stream.normal()).collect()
    }

    /// A state of zeros.
    pub fn rest(&self) -> Vec<f64> {
        vec![0.0; self.processes.len()]
    }

    /// Writes the outputs of the next steps; `state` is where the process is, `stream` its random numbers.
    pub fn advance(&self, state: &mut [f64], stream: &mut Stream, out: &mut [f64]) {
        for y in out {
            let mut sum = 0.0;
            for (x, p) in state.iter_mut().zip(&self.processes) {
                let first = stream.normal();
                sum += p.carry * *x + p.output_1 * first;
                if self.two_numbers {
                    sum += p.output_2 * stream.normal();
                }
                *x = p.decay * *x + p.state_1 * first;
            }
            *y = sum;
        }
    }

    /// Adds the decay of `state` to the next outputs.
    pub fn add_decay(&self, state: &mut [f64], out: &mut [f64]) {
        for y in out {
            let mut sum = 0.0;
            for (x, p) in state.iter_mut().zip(&self.processes) {
                sum += p.carry * *x;
                *x *= p.decay;
            }
            *y += sum;
        }
    }

    /// The state at the end of a row of `steps`: decay of the state at its start plus the end of a row that started at
    /// rest.
    pub fn end_of_row(&self, start: &[f64], from_rest: &[f64], steps: usize) -> Vec<f64> {
        start
            .iter()
            .zip(from_rest)
            .zip(&self.processes)
            .map(|((s, r), p)| s * libm::pow(p.decay, steps as f64) + r)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half a million samples in rows: the sum of both parts equals one uninterrupted run up to rounding.
    #[test]
    fn rows_made_apart_join_to_one_process() {
        let flicker = Flicker::per_sample(2.0, &[1.0, 10.0, 100.0], 1e-3);
        let (rows, steps) = (5, 1000);
        let mut joined = Vec::new();
        let mut state = flicker.start(&mut Stream::from_seed(1));
        let mut direct_state = state.clone();
        let mut direct = vec![0.0; rows * steps];
        for row in 0..rows {
            let mut out = vec![0.0; steps];
            let mut rest = flicker.rest();
            flicker.advance(&mut rest, &mut Stream::from_seed(10 + row as u64), &mut out);
            flicker.add_decay(&mut state.clone(), &mut out);
            state = flicker.end_of_row(&state, &rest, steps);
            joined.extend(out);
            let range = row * steps..(row + 1) * steps;
            flicker.advance(&mut direct_state, &mut Stream::from_seed(10 + row as u64), &mut direct[range]);
        }
        for (a, b) in joined.iter().zip(&direct) {
            assert!((a - b).abs() < 1e-10);
        }
    }

    /// Variance over an ensemble of starts: s² at any time. Five standard errors.
    #[test]
    fn the_noise_is_stationary_with_the_variance_asked_for() {
        let flicker = Flicker::per_sample(2.0, &[0.5, 5.0, 50.0, 500.0], 1e-4);
        let n = 4000;
        for at in [0, 37] {
            let mut sum = 0.0;
            for seed in 0..n {
                let mut stream = Stream::from_seed(seed);
                let mut state = flicker.start(&mut stream);
                let mut out = vec![0.0; at + 1];
                flicker.advance(&mut state, &mut stream, &mut out);
                sum += out[at] * out[at];
            }
            let variance = sum / n as f64;
            assert!((variance / 4.0 - 1.0).abs() < 5.0 * (2.0 / n as f64).sqrt(), "{variance}");
        }
    }

    /// The spectrum, averaged over an octave around f, falls as 1/f within 10 % between the ends of the range: the sum of
    /// Lorentzians two per octave is that smooth.
    #[test]
    fn the_spectrum_falls_as_one_over_f() {
        let corners: Vec<f64> = (0..=24).map(|j| 0.25 * 2.0_f64.powf(j as f64 / 2.0)).collect();
        let dt = 1.0 / 8192.0;
        let flicker = Flicker::per_sample(1.0, &corners, dt);
        let length = 1 << 15;
        let mut planner = realfft::RealFftPlanner::<f64>::new();
        let fft = planner.plan_fft_forward(length);
        let mut power = vec![0.0; length / 2 + 1];
        let mut stream = Stream::from_seed(2);
        let mut state = flicker.start(&mut stream);
        for _ in 0..60 {
            let mut signal = vec![0.0; length];
            flicker.advance(&mut state, &mut stream, &mut signal);
            let mut spectrum = fft.make_output_vec();
            fft.process(&mut signal, &mut spectrum).unwrap();
            power.iter_mut().zip(&spectrum).for_each(|(p, s)| *p += s.norm_sqr());
        }
        // ∫ S df over an octave is the same for every octave of 1/f noise
        let octave = |f: f64| {
            let bin = |f: f64| (f * length as f64 * dt).round() as usize;
            power[bin(f)..bin(2.0 * f)].iter().sum::<f64>()
        };
        let reference = octave(4.0);
        for f in [8.0, 16.0, 32.0, 64.0, 128.0] {
            assert!((octave(f) / reference - 1.0).abs() < 0.1, "{f} Hz: {}", octave(f) / reference);
        }
    }

    /// Averages over 16 skips: variance and correlation from pixel to pixel as for the samples themselves, from the exact
    /// autocovariance Σ s² ρ^|lag|.
    #[test]
    fn averages_over_the_skips_have_the_exact_covariance() {
        let (corners, dt, skips) = ([2.0, 60.0, 900.0], 1e-4, 16);
        let flicker = Flicker::per_pixel(3.0, &corners, dt, skips);
        let covariance = |lag: usize| {
            let s2 = 9.0 / 3.0;
            let mut sum = 0.0;
            for f in corners {
                for a in 0..skips {
                    for b in 0..skips {
                        let distance = (b + lag * skips) as f64 - a as f64;
                        sum += s2 * (-2.0 * std::f64::consts::PI * f * dt * distance.abs()).exp();
                    }
                }
            }
            sum / (skips * skips) as f64
        };
        let n = 20_000;
        let mut sums = [0.0; 2];
        for seed in 0..n {
            let mut stream = Stream::from_seed(seed);
            let mut state = flicker.start(&mut stream);
            let mut out = [0.0; 2];
            flicker.advance(&mut state, &mut stream, &mut out);
            sums[0] += out[1] * out[1];
            sums[1] += out[0] * out[1];
        }
        let (v, c) = (covariance(0), covariance(1));
        assert!((sums[0] / n as f64 - v).abs() < 5.0 * v * (2.0 / n as f64).sqrt(), "{} {v}", sums[0] / n as f64);
        assert!(
            (sums[1] / n as f64 - c).abs() < 5.0 * ((v * v + c * c) / n as f64).sqrt(),
            "{} {c}",
            sums[1] / n as f64
        );
    }
}
