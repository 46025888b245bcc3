//! ROOT files seen from outside: what other programs find in the files this crate writes.

mod content;
mod reader;
mod recorded;
