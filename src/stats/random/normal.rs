//! Gaussian random numbers by the ziggurat method (Marsaglia & Tsang, J. Stat. Softw. 5, 8 (2000)).
//!
//! The area under exp(−x²/2) is covered by 256 layers of equal area. A layer and a place in it are drawn; in 98.8 % of
//! the cases the place is under the curve whatever the height, and one multiplication gives the number. The layer comes
//! from bits 0–7, the sign from bit 8, the place from the 53 bits above 10: bits are not used twice, the defect of the
//! original (Doornik 2005). Wedges and the tail beyond 3.65 are drawn exactly, so no part of the distribution is cut.

use std::sync::LazyLock;

use super::{Stream, to_unit};

const LAYERS: usize = 256;
/// Start of the tail.
const TAIL: f64 = 3.654_152_885_361_008_8;

struct Ziggurat {
    /// `edge[i]`: right edge of layer *i*; `edge[0]` belongs to the base layer with the tail folded in, `edge[256]` = 0.
    edge: [f64; LAYERS + 1],
    /// `inside[i]`: fraction of layer *i* that is under the curve at every height.
    inside: [f64; LAYERS],
    /// exp(−edge²/2).
    height: [f64; LAYERS + 1],
}

fn density(x: f64) -> f64 {
    libm::exp(-0.5 * x * x)
}

static ZIGGURAT: LazyLock<Ziggurat> = LazyLock::new(|| {
    let tail_area = (std::f64::consts::PI / 2.0).sqrt() * libm::erfc(TAIL / std::f64::consts::SQRT_2);
    let area = TAIL * density(TAIL) + tail_area;
    let mut edge = [0.0; LAYERS + 1];
    edge[0] = area / density(TAIL);
    edge[1] = TAIL;
    for i in 2..LAYERS {
        edge[i] = (-2.0 * libm::log(area / edge[i - 1] + density(edge[i - 1]))).sqrt();
    }
    let inside = std::array::from_fn(|i| edge[i + 1] / edge[i]);
    let height = std::array::from_fn(|i| density(edge[i]));
    Ziggurat { edge, inside, height }
});

impl Stream {
    /// Gaussian with mean 0 and standard deviation 1.
    #[inline]
    pub fn normal(&mut self) -> f64 {
        normal(self, &ZIGGURAT)
    }

    /// Replaces every element by a Gaussian number of standard deviation `sigma`.
    pub fn fill_normal(&mut self, sigma: f64, out: &mut [f64]) {
        let table: &Ziggurat = &ZIGGURAT;
        for x in out {
            *x = sigma * normal(self, table);
        }
    }
}

#[inline(always)]
fn normal(stream: &mut Stream, table: &Ziggurat) -> f64 {
    let bits = stream.bits();
    let layer = (bits & 0xff) as usize;
    let place = to_unit(bits);
    let x = place * table.edge[layer];
    let x = if place < table.inside[layer] { x } else { outside(stream, table, layer, x) };
    // The sign bit goes straight into the number: a branch would be mispredicted half of the time.
    f64::from_bits(x.to_bits() | ((bits & 0x100) << 55))
}

/// The 1.2 % of draws that fall where the layer is only partly under the curve. Positive.
#[cold]
#[inline(never)]
fn outside(stream: &mut Stream, table: &Ziggurat, mut layer: usize, mut x: f64) -> f64 {
    loop {
        if layer == 0 {
            loop {
                let beyond = -libm::log(stream.positive_uniform()) / TAIL;
                if -2.0 * libm::log(stream.positive_uniform()) >= beyond * beyond {
                    return TAIL + beyond;
                }
            }
        }
        let (low, high) = (table.height[layer], table.height[layer + 1]);
        if low + stream.uniform() * (high - low) < density(x) {
            return x;
        }
        let bits = stream.bits();
        layer = (bits & 0xff) as usize;
        let place = to_unit(bits);
        x = place * table.edge[layer];
        if place < table.inside[layer] {
            return x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::distributions::{normal_cdf, normal_survival};

    /// The 255 rectangles above the base have the area of the base with its tail, and the pile ends at the summit.
    #[test]
    fn layers_have_equal_areas() {
        let z = &*ZIGGURAT;
        let base = z.edge[0] * z.height[1];
        for i in 1..LAYERS {
            let top = if i + 1 == LAYERS { 1.0 } else { z.height[i + 1] };
            let area = z.edge[i] * (top - z.height[i]);
            assert!((area / base - 1.0).abs() < 1e-9, "layer {i}: {area} and {base}");
        }
    }

    /// Moments, each within five of its standard errors: E x = 0, E x² = 1, E x³ = 0, E x⁴ = 3, E x⁶ = 15.
    #[test]
    fn moments_are_those_of_a_gaussian() {
        let mut stream = Stream::from_seed(3);
        let n = 4_000_000;
        let mut sums = [0.0; 5];
        for _ in 0..n {
            let x = stream.normal();
            let x2 = x * x;
            for (sum, term) in sums.iter_mut().zip([x, x2, x * x2, x2 * x2, x2 * x2 * x2]) {
                *sum += term;
            }
        }
        // (expected, variance of one term) from the even moments 1, 3, 15, 105, 10395
        let expected = [(0.0, 1.0), (1.0, 2.0), (0.0, 15.0), (3.0, 96.0), (15.0, 10395.0 - 225.0)];
        for (power, (sum, (mean, variance))) in sums.iter().zip(expected).enumerate() {
            let error = (variance / f64::from(n)).sqrt();
            assert!((sum / f64::from(n) - mean).abs() < 5.0 * error, "sum {power}: {}", sum / f64::from(n));
        }
    }

    /// Kolmogorov-Smirnov distance below its 99.99 % point, 2.23/√n.
    #[test]
    fn the_distribution_function_is_phi() {
        let mut stream = Stream::from_seed(4);
        let n = 1_000_000;
        let mut values: Vec<f64> = (0..n).map(|_| stream.normal()).collect();
        values.sort_unstable_by(f64::total_cmp);
        let distance = values
            .iter()
            .enumerate()
            .map(|(i, &x)| {
                let cdf = normal_cdf(x);
                (cdf - i as f64 / n as f64).max((i + 1) as f64 / n as f64 - cdf)
            })
            .fold(0.0, f64::max);
        assert!(distance < 2.23 / (n as f64).sqrt(), "{distance}");
    }

    /// Counts beyond 2, 3, 4 and 4.5 σ on both sides: the tail algorithm starts at 3.65. Five standard errors.
    #[test]
    fn tails_are_populated_as_they_should() {
        let mut stream = Stream::from_seed(5);
        let n = 20_000_000_u32;
        let limits = [2.0, 3.0, 3.654_152_885_361_009, 4.0, 4.5];
        let mut beyond = [[0_u32; 5]; 2];
        for _ in 0..n {
            let x = stream.normal();
            if x.abs() > 2.0 {
                for (i, &limit) in limits.iter().enumerate() {
                    beyond[usize::from(x < 0.0)][i] += u32::from(x.abs() > limit);
                }
            }
        }
        for side in beyond {
            for (count, limit) in side.iter().zip(limits) {
                let expected = f64::from(n) * normal_survival(limit);
                let pull = (f64::from(*count) - expected) / expected.sqrt();
                assert!(pull.abs() < 5.0, "beyond {limit}: {count}, expected {expected:.1}");
            }
        }
    }

    /// Successive numbers are uncorrelated, in value and in magnitude.
    #[test]
    fn successive_numbers_are_independent() {
        let mut stream = Stream::from_seed(6);
        let n = 1_000_000;
        let values: Vec<f64> = (0..n).map(|_| stream.normal()).collect();
        for lag in [1, 2, 3] {
            let pairs = n - lag;
            let linear = (0..pairs).map(|i| values[i] * values[i + lag]).sum::<f64>() / pairs as f64;
            let square = (0..pairs).map(|i| (values[i].powi(2) - 1.0) * (values[i + lag].powi(2) - 1.0)).sum::<f64>()
                / pairs as f64;
            assert!(linear.abs() < 5.0 / (pairs as f64).sqrt(), "lag {lag}: {linear}");
            assert!(square.abs() < 5.0 * 2.0 / (pairs as f64).sqrt(), "lag {lag}: {square}");
        }
    }

    #[test]
    fn filling_gives_the_same_numbers_as_drawing() {
        let (mut one, mut all) = (Stream::from_seed(7), Stream::from_seed(7));
        let mut filled = [0.0; 1000];
        all.fill_normal(3.0, &mut filled);
        assert!(filled.iter().all(|&x| x == 3.0 * one.normal()));
    }
}
