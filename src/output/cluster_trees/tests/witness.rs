//! The trees that another program wrote, as numbers, and their comparison with an [`Entry`].

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::super::{Entry, Value};
use crate::process::reconstruction::test_images::golden_tree;
use crate::stats::test_data;

/// Relative difference allowed to real numbers: the other program and this one both store 32 bits, and the recorded
/// pedestals are rounded to 32 bits too.
pub const FLOAT: f64 = 1e-6;
/// The same for distances between barycentres, which are differences of 32-bit numbers.
const DISTANCE: f64 = 1e-5;

/// A branch of a tree that another program wrote, as numbers.
#[derive(Debug, Clone, PartialEq)]
pub enum Theirs {
    Numbers(Vec<f64>),
    Lists(Vec<Vec<f64>>),
}

impl Theirs {
    pub fn numbers(&self) -> &[f64] {
        let Self::Numbers(numbers) = self else { panic!("{self:?}") };
        numbers
    }

    pub fn lists(&self) -> &[Vec<f64>] {
        let Self::Lists(lists) = self else { panic!("{self:?}") };
        lists
    }

    /// One element per cluster, in another order.
    fn permuted(&self, order: &[usize]) -> Self {
        match self {
            Self::Numbers(numbers) => Self::Numbers(order.iter().map(|&i| numbers[i]).collect()),
            Self::Lists(lists) => Self::Lists(order.iter().map(|&i| lists[i].clone()).collect()),
        }
    }
}

/// Own value in the same form.
pub fn ours(value: &Value) -> Theirs {
    fn cut<T: Copy + Into<f64>>(values: &[T], offsets: &[usize]) -> Vec<Vec<f64>> {
        offsets.windows(2).map(|w| values[w[0]..w[1]].iter().map(|&v| v.into()).collect()).collect()
    }
    match value {
        Value::Int(x) => Theirs::Numbers(vec![f64::from(*x)]),
        Value::Double(x) => Theirs::Numbers(vec![*x]),
        Value::Text(_) => Theirs::Numbers(Vec::new()),
        Value::Ints(v) => Theirs::Numbers(v.iter().map(|&x| f64::from(x)).collect()),
        Value::Floats(v) => Theirs::Numbers(v.iter().map(|&x| f64::from(x)).collect()),
        Value::IntLists(v, offsets) => Theirs::Lists(cut(v, offsets)),
        Value::FloatLists(v, offsets) => Theirs::Lists(cut(v, offsets)),
    }
}

/// Branches of another program's tree, in file order, with the C++ names of their types.
pub type Tree = IndexMap<String, (String, Theirs)>;

/// The recorded ROOT file of the real image.
pub fn recorded(tree: &str) -> Option<Tree> {
    let mut file = oxyroot::RootFile::open(test_data::path(test_data::RECORDED_ROOT)?).unwrap();
    let tree = file.get_tree(tree).unwrap();
    let wide = |v: Vec<f32>| v.into_iter().map(f64::from).collect::<Vec<_>>();
    let mut branches = Tree::new();
    for branch in tree.branches() {
        let kind = branch.item_type_name();
        macro_rules! first {
            ($type:ty) => {
                branch.as_iter::<$type>().unwrap().next().unwrap()
            };
        }
        let (name, value) = match kind.as_str() {
            "int32_t" => ("int", Theirs::Numbers(vec![f64::from(first!(i32))])),
            "double" => ("double", Theirs::Numbers(vec![first!(f64)])),
            "vector<int32_t>" | "vector<int>" => {
                ("vector<int>", Theirs::Numbers(first!(Vec<i32>).into_iter().map(f64::from).collect()))
            }
            "vector<float>" => ("vector<float>", Theirs::Numbers(wide(first!(Vec<f32>)))),
            "vector<vector<float> >" | "vector<vector<float>>" => {
                ("vector<vector<float> >", Theirs::Lists(first!(Vec<Vec<f32>>).into_iter().map(wide).collect()))
            }
            "vector<vector<int> >" | "vector<vector<int32_t>>" | "vector<vector<int>>" => (
                "vector<vector<int> >",
                Theirs::Lists(
                    first!(Vec<Vec<i32>>).into_iter().map(|v| v.into_iter().map(f64::from).collect()).collect(),
                ),
            ),
            _ => ("string", Theirs::Numbers(Vec::new())),
        };
        branches.insert(branch.name().to_owned(), (name.to_owned(), value));
    }
    Some(branches)
}

/// A tree of a golden chain.
pub fn golden(folder: &str, tree: &str) -> Option<Tree> {
    let (entry, types) = golden_tree(folder, tree)?;
    let number = |v: &Json| v.as_f64().unwrap_or(f64::NAN);
    let value = |v: &Json| match v {
        Json::Array(items) if items.first().is_some_and(Json::is_array) => {
            Theirs::Lists(items.iter().map(|l| l.as_array().unwrap().iter().map(number).collect()).collect())
        }
        Json::Array(items) => Theirs::Numbers(items.iter().map(number).collect()),
        Json::String(_) => Theirs::Numbers(Vec::new()),
        one => Theirs::Numbers(vec![number(one)]),
    };
    let name = |t: &str| t.replace("std::", "").replace("int32_t", "int").replace(">>", "> >");
    let branches = entry.as_object().unwrap().iter();
    Some(branches.map(|(k, v)| (k.clone(), (name(types[k].as_str().unwrap()), value(v)))).collect())
}

pub fn close(a: f64, b: f64, relative: f64, absolute: f64) -> bool {
    (a.is_nan() && b.is_nan()) || (a - b).abs() <= relative * b.abs() + absolute
}

/// Compares every branch of a cluster tree.
pub fn compare_clusters(entry: &Entry, theirs: &Tree) {
    let schema: Vec<(String, String)> =
        entry.schema().into_iter().map(|(name, kind)| (name, kind.cpp_name().to_owned())).collect();
    let expected: Vec<(String, String)> = theirs.iter().map(|(name, (kind, _))| (name.clone(), kind.clone())).collect();
    assert_eq!(schema, expected, "names, types and order of the branches");

    // The order of their clusters may be that of a hash set; the first pixel identifies a cluster.
    let first_pixels = |x: &Theirs, y: &Theirs| -> Vec<(f64, f64)> {
        x.lists().iter().zip(y.lists()).map(|(x, y)| (x[0], y[0])).collect()
    };
    let mine = |name: &str| ours(entry.get(name).unwrap());
    let (here, there) = (
        first_pixels(&mine("pixels_x"), &mine("pixels_y")),
        first_pixels(&theirs["pixels_x"].1, &theirs["pixels_y"].1),
    );
    assert_eq!(here.len(), there.len());
    let order: Vec<usize> = here.iter().map(|p| there.iter().position(|q| q == p).unwrap()).collect();
    let (dx, dy) = (mine("DX"), mine("DY"));

    for (name, (kind, value)) in theirs {
        let (mine, theirs) = (mine(name), value);
        if !kind.starts_with("vector") {
            assert_eq!(&mine, theirs, "{name}");
            continue;
        }
        let theirs = theirs.permuted(&order);
        let flat = |v: &Theirs| match v {
            Theirs::Numbers(v) => v.clone(),
            Theirs::Lists(v) => v.concat(),
        };
        match name.as_str() {
            "cluster_id" => {
                let ids: Vec<f64> = (1..=here.len()).map(|i| i as f64).collect();
                assert_eq!(mine.numbers(), ids);
            }
            "closest_cls_id" => {
                // The neighbour is the same cluster, under the number it has in each file.
                for (a, b) in mine.numbers().iter().zip(theirs.numbers()) {
                    if *b < 0.0 {
                        assert_eq!(a, b, "no neighbour");
                        continue;
                    }
                    // Their ids follow the order of their lists.
                    assert_eq!(order[*a as usize - 1], *b as usize - 1, "closest cluster");
                }
            }
            "projectionX_cols" | "projectionY_rows" => {
                // Decision D8: bin centres, instead of equidistant points from half a bin before to half a bin behind.
                for (a, b) in mine.lists().iter().zip(theirs.lists()) {
                    assert_eq!(a.len(), b.len());
                    let (first, last) = (a[0], a[a.len() - 1]);
                    assert!(a.windows(2).all(|w| w[1] - w[0] == 1.0));
                    assert!(close(b[0], first - 0.5, FLOAT, 0.0) && close(b[b.len() - 1], last + 0.5, FLOAT, 0.0));
                }
            }
            "fPosX" | "fPosY" | "fSTD_X" | "fSTD_Y" => {
                let extent = if name.ends_with('X') { &dx } else { &dy };
                for (i, (a, b)) in mine.numbers().iter().zip(theirs.numbers()).enumerate() {
                    // Spec 05 §3.3.
                    let allowed = match (extent.numbers()[i] <= 2.0, name.starts_with("fPos")) {
                        (true, _) => 0.05,
                        (false, true) => 0.03,
                        (false, false) => 3e-3 * b,
                    };
                    assert!((a - b).abs() <= allowed, "{name} of cluster {}: {a} and {b}", i + 1);
                }
            }
            "dist_mask_min" | "dist_mask_max" => {} // decision D11, a test of its own
            _ => {
                let (a, b) = (flat(&mine), flat(&theirs));
                assert_eq!(a.len(), b.len(), "{name}");
                let relative = if name.starts_with("closest") { DISTANCE } else { FLOAT };
                let integral = kind.contains("int");
                // Bins and widths of what is one pixel wide are exactly 0 on one side and rounding on the other.
                let absolute = if name.contains("projection") || name.contains("STD_") { 1.2e-6 } else { 0.0 };
                for (i, (a, b)) in a.iter().zip(&b).enumerate() {
                    let ok = if integral { a == b } else { close(*a, *b, relative, absolute) };
                    assert!(ok, "{name}, element {i}: {a} and {b}");
                }
            }
        }
    }
}
