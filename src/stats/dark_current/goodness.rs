//! Goodness of the dark-current fit, and what to tell the user about it.

use super::options::ObjectiveKind;
use super::result::DarkCurrentFit;
use super::settings::{DarkCurrentSettings, Method};
use crate::stats::bounded_search::IntervalEnd;
use crate::stats::distributions::chi2_survival;
use crate::stats::histogram::Histogram;
use crate::stats::status::Status;

/// Share of fitted pixels outside the modelled peaks above which a likelihood is called biased (spec 03 §1.12).
const OUTSIDE_SHARE: f64 = 0.02;
/// The same when a parameter rests on a limit, which these pixels may have caused.
const VISIBLE_SHARE: f64 = 5e-4;

/// How well the curve describes the histogram, whatever was minimised: Pearson's χ² with adjacent bins merged, from the
/// left, until 5 counts are expected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Goodness {
    /// χ²; NaN if too little is expected.
    pub chi2: f64,
    /// Merged bins − parameters.
    pub ndf: i64,
    /// Probability of a larger χ²; NaN without degrees of freedom.
    pub p_value: f64,
}

impl Goodness {
    /// Nothing was fitted.
    pub(super) const UNKNOWN: Self = Self { chi2: f64::NAN, ndf: 0, p_value: f64::NAN };
}

/// Compares counts with what is expected; the fit determined `n_determined` parameters.
pub(super) fn goodness(histogram: &Histogram, expected: &[f64], n_determined: i64) -> Goodness {
    let mut groups: Vec<(f64, f64)> = Vec::new();
    let (mut h, mut nu) = (0.0, 0.0);
    for (&count, &expectation) in histogram.counts().iter().zip(expected) {
        h += count as f64;
        nu += expectation;
        if nu >= 5.0 {
            groups.push((h, nu));
            (h, nu) = (0.0, 0.0);
        }
    }
    match groups.last_mut() {
        // what is left on the right joins the last group
        Some(last) => *last = (last.0 + h, last.1 + nu),
        None => return Goodness::UNKNOWN,
    }
    let chi2: f64 = groups.iter().map(|(h, nu)| (h - nu) * (h - nu) / nu).sum();
    let ndf = groups.len() as i64 - n_determined;
    Goodness { chi2, ndf, p_value: if ndf > 0 { chi2_survival(chi2, ndf as u64) } else { f64::NAN } }
}

/// Sentences for the log (spec 03 §1.12).
pub(super) fn warnings(fit: &DarkCurrentFit, settings: &DarkCurrentSettings) -> Vec<String> {
    let mut sentences = Vec::new();
    if fit.status.has(Status::NOT_CONVERGED) {
        sentences.push("the dark-current fit did not converge; its values are not to be trusted".to_owned());
    }
    if fit.status.has(Status::NOT_POSITIVE_DEFINITE) {
        sentences
            .push("the Hessian of the dark-current fit is not positive definite: the errors are unknown".to_owned());
    }
    let at_limit = fit.parameters_at_limit();
    if !at_limit.is_empty() {
        let texts: Vec<String> = at_limit
            .iter()
            .filter_map(|name| fit.parameters.iter().find(|p| p.name == *name))
            .map(|p| format!("{} = {:.6} (limits {}…{})", p.name, p.value, p.limits.0, p.limits.1))
            .collect();
        sentences.push(format!("the fit rests on a limit: {}", texts.join(", ")));
    }
    let likelihood = settings.method == Method::Root
        && matches!(settings.options.objective, ObjectiveKind::Likelihood | ObjectiveKind::Pearson);
    if likelihood {
        let (mu0, gain) = (fit.mu0().value, fit.gain().value);
        let range = (mu0 - gain, mu0 + (settings.n_peaks as f64 - 0.5) * gain);
        let outside: u64 = fit
            .histogram
            .counts()
            .iter()
            .enumerate()
            .filter(|(bin, _)| {
                let x = fit.histogram.centre(*bin);
                x <= range.0 || x >= range.1
            })
            .map(|(_, count)| count)
            .sum();
        let fraction = outside as f64 / fit.included_pixels.max(1) as f64;
        if fraction > OUTSIDE_SHARE || (!at_limit.is_empty() && fraction > VISIBLE_SHARE) {
            sentences.push(format!(
                "{:.1} % of the fitted pixels lie outside the {} modelled peaks, which biases a likelihood: raise `n_peaks`, \
                 narrow the window (`x_min`, `x_max`), or use `fit_options` \"Q\"",
                100.0 * fraction,
                settings.n_peaks
            ));
        }
    }
    for parameter in &fit.parameters {
        if parameter.interval.is_some_and(|ends| ends.contains(&IntervalEnd::Failed)) {
            sentences.push(format!("the profile interval of {} could not be found", parameter.name));
        }
    }
    if settings.method == Method::Root && !settings.options.unknown.is_empty() {
        let letters: Vec<String> = settings.options.unknown.iter().map(char::to_string).collect();
        sentences.push(format!("`fit_options`: letters without meaning are ignored: {}", letters.join(" ")));
    }
    sentences
}
