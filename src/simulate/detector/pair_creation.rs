//! Number of electron-hole pairs of a deposit (spec 07 §4.1).

use super::p100k;
use crate::simulate::config::PairModel;
use crate::stats::random::Stream;

/// From a total energy above this (eV) the table of probabilities ends and the Gaussian takes over.
const TABLE_END: f64 = 50.0;

/// Pair creation: model, mean energy per pair (eV) and Fano factor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairCreation {
    /// Model.
    pub model: PairModel,
    /// Mean energy per pair, eV.
    pub e2ev: f64,
    /// Fano factor.
    pub fano: f64,
}

impl PairCreation {
    /// Number of pairs of one deposit (eV).
    pub fn pairs(&self, energy: f64, stream: &mut Stream) -> u64 {
        match self.model {
            PairModel::P100K if energy <= TABLE_END => p100k::pairs(energy, stream),
            _ => self.gaussian(energy, stream),
        }
    }

    /// Pairs of several deposits (eV) of one event: with `p100K` the probabilities apply to their sum, and the pairs are
    /// shared in proportion to the energies.
    pub fn pairs_of_event(&self, energies: &[f64], stream: &mut Stream) -> Vec<u64> {
        match self.model {
            PairModel::Gauss => energies.iter().map(|&e| self.gaussian(e, stream)).collect(),
            PairModel::P100K => {
                let total: f64 = energies.iter().sum();
                share(self.pairs(total, stream), energies, total, stream)
            }
        }
    }

    /// round(Normal(E/e2eV, √(F E/e2eV))), half to even, not below 0.
    fn gaussian(&self, energy: f64, stream: &mut Stream) -> u64 {
        if energy.is_nan() || energy <= 0.0 {
            return 0;
        }
        let mean = energy / self.e2ev;
        let pairs = mean + (self.fano * mean).sqrt() * stream.normal();
        pairs.round_ties_even().max(0.0) as u64
    }
}

/// Each deposit gets the whole part of its share; the remaining pairs go one by one, with probability proportional to
/// the fractional parts.
fn share(pairs: u64, energies: &[f64], total: f64, stream: &mut Stream) -> Vec<u64> {
    if total.is_nan() || total <= 0.0 {
        return vec![0; energies.len()];
    }
    let parts: Vec<f64> = energies.iter().map(|e| pairs as f64 * e.max(0.0) / total).collect();
    let mut shares: Vec<u64> = parts.iter().map(|p| p.floor() as u64).collect();
    let mut left = pairs.saturating_sub(shares.iter().sum());
    while left > 0 {
        match stream.choose(parts.iter().map(|p| p - p.floor())) {
            Some(i) => shares[i] += 1,
            // Rounding can leave a pair without any fractional part: the largest deposit takes it.
            None => {
                let largest = (0..energies.len()).max_by(|&a, &b| energies[a].total_cmp(&energies[b]));
                if let Some(i) = largest {
                    shares[i] += left;
                }
                break;
            }
        }
        left -= 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAUSS: PairCreation = PairCreation { model: PairModel::Gauss, e2ev: 3.74, fano: 0.129 };

    /// Mean E/e2eV and variance F E/e2eV + 1/12 (rounding), each within five of its standard errors.
    #[test]
    fn gaussian_pairs_have_the_fano_width() {
        let mut stream = Stream::from_seed(70);
        let n = 200_000;
        let values: Vec<f64> = (0..n).map(|_| GAUSS.pairs(5898.8, &mut stream) as f64).collect();
        let mean = values.iter().sum::<f64>() / f64::from(n);
        let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(n);
        let expected = 0.129 * 5898.8 / 3.74 + 1.0 / 12.0;
        assert!((mean - 5898.8 / 3.74).abs() < 5.0 * (expected / f64::from(n)).sqrt(), "{mean}");
        assert!((variance / expected - 1.0).abs() < 5.0 * (2.0 / f64::from(n)).sqrt(), "{variance} {expected}");
    }

    #[test]
    fn small_and_absurd_deposits_never_give_negative_numbers() {
        let mut stream = Stream::from_seed(71);
        for _ in 0..10_000 {
            assert!(GAUSS.pairs(0.5, &mut stream) < 5);
        }
        for energy in [0.0, -3.0, f64::NAN] {
            assert_eq!(GAUSS.pairs(energy, &mut stream), 0);
        }
    }

    /// The pairs of the event are all given away, and each deposit gets its share on average.
    #[test]
    fn pairs_are_shared_in_proportion_to_the_energies() {
        let model = PairCreation { model: PairModel::P100K, ..GAUSS };
        let mut stream = Stream::from_seed(72);
        let energies = [10.0, 20.0, 5.0];
        let mut sums = [0.0; 3];
        let n = 20_000;
        for _ in 0..n {
            for (sum, pairs) in sums.iter_mut().zip(model.pairs_of_event(&energies, &mut stream)) {
                *sum += pairs as f64;
            }
        }
        let total: f64 = sums.iter().sum();
        for (sum, energy) in sums.iter().zip(energies) {
            // a share fluctuates by less than one pair around n·E/S
            assert!((sum / total - energy / 35.0).abs() < 5.0 / (9.0 * f64::from(n).sqrt()), "{}", sum / total);
        }
        assert_eq!(share(7, &[3.0, 0.0, 4.0], 7.0, &mut stream), [3, 0, 4]);
        assert_eq!(share(5, &[0.0], 0.0, &mut stream), [0]);
    }
}
