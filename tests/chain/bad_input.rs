//! Input that is not as it should be: one clear sentence, the right exit code, nothing half-written, the rest is done.

use std::path::{Path, PathBuf};

use super::support::*;

const MEDIAN_CHAIN: &str =
    "CompressSkipperProcess,PedestalSubtractionProcess,CalibrationProcess,ClusterFinder,BuildClusterMask";

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn run(&self, more: &[&str], inputs: &[&Path]) -> Run {
        let out = self.out();
        let mut arguments: Vec<String> = ["--method", "median", "-s", MEDIAN_CHAIN, "-o"].map(String::from).to_vec();
        arguments.push(out.display().to_string());
        arguments.extend(more.iter().map(|s| (*s).to_owned()));
        arguments.extend(inputs.iter().map(|p| p.display().to_string()));
        run(&arguments)
    }

    /// The run fails for this input with a sentence that holds all `words`, and writes nothing for it.
    fn fails(&self, name: &str, bytes: &[u8], words: &[&str]) {
        let path = self.file(name, bytes);
        let run = self.run(&[], &[&path]);
        let text = format!("{}{}", run.out, run.err);
        assert_eq!(run.code, 1, "{name}: {text}");
        for word in words.iter().chain([&name]) {
            assert!(text.contains(word), "{name}: `{word}` is missing in\n{text}");
        }
        assert!(!text.contains("panicked") && !text.contains("internal error"), "{text}");
        assert_eq!(files(&self.out()), Vec::<String>::new(), "{name}: nothing is written");
        let sentence = run.err.lines().filter(|l| l.starts_with("[error]")).count();
        assert_eq!(sentence, 1, "{name}: one error line\n{}", run.err);
    }
}

/// A raw image of 6 rows × 10 columns × 4 skips, like a quiet CCD with one bright pixel.
fn raw_image(cards: &[(&str, &str)]) -> Vec<u8> {
    let pixel = |row: usize, col: usize, skip: usize| {
        let noise = [(3, 1), (0, 4), (2, 2), (1, 0)][(row + 2 * col + skip) % 4];
        let charge = if (row, col) == (3, 4) { 900 } else { 0 };
        1000 + noise.0 - noise.1 + charge + (row as i32)
    };
    let samples = (0..6).flat_map(|r| (0..10).flat_map(move |c| (0..4).map(move |k| pixel(r, c, k))));
    fits(32, 40, 6, cards, &integers(samples))
}

#[test]
fn the_raw_image_itself_is_fine() {
    let bench = Bench::new();
    let path = bench.file("good.fits", &raw_image(&[("NDCMS", "4")]));
    let run = bench.run(&[], &[&path]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    assert_eq!(
        files(&bench.out()),
        ["good_EXT0_summary.json", "good_EXT0_waders.fits", "panaSKImg_clustersRec_good_ext0.root"]
    );
    assert!(run.out.contains("1 ok, 0 failed"), "{}", run.out);
}

#[test]
fn files_that_are_no_images() {
    let bench = Bench::new();
    bench.fails("text.fits", b"this is not a FITS file at all", &["not a FITS file"]);
    bench.fails("empty.fits", b"", &["not a FITS file"]);
    let mut no_axes = raw_image(&[]);
    no_axes[160..240].copy_from_slice(card("NAXIS", "0").as_bytes());
    bench.fails("no_image.fits", &no_axes[..2880], &["image"]);
}

#[test]
fn truncated_at_every_tenth_of_its_length() {
    let bench = Bench::new();
    let whole = raw_image(&[("NDCMS", "4")]);
    // One block of header and one of data, of which the pixels fill a third: only padding is lost from 7 tenths on.
    for tenth in 1..=6 {
        bench.fails(&format!("cut{tenth}.fits"), &whole[..whole.len() * tenth / 10], &[]);
    }
    // A file of four extensions: those that are complete are done, the others fail, and nothing is padded.
    let Some(data) = data() else { return };
    let real = std::fs::read(data.join("avg_Image_5_Low_Temp_109_20250807_170213_15.fz")).unwrap();
    for tenth in 1..10 {
        let bench = Bench::new();
        let path = bench.file("real.fz", &real[..real.len() * tenth / 10]);
        let run = bench.run(&[], &[&path]);
        assert_eq!(run.code, 1, "{}{}", run.out, run.err);
        assert!(run.err.contains("truncated in the") && !run.err.contains("internal error"), "{}", run.err);
        let done = run.out.lines().filter(|l| l.starts_with("OK")).count();
        assert_eq!(files(&bench.out()).len(), 3 * done, "three complete files for each extension that is done");
        assert!(done < 4);
    }
}

#[test]
fn absurd_axes() {
    let bench = Bench::new();
    for (name, axis, value) in [
        ("negative", 0, "-40"),
        ("huge", 0, "9223372036854775807"),
        ("overflow", 0, "99999999999999999999999"),
        ("large", 0, "4000000000"),
        ("zero", 0, "0"),
        ("rows", 1, "-6"),
        ("text", 0, "'forty'"),
    ] {
        let mut bytes = raw_image(&[("NDCMS", "4")]);
        let at = 240 + 80 * axis;
        bytes[at..at + 80].copy_from_slice(card(["NAXIS1", "NAXIS2"][axis], value).as_bytes());
        bench.fails(&format!("{name}.fits"), &bytes, &[]);
    }
}

#[test]
fn wrong_numbers_of_skips() {
    let bench = Bench::new();
    for (name, value) in [("zero", "0"), ("negative", "-4"), ("fraction", "2.5"), ("word", "'many'")] {
        bench.fails(&format!("{name}.fits"), &raw_image(&[("NDCMS", value)]), &["NDCMS"]);
    }
    // 7 does not divide 40: the image cannot be cut into pixels, so it is taken as averaged, with a warning.
    let path = bench.file("seven.fits", &raw_image(&[("NDCMS", "7")]));
    let run = bench.run(&[], &[&path]);
    assert!(run.err.contains("[warning]"), "{}", run.err);
}

#[test]
fn images_without_information() {
    let bench = Bench::new();
    let nan = fits(-64, 10, 6, &[("NDCMS", "1")], &doubles([f64::NAN; 60]));
    bench.fails("nan.fits", &nan, &["finite"]);
    let constant = bench.file("constant.fits", &fits(-64, 10, 6, &[("NDCMS", "1")], &doubles([7.0; 60])));
    for method in ["median", "mean", "gauss_fit", "gauss_fit_window"] {
        let run = bench.run(&["--method", method], &[&constant]);
        assert!(run.code == 0 || run.code == 1, "{method}: {}{}", run.out, run.err);
        assert!(!run.err.contains("internal error"), "{}", run.err);
    }
    let run =
        bench.run(&["-s", "CompressSkipperProcess,PedestalSubtractionProcess,FitDarkCurrentProcess"], &[&constant]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
}

#[test]
fn extensions_and_overscans_that_do_not_exist() {
    let bench = Bench::new();
    let path = bench.file("good.fits", &raw_image(&[("NDCMS", "4")]));
    let run_1 = bench.run(&["-e", "3"], &[&path]);
    assert_eq!(run_1.code, 1, "{}{}", run_1.out, run_1.err);
    assert!(run_1.err.contains("HDU 3"), "{}", run_1.err);
    // No overscan is configured: the pedestal comes from the active region, with a warning.
    let run_2 = bench.run(&[], &[&path]);
    assert_eq!(run_2.code, 0);
    assert!(run_2.err.contains("overscan"), "{}", run_2.err);
}

#[test]
fn configurations_that_cannot_be_used() {
    let bench = Bench::new();
    let image = bench.file("good.fits", &raw_image(&[("NDCMS", "4")]));
    for (name, text, words) in [
        ("syntax.json", "{\"process\": {", &["syntax.json:1", "not valid JSON"][..]),
        (
            "key.json",
            r#"{"process": {"ClusterFinder": {"max_neigbor": 1}}}"#,
            &["process.ClusterFinder.max_neigbor", "max_nearest_neighbor"],
        ),
        ("input.json", r#"{"input": {"image": {"extension": 1}}}"#, &["input.image.extension", "extensions"]),
        (
            "type.json",
            r#"{"process": {"ClusterFinder": {"method": "zero"}}}"#,
            &["process.ClusterFinder.method", "zero"],
        ),
        ("name.json", r#"{"process": {"sequence": "ClusterFider"}}"#, &["ClusterFider", "ClusterFinder"]),
    ] {
        let config = bench.file(name, text.as_bytes());
        let out = bench.out();
        let run = run(&["--json", config.to_str().unwrap(), "-o", out.to_str().unwrap(), image.to_str().unwrap()]);
        assert_eq!(run.code, 2, "{name}: {}{}", run.out, run.err);
        for word in words {
            assert!(run.err.contains(word), "{name}: `{word}` is missing in\n{}", run.err);
        }
        assert_eq!(files(&out), Vec::<String>::new());
    }
    let missing = run(&["--json", "/nowhere/x.json", image.to_str().unwrap()]);
    assert_eq!(missing.code, 2);
    assert!(missing.err.contains("/nowhere/x.json"));
}

#[test]
fn a_batch_survives_its_worst_files() {
    let bench = Bench::new();
    let good: Vec<PathBuf> =
        (0..6).map(|i| bench.file(&format!("good{i}.fits"), &raw_image(&[("NDCMS", "4")]))).collect();
    let bad = [bench.file("bad_text.fits", b"no"), bench.file("bad_cut.fits", &raw_image(&[("NDCMS", "4")])[..3000])];
    let missing = bench.folder.path().join("missing.fits");
    let mut inputs: Vec<&Path> = good.iter().map(PathBuf::as_path).collect();
    inputs.extend(bad.iter().map(PathBuf::as_path));
    inputs.push(&missing);
    let run = bench.run(&["--ncpus", "2"], &inputs);
    assert_eq!(run.code, 1, "{}{}", run.out, run.err);
    assert!(run.out.contains("6 ok, 3 failed"), "{}", run.out);
    for name in ["bad_text.fits", "bad_cut.fits", "missing.fits"] {
        assert!(run.out.lines().any(|l| l.starts_with("FAILED") && l.contains(name)), "{name}\n{}", run.out);
    }
    assert_eq!(files(&bench.out()).len(), 6 * 3);
}

#[test]
fn no_input_is_exit_code_3() {
    let bench = Bench::new();
    let nothing = bench.folder.path().join("nothing*.fits");
    assert_eq!(bench.run(&[], &[&nothing]).code, 3);
    let path = bench.file("good.fits", &raw_image(&[("NDCMS", "4")]));
    assert_eq!(bench.run(&["--skip", "good", "--"], &[&path]).code, 3);
}

#[test]
fn two_inputs_must_not_write_the_same_files() {
    let bench = Bench::new();
    std::fs::create_dir_all(bench.folder.path().join("a")).unwrap();
    let first = bench.file("same.fits", &raw_image(&[("NDCMS", "4")]));
    let second = bench.file("a/same.fits", &raw_image(&[("NDCMS", "4")]));
    let run = bench.run(&[], &[&first, &second]);
    assert_eq!(run.code, 2, "{}{}", run.out, run.err);
    assert!(run.err.contains("a/same.fits") && run.err.contains("same output"), "{}", run.err);
}
