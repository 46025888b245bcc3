use ndarray::Array2;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::image::raw_data::Truth;
use crate::image::{Amplifier, Region, Side};
use crate::process::analysis::products::{Gain, Pedestal};
use crate::process::reconstruction::cluster_table::Column;
use crate::process::reconstruction::test_images::{self, run};

/// An image in e⁻ with σ = 1 e⁻ and gain 1.
fn image(pixels: Array2<f64>) -> RawData {
    let (rows, cols) = pixels.dim();
    let amplifier = Amplifier::whole_image("EXT0", 0, rows, cols);
    test_images::calibrated("mean_compressed", pixels, &vec![0.0; rows], &vec![1.0; rows], 1.0, amplifier)
}

fn table(raw: &RawData) -> &ClusterTable {
    raw.products.get().unwrap()
}

fn measured(raw: &RawData, name: &str) -> f64 {
    raw.report.measurements.iter().rev().find(|m| m.name == name).unwrap().value
}

/// Spec 05 §11: selected pixels, components, components with seed, clusters written and pixels of the largest one.
#[test]
fn counts_of_the_real_image() {
    let Some(mut raw) = test_images::real_image() else { return };
    for (threshold, method, n, only_seed, expected) in [
        ((15, 50), 0, 2, true, [28335, 8326, 130, 130, 1276]),
        ((15, 50), 1, 1, false, [28335, 8326, 130, 8326, 1276]),
        ((15, 50), 1, 2, false, [28335, 2505, 64, 2505, 16254]),
        ((15, 50), 1, 3, false, [28335, 651, 29, 651, 23976]),
        ((30, 50), 0, 2, true, [10778, 1211, 135, 135, 1069]),
        ((30, 50), 1, 2, false, [10778, 1016, 130, 1016, 1071]),
        ((30, 50), 1, 3, false, [10778, 734, 118, 734, 1138]),
        ((50, 100), 0, 2, false, [8316, 143, 127, 143, 943]),
        ((50, 100), 1, 2, false, [8316, 134, 122, 134, 943]),
        ((50, 100), 1, 3, false, [8316, 128, 120, 128, 943]),
        ((50, 100), 1, 4, false, [8316, 118, 111, 118, 943]),
        ((3, 5), 0, 2, true, [118189, 2264, 2227, 2227, 104494]),
    ] {
        let parameters = json!({
            "spr_threshold": {"EXT1": [null, threshold.0, threshold.1]}, "method": method, "max_nearest_neighbor": n,
            "only_cls_seed": only_seed, "get_fitted_STD": false,
        });
        run(&mut raw, "ClusterFinder", parameters).unwrap();
        let table = table(&raw);
        let largest = (0..table.len()).map(|i| table.pixels(i).len()).max().unwrap();
        let with_seed = table.clusters.iter().filter(|c| c.has_seed).count();
        let text = &raw.report.log.last().unwrap().text;
        assert!(text.contains(&format!(": {} groups, {} with a seed;", expected[1], expected[2])), "{text}");
        let found = [measured(&raw, "selected_pixels") as usize, expected[1], with_seed, table.len(), largest];
        assert_eq!(found, expected, "{threshold:?}, method {method}, N {n}");
    }
    assert!((measured(&raw, "pixel_threshold") - 0.451_991_98).abs() < 1e-8, "3σ of 0.150663990 e-");
}

/// Spec 05 §2.4 through the whole process.
#[test]
fn the_example_of_single_linkage() {
    let mut pixels = Array2::zeros((6, 8));
    for (row, col) in [(1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 5), (3, 6), (5, 6)] {
        pixels[[row, col]] = 10.0;
    }
    for (parameters, expected) in [
        (json!({"method": 1, "max_nearest_neighbor": 2}), vec![8]),
        (json!({"method": 1, "max_nearest_neighbor": 1}), vec![7, 1]),
        (json!({"method": 0}), vec![7, 1]),
    ] {
        let mut raw = image(pixels.clone());
        run(&mut raw, "ClusterFinder", parameters).unwrap();
        let sizes: Vec<usize> = (0..table(&raw).len()).map(|i| table(&raw).pixels(i).len()).collect();
        assert_eq!(sizes, expected);
    }
}

/// A pixel exactly at a cut is selected, or a seed (decision D1); method 1 honours `only_cls_seed` too (D3).
#[test]
fn cuts_are_inclusive_and_both_methods_can_ask_for_a_seed() {
    let mut pixels = Array2::zeros((3, 9));
    pixels[[1, 1]] = 3.0;
    pixels[[1, 4]] = 4.0;
    pixels[[1, 7]] = 3.0 - 1e-12;
    for method in [0, 1] {
        let mut raw = image(pixels.clone());
        run(&mut raw, "ClusterFinder", json!({"method": method})).unwrap();
        assert_eq!(table(&raw).clusters.iter().map(|c| c.has_seed).collect::<Vec<_>>(), [false, true]);
        run(&mut raw, "ClusterFinder", json!({"method": method, "only_cls_seed": true})).unwrap();
        assert_eq!(table(&raw).cols, [4]);
    }
}

/// Decision D4: an image in ADU gives the same energies as the calibrated one.
#[test]
fn energies_do_not_depend_on_the_unit_of_the_image() {
    let Some(mut raw) = test_images::golden("median_asis", 5.0344) else { return };
    let parameters = |image: &str| json!({"spr_threshold": [null, 10, 40], "spr_image": image});
    run(&mut raw, "ClusterFinder", parameters("mean_compressed_pedestal_subtracted_e")).unwrap();
    let electrons = table(&raw).clone();
    run(&mut raw, "ClusterFinder", parameters("pedestal_subtracted")).unwrap();
    let adu = table(&raw);
    assert_eq!((&adu.rows, &adu.cols), (&electrons.rows, &electrons.cols));
    for (a, b) in adu.energies.iter().zip(&electrons.energies) {
        assert!((a / b - 1.0).abs() < 1e-14);
    }
}

#[test]
fn rows_columns_prescan_and_masked_pixels_are_left_out() {
    let mut raw = image(Array2::from_elem((10, 12), 9.0));
    raw.amplifiers[0].active = Region::new(0..10, 2..10);
    let mut mask = Array2::from_elem((10, 12), false);
    mask[[0, 2]] = true;
    raw.clustering_mask = Some(mask);
    let parameters = |apply| json!({"skip_rows": [[3, 9], 20], "skip_cols": {"EXT0": [[4, 9]]}, "apply_mask": apply});
    run(&mut raw, "ClusterFinder", parameters(true)).unwrap();
    let coordinates: Vec<_> = table(&raw).coordinates(0).collect();
    assert_eq!(coordinates, [(0, 3), (1, 2), (1, 3), (2, 2), (2, 3)]);
    assert_eq!(raw.report.warnings().count(), 1, "row 20 does not exist");
    assert_eq!(table(&raw).column("dist_mask_min"), Some(&Column::Float(vec![1.0])));
    assert_eq!(table(&raw).column("dist_mask_max"), Some(&Column::Float(vec![5f32.sqrt()])));

    run(&mut raw, "ClusterFinder", parameters(false)).unwrap();
    assert_eq!(table(&raw).pixel_count(), 6);
    assert_eq!(table(&raw).column("dist_mask_min"), Some(&Column::Float(vec![0.0])));
}

/// Two amplifiers with noise and gain of their own; ids continue, U before L, and neighbours are searched in both.
#[test]
fn each_amplifier_has_its_own_cuts_and_ids_continue() {
    let mut pixels = Array2::zeros((4, 20));
    for (col, charge) in [(2, 8.0), (8, 4.5), (12, 4.5), (17, 8.0)] {
        pixels[[1, col]] = charge;
    }
    let mut raw = image(pixels);
    let pedestal = raw.products.get_for::<Pedestal>("EXT0").unwrap().clone();
    let half = |name: &str, side, cols: Range<usize>| Amplifier {
        side,
        full: Region::new(0..4, cols.clone()),
        active: Region::new(0..4, cols),
        ..Amplifier::whole_image(name, 0, 4, 20)
    };
    raw.amplifiers = vec![half("U", Side::U, 10..20), half("L", Side::L, 0..10)];
    for amplifier in ["U", "L"] {
        raw.products.set_for(amplifier, pedestal.clone());
    }
    raw.products.set_for("U", Gain { adu_per_electron: 1.0 });
    raw.products.set_for("L", Gain { adu_per_electron: 0.5 });
    run(&mut raw, "ClusterFinder", json!({"spr_threshold": {"U": [null, 3, 4], "L": [null, 3, 4]}})).unwrap();
    let table = table(&raw);
    let found: Vec<_> = table.clusters.iter().map(|c| (c.amplifier, c.x.position, c.sigma_ev)).collect();
    assert_eq!(found, [(0, 13.0, 3.74), (0, 18.0, 3.74), (1, 3.0, 2.0 * 3.74)], "4.5 e- is below 3σ = 6 e- of L");
    let closest: Vec<_> = table.clusters.iter().map(|c| c.closest.map(|o| o.index)).collect();
    assert_eq!(closest, [Some(1), Some(0), Some(0)]);
    let results = &raw.report.config_results;
    assert_eq!(results["ClusterFinder_spr_threshold_L_sigma_e"], ConfigResult::Double(2.0));
    assert_eq!(results["ClusterFinder_spr_threshold_U_n_seed"], ConfigResult::Double(4.0));

    let error = run(&mut raw, "ClusterFinder", json!({"spr_threshold": {"U": [null, 3, 4]}})).unwrap_err().to_string();
    assert!(error.contains("spr_threshold") && error.contains("amplifier L") && error.contains("U, L"), "{error}");
}

/// Stacked extensions: the rows of a list count from the first row of the extension.
#[test]
fn skipped_rows_of_stacked_extensions_are_local() {
    let mut raw = image(Array2::from_elem((8, 4), 9.0));
    raw.stacked = true;
    let block = |name: &str, rows: Range<usize>| Amplifier {
        full: Region::new(rows.clone(), 0..4),
        active: Region::new(rows, 0..4),
        aliases: vec![format!("CCD_{name}"), name.to_owned()],
        ..Amplifier::whole_image(&format!("EXT{name}"), 1, 8, 4)
    };
    raw.amplifiers = vec![block("1", 0..4), block("2", 4..8)];
    let parameters = json!({"spr_threshold": [1.0, 3, 4], "skip_rows": {"1": [0], "2": [[1, 3]]}});
    run(&mut raw, "ClusterFinder", parameters).unwrap();
    let rows: Vec<_> =
        (0..2).map(|i| table(&raw).coordinates(i).map(|p| p.0).collect::<std::collections::BTreeSet<_>>()).collect();
    assert_eq!(
        rows.iter().map(|r| r.iter().copied().collect::<Vec<_>>()).collect::<Vec<_>>(),
        [vec![1, 2, 3], vec![4]]
    );
}

#[test]
fn what_cannot_be_done_is_said() {
    let mut raw = image(Array2::zeros((4, 4)));
    for (parameters, expected) in [
        (json!({"spr_image": "nothing_e"}), "no image `nothing_e`"),
        (json!({"spr_threshold": ["NOISE", 3, 4]}), "header keyword NOISE"),
        (json!({"ismoskita": [true, "/no/such.csv"], "spr_threshold": [1, 3, 4]}), "/no/such.csv"),
    ] {
        let error = run(&mut raw, "ClusterFinder", parameters).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(test_images::process("ClusterFinder", json!({"method": 2})).check().len(), 1);
    assert_eq!(test_images::process("ClusterFinder", json!({"ismoskita": [true, null]})).check().len(), 1);
    // No cluster at all is a result.
    run(&mut raw, "ClusterFinder", json!({})).unwrap();
    assert!(table(&raw).is_empty());
    raw.clustering_mask = Some(Array2::from_elem((2, 2), true));
    assert!(run(&mut raw, "ClusterFinder", json!({})).is_err());
}

/// Two tracks that share a hot column are joined by it, and apart once the image is cut between them; each block may
/// have its own noise.
#[test]
fn an_image_is_cut_where_rows_are_quiet() {
    let mut pixels = Array2::zeros((40, 10));
    pixels.column_mut(0).fill(5.0);
    for row in (0..5).chain(9..12).chain(15..22).chain(30..40) {
        pixels[[row, 5]] = 7.0;
    }
    let split = json!({"split_image_in_rows": true, "min_length": 10, "consecutive_ones": 3, "hot_cols_tosplit": [0]});
    let mut raw = image(pixels.clone());
    run(&mut raw, "ClusterFinder", split).unwrap();
    let in_column_0: Vec<usize> = (0..table(&raw).len())
        .map(|i| table(&raw).coordinates(i).filter(|p| p.1 == 0).count())
        .filter(|n| *n > 0)
        .collect();
    assert_eq!(in_column_0, [23, 17], "cut after row 22");

    let noise = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(noise.path(), "block,resolution\n0,1.0\n1,2.0\n").unwrap();
    let path = noise.path().to_str().unwrap();
    let mut raw = image(pixels);
    let split = json!({
        "split_image_in_rows": true, "min_length": 10, "consecutive_ones": 3, "hot_cols_tosplit": [0], "ismoskita": [true, path],
    });
    run(&mut raw, "ClusterFinder", split).unwrap();
    let rows_of_column_0 = table(&raw).cols.iter().filter(|c| **c == 0).count();
    assert_eq!(rows_of_column_0, 23, "5 e- is below 3σ = 6 e- in the second block");
    assert_eq!(table(&raw).clusters.last().unwrap().sigma_ev, 2.0 * 3.74);

    std::fs::write(noise.path(), "resolution\n1.0\n").unwrap();
    let split = json!({
        "split_image_in_rows": true, "min_length": 10, "consecutive_ones": 3, "hot_cols_tosplit": [0], "ismoskita": [true, path],
    });
    let error = run(&mut raw, "ClusterFinder", split).unwrap_err().to_string();
    assert!(error.contains("1 values") && error.contains("2 blocks"), "{error}");
}

/// Spec 05 §2.7: a plain number is the cut for selection and seeds, in ADU or e⁻.
#[test]
fn an_absolute_threshold() {
    let mut pixels = Array2::zeros((3, 9));
    pixels[[1, 1]] = 5.0;
    pixels[[1, 6]] = 4.9;
    let mut raw = image(pixels);
    raw.products.set_for("EXT0", Gain { adu_per_electron: 2.0 });
    run(&mut raw, "ClusterFinder", json!({"absolute_threshold": 10.0})).unwrap();
    assert_eq!(table(&raw).cols, [1]);
    assert_eq!((table(&raw).clusters[0].has_seed, table(&raw).clusters[0].sigma_ev), (true, 0.5 * 3.74));
    run(&mut raw, "ClusterFinder", json!({"absolute_threshold": {"EXT0": 4.9}, "absolute_threshold_unit": "e"}))
        .unwrap();
    assert_eq!(table(&raw).cols, [1, 6]);
}

/// Spec 05 §2.7: the older process counts the pixels that ClusterFinder selects with the same keys.
#[test]
fn signal_pattern_recognition_selects_the_same_pixels() {
    use crate::process::reconstruction::signal_pattern_recognition::feed_cluster_finder;
    let Some(mut raw) = test_images::golden("median_asis", 5.0344) else { return };
    for block in [
        json!({"image": "pedestal_subtracted", "threshold": [null, 10, 40], "mask": false, "method": 1, "isdata": true}),
        json!({"threshold": {"EXT0": 20}, "units": "e"}),
        json!({"threshold": 100.0}),
    ] {
        run(&mut raw, "SignalPatternRecognition", block.clone()).unwrap();
        let old = measured(&raw, "selected_pixels");
        let keys = feed_cluster_finder(block.as_object().unwrap());
        run(&mut raw, "ClusterFinder", keys.into()).unwrap();
        assert!(old > 0.0);
        assert_eq!(measured(&raw, "selected_pixels"), old, "{block}");
    }
}

/// True energies and clusters of a pile-up (spec 05 §3.5).
#[test]
fn monte_carlo_truth() {
    let mut raw = image(Array2::zeros((3, 8)));
    let mut truth = Truth { energy: Array2::zeros((3, 8)), cluster: Array2::zeros((3, 8)) };
    let e = raw.images.get_mut("mean_compressed_pedestal_subtracted_e").unwrap();
    for (col, true_ev, id) in [(1, 100.0, 4.0), (2, 200.0, 7.0), (3, 0.0, 0.0), (6, 50.0, 9.0)] {
        e[[1, col]] = 10.0;
        truth.energy[[1, col]] = true_ev;
        truth.cluster[[1, col]] = id;
    }
    raw.truth = Some(truth);
    run(&mut raw, "ClusterFinder", json!({"method": 0})).unwrap();
    let column = |name: &str| table(&raw).column(name).unwrap().clone();
    assert_eq!(column("pixels_E_MCT"), Column::PixelFloat(vec![0.1, 0.2, 0.0, 0.05]));
    assert_eq!(column("Npix_MCT"), Column::Int(vec![2, 1]));
    assert_eq!(column("pixels_MCT_cls_id"), Column::PixelInt(vec![4, 7, 0, 9]));
    assert_eq!(column("MCT_pileup"), Column::Int(vec![1, 0]));
    assert_eq!(column("MCT_pileup_Ncls"), Column::Int(vec![2, 1]));
    let Column::Float(sums) = column("Energy_MCT") else { panic!() };
    assert!((sums[0] - 0.3).abs() < 1e-7);
}

/// Decision D17: the ADU branches follow the compression of the searched image; other versions of it become branches.
#[test]
fn images_of_the_same_compression_are_used() {
    let pixels = Array2::from_shape_vec((1, 3), vec![0.0, 9.0, 0.0]).unwrap();
    let amplifier = Amplifier::whole_image("EXT0", 0, 1, 3);
    let mut raw = test_images::calibrated("median_compressed", &pixels + 100.0, &[100.0], &[1.0], 1.0, amplifier);
    raw.images.insert("mean_compressed".into(), Array2::from_elem((1, 3), 7.0));
    raw.images.insert("median_compressed_pedestal_subtracted_correct_cols".into(), Array2::from_elem((1, 3), 8.5));
    run(&mut raw, "ClusterFinder", json!({"spr_image": "median_compressed_pedestal_subtracted_e"})).unwrap();
    let found = table(&raw);
    assert_eq!((found.averaged.as_slice(), found.subtracted.as_slice()), (&[109.0][..], &[9.0][..]));
    assert_eq!(found.column("Energy_ECTS"), Some(&Column::Float(vec![8.5])));
    assert_eq!(found.column("pixels_E_ECTS"), Some(&Column::PixelFloat(vec![8.5])));
}

/// Results do not depend on the number of threads, bit for bit.
#[test]
fn one_thread_gives_the_same_table_as_four() {
    let Some(raw) = test_images::real_image() else { return };
    let find = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut raw = test_images::calibrated(
            "mean_compressed",
            raw.images["mean_compressed"].clone(),
            &[-40.36; 320],
            &[0.2; 320],
            1.35,
            raw.amplifiers[0].clone(),
        );
        pool.install(|| run(&mut raw, "ClusterFinder", json!({"spr_threshold": [null, 15, 50]})).unwrap());
        format!("{:?}", table(&raw))
    };
    assert_eq!(find(1), find(4));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Every selected pixel belongs to exactly one cluster, whatever the method and the blocks: charge is conserved.
    #[test]
    fn charge_is_conserved(
        values in prop::collection::vec(-2.0..6.0f64, 30 * 25), method in 0u8..2, n in 0u32..4, split in any::<bool>(),
    ) {
        let pixels = Array2::from_shape_vec((30, 25), values).unwrap();
        let expected: f64 = pixels.iter().filter(|q| **q >= 3.0).sum();
        let count = pixels.iter().filter(|q| **q >= 3.0).count();
        let mut raw = image(pixels);
        let parameters = json!({
            "method": method, "max_nearest_neighbor": n, "split_image_in_rows": split, "min_length": 5, "consecutive_ones": 0,
            "qmax_to_split_in_rows": 5.9,
        });
        run(&mut raw, "ClusterFinder", parameters).unwrap();
        let table = table(&raw);
        prop_assert_eq!(table.pixel_count(), count);
        let energy: f64 = table.clusters.iter().map(|c| c.energy).sum();
        prop_assert!((energy - expected * 3.74 / 1000.0).abs() < 1e-12 * expected.max(1.0));
        let ps: f64 = table.clusters.iter().map(|c| c.energy_subtracted).sum();
        prop_assert!((ps - expected).abs() < 1e-12 * expected.max(1.0));
    }
}
