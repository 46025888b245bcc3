//! The one typed truth about what to do: built-in defaults < JSON file < command line.

pub mod input;
pub mod named;
pub mod values;

pub use input::InputConfig;
pub use values::{IndexList, OneOrMany, PairEnd, PerAmplifier};
