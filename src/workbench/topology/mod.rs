//! `panaSKImg topology`: pictures of clusters from the tree `clustersRec` (spec 04 §8.11).
//!
//! Each cluster is drawn as a map of its charge in electrons, with the numbers in the cells. The mean of all clusters,
//! each divided by its brightest pixel and centred on it, shows the spread of point-like events.

mod clusters;
mod figures;

use std::path::Path;

use clap::{ArgAction, Args};

use super::error::{BenchError, BenchResult};
use super::files::{expand, stem_of, whole};
use super::results::{FigureArgs, Results, plus_minus};
use crate::image::report::Table;
use crate::plot::Format;
pub use clusters::{Cluster, read_clusters};

/// Single pictures are written for this many clusters at most, unless `--max` says more.
const MOST: usize = 50;

/// Options of `panaSKImg topology`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct TopologyArgs {
    /// ROOT files with the tree clustersRec, or patterns (quoted)
    #[arg(value_name = "ROOT")]
    pub files: Vec<String>,
    /// The same
    #[arg(short = 'r', long = "root", num_args = 1.., value_name = "ROOT")]
    pub root: Vec<String>,
    /// Smallest energy, keV
    #[arg(long, value_name = "KEV", default_value_t = 0.0)]
    pub emin: f64,
    /// Largest energy, keV
    #[arg(long, value_name = "KEV", default_value_t = 20.0)]
    pub emax: f64,
    /// Range of the colours, e- [default: of the cluster]
    #[arg(long, num_args = 2, value_names = ["LO", "HI"], allow_negative_numbers = true)]
    pub erange: Option<Vec<f64>>,
    /// Logarithmic colours
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", default_value_t = false,
          hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub logz: bool,
    /// Columns around the cluster
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub padx: i64,
    /// Rows around the cluster
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub pady: i64,
    /// Draw the pixels of all clusters in the window
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", default_value_t = false,
          hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub region: bool,
    /// Only events of the serial register
    #[arg(long, conflicts_with = "skipsre", action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true",
          default_value_t = false, hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub sre: bool,
    /// No events of the serial register
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", default_value_t = false,
          hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub skipsre: bool,
    /// What an event of the serial register is: DX >= A and DY = B, or DX >= 2A and DY = B+1
    #[arg(long, num_args = 2, value_names = ["A", "B"], default_values_t = [3, 1])]
    pub srexy: Vec<i64>,
    /// Pictures at most
    #[arg(long, value_name = "N", default_value_t = MOST, value_parser = whole)]
    pub max: usize,
    /// Output.
    #[command(flatten)]
    pub output: FigureArgs,
}

/// Draws the clusters.
///
/// # Errors
/// Files that cannot be read or have no clusters of this kind.
pub fn run(args: &TopologyArgs, base: &Path) -> BenchResult<Results> {
    if !(args.emin < args.emax) {
        return Err(BenchError::option("--emin and --emax", format!("{} is not less than {}", args.emin, args.emax)));
    }
    if args.padx < 0 || args.pady < 0 {
        return Err(BenchError::option("--padx and --pady", "they cannot be negative"));
    }
    if args.srexy.iter().any(|n| *n < 1) {
        return Err(BenchError::option("--srexy", "both must be positive"));
    }
    if let Some([lo, hi]) = args.erange.as_deref()
        && !(lo < hi)
    {
        return Err(BenchError::option("--erange", format!("LO < HI is expected, not {lo} and {hi}")));
    }
    let patterns: Vec<String> = args.files.iter().chain(&args.root).cloned().collect();
    let files = expand(&patterns, base)?;
    let mut results = Results::with_formats(&args.output, base, &[Format::Png])?;
    let mut drawn = 0;
    let read = results.read_each(&files, |_, path, _| Ok((path.to_owned(), read_clusters(path)?)))?;
    for (path, all) in &read {
        let chosen: Vec<&Cluster> = all.iter().filter(|c| wanted(args, c)).collect();
        results.line(format!("{}: {} of {} clusters", super::files::name_of(path), chosen.len(), all.len()));
        if chosen.is_empty() {
            continue;
        }
        let stem = stem_of(path);
        let stem = stem.strip_suffix(".root").unwrap_or(&stem).to_owned();
        for cluster in &chosen {
            if drawn == args.max {
                results.warn(format!("only the first {} clusters were drawn (--max)", args.max));
            }
            drawn += 1;
            if drawn > args.max {
                continue;
            }
            let others: Vec<&Cluster> = all.iter().filter(|c| args.region && c.entry == cluster.entry).collect();
            results.figure(figures::cluster(args, &stem, cluster, &others));
        }
        table(&stem, &chosen, &mut results)?;
        combined(args, &stem, &chosen, &mut results)?;
    }
    if drawn == 0 {
        results.warn("no cluster fulfils the conditions");
        results.code = 1;
    }
    Ok(results)
}

fn wanted(args: &TopologyArgs, cluster: &Cluster) -> bool {
    let (a, b) = (args.srexy[0], args.srexy[1]);
    let (dx, dy) = (cluster.dx, cluster.dy);
    let serial = (dx >= a && dy == b) || (dx >= 2 * a && dy == b + 1);
    cluster.is_seed
        && cluster.energy >= args.emin
        && cluster.energy <= args.emax
        && (!args.sre || serial)
        && (!args.skipsre || !serial)
}

fn table(stem: &str, chosen: &[&Cluster], results: &mut Results) -> BenchResult<()> {
    let columns = [
        "entry",
        "cluster_id",
        "energy_keV",
        "charge_e",
        "pixels",
        "x",
        "y",
        "DX",
        "DY",
        "sigma_xy",
        "sigma_x",
        "sigma_y",
    ];
    let rows = chosen.iter().map(|c| {
        let n = c.charge.len() as f64;
        let charge: f64 = c.charge.iter().sum();
        vec![
            c.entry as f64,
            c.id,
            c.energy,
            charge,
            n,
            c.centre.0,
            c.centre.1,
            c.dx as f64,
            c.dy as f64,
            c.spread.0,
            c.spread.1,
            c.spread.2,
        ]
    });
    let table =
        Table { name: format!("{stem}_clusters"), columns: columns.map(String::from).to_vec(), rows: rows.collect() };
    results.csv(&table, &[("e2eV", chosen[0].ev_per_electron.to_string())])
}

/// Mean of all clusters around their brightest pixel.
fn combined(args: &TopologyArgs, stem: &str, chosen: &[&Cluster], results: &mut Results) -> BenchResult<()> {
    let mean = clusters::mean_around_maximum(chosen, args.padx.max(5), args.pady.max(5));
    let (width_x, width_y) = clusters::widths(&mean);
    let (error_x, error_y) = clusters::width_errors(chosen, args.padx.max(5), args.pady.max(5));
    let n = chosen.len() as f64;
    results.line(format!(
        "  mean of {} clusters: σx {} pixels, σy {} pixels",
        chosen.len(),
        plus_minus(width_x, error_x),
        plus_minus(width_y, error_y)
    ));
    let name = format!("combined_cluster_topology_Emax{}keV", args.emax);
    let name = if results.figures.iter().any(|(f, _)| f.name == name) { format!("{stem}_{name}") } else { name };
    let rows = mean.indexed_iter().map(|((r, c), q)| {
        let (height, width) = mean.dim();
        vec![c as f64 - (width / 2) as f64, r as f64 - (height / 2) as f64, *q]
    });
    let columns = ["x", "y", "mean_relative_charge"].map(String::from).to_vec();
    results.csv(
        &Table { name: name.clone(), columns, rows: rows.collect() },
        &[
            ("clusters", n.to_string()),
            ("sigma_x", width_x.to_string()),
            ("sigma_x_err", error_x.to_string()),
            ("sigma_y", width_y.to_string()),
            ("sigma_y_err", error_y.to_string()),
        ],
    )?;
    let widths = [(width_x, error_x), (width_y, error_y)];
    results.figure_in(figures::combined(&name, &mean, chosen.len(), widths), &[Format::Pdf]);
    Ok(())
}

#[cfg(test)]
mod tests;
