//! Frequency and amplitude of pick-up lines, fitted to the averaged spectrum.
//!
//! The transform of a record with a sine A sin(2πνj/N + φ), ν cycles per record, is
//!
//! ```text
//! X_f = A N/2 · (e^{iφ} a_f − e^{−iφ} b_f)/i,   a_f = e^{iπ(ν−f)(N−1)/N} d(ν−f),   b_f = e^{−iπ(ν+f)(N−1)/N} d(ν+f)
//! d(x) = sin πx / (N sin πx/N)
//! ```
//!
//! With z = ⟨e^{2iφ}⟩ over the records and S = A²/(2Δf), the averages are in units of the PSD
//!
//! ```text
//! P_f = S (|a_f|² + |b_f|² − 2 Re z a_f b*_f)
//! C_f = S Re[(a_f a*_{f+1} + b_f b*_{f+1} − z a_f b*_{f+1} − z* b_f a*_{f+1}) e^{−iπ(N−1)/N}]   from X_f X*_{f+1}
//! Q_f = −S (z a_f² + z* b_f² − 2 a_f b_f)                                                      from X_f²
//! ```
//!
//! on top of the noise, which has P only. z vanishes unless the phase repeats from record to record (lines on a bin, half
//! a bin, …); Q tells. C is linear in the distance of ν from a bin and changes its sign there, while P is quadratic: with
//! both the frequency is known everywhere between the bins. S and ν are fitted by least squares to P of the highest bin
//! and its neighbours and C between them, weighted with their covariance matrix: for noise of level L and R records, with
//! the expected P and C of the line alone,
//!
//! ```text
//! R var P_f = L² + 2 L P_f,   R var C_f = (L² + L (P_f + P_{f+1}))/2,
//! R cov(P_f, C_f) = R cov(P_{f+1}, C_f) = L C_f,   R cov(C_f, C_{f+1}) = L C_{f,f+2}/2,
//! ```
//!
//! C_{f,f+2} from X_f X*_{f+2}.

use std::f64::consts::PI;

use realfft::num_complex::Complex;

use super::lines::{THRESHOLD, WINDOW};
use super::spectrum::Spectrum;
use crate::stats::robust;
use crate::stats::small_matrix::{self, Matrix};

/// Rounds in which each line is fitted with what the others leak subtracted.
const ROUNDS: usize = 8;
/// Bins within which a new line has a part in those found before.
const NEAR: usize = 20;
/// Steps of a fit.
const STEPS: usize = 5;
/// How far a line may lie from its highest bin, in bins.
const REACH: f64 = 0.6;
/// Largest strength of a line, in excesses of its highest bin.
const LARGEST_STRENGTH: f64 = 5.0;
/// Half the number of places at which the search for a line starts.
const GRID: i32 = 5;
/// Largest change of the position in a step, in bins.
const LARGEST_STEP: f64 = 0.2;
/// Bins on either side of a line's highest that do not count for the level of the noise.
const OCCUPIED: usize = 1;
/// Smallest half width of the neighbourhood in which the level of the noise is taken.
const SMALLEST_HALF: usize = 8;
/// Smallest level of the noise, in lowest powers of the spectrum.
const SMALLEST_LEVEL: f64 = 0.3;
/// Error of a median of Gaussian values, in errors of their mean: √(π/2).
const MEDIAN_ERROR: f64 = 1.253_314;

/// A fitted line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct FittedLine {
    /// Highest bin (0: the first frequency).
    pub bin: usize,
    /// Cycles per record.
    pub position: f64,
    /// Its error.
    pub position_error: f64,
    /// S = A²/(2Δf), ADU²/Hz.
    pub strength: f64,
    /// Its error.
    pub strength_error: f64,
    /// z = ⟨exp 2iφ⟩ over the records.
    doubled: Complex<f64>,
}

impl FittedLine {
    /// Amplitude of the sine, ADU.
    pub fn amplitude(&self, spectrum: &Spectrum) -> f64 {
        (2.0 * self.strength * spectrum.resolution()).sqrt()
    }

    /// z from Q of the highest bin.
    fn phase_from(&self, square: Complex<f64>, length: usize) -> Complex<f64> {
        let (a, b) = self.response(length).parts(self.bin);
        // z p + z* q = y
        let y = 2.0 * a * b - square / self.strength;
        let (p, q) = (a * a, b * b);
        let z = (p.conj() * y - q * y.conj()) / (p.norm_sqr() - q.norm_sqr());
        match z.norm() {
            norm if !norm.is_finite() => Complex::default(),
            norm if norm > 1.0 => z / norm,
            _ => z,
        }
    }

    fn response(&self, length: usize) -> Response {
        Response { length: length as f64, position: self.position, doubled: self.doubled }
    }
}

/// What a line of strength 1 shows.
struct Response {
    length: f64,
    position: f64,
    doubled: Complex<f64>,
}

impl Response {
    /// d(x).
    fn kernel(&self, x: f64) -> f64 {
        let below = (PI * x / self.length).sin();
        // at multiples of N the limit
        if below.abs() < 1e-12 {
            (PI * x).cos() / (PI * x / self.length).cos()
        } else {
            (PI * x).sin() / (self.length * below)
        }
    }

    /// a and b at a bin (0: the first frequency).
    fn parts(&self, bin: usize) -> (Complex<f64>, Complex<f64>) {
        let f = bin as f64 + 1.0;
        let part = |x: f64| Complex::from_polar(1.0, PI * x * (self.length - 1.0) / self.length) * self.kernel(x);
        (part(self.position - f), part(-self.position - f))
    }

    /// P of a bin.
    fn power(&self, bin: usize) -> f64 {
        self.product(bin, bin)
    }

    /// C of a bin and the next.
    fn shared(&self, bin: usize) -> f64 {
        self.product(bin, bin + 1)
    }

    /// Re ⟨X_f X*_g exp(−iπ (g − f) (N−1)/N)⟩.
    fn product(&self, bin: usize, other: usize) -> f64 {
        let ((a, b), (a1, b1)) = (self.parts(bin), self.parts(other));
        let z = self.doubled;
        let product = a * a1.conj() + b * b1.conj() - z * a * b1.conj() - z.conj() * b * a1.conj();
        let turn = PI * (self.length - 1.0) / self.length * (bin as f64 - other as f64);
        (product * Complex::from_polar(1.0, turn)).re
    }

    /// Q of a bin.
    fn square(&self, bin: usize) -> Complex<f64> {
        let (a, b) = self.parts(bin);
        2.0 * a * b - self.doubled * a * a - self.doubled.conj() * b * b
    }
}

/// What is left of P, C and Q when lines are taken away.
struct Rest {
    power: Vec<f64>,
    shared: Vec<f64>,
    square: Vec<Complex<f64>>,
}

impl Rest {
    /// Everything.
    fn of(spectrum: &Spectrum) -> Self {
        Self { power: spectrum.psd.clone(), shared: spectrum.shared.clone(), square: spectrum.square.clone() }
    }

    /// Takes a line away (`sign` −1), or puts it back (1).
    fn add(&mut self, spectrum: &Spectrum, line: &FittedLine, sign: f64) {
        let response = line.response(spectrum.length);
        let strength = sign * line.strength;
        for (bin, power) in self.power.iter_mut().enumerate() {
            let half = if is_nyquist(spectrum, bin) { 0.5 } else { 1.0 };
            *power += half * strength * response.power(bin);
        }
        self.shared.iter_mut().enumerate().for_each(|(bin, shared)| *shared += strength * response.shared(bin));
        self.square.iter_mut().enumerate().for_each(|(bin, square)| *square += response.square(bin) * strength);
    }
}

/// Measures the lines with these highest bins, strongest first. A bin that shows no more than other lines leak there is
/// no line.
pub(super) fn measure_lines(spectrum: &Spectrum, peaks: &[usize]) -> Vec<FittedLine> {
    if spectrum.shared.is_empty() {
        return Vec::new();
    }
    let mut candidates = peaks.to_vec();
    candidates.sort_by(|a, b| spectrum.psd[*b].total_cmp(&spectrum.psd[*a]));
    let (mut lines, mut occupied): (Vec<FittedLine>, Vec<usize>) = (Vec::new(), Vec::new());
    let mut rest = Rest::of(spectrum);
    for bin in candidates {
        occupied.push(bin);
        let fit = Fit { spectrum, peaks: &occupied, rest: &rest, others: &lines };
        if !fit.stands_out(bin) {
            occupied.pop();
            continue;
        }
        let line = fit.refine(fit.start(bin));
        rest.add(spectrum, &line, -1.0);
        lines.push(line);
        // neighbours found before have taken a part of it
        refine_all(spectrum, &occupied, &mut rest, &mut lines, |other| other.bin.abs_diff(bin) < NEAR);
    }
    for _ in 0..ROUNDS {
        refine_all(spectrum, &occupied, &mut rest, &mut lines, |_| true);
    }
    lines
}

/// Fits those lines again that are `wanted`, each with what the others leak taken away.
fn refine_all(
    spectrum: &Spectrum,
    occupied: &[usize],
    rest: &mut Rest,
    lines: &mut [FittedLine],
    wanted: impl Fn(&FittedLine) -> bool,
) {
    for line in lines.iter_mut().filter(|line| wanted(line)) {
        rest.add(spectrum, line, 1.0);
        *line = Fit { spectrum, peaks: occupied, rest, others: &[] }.refine(*line);
        rest.add(spectrum, line, -1.0);
    }
}

/// Power density of a sine of this frequency and amplitude at a bin, averaged over its phase.
pub(super) fn power_of_sine(spectrum: &Spectrum, frequency: f64, amplitude: f64, bin: usize) -> f64 {
    let position = frequency / spectrum.resolution();
    let response = Response { length: spectrum.length as f64, position, doubled: Complex::default() };
    let half = if is_nyquist(spectrum, bin) { 0.5 } else { 1.0 };
    half * 0.5 * amplitude * amplitude / spectrum.resolution() * response.power(bin)
}

fn is_nyquist(spectrum: &Spectrum, bin: usize) -> bool {
    2 * (bin + 1) == spectrum.length
}

/// Median of a quantity in the neighbourhood of a bin, without the bins that lines occupy, and the number of bins.
fn median_around(bin: usize, bins: usize, peaks: &[usize], value: impl Fn(usize) -> f64) -> (f64, usize) {
    let half = (WINDOW / 2).min(bin).min(bins - 1 - bin).max(SMALLEST_HALF);
    let around = bin.saturating_sub(half)..(bin + half + 1).min(bins);
    let free = around.clone().filter(|k| peaks.iter().all(|peak| peak.abs_diff(*k) > OCCUPIED));
    let mut values: Vec<f64> = free.map(&value).collect();
    if values.len() < 3 {
        values = around.map(value).collect();
    }
    (robust::median(&values), values.len())
}

/// χ² of three degrees of freedom that chance exceeds in one of a thousand lines.
const CONTRADICTED: f64 = 16.3;
/// Unknowns: strength and position.
const UNKNOWNS: usize = 2;
/// Data: three powers and what they share.
const DATA: usize = 5;

/// The highest bin and its neighbours, without noise and other lines.
struct LineData {
    length: usize,
    records: f64,
    /// The bins.
    powers: Vec<usize>,
    /// Their powers, and behind them what neighbours share.
    values: [f64; DATA],
    /// Q of the highest bin.
    square: Complex<f64>,
    /// Level of the noise.
    level: f64,
    level_error: f64,
}

impl LineData {
    fn count(&self) -> usize {
        2 * self.powers.len() - 1
    }

    /// What a line shows at its place; z follows from ⟨X²⟩ there.
    fn expected(&self, line: &FittedLine) -> [f64; DATA] {
        let line = FittedLine { doubled: line.phase_from(self.square, self.length), ..*line };
        let (response, m) = (line.response(self.length), self.powers.len());
        let mut expected = [0.0; DATA];
        self.powers.iter().enumerate().for_each(|(i, &k)| expected[i] = line.strength * response.power(k));
        let shared = |k: usize| line.strength * response.shared(k);
        self.powers[..m - 1].iter().enumerate().for_each(|(i, &k)| expected[m + i] = shared(k));
        expected
    }

    /// How badly a line explains the data, scaled so that it does best.
    fn chi2(&self, line: &FittedLine) -> f64 {
        let Some(weights) = self.weights(line) else { return f64::INFINITY };
        let product = |a: &[f64; DATA], b: &[f64; DATA]| small_matrix::bilinear(&weights, a, b, self.count());
        let at = self.expected(line);
        product(&self.values, &self.values) - product(&at, &self.values).max(0.0).powi(2) / product(&at, &at)
    }

    /// A step of the least-squares fit, with the errors. `None` if nothing is determined.
    fn step(&self, line: &FittedLine) -> Option<FittedLine> {
        let weights = self.weights(line)?;
        let (count, m) = (self.count(), self.powers.len());
        let at = self.expected(line);
        let slope = |step: [f64; UNKNOWNS]| -> [f64; DATA] {
            let moved = |sign: f64| {
                let (strength, position) = (line.strength + sign * step[0], line.position + sign * step[1]);
                self.expected(&FittedLine { strength, position, ..*line })
            };
            let (ahead, behind) = (moved(1.0), moved(-1.0));
            std::array::from_fn(|i| (ahead[i] - behind[i]) / (2.0 * (step[0] + step[1])))
        };
        let rest: [f64; DATA] = std::array::from_fn(|i| self.values[i] - at[i]);
        let derivatives = [slope([1e-4 * line.strength, 0.0]), slope([0.0, 1e-4])];
        let product = |a: &[f64; DATA], b: &[f64; DATA]| small_matrix::bilinear(&weights, a, b, count);
        let information: Matrix<UNKNOWNS> =
            std::array::from_fn(|p| std::array::from_fn(|q| product(&derivatives[p], &derivatives[q])));
        let covariance = small_matrix::inverse(&information, UNKNOWNS)?;
        let solve = |rest: &[f64; DATA]| -> [f64; UNKNOWNS] {
            let rhs: [f64; UNKNOWNS] = std::array::from_fn(|p| product(&derivatives[p], rest));
            std::array::from_fn(|p| covariance[p][0] * rhs[0] + covariance[p][1] * rhs[1])
        };
        let step = solve(&rest);
        // the levels are known as well as their bins tell; what bins share scatters by 1/√2 as much as their power
        let unit = |from: usize, to: usize| std::array::from_fn(|i| f64::from(u8::from((from..to).contains(&i))));
        let by_level = solve(&unit(0, m)).map(|d| d * self.level_error);
        let by_shared = solve(&unit(m, count)).map(|d| d * self.level_error / std::f64::consts::SQRT_2);
        let error = |p: usize| (covariance[p][p] + by_level[p].powi(2) + by_shared[p].powi(2)).sqrt();
        let centre = line.bin as f64 + 1.0;
        Some(FittedLine {
            strength: (line.strength + step[0]).max(0.1 * line.strength),
            strength_error: error(0),
            position: (line.position + step[1].clamp(-LARGEST_STEP, LARGEST_STEP))
                .clamp(centre - REACH, centre + REACH),
            position_error: error(1).min(0.5),
            ..*line
        })
    }

    /// Inverse of the covariance of powers and what neighbours share.
    fn weights(&self, line: &FittedLine) -> Option<Matrix<DATA>> {
        let line = FittedLine { doubled: line.phase_from(self.square, self.length), ..*line };
        let response = line.response(self.length);
        let of = |i: usize, j: usize| line.strength * response.product(self.powers[i], self.powers[j]);
        let (m, level, records) = (self.powers.len(), self.level, self.records);
        let mut covariance = [[0.0; DATA]; DATA];
        for i in 0..m {
            covariance[i][i] = level * (level + 2.0 * of(i, i)) / records;
        }
        for i in 0..m - 1 {
            covariance[m + i][m + i] = 0.5 * level * (level + of(i, i) + of(i + 1, i + 1)) / records;
            let with = level * of(i, i + 1) / records;
            for j in [i, i + 1] {
                covariance[m + i][j] = with;
                covariance[j][m + i] = with;
            }
            if i + 2 < m {
                let between = 0.5 * level * of(i, i + 2) / records;
                covariance[m + i][m + i + 1] = between;
                covariance[m + i + 1][m + i] = between;
            }
        }
        small_matrix::inverse(&covariance, 2 * m - 1)
    }
}

/// The fit of a line beside others.
struct Fit<'a> {
    spectrum: &'a Spectrum,
    peaks: &'a [usize],
    /// The spectrum without the others.
    rest: &'a Rest,
    others: &'a [FittedLine],
}

impl Fit<'_> {
    /// Whether a bin, or the place half-way to one of its neighbours, holds more than noise and what the other lines leak.
    fn stands_out(&self, bin: usize) -> bool {
        let bins = self.spectrum.psd.len();
        let level = median_around(bin, bins, self.peaks, |k| self.power(k)).0.max(0.0);
        let leaked = self.spectrum.psd[bin] - self.power(bin);
        // noise, its beat with what leaks, and how well that is known
        let noise = (level * (level + 2.0 * leaked.max(0.0))).sqrt() * self.spectrum.relative_error(bin);
        let known = |o: &FittedLine| o.strength_error * o.response(self.spectrum.length).power(bin);
        let error = self.others.iter().map(known).fold(noise, f64::hypot);
        let beside = |pair: usize| {
            let pairs = bins - 1 - usize::from(self.spectrum.length.is_multiple_of(2));
            pair < pairs && self.between(pair) - level > THRESHOLD * error
        };
        self.power(bin) - level > THRESHOLD * error || bin.checked_sub(1).is_some_and(beside) || beside(bin)
    }

    /// Power half-way between a bin and the next one, without the other lines.
    fn between(&self, bin: usize) -> f64 {
        0.5 * (self.power(bin) + self.power(bin + 1)) + self.shared(bin)
    }

    /// The place that explains the highest bin and its neighbours best, of a grid.
    fn start(&self, bin: usize) -> FittedLine {
        let excess = self.excess(bin);
        let at = |shift: f64| {
            let line = FittedLine {
                bin,
                position: bin as f64 + 1.0 + shift,
                position_error: 0.5,
                strength: excess,
                strength_error: excess,
                doubled: Complex::default(),
            };
            let strength = excess / line.response(self.spectrum.length).kernel(shift).powi(2);
            FittedLine { strength, ..line }
        };
        if is_nyquist(self.spectrum, bin) {
            return at(0.0);
        }
        let candidates = (-GRID..=GRID).map(|k| at(0.5 * f64::from(k) / f64::from(GRID)));
        let rated = candidates.map(|line| (self.data(&line).chi2(&line), line));
        rated.min_by(|a, b| a.0.total_cmp(&b.0)).map_or_else(|| at(0.0), |(_, line)| line)
    }

    /// Power above the noise.
    fn excess(&self, bin: usize) -> f64 {
        let level = median_around(bin, self.spectrum.psd.len(), self.peaks, |k| self.power(k)).0;
        (self.power(bin) - level).max(1e-3 * self.spectrum.psd[bin])
    }

    /// What the line is fitted to.
    fn data(&self, line: &FittedLine) -> LineData {
        let n = self.spectrum.length;
        let first = line.bin.saturating_sub(1);
        let last = (line.bin + 1).min(self.spectrum.shared.len().saturating_sub(usize::from(n.is_multiple_of(2))));
        let powers: Vec<usize> = (first..=last.max(line.bin)).collect();
        let bins = self.spectrum.shared.len();
        let response = line.response(n);
        let power_level = |bin: usize| {
            median_around(bin, bins + 1, self.peaks, |k| self.power(k) - line.strength * response.power(k))
        };
        let shared_level = |bin: usize| {
            median_around(bin, bins, self.peaks, |k| self.shared(k) - line.strength * response.shared(k)).0
        };
        let (level, used) = power_level(line.bin);
        // while the line is not known yet, what is left of it may make the level vanish
        let lowest = self.spectrum.psd.iter().copied().fold(f64::INFINITY, f64::min);
        let level = level.max(SMALLEST_LEVEL * lowest).max(f64::MIN_POSITIVE);
        let records = self.spectrum.series as f64;
        let mut values = [0.0; DATA];
        for (i, &k) in powers.iter().enumerate() {
            values[i] = self.power(k) - power_level(k).0;
        }
        for (i, &k) in powers[..powers.len() - 1].iter().enumerate() {
            values[powers.len() + i] = self.shared(k) - shared_level(k);
        }
        let square = self.square(line.bin);
        LineData {
            length: n,
            records,
            powers,
            values,
            square,
            level,
            level_error: MEDIAN_ERROR * level / (records * used as f64).sqrt(),
        }
    }

    /// A better value of the line.
    fn refine(&self, line: FittedLine) -> FittedLine {
        if is_nyquist(self.spectrum, line.bin) {
            return self.at_nyquist(line);
        }
        // half a bin away a line shows 0.4 of its strength
        let largest = LARGEST_STRENGTH * self.excess(line.bin);
        let (data, mut line) = (self.data(&line), line);
        for _ in 0..STEPS {
            let Some(next) = data.step(&line) else { break };
            line = FittedLine { strength: next.strength.min(largest), ..next };
        }
        // a line that does not explain its bins, another one too near to be told from it, is known no better than that
        let (chi2, ndf) = (data.chi2(&line), (data.count() - UNKNOWNS) as f64);
        if chi2 > CONTRADICTED && chi2.is_finite() {
            let scale = (chi2 / ndf).sqrt();
            line.strength_error *= scale;
            line.position_error = (line.position_error * scale).min(0.5);
        }
        FittedLine { doubled: line.phase_from(data.square, data.length), ..line }
    }

    /// Q of the highest bin, without the other lines.
    fn square(&self, bin: usize) -> Complex<f64> {
        self.rest.square[bin]
    }

    /// A line in the last bin of an even number of samples: nothing tells where in the bin it lies, and its power depends
    /// on the phase; A²/2 is that of a random one.
    fn at_nyquist(&self, line: FittedLine) -> FittedLine {
        let bins = self.spectrum.psd.len();
        let (level, used) = median_around(line.bin, bins, self.peaks, |k| self.power(k));
        // the one-sided density is half as large here
        let (level, relative) = (0.5 * level, self.spectrum.relative_error(line.bin));
        let strength = (self.power(line.bin) - level).max(1e-6 * level);
        let own = (level * (level + 2.0 * strength)).sqrt() * relative;
        let level_error = MEDIAN_ERROR * level / (self.spectrum.series as f64 * used as f64).sqrt();
        FittedLine {
            position: line.bin as f64 + 1.0,
            position_error: (level * relative / strength).sqrt().min(0.5),
            strength,
            strength_error: own.hypot(level_error),
            ..line
        }
    }

    /// P without the other lines.
    fn power(&self, bin: usize) -> f64 {
        self.rest.power[bin]
    }

    /// What a bin shares with the next one, without the other lines.
    fn shared(&self, bin: usize) -> f64 {
        self.rest.shared[bin]
    }
}
