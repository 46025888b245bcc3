//! Activities of isotopes in the materials of a detector, to normalise simulations (spec 07 §6).
//!
//! Cosmic activation, with sea-level production rate S and λ = ln 2/T½:
//!
//! ```text
//! a = 0.0864 S (1 − e^(−λ T_exp)) e^(−λ T_cool) (1 − e^(−λ T_run))/(λ T_run)       [decays/kg/day, S in µBq/kg]
//! ```

use std::f64::consts::LN_2;

/// An isotope made by cosmic rays in copper or silicon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cosmogenic {
    /// Name.
    pub name: &'static str,
    /// Half life, days.
    pub half_life: f64,
    /// Saturation activity, µBq/kg.
    pub saturation: f64,
}

/// Isotopes with their half lives and saturation activities.
pub const COSMOGENIC: [Cosmogenic; 8] = [
    Cosmogenic { name: "56Co", half_life: 77.236, saturation: 230.0 },
    Cosmogenic { name: "57Co", half_life: 271.81, saturation: 1800.0 },
    Cosmogenic { name: "58Co", half_life: 70.83, saturation: 1650.0 },
    Cosmogenic { name: "60Co", half_life: 1923.0, saturation: 2100.0 },
    Cosmogenic { name: "54Mn", half_life: 312.13, saturation: 215.0 },
    Cosmogenic { name: "59Fe", half_life: 44.495, saturation: 455.0 },
    Cosmogenic { name: "46Sc", half_life: 83.788, saturation: 53.0 },
    Cosmogenic { name: "3H", half_life: 4496.8, saturation: 1447.0 },
];

/// Parents whose contamination is tabulated.
pub const PARENTS: [&str; 5] = ["238U", "226Ra", "210Pb", "232Th", "40K"];

/// Bulk contamination of a material, decays/kg/day for each of [`PARENTS`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Material {
    /// Name.
    pub name: &'static str,
    /// Activities.
    pub bulk: [f64; 5],
}

/// Materials.
pub const MATERIALS: [Material; 8] = [
    Material { name: "CCD", bulk: [0.53, 0.43, 33.0, 0.4, 0.04] },
    Material { name: "Kapton cable", bulk: [5000.0, 420.0, 420.0, 280.0, 2480.0] },
    Material { name: "cold copper", bulk: [10.7, 11.2, 2350.0, 3.5, 2.7] },
    Material { name: "electroformed copper", bulk: [1.037, 1.20, 45.72, 3.508, 2.7] },
    Material { name: "screws", bulk: [1400.0, 138.0, 2350.0, 200.0, 2400.0] },
    Material { name: "ancient lead", bulk: [2.0, 22.5, 2850.0, 0.2, 0.5] },
    Material { name: "low-background lead", bulk: [10.7, 25.9, 2850.0, 2.8, 0.5] },
    Material { name: "outer lead", bulk: [1.1, 13.0, 1.56e6, 0.4, 19.0] },
];

/// Times of exposure to cosmic rays, of cooling underground, and of the run, days.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Times {
    /// Exposure.
    pub exposure: f64,
    /// Cooling.
    pub cooling: f64,
    /// Run; 0: activity at its start.
    pub run: f64,
}

impl Default for Times {
    fn default() -> Self {
        Self { exposure: 61.0, cooling: 180.0, run: 360.0 }
    }
}

/// Activity, decays/kg/day, averaged over the run.
pub fn activity(isotope: &Cosmogenic, times: Times) -> f64 {
    let lambda = LN_2 / isotope.half_life;
    let mean = if times.run > 0.0 { -(-lambda * times.run).exp_m1() / (lambda * times.run) } else { 1.0 };
    -0.0864 * isotope.saturation * (-lambda * times.exposure).exp_m1() * (-lambda * times.cooling).exp() * mean
}

/// The tabulated parent of an isotope of the natural chains; itself if it is one.
pub fn parent(isotope: &str) -> Option<&'static str> {
    match isotope {
        "238U" | "234Pa" | "234Pam" | "234Th" => Some("238U"),
        "232Th" | "228Ac" | "228Ra" | "212Pb" | "212Bi" | "208Tl" => Some("232Th"),
        "226Ra" | "214Pb" | "214Bi" => Some("226Ra"),
        "210Pb" | "210Bi" => Some("210Pb"),
        "40K" => Some("40K"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The activities of spec 07 §6, to the four decimals given there.
    #[test]
    fn activities_of_the_specification() {
        let expected = [0.4951, 9.2636, 3.0326, 3.4681, 1.0864, 0.2594, 0.1305, 1.1070];
        for (isotope, expected) in COSMOGENIC.iter().zip(expected) {
            let a = activity(isotope, Times::default());
            assert!((a - expected).abs() < 1e-4, "{}: {a}", isotope.name);
        }
    }

    #[test]
    fn chains_lead_to_their_tabulated_parents() {
        assert_eq!(
            [parent("208Tl"), parent("214Bi"), parent("210Bi"), parent("60Co")],
            [Some("232Th"), Some("226Ra"), Some("210Pb"), None]
        );
        assert!(PARENTS.iter().all(|p| parent(p) == Some(p)));
    }
}
