//! FFTNoisePlot: the frequency content of the noise along the skips of each pixel and along the pixels of each row.
//!
//! Pick-up lines, 1/f noise and white noise are told apart and measured with errors; both spectra are written as
//! amplitude and as one-sided power spectral density. Spec 04 §4; the spectra are made in [`spectrum`], the lines found
//! in [`lines`].

mod figures;
mod line_fit;
pub mod lines;
pub mod spectrum;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::lines::{NoiseFloor, SpectralLine, find_lines, noise_floor};
use self::spectrum::{Spectrum, SpectrumSums, Transform};
use super::selection::{Ranges, rows_in_block};
use super::survey::{BookedSurvey, Survey, finished};
use super::time_base::time_base;
use crate::config::named::named_values;
use crate::image::cube::{Block, Samples};
use crate::image::report::{Table, TableHead};
use crate::image::{RawData, Region, Side};
use crate::plot::value_with_error;
use crate::process::{Context, Measurement, ProcessError, SKImageProcess};
use crate::stats::robust::{self, MAD_TO_SIGMA};

/// Image along whose rows the noise is transformed.
const IMAGE: &str = "mean_compressed";
/// Shorter series are not transformed.
const SHORTEST: usize = 4;
/// Share of the power that may be the same in all pixels without a warning.
const COMMON_SHARE: f64 = 0.02;
/// Lines in the log.
const LOGGED_LINES: usize = 5;

named_values! {
    /// Columns of an amplifier.
    pub enum SpectrumRegion {
        /// Active columns.
        Active = "active",
        /// Overscan columns.
        Overscan = "overscan",
        /// All columns.
        All = "all",
    }
}

named_values! {
    /// What is drawn.
    pub enum Quantity {
        /// ⟨|X|⟩, ADU.
        Magnitude = "magnitude",
        /// One-sided power spectral density, ADU²/Hz.
        Psd = "psd",
    }
}

/// Parameters of FFTNoisePlot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct FFTNoisePlot {
    /// Image along whose rows the noise is transformed; always mean_compressed.
    pub image: String,
    /// Time between two samples of a pixel, s; null: from the header.
    pub sample_time: Option<f64>,
    /// Columns used: active, overscan or all.
    pub region: SpectrumRegion,
    /// Along the rows: pixels further than this many robust standard deviations from the median count as the median of
    /// their row, so that tracks do not dominate; null: all pixels as they are.
    pub clip_n_sigma: Option<f64>,
    /// What is drawn: magnitude or psd.
    pub quantity: Quantity,
    /// Logarithmic frequency axis.
    pub log_x: bool,
}

impl Default for FFTNoisePlot {
    fn default() -> Self {
        Self {
            image: IMAGE.into(),
            sample_time: None,
            region: SpectrumRegion::Active,
            clip_n_sigma: None,
            quantity: Quantity::Magnitude,
            log_x: false,
        }
    }
}

/// A spectrum and what was found in it.
#[derive(Debug, Clone, PartialEq)]
pub struct NoiseSpectrum {
    /// The spectrum.
    pub spectrum: Spectrum,
    /// Its lines, most significant first.
    pub lines: Vec<SpectralLine>,
    /// White and 1/f noise.
    pub floor: Option<NoiseFloor>,
}

impl NoiseSpectrum {
    /// Looks for lines and fits the rest.
    pub fn of(spectrum: Spectrum) -> Self {
        let lines = find_lines(&spectrum);
        let floor = noise_floor(&spectrum, &lines);
        Self { spectrum, lines, floor }
    }

    /// Fitted level of the white noise as magnitude, ADU: σ √(πN)/2. `None` where no level could be fitted: what else
    /// lies in the middle of a spectrum need not be white.
    pub fn white_magnitude(&self) -> Option<f64> {
        let sigma = self.floor.as_ref()?.white_sigma(self.spectrum.step).0;
        Some(sigma * (std::f64::consts::PI * self.spectrum.length as f64).sqrt() / 2.0)
    }
}

/// The spectra of an amplifier, left for later processes.
#[derive(Debug, Clone, PartialEq)]
pub struct NoiseSpectra {
    /// Along the skips.
    pub skips: Option<NoiseSpectrum>,
    /// Along the rows.
    pub rows: Option<NoiseSpectrum>,
}

/// Spectrum along the skips of all pixels of a region.
#[derive(Debug, Clone)]
pub struct SkipSpectrumSurvey {
    region: Region,
    skips: std::ops::Range<usize>,
    transform: Transform,
    sums: SpectrumSums,
}

impl SkipSpectrumSurvey {
    /// For the pixels of a region and a range of skips.
    pub fn new(region: Region, skips: std::ops::Range<usize>) -> Self {
        let transform = Transform::new(skips.len());
        let sums = transform.sums();
        Self { region, skips, transform, sums }
    }

    /// The spectrum; `step`: time between samples, s. `None` without a pixel.
    pub fn spectrum(&self, step: Option<f64>) -> Option<Spectrum> {
        Spectrum::new(&self.sums, self.skips.len(), step)
    }
}

impl Survey for SkipSpectrumSurvey {
    type Found = Option<SpectrumSums>;

    fn observe(&self, block: &Block<'_>) -> Self::Found {
        let rows = rows_in_block(&self.region, &block.rows);
        if rows.is_empty() || self.region.cols.is_empty() {
            return None;
        }
        let (mut workspace, mut sums) = (self.transform.workspace(), self.transform.sums());
        for row in rows {
            for col in self.region.cols.clone() {
                // relative to the first sample, which keeps digits and changes nothing at f ≥ 1
                match block.pixel(row, col).part(self.skips.clone()) {
                    Samples::Int(x) => {
                        let first = f64::from(x[0]);
                        workspace.input.iter_mut().zip(x).for_each(|(v, x)| *v = f64::from(*x) - first);
                    }
                    Samples::Real(x) => workspace.input.iter_mut().zip(x).for_each(|(v, s)| *v = s - x[0]),
                }
                self.transform.add(&mut workspace, &mut sums);
            }
        }
        Some(sums)
    }

    fn collect(&mut self, found: Self::Found) {
        if let Some(sums) = found {
            self.sums.merge(&sums);
        }
    }
}

/// Spectrum along the rows of a region of an image; values further than `clip` robust standard deviations from the
/// median count as the median of their row.
pub fn row_spectrum(
    image: ndarray::ArrayView2<'_, f64>,
    clip: Option<f64>,
    step: Option<f64>,
) -> Option<(Spectrum, usize)> {
    let length = image.ncols();
    let transform = Transform::new(length);
    let (mut workspace, mut sums) = (transform.workspace(), transform.sums());
    let limits = clip.map(|n| {
        let values: Vec<f64> = image.iter().copied().collect();
        let (median, mad) = robust::median_and_mad(&values);
        (median, n * MAD_TO_SIGMA * mad)
    });
    let mut clipped = 0;
    for row in image.rows() {
        let values = row.to_vec();
        let centre = robust::median(&values);
        workspace.input.iter_mut().zip(&values).for_each(|(v, x)| {
            *v = match limits {
                Some((median, half)) if (x - median).abs() > half => {
                    clipped += 1;
                    0.0
                }
                _ => x - centre,
            }
        });
        transform.add(&mut workspace, &mut sums);
    }
    Some((Spectrum::new(&sums, length, step)?, clipped))
}

impl SKImageProcess for FFTNoisePlot {
    fn execute(&self, raw: &mut RawData, context: &Context<'_>) -> Result<(), ProcessError> {
        if !raw.images.contains_key(IMAGE) {
            return Err(ProcessError::NotRunBefore {
                needed: "CompressSkipperProcess",
                what: format!("the image {IMAGE}"),
            });
        }
        if self.image != IMAGE {
            raw.report.warn(format!("`image` is {}: the noise is always that of {IMAGE}", self.image));
        }
        let amplifier = raw.amplifiers[context.amplifier].clone();
        let times = time_base(raw, context.amplifier, self.sample_time);
        if times.is_none() {
            raw.report.warn(format!(
                "amplifier {}: the readout time is unknown, frequencies are in cycles per sample (`sample_time` gives \
                 the time between samples)",
                amplifier.name
            ));
        }
        let region = self.region(raw, context)?;
        if region.is_empty() {
            raw.report.warn(format!("amplifier {}: no pixel in the region {}", amplifier.name, self.region));
            return Ok(());
        }
        let skips = self.skip_spectrum(raw, context, times.map(|t| t.sample))?;
        let rows = if region.cols.len() < SHORTEST {
            raw.report.warn(format!(
                "amplifier {}: rows of {} pixels are too short for a spectrum",
                amplifier.name,
                region.cols.len()
            ));
            None
        } else {
            let view = region.view(raw.image(IMAGE)?);
            let mut view = view.to_owned();
            if amplifier.side == Side::U {
                view.invert_axis(ndarray::Axis(1));
            }
            let found = row_spectrum(view.view(), self.clip_n_sigma, times.map(|t| t.pixel));
            if let Some((_, clipped)) = &found
                && *clipped > 0
            {
                raw.report.inform(format!("amplifier {}: {clipped} pixels clipped in the rows", amplifier.name));
            }
            found.map(|(spectrum, _)| NoiseSpectrum::of(spectrum))
        };
        let spectra = NoiseSpectra { skips, rows };
        report(raw, context, &spectra);
        if context.wants_figures() {
            figures::draw(self, raw, context, &spectra);
        }
        raw.products.set_for(&amplifier.name, spectra);
        Ok(())
    }

    fn survey(&self, raw: &RawData, context: &Context<'_>) -> Option<Box<dyn BookedSurvey>> {
        self.skip_survey(raw, context).ok().flatten().map(|s| Box::new(s) as Box<dyn BookedSurvey>)
    }

    fn check(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.sample_time.is_some_and(|t| !(t > 0.0)) {
            problems.push("`sample_time` must be positive (seconds)".into());
        }
        if self.clip_n_sigma.is_some_and(|n| !(n > 0.0)) {
            problems.push("`clip_n_sigma` must be positive".into());
        }
        problems
    }
}

impl FFTNoisePlot {
    fn region(&self, raw: &RawData, context: &Context<'_>) -> Result<Region, ProcessError> {
        let amplifier = &raw.amplifiers[context.amplifier];
        let rows = amplifier.active.rows.clone();
        let cols = match self.region {
            SpectrumRegion::Active => amplifier.active.cols.clone(),
            SpectrumRegion::Overscan => amplifier.overscan.cols.clone(),
            SpectrumRegion::All => amplifier.full.cols.clone(),
        };
        Ok(Ranges::pixels(raw, context)?.within(&Region::new(rows, cols)))
    }

    fn skip_survey(&self, raw: &RawData, context: &Context<'_>) -> Result<Option<SkipSpectrumSurvey>, ProcessError> {
        if raw.cube.is_none() {
            return Ok(None);
        }
        let ranges = Ranges::of(raw, context)?;
        let region = self.region(raw, context)?;
        Ok((ranges.skips.len() >= SHORTEST).then(|| SkipSpectrumSurvey::new(region, ranges.skips)))
    }

    fn skip_spectrum(
        &self,
        raw: &mut RawData,
        context: &Context<'_>,
        step: Option<f64>,
    ) -> Result<Option<NoiseSpectrum>, ProcessError> {
        let Some(survey) = self.skip_survey(raw, context)? else {
            let text = if raw.cube.is_none() {
                "the image has no single skips: only the spectrum along the rows is made".to_owned()
            } else {
                format!("fewer than {SHORTEST} skips: no spectrum along the skips")
            };
            raw.report.warn(text);
            return Ok(None);
        };
        let survey = finished(raw, context, survey)?;
        Ok(survey.spectrum(step).map(NoiseSpectrum::of))
    }
}

/// The exponent of 1/f^γ where it is not 1.
fn exponent_text(exponent: f64) -> String {
    if exponent == 1.0 { String::new() } else { format!("^{exponent:.2}") }
}

/// Log, measurements and tables.
fn report(raw: &mut RawData, context: &Context<'_>, spectra: &NoiseSpectra) {
    let amplifier = raw.amplifiers[context.amplifier].clone();
    let (mut both, mut labels) = (Vec::new(), Vec::new());
    for (what, found) in [("skips", &spectra.skips), ("rows", &spectra.rows)] {
        let Some(found) = found else { continue };
        let spectrum = &found.spectrum;
        let unit = spectrum.frequency_unit();
        let per = if spectrum.timed { "Hz" } else { "(cycle/sample)" };
        let (sigma, error) = spectrum.sigma();
        let mut text = format!(
            "amplifier {}, {} along the {what} ({} series of {}): σ = {} ADU",
            amplifier.name,
            // the charge of the pixels is in the spectrum of the rows
            if what == "rows" { "noise and charge" } else { "noise" },
            spectrum.series,
            spectrum.length,
            value_with_error(sigma, error)
        );
        let name = |quantity: &str| format!("fft_{what}_{quantity}");
        raw.report.measure(Measurement::new(name("sigma"), sigma, "ADU").error(error));
        if let Some(floor) = &found.floor {
            let (sigma, error) = floor.white_sigma(spectrum.step);
            let of_what = if what == "skips" { "sample" } else { "pixel of the mean image" };
            text.push_str(&format!(", white noise {} ADU per {of_what}", value_with_error(sigma, error)));
            raw.report.measure(Measurement::new(name("white_sigma"), sigma, "ADU").error(error));
            if floor.flicker > 3.0 * floor.flicker_error {
                let (slope, corner) = (exponent_text(floor.exponent), floor.corner);
                if let Some(lowest) = spectrum.frequency.first().filter(|lowest| corner < **lowest) {
                    // where it lies depends on how the noise goes on below what is measured
                    let lowest = value_with_error(*lowest, f64::NAN);
                    text.push_str(&format!(", 1/f{slope} noise with corner below {lowest} {unit}"));
                } else {
                    let place = value_with_error(corner, floor.corner_error);
                    text.push_str(&format!(", 1/f{slope} noise with corner at {place} {unit}"));
                    raw.report
                        .measure(Measurement::new(name("corner_frequency"), corner, unit).error(floor.corner_error));
                }
            }
        } else {
            text.push_str(", no level of white noise could be fitted");
        }
        raw.report.result(text);
        if what == "skips" && spectrum.common_share > COMMON_SHARE {
            raw.report.warn(format!(
                "amplifier {}: {:.0} % of the power along the skips is the same in all pixels: the first skips have not \
                 settled (leave them out with `id_skip_start`), or charge is lost; it is left out of the white noise, not \
                 of the curve and of lines",
                amplifier.name,
                100.0 * spectrum.common_share
            ));
        }
        for line in found.lines.iter().take(LOGGED_LINES) {
            raw.report.result(format!(
                "amplifier {}, {what}: line at {} {unit}, amplitude {} ADU, {:.1} standard deviations above the noise",
                amplifier.name,
                value_with_error(line.frequency, line.frequency_error),
                value_with_error(line.amplitude, line.amplitude_error),
                line.significance
            ));
            raw.report
                .measure(Measurement::new(name("line_frequency"), line.frequency, unit).error(line.frequency_error));
            raw.report
                .measure(Measurement::new(name("line_amplitude"), line.amplitude, "ADU").error(line.amplitude_error));
        }
        if found.lines.len() > LOGGED_LINES {
            raw.report.inform(format!(
                "amplifier {}, {what}: and {} more (all lines are in the table)",
                amplifier.name,
                found.lines.len() - LOGGED_LINES
            ));
        }
        raw.report.measure(Measurement::integer(name("lines"), found.lines.len() as i64));
        let mut head = TableHead::default()
            .scalar("sample_time", if spectrum.timed { spectrum.step.to_string() } else { "unknown".into() })
            .scalar("n_series", spectrum.series)
            .scalar("n_samples", spectrum.length)
            .scalar("white_level", found.white_magnitude().map_or("n/a".to_owned(), |level| level.to_string()));
        if let Some(floor) = &found.floor {
            let unit = format!("ADU2_per_{}", if spectrum.timed { "Hz" } else { "cycle" });
            head = head
                .scalar(format!("white_psd_{unit}"), floor.white)
                .scalar("white_psd_error", floor.white_error)
                .scalar("flicker_exponent", floor.exponent)
                .scalar("flicker_ADU2", floor.flicker)
                .scalar("flicker_error", floor.flicker_error);
        }
        for (number, line) in found.lines.iter().enumerate() {
            head = head.scalar(
                format!("line_{}", number + 1),
                format!(
                    "frequency {} +- {} {unit}; amplitude {} +- {} ADU; significance {}",
                    line.frequency, line.frequency_error, line.amplitude, line.amplitude_error, line.significance
                ),
            );
        }
        let columns = if spectrum.timed {
            ["freq_Hz", "magnitude", "psd_ADU2_per_Hz", "asd"].map(str::to_owned).to_vec()
        } else {
            ["freq_per_sample".to_owned(), "magnitude".to_owned(), format!("psd_ADU2_per_{per}"), "asd".to_owned()]
                .to_vec()
        };
        let rows = spectrum.frequency.iter().zip(&spectrum.magnitude).zip(&spectrum.psd);
        let rows: Vec<Vec<f64>> = rows.map(|((f, m), p)| vec![*f, *m, *p, p.sqrt()]).collect();
        labels.extend(rows.iter().map(|_| what.to_owned()));
        both.extend(rows.iter().cloned());
        let table = Table { name: format!("FFTNoisePlot_{what}_{}", amplifier.name), columns: columns.clone(), rows };
        raw.report.table_with(table, head);
        if what == "rows" && spectra.skips.is_some() {
            let table =
                Table { name: format!("FFTNoisePlot_{}", amplifier.name), columns, rows: std::mem::take(&mut both) };
            let row_labels = Some(("along".to_owned(), std::mem::take(&mut labels)));
            raw.report.table_with(table, TableHead { row_labels, ..TableHead::default() });
        }
    }
}
