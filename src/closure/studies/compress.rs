//! CompressSkipperProcess: mean and standard deviation over the skips, and the charge lost between them.

use serde_json::json;

use super::super::case::{Analysed, Case, Findings, Quantity, chain};
use super::super::{Extent, Study};
use crate::stats::distributions::ln_gamma;
use crate::stats::robust::{Ddof, mean, mean_and_std};

const NOISE: &str = "averaged noise";
const SPREAD: &str = "mean std over skips";
const CHARGE: &str = "charge after losses";

pub(super) const STUDY: Study = Study {
    name: "compress",
    title: "CompressSkipperProcess: noise of the averaged image, spread of the skips, charge loss",
    quantities: &[
        Quantity::with_expected_error(
            NOISE,
            "ADU",
            "width of the mean image in the overscan; gσ₁/√N with 1/(12N) for the rounding; error σ/√(2n)",
        ),
        Quantity::with_expected_error(SPREAD, "ADU", "mean of the std image; gσ₁√(2/N)Γ(N/2)/Γ((N−1)/2)"),
        Quantity::with_expected_error(
            CHARGE,
            "e-",
            "mean charge of active pixels, overscan subtracted; Q(1−(1−p)^N)/(Np)",
        ),
    ],
    cases,
};

fn cases(extent: Extent) -> Vec<Case> {
    let settings: &[(usize, f64, f64)] = match extent {
        Extent::Fast => &[(10, 3.0, 10.0)],
        Extent::Full => &[(2, 3.0, 10.0), (10, 3.0, 10.0), (100, 3.0, 10.0), (100, 1.5, 2.0), (500, 4.0, 5.0)],
    };
    let process = chain(&[("CompressSkipperProcess", json!({}))]);
    let mut cases: Vec<Case> = settings
        .iter()
        .map(|&(skips, sigma1, gain)| {
            let simulate = json!({"rows": 20, "active_cols": 24, "prescan_cols": 4, "overscan_cols": 40, "skips": skips,
                "gain": gain, "noise": {"sigma1": sigma1}, "lambda_image": 0.5});
            Case::new(format!("{skips} skips, σ₁ {sigma1} e⁻, gain {gain}"), simulate, process.clone(), noise)
        })
        .collect();
    let losses: &[(usize, f64)] = match extent {
        Extent::Fast => &[(10, 0.02)],
        Extent::Full => &[(10, 0.02), (100, 1e-3), (100, 0.01)],
    };
    cases.extend(losses.iter().map(|&(skips, loss)| {
        let simulate = json!({"rows": 20, "active_cols": 40, "prescan_cols": 4, "overscan_cols": 40, "skips": skips,
            "noise": {"sigma1": 2.0}, "lambda_image": 20.0, "charge_loss": loss});
        Case::new(format!("{skips} skips, charge loss {loss}"), simulate, process.clone(), charge)
    }));
    cases
}

fn noise(image: &Analysed, findings: &mut Findings) -> Result<(), String> {
    let overscan = values(image, "mean_compressed", true)?;
    let sigma = image.sigma_average(0);
    let width = mean_and_std(&overscan, Ddof::Sample).1;
    findings.compare(NOISE, width, sigma, sigma / (2.0 * overscan.len() as f64).sqrt());

    let n_skips = image.setup.geometry.skips as f64;
    let one = sigma * n_skips.sqrt();
    // mean and variance of the standard deviation (divided by N) of N normal numbers, in units of their width
    let mean_std = (2.0 / n_skips).sqrt() * (ln_gamma(0.5 * n_skips) - ln_gamma(0.5 * (n_skips - 1.0))).exp();
    let variance = (n_skips - 1.0) / n_skips - mean_std * mean_std;
    let spread: Vec<f64> = image.raw.image("std_compressed").map_err(|e| e.to_string())?.iter().copied().collect();
    findings.compare(SPREAD, mean(&spread), one * mean_std, one * (variance / spread.len() as f64).sqrt());
    Ok(())
}

fn charge(image: &Analysed, findings: &mut Findings) -> Result<(), String> {
    let (active, overscan) = (values(image, "mean_compressed", false)?, values(image, "mean_compressed", true)?);
    let gain = image.setup.gain[0];
    let found = (mean(&active) - mean(&overscan)) / gain;
    let n_skips = image.setup.geometry.skips as f64;
    let kept = 1.0 - image.setup.config.charge_loss;
    // An electron is seen in its first K skips: P(K ≥ k) = kept^(k−1). Moments of K/N.
    let seen = |k: usize| kept.powi(k as i32);
    let first: f64 = (0..image.setup.geometry.skips).map(seen).sum::<f64>() / n_skips;
    let second: f64 =
        (0..image.setup.geometry.skips).map(|k| (2 * k + 1) as f64 * seen(k)).sum::<f64>() / n_skips.powi(2);
    let charge = image.truth.number("L", "mean_charge_active")?;
    let sigma = image.sigma_average(0) / gain;
    let (n, n_over) = (active.len() as f64, overscan.len() as f64);
    let error = (charge * (second - first * first) / n + sigma * sigma * (1.0 / n + 1.0 / n_over)).sqrt();
    findings.compare(CHARGE, found, charge * first, error);
    Ok(())
}

fn values(image: &Analysed, name: &str, overscan: bool) -> Result<Vec<f64>, String> {
    let amplifier = image.amplifier();
    let region = if overscan { &amplifier.overscan } else { &amplifier.active };
    Ok(region.view(image.raw.image(name).map_err(|e| e.to_string())?).iter().copied().collect())
}
