//! Where the electrons of particles end up, against the laws that were asked for.

use serde_json::json;

use super::*;

fn setup(json: serde_json::Value) -> Setup {
    Setup::new(serde_json::from_value(json).unwrap()).unwrap()
}

/// Mean and population variance.
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n)
}

/// Charge-weighted variance of a cluster along the columns, with the correction for the estimated mean.
fn column_variance(p: &Particle) -> f64 {
    let n: f64 = p.pixels.iter().map(|c| f64::from(c.electrons)).sum();
    let mean = p.pixels.iter().map(|c| f64::from(c.electrons) * f64::from(c.col)).sum::<f64>() / n;
    p.pixels.iter().map(|c| f64::from(c.electrons) * (f64::from(c.col) - mean).powi(2)).sum::<f64>() / (n - 1.0)
}

/// Created = collected (without loss at the back), collected = in pixels + lost; far from the edges nothing is lost.
#[test]
fn charge_is_conserved_from_deposit_to_pixels() {
    let s = setup(json!({"sources": [{"type": "electron", "n": 20, "energy_keV": 200.0}, {"type": "muon", "n": 20},
        {"type": "point", "n": 20, "energy_keV": 5.0, "region": {"row_min": 20, "row_max": 80, "col_min": 20, "col_max": 180}}]}));
    for p in particles(&s, 0, 0, false) {
        let in_pixels: u64 = p.pixels.iter().map(|c| u64::from(c.electrons)).sum();
        assert_eq!(p.created, p.collected);
        assert_eq!(p.collected, in_pixels + p.lost, "{p:?}");
        if p.source == SourceType::Point {
            assert_eq!(p.lost, 0);
        }
        assert!(p.pixels.is_sorted());
    }
}

/// Weighted variance of points at depth z: (s/p)² + 1/12 pixel², relative error √(2/(n_e clusters)); five of them, plus
/// the dependence of the pixelisation on the position inside the pixel (below 1 % for s > 0.4 pixel).
#[test]
fn the_width_follows_the_diffusion_law() {
    for depth in [300.0, 500.0, 670.0] {
        let s =
            setup(json!({"rows": 200, "sources": [{"type": "point", "n": 400, "energy_keV": 6.0, "depth_um": depth}]}));
        let variances: Vec<f64> =
            particles(&s, 0, 0, false).iter().filter(|p| p.lost == 0).map(column_variance).collect();
        let (mean, spread) = moments(&variances);
        let expected = (s.diffusion.width(depth, 6000.0) / 15.0).powi(2) + 1.0 / 12.0;
        let error = (spread / variances.len() as f64).sqrt();
        assert!((mean - expected).abs() < 5.0 * error, "depth {depth}: {mean} ± {error}, expected {expected}");
        assert!(error < 0.01 * expected, "the test is not sharp: {error}");
    }
}

/// Mean n_e = E/e2eV and variance F E/e2eV of a monoenergetic line; five standard errors.
#[test]
fn pair_energy_and_fano_factor_are_recovered_from_a_line() {
    let s = setup(json!({"e2eV": 3.8, "fano": 0.15, "sources": [{"type": "point", "n": 20000, "energy_keV": 5.9}]}));
    let created: Vec<f64> = particles(&s, 0, 0, false).iter().map(|p| p.created as f64).collect();
    let (mean, variance) = moments(&created);
    let n = created.len() as f64;
    let expected = 5900.0 / 3.8;
    let pair_energy = 5900.0 / mean;
    assert!((mean - expected).abs() < 5.0 * (0.15 * expected / n).sqrt(), "{pair_energy} eV per pair");
    // rounding adds 1/12
    let fano = (variance - 1.0 / 12.0) / mean;
    assert!((fano - 0.15).abs() < 5.0 * 0.15 * (2.0 / n).sqrt(), "{fano}");
}

/// X rays from the back: exponential depth with the attenuation length of the line, each line by its weight.
#[test]
fn x_rays_stop_at_exponential_depths() {
    let s = setup(json!({"sources": [{"type": "fe55", "n": 20000, "escape": 0.0}]}));
    let all = particles(&s, 0, 0, true);
    let alpha: Vec<f64> = all.iter().filter(|p| p.energy < 6000.0).map(|p| 675.0 - p.start[2]).collect();
    let (mean, _) = moments(&alpha);
    // 28.8 and 28.7 µm mixed 100:51; the thickness of 23 lengths cuts nothing
    assert!((mean - 28.77).abs() < 5.0 * 28.8 / (alpha.len() as f64).sqrt(), "{mean}");
    let fraction = alpha.len() as f64 / all.len() as f64;
    let expected = 151.0 / 168.0;
    assert!((fraction - expected).abs() < 5.0 * (expected * (1.0 - expected) / all.len() as f64).sqrt(), "{fraction}");
    let front =
        setup(json!({"sources": [{"type": "am241", "n": 1000, "side": "front", "lines": [[59.5, 1.0, 33000.0]]}]}));
    let (mean, _) = moments(&particles(&front, 0, 0, true).iter().map(|p| p.start[2]).collect::<Vec<_>>());
    // attenuation far beyond the thickness: uniform up to 1 %
    assert!((mean / 337.5 - 1.0).abs() < 0.01 + 5.0 / (12.0_f64.sqrt() * 0.5 * 1000.0_f64.sqrt()), "{mean}");
}

/// Energy = dE/dx · length inside the CCD; the length of a full track is thickness / cos θ.
#[test]
fn muons_lose_energy_along_straight_tracks() {
    let s = setup(json!({"rows": 400, "active_cols": 400, "sources": [{"type": "muon", "n": 300}]}));
    let mut through = 0;
    for p in particles(&s, 0, 0, true) {
        let length = (0..3).map(|k| (p.end[k] - p.start[k]).powi(2)).sum::<f64>().sqrt();
        // the last of the 1 µm steps may be cut by the edge
        assert!((p.energy - 300.0 * length).abs() < 300.0 * 1.0, "{} keV over {length} µm", p.energy / 1e3);
        through += usize::from((p.end[2] - 675.0).abs() < 1e-6);
    }
    assert!(through > 100, "{through} muons pass through");
    let fixed = setup(json!({"rows": 2000, "active_cols": 2000, "sources": [{"type": "muon", "n": 50, "zenith": 0.5,
        "region": {"row_min": 500, "row_max": 1500, "col_min": 500, "col_max": 1500}}]}));
    for p in particles(&fixed, 0, 0, false) {
        assert!((p.energy - 300.0 * 675.0 / 0.5_f64.cos()).abs() < 1e-6);
    }
}

/// cos θ = U^(1/4): the mean of cos θ is 4/5 (tracks that leave through a side bias nothing here: only start angles count).
#[test]
fn muon_zeniths_follow_cosine_squared() {
    let s = setup(json!({"rows": 3000, "active_cols": 3000, "sources": [{"type": "muon", "n": 4000,
        "region": {"row_min": 1000, "row_max": 2000, "col_min": 1000, "col_max": 2000}}]}));
    let cosines: Vec<f64> = particles(&s, 0, 0, false)
        .iter()
        .map(|p| {
            let d: Vec<f64> = (0..3).map(|k| p.end[k] - p.start[k]).collect();
            d[2] / d.iter().map(|x| x * x).sum::<f64>().sqrt()
        })
        .collect();
    let (mean, variance) = moments(&cosines);
    assert!((mean - 0.8).abs() < 5.0 * (variance / 4000.0).sqrt(), "{mean}");
}

/// The Moyal distribution has mean γ + ln 2 = 1.2704 and variance π²/2.
#[test]
fn straggling_is_moyal() {
    let mut stream = Stream::from_seed(90);
    let values: Vec<f64> = (0..200_000).map(|_| moyal(&mut stream)).collect();
    let (mean, variance) = moments(&values);
    let expected = std::f64::consts::PI.powi(2) / 2.0;
    assert!((mean - 1.270_362_8).abs() < 5.0 * (expected / 2e5).sqrt(), "{mean}");
    // kurtosis 7 of the Moyal distribution: variance of the sample variance (7 − 1) σ⁴/n
    assert!((variance / expected - 1.0).abs() < 5.0 * (6.0_f64 / 2e5).sqrt(), "{variance}");
}

/// Range 0.0171 E^1.75 µm in 1 µm steps: as many deposits as micrometres, all with the same energy.
#[test]
fn fast_electrons_walk_and_slow_ones_stop() {
    let s = setup(json!({"rows": 1000, "active_cols": 1000, "thickness": 1000.0, "z_max": 990.0, "sources": [
        {"type": "electron", "n": 5, "energy_keV": 19.0}, {"type": "electron", "n": 20, "energy_keV": 100.0}]}));
    let all = particles(&s, 0, 0, true);
    assert!(all[..5].iter().all(|p| p.deposits.len() == 1));
    let steps = (0.0171 * 100.0_f64.powf(1.75)).round();
    for p in &all[5..] {
        assert!(p.deposits.len() as f64 <= steps);
        assert!(p.deposits.iter().all(|d| (d.energy - 1e5 / steps).abs() < 1e-9));
    }
    assert!(all[5..].iter().any(|p| p.deposits.len() as f64 == steps));
}

/// During the readout the image row is the CCD row plus the rows already read.
#[test]
fn charge_of_the_readout_appears_in_later_rows() {
    let s = setup(json!({"rows": 100, "sources": [{"type": "point", "n": 3000, "energy_keV": 1.0, "depth_um": 0.0,
        "phase": "readout", "region": {"row_max": 0}}]}));
    let mut rows = vec![0.0; 4];
    for p in particles(&s, 0, 0, false) {
        assert!(p.arrival.in_readout);
        let expected = ((p.arrival.time - s.config.t_exp) / s.t_row).floor();
        let row = p.pixels[0].row;
        assert_eq!(f64::from(row), expected);
        rows[row as usize / 25] += 1.0;
    }
    // uniform in time: 750 in each quarter
    assert!(rows.iter().all(|n: &f64| (n - 750.0).abs() < 5.0 * (3000.0 * 0.25 * 0.75_f64).sqrt()), "{rows:?}");
}

/// Expected collected charge at 2.2 µm from the back: 0.285574 of the pairs.
#[test]
fn part_of_the_charge_near_the_back_is_lost() {
    let s = setup(
        json!({"apply_pcc": true, "sources": [{"type": "point", "n": 2000, "energy_keV": 1.0, "depth_um": 672.8}]}),
    );
    let all = particles(&s, 0, 0, false);
    let created: u64 = all.iter().map(|p| p.created).sum();
    let collected: u64 = all.iter().map(|p| p.collected).sum();
    let p = 0.285_574;
    let error = (p * (1.0 - p) / created as f64).sqrt();
    assert!((collected as f64 / created as f64 - p).abs() < 5.0 * error);
}

/// One more particle, or another source, leaves the others as they are; so does the number of threads.
#[test]
fn particles_have_their_own_random_numbers() {
    let few = setup(json!({"sources": [{"type": "fe55", "n": 5}]}));
    let more = setup(json!({"sources": [{"type": "fe55", "n": 5}, {"type": "muon", "n": 2}]}));
    assert_eq!(particles(&few, 0, 0, false), particles(&more, 0, 0, false)[..5]);
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(one_thread.install(|| particles(&more, 0, 0, true)), particles(&more, 0, 0, true));
    assert_ne!(particles(&few, 0, 0, false), particles(&few, 1, 0, false));
}

/// Exact charges go where they are put, summed if named twice.
#[test]
fn pixel_lists_are_exact() {
    let s = setup(json!({"layout": "dual", "active_cols": 20, "prescan_cols": 0, "overscan_cols": 0,
        "sources": [{"type": "pixels", "list": [[3, 15, 7], [1, 2, 3], [3, 15, 1]]}]}));
    let all = particles(&s, 0, 0, false);
    assert_eq!(all.len(), 1);
    let expected = [PixelCharge { row: 1, col: 2, electrons: 3 }, PixelCharge { row: 3, col: 15, electrons: 8 }];
    assert_eq!(all[0].pixels, expected);
    assert_eq!((all[0].created, all[0].energy), (11, 11.0 * 3.74));
}
