//! Steps of the detector response against the numbers of spec 07 §4 and against the laws they implement.

use serde_json::json;

use super::tests_support::{ccd, collection, context, hit};
use super::*;
use crate::process::digitize::{Ccd, DigitizeProcess, FullNoise, Hit, HitCollection, ResponseContext};

fn step<P: serde::de::DeserializeOwned>(block: serde_json::Value) -> P {
    serde_json::from_value(block).unwrap()
}

fn run(step: &dyn DigitizeProcess, hits: &mut HitCollection, ccd: &Ccd) {
    step.execute(hits, &context(ccd, &FullNoise::default())).unwrap();
}

/// Mean and population variance.
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n)
}

/// Spread of the electrons of 5.9 keV at 300 µm: s = 8.4829 µm; legacy scale 8.1734 µm; 10 times alpha 8.1731·(1+…).
#[test]
fn electrons_spread_with_the_width_of_the_law() {
    let ccd = ccd(4000, 6000);
    for (block, expected) in [
        (json!({}), 8.4829),
        (json!({"alpha_legacy_scale": 1}), 8.1734),
        (json!({"alpha": 5.97e-5}), 8.1731 * (1.0 + 6.4258e-5 * 5898.8)),
        (json!({"only_pair_creation": 1}), 0.0),
    ] {
        let diffusion: Diffusion = step(block.clone());
        let mut hits = collection(vec![hit(30.0, 30.0, 0.3, 5898.8); 100]);
        run(&diffusion, &mut hits, &ccd);
        let n = hits.hits.len() as f64;
        for axis in [|h: &Hit| h.x, |h: &Hit| h.y] {
            let values: Vec<f64> = hits.hits.iter().map(|h| axis(h) * 1e3).collect();
            let (mean, variance) = moments(&values);
            assert!((mean - 3e4).abs() <= 5.0 * expected / n.sqrt(), "{block}: {mean}");
            assert!(
                (variance.sqrt() - expected).abs() <= 5.0 * expected / (2.0 * n).sqrt() + 1e-4,
                "{block}: {}",
                variance.sqrt()
            );
        }
        assert!(
            hits.hits
                .iter()
                .all(|h| h.charge == 1 && h.energy == 3.74 && h.z == 0.3 && (h.sigma * 1e3 - expected).abs() < 1e-3)
        );
        // 100 deposits of 5898.8 eV: E/e2eV electrons each, Fano fluctuations
        let pairs = 100.0 * 5898.8 / 3.74;
        assert!((n - pairs).abs() < 5.0 * (0.129 * pairs).sqrt() + 5.0, "{n}");
    }
}

#[test]
fn the_pairs_of_an_event_below_50_ev_follow_the_table_for_their_sum() {
    let ccd = ccd(100, 100);
    let diffusion: Diffusion = step(json!({"model": "karthik"}));
    let mut counts = [0.0; 8];
    let n = 20_000;
    for event in 0..n {
        let mut hits = collection(vec![hit(0.7, 0.7, 0.3, 4.0), hit(0.7, 0.7, 0.3, 6.0)]);
        hits.event = event;
        run(&diffusion, &mut hits, &ccd);
        counts[hits.hits.len()] += 1.0 / n as f64;
    }
    for (pairs, expected) in [(2, 0.27835), (3, 0.63976), (4, 0.08144)] {
        let error = (expected * (1.0 - expected) / n as f64).sqrt();
        assert!((counts[pairs] - expected).abs() < 0.015 + 5.0 * error, "{pairs}: {}", counts[pairs]);
    }
}

/// Collection probability at 2.2 µm from the back: binomial by default, rounded as the reference on demand (29 of 100).
#[test]
fn part_of_the_charge_is_lost_at_the_back() {
    let ccd = ccd(100, 100);
    let round: Diffusion =
        step(json!({"apply_pcc": 1, "pcc_mode": "round", "fanofactor": 0.0, "only_pair_creation": 1}));
    let mut hits = collection(vec![hit(0.7, 0.7, 0.675 - 0.0022, 374.0)]);
    run(&round, &mut hits, &ccd);
    assert_eq!(hits.hits.len(), 29);
    let binomial: Diffusion = step(json!({"apply_pcc": 1}));
    let mut hits = collection(vec![hit(0.7, 0.7, 0.675 - 0.0022, 374_000.0)]);
    run(&binomial, &mut hits, &ccd);
    let (n, p) = (100_000.0_f64, 0.285_574);
    // binomial and Fano fluctuations together
    let error = (n * p * (1.0 - p) + 0.129 * n * p * p).sqrt();
    assert!((hits.hits.len() as f64 - n * p).abs() < 5.0 * error, "{}", hits.hits.len());
    let mut gone = collection(vec![hit(0.7, 0.7, 0.3, 0.5)]);
    run(&binomial, &mut gone, &ccd);
    assert!(gone.killed, "half an eV makes no pair");
}

/// Example of spec 07 §4.2: ampli 2, 4000 columns, 0.001 s: 2 s per row; t = 7.9 s is 3 rows later.
#[test]
fn deposits_during_the_readout_move_to_later_rows() {
    let ccd = ccd(1000, 4000);
    let at = |ampli: u8, y: f64, time: f64| {
        let readout: ContinuousReadout = step(json!({"ampli": ampli, "pixel_read_time": 0.001}));
        let mut hits = collection(vec![Hit { time, ..hit(1.0, y, 0.3, 10.0) }]);
        run(&readout, &mut hits, &ccd);
        hits.hits[0].y
    };
    assert!((at(2, 0.1, 7.9) - 0.145).abs() < 1e-12);
    assert!((at(1, 0.1, 7.9) - 0.115).abs() < 1e-12);
    assert_eq!(at(2, 0.1, 1.9), 0.1);
    assert!((at(4, 14.0, 7.9) - 13.955).abs() < 1e-12, "the upper half is read upwards");
    let off: ContinuousReadout = step(json!({"pixel_read_time": 0}));
    let mut hits = collection(vec![Hit { time: 1e9, ..hit(1.0, 0.1, 0.3, 10.0) }]);
    run(&off, &mut hits, &ccd);
    assert_eq!(hits.hits[0].y, 0.1);
}

/// One time for the collection, uniform: before the end of the exposure nothing moves, later all hits move alike.
#[test]
fn uniform_times_are_drawn_once_per_collection() {
    let ccd = ccd(1000, 1000);
    // 1000 rows of 1 s after an exposure of 1000 s: half of the collections do not move
    let readout: ContinuousReadout =
        step(json!({"ampli": 1, "pixel_read_time": 0.001, "time_origin": "uniform", "exp_time": 1000}));
    let mut still = 0;
    for event in 0..1000 {
        let mut hits = collection(vec![hit(1.0, 0.1, 0.3, 10.0), hit(1.0, 0.3, 0.3, 10.0)]);
        hits.event = event;
        run(&readout, &mut hits, &ccd);
        assert!((hits.hits[1].y - hits.hits[0].y - 0.2).abs() < 1e-9);
        still += u32::from(hits.hits[0].y == 0.1);
    }
    assert!((f64::from(still) - 500.0).abs() < 5.0 * 250.0_f64.sqrt(), "{still}");
}

/// Example of spec 07 §4.3: two hits of 10 eV in a pixel, t = 0 and 1, codes 22 and 11.
#[test]
fn hits_are_summed_in_pixels() {
    let ccd = ccd(100, 200);
    let mut hits = collection(vec![
        Hit { time: 0.0, pdg: 22, z: 0.1, ..hit(0.001, 0.016, 0.0, 10.0) },
        Hit { time: 1.0, pdg: 11, z: 0.3, ..hit(0.014, 0.029, 0.0, 10.0) },
        hit(-0.001, 0.0, 0.1, 10.0),
        hit(3.0, 0.0, 0.1, 10.0),
        hit(0.02, 0.001, 0.1, 0.0),
    ]);
    run(&PixelizeSignal::default(), &mut hits, &ccd);
    assert_eq!(hits.pixels.len(), 1, "{:?}", hits.pixels);
    let p = &hits.pixels[0];
    assert_eq!((p.row, p.col, p.energy, p.pdg), (1, 0, 20.0, 11));
    assert_eq!((p.time, p.std_time, p.window), (0.5, 0.5, 0));
    assert!((p.z - 0.2).abs() < 1e-12);
    assert!(p.flags.gamma && p.flags.electron && !p.flags.ion && !p.flags.neutron);
    let mut shifted = collection(vec![hit(0.001, 0.016, 0.0, 10.0)]);
    run(&step::<PixelizeSignal>(json!({"shift_pixel_in_x": 1})), &mut shifted, &ccd);
    assert!(shifted.killed);
}

/// Silicon: a silicon code, and an ion is the most frequent particle (decision 10).
#[test]
fn particle_flags_tell_recoils_from_alphas() {
    let ccd = ccd(10, 10);
    let flags = |codes: &[i32]| {
        let mut hits = collection(codes.iter().map(|c| Hit { pdg: *c, ..hit(0.01, 0.01, 0.1, 5.0) }).collect());
        run(&PixelizeSignal::default(), &mut hits, &ccd);
        hits.pixels[0].flags
    };
    let recoil = flags(&[1_000_140_280, 1_000_140_280, 2112]);
    assert!(recoil.silicon && recoil.ion && recoil.neutron && !recoil.alpha);
    let alpha = flags(&[1_000_020_040, 1_000_822_080]);
    assert!(!alpha.silicon && alpha.alpha && alpha.ion);
    assert!(!flags(&[1_000_140_280, 11, 11]).silicon);
    assert!(flags(&[-11]).electron);
}

/// λ = R T (spec: 0.001 per day for a third of a day: 3.3333e-4), growing by t_r per row if asked for; noise has the width
/// σ/√nSamples around the pedestal. Five standard errors.
#[test]
fn noise_has_the_mean_and_the_width_asked_for() {
    let ccd = ccd(2000, 300);
    let dark = DarkCurrent::default();
    assert!((dark.mean(7) - 3.3333e-4).abs() < 1e-8);
    let rows: DarkCurrent = step(
        json!({"darkcurrent": 1.0, "exp_time": 0.5, "row_readtime": 0.01, "exp_mode": "exposure-per-row", "mode": "full-image"}),
    );
    let noise = rows.full_noise(&ccd, 1).unwrap();
    for (start, expected) in [(0, 0.5 + 0.0495), (1000, 10.5 + 0.0495)] {
        let sum: f64 = (start..start + 10).flat_map(|row| noise.row(row)).map(|v| f64::from(*v)).sum();
        let mean = sum / 3.74 / 3000.0;
        assert!((mean - expected).abs() < 5.0 * (expected / 3000.0_f64).sqrt(), "row {start}: {mean}");
    }
    let readout: ElectronicNoise = step(json!({"pedestal": 2.0, "sigma": 0.5, "nSamples": 25, "mode": "full-image"}));
    let noise = readout.full_noise(&ccd, 1).unwrap();
    let values: Vec<f64> = noise.iter().map(|v| f64::from(*v) / 3.74).collect();
    let (mean, variance) = moments(&values);
    let n = values.len() as f64;
    assert!((mean - 2.0).abs() < 5.0 * 0.1 / n.sqrt() && (variance.sqrt() - 0.1).abs() < 5.0 * 0.1 / (2.0 * n).sqrt());
}

/// No thermal charge outside the active pixels, electronic noise everywhere.
#[test]
fn overscan_has_noise_but_no_dark_current() {
    let ccd = Ccd { rows_prescan: 2, rows_overscan: 3, cols_prescan: 4, cols_overscan: 5, ..ccd(20, 30) };
    let dark: DarkCurrent = step(json!({"darkcurrent": 100, "exp_time": 1, "mode": "full-image"}));
    let noise = dark.full_noise(&ccd, 1).unwrap();
    assert_eq!(noise.dim(), (25, 39));
    for ((row, col), value) in noise.indexed_iter() {
        assert_eq!(*value > 0.0, (2..22).contains(&row) && (4..34).contains(&col), "{row} {col}");
    }
}

fn with_pixels(ccd: &Ccd, pixels: &[(u32, u32, f64)]) -> HitCollection {
    let hits = pixels
        .iter()
        .map(|&(row, col, energy)| hit((f64::from(col) + 0.5) * 0.015, (f64::from(row) + 0.5) * 0.015, 0.1, energy))
        .collect();
    let mut hits = collection(hits);
    run(&PixelizeSignal::default(), &mut hits, ccd);
    hits
}

/// Cropped and full noise give identical coordinates for the same signal (decision 7).
#[test]
fn coordinates_do_not_depend_on_the_noise_mode() {
    let ccd = Ccd { rows_prescan: 3, cols_prescan: 7, cols_overscan: 5, ..ccd(100, 200) };
    let signal = [(0, 0, 5000.0), (50, 60, 4000.0), (99, 199, 3000.0)];
    let mut found = Vec::new();
    for mode in ["cropped-image", "full-image"] {
        let noise: ElectronicNoise = step(json!({"sigma": 0.1, "mode": mode}));
        let mut full = FullNoise::default();
        if let Some(values) = noise.full_noise(&ccd, 1) {
            full.add(values);
        }
        let mut context = context(&ccd, &full);
        context.threshold = Some(100.0);
        let mut hits = with_pixels(&ccd, &signal);
        noise.execute(&mut hits, &context).unwrap();
        SignalPatternRecognition::default().execute(&mut hits, &context).unwrap();
        for (p, (row, col, energy)) in hits.pixels.iter().zip(signal) {
            assert_eq!((p.row, p.col), (row, col), "{mode}");
            assert!((p.energy - energy).abs() < 5.0 * 0.1 * 3.74 && p.energy != energy, "{mode}: {}", p.energy);
        }
        found.push(hits.pixels.len());
    }
    assert_eq!(found, [3, 3]);
}

/// Pixels of noise alone: as many above the threshold as a Gaussian has; they carry −1 and no flags.
#[test]
fn noise_above_the_threshold_is_kept_and_marked() {
    let ccd = ccd(300, 300);
    let mut counts = Vec::new();
    for mode in ["cropped-image", "full-image"] {
        let noise: ElectronicNoise = step(json!({"sigma": 1.0, "mode": mode, "img_size": 300}));
        let mut full = FullNoise::default();
        noise.full_noise(&ccd, 1).into_iter().for_each(|v| full.add(v));
        let mut context = context(&ccd, &full);
        context.threshold = Some(3.0 * 3.74);
        let mut hits = with_pixels(&ccd, &[(150, 150, 4000.0)]);
        noise.execute(&mut hits, &context).unwrap();
        ClusterFinder::default().execute(&mut hits, &context).unwrap();
        let alone: Vec<_> = hits.pixels.iter().filter(|p| p.pdg == -1).collect();
        assert!(alone.iter().all(|p| p.energy > 3.0 * 3.74
            && p.z == -1.0
            && p.time == -1.0
            && p.window == -1
            && !p.flags.electron));
        assert!(hits.pixels.is_sorted_by_key(|p| (p.row, p.col)));
        counts.push(alone.len() as f64);
    }
    let expected = 90_000.0 * crate::stats::distributions::normal_survival(3.0);
    assert!(counts.iter().all(|n| (n - expected).abs() < 5.0 * expected.sqrt()), "{counts:?}, expected {expected}");
}

/// Saturation 65535 ADU · ADC2eV; without noise the energies before it are kept.
#[test]
fn saturation_limits_pixels_and_keeps_the_truth() {
    let ccd = ccd(100, 100);
    let full = FullNoise::default();
    let saturation: PixelSaturation = step(json!({"saturation": 1000}));
    let limit = 1000.0 * ccd.adc2ev;
    let mut context = context(&ccd, &full);
    context.saturation_adu = Some(1000.0);
    let mut hits = with_pixels(&ccd, &[(5, 5, 200.0), (5, 6, 500.0)]);
    saturation.execute(&mut hits, &context).unwrap();
    ClusterFinder::default().execute(&mut hits, &context).unwrap();
    let energies: Vec<_> = hits.pixels.iter().map(|p| (p.energy, p.unsaturated)).collect();
    assert_eq!(energies, [(200.0, 200.0), (limit, 500.0)]);
    let table = hits.clusters.unwrap();
    assert!((table.clusters[0].energy - (200.0 + limit) / 1e3).abs() < 1e-12);
}

/// Reach √8: pixels two apart in both directions belong together, three apart do not.
#[test]
fn clusters_join_pixels_within_the_reach() {
    let ccd = ccd(100, 100);
    let cluster = |block: serde_json::Value| {
        let mut hits = with_pixels(&ccd, &[(10, 10, 40.0), (12, 12, 50.0), (12, 15, 60.0), (11, 11, 0.0)]);
        run(&step::<ClusterFinder>(block), &mut hits, &ccd);
        let table = hits.clusters.clone().unwrap();
        // the pixels of the clusters are those of the collection
        for (k, &i) in hits.cluster_pixels.iter().enumerate() {
            assert_eq!((table.rows[k], table.cols[k]), (hits.pixels[i].row, hits.pixels[i].col));
        }
        table.clusters.iter().map(|c| (c.energy * 1e3).round() as i32).collect::<Vec<_>>()
    };
    assert_eq!(cluster(json!({})), [90, 60]);
    assert_eq!(cluster(json!({"method": 0})), [40, 50, 60]);
    assert_eq!(cluster(json!({"max_nearest_neighbor": 3})), [150]);
}

/// Streams of event, CCD and window: other collections have other electrons, the same one the same.
#[test]
fn collections_have_their_own_random_numbers() {
    let ccd = ccd(100, 100);
    let electrons = |event: i64, ccd_number: i32, window: u64| {
        let mut hits = collection(vec![hit(0.7, 0.7, 0.3, 1000.0)]);
        (hits.event, hits.ccd, hits.window_number) = (event, ccd_number, window);
        run(&Diffusion::default(), &mut hits, &ccd);
        hits.hits
    };
    let first = electrons(1, 1, 0);
    assert_eq!(first, electrons(1, 1, 0));
    assert_ne!(first, electrons(2, 1, 0));
    assert_ne!(first, electrons(1, 2, 0));
    assert_ne!(first, electrons(1, 1, 1));
}

/// Images of two collections each, the last one only partly filled; the noise is added once.
#[test]
fn images_hold_the_signal_of_several_collections_and_the_noise_once() {
    let ccd = Ccd { rows_prescan: 1, cols_prescan: 2, ..ccd(10, 10) };
    let noise: ElectronicNoise = step(json!({"pedestal": 100.0, "sigma": 0.0, "mode": "full-image"}));
    let mut full = FullNoise::default();
    full.add(noise.full_noise(&ccd, 1).unwrap());
    let context: ResponseContext<'_> = context(&ccd, &full);
    let create: CreateFitsImage = step(json!({"n_events": 2}));
    let mut gatherer = create.gatherer(&ccd, 1).unwrap().unwrap();
    let mut images = Vec::new();
    for (row, energy) in [(3, 374.0), (3, 748.0), (4, 374.0)] {
        let mut hits = with_pixels(&ccd, &[(row, 5, energy)]);
        create.execute(&mut hits, &context).unwrap();
        images.extend(gatherer.gather(&mut hits, &context).unwrap());
    }
    images.extend(gatherer.close(&context).unwrap());
    assert_eq!(images.len(), 2);
    assert!(gatherer.close(&context).unwrap().is_empty(), "nothing is written twice");
    let base = 100.0 * 3.74 / ccd.adc2ev;
    for (image, (row, electrons)) in images.iter().zip([(3, 300.0), (4, 100.0)]) {
        let pixels = &image.hdus[0].1;
        assert_eq!(pixels.dim(), (11, 12));
        for ((r, c), value) in pixels.indexed_iter() {
            let signal = if (r, c) == (row + 1, 7) { electrons * 14.5 } else { 0.0 };
            assert!((value - base - signal).abs() < 1e-3 * base / 100.0, "{r} {c}: {value}");
        }
    }
}
