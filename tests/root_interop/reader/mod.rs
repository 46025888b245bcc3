//! A small reader of ROOT files, written for these tests from the format alone (spec 05 §10.2) and sharing no code
//! with the writer. It checks what other readers pass over: that records follow one another without gaps, that every
//! count of bytes is right, that sizes and positions in the tree agree with the records.

mod classes;
mod tree;

use std::collections::HashMap;
use std::io::Read;

pub use tree::{Tree, all_types};

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
    pub records: Vec<Record>,
    pub compression: i32,
    pub uuid: [u8; 16],
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
            let value = <$type>::from_be_bytes(self.bytes[self.at..self.at + size].try_into().unwrap());
            self.at += size;
            value
        }
    };
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, classes: HashMap::new(), key_length: 0 }
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
                let end = cursor.at + cursor.bytes[cursor.at..].iter().position(|&byte| byte == 0).unwrap();
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
        let file = Self { records, compression, uuid };
        let named = |place: (usize, usize)| {
            let record = file.records.iter().find(|record| record.position == place.0).expect("no record there");
            assert_eq!(record.size, place.1);
            record.name.clone()
        };
        assert_eq!(named(streamer_info), "StreamerInfo");
        named(free_list);
        file
    }

    pub fn record(&self, class: &str, name: &str) -> &Record {
        self.records.iter().find(|record| record.class == class && record.name == name).expect("no such record")
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
        let list = self.records.iter().find(|record| record.position == list_position).expect("no list of keys");
        assert_eq!(list.size, list_size);
        let mut cursor = Cursor::new(&list.payload);
        let count = cursor.i32();
        let mut names = Vec::new();
        for _ in 0..count {
            let start = cursor.at;
            let key_length = u16::from_be_bytes(list.payload[start + 14..start + 16].try_into().unwrap()) as usize;
            let key = cursor.bytes(key_length);
            let record = self.records.iter().find(|record| record.key == key).expect("a key without record");
            names.push((record.class.clone(), record.name.clone()));
        }
        assert_eq!(cursor.at, list.payload.len());
        names
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
        let (payload, pieces) =
            if stored.len() == payload_size { (stored.to_vec(), Vec::new()) } else { decompress(stored) };
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
    let size = |bytes: &[u8]| bytes[0] as usize | (bytes[1] as usize) << 8 | (bytes[2] as usize) << 16;
    let (mut payload, mut pieces) = (Vec::new(), Vec::new());
    while !stored.is_empty() {
        let (compressed, uncompressed) = (size(&stored[3..]), size(&stored[6..]));
        let (piece, start) = (&stored[9..9 + compressed], payload.len());
        match &stored[..3] {
            b"ZL\x08" => {
                flate2::read::ZlibDecoder::new(piece).read_to_end(&mut payload).unwrap();
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
