//! One image in memory: header, amplifiers and regions, the cube of skips, and the images made from it.

pub mod amplifier;
pub mod auxiliary;
pub mod cube;
pub mod product;
pub mod raw_data;
pub mod report;

pub use amplifier::{Amplifier, Region, Side};
pub use cube::SkipCube;
pub use product::Products;
pub use raw_data::RawData;
pub use report::{Level, LogRecord, Report};
