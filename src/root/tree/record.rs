//! The description of a tree, as `TTree`, `TBranch`, `TBranchElement` and their leaves (spec 05 §10.2).
//!
//! Constants are those that ROOT writes for a tree filled with default settings.

use super::super::buffer::{BITS_PLAIN, Buffer, Reference};
use super::super::options::Options;
use super::branch::Branch;
use super::{BranchType, Tree};

/// A tree's own status bits, beside those of any object.
const BITS_TREE: u32 = BITS_PLAIN | 0x08;
/// The array of a tree's branches, which owns them.
const BITS_ARRAY: u32 = BITS_PLAIN | 0x4000;
/// Branch with a leaf of its own.
const BITS_BRANCH: u32 = BITS_PLAIN | 0x0040_0000;
/// The same for a branch that holds objects.
const BITS_BRANCH_ELEMENT: u32 = BITS_PLAIN | 0x0050_0000;
/// Arrays of basket places have at least this length.
const MIN_BASKETS: usize = 10;
/// Checksum of `ROOT::TIOFeatures`, which ROOT writes in place of its version.
const IO_FEATURES: u32 = 0x1aa1_2f10;
/// Colour number of lines in ROOT's default style.
pub(in crate::root) const LINE_COLOR: i16 = 602;
/// Fill style "solid".
pub(in crate::root) const FILL_SOLID: i16 = 1001;

/// What ROOT needs to know of a class kept in a branch.
struct Streamed {
    checksum: u32,
    version: i16,
}

fn streamed(kind: BranchType) -> Option<Streamed> {
    let (checksum, version) = match kind {
        BranchType::Int | BranchType::Float | BranchType::Double => return None,
        BranchType::String => (0x6e6f_1604, 2),
        BranchType::VecInt => (0x0098_3b88, 6),
        BranchType::VecFloat => (0x055a_169b, 6),
        BranchType::VecDouble => (0x100e_4364, 6),
        BranchType::VecVecInt => (0xb90b_52bd, 6),
        BranchType::VecVecFloat => (0x8165_d920, 6),
    };
    Some(Streamed { checksum, version })
}

/// Writes the description of `tree`; all its baskets have their places.
pub(in crate::root) fn write_tree(buffer: &mut Buffer, tree: &Tree, options: &Options) {
    let sum = |bytes: fn(&Branch) -> i64| tree.branches.iter().map(bytes).sum();
    buffer.counted(20, |buffer| {
        buffer.named(BITS_TREE, &tree.name, &tree.name);
        buffer.line_attributes(LINE_COLOR, 1, 1);
        buffer.fill_attributes(0, FILL_SOLID);
        buffer.marker_attributes(1, 1, 1.0);
        buffer.i64(tree.entries);
        buffer.i64(sum(|branch| branch.total_bytes));
        buffer.i64(sum(|branch| branch.stored_bytes));
        buffer.i64(0); // bytes saved so far
        buffer.i64(0); // bytes flushed so far
        buffer.f64(1.0); // weight
        for number in [0, 25, 0, 1000, 0] {
            // timer, fields per line of Scan, update frequency, length of offset tables, number of cluster ranges
            buffer.i32(number);
        }
        for number in [1_000_000_000_000, 1_000_000_000_000, 0, -300_000_000, -30_000_000, 1_000_000] {
            // most entries, most entries in a loop, memory, auto save, auto flush, entries buffered by Draw
            buffer.i64(number);
        }
        buffer.u8(0); // no cluster ranges
        buffer.u8(0); // no cluster sizes
        write_io_features(buffer);
        let leaves: Vec<_> = buffer.object_array(BITS_ARRAY, tree.branches.len(), |buffer| {
            tree.branches.iter().map(|branch| write_branch(buffer, branch, tree.entries, options)).collect()
        });
        buffer.object_array(BITS_PLAIN, leaves.len(), |buffer| leaves.iter().for_each(|&leaf| buffer.refer(leaf)));
        buffer.null(); // aliases
        buffer.i32(0); // index values
        buffer.i32(0); // index
        for _ in ["tree index", "friends", "user info", "branch references"] {
            buffer.null();
        }
    });
}

fn write_io_features(buffer: &mut Buffer) {
    buffer.counted(0, |buffer| {
        buffer.u32(IO_FEATURES);
        buffer.u8(0);
    });
}

/// Writes a pointer to the branch; gives the place of its leaf.
fn write_branch(buffer: &mut Buffer, branch: &Branch, entries: i64, options: &Options) -> Reference {
    let Some(class) = streamed(branch.kind) else {
        return buffer.pointer_to("TBranch", |buffer| write_branch_content(buffer, branch, entries, options));
    };
    buffer.pointer_to("TBranchElement", |buffer| {
        buffer.counted(10, |buffer| {
            let leaf = write_branch_content(buffer, branch, entries, options);
            buffer.string(branch.kind.cpp_name());
            buffer.string(""); // parent
            buffer.string(""); // clones
            buffer.u32(class.checksum);
            buffer.i16(class.version);
            buffer.i32(-1); // not a member of another branch
            buffer.i32(if branch.kind == BranchType::String { -1 } else { 0 });
            buffer.i32(-1); // no streamer element
            buffer.i32(0); // maximum
            buffer.null(); // branch count
            buffer.null(); // second branch count
            leaf
        })
    })
}

fn write_branch_content(buffer: &mut Buffer, branch: &Branch, entries: i64, options: &Options) -> Reference {
    let scalar = branch.kind.scalar_size().is_some();
    let letter = match branch.kind {
        BranchType::Int => "/I",
        BranchType::Float => "/F",
        BranchType::Double => "/D",
        _ => "",
    };
    let baskets = &branch.baskets;
    let max_baskets = MIN_BASKETS.max(baskets.len() + 1);
    buffer.counted(13, |buffer| {
        let bits = if scalar { BITS_BRANCH } else { BITS_BRANCH_ELEMENT };
        buffer.named(bits, &branch.name, &format!("{}{letter}", branch.name));
        buffer.fill_attributes(0, FILL_SOLID);
        buffer.i32(options.compression.setting());
        buffer.i32(options.basket_size() as i32);
        buffer.i32(if scalar { 0 } else { 10 }); // bytes per entry of the offset table
        buffer.i32(baskets.len() as i32);
        buffer.i64(entries); // next entry
        write_io_features(buffer);
        buffer.i32(0); // offset
        buffer.i32(max_baskets as i32);
        buffer.i32(if scalar || branch.kind == BranchType::String { 0 } else { 99 }); // split level
        buffer.i64(entries);
        buffer.i64(0); // first entry
        buffer.i64(branch.total_bytes);
        buffer.i64(branch.stored_bytes);
        buffer.object_array(BITS_PLAIN, 0, |_| {}); // sub-branches
        let leaf = buffer.object_array(BITS_PLAIN, 1, |buffer| write_leaf(buffer, branch));
        // Baskets in memory: none, but as many places as there are baskets, and one for the next.
        buffer.object_array(BITS_PLAIN, baskets.len() + 1, |buffer| (0..=baskets.len()).for_each(|_| buffer.null()));
        let unused = max_baskets - baskets.len();
        buffer.u8(1);
        baskets.iter().for_each(|basket| buffer.i32(basket.bytes));
        (0..unused).for_each(|_| buffer.i32(0));
        buffer.u8(1);
        baskets.iter().for_each(|basket| buffer.i64(basket.first_entry));
        buffer.i64(entries);
        (1..unused).for_each(|_| buffer.i64(0));
        buffer.u8(1);
        baskets.iter().for_each(|basket| buffer.i64(basket.position));
        (0..unused).for_each(|_| buffer.i64(0));
        buffer.string(""); // baskets are in this file
        leaf
    })
}

fn write_leaf(buffer: &mut Buffer, branch: &Branch) -> Reference {
    let name = &branch.name;
    match branch.kind {
        BranchType::Int => write_leaf_of(buffer, "TLeafI", name, 4, |buffer| {
            buffer.i32(0); // minimum
            buffer.i32(0); // maximum
        }),
        BranchType::Float => write_leaf_of(buffer, "TLeafF", name, 4, |buffer| {
            buffer.f32(0.0);
            buffer.f32(0.0);
        }),
        BranchType::Double => write_leaf_of(buffer, "TLeafD", name, 8, |buffer| {
            buffer.f64(0.0);
            buffer.f64(0.0);
        }),
        _ => write_leaf_of(buffer, "TLeafElement", name, 0, |buffer| {
            buffer.i32(-1); // not a member
            buffer.i32(-1); // no streamer element
        }),
    }
}

fn write_leaf_of(
    buffer: &mut Buffer,
    class: &'static str,
    name: &str,
    size: i32,
    tail: impl FnOnce(&mut Buffer),
) -> Reference {
    buffer.pointer(class, |buffer| {
        buffer.counted(1, |buffer| {
            buffer.counted(2, |buffer| {
                buffer.named(BITS_PLAIN, name, name);
                buffer.i32(1); // values per entry
                buffer.i32(size);
                buffer.i32(0); // offset
                buffer.u8(0); // no range
                buffer.u8(0); // signed
                buffer.null(); // no count
            });
            tail(buffer);
        });
    })
}
