//! A configuration file as text: parsing with helpful syntax errors, the line of every key, and duplicate keys.
//!
//! serde_json keeps the last of several equal keys and says nothing, and it forgets where a key stood. Both matter to a
//! person who looks for a mistake, so a small scanner walks over the text a second time, once it is known to be valid.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// A parsed configuration file.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Its content, without the keys that hold comments (see [`is_comment`]).
    pub content: Map<String, Value>,
    /// Keys that occur several times in one object.
    pub duplicates: Vec<Duplicate>,
    lines: HashMap<String, usize>,
}

/// A key that occurs several times in one object; the last one counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// Full path of the key.
    pub key: String,
    /// Line of the one before.
    pub earlier_line: usize,
    /// Line of the one that counts.
    pub line: usize,
}

/// Why a text is not a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Wrong encoding.
    #[error("{0}")]
    Encoding(String),
    /// Nothing in it.
    #[error("the file is empty; an empty configuration is written {{}}")]
    Empty,
    /// Not JSON.
    #[error("not valid JSON: {what} (column {column}){hint}\n    {source_line}\n    {marker:>column$}", marker = "^")]
    Syntax {
        /// What the parser expected.
        what: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What it might be, beginning with `; `, or empty.
        hint: String,
        /// The line.
        source_line: String,
    },
    /// JSON, but a number, text or list.
    #[error("the file must hold one JSON object {{…}}; found {0}")]
    NotAnObject(&'static str),
}

impl DocumentError {
    /// Line of the error, from 1, where it has one.
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::Syntax { line, .. } => Some(*line),
            _ => None,
        }
    }
}

/// Keys that are ignored everywhere: those that start with `#` or `//`, and `comment`.
pub fn is_comment(key: &str) -> bool {
    key.starts_with('#') || key.starts_with("//") || key == "comment"
}

impl Document {
    /// Parses the bytes of a file: JSON in UTF-8, with or without byte-order mark.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
            return Err(DocumentError::Encoding("the file is encoded in UTF-16; save it as UTF-8".into()));
        }
        let text = std::str::from_utf8(bytes).map_err(|e| {
            let line = 1 + bytes[..e.valid_up_to()].iter().filter(|&&b| b == b'\n').count();
            DocumentError::Encoding(format!("line {line} holds a character that is not UTF-8; save the file as UTF-8"))
        })?;
        if text.trim().is_empty() {
            return Err(DocumentError::Empty);
        }
        let value: Value = serde_json::from_str(text).map_err(|e| syntax_error(&e, text))?;
        let mut content = match value {
            Value::Object(map) => map,
            Value::Array(_) => return Err(DocumentError::NotAnObject("a list")),
            Value::String(_) => return Err(DocumentError::NotAnObject("a text")),
            _ => return Err(DocumentError::NotAnObject("a single value")),
        };
        remove_comments(&mut content);
        let mut scanner = Scanner { text, position: 0, line: 1, lines: HashMap::new(), duplicates: Vec::new() };
        scanner.value("");
        Ok(Self { content, duplicates: scanner.duplicates, lines: scanner.lines })
    }

    /// Line (from 1) of the key with this full path, e.g. `process.ClusterFinder.method`; the last one if it occurs
    /// several times.
    pub fn line(&self, key: &str) -> Option<usize> {
        self.lines.get(key).copied()
    }
}

fn remove_comments(map: &mut Map<String, Value>) {
    map.retain(|key, _| !is_comment(key));
    for value in map.values_mut() {
        remove_comments_inside(value);
    }
}

fn remove_comments_inside(value: &mut Value) {
    match value {
        Value::Object(map) => remove_comments(map),
        Value::Array(items) => items.iter_mut().for_each(remove_comments_inside),
        _ => {}
    }
}

/// Walks over a text that is known to be valid JSON.
struct Scanner<'a> {
    text: &'a str,
    position: usize,
    line: usize,
    lines: HashMap<String, usize>,
    duplicates: Vec<Duplicate>,
}

impl Scanner<'_> {
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.position).copied().unwrap_or(b'}')
    }

    fn skip_blanks(&mut self) {
        while let Some(byte) = self.text.as_bytes().get(self.position)
            && byte.is_ascii_whitespace()
        {
            self.line += usize::from(*byte == b'\n');
            self.position += 1;
        }
    }

    fn value(&mut self, path: &str) {
        self.skip_blanks();
        match self.peek() {
            b'{' => self.object(path),
            b'[' => self.array(path),
            b'"' => {
                self.string();
            }
            _ => {
                while !matches!(self.peek(), b',' | b'}' | b']') && !self.peek().is_ascii_whitespace() {
                    self.position += 1;
                }
            }
        }
        self.skip_blanks();
    }

    fn object(&mut self, path: &str) {
        let mut seen: HashMap<String, usize> = HashMap::new();
        self.position += 1;
        self.skip_blanks();
        while self.peek() == b'"' {
            let line = self.line;
            let key = self.string();
            let full = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            self.skip_blanks();
            self.position += 1; // the colon
            if let Some(earlier_line) = seen.insert(key.clone(), line)
                && !is_comment(&key)
            {
                self.duplicates.push(Duplicate { key: full.clone(), earlier_line, line });
            }
            self.value(&full);
            self.lines.insert(full, line);
            if self.peek() == b',' {
                self.position += 1;
                self.skip_blanks();
            }
        }
        self.position += 1;
    }

    fn array(&mut self, path: &str) {
        self.position += 1;
        self.skip_blanks();
        let mut index = 0;
        while self.position < self.text.len() && self.peek() != b']' {
            self.value(&format!("{path}[{index}]"));
            index += 1;
            if self.peek() == b',' {
                self.position += 1;
                self.skip_blanks();
            }
        }
        self.position += 1;
    }

    fn string(&mut self) -> String {
        let start = self.position;
        self.position += 1;
        while self.position < self.text.len() && self.peek() != b'"' {
            self.position += if self.peek() == b'\\' { 2 } else { 1 };
        }
        self.position = (self.position + 1).min(self.text.len());
        self.text.get(start..self.position).and_then(|s| serde_json::from_str(s).ok()).unwrap_or_default()
    }
}

fn syntax_error(error: &serde_json::Error, text: &str) -> DocumentError {
    // Column 0 means that the line break before is the offending character.
    let (line, column) = match (error.line(), error.column()) {
        (line @ 2.., 0) => (line - 1, usize::MAX),
        (line, column) => (line.max(1), column.max(1)),
    };
    let source: &str = text.lines().nth(line - 1).unwrap_or("");
    // The parser counts bytes; people and terminals count characters.
    let before = source.get(..column - 1).unwrap_or(source);
    let rest = source.get(before.len()..).unwrap_or("");
    let full = error.to_string();
    let mut what = full.split(" at line ").next().unwrap_or(&full).to_owned();
    if error.is_eof() {
        what = what.replace("EOF while parsing", "the file ends inside");
    }
    let hint = hint(&what, error.is_eof(), before, rest, text, line);
    let hint = hint.map(|h| format!("; {h}")).unwrap_or_default();
    // Very long lines (a file without line breaks) are cut around the place.
    let skipped = before.chars().count().saturating_sub(60);
    let shown: String = source.chars().skip(skipped).take(100).map(|c| if c == '\t' { ' ' } else { c }).collect();
    let column = before.chars().count() + 1;
    if skipped > 0 {
        let what = format!("{what} in column {column}");
        return DocumentError::Syntax { what, line, column: column - skipped, hint, source_line: shown };
    }
    DocumentError::Syntax { what, line, column, hint, source_line: shown }
}

/// What usually stands behind a syntax error.
fn hint(what: &str, eof: bool, before: &str, rest: &str, text: &str, line: usize) -> Option<&'static str> {
    let last_before = || {
        let earlier = text.lines().take(line - 1).collect::<Vec<_>>();
        let mut all = earlier.iter().map(|l| l.trim()).chain([before.trim()]).collect::<Vec<_>>();
        all.retain(|l| !l.is_empty());
        all.last().and_then(|l| l.chars().last())
    };
    let word: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
    let starts = |s: &str| rest.starts_with(s);
    if eof {
        Some("a closing } or ] or quote is missing")
    } else if starts("//") || starts("#") || starts("/*") || rest.starts_with('/') || before.ends_with('/') {
        Some("JSON has no comments; use a key \"//\" or \"comment\" instead")
    } else if starts("'") {
        Some("texts are written in double quotes")
    } else if matches!(word.as_str(), "True" | "False" | "None") {
        Some("write true, false or null (Python writes True, False, None)")
    } else if matches!(word.to_ascii_lowercase().as_str(), "nan" | "inf" | "infinity") {
        Some("JSON has no NaN or infinity; use null for a value that is not set")
    } else if what.starts_with("trailing comma") || starts("}") && last_before() == Some(',') {
        Some("remove the comma before the closing bracket")
    } else if what.starts_with("expected `,`") {
        Some("a comma is missing before this place")
    } else if what.starts_with("expected `:`") {
        Some("a colon is missing between key and value")
    } else if what.starts_with("key must be a string") {
        Some("keys are written in double quotes")
    } else if what.starts_with("trailing characters") {
        Some("there is one closing bracket too many before this place")
    } else if what.starts_with("control character") {
        Some("a text must end on the line where it begins")
    } else if what.starts_with("invalid number") {
        Some("numbers are written like 10, -0.5 or 1e-4")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Document {
        Document::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn keys_know_their_lines_and_duplicates_are_found() {
        let d = parse("{\n \"a\": {\"x\": 1,\n  \"y\": [1, {\"z\": \"}\\\"\"}],\n \"x\": 2},\n\"b\": null}");
        assert_eq!(d.line("a"), Some(2));
        assert_eq!(d.line("a.y"), Some(3));
        assert_eq!(d.line("a.y[1].z"), Some(3));
        assert_eq!(d.line("b"), Some(5));
        assert_eq!(d.line("c"), None);
        assert_eq!(d.duplicates, [Duplicate { key: "a.x".into(), earlier_line: 2, line: 4 }]);
        assert_eq!(d.content["a"]["x"], 2, "the last one counts");
    }

    #[test]
    fn comments_and_a_byte_order_mark_are_allowed() {
        let d = parse(
            "\u{feff}{\"#\": 1, \"//\": 2, \"//\": 3, \"comment\": 4, \"k\": {\"// why\": 5, \"l\": [{\"#\": 1}]}}",
        );
        assert_eq!(Value::Object(d.content), serde_json::json!({"k": {"l": [{}]}}));
        assert_eq!(d.duplicates, []);
    }

    /// Each mistake is one that people make; the message must name the line and what to do.
    #[test]
    fn syntax_errors_say_where_and_what_to_do() {
        for (text, line, hint) in [
            ("{\"a\": 1,\n}", 2, "remove the comma"),
            ("{\"a\": [1,\n2,]}", 2, "remove the comma"),
            ("{\"a\": 1\n \"b\": 2}", 2, "a comma is missing"),
            ("{\"a\": 1,\n // note\n \"b\": 2}", 2, "no comments"),
            ("{\"a\": 1, # note\n \"b\": 2}", 1, "no comments"),
            ("{'a': 1}", 1, "double quotes"),
            ("{a: 1}", 1, "double quotes"),
            ("{\"a\": True}", 1, "Python"),
            ("{\"a\": NaN}", 1, "null"),
            ("{\"a\": {\"b\": 1}", 1, "closing"),
            ("{\"a\": 1}}", 1, "too many"),
            ("{\"a\" 1}", 1, "colon"),
            ("{\"a\": \"x\n\"}", 1, "line where it begins"),
            ("{\"a\": 1.}", 1, "numbers"),
        ] {
            let error = Document::parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.line(), Some(line), "{text}: {error}");
            assert!(error.to_string().contains(hint), "{text}: {error}");
        }
        assert_eq!(Document::parse(b" \n"), Err(DocumentError::Empty));
        assert_eq!(Document::parse(b"[1]"), Err(DocumentError::NotAnObject("a list")));
        assert!(Document::parse(b"\xff\xfe{\x00}\x00").unwrap_err().to_string().contains("UTF-16"));
        assert!(Document::parse(b"{\n\"a\": \"\xe9\"}").unwrap_err().to_string().contains("line 2"));
        assert!(Document::parse("[".repeat(100_000).as_bytes()).is_err(), "deep nesting is refused");
    }

    #[test]
    fn the_marker_stands_under_the_mistake() {
        let error = Document::parse("{\n  \"é\": 1 2\n}".as_bytes()).unwrap_err();
        let text = error.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1].chars().nth(lines[2].chars().count() - 1), Some('2'), "{text}");
    }
}
