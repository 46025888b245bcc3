//! Trends over runs (spec 06 §16): how gain, dark current, noise and the monitor elements change from run to run.
//!
//! Runs come from the database ([`Store::trends`](crate::dqm::store::Store::trends)) or from summaries
//! ([`RunTrend::of_summary`]), with the same result.

pub mod columns;
pub mod evolution;
pub mod figures;
pub mod history;

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::catalogue::{self, Scope};
use crate::atomic_file;
use crate::plot::{Figure, Format, RenderError, render};

pub use figures::{FitRanges, Span};
pub use history::{FitValue, Reason, RunTrend, TrendValue};

/// What is drawn.
#[derive(Clone, Debug, Default)]
pub struct TrendPlots {
    /// Ids of the elements; empty: all of rows, columns and single numbers.
    pub elements: Vec<u16>,
    /// Limits of the second figure of the dark-current fit.
    pub ranges: FitRanges,
    /// Runs that are shaded.
    pub spans: Vec<Span>,
}

/// Why a trend cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum TrendError {
    /// It cannot be drawn.
    #[error("{}: the trend cannot be drawn: {source}", path.display())]
    Draw {
        /// File.
        path: PathBuf,
        /// Reason.
        source: RenderError,
    },
    /// The file cannot be written.
    #[error("{}: the trend cannot be written: {source}", path.display())]
    Write {
        /// File.
        path: PathBuf,
        /// Reason.
        source: std::io::Error,
    },
}

/// The figures of these runs, which are in ascending order.
pub fn figures(runs: &[RunTrend], plots: &TrendPlots) -> Vec<Figure> {
    let wanted = |id: u16| plots.elements.is_empty() || plots.elements.contains(&id);
    let mut figures: Vec<Figure> = Vec::new();
    if [history::MU0, history::SIGMA, history::LAMBDA, history::GAIN].into_iter().any(wanted) {
        figures.extend(figures::dark_current_fit(runs, None, &plots.spans));
        figures.extend(figures::dark_current_fit(runs, Some(plots.ranges), &plots.spans));
    }
    let vectors_and_numbers = catalogue::CATALOGUE.iter().filter(|d| matches!(d.scope, Scope::R | Scope::C | Scope::S));
    for d in vectors_and_numbers.filter(|d| wanted(d.id)) {
        figures.extend(figures::element(runs, d.id, d.name, &plots.spans));
    }
    if wanted(history::COLUMN_PROFILE) {
        figures.extend(columns::figure(runs, &plots.spans));
    }
    figures
}

/// Draws the trends into a directory; the files that were written.
///
/// # Errors
/// A figure cannot be drawn or written.
pub fn write(runs: &[RunTrend], plots: &TrendPlots, directory: &Path) -> Result<Vec<PathBuf>, TrendError> {
    let draw = |figure: &Figure| {
        let path = directory.join(format!("{}.png", figure.name));
        let png = render(figure, Format::Png).map_err(|source| TrendError::Draw { path: path.clone(), source })?;
        atomic_file::write(&path, &png).map_err(|source| TrendError::Write { path: path.clone(), source })?;
        Ok(path)
    };
    figures(runs, plots).par_iter().map(draw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dqm::model::{Pair, example};
    use crate::plot::Series;

    fn runs() -> Vec<RunTrend> {
        (50..60).map(|n| RunTrend::of_summary(&example::run(n, 4))).collect()
    }

    #[test]
    fn every_vector_and_number_has_a_figure() {
        let names: Vec<String> = figures(&runs(), &TrendPlots::default()).into_iter().map(|f| f.name).collect();
        for name in [
            "DCFit_run_evolution_z0",
            "DCFit_run_evolution_z1",
            "MEMeanDCperRow_run_evolution",
            "MEFitDCLambda_run_evolution",
        ] {
            assert!(names.iter().any(|n| n == name), "{name} in {names:?}");
        }
        assert!(!names.iter().any(|n| n.contains("MEPCD_") || n.contains("CCDMeanImage")));
        let one = TrendPlots { elements: vec![1], ..TrendPlots::default() };
        assert_eq!(figures(&runs(), &one).len(), 1);
        assert!(figures(&[], &TrendPlots::default()).is_empty());
    }

    #[test]
    fn a_run_with_a_huge_error_is_an_arrow_and_not_a_bar() {
        let mut runs = runs();
        let fit = runs[3].fits.get_mut("1 L").unwrap();
        fit.gain = Pair::new(0.1, 40.0);
        let figure = figures::dark_current_fit(&runs, None, &[]).unwrap();
        let arrows: Vec<_> = figure.panels[0]
            .series
            .iter()
            .filter_map(|s| if let Series::Arrows(a) = s { Some(&a.items) } else { None })
            .flatten()
            .collect();
        assert_eq!(arrows.len(), 2);
        // Errors of the example are 0.5 ADU/e⁻: the arrows are three of them long.
        assert!(arrows.iter().all(|(from, to)| from.0 == 53.0 && ((to.1 - from.1).abs() - 1.5).abs() < 1e-12));
    }

    #[test]
    fn the_dark_current_is_per_day_when_the_times_are_known() {
        let known = figures::dark_current_fit(&runs(), None, &[]).unwrap();
        assert!(known.panels[1].y.label.contains("/day"));
        let mut unknown = runs();
        unknown.iter_mut().flat_map(|r| r.fits.values_mut()).for_each(|f| f.lambda_per_day = Pair::UNKNOWN);
        assert!(figures::dark_current_fit(&unknown, None, &[]).unwrap().panels[1].y.label.contains("/img"));
    }

    #[test]
    fn every_figure_is_written_even_with_a_gain_out_of_range() {
        let dir = tempfile::tempdir().unwrap();
        let mut runs = runs();
        runs[3].fits.get_mut("1 L").unwrap().gain = Pair::new(0.1, 40.0);
        let spans = vec![Span { first: 51.0, last: 53.0, label: "warm".into() }];
        write(&runs, &TrendPlots { spans, ..TrendPlots::default() }, dir.path()).unwrap();
        let mut files: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty());
        for path in files {
            assert!(std::fs::metadata(&path).unwrap().len() > 1000, "{} is no picture", path.display());
        }
    }
}
