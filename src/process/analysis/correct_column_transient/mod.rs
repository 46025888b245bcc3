//! CorrectElectronicColumnTransient: the offset that decays along the first columns of each row is fitted and removed.
//!
//! When an amplifier starts to read a row, its baseline settles like Σ A·exp(−μ·c), c being the column counted from the
//! first one read (for amplifier U from the right edge). The medians of the columns over all rows, relative to the
//! plateau behind, are fitted ([`fit`]) and the curve is subtracted from every row. Spec 02 §9.

pub mod fit;

use ndarray::{Array2, Axis};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fit_verdict::FitVerdict;
use super::units::unit_of_image;
use crate::image::report::{InfoValue, Table};
use crate::image::{Amplifier, Level, RawData, Side};
use crate::plot::{Colour, Figure, Guide, Line, Note, Panel, Points, value_with_error};
use crate::process::{Context, Measurement, ProcessError, SKImageProcess};
use crate::stats::robust;
use fit::{MAX_EXPONENTIALS, TransientFit, fit_transient};

/// Fewest columns behind the fitted ones from which the scatter of the medians is estimated.
const MIN_PLATEAU_COLUMNS: usize = 8;

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
    /// Refer the column medians to the median of those behind `col_end`.
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
    /// Median of each column, counted from the first one read, relative to the plateau; NaN without finite pixels.
    pub medians: Vec<f64>,
    /// Plateau that was subtracted from the medians, image units.
    pub plateau: f64,
    /// Standard deviation of one median, from the scatter of the plateau.
    pub noise: Option<f64>,
    /// Whether the image was corrected with the fit.
    pub applied: bool,
}

impl SKImageProcess for CorrectElectronicColumnTransient {
    fn execute(&self, raw: &mut RawData, context: &Context<'_>) -> Result<(), ProcessError> {
        let amplifier = raw.amplifiers[context.amplifier].clone();
        let name = raw.resolve_image_name(&self.image).to_owned();
        let medians = column_medians(raw.image(&name)?, &amplifier);
        let mut transient = self.measure(medians);
        transient.applied = self.correct_image && transient.fit.verdict.is_usable();
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
fn column_medians(image: &Array2<f64>, amplifier: &Amplifier) -> Vec<f64> {
    let part = amplifier.full.view(image);
    let mut medians: Vec<f64> = part
        .axis_iter(Axis(1))
        .map(|column| {
            let mut values: Vec<f64> = column.iter().copied().filter(|x| x.is_finite()).collect();
            robust::median_in_place(&mut values)
        })
        .collect();
    if amplifier.side == Side::U {
        medians.reverse();
    }
    medians
}

impl CorrectElectronicColumnTransient {
    /// Columns fitted and corrected, of `width`.
    fn columns(&self, width: usize) -> std::ops::Range<usize> {
        let end = usize::try_from(self.col_end).unwrap_or(0).min(width);
        usize::try_from(self.col_start).unwrap_or(0).min(end)..end
    }

    /// Refers the medians to their plateau and fits the transient (a pure function of the medians).
    pub fn measure(&self, mut medians: Vec<f64>) -> ColumnTransient {
        let columns = self.columns(medians.len());
        let behind: Vec<f64> = medians[columns.end..].iter().copied().filter(|m| m.is_finite()).collect();
        let plateau = if self.subtract_median && !behind.is_empty() { robust::median(&behind) } else { 0.0 };
        medians.iter_mut().for_each(|m| *m -= plateau);
        let noise = (behind.len() >= MIN_PLATEAU_COLUMNS).then(|| robust::mad(&behind) * robust::MAD_TO_SIGMA);
        let (x, y): (Vec<f64>, Vec<f64>) =
            columns.filter(|&c| medians[c].is_finite()).map(|c| (c as f64, medians[c])).unzip();
        let start: Vec<(f64, f64)> =
            self.amplitude.iter().copied().zip(self.mu.iter().copied()).take(self.n_exp).collect();
        let fit = fit_transient(&x, &y, &start, noise);
        ColumnTransient { fit, medians, plateau, noise, applied: false }
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
        let ColumnTransient { fit, medians, .. } = transient;
        let columns = self.columns(medians.len());
        if self.subtract_median && columns.end >= medians.len() {
            raw.report.warn(format!(
                "amplifier {name}: no column lies behind `col_end` = {}; the medians are not referred to a plateau",
                self.col_end
            ));
        }
        let prescan = amplifier.prescan.cols.len();
        if columns.start < prescan && prescan < columns.end {
            raw.report.inform(format!(
                "amplifier {name}: the fitted columns {}…{} begin in the prescan (columns 0…{}), which holds no dark current: where it \
                 moves the medians of the others, begin at `col_start` = {prescan}",
                columns.start,
                columns.end - 1,
                prescan - 1
            ));
        }
        let single = raw.amplifiers.len() == 1;
        if let Some(first) = fit.exponentials.first() {
            raw.report.measure(
                Measurement::new("transient_rate", first.rate, "1/column")
                    .error(first.rate_error)
                    .card(format!("ECTMU{short}"), "column transient: decay rate [1/column]")
                    .info_branch(format!("{name}_ect_mu")),
            );
            raw.report.measure(
                Measurement::new("transient_amplitude", first.amplitude, unit)
                    .error(first.amplitude_error)
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
            columns: vec!["column".into(), format!("median_{unit}"), format!("fit_{unit}"), "fitted".into()],
            rows: (0..medians.len())
                .map(|c| vec![c as f64, medians[c], fit.value(c as f64), f64::from(u8::from(columns.contains(&c)))])
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
        raw.report.result(format!(
            "amplifier {name}: column transient ({}) {unit}, columns {}…{}, residual sum {} {unit}²{action}{}",
            curve.join(" + "),
            columns.start,
            columns.end.saturating_sub(1),
            value_with_error(fit.residual_sum, f64::NAN),
            fit.verdict.remark()
        ));
        if !self.fit_options.to_ascii_uppercase().contains('Q') {
            raw.report.log(
                Level::Info,
                format!(
                    "amplifier {name}: plateau {:.6} {unit}, scatter of a column median {} {unit}, {} points",
                    transient.plateau,
                    transient.noise.map_or("unknown".into(), |s| value_with_error(s, f64::NAN)),
                    fit.ndf + 2 * fit.exponentials.len() as i64
                ),
            );
        }
        fit.verdict.warn(raw, &format!("amplifier {name}: the fit of the column transient"));
    }

    fn draw(
        &self,
        raw: &mut RawData,
        context: &Context<'_>,
        amplifier: &Amplifier,
        transient: &ColumnTransient,
        unit: &str,
    ) {
        let ColumnTransient { fit, medians, noise, .. } = transient;
        let columns = self.columns(medians.len());
        // the plateau beside the fitted columns, as far again
        let shown = (2 * columns.end).min(medians.len());
        let x: Vec<f64> = (0..shown).map(|c| c as f64).collect();
        let mut points = Points::new(&x, &medians[..shown]);
        if let Some(noise) = noise {
            points = points.y_errors(vec![*noise; shown]);
        }
        let (from, to) = (columns.start as f64, columns.end.saturating_sub(1) as f64);
        let mut note = Note::fit_results();
        for (k, e) in fit.exponentials.iter().enumerate() {
            let index = if fit.exponentials.len() > 1 { format!("_{}", k + 1) } else { String::new() };
            note = note.value(format!("A{index} [{unit}]"), e.amplitude, e.amplitude_error).value(
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
            .y(format!("(electronic-tail) baseline [{unit}]"))
            .integer_x()
            .guide(Guide::horizontal(0.0).dotted().colour(Colour::GREY))
            .points(points)
            .note(note);
        if !fit.verdict.has(FitVerdict::TOO_FEW_DATA) {
            panel = panel.line(Line::function(from, to, 400, |c| fit.value(c)));
        }
        if let Some(note) = fit.verdict.note() {
            panel = panel.note(note.at(crate::plot::Anchor::BottomRight));
        }
        let mut chain = raw.chain.clone();
        chain.push(context.entry.tag.to_owned());
        let figure = Figure::new(format!("CorrectElectronicColumnTransient_ETfit_{}", amplifier.name))
            .titles(&format!("Column transient, amplifier {}", amplifier.name), &raw.source.label, &chain)
            .panel(panel)
            .caption("Medians of the first columns read, relative to those behind, and the decay fitted to them.");
        raw.report.figure(figure);
    }
}

#[cfg(test)]
mod tests;
