//! The files of a closure study: `closure.md` (table and figures), `closure.csv`, `closure.json`, `closure.pdf`, and the
//! figures as PNG.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::figures::{distributions, overview};
use super::{ClosureError, Entry, ErrorSource, Extent, Plan, REPETITION, StudyResult, Verdict};
use crate::atomic_file;
use crate::plot::{Figure, Format, ReportSection, render, render_report, value_with_error};

/// How many rows of the table say what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Mean and width are right.
    pub closes: usize,
    /// They are as far off as is known.
    pub by_design: usize,
    /// They are not.
    pub fails: usize,
    /// Rows that were repeated because the first images left the tolerance.
    pub repeated: usize,
}

impl Tally {
    /// Counts the rows.
    pub fn of(studies: &[StudyResult]) -> Self {
        let mut tally = Self::default();
        for (_, entry) in studies.iter().flat_map(StudyResult::entries) {
            match entry.verdict() {
                Verdict::Closes => tally.closes += 1,
                Verdict::ByDesign => tally.by_design += 1,
                Verdict::Fails => tally.fails += 1,
            }
            tally.repeated += usize::from(entry.first.is_some());
        }
        tally
    }

    /// One sentence.
    pub fn sentence(&self) -> String {
        format!(
            "{} comparisons: {} close, {} are off by as much as their definition explains, {} fail; {} were repeated on fresh images",
            self.closes + self.by_design + self.fails,
            self.closes,
            self.by_design,
            self.fails,
            self.repeated
        )
    }
}

/// A row of the terminal's table.
pub fn line(label: &str, entry: &Entry) -> String {
    let s = entry.summary();
    let missing = if s.missing > 0 { format!(", {} without result", s.missing) } else { String::new() };
    format!(
        "  {:<34} {:<44} n {:>6}  mean {:+.3} ± {:.3}  width {:.3} ± {:.3}  {}{missing}",
        entry.quantity.name,
        label,
        s.n,
        s.mean,
        s.mean_error(),
        s.width,
        s.width_error,
        entry.verdict().word()
    )
}

/// Writes the report of the studies to a directory; returns the paths, the report itself first.
///
/// # Errors
/// If a figure cannot be drawn or a file not be written.
pub fn write(studies: &[StudyResult], plan: &Plan, directory: &Path) -> Result<Vec<PathBuf>, ClosureError> {
    std::fs::create_dir_all(directory).map_err(|source| ClosureError::Write { path: directory.to_owned(), source })?;
    let mut written = Vec::new();
    let mut put = |name: &str, bytes: &[u8]| {
        let path = directory.join(name);
        atomic_file::write(&path, bytes).map_err(|source| ClosureError::Write { path: path.clone(), source })?;
        written.push(path);
        Ok::<(), ClosureError>(())
    };
    let figures: Vec<Vec<Figure>> =
        studies.iter().map(|s| std::iter::once(overview(s)).chain(distributions(s)).collect()).collect();
    put("closure.md", markdown(studies, &figures, plan).as_bytes())?;
    put("closure.csv", csv(studies).as_bytes())?;
    let json = serde_json::to_string_pretty(&json(studies, plan)).unwrap_or_default() + "\n";
    put("closure.json", json.as_bytes())?;
    put("closure.pdf", &pdf(studies, &figures, plan)?)?;
    for figure in figures.iter().flatten() {
        put(&format!("{}.png", figure.name), &render(figure, Format::Png)?)?;
    }
    Ok(written)
}

fn introduction(plan: &Plan) -> String {
    format!(
        "panaSKImg {}, seed {}, {} images per setting{}. A pull is (estimate − truth)/error. A quantity closes when the mean \
         of its n pulls is within 3/√n of 0 and their width within 3 of its own standard errors of 1. Settings that left \
         this tolerance were repeated on {} fresh images and are judged by those alone. What does not close by definition \
         must be off within stated bounds, by the same tolerances. `own` errors are those that the \
         process states, `expected` ones follow from the settings (spec 07 §8.8).",
        env!("CARGO_PKG_VERSION"),
        plan.seed,
        plan.images,
        if plan.extent == Extent::Fast { ", small images" } else { "" },
        REPETITION * plan.images,
    )
}

fn error_source(entry: &Entry) -> &'static str {
    match entry.quantity.error {
        ErrorSource::Process => "own",
        ErrorSource::Formula => "expected",
    }
}

/// Estimate, truth and bias of a row, in words.
fn numbers(entry: &Entry) -> [String; 2] {
    let s = entry.summary();
    // the error of the mean estimate, as the pulls see it
    let estimate = value_with_error(s.estimate, s.error / (s.n as f64).sqrt());
    [format!("{estimate} {}", entry.quantity.unit), format!("{:.6} {}", s.truth, entry.quantity.unit)]
}

fn markdown(studies: &[StudyResult], figures: &[Vec<Figure>], plan: &Plan) -> String {
    let mut text = format!("# Closure of the analysis on simulated images\n\n{}\n\n", introduction(plan));
    let _ = writeln!(text, "**{}.**\n", Tally::of(studies).sentence());
    for (study, figures) in studies.iter().zip(figures) {
        let _ = writeln!(text, "## {}\n", study.title);
        text.push_str("| quantity | setting | mean estimate | truth | error | n | mean pull | width | verdict |\n");
        text.push_str("|---|---|---|---|---|---|---|---|---|\n");
        for (label, entry) in study.entries() {
            let s = entry.summary();
            let [estimate, truth] = numbers(entry);
            let _ = writeln!(
                text,
                "| {} | {label} | {estimate} | {truth} | {} | {} | {:+.3} ± {:.3} | {:.3} ± {:.3} | {} |",
                entry.quantity.name,
                error_source(entry),
                s.n,
                s.mean,
                s.mean_error(),
                s.width,
                s.width_error,
                verdict_text(entry)
            );
        }
        text.push('\n');
        for note in notes(study) {
            let _ = writeln!(text, "{note}\n");
        }
        for figure in figures {
            let _ = writeln!(text, "![{0}]({0}.png)\n", figure.name);
        }
    }
    text
}

fn verdict_text(entry: &Entry) -> String {
    let s = entry.summary();
    let mut text = entry.verdict().word().to_owned();
    if s.missing > 0 {
        let _ = write!(text, ", {} without result", s.missing);
    }
    if let Some(first) = entry.first {
        let _ = write!(text, " (repeated; first {:+.3}, {:.3})", first.mean, first.width);
    }
    text
}

/// What quantities are, and why some do not close.
fn notes(study: &StudyResult) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    for (label, entry) in study.entries() {
        let law = format!("{}: {}.", entry.quantity.name, entry.quantity.law);
        if !notes.contains(&law) {
            notes.push(law);
        }
        if let (Verdict::ByDesign | Verdict::Fails, Some(known)) = (entry.verdict(), entry.by_design) {
            let (bounds, name) = (known.bounds(), entry.quantity.name);
            notes.push(format!("By design, {name} ({label}): {}. Expected: {bounds}.", known.reason));
        }
    }
    notes
}

fn csv(studies: &[StudyResult]) -> String {
    let mut text = String::from(
        "study,quantity,setting,unit,error_source,n,missing,estimate,truth,error,mean_pull,mean_pull_error,width,width_error,repeated,verdict\n",
    );
    for (study, (label, entry)) in studies.iter().flat_map(|s| s.entries().map(move |e| (s, e))) {
        let s = entry.summary();
        let _ = writeln!(
            text,
            "{},{},\"{label}\",{},{},{},{},{},{},{},{},{},{},{},{},{}",
            study.name,
            entry.quantity.name,
            entry.quantity.unit,
            error_source(entry),
            s.n,
            s.missing,
            s.estimate,
            s.truth,
            s.error,
            s.mean,
            s.mean_error(),
            s.width,
            s.width_error,
            entry.first.is_some(),
            entry.verdict().word()
        );
    }
    text
}

fn json(studies: &[StudyResult], plan: &Plan) -> Value {
    let entry = |(label, entry): (&str, &Entry)| {
        let s = entry.summary();
        json!({
            "quantity": entry.quantity.name, "setting": label, "unit": entry.quantity.unit, "law": entry.quantity.law,
            "error_source": error_source(entry), "n": s.n, "missing": s.missing, "estimate": s.estimate, "truth": s.truth,
            "error": s.error, "mean_pull": s.mean, "mean_pull_error": s.mean_error(), "width": s.width, "width_error": s.width_error,
            "repeated": entry.first.is_some(), "verdict": entry.verdict().word(),
            "by_design": entry.by_design.map(|known| json!({"reason": known.reason, "mean_pull": known.mean, "width": known.width})),
        })
    };
    json!({
        "version": env!("CARGO_PKG_VERSION"), "seed": plan.seed, "images": plan.images, "fast": plan.extent == Extent::Fast,
        "studies": studies.iter().map(|s| json!({"name": s.name, "title": s.title, "comparisons": s.entries().map(entry).collect::<Vec<_>>()})).collect::<Vec<_>>(),
    })
}

fn pdf(studies: &[StudyResult], figures: &[Vec<Figure>], plan: &Plan) -> Result<Vec<u8>, ClosureError> {
    let mut sections = vec![ReportSection {
        heading: "Closure of the analysis on simulated images".into(),
        figure: None,
        paragraphs: vec![introduction(plan).into(), format!("{}.", Tally::of(studies).sentence()).into()],
        ..ReportSection::default()
    }];
    for (study, figures) in studies.iter().zip(figures) {
        let mut paragraphs: Vec<String> = study
            .entries()
            .map(|(label, entry)| {
                let s = entry.summary();
                let [estimate, truth] = numbers(entry);
                format!(
                    "• {} ({label}): {estimate}, truth {truth}; {} pulls, mean {:+.3} ± {:.3}, width {:.3} ± {:.3}: {}",
                    entry.quantity.name,
                    s.n,
                    s.mean,
                    s.mean_error(),
                    s.width,
                    s.width_error,
                    verdict_text(entry)
                )
            })
            .collect();
        paragraphs.extend(notes(study));
        for (i, figure) in figures.iter().enumerate() {
            let first = i == 0;
            sections.push(ReportSection {
                heading: study.title.into(),
                figure: Some(figure.clone()),
                paragraphs: if first {
                    std::mem::take(&mut paragraphs).into_iter().map(Into::into).collect()
                } else {
                    Vec::new()
                },
                ..ReportSection::default()
            });
        }
    }
    Ok(render_report("panaSKImg closure", &sections)?)
}
