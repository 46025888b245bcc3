//! Identifying the content of an input: SHA-256 of small files, the FITS `DATASUM` of the data of large ones.
//!
//! SHA-256 of a raw image of 1 GB would cost more than its whole analysis; the ones'-complement sum of FITS 4.0 (appendix
//! J) runs at the speed of memory and is what other programs write into `DATASUM` cards. Its blocks are summed in any
//! order with the same result, so that it is taken from the bytes while the analysis has them in the cache anyway.

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::error::FitsError;
use super::input::FitsInput;
use super::writer::{add, checksum};

/// Files up to this size are identified by SHA-256, bytes.
pub const LARGEST_HASHED: u64 = 16 << 20;

/// Bytes summed at a time; a multiple of four.
const PIECE: u64 = 1 << 20;

/// `SHA-256 <hex>` of the file on disk if it is small; nothing for files above 16 MiB.
///
/// # Errors
/// If the file cannot be read.
pub(super) fn hash_if_small(input: &FitsInput) -> Result<Option<String>, FitsError> {
    if input.size() > LARGEST_HASHED {
        return Ok(None);
    }
    let content = std::fs::read(input.path()).map_err(|e| FitsError::io("reading the file", e))?;
    let hex: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Some(format!("SHA-256 {hex}")))
}

/// The 32-bit ones'-complement sum of the data of an HDU, as stored.
///
/// # Errors
/// If the HDU does not exist or cannot be read.
pub(super) fn data_sum(input: &FitsInput, hdu: usize) -> Result<u32, FitsError> {
    let (start, length) = input.hdu(hdu).map(|h| (h.data_offset, h.data_bytes))?;
    (0..length.div_ceil(PIECE))
        .into_par_iter()
        .map_init(Vec::new, |buffer: &mut Vec<u8>, piece| {
            let offset = piece * PIECE;
            buffer.resize((length - offset).min(PIECE) as usize, 0);
            let bytes = input.bytes();
            bytes.read_exact_at(buffer, start + offset).map_err(|e| FitsError::io("reading the data", e))?;
            Ok(sum_at(buffer, offset))
        })
        .try_reduce(|| 0, |a, b| Ok(add(a, b)))
}

/// What bytes that begin at `offset` of the data add to their sum. Data are summed as words of four bytes, so that each
/// byte counts according to its place in its word.
pub(super) fn sum_at(bytes: &[u8], offset: u64) -> u32 {
    let head = ((4 - offset % 4) % 4) as usize;
    let (head, rest) = bytes.split_at(head.min(bytes.len()));
    let (words, tail) = rest.split_at(rest.len() / 4 * 4);
    let single = |sum: u32, (i, &byte): (usize, &u8), first: u64| {
        add(sum, u32::from(byte) << (8 * (3 - (first + i as u64) % 4)))
    };
    let sum = head.iter().enumerate().fold(checksum(words), |sum, at| single(sum, at, offset));
    tail.iter().enumerate().fold(sum, |sum, at| single(sum, at, 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fits::test_files::{REAL, Stored, TestHdu, fits_bytes, test_data, write_file};

    #[test]
    fn the_data_sums_of_the_real_image_are_those_that_its_maker_wrote() {
        let Some(path) = test_data(REAL) else { return };
        let input = FitsInput::open(path).unwrap();
        for hdu in 1..5 {
            let written = input.hdus()[hdu].stored.text("DATASUM").unwrap();
            assert_eq!(data_sum(&input, hdu).unwrap().to_string(), written.trim());
        }
        assert_eq!(data_sum(&input, 0).unwrap(), 0);
    }

    #[test]
    fn small_files_are_identified_by_sha_256() {
        let directory = tempfile::tempdir().unwrap();
        let bytes = fits_bytes(&[TestHdu::image(1, 2, Stored::I16(vec![1, 2]))]);
        let input = FitsInput::open(write_file(directory.path(), "a.fits", &bytes)).unwrap();
        let text = hash_if_small(&input).unwrap().unwrap();
        assert_eq!(text.len(), 8 + 64);
        assert!(text.starts_with("SHA-256 "));
        assert_eq!(data_sum(&input, 0).unwrap(), 0x0001_0002);
    }

    #[test]
    fn parts_of_any_length_add_up_to_the_whole() {
        let bytes: Vec<u8> = (0..4096u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let whole = checksum(&bytes);
        for length in [1, 2, 3, 5, 7, 64, 1001] {
            let parts = bytes.chunks(length).enumerate();
            let sum = parts.fold(0, |sum, (i, part)| add(sum, sum_at(part, (i * length) as u64)));
            assert_eq!(sum, whole, "parts of {length} bytes");
        }
    }
}
