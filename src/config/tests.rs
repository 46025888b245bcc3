//! Tests of loading: every kind of problem, the files of laboratories, round trips.

use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::test_table::TABLE;
use super::*;

fn load(text: &str) -> Result<Config, ConfigErrors> {
    load_over(text, &Overrides::default())
}

fn load_over(text: &str, overrides: &Overrides) -> Result<Config, ConfigErrors> {
    Config::parse(TABLE, "run.json", text.as_bytes(), overrides)
}

fn errors(text: &str) -> String {
    load(text).unwrap_err().to_string()
}

fn warnings(text: &str) -> String {
    let config = load(text).unwrap_or_else(|e| panic!("{e}"));
    config.warnings.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

fn at<'v>(json: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(json, |v, key| &v[key])
}

#[test]
fn without_a_file_the_defaults_of_the_structs_apply() {
    let config = Config::load_with(TABLE, None, &Overrides::default()).unwrap();
    assert_eq!(config.input, InputConfig::default());
    let names: Vec<_> = config.sequence.iter().map(|e| e.name).collect();
    assert_eq!(names.join(";"), sequence::DEFAULT_SEQUENCE);
    assert_eq!(config.warnings, []);
    let json = config.to_json();
    assert_eq!(at(&json, "process.PedestalSubtractionProcess.n_sigma_win_fit"), &json!(10.0));
    assert_eq!(at(&json, "process.FitDarkCurrentProcess.n_peaks"), &json!(5), "blocks of all processes");
    let block = config.block(config.sequence[0]).unwrap();
    assert!(block.explicit.is_empty());
    assert_eq!(config.common(config.sequence[0]), &CommonParameters::default());
    let run = config.run_json();
    assert_eq!(at(&run, "process.FitDarkCurrentProcess"), &Value::Null, "only what runs");
}

#[test]
fn values_of_the_file_replace_defaults_key_by_key() {
    let config = load(
        r#"{"input": {"image": {"extensions": [1, 2.0], "skip_image": 0, "save_image": false, "ccd_cols": null},
                      "convention": {"nskips": "NSAMP", "Temp": ["T1", "T2"], "ampl": null},
                      "scp": {"pressure": "PRES"}},
            "process": {"sequence": "CompressSkipperProcess",
              "CompressSkipsProcess": {"save-img": 1, "save_as": true, "n-sig-xtalk": 4, "format_figures": ["PNG"]},
              "FitDarkCurrentProcess": {"x_min": null, "binning_size": null, "x_max": 10}}}"#,
    )
    .unwrap();
    let image = &config.input.image;
    assert_eq!(image.extensions, Some(OneOrMany::Many(vec![1, 2])));
    assert_eq!((image.skip_image, image.save_images, image.ccd_cols), (Some(false), false, None));
    let convention = &config.input.convention;
    assert_eq!(convention.nskips.as_slice(), ["NSAMP"]);
    assert_eq!(convention.ampl.as_slice(), ["AMPL"], "null means default");
    assert_eq!(convention.extra["Temp"].as_slice(), ["T1", "T2"]);
    assert_eq!(config.input.scp["pressure"].as_slice(), ["PRES"]);
    let common = config.common(config.sequence[0]);
    assert!(common.save_image && common.save_plots);
    assert_eq!(common.format_figures, [crate::process::common::FigureFormat::Png]);
    let block = config.block(config.sequence[0]).unwrap();
    assert_eq!(block.parameters["n_sig_xtalk"].to_string(), "4", "as typed, not 4.0");
    let explicit: Vec<_> = block.explicit.iter().map(String::as_str).collect();
    assert_eq!(explicit, ["format_figures", "n_sig_xtalk", "save_image", "save_plots"]);
    let json = config.to_json();
    assert_eq!(at(&json, "process.FitDarkCurrentProcess.x_min"), &Value::Null, "null is a value here");
    assert_eq!(at(&json, "process.FitDarkCurrentProcess.binning_size"), &json!(0.5), "and means default here");
    assert_eq!(at(&json, "process.FitDarkCurrentProcess.x_max").to_string(), "10");
}

/// Every class of the error table (spec 01 §7.1): the text must name file, line, full path, value and expectation.
#[test]
fn every_kind_of_mistake_is_named() {
    let run = |block: &str| {
        format!("{{\n\"process\": {{\"sequence\": \"ClusterFinder\",\n\"ClusterFinder\": {{\n{block}}}}}}}")
    };
    for (text, expected) in [
        (
            run("\"max_neigbor\": 2"),
            "run.json:4: process.ClusterFinder.max_neigbor: unknown key; did you mean `max_nearest_neighbor`?",
        ),
        (run("\"method\": 2"), "run.json:4: process.ClusterFinder.method: found 2; expected an integer 0 or 1"),
        (
            run("\"method\": \"1\""),
            "run.json:4: process.ClusterFinder.method: found \"1\"; expected an integer 0 or 1 (without quotes)",
        ),
        (
            run("\"only_cls_seed\": \"yes\""),
            "run.json:4: process.ClusterFinder.only_cls_seed: found \"yes\"; expected true or false",
        ),
        (
            run("\"spr_threshold\": {\"U\": [null, 3, 4], \"L\": [null, \"3\", 4]}"),
            "run.json:4: process.ClusterFinder.spr_threshold.L[1]: found \"3\"; expected a number",
        ),
        (
            "{\"input\": {\"image\": {\"n_amp\": 4}}}".into(),
            "run.json:1: input.image.n_amp: found 4; expected an integer 1 or 2, or null",
        ),
        (
            "{\"input\": {\"image\": {\"ccd_col\": 4}}}".into(),
            "run.json:1: input.image.ccd_col: unknown key; did you mean `ccd_cols`?",
        ),
        (
            "{\"input\": {\"datetime\": {\"timezone\": \"CET\"}}}".into(),
            "run.json:1: input.datetime.timezone: found \"CET\"; expected \"UTC\", \"local\" or an offset such as \"+02:00\"",
        ),
        (
            "{\"input\": {\"image\": {\"extensions\": [1, 2, 1]}}}".into(),
            "run.json:1: input.image.extensions: HDU 1 is listed twice; the outputs would overwrite each other",
        ),
        ("{\"input\": 5}".into(), "run.json:1: input: found 5; expected an object {…}"),
        (
            "{\"process\": {\"sequence\": \"PedestalSubtractionProcess\",\n \"PedestalSubtractionProcess\": {\"method\": \"mod\"}}}"
                .into(),
            "run.json:2: process.PedestalSubtractionProcess.method: found \"mod\"; expected \"gauss_fit\", \"median\", \
             \"mean\" or \"gauss_fit_window\"",
        ),
        (
            "{\"process\": {\"sequence\": \"PedestalSubtractionProcess\",\n \"PedestalSubtractionProcess\": \
             {\"hist_nbins_method\": \"manual\"}}}"
                .into(),
            "run.json:2: process.PedestalSubtractionProcess: `hist_nbins` is 0; method `manual` needs a positive number of \
             bins",
        ),
        ("{\"process\": {\"sequence\": 7}}".into(), "run.json:1: process.sequence: found 7; expected names separated by"),
        (
            "{\"process\": {\"sequence\": \"BuildClusterMask;ClusterFinder\"}}".into(),
            "run.json:1: process.sequence: `BuildClusterMask` stands before `ClusterFinder`, which it needs",
        ),
        ("{\"process\": {\"sequence\": \"\"}}".into(), "run.json:1: process.sequence: the sequence is empty"),
        ("{\n\"a\": 1,\n}".into(), "run.json:3: not valid JSON: trailing comma (column 1); remove the comma"),
        (
            "{\"detector_response\": {}, \"CF\": {}}".into(),
            "run.json:1: detector_response: this section belongs to a configuration of the detector simulation; run it \
             with `panaSKImg response`",
        ),
    ] {
        let found = errors(&text);
        assert!(found.starts_with(expected), "{text}\nfound:    {found}\nexpected: {expected}");
    }
}

#[test]
fn all_problems_are_reported_together() {
    let e = load(
        r#"{"input": {"image": {"n_amp": 4, "extension": 1}},
            "process": {"sequence": "CompressSkipperProces", "ClusterFinder": {"method": "x"}}}"#,
    )
    .unwrap_err();
    assert_eq!(e.errors.len(), 4, "{e}");
}

#[test]
fn mistakes_where_nothing_runs_are_warnings() {
    let found = warnings(
        r#"{"proces": {}, "input": {"imag": {}},
            "process": {"sequence": "CompressSkipperProcess", "ClusterFinder": {"metod": 1}, "MaskImageProcess": {},
                        "CompressSkiperProcess": {}, "Diffusion": {}}}"#,
    );
    for expected in [
        "run.json:1: proces: unknown section, ignored; did you mean `process`?",
        "run.json:1: input.imag: unknown part of `input`, ignored; did you mean `image`?",
        "process.ClusterFinder.metod: unknown key; did you mean `method`?; the key is ignored",
        "process.MaskImageProcess: there is no such process; the block is ignored",
        "process.CompressSkiperProcess: there is no such process; the block is ignored; did you mean `CompressSkipperProcess`?",
        "process.Diffusion: the process acts on simulated hits",
    ] {
        assert!(found.contains(expected), "{found}\nexpected: {expected}");
    }
}

#[test]
fn lenient_turns_unknown_keys_into_warnings_but_not_wrong_values() {
    let lenient = Overrides { lenient: true, ..Overrides::default() };
    let text = r#"{"input": {"image": {"ccd_col": 4}, "datetime": {"x": 1}},
                   "process": {"sequence": "ClusterFinder", "ClusterFinder": {"metod": 1}}}"#;
    let config = load_over(text, &lenient).unwrap();
    assert_eq!(config.warnings.len(), 3, "{:?}", config.warnings);
    assert!(load_over(r#"{"input": {"image": {"n_amp": 4}}}"#, &lenient).is_err());
}

#[test]
fn older_keys_and_spellings_are_understood() {
    let text = r#"{"process": {"sequence": "PedestalSubtractedProcess;ClusterFinder;EvalHaloProcess",
        "PedestalSubtractedProcess": {"is_highT": {"L": 1}, "n_mad_mask": 3, "method": "gaus_fit", "axis": "full",
                                      "show_fit": false, "histequ": true, "__sequence_id__": 2, "units": 1},
        "ClusterFinder": {"spr_mask": false, "threshold": [null, 2, 3], "halo_radius": 50, "radius_of_acceptancy": 2.8}}}"#;
    let config = load(text).unwrap();
    let json = config.to_json();
    let get = |path: &str| at(&json, path).clone();
    assert_eq!(get("process.PedestalSubtractionProcess.is_highDC"), json!({"L": true}));
    assert_eq!(get("process.PedestalSubtractionProcess.n_sigma_to_mask"), json!(3));
    assert_eq!(get("process.ClusterFinder.apply_mask"), json!(false));
    assert_eq!(get("process.ClusterFinder.spr_threshold"), json!([null, 2, 3]));
    assert_eq!(get("process.EvalHaloProcess.radius"), json!([50, 10]));
    let keys: Vec<_> = config.warnings.iter().map(|w| w.key.rsplit('.').next().unwrap().to_owned()).collect();
    assert_eq!(keys, ["is_highT", "n_mad_mask", "spr_mask", "threshold", "halo_radius"], "{:?}", config.warnings);
    assert!(!config.warnings.iter().any(|w| w.to_string().contains("no effect")), "{:?}", config.warnings);
    let alone = load(r#"{"process": {"sequence": "ClusterFinder", "ClusterFinder": {"halo_radius": 50}}}"#).unwrap();
    assert!(alone.warnings[0].to_string().contains("EvalHaloProcess is not in the sequence"), "{:?}", alone.warnings);
    // A spelling that only the parameter struct knows reaches it.
    let pedestal = config.process(config.sequence[0], &Amplifier::whole_image("L", 0, 1, 1)).unwrap();
    assert!(format!("{pedestal:?}").contains("method: GaussFit"), "{pedestal:?}");
}

#[test]
fn the_proper_name_wins_over_an_older_one_wherever_it_stands() {
    let text = r#"{"process": {"sequence": "PedestalSubtractionProcess",
        "PedestalSubtractionProcess": {"n_sigma_to_mask": 7, "n_mad_mask": 3}}}"#;
    let config = load(text).unwrap();
    assert_eq!(at(&config.to_json(), "process.PedestalSubtractionProcess.n_sigma_to_mask"), &json!(7));
    assert!(warnings(text).contains("are the same parameter; `n_sigma_to_mask` counts"), "{}", warnings(text));
}

#[test]
fn duplicate_keys_are_named_with_both_lines() {
    let found = warnings("{\"input\": {\"image\": {\n\"n_amp\": 1,\n\"n_amp\": 2}}}");
    assert_eq!(found, "run.json:3: input.image.n_amp: the key is given twice (before in line 2); this one counts");
}

/// The older process is now the first step of ClusterFinder (spec 05 §2.7): its keys go there, ClusterFinder's own win.
#[test]
fn signal_pattern_recognition_feeds_cluster_finder() {
    let text = |sequence: &str| {
        format!(
            r#"{{"process": {{"sequence": "{sequence}",
            "SignalPatternRecognition": {{"image": "mean_compressed", "threshold": [0.2, 3, 5], "mask": 0}},
            "ClusterFinder": {{"spr_image": "mean_compressed_e"}}}}}}"#
        )
    };
    let json = load(&text("SignalPatternRecognition;ClusterFinder")).unwrap().to_json();
    let finder = at(&json, "process.ClusterFinder");
    assert_eq!(finder["spr_image"], "mean_compressed_e");
    assert_eq!(finder["spr_threshold"], json!([0.2, 3, 5]));
    assert_eq!(finder["apply_mask"], json!(false));
    let json = load(&text("ClusterFinder")).unwrap().to_json();
    assert_eq!(
        at(&json, "process.ClusterFinder.spr_threshold"),
        &json!([null, 3.0, 4.0]),
        "not in the sequence: no effect"
    );
}

#[test]
fn any_parameter_of_a_process_that_runs_per_amplifier_may_be_given_per_amplifier() {
    let text = r#"{"process": {"sequence": "PedestalSubtractionProcess",
        "PedestalSubtractionProcess": {"n_sigma_to_mask": {"L": 3, "default": 5}, "method": {"U": "mean", "L": "gaus_fit"}}}}"#;
    let config = load(text).unwrap();
    let entry = config.sequence[0];
    assert!(config.block(entry).unwrap().depends_on_amplifier());
    let of = |name: &str| config.process(entry, &Amplifier::whole_image(name, 0, 1, 1));
    let l = format!("{:?}", of("L").unwrap());
    assert!(l.contains("n_sigma_to_mask: 3.0") && l.contains("method: GaussFit"), "{l}");
    let u = format!("{:?}", of("U").unwrap());
    assert!(u.contains("n_sigma_to_mask: 5.0") && u.contains("method: Mean"), "{u}");
    assert!(of("EXT1").unwrap_err().contains("`method` has no value for amplifier EXT1"));
    let json = config.to_json();
    let again = Config::parse(TABLE, "x", json.to_string().as_bytes(), &Overrides::default()).unwrap();
    assert_eq!(again.to_json().to_string(), json.to_string());
    // Processes that run once take it only where their parameter says so.
    assert!(
        errors(
            r#"{"process": {"sequence": "CompressSkipperProcess",
        "CompressSkipperProcess": {"n_sig_xtalk": {"L": 3}}}}"#
        )
        .contains("expected a number")
    );
    assert!(errors(text.replace("\"mean\"", "\"meen\"").as_str()).contains(".method.U: found \"meen\""));
}

#[test]
fn an_unknown_figure_format_becomes_pdf() {
    let text = r#"{"process": {"sequence": "CompressSkipperProcess",
        "CompressSkipperProcess": {"format_figures": ["jpg", "pdf", "Svg"]}}}"#;
    use crate::process::common::FigureFormat::{Pdf, Svg};
    let config = load(text).unwrap();
    assert_eq!(config.common(config.sequence[0]).format_figures, [Pdf, Svg]);
    assert!(warnings(text).contains("no figure format \"jpg\"; pdf is written instead"));
}

#[test]
fn the_command_line_wins() {
    let mut overrides = Overrides::default();
    overrides.set("-s", &[Target::Sequence], "CompressSkipperProcess,PedestalSubtractionProcess,CalibrationProcess");
    overrides.set("--skip-start", &[Target::Image("id_skip_start")], 0);
    overrides.set("--method", &[Target::Process("PedestalSubtractionProcess", "method")], "median");
    overrides.set("--save-img", &[Target::EveryProcess("save_image")], true);
    overrides.set("--halo-radius", &[Target::Item("EvalHaloProcess", "radius", 0)], 40);
    const CALIBRATION: &[Target] = &[
        Target::Process("FitCalibrationConstant", "calibration"),
        Target::Process("FitDarkCurrentProcess", "calibration"),
    ];
    overrides.set("--cal", CALIBRATION, 9.5);
    let config = load_over(
        r#"{"input": {"image": {"id_skip_start": 10}}, "process": {"sequence": "ClusterFinder",
            "PedestalSubtractionProcess": {"method": "mean"}}}"#,
        &overrides,
    )
    .unwrap();
    let json = config.to_json();
    assert_eq!(config.input.image.id_skip_start, 0);
    assert_eq!(at(&json, "process.sequence"), "CompressSkipperProcess;PedestalSubtractionProcess;CalibrationProcess");
    assert_eq!(at(&json, "process.PedestalSubtractionProcess.method"), "median");
    assert!(config.sequence.iter().all(|e| config.common(e).save_image));
    assert_eq!(at(&json, "process.EvalHaloProcess.radius"), &json!([40, 10]));
    assert_eq!(at(&json, "process.FitCalibrationConstant.calibration"), &json!(9.5));
    assert_eq!(at(&json, "process.FitDarkCurrentProcess.calibration"), &json!(9.5));
    let texts: Vec<_> = config.warnings.iter().map(Problem::to_string).collect();
    assert_eq!(
        texts,
        [
            "--halo-radius: has no effect: EvalHaloProcess is not in the sequence",
            "--cal: has no effect: FitCalibrationConstant or FitDarkCurrentProcess is not in the sequence"
        ]
    );
}

#[test]
fn mistakes_on_the_command_line_name_the_option() {
    let mut overrides = Overrides::default();
    overrides.set("--method", &[Target::Process("PedestalSubtractionProcess", "method")], "meen");
    overrides.set("--n-peaks", &[Target::Process("FitCalibrationConstant", "n_peaks")], 1);
    overrides.set("--n-skips", &[Target::Process("NoSuchProcess", "x")], 1);
    let e = Config::load_with(TABLE, None, &overrides).unwrap_err().to_string();
    assert_eq!(
        e,
        "--method: found \"meen\"; expected \"gauss_fit\", \"median\", \"mean\" or \"gauss_fit_window\"\n\
         --n-peaks: found 1; expected an integer ≥ 2\n\
         --n-skips: this version has no process NoSuchProcess"
    );
}

#[test]
fn gains_of_single_amplifiers_leave_the_others_alone() {
    let gain = |file: &str, l: Option<f64>, u: Option<f64>| {
        let mut overrides = Overrides::default();
        if let Some(l) = l {
            overrides.set("--calL", &[Target::Amplifier("CalibrationProcess", "gain", "L")], l);
        }
        if let Some(u) = u {
            overrides.set("--calU", &[Target::Amplifier("CalibrationProcess", "gain", "U")], u);
        }
        let text = format!("{{\"process\": {{\"CalibrationProcess\": {{\"gain\": {file}}}}}}}");
        let json = load_over(&text, &overrides).unwrap().to_json();
        let gain: PerAmplifier<f64> =
            serde_json::from_value(at(&json, "process.CalibrationProcess.gain").clone()).unwrap();
        move |name: &str, alias: &str| {
            let aliases = if alias.is_empty() { vec![] } else { vec![alias.to_owned()] };
            *gain.get(&Amplifier { aliases, ..Amplifier::whole_image(name, 1, 1, 1) }).unwrap()
        }
    };
    let g = gain("10", Some(7.0), None);
    assert_eq!((g("L", "EXT0_L"), g("U", "EXT0_U")), (7.0, 10.0));
    assert_eq!(g("EXT0", ""), 7.0, "--calL serves an image with one amplifier");
    let g = gain("10", None, Some(8.0));
    assert_eq!((g("L", "EXT0_L"), g("U", "EXT0_U"), g("EXT0", "")), (10.0, 8.0, 10.0));
    let g = gain(r#"{"L": 5, "U": 6}"#, Some(7.0), Some(8.0));
    assert_eq!((g("L", ""), g("U", "")), (7.0, 8.0));
    let g = gain(r#"{"EXT1": 1.2, "EXT2": 1.3}"#, Some(7.0), None);
    assert_eq!((g("EXT1", "CCD_A"), g("EXT2", "")), (7.0, 7.0), "the command line wins over the file");
    let g = gain(r#"{"EXT0_L": 1.2, "EXT0_U": 1.3}"#, Some(7.0), None);
    assert_eq!((g("L", "EXT0_L"), g("U", "EXT0_U")), (7.0, 1.3));
    let g = gain(r#"{"default": 4}"#, Some(7.0), None);
    assert_eq!((g("L", ""), g("U", "")), (7.0, 4.0));
}

fn shared(folder: &str) -> Option<PathBuf> {
    let base = std::env::var_os("PANASKIMG_TEST_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data")), PathBuf::from);
    let folder = base.join(folder);
    if !folder.is_dir() {
        println!("skipped: no {}", folder.display());
        return None;
    }
    Some(folder)
}

/// The files that laboratories use, unchanged, with the complete table: they load, and every warning names a key.
#[test]
fn configurations_of_laboratories_load() {
    let Some(folder) = shared("configs") else { return };
    let mut files = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let result = Config::load_with(TABLE, Some(&path), &Overrides::default());
        files += 1;
        if name.starts_with("psimul") {
            let text = result.unwrap_err().to_string();
            assert!(text.contains("in_root") && text.contains("panaSKImg response"), "{text}");
            continue;
        }
        let config = result.unwrap_or_else(|e| panic!("{name}: {e}"));
        for warning in &config.warnings {
            assert!(!warning.key.is_empty(), "{warning}");
            println!("{warning}");
        }
        let known = |text: &str| ["spr_mask", "sig_L_range"].iter().any(|k| text.contains(k));
        assert!(config.warnings.iter().all(|w| known(&w.key)), "{:?}", config.warnings);
        assert_eq!(config.monitoring_elements.is_some(), name.starts_with("dqm"));
        let json = config.to_json().to_string();
        let again = Config::parse(TABLE, "x", json.as_bytes(), &Overrides::default()).unwrap();
        assert_eq!(again.to_json().to_string(), json, "{name}: reading the merged configuration again changes it");
        assert_eq!(again.warnings, []);
    }
    assert!(files >= 10);
}

/// An editor that checks with the schema underlines no key of these files that the program accepts.
#[test]
fn the_schema_knows_the_keys_of_older_files() {
    let schema = super::describe::schema(TABLE);
    let process = &schema["properties"]["process"]["properties"];
    let finder = &process["ClusterFinder"]["properties"];
    assert_eq!(finder["spr_mask"]["deprecated"], json!(true));
    assert_eq!(finder["spr_mask"]["type"], finder["apply_mask"]["type"], "the type of what it stands for");
    assert!(finder["apply_mask"].get("deprecated").is_none());
    let Some(folder) = shared("configs") else { return };
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let Ok(json) = serde_json::from_str::<Value>(&text) else { continue };
        if path.file_name().unwrap().to_string_lossy().starts_with("psimul") {
            continue;
        }
        let keys = |value: &Value| value.as_object().map(|o| o.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
        let comment = |key: &str| key.starts_with('#') || key.starts_with("//") || key == "comment";
        for name in keys(&json["process"]).iter().filter(|n| *n != "sequence" && !comment(n)) {
            for key in keys(&json["process"][name]).iter().filter(|k| !comment(k)) {
                assert!(process[name]["properties"].get(key).is_some(), "{}: {name}.{key}", path.display());
            }
        }
        for key in keys(&json["input"]["image"]).iter().filter(|k| !comment(k)) {
            let known = &schema["properties"]["input"]["properties"]["image"]["properties"];
            assert!(known.get(key).is_some(), "{}: image.{key}", path.display());
        }
    }
}

/// The same files with the processes that this version has: nothing may go wrong except names of processes that do not
/// exist yet.
#[test]
fn configurations_of_laboratories_load_as_far_as_processes_exist() {
    let Some(folder) = shared("configs") else { return };
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if let Err(e) = Config::load(Some(&path), &Overrides::default()) {
            let missing = |p: &Problem| p.text.starts_with("unknown process") || p.key == "in_root";
            assert!(e.errors.iter().all(missing), "{e}");
        }
    }
}

/// Oddities of our own: beside each file stands what is said about it.
#[test]
fn odd_configurations_are_read_as_expected() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/configs"));
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    files.retain(|f| f.extension().is_some_and(|e| e == "json"));
    assert!(!files.is_empty());
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).unwrap();
        let found = match Config::parse(TABLE, &name, &bytes, &Overrides::default()) {
            Ok(config) => config.warnings.iter().map(|w| format!("warning: {w}\n")).collect::<String>(),
            Err(e) => e.errors.iter().map(|p| format!("error: {p}\n")).collect(),
        };
        let expected = path.with_extension("expected");
        if std::env::var_os("PANASKIMG_UPDATE").is_some() {
            std::fs::write(&expected, &found).unwrap();
        }
        assert_eq!(found, std::fs::read_to_string(expected).unwrap_or_default(), "{name}");
    }
}

proptest! {
    /// Whatever the file holds, loading ends with a configuration or with errors, never with a panic.
    #[test]
    fn random_values_never_panic(value in any_json(), key in "[a-z_]{0,8}") {
        for path in ["input.image.extensions", "input.convention.Nskips", "process.sequence", "process.ClusterFinder.spr_threshold",
                     "process.PedestalSubtractionProcess.method", "process.CalibrationProcess.gain", "input", "process",
                     "process.ClusterFinder", "monitoring_elements", "process.ClusterFinder.format_figures"] {
            let mut json = value.clone();
            for step in path.rsplit('.') {
                json = json!({step: json, key.as_str(): value});
            }
            if let Ok(config) = load(&json.to_string()) {
                let dump = config.to_json().to_string();
                let again = Config::parse(TABLE, "x", dump.as_bytes(), &Overrides::default()).unwrap();
                let text = again.to_json().to_string();
                prop_assert!(text == dump, "reading it again changes it");
            }
        }
    }

    /// The same for texts that are nearly JSON.
    #[test]
    fn random_texts_never_panic(text in "[\\[\\]{}\":,a-z0-9 \n#/'-.\\\\é]{0,60}") {
        let _ = load(&text);
        let _ = load(&format!("{{\"process\": {text}}}"));
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-20i64..20).prop_map(Value::from),
        any::<f64>().prop_map(|x| json!(x)),
        "[A-Za-z0-9;, _]{0,12}".prop_map(Value::from),
        Just(Value::from("ClusterFinder")),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[A-Za-z_]{0,6}|[LU]|EXT1|default", inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}
