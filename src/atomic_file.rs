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
        let target = target.as_ref();
        if target.file_name().is_none() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path has no file name"));
        }
        // An old temporary file may be there if a process with this number was killed, hence the loop.
        loop {
            let temporary = temporary_name(target);
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

/// A name in the folder of `target` that no other writer of this process uses.
pub fn temporary_name(target: &Path) -> PathBuf {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let kept = (0..=name.len().min(NAME_BYTES_KEPT)).rev().find(|&n| name.is_char_boundary(n)).unwrap_or(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    target.with_file_name(format!(".{}.{}-{number}.tmp", &name[..kept], std::process::id()))
}

/// Writes a whole file.
///
/// # Errors
/// If it cannot be written; then an older file of that name is untouched.
pub fn write(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = AtomicFile::create(target)?;
    file.write_all(bytes)?;
    file.commit()
}

/// Removes temporary files in a folder that processes left behind when they were killed; returns how many. Files of
/// processes that are running are left alone.
pub fn remove_leftovers(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let names = entries.flatten().map(|e| e.path());
    names.filter(|path| owner(path).is_some_and(|pid| !is_running(pid)) && fs::remove_file(path).is_ok()).count()
}

/// The process that made a temporary file, by its name.
fn owner(path: &Path) -> Option<u32> {
    let name = path.file_name()?.to_str()?;
    let (_, numbers) = name.strip_prefix('.')?.strip_suffix(".tmp")?.rsplit_once('.')?;
    let (pid, number) = numbers.split_once('-')?;
    number.parse::<u64>().ok()?;
    pid.parse().ok()
}

/// Whether a process may be running. Only Linux tells; elsewhere the answer is yes.
fn is_running(pid: u32) -> bool {
    !cfg!(target_os = "linux") || Path::new("/proc").join(pid.to_string()).exists()
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
    #[cfg(target_os = "linux")]
    fn leftovers_of_killed_processes_are_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        // no process has a number this large
        let dead = ".a.fits.4194999-3.tmp";
        let living = format!(".b.fits.{}-3.tmp", std::process::id());
        for name in [dead, &living, ".hidden.tmp", "x.4194999-3.tmp", ".c.4194999-3.fits"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(remove_leftovers(folder.path()), 1);
        assert_eq!(names(folder.path()).len(), 4);
        assert!(!folder.path().join(dead).exists());
        assert_eq!(remove_leftovers(&folder.path().join("absent")), 0);
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
