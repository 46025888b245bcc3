//! SignalPatternRecognition: the older name of the pixel selection of ClusterFinder (spec 05 §2.7).
//!
//! In a sequence with ClusterFinder its keys set those of ClusterFinder ([`feed_cluster_finder`]). The process itself
//! reports how many pixels it selects.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::cluster_finder::threshold::{self, ChargeUnit, Threshold};
use super::cluster_finder::{acceptance, selection};
use crate::config::PerAmplifier;
use crate::image::RawData;
use crate::process::{Context, Measurement, ProcessError, SKImageProcess};

/// Parameters of SignalPatternRecognition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SignalPatternRecognition {
    /// Image whose pixels are selected: in e- if its name ends in `_e`, else in ADU.
    pub image: String,
    /// [σ, n_min, n_seed], as `spr_threshold` of ClusterFinder; or a number: pixels at or above it are selected and are
    /// seeds.
    pub threshold: PerAmplifier<OldThreshold>,
    /// Unit of a threshold that is a number: ADC or e.
    pub units: ChargeUnit,
    /// Leave out the pixels masked by `--mask`.
    pub mask: bool,
    /// Accepted, without effect.
    pub method: Value,
    /// Accepted, without effect.
    pub isdata: Value,
}

/// A threshold as older files give it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OldThreshold {
    /// Multiples of the noise.
    Multiples(Threshold),
    /// A charge.
    Absolute(f64),
}

impl Default for SignalPatternRecognition {
    fn default() -> Self {
        Self {
            image: "mean_compressed_pedestal_subtracted_e".into(),
            threshold: PerAmplifier::All(OldThreshold::Multiples(Threshold(None, 3.0, 4.0))),
            units: ChargeUnit::Adu,
            mask: true,
            method: Value::Null,
            isdata: Value::Null,
        }
    }
}

/// The keys of ClusterFinder that the keys of a block of SignalPatternRecognition stand for. Keys that the block of
/// ClusterFinder itself has win over them.
pub fn feed_cluster_finder(given: &Map<String, Value>) -> Map<String, Value> {
    let is_number = |value: &Value| match value {
        Value::Object(each) => each.values().all(Value::is_number),
        other => other.is_number(),
    };
    let mut keys = Map::new();
    for (key, value) in given {
        let name = match key.as_str() {
            "image" => "spr_image",
            "threshold" if is_number(value) => "absolute_threshold",
            "threshold" => "spr_threshold",
            "units" => "absolute_threshold_unit",
            "mask" => "apply_mask",
            _ => continue,
        };
        keys.insert(name.to_owned(), value.clone());
    }
    keys
}

impl SKImageProcess for SignalPatternRecognition {
    fn execute(&self, raw: &mut RawData, context: &Context<'_>) -> Result<(), ProcessError> {
        let index = context.amplifier;
        let key = "threshold";
        let amplifier = raw.amplifiers[index].clone();
        let cuts = match self.threshold.get(&amplifier).ok_or_else(|| ProcessError::no_value(key, raw, index))? {
            OldThreshold::Multiples(threshold) => threshold::cuts(threshold, raw, index, true, key)?,
            OldThreshold::Absolute(charge) => threshold::absolute_cuts(*charge, self.units, raw, index, true, key)?,
        };
        let mut accept = acceptance(raw, index, None, None);
        let name = raw.resolve_image_name(&self.image);
        let image = raw.image(name)?;
        accept.mask = raw.clustering_mask.as_ref().filter(|mask| self.mask && mask.dim() == image.dim());
        let unit = if name.ends_with("_e") { 1.0 } else { threshold::gain_of(raw, index) };
        let selected = selection::select(image, &accept, amplifier.full.rows.clone(), cuts.pixel * unit).len();
        raw.report.measure(Measurement::integer("selected_pixels", selected as i64));
        raw.report.result(format!(
            "amplifier {}: {selected} pixels at or above {:.4} e- (seeds {:.4} e-)",
            amplifier.name, cuts.pixel, cuts.seed
        ));
        Ok(())
    }
}
