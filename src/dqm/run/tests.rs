//! Runs of simulated images whose truth is known.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;

use serde_json::json;

use super::options::RunOptions;
use super::*;
use crate::dqm::model::Extra;
use crate::fits::FitsInput;
use crate::simulate::header::analysis_input;
use crate::simulate::series::Series;
use crate::simulate::{Setup, SimulationConfig};

/// Truth of the simulated images: two amplifiers, 8 ADU/e⁻ and 10 ADU/e⁻, a hot column.
const GAIN: [f64; 2] = [10.0, 8.0];
const LAMBDA: f64 = 0.1;
const NOISE: f64 = 1.0;
const SKIPS: usize = 36;
const HOT_COLUMN: usize = 20;

fn simulation(seed: u64, changes: serde_json::Value) -> Setup {
    let mut config = json!({
        "layout": "dual", "rows": 60, "active_cols": 80, "prescan_cols": 4, "overscan_cols": 20, "skips": SKIPS,
        "gain": GAIN, "noise": {"sigma1": NOISE}, "pedestal": {"base": 1000.0, "row_rms": 0.3}, "lambda_image": LAMBDA,
        "hot_cols": [{"col": HOT_COLUMN, "lambda": 3.0}], "t_exp": 600, "seed": seed,
    });
    if let (Some(config), Some(changes)) = (config.as_object_mut(), changes.as_object()) {
        config.extend(changes.clone());
    }
    let config: SimulationConfig = serde_json::from_value(config).unwrap();
    Setup::new(config).unwrap()
}

/// Makes `images` images `Image_Source_<run>_<i>.fits`.
fn make(directory: &Path, run: u32, images: u64, seed: u64, changes: serde_json::Value) -> Setup {
    let mut setup = None;
    for i in 1..=images {
        let mut changes = changes.clone();
        changes["image_id"] = i.into();
        changes["run_id"] = run.into();
        let own = simulation(seed + i, changes);
        let path = directory.join(format!("Image_Source_{run}_{i}.fits"));
        Series::new(own.clone(), Some(&path), 1, false, None).unwrap().make(1, &mut |_| {}).unwrap();
        setup = Some(own);
    }
    setup.unwrap()
}

fn options(data: &Path, output: &Path, run: i64, setup: &Setup) -> RunOptions {
    options_with_gains(data, output, run, setup, GAIN)
}

fn options_with_gains(data: &Path, output: &Path, run: i64, setup: &Setup, gains: [f64; 2]) -> RunOptions {
    let config = json!({
        "input": analysis_input(setup),
        "process": {
            "sequence": "CompressSkipperProcess,PedestalSubtractionProcess,CalibrationProcess",
            "CompressSkipperProcess": {"func_to_compress": ["mean", "std"]},
            "PedestalSubtractionProcess": {"method": "mean", "in_overscan": true, "axis": "row", "use_mad": false},
            "CalibrationProcess": {"gain": {"L": gains[0], "U": gains[1]}},
        }
    });
    let config =
        Config::parse(registry::all(), "test.json", config.to_string().as_bytes(), &Overrides::default()).unwrap();
    // the hot column has a spectrum of its own; of three or four blocks one alone would be more than 5 %
    let fit = json!({
        "gain_min": 5, "gain_max": 14, "calibration": {"L": 10, "U": 8}, "n_peaks": 4,
        "cols_to_mask": [[HOT_COLUMN, HOT_COLUMN + 1]], "row_step": 20, "col_step": 16,
    });
    let with = |remove: &str, more: serde_json::Value| {
        let mut block = fit.as_object().unwrap().clone();
        ["row_step", "col_step"].into_iter().filter(|k| *k != remove).for_each(|k| drop(block.remove(k)));
        block.extend(more.as_object().unwrap().clone());
        serde_json::Value::from(block)
    };
    let lenient = json!({"qtests": {"QTresiduals": {"active": 0}, "QTKstest": {"active": 0}}});
    let mut section = json!({"MEFitDC": with("", json!({}))});
    for (name, key) in [
        ("MEFitDCPerRow", "row_step"),
        ("MEFitDCMu0PerRow", "row_step"),
        ("MEFitCalibrationPerRow", "row_step"),
        ("MEFitSigmaPerRow", "row_step"),
        ("MEFitDCPerCol", "col_step"),
        ("MEFitSigmaPerCol", "col_step"),
        ("MEFitCalibrationPerCol", "col_step"),
        ("MEFitMu0PerCol", "col_step"),
    ] {
        section[name] = with(key, lenient.clone());
    }
    let mut all = serde_json::Map::new();
    for d in &crate::dqm::catalogue::CATALOGUE {
        let mut block = section.get(d.name).and_then(|v| v.as_object()).cloned().unwrap_or_default();
        // pictures are looked at by eye; here they would only cost time
        block.insert("active".into(), u8::from(d.id < 70 || d.id == 100).into());
        all.insert(d.name.into(), block.into());
    }
    let mut inputs: Vec<PathBuf> = std::fs::read_dir(data)
        .unwrap()
        .flatten()
        .map(|e| e.path())
        .filter(|p| {
            p.file_name().unwrap().to_string_lossy().starts_with("Image_") && p.extension().is_some_and(|e| e == "fits")
        })
        .filter(|p| !p.to_string_lossy().contains("_truth"))
        .collect();
    inputs.sort();
    RunOptions {
        run,
        tag: String::new(),
        inputs,
        unmatched: Vec::new(),
        data_dir: data.into(),
        output: output.into(),
        image_hr: None,
        all_me: false,
        first_image: None,
        reference: None,
        config,
        elements: Elements::read("me.json", &all.into()).unwrap(),
        names: PlotNames::Seed,
        draw: false,
        threads: 2,
    }
}

fn monitor(options: &RunOptions) -> RunTotals {
    run(options, &Console::new(Level::Error), &AtomicBool::new(false), &mut []).unwrap()
}

/// A run of six images, made once for several tests.
struct World {
    data: tempfile::TempDir,
    output: tempfile::TempDir,
    setup: Setup,
    summary: Summary,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let (data, output) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let setup = make(data.path(), 30, 6, 100, json!({}));
    let summary = monitor(&options(data.path(), output.path(), 30, &setup)).summary.unwrap();
    World { data, output, setup, summary }
});

fn tree() -> PathBuf {
    WORLD.output.path().join("run030")
}

#[test]
fn files_have_the_names_and_places_of_the_seed_document() {
    let output = tempfile::tempdir().unwrap();
    let mut options = options(WORLD.data.path(), output.path(), 30, &WORLD.setup);
    options.inputs.truncate(2);
    options.names = PlotNames::Both;
    options.draw = true;
    let summary = monitor(&options).summary.unwrap();
    let tree = output.path().join("run030");
    let missing: Vec<&str> = [
        "avgimg/Image_Source_30_1_EXT0_waders.fits",
        "logs/Image_Source_30_1.log",
        "logs/run.log",
        "recon",
        "others/Image_Source_30_1_EXT0_summary.json",
        "me/dcfit/051_MEFitDCMu0PerRow.png",
        "me/dcfit/051_MEFitDCMu0PerRow_median.png",
        "me/dcfit/Image_Source_30_1_amp_L_MEFitDC.png",
        "me/pcd/MEFitDC_PCD_ovs_Image_Source_30_1.png",
        "me/sed/043_MESinglePED.png",
        "me/img/Image_Source_30_1_ampU_MEReadoutnoiseNDCM.png",
        "me/001_MEMeanDCperRow.png",
        "me/001_MEMeanDCperRow_median.png",
        "me/004_MEMeanPixelChargePerRow.png",
        "me/MEMaskedPixels_mask.png",
        "me/me_summary_run030.json",
        "me/me_summary_run030.pkl",
        "me/mask_run030.fits",
        "me/report",
    ]
    .into_iter()
    .filter(|name| !tree.join(name).exists())
    .collect();
    assert!(missing.is_empty(), "{missing:?}");
    let drawn = summary.mes.values().flat_map(|me| &me.plots);
    let own = summary.mes.values().flat_map(|me| &me.entries).filter_map(|e| e.plot.as_ref());
    for plot in drawn.chain(own).chain(summary.images.iter().flat_map(|i| &i.outputs)) {
        assert!(tree.join(plot).is_file(), "{plot}");
    }
    let mut left = Vec::new();
    let mut places = vec![output.path().to_owned()];
    while let Some(place) = places.pop() {
        for entry in std::fs::read_dir(place).unwrap().flatten() {
            if entry.path().is_dir() {
                places.push(entry.path());
            } else if entry.file_name().to_string_lossy().ends_with(".tmp") {
                left.push(entry.path());
            }
        }
    }
    assert!(left.is_empty(), "no temporary file is left: {left:?}");
}

/// Pull of all values of an element for an amplifier: (mean value − truth) / (spread of the values/√n).
fn pull(id: u16, amplifier: &str, truth: f64) -> f64 {
    let me = WORLD.summary.element(id).unwrap();
    let values: Vec<f64> = me
        .of_amplifier(amplifier)
        .flat_map(|e| e.y.as_slice().iter().zip(e.x.as_slice()))
        .filter(|(y, _)| y.is_finite())
        .map(|(y, _)| *y)
        .collect();
    let (mean, std) = crate::stats::robust::mean_and_std(&values, crate::stats::robust::Ddof::Sample);
    (mean - truth) / (std / (values.len() as f64).sqrt())
}

#[test]
fn elements_agree_with_the_truth_within_their_errors() {
    let averaged_noise = NOISE / (SKIPS as f64).sqrt();
    for (k, amplifier) in ["L", "U"].into_iter().enumerate() {
        let gain = GAIN[k];
        // fitted gain and noise, one value per image: the average of 6 within 5 of its errors
        // the pedestal of a row is the mean of 20 overscan pixels and adds its own scatter to the noise
        let with_pedestal = averaged_noise * (1.0f64 + 1.0 / 20.0).sqrt();
        for (id, truth) in [(64, gain), (62, with_pedestal), (52, gain)] {
            let pull = pull(id, amplifier, truth);
            assert!(pull.abs() < 5.0, "id {id} {amplifier}: {pull} standard errors from {truth}");
        }
        // dark current: 2400 pixels, error 0.006 for one image
        let me = WORLD.summary.element(63).unwrap();
        let lambda = crate::stats::robust::median(
            &me.of_amplifier(amplifier).map(|e| e.y.scalar().unwrap()).collect::<Vec<_>>(),
        );
        assert!((lambda - LAMBDA).abs() < 0.015, "{amplifier}: {lambda}");
        // pedestal sigma in ADU and overscan MAD in electrons: 1.4826·MAD = σ for Gaussian noise
        // the standard deviation (÷ n) of 20 Gaussian values is 0.9619 σ on average
        let sigma = pull(33, amplifier, 0.9619 * averaged_noise * gain);
        assert!(sigma.abs() < 5.0, "pedestal sigma {amplifier}: {sigma}");
        // 20 pixels per row: the median of MADs of small samples is low by a few per cent
        let mad = WORLD.summary.element(21).unwrap().run.iter().find(|r| r.amplifier == amplifier).unwrap();
        let mad = 1.4826 * crate::stats::robust::median(mad.median.as_slice());
        assert!((mad / averaged_noise - 1.0).abs() < 0.08, "{amplifier}: {mad}");
        // readout noise: σ₁·gain at one sample, falling as 1/√N
        let noise = WORLD.summary.element(3).unwrap().of_amplifier(amplifier).next().unwrap();
        let (x, y) = (noise.x.as_slice(), noise.y.as_slice());
        assert_eq!((x[0], x[x.len() - 1]), (1.0, (SKIPS - 1) as f64));
        for (n, s) in x.iter().zip(y) {
            // 1200 pixels: 1.17/√1200 = 3.4 %; 5 of it
            let expected = NOISE * gain / n.sqrt();
            assert!((s / expected - 1.0).abs() < 0.17, "N = {n}: {s}, {expected} expected");
        }
    }
    // pixels per column above 1 e⁻: only the hot column stands out
    let counts = WORLD.summary.element(12).unwrap().of_amplifier("L").next().unwrap();
    let highest =
        (0..counts.y.len()).max_by(|a, b| counts.y.as_slice()[*a].total_cmp(&counts.y.as_slice()[*b])).unwrap();
    assert_eq!(counts.x.as_slice()[highest], HOT_COLUMN as f64 + 1.0);
    assert_eq!(counts.x.len(), 64, "all columns of the amplifier, pre- and overscan too");
    let days = WORLD.summary.element(32).unwrap().entries[0].x.scalar().unwrap();
    assert_eq!(days, 1096.0, "2025-01-01 in days since 2022-01-01");
}

#[test]
fn the_mask_finds_the_hot_column_and_says_why() {
    let input = FitsInput::open(tree().join("me/mask_run030.fits")).unwrap();
    let [fraction, mask, bits] = [0, 1, 2].map(|hdu| input.read_image(hdu).unwrap());
    for row in 0..60 {
        assert_eq!((mask[[row, HOT_COLUMN]], bits[[row, HOT_COLUMN]] as u8 & mask::HOT_COL), (1.0, mask::HOT_COL));
    }
    assert_eq!(mask.iter().filter(|m| **m != 0.0).count() as u64, WORLD.summary.run.n_masked.unwrap());
    assert!(fraction.iter().all(|f| (0.0..=1.0).contains(f)));
    let header = input.header(0).unwrap();
    assert_eq!((header.integer("RUN"), header.integer("NFILES")), (Some(30), Some(6)));
    assert_eq!(header.number("FPIX"), Some(0.4));
    assert_eq!(header.text("AMPL").as_deref().map(str::trim), Some("UL"), "header of the first image");
    assert_eq!(input.header(2).unwrap().text("BIT2").as_deref().map(str::trim), Some("hot column"));
    let hot = &WORLD.summary.element(100).unwrap().run.iter().find(|r| r.amplifier == "L").unwrap().extra["hot_cols"];
    assert_eq!(*hot, Extra::Numbers(vec![HOT_COLUMN as f64 + 1.0]));
}

#[test]
fn keywords_belong_to_their_image() {
    for image in 1..=6 {
        let path = tree().join(format!("avgimg/Image_Source_30_{image}_EXT0_waders.fits"));
        let header = FitsInput::open(&path).unwrap().header(0).unwrap();
        let fit = WORLD.summary.element(60).unwrap().of_amplifier("U").find(|e| e.image == image).unwrap();
        let Extra::Number(gain) = fit.extra["gain"] else { panic!() };
        assert_eq!(header.number("MEGAINU"), Some(gain));
        assert_eq!((header.integer("MEIMGIDU"), header.integer("MERUNIDL")), (Some(image), Some(30)));
        assert_eq!(header.number("GAIN_U"), Some(GAIN[1]));
        let status = WORLD.summary.images.iter().find(|i| i.number == image).unwrap().status;
        assert_eq!(header.text("MEFLAG").as_deref().map(str::trim), Some(status.word()));
    }
}

#[test]
fn repeated_runs_and_other_numbers_of_threads_give_the_same_bytes() {
    let output = tempfile::tempdir().unwrap();
    let mut again = options(WORLD.data.path(), WORLD.output.path(), 30, &WORLD.setup);
    again.output = output.path().into();
    let wanted = |dir: &Path| {
        let text = std::fs::read_to_string(dir.join("run030/me/me_summary_run030.json")).unwrap();
        text.replace(&dir.display().to_string(), "OUT")
    };
    for threads in [1, 2] {
        again.threads = threads;
        assert_eq!(monitor(&again).exit_code(), 0);
        assert_eq!(wanted(output.path()), wanted(WORLD.output.path()), "{threads} threads");
    }
}

#[test]
fn merged_parts_give_the_result_of_one_run() {
    let output = tempfile::tempdir().unwrap();
    let whole = options(WORLD.data.path(), output.path(), 30, &WORLD.setup);
    let run_part = |name: &str, keep: &dyn Fn(usize) -> bool| {
        let mut part = whole.clone();
        part.output = output.path().join(name);
        part.inputs = whole.inputs.iter().enumerate().filter(|(k, _)| keep(*k)).map(|(_, p)| p.clone()).collect();
        monitor(&part);
        part.output.join("run030/me")
    };
    let a = run_part("a", &|k| k % 3 == 1);
    let b = run_part("b", &|k| k % 3 != 1);
    let merge = MergeOptions {
        // JSON and pickle are the same
        summaries: vec![a.join("me_summary_run030.pkl"), b.join("me_summary_run030.json")],
        output: WORLD.output.path().join("merged"),
        reference: None,
        names: PlotNames::Seed,
        draw: false,
        threads: 2,
    };
    let merged = merge_parts(&merge, &Console::new(Level::Error), &mut []).unwrap().summary.unwrap();
    let text = |summary: &Summary| {
        let mut summary = summary.clone();
        summary.run.output_dir = String::new();
        summary::to_json(&summary).unwrap()
    };
    assert_eq!(text(&merged), text(&WORLD.summary));
    let bytes = |dir: &Path, name: &str| std::fs::read(dir.join("run030/me").join(name)).unwrap();
    let name = "mask_run030.fits";
    assert!(bytes(&merge.output, name) == bytes(WORLD.output.path(), name), "{name}");
    let twice = MergeOptions { summaries: vec![merge.summaries[0].clone(), merge.summaries[0].clone()], ..merge };
    let error = merge_parts(&twice, &Console::new(Level::Error), &mut []).unwrap_err().to_string();
    assert!(error.contains("counted twice"), "{error}");
}

#[test]
fn a_run_of_the_same_distribution_passes_and_what_differs_is_flagged_with_its_reason() {
    let (data, output) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let setup = make(data.path(), 59, 5, 900, json!({}));
    // another pedestal in the last image: 10 times the width of a row's pixels
    let shifted = json!({"pedestal": {"base": 1000.0 + 10.0 * NOISE * GAIN[0] / 6.0, "row_rms": 0.3}});
    let shifted_dir = tempfile::tempdir().unwrap();
    make(shifted_dir.path(), 59, 1, 950, shifted);
    std::fs::rename(shifted_dir.path().join("Image_Source_59_1.fits"), data.path().join("Image_Source_59_5.fits"))
        .unwrap();
    std::fs::write(data.path().join("Image_Source_59_6.fits"), b"SIMPLE  =").unwrap();
    let mut options = options(data.path(), output.path(), 59, &setup);
    options.reference = Some(tree().join("me/me_summary_run030.pkl"));
    let totals = monitor(&options);
    assert_eq!((totals.failed, totals.exit_code()), (1, 1));
    let summary = totals.summary.unwrap();
    for image in &summary.images {
        let failed: Vec<(&str, &str)> = summary
            .image_tests()
            .filter(|(_, e, t)| e.file == image.file && t.flag == Flag::Fail)
            .map(|(name, _, t)| (name, t.name.as_str()))
            .collect();
        match image.number {
            5 => {
                for name in ["MEOVSPedestalMuPerRow", "MEOVSPedestalMu"] {
                    assert!(failed.contains(&(name, "QTresiduals")), "{failed:?}");
                }
                assert!(failed.iter().all(|(name, _)| name.contains("Pedestal")), "{failed:?}");
            }
            6 => {
                assert_eq!(image.status, Flag::Error);
                assert!(image.error.is_some());
            }
            n => assert!(failed.is_empty(), "image {n}: {failed:?}"),
        }
    }
    assert_eq!(summary.run.reference.as_ref().unwrap().run, 30);
    let test =
        summary.image_tests().find(|(name, e, t)| *name == "MEOVSPedestalMu" && e.image == 5 && t.flag == Flag::Fail);
    assert!(test.unwrap().2.reason.contains("of run 30"), "{}", test.unwrap().2.reason);
}

#[test]
fn the_high_resolution_image_gives_the_gains_of_the_run() {
    let (data, output) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let setup = make(data.path(), 7, 3, 500, json!({}));
    let hr = data.path().join("Image_Source_7_skip_2000_9.fits");
    std::fs::rename(data.path().join("Image_Source_7_3.fits"), &hr).unwrap();
    let mut options = options(data.path(), output.path(), 7, &setup);
    options.image_hr = Some(hr);
    let summary = monitor(&options).summary.unwrap();
    let own = summary.images.iter().find(|i| i.is_hr).unwrap();
    assert_eq!(summary.run.image_hr.as_ref(), Some(&own.file));
    let gain = summary.run.gains["U"];
    assert!((gain.value - GAIN[1]).abs() < 5.0 * gain.error, "{gain:?}");
    for image in summary.images.iter().filter(|i| !i.is_hr) {
        assert_eq!(image.gains["U"], gain, "the gain of the run is that of every image");
        let path =
            output.path().join(format!("run007/avgimg/{}_EXT0_waders.fits", image.file.trim_end_matches(".fits")));
        let header = FitsInput::open(&path).unwrap().header(0).unwrap();
        assert_eq!(header.number("GAIN_U"), Some(gain.value), "the calibration uses it too");
        assert!(header.number("MEGAINU").is_none(), "nothing leaks from the high-resolution image");
        for id in [50, 57, 60, 64] {
            let entries = &summary.element(id).unwrap().entries;
            let entry = entries.iter().find(|e| e.file == image.file).unwrap();
            assert!(entry.reason.as_ref().unwrap().contains("high-resolution"), "id {id}");
        }
    }
    let dc = &summary.dc;
    let Extra::Number(lambda) = summary.element(60).unwrap().of_amplifier("L").next().unwrap().extra["lambda"] else {
        panic!()
    };
    assert_eq!((dc.gain, dc.lambda.value), (summary.run.gains["L"], lambda));
}

/// The high-resolution image has less noise than the others: it is neither compared with them nor part of what they are
/// compared with. A clean run against a clean run passes.
#[test]
fn a_high_resolution_image_is_compared_with_its_like_only() {
    let folder = tempfile::tempdir().unwrap();
    let monitored = |run: u32, seed: u64, reference: Option<PathBuf>| {
        let data = folder.path().join(format!("data{run}"));
        std::fs::create_dir(&data).unwrap();
        make(&data, run, 1, seed + 50, json!({"skips": 16 * SKIPS}));
        let hr = data.join(format!("Image_Source_{run}_skip_2000_99.fits"));
        std::fs::rename(data.join(format!("Image_Source_{run}_1.fits")), &hr).unwrap();
        let setup = make(&data, run, 8, seed, json!({}));
        let mut options = options(&data, folder.path(), i64::from(run), &setup);
        (options.image_hr, options.reference) = (Some(hr), reference);
        monitor(&options).summary.unwrap()
    };
    let reference = monitored(30, 3000, None);
    let noise = |s: &Summary, hr: bool| {
        let of = |e: &&Entry| s.image(&e.file).is_some_and(|i| i.is_hr) == hr;
        s.element(33).unwrap().entries.iter().filter(of).map(|e| e.y.scalar().unwrap()).fold(0.0, f64::max)
    };
    assert!(noise(&reference, true) < 0.5 * noise(&reference, false));
    let summary = monitored(31, 4000, Some(folder.path().join("run030/me/me_summary_run030.json")));
    for run in &summary.element(33).unwrap().run {
        assert_eq!((run.n_images, run.reference.as_ref().unwrap().n_images), (8, 8), "without the high resolution");
    }
    let failed: Vec<String> = summary
        .image_tests()
        .map(|(name, e, t)| (name, e.file.clone(), t))
        .chain(summary.run_tests().map(|(name, _, t)| (name, "run".to_owned(), t)))
        .filter(|(_, _, t)| t.flag >= Flag::Fail)
        .map(|(name, place, t)| format!("{name} {place} {}: {}", t.name, t.reason))
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let hr = summary.images.iter().find(|i| i.is_hr).unwrap();
    let one = summary.element(33).unwrap().entries.iter().find(|e| e.file == hr.file).unwrap();
    let residuals = one.tests.iter().find(|t| t.name == "QTresiduals").unwrap();
    assert_eq!(residuals.flag, Flag::None, "one image of its kind is no scatter: {}", residuals.reason);
}

/// Electrons made with a gain that the images contradict: every element in electrons is wrong, and somebody must say so.
#[test]
fn a_gain_that_the_fits_contradict_is_a_warning_of_the_run() {
    let output = tempfile::tempdir().unwrap();
    let said = |gains: [f64; 2]| -> Vec<String> {
        let mut options = options_with_gains(WORLD.data.path(), output.path(), 30, &WORLD.setup, gains);
        options.inputs.truncate(2);
        let summary = monitor(&options).summary.unwrap();
        summary.run.warnings.into_iter().filter(|w| w.contains("gain")).collect()
    };
    assert_eq!(said(GAIN), Vec::<String>::new());
    let warnings = said([5.3, 5.3]);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("amplifier L") && warnings[0].contains("5.3"), "{warnings:?}");
}

/// Check values of spec 06 §19 on the recorded image of four extensions.
#[test]
fn check_values_of_the_specification_on_the_real_image() {
    let folder = std::env::var_os("PANASKIMG_TEST_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let image = folder.join("avg_Image_5_Low_Temp_109_20250807_170213_15.fz");
    if !image.is_file() {
        println!("skipped: {} is absent", image.display());
        return;
    }
    let gains = [1.3535, 1.4097, 1.3258, 1.3478];
    let gain: serde_json::Map<String, serde_json::Value> =
        (1..).zip(gains).map(|(k, g)| (format!("EXT{k}"), g.into())).collect();
    let config = json!({
        "input": {
            "image": {"extensions": [1, 2, 3, 4], "ext_header": 0, "skip_image": false, "n_amp": 1, "ccd_cols": 640},
            "convention": {"Nskips": "NDCM", "Npbin": "NPBIN", "Nsbin": "NSBIN"},
        },
        "process": {
            "sequence": "CompressSkipperProcess,PedestalSubtractionProcess,CalibrationProcess",
            "PedestalSubtractionProcess": {
                "method": "gauss_fit", "in_overscan": false, "axis": "row", "n_sigma_to_mask": 1.5,
                "cut_left_tail": true, "cut_right_tail": true, "hist_nbins_method": "freedman",
            },
            "CalibrationProcess": {"gain": gain},
        }
    });
    let config =
        Config::parse(registry::all(), "test.json", config.to_string().as_bytes(), &Overrides::default()).unwrap();
    let output = tempfile::tempdir().unwrap();
    let mut elements = Elements::default();
    elements.all.iter_mut().for_each(|e| e.active = e.description.id < 40 || e.description.id == 100);
    let options = RunOptions {
        run: 1,
        tag: String::new(),
        inputs: vec![image],
        unmatched: Vec::new(),
        data_dir: folder,
        output: output.path().into(),
        image_hr: None,
        all_me: false,
        first_image: None,
        reference: None,
        config,
        elements,
        names: PlotNames::Seed,
        draw: false,
        threads: 2,
    };
    let summary = monitor(&options).summary.unwrap();
    assert_eq!(summary.images[0].amplifiers, ["EXT1", "EXT2", "EXT3", "EXT4"]);
    // id 9; error of id 6 (10⁻³); error of id 7. The other values of §19 depend on the pedestals of rows that hold several
    // electron peaks, where the minimum of the fit depends on the path and is no acceptance test (spec 02 §3.2): the same
    // chain with the fits of ROOT 6.40 (Minuit, Minuit2) gives medians of id 1 of 0.334, 0.323, 0.334, 0.369, with those
    // of scipy 0.50, 0.55, 0.54, 0.58, where §19 states 0.357, 0.349, 0.339, 0.397.
    let expected =
        [[0.82922, 0.4105, 0.0358], [0.84784, 0.4201, 0.0424], [0.85368, 0.4043, 0.0356], [0.82473, 0.3966, 0.0342]];
    for (k, values) in expected.iter().enumerate() {
        let amplifier = format!("EXT{}", k + 1);
        let entry = |id: u16| summary.element(id).unwrap().entries.iter().find(|e| e.amplifier == amplifier).unwrap();
        assert_eq!(entry(1).x.as_slice()[0], 1.0, "rows count within the extension");
        let error = |id: u16| entry(id).yerr.scalar().unwrap();
        // to half a unit of the last digit given
        for (found, expected, digit) in [
            (entry(9).headline().unwrap(), values[0], 1e-5),
            (1e3 * error(6), values[1], 1e-4),
            (error(7), values[2], 1e-4),
        ] {
            assert!((found - expected).abs() < 0.6 * digit, "{amplifier}: {found}, {expected} expected");
        }
        for id in [0, 2, 3, 20, 21] {
            assert!(!entry(id).is_available(), "id {id} needs skips or an overscan");
            assert_eq!(entry(id).status, Flag::None);
        }
        assert!(entry(30).is_available() && entry(33).is_available());
    }
}
