//! The comb of single-electron peaks: where the pixel charges 0, 1, 2, … e⁻ lie on the ADU axis.
//!
//! ```text
//! values ─> seed (peaks of a histogram) ─> comb (equal spacing, one width) ─> free (each peak its own) ─> line μᵢ = b + k i
//! ```
//!
//! The slope k of the line is the gain in ADU/e⁻, the residuals are the non-linearity. A mixture of Gaussians fitted by
//! expectation maximisation sees all peaks at once: it does not lose its way when the 1 e⁻ peak is higher than that of
//! 0 e⁻, when the peaks overlap, or when there are hundreds of them. Spec 04 §2.3.

mod mixture;
mod seed;

use super::polynomial::{PolynomialFit, fit_polynomial};
use super::robust;
use mixture::Data;

pub use seed::{Seed, SeedPeak, find_seed};

/// Bins of the fitted histogram per spacing of the peaks.
const BINS_PER_SPACING: f64 = 100.0;
/// The widest peaks that count as resolved, in spacings.
const LARGEST_WIDTH: f64 = 0.45;

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
    /// Width.
    pub sigma: f64,
    /// Values in it (sum of the responsibilities).
    pub counts: f64,
}

impl CombPeak {
    /// Error of the position, σ/√n.
    pub fn mu_error(&self) -> f64 {
        self.sigma / self.counts.sqrt()
    }

    /// Error of the width, σ/√(2n).
    pub fn sigma_error(&self) -> f64 {
        self.sigma / (2.0 * self.counts).sqrt()
    }
}

/// The fitted comb.
#[derive(Debug, Clone, PartialEq)]
pub struct CombFit {
    /// Where the search started.
    pub seed: Seed,
    /// The peaks, the first one first; consecutive electron numbers.
    pub peaks: Vec<CombPeak>,
    /// Straight line through positions against 0, 1, 2, …: offset and gain, with errors.
    pub line: PolynomialFit,
    /// Parabola through the same points, with at least four peaks.
    pub parabola: Option<PolynomialFit>,
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

    /// Mean width of the peaks, weighted by their errors, with its error: the noise.
    pub fn noise(&self) -> (f64, f64) {
        let (mut weight, mut sum) = (0.0, 0.0);
        for peak in &self.peaks {
            let w = peak.sigma_error().powi(-2);
            weight += w;
            sum += w * peak.sigma;
        }
        (sum / weight, weight.sqrt().recip())
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

/// Finds and fits the comb of a sample; values that are not finite are left out.
///
/// # Errors
/// If no comb of at least two peaks can be told from a single peak.
pub fn fit_comb(values: &[f64], options: &CombOptions) -> Result<CombFit, NotResolved> {
    let values: Vec<f64> = values.iter().copied().filter(|x| x.is_finite()).collect();
    let (mut seed, mut warnings) = find_seed(&values, options)?;
    let n_peaks = options.n_peaks.max(2);
    let (mut a, mut g, mut bend, mut sigma) = (seed.first, seed.spacing, 0.0, 0.2 * seed.spacing);
    let mut k = n_peaks.min(4);
    let mut restarted = false;
    let free = loop {
        let end = k as f64 + 0.5;
        let data = Data::new(&values, a - g, a + end * (g + end * bend), g / BINS_PER_SPACING);
        let comb =
            data.fit_equidistant(k + 1, a, g, bend, sigma).ok_or_else(|| NotResolved::because("the fit failed"))?;
        (a, g, bend, sigma) = (comb.first, comb.spacing, comb.bend, comb.sigma);
        let ratio = g / seed.spacing;
        if !restarted && agrees_with_start(g, options.start, ratio) {
            // the seed skipped every second or third peak, which the fit has noticed
            warnings
                .push(format!("the seed took {:.4} for the spacing; the fit starts again with {g:.4}", seed.spacing));
            (seed.spacing, restarted) = (g, true);
            (a, bend, sigma, k) = (seed.first, 0.0, 0.2 * g, n_peaks.min(4));
            continue;
        }
        if !(ratio > 0.7 && ratio < 1.3) {
            return Err(NotResolved::because(format!(
                "the fitted spacing {g:.4} is {ratio:.2} times that of the seed, {:.4}",
                seed.spacing
            )));
        }
        if !(sigma / g < LARGEST_WIDTH) {
            return Err(NotResolved::because(format!("the width of the peaks is {:.2} of their spacing", sigma / g)));
        }
        if k >= n_peaks {
            break data.fit_free(&comb);
        }
        k = (2 * k).min(n_peaks);
    };
    // the last component takes up the data beyond the last wanted peak
    let wanted = free.iter().take(n_peaks);
    let peaks: Vec<CombPeak> = wanted.take_while(|p| p.counts >= options.min_counts).copied().collect();
    if peaks.len() < 2 {
        let found = free.get(1).map_or(0.0, |p| p.counts);
        return Err(NotResolved::because(format!(
            "the second peak holds {found:.0} pixels, {} are needed",
            options.min_counts
        )));
    }
    let fit = lines(seed, peaks, std::mem::take(&mut warnings))?;
    Ok(with_warnings(fit, &values))
}

/// The lines through the positions.
fn lines(seed: Seed, peaks: Vec<CombPeak>, warnings: Vec<String>) -> Result<CombFit, NotResolved> {
    let x: Vec<f64> = (0..peaks.len()).map(|i| i as f64).collect();
    let mu: Vec<f64> = peaks.iter().map(|p| p.mu).collect();
    let errors: Vec<f64> = peaks.iter().map(CombPeak::mu_error).collect();
    let fit = |errors: &[f64], degree| {
        fit_polynomial(&x, &mu, errors, degree).map_err(|e| NotResolved::because(e.to_string()))
    };
    let line = fit(&errors, 1)?;
    if !(line.coefficients[1] > 0.0 && line.error(1).is_finite()) {
        return Err(NotResolved::because("no straight line through the peaks"));
    }
    let parabola = if peaks.len() >= 4 { Some(fit(&errors, 2)?) } else { None };
    let unweighted_slope = fit(&vec![1.0; peaks.len()], 1)?.coefficients[1];
    let spacings: Vec<f64> = mu.windows(2).map(|w| w[1] - w[0]).collect();
    let weights = (1..=spacings.len()).map(|i| 1.0 / i as f64);
    let total: f64 = weights.clone().sum();
    let weighted_spacing = spacings.iter().zip(weights).map(|(s, w)| s * w).sum::<f64>() / total;
    Ok(CombFit {
        seed,
        peaks,
        line,
        parabola,
        unweighted_slope,
        median_spacing: robust::median(&spacings),
        weighted_spacing,
        warnings,
    })
}

/// Adds what a physicist should look at before believing the gain.
fn with_warnings(mut fit: CombFit, values: &[f64]) -> CombFit {
    let k = fit.gain();
    let (sigma, _) = fit.noise();
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
