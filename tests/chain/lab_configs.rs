//! Configurations as laboratories really use them, each on a synthetic image of its geometry.

use std::path::Path;

use super::support::*;

/// Makes an image with `panaSKImg simulate`.
fn simulate(folder: &Path, name: &str, preset: &str, settings: &[&str]) -> String {
    let path = folder.join(name).to_string_lossy().into_owned();
    let mut words = vec!["simulate", "--preset", preset, "-o", &path];
    settings.iter().for_each(|s| words.extend(["--set", s]));
    let made = run(&words);
    assert_eq!(made.code, 0, "{}", made.err);
    path
}

#[test]
fn every_configuration_runs_with_warnings_at_most() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    // two amplifiers of a CCD of 6144 columns, binned so strongly that the image is small
    let leach = simulate(
        folder.path(),
        "leach.fits",
        "leach",
        &[
            "skips=30",
            "rows=4100",
            "npbin=100",
            "nsbin=16",
            "active_cols=6144",
            "prescan_cols=16",
            "overscan_cols=320",
            "noise.sigma1=2",
            "lambda_image=0.5",
        ],
    );
    let module = |name: &str, settings: &[&str]| simulate(folder.path(), name, "acm", settings);
    let narrow = module("narrow.fits", &["rows=60", "prescan_cols=0", "active_cols=640", "overscan_cols=40"]);
    let wide =
        module("wide.fits", &["rows=60", "nsbin=16", "prescan_cols=16", "active_cols=6144", "overscan_cols=320"]);
    let half = module("half.fits", &["rows=60", "prescan_cols=8", "active_cols=250", "overscan_cols=60"]);
    // configuration, image, items, a warning that it must give (the key is named)
    for (config, image, items, warning) in [
        ("img_5", &narrow, 4, "process.TwoDGaussProcess.sig_L_range: the key is given twice"),
        ("panaSKImg_config_ACM_ex", &wide, 4, "process.TwoDGaussProcess.sig_L_range: the key is given twice"),
        ("panaSKImg_config_LBC_ACM_4DQM_PA08_103", &half, 4, "`from_dc_fit` is set"),
        ("panaSKImg_config_CCDTesting", &leach, 1, "process.ClusterFinder.spr_mask: older name of `apply_mask`"),
        ("panaSKImg_config_LBC_dqm", &leach, 1, "process.ClusterFinder.spr_mask: older name of `apply_mask`"),
        ("panaSKImg_config_LBC_ex", &leach, 1, "process.ClusterFinder.spr_mask: older name of `apply_mask`"),
        ("panaSKImg_config_LBC_recon", &leach, 1, "process.ClusterFinder.spr_mask: older name of `apply_mask`"),
        ("panaSKImg_configuration", &leach, 1, "process.ClusterFinder.spr_mask: older name of `apply_mask`"),
    ] {
        let path = data.join("configs").join(format!("{config}.json")).to_string_lossy().into_owned();
        let out = folder.path().join(config);
        let run = run(&["--json", &path, "-o", out.to_str().unwrap(), image]);
        assert_eq!(run.code, 0, "{config}: {}", run.err);
        assert!(run.err.contains(warning), "{config}: {}", run.err);
        assert!(!run.err.contains("[error]"), "{config}: {}", run.err);
        let ok = run.out.lines().filter(|line| line.starts_with("OK ")).count();
        assert_eq!(ok, items, "{config}: {}", run.out);
        let summaries: Vec<String> = files(&out).into_iter().filter(|n| n.ends_with("_summary.json")).collect();
        assert_eq!(summaries.len(), items, "{config}");
        for name in summaries {
            let summary = json(&out.join(name));
            let sequence = std::fs::read_to_string(&path).unwrap();
            let chain = summary["chain"].as_array().unwrap();
            assert!(!chain.is_empty() && sequence.contains("PedestalSubtractionProcess"), "{config}");
            assert!(summary["geometry"]["amplifiers"].as_array().unwrap().len() == if items == 1 { 2 } else { 1 });
        }
    }
    // what is no configuration of the analysis says where it belongs
    let path = data.join("configs/psimulCCDimg_config_file.json").to_string_lossy().into_owned();
    let other = run(&["--json", &path, &leach]);
    assert_eq!(other.code, 2);
    assert!(other.err.contains("panaSKImg response"), "{}", other.err);
}

/// Stacked extensions give the pixels and clusters of the single ones; `--mask` takes pixels away.
#[test]
fn stacked_extensions_and_masks() {
    let folder = tempfile::tempdir().unwrap();
    let image = simulate(
        folder.path(),
        "module.fits",
        "acm",
        &["rows=40", "prescan_cols=0", "active_cols=100", "overscan_cols=30", "noise.sigma1=2", "lambda_image=0.1"],
    );
    let config = serde_json::json!({
        "input": {"image": {"skip_image": false, "extensions": [1, 2, 3, 4], "ccd_cols": 100, "n_amp": 1},
                  "convention": {"Nskips": "NDCM"}},
        "process": {
            "sequence": "PedestalSubtractionProcess,CalibrationProcess,ClusterFinder",
            "PedestalSubtractionProcess": {"image": "mean_compressed", "method": "median"},
            "CalibrationProcess": {"gain": 1.5},
            "ClusterFinder": {"spr_threshold": [null, 1, 1], "absolute_threshold": 1, "absolute_threshold_unit": "e"}
        }
    });
    let path = folder.path().join("config.json");
    std::fs::write(&path, config.to_string()).unwrap();
    let analyse = |out: &str, more: &[&str]| {
        let out = folder.path().join(out);
        let mut words = vec!["--json", path.to_str().unwrap(), "--save-img", "-o", out.to_str().unwrap()];
        words.extend(more);
        words.push(&image);
        let run = run(&words);
        assert_eq!(run.code, 0, "{}", run.err);
        out
    };
    let pixels = |path: &Path| panaskimg::fits::FitsInput::open(path).unwrap().read_image(0).unwrap();
    let (single, stacked) = (analyse("single", &[]), analyse("stacked", &["--acm"]));
    let all = pixels(&stacked.join("module_EXT1-EXT2-EXT3-EXT4_waders.fits"));
    assert_eq!(all.dim(), (160, 130));
    let mut clusters = 0;
    for n in 1..=4 {
        let one = pixels(&single.join(format!("module_EXT{n}_waders.fits")));
        assert_eq!(all.slice_axis(ndarray::Axis(0), ((n - 1) * 40..n * 40).into()), one, "extension {n}");
        clusters +=
            floats(&single.join(format!("panaSKImg_clustersRec_module_ext{n}.root")), "clustersRec", "Energy").len();
    }
    let root = stacked.join("panaSKImg_clustersRec_module_ext1234.root");
    let energies = floats(&root, "clustersRec", "Energy");
    assert_eq!(energies.len(), clusters);
    assert!(clusters > 100, "charge of 0.1 e- per pixel makes many clusters: {clusters}");

    // without the pixels of the upper half of the frame, half of the clusters are left
    let mask: Vec<f64> = (0..160 * 130).map(|i| f64::from(u8::from(i < 80 * 130))).collect();
    let mask_path = folder.path().join("mask.fits");
    std::fs::write(&mask_path, fits(-64, 130, 160, &[], &doubles(mask))).unwrap();
    let masked = analyse("masked", &["--acm", "--mask", mask_path.to_str().unwrap()]);
    let root = masked.join("panaSKImg_clustersRec_module_ext1234.root");
    let left = floats(&root, "clustersRec", "Energy").len();
    let expected = energies.len() as f64 / 2.0;
    assert!((left as f64 - expected).abs() < 5.0 * expected.sqrt(), "{left} of {}", energies.len());
}

/// Four amplifiers of an LTA board in four HDUs, read with the shipped convention: the gain of each is found.
#[test]
fn four_amplifiers_of_a_low_threshold_board() {
    let (rows, cols, samples) = (60_i32, 140_i32, 8_i32);
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut uniform = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    };
    let mut bytes = fits(8, 0, 0, &[], &[]);
    let gains = [180.0, 195.0, 210.0, 225.0];
    for gain in gains {
        let mut pixels = Vec::new();
        for _ in 0..rows {
            for col in 0..cols {
                // dark current of 0.4 e⁻ in the active columns
                let limit = f64::exp(-0.4);
                let (mut electrons, mut product) = (0.0, uniform());
                while col < 97 && product > limit {
                    electrons += 1.0;
                    product *= uniform();
                }
                for _ in 0..samples {
                    let normal = (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos();
                    pixels.push((15_000.0 + gain * electrons + 70.0 * normal).round() as i32);
                }
            }
        }
        let cards = [
            ("PCOUNT", "0"),
            ("GCOUNT", "1"),
            ("NSAMP", "8"),
            ("NCOL", "140"),
            ("NROW", "60"),
            ("NBINCOL", "32"),
            ("NBINROW", "1"),
            ("CCDNPRES", "7"),
            ("CCDNCOL", "6144"),
        ];
        let mut extension = fits(32, (cols * samples) as usize, rows as usize, &cards, &integers(pixels));
        extension[..80].copy_from_slice(format!("{:<80}", "XTENSION= 'IMAGE   '").as_bytes());
        bytes.extend(extension);
    }
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("skp_lta_12.fits");
    std::fs::write(&image, bytes).unwrap();
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/lta_four_amplifiers.json");
    let out = folder.path().join("out");
    let run =
        run(&["--json", config.to_str().unwrap(), "--save-img", "-o", out.to_str().unwrap(), image.to_str().unwrap()]);
    assert_eq!(run.code, 0, "{}", run.err);
    for (hdu, truth) in (1..=4).zip(gains) {
        let summary = json(&out.join(format!("skp_lta_12_EXT{hdu}_summary.json")));
        assert_eq!((&summary["geometry"]["skips"], &summary["geometry"]["cols"]), (&8.into(), &140.into()));
        let (gain, error) = measured(&summary, "gain", &format!("EXT{hdu}"));
        assert!(
            (gain - truth).abs() < 5.0 * error && error < 0.02 * truth,
            "EXT{hdu}: {gain} ± {error}, truth {truth}"
        );
        let (dark_current, error) = measured(&summary, "dark_current", &format!("EXT{hdu}"));
        let expected = 0.4 * truth;
        assert!(
            (dark_current - expected).abs() < 5.0 * error,
            "EXT{hdu}: {dark_current} ± {error} ADU, truth {expected}"
        );
    }
}
