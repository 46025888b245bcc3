//! CrossTalkProcess: positions that are flagged by chance, and bright pixels whose cross-talk must be found.

use serde_json::{Value, json};

use super::super::case::{Analysed, Case, Findings, Quantity, chain};
use super::super::{Extent, Study};
use crate::stats::distributions::ln_gamma;

const CHANCE: &str = "positions flagged by chance";

pub(super) const STUDY: Study = Study {
    name: "cross_talk",
    title: "CrossTalkProcess: positions whose skips scatter unusually in both amplifiers",
    quantities: &[Quantity::with_expected_error(
        CHANCE,
        "pixels",
        "against n·p²: p is the probability that the standard deviation of N normal samples (χ distribution) lies n_sig trimmed \
         standard deviations from its trimmed mean; √(np²(1−p²)). Every bright pixel must be flagged besides",
    )],
    cases,
};

/// Columns of one amplifier: prescan, active, overscan.
const COLUMNS: [usize; 3] = [4, 80, 16];
const ROWS: usize = 60;
/// Percentiles between which values are central.
const CENTRAL: [f64; 2] = [5.0, 95.0];
/// Bright pixels: row and readout column. Electrons that are lost from skip to skip make their skips scatter, and a part of
/// it shows in the other amplifier.
const BRIGHT: [(usize, usize); 4] = [(7, 20), (20, 61), (33, 9), (51, 80)];
const ELECTRONS: u32 = 40_000;

fn cases(extent: Extent) -> Vec<Case> {
    let settings: &[(usize, f64)] = match extent {
        Extent::Fast => &[(20, 2.5)],
        Extent::Full => &[(20, 2.5), (20, 2.0), (60, 2.5)],
    };
    settings
        .iter()
        .map(|&(skips, n_sig)| {
            let line: usize = COLUMNS.iter().sum();
            // in turn in the half of L and in the mirrored half of U
            let list: Vec<Value> = BRIGHT
                .iter()
                .enumerate()
                .map(|(k, (row, col))| json!([row, if k % 2 == 0 { *col } else { 2 * line - 1 - col }, ELECTRONS]))
                .collect();
            let simulate = json!({"layout": "dual", "rows": ROWS, "active_cols": 2 * COLUMNS[1], "prescan_cols": COLUMNS[0],
                "overscan_cols": COLUMNS[2], "skips": skips, "gain": 10.0, "noise": {"sigma1": 3.0}, "lambda_image": 0.0, "adc_bits": 24,
                "charge_loss": 1e-3, "crosstalk": 0.05, "sources": [{"type": "pixels", "list": list}]});
            let process = chain(&[
                ("CompressSkipperProcess", json!({"func_to_compress": ["mean", "std"]})),
                ("CrossTalkProcess", json!({"n_sig": n_sig, "percentile": CENTRAL})),
            ]);
            let label = format!("{skips} skips, {n_sig} σ");
            Case::new(label, simulate, process, move |image, findings| compare(image, skips, n_sig, findings))
        })
        .collect()
}

fn compare(image: &Analysed, skips: usize, n_sig: f64, findings: &mut Findings) -> Result<(), String> {
    let flagged = &image.raw.masks.get("xtalk").ok_or("there is no image of cross-talk")?.pixels;
    let line: usize = COLUMNS.iter().sum();
    for (row, col) in BRIGHT {
        if !(flagged[[row, col]] && flagged[[row, 2 * line - 1 - col]]) {
            return Err(format!("the cross-talk of row {row}, readout column {col} is not flagged in both halves"));
        }
    }
    let mut left = 0;
    for ((row, col), flag) in flagged.indexed_iter() {
        if *flag != flagged[[row, 2 * line - 1 - col]] {
            return Err("the halves of U and L are not the mirror images of each other".into());
        }
        left += usize::from(*flag && col < line);
    }
    let by_chance = left - BRIGHT.len();
    let n = (ROWS * line - BRIGHT.len()) as f64;
    let p = unusual(skips, n_sig).powi(2);
    findings.compare(CHANCE, by_chance as f64, n * p, (n * p * (1.0 - p)).sqrt());
    Ok(())
}

/// Probability that the standard deviation (÷N) of N normal numbers lies farther than `n_sig` trimmed standard deviations
/// from its trimmed mean. Its density is ∝ s^(N−2)·exp(−Ns²/2), summed here on a fine grid.
fn unusual(skips: usize, n_sig: f64) -> f64 {
    const STEP: f64 = 1e-4;
    let n = skips as f64;
    let norm = 0.5 * (n - 1.0) * (n / 2.0).ln() - ln_gamma(0.5 * (n - 1.0)) + 2_f64.ln();
    let density = |s: f64| (norm + (n - 2.0) * s.ln() - 0.5 * n * s * s).exp();
    let grid: Vec<(f64, f64)> =
        (0..30_000).map(|k| (f64::from(k) + 0.5) * STEP).map(|s| (s, density(s) * STEP)).collect();
    let (mut below, mut weight, mut sum, mut squares) = (0.0, 0.0, 0.0, 0.0);
    for (s, p) in &grid {
        below += p;
        if (CENTRAL[0] / 100.0..=CENTRAL[1] / 100.0).contains(&below) {
            weight += p;
            sum += p * s;
            squares += p * s * s;
        }
    }
    let mean = sum / weight;
    let limit = n_sig * (squares / weight - mean * mean).sqrt();
    grid.iter().filter(|(s, _)| (s - mean).abs() > limit).map(|(_, p)| p).sum()
}
