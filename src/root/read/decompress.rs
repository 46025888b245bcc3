//! Payloads are stored in pieces, each with two letters for the method, and its sizes before and after (spec 05 §10.2).

use std::io::Read;

use super::{ReadError, ReadResult, fault};

const HEAD: usize = 9;
/// Bytes of checksum before the data of an LZ4 piece.
const LZ4_CHECKSUM: usize = 8;

/// The payload of `length` bytes that is stored in these bytes.
pub(super) fn decompress(mut stored: &[u8], length: usize) -> ReadResult<Vec<u8>> {
    if stored.len() == length {
        return Ok(stored.to_vec());
    }
    let mut payload: Vec<u8> = Vec::new();
    while payload.len() < length {
        let Some((head, rest)) = stored.split_at_checked(HEAD) else { return fault("a compressed piece has no head") };
        let size = |at: usize| usize::from(head[at]) | usize::from(head[at + 1]) << 8 | usize::from(head[at + 2]) << 16;
        let (packed, unpacked) = (size(3), size(6));
        let Some((piece, next)) = rest.split_at_checked(packed) else {
            return fault(format!("a compressed piece of {packed} bytes ends after {}", rest.len()));
        };
        let before = payload.len();
        if unpacked == 0 || before + unpacked > length {
            return fault(format!("the pieces of a payload hold more than its {length} bytes"));
        }
        unpack(&head[..2], piece, unpacked, &mut payload)?;
        if payload.len() != before + unpacked {
            return fault(format!("a compressed piece holds {} bytes instead of {unpacked}", payload.len() - before));
        }
        stored = next;
    }
    Ok(payload)
}

fn unpack(method: &[u8], piece: &[u8], unpacked: usize, payload: &mut Vec<u8>) -> ReadResult<()> {
    let wrong = |reason: String| ReadError(format!("a compressed piece cannot be unpacked: {reason}"));
    // One byte more than promised shows that a piece is too long.
    let limit = unpacked as u64 + 1;
    match method {
        b"ZL" => {
            flate2::read::ZlibDecoder::new(piece).take(limit).read_to_end(payload).map_err(|e| wrong(e.to_string()))?;
        }
        b"ZS" => {
            let decoder = zstd::stream::read::Decoder::new(piece).map_err(|e| wrong(e.to_string()))?;
            decoder.take(limit).read_to_end(payload).map_err(|e| wrong(e.to_string()))?;
        }
        b"L4" => {
            let Some(data) = piece.get(LZ4_CHECKSUM..) else { return Err(wrong("its checksum is missing".into())) };
            payload.extend(lz4_flex::block::decompress(data, unpacked).map_err(|e| wrong(e.to_string()))?);
        }
        b"XZ" => {
            let mut data = Vec::new();
            lzma_rs::xz_decompress(&mut &*piece, &mut data).map_err(|e| wrong(format!("{e:?}")))?;
            payload.append(&mut data);
        }
        other => return Err(wrong(format!("its method is {:?}", String::from_utf8_lossy(other)))),
    }
    Ok(())
}
