//! The content of trees, as tests state it.

use std::io::{Cursor as Memory, Seek, Write};

use panaskimg::root::{BranchType, Cell, Nested, Options, Result, RootFile};
use serde_json::{Value as Json, json};

use crate::reader::Cursor;

/// The value of one branch in one entry.
#[derive(Clone, Debug)]
pub enum Value {
    Int(i32),
    Float(f32),
    Double(f64),
    Str(String),
    VecInt(Vec<i32>),
    VecFloat(Vec<f32>),
    VecDouble(Vec<f64>),
    VecVecInt(Vec<Vec<i32>>),
    VecVecFloat(Vec<Vec<f32>>),
}

/// A tree with all its entries.
#[derive(Clone, Debug)]
pub struct Table {
    pub name: String,
    pub schema: Vec<(String, BranchType)>,
    pub rows: Vec<Vec<Value>>,
}

impl Value {
    pub fn cell(&self) -> Cell<'_> {
        match self {
            Self::Int(value) => Cell::Int(*value),
            Self::Float(value) => Cell::Float(*value),
            Self::Double(value) => Cell::Double(*value),
            Self::Str(text) => Cell::Str(text),
            Self::VecInt(values) => Cell::VecInt(values),
            Self::VecFloat(values) => Cell::VecFloat(values),
            Self::VecDouble(values) => Cell::VecDouble(values),
            Self::VecVecInt(rows) => Cell::VecVecInt(Nested::Vecs(rows)),
            Self::VecVecFloat(rows) => Cell::VecVecFloat(Nested::Vecs(rows)),
        }
    }

    /// Decodes a value as ROOT streams it.
    pub fn read(kind: BranchType, cursor: &mut Cursor<'_>) -> Self {
        fn vector<'a, T>(cursor: &mut Cursor<'a>, read: impl Fn(&mut Cursor<'a>) -> T) -> Vec<T> {
            let length = cursor.i32();
            (0..length).map(|_| read(cursor)).collect()
        }
        match kind {
            BranchType::Int => Self::Int(cursor.i32()),
            BranchType::Float => Self::Float(cursor.f32()),
            BranchType::Double => Self::Double(cursor.f64()),
            BranchType::String => Self::Str(cursor.string()),
            BranchType::VecInt => Self::VecInt(cursor.counted(9, |c| vector(c, Cursor::i32))),
            BranchType::VecFloat => Self::VecFloat(cursor.counted(9, |c| vector(c, Cursor::f32))),
            BranchType::VecDouble => Self::VecDouble(cursor.counted(9, |c| vector(c, Cursor::f64))),
            BranchType::VecVecInt => Self::VecVecInt(cursor.counted(9, |c| vector(c, |c| vector(c, Cursor::i32)))),
            BranchType::VecVecFloat => Self::VecVecFloat(cursor.counted(9, |c| vector(c, |c| vector(c, Cursor::f32)))),
        }
    }

    fn json(&self) -> Json {
        match self {
            Self::Int(value) => json!(value),
            Self::Float(value) => json!(f64::from(*value)),
            Self::Double(value) => json!(value),
            Self::Str(text) => json!(text),
            Self::VecInt(values) => json!(values),
            Self::VecFloat(values) => json!(widen(values)),
            Self::VecDouble(values) => json!(values),
            Self::VecVecInt(rows) => json!(rows),
            Self::VecVecFloat(rows) => json!(rows.iter().map(|row| widen(row)).collect::<Vec<_>>()),
        }
    }
}

fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

/// Equal to the last bit, so that NaN is equal to itself and −0 is not 0.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Double(a), Self::Double(b)) => a.to_bits() == b.to_bits(),
            (Self::Str(a), Self::Str(b)) => a == b,
            (Self::VecInt(a), Self::VecInt(b)) => a == b,
            (Self::VecFloat(a), Self::VecFloat(b)) => bits(a) == bits(b),
            (Self::VecDouble(a), Self::VecDouble(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
            }
            (Self::VecVecInt(a), Self::VecVecInt(b)) => a == b,
            (Self::VecVecFloat(a), Self::VecVecFloat(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| bits(a) == bits(b))
            }
            _ => false,
        }
    }
}

impl Table {
    /// What the scripts in `tests/interop` compare with.
    pub fn json(&self) -> Json {
        json!({
            "branches": self.schema.iter().map(|(name, kind)| json!([name, kind.cpp_name()])).collect::<Vec<_>>(),
            "rows": self.rows.iter().map(|row| row.iter().map(Value::json).collect::<Vec<_>>()).collect::<Vec<_>>(),
        })
    }

    pub fn column(&self, branch: &str) -> Vec<Value> {
        let number = self.schema.iter().position(|(name, _)| name == branch).expect("a branch of the table");
        self.rows.iter().map(|row| row[number].clone()).collect()
    }
}

/// Fills the trees in turn, entry by entry.
pub fn fill<W: Write + Seek>(file: &mut RootFile<W>, tables: &[Table]) -> Result<()> {
    let mut trees = Vec::new();
    for table in tables {
        trees.push(file.tree(&table.name, table.schema.clone())?);
    }
    let longest = tables.iter().map(|table| table.rows.len()).max().unwrap_or(0);
    for entry in 0..longest {
        for (table, &tree) in tables.iter().zip(&trees) {
            if let Some(row) = table.rows.get(entry) {
                let cells: Vec<_> = row.iter().map(Value::cell).collect();
                file.fill(tree, &cells)?;
            }
        }
    }
    Ok(())
}

/// A file in memory with these trees.
pub fn write(tables: &[Table], options: Options) -> Vec<u8> {
    let mut file = RootFile::start(Memory::new(Vec::new()), "memory.root", options).unwrap();
    fill(&mut file, tables).unwrap();
    file.finish_into().unwrap().into_inner()
}

/// A small generator of repeatable numbers (xorshift64*, Vigna 2016).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 33) as usize % limit
    }

    fn float(&mut self) -> f32 {
        (self.next() >> 40) as f32 / 1024.0 - 5000.0
    }

    fn vector<T>(&mut self, length: usize, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..length).map(|_| item(self)).collect()
    }

    fn nested<T>(&mut self, rows: usize, item: impl Fn(&mut Self) -> T) -> Vec<Vec<T>> {
        self.vector(rows, |random| {
            let length = random.below(7);
            random.vector(length, &item)
        })
    }

    /// A value without NaN, small enough for sums of it to be exact; vectors have this length.
    pub fn value(&mut self, kind: BranchType, length: usize) -> Value {
        match kind {
            BranchType::Int => Value::Int(self.next() as i32),
            BranchType::Float => Value::Float(self.float()),
            BranchType::Double => Value::Double(f64::from(self.float()) + 1e-9),
            BranchType::String => {
                let letters: Vec<char> = "abcXYZ019 _-.:é,{}".chars().collect();
                let longest = if self.below(5) == 0 { 600 } else { 20 };
                let length = self.below(longest);
                Value::Str(self.vector(length, |random| letters[random.below(letters.len())]).iter().collect())
            }
            BranchType::VecInt => Value::VecInt(self.vector(length, |random| random.next() as i32)),
            BranchType::VecFloat => Value::VecFloat(self.vector(length, Self::float)),
            BranchType::VecDouble => Value::VecDouble(self.vector(length, |random| f64::from(random.float()) / 3.0)),
            BranchType::VecVecInt => Value::VecVecInt(self.nested(length, |random| random.next() as i32)),
            BranchType::VecVecFloat => Value::VecVecFloat(self.nested(length, Self::float)),
        }
    }
}
