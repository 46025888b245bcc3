//! Removing the cross-talk: each image minus what the others put into it (spec 03 §6, step 7).

use ndarray::Array2;

use super::measure::Matrix;
use super::module::{Frame, stack};

/// The corrected images of a data set: image(dst) − Σ (α − α_null)·image(src), from the uncorrected images. With a lag,
/// the source pixel is the one whose cross-talk arrives at the pixel corrected.
pub fn correct(frame: &Frame, matrix: &Matrix, lag: (i64, i64)) -> Vec<Array2<f64>> {
    frame
        .images
        .iter()
        .enumerate()
        .map(|(dst, image)| {
            let (rows, cols) = image.dim();
            let mut corrected = image.clone();
            for (_, src, c) in matrix.pairs().filter(|(d, _, _)| *d == dst) {
                let factor = c.correction();
                if factor == 0.0 {
                    continue;
                }
                let source = &frame.images[src];
                for ((row, col), q) in corrected.indexed_iter_mut() {
                    let from = (row as i64 - lag.0, col as i64 - lag.1);
                    if (0..rows as i64).contains(&from.0) && (0..cols as i64).contains(&from.1) {
                        let x = source[[from.0 as usize, from.1 as usize]];
                        // a missing source pixel leaves the others' corrections in place
                        if x.is_finite() {
                            *q -= factor * x;
                        }
                    }
                }
            }
            corrected
        })
        .collect()
}

/// Corrected images of all data sets, stacked along the rows, per channel.
pub fn correct_all(frames: &[Frame], matrix: &Matrix, lag: (i64, i64)) -> Vec<Array2<f64>> {
    let corrected: Vec<Vec<Array2<f64>>> = frames.iter().map(|frame| correct(frame, matrix, lag)).collect();
    (0..matrix.labels.len()).map(|channel| stack(corrected.iter().map(|images| &images[channel]))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::crosstalk::measure::Coefficient;

    fn coefficient(alpha: f64, null: f64) -> Option<Coefficient> {
        Some(Coefficient {
            alpha,
            error: 0.0,
            p68: (0.0, 0.0),
            p95: (0.0, 0.0),
            null,
            null_error: 0.0,
            null_p68: (0.0, 0.0),
            seeds: 1,
            kept: 1,
            bins: Vec::new(),
            ratios: Vec::new(),
        })
    }

    fn frame() -> Frame {
        let row = |values: [f64; 2]| Array2::from_shape_vec((1, 2), values.to_vec()).unwrap();
        Frame { images: vec![row([1000.0, 0.0]), row([0.15, 2000.0])], seeds: vec![Vec::new(), Vec::new()] }
    }

    #[test]
    fn example_of_the_specification() {
        let matrix = Matrix {
            labels: vec!["A".into(), "B".into()],
            coefficients: vec![vec![None, coefficient(-2e-4, -1e-5)], vec![coefficient(1.5e-4, 2e-5), None]],
        };
        let corrected = correct_all(&[frame(), frame()], &matrix, (0, 0));
        for row in 0..2 {
            assert!(
                (corrected[0][[row, 0]] - 1000.0000285).abs() < 1e-9 && (corrected[0][[row, 1]] - 0.38).abs() < 1e-12
            );
            assert!((corrected[1][[row, 0]] - 0.02).abs() < 1e-12 && (corrected[1][[row, 1]] - 2000.0).abs() < 1e-9);
        }
    }

    #[test]
    fn unknown_coefficients_count_as_zero_and_lags_move_the_source() {
        let unknown = Matrix {
            labels: vec!["A".into(), "B".into()],
            coefficients: vec![vec![None, coefficient(f64::NAN, 0.0)], vec![coefficient(1e-3, f64::NAN), None]],
        };
        assert_eq!(correct(&frame(), &unknown, (0, 0)), frame().images);
        let matrix = Matrix {
            labels: vec!["A".into(), "B".into()],
            coefficients: vec![vec![None, None], vec![coefficient(1e-3, 0.0), None]],
        };
        let corrected = correct(&frame(), &matrix, (0, 1));
        assert_eq!(corrected[1][[0, 0]], 0.15, "nothing arrives in the first column");
        assert_eq!(corrected[1][[0, 1]], 1999.0);
    }
}
