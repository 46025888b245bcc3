//! ROOT files seen from outside: what other programs find in the files this crate writes.

mod content;
mod external;
mod objects;
mod reader;
mod recorded;
mod roundtrip;
mod structure;
