//! The descriptions of classes that a file carries (`TStreamerInfo`).

use std::collections::HashMap;

use super::cursor::{Cursor, Pointed};
use super::{ReadResult, fault};

/// One member (or base) of a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Element {
    pub name: String,
    /// ROOT's number of the type.
    pub kind: i32,
    /// Length of an array.
    pub length: usize,
    pub type_name: String,
    /// Member that holds the length of a variable array.
    pub count: String,
}

/// Members of all classes, by name and version.
#[derive(Debug, Clone, Default)]
pub(super) struct Schema {
    classes: HashMap<(String, i32), Vec<Element>>,
}

impl Schema {
    /// From the payload of the record `StreamerInfo`.
    pub fn parse(payload: &[u8], key_length: usize) -> ReadResult<Self> {
        let mut cursor = Cursor::new(payload, key_length);
        let mut schema = Self::default();
        cursor.version()?;
        cursor.t_object()?;
        cursor.string()?;
        let n = cursor.count(1)?;
        for _ in 0..n {
            if let Pointed::Object(class, end) = cursor.pointer()? {
                let Some(end) = end else { return fault("a description of a class has no length") };
                if class == "TStreamerInfo" {
                    schema.info(&mut cursor)?;
                }
                cursor.go_to(end)?;
            }
            let option = cursor.u8()?;
            cursor.take(usize::from(option))?;
        }
        Ok(schema)
    }

    fn info(&mut self, cursor: &mut Cursor<'_>) -> ReadResult<()> {
        cursor.version()?;
        let (name, _) = cursor.t_named()?;
        cursor.u32()?;
        let version = cursor.i32()?;
        let Pointed::Object(_, end) = cursor.pointer()? else { return fault(format!("class {name} has no members")) };
        cursor.version()?;
        cursor.t_object()?;
        cursor.string()?;
        let n = cursor.count(1)?;
        cursor.i32()?;
        let mut elements = Vec::new();
        for _ in 0..n {
            if let Pointed::Object(class, end) = cursor.pointer()? {
                elements.push(element(cursor, &class)?);
                match end {
                    Some(end) => cursor.go_to(end)?,
                    None => return fault(format!("a member of class {name} has no length")),
                }
            }
        }
        if let Some(end) = end {
            cursor.go_to(end)?;
        }
        self.classes.insert((name, version), elements);
        Ok(())
    }

    /// Members of a class in this version; in the highest one if the version is not described.
    pub fn members(&self, class: &str, version: i16) -> Option<&[Element]> {
        let exact = self.classes.get(&(class.to_owned(), i32::from(version)));
        exact.map(Vec::as_slice)
    }
}

fn element(cursor: &mut Cursor<'_>, class: &str) -> ReadResult<Element> {
    // The element's own class wraps TStreamerElement.
    if class != "TStreamerElement" {
        cursor.version()?;
    }
    let version = cursor.version()?;
    let (name, _) = cursor.t_named()?;
    let kind = cursor.i32()?;
    cursor.i32()?;
    let length = cursor.i32()?;
    cursor.i32()?;
    if version.number > 1 {
        cursor.take(5 * 4)?;
    } else {
        let n = cursor.count(4)?;
        cursor.take(4 * n)?;
    }
    let type_name = cursor.string()?;
    if let Some(end) = version.end {
        cursor.go_to(end)?;
    }
    let count = if class == "TStreamerBasicPointer" {
        cursor.i32()?;
        cursor.string()?
    } else {
        String::new()
    };
    Ok(Element { name, kind, length: usize::try_from(length).unwrap_or(0), type_name, count })
}
