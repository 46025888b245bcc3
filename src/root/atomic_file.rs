//! A file that appears under its name only when it is complete.
//!
//! The bytes go to a temporary name in the same folder; [`AtomicFile::commit`] renames it, which replaces an older file
//! in one step. Dropped without a commit, the temporary file is removed. A process killed from outside leaves at most
//! the temporary file, whose name starts with a dot and ends in `.tmp`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Records are written whole and one after the other; a larger buffer gains nothing measurable.
const WRITE_BUFFER: usize = 256 * 1024;

/// Bytes of the target's name kept in the temporary name, so that it stays below the system's limit of 255.
const NAME_BYTES_KEPT: usize = 120;

/// A file under construction beside its target.
#[derive(Debug)]
pub struct AtomicFile {
    writer: Option<BufWriter<File>>,
    temporary: PathBuf,
    target: PathBuf,
}

impl AtomicFile {
    /// Starts a file that will replace `target`.
    pub fn create(target: impl AsRef<Path>) -> io::Result<Self> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let target = target.as_ref();
        let name = target
            .file_name()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path has no file name"))?
            .to_string_lossy();
        let kept = (0..=name.len().min(NAME_BYTES_KEPT)).rev().find(|&n| name.is_char_boundary(n)).unwrap_or(0);
        // An old temporary file may be there if a process with this number was killed, hence the loop.
        loop {
            let number = COUNTER.fetch_add(1, Ordering::Relaxed);
            let temporary = target.with_file_name(format!(".{}.{}-{number}.tmp", &name[..kept], std::process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&temporary) {
                Ok(file) => {
                    let writer = Some(BufWriter::with_capacity(WRITE_BUFFER, file));
                    return Ok(Self { writer, temporary, target: target.to_path_buf() });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Completes the file and gives it its name.
    pub fn commit(mut self) -> io::Result<()> {
        if let Some(writer) = self.writer.take() {
            // Closed before the rename: Windows does not rename open files.
            let closed = writer.into_inner().map(drop).map_err(io::IntoInnerError::into_error);
            let renamed = closed.and_then(|()| fs::rename(&self.temporary, &self.target));
            if renamed.is_err() {
                let _ = fs::remove_file(&self.temporary);
            }
            return renamed;
        }
        Ok(())
    }

    fn open(&mut self) -> io::Result<&mut BufWriter<File>> {
        self.writer.as_mut().ok_or_else(|| io::Error::other("the file is closed"))
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.open()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.open()?.flush()
    }
}

impl Seek for AtomicFile {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.open()?.seek(position)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            // `into_parts` throws the unwritten rest away instead of writing it to a file about to be removed.
            drop(writer.into_parts());
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn appears_only_when_committed_and_replaces_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.root");
        fs::write(&target, "old").unwrap();
        let mut file = AtomicFile::create(&target).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"old");
        file.commit().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["a.root"]);
    }

    #[test]
    fn leaves_nothing_when_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = AtomicFile::create(folder.path().join("a.root")).unwrap();
        file.write_all(&[7; 1 << 20]).unwrap();
        assert_eq!(names(folder.path()).len(), 1);
        drop(file);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn leaves_nothing_when_the_rename_fails() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.root");
        fs::create_dir(&target).unwrap();
        fs::write(target.join("inside"), "").unwrap();
        assert!(AtomicFile::create(&target).unwrap().commit().is_err());
        assert_eq!(names(folder.path()), ["a.root"]);
    }

    #[test]
    fn a_very_long_name_still_has_a_temporary_name() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("é".repeat(127));
        AtomicFile::create(&target).unwrap().commit().unwrap();
        assert!(target.exists());
    }
}
