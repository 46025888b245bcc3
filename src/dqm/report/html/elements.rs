//! Lower part of the page: one section per monitor element, with its plots, and its values on every image.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use rayon::prelude::*;

use super::super::pictures::{self, Pictures, Wanted};
use super::super::{EMBEDDED_IMAGES, escape};
use super::overview::limit;
use super::{figure, flag};
use crate::dqm::catalogue::Scope;
use crate::dqm::model::{Entry, Extra, Flag, MonitorElement, QualityTest, RunEntry, Summary, Values};
use crate::plot::Reprint;

/// All sections, ascending ids.
pub fn all(out: &mut dyn Write, summary: &Summary, directory: &Path, pictures: &Pictures) -> io::Result<()> {
    writeln!(out, "<section id=\"elements\"><h2>Monitor elements</h2><nav class=\"chips\">")?;
    for (name, me) in &summary.mes {
        writeln!(
            out,
            "<a class=\"chip {}\" href=\"#me-{}\" title=\"{}\">{:03} {} <small>{}</small></a>",
            me.status.word(),
            me.id,
            escape::html(&me.title),
            me.id,
            escape::html(name),
            me.status.word()
        )?;
    }
    writeln!(out, "</nav></section>")?;
    for (name, me) in &summary.mes {
        if me.scope == Scope::M {
            writeln!(out, "<span id=\"mask\"></span>")?;
        }
        element(out, summary, name, me, directory, pictures)?;
    }
    if !summary.mes.values().any(|me| me.scope == Scope::M) {
        writeln!(out, "<section id=\"mask\" class=\"element\"><h3>Run mask</h3><p>No mask was made.</p></section>")?;
    }
    Ok(())
}

fn element(
    out: &mut dyn Write,
    summary: &Summary,
    name: &str,
    me: &MonitorElement,
    directory: &Path,
    pictures: &Pictures,
) -> io::Result<()> {
    writeln!(
        out,
        "<section class=\"element\" id=\"me-{id}\"><h3><span class=\"id\">{id:03}</span> {} {} <small>{}</small></h3>\
         <p class=\"caption\">{}</p>",
        escape::html(&me.title),
        flag(me.status),
        escape::html(name),
        escape::markup(&me.caption),
        id = me.id
    )?;
    if !me.plots.is_empty() {
        writeln!(out, "<div class=\"plots\">")?;
        for path in &me.plots {
            let median = if path.ends_with("_median.png") { ", median" } else { "" };
            let text = format!("{:03} {name}{median}, run {}", me.id, summary.run.number);
            figure(out, pictures.get(path), path, &text)?;
        }
        writeln!(out, "</div>")?;
    }
    if !me.run.is_empty() {
        of_run(out, me)?;
    }
    if !me.entries.is_empty() {
        of_images(out, summary, name, me, directory)?;
    }
    writeln!(out, "</section>")
}

/// Values and tests of the run.
fn of_run(out: &mut dyn Write, me: &MonitorElement) -> io::Result<()> {
    let unit = if me.unit.is_empty() { String::new() } else { format!(" [{}]", escape::markup(&me.unit)) };
    let fits = me.run.iter().any(|r| r.fit.is_some());
    let references = me.run.iter().any(|r| r.reference.is_some());
    let numbers = !matches!(me.scope, Scope::H | Scope::I);
    if !numbers && me.run.iter().all(|r| r.tests.is_empty() && r.extra.is_empty()) {
        return Ok(());
    }
    write!(out, "<div class=\"scroll\"><table><thead><tr><th>Amplifier</th><th>Images</th>")?;
    if numbers {
        write!(out, "<th>Median{unit}</th>")?;
    }
    if fits {
        write!(out, "<th>Slope</th><th>Intercept</th>")?;
    }
    if references {
        write!(out, "<th>Median of the reference{unit}</th>")?;
    }
    writeln!(out, "<th>Flag of the run</th><th>Tests of the run</th></tr></thead><tbody>")?;
    for run in &me.run {
        write!(
            out,
            "<tr><td>{}</td><td>{}</td>",
            escape::html(if run.amplifier.is_empty() { "frame" } else { &run.amplifier }),
            run.n_images
        )?;
        if numbers {
            write!(out, "<td>{}</td>", middle(&run.median).map_or("–".into(), escape::number))?;
        }
        if fits {
            let f = run
                .fit
                .map(|f| (escape::with_error(f.slope, f.slope_err), escape::with_error(f.intercept, f.intercept_err)));
            let (slope, intercept) = f.unwrap_or(("–".into(), "–".into()));
            write!(out, "<td>{slope}</td><td>{intercept}</td>")?;
        }
        if references {
            let value = run.reference.as_ref().and_then(|r| middle(&r.median).map(|v| (v, r.run)));
            let text = value.map_or("–".into(), |(v, number)| format!("{} (run {number})", escape::number(v)));
            write!(out, "<td>{text}</td>")?;
        }
        write!(out, "<td>{}</td><td>", flag(run.status))?;
        extras(out, run)?;
        tests(out, &run.tests)?;
        writeln!(out, "</td></tr>")?;
    }
    writeln!(out, "</tbody></table></div>")
}

/// Median of what is known.
fn middle(values: &Values) -> Option<f64> {
    let known: Vec<f64> = values.as_slice().iter().copied().filter(|v| v.is_finite()).collect();
    (!known.is_empty()).then(|| crate::stats::robust::median(&known))
}

fn extras(out: &mut dyn Write, run: &RunEntry) -> io::Result<()> {
    for (name, extra) in &run.extra {
        let text = match extra {
            Extra::Flag(b) => b.to_string(),
            Extra::Integer(n) => n.to_string(),
            Extra::Number(v) => escape::number(*v),
            Extra::Text(t) => t.clone(),
            Extra::Numbers(v) if v.is_empty() => "none".into(),
            Extra::Numbers(v) => shortened(&v.iter().map(|v| escape::number(*v)).collect::<Vec<_>>()),
            Extra::Texts(t) => shortened(t),
        };
        write!(out, "<div>{}: {}</div>", escape::html(&name.replace('_', " ")), escape::html(&text))?;
    }
    Ok(())
}

fn shortened(list: &[String]) -> String {
    const MOST: usize = 40;
    if list.len() <= MOST {
        list.join(", ")
    } else {
        format!("{} and {} more", list[..MOST].join(", "), list.len() - MOST)
    }
}

fn tests(out: &mut dyn Write, tests: &[QualityTest]) -> io::Result<()> {
    for test in tests {
        let value = if test.value.is_finite() {
            format!(" {} (limit {})", escape::number(test.value), limit(test))
        } else {
            String::new()
        };
        write!(
            out,
            "<div class=\"test\">{} <b>{}</b>{}<span> {}</span></div>",
            flag(test.flag),
            escape::html(&test.name),
            escape::html(&value),
            escape::html(&test.reason)
        )?;
    }
    Ok(())
}

/// Values, tests and plots on every image, folded away.
fn of_images(
    out: &mut dyn Write,
    summary: &Summary,
    name: &str,
    me: &MonitorElement,
    directory: &Path,
) -> io::Result<()> {
    let count = |flag: Flag| me.entries.iter().filter(|e| e.status == flag).count();
    let mut words = Vec::new();
    for (n, word) in
        [(count(Flag::Fail), "failed"), (count(Flag::Warn), "with a warning"), (count(Flag::Pass), "passed")]
    {
        if n > 0 {
            words.push(format!("{n} {word}"));
        }
    }
    let unavailable = me.entries.iter().filter(|e| !e.is_available()).count();
    if unavailable > 0 {
        words.push(format!("{unavailable} n/a"));
    }
    let counted = if words.is_empty() { String::new() } else { format!(": {}", words.join(", ")) };
    let unit = if me.unit.is_empty() { String::new() } else { format!(" [{}]", escape::markup(&me.unit)) };
    let vector = me.entries.iter().any(|e| matches!(e.y, Values::Many(_)));
    let value = if vector { "Median" } else { "Value" };
    writeln!(
        out,
        "<details class=\"per-image\"><summary>{} values on single images{counted}</summary>\
         <div class=\"scroll\"><table class=\"sortable\"><thead><tr><th data-type=\"number\">Image</th><th>Amplifier</th>\
         <th data-type=\"number\">Flag</th><th data-type=\"number\">{value}{unit}</th><th>Tests and plots</th></tr>\
         </thead><tbody>",
        me.entries.len()
    )?;
    let position: BTreeMap<&str, usize> =
        summary.images.iter().enumerate().map(|(k, i)| (i.file.as_str(), k)).collect();
    let embed = summary.images.len() <= EMBEDDED_IMAGES;
    let mut drawn: Option<&str> = None;
    let mut anchored: Option<usize> = None;
    // Pictures of a handful of images are read at once; not of all, which would be many.
    for chunk in me.entries.chunks(8) {
        let read: Vec<Option<Result<Reprint, String>>> = chunk
            .par_iter()
            .map(|e| e.plot.as_deref().filter(|_| embed).map(|path| pictures::read(directory, path, Wanted::Image)))
            .collect();
        for (entry, picture) in chunk.iter().zip(read) {
            let at = position.get(entry.file.as_str()).copied().unwrap_or(0);
            // The first row of an image is where the table of images leads.
            let anchor = if anchored == Some(at) { String::new() } else { format!(" id=\"me-{}-{at}\"", me.id) };
            anchored = Some(at);
            value_row(out, me, entry, &anchor)?;
            // Amplifiers may share a plot.
            if let Some(path) = entry.plot.as_deref().filter(|p| drawn != Some(*p)) {
                drawn = Some(path);
                let text = format!("{:03} {name}, image {} {}", me.id, entry.image, entry.amplifier);
                match &picture {
                    Some(picture) => figure(out, picture.as_ref().map_err(String::as_str), path, &text)?,
                    None => write!(out, "<a href=\"{}\">plot</a>", escape::url(path))?,
                }
            }
            writeln!(out, "</td></tr>")?;
        }
    }
    writeln!(out, "</tbody></table></div></details>")
}

/// The row of a value, open at its end for plots.
fn value_row(out: &mut dyn Write, me: &MonitorElement, entry: &Entry, anchor: &str) -> io::Result<()> {
    let (rank, word) = match (entry.status, entry.is_available()) {
        (_, false) => (-1, "<span class=\"flag na\">n/a</span>".to_owned()),
        (Flag::None, true) => (0, "<span class=\"flag none\">–</span>".to_owned()),
        (status, true) => (status as i8, flag(status)),
    };
    let headline = entry.headline();
    let text = match (headline, entry.yerr.scalar()) {
        (Some(v), Some(e)) => escape::with_error(v, e),
        (Some(v), None) => escape::number(v),
        (None, _) => "–".into(),
    };
    write!(
        out,
        "<tr{anchor}><th scope=\"row\" data-v=\"{0}\"><span title=\"{1}\">{0}</span></th><td>{2}</td>\
         <td data-v=\"{rank}\">{word}</td><td data-v=\"{3}\">{text}</td><td>",
        entry.image,
        escape::html(&entry.file),
        escape::html(if entry.amplifier.is_empty() { "frame" } else { &entry.amplifier }),
        headline.unwrap_or(-1e300)
    )?;
    if let Some(reason) = &entry.reason {
        write!(out, "<div class=\"reason\">{}</div>", escape::html(reason))?;
    }
    if let Some(fit) = entry.fit.filter(|_| matches!(me.scope, Scope::R | Scope::C)) {
        write!(
            out,
            "<div class=\"fit\">slope {}, intercept {}, χ²/ndf {}</div>",
            escape::with_error(fit.slope, fit.slope_err),
            escape::with_error(fit.intercept, fit.intercept_err),
            escape::number(fit.chi2_ndf)
        )?;
    }
    tests(out, &entry.tests)
}
