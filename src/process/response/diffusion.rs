//! Diffusion: deposits become electrons, which spread on their way to the gates (spec 07 §4.1).

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::flag::flag;
use super::sigma_map::SigmaMap;
use crate::process::digitize::{Ccd, DigitizeProcess, Hit, HitCollection, Recorded, ResponseContext, ResponseError};
use crate::simulate::config::{PairModel, defaults};
use crate::simulate::detector::diffusion::DiffusionParameters;
use crate::simulate::detector::pair_creation::PairCreation;
use crate::simulate::detector::{self, collection_probability};
use crate::stats::random::{Binomial, Tag};

const NAME: &str = "Diffusion";
const UM_PER_MM: f64 = 1e3;
/// β·10 keV above this deserves a warning: 5.97e-5 pixel/eV, ten times the measured value, stands in many files.
const SUSPICIOUS_GROWTH: f64 = 0.2;

/// To which energies the pair-creation model applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PairScope {
    /// To the sum of the deposits of the collection.
    Event,
    /// To each deposit.
    Hit,
}

/// How partial charge collection is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PccMode {
    /// Each electron survives with the collection probability.
    Binomial,
    /// The number of electrons times the probability, rounded: biased for few electrons.
    Round,
}

/// Parameters of Diffusion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Diffusion {
    /// Pair creation: `gauss`, or `p100K` (ionisation probabilities at 100 K below 50 eV).
    pub model: PairModel,
    /// Diffusion amplitude, µm².
    #[serde(rename = "A")]
    pub amplitude: f64,
    /// Diffusion shape, 1/µm.
    #[serde(rename = "B")]
    pub shape: f64,
    /// Depth where diffusion starts, µm.
    pub z_offset: f64,
    /// Depth used to normalise the energy term, µm.
    pub z_max: f64,
    /// Energy-independent factor.
    pub alpha0: f64,
    /// Energy-dependent term, pixel/eV.
    pub alpha: f64,
    /// Multiply the energy term by 1e-3, as older versions did by mistake.
    #[serde(deserialize_with = "flag")]
    pub alpha_legacy_scale: bool,
    /// Fano factor.
    pub fanofactor: f64,
    /// Make the pairs, but no diffusion.
    #[serde(deserialize_with = "flag")]
    pub only_pair_creation: bool,
    /// Partial charge collection at the back side.
    #[serde(deserialize_with = "flag")]
    pub apply_pcc: bool,
    /// How the partial charge collection is applied: `binomial`, or `round` (biased for few electrons).
    pub pcc_mode: PccMode,
    /// Accepted, without effect.
    #[serde(deserialize_with = "flag")]
    pub pcc_debug: bool,
    /// With `p100K`: probabilities of the sum of the deposits (`event`), or of each deposit (`hit`).
    pub pair_scope: PairScope,
    /// Take the width from `sigma_map_file`.
    #[serde(deserialize_with = "flag")]
    pub repulsion: bool,
    /// Widths (µm) as CSV: energies (keV) label the rows, depths (m) the columns.
    pub sigma_map_file: Option<PathBuf>,
    /// The map, once it is read.
    #[serde(skip)]
    map: Option<SigmaMap>,
}

impl Default for Diffusion {
    fn default() -> Self {
        Self {
            model: PairModel::Gauss,
            amplitude: defaults::DIFFUSION_A,
            shape: defaults::DIFFUSION_B,
            z_offset: 0.0,
            z_max: defaults::DIFFUSION_Z_MAX,
            alpha0: 1.0,
            alpha: defaults::DIFFUSION_ALPHA,
            alpha_legacy_scale: false,
            fanofactor: defaults::FANO,
            only_pair_creation: false,
            apply_pcc: false,
            pcc_mode: PccMode::Binomial,
            pcc_debug: false,
            pair_scope: PairScope::Event,
            repulsion: false,
            sigma_map_file: None,
            map: None,
        }
    }
}

impl Diffusion {
    /// Reads the sigma map, if one is needed.
    ///
    /// # Errors
    /// A sentence if it cannot be read.
    pub fn read_map(&mut self) -> Result<(), String> {
        if self.repulsion {
            let path = self.sigma_map_file.as_ref().ok_or("`repulsion` needs `sigma_map_file`")?;
            self.map = Some(SigmaMap::read(path)?);
        }
        Ok(())
    }

    fn law(&self, ccd: &Ccd) -> Result<detector::Diffusion, detector::DiffusionError> {
        let scale = if self.alpha_legacy_scale { 1e-3 } else { 1.0 };
        let parameters = DiffusionParameters {
            amplitude: self.amplitude,
            shape: self.shape,
            z_offset: self.z_offset,
            z_max: self.z_max,
            alpha0: self.alpha0,
            alpha: self.alpha * scale,
            pixel: ccd.pixel_x * UM_PER_MM,
        };
        detector::Diffusion::new(parameters, ccd.thickness * UM_PER_MM)
    }

    /// Electrons collected from each deposit.
    fn electrons(&self, hits: &HitCollection, context: &ResponseContext<'_>) -> Vec<u64> {
        let pairs = PairCreation { model: self.model, e2ev: context.ccd.e2ev, fano: self.fanofactor };
        let energies: Vec<f64> = hits.hits.iter().map(|h| h.energy).collect();
        let mut stream = hits.stream(context.seed, Tag::Pair);
        let mut electrons = match self.pair_scope {
            PairScope::Event => pairs.pairs_of_event(&energies, &mut stream),
            PairScope::Hit => energies.iter().map(|&e| pairs.pairs(e, &mut stream)).collect(),
        };
        if self.apply_pcc {
            let mut stream = hits.stream(context.seed, Tag::Pcc);
            for (n, hit) in electrons.iter_mut().zip(&hits.hits) {
                let probability = collection_probability((context.ccd.thickness - hit.z) * UM_PER_MM);
                *n = match self.pcc_mode {
                    PccMode::Binomial => Binomial::new(probability).draw(*n, &mut stream),
                    PccMode::Round => (*n as f64 * probability).round_ties_even() as u64,
                };
            }
        }
        electrons
    }
}

impl DigitizeProcess for Diffusion {
    fn name(&self) -> &'static str {
        NAME
    }

    fn sequence_id(&self) -> u32 {
        10
    }

    fn check(&self, ccd: &Ccd) -> Vec<String> {
        let mut problems = Vec::new();
        if !(0.0..=10.0).contains(&self.fanofactor) {
            problems.push(format!("`fanofactor` = {} must be from 0 to 10", self.fanofactor));
        }
        for (key, value) in [("A", self.amplitude), ("alpha0", self.alpha0), ("alpha", self.alpha)] {
            if value.is_nan() || value < 0.0 {
                problems.push(format!("`{key}` = {value} must not be negative"));
            }
        }
        if self.repulsion && self.sigma_map_file.is_none() {
            problems.push("`repulsion` needs `sigma_map_file`".into());
        }
        if !self.only_pair_creation
            && !self.repulsion
            && let Err(error) = self.law(ccd)
        {
            problems.push(format!("`B` = {}: {error}", self.shape));
        }
        problems
    }

    fn remarks(&self, ccd: &Ccd) -> Vec<String> {
        let growth = self.law(ccd).map_or(0.0, |law| law.beta() * 1e4);
        if growth > SUSPICIOUS_GROWTH && !self.repulsion && !self.only_pair_creation {
            vec![format!(
                "`alpha` = {} pixel/eV makes clouds of 10 keV {:.0} % wider: files of older versions, where the term had no effect, hold ten times the measured value 5.97e-6",
                self.alpha,
                100.0 * growth
            )]
        } else {
            Vec::new()
        }
    }

    fn execute(&self, hits: &mut HitCollection, context: &ResponseContext<'_>) -> Result<(), ResponseError> {
        let failed = |reason: String| ResponseError::Process { process: NAME, reason };
        let law = self.law(context.ccd);
        let electrons = self.electrons(hits, context);
        let mut stream = hits.stream(context.seed, Tag::Diffusion);
        let total = usize::try_from(electrons.iter().sum::<u64>()).unwrap_or(usize::MAX);
        let mut cloud: Vec<Hit> = Vec::with_capacity(total.min(1 << 24));
        for (hit, n) in hits.hits.iter().zip(electrons) {
            let z = hit.z * UM_PER_MM;
            let width = if self.only_pair_creation {
                0.0
            } else if let Some(map) = &self.map {
                map.width(hit.energy / 1e3, z).max(0.0)
            } else {
                law.as_ref().map_err(|e| failed(e.to_string()))?.width(z, hit.energy)
            } / UM_PER_MM;
            let electron = Hit { energy: context.ccd.e2ev, charge: 1, sigma: width, ..*hit };
            for _ in 0..n {
                let mut electron = electron;
                if width > 0.0 {
                    electron.x += width * stream.normal();
                    electron.y += width * stream.normal();
                }
                cloud.push(electron);
            }
        }
        hits.killed = cloud.is_empty();
        hits.hits = cloud;
        Ok(())
    }

    fn recorded(&self) -> Vec<(&'static str, Recorded)> {
        let model = match self.model {
            PairModel::Gauss => "gauss",
            PairModel::P100K => "p100K",
        };
        vec![
            ("model", model.into()),
            ("pair_scope", Recorded::choice(&self.pair_scope)),
            ("pcc_mode", Recorded::choice(&self.pcc_mode)),
            ("pcc_debug", self.pcc_debug.into()),
            ("sigma_map_file", Recorded::path(self.sigma_map_file.as_ref())),
            ("A", (self.amplitude / (UM_PER_MM * UM_PER_MM)).into()),
            ("B", (self.shape * UM_PER_MM).into()),
            ("z_offset", (self.z_offset / UM_PER_MM).into()),
            ("z_max", (self.z_max / UM_PER_MM).into()),
            ("alpha0", self.alpha0.into()),
            ("alpha", self.alpha.into()),
            ("alpha_legacy_scale", self.alpha_legacy_scale.into()),
            ("fanofactor", self.fanofactor.into()),
            ("only_pair_creation", self.only_pair_creation.into()),
            ("apply_pcc", self.apply_pcc.into()),
            ("repulsion", self.repulsion.into()),
        ]
    }
}
