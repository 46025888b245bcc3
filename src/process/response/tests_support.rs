//! A CCD and collections for tests.

use crate::process::digitize::{Ccd, FullNoise, Hit, HitCollection, NoiseCards, ResponseContext};

/// A CCD of this many rows and columns, pixels of 15 µm, 675 µm thick.
pub fn ccd(rows: usize, cols: usize) -> Ccd {
    Ccd {
        e2ev: 3.74,
        adc2ev: 3.74 / 14.5,
        rows,
        cols,
        pixel_x: 0.015,
        pixel_y: 0.015,
        thickness: 0.675,
        rows_prescan: 0,
        rows_overscan: 0,
        cols_prescan: 0,
        cols_overscan: 0,
        image_time: 1e9 * 86400.0,
    }
}

/// A context without threshold and saturation.
pub fn context<'a>(ccd: &'a Ccd, full_noise: &'a FullNoise) -> ResponseContext<'a> {
    ResponseContext {
        ccd,
        seed: 321,
        full_noise,
        threshold: None,
        saturation_adu: None,
        noise_cards: NoiseCards::default(),
        input_name: "test.root",
    }
}

/// A deposit at this place (mm) of this energy (eV).
pub fn hit(x: f64, y: f64, z: f64, energy: f64) -> Hit {
    Hit { x, y, z, energy, time: 0.0, pdg: 11, charge: 0, sigma: 0.0 }
}

/// A collection of these hits.
pub fn collection(hits: Vec<Hit>) -> HitCollection {
    HitCollection { event: 5, ccd: 1, hits, ..HitCollection::default() }
}
