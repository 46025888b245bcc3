//! Files for the tests: the real image where it is available.

use std::path::PathBuf;

/// A file of the test data (`PANASKIMG_TEST_DATA`, else `../shared/data`); `None`, said aloud, when it is absent.
pub(crate) fn test_data(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("PANASKIMG_TEST_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let path = root.join(name);
    if !path.exists() {
        eprintln!("skipped: no test data {name} (set PANASKIMG_TEST_DATA)");
        return None;
    }
    Some(path)
}

/// A real module image: four tile-compressed extensions of 320 × 640, averaged on board.
pub(crate) const REAL: &str = "avg_Image_5_Low_Temp_109_20250807_170213_15.fz";
