//! CalibrationProcess: from ADU to electrons.
//!
//! Each pixel is divided by the gain (ADU per electron) of the amplifier that reads it; pixels that no amplifier reads
//! become 0. Spec 02 §6.

use ndarray::{Array2, Zip};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fit_dark_current::DarkCurrentFit;
use super::products::Gain;
use crate::config::PerAmplifier;
use crate::image::RawData;
use crate::process::{Context, Measurement, ProcessError, SKImageProcess};

/// Parameters of CalibrationProcess.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CalibrationProcess {
    /// Image to convert.
    pub image: String,
    /// Gain, ADU per electron.
    pub gain: PerAmplifier<f64>,
    /// Use the gain that FitDarkCurrentProcess found on this image, where the fit is usable.
    pub from_dc_fit: bool,
    /// Decimals to which the fitted gain is rounded, half to even; null: not rounded.
    #[schemars(range(min = 0, max = 15))]
    pub gain_round_digits: Option<i32>,
    /// Write the pixels to a ROOT tree.
    pub create_ttree: bool,
}

impl Default for CalibrationProcess {
    fn default() -> Self {
        Self {
            image: "mean_compressed_pedestal_subtracted".into(),
            gain: PerAmplifier::All(5.3),
            from_dc_fit: false,
            gain_round_digits: Some(4),
            create_ttree: false,
        }
    }
}

/// Where a gain comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Fit,
    Configured,
    Missing,
}

impl SKImageProcess for CalibrationProcess {
    fn execute(&self, raw: &mut RawData, context: &Context<'_>) -> Result<(), ProcessError> {
        let name = raw.resolve_image_name(&self.image).to_owned();
        let mut electrons = Array2::zeros(raw.image(&name)?.dim());
        for index in 0..raw.amplifiers.len() {
            let amplifier = raw.amplifiers[index].clone();
            let (gain, origin) = self.gain_of(raw, index);
            if !(gain.is_finite() && gain > 0.0) {
                return Err(ProcessError::Failed(format!(
                    "amplifier {}: the gain is {gain} ADU/e-; a positive number is expected (parameter `gain`)",
                    amplifier.name
                )));
            }
            let adu = amplifier.full.view(raw.image(&name)?);
            Zip::from(amplifier.full.view_mut(&mut electrons)).and(&adu).par_for_each(|e, q| *e = q / gain);
            raw.products.set_for(&amplifier.name, Gain { adu_per_electron: gain });

            let fit_error = raw.products.get_for::<DarkCurrentFit>(&amplifier.name).map(|f| f.gain_error());
            let mut measurement = Measurement::new("gain_used", gain, "ADU/e-")
                .amplifier(&amplifier.name)
                .card(format!("GAIN_{}", amplifier.short_name()), "calibration constant ADU/e");
            if let (Origin::Fit, Some(error)) = (origin, fit_error) {
                measurement = measurement.error(error);
            }
            raw.report.measure(measurement);
            let source = match origin {
                Origin::Fit => " (from the dark-current fit)",
                Origin::Configured => "",
                Origin::Missing => " (no value configured)",
            };
            raw.report.result(format!("amplifier/ccd {} with gain of {gain} ADC/e-{source}", amplifier.name));
        }
        raw.images.insert(format!("{name}_e"), electrons);
        super::pixel_tree::request(raw, context, self.create_ttree);
        Ok(())
    }

    fn check(&self) -> Vec<String> {
        match &self.gain {
            PerAmplifier::All(gain) if !(*gain > 0.0) => {
                vec![format!("`gain` is {gain}; a positive number of ADU/e- is expected")]
            }
            _ => Vec::new(),
        }
    }
}

impl CalibrationProcess {
    /// The gain of an amplifier: fitted on this image, else configured, else 1 with a warning.
    fn gain_of(&self, raw: &mut RawData, index: usize) -> (f64, Origin) {
        let amplifier = raw.amplifiers[index].clone();
        if self.from_dc_fit {
            match raw.products.get_for::<DarkCurrentFit>(&amplifier.name) {
                Some(fit) if fit.is_usable() => {
                    let (gain, verdict) = (fit.gain(), fit.verdict());
                    verdict
                        .warn(raw, &format!("amplifier {}: the dark-current fit that gives the gain", amplifier.name));
                    return (round_half_even(gain, self.gain_round_digits), Origin::Fit);
                }
                Some(fit) => {
                    let text = format!(
                        "amplifier {}: the dark-current fit is not usable ({}); the configured gain is taken",
                        amplifier.name,
                        fit.verdict().text()
                    );
                    raw.report.warn(text);
                }
                None => raw.report.warn(format!(
                    "amplifier {}: `from_dc_fit` is set but FitDarkCurrentProcess did not run before; the configured \
                     gain is taken",
                    amplifier.name
                )),
            }
        }
        match self.gain.get(&amplifier) {
            Some(&gain) => (gain, Origin::Configured),
            None => {
                raw.report
                    .warn(format!("parameter `gain` has no value for amplifier {}: 1 ADU/e- is taken", amplifier.name));
                (1.0, Origin::Missing)
            }
        }
    }
}

/// Rounds to a number of decimals, halves to the even neighbour; `None`: not at all.
fn round_half_even(value: f64, digits: Option<i32>) -> f64 {
    match digits {
        Some(digits) => {
            let scale = 10f64.powi(digits);
            (value * scale).round_ties_even() / scale
        }
        None => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Amplifier;
    use crate::process::{CommonParameters, registry};

    fn run(process: &CalibrationProcess, raw: &mut RawData) -> Result<(), ProcessError> {
        let common = CommonParameters::default();
        let entry = registry::find("CalibrationProcess").unwrap();
        process.execute(raw, &Context { entry, common: &common, amplifier: 0, seed: 321 })
    }

    fn two_amplifiers() -> RawData {
        let pixels = Array2::from_shape_vec((1, 4), vec![10.0, 20.0, 30.0, 40.0]).unwrap();
        let mut raw = RawData::from_image("mean_compressed_pedestal_subtracted", pixels);
        let half = |name: &str, cols| {
            let mut a = Amplifier::whole_image(name, 0, 1, 4);
            a.full.cols = cols;
            a
        };
        raw.amplifiers = vec![half("U", 2..4), half("L", 0..2)];
        raw
    }

    #[test]
    fn each_half_is_divided_by_the_gain_of_its_amplifier() {
        let mut raw = two_amplifiers();
        let process: CalibrationProcess = serde_json::from_str(r#"{"gain": {"L": 10.0, "U": 20.0}}"#).unwrap();
        run(&process, &mut raw).unwrap();
        let electrons = raw.image("mean_compressed_pedestal_subtracted_e").unwrap();
        assert_eq!(electrons.as_slice().unwrap(), [1.0, 2.0, 1.5, 2.0]);
        let cards: Vec<_> = raw.report.cards.iter().map(|c| c.keyword.as_str()).collect();
        assert_eq!(cards, ["GAIN_U", "GAIN_L"]);
    }

    #[test]
    fn spec_example_and_missing_entry() {
        let pixels = Array2::from_elem((1, 1), -36.22634451614114);
        let mut raw = RawData::from_image("mean_compressed_pedestal_subtracted", pixels);
        run(&CalibrationProcess { gain: 2.0.into(), ..Default::default() }, &mut raw).unwrap();
        assert_eq!(raw.image("mean_compressed_pedestal_subtracted_e").unwrap()[[0, 0]], -18.11317225807057);

        let mut raw = two_amplifiers();
        let process: CalibrationProcess = serde_json::from_str(r#"{"gain": {"L": 10.0}}"#).unwrap();
        run(&process, &mut raw).unwrap();
        assert_eq!(raw.image("mean_compressed_pedestal_subtracted_e").unwrap()[[0, 3]], 40.0);
        assert_eq!(raw.report.warnings().count(), 1);
    }

    #[test]
    fn a_gain_that_is_not_positive_is_refused() {
        for gain in [0.0, -1.0, f64::NAN] {
            let error = run(&CalibrationProcess { gain: gain.into(), ..Default::default() }, &mut two_amplifiers());
            assert!(error.unwrap_err().to_string().contains("positive"));
        }
    }

    #[test]
    fn the_recorded_gain_is_the_fitted_one_rounded_half_to_even() {
        assert_eq!(round_half_even(1.3538212034319295, Some(2)), 1.35);
        assert_eq!(round_half_even(1.3538212034319295, Some(4)), 1.3538);
        assert_eq!(round_half_even(2.5, Some(0)), 2.0);
        assert_eq!(round_half_even(1.3538212034319295, None), 1.3538212034319295);
    }
}
