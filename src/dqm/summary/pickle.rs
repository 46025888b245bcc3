//! The pickle of a summary (spec 06 §11): protocol 2, plain types only.
//!
//! Layout: `run`, `me_dc_gain`, …, one dictionary per monitor element with lists of one element per image and amplifier
//! (what older scripts read), and the complete summary, as in the JSON, under `_meta`.

use indexmap::IndexMap;
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_pickle::{DeOptions, SerOptions};

use super::{SummaryError, legacy};
use crate::dqm::catalogue::Scope;
use crate::dqm::model::{LineFit, MonitorElement, Pair, Summary, Values};
use crate::stats::robust;

/// The summary as a pickle.
///
/// # Errors
/// [`SummaryError::Encode`].
pub fn to_pickle(summary: &Summary) -> Result<Vec<u8>, SummaryError> {
    serde_pickle::to_vec(&Flat(summary), SerOptions::new().proto_v2()).map_err(|e| SummaryError::Encode(e.to_string()))
}

/// A summary from the bytes of a pickle.
pub(super) fn from_pickle(bytes: &[u8]) -> Result<Summary, String> {
    #[derive(Deserialize)]
    struct Wrapped {
        _meta: Option<IndexMap<String, serde::de::IgnoredAny>>,
    }
    #[derive(Deserialize)]
    struct Complete {
        #[serde(rename = "_meta")]
        summary: Summary,
    }
    super::pickle_guard::check(bytes)?;
    let options = || DeOptions::new().decode_strings().replace_unresolved_globals().replace_recursive_structures();
    let is_own = serde_pickle::from_slice::<Wrapped>(bytes, options())
        .is_ok_and(|w| w._meta.is_some_and(|m| m.contains_key("schema")));
    if !is_own {
        let value = serde_pickle::value_from_slice(bytes, options()).map_err(|e| e.to_string())?;
        return legacy::from_value(value);
    }
    let mut summary = serde_pickle::from_slice::<Complete>(bytes, options()).map_err(|e| e.to_string())?.summary;
    // Dictionaries of a pickle come back in alphabetical order.
    summary.mes.sort_by(|_, a, _, b| a.id.cmp(&b.id));
    Ok(summary)
}

/// The flat layout around the summary.
struct Flat<'a>(&'a Summary);

impl Serialize for Flat<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let summary = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("run", &summary.run.number)?;
        let dc = &summary.dc;
        for (key, pair) in
            [("me_dc_gain", dc.gain), ("me_dc_lambda", dc.lambda), ("me_dc_sigma", dc.sigma), ("me_dc_mu0", dc.mu0)]
        {
            map.serialize_entry::<_, Pair>(key, &pair)?;
        }
        for (name, me) in summary.mes.iter().filter(|(_, me)| me.scope != Scope::I) {
            map.serialize_entry(name, &FlatElement(me))?;
        }
        map.serialize_entry("_meta", summary)?;
        map.end()
    }
}

/// A monitor element as dictionary of parallel lists.
struct FlatElement<'a>(&'a MonitorElement);

impl Serialize for FlatElement<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let me = self.0;
        let entries: Vec<_> = me.entries.iter().filter(|e| e.is_available()).collect();
        let list = |pick: &dyn Fn(&crate::dqm::model::Entry) -> Values| -> Vec<Values> {
            entries.iter().map(|e| pick(e)).collect()
        };
        let mut map = serializer.serialize_map(None)?;
        if me.scope == Scope::M {
            // The mask belongs to the run: one element per amplifier.
            let amplifiers: Vec<&str> = me.run.iter().map(|r| r.amplifier.as_str()).collect();
            map.serialize_entry("x", &vec![me.id; me.run.len()])?;
            map.serialize_entry("y", &me.run.iter().map(|r| &r.median).collect::<Vec<_>>())?;
            map.serialize_entry("amplifier", &amplifiers)?;
            map.serialize_entry("fit_model", &fit_model(me))?;
            map.serialize_entry("xlabel", &me.xlabel)?;
            map.serialize_entry("ylabel", &me.ylabel)?;
            map.serialize_entry("title", &me.title)?;
            return map.end();
        }
        let centres = |e: &crate::dqm::model::Entry| match &e.histogram {
            Some(h) => Values::Many((0..h.counts.len()).map(|k| h.first_edge + (k as f64 + 0.5) * h.width).collect()),
            None => e.x.clone(),
        };
        let counts = |e: &crate::dqm::model::Entry| match &e.histogram {
            Some(h) => Values::Many(h.counts.iter().map(|&n| f64::from(n)).collect()),
            None => e.y.clone(),
        };
        // Pixel-charge distributions have tens of thousands of bins: their lists hold what `_meta` has, not centres.
        if entries.iter().any(|e| e.histogram.is_some()) && me.id != 60 {
            map.serialize_entry("x", &entries.iter().map(|_| Vec::<f64>::new()).collect::<Vec<_>>())?;
            map.serialize_entry("y", &entries.iter().map(|_| Vec::<f64>::new()).collect::<Vec<_>>())?;
        } else {
            map.serialize_entry("x", &list(&centres))?;
            map.serialize_entry("y", &list(&counts))?;
        }
        map.serialize_entry("amplifier", &entries.iter().map(|e| e.amplifier.as_str()).collect::<Vec<_>>())?;
        map.serialize_entry("fit_model", &fit_model(me))?;
        map.serialize_entry("xlabel", &me.xlabel)?;
        map.serialize_entry("ylabel", &me.ylabel)?;
        map.serialize_entry("title", &me.title)?;
        map.serialize_entry("image", &entries.iter().map(|e| e.image).collect::<Vec<_>>())?;
        map.serialize_entry("ccd", &entries.iter().map(|e| e.ccd).collect::<Vec<_>>())?;
        map.serialize_entry("xerr", &list(&|e| e.xerr.clone()))?;
        map.serialize_entry("yerr", &list(&|e| e.yerr.clone()))?;
        map.serialize_entry("status", &entries.iter().map(|e| e.status).collect::<Vec<_>>())?;
        map.end()
    }
}

/// Slope and intercept of the run: of the median profile of the first amplifier; `[n_masked]` for the mask.
fn fit_model(me: &MonitorElement) -> Vec<f64> {
    if me.scope == Scope::M {
        let total: f64 = me.run.iter().flat_map(|r| r.median.as_slice()).sum();
        return vec![total];
    }
    match me.run.first().and_then(|r| r.fit) {
        Some(LineFit { slope, intercept, .. }) => vec![slope, intercept],
        None => {
            let level = me.run.first().map_or(f64::NAN, |r| robust::median(r.median.as_slice()));
            if level.is_finite() { vec![0.0, level] } else { vec![f64::NAN, f64::NAN] }
        }
    }
}
