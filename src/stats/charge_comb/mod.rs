//! The comb of single-electron peaks: where the pixel charges 0, 1, 2, … e⁻ lie on the ADU axis.
//!
//! ```text
//! values ─> seed (peaks of a histogram) ─> comb (equal spacing, one width) ─> free (each peak its own) ─> line μᵢ = b + k i
//! ```
//!
//! The slope k of the line is the gain in ADU/e⁻, the residuals are the non-linearity. A mixture of Gaussians fitted by
//! expectation maximisation sees all peaks at once: it does not lose its way when the 1 e⁻ peak is higher than that of
//! 0 e⁻, when the peaks overlap, or when there are hundreds of them. Spec 04 §2.3.

mod free;
mod mixture;
mod seed;

use super::error::StatsError;
use super::polynomial::{PolynomialFit, fit_correlated_polynomial, fit_polynomial, propagated_covariance};
use super::robust;
use mixture::Data;

pub use free::{FreePeaks, fit_free_peaks};
pub use seed::{Seed, SeedPeak, find_seed};

/// Bins of the fitted histogram per spacing of the peaks.
const BINS_PER_SPACING: f64 = 100.0;
/// The widest peaks that count as resolved, in spacings.
const LARGEST_WIDTH: f64 = 0.45;

/// Peaks of single electrons have the width of the noise, all of them. Widths that differ by more than this factor, and by
/// so many of their errors more, are those of other things: the overscan and the bulk of an exposed image. (Equal widths
/// would have to be off by many more errors, since they begin far below the factor.)
const LARGEST_WIDTH_RATIO: f64 = 1.7;
const SIGNIFICANT: f64 = 2.0;

/// Peaks around the tallest whose values are judged together: over more of them a bent response puts them out of step.
const JUDGED_PEAKS: usize = 12;
/// Smallest share of the expected periodicity that the values of a comb show.
const SMALLEST_PERIODICITY: f64 = 0.6;
/// Smallest periodicity n R² of n values. Values without a period exceed it by chance with a probability of exp(−25);
/// a search looks at some thousand places and spacings.
const PERIODIC: f64 = 25.0;

/// Seeds that are tried.
const SEEDS: usize = 4;

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CombOptions {
    /// Largest number of peaks, the first one included.
    pub n_peaks: usize,
    /// Spacing to start with, units of the values per electron.
    pub start: Option<f64>,
    /// Start with `start` even if the data seem to tell another spacing.
    pub force_start: bool,
    /// Values that a peak must hold.
    pub min_counts: f64,
}

impl Default for CombOptions {
    fn default() -> Self {
        Self { n_peaks: 100, start: None, force_start: false, min_counts: 30.0 }
    }
}

/// One peak.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CombPeak {
    /// Position.
    pub mu: f64,
    /// Its error; that of overlapping peaks is larger than σ/√n.
    pub mu_error: f64,
    /// Width.
    pub sigma: f64,
    /// Its error; that of overlapping peaks is larger than σ/√(2n).
    pub sigma_error: f64,
    /// Values in it (sum of the responsibilities).
    pub counts: f64,
}

impl CombPeak {
    /// A peak that stands alone: its errors are σ/√n and σ/√(2n).
    pub fn of(mu: f64, sigma: f64, counts: f64) -> Self {
        Self { mu, mu_error: sigma / counts.sqrt(), sigma, sigma_error: sigma / (2.0 * counts).sqrt(), counts }
    }
}

/// The fitted comb.
#[derive(Debug, Clone, PartialEq)]
pub struct CombFit {
    /// Where the search started.
    pub seed: Seed,
    /// The peaks, the first one first; consecutive electron numbers.
    pub peaks: Vec<CombPeak>,
    /// Straight line through positions against 0, 1, 2, …: offset and gain, with errors. The positions of overlapping
    /// peaks are correlated; the fit knows.
    pub line: PolynomialFit,
    /// Parabola through the same points, with at least four peaks.
    pub parabola: Option<PolynomialFit>,
    /// Mean width of the peaks with its error: the noise.
    pub noise: (f64, f64),
    /// Slope of the line without weights, as older programs fit it.
    pub unweighted_slope: f64,
    /// Median distance of neighbouring peaks.
    pub median_spacing: f64,
    /// Mean distance of neighbouring peaks, weighted by 1/i.
    pub weighted_spacing: f64,
    /// What is worth a warning.
    pub warnings: Vec<String>,
}

impl CombFit {
    /// Gain k.
    pub fn gain(&self) -> f64 {
        self.line.coefficients[1]
    }

    /// Error of the gain, from the errors of the positions.
    pub fn gain_error(&self) -> f64 {
        self.line.error(1)
    }

    /// Error of the gain, larger by √(χ²/ndf) where the line does not fit within the errors.
    pub fn scaled_gain_error(&self) -> f64 {
        self.gain_error() * self.line.chi2_per_ndf().max(1.0).sqrt()
    }

    /// Offset b: the line at the first peak.
    pub fn offset(&self) -> f64 {
        self.line.coefficients[0]
    }

    /// Error of the offset.
    pub fn offset_error(&self) -> f64 {
        self.line.error(0)
    }

    /// Relative deviation from a straight line per electron, with its error: q in μ = b + k n (1 + q n).
    pub fn nonlinearity(&self) -> Option<(f64, f64)> {
        let fit = self.parabola.as_ref()?;
        let slope = fit.coefficients[1];
        Some((fit.coefficients[2] / slope, fit.error(2) / slope.abs()))
    }

    /// Index of the peak with most values.
    pub fn tallest(&self) -> usize {
        let counts = self.peaks.iter().map(|p| p.counts);
        counts.enumerate().fold((0, f64::NEG_INFINITY), |best, (i, n)| if n > best.1 { (i, n) } else { best }).0
    }

    /// Density of values per unit: all peaks, or one of them.
    pub fn density(&self, x: f64, peak: Option<usize>) -> f64 {
        let one = |p: &CombPeak| p.counts * super::distributions::gaussian(x, p.mu, p.sigma);
        match peak {
            Some(i) => self.peaks.get(i).map_or(0.0, one),
            None => self.peaks.iter().map(one).sum(),
        }
    }
}

/// There is no comb, and why.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("single-electron peaks not resolved: {reason}")]
pub struct NotResolved {
    /// Half a sentence.
    pub reason: String,
}

impl NotResolved {
    pub(crate) fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// Whether a fitted spacing far from the seed is right and the seed wrong: it is near the spacing that the user named, or
/// without one near a half or a third of the seed's.
fn agrees_with_start(fitted: f64, start: Option<f64>, ratio: f64) -> bool {
    let far = !(ratio > 0.7 && ratio < 1.3);
    let right = match start {
        Some(start) => (fitted / start - 1.0).abs() < 0.3,
        None => (ratio - 0.5).abs() < 0.05 || (ratio - 1.0 / 3.0).abs() < 0.04,
    };
    far && right
}

/// Places and widths of an equidistant comb, and its spacing.
struct Equidistant {
    places: Vec<(f64, f64)>,
    spacing: f64,
}

/// Why a comb was not accepted, and the spacing that it had then.
struct Rejected {
    reason: NotResolved,
    spacing: f64,
}

/// Fits equidistant combs of more and more peaks, each from the one before, so that no peak is skipped.
fn fit_equidistant(values: &[f64], first: f64, seed_spacing: f64, n_peaks: usize) -> Result<Equidistant, Rejected> {
    let (mut a, mut g, mut bend, mut sigma) = (first, seed_spacing, 0.0, 0.2 * seed_spacing);
    let mut k = n_peaks.min(4);
    loop {
        let end = k as f64 + 0.5;
        let data = Data::new(values, a - g, a + end * (g + end * bend), g / BINS_PER_SPACING);
        let Some(comb) = data.fit_equidistant(k + 1, a, g, bend, sigma) else {
            return Err(Rejected { reason: NotResolved::because("the fit failed"), spacing: f64::NAN });
        };
        (a, g, bend, sigma) = (comb.first, comb.spacing, comb.bend, comb.sigma);
        let ratio = g / seed_spacing;
        let reject = |reason: String| Err(Rejected { reason: NotResolved::because(reason), spacing: g });
        if !(ratio > 0.7 && ratio < 1.3) {
            return reject(format!(
                "the fitted spacing {g:.4} is {ratio:.2} times that of the seed, {seed_spacing:.4}"
            ));
        }
        if !(sigma / g < LARGEST_WIDTH) {
            return reject(format!("the width of the peaks is {:.2} of their spacing", sigma / g));
        }
        if k >= n_peaks {
            // the last component took up the data beyond the last wanted peak
            return Ok(Equidistant { places: (0..n_peaks).map(|i| (comb.place(i), sigma)).collect(), spacing: g });
        }
        k = (2 * k).min(n_peaks);
    }
}

/// The place nearest to `first` at which the values of the first peaks have the phase of a comb of this spacing.
fn in_phase(values: &[f64], first: f64, spacing: f64) -> f64 {
    use std::f64::consts::PI;
    let range = first - 0.5 * spacing..first + (JUDGED_PEAKS as f64 - 0.5) * spacing;
    let (re, im) = values.iter().filter(|x| range.contains(*x)).fold((0.0, 0.0), |(re, im), x| {
        let (sin, cos) = (2.0 * PI * (x - first) / spacing).sin_cos();
        (re + cos, im + sin)
    });
    first + im.atan2(re) / (2.0 * PI) * spacing
}

/// The comb of a seed. Where peaks overlap, the seed may see every second or third one only: if the fit leaves the
/// spacing of the seed, it starts again from where it went to if that is what the user said, else from the spacing that
/// it went to, a half and a third of the seed's.
fn comb_of_seed(
    values: &[f64],
    seed: &mut Seed,
    options: &CombOptions,
    warnings: &mut Vec<String>,
) -> Result<Equidistant, NotResolved> {
    let n_peaks = options.n_peaks.max(2);
    let Rejected { reason, spacing } = match fit_equidistant(values, seed.first, seed.spacing, n_peaks) {
        Ok(comb) => return Ok(comb),
        Err(rejected) => rejected,
    };
    // where peaks overlap, their highest bin may lie anywhere: the fit starts again in phase with the values
    let first = in_phase(values, seed.first, seed.spacing);
    if let Ok(comb) = fit_equidistant(values, first, seed.spacing, n_peaks) {
        seed.first = first;
        return Ok(comb);
    }
    let mut others = Vec::new();
    if agrees_with_start(spacing, options.start, spacing / seed.spacing) {
        others.push(spacing);
    }
    if !seed.guided {
        others.extend([0.5 * seed.spacing, seed.spacing / 3.0]);
    }
    for other in others {
        if let Ok(comb) = fit_equidistant(values, seed.first, other, n_peaks) {
            warnings.push(format!(
                "the seed took {:.4} for the spacing; the fit started again with {other:.4}",
                seed.spacing
            ));
            seed.spacing = other;
            return Ok(comb);
        }
    }
    Err(reason)
}

/// Finite values of pixels, row by row: the pixels of a row share slow noise and the error of the row's pedestal.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sample {
    values: Vec<f64>,
    row_ends: Vec<usize>,
}

impl Sample {
    /// Values that share nothing; those that are not finite are left out.
    pub fn independent(values: impl IntoIterator<Item = f64>) -> Self {
        Self { values: values.into_iter().filter(|x| x.is_finite()).collect(), row_ends: Vec::new() }
    }

    /// The values of a row behind those of others; those that are not finite are left out.
    pub fn push_row<'a>(&mut self, row: impl IntoIterator<Item = &'a f64>) {
        self.values.extend(row.into_iter().filter(|x| x.is_finite()));
        self.row_ends.push(self.values.len());
    }

    /// The values of rows.
    pub fn of_rows<'a, R: IntoIterator<Item = &'a f64>>(rows: impl IntoIterator<Item = R>) -> Self {
        let mut sample = Self::default();
        rows.into_iter().for_each(|row| sample.push_row(row));
        sample
    }

    /// The values above `lowest`.
    pub fn above(&self, lowest: f64) -> Self {
        if self.row_ends.is_empty() {
            return Self::independent(self.values.iter().copied().filter(|x| *x > lowest));
        }
        Self::of_rows(self.rows().map(|row| row.iter().filter(|x| **x > lowest)))
    }

    /// All values, in the order of the rows.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The rows that hold values; none of independent values.
    pub fn rows(&self) -> impl Iterator<Item = &[f64]> {
        let starts = std::iter::once(0).chain(self.row_ends.iter().copied());
        starts.zip(&self.row_ends).map(|(start, &end)| &self.values[start..end]).filter(|row| !row.is_empty())
    }
}

/// Finds and fits the comb of a sample; the errors hold what the pixels of a row share. Where the peaks that stand out
/// make no comb, the start value gets its chance.
///
/// # Errors
/// If no comb of at least two peaks can be told from a single peak.
pub fn fit_comb(sample: &Sample, options: &CombOptions) -> Result<CombFit, NotResolved> {
    let from_data = fit_from_seed(sample, options);
    match (&from_data, options.start) {
        (Err(_), Some(_)) if !options.force_start => {
            fit_from_seed(sample, &CombOptions { force_start: true, ..*options }).or(from_data)
        }
        _ => from_data,
    }
}

/// The comb of the first seed that leads to one: broad bins may see an overscan and the bulk of an exposed image, finer ones
/// the peaks. Else the reason why the first one does not.
fn fit_from_seed(sample: &Sample, options: &CombOptions) -> Result<CombFit, NotResolved> {
    let (mut width, mut reason) = (0, None);
    for _ in 0..SEEDS {
        let (seed, warnings, next) = match find_seed(sample.values(), options, width) {
            Ok(found) => found,
            Err(problem) => return Err(reason.unwrap_or(problem)),
        };
        match fit_seed(sample, seed, warnings, options) {
            Ok(fit) => return Ok(fit),
            Err(problem) => reason = reason.or(Some(problem)),
        }
        let Some(next) = next else { break };
        width = next;
    }
    Err(reason.unwrap_or_else(|| NotResolved::because("no peak stands out")))
}

fn fit_seed(
    sample: &Sample,
    mut seed: Seed,
    mut warnings: Vec<String>,
    options: &CombOptions,
) -> Result<CombFit, NotResolved> {
    let values = sample.values();
    let comb = comb_of_seed(values, &mut seed, options, &mut warnings)?;
    let mut free = fit_free_peaks(sample, &comb.places, comb.spacing);
    let kept = free.peaks.iter().take_while(|p| p.counts >= options.min_counts).count();
    if kept < 2 {
        let found = free.peaks.get(1).map_or(0.0, |p| p.counts);
        return Err(NotResolved::because(format!(
            "the second peak holds {found:.0} pixels, {} are needed",
            options.min_counts
        )));
    }
    free.retain(|i, _| i < kept);
    // A peak of the free fit that is as wide as the spacing stands for several.
    if let Some(wide) = free.peaks.iter().find(|p| p.sigma - 2.0 * p.sigma_error > LARGEST_WIDTH * comb.spacing) {
        return Err(NotResolved::because(format!(
            "a peak has a width of {:.4} at a spacing of {:.4}",
            wide.sigma, comb.spacing
        )));
    }
    let beyond = |wide: &CombPeak, narrow: &CombPeak| {
        let excess = wide.sigma - LARGEST_WIDTH_RATIO * narrow.sigma;
        excess > SIGNIFICANT * wide.sigma_error.hypot(LARGEST_WIDTH_RATIO * narrow.sigma_error)
    };
    let pairs = free.peaks.iter().flat_map(|wide| free.peaks.iter().map(move |narrow| (wide, narrow)));
    if let Some((wide, narrow)) = pairs.into_iter().find(|(wide, narrow)| beyond(wide, narrow)) {
        return Err(NotResolved::because(format!(
            "the peaks have no common width: {:.4} and {:.4} at a spacing of {:.4}",
            narrow.sigma, wide.sigma, comb.spacing
        )));
    }
    let fit = lines(seed, free, warnings)?;
    if !(fit.noise.0 < LARGEST_WIDTH * fit.gain()) {
        return Err(NotResolved::because(format!(
            "the peaks have a width of {:.4} at a spacing of {:.4}",
            fit.noise.0,
            fit.gain()
        )));
    }
    check_periodicity(&fit, values)?;
    Ok(with_warnings(fit, values))
}

/// Whether the values repeat with the period of the comb. Values at multiples of k with Gaussian noise σ have
///
/// ```text
/// R = |⟨exp(2πi x/k)⟩| = exp(−2π² σ²/k²),
/// ```
///
/// whatever the weights of the peaks are. A mixture that follows a distribution of another shape, with the right sum of
/// peaks that are none, has less; one that follows chance in a single broad peak no more than n R² of a few (Rayleigh's
/// test: P(n R² > z) = exp(−z)).
fn check_periodicity(fit: &CombFit, values: &[f64]) -> Result<(), NotResolved> {
    use std::f64::consts::PI;
    let (k, sigma) = (fit.gain(), fit.noise.0);
    let tallest = fit.tallest();
    let first = tallest.saturating_sub(JUDGED_PEAKS / 2);
    let last = (first + JUDGED_PEAKS).min(fit.peaks.len()) - 1;
    let range = fit.peaks[first].mu - 0.5 * k..fit.peaks[last].mu + 0.5 * k;
    let (mut n, mut re, mut im) = (0.0, 0.0, 0.0);
    for x in values.iter().filter(|x| range.contains(*x)) {
        let (sin, cos) = (2.0 * PI * (x - fit.offset()) / k).sin_cos();
        (n, re, im) = (n + 1.0, re + cos, im + sin);
    }
    let found = re.hypot(im) / n;
    let expected = (-2.0 * (PI * sigma / k).powi(2)).exp();
    if !(n * found * found > PERIODIC) {
        return Err(NotResolved::because(format!(
            "{n:.0} pixels show no period of {k:.4} beyond chance, with peaks of a width of {sigma:.4}; a start value (`calibration`, --cal) may find another one"
        )));
    }
    if !(found > SMALLEST_PERIODICITY * expected - 3.0 / (2.0 * n).sqrt()) {
        return Err(NotResolved::because(format!(
            "the pixels do not repeat with the spacing {k:.4} of the fitted peaks: {:.0} % of what peaks of a width of \
             {sigma:.4} show",
            100.0 * found / expected
        )));
    }
    Ok(())
}

/// The lines through the positions.
fn lines(seed: Seed, free: FreePeaks, warnings: Vec<String>) -> Result<CombFit, NotResolved> {
    let x: Vec<f64> = (0..free.peaks.len()).map(|i| i as f64).collect();
    let mu: Vec<f64> = free.peaks.iter().map(|p| p.mu).collect();
    let fit = |degree| line_of_peaks(&x, &free, degree).map_err(|e| NotResolved::because(e.to_string()));
    let line = fit(1)?;
    if !(line.coefficients[1] > 0.0 && line.error(1).is_finite()) {
        return Err(NotResolved::because("no straight line through the peaks"));
    }
    let parabola = if x.len() >= 4 { Some(fit(2)?) } else { None };
    let noise = mean_width(&free);
    let unweighted_slope = fit_polynomial(&x, &mu, &vec![1.0; x.len()], 1)
        .map_err(|e| NotResolved::because(e.to_string()))?
        .coefficients[1];
    let spacings: Vec<f64> = mu.windows(2).map(|w| w[1] - w[0]).collect();
    let weights = (1..=spacings.len()).map(|i| 1.0 / i as f64);
    let total: f64 = weights.clone().sum();
    let weighted_spacing = spacings.iter().zip(weights).map(|(s, w)| s * w).sum::<f64>() / total;
    Ok(CombFit {
        seed,
        peaks: free.peaks,
        line,
        parabola,
        noise,
        unweighted_slope,
        median_spacing: robust::median(&spacings),
        weighted_spacing,
        warnings,
    })
}

/// The polynomial through the positions of peaks at the electron numbers `x`.
///
/// # Errors
/// See [`fit_correlated_polynomial`].
pub fn line_of_peaks(x: &[f64], free: &FreePeaks, degree: usize) -> Result<PolynomialFit, StatsError> {
    let mu: Vec<f64> = free.peaks.iter().map(|p| p.mu).collect();
    polynomial_of_rows(x, &mu, &free.mu_covariance, free.of_rows.as_ref().map(|both| &both[0]), degree)
}

/// Best mean of the widths of peaks and its error.
pub fn mean_width(free: &FreePeaks) -> (f64, f64) {
    let sigma: Vec<f64> = free.peaks.iter().map(|p| p.sigma).collect();
    let of_rows = free.of_rows.as_ref().map(|both| &both[1]);
    match polynomial_of_rows(&vec![0.0; sigma.len()], &sigma, &free.sigma_covariance, of_rows, 0) {
        Ok(mean) => (mean.coefficients[0], mean.error(0)),
        Err(_) => (f64::NAN, f64::NAN),
    }
}

/// A polynomial weighted as if all values were independent. Where those of a row share something, its coefficients get
/// the larger errors, with the correlations of the others; χ² is that of independent values.
fn polynomial_of_rows(
    x: &[f64],
    y: &[f64],
    covariance: &[Vec<f64>],
    of_rows: Option<&Vec<Vec<f64>>>,
    degree: usize,
) -> Result<PolynomialFit, StatsError> {
    let mut fit = fit_correlated_polynomial(x, y, covariance, degree)?;
    if let Some(of_rows) = of_rows {
        let shared = propagated_covariance(x, covariance, of_rows, degree)?;
        let larger = |(k, line): (usize, &Vec<f64>)| (shared[k][k] / line[k]).max(1.0).sqrt();
        let factors: Vec<f64> = fit.covariance.iter().enumerate().map(larger).collect();
        for (line, a) in fit.covariance.iter_mut().zip(&factors) {
            line.iter_mut().zip(&factors).for_each(|(c, b)| *c *= a * b);
        }
    }
    Ok(fit)
}

/// Adds what a physicist should look at before believing the gain.
fn with_warnings(mut fit: CombFit, values: &[f64]) -> CombFit {
    let k = fit.gain();
    let (sigma, _) = fit.noise;
    if sigma / k > 0.35 {
        fit.warnings.push(format!("the peaks overlap strongly: their width is {:.2} of their spacing", sigma / k));
    }
    if fit.line.chi2_per_ndf() > 50.0 {
        fit.warnings.push(format!(
            "the positions of the peaks are no straight line within their errors: χ²/ndf {:.0}",
            fit.line.chi2_per_ndf()
        ));
    }
    let tallest = fit.peaks[fit.tallest()].mu;
    let below = values.iter().filter(|x| **x < tallest - 0.5 * k).count();
    let above = values.iter().filter(|x| **x > tallest + 0.5 * k).count();
    if below > 5 * above {
        fit.warnings.push(format!(
            "{below} pixels lie below the tallest peak and only {above} above it: is the polarity inverted (--invert)?"
        ));
    }
    fit
}

#[cfg(test)]
mod tests;
