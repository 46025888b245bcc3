//! GaussianFitProcess: the readout noise of the overscan.

use serde_json::json;

use super::super::case::{Analysed, ByDesign, Case, Findings, Quantity, chain};
use super::super::{Extent, Study};
use crate::process::analysis::gaussian_fit::RegionNoise;

const SIGMA: &str = "noise";
const MU: &str = "level";

pub(super) const STUDY: Study = Study {
    name: "gaussian_fit",
    title: "GaussianFitProcess: noise and level of the overscan from one fit",
    quantities: &[
        Quantity::with_own_error(SIGMA, "ADU", "fitted σ against gσ₁/√N"),
        Quantity::with_own_error(MU, "ADU", "fitted μ against the pedestal"),
    ],
    cases,
};

const NEYMAN: &str = "Neyman's χ² (spec 02 §3.2, as the reference) passes over empty bins and believes low ones too much: σ comes \
                      out small, by about 0.9 % with 4000 pixels";
const DROPPED_MAXIMUM: &str = "the histogram does not count its largest value (spec 02 §3.2, step 2, as the reference), and the tails of \
                               few counts pull";

fn cases(extent: Extent) -> Vec<Case> {
    // pixels, bins, preselection, and how far off σ is
    type Setting = (usize, &'static str, bool, [f64; 2], [f64; 2]);
    const SETTINGS: [Setting; 4] = [
        (40, "freedman", false, [-0.85, -0.65], [1.0, 1.12]),
        (40, "freedman", true, [-0.3, -0.05], [1.1, 1.3]),
        (40, "sturges", false, [0.75, 1.0], [1.05, 1.2]),
        (400, "freedman", false, [-1.2, -1.0], [0.97, 1.1]),
    ];
    let settings = if extent == Extent::Fast { &SETTINGS[..1] } else { &SETTINGS[..] };
    settings
        .iter()
        .map(|&(cols, bins, trimmed, mean, width)| {
            let simulate = json!({"rows": 100, "active_cols": 4, "prescan_cols": 0, "overscan_cols": cols, "skips": 400,
                "averaged": true, "lambda_image": 0.0});
            let process = chain(&[
                ("CompressSkipperProcess", json!({})),
                ("GaussianFitProcess", json!({"hist_nbins_method": bins, "in_trim_mean": trimmed})),
            ]);
            let cut = if trimmed { ", preselection 3 σ" } else { "" };
            Case::new(format!("{} pixels, {bins} bins{cut}", 100 * cols), simulate, process, compare)
                .by_design(ByDesign::new(SIGMA, mean, width, NEYMAN))
                .by_design(ByDesign::new(MU, [-0.25, 0.05], [0.97, 1.12], DROPPED_MAXIMUM))
        })
        .collect()
}

fn compare(image: &Analysed, findings: &mut Findings) -> Result<(), String> {
    let noise = image.raw.products.get_for::<RegionNoise>(&image.amplifier().name).ok_or("there is no fit")?;
    if !noise.verdict.is_usable() {
        findings.missing(SIGMA);
        findings.missing(MU);
        return Ok(());
    }
    findings.compare(SIGMA, noise.fit.sigma, image.sigma_average(0), noise.fit.sigma_error);
    findings.compare(MU, noise.fit.mu, image.setup.config.pedestal.base, noise.fit.mu_error);
    Ok(())
}
