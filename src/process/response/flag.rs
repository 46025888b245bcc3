//! Switches that simulation files write as 0 and 1.

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

/// Reads `true`, `false`, and numbers (0 is false).
pub fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Bool(b) => Ok(b),
        Value::Number(n) => Ok(n.as_f64() != Some(0.0)),
        other => Err(D::Error::custom(format!("{other} is not true, false, 0 or 1"))),
    }
}
