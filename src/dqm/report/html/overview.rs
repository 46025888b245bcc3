//! Upper part of the page: the run, the table of images and elements, the list of what failed.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use super::super::groups::{Group, groups};
use super::super::{date, escape, masked, pdf_path, verdict};
use super::flag;
use crate::dqm::catalogue::Scope;
use crate::dqm::model::{Entry, Flag, ImageRecord, MonitorElement, Pair, QualityTest, Summary, used_gains};

/// The facts about the run.
pub fn run(out: &mut dyn Write, summary: &Summary, directory: &Path) -> io::Result<()> {
    let run = &summary.run;
    let mut facts: Vec<(&str, String)> = vec![
        ("Verdict", format!("{} {}", flag(run.status), escape::html(&verdict(summary)))),
        ("Period", escape::html(&format!("{} to {} UTC", date(run.start.as_deref()), date(run.end.as_deref())))),
    ];
    if !run.tag.is_empty() {
        facts.push(("Tag", escape::html(&run.tag)));
    }
    facts.push(("Images", format!("{}{}", run.n_images, escape::html(&geometry(&summary.images)))));
    facts.push(("Data", format!("<code>{}</code>", escape::html(&run.data_dir))));
    facts.push(("Output", format!("<code>{}</code>", escape::html(&run.output_dir))));
    facts.push((
        "Reference",
        match &run.reference {
            Some(r) => format!("run {} <code>{}</code>", r.run, escape::html(&r.path)),
            None => "none: there is nothing to compare with".into(),
        },
    ));
    if let Some(hr) = &run.image_hr {
        facts.push(("High resolution", format!("<code>{}</code>", escape::html(hr))));
    }
    facts.push(("Gains", gains(summary)));
    if let Some(dark_current) = dark_current(summary) {
        facts.push(("Dark current fit", dark_current));
    }
    if let Some(n) = run.n_masked {
        let file = run.mask.as_deref().map(|m| format!(" (<a href=\"{}\">{}</a>)", escape::url(m), escape::html(m)));
        facts.push(("Masked pixels", format!("{}{}", escape::html(&masked(n, summary)), file.unwrap_or_default())));
    }
    let (json, pickle) = crate::dqm::summary::file_names(run.number);
    let files = [
        (format!("me/{json}"), "summary (JSON)"),
        (format!("me/{pickle}"), "summary (pickle)"),
        (pdf_path(run.number), "PDF report"),
        ("logs".to_owned(), "logs"),
    ];
    let there = files.iter().filter(|(path, _)| directory.join(path).exists());
    let links: Vec<String> =
        there.map(|(path, name)| format!("<a href=\"{}\">{name}</a>", escape::url(path))).collect();
    if !links.is_empty() {
        facts.push(("Files", links.join(", ")));
    }
    facts.push(("Program", escape::html(&summary.tool)));
    writeln!(out, "<section id=\"run\"><h2>Run</h2><dl class=\"facts\">")?;
    for (name, text) in facts {
        writeln!(out, "<div><dt>{name}</dt><dd>{text}</dd></div>")?;
    }
    writeln!(out, "</dl>")?;
    warnings(out, summary)?;
    for (name, text) in [("Configuration", &run.config), ("Configuration of the monitor elements", &run.me_config)] {
        if !text.is_empty() {
            let pretty = serde_json::from_str::<serde_json::Value>(text)
                .and_then(|v| serde_json::to_string_pretty(&v))
                .unwrap_or_else(|_| text.clone());
            writeln!(out, "<details><summary>{name}</summary><pre>{}</pre></details>", escape::html(&pretty))?;
        }
    }
    writeln!(out, "</section>")
}

/// Warnings of the run and of its images.
fn warnings(out: &mut dyn Write, summary: &Summary) -> io::Result<()> {
    let of_images = summary.images.iter().flat_map(|i| i.warnings.iter().map(move |w| format!("{}: {w}", i.file)));
    let all: Vec<String> = summary.run.warnings.iter().cloned().chain(of_images).collect();
    if all.is_empty() {
        return Ok(());
    }
    writeln!(out, "<details><summary>{} warnings of the program</summary><ul>", all.len())?;
    for warning in all {
        writeln!(out, "<li>{}</li>", escape::html(&warning))?;
    }
    writeln!(out, "</ul></details>")
}

/// `: 200 × 400 pixels, 200 skips` when all images agree.
fn geometry(images: &[ImageRecord]) -> String {
    let mut shapes: Vec<String> = images
        .iter()
        .filter(|i| i.error.is_none())
        .map(|i| format!("{} × {} pixels, {} skips, binning {} × {}", i.nrows, i.ncols, i.nskips, i.npbin, i.nsbin))
        .collect();
    shapes.sort_unstable();
    shapes.dedup();
    match shapes.as_slice() {
        [] => String::new(),
        [one] => format!(": {one}"),
        many => format!(": {} different geometries", many.len()),
    }
}

fn gains(summary: &Summary) -> String {
    let list = |gains: &BTreeMap<String, Pair>| {
        let words = gains.iter().map(|(a, g)| format!("{a} {}", escape::with_error(g.value, g.error)));
        escape::html(&format!("{} ADU/e⁻", words.collect::<Vec<_>>().join(", ")))
    };
    if !summary.run.gains.is_empty() {
        return list(&summary.run.gains) + " for all images, from the high-resolution image";
    }
    let medians: BTreeMap<String, Pair> =
        used_gains(&summary.images).into_iter().map(|(a, gain)| (a, Pair::new(gain, f64::NAN))).collect();
    if medians.is_empty() {
        return "unknown".into();
    }
    list(&medians) + " (median of the images, from the chain)"
}

fn dark_current(summary: &Summary) -> Option<String> {
    let rows: Vec<String> = summary
        .dc
        .per_amp
        .iter()
        .map(|(amplifier, dc)| {
            let of = |p: Pair| escape::with_error(p.value, p.error);
            format!(
                "{amplifier}: gain {} ADU/e⁻, λ {} ADU/bin/img, σ {} e⁻, μ0 {} e⁻",
                of(dc.gain),
                of(dc.lambda),
                of(dc.sigma),
                of(dc.mu0)
            )
        })
        .map(|text| escape::html(&text))
        .collect();
    (!rows.is_empty()).then(|| rows.join("<br>"))
}

/// Elements that have a column in the table: those computed on images.
fn columns(summary: &Summary) -> Vec<(&str, &MonitorElement)> {
    let computed = summary.mes.iter().filter(|(_, me)| me.scope != Scope::M && !me.entries.is_empty());
    computed.map(|(name, me)| (name.as_str(), me)).collect()
}

/// The table images × elements.
pub fn images(out: &mut dyn Write, summary: &Summary) -> io::Result<()> {
    let columns = columns(summary);
    writeln!(
        out,
        "<section id=\"images\"><h2>Images</h2>\n<div class=\"filters\" hidden><label>Show \
         <select id=\"filter\"><option value=\"0\">all images</option>\
         <option value=\"2\">with a warning, failure or error</option>\
         <option value=\"3\">with a failure or error</option></select></label> \
         <label><input type=\"checkbox\" id=\"bad-columns\"> only elements with warnings or failures</label> \
         <label>File <input type=\"search\" id=\"search\" placeholder=\"part of the name\"></label> \
         <span id=\"shown\" aria-live=\"polite\"></span></div>\n\
         <p class=\"hint\">pass, warn, fail: worst test of all amplifiers; –: not tested; n/a: could not be computed; \
         blank: not made on this image. A cell leads to the values and plots of its element.</p>\n\
         <div class=\"scroll\"><table class=\"matrix sortable\" id=\"matrix\"><thead><tr>\
         <th data-type=\"number\">Image</th><th>File</th><th data-type=\"number\">CCD</th>\
         <th data-type=\"number\">Status</th>"
    )?;
    for (name, me) in &columns {
        writeln!(
            out,
            "<th data-type=\"number\" class=\"me\" data-worst=\"{}\"><span title=\"{}\">{:03} {}</span></th>",
            rank(Flag::worst(me.entries.iter().map(|e| e.status))),
            escape::html(&me.title),
            me.id,
            escape::html(name)
        )?;
    }
    writeln!(out, "</tr></thead><tbody>")?;
    // The summary has the order of the names, in which image 10 comes before image 2.
    let mut order: Vec<(usize, &ImageRecord)> = summary.images.iter().enumerate().collect();
    order.sort_by_key(|(_, image)| image.number);
    for (position, image) in order {
        row(out, image, position, &columns)?;
    }
    writeln!(out, "</tbody></table></div></section>")
}

/// Flags as numbers for sorting and filtering.
fn rank(flag: Flag) -> u8 {
    match flag {
        Flag::None => 0,
        Flag::Pass => 1,
        Flag::Warn => 2,
        Flag::Fail => 3,
        Flag::Error => 4,
    }
}

fn row(
    out: &mut dyn Write,
    image: &ImageRecord,
    position: usize,
    columns: &[(&str, &MonitorElement)],
) -> io::Result<()> {
    let hr = if image.is_hr { " <small>high resolution</small>" } else { "" };
    let file = escape::html(&image.file);
    write!(
        out,
        "<tr id=\"image-{position}\" data-worst=\"{}\" data-file=\"{file}\"><th scope=\"row\" data-v=\"{}\">{}</th>\
         <td>{file}{hr}</td><td data-v=\"{}\">{}</td><td class=\"cell {}\" data-v=\"{}\">",
        rank(image.status),
        image.number,
        image.number,
        image.ccd,
        image.ccd,
        image.status.word(),
        rank(image.status)
    )?;
    match &image.error {
        Some(error) => write!(out, "<a href=\"#error-{position}\" title=\"{}\">error</a></td>", escape::html(error))?,
        None => write!(out, "{}</td>", image.status.word())?,
    }
    for (name, me) in columns {
        let entries: Vec<&Entry> = me.entries.iter().filter(|e| e.file == image.file).collect();
        cell(out, name, me, &entries, position)?;
    }
    writeln!(out, "</tr>")
}

fn cell(out: &mut dyn Write, name: &str, me: &MonitorElement, entries: &[&Entry], position: usize) -> io::Result<()> {
    if entries.is_empty() {
        return write!(out, "<td class=\"cell\" data-v=\"-2\"></td>");
    }
    let worst = Flag::worst(entries.iter().map(|e| e.status));
    let unavailable = entries.iter().all(|e| !e.is_available());
    let word = match (worst, unavailable) {
        (_, true) => "n/a",
        (Flag::None, false) => "–",
        (flag, false) => flag.word(),
    };
    let value = if unavailable { -1 } else { i16::from(rank(worst)) };
    let mut hints: Vec<String> = Vec::new();
    for entry in entries {
        let amplifier = if entry.amplifier.is_empty() { "frame" } else { &entry.amplifier };
        if let Some(reason) = &entry.reason {
            hints.push(format!("{amplifier}: n/a, {reason}"));
        }
        let bad = entry.tests.iter().filter(|t| t.flag >= Flag::Warn);
        hints.extend(bad.map(|t| format!("{amplifier}: {} {}, {}", t.name, t.flag, t.reason)));
    }
    hints.truncate(6);
    write!(
        out,
        "<td class=\"cell {}\" data-v=\"{value}\"><a href=\"#me-{}-{position}\" title=\"{name}{}{}\">{word}</a></td>",
        if unavailable { "na" } else { worst.word() },
        me.id,
        if hints.is_empty() { "" } else { ": " },
        escape::html(&hints.join("; ")),
        name = escape::html(name)
    )
}

/// Errors, failures and warnings as a list.
pub fn problems(out: &mut dyn Write, summary: &Summary) -> io::Result<()> {
    writeln!(out, "<section id=\"problems\"><h2>Warnings and failures</h2>")?;
    let errors: Vec<(usize, &ImageRecord)> =
        summary.images.iter().enumerate().filter(|(_, i)| i.error.is_some()).collect();
    if !errors.is_empty() {
        writeln!(out, "<h3>Images that could not be processed</h3><ul class=\"errors\">")?;
        for (position, image) in errors {
            writeln!(
                out,
                "<li id=\"error-{position}\">{} <code>{}</code>: {}</li>",
                flag(Flag::Error),
                escape::html(&image.file),
                escape::html(image.error.as_deref().unwrap_or_default())
            )?;
        }
        writeln!(out, "</ul>")?;
    }
    let position: BTreeMap<&str, usize> =
        summary.images.iter().enumerate().map(|(k, i)| (i.file.as_str(), k)).collect();
    // (place, number to sort by, link, element, id, amplifier, test)
    let of_run = summary.run_tests().map(|(name, e, t)| (None, name, e.amplifier.as_str(), t));
    let of_images = summary.image_tests().map(|(name, e, t)| (Some(e), name, e.amplifier.as_str(), t));
    let mut all: Vec<(Option<&Entry>, &str, &str, &QualityTest)> =
        of_run.chain(of_images).filter(|(_, _, _, t)| t.flag >= Flag::Warn).collect();
    all.sort_by_key(|(_, _, _, t)| std::cmp::Reverse(t.flag));
    if all.is_empty() {
        return writeln!(out, "<p>No test failed or gave a warning.</p></section>");
    }
    grouped(out, &groups(summary, Flag::Warn), &position)?;
    writeln!(
        out,
        "<details><summary>All {} of them one by one</summary>\n\
         <div class=\"scroll\"><table class=\"sortable problems\" id=\"single-problems\"><thead><tr><th data-type=\"number\">Flag</th>\
         <th data-type=\"number\">Image</th><th data-type=\"number\">Element</th><th>Amplifier</th><th>Test</th>\
         <th data-type=\"number\">Value</th><th>Limit</th><th>What</th></tr></thead><tbody>",
        all.len()
    )?;
    for (entry, name, amplifier, test) in all {
        let id = summary.mes.get(name).map_or(0, |me| me.id);
        let (place, sort, anchor) = match entry {
            None => ("run".to_owned(), -1, format!("me-{id}")),
            Some(e) => {
                let position = position.get(e.file.as_str()).copied().unwrap_or(0);
                (
                    format!("<span title=\"{}\">{}</span>", escape::html(&e.file), e.image),
                    e.image,
                    format!("me-{id}-{position}"),
                )
            }
        };
        writeln!(
            out,
            "<tr data-worst=\"{0}\"><td data-v=\"{0}\">{1}</td><td data-v=\"{sort}\">{place}</td>\
             <td data-v=\"{id}\"><a href=\"#{anchor}\">{id:03} {2}</a></td><td>{3}</td><td>{4}</td>\
             <td data-v=\"{5}\">{6}</td><td>{7}</td><td>{8}</td></tr>",
            rank(test.flag),
            flag(test.flag),
            escape::html(name),
            escape::html(if amplifier.is_empty() { "frame" } else { amplifier }),
            escape::html(&test.name),
            if test.value.is_finite() { test.value } else { -1e300 },
            escape::number(test.value),
            escape::html(&limit(test)),
            escape::html(&test.reason)
        )?;
    }
    writeln!(out, "</tbody></table></div></details></section>")
}

/// One row for each test of an element and flag, with the images where it was violated and the worst of them in words.
fn grouped(out: &mut dyn Write, groups: &[Group<'_>], position: &BTreeMap<&str, usize>) -> io::Result<()> {
    const LISTED: usize = 20;
    writeln!(
        out,
        "<div class=\"scroll\"><table class=\"sortable problems\" id=\"grouped-problems\"><thead><tr><th data-type=\"number\">Flag</th>\
         <th data-type=\"number\">Images</th><th data-type=\"number\">Element</th><th>Amplifiers</th><th>Test</th>\
         <th data-type=\"number\">Worst value</th><th>Limit</th><th>Worst</th></tr></thead><tbody>"
    )?;
    for group in groups {
        let (worst, images) = (group.worst(), group.images());
        let link = |image: i64| {
            let entry = group.members.iter().filter_map(|m| m.entry).find(|e| e.image == image);
            let place = entry.and_then(|e| position.get(e.file.as_str())).copied().unwrap_or(0);
            format!("<a href=\"#me-{}-{place}\">{image}</a>", group.id)
        };
        let mut listed: Vec<String> = images.iter().take(LISTED).map(|i| link(*i)).collect();
        if images.len() > LISTED {
            listed.push(format!("and {} more", images.len() - LISTED));
        }
        let place = if images.is_empty() { "run".to_owned() } else { listed.join(", ") };
        let amplifier = if worst.amplifier.is_empty() { "frame" } else { worst.amplifier };
        let which = match (group.members.len(), worst.entry) {
            (1, _) => String::new(),
            (_, Some(entry)) => format!("image {} {amplifier}: ", entry.image),
            (_, None) => format!("{amplifier}: "),
        };
        writeln!(
            out,
            "<tr data-worst=\"{0}\"><td data-v=\"{0}\">{1}</td><td data-v=\"{2}\">{place}</td>\
             <td data-v=\"{3}\"><a href=\"#me-{3}\">{3:03} {4}</a></td><td>{5}</td><td>{6}</td>\
             <td data-v=\"{7}\">{8}</td><td>{9}</td><td>{10}</td></tr>",
            rank(group.flag),
            flag(group.flag),
            images.len(),
            group.id,
            escape::html(group.name),
            escape::html(&group.amplifiers().join(", ")),
            escape::html(group.test),
            if worst.test.value.is_finite() { worst.test.value } else { -1e300 },
            escape::number(worst.test.value),
            escape::html(&limit(worst.test)),
            escape::html(&format!("{which}{}", worst.test.reason))
        )?;
    }
    writeln!(out, "</tbody></table></div>")
}

/// The limit of a test in words: its range, or the cut with its direction as far as the test has one.
pub fn limit(test: &QualityTest) -> String {
    match test.range {
        Some(range) => {
            let end = |v: f64| if v.is_finite() { escape::setting(v) } else { "open".into() };
            format!("[{}, {}]", end(range.value), end(range.error))
        }
        None => escape::setting(test.cut),
    }
}
