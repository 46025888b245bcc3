//! Inputs beside the image that parameters of processes may name: masks in FITS files and columns of CSV files.

use std::path::Path;

use ndarray::Array2;

use crate::fits::FitsInput;

/// A mask could not be read.
#[derive(Debug, thiserror::Error)]
pub enum MaskError {
    /// The file or HDU cannot be read.
    #[error("{path}: {error}")]
    Fits {
        /// File.
        path: String,
        /// Reason.
        error: crate::fits::FitsError,
    },
    /// No HDU holds an image.
    #[error("{0}: no HDU holds an image")]
    NoImage(String),
    /// Wrong shape.
    #[error("{path}[{hdu}]: the mask has {} rows × {} columns; the image has {} × {}", found.0, found.1, expected.0, expected.1)]
    Shape {
        /// File.
        path: String,
        /// HDU.
        hdu: usize,
        /// Rows and columns of the mask.
        found: (usize, usize),
        /// Rows and columns of the image.
        expected: (usize, usize),
    },
}

/// A mask from a FITS file: non-zero (and not finite) pixels are masked. `hdu` `None`: HDU 1 if it holds an image, else
/// the first HDU that does. `shape`: rows and columns that the mask must have.
pub fn read_mask(path: &Path, hdu: Option<usize>, shape: (usize, usize)) -> Result<Array2<bool>, MaskError> {
    let failed = |error| MaskError::Fits { path: path.display().to_string(), error };
    let input = FitsInput::open(path).map_err(failed)?;
    let hdu = match hdu {
        Some(hdu) => hdu,
        None => {
            let is_image = |n: usize| input.hdus().get(n).is_some_and(|h| h.is_plane());
            std::iter::once(1)
                .chain(0..input.hdus().len())
                .find(|n| is_image(*n))
                .ok_or_else(|| MaskError::NoImage(path.display().to_string()))?
        }
    };
    let pixels = input.read_image(hdu).map_err(failed)?;
    if pixels.dim() != shape {
        return Err(MaskError::Shape { path: path.display().to_string(), hdu, found: pixels.dim(), expected: shape });
    }
    Ok(pixels.mapv(|x| x != 0.0))
}

/// A column of numbers could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// The file cannot be read.
    #[error("{path}: {error}")]
    Unreadable {
        /// File.
        path: String,
        /// Reason.
        error: std::io::Error,
    },
    /// There is no such column.
    #[error("{path}: there is no column `{column}` (columns: {existing})")]
    NoColumn {
        /// File.
        path: String,
        /// Column asked for.
        column: String,
        /// Columns of the first line.
        existing: String,
    },
    /// A field is not a number.
    #[error("{path}, line {line}: `{text}` in column `{column}` is not a number")]
    NotANumber {
        /// File.
        path: String,
        /// Line, from 1.
        line: usize,
        /// Column.
        column: String,
        /// The field.
        text: String,
    },
}

/// The numbers of one column of a CSV file whose first line holds the column names. `column` is a name, or a number
/// counted from 0 if no column has that name. Empty fields are left out.
pub fn csv_column(path: &Path, column: &str) -> Result<Vec<f64>, CsvError> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| CsvError::Unreadable { path: name.clone(), error })?;
    let clean = |field: &str| field.trim().trim_matches('"').to_owned();
    let mut lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    let names: Vec<String> = lines.next().map(|(_, l)| l.split(',').map(clean).collect()).unwrap_or_default();
    let position = names
        .iter()
        .position(|n| n == column)
        .or_else(|| column.parse().ok().filter(|&i: &usize| i < names.len()))
        .ok_or_else(|| CsvError::NoColumn {
            path: name.clone(),
            column: column.to_owned(),
            existing: names.join(", "),
        })?;
    let mut values = Vec::new();
    for (number, line) in lines {
        let field = line.split(',').nth(position).map(clean).unwrap_or_default();
        if field.is_empty() {
            continue;
        }
        values.push(field.parse().map_err(|_| CsvError::NotANumber {
            path: name.clone(),
            line: number + 1,
            column: column.to_owned(),
            text: field.clone(),
        })?);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name_or_number_and_bad_fields_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("q.csv");
        std::fs::write(&path, "row,\"charge\"\n0,1.5\n1,\n2,-2e-3\n").unwrap();
        assert_eq!(csv_column(&path, "charge").unwrap(), [1.5, -2e-3]);
        assert_eq!(csv_column(&path, "1").unwrap(), [1.5, -2e-3]);
        assert!(csv_column(&path, "q").unwrap_err().to_string().contains("columns: row, charge"));
        std::fs::write(&path, "q\nx\n").unwrap();
        assert!(csv_column(&path, "q").unwrap_err().to_string().contains("line 2: `x`"));
        assert!(csv_column(Path::new("/nowhere.csv"), "q").is_err());
    }
}
