//! Shapes of values that the configuration allows: one value or a list, one value for all amplifiers or one for each,
//! and lists of rows or columns.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::image::Amplifier;

/// One value, or a list of values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// A single value.
    One(T),
    /// A list, in order of preference.
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// The values as a slice.
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(x) => std::slice::from_ref(x),
            Self::Many(v) => v,
        }
    }
}

impl<const N: usize> From<[&str; N]> for OneOrMany<String> {
    fn from(names: [&str; N]) -> Self {
        if N == 1 { Self::One(names[0].to_owned()) } else { Self::Many(names.iter().map(|s| s.to_string()).collect()) }
    }
}

/// A parameter that is the same for all amplifiers, or given as an object `{amplifier: value}`.
///
/// Look-up: the amplifier's name, then its aliases, then the key `default` (spec 01 §2.6).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PerAmplifier<T> {
    /// The same value for every amplifier.
    All(T),
    /// One value per amplifier.
    Each(IndexMap<String, T>),
}

impl<T: Default> Default for PerAmplifier<T> {
    fn default() -> Self {
        Self::All(T::default())
    }
}

impl<T> From<T> for PerAmplifier<T> {
    fn from(value: T) -> Self {
        Self::All(value)
    }
}

impl<T> PerAmplifier<T> {
    /// The value for this amplifier, if there is one.
    pub fn get(&self, amplifier: &Amplifier) -> Option<&T> {
        match self {
            Self::All(value) => Some(value),
            Self::Each(map) => amplifier.names().find_map(|name| map.get(name)).or_else(|| map.get("default")),
        }
    }

    /// All values that are given.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        let (all, each) = match self {
            Self::All(value) => (Some(value), None),
            Self::Each(map) => (None, Some(map.values())),
        };
        all.into_iter().chain(each.into_iter().flatten())
    }

    /// The keys of an object that has no value for this amplifier and holds a name that none of the amplifiers of the
    /// image has: probably a mistake. `None` where all is well.
    pub fn mistaken_keys(&self, amplifier: &Amplifier, all: &[Amplifier]) -> Option<String> {
        let Self::Each(map) = self else { return None };
        let known = |key: &String| all.iter().any(|a| a.names().any(|name| name == key));
        (self.get(amplifier).is_none() && !map.keys().all(known))
            .then(|| map.keys().map(String::as_str).collect::<Vec<_>>().join(", "))
    }
}

/// An index or a pair of indices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum IndexItem {
    /// A single index.
    One(i64),
    /// A pair `[first, last]`; whether `last` is included depends on the parameter. Lists of another length are plain
    /// indices.
    Several(Vec<i64>),
}

/// A list of rows or columns: indices and pairs, e.g. `[0, [10, 12], 40]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct IndexList(pub Vec<IndexItem>);

/// Whether the second number of a pair belongs to the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairEnd {
    /// `[10, 12]` is 10, 11, 12: most index lists.
    Included,
    /// `[10, 12]` is 10, 11: `rows_to_mask` and `cols_to_mask`.
    Excluded,
}

impl IndexList {
    /// The indices below `length`, sorted, and how many were outside `0..length` (clipped away).
    pub fn indices(&self, length: usize, end: PairEnd) -> (Vec<usize>, usize) {
        let mut set = BTreeSet::new();
        let mut outside = 0;
        let length = length as i64;
        let mut add = |i: i64| {
            if (0..length).contains(&i) {
                set.insert(i as usize);
            } else {
                outside += 1;
            }
        };
        for item in &self.0 {
            match item {
                IndexItem::One(i) => add(*i),
                IndexItem::Several(pair) if pair.len() == 2 => {
                    let last = if end == PairEnd::Included { pair[1] } else { pair[1].saturating_sub(1) };
                    if pair[0] < 0 || last >= length {
                        add(if pair[0] < 0 { pair[0] } else { last });
                    }
                    for i in pair[0].max(0)..=last.min(length - 1) {
                        add(i);
                    }
                }
                IndexItem::Several(several) => several.iter().for_each(|i| add(*i)),
            }
        }
        (set.into_iter().collect(), outside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(json: &str) -> IndexList {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn pairs_include_their_end_except_in_the_masks_of_the_dark_current_fit() {
        let l = list("[0,[10,12],40]");
        assert_eq!(l.indices(100, PairEnd::Included).0, [0, 10, 11, 12, 40]);
        assert_eq!(l.indices(100, PairEnd::Excluded).0, [0, 10, 11, 40]);
        assert_eq!(list("[0,1]").indices(100, PairEnd::Included).0, [0, 1]);
    }

    #[test]
    fn indices_outside_the_image_are_clipped_and_counted_once_per_item() {
        assert_eq!(list("[5, 10, -1, [8, 20]]").indices(10, PairEnd::Included), (vec![5, 8, 9], 3));
        assert_eq!(list("[[3, 1]]").indices(10, PairEnd::Included), (vec![], 0));
    }

    #[test]
    fn a_value_per_amplifier_is_found_by_name_alias_or_default() {
        let gain: PerAmplifier<f64> = serde_json::from_str(r#"{"EXT1": 1.2, "A": 1.3, "default": 9}"#).unwrap();
        let amplifier = |name: &str, alias: &str| Amplifier {
            name: name.into(),
            aliases: vec![alias.into()],
            ..Amplifier::whole_image("x", 1, 2, 2)
        };
        assert_eq!(gain.get(&amplifier("EXT1", "A")), Some(&1.2));
        assert_eq!(gain.get(&amplifier("EXT2", "A")), Some(&1.3));
        assert_eq!(gain.get(&amplifier("U", "EXT7_U")), Some(&9.0));
    }
}
