//! The small tools of a test stand, each callable by name: `panaSKImg <tool> …`.

pub mod crosstalk;
