//! Numbers that may be missing: NaN in memory, `null` in JSON, NaN in a pickle.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Value and error (one standard deviation); NaN where unknown. In files a list of two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// Value.
    pub value: f64,
    /// Error.
    pub error: f64,
}

impl Pair {
    /// Neither is known.
    pub const UNKNOWN: Self = Self { value: f64::NAN, error: f64::NAN };

    /// Value ± error.
    pub fn new(value: f64, error: f64) -> Self {
        Self { value, error }
    }
}

impl Default for Pair {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

impl Serialize for Pair {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        vector::serialize(&[self.value, self.error], serializer)
    }
}

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let numbers = vector::deserialize(deserializer)?;
        let at = |k: usize| numbers.get(k).copied().unwrap_or(f64::NAN);
        Ok(Self { value: at(0), error: at(1) })
    }
}

/// The values of a monitor element: none, one number (scope S), or a vector.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Values {
    /// There are none.
    #[default]
    Nothing,
    /// A number.
    One(f64),
    /// A vector.
    Many(Vec<f64>),
}

impl Values {
    /// The numbers.
    pub fn as_slice(&self) -> &[f64] {
        match self {
            Self::Nothing => &[],
            Self::One(x) => std::slice::from_ref(x),
            Self::Many(x) => x,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there are none by kind, so that the key is left out of files.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    /// The number, if it is a single one.
    pub fn scalar(&self) -> Option<f64> {
        if let Self::One(x) = self { Some(*x) } else { None }
    }
}

impl From<Vec<f64>> for Values {
    fn from(values: Vec<f64>) -> Self {
        Self::Many(values)
    }
}

impl From<f64> for Values {
    fn from(value: f64) -> Self {
        Self::One(value)
    }
}

impl Serialize for Values {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nothing => serializer.serialize_none(),
            Self::One(x) => number::serialize(x, serializer),
            Self::Many(x) => vector::serialize(x, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Many(#[serde(with = "vector")] Vec<f64>),
            One(#[serde(with = "number")] f64),
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::Many(x) => Self::Many(x),
            Form::One(x) => Self::One(x),
        })
    }
}

/// A number that may be missing.
pub mod number {
    use super::*;

    /// NaN for what is not finite.
    pub fn serialize<S: Serializer>(x: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(if x.is_finite() { *x } else { f64::NAN })
    }

    /// NaN for null.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
    }
}

/// Numbers of which some may be missing.
pub mod vector {
    use super::*;

    /// NaN for what is not finite.
    pub fn serialize<S: Serializer>(x: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(x.iter().map(|x| if x.is_finite() { *x } else { f64::NAN }))
    }

    /// NaN for null.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
        Ok(Vec::<Option<f64>>::deserialize(deserializer)?.into_iter().map(|x| x.unwrap_or(f64::NAN)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_numbers_are_null_in_json_and_nan_in_memory() {
        let values = Values::Many(vec![1.0, f64::NAN, f64::INFINITY, -0.1]);
        let json = serde_json::to_string(&values).unwrap();
        assert_eq!(json, "[1.0,null,null,-0.1]");
        let back: Values = serde_json::from_str(&json).unwrap();
        assert!(back.as_slice()[1].is_nan() && back.as_slice()[3] == -0.1);
        let one: Values = serde_json::from_str("2").unwrap();
        assert_eq!(one, Values::One(2.0));
        assert!(serde_json::from_str::<Values>("null").unwrap().as_slice()[0].is_nan());
        assert_eq!(serde_json::to_string(&Pair::new(10.1, f64::NAN)).unwrap(), "[10.1,null]");
    }
}
