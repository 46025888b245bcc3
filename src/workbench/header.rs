//! `panaSKImg header`: show the header of a file, or what differs between two (spec 04 §8.6).

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::error::{BenchError, BenchResult};
use super::files::{Extension, FitsFile, expand, name_of};
use super::results::{FigureArgs, Results};
use crate::fits::{Card, CardValue, Header};

/// Cards that differ between any two files and say nothing about the data.
const IGNORED: [&str; 4] = ["CHECKSUM", "DATASUM", "HISTORY", "COMMENT"];

/// Exit code: the headers differ.
pub const DIFFERENT: u8 = 1;

/// Which cards are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Mode {
    /// Those that differ or exist in one file only.
    #[default]
    Diff,
    /// Those that are the same.
    Same,
    /// All.
    Both,
}

/// Options of `panaSKImg header`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct HeaderArgs {
    /// `diff A B`, or `show FILE [KEY ...]`
    #[arg(value_name = "diff A B | show FILE [KEY ...]")]
    pub words: Vec<String>,
    /// Two files to be compared, as `diff A B`
    #[arg(long, num_args = 2, value_names = ["A", "B"])]
    pub files: Option<Vec<String>>,
    /// Extension, number or EXTNAME [default: 1, or 0 if there is only one]
    #[arg(long, value_name = "EXT")]
    pub hext: Option<Extension>,
    /// Cards to be listed
    #[arg(long, value_enum, default_value_t = Mode::Diff)]
    pub mode: Mode,
    /// Compare CHECKSUM, DATASUM, HISTORY and COMMENT too
    #[arg(long)]
    pub all: bool,
}

/// What is wanted.
enum Wanted {
    Diff(String, String),
    Show(String, Vec<String>),
}

/// Shows or compares headers.
///
/// # Errors
/// Files that cannot be read.
pub fn run(args: &HeaderArgs, base: &Path) -> BenchResult<Results> {
    let mut results = Results::new(&FigureArgs { outdir: ".".into(), ..FigureArgs::default() }, base)?;
    match wanted(args)? {
        Wanted::Diff(a, b) => {
            // As of diff: 0 the same, 1 different, and everything else is trouble (exit code 2).
            let trouble = |e: BenchError| BenchError::option("header diff", e.to_string());
            let first = Compared::read(&one_file(&a, base).map_err(trouble)?, args.hext.as_ref()).map_err(trouble)?;
            let second = Compared::read(&one_file(&b, base).map_err(trouble)?, args.hext.as_ref()).map_err(trouble)?;
            let (lines, differ) = compare(&first.header, &second.header, args.mode, args.all);
            results.text = lines;
            results.code = if differ { DIFFERENT } else { 0 };
            if args.hext.is_none() && first.hdus.max(second.hdus) > 1 {
                results.notes.push(format!("{} and {} were compared, no others (--hext)", first.title, second.title));
            }
        }
        Wanted::Show(pattern, keys) => {
            let files = expand(&[pattern], base)?;
            for path in &files {
                if files.len() > 1 {
                    results.line(format!("{}:", name_of(path)));
                }
                show(path, &header_of(path, args.hext.as_ref())?, &keys, &mut results);
            }
        }
    }
    Ok(results)
}

fn wanted(args: &HeaderArgs) -> BenchResult<Wanted> {
    let words: Vec<&str> = args.words.iter().map(String::as_str).collect();
    if let Some(files) = &args.files {
        return Ok(Wanted::Diff(files[0].clone(), files[1].clone()));
    }
    match words.as_slice() {
        ["diff", a, b] => Ok(Wanted::Diff((*a).to_owned(), (*b).to_owned())),
        ["diff", ..] => Err(BenchError::option("header diff", "two files are expected")),
        ["show", file, keys @ ..] => {
            Ok(Wanted::Show((*file).to_owned(), keys.iter().map(|k| (*k).to_owned()).collect()))
        }
        _ => Err(BenchError::option("header", "`diff A B` or `show FILE [KEY ...]` is expected")),
    }
}

fn one_file(name: &str, base: &Path) -> BenchResult<PathBuf> {
    let mut files = expand(&[name.to_owned()], base)?;
    if files.len() != 1 {
        return Err(BenchError::option(
            "header diff",
            format!("`{name}` stands for {} files, not for one", files.len()),
        ));
    }
    Ok(files.remove(0))
}

fn header_of(path: &Path, extension: Option<&Extension>) -> BenchResult<Header> {
    let file = FitsFile::open(path)?;
    file.header(hdu_of(&file, extension)?)
}

/// A header that is compared, and what else the file holds.
struct Compared {
    header: Header,
    title: String,
    hdus: usize,
}

impl Compared {
    fn read(path: &Path, extension: Option<&Extension>) -> BenchResult<Self> {
        let file = FitsFile::open(path)?;
        let hdu = hdu_of(&file, extension)?;
        let title = format!("HDU {} of {}", file.input.hdus()[hdu].title(), name_of(path));
        Ok(Self { header: file.header(hdu)?, title, hdus: file.input.hdus().len() })
    }
}

fn hdu_of(file: &FitsFile, extension: Option<&Extension>) -> BenchResult<usize> {
    match extension {
        Some(extension) => file.find(extension),
        None => Ok(usize::from(file.input.hdus().len() > 1)),
    }
}

fn show(path: &Path, header: &Header, keys: &[String], results: &mut Results) {
    if keys.is_empty() {
        header.cards().iter().for_each(|card| results.line(card_line(card)));
        return;
    }
    for key in keys {
        let matching: Vec<&Card> =
            header.cards().iter().filter(|c| matches(&c.keyword, &key.to_ascii_uppercase())).collect();
        if matching.is_empty() {
            results.warn(format!("{}: there is no card {key}", name_of(path)));
            results.code = DIFFERENT;
        }
        matching.into_iter().for_each(|card| results.line(card_line(card)));
    }
}

/// Whether a keyword is the wanted one, which may end with `*`.
fn matches(keyword: &str, wanted: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(begin) => keyword.starts_with(begin),
        None => keyword == wanted,
    }
}

fn card_line(card: &Card) -> String {
    if card.is_commentary() {
        return format!("{:<8} {}", card.keyword, card.comment);
    }
    let value = value_text(&card.value);
    let comment = if card.comment.is_empty() { String::new() } else { format!("  / {}", card.comment) };
    format!("{:<8} = {value}{comment}", card.keyword)
}

fn value_text(value: &CardValue) -> String {
    match value {
        CardValue::Text(text) => format!("'{}'", text.trim_end()),
        CardValue::Undefined => "(undefined)".into(),
        other => other.to_text(),
    }
}

/// One line per card, and whether anything differs.
pub fn compare(a: &Header, b: &Header, mode: Mode, all: bool) -> (Vec<String>, bool) {
    let considered = |card: &&Card| all || !(card.is_commentary() || IGNORED.contains(&card.keyword.as_str()));
    let mut lines = Vec::new();
    let mut differ = false;
    let mut seen: Vec<&str> = Vec::new();
    for card in a.cards().iter().filter(considered) {
        if card.is_commentary() || seen.contains(&card.keyword.as_str()) {
            continue;
        }
        seen.push(&card.keyword);
        match b.card(&card.keyword) {
            None => {
                differ = true;
                if mode != Mode::Same {
                    lines.push(format!("{}: file1: {}, -- ONLY-A --", card.keyword, value_text(&card.value)));
                }
            }
            Some(other) => {
                let same = equal(&card.value, &other.value);
                differ |= !same;
                if mode == Mode::Both || (mode == Mode::Same) == same {
                    lines.push(format!(
                        "{}: file1: {}, file2: {}, -- {} --",
                        card.keyword,
                        value_text(&card.value),
                        value_text(&other.value),
                        if same { "SAME" } else { "DIFF" }
                    ));
                }
            }
        }
    }
    for card in b.cards().iter().filter(considered).filter(|c| !c.is_commentary()) {
        if a.card(&card.keyword).is_none() && !seen.contains(&card.keyword.as_str()) {
            seen.push(&card.keyword);
            differ = true;
            if mode != Mode::Same {
                lines.push(format!("{}: file2: {}, -- ONLY-B --", card.keyword, value_text(&card.value)));
            }
        }
    }
    if all {
        for keyword in ["COMMENT", "HISTORY"] {
            let texts = |h: &Header| -> Vec<String> {
                h.cards().iter().filter(|c| c.keyword == keyword).map(|c| c.comment.clone()).collect()
            };
            let (first, second) = (texts(a), texts(b));
            if first == second {
                continue;
            }
            differ = true;
            if mode != Mode::Same {
                let only = |mine: &[String], other: &[String], tag: &str, lines: &mut Vec<String>| {
                    let lone = mine.iter().filter(|t| !other.contains(t));
                    lone.for_each(|t| lines.push(format!("{keyword}: {t} -- {tag} --")));
                };
                only(&first, &second, "ONLY-A", &mut lines);
                only(&second, &first, "ONLY-B", &mut lines);
            }
        }
    }
    (lines, differ)
}

/// 1 and 1.0 are the same; trailing blanks of texts do not count.
fn equal(a: &CardValue, b: &CardValue) -> bool {
    match (a, b) {
        (CardValue::Text(a), CardValue::Text(b)) => a.trim_end() == b.trim_end(),
        (CardValue::Integer(i), CardValue::Real(x)) | (CardValue::Real(x), CardValue::Integer(i)) => *i as f64 == *x,
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(cards: &[(&str, CardValue)]) -> Header {
        let mut header = Header::new();
        cards.iter().for_each(|(key, value)| header.push(Card { value: value.clone(), ..Card::new(*key, 0, "") }));
        header
    }

    #[test]
    fn keys_of_both_files_are_compared_and_checksums_are_not() {
        let a = header(&[("NDCM", 500.into()), ("EXPO", 1.into()), ("DATASUM", "1".into()), ("OLD", "x ".into())]);
        let b = header(&[("NDCM", 499.into()), ("EXPO", 1.0.into()), ("DATASUM", "2".into()), ("NEW", true.into())]);
        let (lines, differ) = compare(&a, &b, Mode::Diff, false);
        assert!(differ);
        assert_eq!(
            lines,
            [
                "NDCM: file1: 500, file2: 499, -- DIFF --",
                "OLD: file1: 'x', -- ONLY-A --",
                "NEW: file2: T, -- ONLY-B --"
            ]
        );
        let (lines, differ) = compare(&a, &b, Mode::Same, false);
        assert!(differ, "the exit code does not depend on what is listed");
        assert_eq!(lines, ["EXPO: file1: 1, file2: 1, -- SAME --"]);
        assert_eq!(compare(&a, &a, Mode::Diff, true), (vec![], false));
        assert_eq!(compare(&a, &b, Mode::Both, true).0.len(), 5);
    }

    #[test]
    fn history_counts_only_when_asked_for() {
        let (mut a, mut b) = (Header::new(), Header::new());
        a.push(Card::history("one"));
        b.push(Card::history("two"));
        assert!(!compare(&a, &b, Mode::Diff, false).1);
        let (lines, differ) = compare(&a, &b, Mode::Diff, true);
        assert!(differ);
        assert_eq!(lines, ["HISTORY: one -- ONLY-A --", "HISTORY: two -- ONLY-B --"]);
    }
}
