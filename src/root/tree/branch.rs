//! One branch while it is filled: the bytes of its open basket, and what is known of the baskets closed before.
//!
//! A basket holds the values of consecutive entries. Numbers stand one after the other; vectors and strings differ in
//! size, so the offset of each entry follows the data (counted from the start of the record, key included). A basket
//! is closed as soon as it exceeds the wanted size, independently of the other branches.

use std::io;

use super::super::buffer::{BYTE_COUNT, put_f32s, put_f64s, put_i32s, put_string, string_size};
use super::super::compression::Compression;
use super::super::record::{Key, Record, RootDate};
use super::cell::{Cell, Column, Nested};
use super::{BranchType, Tree};

/// Version of `std::vector` as ROOT streams it.
const VECTOR_VERSION: i16 = 9;
/// Bytes before the elements of a vector: count, version, number of elements.
const VECTOR_HEAD: usize = 10;
/// An entry must stay below this: the count of its bytes has 30 bits.
pub(super) const ENTRY_LIMIT: usize = (1 << 30) - 2;
/// Bytes that a basket adds to its key: version, sizes, number of entries, end of the data, flag.
const BASKET_TAIL: usize = 19;
/// ROOT's default size of baskets, in bytes.
pub(in crate::root) const BASKET_SIZE: usize = 32_000;

/// A branch of a tree that is being filled.
#[derive(Debug)]
pub(in crate::root) struct Branch {
    pub name: String,
    pub kind: BranchType,
    /// Bytes of a basket's key; offsets of entries count from the start of the key.
    key_length: usize,
    data: Vec<u8>,
    /// Start of each entry in `data`; stays empty for numbers.
    offsets: Vec<i32>,
    /// First entry of the open basket.
    first_entry: i64,
    pub baskets: Vec<BasketPlace>,
    /// Bytes of all baskets, keys included, before compression.
    pub total_bytes: i64,
    /// The same as stored.
    pub stored_bytes: i64,
}

/// What a tree records of each of its baskets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::root) struct BasketPlace {
    pub first_entry: i64,
    /// Size of the record.
    pub bytes: i32,
    /// Position of the record.
    pub position: i64,
}

/// A closed basket, on its way to the file.
#[derive(Debug)]
pub(in crate::root) struct Basket {
    /// Which of the branch's baskets it is.
    pub number: usize,
    payload: Vec<u8>,
    /// Bytes of data before the offsets.
    data_length: usize,
    entries: i32,
}

impl Branch {
    /// An empty branch of the tree `tree`.
    pub fn new(tree: &str, name: String, kind: BranchType) -> Self {
        let key_length = Self::key(tree, &name, RootDate::default()).basket_length(BASKET_TAIL);
        Self {
            name,
            kind,
            key_length,
            data: Vec::new(),
            offsets: Vec::new(),
            first_entry: 0,
            baskets: Vec::new(),
            total_bytes: 0,
            stored_bytes: 0,
        }
    }

    /// Bytes that a value takes in a basket.
    pub fn encoded_size(cell: &Cell<'_>) -> usize {
        match cell {
            Cell::Int(_) | Cell::Float(_) => 4,
            Cell::Double(_) => 8,
            Cell::Str(text) => string_size(text.len()),
            Cell::VecInt(values) => VECTOR_HEAD + 4 * values.len(),
            Cell::VecFloat(values) => VECTOR_HEAD + 4 * values.len(),
            Cell::VecDouble(values) => VECTOR_HEAD + 8 * values.len(),
            Cell::VecVecInt(nested) => VECTOR_HEAD + 4 * (nested.rows() + nested.values()),
            Cell::VecVecFloat(nested) => VECTOR_HEAD + 4 * (nested.rows() + nested.values()),
        }
    }

    /// Appends one entry; type and size have been checked.
    pub fn push(&mut self, cell: &Cell<'_>) {
        if self.kind.scalar_size().is_none() {
            self.offsets.push(self.data.len() as i32);
        }
        let data = &mut self.data;
        match *cell {
            Cell::Int(value) => data.extend(value.to_be_bytes()),
            Cell::Float(value) => data.extend(value.to_be_bytes()),
            Cell::Double(value) => data.extend(value.to_be_bytes()),
            Cell::Str(text) => put_string(data, text.as_bytes()),
            Cell::VecInt(values) => {
                put_vector_head(data, values.len(), Self::encoded_size(cell));
                put_i32s(data, values);
            }
            Cell::VecFloat(values) => {
                put_vector_head(data, values.len(), Self::encoded_size(cell));
                put_f32s(data, values);
            }
            Cell::VecDouble(values) => {
                put_vector_head(data, values.len(), Self::encoded_size(cell));
                put_f64s(data, values);
            }
            Cell::VecVecInt(nested) => put_nested(data, nested, Self::encoded_size(cell), put_i32s),
            Cell::VecVecFloat(nested) => put_nested(data, nested, Self::encoded_size(cell), put_f32s),
        }
    }

    /// Appends the entries `from..to` of a column of the branch's type.
    pub fn push_column(&mut self, column: &Column<'_>, from: usize, to: usize) {
        match column {
            Column::Int(values) => put_i32s(&mut self.data, &values[from..to]),
            Column::Float(values) => put_f32s(&mut self.data, &values[from..to]),
            Column::Double(values) => put_f64s(&mut self.data, &values[from..to]),
        }
    }

    /// Entries that a branch of numbers takes before its open basket reaches `basket_size`.
    pub fn entries_until_full(&self, basket_size: usize) -> usize {
        let size = self.kind.scalar_size().unwrap_or(1);
        let room = basket_size.saturating_sub(self.key_length + self.data.len());
        room.div_ceil(size).max(1)
    }

    /// Whether the open basket has reached `basket_size` bytes.
    pub fn is_full(&self, basket_size: usize) -> bool {
        self.key_length + self.data.len() + 4 * self.offsets.len() >= basket_size
    }

    /// Closes the open basket, whose last entry is the one before `end`; `None` if it is empty.
    pub fn close_basket(&mut self, end: i64) -> Option<Basket> {
        let entries = i32::try_from(end - self.first_entry).ok().filter(|&entries| entries > 0)?;
        let number = self.baskets.len();
        self.baskets.push(BasketPlace { first_entry: self.first_entry, bytes: 0, position: 0 });
        self.first_entry = end;
        let capacity = self.data.len().min(2 * BASKET_SIZE);
        let mut payload = std::mem::replace(&mut self.data, Vec::with_capacity(capacity));
        let data_length = payload.len();
        if self.kind.scalar_size().is_none() {
            let start = self.key_length as i32;
            put_i32s(&mut payload, &[entries + 1]);
            for offset in &mut self.offsets {
                *offset += start;
            }
            self.offsets.push(0);
            put_i32s(&mut payload, &self.offsets);
            self.offsets.clear();
        }
        Some(Basket { number, payload, data_length, entries })
    }

    /// Notes where a basket was written.
    pub fn placed(&mut self, basket: usize, record: &Record, position: u64) {
        let place = &mut self.baskets[basket];
        place.bytes = record.size() as i32;
        place.position = position as i64;
        self.total_bytes += record.uncompressed_size() as i64;
        self.stored_bytes += record.size() as i64;
    }

    fn key<'a>(tree: &'a str, branch: &'a str, date: RootDate) -> Key<'a> {
        Key { class: "TBasket", name: branch, title: tree, cycle: 0, date }
    }
}

impl Basket {
    /// Bytes waiting to be compressed.
    pub fn payload_size(&self) -> usize {
        self.payload.len()
    }

    /// Compresses the basket into its record.
    pub fn record(&self, tree: &Tree, branch: &Branch, compression: Compression, date: RootDate) -> io::Result<Record> {
        let last = branch.key_length + self.data_length;
        // For numbers the bytes per entry; else the room a reader should keep for the offsets.
        let entry_size = branch.kind.scalar_size().map_or_else(|| 1000.max(self.entries + 1), |size| size as i32);
        let mut tail = Vec::with_capacity(BASKET_TAIL);
        tail.extend(3_i16.to_be_bytes());
        put_i32s(&mut tail, &[last.max(BASKET_SIZE) as i32, entry_size, self.entries, last as i32]);
        tail.push(0);
        Branch::key(&tree.name, &branch.name, date).basket_record(&tail, &self.payload, compression)
    }
}

/// Count of bytes, version and number of elements of a vector that takes `size` bytes altogether.
fn put_vector_head(out: &mut Vec<u8>, elements: usize, size: usize) {
    out.extend((BYTE_COUNT | (size - 4) as u32).to_be_bytes());
    out.extend(VECTOR_VERSION.to_be_bytes());
    out.extend((elements as i32).to_be_bytes());
}

/// A vector of vectors: the inner ones have only a number of elements before their values.
fn put_nested<T>(out: &mut Vec<u8>, nested: Nested<'_, T>, size: usize, put: impl Fn(&mut Vec<u8>, &[T])) {
    out.reserve(size);
    put_vector_head(out, nested.rows(), size);
    nested.for_each_row(|row| {
        out.extend((row.len() as i32).to_be_bytes());
        put(out, row);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(cell: Cell<'_>) -> Vec<u8> {
        let mut branch = Branch::new("tree", "branch".into(), cell.branch_type());
        branch.push(&cell);
        assert_eq!(branch.data.len(), Branch::encoded_size(&cell));
        branch.data
    }

    /// The examples of spec 05 §10.2.
    #[test]
    fn entries_are_encoded_as_root_does() {
        assert_eq!(encoded(Cell::Int(130)), [0, 0, 0, 0x82]);
        assert_eq!(
            encoded(Cell::VecFloat(&[1.5, 2.5])),
            [0x40, 0, 0, 0x0e, 0, 9, 0, 0, 0, 2, 0x3f, 0xc0, 0, 0, 0x40, 0x20, 0, 0]
        );
        assert_eq!(encoded(Cell::VecInt(&[])), [0x40, 0, 0, 6, 0, 9, 0, 0, 0, 0]);
        assert_eq!(
            encoded(Cell::VecVecFloat(Nested::flat(&[1.5, 1.0, 0.5], &[0, 1, 3]))),
            [
                0x40, 0, 0, 0x1a, 0, 9, 0, 0, 0, 2, 0, 0, 0, 1, 0x3f, 0xc0, 0, 0, 0, 0, 0, 2, 0x3f, 0x80, 0, 0, 0x3f,
                0, 0, 0
            ]
        );
        assert_eq!(encoded(Cell::Str("7.2.0")), [5, 0x37, 0x2e, 0x32, 0x2e, 0x30]);
        assert_eq!(encoded(Cell::VecDouble(&[1.0]))[10..], 1_f64.to_be_bytes());
    }

    /// Offsets include the key, whose length follows from the strings: 34 + 8 + 7 + 5 + 19.
    #[test]
    fn a_basket_of_strings_ends_with_offsets() {
        let mut branch = Branch::new("tree", "branch".into(), BranchType::String);
        branch.push(&Cell::Str("a"));
        branch.push(&Cell::Str("bc"));
        let basket = branch.close_basket(2).unwrap();
        assert_eq!(branch.key_length, 73);
        assert_eq!(basket.payload[..5], *b"\x01a\x02bc");
        assert_eq!(basket.payload[5..], [0, 0, 0, 3, 0, 0, 0, 73, 0, 0, 0, 75, 0, 0, 0, 0]);
        assert_eq!((basket.data_length, basket.entries), (5, 2));
        assert!(branch.close_basket(2).is_none());
    }

    #[test]
    fn a_basket_of_numbers_is_full_after_the_foretold_entries() {
        for kind in [BranchType::Int, BranchType::Double] {
            let mut branch = Branch::new("tree", "branch".into(), kind);
            let expected = branch.entries_until_full(BASKET_SIZE);
            let mut entries = 0;
            while !branch.is_full(BASKET_SIZE) {
                branch.push(&if kind == BranchType::Int { Cell::Int(1) } else { Cell::Double(1.0) });
                entries += 1;
                assert_eq!(branch.entries_until_full(BASKET_SIZE), (expected - entries).max(1));
            }
            assert_eq!(entries, expected);
        }
    }
}
