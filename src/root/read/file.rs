//! The file: its head, its list of objects, and its trees.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::branch::BranchReader;
use super::cursor::Cursor;
use super::decompress::decompress;
use super::object::{Decoder, Object};
use super::schema::Schema;
use super::{ReadError, ReadResult, fault};

/// From this version on positions have eight bytes.
const WIDE: i32 = 1_000_000;
const WIDE_KEY: i16 = 1000;
/// Uncompressed records are not larger than this; longer ones are a damaged file.
const LARGEST: usize = 1 << 30;

/// A ROOT file, open for reading.
#[derive(Debug, Clone)]
pub struct RootInput {
    source: Arc<Mutex<File>>,
    size: u64,
    keys: Arc<Vec<Key>>,
    schema: Arc<Schema>,
}

/// The head of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub class: String,
    pub name: String,
    pub cycle: i16,
    /// Bytes of the record, head included.
    pub bytes: usize,
    /// Bytes of the head.
    pub length: usize,
    /// Bytes of the payload, uncompressed.
    pub payload: usize,
    pub position: u64,
    /// Bytes of the head that follow the names (baskets have some).
    pub tail: Vec<u8>,
}

impl Key {
    pub fn parse(cursor: &mut Cursor<'_>) -> ReadResult<Self> {
        let start = cursor.position();
        let bytes = cursor.i32()?;
        let version = cursor.i16()?;
        let payload = cursor.i32()?;
        cursor.u32()?;
        let length = cursor.i16()?;
        let cycle = cursor.i16()?;
        let position = if version > WIDE_KEY {
            let position = cursor.i64()?;
            cursor.i64()?;
            position
        } else {
            let position = i64::from(cursor.i32()?);
            cursor.i32()?;
            position
        };
        let (class, name, _) = (cursor.string()?, cursor.string()?, cursor.string()?);
        let read = cursor.position() - start;
        let (Ok(bytes), Ok(length), Ok(payload)) =
            (usize::try_from(bytes), usize::try_from(length), usize::try_from(payload))
        else {
            return fault("the head of a record has a negative size");
        };
        if length < read || bytes < length || payload > LARGEST {
            return fault(format!("the head of the record {name} has impossible sizes"));
        }
        let tail = cursor.remaining().min(length - read);
        Ok(Self {
            class,
            name,
            cycle,
            bytes,
            length,
            payload,
            position: u64::try_from(position).unwrap_or(u64::MAX),
            tail: cursor.take(tail)?.to_vec(),
        })
    }
}

impl RootInput {
    /// Opens a file and reads what it contains.
    ///
    /// # Errors
    /// If it cannot be read, is no ROOT file, or is damaged.
    pub fn open(path: &Path) -> ReadResult<Self> {
        let system = |e: std::io::Error| ReadError(format!("it cannot be read: {e}"));
        let file = File::open(path).map_err(system)?;
        let size = file.metadata().map_err(system)?.len();
        let mut input = Self { source: Arc::new(Mutex::new(file)), size, keys: Arc::default(), schema: Arc::default() };
        let head = input.bytes(0, size.min(100) as usize)?;
        let mut cursor = Cursor::new(&head, 0);
        if cursor.take(4).ok() != Some(b"root") {
            return fault("it is not a ROOT file (it does not begin with `root`)");
        }
        let version = cursor.i32()?;
        let begin = cursor.i32()?;
        let position = |cursor: &mut Cursor<'_>| {
            if version >= WIDE { cursor.i64() } else { cursor.i32().map(i64::from) }
        };
        let end = position(&mut cursor)?;
        if u64::try_from(end).is_ok_and(|end| end > size) {
            return fault(format!("it is cut off: {size} bytes of {end} are there"));
        }
        position(&mut cursor)?;
        cursor.i32()?;
        cursor.i32()?;
        let name_length = cursor.i32()?;
        cursor.u8()?;
        cursor.i32()?;
        let info = position(&mut cursor)?;
        let info_bytes = cursor.i32()?;
        let (payload, key) = input.record(to_u64(info)?, usize::try_from(info_bytes).unwrap_or(0))?;
        input.schema = Arc::new(Schema::parse(&payload, key.length)?);
        input.keys = Arc::new(input.directory(to_u64(i64::from(begin) + i64::from(name_length))?)?);
        Ok(input)
    }

    /// The objects of the top directory.
    fn directory(&self, position: u64) -> ReadResult<Vec<Key>> {
        let head = self.bytes(position, self.room(position).min(60))?;
        let mut cursor = Cursor::new(&head, 0);
        let version = cursor.i16()?;
        cursor.u32()?;
        cursor.u32()?;
        let list_bytes = cursor.i32()?;
        cursor.i32()?;
        let mut position = || if version > WIDE_KEY { cursor.i64() } else { cursor.i32().map(i64::from) };
        position()?;
        position()?;
        let list = position()?;
        let (payload, _) = self.record(to_u64(list)?, usize::try_from(list_bytes).unwrap_or(0))?;
        let mut cursor = Cursor::new(&payload, 0);
        let n = cursor.count(1)?;
        let mut keys = Vec::new();
        for _ in 0..n {
            // Keys stand one after the other without tails.
            let start = cursor.position();
            let mut key = Key::parse(&mut cursor)?;
            cursor.go_to(start + key.length)?;
            key.tail.clear();
            keys.push(key);
        }
        Ok(keys)
    }

    /// Names of the objects.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.keys.iter().map(|key| key.name.as_str()).collect();
        names.dedup();
        names
    }

    /// A tree, in its latest version.
    ///
    /// # Errors
    /// If there is none of this name, or it cannot be decoded.
    pub fn tree(&self, name: &str) -> ReadResult<TreeReader> {
        let key = self.keys.iter().filter(|key| key.name == name).max_by_key(|key| key.cycle);
        let Some(key) = key else {
            return fault(format!("it has no tree `{name}` (objects: {})", self.names().join(", ")));
        };
        if key.class != "TTree" {
            return fault(format!("`{name}` is a {}, not a tree", key.class));
        }
        let wrong = |e: ReadError| ReadError(format!("tree `{name}`: {e}"));
        let (payload, head) = self.record(key.position, key.bytes).map_err(wrong)?;
        let mut cursor = Cursor::new(&payload, head.length);
        let tree = Decoder { schema: &self.schema }.object(&mut cursor, "TTree").map_err(wrong)?;
        TreeReader::new(self.clone(), name, &tree).map_err(wrong)
    }

    /// The payload of the record at a position, and its head; `bytes` of the record, 0 if it is to say itself.
    pub(super) fn record(&self, position: u64, bytes: usize) -> ReadResult<(Vec<u8>, Key)> {
        let room = self.room(position);
        let bytes = if bytes > 0 {
            bytes
        } else {
            let head = self.bytes(position, 4.min(room))?;
            usize::try_from(Cursor::new(&head, 0).i32()?).unwrap_or(0)
        };
        if bytes == 0 || bytes > room {
            return fault(format!("a record of {bytes} bytes at position {position} is not in the file"));
        }
        let record = self.bytes(position, bytes)?;
        let mut cursor = Cursor::new(&record, 0);
        let key = Key::parse(&mut cursor)?;
        let Some(stored) = record.get(key.length..) else {
            return fault(format!("the record {} is shorter than its head", key.name));
        };
        Ok((decompress(stored, key.payload)?, key))
    }

    /// Bytes from a position to the end of the file.
    fn room(&self, position: u64) -> usize {
        usize::try_from(self.size.saturating_sub(position)).unwrap_or(usize::MAX)
    }

    fn bytes(&self, position: u64, n: usize) -> ReadResult<Vec<u8>> {
        if n > self.room(position) {
            return fault(format!("{n} bytes at position {position} are not in the file of {} bytes", self.size));
        }
        let system = |e: std::io::Error| ReadError(format!("it cannot be read: {e}"));
        let mut file = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(position)).map_err(system)?;
        let mut bytes = vec![0; n];
        file.read_exact(&mut bytes).map_err(system)?;
        Ok(bytes)
    }
}

fn to_u64(position: i64) -> ReadResult<u64> {
    u64::try_from(position).map_err(|_| ReadError(format!("a position is negative: {position}")))
}

/// A tree.
#[derive(Debug, Clone)]
pub struct TreeReader {
    name: String,
    entries: u64,
    branches: Vec<BranchReader>,
}

impl TreeReader {
    fn new(input: RootInput, name: &str, tree: &Object) -> ReadResult<Self> {
        let entries = to_u64(tree.int("fEntries")?)?;
        let branches =
            tree.list("fBranches")?.iter().map(|b| BranchReader::new(input.clone(), b)).collect::<ReadResult<_>>()?;
        Ok(Self { name: name.to_owned(), entries, branches })
    }

    /// Name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of entries.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Names of the branches.
    pub fn names(&self) -> Vec<&str> {
        self.branches.iter().map(BranchReader::name).collect()
    }

    /// A branch.
    ///
    /// # Errors
    /// If there is none of this name.
    pub fn branch(&self, name: &str) -> ReadResult<&BranchReader> {
        self.branches.iter().find(|b| b.name() == name).ok_or_else(|| {
            ReadError(format!("tree `{}` has no branch `{name}` (branches: {})", self.name, self.names().join(", ")))
        })
    }
}
