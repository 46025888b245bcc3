//! Configuration of the monitor elements: `--me-json`, or the section `monitoring_elements` of the configuration
//! (spec 06 §§5.5, 6.2).
//!
//! Without configuration all elements of the catalogue that are not off by default are active; with one, exactly those
//! with `"active": 1`. The table `PARAMETERS` is the only place where parameters and their defaults are named.

use serde_json::{Map, Value, json};

use crate::config::PerAmplifier;
use crate::dqm::catalogue::{self, CATALOGUE, Description};
use crate::dqm::quality::Tests;
use crate::dqm::quality::settings::truth;
use crate::image::Amplifier;

/// The pedestal-subtracted image, ADU.
pub const SUBTRACTED: &str = "mean_compressed_pedestal_subtracted";

/// Parameters of the elements besides those of all, as JSON with the defaults; ids that share them stand together.
const PARAMETERS: [(&[u16], &str); 19] = [
    (&[0], r#"{"skip_reference": 200, "skip_step": 5}"#),
    (&[1, 5, 6, 7], r#"{"n_mad": 5}"#),
    (&[2], r#"{"n_std": 8}"#),
    (&[3], r#"{"id_skip_start": 1, "n_skips_per_block": -50}"#),
    (&[12], r#"{"ne": 1, "mask_clusters": false, "Qhigh_pix": 20.5, "DROWS": 5, "DCOLS": 5}"#),
    (&[40], r#"{"do_histogram": true, "do_stacked_hist": false}"#),
    (&[41], r#"{"threshold": 500, "do_histogram": true, "do_stacked_hist": false}"#),
    (&[43], r#"{"mask_clusters": true}"#),
    (&[50, 51, 52, 53], r#"{"row_start": 2, "row_end": -1, "row_step": 10}"#),
    (&[54, 55, 56, 57], r#"{"col_start": 2, "col_end": -1, "col_step": 5}"#),
    (&[60, 61, 62, 63, 64], r#"{"recalibrate": false}"#),
    (
        &[80],
        r#"{"id_skip_reference": -1, "id_skip_start": 0, "id_skip_end": -1, "skip_step": 10, "kcl_threshold": 3.2, "kcl_n_sig": 8}"#,
    ),
    (
        &[100],
        r#"{"n_mad": 3, "q_max_adu": 100, "hot_pixel_fraction": 0.4, "mask_hot_rows": true, "hot_rows_fraction": 0.2,
            "mask_hot_cols": true, "hot_cols_fraction": 0.2,
            "allow_for_chance": true}"#,
    ),
    (&[110], r#"{"partitions": 25, "allowed_sigma_deviation": 0.75}"#),
    (&[111], r#"{"cutoff_sigma": 4}"#),
    (&[112], r#"{"min_sigma": 5, "max_sigma": 10}"#),
    (&[113], r#"{"minimum_cluster_size": 3, "allowed_sigma_deviation": 10}"#),
    (
        &[50, 51, 52, 53, 54, 55, 56, 57],
        r#"{"n_peaks": null, "calibration": 10, "binning_size": -1, "x_min": -15, "x_max": 60, "mu_min": -1, "mu_max": 1,
            "sigma_min": 0.01, "sigma_max": 3, "dc_min": 0.0001, "dc_max": 50, "gain_min": 8, "gain_max": 15,
            "do_calibration": true, "mask_clusters": true, "rows_to_mask": [], "cols_to_mask": [], "fit_options": "QR S L EM",
            "n_sigma_fit": null, "max_img_pcd": null}"#,
    ),
    (
        &[60, 61, 62, 63, 64],
        r#"{"n_peaks": null, "calibration": 10, "binning_size": 0.5, "x_min": -20, "x_max": 60, "mu_min": -1, "mu_max": 1,
            "sigma_min": 0.01, "sigma_max": 3, "dc_min": 0.001, "dc_max": 50, "gain_min": 8, "gain_max": 15,
            "do_calibration": true, "mask_clusters": true, "rows_to_mask": [], "cols_to_mask": [], "fit_options": "QR S L EM",
            "n_sigma_fit": null, "max_img_pcd": null}"#,
    ),
];

/// Parameters of all elements.
const COMMON: [&str; 8] =
    ["active", "image", "qt_valid_range", "plot_with_yerrors", "zscore_max", "qtests", "verbose", "saveas"];

/// Ids of one fit or one computation: parameters given for one of them hold for all, those of the first one first.
const FAMILIES: [&[u16]; 4] = [&[1, 5, 6, 7], &[50, 51, 52, 53], &[54, 55, 56, 57], &[60, 61, 62, 63, 64]];

/// A monitor element with its parameters.
#[derive(Debug, Clone)]
pub struct ElementConfig {
    /// Which one.
    pub description: &'static Description,
    /// Whether it is made.
    pub active: bool,
    /// The image it looks at, by name.
    pub image: String,
    /// Whether scatter plots have error bars.
    pub plot_with_yerrors: bool,
    /// Values farther than this many standard deviations do not enter the line.
    pub zscore_max: Option<f64>,
    /// Tests.
    pub tests: Tests,
    parameters: Map<String, Value>,
    /// `qtests` and `qt_valid_range` as they were given.
    as_given: Map<String, Value>,
}

/// Why a configuration of monitor elements cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}: monitoring_elements{}: {reason}", element.as_ref().map(|e| format!(".{e}")).unwrap_or_default())]
pub struct ElementsError {
    /// File.
    pub file: String,
    /// Element.
    pub element: Option<String>,
    /// What is wrong, with key and value.
    pub reason: String,
}

/// The configuration of all monitor elements.
#[derive(Debug, Clone)]
pub struct Elements {
    /// All elements of the catalogue, ascending ids.
    pub all: Vec<ElementConfig>,
    /// What may be a mistake.
    pub warnings: Vec<String>,
}

impl Default for Elements {
    fn default() -> Self {
        let all = CATALOGUE.iter().map(ElementConfig::of).collect();
        Self { all, warnings: Vec::new() }
    }
}

impl Elements {
    /// From the object that maps names to parameters; `file` is for messages.
    ///
    /// # Errors
    /// A value of a wrong kind. Unknown names and keys are warnings.
    pub fn read(file: &str, section: &Value) -> Result<Self, ElementsError> {
        let error = |element: Option<&str>, reason: String| ElementsError {
            file: file.into(),
            element: element.map(str::to_owned),
            reason,
        };
        let Value::Object(section) = section else {
            return Err(error(None, format!("{section} is no object")));
        };
        let mut elements = Self::default();
        elements.all.iter_mut().for_each(|e| e.active = false);
        let mut given: Vec<(&'static Description, &String, &Map<String, Value>)> = Vec::new();
        for (name, block) in section {
            let Value::Object(block) = block else {
                return Err(error(Some(name), format!("{block} is no object")));
            };
            let is_active = block.get("active").and_then(truth).unwrap_or(false);
            match catalogue::find(name) {
                Some(description) => given.push((description, name, block)),
                None if is_active && name.starts_with("MEColTransient") => {
                    elements.warnings.push(format!("{name} is not implemented"));
                }
                None if is_active => {
                    let hint = crate::dqm::elements::config::nearest(name);
                    elements.warnings.push(format!("{file}: there is no monitor element {name}{hint}"));
                }
                None => {}
            }
        }
        for (description, name, block) in given {
            let family: Vec<u16> = FAMILIES
                .iter()
                .find(|f| f.contains(&description.id))
                .map_or(vec![description.id], |family| family.to_vec());
            for id in family {
                let own = id == description.id;
                let Some(element) = elements.all.iter_mut().find(|e| e.description.id == id) else { continue };
                let mut warnings = Vec::new();
                element.read(block, own, description, &mut warnings).map_err(|reason| error(Some(name), reason))?;
                if own {
                    elements.warnings.extend(warnings.into_iter().map(|w| format!("{file}: {name}: {w}")));
                }
            }
        }
        Ok(elements)
    }

    /// Reads a file of `--me-json`.
    ///
    /// # Errors
    /// If it cannot be read, is no JSON, or a value is of a wrong kind.
    pub fn from_file(path: &std::path::Path) -> Result<Self, ElementsError> {
        let file = path.display().to_string();
        let error = |reason: String| ElementsError { file: file.clone(), element: None, reason };
        let text = std::fs::read_to_string(path).map_err(|e| error(format!("the file cannot be read: {e}")))?;
        let value: Value =
            serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|e| error(e.to_string()))?;
        let section = value.get("monitoring_elements").ok_or_else(|| error("there is no such key in it".into()))?;
        Self::read(&file, section)
    }

    /// Active elements, ascending ids.
    pub fn active(&self) -> impl Iterator<Item = &ElementConfig> {
        self.all.iter().filter(|e| e.active)
    }

    /// An element by its id, if it is active.
    pub fn get(&self, id: u16) -> Option<&ElementConfig> {
        self.active().find(|e| e.description.id == id)
    }

    /// An element by its id, active or not.
    pub fn any(&self, id: u16) -> Option<&ElementConfig> {
        self.all.iter().find(|e| e.description.id == id)
    }

    /// The configuration as a file would hold it.
    pub fn to_json(&self) -> Value {
        let elements: Map<String, Value> = self.all.iter().map(|e| (e.description.name.into(), e.to_json())).collect();
        json!({ "monitoring_elements": elements })
    }
}

/// A hint at the nearest name; empty if none is near.
pub fn nearest(name: &str) -> String {
    CATALOGUE
        .iter()
        .flat_map(|d| std::iter::once(d.name).chain(d.aliases()))
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.85)
        .map_or(String::new(), |(_, known)| format!("; perhaps {known} is meant"))
}

impl ElementConfig {
    fn of(description: &'static Description) -> Self {
        let image = match description.id {
            2 | 72 => "std_compressed".into(),
            0 | 40 => "mean_compressed".into(),
            12 | 73 => format!("{SUBTRACTED}_e"),
            _ => SUBTRACTED.to_owned(),
        };
        let mut parameters = Map::new();
        for (_, text) in PARAMETERS.iter().filter(|(ids, _)| ids.contains(&description.id)) {
            if let Ok(Value::Object(defaults)) = serde_json::from_str(text) {
                parameters.extend(defaults);
            }
        }
        Self {
            description,
            active: description.on,
            image,
            plot_with_yerrors: false,
            zscore_max: None,
            tests: Tests::of(description),
            parameters,
            as_given: Map::new(),
        }
    }

    /// Takes what a block says. `own`: the block is that of this element, not of another one of its family.
    fn read(
        &mut self,
        block: &Map<String, Value>,
        own: bool,
        given: &Description,
        warnings: &mut Vec<String>,
    ) -> Result<(), String> {
        let wrong = |key: &str, value: &Value, expected: &str| format!("`{key}` is {value}; {expected} was expected");
        for (key, value) in block {
            if let Some(default) = self.parameters.get(key) {
                check_kind(key, default, value)?;
                // Within a family the first element's own block is the last word.
                if own || given.id < self.description.id {
                    self.parameters.insert(key.clone(), value.clone());
                }
                continue;
            }
            if !own {
                if key == "image" && given.id < self.description.id {
                    self.image = value.as_str().ok_or_else(|| wrong(key, value, "the name of an image"))?.into();
                }
                continue;
            }
            match key.as_str() {
                // Of several names of one element, one that is active is enough.
                "active" => self.active |= truth(value).ok_or_else(|| wrong(key, value, "0 or 1"))?,
                "image" => self.image = value.as_str().ok_or_else(|| wrong(key, value, "the name of an image"))?.into(),
                "plot_with_yerrors" => {
                    self.plot_with_yerrors = truth(value).ok_or_else(|| wrong(key, value, "true or false"))?;
                }
                "zscore_max" => {
                    let positive = value.as_f64().filter(|x| *x > 0.0);
                    if positive.is_none() && !value.is_null() {
                        return Err(wrong(key, value, "a positive number or null"));
                    }
                    self.zscore_max = positive;
                }
                "qtests" | "qt_valid_range" => {
                    if key == "qtests" {
                        self.tests.read_tests(value, warnings)?;
                    } else {
                        self.tests.read_ranges(value)?;
                    }
                    self.as_given.insert(key.clone(), value.clone());
                }
                _ if COMMON.contains(&key.as_str()) => {}
                _ => warnings.push(format!("`{key}` is no parameter of this monitor element and is ignored")),
            }
        }
        Ok(())
    }

    fn value(&self, key: &str, amplifier: Option<&Amplifier>) -> &Value {
        let value = self.parameters.get(key).unwrap_or(&Value::Null);
        match (value, amplifier) {
            (Value::Object(map), Some(amplifier)) => {
                amplifier.names().find_map(|n| map.get(n)).or_else(|| map.get("default")).unwrap_or(&Value::Null)
            }
            _ => value,
        }
    }

    /// A number for an amplifier; the reason why there is none.
    ///
    /// # Errors
    /// The map has no value for this amplifier.
    pub fn number(&self, key: &str, amplifier: &Amplifier) -> Result<f64, String> {
        self.value(key, Some(amplifier))
            .as_f64()
            .ok_or_else(|| format!("parameter `{key}` has no value for amplifier {}", amplifier.name))
    }

    /// A number that may be null.
    pub fn optional(&self, key: &str, amplifier: &Amplifier) -> Option<f64> {
        self.value(key, Some(amplifier)).as_f64()
    }

    /// Whether a parameter has another value than its default, or a test setting was given.
    pub fn is_given(&self, key: &str) -> bool {
        self.as_given.contains_key(key) || self.parameters.get(key) != Self::of(self.description).parameters.get(key)
    }

    /// A number that is the same for all amplifiers.
    pub fn plain_number(&self, key: &str) -> f64 {
        self.value(key, None).as_f64().unwrap_or(f64::NAN)
    }

    /// A truth value, false without one.
    pub fn truth(&self, key: &str) -> bool {
        truth(self.value(key, None)).unwrap_or(false)
    }

    /// A text, empty without one.
    pub fn text(&self, key: &str) -> &str {
        self.value(key, None).as_str().unwrap_or("")
    }

    /// A parameter as text for captions: a number, or one per amplifier.
    pub fn describe(&self, key: &str) -> String {
        let one = |v: &Value| match v {
            Value::Number(n) => n.as_f64().map_or_else(|| n.to_string(), crate::dqm::quality::short),
            Value::String(s) => s.clone(),
            other => other.to_string(),
        };
        match self.value(key, None) {
            Value::Object(map) => map.iter().map(|(a, v)| format!("{} ({a})", one(v))).collect::<Vec<_>>().join(", "),
            other => one(other),
        }
    }

    /// A list of rows or columns for an amplifier, empty without one.
    pub fn index_list(&self, key: &str, amplifier: &Amplifier) -> crate::config::IndexList {
        let value = self.parameters.get(key).cloned().unwrap_or_default();
        serde_json::from_value::<PerAmplifier<crate::config::IndexList>>(value)
            .ok()
            .and_then(|list| list.get(amplifier).cloned())
            .unwrap_or_default()
    }

    fn to_json(&self) -> Value {
        let mut block = self.parameters.clone();
        block.extend(self.as_given.clone());
        block.insert("image".into(), self.image.clone().into());
        block.insert("zscore_max".into(), json!(self.zscore_max));
        block.insert("plot_with_yerrors".into(), self.plot_with_yerrors.into());
        block.insert("active".into(), u8::from(self.active).into());
        Value::Object(block)
    }
}

/// Whether a value is of the kind of the default, or a map by amplifier of such values.
fn check_kind(key: &str, default: &Value, value: &Value) -> Result<(), String> {
    let fits = |v: &Value| match default {
        Value::Number(_) => v.is_number(),
        Value::Bool(_) => truth(v).is_some(),
        Value::String(_) => v.is_string(),
        Value::Array(_) => serde_json::from_value::<crate::config::IndexList>(v.clone()).is_ok(),
        _ => v.is_null() || v.is_number(),
    };
    let ok = match value {
        Value::Object(map) => !map.is_empty() && map.values().all(fits),
        other => fits(other),
    };
    let expected = match default {
        Value::Number(_) => "a number",
        Value::Bool(_) => "true or false",
        Value::String(_) => "a text",
        Value::Array(_) => "a list of indices and [first, end) pairs",
        _ => "a number or null",
    };
    if ok { Ok(()) } else { Err(format!("`{key}` is {value}; {expected} was expected, or one for each amplifier")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_configuration_everything_is_active_that_is_not_off() {
        let elements = Elements::default();
        let ids: Vec<u16> = elements.active().map(|e| e.description.id).collect();
        assert_eq!(ids.len(), 40);
        assert!(!ids.contains(&80) && !ids.contains(&110) && ids.contains(&100));
        let amplifier = Amplifier::whole_image("L", 0, 1, 1);
        let dc = elements.get(63).unwrap();
        assert_eq!(dc.number("binning_size", &amplifier), Ok(0.5));
        assert_eq!(elements.get(52).unwrap().number("dc_min", &amplifier), Ok(0.0001));
    }

    #[test]
    fn exactly_what_is_active_is_made_and_aliases_and_maps_are_understood() {
        let section: Value = serde_json::from_str(
            r#"{"MEMeanPixelChargePerRow": {"active": 1, "n_mad": {"L": 4, "U": 6}}, "MEFitMu0PerRow": {"active": 1},
                "MEFitDCPerRow": {"active": 0, "row_step": 20}, "MEMeanPedestalSigma": {"active": 0},
                "MEOVSPedestalSigma": {"active": 1, "qt_valid_range": [0, 5], "colour": "red"},
                "MEColTransientMu": {"active": 1}, "MEMeanDCperRw": {"active": 1}}"#,
        )
        .unwrap();
        let elements = Elements::read("me.json", &section).unwrap();
        assert_eq!(elements.active().map(|e| e.description.id).collect::<Vec<_>>(), [1, 33, 51]);
        let amplifier = |name: &str| Amplifier::whole_image(name, 0, 1, 1);
        assert_eq!(elements.get(1).unwrap().number("n_mad", &amplifier("U")), Ok(6.0));
        assert!(elements.get(1).unwrap().number("n_mad", &amplifier("EXT1")).is_err());
        assert_eq!(elements.get(51).unwrap().plain_number("row_step"), 20.0);
        assert_eq!(elements.warnings.len(), 3, "{:?}", elements.warnings);
        assert!(elements.warnings.iter().any(|w| w.contains("MEMeanDCperRow")));
        let wrong: Value = serde_json::from_str(r#"{"MEMeanDCperRow": {"n_mad": "five"}}"#).unwrap();
        let error = Elements::read("me.json", &wrong).unwrap_err().to_string();
        assert!(error.contains("me.json") && error.contains("n_mad") && error.contains("five"), "{error}");
    }

    #[test]
    fn the_shipped_configuration_is_read() {
        let path = std::env::var_os("PANASKIMG_TEST_DATA").map_or_else(
            || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
            std::path::PathBuf::from,
        );
        let file = path.join("configs/dqmSKImg_configuration.json");
        if !file.is_file() {
            println!("skipped: {} is absent", file.display());
            return;
        }
        let elements = Elements::from_file(&file).unwrap();
        let amplifier = Amplifier::whole_image("U", 0, 10, 10);
        assert_eq!(elements.get(64).unwrap().number("gain_max", &amplifier), Ok(11.6));
        assert!(elements.get(33).is_some() && elements.get(43).is_none() && elements.get(100).is_none());
    }
}
