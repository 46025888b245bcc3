//! Flags of an amplifier and slow control: ids 110–116 (off by default).

use std::collections::BTreeMap;

use super::{Reason, Shot, pedestal};
use crate::dqm::model::{Entry, Extra, Flag, Values};
use crate::dqm::quality::verdict;
use crate::stats::robust;

/// What the elements 110–113 said about each amplifier, for id 114.
#[derive(Debug, Default)]
pub(super) struct Memory(BTreeMap<String, Vec<(u16, bool)>>);

/// Entry of an element 110–116.
pub(super) fn entry(shot: &Shot<'_>, image: i64, memory: &mut Memory) -> Result<Entry, Reason> {
    let id = shot.config.description.id;
    let scalar = |y: f64| Entry { x: Values::One(image as f64), y: Values::One(y), ..Entry::default() };
    let (entry, bad) = match id {
        110 => baseline_shift(shot)?,
        111 => {
            let cutoff = shot.number("cutoff_sigma")?;
            let sigma = mean_sigma(shot)?;
            let bad = sigma > cutoff;
            (tested(scalar(f64::from(u8::from(bad))), bad, Flag::Fail, sigma, cutoff, "mean pedestal sigma [ADU]"), bad)
        }
        112 => {
            let (min, max) = (shot.number("min_sigma")?, shot.number("max_sigma")?);
            let sigma = mean_sigma(shot)?;
            let level = if sigma > max { 2 } else { u8::from(sigma >= min) };
            let severity = if level == 2 { Flag::Fail } else { Flag::Warn };
            let cut = if level == 2 { max } else { min };
            let entry = tested(scalar(f64::from(level)), level > 0, severity, sigma, cut, "mean pedestal sigma [ADU]");
            (entry, level > 0)
        }
        113 => {
            let rows = rows_with_clusters(shot)?;
            let bad = rows > 0;
            (tested(scalar(rows as f64), bad, Flag::Warn, rows as f64, 0.0, "rows with clusters in the overscan"), bad)
        }
        114 => {
            let said = memory.0.get(&shot.amplifier.name).cloned().unwrap_or_default();
            if said.is_empty() {
                return Err("none of the elements 110–113 has a result".into());
            }
            let bad = said.iter().any(|(_, bad)| *bad);
            let count = said.iter().filter(|(_, bad)| *bad).count() as f64;
            (
                tested(scalar(f64::from(u8::from(bad))), bad, Flag::Fail, count, 0.0, "elements 110–113 that are set"),
                bad,
            )
        }
        _ => {
            let key = if id == 115 { "T" } else { "P" };
            let (value, error) = slow_control(shot.raw, key).ok_or_else(|| format!("the header has no {key}"))?;
            (Entry { yerr: Values::One(error), ..scalar(value) }, false)
        }
    };
    if id <= 113 {
        memory.0.entry(shot.amplifier.name.clone()).or_default().push((id, bad));
    }
    Ok(entry)
}

fn tested(mut entry: Entry, bad: bool, severity: Flag, value: f64, cut: f64, what: &str) -> Entry {
    let mut test = verdict("QT:limit", bad, severity, value, cut);
    test.reason = format!("{what}: {}, limit {}", crate::dqm::quality::short(value), crate::dqm::quality::short(cut));
    entry.tests.push(test);
    entry.extra.insert("flagged".into(), Extra::Flag(bad));
    entry
}

/// Temperature (K) or pressure (mbar) and its error from the header, through the map `input.scp`.
pub fn slow_control(raw: &crate::image::RawData, key: &str) -> Option<(f64, f64)> {
    let number = |name: &str| raw.metadata.get(name).and_then(crate::fits::CardValue::as_f64).filter(|x| x.is_finite());
    let value = number(key)?;
    let error = [format!("{key}_err"), format!("{key}_std")].iter().find_map(|n| number(n));
    Some((value, error.unwrap_or(f64::NAN)))
}

fn mean_sigma(shot: &Shot<'_>) -> Result<f64, Reason> {
    let sigma: Vec<f64> = pedestal::per_row(shot)?.sigma.iter().copied().filter(|s| s.is_finite()).collect();
    if sigma.is_empty() { Err("no row has a pedestal".into()) } else { Ok(robust::mean(&sigma)) }
}

/// Median pedestals of contiguous groups of rows, in units of the median sigma, relative to the median of all rows.
fn baseline_shift(shot: &Shot<'_>) -> Result<(Entry, bool), Reason> {
    let rows = pedestal::per_row(shot)?;
    let (partitions, limit) = (shot.count("partitions")?.max(1), shot.number("allowed_sigma_deviation")?);
    let finite = |v: &[f64]| -> Vec<f64> { v.iter().copied().filter(|x| x.is_finite()).collect() };
    let (level, sigma) = (robust::median(&finite(&rows.mu)), robust::median(&finite(&rows.sigma)));
    if !(sigma > 0.0) || !level.is_finite() {
        return Err("no row has a pedestal".into());
    }
    let n = rows.mu.len();
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for k in 0..partitions.min(n) {
        let group = k * n / partitions.min(n)..(k + 1) * n / partitions.min(n);
        let mu = finite(&rows.mu[group.clone()]);
        x.push(shot.row_number(rows.first) + 0.5 * (group.start + group.end) as f64 - 0.5);
        y.push(if mu.is_empty() { f64::NAN } else { (robust::median(&mu) - level) / sigma });
    }
    let largest = y.iter().filter(|y| y.is_finite()).fold(0.0f64, |m, y| m.max(y.abs()));
    let bad = largest > limit;
    Ok((tested(super::vector(x, y), bad, Flag::Fail, largest, limit, "largest shift of the baseline [σ]"), bad))
}

/// Rows with at least `minimum_cluster_size` consecutive overscan pixels above limit·σ of their row.
fn rows_with_clusters(shot: &Shot<'_>) -> Result<usize, Reason> {
    let size = shot.count("minimum_cluster_size")?.max(1);
    let limit = shot.number("allowed_sigma_deviation")?;
    let rows = pedestal::per_row(shot)?;
    let region = shot.overscan()?;
    let image = shot.image(&shot.config.image)?;
    let has_cluster = |row: &usize| {
        let sigma = row.checked_sub(rows.first).and_then(|k| rows.sigma.get(k)).copied().unwrap_or(f64::NAN);
        let mut length = 0;
        region.cols.clone().any(|col| {
            length = if image[[*row, col]] > limit * sigma { length + 1 } else { 0 };
            length >= size
        })
    };
    Ok(region.rows.clone().filter(has_cluster).count())
}
