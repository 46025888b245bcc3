//! Lateral diffusion on the way to the gates (spec 07 §4.1):
//!
//! ```text
//! s₀(z) = √(−A ln(1 − B (z − z_offset)))        s(z, E) = s₀(z) (α₀ + β E),   β = α p / s₀(z_max)
//! ```
//!
//! the width in x and in y of the cloud of an electron made at depth z by a deposit of energy E.

/// Width of the charge cloud as a function of depth and energy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Diffusion {
    /// A, µm².
    amplitude: f64,
    /// B, 1/µm.
    shape: f64,
    /// Depth where diffusion starts, µm.
    z_offset: f64,
    /// α₀.
    alpha0: f64,
    /// β, 1/eV.
    beta: f64,
}

/// The diffusion formula has no value.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DiffusionError {
    /// The logarithm is infinite before the end of the range of depths.
    #[error(
        "the diffusion width is infinite at a depth of {depth} µm: B·(z − z_offset) must stay below 1, but it is {product} with B = {b} /µm"
    )]
    Infinite {
        /// Depth, µm.
        depth: f64,
        /// B·(z − z_offset).
        product: f64,
        /// B, 1/µm.
        b: f64,
    },
    /// The energy term is normalised to the width at z_max, which is zero.
    #[error(
        "the diffusion width at z_max = {z_max} µm is zero, so the energy term alpha = {alpha} pixel/eV cannot be normalised to it"
    )]
    NoWidth {
        /// z_max, µm.
        z_max: f64,
        /// α, pixel/eV.
        alpha: f64,
    },
}

/// Parameters of the diffusion, as in the configuration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DiffusionParameters {
    /// A, µm².
    pub amplitude: f64,
    /// B, 1/µm.
    pub shape: f64,
    /// Depth where diffusion starts, µm.
    pub z_offset: f64,
    /// Depth used to normalise the energy term, µm.
    pub z_max: f64,
    /// α₀: energy-independent factor.
    pub alpha0: f64,
    /// α: energy-dependent term, pixel/eV.
    pub alpha: f64,
    /// Pixel size, µm.
    pub pixel: f64,
}

impl Diffusion {
    /// Checks that the width is finite at every depth up to `deepest` (µm).
    pub fn new(parameters: DiffusionParameters, deepest: f64) -> Result<Self, DiffusionError> {
        let DiffusionParameters { amplitude, shape, z_offset, z_max, alpha0, alpha, pixel } = parameters;
        let mut diffusion = Self { amplitude, shape, z_offset, alpha0, beta: 0.0 };
        for depth in [deepest, z_max] {
            let product = shape * (depth - z_offset);
            if product >= 1.0 {
                return Err(DiffusionError::Infinite { depth, product, b: shape });
            }
        }
        if alpha != 0.0 {
            let widest = diffusion.width_at(z_max);
            if widest == 0.0 {
                return Err(DiffusionError::NoWidth { z_max, alpha });
            }
            diffusion.beta = alpha * pixel / widest;
        }
        Ok(diffusion)
    }

    /// s₀(z), µm: the width without the energy term.
    pub fn width_at(&self, z: f64) -> f64 {
        let square = -self.amplitude * libm::log1p(-self.shape * (z - self.z_offset));
        if z > self.z_offset && square > 0.0 { square.sqrt() } else { 0.0 }
    }

    /// s(z, E), µm.
    pub fn width(&self, z: f64, energy: f64) -> f64 {
        self.width_at(z) * (self.alpha0 + self.beta * energy)
    }

    /// β, 1/eV: the relative growth of the width with energy.
    pub fn beta(&self) -> f64 {
        self.beta
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defaults() -> DiffusionParameters {
        DiffusionParameters {
            amplitude: 216.2,
            shape: 0.000_886,
            z_offset: 0.0,
            z_max: 669.0,
            alpha0: 1.0,
            alpha: 5.97e-6,
            pixel: 15.0,
        }
    }

    /// Table of spec 07 §4.1, to its four decimals.
    #[test]
    fn widths_of_the_specification() {
        let diffusion = Diffusion::new(defaults(), 675.0).unwrap();
        let table = [
            (1.0, 0.4378),
            (10.0, 1.3871),
            (50.0, 3.1299),
            (100.0, 4.4786),
            (200.0, 6.4937),
            (300.0, 8.1731),
            (500.0, 11.2480),
            (600.0, 12.8052),
            (669.0, 13.9359),
            (675.0, 14.0375),
        ];
        for (z, expected) in table {
            assert!((diffusion.width_at(z) - expected).abs() < 1e-4, "z {z}: {}", diffusion.width_at(z));
        }
        assert!((diffusion.beta() - 6.4258e-6).abs() < 1e-10);
        assert!((diffusion.width(300.0, 5898.8) - 8.4829).abs() < 1e-4);
        assert_eq!(diffusion.width_at(0.0), 0.0);
        assert_eq!(diffusion.width_at(-3.0), 0.0);
    }

    #[test]
    fn a_width_that_would_be_infinite_is_an_error_that_names_the_depth() {
        let error = Diffusion::new(DiffusionParameters { shape: 0.002, ..defaults() }, 675.0).unwrap_err();
        assert!(error.to_string().contains("675 µm"), "{error}");
        let error = Diffusion::new(DiffusionParameters { z_max: 0.0, ..defaults() }, 675.0).unwrap_err();
        assert!(error.to_string().contains("z_max = 0"), "{error}");
        assert!(Diffusion::new(DiffusionParameters { z_max: 0.0, alpha: 0.0, ..defaults() }, 675.0).is_ok());
    }
}
