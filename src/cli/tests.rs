//! Tests of the command line: every option, the rules of words, what is said when something is wrong.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::*;
use crate::config::test_table::TABLE;

/// A directory with an image, a configuration that runs every process the options speak of, and environment variables.
struct World {
    folder: tempfile::TempDir,
    variables: BTreeMap<&'static str, String>,
    has_dqm: bool,
}

const CHAIN: &str = "CompressSkipperProcess;PedestalSubtractionProcess;CalibrationProcess;FitDarkCurrentProcess;ClusterFinder;\
                     EvalHaloProcess;ChargeLossPlot;RNvsNskipsPlot;FitCalibrationConstant";

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = Self { folder, variables: BTreeMap::new(), has_dqm: true };
        world.file("img.fits", "");
        world.file("chain.json", &json!({"process": {"sequence": CHAIN}}).to_string());
        world
    }

    fn file(&self, name: &str, content: &str) {
        std::fs::write(self.folder.path().join(name), content).unwrap();
    }

    fn parse(&self, words: &[&str]) -> Result<Command, UsageError> {
        let variable = |name: &str| self.variables.get(name).map(OsString::from);
        let surroundings = Surroundings {
            table: TABLE,
            directory: self.folder.path().to_owned(),
            variable: &variable,
            cores: 4,
            has_dqm: self.has_dqm,
        };
        parse_in(&surroundings, std::iter::once("panaSKImg").chain(words.iter().copied()).map(OsString::from))
    }

    fn analysis(&self, words: &[&str]) -> AnalysisOptions {
        match self.parse(words) {
            Ok(Command::Analysis(options)) => *options,
            other => panic!("{words:?}: {other:?}"),
        }
    }

    fn error(&self, words: &[&str]) -> String {
        match self.parse(words) {
            Err(error) => error.to_string(),
            Ok(other) => panic!("{words:?}: {other:?}"),
        }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

fn surroundings() -> Surroundings<'static> {
    Surroundings { table: TABLE, directory: ".".into(), variable: &|_| None, cores: 4, has_dqm: true }
}

fn at<'v>(json: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(json, |v, key| match key.parse::<usize>() {
        Ok(index) => &v[index],
        Err(_) => &v[key],
    })
}

/// Option, words → path in the merged configuration, value.
type Case = (&'static str, &'static [&'static str], &'static [(&'static str, &'static str)]);

const PEDESTAL: &str = "process.PedestalSubtractionProcess";

/// Every option that overrides keys of the configuration.
const IN_THE_CONFIGURATION: &[Case] = &[
    ("--ext", &["-e", "1", "2"], &[("input.image.extensions", "[1,2]")]),
    ("--hext", &["--hext", "0"], &[("input.image.ext_header", "[0]")]),
    ("--bz2", &["--bz2"], &[("input.image.bz2", "true")]),
    ("--amp-name", &["--amp-name", "A"], &[("input.image.amp_name", "\"A\"")]),
    ("--halo-radius", &["--halo-radius", "50"], &[("process.EvalHaloProcess.radius", "[50,10]")]),
    ("--halo-radius-min", &["--halo-radius-min", "5"], &[("process.EvalHaloProcess.radius", "[155,5]")]),
    (
        "--calL",
        &["--calL", "7.5"],
        &[("process.CalibrationProcess.gain.L", "7.5"), ("process.CalibrationProcess.gain.U", "5.3")],
    ),
    (
        "--calU",
        &["--calU", "8"],
        &[("process.CalibrationProcess.gain.L", "5.3"), ("process.CalibrationProcess.gain.U", "8.0")],
    ),
    ("--invert", &["--invert"], &[("input.image.correct_polarity", "true")]),
    ("--skip-start", &["--skip-start", "3"], &[("input.image.id_skip_start", "3")]),
    ("--skip-end", &["--skip-end", "-10"], &[("input.image.id_skip_end", "-10")]),
    ("--row-start", &["--row-start", "3"], &[("input.image.id_row_start", "3")]),
    ("--row-end", &["--row-end", "90"], &[("input.image.id_row_end", "90")]),
    ("--col-start", &["--col-start", "3"], &[("input.image.id_col_start", "3")]),
    ("--col-end", &["--col-end", "-1"], &[("input.image.id_col_end", "-1")]),
    (
        "--sequence",
        &["-s", "CompressSkipperProcess,CalibrationProcess"],
        &[("process.sequence", "\"CompressSkipperProcess;CalibrationProcess\"")],
    ),
    (
        "--save-img",
        &["--save-img"],
        &[
            ("process.CompressSkipperProcess.save_image", "true"),
            ("process.ClusterFinder.save_image", "true"),
            ("process.GaussianFitProcess.save_image", "null"),
        ],
    ),
    ("--save-plots", &["--save-plots"], &[("process.CompressSkipperProcess.save_plots", "true")]),
    ("--display", &["--display"], &[("process.CompressSkipperProcess.__display__", "true")]),
    ("--verbose", &["--verbose"], &[("process.CompressSkipperProcess.__verbose__", "true")]),
    ("--debug", &["--debug"], &[("process.CompressSkipperProcess.__DEBUG__", "true")]),
    (
        "--cal",
        &["--cal", "9.5"],
        &[("process.FitCalibrationConstant.calibration", "9.5"), ("process.FitDarkCurrentProcess.calibration", "9.5")],
    ),
    (
        "--calibration",
        &["--calibration", "9.5"],
        &[("process.FitCalibrationConstant.calibration", "9.5"), ("process.FitDarkCurrentProcess.calibration", "9.5")],
    ),
    ("--adu2e", &["--adu2e", "10"], &[("process.CalibrationProcess.gain", "10.0")]),
    (
        "--func-to-compress",
        &["--func-to-compress", "mean", "median"],
        &[("process.CompressSkipperProcess.func_to_compress", "[\"mean\",\"median\"]")],
    ),
    ("--method", &["--method", "median"], &[("process.PedestalSubtractionProcess.method", "\"median\"")]),
    ("--in-overscan", &["--in-overscan"], &[("process.PedestalSubtractionProcess.in_overscan", "false")]),
    (
        "--use-overscan",
        &["--no-overscan", "--use-overscan"],
        &[("process.PedestalSubtractionProcess.in_overscan", "true")],
    ),
    ("--axis", &["--axis", "col"], &[("process.PedestalSubtractionProcess.axis", "\"col\"")]),
    (
        "--n-sigma-win-fit",
        &["--n-sigma-win-fit", "2.5"],
        &[
            ("process.PedestalSubtractionProcess.n_sigma_win_fit", "2.5"),
            ("process.FitCalibrationConstant.n_sigma_win_fit", "2.5"),
        ],
    ),
    (
        "--n-sigma-to-mask",
        &["--n-sigma-to-mask", "-1"],
        &[("process.PedestalSubtractionProcess.n_sigma_to_mask", "-1.0")],
    ),
    ("--show-fit", &["--show-fit"], &[("process.PedestalSubtractionProcess.show_fit", "true")]),
    ("--skip-id-list", &["--skip-id-list", "0", "-1"], &[("process.ChargeLossPlot.skip_id_list", "[0,-1]")]),
    ("--skip-id-baseline", &["--skip-id-baseline", "4"], &[("process.ChargeLossPlot.skip_id_baseline", "4")]),
    ("--histequ", &["--histequ"], &[("process.ChargeLossPlot.histequ", "true")]),
    ("--gray-palette", &["--gray-palette"], &[("process.ChargeLossPlot.gray_palette", "true")]),
    ("--n-skips", &["--n-skips", "-75"], &[("process.RNvsNskipsPlot.n_skips_per_block", "-75")]),
    ("--is-blank", &["--is-blank"], &[("process.RNvsNskipsPlot.is_blank", "true")]),
    ("--n-peaks", &["--n-peaks", "3"], &[("process.FitCalibrationConstant.n_peaks", "3")]),
    ("--dc-axis", &["--dc-axis", "row"], &[("process.FitDarkCurrentProcess.dc_axis", "\"row\"")]),
    ("--n-elec", &["--n-elec", "4"], &[("process.FitDarkCurrentProcess.n_peaks", "4")]),
    ("--n-sigma-fit", &["--n-sigma-fit", "2.5"], &[("process.FitDarkCurrentProcess.n_sigma_fit", "2.5")]),
    ("--mu-gauss", &["--mu-gauss", "-0.1"], &[("process.FitDarkCurrentProcess.mu_gauss", "-0.1")]),
    ("--sigma-gauss", &["--sigma-gauss", ".2"], &[("process.FitDarkCurrentProcess.sigma_gauss", "0.2")]),
    ("--lambda-poisson", &["--lambda-poisson", "1e-3"], &[("process.FitDarkCurrentProcess.lambda_poisson", "0.001")]),
    ("--fit-options", &["--fit-options", "QSL"], &[("process.FitDarkCurrentProcess.fit_options", "\"QSL\"")]),
    (
        "--do-calibration",
        &["--do-calibration", "--cal", "10"],
        &[("process.FitDarkCurrentProcess.do_calibration", "true")],
    ),
    ("--fix-gain", &["--fix-gain"], &[("process.FitDarkCurrentProcess.do_calibration", "false")]),
];

/// Every other option, each with a test of its own in this file.
const ELSEWHERE: [&str; 17] = [
    "--skip",
    "--output",
    "--json",
    "--dump-config",
    "--lenient",
    "--resume",
    "--ncpus",
    "--seed",
    "--acm",
    "--no-acm",
    "--oroot",
    "--MCT",
    "--ccd",
    "--run",
    "--mask",
    "--list-processes",
    "--help",
];

/// Every option of the monitor, with a value.
const MONITOR: &[(&str, &[&str])] = &[
    ("--dqm-data-dir", &["."]),
    ("--image-HR", &["skip_2000"]),
    ("--me-ref", &["me_summary_run030.pkl"]),
    ("--all-me", &[]),
    ("--me-json", &["me.json"]),
    ("--image", &["3"]),
    ("--tag", &["science"]),
    ("--pdf", &[]),
    ("--no-pdf", &[]),
    ("--nopdf", &["1"]),
    ("--db", &["none"]),
    ("--mongo-uri", &["mongodb://localhost"]),
    ("--mongo-db", &["dqm"]),
    ("--mongo-collection", &["runs"]),
    ("--mongo-json", &["runs.jsonl"]),
    ("--dqm-names", &["v7"]),
    ("--watch", &[]),
    ("--watch-poll", &["0.5"]),
    ("--watch-settle", &["10"]),
    ("--watch-once", &[]),
    ("--watch-retries", &["3"]),
    ("--watch-idle-close", &["60"]),
    ("--watch-status", &[]),
    ("--run-map", &["per=100,image0=6834,run0=6"]),
    ("--publish", &["somewhere"]),
    ("--dqm-merge", &["a.json", "b.pkl"]),
    ("--dqm-trend", &["a.json", "b.pkl"]),
    ("--trend-runs", &["50-59,61"]),
    ("--trend-me", &["MEPCD", "MEFitDC"]),
    ("--trend-range", &["0:5"]),
    ("--trend-spans", &["spans.json"]),
    ("--dqm-evolution", &["*.fits"]),
];

#[test]
fn every_option_of_the_configuration_sets_its_keys() {
    let world = World::new();
    let json = world.path("chain.json");
    for (option, words, expected) in IN_THE_CONFIGURATION {
        let all: Vec<&str> = ["img.fits", "--json", &json].into_iter().chain(words.iter().copied()).collect();
        let options = world.analysis(&all);
        assert_eq!(options.config.warnings, [], "{option}");
        let json = options.config.to_json();
        for (path, value) in *expected {
            assert_eq!(at(&json, path).to_string(), *value, "{option}: {path}");
        }
    }
}

/// A new option cannot be forgotten: it must be in one of the lists of this file.
#[test]
fn every_option_is_in_a_list_of_tests() {
    let mut command = plain_command(&surroundings());
    command.build();
    let options: BTreeSet<String> =
        command.get_arguments().filter_map(|a| a.get_long()).map(|l| format!("--{l}")).collect();
    let tested = IN_THE_CONFIGURATION.iter().map(|c| c.0).chain(ELSEWHERE).chain(MONITOR.iter().map(|c| c.0));
    let tested: BTreeSet<String> = tested.chain(["--dqm", "--version"]).map(str::to_owned).collect();
    assert_eq!(options, tested);
    let mapped: BTreeSet<&str> = mapping::MAPPING.iter().map(|(option, _)| *option).collect();
    assert_eq!(mapped, IN_THE_CONFIGURATION.iter().map(|c| c.0).collect());
    assert_eq!(mapped.len(), mapping::MAPPING.len(), "an option is mapped twice");
}

/// The options of the seed document, as its help lists them.
#[test]
fn every_option_of_the_seed_is_understood() {
    let mut command = plain_command(&surroundings());
    command.build();
    let mut names: BTreeSet<String> = BTreeSet::new();
    for arg in command.get_arguments() {
        names.extend(arg.get_long().into_iter().chain(arg.get_all_aliases().unwrap_or_default()).map(str::to_owned));
        names.extend(arg.get_short().map(String::from));
    }
    for option in "h help skip o ouptut e ext j json mask dqm dqm-data-dir image-HR run me-ref all-me invert skip-start \
                   skip-end row-start row-end col-start col-end s sequence list-processes save-img save-plots display verbose \
                   cal func-to-compress method in-overscan axis n-sigma-win-fit n-sigma-to-mask show-fit skip-id-list \
                   skip-id-baseline histequ gray-palette n-skips is-blank n-peaks calibration dc-axis n-elec n-sigma-fit \
                   mu-gauss sigma-gauss lambda-poisson fit-options do-calibration"
        .split_whitespace()
    {
        assert!(names.contains(option), "{option}");
    }
}

#[test]
fn options_beside_the_configuration() {
    let world = World::new();
    let o = world.analysis(&["img.fits"]);
    assert_eq!((o.output.to_str(), o.threads, o.verbosity), (Some("."), 4, Verbosity::Normal));
    assert_eq!(o.config.options, crate::config::RunOptions::default());
    assert_eq!((o.lenient, o.display, o.one_root_file.clone()), (false, false, None));
    world.file("mask.fits", "");
    let words = [
        "img.fits",
        "-o",
        "out",
        "--ncpus",
        "2",
        "--seed",
        "7",
        "--acm",
        "--oroot",
        "all.root",
        "--MCT",
        "3",
        "--ccd",
        "109",
        "--run",
        "0",
        "--mask",
        "mask.fits",
        "--lenient",
        "--resume",
        "--display",
        "--debug",
    ];
    let o = world.analysis(&words);
    assert_eq!((o.output.to_str(), o.threads, o.verbosity), (Some("out"), 2, Verbosity::Debug));
    let r = o.config.options;
    assert_eq!((r.acm, r.mct, r.run, r.ccd, r.seed), (true, Some(3), Some(0), Some(109), 7));
    assert_eq!(r.mask.as_deref(), Some(Path::new("mask.fits")));
    assert!(o.lenient && o.display && o.resume && o.one_root_file.is_some());
    assert!(!world.analysis(&["img.fits", "--acm", "--no-acm"]).config.options.acm);
    assert!(world.analysis(&["img.fits", "--no-acm", "--acm"]).config.options.acm);
    assert_eq!(world.analysis(&["img.fits", "--ouptut", "x"]).output.to_str(), Some("x"));
    let many = world.analysis(&["img.fits", "--ncpus", "64"]);
    assert_eq!(many.warnings, ["--ncpus 64: this machine has 4 cores"]);
}

#[test]
fn options_stand_in_any_order_and_the_last_one_wins() {
    let world = World::new();
    let start = |words: &[&str]| world.analysis(words).config.input.image.id_skip_start;
    assert_eq!(start(&["--skip-start", "3", "img.fits"]), 3);
    assert_eq!(start(&["img.fits", "--skip-start=3"]), 3);
    assert_eq!(start(&["--skip-start", "3", "img.fits", "--skip-start", "5"]), 5);
    assert_eq!(start(&["img.fits", "--id-skip-start", "4"]), 4);
    world.file("ten.json", r#"{"input": {"image": {"id_skip_start": 10}}}"#);
    assert_eq!(start(&["img.fits", "-j", &world.path("ten.json")]), 10);
    assert_eq!(start(&["img.fits", "-j", &world.path("ten.json"), "--skip-start", "0"]), 0, "an explicit zero counts");
    let gain =
        |words: &[&str]| at(&world.analysis(words).config.to_json(), "process.CalibrationProcess.gain").to_string();
    assert_eq!(gain(&["img.fits", "--calL", "3", "--adu2e", "4"]), r#"{"U":4.0,"default":3.0,"L":3.0}"#);
    let calibration = |words: &[&str]| {
        at(&world.analysis(words).config.to_json(), "process.FitDarkCurrentProcess.calibration").to_string()
    };
    assert_eq!(calibration(&["img.fits", "--cal", "3", "--calibration", "4"]), "4.0");
    assert_eq!(calibration(&["img.fits", "--calibration", "4", "--cal", "3"]), "3.0");
}

#[test]
fn flags_only_switch_on_except_the_opposites() {
    let world = World::new();
    world.file(
        "on.json",
        r#"{"process": {"PedestalSubtractionProcess": {"show_fit": true, "in_overscan": false},
                        "CompressSkipperProcess": {"save_plots": true}}}"#,
    );
    let json = world.path("on.json");
    let get = |words: &[&str], key: &str| at(&world.analysis(words).config.to_json(), key).clone();
    assert_eq!(get(&["img.fits", "-j", &json], "process.PedestalSubtractionProcess.show_fit"), true);
    assert_eq!(get(&["img.fits", "-j", &json], "process.CompressSkipperProcess.save_plots"), true);
    let overscan = format!("{PEDESTAL}.in_overscan");
    assert_eq!(get(&["img.fits", "-j", &json, "--use-overscan"], &overscan), true);
    assert_eq!(get(&["img.fits", "--use-overscan", "--in-overscan"], &overscan), false);
    assert_eq!(get(&["img.fits", "--in-overscan", "--use-overscan"], &overscan), true);
    let free = "process.FitDarkCurrentProcess.do_calibration";
    assert_eq!(get(&["img.fits", "--fix-gain", "--do-calibration", "--cal", "1"], free), true);
    assert_eq!(
        get(&["img.fits", "--do-calibration", "--fix-gain"], free),
        false,
        "the last one wins: no start value needed"
    );
}

#[test]
fn abbreviations_are_understood_unless_they_are_ambiguous() {
    let world = World::new();
    assert!(matches!(world.parse(&["--list-process"]), Ok(Command::Information(_))));
    assert_eq!(world.analysis(&["img.fits", "--ou", "x"]).output.to_str(), Some("x"));
    assert_eq!(world.analysis(&["img.fits", "--see", "5"]).config.options.seed, 5);
    // A full name beats the beginnings of longer ones.
    let cal = world.analysis(&["img.fits", "--cal=3", "--skip", "x"]);
    assert_eq!(at(&cal.config.to_json(), "process.FitDarkCurrentProcess.calibration"), 3.0);
    assert_eq!(
        world.error(&["img.fits", "--skip-i", "3"]),
        "--skip-i is ambiguous: it could be --skip-id-list, --skip-id-baseline"
    );
    assert!(world.error(&["img.fits", "--colstart", "3"]).contains("--col-start"), "clap names the nearest option");
}

#[test]
fn lists_end_where_the_specification_says() {
    let world = World::new();
    world.file("b.fits", "");
    let ext = |words: &[&str]| world.analysis(words).config.to_json()["input"]["image"]["extensions"].to_string();
    assert_eq!(ext(&["-e", "1", "img.fits"]), "[1]");
    assert_eq!(ext(&["-e", "1", "2", "3", "img.fits"]), "[1,2,3]");
    assert_eq!(ext(&["-e1,2", "img.fits"]), "[1,2]");
    assert_eq!(ext(&["-e=1", "img.fits"]), "[1]");
    assert_eq!(ext(&["--ext=1,2", "3", "img.fits", "b.fits", "--skip", "3"]), "[1,2]");
    assert_eq!(ext(&["img.fits", "-e", "1,2", "4"]), "[1,2,4]");
    assert_eq!(ext(&["-e", "1", "-e", "2", "img.fits"]), "[2]", "the last one wins");
    assert_eq!(world.error(&["-e", "img.fits"]), "--ext needs at least one integer; found `img.fits`");
    assert_eq!(world.error(&["img.fits", "-e"]), "--ext needs at least one integer; found nothing");
    let functions = |words: &[&str]| {
        at(&world.analysis(words).config.to_json(), "process.CompressSkipperProcess.func_to_compress").to_string()
    };
    assert_eq!(functions(&["--func-to-compress", "mean", "std", "--bz2", "img.fits"]), r#"["mean","std"]"#);
    assert_eq!(functions(&["--func-to-compress", "mean,std", "--", "img.fits"]), r#"["mean","std"]"#);
    let files = |words: &[&str]| world.analysis(words).selection.files.len();
    assert_eq!(files(&["img.fits", "b.fits"]), 2);
    assert_eq!(files(&["*.fits", "--skip", "b.f", "zzz"]), 1);
    assert_eq!(files(&["--skip", "b.f", "--", "*.fits"]), 1);
}

#[test]
fn an_infile_taken_by_a_list_is_explained() {
    let world = World::new();
    let error = world.error(&["-o", "out", "--skip", "_598", "img.fits"]);
    assert!(
        error.contains("no INFILE is given; --skip takes all words up to the next option, here: _598 img.fits"),
        "{error}"
    );
    assert!(error.contains("panaSKImg ... --skip _598 -- img.fits"), "{error}");
    assert!(
        world.error(&["--func-to-compress", "mean", "run/*.fits"]).contains("--func-to-compress mean -- run/*.fits")
    );
    assert!(world.error(&["--bz2"]).contains("no INFILE is given; give a file"));
    assert!(world.error(&["--skip", "img.fits"]).contains("--skip takes all words"));
}

#[test]
fn mistakes_name_the_option() {
    let world = World::new();
    for (words, expected) in [
        (&["img.fits", "--ncpus", "0"][..], "--ncpus"),
        (&["img.fits", "--ncpus", "two"], "--ncpus"),
        (&["img.fits", "--cal", "ten"], "--cal"),
        (&["img.fits", "--cal", "nan"], "--cal"),
        (&["img.fits", "--seed", "-1"], "--seed"),
        (&["img.fits", "--unknown"], "--unknown"),
        (&["img.fits", "--json"], "--json"),
        (&["img.fits", "--bz2=yes"], "--bz2"),
        (&["img.fits", "--n-elec", "2.5"], "--n-elec"),
        (&["img.fits", "--method", "meen"], "--method: found \"meen\"; expected \"gauss_fit\""),
        (&["img.fits", "-e", "-3"], "--ext: found -3; expected an integer ≥ 0"),
        (&["img.fits", "-s", "Compress"], "--sequence: unknown process `Compress`"),
        (&["img.fits", "-s", "BuildClusterMask"], "--sequence: `BuildClusterMask` needs `ClusterFinder`"),
        (&["img.fits", "--do-calibration"], "--do-calibration starts from a calibration constant"),
        (&["img.fits", "--mask", "none.fits"], "--mask none.fits: there is no such file"),
        (&["img.fits", "--skip", "none.txt"], "--skip none.txt: the list file cannot be read"),
        (&["img.fits", "--me-ref", "x"], "--me-ref is an option of the data-quality monitor; add --dqm"),
    ] {
        let error = world.parse(words).expect_err("an error");
        assert!(error.to_string().contains(expected), "{words:?}: {error}");
        assert_eq!(error.exit_code(), WRONG_USAGE, "{words:?}");
    }
}

#[test]
fn without_files_the_exit_code_is_another() {
    let world = World::new();
    world.file("b.fits", "");
    for (words, expected) in [
        (&["nothing*.fits"][..], "no input file: nothing*.fits matches no file"),
        (&["none.fits", "x*"], "no input file: none.fits does not exist; x* matches no file"),
        (&["*.fits", "--skip", "img", "b.f"], "--skip drops all 2 files that match"),
    ] {
        let error = world.parse(words).expect_err("an error");
        assert!(error.to_string().contains(expected), "{words:?}: {error}");
        assert_eq!(error.exit_code(), NO_INPUT);
    }
    let some = world.analysis(&["img.fits", "none.fits"]);
    assert_eq!(some.selection.unmatched.len(), 1, "counts as a failed item");
}

#[test]
fn information_needs_no_input() {
    let world = World::new();
    let text = |words: &[&str]| match world.parse(words) {
        Ok(Command::Information(text)) => text,
        other => panic!("{words:?}: {other:?}"),
    };
    let list = text(&["--list-processes"]);
    assert_eq!(list, text(&["--list-processes", "help"]));
    let names: Vec<&str> = list.lines().map(|l| l.strip_prefix("\t ").unwrap()).collect();
    assert!(names.is_sorted() && names.len() == TABLE.len());
    let verbose = text(&["--list-processes", "--verbose"]);
    assert!(verbose.contains("detector response") && verbose.contains("(simulation only)"), "{verbose}");
    assert!(text(&["--json", "help"]).contains("process.ClusterFinder: finds clusters"));
    assert!(serde_json::from_str::<Value>(&text(&["--json", "schema"])).is_ok());
    let dump = text(&["--dump-config", "--cal", "9.5", "--save-img"]);
    world.file("dumped.json", &dump);
    assert_eq!(text(&["--dump-config", "--json", &world.path("dumped.json")]), dump, "a dump is a configuration");
    assert!(matches!(world.parse(&[]), Ok(Command::Help(_))));
    for word in ["-h", "--help", "--version", "-V"] {
        assert!(matches!(world.parse(&[word]), Ok(Command::Help(_))), "{word}");
    }
    world.file("help", "{}");
    let json = world.path("help");
    assert!(matches!(world.parse(&["img.fits", "--json", &json]), Ok(Command::Analysis(_))));
}

#[test]
fn the_help_has_the_groups_of_the_specification_and_fits_the_terminal() {
    let headings = [
        "*** Options for CLUSTERING ************************** :",
        "*** Options for DQM ************************** :",
        "*** Related to the input data: JSON[input][image] ************************** :",
        "*** Common to all PROCESS ************************** :",
        "*** For Process CalibrationProcess ************************** :",
        "*** For Process CompressSkipperProcess ************************** :",
        "*** For Process PedestalSubtractionProcess ************************** :",
        "*** For Process ChargeLossPlot ************************** :",
        "*** For Process RNvsNskipsPlot (readout noise study) ************************** :",
        "*** For Process FitCalibrationConstant ************************** :",
        "*** For Process FitDarkCurrentProcess ************************** :",
    ];
    for width in [80, 120] {
        for word in ["-h", "--help"] {
            let command = full_command(&surroundings()).term_width(width);
            let help = command.try_get_matches_from(["panaSKImg", word]).unwrap_err().to_string();
            let found: Vec<&str> = help.lines().filter(|l| l.starts_with("***")).collect();
            assert_eq!(found, headings, "{word}");
            // The form of the headings is given, whatever the width.
            for line in help.lines().filter(|l| !l.starts_with("***")) {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
            assert!(help.contains("[in_overscan: true]") && help.contains("Switches the overscan OFF"));
        }
    }
}

/// What this version cannot do is not offered.
#[test]
fn options_of_processes_that_do_not_exist_are_hidden_and_refused() {
    let table = &TABLE[..1];
    let surroundings = Surroundings { table, directory: ".".into(), variable: &|_| None, cores: 1, has_dqm: false };
    let help = full_command(&surroundings).try_get_matches_from(["panaSKImg", "-h"]).unwrap_err().to_string();
    for hidden in ["--n-skips", "--method", "--dqm", "--calL", "ChargeLossPlot"] {
        assert!(!help.contains(hidden), "{hidden}\n{help}");
    }
    let words = |words: &[&str]| {
        std::iter::once("panaSKImg").chain(words.iter().copied()).map(OsString::from).collect::<Vec<_>>()
    };
    let error = |w: &[&str]| parse_in(&surroundings, words(w)).unwrap_err().to_string();
    let only = ["x", "-s", table[0].name, "--method", "mean"];
    assert!(
        error(&only).contains("--method: this version has no process PedestalSubtractionProcess"),
        "{}",
        error(&only)
    );
    assert!(error(&["x", "--dqm"]).contains("no data-quality monitor"));
    assert!(
        error(&["x", "--image-HR", "y"]).contains("no data-quality monitor")
            || error(&["x", "--image-HR", "y"]).contains("does not have")
    );
}

#[test]
fn the_monitor_takes_its_options_and_falls_back_on_the_environment() {
    let mut world = World::new();
    let dqm = |world: &World, words: &[&str]| match world.parse(words) {
        Ok(Command::Dqm(options)) => *options,
        other => panic!("{words:?}: {other:?}"),
    };
    world.file("a.json", "{}");
    world.file("b.pkl", "");
    for (option, values) in MONITOR {
        let words: Vec<&str> = ["img.fits", option].into_iter().chain(values.iter().copied()).collect();
        assert!(world.error(&words).starts_with(option), "{option}");
        let all: Vec<&str> = words.iter().copied().chain(["--dqm", "--run", "59", "--dqm-data-dir", "."]).collect();
        match (world.parse(&all), *option) {
            (Ok(Command::Dqm(options)), _) => assert_eq!(options.run, Some(59), "{option}"),
            (Ok(Command::DqmMerge(_)), "--dqm-merge")
            | (Ok(Command::DqmTrend(_)), "--dqm-trend")
            | (Ok(Command::DqmEvolution(_)), "--dqm-evolution") => {}
            (other, _) => panic!("{option}: {other:?}"),
        }
    }
    assert!(world.error(&["img.fits", "--dqm", "--run", "59"]).contains("DQM_DATA_DIR"));
    assert!(world.error(&["img.fits", "--dqm", "--dqm-data-dir", "."]).contains("DQM_RUN"));
    std::fs::create_dir(world.folder.path().join("Run_59")).unwrap();
    world.file("Run_59/Image_1.fits", "");
    world.variables = BTreeMap::from([
        ("DQM_DATA_DIR", "Run_59".into()),
        ("DQM_RUN", "58".into()),
        ("DQM_OUT_DIR", "out".into()),
        ("DQM_MONGO_URI", "mongodb://x".into()),
    ]);
    let o = dqm(&world, &["--dqm", "Image*fits"]);
    assert_eq!(o.chain.selection.files.len(), 1, "patterns are relative to the data directory");
    assert_eq!((o.run, o.chain.output.to_str(), o.mongo_uri.as_deref()), (Some(58), Some("out"), Some("mongodb://x")));
    let o = dqm(&world, &["--dqm", "img*", "--run", "59", "-o", ".", "--dqm-data-dir", ".", "--mongo-uri", "y"]);
    assert_eq!((o.run, o.chain.output.to_str(), o.mongo_uri.as_deref()), (Some(59), Some("."), Some("y")));
    world.variables.insert("DQM_RUN", "many".into());
    assert!(world.error(&["--dqm", "Image*fits"]).contains("DQM_RUN=many: not a run number"));
}

#[test]
fn tools_are_called_by_their_exact_names() {
    let world = World::new();
    assert!(
        matches!(world.parse(&["completions", "bash"]), Ok(Command::Subcommand(tool, words)) if tool.name == "completions" && words == ["bash"])
    );
    assert!(matches!(world.parse(&["man"]), Ok(Command::Subcommand(..))));
    assert!(world.error(&["complete"]).contains("no input file"), "no abbreviations");
    world.file("man", "");
    assert!(matches!(world.parse(&["man"]), Ok(Command::Analysis(_))), "an existing file is an INFILE");
    for tool in subcommand::SUBCOMMANDS {
        (tool.command)().debug_assert();
        assert_eq!(tools_called(tool.name), 1, "{}", tool.name);
    }
    full_command(&surroundings()).debug_assert();
}

/// How many tools answer to a name.
fn tools_called(name: &str) -> usize {
    subcommand::SUBCOMMANDS.iter().filter(|s| s.name == name || s.old_names.contains(&name)).count()
}
