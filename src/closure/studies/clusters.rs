//! ClusterFinder: energies and positions of clusters, and the pixels that noise alone puts above the threshold.

use serde_json::{Value, json};

use super::super::case::{Analysed, Case, Findings, Quantity, chain};
use super::super::{Extent, Study};
use super::MEDIAN_VARIANCE;
use crate::image::Amplifier;
use crate::process::reconstruction::EV_PER_ELECTRON;
use crate::process::reconstruction::cluster_table::ClusterTable;
use crate::stats::distributions::{normal_density, normal_survival};

const ENERGY: &str = "cluster energy";
const X: &str = "cluster column";
const Y: &str = "cluster row";
const FAKES: &str = "noise pixels";

pub(super) const STUDY: Study = Study {
    name: "clusters",
    title: "ClusterFinder: energies, positions and thresholds",
    quantities: &[
        Quantity::with_expected_error(
            ENERGY,
            "eV",
            "against the true charge of its own pixels and the noise that the threshold selects; e2eV √(N_pix σ² + shared \
             pedestals)",
        ),
        Quantity::with_expected_error(X, "pixel", "barycentre against that of the true charge of its own pixels"),
        Quantity::with_expected_error(Y, "pixel", "as the column"),
        Quantity::with_expected_error(FAKES, "pixels", "above n_min σ in an empty image against n(1−Φ); √(np(1−p))"),
    ],
    cases,
};

/// The chain up to clusters, with a known gain; `threshold` is the block of ClusterFinder.
pub(super) fn cluster_chain(gain: f64, threshold: Value) -> Value {
    chain(&[
        ("CompressSkipperProcess", json!({})),
        ("PedestalSubtractionProcess", json!({"method": "median", "use_mad": false})),
        ("CalibrationProcess", json!({"gain": gain})),
        ("ClusterFinder", threshold),
    ])
}

fn cases(extent: Extent) -> Vec<Case> {
    let base = |noise: f64, sources: Value| {
        json!({"rows": 80, "active_cols": 120, "prescan_cols": 4, "overscan_cols": 60, "skips": 400, "averaged": true, "gain": 5.0,
            "noise": {"sigma1": 20.0 * noise}, "lambda_image": 0.0, "sources": sources})
    };
    let points = |energy: f64| json!([{"type": "point", "n": 6, "energy_keV": energy}]);
    // half an electron is 4 standard deviations of the noise from 0 and from 1
    let whole = json!({"absolute_threshold": LOW, "absolute_threshold_unit": "e", "get_fitted_STD": false});
    let mut cases = vec![Case::new(
        "points of 1 keV, σ 0.12 e⁻",
        base(0.12, points(1.0)),
        cluster_chain(5.0, whole.clone()),
        |image, findings| clusters(image, findings, LOW),
    )];
    if extent == Extent::Full {
        let muons = json!([{"type": "muon", "n": 3}]);
        let electrons = json!([{"type": "electron", "n": 4, "energy_keV": 80}]);
        let x_rays = json!([{"type": "fe55", "n": 8}]);
        for (label, sources) in [
            ("Fe-55", x_rays),
            ("muons", muons),
            ("electrons of 80 keV", electrons),
            ("points of 0.1 keV", points(0.1)),
        ] {
            cases.push(Case::new(
                format!("{label}, σ 0.12 e⁻"),
                base(0.12, sources),
                cluster_chain(5.0, whole.clone()),
                |image, findings| clusters(image, findings, LOW),
            ));
        }
        let finder = json!({"absolute_threshold": HIGH, "absolute_threshold_unit": "e", "get_fitted_STD": false});
        cases.push(Case::new(
            "points of 20 keV, σ 5 e⁻, 60 e⁻ threshold",
            base(5.0, points(20.0)),
            cluster_chain(5.0, finder),
            |image, findings| clusters(image, findings, HIGH),
        ));
    }
    for n_min in [2.5, 3.0, 3.5] {
        let mut simulate = base(0.2, json!([]));
        simulate["rows"] = json!(60);
        let finder = json!({"spr_threshold": [0.2, n_min, 100.0], "get_fitted_STD": false});
        cases.push(Case::new(format!("empty image, {n_min} σ"), simulate, cluster_chain(5.0, finder), fakes));
        if extent == Extent::Fast {
            break;
        }
    }
    cases
}

/// Variance of a weighted sum Σ wᵢ·pixelᵢ, in units of σ² of one pixel: its own noise, and the pedestal that the pixels of
/// a row share.
pub(super) fn noise_variance(pixels: &[(usize, usize)], weights: &[f64], amplifier: &Amplifier) -> f64 {
    let own: f64 = weights.iter().map(|w| w * w).sum();
    let mut rows: Vec<(usize, f64)> = pixels.iter().map(|p| p.0).zip(weights.iter().copied()).collect();
    rows.sort_by_key(|r| r.0);
    let shared: f64 = rows.chunk_by(|a, b| a.0 == b.0).map(|row| row.iter().map(|(_, w)| w).sum::<f64>().powi(2)).sum();
    own + shared * MEDIAN_VARIANCE / amplifier.overscan.cols.len() as f64
}

/// Thresholds of the cases, e⁻.
const LOW: f64 = 0.5;
const HIGH: f64 = 60.0;

/// Mean, and what is left of the variance, of a standard normal number that exceeds t: h = φ(t)/(1 − Φ(t)) and
/// 1 + t h − h². A pixel near the threshold is in a cluster if its noise is high.
fn above(t: f64) -> (f64, f64) {
    let h = normal_density(t) / normal_survival(t);
    if h.is_finite() { (h, (1.0 + t * h - h * h).max(0.0)) } else { (0.0, 1.0) }
}

fn clusters(image: &Analysed, findings: &mut Findings, threshold: f64) -> Result<(), String> {
    let table = image.raw.products.get::<ClusterTable>().ok_or("there are no clusters")?;
    let charge = image.truth.image("CHARGE")?;
    let amplifier = image.amplifier();
    let sigma = image.sigma_average(0) / image.setup.gain[0];
    let mut in_cluster = vec![false; charge.len()];
    for i in 0..table.len() {
        let pixels: Vec<(usize, usize)> = table.coordinates(i).collect();
        pixels.iter().for_each(|(row, col)| in_cluster[row * charge.ncols() + col] = true);
        let true_charge: Vec<f64> = pixels.iter().map(|p| charge[[p.0, p.1]]).collect();
        let total: f64 = true_charge.iter().sum();
        if total == 0.0 {
            continue;
        }
        let ones = vec![1.0; pixels.len()];
        let selected: Vec<(f64, f64)> = true_charge.iter().map(|q| above((threshold - q) / sigma)).collect();
        let raised = sigma * selected.iter().map(|(mean, _)| mean).sum::<f64>();
        let lost: f64 = selected.iter().map(|(_, variance)| 1.0 - variance).sum();
        let error = EV_PER_ELECTRON * sigma * (noise_variance(&pixels, &ones, amplifier) - lost).max(0.0).sqrt();
        let cluster = &table.clusters[i];
        findings.compare(ENERGY, 1e3 * cluster.energy, EV_PER_ELECTRON * (total + raised), error);
        // 1-based as in the tree; pixels of one column tell nothing about the error of the column
        for (name, found, coordinate) in [
            (X, cluster.x.position, pixels.iter().map(|p| p.1 as f64 + 1.0).collect::<Vec<_>>()),
            (Y, cluster.y.position, pixels.iter().map(|p| p.0 as f64 + 1.0).collect()),
        ] {
            let centre = coordinate.iter().zip(&true_charge).map(|(x, q)| x * q).sum::<f64>() / total;
            let weights: Vec<f64> = coordinate.iter().map(|x| (x - centre) / total).collect();
            let error = sigma * noise_variance(&pixels, &weights, amplifier).sqrt();
            if error > 0.0 {
                findings.compare(name, found, centre, error);
            }
        }
    }
    let particles = image.truth.particles()?;
    let read: Vec<_> = particles.iter().filter(|p| !p.pixels.is_empty()).collect();
    let found =
        read.iter().filter(|p| p.pixels.iter().any(|(row, col, _)| in_cluster[row * charge.ncols() + col])).count();
    if found != read.len() {
        return Err(format!("{found} of {} particles were found", read.len()));
    }
    Ok(())
}

fn fakes(image: &Analysed, findings: &mut Findings) -> Result<(), String> {
    let name = &image.amplifier().name;
    let (selected, _) = image.measurement("selected_pixels", name).ok_or("`selected_pixels` is not measured")?;
    let (threshold, _) = image.measurement("pixel_threshold", name).ok_or("`pixel_threshold` is not measured")?;
    let amplifier = image.amplifier();
    let sigma = image.sigma_average(0) / image.setup.gain[0];
    let shared = MEDIAN_VARIANCE / amplifier.overscan.cols.len() as f64;
    let width = sigma * (1.0 + shared).sqrt();
    let p = normal_survival(threshold / width);
    let n = amplifier.active.len() as f64;
    // Pixels of a row share its pedestal: pairs of them are correlated by ρ = shared/(1 + shared); to first order the
    // covariance of two selections is ρ φ(t)².
    let density = crate::stats::distributions::normal_density(threshold / width);
    let pairs = n * (amplifier.active.cols.len() as f64 - 1.0);
    let variance = n * p * (1.0 - p) + pairs * shared / (1.0 + shared) * density * density;
    findings.compare(FAKES, selected, n * p, variance.sqrt());
    Ok(())
}
