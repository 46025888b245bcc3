//! The descriptions of classes in the `StreamerInfo` record.

use super::{Cursor, File};

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
                    cursor.array(|cursor, length| (0..length).map(|_| Member::parse(cursor)).collect())
                });
                Some(Self { name, checksum, version, members })
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
            let length = if title.starts_with('[') { title.split(']').next().unwrap().into() } else { String::new() };
            let tail = cursor.bytes(end - cursor.at).to_vec();
            Self { class: class.to_owned(), name, length, code, size, dimensions, type_name, tail }
        })
    }
}
