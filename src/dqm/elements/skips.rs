//! Single skips: mean charge difference to a reference skip (id 0), readout noise versus skips averaged (id 3).
//!
//! Both need one pass over the samples, which they share. The images of the chain are not touched.

use std::collections::BTreeMap;

use super::config::Elements;
use super::{Reason, Shot, extra, vector};
use crate::dqm::model::{Entry, Extra, Values};
use crate::image::cube::Samples;
use crate::image::{Amplifier, RawData};
use crate::stats::robust::{self, MAD_TO_SIGMA};

/// What one pass over the samples gives for an amplifier.
#[derive(Debug, Default)]
struct Scan {
    /// Mean over the active pixels of each skip, ADU.
    means: Vec<f64>,
    /// Numbers of skips averaged.
    grid: Vec<usize>,
    /// Noise of the overscan pixels for each of them, ADU.
    noise: Vec<f64>,
}

/// What one pass over the samples gives, or why it was not made.
#[derive(Debug)]
pub(super) struct Scans(Result<BTreeMap<String, Scan>, Reason>);

/// Numbers of skips averaged (spec 04 §3.2) for `available` skips: equal steps (n > 0) or equal steps of the logarithm.
pub(super) fn grid(n: i64, available: usize) -> Vec<usize> {
    let mut numbers: Vec<usize> = if n > 0 {
        let step = n as usize;
        std::iter::once(1).chain((step..=available).step_by(step)).chain([available]).collect()
    } else {
        let count = n.unsigned_abs() as usize;
        let last = (available as f64).ln();
        let at = |k: usize| if count > 1 { last * k as f64 / (count - 1) as f64 } else { last };
        (0..count).map(|k| (at(k).exp() + 0.5).floor() as usize).map(|n| n.clamp(1, available)).collect()
    };
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Sums of one block of rows.
struct Part {
    /// Per amplifier: sum over the active pixels of each skip.
    sums: Vec<Vec<f64>>,
    /// Per amplifier: means of the overscan pixels, one list per number of skips.
    averages: Vec<Vec<Vec<f64>>>,
}

/// Reads the samples once if an active element needs them.
pub(super) fn scan(raw: &RawData, amplifiers: &[Amplifier], elements: &Elements, warnings: &mut Vec<String>) -> Scans {
    let (difference, noise) = (elements.get(0), elements.get(3));
    let Some(cube) = raw.cube.as_ref().filter(|_| raw.nskips > 1) else {
        return Scans(Err("the image holds no single skips".into()));
    };
    if difference.is_none() && noise.is_none() {
        return Scans(Err("no active monitor element needs single skips".into()));
    }
    let start = noise.map_or(0, |e| e.plain_number("id_skip_start").max(0.0) as usize);
    let available = raw.nskips.saturating_sub(start);
    let steps = noise.map_or(0, |e| e.plain_number("n_skips_per_block") as i64);
    let numbers = if noise.is_some() && available > 0 && steps != 0 { grid(steps, available) } else { Vec::new() };
    if let Some(reference) = difference.map(|e| e.plain_number("skip_reference"))
        // The number of skips itself plainly means the last one.
        && reference > raw.nskips as f64
    {
        warnings.push(format!(
            "MEQmeanDiffSingleSkips: `skip_reference` is {reference}, the image has {} skips: the last one is taken",
            raw.nskips
        ));
    }
    let wants_means = difference.is_some();
    let parts = cube.for_each_block(|block| {
        let mut part = Part {
            sums: vec![vec![0.0; if wants_means { block.skips } else { 0 }]; amplifiers.len()],
            averages: vec![vec![Vec::new(); numbers.len()]; amplifiers.len()],
        };
        for (a, amplifier) in amplifiers.iter().enumerate() {
            for row in block.rows.clone() {
                if wants_means && amplifier.active.rows.contains(&row) {
                    for col in amplifier.active.cols.clone() {
                        add(&mut part.sums[a], block.pixel(row, col));
                    }
                }
                if !numbers.is_empty() && amplifier.overscan.rows.contains(&row) {
                    for col in amplifier.overscan.cols.clone() {
                        let samples = block.pixel(row, col);
                        running_means(samples.part(start..block.skips), &numbers, &mut part.averages[a]);
                    }
                }
            }
        }
        part
    });
    let parts = match parts {
        Ok(parts) => parts,
        Err(error) => return Scans(Err(error.to_string())),
    };
    let mut scans = BTreeMap::new();
    for (a, amplifier) in amplifiers.iter().enumerate() {
        let mut scan = Scan { grid: numbers.clone(), ..Scan::default() };
        if wants_means {
            scan.means = vec![0.0; raw.nskips];
            for part in &parts {
                scan.means.iter_mut().zip(&part.sums[a]).for_each(|(sum, x)| *sum += x);
            }
            let pixels = amplifier.active.len() as f64;
            scan.means.iter_mut().for_each(|sum| *sum /= pixels);
        }
        for k in 0..numbers.len() {
            let values: Vec<f64> = parts.iter().flat_map(|p| p.averages[a][k].iter().copied()).collect();
            let values: Vec<f64> = values.into_iter().filter(|q| q.is_finite()).collect();
            scan.noise.push(MAD_TO_SIGMA * robust::mad(&values));
        }
        scans.insert(amplifier.name.clone(), scan);
    }
    Scans(Ok(scans))
}

/// Adds the samples of a pixel to the sums.
fn add(sums: &mut [f64], samples: Samples<'_>) {
    match samples {
        Samples::Int(x) => sums.iter_mut().zip(x).for_each(|(s, x)| *s += f64::from(*x)),
        Samples::Real(x) => sums.iter_mut().zip(x).for_each(|(s, x)| *s += x),
    }
}

/// Means of the first N samples for each N of `numbers` (ascending).
fn running_means(samples: Samples<'_>, numbers: &[usize], averages: &mut [Vec<f64>]) {
    let (mut sum, mut done) = (0.0, 0);
    for (n, list) in numbers.iter().zip(averages) {
        let n = (*n).min(samples.len());
        sum += match samples.part(done..n) {
            Samples::Int(x) => x.iter().map(|x| f64::from(*x)).sum::<f64>(),
            Samples::Real(x) => x.iter().sum::<f64>(),
        };
        done = n;
        list.push(sum / n as f64);
    }
}

/// Id 0: mean of (q_ref − q_s) over the active pixels, divided by the median of the amplifier's averaged image.
pub(super) fn mean_difference(shot: &Shot<'_>, scans: &Scans) -> Result<Entry, Reason> {
    let scan = scans.0.as_ref().map_err(Reason::clone)?.get(&shot.amplifier.name).ok_or("the amplifier is unknown")?;
    let step = shot.count("skip_step")?.max(1);
    let reference = shot.count("skip_reference")?.min(scan.means.len().saturating_sub(1));
    let image = shot.image(&shot.config.image)?;
    let pixels: Vec<f64> = shot.amplifier.full.view(image).iter().copied().filter(|q| q.is_finite()).collect();
    let median = robust::median(&pixels);
    if !(median.abs() > 0.0) {
        return Err("the median of the averaged image is 0".into());
    }
    let x: Vec<usize> = (0..scan.means.len()).step_by(step).collect();
    let y = x.iter().map(|s| (scan.means[reference] - scan.means[*s]) / median).collect();
    let mut entry = vector(x.iter().map(|s| *s as f64).collect(), y);
    entry.extra.insert("skip_reference".into(), Extra::Integer(reference as i64));
    extra(&mut entry, "median", median);
    Ok(entry)
}

/// Id 3: 1.4826·MAD of the overscan pixels versus the number of skips averaged.
pub(super) fn noise(shot: &Shot<'_>, scans: &Scans) -> Result<Entry, Reason> {
    shot.overscan()?;
    let scan = scans.0.as_ref().map_err(Reason::clone)?.get(&shot.amplifier.name).ok_or("the amplifier is unknown")?;
    if scan.grid.is_empty() {
        return Err("`id_skip_start` leaves no skip, or `n_skips_per_block` is 0".into());
    }
    let x: Vec<f64> = scan.grid.iter().map(|n| *n as f64).collect();
    let (last_n, last) = (x[x.len() - 1], scan.noise[x.len() - 1]);
    let mut entry = vector(x.clone(), scan.noise.clone());
    entry.yfit = Values::Many(x.iter().map(|n| last * (last_n / n).sqrt()).collect());
    // error of 1.4826·MAD of n Gaussian values: σ·1.1664/√n (asymptotic variance of the MAD)
    let pixels = shot.amplifier.overscan.len() as f64;
    entry.yerr = Values::Many(scan.noise.iter().map(|s| 1.1664 * s / pixels.sqrt()).collect());
    if let Ok(gain) = shot.gain() {
        entry.extra.insert("y_e".into(), Extra::Numbers(scan.noise.iter().map(|s| s / gain).collect()));
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_skips_of_the_specification() {
        assert_eq!(grid(-10, 59), [1, 2, 4, 6, 10, 15, 24, 38, 59]);
        assert_eq!(grid(10, 64), [1, 10, 20, 30, 40, 50, 60, 64]);
        assert_eq!(grid(100, 500), [1, 100, 200, 300, 400, 500]);
        assert_eq!(grid(-10, 64), [1, 2, 3, 4, 6, 10, 16, 25, 40, 64]);
        assert_eq!(grid(-10, 54), [1, 2, 4, 6, 9, 14, 22, 35, 54]);
        assert_eq!(grid(-1, 5), [5]);
    }

    #[test]
    fn running_means_are_means_of_the_first_samples() {
        let mut averages = vec![Vec::new(); 3];
        running_means(Samples::Int(&[1, 2, 3, 6]), &[1, 3, 4], &mut averages);
        assert_eq!(averages, [vec![1.0], vec![2.0], vec![3.0]]);
    }
}
