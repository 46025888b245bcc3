//! Pixels of an amplifier that serve the pedestal, and the estimate of each line from them.

use ndarray::Array2;
use rayon::prelude::*;

use crate::image::Region;
use crate::process::analysis::products::Axis;
use crate::stats::gaussian_fit::windowed::{WindowSettings, windowed_estimate};
use crate::stats::gaussian_fit::{GaussianFit, GaussianFitSettings, GaussianFitter, Outcome};
use crate::stats::robust::{self, Location};

/// The pixels used: a region without some rows and columns and without outliers. Pixels that are not finite are never
/// used.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// Rectangle of candidates.
    pub region: Region,
    /// Everything the amplifier reads: each of its lines gets an estimate.
    pub full: Region,
    skip_rows: Vec<bool>,
    skip_cols: Vec<bool>,
    /// Median of the candidates and accepted deviations from it (below, above), ADU.
    cut: Option<OutlierCut>,
    /// Pixels chosen once and for all, `[row, col]`, when the cut was made on another image than the one estimated.
    frozen: Option<Array2<bool>>,
    /// Whether the estimate is made on the row-subtracted image.
    pub on_subtracted: bool,
    /// Pixels that the cut removed.
    pub n_outliers: usize,
}

/// Accepted values: `-below ≤ x − median ≤ above`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OutlierCut {
    /// Median of the candidates, ADU.
    pub median: f64,
    /// Their MAD (unscaled), ADU.
    pub mad: f64,
    /// Largest accepted x − median, ADU.
    pub above: f64,
    /// Largest accepted median − x, ADU.
    pub below: f64,
}

impl OutlierCut {
    /// Whether a value is accepted; values exactly on the limit stay.
    pub fn accepts(&self, x: f64) -> bool {
        let deviation = x - self.median;
        deviation <= self.above && deviation >= -self.below
    }
}

impl Selection {
    /// All finite pixels of `region`, a part of what the amplifier reads (`full`), except the rows and columns listed.
    pub fn new(region: Region, full: Region, skip_rows: &[usize], skip_cols: &[usize]) -> Self {
        let flags = |indices: &[usize], length: usize| {
            let mut flags = vec![false; length];
            indices.iter().filter(|&&i| i < length).for_each(|&i| flags[i] = true);
            flags
        };
        Self {
            skip_rows: flags(skip_rows, full.rows.end),
            skip_cols: flags(skip_cols, full.cols.end),
            region,
            full,
            cut: None,
            frozen: None,
            on_subtracted: false,
            n_outliers: 0,
        }
    }

    /// Leaves out pixels farther than `n_mad` MAD from the median of all candidates (spec 02 §4.3).
    pub fn cut_outliers(&mut self, image: &Array2<f64>, n_mad: f64, left: bool, right: bool) {
        self.cut = None;
        let mut values = self.values(image, self.region.rows.clone(), self.region.cols.clone());
        if values.is_empty() {
            return;
        }
        let (median, mad) = robust::median_and_mad_in_place(&mut values);
        let limit = n_mad * mad;
        let side = |on: bool| if on { limit } else { f64::INFINITY };
        let cut = OutlierCut { median, mad, above: side(right), below: side(left) };
        // `values` holds distances now in no particular order: count on the image.
        self.n_outliers = self.count(image, |x| !cut.accepts(x));
        self.cut = Some(cut);
    }

    /// Fixes the pixels now selected in `image`, whatever their values in another image.
    pub fn freeze(&mut self, image: &Array2<f64>) {
        let mask = Array2::from_shape_fn(image.dim(), |(row, col)| self.selects(image, row, col));
        self.frozen = Some(mask);
    }

    /// The cut, if there is one.
    pub fn cut(&self) -> Option<OutlierCut> {
        self.cut
    }

    /// Whether the pixel is used.
    pub fn selects(&self, image: &Array2<f64>, row: usize, col: usize) -> bool {
        if let Some(mask) = &self.frozen {
            return mask[[row, col]];
        }
        self.region.contains(row, col)
            && !self.skip_rows[row]
            && !self.skip_cols[col]
            && self.accepts(image[[row, col]])
    }

    fn accepts(&self, x: f64) -> bool {
        x.is_finite() && self.cut.is_none_or(|cut| cut.accepts(x))
    }

    fn count(&self, image: &Array2<f64>, f: impl Fn(f64) -> bool) -> usize {
        let mut n = 0;
        for row in self.region.rows.clone().filter(|&r| !self.skip_rows[r]) {
            for col in self.region.cols.clone().filter(|&c| !self.skip_cols[c]) {
                let x = image[[row, col]];
                n += usize::from(x.is_finite() && f(x));
            }
        }
        n
    }

    /// Values of the selected pixels in these rows and columns, appended in raster order.
    fn values_into(
        &self,
        image: &Array2<f64>,
        rows: std::ops::Range<usize>,
        cols: std::ops::Range<usize>,
        values: &mut Vec<f64>,
    ) {
        let rows = rows.start.max(self.region.rows.start)..rows.end.min(self.region.rows.end);
        let cols = cols.start.max(self.region.cols.start)..cols.end.min(self.region.cols.end);
        for row in rows.filter(|&r| !self.skip_rows[r]) {
            for col in cols.clone().filter(|&c| !self.skip_cols[c]) {
                let x = image[[row, col]];
                let used = match &self.frozen {
                    Some(mask) => mask[[row, col]] && x.is_finite(),
                    None => self.accepts(x),
                };
                if used {
                    values.push(x);
                }
            }
        }
    }

    /// Values of the selected pixels in these rows and columns, in raster order.
    pub fn values(&self, image: &Array2<f64>, rows: std::ops::Range<usize>, cols: std::ops::Range<usize>) -> Vec<f64> {
        let mut values = Vec::new();
        self.values_into(image, rows, cols, &mut values);
        values
    }
}

/// How the pedestal of one line follows from its pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Estimator {
    /// Gaussian fit to the histogram.
    GaussFit(GaussianFitSettings),
    /// Mean or median.
    Location {
        /// Which.
        location: Location,
        /// Dispersion: MAD or standard deviation.
        use_mad: bool,
    },
    /// Moments around the highest peak.
    Window {
        /// Half window in units of the dispersion.
        n_sigma: f64,
        /// Dispersion: MAD or 1.4826·MAD.
        use_mad: bool,
    },
}

/// Pedestal of one line; NaN where there is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LineEstimate {
    /// Pedestal, ADU.
    pub mu: f64,
    /// Dispersion, ADU.
    pub sigma: f64,
    /// Error of `mu`, ADU.
    pub mu_error: f64,
    /// Error of `sigma`, ADU.
    pub sigma_error: f64,
    /// χ²/NDF of a fit; NaN for other methods.
    pub chi2_ndf: f64,
    /// Pixels used.
    pub n_pixels: usize,
    /// The fit had no degree of freedom: median and standard deviation stand in.
    pub replaced_by_median: bool,
    /// The fit did not converge.
    pub not_converged: bool,
    /// μ rests on a limit of the fit.
    pub mu_at_limit: bool,
    /// σ rests on a limit of the fit.
    pub sigma_at_limit: bool,
    /// The fit, for figures.
    pub fit: Option<GaussianFit>,
}

impl LineEstimate {
    fn plain(mu: f64, sigma: f64, mu_error: f64, sigma_error: f64, n_pixels: usize) -> Self {
        Self {
            mu,
            sigma,
            mu_error,
            sigma_error,
            chi2_ndf: f64::NAN,
            n_pixels,
            replaced_by_median: false,
            not_converged: false,
            mu_at_limit: false,
            sigma_at_limit: false,
            fit: None,
        }
    }

    fn from_fit(fit: GaussianFit) -> Self {
        Self {
            mu: fit.mu,
            sigma: fit.sigma,
            mu_error: fit.mu_error,
            sigma_error: fit.sigma_error,
            chi2_ndf: fit.chi2_per_ndf(),
            n_pixels: fit.n_values,
            replaced_by_median: fit.outcome == Outcome::NoDegreesOfFreedom,
            not_converged: fit.outcome == Outcome::NotConverged,
            mu_at_limit: fit.mu_at_limit,
            sigma_at_limit: fit.sigma_at_limit,
            fit: Some(fit),
        }
    }
}

/// Statistical efficiency of the median of a Gaussian sample: its standard error is √(π/2) times that of the mean.
const MEDIAN_ERROR_FACTOR: f64 = 1.253_314_137_315_500_3;
/// Half width, in standard deviations, from which a window holds the whole peak of the empty pixels.
const UNBIASED_WINDOW: f64 = 3.0;
/// MAD of a Gaussian of σ = 1, to turn a MAD into a σ for the error of the location.
const MAD_TO_SIGMA: f64 = 1.482_602_218_505_602;

impl Estimator {
    /// Pedestals of all lines of the amplifier part `selection.region` belongs to, in order.
    ///
    /// `rebin` > 1: the value of line j comes from lines j … j+rebin−1; the last ones share the last trunc(rebin/2)
    /// lines of the frame (spec 02 §4.4).
    pub fn estimate(&self, image: &Array2<f64>, selection: &Selection, axis: Axis, rebin: usize) -> Vec<LineEstimate> {
        let full_rows = selection.full.rows.clone();
        let full_cols = selection.full.cols.clone();
        let lines = match axis {
            Axis::Row => full_rows.clone(),
            Axis::Col => full_cols.clone(),
            Axis::Frame => 0..1,
        };
        lines
            .clone()
            .into_par_iter()
            .map_init(Workspace::default, |workspace, line| {
                workspace.values.clear();
                let window = window_of_lines(line, &lines, rebin);
                let (rows, cols) = match axis {
                    Axis::Row => (window, full_cols.clone()),
                    Axis::Col => (full_rows.clone(), window),
                    Axis::Frame => (full_rows.clone(), full_cols.clone()),
                };
                selection.values_into(image, rows, cols, &mut workspace.values);
                self.of_values(workspace)
            })
            .collect()
    }

    pub(super) fn of_values(&self, workspace: &mut Workspace) -> LineEstimate {
        let values = &workspace.values;
        let n = values.len();
        if n < 2 {
            return LineEstimate::plain(f64::NAN, f64::NAN, f64::NAN, f64::NAN, n);
        }
        let root_n = (n as f64).sqrt();
        let root_freedom = (n as f64 - 1.0).sqrt();
        match *self {
            Self::GaussFit(settings) => LineEstimate::from_fit(workspace.fitter.fit(values, settings)),
            Self::Location { location, use_mad } => {
                let (mu, sigma) = robust::location_and_dispersion(values, location, use_mad);
                // The standard deviation is divided by n: with n − 1 below the root the error of the mean is unbiased.
                let error = if use_mad { sigma * MAD_TO_SIGMA / root_n } else { sigma / root_freedom };
                let factor = if location == Location::Median { MEDIAN_ERROR_FACTOR } else { 1.0 };
                // Asymptotic errors of the dispersion of a Gaussian sample: σ/√(2n) for the standard deviation, 1.167·MAD/√n
                // for the MAD (Serfling 1980).
                let sigma_error = if use_mad { 1.167 * sigma / root_n } else { sigma / (2.0 * n as f64).sqrt() };
                LineEstimate::plain(mu, sigma, factor * error, sigma_error, n)
            }
            Self::Window { n_sigma, use_mad } => {
                let e = windowed_estimate(values, WindowSettings { n_sigma, use_mad, ..WindowSettings::default() });
                // A window narrower than the peak follows the scatter of the highest bin, which is several times the
                // error of a mean: there the errors are unknown.
                let used = if e.half_width >= UNBIASED_WINDOW { (e.n_values as f64).sqrt() } else { f64::NAN };
                LineEstimate::plain(e.mu, e.sigma, e.sigma / used, e.sigma / (2.0_f64.sqrt() * used), n)
            }
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Workspace {
    pub(super) values: Vec<f64>,
    fitter: GaussianFitter,
}

/// The lines that serve line `line`, of `lines` (spec 02 §4.4).
pub(super) fn window_of_lines(line: usize, lines: &std::ops::Range<usize>, rebin: usize) -> std::ops::Range<usize> {
    if rebin <= 1 {
        return line..line + 1;
    }
    let local = line - lines.start;
    if local as f64 + rebin as f64 / 2.0 > lines.len() as f64 {
        lines.end - (rebin / 2).clamp(1, lines.len())..lines.end
    } else {
        line..(line + rebin).min(lines.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sliding_windows_end_in_the_last_half_window() {
        let lines = 0..40;
        assert_eq!(window_of_lines(3, &lines, 1), 3..4);
        assert_eq!(window_of_lines(3, &lines, 10), 3..13);
        assert_eq!(window_of_lines(34, &lines, 10), 34..40);
        assert_eq!(window_of_lines(35, &lines, 10), 35..40);
        assert_eq!(window_of_lines(36, &lines, 10), 35..40);
        assert_eq!(window_of_lines(39, &lines, 10), 35..40);
    }

    #[test]
    fn values_on_the_limit_of_the_outlier_cut_stay() {
        let image = Array2::from_shape_vec((1, 6), vec![0.0, 1.0, 2.0, 3.0, 4.0, 100.0]).unwrap();
        // median 2.5, MAD 1.5
        let mut selection = Selection::new(Region::new(0..1, 0..6), Region::new(0..1, 0..6), &[], &[]);
        selection.cut_outliers(&image, 1.0, true, true);
        assert_eq!(selection.values(&image, 0..1, 0..6), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(selection.n_outliers, 2);
        selection.cut_outliers(&image, 1.0, false, true);
        assert_eq!(selection.values(&image, 0..1, 0..6), [0.0, 1.0, 2.0, 3.0, 4.0]);
    }
}
