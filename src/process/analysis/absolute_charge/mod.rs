//! AbsoluteChargeProcess: every pixel as an integer number of electrons, with its probability.
//!
//! From the gain, noise, offset and dark current that FitDarkCurrentProcess found (or that are configured), the most
//! probable number of electrons of each pixel and the probability that it is the right one ([`posterior`]). Makes the
//! images `<image>_n` and `<image>_n_probability`; the pixel tree holds them as `N` and `PN`. Where the noise does not
//! resolve single electrons nothing is claimed.

pub mod posterior;
#[cfg(test)]
mod tests;

use ndarray::Array2;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fit_dark_current::DarkCurrentFit;
use super::fit_dark_current_slices::{PerRowFits, SliceFits};
use super::products::Gain;
use super::units::{shown, unit_of_image};
use crate::config::PerAmplifier;
use crate::image::report::{InfoValue, Table};
use crate::image::{Amplifier, RawData};
use crate::plot::{Anchor, Axis, Colour, Figure, Histogram, Line, Note, Panel, value_with_error};
use crate::process::{Context, Measurement, ProcessError, SKImageProcess};
use crate::stats::dark_current::model::{GAIN, MU0};
use crate::stats::histogram;
use posterior::{Assigned, Prior, Response, assign};

/// Bins per electron of the figure.
const BINS_PER_ELECTRON: usize = 20;
/// Electrons shown in the figure.
const SHOWN_ELECTRONS: f64 = 5.5;

/// Parameters of AbsoluteChargeProcess.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AbsoluteChargeProcess {
    /// Image whose electrons are counted (pedestal-subtracted, or calibrated).
    pub image: String,
    /// Gain, image units per e-; null: that of FitDarkCurrentProcess.
    pub gain: Option<PerAmplifier<f64>>,
    /// Noise, image units; null: that of FitDarkCurrentProcess.
    pub noise: Option<PerAmplifier<f64>>,
    /// Position of the zero-electron peak, image units; null: that of FitDarkCurrentProcess (0 if the gain is given).
    pub offset: Option<PerAmplifier<f64>>,
    /// Dark current, e- per pixel of the image; null: that of FitDarkCurrentProcess.
    pub dark_current: Option<PerAmplifier<f64>>,
    /// Use the dark current of each row where FitDarkCurrentPerRow found one.
    pub per_row: bool,
    /// Share of the pixels that hold charge of particles.
    pub particle_share: f64,
    /// Most electrons that a particle leaves in a pixel.
    pub max_electrons: usize,
    /// Noise above which single electrons are not resolved, e-.
    pub max_noise: f64,
    /// Write the pixel tree, with the numbers of electrons as N and their probabilities as PN.
    pub create_ttree: bool,
}

impl Default for AbsoluteChargeProcess {
    fn default() -> Self {
        Self {
            image: "mean_compressed_pedestal_subtracted".into(),
            gain: None,
            noise: None,
            offset: None,
            dark_current: None,
            per_row: true,
            particle_share: 1e-3,
            max_electrons: 1000,
            max_noise: 0.35,
            create_ttree: false,
        }
    }
}

/// Integer charges of one amplifier in numbers, left for later processes.
#[derive(Debug, Clone, PartialEq)]
pub struct ElectronCounts {
    /// How charge shows.
    pub response: Response,
    /// Dark current that served as prior, e⁻ per pixel.
    pub dark_current: f64,
    /// Active pixels with 0, 1, 2, … electrons.
    pub pixels: Vec<u64>,
    /// Expected number of wrong ones among them: Σ (1 − P).
    pub wrong: Vec<f64>,
    /// Electrons in the active region.
    pub electrons: f64,
    /// Sum of the squares of the numbers of electrons in the active region.
    pub squares: f64,
}

impl ElectronCounts {
    /// Active pixels counted.
    pub fn total(&self) -> u64 {
        self.pixels.iter().sum()
    }

    /// Mean electrons of an active pixel and its standard error, from the scatter of the pixels.
    pub fn mean(&self) -> (f64, f64) {
        let n = self.total() as f64;
        let mean = self.electrons / n;
        (mean, ((self.squares / n - mean * mean).max(0.0) / (n - 1.0)).sqrt())
    }

    /// Expected share of wrong assignments.
    pub fn wrong_share(&self) -> f64 {
        self.wrong.iter().sum::<f64>() / self.total() as f64
    }
}

impl SKImageProcess for AbsoluteChargeProcess {
    fn execute(&self, raw: &mut RawData, context: &Context<'_>) -> Result<(), ProcessError> {
        let amplifier = raw.amplifiers[context.amplifier].clone();
        let name = raw.resolve_image_name(&self.image).to_owned();
        let outputs = [format!("{name}_n"), format!("{name}_n_probability")];
        let mut images = Vec::new();
        for output in &outputs {
            let begun = if context.amplifier == 0 { None } else { raw.images.shift_remove(output) };
            images.push(match begun {
                Some(image) => image,
                None => Array2::from_elem(raw.image(&name)?.dim(), f64::NAN),
            });
        }
        let resolved = self.response(raw, context.amplifier, &name)?;
        let counts = match resolved {
            Some((response, dark_current)) => {
                Some(self.count(raw, &amplifier, &name, response, dark_current, &mut images)?)
            }
            None => None,
        };
        for (output, image) in outputs.into_iter().zip(images) {
            raw.images.insert(output, image);
        }
        // the figure shows the images
        if let Some(counts) = counts {
            self.report(raw, context, &amplifier, &name, &counts);
            raw.products.set_for(&amplifier.name, counts);
        }
        super::pixel_tree::request(raw, context, self.create_ttree);
        Ok(())
    }

    fn check(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !(0.0..=0.5).contains(&self.particle_share) {
            problems.push(format!("`particle_share` is {}; a number in 0…0.5 is expected", self.particle_share));
        }
        if !(self.max_noise > 0.0) {
            problems.push(format!("`max_noise` is {}; a positive number of electrons is expected", self.max_noise));
        }
        problems
    }
}

impl AbsoluteChargeProcess {
    /// Response and dark current (e⁻ per pixel of the image) of an amplifier; `None`, with a warning, where the electrons
    /// cannot be counted.
    fn response(&self, raw: &mut RawData, index: usize, image: &str) -> Result<Option<(Response, f64)>, ProcessError> {
        let amplifier = raw.amplifiers[index].clone();
        let configured = |key: &str, value: &Option<PerAmplifier<f64>>| match value {
            None => Ok(None),
            Some(value) => {
                value.get(&amplifier).copied().map(Some).ok_or_else(|| ProcessError::no_value(key, raw, index))
            }
        };
        let (gain, noise) = (configured("gain", &self.gain)?, configured("noise", &self.noise)?);
        let offset = configured("offset", &self.offset)?;
        let dark_current = configured("dark_current", &self.dark_current)?;
        // the fit is in ADU; a calibrated image is in units of the gain that was used
        let used_gain = raw.products.get_for::<Gain>(&amplifier.name).map_or(1.0, |g| g.adu_per_electron);
        let scale = if image.ends_with("_e") { 1.0 / used_gain } else { 1.0 };
        let fit = raw.products.get_for::<DarkCurrentFit>(&amplifier.name).cloned();
        let verdict = fit.as_ref().map(DarkCurrentFit::verdict);
        let usable = fit.filter(|f| f.is_usable());
        let needed = gain.is_none() || noise.is_none() || dark_current.is_none();
        if needed && usable.is_none() {
            let reason = match verdict {
                Some(verdict) => format!("the dark-current fit is not usable ({})", verdict.text()),
                None => "FitDarkCurrentProcess did not run before".to_owned(),
            };
            raw.report.warn(format!(
                "amplifier {}: {reason}, and `gain`, `noise` and `dark_current` are not all given: no electrons are counted",
                amplifier.name
            ));
            return Ok(None);
        }
        if let (true, Some(verdict)) = (needed, verdict) {
            verdict.warn(raw, &format!("amplifier {}: the dark-current fit that gives the response", amplifier.name));
        }
        let fitted = usable.as_ref().map(|f| &f.fit);
        let from_fit = |value: Option<f64>| value.unwrap_or(f64::NAN) * scale;
        let variance = |j: usize, k: usize| fitted.map_or(0.0, |f| f.covariance[j][k]) * scale * scale;
        let own_gain = gain.is_some();
        let response = Response {
            gain: gain.unwrap_or_else(|| from_fit(fitted.map(|f| f.gain().value))),
            sigma: noise.unwrap_or_else(|| from_fit(fitted.map(|f| f.sigma().value))),
            offset: offset.unwrap_or_else(|| if own_gain { 0.0 } else { from_fit(fitted.map(|f| f.mu0().value)) }),
            offset_variance: if own_gain || offset.is_some() { 0.0 } else { variance(MU0, MU0) },
            gain_variance: if own_gain { 0.0 } else { variance(GAIN, GAIN) },
            covariance: if own_gain || offset.is_some() { 0.0 } else { variance(MU0, GAIN) },
        };
        let dark_current = dark_current.unwrap_or_else(|| fitted.map_or(f64::NAN, |f| f.lambda_in_electrons().value));
        let width = response.sigma / response.gain;
        if !(response.gain > 0.0 && response.sigma > 0.0 && width.is_finite() && response.offset.is_finite()) {
            return Err(ProcessError::Failed(format!(
                "amplifier {}: gain {} and noise {} must be positive numbers",
                amplifier.name, response.gain, response.sigma
            )));
        }
        if width > self.max_noise {
            raw.report.warn(format!(
                "amplifier {}: the noise is {width:.3} e-; single electrons are resolved up to {} e- (`max_noise`): no electrons are \
                 counted",
                amplifier.name, self.max_noise
            ));
            return Ok(None);
        }
        Ok(Some((response, dark_current)))
    }

    /// Counts the electrons of every pixel that the amplifier reads.
    fn count(
        &self,
        raw: &RawData,
        amplifier: &Amplifier,
        name: &str,
        response: Response,
        dark_current: f64,
        images: &mut [Array2<f64>],
    ) -> Result<ElectronCounts, ProcessError> {
        let pixels = raw.image(name)?;
        let per_bin = (raw.row_binning * raw.col_binning).max(1) as f64;
        let by_row = raw.products.get_for::<PerRowFits>(&amplifier.name).filter(|_| self.per_row).map(|f| &f.0);
        let outside = Prior::new(0.0, self.particle_share, self.max_electrons);
        let rows: Vec<Vec<Option<Assigned>>> = amplifier
            .full
            .rows
            .clone()
            .into_par_iter()
            .map(|row| {
                let lambda = by_row
                    .and_then(|f| of_row(f, row - amplifier.full.rows.start))
                    .map_or(dark_current, |l| l * per_bin);
                let prior = Prior::new(lambda, self.particle_share, self.max_electrons);
                amplifier
                    .full
                    .cols
                    .clone()
                    .map(|col| {
                        let active = amplifier.active.contains(row, col);
                        assign(pixels[[row, col]], &response, if active { &prior } else { &outside })
                    })
                    .collect()
            })
            .collect();
        let mut counts = ElectronCounts {
            response,
            dark_current,
            pixels: Vec::new(),
            wrong: Vec::new(),
            electrons: 0.0,
            squares: 0.0,
        };
        for (row, line) in amplifier.full.rows.clone().zip(rows) {
            for (col, assigned) in amplifier.full.cols.clone().zip(line) {
                let Some(Assigned { electrons, probability }) = assigned else { continue };
                images[0][[row, col]] = electrons as f64;
                images[1][[row, col]] = probability;
                if amplifier.active.contains(row, col) {
                    let bin = electrons.min(self.max_electrons);
                    if counts.pixels.len() <= bin {
                        counts.pixels.resize(bin + 1, 0);
                        counts.wrong.resize(bin + 1, 0.0);
                    }
                    counts.pixels[bin] += 1;
                    counts.wrong[bin] += 1.0 - probability;
                    counts.electrons += electrons as f64;
                    counts.squares += (electrons as f64).powi(2);
                }
            }
        }
        Ok(counts)
    }

    fn report(
        &self,
        raw: &mut RawData,
        context: &Context<'_>,
        amplifier: &Amplifier,
        name: &str,
        counts: &ElectronCounts,
    ) {
        let short = amplifier.short_name();
        let total = counts.total();
        let (mean, mean_error) = counts.mean();
        raw.report.measure(
            Measurement::new("mean_electrons", mean, "e-/pix")
                .error(mean_error)
                .card(format!("QNMEAN{short}"), "integer charge: mean of active pixels [e-]")
                .info_branch(format!("{}_mean_electrons", amplifier.name)),
        );
        raw.report.measure(
            Measurement::new("wrong_electrons_share", counts.wrong_share(), "")
                .card(format!("QNWRNG{short}"), "integer charge: expected share of wrong ones"),
        );
        raw.report
            .info_branch(format!("{}_wrong_electrons_share", amplifier.name), InfoValue::Double(counts.wrong_share()));
        let list: Vec<String> =
            counts.pixels.iter().take(5).enumerate().map(|(n, pixels)| format!("{n} e⁻: {pixels}")).collect();
        raw.report.result(format!(
            "amplifier {}: integer charge of {total} active pixels ({}), {} e-/pix, {:.3} % expected to be wrong",
            amplifier.name,
            list.join(", "),
            value_with_error(mean, mean_error),
            100.0 * counts.wrong_share()
        ));
        raw.report.table(Table {
            name: format!("AbsoluteChargeProcess_{}", amplifier.name),
            columns: ["electrons", "active_pixels", "expected_wrong"].map(str::to_owned).to_vec(),
            rows: counts
                .pixels
                .iter()
                .zip(&counts.wrong)
                .enumerate()
                .filter(|(_, (pixels, _))| **pixels > 0)
                .map(|(n, (pixels, wrong))| vec![n as f64, *pixels as f64, *wrong])
                .collect(),
        });
        if context.wants_figures() {
            self.draw(raw, context, amplifier, name, counts);
        }
    }

    /// The spectrum divided by number of electrons, and the probability along the charge.
    fn draw(
        &self,
        raw: &mut RawData,
        context: &Context<'_>,
        amplifier: &Amplifier,
        name: &str,
        counts: &ElectronCounts,
    ) {
        let Response { gain, offset, sigma, .. } = counts.response;
        let (lo, hi) = (-1.0, SHOWN_ELECTRONS);
        let n_bins = ((hi - lo) * BINS_PER_ELECTRON as f64) as usize;
        let mut by_number: Vec<Vec<f64>> = vec![Vec::new(); SHOWN_ELECTRONS as usize + 1];
        if let (Ok(image), Some(numbers)) = (raw.image(name), raw.images.get(&format!("{name}_n"))) {
            for (q, n) in amplifier.active.view(image).iter().zip(amplifier.active.view(numbers)) {
                if n.is_finite()
                    && let Some(values) = by_number.get_mut(*n as usize)
                {
                    values.push((q - offset) / gain);
                }
            }
        }
        let mut spectrum = Panel::new()
            .y_axis(Axis::new("pixels").log().from(0.5))
            .x_range(lo, hi)
            .note(
                Note::new(
                    Anchor::TopRight,
                    [
                        format!("noise {:.3} e⁻", sigma / gain),
                        format!("λ {:.4} e⁻/pix", counts.dark_current),
                        format!("expected wrong {:.3} %", 100.0 * counts.wrong_share()),
                    ],
                )
                .boxed(),
            )
            .legend_at(Anchor::Top);
        for (n, values) in by_number.iter().enumerate().filter(|(_, v)| !v.is_empty()) {
            if let Ok(bins) = histogram::Histogram::window(values, lo, hi, n_bins) {
                spectrum = spectrum.histogram(
                    Histogram::uniform(lo, hi, bins.contents()).colour(Colour::series(n)).label(format!("{n} e⁻")),
                );
            }
        }
        let prior = Prior::new(counts.dark_current, self.particle_share, self.max_electrons);
        let probability = |x: f64| {
            assign(offset + gain * x, &counts.response, &prior).map_or(f64::NAN, |assigned| assigned.probability)
        };
        let curve = Panel::new()
            .x(format!("charge [e⁻] (image in {})", shown(unit_of_image(name))))
            .y("probability")
            .x_range(lo, hi)
            .y_range(0.4, 1.02)
            .line(Line::function(lo, hi, 1200, probability));
        let mut chain = raw.chain.clone();
        chain.push(context.entry.tag.to_owned());
        let figure = Figure::new(format!("AbsoluteChargeProcess_{}", amplifier.name))
            .titles(&format!("Integer charge, amplifier {}", amplifier.name), &raw.source.label, &chain)
            .with_residuals(spectrum, curve)
            .caption("Charge of the active pixels by the number of electrons assigned, and the probability of the assignment.");
        raw.report.figure(figure);
    }
}

/// Dark current of a row (within the amplifier), e⁻/pix, where its group has a value to be trusted.
fn of_row(fits: &SliceFits, row: usize) -> Option<f64> {
    let group = fits.fits.iter().find(|f| f.lines.contains(&row))?;
    group.trusts(&group.dc).then_some(group.dc.value)
}
