//! Files of our own writer with every compression, and one of ROOT 6.28.

use super::*;
use crate::root::{BranchType, Cell, Compression, Options, RootFile};

/// Values and texts come back unchanged, over several baskets.
#[test]
fn trees_come_back_with_every_compression() {
    let dir = tempfile::tempdir().unwrap();
    for compression in
        [Compression::None, Compression::Zlib(1), Compression::Zlib(9), Compression::Lz4, Compression::Zstd]
    {
        let path = dir.path().join("a.root");
        let options = Options { compression, basket_size: 2000, ..Options::default() };
        let mut file = RootFile::create(&path, options).unwrap();
        let schema = [
            ("i", BranchType::Int),
            ("d", BranchType::Double),
            ("s", BranchType::String),
            ("vi", BranchType::VecInt),
            ("vf", BranchType::VecFloat),
            ("vd", BranchType::VecDouble),
            ("vvf", BranchType::VecVecFloat),
        ];
        let tree = file.tree("t", schema).unwrap();
        let long = "x".repeat(300);
        for i in 0..1000_i32 {
            let n = (i % 7) as usize;
            let ints: Vec<i32> = (0..n).map(|k| i - k as i32).collect();
            let floats: Vec<f32> = ints.iter().map(|k| *k as f32 + 0.5).collect();
            let doubles: Vec<f64> = ints.iter().map(|k| f64::from(*k) / 3.0).collect();
            let nested: Vec<Vec<f32>> = (0..n).map(|k| floats[..k].to_vec()).collect();
            let text = if i == 500 { long.clone() } else { format!("entry {i}") };
            let row = [
                Cell::Int(i - 500),
                Cell::Double(f64::from(i) * 0.1),
                Cell::Str(&text),
                Cell::VecInt(&ints),
                Cell::VecFloat(&floats),
                Cell::VecDouble(&doubles),
                Cell::from(&nested),
            ];
            file.fill(tree, &row).unwrap();
        }
        file.finish().unwrap();
        let input = RootInput::open(&path).unwrap();
        assert_eq!(input.names(), ["t"]);
        let tree = input.tree("t").unwrap();
        assert_eq!(tree.entries(), 1000);
        let all = |name: &str| tree.branch(name).unwrap().values().collect::<ReadResult<Vec<_>>>().unwrap();
        for (i, value) in all("i").iter().enumerate() {
            assert_eq!(*value, Values::Number(i as f64 - 500.0), "{compression:?}");
        }
        assert_eq!(all("d")[7], Values::Number(0.7000000000000001));
        assert_eq!([&all("s")[3], &all("s")[500]], [&Values::Text("entry 3".into()), &Values::Text(long)]);
        assert_eq!(all("vi")[10], Values::Numbers(vec![10.0, 9.0, 8.0]));
        assert_eq!(all("vf")[1], Values::Numbers(vec![1.5]));
        assert_eq!(all("vd")[8], Values::Numbers(vec![8.0 / 3.0]));
        assert_eq!(all("vd")[7], Values::Numbers(Vec::new()));
        assert_eq!(all("vvf")[10], Values::Lists(vec![vec![], vec![10.5], vec![10.5, 9.5]]));
        assert_eq!(all("vvf")[7], Values::Lists(Vec::new()));
    }
}

/// The recorded file of ROOT 6.28 against oxyroot.
#[test]
fn a_file_of_root_reads_as_with_another_reader() {
    use crate::stats::test_data;
    let Some(path) = test_data::path(test_data::RECORDED_ROOT) else { return };
    let input = RootInput::open(&path).unwrap();
    let tree = input.tree("clustersRec").unwrap();
    let mut other = oxyroot::RootFile::open(&path).unwrap();
    let other = other.get_tree("clustersRec").unwrap();
    let (mut compared, mut nested) = (0, 0);
    for name in tree.names() {
        let branch = tree.branch(name).unwrap();
        if branch.is_vector() && branch.type_name() == "vector<float>" {
            let ours: Vec<Values> = branch.values().collect::<ReadResult<_>>().unwrap();
            let theirs: Vec<Vec<f32>> = other.branch(name).unwrap().as_iter::<Vec<f32>>().unwrap().collect();
            assert_eq!(ours.len(), theirs.len());
            for (a, b) in ours.iter().zip(&theirs) {
                let Values::Numbers(a) = a else { panic!("{name} is a vector") };
                assert!(
                    a.len() == b.len()
                        && a.iter().zip(b).all(|(x, y)| x.to_bits() == f64::from(*y).to_bits() || x == &f64::from(*y)),
                    "{name}"
                );
            }
            compared += 1;
        }
        if branch.is_nested() && branch.type_name().contains("float") {
            let ours: Vec<Values> = branch.values().collect::<ReadResult<_>>().unwrap();
            let theirs: Vec<Vec<Vec<f32>>> = other.branch(name).unwrap().as_iter::<Vec<Vec<f32>>>().unwrap().collect();
            for (a, b) in ours.iter().zip(&theirs) {
                let Values::Lists(a) = a else { panic!("{name} is a vector of vectors") };
                let b: Vec<Vec<f64>> = b.iter().map(|v| v.iter().map(|x| f64::from(*x)).collect()).collect();
                assert!(!a.is_empty() && *a == b, "{name}");
            }
            nested += 1;
        }
    }
    assert!(compared > 20 && nested > 0, "{compared} and {nested} branches");
}
