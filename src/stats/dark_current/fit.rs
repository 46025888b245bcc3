//! Multi-start search and errors of the dark-current fit (spec 03 §§1.5–1.7, 1.11).

use super::goodness::{Goodness, goodness, warnings};
use super::model::{GAIN, LAMBDA, MU0, ModelGrid, N_PARAMETERS, NORM, PARAMETER_NAMES, Parameters, SIGMA};
use super::objective::{BinnedObjective, Parametrisation, baker_cousins};
use super::options::ObjectiveKind;
use super::result::{DarkCurrentFit, DirectParameters, FitParameter, StartUsed};
use super::settings::{DarkCurrentSettings, Method, Profiles};
use super::starts::{bounds, check, n_max, norm_guess, prepare, start_sigma, starts, used_window};
use super::unbinned::UnbinnedObjective;
use crate::stats::bounded_search::{
    Bounds, Objective, Reached, covariance, descend, polish, profile_interval, quoted_error,
};
use crate::stats::dark_current::model::BinValue;
use crate::stats::error::StatsError;
use crate::stats::histogram::Histogram;
use crate::stats::small_matrix::Matrix;
use crate::stats::status::Status;

/// Gain per step, in units of the objective, at which a descent from one start ends.
const COARSE: f64 = 1e-5;

/// Fits the pixel charges (ADU, NaN left out).
///
/// # Errors
/// Window empty or without bins, inverted limits, impossible number of peaks. Too few pixels are not an error: see
/// [`Status::TOO_FEW_DATA`].
pub fn fit_pixels(pixels: &[f64], settings: &DarkCurrentSettings) -> Result<DarkCurrentFit, StatsError> {
    check(settings)?;
    let window = used_window(settings);
    let (lo, hi) = window;
    if !(lo < hi && (hi - lo).is_finite()) {
        return Err(StatsError::EmptyRange { lo, hi });
    }
    let included = pixels.iter().filter(|&&q| q > lo && q < hi).count();
    let n_bins = match settings.bin_width.n_bins(window, included) {
        // the automatic width of no pixels: there is nothing to fit, which is not the configuration's fault
        Err(_) if included == 0 => 1,
        other => other?,
    };
    let histogram = Histogram::window(pixels, lo, hi, n_bins)?;
    match settings.method {
        Method::Unbinned => {
            let objective = UnbinnedObjective::new(pixels, window, n_max(settings, window));
            let bounds = bounds(settings, &histogram, Parametrisation::Electrons, true)?;
            Ok(Problem::new(settings, histogram, bounds).run(objective))
        }
        Method::Root | Method::Binned => fit_bins(histogram, settings),
    }
}

/// Fits a histogram; it is the window, `settings.window` and `bin_width` are not used.
///
/// # Errors
/// Inverted limits, impossible number of peaks, or [`Method::Unbinned`], which needs pixels.
pub fn fit_histogram(histogram: &Histogram, settings: &DarkCurrentSettings) -> Result<DarkCurrentFit, StatsError> {
    check(settings)?;
    if settings.method == Method::Unbinned {
        return Err(StatsError::Length { what: "pixels of an unbinned fit", expected: 1, got: 0 });
    }
    fit_bins(histogram.clone(), settings)
}

fn fit_bins(histogram: Histogram, settings: &DarkCurrentSettings) -> Result<DarkCurrentFit, StatsError> {
    let (parametrisation, kind, bin_value, n_peaks, linear) = match settings.method {
        Method::Root => {
            let options = &settings.options;
            let linear = settings.linear_term.is_some();
            (Parametrisation::Adu, options.objective, options.bin_value, settings.n_peaks, linear)
        }
        Method::Binned | Method::Unbinned => {
            let n_peaks = n_max(settings, (histogram.lo(), histogram.hi())) + 1;
            (Parametrisation::Electrons, ObjectiveKind::Likelihood, BinValue::Mean, n_peaks, false)
        }
    };
    let bounds = bounds(settings, &histogram, parametrisation, false)?;
    let grid = ModelGrid::new(histogram.lo(), histogram.width(), histogram.n_bins(), n_peaks, bin_value, linear);
    let free = std::array::from_fn(|k| !bounds.is_fixed(k));
    let objective = BinnedObjective::new(grid, histogram.width(), histogram.contents(), kind, parametrisation, free);
    Ok(Problem::new(settings, histogram, bounds).run(objective))
}

/// What [`Problem::run`] needs besides an [`Objective`].
trait FitObjective: Objective<N_PARAMETERS> {
    /// Bins the objective uses, as they enter the degrees of freedom.
    fn used_bins(&self, histogram: &Histogram) -> usize;
    /// Expected counts per bin at the solution, given in both parametrisations.
    fn expected(&mut self, p: &Parameters, histogram: &Histogram, n_total: f64) -> Vec<f64>;
    /// Peaks of the curve.
    fn n_peaks(&self) -> usize;
    /// Norm of the population and its gradient, when it is not a parameter itself.
    fn derived_total(&mut self, _p: &Parameters) -> Option<(f64, f64, Parameters)> {
        None
    }
}

impl FitObjective for BinnedObjective {
    fn used_bins(&self, histogram: &Histogram) -> usize {
        if self.kind().uses_empty_bins() { histogram.n_bins() } else { histogram.non_empty() }
    }

    fn expected(&mut self, p: &Parameters, _histogram: &Histogram, _n_total: f64) -> Vec<f64> {
        BinnedObjective::expected(self, p).to_vec()
    }

    fn n_peaks(&self) -> usize {
        self.grid().n_peaks()
    }
}

impl FitObjective for UnbinnedObjective {
    fn used_bins(&self, histogram: &Histogram) -> usize {
        histogram.n_bins()
    }

    fn expected(&mut self, p: &Parameters, histogram: &Histogram, n_total: f64) -> Vec<f64> {
        let width = histogram.width();
        let mut grid = ModelGrid::new(histogram.lo(), width, histogram.n_bins(), self.n_peaks(), BinValue::Mean, false);
        let gain = p[GAIN];
        grid.evaluate(&[n_total * width / gain, p[MU0], p[SIGMA], p[LAMBDA] * gain, gain, 0.0, 0.0]);
        grid.values
    }

    fn n_peaks(&self) -> usize {
        self.n_max() + 1
    }

    /// N_tot = n/Z with the Poisson fluctuation of n: (value, variance of that part, gradient).
    fn derived_total(&mut self, p: &Parameters) -> Option<(f64, f64, Parameters)> {
        let n = self.n_pixels() as f64;
        let (z, dz) = self.window_probability(p);
        Some((n / z, n / (z * z), dz.map(|d| -n / (z * z) * d)))
    }
}

struct Problem<'a> {
    settings: &'a DarkCurrentSettings,
    histogram: Histogram,
    bounds: Bounds<N_PARAMETERS>,
    parametrisation: Parametrisation,
    included: u64,
}

impl<'a> Problem<'a> {
    fn new(settings: &'a DarkCurrentSettings, histogram: Histogram, bounds: Bounds<N_PARAMETERS>) -> Self {
        let parametrisation =
            if settings.method == Method::Root { Parametrisation::Adu } else { Parametrisation::Electrons };
        let included = histogram.total();
        Self { settings, histogram, bounds, parametrisation, included }
    }

    fn run(self, mut objective: impl FitObjective) -> DarkCurrentFit {
        let n_free = (0..N_PARAMETERS).filter(|&k| !self.bounds.is_fixed(k)).count();
        let used_bins = objective.used_bins(&self.histogram);
        // the norm of an unbinned fit is determined by the number of pixels, which the histogram knows too
        let determined = n_free + usize::from(self.settings.method == Method::Unbinned);
        let ndf = used_bins as i64 - determined as i64;
        if ndf <= 0 || self.included == 0 {
            return self.unfitted(&objective, used_bins, ndf);
        }
        let (start, best) = self.search(&mut objective);
        let (best, hessian) = polish(&mut objective, best, &self.bounds);
        let (best, hessian) = if best.converged {
            (best, hessian)
        } else {
            // a bent valley: walk on with small steps, then try again
            let again = descend(&mut objective, &best.p, &self.bounds, 1e-9);
            polish(&mut objective, again, &self.bounds)
        };
        let mut status = Status::default();
        let cov = covariance(&hessian, &best.p, &self.bounds);
        if cov.is_none() {
            status.0 |= Status::NOT_POSITIVE_DEFINITE;
        }
        if !best.converged || !best.at.value.is_finite() {
            status.0 |= Status::NOT_CONVERGED;
        }
        if (0..N_PARAMETERS).any(|k| self.bounds.is_at_limit(k, best.p[k])) {
            status.0 |= Status::AT_LIMIT;
        }
        let cov = cov.unwrap_or([[0.0; N_PARAMETERS]; N_PARAMETERS]);
        let wanted = self.settings.method != Method::Root || self.settings.options.minos;
        let fitted = self.parameters(&mut objective, &best, &cov, wanted);
        self.result(objective, fitted, best, cov, status, start, used_bins, ndf)
    }

    /// The lowest of the minima reached from the starts; of equal ones (1e-6 relative) the first.
    fn search(&self, objective: &mut impl FitObjective) -> (StartUsed, Reached<N_PARAMETERS>) {
        let starts = starts(self.settings, &self.histogram);
        let from = |objective: &mut _, start: &Parameters| {
            let start = prepare(start, self.parametrisation, self.histogram.width(), &self.bounds);
            descend(objective, &start, &self.bounds, COARSE)
        };
        let mut best = (StartUsed::S1, from(objective, &starts[0].1));
        let keep_lower = |best: &mut (StartUsed, Reached<N_PARAMETERS>), name, reached: Reached<N_PARAMETERS>| {
            let (value, other) = (reached.at.value, best.1.at.value);
            if value.is_finite() && (!other.is_finite() || value < other - 1e-6 * other.abs()) {
                *best = (name, reached);
            }
        };
        for (name, start) in &starts[1..] {
            let reached = from(objective, start);
            keep_lower(&mut best, *name, reached);
        }
        // Everything ran to a limit: so it goes when the tail of a wide zero-electron peak passes for a first peak.
        // Once more, from a dark current well below that.
        let at_limit = (0..N_PARAMETERS).any(|k| self.bounds.is_at_limit(k, best.1.p[k]));
        if (at_limit || !best.1.at.value.is_finite()) && self.settings.start.lambda_electrons.is_none() {
            let mut low = starts[1].1;
            low[LAMBDA] = (low[LAMBDA] * self.settings.limits.lambda.0.max(1e-4 * low[GAIN])).sqrt();
            let reached = from(objective, &low);
            keep_lower(&mut best, StartUsed::S4, reached);
        }
        best
    }

    /// Values, quoted errors and, if wanted, profile intervals of the parameters of the fit.
    fn parameters(
        &self,
        objective: &mut impl FitObjective,
        best: &Reached<N_PARAMETERS>,
        cov: &Matrix<N_PARAMETERS>,
        intervals: bool,
    ) -> [FitParameter; N_PARAMETERS] {
        std::array::from_fn(|k| {
            let wanted = intervals && (k == LAMBDA || self.settings.profiles == Profiles::All);
            let (lo, hi) = (self.bounds.lo[k], self.bounds.hi[k]);
            let value = best.p[k];
            let parabolic = cov[k][k].max(0.0).sqrt();
            FitParameter {
                name: PARAMETER_NAMES[k],
                value,
                error: if parabolic > 0.0 { quoted_error(value, parabolic, lo, hi) } else { 0.0 },
                limits: (lo, hi),
                fixed: self.bounds.is_fixed(k),
                at_limit: self.bounds.is_at_limit(k, value),
                interval: (wanted && parabolic > 0.0).then(|| profile_interval(objective, best, cov, &self.bounds, k)),
            }
        })
    }

    #[allow(clippy::too_many_arguments)]
    fn result(
        self,
        mut objective: impl FitObjective,
        fitted: [FitParameter; N_PARAMETERS],
        best: Reached<N_PARAMETERS>,
        cov: Matrix<N_PARAMETERS>,
        status: Status,
        start: StartUsed,
        used_bins: usize,
        ndf: i64,
    ) -> DarkCurrentFit {
        let (mut parameters, mut cov, mut direct) = (fitted, cov, None);
        if self.parametrisation == Parametrisation::Electrons {
            let mut total = fitted[NORM];
            total.name = "n_total";
            if let Some((value, variance, gradient)) = objective.derived_total(&best.p) {
                // N_tot follows from the others: propagate
                let row: Parameters = std::array::from_fn(|k| (0..N_PARAMETERS).map(|j| cov[k][j] * gradient[j]).sum());
                cov[NORM] = row;
                for k in 0..N_PARAMETERS {
                    cov[k][NORM] = row[k];
                }
                cov[NORM][NORM] = variance + (0..N_PARAMETERS).map(|k| gradient[k] * row[k]).sum::<f64>();
                total.value = value;
                total.error = cov[NORM][NORM].max(0.0).sqrt();
                total.limits = (0.0, f64::INFINITY);
                total.fixed = false;
            }
            let electrons = FitParameter { name: "electrons", ..fitted[LAMBDA] };
            direct = Some(DirectParameters { n_total: total, electrons });
            cov = self.to_adu(&mut parameters, &total, &electrons, &cov);
        }
        let total = direct.as_ref().map_or(0.0, |direct| direct.n_total.value);
        let expected = objective.expected(&best.p, &self.histogram, total);
        let baker_cousins = baker_cousins(&self.histogram.contents(), &self.compared(&parameters, &expected));
        let n_determined = used_bins as i64 - ndf;
        let mut fit = DarkCurrentFit {
            parameters,
            covariance: cov,
            direct,
            objective: best.at.value,
            ndf,
            used_bins,
            baker_cousins,
            goodness: goodness(&self.histogram, &expected, n_determined),
            status,
            start,
            method: self.settings.method,
            n_peaks: objective.n_peaks(),
            included_pixels: self.included,
            norm_guess: norm_guess(&self.histogram),
            sigma_guess: start_sigma(self.settings),
            expected,
            warnings: Vec::new(),
            histogram: self.histogram,
        };
        fit.warnings = warnings(&fit, self.settings);
        fit
    }

    /// Expected counts that the quoted `chi2` compares with: at bin centres for the compatible fit, also when the bin
    /// means were fitted (as the reference does).
    fn compared(&self, parameters: &[FitParameter; N_PARAMETERS], expected: &[f64]) -> Vec<f64> {
        if self.settings.method != Method::Root || self.settings.options.bin_value == BinValue::Centre {
            return expected.to_vec();
        }
        let (histogram, n_peaks) = (&self.histogram, self.settings.n_peaks);
        let mut grid =
            ModelGrid::new(histogram.lo(), histogram.width(), histogram.n_bins(), n_peaks, BinValue::Centre, false);
        grid.evaluate(&parameters.map(|parameter| parameter.value));
        grid.values
    }

    /// Replaces N_tot and L by norm = N_tot·w/g and λ = L·g, with their errors; returns the covariance in ADU.
    fn to_adu(
        &self,
        parameters: &mut [FitParameter; N_PARAMETERS],
        total: &FitParameter,
        electrons: &FitParameter,
        cov: &Matrix<N_PARAMETERS>,
    ) -> Matrix<N_PARAMETERS> {
        let (width, gain) = (self.histogram.width(), parameters[GAIN].value);
        let mut jacobian = [[0.0; N_PARAMETERS]; N_PARAMETERS];
        for (k, row) in jacobian.iter_mut().enumerate() {
            row[k] = 1.0;
        }
        jacobian[NORM][NORM] = width / gain;
        jacobian[NORM][GAIN] = -total.value * width / (gain * gain);
        jacobian[LAMBDA][LAMBDA] = gain;
        jacobian[LAMBDA][GAIN] = electrons.value;
        let mut adu = [[0.0; N_PARAMETERS]; N_PARAMETERS];
        for row in 0..N_PARAMETERS {
            for col in 0..N_PARAMETERS {
                for j in 0..N_PARAMETERS {
                    for k in 0..N_PARAMETERS {
                        adu[row][col] += jacobian[row][j] * cov[j][k] * jacobian[col][k];
                    }
                }
            }
        }
        for (k, value) in [(NORM, total.value * width / gain), (LAMBDA, electrons.value * gain)] {
            parameters[k] = FitParameter {
                name: PARAMETER_NAMES[k],
                value,
                error: adu[k][k].max(0.0).sqrt(),
                interval: None,
                ..if k == NORM { *total } else { *electrons }
            };
        }
        parameters[LAMBDA].limits = self.settings.limits.lambda;
        adu
    }

    fn unfitted(self, objective: &impl FitObjective, used_bins: usize, ndf: i64) -> DarkCurrentFit {
        let parameters = std::array::from_fn(|k| {
            FitParameter::unfitted(k, (self.bounds.lo[k], self.bounds.hi[k]), self.bounds.is_fixed(k))
        });
        let n_free = (0..N_PARAMETERS).filter(|k| !self.bounds.is_fixed(*k)).count();
        let sentence = format!(
            "the dark-current fit was not made: {} pixels lie in the window ({}, {}) and fill {} bins; more than {n_free} are needed",
            self.included,
            self.histogram.lo(),
            self.histogram.hi(),
            self.histogram.contents().iter().filter(|h| **h > 0.0).count(),
        );
        DarkCurrentFit {
            parameters,
            covariance: [[0.0; N_PARAMETERS]; N_PARAMETERS],
            direct: None,
            objective: f64::NAN,
            ndf,
            used_bins,
            baker_cousins: f64::NAN,
            goodness: Goodness::UNKNOWN,
            status: Status(Status::TOO_FEW_DATA),
            start: StartUsed::S1,
            method: self.settings.method,
            n_peaks: objective.n_peaks(),
            included_pixels: self.included,
            norm_guess: norm_guess(&self.histogram),
            sigma_guess: start_sigma(self.settings),
            expected: vec![0.0; self.histogram.n_bins()],
            warnings: vec![sentence],
            histogram: self.histogram,
        }
    }
}
