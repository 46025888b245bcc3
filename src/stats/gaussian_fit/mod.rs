//! Gaussian fit to the histogram of a sample: the pedestal and noise of one row.
//!
//! The model A·exp(−½((c−μ)/σ)²) at the bin centres c is fitted by Neyman's χ² (bin error √n, empty bins skipped)
//! inside a box for μ and σ that follows from the sample; spec 02 §3.2, which is what the reference obtains from ROOT.
//! Real images have rows with several local minima, so the *path* matters: a bounded Levenberg–Marquardt search from
//! the prescribed start ([`solver`]) ends where the reference ends, a global search does not.
//!
//! [`GaussianFitter`] owns its buffers: make one per thread and fit thousands of rows without allocating.
//! [`windowed`] holds the older estimate without a fit (spec 02 §3.4).

pub mod solver;
mod start;
#[cfg(test)]
mod tests;
pub mod windowed;

pub use start::{Start, highdc_start, standard_start};

use crate::stats::histogram::{self, BinRule};
use crate::stats::peak_finder::PeakFinder;
use crate::stats::robust::{self, Ddof};
use solver::{BinnedGaussian, Box2, Solution};

/// Where the search starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StartRule {
    /// Median and standard deviation of the sample: one Gaussian population.
    #[default]
    Standard,
    /// The first charge peak of the histogram, for images in which several electron peaks are selected. Falls back to
    /// [`StartRule::Standard`] when no peak is found.
    HighDarkCurrent(PeakFinder),
}

/// What [`GaussianFitter::fit`] needs besides the sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GaussianFitSettings {
    /// Number of bins.
    pub bins: BinRule,
    /// Start of the search.
    pub start: StartRule,
}

/// How a fit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A local minimum was found (perhaps on a limit, see [`GaussianFit::mu_at_limit`], [`GaussianFit::sigma_at_limit`]).
    Converged,
    /// The search stopped without settling; the values are the best found.
    NotConverged,
    /// No degree of freedom: μ and σ are median and standard deviation of the sample, no errors (spec 02 D15).
    NoDegreesOfFreedom,
    /// All values are equal: σ = 0, no errors (spec 02 D15).
    ConstantSample,
    /// Fewer than two values: μ and σ are NaN.
    TooFewValues,
}

/// Result of a Gaussian fit, in the units of the sample. Errors that do not exist are NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GaussianFit {
    /// Height of the Gaussian in counts per bin.
    pub amplitude: f64,
    /// Mean.
    pub mu: f64,
    /// Standard deviation.
    pub sigma: f64,
    /// Error of the amplitude.
    pub amplitude_error: f64,
    /// Error of μ as Minuit quotes it for a limited parameter (spec 02 §3.2 step 5); NaN on a limit.
    pub mu_error: f64,
    /// Error of σ, as `mu_error`.
    pub sigma_error: f64,
    /// 2·H⁻¹ of χ² in (A, μ, σ), without the transformation of limited parameters; NaN rows for parameters on a limit.
    pub covariance: [[f64; 3]; 3],
    /// Neyman χ² at the minimum.
    pub chi2: f64,
    /// Non-empty bins − 3.
    pub ndf: i64,
    /// μ rests on a limit of its box (within 1e-6 of the interval).
    pub mu_at_limit: bool,
    /// σ rests on a limit of its box.
    pub sigma_at_limit: bool,
    /// How the fit ended.
    pub outcome: Outcome,
    /// Values used (NaN left out).
    pub n_values: usize,
    /// Bins of the histogram.
    pub n_bins: usize,
    /// Range of the histogram: smallest and largest value.
    pub range: (f64, f64),
    /// 0-based bin of the peak the search started from, with [`StartRule::HighDarkCurrent`].
    pub peak_bin: Option<usize>,
}

impl GaussianFit {
    /// χ²/NDF, or −999 without degrees of freedom (the mark the reference uses).
    pub fn chi2_per_ndf(&self) -> f64 {
        if self.ndf > 0 && self.chi2.is_finite() { self.chi2 / self.ndf as f64 } else { -999.0 }
    }

    /// μ and σ come from a converged fit with degrees of freedom.
    pub fn is_fitted(&self) -> bool {
        self.outcome == Outcome::Converged
    }

    /// A parameter rests on a limit.
    pub fn at_limit(&self) -> bool {
        self.mu_at_limit || self.sigma_at_limit
    }

    fn without_fit(outcome: Outcome, mu: f64, sigma: f64, n_values: usize, range: (f64, f64)) -> Self {
        Self {
            amplitude: f64::NAN,
            mu,
            sigma,
            amplitude_error: f64::NAN,
            mu_error: f64::NAN,
            sigma_error: f64::NAN,
            covariance: [[f64::NAN; 3]; 3],
            chi2: f64::NAN,
            ndf: 0,
            mu_at_limit: false,
            sigma_at_limit: false,
            outcome,
            n_values,
            n_bins: 0,
            range,
            peak_bin: None,
        }
    }
}

/// Reusable workspace of Gaussian fits.
#[derive(Debug, Clone, Default)]
pub struct GaussianFitter {
    values: Vec<f64>,
    contents: Vec<f64>,
    bins: BinnedGaussian,
}

impl GaussianFitter {
    /// A workspace; it grows to the largest sample it meets.
    pub fn new() -> Self {
        Self::default()
    }

    /// Fits the histogram of `sample` (NaN left out).
    pub fn fit(&mut self, sample: &[f64], settings: GaussianFitSettings) -> GaussianFit {
        self.values.clear();
        self.values.extend(sample.iter().copied().filter(|x| !x.is_nan()));
        let n = self.values.len();
        let Some((lo, hi)) = robust::min_max(&self.values).filter(|_| n >= 2) else {
            return GaussianFit::without_fit(Outcome::TooFewValues, f64::NAN, f64::NAN, n, (f64::NAN, f64::NAN));
        };
        if lo == hi {
            return GaussianFit::without_fit(Outcome::ConstantSample, lo, 0.0, n, (lo, hi));
        }
        if !(hi - lo).is_finite() {
            let (mu, sigma) = (robust::median_in_place(&mut self.values), f64::NAN);
            return GaussianFit::without_fit(Outcome::NoDegreesOfFreedom, mu, sigma, n, (lo, hi));
        }
        let n_bins = settings.bins.bins_in_place(&mut self.values, lo, hi);
        self.fill(lo, hi, n_bins);

        let mut peak_bin = None;
        let start = match settings.start {
            StartRule::Standard => standard_start(&mut self.values, n_bins),
            StartRule::HighDarkCurrent(finder) => match finder.find(&self.contents, lo, hi, n) {
                Some(bin) => {
                    peak_bin = Some(bin);
                    highdc_start(bin, lo, hi, n_bins, n)
                }
                None => standard_start(&mut self.values, n_bins),
            },
        };
        self.bins.set(&self.contents, lo, hi);
        let mut fit = self.minimise(&start, sample, (lo, hi));
        fit.n_bins = n_bins;
        fit.peak_bin = peak_bin;
        fit
    }

    /// Histogram of the values on [lo, hi); the largest value sits on the upper edge and is not counted.
    fn fill(&mut self, lo: f64, hi: f64, n_bins: usize) {
        self.contents.clear();
        self.contents.resize(n_bins, 0.0);
        for &x in &self.values {
            if let Some(bin) = histogram::corrected_bin(x, lo, hi, n_bins) {
                self.contents[bin] += 1.0;
            }
        }
    }

    fn minimise(&mut self, start: &Start, sample: &[f64], range: (f64, f64)) -> GaussianFit {
        let n = self.values.len();
        let ndf = self.bins.len() as i64 - 3;
        if ndf <= 0 {
            // from the sample in its own order: the buffer was reordered by selections
            let (mean_free, spread) =
                (robust::median_in_place(&mut self.values), robust::std_deviation(sample, Ddof::Population));
            let mut fit = GaussianFit::without_fit(Outcome::NoDegreesOfFreedom, mean_free, spread, n, range);
            fit.ndf = ndf;
            return fit;
        }
        let limits = Box2 { mu: start.mu_limits, sigma: start.sigma_limits };
        let solution = solver::minimise(&self.bins, [start.amplitude, start.mu, start.sigma], &limits);
        let errors = solver::errors(&self.bins, &solution, &limits);
        let Solution { parameters: [amplitude, mu, sigma], chi2, converged } = solution;
        GaussianFit {
            amplitude,
            mu,
            sigma,
            amplitude_error: errors.quoted[0],
            mu_error: errors.quoted[1],
            sigma_error: errors.quoted[2],
            covariance: errors.covariance,
            chi2,
            ndf,
            mu_at_limit: errors.mu_at_limit,
            sigma_at_limit: errors.sigma_at_limit,
            outcome: if converged { Outcome::Converged } else { Outcome::NotConverged },
            n_values: n,
            n_bins: 0,
            range,
            peak_bin: None,
        }
    }
}

/// Fits one sample; see [`GaussianFitter`] for many.
pub fn fit_gaussian(sample: &[f64], settings: GaussianFitSettings) -> GaussianFit {
    GaussianFitter::new().fit(sample, settings)
}
