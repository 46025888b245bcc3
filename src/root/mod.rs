//! A writer of ROOT files.
//!
//! Dear newcomer,
//!
//! physicists keep tables in *trees*, inside files of the program [ROOT](https://root.cern). A tree has one row (an
//! *entry*) per event or image and one column (a *branch*) per quantity, and a cell may hold a number, a text, a vector
//! or a vector of vectors. This module writes such files without ROOT. It knows nothing of what the numbers mean.
//!
//! ```
//! use panaskimg::root::{BranchType::{Int, VecFloat, VecVecInt}, Nested, Options, RootFile};
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("clusters.root");
//! let mut file = RootFile::create(&path, Options::default())?;
//! let tree = file.tree("clustersRec", [("RUNID", Int), ("Energy", VecFloat), ("pixels_x", VecVecInt)])?;
//! // One entry with two clusters, of three pixels and of one; the pixels lie flat, cut into rows by offsets.
//! let (energy, pixels_x, offsets) = ([6.4_f32, 0.01], [10, 11, 12, 7], [0, 3, 4]);
//! file.fill(tree, &[15.into(), (&energy).into(), Nested::flat(&pixels_x, &offsets).into()])?;
//! file.finish()?; // only now there is a file of that name
//! assert!(path.exists());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Which call for what
//!
//! * A row at a time: [`RootFile::fill`] with one [`Cell`] per branch. Cells borrow, so nothing is copied twice. Several
//!   trees of a file may be filled in turn.
//! * Long tables of plain numbers, such as one entry per pixel: [`RootFile::fill_columns`] takes slices, and costs a few
//!   nanoseconds per number before compression.
//! * Histograms, graphs and fitted curves: [`RootFile::histogram`], [`RootFile::graph`].
//! * Another target than a file on disk: [`RootFile::start`] and [`RootFile::finish_into`] with any `Write + Seek`.
//!
//! Memory stays bounded for any number of entries: each branch gathers its values in a *basket*, and full baskets (32 kB
//! unless [`Options::basket_size`] says otherwise) are compressed, in parallel, and written when a few megabytes of
//! them have come together. The bytes of a file depend on its content and [`Options`] only, not on the number of
//! threads, nor on the clock unless [`Options::created`] is set. An error in a row names tree and branch and leaves the
//! tree as it was; an error in writing is final, and no file appears.
//!
//! # What readers see
//!
//! Files are those of ROOT 6.28 and are read, without a message, by ROOT itself (tested with 6.40), uproot, jsroot and
//! oxyroot; `tests/root_interop` holds these tests. They are smaller than 2 GB (ROOT changes the layout there), and one
//! value of one entry is smaller than 1 GB.
//!
//! A user of ROOT should know two things, which hold for ROOT's own files as well. ROOT comes with dictionaries of
//! `vector<float>`, `vector<int>`, `vector<vector<float> >` and `string`, but not of `vector<vector<int> >`:
//!
//! * `Draw`, `Scan`, `RDataFrame`, PyROOT and `TTreeReaderArray<vector<int>>` read such a branch as they are.
//!   `SetBranchAddress` needs a dictionary, made once by
//!   `gInterpreter->GenerateDictionary("vector<vector<int> >", "vector")` (this runs a compiler) or by
//!   `#pragma link C++ class vector<vector<int> >+;` in a macro compiled with `+`; without it, it returns −3 and leaves
//!   the pointer null. `TTreeReaderValue<vector<vector<int>>>` reads the values but prints an error.
//! * `RDataFrame::Snapshot` of nested branches crashes without dictionaries of `ROOT::VecOps::RVec<vector<float> >` and
//!   `ROOT::VecOps::RVec<vector<int> >`.
//!
//! # Where things are
//!
//! A file is a chain of [records](record), each a key and a payload that may be [compressed](compression);
//! [`output`] chains them and writes what describes the file itself. Objects are streamed through a [`buffer`]. A
//! [`tree`] is many basket records and one that describes it; [`objects`] are one record each. [`streamer_info`]
//! describes the classes that occur. [`file`] holds it all together, and [`crate::atomic_file`] lets the file appear at once.
//! The layout is written down in spec 05 §10, and was checked against files that ROOT wrote.
#![allow(rustdoc::private_intra_doc_links)]

mod buffer;
mod compression;
mod error;
mod file;
mod objects;
mod options;
mod output;
pub mod read;
mod record;
mod streamer_info;
mod tree;

pub use compression::Compression;
pub use error::{Result, RootError};
pub use file::{RootFile, TreeId};
pub use objects::{Function, Graph, Histogram, Parameter};
pub use options::Options;
pub use tree::{BranchType, Cell, Column, Nested};
