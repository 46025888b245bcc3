//! Stored pixels (big-endian, any BITPIX) to numbers.
//!
//! value = BZERO + BSCALE × stored; a stored integer equal to BLANK is NaN, and so are infinities (spec 01 §4.1, §7.3).
//! The loops are written so that the compiler vectorises them; `pulp` picks the widest instructions of the machine.

use super::header::{CardValue, Header};

/// How pixels are stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Encoding {
    /// BITPIX: 8, 16, 32, 64, −32 or −64.
    pub(super) bitpix: i64,
    /// BZERO.
    pub(super) zero: f64,
    /// BSCALE.
    pub(super) scale: f64,
    /// BLANK, for integers.
    pub(super) blank: Option<i64>,
}

impl Encoding {
    /// From the cards of an image.
    pub(super) fn from_header(bitpix: i64, header: &Header) -> Self {
        let blank = header.value("BLANK").and_then(CardValue::as_i64).filter(|_| bitpix > 0);
        Self {
            bitpix,
            zero: header.number("BZERO").unwrap_or(0.0),
            scale: header.number("BSCALE").unwrap_or(1.0),
            blank,
        }
    }

    /// Bytes per pixel.
    pub(super) fn width(&self) -> usize {
        self.bitpix.unsigned_abs() as usize / 8
    }

    /// The number to be added to stored integers, if every value is an integer that an `i32` holds.
    pub(super) fn integer_offset(&self) -> Option<i32> {
        let exact = self.scale == 1.0 && self.zero.fract() == 0.0 && self.blank.is_none();
        let limit = match self.bitpix {
            8 | 16 => f64::from(i32::MAX - 65536),
            32 => 0.0,
            _ => return None,
        };
        (exact && self.zero.abs() <= limit).then_some(self.zero as i32)
    }

    /// Smallest and largest value that stored integers of 8 or 16 bits can have.
    pub(super) fn limits(&self) -> Option<(f64, f64)> {
        let (low, high) = match self.bitpix {
            8 => (0.0, 255.0),
            16 => (-32768.0, 32767.0),
            _ => return None,
        };
        let (a, b) = (self.zero + self.scale * low, self.zero + self.scale * high);
        Some((a.min(b), a.max(b)))
    }
}

/// Decodes integers that fit; call only with an encoding that has an [`Encoding::integer_offset`].
pub(super) fn decode_i32(bytes: &[u8], encoding: &Encoding, out: &mut [i32]) {
    let offset = encoding.integer_offset().unwrap_or(0);
    match encoding.bitpix {
        8 => convert::<1, i32>(bytes, out, |b| i32::from(b[0]).wrapping_add(offset)),
        16 => convert(bytes, out, |b| i32::from(i16::from_be_bytes(b)).wrapping_add(offset)),
        _ => convert(bytes, out, i32::from_be_bytes),
    }
}

/// Decodes to doubles; NaN for BLANK and for what is not finite.
pub(super) fn decode_f64(bytes: &[u8], encoding: &Encoding, out: &mut [f64]) {
    let Encoding { bitpix, zero, scale, blank } = *encoding;
    match bitpix {
        8 => convert::<1, f64>(bytes, out, |b| f64::from(b[0])),
        16 => convert(bytes, out, |b| f64::from(i16::from_be_bytes(b))),
        32 => convert(bytes, out, |b| f64::from(i32::from_be_bytes(b))),
        64 => convert(bytes, out, |b| i64::from_be_bytes(b) as f64),
        -32 => convert(bytes, out, |b| f64::from(f32::from_be_bytes(b))),
        _ => convert(bytes, out, f64::from_be_bytes),
    }
    if let Some(blank) = blank {
        set_blank(bytes, bitpix, blank, out);
    }
    if zero != 0.0 || scale != 1.0 {
        out.iter_mut().for_each(|x| *x = zero + scale * *x);
    }
    if bitpix < 0 || !zero.is_finite() || !scale.is_finite() {
        infinities_to_nan(out);
    }
}

/// Makes every infinity a NaN.
pub(super) fn infinities_to_nan(values: &mut [f64]) {
    values.iter_mut().for_each(|x| *x = if x.is_finite() { *x } else { f64::NAN });
}

/// A stored integer of 64 bits may not be exact as a double, so BLANK is compared before the conversion.
fn set_blank(bytes: &[u8], bitpix: i64, blank: i64, out: &mut [f64]) {
    fn mark<const W: usize>(bytes: &[u8], out: &mut [f64], is_blank: impl Fn([u8; W]) -> bool) {
        let (words, _) = bytes.as_chunks::<W>();
        for (x, word) in out.iter_mut().zip(words) {
            if is_blank(*word) {
                *x = f64::NAN;
            }
        }
    }
    match bitpix {
        8 => mark::<1>(bytes, out, |b| i64::from(b[0]) == blank),
        16 => mark(bytes, out, |b| i64::from(i16::from_be_bytes(b)) == blank),
        32 => mark(bytes, out, |b| i64::from(i32::from_be_bytes(b)) == blank),
        _ => mark(bytes, out, |b| i64::from_be_bytes(b) == blank),
    }
}

/// Converts word by word, with the widest instructions that the machine has.
fn convert<const W: usize, T>(bytes: &[u8], out: &mut [T], value: impl Fn([u8; W]) -> T) {
    pulp::Arch::new().dispatch(Convert { bytes, out, value });
}

struct Convert<'a, T, F, const W: usize> {
    bytes: &'a [u8],
    out: &'a mut [T],
    value: F,
}

impl<T, F: Fn([u8; W]) -> T, const W: usize> pulp::NullaryFnOnce for Convert<'_, T, F, W> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let (words, _) = self.bytes.as_chunks::<W>();
        for (x, word) in self.out.iter_mut().zip(words) {
            *x = (self.value)(*word);
        }
    }
}
