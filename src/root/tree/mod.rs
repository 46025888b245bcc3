//! Trees: tables with one row ("entry") per event or image and one column ("branch") per quantity.
//!
//! Each branch is kept in baskets of its own ([`branch`]); when the file is finished, a record with the description of
//! the tree says where they are ([`record`]).

mod branch;
mod cell;
mod record;

use std::fmt;

use super::error::{Result, RootError};
pub(in crate::root) use branch::{BASKET_SIZE, Basket, Branch};
pub use cell::{Cell, Column, Nested};
pub(in crate::root) use record::{FILL_SOLID, LINE_COLOR, write_tree};

/// The type of a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BranchType {
    /// `int`, 32 bits: a leaf `/I`.
    Int,
    /// `float`, 32 bits: a leaf `/F`.
    Float,
    /// `double`, 64 bits: a leaf `/D`.
    Double,
    /// `std::string`.
    String,
    /// `std::vector<int>`.
    VecInt,
    /// `std::vector<float>`.
    VecFloat,
    /// `std::vector<double>`.
    VecDouble,
    /// `std::vector<std::vector<int>>`.
    VecVecInt,
    /// `std::vector<std::vector<float>>`.
    VecVecFloat,
}

impl BranchType {
    /// Bytes of a value, if they are always the same.
    pub(in crate::root) fn scalar_size(self) -> Option<usize> {
        match self {
            Self::Int | Self::Float => Some(4),
            Self::Double => Some(8),
            _ => None,
        }
    }

    /// The C++ name, as ROOT spells it.
    pub fn cpp_name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Float => "float",
            Self::Double => "double",
            Self::String => "string",
            Self::VecInt => "vector<int>",
            Self::VecFloat => "vector<float>",
            Self::VecDouble => "vector<double>",
            Self::VecVecInt => "vector<vector<int> >",
            Self::VecVecFloat => "vector<vector<float> >",
        }
    }
}

impl fmt::Display for BranchType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.cpp_name())
    }
}

/// A tree that is being filled.
#[derive(Debug)]
pub(in crate::root) struct Tree {
    pub name: String,
    pub branches: Vec<Branch>,
    pub entries: i64,
}

impl Tree {
    /// An empty tree; branch names have been checked one by one, not against each other.
    pub fn new(name: String, schema: Vec<(String, BranchType)>) -> Result<Self> {
        let mut branches: Vec<Branch> = Vec::with_capacity(schema.len());
        let mut seen = std::collections::HashSet::with_capacity(schema.len());
        for (branch, kind) in schema {
            if !seen.insert(branch.clone()) {
                return Err(RootError::DuplicateBranch { tree: name, branch });
            }
            branches.push(Branch::new(&name, branch, kind));
        }
        Ok(Self { name, branches, entries: 0 })
    }

    /// Appends one entry; on an error nothing is appended.
    pub fn push(&mut self, row: &[Cell<'_>]) -> Result<()> {
        self.check_count(row.len())?;
        for (branch, cell) in self.branches.iter().zip(row) {
            self.check_cell(branch, cell)?;
        }
        for (branch, cell) in self.branches.iter_mut().zip(row) {
            branch.push(cell);
        }
        self.entries += 1;
        Ok(())
    }

    /// Checks that the columns fit the branches; gives the number of entries they hold.
    pub fn check_columns(&self, columns: &[Column<'_>]) -> Result<usize> {
        self.check_count(columns.len())?;
        let expected = columns.first().map_or(0, Column::len);
        for (branch, column) in self.branches.iter().zip(columns) {
            self.check_type(branch, column.branch_type())?;
            if column.len() != expected {
                return Err(RootError::ColumnLength {
                    tree: self.name.clone(),
                    branch: branch.name.clone(),
                    expected,
                    got: column.len(),
                });
            }
        }
        Ok(expected)
    }

    /// Closes the open baskets for which `full` says so, and gives them with the number of their branch.
    pub fn close_baskets(&mut self, full: impl Fn(&Branch) -> bool) -> impl Iterator<Item = (usize, Basket)> {
        let end = self.entries;
        self.branches
            .iter_mut()
            .enumerate()
            .filter(move |(_, branch)| full(branch))
            .filter_map(move |(number, branch)| Some((number, branch.close_basket(end)?)))
    }

    fn check_count(&self, got: usize) -> Result<()> {
        let expected = self.branches.len();
        if got == expected { Ok(()) } else { Err(RootError::WrongCount { tree: self.name.clone(), expected, got }) }
    }

    fn check_type(&self, branch: &Branch, got: BranchType) -> Result<()> {
        if got == branch.kind {
            return Ok(());
        }
        Err(RootError::WrongType { tree: self.name.clone(), branch: branch.name.clone(), expected: branch.kind, got })
    }

    fn check_cell(&self, branch: &Branch, cell: &Cell<'_>) -> Result<()> {
        self.check_type(branch, cell.branch_type())?;
        let (offsets, values) = match cell {
            Cell::VecVecInt(nested) => (nested.check(), nested.values()),
            Cell::VecVecFloat(nested) => (nested.check(), nested.values()),
            _ => (Ok(()), 0),
        };
        offsets.map_err(|reason| RootError::BadOffsets {
            tree: self.name.clone(),
            branch: branch.name.clone(),
            values,
            reason,
        })?;
        let bytes = Branch::encoded_size(cell);
        if bytes >= branch::ENTRY_LIMIT {
            return Err(RootError::EntryTooLarge { tree: self.name.clone(), branch: branch.name.clone(), bytes });
        }
        Ok(())
    }
}
