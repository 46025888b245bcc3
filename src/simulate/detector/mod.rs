//! What happens to a deposit in the silicon, as pure functions: pairs are created ([`pair_creation`], [`p100k`]), near the
//! back side part of them recombine ([`collection`]), the rest spread on their way to the gates ([`diffusion`]).
//!
//! Used by the simulated images and by the detector response of Geant4 hits (spec 07 §4.1). Depths z are in µm from the
//! gates (front, z = 0) to the back side (z = thickness); energies in eV.

pub mod collection;
pub mod diffusion;
pub mod p100k;
pub mod pair_creation;

pub use collection::collection_probability;
pub use diffusion::{Diffusion, DiffusionError};
