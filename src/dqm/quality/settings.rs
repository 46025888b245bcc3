//! Which tests are made, with which cuts (spec 06 §§5.5, 8.1): the parameters `qtests` and `qt_valid_range`.

use serde_json::Value;

use crate::dqm::catalogue::{Description, Scope};
use crate::dqm::model::Flag;

/// What a vector is expected to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// The straight line through the medians of the reference.
    Line,
    /// The medians of the reference: structure such as hot columns is kept.
    Profile,
}

/// How a test is made.
#[derive(Debug, Clone, PartialEq)]
pub struct TestSettings {
    /// Whether it is made.
    pub active: bool,
    /// Number of standard deviations.
    pub n_std: f64,
    /// Cut of the value; `None`: the default of the test.
    pub cut: Option<f64>,
    /// Flag of a violation; `None`: the default of the test.
    pub severity: Option<Flag>,
    /// What vectors are compared with; `None`: line for rows, profile for columns.
    pub model: Option<Model>,
    /// Allow for what the images of the reference differ among each other, for different numbers of images in the run
    /// and in the reference, and for chance in hundreds of tests.
    pub allow_for_images: bool,
}

impl Default for TestSettings {
    fn default() -> Self {
        Self { active: true, n_std: 3.0, cut: None, severity: None, model: None, allow_for_images: true }
    }
}

/// Names of the tests.
pub const NAMES: [&str; 7] = ["QT:range", "QT:chi2", "QTChi2FromFit", "QTChi2", "QTKstest", "QTTtest", "QTresiduals"];

/// An allowed range and for whom: `CCD,amp`, `amp` or `*`.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidRange {
    /// Key.
    pub key: String,
    /// Lower end; −∞ when open.
    pub low: f64,
    /// Upper end; ∞ when open.
    pub high: f64,
}

/// The tests of a monitor element.
#[derive(Debug, Clone, PartialEq)]
pub struct Tests {
    settings: Vec<(&'static str, TestSettings)>,
    /// Allowed ranges.
    pub ranges: Vec<ValidRange>,
}

impl Tests {
    /// The defaults of an element.
    pub fn of(description: &Description) -> Self {
        let settings = NAMES
            .iter()
            .map(|name| (*name, TestSettings { active: *name != "QTChi2FromFit", ..TestSettings::default() }))
            .collect();
        let ranges = if description.id == 61 {
            vec![ValidRange { key: "*".into(), low: -0.01, high: 0.01 }]
        } else {
            Vec::new()
        };
        Self { settings, ranges }
    }

    /// How a test is made.
    pub fn get(&self, name: &str) -> &TestSettings {
        static OFF: TestSettings =
            TestSettings { active: false, n_std: 3.0, cut: None, severity: None, model: None, allow_for_images: true };
        self.settings.iter().find(|(n, _)| *n == name).map_or(&OFF, |(_, s)| s)
    }

    /// The allowed range for a CCD and the names of an amplifier.
    pub fn range<'a>(&self, ccd: i64, names: impl Iterator<Item = &'a str> + Clone) -> Option<(f64, f64)> {
        let with_ccd = names.clone().map(|a| format!("{ccd},{a}"));
        let keys = with_ccd.chain(names.map(str::to_owned)).chain(["*".to_owned()]);
        let mut found = keys.filter_map(|key| self.ranges.iter().find(|r| r.key.replace(' ', "") == key));
        found.next().map(|r| (r.low, r.high))
    }

    /// What vectors of an element are compared with in a test.
    pub fn model(&self, test: &str, description: &Description) -> Model {
        let default = if description.scope == Scope::C { Model::Profile } else { Model::Line };
        self.get(test).model.unwrap_or(default)
    }

    /// Reads `qtests`: `{"QTresiduals": {"active": 1, "n_std": 3, "cut": 5, "severity": "fail", "model": "line"}}`.
    ///
    /// # Errors
    /// Sentences that name test, key and value. Unknown names are only remarked on in `warnings`.
    pub fn read_tests(&mut self, value: &Value, warnings: &mut Vec<String>) -> Result<(), String> {
        let Value::Object(tests) = value else { return Err(format!("`qtests` is {value}; an object was expected")) };
        for (name, block) in tests {
            let Some((_, settings)) = self.settings.iter_mut().find(|(n, _)| n.eq_ignore_ascii_case(name)) else {
                warnings.push(format!("`qtests`: there is no test `{name}` (there are {})", NAMES.join(", ")));
                continue;
            };
            let Value::Object(block) = block else {
                return Err(format!("`qtests.{name}` is {block}; an object was expected"));
            };
            for (key, value) in block {
                let wrong = |expected: &str| format!("`qtests.{name}.{key}` is {value}; {expected} was expected");
                match key.as_str() {
                    "active" => settings.active = truth(value).ok_or_else(|| wrong("0 or 1"))?,
                    "n_std" => {
                        settings.n_std =
                            value.as_f64().filter(|x| *x > 0.0).ok_or_else(|| wrong("a positive number"))?
                    }
                    "cut" => settings.cut = Some(value.as_f64().ok_or_else(|| wrong("a number"))?),
                    "severity" => {
                        let flag = value.as_str().and_then(Flag::from_word).filter(|f| *f != Flag::Error);
                        settings.severity = Some(flag.ok_or_else(|| wrong("`warn` or `fail`"))?);
                    }
                    "model" => {
                        settings.model = Some(match value.as_str() {
                            Some("line") => Model::Line,
                            Some("profile") => Model::Profile,
                            _ => return Err(wrong("`line` or `profile`")),
                        });
                    }
                    "allow_for_images" => settings.allow_for_images = truth(value).ok_or_else(|| wrong("0 or 1"))?,
                    _ => warnings.push(format!("`qtests.{name}.{key}` is no parameter of a test and is ignored")),
                }
            }
        }
        Ok(())
    }

    /// Reads `qt_valid_range`: `[low, high]`, null for an open end, or a map from `CCD,amp`, `amp` or `*` to such pairs.
    ///
    /// # Errors
    /// A sentence that names the key and the value.
    pub fn read_ranges(&mut self, value: &Value) -> Result<(), String> {
        let pair = |key: &str, value: &Value| -> Result<ValidRange, String> {
            let wrong = || format!("`qt_valid_range` is {value} for `{key}`; [low, high] was expected");
            let ends = value.as_array().filter(|a| a.len() == 2).ok_or_else(wrong)?;
            let end = |v: &Value, open: f64| if v.is_null() { Some(open) } else { v.as_f64() };
            let low = end(&ends[0], f64::NEG_INFINITY).ok_or_else(wrong)?;
            let high = end(&ends[1], f64::INFINITY).ok_or_else(wrong)?;
            if low > high {
                return Err(format!("`qt_valid_range` for `{key}`: {low} is above {high}"));
            }
            Ok(ValidRange { key: key.into(), low, high })
        };
        self.ranges = match value {
            Value::Null => Vec::new(),
            Value::Object(map) => map.iter().map(|(key, v)| pair(key, v)).collect::<Result<_, _>>()?,
            other => vec![pair("*", other)?],
        };
        Ok(())
    }
}

/// 0/1 or false/true.
pub(crate) fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(b) => Some(*b),
        Value::Number(n) => n.as_f64().map(|x| x != 0.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dqm::catalogue;
    use serde_json::json;

    #[test]
    fn ranges_are_looked_up_from_the_most_to_the_least_special() {
        let mut tests = Tests::of(catalogue::by_id(33).unwrap());
        assert_eq!(tests.range(1, ["L"].into_iter()), None);
        tests.read_ranges(&json!({"6415,L": [0, 1], "L": [null, 2], "*": [0, 3]})).unwrap();
        assert_eq!(tests.range(6415, ["L"].into_iter()), Some((0.0, 1.0)));
        assert_eq!(tests.range(1, ["L"].into_iter()), Some((f64::NEG_INFINITY, 2.0)));
        assert_eq!(tests.range(1, ["U"].into_iter()), Some((0.0, 3.0)));
        assert!(tests.read_ranges(&json!([2, 1])).is_err());
        assert!(tests.read_ranges(&json!("x")).unwrap_err().contains("\"x\""));
    }

    #[test]
    fn tests_are_configured_by_name_and_strange_keys_are_remarked_on() {
        let mut tests = Tests::of(catalogue::by_id(1).unwrap());
        let mut warnings = Vec::new();
        tests
            .read_tests(&json!({"QTresiduals": {"n_std": 4, "severity": "warn", "x": 1}, "QTfoo": {}}), &mut warnings)
            .unwrap();
        assert_eq!(tests.get("QTresiduals").n_std, 4.0);
        assert_eq!(tests.get("QTresiduals").severity, Some(Flag::Warn));
        assert_eq!(warnings.len(), 2);
        assert!(tests.read_tests(&json!({"QTKstest": {"n_std": -1}}), &mut warnings).is_err());
        assert!(!tests.get("QTChi2FromFit").active);
    }
}
