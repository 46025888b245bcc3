//! The bench tools seen from outside: on the products of the chain for the example image, whose truth is known.

mod support;

use std::borrow::Cow;

use ndarray::Array2;
use panaskimg::fits::{Card, FitsInput, FitsWriter, Header};
use support::{Products, csv, number, run, run_in, runs_as};

const TOOLS: [(&str, &[&str]); 11] = [
    ("compose", &["get_compose_fits_file"]),
    ("hotcols", &["find_hot_regions", "analysis_hotcolumns_f"]),
    ("pcd", &["pcd_plot"]),
    ("view", &["drawImageGrid"]),
    ("trend", &["plot_fitsval", "plot_parinheader", "dc_analysis"]),
    ("header", &["diffheader"]),
    ("linearity", &["get_calibration_constant"]),
    ("threshold", &["get_energy_threshold"]),
    ("transient", &["plot_skip_transient"]),
    ("topology", &["cluster_topology"]),
    ("cut", &["cut_fits_image"]),
];

#[test]
fn every_tool_has_help_with_an_example_and_answers_to_its_old_names() {
    for (tool, old_names) in TOOLS {
        let help = run(&[tool, "--help"]);
        assert_eq!(help.code, 0, "{tool}: {}", help.err);
        assert!(help.out.contains("Example:\n  panaSKImg "), "{tool}: {}", help.out);
        for old in old_names {
            assert_eq!(run(&[old, "--help"]).out, help.out, "{old}");
        }
    }
    let overview = run(&["--help"]).out;
    assert!(TOOLS.iter().all(|(tool, _)| overview.contains(&format!("  {tool}\n"))), "{overview}");
}

#[cfg(unix)]
#[test]
fn a_link_with_the_old_name_is_the_tool() {
    let products = Products::new();
    let waders = products.waders();
    let run = runs_as("diffheader", &["--files", &waders, &waders, "--hext", "0"]);
    assert_eq!((run.code, run.out.as_str()), (0, ""), "{}", run.err);
}

#[test]
fn a_pattern_without_files_ends_with_3_and_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let calls: [&[&str]; 9] = [
        &["compose", "no*.fits"],
        &["hotcols", "no*.fits"],
        &["pcd", "no*.fits"],
        &["view", "no*.fits"],
        &["trend", "KEY", "no*.fits"],
        &["linearity", "no*.fits"],
        &["transient", "no.fits", "-r", "1", "-c", "1"],
        &["topology", "no*.root"],
        &["cut", "no*.fits", "--col", "1", "1", "--row", "1", "1"],
    ];
    for call in calls {
        let run = run_in(folder.path(), call);
        assert_eq!(run.code, 3, "{call:?}: {}", run.err);
        assert_eq!((run.out.as_str(), run.err.lines().count()), ("", 1), "{call:?}: {}", run.err);
        assert!(run.err.contains("no input file"), "{}", run.err);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}

/// What is wrong with a file ends with 1, wherever it is found (spec 01 §7.1).
#[test]
fn files_that_are_no_images_fail_and_do_not_stop_the_others() {
    let products = Products::new();
    let waders = products.waders();
    let folder = products.folder();
    std::fs::write(folder.join("bad.fits"), "no image").unwrap();
    std::fs::write(folder.join("bad.root"), "no tree").unwrap();
    let alone: [&[&str]; 10] = [
        &["compose", "bad.fits"],
        &["hotcols", "bad.fits"],
        &["pcd", "bad.fits"],
        &["view", "bad.fits"],
        &["trend", "KEY", "bad.fits"],
        &["linearity", "bad.fits"],
        &["transient", "bad.fits", "-r", "1", "-c", "1"],
        &["topology", "bad.root"],
        &["cut", "bad.fits", "--col", "1", "1", "--row", "1", "1"],
        &["header", "show", "bad.fits"],
    ];
    for call in alone {
        let run = run_in(folder, call);
        assert_eq!((run.code, run.err.lines().count()), (1, 1), "{call:?}: {}", run.err);
        assert!(run.err.starts_with("error: ") && run.err.contains("bad."), "{call:?}: {}", run.err);
    }
    assert_eq!(run_in(folder, &["pcd", &waders, "--ext", "NOSUCH"]).code, 1, "a missing HDU");
    let others: [&[&str]; 6] = [
        &["hotcols", "bad.fits", &waders],
        &["pcd", "*.fits"],
        &["view", "bad.fits", &waders],
        &["trend", "MEGAIN0", "bad.fits", &waders, "--x", "image"],
        &["linearity", "bad.fits", &waders],
        &["cut", "bad.fits", &waders, "--col", "3", "1", "--row", "3", "1"],
    ];
    for call in others {
        let run = run_in(folder, call);
        assert_eq!(run.code, 1, "{call:?}: {}", run.err);
        assert!(run.err.contains("bad.fits") && run.err.contains("was left out"), "{call:?}: {}", run.err);
        assert!(run.out.contains("wrote "), "{call:?}: {}", run.out);
    }
}

/// A negative number behind an option is its value, and the tool says what it expects.
#[test]
fn negative_values_of_options_are_judged_by_the_tool() {
    let products = Products::new();
    let waders = products.waders();
    let folder = products.folder();
    let raw = products.raw();
    let calls: [(&[&str], &str); 7] = [
        (&["linearity", &waders, "-k", "-3"], "--gain: it must be positive"),
        (&["cut", &waders, "--col", "-1", "5", "--row", "1", "1"], "a whole number, 0 or more"),
        (&["transient", &raw, "-r", "-1", "-c", "1"], "a whole number, 0 or more"),
        (&["hotcols", &waders, "--scan", "-3", "4", "4"], "--scan: 0 < MIN < MAX"),
        (&["hotcols", &waders, "--tpix", "-3"], "--tpix: it must be positive"),
        (&["topology", "panaSKImg_clustersRec_*.root", "--srexy", "-3", "1"], "--srexy: both must be positive"),
        (&["threshold", "--scan-sigma", "-1", "2", "--scan-lam", "0.1", "0.2"], "--scan-sigma: 0 < A < B"),
    ];
    for (call, message) in calls {
        let run = run_in(folder, call);
        assert_eq!(run.code, 2, "{call:?}: {}", run.err);
        assert!(run.err.contains(message) && !run.err.contains("-- -"), "{call:?}: {}", run.err);
    }
    let topology = run_in(folder, &["topology", "panaSKImg_clustersRec_*.root", "--emin", "-3", "--max", "1"]);
    assert_eq!(topology.code, 0, "{}", topology.err);
}

/// The command line of dc_analysis: the rate without being asked for, against the exposure with --continuous.
#[test]
fn the_old_name_of_the_trend_of_rates_implies_them() {
    let products = Products::new();
    let waders = products.waders();
    let words = [&*waders, "--continuous", "--all", "--amp", "0", "--pol1", "5"];
    let old = run_in(products.folder(), &[&["dc_analysis"], &words[..]].concat());
    assert!(old.out.contains("RATE 0: 1 image, "), "{} {}", old.out, old.err);
    assert!(products.folder().join("plot_fitsval_RATE.csv").is_file());
    let plain = run_in(products.folder(), &["trend", "*.fits"]);
    assert_eq!(plain.code, 2);
    assert!(plain.err.contains("`*.fits` is taken as a keyword"), "{}", plain.err);
}

#[test]
fn headers_are_compared_with_exit_codes_like_diff() {
    let products = Products::new();
    let waders = products.waders();
    let raw = products.raw();
    let same = run(&["header", "diff", &waders, &waders]);
    assert_eq!((same.code, same.out.as_str()), (0, ""));
    let differ = run(&["header", "diff", &raw, &waders, "--hext", "0"]);
    assert_eq!(differ.code, 1);
    assert!(differ.out.contains("-- DIFF --") && differ.out.contains("-- ONLY-B --"), "{}", differ.out);
    assert!(same.err.contains("note: HDU 1 ") && same.err.contains("no others"), "{}", same.err);
    assert_eq!(run(&["header", "diff", &waders, &waders, "--hext", "0"]).err, "");
    assert_eq!(run(&["header", "diff", &raw]).code, 2);
    for trouble in [&[&*waders, "nofile.fits"][..], &[&*waders, "Cargo.toml"], &[&*waders, &*waders, "--hext", "99"]] {
        assert_eq!(run(&[&["header", "diff"], trouble].concat()).code, 2, "{trouble:?}");
    }
    let shown = run(&["header", "show", &waders, "MEGAIN0", "ME*", "--hext", "0"]);
    assert_eq!(shown.code, 0, "{}", shown.err);
    assert!(shown.out.starts_with("MEGAIN0  = "), "{}", shown.out);
    assert_eq!(run(&["header", "show", &waders, "NOSUCH"]).code, 1);
}

#[test]
fn the_threshold_of_a_processed_image_lies_between_the_peaks() {
    let products = Products::new();
    let run = run_in(products.folder(), &["threshold", "--from", &products.waders()]);
    assert_eq!(run.code, 0, "{}", run.err);
    // gain 1.5 ADU/e-, noise 0.175 e-: about half an electron
    let line = run.out.lines().find(|l| l.contains("equal losses")).unwrap();
    let electrons: f64 = line.split(" = ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!((0.4..0.6).contains(&electrons), "{line}");
    assert!(products.folder().join("threshold_0.png").is_file(), "{}", run.out);
    let missing = run_in(products.folder(), &["threshold", "--from", &products.raw()]);
    assert_eq!(missing.code, 1, "the image fails, not the command line: {}", missing.err);
    assert!(missing.err.contains("FitDarkCurrentProcess"), "{}", missing.err);
}

#[test]
fn charge_is_counted_viewed_and_cut_from_the_products_of_the_chain() {
    let products = Products::new();
    let waders = products.waders();
    let folder = products.folder();
    let pcd = run_in(folder, &["pcd", "-d", &waders, &waders, "--norm", "--ho", "350", "-1", "6"]);
    assert_eq!(pcd.code, 0, "{}", pcd.err);
    let (_, rows) = csv(&folder.join("pcd.csv"));
    assert_eq!(rows.len(), 350);
    assert!(rows.iter().all(|r| r[4].is_nan() || (r[4] - 1.0).abs() < 1e-12), "the ratio of a set to itself is 1");

    let hot = run_in(folder, &["hotcols", &waders, "--silent", "--cols", "4", "88", "--nsigma", "5"]);
    assert_eq!(hot.code, 0, "{}", hot.err);
    assert!(hot.out.starts_with("0 of 84 columns are hot"), "there is no hot column in the example: {}", hot.out);

    let view = run_in(folder, &["view", "--native", &waders, "--mext", "CLSMASK", "--ovs-col", "88", "--ne", "4"]);
    assert_eq!(view.code, 0, "{}", view.err);
    for name in ["view.png", "view_pcd.png", "view_ne.png", "view_ne.csv", "view_native.png"] {
        assert!(folder.join(format!("example_EXT0_waders_{name}")).is_file(), "{name}: {}", view.out);
    }
    let shown = run_in(folder, &["view", &waders, "--fmt", "svg,pdf", "--outdir", "other", "--display", "false"]);
    assert_eq!(shown.code, 0, "{}", shown.err);
    assert!(folder.join("other/example_EXT0_waders_view.svg").is_file());

    let cut = run_in(folder, &["cut", &waders, &waders, "--col", "2", "5", "--row", "30", "5"]);
    assert_eq!(cut.code, 0, "{}", cut.err);
    let snap = FitsInput::open(folder.join("example_EXT0_waders_snap_2-30.fits")).unwrap();
    assert_eq!(snap.hdus()[0].axes, [8, 11, 1], "a file named twice is one image");
}

#[test]
fn the_gain_of_the_example_is_found_from_its_peaks() {
    let products = Products::new();
    let run = run_in(products.folder(), &["linearity", &products.waders(), "--ext", "CALIBRATED"]);
    assert_eq!(run.code, 0, "{}", run.err);
    let (scalars, rows) = csv(&products.folder().join("example_EXT0_waders_linearity.csv"));
    let (k, error) = (number(&scalars, "gain"), number(&scalars, "gain_err"));
    assert!(rows.len() >= 3, "{}", run.out);
    // Calibrated with the fitted gain, which has its own error of about 2 %.
    assert!((k - 1.0).abs() < 0.05 + 3.0 * error, "{k} ± {error}");
}

#[test]
fn trends_and_clusters_of_the_chain() {
    let products = Products::new();
    let folder = products.folder();
    let trend = run_in(folder, &["trend", "MEGAIN0", &products.waders(), "--err", "EMEGAIN0", "--x", "image"]);
    assert_eq!(trend.code, 0, "{}", trend.err);
    let (_, rows) = csv(&folder.join("plot_fitsval_MEGAIN0.csv"));
    assert!((rows[0][5] - 1.5).abs() < 5.0 * rows[0][6], "the gain of the example is 1.5 ADU/e-: {rows:?}");
    assert!(folder.join("plot_fitsval_MEGAIN0_TIMESTAMP.pdf").is_file(), "{}", trend.out);

    let topology = run_in(folder, &["topology", "panaSKImg_clustersRec_*.root", "--emax", "1000"]);
    assert_eq!(topology.code, 0, "{}", topology.err);
    let (_, clusters) = csv(&folder.join("panaSKImg_clustersRec_example_ext0_clusters.csv"));
    // three X rays of Fe-55 at 5.9 or 6.5 keV
    let irons = clusters.iter().filter(|c| (5.4..7.0).contains(&c[2])).count();
    assert!(irons >= 2, "{clusters:?}");
}

#[test]
fn raw_skips_are_drawn() {
    let products = Products::new();
    let raw = products.raw();
    let run = run_in(products.folder(), &["transient", &raw, "-r", "3", "-c", "10,90"]);
    assert_eq!(run.code, 0, "{}", run.err);
    for name in ["mean", "traces", "hist"] {
        assert!(products.folder().join(format!("example_transient_{name}.png")).is_file(), "{}", run.out);
    }
}

#[test]
fn averaged_skips_have_no_transient() {
    let products = Products::new();
    let run = run_in(products.folder(), &["transient", &products.waders(), "-r", "3", "-c", "10", "--skips", "1"]);
    assert_eq!((run.code, run.err.lines().count()), (1, 1), "{} {}", run.out, run.err);
    assert!(run.err.contains("averaged already"), "{}", run.err);
}

/// 200 peaks of a simulated cube whose columns hold more and more charge, response 6 Q (1 − 4·10⁻⁵ Q) ADU: gain,
/// non-linearity and residuals come out of the whole chain.
#[test]
fn the_linearity_of_a_simulated_cube_is_measured_to_hundreds_of_electrons() {
    let folder = tempfile::tempdir().unwrap();
    let (k, q) = (6.0, -4e-5);
    let hot: Vec<_> =
        (0..200).map(|c| serde_json::json!({"col": 4 + c, "width": 1, "lambda": 1.5 * f64::from(c)})).collect();
    let simulation = serde_json::json!({"simulate": {"rows": 300, "active_cols": 200, "prescan_cols": 4, "overscan_cols": 60,
        "skips": 64, "gain": k, "quadratic": q, "noise": {"sigma1": 1.2}, "dark_current": 0.0, "lambda_image": 0.02,
        "hot_cols": hot}});
    std::fs::write(folder.path().join("simulation.json"), simulation.to_string()).unwrap();
    let made = run_in(folder.path(), &["simulate", "-j", "simulation.json", "-o", "cube.fits", "--seed", "8"]);
    assert_eq!(made.code, 0, "{}", made.err);
    let chain = run_in(
        folder.path(),
        &[
            "cube.fits",
            "-j",
            "cube_panaSKImg.json",
            "-s",
            "CompressSkipperProcess,PedestalSubtractionProcess",
            "-o",
            ".",
        ],
    );
    assert_eq!(chain.code, 0, "{}", chain.err);
    let run = run_in(
        folder.path(),
        &["linearity", "cube_EXT0_waders.fits", "--ext", "PEDSUBTRACTED", "-k", "6", "-o", "cube"],
    );
    assert_eq!(run.code, 0, "{}", run.err);
    let (scalars, rows) = csv(&folder.path().join("cube_linearity.csv"));
    let last = rows[rows.len() - 1][0];
    assert!(last > 280.0 && rows.len() as f64 > last - 5.0, "peaks up to {last}: {}", run.out);
    let agrees = |key: &str, error: &str, truth: f64, extra: f64| {
        let (value, error) = (number(&scalars, key), number(&scalars, error));
        assert!((value - truth).abs() < 4.0 * error + extra, "{key}: {value} ± {error}, put in {truth}");
    };
    agrees("gain_at_zero", "gain_at_zero_err", k, 0.0);
    agrees("nonlinearity_per_e", "nonlinearity_err", q, 0.0);
    agrees("integral_nonlinearity_e", "integral_nonlinearity_err", -0.25 * q * last * last, 0.0);
    // residuals: r(m) − ½ (r(m − d) + r(m + d)) = −q d², whatever the line is; 20 peaks of 0.01 e- each
    let around = |n: f64| {
        let near: Vec<f64> = rows.iter().filter(|r| (r[0] - n).abs() < 10.0).map(|r| r[8]).collect();
        near.iter().sum::<f64>() / near.len() as f64
    };
    let bend = around(140.0) - 0.5 * (around(20.0) + around(260.0));
    assert!((bend + q * 120.0 * 120.0).abs() < 0.02, "{bend}");
    // noise of 64 samples, and a little of the pedestals of the rows, each from 60 pixels
    let noise = number(&scalars, "sigma") / k;
    assert!((0.150..0.150 * 1.07).contains(&noise), "{noise}");
}

#[test]
fn joined_images_are_analysed_as_one() {
    let folder = tempfile::tempdir().unwrap();
    for (name, day) in [("b", 1), ("a", 2)] {
        let mut header = Header::new();
        for (key, value) in [("MREAD", 40_000i64), ("MEXP", 0), ("NDCMS", 1), ("NROW", 20)] {
            header.push(Card::new(key, value, ""));
        }
        header.push(Card::new("AMPL", "L", ""));
        header.push(Card::new("DATEINI", format!("2024-01-0{day}T00:00:00"), ""));
        let pixels = Array2::from_elem((20, 30), f64::from(day));
        let mut writer = FitsWriter::new();
        writer.push(header, Cow::Borrowed(&pixels));
        writer.write(&folder.path().join(format!("{name}.fits")), false).unwrap();
    }
    let joined = run_in(folder.path(), &["compose", "?.fits", "-c", "-o", "joined.fits"]);
    assert_eq!(joined.code, 0, "{}", joined.err);
    assert!(joined.out.contains("mean waiting time of a pixel: 20"), "{}", joined.out);
    let pixels = FitsInput::open(folder.path().join("joined.fits")).unwrap().read_image(0).unwrap();
    assert_eq!((pixels.dim(), pixels[[0, 0]], pixels[[39, 29]]), ((40, 30), 1.0, 2.0));
    let chain = run_in(folder.path(), &["joined.fits", "-s", "CompressSkipperProcess", "-o", "out"]);
    assert!(chain.code == 0, "{} {}", chain.out, chain.err);
}
