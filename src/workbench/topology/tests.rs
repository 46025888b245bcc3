use clap::FromArgMatches as _;

use super::*;
use crate::root::{BranchType, Cell, Options, RootFile};
use crate::stats::test_data;

fn args(words: &[&str]) -> TopologyArgs {
    let command = TopologyArgs::augment_args(clap::Command::new("topology"));
    TopologyArgs::from_arg_matches(&command.get_matches_from(std::iter::once("topology").chain(words.iter().copied())))
        .unwrap()
}

/// Two images; the first has a spot of 3 pixels and a serial-register event of 4 × 1, the second a spot without seed.
fn file(path: &Path) {
    let mut file = RootFile::create(path, Options::default()).unwrap();
    let schema = [
        ("RUNID", BranchType::Int),
        ("cluster_id", BranchType::VecInt),
        ("has_seed", BranchType::VecInt),
        ("DX", BranchType::VecInt),
        ("DY", BranchType::VecInt),
        ("Energy", BranchType::VecFloat),
        ("pixels_x", BranchType::VecVecInt),
        ("pixels_y", BranchType::VecVecInt),
        ("pixels_E", BranchType::VecVecFloat),
    ];
    let tree = file.tree("clustersRec", schema).unwrap();
    let e = |n: f32| n * 3.8 / 1000.0;
    let images = [
        (
            vec![1, 2],
            vec![1, 1],
            vec![2, 4],
            vec![2, 1],
            vec![e(40.0), e(8.0)],
            vec![vec![10, 11, 10], vec![30, 31, 32, 33]],
            vec![vec![5, 5, 6], vec![7, 7, 7, 7]],
            vec![vec![e(20.0), e(10.0), e(10.0)], vec![e(2.0); 4]],
        ),
        (vec![1], vec![0], vec![1], vec![1], vec![e(3.0)], vec![vec![1]], vec![vec![1]], vec![vec![e(3.0)]]),
    ];
    for (ids, seeds, dx, dy, energy, x, y, q) in &images {
        let row = [
            Cell::Int(1),
            Cell::from(ids),
            Cell::from(seeds),
            Cell::from(dx),
            Cell::from(dy),
            Cell::from(energy),
            Cell::from(x),
            Cell::from(y),
            Cell::from(q),
        ];
        file.fill(tree, &row).unwrap();
    }
    let tree = file.tree("process_config", [("e2eV", BranchType::Double)]).unwrap();
    file.fill(tree, &[Cell::Double(3.8)]).unwrap();
    file.finish().unwrap();
}

#[test]
fn clusters_come_with_their_charge_in_electrons() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.root");
    file(&path);
    let clusters = read_clusters(&path).unwrap();
    assert_eq!(clusters.len(), 3);
    let spot = &clusters[0];
    assert!(spot.charge.iter().zip([20.0, 10.0, 10.0]).all(|(a, b)| (a - b).abs() < 1e-4), "{:?}", spot.charge);
    assert!((spot.centre.0 - 10.25).abs() < 1e-6 && (spot.centre.1 - 5.25).abs() < 1e-6);
    assert_eq!((clusters[1].dx, clusters[1].dy, clusters[2].entry, clusters[2].is_seed), (4, 1, 1, false));
}

#[test]
fn seeds_are_drawn_and_serial_register_events_chosen() {
    let folder = tempfile::tempdir().unwrap();
    file(&folder.path().join("a.root"));
    let drawn = |words: &[&str]| {
        let results = run(&args(words), folder.path()).unwrap();
        results.figures.iter().map(|(f, _)| f.name.clone()).collect::<Vec<_>>()
    };
    let combined = "combined_cluster_topology_Emax20keV";
    assert_eq!(drawn(&["a.root"]), ["a_evt0_cls1", "a_evt0_cls2", combined]);
    assert_eq!(drawn(&["a.root", "--sre"]), ["a_evt0_cls2", combined]);
    assert_eq!(drawn(&["a.root", "--skipsre"]), ["a_evt0_cls1", combined]);
    assert_eq!(drawn(&["-r", "a.root", "--emin", "0.1"]), ["a_evt0_cls1", combined]);
    assert_eq!(run(&args(&["a.root", "--emin", "10"]), folder.path()).unwrap().code, 1);
    std::fs::write(folder.path().join("b.root"), "no root").unwrap();
    assert!(run(&args(&["b.root"]), folder.path()).is_err());
}

#[test]
fn the_mean_has_the_widths_of_its_clusters() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.root");
    file(&path);
    let clusters = read_clusters(&path).unwrap();
    let mean = clusters::mean_around_maximum(&[&clusters[0]], 2, 2);
    // 1 at the maximum, ½ right of it, ½ above it
    assert!((mean[[2, 2]] - 1.0).abs() < 1e-6 && (mean[[2, 3]] - 0.5).abs() < 1e-6);
    let (sx, sy) = clusters::widths(&mean);
    // weights ¾ and ¼ at 0 and 1: √(3/16)
    assert!((sx - (3.0f64 / 16.0).sqrt()).abs() < 1e-6 && (sx - sy).abs() < 1e-6);
}

/// The error is that of the width: over many samples of 60 clusters the widths scatter by it. Clusters are lines of three
/// pixels whose sides hold 0.1 to 0.7 of the middle.
#[test]
fn the_error_of_the_width_is_the_scatter_of_samples() {
    use crate::stats::random::Stream;
    use crate::stats::robust::{Ddof, mean_and_std};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.root");
    file(&path);
    let template = read_clusters(&path).unwrap().swap_remove(0);
    let mut stream = Stream::from_seed(21);
    let (mut widths, mut errors) = (Vec::new(), Vec::new());
    for _ in 0..400 {
        let sample: Vec<Cluster> = (0..60)
            .map(|_| {
                let side = 0.1 + 0.6 * stream.uniform();
                Cluster { x: vec![9, 10, 11], y: vec![5; 3], charge: vec![side, 1.0, side], ..template.clone() }
            })
            .collect();
        let sample: Vec<&Cluster> = sample.iter().collect();
        widths.push(clusters::widths(&clusters::mean_around_maximum(&sample, 2, 2)).0);
        let (x, y) = clusters::width_errors(&sample, 2, 2);
        errors.push(x);
        assert!(y < 1e-12, "all clusters lie in one row: {y}");
    }
    let scatter = mean_and_std(&widths, Ddof::Sample).1;
    let error = mean_and_std(&errors, Ddof::Sample).0;
    // the scatter of 400 samples is known to 1/√800 = 3.5 %; four of these
    assert!((error / scatter - 1.0).abs() < 0.14, "{error} {scatter}");
    assert!(clusters::width_errors(&[&template], 2, 2).0.is_nan());
    run(&args(&["a.root", "--fmt", "png"]), folder.path()).unwrap();
    assert!(!folder.path().join("combined_cluster_topology_Emax20keV.pdf").is_file());
    run(&args(&["a.root"]), folder.path()).unwrap();
    assert!(folder.path().join("combined_cluster_topology_Emax20keV.pdf").is_file());
}

#[test]
fn the_recorded_file_is_read() {
    let Some(path) = test_data::path(test_data::RECORDED_ROOT) else { return };
    let clusters = read_clusters(&path).unwrap();
    assert!(clusters.len() > 10);
    for cluster in &clusters {
        let sum: f64 = cluster.charge.iter().sum::<f64>() * cluster.ev_per_electron / 1000.0;
        assert!((sum - cluster.energy).abs() < 2e-3 * cluster.energy.abs().max(0.01), "{sum} {}", cluster.energy);
    }
}
