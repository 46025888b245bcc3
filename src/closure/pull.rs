//! Pulls: (estimate − truth)/error, which are normal numbers of mean 0 and width 1 when estimate and error are right.
//!
//! From n pulls follow their mean, with standard error 1/√n if the errors are right, and their width (sample standard
//! deviation s), whose standard error is s·√((k − 1)/(4n)), k being the sample kurtosis (k = 3, i.e. s/√(2n), for normal
//! numbers; never taken smaller). Spec 07 §8.8 and its closure criterion: mean within 3/√n of 0, width within 3 of its
//! own standard errors of 1.

/// How many standard errors a mean or width may be off.
pub const TOLERANCE: f64 = 3.0;

/// One number that was measured on a simulated image, and the truth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// What the analysis found.
    pub estimate: f64,
    /// What was put in.
    pub truth: f64,
    /// Standard error of the estimate.
    pub error: f64,
}

impl Comparison {
    /// (estimate − truth)/error; `None` unless it is a number.
    pub fn pull(&self) -> Option<f64> {
        let pull = (self.estimate - self.truth) / self.error;
        (pull.is_finite() && self.error > 0.0).then_some(pull)
    }
}

/// All comparisons of one quantity in one setting.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pulls {
    values: Vec<f64>,
    estimates: f64,
    truths: f64,
    errors: f64,
    missing: usize,
}

impl Pulls {
    /// Adds a comparison; one without a finite pull counts as missing.
    pub fn add(&mut self, comparison: Comparison) {
        match comparison.pull() {
            Some(pull) => {
                self.values.push(pull);
                self.estimates += comparison.estimate;
                self.truths += comparison.truth;
                self.errors += comparison.error;
            }
            None => self.missing += 1,
        }
    }

    /// Adds a comparison that could not be made.
    pub fn add_missing(&mut self) {
        self.missing += 1;
    }

    /// The pulls, in the order of the images.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Their summary.
    pub fn summary(&self) -> Summary {
        let n = self.values.len() as f64;
        let mean = self.values.iter().sum::<f64>() / n;
        let moment = |k: i32| self.values.iter().map(|x| (x - mean).powi(k)).sum::<f64>() / n;
        let variance = moment(2);
        let kurtosis = moment(4) / (variance * variance);
        let width = (variance * n / (n - 1.0)).sqrt();
        Summary {
            n: self.values.len(),
            missing: self.missing,
            mean,
            width,
            width_error: width * ((kurtosis.max(3.0) - 1.0) / (4.0 * n)).sqrt(),
            estimate: self.estimates / n,
            truth: self.truths / n,
            error: self.errors / n,
        }
    }
}

/// What the pulls of one quantity say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Number of pulls.
    pub n: usize,
    /// Comparisons without a result.
    pub missing: usize,
    /// Mean pull.
    pub mean: f64,
    /// Sample standard deviation of the pulls.
    pub width: f64,
    /// Standard error of the width.
    pub width_error: f64,
    /// Mean estimate.
    pub estimate: f64,
    /// Mean truth.
    pub truth: f64,
    /// Mean error.
    pub error: f64,
}

impl Summary {
    /// Standard error of the mean pull if the errors are right: 1/√n.
    pub fn mean_error(&self) -> f64 {
        1.0 / (self.n as f64).sqrt()
    }

    /// The mean is within 3/√n of 0. No pulls: false.
    pub fn is_unbiased(&self) -> bool {
        self.mean.abs() <= TOLERANCE * self.mean_error()
    }

    /// The width is within 3 of its standard errors of 1. Less than two pulls: false.
    pub fn has_right_error(&self) -> bool {
        (self.width - 1.0).abs() <= TOLERANCE * self.width_error
    }

    /// Both.
    pub fn closes(&self) -> bool {
        self.is_unbiased() && self.has_right_error()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::Stream;

    fn pulls(n: usize, shift: f64, scale: f64) -> Summary {
        let mut stream = Stream::from_seed(5);
        let mut pulls = Pulls::default();
        for _ in 0..n {
            pulls.add(Comparison { estimate: 7.0 + 0.5 * (shift + scale * stream.normal()), truth: 7.0, error: 0.5 });
        }
        pulls.summary()
    }

    #[test]
    fn right_errors_close_and_wrong_ones_do_not() {
        assert!(pulls(1000, 0.0, 1.0).closes());
        // 0.2 of an error is six standard errors of the mean of 1000 pulls
        let biased = pulls(1000, 0.2, 1.0);
        assert!(!biased.is_unbiased() && biased.has_right_error());
        // standard error of the width 1/√2000 = 0.022
        for scale in [0.85, 1.15] {
            assert!(!pulls(1000, 0.0, scale).has_right_error(), "{scale}");
        }
    }

    #[test]
    fn the_error_of_the_width_grows_with_the_tails() {
        let mut pulls = Pulls::default();
        // ±1 200 times, and one pull of 10: kurtosis (200 + 10⁴)/201 / ((200 + 100)/201)² ≈ 23
        (0..200).for_each(|i| pulls.add(Comparison { estimate: f64::from(i % 2) * 2.0 - 1.0, truth: 0.0, error: 1.0 }));
        pulls.add(Comparison { estimate: 10.0, truth: 0.0, error: 1.0 });
        let s = pulls.summary();
        assert!((s.width - 1.5_f64.sqrt()).abs() < 0.02, "{}", s.width);
        assert!(s.width_error > 2.5 * s.width / 400.0_f64.sqrt(), "{}", s.width_error);
    }

    #[test]
    fn what_is_not_a_number_is_missing() {
        let mut pulls = Pulls::default();
        for error in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            pulls.add(Comparison { estimate: 1.0, truth: if error.is_infinite() { f64::NAN } else { 0.0 }, error });
        }
        pulls.add_missing();
        let s = pulls.summary();
        assert_eq!((s.n, s.missing), (0, 5));
        assert!(!s.is_unbiased() && !s.has_right_error());
    }
}
