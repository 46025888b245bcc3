//! The charge Q₀ of every pixel before it is read: particles, dark current, clock-induced and hot charge, deferred charge,
//! full well (spec 07 §8.3 step 1).
//!
//! Rows are made in parallel, block by block; only the charge deferred from row to row ties them together and runs in
//! order.

use rayon::prelude::*;

use super::particles::Particle;
use super::setup::Setup;
use crate::stats::random::{Binomial, Poisson, Stream, Tag};

/// Charge of a particle in a pixel of one amplifier, in the order of readout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contribution {
    /// Image row.
    pub row: u32,
    /// Readout column.
    pub col: u32,
    /// Number of the particle in its CCD.
    pub id: u32,
    /// Electrons.
    pub electrons: u32,
}

/// Charge of the particles of a CCD, one sorted list per amplifier.
pub fn contributions(setup: &Setup, particles: &[Particle]) -> Vec<Vec<Contribution>> {
    let geometry = &setup.geometry;
    let mut lists = vec![Vec::new(); geometry.amplifiers_per_extension()];
    for particle in particles {
        for pixel in &particle.pixels {
            let (amplifier, col) = geometry.readout_col(pixel.col as usize);
            lists[amplifier].push(Contribution {
                row: pixel.row,
                col: col as u32,
                id: particle.id,
                electrons: pixel.electrons,
            });
        }
    }
    lists.par_iter_mut().for_each(|list| list.par_sort_unstable());
    lists
}

/// The contributions to one row.
pub fn of_row(list: &[Contribution], row: usize) -> &[Contribution] {
    let row = row as u32;
    let start = list.partition_point(|c| c.row < row);
    let length = list[start..].partition_point(|c| c.row == row);
    &list[start..start + length]
}

/// Makes the charge of one amplifier, block by block, from the first row to the last.
#[derive(Debug)]
pub struct ChargeMaker<'a> {
    setup: &'a Setup,
    image: u64,
    /// Number of the amplifier in the file.
    amplifier: usize,
    particles: &'a [Contribution],
    /// Charge that the last row left behind for the next one.
    deferred: Vec<u32>,
    /// Traps of this amplifier with the electrons they hold: row, readout column, size, release, electrons.
    traps: Vec<HeldTrap>,
}

/// A trap and what is in it.
#[derive(Debug, Clone, Copy)]
struct HeldTrap {
    row: usize,
    col: usize,
    size: u64,
    release: f64,
    held: u64,
}

impl<'a> ChargeMaker<'a> {
    /// For amplifier number `amplifier` of the file, whose particles leave `particles`.
    pub fn new(setup: &'a Setup, image: u64, amplifier: usize, particles: &'a [Contribution]) -> Self {
        let deferred = if setup.config.cti_v > 0.0 { vec![0; setup.geometry.line()] } else { Vec::new() };
        let (geometry, per_ext) = (&setup.geometry, setup.geometry.amplifiers_per_extension());
        let here = |ext: Option<usize>| ext.is_none_or(|e| e == amplifier / per_ext);
        let traps = setup.config.traps.iter().filter(|t| here(t.ext)).filter_map(|trap| {
            let (side, col) = geometry.readout_col(trap.col);
            (side == amplifier % per_ext).then_some(HeldTrap {
                row: trap.row,
                col,
                size: u64::from(trap.size),
                release: trap.release,
                held: 0,
            })
        });
        Self { setup, image, amplifier, particles, deferred, traps: traps.collect() }
    }

    /// Charge of the rows of the next block, `[row][readout column]`. Blocks must come in order.
    pub fn block(&mut self, rows: std::ops::Range<usize>) -> Vec<Vec<u32>> {
        let mut block: Vec<Vec<u32>> = rows.clone().into_par_iter().map(|row| self.row(row)).collect();
        if self.setup.config.cti_v > 0.0 {
            for (row, charge) in rows.clone().zip(&mut block) {
                self.defer_to_next_row(row, charge);
            }
        }
        if !self.traps.is_empty() {
            for (row, charge) in rows.zip(&mut block) {
                self.pass_traps(row, charge);
            }
        }
        if self.setup.config.full_well > 0.0 {
            let limit = self.setup.config.full_well as u32;
            block.par_iter_mut().flatten().for_each(|q| *q = (*q).min(limit));
        }
        block
    }

    fn stream(&self, tag: Tag, row: usize) -> Stream {
        Stream::new(self.setup.config.seed, tag, self.image, self.amplifier as u64, row as u64)
    }

    /// One row, up to the charge deferred from pixel to pixel.
    fn row(&self, row: usize) -> Vec<u32> {
        let geometry = &self.setup.geometry;
        let config = &self.setup.config;
        let mut charge = vec![0_u32; geometry.line()];
        for c in of_row(self.particles, row) {
            add(&mut charge[c.col as usize], u64::from(c.electrons));
        }
        add_poisson(&mut charge[geometry.active_cols()], self.setup.lambda(row), || self.stream(Tag::Dark, row));
        add_poisson(&mut charge, config.spurious, || self.stream(Tag::Spurious, row));
        self.add_hot(row, &mut charge);
        self.add_hot_pixels(row, &mut charge);
        self.add_light(row, &mut charge);
        if config.cti_h > 0.0 {
            defer(&mut charge, config.cti_h, &mut self.stream(Tag::Cti, row));
        }
        charge
    }

    /// Hot columns in all rows of the CCD, hot rows in all active columns.
    fn add_hot(&self, row: usize, charge: &mut [u32]) {
        let geometry = &self.setup.geometry;
        let config = &self.setup.config;
        if config.hot_cols.is_empty() && config.hot_rows.is_empty() {
            return;
        }
        let (ext, side) = (
            self.amplifier / geometry.amplifiers_per_extension(),
            self.amplifier % geometry.amplifiers_per_extension(),
        );
        let here = |e: Option<usize>| e.is_none_or(|e| e == ext);
        let mut stream = self.stream(Tag::Hot, row);
        if geometry.is_active_row(row) {
            for hot in config.hot_cols.iter().filter(|h| here(h.ext)) {
                let poisson = Poisson::new(self.setup.hot_mean(row, hot.rate, hot.lambda));
                for image_col in hot.col..hot.col + hot.width {
                    let (amplifier, col) = geometry.readout_col(image_col);
                    if amplifier == side {
                        add(&mut charge[col], poisson.draw(&mut stream));
                    }
                }
            }
        }
        for hot in config.hot_rows.iter().filter(|h| here(h.ext) && (h.row..h.row + h.width).contains(&row)) {
            let poisson = Poisson::new(self.setup.hot_mean(row, hot.rate, hot.lambda));
            for q in &mut charge[geometry.active_cols()] {
                add(q, poisson.draw(&mut stream));
            }
        }
    }

    fn add_hot_pixels(&self, row: usize, charge: &mut [u32]) {
        let (geometry, per_ext) = (&self.setup.geometry, self.setup.geometry.amplifiers_per_extension());
        let here = |ext: Option<usize>| ext.is_none_or(|e| e == self.amplifier / per_ext);
        let mut pixels = self.setup.config.hot_pixels.iter().filter(|p| p.row == row && here(p.ext)).peekable();
        if pixels.peek().is_none() {
            return;
        }
        // Not the numbers of the hot columns: rows after those of the image.
        let mut stream = self.stream(Tag::Hot, 2 * geometry.rows() + row);
        for pixel in pixels {
            let (side, col) = geometry.readout_col(pixel.col);
            if side == self.amplifier % per_ext {
                let mean = self.setup.hot_mean(row, pixel.rate, pixel.lambda);
                add(&mut charge[col], Poisson::new(mean).draw(&mut stream));
            }
        }
    }

    /// Light of the amplifier in the active pixels: falls with the distance from the active pixel that is read first.
    fn add_light(&self, row: usize, charge: &mut [u32]) {
        let geometry = &self.setup.geometry;
        let light = &self.setup.config.amplifier_light;
        if (light.rate == 0.0 && light.lambda == 0.0) || !geometry.is_active_row(row) {
            return;
        }
        let corner = self.setup.hot_mean(row, light.rate, light.lambda);
        let from_first_row = (row - geometry.prescan_rows) as f64;
        let mut stream = self.stream(Tag::Hot, geometry.rows() + row);
        for (col, q) in charge[geometry.active_cols()].iter_mut().enumerate() {
            let mean = corner * libm::exp(-libm::hypot(from_first_row, col as f64) / light.length);
            add(q, Poisson::new(mean).draw(&mut stream));
        }
    }

    /// The packets of a row pass through the traps of their columns: each takes as much of their charge as it can
    /// hold, and gives them what it has released since the packet before.
    fn pass_traps(&mut self, row: usize, charge: &mut [u32]) {
        let rows = self.setup.geometry.rows();
        let mut stream = self.stream(Tag::Cti, 2 * rows + row);
        for trap in self.traps.iter_mut().filter(|t| t.row <= row) {
            let released = Binomial::new(trap.release).draw(trap.held, &mut stream);
            let own = u64::from(charge[trap.col]);
            let held = trap.held - released;
            let taken = own.min(trap.size - held);
            trap.held = held + taken;
            charge[trap.col] = clamp(own - taken + released);
        }
    }

    /// Every pixel first takes what the pixel of the row before left behind, then leaves its own part.
    fn defer_to_next_row(&mut self, row: usize, charge: &mut [u32]) {
        // The row's own stream has been used for the horizontal transfer: this one belongs to the same row of a second
        // register, numbered after all rows of the image.
        let mut stream = self.stream(Tag::Cti, self.setup.geometry.rows() + row);
        let binomial = Binomial::new(self.setup.config.cti_v);
        for (q, deferred) in charge.iter_mut().zip(&mut self.deferred) {
            let total = u64::from(*q) + u64::from(*deferred);
            let left = binomial.draw(total, &mut stream);
            *q = clamp(total - left);
            *deferred = clamp(left);
        }
    }
}

/// Moves Binomial(Q, fraction) from each pixel to the next one read; what the last pixel leaves is lost.
fn defer(charge: &mut [u32], fraction: f64, stream: &mut Stream) {
    let binomial = Binomial::new(fraction);
    let mut deferred = 0;
    for q in charge {
        let total = u64::from(*q) + deferred;
        deferred = binomial.draw(total, stream);
        *q = clamp(total - deferred);
    }
}

/// The stream is made only if it is needed.
fn add_poisson(charge: &mut [u32], mean: f64, stream: impl FnOnce() -> Stream) {
    if mean > 0.0 {
        let poisson = Poisson::new(mean);
        let mut stream = stream();
        for q in charge {
            add(q, poisson.draw(&mut stream));
        }
    }
}

fn add(q: &mut u32, electrons: u64) {
    *q = clamp(u64::from(*q).saturating_add(electrons));
}

/// Charges end at the largest 32-bit signed integer, the type of the truth image.
fn clamp(electrons: u64) -> u32 {
    electrons.min(i32::MAX as u64) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn setup(json: serde_json::Value) -> Setup {
        Setup::new(serde_json::from_value(json).unwrap()).unwrap()
    }

    fn charge(setup: &Setup, blocks: &[std::ops::Range<usize>]) -> Vec<Vec<u32>> {
        let mut maker = ChargeMaker::new(setup, 0, 0, &[]);
        blocks.iter().flat_map(|rows| maker.block(rows.clone())).collect()
    }

    /// Sums over 400 images against the law: λ exp(−d/length) in active pixels, nothing elsewhere.
    #[test]
    fn light_falls_with_the_distance_from_the_amplifier() {
        let setup = setup(
            json!({"rows": 4, "prescan_rows": 1, "active_cols": 6, "prescan_cols": 2, "overscan_cols": 2, "skips": 1,
            "lambda_image": 0.0, "amplifier_light": {"lambda": 5.0, "length": 3.0}}),
        );
        let images = 400;
        let mut sums = vec![vec![0.0; 10]; 5];
        for image in 0..images {
            let made = ChargeMaker::new(&setup, image, 0, &[]).block(0..5);
            for (sum, q) in sums.iter_mut().flatten().zip(made.iter().flatten()) {
                *sum += f64::from(*q);
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            for (col, &sum) in sums.iter().enumerate() {
                let active = row >= 1 && (2..8).contains(&col);
                if !active {
                    assert_eq!(sum, 0.0);
                    continue;
                }
                let distance = ((row as f64 - 1.0).powi(2) + (col as f64 - 2.0).powi(2)).sqrt();
                let expected = images as f64 * 5.0 * (-distance / 3.0).exp();
                assert!((sum - expected).abs() < 5.0 * expected.sqrt(), "[{row}, {col}]: {sum}, {expected}");
            }
        }
    }

    /// A trap of 3 electrons in row 1: the packet of row 1 loses 3, later empty packets get them back, none is lost.
    #[test]
    fn traps_hold_charge_back_and_release_it_later() {
        let json = json!({"rows": 60, "active_cols": 3, "prescan_cols": 0, "overscan_cols": 1, "skips": 1, "lambda_image": 0.0,
            "traps": [{"row": 1, "col": 1, "size": 3, "release": 0.25}]});
        let setup = setup(json);
        let put = |row, electrons| Contribution { row, col: 1, id: 1, electrons };
        let made = ChargeMaker::new(&setup, 0, 0, &[put(0, 9), put(1, 10)]).block(0..60);
        let column: Vec<u32> = made.iter().map(|row| row[1]).collect();
        // the packet of row 0 is read on the near side of the trap
        assert_eq!((column[0], column[1]), (9, 7));
        assert!(column[2..].iter().all(|q| *q <= 3));
        assert_eq!(column.iter().sum::<u32>(), 19);
        // in blocks as at once
        let mut maker_charge = Vec::new();
        let list = [put(0, 9), put(1, 10)];
        let mut maker = ChargeMaker::new(&setup, 0, 0, &list);
        (0..60).step_by(7).for_each(|r| maker_charge.extend(maker.block(r..(r + 7).min(60))));
        assert_eq!(maker_charge, made);
    }

    #[test]
    fn hot_pixels_are_where_they_are_put() {
        let setup = setup(
            json!({"layout": "dual", "rows": 3, "active_cols": 8, "prescan_cols": 1, "overscan_cols": 1, "skips": 1,
            "lambda_image": 0.0, "hot_pixels": [{"row": 1, "col": 2, "lambda": 50.0}, {"row": 2, "col": 9, "lambda": 80.0}]}),
        );
        let left = ChargeMaker::new(&setup, 0, 0, &[]).block(0..3);
        let right = ChargeMaker::new(&setup, 0, 1, &[]).block(0..3);
        // column 9 of 12 is the third that U reads
        for (q, mean) in [(left[1][2], 50.0_f64), (right[2][2], 80.0)] {
            assert!((f64::from(q) - mean).abs() < 5.0 * mean.sqrt(), "{q} {mean}");
        }
        let sum = |rows: &[Vec<u32>]| rows.iter().flatten().sum::<u32>();
        assert_eq!((sum(&left), sum(&right)), (left[1][2], right[2][2]));
    }

    /// Mean of the active pixels within five standard errors of λ; nothing elsewhere.
    #[test]
    fn dark_current_fills_active_pixels_only() {
        let s =
            setup(json!({"rows": 200, "active_cols": 100, "prescan_rows": 2, "overscan_rows": 3, "lambda_image": 0.7}));
        let q = charge(&s, &[0..205]);
        let mut sum = 0;
        for (row, line) in q.iter().enumerate() {
            for (col, &electrons) in line.iter().enumerate() {
                if (2..202).contains(&row) && (8..108).contains(&col) {
                    sum += u64::from(electrons);
                } else {
                    assert_eq!(electrons, 0, "row {row} col {col}");
                }
            }
        }
        let (mean, n) = (sum as f64 / 20_000.0, 20_000.0_f64);
        assert!((mean - 0.7).abs() < 5.0 * (0.7 / n).sqrt(), "{mean}");
    }

    #[test]
    fn the_charge_does_not_depend_on_the_blocks() {
        let s = setup(json!({"rows": 60, "lambda_image": 2.0, "cti_h": 0.01, "cti_v": 0.02, "spurious": 0.1,
            "hot_cols": [{"col": 20, "lambda": 30.0}], "hot_rows": [{"row": 7, "width": 2, "lambda": 3.0}]}));
        assert_eq!(charge(&s, &[0..60]), charge(&s, &[0..1, 1..37, 37..60]));
    }

    /// One component switched on does not change another: the spurious charge adds to the same dark current.
    #[test]
    fn components_use_their_own_streams() {
        let dark = charge(&setup(json!({"lambda_image": 1.0})), &[0..100]);
        let spurious = charge(&setup(json!({"lambda_image": 0.0, "spurious": 0.5})), &[0..100]);
        let both = charge(&setup(json!({"lambda_image": 1.0, "spurious": 0.5})), &[0..100]);
        for ((a, b), sum) in dark.iter().flatten().zip(spurious.iter().flatten()).zip(both.iter().flatten()) {
            assert_eq!(a + b, *sum);
        }
        assert!(spurious.iter().flatten().any(|q| *q > 0));
    }

    /// Horizontal transfer moves charge to later pixels of the line, vertical transfer to later rows; what goes in comes
    /// out, except what the last pixels leave.
    #[test]
    fn deferred_charge_trails_in_readout_order() {
        let list = [Contribution { row: 10, col: 50, id: 1, electrons: 100_000 }];
        let run = |json| {
            let s = setup(json);

            ChargeMaker::new(&s, 0, 0, &list).block(0..100)
        };
        let horizontal = run(json!({"lambda_image": 0.0, "cti_h": 0.01}));
        let sigma = (100_000.0 * 0.01 * 0.99_f64).sqrt();
        assert!((f64::from(horizontal[10][51]) - 1000.0 * 0.99).abs() < 5.0 * sigma, "{}", horizontal[10][51]);
        assert_eq!(horizontal.iter().flatten().sum::<u32>(), 100_000);
        let vertical = run(json!({"lambda_image": 0.0, "cti_v": 0.02}));
        let sigma = (100_000.0 * 0.02 * 0.98_f64).sqrt();
        assert!((f64::from(vertical[11][50]) - 2000.0 * 0.98).abs() < 5.0 * sigma, "{}", vertical[11][50]);
        assert_eq!(vertical.iter().flatten().sum::<u32>(), 100_000);
        let full = run(json!({"lambda_image": 0.0, "full_well": 5000.0}));
        assert_eq!(full[10][50], 5000);
    }

    /// U reads the right half backwards: a hot image column is the mirrored readout column.
    #[test]
    fn hot_columns_are_image_columns() {
        let s = setup(json!({"layout": "dual", "rows": 5, "active_cols": 20, "prescan_cols": 1, "overscan_cols": 2,
            "lambda_image": 0.0, "hot_cols": [{"col": 24, "lambda": 1000.0}]}));
        assert_eq!(s.geometry.cols(), 26);
        let left = ChargeMaker::new(&s, 0, 0, &[]).block(0..5);
        let right = ChargeMaker::new(&s, 0, 1, &[]).block(0..5);
        assert!(left.iter().flatten().all(|q| *q == 0));
        for line in right {
            assert!(line.iter().enumerate().all(|(c, q)| (*q > 0) == (c == 1)), "{line:?}");
        }
    }
}
