//! Which tests are made on which monitor element (spec 06 §8.1, last paragraphs).

use super::reference::ReferenceRun;
use crate::dqm::catalogue::Scope;
use crate::dqm::elements::config::ElementConfig;
use crate::dqm::model::{Entry, Extra, Flag, QualityTest};
use crate::dqm::quality::{limits, not_applicable, scalar, vector, verdict};
use crate::image::RawData;
use crate::process::analysis::products::{Axis, Pedestal};

/// Vectors that are compared with the reference.
const COMPARED: [u16; 18] = [1, 5, 8, 9, 10, 11, 20, 21, 30, 31, 50, 51, 52, 53, 54, 55, 56, 57];

/// Adds the tests of an entry of an image; `hr`: of the high-resolution image.
pub(super) fn image_tests(
    config: &ElementConfig,
    entry: &mut Entry,
    ccd: i64,
    names: &[&str],
    raw: &RawData,
    (reference, hr): (Option<&ReferenceRun>, bool),
) {
    let d = config.description;
    let tests = &config.tests;
    let goodness = entry.goodness.as_slice().first().copied().unwrap_or(f64::NAN);
    let mut made: Vec<QualityTest> = Vec::new();
    if matches!(d.id, 61..=64) {
        if tests.get("QT:chi2").active {
            made.push(limits::chi2(tests, goodness));
        }
        if tests.get("QTChi2FromFit").active {
            made.push(limits::chi2_from_fit(tests, goodness));
        }
    }
    // A fit that its residuals contradict says nothing about what it is compared with.
    let cut = tests.get("QT:chi2").cut.unwrap_or(limits::CHI2_CUT);
    let contradicted = |goodness: f64| goodness.is_finite() && !(0.0..=cut).contains(&goodness);
    if matches!(d.id, 30 | 31) {
        made.extend(limits::row_fits(tests, entry.x.as_slice(), entry.goodness.as_slice()));
    }
    if matches!(d.id, 50..=57) {
        made.extend(limits::block_fits(tests, entry.x.as_slice(), entry.goodness.as_slice()));
    }
    if d.scope == Scope::S
        && tests.get("QT:range").active
        && let Some(mut range) = tests.range(ccd, names.iter().copied())
    {
        if d.id == 61 && !config.is_given("qt_valid_range") {
            // The default says where the peak is, not how well few pixels tell it.
            let error = 3.0 * entry.yerr.scalar().filter(|e| e.is_finite()).unwrap_or(0.0);
            range = (range.0 - error, range.1 + error);
        }
        let severity = if d.id == 61 { Flag::Warn } else { Flag::Fail };
        let (x, values) = match d.id {
            32 | 33 => rows_of_pedestal(raw, &entry.amplifier, d.id == 32),
            _ => (entry.x.as_slice().to_vec(), entry.y.as_slice().to_vec()),
        };
        made.push(limits::range(tests, &x, &values, range, severity, d.unit));
    }
    if let Some(reference) = reference {
        if d.scope == Scope::S && d.id < 110 {
            let y = entry.y.scalar().unwrap_or(f64::NAN);
            let run_ref = reference.record.run;
            if matches!(d.id, 61..=64) && contradicted(goodness) {
                made.push(not_applicable("QTresiduals", Some(run_ref), "the fit is contradicted by its own residuals"));
            } else if tests.get("QTresiduals").active {
                let values = reference.scalars(d.id, ccd, &entry.amplifier, hr);
                made.push(scalar::image(tests, y, &values, run_ref, d.unit));
            }
        } else if COMPARED.contains(&d.id) {
            let mut y = entry.y.as_slice().to_vec();
            let mut errors: &[f64] = &[];
            if matches!(d.id, 50..=57) {
                errors = entry.yerr.as_slice();
                let bad = y.iter_mut().zip(entry.goodness.as_slice()).filter(|(_, g)| contradicted(**g));
                bad.for_each(|(y, _)| *y = f64::NAN);
            }
            match reference.vector(d.id, ccd, &entry.amplifier, hr) {
                Some(r) => made.extend(vector::image(tests, d, entry.x.as_slice(), (&y, errors), r)),
                None => made.push(not_applicable(
                    "QTresiduals",
                    Some(reference.record.run),
                    format!(
                        "run {} has no such monitor element of {} image",
                        reference.record.run,
                        if hr { "a high-resolution" } else { "an ordinary" }
                    ),
                )),
            }
        }
    }
    entry.tests.extend(made);
}

/// The tests of a run: `vectors` (or numbers, as vectors of length 1) of its images in their order, with their numbers.
pub(super) fn run_tests(
    config: &ElementConfig,
    ccd: i64,
    amplifier: &str,
    x: &[f64],
    vectors: &[(i64, Vec<f64>)],
    (reference, hr): (Option<&ReferenceRun>, bool),
) -> Vec<QualityTest> {
    let (Some(reference), d) = (reference, config.description) else { return Vec::new() };
    if d.scope == Scope::S && d.id < 110 {
        let y: Vec<(i64, f64)> = vectors.iter().flat_map(|(image, v)| v.iter().map(|y| (*image, *y))).collect();
        return scalar::run(
            &config.tests,
            &y,
            &reference.scalars(d.id, ccd, amplifier, hr),
            reference.record.run,
            d.unit,
        );
    }
    match reference.vector(d.id, ccd, amplifier, hr) {
        Some(r) if COMPARED.contains(&d.id) => vector::run(&config.tests, d, x, vectors, r),
        _ => Vec::new(),
    }
}

/// Hot rows and columns (1-based) of the run mask that the reference does not have: a defect that is in every image shows
/// in no comparison of images among each other.
pub(super) fn hot_lines(
    config: &ElementConfig,
    ccd: i64,
    amplifier: &str,
    rows: &[f64],
    cols: &[f64],
    reference: &ReferenceRun,
) -> Vec<QualityTest> {
    let name = "QThotLines";
    let settings = config.tests.get(name);
    if !settings.active {
        return Vec::new();
    }
    let run_ref = reference.record.run;
    let entries = reference.element(config.description.id).map(|me| &me.run[..]).unwrap_or_default();
    let Some(known) = entries.iter().find(|r| r.amplifier == amplifier && (r.ccd == ccd || entries.len() == 1)) else {
        return vec![not_applicable(name, Some(run_ref), format!("run {run_ref} has no mask"))];
    };
    let new = |lines: &[f64], key: &str| -> Vec<f64> {
        let Some(Extra::Numbers(known)) = known.extra.get(key) else { return lines.to_vec() };
        lines.iter().copied().filter(|line| !known.contains(line)).collect()
    };
    let (rows, cols) = (new(rows, "hot_rows"), new(cols, "hot_cols"));
    let count = (rows.len() + cols.len()) as f64;
    let cut = settings.cut.unwrap_or(0.0);
    let mut test = verdict(name, count > cut, settings.severity.unwrap_or(Flag::Warn), count, cut);
    let list = |what: &str, lines: &[f64]| {
        const SHOWN: usize = 10;
        let numbers: Vec<String> = lines.iter().take(SHOWN).map(|l| format!("{l}")).collect();
        let more = if lines.len() > SHOWN { format!(" and {} more", lines.len() - SHOWN) } else { String::new() };
        (!lines.is_empty()).then(|| format!("{what} {}{more}", numbers.join(", ")))
    };
    let found: Vec<String> = [list("row", &rows), list("column", &cols)].into_iter().flatten().collect();
    test.reason = if found.is_empty() {
        format!("no hot row or column that run {run_ref} does not have")
    } else {
        format!("hot in this run and not in run {run_ref}: {}", found.join("; "))
    };
    test.run_ref = Some(run_ref);
    test.x = rows.into_iter().chain(cols).collect();
    vec![test]
}

/// Rows and their pedestals or sigmas: what the range of ids 32 and 33 holds for.
fn rows_of_pedestal(raw: &RawData, amplifier: &str, is_mu: bool) -> (Vec<f64>, Vec<f64>) {
    let rows = raw.products.get_for::<Pedestal>(amplifier).and_then(|p| p.axes.iter().find(|a| a.axis == Axis::Row));
    let Some(rows) = rows else { return (Vec::new(), Vec::new()) };
    let values = if is_mu { rows.mu.clone() } else { rows.sigma.clone() };
    let first = raw.amplifiers.iter().find(|a| a.name == amplifier).map_or(0, |a| a.full.rows.start);
    ((0..values.len()).map(|k| (rows.first + k - first) as f64 + 1.0).collect(), values)
}
