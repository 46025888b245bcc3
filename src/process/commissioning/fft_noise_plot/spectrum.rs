//! Averaged spectra of many short series (spec 04 §4.2).
//!
//! ```text
//! X_f = Σ_j v_j exp(−2πi j f/N),  f = 1 … ⌊N/2⌋
//! M_f = ⟨|X_f|⟩                    magnitude, ADU
//! P_f = 2 ⟨|X_f|²⟩ Δt/N            one-sided PSD, ADU²/Hz; half of that at Nyquist
//! ```
//!
//! Σ P_f Δf is the mean variance of the series. White noise of standard deviation σ has P = 2 σ² Δt and
//! M = σ √(πN)/2. What all series have in common is in both, though it is no noise: first samples that have not settled,
//! charge that all pixels lose. The deviations of R series from their mean have
//!
//! ```text
//! 2 (⟨|X_f|²⟩ − |⟨X_f⟩|²) Δt/N · R/(R − 1).
//! ```

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use crate::stats::robust;

/// Sums over series.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SpectrumSums {
    /// Series added.
    pub series: u64,
    /// Σ |X_f|, f = 1 … ⌊N/2⌋.
    pub magnitude: Vec<f64>,
    /// Σ |X_f|².
    pub power: Vec<f64>,
    /// Σ v² and Σ (v²)² of the variances v² of the series.
    pub variances: (f64, f64),
    /// Σ X_f.
    pub sum: Vec<Complex<f64>>,
    /// Σ X_f².
    pub square: Vec<Complex<f64>>,
    /// Σ X_f X*_{f+1}, f = 1 … ⌊N/2⌋ − 1.
    pub cross: Vec<Complex<f64>>,
}

impl SpectrumSums {
    /// Adds other sums of the same length.
    pub fn merge(&mut self, other: &Self) {
        if self.magnitude.is_empty() {
            *self = other.clone();
            return;
        }
        self.series += other.series;
        self.variances.0 += other.variances.0;
        self.variances.1 += other.variances.1;
        let add = |mine: &mut [f64], theirs: &[f64]| mine.iter_mut().zip(theirs).for_each(|(a, b)| *a += b);
        add(&mut self.magnitude, &other.magnitude);
        add(&mut self.power, &other.power);
        let add = |mine: &mut [Complex<f64>], theirs: &[Complex<f64>]| {
            mine.iter_mut().zip(theirs).for_each(|(a, b)| *a += b);
        };
        add(&mut self.sum, &other.sum);
        add(&mut self.square, &other.square);
        add(&mut self.cross, &other.cross);
    }
}

/// Transforms series of one length.
#[derive(Clone)]
pub struct Transform {
    length: usize,
    fft: Arc<dyn RealToComplex<f64>>,
}

impl std::fmt::Debug for Transform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Transform({})", self.length)
    }
}

/// Memory of one thread.
#[derive(Debug)]
pub struct Workspace {
    /// The series to be transformed; overwritten.
    pub input: Vec<f64>,
    output: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
}

impl Transform {
    /// For series of this length (at least 2).
    pub fn new(length: usize) -> Self {
        let length = length.max(2);
        Self { length, fft: RealFftPlanner::new().plan_fft_forward(length) }
    }

    /// Memory for [`Transform::add`].
    pub fn workspace(&self) -> Workspace {
        Workspace {
            input: self.fft.make_input_vec(),
            output: self.fft.make_output_vec(),
            scratch: self.fft.make_scratch_vec(),
        }
    }

    /// Empty sums.
    pub fn sums(&self) -> SpectrumSums {
        let bins = self.length / 2;
        SpectrumSums {
            series: 0,
            magnitude: vec![0.0; bins],
            power: vec![0.0; bins],
            variances: (0.0, 0.0),
            sum: vec![Complex::default(); bins],
            square: vec![Complex::default(); bins],
            cross: vec![Complex::default(); bins.saturating_sub(1)],
        }
    }

    /// Transforms `workspace.input` and adds it; a series with undefined values is left out. A constant offset has no
    /// effect on f ≥ 1: nothing needs to be subtracted before, but values near zero keep more digits.
    pub fn add(&self, workspace: &mut Workspace, sums: &mut SpectrumSums) {
        let Workspace { input, output, scratch } = workspace;
        if input.iter().any(|x| !x.is_finite()) || self.fft.process_with_scratch(input, output, scratch).is_err() {
            return;
        }
        sums.series += 1;
        let output = &output[1..];
        let lanes = sums.magnitude.iter_mut().zip(&mut sums.power).zip(&mut sums.sum).zip(&mut sums.square).zip(output);
        let mut total = 0.0;
        for ((((magnitude, power), sum), square), x) in lanes {
            *sum += x;
            *square += x * x;
            let norm = x.norm_sqr();
            total += norm;
            *power += norm;
            *magnitude += norm.sqrt();
        }
        // all frequencies have a negative counterpart but Nyquist's
        let single = if self.length.is_multiple_of(2) { output.last().map_or(0.0, |x| x.norm_sqr()) } else { 0.0 };
        let variance = (2.0 * total - single) / (self.length as f64).powi(2);
        sums.variances.0 += variance;
        sums.variances.1 += variance * variance;
        sums.cross.iter_mut().zip(output.windows(2)).for_each(|(cross, x)| *cross += x[0] * x[1].conj());
    }
}

/// An averaged spectrum.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrum {
    /// Samples per series.
    pub length: usize,
    /// Series averaged.
    pub series: u64,
    /// Time between samples, s; 1 if unknown.
    pub step: f64,
    /// Whether `step` is a time, so that frequencies are in Hz (else cycles per sample).
    pub timed: bool,
    /// Frequencies, Hz or cycles per sample.
    pub frequency: Vec<f64>,
    /// M_f, ADU.
    pub magnitude: Vec<f64>,
    /// P_f, ADU²/Hz (ADU² per cycle/sample).
    pub psd: Vec<f64>,
    /// P of the deviations from the mean series, unit of `psd`.
    pub deviations: Vec<f64>,
    /// 2 ⟨X_f²⟩ Δt/N, unit of `psd`: noise of no preferred phase has none.
    pub square: Vec<Complex<f64>>,
    /// 2 Re ⟨X_f X*_{f+1} exp(−iπ (N−1)/N)⟩ Δt/N, unit of `psd`: what a bin shares with the next one. White noise shares
    /// nothing; a sine between both bins shares √(P_f P_{f+1}), with the opposite sign if both lie on one side of it.
    pub shared: Vec<f64>,
    /// Error of the mean variance of the series, ADU².
    pub variance_error: f64,
    /// Median over f of the share of the power that is the same in all series: offsets of single samples, not noise.
    pub common_share: f64,
}

impl Spectrum {
    /// The averages of sums over series of `length` samples; `step`: time between samples, s. `None` without series.
    pub fn new(sums: &SpectrumSums, length: usize, step: Option<f64>) -> Option<Self> {
        if sums.series == 0 || sums.magnitude.is_empty() {
            return None;
        }
        let (n, count) = (length as f64, sums.series as f64);
        let dt = step.unwrap_or(1.0);
        let bins = sums.magnitude.len();
        let one_sided = |i: usize| if 2 * (i + 1) == length { 1.0 } else { 2.0 };
        let scale = 2.0 * dt / (n * count);
        let deviations = |i: usize, power: f64| {
            let common =
                if sums.series > 1 { (sums.sum[i].norm_sqr() / count - power / count) / (count - 1.0) } else { 0.0 };
            one_sided(i) * (power / count - common) * dt / n
        };
        let turn = Complex::from_polar(1.0, -std::f64::consts::PI * (n - 1.0) / n);
        Some(Self {
            length,
            series: sums.series,
            step: dt,
            timed: step.is_some(),
            variance_error: {
                let mean = sums.variances.0 / count;
                ((sums.variances.1 / count - mean * mean).max(0.0) / (count - 1.0).max(1.0)).sqrt()
            },
            frequency: (1..=bins).map(|f| f as f64 / (n * dt)).collect(),
            magnitude: sums.magnitude.iter().map(|m| m / count).collect(),
            common_share: {
                // of independent series 1/count remains by chance
                let shares = sums.sum.iter().zip(&sums.power).filter(|(_, p)| **p > 0.0);
                let shares: Vec<f64> = shares.map(|(x, p)| x.norm_sqr() / count / p - 1.0 / count).collect();
                if shares.is_empty() { 0.0 } else { robust::median(&shares).max(0.0) }
            },
            deviations: sums.power.iter().enumerate().map(|(i, p)| deviations(i, *p)).collect(),
            psd: sums.power.iter().enumerate().map(|(i, p)| one_sided(i) * p / count * dt / n).collect(),
            square: sums.square.iter().map(|x| x * scale).collect(),
            shared: sums.cross.iter().map(|x| (x * turn).re * scale).collect(),
        })
    }

    /// Power half-way between a bin and the next one, unit of `psd`; not for the last bin of an even number of samples:
    ///
    /// ```text
    /// (P_f + P_{f+1})/2 + C_f = ⟨|X_f + X_{f+1} exp(iπ (N−1)/N)|²⟩ Δt/N
    /// ```
    ///
    /// Of noise it has the mean and the scatter of P. A sine that far between shows 0.81 of its power, in either bin 0.41.
    pub fn between(&self) -> Vec<f64> {
        let pairs = self.shared.len() - usize::from(self.length.is_multiple_of(2) && !self.shared.is_empty());
        (0..pairs).map(|i| 0.5 * (self.psd[i] + self.psd[i + 1]) + self.shared[i]).collect()
    }

    /// Distance of the frequencies.
    pub fn resolution(&self) -> f64 {
        1.0 / (self.length as f64 * self.step)
    }

    /// Σ P Δf: the mean variance within a series, ADU².
    pub fn variance(&self) -> f64 {
        self.psd.iter().sum::<f64>() * self.resolution()
    }

    /// Standard deviation within a series, ADU, with the error that the scatter of the variances of the series tells,
    /// whatever their distribution is.
    pub fn sigma(&self) -> (f64, f64) {
        let sigma = self.variance().sqrt();
        (sigma, 0.5 * self.variance_error / sigma)
    }

    /// Statistical error of P at bin `i`, relative: |X|² of noise is exponentially distributed, at Nyquist χ² with one
    /// degree of freedom.
    pub fn relative_error(&self, i: usize) -> f64 {
        let nyquist = 2 * (i + 1) == self.length;
        (if nyquist { 2.0 } else { 1.0 } / self.series as f64).sqrt()
    }

    /// Unit of the frequencies.
    pub fn frequency_unit(&self) -> &'static str {
        if self.timed { "Hz" } else { "cycles/sample" }
    }

    /// Noise of the mean of the first `n` samples, how far it deviates from series to series, with its statistical error,
    /// ADU:
    ///
    /// ```text
    /// σ²(n) = Σ_f P_f Δf |D_n(f)|²,   D_n(f) = sin(π f n/N) / (n sin(π f/N))
    /// ```
    ///
    /// The sum begins at f = 0 with the continuation of the lowest bin: noise slower than a series is not in the
    /// spectrum and appears as an excess over this prediction.
    pub fn noise_of_mean(&self, n: usize) -> (f64, f64) {
        use std::f64::consts::PI;
        let (n, length, df) = (n.max(1) as f64, self.length as f64, self.resolution());
        let lowest = self.deviations.first().map_or(0.0, |p| 0.5 * p * df);
        let (mut variance, mut error) = (lowest, (lowest * self.relative_error(0)).powi(2));
        for (i, p) in self.deviations.iter().enumerate() {
            let x = PI * (i + 1) as f64 / length;
            let response = (n * x).sin() / (n * x.sin());
            let part = p * df * response * response;
            variance += part;
            error += (part * self.relative_error(i)).powi(2);
        }
        let sigma = variance.sqrt();
        (sigma, 0.5 * error.sqrt() / sigma)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::test_data::gaussian_sample;

    fn spectrum(series: &[Vec<f64>], step: Option<f64>) -> Spectrum {
        let transform = Transform::new(series[0].len());
        let (mut workspace, mut sums) = (transform.workspace(), transform.sums());
        for s in series {
            workspace.input.copy_from_slice(s);
            transform.add(&mut workspace, &mut sums);
        }
        Spectrum::new(&sums, series[0].len(), step).unwrap()
    }

    /// The definition, term by term.
    fn slow(series: &[f64], f: usize) -> f64 {
        let n = series.len() as f64;
        let phase = |j: usize| -2.0 * std::f64::consts::PI * (j * f) as f64 / n;
        let (re, im) = series
            .iter()
            .enumerate()
            .fold((0.0, 0.0), |(re, im), (j, v)| (re + v * phase(j).cos(), im + v * phase(j).sin()));
        re * re + im * im
    }

    #[test]
    fn agrees_with_the_definition_and_conserves_the_variance() {
        for n in [2, 3, 8, 15, 64, 77] {
            let all: Vec<Vec<f64>> = (0..5).map(|k| gaussian_sample(k, n, 1000.0, 2.0)).collect();
            let found = spectrum(&all, Some(0.25));
            for f in 1..=n / 2 {
                let power = all.iter().map(|s| slow(s, f)).sum::<f64>() / 5.0;
                let factor = if 2 * f == n { 1.0 } else { 2.0 };
                // rounding of 1000 N in double precision
                assert!((found.psd[f - 1] - factor * power * 0.25 / n as f64).abs() < 1e-7, "{n} {f}");
            }
            let variance = all
                .iter()
                .map(|s| crate::stats::robust::std_deviation(s, crate::stats::robust::Ddof::Population).powi(2))
                .sum::<f64>()
                / 5.0;
            assert!((found.variance() / variance - 1.0).abs() < 1e-9, "{n}");
        }
    }

    #[test]
    fn white_noise_predicts_one_over_root_n() {
        let all: Vec<Vec<f64>> = (0..400).map(|k| gaussian_sample(k, 100, 0.0, 3.0)).collect();
        let found = spectrum(&all, None);
        let (sigma, error) = found.sigma();
        // 400 series with 99 degrees of freedom each; an error from 400 values is known to 1/√800
        assert!((error / (3.0 / (2.0 * 400.0 * 99.0f64).sqrt()) - 1.0).abs() < 4.0 / 800.0f64.sqrt(), "{error}");
        assert!((sigma - 3.0 * (99.0f64 / 100.0).sqrt()).abs() < 4.0 * error, "{sigma} ± {error}");
        for n in [1, 2, 7, 30, 100] {
            let (sigma, error) = found.noise_of_mean(n);
            let expected = 3.0 / (n as f64).sqrt();
            assert!((sigma - expected).abs() < 4.0 * error && error < 0.06 * expected, "{n}: {sigma} ± {error}");
        }
    }

    #[test]
    fn offsets_of_single_samples_are_told_from_noise() {
        let noise: Vec<Vec<f64>> = (0..300).map(|k| gaussian_sample(k, 64, 0.0, 3.0)).collect();
        assert!(spectrum(&noise, None).common_share < 0.01);
        // a first sample 24 ADU low holds 24²/(64·9) of the power of the noise in every bin
        let mut transient = noise.clone();
        transient.iter_mut().for_each(|s| s[0] -= 24.0);
        let found = spectrum(&transient, None);
        assert!((found.common_share - 0.5).abs() < 0.05, "{}", found.common_share);
        // the noise of means is that of the samples, as if the first one had settled
        let settled = spectrum(&noise, None);
        for n in [1, 8, 64] {
            let ((a, error), (b, _)) = (found.noise_of_mean(n), settled.noise_of_mean(n));
            assert!((a / b - 1.0).abs() < 1e-9, "{n}: {a} ± {error} for {b}");
        }
    }

    #[test]
    fn a_series_with_a_missing_value_is_left_out() {
        let mut bad = vec![1.0; 16];
        bad[3] = f64::NAN;
        let good = gaussian_sample(1, 16, 0.0, 1.0);
        assert_eq!(spectrum(&[bad, good.clone()], None).magnitude, spectrum(&[good], None).magnitude);
    }
}
