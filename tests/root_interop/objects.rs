//! Histograms, graphs and functions beside a tree.

use std::io::Cursor as Memory;
use std::path::Path;

use panaskimg::root::{BranchType, Cell, Function, Graph, Histogram, Options, Parameter, RootError, RootFile};
use serde_json::{Value as Json, json};

use crate::reader::File;

const CONTENTS: [f64; 5] = [1.0, 4.5, 9.0, 3.0, 0.5];
const VARIANCES: [f64; 5] = [2.0, 4.0, 16.0, 3.0, 0.25];

/// Writes a file with objects of every kind, and says what is in it.
pub fn write_objects(folder: &Path) -> Json {
    let line: Vec<f64> = (0..=20).map(|i| 1.5 + 2.5 * (-1.0 + 0.25 * f64::from(i))).collect();
    let parameters =
        [Parameter { name: "norm", value: 1.5, error: 0.1 }, Parameter { name: "lambda", value: 2.5, error: 0.25 }];
    let function = Function {
        name: "fit",
        low: -1.0,
        high: 4.0,
        values: &line,
        parameters: &parameters,
        chi2: 7.25,
        ndf: 3,
        fitted_points: 5,
    };
    let plain = Histogram {
        name: "pcd",
        title: "Pixel charge",
        x_title: "Pixel Charge [ADU]",
        y_title: "Counts",
        low: -1.0,
        high: 4.0,
        contents: &CONTENTS,
        underflow: 2.0,
        overflow: 7.0,
        ..Histogram::default()
    };
    let weighted = Histogram { name: "weighted", variances: Some(&VARIANCES), entries: Some(12.0), ..plain };
    let fitted = Histogram { name: "fitted", function: Some(&function), ..plain };
    let (x, y, errors) = ([1.0, 2.0, 4.0], [1.0, 4.0, f64::NAN], [0.5, 0.25, 0.125]);
    let graph = Graph {
        name: "points",
        title: "amplifier EXT1",
        x_title: "row",
        y_title: "Baseline (ADUs)",
        x: &x,
        y: &y,
        ..Graph::default()
    };
    let bars = Graph { name: "bars", y: &[1.0, 4.0, 9.0], y_errors: Some(&errors), ..graph };
    let boxes = Graph { name: "boxes", x_errors: Some(&errors), ..bars };
    let none = Graph { name: "none", ..Graph::default() };
    let mut file = RootFile::create(folder.join("objects.root"), Options::default()).unwrap();
    let tree = file.tree("t", [("n", BranchType::Int)]).unwrap();
    for histogram in [&plain, &weighted, &fitted] {
        file.histogram(histogram).unwrap();
    }
    for graph in [&graph, &bars, &boxes, &none] {
        file.graph(graph).unwrap();
    }
    file.fill(tree, &[Cell::Int(1)]).unwrap();
    file.finish().unwrap();
    // A file without trees describes fewer classes.
    let mut file = RootFile::create(folder.join("graph_only.root"), Options::default()).unwrap();
    file.graph(&graph).unwrap();
    file.finish().unwrap();

    let histogram = |h: &Histogram<'_>, entries: f64| {
        json!({
            "title": h.title, "x_title": h.x_title, "y_title": h.y_title, "low": h.low, "high": h.high,
            "contents": h.contents, "underflow": h.underflow, "overflow": h.overflow,
            "variances": h.variances, "entries": entries,
        })
    };
    let points = |g: &Graph<'_>| {
        let y: Vec<_> = g.y.iter().map(|y| if y.is_nan() { json!("nan") } else { json!(y) }).collect();
        json!({
            "title": g.title, "x_title": g.x_title, "y_title": g.y_title, "x": g.x, "y": y,
            "x_errors": g.x_errors, "y_errors": g.y_errors,
        })
    };
    json!({
        "file": "objects.root",
        "graph_only": "graph_only.root",
        "keys": ["t", "pcd", "weighted", "fitted", "points", "bars", "boxes", "none"],
        "histograms": {
            "pcd": histogram(&plain, 27.0), "weighted": histogram(&weighted, 12.0), "fitted": histogram(&fitted, 27.0),
        },
        "graphs": { "points": points(&graph), "bars": points(&bars), "boxes": points(&boxes), "none": points(&none) },
        "function": {
            "name": "fit", "low": -1.0, "high": 4.0, "values": line, "chi2": 7.25, "ndf": 3, "points": 5,
            "parameters": parameters.map(|p| json!([p.name, p.value, p.error])),
        },
    })
}

#[test]
fn objects_are_listed_in_the_order_of_their_announcement() {
    let folder = tempfile::tempdir().unwrap();
    let expected = write_objects(folder.path());
    let file = File::parse(std::fs::read(folder.path().join("objects.root")).unwrap());
    let names: Vec<_> = file.directory().into_iter().map(|(_, name)| name).collect();
    assert_eq!(json!(names), expected["keys"]);
    let class = |name: &str| file.directory().into_iter().find(|(_, other)| other == name).unwrap().0;
    assert_eq!([class("points"), class("bars"), class("pcd")], ["TGraph", "TGraphErrors", "TH1F"]);
    let classes: Vec<_> = file.classes().into_iter().map(|class| class.name).collect();
    let mut distinct = classes.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(classes.len(), distinct.len());
}

#[test]
fn inconsistent_objects_are_refused() {
    let mut file = RootFile::start(Memory::new(Vec::new()), "a.root", Options::default()).unwrap();
    let good = Histogram { name: "h", low: 0.0, high: 1.0, contents: &CONTENTS, ..Histogram::default() };
    let short = Function { name: "f", high: 1.0, values: &[1.0], ..Function::default() };
    for bad in [
        Histogram { contents: &[], ..good },
        Histogram { high: 0.0, ..good },
        Histogram { high: f64::NAN, ..good },
        Histogram { variances: Some(&VARIANCES[1..]), ..good },
        Histogram { function: Some(&short), ..good },
    ] {
        assert!(matches!(file.histogram(&bad), Err(RootError::BadObject { .. })), "{bad:?}");
    }
    let error = file.graph(&Graph { name: "g", x: &[1.0, 2.0], y: &[1.0], ..Graph::default() }).unwrap_err();
    assert_eq!(error.to_string(), "the graph \"g\" cannot be written: it has 2 x values but 1 y values");
    file.histogram(&good).unwrap();
    assert!(matches!(file.histogram(&good), Err(RootError::DuplicateObject { .. })));
    assert!(matches!(file.tree("h", [("n", BranchType::Int)]), Err(RootError::DuplicateObject { .. })));
    let long = "x".repeat(10_001);
    assert!(matches!(
        file.histogram(&Histogram { name: "i", title: &long, ..good }),
        Err(RootError::InvalidName { .. })
    ));
    let file = File::parse(file.finish_into().unwrap().into_inner());
    assert_eq!(file.directory(), [("TH1F".to_owned(), "h".to_owned())]);
}
