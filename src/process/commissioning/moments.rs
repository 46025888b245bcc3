//! Count, mean and sum of squared deviations of a stream, merged block by block (Chan, Golub & LeVeque 1979).

/// The first two moments of a set of values.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Moments {
    /// Values.
    pub n: f64,
    /// Their mean.
    pub mean: f64,
    /// Σ (x − mean)².
    pub m2: f64,
}

impl Moments {
    /// From n, Σ (x − c) and Σ (x − c)² for some c near the mean.
    pub fn from_shifted(n: f64, c: f64, sum: f64, squares: f64) -> Self {
        if n > 0.0 { Self { n, mean: c + sum / n, m2: (squares - sum * sum / n).max(0.0) } } else { Self::default() }
    }

    /// Of these values; NaN left out.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values = values.into_iter().filter(|x| x.is_finite());
        let Some(c) = values.next() else { return Self::default() };
        let (mut n, mut sum, mut squares) = (1.0, 0.0, 0.0);
        for x in values {
            n += 1.0;
            sum += x - c;
            squares += (x - c) * (x - c);
        }
        Self::from_shifted(n, c, sum, squares)
    }

    /// Adds the values of another set.
    pub fn merge(&mut self, other: &Self) {
        let n = self.n + other.n;
        if other.n > 0.0 {
            let shift = other.mean - self.mean;
            self.m2 += other.m2 + shift * shift * self.n * other.n / n;
            self.mean += shift * other.n / n;
            self.n = n;
        }
    }

    /// Mean; NaN without values.
    pub fn mean(&self) -> f64 {
        if self.n > 0.0 { self.mean } else { f64::NAN }
    }

    /// Standard deviation, ÷ n; NaN without values.
    pub fn std(&self) -> f64 {
        if self.n > 0.0 { (self.m2 / self.n).sqrt() } else { f64::NAN }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::robust::{Ddof, mean_and_std};
    use crate::stats::test_data::gaussian_sample;

    #[test]
    fn merged_parts_have_the_moments_of_the_whole() {
        let values = gaussian_sample(7, 1000, 1e6, 3.0);
        let mut merged = Moments::default();
        for part in values.chunks(37) {
            merged.merge(&Moments::of(part.iter().copied().chain([f64::NAN])));
        }
        let (mean, std) = mean_and_std(&values, Ddof::Population);
        // rounding of 1e6 in double precision
        assert!((merged.mean() - mean).abs() < 1e-8 && (merged.std() - std).abs() < 1e-8);
        assert!(Moments::default().mean().is_nan() && Moments::default().std().is_nan());
    }
}
