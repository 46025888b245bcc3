//! `panaSKImg trend`: header values or dark currents of many images against time (spec 04 §8.6).
//!
//! The dark current per pixel and day is `MEDC/MEGAIN/(NSBIN·NPBIN)/t`. A pixel collects charge during the exposure and,
//! on average, during half of the readout; in continuous mode, when the CCD is read as fast as it is exposed, during all
//! of it. Times are UTC; `MEXP` and `MREAD` are milliseconds.

mod figures;
mod points;

use std::path::Path;

use clap::{ArgAction, Args};

use super::error::{BenchError, BenchResult};
use super::files::{Extension, expand, whole};
use super::results::{FigureArgs, Results, plus_minus};
use crate::image::report::Table;
use crate::plot::Format;
use crate::stats::polynomial::{PolynomialFit, fit_polynomial};
use crate::stats::robust::{Ddof, mean_and_std, min_max};
pub use points::{Point, Quantity, Series};

/// Seconds of a day.
pub(super) const DAY: f64 = 86_400.0;

/// What stands on the horizontal axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Horizontal {
    /// Time (UTC).
    Time,
    /// Number of the image in the order of time.
    Image,
    /// Sum of exposure and half of the readout time of the images so far, days.
    Exposure,
    /// A header card.
    Key(String),
}

/// Options of `panaSKImg trend`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct TrendArgs {
    /// Keywords (KEY,KEY,...) unless --par, --dc or --std names what is drawn; then images, or patterns (quoted)
    #[arg(value_name = "KEY | INFILE")]
    pub words: Vec<String>,
    /// Images, or patterns (quoted)
    #[arg(short = 'i', long = "infiles", num_args = 1.., value_name = "INFILE")]
    pub infiles: Vec<String>,
    /// Keywords
    #[arg(short = 'p', long, alias = "ypar", value_name = "KEY,...", value_delimiter = ',')]
    pub par: Vec<String>,
    /// Keywords of the errors, one per keyword
    #[arg(short = 'e', long, alias = "eypar", value_name = "KEY,...", value_delimiter = ',')]
    pub err: Vec<String>,
    /// Extension with the header: number or EXTNAME
    #[arg(long, value_name = "EXT", default_value = "0")]
    pub ext: Extension,
    /// Dark current, e-/pix/day, from MEDC, MEGAIN and the times
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", default_value_t = false,
          hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub dc: bool,
    /// Single-electron rate, e-/pix/image, from MEDC and MEGAIN
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", default_value_t = false,
          hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub rate: bool,
    /// With --dc or --rate: gain and noise too
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", default_value_t = false,
          hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub all: bool,
    /// Per pixel and day: divide by NPBIN NSBIN and the time in which charge is collected
    #[arg(long, visible_alias = "isdc", action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true",
          default_value_t = false, hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub per_day: bool,
    /// Continuous readout: charge is collected during all of the readout
    #[arg(short = 'c', long, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true",
          default_value_t = false, hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub continuous: bool,
    /// Amplifiers (or letters of CCDs): the ending of the keywords [default: all]
    #[arg(long, visible_alias = "ccdnames", value_name = "A,...", value_delimiter = ',')]
    pub amp: Vec<String>,
    /// Names for the amplifiers (or CCDs) of --amp in legends, as those of their modules
    #[arg(long, requires = "amp", value_name = "NAME,...", value_delimiter = ',')]
    pub modules: Vec<String>,
    /// Only the first N images in the order of time
    #[arg(long, value_name = "N", value_parser = whole)]
    pub nfile: Option<usize>,
    /// Horizontal axis: time, image, exposure, or a keyword
    #[arg(long, alias = "xpar", value_name = "time|image|exposure|KEY", default_value = "time")]
    pub x: String,
    /// The same as --x image
    #[arg(long, conflicts_with = "x", action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true",
          default_value_t = false, hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub idimg: bool,
    /// Ends of the horizontal axis; for --x time days since the first image
    #[arg(long, num_args = 2, value_names = ["LO", "HI"], allow_negative_numbers = true)]
    pub xlim: Option<Vec<f64>>,
    /// Polynomial to be fitted
    #[arg(short = 'f', long, value_name = "polN")]
    pub fit: Option<String>,
    /// Straight line through the first N points
    #[arg(long, value_name = "N", value_parser = whole)]
    pub pol1: Option<usize>,
    /// Keywords of the dates of begin and end, and of the exposure (s)
    #[arg(long, num_args = 3, value_names = ["BEGIN", "END", "EXPOSURE"])]
    pub dates: Option<Vec<String>>,
    /// Keywords of the binning [default: NSBIN NPBIN, 1 where they are missing]
    #[arg(long, num_args = 2, value_names = ["COLS", "ROWS"])]
    pub binning: Option<Vec<String>>,
    /// Noise of a region of the image, divided by sf·SSAMP; with --par KEY against that keyword (PSAMP and SSAMP in µs)
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", default_value_t = false,
          hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub std: bool,
    /// Columns A to B (excluded; -1: to the last) for --std
    #[arg(long, num_args = 2, value_names = ["A", "B"], allow_negative_numbers = true, default_values_t = [0, -1])]
    pub rcols: Vec<i64>,
    /// Rows A to B (excluded; -1: to the last) for --std
    #[arg(long, num_args = 2, value_names = ["A", "B"], allow_negative_numbers = true, default_values_t = [0, -1])]
    pub rrows: Vec<i64>,
    /// ADU per unit of SSAMP for --std
    #[arg(long, value_name = "F", default_value_t = 200.0 / (13.3 * 15.0))]
    pub sf: f64,
    /// Share of the pixels cut on each side for --std
    #[arg(long, value_name = "F", default_value_t = 0.1)]
    pub cuttail: f64,
    /// Ends of the vertical axis
    #[arg(long, num_args = 2, value_names = ["LO", "HI"], allow_negative_numbers = true)]
    pub ylim: Option<Vec<f64>>,
    /// Output.
    #[command(flatten)]
    pub output: FigureArgs,
}

/// Complete, valid options.
pub(super) struct Parameters {
    quantities: Vec<Quantity>,
    horizontal: Horizontal,
    degree: Option<usize>,
}

/// Draws the trends.
///
/// # Errors
/// Files that are missing or unreadable, options that make no sense, no file with the keywords.
pub fn run(args: &TrendArgs, base: &Path) -> BenchResult<Results> {
    let mut results = Results::with_formats(&args.output, base, &[Format::Pdf, Format::Png])?;
    let (parameters, patterns) = args.parameters(base)?;
    let files = expand(&patterns, base)?;
    let images = points::read(args, &parameters, &files, &mut results)?;
    let mut drawn = 0;
    for quantity in &parameters.quantities {
        let series = points::series(args, quantity, &parameters.horizontal, &images, &mut results);
        if series.is_empty() {
            continue;
        }
        drawn += 1;
        report(args, &parameters, quantity, &series, &mut results)?;
    }
    if drawn == 0 {
        let why = match results.warnings.as_slice() {
            [] => String::new(),
            [one] => format!(": {one}"),
            [first, rest @ ..] => format!(": {first} (and {} more like this)", rest.len()),
        };
        return Err(BenchError::Data(format!("no file holds the values that are to be drawn{why}")));
    }
    Ok(results)
}

impl TrendArgs {
    /// What is drawn, and the patterns of the files.
    fn parameters(&self, base: &Path) -> BenchResult<(Parameters, Vec<String>)> {
        let mut words = self.words.clone();
        let mut keys = self.par.clone();
        let mut dc = self.dc;
        if !dc && words.first().is_some_and(|w| w.eq_ignore_ascii_case("dc")) {
            // The subcommand of plot_parinheader.
            words.remove(0);
            dc = true;
        }
        let derived = dc || self.rate || self.std;
        if keys.is_empty() && !derived {
            if words.is_empty() {
                return Err(BenchError::option("trend", "a keyword is expected, or --dc, --rate, --std"));
            }
            let first = words.remove(0);
            if first.contains(['.', '/', '*', '?', '[']) || base.join(&first).exists() {
                return Err(BenchError::option(
                    "trend",
                    format!("`{first}` is taken as a keyword; name KEY, --dc, --rate or --std before the files"),
                ));
            }
            keys = first.split(',').map(str::to_owned).collect();
        }
        let x = if self.std && !keys.is_empty() {
            // The noise against a keyword, as in plot_fitsval.
            let (1, "time") = (keys.len(), self.x.to_ascii_lowercase().as_str()) else {
                return Err(BenchError::option(
                    "--std",
                    "one keyword is expected for the horizontal axis, --par or --x",
                ));
            };
            keys.remove(0)
        } else {
            self.x.clone()
        };
        words.extend(self.infiles.iter().cloned());
        if !self.err.is_empty() && self.err.len() != keys.len() {
            return Err(BenchError::option(
                "--err",
                format!("{} keywords of errors are given for {} keywords", self.err.len(), keys.len()),
            ));
        }
        if !self.modules.is_empty() && self.modules.len() != self.amp.len() {
            return Err(BenchError::option(
                "--modules",
                format!("{} names are given for {} amplifiers", self.modules.len(), self.amp.len()),
            ));
        }
        if self.nfile == Some(0) {
            return Err(BenchError::option("--nfile", "at least one image is needed"));
        }
        let mut quantities = Vec::new();
        for (k, key) in keys.iter().enumerate() {
            let key = key.trim().to_ascii_uppercase();
            let error = self.err.get(k).map(|e| e.trim().to_ascii_uppercase());
            quantities.push(Quantity::Card { key, error, with_error: true });
        }
        if dc {
            quantities.push(Quantity::DarkCurrent);
        }
        if self.rate {
            quantities.push(Quantity::Rate);
        }
        if self.all && (dc || self.rate) {
            for key in ["MEGAIN", "MESIG"] {
                let error = Some(format!("E{key}"));
                quantities.push(Quantity::Card { key: key.into(), error, with_error: false });
            }
        }
        if self.std {
            quantities.push(Quantity::Noise);
        }
        if self.std && !(self.sf.is_finite() && self.sf > 0.0 && (0.0..0.5).contains(&self.cuttail)) {
            return Err(BenchError::option("--std", "--sf > 0 and 0 ≤ --cuttail < 0.5 are expected"));
        }
        for (option, limits) in [("--xlim", &self.xlim), ("--ylim", &self.ylim)] {
            if let Some([lo, hi]) = limits.as_deref()
                && !(lo < hi)
            {
                return Err(BenchError::option(option, format!("LO < HI is expected, not {lo} and {hi}")));
            }
        }
        if self.pol1.is_some_and(|n| n < 2) {
            return Err(BenchError::option("--pol1", "at least two points are needed"));
        }
        let horizontal = match x.trim().to_ascii_lowercase().as_str() {
            _ if self.idimg => Horizontal::Image,
            "time" => Horizontal::Time,
            "image" => Horizontal::Image,
            "exposure" => Horizontal::Exposure,
            _ => Horizontal::Key(x.trim().to_ascii_uppercase()),
        };
        let degree = match (&self.fit, self.pol1) {
            (Some(text), _) => Some(
                super::hotcols::polynomial_degree(text)
                    .map_err(|_| BenchError::option("--fit", format!("`{text}` is none of pol0, pol1, …, pol7")))?,
            ),
            (None, Some(_)) => Some(1),
            (None, None) => None,
        };
        Ok((Parameters { quantities, horizontal, degree }, words))
    }
}

/// Fit of a series against its horizontal values, in the unit of the fit.
pub(super) struct Fitted {
    pub fit: PolynomialFit,
    /// x of the axis = zero + scale · x of the fit.
    pub zero: f64,
    pub scale: f64,
    pub points: usize,
    /// Whether the errors come from the scatter of the points.
    pub scattered: bool,
}

/// Polynomial through a series. Without errors, all points count the same, and the errors are those of their scatter.
fn fit(args: &TrendArgs, horizontal: &Horizontal, series: &Series, degree: usize) -> Option<Fitted> {
    let points = &series.points[..args.pol1.unwrap_or(series.points.len()).min(series.points.len())];
    let (zero, scale) = match horizontal {
        Horizontal::Time => (points.first()?.x, DAY),
        _ => (0.0, 1.0),
    };
    let x: Vec<f64> = points.iter().map(|p| (p.x - zero) / scale).collect();
    let y: Vec<f64> = points.iter().map(|p| p.y).collect();
    let scattered = points.iter().any(|p| !(p.error > 0.0));
    let errors: Vec<f64> = points.iter().map(|p| if scattered { 1.0 } else { p.error }).collect();
    let mut fit = fit_polynomial(&x, &y, &errors, degree).ok()?;
    if fit.coefficients.iter().any(|c| !c.is_finite()) {
        return None;
    }
    if scattered {
        let variance = if fit.ndf > 0 { fit.chi2 / fit.ndf as f64 } else { f64::NAN };
        fit.covariance.iter_mut().flatten().for_each(|c| *c *= variance);
        if let (constant, 0.0) = mean_and_scatter(&y) {
            // What is left of slopes and errors is arithmetic.
            fit.coefficients.fill(0.0);
            fit.coefficients[0] = constant;
            fit.covariance.iter_mut().flatten().for_each(|c| *c = 0.0);
        }
    }
    Some(Fitted { fit, zero, scale, points: points.len(), scattered })
}

/// Mean and standard deviation; those of values that are the same but for the last digits of the arithmetic are 0.
pub(super) fn mean_and_scatter(values: &[f64]) -> (f64, f64) {
    match min_max(values) {
        Some((lo, hi)) if hi - lo <= 1e-12 * hi.abs().max(lo.abs()) => (lo, 0.0),
        _ => mean_and_std(values, Ddof::Sample),
    }
}

/// Unit of the coefficient of degree `power` of a polynomial in `per`: e-/pix/day², not e-/pix/day/day.
pub(super) fn unit_over(unit: &str, per: &str, power: usize) -> String {
    if power == 0 {
        return unit.to_owned();
    }
    let (unit, power) = match unit.strip_suffix(per).and_then(|u| u.strip_suffix('/')) {
        Some(rest) => (rest, power + 1),
        None => (unit, power),
    };
    let raised: String = match power {
        1 => String::new(),
        n => n.to_string().chars().filter_map(|c| "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().nth(c.to_digit(10)? as usize)).collect(),
    };
    format!("{unit}/{per}{raised}")
}

fn report(
    args: &TrendArgs,
    parameters: &Parameters,
    quantity: &Quantity,
    series: &[Series],
    results: &mut Results,
) -> BenchResult<()> {
    let unit = quantity.unit(args);
    // The value, and its unit if it has one.
    let with_unit = |value: String| format!("{value} {unit}").trim_end().to_owned();
    let mut fits = Vec::new();
    for one in series {
        let y: Vec<f64> = one.points.iter().map(|p| p.y).collect();
        let (mean, std) = mean_and_scatter(&y);
        let weights: Vec<f64> = one.points.iter().map(|p| p.error.powi(-2)).collect();
        let label = one.label(quantity);
        let n = y.len();
        results.line(if n == 1 {
            format!("{label}: 1 image, {}", with_unit(plus_minus(y[0], one.points[0].error)))
        } else if std == 0.0 {
            format!("{label}: {n} images, all {}", with_unit(plus_minus(mean, f64::NAN)))
        } else {
            let mean = with_unit(plus_minus(mean, std / (n as f64).sqrt()));
            let spread = with_unit(plus_minus(std, std / (2.0 * (n - 1) as f64).sqrt()));
            format!("{label}: {n} images, mean {mean}, standard deviation {spread}")
        });
        if n > 1 && weights.iter().all(|w| w.is_finite() && *w > 0.0) {
            let total: f64 = weights.iter().sum();
            let average = weights.iter().zip(&y).map(|(w, y)| w * y).sum::<f64>() / total;
            let chi2: f64 = weights.iter().zip(&y).map(|(w, y)| w * (y - average).powi(2)).sum();
            results.line(format!(
                "  weighted mean {}, χ²/ndf of a constant {chi2:.1}/{}",
                with_unit(plus_minus(average, total.sqrt().recip())),
                n - 1
            ));
        }
        let fitted = parameters.degree.and_then(|degree| fit(args, &parameters.horizontal, one, degree));
        if parameters.degree.is_some() && fitted.is_none() {
            results.warn(format!("{label}: too few different points for the fit"));
        }
        if let Some(found) = &fitted {
            let per = figures::per_unit(&parameters.horizontal);
            for (k, c) in found.fit.coefficients.iter().enumerate() {
                let value = format!("  p{k} = {} {}", plus_minus(*c, found.fit.error(k)), unit_over(unit, per, k));
                results.line(value.trim_end());
            }
            let quality = if found.scattered {
                "errors from the scatter".to_owned()
            } else {
                format!("χ²/ndf {:.1}/{}", found.fit.chi2, found.fit.ndf)
            };
            results.line(format!("  {} points, {quality}", found.points));
        }
        fits.push(fitted);
    }
    let name = match (quantity, &parameters.horizontal) {
        (Quantity::Noise, Horizontal::Key(key)) => format!("plot_fitsval_{key}_STD"),
        _ => format!("plot_fitsval_{}", quantity.name()),
    };
    table(&name, series, results)?;
    results.figure(figures::trend(args, parameters, quantity, series, &fits, &name));
    results.figure(figures::distribution(args, quantity, series, &name));
    Ok(())
}

fn table(name: &str, series: &[Series], results: &mut Results) -> BenchResult<()> {
    let columns = ["series", "unix_s", "days", "image", "x", "y", "y_err"].map(String::from).to_vec();
    let first = series.iter().flat_map(|s| &s.points).map(|p| p.time).fold(f64::INFINITY, f64::min);
    let mut rows = Vec::new();
    for (k, one) in series.iter().enumerate() {
        for p in &one.points {
            rows.push(vec![k as f64, p.time, (p.time - first) / DAY, p.image as f64, p.x, p.y, p.error]);
        }
    }
    let names: Vec<&str> = series.iter().map(|s| s.suffix.as_str()).collect();
    results.csv(&Table { name: name.to_owned(), columns, rows }, &[("series", names.join(";"))])
}

#[cfg(test)]
mod tests;
