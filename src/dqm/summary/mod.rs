//! The summary files of a run: `me_summary_runNNN.json` and `me_summary_runNNN.pkl` (spec 06 §§9, 11).
//!
//! Both hold the same: [`read`] gives the same [`Summary`] for either, and recognises them by
//! content, not by name. The pickle needs no package to be opened and begins with the flat layout that older scripts
//! know. Pickles of the older tool are understood as far as plain numbers and lists go.

mod legacy;
mod pickle;
mod pickle_guard;

use std::io;
use std::path::{Path, PathBuf};

use super::model::{SCHEMA, Summary, VERSION};
use crate::atomic_file;

pub use pickle::to_pickle;

/// Why a summary cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SummaryError {
    /// The file cannot be opened or read.
    #[error("{}: the summary cannot be read: {source}", path.display())]
    Read {
        /// File.
        path: PathBuf,
        /// Reason.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("{}: the summary cannot be written: {source}", path.display())]
    Write {
        /// File.
        path: PathBuf,
        /// Reason.
        source: io::Error,
    },
    /// It is neither JSON nor a pickle of a summary.
    #[error("{}: this is no summary of a run: {reason}", path.display())]
    Content {
        /// File.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// It was made by a newer version.
    #[error("{}: the summary has version {found} of its format; this program reads up to {VERSION}", path.display())]
    Version {
        /// File.
        path: PathBuf,
        /// Version found.
        found: u32,
    },
    /// It cannot be put into words (never for finite data).
    #[error("the summary cannot be written: {0}")]
    Encode(String),
}

/// The summary as JSON text.
///
/// # Errors
/// [`SummaryError::Encode`].
pub fn to_json(summary: &Summary) -> Result<String, SummaryError> {
    serde_json::to_string(summary).map(|text| text + "\n").map_err(|e| SummaryError::Encode(e.to_string()))
}

/// Reads a summary: JSON if the first byte is `{`, else a pickle, of this tool or the older one.
///
/// # Errors
/// A sentence with the file in it.
pub fn read(path: &Path) -> Result<Summary, SummaryError> {
    let bytes = std::fs::read(path).map_err(|source| SummaryError::Read { path: path.to_owned(), source })?;
    let content = |reason: String| SummaryError::Content { path: path.to_owned(), reason };
    let summary = match bytes.iter().find(|b| !b.is_ascii_whitespace()) {
        Some(b'{') => from_json(&bytes).map_err(content)?,
        Some(_) => pickle::from_pickle(&bytes).map_err(content)?,
        None => return Err(content("the file is empty".into())),
    };
    if summary.version > VERSION {
        return Err(SummaryError::Version { path: path.to_owned(), found: summary.version });
    }
    Ok(summary)
}

/// Looks at format and version first, so that the error of a newer version is not about some key.
fn from_json(bytes: &[u8]) -> Result<Summary, String> {
    #[derive(serde::Deserialize)]
    struct Head {
        schema: Option<String>,
        version: Option<u32>,
    }
    let head: Head = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    if head.schema.as_deref() != Some(SCHEMA) {
        let found = head.schema.map_or("no `schema`".into(), |s| format!("`schema` is `{s}`"));
        return Err(format!("{found}; `{SCHEMA}` was expected"));
    }
    if let Some(version) = head.version.filter(|v| *v > VERSION) {
        return Ok(Summary { schema: SCHEMA.into(), version, ..Summary::default() });
    }
    serde_json::from_slice(bytes).map_err(|e| e.to_string())
}

/// Names of the two files in the directory `me` of the run: (JSON, pickle).
pub fn file_names(run: i64) -> (String, String) {
    let number = super::model::padded(run);
    (format!("me_summary_run{number}.json"), format!("me_summary_run{number}.pkl"))
}

/// Writes both files into `directory` (the `me` of the run), atomically.
///
/// # Errors
/// A sentence with the file in it.
pub fn write(summary: &Summary, directory: &Path) -> Result<(), SummaryError> {
    let (json, pickle) = file_names(summary.run.number);
    let put = |name: &str, bytes: &[u8]| {
        let path = directory.join(name);
        atomic_file::write(&path, bytes).map_err(|source| SummaryError::Write { path, source })
    };
    put(&json, to_json(summary)?.as_bytes())?;
    put(&pickle, &to_pickle(summary)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dqm::model::example;

    #[test]
    fn json_and_pickle_read_back_identically() {
        let summary = example::run(59, 3);
        let dir = tempfile::tempdir().unwrap();
        write(&summary, dir.path()).unwrap();
        let wanted = to_json(&summary).unwrap();
        for name in ["me_summary_run059.json", "me_summary_run059.pkl"] {
            let back = read(&dir.path().join(name)).unwrap();
            assert_eq!(to_json(&back).unwrap(), wanted, "{name}");
        }
    }

    #[test]
    fn a_newer_version_and_foreign_files_are_refused_with_a_sentence() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        for (text, expected) in [
            (r#"{"schema":"panaskimg-dqm-summary","version":99,"run":5}"#, "version 99"),
            (r#"{"schema":"other","version":1}"#, "`schema` is `other`"),
            ("{", "no summary"),
            ("", "empty"),
            ("\u{80}\u{2}garbage", "no summary"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains(path.to_str().unwrap()), "{text}: {error}");
        }
        assert!(read(&dir.path().join("absent")).unwrap_err().to_string().contains("absent"));
    }

    #[test]
    fn the_pickle_opens_in_a_bare_python_with_plain_types() {
        let summary = example::run(59, 3);
        let dir = tempfile::tempdir().unwrap();
        write(&summary, dir.path()).unwrap();
        let script = r#"
import pickle, sys, math
with open(sys.argv[1], "rb") as f: s = pickle.load(f)
plain = (dict, list, str, int, float, bool, type(None))
def check(v):
    assert type(v) in plain, type(v)
    for w in (list(v.values()) + list(v) if isinstance(v, dict) else v if isinstance(v, list) else []): check(w)
check(s)
assert s["run"] == 59
others = [k for k in s if k != "run" and not k.startswith("me_dc_")]
assert all(isinstance(s[k], dict) for k in others)
m = s["MEMeanDCperRow"]
n = len(m["amplifier"])
assert n == 4 and all(len(m[k]) == n for k in ("x", "y", "yerr", "xerr", "image", "ccd", "status"))
assert len(m["x"][0]) == len(m["y"][0]) > 10 and len(m["fit_model"]) == 2 and m["title"] and m["xlabel"]
assert all(isinstance(v, float) for v in s["MEOVSPedestalMu"]["y"])
assert len(s["me_dc_gain"]) == 2 and s["_meta"]["schema"] == "panaskimg-dqm-summary"
assert "MECCDMeanImage" not in s
print("ok", sys.modules.get("numpy"))
"#;
        let pkl = dir.path().join("me_summary_run059.pkl");
        let Ok(out) = std::process::Command::new("python3").args(["-I", "-c", script]).arg(&pkl).output() else {
            println!("skipped: there is no python3");
            return;
        };
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        assert_eq!(String::from_utf8_lossy(&out.stdout).trim(), "ok None");
    }
}
