mod witness;

use serde_json::json;

use self::witness::{FLOAT, Theirs, Tree, close, compare_clusters, golden, ours, recorded};
use super::*;
use crate::fits::Card;
use crate::process::reconstruction::test_images::{self, run};
use crate::process::registry;
use crate::root::{Options, RootFile};
use crate::stats::test_data;

fn recorded_finder() -> Json {
    json!({"spr_threshold": {"EXT1": [null, 15, 50]}, "only_cls_seed": true, "method": 0, "max_nearest_neighbor": 1})
}

/// All 59 branches of the 130 clusters that the other program found in the real image.
#[test]
fn the_recorded_file_is_reproduced() {
    let (Some(mut raw), Some(theirs)) = (test_images::real_image(), recorded("clustersRec")) else { return };
    run(&mut raw, "ClusterFinder", recorded_finder()).unwrap();
    let entry = clusters_rec(&raw, raw.numbers);
    assert_eq!(entry.schema().len(), 59);
    compare_clusters(&entry, &theirs);

    // Totals of spec 05 §11, to the digits printed.
    let sum = |name: &str| ours(entry.get(name).unwrap()).numbers().iter().sum::<f64>();
    for (name, expected, tolerance) in [
        ("Npix", 12593.0, 0.0),
        ("Energy", 8931.8227, 5e-4),
        ("Energy_PS", 3224053.63, 0.5),
        ("Energy_AVG", 2715680.77, 0.5),
        ("closest_cls_dist", 2870.4884, 5e-4),
        ("fSTD_X", 490.07, 490.07 * 3e-3),
        ("fSTD_Y", 326.91, 326.91 * 3e-3),
    ] {
        assert!((sum(name) - expected).abs() <= tolerance, "{name}: {} and {expected}", sum(name));
    }
    let mut energies = ours(entry.get("Energy").unwrap()).numbers().to_vec();
    energies.sort_by(f64::total_cmp);
    assert!((energies[129] - 960.5794).abs() < 1e-4);
    assert!((0.5 * (energies[64] + energies[65]) - 6.3889).abs() < 1e-4);
}

/// The two tables of spec 05 §11, to the digits printed; the ids are those of this program.
#[test]
#[rustfmt::skip]
fn the_tables_of_the_specification() {
    let Some(mut raw) = test_images::real_image() else { return };
    run(&mut raw, "ClusterFinder", recorded_finder()).unwrap();
    let entry = clusters_rec(&raw, raw.numbers);
    let columns = [
        "pixels_x", "pixels_y", "Npix", "DX", "DY", "Energy", "Qmax", "QmaxX", "QmaxY", "PosX", "PosY", "STD_XY", "wSTD_X",
        "wSTD_Y", "fSTD_X", "closest_cls_dist", "closest_cls_id", "RMSX", "STD_X", "STD_Y", "dwSTD_X", "wSTD_XY", "fPosX",
        "fPosY", "fSTD_Y", "seed_nsig_min", "seed_nsig_max", "Energy_PS", "Energy_AVG",
    ];
    let rows = [
        (2, [343., 1., 2., 2., 1., 0.0452911, 0.03344398, 343., 1., 343.2616, 1., 0.5, 0.4394935, 0., 0.2774035, 67.18478, 6., 117992.5, 0.5, 0., 0.3107688, 0.3107688, 343.4202, 1., 0.1755342, 21.02478, 59.35221, 16.34839, -64.36645]),
        (37, [591., 130., 28., 8., 4., 47.20656, 6.663813, 594., 131., 593.675, 130.8998, 2.348197, 1.136245, 0.7750364, 1.136945, 19.15978, 43., 353179.9, 2.101991, 1.046739, 0.2147301, 0.9725568, 593.6747, 130.8983, 0.7776445, 26.91586, 11826.1, 17039.8, 15907.06]),
        (49, [143., 166., 371., 38., 22., 349.1405, 5.535866, 144., 170., 153.5566, 176.7178, 10.79565, 8.901675, 4.913501, 10.99087, 27.55327, 58., 24427.97, 9.457663, 5.205637, 0.4621519, 7.189656, 151.7557, 176.7541, 5.309396, 17.85321, 9824.365, 126026.6, 111059.]),
        (67, [85., 210., 60., 11., 10., 2.985785, 0.2059125, 86., 215., 85.94788, 214.4108, 3.317211, 1.684169, 1.558932, 1.685456, 18.57657, 78., 7445.417, 2.520747, 2.156322, 0.2174253, 1.622759, 85.9478, 214.4106, 1.56014, 15.33156, 365.4278, 1077.757, -1341.196]),
        (70, [417., 211., 6., 4., 3., 6.428846, 5.899156, 417., 212., 417.0851, 212., 1.290994, 0.3058777, 0.05793233, 0.3776616, 16.65829, 60., 174725.3, 1.154701, 0.5773503, 0.124874, 0.2201332, 417.1763, 211.9994, 0.2797289, 18.87847, 10469.09, 2320.573, 2078.589]),
        (71, [304., 214., 1276., 60., 107., 960.5794, 11.16633, 265., 315., 275.9349, 261.7656, 30.18656, 12.15951, 28.21174, 12.87329, 45.17474, 68., 76612.86, 13.8963, 26.79779, 0.3404008, 21.72275, 275.8669, 253.9519, 44.79089, 15.05329, 19816.61, 346733.2, 295209.7]),
        (93, [639., 249., 1., 1., 1., 0.03033832, 0.03033832, 639., 249., 639., 249., 0., 0., 0., 0.1887125, 20.23163, 85., 408321., 0., 0., 0., 0., 639., 249., 0.1887125, 53.84068, 53.84068, 10.951, -29.41787]),
        (102, [599., 277., 5., 4., 2., 5.861396, 5.437094, 599., 277., 599.0832, 277.002, 1.095445, 0.3191977, 0.04489434, 0.3929537, 26.47216, 118., 360721.4, 1.019804, 0.4, 0.1427496, 0.2279284, 599.1558, 277.2434, 0.2034891, 20.65671, 9649.077, 2115.745, 1919.387]),
        (110, [410., 283., 2., 2., 1., 0.05214752, 0.03365638, 410., 283., 410.3546, 283., 0.5, 0.4783897, 0., 0.2840227, 4.141484, 108., 168510.5, 0.5, 0., 0.3382726, 0.3382726, 410.4517, 283., 0.1753543, 32.81576, 59.72916, 18.8233, -61.93597]),
        (127, [221., 312., 2., 1., 2., 0.04572223, 0.02940351, 221., 313., 221., 312.6431, 0.5, 0., 0.4790879, 0.1753482, 22.05599, 128., 48841., 0., 0.5, 0., 0.3387663, 221., 312.5475, 0.2841543, 28.96043, 52.18169, 16.50401, -64.6899]),
    ];
    for (id, expected) in rows {
        for (name, expected) in columns.iter().zip(expected) {
            let found = match ours(entry.get(name).unwrap()) {
                Theirs::Numbers(numbers) => numbers[id - 1],
                Theirs::Lists(lists) => lists[id - 1][0],
            };
            let narrow = |axis: char| {
                ours(entry.get(&format!("D{axis}")).unwrap()).numbers()[id - 1] <= 2.0
            };
            let allowed = match (*name, name.chars().last()) {
                ("fPosX" | "fPosY" | "fSTD_X" | "fSTD_Y", Some(axis)) if narrow(axis) => 0.05,
                ("fPosX" | "fPosY", _) => 0.03,
                ("fSTD_X" | "fSTD_Y", _) => 3e-3 * expected,
                _ => f64::max(1e-6 * f64::abs(expected), 1e-8),
            };
            assert!((found - expected).abs() <= allowed, "cluster {id}, {name}: {found} and {expected}");
        }
    }
    let list = |name: &str, id: usize| ours(entry.get(name).unwrap()).lists()[id - 1].clone();
    let profile = [0., 0.1415063, 0.9146588, 2.089486, 2.269218, 1.334195, 0.3041927, 0.02440601, 0.006353666, 0.];
    for (found, expected) in list("projectionX", 37).iter().zip(profile) {
        assert!((found - expected).abs() <= 1e-6);
    }
    assert_eq!(list("projectionX_cols", 37), (590..=599).map(f64::from).collect::<Vec<_>>());
    assert_eq!((list("pixels_x", 127), list("pixels_y", 127)), (vec![221., 221.], vec![312., 313.]));
    for (name, expected) in [("pixels_E", [0.01631872, 0.02940351]), ("pixels_E_PS", [5.890446, 10.613567])] {
        for (found, expected) in list(name, 127).iter().zip(expected) {
            assert!((found / expected - 1.0).abs() < 1e-6, "{name}");
        }
    }
}

fn golden_finder(folder: &str) -> Json {
    let method_1 = folder == "cluster_method1_asis";
    json!({
        "spr_threshold": {"EXT0": [null, 10, 40]}, "only_cls_seed": !method_1, "method": i32::from(method_1),
        "max_nearest_neighbor": 1,
    })
}

/// Gain of each golden chain: configured, or fitted and rounded to four decimals.
const GOLDEN: [(&str, f64); 5] = [
    ("mask_asis", 5.0),
    ("cluster_method1_asis", 5.0),
    ("dcmask_asis", 5.0),
    ("median_asis", 5.0344),
    ("all_fix", 5.1998),
];

fn small_mask() -> Option<ndarray::Array2<bool>> {
    let mut file = fitsio::FitsFile::open(test_data::path("golden/small/small_mask_input.fits")?).unwrap();
    let hdus: Vec<_> = file.iter().collect();
    drop(hdus);
    let hdu = file.hdu(1).or_else(|_| file.hdu(0)).unwrap();
    let values: Vec<f64> = hdu.read_image(&mut file).unwrap();
    Some(ndarray::Array2::from_shape_vec((50, 80), values).unwrap().mapv(|v| v != 0.0))
}

#[test]
fn the_golden_chains_are_reproduced() {
    for (folder, gain) in GOLDEN {
        let (Some(mut raw), Some(theirs)) = (test_images::golden(folder, gain), golden(folder, "clustersRec")) else {
            return;
        };
        if folder == "mask_asis" {
            raw.clustering_mask = small_mask();
        }
        run(&mut raw, "ClusterFinder", golden_finder(folder)).unwrap();
        compare_clusters(&clusters_rec(&raw, raw.numbers), &theirs);
    }
}

/// Decision D11: the other program measures from 0-based masked pixels to 1-based cluster pixels. Its numbers follow
/// from its own pixels and the mask, and so do ours, on one basis.
#[test]
fn distances_to_the_mask() {
    let (Some(mut raw), Some(mask)) = (test_images::golden("mask_asis", 5.0), small_mask()) else { return };
    let Some(theirs) = golden("mask_asis", "clustersRec") else { return };
    raw.clustering_mask = Some(mask.clone());
    run(&mut raw, "ClusterFinder", golden_finder("mask_asis")).unwrap();
    let entry = clusters_rec(&raw, raw.numbers);
    let extremes = |tree: &dyn Fn(&str) -> Theirs, basis: f64| -> Vec<(f64, f64)> {
        let (x, y) = (tree("pixels_x"), tree("pixels_y"));
        let of_cluster = |(x, y): (&Vec<f64>, &Vec<f64>)| {
            let mut range = (f64::INFINITY, 0.0);
            for (x, y) in x.iter().zip(y) {
                for ((row, col), _) in mask.indexed_iter().filter(|(_, m)| **m) {
                    let d: f64 = (x - basis - col as f64).hypot(y - basis - row as f64);
                    range = (f64::min(range.0, d), f64::max(range.1, d));
                }
            }
            range
        };
        x.lists().iter().zip(y.lists()).map(of_cluster).collect()
    };
    let check = |tree: &dyn Fn(&str) -> Theirs, basis: f64| {
        for (i, (min, max)) in extremes(tree, basis).into_iter().enumerate() {
            let (found_min, found_max) = (tree("dist_mask_min").numbers()[i], tree("dist_mask_max").numbers()[i]);
            assert!(close(found_min, min, FLOAT, 0.0) && close(found_max, max, FLOAT, 0.0), "{found_min} {min}");
        }
    };
    check(&|name| theirs[name].1.clone(), 0.0);
    check(&|name| ours(entry.get(name).unwrap()), 1.0);
}

#[test]
fn the_golden_masks_are_reproduced() {
    for (folder, gain) in GOLDEN.into_iter().filter(|(folder, _)| *folder != "mask_asis") {
        let Some(mut raw) = test_images::golden(folder, gain) else { return };
        run(&mut raw, "ClusterFinder", golden_finder(folder)).unwrap();
        let parameters = json!({
            "cluster_size_min": 1, "cluster_E_min": 10, "cluster_DY_min": 1, "cluster_DX_min": 1, "N_col_pre": 1,
            "N_col_post": 5, "N_row_pre": 1, "N_row_post": 1, "cluster_box_E_min": 100.0,
        });
        run(&mut raw, "BuildClusterMask", parameters).unwrap();
        for (name, extname) in [("mask_clusters", "FULLMASK"), ("mask_clusters_only", "CLSMASK")] {
            let expected = test_data::npy(&format!("golden/small/{folder}/{name}.npy")).unwrap();
            let mask = &raw.masks[name];
            assert_eq!(mask.extname.as_deref(), Some(extname));
            let different = mask.pixels.iter().zip(&expected).filter(|(a, b)| f64::from(u8::from(**a)) != **b).count();
            assert_eq!(different, 0, "{folder}, {name}");
        }
    }
}

fn compare_info(entry: &Entry, theirs: &Tree) {
    let schema: Vec<_> = entry.schema().into_iter().map(|(name, kind)| (name, kind.cpp_name().to_owned())).collect();
    let expected: Vec<_> = theirs.iter().map(|(name, (kind, _))| (name.clone(), kind.clone())).collect();
    assert_eq!(schema, expected);
    for (name, (_, value)) in theirs {
        let flat = |v: &Theirs| match v {
            Theirs::Numbers(v) => v.clone(),
            Theirs::Lists(v) => v.concat(),
        };
        let (a, b) = (flat(&ours(entry.get(name).unwrap())), flat(value));
        assert_eq!(a.len(), b.len(), "{name}");
        assert!(a.iter().zip(&b).all(|(a, b)| close(*a, *b, 1e-7, 0.0)), "{name}: {a:?} {b:?}");
    }
}

/// Reports the dark-current fit as FitDarkCurrentProcess does, with the numbers of the other program.
fn with_fit(raw: &mut RawData, theirs: &Tree) {
    let amplifier = raw.amplifiers[0].clone();
    for quantity in ["GAIN", "DC", "SIG", "MU0"] {
        let name = info_branch(quantity, &amplifier);
        let number = |name: &str| theirs[name].1.numbers()[0];
        let measurement = crate::process::Measurement::new(quantity, number(&name), "")
            .error(number(&format!("{name}_err")))
            .info_branch(name);
        raw.report.measure(measurement);
    }
}

#[test]
fn info_of_the_recorded_file_and_of_the_golden_chains() {
    if let (Some(mut raw), Some(theirs)) = (test_images::real_image(), recorded("info")) {
        with_fit(&mut raw, &theirs);
        let entry = info(&raw, raw.numbers);
        compare_info(&entry, &theirs);
        assert_eq!(ours(entry.get("total_exposure").unwrap()).numbers(), [4770.343691]);
    }
    for (folder, gain) in GOLDEN {
        let (Some(mut raw), Some(theirs)) = (test_images::golden(folder, gain), golden(folder, "info")) else { return };
        if matches!(folder, "median_asis" | "all_fix" | "dcmask_asis") {
            with_fit(&mut raw, &theirs);
        }
        compare_info(&info(&raw, raw.numbers), &theirs);
    }
}

/// Decision D14: per quantity the fit of this run, else the input header, else 0.
#[test]
fn fit_branches_fall_back_to_the_header() {
    let mut raw = RawData::from_image("mean_compressed", ndarray::Array2::zeros((2, 2)));
    raw.amplifiers[0].name = "EXT1".into();
    for (keyword, value) in
        [("MEGAIN1", 1.5), ("EMEGAIN1", 0.1), ("MEDCEXT1", 0.3), ("EMEDCEXT1", 0.2), ("MESIG1", 7.0)]
    {
        raw.header.set(Card::new(keyword, value, ""));
    }
    raw.report.measure(crate::process::Measurement::new("gain", 9.0, "").error(0.5).info_branch("ext1_gainext"));
    let entry = info(&raw, raw.numbers);
    let number = |name: &str| ours(entry.get(name).unwrap()).numbers()[0];
    assert_eq!((number("ext1_gainext"), number("ext1_gainext_err")), (9.0, 0.5), "the fit wins");
    assert_eq!((number("ext1_dcext"), number("ext1_dcext_err")), (0.3, 0.2));
    assert_eq!((number("ext1_sigext"), number("ext1_mu0ext")), (0.0, 0.0), "a value without error does not count");
    assert!(entry.get("readout_start").is_none() && entry.get("ppcol").is_none());
}

/// Stacked extensions: vectors of the stacked length, NaN outside, read at the same time; means without the NaN (D15).
#[test]
fn info_of_stacked_extensions() {
    let mut raw = RawData::from_image("mean_compressed", ndarray::Array2::zeros((6, 2)));
    raw.stacked = true;
    let block = |hdu: usize| {
        let mut amplifier = Amplifier::whole_image(&format!("EXT{hdu}"), hdu, 6, 2);
        amplifier.full.rows = 3 * (hdu - 1)..3 * hdu;
        amplifier
    };
    raw.amplifiers = vec![block(1), block(2)];
    for (hdu, mu) in [(1, [1.0, 2.0, 3.0]), (2, [4.0, f64::NAN, 6.0])] {
        let axis = PedestalAxis {
            axis: Axis::Row,
            first: 3 * (hdu - 1),
            mu: mu.to_vec(),
            sigma: vec![0.5; 3],
            mu_error: vec![f64::NAN; 3],
            sigma_error: vec![f64::NAN; 3],
            chi2_ndf: vec![f64::NAN; 3],
        };
        raw.products.set_for(&format!("EXT{hdu}"), Pedestal { axes: vec![axis] });
    }
    let entry = info(&raw, raw.numbers);
    let list = |name: &str| ours(entry.get(name).unwrap()).lists()[0].clone();
    assert_eq!(format!("{:?}", list("EXT2_pedestal_mu_row_ADU")), "[NaN, NaN, NaN, 4.0, NaN, 6.0]");
    assert_eq!(ours(entry.get("EXT2_pedestal_mu_row_mean_ADU").unwrap()).numbers(), [5.0]);
    assert_eq!(list("readout_time_row"), [0.0, 0.5, 1.0, 0.0, 0.5, 1.0]);
}

/// Every branch that the other program wrote for ClusterFinder, BuildClusterMask and the constants, with its value and
/// type; the blocks are those of the run, completed by the defaults of this program.
#[test]
fn process_config_of_the_golden_chains() {
    for folder in ["median_asis", "mask_asis", "cluster_method1_asis"] {
        let (Some(theirs), Some(config)) =
            (golden(folder, "process_config"), test_data::json(&format!("golden/small/{folder}/config.json")))
        else {
            return;
        };
        let mut sequence: Vec<(&str, f64)> = theirs
            .iter()
            .filter_map(|(name, (_, value))| Some((name.strip_suffix("_sequence_id")?, value.numbers()[0])))
            .collect();
        sequence.sort_by(|a, b| a.1.total_cmp(&b.1));
        let blocks: Vec<(&str, Map<String, Json>)> = sequence
            .iter()
            .map(|(tag, _)| {
                let mut block = Map::new();
                let entry = registry::find(tag);
                if let Some(Json::Object(defaults)) = entry.and_then(|e| e.maker).map(|m| (m.defaults)()) {
                    block.extend(defaults);
                }
                let name = entry.map_or(*tag, |e| e.name);
                if let Some(given) = config["process"][name].as_object() {
                    block.extend(given.iter().map(|(k, v)| (k.clone(), v.clone())));
                }
                (*tag, block)
            })
            .collect();
        let provenance = Provenance { version: "1.0".into(), commit: "abc".into(), config: "{}".into() };
        let results = IndexMap::from_iter([("ClusterFinder_x".to_owned(), ConfigResult::Double(f64::NAN))]);
        let entry = process_config(blocks.iter().map(|(tag, block)| (*tag, block)), &results, &provenance);
        assert!(entry.get("ClusterFinder_x").is_none(), "NaN is left out");
        assert_eq!(entry.schema()[0], ("id".to_owned(), BranchType::Int));
        let names: Vec<_> = entry.branches().iter().skip(1).map(|(name, _)| name).collect();
        assert!(names.is_sorted(), "byte order");
        for (name, (kind, value)) in &theirs {
            let compared = ["ClusterFinder_", "BuildClusterMask_", "CalibrationProcess_"];
            let known = compared.iter().any(|tag| name.starts_with(tag)) || !name.contains("Process");
            if !known {
                continue;
            }
            let found = entry.get(name).unwrap_or_else(|| panic!("{name} is missing"));
            if kind == "string" {
                assert_eq!(found.branch_type(), BranchType::String);
                continue;
            }
            // A default that no file gives has the form of this program: `radius` is a real number here.
            let given = !matches!(name.as_str(), "BuildClusterMask_radius");
            assert!(!given || found.branch_type().cpp_name() == kind, "{name}: {found:?} and {kind}");
            assert_eq!(&ours(found), value, "{name}");
        }
    }
}

#[test]
fn parameters_are_recorded_as_they_were_typed() {
    let block = json!({
        "x_max": 10, "y": 6.0, "flag": true, "name": "text", "list": [1, 2], "nothing": null, "big": 3_000_000_000u64,
        "gain": {"EXT1": 1.26, "EXT2": 2}, "hot": {"U": [1]}, "__verbose__": true, "show_fit": true, "histequ": false,
    });
    let entry = process_config([("P", block.as_object().unwrap())], &IndexMap::new(), &Provenance::default());
    let own: Vec<_> = entry.branches().iter().filter(|(name, _)| name.starts_with("P_")).cloned().collect();
    assert_eq!(
        own,
        [
            ("P_big".to_owned(), Value::Double(3e9)),
            ("P_flag".to_owned(), Value::Int(1)),
            ("P_gain_EXT1".to_owned(), Value::Double(1.26)),
            ("P_gain_EXT2".to_owned(), Value::Int(2)),
            ("P_sequence_id".to_owned(), Value::Int(0)),
            ("P_x_max".to_owned(), Value::Int(10)),
            ("P_y".to_owned(), Value::Double(6.0)),
        ]
    );
}

/// Decision D5: an image without clusters has all branches, empty; an image without a header card that others have is
/// filled up.
#[test]
fn every_image_has_the_same_branches() {
    let mut with = test_images::calibrated(
        "mean_compressed",
        ndarray::Array2::from_elem((3, 3), 9.0),
        &[0.0; 3],
        &[1.0; 3],
        1.0,
        Amplifier::whole_image("EXT0", 0, 3, 3),
    );
    with.times.readout_start = 1e9;
    with.header.set(Card::new("PPCOL", 1e-34, ""));
    run(&mut with, "ClusterFinder", json!({})).unwrap();
    let mut without = test_images::calibrated(
        "mean_compressed",
        ndarray::Array2::zeros((3, 3)),
        &[0.0; 3],
        &[1.0; 3],
        1.0,
        Amplifier::whole_image("EXT0", 0, 3, 3),
    );
    run(&mut without, "ClusterFinder", json!({})).unwrap();
    let (first, empty) = (clusters_rec(&with, with.numbers), clusters_rec(&without, without.numbers));
    assert_eq!(empty.get("Nclusters"), Some(&Value::Int(0)));
    assert_eq!(empty.get("pixels_E"), Some(&Value::FloatLists(vec![], vec![0].into())));
    assert_eq!(first.get("ppcol"), Some(&Value::Floats(vec![1.0])));
    let schema = first.schema();
    let (conformed, left_out) = empty.conformed(&schema);
    assert_eq!((conformed.schema(), left_out.len()), (schema.clone(), 0));

    let (fewer, left_out) = first.clone().conformed(&schema[..5]);
    assert_eq!((fewer.schema(), left_out.len()), (schema[..5].to_vec(), schema.len() - 5));
    let (back, _) = fewer.conformed(&schema);
    let Some(Value::Floats(filled)) = back.get("ppcol") else { panic!() };
    assert!(filled.len() == 1 && filled[0].is_nan());
    let nine_pixels = first.get("Npix");
    assert_eq!(nine_pixels, Some(&Value::Ints(vec![9])));

    // And the writer takes all of them.
    let mut file = RootFile::start(std::io::Cursor::new(Vec::new()), "x.root", Options::default()).unwrap();
    let tree = file.tree("clustersRec", schema.clone()).unwrap();
    for entry in [&first, &conformed, &back] {
        file.fill(tree, &entry.cells()).unwrap();
    }
    let entry = info(&with, with.numbers);
    let tree = file.tree("info", entry.schema()).unwrap();
    file.fill(tree, &entry.cells()).unwrap();
}

#[test]
fn without_profile_fits_eight_branches_are_missing() {
    let Some(mut raw) = test_images::real_image() else { return };
    let mut parameters = recorded_finder();
    parameters["get_fitted_STD"] = json!(false);
    run(&mut raw, "ClusterFinder", parameters).unwrap();
    let schema = clusters_rec(&raw, raw.numbers).schema();
    assert_eq!(schema.len(), 51);
    assert!(!schema.iter().any(|(name, _)| name.starts_with('f') || name.starts_with("projection")));
}

#[test]
fn tagged_images_have_both_keywords_and_one_is_true() {
    for (cards, expected) in [
        (vec![], false),
        (vec![("MEBS", true)], false),
        (vec![("MEBS", true), ("MESC", false)], true),
        (vec![("MEBS", false), ("MESC", true)], true),
        (vec![("MEBS", false), ("MESC", false)], false),
    ] {
        let mut header = Header::new();
        cards.into_iter().for_each(|(keyword, value)| header.set(Card::new(keyword, value, "")));
        assert_eq!(is_tagged(&header), expected);
    }
}
