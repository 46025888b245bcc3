//! A simulated module with known cross-talk, to try the tool without data.
//!
//! Dark current and noise in every pixel, single-pixel clusters at random places, and cross-talk from all other channels,
//! computed from the uncontaminated images.

use ndarray::Array2;

use super::module::{Channel, Frame, Module, Seed};
use crate::stats::random::{Poisson, Stream};

/// One cluster per this many pixels.
const PIXELS_PER_CLUSTER: usize = 500;
/// Largest size of a simulated coefficient.
const LARGEST: f64 = 4e-4;

/// What is simulated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Simulation {
    /// Dark current, e⁻ per pixel.
    pub dark_current: f64,
    /// Noise, e⁻.
    pub noise: f64,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
}

impl Default for Simulation {
    fn default() -> Self {
        Self { dark_current: 2e-4, noise: 0.16, rows: 500, cols: 500 }
    }
}

/// A module of four channels and the true coefficients, `[destination][source]`, NaN on the diagonal. Clusters have
/// charges between `charge.0` and `charge.1` (e⁻), the lag is that of the cross-talk.
pub fn simulate(what: &Simulation, charge: (f64, f64), lag: (i64, i64), seed: u64) -> (Module, Vec<Vec<f64>>) {
    let mut stream = Stream::from_seed(seed);
    let (rows, cols) = (what.rows, what.cols);
    let channels: Vec<Channel> =
        (0..4).map(|n| Channel { label: format!("{}-CH{n}", ['A', 'B', 'C', 'D'][n]), number: n + 1 }).collect();
    let truth: Vec<Vec<f64>> = (0..4)
        .map(|dst| (0..4).map(|src| if dst == src { f64::NAN } else { stream.uniform_in(-LARGEST, LARGEST) }).collect())
        .collect();
    let poisson = Poisson::new(what.dark_current);
    let (mut clean, mut seeds) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let mut image =
            Array2::from_shape_fn((rows, cols), |_| poisson.draw(&mut stream) as f64 + what.noise * stream.normal());
        let mut found: Vec<Seed> = (0..rows * cols / PIXELS_PER_CLUSTER)
            .map(|k| Seed {
                row: stream.below(rows as u64) as usize,
                col: stream.below(cols as u64) as usize,
                charge: stream.uniform_in(charge.0, charge.1),
                cluster: k as u64 + 1,
            })
            .collect();
        // the last one of two in the same pixel stays
        found.iter().for_each(|s| image[[s.row, s.col]] = s.charge);
        found.retain(|s| image[[s.row, s.col]] == s.charge);
        clean.push(image);
        seeds.push(found);
    }
    let images = (0..4)
        .map(|dst| {
            let mut image = clean[dst].clone();
            for src in (0..4).filter(|src| *src != dst) {
                for ((row, col), q) in image.indexed_iter_mut() {
                    let from = (row as i64 - lag.0, col as i64 - lag.1);
                    if (0..rows as i64).contains(&from.0) && (0..cols as i64).contains(&from.1) {
                        *q += truth[dst][src] * clean[src][[from.0 as usize, from.1 as usize]];
                    }
                }
            }
            image
        })
        .collect();
    (Module { channels, frames: vec![Frame { images, seeds }] }, truth)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::crosstalk::correct::correct_all;
    use crate::workbench::crosstalk::measure::{Settings, measure};

    #[test]
    fn known_coefficients_are_recovered_and_removed() {
        for lag in [(0, 0), (2, -1)] {
            let settings = Settings { lag, ..Settings::default() };
            let (module, truth) = simulate(&Simulation::default(), settings.charge, lag, 7);
            let matrix = measure(&module, &settings);
            let mut within = 0;
            for (dst, src, c) in matrix.pairs() {
                // error of a median of ratios with width 0.16/Q: below 0.16·1.25/(√n·⟨Q⟩) ≈ 5e-6
                assert!((c.alpha - truth[dst][src]).abs() < 3e-5, "{dst} {src}: {} {}", c.alpha, truth[dst][src]);
                assert!(c.null.abs() < 3e-5, "{}", c.null);
                within += usize::from(c.p95.0 <= truth[dst][src] && truth[dst][src] <= c.p95.1);
            }
            // of 12 intervals of 95 %: fewer than 9 happens once in 3000
            assert!(within >= 9, "{within} of 12 intervals cover the truth");

            let corrected = correct_all(&module.frames, &matrix, lag);
            let mut again = module.clone();
            again.frames[0].images = corrected;
            for (_, _, c) in measure(&again, &settings).pairs() {
                assert!((c.alpha - c.null).abs() < 3e-5, "nothing is left: {}", c.alpha);
            }
        }
    }

    #[test]
    fn the_result_depends_on_data_and_seed_only() {
        let (module, _) =
            simulate(&Simulation { rows: 200, cols: 200, ..Default::default() }, (400.0, 5000.0), (0, 0), 1);
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| measure(&module, &Settings::default()))
        };
        assert_eq!(format!("{:?}", with(1)), format!("{:?}", with(3)));
    }
}
