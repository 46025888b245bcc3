//! The file as such: dates, identifiers, names, errors, and that it appears only when complete.

use std::io::Cursor as Memory;

use panaskimg::root::{BranchType, Cell, Column, Compression, Nested, Options, RootError, RootFile};

use crate::content::{Table, write};
use crate::reader::{File, Tree};

fn memory() -> RootFile<Memory<Vec<u8>>> {
    RootFile::start(Memory::new(Vec::new()), "memory.root", Options::default()).unwrap()
}

#[test]
fn an_empty_file_and_trees_without_entries_or_branches_are_files() {
    assert!(File::parse(memory().finish_into().unwrap().into_inner()).directory().is_empty());
    let schema = vec![("n".to_owned(), BranchType::Int), ("x".to_owned(), BranchType::VecVecFloat)];
    let empty = Table { name: "empty".into(), schema, rows: vec![] };
    let bare = Table { name: "bare".into(), schema: vec![], rows: vec![vec![], vec![]] };
    let file = File::parse(write(&[empty.clone(), bare.clone()], Options::default()));
    assert_eq!(file.table("empty").schema, empty.schema);
    assert!(file.table("empty").rows.is_empty());
    assert_eq!(file.table("bare").rows.len(), 2);
    // One missing basket, and all places zero.
    let tree = Tree::parse(file.record("TTree", "empty"));
    assert!(tree.branches.iter().all(|branch| branch.baskets.is_empty() && branch.total_bytes == 0));
}

#[test]
fn dates_and_identifiers_are_those_asked_for() {
    let created = Some(jiff::civil::date(2025, 8, 7).at(17, 2, 13, 0));
    let options = Options { created, uuid: Some([9; 16]), ..Options::default() };
    let table = Table { name: "t".into(), schema: vec![("n".into(), BranchType::Int)], rows: vec![] };
    let file = File::parse(write(&[table], options));
    assert_eq!(file.uuid, [9; 16]);
    let packed = (2025 - 1995) << 26 | 8 << 22 | 7 << 17 | 17 << 12 | 2 << 6 | 13;
    assert!(file.records.iter().all(|record| record.date == packed));
    assert!(file.records[1..].iter().all(|record| record.parent == 100));
    assert_eq!(file.record("TTree", "t").cycle, 1);
}

#[test]
fn settings_stand_in_header_and_branches() {
    let schema = vec![("x".into(), BranchType::VecFloat)];
    let table = Table { name: "t".into(), schema, rows: vec![] };
    for compression in
        [Compression::None, Compression::Zlib(1), Compression::Zlib(7), Compression::Lz4, Compression::Zstd]
    {
        let file = File::parse(write(std::slice::from_ref(&table), Options::with_compression(compression)));
        assert_eq!(file.compression, compression.setting());
        assert_eq!(Tree::parse(file.record("TTree", "t")).branches[0].compression, compression.setting());
    }
}

#[test]
fn errors_name_tree_and_branch_and_leave_the_tree_unchanged() {
    let mut file = memory();
    let tree = file
        .tree("clusters", [("n", BranchType::Int), ("x", BranchType::VecFloat), ("p", BranchType::VecVecInt)])
        .unwrap();
    let good = [Cell::Int(1), Cell::VecFloat(&[1.0]), Cell::VecVecInt(Nested::Vecs(&[]))];
    file.fill(tree, &good).unwrap();

    let message = |result: Result<(), RootError>| result.unwrap_err().to_string();
    assert_eq!(
        message(file.fill(tree, &good[..2])),
        "the tree \"clusters\" has 3 branches, but 2 values were given to fill it"
    );
    assert_eq!(
        message(file.fill(tree, &[good[0], Cell::VecInt(&[1]), good[2]])),
        "the branch \"x\" of the tree \"clusters\" holds vector<float>, but vector<int> was given to fill it"
    );
    let cut = Nested::flat(&[1, 2, 3], &[0, 5, 3]);
    assert_eq!(
        message(file.fill(tree, &[good[0], good[1], cut.into()])),
        "the offsets for the branch \"p\" of the tree \"clusters\" do not divide 3 values into rows: an offset is smaller than the one before"
    );
    assert!(matches!(
        file.fill_columns(tree, &[Column::Int(&[1]), Column::Float(&[1.0]), Column::Int(&[1])]),
        Err(RootError::WrongType { .. })
    ));
    assert!(matches!(memory().fill(tree, &good), Err(RootError::UnknownTree { .. })));
    assert_eq!(file.entries(tree).unwrap(), 1);

    let pixels = file.tree("pixels", [("row", BranchType::Int), ("q", BranchType::Float)]).unwrap();
    assert_eq!(
        message(file.fill_columns(pixels, &[Column::Int(&[1, 2]), Column::Float(&[1.0])])),
        "the column for the branch \"q\" of the tree \"pixels\" has 1 values, the first column has 2"
    );
    let file = File::parse(file.finish_into().unwrap().into_inner());
    assert_eq!(file.table("clusters").rows.len(), 1);
    assert_eq!(file.table("pixels").rows.len(), 0);
}

#[test]
fn names_are_unique_and_can_be_looked_up() {
    let mut file = memory();
    let schema = || [("n", BranchType::Int)];
    file.tree("a", schema()).unwrap();
    assert!(matches!(file.tree("a", schema()), Err(RootError::DuplicateObject { .. })));
    assert!(matches!(
        file.tree("b", [("n", BranchType::Int), ("n", BranchType::Double)]),
        Err(RootError::DuplicateBranch { .. })
    ));
    for name in ["", "a/b", "a;1", "line\nbreak", &"x".repeat(10_001)] {
        assert!(matches!(file.tree(name, schema()), Err(RootError::InvalidName { .. })), "{name:?}");
    }
    assert!(matches!(file.tree("c", [("", BranchType::Int)]), Err(RootError::InvalidName { .. })));
    let long = "y".repeat(10_000);
    file.tree(&long, [(long.clone(), BranchType::Int)]).unwrap();
    let file = File::parse(file.finish_into().unwrap().into_inner());
    assert_eq!(file.directory().len(), 2);
    assert_eq!(file.table(&long).schema[0].0, long);
}

/// 2³⁰ − 2 bytes: the count of an entry's bytes has 30 bits. (The slice is never read.)
#[test]
fn an_entry_beyond_the_format_is_refused() {
    let mut file = memory();
    let tree = file.tree("t", [("x", BranchType::VecInt)]).unwrap();
    let values = vec![0_i32; (1 << 28) - 3];
    assert_eq!(
        file.fill(tree, &[(&values).into()]).unwrap_err().to_string(),
        "one entry of the branch \"x\" of the tree \"t\" would take 1073741822 bytes; ROOT can hold less than 1 073 741 822"
    );
    assert_eq!(file.entries(tree).unwrap(), 0);
}

#[test]
fn a_file_appears_only_when_it_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.root");
    let files = || std::fs::read_dir(folder.path()).unwrap().count();
    let mut file = RootFile::create(&path, Options::default()).unwrap();
    file.tree("t", [("n", BranchType::Int)]).unwrap();
    assert!(!path.exists());
    drop(file);
    assert_eq!(files(), 0);
    RootFile::create(&path, Options::default()).unwrap().finish().unwrap();
    assert_eq!((path.exists(), files()), (true, 1));
    // The file knows its own name, not the folder it was made in.
    assert_eq!(File::parse(std::fs::read(&path).unwrap()).records[0].name, "a.root");
    let missing = folder.path().join("missing/a.root");
    let error = RootFile::create(missing, Options::default()).unwrap_err();
    assert!(error.to_string().contains("missing/a.root"), "{error}");
}

/// A writer with room for so many bytes.
struct FullDisk(usize);

impl std::io::Write for FullDisk {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl std::io::Seek for FullDisk {
    fn seek(&mut self, _: std::io::SeekFrom) -> std::io::Result<u64> {
        Ok(0)
    }
}

/// Baskets are written while a tree grows, so a full disk is noticed before the end, and nothing is finished then.
#[test]
fn a_full_disk_is_an_error_that_stays() {
    let mut file = RootFile::start(FullDisk(3_000_000), "full.root", Options::default()).unwrap();
    let tree = file.tree("t", [("x", BranchType::Double)]).unwrap();
    let noise: Vec<f64> = (0..10_000).map(|i| f64::from(i).sqrt().sin()).collect();
    let error = (0..1000).find_map(|_| file.fill_columns(tree, &[(&noise).into()]).err()).unwrap();
    assert!(matches!(&error, RootError::Io { action: "write", .. }), "{error}");
    assert!(file.entries(tree).is_err());
    assert!(matches!(file.fill(tree, &[Cell::Double(1.0)]), Err(RootError::Abandoned { .. })));
    assert!(matches!(file.tree("u", [("x", BranchType::Int)]), Err(RootError::Abandoned { .. })));
    assert!(matches!(file.finish_into(), Err(RootError::Abandoned { .. })));
}
