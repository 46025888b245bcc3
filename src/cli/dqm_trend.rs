//! Trends over runs: `--dqm --dqm-trend [SUMMARY…]` (spec 06 §16).

use std::path::{Path, PathBuf};

use super::arguments::Arguments;
use super::{Surroundings, UsageError, say};
use crate::dqm::catalogue;
use crate::dqm::store::Store;
use crate::dqm::trend::{self, FitRanges, RunTrend, Span, TrendPlots};

/// Options of `--dqm-trend`.
#[derive(Debug, Clone)]
pub struct DqmTrendOptions {
    /// Summaries; empty: the database.
    pub summaries: Vec<PathBuf>,
    /// Database.
    pub database: PathBuf,
    /// First and last of the ranges of runs; empty: all.
    pub runs: Vec<(i64, i64)>,
    /// Only runs with this tag.
    pub tag: Option<String>,
    /// Directory of the figures.
    pub output: PathBuf,
    /// What is drawn.
    pub plots: TrendPlots,
    /// Worker threads, at least 1.
    pub threads: usize,
}

impl DqmTrendOptions {
    /// Completes what was typed.
    pub(super) fn new(surroundings: &Surroundings<'_>, a: &Arguments) -> Result<Self, UsageError> {
        let variable = (surroundings.variable)("DQM_OUT_DIR").filter(|v| !v.is_empty()).map(PathBuf::from);
        let output = a.general.output.clone().or(variable).unwrap_or_else(|| ".".into());
        let database = a.dqm.db.clone().unwrap_or_else(|| output.join("dqm.sqlite"));
        let summaries: Vec<PathBuf> = a.dqm.dqm_trend.iter().flatten().map(PathBuf::from).collect();
        if let Some(missing) = summaries.iter().find(|p| !surroundings.directory.join(p).is_file()) {
            return Err(UsageError::Other(format!("--dqm-trend {}: there is no such file", missing.display())));
        }
        if summaries.is_empty() && !surroundings.directory.join(&database).is_file() {
            return Err(UsageError::Other(format!(
                "--dqm-trend: there is no database {}; name summaries, or the database with --db",
                database.display()
            )));
        }
        let spans = match &a.dqm.trend_spans {
            Some(path) => spans(path, &surroundings.directory.join(path))?,
            None => Vec::new(),
        };
        let elements = a.dqm.trend_me.iter().map(|name| element(name)).collect::<Result<_, _>>()?;
        let ranges = a.dqm.trend_range.as_deref().map(ranges).transpose()?.unwrap_or_default();
        Ok(Self {
            summaries,
            database,
            runs: a.dqm.trend_runs.as_deref().map(run_list).transpose()?.unwrap_or_default(),
            tag: a.dqm.tag.clone(),
            output,
            plots: TrendPlots { elements, ranges, spans },
            threads: a.general.ncpus.map_or(surroundings.cores, |n| n as usize),
        })
    }
}

/// Draws the trends; returns the exit code.
///
/// # Errors
/// The database cannot be read, the figures cannot be written.
pub(super) fn run(options: &DqmTrendOptions) -> Result<u8, UsageError> {
    let other = |e: String| UsageError::Other(e);
    let mut failed = false;
    let mut runs: Vec<RunTrend> = Vec::new();
    if options.summaries.is_empty() {
        runs = Store::open(&options.database).and_then(|mut s| s.trends()).map_err(|e| other(e.to_string()))?;
    }
    for path in &options.summaries {
        match crate::dqm::summary::read(path) {
            Ok(summary) => runs.push(RunTrend::of_summary(&summary)),
            Err(error) => {
                failed = true;
                say("error", error.to_string());
            }
        }
    }
    let wanted = |r: &RunTrend| {
        (options.runs.is_empty() || options.runs.iter().any(|(first, last)| (*first..=*last).contains(&r.run)))
            && options.tag.as_ref().is_none_or(|tag| *tag == r.tag)
    };
    runs.retain(wanted);
    runs.sort_by(|a, b| (a.run, &a.tag).cmp(&(b.run, &b.tag)));
    if runs.is_empty() {
        return Err(other("--dqm-trend: no run is left to draw (--trend-runs, --tag)".into()));
    }
    std::fs::create_dir_all(&options.output)
        .map_err(|e| other(format!("{}: the directory cannot be made: {e}", options.output.display())))?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads).build();
    let pool = pool.map_err(|e| other(format!("the worker threads cannot be started: {e}")))?;
    let written =
        pool.install(|| trend::write(&runs, &options.plots, &options.output)).map_err(|e| other(e.to_string()))?;
    for path in &written {
        super::print(&format!("{}\n", path.display()));
    }
    Ok(u8::from(failed))
}

/// `50-59,61` as ranges.
fn run_list(text: &str) -> Result<Vec<(i64, i64)>, UsageError> {
    let error = || UsageError::Other(format!("--trend-runs {text}: expected numbers and ranges such as 50-59,61"));
    text.split(',')
        .map(|part| {
            let number = |t: &str| t.trim().parse::<i64>().map_err(|_| error());
            match part.split_once('-').filter(|(first, _)| !first.trim().is_empty()) {
                Some((first, last)) => {
                    let (first, last) = (number(first)?, number(last)?);
                    if first <= last { Ok((first, last)) } else { Err(error()) }
                }
                None => number(part).map(|n| (n, n)),
            }
        })
        .collect()
}

/// `gain=4.6:5.5,lambda=0.05:1` as limits; `older` are those of the older script.
fn ranges(text: &str) -> Result<FitRanges, UsageError> {
    let error = || {
        UsageError::Other(format!(
            "--trend-range {text}: expected limits such as gain=4.6:5.5,lambda=0.05:1,sigma=0:0.2,mu0=-0.12:0.12, or older"
        ))
    };
    if text.trim() == "older" {
        return Ok(FitRanges::OLDER);
    }
    let mut ranges = FitRanges::default();
    for part in text.split(',') {
        let (name, limits) = part.split_once('=').ok_or_else(error)?;
        let (low, high) = limits.split_once(':').ok_or_else(error)?;
        let number = |t: &str| t.trim().parse::<f64>().ok().filter(|v| v.is_finite()).ok_or_else(error);
        let limits = [number(low)?, number(high)?];
        if limits[0] >= limits[1] {
            return Err(error());
        }
        match name.trim() {
            "gain" => ranges.gain = Some(limits),
            "lambda" => ranges.lambda = Some(limits),
            "sigma" => ranges.sigma = Some(limits),
            "mu0" => ranges.mu0 = Some(limits),
            _ => return Err(error()),
        }
    }
    Ok(ranges)
}

/// Id of a monitor element by any of its names.
fn element(name: &str) -> Result<u16, UsageError> {
    let by_id = || name.parse().ok().and_then(catalogue::by_id);
    if let Some(description) = catalogue::find(name).or_else(by_id) {
        return Ok(description.id);
    }
    let hint = crate::dqm::elements::config::nearest(name);
    Err(UsageError::Other(format!("--trend-me {name}: there is no monitor element of this name or id{hint}")))
}

/// Runs to be shaded, from a JSON list of [first, last, label].
fn spans(shown: &Path, path: &Path) -> Result<Vec<Span>, UsageError> {
    let error = |reason: String| UsageError::Other(format!("--trend-spans {}: {reason}", shown.display()));
    let text = std::fs::read_to_string(path).map_err(|e| error(e.to_string()))?;
    let list: Vec<(f64, f64, String)> = serde_json::from_str(&text)
        .map_err(|e| error(format!("expected a list of [first run, last run, \"label\"]: {e}")))?;
    Ok(list.into_iter().map(|(first, last, label)| Span { first, last, label }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_runs_and_limits() {
        assert_eq!(run_list("50-59, 61").unwrap(), [(50, 59), (61, 61)]);
        assert_eq!(run_list("-3").unwrap(), [(-3, -3)]);
        for wrong in ["", "a", "5-", "9-5", "1,,2"] {
            assert!(run_list(wrong).is_err(), "{wrong}");
        }
        let found = ranges("gain=4.6:5.5,mu0=-0.1:0.1").unwrap();
        assert_eq!((found.gain, found.mu0, found.sigma), (Some([4.6, 5.5]), Some([-0.1, 0.1]), None));
        assert_eq!(ranges("older").unwrap(), FitRanges::OLDER);
        for wrong in ["", "gain", "gain=5:4", "gain=a:b", "other=1:2"] {
            assert!(ranges(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn elements_are_known_by_all_their_names() {
        assert_eq!(element("MEPedestalMu").unwrap(), 30);
        let error = element("MEMeanDCperRows").unwrap_err().to_string();
        assert!(error.contains("perhaps MEMeanDCperRow is meant"), "{error}");
        assert!(element("MEFoo").unwrap_err().to_string().ends_with("or id"));
        assert_eq!(element("33").unwrap(), 33);
    }
}
