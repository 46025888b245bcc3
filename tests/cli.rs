//! The command line seen from outside: exit codes, what goes to stdout and to stderr, messages (spec 01 §§1, 7.1).

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str, content: &str) -> &Self {
        std::fs::write(self.folder.path().join(name), content).unwrap();
        self
    }

    fn run(&self, words: &[&str]) -> Said {
        let mut command = Command::cargo_bin("panaSKImg").unwrap();
        command.current_dir(self.folder.path()).env("COLUMNS", "100").env_remove("NO_COLOR");
        for variable in ["DQM_DATA_DIR", "DQM_OUT_DIR", "DQM_RUN"] {
            command.env_remove(variable);
        }
        let Output { status, stdout, stderr } = command.args(words).output().unwrap();
        Said {
            code: status.code().expect("an exit code"),
            out: String::from_utf8(stdout).unwrap(),
            err: String::from_utf8(stderr).unwrap(),
        }
    }
}

#[derive(Debug)]
struct Said {
    code: i32,
    out: String,
    err: String,
}

#[test]
fn informational_modes_need_no_input_and_speak_on_stdout() {
    let place = Place::new();
    for (words, expected) in [
        (&[][..], "Usage: panaSKImg [options] INFILE"),
        (&["-h"], "*** For Process PedestalSubtractionProcess ************************** :"),
        (&["-h"], "Tools (panaSKImg TOOL --help):"),
        (&["--help"], "Exit code: 0 done"),
        (&["--version"], "panaSKImg "),
        (&["--list-processes"], "\t CalibrationProcess\n"),
        (&["--list-processes", "help"], "\t CalibrationProcess\n"),
        (&["--list-process"], "\t CalibrationProcess\n"),
        (&["--list-processes", "--verbose"], "(simulation only)"),
        (&["--json", "help"], "process.CalibrationProcess: "),
        (&["--json", "schema"], "\"$schema\""),
        (&["--dump-config"], "\"sequence\": \"CompressSkipperProcess;"),
        (&["completions", "bash"], "_panaSKImg"),
        (&["man"], ".TH panaSKImg"),
    ] {
        let said = place.run(words);
        assert_eq!(said.code, 0, "{words:?}: {said:?}");
        assert!(said.out.contains(expected), "{words:?}: {said:?}");
        assert_eq!(said.err, "", "{words:?}");
        assert!(said.out.ends_with('\n'), "{words:?}: the prompt of the shell begins a line");
        assert!(!said.out.contains('\x1b'), "{words:?}: no colours outside a terminal");
    }
}

/// The error table, as far as the command line and the configuration are concerned.
#[test]
fn wrong_usage_has_exit_code_2_and_names_what_is_wrong() {
    let place = Place::new();
    place
        .file("img.fits", "")
        .file(
            "key.json",
            "{\n\"process\": {\"sequence\": \"ClusterFinder\",\n\"ClusterFinder\": {\"max_neigbor\": 2}}}",
        )
        .file("type.json", "{\"input\": {\"image\": {\"n_amp\": 4}}}")
        .file("syntax.json", "{\n  \"input\": {},\n}\n")
        .file("empty.json", "{\"process\": {\"sequence\": \"\"}}")
        .file("order.json", "{\"process\": {\"sequence\": \"BuildClusterMask;ClusterFinder\"}}")
        .file("simulation.json", "{\"detector_response\": {}}")
        .file("output", "a file, not a directory");
    let cases: &[(&[&str], &[&str])] = &[
        (&["--bz2"], &["error: no INFILE is given"]),
        (&["--skip", "_598", "img.fits"], &["--skip takes all words", "--skip _598 -- img.fits"]),
        (&["img.fits", "--unknwon"], &["'--unknwon'"]),
        (&["img.fits", "--verbos", "--ncpu", "x"], &["--ncpus", "'x'"]),
        (&["img.fits", "-o", "output"], &["error: output: the output directory cannot be used"]),
        (&["img.fits", "--skip", "none.txt"], &["none.txt", "cannot be read"]),
        (&["img.fits", "--json", "none.json"], &["error: none.json: the configuration file cannot be read"]),
        (
            &["img.fits", "--json", "syntax.json"],
            &["error: syntax.json:3: not valid JSON", "column 1", "remove the comma"],
        ),
        (
            &["img.fits", "--json", "key.json"],
            &[
                "error: key.json:3: process.ClusterFinder.max_neigbor: unknown key; did you mean `max_nearest_neighbor`?",
            ],
        ),
        (
            &["img.fits", "--json", "type.json"],
            &["error: type.json:1: input.image.n_amp: found 4; expected an integer 1 or 2"],
        ),
        (&["img.fits", "--json", "empty.json"], &["the sequence is empty", "CompressSkipperProcess"]),
        (&["img.fits", "--json", "order.json"], &["`BuildClusterMask` stands before `ClusterFinder`"]),
        (&["img.fits", "--json", "simulation.json"], &["detector_response", "panaSKImg response"]),
        (&["img.fits", "-s", "Diffusion"], &["`Diffusion` acts on simulated hits", "response", "simulate"]),
        (&["img.fits", "-s", "CreateFitsImage"], &["--save-img"]),
        (&["img.fits", "-s", "Nothing"], &["unknown process `Nothing`", "ClusterFinder"]),
        (&["img.fits", "--method", "meen"], &["error: --method: found \"meen\"; expected"]),
        (&["img.fits", "--do-calibration"], &["--calibration"]),
        (&["completions", "nosuchshell"], &["nosuchshell"]),
    ];
    for (words, expected) in cases {
        let said = place.run(words);
        assert_eq!(said.code, 2, "{words:?}: {said:?}");
        assert_eq!(said.out, "", "{words:?}: errors go to stderr");
        for text in *expected {
            assert!(said.err.contains(text), "{words:?}: {text}\n{}", said.err);
        }
        assert!(!said.err.contains("panicked"), "{words:?}: {}", said.err);
    }
}

#[test]
fn no_input_has_exit_code_3() {
    let place = Place::new();
    place.file("img.fits", "");
    for words in [&["nothing*.fits"][..], &["none.fits"], &["*.fits", "--skip", "img"]] {
        let said = place.run(words);
        assert_eq!(said.code, 3, "{words:?}: {said:?}");
        assert!(said.err.starts_with("error: no input file: "), "{}", said.err);
    }
}

#[test]
fn lenient_lets_unknown_keys_pass_with_a_warning() {
    let place = Place::new();
    place.file("key.json", "{\"process\": {\"ClusterFinder\": {\"max_neigbor\": 2}}}");
    let strict = place.run(&["--dump-config", "--json", "key.json"]);
    assert_eq!(strict.code, 2, "{strict:?}");
    let lenient = place.run(&["--dump-config", "--json", "key.json", "--lenient"]);
    assert_eq!(lenient.code, 0, "{lenient:?}");
    assert!(lenient.err.starts_with("warning: key.json:1: process.ClusterFinder.max_neigbor"), "{}", lenient.err);
}

#[test]
fn a_dumped_configuration_is_a_configuration() {
    let place = Place::new();
    let first = place.run(&["--dump-config", "--skip-start", "3", "--calL", "7", "--save-plots", "--axis", "none"]);
    place.file("dump.json", &first.out);
    let second = place.run(&["--dump-config", "--json", "dump.json"]);
    assert_eq!((second.code, second.err.as_str()), (0, ""));
    assert_eq!(second.out, first.out);
}

/// The binary under another name: a link, as an installation would make it.
#[cfg(unix)]
#[test]
fn called_as_dqmskimg_it_is_the_monitor() {
    let place = Place::new();
    let link = place.folder.path().join("dqmSKImg");
    std::os::unix::fs::symlink(Path::new(env!("CARGO_BIN_EXE_panaSKImg")), &link).unwrap();
    let output = std::process::Command::new(&link).arg("*.fits").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--dqm"));
}
