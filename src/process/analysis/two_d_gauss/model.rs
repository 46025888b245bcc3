//! The joint distribution of the two amplifiers: a lattice of elliptic Gaussians with Poisson weights.
//!
//! ```text
//! f(x,y) = A Σ_{i≤NpX} Σ_{j≤NpY} Pois(i|λ_L) Pois(j|λ_U) exp(−u²/(2 s_L²) − v²/(2 s_U²))
//! u = dx cos θ − dy sin θ,  v = dx sin θ + dy cos θ,  dx = x − x0 − i k_L,  dy = y − y0 − j k_U
//! ```
//!
//! which is the quadratic form of spec 03 §4 along its own axes. Evaluated at bin centres, or averaged over the bin by a
//! 3 × 3 Gauss–Legendre rule.

/// Number of parameters.
pub const N: usize = 10;
/// Names of the parameters, in order.
pub const NAMES: [&str; N] = ["A", "theta", "dc_L", "dc_U", "sig_L", "sig_U", "cal_L", "cal_U", "x0", "y0"];
/// Index of the height.
pub const A: usize = 0;
/// Index of the correlation angle, rad.
pub const THETA: usize = 1;
/// Index of the dark current of L, e⁻; that of U follows.
pub const DC: usize = 2;
/// Index of the noise along u, ADU; that along v follows.
pub const SIG: usize = 4;
/// Index of the gain of L, ADU/e⁻; that of U follows.
pub const CAL: usize = 6;
/// Index of the offset of L, ADU; that of U follows.
pub const OFFSET: usize = 8;

/// Parameters in the order of [`NAMES`].
pub type Parameters = [f64; N];

/// exp(−E) is below the smallest subnormal number.
const UNDERFLOW: f64 = 746.0;

/// Highest electron numbers in L and U.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peaks {
    /// In L.
    pub x: usize,
    /// In U.
    pub y: usize,
}

/// One peak of the lattice at given parameters.
#[derive(Debug, Clone, Copy)]
pub struct Peak {
    /// Electrons in L and U.
    electrons: (f64, f64),
    /// Centre, ADU.
    pub centre: (f64, f64),
    /// Poisson weights, without A.
    weight: f64,
}

/// The model at given parameters, with what does not depend on the place computed once.
#[derive(Debug, Clone)]
pub struct Lattice {
    p: Parameters,
    sine: f64,
    cosine: f64,
    peaks: Vec<Peak>,
}

/// Sums over a part of the plane: value and derivatives of one peak's share, all without the factor A·weight.
#[derive(Debug, Clone, Copy, Default)]
pub struct Moments {
    /// Σ e.
    pub one: f64,
    uu: f64,
    uv: f64,
    vv: f64,
    ex: f64,
    ey: f64,
}

impl Lattice {
    /// The lattice for parameters with positive noises and gains.
    pub fn new(p: &Parameters, peaks: Peaks) -> Self {
        let (sine, cosine) = p[THETA].sin_cos();
        let poisson = |n: usize, mean: f64| (1..=n).fold((-mean).exp(), |w, k| w * mean / k as f64);
        let lattice = (0..=peaks.x)
            .flat_map(|i| (0..=peaks.y).map(move |j| (i, j)))
            .map(|(i, j)| Peak {
                electrons: (i as f64, j as f64),
                centre: (p[OFFSET] + i as f64 * p[CAL], p[OFFSET + 1] + j as f64 * p[CAL + 1]),
                weight: poisson(i, p[DC]) * poisson(j, p[DC + 1]),
            })
            .collect();
        Self { p: *p, sine, cosine, peaks: lattice }
    }

    /// The peaks.
    pub fn peaks(&self) -> &[Peak] {
        &self.peaks
    }

    /// f at a point.
    pub fn value(&self, x: f64, y: f64) -> f64 {
        let sum: f64 = self
            .peaks
            .iter()
            .map(|peak| peak.weight * (-self.exponent(x - peak.centre.0, y - peak.centre.1).0).exp())
            .sum();
        self.p[A] * sum
    }

    /// Exponent E = u²/(2 s_L²) + v²/(2 s_U²), u and v.
    #[inline]
    fn exponent(&self, dx: f64, dy: f64) -> (f64, f64, f64) {
        let u = dx * self.cosine - dy * self.sine;
        let v = dx * self.sine + dy * self.cosine;
        let (s, t) = (u / self.p[SIG], v / self.p[SIG + 1]);
        (0.5 * (s * s + t * t), u, v)
    }

    /// f at a point and its derivatives.
    pub fn value_and_gradient(&self, x: f64, y: f64) -> (f64, Parameters) {
        let mut total = (0.0, [0.0; N]);
        for peak in &self.peaks {
            let (e, u, v) = self.exponent(x - peak.centre.0, y - peak.centre.1);
            if e < UNDERFLOW {
                let mut moments = Moments::default();
                moments.add(self, (-e).exp(), u, v);
                self.accumulate(peak, &moments, &mut total);
            }
        }
        total
    }

    /// Adds the share of a peak, given its moments, to a value and its derivatives.
    pub fn accumulate(&self, peak: &Peak, m: &Moments, total: &mut (f64, Parameters)) {
        let p = &self.p;
        let scale = p[A] * peak.weight;
        let (i, j) = peak.electrons;
        let (value, gradient) = total;
        *value += scale * m.one;
        gradient[A] += peak.weight * m.one;
        gradient[THETA] -= scale * m.uv * (p[SIG + 1].powi(-2) - p[SIG].powi(-2));
        gradient[DC] += scale * m.one * (i / p[DC] - 1.0);
        gradient[DC + 1] += scale * m.one * (j / p[DC + 1] - 1.0);
        gradient[SIG] += scale * m.uu / p[SIG].powi(3);
        gradient[SIG + 1] += scale * m.vv / p[SIG + 1].powi(3);
        gradient[CAL] += scale * i * m.ex;
        gradient[CAL + 1] += scale * j * m.ey;
        gradient[OFFSET] += scale * m.ex;
        gradient[OFFSET + 1] += scale * m.ey;
    }

    /// Sums of one peak over the points of a lattice (`xs` × `ys`) whose exponent does not exceed `reach`.
    pub fn sum_within(&self, peak: &Peak, xs: Places, ys: Places, reach: f64) -> Moments {
        let (s, t) = (self.p[SIG].powi(-2), self.p[SIG + 1].powi(-2));
        // E = a dx² + 2 b dx dy + c dy²
        let a = 0.5 * (self.cosine.powi(2) * s + self.sine.powi(2) * t);
        let b = 0.5 * self.sine * self.cosine * (t - s);
        let c = 0.5 * (self.sine.powi(2) * s + self.cosine.powi(2) * t);
        let mut sum = Moments::default();
        for row in 0..ys.count {
            let dy = ys.at(row) - peak.centre.1;
            let discriminant = b * b * dy * dy - a * (c * dy * dy - reach);
            if discriminant < 0.0 {
                continue;
            }
            let (middle, half) = (peak.centre.0 - b * dy / a, discriminant.sqrt() / a);
            let mut line = Moments::default();
            for col in xs.between(middle - half, middle + half) {
                let (e, u, v) = self.exponent(xs.at(col) - peak.centre.0, dy);
                line.add(self, (-e).exp(), u, v);
            }
            sum.plus(&line);
        }
        sum
    }
}

impl Moments {
    #[inline]
    fn add(&mut self, lattice: &Lattice, e: f64, u: f64, v: f64) {
        let (s, t) = (lattice.p[SIG], lattice.p[SIG + 1]);
        let (us, vt) = (u / (s * s), v / (t * t));
        self.one += e;
        self.uu += e * u * u;
        self.uv += e * u * v;
        self.vv += e * v * v;
        self.ex += e * (us * lattice.cosine + vt * lattice.sine);
        self.ey += e * (vt * lattice.cosine - us * lattice.sine);
    }

    fn plus(&mut self, other: &Self) {
        self.one += other.one;
        self.uu += other.uu;
        self.uv += other.uv;
        self.vv += other.vv;
        self.ex += other.ex;
        self.ey += other.ey;
    }
}

/// Equidistant places.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Places {
    /// The first one.
    pub first: f64,
    /// Distance.
    pub step: f64,
    /// How many.
    pub count: usize,
}

impl Places {
    /// Place number `i`.
    #[inline]
    pub fn at(&self, i: usize) -> f64 {
        self.first + i as f64 * self.step
    }

    /// Numbers of the places between two values.
    fn between(&self, lo: f64, hi: f64) -> std::ops::Range<usize> {
        // float-to-integer casts saturate
        let from = ((lo - self.first) / self.step).ceil().max(0.0) as usize;
        let to = ((hi - self.first) / self.step).floor() + 1.0;
        let to = if to > 0.0 { (to as usize).min(self.count) } else { 0 };
        from.min(to)..to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECK: Parameters = [1000.0, std::f64::consts::FRAC_PI_6, 0.05, 0.1, 1.0, 2.0, 7.0, 8.0, 0.1, -0.2];

    #[test]
    fn values_of_the_specification() {
        let lattice = Lattice::new(&CHECK, Peaks { x: 2, y: 2 });
        for (x, y, f) in [
            (0.0, 0.0, 844.24928),
            (1.0, 1.0, 641.90072),
            (7.0, 0.0, 42.212469),
            (0.0, 8.0, 84.425188),
            (7.0, 8.0, 4.2213939),
            (-1.0, 2.0, 83.489369),
        ] {
            // eight digits are given
            assert!((lattice.value(x, y) / f - 1.0).abs() < 1e-7, "{x} {y}: {}", lattice.value(x, y));
        }
    }

    #[test]
    fn derivatives_agree_with_differences() {
        let peaks = Peaks { x: 2, y: 1 };
        for (x, y) in [(0.3, -0.4), (6.5, 7.0), (-2.0, 3.0), (3.5, 4.0)] {
            let (value, gradient) = Lattice::new(&CHECK, peaks).value_and_gradient(x, y);
            assert!((value / Lattice::new(&CHECK, peaks).value(x, y) - 1.0).abs() < 1e-14);
            for k in 0..N {
                let step = 1e-5 * CHECK[k].abs().max(0.1);
                let shifted = |by: f64| {
                    let mut p = CHECK;
                    p[k] += by;
                    Lattice::new(&p, peaks).value(x, y)
                };
                let difference = (shifted(step) - shifted(-step)) / (2.0 * step);
                // truncation of the central difference: step² times third derivatives
                assert!(
                    (gradient[k] - difference).abs() < 1e-6 * (1.0 + difference.abs()),
                    "{}: {} {difference}",
                    NAMES[k],
                    gradient[k]
                );
            }
        }
    }

    #[test]
    fn sums_within_reach_are_the_sums_over_all_points() {
        let peaks = Peaks { x: 1, y: 1 };
        let lattice = Lattice::new(&CHECK, peaks);
        let places = Places { first: -9.8, step: 0.4, count: 100 };
        let mut within = (0.0, [0.0; N]);
        for peak in lattice.peaks() {
            lattice.accumulate(peak, &lattice.sum_within(peak, places, places, 60.0), &mut within);
        }
        let mut all = (0.0, [0.0; N]);
        for row in 0..100 {
            for col in 0..100 {
                let (value, gradient) = lattice.value_and_gradient(places.at(col), places.at(row));
                all.0 += value;
                all.1.iter_mut().zip(gradient).for_each(|(a, g)| *a += g);
            }
        }
        assert!((within.0 / all.0 - 1.0).abs() < 1e-12);
        for k in 0..N {
            // sums of both signs cancel: relative to the total
            assert!((within.1[k] - all.1[k]).abs() < 1e-11 * all.0, "{}", NAMES[k]);
        }
    }
}
