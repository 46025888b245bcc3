//! One image in memory: header, amplifiers and regions, the cube of skips, and the images made from it.

pub mod amplifier;
pub mod auxiliary;
pub mod cube;
pub mod error;
pub mod keywords;
pub mod load;
pub mod numbers;
pub mod product;
pub mod raw_data;
pub mod reduce;
pub mod regions;
pub mod report;
pub mod root_objects;
pub mod times;
pub mod user_region;

pub use amplifier::{Amplifier, Region, Side};
pub use cube::SkipCube;
pub use error::ImageError;
pub use load::{LoadOptions, content_checksum, data_hdus, identify, load};
pub use product::Products;
pub use raw_data::RawData;
pub use report::{Level, LogRecord, Report};
