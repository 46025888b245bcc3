//! The ROOT file writer.
