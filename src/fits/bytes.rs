//! The bytes of a FITS file, wherever they are: in a plain file, or unpacked from gzip or bzip2.
//!
//! The format is recognised by content, never by name. A compressed stream is unpacked once when the file is opened: to
//! memory, or to a temporary file when it is larger than [`MEMORY_LIMIT`]. Reads are positioned, so any number of
//! threads can share one opened file.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::FitsError;

/// Unpacked streams larger than this go to a temporary file, bytes.
const MEMORY_LIMIT: usize = 256 << 20;

/// What surrounds the FITS file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrapping {
    /// Nothing.
    Plain,
    /// gzip.
    Gzip,
    /// bzip2.
    Bzip2,
}

/// A readable sequence of bytes.
#[derive(Debug)]
pub(super) enum Bytes {
    /// On disk.
    File {
        /// Open file.
        file: File,
        /// Path, for cfitsio.
        path: PathBuf,
        /// Bytes.
        len: u64,
        /// Removes the file at the end, if it is a temporary one.
        _temporary: Option<tempfile::TempPath>,
    },
    /// In memory.
    Memory(Arc<Vec<u8>>),
}

impl Bytes {
    /// Opens a file and unpacks it if necessary.
    pub(super) fn open(path: &Path) -> Result<(Self, Wrapping), FitsError> {
        let io = |e| FitsError::io("opening the file", e);
        let mut file = File::open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if metadata.is_dir() {
            return Err(FitsError::io(
                "opening the file",
                io::Error::new(io::ErrorKind::IsADirectory, "is a directory"),
            ));
        }
        let mut magic = Vec::with_capacity(30);
        (&mut file).take(30).read_to_end(&mut magic).map_err(|e| FitsError::io("reading the file", e))?;
        if magic.starts_with(&[0x1f, 0x8b]) {
            let whole = reopen(path)?;
            return Ok((unpack(flate2::read::MultiGzDecoder::new(whole), "gzip")?, Wrapping::Gzip));
        }
        if magic.starts_with(b"BZh") {
            let whole = reopen(path)?;
            return Ok((unpack(bzip2::read::MultiBzDecoder::new(whole), "bzip2")?, Wrapping::Bzip2));
        }
        if !magic.starts_with(b"SIMPLE  ") {
            return Err(not_fits(&magic));
        }
        Ok((Self::File { file, path: path.to_owned(), len: metadata.len(), _temporary: None }, Wrapping::Plain))
    }

    /// Number of bytes.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::File { len, .. } => *len,
            Self::Memory(bytes) => bytes.len() as u64,
        }
    }

    /// Fills `buffer` with the bytes from `offset` on.
    pub(super) fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            Self::File { file, .. } => read_file_at(file, buffer, offset),
            Self::Memory(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let part = start.checked_add(buffer.len()).and_then(|end| bytes.get(start..end));
                buffer.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }
}

#[cfg(unix)]
fn read_file_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_file_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => {
                buffer = &mut buffer[n..];
                offset += n as u64;
            }
        }
    }
    Ok(())
}

fn reopen(path: &Path) -> Result<io::BufReader<File>, FitsError> {
    let file = File::open(path).map_err(|e| FitsError::io("opening the file", e))?;
    Ok(io::BufReader::with_capacity(1 << 20, file))
}

fn not_fits(magic: &[u8]) -> FitsError {
    let found = if magic.is_empty() {
        "nothing (the file is empty)".to_owned()
    } else {
        format!("{:?}", String::from_utf8_lossy(&magic[..magic.len().min(10)]))
    };
    FitsError::NotFits { found }
}

/// Unpacks a stream to memory, or to a temporary file if it is long.
fn unpack(mut stream: impl Read, format: &'static str) -> Result<Bytes, FitsError> {
    let mut memory = Vec::new();
    let mut chunk = vec![0; 1 << 20];
    let mut spill: Option<tempfile::NamedTempFile> = None;
    let mut total = 0u64;
    let spilling = |e| FitsError::io("writing the unpacked file to the temporary directory", e);
    loop {
        let n = match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(FitsError::Stream { format, bytes: total, reason: e.to_string() }),
        };
        if total == 0 && !chunk[..n].starts_with(&b"SIMPLE  "[..n.min(8)]) {
            return Err(not_fits(&chunk[..n]));
        }
        total += n as u64;
        match &mut spill {
            Some(file) => file.write_all(&chunk[..n]).map_err(spilling)?,
            None => memory.extend_from_slice(&chunk[..n]),
        }
        if spill.is_none() && memory.len() > MEMORY_LIMIT {
            let mut file =
                tempfile::Builder::new().prefix("panaSKImg-").suffix(".fits").tempfile().map_err(spilling)?;
            file.write_all(&memory).map_err(spilling)?;
            memory = Vec::new();
            spill = Some(file);
        }
    }
    if total < 8 {
        return Err(not_fits(&memory));
    }
    Ok(match spill {
        Some(file) => {
            let (file, temporary) = file.into_parts();
            Bytes::File { file, path: temporary.to_path_buf(), len: total, _temporary: Some(temporary) }
        }
        None => Bytes::Memory(Arc::new(memory)),
    })
}
