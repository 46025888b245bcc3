//! The older pedestal estimate: moments inside a window around the highest peak, no fit (spec 02 §3.4).

use crate::stats::histogram::Histogram;
use crate::stats::peak_finder::{PeakConditions, find_peaks};
use crate::stats::robust::{self, Ddof};

/// Parameters of [`windowed_estimate`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WindowSettings {
    /// Half width of the first window, in units of the dispersion.
    pub n_sigma: f64,
    /// Dispersion = MAD (true) or 1.4826·MAD (false).
    pub use_mad: bool,
    /// Smallest distance of two peaks, in bins; default: dispersion·n_sigma.
    pub distance: Option<f64>,
    /// Up to this many values the peak search is left out.
    pub n_min: usize,
}

impl Default for WindowSettings {
    fn default() -> Self {
        Self { n_sigma: 7.0, use_mad: true, distance: None, n_min: 50 }
    }
}

/// Mean and standard deviation (÷n) in the final window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WindowedEstimate {
    /// Mean of the values strictly inside the window.
    pub mu: f64,
    /// Their standard deviation.
    pub sigma: f64,
    /// Their number.
    pub n_values: usize,
    /// The window, both ends excluded.
    pub window: (f64, f64),
    /// Half of its width in standard deviations of a Gaussian, taken as 1.4826·MAD.
    pub half_width: f64,
    /// No peak was found: μ and σ are median and dispersion of the sample.
    pub no_peak: bool,
}

/// Estimates mean and width of the population around the highest peak of `sample` (NaN left out).
///
/// With m = median and d = dispersion the first window is m ± n_sigma·d. If the sample has more than `n_min` values,
/// the density histogram of that window with trunc(√n) bins (n = size of the sample) is searched for local maxima of
/// prominence 0.1, 0.05, … until one is found; the highest decides, and the window becomes its left edge
/// ± round(n_sigma/2)·d, halves rounded to even.
pub fn windowed_estimate(sample: &[f64], settings: WindowSettings) -> WindowedEstimate {
    let values = robust::present(sample);
    let (centre, mad) = robust::median_and_mad(&values);
    let spread = if settings.use_mad { mad } else { mad * 1.4826 };
    let in_sigmas = |window: (f64, f64)| 0.5 * (window.1 - window.0) / (1.4826 * mad);
    let mut window = (centre - settings.n_sigma * spread, centre + settings.n_sigma * spread);
    if values.len() > settings.n_min {
        match highest_peak(&values, window, settings.distance.unwrap_or(spread * settings.n_sigma)) {
            Some(edge) => {
                let half = (0.5 * settings.n_sigma).round_ties_even() * spread;
                window = (edge - half, edge + half);
            }
            None => {
                return WindowedEstimate {
                    mu: centre,
                    sigma: spread,
                    n_values: values.len(),
                    window,
                    half_width: in_sigmas(window),
                    no_peak: true,
                };
            }
        }
    }
    let inside: Vec<f64> = values.iter().copied().filter(|&x| x > window.0 && x < window.1).collect();
    let (mu, sigma) = robust::mean_and_std(&inside, Ddof::Population);
    WindowedEstimate { mu, sigma, n_values: inside.len(), window, half_width: in_sigmas(window), no_peak: false }
}

/// Left edge of the highest prominent bin of the density histogram in `window`.
fn highest_peak(values: &[f64], window: (f64, f64), distance: f64) -> Option<f64> {
    let n_bins = (values.len() as f64).sqrt() as usize;
    let histogram = Histogram::corrected(values, window.0, window.1, n_bins).ok()?;
    let density = histogram.density();
    let mut smallest = 0.1;
    // a density has a largest value of 1/width; below its last bit nothing more can appear
    while smallest > f64::EPSILON / histogram.width() {
        let conditions =
            PeakConditions { height: Some(0.0), distance: Some(distance.max(1.0)), prominence: Some(smallest) };
        let mut highest: Option<(f64, usize)> = None;
        for peak in find_peaks(&density, conditions) {
            if highest.is_none_or(|(height, _)| peak.height > height) {
                highest = Some((peak.height, peak.index));
            }
        }
        if let Some((_, bin)) = highest {
            return Some(histogram.edge(bin));
        }
        smallest *= 0.5;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::distributions::normal_quantile;

    fn quantiles(from: usize, to: usize) -> Vec<f64> {
        (from..=to).map(|j| 1000.0 + 2.5 * normal_quantile((j as f64 - 0.5) / 200.0)).collect()
    }

    #[test]
    fn examples_of_the_specification() {
        // spec 02 §3.4, all digits given there
        let wide = windowed_estimate(&quantiles(1, 200), WindowSettings { distance: Some(1.0), ..Default::default() });
        assert!((wide.mu - 999.877689).abs() < 5e-7 && (wide.sigma - 2.362178).abs() < 5e-7);
        assert_eq!(wide.n_values, 196);
        let narrow = WindowSettings { n_sigma: 3.0, use_mad: false, distance: Some(1.0), ..Default::default() };
        let narrow = windowed_estimate(&quantiles(1, 200), narrow);
        assert!((narrow.mu - 999.751503).abs() < 5e-7 && (narrow.sigma - 2.127321).abs() < 5e-7);
        assert_eq!(narrow.n_values, 186);
        let few = windowed_estimate(&quantiles(76, 125), WindowSettings::default());
        assert!((few.mu - 1000.0).abs() < 1e-9 && (few.sigma - 0.456712).abs() < 5e-7);
    }

    #[test]
    fn samples_without_spread_do_not_fail() {
        let constant = windowed_estimate(&[4.0; 60], WindowSettings::default());
        assert_eq!((constant.mu, constant.sigma, constant.no_peak), (4.0, 0.0, true));
        assert!(windowed_estimate(&[], WindowSettings::default()).mu.is_nan());
    }
}
