//! A batch of 200 small images with three broken ones among them: any number of threads, killed and resumed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use super::support::*;

const IMAGES: usize = 200;
const BROKEN: [usize; 3] = [17, 101, 188];

/// 12 × 30 pixels of 5 skips; pedestal 1000 ADU, gain 10 ADU/e⁻, and a few pixels of hundreds of electrons.
fn image(number: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(number as u64 + 1);
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as i32
    };
    let (rows, cols, skips) = (12, 30, 5);
    let mut samples = Vec::new();
    for row in 0..rows {
        for col in 0..cols {
            let dark = if col < 20 { 10 * (random() % 3 / 2) } else { 0 };
            let particle = if (5..7).contains(&row) && (8..11).contains(&col) { 3000 } else { 0 };
            samples.extend((0..skips).map(|_| 1000 + row + dark + particle + random() % 5 - 2));
        }
    }
    fits(32, (cols * skips) as usize, rows as usize, &[("NDCM", "5"), ("EXPOSURE", "60")], &integers(samples))
}

struct Batch {
    folder: tempfile::TempDir,
}

impl Batch {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let images = folder.path().join("images");
        std::fs::create_dir(&images).unwrap();
        for number in 0..IMAGES {
            let whole = image(number);
            let bytes = match BROKEN.iter().position(|b| *b == number) {
                Some(0) => whole[..whole.len() / 2].to_vec(),
                Some(1) => b"not an image".to_vec(),
                Some(_) => fits(32, 149, 12, &[("NDCM", "5")], &integers(vec![0; 149 * 12])),
                None => whole,
            };
            std::fs::write(images.join(format!("Image_{number:03}.fits")), bytes).unwrap();
        }
        let config = json!({
            "input": {
                "image": {"skip_image": true, "n_cols_overscan": 10, "n_amp": 1},
                "convention": {"Nskips": "NDCM", "exposure_time": "EXPOSURE"}
            },
            "process": {
                "sequence": "CompressSkipperProcess,PedestalSubtractionProcess,CalibrationProcess,ClusterFinder,\
                             BuildClusterMask",
                "PedestalSubtractionProcess": {"method": "median", "in_overscan": true, "axis": "row"},
                "CalibrationProcess": {"gain": 10},
                "ClusterFinder": {"spr_threshold": [null, 3, 20], "absolute_threshold": 3}
            }
        });
        std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        Self { folder }
    }

    fn out(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn arguments(&self, out: &str, more: &[&str]) -> Vec<String> {
        let path = |name: &str| self.folder.path().join(name).to_string_lossy().into_owned();
        let mut words = vec!["--json".into(), path("config.json"), "--save-img".into(), "-o".into(), path(out)];
        words.extend(more.iter().map(|w| (*w).to_owned()));
        words.push(path("images/Image*.fits"));
        words
    }

    fn run(&self, out: &str, more: &[&str]) -> Run {
        run(&self.arguments(out, more))
    }
}

/// The outputs by name; of summaries without the timings.
fn outputs(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let read = |name: String| {
        let path = folder.join(&name);
        let bytes = if name.ends_with("summary.json") {
            let mut summary = json(&path);
            assert!(summary.as_object_mut().unwrap().remove("timings_s").is_some());
            summary.to_string().into_bytes()
        } else {
            std::fs::read(&path).unwrap()
        };
        (name, bytes)
    };
    files(folder).into_iter().map(read).collect()
}

/// What a run says, without times.
fn said(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("processed ") && !line.contains("output "));
    lines.collect::<Vec<_>>().join("\n")
}

fn assert_same(a: &BTreeMap<String, Vec<u8>>, b: &BTreeMap<String, Vec<u8>>) {
    assert!(a.keys().eq(b.keys()), "the same files");
    for (name, bytes) in a {
        assert!(*bytes == b[name], "{name} differs");
    }
}

#[test]
fn two_hundred_images_with_any_number_of_threads() {
    let batch = Batch::new();
    let (one, two) = (batch.run("one", &["--ncpus", "1"]), batch.run("two", &["--ncpus", "2"]));
    for run in [&one, &two] {
        assert_eq!(run.code, 1, "{}", run.err);
        let last = run.out.lines().last().unwrap();
        assert!(last.starts_with("processed 200 file(s), 200 image(s): 197 ok, 3 failed"), "{last}");
        for number in BROKEN {
            let name = format!("Image_{number:03}.fits");
            assert!(run.out.lines().any(|l| l.starts_with("FAILED") && l.contains(&name)), "{name}");
            assert!(run.err.lines().any(|l| l.starts_with("[error]") && l.contains(&name)), "{name}");
        }
        assert!(!run.err.contains('\r') && !run.err.contains('\x1b'), "no progress bar without a terminal");
    }
    assert_eq!(said(&one.out), said(&two.out), "results in the same order");
    assert_eq!(said(&one.err), said(&two.err));
    let results = outputs(&batch.out("one"));
    assert_eq!(results.keys().filter(|n| n.ends_with("_summary.json")).count(), 197);
    assert_eq!(results.keys().filter(|n| n.ends_with(".root")).count(), 197);
    assert_same(&results, &outputs(&batch.out("two")));
}

#[test]
fn a_batch_that_was_killed_is_resumed() {
    let batch = Batch::new();
    let whole = batch.run("whole", &[]);
    assert_eq!(whole.code, 1, "{}", whole.err);
    let summaries = || files(&batch.out("killed")).iter().filter(|n| n.ends_with("_summary.json")).count();
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("panaSKImg"))
        .args(batch.arguments("killed", &["--ncpus", "1"]))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while summaries() < 20 && start.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let done = summaries();
    assert!((20..197).contains(&done), "killed in the middle: {done} of 197 done");
    // what a process that is killed while it writes leaves behind
    std::fs::write(batch.out("killed").join(".Image_150_EXT0_waders.fits.4194999-7.tmp"), "half").unwrap();
    let resumed = batch.run("killed", &["--resume"]);
    assert_eq!(resumed.code, 1, "{}", resumed.err);
    let up_to_date = resumed.out.lines().filter(|l| l.contains("up to date")).count();
    // one line more: the totals
    assert!((done..=done + 2).contains(&up_to_date), "{up_to_date} lines, {done} were done");
    assert_same(&outputs(&batch.out("whole")), &outputs(&batch.out("killed")));

    // a file that is missing, an input that changed, another configuration: done again
    std::fs::remove_file(batch.out("killed").join("Image_003_EXT0_waders.fits")).unwrap();
    std::fs::write(batch.folder.path().join("images/Image_004.fits"), image(999)).unwrap();
    let again = batch.run("killed", &["--resume"]);
    assert!(again.out.contains(": 2 ok, 195 up to date, 3 failed"), "{}", again.out);
    let other = batch.run("killed", &["--resume", "--seed", "5"]);
    assert!(other.out.contains(": 197 ok, 3 failed"), "{}", other.out);
}

#[cfg(unix)]
#[test]
fn a_batch_that_is_interrupted_says_what_was_done_and_leaves_nothing_half_written() {
    for signal in ["INT", "TERM"] {
        let batch = Batch::new();
        let child = Command::new(assert_cmd::cargo::cargo_bin("panaSKImg"))
            .args(batch.arguments("out", &["--ncpus", "1"]))
            .env("NO_COLOR", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = batch.out("out");
        let start = Instant::now();
        let summaries = || files(&out).iter().filter(|n| n.ends_with("_summary.json")).count();
        while summaries() < 5 && start.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let sent = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(130), "{signal}: {text}");
        let last = text.lines().last().unwrap();
        assert!(last.contains("; interrupted, ") && last.ends_with("go on with --resume"), "{last}");
        let ok = text.lines().filter(|l| l.starts_with("OK ")).count();
        assert!((5..197).contains(&ok), "{ok}");
        let names = files(&out);
        assert_eq!(names.iter().filter(|n| n.ends_with("_summary.json")).count(), ok, "what it says is what is there");
        assert!(!names.iter().any(|n| n.ends_with(".tmp")), "{names:?}");
        // every image with an output has all of them
        assert_eq!(names.iter().filter(|n| n.ends_with("_waders.fits")).count(), ok);
        assert_eq!(names.iter().filter(|n| n.ends_with(".root")).count(), ok);
    }
}
