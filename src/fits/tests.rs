//! Files of every kind of pixel, and files that are broken.

use super::test_files::{Stored, TestHdu, fits_bytes, header_bytes, write_file};
use super::*;

fn open(bytes: &[u8]) -> Result<FitsInput, FitsError> {
    let directory = tempfile::tempdir().unwrap();
    // the opened file outlives its name
    FitsInput::open(write_file(directory.path(), "file", bytes))
}

fn image(hdu: TestHdu) -> Vec<f64> {
    open(&fits_bytes(&[hdu])).unwrap().read_image(0).unwrap().into_iter().collect()
}

#[test]
fn every_bitpix_is_read_with_its_scale_and_its_undefined_pixels() {
    let row = |pixels| TestHdu::image(1, 3, pixels);
    assert_eq!(image(row(Stored::U8(vec![0, 7, 255]))), [0.0, 7.0, 255.0]);
    assert_eq!(image(row(Stored::I16(vec![-32768, 0, 32767])).card("BZERO", 32768)), [0.0, 32768.0, 65535.0]);
    assert_eq!(image(row(Stored::I32(vec![i32::MIN, -1, i32::MAX]))), [-2147483648.0, -1.0, 2147483647.0]);
    assert_eq!(image(row(Stored::I64(vec![-5, 0, 1 << 40]))), [-5.0, 0.0, 1099511627776.0]);
    assert_eq!(image(row(Stored::I16(vec![1, 2, 3])).card("BSCALE", 0.5).card("BZERO", 10)), [10.5, 11.0, 11.5]);
    let reals = image(row(Stored::F32(vec![1.5, f32::INFINITY, f32::NAN])));
    assert!(reals[0] == 1.5 && reals[1].is_nan() && reals[2].is_nan());
    let doubles = image(row(Stored::F64(vec![0.1, f64::NEG_INFINITY, -3.0])));
    assert!(doubles[0] == 0.1 && doubles[1].is_nan() && doubles[2] == -3.0);
    let blank = image(row(Stored::I16(vec![4, -99, 6])).card("BLANK", -99));
    assert!(blank[0] == 4.0 && blank[1].is_nan());
}

#[test]
fn gzip_and_bzip2_are_recognised_by_content() {
    use std::io::Write;
    let plain =
        fits_bytes(&[TestHdu::empty().commented("NDCM", 1, "skips"), TestHdu::image(1, 2, Stored::I32(vec![1, 2]))]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(&plain).unwrap();
    for (bytes, wrapping) in
        [(plain, Wrapping::Plain), (gzip.finish().unwrap(), Wrapping::Gzip), (bzip2.finish().unwrap(), Wrapping::Bzip2)]
    {
        let input = open(&bytes).unwrap();
        assert_eq!(input.wrapping(), wrapping);
        assert_eq!(input.read_image(1).unwrap()[[0, 1]], 2.0);
        assert_eq!(input.header(0).unwrap().card("NDCM").unwrap().comment, "skips");
        if wrapping != Wrapping::Plain {
            assert!(matches!(
                open(&bytes[..bytes.len() / 2]),
                Err(FitsError::Stream { .. } | FitsError::NotFits { .. })
            ));
        }
    }
}

#[test]
fn a_truncated_file_is_an_error_with_both_sizes_and_never_padded() {
    let whole = fits_bytes(&[TestHdu::image(100, 100, Stored::I32(vec![3; 10_000]))]);
    for tenth in 1..10 {
        let cut = &whole[..whole.len() * tenth / 10];
        let error = open(cut).and_then(|input| input.read_image(0)).unwrap_err().to_string();
        assert!(error.contains("truncated") && error.contains(&cut.len().to_string()), "{error}");
        assert!(error.contains(&whole.len().to_string()), "{error}");
    }
    // only the padding of the last block is missing: the data are complete
    let input = open(&whole[..2880 + 40_000]).unwrap();
    assert_eq!(input.read_image(0).unwrap().sum(), 30_000.0);
    assert_eq!(input.warnings().len(), 1);
}

#[test]
fn absurd_axes_are_errors_and_not_allocations() {
    let with_axes = |a: i64, b: i64| {
        let cards = [
            Card::new("SIMPLE", true, ""),
            Card::new("BITPIX", -64, ""),
            Card::new("NAXIS", 2, ""),
            Card::new("NAXIS1", a, ""),
            Card::new("NAXIS2", b, ""),
        ];
        open(&header_bytes(&cards)).and_then(|input| input.read_image(0)).unwrap_err()
    };
    assert!(matches!(with_axes(-5, 2), FitsError::BadKeyword { .. }));
    assert!(matches!(with_axes(i64::MAX, i64::MAX), FitsError::BadKeyword { .. }));
    assert!(matches!(with_axes(1 << 40, 1 << 10), FitsError::Truncated { .. }));
    assert!(matches!(with_axes(0, 3), FitsError::NotAnImage { .. }));
}

#[test]
fn what_is_no_fits_file_is_said_so() {
    for bytes in [&b""[..], b"hello", b"\x1f\x8bnonsense", b"BZh9nonsense", b"SIMPLE  = T"] {
        assert!(open(bytes).is_err());
    }
    assert!(FitsInput::open("/nowhere/at/all.fits").unwrap_err().to_string().contains("opening"));
}

/// Every kind of tile compression, written by astropy (`tests/data/make_compressed.py`).
#[test]
fn every_kind_of_tile_compression_is_read() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/compressed.fits.gz");
    let input = FitsInput::open(&path).unwrap();
    let mut seen = 0;
    for hdu in &input.hdus()[1..] {
        let name = hdu.extname.clone().unwrap();
        let image = input.read_image(hdu.index).unwrap();
        assert_eq!(image.dim(), (12, 16), "{name}");
        // quantised values: within half a step of 0.001, or one step where a dither was added and subtracted
        let tolerance = match name.as_str() {
            "LOSSLESS" => 2e-7,
            "LOSSLESS64" => 1e-15,
            "PLAIN" | "DITHER1" | "DITHER2" => 0.001,
            _ => 0.0,
        };
        for ((r, c), &x) in image.indexed_iter() {
            if tolerance == 0.0 {
                assert_eq!(x, (7 * r as i64 - 3 * c as i64 + 100) as f64, "{name} [{r}, {c}]");
                continue;
            }
            if (r, c) == (2, 5) {
                assert!(x.is_nan(), "{name}: the undefined pixel is {x}");
                continue;
            }
            let (r, c) = (r as f64, c as f64);
            let expected = 0.25 * r - 0.5 * c + 3.0 + 0.01 * (r * 31.0 + c * 17.0).sin();
            assert!((x - expected).abs() <= tolerance * (1.0 + expected.abs()), "{name} [{r}, {c}]: {x} {expected}");
        }
        seen += 1;
    }
    assert_eq!(seen, 11);
}

#[test]
fn damaged_data_and_edited_headers_are_noticed() {
    let image = || TestHdu::image(2, 3, Stored::I32(vec![1, 2, 3, 4, 5, 6]));
    let sums = |bytes: &[u8]| {
        let input = open(bytes).unwrap();
        let plane = input.plane(0).unwrap();
        plane.contradicted_sums(plane.data_sum().unwrap())
    };
    assert_eq!(sums(&fits_bytes(&[image()])), None, "nothing is stated");
    assert_eq!(sums(&fits_bytes(&[image().card("DATASUM", "21")])), None);
    let text = sums(&fits_bytes(&[image().card("DATASUM", "22")])).unwrap();
    assert!(text.contains("HDU 0") && text.contains("22") && text.contains("21"), "{text}");
    // a file of our own writer, whose sums are right; then one letter of a comment is changed
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("own.fits");
    let mut writer = FitsWriter::new();
    writer.push(Header::new(), std::borrow::Cow::Owned(ndarray::Array2::from_elem((2, 2), 7.5)));
    writer.write(&path, false).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    assert_eq!(sums(&bytes), None);
    let at = bytes.windows(7).position(|w| w == b"columns").unwrap();
    bytes[at] = b'C';
    assert!(sums(&bytes).unwrap().contains("CHECKSUM"));
}
