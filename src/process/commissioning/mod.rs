//! Studies of a detector on the test bench: gain, noise, spectrum, charge loss (spec 04).
//!
//! The skips are streamed, never held: processes book what they want to see ([`survey`]), and one pass over the file
//! serves all of them.

#[cfg(test)]
pub(crate) mod test_data;
