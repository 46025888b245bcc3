//! Branches: their types, and their values basket by basket.

use super::cursor::Cursor;
use super::file::RootInput;
use super::object::Object;
use super::{ReadError, ReadResult, fault};

/// Numbers that a branch can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
}

impl Number {
    fn of_leaf(class: &str, unsigned: bool) -> Option<Self> {
        Some(match (class, unsigned) {
            ("TLeafB", false) => Self::I8,
            ("TLeafB", true) | ("TLeafO", _) => Self::U8,
            ("TLeafS", false) => Self::I16,
            ("TLeafS", true) => Self::U16,
            ("TLeafI", false) => Self::I32,
            ("TLeafI", true) => Self::U32,
            ("TLeafL" | "TLeafG", false) => Self::I64,
            ("TLeafL" | "TLeafG", true) => Self::U64,
            ("TLeafF", _) => Self::F32,
            ("TLeafD", _) => Self::F64,
            _ => return None,
        })
    }

    fn of_cpp(name: &str) -> Option<Self> {
        Some(match name {
            "char" | "Char_t" | "signed char" => Self::I8,
            "unsigned char" | "UChar_t" | "bool" | "Bool_t" => Self::U8,
            "short" | "Short_t" => Self::I16,
            "unsigned short" | "UShort_t" => Self::U16,
            "int" | "Int_t" => Self::I32,
            "unsigned int" | "UInt_t" => Self::U32,
            "long" | "Long_t" | "long long" | "Long64_t" => Self::I64,
            "unsigned long" | "ULong_t" | "unsigned long long" | "ULong64_t" => Self::U64,
            "float" | "Float_t" => Self::F32,
            "double" | "Double_t" => Self::F64,
            _ => return None,
        })
    }

    fn size(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    fn read(self, bytes: &[u8]) -> f64 {
        macro_rules! convert {
            ($type:ty) => {
                <$type>::from_be_bytes(bytes.try_into().unwrap_or_default()) as f64
            };
        }
        match self {
            Self::I8 => convert!(i8),
            Self::U8 => convert!(u8),
            Self::I16 => convert!(i16),
            Self::U16 => convert!(u16),
            Self::I32 => convert!(i32),
            Self::U32 => convert!(u32),
            Self::I64 => convert!(i64),
            Self::U64 => convert!(u64),
            Self::F32 => convert!(f32),
            Self::F64 => convert!(f64),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Scalar(Number),
    Vector(Number),
    Nested(Number),
    Text,
    Other,
}

/// One entry of a branch.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// A number.
    Number(f64),
    /// A vector of numbers.
    Numbers(Vec<f64>),
    /// A vector of vectors of numbers.
    Lists(Vec<Vec<f64>>),
    /// A text.
    Text(String),
}

#[derive(Debug, Clone, Copy)]
struct Basket {
    position: u64,
    bytes: usize,
}

/// A branch.
#[derive(Debug, Clone)]
pub struct BranchReader {
    input: RootInput,
    name: String,
    type_name: String,
    kind: Kind,
    baskets: Vec<Basket>,
    entries: u64,
}

impl BranchReader {
    pub(super) fn new(input: RootInput, branch: &Object) -> ReadResult<Self> {
        let name = branch.text("fName")?.to_owned();
        let (kind, type_name) = kind(branch)?;
        let number = |name: &str| -> ReadResult<usize> { Ok(usize::try_from(branch.int(name)?).unwrap_or(0)) };
        let written = number("fWriteBasket")?;
        let (positions, bytes) = (branch.ints("fBasketSeek")?, branch.ints("fBasketBytes")?);
        let baskets: Vec<Basket> = positions
            .iter()
            .zip(bytes)
            .take(written + 1)
            .filter(|(position, _)| **position > 0)
            .map(|(position, bytes)| Basket { position: *position as u64, bytes: usize::try_from(*bytes).unwrap_or(0) })
            .collect();
        let entries = u64::try_from(branch.int("fEntries")?).unwrap_or(0);
        if baskets.is_empty() && entries > 0 && branch.list("fBaskets").is_ok_and(|list| !list.is_empty()) {
            return fault(format!("branch `{name}` keeps its data inside the tree, which is not supported"));
        }
        Ok(Self { input, name, type_name, kind, baskets, entries })
    }

    /// Name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Type, as C++ names it.
    pub fn type_name(&self) -> &str {
        &self.type_name
    }

    /// Whether entries are numbers.
    pub fn is_number(&self) -> bool {
        matches!(self.kind, Kind::Scalar(_))
    }

    /// Whether entries are vectors of numbers.
    pub fn is_vector(&self) -> bool {
        matches!(self.kind, Kind::Vector(_))
    }

    /// Whether entries are vectors of vectors of numbers.
    pub fn is_nested(&self) -> bool {
        matches!(self.kind, Kind::Nested(_))
    }

    /// Whether entries are texts.
    pub fn is_text(&self) -> bool {
        self.kind == Kind::Text
    }

    /// All entries in order, basket by basket. The first error ends the iteration.
    pub fn values(&self) -> impl Iterator<Item = ReadResult<Values>> + '_ {
        let mut left = self.entries;
        let mut failed = false;
        let baskets = self.baskets.iter().map(move |basket| self.basket(basket).map_err(|e| self.named(e)));
        let mut values = baskets.flat_map(|basket| match basket {
            Ok(values) => values.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(error) => vec![Err(error)],
        });
        std::iter::from_fn(move || {
            if left == 0 || failed {
                return None;
            }
            left -= 1;
            let value = values.next().unwrap_or_else(|| {
                fault(format!("branch `{}` has {} entries fewer than it says", self.name, left + 1))
            });
            failed = value.is_err();
            Some(value)
        })
    }

    fn named(&self, error: ReadError) -> ReadError {
        ReadError(format!("branch `{}`: {error}", self.name))
    }

    fn basket(&self, basket: &Basket) -> ReadResult<Vec<Values>> {
        let (payload, key) = self.input.record(basket.position, basket.bytes)?;
        // Behind the names: version, size of the buffer, length of an entry, entries, end of the data.
        let mut tail = Cursor::new(&key.tail, 0);
        tail.i16()?;
        tail.i32()?;
        tail.i32()?;
        let entries = usize::try_from(tail.i32()?).unwrap_or(0);
        let last = usize::try_from(tail.i32()?).unwrap_or(0);
        let end = last.checked_sub(key.length).filter(|end| *end <= payload.len());
        let Some(end) = end else { return fault("the data of a basket end outside of it") };
        if matches!(self.kind, Kind::Text)
            && let Some(offsets) = entry_offsets(&payload[end..], entries)
        {
            return texts(&payload[..end], &offsets, key.length);
        }
        let mut cursor = Cursor::new(&payload[..end], key.length);
        let mut values = Vec::new();
        for _ in 0..entries {
            values.push(self.entry(&mut cursor)?);
        }
        Ok(values)
    }

    fn entry(&self, cursor: &mut Cursor<'_>) -> ReadResult<Values> {
        match self.kind {
            Kind::Scalar(number) => Ok(Values::Number(number.read(cursor.take(number.size())?))),
            Kind::Text => Ok(Values::Text(cursor.string()?)),
            Kind::Vector(number) => {
                let version = cursor.version()?;
                let n = cursor.count(number.size())?;
                let bytes = cursor.take(n * number.size())?;
                if version.end.is_some_and(|end| end != cursor.position()) {
                    return fault("the length of a vector and its number of elements do not agree");
                }
                Ok(Values::Numbers(bytes.chunks_exact(number.size()).map(|b| number.read(b)).collect()))
            }
            Kind::Nested(number) => {
                let version = cursor.version()?;
                // Each inner vector takes the four bytes of its own count at least.
                let n = cursor.count(4)?;
                let mut lists = Vec::with_capacity(n);
                for _ in 0..n {
                    let m = cursor.count(number.size())?;
                    let bytes = cursor.take(m * number.size())?;
                    lists.push(bytes.chunks_exact(number.size()).map(|b| number.read(b)).collect());
                }
                if version.end.is_some_and(|end| end != cursor.position()) {
                    return fault("the length of a vector of vectors and its numbers of elements do not agree");
                }
                Ok(Values::Lists(lists))
            }
            Kind::Other => fault(format!("type {} cannot be read", self.type_name)),
        }
    }
}

/// The elements of a `vector<…>`, without the allocator that may follow them.
fn element(class: &str) -> Option<&str> {
    let inner = class.trim().strip_prefix("vector<")?.strip_suffix('>')?;
    let mut depth = 0;
    let end = inner.char_indices().find(|(_, c)| {
        depth += match c {
            '<' => 1,
            '>' => -1,
            _ => 0,
        };
        *c == ',' && depth == 0
    });
    Some(inner[..end.map_or(inner.len(), |(at, _)| at)].trim())
}

/// Kind and type of a branch.
fn kind(branch: &Object) -> ReadResult<(Kind, String)> {
    if branch.class == "TBranchElement" {
        let class = branch.text("fClassName")?.to_owned();
        let plain = class.replace("std::", "");
        let kind = match element(&plain) {
            Some(inner) => match element(inner) {
                Some(number) => Number::of_cpp(number).map_or(Kind::Other, Kind::Nested),
                None => Number::of_cpp(inner).map_or(Kind::Other, Kind::Vector),
            },
            None if plain == "string" => Kind::Text,
            None => Kind::Other,
        };
        return Ok((kind, class));
    }
    let leaves = branch.list("fLeaves")?;
    let [leaf] = leaves else { return Ok((Kind::Other, format!("a group of {} leaves", leaves.len()))) };
    let unsigned = leaf.int("fIsUnsigned").unwrap_or(0) != 0;
    let length = leaf.int("fLen").unwrap_or(1);
    let type_name = match leaf.class.as_str() {
        "TLeafI" => "int",
        "TLeafL" | "TLeafG" => "long",
        "TLeafF" => "float",
        "TLeafD" => "double",
        "TLeafS" => "short",
        "TLeafB" => "char",
        "TLeafO" => "bool",
        "TLeafC" => "text",
        other => other,
    };
    let kind = match Number::of_leaf(&leaf.class, unsigned) {
        _ if leaf.class == "TLeafC" => Kind::Text,
        Some(number) if length == 1 => Kind::Scalar(number),
        _ => Kind::Other,
    };
    Ok((kind, if length == 1 { type_name.to_owned() } else { format!("{type_name}[{length}]") }))
}
/// Where the entries of a basket begin, counted from the key: the list behind the data, a count before it.
fn entry_offsets(behind: &[u8], entries: usize) -> Option<Vec<usize>> {
    let mut cursor = Cursor::new(behind, 0);
    // One more than the entries: the last number is not used.
    let count = usize::try_from(cursor.i32().ok()?).ok().filter(|n| *n >= entries && entries > 0)?;
    if count > behind.len() / 4 {
        return None;
    }
    (0..entries).map(|_| usize::try_from(cursor.i32().ok()?).ok()).collect()
}

/// Texts between offsets. ROOT writes nothing at all for an empty one.
fn texts(data: &[u8], offsets: &[usize], key_length: usize) -> ReadResult<Vec<Values>> {
    let place = |offset: usize| offset.checked_sub(key_length).filter(|at| *at <= data.len());
    let text = |k: usize| {
        let start = place(offsets[k]);
        let stop = offsets.get(k + 1).map_or(Some(data.len()), |next| place(*next));
        let (Some(start), Some(stop)) = (start, stop) else { return fault("a text lies outside of its basket") };
        match data.get(start..stop) {
            Some([]) => Ok(Values::Text(String::new())),
            Some(entry) => Ok(Values::Text(Cursor::new(entry, 0).string()?)),
            None => fault("the texts of a basket are out of order"),
        }
    };
    (0..offsets.len()).map(text).collect()
}
