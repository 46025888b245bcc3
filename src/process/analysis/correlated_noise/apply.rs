//! Fitting the weights and computing what is subtracted.

use ndarray::Array2;
use rayon::prelude::*;

use super::regression::{Combination, ScatterErrors, Sums, Weights};
use super::signals::{Signal, in_readout_order};
use super::{CHANCE, CorrelatedNoise, CorrelatedNoiseProcess, WeightScope};
use crate::image::user_region::resolve_range;
use crate::image::{Amplifier, RawData, Side};
use crate::process::{Context, ProcessError};
use crate::stats::distributions::chi2_survival;

/// Points per signal below which a row has no weights of its own.
const POINTS_PER_SIGNAL: usize = 10;
/// Samples held at a time, about 64 MB.
const SAMPLES_AT_A_TIME: usize = 8 << 20;

/// What is subtracted from an amplifier.
pub(super) struct Correction {
    /// Image units, `[row, readout column]`.
    pub pixels: Array2<f64>,
    /// How it came about.
    pub result: CorrelatedNoise,
}

/// One signal: another amplifier, some pixels later (positive) or earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Source {
    amplifier: usize,
    lag: isize,
}

/// The signals that may correct amplifier `index`.
fn sources(count: usize, index: usize, lags: usize) -> Vec<Source> {
    let lags = lags as isize;
    (0..count)
        .filter(|other| *other != index)
        .flat_map(|amplifier| (-lags..=lags).map(move |lag| Source { amplifier, lag }))
        .collect()
}

/// The noise of a signal at a position; NaN where it is unknown.
fn value(noise: &[Signal], source: Source, row: usize, col: usize) -> f64 {
    let image = &noise[source.amplifier].noise;
    col.checked_add_signed(source.lag).and_then(|col| image.get((row, col))).copied().unwrap_or(f64::NAN)
}

/// Whether a position serves the fit: a noise pixel in the amplifier and in all signals.
fn serves(noise: &[Signal], index: usize, sources: &[Source], row: usize, col: usize) -> bool {
    noise[index].fitted[[row, col]]
        && sources.iter().all(|s| {
            col.checked_add_signed(s.lag).and_then(|col| noise[s.amplifier].fitted.get((row, col))) == Some(&true)
        })
}

/// The sums of each row.
fn sums_of_rows(noise: &[Signal], index: usize, sources: &[Source]) -> Vec<Sums> {
    let (rows, cols) = noise[index].noise.dim();
    (0..rows)
        .into_par_iter()
        .map(|row| {
            let mut sums = Sums::new(sources.len());
            let mut x = vec![0.0; sources.len()];
            for col in (0..cols).filter(|col| serves(noise, index, sources, row, *col)) {
                x.iter_mut().zip(sources).for_each(|(x, s)| *x = value(noise, *s, row, col));
                sums.add_point(noise[index].noise[[row, col]], &x);
            }
            sums.rows = usize::from(sums.points > 0);
            sums
        })
        .collect()
}

/// Errors of the weights from the residuals; `None` when they are not determined.
fn scatter_errors(
    noise: &[Signal],
    index: usize,
    sources: &[Source],
    total: &Sums,
    fit: &Combination,
) -> Option<Vec<f64>> {
    let (rows, cols) = noise[index].noise.dim();
    let none = ScatterErrors::new(total, fit)?;
    let of_rows: Vec<ScatterErrors> = (0..rows)
        .into_par_iter()
        .map(|row| {
            let mut errors = none.clone();
            let mut x = vec![0.0; sources.len()];
            for col in (0..cols).filter(|col| serves(noise, index, sources, row, *col)) {
                x.iter_mut().zip(sources).for_each(|(x, s)| *x = value(noise, *s, row, col));
                errors.add_point(noise[index].noise[[row, col]], &x);
            }
            errors
        })
        .collect();
    let mut total = none;
    of_rows.iter().for_each(|row| total.add(row));
    Some(total.errors())
}

/// Corrections of all amplifiers, from the uncorrected image.
pub(super) fn corrections(
    process: &CorrelatedNoiseProcess,
    raw: &RawData,
    context: &Context<'_>,
    noise: &[Signal],
) -> Result<Vec<Correction>, ProcessError> {
    let count = noise.len();
    let mut corrections = Vec::new();
    for index in 0..count {
        let sources = sources(count, index, process.lags);
        let rows = sums_of_rows(noise, index, &sources);
        let mut total = Sums::new(sources.len());
        rows.iter().for_each(|row| total.add(row));
        let all = all_of(sources.len());
        let combination = total.solve(all).map(|fit| {
            let errors = scatter_errors(noise, index, &sources, &total, &fit);
            Combination { errors: errors.unwrap_or(fit.errors), ..fit }
        });
        let enough = POINTS_PER_SIGNAL * sources.len();
        let mut significance = Significance::default();
        let (pixels, own_rows) = match process.weights {
            WeightScope::Image => (on_image(noise, &sources, &total, None), 0),
            WeightScope::Row => {
                let own = rows.iter().filter(|row| row.points >= enough);
                own.clone().for_each(|row| significance.add(row));
                (on_image(noise, &sources, &total, Some((&rows, enough))), own.count())
            }
            WeightScope::RowAndSample => {
                let (pixels, own_rows, of_samples) = on_samples(raw, context, noise, index, &sources, &total, enough)?;
                significance = of_samples;
                (pixels, own_rows)
            }
        };
        if own_rows == 0 {
            significance.add(&total);
        }
        let weights = Fitted { combination, own_rows, chance: significance.chance() };
        let result = judge(process, raw, noise, index, &sources, &total, weights, &pixels);
        corrections.push(Correction { pixels, result });
    }
    correlations_after(noise, &mut corrections);
    Ok(corrections)
}

/// How much of the noise the weights explain, over all fits that were made: Σ n·R² is χ² with one degree of freedom per
/// weight if the signals have nothing in common (a little narrower for few points, which errs on the safe side).
#[derive(Debug, Clone, Copy, Default)]
struct Significance {
    explained: f64,
    weights: u64,
}

impl Significance {
    fn add(&mut self, sums: &Sums) {
        if let Some(fit) = sums.solve(all_of(sums.signals())) {
            self.explained += fit.statistic(sums.signals());
            self.weights += sums.signals() as u64;
        }
    }

    fn merge(&mut self, other: Self) {
        self.explained += other.explained;
        self.weights += other.weights;
    }

    /// Probability that independent noise explains as much.
    fn chance(&self) -> f64 {
        if self.weights == 0 { 1.0 } else { chi2_survival(self.explained, self.weights) }
    }
}

/// The weights of one amplifier.
struct Fitted {
    /// Those of the image.
    combination: Option<Combination>,
    own_rows: usize,
    chance: f64,
}

fn all_of(signals: usize) -> u32 {
    // at most 24 signals
    (1_u32 << signals) - 1
}

/// Σ w·z at every position, with weights of the image or, where there are enough points, of the row.
fn on_image(noise: &[Signal], sources: &[Source], total: &Sums, rows: Option<(&[Sums], usize)>) -> Array2<f64> {
    let shape = noise[0].noise.dim();
    let mut pixels = Array2::zeros(shape);
    let lines: Vec<_> = pixels.rows_mut().into_iter().enumerate().collect();
    lines.into_par_iter().for_each(|(row, mut line)| {
        let sums = match rows {
            Some((rows, enough)) if rows[row].points >= enough => &rows[row],
            _ => total,
        };
        let mut weights = Weights::new(sums);
        for (col, c) in line.iter_mut().enumerate() {
            let mut mask = 0;
            for (i, s) in sources.iter().enumerate() {
                mask |= u32::from(value(noise, *s, row, col).is_finite()) << i;
            }
            let w = weights.of(mask);
            *c = sources
                .iter()
                .enumerate()
                .filter(|(i, _)| mask & (1 << i) != 0)
                .map(|(i, s)| w[i] * value(noise, *s, row, col))
                .sum();
        }
    });
    pixels
}

/// Σ w·z averaged over the skips, with weights of each row and skip; and the rows that had enough noise columns for
/// weights of their own. The cube is read in chunks of rows.
fn on_samples(
    raw: &RawData,
    context: &Context<'_>,
    noise: &[Signal],
    index: usize,
    sources: &[Source],
    total: &Sums,
    enough: usize,
) -> Result<(Array2<f64>, usize, Significance), ProcessError> {
    let cube = raw.cube.as_ref().ok_or_else(|| ProcessError::Failed("there is no cube of skips".into()))?;
    let region = context.common.region(&raw.user_region);
    let skips = resolve_range("id_skip", region.skips.0, region.skips.1, raw.nskips)
        .map_err(|e| ProcessError::Failed(e.to_string()))?;
    let (rows, cols) = noise[index].noise.dim();
    let step = (SAMPLES_AT_A_TIME / (raw.cols * skips.len() * noise.len()).max(1)).max(1);
    let mut pixels = Array2::zeros((rows, cols));
    let mut own_rows = 0;
    let mut significance = Significance::default();
    for first in (0..rows).step_by(step) {
        let chunk = first..(first + step).min(rows);
        let mut samples = Vec::new();
        for amplifier in &raw.amplifiers {
            let start = amplifier.full.rows.start;
            let part = cube
                .read(start + chunk.start..start + chunk.end, skips.clone())
                .map_err(|e| ProcessError::Input(e.to_string()))?;
            samples.push(part);
        }
        let made: Vec<(Vec<f64>, bool, Significance)> = chunk
            .clone()
            .into_par_iter()
            .map(|row| {
                let columns: Vec<usize> = (0..cols).filter(|col| serves(noise, index, sources, row, *col)).collect();
                let own = columns.len() >= enough;
                let mut image_weights = Weights::new(total);
                let mut line = vec![0.0; cols];
                let mut of_row = Significance::default();
                // one skip of one amplifier, without charge and around the mean of its noise columns
                let of_skip = |b: usize, k: usize| -> Vec<f64> {
                    let amplifier: &Amplifier = &raw.amplifiers[b];
                    let part = samples[b].index_axis(ndarray::Axis(0), row - chunk.start);
                    let at = |col: usize| {
                        let stored = match amplifier.side {
                            Side::U => amplifier.full.cols.end - 1 - col,
                            _ => amplifier.full.cols.start + col,
                        };
                        part[[stored, k]] - noise[b].charge[[row, col]]
                    };
                    let mean = columns.iter().map(|c| at(*c)).sum::<f64>() / columns.len().max(1) as f64;
                    (0..cols)
                        .map(|col| if noise[b].noise[[row, col]].is_finite() { at(col) - mean } else { f64::NAN })
                        .collect()
                };
                for k in 0..skips.len() {
                    let signals: Vec<Vec<f64>> = sources.iter().map(|s| of_skip(s.amplifier, k)).collect();
                    let mut sums = Sums::new(sources.len());
                    if own {
                        let y = of_skip(index, k);
                        for &col in &columns {
                            let x: Vec<f64> = signals.iter().map(|s| s[col]).collect();
                            if y[col].is_finite() && x.iter().all(|x| x.is_finite()) {
                                sums.add_point(y[col], &x);
                            }
                        }
                        sums.rows = 1;
                        of_row.add(&sums);
                    }
                    let mut weights = Weights::new(&sums);
                    for (col, c) in line.iter_mut().enumerate() {
                        let mut mask = 0;
                        for (i, s) in signals.iter().enumerate() {
                            mask |= u32::from(s[col].is_finite()) << i;
                        }
                        let w = if own { weights.of(mask) } else { image_weights.of(mask) };
                        for (i, s) in signals.iter().enumerate().filter(|(i, _)| mask & (1 << i) != 0) {
                            *c += w[i] * s[col] / skips.len() as f64;
                        }
                    }
                }
                (line, own, of_row)
            })
            .collect();
        for (row, (line, own, of_row)) in chunk.zip(made) {
            significance.merge(of_row);
            own_rows += usize::from(own);
            pixels.row_mut(row).iter_mut().zip(line).for_each(|(p, c)| *p = c);
        }
    }
    Ok((pixels, own_rows, significance))
}

/// Noise before and after, and whether the correction is worth it.
#[allow(clippy::too_many_arguments)]
fn judge(
    process: &CorrelatedNoiseProcess,
    raw: &RawData,
    noise: &[Signal],
    index: usize,
    sources: &[Source],
    total: &Sums,
    weights: Fitted,
    pixels: &Array2<f64>,
) -> CorrelatedNoise {
    let Fitted { combination, own_rows, chance } = weights;
    let names = sources
        .iter()
        .map(|s| {
            let name = &raw.amplifiers[s.amplifier].name;
            if process.lags == 0 { name.clone() } else { format!("{name}{:+}", s.lag) }
        })
        .collect();
    let (rows, cols) = pixels.dim();
    // residuals around their row means
    let (mut squares, mut points, mut used_rows) = (0.0, 0_usize, 0_usize);
    for row in 0..rows {
        let residuals: Vec<f64> = (0..cols)
            .filter(|col| serves(noise, index, sources, row, *col))
            .map(|col| noise[index].noise[[row, col]] - pixels[[row, col]])
            .filter(|r| r.is_finite())
            .collect();
        if residuals.is_empty() {
            continue;
        }
        let mean = residuals.iter().sum::<f64>() / residuals.len() as f64;
        squares += residuals.iter().map(|r| (r - mean).powi(2)).sum::<f64>();
        points += residuals.len();
        used_rows += 1;
    }
    let fitted = if own_rows > 0 { sources.len() * own_rows } else { sources.len() };
    let degrees = points as f64 - (used_rows + fitted) as f64;
    let before = total.variance().sqrt();
    let after = if degrees > 0.0 { (squares / degrees).sqrt() } else { f64::NAN };
    // pixels that the fit has not seen get the errors of the weights on top
    let elsewhere = after * (1.0 + fitted as f64 / points.max(1) as f64).sqrt();
    CorrelatedNoise {
        signals: names,
        weights: combination.as_ref().map_or(Vec::new(), |c| c.weights.clone()),
        errors: combination.as_ref().map_or(Vec::new(), |c| c.errors.clone()),
        before,
        after,
        correlation_before: (0..noise.len()).map(|other| correlation(noise, index, other, |_| None)).collect(),
        correlation_after: Vec::new(),
        points: total.points,
        chance,
        own_rows,
        applied: chance <= CHANCE && elsewhere < before,
    }
}

/// Correlation of the noise of two amplifiers over pixels that are noise in both; `minus` gives what was subtracted.
fn correlation<'a>(noise: &[Signal], a: usize, b: usize, minus: impl Fn(usize) -> Option<&'a Array2<f64>>) -> f64 {
    let (rows, cols) = noise[a].noise.dim();
    let at = |i: usize, row: usize, col: usize| {
        noise[i].noise[[row, col]] - minus(i).map_or(0.0, |pixels| pixels[[row, col]])
    };
    let (mut n, mut sa, mut sb) = (0.0, 0.0, 0.0);
    let (mut saa, mut sbb, mut sab) = (0.0, 0.0, 0.0);
    for row in 0..rows {
        for col in 0..cols {
            if noise[a].fitted[[row, col]] && noise[b].fitted[[row, col]] {
                let (x, y) = (at(a, row, col), at(b, row, col));
                if x.is_finite() && y.is_finite() {
                    n += 1.0;
                    sa += x;
                    sb += y;
                    saa += x * x;
                    sbb += y * y;
                    sab += x * y;
                }
            }
        }
    }
    let (va, vb) = (saa - sa * sa / n, sbb - sb * sb / n);
    if va > 0.0 && vb > 0.0 { (sab - sa * sb / n) / (va * vb).sqrt() } else { f64::NAN }
}

/// Correlations of the corrected amplifiers.
fn correlations_after(noise: &[Signal], corrections: &mut [Correction]) {
    let all: Vec<Vec<f64>> = {
        let minus = |i: usize| corrections[i].result.applied.then_some(&corrections[i].pixels);
        (0..noise.len()).map(|a| (0..noise.len()).map(|b| correlation(noise, a, b, minus)).collect()).collect()
    };
    for (correction, after) in corrections.iter_mut().zip(all) {
        correction.result.correlation_after = after;
    }
}

/// Subtracts a correction, given in the order of readout, from the amplifier's pixels.
pub(super) fn subtract(image: &mut Array2<f64>, amplifier: &Amplifier, pixels: &Array2<f64>) {
    let mut part = amplifier.full.view_mut(image);
    if amplifier.side == Side::U {
        part.invert_axis(ndarray::Axis(1));
    }
    part.zip_mut_with(pixels, |q, c| *q -= c);
}

/// The noise pixels of an amplifier before and after, for figures.
pub(super) fn noise_values(noise: &Signal, corrected: &Array2<f64>, amplifier: &Amplifier) -> (Vec<f64>, Vec<f64>) {
    let after = in_readout_order(corrected, amplifier);
    let mut values = (Vec::new(), Vec::new());
    for ((at, fitted), z) in noise.fitted.indexed_iter().zip(&noise.noise) {
        if *fitted && z.is_finite() {
            values.0.push(*z);
            values.1.push(after[at] - noise.charge[at]);
        }
    }
    values
}
