//! Pedestal and its sigma per row, and their means: ids 30–33.

use super::{Reason, Shot, days_since_2022, vector, with_line};
use crate::dqm::model::{Entry, Values};
use crate::process::analysis::products::{Axis, Pedestal, PedestalAxis};
use crate::stats::robust;

/// Pedestals per row of the amplifier.
pub(super) fn per_row<'a>(shot: &Shot<'a>) -> Result<&'a PedestalAxis, Reason> {
    let pedestal = shot.raw.products.get_for::<Pedestal>(&shot.amplifier.name);
    let pedestal = pedestal.ok_or("PedestalSubtractionProcess did not run")?;
    pedestal.axes.iter().find(|a| a.axis == Axis::Row).ok_or_else(|| "the pedestal was not estimated per row".into())
}

/// Entry of id 30 (pedestal per row), 31 (sigma per row), 32 and 33 (their means over the rows).
pub(super) fn entry(shot: &Shot<'_>) -> Result<Entry, Reason> {
    let rows = per_row(shot)?;
    let id = shot.config.description.id;
    let is_mu = id == 30 || id == 32;
    let (values, errors) = if is_mu { (&rows.mu, &rows.mu_error) } else { (&rows.sigma, &rows.sigma_error) };
    let x: Vec<f64> = (0..values.len()).map(|k| shot.row_number(rows.first + k)).collect();
    if id >= 32 {
        let finite: Vec<usize> = (0..values.len()).filter(|&k| values[k].is_finite()).collect();
        if finite.is_empty() {
            return Err("no row has a pedestal".into());
        }
        let y: Vec<f64> = finite.iter().map(|&k| values[k]).collect();
        let n = y.len() as f64;
        let spread = robust::std_deviation(&y, robust::Ddof::Population);
        let mut entry = Entry {
            x: Values::One(days_since_2022(shot.raw)),
            y: Values::One(robust::mean(&y)),
            yerr: Values::One(spread / n.sqrt()),
            ..Entry::default()
        };
        super::extra(&mut entry, "rows", n);
        super::extra(&mut entry, "spread", spread);
        return Ok(entry);
    }
    let fitted = errors.iter().any(|e| e.is_finite());
    let mut entry = with_line(vector(x, values.clone()), None, shot.config.zscore_max);
    if fitted {
        entry.yerr = Values::Many(errors.clone());
        // −999 stands for a fit without degrees of freedom
        let goodness = rows.chi2_ndf.iter().map(|c| if *c >= 0.0 { *c } else { f64::NAN }).collect();
        entry.goodness = Values::Many(goodness);
    }
    Ok(entry)
}
