//! Start values and box limits of the Gaussian fit (spec 02 §3.2 step 3).

use crate::stats::robust;

/// Start of a search for (A, μ, σ) and the box for μ and σ; A is not limited.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Start {
    /// Amplitude, counts per bin.
    pub amplitude: f64,
    /// Mean.
    pub mu: f64,
    /// Allowed interval of the mean.
    pub mu_limits: (f64, f64),
    /// Standard deviation.
    pub sigma: f64,
    /// Allowed interval of the standard deviation.
    pub sigma_limits: (f64, f64),
}

/// Start for one Gaussian population: μ₀ = median within the 10 and 90 % percentiles, σ₀ = standard deviation within
/// a factor 0.5…1.5, A₀ = n/B. `values` is free of NaN, not empty, and is reordered.
pub fn standard_start(values: &mut [f64], n_bins: usize) -> Start {
    // before the selections below reorder the values, so that the sums run in the order of the pixels
    let sigma = robust::std_deviation(values, robust::Ddof::Population);
    let mu = robust::median_in_place(values);
    let lowest = robust::percentile_in_place(values, 10.0);
    let highest = robust::percentile_in_place(values, 90.0);
    Start {
        amplitude: values.len() as f64 / n_bins as f64,
        mu,
        mu_limits: (lowest, highest),
        sigma,
        sigma_limits: (0.5 * sigma, 1.5 * sigma),
    }
}

/// Start at the peak bin `bin` (0-based) of a histogram on [lo, hi]: with c the centre of that bin and c′ the one
/// before, μ₀ = (c + c′)/2 in [lo, c + 3w], σ₀ = d/4 in [d/10, d/2] for d = c − lo.
pub fn highdc_start(bin: usize, lo: f64, hi: f64, n_bins: usize, n_values: usize) -> Start {
    let width = (hi - lo) / n_bins as f64;
    let centre = |bin: f64| lo + bin * width + 0.5 * width;
    let peak = centre(bin as f64);
    let distance = peak - lo;
    Start {
        amplitude: n_values as f64 / n_bins as f64,
        mu: 0.5 * (peak + centre(bin as f64 - 1.0)),
        mu_limits: (lo, peak + 3.0 * width),
        sigma: distance / 4.0,
        sigma_limits: (distance / 10.0, distance / 2.0),
    }
}
