//! Symmetric positive-definite band matrices of any size: the information matrices of chains whose links know their
//! neighbours only, such as the overlapping peaks of a comb. A width of `n − 1` makes a full matrix of them.

/// Smallest pivot, relative to the diagonal element it comes from, that counts as positive.
const PIVOT_FLOOR: f64 = 1e-15;

/// A symmetric matrix whose elements vanish further than `width` from the diagonal.
#[derive(Debug, Clone, PartialEq)]
pub struct BandMatrix {
    n: usize,
    width: usize,
    /// Element (row, col), col ≤ row, at row (width + 1) + col + width − row.
    elements: Vec<f64>,
}

/// Lower Cholesky factor of a band matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct BandFactor(BandMatrix);

impl BandMatrix {
    /// Zeros: `n` rows, elements up to `width` from the diagonal.
    pub fn zeros(n: usize, width: usize) -> Self {
        let width = width.min(n.saturating_sub(1));
        Self { n, width, elements: vec![0.0; n * (width + 1)] }
    }

    /// A full matrix, of which the lower triangle is read.
    pub fn full(matrix: &[Vec<f64>]) -> Self {
        let mut band = Self::zeros(matrix.len(), matrix.len());
        for (row, values) in matrix.iter().enumerate() {
            values[..=row].iter().enumerate().for_each(|(col, value)| band.add(row, col, *value));
        }
        band
    }

    fn index(&self, row: usize, col: usize) -> usize {
        row * (self.width + 1) + col + self.width - row
    }

    /// Adds to the element (row, col) of the lower triangle, which must lie within the band.
    pub fn add(&mut self, row: usize, col: usize, value: f64) {
        debug_assert!(col <= row && row - col <= self.width, "element ({row}, {col}) outside of the band");
        let index = self.index(row, col);
        self.elements[index] += value;
    }

    /// Cholesky factor, n·width² operations; `None` unless the matrix is positive definite within rounding.
    pub fn factor(mut self) -> Option<BandFactor> {
        for row in 0..self.n {
            let first = row.saturating_sub(self.width);
            for col in first..=row {
                let from = first.max(col.saturating_sub(self.width));
                let (a, b) = (self.index(row, from), self.index(col, from));
                let terms = self.elements[a..a + col - from].iter().zip(&self.elements[b..b + col - from]);
                let sum = self.elements[self.index(row, col)] - terms.map(|(x, y)| x * y).sum::<f64>();
                let index = self.index(row, col);
                if row == col {
                    let diagonal = self.elements[index];
                    // also false for NaN
                    if !(sum > PIVOT_FLOOR * diagonal && sum.is_finite()) {
                        return None;
                    }
                    self.elements[index] = sum.sqrt();
                } else {
                    self.elements[index] = sum / self.elements[self.index(col, col)];
                }
            }
        }
        Some(BandFactor(self))
    }
}

impl BandFactor {
    /// x of L·x = `x`: values of covariance L·Lᵀ become independent ones of variance one.
    pub fn whiten(&self, x: &mut [f64]) {
        let factor = &self.0;
        for row in 0..factor.n {
            let first = row.saturating_sub(factor.width);
            let index = factor.index(row, first);
            let terms = factor.elements[index..index + row - first].iter().zip(&x[first..row]);
            let sum: f64 = terms.map(|(l, x)| l * x).sum();
            x[row] = (x[row] - sum) / factor.elements[factor.index(row, row)];
        }
    }

    /// x of M·x = `x`.
    pub fn solve(&self, x: &mut [f64]) {
        self.whiten(x);
        let factor = &self.0;
        for row in (0..factor.n).rev() {
            x[row] /= factor.elements[factor.index(row, row)];
            let (first, value) = (row.saturating_sub(factor.width), x[row]);
            let index = factor.index(row, first);
            let terms = factor.elements[index..index + row - first].iter();
            x[first..row].iter_mut().zip(terms).for_each(|(x, l)| *x -= l * value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Element (row, col) of the matrix AᵀA + 1 of a lower band A.
    fn element(a: &[Vec<f64>], row: usize, col: usize) -> f64 {
        a.iter().map(|line| line[row] * line[col]).sum::<f64>() + f64::from(row == col)
    }

    proptest! {
        #[test]
        fn solutions_solve(values in prop::collection::vec(-2.0f64..2.0, 200), n in 1usize..14, width in 0usize..5) {
            let a: Vec<Vec<f64>> = (0..n)
                .map(|row| {
                    (0..n).map(|col| if col <= row && row - col <= width { values[14 * row + col] } else { 0.0 }).collect()
                })
                .collect();
            let mut band = BandMatrix::zeros(n, width);
            for row in 0..n {
                for col in row.saturating_sub(width)..=row {
                    band.add(row, col, element(&a, row, col));
                }
            }
            let full: Vec<Vec<f64>> = (0..n).map(|row| (0..n).map(|col| element(&a, row, col)).collect()).collect();
            prop_assert_eq!(width >= n - 1, band == BandMatrix::full(&full));
            let factor = band.factor().unwrap();
            let rhs = &values[200 - n..];
            let mut x = rhs.to_vec();
            factor.solve(&mut x);
            for row in 0..n {
                let back: f64 = (0..n).map(|col| full[row][col] * x[col]).sum();
                // eigenvalues between 1 and about 100
                prop_assert!((back - rhs[row]).abs() < 1e-11);
            }
            // rᵀ M⁻¹ r both ways
            let mut white = rhs.to_vec();
            factor.whiten(&mut white);
            let product: f64 = rhs.iter().zip(&x).map(|(r, x)| r * x).sum();
            prop_assert!((white.iter().map(|w| w * w).sum::<f64>() - product).abs() < 1e-11);
        }
    }

    #[test]
    fn indefinite_matrices_are_refused() {
        assert!(BandMatrix::full(&[vec![1.0, 2.0], vec![2.0, 1.0]]).factor().is_none());
        assert!(BandMatrix::full(&[vec![f64::NAN]]).factor().is_none());
        assert!(BandMatrix::zeros(3, 1).factor().is_none());
        assert!(BandMatrix::zeros(0, 4).factor().is_some());
    }
}
