//! `panaSKImg crosstalk`: the cross-talk matrix of the four channels of a module, and images corrected with it.
//!
//! Input are processed files, one per extension, with the images `CALIBRATED` (e⁻) and `QMAX` (cluster number and charge,
//! from BuildClusterMask with `add_cluster_id`). Spec 03 §6.

mod bootstrap;
pub mod correct;
pub mod figures;
pub mod files;
pub mod measure;
pub mod module;
pub mod simulate;

use std::path::{Path, PathBuf};

use clap::{ArgAction, Args};
use serde_json::{Value, json};

use crate::atomic_file;
use crate::plot::{Figure, Format, render_all};
use correct::correct_all;
use files::{Input, corrected_header, corrected_name};
use measure::{EnergyBins, Matrix, Settings, measure};
use simulate::{Simulation, simulate};

/// Options of `panaSKImg crosstalk`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct CrosstalkArgs {
    /// Directory of a data set; repeat the option for several
    #[arg(short = 'd', long, value_name = "DIR")]
    pub datadir: Vec<PathBuf>,
    /// Pattern of the four files of a data set (quoted), named with EXTn_; as many as directories
    #[arg(short = 'i', long, value_name = "PATTERN")]
    pub infits: Vec<String>,
    /// Number of the module, for titles and names
    #[arg(long, value_name = "N")]
    pub acm: Option<u32>,
    /// Rows and columns from the source pixel to the affected one
    #[arg(long, num_args = 2, value_names = ["DR", "DC"], default_values_t = [0, 0], allow_negative_numbers = true)]
    pub lag: Vec<i64>,
    /// Charge of the seeds, e-, both ends excluded
    #[arg(long, num_args = 2, value_names = ["LO", "HI"], default_values_t = [400.0, 5000.0])]
    pub qrange: Vec<f64>,
    /// Bootstrap samples for the intervals
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub bootstrap_size: usize,
    /// Bins in seed charge, with equal numbers of seeds
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub energy_bins: usize,
    /// Use the seeds of rows A to B (excluded) only
    #[arg(long, num_args = 2, value_names = ["A", "B"])]
    pub mask_rows: Option<Vec<usize>>,
    /// Show the coefficients minus the null coefficients in the matrix
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", default_value_t = true, value_name = "BOOL")]
    pub correct_from_null: bool,
    /// Show the figures
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", default_value_t = false, value_name = "BOOL")]
    pub display: bool,
    /// Directory of the results
    #[arg(short = 'o', long, value_name = "DIR", default_value = ".")]
    pub outdir: PathBuf,
    /// Simulated data instead of files: true, dark current (e-/pix), noise (e-), rows, columns (the last four optional)
    #[arg(long, num_args = 1..=5, allow_negative_numbers = true, value_names = ["ON", "DC", "NOISE", "ROWS", "COLS"])]
    pub sim: Option<Vec<String>>,
    /// Seed of all random numbers
    #[arg(long, value_name = "N", default_value_t = 321)]
    pub seed: u64,
    /// Formats of the figures: pdf, eps, png, svg
    #[arg(long, value_name = "FORMAT", value_delimiter = ',', default_value = "pdf")]
    pub fmt: Vec<String>,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum CrosstalkError {
    /// No input was named.
    #[error("no data set is given: use --datadir DIR --infits PATTERN (once or several times), or --sim true")]
    NoInput,
    /// Directories and patterns do not pair up.
    #[error(
        "{directories} directories (--datadir) and {patterns} patterns (--infits) are given; one pattern per directory is needed"
    )]
    Pairs {
        /// Directories given.
        directories: usize,
        /// Patterns given.
        patterns: usize,
    },
    /// A pattern matches nothing.
    #[error("{}: no file matches `{pattern}`", directory.display())]
    NoFile {
        /// Where.
        directory: PathBuf,
        /// What.
        pattern: String,
    },
    /// A pattern matches the wrong number of files.
    #[error("{}: {found} files match `{pattern}`; exactly 4, one per channel, are needed", directory.display())]
    FileCount {
        /// Where.
        directory: PathBuf,
        /// What.
        pattern: String,
        /// How many.
        found: usize,
    },
    /// A file name does not tell the extension.
    #[error("{}: the name does not contain EXT<n>_, which tells the channel", path.display())]
    NoExtension {
        /// File.
        path: PathBuf,
    },
    /// Two files of the same extension.
    #[error("two files of `{pattern}` are of extension {number}; one per channel is needed")]
    SameExtension {
        /// Extension.
        number: usize,
        /// Pattern.
        pattern: String,
    },
    /// Data sets of different modules.
    #[error(
        "the data sets have different channels ({first} and {other}); only data sets of one module can be combined"
    )]
    OtherChannels {
        /// Channels of the first data set.
        first: String,
        /// Channels of another.
        other: String,
    },
    /// Images of different shapes.
    #[error("{}: the image has {found:?} rows and columns; {expected:?} are expected", path.display())]
    Shape {
        /// File.
        path: PathBuf,
        /// Shape found.
        found: (usize, usize),
        /// Shape expected.
        expected: (usize, usize),
    },
    /// An image is missing.
    #[error("{}: there is no image {wanted} ({existing}); process the image with CalibrationProcess, ClusterFinder and \
             BuildClusterMask with `add_cluster_id`", path.display())]
    NoImage {
        /// File.
        path: PathBuf,
        /// EXTNAME.
        wanted: &'static str,
        /// What exists.
        existing: String,
    },
    /// A file cannot be read.
    #[error("{}: {reason}", path.display())]
    Unreadable {
        /// File.
        path: PathBuf,
        /// Reason.
        reason: String,
    },
    /// A file cannot be written.
    #[error("{}: {reason}", path.display())]
    Unwritable {
        /// File.
        path: PathBuf,
        /// Reason.
        reason: String,
    },
    /// An option has a value that makes no sense.
    #[error("{option}: {reason}")]
    Option {
        /// Option.
        option: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl CrosstalkError {
    /// Whether there is no input file (exit code 3).
    pub fn is_no_input(&self) -> bool {
        matches!(self, Self::NoFile { .. })
    }

    /// Whether the command line is wrong (exit code 2) and not an image (exit code 1, spec 01 §7.1).
    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::NoImage { .. } | Self::Unreadable { .. } | Self::Shape { .. } | Self::NoFile { .. })
    }
}

/// What the tool found and wrote.
#[derive(Debug)]
pub struct Results {
    /// Coefficients.
    pub matrix: Matrix,
    /// Files written.
    pub written: Vec<PathBuf>,
    /// Figures, with the files that hold them.
    pub figures: Vec<(Figure, Vec<PathBuf>)>,
    /// What may spoil the result.
    pub warnings: Vec<String>,
    /// The matrix as lines of text.
    pub text: Vec<String>,
}

/// Complete, valid options.
struct Parameters {
    settings: Settings,
    acm: Option<u32>,
    from_null: bool,
    simulation: Option<Simulation>,
    formats: Vec<Format>,
}

/// Measures the matrix and writes the corrected images, the figures and the numbers. Relative paths count from `base`.
///
/// # Errors
/// Options that make no sense, files that are missing, unreadable or do not fit together.
pub fn run(arguments: &CrosstalkArgs, base: &Path) -> Result<Results, CrosstalkError> {
    let parameters = arguments.parameters()?;
    let settings = &parameters.settings;
    let (input, truth) = match &parameters.simulation {
        Some(what) => {
            let (module, truth) = simulate(what, settings.charge, settings.lag, settings.seed);
            let header = crate::fits::Header::new();
            (Input { module, files: Vec::new(), header }, Some(truth))
        }
        None => (files::read(&arguments.datadir, &arguments.infits, base)?, None),
    };
    let module = &input.module;
    let matrix = measure(module, settings);
    let corrected = correct_all(&module.frames, &matrix, settings.lag);
    let originals: Vec<_> = (0..module.channels.len()).map(|channel| module.stacked(channel)).collect();

    let directory = base.join(&arguments.outdir);
    let unwritable = |path: &Path, reason: String| CrosstalkError::Unwritable { path: path.to_owned(), reason };
    std::fs::create_dir_all(&directory).map_err(|e| unwritable(&directory, e.to_string()))?;
    let mut written = Vec::new();
    let path = directory.join(corrected_name(&input.files));
    let header = corrected_header(&input.header, &matrix, parameters.acm, settings.lag, &input.files);
    files::write(&path, &header, &corrected, &originals).map_err(|e| unwritable(&path, e.to_string()))?;
    written.push(path);

    let context = figures::Context {
        prefix: prefix(parameters.acm, settings.lag),
        title: parameters.acm.map_or("module".to_owned(), |n| format!("module {n}")),
        charge: settings.charge.1,
        from_null: parameters.from_null,
    };
    let drawn = [
        figures::global_alpha(&matrix, &context),
        figures::alpha_vs_energy(&matrix, &context),
        figures::visual_summary(module, &matrix, &context, settings.lag),
        figures::correction_vs_charge(module, &matrix, &context),
        figures::spectra(&originals, &corrected, &matrix.labels, &context),
    ];
    let mut warnings = warnings(&matrix);
    let mut shown = Vec::new();
    for figure in drawn {
        let mut paths = Vec::new();
        for (format, bytes) in parameters.formats.iter().zip(render_all(&figure, &parameters.formats)) {
            let path = directory.join(format!("{}.{}", figure.name, format.extension()));
            let result =
                bytes.map_err(|e| e.to_string()).and_then(|b| atomic_file::write(&path, &b).map_err(|e| e.to_string()));
            match result {
                Ok(()) => paths.push(path),
                Err(reason) => warnings.push(format!("figure not written: {}: {reason}", path.display())),
            }
        }
        written.extend(paths.iter().cloned());
        shown.push((figure, paths));
    }
    let path = directory.join(format!("{}_results.json", context.prefix));
    let text = serde_json::to_string_pretty(&results(&matrix, &input, settings, truth.as_deref()))
        .map_err(|e| unwritable(&path, e.to_string()))?;
    atomic_file::write(&path, (text + "\n").as_bytes()).map_err(|e| unwritable(&path, e.to_string()))?;
    written.push(path);
    let text = describe(&matrix, truth.as_deref());
    Ok(Results { matrix, written, figures: shown, warnings, text })
}

/// Beginning of the names of figures.
fn prefix(acm: Option<u32>, lag: (i64, i64)) -> String {
    let acm = acm.map_or("none".to_owned(), |n| n.to_string());
    format!("crosstalk_ACM-{acm}_lag_{}{}", lag.0, lag.1)
}

impl CrosstalkArgs {
    fn parameters(&self) -> Result<Parameters, CrosstalkError> {
        let wrong = |option, reason: String| CrosstalkError::Option { option, reason };
        let simulation = self.simulation()?;
        if simulation.is_none() {
            if self.datadir.is_empty() && self.infits.is_empty() {
                return Err(CrosstalkError::NoInput);
            }
            if self.datadir.len() != self.infits.len() {
                let (directories, patterns) = (self.datadir.len(), self.infits.len());
                return Err(CrosstalkError::Pairs { directories, patterns });
            }
        }
        let charge = (self.qrange[0], self.qrange[1]);
        if !(charge.0 < charge.1 && charge.0 >= 0.0) {
            return Err(wrong("--qrange", format!("0 ≤ LO < HI is expected, not {} and {}", charge.0, charge.1)));
        }
        if self.energy_bins == 0 {
            return Err(wrong("--energy-bins", "at least one bin is needed".into()));
        }
        if let Some(rows) = &self.mask_rows
            && rows[0] >= rows[1]
        {
            return Err(wrong("--mask-rows", format!("A < B is expected, not {} and {}", rows[0], rows[1])));
        }
        let mut formats = Vec::new();
        for name in &self.fmt {
            let known = [Format::Pdf, Format::Eps, Format::Png, Format::Svg];
            let format = known.into_iter().find(|f| f.extension().eq_ignore_ascii_case(name.trim()));
            formats.push(format.ok_or_else(|| wrong("--fmt", format!("`{name}` is none of pdf, eps, png, svg")))?);
        }
        Ok(Parameters {
            settings: Settings {
                lag: (self.lag[0], self.lag[1]),
                charge,
                bootstrap: self.bootstrap_size,
                bins: EnergyBins::Quantiles(self.energy_bins),
                rows: self.mask_rows.as_ref().map(|r| (r[0], r[1])),
                seed: self.seed,
            },
            acm: self.acm,
            from_null: self.correct_from_null,
            simulation,
            formats,
        })
    }

    fn simulation(&self) -> Result<Option<Simulation>, CrosstalkError> {
        let Some(words) = &self.sim else { return Ok(None) };
        let wrong = |k: usize, what: &str| CrosstalkError::Option {
            option: "--sim",
            reason: format!("value {} is `{}`; {what} is expected", k + 1, words[k]),
        };
        match words[0].to_ascii_lowercase().as_str() {
            "false" | "0" | "off" => return Ok(None),
            "true" | "1" | "on" => {}
            _ => return Err(wrong(0, "true or false")),
        }
        let mut what = Simulation::default();
        let real = |k: usize| words[k].parse::<f64>().ok().filter(|x| *x >= 0.0 && x.is_finite());
        let whole = |k: usize| words[k].parse::<usize>().ok().filter(|n| (10..=20_000).contains(n));
        if words.len() > 1 {
            what.dark_current = real(1).ok_or_else(|| wrong(1, "a dark current (e-/pix)"))?;
        }
        if words.len() > 2 {
            what.noise = real(2).ok_or_else(|| wrong(2, "a noise (e-)"))?;
        }
        if words.len() > 3 {
            what.rows = whole(3).ok_or_else(|| wrong(3, "a number of rows between 10 and 20000"))?;
        }
        if words.len() > 4 {
            what.cols = whole(4).ok_or_else(|| wrong(4, "a number of columns between 10 and 20000"))?;
        }
        Ok(Some(what))
    }
}

/// What may spoil the result.
fn warnings(matrix: &Matrix) -> Vec<String> {
    let name = |dst: usize, src: usize| format!("{} ← {}", matrix.labels[dst], matrix.labels[src]);
    matrix
        .pairs()
        .filter(|(_, _, c)| !(c.alpha - c.null).is_finite())
        .map(|(dst, src, c)| {
            format!("{}: no coefficient ({} seeds with a target in the image); it counts as 0", name(dst, src), c.seeds)
        })
        .collect()
}

/// The coefficients as lines of text.
fn describe(matrix: &Matrix, truth: Option<&[Vec<f64>]>) -> Vec<String> {
    matrix
        .pairs()
        .map(|(dst, src, c)| {
            let simulated = truth.map_or(String::new(), |t| format!(", simulated {:.3}", t[dst][src] / 1e-4));
            let (to, from) = (&matrix.labels[dst], &matrix.labels[src]);
            if c.kept == 0 {
                return format!("{to} ← {from}: no coefficient: no seed has its target in the image{simulated}");
            }
            format!(
                "{to} ← {from}: α = {:.3} ± {:.3} [{:.3}, {:.3}]·10⁻⁴ (68 %), null {:.3}·10⁻⁴, {} of {} seeds{simulated}",
                c.alpha / 1e-4,
                c.error / 1e-4,
                c.p68.0 / 1e-4,
                c.p68.1 / 1e-4,
                c.null / 1e-4,
                c.kept,
                c.seeds
            )
        })
        .collect()
}

/// Everything measured, as JSON.
fn results(matrix: &Matrix, input: &Input, settings: &Settings, truth: Option<&[Vec<f64>]>) -> Value {
    let names: Vec<String> = input
        .files
        .iter()
        .map(|f| f.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default())
        .collect();
    let pairs: Vec<Value> = matrix
        .pairs()
        .map(|(dst, src, c)| json!({"dst": matrix.labels[dst], "src": matrix.labels[src], "coefficient": c}))
        .collect();
    json!({
        "schema": "panaskimg-crosstalk",
        "version": 1,
        "tool": crate::output::images::TOOL,
        "files": names,
        "channels": matrix.labels,
        "settings": {
            "lag": [settings.lag.0, settings.lag.1],
            "charge_e": [settings.charge.0, settings.charge.1],
            "bootstrap_size": settings.bootstrap,
            "rows": settings.rows.map(|(a, b)| [a, b]),
            "seed": settings.seed,
        },
        "order": "[destination][source]",
        "alpha": matrix.map(|c| c.alpha),
        "alpha_error": matrix.map(|c| c.error),
        "alpha_null": matrix.map(|c| c.null),
        "alpha_null_error": matrix.map(|c| c.null_error),
        "alpha_minus_null": matrix.map(|c| c.alpha - c.null),
        "alpha_p16": matrix.map(|c| c.p68.0),
        "alpha_p84": matrix.map(|c| c.p68.1),
        "alpha_p2_5": matrix.map(|c| c.p95.0),
        "alpha_p97_5": matrix.map(|c| c.p95.1),
        "seeds": matrix.map(|c| c.kept as f64),
        "simulated": truth,
        "pairs": pairs,
    })
}

#[cfg(test)]
mod tests;
