//! Charge per row and per column of the active region, and per row of the overscan: ids 1, 5–11, 20, 21.

use super::{Reason, Shot, extra, vector, with_line};
use crate::dqm::model::{Entry, LineFit, Values};
use crate::dqm::quality::fit_line_without_outliers;
use crate::image::Region;
use crate::stats::robust::{self, Ddof};

/// Mean pixel charge per row: what ids 1, 5, 6 and 7 have in common.
pub(super) struct ChargePerRow {
    x: Vec<f64>,
    mean: Vec<f64>,
    std: Vec<f64>,
    line: Option<LineFit>,
}

/// For each row of the active region: mean and standard deviation, e⁻, of the pixels with q < median + n_mad·MAD.
pub(super) fn per_row(shot: &Shot<'_>) -> Result<ChargePerRow, Reason> {
    let n_mad = shot.number("n_mad")?;
    let mut rows = ChargePerRow { x: Vec::new(), mean: Vec::new(), std: Vec::new(), line: None };
    for_each_row(shot, &shot.amplifier.active, |x, pixels| {
        let (mean, std) = mean_below(pixels, n_mad);
        rows.x.push(x);
        rows.mean.push(mean);
        rows.std.push(std);
    })?;
    rows.line = fit_line_without_outliers(&rows.x, &rows.mean, Some(&rows.std), shot.config.zscore_max);
    Ok(rows)
}

impl ChargePerRow {
    pub(super) fn entry(&self, shot: &Shot<'_>, image: i64) -> Entry {
        let scalar = |value: Option<f64>, error: Option<f64>| {
            let (value, error) = (value.unwrap_or(f64::NAN), error.unwrap_or(f64::NAN));
            let goodness = self.line.map_or(f64::NAN, |l| l.chi2_ndf);
            Entry {
                x: Values::One(image as f64),
                y: Values::One(value),
                yerr: Values::One(error),
                goodness: Values::One(goodness),
                ..Entry::default()
            }
        };
        match shot.config.description.id {
            5 => with_line(vector(self.x.clone(), self.std.clone()), None, shot.config.zscore_max),
            6 => scalar(self.line.map(|l| l.slope), self.line.map(|l| l.slope_err)),
            7 => scalar(self.line.map(|l| l.intercept), self.line.map(|l| l.intercept_err)),
            _ => {
                let mut entry = vector(self.x.clone(), self.mean.clone());
                entry.yerr = Values::Many(self.std.clone());
                if let Some(line) = self.line {
                    entry.yfit = Values::Many(self.x.iter().map(|x| line.at(*x)).collect());
                }
                entry.goodness = Values::One(self.line.map_or(f64::NAN, |l| l.chi2_ndf));
                entry.fit = self.line;
                entry
            }
        }
    }
}

/// Mean and population standard deviation of the values below median + n_mad·MAD; NaN if there is none.
pub(super) fn mean_below(values: &[f64], n_mad: f64) -> (f64, f64) {
    let (median, mad) = robust::median_and_mad(values);
    let limit = median + n_mad * mad;
    let kept: Vec<f64> = values.iter().copied().filter(|q| *q < limit).collect();
    if kept.is_empty() { (f64::NAN, f64::NAN) } else { robust::mean_and_std(&kept, Ddof::Population) }
}

/// Calls `work` with the number of each row of the region and its finite pixels in electrons.
fn for_each_row(shot: &Shot<'_>, region: &Region, mut work: impl FnMut(f64, &[f64])) -> Result<(), Reason> {
    let factor = shot.electrons()?;
    let pixels = region.view(shot.image(&shot.config.image)?);
    let mut values = Vec::with_capacity(region.cols.len());
    for (row, line) in region.rows.clone().zip(pixels.rows()) {
        values.clear();
        values.extend(line.iter().filter(|q| q.is_finite()).map(|q| q * factor));
        work(shot.row_number(row), &values);
    }
    Ok(())
}

/// Median (id 8) or MAD (id 9) of all active pixels of each row.
pub(super) fn row_medians(shot: &Shot<'_>) -> Result<Entry, Reason> {
    let (mut x, mut y) = (Vec::new(), Vec::new());
    let is_mad = shot.config.description.id == 9;
    for_each_row(shot, &shot.amplifier.active, |row, pixels| {
        let (median, mad) = robust::median_and_mad(pixels);
        x.push(row);
        y.push(if is_mad { mad } else { median });
    })?;
    Ok(with_line(vector(x, y), None, shot.config.zscore_max))
}

/// Median (id 10) or MAD (id 11) of the active rows of each active column.
pub(super) fn column_medians(shot: &Shot<'_>) -> Result<Entry, Reason> {
    let factor = shot.electrons()?;
    let region = &shot.amplifier.active;
    let pixels = region.view(shot.image(&shot.config.image)?);
    let is_mad = shot.config.description.id == 11;
    let (mut x, mut y) = (Vec::new(), Vec::new());
    // Columns are gathered in one pass over the rows: the image lies in memory row after row.
    let mut columns = vec![Vec::with_capacity(region.rows.len()); region.cols.len()];
    for row in pixels.rows() {
        for (column, q) in columns.iter_mut().zip(row) {
            if q.is_finite() {
                column.push(q * factor);
            }
        }
    }
    for (col, values) in region.cols.clone().zip(&mut columns) {
        let (median, mad) = robust::median_and_mad_in_place(values);
        x.push(shot.col_number(col));
        y.push(if is_mad { mad } else { median });
    }
    Ok(with_line(vector(x, y), None, shot.config.zscore_max))
}

/// Median and MAD of the overscan pixels of each row: id 20 (median with MAD as error), id 21 (MAD).
pub(super) fn overscan(shot: &Shot<'_>) -> Result<Entry, Reason> {
    let region = shot.overscan()?;
    let (mut x, mut medians, mut mads) = (Vec::new(), Vec::new(), Vec::new());
    for_each_row(shot, region, |row, pixels| {
        let (median, mad) = robust::median_and_mad(pixels);
        x.push(row);
        medians.push(median);
        mads.push(mad);
    })?;
    let zscore = shot.config.zscore_max;
    if shot.config.description.id == 21 {
        return Ok(with_line(vector(x, mads), None, zscore));
    }
    let mut entry = with_line(vector(x, medians), Some(&mads), zscore);
    entry.yerr = Values::Many(mads);
    extra(&mut entry, "overscan_columns", region.cols.len() as f64);
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_of_the_specification() {
        let row = [0.1, 0.0, 0.2, -0.1, 0.1, 5.0];
        let (median, mad) = robust::median_and_mad(&row);
        assert!((median - 0.1).abs() < 1e-15 && (mad - 0.1).abs() < 1e-15);
        let (mean, std) = mean_below(&row, 5.0);
        assert!((mean - 0.06).abs() < 1e-15 && (std - 0.10198).abs() < 5e-7);
        assert!(mean_below(&[1.0, 1.0], 5.0).0.is_nan(), "nothing lies strictly below the median of equal values");
        assert!(mean_below(&[], 5.0).0.is_nan());
    }
}
