use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::image::Amplifier;
use crate::process::reconstruction::test_images::{self, run};

/// An image in e⁻ with σ = 1 e⁻; clusters are found with method 0 above 3 e⁻, seeds above 4 e⁻.
fn image(pixels: Array2<f64>) -> RawData {
    let (rows, cols) = pixels.dim();
    let amplifier = Amplifier::whole_image("EXT0", 0, rows, cols);
    test_images::calibrated("mean_compressed", pixels, &vec![0.0; rows], &vec![1.0; rows], 1.0, amplifier)
}

/// Splits the image into a left half L and a mirrored right half U.
fn two_amplifiers(raw: &mut RawData) {
    let half = |name: &str, side, cols: Range<usize>| Amplifier {
        side,
        full: Region::new(0..raw.rows, cols.clone()),
        active: Region::new(0..raw.rows, cols),
        ..Amplifier::whole_image(name, 0, raw.rows, raw.cols)
    };
    raw.amplifiers = vec![half("U", Side::U, raw.cols / 2..raw.cols), half("L", Side::L, 0..raw.cols / 2)];
}

fn find(raw: &mut RawData) {
    run(raw, "ClusterFinder", json!({"method": 0, "spr_threshold": [1.0, 3, 4], "get_fitted_STD": false})).unwrap();
}

/// The pixels of a mask, as (row, col).
fn masked(raw: &RawData, name: &str) -> Vec<(usize, usize)> {
    raw.masks[name].pixels.indexed_iter().filter(|(_, m)| **m).map(|(p, _)| p).collect()
}

fn rectangle(rows: Range<usize>, cols: Range<usize>) -> Vec<(usize, usize)> {
    rows.flat_map(|r| cols.clone().map(move |c| (r, c))).collect()
}

/// Spec 05 §4: 130 clusters of 12593 pixels mask 22123.
#[test]
fn the_real_image_has_22123_masked_pixels() {
    let Some(mut raw) = test_images::real_image() else { return };
    let finder = json!({"spr_threshold": [null, 15, 50], "only_cls_seed": true, "method": 0, "get_fitted_STD": false});
    run(&mut raw, "ClusterFinder", finder).unwrap();
    let parameters = json!({
        "cluster_size_min": 1, "cluster_E_min": 3, "cluster_box_E_min": 100_000_000, "N_col_pre": 1, "N_col_post": 5,
        "N_row_pre": 1, "N_row_post": 1,
    });
    run(&mut raw, "BuildClusterMask", parameters).unwrap();
    assert_eq!(masked(&raw, "mask_clusters").len(), 22123);
    assert_eq!(raw.masks["mask_clusters"].pixels, raw.masks["mask_clusters_only"].pixels);
    assert_eq!(raw.masks["mask_clusters"].extname.as_deref(), Some("FULLMASK"));
    assert_eq!(raw.masks["mask_clusters_only"].extname.as_deref(), Some("CLSMASK"));
}

#[test]
fn margins_surround_an_energetic_cluster_and_are_mirrored_for_u() {
    let mut pixels = Array2::zeros((9, 40));
    pixels[[4, 10]] = 200.0;
    pixels[[4, 30]] = 200.0;
    let margins = json!({"cluster_size_min": 1, "N_col_pre": 1, "N_col_post": 5, "N_row_pre": 2, "N_row_post": 3});
    let mut raw = image(pixels.clone());
    find(&mut raw);
    run(&mut raw, "BuildClusterMask", margins.clone()).unwrap();
    let mut expected = rectangle(2..8, 9..16);
    expected.extend(rectangle(2..8, 29..36));
    expected.sort_unstable();
    assert_eq!(masked(&raw, "mask_clusters"), expected);

    let mut raw = image(pixels);
    two_amplifiers(&mut raw);
    find(&mut raw);
    run(&mut raw, "BuildClusterMask", margins).unwrap();
    let mut expected = rectangle(2..8, 9..16);
    expected.extend(rectangle(2..8, 25..32));
    expected.sort_unstable();
    assert_eq!(masked(&raw, "mask_clusters"), expected);
}

#[test]
fn cuts_on_energy_size_extent_and_seed() {
    // A pair of 8 + 5 e⁻ with a seed, a single pixel of 50 e⁻, a pixel of 3.5 e⁻ without a seed.
    let mut pixels = Array2::zeros((9, 30));
    pixels[[4, 5]] = 8.0;
    pixels[[4, 6]] = 5.0;
    pixels[[4, 15]] = 50.0;
    pixels[[4, 25]] = 3.5;
    let mut raw = image(pixels);
    find(&mut raw);
    let (pair, single) = (rectangle(3..6, 4..8), rectangle(3..6, 14..17));
    let both = || {
        let mut both = [pair.clone(), single.clone()].concat();
        both.sort_unstable();
        both
    };
    for (parameters, expected) in [
        (json!({}), pair.clone()),
        (json!({"cluster_size_min": 1}), both()),
        (json!({"cluster_size_min": 1, "cluster_E_min": 13}), single.clone()),
        (json!({"cluster_size_min": 1, "cluster_E_min": 13, "mask_below_threshold": [true, 12.9]}), single.clone()),
        (json!({"cluster_size_min": 1, "cluster_E_min": 14, "mask_below_threshold": [true, 13.5]}), both()),
        (json!({"cluster_size_min": 1, "cluster_DX_min": 2}), pair.clone()),
        (json!({"cluster_size_min": 1, "cluster_DY_min": 2}), vec![]),
    ] {
        run(&mut raw, "BuildClusterMask", parameters.clone()).unwrap();
        assert_eq!(masked(&raw, "mask_clusters"), expected, "{parameters}");
    }
}

#[test]
fn whole_columns_or_rows_of_energetic_clusters() {
    let mut pixels = Array2::zeros((6, 20));
    pixels[[2, 4]] = 200.0;
    pixels[[3, 4]] = 10.0;
    pixels[[2, 15]] = 200.0;
    let mut raw = image(pixels);
    two_amplifiers(&mut raw);
    find(&mut raw);
    let block = |more: Value| {
        let mut block = json!({"cluster_size_min": 1, "N_col_post": 3});
        block.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        block
    };
    run(&mut raw, "BuildClusterMask", block(json!({"mask_cluster_column": true, "mask_cluster_row": true}))).unwrap();
    let mut expected = rectangle(0..6, 4..7);
    expected.extend(rectangle(0..6, 13..16)); // U is read towards lower columns
    expected.sort_unstable();
    assert_eq!(masked(&raw, "mask_clusters"), expected, "column has precedence");

    run(&mut raw, "BuildClusterMask", block(json!({"mask_cluster_row": true}))).unwrap();
    assert_eq!(masked(&raw, "mask_clusters"), rectangle(2..4, 0..20));

    let small = json!({"mask_cluster_row": true, "cluster_box_E_min": 1000, "cluster_size_min": 2});
    run(&mut raw, "BuildClusterMask", small).unwrap();
    assert_eq!(masked(&raw, "mask_clusters"), rectangle(1..5, 3..6), "a cluster below the limit keeps its margin of 1");
}

#[test]
fn hot_lines_and_inactive_pixels() {
    let mut raw = image(Array2::zeros((4, 10)));
    two_amplifiers(&mut raw);
    raw.amplifiers[0].active.cols = 5..9;
    raw.amplifiers[1].active.cols = 1..5;
    find(&mut raw);
    let inactive = || {
        let mut inactive = rectangle(0..4, 0..1);
        inactive.extend(rectangle(0..4, 9..10));
        inactive.sort_unstable();
        inactive
    };
    let parameters = json!({"hot_cols": {"L": [2, 7], "U": [[5, 6]]}, "hot_rows": {"U": [3, 9]}});
    run(&mut raw, "BuildClusterMask", parameters).unwrap();
    assert_eq!(masked(&raw, "mask_clusters_only"), inactive());
    let mut expected = inactive();
    expected.extend(rectangle(0..4, 2..3));
    expected.extend(rectangle(0..4, 5..7));
    expected.extend(rectangle(3..4, 7..9));
    expected.sort_unstable();
    assert_eq!(masked(&raw, "mask_clusters"), expected, "column 7 is not read by L");
    let warnings: Vec<_> = raw.report.warnings().map(|w| w.text.as_str()).collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("hot_rows") && warnings[1].contains("amplifier L"), "{warnings:?}");

    run(&mut raw, "BuildClusterMask", json!({"hot_cols": [2, 7]})).unwrap();
    assert!(raw.masks["mask_clusters"].pixels[[0, 2]] && raw.masks["mask_clusters"].pixels[[0, 7]]);
}

/// Stacked extensions are different CCDs: lists are local, and a margin does not reach into the next one.
#[test]
fn stacked_extensions_do_not_mask_each_other() {
    let mut pixels = Array2::zeros((8, 5));
    pixels[[3, 2]] = 200.0;
    let mut raw = image(pixels);
    raw.stacked = true;
    let block = |hdu: usize, rows: Range<usize>| Amplifier {
        full: Region::new(rows.clone(), 0..5),
        active: Region::new(rows, 0..5),
        ..Amplifier::whole_image(&format!("EXT{hdu}"), hdu, 8, 5)
    };
    raw.amplifiers = vec![block(1, 0..4), block(2, 4..8)];
    find(&mut raw);
    let parameters = json!({"cluster_size_min": 1, "N_row_pre": 1, "N_row_post": 3, "hot_rows": {"EXT2": [0]}});
    run(&mut raw, "BuildClusterMask", parameters).unwrap();
    assert_eq!(masked(&raw, "mask_clusters_only"), rectangle(2..4, 0..5));
    assert_eq!(masked(&raw, "mask_clusters"), rectangle(2..5, 0..5));
}

#[test]
fn ids_and_discs_of_masked_clusters() {
    let mut pixels = Array2::zeros((9, 24));
    for (row, col, charge) in [(4, 4, 5.0), (4, 5, 10.0), (5, 5, 6.0), (4, 14, 8.0), (4, 20, 3.5)] {
        pixels[[row, col]] = charge;
    }
    let mut raw = image(pixels);
    find(&mut raw);
    let parameters = |threshold: f64| json!({"add_cluster_id": true, "qmax_threshold": threshold, "circular_mask": true, "radius": 2.0});
    run(&mut raw, "BuildClusterMask", parameters(0.5)).unwrap();
    let found = |raw: &RawData| -> Vec<(usize, usize, f64)> {
        let ids = &raw.images["mask_clusters_ids"];
        ids.indexed_iter().filter(|(_, v)| **v != 0.0).map(|((r, c), v)| (r, c, *v)).collect()
    };
    let close = |a: &[(usize, usize, f64)], b: &[(usize, usize, f64)]| {
        assert_eq!(a.len(), b.len(), "{a:?}");
        assert!(a.iter().zip(b).all(|(a, b)| (a.0, a.1) == (b.0, b.1) && (a.2 - b.2).abs() < 1e-5), "{a:?}");
    };
    close(&found(&raw), &[(4, 5, 1e10 + 10.0), (5, 5, 1e10 + 6.0)]);
    run(&mut raw, "BuildClusterMask", parameters(4.5)).unwrap();
    close(&found(&raw), &[(4, 4, 1e10 + 5.0), (4, 5, 1e10 + 10.0), (5, 5, 1e10 + 6.0)]);

    let disc: Vec<_> = rectangle(0..9, 0..24)
        .into_iter()
        .filter(|&(r, c)| (r as f64 - 4.0).powi(2) + (c as f64 - 5.0).powi(2) <= 4.0)
        .collect();
    assert_eq!(disc.len(), 13);
    assert_eq!(masked(&raw, "circular_mask_clusters"), disc);
    assert_eq!(raw.masks["circular_mask_clusters"].extname, None);
}

#[test]
fn what_cannot_be_done_is_said() {
    let mut raw = image(Array2::zeros((4, 4)));
    let error = run(&mut raw, "BuildClusterMask", json!({})).unwrap_err().to_string();
    assert!(error.contains("ClusterFinder must run before"), "{error}");
    find(&mut raw);
    raw.amplifiers = vec![raw.amplifiers[0].clone(); 3];
    let error = run(&mut raw, "BuildClusterMask", json!({})).unwrap_err().to_string();
    assert!(error.contains("3 amplifiers"), "{error}");
    assert_eq!(test_images::process("BuildClusterMask", json!({"circular_mask": true, "radius": -1})).check().len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, ..ProptestConfig::default() })]

    /// The mask is what the definition gives pixel by pixel.
    #[test]
    fn the_mask_equals_a_box_around_every_pixel(
        charges in prop::collection::vec(prop_oneof![4 => Just(0.0), 1 => 0.0..8.0f64, 1 => 3.0..40.0f64], 22 * 26),
        (left, right, above, below) in (0usize..4, 0usize..7, 0usize..3, 0usize..5),
        limit in 0.0..120.0f64, two in any::<bool>(), columns in any::<bool>(), rows in any::<bool>(),
    ) {
        let mut raw = image(Array2::from_shape_vec((22, 26), charges).unwrap());
        if two {
            two_amplifiers(&mut raw);
        }
        find(&mut raw);
        let parameters = json!({
            "N_col_pre": left, "N_col_post": right, "N_row_pre": above, "N_row_post": below, "cluster_size_min": 1,
            "cluster_box_E_min": limit, "mask_cluster_column": columns, "mask_cluster_row": rows,
        });
        run(&mut raw, "BuildClusterMask", parameters).unwrap();
        let table = raw.products.get::<ClusterTable>().unwrap();
        let mut expected = Array2::from_elem((22, 26), false);
        for i in (0..table.len()).filter(|&i| table.clusters[i].has_seed) {
            let cluster = &table.clusters[i];
            let mirrored = raw.amplifiers[cluster.amplifier].side == Side::U;
            let energetic = cluster.energy * 1000.0 / 3.74 > limit;
            for (row, col) in table.coordinates(i) {
                for ((r, c), masked) in expected.indexed_iter_mut() {
                    let (dr, mut dc) = (r as i64 - row as i64, c as i64 - col as i64);
                    if mirrored {
                        dc = -dc;
                    }
                    let inside = |before: usize, d: i64, after: usize| -(before as i64) <= d && d <= after as i64;
                    *masked |= match (energetic, columns, rows) {
                        (true, true, _) => inside(0, dc, right.max(1) - 1),
                        (true, false, true) => dr == 0,
                        (true, false, false) => inside(above, dr, below) && inside(left, dc, right),
                        (false, ..) => inside(1, dr, 1) && inside(1, dc, 1),
                    };
                }
            }
        }
        prop_assert_eq!(&raw.masks["mask_clusters"].pixels, &expected);
    }
}
