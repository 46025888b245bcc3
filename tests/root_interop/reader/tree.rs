//! Trees: their description, and the values in their baskets.

use std::ops::Range;

use panaskimg::root::BranchType;

use super::{Cursor, File, Record};
use crate::content::{Table, Value};

/// A branch as the tree describes it.
pub struct Branch {
    pub name: String,
    pub kind: BranchType,
    pub compression: i32,
    /// Record size, first entry and position of each basket.
    pub baskets: Vec<(usize, i64, usize)>,
    pub total_bytes: i64,
    pub stored_bytes: i64,
}

/// A tree and the places in its payload that depend on compression.
pub struct Tree {
    pub entries: i64,
    pub branches: Vec<Branch>,
    /// Ranges of the payload that hold compressed sizes and positions.
    pub compression_dependent: Vec<Range<usize>>,
}

impl File {
    /// Reads a tree with all its entries.
    pub fn table(&self, name: &str) -> Table {
        let record = self.record("TTree", name);
        let tree = Tree::parse(record);
        let schema = tree.branches.iter().map(|branch| (branch.name.clone(), branch.kind)).collect();
        let mut rows = vec![Vec::new(); tree.entries as usize];
        for branch in &tree.branches {
            let values = self.values(name, branch, tree.entries);
            assert_eq!(values.len(), rows.len());
            for (row, value) in rows.iter_mut().zip(values) {
                row.push(value);
            }
        }
        Table { name: name.to_owned(), schema, rows }
    }

    /// The baskets of a branch, in order.
    pub fn baskets<'a>(&'a self, branch: &'a Branch) -> impl Iterator<Item = &'a Record> {
        branch.baskets.iter().map(|&(size, _, position)| {
            let record = self.records.iter().find(|record| record.position == position).expect("no basket there");
            assert_eq!(
                (record.class.as_str(), record.name.as_str(), record.size),
                ("TBasket", branch.name.as_str(), size)
            );
            record
        })
    }

    fn values(&self, tree: &str, branch: &Branch, entries: i64) -> Vec<Value> {
        let mut values = Vec::new();
        let (mut total, mut stored) = (0, 0);
        for (record, &(_, first_entry, _)) in self.baskets(branch).zip(&branch.baskets) {
            assert_eq!(record.title, tree);
            assert_eq!(first_entry as usize, values.len());
            total += record.key_length + record.payload_size;
            stored += record.size;
            let tail = &record.key[record.key.len() - 19..];
            let mut cursor = Cursor::new(tail);
            assert_eq!(cursor.i16(), 3);
            let (buffer_size, entry_size) = (cursor.i32(), cursor.i32());
            let (count, last) = (cursor.i32() as usize, cursor.i32() as usize);
            assert_eq!(cursor.u8(), 0);
            assert!(buffer_size as usize >= last);
            let data_length = last - record.key_length;
            let mut data = Cursor::new(&record.payload[..data_length]);
            let fixed = match branch.kind {
                BranchType::Int | BranchType::Float => Some(4),
                BranchType::Double => Some(8),
                _ => None,
            };
            let mut offsets = Vec::new();
            if let Some(size) = fixed {
                assert_eq!((entry_size, data_length), (size, size as usize * count));
                assert_eq!(record.payload.len(), data_length);
            } else {
                assert!(entry_size as usize > count);
                let mut cursor = Cursor::new(&record.payload[data_length..]);
                assert_eq!(cursor.i32() as usize, count + 1);
                offsets = (0..count).map(|_| cursor.i32() as usize - record.key_length).collect();
                assert_eq!(cursor.i32(), 0);
                assert_eq!(cursor.at, cursor.bytes.len());
            }
            for entry in 0..count {
                if let Some(&offset) = offsets.get(entry) {
                    assert_eq!(data.at, offset);
                }
                values.push(Value::read(branch.kind, &mut data));
            }
            assert_eq!(data.at, data_length);
        }
        assert_eq!(values.len() as i64, entries);
        assert_eq!((branch.total_bytes, branch.stored_bytes), (total as i64, stored as i64));
        values
    }
}

impl Tree {
    pub fn parse(record: &Record) -> Self {
        let mut cursor = Cursor::new(&record.payload);
        cursor.key_length = record.key_length;
        let mut dependent = Vec::new();
        let (entries, total, stored, branches) = cursor.counted(20, |cursor| {
            assert_eq!(cursor.named(), (record.name.clone(), record.title.clone()));
            (0..3).for_each(|_| cursor.skip_counted());
            let (entries, total) = (cursor.i64(), cursor.i64());
            dependent.push(cursor.at..cursor.at + 8);
            let stored = cursor.i64();
            cursor.at += 16 + 8 + 16;
            assert_eq!(cursor.i32(), 0);
            cursor.at += 6 * 8 + 2;
            cursor.skip_counted();
            let mut leaf_places = Vec::new();
            let branches: Vec<Branch> = cursor.array(|cursor, length| {
                (0..length).map(|_| Branch::parse(cursor, entries, &mut leaf_places, &mut dependent)).collect()
            });
            let leaves: Vec<u32> = cursor.array(|cursor, length| (0..length).map(|_| cursor.u32()).collect());
            assert_eq!(leaves, leaf_places);
            (0..7).for_each(|_| assert_eq!(cursor.u32(), 0));
            (entries, total, stored, branches)
        });
        assert_eq!(cursor.at, record.payload.len());
        assert_eq!(total, branches.iter().map(|branch| branch.total_bytes).sum::<i64>());
        assert_eq!(stored, branches.iter().map(|branch| branch.stored_bytes).sum::<i64>());
        Self { entries, branches, compression_dependent: dependent }
    }
}

impl Branch {
    fn parse(
        cursor: &mut Cursor<'_>,
        entries: i64,
        leaf_places: &mut Vec<u32>,
        dependent: &mut Vec<Range<usize>>,
    ) -> Self {
        cursor.pointer(|cursor, class| match class {
            "TBranch" => Self::parse_content(cursor, entries, leaf_places, dependent),
            "TBranchElement" => cursor.counted(10, |cursor| {
                let mut branch = Self::parse_content(cursor, entries, leaf_places, dependent);
                let name = cursor.string();
                branch.kind = all_types().find(|kind| kind.cpp_name() == name).expect("a class we know");
                cursor.at += 1 + 1 + 4 + 2 + 4 * 6;
                branch
            }),
            _ => panic!("branch of class {class}"),
        })
    }

    fn parse_content(
        cursor: &mut Cursor<'_>,
        entries: i64,
        leaf_places: &mut Vec<u32>,
        dependent: &mut Vec<Range<usize>>,
    ) -> Self {
        cursor.counted(13, |cursor| {
            let (name, title) = cursor.named();
            cursor.skip_counted();
            let compression = cursor.i32();
            cursor.at += 8;
            let basket_count = cursor.i32() as usize;
            assert_eq!(cursor.i64(), entries);
            cursor.skip_counted();
            cursor.at += 4;
            let max_baskets = cursor.i32() as usize;
            assert!(max_baskets > basket_count);
            cursor.at += 4;
            assert_eq!(cursor.i64(), entries);
            assert_eq!(cursor.i64(), 0);
            let total_bytes = cursor.i64();
            dependent.push(cursor.at..cursor.at + 8);
            let stored_bytes = cursor.i64();
            cursor.array(|_, length| assert_eq!(length, 0));
            let leaf = cursor.array(|cursor, length| {
                assert_eq!(length, 1);
                leaf_places.push((cursor.at + cursor.key_length + 2) as u32);
                cursor.pointer(|cursor, class| {
                    let class = class.to_owned();
                    cursor.skip_counted();
                    class
                })
            });
            let kind = match leaf.as_str() {
                "TLeafI" => BranchType::Int,
                "TLeafF" => BranchType::Float,
                "TLeafD" => BranchType::Double,
                _ => BranchType::String, // the branch element knows better
            };
            let letter = match kind {
                BranchType::Int => "/I",
                BranchType::Float => "/F",
                BranchType::Double => "/D",
                _ => "",
            };
            assert_eq!(title, format!("{name}{letter}"));
            cursor.array(|cursor, length| (0..length).for_each(|_| assert_eq!(cursor.u32(), 0)));
            dependent.push(cursor.at + 1..cursor.at + 1 + 4 * max_baskets);
            assert_eq!(cursor.u8(), 1);
            let sizes: Vec<_> = (0..max_baskets).map(|_| cursor.i32() as usize).collect();
            assert_eq!(cursor.u8(), 1);
            let first: Vec<_> = (0..max_baskets).map(|_| cursor.i64()).collect();
            dependent.push(cursor.at + 1..cursor.at + 1 + 8 * max_baskets);
            assert_eq!(cursor.u8(), 1);
            let positions: Vec<_> = (0..max_baskets).map(|_| cursor.i64() as usize).collect();
            assert_eq!(cursor.string(), "");
            assert_eq!(first[basket_count], entries);
            let baskets = (0..basket_count).map(|i| (sizes[i], first[i], positions[i])).collect();
            Self { name, kind, compression, baskets, total_bytes, stored_bytes }
        })
    }
}

/// All types of branches.
pub fn all_types() -> impl Iterator<Item = BranchType> {
    use BranchType::{Double, Float, Int, String, VecDouble, VecFloat, VecInt, VecVecFloat, VecVecInt};
    [Int, Float, Double, String, VecInt, VecFloat, VecDouble, VecVecInt, VecVecFloat].into_iter()
}
