//! `panaSKImg hotcols`: columns (or rows) with too much charge, as masks for the configuration (spec 04 §8.3).
//!
//! Per column, n pixels of N unmasked ones have a charge in the window, summed over the files. The baseline b is the
//! running median (or a robust polynomial) of n/N, and
//!
//! ```text
//! z = (n − b N)/√max(b N, 1) / max(1, 1.4826·MAD(z))
//! ```
//!
//! A column with z ≥ nsigma is hot. The division by the MAD makes room for columns that scatter more than Poisson's law
//! allows. `--gap` looks for the largest gap in the sorted n/N instead.

mod figures;
mod search;

use std::ops::Range;
use std::path::Path;

use clap::{ArgAction, Args};
use ndarray::Array2;
use serde_json::{Value, json};

use super::error::{BenchError, BenchResult};
use super::files::{Extension, FitsFile, expand, range_of, stem_of, whole};
use super::results::{FigureArgs, Results, plus_minus};
use crate::image::report::Table;
pub use search::{Baseline, Found, Line, find_gaps, find_hot};

/// Mass of a pixel, kg: density (kg/cm³) × side² × thickness (cm).
const PIXEL_MASS: f64 = 2.33e-3 * 0.0015 * 0.0015 * 0.0675;

/// Direction in which is summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum SumAxis {
    /// Find hot columns.
    #[default]
    #[value(alias = "cols")]
    Col,
    /// Find hot rows.
    #[value(alias = "rows")]
    Row,
}

impl SumAxis {
    fn name(self) -> &'static str {
        match self {
            Self::Col => "column",
            Self::Row => "row",
        }
    }
}

/// Options of `panaSKImg hotcols`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct HotcolsArgs {
    /// Processed images, or patterns (quoted)
    #[arg(value_name = "INFILE")]
    pub files: Vec<String>,
    /// The same
    #[arg(short = 'i', long = "infiles", visible_short_alias = 'f', num_args = 1.., value_name = "INFILE")]
    pub infiles: Vec<String>,
    /// Extension with the data, number or EXTNAME [default: CALIBRATED, else the first image]
    #[arg(short = 'e', long, num_args = 1..=2, value_name = "EXT")]
    pub ext: Vec<Extension>,
    /// Columns A to B (excluded; -1: to the last) to be examined [default: 8 -1]
    #[arg(short = 'c', long, num_args = 2, value_names = ["A", "B"], allow_negative_numbers = true)]
    pub cols: Option<Vec<i64>>,
    /// Rows A to B (excluded; -1: to the last) to be examined
    #[arg(short = 'r', long, num_args = 2, value_names = ["A", "B"], allow_negative_numbers = true)]
    pub rows: Option<Vec<i64>>,
    /// Charge window, LO included, HI excluded (e- for CALIBRATED)
    #[arg(short = 's', long, visible_short_alias = 'q', num_args = 2, value_names = ["LO", "HI"],
          allow_negative_numbers = true, default_values_t = [0.8, 10.023])]
    pub charge: Vec<f64>,
    /// EXTNAME of the mask (non-zero: not counted), or none
    #[arg(short = 'm', long, value_name = "EXT", default_value = "CLSMASK")]
    pub mask: Extension,
    /// Significance from which a column is hot
    #[arg(long, value_name = "Z", default_value_t = 4.0)]
    pub nsigma: f64,
    /// Width of the running median of the baseline
    #[arg(long, value_name = "N", default_value_t = 51, value_parser = whole)]
    pub window: usize,
    /// Baseline: polynomial of this degree, for example pol2, instead of the running median
    #[arg(long, value_name = "polN")]
    pub fitfunc: Option<String>,
    /// Columns A to B (excluded) are judged, the others only counted
    #[arg(long, num_args = 2, value_names = ["A", "B"], allow_negative_numbers = true)]
    pub xfit: Option<Vec<i64>>,
    /// Add columns with too little charge (z <= -nsigma)
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", default_value_t = false,
          hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub both: bool,
    /// Find the hot columns by the largest gaps in the sorted rates
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", default_value_t = false,
          hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub gap: bool,
    /// Find hot columns or hot rows
    #[arg(long, value_enum, default_value_t = SumAxis::Col)]
    pub axis: SumAxis,
    /// Columns that are examined together
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = whole)]
    pub rebin: usize,
    /// Add columns A to B (both included) to the lists: the overscan
    #[arg(long, num_args = 2, value_names = ["A", "B"], value_parser = whole)]
    pub addovs: Option<Vec<usize>>,
    /// Add columns A to B (both included) to the lists: the prescan
    #[arg(long, num_args = 2, value_names = ["A", "B"], value_parser = whole)]
    pub addpre: Option<Vec<usize>>,
    /// Time in which a pixel collected charge, s: gives a rate in events/(kg day)
    #[arg(long, value_name = "S")]
    pub tpix: Option<f64>,
    /// Rate of the remaining columns against nsigma, N values from MIN to MAX
    #[arg(long, num_args = 3, value_names = ["MIN", "MAX", "N"])]
    pub scan: Option<Vec<f64>>,
    /// Write the files without printing the lists
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", default_value_t = false,
          hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub silent: bool,
    /// Output.
    #[command(flatten)]
    pub output: FigureArgs,
}

/// Finds the hot columns of the files.
///
/// # Errors
/// Files that cannot be read or differ in shape, options that make no sense.
pub fn run(args: &HotcolsArgs, base: &Path) -> BenchResult<Results> {
    let baseline = args.baseline()?;
    let mut results = Results::new(&args.output, base)?;
    let patterns: Vec<String> = args.files.iter().chain(&args.infiles).cloned().collect();
    let files = expand(&patterns, base)?;
    let (lines, width) = count(args, &files, &mut results)?;
    let added = args.added(width, &mut results);
    let judged = |line: &Line| match args.xfit.as_deref() {
        Some(&[a, b]) => line.first as i64 >= a && (b < 0 || (line.first as i64) < b),
        _ => true,
    };
    let threshold = if args.gap { f64::NAN } else { args.nsigma };
    let mut found = find_hot(&lines, &baseline, args.nsigma, args.both);
    let mut gap = None;
    if args.gap {
        let (hot, value) = find_gaps(&lines);
        gap = value;
        found.iter_mut().zip(hot).for_each(|(f, hot)| f.hot = hot);
    }
    found.iter_mut().zip(&lines).for_each(|(f, line)| f.hot &= judged(line));

    let stem = stem_of(&files[0]);
    let name = format!("{stem}_HotCols");
    let fragments = fragments(args, &lines, &found, &added);
    let what = args.axis.name();
    let hot = found.iter().filter(|f| f.hot).count();
    let groups = if args.rebin > 1 { format!(" groups of {} {what}s", args.rebin) } else { format!(" {what}s") };
    results.line(format!("{hot} of {}{groups} are hot ({})", lines.len(), super::pcd::files_text(files.len())));
    if let Some(value) = gap {
        results.line(format!("threshold of the gap: {value:.6} selected per unmasked pixel"));
    }
    if !args.silent {
        fragments.iter().for_each(|fragment| results.line(fragment.to_string()));
        for (line, f) in lines.iter().zip(&found).filter(|(_, f)| f.hot) {
            results.line(format!(
                "  {what} {:>5}: {} selected of {}, {:.2} expected, z = {:.2}",
                line.first,
                line.selected,
                line.total,
                f.baseline * line.total as f64,
                f.z
            ));
        }
    }
    rate(args, &lines, &found, &mut results);
    write(&name, args, &lines, &found, &fragments, &mut results)?;
    results.figure(figures::search(&name, &lines, &found, what, threshold, gap));
    if let Some(&[lo, hi, n]) = args.scan.as_deref() {
        scan(&name, (lo, hi, n), &lines, &baseline, args, &mut results)?;
    }
    Ok(results)
}

impl HotcolsArgs {
    fn baseline(&self) -> BenchResult<Baseline> {
        let [lo, hi] = self.charge[..] else { return Err(BenchError::option("--charge", "two numbers are expected")) };
        if !(lo < hi) {
            return Err(BenchError::option("--charge", format!("LO < HI is expected, not {lo} and {hi}")));
        }
        if !(self.nsigma > 0.0) {
            return Err(BenchError::option("--nsigma", "it must be positive"));
        }
        if self.rebin == 0 || self.window == 0 {
            return Err(BenchError::option(
                if self.rebin == 0 { "--rebin" } else { "--window" },
                "at least 1 is needed",
            ));
        }
        if self.tpix.is_some_and(|t| !(t > 0.0)) {
            return Err(BenchError::option("--tpix", "it must be positive"));
        }
        for (option, columns) in [("--addovs", &self.addovs), ("--addpre", &self.addpre)] {
            if let Some([a, b]) = columns.as_deref()
                && a > b
            {
                return Err(BenchError::option(option, format!("A ≤ B is expected, not {a} and {b}")));
            }
        }
        match &self.fitfunc {
            None => Ok(Baseline::RunningMedian(self.window)),
            Some(text) => polynomial_degree(text).map(Baseline::Polynomial),
        }
    }

    /// Columns of --addpre and --addovs, as far as the image of `width` columns has them.
    fn added(&self, width: usize, results: &mut Results) -> Vec<usize> {
        let mut all = Vec::new();
        for (option, columns) in [("--addpre", &self.addpre), ("--addovs", &self.addovs)] {
            let Some([a, b]) = columns.as_deref() else { continue };
            if *b >= width {
                results.warn(format!("{option} {a} {b}: the image has columns 0 to {} only", width.saturating_sub(1)));
            }
            all.extend(*a..width.min(b.saturating_add(1)));
        }
        all
    }
}

/// Degree of `pol2` or `2`.
pub(super) fn polynomial_degree(text: &str) -> BenchResult<usize> {
    let digits = text.trim().strip_prefix("pol").unwrap_or(text.trim());
    digits
        .parse()
        .ok()
        .filter(|n| *n <= crate::stats::polynomial::MAX_DEGREE)
        .ok_or_else(|| BenchError::option("--fitfunc", format!("`{text}` is none of pol0, pol1, …, pol7")))
}

/// Selected and unmasked pixels per column (row), summed over the files, and the number of columns of the images.
fn count(args: &HotcolsArgs, files: &[std::path::PathBuf], results: &mut Results) -> BenchResult<(Vec<Line>, usize)> {
    let mut shape = None;
    let mut totals: Vec<(u64, u64)> = Vec::new();
    let mut across = 0..0;
    results.read_each(files, |_, path, _| {
        let file = FitsFile::open(path)?;
        let hdu = file.find_data(args.ext.first(), &["CALIBRATED"])?;
        let image = file.image(hdu)?;
        let expected = *shape.get_or_insert(image.dim());
        if image.dim() != expected {
            let hint = format!(" like {}", super::files::name_of(&files[0]));
            return Err(BenchError::Shape { path: path.to_owned(), found: image.dim(), expected, hint });
        }
        let mask = file.mask(&args.mask, image.dim())?;
        let cols = match &args.cols {
            Some(values) => range_of(values, expected.1, "--cols")?,
            None => 8.min(expected.1.saturating_sub(1))..expected.1,
        };
        let rows = match &args.rows {
            Some(values) => range_of(values, expected.0, "--rows")?,
            None => 0..expected.0,
        };
        across = if args.axis == SumAxis::Col { cols.clone() } else { rows.clone() };
        totals.resize(across.len(), (0, 0));
        add(args, &image, mask.as_ref(), rows, cols, &mut totals);
        Ok(())
    })?;
    if totals.iter().all(|(_, total)| *total == 0) {
        return Err(BenchError::Data(format!(
            "the mask {} leaves no pixel of the range (--mask none takes all)",
            args.mask
        )));
    }
    let grouped = totals.chunks(args.rebin).enumerate();
    let lines = grouped
        .map(|(k, group)| Line {
            first: across.start + k * args.rebin,
            width: group.len(),
            selected: group.iter().map(|g| g.0).sum(),
            total: group.iter().map(|g| g.1).sum(),
        })
        .collect();
    Ok((lines, shape.map_or(0, |(_, cols)| cols)))
}

fn add(
    args: &HotcolsArgs,
    image: &Array2<f64>,
    mask: Option<&Array2<bool>>,
    rows: Range<usize>,
    cols: Range<usize>,
    totals: &mut [(u64, u64)],
) {
    let window = args.charge[0]..args.charge[1];
    for row in rows.clone() {
        for col in cols.clone() {
            let q = image[[row, col]];
            if !q.is_finite() || mask.is_some_and(|m| m[[row, col]]) {
                continue;
            }
            let at = if args.axis == SumAxis::Col { col - cols.start } else { row - rows.start };
            totals[at].1 += 1;
            totals[at].0 += u64::from(window.contains(&q));
        }
    }
}

/// Consecutive numbers as runs; both ends included.
fn runs(numbers: &[usize]) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for &n in numbers {
        match runs.last_mut() {
            Some(last) if last.1 + 1 == n => last.1 = n,
            _ => runs.push((n, n)),
        }
    }
    runs
}

/// The lists as they stand in a configuration: pairs include their end in `skip_cols` and `hot_cols`, and exclude it in
/// `cols_to_mask`.
fn fragments(args: &HotcolsArgs, lines: &[Line], found: &[Found], added: &[usize]) -> Vec<Value> {
    let mut numbers: Vec<usize> =
        lines.iter().zip(found).filter(|(_, f)| f.hot).flat_map(|(l, _)| l.first..l.first + l.width).collect();
    if args.axis == SumAxis::Col {
        numbers.extend(added);
    }
    numbers.sort_unstable();
    numbers.dedup();
    let list = |beyond: usize| -> Value {
        runs(&numbers).into_iter().map(|(a, b)| if a == b { json!(a) } else { json!([a, b + beyond]) }).collect()
    };
    match args.axis {
        SumAxis::Col => vec![json!({ "skip_cols": list(0), "hot_cols": list(0) }), json!({ "cols_to_mask": list(1) })],
        SumAxis::Row => vec![json!({ "skip_rows": list(0) }), json!({ "rows_to_mask": list(1) })],
    }
}

/// Selected pixels in the columns that are not hot, per pixel and per exposure.
fn rate(args: &HotcolsArgs, lines: &[Line], found: &[Found], results: &mut Results) {
    let (selected, total) = sums(lines, found);
    let (n, t) = (selected as f64, total as f64);
    results.line(format!(
        "remaining: {selected} selected of {total} pixels, {} per pixel",
        plus_minus(n / t, n.max(1.0).sqrt() / t)
    ));
    if let Some(tpix) = args.tpix {
        let exposure = t * PIXEL_MASS * tpix / 86_400.0;
        results.line(format!(
            "exposure {exposure:.6e} kg day, rate {} events/(kg day)",
            plus_minus(n / exposure, n.max(1.0).sqrt() / exposure)
        ));
    }
}

fn sums(lines: &[Line], found: &[Found]) -> (u64, u64) {
    let kept = lines.iter().zip(found).filter(|(_, f)| !f.hot).map(|(l, _)| l);
    kept.fold((0, 0), |(s, t), l| (s + l.selected, t + l.total))
}

fn write(
    name: &str,
    args: &HotcolsArgs,
    lines: &[Line],
    found: &[Found],
    fragments: &[Value],
    results: &mut Results,
) -> BenchResult<()> {
    let columns =
        [&format!("{}s", &args.axis.name()[..3]), "hotcol", "sub_counts", "counts", "n_sigmas", "unmasked", "baseline"];
    let rows = lines.iter().zip(found).map(|(line, f)| {
        let (n, expected) = (line.selected as f64, f.baseline * line.total as f64);
        let hot = f64::from(u8::from(f.hot));
        vec![line.first as f64, hot, n - expected, n, f.z, line.total as f64, f.baseline]
    });
    let table = Table { name: name.to_owned(), columns: columns.map(|c| c.to_string()).to_vec(), rows: rows.collect() };
    let scalars = [
        ("nsigma", args.nsigma.to_string()),
        ("charge_lo", args.charge[0].to_string()),
        ("charge_hi", args.charge[1].to_string()),
    ];
    results.csv(&table, &scalars)?;
    let mut document = serde_json::Map::new();
    for fragment in fragments {
        document.extend(fragment.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())));
    }
    let text = serde_json::to_string_pretty(&document).map_err(|e| BenchError::Data(e.to_string()))?;
    results.file(&format!("{name}.json"), (text + "\n").as_bytes())
}

/// Rate of what remains against the threshold.
fn scan(
    name: &str,
    (lo, hi, n): (f64, f64, f64),
    lines: &[Line],
    baseline: &Baseline,
    args: &HotcolsArgs,
    results: &mut Results,
) -> BenchResult<()> {
    if !(lo > 0.0 && hi > lo && (2.0..=10_000.0).contains(&n)) {
        return Err(BenchError::option("--scan", "0 < MIN < MAX and 2 to 10000 values are expected"));
    }
    let steps = n as usize;
    let rows: Vec<Vec<f64>> = (0..steps)
        .map(|i| {
            let nsigma = lo + (hi - lo) * i as f64 / (steps - 1) as f64;
            let found = find_hot(lines, baseline, nsigma, args.both);
            let (selected, total) = sums(lines, &found);
            let per = match args.tpix {
                Some(tpix) => total as f64 * PIXEL_MASS * tpix / 86_400.0,
                None => total as f64,
            };
            let hot = found.iter().filter(|f| f.hot).count() as f64;
            vec![nsigma, selected as f64 / per, (selected as f64).sqrt() / per, hot]
        })
        .collect();
    let unit = if args.tpix.is_some() { "events/(kg day)" } else { "selected/pixel" };
    results.figure(figures::scan(name, &rows, unit, args.axis.name()));
    let columns = ["nsigma", "rate", "rate_err", "hot"].map(String::from).to_vec();
    results.csv(&Table { name: format!("{name}_scan"), columns, rows }, &[("unit", unit.to_owned())])
}

#[cfg(test)]
mod tests;
