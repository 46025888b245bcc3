//! A measured number and the places where it is reported.

use serde::Serialize;

/// One number that a process measured.
///
/// The list of measurements of an image feeds the FITS header, the ROOT `info` tree, the summary, the log and the
/// monitor: a process states each result once.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measurement {
    /// What it is: `gain`, `dark_current`, `readout_noise`, …
    pub name: String,
    /// Value, in `unit`.
    pub value: f64,
    /// Uncertainty (one standard deviation), in `unit`, where statistics gives one.
    pub error: Option<f64>,
    /// Unit: `ADU`, `e-`, `ADU/e-`, `s`, … or empty for pure numbers.
    pub unit: String,
    /// Amplifier it belongs to; `None` for the whole image.
    pub amplifier: Option<String>,
    /// Process that measured it (its tag).
    pub process: String,
    /// Header keywords for the value, each with the comment of the card.
    #[serde(skip)]
    pub cards: Vec<CardName>,
    /// Header keywords for the error.
    #[serde(skip)]
    pub error_cards: Vec<CardName>,
    /// Branch of the ROOT tree `info` for the value; the error goes to the same name with `_err`.
    #[serde(skip)]
    pub info_branch: Option<String>,
    /// Column of the table at the end of a run, for the few numbers that everybody looks for.
    #[serde(skip)]
    pub headline: Option<String>,
    /// Whether the number is an integer (cards and summary then show it as one).
    #[serde(skip)]
    pub integral: bool,
}

/// A header keyword and the comment written beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardName {
    /// Keyword.
    pub keyword: String,
    /// Comment.
    pub comment: String,
}

impl Measurement {
    /// A measured value; the manager fills in the process, and for per-amplifier processes the amplifier.
    pub fn new(name: impl Into<String>, value: f64, unit: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value,
            error: None,
            unit: unit.into(),
            amplifier: None,
            process: String::new(),
            cards: Vec::new(),
            error_cards: Vec::new(),
            info_branch: None,
            headline: None,
            integral: false,
        }
    }

    /// A count or another integer.
    pub fn integer(name: impl Into<String>, value: i64) -> Self {
        Self { integral: true, ..Self::new(name, value as f64, "") }
    }

    /// With an uncertainty (one standard deviation).
    pub fn error(mut self, error: f64) -> Self {
        self.error = Some(error);
        self
    }

    /// Belonging to this amplifier.
    pub fn amplifier(mut self, name: impl Into<String>) -> Self {
        self.amplifier = Some(name.into());
        self
    }

    /// Written to the header under this keyword.
    pub fn card(mut self, keyword: impl Into<String>, comment: impl Into<String>) -> Self {
        self.cards.push(CardName { keyword: keyword.into(), comment: comment.into() });
        self
    }

    /// Error written to the header under this keyword.
    pub fn error_card(mut self, keyword: impl Into<String>, comment: impl Into<String>) -> Self {
        self.error_cards.push(CardName { keyword: keyword.into(), comment: comment.into() });
        self
    }

    /// Shown in the table at the end of a run, in a column of this name.
    pub fn headline(mut self, column: impl Into<String>) -> Self {
        self.headline = Some(column.into());
        self
    }

    /// Written to the ROOT tree `info` under this branch (error: `<branch>_err`).
    pub fn info_branch(mut self, branch: impl Into<String>) -> Self {
        self.info_branch = Some(branch.into());
        self
    }
}
