//! CorrectElectronicColumnTransient: the offset that decays along the first columns of each row is fitted and removed.
//!
//! When an amplifier starts to read a row, its baseline settles like Σ A·exp(−μ·c), c being the column counted from the
//! first one read (for amplifier U from the right edge). The medians of the columns over all rows, relative to the
//! plateau behind, are fitted ([`fit`]) and the curve is subtracted from every row. Spec 02 §9. Columns of the prescan hold
//! no dark charge and have a level of their own ([`levels`]).

pub mod fit;
pub mod levels;

use ndarray::{Array2, Axis};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fit_verdict::FitVerdict;
use super::units::{shown, unit_of_image};
use crate::image::report::{InfoValue, Table};
use crate::image::{Amplifier, Level, RawData, Side};
use crate::plot::{Anchor, Colour, Figure, Guide, Line, Note, Panel, Points, value_with_error};
use crate::process::{Context, Measurement, ProcessError, SKImageProcess};
use fit::{MAX_EXPONENTIALS, Reference, TransientFit, fit_transient};
use levels::{ColumnMedian, Kind, Levels};

/// Parameters of CorrectElectronicColumnTransient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CorrectElectronicColumnTransient {
    /// Image to correct.
    pub image: String,
    /// First column fitted and corrected, counted from the first one that the amplifier reads.
    #[schemars(range(min = 0))]
    pub col_start: i64,
    /// End of the columns fitted and corrected (excluded).
    pub col_end: i64,
    /// Refer the column medians to the median of those behind `col_end`, those of prescan and overscan to the overscan.
    pub subtract_median: bool,
    /// Number of exponentials.
    #[schemars(range(min = 1, max = 4))]
    pub n_exp: usize,
    /// Start values of the decay rates, 1/column, one per exponential.
    pub mu: Vec<f64>,
    /// Start values of the amplitudes, image units, one per exponential.
    pub amplitude: Vec<f64>,
    /// Letters as of ROOT's fits; only Q (fewer messages) has a meaning.
    pub fit_options: String,
    /// Subtract the fitted curve (true), or fit only.
    pub correct_image: bool,
}

impl Default for CorrectElectronicColumnTransient {
    fn default() -> Self {
        Self {
            image: "mean_compressed_pedestal_subtracted".into(),
            col_start: 1,
            col_end: 50,
            subtract_median: true,
            n_exp: 1,
            mu: vec![0.12],
            amplitude: vec![0.013],
            fit_options: "QSMEFR".into(),
            correct_image: true,
        }
    }
}

/// Transient of one amplifier, left for later processes.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnTransient {
    /// The fit, in image units.
    pub fit: TransientFit,
    /// Columns, counted from the first one read.
    pub columns: Vec<ColumnMedian>,
    /// Levels on which their medians rest.
    pub levels: Levels,
    /// Whether the image was corrected with the fit.
    pub applied: bool,
}

impl ColumnTransient {
    /// Median of a column relative to its level; NaN without finite pixels.
    fn median(&self, column: usize) -> f64 {
        let ColumnMedian { median, kind, .. } = self.columns[column];
        median - self.levels.subtracted[kind as usize]
    }

    /// Level of the columns without dark charge minus that of the active region, with its error, image units.
    fn step(&self) -> (f64, f64) {
        let error = |k: usize| match self.levels.known[k] {
            Reference::Known { error } => error,
            Reference::Free => self.fit.level.map_or(f64::NAN, |(_, error)| error),
        };
        let [active, empty] = self.levels.subtracted;
        (empty - active, error(0).hypot(error(1)))
    }
}

impl SKImageProcess for CorrectElectronicColumnTransient {
    fn execute(&self, raw: &mut RawData, context: &Context<'_>) -> Result<(), ProcessError> {
        let amplifier = raw.amplifiers[context.amplifier].clone();
        let name = raw.resolve_image_name(&self.image).to_owned();
        let columns = column_medians(raw.image(&name)?, &amplifier);
        if self.columns(columns.len()).is_empty() {
            return Err(ProcessError::Failed(format!(
                "amplifier {}: no column lies between `col_start` {} and `col_end` {} (it has {})",
                amplifier.name,
                self.col_start,
                self.col_end,
                columns.len()
            )));
        }
        let mut transient = self.measure(columns);
        transient.applied = self.correct_image && transient.fit.verdict.is_usable() && !transient.fit.is_flat();
        let unit = unit_of_image(&name);
        self.report(raw, &amplifier, &transient, unit);
        if self.correct_image {
            self.correct(raw, context, &amplifier, &name, &transient)?;
        }
        if context.wants_figures() {
            self.draw(raw, context, &amplifier, &transient, unit);
        }
        raw.products.set_for(&amplifier.name, transient);
        Ok(())
    }

    fn check(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.col_start < 0 || self.col_end <= self.col_start {
            problems.push(format!(
                "`col_start` is {} and `col_end` is {}; 0 ≤ col_start < col_end is expected",
                self.col_start, self.col_end
            ));
        }
        if !(1..=MAX_EXPONENTIALS).contains(&self.n_exp) {
            problems.push(format!("`n_exp` is {}; 1 to {MAX_EXPONENTIALS} exponentials can be fitted", self.n_exp));
        }
        for (key, list) in [("mu", &self.mu), ("amplitude", &self.amplitude)] {
            if list.len() < self.n_exp {
                problems.push(format!("`{key}` has {} start values; `n_exp` asks for {}", list.len(), self.n_exp));
            }
            if let Some(bad) = list.iter().find(|x| !(0.0..=fit::UPPER_LIMIT).contains(*x)) {
                problems.push(format!("`{key}` holds {bad}; start values lie in 0…{}", fit::UPPER_LIMIT));
            }
        }
        problems
    }
}

/// Median of every column of the amplifier over all its rows, in the order in which the columns are read.
fn column_medians(image: &Array2<f64>, amplifier: &Amplifier) -> Vec<ColumnMedian> {
    let part = amplifier.full.view(image);
    let mut columns: Vec<ColumnMedian> = part
        .axis_iter(Axis(1))
        .zip(amplifier.full.cols.clone())
        .map(|(column, stored)| {
            let kind = if amplifier.active.cols.contains(&stored) { Kind::Active } else { Kind::Empty };
            ColumnMedian::of(&column.to_vec(), kind)
        })
        .collect();
    if amplifier.side == Side::U {
        columns.reverse();
    }
    columns
}

impl CorrectElectronicColumnTransient {
    /// Columns fitted and corrected, of `width`.
    fn columns(&self, width: usize) -> std::ops::Range<usize> {
        let end = usize::try_from(self.col_end).unwrap_or(0).min(width);
        usize::try_from(self.col_start).unwrap_or(0).min(end)..end
    }

    /// Refers the medians to their levels and fits the transient (a pure function of the medians).
    pub fn measure(&self, columns: Vec<ColumnMedian>) -> ColumnTransient {
        let fitted = self.columns(columns.len());
        let mut levels = if self.subtract_median { Levels::behind(&columns, fitted.end) } else { Levels::ZERO };
        let points = levels.points(&columns, fitted);
        let start: Vec<(f64, f64)> =
            self.amplitude.iter().copied().zip(self.mu.iter().copied()).take(self.n_exp).collect();
        let fit = fit_transient(&points, &levels.known, &start, levels.noise);
        if let (Some((level, _)), Some(k)) = (fit.level, levels.known.iter().position(|l| *l == Reference::Free)) {
            levels.subtracted[k] = level;
        }
        ColumnTransient { fit, columns, levels, applied: false }
    }

    /// Makes or completes the corrected image; the columns stay as they are when the fit is not usable.
    fn correct(
        &self,
        raw: &mut RawData,
        context: &Context<'_>,
        amplifier: &Amplifier,
        name: &str,
        transient: &ColumnTransient,
    ) -> Result<(), ProcessError> {
        let output = format!("{name}_correct_cols");
        let begun = if context.amplifier == 0 { None } else { raw.images.shift_remove(&output) };
        let mut image = match begun {
            Some(image) => image,
            None => raw.image(name)?.clone(),
        };
        if transient.applied {
            for c in self.columns(amplifier.full.cols.len()) {
                let offset = transient.fit.value(c as f64);
                let col = if amplifier.side == Side::U { amplifier.full.cols.len() - 1 - c } else { c };
                amplifier.full.view_mut(&mut image).column_mut(col).mapv_inplace(|q| q - offset);
            }
        }
        raw.images.insert(output, image);
        Ok(())
    }

    fn report(&self, raw: &mut RawData, amplifier: &Amplifier, transient: &ColumnTransient, unit: &str) {
        let (name, short) = (&amplifier.name, amplifier.short_name());
        let fit = &transient.fit;
        let width = transient.columns.len();
        let columns = self.columns(width);
        if self.subtract_median && columns.end >= width {
            raw.report.warn(format!(
                "amplifier {name}: no column lies behind `col_end` = {}; the medians are not referred to a plateau",
                self.col_end
            ));
        }
        self.report_step(raw, amplifier, transient, unit);
        let is_flat = fit.is_flat();
        // where nothing decays, the other parameter is not determined
        let known = |error: f64| if is_flat { f64::NAN } else { error };
        let single = raw.amplifiers.len() == 1;
        if let Some(first) = fit.exponentials.first() {
            raw.report.measure(
                Measurement::new("transient_rate", first.rate, "1/column")
                    .error(known(first.rate_error))
                    .card(format!("ECTMU{short}"), "column transient: decay rate [1/column]")
                    .info_branch(format!("{name}_ect_mu")),
            );
            raw.report.measure(
                Measurement::new("transient_amplitude", first.amplitude, unit)
                    .error(known(first.amplitude_error))
                    .card(format!("ECTA{short}"), format!("column transient: amplitude [{unit}]"))
                    .info_branch(format!("{name}_ect_amplitude")),
            );
            if single {
                raw.report.info_branch("ect_mu", InfoValue::Double(first.rate));
                raw.report.info_branch("ect_amplitude", InfoValue::Double(first.amplitude));
                raw.report.info_branch("ect_chi", InfoValue::Double(fit.residual_sum));
            }
        }
        for (k, e) in fit.exponentials.iter().enumerate().skip(1) {
            let number = k + 1;
            raw.report
                .measure(Measurement::new(format!("transient_rate_{number}"), e.rate, "1/column").error(e.rate_error));
            raw.report.measure(
                Measurement::new(format!("transient_amplitude_{number}"), e.amplitude, unit).error(e.amplitude_error),
            );
        }
        raw.report.measure(
            Measurement::new("transient_residual_sum", fit.residual_sum, format!("{unit}2"))
                .card(format!("ECTCHI{short}"), "column transient: residual sum of squares")
                .info_branch(format!("{name}_ect_chi")),
        );
        raw.report.measure(fit.verdict.measurement("transient_status", &format!("ECTST{short}")));
        raw.report.info_branch(format!("{name}_ect_status"), InfoValue::Int(i32::from(fit.verdict.word())));

        raw.report.table(Table {
            name: format!("CorrectElectronicColumnTransient_ETfit_{name}"),
            columns: ["column", &format!("median_{unit}"), &format!("fit_{unit}"), "fitted", &format!("level_{unit}")]
                .map(str::to_owned)
                .to_vec(),
            rows: (0..width)
                .map(|c| {
                    let fitted = f64::from(u8::from(columns.contains(&c)));
                    let level = transient.levels.subtracted[transient.columns[c].kind as usize];
                    vec![c as f64, transient.median(c), fit.value(c as f64), fitted, level]
                })
                .collect(),
        });
        let describe = |e: &fit::Exponential| {
            format!(
                "{}·exp(−({})·c)",
                value_with_error(e.amplitude, e.amplitude_error),
                value_with_error(e.rate, e.rate_error)
            )
        };
        let curve: Vec<String> = fit.exponentials.iter().map(describe).collect();
        let action = match (self.correct_image, transient.applied) {
            (true, true) => "",
            (true, false) => "; the columns are left as they are",
            (false, _) => "; fit only",
        };
        let found = if is_flat { "none".into() } else { format!("({}) {unit}", curve.join(" + ")) };
        let action = if is_flat && self.correct_image { "; the columns are left as they are" } else { action };
        let unlike = fit.verdict.has(FitVerdict::CONTRADICTED);
        raw.report.result(format!(
            "amplifier {name}: column transient {found}, columns {}…{}, residual sum {} {unit}²{action}{}",
            columns.start,
            columns.end.saturating_sub(1),
            value_with_error(fit.residual_sum, f64::NAN),
            if is_flat && !unlike { String::new() } else { fit.verdict.remark() }
        ));
        if !self.fit_options.to_ascii_uppercase().contains('Q') {
            raw.report.log(
                Level::Info,
                format!(
                    "amplifier {name}: plateau {:.6} {unit}, scatter of a column median {} {unit}, {} points",
                    transient.levels.subtracted[Kind::Active as usize],
                    transient.levels.noise.map_or("unknown".into(), |s| value_with_error(s, f64::NAN)),
                    fit.ndf + 2 * fit.exponentials.len() as i64 + i64::from(fit.level.is_some())
                ),
            );
        }
        if is_flat && !unlike {
            raw.report.inform(format!("amplifier {name}: no offset decays along the columns fitted"));
        } else {
            fit.verdict.warn(raw, &format!("amplifier {name}: the fit of the column transient"));
        }
    }

    /// The step between columns with and without dark charge, where the fit meets both.
    fn report_step(&self, raw: &mut RawData, amplifier: &Amplifier, transient: &ColumnTransient, unit: &str) {
        let fitted = &transient.columns[self.columns(transient.columns.len())];
        let has = |kind: Kind| fitted.iter().any(|c| c.kind == kind);
        if !(has(Kind::Active) && has(Kind::Empty)) {
            return;
        }
        let name = &amplifier.name;
        if !self.subtract_median {
            raw.report.inform(format!(
                "amplifier {name}: the fitted columns hold pixels with and without dark charge; without `subtract_median` a step \
                 between them is taken for a part of the decay"
            ));
            return;
        }
        let (step, error) = transient.step();
        raw.report.measure(Measurement::new("transient_level_step", step, unit).error(error).card(
            format!("ECTSTEP{}", amplifier.short_name()),
            format!("column transient: prescan - active [{unit}]"),
        ));
        let source = if transient.fit.level.is_some() { "a parameter of the fit" } else { "from the columns behind" };
        raw.report.inform(format!(
            "amplifier {name}: columns without dark charge lie at {} {unit} relative to the active ones ({source}); each kind \
             is referred to its own level",
            value_with_error(step, error)
        ));
    }

    fn draw(
        &self,
        raw: &mut RawData,
        context: &Context<'_>,
        amplifier: &Amplifier,
        transient: &ColumnTransient,
        unit: &str,
    ) {
        let fit = &transient.fit;
        let width = transient.columns.len();
        let columns = self.columns(width);
        // the plateau beside the fitted columns, as far again
        let drawn = 0..(2 * columns.end).min(width);
        let of_kind = |kind: Kind| {
            let chosen: Vec<usize> = drawn.clone().filter(|&c| transient.columns[c].kind == kind).collect();
            let points = Points::new(chosen.iter().map(|&c| c as f64), chosen.iter().map(|&c| transient.median(c)));
            let errors: Vec<f64> = chosen.iter().map(|&c| transient.columns[c].error).collect();
            let points = if errors.iter().all(|e| e.is_finite()) { points.y_errors(errors) } else { points };
            (!chosen.is_empty()).then_some(points)
        };
        let kinds = [of_kind(Kind::Active), of_kind(Kind::Empty)];
        let both = kinds.iter().all(Option::is_some);
        let (from, to) = (columns.start as f64, columns.end.saturating_sub(1) as f64);
        let mut note = Note::fit_results();
        for (k, e) in fit.exponentials.iter().enumerate().filter(|_| !fit.is_flat()) {
            let index = if fit.exponentials.len() > 1 { format!("_{}", k + 1) } else { String::new() };
            note = note.value(format!("A{index} [{}]", shown(unit)), e.amplitude, e.amplitude_error).value(
                format!("μ{index} [1/column]"),
                e.rate,
                e.rate_error,
            );
        }
        if let Some(chi2) = fit.chi2 {
            note = note.chi2(chi2, usize::try_from(fit.ndf).unwrap_or(0));
        }
        note = note.entry("residual sum", value_with_error(fit.residual_sum, f64::NAN));
        let mut panel = Panel::new()
            .x(" column number ")
            .y(format!("(electronic-tail) baseline [{}]", shown(unit)))
            .integer_x()
            .guide(Guide::horizontal(0.0).dotted().colour(Colour::GREY))
            .note(note);
        let looks = [("active columns", Colour::BLACK), ("prescan and overscan", Colour::BLUE)];
        for (points, (label, colour)) in kinds.into_iter().zip(looks) {
            if let Some(points) = points {
                panel = panel.points(if both { points.filled(colour).label(label) } else { points });
            }
        }
        if fit.is_flat() {
            panel = panel.note(Note::new(Anchor::Free, ["nothing decays along the columns"]).boxed());
        } else if !fit.verdict.has(FitVerdict::TOO_FEW_DATA) {
            panel = panel.line(Line::function(from, to, 400, |c| fit.value(c)));
        }
        if let Some(note) = fit.verdict.note().filter(|_| !fit.is_flat() || fit.verdict.has(FitVerdict::CONTRADICTED)) {
            panel = panel.note(note);
        }
        let mut chain = raw.chain.clone();
        chain.push(context.entry.tag.to_owned());
        let figure = Figure::new(format!("CorrectElectronicColumnTransient_ETfit_{}", amplifier.name))
            .titles(&format!("Column transient, amplifier {}", amplifier.name), &raw.source.label, &chain)
            .panel(panel)
            .caption("Medians of the first columns read, relative to those of their kind behind, and the decay fitted to them.");
        raw.report.figure(figure);
    }
}

#[cfg(test)]
mod tests;
