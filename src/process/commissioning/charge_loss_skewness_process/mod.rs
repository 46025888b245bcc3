//! ChargeLossSkewnessProcess: numbers for the loss of charge between skips.
//!
//! For each chosen skip the differences to a reference skip should be distributed symmetrically; loss makes one tail
//! longer (`asymmetry`). From all skips together comes the probability that an electron is lost per transfer, with
//! its interval ([`transfer`]). Spec 04 §6.

pub mod asymmetry;
mod figures;
#[cfg(test)]
mod tests;
pub mod transfer;

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::asymmetry::{Asymmetry, asymmetry};
use self::transfer::{TransferLoss, TransferSurvey};
use super::selection::{Ranges, rows_in_block};
use super::survey::{BookedSurvey, HELD_VALUES, Survey, finished};
use crate::image::cube::Block;
use crate::image::report::{Table, TableHead};
use crate::image::{RawData, Region};
use crate::plot::{interval, value_with_error};
use crate::process::{Context, Measurement, ProcessError, SKImageProcess};

/// |k_CL| in units of its error from which on a skip is named.
const CONSPICUOUS: f64 = 5.0;
/// Skips in the log.
const LOGGED_SKIPS: usize = 10;

/// Parameters of ChargeLossSkewnessProcess.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ChargeLossSkewnessProcess {
    /// Use the overscan instead of the active region for the differences.
    pub use_overscan: bool,
    /// Reference skip; negative: from the end.
    pub id_skip_reference: i64,
    /// First skip that is compared with the reference.
    pub id_skip_start: i64,
    /// Last skip that is compared (included); negative: from the end.
    pub id_skip_end: i64,
    /// Step between the skips that are compared; more than half of their number: every skip.
    #[schemars(range(min = 1))]
    pub skip_step: i64,
    /// Where the tails of the differences begin, standard deviations.
    pub kcl_threshold: f64,
    /// Differences further out are left out of the skewness, standard deviations.
    pub kcl_n_sig: f64,
    /// Make the figure.
    pub display: bool,
}

impl Default for ChargeLossSkewnessProcess {
    fn default() -> Self {
        Self {
            use_overscan: false,
            id_skip_reference: 1,
            id_skip_start: 0,
            id_skip_end: -1,
            skip_step: 50,
            kcl_threshold: 3.2,
            kcl_n_sig: 8.0,
            display: true,
        }
    }
}

/// Charge loss of an amplifier, left for the monitor.
#[derive(Debug, Clone, PartialEq)]
pub struct ChargeLoss {
    /// Reference skip.
    pub reference: usize,
    /// One entry per skip compared.
    pub skips: Vec<Asymmetry>,
    /// Loss per transfer; `None` with too few skips or pixels.
    pub transfer: Option<TransferLoss>,
    /// Pixels with the largest and the smallest value in the reference skip: row, column and all their skips, ADU.
    pub extremes: Option<[Trace; 2]>,
}

/// All skips of a pixel.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// Row.
    pub row: usize,
    /// Column.
    pub col: usize,
    /// Samples, ADU.
    pub samples: Vec<f64>,
}

/// What is compared with what.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Comparison {
    reference: usize,
    skips: Vec<usize>,
    region: Region,
}

/// Gathers differences to the reference skip, and the covariances of the transfer.
#[derive(Debug)]
struct LossSurvey {
    comparison: Comparison,
    limits: (f64, f64),
    /// Part of the skips that this pass looks at.
    part: Range<usize>,
    /// Differences, `[skip of the part][pixel]`.
    differences: Vec<Vec<f64>>,
    totals: Vec<f64>,
    found: Vec<Asymmetry>,
    extremes: Option<[Trace; 2]>,
    transfer: Option<TransferSurvey>,
}

/// What is found in a block.
#[derive(Debug)]
struct Found {
    differences: Vec<Vec<f64>>,
    totals: Vec<f64>,
    extremes: Option<[Trace; 2]>,
    transfer: Option<transfer::Found>,
}

impl LossSurvey {
    fn new(comparison: Comparison, limits: (f64, f64), transfer: Option<TransferSurvey>) -> Self {
        let count = comparison.skips.len();
        let per_pass = (HELD_VALUES / comparison.region.len().max(1)).clamp(1, count.max(1)).min(count);
        let mut survey = Self {
            comparison,
            limits,
            part: 0..per_pass,
            differences: Vec::new(),
            totals: Vec::new(),
            found: Vec::new(),
            extremes: None,
            transfer,
        };
        survey.prepare();
        survey
    }

    fn prepare(&mut self) {
        self.differences = vec![Vec::new(); self.part.len()];
        self.totals = vec![0.0; self.part.len()];
    }

    fn result(self) -> ChargeLoss {
        ChargeLoss {
            reference: self.comparison.reference,
            transfer: self.transfer.as_ref().and_then(TransferSurvey::fit),
            skips: self.found,
            extremes: self.extremes,
        }
    }
}

impl Survey for LossSurvey {
    type Found = Found;

    fn observe(&self, block: &Block<'_>) -> Found {
        let Comparison { reference, skips, region } = &self.comparison;
        let rows = rows_in_block(region, &block.rows);
        let skips = &skips[self.part.clone()];
        let mut differences = vec![Vec::with_capacity(rows.len() * region.cols.len()); skips.len()];
        let mut totals = vec![0.0; skips.len()];
        let mut extremes: Option<[(f64, usize, usize); 2]> = None;
        for row in rows {
            for col in region.cols.clone() {
                let pixel = block.pixel(row, col);
                let base = pixel.get(*reference);
                for ((list, total), k) in differences.iter_mut().zip(&mut totals).zip(skips) {
                    let q = pixel.get(*k);
                    list.push(q - base);
                    *total += if q.is_finite() { q } else { 0.0 };
                }
                if base.is_finite() {
                    let here = (base, row, col);
                    let [high, low] = extremes.get_or_insert([here, here]);
                    if base > high.0 {
                        *high = here;
                    }
                    if base < low.0 {
                        *low = here;
                    }
                }
            }
        }
        let trace =
            |(_, row, col): (f64, usize, usize)| Trace { row, col, samples: block.pixel(row, col).iter().collect() };
        let first_pass = self.part.start == 0;
        Found {
            differences,
            totals,
            extremes: extremes.filter(|_| first_pass).map(|e| e.map(trace)),
            transfer: self.transfer.as_ref().filter(|_| first_pass).map(|t| t.observe(block)),
        }
    }

    fn collect(&mut self, found: Found) {
        for (all, part) in self.differences.iter_mut().zip(found.differences) {
            all.extend(part);
        }
        self.totals.iter_mut().zip(found.totals).for_each(|(a, b)| *a += b);
        if let Some([high, low]) = found.extremes {
            let at = |t: &Trace| t.samples[self.comparison.reference];
            match &mut self.extremes {
                None => self.extremes = Some([high, low]),
                Some(mine) => {
                    if at(&high) > at(&mine[0]) {
                        mine[0] = high;
                    }
                    if at(&low) < at(&mine[1]) {
                        mine[1] = low;
                    }
                }
            }
        }
        if let (Some(mine), Some(found)) = (&mut self.transfer, found.transfer) {
            mine.collect(found);
        }
    }

    fn needs_another_pass(&mut self) -> bool {
        let (threshold, cut) = self.limits;
        for (i, differences) in std::mem::take(&mut self.differences).into_iter().enumerate() {
            let skip = self.comparison.skips[self.part.start + i];
            self.found.push(asymmetry(skip, &differences, threshold, cut, self.totals[i]));
        }
        let done = self.part.end;
        self.part = done..(done + self.part.len()).min(self.comparison.skips.len());
        self.prepare();
        !self.part.is_empty()
    }
}

impl SKImageProcess for ChargeLossSkewnessProcess {
    fn execute(&self, raw: &mut RawData, context: &Context<'_>) -> Result<(), ProcessError> {
        let amplifier = raw.amplifiers[context.amplifier].clone();
        if raw.cube.is_none() {
            return Ok(());
        }
        let survey = self.prepared(raw, context)?;
        if survey.comparison.region.is_empty() {
            raw.report.warn(format!("amplifier {}: no pixel to compare the skips on", amplifier.name));
            return Ok(());
        }
        if survey.comparison.skips.is_empty() {
            raw.report.warn(format!(
                "amplifier {}: the only skip to be compared is the reference skip {}, nothing to do",
                amplifier.name, survey.comparison.reference
            ));
            return Ok(());
        }
        let result = finished(raw, context, survey)?.result();
        self.report(raw, context, &result);
        if self.display && context.wants_figures() {
            figures::draw(raw, context, &result);
        }
        raw.products.set_for(&amplifier.name, result);
        Ok(())
    }

    fn survey(&self, raw: &RawData, context: &Context<'_>) -> Option<Box<dyn BookedSurvey>> {
        let usable = |s: &LossSurvey| !s.comparison.region.is_empty() && !s.comparison.skips.is_empty();
        let survey = self.prepared(raw, context).ok().filter(usable)?;
        Some(Box::new(survey))
    }

    fn check(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.skip_step < 1 {
            problems.push(format!("`skip_step` is {}; at least 1 is expected", self.skip_step));
        }
        for (key, value) in [("kcl_threshold", self.kcl_threshold), ("kcl_n_sig", self.kcl_n_sig)] {
            if !(value > 0.0) {
                problems.push(format!("`{key}` is {value}; a positive number of standard deviations is expected"));
            }
        }
        problems
    }
}

impl ChargeLossSkewnessProcess {
    fn prepared(&self, raw: &RawData, context: &Context<'_>) -> Result<LossSurvey, ProcessError> {
        let amplifier = &raw.amplifiers[context.amplifier];
        let ranges = Ranges::pixels(raw, context)?;
        let region = if self.use_overscan { &amplifier.overscan } else { &amplifier.active };
        let skips = self.skips(raw.nskips)?;
        let (first, last) = (self.bound("id_skip_start", self.id_skip_start, raw.nskips)?, raw.nskips);
        let comparison = Comparison {
            reference: self.bound("id_skip_reference", self.id_skip_reference, raw.nskips)?,
            skips,
            region: ranges.within(region),
        };
        let overscan = Region::new(amplifier.active.rows.clone(), amplifier.overscan.cols.clone());
        let end = self.bound("id_skip_end", self.id_skip_end, raw.nskips)? + 1;
        let transfer =
            TransferSurvey::new(ranges.within(&amplifier.active), ranges.within(&overscan), first..end.min(last));
        Ok(LossSurvey::new(comparison, (self.kcl_threshold, self.kcl_n_sig), transfer))
    }

    /// A skip counted from the end where negative.
    fn bound(&self, key: &str, k: i64, all: usize) -> Result<usize, ProcessError> {
        let index = if k < 0 { (all as i64).saturating_add(k) } else { k };
        usize::try_from(index).ok().filter(|i| *i < all).ok_or_else(|| {
            ProcessError::Failed(format!("`{key}`: there is no skip {k}, the image has {all} (0 … {})", all - 1))
        })
    }

    /// The skips that are compared with the reference.
    fn skips(&self, all: usize) -> Result<Vec<usize>, ProcessError> {
        // the built-in reference does not exist in an image of one skip, which is left alone anyway
        let reference = self.bound("id_skip_reference", self.id_skip_reference, all)?;
        let start = self.bound("id_skip_start", self.id_skip_start, all)?;
        let end = self.bound("id_skip_end", self.id_skip_end, all)?;
        if start > end {
            return Err(ProcessError::Failed(format!(
                "`id_skip_start` {start} lies behind `id_skip_end` {end}: no skip is left"
            )));
        }
        let step = usize::try_from(self.skip_step).unwrap_or(1).max(1);
        let step = if 2 * step > end - start { 1 } else { step };
        Ok((start..=end).step_by(step).filter(|k| *k != reference).collect())
    }

    fn report(&self, raw: &mut RawData, context: &Context<'_>, result: &ChargeLoss) {
        let amplifier = raw.amplifiers[context.amplifier].clone();
        let (name, short) = (&amplifier.name, amplifier.short_name());
        let reference = result.reference;
        let conspicuous: Vec<&Asymmetry> =
            result.skips.iter().filter(|a| a.significance().abs() > CONSPICUOUS).collect();
        raw.report.result(format!(
            "amplifier {name}: {} skip(s) compared with skip {reference}, {} with asymmetric tails (|k_CL| > {CONSPICUOUS} \
             errors)",
            result.skips.len(),
            conspicuous.len()
        ));
        for a in conspicuous.iter().take(LOGGED_SKIPS) {
            raw.report.inform(format!(
                "amplifier {name}: skip {}: k_CL = {} (N_above {}, N_below {}), skewness {}",
                a.skip,
                value_with_error(a.kcl, a.kcl_error),
                a.n_above,
                a.n_below,
                value_with_error(a.skewness, a.skewness_error)
            ));
        }
        if conspicuous.len() > LOGGED_SKIPS {
            raw.report.inform(format!(
                "amplifier {name}: and {} more with asymmetric tails (all skips are in the table)",
                conspicuous.len() - LOGGED_SKIPS
            ));
        }
        if let Some(problem) = result.skips.iter().find_map(|a| a.problem.as_ref()) {
            raw.report.warn(format!("amplifier {name}: some skips have no result: {problem}"));
        }
        raw.report.measure(Measurement::integer("asymmetric_skips", conspicuous.len() as i64));
        let worst = result.skips.iter().filter(|a| a.kcl.is_finite()).fold(None, |worst: Option<&Asymmetry>, a| {
            if worst.is_some_and(|w| w.significance().abs() >= a.significance().abs()) { worst } else { Some(a) }
        });
        if let Some(worst) = worst {
            raw.report.measure(Measurement::new("largest_kcl", worst.kcl, "").error(worst.kcl_error));
        }
        let mut head = TableHead::default()
            .scalar("amplifier", name)
            .scalar("reference_skip", reference)
            .scalar("kcl_threshold", self.kcl_threshold)
            .scalar("kcl_n_sig", self.kcl_n_sig);
        let problems = problems(&result.skips);
        if !problems.is_empty() {
            head = head.scalar("skips_without_result", problems);
        }
        match &result.transfer {
            Some(loss) if loss.is_measured() => {
                raw.report.result(format!(
                    "amplifier {name}: charge loss per transfer {}, 95 % interval {}",
                    value_with_error(loss.probability, loss.error),
                    interval(loss.interval.0, loss.interval.1)
                ));
                raw.report.measure(
                    Measurement::new("charge_loss_per_transfer", loss.probability, "")
                        .error(loss.error)
                        .card(format!("MECLP{short}"), "charge loss probability per skip transfer")
                        .error_card(format!("EMECLP{short}"), "error of the charge loss probability"),
                );
                raw.report.measure(
                    Measurement::new("charge_loss_upper_limit", loss.interval.1, "")
                        .card(format!("MECLU{short}"), "95% CL upper end of the charge loss prob."),
                );
                head = head
                    .scalar("loss_per_transfer", loss.probability)
                    .scalar("loss_per_transfer_error", loss.error)
                    .scalar("loss_per_transfer_95_low", loss.interval.0)
                    .scalar("loss_per_transfer_95_high", loss.interval.1);
            }
            Some(loss) => raw.report.inform(format!(
                "amplifier {name}: too little charge in the image to measure its loss ({:.1} standard deviations)",
                loss.significance
            )),
            None => {}
        }
        let columns = [
            "skip",
            "kcl",
            "kcl_err",
            "n_above",
            "n_below",
            "skewness",
            "skewness_err",
            "mu",
            "sigma",
            "mean_diff",
            "total_charge",
            "mu_err",
            "mean_diff_err",
        ];
        let rows = result.skips.iter().map(|a| {
            let counted = |n: usize| if a.problem.is_some() { f64::NAN } else { n as f64 };
            vec![
                a.skip as f64,
                a.kcl,
                a.kcl_error,
                counted(a.n_above),
                counted(a.n_below),
                a.skewness,
                a.skewness_error,
                a.mu,
                a.sigma,
                a.mean,
                a.total_charge,
                a.mu_error(),
                a.mean_error,
            ]
        });
        let table = Table {
            name: format!("ChargeLossSkewnessProcess_{name}"),
            columns: columns.map(str::to_owned).to_vec(),
            rows: rows.collect(),
        };
        raw.report.table_with(table, head);
    }
}

/// Which skips have no result and why: `0 5: <reason>; 7: <other reason>`.
fn problems(skips: &[Asymmetry]) -> String {
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for a in skips {
        let Some(problem) = a.problem.as_deref() else { continue };
        match reasons.iter_mut().find(|(reason, _)| *reason == problem) {
            Some((_, list)) => list.push(a.skip.to_string()),
            None => reasons.push((problem, vec![a.skip.to_string()])),
        }
    }
    let texts = reasons.into_iter().map(|(reason, list)| format!("{}: {reason}", list.join(" ")));
    texts.collect::<Vec<_>>().join("; ")
}
