//! The charge above which a pixel is selected, and above which it is a seed (spec 05 §2.2).
//!
//! Both are multiples of the readout noise σ of the amplifier: q_cut = n_min·σ, q_seed = n_seed·σ. σ is the mean (or
//! median) of the pedestal sigmas in ADU divided by the gain G, or a number in e⁻, or a header keyword in ADU.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::named::named_values;
use crate::image::RawData;
use crate::process::ProcessError;
use crate::process::analysis::products::{DEFAULT_GAIN, Gain, Pedestal};
use crate::process::reconstruction::EV_PER_ELECTRON;
use crate::stats::robust;

/// `[σ, n_min, n_seed]`: noise, and the numbers of σ of the selection cut and of the seed cut.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Threshold(pub Option<Noise>, pub f64, pub f64);

/// Where σ comes from, if not from the pedestal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Noise {
    /// σ in e⁻.
    Electrons(f64),
    /// Header keyword that holds σ in ADU.
    Keyword(String),
}

named_values! {
    /// Unit of an absolute threshold.
    pub enum ChargeUnit {
        /// ADU.
        Adu = "ADC" | "ADU",
        /// Electrons.
        Electrons = "e" | "e-" | "electrons",
    }
}

/// Cuts of one amplifier, in electrons.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cuts {
    /// Noise of a pixel, e⁻.
    pub sigma: f64,
    /// Pixels at or above this charge are selected, e⁻.
    pub pixel: f64,
    /// Selected pixels at or above this charge are seeds, e⁻.
    pub seed: f64,
    /// Numbers of σ that the two cuts are; `None` for an absolute threshold.
    pub multiples: Option<(f64, f64)>,
}

impl Cuts {
    /// Multiples of the noise.
    pub fn multiples(sigma: f64, n_min: f64, n_seed: f64) -> Self {
        Self { sigma, pixel: n_min * sigma, seed: n_seed * sigma, multiples: Some((n_min, n_seed)) }
    }

    /// The same cuts where the noise is `sigma`: multiples of it, or unchanged if they are absolute.
    pub fn with_noise(&self, sigma: f64) -> Self {
        match self.multiples {
            Some((n_min, n_seed)) => Self::multiples(sigma, n_min, n_seed),
            None => Self { sigma, ..*self },
        }
    }

    /// Noise of a pixel, eV.
    pub fn sigma_ev(&self) -> f64 {
        self.sigma * EV_PER_ELECTRON
    }

    /// Charge of a seed, keV.
    pub fn seed_kev(&self) -> f64 {
        self.seed * EV_PER_ELECTRON / 1000.0
    }

    /// The cuts, if both are numbers; `what` names the parameter.
    fn checked(self, raw: &RawData, amplifier: usize, what: &str) -> Result<Self, ProcessError> {
        if self.pixel.is_finite() && self.seed.is_finite() {
            return Ok(self);
        }
        Err(ProcessError::Failed(format!(
            "amplifier {}: `{what}` gives a pixel cut of {} e- and a seed cut of {} e- (σ = {} e-); both must be numbers",
            raw.amplifiers[amplifier].name, self.pixel, self.seed, self.sigma
        )))
    }
}

/// Gain of an amplifier, ADU/e⁻: that of the calibration, else [`DEFAULT_GAIN`].
pub fn gain_of(raw: &RawData, amplifier: usize) -> f64 {
    raw.products.get_for::<Gain>(&raw.amplifiers[amplifier].name).map_or(DEFAULT_GAIN, |g| g.adu_per_electron)
}

/// Noise of a pixel in e⁻ from the pedestal sigmas of an amplifier (all axes, NaN left out): their mean or median.
pub fn pedestal_noise(raw: &RawData, amplifier: usize, use_mean: bool) -> Result<f64, ProcessError> {
    let name = &raw.amplifiers[amplifier].name;
    let pedestal = raw.products.get_for::<Pedestal>(name).ok_or_else(|| ProcessError::NotRunBefore {
        needed: "PedestalSubtractionProcess",
        what: format!("the pedestal sigmas of amplifier {name}, used where the threshold has σ = null"),
    })?;
    let sigmas: Vec<f64> = pedestal.sigmas().collect();
    let sigma = if use_mean { robust::mean(&sigmas) } else { robust::median(&sigmas) };
    if sigma.is_finite() {
        return Ok(sigma / gain_of(raw, amplifier));
    }
    Err(ProcessError::Failed(format!(
        "amplifier {name}: none of the {} pedestal sigmas is a number, so there is no noise to take the threshold from",
        sigmas.len()
    )))
}

/// The cuts that `[σ, n_min, n_seed]` means for an amplifier. `key` is the name of the parameter for messages.
pub fn cuts(
    threshold: &Threshold,
    raw: &RawData,
    amplifier: usize,
    use_mean: bool,
    key: &str,
) -> Result<Cuts, ProcessError> {
    let Threshold(noise, n_min, n_seed) = threshold;
    let sigma = match noise {
        None => pedestal_noise(raw, amplifier, use_mean)?,
        Some(Noise::Electrons(sigma)) => *sigma,
        Some(Noise::Keyword(keyword)) => {
            let card = raw.header.value(keyword).ok_or_else(|| {
                ProcessError::Failed(format!("`{key}` takes σ from the header keyword {keyword}, which is missing"))
            })?;
            let adu = card.as_f64().ok_or_else(|| {
                let text = card.to_text();
                ProcessError::Failed(format!(
                    "`{key}` takes σ from the header keyword {keyword}, whose value \"{text}\" is not a number"
                ))
            })?;
            adu / gain_of(raw, amplifier)
        }
    };
    Cuts::multiples(sigma, *n_min, *n_seed).checked(raw, amplifier, key)
}

/// The cuts of an absolute threshold: selection and seed alike. σ is that of the pedestal, or the threshold itself
/// where there is none.
pub fn absolute_cuts(
    threshold: f64,
    unit: ChargeUnit,
    raw: &RawData,
    amplifier: usize,
    use_mean: bool,
    key: &str,
) -> Result<Cuts, ProcessError> {
    let charge = match unit {
        ChargeUnit::Electrons => threshold,
        ChargeUnit::Adu => threshold / gain_of(raw, amplifier),
    };
    let sigma = pedestal_noise(raw, amplifier, use_mean).unwrap_or(charge);
    Cuts { sigma, pixel: charge, seed: charge, multiples: None }.checked(raw, amplifier, key)
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::fits::Card;
    use crate::process::analysis::products::{Axis, PedestalAxis};

    fn image(sigmas: &[f64], gain: Option<f64>) -> RawData {
        let mut raw = RawData::from_image("x", Array2::zeros((2, 2)));
        let nan = vec![f64::NAN; sigmas.len()];
        let axis = PedestalAxis {
            axis: Axis::Row,
            first: 0,
            mu: nan.clone(),
            sigma: sigmas.to_vec(),
            mu_error: nan.clone(),
            sigma_error: nan.clone(),
            chi2_ndf: nan,
        };
        raw.products.set_for("EXT0", Pedestal { axes: vec![axis] });
        if let Some(gain) = gain {
            raw.products.set_for("EXT0", Gain { adu_per_electron: gain });
        }
        raw
    }

    fn parse(text: &str) -> Threshold {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn sigma_is_the_mean_or_median_of_the_pedestal_sigmas_in_electrons() {
        let raw = image(&[1.0, f64::NAN, 2.0, 6.0], Some(2.0));
        let found = cuts(&parse("[null, 3, 5]"), &raw, 0, true, "spr_threshold").unwrap();
        assert_eq!((found.sigma, found.pixel, found.seed), (1.5, 4.5, 7.5));
        assert_eq!(cuts(&parse("[null, 3, 5]"), &raw, 0, false, "spr_threshold").unwrap().sigma, 1.0);
        assert_eq!(found.sigma_ev(), 1.5 * 3.74);
        assert_eq!(found.seed_kev(), 7.5 * 3.74 / 1000.0);
    }

    #[test]
    fn sigma_may_be_a_number_or_a_header_keyword() {
        let mut raw = image(&[f64::NAN], None);
        raw.header.set(Card::new("MESIG1", 21.0, "ADU"));
        raw.header.set(Card::new("WORD", "none", ""));
        assert_eq!(cuts(&parse("[0.2, 4, 10]"), &raw, 0, true, "k").unwrap().pixel, 0.8);
        assert_eq!(cuts(&parse(r#"["MESIG1", 1, 1]"#), &raw, 0, true, "k").unwrap().sigma, 2.0, "default gain 10.5");
        for (text, expected) in [(r#"["NOKEY", 1, 1]"#, "NOKEY"), (r#"["WORD", 1, 1]"#, "not a number")] {
            let error = cuts(&parse(text), &raw, 0, true, "k").unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let error = cuts(&parse("[null, 1, 1]"), &raw, 0, true, "k").unwrap_err().to_string();
        assert!(error.contains("none of the 1 pedestal sigmas"), "{error}");
        raw.amplifiers[0].name = "L".into();
        let error = cuts(&parse("[null, 1, 1]"), &raw, 0, true, "k").unwrap_err().to_string();
        assert!(error.contains("PedestalSubtractionProcess must run before"), "{error}");
    }

    #[test]
    fn an_absolute_threshold_selects_and_seeds() {
        let raw = image(&[1.0], Some(2.0));
        let found = absolute_cuts(3.0, ChargeUnit::Adu, &raw, 0, true, "k").unwrap();
        assert_eq!(found, Cuts { sigma: 0.5, pixel: 1.5, seed: 1.5, multiples: None });
        assert_eq!((found.with_noise(9.0).sigma, found.with_noise(9.0).pixel), (9.0, 1.5));
        let bare = RawData::from_image("x", Array2::zeros((2, 2)));
        let found = absolute_cuts(3.0, ChargeUnit::Electrons, &bare, 0, true, "k").unwrap();
        assert_eq!(found, Cuts { sigma: 3.0, pixel: 3.0, seed: 3.0, multiples: None });
        assert!(absolute_cuts(f64::NAN, ChargeUnit::Electrons, &bare, 0, true, "k").is_err());
    }

    #[test]
    fn thresholds_have_three_members() {
        for text in ["[null, 3]", "[null, 3, 4, 5]", "[null, \"3\", 4]", "3", "[true, 3, 4]"] {
            assert!(serde_json::from_str::<Threshold>(text).is_err(), "{text}");
        }
        assert_eq!(serde_json::to_string(&Threshold(None, 3.0, 4.0)).unwrap(), "[null,3.0,4.0]");
    }
}
