//! `panaSKImg pcd`: pixel charge distributions of data sets, one over the other (spec 04 §8.4).

use std::path::Path;

use clap::{ArgAction, Args};

use super::error::{BenchError, BenchResult};
use super::files::{Extension, FitsFile, expand, unit_of, unmasked};
use super::results::{FigureArgs, Results, plus_minus};
use crate::image::report::Table;
use crate::plot::{Axis, Colour, Figure, Guide, Histogram, Panel, Points};
use crate::stats::histogram;

/// Options of `panaSKImg pcd`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct PcdArgs {
    /// The same
    #[arg(short = 'd', long = "data", num_args = 1.., value_name = "PATTERN")]
    pub data: Vec<String>,
    /// Data sets: one pattern (quoted) each
    #[arg(value_name = "PATTERN")]
    pub patterns: Vec<String>,
    /// Extensions with data and mask, numbers or EXTNAMEs
    #[arg(long, num_args = 1..=2, value_names = ["DATA", "MASK"], default_values = ["0", "FULLMASK"])]
    pub ext: Vec<Extension>,
    /// EXTNAME of the mask, or none for all pixels
    #[arg(long, value_name = "EXT")]
    pub fullmask: Option<Extension>,
    /// Bins, and ends of the charge axis
    #[arg(long, num_args = 3, value_names = ["N", "LO", "HI"], allow_negative_numbers = true,
          default_values_t = [500.0, -2.0, 10.0])]
    pub ho: Vec<f64>,
    /// Divide by the number of unmasked pixels
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", default_value_t = false,
          hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub norm: bool,
    /// Names of the data sets in the legend [default: the patterns]
    #[arg(long, num_args = 1.., value_name = "TEXT")]
    pub label: Vec<String>,
    /// Name of the results
    #[arg(short = 'o', long = "output", value_name = "NAME", default_value = "pcd")]
    pub name: String,
    /// Output.
    #[command(flatten)]
    pub output: FigureArgs,
}

/// Distribution of one data set.
struct Set {
    label: String,
    files: usize,
    pixels: u64,
    counts: Vec<f64>,
    unit: String,
}

/// Draws the distributions.
///
/// # Errors
/// Files or extensions that are missing, a histogram that makes no sense.
pub fn run(args: &PcdArgs, base: &Path) -> BenchResult<Results> {
    let mut results = Results::new(&args.output, base)?;
    let (bins, lo, hi) = (args.ho[0], args.ho[1], args.ho[2]);
    if !(bins.fract() == 0.0 && (1.0..=1e6).contains(&bins) && lo < hi && lo.is_finite() && hi.is_finite()) {
        return Err(BenchError::option("--ho", "N (1 to 1000000), LO and HI with LO < HI are expected"));
    }
    let patterns: Vec<&String> = args.data.iter().chain(&args.patterns).collect();
    if patterns.is_empty() {
        return Err(BenchError::NoInput("none is named; give one pattern per data set".into()));
    }
    if !args.label.is_empty() && args.label.len() != patterns.len() {
        return Err(BenchError::option(
            "--label",
            format!("{} names are given for {} data sets", args.label.len(), patterns.len()),
        ));
    }
    let mut sets = Vec::new();
    for (k, pattern) in patterns.iter().enumerate() {
        let label = args.label.get(k).unwrap_or(pattern).clone();
        sets.push(read(args, label, pattern, base, (bins as usize, lo, hi), &mut results)?);
    }
    for set in &sets {
        let inside: f64 = set.counts.iter().sum();
        results.line(format!(
            "{}: {}, {} unmasked pixels, {inside} drawn",
            set.label,
            files_text(set.files),
            set.pixels
        ));
        if let Some((n, error)) = share_above(set, lo, hi, 0.5) {
            results.line(format!("  pixels between 0.5 and {hi} {}: {} of all", set.unit, plus_minus(n, error)));
        }
    }
    results.figure(figure(args, &sets, (lo, hi)));
    table(args, &sets, (lo, hi), &mut results)?;
    Ok(results)
}

/// Share of the unmasked pixels with more than `from`, with binomial error.
fn share_above(set: &Set, lo: f64, hi: f64, from: f64) -> Option<(f64, f64)> {
    let width = (hi - lo) / set.counts.len() as f64;
    let n: f64 =
        set.counts.iter().enumerate().filter(|(i, _)| lo + width * (*i as f64 + 0.5) > from).map(|(_, n)| n).sum();
    let total = set.pixels as f64;
    let p = n / total;
    (set.unit == "e-" && set.pixels > 0 && from < hi).then(|| (p, (p.max(1.0 / total) * (1.0 - p) / total).sqrt()))
}

fn read(
    args: &PcdArgs,
    label: String,
    pattern: &str,
    base: &Path,
    (bins, lo, hi): (usize, f64, f64),
    results: &mut Results,
) -> BenchResult<Set> {
    let mask = args.fullmask.clone().or_else(|| args.ext.get(1).cloned());
    let mask = mask.unwrap_or_else(|| Extension::Name("FULLMASK".into()));
    let files = expand(&[pattern.to_owned()], base)?;
    let mut counts = vec![0.0; bins];
    let mut pixels = 0;
    let mut unit = String::new();
    let read = results.read_each(&files, |_, path, _| {
        let file = FitsFile::open(path)?;
        let hdu = file.find(&args.ext[0])?;
        let image = file.image(hdu)?;
        let mask = file.mask(&mask, image.dim())?;
        unit = unit_of(&file, hdu)?;
        let values = unmasked(&image, mask.as_ref());
        pixels += values.len() as u64;
        let one = histogram::Histogram::window(&values, lo, hi, bins).map_err(|e| BenchError::Data(e.to_string()))?;
        counts.iter_mut().zip(one.contents()).for_each(|(sum, n)| *sum += n);
        Ok(())
    })?;
    if pixels == 0 {
        return Err(BenchError::Data(format!("{label}: the mask leaves no pixel (--fullmask none takes all)")));
    }
    Ok(Set { label, files: read.len(), pixels, counts, unit })
}

/// `1 file`, `2 files`.
pub(super) fn files_text(n: usize) -> String {
    format!("{n} file{}", if n == 1 { "" } else { "s" })
}

/// Scale and unit for display: counts, or share of the pixels.
fn scale(args: &PcdArgs, set: &Set) -> f64 {
    if args.norm { 1.0 / (set.pixels as f64).max(1.0) } else { 1.0 }
}

fn figure(args: &PcdArgs, sets: &[Set], (lo, hi): (f64, f64)) -> Figure {
    let bins = sets[0].counts.len();
    let width = (hi - lo) / bins as f64;
    let unit = sets[0].unit.replace("e-", "e⁻");
    let label = if args.norm { "share of the pixels" } else { "counts" };
    let mut main = Panel::new().x_range(lo, hi);
    let mut lowest = f64::INFINITY;
    for (k, set) in sets.iter().enumerate() {
        let f = scale(args, set);
        lowest = lowest.min(0.5 * f);
        let contents: Vec<f64> = set.counts.iter().map(|n| n * f).collect();
        let errors: Vec<f64> = set.counts.iter().map(|n| n.sqrt() * f).collect();
        let text = format!("{} ({} pixels)", set.label, set.pixels);
        main =
            main.histogram(Histogram::uniform(lo, hi, contents).errors(errors).colour(Colour::series(k)).label(text));
    }
    main = main.y_axis(Axis::new(format!("{label} / {} {unit}", rounded(width))).log().from(lowest));
    let x = format!("pixel charge [{unit}]");
    let figure = Figure::new(args.name.clone()).title("Pixel charge distribution").size(10.0, 6.0);
    if sets.len() < 2 {
        return figure.panel(main.x(x));
    }
    let mut ratio =
        Panel::new().x(x).y("ratio to the first").x_range(lo, hi).with_grid().guide(Guide::horizontal(1.0).solid());
    let centres: Vec<f64> = (0..bins).map(|i| lo + width * (i as f64 + 0.5)).collect();
    let mut highest = 1.5f64;
    for (k, set) in sets.iter().enumerate().skip(1) {
        let (r, e): (Vec<f64>, Vec<f64>) = ratios(args, &sets[0], set).into_iter().unzip();
        // Bins with few pixels would hide what the others tell.
        let sure = r.iter().zip(&e).filter(|(r, e)| **e < 0.3 * **r).map(|(r, e)| r + e);
        highest = sure.fold(highest, f64::max);
        ratio = ratio.points(Points::new(&centres, r).y_errors(e).filled(Colour::series(k)).size(2.0));
    }
    figure.grid(2, 1).heights([2.2, 1.0]).share_x().panel(main).panel(ratio.y_range(0.0, 1.1 * highest))
}

/// Four significant digits, without trailing zeros.
fn rounded(x: f64) -> f64 {
    format!("{x:.3e}").parse().unwrap_or(x)
}

/// Ratio of a set to the first one with its error r·√(1/a + 1/b); NaN where one of them is empty.
fn ratios(args: &PcdArgs, first: &Set, set: &Set) -> Vec<(f64, f64)> {
    let f = scale(args, set) / scale(args, first);
    let pairs = first.counts.iter().zip(&set.counts);
    pairs
        .map(|(&a, &b)| {
            if a > 0.0 && b > 0.0 {
                let r = b / a * f;
                (r, r * (1.0 / a + 1.0 / b).sqrt())
            } else {
                (f64::NAN, f64::NAN)
            }
        })
        .collect()
}

fn table(args: &PcdArgs, sets: &[Set], (lo, hi): (f64, f64), results: &mut Results) -> BenchResult<()> {
    let bins = sets[0].counts.len();
    let width = (hi - lo) / bins as f64;
    let mut columns = vec!["low".to_owned(), "high".to_owned()];
    let mut rows: Vec<Vec<f64>> = (0..bins).map(|i| vec![lo + width * i as f64, lo + width * (i + 1) as f64]).collect();
    for (k, set) in sets.iter().enumerate() {
        columns.push(format!("counts {}", set.label));
        rows.iter_mut().zip(&set.counts).for_each(|(row, n)| row.push(*n));
        if k > 0 {
            columns.extend([format!("ratio {}", set.label), format!("ratio_err {}", set.label)]);
            rows.iter_mut().zip(ratios(args, &sets[0], set)).for_each(|(row, (r, e))| row.extend([r, e]));
        }
    }
    let pixels: Vec<String> = sets.iter().map(|s| s.pixels.to_string()).collect();
    let table = Table { name: args.name.clone(), columns, rows };
    results.csv(&table, &[("unmasked_pixels", pixels.join(";")), ("normalised_ratio", args.norm.to_string())])
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;
    use crate::workbench::test_files::{extensions, image};

    fn args(words: &[&str]) -> PcdArgs {
        let command = PcdArgs::augment_args(clap::Command::new("pcd"));
        PcdArgs::from_arg_matches(&command.get_matches_from(std::iter::once("pcd").chain(words.iter().copied())))
            .unwrap()
    }

    /// 100 pixels of 1 e⁻ per file, 20 of which are masked, the rest of `rows` × 10 empty.
    fn files(folder: &Path) {
        let data = image(40, 10, |r, _| f64::from(u8::from(r < 10)));
        let mask = image(40, 10, |r, _| f64::from(u8::from(r < 2)));
        extensions(folder, "a1.fits", &[("CALIBRATED", &data, &[]), ("FULLMASK", &mask, &[])]);
        let half = image(40, 10, |r, _| f64::from(u8::from(r < 6)));
        extensions(folder, "b1.fits", &[("CALIBRATED", &half, &[]), ("FULLMASK", &mask, &[])]);
    }

    #[test]
    fn unmasked_pixels_are_counted_and_compared() {
        let folder = tempfile::tempdir().unwrap();
        files(folder.path());
        let results = run(&args(&["-d", "a*.fits", "b*.fits", "--ho", "4", "-0.5", "3.5"]), folder.path()).unwrap();
        assert_eq!(results.text[0], "a*.fits: 1 file, 380 unmasked pixels, 380 drawn");
        let csv = std::fs::read_to_string(folder.path().join("pcd.csv")).unwrap();
        let row: Vec<f64> = csv.lines().nth(4).unwrap().split(',').map(|x| x.parse().unwrap()).collect();
        // 80 and 40 pixels of one electron: 0.5 ± 0.5·√(1/80 + 1/40)
        assert_eq!(row[..5], [0.5, 1.5, 80.0, 40.0, 0.5]);
        assert!((row[5] - 0.5 * (1.0f64 / 80.0 + 1.0 / 40.0).sqrt()).abs() < 1e-15);
        assert_eq!(results.figures[0].0.panels.len(), 2);
    }

    #[test]
    fn the_error_of_the_ratio_is_that_of_the_specification() {
        let set = |n: f64| Set { label: String::new(), files: 1, pixels: 1000, counts: vec![n], unit: "e-".into() };
        let (r, e) = ratios(&args(&["x"]), &set(100.0), &set(50.0))[0];
        assert!(r == 0.5 && (e - 0.0866).abs() < 5e-5, "{r} {e}");
        assert!(ratios(&args(&["x"]), &set(0.0), &set(50.0))[0].0.is_nan());
    }

    #[test]
    fn masks_can_be_left_out_and_are_missed_by_name() {
        let folder = tempfile::tempdir().unwrap();
        files(folder.path());
        let all = run(&args(&["a1.fits", "--fullmask", "none"]), folder.path()).unwrap();
        assert!(all.text[0].contains("400 unmasked"), "{:?}", all.text);
        let named = run(&args(&["a1.fits", "--ext", "calibrated", "1"]), folder.path()).unwrap();
        assert!(named.text[0].contains("380 unmasked"), "{:?}", named.text);
        let error = run(&args(&["a1.fits", "--fullmask", "CLSMASK"]), folder.path()).unwrap_err().to_string();
        assert!(error.contains("a1.fits") && error.contains("CLSMASK") && error.contains("FULLMASK"), "{error}");
        assert!(run(&args(&["c*.fits"]), folder.path()).unwrap_err().is_no_input());
        assert!(run(&args(&["a1.fits", "--ho", "0", "1", "2"]), folder.path()).is_err());
    }
}
