//! What chance makes of the cuts of the quality tests (spec 06 §8.1).
//!
//! The cuts are made for hundreds of values. A run has thousands of tests, many of them of few values, where the same
//! cuts are crossed by chance: one of fifteen images alone is more than 5 %, and χ²/ndf of 18 degrees of freedom exceeds
//! 2 in one case of 130. So a violation must also be one that chance does not make.

use super::welch;
use crate::stats::distributions::{chi2_survival, normal_quantile, normal_survival, poisson_probability};
use crate::stats::robust::{self, Ddof};

/// Probability below which something is not chance. A run of 60 images has some two thousand vectors.
pub(super) const CHANCE: f64 = 1e-5;
/// Distance in standard deviations at which a single value is no chance.
pub(super) const GROSS: f64 = 5.0;

/// Whether `count` of `n` values beyond `n_std` standard deviations may be chance, if the fraction `usual` of the
/// reference lies there.
pub(super) fn is_chance(count: usize, n: usize, usual: f64, n_std: f64) -> bool {
    let expected = n as f64 * usual.max(2.0 * normal_survival(n_std));
    let below: f64 = (0..count as u64).map(|k| poisson_probability(k, expected)).sum();
    1.0 - below > CHANCE
}

/// [`is_chance`] for a limit of `limit` standard deviations that were themselves estimated with `nu` degrees of freedom:
/// one spread that is too small puts many values outside at once. The spread is integrated over.
pub(super) fn is_chance_of_few(count: usize, n: usize, usual: f64, limit: f64, nu: f64) -> bool {
    const STEPS: usize = 400;
    // ln χ² scatters by √(2/ν) around ln ν; the upper tail is shorter than the lower one.
    let reach = 12.0 * (2.0 / nu).sqrt();
    let (low, high) = (nu.ln() - reach, nu.ln() + reach.min((1.0 + reach + 60.0 / nu).ln()));
    let (mut sum, mut weights) = (0.0, 0.0);
    for k in 0..=STEPS {
        let chi2 = (low + (high - low) * k as f64 / STEPS as f64).exp();
        // density of χ²(ν) per unit of ln χ², 1 at χ² = ν
        let weight = (0.5 * nu * (chi2 / nu).ln() - 0.5 * (chi2 - nu)).exp();
        let expected = n as f64 * usual.max(2.0 * normal_survival(limit * (chi2 / nu).sqrt()));
        let below: f64 = (0..count as u64).map(|k| poisson_probability(k, expected)).sum();
        sum += weight * (1.0 - below);
        weights += weight;
    }
    sum / weights > CHANCE
}

/// Probability with which a value may be called unusual among those of the reference: a second condition beside a cut.
const UNUSUAL: f64 = 1e-4;
/// Images of a reference that are compared with each other.
const PAIRED: usize = 60;

/// Whether a value lies above what is expected of one more of the `own` values (of the images of the reference), as far
/// as their mean and spread tell: the Student limit of a new value for the probability [`UNUSUAL`]. Too few values excuse
/// nothing.
pub(super) fn is_unusual(value: f64, own: &[f64]) -> bool {
    let own: Vec<f64> = own.iter().copied().filter(|x| x.is_finite()).collect();
    if own.len() < 3 {
        return true;
    }
    let n = own.len() as f64;
    let (mean, std) = robust::mean_and_std(&own, Ddof::Sample);
    !(value <= mean + welch::student_quantile(UNUSUAL, n - 1.0) * std * (1.0 + 1.0 / n).sqrt())
}

/// How the images of the reference agree with each other in a test that gives a probability.
///
/// What all positions of an image have in common (its gain, its pedestal) makes its values differ from those of other
/// images by more than the scatter of single positions, so that tests which take positions for independent give small
/// probabilities between any two images. Distances are those of a Gaussian with the same probability.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Agreement {
    /// Root mean square distance of each image from the others.
    images: Vec<f64>,
    /// Root mean square distance of all pairs, at least that of independent positions, 1.
    scale: f64,
}

/// |z| with this two-sided probability.
fn distance(p: f64) -> f64 {
    -normal_quantile(0.5 * p.clamp(1e-300, 1.0))
}

impl Agreement {
    /// Of sorted or unsorted samples, whatever `test` needs.
    pub(super) fn new(samples: &[Vec<f64>], test: impl Fn(&[f64], &[f64]) -> Option<f64>) -> Self {
        let n = samples.len().min(PAIRED);
        let chosen: Vec<&Vec<f64>> = (0..n).map(|k| &samples[k * samples.len() / n]).collect();
        let mut squares = vec![(0.0, 0u32); n];
        for i in 0..n {
            for j in 0..i {
                if let Some(p) = test(chosen[i], chosen[j]) {
                    let square = distance(p).powi(2);
                    for k in [i, j] {
                        squares[k].0 += square;
                        squares[k].1 += 1;
                    }
                }
            }
        }
        let (sum, pairs) = squares.iter().fold((0.0, 0), |(s, n), (square, pairs)| (s + square, n + pairs));
        let images = squares.iter().filter(|(_, n)| *n > 0).map(|(s, n)| (s / f64::from(*n)).sqrt()).collect();
        let scale = if pairs > 0 { (sum / f64::from(pairs)).sqrt().max(1.0) } else { 1.0 };
        Self { images, scale }
    }

    /// Whether an image with these probabilities against the images of the reference is farther from them than they are
    /// from each other.
    pub(super) fn is_unusual_image(&self, probabilities: &[f64]) -> bool {
        if probabilities.is_empty() {
            return false;
        }
        let squares = probabilities.iter().map(|p| distance(*p).powi(2)).sum::<f64>();
        is_unusual((squares / probabilities.len() as f64).sqrt(), &self.images)
    }

    /// The probability of a distance as large as that of `p` between two means of images, if means differ as single
    /// images do in units of their scatter.
    pub(super) fn of_means(&self, p: f64) -> f64 {
        if self.images.len() < 3 {
            return p;
        }
        p.max(welch::student_two_sided(distance(p) / self.scale, self.images.len() as f64 - 1.0))
    }
}

/// The cut of χ²/ndf, not below what chance exceeds with the probability [`CHANCE`]. `spread`: degrees of freedom of the
/// standard deviation in the denominator, if it is that of a sample; the ratio then has an F distribution.
pub(super) fn chi2_cut(cut: f64, ndf: f64, spread: Option<f64>) -> f64 {
    let ndf = ndf.max(1.0);
    let survival = |value: f64| match spread {
        Some(nu) => f_survival(value, ndf, nu),
        None => chi2_survival(value * ndf, ndf as u64),
    };
    if survival(cut) <= CHANCE {
        return cut;
    }
    let (mut low, mut high) = (cut, cut.max(1.0));
    while survival(high) > CHANCE && high < 1e12 {
        high *= 2.0;
    }
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if survival(middle) > CHANCE {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// Probability that the ratio of a χ²/n to a χ²/m exceeds `f`: I_x(m/2, n/2) with x = m/(m + n f); NaN when undefined.
fn f_survival(f: f64, n: f64, m: f64) -> f64 {
    if !(n > 0.0 && m > 0.0 && f >= 0.0) {
        return f64::NAN;
    }
    statrs::function::beta::checked_beta_reg(0.5 * m, 0.5 * n, m / (m + n * f)).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::super::kolmogorov;
    use super::*;
    use crate::stats::random::Stream;

    /// `n` images of 200 positions; their common level scatters by `common` standard deviations of a position.
    fn images(random: &mut Stream, n: usize, common: f64) -> Vec<Vec<f64>> {
        let mut image = || {
            let level = common * random.normal();
            let mut image: Vec<f64> = (0..200).map(|_| level + random.normal()).collect();
            image.sort_unstable_by(f64::total_cmp);
            image
        };
        (0..n).map(|_| image()).collect()
    }

    #[test]
    fn images_that_differ_as_those_of_the_reference_are_not_unusual() {
        let test = |a: &[f64], b: &[f64]| kolmogorov::two_sorted(a, b).map(|t| t.1);
        let mut random = Stream::from_seed(4);
        for common in [0.0, 0.2] {
            let reference = images(&mut random, 30, common);
            let agreement = Agreement::new(&reference, test);
            let against = |y: &Vec<f64>| -> Vec<f64> { reference.iter().filter_map(|r| test(y, r)).collect() };
            let same = images(&mut random, 300, common);
            // both conditions, as the test uses them; the probability of the second one is 1e-4
            let flagged = |y: &Vec<f64>| {
                let p = against(y);
                robust::mean(&p) <= 0.005 && agreement.is_unusual_image(&p)
            };
            assert!(same.iter().filter(|y| flagged(y)).count() <= 2, "{common}");
            // far beyond what the levels of the reference scatter
            let shifted: Vec<f64> = same[0].iter().map(|y| y + 8.0 * common.max(0.2)).collect();
            assert!(flagged(&shifted), "{common}");
            // means over ten images, from both runs
            let mean = |of: &[Vec<f64>]| -> Vec<f64> {
                let mut m: Vec<f64> =
                    (0..200).map(|j| robust::mean(&of.iter().map(|v| v[j]).collect::<Vec<_>>())).collect();
                m.sort_unstable_by(f64::total_cmp);
                m
            };
            let unlikely = same
                .chunks(10)
                .filter(|chunk| {
                    test(&mean(chunk), &mean(&reference[..10])).is_some_and(|p| agreement.of_means(p) < 1e-3)
                })
                .count();
            assert!(unlikely <= 1, "{common}: {unlikely}");
        }
    }

    #[test]
    fn few_values_excuse_nothing() {
        assert!(is_unusual(1.0, &[0.9, 1.1]));
        assert!(!is_unusual(1.0, &[0.9, 1.1, 1.0]));
        assert!(is_unusual(2.0, &[0.9, 1.1, 1.0, 1.05, 0.95, 1.0]));
        assert!(is_unusual(0.1, &[0.0; 5]) && !is_unusual(0.0, &[0.0; 5]));
        assert!(is_unusual(f64::NAN, &[0.9, 1.1, 1.0]));
    }

    #[test]
    fn f_distribution_of_tables() {
        // upper 5 % points of F(n, m) from printed tables
        for (f, n, m) in [(4.7472, 1.0, 12.0), (3.3258, 5.0, 10.0), (2.2547, 10.0, 24.0)] {
            assert!((f_survival(f, n, m) - 0.05).abs() < 2e-5, "{f} {n} {m}: {}", f_survival(f, n, m));
        }
    }

    #[test]
    fn the_integral_over_the_spread_is_what_samples_do() {
        // 10 values define a spread; how often do 4 or more of 60 new ones lie beyond 3.5 of it?
        let mut random = Stream::from_seed(11);
        let (n, nu, limit, trials) = (60, 9.0, 3.5, 20_000);
        let mut seen = [0u32; 12];
        for _ in 0..trials {
            let chi2: f64 = (0..nu as usize).map(|_| random.normal().powi(2)).sum();
            let s = (chi2 / nu).sqrt();
            let count = (0..n).filter(|_| random.normal().abs() > limit * s).count();
            seen[count.min(11)] += 1;
        }
        // the largest count that is seen at all has a probability around 1/20000 = 5 CHANCE
        let largest = seen.iter().rposition(|n| *n > 0).unwrap();
        assert!(largest >= 3 && is_chance_of_few(largest.min(10), n, 0.0, limit, nu), "{seen:?}");
        assert!(!is_chance_of_few(40, n, 0.0, limit, nu));
        // with a spread known well, it is the plain Poisson probability
        assert_eq!(is_chance_of_few(3, 60, 0.0, 3.0, 1e5), is_chance(3, 60, 0.0, 3.0));
        assert_eq!(is_chance_of_few(5, 60, 0.0, 3.0, 1e5), is_chance(5, 60, 0.0, 3.0));
    }

    #[test]
    fn chance_is_not_flagged_and_more_than_chance_is() {
        // two of twenty blocks just outside happen in two thousand vectors; three just outside of 6 do not
        assert!(is_chance(2, 20, 0.0, 3.0) && is_chance(1, 6, 0.0, 3.0));
        assert!(!is_chance(3, 6, 0.0, 3.0));
        // a reference with 4 % outside makes 11 of 200 ordinary, 40 not
        assert!(is_chance(11, 200, 0.04, 3.0) && !is_chance(40, 200, 0.04, 3.0));
        // χ²(18) > 52.4 with probability 3.4e-5, > 55.7 with 1e-5 (tables: 0.001 at 42.3)
        assert_eq!(chi2_cut(2.0, 198.0, None), 2.0);
        let cut = chi2_cut(2.0, 18.0, None);
        assert!((chi2_survival(18.0 * cut, 18) / CHANCE - 1.0).abs() < 1e-6 && (2.8..3.2).contains(&cut), "{cut}");
        assert!(chi2_cut(2.0, 18.0, Some(10.0)) > cut, "a spread that is uncertain itself allows for more");
    }
}
