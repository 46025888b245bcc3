//! The pulls of every process: mean 0 within 3/√n, width 1 within 3 of its own standard errors (spec 07 §8.8).

use panaskimg::closure::{Extent, Plan, STUDIES, Verdict, report};

/// Images per setting.
const IMAGES: u64 = 200;

/// Makes a study on small images; every quantity must close, or be off within the bounds of its definition.
fn close(name: &str) {
    let study = panaskimg::closure::find(name).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan { extent: Extent::Fast, images: IMAGES, seed: 321, setting: None };
    let result = study.run(&plan, folder.path(), &mut |_| {}).unwrap_or_else(|e| panic!("{e}"));
    let mut failed = Vec::new();
    for (label, entry) in result.entries() {
        println!("{}", report::line(label, entry));
        assert!(entry.summary().n as u64 >= IMAGES - 2, "{label}: {} pulls", entry.summary().n);
        if entry.verdict() == Verdict::Fails {
            failed.push(report::line(label, entry));
        }
    }
    assert!(failed.is_empty(), "do not close:\n{}", failed.join("\n"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "images of the study are left behind");
}

macro_rules! closes {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            close(stringify!($name));
        })*

        #[test]
        fn every_study_is_tested() {
            let tested = [$(stringify!($name)),*];
            for study in STUDIES {
                assert!(tested.contains(&study.name), "{} is not tested", study.name);
            }
        }
    };
}

closes! {
    compress pedestal gaussian_fit dark_current calibration lines slices two_amplifiers column_transient clusters transfer halo
    cross_talk crosstalk_matrix correlated_noise absolute_charge add_background commissioning
    test_stand physics
}
