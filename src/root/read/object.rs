//! Objects decoded with the descriptions of their classes.

use std::collections::HashMap;

use super::cursor::{Cursor, Pointed, Version};
use super::schema::{Element, Schema};
use super::{ReadError, ReadResult, fault};

/// Objects inside objects, at most: deeper ones are a damaged file.
const DEEPEST: usize = 64;

/// The members of an object, those of its bases included.
#[derive(Debug, Clone, Default)]
pub(super) struct Object {
    pub class: String,
    fields: HashMap<String, Field>,
}

/// A member.
#[derive(Debug, Clone)]
pub(super) enum Field {
    Int(i64),
    Real(f64),
    Text(String),
    Ints(Vec<i64>),
    /// Objects of a `TObjArray`; places without an object are left out.
    List(Vec<Object>),
}

impl Object {
    /// A whole number (real ones are cut: counts are real in old files).
    pub fn int(&self, name: &str) -> ReadResult<i64> {
        match self.fields.get(name) {
            Some(Field::Int(x)) => Ok(*x),
            Some(Field::Real(x)) => Ok(*x as i64),
            _ => fault(format!("class {} has no number {name}", self.class)),
        }
    }

    pub fn text(&self, name: &str) -> ReadResult<&str> {
        match self.fields.get(name) {
            Some(Field::Text(text)) => Ok(text),
            _ => fault(format!("class {} has no text {name}", self.class)),
        }
    }

    pub fn ints(&self, name: &str) -> ReadResult<&[i64]> {
        match self.fields.get(name) {
            Some(Field::Ints(values)) => Ok(values),
            _ => fault(format!("class {} has no array {name}", self.class)),
        }
    }

    pub fn list(&self, name: &str) -> ReadResult<&[Object]> {
        match self.fields.get(name) {
            Some(Field::List(list)) => Ok(list),
            _ => fault(format!("class {} has no list {name}", self.class)),
        }
    }

    fn set(&mut self, name: &str, field: Field) {
        self.fields.insert(name.to_owned(), field);
    }
}

/// Decodes objects.
pub(super) struct Decoder<'s> {
    pub schema: &'s Schema,
}

impl Decoder<'_> {
    /// An object with its version before it.
    pub fn object(&self, cursor: &mut Cursor<'_>, class: &str) -> ReadResult<Object> {
        let mut object = Object { class: class.to_owned(), ..Object::default() };
        self.class(cursor, class, &mut object, 0)?;
        Ok(object)
    }

    fn class(&self, cursor: &mut Cursor<'_>, class: &str, object: &mut Object, depth: usize) -> ReadResult<()> {
        if depth > DEEPEST {
            return fault("objects are nested too deeply");
        }
        match class {
            "TObject" => return cursor.t_object(),
            "TNamed" => {
                let (name, title) = cursor.t_named()?;
                object.set("fName", Field::Text(name));
                object.set("fTitle", Field::Text(title));
                return Ok(());
            }
            // Arrays of numbers are written without a version.
            "TArrayD" => return skip_array(cursor, 8),
            "TArrayI" => return skip_array(cursor, 4),
            _ => {}
        }
        let version = cursor.version()?;
        if class == "TBranch" && version.number <= 9 {
            self.old_branch(cursor, version, object, depth)?;
        } else if let Some(members) = self.schema.members(class, version.number) {
            for member in members {
                self.member(cursor, member, object, depth)?;
            }
        } else if version.end.is_none() {
            return fault(format!("class {class} in version {} is not described in the file", version.number));
        }
        if let Some(end) = version.end {
            if cursor.position() > end {
                return fault(format!("an object of class {class} is longer than the file says"));
            }
            cursor.go_to(end)?;
        }
        Ok(())
    }

    /// Branches before version 10 are not written as their description says.
    fn old_branch(
        &self,
        cursor: &mut Cursor<'_>,
        version: Version,
        object: &mut Object,
        depth: usize,
    ) -> ReadResult<()> {
        if version.number < 6 {
            return fault(format!("branches of version {} are too old", version.number));
        }
        self.class(cursor, "TNamed", object, depth + 1)?;
        if version.number > 7 {
            self.class(cursor, "TAttFill", object, depth + 1)?;
        }
        for name in
            ["fCompress", "fBasketSize", "fEntryOffsetLen", "fWriteBasket", "fEntryNumber", "fOffset", "fMaxBaskets"]
        {
            let value = cursor.i32()?;
            object.set(name, Field::Int(i64::from(value)));
        }
        if version.number > 6 {
            cursor.i32()?;
        }
        for name in ["fEntries", "fTotBytes", "fZipBytes"] {
            let value = cursor.f64()?;
            object.set(name, Field::Real(value));
        }
        for name in ["fBranches", "fLeaves", "fBaskets"] {
            let list = self.list(cursor, depth + 1)?;
            object.set(name, Field::List(list));
        }
        let n = usize::try_from(object.int("fMaxBaskets")?).unwrap_or(0);
        cursor.u8()?;
        object.set("fBasketBytes", Field::Ints(cursor.i32s(n)?));
        cursor.u8()?;
        object.set("fBasketEntry", Field::Ints(cursor.i32s(n)?));
        let wide = cursor.u8()? == 2;
        object.set("fBasketSeek", Field::Ints(if wide { cursor.i64s(n)? } else { cursor.i32s(n)? }));
        Ok(())
    }

    /// A `TObjArray`.
    fn list(&self, cursor: &mut Cursor<'_>, depth: usize) -> ReadResult<Vec<Object>> {
        let version = cursor.version()?;
        cursor.t_object()?;
        if version.number > 1 {
            cursor.string()?;
        }
        let n = cursor.count(1)?;
        cursor.i32()?;
        let mut list = Vec::new();
        for _ in 0..n {
            if let Some(object) = self.pointed(cursor, depth)? {
                list.push(object);
            }
        }
        if let Some(end) = version.end {
            cursor.go_to(end)?;
        }
        Ok(list)
    }

    /// An object at a pointer.
    fn pointed(&self, cursor: &mut Cursor<'_>, depth: usize) -> ReadResult<Option<Object>> {
        let Pointed::Object(class, end) = cursor.pointer()? else { return Ok(None) };
        let mut object = Object { class: class.clone(), ..Object::default() };
        let known = class.starts_with("TBranch") || class.starts_with("TLeaf");
        match end {
            // Only branches and leaves matter; everything else is passed over.
            Some(end) if !known => cursor.go_to(end)?,
            _ => self.class(cursor, &class, &mut object, depth + 1)?,
        }
        if let Some(end) = end {
            cursor.go_to(end)?;
        }
        Ok(Some(object))
    }

    fn member(&self, cursor: &mut Cursor<'_>, member: &Element, object: &mut Object, depth: usize) -> ReadResult<()> {
        let name = member.name.as_str();
        match member.kind {
            0 => self.class(cursor, name, object, depth + 1)?,
            66 => cursor.t_object()?,
            67 => self.class(cursor, "TNamed", object, depth + 1)?,
            kind @ 1..=19 => object.set(name, number(cursor, kind)?),
            kind @ 21..=39 => {
                for _ in 0..member.length {
                    number(cursor, kind - 20)?;
                }
            }
            kind @ 41..=59 => {
                let n = usize::try_from(object.int(&member.count)?).unwrap_or(0);
                if cursor.u8()? != 0 {
                    object.set(name, numbers(cursor, kind - 40, n)?);
                }
            }
            61 | 62 if member.type_name == "TObjArray" => {
                let list = self.list(cursor, depth + 1)?;
                object.set(name, Field::List(list));
            }
            61..=63 => {
                let class = member.type_name.trim_end_matches('*');
                let mut inner = Object { class: class.to_owned(), ..Object::default() };
                self.class(cursor, class, &mut inner, depth + 1)?;
            }
            64 | 68..=70 => {
                self.pointed(cursor, depth + 1)?;
            }
            65 => {
                let text = cursor.string()?;
                object.set(name, Field::Text(text));
            }
            kind => {
                // Whatever it is, it can be passed over if its length is known.
                let version = cursor.version()?;
                match version.end {
                    Some(end) => cursor.go_to(end)?,
                    None => {
                        return fault(format!("member {name} of class {} has the unknown type {kind}", object.class));
                    }
                }
            }
        }
        Ok(())
    }
}

fn skip_array(cursor: &mut Cursor<'_>, size: usize) -> ReadResult<()> {
    let n = cursor.count(size)?;
    cursor.take(n * size)?;
    Ok(())
}

fn number(cursor: &mut Cursor<'_>, kind: i32) -> ReadResult<Field> {
    Ok(match kind {
        1 => Field::Int(i64::from(cursor.u8()? as i8)),
        11 | 18 => Field::Int(i64::from(cursor.u8()?)),
        2 => Field::Int(i64::from(cursor.i16()?)),
        12 => Field::Int(i64::from(cursor.u16()?)),
        3 | 6 => Field::Int(i64::from(cursor.i32()?)),
        13 | 15 => Field::Int(i64::from(cursor.u32()?)),
        4 | 14 | 16 | 17 => Field::Int(cursor.i64()?),
        5 | 9 => Field::Real(f64::from(cursor.f32()?)),
        8 => Field::Real(cursor.f64()?),
        7 => {
            let n = cursor.count(1)?;
            Field::Text(String::from_utf8_lossy(cursor.take(n)?).into_owned())
        }
        other => return Err(ReadError(format!("numbers of type {other} are not known"))),
    })
}

fn numbers(cursor: &mut Cursor<'_>, kind: i32, n: usize) -> ReadResult<Field> {
    match kind {
        3 | 6 | 13 => Ok(Field::Ints(cursor.i32s(n)?)),
        4 | 14 | 16 | 17 => Ok(Field::Ints(cursor.i64s(n)?)),
        other => {
            for _ in 0..n {
                number(cursor, other)?;
            }
            Ok(Field::Ints(Vec::new()))
        }
    }
}
