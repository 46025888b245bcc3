//! The same configuration and seed give the same bytes, with any number of threads.

use super::support::*;

/// Everything that is random or tied from row to row.
const EVERYTHING: [&str; 18] = [
    "layout=dual",
    "rows=90",
    "skips=30",
    "noise.flicker=2",
    r#"noise.lines=[{"freq": 60, "amplitude": 2, "phase": "random"}]"#,
    "pedestal.row_rms=3",
    "pedestal.col_rms=2",
    "dark_current=20000",
    "t_exp=1",
    "spurious=0.1",
    "charge_loss=0.001",
    "cti_h=0.001",
    "cti_v=0.002",
    "crosstalk=0.01",
    "full_well=20000",
    r#"hot_cols=[{"col": 30, "lambda": 5}]"#,
    "apply_pcc=true",
    r#"sources=[{"type": "fe55", "rate": 30}, {"type": "muon", "rate": 5, "phase": "both", "straggling": "moyal"}]"#,
];

#[test]
fn bytes_do_not_depend_on_the_number_of_threads() {
    let dir = tempfile::tempdir().unwrap();
    let make = |threads: &str, name: &str| {
        let folder = dir.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        simulate(
            &folder,
            &EVERYTHING,
            &["--embed-truth", "--n-images", "2", "--ncpus", threads, "-o", "a.fits", "--g4-out", "g4.root"],
        );
        folder
    };
    let (one, two, five) = (make("1", "one"), make("2", "two"), make("5", "five"));
    let names = files(&one);
    assert_eq!(names.len(), 13, "{names:?}");
    for name in &names {
        let bytes = std::fs::read(one.join(name)).unwrap();
        for other in [&two, &five] {
            assert!(bytes == std::fs::read(other.join(name)).unwrap(), "{name} differs");
        }
    }
    let image = |name: &str| std::fs::read(one.join(name)).unwrap();
    assert_ne!(image("a_1.fits"), image("a_2.fits"));
    let other_seed = make_with_seed(dir.path());
    assert_ne!(image("a_1.fits"), other_seed);
}

fn make_with_seed(folder: &std::path::Path) -> Vec<u8> {
    simulate(folder, &EVERYTHING, &["--embed-truth", "--seed", "9", "-o", "b.fits"]);
    std::fs::read(folder.join("b.fits")).unwrap()
}

/// Switching an effect off leaves the noise of all samples as it was.
#[test]
fn effects_do_not_disturb_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let basic = ["rows=20", "skips=10", "lambda_image=0", "adc_bits=24", "gain=1000", "pedestal.base=1e6"];
    let mut loud = basic.to_vec();
    loud.extend(["pedestal.row_rms=50", "spurious=0.5"]);
    simulate(dir.path(), &basic, &["-o", "quiet.fits"]);
    simulate(dir.path(), &loud, &["-o", "loud.fits"]);
    let read = |name: &str| panaskimg::fits::FitsInput::open(dir.path().join(name)).unwrap().read_image(0).unwrap();
    let (quiet, loud) = (read("quiet.fits"), read("loud.fits"));
    let truth = dir.path().join("loud_truth.fits");
    let (charge, pedestal) = (named_image(&truth, "CHARGE", 0), named_image(&truth, "PEDESTAL", 0));
    assert!(charge.iter().any(|q| *q > 0.0));
    for ((row, sample), value) in loud.indexed_iter() {
        let pixel = [row, sample / 10];
        let expected = quiet[[row, sample]] + 1000.0 * charge[pixel] + pedestal[pixel] - 1e6;
        // both values are rounded, and the true pedestal is a 32-bit float
        assert!((value - expected).abs() <= 1.0 + 0.1, "{row} {sample}: {value} {expected}");
    }
}

/// Nothing in the files tells when or where they were made.
#[test]
fn default_names_carry_the_numbers_and_a_dry_run_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let settings = ["rows=5", "skips=2", "image_id=7", "run_id=12", "ccd_id=103"];
    let plan = simulate(dir.path(), &settings, &["--dry-run"]);
    assert!(files(dir.path()).is_empty());
    for text in
        ["Image_ccd103_Source_12_7.fits", "\"skips\": 2", "5 rows × 250 columns × 2 skips", "noise of one sample 3 e-"]
    {
        assert!(plan.out.contains(text), "`{text}` not in {}", plan.out);
    }
    simulate(dir.path(), &settings, &[]);
    simulate(dir.path(), &settings, &["--n-images", "2"]);
    let names = files(dir.path());
    for name in
        ["Image_ccd103_Source_12_7.fits", "Image_ccd103_Source_12_8.fits", "Image_ccd103_Source_12_8_truth.json"]
    {
        assert!(names.iter().any(|n| n == name), "{name} not in {names:?}");
    }
    let header =
        panaskimg::fits::FitsInput::open(dir.path().join("Image_ccd103_Source_12_8.fits")).unwrap().header(0).unwrap();
    assert_eq!(
        [header.integer("SIMIMG"), header.integer("SIMRUN"), header.integer("SIMCCD"), header.integer("NDCMS")],
        [Some(8), Some(12), Some(103), Some(2)]
    );
}
