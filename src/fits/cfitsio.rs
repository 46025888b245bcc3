//! The only file that calls cfitsio, and the only one with `unsafe`.
//!
//! cfitsio decompresses tiles; everything else about a file (format, sizes, headers) has been read and checked by
//! [`super::hdu`] before a handle is opened. A handle belongs to one thread at a time: cfitsio is built re-entrant,
//! which means that different threads may use different handles of one file.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr;
use std::sync::{Arc, Once};

use fitsio_sys as ffi;

unsafe extern "C" {
    /// Fills cfitsio's table of random numbers for subtractive dithering (imcompress.c).
    fn fits_init_randoms() -> c_int;
}

/// Makes cfitsio's table of dithers before any thread reads a pixel.
///
/// cfitsio makes it when the first dithered tile is read, but publishes the table before it is filled: a second thread
/// that reads at the same time finds zeros in it, and its pixels are off by up to half a quantum.
fn make_dithers() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the function takes no arguments and locks what it writes. A failure (no memory for the 40 kB) leaves
        // the table empty; cfitsio tries again, and reports it, where it needs the table.
        let _ = unsafe { fits_init_randoms() };
    });
}

/// Status and text of a failed call.
#[derive(Debug, Clone)]
pub(super) struct CfitsioError {
    pub(super) status: i32,
    pub(super) text: String,
}

/// A buffer that cfitsio reads as a file. The pointer and the length live at fixed addresses because cfitsio keeps
/// pointers to both.
struct MemoryFile {
    data: *mut c_void,
    len: usize,
    /// Keeps the bytes alive.
    _bytes: Arc<Vec<u8>>,
}

/// A file opened by cfitsio, read-only, positioned at one HDU.
pub(super) struct Handle {
    file: *mut ffi::fitsfile,
    /// Dropped after the file is closed.
    _memory: Option<Box<MemoryFile>>,
    hdu: usize,
}

// SAFETY: a handle owns its `fitsfile` exclusively (read-only files are opened anew each time, never shared inside
// cfitsio), and cfitsio keeps no thread-local state.
unsafe impl Send for Handle {}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut status = 0;
        // SAFETY: `file` was opened by cfitsio and is closed only here.
        unsafe { ffi::ffclos(self.file, &mut status) };
    }
}

impl Handle {
    /// Opens a file on disk; nothing in its name is interpreted.
    pub(super) fn open_file(path: &Path) -> Result<Self, CfitsioError> {
        let failed = |text: &str| CfitsioError { status: 104, text: text.into() };
        let name = CString::new(path_bytes(path)).map_err(|_| failed("the path contains a zero byte"))?;
        if name.as_bytes().len() > 1000 {
            return Err(failed("the path is longer than 1000 bytes"));
        }
        let mut file = ptr::null_mut();
        let mut status = 0;
        // SAFETY: `name` is a C string shorter than cfitsio's buffers; `file` and `status` are valid for writing.
        unsafe { ffi::ffdkopn(&mut file, name.as_ptr(), 0, &mut status) };
        Self::opened(file, None, status)
    }

    /// Opens bytes in memory.
    pub(super) fn open_memory(bytes: &Arc<Vec<u8>>) -> Result<Self, CfitsioError> {
        let data = bytes.as_ptr().cast_mut().cast::<c_void>();
        let mut memory = Box::new(MemoryFile { data, len: bytes.len(), _bytes: Arc::clone(bytes) });
        let mut file = ptr::null_mut();
        let mut status = 0;
        // SAFETY: mode 0 (read-only) and no reallocation function: cfitsio never writes to the buffer. The pointer and
        // the length stay where they are (boxed) until the handle is dropped, which closes the file first.
        unsafe {
            ffi::ffomem(&mut file, c"memory".as_ptr(), 0, &mut memory.data, &mut memory.len, 0, None, &mut status);
        }
        Self::opened(file, Some(memory), status)
    }

    fn opened(file: *mut ffi::fitsfile, memory: Option<Box<MemoryFile>>, status: c_int) -> Result<Self, CfitsioError> {
        if status != 0 || file.is_null() {
            return Err(error(status));
        }
        make_dithers();
        Ok(Self { file, _memory: memory, hdu: 0 })
    }

    /// Goes to an HDU, counted from 0.
    pub(super) fn go_to(&mut self, hdu: usize) -> Result<(), CfitsioError> {
        if self.hdu == hdu {
            return Ok(());
        }
        let (mut status, mut kind) = (0, 0);
        let number = c_int::try_from(hdu + 1).map_err(|_| error(301))?;
        // SAFETY: the file is open; the other pointers are valid for writing.
        unsafe { ffi::ffmahd(self.file, number, &mut kind, &mut status) };
        // after a failure the position is unknown
        self.hdu = if status == 0 { hdu } else { usize::MAX };
        check(status)
    }

    /// Reads `out.len()` consecutive pixels of a two-dimensional image as integers, from `[row, col]` on.
    pub(super) fn read_i32(&mut self, row: usize, col: usize, out: &mut [i32]) -> Result<(), CfitsioError> {
        self.read(row, col, out.len(), ffi::TINT as c_int, ptr::null_mut(), out.as_mut_ptr().cast())
    }

    /// Reads `out.len()` consecutive pixels of a two-dimensional image as doubles, from `[row, col]` on; undefined
    /// pixels become NaN.
    pub(super) fn read_f64(&mut self, row: usize, col: usize, out: &mut [f64]) -> Result<(), CfitsioError> {
        let mut undefined = f64::NAN;
        self.read(row, col, out.len(), ffi::TDOUBLE as c_int, (&raw mut undefined).cast(), out.as_mut_ptr().cast())
    }

    /// `out` must point to `count` writable elements of the type that `datatype` names.
    fn read(
        &mut self,
        row: usize,
        col: usize,
        count: usize,
        datatype: c_int,
        undefined: *mut c_void,
        out: *mut c_void,
    ) -> Result<(), CfitsioError> {
        let number = |index: usize| i64::try_from(index + 1).map_err(|_| error(321));
        // one more than any number of axes an image of this program can have: cfitsio reads NAXIS values
        let mut first = [1i64; 1000];
        first[0] = number(col)?;
        first[1] = number(row)?;
        let (mut any_undefined, mut status) = (0, 0);
        let count = i64::try_from(count).map_err(|_| error(321))?;
        // SAFETY: the caller vouches for `out`; `first` is longer than NAXIS (at most 999, checked on opening).
        unsafe {
            ffi::ffgpxvll(
                self.file,
                datatype,
                first.as_mut_ptr(),
                count,
                undefined,
                out,
                &mut any_undefined,
                &mut status,
            );
        }
        check(status)
    }
}

#[cfg(unix)]
fn path_bytes(path: &Path) -> Vec<u8> {
    std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()).to_vec()
}

#[cfg(not(unix))]
fn path_bytes(path: &Path) -> Vec<u8> {
    path.to_string_lossy().into_owned().into_bytes()
}

fn check(status: c_int) -> Result<(), CfitsioError> {
    if status == 0 { Ok(()) } else { Err(error(status)) }
}

/// Status as text. The stack of messages is shared by all threads and therefore only emptied.
fn error(status: c_int) -> CfitsioError {
    let mut buffer = [0 as c_char; 81];
    // SAFETY: cfitsio writes at most 31 characters (FLEN_STATUS) with a terminating zero.
    let text = unsafe {
        ffi::ffgerr(status, buffer.as_mut_ptr());
        ffi::ffcmsg();
        CStr::from_ptr(buffer.as_ptr()).to_string_lossy().into_owned()
    };
    CfitsioError { status, text }
}
