//! From the records of the images to the summary of the run.
//!
//! This is a pure function of the images' records and entries, of the counts of outlying pixels and of the reference:
//! a run made in one piece and one merged from parts go through it with the same input, whence the same output.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use super::captions;
use super::mask::{self, Mask, MaskAccumulator};
use super::reference::ReferenceRun;
use super::testing;
use crate::dqm::catalogue::Scope;
use crate::dqm::elements::config::{ElementConfig, Elements};
use crate::dqm::elements::label_order;
use crate::dqm::model::{
    DarkCurrent, Entry, Extra, Flag, ImageRecord, MonitorElement, NumberOrigin, Pair, ReferenceProfile, RunEntry,
    RunRecord, SCHEMA, Summary, VERSION, Values, used_gains,
};
use crate::dqm::quality::{fit_line, short};
use crate::stats::robust;

/// The images of a run, or of a part of it.
#[derive(Debug, Default)]
pub struct Parts {
    /// Images with their entries.
    pub images: Vec<(ImageRecord, Vec<(u16, Entry)>)>,
    /// Counts of outlying pixels.
    pub outliers: MaskAccumulator,
}

impl Parts {
    /// Brings the images into the order of their names and numbers those that have no number of their own.
    fn sort(&mut self) {
        self.images.sort_by(|a, b| a.0.file.cmp(&b.0.file));
        for (position, (record, entries)) in self.images.iter_mut().enumerate() {
            if record.number_from == NumberOrigin::Position {
                renumber(record, entries, position as i64);
            }
        }
    }
}

/// Gives an image another number.
pub(super) fn renumber(record: &mut ImageRecord, entries: &mut [(u16, Entry)], number: i64) {
    record.number = number;
    for (id, entry) in entries {
        entry.image = number;
        let dated = matches!(id, 32 | 33);
        let is_scalar = crate::dqm::catalogue::by_id(*id).is_some_and(|d| d.scope == Scope::S);
        if is_scalar && !dated && matches!(entry.x, Values::One(_)) {
            entry.x = Values::One(number as f64);
        }
    }
}

/// The summary, and the mask if the element is active and an image could be counted.
pub fn assemble(
    mut parts: Parts,
    mut run: RunRecord,
    elements: &Elements,
    reference: Option<&ReferenceRun>,
) -> (Summary, Option<Mask>) {
    parts.sort();
    let first = parts.images.iter().filter(|(r, _)| r.error.is_none()).map(|(r, _)| r.file.clone()).next();
    let mask =
        elements.get(100).and_then(|config| mask::build(&parts.outliers, first.as_deref(), config, &mut run.warnings));
    let counted = parts.outliers.records();

    let mut by_element: BTreeMap<u16, Vec<Entry>> = BTreeMap::new();
    let mut images = Vec::with_capacity(parts.images.len());
    for (record, entries) in parts.images {
        for (id, entry) in entries {
            by_element.entry(id).or_default().push(entry);
        }
        images.push(record);
    }
    let mut mes = IndexMap::new();
    let high_resolution: BTreeSet<&str> = images.iter().filter(|i| i.is_hr).map(|i| i.file.as_str()).collect();
    let used = used_gains(&images);
    for config in elements.active() {
        let entries = by_element.remove(&config.description.id).unwrap_or_default();
        let around = Around { run: &run, gains: &used, high_resolution: &high_resolution, reference };
        let me = element(config, entries, &around, mask.as_ref());
        mes.insert(config.description.name.to_owned(), me);
    }
    if let Some(reference) = reference {
        run.warnings.extend(other_positions(&mes, reference));
    }
    run.warnings.extend(doubtful_gains(&used, &mes, reference));
    let dates = |pick: fn(&ImageRecord) -> Option<&String>| images.iter().filter_map(pick).cloned().collect::<Vec<_>>();
    run.start = dates(|i| i.start.as_ref()).into_iter().min();
    run.end = dates(|i| i.end.as_ref().or(i.start.as_ref())).into_iter().max();
    run.n_images = images.len();
    run.image_hr = images.iter().find(|i| i.is_hr).map(|i| i.file.clone());
    run.reference = reference.map(|r| r.record.clone());
    run.n_masked = mask.as_ref().map(|m| m.masked as u64);
    run.mask = mask.as_ref().map(|_| format!("me/{}", mask::file_name(run.number)));
    let worst = images.iter().map(|i| i.status).chain(mes.values().map(|me| me.status));
    run.status = Flag::worst(worst).min(Flag::Fail);
    let mut summary = Summary {
        schema: SCHEMA.into(),
        version: VERSION,
        tool: crate::output::images::TOOL.into(),
        run,
        dc: DarkCurrent::default(),
        images,
        mes,
        outliers: counted,
    };
    summary.dc = dark_current(&summary);
    (summary, mask)
}

/// Says that most vectors cannot be compared with the reference, if so: each test alone says only that it was not made.
fn other_positions(mes: &IndexMap<String, MonitorElement>, reference: &ReferenceRun) -> Option<String> {
    let residuals = || {
        let vectors = mes.values().filter(|me| matches!(me.scope, Scope::R | Scope::C));
        vectors.flat_map(|me| &me.run).flat_map(|r| &r.tests).filter(|t| t.name == "QTresiduals")
    };
    let (all, none) = (residuals().count(), residuals().filter(|t| t.flag == Flag::None).count());
    (all > 0 && 2 * none > all).then(|| {
        format!(
            "{none} of {all} rows and columns of monitor elements cannot be compared with run {} position by position: \
             its images have another shape or binning",
            reference.record.run
        )
    })
}

/// Gains differ if they do so by more than this fraction.
const OTHER_GAIN: f64 = 0.03;

/// Says that the gain that made the electrons is not the one that the images have, or not that of the reference: all
/// elements in electrons are then wrong by the ratio.
fn doubtful_gains(
    used: &BTreeMap<String, f64>,
    mes: &IndexMap<String, MonitorElement>,
    reference: Option<&ReferenceRun>,
) -> Vec<String> {
    const SIGNIFICANT: f64 = 5.0;
    let mut said = Vec::new();
    for (amplifier, &gain) in used {
        let good = |e: &&Entry| {
            matches!(e.extra.get("fit_status"), Some(Extra::Integer(0)))
                && e.goodness.scalar().is_some_and(|g| (0.0..=crate::dqm::quality::limits::CHI2_CUT).contains(&g))
        };
        let fits: Vec<&Entry> = mes
            .values()
            .filter(|me| me.id == 64)
            .flat_map(|me| me.of_amplifier(amplifier))
            .filter(|e| e.is_available())
            .filter(good)
            .collect();
        let median = |pick: fn(&Entry) -> &Values| {
            let values: Vec<f64> = fits.iter().filter_map(|e| pick(e).scalar()).filter(|v| v.is_finite()).collect();
            if values.is_empty() { f64::NAN } else { robust::median(&values) }
        };
        let (fitted, error) = (median(|e| &e.y), median(|e| &e.yerr));
        let distance = (fitted - gain).abs();
        if distance > OTHER_GAIN * gain && distance > SIGNIFICANT * error {
            said.push(format!(
                "amplifier {amplifier}: electrons were made with a gain of {} ADU/e⁻, but the dark-current fits of {} \
                 image(s) give {} ± {}; every element in e⁻ is off by the ratio (give --image-HR, or `gain` of \
                 CalibrationProcess)",
                short(gain),
                fits.len(),
                short(fitted),
                short(error)
            ));
        }
        let theirs = reference.and_then(|r| Some((r.record.run, *used_gains(&r.summary.images).get(amplifier)?)));
        if let Some((run, theirs)) = theirs.filter(|(_, g)| (g - gain).abs() > OTHER_GAIN * gain) {
            said.push(format!(
                "amplifier {amplifier}: electrons were made with a gain of {} ADU/e⁻, those of run {run} with {}; elements \
                 in e⁻ cannot be compared",
                short(gain),
                short(theirs)
            ));
        }
    }
    said
}

/// What an element is made in the light of.
struct Around<'a> {
    run: &'a RunRecord,
    /// [`used_gains`].
    gains: &'a BTreeMap<String, f64>,
    /// Files of high-resolution images.
    high_resolution: &'a BTreeSet<&'a str>,
    reference: Option<&'a ReferenceRun>,
}

fn element(config: &ElementConfig, entries: Vec<Entry>, around: &Around<'_>, mask: Option<&Mask>) -> MonitorElement {
    let d = config.description;
    let mut me = MonitorElement {
        id: d.id,
        scope: d.scope,
        title: d.title.into(),
        caption: captions::caption(config, around.run, around.gains),
        xlabel: d.x_label().into(),
        ylabel: d.y_label(),
        unit: d.unit.into(),
        aliases: d.aliases().map(str::to_owned).collect(),
        plots: Vec::new(),
        status: Flag::None,
        entries,
        run: Vec::new(),
    };
    me.run = match d.scope {
        Scope::M => mask.map(|mask| mask_entries(mask, config, around.reference)).unwrap_or_default(),
        Scope::I => Vec::new(),
        _ => run_entries(config, &me, around),
    };
    me.status = Flag::worst(me.entries.iter().map(|e| e.status).chain(me.run.iter().map(|r| r.status)));
    me
}

/// (CCD, amplifier) of the entries with a result, sorted.
fn groups(me: &MonitorElement) -> Vec<(i64, String)> {
    let mut groups: Vec<(i64, String)> =
        me.entries.iter().filter(|e| e.is_available()).map(|e| (e.ccd, e.amplifier.clone())).collect();
    groups.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| label_order(&a.1, &b.1)));
    groups.dedup();
    groups
}

/// The high-resolution image has another noise: it takes part only where there is no other image.
fn run_entries(config: &ElementConfig, me: &MonitorElement, around: &Around<'_>) -> Vec<RunEntry> {
    let reference = around.reference;
    let of = |ccd: i64, amplifier: String| {
        let all: Vec<&Entry> = me.of_amplifier(&amplifier).filter(|e| e.ccd == ccd).collect();
        let is_hr = |e: &Entry| around.high_resolution.contains(e.file.as_str());
        let ordinary: Vec<&Entry> = all.iter().copied().filter(|e| !is_hr(e)).collect();
        let hr = !ordinary.iter().any(|e| e.is_available());
        let entries = if hr { all } else { ordinary };
        let mut run = match config.description.scope {
            Scope::S => scalars(&entries),
            Scope::R | Scope::C | Scope::K => profiles(&entries),
            _ => RunEntry { n_images: entries.len(), ..RunEntry::default() },
        };
        let chosen = if config.description.scope == Scope::S { entries.clone() } else { same_positions(&entries) };
        let vectors: Vec<(i64, Vec<f64>)> = chosen.iter().map(|e| (e.image, e.y.as_slice().to_vec())).collect();
        let x = run.x.as_slice().to_vec();
        run.tests = testing::run_tests(config, ccd, &amplifier, &x, &vectors, (reference, hr));
        run.status = Flag::worst(run.tests.iter().map(|t| t.flag));
        run.reference = reference.and_then(|r| reference_profile(config, r, ccd, &amplifier, hr));
        run.ccd = ccd;
        run.amplifier = amplifier;
        run
    };
    groups(me).into_iter().map(|(ccd, amplifier)| of(ccd, amplifier)).collect()
}

/// The entries whose positions are those of most entries.
pub(crate) fn same_positions<'a>(entries: &[&'a Entry]) -> Vec<&'a Entry> {
    let best = entries
        .iter()
        .filter(|e| !e.x.is_empty())
        .max_by_key(|e| {
            let same = entries.iter().filter(|o| o.x == e.x).count();
            // of equally many, the first one
            (same, std::cmp::Reverse(entries.iter().position(|o| o.x == e.x)))
        })
        .map(|e| &e.x);
    entries.iter().copied().filter(|e| Some(&e.x) == best).collect()
}

fn profiles(entries: &[&Entry]) -> RunEntry {
    let same = same_positions(entries);
    let mut run = RunEntry { n_images: same.len(), ..RunEntry::default() };
    let Some(first) = same.first() else { return run };
    let n = first.x.len();
    let (mut p25, mut median, mut p75, mut mean) =
        (Vec::with_capacity(n), Vec::with_capacity(n), Vec::with_capacity(n), Vec::with_capacity(n));
    for j in 0..n {
        let column: Vec<f64> =
            same.iter().filter_map(|e| e.y.as_slice().get(j)).copied().filter(|y| y.is_finite()).collect();
        let quartiles = robust::percentiles(&column, [25.0, 50.0, 75.0]);
        p25.push(quartiles[0]);
        median.push(quartiles[1]);
        p75.push(quartiles[2]);
        mean.push(if column.is_empty() { f64::NAN } else { robust::mean(&column) });
    }
    run.fit = fit_line(first.x.as_slice(), &median, None);
    run.x = first.x.clone();
    run.p25 = p25.into();
    run.median = median.into();
    run.p75 = p75.into();
    run.mean = mean.into();
    run
}

fn scalars(entries: &[&Entry]) -> RunEntry {
    let points: Vec<(f64, f64)> =
        entries.iter().filter_map(|e| e.y.scalar().map(|y| (e.image as f64, y))).filter(|p| p.1.is_finite()).collect();
    let (x, y): (Vec<f64>, Vec<f64>) = points.into_iter().unzip();
    let mut run = RunEntry { n_images: y.len(), ..RunEntry::default() };
    if y.is_empty() {
        return run;
    }
    let quartiles = robust::percentiles(&y, [25.0, 50.0, 75.0]);
    run.p25 = quartiles[0].into();
    run.median = quartiles[1].into();
    run.p75 = quartiles[2].into();
    run.mean = robust::mean(&y).into();
    run.fit = fit_line(&x, &y, None);
    run
}

fn reference_profile(
    config: &ElementConfig,
    reference: &ReferenceRun,
    ccd: i64,
    amplifier: &str,
    hr: bool,
) -> Option<ReferenceProfile> {
    let d = config.description;
    let run = reference.record.run;
    if d.scope == Scope::S {
        let y = reference.scalars(d.id, ccd, amplifier, hr);
        let x: Vec<f64> = (1..=y.len()).map(|k| k as f64).collect();
        return (!y.is_empty()).then(|| ReferenceProfile {
            run,
            n_images: y.len(),
            x: Values::Nothing,
            median: robust::median(&y).into(),
            fit: fit_line(&x, &y, None),
        });
    }
    let r = reference.vector(d.id, ccd, amplifier, hr)?;
    Some(ReferenceProfile {
        run,
        n_images: r.images(),
        x: r.x.clone().into(),
        median: r.median.clone().into(),
        fit: fit_line(&r.x, &r.median, None),
    })
}

fn mask_entries(mask: &Mask, config: &ElementConfig, reference: Option<&ReferenceRun>) -> Vec<RunEntry> {
    mask.amplifiers
        .iter()
        .map(|a| {
            let one_based = |lines: &[usize]| -> Vec<f64> { lines.iter().map(|l| *l as f64 + 1.0).collect() };
            let (rows, cols) = (one_based(&a.hot_rows), one_based(&a.hot_cols));
            let tests = match reference {
                Some(reference) => testing::hot_lines(config, a.ccd, &a.name, &rows, &cols, reference),
                None => Vec::new(),
            };
            RunEntry {
                ccd: a.ccd,
                amplifier: a.name.clone(),
                n_images: mask.images,
                median: Values::One(a.masked as f64),
                extra: [
                    ("hot_rows".to_owned(), Extra::Numbers(rows)),
                    ("hot_cols".to_owned(), Extra::Numbers(cols)),
                    ("hot_pixels".to_owned(), Extra::Integer(a.hot_pixels as i64)),
                ]
                .into(),
                status: Flag::worst(tests.iter().map(|t| t.flag)),
                tests,
                ..RunEntry::default()
            }
        })
        .collect()
}

/// Results of the dark-current fit of the high-resolution image, else of the last image that has one.
fn dark_current(summary: &Summary) -> DarkCurrent {
    let of_image = |file: &str| -> Option<DarkCurrent> {
        let pair = |id: u16, amplifier: &str| -> Pair {
            let entry = summary.element(id).and_then(|me| {
                me.entries.iter().find(|e| e.file == file && e.amplifier == amplifier && e.is_available())
            });
            let first = |v: &Values| v.as_slice().first().copied().unwrap_or(f64::NAN);
            entry.map_or(Pair::UNKNOWN, |e| Pair::new(first(&e.y), first(&e.yerr)))
        };
        let lambda = |amplifier: &str| -> Pair {
            let me = summary.element(60);
            let entry = me.and_then(|me| me.of_amplifier(amplifier).find(|e| e.file == file));
            let number = |key: &str| match entry.and_then(|e| e.extra.get(key)) {
                Some(Extra::Number(x)) => *x,
                _ => f64::NAN,
            };
            if entry.is_some() {
                return Pair::new(number("lambda"), number("lambda_err"));
            }
            // e⁻/pix back to ADU/bin
            let binning = summary.image(file).map_or(1, |i| i.npbin * i.nsbin) as f64;
            let (l, g) = (pair(63, amplifier), pair(64, amplifier));
            Pair::new(l.value * g.value * binning, l.error * g.value * binning)
        };
        let image = summary.image(file)?;
        let amplifiers: Vec<&String> =
            image.amplifiers.iter().filter(|a| pair(64, a).value.is_finite() || lambda(a).value.is_finite()).collect();
        let one = |a: &str| DarkCurrent {
            gain: pair(64, a),
            lambda: lambda(a),
            sigma: pair(62, a),
            mu0: pair(61, a),
            per_amp: BTreeMap::new(),
        };
        let per_amp: BTreeMap<String, DarkCurrent> = amplifiers.iter().map(|a| ((*a).clone(), one(a))).collect();
        let first = amplifiers.first()?;
        Some(DarkCurrent { per_amp, ..one(first) })
    };
    let hr = summary.images.iter().filter(|i| i.is_hr);
    let rest = summary.images.iter().rev().filter(|i| !i.is_hr);
    hr.chain(rest).find_map(|i| of_image(&i.file)).unwrap_or_default()
}
