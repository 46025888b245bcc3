//! Records: what a ROOT file is made of.
//!
//! Each record is a *key* (sizes, date, class, name, title) followed by a payload (spec 05 §10.2). Records are put
//! together, and compressed, without knowing where in the file they will stand; the position is filled in when they
//! are written.

use std::io;

use jiff::civil::DateTime;

use super::buffer::{put_string, string_size};
use super::compression::Compression;

/// Bytes of a key before its strings, with positions of 4 bytes.
const KEY_BYTES: usize = 26;
/// The same with positions of 8 bytes, which ROOT always uses for baskets.
const WIDE_KEY_BYTES: usize = 34;
/// Where in the key the record's own position stands.
const POSITION: usize = 18;
/// Position of the only directory of our files.
const DIRECTORY: u32 = 100;

/// The strings and numbers that make a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key<'a> {
    /// Class of the object in the payload.
    pub class: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its title.
    pub title: &'a str,
    /// 1 for an object that can be looked up, 0 for a basket.
    pub cycle: i16,
    /// Date of the record.
    pub date: RootDate,
}

/// A record ready to be written.
#[derive(Debug)]
pub(super) struct Record {
    bytes: Vec<u8>,
    key_length: usize,
    /// Size of the payload before compression.
    pub payload_size: usize,
    wide: bool,
}

impl Key<'_> {
    /// Bytes of the key.
    pub fn length(&self) -> usize {
        KEY_BYTES + self.strings()
    }

    /// Bytes of the key of a basket, whose own `tail` bytes count as part of the key.
    pub fn basket_length(&self, tail: usize) -> usize {
        WIDE_KEY_BYTES + self.strings() + tail
    }

    /// The record that holds `payload`.
    pub fn record(&self, payload: &[u8], compression: Compression) -> io::Result<Record> {
        self.assemble(payload, compression, None)
    }

    /// The record of a basket: wide positions, and `tail` behind the title.
    pub fn basket_record(&self, tail: &[u8], payload: &[u8], compression: Compression) -> io::Result<Record> {
        self.assemble(payload, compression, Some(tail))
    }

    fn strings(&self) -> usize {
        [self.class, self.name, self.title].iter().map(|text| string_size(text.len())).sum()
    }

    fn assemble(&self, payload: &[u8], compression: Compression, tail: Option<&[u8]>) -> io::Result<Record> {
        let wide = tail.is_some();
        let tail = tail.unwrap_or_default();
        let key_length = if wide { self.basket_length(tail.len()) } else { self.length() };
        let compressed = compression.compress(payload)?;
        let stored = compressed.as_deref().unwrap_or(payload);
        let mut bytes = Vec::with_capacity(key_length + stored.len());
        bytes.extend(((key_length + stored.len()) as i32).to_be_bytes());
        bytes.extend((if wide { 1004_i16 } else { 4 }).to_be_bytes());
        bytes.extend((payload.len() as i32).to_be_bytes());
        bytes.extend(self.date.0.to_be_bytes());
        bytes.extend((key_length as i16).to_be_bytes());
        bytes.extend(self.cycle.to_be_bytes());
        if wide {
            bytes.extend(0_u64.to_be_bytes());
            bytes.extend(u64::from(DIRECTORY).to_be_bytes());
        } else {
            bytes.extend(0_u32.to_be_bytes());
            bytes.extend(DIRECTORY.to_be_bytes());
        }
        for text in [self.class, self.name, self.title] {
            put_string(&mut bytes, text.as_bytes());
        }
        bytes.extend(tail);
        debug_assert_eq!(bytes.len(), key_length);
        bytes.extend(stored);
        Ok(Record { bytes, key_length, payload_size: payload.len(), wide })
    }
}

impl Record {
    /// Size in the file, key included.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Size of key and payload before compression: what ROOT counts as "total bytes".
    pub fn uncompressed_size(&self) -> usize {
        self.key_length + self.payload_size
    }

    /// The bytes to write at `position`, which is below 2³¹.
    pub fn placed_at(&mut self, position: u64) -> &[u8] {
        if self.wide {
            self.bytes[POSITION..POSITION + 8].copy_from_slice(&position.to_be_bytes());
        } else {
            self.bytes[POSITION..POSITION + 4].copy_from_slice(&(position as u32).to_be_bytes());
        }
        &self.bytes
    }

    /// Marks the record of the directory itself, which has no parent.
    pub fn without_parent(mut self) -> Self {
        self.bytes[POSITION + 4..POSITION + 8].fill(0);
        self
    }

    /// The key as it stands in the list of keys.
    pub fn key(&self) -> &[u8] {
        &self.bytes[..self.key_length]
    }
}

/// A date as ROOT packs it: years since 1995 in 6 bits, then month, day, hour, minute, second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RootDate(pub u32);

impl RootDate {
    /// The packed date; years outside 1995 – 2058 become the nearest of these, no date becomes 0.
    pub fn new(date: Option<DateTime>) -> Self {
        let Some(date) = date else { return Self(0) };
        let year = (i32::from(date.year()) - 1995).clamp(0, 63);
        let (month, day) = (i32::from(date.month()), i32::from(date.day()));
        let (hour, minute) = (i32::from(date.hour()), i32::from(date.minute()));
        let second = i32::from(date.second());
        let packed = year << 26 | month << 22 | day << 17 | hour << 12 | minute << 6 | second;
        Self(packed as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2025-08-07 17:02:13 is 30 years after 1995, and so on: 6 + 4 + 5 + 5 + 6 + 6 bits.
    #[test]
    fn dates_are_packed_as_root_does() {
        let date = jiff::civil::date(2025, 8, 7).at(17, 2, 13, 0);
        assert_eq!(RootDate::new(Some(date)).0, 30 << 26 | 8 << 22 | 7 << 17 | 17 << 12 | 2 << 6 | 13);
        assert_eq!(RootDate::new(None).0, 0);
        assert_eq!(RootDate::new(Some(jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0))).0 >> 26, 0);
        assert_eq!(RootDate::new(Some(jiff::civil::date(2100, 1, 1).at(0, 0, 0, 0))).0 >> 26, 63);
    }

    #[test]
    fn a_key_states_its_own_length() {
        let key = Key { class: "TTree", name: "info", title: "info", cycle: 1, date: RootDate(7) };
        let mut record = key.record(b"abc", Compression::None).unwrap();
        let bytes = record.placed_at(0x0102_0304).to_vec();
        assert_eq!(bytes[..4], (bytes.len() as i32).to_be_bytes());
        assert_eq!(bytes[14..16], (key.length() as i16).to_be_bytes());
        assert_eq!(bytes[18..26], [1, 2, 3, 4, 0, 0, 0, 100]);
        assert_eq!(bytes[key.length()..], *b"abc");
        assert_eq!(record.without_parent().key()[22..26], [0; 4]);
    }
}
