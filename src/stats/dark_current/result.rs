//! Result of a dark-current fit, and its conversion to electrons.

use super::goodness::Goodness;
use super::model::{self, GAIN, LAMBDA, MU0, N_PARAMETERS, NORM, PARAMETER_NAMES, Parameters, SIGMA};
use super::settings::Method;
use crate::stats::bounded_search::IntervalEnd;
use crate::stats::histogram::Histogram;
use crate::stats::small_matrix::Matrix;
use crate::stats::status::Status;

/// A fitted parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FitParameter {
    /// Name.
    pub name: &'static str,
    /// Value.
    pub value: f64,
    /// Parabolic error, as Minuit quotes it for a parameter with two limits; 0 when fixed, on a limit or without a
    /// positive-definite Hessian.
    pub error: f64,
    /// Limits of the search (infinite for none).
    pub limits: (f64, f64),
    /// The parameter was not free.
    pub fixed: bool,
    /// The parameter rests on a limit.
    pub at_limit: bool,
    /// Ends of the profile interval (lower, upper), when asked for.
    pub interval: Option<[IntervalEnd; 2]>,
}

impl FitParameter {
    /// Distances (negative, positive) from the value to the ends of the profile interval.
    pub fn profile_errors(&self) -> Option<(f64, f64)> {
        let [lo, hi] = self.interval?;
        Some((lo.value()? - self.value, hi.value()? - self.value))
    }
}

/// A quantity with both of the errors of spec 03 §1.8.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InElectrons {
    /// p/g.
    pub value: f64,
    /// Error without the covariance of p and g, as the reference quotes it.
    pub error: f64,
    /// Error with it.
    pub error_with_covariance: f64,
}

impl InElectrons {
    /// The quantity in another unit.
    pub fn scaled(self, factor: f64) -> Self {
        Self {
            value: self.value * factor,
            error: self.error * factor,
            error_with_covariance: self.error_with_covariance * factor,
        }
    }
}

/// Direct parameters of the improved fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DirectParameters {
    /// Pixels of the whole population, in and out of the window.
    pub n_total: FitParameter,
    /// Dark current in e⁻ per binned pixel and image.
    pub electrons: FitParameter,
}

/// Which start of the multi-start search won (spec 03 §1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartUsed {
    /// Norm per bin, λ = calibration, gain in the middle of its limits.
    S1,
    /// Gain = calibration, λ from the populations of the first two peaks.
    S2,
    /// As S2 with the gain in the middle of its limits.
    S3,
    /// As S2 with a low dark current, tried when the others end on a limit (not in spec 03).
    S4,
}

/// Result of a dark-current fit.
#[derive(Debug, Clone, PartialEq)]
pub struct DarkCurrentFit {
    /// norm (counts), μ0, σ, λ (ADU), gain (ADU/e⁻), CRx, CR0.
    pub parameters: [FitParameter; N_PARAMETERS],
    /// Covariance 2·H⁻¹ of `parameters`, zero for fixed ones and those on a limit.
    pub covariance: Matrix<N_PARAMETERS>,
    /// Parameters of the improved fit.
    pub direct: Option<DirectParameters>,
    /// Objective at the minimum.
    pub objective: f64,
    /// Used bins (pixels when unbinned) − free parameters.
    pub ndf: i64,
    /// Bins used by the objective.
    pub used_bins: usize,
    /// Baker–Cousins over all bins at the fitted parameters, whatever was minimised; model at bin centres for the
    /// compatible fit, bin means for the improved ones.
    pub baker_cousins: f64,
    /// Goodness of fit.
    pub goodness: Goodness,
    /// Status word.
    pub status: Status,
    /// Which start won.
    pub start: StartUsed,
    /// What was fitted.
    pub method: Method,
    /// Peaks of the curve: n_peaks, or n_max + 1 for the improved fit.
    pub n_peaks: usize,
    /// Pixel-charge distribution in the window that was used.
    pub histogram: Histogram,
    /// Expected counts per bin at the fitted parameters.
    pub expected: Vec<f64>,
    /// Pixels strictly inside the window.
    pub included_pixels: u64,
    /// included_pixels/n_bins.
    pub norm_guess: f64,
    /// Start value of σ, ADU.
    pub sigma_guess: f64,
    /// Sentences for the log.
    pub warnings: Vec<String>,
}

impl DarkCurrentFit {
    /// Norm, counts.
    pub fn norm(&self) -> &FitParameter {
        &self.parameters[NORM]
    }

    /// Position of the zero-electron peak, ADU.
    pub fn mu0(&self) -> &FitParameter {
        &self.parameters[MU0]
    }

    /// Noise, ADU.
    pub fn sigma(&self) -> &FitParameter {
        &self.parameters[SIGMA]
    }

    /// Dark current, ADU per binned pixel and image.
    pub fn lambda(&self) -> &FitParameter {
        &self.parameters[LAMBDA]
    }

    /// Gain, ADU/e⁻.
    pub fn gain(&self) -> &FitParameter {
        &self.parameters[GAIN]
    }

    /// A fit was made (not [`Status::TOO_FEW_DATA`]).
    pub fn was_made(&self) -> bool {
        !self.status.has(Status::TOO_FEW_DATA)
    }

    /// The number quoted as `chi2`: Baker–Cousins/NDF, −999 without degrees of freedom or fit.
    pub fn chi2(&self) -> f64 {
        per_ndf(self.baker_cousins, self.ndf)
    }

    /// Objective/NDF, −999 without degrees of freedom or fit.
    pub fn objective_per_ndf(&self) -> f64 {
        per_ndf(self.objective, self.ndf)
    }

    /// Values of the parameters.
    pub fn values(&self) -> Parameters {
        self.parameters.map(|parameter| parameter.value)
    }

    /// The curve, counts per bin at charge `x` (ADU).
    pub fn curve(&self, x: f64) -> f64 {
        model::density(&self.values(), self.n_peaks, x)
    }

    /// Correlation of two parameters; 0 when one has no error.
    pub fn correlation(&self, j: usize, k: usize) -> f64 {
        let scale = (self.covariance[j][j] * self.covariance[k][k]).sqrt();
        if scale > 0.0 { self.covariance[j][k] / scale } else { 0.0 }
    }

    /// μ0 in e⁻.
    pub fn mu0_in_electrons(&self) -> InElectrons {
        self.in_electrons(MU0)
    }

    /// Noise in e⁻.
    pub fn sigma_in_electrons(&self) -> InElectrons {
        self.in_electrons(SIGMA)
    }

    /// Dark current in e⁻ per binned pixel and image.
    pub fn lambda_in_electrons(&self) -> InElectrons {
        self.in_electrons(LAMBDA)
    }

    /// p/g of the parameter number `k`.
    fn in_electrons(&self, k: usize) -> InElectrons {
        let (p, g) = (&self.parameters[k], self.gain());
        let (a, b) = (p.error / g.value, p.value * g.error / (g.value * g.value));
        let c = &self.covariance;
        let (g1, g2) = (g.value, g.value * g.value);
        let variance =
            c[k][k] / g2 + p.value * p.value * c[GAIN][GAIN] / (g2 * g2) - 2.0 * p.value * c[k][GAIN] / (g2 * g1);
        InElectrons { value: p.value / g.value, error: a.hypot(b), error_with_covariance: variance.max(0.0).sqrt() }
    }

    /// Names of free parameters that rest on a limit.
    pub fn parameters_at_limit(&self) -> Vec<&'static str> {
        self.parameters.iter().filter(|p| p.at_limit).map(|p| p.name).collect()
    }
}

fn per_ndf(value: f64, ndf: i64) -> f64 {
    if ndf > 0 && value.is_finite() { value / ndf as f64 } else { -999.0 }
}

impl FitParameter {
    /// A parameter that was not fitted.
    pub(super) fn unfitted(k: usize, limits: (f64, f64), fixed: bool) -> Self {
        Self {
            name: PARAMETER_NAMES[k],
            value: f64::NAN,
            error: f64::NAN,
            limits,
            fixed,
            at_limit: false,
            interval: None,
        }
    }
}
