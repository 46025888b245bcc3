//! A ROOT file and its trees.

use std::fmt;
use std::io::{Seek, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::buffer::Buffer;
use super::error::{Result, RootError};
use super::objects::{Graph, Histogram};
use super::options::Options;
use super::output::Output;
use super::record::{Key, Record, RootDate};
use super::streamer_info::{
    self, ClassInfo, FUNCTION_CLASSES, GRAPH_CLASSES, HISTOGRAM_CLASSES, LEAF_FLOAT, TREE_CLASSES, VECTOR_DOUBLE,
};
use super::tree::{self, Basket, BranchType, Cell, Column, Tree};
use crate::atomic_file::AtomicFile;

/// Closed baskets are collected until they hold this many bytes, then compressed together, in parallel.
const PENDING_BYTES: usize = 4 << 20;
/// Names go into keys, whose length is a signed 16-bit number; a basket's key has two of them.
const NAME_LIMIT: usize = 10_000;

/// A ROOT file that is being written.
///
/// Any number of trees may be filled in turn. Nothing is complete before [`finish`](RootFile::finish): the bytes stand
/// under a temporary name beside the target until then, and are removed if the file is dropped.
pub struct RootFile<W: Write + Seek = AtomicFile> {
    output: Output<W>,
    options: Options,
    /// Distinguishes the tree handles of different files.
    id: u64,
    trees: Vec<Tree>,
    /// What can be looked up in the file, in the order in which it was announced.
    contents: Vec<Content>,
    pending: Vec<Pending>,
    pending_bytes: usize,
    classes: Vec<&'static ClassInfo>,
}

impl<W: Write + Seek> fmt::Debug for RootFile<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trees: Vec<_> = self.trees.iter().map(|tree| (&tree.name, tree.entries)).collect();
        f.debug_struct("RootFile").field("name", &self.output.name).field("trees", &trees).finish_non_exhaustive()
    }
}

/// A tree of a [`RootFile`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeId {
    file: u64,
    tree: usize,
}

/// Something with a name in the file.
enum Content {
    /// The tree with this number; its record is written last.
    Tree(usize),
    /// An object already written, and its key.
    Object { name: String, key: Vec<u8> },
}

/// A closed basket that waits to be compressed and written.
struct Pending {
    tree: usize,
    branch: usize,
    basket: Basket,
}

impl RootFile {
    /// Starts a file that will appear as `path`, replacing a file of that name, when it is finished.
    ///
    /// # Errors
    /// If the temporary file beside `path` cannot be created.
    pub fn create(path: impl AsRef<Path>, options: Options) -> Result<Self> {
        let path = path.as_ref();
        let shown = path.display().to_string();
        let failed = |source| RootError::Io { action: "create", file: shown, source };
        let writer = AtomicFile::create(path).map_err(failed)?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self::start(writer, name, options)
    }

    /// Completes the file and gives it its name.
    ///
    /// # Errors
    /// If an earlier write failed, if the disk is full, or if the file would be too large; then no file appears.
    pub fn finish(self) -> Result<()> {
        let name = self.output.name.clone();
        self.finish_into()?.commit().map_err(|source| RootError::Io { action: "rename", file: name, source })
    }
}

impl<W: Write + Seek> RootFile<W> {
    /// Starts a file on any writer, from its position 0; `name` is the name the file will know itself by.
    ///
    /// # Errors
    /// If the writer fails, or the name is not one.
    pub fn start(writer: W, name: impl Into<String>, options: Options) -> Result<Self> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let name = name.into();
        check_name("file", &name)?;
        Ok(Self {
            output: Output::new(writer, name)?,
            options,
            id: COUNTER.fetch_add(1, Ordering::Relaxed),
            trees: Vec::new(),
            contents: Vec::new(),
            pending: Vec::new(),
            pending_bytes: 0,
            classes: Vec::new(),
        })
    }

    /// Adds a tree with these branches, in this order. Its title is its name.
    ///
    /// # Errors
    /// If the file has an object of that name, if two branches have the same name, or if a name cannot be used.
    pub fn tree<N: Into<String>>(
        &mut self,
        name: &str,
        schema: impl IntoIterator<Item = (N, BranchType)>,
    ) -> Result<TreeId> {
        self.check_new_object("tree", name)?;
        let schema: Vec<_> = schema.into_iter().map(|(branch, kind)| (branch.into(), kind)).collect();
        for (branch, _) in &schema {
            check_name("branch", branch)?;
        }
        self.add_classes(&TREE_CLASSES);
        for (_, kind) in &schema {
            match kind {
                BranchType::Float => self.add_classes(&[LEAF_FLOAT]),
                BranchType::VecDouble => self.add_classes(&[VECTOR_DOUBLE]),
                _ => {}
            }
        }
        let tree = self.trees.len();
        self.trees.push(Tree::new(name.to_owned(), schema)?);
        self.contents.push(Content::Tree(tree));
        Ok(TreeId { file: self.id, tree })
    }

    /// Appends one entry: a value for each branch, in the order of the schema.
    ///
    /// # Errors
    /// If the values do not fit the branches in number or type, or are too large; the tree is unchanged then. Also if
    /// full baskets cannot be written.
    pub fn fill(&mut self, tree: TreeId, row: &[Cell<'_>]) -> Result<()> {
        let number = self.number_of(tree)?;
        self.trees[number].push(row)?;
        self.close_full_baskets(number)
    }

    /// Appends many entries to a tree of numbers: a column for each branch, in the order of the schema. The file is
    /// the same as if the entries had been filled one by one.
    ///
    /// # Errors
    /// As for [`fill`](Self::fill), and if the columns differ in length.
    pub fn fill_columns(&mut self, tree: TreeId, columns: &[Column<'_>]) -> Result<()> {
        let number = self.number_of(tree)?;
        let entries = self.trees[number].check_columns(columns)?;
        let basket_size = self.options.basket_size();
        let mut from = 0;
        while from < entries {
            let tree = &mut self.trees[number];
            let room = tree.branches.iter().map(|branch| branch.entries_until_full(basket_size)).min().unwrap_or(1);
            let to = entries.min(from + room);
            for (branch, column) in tree.branches.iter_mut().zip(columns) {
                branch.push_column(column, from, to);
            }
            tree.entries += (to - from) as i64;
            from = to;
            self.close_full_baskets(number)?;
        }
        Ok(())
    }

    /// Writes a histogram.
    ///
    /// # Errors
    /// If it is not consistent, if the file has an object of that name, or if the file cannot be written.
    pub fn histogram(&mut self, histogram: &Histogram<'_>) -> Result<()> {
        self.check_new_object("histogram", histogram.name)?;
        histogram.check()?;
        self.add_classes(&HISTOGRAM_CLASSES);
        if histogram.function.is_some() {
            self.add_classes(&FUNCTION_CLASSES);
        }
        self.write_object("TH1F", histogram.name, histogram.title, |buffer| histogram.write(buffer))
    }

    /// Writes a graph.
    ///
    /// # Errors
    /// As for [`histogram`](Self::histogram).
    pub fn graph(&mut self, graph: &Graph<'_>) -> Result<()> {
        self.check_new_object("graph", graph.name)?;
        graph.check()?;
        self.add_classes(&GRAPH_CLASSES);
        self.add_classes(&HISTOGRAM_CLASSES);
        self.write_object(graph.class(), graph.name, graph.title, |buffer| graph.write(buffer))
    }

    /// Number of entries filled so far.
    ///
    /// # Errors
    /// If the tree belongs to another file.
    pub fn entries(&self, tree: TreeId) -> Result<u64> {
        Ok(self.trees[self.number_of(tree)?].entries.unsigned_abs())
    }

    /// Completes the file and gives the writer back.
    ///
    /// # Errors
    /// If an earlier write failed, if the writer fails, or if the file would be too large.
    pub fn finish_into(mut self) -> Result<W> {
        self.output.check()?;
        for number in 0..self.trees.len() {
            self.close_baskets(number, 0);
        }
        self.write_pending()?;
        let mut keys = Vec::with_capacity(self.contents.len());
        for content in std::mem::take(&mut self.contents) {
            keys.push(match content {
                Content::Tree(number) => self.write_tree(number)?,
                Content::Object { key, .. } => key,
            });
        }
        let classes = self.classes;
        self.output.finish(&keys, |buffer| streamer_info::write_list(buffer, &classes), &self.options)
    }

    fn write_object(
        &mut self,
        class: &'static str,
        name: &str,
        title: &str,
        write: impl FnOnce(&mut Buffer),
    ) -> Result<()> {
        check_length("title", title)?;
        let key = Key { class, name, title, cycle: 1, date: self.date() };
        let mut buffer = Buffer::new(key.length());
        write(&mut buffer);
        let (_, record) = self.output.append_payload(key, &buffer.into_bytes(), self.options.compression)?;
        self.contents.push(Content::Object { name: name.to_owned(), key: record.key().to_vec() });
        Ok(())
    }

    fn write_tree(&mut self, number: usize) -> Result<Vec<u8>> {
        let tree = &self.trees[number];
        let key = Key { class: "TTree", name: &tree.name, title: &tree.name, cycle: 1, date: self.date() };
        let mut buffer = Buffer::new(key.length());
        tree::write_tree(&mut buffer, tree, &self.options);
        let (_, record) = self.output.append_payload(key, &buffer.into_bytes(), self.options.compression)?;
        Ok(record.key().to_vec())
    }

    fn close_full_baskets(&mut self, number: usize) -> Result<()> {
        self.close_baskets(number, self.options.basket_size());
        if self.pending_bytes >= PENDING_BYTES { self.write_pending() } else { Ok(()) }
    }

    /// Moves baskets of at least `size` bytes to those that wait to be written.
    fn close_baskets(&mut self, tree: usize, size: usize) {
        for (branch, basket) in self.trees[tree].close_baskets(|branch| branch.is_full(size)) {
            self.pending_bytes += basket.payload_size();
            self.pending.push(Pending { tree, branch, basket });
        }
    }

    /// Compresses the waiting baskets in parallel and writes them in the order in which they were closed.
    fn write_pending(&mut self) -> Result<()> {
        self.pending_bytes = 0;
        let pending = std::mem::take(&mut self.pending);
        let (trees, compression, date) = (&self.trees, self.options.compression, self.date());
        let records: std::io::Result<Vec<Record>> = pending
            .par_iter()
            .map(|Pending { tree, branch, basket }| {
                basket.record(&trees[*tree], &trees[*tree].branches[*branch], compression, date)
            })
            .collect();
        let records = records.map_err(|source| self.output.error("compress", source))?;
        for (Pending { tree, branch, basket }, mut record) in pending.into_iter().zip(records) {
            let place = self.output.append(&mut record)?;
            self.trees[tree].branches[branch].placed(basket.number, &record, place.position);
        }
        Ok(())
    }

    fn date(&self) -> RootDate {
        RootDate::new(self.options.created)
    }

    fn number_of(&self, tree: TreeId) -> Result<usize> {
        self.output.check()?;
        if tree.file == self.id {
            Ok(tree.tree)
        } else {
            Err(RootError::UnknownTree { file: self.output.name.clone() })
        }
    }

    fn check_new_object(&self, what: &'static str, name: &str) -> Result<()> {
        self.output.check()?;
        check_name(what, name)?;
        if name.contains(['/', ';']) {
            let reason = "\"/\" and \";\" separate folders and versions in ROOT's look-up";
            return Err(RootError::InvalidName { what, name: name.to_owned(), reason });
        }
        let taken = self.contents.iter().any(|content| match content {
            Content::Tree(number) => self.trees[*number].name == name,
            Content::Object { name: other, .. } => other == name,
        });
        if taken {
            return Err(RootError::DuplicateObject { file: self.output.name.clone(), name: name.to_owned() });
        }
        Ok(())
    }

    fn add_classes(&mut self, classes: &[&'static ClassInfo]) {
        for class in classes {
            if !self.classes.iter().any(|known| known.name == class.name) {
                self.classes.push(class);
            }
        }
    }
}

fn check_name(what: &'static str, name: &str) -> Result<()> {
    check_length(what, name)?;
    let reason = if name.is_empty() {
        "it is empty"
    } else if name.contains(char::is_control) {
        "it has a control character in it"
    } else {
        return Ok(());
    };
    Err(RootError::InvalidName { what, name: name.to_owned(), reason })
}

fn check_length(what: &'static str, text: &str) -> Result<()> {
    if text.len() <= NAME_LIMIT {
        return Ok(());
    }
    let name = text.chars().take(60).chain(['…']).collect();
    Err(RootError::InvalidName { what, name, reason: "it is longer than 10000 bytes" })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// With the limit lowered to 1 MB: the error comes before the limit is reached, and stays.
    #[test]
    fn a_file_stops_before_its_largest_size() {
        let options = Options::with_compression(super::super::Compression::None);
        let mut file = RootFile::start(Cursor::new(Vec::new()), "a.root", options).unwrap();
        file.output.set_limit(1_000_000);
        let tree = file.tree("t", [("x", BranchType::Double)]).unwrap();
        let column = [1.0; 10_000];
        let error = (0..1000).find_map(|_| file.fill_columns(tree, &[Column::Double(&column)]).err()).unwrap();
        let RootError::FileTooLarge { bytes, .. } = error else { panic!("{error}") };
        assert!((1_000_000..1_040_000).contains(&bytes), "{bytes}");
        assert!(matches!(file.finish_into(), Err(RootError::Abandoned { .. })));
    }

    #[test]
    fn the_rest_of_the_file_counts_too() {
        let mut file = RootFile::start(Cursor::new(Vec::new()), "a.root", Options::default()).unwrap();
        file.output.set_limit(2000);
        file.tree("t", [("x", BranchType::Double)]).unwrap();
        assert!(matches!(file.finish_into(), Err(RootError::FileTooLarge { .. })));
    }
}
