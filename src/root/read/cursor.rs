//! Big-endian numbers and ROOT's ways to mark strings, versions and objects, from a slice of bytes.

use std::collections::HashMap;

use super::{ReadError, ReadResult, fault};

const BYTE_COUNT: u32 = 0x4000_0000;
const NEW_CLASS: u32 = 0xffff_ffff;
const CLASS_MARK: u32 = 0x8000_0000;
/// Places of classes are counted from two bytes before the record.
const PLACE_OFFSET: usize = 2;
/// Bit of a TObject that is followed by the number of a process.
const IS_REFERENCED: u32 = 1 << 4;

/// A position in a record.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Length of the key before the payload: places are counted from the key.
    key_length: usize,
    classes: HashMap<usize, String>,
}

/// Version of an object and, where the file says it, where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    pub number: i16,
    pub end: Option<usize>,
}

/// What stands where an object is pointed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pointed {
    /// Nothing, or an object that has been read before.
    Nothing,
    /// An object of this class, which begins here and ends there (if known).
    Object(String, Option<usize>),
}

macro_rules! number {
    ($name:ident, $type:ty) => {
        pub fn $name(&mut self) -> ReadResult<$type> {
            let mut bytes = [0; size_of::<$type>()];
            let length = bytes.len();
            bytes.copy_from_slice(self.take(length)?);
            Ok(<$type>::from_be_bytes(bytes))
        }
    };
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8], key_length: usize) -> Self {
        Self { bytes, at: 0, key_length, classes: HashMap::new() }
    }

    number!(u8, u8);
    number!(i16, i16);
    number!(u16, u16);
    number!(i32, i32);
    number!(u32, u32);
    number!(i64, i64);
    number!(f32, f32);
    number!(f64, f64);

    pub fn position(&self) -> usize {
        self.at
    }

    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Goes to a position of the record.
    pub fn go_to(&mut self, position: usize) -> ReadResult<()> {
        if position > self.bytes.len() {
            return fault(format!("an object is said to end at byte {position} of {}", self.bytes.len()));
        }
        self.at = position;
        Ok(())
    }

    pub fn take(&mut self, length: usize) -> ReadResult<&'a [u8]> {
        match self.at.checked_add(length).and_then(|end| self.bytes.get(self.at..end)) {
            Some(taken) => {
                self.at += length;
                Ok(taken)
            }
            None => fault(format!("the data end {length} bytes too early")),
        }
    }

    /// A count of elements of `size` bytes each, which must still be there.
    pub fn count(&mut self, size: usize) -> ReadResult<usize> {
        let count = self.i32()?;
        match usize::try_from(count) {
            Ok(count) if count.saturating_mul(size) <= self.remaining() => Ok(count),
            _ => fault(format!("a list of {count} elements does not fit into the {} bytes left", self.remaining())),
        }
    }

    /// A `TString`: length in one byte, or 255 and four bytes.
    pub fn string(&mut self) -> ReadResult<String> {
        let length = match self.u8()? {
            255 => self.count(1)?,
            short => usize::from(short),
        };
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    /// A text that ends with a zero.
    fn c_string(&mut self) -> ReadResult<String> {
        let rest = &self.bytes[self.at..];
        let Some(length) = rest.iter().position(|b| *b == 0) else { return fault("a name has no end") };
        self.at += length + 1;
        Ok(String::from_utf8_lossy(&rest[..length]).into_owned())
    }

    /// Version of an object, with its length in bytes if there is one.
    pub fn version(&mut self) -> ReadResult<Version> {
        let start = self.at;
        if self.remaining() >= 6 {
            let count = self.u32()?;
            if count & BYTE_COUNT != 0 {
                let end = self.at + (count & !BYTE_COUNT) as usize;
                let number = self.i16()?;
                if end > self.bytes.len() || end < self.at {
                    return fault(format!("an object of {} bytes does not fit", count & !BYTE_COUNT));
                }
                return Ok(Version { number, end: Some(end) });
            }
            self.at = start;
        }
        Ok(Version { number: self.i16()?, end: None })
    }

    /// The content of a `TObject`.
    pub fn t_object(&mut self) -> ReadResult<()> {
        let version = self.version()?;
        self.u32()?;
        let bits = self.u32()?;
        if bits & IS_REFERENCED != 0 {
            self.u16()?;
        }
        version.end.map_or(Ok(()), |end| self.go_to(end))
    }

    /// Name and title of a `TNamed`.
    pub fn t_named(&mut self) -> ReadResult<(String, String)> {
        let version = self.version()?;
        self.t_object()?;
        let texts = (self.string()?, self.string()?);
        if let Some(end) = version.end {
            self.go_to(end)?;
        }
        Ok(texts)
    }

    /// What stands at a pointer; for an object the cursor is at its begin.
    pub fn pointer(&mut self) -> ReadResult<Pointed> {
        let start = self.at;
        let first = self.u32()?;
        let (tag, end) = if first & BYTE_COUNT != 0 && first != NEW_CLASS {
            let end = self.at + (first & !BYTE_COUNT) as usize;
            if end > self.bytes.len() {
                return fault(format!("an object of {} bytes does not fit", first & !BYTE_COUNT));
            }
            (self.u32()?, Some(end))
        } else {
            (first, None)
        };
        // Old files count places without the four bytes of the length.
        let place = start + self.key_length + PLACE_OFFSET + if end.is_some() { 4 } else { 0 };
        if tag == NEW_CLASS {
            let class = self.c_string()?;
            self.classes.insert(place, class.clone());
            return Ok(Pointed::Object(class, end));
        }
        if tag & CLASS_MARK != 0 {
            let place = (tag & !CLASS_MARK) as usize;
            let class = self.classes.get(&place).cloned();
            let class = class
                .ok_or_else(|| ReadError(format!("an object refers to a class at {place}, where there is none")))?;
            return Ok(Pointed::Object(class, end));
        }
        if let Some(end) = end {
            self.go_to(end)?;
        }
        Ok(Pointed::Nothing)
    }

    /// Numbers of four bytes each.
    pub fn i32s(&mut self, n: usize) -> ReadResult<Vec<i64>> {
        let length = n.checked_mul(4).ok_or_else(|| ReadError("an array is too long".into()))?;
        let (values, _) = self.take(length)?.as_chunks::<4>();
        Ok(values.iter().map(|b| i64::from(i32::from_be_bytes(*b))).collect())
    }

    /// Numbers of eight bytes each.
    pub fn i64s(&mut self, n: usize) -> ReadResult<Vec<i64>> {
        let length = n.checked_mul(8).ok_or_else(|| ReadError("an array is too long".into()))?;
        let (values, _) = self.take(length)?.as_chunks::<8>();
        Ok(values.iter().map(|b| i64::from_be_bytes(*b)).collect())
    }
}
