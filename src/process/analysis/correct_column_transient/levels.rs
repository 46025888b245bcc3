//! The levels on which the column medians rest without a transient.
//!
//! Pixels of the active region hold dark charge, those of prescan and overscan do not: the medians of the two kinds of
//! columns settle on different levels, and one exponential through both would take the step between them for a part of
//! the decay. Each kind is therefore referred to the median of its own columns behind the fitted ones: prescan columns to
//! the overscan. A kind without columns there has a free level in the fit. The kinds weigh by the scatter of their
//! medians, which dark charge widens.

use super::fit::{Point, Reference};
use crate::stats::robust;

/// Fewest columns behind the fitted ones from which a level or a scatter is taken (the larger of the two kinds may have
/// fewer).
const MIN_PLATEAU_COLUMNS: usize = 8;
/// Standard error of the median of n normal numbers of width 1, times √n: √(π/2).
const MEDIAN_ERROR: f64 = 1.253_314_137_315_5;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Pixels of the active region.
    Active = 0,
    /// Prescan or overscan: no dark charge.
    Empty = 1,
}

/// The median of a column of an amplifier over its rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ColumnMedian {
    /// Median, image units; NaN without finite pixels.
    pub median: f64,
    /// Its standard error ([`robust::median_and_error`]); NaN for few rows.
    pub error: f64,
    /// What the column holds.
    pub kind: Kind,
}

impl ColumnMedian {
    /// Of the pixels of a column.
    pub fn of(values: &[f64], kind: Kind) -> Self {
        let values: Vec<f64> = values.iter().copied().filter(|x| x.is_finite()).collect();
        let (median, error) = robust::median_and_error(&values);
        Self { median, error, kind }
    }
}

/// The levels of an amplifier.
#[derive(Debug, Clone, PartialEq)]
pub struct Levels {
    /// What was subtracted from the medians of active and of empty columns, image units; for a free level what the fit
    /// found.
    pub subtracted: [f64; 2],
    /// What is known of each.
    pub known: [Reference; 2],
    /// Weight of a median in the fit.
    pub weights: [f64; 2],
    /// Standard deviation of one median of the kind with more columns behind the fitted ones: their scatter, or the error
    /// of a median if that is larger.
    pub noise: Option<f64>,
}

impl Levels {
    /// Medians are taken as they are.
    pub const ZERO: Self =
        Self { subtracted: [0.0; 2], known: [Reference::Known { error: 0.0 }; 2], weights: [1.0; 2], noise: None };

    /// Levels from the columns behind `end`.
    pub fn behind(columns: &[ColumnMedian], end: usize) -> Self {
        let all = |kind: Kind| columns.iter().filter(move |c| c.kind == kind && c.median.is_finite());
        let behind = |kind: Kind| -> Vec<f64> {
            let rest = columns[end..].iter().filter(|c| c.kind == kind && c.median.is_finite());
            rest.map(|c| c.median).collect()
        };
        let plateaus = [behind(Kind::Active), behind(Kind::Empty)];
        let main = usize::from(plateaus[1].len() > plateaus[0].len());
        let mut levels = Self::ZERO;
        if plateaus[main].is_empty() {
            return levels;
        }
        let scatter = |plateau: &[f64]| robust::mad(plateau) * robust::MAD_TO_SIGMA;
        let enough = |plateau: &[f64]| plateau.len() >= MIN_PLATEAU_COLUMNS;
        for (k, plateau) in plateaus.iter().enumerate() {
            levels.known[k] = if k == main || enough(plateau) {
                levels.subtracted[k] = robust::median(plateau);
                let of_one = if enough(plateau) { scatter(plateau) } else { 0.0 };
                Reference::Known { error: MEDIAN_ERROR * of_one / (plateau.len() as f64).sqrt() }
            } else {
                Reference::Free
            };
        }
        // the errors of single columns, averaged, tell the kinds apart better than the scatter of few columns
        let error = |kind: Kind| {
            let errors: Vec<f64> = all(kind).map(|c| c.error).filter(|e| e.is_finite()).collect();
            if errors.is_empty() { f64::NAN } else { robust::mean(&errors) }
        };
        let errors = [error(Kind::Active), error(Kind::Empty)];
        // the scatter of few columns may be small by chance
        levels.noise = enough(&plateaus[main]).then(|| scatter(&plateaus[main]).max(errors[main]));
        if errors.iter().all(|e| *e > 0.0) {
            levels.weights = errors.map(|e| (errors[main] / e).powi(2));
        }
        levels
    }

    /// The points of the fit.
    pub fn points(&self, columns: &[ColumnMedian], fitted: std::ops::Range<usize>) -> Vec<Point> {
        fitted
            .filter(|&c| columns[c].median.is_finite())
            .map(|c| {
                let kind = columns[c].kind as usize;
                let median = columns[c].median - self.subtracted[kind];
                Point { column: c as f64, median, weight: self.weights[kind], level: kind }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::Stream;

    fn column(median: f64, kind: Kind) -> ColumnMedian {
        ColumnMedian { median, error: 0.1, kind }
    }

    #[test]
    fn each_kind_rests_on_its_own_level() {
        let mut columns = vec![column(9.0, Kind::Empty); 4];
        columns.extend(vec![column(2.0, Kind::Active); 30]);
        columns.extend(vec![column(0.5, Kind::Empty); 10]);
        let levels = Levels::behind(&columns, 10);
        assert_eq!(levels.subtracted, [2.0, 0.5]);
        // equal errors, averaged over different numbers of columns
        assert!(levels.weights.iter().all(|w| (w - 1.0).abs() < 1e-12));
        let points = levels.points(&columns, 3..6);
        assert_eq!(points.iter().map(|p| p.median).collect::<Vec<_>>(), [8.5, 0.0, 0.0]);

        // no overscan: the level of the prescan is for the fit to find
        let levels = Levels::behind(&columns[..34], 10);
        assert_eq!((levels.known[1], levels.subtracted), (Reference::Free, [2.0, 0.0]));
        // nothing behind
        assert_eq!(Levels::behind(&columns, 44), Levels::ZERO);
    }

    #[test]
    fn the_error_of_a_median_is_that_of_many_medians() {
        let mut stream = Stream::from_seed(3);
        let columns: Vec<ColumnMedian> = (0..400)
            .map(|_| ColumnMedian::of(&(0..100).map(|_| stream.normal()).collect::<Vec<_>>(), Kind::Active))
            .collect();
        let medians: Vec<f64> = columns.iter().map(|c| c.median).collect();
        let spread = robust::std_deviation(&medians, robust::Ddof::Sample);
        let error = robust::mean(&columns.iter().map(|c| c.error).collect::<Vec<_>>());
        // relative error of a standard deviation of 400 numbers: 3.5 %
        assert!((spread / error - 1.0).abs() < 0.14, "{spread} {error}");
        assert!(ColumnMedian::of(&[1.0, f64::NAN, 3.0], Kind::Active).error.is_nan());
        assert!(ColumnMedian::of(&[f64::NAN], Kind::Empty).median.is_nan());
    }
}
