//! Dark-current fits of each amplifier and of blocks of its rows and columns: ids 50–57 and 60–64.
//!
//! The fit itself is [`crate::stats::dark_current`] (spec 03 §1). Ids 50–53 and 54–57 share one series of fits, 60–64 one
//! fit.

use std::collections::BTreeMap;
use std::ops::Range;

use rayon::prelude::*;

use super::config::ElementConfig;
use super::{Reason, Shot, extra, vector, with_line};
use crate::config::PairEnd;
use crate::dqm::model::{Entry, Extra, HistogramCounts, Pair, Values};
use crate::image::{Amplifier, RawData, Region};
use crate::stats::dark_current::{
    BinWidth, DarkCurrentFit, DarkCurrentSettings, FitOptions, ParameterLimits, StartHints, fit_pixels,
};

/// Said where the elements are not made.
pub(super) const NOT_HERE: &str = "made on the high-resolution image only (--all-me makes it on all images)";

/// The dark-current fit of an amplifier.
#[derive(Debug, Clone)]
pub struct AmplifierFit {
    /// The fit, ADU.
    pub fit: DarkCurrentFit,
    /// Pixels of the extension.
    pub total_pixels: usize,
    /// Peaks of the model.
    pub n_peaks: usize,
}

impl AmplifierFit {
    /// Status word 0, and a χ²/ndf: only then may the gain be used.
    pub fn is_good(&self) -> bool {
        self.fit.status.is_good() && self.fit.ndf > 0 && self.fit.baker_cousins.is_finite()
    }

    /// Gain and error, ADU/e⁻.
    pub fn gain(&self) -> Pair {
        Pair::new(self.fit.gain().value, self.fit.gain().error)
    }

    /// Fraction of the pixels of the extension in the window of the fit.
    pub fn fraction(&self) -> f64 {
        self.fit.included_pixels as f64 / self.total_pixels.max(1) as f64
    }
}

/// What the parameters of an element ask for.
fn settings(config: &ElementConfig, amplifier: &Amplifier) -> Result<DarkCurrentSettings, Reason> {
    let get = |key: &str| config.number(key, amplifier);
    let limits = |name: &str| -> Result<(f64, f64), Reason> {
        let (low, high) = (get(&format!("{name}_min"))?, get(&format!("{name}_max"))?);
        if low <= high { Ok((low, high)) } else { Err(format!("`{name}_min` is {low}, above `{name}_max` = {high}")) }
    };
    let window = (get("x_min")?, get("x_max")?);
    if !(window.0 < window.1) {
        return Err(format!("`x_min` is {} and `x_max` is {}; x_min < x_max is expected", window.0, window.1));
    }
    let calibration = get("calibration")?;
    let n_peaks = config.optional("n_peaks", amplifier).unwrap_or_else(|| peaks_in(window.1, calibration));
    if !(1.0..1000.0).contains(&n_peaks) {
        return Err(format!("`n_peaks` is {n_peaks}; at least 1 peak is needed"));
    }
    Ok(DarkCurrentSettings {
        options: FitOptions::parse(config.text("fit_options")),
        window,
        bin_width: BinWidth::from_size(get("binning_size")?),
        n_peaks: n_peaks as usize,
        calibration,
        free_gain: config.truth("do_calibration"),
        limits: ParameterLimits {
            mu0: limits("mu")?,
            sigma: limits("sigma")?,
            lambda: limits("dc")?,
            gain: limits("gain")?,
        },
        start: StartHints::default(),
        ..DarkCurrentSettings::default()
    })
}

/// Peaks up to the end of the window, zero electrons included, at least three: pixels in the window that no peak of the
/// model accounts for widen the others and pull the gain.
fn peaks_in(end: f64, calibration: f64) -> f64 {
    const MOST: f64 = 60.0;
    let beyond = (end / calibration).floor() + 1.0;
    if beyond.is_finite() { beyond.clamp(3.0, MOST) } else { 3.0 }
}

/// Whether a mask of clusters leaves at least half of the active pixels: one that takes more was made with thresholds or
/// a gain that do not fit the image, and is no mask of particles.
fn leaves_enough(mask: &ndarray::Array2<bool>, active: &Region) -> bool {
    let masked = active.view(mask).iter().filter(|m| **m).count();
    2 * masked <= active.len()
}

/// The pixels of an amplifier that may be fitted.
struct Selection<'a> {
    raw: &'a RawData,
    image: &'a ndarray::Array2<f64>,
    active: Region,
    rows_off: Vec<bool>,
    cols_off: Vec<bool>,
    clusters: Option<&'a ndarray::Array2<bool>>,
}

impl<'a> Selection<'a> {
    fn new(raw: &'a RawData, amplifier: &Amplifier, config: &ElementConfig) -> Result<Self, Reason> {
        let image = raw.image(&config.image).map_err(|e| e.to_string())?;
        let clusters = if config.truth("mask_clusters") {
            raw.masks
                .get("mask_clusters")
                .map(|mask| &mask.pixels)
                .filter(|mask| leaves_enough(mask, &amplifier.active))
        } else {
            None
        };
        // Rows count within the extension, columns in the stored image.
        let block = amplifier.full.rows.clone();
        let mut rows_off = vec![false; raw.rows];
        for row in config.index_list("rows_to_mask", amplifier).indices(block.len(), PairEnd::Excluded).0 {
            rows_off[block.start + row] = true;
        }
        let mut cols_off = vec![false; raw.cols];
        for col in config.index_list("cols_to_mask", amplifier).indices(raw.cols, PairEnd::Excluded).0 {
            cols_off[col] = true;
        }
        Ok(Self { raw, image, active: amplifier.active.clone(), rows_off, cols_off, clusters })
    }

    /// Finite values of a region in raster order.
    fn values(&self, region: &Region) -> Vec<f64> {
        let mut values = Vec::with_capacity(region.len());
        for row in region.rows.clone().filter(|r| *r < self.raw.rows && !self.rows_off[*r]) {
            for col in region.cols.clone().filter(|c| *c < self.raw.cols && !self.cols_off[*c]) {
                let q = self.image[[row, col]];
                // The mask of the clusters also covers everything outside of the active region, which is not meant here.
                let masked = self.clusters.is_some_and(|m| m[[row, col]] && self.active.contains(row, col));
                if q.is_finite() && !masked {
                    values.push(q);
                }
            }
        }
        values
    }
}

/// The fits of the active regions. Amplifiers that cannot be fitted are left out.
pub(super) fn fit_amplifiers(
    raw: &RawData,
    amplifiers: &[Amplifier],
    config: &ElementConfig,
) -> BTreeMap<String, AmplifierFit> {
    let fits: Vec<Option<(String, AmplifierFit)>> = amplifiers
        .par_iter()
        .map(|amplifier| {
            let settings = settings(config, amplifier).ok()?;
            let selection = Selection::new(raw, amplifier, config).ok()?;
            let fit = fit_pixels(&selection.values(&amplifier.active), &settings).ok()?;
            let total_pixels = amplifier.full.rows.len() * raw.cols;
            Some((amplifier.name.clone(), AmplifierFit { fit, total_pixels, n_peaks: settings.n_peaks }))
        })
        .collect();
    fits.into_iter().flatten().collect()
}

/// Replaces the calibrated image: amplifiers with a good fit get its gain, the others keep theirs.
pub(super) fn recalibrate(
    raw: &mut RawData,
    amplifiers: &[Amplifier],
    fits: &BTreeMap<String, AmplifierFit>,
    gains: &mut BTreeMap<String, Pair>,
) {
    for (name, fit) in fits.iter().filter(|(_, f)| f.is_good()) {
        gains.insert(name.clone(), fit.gain());
    }
    let Ok(subtracted) = raw.image(super::config::SUBTRACTED).cloned() else { return };
    let mut electrons = ndarray::Array2::zeros(subtracted.dim());
    for amplifier in amplifiers {
        let Some(gain) = gains.get(&amplifier.name).filter(|g| g.value > 0.0) else { continue };
        let adu = amplifier.full.view(&subtracted);
        amplifier.full.view_mut(&mut electrons).zip_mut_with(&adu, |e, q| *e = q / gain.value);
    }
    raw.images.insert(format!("{}_e", super::config::SUBTRACTED), electrons);
}

/// Entry of id 60 (histogram and fit) or 61–64 (μ0/g, σ/g, λ/g per pixel, g).
pub(super) fn entry(shot: &Shot<'_>, found: Option<&AmplifierFit>, image: i64) -> Result<Entry, Reason> {
    let Some(found) = found else {
        // The same steps again, to say what is wrong.
        let settings = settings(shot.config, shot.amplifier)?;
        let selection = Selection::new(shot.raw, shot.amplifier, shot.config)?;
        let error = fit_pixels(&selection.values(&shot.amplifier.active), &settings).err();
        return Err(error.map_or_else(|| "the fit was not made".into(), |e| e.to_string()));
    };
    let fit = &found.fit;
    if !fit.was_made() {
        return Err(format!("too few pixels in the window of the fit ({})", fit.included_pixels));
    }
    let goodness = goodness(fit);
    let per_pixel = 1.0 / shot.binning();
    let scalar = |y: f64, error: f64| {
        let mut entry = Entry {
            x: Values::One(image as f64),
            y: Values::One(y),
            yerr: Values::One(error),
            goodness: Values::One(goodness),
            ..Entry::default()
        };
        entry.extra.insert("fit_status".into(), Extra::Integer(i64::from(fit.status.0)));
        entry
    };
    let (mu, sigma, lambda) = (fit.mu0_in_electrons(), fit.sigma_in_electrons(), fit.lambda_in_electrons());
    Ok(match shot.config.description.id {
        61 => scalar(mu.value, mu.error),
        62 => scalar(sigma.value, sigma.error),
        63 => scalar(lambda.value * per_pixel, lambda.error * per_pixel),
        64 => scalar(fit.gain().value, fit.gain().error),
        _ => histogram(found, goodness),
    })
}

fn goodness(fit: &DarkCurrentFit) -> f64 {
    if fit.ndf > 0 && fit.baker_cousins.is_finite() { fit.baker_cousins / fit.ndf as f64 } else { f64::NAN }
}

/// Bins up to the first centre above n_peaks·gain, with the fitted counts and the parameters.
fn histogram(found: &AmplifierFit, goodness: f64) -> Entry {
    let fit = &found.fit;
    let last = found.n_peaks as f64 * fit.gain().value;
    let bins = (0..fit.histogram.n_bins()).find(|k| fit.histogram.centre(*k) > last);
    let bins = bins.map_or(fit.histogram.n_bins(), |k| k + 1);
    let counts = fit.histogram.counts().iter().take(bins).map(|n| u32::try_from(*n).unwrap_or(u32::MAX)).collect();
    let mut entry = Entry {
        histogram: Some(HistogramCounts { first_edge: fit.histogram.lo(), width: fit.histogram.width(), counts }),
        yfit: Values::Many(fit.expected.iter().copied().take(bins).collect()),
        goodness: Values::One(goodness),
        ..Entry::default()
    };
    for (name, p) in [
        ("norm", fit.norm()),
        ("mu0", fit.mu0()),
        ("sigma", fit.sigma()),
        ("lambda", fit.lambda()),
        ("gain", fit.gain()),
    ] {
        extra(&mut entry, name, p.value);
        extra(&mut entry, &format!("{name}_err"), p.error);
    }
    extra(&mut entry, "chi2", fit.baker_cousins);
    extra(&mut entry, "p_value", fit.goodness.p_value);
    entry.extra.insert("ndf".into(), Extra::Integer(fit.ndf));
    entry.extra.insert("fit_status".into(), Extra::Integer(i64::from(fit.status.0)));
    entry.extra.insert("pixels".into(), Extra::Integer(fit.included_pixels as i64));
    entry
}

/// The fits of blocks of rows or columns.
pub(super) struct Slices {
    x: Vec<f64>,
    half_width: f64,
    /// λ/g per pixel, μ0/g, g, σ/g with errors.
    values: [Vec<Pair>; 4],
    goodness: Vec<f64>,
    status: Vec<f64>,
}

/// Fits the blocks: rows of the active region, or all columns of the amplifier.
pub(super) fn slices(shot: &Shot<'_>, per_row: bool) -> Result<Slices, Reason> {
    let settings = settings(shot.config, shot.amplifier)?;
    let selection = Selection::new(shot.raw, shot.amplifier, shot.config)?;
    let (name, full) = if per_row { ("row", &shot.amplifier.full.rows) } else { ("col", &shot.amplifier.full.cols) };
    let step = shot.count(&format!("{name}_step"))?.max(1);
    let blocks = blocks(full.len(), shot.count(&format!("{name}_start"))?, shot.number(&format!("{name}_end"))?, step);
    let active = &shot.amplifier.active;
    let per_pixel = 1.0 / shot.binning();
    let fits: Vec<Option<(Range<usize>, DarkCurrentFit)>> = blocks
        .into_par_iter()
        .map(|lines| {
            let own = full.start + lines.start..full.start + lines.end;
            let region = if per_row {
                Region::new(own.start.max(active.rows.start)..own.end.min(active.rows.end), active.cols.clone())
            } else {
                Region::new(shot.amplifier.full.rows.clone(), own)
            };
            let values = selection.values(&region);
            let inside = values.iter().any(|q| *q > settings.window.0 && *q < settings.window.1);
            let fit = if inside { fit_pixels(&values, &settings).ok() } else { None };
            fit.filter(DarkCurrentFit::was_made).map(|fit| (lines, fit))
        })
        .collect();
    let half_width = 0.5 * step as f64;
    let mut found =
        Slices { x: Vec::new(), half_width, values: Default::default(), goodness: Vec::new(), status: Vec::new() };
    let first = if per_row { 0 } else { full.start };
    for (lines, fit) in fits.into_iter().flatten() {
        found.x.push((first + lines.start) as f64 + half_width);
        let (dc, mu, sigma) =
            (fit.lambda_in_electrons().scaled(per_pixel), fit.mu0_in_electrons(), fit.sigma_in_electrons());
        let four = [
            Pair::new(dc.value, dc.error),
            Pair::new(mu.value, mu.error),
            Pair::new(fit.gain().value, fit.gain().error),
            Pair::new(sigma.value, sigma.error),
        ];
        // A fit that is not good, or that rests on a limit (no electrons, no gain), is no measurement: its values would
        // scatter far more than their errors and set off every test.
        for (list, value) in found.values.iter_mut().zip(four) {
            list.push(if fit.status.is_good() { value } else { Pair::UNKNOWN });
        }
        found.goodness.push(goodness(&fit));
        found.status.push(f64::from(fit.status.0));
    }
    if found.x.is_empty() {
        return Err("no block has enough pixels in the window of the fit".into());
    }
    if found.status.iter().all(|s| *s != 0.0) {
        return Err(format!("none of the fits of {} blocks is good", found.x.len()));
    }
    Ok(found)
}

/// Blocks `[r, r + step)` for r = start, start + step, … < end; end −1 or 0: the last line, other negative values count
/// from the end.
fn blocks(lines: usize, start: usize, end: f64, step: usize) -> Vec<Range<usize>> {
    let end = if end == -1.0 || end == 0.0 {
        lines
    } else if end < 0.0 {
        lines.saturating_sub(-end as usize)
    } else {
        (end as usize).min(lines)
    };
    (start..end.max(start)).step_by(step).map(|r| r..(r + step).min(lines)).collect()
}

impl Slices {
    pub(super) fn entry(&self, id: u16, zscore_max: Option<f64>) -> Entry {
        let which = match id {
            50 | 54 => 0,
            51 | 57 => 1,
            52 | 56 => 2,
            _ => 3,
        };
        let pairs = &self.values[which];
        let errors: Vec<f64> = pairs.iter().map(|p| p.error).collect();
        let values = pairs.iter().map(|p| p.value).collect();
        let mut entry = with_line(vector(self.x.clone(), values), Some(&errors), zscore_max);
        entry.yerr = Values::Many(errors);
        entry.xerr = Values::Many(vec![self.half_width; self.x.len()]);
        entry.goodness = Values::Many(self.goodness.clone());
        entry.extra.insert("fit_status".into(), Extra::Numbers(self.status.clone()));
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With the defaults (window to 60 ADU, 10 ADU/e⁻) the pixels of a dark current of 0.5 e⁻ give their gain, noise and
    /// dark current; three peaks cannot describe the pixels of 3 e⁻ and more.
    #[test]
    fn the_default_fit_describes_a_dark_current() {
        let mut random = crate::stats::random::Stream::from_seed(17);
        let poisson = crate::stats::random::Poisson::new(0.5);
        let pixels = ndarray::Array2::from_shape_fn((200, 200), |_| {
            10.0 * poisson.draw(&mut random) as f64 + 0.8 * random.normal()
        });
        let raw = RawData::from_image(super::super::config::SUBTRACTED, pixels);
        let fitted = |json: serde_json::Value| {
            let elements = super::super::config::Elements::read("me.json", &json).unwrap();
            let mut fits = fit_amplifiers(&raw, &raw.amplifiers, elements.get(60).unwrap());
            fits.remove("EXT0").unwrap()
        };
        let all = fitted(serde_json::json!({"MEFitDC": {"active": 1}}));
        assert!(all.is_good() && all.fit.chi2() < 2.0, "{}", all.fit.chi2());
        // λ in ADU: 0.5 e⁻ times the gain. The bins of 0.5 ADU widen σ to √(0.64 + 0.5²/12).
        for (found, truth) in
            [(all.fit.gain(), 10.0), (all.fit.lambda(), 5.0), (all.fit.sigma(), (0.64f64 + 0.25 / 12.0).sqrt())]
        {
            assert!((found.value - truth).abs() < 4.0 * found.error, "{} ± {}, {truth}", found.value, found.error);
        }
        let three = fitted(serde_json::json!({"MEFitDC": {"active": 1, "n_peaks": 3}}));
        assert!(three.fit.chi2() > 5.0, "{}", three.fit.chi2());
    }

    #[test]
    fn blocks_are_cut_at_the_last_line() {
        assert_eq!(blocks(25, 2, -1.0, 10), [2..12, 12..22, 22..25]);
        assert_eq!(blocks(25, 0, -5.0, 10), [0..10, 10..20]);
        assert_eq!(blocks(25, 0, 0.0, 30), [0..25]);
        assert!(blocks(5, 7, -1.0, 10).is_empty());
    }
}
