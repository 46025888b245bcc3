//! The `StreamerInfo` record: a file's description of its own classes.
//!
//! Readers that do not know ROOT's classes (jsroot, uproot) decode objects with it, and ROOT itself complains at each
//! opening of a file without it. The record lists, for each class that occurs, its version, a checksum and its members
//! in the order in which they are streamed (spec 05 §10.3). [`classes`] holds that knowledge as tables; this file
//! turns tables into bytes.

mod classes;

use classes::{BasicType, Member};
pub(super) use classes::{
    ClassInfo, FUNCTION_CLASSES, GRAPH_CLASSES, HISTOGRAM_CLASSES, LEAF_FLOAT, TREE_CLASSES, VECTOR_DOUBLE,
};

use super::buffer::{BITS_MEMBER, Buffer};

/// Bits of a class description: plain, member of a list, built from the file.
const BITS_CLASS: u32 = 0x0301_0000;

/// Writes the list of class descriptions.
pub(super) fn write_list(buffer: &mut Buffer, classes: &[&ClassInfo]) {
    buffer.list(BITS_MEMBER, classes.len(), |buffer| {
        for class in classes {
            buffer.pointer("TStreamerInfo", |buffer| write_class(buffer, class));
            buffer.string("");
        }
    });
}

fn write_class(buffer: &mut Buffer, class: &ClassInfo) {
    buffer.counted(9, |buffer| {
        buffer.named(BITS_CLASS, class.name, "");
        buffer.u32(class.checksum);
        buffer.i32(class.version);
        buffer.pointer("TObjArray", |buffer| {
            buffer.object_array(BITS_MEMBER, class.members.len(), |buffer| {
                for member in class.members {
                    write_member(buffer, member);
                }
            });
        });
    });
}

fn write_member(buffer: &mut Buffer, member: &Member) {
    match *member {
        Member::Base(base) => {
            let (code, version, checksum) = (base.base_code(), base.version, base.checksum);
            write_element(buffer, "TStreamerBase", 3, |buffer| {
                write_element_head(buffer, base.name, "", code, 0, checksum, "BASE");
                buffer.i32(version);
            });
        }
        Member::Basic(name, basic) => {
            write_element(buffer, "TStreamerBasicType", 2, |buffer| {
                write_element_head(buffer, name, "", basic.code, basic.size, 0, basic.name);
            });
        }
        Member::Counted { name, basic, class, version, counter } => {
            write_element(buffer, "TStreamerBasicPointer", 2, |buffer| {
                let (title, type_name) = (format!("[{counter}]"), format!("{}*", basic.name));
                write_element_head(buffer, name, &title, basic.code + BasicType::COUNTED, basic.size, 0, &type_name);
                buffer.i32(version);
                buffer.string(counter);
                buffer.string(class);
            });
        }
        Member::Text(name) => write_element(buffer, "TStreamerString", 2, |buffer| {
            write_element_head(buffer, name, "", 65, 24, 0, "TString");
        }),
        Member::Object(name, class, size) => write_element(buffer, "TStreamerObject", 2, |buffer| {
            write_element_head(buffer, name, "", 61, size, 0, class);
        }),
        Member::AnyObject(name, class, size) => write_element(buffer, "TStreamerObjectAny", 2, |buffer| {
            write_element_head(buffer, name, "", 62, size, 0, class);
        }),
        Member::Pointer(name, class) => write_element(buffer, "TStreamerObjectPointer", 2, |buffer| {
            write_element_head(buffer, name, "", 64, 8, 0, &format!("{class}*"));
        }),
        Member::SurePointer(name, class) => write_element(buffer, "TStreamerObjectPointer", 2, |buffer| {
            write_element_head(buffer, name, "->", 63, 8, 0, &format!("{class}*"));
        }),
        Member::AnyPointer(name, class) => write_element(buffer, "TStreamerObjectAnyPointer", 1, |buffer| {
            write_element_head(buffer, name, "", 69, 8, 0, &format!("{class}*"));
        }),
        Member::Stl(name, class, content) => write_element(buffer, "TStreamerSTL", 3, |buffer| {
            write_element_head(buffer, name, "", 500, 24, 0, class);
            buffer.i32(1);
            buffer.i32(content);
        }),
        Member::Vector { class, title, content } => write_element(buffer, "TStreamerSTL", 3, |buffer| {
            write_element_head(buffer, "This", title, 500, 0, 0, class);
            buffer.i32(1);
            buffer.i32(content);
        }),
    }
}

fn write_element(buffer: &mut Buffer, class: &'static str, version: i16, content: impl FnOnce(&mut Buffer)) {
    buffer.pointer(class, |buffer| buffer.counted(version, content));
}

/// The part common to all kinds of members.
fn write_element_head(
    buffer: &mut Buffer,
    name: &str,
    title: &str,
    code: i32,
    size: i32,
    base_checksum: u32,
    type_name: &str,
) {
    buffer.counted(4, |buffer| {
        buffer.named(BITS_MEMBER, name, title);
        buffer.i32(code);
        buffer.i32(size);
        buffer.i32(0);
        buffer.i32(0);
        // Five array dimensions; a base class keeps its checksum in the second.
        for dimension in [0, base_checksum, 0, 0, 0] {
            buffer.u32(dimension);
        }
        buffer.string(type_name);
    });
}
