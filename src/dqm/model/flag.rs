//! The verdict on a test, a monitor element, an image, a run.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A verdict; of several, the worst counts (spec 06 §8.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flag {
    /// Nothing was tested, or the test does not apply.
    #[default]
    None,
    /// Within its limits.
    Pass,
    /// To be looked at.
    Warn,
    /// Outside of its limits.
    Fail,
    /// The image could not be processed (images only; it makes a run `Fail`).
    Error,
}

impl Flag {
    /// The word in files: `none`, `pass`, `warn`, `fail`, `error`.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Error => "error",
        }
    }

    /// The flag of a word, whatever its case.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::None, Self::Pass, Self::Warn, Self::Fail, Self::Error]
            .into_iter()
            .find(|f| f.word().eq_ignore_ascii_case(word.trim()))
    }

    /// The worst of several; `None` of none.
    pub fn worst(flags: impl IntoIterator<Item = Self>) -> Self {
        flags.into_iter().max().unwrap_or_default()
    }

    /// The boolean of older documents: not failed.
    pub fn is_ok(self) -> bool {
        self < Self::Fail
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_flag_counts() {
        assert_eq!(Flag::worst([]), Flag::None);
        assert_eq!(Flag::worst([Flag::None, Flag::Pass]), Flag::Pass);
        assert_eq!(Flag::worst([Flag::Pass, Flag::Fail, Flag::Warn]), Flag::Fail);
        assert!(Flag::None.is_ok() && Flag::Warn.is_ok() && !Flag::Fail.is_ok());
        assert_eq!(Flag::from_word(" WARN"), Some(Flag::Warn));
        assert_eq!(serde_json::to_string(&Flag::Warn).unwrap(), "\"warn\"");
    }
}
