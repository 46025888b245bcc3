//! The same particles through `simulate` and through `response`: same energies, same widths (spec 07 §8.8).

use serde_json::json;

use super::support::*;

/// Mean and standard error of the mean.
fn mean(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n / n).sqrt())
}

#[test]
fn response_and_simulate_agree_on_the_same_particles() {
    let dir = tempfile::tempdir().unwrap();
    let sources = r#"sources=[{"type": "point", "n": 400, "energy_keV": 6, "depth_um": 500,
        "region": {"row_min": 20, "row_max": 379, "col_min": 20, "col_max": 379}}]"#;
    let simulated = run(
        dir.path(),
        &[
            "simulate",
            "--set",
            "rows=400",
            "--set",
            "active_cols=400",
            "--set",
            "skips=1",
            "--set",
            sources,
            "--g4-out",
            "g4.root",
            "-o",
            "s.fits",
        ],
    );
    assert_eq!(simulated.code, 0, "{simulated:?}");
    configure(
        dir.path(),
        json!({"detector_response": {"Diffusion": {"active": 1}, "PixelizeSignal": {"active": 1}},
            "reconstruction": {"ClusterFinder": {"active": 1}}, "CF": {"ccd_shape": [400, 400]}}),
    );
    let run = run(dir.path(), &["response", "c.json", "--g4file", "g4.root", "--tag", "t"]);
    assert_eq!(run.code, 0, "{run:?}");
    let file = dir.path().join("out_simulCCDimg_t_g4.root");
    // one event per particle; its pixels are within the reach of one cluster
    let energies: Vec<f64> = entries::<Vec<f32>>(&file, "clustersRec", "Energy")
        .iter()
        .map(|v| v.iter().map(|x| f64::from(*x)).sum())
        .collect();
    assert_eq!(energies.len(), 400);
    let truth = std::fs::read_to_string(dir.path().join("s_truth.csv")).unwrap();
    let of_simulate: Vec<f64> =
        truth.lines().skip(1).map(|l| l.split(',').nth(9).unwrap().parse::<f64>().unwrap() * 3.74e-3).collect();
    let ((a, da), (b, db)) = (mean(&energies), mean(&of_simulate));
    assert!((a - b).abs() < 5.0 * da.hypot(db), "{a} ± {da} keV and {b} ± {db} keV");
    // variance of the charge along the columns: (s/p)² + 1/12 with s(500 µm, 6 keV)
    let widths: Vec<f64> =
        entries::<Vec<f32>>(&file, "clustersRec", "wSTD_X").iter().map(|v| f64::from(v[0]).powi(2)).collect();
    let s = 11.2480 * (1.0 + 6.4258e-6 * 6000.0) / 15.0;
    let n = 6000.0 / 3.74;
    let expected = (s * s + 1.0 / 12.0) * (n - 1.0) / n;
    let (width, error) = mean(&widths);
    assert!((width - expected).abs() < 5.0 * error, "{width} ± {error}, expected {expected}");
    // pixel widths that the tree reports
    let sigma = &entries::<Vec<Vec<f32>>>(&file, "pixelizedEvent", "pixels_sigma_xy")[0][0];
    assert!(sigma.iter().all(|x| (f64::from(*x) * 1e3 / 15.0 - s).abs() < 1e-4));
}

/// The bytes of trees and images do not depend on the number of threads, but on the seed.
#[test]
fn bytes_do_not_depend_on_the_number_of_threads() {
    let dir = tempfile::tempdir().unwrap();
    let sources = r#"sources=[{"type": "fe55", "n": 300}, {"type": "muon", "n": 10}]"#;
    let made = run(
        dir.path(),
        &["simulate", "--set", "rows=200", "--set", "skips=1", "--set", sources, "--g4-out", "g4.root", "-o", "s.fits"],
    );
    assert_eq!(made.code, 0);
    configure(
        dir.path(),
        json!({"detector_response": {"Diffusion": {"active": 1, "model": "p100K", "apply_pcc": 1},
            "ContinuousReadout": {"active": 1, "time_origin": "uniform"}, "PixelizeSignal": {"active": 1},
            "DarkCurrent": {"active": 1, "darkcurrent": 3, "mode": "full-image"}, "ElectronicNoise": {"active": 1},
            "PixelSaturation": {"active": 1}, "CreateFitsImage": {"active": 1, "n_events": 100}},
            "reconstruction": {"ClusterFinder": {"active": 1, "spr_threshold": 2}}, "CF": {"ccd_shape": [200, 200]}}),
    );
    let bytes = |threads: &str, seed: &str, name: &str| {
        let made = run(
            dir.path(),
            &[
                "response", "c.json", "--g4file", "g4.root", "--ncpus", threads, "--seed", seed, "--g4out", name,
                "--tag", "t",
            ],
        );
        assert_eq!(made.code, 0, "{made:?}");
        let read = |file: &str| std::fs::read(dir.path().join(name).join(file)).unwrap();
        (read("out_simulCCDimg_t_g4.root"), read("out_simulCCDimg_t_g4_image_1.fits"))
    };
    let one = bytes("1", "5", "a");
    assert!(one == bytes("2", "5", "b"));
    assert!(one == bytes("4", "5", "c"));
    assert!(one != bytes("2", "6", "d"));
}
