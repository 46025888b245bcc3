//! Identifying the content of an input: SHA-256 of files up to 64 MiB, SHA-256 of the headers of larger ones.
//!
//! SHA-256 of a raw image of 1 GB would cost twice its whole analysis; its headers hold the times of exposure and
//! readout, and often the `DATASUM` of the pixels.

use sha2::{Digest, Sha256};

use super::error::FitsError;
use super::input::FitsInput;

/// Files up to this size are identified by SHA-256, bytes.
const LARGEST_HASHED: u64 = 64 << 20;

/// `SHA-256 <hex>` of the file on disk; for files above 64 MiB `HEADER-SHA-256 <hex>` of the headers of these HDUs.
///
/// # Errors
/// If the file cannot be read.
pub(super) fn identify(input: &FitsInput, hdus: &[usize]) -> Result<String, FitsError> {
    if input.size() <= LARGEST_HASHED {
        return sha256(input);
    }
    let mut hash = Sha256::new();
    for &hdu in hdus {
        let header = header_bytes(input, hdu)?;
        hash.update(&header);
    }
    Ok(format!("HEADER-SHA-256 {}", hex(&hash.finalize())))
}

/// The header of an HDU as stored: from the end of the data before it (whole blocks) to its own data.
fn header_bytes(input: &FitsInput, hdu: usize) -> Result<Vec<u8>, FitsError> {
    let start = match hdu.checked_sub(1) {
        Some(before) => input.hdu(before).map(|h| h.data_offset + h.data_bytes.next_multiple_of(2880))?,
        None => 0,
    };
    let end = input.hdu(hdu)?.data_offset;
    let mut header = vec![0; end.saturating_sub(start) as usize];
    input.bytes().read_exact_at(&mut header, start).map_err(|e| FitsError::io("reading the header", e))?;
    Ok(header)
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256(input: &FitsInput) -> Result<String, FitsError> {
    let content = std::fs::read(input.path()).map_err(|e| FitsError::io("reading the file", e))?;
    Ok(format!("SHA-256 {}", hex(&Sha256::digest(&content))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fits::test_files::{Stored, TestHdu, fits_bytes, write_file};

    #[test]
    fn small_files_are_identified_by_sha_256() {
        let directory = tempfile::tempdir().unwrap();
        let bytes = fits_bytes(&[TestHdu::image(1, 2, Stored::I16(vec![1, 2]))]);
        let input = FitsInput::open(write_file(directory.path(), "a.fits", &bytes)).unwrap();
        let text = identify(&input, &[0]).unwrap();
        assert_eq!(text.len(), 8 + 64);
        assert!(text.starts_with("SHA-256 ") && text == identify(&input, &[0]).unwrap());
        assert_eq!(header_bytes(&input, 0).unwrap(), bytes[..2880]);
    }
}
