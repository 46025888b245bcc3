//! The values of an entry.
//!
//! A [`Cell`] borrows: filling a tree copies each number once, from where the caller keeps it into the buffer of its
//! branch. A `vector<vector<T>>` may come as slices of vectors, or flat: all values in one slice and the offsets that
//! cut it into rows, as clusters and their pixels are best kept in memory.

use super::BranchType;

/// The value of one branch in one entry.
#[derive(Clone, Copy, Debug)]
pub enum Cell<'a> {
    /// `int`.
    Int(i32),
    /// `float`.
    Float(f32),
    /// `double`.
    Double(f64),
    /// `std::string`.
    Str(&'a str),
    /// `std::vector<int>`.
    VecInt(&'a [i32]),
    /// `std::vector<float>`.
    VecFloat(&'a [f32]),
    /// `std::vector<double>`.
    VecDouble(&'a [f64]),
    /// `std::vector<std::vector<int>>`.
    VecVecInt(Nested<'a, i32>),
    /// `std::vector<std::vector<float>>`.
    VecVecFloat(Nested<'a, f32>),
}

/// A vector of vectors.
#[derive(Clone, Copy, Debug)]
pub enum Nested<'a, T> {
    /// One vector per row.
    Vecs(&'a [Vec<T>]),
    /// One slice per row.
    Slices(&'a [&'a [T]]),
    /// All rows in one slice.
    Flat {
        /// The values, row after row.
        values: &'a [T],
        /// Row `i` is `values[offsets[i]..offsets[i + 1]]`: for n rows n + 1 offsets, the first 0, the last the number
        /// of values, none smaller than the one before. An empty slice is allowed for no rows.
        offsets: &'a [usize],
    },
}

impl<'a, T> Nested<'a, T> {
    /// All rows in one slice; see [`Nested::Flat`].
    pub fn flat(values: &'a [T], offsets: &'a [usize]) -> Self {
        Self::Flat { values, offsets }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        match self {
            Self::Vecs(rows) => rows.len(),
            Self::Slices(rows) => rows.len(),
            Self::Flat { offsets, .. } => offsets.len().saturating_sub(1),
        }
    }

    /// Number of values in all rows.
    pub fn values(&self) -> usize {
        match self {
            Self::Vecs(rows) => rows.iter().map(Vec::len).sum(),
            Self::Slices(rows) => rows.iter().map(|row| row.len()).sum(),
            Self::Flat { values, .. } => values.len(),
        }
    }

    /// Whether the offsets of a flat vector cut its values into rows.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let Self::Flat { values, offsets } = self else {
            return Ok(());
        };
        match (offsets.first(), offsets.last()) {
            (None, None) if values.is_empty() => Ok(()),
            (None, _) | (_, None) => Err("there are no offsets"),
            (Some(&first), _) if first != 0 => Err("the first offset is not 0"),
            (_, Some(&last)) if last != values.len() => Err("the last offset is not the number of values"),
            _ if offsets.is_sorted() => Ok(()),
            _ => Err("an offset is smaller than the one before"),
        }
    }

    /// Gives each row to `visit`; the offsets have been checked.
    pub(super) fn for_each_row(&self, mut visit: impl FnMut(&[T])) {
        match self {
            Self::Vecs(rows) => rows.iter().for_each(|row| visit(row)),
            Self::Slices(rows) => rows.iter().for_each(|row| visit(row)),
            Self::Flat { values, offsets } => offsets.windows(2).for_each(|pair| visit(&values[pair[0]..pair[1]])),
        }
    }
}

/// Consecutive values of one scalar branch, one per entry.
#[derive(Clone, Copy, Debug)]
pub enum Column<'a> {
    /// `int`.
    Int(&'a [i32]),
    /// `float`.
    Float(&'a [f32]),
    /// `double`.
    Double(&'a [f64]),
}

impl Cell<'_> {
    /// The type of branch that takes this value.
    pub fn branch_type(&self) -> BranchType {
        match self {
            Self::Int(_) => BranchType::Int,
            Self::Float(_) => BranchType::Float,
            Self::Double(_) => BranchType::Double,
            Self::Str(_) => BranchType::String,
            Self::VecInt(_) => BranchType::VecInt,
            Self::VecFloat(_) => BranchType::VecFloat,
            Self::VecDouble(_) => BranchType::VecDouble,
            Self::VecVecInt(_) => BranchType::VecVecInt,
            Self::VecVecFloat(_) => BranchType::VecVecFloat,
        }
    }
}

impl Column<'_> {
    /// The type of branch that takes these values.
    pub fn branch_type(&self) -> BranchType {
        match self {
            Self::Int(_) => BranchType::Int,
            Self::Float(_) => BranchType::Float,
            Self::Double(_) => BranchType::Double,
        }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        match self {
            Self::Int(values) => values.len(),
            Self::Float(values) => values.len(),
            Self::Double(values) => values.len(),
        }
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

macro_rules! from {
    ($target:ident: $($source:ty => |$value:ident| $cell:expr;)*) => {
        $(impl<'a> From<$source> for $target<'a> {
            fn from($value: $source) -> Self {
                $cell
            }
        })*
    };
}

from! { Cell:
    i32 => |value| Self::Int(value);
    f32 => |value| Self::Float(value);
    f64 => |value| Self::Double(value);
    &'a str => |value| Self::Str(value);
    &'a String => |value| Self::Str(value);
    &'a [i32] => |value| Self::VecInt(value);
    &'a [f32] => |value| Self::VecFloat(value);
    &'a [f64] => |value| Self::VecDouble(value);
    &'a Vec<i32> => |value| Self::VecInt(value);
    &'a Vec<f32> => |value| Self::VecFloat(value);
    &'a Vec<f64> => |value| Self::VecDouble(value);
    Nested<'a, i32> => |value| Self::VecVecInt(value);
    Nested<'a, f32> => |value| Self::VecVecFloat(value);
    &'a [Vec<i32>] => |value| Self::VecVecInt(Nested::Vecs(value));
    &'a [Vec<f32>] => |value| Self::VecVecFloat(Nested::Vecs(value));
    &'a Vec<Vec<i32>> => |value| Self::VecVecInt(Nested::Vecs(value));
    &'a Vec<Vec<f32>> => |value| Self::VecVecFloat(Nested::Vecs(value));
}

from! { Column:
    &'a [i32] => |value| Self::Int(value);
    &'a [f32] => |value| Self::Float(value);
    &'a [f64] => |value| Self::Double(value);
    &'a Vec<i32> => |value| Self::Int(value);
    &'a Vec<f32> => |value| Self::Float(value);
    &'a Vec<f64> => |value| Self::Double(value);
}

impl<'a, const N: usize> From<&'a [i32; N]> for Cell<'a> {
    fn from(values: &'a [i32; N]) -> Self {
        Self::VecInt(values)
    }
}

impl<'a, const N: usize> From<&'a [f32; N]> for Cell<'a> {
    fn from(values: &'a [f32; N]) -> Self {
        Self::VecFloat(values)
    }
}

impl<'a, const N: usize> From<&'a [f64; N]> for Cell<'a> {
    fn from(values: &'a [f64; N]) -> Self {
        Self::VecDouble(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(nested: Nested<'_, i32>) -> Vec<Vec<i32>> {
        let mut rows = Vec::new();
        nested.for_each_row(|row| rows.push(row.to_vec()));
        assert_eq!(rows.len(), nested.rows());
        assert_eq!(rows.concat().len(), nested.values());
        rows
    }

    #[test]
    fn the_three_forms_of_nested_vectors_agree() {
        let expected = vec![vec![1, 2], vec![], vec![3]];
        assert_eq!(rows(Nested::Vecs(&expected)), expected);
        assert_eq!(rows(Nested::Slices(&[&[1, 2], &[], &[3]])), expected);
        assert_eq!(rows(Nested::flat(&[1, 2, 3], &[0, 2, 2, 3])), expected);
        for none in [Nested::flat(&[], &[]), Nested::flat(&[], &[0])] {
            assert_eq!(none.check(), Ok(()));
            assert!(rows(none).is_empty());
        }
    }

    #[test]
    fn wrong_offsets_are_found() {
        let values = [1, 2, 3];
        for offsets in [&[][..], &[1, 3], &[0, 2], &[0, 4], &[0, 2, 1, 3], &[0]] {
            assert!(Nested::flat(&values, offsets).check().is_err(), "{offsets:?}");
        }
        assert!(Nested::flat(&values, &[0, 0, 3, 3]).check().is_ok());
    }
}
