//! The physics of deposits through the whole chain: pair energy and Fano factor from lines, diffusion against depth,
//! partial charge collection, and charge that is conserved from deposit to cluster.

use serde_json::{Value, json};

use super::super::case::{Analysed, Case, Findings, Quantity, merged};
use super::super::truth::TrueParticle;
use super::super::{Extent, Study};
use super::clusters::{cluster_chain, noise_variance};
use crate::process::reconstruction::EV_PER_ELECTRON;
use crate::process::reconstruction::cluster_table::ClusterTable;
use crate::simulate::detector::collection::collection_probability;
use crate::stats::robust::{Ddof, mean, mean_and_std};

const PAIR_ENERGY: &str = "pair energy";
const FANO: &str = "Fano factor";
const PAIR_ENERGY_CLUSTERS: &str = "pair energy from clusters";
const FANO_CLUSTERS: &str = "Fano factor from clusters";
const DIFFUSION: &str = "variance of the columns";
const COLLECTED: &str = "collected fraction";
const K_ALPHA: &str = "Mn Kα peak";

pub(super) const STUDY: Study = Study {
    name: "physics",
    title: "Deposits: pair energy, Fano factor, diffusion, charge collection",
    quantities: &[
        Quantity::with_expected_error(PAIR_ENERGY, "eV", "E over the mean pairs created; √(F n/m)"),
        Quantity::with_expected_error(
            FANO,
            "",
            "variance of the pairs created over their mean, rounding subtracted; F √(2/(m−1))",
        ),
        Quantity::with_expected_error(
            PAIR_ENERGY_CLUSTERS,
            "eV",
            "E over the mean charge of the clusters; noise included",
        ),
        Quantity::with_expected_error(
            FANO_CLUSTERS,
            "",
            "variance of the charge of clusters minus that of the noise, over the mean",
        ),
        Quantity::with_expected_error(
            DIFFUSION,
            "pixel2",
            "of the charge of clusters against (s(z,E)/p)² and the width of a pixel; scatter of the clusters",
        ),
        Quantity::with_expected_error(COLLECTED, "", "electrons collected over pairs created; √(ε(1−ε)/n)"),
        Quantity::with_expected_error(K_ALPHA, "e-", "mean charge of the clusters within 80 e- of 1576.2 e-; width/√m"),
    ],
    cases,
};

/// Gain of the simulation, ADU/e⁻.
const GAIN: f64 = 5.0;
/// Mean pairs of Mn Kα (spec 07 §8.8): lines of 5898.8 and 5887.6 eV with weights 100 and 51.
const K_ALPHA_PAIRS: f64 = (100.0 * 5898.8 + 51.0 * 5887.6) / 151.0 / 3.74;

fn cases(extent: Extent) -> Vec<Case> {
    let base = json!({"rows": 120, "active_cols": 160, "prescan_cols": 4, "overscan_cols": 60, "skips": 400, "averaged": true,
        "gain": GAIN, "noise": {"sigma1": 2.4}, "lambda_image": 0.0, "adc_bits": 24});
    let process = || {
        cluster_chain(GAIN, json!({"absolute_threshold": 0.5, "absolute_threshold_unit": "e", "get_fitted_STD": false}))
    };
    // away from the edges, where charge diffuses out of the CCD
    let inside = json!({"row_min": 8, "row_max": 111, "col_min": 8, "col_max": 151});
    let point = |n: u64, energy: f64, depth: f64| json!([{"type": "point", "n": n, "energy_keV": energy, "depth_um": depth, "region": inside}]);
    let case = |label: String, more: Value, measure: fn(&Analysed, &mut Findings) -> Result<(), String>| {
        Case::new(label, merged(&base, more), process(), measure)
    };
    let mut cases = Vec::new();
    let lines: &[(f64, f64, f64)] = match extent {
        Extent::Fast => &[(3.74, 0.129, 5.9)],
        Extent::Full => &[(3.74, 0.129, 5.9), (3.74, 0.129, 1.5), (3.74, 0.2, 5.9), (3.6, 0.129, 5.9)],
    };
    for &(e2ev, fano, energy) in lines {
        let more = json!({"e2eV": e2ev, "fano": fano, "sources": point(12, energy, 300.0)});
        cases.push(case(format!("{energy} keV, ε {e2ev} eV, F {fano}"), more, line));
    }
    let depths: &[f64] = if extent == Extent::Fast { &[500.0] } else { &[50.0, 200.0, 400.0, 600.0, 670.0] };
    for &depth in depths {
        let more = json!({"sources": point(12, 6.0, depth)});
        cases.push(case(format!("6 keV at {depth} µm"), more, diffusion));
    }
    let strong = json!({"alpha": 5.97e-5, "sources": point(12, 6.0, 400.0)});
    cases.push(case("6 keV at 400 µm, ten times the energy term".into(), strong, diffusion));
    let skins: &[f64] = if extent == Extent::Fast { &[672.8] } else { &[674.0, 672.8, 670.0] };
    for &depth in skins {
        let more = json!({"apply_pcc": true, "sources": point(12, 6.0, depth)});
        cases.push(case(format!("partial collection, {:.1} µm from the back", 675.0 - depth), more, collection));
    }
    let fe55 = json!({"sources": [{"type": "fe55", "n": 12, "escape": 0.0, "side": "front", "region": inside}]});
    cases.push(case("Fe-55 from the front".into(), fe55, k_alpha));
    cases
}

/// A cluster with the only particle in it.
struct Matched {
    /// Charge, e⁻.
    charge: f64,
    /// Variance of its noise, e⁻².
    noise: f64,
    /// Variance of the columns weighted with the charge, px².
    columns: f64,
}

/// Particles and the clusters that hold all of the charge of exactly one of them. On the way: charge is conserved from
/// pairs to pixels, and what clusters hold is what was put there.
fn matched(image: &Analysed) -> Result<(Vec<TrueParticle>, Vec<Matched>), String> {
    let particles = image.truth.particles()?;
    let charge = image.truth.image("CHARGE")?;
    let mut owner = vec![0_usize; charge.len()];
    let mut in_pixels = 0.0;
    for (i, p) in particles.iter().enumerate() {
        let sum: f64 = p.pixels.iter().map(|x| x.2).sum();
        if sum + p.lost != p.collected || p.collected > p.created {
            return Err(format!(
                "particle {}: {} pairs, {} collected, {sum} in pixels, {} lost",
                p.id, p.created, p.collected, p.lost
            ));
        }
        in_pixels += sum;
        for (row, col, _) in &p.pixels {
            let place = &mut owner[row * charge.ncols() + col];
            *place = if *place == 0 { i + 1 } else { usize::MAX };
        }
    }
    if charge.sum() != in_pixels {
        return Err(format!("{in_pixels} electrons of particles, {} in the image", charge.sum()));
    }
    let table = image.raw.products.get::<ClusterTable>().ok_or("there are no clusters")?;
    let amplifier = image.amplifier();
    let sigma = image.sigma_average(0) / image.setup.gain[0];
    let mut clusters = Vec::new();
    for i in 0..table.len() {
        let pixels: Vec<(usize, usize)> = table.coordinates(i).collect();
        let owners: Vec<usize> = pixels.iter().map(|p| owner[p.0 * charge.ncols() + p.1]).filter(|o| *o > 0).collect();
        let Some(&first) = owners.first() else { continue };
        let whole = first != usize::MAX
            && owners.iter().all(|o| *o == first)
            && owners.len() == particles[first - 1].pixels.len();
        if !whole {
            continue;
        }
        let cluster = &table.clusters[i];
        clusters.push(Matched {
            charge: 1e3 * cluster.energy / EV_PER_ELECTRON,
            noise: sigma * sigma * noise_variance(&pixels, &vec![1.0; pixels.len()], amplifier),
            columns: cluster.x.weighted_std.powi(2),
        });
    }
    Ok((particles, clusters))
}

fn line(image: &Analysed, findings: &mut Findings) -> Result<(), String> {
    let (particles, clusters) = matched(image)?;
    let config = &image.setup.config;
    let Some(energy) = particles.first().map(|p| 1e3 * p.energy) else { return Err("there are no particles".into()) };
    let pairs = energy / config.e2ev;
    let mut compare = |charges: Vec<f64>, extra: f64, names: [&'static str; 2]| {
        let m = charges.len() as f64;
        if m < 4.0 {
            return;
        }
        let variance = config.fano * pairs + extra;
        let (average, width) = mean_and_std(&charges, Ddof::Sample);
        findings.compare(names[0], average, pairs, (variance / m).sqrt());
        findings.compare(
            names[1],
            (width * width - extra) / average,
            config.fano,
            variance * (2.0 / (m - 1.0)).sqrt() / pairs,
        );
    };
    // pairs are whole numbers: their rounding adds 1/12
    compare(particles.iter().map(|p| p.created).collect(), 1.0 / 12.0, [PAIR_ENERGY, FANO]);
    let noise = mean(&clusters.iter().map(|c| c.noise).collect::<Vec<_>>());
    compare(clusters.iter().map(|c| c.charge).collect(), 1.0 / 12.0 + noise, [PAIR_ENERGY_CLUSTERS, FANO_CLUSTERS]);
    Ok(())
}

fn diffusion(image: &Analysed, findings: &mut Findings) -> Result<(), String> {
    let (particles, clusters) = matched(image)?;
    let Some(first) = particles.first() else { return Err("there are no particles".into()) };
    let n = clusters.len() as f64;
    if n < 6.0 {
        return Ok(());
    }
    // The law of spec 07 §4.1, written out here once more as the independent side of the comparison.
    let c = &image.setup.config;
    let s0 = |z: f64| (-c.diffusion_a * (1.0 - c.diffusion_b * z).ln()).sqrt();
    let beta = c.alpha * c.pixel_size / s0(c.z_max);
    let s = s0(first.depth) * (c.alpha0 + beta * 1e3 * first.energy) / c.pixel_size;
    // Columns are whole numbers. Two electrons at distance d are ⌊d⌋ or ⌈d⌉ columns apart, whose square is
    // d² + {d}(1 − {d}) on average; with the Fourier series of {d}(1 − {d}) half of it is 1/12 for wide clusters:
    let pixel = 1.0 / 12.0
        - (1..20)
            .map(|k| f64::from(k * k))
            .map(|k2| {
                0.5 * (-4.0 * std::f64::consts::PI.powi(2) * k2 * s * s).exp() / (std::f64::consts::PI.powi(2) * k2)
            })
            .sum::<f64>();
    // around the mean of n electrons instead of the truth
    let electrons = mean(&clusters.iter().map(|c| c.charge).collect::<Vec<_>>());
    let expected = (s * s + pixel) * (1.0 - 1.0 / electrons);
    let (average, width) = mean_and_std(&clusters.iter().map(|c| c.columns).collect::<Vec<_>>(), Ddof::Sample);
    // Student's t of n − 1 degrees of freedom has the variance (n − 1)/(n − 3)
    let error = width / n.sqrt() * ((n - 1.0) / (n - 3.0)).sqrt();
    findings.compare(DIFFUSION, average, expected, error);
    Ok(())
}

fn collection(image: &Analysed, findings: &mut Findings) -> Result<(), String> {
    let (particles, _) = matched(image)?;
    let Some(first) = particles.first() else { return Err("there are no particles".into()) };
    let created: f64 = particles.iter().map(|p| p.created).sum();
    let collected: f64 = particles.iter().map(|p| p.collected).sum();
    let p = collection_probability(image.setup.config.thickness - first.depth);
    findings.compare(COLLECTED, collected / created, p, (p * (1.0 - p) / created).sqrt());
    Ok(())
}

fn k_alpha(image: &Analysed, findings: &mut Findings) -> Result<(), String> {
    let (_, clusters) = matched(image)?;
    let peak: Vec<&Matched> = clusters.iter().filter(|c| (c.charge - K_ALPHA_PAIRS).abs() < 80.0).collect();
    if peak.len() < 2 {
        return Ok(());
    }
    let m = peak.len() as f64;
    let noise = peak.iter().map(|c| c.noise).sum::<f64>() / m;
    // The two lines are 11.2 eV = 3 pairs apart.
    let split = (100.0 * 51.0 / (151.0_f64 * 151.0)) * (11.2_f64 / 3.74).powi(2);
    let variance = image.setup.config.fano * K_ALPHA_PAIRS + split + noise + 1.0 / 12.0;
    let average = peak.iter().map(|c| c.charge).sum::<f64>() / m;
    findings.compare(K_ALPHA, average, K_ALPHA_PAIRS, (variance / m).sqrt());
    Ok(())
}
