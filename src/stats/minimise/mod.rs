//! General fits: any model, named parameters with limits, errors and profile intervals.
//!
//! For fits that run once per image or amplifier (two-dimensional Gaussians, exponentials, calibrations), where the
//! model is a closure and derivatives are taken numerically. Fits that run thousands of times have engines of their
//! own ([`crate::stats::gaussian_fit`], [`crate::stats::profile_fit`], [`crate::stats::dark_current`]).
//!
//! | objective | call |
//! |---|---|
//! | Σ ((y − f(x))/σ)² of points | [`Fit::least_squares`] |
//! | the same for a vector of expectations (images, histograms) | [`Fit::least_squares_of`] |
//! | 2 Σ [f − h + h·ln(h/f)], counts per bin | [`Fit::poisson`] |
//! | any function of the parameters | [`Fit::minimise`] |
//!
//! The search is [`crate::stats::bounded_search`]: Levenberg–Marquardt with limits; the first three objectives use the
//! derivatives of the model, the last one second differences of the function. Errors come from the second derivatives
//! at the minimum (what HESSE does), for a rise of the objective by [`Fit::error_definition`]: 1 for χ² and −2 ln L,
//! ½ for −ln L; asymmetric intervals (MINOS) on request. The results are those of Minuit, against which the tests
//! compare.
//!
//! ```
//! use panaskimg::stats::minimise::{Fit, Parameter};
//!
//! // y = a·exp(−b·x)
//! let x = [0.0, 1.0, 2.0, 3.0];
//! let y = [2.0, 1.213, 0.736, 0.446];
//! let fit = Fit::new([Parameter::new("a", 1.0, 0.1), Parameter::new("b", 1.0, 0.1).limited(0.0, 50.0)])
//!     .least_squares(&x, &y, &[0.01; 4], |x, p| p[0] * (-p[1] * x).exp())?;
//! assert!(fit.status.is_good());
//! assert!((fit.value("b").unwrap() - 0.5).abs() < 0.01);
//! # Ok::<(), panaskimg::stats::StatsError>(())
//! ```

mod cost;
mod hesse;
#[cfg(test)]
mod tests;

use crate::stats::bounded_search::{Bounds, Reached, covariance, descend, estimated_distance, profile_interval};
use crate::stats::error::StatsError;
use crate::stats::status::Status;
use cost::{ScalarCost, VectorCost, VectorKind};

/// Most parameters of one fit, fixed ones included.
pub const MAX_PARAMETERS: usize = 16;

/// A parameter before the fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    name: String,
    start: f64,
    step: f64,
    limits: (f64, f64),
    fixed: bool,
}

impl Parameter {
    /// A free parameter with a start value and a first step (about its expected error; it sets the scale of numerical
    /// derivatives near zero).
    pub fn new(name: impl Into<String>, start: f64, step: f64) -> Self {
        Self { name: name.into(), start, step, limits: (f64::NEG_INFINITY, f64::INFINITY), fixed: false }
    }

    /// The same within limits; an infinite end is no limit. The start value is moved inside.
    pub fn limited(mut self, lo: f64, hi: f64) -> Self {
        self.limits = (lo, hi);
        self
    }

    /// The same, held at its start value.
    pub fn fixed(mut self) -> Self {
        self.fixed = true;
        self
    }
}

/// A parameter after the fit.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedParameter {
    /// Name.
    pub name: String,
    /// Value.
    pub value: f64,
    /// Parabolic error; 0 when fixed, on a limit or without a positive-definite Hessian.
    pub error: f64,
    /// Distances (negative, positive) to the ends of the profile interval, when asked for and found.
    pub minos: Option<(f64, f64)>,
    /// Limits.
    pub limits: (f64, f64),
    /// The parameter was held.
    pub fixed: bool,
    /// The parameter rests on a limit.
    pub at_limit: bool,
}

/// Result of a fit.
#[derive(Debug, Clone, PartialEq)]
pub struct FitResult {
    /// Parameters in the order given.
    pub parameters: Vec<FittedParameter>,
    /// Covariance, row by row over all parameters; zero for fixed ones and those on a limit.
    pub covariance: Vec<Vec<f64>>,
    /// Objective at the minimum.
    pub minimum: f64,
    /// Data points − free parameters, when the number of points is known.
    pub ndf: Option<i64>,
    /// Status word.
    pub status: Status,
}

impl FitResult {
    /// Value of a parameter.
    pub fn value(&self, name: &str) -> Option<f64> {
        self.parameters.iter().find(|p| p.name == name).map(|p| p.value)
    }

    /// Error of a parameter.
    pub fn error(&self, name: &str) -> Option<f64> {
        self.parameters.iter().find(|p| p.name == name).map(|p| p.error)
    }

    /// Values in the order given.
    pub fn values(&self) -> Vec<f64> {
        self.parameters.iter().map(|p| p.value).collect()
    }

    /// χ²/NDF, −999 without degrees of freedom.
    pub fn chi2_per_ndf(&self) -> f64 {
        match self.ndf {
            Some(ndf) if ndf > 0 => self.minimum / ndf as f64,
            _ => -999.0,
        }
    }

    /// Errors and covariance for unweighted data: scaled so that χ²/NDF becomes 1. No change without degrees of freedom.
    pub fn scaled_to_residuals(mut self) -> Self {
        let Some(ndf) = self.ndf.filter(|&ndf| ndf > 0) else {
            return self;
        };
        let variance = self.minimum / ndf as f64;
        let factor = variance.sqrt();
        for element in self.covariance.iter_mut().flatten() {
            *element *= variance;
        }
        for parameter in &mut self.parameters {
            parameter.error *= factor;
            parameter.minos = parameter.minos.map(|(down, up)| (down * factor, up * factor));
        }
        self
    }
}

/// A fit to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    parameters: Vec<Parameter>,
    up: f64,
    minos: bool,
}

impl Fit {
    /// A fit of these parameters.
    pub fn new(parameters: impl IntoIterator<Item = Parameter>) -> Self {
        Self { parameters: parameters.into_iter().collect(), up: 1.0, minos: false }
    }

    /// Rise of the function of [`Fit::minimise`] that defines one standard deviation: 1 (default) for χ² and −2 ln L,
    /// ½ for −ln L.
    pub fn error_definition(mut self, up: f64) -> Self {
        self.up = up;
        self
    }

    /// Also search the profile intervals.
    pub fn with_minos(mut self, minos: bool) -> Self {
        self.minos = minos;
        self
    }

    /// Minimises a function of the parameters, given in the order of [`Fit::new`]. Where it is not a finite number the
    /// search does not go.
    ///
    /// # Errors
    /// Inverted limits, start values that are not numbers, more than [`MAX_PARAMETERS`] parameters.
    pub fn minimise(&self, function: impl FnMut(&[f64]) -> f64) -> Result<FitResult, StatsError> {
        let (start, bounds) = self.start()?;
        let up = if self.up > 0.0 && self.up.is_finite() { self.up } else { 1.0 };
        // the engine knows ΔF = 1
        let mut function = function;
        let n = self.parameters.len();
        let mut scaled = |p: &[f64]| function(&p[..n]) / up;
        let mut cost = ScalarCost::new(&mut scaled, &bounds, self.scales());
        let mut result = self.run(&mut cost, &start, &bounds);
        result.minimum *= up;
        Ok(result)
    }

    /// Least squares Σ ((y − f(x))/σ)² of points with errors `sigma`. Points whose y or σ is not finite, or whose σ is
    /// not positive, are left out.
    ///
    /// # Errors
    /// Different lengths, and as [`Fit::minimise`].
    pub fn least_squares(
        &self,
        x: &[f64],
        y: &[f64],
        sigma: &[f64],
        model: impl Fn(f64, &[f64]) -> f64,
    ) -> Result<FitResult, StatsError> {
        same_length("y values of a fit", y, x.len())?;
        self.least_squares_of(y, sigma, |p, expected| {
            for (expected, &x) in expected.iter_mut().zip(x) {
                *expected = model(x, p);
            }
        })
    }

    /// Least squares of data whose expectations `model` writes, all at once, into its second argument. Data that are
    /// not finite or whose error is not finite and positive are left out.
    ///
    /// # Errors
    /// Different lengths, and as [`Fit::minimise`].
    pub fn least_squares_of(
        &self,
        data: &[f64],
        sigma: &[f64],
        model: impl FnMut(&[f64], &mut [f64]),
    ) -> Result<FitResult, StatsError> {
        same_length("errors of a fit", sigma, data.len())?;
        let weights: Vec<f64> = data
            .iter()
            .zip(sigma)
            .map(|(y, sigma)| {
                let weight = 1.0 / (sigma * sigma);
                if y.is_finite() && *sigma > 0.0 && weight.is_finite() { weight } else { 0.0 }
            })
            .collect();
        self.vector(data, VectorKind::LeastSquares(weights), model)
    }

    /// Poisson likelihood ratio 2 Σ [f − h + h·ln(h/f)] of counts (Baker & Cousins 1984) whose expectations `model`
    /// writes into its second argument. All bins count, also empty ones.
    ///
    /// # Errors
    /// As [`Fit::minimise`].
    pub fn poisson(&self, counts: &[f64], model: impl FnMut(&[f64], &mut [f64])) -> Result<FitResult, StatsError> {
        self.vector(counts, VectorKind::Poisson, model)
    }

    fn vector(
        &self,
        data: &[f64],
        kind: VectorKind,
        model: impl FnMut(&[f64], &mut [f64]),
    ) -> Result<FitResult, StatsError> {
        let (start, bounds) = self.start()?;
        let used = match &kind {
            VectorKind::LeastSquares(weights) => weights.iter().filter(|&&weight| weight > 0.0).count(),
            VectorKind::Poisson => data.len(),
        };
        let n_free = (0..MAX_PARAMETERS).filter(|&k| !bounds.is_fixed(k)).count();
        let ndf = used as i64 - n_free as i64;
        let mut cost = VectorCost::new(data, kind, model, &bounds, self.parameters.len(), self.scales());
        let mut result = if ndf < 0 {
            self.report(&start, f64::NAN, Status(Status::TOO_FEW_DATA), &bounds)
        } else {
            self.run(&mut cost, &start, &bounds)
        };
        result.ndf = Some(ndf);
        Ok(result)
    }

    fn scales(&self) -> [f64; MAX_PARAMETERS] {
        let mut scales = [1.0; MAX_PARAMETERS];
        for (scale, p) in scales.iter_mut().zip(&self.parameters) {
            *scale = if p.step.is_finite() && p.step != 0.0 { p.step.abs() } else { 0.1 * p.start.abs().max(0.1) };
        }
        scales
    }

    /// Start point and limits in the engine's fixed-size form; slots without a parameter are fixed at 0.
    fn start(&self) -> Result<([f64; MAX_PARAMETERS], Bounds<MAX_PARAMETERS>), StatsError> {
        let n = self.parameters.len();
        if n > MAX_PARAMETERS {
            return Err(StatsError::Length { what: "parameters of a fit", expected: MAX_PARAMETERS, got: n });
        }
        let mut start = [0.0; MAX_PARAMETERS];
        let mut bounds = Bounds { lo: [0.0; MAX_PARAMETERS], hi: [0.0; MAX_PARAMETERS] };
        for (k, p) in self.parameters.iter().enumerate() {
            let (lo, hi) = p.limits;
            if lo > hi || lo.is_nan() || hi.is_nan() {
                return Err(StatsError::InvalidLimits { name: p.name.clone(), lo, hi });
            }
            if !p.start.is_finite() {
                return Err(StatsError::InvalidStart { name: p.name.clone(), value: p.start });
            }
            // off the limits, so that the search sees both sides at first
            let margin = if (hi - lo).is_finite() { 1e-6 * (hi - lo) } else { 0.0 };
            start[k] = if p.fixed { p.start } else { p.start.max(lo + margin).min(hi - margin) };
            (bounds.lo[k], bounds.hi[k]) = if p.fixed { (p.start, p.start) } else { (lo, hi) };
        }
        Ok((start, bounds))
    }

    fn run(
        &self,
        cost: &mut impl cost::Cost,
        start: &[f64; MAX_PARAMETERS],
        bounds: &Bounds<MAX_PARAMETERS>,
    ) -> FitResult {
        let mut status = Status(0);
        let mut reached = descend(cost, start, bounds, 1e-7);
        if !reached.converged {
            reached = descend(cost, &reached.p, bounds, 1e-7);
        }
        if !reached.at.value.is_finite() {
            return self.report(&reached.p, f64::NAN, Status(Status::NOT_CONVERGED), bounds);
        }
        let hessian = hesse::second_derivatives(cost, &reached, bounds);
        let distance = estimated_distance(&hessian, &reached.p, &reached.at.gradient, bounds);
        if !(reached.converged && distance.abs() < 1e-3) {
            status.0 |= Status::NOT_CONVERGED;
        }
        let errors = covariance(&hessian, &reached.p, bounds);
        if errors.is_none() {
            status.0 |= Status::NOT_POSITIVE_DEFINITE;
        }
        let mut result = self.report(&reached.p, reached.at.value, status, bounds);
        if let Some(covariance) = errors {
            self.set_errors(&mut result, cost, &reached, &covariance, &hessian, bounds);
        }
        result
    }

    fn set_errors(
        &self,
        result: &mut FitResult,
        cost: &mut impl cost::Cost,
        reached: &Reached<MAX_PARAMETERS>,
        covariance: &[[f64; MAX_PARAMETERS]; MAX_PARAMETERS],
        hessian: &[[f64; MAX_PARAMETERS]; MAX_PARAMETERS],
        bounds: &Bounds<MAX_PARAMETERS>,
    ) {
        let n = self.parameters.len();
        for (k, (target, row)) in result.covariance.iter_mut().zip(covariance).enumerate() {
            target.copy_from_slice(&row[..n]);
            result.parameters[k].error = row[k].max(0.0).sqrt();
        }
        if self.minos && result.status.0 & Status::NOT_CONVERGED == 0 {
            cost.keep_curvature(hessian);
            for k in (0..n).filter(|&k| covariance[k][k] > 0.0) {
                let [lo, hi] = profile_interval(cost, reached, covariance, bounds, k);
                result.parameters[k].minos = match (lo.value(), hi.value()) {
                    (Some(lo), Some(hi)) => Some((lo - reached.p[k], hi - reached.p[k])),
                    _ => None,
                };
            }
        }
    }

    /// A result without errors.
    fn report(
        &self,
        p: &[f64; MAX_PARAMETERS],
        minimum: f64,
        mut status: Status,
        bounds: &Bounds<MAX_PARAMETERS>,
    ) -> FitResult {
        let n = self.parameters.len();
        let parameters: Vec<FittedParameter> = self
            .parameters
            .iter()
            .enumerate()
            .map(|(k, parameter)| FittedParameter {
                name: parameter.name.clone(),
                value: p[k],
                error: 0.0,
                minos: None,
                limits: parameter.limits,
                fixed: bounds.is_fixed(k),
                at_limit: bounds.is_at_limit(k, p[k]),
            })
            .collect();
        if parameters.iter().any(|parameter| parameter.at_limit) {
            status.0 |= Status::AT_LIMIT;
        }
        FitResult { parameters, covariance: vec![vec![0.0; n]; n], minimum, ndf: None, status }
    }
}

fn same_length(what: &'static str, values: &[f64], expected: usize) -> Result<(), StatsError> {
    if values.len() == expected { Ok(()) } else { Err(StatsError::Length { what, expected, got: values.len() }) }
}
