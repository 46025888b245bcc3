//! Everything that leaves the program: names and places, files, and the terminal.

pub mod cluster_trees;
pub mod console;
pub mod figures;
pub mod images;
pub mod naming;
pub mod pixel_trees;
pub mod provenance;
pub mod root_files;
pub mod root_objects;
pub mod summary;

pub use console::Console;
pub use naming::ItemNames;
pub use provenance::Provenance;
