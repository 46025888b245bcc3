//! Compression of payloads, in the pieces that ROOT expects (spec 05 §10.2).
//!
//! A payload is cut every 0xffffff bytes; each piece becomes a 9-byte header (two letters, a method byte, compressed
//! and uncompressed size, 3 bytes each, little-endian) and the compressed bytes. A reader knows that a payload is
//! compressed only because the record is smaller than it would be otherwise, and the sizes must fit in 3 bytes: so if
//! one piece does not shrink, the whole payload is stored as it is.

use std::io::{self, Write};

use flate2::write::ZlibEncoder;
use rayon::prelude::*;
use xxhash_rust::xxh64::xxh64;

/// Largest piece: what a 3-byte size can express.
const PIECE: usize = 0x00ff_ffff;

/// Level given to zstd; its numbers mean something else than ROOT's, which are doubled before use.
const ZSTD_LEVEL: i32 = 3;

/// How the contents of a file are compressed.
///
/// `hadd` and `TFileMerger` copy compressed data as they are (fast) when all files have the same setting, and
/// recompress otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all (ROOT's setting 0).
    None,
    /// zlib at a level from 1 (fast) to 9 (small); ROOT's setting is 100 + level. Read by every version of ROOT.
    Zlib(u8),
    /// LZ4 (ROOT's setting 404): larger files, fastest to read. Needs ROOT 6.12.
    Lz4,
    /// zstd (ROOT's setting 505): smaller than zlib at a similar speed. Needs ROOT 6.20.
    Zstd,
}

impl Default for Compression {
    /// zlib at level 1, setting 101: ROOT's own default in the versions that existing files come from.
    fn default() -> Self {
        Self::Zlib(1)
    }
}

impl Compression {
    /// ROOT's number of the setting: 100 × method + level.
    pub fn setting(self) -> i32 {
        match self {
            Self::None => 0,
            Self::Zlib(level) => 100 + i32::from(level.clamp(1, 9)),
            Self::Lz4 => 404,
            Self::Zstd => 505,
        }
    }

    /// Compresses a payload; `None` if it has to be stored as it is.
    pub(super) fn compress(self, payload: &[u8]) -> io::Result<Option<Vec<u8>>> {
        if self == Self::None {
            return Ok(None);
        }
        let pieces: Option<Vec<Vec<u8>>> = match payload.len() {
            0..=PIECE => self.compress_piece(payload)?.map(|piece| vec![piece]),
            _ => payload.par_chunks(PIECE).map(|piece| self.compress_piece(piece)).collect::<io::Result<_>>()?,
        };
        Ok(pieces.map(|mut pieces| if pieces.len() == 1 { pieces.swap_remove(0) } else { pieces.concat() }))
    }

    /// Header and compressed bytes of one piece; `None` if together they are not smaller than the piece.
    fn compress_piece(self, piece: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let mut out = Vec::with_capacity(64 + piece.len() / 2);
        match self {
            Self::None => return Ok(None),
            Self::Zlib(level) => {
                out.extend(b"ZL\x08\0\0\0\0\0\0");
                let mut encoder = ZlibEncoder::new(out, flate2::Compression::new(u32::from(level.clamp(1, 9))));
                encoder.write_all(piece)?;
                out = encoder.finish()?;
            }
            Self::Lz4 => {
                let block = lz4_flex::block::compress(piece);
                out.extend(b"L4\x01\0\0\0\0\0\0");
                out.extend(xxh64(&block, 0).to_be_bytes());
                out.extend(block);
            }
            Self::Zstd => {
                out.extend(b"ZS\x01\0\0\0\0\0\0");
                out.extend(zstd::bulk::compress(piece, ZSTD_LEVEL)?);
            }
        }
        if out.len() >= piece.len() {
            return Ok(None);
        }
        let compressed = (out.len() - HEADER) as u32;
        out[3..6].copy_from_slice(&compressed.to_le_bytes()[..3]);
        out[6..9].copy_from_slice(&(piece.len() as u32).to_le_bytes()[..3]);
        Ok(Some(out))
    }
}

/// Bytes before the compressed data of a piece.
const HEADER: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Compression; 4] = [Compression::Zlib(1), Compression::Zlib(9), Compression::Lz4, Compression::Zstd];

    fn size(bytes: &[u8]) -> usize {
        usize::from(bytes[0]) | usize::from(bytes[1]) << 8 | usize::from(bytes[2]) << 16
    }

    #[test]
    fn headers_hold_both_sizes() {
        let payload = vec![5_u8; 2 * PIECE + 1000];
        for method in ALL {
            let out = method.compress(&payload).unwrap().unwrap();
            let (mut at, mut restored) = (0, 0);
            for expected in [PIECE, PIECE, 1000] {
                restored += size(&out[at + 6..]);
                assert_eq!(size(&out[at + 6..]), expected);
                at += HEADER + size(&out[at + 3..]);
            }
            assert_eq!((at, restored), (out.len(), payload.len()));
        }
    }

    /// One incompressible piece among compressible ones: everything is stored raw.
    #[test]
    fn one_stubborn_piece_keeps_the_payload_raw() {
        let mut payload = vec![0_u8; 2 * PIECE];
        let mut state = 1_u64;
        for byte in &mut payload[..PIECE] {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (state >> 56) as u8;
        }
        for method in ALL {
            assert!(method.compress(&payload).unwrap().is_none());
            assert!(method.compress(&payload[PIECE..]).unwrap().is_some());
            assert!(method.compress(b"").unwrap().is_none());
            assert!(method.compress(b"short").unwrap().is_none());
        }
        assert!(Compression::None.compress(&[0; 1000]).unwrap().is_none());
    }

    #[test]
    fn settings_are_those_of_root() {
        let settings =
            [Compression::None, Compression::default(), Compression::Zlib(0), Compression::Lz4, Compression::Zstd];
        assert_eq!(settings.map(Compression::setting), [0, 101, 101, 404, 505]);
    }
}
