//! CorrelatedNoiseProcess: noise that two amplifiers share, from cross-talk between them and from interference.

use std::f64::consts::PI;

use serde_json::{Value, json};

use super::super::case::{Analysed, Case, Findings, Quantity, chain};
use super::super::{Extent, Study};
use crate::process::analysis::correlated_noise::CorrelatedNoise;

const BEFORE: &str = "noise before";
const AFTER: &str = "noise after";
const WEIGHT: &str = "weight of the other amplifier";
const CORRELATION: &str = "correlation before";
const LEFT: &str = "correlation after";

pub(super) const STUDY: Study = Study {
    name: "correlated_noise",
    title: "CorrelatedNoiseProcess: noise of two amplifiers before and after",
    quantities: &[
        Quantity::with_own_error(BEFORE, "ADU", "against g σ_N √(1 + x²), x the cross-talk from the other amplifier"),
        Quantity::with_own_error(AFTER, "ADU", "against what the best linear combination leaves, σ√(1 − ρ²)"),
        Quantity::with_own_error(WEIGHT, "", "against covariance/variance of the other"),
        Quantity::with_own_error(CORRELATION, "", "against ρ"),
        Quantity::with_own_error(
            LEFT,
            "",
            "against −ρ: each of two amplifiers is corrected with the other as it was before",
        ),
    ],
    cases,
};

/// Gains of L and U, ADU/e⁻.
const GAINS: [f64; 2] = [5.0, 7.0];
/// Cross-talk from U to L and from L to U.
const CROSS_TALK: [f64; 2] = [0.4, 0.2];
/// Noise of an averaged pixel, e⁻.
const SIGMA: f64 = 0.15;
/// The same where the active region is used, e⁻.
const SIGMA_ACTIVE: f64 = 0.1;
/// Skips, time of a sample (s).
const SKIPS: u32 = 10;
const T_SKIP: f64 = 4e-5;
/// Interference: amplitude (e⁻), cycles per pixel.
const AMPLITUDE: f64 = 0.15;
const CYCLES: f64 = 0.137;

fn cases(extent: Extent) -> Vec<Case> {
    let (rows, overscan): (u32, u32) = if extent == Extent::Fast { (40, 40) } else { (100, 60) };
    let base = |more: Value| {
        let base = json!({"layout": "dual", "rows": rows, "active_cols": 60, "prescan_cols": 4, "overscan_cols": overscan, "skips": SKIPS,
            "averaged": true, "gain": GAINS, "lambda_image": 0.0, "t_skip": T_SKIP, "noise": {"sigma1": SIGMA * f64::from(SKIPS).sqrt()},
            "pedestal": {"row_rms": 3.0}});
        super::super::case::merged(&base, more)
    };
    let process = |block: Value| {
        chain(&[
            ("CompressSkipperProcess", json!({})),
            ("PedestalSubtractionProcess", json!({"method": "median", "use_mad": false})),
            ("CalibrationProcess", json!({"gain": {"L": GAINS[0], "U": GAINS[1]}})),
            ("CorrelatedNoiseProcess", block),
        ])
    };
    let mixed = json!({"crosstalk": [[0.0, CROSS_TALK[0]], [CROSS_TALK[1], 0.0]]});
    let line = json!({"lambda_image": 0.1, "noise": {"lines": [{"freq": CYCLES / (f64::from(SKIPS) * T_SKIP), "amplitude": AMPLITUDE, "phase": "random"}]}});
    let mut cases = vec![
        Case::new("cross-talk 0.4 and 0.2", base(mixed.clone()), process(json!({})), |image, findings| {
            cross_talk(image, findings, SIGMA)
        }),
        Case::new("interference line, λ 0.1", base(line), process(json!({})), move |image, findings| {
            let noise = sine(overscan);
            noise_after(image, findings, &noise)?;
            each(image, |found, number, _| weight(findings, found, number, &noise))
        }),
    ];
    if extent == Extent::Full {
        // pixels with a noise beyond half an electron count as electrons there, which takes the largest products of both
        // amplifiers away: at SIGMA one in 300, at SIGMA_ACTIVE one in 200 000
        let mut active = base(mixed.clone());
        active["noise"]["sigma1"] = json!(SIGMA_ACTIVE * f64::from(SKIPS).sqrt());
        cases.push(Case::new(
            "cross-talk 0.4 and 0.2, active region, σ 0.1 e⁻",
            active,
            process(json!({"in_overscan": false})),
            |image, findings| cross_talk(image, findings, SIGMA_ACTIVE),
        ));
        // a raw cube; samples are whole numbers, which adds 1/12 ADU² to each
        let mut raw = base(mixed.clone());
        raw["averaged"] = json!(false);
        cases.push(Case::new(
            "cross-talk 0.4 and 0.2, weights of each row and sample",
            raw,
            process(json!({"weights": "row_and_sample"})),
            |image, findings| {
                let mut noise = mixture(SIGMA);
                noise.variance = noise.variance.map(|v| v + 1.0 / (12.0 * f64::from(SKIPS)));
                noise_after(image, findings, &noise)
            },
        ));
        cases.push(Case::new(
            "cross-talk 0.4 and 0.2, weights of each row",
            base(mixed),
            process(json!({"weights": "row"})),
            |image, findings| noise_after(image, findings, &mixture(SIGMA)),
        ));
    }
    cases
}

/// Variances and covariance of the noise of L and U, ADU².
struct Noise {
    variance: [f64; 2],
    covariance: f64,
}

/// Noise of `sigma` e⁻ in each amplifier before the cross-talk.
fn mixture(sigma: f64) -> Noise {
    let unit = |k: usize| GAINS[k] * GAINS[k] * sigma * sigma;
    Noise {
        variance: [unit(0) * (1.0 + CROSS_TALK[0].powi(2)), unit(1) * (1.0 + CROSS_TALK[1].powi(2))],
        covariance: GAINS[0] * GAINS[1] * sigma * sigma * (CROSS_TALK[0] + CROSS_TALK[1]),
    }
}

/// Mean of n samples of a sine of `cycles` per sample, relative to its amplitude.
fn damping(cycles: f64, n: f64) -> f64 {
    (PI * cycles * n).sin() / (n * (PI * cycles).sin())
}

/// The same sine in both, of which a pixel holds the mean over its samples. Around its mean over the `columns` of a row it
/// has the variance ½a²·n/(n − 1)·(1 − d²), d the damping of that mean: not ½a², because its values are not independent
/// as those of noise are.
fn sine(columns: u32) -> Noise {
    let (skips, n) = (f64::from(SKIPS), f64::from(columns));
    let around_mean = n / (n - 1.0) * (1.0 - damping(CYCLES, n).powi(2));
    let common = 0.5 * (AMPLITUDE * damping(CYCLES / skips, skips)).powi(2) * around_mean;
    let variance = [0, 1].map(|k| GAINS[k] * GAINS[k] * (SIGMA * SIGMA + common));
    Noise { variance, covariance: GAINS[0] * GAINS[1] * common }
}

impl Noise {
    fn correlation(&self) -> f64 {
        self.covariance / (self.variance[0] * self.variance[1]).sqrt()
    }
}

fn each(image: &Analysed, mut f: impl FnMut(&CorrelatedNoise, usize, f64)) -> Result<(), String> {
    for (index, (amplifier, number, _)) in image.amplifiers().enumerate() {
        let found = image.raw.products.get_for::<CorrelatedNoise>(&amplifier.name).ok_or("there is no correction")?;
        if !found.applied {
            return Err(format!("amplifier {}: nothing was subtracted", amplifier.name));
        }
        let other = 1 - index;
        f(found, number, found.correlation_before[other]);
    }
    Ok(())
}

fn noise_after(image: &Analysed, findings: &mut Findings, noise: &Noise) -> Result<(), String> {
    let rest = 1.0 - noise.correlation().powi(2);
    each(image, |found, number, _| {
        let expected = (noise.variance[number] * rest).sqrt();
        findings.compare(AFTER, found.after, expected, found.after / (2.0 * found.points as f64).sqrt());
    })
}

fn weight(findings: &mut Findings, found: &CorrelatedNoise, number: usize, noise: &Noise) {
    findings.compare(WEIGHT, found.weights[0], noise.covariance / noise.variance[1 - number], found.errors[0]);
}

fn cross_talk(image: &Analysed, findings: &mut Findings, sigma: f64) -> Result<(), String> {
    let noise = mixture(sigma);
    noise_after(image, findings, &noise)?;
    let rho = noise.correlation();
    each(image, |found, number, correlation| {
        let n = found.points as f64;
        findings.compare(BEFORE, found.before, noise.variance[number].sqrt(), found.before / (2.0 * n).sqrt());
        weight(findings, found, number, &noise);
        // both amplifiers tell the same correlation
        if number == 0 {
            findings.compare(CORRELATION, correlation, rho, (1.0 - rho * rho) / n.sqrt());
            let left = found.correlation_after.iter().copied().find(|c| (c - 1.0).abs() > 1e-9).unwrap_or(f64::NAN);
            findings.compare(LEFT, left, -rho, (1.0 - rho * rho) / n.sqrt());
        }
    })
}
