//! Window, limits and start values of the dark-current fit (spec 03 §§1.3, 1.5, 1.11).

use super::model::{GAIN, LAMBDA, MAX_PEAKS, N_PARAMETERS, NORM, PARAMETER_NAMES, Parameters};
use super::objective::Parametrisation;
use super::result::StartUsed;
use super::settings::{DarkCurrentSettings, Method};
use crate::stats::bounded_search::Bounds;
use crate::stats::error::StatsError;
use crate::stats::histogram::Histogram;

/// Most electrons the improved fit sums over.
const MAX_ELECTRONS: f64 = 200.0;

/// Refuses inverted limits, impossible numbers of peaks and infinite calibrations.
pub(super) fn check(settings: &DarkCurrentSettings) -> Result<(), StatsError> {
    let limits = &settings.limits;
    for (name, (lo, hi)) in
        [("mu0", limits.mu0), ("sigma", limits.sigma), ("lambda", limits.lambda), ("gain", limits.gain)]
    {
        if lo > hi || lo.is_nan() || hi.is_nan() {
            return Err(StatsError::InvalidLimits { name: name.to_owned(), lo, hi });
        }
    }
    if !(1..=MAX_PEAKS).contains(&settings.n_peaks) {
        return Err(StatsError::PeakCount { n_peaks: settings.n_peaks, max: MAX_PEAKS });
    }
    if !settings.calibration.is_finite() {
        return Err(StatsError::InvalidStart { name: "gain".to_owned(), value: settings.calibration });
    }
    Ok(())
}

/// The calibration as a positive start value.
pub(super) fn start_gain(settings: &DarkCurrentSettings) -> f64 {
    let calibration = if settings.calibration > 0.0 { settings.calibration } else { 1.0 };
    if settings.free_gain {
        let (lo, hi) = settings.limits.gain;
        calibration.max(lo).min(hi).max(f64::MIN_POSITIVE)
    } else {
        calibration
    }
}

pub(super) fn start_mu0(settings: &DarkCurrentSettings) -> f64 {
    let (lo, hi) = settings.limits.mu0;
    settings.start.mu0.unwrap_or(0.0).max(lo).min(hi)
}

pub(super) fn start_sigma(settings: &DarkCurrentSettings) -> f64 {
    let calibration = if settings.calibration > 0.0 { settings.calibration } else { 1.0 };
    settings.start.sigma_electrons * calibration
}

/// The window, cut to the modelled peaks for the improved fits (spec 03 §1.11).
pub(super) fn used_window(settings: &DarkCurrentSettings) -> (f64, f64) {
    let (lo, hi) = settings.window;
    if settings.method == Method::Root || !settings.window_peaks {
        return (lo, hi);
    }
    let (mu0, gain) = (start_mu0(settings), start_gain(settings));
    (lo.max(mu0 - 0.5 * gain), hi.min(mu0 + (settings.n_peaks as f64 - 0.5) * gain))
}

/// Highest electron number of the improved fits: the modelled peaks and those that leak into the window.
pub(super) fn n_max(settings: &DarkCurrentSettings, window: (f64, f64)) -> usize {
    let leaking = ((window.1 - start_mu0(settings) + 6.0 * start_sigma(settings)) / start_gain(settings)).ceil() + 1.0;
    (settings.n_peaks as f64).max(leaking).min(MAX_ELECTRONS) as usize
}

/// Pixels per bin, the start value of the norm.
pub(super) fn norm_guess(histogram: &Histogram) -> f64 {
    histogram.total() as f64 / histogram.n_bins() as f64
}

/// The calibration, or 1 if it is not positive.
fn start_gain_unclipped(settings: &DarkCurrentSettings) -> f64 {
    if settings.calibration > 0.0 { settings.calibration } else { 1.0 }
}

/// Limits of the search. Physical ends (norm, σ and gain above 0, λ not below 0) are added to those of the user.
pub(super) fn bounds(
    settings: &DarkCurrentSettings,
    histogram: &Histogram,
    parametrisation: Parametrisation,
    fixed_norm: bool,
) -> Result<Bounds<N_PARAMETERS>, StatsError> {
    let limits = &settings.limits;
    let included = (histogram.total() as f64).max(1.0);
    let per_bin = included / histogram.n_bins() as f64;
    let lambda_unit = match parametrisation {
        Parametrisation::Adu => 1.0,
        Parametrisation::Electrons => start_gain_unclipped(settings),
    };
    let positive = |(lo, hi): (f64, f64)| {
        let range = if hi.is_finite() { hi - lo.max(0.0) } else { 1.0 };
        (lo.max(1e-9 * range).max(f64::MIN_POSITIVE), hi)
    };
    let gain = if settings.free_gain {
        positive(limits.gain)
    } else {
        let gain = start_gain(settings);
        (gain, gain)
    };
    let norm = if fixed_norm { (included, included) } else { (1e-9 * per_bin, f64::INFINITY) };
    let linear = |limits| {
        if settings.linear_term.is_some() && settings.method == Method::Root { limits } else { (0.0, 0.0) }
    };
    let pairs = [
        norm,
        limits.mu0,
        positive(limits.sigma),
        (limits.lambda.0.max(0.0) / lambda_unit, limits.lambda.1 / lambda_unit),
        gain,
        linear((-1.0, 1.0)),
        linear((0.0, 50.0)),
    ];
    for (name, (lo, hi)) in PARAMETER_NAMES.iter().zip(pairs) {
        if lo > hi {
            return Err(StatsError::InvalidLimits { name: (*name).to_owned(), lo, hi });
        }
    }
    Ok(Bounds { lo: pairs.map(|pair| pair.0), hi: pairs.map(|pair| pair.1) })
}

/// Start values S1, S2 and, unless it equals S2, S3, in ADU.
pub(super) fn starts(settings: &DarkCurrentSettings, histogram: &Histogram) -> Vec<(StartUsed, Parameters)> {
    let limits = &settings.limits;
    let middle = |(lo, hi): (f64, f64)| 0.5 * (lo + hi);
    let calibration = start_gain_unclipped(settings);
    let sigma = start_sigma(settings);
    let gain = start_gain(settings);
    let middle_gain = if settings.free_gain { middle(limits.gain) } else { gain };
    let (crx, cr0) = settings.linear_term.unwrap_or((0.0, 0.0));
    let inside = |x: f64, (lo, hi): (f64, f64)| x >= lo && x <= hi;
    let lambda_1 = if inside(calibration, limits.lambda) { calibration } else { middle(limits.lambda) };
    let mu_1 = settings.start.mu0.unwrap_or_else(|| middle(limits.mu0));
    let mu_2 = start_mu0(settings);
    let by_population = |gain: f64| {
        let ratio = settings.start.lambda_electrons.unwrap_or_else(|| {
            let (zero, one) = (population(histogram, 0.0, gain), population(histogram, gain, gain));
            if zero > 0.0 { one / zero } else { 1.0 }
        });
        let norm = histogram.total() as f64 * histogram.width() / gain;
        [norm, mu_2, sigma, gain * ratio, gain, crx, cr0]
    };
    let mut starts = vec![
        (StartUsed::S1, [norm_guess(histogram), mu_1, sigma, lambda_1, middle_gain, crx, cr0]),
        (StartUsed::S2, by_population(gain)),
    ];
    if middle_gain != gain {
        starts.push((StartUsed::S3, by_population(middle_gain)));
    }
    starts
}

/// Pixels within g/2 of `centre`, counted by bin centres.
fn population(histogram: &Histogram, centre: f64, gain: f64) -> f64 {
    let counts = histogram.counts().iter().enumerate();
    counts.filter(|(bin, _)| (histogram.centre(*bin) - centre).abs() < 0.5 * gain).map(|(_, &count)| count as f64).sum()
}

/// A start in ADU as parameters of the fit, clipped to 1e-6 of the range inside each limit.
pub(super) fn prepare(
    start: &Parameters,
    parametrisation: Parametrisation,
    width: f64,
    bounds: &Bounds<N_PARAMETERS>,
) -> Parameters {
    let mut p = *start;
    if parametrisation == Parametrisation::Electrons {
        p[NORM] = start[NORM] * start[GAIN] / width;
        p[LAMBDA] = start[LAMBDA] / start[GAIN];
    }
    for (k, value) in p.iter_mut().enumerate() {
        let (lo, hi) = (bounds.lo[k], bounds.hi[k]);
        let margin = if (hi - lo).is_finite() { 1e-6 * (hi - lo) } else { 0.0 };
        *value = value.max(lo + margin).min(hi - margin).max(lo).min(hi);
    }
    p
}
