//! The small tools of a test stand, each callable by name: `panaSKImg <tool> …`.
//!
//! A tool has its options (`…Args`) and a function `run`, which reads, computes, writes its files and gives back
//! [`results::Results`]: lines of text, figures, warnings. Printing and showing is the business of the command line.
//! Spec 04 §8.

pub mod compose;
pub mod crosstalk;
pub mod cut;
pub mod error;
pub mod files;
pub mod header;
pub mod hotcols;
pub mod pcd;
pub mod results;
pub mod threshold;
pub mod topology;
pub mod transient;
pub mod trend;
pub mod view;

#[cfg(test)]
mod test_files;
