//! What a noise spectrum is made of: pick-up lines, 1/f noise, white noise.
//!
//! * **Lines** stand above the running median of their neighbourhood (51 bins, symmetric, so that a falling spectrum
//!   makes none; in the first two and the last two bins it is too narrow to see a line that fills two bins), at a bin or
//!   half-way between two. Their frequencies, between the bins, and their amplitudes are fitted in `line_fit`.
//! * **White and 1/f noise**: P(f) = W + K/f^γ, least squares weighted with the statistical errors of the bins, lines left
//!   out; γ = 1 or 2, whichever fits better, with the W of W + K₁/f + K₂/f², unless the data contradict both. Both parts
//!   are equal at the corner frequency (K/W)^{1/γ}. γ = 2 is that of steps between the samples, as electrons lost from
//!   skip to skip make them: a random walk, whose samples have K (πΔt/sin πfΔt)², which is K/f² at low frequency.

use super::line_fit::{measure_lines, power_of_sine};
use super::spectrum::Spectrum;
use crate::stats::robust::{self, MAD_TO_SIGMA};
use crate::stats::small_matrix::{self, Matrix};

/// Bins of the running median.
pub(super) const WINDOW: usize = 51;
/// Standard deviations above the neighbourhood that make a line.
pub(super) const THRESHOLD: f64 = 5.0;
/// Relative scatter of |X| of noise, √(4/π − 1).
const RAYLEIGH_SCATTER: f64 = 0.522_723;

/// A pick-up line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpectralLine {
    /// Highest bin (0: the first frequency).
    pub bin: usize,
    /// Frequency, unit of the spectrum.
    pub frequency: f64,
    /// Its error.
    pub frequency_error: f64,
    /// Amplitude of the sine, ADU.
    pub amplitude: f64,
    /// Its error, ADU.
    pub amplitude_error: f64,
    /// Standard deviations above the neighbourhood.
    pub significance: f64,
}

/// Running median of the magnitudes.
pub fn baseline(magnitude: &[f64]) -> Vec<f64> {
    running_median(magnitude, WINDOW / 2)
}

pub(super) fn running_median(values: &[f64], half: usize) -> Vec<f64> {
    let n = values.len();
    (0..n)
        .map(|i| {
            let half = half.min(i).min(n - 1 - i);
            robust::median(&values[i - half..=i + half])
        })
        .collect()
}

/// The lines of a spectrum, most significant first.
pub fn find_lines(spectrum: &Spectrum) -> Vec<SpectralLine> {
    let m = &spectrum.magnitude;
    let n = m.len();
    let level = baseline(m);
    let ratio: Vec<f64> = m.iter().zip(&level).map(|(m, b)| m / b).collect();
    let scatter = (MAD_TO_SIGMA * robust::mad(&ratio)).max(RAYLEIGH_SCATTER / (spectrum.series as f64).sqrt());
    if !(scatter > 0.0) || !scatter.is_finite() {
        return Vec::new();
    }
    let significance: Vec<f64> = ratio.iter().map(|r| (r - 1.0) / scatter).collect();
    let mut peaks: Vec<usize> = (0..n)
        .filter(|&i| significance[i] > THRESHOLD && (i == 0 || m[i] > m[i - 1]) && (i + 1 == n || m[i] >= m[i + 1]))
        .collect();
    let between = significance_between(spectrum);
    let at = |i: usize| between.get(i).copied().unwrap_or(f64::NEG_INFINITY);
    for i in (0..between.len()).filter(|&i| at(i) > THRESHOLD && at(i) >= at(i + 1) && (i == 0 || at(i) > at(i - 1))) {
        // a line seen at a bin is seen beside it, too
        if peaks.iter().all(|peak| peak.abs_diff(i) > 1 && peak.abs_diff(i + 1) > 1) {
            peaks.push(if spectrum.psd[i + 1] > spectrum.psd[i] { i + 1 } else { i });
        }
    }
    let highest = |bin: usize| {
        let beside = bin.checked_sub(1).map_or(f64::NEG_INFINITY, at).max(at(bin));
        significance[bin].max(beside)
    };
    let mut lines: Vec<SpectralLine> = measure_lines(spectrum, &peaks)
        .into_iter()
        .map(|line| {
            let (df, amplitude) = (spectrum.resolution(), line.amplitude(spectrum));
            SpectralLine {
                bin: line.bin,
                frequency: line.position * df,
                frequency_error: line.position_error * df,
                amplitude,
                amplitude_error: 0.5 * amplitude * line.strength_error / line.strength,
                significance: highest(line.bin),
            }
        })
        .collect();
    lines.sort_by(|a, b| b.significance.total_cmp(&a.significance));
    lines
}

/// Standard deviations of the power half-way between each bin and the next above its neighbourhood. The average of R
/// powers has a Γ distribution, whose cube root is nearly Gaussian with a relative scatter of 1/(3√R) (Wilson & Hilferty
/// 1931).
fn significance_between(spectrum: &Spectrum) -> Vec<f64> {
    let power = spectrum.between();
    let level = baseline(&power);
    let excess: Vec<f64> = power.iter().zip(&level).map(|(p, b)| 3.0 * ((p / b).cbrt() - 1.0)).collect();
    if excess.is_empty() {
        return excess;
    }
    let scatter = (MAD_TO_SIGMA * robust::mad(&excess)).max(1.0 / (spectrum.series as f64).sqrt());
    excess.iter().map(|e| e / scatter).collect()
}

/// White and 1/f noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoiseFloor {
    /// Level of the white noise, ADU²/Hz.
    pub white: f64,
    /// Its error.
    pub white_error: f64,
    /// Exponent γ.
    pub exponent: f64,
    /// K of K/f^γ, ADU² Hz^{γ−1}.
    pub flicker: f64,
    /// Its error.
    pub flicker_error: f64,
    /// Frequency at which both are equal; 0 without 1/f noise.
    pub corner: f64,
    /// Its error.
    pub corner_error: f64,
    /// Mean square of the pulls of the bins.
    pub chi2_ndf: f64,
    /// Time between samples, s; 1 if unknown.
    step: f64,
}

impl NoiseFloor {
    /// P at a frequency.
    pub fn at(&self, f: f64) -> f64 {
        self.white + self.flicker * slope_at(f, self.exponent, self.step)
    }

    /// Standard deviation of one sample of the white noise alone, ADU: P = 2 σ² Δt.
    pub fn white_sigma(&self, step: f64) -> (f64, f64) {
        let sigma = (self.white / (2.0 * step)).sqrt();
        (sigma, 0.5 * sigma * self.white_error / self.white)
    }
}

/// The 1/f^γ of samples a time `step` apart.
fn slope_at(f: f64, exponent: f64, step: f64) -> f64 {
    if exponent == RANDOM_WALK {
        let turn = std::f64::consts::PI * step;
        (turn / (turn * f).sin()).powi(2)
    } else {
        f.powf(-exponent)
    }
}

/// Exponent of a random walk.
const RANDOM_WALK: f64 = 2.0;
/// Smallest exponent of the 1/f part that is tried.
const SMALLEST_EXPONENT: f64 = 0.5;
/// Steps of the exponents that are tried.
const EXPONENT_STEP: f64 = 0.05;
/// Excess of χ² of γ = 1 or 2, in its standard deviations, and improvement of χ² by another γ that make the other one better.
const CONTRADICTED: f64 = 3.0;
const BETTER: f64 = 9.0;
/// χ²/ndf above which a fit with γ = 1 or 2 is none.
const UNFIT: f64 = 3.0;

/// Fits P(f) = W + K/f^γ to the bins that hold no line. `None` with fewer than four of them.
pub fn noise_floor(spectrum: &Spectrum, lines: &[SpectralLine]) -> Option<NoiseFloor> {
    let free: Vec<usize> = (0..spectrum.psd.len()).filter(|i| lines.iter().all(|l| l.bin.abs_diff(*i) > 3)).collect();
    if free.len() < 4 {
        return None;
    }
    let spectrum = &without_lines(spectrum, lines);
    // 1/f, or a random walk where that fits better: a 1/f part reaches far up and would draw from the white noise
    let walk = floor_with(spectrum, &free, RANDOM_WALK);
    let simple = floor_with(spectrum, &free, 1.0)?;
    let ndf = (free.len() - 2) as f64;
    let simple = walk.map_or(simple, |walk| likelier(spectrum, &free, simple, walk));
    if simple.chi2_ndf < 1.0 + CONTRADICTED * (2.0 / ndf).sqrt() {
        return Some(simple);
    }
    // where the 1/f part reaches over half of the spectrum, the white level cannot be told from it
    let highest = spectrum.frequency.last().copied().unwrap_or(0.0);
    let exponents = (0..=50).map(|i| (SMALLEST_EXPONENT / EXPONENT_STEP + f64::from(i)).round() * EXPONENT_STEP);
    let found = exponents.filter_map(|g| floor_with(spectrum, &free, g)).filter(|f| f.corner < 0.5 * highest);
    // an exponent at the end of the range, too, says that the spectrum falls all over
    let best = found.min_by(|a, b| a.chi2_ndf.total_cmp(&b.chi2_ndf)).filter(|best| best.exponent > SMALLEST_EXPONENT);
    let worse =
        |one: &NoiseFloor, best: &NoiseFloor| (one.chi2_ndf - best.chi2_ndf) * ndf > BETTER * best.chi2_ndf.max(1.0);
    // a random walk has a cause; exponents near it only fit the chance in the lowest bins
    let best = match best {
        Some(best) if worse(&simple, &best) => walk.filter(|walk| !worse(walk, &best)).unwrap_or(best),
        _ if simple.chi2_ndf < UNFIT => simple,
        Some(best) => best,
        None => return plateau(spectrum, &free),
    };
    // a model that does not fit within the errors is known no better than its residuals
    let scale = best.chi2_ndf.max(1.0).sqrt();
    Some(NoiseFloor {
        white_error: best.white_error * scale,
        flicker_error: best.flicker_error * scale,
        corner_error: best.corner_error * scale,
        ..best
    })
}

/// The fit of less χ², with the white noise as the level beside both: slow noise may be either, or both. To choose between
/// them by χ² would draw the level down where the choice is close.
fn likelier(spectrum: &Spectrum, free: &[usize], one: NoiseFloor, other: NoiseFloor) -> NoiseFloor {
    let best = if other.chi2_ndf < one.chi2_ndf { other } else { one };
    let slopes = [1.0, RANDOM_WALK].map(|exponent| slopes(spectrum, exponent));
    match fit_levels(spectrum, free, &slopes).filter(|fit| fit.levels[0] > 0.0) {
        Some(both) => NoiseFloor { white: both.levels[0], white_error: both.covariance[0][0].sqrt(), ..best },
        None => best,
    }
}

/// The spectrum without what all series have in common, and without what the lines leak into the bins around them.
fn without_lines(spectrum: &Spectrum, lines: &[SpectralLine]) -> Spectrum {
    let mut rest = spectrum.clone();
    // of a line that has the same phase in all series, part of the power is common
    let single = |line: &SpectralLine| (spectrum.deviations[line.bin] / spectrum.psd[line.bin]).clamp(0.0, 1.0);
    let singles: Vec<f64> = lines.iter().map(single).collect();
    for (i, psd) in rest.psd.iter_mut().enumerate() {
        let of = |(l, share): (&SpectralLine, &f64)| share * power_of_sine(spectrum, l.frequency, l.amplitude, i);
        let leaked: f64 = lines.iter().zip(&singles).map(of).sum();
        let power = spectrum.deviations[i];
        *psd = (power - leaked).max(0.1 * power);
    }
    rest
}

/// The level of the upper quarter of the frequencies, with the scatter of its bins as error.
fn plateau(spectrum: &Spectrum, free: &[usize]) -> Option<NoiseFloor> {
    let from = spectrum.psd.len() * 3 / 4;
    // the last bin of an even number of samples is half as high
    let upper = free.iter().filter(|i| **i >= from && 2 * (**i + 1) != spectrum.length);
    let values: Vec<f64> = upper.map(|i| spectrum.psd[*i]).collect();
    if values.len() < 3 {
        return None;
    }
    let (white, scatter) = robust::mean_and_std(&values, robust::Ddof::Sample);
    Some(NoiseFloor {
        white,
        white_error: scatter / (values.len() as f64).sqrt(),
        exponent: 1.0,
        flicker: 0.0,
        flicker_error: 0.0,
        corner: 0.0,
        corner_error: 0.0,
        chi2_ndf: f64::NAN,
        step: spectrum.step,
    })
    .filter(|f| f.white > 0.0)
}

/// The 1/f^γ of all bins.
fn slopes(spectrum: &Spectrum, exponent: f64) -> Vec<f64> {
    spectrum.frequency.iter().map(|f| slope_at(*f, exponent, spectrum.step)).collect()
}

/// The fit with a given exponent: linear in W and K.
fn floor_with(spectrum: &Spectrum, free: &[usize], exponent: f64) -> Option<NoiseFloor> {
    let Levels { levels: [white, flicker, _], covariance, chi2 } =
        fit_levels(spectrum, free, &[slopes(spectrum, exponent)])?;
    let (vw, vf, cov) = (covariance[0][0], covariance[1][1], covariance[0][1]);
    let ratio = (flicker / white).max(0.0);
    let ratio_variance = (vf + ratio * ratio * vw - 2.0 * ratio * cov).max(0.0) / (white * white);
    let corner = ratio.powf(1.0 / exponent);
    let corner_error =
        if ratio > 0.0 { corner * ratio_variance.sqrt() / (exponent * ratio) } else { ratio_variance.sqrt() };
    Some(NoiseFloor {
        white,
        white_error: vw.sqrt(),
        exponent,
        flicker,
        flicker_error: vf.sqrt(),
        corner,
        corner_error,
        chi2_ndf: chi2 / (free.len() - 2) as f64,
        step: spectrum.step,
    })
    .filter(|r| r.white > 0.0)
}

/// Parts of a noise floor at most: white noise, 1/f noise, random walk.
const PARTS: usize = 3;

/// A noise floor of white noise and slopes, of which there are up to two.
struct Levels {
    /// Level of the white noise, and factors of the slopes.
    levels: [f64; PARTS],
    covariance: Matrix<PARTS>,
    chi2: f64,
}

/// Least squares of P(f) = W + Σ Kᵢ slopeᵢ(f), weighted with the statistical errors of the bins.
fn fit_levels(spectrum: &Spectrum, free: &[usize], slopes: &[Vec<f64>]) -> Option<Levels> {
    // at Nyquist the one-sided density is half as large
    let half = |i: usize| if 2 * (i + 1) == spectrum.length { 0.5 } else { 1.0 };
    let n = slopes.len() + 1;
    let part = |k: usize, i: usize| if k == 0 { 1.0 } else { slopes[k - 1][i] };
    // factors of slopes of very different size make no good matrix
    let units: Vec<f64> = (0..n).map(|k| free.iter().map(|i| part(k, *i)).fold(0.0, f64::max)).collect();
    let lowest = spectrum.psd.iter().copied().fold(f64::INFINITY, f64::min).max(f64::MIN_POSITIVE);
    let mut model: Vec<f64> = running_median(&spectrum.psd, WINDOW / 2);
    let mut result = None;
    // the errors are those of the model, which the data only approach
    for _ in 0..6 {
        let (mut information, mut rhs) = ([[0.0; PARTS]; PARTS], [0.0; PARTS]);
        for &i in free {
            let weight = (half(i) / (model[i] * spectrum.relative_error(i))).powi(2);
            for row in 0..n {
                let x = part(row, i) / units[row];
                rhs[row] += weight * x * spectrum.psd[i] / half(i);
                (0..n).for_each(|col| information[row][col] += weight * x * part(col, i) / units[col]);
            }
        }
        let mut covariance = small_matrix::inverse(&information, n)?;
        let mut levels = [0.0; PARTS];
        for row in 0..n {
            levels[row] = (0..n).map(|col| covariance[row][col] * rhs[col]).sum::<f64>() / units[row];
        }
        for row in 0..n {
            (0..n).for_each(|col| covariance[row][col] /= units[row] * units[col]);
        }
        for (i, model) in model.iter_mut().enumerate() {
            let sum: f64 = (0..n).map(|k| levels[k] * part(k, i)).sum();
            *model = (half(i) * sum).max(0.1 * lowest);
        }
        let pull = |i: &usize| (spectrum.psd[*i] / model[*i] - 1.0) / spectrum.relative_error(*i);
        result = Some(Levels { levels, covariance, chi2: free.iter().map(|i| pull(i).powi(2)).sum() });
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::commissioning::fft_noise_plot::spectrum::Transform;
    use crate::stats::random::Stream;
    use crate::stats::test_data::SplitMix64;
    use std::f64::consts::PI;

    /// The average over records of samples of 40 µs, which `fill(record, samples)` makes.
    fn averaged(length: usize, records: usize, mut fill: impl FnMut(usize, &mut [f64])) -> Spectrum {
        let transform = Transform::new(length);
        let (mut workspace, mut sums) = (transform.workspace(), transform.sums());
        for record in 0..records {
            fill(record, &mut workspace.input);
            transform.add(&mut workspace, &mut sums);
        }
        Spectrum::new(&sums, length, Some(4e-5)).unwrap()
    }

    /// White noise of 5 ADU and a sine of random phase, 256 samples of 40 µs.
    fn spectrum(cycles: f64, amplitude: f64, series: usize) -> Spectrum {
        let mut random = SplitMix64(9);
        averaged(256, series, |_, samples| {
            let phase = 2.0 * PI * random.uniform();
            for (j, x) in samples.iter_mut().enumerate() {
                *x = 5.0 * random.gaussian() + amplitude * (2.0 * PI * cycles * j as f64 / 256.0 + phase).cos();
            }
        })
    }

    #[test]
    fn a_line_between_the_bins_is_measured_within_its_errors() {
        for cycles in [30.0, 30.3, 61.45, 100.8, 7.7] {
            let found = find_lines(&spectrum(cycles, 1.0, 2000));
            assert_eq!(found.len(), 1, "{cycles}: {found:?}");
            let line = found[0];
            let df = 1.0 / (256.0 * 4e-5);
            assert!((line.amplitude - 1.0).abs() < 4.0 * line.amplitude_error, "{cycles}: {line:?}");
            assert!(line.amplitude_error < 0.05);
            assert!((line.frequency - cycles * df).abs() < 4.0 * line.frequency_error, "{line:?}");
            assert!(line.frequency_error < 0.05 * df && line.significance > 5.0);
        }
    }

    /// Records of 64 samples that follow each other without a gap, as the skips of the pixels of an image do: at a whole
    /// number or half of one of cycles the phase repeats.
    fn continuous(cycles: &[(f64, f64)], noise: f64, records: usize, stream: &mut Stream) -> Spectrum {
        const LENGTH: usize = 64;
        let start: Vec<f64> = cycles.iter().map(|_| 2.0 * PI * stream.uniform()).collect();
        averaged(LENGTH, records, |record, samples| {
            for (j, x) in samples.iter_mut().enumerate() {
                let time = record as f64 + j as f64 / LENGTH as f64;
                let sines = cycles.iter().zip(&start).map(|((f, a), phase)| a * (2.0 * PI * f * time + phase).sin());
                *x = noise * stream.normal() + sines.sum::<f64>();
            }
        })
    }

    /// Closure: pulls of frequency and amplitude over 300 lines at each place between the bins, weak lines and strong ones.
    #[test]
    fn errors_of_lines_are_those_of_repeated_measurements() {
        const LINES: usize = 300;
        let mut stream = Stream::from_seed(17);
        for (amplitude, records, bin) in [(20.0, 150, 8.0), (200.0, 60, 20.0)] {
            for fraction in [0.0, 0.1, 0.25, 0.37, 0.5, 0.8] {
                let cycles = bin + fraction;
                let (mut frequencies, mut amplitudes) = (Vec::new(), Vec::new());
                for _ in 0..LINES {
                    let spectrum = continuous(&[(cycles, amplitude)], 30.0, records, &mut stream);
                    let line = find_lines(&spectrum)[0];
                    let truth = cycles * spectrum.resolution();
                    frequencies.push((line.frequency - truth) / line.frequency_error);
                    amplitudes.push((line.amplitude - amplitude) / line.amplitude_error);
                }
                for (what, pulls) in [("frequency", &frequencies), ("amplitude", &amplitudes)] {
                    let (mean, width) = robust::mean_and_std(pulls, robust::Ddof::Sample);
                    println!("{amplitude} ADU, {cycles} cycles, {what}: mean {mean:.3}, width {width:.3}");
                    // four standard errors of 300 pulls; 0.05 for what is of second order in the errors
                    let error = 1.0 / (LINES as f64).sqrt();
                    assert!(mean.abs() < 4.0 * error + 0.05, "{cycles} {what}: mean {mean}");
                    assert!((width - 1.0).abs() < 4.0 * error / 2f64.sqrt() + 0.05, "{cycles} {what}: width {width}");
                }
            }
        }
    }

    /// A line half-way between two bins that neither of them shows: 3.6 standard deviations each, 6.5 ± 1.2 between them.
    #[test]
    fn a_weak_line_between_two_bins_is_found() {
        let mut stream = Stream::from_seed(23);
        let (mut found, mut pulls) = (0, Vec::new());
        for _ in 0..100 {
            let spectrum = continuous(&[(20.5, 5.0)], 30.0, 400, &mut stream);
            let lines = find_lines(&spectrum);
            if let Some(line) = lines.iter().find(|l| l.bin == 19 || l.bin == 20) {
                found += 1;
                pulls.push(
                    (line.frequency / spectrum.resolution() - 20.5) * spectrum.resolution() / line.frequency_error,
                );
                assert!(line.significance > THRESHOLD, "{line:?}");
            }
        }
        // 88 % exceed five; four binomial errors, and what the scatter about the median is uncertain by
        assert!(found > 70, "{found}");
        let (mean, width) = robust::mean_and_std(&pulls, robust::Ddof::Sample);
        assert!(mean.abs() < 0.4 && (0.6..1.4).contains(&width), "{mean} {width}");
    }

    /// Chance makes a line at five standard deviations in one of 3.5 million places; 1000 spectra of noise have 62 000.
    #[test]
    fn noise_makes_no_lines() {
        let mut stream = Stream::from_seed(24);
        for records in [40, 1000] {
            let lines = (0..500).map(|_| find_lines(&continuous(&[], 30.0, records, &mut stream)).len());
            // with few records the powers are not quite Gaussian
            assert!(lines.sum::<usize>() <= 2, "{records} records");
        }
    }

    /// More lines than anyone reads: none of them is left in the white noise.
    #[test]
    fn many_lines_leave_the_white_noise_as_it_is() {
        const LENGTH: usize = 1024;
        let mut stream = Stream::from_seed(26);
        // no common period, or they would add up coherently in all records
        let truth: Vec<f64> = (0..30).map(|i| 9.3 + 16.137 * f64::from(i)).collect();
        let spectrum = averaged(LENGTH, 500, |record, samples| {
            for (j, x) in samples.iter_mut().enumerate() {
                let time = record as f64 + j as f64 / LENGTH as f64;
                *x = 30.0 * stream.normal() + truth.iter().map(|f| 8.0 * (2.0 * PI * f * time).sin()).sum::<f64>();
            }
        });
        let lines = find_lines(&spectrum);
        assert_eq!(lines.len(), truth.len());
        let (sigma, error) = noise_floor(&spectrum, &lines).unwrap().white_sigma(4e-5);
        assert!((sigma - 30.0).abs() < 4.0 * error && error < 0.1, "{sigma} ± {error}");
    }

    #[test]
    fn lines_beside_each_other_are_told_apart() {
        let mut stream = Stream::from_seed(18);
        let truth = [(10.3, 200.0), (13.8, 60.0), (25.5, 40.0)];
        let spectrum = continuous(&truth, 30.0, 400, &mut stream);
        let mut found = find_lines(&spectrum);
        found.sort_by(|a, b| a.frequency.total_cmp(&b.frequency));
        assert_eq!(found.len(), 3, "{found:?}");
        for (line, (cycles, amplitude)) in found.iter().zip(truth) {
            let error = (line.frequency - cycles * spectrum.resolution()) / line.frequency_error;
            assert!(error.abs() < 4.0, "{line:?}");
            assert!((line.amplitude - amplitude).abs() < 4.0 * line.amplitude_error, "{line:?}");
        }
    }

    #[test]
    fn noise_alone_has_no_line() {
        assert_eq!(find_lines(&spectrum(10.0, 0.0, 3000)), []);
        let floor = noise_floor(&spectrum(10.0, 0.0, 3000), &[]).unwrap();
        let (sigma, error) = floor.white_sigma(4e-5);
        assert!((sigma - 5.0).abs() < 4.0 * error && error < 0.02, "{sigma} ± {error}");
        assert!(floor.flicker.abs() < 4.0 * floor.flicker_error);
        assert!((floor.chi2_ndf - 1.0).abs() < 0.5);
    }

    /// First skips that have not settled are no noise.
    #[test]
    fn unsettled_samples_leave_the_white_noise_as_it_is() {
        let mut stream = Stream::from_seed(25);
        let spectrum = averaged(64, 2000, |_, samples| {
            for (j, x) in samples.iter_mut().enumerate() {
                *x = 5.0 * stream.normal() - 300.0 * (-(j as f64) / 1.5).exp();
            }
        });
        assert!(spectrum.common_share > 0.9);
        let floor = noise_floor(&spectrum, &find_lines(&spectrum)).unwrap();
        let (sigma, error) = floor.white_sigma(4e-5);
        assert!((sigma - 5.0).abs() < 4.0 * error && error < 0.05, "{sigma} ± {error}");
        assert!(floor.flicker.abs() < 4.0 * floor.flicker_error, "{floor:?}");
    }

    /// Electrons lost from skip to skip: the level of the white noise stays that of the samples.
    #[test]
    fn steps_between_the_samples_leave_the_white_noise_as_it_is() {
        let mut stream = Stream::from_seed(19);
        let spectrum = averaged(64, 20_000, |_, samples| {
            let mut level = 0.0;
            for x in samples {
                *x = level + 5.0 * stream.normal();
                // 30 electrons of 2.5 ADU, of which each is lost with a probability of 1e-3
                level -= if stream.uniform() < 0.03 { 2.5 } else { 0.0 };
            }
        });
        let floor = noise_floor(&spectrum, &[]).unwrap();
        let (sigma, error) = floor.white_sigma(4e-5);
        assert!((sigma - 5.0).abs() < 4.0 * error && error < 0.01, "{sigma} ± {error}");
        assert_eq!(floor.exponent, 2.0);
        assert!((floor.chi2_ndf - 1.0).abs() < 1.0, "{floor:?}");
        assert!((floor.at(5000.0) / (floor.white + floor.flicker / 2.5e7) - 1.0).abs() < 0.1);
    }

    #[test]
    fn a_falling_spectrum_has_no_line_and_its_corner_is_found() {
        // exactly P = W (1 + f_c/f), f_c = 1000 Hz
        let mut exact = spectrum(10.0, 0.0, 2000);
        for i in 0..exact.psd.len() {
            exact.psd[i] = 1e-3 * (1.0 + 1000.0 / exact.frequency[i]) * if i == 127 { 0.5 } else { 1.0 };
            exact.magnitude[i] = (exact.psd[i] * 1e6).sqrt();
        }
        exact.deviations.clone_from(&exact.psd);
        assert_eq!(find_lines(&exact), []);
        let floor = noise_floor(&exact, &[]).unwrap();
        assert!((floor.corner / 1000.0 - 1.0).abs() < 1e-6 && floor.exponent == 1.0, "{floor:?}");
        // 1/f all over: the level of the upper quarter is told, and no corner
        let mut steep = exact.clone();
        for i in 0..steep.psd.len() {
            steep.psd[i] = 1e-3 * steep.frequency[i].powf(-0.3) * if i == 127 { 0.5 } else { 1.0 };
        }
        steep.deviations.clone_from(&steep.psd);
        let floor = noise_floor(&steep, &[]).unwrap();
        assert!(floor.corner == 0.0 && floor.white > steep.psd[126] && floor.white < steep.psd[95], "{floor:?}");
        // another slope
        for i in 0..exact.psd.len() {
            exact.psd[i] = 1e-3 * (1.0 + (1000.0 / exact.frequency[i]).powf(1.7)) * if i == 127 { 0.5 } else { 1.0 };
        }
        exact.deviations.clone_from(&exact.psd);
        let floor = noise_floor(&exact, &[]).unwrap();
        assert!((floor.exponent - 1.7).abs() < 1e-9 && (floor.corner / 1000.0 - 1.0).abs() < 1e-6, "{floor:?}");
    }
}
