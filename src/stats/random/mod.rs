//! Random numbers: one stream for each (purpose, image, amplifier, row), so that results depend on the seed and on
//! nothing else, above all not on the number of threads.
//!
//! A stream is a xoshiro256++ generator (Blackman & Vigna, ACM Trans. Math. Softw. 47, 36 (2021)) whose four state words
//! are successive outputs of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014), started from
//!
//! ```text
//! mix(mix(mix(seed) ^ fnv1a64(tag)) ^ mix(image·2⁴⁰ + ext·2³² + row))
//! ```
//!
//! where `mix(x)` is the first SplitMix64 output from state `x` (spec 07 §8.7). Streams of neighbouring rows are
//! unrelated: 2²⁵⁶ states leave no overlap in practice.
//!
//! | draw | method | exact? |
//! |---|---|---|
//! | uniform | top 53 bits | yes |
//! | Gaussian | ziggurat, 256 layers ([`normal`]) | yes, to the resolution of 2⁻⁵³ of a layer |
//! | exponential, geometric | inversion | yes |
//! | Poisson, binomial | inversion for small means, transformed rejection otherwise ([`discrete`]) | yes |
//!
//! Elementary functions come from `libm`, not from the system: the same seed gives the same bytes on every platform.

pub mod discrete;
pub mod normal;

pub use discrete::{Binomial, Poisson};

/// What a stream is for. Each purpose has its own streams: switching one effect on leaves all others as they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tag {
    /// Particles of a simulated image: row 0 for numbers, positions and energies, row *i* for the electrons of particle *i*.
    Particles,
    /// Dark current.
    Dark,
    /// Clock-induced charge.
    Spurious,
    /// Hot columns and rows.
    Hot,
    /// Charge deferred to the next pixel or row.
    Cti,
    /// Charge lost between skips.
    Loss,
    /// White readout noise.
    Noise,
    /// 1/f noise.
    Flicker,
    /// Pedestal of the rows.
    RowPedestal,
    /// Pedestal of the columns.
    ColumnPedestal,
    /// Phases of interference lines.
    Lines,
    /// Number of electron-hole pairs of a Geant4 hit.
    Pair,
    /// Partial charge collection of a Geant4 hit.
    Pcc,
    /// Diffusion of the electrons of a Geant4 hit.
    Diffusion,
    /// Time of a Geant4 event in continuous readout.
    Readout,
    /// Position of pasted clusters.
    Paste,
    /// GaussianNoiseProcess.
    AddNoise,
    /// AddBKGComponent.
    AddBackground,
}

impl Tag {
    /// The name that enters the stream seed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Particles => "particles",
            Self::Dark => "dark",
            Self::Spurious => "spurious",
            Self::Hot => "hot",
            Self::Cti => "cti",
            Self::Loss => "loss",
            Self::Noise => "noise",
            Self::Flicker => "flicker",
            Self::RowPedestal => "rowped",
            Self::ColumnPedestal => "colped",
            Self::Lines => "lines",
            Self::Pair => "pair",
            Self::Pcc => "pcc",
            Self::Diffusion => "diffusion",
            Self::Readout => "readout",
            Self::Paste => "paste",
            Self::AddNoise => "addnoise",
            Self::AddBackground => "addbkg",
        }
    }
}

/// A stream of random numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    state: [u64; 4],
}

const SPLIT_MIX_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// First SplitMix64 output from state `x`.
fn mix(x: u64) -> u64 {
    let mut z = x.wrapping_add(SPLIT_MIX_STEP);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// FNV-1a hash, 64 bits.
pub(crate) fn fnv1a64(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// Seed of the stream for this purpose, image, extension (or amplifier) and row, all counted from 0.
pub fn stream_seed(seed: u64, tag: Tag, image: u64, ext: u64, row: u64) -> u64 {
    let place = (image << 40).wrapping_add(ext << 32).wrapping_add(row);
    mix(mix(mix(seed) ^ fnv1a64(tag.name())) ^ mix(place))
}

impl Stream {
    /// The stream for this purpose, image, extension (or amplifier) and row, all counted from 0.
    pub fn new(seed: u64, tag: Tag, image: u64, ext: u64, row: u64) -> Self {
        Self::from_seed(stream_seed(seed, tag, image, ext, row))
    }

    /// The stream that starts from four SplitMix64 outputs after `seed`.
    pub fn from_seed(seed: u64) -> Self {
        let word = |i: u64| mix(seed.wrapping_add(SPLIT_MIX_STEP.wrapping_mul(i)));
        Self { state: [word(0), word(1), word(2), word(3)] }
    }

    /// 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Uniform in [0, 1): a multiple of 2⁻⁵³.
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        to_unit(self.bits())
    }

    /// Uniform in (0, 1]: its logarithm is finite.
    #[inline]
    pub fn positive_uniform(&mut self) -> f64 {
        1.0 - self.uniform()
    }

    /// Uniform in [low, high).
    pub fn uniform_in(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Uniform integer in 0..n (n ≥ 1), without bias (Lemire, ACM TOMACS 29, 3 (2019)).
    pub fn below(&mut self, n: u64) -> u64 {
        debug_assert!(n > 0);
        loop {
            let product = u128::from(self.bits()) * u128::from(n);
            let low = product as u64;
            if low >= n || low >= n.wrapping_neg() % n {
                return (product >> 64) as u64;
            }
        }
    }

    /// Exponential with this mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * libm::log(self.positive_uniform())
    }
}

/// The top 53 bits as a number in [0, 1).
#[inline]
fn to_unit(bits: u64) -> f64 {
    // Through i64: processors convert signed integers in one instruction.
    (bits >> 11) as i64 as f64 * (1.0 / 9_007_199_254_740_992.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of the published algorithms and of spec 07 §8.7.
    #[test]
    fn generator_and_stream_seeds_have_the_published_values() {
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(fnv1a64("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(Stream::from_seed(0).bits(), 0x5317_5d61_490b_23df);
        assert_eq!(stream_seed(321, Tag::Noise, 0, 0, 5), 0xd037_e77f_e983_ccdd);
        let mut stream = Stream::new(321, Tag::Noise, 0, 0, 5);
        assert_eq!(stream.clone().uniform(), 0.208_233_089_672_496_1);
        assert_eq!([stream.bits(), stream.bits()], [0x354e_c386_16a1_cf98, 0x3c59_ea0c_19fb_bc4b]);
    }

    #[test]
    fn tags_and_places_give_different_streams() {
        let tags = [
            Tag::Particles,
            Tag::Dark,
            Tag::Spurious,
            Tag::Hot,
            Tag::Cti,
            Tag::Loss,
            Tag::Noise,
            Tag::Flicker,
            Tag::RowPedestal,
            Tag::ColumnPedestal,
            Tag::Lines,
            Tag::Pair,
            Tag::Pcc,
            Tag::Diffusion,
            Tag::Readout,
            Tag::Paste,
            Tag::AddNoise,
            Tag::AddBackground,
        ];
        let mut seeds = std::collections::HashSet::new();
        for tag in tags {
            for image in 0..3 {
                for ext in 0..4 {
                    for row in 0..50 {
                        assert!(seeds.insert(stream_seed(321, tag, image, ext, row)));
                    }
                }
            }
        }
    }

    /// Mean 1/2 and variance 1/12; bounds of five standard errors.
    #[test]
    fn uniforms_are_uniform_and_integers_cover_their_range_evenly() {
        let mut stream = Stream::from_seed(1);
        let n = 200_000;
        let values: Vec<f64> = (0..n).map(|_| stream.uniform()).collect();
        let mean = values.iter().sum::<f64>() / n as f64;
        assert!((mean - 0.5).abs() < 5.0 * (1.0 / 12.0 / n as f64).sqrt());
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[stream.below(7) as usize] += 1;
        }
        let chi2: f64 = counts.iter().map(|&c| (f64::from(c) - 1e4).powi(2) / 1e4).sum();
        assert!(chi2 < 27.9, "χ² {chi2} of 6 degrees of freedom (p = 1e-4)");
    }

    #[test]
    fn exponential_has_its_mean() {
        let mut stream = Stream::from_seed(2);
        let n = 100_000;
        let mean = (0..n).map(|_| stream.exponential(28.8)).sum::<f64>() / f64::from(n);
        assert!((mean - 28.8).abs() < 5.0 * 28.8 / f64::from(n).sqrt(), "{mean}");
    }
}
