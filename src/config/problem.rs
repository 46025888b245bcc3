//! What is wrong with a configuration, said so that it can be mended: file and line (or option), full path of the key,
//! what was found, what is expected. All problems of a configuration are collected and reported together.

use std::fmt;
use std::path::PathBuf;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A configuration file, with the line of the key where it is known.
    File(PathBuf, Option<usize>),
    /// An option of the command line, written as the user knows it (`--method`).
    Option(&'static str),
    /// The combination of file and command line.
    Merged,
}

/// One problem: an error or a warning, depending on the list it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where the value comes from.
    pub place: Place,
    /// Full path of the key, e.g. `process.ClusterFinder.method`; empty if the problem concerns the whole file.
    pub key: String,
    /// What is wrong, what was found and what is expected.
    pub text: String,
}

impl Problem {
    /// A problem with one key.
    pub fn new(place: Place, key: impl Into<String>, text: impl Into<String>) -> Self {
        Self { place, key: key.into(), text: text.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File(path, Some(line)) => write!(f, "{}:{line}: ", path.display())?,
            Place::File(path, None) => write!(f, "{}: ", path.display())?,
            Place::Option(option) => write!(f, "{option}: ")?,
            Place::Merged => {}
        }
        match self.place {
            // An option already says what it is about.
            Place::Option(_) => {}
            _ if self.key.is_empty() => {}
            _ => write!(f, "{}: ", self.key)?,
        }
        f.write_str(&self.text)
    }
}

/// All errors of a configuration, and the warnings found on the way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors {
    /// What must be mended; at least one.
    pub errors: Vec<Problem>,
    /// What may be mended.
    pub warnings: Vec<Problem>,
}

impl ConfigErrors {
    /// A single error.
    pub fn one(problem: Problem) -> Self {
        Self { errors: vec![problem], warnings: Vec::new() }
    }
}

impl fmt::Display for ConfigErrors {
    /// One error per line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.errors.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

/// The valid name most similar to `name`, if one is similar enough to be meant.
///
/// Case, `-` and `_` do not count. The measure is the better one of the share of letters that stay when one name is
/// edited into the other (Damerau and Levenshtein) and the Jaro-Winkler similarity, which forgives a missing middle
/// (`max_neigbor` for `max_nearest_neighbor`); a name inside the other one (`threshold`, `spr_threshold`) counts as
/// similar too.
pub fn nearest<'a>(name: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |s: &str| s.replace('-', "_").to_lowercase();
    let wanted = plain(name);
    let mut best: Option<(f64, &'a str)> = None;
    for candidate in valid {
        let plain = plain(candidate);
        let inside = wanted.len() >= 4 && plain.contains(&wanted) || plain.len() >= 4 && wanted.contains(&plain);
        let edits = strsim::normalized_damerau_levenshtein(&wanted, &plain);
        let similarity = if edits >= 0.65 || inside {
            1.0 + edits
        } else {
            let jaro = strsim::jaro_winkler(&wanted, &plain);
            if jaro >= 0.85 { jaro } else { continue }
        };
        if best.is_none_or(|(s, _)| similarity > s) {
            best = Some((similarity, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_the_one_a_person_would_guess() {
        let keys = ["max_nearest_neighbor", "method", "spr_image", "spr_threshold", "hist_nbins"];
        assert_eq!(nearest("max_neigbor", keys), Some("max_nearest_neighbor"));
        assert_eq!(nearest("max_nearest_neigbour", keys), Some("max_nearest_neighbor"));
        assert_eq!(nearest("Method", keys), Some("method"));
        assert_eq!(nearest("spr-treshold", keys), Some("spr_threshold"));
        assert_eq!(nearest("threshold", keys), Some("spr_threshold"));
        assert_eq!(nearest("gain", keys), None);
    }

    #[test]
    fn problems_read_as_sentences() {
        let problem = Problem::new(Place::File("run.json".into(), Some(7)), "input.image.n_amp", "4 is too large");
        assert_eq!(problem.to_string(), "run.json:7: input.image.n_amp: 4 is too large");
        assert_eq!(
            Problem::new(Place::Option("--axis"), "process.P.axis", "not an axis").to_string(),
            "--axis: not an axis"
        );
    }
}
