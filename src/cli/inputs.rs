//! Which files a run works on (spec 01 §1.5): files and patterns, minus what `--skip` names.
//!
//! Patterns are matched here and not by a library, because no library was found that has exactly these rules: `*`, `?`,
//! `[abc]`, `[a-z]`, `[!abc]`, in directory parts too; no wildcard crosses `/` or matches a leading dot; nothing else is
//! special.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::output::naming::stem;

/// The files of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// Absolute paths, sorted by byte order, each once.
    pub files: Vec<PathBuf>,
    /// Files that `--skip` dropped, sorted.
    pub dropped: Vec<PathBuf>,
    /// Inputs that match no file, with the reason. Each counts as a failed item.
    pub unmatched: Vec<Unmatched>,
}

/// An input that matches no file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmatched {
    /// As given.
    pub infile: OsString,
    /// Why: does not exist, is a directory, …
    pub reason: &'static str,
}

/// Why inputs cannot be selected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// A list file of `--skip` cannot be read.
    #[error("--skip {list}: the list file cannot be read: {reason}")]
    UnreadableList {
        /// Path of the list.
        list: String,
        /// Reason of the operating system.
        reason: String,
    },
    /// List files name each other.
    #[error("--skip {list}: the list file names itself ({chain})")]
    ListCycle {
        /// Path of the list.
        list: String,
        /// Which list names which.
        chain: String,
    },
    /// Two inputs have the same stem, so their outputs have the same names.
    #[error(
        "{first} and {second} would write the same output files ({stem}_…); process them into different directories"
    )]
    SameOutput {
        /// One input.
        first: String,
        /// The other.
        second: String,
        /// Their common stem.
        stem: String,
    },
}

/// Selects files: `infiles` are literal names or patterns, relative to `base`; `skip` are the values of `--skip`.
///
/// # Errors
/// A list file of `--skip` that cannot be read or names itself; two files whose outputs would have the same names.
pub fn select(infiles: &[OsString], skip: &[String], base: &Path) -> Result<Selection, SelectionError> {
    let skip = Skip::read(skip, base)?;
    let mut found: BTreeMap<OsString, PathBuf> = BTreeMap::new();
    let mut seen = HashSet::new();
    let mut selection = Selection::default();
    for infile in infiles {
        let files = match_infile(infile, base);
        if files.is_empty() {
            selection.unmatched.push(Unmatched { infile: infile.clone(), reason: reason(infile, base) });
        }
        for file in files {
            let absolute = std::path::absolute(&file).unwrap_or(file);
            if seen.insert(identity(&absolute)) {
                found.insert(absolute.clone().into_os_string(), absolute);
            }
        }
    }
    let (dropped, files) = found.into_values().partition(|file| skip.drops(file));
    selection.files = files;
    selection.dropped = dropped;
    check_stems(&selection.files)?;
    Ok(selection)
}

/// The files that one input, a literal name or a pattern relative to `base`, stands for.
pub fn matching(infile: &OsStr, base: &Path) -> Vec<PathBuf> {
    match_infile(infile, base)
}

/// Two ways to write the same path are one file; a link is a file of its own.
fn identity(absolute: &Path) -> PathBuf {
    match (absolute.parent().and_then(|p| p.canonicalize().ok()), absolute.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => absolute.to_owned(),
    }
}

/// Why an input stands for no file.
pub fn reason(infile: &OsStr, base: &Path) -> &'static str {
    let path = base.join(infile);
    if infile.is_empty() {
        "an empty name"
    } else if path.is_dir() {
        "is a directory; quote a pattern such as \"DIR/*.fits\""
    } else if path.symlink_metadata().is_ok() {
        "is not a regular file"
    } else if is_pattern(&infile.to_string_lossy()) {
        "matches no file"
    } else {
        "does not exist"
    }
}

fn check_stems(files: &[PathBuf]) -> Result<(), SelectionError> {
    let mut stems: BTreeMap<String, &Path> = BTreeMap::new();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let stem = stem(&name).to_owned();
        if let Some(first) = stems.insert(stem.clone(), file) {
            let [first, second] = [first, file].map(|p| p.display().to_string());
            return Err(SelectionError::SameOutput { first, second, stem });
        }
    }
    Ok(())
}

/// Files that an input stands for.
fn match_infile(infile: &OsStr, base: &Path) -> Vec<PathBuf> {
    let literal = base.join(infile);
    if literal.is_file() {
        return vec![literal];
    }
    // A name that is not Unicode cannot be a pattern.
    let Some(pattern) = infile.to_str().filter(|p| is_pattern(p)) else { return Vec::new() };
    let mut places = if pattern.starts_with('/') { vec![PathBuf::from("/")] } else { vec![base.to_owned()] };
    let parts: Vec<&str> = pattern.split('/').filter(|p| !p.is_empty()).collect();
    for (i, part) in parts.iter().enumerate() {
        let last = i + 1 == parts.len();
        places = places.iter().flat_map(|place| match_part(place, part)).collect();
        places.retain(|p| if last { p.is_file() } else { p.is_dir() });
    }
    places
}

fn match_part(place: &Path, part: &str) -> Vec<PathBuf> {
    if !is_pattern(part) {
        return vec![place.join(part)];
    }
    let pattern = Pattern::new(part);
    let Ok(entries) = std::fs::read_dir(place) else { return Vec::new() };
    let names = entries.flatten().map(|e| e.file_name());
    names.filter(|name| pattern.matches(&name.to_string_lossy())).map(|name| place.join(name)).collect()
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// One part of a pattern, between slashes.
struct Pattern {
    items: Vec<Item>,
}

enum Item {
    Char(char),
    AnyChar,
    AnyText,
    Set { negated: bool, ranges: Vec<(char, char)> },
}

impl Pattern {
    fn new(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let mut items = Vec::new();
        let mut i = 0;
        while i < chars.len() {
            let (item, next) = match chars[i] {
                '*' => (Item::AnyText, i + 1),
                '?' => (Item::AnyChar, i + 1),
                '[' => Self::set(&chars, i).unwrap_or((Item::Char('['), i + 1)),
                c => (Item::Char(c), i + 1),
            };
            items.push(item);
            i = next;
        }
        Self { items }
    }

    /// A set that begins at `[`, and where it ends; `None` without closing bracket. A `]` in first place is a member.
    fn set(chars: &[char], start: usize) -> Option<(Item, usize)> {
        let mut i = start + 1;
        let negated = chars.get(i) == Some(&'!');
        i += usize::from(negated);
        let first = i;
        let mut ranges = Vec::new();
        while chars.get(i).is_some_and(|&c| c != ']' || i == first) {
            let from = chars[i];
            match (chars.get(i + 1), chars.get(i + 2)) {
                (Some('-'), Some(&to)) if to != ']' => {
                    ranges.push((from, to));
                    i += 3;
                }
                _ => {
                    ranges.push((from, from));
                    i += 1;
                }
            }
        }
        (i < chars.len()).then_some((Item::Set { negated, ranges }, i + 1))
    }

    fn matches(&self, name: &str) -> bool {
        if name.starts_with('.') && !matches!(self.items.first(), Some(Item::Char('.'))) {
            return false;
        }
        let name: Vec<char> = name.chars().collect();
        // Greedy with one step back to the last `*`: enough, because an earlier `*` never needs to give way again.
        let (mut i, mut n) = (0, 0);
        let mut back: Option<(usize, usize)> = None;
        while n < name.len() {
            match self.items.get(i) {
                Some(Item::AnyText) => {
                    back = Some((i, n));
                    i += 1;
                }
                Some(item) if item.matches(name[n]) => {
                    i += 1;
                    n += 1;
                }
                _ => match back.as_mut() {
                    Some((star, taken)) => {
                        *taken += 1;
                        i = *star + 1;
                        n = *taken;
                    }
                    None => return false,
                },
            }
        }
        self.items[i..].iter().all(|item| matches!(item, Item::AnyText))
    }
}

impl Item {
    fn matches(&self, c: char) -> bool {
        match self {
            Self::Char(own) => *own == c,
            Self::AnyChar => true,
            Self::AnyText => false,
            Self::Set { negated, ranges } => ranges.iter().any(|(a, b)| (*a..=*b).contains(&c)) != *negated,
        }
    }
}

/// The texts of `--skip`, list files read.
struct Skip {
    in_name: BTreeSet<String>,
    in_path: BTreeSet<String>,
}

impl Skip {
    fn read(values: &[String], base: &Path) -> Result<Self, SelectionError> {
        let mut skip = Self { in_name: BTreeSet::new(), in_path: BTreeSet::new() };
        for value in values {
            skip.add(value, base, &mut Vec::new())?;
        }
        Ok(skip)
    }

    /// Adds a text, or the texts of a list file. `open` are the lists that are being read.
    fn add(&mut self, text: &str, base: &Path, open: &mut Vec<PathBuf>) -> Result<(), SelectionError> {
        if !text.ends_with(".txt") {
            let texts = if text.contains('/') { &mut self.in_path } else { &mut self.in_name };
            texts.insert(text.to_owned());
            return Ok(());
        }
        // A list named in a list is looked for in the working directory, then beside the list that names it.
        let beside = open.last().and_then(|list| list.parent()).map(|folder| folder.join(text));
        let path = [Some(base.join(text)), beside].into_iter().flatten().find(|p| p.exists());
        let path = path.unwrap_or_else(|| base.join(text));
        let content = std::fs::read(&path)
            .map_err(|e| SelectionError::UnreadableList { list: text.to_owned(), reason: e.to_string() })?;
        let path = path.canonicalize().unwrap_or(path);
        if open.contains(&path) {
            let chain: Vec<String> = open.iter().chain([&path]).map(|p| p.display().to_string()).collect();
            return Err(SelectionError::ListCycle { list: text.to_owned(), chain: chain.join(" → ") });
        }
        open.push(path);
        for line in String::from_utf8_lossy(&content).trim_start_matches('\u{feff}').lines() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                self.add(line, base, open)?;
            }
        }
        open.pop();
        Ok(())
    }

    fn drops(&self, file: &Path) -> bool {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let path = file.to_string_lossy();
        self.in_name.iter().any(|text| name.contains(text.as_str()))
            || self.in_path.iter().any(|text| path.contains(text.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        folder
    }

    fn names(folder: &Path, infiles: &[&str], skip: &[&str]) -> Vec<String> {
        let infiles: Vec<OsString> = infiles.iter().map(OsString::from).collect();
        let skip: Vec<String> = skip.iter().map(|s| s.to_string()).collect();
        let selection = select(&infiles, &skip, folder).unwrap();
        let relative = |p: &PathBuf| p.strip_prefix(folder).unwrap().display().to_string();
        assert!(selection.files.iter().all(|f| f.is_absolute()));
        selection.files.iter().map(relative).collect()
    }

    /// The test of spec 01 §1.5.
    #[test]
    fn the_example_of_the_specification() {
        let f = folder(&["Image_1.fits", "Image_10.fits", "Image_2.fits", "Image_598.fits", "x_full_1.fits"]);
        std::fs::write(f.path().join("cuts.txt"), "_full_1.fits\n\n").unwrap();
        let found = names(f.path(), &["*.fits"], &["_598", "cuts.txt"]);
        assert_eq!(found, ["Image_1.fits", "Image_10.fits", "Image_2.fits"]);
    }

    #[test]
    fn wildcards() {
        for (pattern, name, matches) in [
            ("*.fits", "a.fits", true),
            ("*.fits", ".fits", false),
            ("*", ".hidden", false),
            (".*", ".hidden", true),
            ("?hidden", ".hidden", false),
            ("[.]hidden", ".hidden", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a?c", "aéc", true),
            ("[a-c]x", "bx", true),
            ("[a-c]x", "dx", false),
            ("[!a-c]x", "dx", true),
            ("[!a-c]x", "ax", false),
            ("[]a]x", "]x", true),
            ("[a-]x", "-x", true),
            ("a[bc", "a[bc", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("**.fits", "a.fits", true),
            ("*_{1,2}.fits", "a_1.fits", false),
            ("*_{1,2}.fits", "a_{1,2}.fits", true),
            ("*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(Pattern::new(pattern).matches(name), matches, "{pattern} {name}");
        }
    }

    #[test]
    fn patterns_have_wildcards_in_directories_too_and_do_not_cross_them() {
        let f =
            folder(&["run1/a.fits", "run2/b.fits", "run2/deep/c.fits", "x.fits", ".hidden/d.fits", "run1/sub.fits/e"]);
        assert_eq!(names(f.path(), &["run*/*.fits"], &[]), ["run1/a.fits", "run2/b.fits"]);
        assert_eq!(names(f.path(), &["*.fits"], &[]), ["x.fits"]);
        assert_eq!(names(f.path(), &["**/*.fits"], &[]), ["run1/a.fits", "run2/b.fits"], "no recursion");
        assert_eq!(names(f.path(), &["*/deep/c.fits"], &[]), ["run2/deep/c.fits"]);
        assert_eq!(names(f.path(), &["run2/../x*"], &[]).len(), 1);
        let absolute = format!("{}/run[12]/*.fits", f.path().display());
        assert_eq!(names(f.path(), &[&absolute], &[]), ["run1/a.fits", "run2/b.fits"]);
    }

    #[test]
    fn an_existing_file_is_taken_literally_and_each_file_once() {
        let f = folder(&["a[1].fits", "a1.fits", "b.fits"]);
        assert_eq!(names(f.path(), &["a[1].fits"], &[]), ["a[1].fits"]);
        let twice = ["b.fits", "./b.fits", "b*", "a1.fits"];
        assert_eq!(names(f.path(), &twice, &[]), ["a1.fits", "b.fits"]);
    }

    #[test]
    fn skip_looks_at_the_name_or_with_a_slash_at_the_path() {
        let f = folder(&["run_598/a.fits", "run_599/b_598.fits", "run_599/c.fits"]);
        assert_eq!(names(f.path(), &["*/*"], &["_598"]), ["run_598/a.fits", "run_599/c.fits"]);
        assert_eq!(names(f.path(), &["*/*"], &["run_598/"]), ["run_599/b_598.fits", "run_599/c.fits"]);
        assert_eq!(names(f.path(), &["*/*"], &["[a-b]", "*"]).len(), 3, "no wildcards");
        assert_eq!(names(f.path(), &["*/*"], &["A.FITS"]).len(), 3, "case counts");
    }

    #[test]
    fn skip_lists_hold_comments_blank_lines_and_other_lists() {
        let f = folder(&["a.fits", "b.fits", "c.fits", "d.fits"]);
        std::fs::create_dir(f.path().join("lists")).unwrap();
        std::fs::write(f.path().join("lists/one.txt"), "\u{feff}# bad ones\r\n\r\n  a.f \r\ntwo.txt\r\n").unwrap();
        std::fs::write(f.path().join("lists/two.txt"), "b.f").unwrap();
        assert_eq!(names(f.path(), &["*.fits"], &["lists/one.txt", "c"]), ["d.fits"]);
    }

    #[test]
    fn unreadable_and_circular_lists_are_errors() {
        let f = folder(&["a.fits"]);
        let infiles = [OsString::from("*.fits")];
        let error = |list: &str| select(&infiles, &[list.to_owned()], f.path()).unwrap_err();
        assert!(matches!(error("none.txt"), SelectionError::UnreadableList { .. }));
        std::fs::write(f.path().join("x.txt"), "y.txt").unwrap();
        std::fs::write(f.path().join("y.txt"), "x.txt").unwrap();
        assert!(matches!(error("x.txt"), SelectionError::ListCycle { .. }));
        std::fs::write(f.path().join("y.txt"), "z").unwrap();
        std::fs::write(f.path().join("both.txt"), "x.txt\ny.txt\nx.txt").unwrap();
        let twice = select(&infiles, &["both.txt".into()], f.path()).unwrap();
        assert_eq!(twice.files.len(), 1, "the same list twice is no cycle");
    }

    #[test]
    fn inputs_without_files_are_named_with_the_reason() {
        let f = folder(&["a.fits", "dir/b.fits"]);
        let infiles = ["a.fits", "no.fits", "no*", "dir"].map(OsString::from);
        let selection = select(&infiles, &[], f.path()).unwrap();
        assert_eq!(selection.files.len(), 1);
        let reasons: Vec<_> = selection.unmatched.iter().map(|u| u.reason.split(';').next().unwrap()).collect();
        assert_eq!(reasons, ["does not exist", "matches no file", "is a directory"]);
    }

    #[test]
    fn two_inputs_must_not_write_the_same_outputs() {
        let f = folder(&["one/a.fits", "two/a.fits.fz", "two/b.fits"]);
        let all = [OsString::from("*/*")];
        let error = select(&all, &[], f.path()).unwrap_err();
        assert!(error.to_string().contains("one/a.fits") && error.to_string().contains("two/a.fits.fz"), "{error}");
        assert_eq!(select(&all, &["fz".into()], f.path()).unwrap().files.len(), 2, "dropped files do not count");
    }
}
