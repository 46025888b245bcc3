//! What a noise spectrum is made of: pick-up lines, 1/f noise, white noise.
//!
//! * **Lines** stand above the running median of their neighbourhood (51 bins, symmetric, so that a falling spectrum
//!   makes none). Their frequency lies between the bins: a sine at bin k + δ shows amplitudes in the ratio δ : (1 − δ) in
//!   the bins k + 1 and k, and A N/2 · sinc δ in bin k; its amplitude follows from the power in both.
//! * **White and 1/f noise**: P(f) = W + K/f^γ, least squares weighted with the statistical errors of the bins, lines left
//!   out; γ = 1 unless the data contradict it. Both parts are equal at the corner frequency (K/W)^{1/γ}.

use super::spectrum::Spectrum;
use crate::stats::robust::{self, MAD_TO_SIGMA};

/// Bins of the running median.
const WINDOW: usize = 51;
/// Standard deviations above the neighbourhood that make a line.
const THRESHOLD: f64 = 5.0;
/// Relative scatter of |X| of noise, √(4/π − 1).
const RAYLEIGH_SCATTER: f64 = 0.522_723;
/// Standard deviations up to which the power in the bin beside a line is taken for noise.
const CHANCE: f64 = 3.0;
/// Distance from half a bin up to which a line has the same phase, or the opposite one, in records that follow each other.
const LOCKED: f64 = 0.01;
/// How often the level under the lines is corrected for what they leak.
const REFINEMENTS: usize = 3;
/// Lines that are reported at most.
const MAX_LINES: usize = 20;

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

fn running_median(values: &[f64], half: usize) -> Vec<f64> {
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
    let peaks: Vec<usize> = (0..n)
        .filter(|&i| significance[i] > THRESHOLD && (i == 0 || m[i] > m[i - 1]) && (i + 1 == n || m[i] >= m[i + 1]))
        .collect();
    let mut lines = measure(spectrum, &peaks, &significance, &running_median(&spectrum.psd, WINDOW / 2));
    // A line between two bins leaks into all of them, which lifts the level that it is measured against.
    for _ in 0..REFINEMENTS {
        let without = |(i, p): (usize, &f64)| (p - leakage(spectrum, &lines, i)).max(0.0);
        let level: Vec<f64> = spectrum.psd.iter().enumerate().map(without).collect();
        lines = measure(spectrum, &peaks, &significance, &running_median(&level, WINDOW / 2));
    }
    lines.sort_by(|a, b| b.significance.total_cmp(&a.significance));
    lines.truncate(MAX_LINES);
    lines
}

/// Power density that lines add in bin `i`, beyond the two bins that a line is measured in: A²/2 of the sine, with the
/// Dirichlet kernel of the record.
fn leakage(spectrum: &Spectrum, lines: &[SpectralLine], i: usize) -> f64 {
    let (n, df) = (spectrum.length as f64, spectrum.resolution());
    let of = |line: &SpectralLine| {
        let d = std::f64::consts::PI * (spectrum.frequency[i] - line.frequency) / df;
        let kernel = d.sin() / (n * (d / n).sin());
        if kernel.is_finite() { 0.5 * line.amplitude.powi(2) * kernel * kernel / df } else { 0.0 }
    };
    lines.iter().filter(|line| line.bin.abs_diff(i) > 1).map(of).sum()
}

/// Frequencies and amplitudes of the lines with these peaks, above a level of power.
fn measure(spectrum: &Spectrum, peaks: &[usize], significance: &[f64], power_level: &[f64]) -> Vec<SpectralLine> {
    let n = spectrum.psd.len();
    let excess = |i: usize| spectrum.psd[i] - power_level[i];
    peaks
        .iter()
        .map(|&i| {
            let (df, error) = (spectrum.resolution(), spectrum.relative_error(i));
            let e = excess(i);
            // noise and the beat of line and noise
            let error_of = |i: usize| (power_level[i] * (power_level[i] + 2.0 * excess(i).max(0.0))).sqrt() * error;
            let power_error = error_of(i);
            let is_nyquist = |i: usize| 2 * (i + 1) == spectrum.length;
            let neighbour = [i.checked_sub(1), (i + 1 < n).then_some(i + 1)]
                .into_iter()
                .flatten()
                .max_by(|a, b| excess(*a).total_cmp(&excess(*b)));
            let (shift, shift_error, beside) = neighbour.map_or((0.0, 0.5, None), |j| {
                let share = (excess(j).max(0.0) / e).min(1.0);
                let chance = power_level[j] * error / e;
                // what the neighbour shows by chance is no shift: the line lies in the middle, give or take
                if share < CHANCE * chance {
                    return (0.0, chance.sqrt().min(0.5), None);
                }
                let root = share.sqrt();
                let shift = root / (1.0 + root);
                // the noise in both bins, which beats with the line in both; so does the line at −f, which leaks there
                // with another phase in every record, unless the record holds half a cycle more than a whole number
                let same_phase = if (shift - 0.5).abs() < LOCKED { 1.0 } else { error };
                let image = |k: usize, d: f64| d / (2.0 * (k as f64 + 1.0)) * std::f64::consts::SQRT_2 * same_phase;
                let mirrored = image(i, shift).hypot(image(j, 1.0 - shift));
                let share_error = (error_of(j).hypot(share * power_error) / e).hypot(share * mirrored);
                let side = if j > i { 1.0 } else { -1.0 };
                let shift_error = share_error / (2.0 * root * (1.0 + root) * (1.0 + root));
                (side * shift, shift_error.min(0.5), (!is_nyquist(i) && !is_nyquist(j)).then_some(j))
            });
            // The variance of a sine is A²/2; sampled at Nyquist with random phase it is also A²/2. Between two bins, what
            // both hold together hardly depends on where the line is.
            let held = |d: f64| match beside {
                Some(_) => sinc(d).powi(2) + sinc(1.0 - d.abs()).powi(2),
                None if is_nyquist(i) => 1.0,
                None => sinc(d).powi(2),
            };
            let power = e.max(0.0) + beside.map_or(0.0, |j| excess(j).max(0.0));
            let power_error = beside.map_or(power_error, |j| power_error.hypot(error_of(j)));
            let amplitude = (2.0 * power * df / held(shift)).sqrt();
            // −d ln √held/dδ
            let slope = 0.5 * (held(shift.abs() - 0.01) - held(shift.abs() + 0.01)).abs() / (0.02 * held(shift));
            SpectralLine {
                bin: i,
                frequency: spectrum.frequency[i] + shift * df,
                frequency_error: shift_error * df,
                amplitude,
                amplitude_error: amplitude
                    * (0.5 * power_error / power.max(f64::MIN_POSITIVE)).hypot(slope * shift_error),
                significance: significance[i],
            }
        })
        .collect()
}

fn sinc(x: f64) -> f64 {
    let t = std::f64::consts::PI * x;
    if t.abs() < 1e-9 { 1.0 } else { t.sin() / t }
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
}

impl NoiseFloor {
    /// P at a frequency.
    pub fn at(&self, f: f64) -> f64 {
        self.white + self.flicker / f.powf(self.exponent)
    }

    /// Standard deviation of one sample of the white noise alone, ADU: P = 2 σ² Δt.
    pub fn white_sigma(&self, step: f64) -> (f64, f64) {
        let sigma = (self.white / (2.0 * step)).sqrt();
        (sigma, 0.5 * sigma * self.white_error / self.white)
    }
}

/// Smallest exponent of the 1/f part that is tried.
const SMALLEST_EXPONENT: f64 = 0.5;
/// χ²/ndf above which γ = 1 is given up.
const CONTRADICTED: f64 = 3.0;

/// Fits P(f) = W + K/f^γ to the bins that hold no line. `None` with fewer than four of them.
pub fn noise_floor(spectrum: &Spectrum, lines: &[SpectralLine]) -> Option<NoiseFloor> {
    let free: Vec<usize> = (0..spectrum.psd.len()).filter(|i| lines.iter().all(|l| l.bin.abs_diff(*i) > 3)).collect();
    if free.len() < 4 {
        return None;
    }
    let simple = floor_with(spectrum, &free, 1.0)?;
    if simple.chi2_ndf < CONTRADICTED {
        return Some(simple);
    }
    // where the 1/f part reaches over half of the spectrum, the white level cannot be told from it
    let highest = spectrum.frequency.last().copied().unwrap_or(0.0);
    let exponents = (0..=50).map(|i| SMALLEST_EXPONENT + 0.05 * f64::from(i));
    let found = exponents.filter_map(|g| floor_with(spectrum, &free, g)).filter(|f| f.corner < 0.5 * highest);
    // an exponent at the end of the range, too, says that the spectrum falls all over
    let best = found.min_by(|a, b| a.chi2_ndf.total_cmp(&b.chi2_ndf)).filter(|best| best.exponent > SMALLEST_EXPONENT);
    let Some(best) = best else {
        return plateau(spectrum, &free);
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
    })
    .filter(|f| f.white > 0.0)
}

/// The fit with a given exponent: linear in W and K.
fn floor_with(spectrum: &Spectrum, free: &[usize], exponent: f64) -> Option<NoiseFloor> {
    // at Nyquist the one-sided density is half as large
    let half = |i: usize| if 2 * (i + 1) == spectrum.length { 0.5 } else { 1.0 };
    let x: Vec<f64> = spectrum.frequency.iter().map(|f| f.powf(-exponent)).collect();
    let lowest = spectrum.psd.iter().copied().fold(f64::INFINITY, f64::min).max(f64::MIN_POSITIVE);
    let mut model: Vec<f64> = running_median(&spectrum.psd, WINDOW / 2);
    let mut result = None;
    // the errors are those of the model, which the data only approach
    for _ in 0..6 {
        let (mut s, mut sx, mut sxx, mut sy, mut sxy) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for &i in free {
            let sigma = model[i] * spectrum.relative_error(i);
            let (w, y) = ((half(i) / sigma).powi(2), spectrum.psd[i] / half(i));
            s += w;
            sx += w * x[i];
            sxx += w * x[i] * x[i];
            sy += w * y;
            sxy += w * x[i] * y;
        }
        let d = s * sxx - sx * sx;
        if !(d > 0.0) {
            return None;
        }
        let (white, flicker) = ((sxx * sy - sx * sxy) / d, (s * sxy - sx * sy) / d);
        for (i, model) in model.iter_mut().enumerate() {
            *model = (half(i) * (white + flicker * x[i])).max(0.1 * lowest);
        }
        let pull = |i: &usize| (spectrum.psd[*i] / model[*i] - 1.0) / spectrum.relative_error(*i);
        let chi2: f64 = free.iter().map(|i| pull(i).powi(2)).sum();
        let (vw, vf, cov) = (sxx / d, s / d, -sx / d);
        let ratio = (flicker / white).max(0.0);
        let ratio_variance = (vf + ratio * ratio * vw - 2.0 * ratio * cov).max(0.0) / (white * white);
        let corner = ratio.powf(1.0 / exponent);
        result = Some(NoiseFloor {
            white,
            white_error: vw.sqrt(),
            exponent,
            flicker,
            flicker_error: vf.sqrt(),
            corner,
            corner_error: if ratio > 0.0 {
                corner * ratio_variance.sqrt() / (exponent * ratio)
            } else {
                ratio_variance.sqrt()
            },
            chi2_ndf: chi2 / (free.len() - 2) as f64,
        });
    }
    result.filter(|r| r.white > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::commissioning::fft_noise_plot::spectrum::Transform;
    use crate::stats::test_data::SplitMix64;
    use std::f64::consts::PI;

    /// White noise of 5 ADU and a sine of random phase, 256 samples of 40 µs.
    fn spectrum(cycles: f64, amplitude: f64, series: usize) -> Spectrum {
        let mut random = SplitMix64(9);
        let transform = Transform::new(256);
        let (mut workspace, mut sums) = (transform.workspace(), transform.sums());
        for _ in 0..series {
            let phase = 2.0 * PI * random.uniform();
            for (j, x) in workspace.input.iter_mut().enumerate() {
                *x = 5.0 * random.gaussian() + amplitude * (2.0 * PI * cycles * j as f64 / 256.0 + phase).cos();
            }
            transform.add(&mut workspace, &mut sums);
        }
        Spectrum::new(&sums, 256, Some(4e-5)).unwrap()
    }

    #[test]
    fn a_line_between_the_bins_is_measured_within_its_errors() {
        for cycles in [30.0, 30.3, 61.45, 100.8, 7.7] {
            let found = find_lines(&spectrum(cycles, 1.0, 2000));
            assert_eq!(found.len(), 1, "{cycles}: {found:?}");
            let line = found[0];
            let df = 1.0 / (256.0 * 4e-5);
            assert!((line.amplitude - 1.0).abs() < 4.0 * line.amplitude_error + 0.02, "{cycles}: {line:?}");
            assert!(line.amplitude_error < 0.05);
            // besides the statistics: leakage of the image of the line at negative frequency, below 3 % of a bin
            assert!(((line.frequency - cycles * df) / df).abs() < 4.0 * line.frequency_error / df + 0.03, "{line:?}");
            assert!(line.significance > 5.0);
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

    #[test]
    fn a_falling_spectrum_has_no_line_and_its_corner_is_found() {
        // exactly P = W (1 + f_c/f), f_c = 1000 Hz
        let mut exact = spectrum(10.0, 0.0, 2000);
        for i in 0..exact.psd.len() {
            exact.psd[i] = 1e-3 * (1.0 + 1000.0 / exact.frequency[i]) * if i == 127 { 0.5 } else { 1.0 };
            exact.magnitude[i] = (exact.psd[i] * 1e6).sqrt();
        }
        assert_eq!(find_lines(&exact), []);
        let floor = noise_floor(&exact, &[]).unwrap();
        assert!((floor.corner / 1000.0 - 1.0).abs() < 1e-6 && floor.exponent == 1.0, "{floor:?}");
        // 1/f all over: the level of the upper quarter is told, and no corner
        let mut steep = exact.clone();
        for i in 0..steep.psd.len() {
            steep.psd[i] = 1e-3 * steep.frequency[i].powf(-0.3) * if i == 127 { 0.5 } else { 1.0 };
        }
        let floor = noise_floor(&steep, &[]).unwrap();
        assert!(floor.corner == 0.0 && floor.white > steep.psd[126] && floor.white < steep.psd[95], "{floor:?}");
        // another slope
        for i in 0..exact.psd.len() {
            exact.psd[i] = 1e-3 * (1.0 + (1000.0 / exact.frequency[i]).powf(1.7)) * if i == 127 { 0.5 } else { 1.0 };
        }
        let floor = noise_floor(&exact, &[]).unwrap();
        assert!((floor.exponent - 1.7).abs() < 1e-9 && (floor.corner / 1000.0 - 1.0).abs() < 1e-6, "{floor:?}");
    }
}
