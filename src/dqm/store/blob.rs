//! Arrays as little-endian `f64`; a missing value is a NaN.

use crate::dqm::model::Values;

/// The numbers as bytes; `None` (NULL) if there are none by kind.
pub(super) fn encode(values: &Values) -> Option<Vec<u8>> {
    (!values.is_nothing()).then(|| encode_slice(values.as_slice()))
}

/// The numbers as bytes.
pub(super) fn encode_slice(values: &[f64]) -> Vec<u8> {
    let missing_as_nan = |v: &f64| if v.is_finite() { *v } else { f64::NAN };
    values.iter().flat_map(|v| missing_as_nan(v).to_le_bytes()).collect()
}

/// The numbers of such bytes; a rest of less than eight bytes is dropped. `single`: one number and not a vector of one.
pub(super) fn decode(bytes: Option<Vec<u8>>, single: bool) -> Values {
    let Some(bytes) = bytes else { return Values::Nothing };
    let numbers: Vec<f64> = bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
    match numbers.as_slice() {
        [one] if single => Values::One(*one),
        _ => Values::Many(numbers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_little_endian_doubles() {
        // IEEE 754: 1 is 0x3ff0000000000000, −2 is 0xc000000000000000.
        let values = Values::Many(vec![1.0, -2.0, f64::INFINITY]);
        let bytes = encode(&values).unwrap();
        assert_eq!(bytes[..16], [0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0]);
        let back = decode(Some(bytes), false);
        assert_eq!(back.as_slice()[..2], [1.0, -2.0]);
        assert!(back.as_slice()[2].is_nan());
        assert_eq!(decode(encode(&Values::One(0.5)), true), Values::One(0.5));
        assert_eq!(decode(encode(&Values::Many(vec![0.5])), false), Values::Many(vec![0.5]));
        assert_eq!((encode(&Values::Nothing), decode(None, true)), (None, Values::Nothing));
        assert_eq!(decode(encode(&Values::Many(vec![])), false), Values::Many(vec![]));
    }
}
