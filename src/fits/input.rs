//! An opened FITS file: list of HDUs, headers and pixels.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ndarray::Array2;

use super::bytes::{Bytes, Wrapping};
use super::cfitsio::{CfitsioError, Handle};
use super::decode::{Encoding, decode_f64, decode_i32, infinities_to_nan};
use super::error::FitsError;
use super::hdu::{Hdu, image_header, scan};
use super::header::Header;

/// Compression algorithms that are read. The others (HCOMPRESS_1, PLIO_1) are decoded by code that trusts lengths
/// stored in the stream, which a damaged file could abuse.
const SUPPORTED: [&str; 5] = ["RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "NOCOMPRESS"];

/// An opened FITS file. Cheap to clone; clones share the file and may be used from any thread.
#[derive(Debug, Clone)]
pub struct FitsInput {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    size: u64,
    wrapping: Wrapping,
    bytes: Bytes,
    hdus: Vec<Hdu>,
    truncated: Option<FitsError>,
    warnings: Vec<String>,
    /// cfitsio handles that no thread uses at the moment.
    handles: Mutex<Vec<Handle>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FitsInput").field("path", &self.path).field("hdus", &self.hdus.len()).finish_non_exhaustive()
    }
}

impl FitsInput {
    /// Opens a FITS file (plain, or inside gzip or bzip2) and reads all its headers.
    ///
    /// # Errors
    /// If the file cannot be read, is not FITS, ends inside the first header, or has headers that make no sense. A file
    /// that ends inside a later HDU can be opened; reading that HDU, or one behind it, is an error.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FitsError> {
        let path = path.as_ref();
        let size = std::fs::metadata(path).map_err(|e| FitsError::io("opening the file", e))?.len();
        let (bytes, wrapping) = Bytes::open(path)?;
        Self::from_bytes(path.to_owned(), size, wrapping, bytes)
    }

    pub(super) fn from_bytes(path: PathBuf, size: u64, wrapping: Wrapping, bytes: Bytes) -> Result<Self, FitsError> {
        let scan = scan(&bytes)?;
        let inner = Inner {
            path,
            size,
            wrapping,
            bytes,
            hdus: scan.hdus,
            truncated: scan.truncated,
            warnings: scan.warnings,
            handles: Mutex::new(Vec::new()),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Path of the file as given.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Size of the file on disk, bytes.
    pub fn size(&self) -> u64 {
        self.inner.size
    }

    /// What surrounds the FITS file.
    pub fn wrapping(&self) -> Wrapping {
        self.inner.wrapping
    }

    /// The HDUs in order. If the file is truncated, the last one listed may be incomplete.
    pub fn hdus(&self) -> &[Hdu] {
        &self.inner.hdus
    }

    /// What was odd about the file without making it unreadable.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.inner.warnings.clone();
        warnings.extend(self.inner.truncated.as_ref().map(ToString::to_string));
        warnings
    }

    /// The HDUs as a short list for messages: `HDU 0 (empty), 1 CCD_A (an image of …)`.
    pub fn list_hdus(&self) -> String {
        let list: Vec<_> = self.inner.hdus.iter().map(|h| format!("{}: {}", h.title(), h.describe())).collect();
        format!("{} HDU{} — {}", list.len(), if list.len() == 1 { "" } else { "s" }, list.join("; "))
    }

    /// An HDU by its number, from 0.
    ///
    /// # Errors
    /// If it does not exist, or the file ends before its end.
    pub fn hdu(&self, hdu: usize) -> Result<&Hdu, FitsError> {
        if let Some(FitsError::Truncated { hdu: cut, part, expected, found }) = &self.inner.truncated
            && hdu >= *cut
        {
            return Err(FitsError::Truncated { hdu: *cut, part, expected: *expected, found: *found });
        }
        self.inner.hdus.get(hdu).ok_or_else(|| FitsError::NoSuchHdu { hdu, existing: self.list_hdus() })
    }

    /// The header of an HDU. That of a tile-compressed image is given as if the image were not compressed.
    ///
    /// # Errors
    /// If the HDU does not exist.
    pub fn header(&self, hdu: usize) -> Result<Header, FitsError> {
        self.hdu(hdu).map(image_header)
    }

    /// A two-dimensional image, ready to be read in blocks of rows.
    ///
    /// # Errors
    /// If the HDU does not exist, is incomplete, or holds no two-dimensional image.
    pub fn plane(&self, hdu: usize) -> Result<Plane, FitsError> {
        let found = self.hdu(hdu)?;
        let Some((rows, cols)) = found.plane_shape() else {
            return Err(FitsError::NotAnImage { hdu, what: found.describe(), existing: self.list_hdus() });
        };
        if let Some(algorithm) = &found.compression
            && !SUPPORTED.contains(&algorithm.as_str())
        {
            let supported = "RICE_1, GZIP_1, GZIP_2, NOCOMPRESS";
            return Err(FitsError::UnsupportedCompression { hdu, algorithm: algorithm.clone(), supported });
        }
        let mut encoding = Encoding::from_header(found.bitpix, &found.stored);
        if found.compression.is_some() && found.bitpix > 0 && encoding.blank.is_none() {
            encoding.blank = found.stored.integer("ZBLANK");
        }
        Ok(Plane { input: self.clone(), hdu, rows, cols, encoding })
    }

    /// Reads a whole two-dimensional image, `[row, col]`: physical values, NaN for undefined or infinite pixels.
    ///
    /// # Errors
    /// As [`FitsInput::plane`], or if the pixels cannot be read.
    pub fn read_image(&self, hdu: usize) -> Result<Array2<f64>, FitsError> {
        let plane = self.plane(hdu)?;
        let (rows, cols) = plane.shape();
        let mut image = Array2::zeros((rows, cols));
        if let Some(pixels) = image.as_slice_mut() {
            plane.read_f64(0..rows, 0..cols, pixels, &mut Vec::new())?;
        }
        Ok(image)
    }

    /// `SHA-256 <hex>` of the file on disk if it has at most 16 MiB; larger files are identified by the sums of their
    /// data ([`Plane::data_sum`]).
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn hash_if_small(&self) -> Result<Option<String>, FitsError> {
        super::content::hash_if_small(self)
    }

    pub(super) fn bytes(&self) -> &Bytes {
        &self.inner.bytes
    }

    /// Lends a cfitsio handle that stands at `hdu`.
    fn with_handle<T>(
        &self,
        hdu: usize,
        work: impl FnOnce(&mut Handle) -> Result<T, CfitsioError>,
    ) -> Result<T, CfitsioError> {
        let free = self.inner.handles.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut handle = match (free, &self.inner.bytes) {
            (Some(handle), _) => handle,
            (None, Bytes::File { path, .. }) => Handle::open_file(path)?,
            (None, Bytes::Memory(bytes)) => Handle::open_memory(bytes)?,
        };
        handle.go_to(hdu)?;
        let result = work(&mut handle)?;
        self.inner.handles.lock().unwrap_or_else(PoisonError::into_inner).push(handle);
        Ok(result)
    }
}

/// A two-dimensional image of a file, read in blocks of rows from any thread.
#[derive(Debug, Clone)]
pub struct Plane {
    input: FitsInput,
    hdu: usize,
    rows: usize,
    cols: usize,
    encoding: Encoding,
}

impl Plane {
    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.cols)
    }

    /// HDU it belongs to.
    pub fn hdu(&self) -> usize {
        self.hdu
    }

    /// Whether every pixel is an integer that an `i32` holds: [`Plane::read_i32`] can be used.
    pub fn is_integer(&self) -> bool {
        self.encoding.integer_offset().is_some()
    }

    /// Smallest and largest value that the stored integers can have (8 and 16 bits only): the limits of the digitiser.
    pub fn limits(&self) -> Option<(f64, f64)> {
        self.encoding.limits()
    }

    /// Bytes per stored pixel (uncompressed).
    pub fn bytes_per_pixel(&self) -> usize {
        self.encoding.width()
    }

    /// Rows of a tile of a compressed image: blocks that begin and end at multiples of it are read fastest.
    pub fn tile_rows(&self) -> usize {
        let Ok(hdu) = self.input.hdu(self.hdu) else { return 1 };
        let rows = hdu.compression.as_ref().and_then(|_| hdu.stored.integer("ZTILE2")).unwrap_or(1);
        usize::try_from(rows).unwrap_or(1).clamp(1, self.rows.max(1))
    }

    /// Reads a rectangle as integers. `out` holds `rows.len()` × `cols.len()` values, row by row; `scratch` is working
    /// space that may be used again. Whole rows are read fastest.
    ///
    /// # Errors
    /// If the pixels cannot be read.
    pub fn read_i32(
        &self,
        rows: Range<usize>,
        cols: Range<usize>,
        out: &mut [i32],
        scratch: &mut Vec<u8>,
    ) -> Result<(), FitsError> {
        if self.is_tiled() {
            return self.read_tiled(rows, cols, out, Handle::read_i32);
        }
        self.read_stored(&rows, &cols, scratch)?;
        decode_i32(scratch, &self.encoding, out);
        Ok(())
    }

    /// Reads a rectangle as doubles, NaN for undefined or infinite pixels; see [`Plane::read_i32`].
    ///
    /// # Errors
    /// If the pixels cannot be read.
    pub fn read_f64(
        &self,
        rows: Range<usize>,
        cols: Range<usize>,
        out: &mut [f64],
        scratch: &mut Vec<u8>,
    ) -> Result<(), FitsError> {
        if self.is_tiled() {
            self.read_tiled(rows, cols, out, Handle::read_f64)?;
            infinities_to_nan(out);
            return Ok(());
        }
        self.read_stored(&rows, &cols, scratch)?;
        decode_f64(scratch, &self.encoding, out);
        Ok(())
    }

    /// The sum of all data of its HDU as stored: what a `DATASUM` card holds. Reads them once more.
    ///
    /// # Errors
    /// If the data cannot be read.
    pub fn data_sum(&self) -> Result<u32, FitsError> {
        super::content::data_sum(&self.input, self.hdu)
    }

    /// Whether the header says what the sum of the data is (`DATASUM`).
    pub fn states_data_sum(&self) -> bool {
        self.stated_data_sum().is_some()
    }

    fn stated_data_sum(&self) -> Option<u32> {
        let text = self.input.hdu(self.hdu).ok()?.stored.text("DATASUM")?;
        text.trim().parse().ok()
    }

    /// What `DATASUM` and `CHECKSUM` cards say against these data, whose sum is `data_sum`: a sentence if they do not
    /// agree. A header edited without new sums disagrees only with `CHECKSUM`.
    pub fn contradicted_sums(&self, data_sum: u32) -> Option<String> {
        let stated = self.stated_data_sum()?;
        let hdu = self.hdu;
        if stated != data_sum {
            return Some(format!(
                "the data of HDU {hdu} do not agree with its DATASUM card ({stated}; their sum is {data_sum}): they were \
                 damaged or changed"
            ));
        }
        let found = self.input.hdu(hdu).ok()?;
        let has_checksum = found.stored.text("CHECKSUM").is_some_and(|c| c.trim().len() == 16);
        // with a correct CHECKSUM card all bytes of the HDU add up to −0
        let whole = super::writer::add(found.header_sum, data_sum);
        (has_checksum && whole != u32::MAX && whole != 0).then(|| {
            format!(
                "the header of HDU {hdu} does not agree with its CHECKSUM card: it was changed after it was written"
            )
        })
    }

    /// What a rectangle adds to the sum of the data. `stored` holds its bytes, as the reading functions leave them in
    /// `scratch` for an image that is not compressed.
    pub fn part_of_data_sum(&self, rows: &Range<usize>, cols: &Range<usize>, stored: &[u8]) -> u32 {
        let width = self.encoding.width();
        let offset = |row: usize| ((row * self.cols + cols.start) * width) as u64;
        if cols.len() == self.cols {
            return super::content::sum_at(stored, offset(rows.start));
        }
        let lines = rows.clone().zip(stored.chunks_exact((cols.len() * width).max(1)));
        lines.fold(0, |sum, (row, line)| super::writer::add(sum, super::content::sum_at(line, offset(row))))
    }

    /// Whether the image is stored in compressed tiles.
    pub fn is_tiled(&self) -> bool {
        self.input.inner.hdus.get(self.hdu).is_some_and(|h| h.compression.is_some())
    }

    /// Reads the bytes of a rectangle of an uncompressed image.
    fn read_stored(&self, rows: &Range<usize>, cols: &Range<usize>, scratch: &mut Vec<u8>) -> Result<(), FitsError> {
        let width = self.encoding.width();
        let line = cols.len() * width;
        scratch.resize(rows.len() * line, 0);
        let data = self.input.hdu(self.hdu)?.data_offset;
        let offset = |row: usize| data + ((row * self.cols + cols.start) * width) as u64;
        let bytes = self.input.bytes();
        let result = if cols.len() == self.cols {
            bytes.read_exact_at(scratch, offset(rows.start))
        } else {
            let mut lines = rows.clone().zip(scratch.chunks_exact_mut(line.max(1)));
            lines.try_for_each(|(row, line)| bytes.read_exact_at(line, offset(row)))
        };
        result.map_err(|e| FitsError::io(format!("reading rows {}:{} of HDU {}", rows.start, rows.end, self.hdu), e))
    }

    /// Reads a rectangle of a tile-compressed image.
    fn read_tiled<T>(
        &self,
        rows: Range<usize>,
        cols: Range<usize>,
        out: &mut [T],
        read: impl Fn(&mut Handle, usize, usize, &mut [T]) -> Result<(), CfitsioError>,
    ) -> Result<(), FitsError> {
        let at = |row, out: &mut [T]| self.input.with_handle(self.hdu, |handle| read(handle, row, cols.start, out));
        if cols.len() == self.cols && at(rows.start, out).is_ok() {
            return Ok(());
        }
        // row by row: for part of the columns, and to find the tile that cannot be read
        for (row, line) in rows.zip(out.chunks_exact_mut(cols.len().max(1))) {
            at(row, line).map_err(|error| FitsError::CorruptTile {
                hdu: self.hdu,
                tile: self.tile_of(row),
                reason: format!("{} (cfitsio status {})", error.text, error.status),
            })?;
        }
        Ok(())
    }

    /// First tile that touches a row.
    fn tile_of(&self, row: usize) -> u64 {
        let Ok(hdu) = self.input.hdu(self.hdu) else { return 0 };
        let width = hdu.stored.integer("ZTILE1").and_then(|n| u64::try_from(n).ok()).filter(|&n| n > 0);
        let across = width.map_or(1, |w| (self.cols as u64).div_ceil(w));
        (row / self.tile_rows()) as u64 * across
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fits::CardValue;
    use crate::fits::test_files::{REAL, test_data};

    #[test]
    fn the_real_image_is_decompressed_to_the_last_bit() {
        let Some(path) = test_data(REAL) else { return };
        let input = FitsInput::open(path).unwrap();
        assert_eq!(input.hdus().len(), 5);
        // spec 01 §4.2: HDU, name, [0,0], [0,1], [319,639], min, max, mean, median
        #[rustfmt::skip]
        let table = [
            (1, "CCD_A", -36.22634451614114, -37.96014398992795, 43.86151503674282, -42.1559417782974, 6740.512708904354, -23.50724515331, -39.143708614405),
            (2, "CCD_B", -30.375472327586678, -34.9524796186076, -34.802521829580144, -39.4724176595202, 12805.915343306742, -19.63215031046, -36.519240892896),
            (3, "CCD_D", -33.822424603133335, -37.4966456679461, -34.405303764204334, -38.6773862313552, 7679.82533277814, -24.67780215352, -36.030710010827),
            (4, "CCD_C", -33.32657385797611, -37.644488074231624, -37.535418450318865, -40.2218237932712, 6957.288731804829, -24.94496192136, -36.455142455528),
        ];
        for (hdu, name, first, second, last, min, max, mean, median) in table {
            assert_eq!(input.hdus()[hdu].extname.as_deref(), Some(name));
            let image = input.read_image(hdu).unwrap();
            assert_eq!(image.dim(), (320, 640));
            assert_eq!((image[[0, 0]], image[[0, 1]], image[[319, 639]]), (first, second, last));
            let mut sorted: Vec<f64> = image.iter().copied().collect();
            sorted.sort_by(f64::total_cmp);
            let n = sorted.len();
            // the table gives these two with 15 or 16 significant digits
            assert!((sorted[0] - min).abs() < 1e-13 && (sorted[n - 1] - max).abs() < 1e-11);
            // the table gives mean and median with 11 or 12 decimals
            assert!((sorted.iter().sum::<f64>() / n as f64 - mean).abs() < 1e-10);
            assert!((0.5 * (sorted[n / 2 - 1] + sorted[n / 2]) - median).abs() < 1e-12);
        }
    }

    #[test]
    fn the_real_header_is_read_with_long_names_and_long_strings() {
        let Some(path) = test_data(REAL) else { return };
        let input = FitsInput::open(path).unwrap();
        let primary = input.header(0).unwrap();
        assert_eq!(primary.integer("NDCM"), Some(500));
        assert_eq!(primary.value("readout_sec"), Some(&CardValue::Real(3769.8767072)));
        assert_eq!(primary.value("CLOCKPERIOD"), Some(&CardValue::Real(1e-8)));
        assert_eq!(
            primary.text("IMGNAME").unwrap(),
            "/home/damicm/Soft/ccd-cdaq/LSM_Module_Testing_Data/Production_Module\
             s/2025-08-07-DM01_DM02_DM03_Low_Temp/Image_5_Low_Temp_109_20250807_170213_15"
        );
        let extension = input.header(1).unwrap();
        assert_eq!((extension.integer("NAXIS1"), extension.integer("NAXIS2")), (Some(640), Some(320)));
        assert_eq!(extension.integer("BITPIX"), Some(-64));
        assert!(extension.card("ZTILE1").is_none() && extension.card("TFORM1").is_none());
        assert_eq!(extension.cards().iter().filter(|c| c.keyword == "HISTORY").count(), 3);
        assert!(matches!(input.plane(0), Err(FitsError::NotAnImage { hdu: 0, .. })));
        let missing = input.plane(7).unwrap_err().to_string();
        assert!(missing.contains("no HDU 7") && missing.contains("4 CCD_C"), "{missing}");
    }

    #[test]
    fn every_bitpix_is_read_with_its_scale_and_its_missing_pixels() {
        use crate::fits::test_files::{Stored, TestHdu, fits_bytes, write_file};
        let directory = tempfile::tempdir().unwrap();
        let read = |hdu: TestHdu| {
            let bytes = fits_bytes(&[TestHdu::empty(), hdu]);
            let input = FitsInput::open(write_file(directory.path(), "a.fits", &bytes)).unwrap();
            input.read_image(1).unwrap().into_raw_vec_and_offset().0
        };
        let image = |pixels| TestHdu::image(1, 3, pixels);
        assert_eq!(read(image(Stored::U8(vec![0, 7, 255]))), [0.0, 7.0, 255.0]);
        assert_eq!(read(image(Stored::I16(vec![-32768, 0, 5])).card("BZERO", 32768)), [0.0, 32768.0, 32773.0]);
        assert_eq!(read(image(Stored::I32(vec![i32::MIN, -1, i32::MAX]))), [-2147483648.0, -1.0, 2147483647.0]);
        assert_eq!(read(image(Stored::I64(vec![-3, 0, 1 << 40]))), [-3.0, 0.0, 1099511627776.0]);
        assert_eq!(read(image(Stored::F32(vec![-0.5, 0.25, 1e10]))), [-0.5, 0.25, 1e10]);
        assert_eq!(read(image(Stored::F64(vec![-0.1, 0.2, 1e300]))), [-0.1, 0.2, 1e300]);
        let scaled = image(Stored::I16(vec![1, 2, -99])).card("BSCALE", 0.5).card("BZERO", 10.0).card("BLANK", -99);
        let pixels = read(scaled);
        assert_eq!(pixels[..2], [10.5, 11.0]);
        assert!(pixels[2].is_nan(), "a pixel equal to BLANK is missing");
    }
}
