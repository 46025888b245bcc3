//! A sample as a histogram with the Gaussian fitted to it, as a panel of a figure.

use super::fit_verdict::FitVerdict;
use super::units::shown;
use crate::plot::{Histogram, Line, Note, Panel};
use crate::stats::gaussian_fit::GaussianFit;
use crate::stats::histogram;

/// Histogram of `values` with the bins of `fit`, the fitted curve and a box with its numbers; a fit that is not good is
/// marked in red. `unit` goes to the names of the numbers.
pub fn gaussian_panel(values: &[f64], fit: &GaussianFit, unit: &str) -> Panel {
    let verdict = FitVerdict::from(fit);
    let mut panel = Panel::new().y("counts");
    let (lo, hi) = fit.range;
    if let Ok(bins) = histogram::Histogram::corrected(values, lo, hi, fit.n_bins.max(1)) {
        panel = panel.histogram(Histogram::uniform(lo, hi, bins.contents()));
    }
    let mut note = Note::fit_results();
    if fit.amplitude.is_finite() && fit.sigma > 0.0 {
        panel = panel
            .line(Line::function(lo, hi, 400, |x| fit.amplitude * (-0.5 * ((x - fit.mu) / fit.sigma).powi(2)).exp()));
        note = note.chi2(fit.chi2, usize::try_from(fit.ndf).unwrap_or(0));
    }
    let with_unit = |name: &str| if unit.is_empty() { name.to_owned() } else { format!("{name} [{}]", shown(unit)) };
    panel =
        panel.note(note.entry("entries", fit.n_values.to_string()).value(with_unit("μ"), fit.mu, fit.mu_error).value(
            with_unit("σ"),
            fit.sigma,
            fit.sigma_error,
        ));
    match verdict.note() {
        Some(note) => panel.note(note),
        None => panel,
    }
}
