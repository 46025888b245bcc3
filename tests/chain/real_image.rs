//! The main job on the real image, against the file that the Python tool made from it.

use std::collections::BTreeMap;
use std::path::Path;

use super::support::*;

const IMAGE: &str = "avg_Image_5_Low_Temp_109_20250807_170213_15";

#[test]
fn extension_1_agrees_with_the_recorded_file() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let input = data.join(format!("{IMAGE}.fz"));
    let config = data.join("recorded.json");
    let arguments =
        ["--json", config.to_str().unwrap(), "-e", "1", "-o", out.to_str().unwrap(), input.to_str().unwrap()];
    let run = run(&arguments);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    let ours = out.join(format!("panaSKImg_clustersRec_{IMAGE}_ext1.root"));
    let recorded = data.join(format!("panaSKImg_clustersRec_{IMAGE}_ext1.root"));
    assert_eq!(
        files(&out),
        [
            format!("{IMAGE}_EXT1_summary.json"),
            format!("{IMAGE}_EXT1_waders.fits"),
            format!("panaSKImg_clustersRec_{IMAGE}_ext1.root"),
        ]
    );

    // Pedestals: a few rows have several local minima; the Python tool, rerun, agrees with itself in 303.
    let column = |path: &Path, branch: &str| float_lists(path, "info", branch).concat();
    let agree = |branch: &str| {
        let (a, b) = (column(&ours, branch), column(&recorded, branch));
        assert_eq!((a.len(), b.len()), (320, 320));
        a.iter().zip(&b).filter(|(a, b)| (*a - *b).abs() < 1e-4).count()
    };
    let (mu, sigma) = (agree("EXT1_pedestal_mu_row_ADU"), agree("EXT1_pedestal_sigma_row_ADU"));
    assert!(mu >= 305 && sigma >= 305, "rows within 1e-4 ADU: μ {mu}, σ {sigma}");

    // Clusters, matched by their barycentre.
    let positions = |path: &Path| -> Vec<(f64, f64)> {
        floats(path, "clustersRec", "PosX").into_iter().zip(floats(path, "clustersRec", "PosY")).collect()
    };
    let (a, b) = (positions(&ours), positions(&recorded));
    let matched = b.iter().filter(|(x, y)| a.iter().any(|(u, v)| (x - u).hypot(y - v) < 0.5)).count();
    assert!(matched >= 128, "{matched} of {} clusters found again ({} found)", b.len(), a.len());

    // Dark-current fit. The rows whose pedestal moved shift every parameter of this badly modelled spectrum by up to
    // 5 error bars of σ; the fit itself is held to 0.002 error bars on the golden histogram in the unit tests.
    let summary = json(&out.join(format!("{IMAGE}_EXT1_summary.json")));
    let (gain, gain_error) = measured(&summary, "gain", "EXT1");
    assert!((gain - 1.353821203431930).abs() < 2.0 * gain_error, "gain {gain} ± {gain_error}");
    let (lambda, lambda_error) = measured(&summary, "dark_current", "EXT1");
    assert!((lambda - 0.984333648958673).abs() < 2.0 * lambda_error, "λ {lambda} ± {lambda_error}");
    assert_eq!(measured(&summary, "gain_used", "EXT1").0, 1.35, "the gain is rounded to 2 decimals");
}

#[test]
fn four_extensions_are_independent_and_do_not_depend_on_the_number_of_threads() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let input = data.join(format!("{IMAGE}.fz"));
    let config = data.join("recorded.json");
    let mut outputs: Vec<BTreeMap<String, Vec<u8>>> = Vec::new();
    for threads in ["1", "2", "3"] {
        let out = folder.path().join(threads);
        let run = run(&[
            "--json",
            config.to_str().unwrap(),
            "--ncpus",
            threads,
            "-o",
            out.to_str().unwrap(),
            "--save-img",
            input.to_str().unwrap(),
        ]);
        assert_eq!(run.code, 0, "{}{}", run.out, run.err);
        let bytes = |name: &String| std::fs::read(out.join(name)).unwrap();
        let map = files(&out).into_iter().filter(|n| !n.ends_with(".json")).map(|n| (n.clone(), bytes(&n))).collect();
        outputs.push(map);
    }
    // Waders, pedestal-subtracted and calibrated images and the ROOT file of each extension.
    assert_eq!(outputs[0].len(), 4 * 4, "{:?}", outputs[0].keys());
    assert!(outputs[1] == outputs[0] && outputs[2] == outputs[0], "bytes depend on the number of threads");
}

#[test]
fn one_root_file_for_all_extensions_and_a_second_run_on_its_own_output() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let input = data.join(format!("{IMAGE}.fz"));
    let config = data.join("recorded.json");
    let run_1 = run(&[
        "--json",
        config.to_str().unwrap(),
        "--oroot",
        "all.root",
        "-o",
        out.to_str().unwrap(),
        "-e",
        "1,2,3,4",
        input.to_str().unwrap(),
    ]);
    assert_eq!(run_1.code, 0, "{}{}", run_1.out, run_1.err);
    let mut file = oxyroot::RootFile::open(out.join("all.root")).unwrap();
    for tree in ["clustersRec", "info"] {
        assert_eq!(file.get_tree(tree).unwrap().entries(), 4);
    }
    // every extension has its own branches in the entry of its image, and nothing in those of the others
    assert!(!run_1.err.contains("branches that the first one lacks"), "{}", run_1.err);
    let info = file.get_tree("info").unwrap();
    for n in 1..=4 {
        let branch = info.branch(&format!("EXT{n}_pedestal_mu_row_ADU")).unwrap();
        let entries = branch.as_iter::<Vec<Vec<f32>>>().unwrap().map(|e| e.iter().map(Vec::len).sum::<usize>());
        let expected: Vec<usize> = (1..=4).map(|entry| if entry == n { 320 } else { 0 }).collect();
        assert_eq!(entries.collect::<Vec<_>>(), expected, "EXT{n}");
    }
    // The output is an image that can be read again: averaged, with one skip.
    let again = folder.path().join("again");
    let waders = out.join(format!("{IMAGE}_EXT1_waders.fits"));
    let run_2 =
        run(&["-e", "0", "-s", "PedestalSubtractionProcess", "-o", again.to_str().unwrap(), waders.to_str().unwrap()]);
    assert_eq!(run_2.code, 0, "{}{}", run_2.out, run_2.err);
    let summary = json(&again.join(format!("{IMAGE}_EXT1_waders_EXT0_summary.json")));
    assert_eq!((summary["image"].as_i64(), summary["ccd"].as_i64()), (Some(15), Some(109)));
}
