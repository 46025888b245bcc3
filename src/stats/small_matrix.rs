//! Symmetric positive-definite matrices of a handful of rows, on the stack.
//!
//! The fits of this module have two to seven parameters and run ten thousand times per image; a general linear-algebra
//! library would spend more time allocating than computing. Only the leading `n` × `n` block of each matrix is used,
//! so that a fit with frozen parameters packs the free ones to the front.

/// A square matrix with room for `N` rows.
pub type Matrix<const N: usize> = [[f64; N]; N];

/// Smallest pivot, relative to the diagonal element it comes from, that counts as positive: below it the matrix is
/// singular within rounding.
const PIVOT_FLOOR: f64 = 1e-15;

/// Lower Cholesky factor of the leading `n` rows; `None` unless the matrix is positive definite within rounding.
pub fn cholesky<const N: usize>(matrix: &Matrix<N>, n: usize) -> Option<Matrix<N>> {
    let mut factor = [[0.0; N]; N];
    for row in 0..n {
        for col in 0..=row {
            let mut sum = matrix[row][col];
            for (a, b) in factor[row].iter().zip(&factor[col]).take(col) {
                sum -= a * b;
            }
            if row == col {
                // also false for NaN
                let positive = sum > PIVOT_FLOOR * matrix[row][row] && sum.is_finite();
                if !positive {
                    return None;
                }
                factor[row][row] = sum.sqrt();
            } else {
                factor[row][col] = sum / factor[col][col];
            }
        }
    }
    Some(factor)
}

/// Solves `matrix`·x = `rhs` given the Cholesky factor of the matrix.
pub fn solve_factored<const N: usize>(factor: &Matrix<N>, rhs: &[f64; N], n: usize) -> [f64; N] {
    let mut x = *rhs;
    for row in 0..n {
        for k in 0..row {
            x[row] -= factor[row][k] * x[k];
        }
        x[row] /= factor[row][row];
    }
    for row in (0..n).rev() {
        for k in row + 1..n {
            x[row] -= factor[k][row] * x[k];
        }
        x[row] /= factor[row][row];
    }
    x
}

/// Solves `matrix`·x = `rhs`; `None` unless the matrix is positive definite.
pub fn solve<const N: usize>(matrix: &Matrix<N>, rhs: &[f64; N], n: usize) -> Option<[f64; N]> {
    cholesky(matrix, n).map(|factor| solve_factored(&factor, rhs, n))
}

/// Inverse of the leading `n` rows; `None` unless the matrix is positive definite.
pub fn inverse<const N: usize>(matrix: &Matrix<N>, n: usize) -> Option<Matrix<N>> {
    let factor = cholesky(matrix, n)?;
    let mut inverse = [[0.0; N]; N];
    for col in 0..n {
        let mut unit = [0.0; N];
        unit[col] = 1.0;
        let column = solve_factored(&factor, &unit, n);
        for row in 0..n {
            inverse[row][col] = column[row];
        }
    }
    symmetrise(&mut inverse, n);
    Some(inverse)
}

/// Replaces the elements on either side of the diagonal by their means.
#[allow(clippy::needless_range_loop)]
pub fn symmetrise<const N: usize>(matrix: &mut Matrix<N>, n: usize) {
    for row in 0..n {
        for col in 0..row {
            let mean = 0.5 * (matrix[row][col] + matrix[col][row]);
            matrix[row][col] = mean;
            matrix[col][row] = mean;
        }
    }
}

/// xᵀ·`matrix`·y over the leading `n` rows.
pub fn bilinear<const N: usize>(matrix: &Matrix<N>, x: &[f64; N], y: &[f64; N], n: usize) -> f64 {
    (0..n).map(|row| x[row] * (0..n).map(|col| matrix[row][col] * y[col]).sum::<f64>()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn inverse_times_matrix_is_one(a in prop::array::uniform16(-3.0f64..3.0)) {
            // AᵀA + 1 is positive definite with eigenvalues of at least 1
            let mut matrix = [[0.0; 5]; 5];
            for row in 0..4 {
                for col in 0..4 {
                    matrix[row][col] = (0..4).map(|k| a[4 * k + row] * a[4 * k + col]).sum::<f64>() + f64::from(row == col);
                }
            }
            let inverse = inverse(&matrix, 4).unwrap();
            // the columns of the product M⁻¹·M, as M is symmetric: M⁻¹ times the rows of M
            for (col, column) in matrix.iter().enumerate().take(4) {
                for (row, inverse) in inverse.iter().enumerate().take(4) {
                    let product: f64 = inverse.iter().zip(column).map(|(a, b)| a * b).sum();
                    prop_assert!((product - f64::from(row == col)).abs() < 1e-11);
                }
            }
        }
    }

    #[test]
    fn indefinite_and_singular_matrices_are_refused() {
        assert!(cholesky(&[[1.0, 2.0], [2.0, 1.0]], 2).is_none());
        assert!(cholesky(&[[1.0, 1.0], [1.0, 1.0]], 2).is_none());
        assert!(cholesky(&[[f64::NAN, 0.0], [0.0, 1.0]], 2).is_none());
        // the leading block alone may be fine
        assert!(cholesky(&[[4.0, 2.0], [2.0, 1.0]], 1).is_some());
    }
}
