//! `panaSKImg transient`: the skips of chosen pixels, and how the mean of all pixels settles (spec 04 §8.10).
//!
//! The first skips of a pixel often lie above or below the later ones, until the output stage has settled. The mean over
//! all pixels of skip k is fitted with A + B·exp(−k/τ); its errors come from the scatter of the skips around the mean of
//! their pixel, so that the charge of the pixels does not enter.

mod figures;
mod settling;

use std::path::Path;

use clap::Args;

use super::error::{BenchError, BenchResult};
use super::files::{Extension, FitsFile, expand, stem_of, whole};
use super::results::{FigureArgs, Results, plus_minus};
use crate::image::Region;
use crate::image::cube::{CubeLayout, SkipCube};
use crate::image::report::Table;
pub use settling::{Behaviour, Settling, fit_settling};

/// Keywords with the number of skips.
const SKIPS: [&str; 3] = ["NDCMS", "NSAMP", "NDCM"];

/// Options of `panaSKImg transient`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct TransientArgs {
    /// Raw image
    #[arg(value_name = "INFILE")]
    pub infile: String,
    /// Rows of the pixels
    #[arg(short = 'r', long, required = true, num_args = 1.., value_delimiter = ',', value_name = "ROW", value_parser = whole)]
    pub rows: Vec<usize>,
    /// Columns of the pixels (all combinations with the rows)
    #[arg(short = 'c', long, required = true, num_args = 1.., value_delimiter = ',', value_name = "COL", value_parser = whole)]
    pub cols: Vec<usize>,
    /// Extensions with data and header: numbers or EXTNAMEs [default: the first image, for both]
    #[arg(long, num_args = 1..=2, value_names = ["DATA", "HEADER"])]
    pub ext: Vec<Extension>,
    /// Skips per pixel [default: card NDCMS, NSAMP or NDCM]
    #[arg(long, value_name = "N", value_parser = whole)]
    pub skips: Option<usize>,
    /// Output.
    #[command(flatten)]
    pub output: FigureArgs,
}

/// Mean over all pixels of an amplifier per skip.
#[derive(Debug, Clone, PartialEq)]
pub struct MeanCurve {
    /// Amplifier.
    pub amplifier: String,
    /// ADU, per skip.
    pub mean: Vec<f64>,
    /// Its error, ADU.
    pub error: Vec<f64>,
    /// The fit, if there is one.
    pub settling: Option<Settling>,
}

/// The skips of a pixel.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// Row.
    pub row: usize,
    /// Column.
    pub col: usize,
    /// ADU, in the order of time.
    pub values: Vec<f64>,
}

/// Skips per pixel of an image whose width can hold them, if there are several: raw skips, unless they are averaged
/// already and the width is a multiple of their number by chance.
///
/// # Errors
/// If the header cannot be read.
pub fn raw_skips(file: &FitsFile, hdu: usize, width: usize) -> BenchResult<Option<usize>> {
    let number = file.cards(hdu)?.first_number(&SKIPS).filter(|n| n.fract() == 0.0 && (2.0..1e7).contains(n));
    Ok(number.map(|n| n as usize).filter(|n| width > 0 && width.is_multiple_of(*n)))
}

/// Draws the traces and the mean curves.
///
/// # Errors
/// A file that cannot be read, has no number of skips, or has no such pixel.
pub fn run(args: &TransientArgs, base: &Path) -> BenchResult<Results> {
    let mut results = Results::new(&args.output, base)?;
    let files = expand(std::slice::from_ref(&args.infile), base)?;
    let [path] = files.as_slice() else {
        return Err(BenchError::option(
            "INFILE",
            format!("`{}` stands for {} files, not for one", args.infile, files.len()),
        ));
    };
    let file = FitsFile::open(path)?;
    let hdu = file.find_data(args.ext.first(), &[])?;
    let header = args.ext.get(1).map_or(Ok(hdu), |e| file.find(e))?;
    let cards = file.cards(header)?;
    let skips = match args.skips {
        Some(n) => n,
        None => {
            let number = cards.first_number(&SKIPS).filter(|n| n.fract() == 0.0 && (1.0..1e7).contains(n));
            number.ok_or_else(|| BenchError::Keyword {
                path: path.clone(),
                reason: format!("there is no number of skips ({}); give --skips N", SKIPS.join(", ")),
            })? as usize
        }
    };
    if skips == 1 {
        return Err(BenchError::Data(format!(
            "{}: the image has one sample per pixel, its skips are averaged already; a raw image is needed",
            path.display()
        )));
    }
    let amplifiers = cards.text("AMPL").map_or(1, |text| text.trim().chars().count().clamp(1, 2));
    let unreadable = |e: crate::fits::FitsError| BenchError::Unreadable { path: path.clone(), reason: e.to_string() };
    let plane = file.input.plane(hdu).map_err(unreadable)?;
    let (rows, samples) = plane.shape();
    if skips == 0 || samples % skips != 0 {
        return Err(BenchError::Data(format!(
            "{}: {samples} samples per row cannot be divided into pixels of {skips} skips; are they averaged already?",
            path.display()
        )));
    }
    let cols = samples / skips;
    for (option, wanted, length) in [("--rows", &args.rows, rows), ("--cols", &args.cols, cols)] {
        if let Some(beyond) = wanted.iter().find(|w| **w >= length) {
            return Err(BenchError::option(
                option,
                format!("{beyond} lies beyond the image of {rows} rows × {cols} columns"),
            ));
        }
    }
    let layout = CubeLayout::new(vec![plane], skips).flip_upper(amplifiers == 2);
    let cube = SkipCube::from_file(layout, vec![Region::new(0..rows, 0..cols)], None).map_err(unreadable)?;
    let mut curves = mean_curves(&cube, amplifiers).map_err(unreadable)?;
    let traces = traces(&cube, &args.rows, &args.cols).map_err(unreadable)?;
    for curve in &mut curves {
        curve.settling = fit_settling(&curve.mean, &curve.error);
        report(curve, &mut results);
    }
    for trace in &traces {
        let (mean, std) = crate::stats::robust::mean_and_std(&trace.values, crate::stats::robust::Ddof::Sample);
        let n = trace.values.len() as f64;
        results.line(format!(
            "pixel (row {}, col {}): mean {} ADU, standard deviation {} ADU",
            trace.row,
            trace.col,
            plus_minus(mean, std / n.sqrt()),
            plus_minus(std, std / (2.0 * (n - 1.0).max(1.0)).sqrt())
        ));
    }
    let name = format!("{}_transient", stem_of(path));
    tables(&name, &curves, &traces, &mut results)?;
    results.figure(figures::mean(&name, &curves));
    results.figure(figures::traces(&name, &traces));
    results.figure(figures::histograms(&name, &traces));
    Ok(results)
}

fn report(curve: &MeanCurve, results: &mut Results) {
    let n = curve.mean.len();
    let Some(s) = &curve.settling else {
        results
            .line(format!("amplifier {}: {n} skips, no settling fit (at least 6 skips are needed)", curve.amplifier));
        return;
    };
    let amplifier = &curve.amplifier;
    match s.behaviour() {
        Behaviour::Settles => {
            results.line(format!(
                "amplifier {amplifier}: settles at {} ADU, first skip {} ADU off, χ²/ndf {:.1}/{}",
                plus_minus(s.level, s.level_error),
                plus_minus(s.amplitude, s.amplitude_error),
                s.chi2,
                s.ndf
            ));
            results.line(format!("  settling constant {} skips", plus_minus(s.tau, s.tau_error)));
        }
        Behaviour::Drifts => results.line(format!(
            "amplifier {amplifier}: mean {} ADU; it drifts by {:.3} ADU over the {n} skips and does not settle, χ²/ndf {:.1}/{} \
             ({:.1}/{} of a constant)",
            plus_minus(s.mean, s.mean_error),
            s.change(),
            s.chi2,
            s.ndf,
            s.constant_chi2,
            n - 1
        )),
        Behaviour::Constant => results.line(format!(
            "amplifier {amplifier}: mean {} ADU; no settling: a constant fits as well, χ²/ndf {:.1}/{}",
            plus_minus(s.mean, s.mean_error),
            s.constant_chi2,
            n - 1
        )),
    }
}

/// Sums of one block: pixels, and per skip Σq, Σd, Σd² with d = q − mean of the pixel.
struct Sums {
    pixels: u64,
    per_skip: Vec<[f64; 3]>,
}

fn mean_curves(cube: &SkipCube, amplifiers: usize) -> Result<Vec<MeanCurve>, crate::fits::FitsError> {
    let (_, cols, skips) = cube.shape();
    let names: &[&str] = if amplifiers == 2 { &["L", "U"] } else { &["1"] };
    let of_col = |col: usize| usize::from(amplifiers == 2 && col >= cols / 2);
    let empty = || Sums { pixels: 0, per_skip: vec![[0.0; 3]; skips] };
    let blocks = cube.for_each_block(|block| {
        let mut sums: Vec<Sums> = names.iter().map(|_| empty()).collect();
        let mut values = Vec::with_capacity(skips);
        for (_, col, samples) in block.pixels() {
            values.clear();
            values.extend(samples.iter());
            let mean = values.iter().sum::<f64>() / skips as f64;
            if !mean.is_finite() {
                continue;
            }
            let own = &mut sums[of_col(col)];
            own.pixels += 1;
            for (sum, q) in own.per_skip.iter_mut().zip(&values) {
                let d = q - mean;
                sum[0] += q;
                sum[1] += d;
                sum[2] += d * d;
            }
        }
        sums
    })?;
    let mut totals: Vec<Sums> = names.iter().map(|_| empty()).collect();
    for block in &blocks {
        for (total, sums) in totals.iter_mut().zip(block) {
            total.pixels += sums.pixels;
            for (t, s) in total.per_skip.iter_mut().zip(&sums.per_skip) {
                (0..3).for_each(|i| t[i] += s[i]);
            }
        }
    }
    Ok(names
        .iter()
        .zip(totals)
        .map(|(name, total)| {
            let n = total.pixels as f64;
            // The mean of a pixel takes up 1/S of the variance of its skips.
            let share = 1.0 - 1.0 / skips as f64;
            let error = |s: &[f64; 3]| ((s[2] / n - (s[1] / n).powi(2)).max(0.0) / share / n).sqrt();
            MeanCurve {
                amplifier: (*name).to_owned(),
                mean: total.per_skip.iter().map(|s| s[0] / n).collect(),
                error: total.per_skip.iter().map(error).collect(),
                settling: None,
            }
        })
        .collect())
}

fn traces(cube: &SkipCube, rows: &[usize], cols: &[usize]) -> Result<Vec<Trace>, crate::fits::FitsError> {
    let mut traces = Vec::new();
    for &row in rows {
        let pixels = cube.read(row..row + 1, 0..cube.shape().2)?;
        for &col in cols {
            let values = (0..cube.shape().2).map(|k| pixels[[0, col, k]]).collect();
            traces.push(Trace { row, col, values });
        }
    }
    Ok(traces)
}

fn tables(name: &str, curves: &[MeanCurve], traces: &[Trace], results: &mut Results) -> BenchResult<()> {
    let skips = curves.first().map_or(0, |c| c.mean.len());
    let mut columns = vec!["skip".to_owned()];
    let mut scalars = Vec::new();
    for curve in curves {
        let a = &curve.amplifier;
        columns.extend([format!("mean_{a}_ADU"), format!("mean_{a}_err")]);
        if let Some(s) = &curve.settling {
            // Of a curve that does not settle the exponential means nothing.
            let settles = s.behaviour() == Behaviour::Settles;
            let numbers = [
                ("tau_skips", s.tau, settles),
                ("tau_err", s.tau_error, settles),
                ("amplitude_ADU", s.amplitude, settles),
                ("amplitude_err", s.amplitude_error, settles),
                ("level_ADU", s.level, settles),
                ("level_err", s.level_error, settles),
                ("mean_ADU", s.mean, true),
                ("mean_err", s.mean_error, true),
            ];
            let text = |value: f64, is_there: bool| if is_there { value.to_string() } else { String::new() };
            scalars.extend(numbers.map(|(key, value, is_there)| (format!("{key}_{a}"), text(value, is_there))));
        }
    }
    columns.extend(traces.iter().map(|t| format!("q_{}_{}_ADU", t.row, t.col)));
    let rows = (0..skips)
        .map(|k| {
            let means = curves.iter().flat_map(|c| [c.mean[k], c.error[k]]);
            std::iter::once(k as f64).chain(means).chain(traces.iter().map(|t| t.values[k])).collect()
        })
        .collect();
    let scalars: Vec<(&str, String)> = scalars.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    results.csv(&Table { name: name.to_owned(), columns, rows }, &scalars)
}

#[cfg(test)]
mod tests;
