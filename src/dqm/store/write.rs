//! Recording images and runs.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Transaction, named_params, params};
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, WorkError, blob};
use crate::dqm::catalogue;
use crate::dqm::model::{
    Entry, Extra, ImageRecord, MonitorElement, NumberOrigin, QualityTest, ReferenceProfile, RunEntry, RunRecord,
    Summary, Values,
};
use crate::dqm::trend::history;
use crate::stats::robust;

/// What `me_values.extra_json` holds beside the columns.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Beside {
    /// Further results.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, Extra>,
    /// Why there is no result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Rows before the amplifier.
    #[serde(skip_serializing_if = "is_zero")]
    pub row_offset: usize,
    /// Whether the values are single numbers.
    #[serde(skip_serializing_if = "is_false")]
    pub single: bool,
    /// χ²/ndf of every value.
    #[serde(skip_serializing_if = "Values::is_nothing")]
    pub goodness: Values,
    /// χ²/ndf of the straight line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_chi2_ndf: Option<f64>,
    /// First edge and width of the bins whose counts are in `y`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bins: Option<[f64; 2]>,
    /// Images behind a value of the run.
    #[serde(skip_serializing_if = "is_zero")]
    pub n_images: usize,
    /// Lower quartile profile of the run (`y` is the median).
    #[serde(skip_serializing_if = "Values::is_nothing")]
    pub p25: Values,
    /// Upper quartile profile.
    #[serde(skip_serializing_if = "Values::is_nothing")]
    pub p75: Values,
    /// Mean profile.
    #[serde(skip_serializing_if = "Values::is_nothing")]
    pub mean: Values,
    /// The reference run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<ReferenceProfile>,
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// A row of `me_values`.
struct Row<'a> {
    image_id: Option<i64>,
    ccd: i64,
    amplifier: &'a str,
    me_id: u16,
    scalar: Option<f64>,
    scalar_err: Option<f64>,
    quartiles: [Option<f64>; 2],
    n: i64,
    arrays: [Option<Vec<u8>>; 5],
    goodness: Option<f64>,
    fit: Option<crate::dqm::model::LineFit>,
    plot: Option<&'a str>,
    status: &'static str,
    beside: Beside,
    tests: &'a [QualityTest],
}

impl Store {
    /// Records an image with its entries (id of the element, entry), replacing what was known about it. One transaction.
    ///
    /// The run gets a row when it has none; everything else about it comes with [`Store::record_run`].
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn record_image<'a>(
        &mut self,
        run: &RunRecord,
        image: &ImageRecord,
        entries: impl IntoIterator<Item = (u16, &'a Entry)>,
    ) -> Result<(), StoreError> {
        self.transact("an image cannot be recorded", |t| {
            let run_id = touch_run(t, run)?;
            put_image(t, run_id, image, entries)
        })
    }

    /// Records the run and its values. Images that are no longer part of it are removed, unless another process has
    /// recorded them since this store was opened. One transaction.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn record_run(&mut self, summary: &Summary) -> Result<(), StoreError> {
        let opened = self.opened_utc.clone();
        self.transact("the run cannot be recorded", |t| {
            let run_id = touch_run(t, &summary.run)?;
            put_run(t, run_id, summary)?;
            let mut known = t.prepare("SELECT image_id, file FROM images WHERE run_id = ?1 AND processed_utc < ?2")?;
            let known: Vec<(i64, String)> = known
                .query_map(params![run_id, opened], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_, _>>()?;
            for (image_id, _) in known.iter().filter(|(_, file)| summary.image(file).is_none()) {
                t.execute("DELETE FROM images WHERE image_id = ?1", [image_id])?;
            }
            Ok(())
        })
    }

    /// Records a whole summary: every image in a transaction of its own, then the run.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn record_summary(&mut self, summary: &Summary) -> Result<(), StoreError> {
        for image in &summary.images {
            let of_image = |me: &'_ &MonitorElement| me.entries.iter().any(|e| e.file == image.file);
            let entries = summary
                .mes
                .values()
                .filter(of_image)
                .flat_map(|me| me.entries.iter().filter(|e| e.file == image.file).map(|e| (me.id, e)));
            self.record_image(&summary.run, image, entries)?;
        }
        self.record_run(summary)
    }
}

/// Makes the row of the run if there is none; its id.
fn touch_run(t: &Transaction<'_>, run: &RunRecord) -> rusqlite::Result<i64> {
    let found = t
        .prepare_cached("SELECT run_id FROM runs WHERE number = ?1 AND tag = ?2")?
        .query_row(params![run.number, run.tag], |row| row.get(0))
        .optional()?;
    if let Some(run_id) = found {
        return Ok(run_id);
    }
    t.execute(
        "INSERT INTO runs(number, tag, data_dir, out_dir, status, tool, updated_utc)
         VALUES (?1, ?2, ?3, ?4, 'none', ?5, strftime('%Y-%m-%dT%H:%M:%fZ','now'))",
        params![run.number, run.tag, run.data_dir, run.output_dir, crate::output::images::TOOL],
    )?;
    Ok(t.last_insert_rowid())
}

fn put_image<'a>(
    t: &Transaction<'_>,
    run_id: i64,
    image: &ImageRecord,
    entries: impl IntoIterator<Item = (u16, &'a Entry)>,
) -> Result<(), WorkError> {
    let pair = |p: crate::dqm::model::Pair| [finite(p.value), finite(p.error)];
    let ([t_k, t_err], [p, p_err]) = (pair(image.temperature), pair(image.pressure));
    let image_id: i64 = t
        .prepare_cached(
            "INSERT INTO images(run_id, number, file, file_number, file_size, file_mtime_ns, ccd, nrows, ncols, nskips,
               npbin, nsbin, texp_s, tread_s, start_utc, end_utc, t_k, t_err, p, p_err, is_hr, status, error,
               processed_utc)
             VALUES (:run_id, :number, :file, :file_number, :file_size, :file_mtime_ns, :ccd, :nrows, :ncols, :nskips,
               :npbin, :nsbin, :texp_s, :tread_s, :start_utc, :end_utc, :t_k, :t_err, :p, :p_err, :is_hr, :status,
               :error, strftime('%Y-%m-%dT%H:%M:%fZ','now'))
             ON CONFLICT(run_id, file) DO UPDATE SET number = excluded.number, file_number = excluded.file_number,
               file_size = excluded.file_size, file_mtime_ns = excluded.file_mtime_ns, ccd = excluded.ccd,
               nrows = excluded.nrows, ncols = excluded.ncols, nskips = excluded.nskips, npbin = excluded.npbin,
               nsbin = excluded.nsbin, texp_s = excluded.texp_s, tread_s = excluded.tread_s,
               start_utc = excluded.start_utc, end_utc = excluded.end_utc, t_k = excluded.t_k, t_err = excluded.t_err,
               p = excluded.p, p_err = excluded.p_err, is_hr = excluded.is_hr, status = excluded.status,
               error = excluded.error, processed_utc = excluded.processed_utc
             RETURNING image_id",
        )?
        .query_row(
            named_params! {
                ":run_id": run_id,
                ":number": image.number,
                ":file": image.file,
                ":file_number": (image.number_from == NumberOrigin::Name).then_some(image.number),
                ":file_size": i64::try_from(image.file_size).unwrap_or(i64::MAX),
                ":file_mtime_ns": image.file_mtime_ns,
                ":ccd": image.ccd,
                ":nrows": count(image.nrows),
                ":ncols": count(image.ncols),
                ":nskips": count(image.nskips),
                ":npbin": count(image.npbin),
                ":nsbin": count(image.nsbin),
                ":texp_s": finite(image.texp),
                ":tread_s": finite(image.tread),
                ":start_utc": image.start,
                ":end_utc": image.end,
                ":t_k": t_k,
                ":t_err": t_err,
                ":p": p,
                ":p_err": p_err,
                ":is_hr": image.is_hr,
                ":status": image.status.word(),
                ":error": image.error,
            },
            |row| row.get(0),
        )?;
    t.prepare_cached("DELETE FROM me_values WHERE image_id = ?1")?.execute([image_id])?;
    for (me_id, entry) in entries {
        know_element(t, me_id)?;
        put_value(t, run_id, &of_image(me_id, image_id, entry))?;
    }
    Ok(())
}

/// Makes sure that the element has a row, which values refer to.
fn know_element(t: &Transaction<'_>, me_id: u16) -> rusqlite::Result<()> {
    let (name, scope) = match catalogue::by_id(me_id) {
        Some(d) => (d.name.to_owned(), scope_letter(d.scope)),
        None => (format!("ME{me_id}"), ""),
    };
    let description = catalogue::by_id(me_id);
    t.prepare_cached(
        "INSERT OR IGNORE INTO mes(me_id, name, scope, title, xlabel, ylabel, unit) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        me_id,
        name,
        scope,
        description.map(|d| d.title),
        description.map(|d| d.x_label()),
        description.map(|d| d.y_label()),
        description.map(|d| d.unit),
    ])?;
    Ok(())
}

fn scope_letter(scope: catalogue::Scope) -> &'static str {
    use catalogue::Scope::{C, H, I, K, M, R, S};
    match scope {
        R => "R",
        C => "C",
        K => "K",
        H => "H",
        S => "S",
        I => "I",
        M => "M",
    }
}

fn put_run(t: &Transaction<'_>, run_id: i64, summary: &Summary) -> Result<(), WorkError> {
    let run = &summary.run;
    let mut skips: Vec<usize> = summary.images.iter().map(|i| i.nskips).filter(|n| *n > 0).collect();
    skips.sort_unstable();
    skips.dedup();
    let skips: Vec<String> = skips.iter().map(ToString::to_string).collect();
    t.execute(
        "UPDATE runs SET start_utc = :start_utc, end_utc = :end_utc, data_dir = :data_dir, out_dir = :out_dir,
           n_images = :n_images, nskips = :nskips, status = :status, image_hr = :image_hr, ref_run = :ref_run,
           ref_path = :ref_path, tool = :tool, config_json = :config_json, me_config_json = :me_config_json,
           n_masked = :n_masked, mask_path = :mask_path, updated_utc = strftime('%Y-%m-%dT%H:%M:%fZ','now')
         WHERE run_id = :run_id",
        named_params! {
            ":run_id": run_id,
            ":start_utc": run.start,
            ":end_utc": run.end,
            ":data_dir": run.data_dir,
            ":out_dir": run.output_dir,
            ":n_images": count(run.n_images),
            ":nskips": skips.join(","),
            ":status": run.status.word(),
            ":image_hr": run.image_hr,
            ":ref_run": run.reference.as_ref().map(|r| r.run),
            ":ref_path": run.reference.as_ref().map(|r| r.path.as_str()),
            ":tool": summary.tool,
            ":config_json": run.config,
            ":me_config_json": run.me_config,
            ":n_masked": run.n_masked.and_then(|n| i64::try_from(n).ok()),
            ":mask_path": run.mask,
        },
    )?;
    t.execute("DELETE FROM me_values WHERE run_id = ?1 AND image_id IS NULL", [run_id])?;
    for (name, me) in &summary.mes {
        t.prepare_cached(
            "INSERT INTO mes(me_id, name, scope, title, caption, xlabel, ylabel, unit)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT(me_id) DO UPDATE SET name = excluded.name, scope = excluded.scope, title = excluded.title,
               caption = excluded.caption, xlabel = excluded.xlabel, ylabel = excluded.ylabel, unit = excluded.unit",
        )?
        .execute(params![
            me.id,
            name,
            scope_letter(me.scope),
            me.title,
            me.caption,
            me.xlabel,
            me.ylabel,
            me.unit
        ])?;
        for entry in &me.run {
            put_value(t, run_id, &of_run(me, entry))?;
        }
    }
    Ok(())
}

fn of_image<'a>(me_id: u16, image_id: i64, entry: &'a Entry) -> Row<'a> {
    let single = matches!(entry.y, Values::One(_));
    let finite_values: Vec<f64> = entry.y.as_slice().iter().copied().filter(|v| v.is_finite()).collect();
    let quartiles = if single { [None, None] } else { quartiles(&finite_values) };
    let (counts, bins, n) = match &entry.histogram {
        Some(h) => {
            let counts: Vec<f64> = h.counts.iter().map(|c| f64::from(*c)).collect();
            let total: i64 = h.counts.iter().map(|c| i64::from(*c)).sum();
            (Some(blob::encode_slice(&counts)), Some([h.first_edge, h.width]), total)
        }
        None => (None, None, count(finite_values.len())),
    };
    let (goodness, goodness_vector) = match &entry.goodness {
        Values::Many(all) => (finite(robust::median(&finite_of(all))), entry.goodness.clone()),
        other => (other.scalar().and_then(finite), Values::Nothing),
    };
    Row {
        image_id: Some(image_id),
        ccd: entry.ccd,
        amplifier: &entry.amplifier,
        me_id,
        scalar: entry.headline(),
        scalar_err: entry.yerr.scalar().and_then(finite),
        quartiles,
        n,
        arrays: [
            blob::encode(&entry.x),
            counts.or_else(|| blob::encode(&entry.y)),
            blob::encode(&entry.xerr),
            blob::encode(&entry.yerr),
            blob::encode(&entry.yfit),
        ],
        goodness,
        fit: entry.fit,
        plot: entry.plot.as_deref(),
        status: entry.status.word(),
        beside: Beside {
            extra: entry.extra.clone(),
            reason: entry.reason.clone(),
            row_offset: entry.row_offset,
            single,
            goodness: goodness_vector,
            line_chi2_ndf: entry.fit.and_then(|f| finite(f.chi2_ndf)),
            bins,
            ..Beside::default()
        },
        tests: &entry.tests,
    }
}

fn of_run<'a>(me: &'a MonitorElement, entry: &'a RunEntry) -> Row<'a> {
    let single = matches!(entry.median, Values::One(_));
    let values = history::run_values(me, &entry.amplifier, entry.median.as_slice());
    let known = finite_of(&values);
    let [p25, scalar, p75] = history::quartiles(&known).map_or([None; 3], |q| q.map(finite));
    Row {
        image_id: None,
        ccd: entry.ccd,
        amplifier: &entry.amplifier,
        me_id: me.id,
        scalar: scalar.or_else(|| entry.median.scalar().and_then(finite)),
        scalar_err: None,
        quartiles: [p25, p75],
        n: count(known.len()),
        arrays: [blob::encode(&entry.x), blob::encode(&entry.median), None, None, None],
        goodness: None,
        fit: entry.fit,
        plot: me.plots.first().map(String::as_str),
        status: entry.status.word(),
        beside: Beside {
            extra: entry.extra.clone(),
            single,
            line_chi2_ndf: entry.fit.and_then(|f| finite(f.chi2_ndf)),
            n_images: entry.n_images,
            p25: entry.p25.clone(),
            p75: entry.p75.clone(),
            mean: entry.mean.clone(),
            reference: entry.reference.clone(),
            ..Beside::default()
        },
        tests: &entry.tests,
    }
}

fn put_value(t: &Transaction<'_>, run_id: i64, row: &Row<'_>) -> Result<(), WorkError> {
    let beside = serde_json::to_string(&row.beside).map_err(|e| WorkError::Json("extra_json", e))?;
    let [x, y, xerr, yerr, yfit] = &row.arrays;
    t.prepare_cached(
        "INSERT OR REPLACE INTO me_values(run_id, image_id, ccd, amplifier, me_id, scalar, scalar_err, p25, p75, n, x, y,
           xerr, yerr, yfit, goodness, slope, slope_err, intercept, intercept_err, extra_json, plot, status)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,
           ?23)",
    )?
    .execute(params![
        run_id,
        row.image_id,
        row.ccd,
        row.amplifier,
        row.me_id,
        row.scalar,
        row.scalar_err,
        row.quartiles[0],
        row.quartiles[1],
        row.n,
        x,
        y,
        xerr,
        yerr,
        yfit,
        row.goodness,
        row.fit.and_then(|f| finite(f.slope)),
        row.fit.and_then(|f| finite(f.slope_err)),
        row.fit.and_then(|f| finite(f.intercept)),
        row.fit.and_then(|f| finite(f.intercept_err)),
        beside,
        row.plot,
        row.status,
    ])?;
    let value_id = t.last_insert_rowid();
    for test in row.tests {
        let details = serde_json::to_string(test).map_err(|e| WorkError::Json("details_json", e))?;
        t.prepare_cached(
            "INSERT INTO me_tests(value_id, name, flag, result, value, cut, ref_run, details_json)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            value_id,
            test.name,
            test.flag.word(),
            test.result,
            finite(test.value),
            finite(test.cut),
            test.run_ref,
            details
        ])?;
    }
    Ok(())
}

/// NULL for what is not finite.
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

fn finite_of(values: &[f64]) -> Vec<f64> {
    values.iter().copied().filter(|v| v.is_finite()).collect()
}

fn quartiles(finite_values: &[f64]) -> [Option<f64>; 2] {
    if finite_values.is_empty() {
        return [None, None];
    }
    robust::percentiles(finite_values, [25.0, 75.0]).map(finite)
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
