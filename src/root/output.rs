//! The stream of records behind a file, and the parts of the file that describe the file itself.
//!
//! Header and directory stand first but are known last: their place is kept free and filled in at the end
//! (spec 05 §10.2).

use std::io::{self, Seek, SeekFrom, Write};

use xxhash_rust::xxh3::Xxh3;

use super::buffer::{Buffer, string_size};
use super::compression::Compression;
use super::error::{Result, RootError};
use super::options::Options;
use super::record::{Key, Record, RootDate};

/// The version of ROOT whose layout this is, 6.28/10.
const ROOT_VERSION: i32 = 62810;
/// Where the first record stands.
const BEGIN: u64 = 100;
/// From this size on ROOT uses 8-byte positions everywhere.
const FILE_LIMIT: u64 = 2_000_000_000;
/// Version of the directory and of its identifier.
const DIRECTORY_VERSION: i16 = 5;
const UUID_VERSION: i16 = 1;

/// Position and size of a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub position: u64,
    pub size: usize,
}

/// A file to which records are appended.
pub(super) struct Output<W> {
    writer: W,
    /// The name written into the file and into messages.
    pub name: String,
    end: u64,
    limit: u64,
    digest: Xxh3,
    failed: bool,
}

impl<W: Write + Seek> Output<W> {
    /// Starts a file; the place of header and directory is filled with zeros.
    pub fn new(writer: W, name: String) -> Result<Self> {
        let mut digest = Xxh3::new();
        digest.update(name.as_bytes());
        let mut output = Self { writer, end: 0, limit: FILE_LIMIT, digest, failed: false, name };
        let directory = output.directory_record(RootDate::default(), None, &[0; 16])?;
        let start = BEGIN as usize + directory.size();
        output.attempt("write", |writer| {
            writer.seek(SeekFrom::Start(0))?;
            writer.write_all(&vec![0; start])
        })?;
        output.end = start as u64;
        Ok(output)
    }

    /// Refuses if an earlier error made the file incomplete.
    pub fn check(&self) -> Result<()> {
        if self.failed { Err(RootError::Abandoned { file: self.name.clone() }) } else { Ok(()) }
    }

    /// Appends a record.
    pub fn append(&mut self, record: &mut Record) -> Result<Place> {
        self.check()?;
        let place = Place { position: self.end, size: record.size() };
        let end = self.end + place.size as u64;
        if end >= self.limit {
            self.failed = true;
            return Err(RootError::FileTooLarge { file: self.name.clone(), bytes: end });
        }
        let bytes = record.placed_at(place.position);
        self.digest.update(bytes);
        self.attempt("write", |writer| writer.write_all(bytes))?;
        self.end = end;
        Ok(place)
    }

    /// Appends a record whose payload is at hand.
    pub fn append_payload(
        &mut self,
        key: Key<'_>,
        payload: &[u8],
        compression: Compression,
    ) -> Result<(Place, Record)> {
        let mut record = key.record(payload, compression).map_err(|source| self.error("compress", source))?;
        let place = self.append(&mut record)?;
        Ok((place, record))
    }

    /// Appends what closes a file, fills in header and directory, and gives the writer back.
    ///
    /// `keys` are the keys of all objects, `classes` writes their descriptions.
    pub fn finish(mut self, keys: &[Vec<u8>], classes: impl FnOnce(&mut Buffer), options: &Options) -> Result<W> {
        let date = RootDate::new(options.created);
        let mut payload = (keys.len() as i32).to_be_bytes().to_vec();
        keys.iter().for_each(|key| payload.extend(key));
        let name = self.name.clone();
        let file_key = Key { class: "TFile", name: &name, title: "", cycle: 1, date };
        let (key_list, _) = self.append_payload(file_key, &payload, Compression::None)?;

        let key = Key { class: "TList", name: "StreamerInfo", title: "Doubly linked list", cycle: 1, date };
        let mut buffer = Buffer::new(key.length());
        classes(&mut buffer);
        let (streamer_info, _) = self.append_payload(key, &buffer.into_bytes(), options.compression)?;

        let mut free = Vec::new();
        free.extend(1_i16.to_be_bytes());
        let end = self.end + (file_key.length() + 10) as u64;
        free.extend((end as i32).to_be_bytes());
        free.extend((FILE_LIMIT as i32).to_be_bytes());
        let (free, _) = self.append_payload(file_key, &free, Compression::None)?;

        let uuid = options.uuid.unwrap_or_else(|| uuid_of(self.digest.digest128()));
        let mut directory = self.directory_record(date, Some(key_list), &uuid)?;
        let header = self.header(free, streamer_info, options.compression, &uuid);
        self.attempt("write", |writer| {
            writer.seek(SeekFrom::Start(0))?;
            writer.write_all(&header)?;
            writer.write_all(directory.placed_at(BEGIN))?;
            writer.flush()
        })?;
        Ok(self.writer)
    }

    /// Wraps an error of the system.
    pub fn error(&mut self, action: &'static str, source: io::Error) -> RootError {
        self.failed = true;
        RootError::Io { action, file: self.name.clone(), source }
    }

    fn attempt(&mut self, action: &'static str, run: impl FnOnce(&mut W) -> io::Result<()>) -> Result<()> {
        run(&mut self.writer).map_err(|source| self.error(action, source))
    }

    fn header(&self, free: Place, streamer_info: Place, compression: Compression, uuid: &[u8; 16]) -> Vec<u8> {
        let mut header = b"root".to_vec();
        let numbers = [
            ROOT_VERSION,
            BEGIN as i32,
            self.end as i32,
            free.position as i32,
            free.size as i32,
            1, // number of free regions: the one behind the end
            self.name_bytes() as i32,
        ];
        numbers.iter().for_each(|number| header.extend(number.to_be_bytes()));
        header.push(4); // bytes of a position
        for number in [compression.setting(), streamer_info.position as i32, streamer_info.size as i32] {
            header.extend(number.to_be_bytes());
        }
        header.extend(UUID_VERSION.to_be_bytes());
        header.extend(uuid);
        header.resize(BEGIN as usize, 0);
        header
    }

    /// The record at the beginning, which names the file and says where the list of keys is.
    fn directory_record(&mut self, date: RootDate, key_list: Option<Place>, uuid: &[u8; 16]) -> Result<Record> {
        let name = self.name.clone();
        let key = Key { class: "TFile", name: &name, title: "", cycle: 1, date };
        let mut buffer = Buffer::new(key.length());
        buffer.string(&name);
        buffer.string("");
        buffer.i16(DIRECTORY_VERSION);
        buffer.u32(date.0); // created
        buffer.u32(date.0); // modified
        buffer.i32(key_list.map_or(0, |place| place.size as i32));
        buffer.i32(self.name_bytes() as i32);
        buffer.i32(BEGIN as i32); // this directory
        buffer.i32(0); // no parent
        buffer.i32(key_list.map_or(0, |place| place.position as i32));
        buffer.i16(UUID_VERSION);
        let mut payload = buffer.into_bytes();
        payload.extend(uuid);
        payload.extend([0; 12]); // room for 8-byte positions
        let record = key.record(&payload, Compression::None).map_err(|source| self.error("write", source))?;
        Ok(record.without_parent())
    }

    /// Bytes of the first record before the directory itself: its key, the file's name and title.
    fn name_bytes(&self) -> usize {
        let key = Key { class: "TFile", name: &self.name, title: "", cycle: 1, date: RootDate::default() };
        key.length() + string_size(self.name.len()) + string_size(0)
    }

    /// Lowers the size limit, for tests.
    #[cfg(test)]
    pub fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }
}

/// An identifier in the form that RFC 9562 sets aside for one's own contents (version 8).
fn uuid_of(digest: u128) -> [u8; 16] {
    let mut uuid = digest.to_be_bytes();
    uuid[6] = 0x80 | uuid[6] & 0x0f;
    uuid[8] = 0x80 | uuid[8] & 0x3f;
    uuid
}
