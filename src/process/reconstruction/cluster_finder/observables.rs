//! The observables of a cluster (spec 05 §3.1) and its profiles (§3.3), as functions of its pixels.

use rayon::prelude::*;

use super::profile::Profile;
use super::threshold::Cuts;
use crate::process::reconstruction::cluster_table::{Cluster, ClusterTable, Profiles, Projected};

/// Clusters handled by one task.
const CLUSTERS_PER_TASK: usize = 32;

/// The pixels of one cluster, in raster order.
#[derive(Debug, Clone, Copy)]
pub struct Pixels<'a> {
    /// Rows, from 0.
    pub rows: &'a [u32],
    /// Columns, from 0.
    pub cols: &'a [u32],
    /// Energies, keV.
    pub energies: &'a [f64],
    /// Energies in units of the noise.
    pub significances: &'a [f64],
    /// Pedestal-subtracted values, ADU.
    pub subtracted: &'a [f64],
    /// Averaged values, ADU.
    pub averaged: &'a [f64],
}

/// Computes the observables of all clusters of a table that holds pixels only. `cuts` gives, for the position of a
/// cluster, the cuts with which its pixels were selected.
pub fn evaluate(table: &mut ClusterTable, amplifier: usize, with_profiles: bool, cuts: impl Fn(usize) -> Cuts + Sync) {
    let n = table.offsets.len() - 1;
    let view: &ClusterTable = table;
    let parts: Vec<(Vec<Cluster>, Profiles)> = (0..n)
        .into_par_iter()
        .step_by(CLUSTERS_PER_TASK)
        .map(|start| {
            let mut profiles = Profiles::default();
            let clusters = (start..(start + CLUSTERS_PER_TASK).min(n))
                .map(|i| {
                    let range = view.pixels(i);
                    let pixels = Pixels {
                        rows: &view.rows[range.clone()],
                        cols: &view.cols[range.clone()],
                        energies: &view.energies[range.clone()],
                        significances: &view.significances[range.clone()],
                        subtracted: &view.subtracted[range.clone()],
                        averaged: &view.averaged[range],
                    };
                    let mut cluster = observables(pixels, amplifier, &cuts(i));
                    if with_profiles {
                        let (x, y) = profiles_of(pixels, &cluster);
                        (cluster.x.fitted_position, cluster.x.fitted_std) = x.fit();
                        (cluster.y.fitted_position, cluster.y.fitted_std) = y.fit();
                        profiles.x.push(x.contents);
                        profiles.y.push(y.contents);
                    }
                    cluster
                })
                .collect();
            (clusters, profiles)
        })
        .collect();
    let mut all = with_profiles.then(Profiles::default);
    for (mut clusters, profiles) in parts {
        table.clusters.append(&mut clusters);
        if let Some(all) = &mut all {
            all.append(profiles);
        }
    }
    table.profiles = all;
}

/// The observables of one cluster of at least one pixel.
pub fn observables(pixels: Pixels<'_>, amplifier: usize, cuts: &Cuts) -> Cluster {
    let energies = pixels.energies;
    let mut qmax_pixel = 0;
    for (i, &e) in energies.iter().enumerate() {
        if e > energies[qmax_pixel] {
            qmax_pixel = i;
        }
    }
    let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
    for &s in pixels.significances {
        least = least.min(s);
        most = most.max(s);
    }
    Cluster {
        amplifier,
        x: projected(pixels.cols, energies),
        y: projected(pixels.rows, energies),
        energy: energies.iter().sum(),
        energy_subtracted: pixels.subtracted.iter().sum(),
        energy_averaged: pixels.averaged.iter().sum(),
        qmax: energies[qmax_pixel],
        qmax_pixel,
        has_seed: false,
        sigma_ev: cuts.sigma_ev(),
        seed_kev: cuts.seed_kev(),
        significance_min: least,
        significance_max: most,
        closest: None,
    }
}

/// The observables along one axis; `coordinates` from 0.
fn projected(coordinates: &[u32], energies: &[f64]) -> Projected {
    let (mut min, mut max) = (u32::MAX, 0);
    for &v in coordinates {
        min = min.min(v);
        max = max.max(v);
    }
    // Relative to the first line, so that a cluster one pixel wide has exactly that position and no width.
    let (mut sum, mut squares, mut energy, mut moment) = (0u64, 0.0, 0.0, 0.0);
    for (&v, &e) in coordinates.iter().zip(energies) {
        let d = v - min;
        sum += u64::from(d);
        squares += (f64::from(v) + 1.0).powi(2);
        energy += e;
        moment += e * f64::from(d);
    }
    let n = coordinates.len() as f64;
    let (mean, centre) = (sum as f64 / n, moment / energy);
    let (mut spread, mut weighted) = (0.0, 0.0);
    for (&v, &e) in coordinates.iter().zip(energies) {
        let d = f64::from(v - min);
        spread += (d - mean).powi(2);
        weighted += e * (d - centre).powi(2);
    }
    let first = f64::from(min) + 1.0;
    Projected {
        min: min + 1,
        max: max + 1,
        mean: first + mean,
        position: first + centre,
        mean_square: squares / n,
        std: (spread / n).sqrt(),
        weighted_std: (weighted / energy).sqrt(),
        fitted_position: f64::NAN,
        fitted_std: f64::NAN,
    }
}

/// The profiles of a cluster along x and y.
fn profiles_of(pixels: Pixels<'_>, cluster: &Cluster) -> (Profile, Profile) {
    let profile = |coordinates: &[u32], along: &Projected| {
        Profile::new(coordinates, pixels.energies, cluster.qmax, along.min, along.max)
    };
    (profile(pixels.cols, &cluster.x), profile(pixels.rows, &cluster.y))
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;
    use proptest::prelude::*;

    use super::*;

    fn pixels<'a>(rows: &'a [u32], cols: &'a [u32], energies: &'a [f64]) -> Pixels<'a> {
        Pixels { rows, cols, energies, significances: energies, subtracted: energies, averaged: energies }
    }

    const CUTS: Cuts = Cuts { sigma: 0.2, pixel: 0.6, seed: 1.0, multiples: None };

    /// Spec 05 §3.2: x = 10, 11, 12, 11 and y = 5, 5, 5, 6, counted from 1.
    #[test]
    fn the_example_of_four_pixels() {
        let (rows, cols) = ([4, 4, 4, 5], [9, 10, 11, 10]);
        let four = pixels(&rows, &cols, &[0.010, 0.040, 0.010, 0.020]);
        let c = observables(four, 0, &CUTS);
        let tolerance = 1e-8; // digits printed
        for (found, expected) in [
            (c.energy, 0.08),
            (c.x.position, 11.0),
            (c.y.position, 5.25),
            (c.x.mean, 11.0),
            (c.y.mean, 5.25),
            (c.x.mean_square, 121.5),
            (c.y.mean_square, 27.75),
            (c.x.std, 0.5f64.sqrt()),
            (c.y.std, 0.4330127),
            (c.std_xy(), 0.82915620),
            (c.x.weighted_std, 0.5),
            (c.y.weighted_std, 0.4330127),
            (c.weighted_std_xy(), 0.46770717),
            (c.x.weighted_std / 2.0, 0.25),
            (c.y.weighted_std / 2.0, 0.21650635),
            (c.qmax, 0.04),
        ] {
            assert_relative_eq!(found, expected, max_relative = tolerance, epsilon = tolerance);
        }
        assert_eq!((c.x.extent(), c.y.extent(), c.qmax_pixel), (3, 2, 1));
        assert_eq!((c.x.min, c.x.max, c.y.min, c.y.max), (10, 12, 5, 6));
        let (x, _) = profiles_of(four, &c);
        assert_eq!(x.first, 9.0);
        for (found, expected) in x.contents.iter().zip([0.0, 0.25, 1.5, 0.25, 0.0]) {
            assert_relative_eq!(*found, expected, max_relative = 1e-15);
        }
    }

    #[test]
    fn one_pixel_has_no_width_and_an_exact_position() {
        let c = observables(pixels(&[248], &[638], &[0.030_338_32]), 0, &CUTS);
        assert_eq!((c.x.position, c.y.position, c.x.weighted_std, c.x.std), (639.0, 249.0, 0.0, 0.0));
    }

    #[test]
    fn the_first_of_equal_maxima_counts() {
        let c = observables(pixels(&[0, 0, 1], &[3, 4, 3], &[1.0, 2.0, 2.0]), 0, &CUTS);
        assert_eq!(c.qmax_pixel, 1);
    }

    proptest! {
        /// Moving a cluster moves its positions and nothing else; mirroring exchanges x and y.
        #[test]
        fn widths_do_not_depend_on_the_place(
            set in prop::collection::btree_map((0u32..12, 0u32..12), 0.01..5.0f64, 1..40), dy in 0u32..3000, dx in 0u32..3000,
        ) {
            let at = |dy: u32, dx: u32| {
                let rows: Vec<u32> = set.keys().map(|p| p.0 + dy).collect();
                let cols: Vec<u32> = set.keys().map(|p| p.1 + dx).collect();
                let energies: Vec<f64> = set.values().copied().collect();
                (observables(pixels(&rows, &cols, &energies), 0, &CUTS), observables(pixels(&cols, &rows, &energies), 0, &CUTS))
            };
            let ((here, mirrored), (there, _)) = (at(0, 0), at(dy, dx));
            prop_assert_eq!(here.x.std, there.x.std);
            prop_assert_eq!(here.y.weighted_std, there.y.weighted_std);
            prop_assert!((there.x.position - here.x.position - f64::from(dx)).abs() < 1e-9);
            prop_assert!((there.y.mean - here.y.mean - f64::from(dy)).abs() < 1e-9);
            let numbers = |p: Projected| (p.min, p.max, p.mean, p.position, p.mean_square, p.std, p.weighted_std);
            prop_assert_eq!(numbers(here.x), numbers(mirrored.y));
            // ⟨v²⟩ = ⟨v⟩² + variance
            let expected = there.x.mean.powi(2) + there.x.std.powi(2);
            prop_assert!((there.x.mean_square / expected - 1.0).abs() < 1e-12);
            prop_assert!(here.x.weighted_std <= f64::from(here.x.extent()));
        }
    }
}
