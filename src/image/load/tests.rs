//! Loading: the real image, and synthetic files for every rule of spec 01 §4.

use super::*;
use crate::fits::test_files::{REAL, test_data};
use crate::image::Level;

fn load_with(path: &Path, hdus: &[usize], config: &InputConfig, options: &RunOptions) -> Result<RawData, ImageError> {
    let input = FitsInput::open(path).unwrap();
    load(&input, hdus, &LoadOptions { config, options, position: 0 })
}

#[test]
fn the_real_image_loads_with_the_default_configuration() {
    let Some(path) = test_data(REAL) else { return };
    let config = InputConfig::default();
    let input = FitsInput::open(&path).unwrap();
    assert_eq!(data_hdus(&input, &config).unwrap(), [1, 2, 3, 4]);
    let raw = load_with(&path, &[1], &config, &RunOptions::default()).unwrap();
    assert_eq!((raw.rows, raw.cols, raw.nskips, raw.ndcm), (320, 640, 1, 500));
    assert_eq!(raw.skip_keyword, "NDCM");
    assert_eq!(raw.amplifiers.len(), 1);
    assert_eq!(raw.amplifiers[0].name, "EXT1");
    assert_eq!(raw.amplifiers[0].aliases, ["CCD_A", "A"]);
    assert_eq!(raw.amplifiers[0].active.len(), 320 * 640);
    assert!(raw.amplifiers[0].overscan.is_empty());
    assert_eq!(raw.images["mean_compressed"][[0, 0]], -36.22634451614114);
    assert_eq!(raw.image("raw").unwrap(), &raw.images["mean_compressed"]);
    assert_eq!(raw.numbers, super::super::raw_data::Numbers { run: 0, image: 15, ccd: 109 });
    // spec 01 §4.11
    let times = raw.times;
    assert_eq!(times.exposure_start, 1754586133.624482);
    assert_eq!(times.readout_end, 1754590403.968173);
    assert_eq!(times.exposure, 500.0);
    // differences of POSIX seconds carry their rounding, 2⁻²² s
    assert!((times.readout - 4270.343691).abs() < 3e-7, "{}", times.readout);
    assert!((times.total() - 4770.343691).abs() < 3e-7);
    assert_eq!(raw.header.text("EXTNAME").as_deref(), Some("CCD_A"));
    assert_eq!(raw.header.integer("ACMID"), Some(109));
    assert!(!raw.report.log.iter().any(|r| r.level == Level::Warning), "{:?}", raw.report.log);
}
