//! The page of a run: one file that needs nothing else (spec 06 §14).
//!
//! Style and script are in the page; the only script that runs is the one whose checksum stands in the page's content
//! security policy, so that text from headers could do nothing even if it were not escaped. Without script the page is
//! complete too, only not sortable. Pictures are streamed into the file, a few at a time.

mod elements;
mod overview;
mod summary;

use std::io::{self, BufWriter, Write};
use std::path::Path;

use base64::Engine;
use sha2::{Digest, Sha256};

pub(super) use overview::limit;

use super::{PAGE, Pictures, ReportError, escape};
use crate::atomic_file::AtomicFile;
use crate::dqm::model::{Flag, Summary};
use crate::plot::Reprint;

const STYLE: &str = include_str!("../assets/report.css");
const SCRIPT: &str = include_str!("../assets/report.js");

/// Writes `index.html` into the directory of the run.
///
/// # Errors
/// The file cannot be written.
pub fn write_run(summary: &Summary, directory: &Path, pictures: &Pictures) -> Result<(), ReportError> {
    let path = directory.join(PAGE);
    let outcome = AtomicFile::create(&path).and_then(|file| {
        let mut out = BufWriter::new(file);
        page(&mut out, summary, directory, pictures)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.commit()
    });
    outcome.map_err(|source| ReportError::Write { path, source })
}

fn page(out: &mut dyn Write, summary: &Summary, directory: &Path, pictures: &Pictures) -> io::Result<()> {
    let number = summary.run.number;
    let tag = if summary.run.tag.is_empty() { String::new() } else { format!(" · {}", summary.run.tag) };
    begin(out, &format!("DQM run {number}{tag} · {}", summary.run.status))?;
    writeln!(
        out,
        "<header><h1>Run {number} {}</h1><nav><a href=\"../{PAGE}\">All runs</a> <a href=\"#images\">Images</a> \
         <a href=\"#problems\">Warnings and failures</a> <a href=\"#elements\">Elements</a> \
         <a href=\"#mask\">Mask</a> <button id=\"theme\" type=\"button\" hidden>Light or dark</button></nav></header>\n<main>",
        flag(summary.run.status)
    )?;
    overview::run(out, summary, directory)?;
    overview::images(out, summary)?;
    overview::problems(out, summary)?;
    elements::all(out, summary, directory, pictures)?;
    writeln!(out, "</main>")?;
    viewer(out)?;
    summary::embed(out, summary)?;
    end(out, &summary.tool)
}

/// Head of a page, up to the body.
pub(super) fn begin(out: &mut dyn Write, title: &str) -> io::Result<()> {
    let checksum = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(SCRIPT.as_bytes()));
    writeln!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; \
         style-src 'unsafe-inline'; script-src 'sha256-{checksum}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n<style>\n{STYLE}</style>\n</head>\n<body>",
        escape::html(title)
    )
}

/// Script and end of a page.
pub(super) fn end(out: &mut dyn Write, tool: &str) -> io::Result<()> {
    writeln!(out, "<footer>{}</footer>\n<script>{SCRIPT}</script>\n</body>\n</html>", escape::html(tool))
}

/// The window in which plots are enlarged.
fn viewer(out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "<dialog id=\"viewer\" aria-label=\"Plot\"><div class=\"bar\"><span id=\"viewer-text\"></span>\
         <button type=\"button\" id=\"viewer-back\">Previous</button>\
         <button type=\"button\" id=\"viewer-next\">Next</button><a id=\"viewer-file\">File</a>\
         <button type=\"button\" id=\"viewer-close\">Close</button></div>\
         <img id=\"viewer-image\" alt=\"\"></dialog>"
    )
}

/// A flag as a coloured word.
pub(super) fn flag(flag: Flag) -> String {
    format!("<span class=\"flag {0}\">{0}</span>", flag.word())
}

/// A plot that enlarges, and links to its file where there is no script.
fn figure(out: &mut dyn Write, picture: Result<&Reprint, &str>, path: &str, text: &str) -> io::Result<()> {
    let (url, text) = (escape::url(path), escape::html(text));
    let encoded = picture
        .map(|p| (p, p.to_png()))
        .and_then(|(p, png)| png.map(|png| (p, png)).map_err(|_| "the plot cannot be shown"));
    match encoded {
        Ok((picture, png)) => {
            let data = base64::engine::general_purpose::STANDARD.encode(png);
            let (width, height) = (picture.width(), picture.height());
            writeln!(
                out,
                "<a class=\"plot\" href=\"{url}\"><img loading=\"lazy\" decoding=\"async\" width=\"{width}\" \
                 height=\"{height}\" alt=\"{text}\" src=\"data:image/png;base64,{data}\"></a>"
            )
        }
        Err(reason) => {
            writeln!(
                out,
                "<p class=\"missing\">{text}: {} (<code>{}</code>)</p>",
                escape::html(reason),
                escape::html(path)
            )
        }
    }
}
