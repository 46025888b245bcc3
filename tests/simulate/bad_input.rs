//! Impossible requests: a clear message, exit code 2, nothing written.

use super::support::*;

#[test]
fn impossible_parameters_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (setting, text) in [
        ("noise.sigma1=-1", "noise.sigma1 = -1 must be from 0"),
        ("skips=0", "skips = 0 must be at least 1"),
        ("skips=-3", "skips = -3"),
        ("skips=1e400", "skips"),
        ("rows=99999999999999999999", "rows"),
        ("gain=0", "gain = 0 must be from"),
        ("gian=3", "unknown field `gian`"),
        ("noise.sigma=3", "noise.sigma = 3: unknown field `sigma`"),
        ("noise=3", "noise = 3"),
        ("layout=quad", "layout = \"quad\""),
        (
            r#"hot_pixels=[{"row": 100, "col": 3}]"#,
            "pixel [100, 3] does not lie in the image of 100 rows and 250 columns",
        ),
        (r#"traps=[{"row": 1, "col": 3, "size": 2, "release": 1.5}]"#, "traps: release = 1.5 must be from 0.0 to 1.0"),
        ("amplifier_light.length=0", "amplifier_light.length = 0 must be from"),
        (r#"hot_cols=[{"col": 250}]"#, "column 250 with width 1 does not lie in the image of 250 columns"),
        (
            r#"sources=[{"type": "pixels", "list": [[100, 0, 5]]}]"#,
            "sources[0]: list: [100, 0, 5] lies outside the image",
        ),
        (
            r#"sources=[{"type": "muon", "n": 1, "region": {"row_min": 50, "row_max": 100}}]"#,
            "rows 50 to 100 do not lie in the CCD",
        ),
        ("dark_current=-1", "dark_current = -1"),
        ("charge_loss=2", "charge_loss = 2 must be from 0"),
        ("start_time=noon", "noon"),
    ] {
        let run = run(dir.path(), &["simulate", "--set", setting, "-o", "x.fits"]);
        assert_eq!(run.code, 2, "{setting}: {run:?}");
        assert!(run.err.contains(text), "{setting}: `{text}` not in {}", run.err);
        assert!(files(dir.path()).is_empty(), "{setting} left {:?}", files(dir.path()));
    }
}

#[test]
fn files_that_cannot_be_read_or_written_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("c.json");
    for (content, text) in [
        ("{", "EOF while parsing"),
        ("[1]", "there is no object `simulate`"),
        ("{\"process\": {}}", "there is no object `simulate`"),
        ("{\"simulate\": 3}", "`simulate` must be an object"),
        ("{\"simulate\": {\"skips\": \"ten\"}}", "skips = \"ten\""),
    ] {
        std::fs::write(&config, content).unwrap();
        let run = run(dir.path(), &["simulate", "-j", "c.json", "-o", "x.fits"]);
        assert_eq!(run.code, 2, "{content}: {run:?}");
        assert!(run.err.contains(text), "{content}: {}", run.err);
    }
    let missing = run(dir.path(), &["simulate", "-j", "nowhere.json"]);
    assert_eq!(missing.code, 2);
    assert!(missing.err.contains("nowhere.json"), "{}", missing.err);
    // c.json is a file: no folder can be made in its place
    let blocked = run(dir.path(), &["simulate", "--set", "rows=2", "-o", "c.json/x.fits"]);
    assert_eq!(blocked.code, 1, "{blocked:?}");
    assert!(blocked.err.contains("c.json"), "{}", blocked.err);
    let acm = run(dir.path(), &["simulate", "--preset", "acm", "--embed-truth", "-o", "x.fits"]);
    assert_eq!(acm.code, 2);
    assert_eq!(files(dir.path()), ["c.json"]);
    assert_eq!(run(dir.path(), &["simulate", "--preset", "huge"]).code, 2);
}
