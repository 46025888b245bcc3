//! The PDF report of a run: title, abstract, list of figures, then every plot with caption, flag and tests (spec 06 §14).

use std::path::Path;

use super::groups::groups;
use super::pictures::{self, Pictures, Wanted};
use super::{PRINTED_IMAGES, ReportError, date, escape, html, masked, pdf_path, verdict};
use crate::atomic_file;
use crate::dqm::model::{Entry, Flag, ImageRecord, MonitorElement, QualityTest, Summary};
use crate::plot::{Colour, Paragraph, ReportSection, Reprint, render_report};

/// Tests under a figure; what is beyond stands in the page of the run.
const MOST_TESTS: usize = 12;

/// Writes the PDF report below the directory of the run; further figures are read from there.
///
/// # Errors
/// The file cannot be written.
pub fn write_run(summary: &Summary, directory: &Path, pictures: &Pictures) -> Result<(), ReportError> {
    let path = directory.join(pdf_path(summary.run.number));
    let mut sections = vec![front(summary), images(summary), problems(summary)];
    sections.retain(|s| !s.paragraphs.is_empty() || s.list);
    sections.push(ReportSection { heading: "List of figures".into(), list: true, follows: true, ..Default::default() });
    for (name, me) in &summary.mes {
        of_run(&mut sections, name, me, pictures);
        if summary.images.len() <= PRINTED_IMAGES {
            of_images(&mut sections, name, me, directory);
        }
    }
    let bytes = render_report(&title(summary), &sections)
        .map_err(|source| ReportError::Layout { path: path.clone(), source })?;
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| atomic_file::write(&path, &bytes)).map_err(|source| ReportError::Write { path, source })
}

fn title(summary: &Summary) -> String {
    format!("DQM Report for run number {}", summary.run.number)
}

fn front(summary: &Summary) -> ReportSection {
    let run = &summary.run;
    let mut lines: Vec<Paragraph> = vec![flagged(run.status, &verdict(summary))];
    let mut fact = |name: &str, text: &str| lines.push(format!("{name}: {}", literal(text)).into());
    fact("Data directory", &run.data_dir);
    fact("Output directory", &run.output_dir);
    fact("Reference", &run.reference.as_ref().map_or("none".into(), |r| format!("run {}, {}", r.run, r.path)));
    fact("Number of images", &run.n_images.to_string());
    fact("Period", &format!("{} to {} UTC", date(run.start.as_deref()), date(run.end.as_deref())));
    if !run.tag.is_empty() {
        fact("Tag", &run.tag);
    }
    if let Some(hr) = &run.image_hr {
        fact("High-resolution image", hr);
    }
    if !run.gains.is_empty() {
        let words = run.gains.iter().map(|(a, g)| format!("{a} {}", escape::with_error(g.value, g.error)));
        fact("Gains of the run [ADU/e⁻]", &words.collect::<Vec<_>>().join(", "));
    }
    if let Some(n) = run.n_masked {
        fact("Masked pixels", &masked(n, summary));
    }
    fact("Program", &summary.tool);
    ReportSection { heading: title(summary), paragraphs: lines, ..ReportSection::default() }
}

/// What is to be said about each image that did not pass, in one line.
fn images(summary: &Summary) -> ReportSection {
    const MOST: usize = 40;
    const NAMED: usize = 3;
    let count = |flag: Flag| summary.images.iter().filter(|i| i.status == flag).count();
    let counts = [
        (Flag::Pass, "pass"),
        (Flag::Warn, "with a warning"),
        (Flag::Fail, "failed"),
        (Flag::Error, "could not be processed"),
        (Flag::None, "not tested"),
    ];
    let words: Vec<String> = counts
        .iter()
        .map(|(f, word)| (count(*f), word))
        .filter(|(n, _)| *n > 0)
        .map(|(n, w)| format!("{n} {w}"))
        .collect();
    let mut paragraphs: Vec<Paragraph> = vec![format!("{} images: {}.", summary.images.len(), words.join(", ")).into()];
    let mut bad: Vec<&ImageRecord> = summary.images.iter().filter(|i| i.status >= Flag::Warn).collect();
    bad.sort_by_key(|i| (std::cmp::Reverse(i.status), i.number));
    let more = bad.len().saturating_sub(MOST);
    for image in bad.into_iter().take(MOST) {
        let mut elements: Vec<(Flag, u16, &str)> = summary
            .mes
            .iter()
            .map(|(name, me)| {
                let entries = me.entries.iter().filter(|e| e.file == image.file);
                (Flag::worst(entries.map(|e| e.status)), me.id, name.as_str())
            })
            .filter(|(flag, ..)| *flag >= Flag::Warn)
            .collect();
        elements.sort_by_key(|(flag, id, _)| (std::cmp::Reverse(*flag), *id));
        let named: Vec<String> =
            elements.iter().take(NAMED).map(|(flag, _, name)| format!("{name} ({flag})")).collect();
        let rest = if elements.len() > NAMED { format!(" and {} more", elements.len() - NAMED) } else { String::new() };
        let what = match &image.error {
            Some(error) => error.clone(),
            None => format!("{}{rest}", named.join(", ")),
        };
        let text = literal(&format!("• {} image {}: {what}", image.status.word().to_uppercase(), image.number));
        paragraphs.push(Paragraph { text, colour: Some(ink(image.status)) });
    }
    if more > 0 {
        paragraphs.push(format!("and {more} more, see the page of the run").into());
    }
    ReportSection { heading: "Images".into(), paragraphs, follows: true, ..ReportSection::default() }
}

/// Images with an error, and what failed, one line for each test of an element; warnings stay with their figures.
fn problems(summary: &Summary) -> ReportSection {
    const MOST: usize = 60;
    const LISTED: usize = 12;
    let errors = summary.images.iter().filter_map(|i| {
        let error = i.error.as_ref()?;
        Some(Paragraph { text: literal(&format!("• ERROR {}: {error}", i.file)), colour: Some(ink(Flag::Error)) })
    });
    let failed = groups(summary, Flag::Fail).into_iter().map(|group| {
        let numbers = group.images();
        let listed: Vec<String> = numbers.iter().take(LISTED).map(i64::to_string).collect();
        let rest = if numbers.len() > LISTED { format!(" and {} more", numbers.len() - LISTED) } else { String::new() };
        let place = match numbers.len() {
            0 => "run".to_owned(),
            1 => format!("image {}", listed[0]),
            _ => format!("images {}{rest}", listed.join(", ")),
        };
        let worst = group.worst();
        let which = match (group.members.len(), worst.entry) {
            (1, _) => String::new(),
            (_, Some(entry)) => format!("worst, image {} {}: ", entry.image, worst.amplifier),
            (_, None) => format!("worst, {}: ", worst.amplifier),
        };
        let text = format!(
            "• FAIL {}, {place}, {}: {which}{}",
            group.name,
            group.amplifiers().join(" "),
            test_text(worst.test)
        );
        Paragraph { text, colour: Some(ink(Flag::Fail)) }
    });
    let mut paragraphs: Vec<Paragraph> = errors.chain(failed).collect();
    if paragraphs.len() > MOST {
        let more = paragraphs.len() - MOST;
        paragraphs.truncate(MOST);
        paragraphs.push(format!("and {more} more, see the page of the run").into());
    }
    ReportSection { heading: "Failures".into(), paragraphs, follows: true, ..ReportSection::default() }
}

fn of_run(sections: &mut Vec<ReportSection>, name: &str, me: &MonitorElement, pictures: &Pictures) {
    for (k, path) in me.plots.iter().enumerate() {
        let mut paragraphs: Vec<Paragraph> = Vec::new();
        let picture = pictures.get(path);
        if let Err(reason) = picture {
            paragraphs.push(format!("{reason} ({path})").into());
        }
        if k == 0 {
            paragraphs.push(escape::plain(&me.caption).into());
        }
        if k + 1 == me.plots.len() {
            paragraphs.push(flagged(me.status, &counted(me)));
            tests(&mut paragraphs, me.run.iter().flat_map(|r| r.tests.iter().map(move |t| (r.amplifier.clone(), t))));
        }
        let median = if path.contains("_median") { ", median" } else { "" };
        sections.push(ReportSection {
            heading: format!("{:03} {}{median}", me.id, me.title),
            short: format!("{:03} {name}{median}", me.id),
            pictures: picture.ok().cloned().into_iter().collect(),
            paragraphs,
            follows: true,
            ..ReportSection::default()
        });
    }
}

/// The plots of single images of an element, small, and what their tests say.
fn of_images(sections: &mut Vec<ReportSection>, name: &str, me: &MonitorElement, directory: &Path) {
    let mut done: Option<&str> = None;
    let (mut thumbnails, mut paragraphs): (Vec<(Reprint, String)>, Vec<Paragraph>) = Default::default();
    for entry in me.entries.iter().filter(|e| e.plot.is_some()) {
        let Some(path) = entry.plot.as_deref().filter(|p| done != Some(*p)) else { continue };
        done = Some(path);
        let sharing: Vec<&Entry> = me.entries.iter().filter(|e| e.plot.as_deref() == Some(path)).collect();
        let amplifiers: Vec<&str> = sharing.iter().map(|e| e.amplifier.as_str()).filter(|a| !a.is_empty()).collect();
        let place = format!("image {} {}", entry.image, amplifiers.join(" "));
        let status = Flag::worst(sharing.iter().map(|e| e.status));
        let word = if status == Flag::None { "" } else { status.word() };
        match pictures::read(directory, path, Wanted::Image) {
            Ok(picture) => thumbnails.push((picture, literal(&format!("{} {word}, {}", place.trim_end(), entry.file)))),
            Err(reason) => paragraphs.push(format!("{place}: {reason} ({path})").into()),
        }
        if status >= Flag::Warn {
            paragraphs.push(flagged(status, &literal(&format!("{}, {}", place.trim_end(), entry.file))));
            let bad = |t: &&QualityTest| t.flag >= Flag::Warn;
            tests(
                &mut paragraphs,
                sharing.iter().flat_map(|e| e.tests.iter().filter(bad).map(|t| (e.amplifier.clone(), t))),
            );
        }
    }
    if !thumbnails.is_empty() || !paragraphs.is_empty() {
        sections.push(ReportSection {
            heading: format!("{:03} {}, single images", me.id, me.title),
            short: format!("{:03} {name}, single images", me.id),
            thumbnails,
            paragraphs,
            follows: true,
            ..ReportSection::default()
        });
    }
}

/// How many entries have which flag.
fn counted(me: &MonitorElement) -> String {
    let count = |flag: Flag| me.entries.iter().filter(|e| e.status == flag).count();
    let unavailable = me.entries.iter().filter(|e| !e.is_available()).count();
    let mut words = Vec::new();
    for (n, word) in [
        (count(Flag::Fail), "failed"),
        (count(Flag::Warn), "with a warning"),
        (count(Flag::Pass), "passed"),
        (unavailable, "n/a"),
    ] {
        if n > 0 {
            words.push(format!("{n} {word}"));
        }
    }
    if words.is_empty() {
        "not tested on single images".into()
    } else {
        format!("single images and amplifiers: {}", words.join(", "))
    }
}

fn tests<'a>(paragraphs: &mut Vec<Paragraph>, tests: impl Iterator<Item = (String, &'a QualityTest)>) {
    let mut tests: Vec<(String, &QualityTest)> = tests.filter(|(_, t)| t.flag > Flag::None).collect();
    tests.sort_by_key(|(_, t)| std::cmp::Reverse(t.flag));
    let more = tests.len().saturating_sub(MOST_TESTS);
    for (amplifier, test) in tests.into_iter().take(MOST_TESTS) {
        let text = format!("• {} {amplifier}: {}", test.flag.word().to_uppercase(), test_text(test));
        paragraphs.push(Paragraph { text, colour: (test.flag > Flag::Pass).then(|| ink(test.flag)) });
    }
    if more > 0 {
        paragraphs.push(format!("and {more} more tests").into());
    }
}

fn test_text(test: &QualityTest) -> String {
    let value = if test.value.is_finite() {
        format!(" {} (limit {})", escape::number(test.value), html::limit(test))
    } else {
        String::new()
    };
    let reason = if test.reason.is_empty() { String::new() } else { format!(": {}", test.reason) };
    literal(&format!("{}{value}{reason}", test.name))
}

/// Text from outside in which no bracket may begin a subscript.
fn literal(text: &str) -> String {
    text.replace("_{", "_ {").replace("^{", "^ {")
}

/// A paragraph that begins with the flag, in its colour.
fn flagged(flag: Flag, text: &str) -> Paragraph {
    let word = if flag == Flag::None { "NOT TESTED".to_owned() } else { flag.word().to_uppercase() };
    Paragraph { text: format!("{word}: {text}"), colour: Some(ink(flag)) }
}

fn ink(flag: Flag) -> Colour {
    match flag {
        Flag::None => Colour::hex(0x4a525a),
        Flag::Pass => Colour::hex(0x14532b),
        Flag::Warn => Colour::hex(0x8a5a00),
        Flag::Fail | Flag::Error => Colour::hex(0xa01016),
    }
}
