//! Reading back: runs, whole summaries.

use indexmap::IndexMap;
use rusqlite::types::FromSql;
use rusqlite::{Row, Transaction, params};

use super::write::Beside;
use super::{Store, StoreError, WorkError, blob};
use crate::dqm::catalogue::{self, Scope};
use crate::dqm::model::{
    Entry, Flag, HistogramCounts, ImageRecord, LineFit, MonitorElement, NumberOrigin, Pair, QualityTest, ReferenceRun,
    RunEntry, RunRecord, SCHEMA, Summary, Values,
};
use crate::dqm::trend::history::{self, Reason, RunTrend, TrendValue};

/// A line of the list of runs.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRun {
    /// Run number.
    pub number: i64,
    /// Tag of the data-taking campaign.
    pub tag: String,
    /// Start of the first exposure, UTC.
    pub start: Option<String>,
    /// Images.
    pub n_images: usize,
    /// Images that could not be processed.
    pub n_errors: usize,
    /// Worst flag.
    pub status: Flag,
    /// Run number of the reference.
    pub reference: Option<i64>,
    /// Masked pixels.
    pub n_masked: Option<u64>,
}

impl Store {
    /// All runs, by number and tag.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn runs(&mut self) -> Result<Vec<StoredRun>, StoreError> {
        self.look("the list of runs cannot be read", |t| {
            let mut statement = t.prepare(
                "SELECT number, tag, start_utc, (SELECT count(*) FROM images i WHERE i.run_id = r.run_id),
                   (SELECT count(*) FROM images i WHERE i.run_id = r.run_id AND i.status = 'error'), status, ref_run,
                   n_masked
                 FROM runs r ORDER BY number, tag",
            )?;
            let rows = statement.query_map([], |row| {
                Ok(StoredRun {
                    number: row.get(0)?,
                    tag: row.get(1)?,
                    start: row.get(2)?,
                    n_images: size(row.get(3)?),
                    n_errors: size(row.get(4)?),
                    status: flag(row, 5)?,
                    reference: row.get(6)?,
                    n_masked: row.get::<_, Option<i64>>(7)?.and_then(|n| u64::try_from(n).ok()),
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// All runs as trends see them, by number and tag.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn trends(&mut self) -> Result<Vec<RunTrend>, StoreError> {
        let runs = self.runs()?;
        self.look("the trends cannot be read", |t| {
            let mut ids = t.prepare("SELECT run_id FROM runs WHERE number = ?1 AND tag = ?2")?;
            let mut trends = Vec::with_capacity(runs.len());
            for run in runs {
                let run_id: i64 = ids.query_row(params![run.number, run.tag], |row| row.get(0))?;
                let mut trend = RunTrend {
                    run: run.number,
                    tag: run.tag,
                    start: run.start,
                    status: run.status,
                    n_images: run.n_images,
                    n_errors: run.n_errors,
                    n_masked: run.n_masked,
                    ..RunTrend::default()
                };
                trend.reasons = trend_reasons(t, run_id)?;
                trend_values(t, run_id, &mut trend)?;
                trend_fits(t, run_id, &mut trend)?;
                trends.push(trend);
            }
            Ok(trends)
        })
    }

    /// Everything that is known about a run, or `None`.
    ///
    /// The database does not keep the gains and the dark current of the run, the counts behind the mask, output files
    /// and warnings of images; those fields are empty.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn summary(&mut self, number: i64, tag: &str) -> Result<Option<Summary>, StoreError> {
        self.look("the run cannot be read", |t| {
            let mut runs = t.prepare(
                "SELECT start_utc, end_utc, data_dir, out_dir, n_images, status, image_hr, ref_run, ref_path, tool,
                   config_json, me_config_json, n_masked, mask_path, run_id
                 FROM runs WHERE number = ?1 AND tag = ?2",
            )?;
            let mut rows = runs.query(params![number, tag])?;
            let Some(row) = rows.next()? else { return Ok(None) };
            let run_id: i64 = row.get(14)?;
            let reference_run: Option<i64> = row.get(7)?;
            let text = |index| Ok::<String, rusqlite::Error>(row.get::<_, Option<String>>(index)?.unwrap_or_default());
            let path = text(8)?;
            let run = RunRecord {
                number,
                tag: tag.to_owned(),
                start: row.get(0)?,
                end: row.get(1)?,
                data_dir: text(2)?,
                output_dir: text(3)?,
                n_images: size(row.get::<_, Option<i64>>(4)?.unwrap_or(0)),
                status: flag(row, 5)?,
                image_hr: row.get(6)?,
                reference: reference_run.map(|run| ReferenceRun { run, path }),
                config: text(10)?,
                me_config: text(11)?,
                n_masked: row.get::<_, Option<i64>>(12)?.and_then(|n| u64::try_from(n).ok()),
                mask: row.get(13)?,
                ..RunRecord::default()
            };
            let summary = Summary {
                schema: SCHEMA.into(),
                version: crate::dqm::model::VERSION,
                tool: text(9)?,
                run,
                images: images(t, run_id)?,
                mes: elements(t, run_id)?,
                ..Summary::default()
            };
            Ok(Some(summary))
        })
    }

    /// Reads in one transaction: what is read belongs together.
    fn look<T>(
        &mut self,
        action: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, WorkError>,
    ) -> Result<T, StoreError> {
        let outcome = self.connection.transaction().map_err(WorkError::from).and_then(|t| work(&t));
        outcome.map_err(|error| error.at(self.path.clone(), action))
    }
}

/// Tests with a warning or worse.
fn trend_reasons(t: &Transaction<'_>, run_id: i64) -> Result<Vec<Reason>, WorkError> {
    let mut statement = t.prepare_cached(
        "SELECT m.name, t.name, t.flag, COUNT(DISTINCT v.image_id)
         FROM me_tests t JOIN me_values v USING(value_id) JOIN mes m USING(me_id)
         WHERE v.run_id = ?1 AND t.flag NOT IN ('none', 'pass')
         GROUP BY m.name, t.name, t.flag, v.image_id IS NULL",
    )?;
    let mut rows = statement.query([run_id])?;
    let mut reasons = Vec::new();
    while let Some(row) = rows.next()? {
        let images = size(row.get(3)?);
        reasons.push(Reason { flag: flag(row, 2)?, element: row.get(0)?, test: row.get(1)?, images });
    }
    Ok(history::sorted(reasons))
}

/// Values on the level of the run, and the profile of the columns.
fn trend_values(t: &Transaction<'_>, run_id: i64, trend: &mut RunTrend) -> Result<(), WorkError> {
    let mut statement = t.prepare_cached(
        "SELECT v.me_id, v.ccd, v.amplifier, v.scalar, v.p25, v.p75, v.slope, v.slope_err, v.intercept, v.intercept_err,
           v.extra_json, CASE WHEN v.me_id = ?2 THEN v.x END, CASE WHEN v.me_id = ?2 THEN v.y END
         FROM me_values v JOIN mes m USING(me_id)
         WHERE v.run_id = ?1 AND v.image_id IS NULL AND v.scalar IS NOT NULL AND m.scope NOT IN ('I', 'H')",
    )?;
    let mut rows = statement.query(params![run_id, history::COLUMN_PROFILE])?;
    while let Some(row) = rows.next()? {
        let me_id: u16 = row.get(0)?;
        let amplifier: String = row.get(2)?;
        let key = history::key(row.get::<_, Option<i64>>(1)?.unwrap_or(0), &amplifier);
        let fit = match row.get::<_, Option<f64>>(6)? {
            None => None,
            Some(slope) => {
                let text: String = row.get(10)?;
                let beside: Beside = serde_json::from_str(&text).map_err(|e| WorkError::Json("extra_json", e))?;
                Some(LineFit {
                    slope,
                    slope_err: real(row, 7)?,
                    intercept: real(row, 8)?,
                    intercept_err: real(row, 9)?,
                    chi2_ndf: beside.line_chi2_ndf.unwrap_or(f64::NAN),
                })
            }
        };
        let value = TrendValue { median: real(row, 3)?, p25: real(row, 4)?, p75: real(row, 5)?, fit };
        if me_id == history::COLUMN_PROFILE {
            let array = |index| Ok::<_, rusqlite::Error>(blob::decode(row.get(index)?, false).as_slice().to_vec());
            trend.profiles.insert(key.clone(), (array(11)?, array(12)?));
        }
        trend.values.insert((me_id, key), value);
    }
    Ok(())
}

/// Dark-current fits: the high-resolution image last, so that it wins.
fn trend_fits(t: &Transaction<'_>, run_id: i64, trend: &mut RunTrend) -> Result<(), WorkError> {
    let mut statement = t.prepare_cached(
        "SELECT v.me_id, v.ccd, v.amplifier, v.scalar, v.scalar_err, i.texp_s, i.tread_s
         FROM me_values v JOIN images i USING(image_id)
         WHERE v.run_id = ?1 AND v.me_id BETWEEN 61 AND 64 AND v.scalar IS NOT NULL
         ORDER BY i.is_hr, i.file",
    )?;
    let mut rows = statement.query([run_id])?;
    while let Some(row) = rows.next()? {
        let amplifier: String = row.get(2)?;
        let key = history::key(row.get::<_, Option<i64>>(1)?.unwrap_or(0), &amplifier);
        let value = Pair::new(row.get(3)?, real(row, 4)?);
        let days = history::days(real(row, 5)?, real(row, 6)?);
        trend.fits.entry(key).or_default().set(row.get(0)?, value, days);
    }
    Ok(())
}

fn images(t: &Transaction<'_>, run_id: i64) -> Result<Vec<ImageRecord>, WorkError> {
    let mut statement = t.prepare(
        "SELECT number, file, file_number, file_size, file_mtime_ns, ccd, nrows, ncols, nskips, npbin, nsbin, texp_s,
           tread_s, start_utc, end_utc, t_k, t_err, p, p_err, is_hr, status, error,
           (SELECT group_concat(a, char(10)) FROM (SELECT DISTINCT amplifier AS a FROM me_values v
              WHERE v.image_id = i.image_id AND amplifier <> '' ORDER BY a))
         FROM images i WHERE run_id = ?1 ORDER BY file",
    )?;
    let rows = statement.query_map([run_id], |row| {
        let number: i64 = row.get::<_, Option<i64>>(0)?.unwrap_or(0);
        let whole = |index| Ok::<usize, rusqlite::Error>(size(row.get::<_, Option<i64>>(index)?.unwrap_or(0)));
        let from_name = row.get::<_, Option<i64>>(2)?.is_some();
        let amplifiers: Option<String> = row.get(22)?;
        Ok(ImageRecord {
            number,
            number_from: if from_name { NumberOrigin::Name } else { NumberOrigin::Position },
            file: row.get(1)?,
            file_size: row.get::<_, Option<i64>>(3)?.and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
            file_mtime_ns: row.get(4)?,
            ccd: row.get::<_, Option<i64>>(5)?.unwrap_or(0),
            amplifiers: amplifiers.map(|a| a.lines().map(str::to_owned).collect()).unwrap_or_default(),
            nrows: whole(6)?,
            ncols: whole(7)?,
            nskips: whole(8)?,
            npbin: whole(9)?,
            nsbin: whole(10)?,
            texp: real(row, 11)?,
            tread: real(row, 12)?,
            start: row.get(13)?,
            end: row.get(14)?,
            temperature: Pair::new(real(row, 15)?, real(row, 16)?),
            pressure: Pair::new(real(row, 17)?, real(row, 18)?),
            is_hr: row.get::<_, Option<bool>>(19)?.unwrap_or(false),
            status: flag(row, 20)?,
            error: row.get(21)?,
            ..ImageRecord::default()
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn elements(t: &Transaction<'_>, run_id: i64) -> Result<IndexMap<String, MonitorElement>, WorkError> {
    let mut statement = t.prepare(
        "SELECT DISTINCT m.me_id, m.name, m.scope, m.title, m.caption, m.xlabel, m.ylabel, m.unit
         FROM mes m JOIN me_values v USING(me_id) WHERE v.run_id = ?1 ORDER BY m.me_id",
    )?;
    let rows = statement.query_map([run_id], |row| {
        let text = |index| Ok::<String, rusqlite::Error>(row.get::<_, Option<String>>(index)?.unwrap_or_default());
        let name = text(1)?;
        let description = catalogue::find(&name);
        Ok((
            name,
            MonitorElement {
                id: row.get(0)?,
                scope: scope(&text(2)?),
                title: text(3)?,
                caption: text(4)?,
                xlabel: text(5)?,
                ylabel: text(6)?,
                unit: text(7)?,
                aliases: description.iter().flat_map(|d| d.aliases()).map(str::to_owned).collect(),
                plots: Vec::new(),
                status: Flag::None,
                entries: Vec::new(),
                run: Vec::new(),
            },
        ))
    })?;
    let mut elements: IndexMap<String, MonitorElement> = rows.collect::<Result<_, _>>()?;
    for me in elements.values_mut() {
        fill(t, run_id, me)?;
        me.status = Flag::worst(me.entries.iter().map(|e| e.status).chain(me.run.iter().map(|e| e.status)));
    }
    Ok(elements)
}

/// Values of an element: those of images in the order of file and amplifier, and those of the run.
fn fill(t: &Transaction<'_>, run_id: i64, me: &mut MonitorElement) -> Result<(), WorkError> {
    let mut statement = t.prepare_cached(
        "SELECT v.value_id, i.number, i.file, v.ccd, v.amplifier, v.x, v.y, v.xerr, v.yerr, v.yfit, v.goodness, v.slope,
           v.slope_err, v.intercept, v.intercept_err, v.extra_json, v.plot, v.status
         FROM me_values v LEFT JOIN images i USING(image_id) WHERE v.run_id = ?1 AND v.me_id = ?2
         ORDER BY i.file IS NULL, i.file, v.value_id",
    )?;
    let mut rows = statement.query(params![run_id, me.id])?;
    while let Some(row) = rows.next()? {
        let text: Option<String> = row.get(15)?;
        let beside: Beside = match text {
            Some(text) => serde_json::from_str(&text).map_err(|e| WorkError::Json("extra_json", e))?,
            None => Beside::default(),
        };
        let tests = tests(t, row.get(0)?)?;
        let fit = row.get::<_, Option<f64>>(11)?.map(|slope| {
            let number = |index| real(row, index);
            Ok::<_, rusqlite::Error>(LineFit {
                slope,
                slope_err: number(12)?,
                intercept: number(13)?,
                intercept_err: number(14)?,
                chi2_ndf: beside.line_chi2_ndf.unwrap_or(f64::NAN),
            })
        });
        let fit = fit.transpose()?;
        let array = |index| Ok::<Values, rusqlite::Error>(blob::decode(row.get(index)?, beside.single));
        let ccd = row.get::<_, Option<i64>>(3)?.unwrap_or(0);
        let amplifier: String = row.get(4)?;
        match row.get::<_, Option<String>>(2)? {
            Some(file) => {
                let (mut y, mut histogram) = (array(6)?, None);
                if let Some([first_edge, width]) = beside.bins {
                    let counts = y.as_slice().iter().map(|c| *c as u32).collect();
                    histogram = Some(HistogramCounts { first_edge, width, counts });
                    y = Values::Nothing;
                }
                let goodness = match beside.goodness {
                    Values::Nothing => row.get::<_, Option<f64>>(10)?.map_or(Values::Nothing, Values::One),
                    vector => vector,
                };
                me.entries.push(Entry {
                    image: row.get::<_, Option<i64>>(1)?.unwrap_or(0),
                    file,
                    ccd,
                    amplifier,
                    row_offset: beside.row_offset,
                    x: array(5)?,
                    y,
                    xerr: array(7)?,
                    yerr: array(8)?,
                    yfit: array(9)?,
                    goodness,
                    fit,
                    histogram,
                    extra: beside.extra,
                    tests,
                    status: flag(row, 17)?,
                    reason: beside.reason,
                    plot: row.get(16)?,
                });
            }
            None => {
                me.plots.extend(row.get::<_, Option<String>>(16)?.filter(|_| me.run.is_empty()));
                me.run.push(RunEntry {
                    ccd,
                    amplifier,
                    n_images: beside.n_images,
                    x: array(5)?,
                    median: array(6)?,
                    p25: beside.p25,
                    p75: beside.p75,
                    mean: beside.mean,
                    fit,
                    reference: beside.reference,
                    extra: beside.extra,
                    tests,
                    status: flag(row, 17)?,
                });
            }
        }
    }
    Ok(())
}

fn tests(t: &Transaction<'_>, value_id: i64) -> Result<Vec<QualityTest>, WorkError> {
    let mut statement = t.prepare_cached("SELECT details_json FROM me_tests WHERE value_id = ?1 ORDER BY test_id")?;
    let texts = statement.query_map([value_id], |row| row.get::<_, String>(0))?;
    texts
        .map(|text| serde_json::from_str(&text?).map_err(|e| WorkError::Json("details_json", e)))
        .collect::<Result<_, _>>()
}

fn flag(row: &Row<'_>, index: usize) -> rusqlite::Result<Flag> {
    Ok(Flag::from_word(&row.get::<_, String>(index)?).unwrap_or_default())
}

/// NaN for NULL.
fn real(row: &Row<'_>, index: usize) -> rusqlite::Result<f64> {
    Ok(optional::<f64>(row, index)?.unwrap_or(f64::NAN))
}

fn optional<T: FromSql>(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<T>> {
    row.get(index)
}

fn size(n: i64) -> usize {
    usize::try_from(n).unwrap_or(0)
}

fn scope(letter: &str) -> Scope {
    match letter {
        "R" => Scope::R,
        "C" => Scope::C,
        "K" => Scope::K,
        "H" => Scope::H,
        "I" => Scope::I,
        "M" => Scope::M,
        _ => Scope::S,
    }
}
