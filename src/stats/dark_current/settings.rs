//! What a dark-current fit is asked to do.

use super::options::FitOptions;
use crate::stats::error::StatsError;
use crate::stats::histogram::MAX_BINS;
use crate::stats::robust;

/// Which fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// Compatible with the reference: parameters norm, μ0, σ, λ, gain; objective from the option letters.
    #[default]
    Root,
    /// Extended Poisson likelihood of bin integrals; parameters N_tot, μ0, σ, L (e⁻), gain.
    Binned,
    /// Unbinned likelihood of the pixels in the window.
    Unbinned,
}

impl Method {
    /// The method named in a configuration (case-insensitive).
    ///
    /// # Errors
    /// Unknown name.
    pub fn from_name(name: &str) -> Result<Self, StatsError> {
        match name.to_ascii_lowercase().as_str() {
            "root" => Ok(Self::Root),
            "binned" => Ok(Self::Binned),
            "unbinned" => Ok(Self::Unbinned),
            _ => Err(StatsError::UnknownMethod { name: name.to_owned() }),
        }
    }

    /// The configuration name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Binned => "binned",
            Self::Unbinned => "unbinned",
        }
    }
}

/// Bin width of the pixel-charge distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BinWidth {
    /// Requested width in ADU: trunc((x_max − x_min)/width) bins.
    Width(f64),
    /// trunc(2·√(pixels in the window)) bins.
    Automatic,
}

impl BinWidth {
    /// From the configuration key `binning_size`: automatic when ≤ 0.
    pub fn from_size(size: f64) -> Self {
        if size > 0.0 { Self::Width(size) } else { Self::Automatic }
    }

    /// Number of bins for `pixels` values strictly inside `window`.
    ///
    /// # Errors
    /// No bin, or more than a histogram can have.
    pub fn n_bins(self, window: (f64, f64), pixels: usize) -> Result<usize, StatsError> {
        let n_bins = match self {
            // the truncation in double precision is part of the definition: 2.65/0.05 gives 52
            Self::Width(width) => ((window.1 - window.0).abs() / width) as usize,
            Self::Automatic => (2.0 * (pixels as f64).sqrt()) as usize,
        };
        if (1..=MAX_BINS).contains(&n_bins) { Ok(n_bins) } else { Err(StatsError::BinCount { n_bins, max: MAX_BINS }) }
    }
}

/// Limits of the parameters: μ0, σ, λ in ADU, gain in ADU/e⁻.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParameterLimits {
    /// Position of the zero-electron peak.
    pub mu0: (f64, f64),
    /// Noise.
    pub sigma: (f64, f64),
    /// Dark current.
    pub lambda: (f64, f64),
    /// Gain, when it is free.
    pub gain: (f64, f64),
}

impl Default for ParameterLimits {
    fn default() -> Self {
        Self { mu0: (-1.0, 1.0), sigma: (0.001, 100.0), lambda: (0.001, 10.0), gain: (1.0, 100.0) }
    }
}

/// Start values a user may give.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StartHints {
    /// μ0 in ADU (key `mu_gauss`).
    pub mu0: Option<f64>,
    /// Noise in e⁻ (key `sigma_gauss`).
    pub sigma_electrons: f64,
    /// Dark current in e⁻ per binned pixel (key `lambda_poisson`).
    pub lambda_electrons: Option<f64>,
}

impl Default for StartHints {
    fn default() -> Self {
        Self { mu0: None, sigma_electrons: 0.2, lambda_electrons: None }
    }
}

/// Everything a fit needs besides the pixels. The defaults are those of FitDarkCurrentProcess (spec 03 §1.1).
#[derive(Debug, Clone, PartialEq)]
pub struct DarkCurrentSettings {
    /// Which fit.
    pub method: Method,
    /// Option letters, of [`Method::Root`].
    pub options: FitOptions,
    /// Open interval of the pixel charge (ADU), see [`automatic_window`].
    pub window: (f64, f64),
    /// Bins.
    pub bin_width: BinWidth,
    /// Peaks of the model, n = 0 … n_peaks − 1.
    pub n_peaks: usize,
    /// ADU/e⁻: start value of the gain, or its value when it is fixed (1 if ≤ 0 then).
    pub calibration: f64,
    /// The gain is a free parameter.
    pub free_gain: bool,
    /// Limits.
    pub limits: ParameterLimits,
    /// Start values (CRx, CR0) of the linear term when it is free; `None` leaves it out.
    pub linear_term: Option<(f64, f64)>,
    /// Start values.
    pub start: StartHints,
    /// Cut the window to the modelled peaks, for [`Method::Binned`] and [`Method::Unbinned`].
    pub window_peaks: bool,
    /// Which profile intervals are made, where they are asked for.
    pub profiles: Profiles,
}

/// The parameters whose profile intervals are wanted: each takes as long as the fit itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profiles {
    /// All parameters.
    #[default]
    All,
    /// The dark current alone.
    DarkCurrent,
}

impl Default for DarkCurrentSettings {
    fn default() -> Self {
        Self {
            method: Method::Root,
            options: FitOptions::parse("QR S L EM"),
            window: (-10.0, 50.0),
            bin_width: BinWidth::Width(0.5),
            n_peaks: 5,
            calibration: 10.0,
            free_gain: true,
            limits: ParameterLimits::default(),
            linear_term: None,
            start: StartHints::default(),
            window_peaks: true,
            profiles: Profiles::All,
        }
    }
}

/// Window for limits that are not given (spec 03 §1.3): −calibration … n_peaks·calibration, or, with `n_sigma_fit`, up to
/// (n_peaks − 1)·calibration + n_sigma_fit·s0, s0 = standard deviation of the pixels below one calibration.
pub fn automatic_window(
    x_min: Option<f64>,
    x_max: Option<f64>,
    calibration: f64,
    n_peaks: usize,
    n_sigma_fit: Option<f64>,
    pixels: &[f64],
) -> (f64, f64) {
    let given = |x: Option<f64>| x.filter(|x| !x.is_nan());
    let lower = given(x_min).unwrap_or(-calibration);
    let upper = given(x_max).unwrap_or_else(|| match n_sigma_fit {
        Some(n_sigma) => {
            let zero_peak: Vec<f64> = pixels.iter().copied().filter(|&q| q < calibration).collect();
            let spread = robust::std_deviation(&zero_peak, robust::Ddof::Population);
            let spread = if spread.is_nan() { 0.0 } else { spread };
            (n_peaks as f64 - 1.0) * calibration + n_sigma * spread
        }
        None => n_peaks as f64 * calibration,
    });
    (lower, upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncation_of_the_number_of_bins() {
        assert_eq!(BinWidth::Width(0.05).n_bins((-0.65, 2.0), 0), Ok(52));
        assert_eq!(BinWidth::Width(0.01).n_bins((-2.0, 5.0), 0), Ok(700));
        assert_eq!(BinWidth::from_size(-1.0).n_bins((0.0, 1.0), 650), Ok(50));
        assert!(BinWidth::Width(5.0).n_bins((0.0, 1.0), 10).is_err());
        assert!(BinWidth::Width(1e-300).n_bins((0.0, 1.0), 10).is_err());
    }

    #[test]
    fn automatic_windows() {
        assert_eq!(automatic_window(None, Some(f64::NAN), 10.0, 5, None, &[]), (-10.0, 50.0));
        assert_eq!(automatic_window(Some(-1.0), Some(2.0), 10.0, 5, Some(3.0), &[]), (-1.0, 2.0));
        // pixels ±1 around zero and one electron: s0 = 1
        assert_eq!(automatic_window(None, None, 10.0, 2, Some(3.0), &[-1.0, 1.0, 1.0, -1.0, 10.0]), (-10.0, 13.0));
        assert_eq!(automatic_window(None, None, 10.0, 2, Some(3.0), &[]), (-10.0, 10.0));
    }
}
