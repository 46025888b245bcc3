//! The user region: `id_<axis>_start` and `id_<axis>_end` against the length of an axis (spec 01 §4.10).

use std::ops::Range;

/// A range that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` is {value}: {problem} (length of the axis: {length})")]
pub struct RangeError {
    /// Key of the configuration.
    pub key: String,
    /// Its value.
    pub value: i64,
    /// What is wrong.
    pub problem: String,
    /// Length of the axis.
    pub length: usize,
}

/// The indices that `<name>_start` and `<name>_end` select on an axis; the end is excluded, and any negative end means
/// "to the last": 10 and −10 of 500 skips are 10…499.
///
/// # Errors
/// A start below 0 or behind the last index, an end behind the axis, or an empty range.
pub fn resolve_range(name: &str, start: i64, end: i64, length: usize) -> Result<Range<usize>, RangeError> {
    let error =
        |side: &str, value, problem: String| Err(RangeError { key: format!("{name}_{side}"), value, problem, length });
    let Ok(first) = usize::try_from(start) else {
        return error("start", start, "it cannot be negative".into());
    };
    if first >= length {
        return error("start", start, "it is behind the last index".into());
    }
    let Ok(stop) = usize::try_from(end) else {
        return Ok(first..length);
    };
    if stop > length {
        return error("end", end, "it is behind the end of the axis".into());
    }
    if first >= stop {
        return error("end", end, format!("nothing is left after `{name}_start` {start}"));
    }
    Ok(first..stop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_negative_end_means_to_the_last() {
        assert_eq!(resolve_range("id_skip", 10, -10, 500), Ok(10..500));
        assert_eq!(resolve_range("id_skip", 0, -1, 500), Ok(0..500));
        assert_eq!(resolve_range("id_skip", 1, -2, 6), Ok(1..6));
        assert_eq!(resolve_range("id_col", 3, 7, 10), Ok(3..7));
        assert_eq!(resolve_range("id_col", 0, 10, 10), Ok(0..10));
    }

    #[test]
    fn ranges_that_do_not_fit_name_the_key_and_the_length() {
        for (start, end, key) in [(-1, -1, "start"), (10, -1, "start"), (0, 11, "end"), (5, 5, "end"), (5, 0, "end")] {
            let error = resolve_range("id_row", start, end, 10).unwrap_err();
            assert_eq!(error.key, format!("id_row_{key}"));
            let text = error.to_string();
            assert!(text.contains("id_row_") && text.contains("10"), "{text}");
        }
    }
}
