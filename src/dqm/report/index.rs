//! The index over all runs of an output directory: a table and the key numbers against the run (spec 06 §14).

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use super::html::{begin, end, flag};
use super::{PAGE, ReportError, date, escape};
use crate::atomic_file;
use crate::dqm::catalogue;
use crate::dqm::model::{Flag, run_directory};
use crate::dqm::plots::style;
use crate::dqm::trend::RunTrend;
use crate::output::images::TOOL;
use crate::plot::{Axis, Dash, Figure, Marker, Panel, Points, Shape, Stroke, render_html};

/// Reasons for the flag of a run that are told.
const REASONS: usize = 3;
/// Elements whose trends are shown: dark current, calibration, resolution, zero peak, pedestal noise.
const TRENDS: [u16; 5] = [63, 64, 62, 61, 33];

/// Writes `index.html` into the output directory, from the runs of the database (or of summaries).
///
/// # Errors
/// The file cannot be written.
pub fn write(runs: &[RunTrend], directory: &Path) -> Result<(), ReportError> {
    let path = directory.join(PAGE);
    let mut page = Vec::with_capacity(256 * 1024);
    let outcome = fill(&mut page, runs, directory).and_then(|()| atomic_file::write(&path, &page));
    outcome.map_err(|source| ReportError::Write { path, source })
}

/// The runs whose summaries lie in an output directory, by number; those that cannot be read are left out.
pub fn from_summaries(output: &Path) -> Vec<RunTrend> {
    let folders = std::fs::read_dir(output).into_iter().flatten().flatten().map(|e| e.path());
    let mut runs: Vec<RunTrend> = folders
        .filter_map(|folder| {
            let number: i64 = folder.file_name()?.to_str()?.strip_prefix("run")?.parse().ok()?;
            let (json, _) = crate::dqm::summary::file_names(number);
            let summary = crate::dqm::summary::read(&folder.join("me").join(json)).ok()?;
            Some(RunTrend::of_summary(&summary))
        })
        .collect();
    runs.sort_by(|a, b| (a.run, &a.tag).cmp(&(b.run, &b.tag)));
    runs
}

fn fill(out: &mut dyn Write, runs: &[RunTrend], directory: &Path) -> io::Result<()> {
    begin(out, "DQM: all runs")?;
    writeln!(
        out,
        "<header><h1>Data quality: {} runs</h1><nav><a href=\"#runs\">Runs</a> <a href=\"#trends\">Trends</a> \
         <button id=\"theme\" type=\"button\" hidden>Light or dark</button></nav></header>\n<main>\n\
         <section id=\"runs\"><h2>Runs</h2>",
        runs.len()
    )?;
    if runs.is_empty() {
        writeln!(out, "<p>There is no run yet.</p>")?;
    } else {
        table(out, runs, directory)?;
    }
    writeln!(out, "</section>\n<section id=\"trends\" class=\"trends\"><h2>Trends</h2>")?;
    let mut drawn = 0;
    for id in TRENDS {
        if let Some(figure) = trend(runs, id) {
            let svg = render_html(&figure, &format!("trend{id}")).map_err(io::Error::other)?;
            writeln!(out, "<h3>{}</h3><div class=\"plot\">{svg}</div>", escape::html(&figure.name))?;
            drawn += 1;
        }
    }
    if drawn == 0 {
        writeln!(out, "<p>No run has one of the elements whose trends are shown here.</p>")?;
    }
    writeln!(out, "</section>\n</main>")?;
    end(out, TOOL)
}

fn table(out: &mut dyn Write, runs: &[RunTrend], directory: &Path) -> io::Result<()> {
    writeln!(
        out,
        "<div class=\"scroll\"><table class=\"sortable\"><thead><tr><th data-type=\"number\">Run</th><th>Tag</th>\
         <th>Start (UTC)</th><th data-type=\"number\">Images</th><th data-type=\"number\">Errors</th>\
         <th data-type=\"number\">Flag</th><th>Why</th><th data-type=\"number\">Masked pixels</th>"
    )?;
    for id in TRENDS {
        let d = catalogue::by_id(id);
        let (title, unit) = d.map_or(("", ""), |d| (d.title, d.unit));
        writeln!(out, "<th data-type=\"number\">{} <small>[{}]</small></th>", escape::html(title), escape::html(unit))?;
    }
    writeln!(out, "</tr></thead><tbody>")?;
    // The latest run is what the shifter looks for.
    for run in runs.iter().rev() {
        let folder = run_directory(run.run);
        let page = format!("{folder}/{PAGE}");
        let is_there = directory.join(&page).is_file() && has_own_files(run, runs, directory);
        let name =
            if is_there { format!("<a href=\"{}\">{}</a>", escape::url(&page), run.run) } else { run.run.to_string() };
        write!(
            out,
            "<tr><th scope=\"row\" data-v=\"{}\">{name}</th><td>{}</td><td class=\"date\">{}</td><td data-v=\"{3}\">{3}</td>\
             <td data-v=\"{4}\">{4}</td><td data-v=\"{5}\">{6}</td>",
            run.run,
            escape::html(&run.tag),
            escape::html(&date(run.start.as_deref())),
            run.n_images,
            run.n_errors,
            run.status as u8,
            flag(run.status),
        )?;
        write!(out, "<td>{}</td>", why(run))?;
        let masked = run.n_masked.map_or(("-1".to_owned(), "–".to_owned()), |n| (n.to_string(), n.to_string()));
        write!(out, "<td data-v=\"{}\">{}</td>", masked.0, masked.1)?;
        for id in TRENDS {
            // Sorted by the first amplifier; runs without a value come last.
            let values: Vec<_> = run.values.iter().filter(|((i, _), _)| *i == id).collect();
            let first = values.first().map(|(_, v)| v.median).filter(|v| v.is_finite()).unwrap_or(-1e300);
            let words: Vec<String> = values
                .iter()
                .map(|((_, amplifier), v)| {
                    let name = escape::html(&label(amplifier)).replace(' ', "&nbsp;");
                    format!("{name}&nbsp;{}", escape::number(v.median))
                })
                .collect();
            write!(out, "<td data-v=\"{first}\">{}</td>", words.join("<br>"))?;
        }
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</tbody></table></div>")
}

/// What makes the flag of a run: its errors, and the worst of its violated tests.
fn why(run: &RunTrend) -> String {
    let images = |n: usize| format!("{n} image{}", if n == 1 { "" } else { "s" });
    let mut lines = Vec::new();
    if run.n_errors > 0 {
        lines.push(format!("{} with an error", images(run.n_errors)));
    }
    for reason in run.reasons.iter().take(REASONS) {
        let place = if reason.images == 0 { "run".to_owned() } else { images(reason.images) };
        let (element, test) = (escape::html(&reason.element), escape::html(&reason.test));
        lines.push(format!("{} {element} {test}: {place}", flag(reason.flag)));
    }
    if run.reasons.len() > REASONS {
        lines.push(format!("and {} more", run.reasons.len() - REASONS));
    }
    lines.join("<br>")
}

/// Whether the files of a run are its own: of several tags with one number, those of the last one that was processed lie
/// in the directory.
fn has_own_files(run: &RunTrend, runs: &[RunTrend], directory: &Path) -> bool {
    if runs.iter().filter(|r| r.run == run.run).count() < 2 {
        return true;
    }
    let (json, _) = crate::dqm::summary::file_names(run.run);
    let path = directory.join(run_directory(run.run)).join("me").join(json);
    crate::dqm::summary::read(&path).is_ok_and(|summary| summary.run.tag == run.tag)
}

/// What an amplifier is called: `CCD 1 L` where the number of the CCD is known.
fn label(amplifier: &str) -> String {
    if amplifier.contains(' ') { format!("CCD {amplifier}") } else { amplifier.to_owned() }
}

/// A key number against the run, one series per amplifier: median and quartiles over the images. Runs with a failure are
/// ringed red.
fn trend(runs: &[RunTrend], id: u16) -> Option<Figure> {
    let description = catalogue::by_id(id)?;
    let amplifiers: BTreeSet<&str> =
        runs.iter().flat_map(|r| r.values.keys()).filter(|(i, _)| *i == id).map(|(_, a)| a.as_str()).collect();
    if amplifiers.is_empty() {
        return None;
    }
    let mut panel = Panel::new()
        .x_axis(Axis::new("run").integer())
        .y(format!("{} [{}]", description.title, description.unit))
        .with_grid();
    // Rings first, so that the points stand in them.
    let failed = runs.iter().filter(|r| r.status >= Flag::Fail);
    let (x, y): (Vec<f64>, Vec<f64>) = failed
        .flat_map(|r| r.values.iter().filter(|((i, _), _)| *i == id).map(|(_, v)| (r.run as f64, v.median)))
        .unzip();
    if !x.is_empty() {
        let ring = Marker { shape: Shape::Circle, size: 11.0, face: None, edge: style::FAILED };
        panel = panel.points(Points::new(x, y).marker(ring).label("run failed"));
    }
    for (k, amplifier) in amplifiers.iter().enumerate() {
        let of = |r: &RunTrend| r.values.get(&(id, (*amplifier).to_owned())).map(|v| (r.run as f64, *v));
        let points: Vec<_> = runs.iter().filter_map(of).collect();
        let name = amplifier.rsplit(' ').next().unwrap_or(amplifier);
        let marker = style::marker(name, k);
        let colour = style::colour(name, k);
        let low = points.iter().map(|(_, v)| v.median - v.p25);
        let high = points.iter().map(|(_, v)| v.p75 - v.median);
        let xs = || points.iter().map(|(x, _)| *x);
        panel = panel.points(
            Points::new(xs(), points.iter().map(|(_, v)| v.median))
                .y_errors_asymmetric(low, high)
                .marker(marker)
                .joined(Stroke { colour: colour.with_alpha(0.5), width: 0.8, dash: Dash::Solid })
                .label(label(amplifier)),
        );
    }
    Some(Figure::new(description.title).size(10.0, 3.2).panel(panel))
}
