//! TwoDGaussProcess: the two amplifiers of an image fitted together.
//!
//! Pixels read at the same time by L and U are histogrammed against each other; the fit of a lattice of tilted Gaussians
//! (`model`) gives the correlation of the noise (angle θ and the noises along the tilted axes), and dark current and
//! gain of both sides. It can calibrate the image and rotate the common noise away. Spec 03 §4.

mod fit;
mod histogram;
mod model;
mod objective;
mod report;
#[cfg(test)]
mod tests;

use ndarray::Array2;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::products::Gain;
use super::units::unit_of_image;
use crate::image::{Amplifier, RawData, Side};
use crate::process::{Context, ProcessError, SKImageProcess};
use crate::stats::bounded_search::Bounds;
use crate::stats::dark_current::FitOptions;

pub use fit::{PairFit, StartAndLimits, fit_pairs};
pub use histogram::{PairHistogram, pair_places};
pub use model::{Lattice, NAMES, Parameters, Peaks};

use model::{A, CAL, DC, N, OFFSET, SIG, THETA};

/// Most bins per axis.
const MAX_BINS: f64 = 4000.0;

/// Parameters of TwoDGaussProcess.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TwoDGaussProcess {
    /// Image to fit.
    pub image: String,
    /// Lower edge of the histogram on both axes, ADU.
    #[serde(rename = "q_min_ADU")]
    pub q_min: f64,
    /// Upper edge of the histogram on both axes, ADU.
    #[serde(rename = "q_max_ADU")]
    pub q_max: f64,
    /// Bin width, ADU.
    pub bin_size: f64,
    /// Columns after the prescan that are left out.
    pub col_start: usize,
    /// First row used.
    pub row_start: usize,
    /// Leave out a pair if one of its pixels is masked by BuildClusterMask; null: yes, if that process ran before.
    pub mask_clusters: Option<bool>,
    /// Fit the histogram.
    pub do_fit: bool,
    /// Make the calibrated image, with the fitted gains (or with cal_L, cal_U without a fit).
    pub do_calibration: bool,
    /// Make the image in which the pairs are rotated by the fitted angle.
    pub do_decorrelation: bool,
    /// Start value of the correlation angle, degrees.
    pub theta: f64,
    /// Limits of the correlation angle, degrees; null: ±57.2957795 (1 rad).
    pub theta_range: Option<[f64; 2]>,
    /// Start value of the dark current of L, e-.
    #[serde(rename = "dc_L")]
    pub dc_l: f64,
    /// Limits of the dark current of L, e-; null: a tenth to ten times dc_L.
    #[serde(rename = "dc_L_range")]
    pub dc_l_range: Option<[f64; 2]>,
    /// Start value of the dark current of U, e-.
    #[serde(rename = "dc_U")]
    pub dc_u: f64,
    /// Limits of the dark current of U, e-; null: a tenth to ten times dc_U.
    #[serde(rename = "dc_U_range")]
    pub dc_u_range: Option<[f64; 2]>,
    /// Start value of the noise of L, ADU.
    #[serde(rename = "sig_L")]
    pub sig_l: f64,
    /// Limits of the noise of L, ADU; null: sig_L ± 3, at least 0.01.
    #[serde(rename = "sig_L_range")]
    pub sig_l_range: Option<[f64; 2]>,
    /// Start value of the noise of U, ADU.
    #[serde(rename = "sig_U")]
    pub sig_u: f64,
    /// Limits of the noise of U, ADU; null: sig_U ± 3, at least 0.01.
    #[serde(rename = "sig_U_range")]
    pub sig_u_range: Option<[f64; 2]>,
    /// Start value of the gain of L, ADU/e-.
    #[serde(rename = "cal_L")]
    pub cal_l: f64,
    /// Limits of the gain of L, ADU/e-; null: cal_L ± 3.
    #[serde(rename = "cal_L_range")]
    pub cal_l_range: Option<[f64; 2]>,
    /// Start value of the gain of U, ADU/e-.
    #[serde(rename = "cal_U")]
    pub cal_u: f64,
    /// Limits of the gain of U, ADU/e-; null: cal_U ± 3.
    #[serde(rename = "cal_U_range")]
    pub cal_u_range: Option<[f64; 2]>,
    /// Letters as of ROOT's fits: L likelihood, P Pearson, W unit weights, I bin averages, E profile intervals; none of
    /// L, P, W: Neyman's chi-square.
    pub fit_opt: String,
    /// Highest electron number in L.
    #[serde(rename = "NpX")]
    pub np_x: usize,
    /// Highest electron number in U.
    #[serde(rename = "NpY")]
    pub np_y: usize,
}

impl Default for TwoDGaussProcess {
    fn default() -> Self {
        Self {
            image: "mean_compressed_pedestal_subtracted".into(),
            q_min: -20.0,
            q_max: 100.0,
            bin_size: 0.5,
            col_start: 0,
            row_start: 0,
            mask_clusters: None,
            do_fit: true,
            do_calibration: true,
            do_decorrelation: false,
            theta: 45.0,
            theta_range: None,
            dc_l: 0.003,
            dc_l_range: None,
            dc_u: 0.003,
            dc_u_range: None,
            sig_l: 2.0,
            sig_l_range: None,
            sig_u: 2.0,
            sig_u_range: None,
            cal_l: 7.0,
            cal_l_range: None,
            cal_u: 7.0,
            cal_u_range: None,
            fit_opt: "Q R LEM".into(),
            np_x: 2,
            np_y: 2,
        }
    }
}

impl SKImageProcess for TwoDGaussProcess {
    fn execute(&self, raw: &mut RawData, context: &Context<'_>) -> Result<(), ProcessError> {
        let side = |side| raw.amplifiers.iter().find(|a| a.side == side).cloned();
        let (Some(l), Some(u)) = (side(Side::L), side(Side::U)) else {
            let names: Vec<_> = raw.amplifiers.iter().map(|a| a.name.as_str()).collect();
            return Err(ProcessError::Failed(format!(
                "an image read by the two amplifiers L and U is needed; this one was read by {}",
                names.join(", ")
            )));
        };
        let name = raw.resolve_image_name(&self.image).to_owned();
        let fit = if self.do_fit { self.fit(raw, context, &name, &l, &u)? } else { None };
        if self.do_calibration {
            self.calibrate(raw, &name, [&l, &u], fit.as_ref())?;
        }
        if self.do_decorrelation {
            self.decorrelate(raw, &name, &l, &u, fit.as_ref())?;
        }
        if let Some(fit) = fit {
            raw.products.set(fit);
        }
        Ok(())
    }

    fn check(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let n_bins = (self.q_max - self.q_min) / self.bin_size;
        if !((2.0..=MAX_BINS).contains(&n_bins) && self.bin_size > 0.0) {
            problems.push(format!(
                "`bin_size` is {}; between {} and {} ADU it gives no histogram of 2 to {MAX_BINS} bins per axis",
                self.bin_size, self.q_min, self.q_max
            ));
        }
        for (key, value) in [
            ("dc_L", self.dc_l),
            ("dc_U", self.dc_u),
            ("sig_L", self.sig_l),
            ("sig_U", self.sig_u),
            ("cal_L", self.cal_l),
            ("cal_U", self.cal_u),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                problems.push(format!("`{key}` is {value}; a positive number is expected"));
            }
        }
        for (key, range, floor) in [
            ("theta_range", self.theta_range, f64::NEG_INFINITY),
            ("dc_L_range", self.dc_l_range, 0.0),
            ("dc_U_range", self.dc_u_range, 0.0),
            ("sig_L_range", self.sig_l_range, 0.0),
            ("sig_U_range", self.sig_u_range, 0.0),
            ("cal_L_range", self.cal_l_range, 0.0),
            ("cal_U_range", self.cal_u_range, 0.0),
        ] {
            if let Some([lo, hi]) = range
                && !(lo < hi && lo > floor && hi.is_finite())
            {
                let above = if floor == 0.0 { " above 0" } else { "" };
                problems.push(format!("`{key}` is [{lo}, {hi}]; two ascending limits{above} are expected"));
            }
        }
        if self.np_x > 50 || self.np_y > 50 {
            problems
                .push(format!("`NpX` is {} and `NpY` is {}; at most 50 electrons are modelled", self.np_x, self.np_y));
        }
        problems
    }
}

impl TwoDGaussProcess {
    /// Start values and limits; a range that is not given follows the start value.
    pub fn start_and_limits(&self, height: f64) -> StartAndLimits {
        let mut start = [0.0; N];
        let mut bounds = Bounds { lo: [0.0; N], hi: [0.0; N] };
        let mut set = |k: usize, value: f64, [lo, hi]: [f64; 2]| {
            (start[k], bounds.lo[k], bounds.hi[k]) = (value, lo, hi);
        };
        let turn = self.theta_range.map_or([-1.0, 1.0], |range| range.map(f64::to_radians));
        set(A, height, [0.0, f64::INFINITY]);
        set(THETA, self.theta.to_radians(), turn);
        for (k, value, range) in [(DC, self.dc_l, self.dc_l_range), (DC + 1, self.dc_u, self.dc_u_range)] {
            set(k, value, range.unwrap_or([0.1 * value, 10.0 * value]));
        }
        for (k, value, range) in [(SIG, self.sig_l, self.sig_l_range), (SIG + 1, self.sig_u, self.sig_u_range)] {
            set(k, value, range.unwrap_or([(value - 3.0).max(0.01), value + 3.0]));
        }
        for (k, value, range) in [(CAL, self.cal_l, self.cal_l_range), (CAL + 1, self.cal_u, self.cal_u_range)] {
            set(k, value, range.unwrap_or([value - 3.0, value + 3.0]));
        }
        for k in [OFFSET, OFFSET + 1] {
            set(k, 0.0, [-1.0, 1.0]);
        }
        StartAndLimits { start, bounds }
    }

    /// The pairs of finite, unmasked pixels.
    fn pairs(
        &self,
        raw: &mut RawData,
        name: &str,
        l: &Amplifier,
        u: &Amplifier,
    ) -> Result<Vec<(f64, f64)>, ProcessError> {
        let wanted = self.mask_clusters.unwrap_or(true);
        let mask = raw.masks.get("mask_clusters").filter(|_| wanted).map(|m| &m.pixels);
        if wanted && mask.is_none() {
            if self.mask_clusters.is_some() {
                return Err(ProcessError::NotRunBefore {
                    needed: "ClusterFinder and BuildClusterMask",
                    what: "the mask of the clusters, asked for by `mask_clusters`".into(),
                });
            }
            raw.report.warn("there is no cluster mask (BuildClusterMask did not run before): all pixels are used");
        }
        let mask = raw.masks.get("mask_clusters").filter(|_| wanted).map(|m| &m.pixels);
        let image = raw.image(name)?;
        Ok(pair_places(l, u, self.row_start, self.col_start)
            .filter(|(a, b)| mask.is_none_or(|mask| !mask[*a] && !mask[*b]))
            .map(|(a, b)| (image[a], image[b]))
            .filter(|(x, y)| x.is_finite() && y.is_finite())
            .collect())
    }

    /// Histogram, fit and report. `None` when nothing could be fitted.
    fn fit(
        &self,
        raw: &mut RawData,
        context: &Context<'_>,
        name: &str,
        l: &Amplifier,
        u: &Amplifier,
    ) -> Result<Option<PairFit>, ProcessError> {
        let options = FitOptions::parse(&self.fit_opt);
        if !options.unknown.is_empty() {
            let letters: String = options.unknown.iter().collect();
            raw.report.warn(format!("`fit_opt`: the letters {letters} have no meaning and are ignored"));
        }
        let pairs = self.pairs(raw, name, l, u)?;
        let histogram = PairHistogram::new(&pairs, self.q_min, self.q_max, self.bin_size);
        let begin = self.start_and_limits(histogram.max());
        let peaks = Peaks { x: self.np_x, y: self.np_y };
        let Some(fit) = fit_pairs(&histogram, &begin, peaks, &options) else {
            raw.report.warn(format!(
                "{} of {} pairs lie between {} and {} ADU and fill {} bins; more than {N} are needed for a fit, nothing is \
                 fitted",
                histogram.inside,
                histogram.entries,
                self.q_min,
                self.q_max,
                histogram.non_empty()
            ));
            return Ok(None);
        };
        let unit = unit_of_image(name);
        report::report(raw, &fit, &histogram, unit);
        if context.wants_figures() {
            report::draw(raw, context, &fit, &histogram, peaks, unit);
        }
        Ok(Some(fit))
    }

    /// The image in electrons, full size. A fit that is not usable gives way to the configured gains, with a warning.
    fn calibrate(
        &self,
        raw: &mut RawData,
        name: &str,
        sides: [&Amplifier; 2],
        fit: Option<&PairFit>,
    ) -> Result<(), ProcessError> {
        let mut electrons = Array2::zeros(raw.image(name)?.dim());
        for (k, (amplifier, configured)) in sides.into_iter().zip([self.cal_l, self.cal_u]).enumerate() {
            let fitted = fit.and_then(|fit| fit.usable(CAL + k));
            if self.do_fit && fitted.is_none() {
                raw.report.warn(format!(
                    "amplifier {}: the fit gives no usable gain: {} = {configured} ADU/e- is used",
                    amplifier.name,
                    NAMES[CAL + k]
                ));
            }
            let gain = fitted.unwrap_or(configured);
            let adu = amplifier.full.view(raw.image(name)?);
            amplifier.full.view_mut(&mut electrons).zip_mut_with(&adu, |e, q| *e = q / gain);
            raw.products.set_for(&amplifier.name, Gain { adu_per_electron: gain });
            raw.report.result(format!("amplifier {} calibrated with {gain:.5} ADU/e-", amplifier.name));
        }
        raw.images.insert(format!("{name}_e"), electrons);
        Ok(())
    }

    /// The image in which each pair (L, U) is rotated: u replaces L, v replaces U.
    fn decorrelate(
        &self,
        raw: &mut RawData,
        name: &str,
        l: &Amplifier,
        u: &Amplifier,
        fit: Option<&PairFit>,
    ) -> Result<(), ProcessError> {
        let Some((fit, theta)) = fit.and_then(|fit| Some((fit, fit.usable(THETA)?))) else {
            raw.report.warn("there is no usable angle: no decorrelated image is made");
            return Ok(());
        };
        let (sine, cosine) = theta.sin_cos();
        let (x0, y0) = (fit.values[OFFSET], fit.values[OFFSET + 1]);
        let image = raw.image(name)?;
        let mut rotated = image.clone();
        // every pair, also those that the fit left out
        let whole = |a: &Amplifier| Amplifier {
            prescan: crate::image::Region::new(a.full.rows.clone(), 0..0),
            overscan: crate::image::Region::new(a.full.rows.clone(), 0..0),
            ..a.clone()
        };
        for (a, b) in pair_places(&whole(l), &whole(u), 0, 0) {
            let (dx, dy) = (image[a] - x0, image[b] - y0);
            rotated[a] = dx * cosine - dy * sine;
            rotated[b] = dx * sine + dy * cosine;
        }
        raw.images.insert(format!("{name}_decorrelated"), rotated);
        Ok(())
    }
}
