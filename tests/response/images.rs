//! FITS images of the response: many events in one image, clusters pasted on blanks.

use ndarray::Array2;
use panaskimg::fits::{Card, FitsInput, FitsWriter, Header};
use serde_json::json;

use super::support::*;

fn events() -> Vec<Vec<Deposit>> {
    (0..5).map(|i| vec![(1, 0.3 + 0.03 * f64::from(i), 0.15, 0.3, 374.0, 0.0, 11)]).collect()
}

/// Five events, two per image: three files, and the header says what was simulated.
#[test]
fn events_are_collected_in_images() {
    let dir = tempfile::tempdir().unwrap();
    geant4(&dir.path().join("g4.root"), &events(), "");
    configure(
        dir.path(),
        json!({"detector_response": {"PixelizeSignal": {"active": 1}, "ElectronicNoise": {"active": 1, "sigma": 0.0, "pedestal": 3.0, "mode": "full-image"},
            "DarkCurrent": {"active": 1, "darkcurrent": 0.0, "exp_time": 0.5}},
            "reconstruction": {"CreateFitsImage": {"active": 1, "n_events": 2}},
            "CF": {"ccd_shape": [20, 40], "n_cols_prescan": 2, "ADC2eV": 0.374, "e2eV": 3.74}}),
    );
    let made = run(dir.path(), &["response", "c.json", "--g4file", "g4.root", "--tag", "t"]);
    assert_eq!(made.code, 0, "{made:?}");
    for (image, n) in [(1, 2), (2, 2), (3, 1)] {
        let input = FitsInput::open(dir.path().join(format!("out_simulCCDimg_t_g4_image_{image}.fits"))).unwrap();
        let pixels = input.read_image(0).unwrap();
        assert_eq!(pixels.dim(), (20, 42));
        // pedestal of 3 e⁻ = 30 ADU; each event adds 1000 ADU
        let signal: f64 = pixels.iter().map(|p| p - 30.0).sum();
        assert!((signal - 1000.0 * f64::from(n)).abs() < 0.1, "{signal}");
        let header = input.header(0).unwrap();
        assert_eq!(header.text("SIMS").as_deref(), Some("T"));
        assert_eq!(header.text("INFILE").as_deref(), Some("g4.root"));
        assert_eq!(
            [header.number("PED"), header.number("TEXP"), header.number("NDCMS")],
            [Some(3.0), Some(43200.0), Some(1.0)]
        );
    }
}

/// Pasted clusters keep their charge; the truth extensions say what was pasted where.
#[test]
fn clusters_are_pasted_on_blank_images() {
    let dir = tempfile::tempdir().unwrap();
    geant4(&dir.path().join("g4.root"), &events(), "");
    std::fs::create_dir(dir.path().join("made")).unwrap();
    for i in 0..2 {
        let mut header = Header::new();
        header.push(Card::new("RUNID", 40 + i, ""));
        let mut writer = FitsWriter::new();
        writer.push(header, std::borrow::Cow::Owned(Array2::from_elem((30, 50), 100.0 * f64::from(i + 1))));
        writer.write(&dir.path().join(format!("blank_{i}.fits")), false).unwrap();
    }
    configure(
        dir.path(),
        json!({"detector_response": {"PixelizeSignal": {"active": 1},
            "PasteClusterProcess": {"active": 1, "blank_dir": "blank_*.fits", "blank_outdir": "made", "clusters_per_blank": 2,
                "row_cls_dist_fx": "linear", "calibration": 5.0, "random_image_start": 0}},
            "reconstruction": {"ClusterFinder": {"active": 1}},
            "CF": {"ccd_shape": [20, 40], "n_cols_overscan": 4, "n_rows_prescan": 3}}),
    );
    let made = run(dir.path(), &["response", "c.json", "--g4file", "g4.root", "--tag", "t"]);
    assert_eq!(made.code, 0, "{made:?}");
    // five pastes on blanks 0, 1, 0 (cyclic): the last one holds a single cluster
    for (name, blank, pasted) in
        [("blank_0_Ncls2_1", 100.0, 2), ("blank_1_Ncls2_2", 200.0, 2), ("blank_0_Ncls1_3", 100.0, 1)]
    {
        let input = FitsInput::open(dir.path().join(format!("made/psimulCCDimg_{name}.fits"))).unwrap();
        let layers: Vec<Array2<f64>> = (0..5).map(|hdu| input.read_image(hdu).unwrap()).collect();
        let names: Vec<_> = (1..5).map(|hdu| input.header(hdu).unwrap().text("EXTNAME").unwrap()).collect();
        assert_eq!(names, ["MONTECARLOTRUTH", "MCT_ID", "MCT_ERAW", "MCT_EMCT"]);
        // 374 eV are 100 e⁻, 500 ADU
        let charge: f64 = layers[0].iter().map(|p| p - blank).sum();
        assert!((charge - 500.0 * f64::from(pasted)).abs() < 1e-9, "{name}: {charge}");
        assert!((layers[1].sum() - 374.0 * f64::from(pasted)).abs() < 1e-9);
        for ((row, col), energy) in layers[1].indexed_iter() {
            let here = (layers[2][[row, col]] > 0.0, layers[3][[row, col]] == blank, layers[4][[row, col]] > 0.0);
            assert_eq!(here, (*energy > 0.0, *energy > 0.0, *energy > 0.0));
            assert!(*energy == 0.0 || ((3..30).contains(&row) && (0..46).contains(&col)), "{row} {col}");
        }
        let header = input.header(0).unwrap();
        assert_eq!([header.integer("NMAX"), header.integer("NEVTS")], [Some(2), Some(pasted.into())]);
        assert_eq!(header.number("EV2ADU"), Some(5.0));
        assert_eq!(
            header.integer("RUNID"),
            Some(if blank == 100.0 { 40 } else { 41 }),
            "the header of the blank is kept"
        );
    }
    let file = dir.path().join("out_simulCCDimg_t_g4.root");
    let rows = entries::<Vec<Vec<i32>>>(&file, "pixelizedEvent", "rnd_rows");
    assert!(rows.len() == 5 && rows.iter().all(|r| (3..30).contains(&r[0][0])));
}
