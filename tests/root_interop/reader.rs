//! A small reader of ROOT files, written for these tests from the format alone (spec 05 §10.2) and sharing no code
//! with the writer. It checks what other readers pass over: that records follow one another without gaps, that every
//! count of bytes is right, that sizes and positions in the tree agree with the records.

use std::collections::HashMap;
use std::io::Read;

use crate::content::{Table, Value};
use panaskimg::root::BranchType;

/// One record of the file.
#[derive(Debug, Clone)]
pub struct Record {
    pub position: usize,
    pub size: usize,
    pub key_length: usize,
    pub payload_size: usize,
    pub date: u32,
    pub version: i16,
    pub cycle: i16,
    pub parent: u64,
    pub class: String,
    pub name: String,
    pub title: String,
    /// The bytes of the key.
    pub key: Vec<u8>,
    /// The payload, decompressed.
    pub payload: Vec<u8>,
    /// Letters of the compression of each piece ("ZL", …); none if the payload is stored raw.
    pub pieces: Vec<String>,
}

/// The whole file.
pub struct File {
    pub bytes: Vec<u8>,
    pub records: Vec<Record>,
    pub compression: i32,
    pub uuid: [u8; 16],
}

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
    pub compression_dependent: Vec<std::ops::Range<usize>>,
}

/// Reads big-endian numbers from a slice.
pub struct Cursor<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
    /// Class names by the place where they were first written.
    classes: HashMap<u32, String>,
    key_length: usize,
}

macro_rules! number {
    ($name:ident, $type:ty) => {
        pub fn $name(&mut self) -> $type {
            let size = std::mem::size_of::<$type>();
            let value =
                <$type>::from_be_bytes(self.bytes[self.at..self.at + size].try_into().unwrap());
            self.at += size;
            value
        }
    };
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            classes: HashMap::new(),
            key_length: 0,
        }
    }

    number!(u8, u8);
    number!(i16, i16);
    number!(u16, u16);
    number!(i32, i32);
    number!(u32, u32);
    number!(i64, i64);
    number!(u64, u64);
    number!(f32, f32);
    number!(f64, f64);

    pub fn bytes(&mut self, length: usize) -> &'a [u8] {
        self.at += length;
        &self.bytes[self.at - length..self.at]
    }

    pub fn string(&mut self) -> String {
        let mut length = self.u8() as usize;
        if length == 255 {
            length = self.u32() as usize;
        }
        String::from_utf8(self.bytes(length).to_vec()).unwrap()
    }

    /// A counted object of a known version, whose content is read by `read` to its last byte.
    pub fn counted<R>(&mut self, version: i16, read: impl FnOnce(&mut Self) -> R) -> R {
        self.with_count(|cursor| {
            assert_eq!(cursor.i16(), version);
            read(cursor)
        })
    }

    /// A pointer to a new object: `read` is given its class.
    fn pointer<R>(&mut self, read: impl FnOnce(&mut Self, &str) -> R) -> R {
        self.with_count(|cursor| {
            let place = (cursor.at + cursor.key_length + 2) as u32;
            let tag = cursor.u32();
            let class = if tag == 0xffff_ffff {
                let end = cursor.at
                    + cursor.bytes[cursor.at..]
                        .iter()
                        .position(|&byte| byte == 0)
                        .unwrap();
                let class = String::from_utf8(cursor.bytes[cursor.at..end].to_vec()).unwrap();
                cursor.at = end + 1;
                cursor.classes.insert(place, class.clone());
                class
            } else {
                assert_ne!(tag & 0x8000_0000, 0);
                cursor.classes[&(tag & 0x7fff_ffff)].clone()
            };
            read(cursor, &class)
        })
    }

    fn with_count<R>(&mut self, read: impl FnOnce(&mut Self) -> R) -> R {
        let count = self.u32();
        assert_eq!(count >> 30, 1, "no count of bytes at {}", self.at - 4);
        let end = self.at + (count & 0x3fff_ffff) as usize;
        let result = read(self);
        assert_eq!(self.at, end, "an object does not end where its count says");
        result
    }

    fn skip_counted(&mut self) {
        let count = self.u32();
        assert_eq!(count >> 30, 1);
        self.at += (count & 0x3fff_ffff) as usize;
    }

    fn named(&mut self) -> (String, String) {
        self.counted(1, |cursor| {
            cursor.at += 10;
            (cursor.string(), cursor.string())
        })
    }

    /// An array of objects; gives its length after reading the head.
    fn array<R>(&mut self, read: impl FnOnce(&mut Self, usize) -> R) -> R {
        self.counted(3, |cursor| {
            cursor.at += 10;
            assert_eq!(cursor.string(), "");
            let length = cursor.i32() as usize;
            assert_eq!(cursor.i32(), 0);
            read(cursor, length)
        })
    }
}

impl File {
    pub fn parse(bytes: Vec<u8>) -> Self {
        assert_eq!(&bytes[..4], b"root");
        let mut header = Cursor::new(&bytes);
        header.at = 4;
        assert!(header.i32() < 1_000_000, "8-byte positions in the header");
        let begin = header.i32() as usize;
        let end = header.i32() as usize;
        assert_eq!((begin, end), (100, bytes.len()));
        let free_list = (header.i32() as usize, header.i32() as usize);
        assert_eq!(header.i32(), 1);
        header.i32();
        assert_eq!(header.u8(), 4);
        let compression = header.i32();
        let streamer_info = (header.i32() as usize, header.i32() as usize);
        assert_eq!(header.u16(), 1);
        let uuid = header.bytes(16).try_into().unwrap();
        let mut records = Vec::new();
        let mut at = begin;
        while at < end {
            let record = Record::parse(&bytes, at);
            at += record.size;
            records.push(record);
        }
        assert_eq!(at, end, "records do not fill the file");
        let file = Self {
            bytes,
            records,
            compression,
            uuid,
        };
        let named = |place: (usize, usize)| {
            let record = file
                .records
                .iter()
                .find(|record| record.position == place.0)
                .expect("no record there");
            assert_eq!(record.size, place.1);
            record.name.clone()
        };
        assert_eq!(named(streamer_info), "StreamerInfo");
        named(free_list);
        file
    }

    pub fn record(&self, class: &str, name: &str) -> &Record {
        self.records
            .iter()
            .find(|record| record.class == class && record.name == name)
            .expect("no such record")
    }

    /// Checks the directory and gives class and name of what it lists.
    pub fn directory(&self) -> Vec<(String, String)> {
        let directory = &self.records[0];
        assert_eq!((directory.class.as_str(), directory.parent), ("TFile", 0));
        let mut cursor = Cursor::new(&directory.payload);
        assert_eq!(cursor.string(), directory.name);
        assert_eq!(cursor.string(), directory.title);
        let name_bytes = directory.key_length + cursor.at;
        assert_eq!(cursor.i16(), 5);
        cursor.at += 8;
        let list_size = cursor.i32() as usize;
        assert_eq!(cursor.i32() as usize, name_bytes);
        assert_eq!(cursor.i32(), 100);
        assert_eq!(cursor.i32(), 0);
        let list_position = cursor.i32() as usize;
        assert_eq!(cursor.u16(), 1);
        assert_eq!(cursor.bytes(16), self.uuid);
        let list = self
            .records
            .iter()
            .find(|record| record.position == list_position)
            .expect("no list of keys");
        assert_eq!(list.size, list_size);
        let mut cursor = Cursor::new(&list.payload);
        let count = cursor.i32();
        let mut names = Vec::new();
        for _ in 0..count {
            let start = cursor.at;
            let key_length =
                u16::from_be_bytes(list.payload[start + 14..start + 16].try_into().unwrap())
                    as usize;
            let key = cursor.bytes(key_length);
            let record = self
                .records
                .iter()
                .find(|record| record.key == key)
                .expect("a key without record");
            names.push((record.class.clone(), record.name.clone()));
        }
        assert_eq!(cursor.at, list.payload.len());
        names
    }

    /// Reads a tree with all its entries.
    pub fn table(&self, name: &str) -> Table {
        let record = self.record("TTree", name);
        let tree = Tree::parse(record);
        let schema = tree
            .branches
            .iter()
            .map(|branch| (branch.name.clone(), branch.kind))
            .collect();
        let mut rows = vec![Vec::new(); tree.entries as usize];
        for branch in &tree.branches {
            let values = self.values(name, branch, tree.entries);
            assert_eq!(values.len(), rows.len());
            for (row, value) in rows.iter_mut().zip(values) {
                row.push(value);
            }
        }
        Table {
            name: name.to_owned(),
            schema,
            rows,
        }
    }

    /// The baskets of a branch, in order.
    pub fn baskets<'a>(&'a self, branch: &'a Branch) -> impl Iterator<Item = &'a Record> {
        branch.baskets.iter().map(|&(size, _, position)| {
            let record = self
                .records
                .iter()
                .find(|record| record.position == position)
                .expect("no basket there");
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
                offsets = (0..count)
                    .map(|_| cursor.i32() as usize - record.key_length)
                    .collect();
                assert_eq!(cursor.i32(), 0);
                assert_eq!(cursor.at, cursor.bytes.len());
            }
            for entry in 0..count {
                if fixed.is_none() {
                    assert_eq!(data.at, offsets[entry]);
                }
                values.push(Value::read(branch.kind, &mut data));
            }
            assert_eq!(data.at, data_length);
        }
        assert_eq!(values.len() as i64, entries);
        assert_eq!(
            (branch.total_bytes, branch.stored_bytes),
            (total as i64, stored as i64)
        );
        values
    }
}

impl Record {
    fn parse(file: &[u8], position: usize) -> Self {
        let mut cursor = Cursor::new(file);
        cursor.at = position;
        let size = cursor.i32() as usize;
        let version = cursor.i16();
        let payload_size = cursor.i32() as usize;
        let date = cursor.u32();
        let key_length = cursor.i16() as usize;
        let cycle = cursor.i16();
        let (own, parent) = match version {
            4 => (u64::from(cursor.u32()), u64::from(cursor.u32())),
            1004 => (cursor.u64(), cursor.u64()),
            _ => panic!("key version {version}"),
        };
        assert_eq!(own as usize, position);
        let (class, name, title) = (cursor.string(), cursor.string(), cursor.string());
        let key = file[position..position + key_length].to_vec();
        let stored = &file[position + key_length..position + size];
        let (payload, pieces) = if stored.len() == payload_size {
            (stored.to_vec(), Vec::new())
        } else {
            decompress(stored)
        };
        assert_eq!(payload.len(), payload_size, "{class} {name}");
        Self {
            position,
            size,
            key_length,
            payload_size,
            date,
            version,
            cycle,
            parent,
            class,
            name,
            title,
            key,
            payload,
            pieces,
        }
    }
}

fn decompress(mut stored: &[u8]) -> (Vec<u8>, Vec<String>) {
    let size =
        |bytes: &[u8]| bytes[0] as usize | (bytes[1] as usize) << 8 | (bytes[2] as usize) << 16;
    let (mut payload, mut pieces) = (Vec::new(), Vec::new());
    while !stored.is_empty() {
        let (compressed, uncompressed) = (size(&stored[3..]), size(&stored[6..]));
        let (piece, start) = (&stored[9..9 + compressed], payload.len());
        match &stored[..3] {
            b"ZL\x08" => {
                flate2::read::ZlibDecoder::new(piece)
                    .read_to_end(&mut payload)
                    .unwrap();
            }
            b"L4\x01" => {
                let checksum = u64::from_be_bytes(piece[..8].try_into().unwrap());
                assert_eq!(checksum, xxhash_rust::xxh64::xxh64(&piece[8..], 0));
                payload.extend(lz4_flex::block::decompress(&piece[8..], uncompressed).unwrap());
            }
            b"ZS\x01" => payload.extend(zstd::bulk::decompress(piece, uncompressed).unwrap()),
            other => panic!("compression {other:?}"),
        }
        assert_eq!(payload.len() - start, uncompressed);
        pieces.push(String::from_utf8(stored[..2].to_vec()).unwrap());
        stored = &stored[9 + compressed..];
    }
    (payload, pieces)
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
                (0..length)
                    .map(|_| Branch::parse(cursor, entries, &mut leaf_places, &mut dependent))
                    .collect()
            });
            let leaves: Vec<u32> =
                cursor.array(|cursor, length| (0..length).map(|_| cursor.u32()).collect());
            assert_eq!(leaves, leaf_places);
            (0..7).for_each(|_| assert_eq!(cursor.u32(), 0));
            (entries, total, stored, branches)
        });
        assert_eq!(cursor.at, record.payload.len());
        assert_eq!(
            total,
            branches
                .iter()
                .map(|branch| branch.total_bytes)
                .sum::<i64>()
        );
        assert_eq!(
            stored,
            branches
                .iter()
                .map(|branch| branch.stored_bytes)
                .sum::<i64>()
        );
        Self {
            entries,
            branches,
            compression_dependent: dependent,
        }
    }
}

impl Branch {
    fn parse(
        cursor: &mut Cursor<'_>,
        entries: i64,
        leaf_places: &mut Vec<u32>,
        dependent: &mut Vec<std::ops::Range<usize>>,
    ) -> Self {
        cursor.pointer(|cursor, class| match class {
            "TBranch" => Self::parse_content(cursor, entries, leaf_places, dependent),
            "TBranchElement" => cursor.counted(10, |cursor| {
                let mut branch = Self::parse_content(cursor, entries, leaf_places, dependent);
                let name = cursor.string();
                branch.kind = all_types()
                    .find(|kind| kind.cpp_name() == name)
                    .expect("a class we know");
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
        dependent: &mut Vec<std::ops::Range<usize>>,
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
            let baskets = (0..basket_count)
                .map(|i| (sizes[i], first[i], positions[i]))
                .collect();
            Self {
                name,
                kind,
                compression,
                baskets,
                total_bytes,
                stored_bytes,
            }
        })
    }
}

/// A class as the file describes it.
#[derive(Debug, PartialEq)]
pub struct Class {
    pub name: String,
    pub checksum: u32,
    pub version: i32,
    pub members: Vec<Member>,
}

/// A member of a class: what the file says of it, titles aside, except those that give the length of an array.
#[derive(Debug, PartialEq)]
pub struct Member {
    pub class: String,
    pub name: String,
    pub length: String,
    pub code: i32,
    pub size: i32,
    pub dimensions: [u32; 7],
    pub type_name: String,
    pub tail: Vec<u8>,
}

impl File {
    /// The classes of the `StreamerInfo` record.
    pub fn classes(&self) -> Vec<Class> {
        let record = self.record("TList", "StreamerInfo");
        let mut cursor = Cursor::new(&record.payload);
        cursor.key_length = record.key_length;
        let classes = cursor.counted(5, |cursor| {
            cursor.at += 10;
            assert_eq!(cursor.string(), "");
            let length = cursor.i32();
            (0..length)
                .filter_map(|_| {
                    let class = Class::parse(cursor);
                    assert_eq!(cursor.string(), "");
                    class
                })
                .collect()
        });
        assert_eq!(cursor.at, record.payload.len());
        classes
    }
}

impl Class {
    /// A class, or none if the entry of the list is something else (ROOT adds rules of conversion).
    fn parse(cursor: &mut Cursor<'_>) -> Option<Self> {
        cursor.pointer(|cursor, class| {
            if class != "TStreamerInfo" {
                cursor.skip_counted();
                return None;
            }
            cursor.counted(9, |cursor| {
                let (name, _) = cursor.named();
                let (checksum, version) = (cursor.u32(), cursor.i32());
                let members = cursor.pointer(|cursor, _| {
                    cursor.array(|cursor, length| {
                        (0..length).map(|_| Member::parse(cursor)).collect()
                    })
                });
                Some(Self {
                    name,
                    checksum,
                    version,
                    members,
                })
            })
        })
    }
}

impl Member {
    fn parse(cursor: &mut Cursor<'_>) -> Self {
        cursor.pointer(|cursor, class| {
            let count = cursor.u32() & 0x3fff_ffff;
            let end = cursor.at + count as usize;
            cursor.at += 2;
            let (name, title, code, size, dimensions, type_name) = cursor.counted(4, |cursor| {
                let (name, title) = cursor.named();
                let (code, size) = (cursor.i32(), cursor.i32());
                let dimensions = std::array::from_fn(|_| cursor.u32());
                (name, title, code, size, dimensions, cursor.string())
            });
            let length = if title.starts_with('[') {
                title.split(']').next().unwrap().into()
            } else {
                String::new()
            };
            let tail = cursor.bytes(end - cursor.at).to_vec();
            Self {
                class: class.to_owned(),
                name,
                length,
                code,
                size,
                dimensions,
                type_name,
                tail,
            }
        })
    }
}

/// All types of branches.
pub fn all_types() -> impl Iterator<Item = BranchType> {
    use BranchType::{
        Double, Float, Int, String, VecDouble, VecFloat, VecInt, VecVecFloat, VecVecInt,
    };
    [
        Int,
        Float,
        Double,
        String,
        VecInt,
        VecFloat,
        VecDouble,
        VecVecInt,
        VecVecFloat,
    ]
    .into_iter()
}
