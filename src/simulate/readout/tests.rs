//! Samples against the formula of the readout, worked out by hand or by a slow and obvious way.

use serde_json::json;

use super::*;
use crate::simulate::charge::{ChargeMaker, contributions};
use crate::simulate::particles::particles;

fn setup(json: serde_json::Value) -> Setup {
    Setup::new(serde_json::from_value(json).unwrap()).unwrap()
}

/// Collects the bytes of the rows of all extensions.
struct Memory {
    rows: Vec<Vec<u8>>,
    size: usize,
}

impl RowSink for Memory {
    type Error = ();
    fn put(&mut self, ext: usize, first: usize, bytes: &[u8]) -> Result<(), ()> {
        let start = first * self.size;
        self.rows[ext][start..start + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
}

/// `[ext][row][file column]`: physical values of the whole image.
fn image(s: &Setup, keep_flicker: bool) -> Vec<Vec<Vec<f64>>> {
    let g = &s.geometry;
    let signal: Vec<_> = (0..g.extensions()).flat_map(|e| contributions(s, &particles(s, 0, e, false))).collect();
    let pedestals: Vec<_> = (0..g.amplifiers()).map(|a| Pedestal::new(s, 0, a)).collect();
    let readout = Readout::new(s, 0, &pedestals);
    let charge: Vec<_> =
        signal.iter().enumerate().map(|(a, list)| ChargeMaker::new(s, 0, a, list).block(0..g.rows())).collect();
    let mut flicker: Vec<_> = (0..g.amplifiers()).map(|a| readout.flicker_start(a)).collect();
    let storage = Storage::of(&s.config);
    let size = storage.bytes();
    let columns = g.cols() * readout.steps;
    let mut result = vec![Vec::new(); g.extensions()];
    let mut scratch = Scratch::default();
    for row in 0..g.rows() {
        let parts: Vec<FlickerRow> = (0..g.amplifiers())
            .filter_map(|a| {
                let mut part = readout.flicker_row(a, row, keep_flicker)?;
                part.start = flicker[a].clone();
                flicker[a] = readout.flicker_end(&part);
                Some(part)
            })
            .collect();
        let mut memory = Memory { rows: vec![vec![0; columns * size]; g.extensions()], size };
        let mut saturated = vec![vec![false; g.line()]; g.amplifiers()];
        let charge: Vec<&[u32]> = charge.iter().map(|rows| &rows[row][..]).collect();
        readout.row(row, &charge, &parts, &mut scratch, &mut saturated, &mut memory).unwrap();
        for (ext, bytes) in memory.rows.iter().enumerate() {
            let values = bytes.chunks_exact(size).map(|b| match storage {
                Storage::U16 => f64::from(i16::from_be_bytes([b[0], b[1]])) + 32768.0,
                Storage::I32 { offset } => {
                    f64::from(i32::from_be_bytes([b[0], b[1], b[2], b[3]])) + if offset { 2_147_483_648.0 } else { 0.0 }
                }
                Storage::F64 => f64::from_be_bytes(b.try_into().unwrap()),
            });
            result[ext].push(values.collect());
        }
    }
    result
}

/// The exact examples of spec 07 §8.3.
#[test]
fn exact_examples_of_the_specification() {
    let base = json!({"rows": 2, "active_cols": 3, "prescan_cols": 1, "overscan_cols": 1, "skips": 2, "gain": 10.0,
        "noise": {"sigma1": 0.0}, "lambda_image": 0.0, "sources": [{"type": "pixels", "list": [[1, 2, 3]]}]});
    let single = image(&setup(base.clone()), true);
    assert_eq!(single[0][0], [1000.0; 10]);
    assert_eq!(single[0][1], [1000., 1000., 1000., 1000., 1030., 1030., 1000., 1000., 1000., 1000.]);
    let mut inverted = base;
    inverted["polarity"] = json!(-1);
    assert_eq!(image(&setup(inverted), true)[0][1][4..6], [970.0, 970.0]);
    let dual =
        setup(json!({"layout": "dual", "rows": 1, "active_cols": 4, "prescan_cols": 1, "overscan_cols": 1, "skips": 2,
        "noise": {"sigma1": 0.0}, "lambda_image": 0.0, "pedestal": {"skip_transient": [8.0]}}));
    let row = &image(&dual, true)[0][0];
    assert_eq!(row[..8], [1008., 1000., 1008., 1000., 1008., 1000., 1008., 1000.]);
    assert_eq!(row[8..], [1000., 1008., 1000., 1008., 1000., 1008., 1000., 1008.]);
}

/// Ties go to the even number, values are clipped to the range of the ADC.
#[test]
fn values_are_rounded_and_clipped_like_an_adc() {
    let value = |base: f64, bits: u32| {
        let s = setup(json!({"rows": 1, "active_cols": 1, "prescan_cols": 0, "overscan_cols": 0, "skips": 1,
            "noise": {"sigma1": 0.0}, "lambda_image": 0.0, "pedestal": {"base": base}, "adc_bits": bits}));
        image(&s, true)[0][0][0]
    };
    for (base, bits, expected) in [
        (0.5, 16, 0.0),
        (1.5, 16, 2.0),
        (2.5, 16, 2.0),
        (999.49, 16, 999.0),
        (-3.0, 16, 0.0),
        (70_000.0, 16, 65_535.0),
        (70_000.0, 18, 70_000.0),
        (5000.0, 12, 4095.0),
        (3e9, 32, 3e9),
        (1e12, 32, 4_294_967_295.0),
        (1e12, 31, 2_147_483_647.0),
    ] {
        assert_eq!(value(base, bits), expected, "{base} with {bits} bits");
    }
}

/// Mean and width of the samples within five standard errors: gain · σ₁ and rounding, 1/12.
#[test]
fn white_noise_has_the_width_asked_for() {
    let s = setup(json!({"rows": 50, "lambda_image": 0.0}));
    let values: Vec<f64> = image(&s, true)[0].iter().flatten().copied().collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    let expected = 900.0 + 1.0 / 12.0;
    assert!((mean - 1000.0).abs() < 5.0 * (expected / n).sqrt(), "{mean}");
    assert!((variance / expected - 1.0).abs() < 5.0 * (2.0 / n).sqrt(), "{variance}");
}

/// Mean charge of skip k: Q (1 − p)^k, from 4000 pixels of 5 e⁻ (geometric lifetimes) and of 500 e⁻ (binomial losses).
#[test]
fn charge_is_lost_between_skips() {
    for q in [5_u32, 500] {
        let list: Vec<_> = (0..40).flat_map(|r| (0..100).map(move |c| json!([r, c, q]))).collect();
        let s = setup(json!({"rows": 40, "active_cols": 100, "prescan_cols": 0, "overscan_cols": 0, "skips": 20,
            "noise": {"sigma1": 0.0}, "lambda_image": 0.0, "charge_loss": 0.02, "gain": 1.0,
            "sources": [{"type": "pixels", "list": list}]}));
        let values: Vec<f64> = image(&s, true)[0].iter().flatten().map(|v| v - 1000.0).collect();
        for k in [0, 1, 7, 19] {
            let mean = values.iter().skip(k).step_by(20).sum::<f64>() / 4000.0;
            let survival = 0.98_f64.powi(k as i32);
            let error = (f64::from(q) * survival * (1.0 - survival) / 4000.0).sqrt();
            assert!((mean - f64::from(q) * survival).abs() <= 5.0 * error, "{q} e-, skip {k}: {mean}");
        }
        assert!(values.chunks_exact(20).all(|pixel| pixel.is_sorted_by(|a, b| a >= b)));
    }
}

/// Averages follow the same formula: the mean charge over the skips, Q (1 − (1 − p)^N)/(N p).
#[test]
fn averaged_images_hold_the_mean_of_the_skips() {
    let list: Vec<_> = (0..40).flat_map(|r| (0..100).map(move |c| json!([r, c, 50]))).collect();
    let s =
        setup(json!({"rows": 40, "active_cols": 100, "prescan_cols": 0, "overscan_cols": 0, "skips": 20, "gain": 2.0,
        "averaged": true, "noise": {"sigma1": 3.0}, "lambda_image": 0.0, "charge_loss": 0.02,
        "pedestal": {"base": -40.0, "skip_transient": [10.0]}, "sources": [{"type": "pixels", "list": list}]}));
    let values: Vec<f64> = image(&s, true)[0].iter().flatten().copied().collect();
    let mean = values.iter().sum::<f64>() / 4000.0;
    let expected = -40.0 + 0.5 + 2.0 * 50.0 * (1.0 - 0.98_f64.powi(20)) / (20.0 * 0.02);
    let spread = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 4000.0;
    assert!((mean - expected).abs() < 5.0 * (spread / 4000.0).sqrt(), "{mean} {expected}");
}

/// A sine in readout time, evaluated sample by sample with the library's sin; lines are equal in skips and in averages.
#[test]
fn lines_are_sines_in_readout_time() {
    let config = json!({"rows": 3, "active_cols": 5, "prescan_cols": 1, "overscan_cols": 1, "skips": 40, "t_skip": 1e-4,
        "noise": {"sigma1": 0.0, "lines": [{"freq": 60.0, "amplitude": 20.0, "phase": 0.4}, {"freq": 1234.5, "amplitude": 7.0}]},
        "lambda_image": 0.0, "gain": 1000.0, "adc_bits": 24, "pedestal": {"base": 1e6}});
    let s = setup(config.clone());
    let expected = |r: usize, c: usize, k: usize| {
        let t = ((r * 7 + c) * 40 + k) as f64 * 1e-4;
        20.0 * (2.0 * PI * 60.0 * t + 0.4).sin() + 7.0 * (2.0 * PI * 1234.5 * t).sin()
    };
    let skips = image(&s, true);
    let mut averaged = config;
    averaged["averaged"] = json!(true);
    let averages = image(&setup(averaged), true);
    for r in 0..3 {
        for c in 0..7 {
            let mut sum = 0.0;
            for k in 0..40 {
                let value = (skips[0][r][c * 40 + k] - 1e6) / 1000.0;
                assert!((value - expected(r, c, k)).abs() < 0.6e-3, "{r} {c} {k}");
                sum += expected(r, c, k) / 40.0;
            }
            assert!(((averages[0][r][c] - 1e6) / 1000.0 - sum).abs() < 1e-9);
        }
    }
}

/// Cross-talk adds the fraction of the other amplifier's sample at the same time, to each according to the matrix.
#[test]
fn cross_talk_mixes_samples_of_the_same_time() {
    let s =
        setup(json!({"layout": "dual", "rows": 1, "active_cols": 6, "prescan_cols": 1, "overscan_cols": 1, "skips": 2,
        "noise": {"sigma1": 0.0}, "lambda_image": 0.0, "gain": [10.0, 20.0], "crosstalk": [[0.0, 0.1], [0.02, 0.0]],
        "sources": [{"type": "pixels", "list": [[0, 2, 100], [0, 8, 50]]}]}));
    let row = &image(&s, true)[0][0];
    // columns 0–4 are L, 5–9 are U; column 8 is the second pixel that U reads, column 2 the third of L
    let pixel = |c: usize| row[2 * c] - 1000.0;
    assert_eq!((pixel(2), pixel(1)), (1000.0, 10.0 * 0.1 * 50.0));
    assert_eq!((pixel(8), pixel(7)), (1000.0, 20.0 * 0.02 * 100.0));
}

/// The response gain·Q·(1 + quadratic·Q), and the pedestal structure: rows, columns, transient.
#[test]
fn pedestal_and_response_add_up() {
    let s = setup(
        json!({"rows": 4, "active_cols": 6, "prescan_cols": 0, "overscan_cols": 0, "skips": 1, "quadratic": 1e-4,
        "noise": {"sigma1": 0.0}, "lambda_image": 0.0, "adc_bits": 32, "gain": 1e4, "sources": [{"type": "pixels", "list": [[2, 3, 1000]]}],
        "pedestal": {"base": 1e8, "row_rms": 1e5, "col_rms": 1e4, "row_drift": 4e4, "col_transient": {"amplitude": 1e5, "tau": 2.0}}}),
    );
    let values = image(&s, true);
    let p = Pedestal::new(&s, 0, 0);
    let plain = Pedestal::new(&setup(json!({"rows": 4})), 0, 0);
    assert_eq!(plain.rows, [1000.0; 4]);
    for r in 0..4 {
        for c in 0..6 {
            let charge = if (r, c) == (2, 3) { 1e4 * 1000.0 * 1.1 } else { 0.0 };
            assert!((values[0][r][c] - p.rows[r] - p.cols[c] - charge).abs() <= 0.5 + 1e-6);
        }
    }
    assert!(p.rows.windows(2).all(|w| w[0] != w[1]));
}

/// Rows whose 1/f noise is too large to be kept have it made again: the same values.
#[test]
fn flicker_is_the_same_whether_kept_or_made_again() {
    let s = setup(
        json!({"rows": 6, "active_cols": 40, "skips": 30, "noise": {"sigma1": 1.0, "flicker": 2.0}, "gain": 100.0}),
    );
    assert_eq!(image(&s, true), image(&s, false));
    let without = setup(json!({"rows": 6, "active_cols": 40, "skips": 30, "noise": {"sigma1": 1.0}, "gain": 100.0}));
    assert_ne!(image(&s, true), image(&without, true));
}
