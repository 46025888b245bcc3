//! The bytes of an object as ROOT streams them.
//!
//! Everything is big-endian. Two devices give the format its shape (spec 05 §10.2):
//!
//! * a *counted object* `B(v)` starts with the number of bytes that follow, marked by bit 30, and its class version, so
//!   that a reader may skip what it does not know;
//! * a *pointer* names the class of the object behind it the first time the class occurs, and afterwards refers to that
//!   place; an object met again is a reference to its first occurrence. Places are counted from the start of the
//!   record (the payload's offset plus the length of the key before it), plus 2 so that 0 can mean "null".

use std::collections::HashMap;

/// Marks a count of bytes (ROOT's `kByteCountMask`).
pub(super) const BYTE_COUNT: u32 = 0x4000_0000;
/// Announces a class name (ROOT's `kNewClassTag`).
const NEW_CLASS: u32 = 0xffff_ffff;
/// Marks a reference to a class name (ROOT's `kClassMask`).
const CLASS_REFERENCE: u32 = 0x8000_0000;
/// Added to every place, because 0 is the null pointer (ROOT's `kMapOffset`).
const MAP_OFFSET: usize = 2;

/// Status bits that ROOT sets on any object made on the heap or on the stack.
pub(super) const BITS_PLAIN: u32 = 0x0300_0000;
/// The same for an object owned by another one.
pub(super) const BITS_MEMBER: u32 = 0x0200_0000;

/// Where an object stands in the record, for later pointers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reference(u32);

/// The payload of a record while it is put together.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    key_length: usize,
    classes: HashMap<&'static str, u32>,
}

impl Buffer {
    /// An empty payload that will stand behind a key of `key_length` bytes.
    pub fn new(key_length: usize) -> Self {
        Self { bytes: Vec::new(), key_length, classes: HashMap::new() }
    }

    /// The finished payload.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub fn i16(&mut self, value: i16) {
        self.bytes.extend(value.to_be_bytes());
    }

    pub fn i32(&mut self, value: i32) {
        self.bytes.extend(value.to_be_bytes());
    }

    pub fn u32(&mut self, value: u32) {
        self.bytes.extend(value.to_be_bytes());
    }

    pub fn i64(&mut self, value: i64) {
        self.bytes.extend(value.to_be_bytes());
    }

    pub fn f32(&mut self, value: f32) {
        self.bytes.extend(value.to_be_bytes());
    }

    pub fn f64(&mut self, value: f64) {
        self.bytes.extend(value.to_be_bytes());
    }

    /// A string with its length before it.
    pub fn string(&mut self, text: &str) {
        put_string(&mut self.bytes, text.as_bytes());
    }

    /// `B(version)`: a count of bytes, the version, and what `content` writes.
    pub fn counted<R>(&mut self, version: i16, content: impl FnOnce(&mut Self) -> R) -> R {
        self.with_count(|buffer| {
            buffer.i16(version);
            content(buffer)
        })
    }

    /// A pointer to a new object of `class`, whose streamed form `content` writes; gives its place.
    pub fn pointer(&mut self, class: &'static str, content: impl FnOnce(&mut Self)) -> Reference {
        let place = Reference(self.place());
        self.pointer_to(class, content);
        place
    }

    /// The same, giving what `content` gives.
    pub fn pointer_to<R>(&mut self, class: &'static str, content: impl FnOnce(&mut Self) -> R) -> R {
        self.with_count(|buffer| {
            if let Some(known) = buffer.classes.get(class) {
                buffer.u32(CLASS_REFERENCE | known);
            } else {
                let first = buffer.place();
                buffer.classes.insert(class, first);
                buffer.u32(NEW_CLASS);
                buffer.bytes.extend(class.as_bytes());
                buffer.u8(0);
            }
            content(buffer)
        })
    }

    /// A pointer to an object written before.
    pub fn refer(&mut self, object: Reference) {
        self.u32(object.0);
    }

    /// A pointer to nothing.
    pub fn null(&mut self) {
        self.u32(0);
    }

    /// The part every ROOT object has: version 1, unique number 0, status bits.
    pub fn object(&mut self, bits: u32) {
        self.i16(1);
        self.u32(0);
        self.u32(bits);
    }

    /// A `TNamed`: an object with name and title.
    pub fn named(&mut self, bits: u32, name: &str, title: &str) {
        self.counted(1, |buffer| {
            buffer.object(bits);
            buffer.string(name);
            buffer.string(title);
        });
    }

    /// A `TObjArray` of `length` pointers, which `content` writes.
    pub fn object_array<R>(&mut self, bits: u32, length: usize, content: impl FnOnce(&mut Self) -> R) -> R {
        self.counted(3, |buffer| {
            buffer.object(bits);
            buffer.string("");
            buffer.i32(length as i32);
            buffer.i32(0);
            content(buffer)
        })
    }

    /// A `TList` of `length` pairs of a pointer and an (empty) option string, which `content` writes.
    pub fn list<R>(&mut self, bits: u32, length: usize, content: impl FnOnce(&mut Self) -> R) -> R {
        self.counted(5, |buffer| {
            buffer.object(bits);
            buffer.string("");
            buffer.i32(length as i32);
            content(buffer)
        })
    }

    /// A `TArrayD` or the array part of a class derived from it: length and values.
    pub fn f64_array(&mut self, values: &[f64]) {
        self.i32(values.len() as i32);
        put_f64s(&mut self.bytes, values);
    }

    /// A `TArrayF` or the array part of a class derived from it.
    pub fn f32_array(&mut self, values: &[f32]) {
        self.i32(values.len() as i32);
        put_f32s(&mut self.bytes, values);
    }

    /// Values without a length before them.
    pub fn f64s(&mut self, values: &[f64]) {
        put_f64s(&mut self.bytes, values);
    }

    /// A `TAttLine`: colour number, style number, width in pixels.
    pub fn line_attributes(&mut self, color: i16, style: i16, width: i16) {
        self.counted(2, |buffer| {
            buffer.i16(color);
            buffer.i16(style);
            buffer.i16(width);
        });
    }

    /// A `TAttFill`: colour number, style number.
    pub fn fill_attributes(&mut self, color: i16, style: i16) {
        self.counted(2, |buffer| {
            buffer.i16(color);
            buffer.i16(style);
        });
    }

    /// A `TAttMarker`: colour number, shape number, size relative to 8 pixels.
    pub fn marker_attributes(&mut self, color: i16, style: i16, size: f32) {
        self.counted(2, |buffer| {
            buffer.i16(color);
            buffer.i16(style);
            buffer.f32(size);
        });
    }

    fn with_count<R>(&mut self, content: impl FnOnce(&mut Self) -> R) -> R {
        let at = self.bytes.len();
        self.u32(0);
        let result = content(self);
        // Callers keep single values below 2³⁰ bytes; descriptions of trees and objects are far smaller.
        let following = (self.bytes.len() - at - 4) as u32;
        self.bytes[at..at + 4].copy_from_slice(&(BYTE_COUNT | following).to_be_bytes());
        result
    }

    fn place(&self) -> u32 {
        (self.bytes.len() + self.key_length + MAP_OFFSET) as u32
    }
}

/// Bytes that a string of `length` bytes takes, with its length before it.
pub(super) fn string_size(length: usize) -> usize {
    if length < 255 { 1 + length } else { 5 + length }
}

/// Appends a string: one byte of length, or 255 and four bytes.
pub(super) fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    if text.len() < 255 {
        out.push(text.len() as u8);
    } else {
        out.push(255);
        out.extend((text.len() as u32).to_be_bytes());
    }
    out.extend(text);
}

/// Appends integers, big-endian.
pub(super) fn put_i32s(out: &mut Vec<u8>, values: &[i32]) {
    put_words(out, values, i32::to_be_bytes);
}

/// Appends single-precision numbers, big-endian.
pub(super) fn put_f32s(out: &mut Vec<u8>, values: &[f32]) {
    put_words(out, values, f32::to_be_bytes);
}

/// Appends double-precision numbers, big-endian.
pub(super) fn put_f64s(out: &mut Vec<u8>, values: &[f64]) {
    put_words(out, values, f64::to_be_bytes);
}

/// Written as a loop over equal pieces, which the compiler turns into vector byte swaps.
fn put_words<T: Copy, const N: usize>(out: &mut Vec<u8>, values: &[T], to_bytes: impl Fn(T) -> [u8; N]) {
    let start = out.len();
    out.resize(start + N * values.len(), 0);
    for (place, &value) in out[start..].chunks_exact_mut(N).zip(values) {
        place.copy_from_slice(&to_bytes(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_change_form_at_255_bytes() {
        for (length, head) in
            [(0, vec![0]), (254, vec![254]), (255, vec![255, 0, 0, 0, 255]), (300, vec![255, 0, 0, 1, 44])]
        {
            let mut out = Vec::new();
            put_string(&mut out, "x".repeat(length).as_bytes());
            assert_eq!(out[..head.len()], head);
            assert_eq!(out.len(), string_size(length));
            assert_eq!(out.len(), head.len() + length);
        }
    }

    /// The second pointer refers to the class name of the first; both count from the record's start plus 2.
    #[test]
    fn pointers_name_their_class_once() {
        let mut buffer = Buffer::new(100);
        let first = buffer.pointer("TLeafI", |b| b.u8(1));
        let second = buffer.pointer("TLeafI", |b| b.u8(2));
        buffer.refer(first);
        buffer.refer(second);
        buffer.null();
        let expected = [
            &[0x40, 0, 0, 12][..], // 4 + 7 + 1 bytes follow
            &[0xff; 4],
            b"TLeafI\0",
            &[1],
            &[0x40, 0, 0, 5],
            &[0x80, 0, 0, 106], // offset 4 + 100 + 2
            &[2],
            &[0, 0, 0, 102], // offset 0 + 100 + 2
            &[0, 0, 0, 118], // offset 16 + 100 + 2
            &[0, 0, 0, 0],
        ]
        .concat();
        assert_eq!(buffer.into_bytes(), expected);
    }
}
