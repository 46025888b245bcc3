//! What goes in comes out: random trees through the reader of these tests and through oxyroot.

use std::io::Cursor as Memory;

use oxyroot::RootFile as OxyFile;
use panaskimg::root::{BranchType, Cell, Column, Compression, Nested, Options, RootFile};
use proptest::prelude::*;

use crate::content::{Random, Table, Value, write};
use crate::reader::{File, all_types};

fn number() -> impl Strategy<Value = i32> {
    prop_oneof![any::<i32>(), Just(0), Just(i32::MIN), Just(i32::MAX)]
}

fn float() -> impl Strategy<Value = f32> {
    any::<u32>().prop_map(f32::from_bits)
}

fn double() -> impl Strategy<Value = f64> {
    any::<u64>().prop_map(f64::from_bits)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![".{0,12}", "[a-z]{250,260}", Just("x".repeat(70_000))]
}

/// A value of a type, any bit pattern; vectors are often empty.
fn value(kind: BranchType) -> BoxedStrategy<Value> {
    use prop::collection::vec;
    match kind {
        BranchType::Int => number().prop_map(Value::Int).boxed(),
        BranchType::Float => float().prop_map(Value::Float).boxed(),
        BranchType::Double => double().prop_map(Value::Double).boxed(),
        BranchType::String => text().prop_map(Value::Str).boxed(),
        BranchType::VecInt => vec(number(), 0..9).prop_map(Value::VecInt).boxed(),
        BranchType::VecFloat => vec(float(), 0..9).prop_map(Value::VecFloat).boxed(),
        BranchType::VecDouble => vec(double(), 0..9).prop_map(Value::VecDouble).boxed(),
        BranchType::VecVecInt => vec(vec(number(), 0..5), 0..5).prop_map(Value::VecVecInt).boxed(),
        BranchType::VecVecFloat => vec(vec(float(), 0..5), 0..5).prop_map(Value::VecVecFloat).boxed(),
    }
}

fn table(name: &'static str) -> impl Strategy<Value = Table> {
    let kinds = prop::collection::vec(prop::sample::select(all_types().collect::<Vec<_>>()), 0..8);
    kinds.prop_flat_map(move |kinds| {
        let row: Vec<_> = kinds.iter().map(|&kind| value(kind)).collect();
        prop::collection::vec(row, 0..30).prop_map(move |rows| Table {
            name: name.into(),
            schema: kinds.iter().enumerate().map(|(i, &kind)| (format!("branch_{i}"), kind)).collect(),
            rows,
        })
    })
}

fn compression() -> impl Strategy<Value = Compression> {
    prop_oneof![
        Just(Compression::None),
        (1..=9_u8).prop_map(Compression::Zlib),
        Just(Compression::Lz4),
        Just(Compression::Zstd)
    ]
}

fn assert_same(found: &Table, expected: &Table) {
    assert_eq!(found.name, expected.name);
    assert_eq!(found.schema, expected.schema);
    assert_eq!(found.rows, expected.rows);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_trees_come_back(first in table("first"), second in table("second"), compression in compression(), basket_size in 256_usize..5000) {
        let options = Options { compression, basket_size, ..Options::default() };
        let file = File::parse(write(&[first.clone(), second.clone()], options));
        prop_assert_eq!(file.compression, compression.setting());
        prop_assert_eq!(file.directory(), [("TTree".into(), "first".into()), ("TTree".into(), "second".into())]);
        for table in [&first, &second] {
            assert_same(&file.table(&table.name), table);
        }
    }

    /// oxyroot reads no zstd.
    #[test]
    fn random_trees_come_back_through_oxyroot(table in table("tree"), compression in compression(), basket_size in 256_usize..5000) {
        prop_assume!(compression != Compression::Zstd && !table.rows.is_empty() && !table.schema.is_empty());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tree.root");
        std::fs::write(&path, write(std::slice::from_ref(&table), Options { compression, basket_size, ..Options::default() })).unwrap();
        let tree = OxyFile::open(path.to_str().unwrap()).unwrap().get_tree("tree").unwrap();
        prop_assert_eq!(tree.entries(), table.rows.len() as i64);
        for (name, kind) in &table.schema {
            prop_assert_eq!(oxyroot_column(&tree, name, *kind), table.column(name));
        }
    }
}

fn oxyroot_column(tree: &oxyroot::ReaderTree, name: &str, kind: BranchType) -> Vec<Value> {
    let branch = tree.branch(name).expect("a branch of that name");
    macro_rules! read {
        ($type:ty, $value:path) => {
            branch.as_iter::<$type>().unwrap().map($value).collect()
        };
    }
    match kind {
        BranchType::Int => read!(i32, Value::Int),
        BranchType::Float => read!(f32, Value::Float),
        BranchType::Double => read!(f64, Value::Double),
        BranchType::String => read!(String, Value::Str),
        BranchType::VecInt => read!(Vec<i32>, Value::VecInt),
        BranchType::VecFloat => read!(Vec<f32>, Value::VecFloat),
        BranchType::VecDouble => read!(Vec<f64>, Value::VecDouble),
        BranchType::VecVecInt => read!(Vec<Vec<i32>>, Value::VecVecInt),
        BranchType::VecVecFloat => read!(Vec<Vec<f32>>, Value::VecVecFloat),
    }
}

/// Entries of every size: an entry larger than a compressed piece (16 MB), incompressible data, long runs of zeros.
#[test]
fn an_entry_of_many_pieces_comes_back() {
    let mut random = Random(7);
    let noise: Vec<i32> = (0..3_000_000).map(|_| random.next() as i32).collect();
    let smooth: Vec<f32> = (0..6_000_000).map(|i| (i / 1000) as f32).collect();
    let rows: Vec<Vec<i32>> = noise.chunks(100_000).map(<[i32]>::to_vec).collect();
    let table = Table {
        name: "large".into(),
        schema: vec![
            ("noise".into(), BranchType::VecInt),
            ("smooth".into(), BranchType::VecFloat),
            ("rows".into(), BranchType::VecVecInt),
        ],
        rows: vec![
            vec![Value::VecInt(noise), Value::VecFloat(smooth), Value::VecVecInt(rows)],
            vec![Value::VecInt(vec![]), Value::VecFloat(vec![]), Value::VecVecInt(vec![vec![]])],
        ],
    };
    for compression in [Compression::None, Compression::Zlib(1), Compression::Lz4, Compression::Zstd] {
        let file = File::parse(write(std::slice::from_ref(&table), Options::with_compression(compression)));
        assert_same(&file.table("large"), &table);
        let pieces = |name: &str| file.record("TBasket", name).pieces.len();
        assert_eq!(pieces("noise"), 0);
        assert_eq!(pieces("smooth"), if compression == Compression::None { 0 } else { 2 });
    }
}

#[test]
fn flat_nested_vectors_are_nested_vectors() {
    let rows = vec![vec![1.0, 2.0], vec![], vec![3.0_f32]];
    let file = |cell: Cell<'_>| {
        let mut file = RootFile::start(Memory::new(Vec::new()), "a.root", Options::default()).unwrap();
        let tree = file.tree("t", [("x", BranchType::VecVecFloat)]).unwrap();
        file.fill(tree, &[cell]).unwrap();
        file.finish_into().unwrap().into_inner()
    };
    let expected = file((&rows).into());
    assert_eq!(file(Nested::flat(&[1.0_f32, 2.0, 3.0], &[0, 2, 2, 3]).into()), expected);
    let slices: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
    assert_eq!(file(Nested::Slices(&slices).into()), expected);
}

/// A pixel tree: columns at once, in unequal portions, mixed with rows, give the file that rows alone give.
#[test]
fn columns_give_the_same_file_as_rows() {
    const N: usize = 30_000;
    let mut random = Random(3);
    let row: Vec<f64> = (0..N).map(|i| (i / 300) as f64).collect();
    let charge: Vec<f32> = (0..N).map(|_| random.below(1000) as f32).collect();
    let id: Vec<i32> = (0..N).map(|i| i as i32).collect();
    let file = |by_columns: &[usize]| {
        let mut file = RootFile::start(Memory::new(Vec::new()), "a.root", Options::default()).unwrap();
        let schema = [("row", BranchType::Double), ("charge", BranchType::Float), ("id", BranchType::Int)];
        let tree = file.tree("pixels", schema).unwrap();
        let mut at = 0;
        for &portion in by_columns {
            let range = at..at + portion;
            let columns: [Column<'_>; 3] = [row[range.clone()].into(), charge[range.clone()].into(), id[range].into()];
            file.fill_columns(tree, &columns).unwrap();
            at += portion;
        }
        for i in at..N {
            file.fill(tree, &[row[i].into(), charge[i].into(), id[i].into()]).unwrap();
        }
        assert_eq!(file.entries(tree).unwrap(), N as u64);
        file.finish_into().unwrap().into_inner()
    };
    let expected = file(&[]);
    assert!(file(&[N]) == expected);
    assert!(file(&[0, 1, 3999, 4000, 12_345]) == expected);
    let table = File::parse(expected).table("pixels");
    assert_eq!(table.rows.len(), N);
    assert_eq!(table.rows[N - 1], [Value::Double(99.0), Value::Float(charge[N - 1]), Value::Int(N as i32 - 1)]);
}

/// The same content gives the same bytes, whatever the number of threads; other content another identifier.
#[test]
fn files_repeat_exactly() {
    let mut random = Random(5);
    let kinds: Vec<_> = all_types().collect();
    let mut table = Table {
        name: "t".into(),
        schema: kinds.iter().enumerate().map(|(i, &kind)| (format!("b{i}"), kind)).collect(),
        rows: (0..3000).map(|_| kinds.iter().map(|&kind| random.value(kind, 40)).collect()).collect(),
    };
    let with_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| write(std::slice::from_ref(&table), Options::default()))
    };
    let one = with_threads(1);
    assert!(one.len() > 4 << 20, "the test needs several rounds of writing, {} bytes are too few", one.len());
    assert!(one == with_threads(2));
    assert!(one == with_threads(7));
    table.rows[17][0] = Value::Int(12345);
    let other = File::parse(write(std::slice::from_ref(&table), Options::default()));
    assert_ne!(other.uuid, File::parse(one).uuid);
}
