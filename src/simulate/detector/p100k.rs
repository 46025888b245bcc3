//! Ionisation yield of electron recoils below 50 eV at 100 K (spec 07 §4.1, decision 2).
//!
//! The published probabilities (K. Ramanathan and N. Kurinsky, Phys. Rev. D 102, 063026 (2020), arXiv:2004.10709) are
//! tabulated every 0.05 eV. Up to 15 eV they are reproduced by linear interpolation between `NODES` (every probability
//! within 0.015); above, by the cascade on which the paper builds (R. C. Alig, S. Bloom, C. W. Struck, Phys. Rev. B 22,
//! 5565 (1980)): electron and hole share the energy above the gap; a carrier either emits phonons or ionises, and an
//! ionisation leaves three carriers that share the energy, with densities of states of free particles.

use crate::stats::random::Stream;

/// First energy of the table, eV.
const FIRST: f64 = 1.10;
/// Distance of the rows of the table, eV.
const STEP: f64 = 0.05;
/// Below this no pair is made, eV.
const THRESHOLD: f64 = 1.175;
/// From here on the cascade is used, eV.
const CASCADE_START: f64 = 15.0 + 1e-9;

/// Energy of a phonon, eV.
const PHONON: f64 = 0.063;
/// Strength of phonon emission relative to ionisation, eV³.
const PHONON_STRENGTH: f64 = 5.2;
/// Band gap at 100 K, eV: 1.1692 − 4.9e-4 T²/(T + 655).
const GAP: f64 = 1.1692 - 4.9e-4 * 100.0 * 100.0 / (100.0 + 655.0);

/// Energy (eV) and probabilities of 1 … 6 pairs.
const NODES: [(f64, [f64; 6]); 25] = [
    (2.00, [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
    (3.20, [0.9920, 0.0080, 0.0, 0.0, 0.0, 0.0]),
    (3.40, [0.9655, 0.0345, 0.0, 0.0, 0.0, 0.0]),
    (3.85, [0.9749, 0.0251, 0.0, 0.0, 0.0, 0.0]),
    (4.35, [0.8927, 0.1073, 0.0, 0.0, 0.0, 0.0]),
    (4.85, [0.8622, 0.1378, 0.0, 0.0, 0.0, 0.0]),
    (5.40, [0.7881, 0.2115, 0.0003, 0.0, 0.0, 0.0]),
    (5.95, [0.6815, 0.3156, 0.0029, 0.0, 0.0, 0.0]),
    (6.55, [0.4575, 0.5253, 0.0172, 0.0, 0.0, 0.0]),
    (6.90, [0.3426, 0.6182, 0.0393, 0.0, 0.0, 0.0]),
    (7.15, [0.3116, 0.6149, 0.0735, 0.0, 0.0, 0.0]),
    (7.30, [0.2599, 0.6447, 0.0953, 0.0, 0.0, 0.0]),
    (7.45, [0.1635, 0.7376, 0.0988, 0.0001, 0.0, 0.0]),
    (7.55, [0.0730, 0.8075, 0.1194, 0.0002, 0.0, 0.0]),
    (7.65, [0.0497, 0.7983, 0.1515, 0.0005, 0.0, 0.0]),
    (7.75, [0.0289, 0.7565, 0.2135, 0.0011, 0.0, 0.0]),
    (8.30, [0.0066, 0.6258, 0.3616, 0.0060, 0.0, 0.0]),
    (8.95, [0.0011, 0.4787, 0.5002, 0.0200, 0.0, 0.0]),
    (9.70, [0.0001, 0.3258, 0.6164, 0.0575, 0.0002, 0.0]),
    (10.55, [0.0, 0.1928, 0.6680, 0.1378, 0.0014, 0.0]),
    (11.55, [0.0, 0.0900, 0.6271, 0.2733, 0.0096, 0.0]),
    (12.20, [0.0, 0.0504, 0.5535, 0.3724, 0.0236, 0.0001]),
    (13.25, [0.0, 0.0155, 0.3929, 0.5175, 0.0732, 0.0010]),
    (13.95, [0.0, 0.0066, 0.3049, 0.5684, 0.1176, 0.0025]),
    (15.00, [0.0, 0.0014, 0.1972, 0.5793, 0.2111, 0.0108]),
];

/// Number of pairs of an electron recoil of this energy (eV), drawn from the row of the table nearest to it.
pub fn pairs(energy: f64, stream: &mut Stream) -> u64 {
    if energy.is_nan() {
        return 0;
    }
    let row = FIRST + STEP * ((energy - FIRST) / STEP).round().max(0.0);
    if row < THRESHOLD {
        0
    } else if row < CASCADE_START {
        let weights = probabilities(row);
        stream.choose(weights.iter().copied()).map_or(1, |i| i as u64 + 1)
    } else {
        cascade(row, stream)
    }
}

/// Probabilities of 1 … 6 pairs for an energy up to 15 eV; their sum is 1.
pub fn probabilities(energy: f64) -> [f64; 6] {
    let above = NODES.iter().position(|(e, _)| *e > energy).unwrap_or(NODES.len());
    let mut p = match (above.checked_sub(1).map(|i| &NODES[i]), NODES.get(above)) {
        (Some((low, p_low)), Some((high, p_high))) => {
            let f = (energy - low) / (high - low);
            std::array::from_fn(|n| p_low[n] + f * (p_high[n] - p_low[n]))
        }
        (Some((_, last)), None) => *last,
        (None, _) => NODES[0].1,
    };
    let sum: f64 = p.iter().sum();
    p.iter_mut().for_each(|x| *x /= sum);
    p
}

/// Number of pairs at the end of the cascade of a recoil of this energy (eV).
pub fn cascade(energy: f64, stream: &mut Stream) -> u64 {
    if energy <= GAP {
        return 0;
    }
    let mut pairs = 1;
    let electron_share = semicircle_share(stream);
    let mut carriers = vec![(energy - GAP) * electron_share, (energy - GAP) * (1.0 - electron_share)];
    while let Some(mut carrier) = carriers.pop() {
        while carrier > GAP {
            let excess = carrier - GAP;
            let ratio = PHONON_STRENGTH * 105.0 / (2.0 * std::f64::consts::PI) * (carrier - PHONON).sqrt()
                / (excess * excess * excess * excess.sqrt());
            if stream.uniform() * (1.0 + ratio) < 1.0 {
                pairs += 1;
                carriers.extend(shares_of_three(stream).map(|share| share * excess));
                break;
            }
            carrier -= PHONON;
        }
    }
    pairs
}

/// Fraction of the energy that one of two carriers gets, with density ∝ √(x (1 − x)): the abscissa of a uniform point in
/// a disc.
fn semicircle_share(stream: &mut Stream) -> f64 {
    let radius = stream.uniform().sqrt();
    0.5 * (1.0 + radius * libm::cos(2.0 * std::f64::consts::PI * stream.uniform()))
}

/// Fractions of the energy that three carriers get, with density ∝ √(x₁x₂x₃), i.e. Dirichlet(3/2, 3/2, 3/2): normalised
/// χ² numbers of three degrees of freedom each.
fn shares_of_three(stream: &mut Stream) -> [f64; 3] {
    let mut chi2 = || (0..3).map(|_| stream.normal().powi(2)).sum::<f64>();
    let parts = [chi2(), chi2(), chi2()];
    let sum: f64 = parts.iter().sum();
    parts.map(|x| x / sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampled(energy: f64, n: u32) -> Vec<f64> {
        let mut stream = Stream::from_seed(80);
        let mut counts = vec![0.0; 25];
        for _ in 0..n {
            counts[pairs(energy, &mut stream) as usize] += 1.0 / f64::from(n);
        }
        counts
    }

    fn moments(p: &[f64]) -> (f64, f64) {
        let mean: f64 = p.iter().enumerate().map(|(n, p)| n as f64 * p).sum();
        let variance = p.iter().enumerate().map(|(n, p)| (n as f64 - mean).powi(2) * p).sum();
        (mean, variance)
    }

    /// Rows of the published table (spec 07 §4.1), from the first number of pairs on.
    const ROWS: [(f64, usize, &[f64]); 5] = [
        (5.0, 1, &[0.83703, 0.16293, 0.00004]),
        (10.0, 2, &[0.27835, 0.63976, 0.08144, 0.00045]),
        (20.0, 3, &[0.00134, 0.11508, 0.44609, 0.36472, 0.06999, 0.00276, 0.00002]),
        (30.0, 5, &[0.00088, 0.03761, 0.22469, 0.41175, 0.25968, 0.06029, 0.00500, 0.00010]),
        (50.0, 9, &[0.00013, 0.00515, 0.04344, 0.16359, 0.30299, 0.28950, 0.14708, 0.04121, 0.00649, 0.00042]),
    ];

    /// Every probability within the 0.015 of the interpolation (cascade: 0.02, its mean being good to 0.2 %), plus five
    /// standard errors of the sample and of the published Monte Carlo.
    #[test]
    fn probabilities_are_those_of_the_published_table() {
        let n = 200_000;
        for (energy, first, row) in ROWS {
            let p = sampled(energy, n);
            for (k, &expected) in row.iter().enumerate() {
                let error = (expected * (1.0 - expected) * (1.0 / f64::from(n) + 1e-5)).sqrt();
                let allowed = 0.015 + 5.0 * error;
                assert!((p[first + k] - expected).abs() < allowed, "{energy} eV, n = {}: {}", first + k, p[first + k]);
            }
        }
    }

    /// Above 15 eV the mean agrees within 0.2 % and variance/mean within 0.005; plus five standard errors.
    #[test]
    fn the_cascade_has_the_yield_and_the_fano_factor_of_the_table() {
        let n = 200_000;
        for (energy, first, row) in ROWS.into_iter().filter(|(e, ..)| *e > 15.0) {
            let mut published = vec![0.0; first];
            published.extend(row);
            let (mean, variance) = moments(&published);
            let (sample_mean, sample_variance) = moments(&sampled(energy, n));
            let error = (variance / f64::from(n)).sqrt();
            assert!((sample_mean - mean).abs() < 0.002 * mean + 5.0 * error, "{energy} eV: {sample_mean}, {mean}");
            let (fano, sample_fano) = (variance / mean, sample_variance / sample_mean);
            assert!(
                (sample_fano - fano).abs() < 0.005 + 5.0 * fano * (2.0 / f64::from(n)).sqrt(),
                "{energy} eV: {sample_fano}, {fano}"
            );
        }
    }

    #[test]
    fn no_pair_below_the_gap_and_one_just_above() {
        let mut stream = Stream::from_seed(81);
        for energy in [f64::NAN, -1.0, 0.0, 1.0, 1.10, 1.15] {
            assert_eq!(pairs(energy, &mut stream), 0, "{energy}");
        }
        for energy in [1.20, 1.5, 2.0] {
            assert!((0..1000).all(|_| pairs(energy, &mut stream) == 1), "{energy}");
        }
        let sum: f64 = probabilities(12.0).iter().sum();
        assert!((sum - 1.0).abs() < 1e-12);
    }
}
