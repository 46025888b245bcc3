//! The coefficients: how much of the charge of one channel appears in another (spec 03 §6, steps 1–6).
//!
//! For each seed of the source channel, the pixel of the destination read at the same time (plus a lag) is divided by
//! the seed's charge. The median of these ratios, after clipping outliers (a cluster that happens to lie there), is the
//! coefficient; its error comes from a smoothed bootstrap. The same charges at random places give the null coefficient: what
//! background and pedestal errors feign.

use rayon::prelude::*;
use serde::Serialize;

use super::bootstrap::{Intervals, median_intervals};
use super::module::{Frame, Module, Seed};
use crate::stats::random::Stream;
use crate::stats::robust::{self, MAD_TO_SIGMA};

/// Ratios farther than this many robust standard deviations from their median are clipped.
const CLIP: f64 = 5.0;
/// Fewer ratios than this (or as many) are not clipped.
const MIN_CLIPPED: usize = 5;
/// Bootstrap samples of an energy bin.
const BIN_BOOTSTRAP: usize = 500;
/// Fewest seeds of an energy bin with an interval.
const MIN_BIN_SEEDS: usize = 3;

/// How seeds are divided by charge.
#[derive(Debug, Clone, PartialEq)]
pub enum EnergyBins {
    /// This many bins with equal numbers of seeds.
    Quantiles(usize),
    /// This many bins of equal width.
    Uniform(usize),
    /// These edges, ascending, e⁻.
    Edges(Vec<f64>),
}

/// What is measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Rows and columns from the source pixel to the affected one.
    pub lag: (i64, i64),
    /// Charge of the seeds, e⁻, both ends excluded.
    pub charge: (f64, f64),
    /// Bootstrap samples.
    pub bootstrap: usize,
    /// Energy bins.
    pub bins: EnergyBins,
    /// Rows of the seeds, end excluded; `None`: all.
    pub rows: Option<(usize, usize)>,
    /// Seed of all random numbers.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lag: (0, 0),
            charge: (400.0, 5000.0),
            bootstrap: 10_000,
            bins: EnergyBins::Quantiles(5),
            rows: None,
            seed: 321,
        }
    }
}

/// A seed and what the other channel shows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ratio {
    /// Charge of the seed, e⁻.
    pub charge: f64,
    /// Charge in the other channel divided by it.
    pub ratio: f64,
}

/// The coefficient of an energy bin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct EnergyBin {
    /// Lower edge, e⁻.
    pub lo: f64,
    /// Upper edge, e⁻ (included in the last bin only).
    pub hi: f64,
    /// Seeds.
    pub seeds: usize,
    /// Mean charge of the seeds, e⁻; NaN without.
    pub mean_charge: f64,
    /// Median ratio; NaN without seeds.
    pub alpha: f64,
    /// Its standard error: standard deviation of the bootstrapped medians.
    pub error: f64,
    /// 68 % interval.
    pub p68: (f64, f64),
    /// 95 % interval.
    pub p95: (f64, f64),
}

/// The coefficient of a pair of channels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Coefficient {
    /// Median of the kept ratios; NaN without seeds.
    pub alpha: f64,
    /// Its standard error: standard deviation of the bootstrapped medians.
    pub error: f64,
    /// 68 % interval.
    pub p68: (f64, f64),
    /// 95 % interval.
    pub p95: (f64, f64),
    /// The same at random places.
    pub null: f64,
    /// Standard error of the null coefficient.
    pub null_error: f64,
    /// 68 % interval of the null coefficient.
    pub null_p68: (f64, f64),
    /// Seeds with their target in the image.
    pub seeds: usize,
    /// Of these, kept after clipping.
    pub kept: usize,
    /// By charge.
    pub bins: Vec<EnergyBin>,
    /// The ratios kept.
    #[serde(skip)]
    pub ratios: Vec<Ratio>,
}

impl Coefficient {
    /// What is used to correct: the coefficient minus the null coefficient; 0 when it is not known.
    pub fn correction(&self) -> f64 {
        let difference = self.alpha - self.null;
        if difference.is_finite() { difference } else { 0.0 }
    }
}

/// All coefficients, `[destination][source]`; `None` on the diagonal.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// Labels of the channels.
    pub labels: Vec<String>,
    /// Coefficients.
    pub coefficients: Vec<Vec<Option<Coefficient>>>,
}

impl Matrix {
    /// A number per pair, NaN on the diagonal.
    pub fn map(&self, f: impl Fn(&Coefficient) -> f64) -> Vec<Vec<f64>> {
        self.coefficients.iter().map(|row| row.iter().map(|c| c.as_ref().map_or(f64::NAN, &f)).collect()).collect()
    }

    /// The pairs: destination, source, coefficient.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize, &Coefficient)> {
        self.coefficients
            .iter()
            .enumerate()
            .flat_map(|(dst, row)| row.iter().enumerate().filter_map(move |(src, c)| c.as_ref().map(|c| (dst, src, c))))
    }
}

/// Measures all pairs of channels. Every pair has its own stream of random numbers, so that the result depends on the
/// data and the seed only.
pub fn measure(module: &Module, settings: &Settings) -> Matrix {
    let n = module.channels.len();
    let mut seeds = Stream::from_seed(settings.seed);
    let streams: Vec<Stream> = (0..n * n).map(|_| Stream::from_seed(seeds.bits())).collect();
    let mut all: Vec<Option<Coefficient>> = streams
        .into_par_iter()
        .enumerate()
        .map(|(k, mut stream)| (k / n != k % n).then(|| pair(module, k / n, k % n, settings, &mut stream)))
        .collect();
    let labels = module.channels.iter().map(|c| c.label.clone()).collect();
    let mut coefficients = Vec::new();
    while !all.is_empty() {
        let rest = all.split_off(n.min(all.len()));
        coefficients.push(std::mem::replace(&mut all, rest));
    }
    Matrix { labels, coefficients }
}

fn pair(module: &Module, dst: usize, src: usize, settings: &Settings, stream: &mut Stream) -> Coefficient {
    let (mut ratios, mut null) = (Vec::new(), Vec::new());
    for frame in &module.frames {
        let image = &frame.images[dst];
        for seed in seeds_in_range(frame, src, settings) {
            if let Some(target) = shifted(seed.row, seed.col, settings.lag, image.dim())
                && image[target].is_finite()
            {
                ratios.push(Ratio { charge: seed.charge, ratio: image[target] / seed.charge });
                null.extend(random_ratio(image, seed.charge, settings, stream));
            }
        }
    }
    let seeds = ratios.len();
    let kept = clip(ratios);
    let values: Vec<f64> = kept.iter().map(|r| r.ratio).collect();
    let Intervals { error, p68, p95 } = median_intervals(&kept, settings.bootstrap, stream);
    let null = clip(null);
    let of_null = median_intervals(&null, settings.bootstrap, stream);
    let bins = energy_bins(&kept, &settings.bins, stream);
    Coefficient {
        alpha: robust::median(&values),
        error,
        p68,
        p95,
        null: robust::median(&null.iter().map(|r| r.ratio).collect::<Vec<_>>()),
        null_error: of_null.error,
        null_p68: of_null.p68,
        seeds,
        kept: kept.len(),
        bins,
        ratios: kept,
    }
}

/// Seeds of the source channel whose charge and row are accepted.
fn seeds_in_range<'a>(frame: &'a Frame, src: usize, settings: &'a Settings) -> impl Iterator<Item = &'a Seed> {
    let (lo, hi) = settings.charge;
    frame.seeds[src].iter().filter(move |seed| {
        seed.charge > lo && seed.charge < hi && settings.rows.is_none_or(|(a, b)| (a..b).contains(&seed.row))
    })
}

/// The pixel at an offset, if it lies in the image.
fn shifted(row: usize, col: usize, lag: (i64, i64), shape: (usize, usize)) -> Option<(usize, usize)> {
    let row = usize::try_from(i64::try_from(row).ok()?.checked_add(lag.0)?).ok()?;
    let col = usize::try_from(i64::try_from(col).ok()?.checked_add(lag.1)?).ok()?;
    (row < shape.0 && col < shape.1).then_some((row, col))
}

/// The ratio at a random place whose target lies in the image; `None` if the pixel there is missing.
fn random_ratio(image: &ndarray::Array2<f64>, charge: f64, settings: &Settings, stream: &mut Stream) -> Option<Ratio> {
    let (rows, cols) = image.dim();
    // places from which the target is inside: the image and the image moved back, in common
    let range = |first: usize, end: usize, lag: i64, length: usize| {
        let from = (first as i64).max(-lag);
        let to = (end.min(length) as i64).min((length as i64).saturating_sub(lag));
        (from < to).then_some((from, to))
    };
    let (a, b) = settings.rows.unwrap_or((0, rows));
    let (r0, r1) = range(a, b, settings.lag.0, rows)?;
    let (c0, c1) = range(0, cols, settings.lag.1, cols)?;
    let row = r0 + stream.below((r1 - r0) as u64) as i64;
    let col = c0 + stream.below((c1 - c0) as u64) as i64;
    let target = shifted(usize::try_from(row).ok()?, usize::try_from(col).ok()?, settings.lag, (rows, cols))?;
    image[target].is_finite().then(|| Ratio { charge, ratio: image[target] / charge })
}

/// Leaves out ratios farther than `CLIP` robust standard deviations from the median.
pub fn clip(ratios: Vec<Ratio>) -> Vec<Ratio> {
    if ratios.len() <= MIN_CLIPPED {
        return ratios;
    }
    let values: Vec<f64> = ratios.iter().map(|r| r.ratio).collect();
    let (median, mad) = robust::median_and_mad(&values);
    if mad == 0.0 {
        return ratios;
    }
    let limit = CLIP * MAD_TO_SIGMA * mad;
    ratios.into_iter().filter(|r| (r.ratio - median).abs() <= limit).collect()
}

/// Coefficients by charge.
pub fn energy_bins(ratios: &[Ratio], bins: &EnergyBins, stream: &mut Stream) -> Vec<EnergyBin> {
    let charges: Vec<f64> = ratios.iter().map(|r| r.charge).collect();
    let edges = edges(&charges, bins);
    let last = edges.len().saturating_sub(2);
    edges
        .windows(2)
        .enumerate()
        .map(|(k, edge)| {
            let (lo, hi) = (edge[0], edge[1]);
            let inside = |r: &&Ratio| r.charge >= lo && (r.charge < hi || k == last && r.charge == hi);
            let inside: Vec<Ratio> = ratios.iter().filter(inside).copied().collect();
            let values: Vec<f64> = inside.iter().map(|r| r.ratio).collect();
            let enough = values.len() >= MIN_BIN_SEEDS;
            let intervals = if enough { median_intervals(&inside, BIN_BOOTSTRAP, stream) } else { Intervals::NONE };
            EnergyBin {
                lo,
                hi,
                seeds: values.len(),
                mean_charge: inside.iter().map(|r| r.charge).sum::<f64>() / values.len() as f64,
                alpha: robust::median(&values),
                error: intervals.error,
                p68: intervals.p68,
                p95: intervals.p95,
            }
        })
        .collect()
}

fn edges(charges: &[f64], bins: &EnergyBins) -> Vec<f64> {
    let Some((lo, hi)) = robust::min_max(charges) else { return Vec::new() };
    match bins {
        EnergyBins::Quantiles(n) => {
            let mut edges: Vec<f64> =
                (0..=*n).map(|k| robust::percentile(charges, 100.0 * k as f64 / *n as f64)).collect();
            // equal charges would leave empty bins between equal edges
            edges.dedup();
            if edges.len() == 1 {
                edges.push(edges[0]);
            }
            edges
        }
        EnergyBins::Uniform(n) => (0..=*n).map(|k| lo + (hi - lo) * k as f64 / *n as f64).collect(),
        EnergyBins::Edges(edges) => edges.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::crosstalk::module::Channel;
    use ndarray::Array2;

    const CHARGES: [f64; 8] = [500.0, 800.0, 1000.0, 1600.0, 2000.0, 2500.0, 4000.0, 450.0];
    const SEEN: [f64; 8] = [0.06, 0.02, 0.13, 0.20, 0.22, 0.31, 0.44, 9.0];

    /// Two channels: seeds of the second in a row, what they leave in the first one row below them.
    fn example(lag_rows: usize) -> Module {
        let (mut first, second) = (Array2::zeros((4, 8)), Array2::zeros((4, 8)));
        let mut seeds = Vec::new();
        for (col, (charge, seen)) in CHARGES.iter().zip(SEEN).enumerate() {
            first[[1 + lag_rows, col]] = seen;
            seeds.push(Seed { row: 1, col, charge: *charge, cluster: 1 });
        }
        let channel = |n: usize| Channel { label: format!("{}-CH{n}", ['A', 'B'][n]), number: n + 1 };
        Module {
            channels: vec![channel(0), channel(1)],
            frames: vec![Frame { images: vec![first, second], seeds: vec![Vec::new(), seeds] }],
        }
    }

    #[test]
    fn example_of_the_specification() {
        let settings = Settings { bins: EnergyBins::Quantiles(2), ..Settings::default() };
        let matrix = measure(&example(0), &settings);
        let c = matrix.coefficients[0][1].as_ref().unwrap();
        assert!((c.alpha - 1.22e-4).abs() < 1e-16 && c.kept == 6 && c.seeds == 8, "{c:?}");
        let values: Vec<f64> = c.ratios.iter().map(|r| r.ratio).collect();
        let [p5, p95] = robust::percentiles(&values, [5.0, 95.0]);
        assert!((p5 - 1.1e-4).abs() < 1e-16 && (p95 - 1.2875e-4).abs() < 1e-16);
        assert!((robust::mad(&values) - 5.5e-6).abs() < 1e-16);
        let bins: Vec<_> = c.bins.iter().map(|b| (b.lo, b.hi, b.seeds)).collect();
        assert_eq!(bins, [(500.0, 1800.0, 3), (1800.0, 4000.0, 3)]);
        assert!((c.bins[0].alpha - 1.25e-4).abs() < 1e-16 && (c.bins[1].alpha - 1.1e-4).abs() < 1e-16);
        assert!(c.bins[0].p95.0 <= c.bins[0].p68.0 && c.bins[0].p68.1 <= c.bins[0].p95.1);
        // no seeds in the other direction
        assert!(matrix.coefficients[1][0].as_ref().unwrap().alpha.is_nan());
        assert!(matrix.coefficients[0][0].is_none());
        assert!(matrix.map(|c| c.alpha)[0][0].is_nan());
    }

    #[test]
    fn lags_and_ranges() {
        let shifted = Settings { lag: (1, 0), ..Settings::default() };
        assert!((measure(&example(1), &shifted).coefficients[0][1].as_ref().unwrap().alpha - 1.22e-4).abs() < 1e-16);
        let outside = Settings { lag: (3, 0), ..Settings::default() };
        assert_eq!(measure(&example(0), &outside).coefficients[0][1].as_ref().unwrap().seeds, 0);
        let narrow = Settings { charge: (500.0, 2500.0), ..Settings::default() };
        assert_eq!(measure(&example(0), &narrow).coefficients[0][1].as_ref().unwrap().seeds, 4, "ends are excluded");
        let rows = Settings { rows: Some((2, 4)), ..Settings::default() };
        assert_eq!(measure(&example(0), &rows).coefficients[0][1].as_ref().unwrap().seeds, 0);
    }

    #[test]
    fn clipping_without_spread_keeps_everything() {
        let equal = vec![Ratio { charge: 1.0, ratio: 2.0 }; 7];
        assert_eq!(clip(equal.clone()), equal);
        let mut mixed = equal.clone();
        mixed.push(Ratio { charge: 1.0, ratio: 9.0 });
        assert_eq!(clip(mixed).len(), 8, "MAD 0: no clipping");
        let few: Vec<Ratio> = [1.0, 1.1, 1.2, 1.3, 99.0].map(|ratio| Ratio { charge: 1.0, ratio }).to_vec();
        assert_eq!(clip(few).len(), 5, "not more than 5");
    }

    #[test]
    fn edges_of_all_kinds() {
        let ratios: Vec<Ratio> = (1..=10).map(|k| Ratio { charge: f64::from(k), ratio: 1.0 }).collect();
        let counts = |bins: EnergyBins| {
            energy_bins(&ratios, &bins, &mut Stream::from_seed(1)).iter().map(|b| b.seeds).collect::<Vec<_>>()
        };
        assert_eq!(counts(EnergyBins::Uniform(3)), [3, 3, 4]);
        assert_eq!(counts(EnergyBins::Quantiles(5)), [2, 2, 2, 2, 2]);
        assert_eq!(counts(EnergyBins::Edges(vec![0.0, 2.5, 10.0])), [2, 8]);
        let equal = vec![Ratio { charge: 3.0, ratio: 1.0 }; 4];
        assert_eq!(energy_bins(&equal, &EnergyBins::Quantiles(5), &mut Stream::from_seed(1))[0].seeds, 4);
        assert!(energy_bins(&[], &EnergyBins::Quantiles(5), &mut Stream::from_seed(1)).is_empty());
    }
}
