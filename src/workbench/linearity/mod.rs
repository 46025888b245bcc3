//! `panaSKImg linearity`: gain and linearity from the single-electron peaks, up to more than a thousand electrons
//! (spec 04 §8.8).
//!
//! The first peaks are fitted as a comb ([`crate::stats::charge_comb`]); from there each next peak is looked for where the
//! last ones predict it ([`track`]). A weighted straight line through the positions gives the gain; a parabola the
//! non-linearity q in μ = b + k n (1 + q n).

mod figures;
mod track;

use std::path::Path;

use clap::{ArgAction, Args};

use super::error::{BenchError, BenchResult};
use super::files::{Extension, FitsFile, expand, range_of, stem_of, unit_of};
use super::results::{FigureArgs, Results, plus_minus};
use super::{topology, transient};
use crate::image::report::Table;
use crate::stats::charge_comb::{
    CombFit, CombOptions, FreePeaks, NotResolved, Sample, fit_comb, line_of_peaks, mean_width,
};
use crate::stats::polynomial::PolynomialFit;
pub use track::{Peak, track};

/// Peaks of the comb from which the search goes on.
const COMB_PEAKS: usize = 8;
/// Shares of the lowest values in which the first peaks are looked for.
const LOWEST_SHARES: [f64; 6] = [1.0, 0.5, 0.2, 0.1, 0.05, 0.02];
/// Peaks below the first wanted one that are fitted with it, because they overlap.
const NEIGHBOURS: usize = 2;
/// Peaks in a group of the averaged residuals.
const GROUP: usize = 10;

/// Options of `panaSKImg linearity`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct LinearityArgs {
    /// Images, or patterns (quoted)
    #[arg(value_name = "INFILE")]
    pub files: Vec<String>,
    /// The same
    #[arg(short = 'f', long = "fits", num_args = 1.., value_name = "INFILE")]
    pub fits: Vec<String>,
    /// ROOT files with clusters (pixels_E of the tree clustersRec) instead of images
    #[arg(short = 'r', long = "root", num_args = 1.., value_name = "ROOT")]
    pub root: Vec<String>,
    /// The pixels are in ADU [default: what the header says]
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", default_value_t = false,
          hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub inadu: bool,
    /// Gain: start value for pixels in ADU; gain with which pixels in e- were calibrated
    #[arg(short = 'k', long, value_name = "ADU/e-")]
    pub gain: Option<f64>,
    /// First and last peak, e-
    #[arg(long, num_args = 2, value_names = ["A", "B"], allow_negative_numbers = true, default_values_t = [0.0, 1350.0])]
    pub ne: Vec<f64>,
    /// Bins of the figure of the peaks, e-
    #[arg(long, value_name = "E", default_value_t = 0.05)]
    pub de: f64,
    /// Pixels that a peak must hold
    #[arg(long, value_name = "N", default_value_t = 30.0)]
    pub min_counts: f64,
    /// Columns A to B (excluded; -1: to the last)
    #[arg(long, num_args = 2, value_names = ["A", "B"], allow_negative_numbers = true)]
    pub cols: Option<Vec<i64>>,
    /// Rows A to B (excluded; -1: to the last)
    #[arg(long, num_args = 2, value_names = ["A", "B"], allow_negative_numbers = true)]
    pub rows: Option<Vec<i64>>,
    /// Window of the fit of older programs; not needed any more
    #[arg(long, num_args = 2, value_names = ["LO", "HI"], allow_negative_numbers = true, hide = true)]
    pub erange: Option<Vec<f64>>,
    /// Extension with the data, number or EXTNAME [default: CALIBRATED, else the first image]
    #[arg(long, value_name = "EXT")]
    pub ext: Option<Extension>,
    /// Name of the results [default: that of the first file]
    #[arg(short = 'o', long = "output", value_name = "NAME")]
    pub name: Option<String>,
    /// Output.
    #[command(flatten)]
    pub output: FigureArgs,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Linearity {
    /// Peaks by electron number, ascending.
    pub peaks: Vec<Peak>,
    /// Their fit, with the covariance of the positions: overlapping neighbours are correlated.
    pub free: FreePeaks,
    /// Mean width of the peaks, with its error.
    pub noise: (f64, f64),
    /// Line through positions against electron number.
    pub line: PolynomialFit,
    /// Parabola, with at least four peaks.
    pub parabola: Option<PolynomialFit>,
    /// Unit of the values: ADU or e-.
    pub unit: String,
}

impl Linearity {
    /// Unit per electron.
    pub fn gain(&self) -> f64 {
        self.line.coefficients[1]
    }

    /// Residual of a peak in electrons, and its error.
    pub fn residual(&self, peak: &Peak) -> (f64, f64) {
        let k = self.gain();
        ((peak.fit.mu - self.line.at(peak.electrons as f64)) / k, peak.fit.mu_error / k)
    }

    /// q in μ = b + k n (1 + q n), per electron, with its error; larger by √(χ²/ndf) where the parabola does not fit.
    pub fn nonlinearity(&self) -> Option<(f64, f64)> {
        let fit = self.parabola.as_ref()?;
        let scale = fit.chi2_per_ndf().max(1.0).sqrt();
        Some((fit.coefficients[2] / fit.coefficients[1], scale * fit.error(2) / fit.coefficients[1].abs()))
    }

    /// Gain of a pixel without charge, k of μ = b + k n (1 + q n), with its error, larger by √(χ²/ndf) where the parabola
    /// does not fit; unit per electron.
    pub fn gain_at_zero(&self) -> Option<(f64, f64)> {
        let fit = self.parabola.as_ref()?;
        Some((fit.coefficients[1], fit.chi2_per_ndf().max(1.0).sqrt() * fit.error(1)))
    }

    /// Mean residuals of groups of peaks: electron number, residual, error, both in e⁻.
    pub fn grouped(&self) -> Vec<(f64, f64, f64)> {
        let k = self.gain();
        let groups = (0..self.peaks.len().div_ceil(GROUP)).map(|g| g * GROUP..((g + 1) * GROUP).min(self.peaks.len()));
        groups
            .map(|group| {
                let (mut weight, mut sum, mut place) = (0.0, 0.0, 0.0);
                let weights: Vec<f64> = self.peaks[group.clone()].iter().map(|p| p.fit.mu_error.powi(-2)).collect();
                for (peak, w) in self.peaks[group.clone()].iter().zip(&weights) {
                    weight += w;
                    sum += w * self.residual(peak).0;
                    place += w * peak.electrons as f64;
                }
                let terms: Vec<(usize, f64)> = group.zip(weights).collect();
                (place / weight, sum / weight, self.free.variance(&terms).sqrt() / weight / k)
            })
            .collect()
    }

    /// Integral non-linearity: the largest deviation of the response from the straight line that joins its ends, and its
    /// error, e⁻; from the parabola, −q N²/4 for peaks over N electrons.
    pub fn integral_nonlinearity(&self) -> Option<(f64, f64)> {
        let (q, error) = self.nonlinearity()?;
        let span = (self.peaks.last()?.electrons - self.peaks.first()?.electrons) as f64;
        Some((-0.25 * q * span * span, 0.25 * error * span * span))
    }
}

/// Fits the peaks of the pixels.
///
/// # Errors
/// Files that cannot be read, peaks that are not resolved.
pub fn run(args: &LinearityArgs, base: &Path) -> BenchResult<Results> {
    let (a, b) = (args.ne[0], args.ne[1]);
    if !(a >= 0.0 && b > a + 1.0 && b <= 100_000.0) {
        return Err(BenchError::option("--ne", format!("0 ≤ A < B ≤ 100000 is expected, not {a} and {b}")));
    }
    if !(args.de > 0.0 && args.de < 1.0) {
        return Err(BenchError::option("--de", "a number between 0 and 1 is expected"));
    }
    if !(args.min_counts >= 3.0) {
        return Err(BenchError::option("--min-counts", "at least 3 pixels are needed"));
    }
    if args.gain.is_some_and(|k| !(k > 0.0 && k.is_finite())) {
        return Err(BenchError::option("--gain", "it must be positive"));
    }
    let mut results = Results::new(&args.output, base)?;
    let Pixels { pixels, unit, stem, subtracted } = read(args, base, &mut results)?;
    if args.erange.is_some() {
        results.warn("--erange is not needed any more: neighbouring peaks are fitted together");
    }
    let start = if unit == "ADU" { args.gain } else { Some(1.0) };
    let found = measure(&pixels, start, &unit, (a, b), args.min_counts, &mut results)?;
    let lowest = found.peaks[0].electrons;
    if unit == "ADU" && !subtracted && lowest > 0 {
        results.warn(format!(
            "the image is not known to be pedestal-subtracted (EXTNAME PEDSUBTRACTED): the first peak counts as {lowest} e- \
             only if empty pixels have 0 ADU; gain at 0 e- and non-linearity rest on that, too"
        ));
    }
    if let Some(step) = smallest_step(pixels.values()).filter(|step| found.gain() < 1.5 * step) {
        return Err(BenchError::Data(format!(
            "{stem}: the pixels have steps of {step} {unit}, and the peaks, {} {unit} apart, are these steps; averaged \
             skips in ADU or electrons are needed",
            plus_minus(found.gain(), found.line.error(1))
        )));
    }
    let name = args.name.clone().unwrap_or(stem);
    report(args, &found, &mut results);
    table(&name, args, &found, &mut results)?;
    results.figure(figures::linearity(&name, &found));
    results.figure(figures::peaks(&name, pixels.values(), &found, args.de));
    Ok(results)
}

/// What the peaks are looked for in.
struct Pixels {
    pixels: Sample,
    unit: String,
    /// Name of the first file.
    stem: String,
    /// Whether all images say that their pedestal is subtracted.
    subtracted: bool,
}

/// The values of all pixels.
fn read(args: &LinearityArgs, base: &Path, results: &mut Results) -> BenchResult<Pixels> {
    let (mut pixels, mut subtracted) = (Sample::default(), true);
    if !args.root.is_empty() {
        let files = expand(&args.root, base)?;
        for path in &files {
            for cluster in topology::read_clusters(path)? {
                pixels.push_row(&cluster.charge);
            }
        }
        let stem = stem_of(&files[0]);
        let stem = stem.strip_suffix(".root").unwrap_or(&stem).to_owned();
        return Ok(Pixels { pixels, unit: "e-".into(), stem, subtracted });
    }
    let patterns: Vec<String> = args.files.iter().chain(&args.fits).cloned().collect();
    let files = expand(&patterns, base)?;
    let mut unit: Option<String> = None;
    results.read_each(&files, |_, path, _| {
        let file = FitsFile::open(path)?;
        let hdu = file.find_data(args.ext.as_ref(), &["CALIBRATED"])?;
        let own = if args.inadu { "ADU".to_owned() } else { unit_of(&file, hdu)? };
        if unit.get_or_insert_with(|| own.clone()) != &own {
            return Err(BenchError::Data(format!(
                "{}: its pixels are in {own}, those of others are not",
                path.display()
            )));
        }
        let names = ["PEDSUBTRACTED", "CALIBRATED"];
        let extname = file.header(hdu)?.text("EXTNAME").unwrap_or_default().trim().to_ascii_uppercase();
        subtracted &= names.contains(&extname.as_str());
        let image = file.image(hdu)?;
        if let Some(skips) = transient::raw_skips(&file, hdu, image.ncols())?
            && image.iter().all(|x| !x.is_finite() || x.fract() == 0.0)
        {
            return Err(BenchError::Data(format!(
                "{}: the image holds {skips} skips per pixel; average them first (CompressSkipperProcess)",
                path.display()
            )));
        }
        let rows = args.rows.as_ref().map_or(Ok(0..image.nrows()), |v| range_of(v, image.nrows(), "--rows"))?;
        let cols = args.cols.as_ref().map_or(Ok(0..image.ncols()), |v| range_of(v, image.ncols(), "--cols"))?;
        for row in rows {
            pixels.push_row(image.row(row).into_iter().skip(cols.start).take(cols.len()));
        }
        Ok(())
    })?;
    Ok(Pixels { pixels, unit: unit.unwrap_or_else(|| "ADU".into()), stem: stem_of(&files[0]), subtracted })
}

/// Smallest distance between two different values.
fn smallest_step(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.windows(2).map(|w| w[1] - w[0]).filter(|d| *d > 0.0).min_by(f64::total_cmp)
}

/// The peaks from below the `first` wanted one to the last, and where the values below them end. All peaks are followed
/// from the lowest on, so that they have the right numbers and no peak is cut in two. Only where there is no comb of low
/// peaks the search begins at the first one, with the start value.
fn find_peaks(
    sorted: &[f64],
    start: Option<f64>,
    (first, last): (usize, usize),
    min_counts: f64,
    results: &mut Results,
) -> Result<(Vec<Peak>, f64), NotResolved> {
    let from = |lowest: f64, first: usize| -> Result<(Vec<Peak>, Vec<String>), NotResolved> {
        let values = &sorted[sorted.partition_point(|x| *x <= lowest)..];
        let comb = first_peaks(values, start, first as f64, min_counts)?;
        let zero = (comb.peaks[0].mu / comb.gain()).round().max(0.0) as usize;
        let mut peaks = track(values, &comb.peaks, zero, last, min_counts);
        peaks.retain(|p| p.electrons <= last);
        Ok((peaks, comb.warnings))
    };
    let from_the_lowest = from(f64::NEG_INFINITY, 0);
    let reaches = |peaks: &[Peak]| peaks.iter().filter(|p| p.electrons >= first).count() >= 2;
    let mut lowest = f64::NEG_INFINITY;
    let (mut peaks, warnings) = match (from_the_lowest, start) {
        (Ok(found), _) if reaches(&found.0) => found,
        (_, Some(k)) if first > 0 => {
            lowest = valley(sorted, (first as f64 - 0.5) * k, k);
            from(lowest, first)?
        }
        (found, _) => found?,
    };
    warnings.into_iter().for_each(|w| results.warn(w));
    let outside = peaks.iter().filter(|p| p.electrons + NEIGHBOURS < first).count();
    if let Some(below) = outside.checked_sub(1).filter(|_| outside < peaks.len()) {
        lowest = 0.5 * (peaks[below].fit.mu + peaks[outside].fit.mu);
        peaks.drain(..outside);
    }
    Ok((peaks, lowest))
}

/// Where the fewest values lie within half a spacing of `at`: between two peaks.
fn valley(sorted: &[f64], at: f64, spacing: f64) -> f64 {
    let inside =
        |x: f64, reach: f64| sorted.partition_point(|v| *v < x + reach) - sorted.partition_point(|v| *v < x - reach);
    let places = (-10..=10).map(|i| at + 0.05 * f64::from(i) * spacing);
    places.min_by_key(|x| inside(*x, 0.1 * spacing)).unwrap_or(at)
}

/// Comb, further peaks, lines.
fn measure(
    pixels: &Sample,
    start: Option<f64>,
    unit: &str,
    (first, last): (f64, f64),
    min_counts: f64,
    results: &mut Results,
) -> BenchResult<Linearity> {
    let mut values = pixels.values().to_vec();
    values.sort_unstable_by(f64::total_cmp);
    let ends = (first.ceil() as usize, last.min(1e6) as usize);
    let (peaks, lowest) =
        find_peaks(&values, start, ends, min_counts, results).map_err(|e| BenchError::Data(e.to_string()))?;
    if peaks.iter().filter(|p| p.electrons >= ends.0).count() < 2 {
        return Err(BenchError::Data(format!("fewer than two peaks lie between {first} and {last} e-")));
    }
    let (electrons, free) = track::together(&pixels.above(lowest), &peaks, ends.0, min_counts);
    if electrons.len() < 2 {
        return Err(BenchError::Data(format!("fewer than two peaks hold {min_counts} pixels")));
    }
    let x: Vec<f64> = electrons.iter().map(|n| *n as f64).collect();
    let fit = |degree| line_of_peaks(&x, &free, degree).map_err(|e| BenchError::Data(e.to_string()));
    Ok(Linearity {
        line: fit(1)?,
        parabola: if x.len() >= 4 { Some(fit(2)?) } else { None },
        noise: mean_width(&free),
        peaks: electrons.iter().zip(&free.peaks).map(|(n, p)| Peak { electrons: *n, fit: *p }).collect(),
        free,
        unit: unit.to_owned(),
    })
}

/// The comb of the lowest peaks. Its seed looks at the bulk of the values; where they reach over hundreds of electrons the
/// bulk has no peaks to be seen, so that the values are cut to the lowest peaks first: with a start value to where they
/// are expected, without one to several shares of the values, of which the finest comb counts.
fn first_peaks(sorted: &[f64], start: Option<f64>, first: f64, min_counts: f64) -> Result<CombFit, NotResolved> {
    let fit = |values: &[f64], start: Option<f64>| {
        fit_comb(
            &Sample::independent(values.iter().copied()),
            &CombOptions { n_peaks: COMB_PEAKS, start, force_start: false, min_counts },
        )
    };
    let window = |low: f64, spacing: f64| {
        let from = sorted.partition_point(|x| *x < low - 2.0 * spacing);
        let to = sorted.partition_point(|x| *x < low + (COMB_PEAKS as f64 + 1.5) * spacing);
        &sorted[from..to.max(from)]
    };
    if let Some(k) = start
        && let Ok(comb) = fit(window(first * k, k), start)
        && (0.7..1.3).contains(&(comb.gain() / k))
    {
        return Ok(comb);
    }
    let mut finest: Option<CombFit> = None;
    let mut error = None;
    for share in LOWEST_SHARES {
        let part = &sorted[..(share * sorted.len() as f64) as usize];
        match fit(part, start) {
            Ok(comb) if finest.as_ref().is_none_or(|f| comb.gain() < 0.9 * f.gain()) => finest = Some(comb),
            Ok(_) => {}
            Err(reason) => error = error.or(Some(reason)),
        }
    }
    let Some(found) = finest else {
        return Err(error.unwrap_or_else(|| NotResolved { reason: "there are no pixels".into() }));
    };
    // The last peaks of a share are cut; all values around them are not.
    Ok(fit(window(found.peaks[0].mu, found.gain()), Some(found.gain())).unwrap_or(found))
}

fn report(args: &LinearityArgs, found: &Linearity, results: &mut Results) {
    let (line, unit) = (&found.line, &found.unit);
    let (k, error) = (found.gain(), line.error(1));
    let scale = line.chi2_per_ndf().max(1.0).sqrt();
    let (first, last) = (found.peaks[0].electrons, found.peaks[found.peaks.len() - 1].electrons);
    results.line(format!("{} peaks, {first} to {last} e-", found.peaks.len()));
    results.line(format!(
        "gain {} {unit}/e-, offset {} {unit}, χ²/ndf {:.1}/{}",
        plus_minus(k, error),
        plus_minus(line.coefficients[0], line.error(0)),
        line.chi2,
        line.ndf
    ));
    if scale > 1.0 {
        results.line(format!("gain {} {unit}/e- with the error scaled by √(χ²/ndf)", plus_minus(k, error * scale)));
    }
    if let Some(calibrated) = args.gain.filter(|_| unit == "e-") {
        results.line(format!("gain of the pixels {} ADU/e-", plus_minus(k * calibrated, error * calibrated)));
    }
    if let (Some((q, error)), Some((k, k_error))) = (found.nonlinearity(), found.gain_at_zero()) {
        results.line(format!(
            "non-linearity {} per e-, gain at 0 e- {} {unit}/e- (μ = b + k n (1 + q n))",
            plus_minus(q, error),
            plus_minus(k, k_error)
        ));
    }
    if let Some((inl, error)) = found.integral_nonlinearity() {
        results.line(format!(
            "largest deviation from the line between {first} and {last} e- {} e- (parabola)",
            plus_minus(inl, error)
        ));
    }
    let (sigma, error) = found.noise;
    results.line(format!("noise {} {unit} = {} e-", plus_minus(sigma, error), plus_minus(sigma / k, error / k)));
    let groups = found.grouped();
    let worst = groups.iter().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
    if let Some((n, residual, error)) = worst.filter(|_| groups.len() > 2) {
        results.line(format!(
            "largest residual of {GROUP} peaks together: {} e- at {n:.0} e-",
            plus_minus(*residual, *error)
        ));
    }
}

fn table(name: &str, args: &LinearityArgs, found: &Linearity, results: &mut Results) -> BenchResult<()> {
    let u = found.unit.trim_end_matches('-');
    let columns: Vec<String> = [
        "n_e".to_owned(),
        format!("mu_{u}"),
        "mu_err".into(),
        format!("sigma_{u}"),
        "sigma_err".into(),
        "counts".into(),
        format!("fit_{u}"),
        format!("residual_{u}"),
        "residual_e".into(),
        format!("spacing_{u}"),
        "spacing_err".into(),
    ]
    .to_vec();
    let spacings = track::spacings(found);
    let rows = found
        .peaks
        .iter()
        .enumerate()
        .map(|(i, p)| {
            let fit = found.line.at(p.electrons as f64);
            let (_, spacing, spacing_error) = match i.checked_sub(1) {
                Some(before) => spacings[before],
                None => (0.0, f64::NAN, f64::NAN),
            };
            vec![
                p.electrons as f64,
                p.fit.mu,
                p.fit.mu_error,
                p.fit.sigma,
                p.fit.sigma_error,
                p.fit.counts,
                fit,
                p.fit.mu - fit,
                found.residual(p).0,
                spacing,
                spacing_error,
            ]
        })
        .collect();
    let (q, q_error) = found.nonlinearity().unwrap_or((f64::NAN, f64::NAN));
    let (k_zero, k_zero_error) = found.gain_at_zero().unwrap_or((f64::NAN, f64::NAN));
    let (inl, inl_error) = found.integral_nonlinearity().unwrap_or((f64::NAN, f64::NAN));
    let (sigma, sigma_error) = found.noise;
    let line = &found.line;
    let mut scalars = vec![
        ("unit", found.unit.clone()),
        ("gain", found.gain().to_string()),
        ("gain_err", line.error(1).to_string()),
        ("gain_err_scaled", (line.error(1) * line.chi2_per_ndf().max(1.0).sqrt()).to_string()),
        ("offset", line.coefficients[0].to_string()),
        ("offset_err", line.error(0).to_string()),
        ("chi2", line.chi2.to_string()),
        ("ndf", line.ndf.to_string()),
        ("gain_at_zero", k_zero.to_string()),
        ("gain_at_zero_err", k_zero_error.to_string()),
        ("nonlinearity_per_e", q.to_string()),
        ("nonlinearity_err", q_error.to_string()),
        ("integral_nonlinearity_e", inl.to_string()),
        ("integral_nonlinearity_err", inl_error.to_string()),
        ("sigma", sigma.to_string()),
        ("sigma_err", sigma_error.to_string()),
    ];
    if let Some(k) = args.gain.filter(|_| found.unit == "e-") {
        scalars.push(("gain_ADU_per_e", (k * found.gain()).to_string()));
    }
    results.csv(&Table { name: format!("{name}_linearity"), columns, rows }, &scalars)
}

#[cfg(test)]
mod tests;
