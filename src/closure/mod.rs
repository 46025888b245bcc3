//! Closure: what the analysis finds on simulated images against what was put in (spec 07 §8.8).
//!
//! ```text
//! Study ── cases (settings) ──> simulate ─> chain ─> compare with the truth ─> pulls ─> table, figures, report
//! ```
//!
//! A [`Study`] examines one process; its cases are a grid of settings; each compares some [`Quantity`]s on many images.
//! If estimate and error are right, the pulls have mean 0 and width 1 ([`pull`]). With some hundred comparisons a few
//! leave 3 standard errors by chance: these are repeated once on fresh images, four times as many, and judged by those
//! alone.
//!
//! | room | what is in it |
//! |---|---|
//! | [`studies`] | the processes and their settings |
//! | [`case`] | simulating, analysing and comparing the images of a setting |
//! | [`truth`] | the truth files |
//! | [`pull`] | statistics of pulls |
//! | [`report`], [`figures`] | table, files and plots |

pub mod case;
mod error;
pub mod figures;
pub mod pull;
pub mod report;
pub mod studies;
pub mod truth;

use std::path::Path;

pub use case::{Analysed, ByDesign, Case, ErrorSource, Findings, Quantity};
pub use error::ClosureError;
pub use pull::{Comparison, Pulls, Summary};
pub use studies::STUDIES;

use case::Prepared;

/// How much is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Few settings and small images: for the tests.
    Fast,
    /// The whole grid.
    Full,
}

/// The closure of one process.
#[derive(Debug)]
pub struct Study {
    /// Name, for the command line and files.
    pub name: &'static str,
    /// What is examined, one line.
    pub title: &'static str,
    /// What is compared.
    pub quantities: &'static [Quantity],
    /// The settings.
    pub cases: fn(Extent) -> Vec<Case>,
}

/// How the images are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Settings and sizes.
    pub extent: Extent,
    /// Images per setting.
    pub images: u64,
    /// Master seed.
    pub seed: u64,
    /// Only settings whose label holds this.
    pub setting: Option<String>,
}

impl Plan {
    /// Whether a setting of this label is to be made.
    pub fn wants(&self, label: &str) -> bool {
        self.setting.as_ref().is_none_or(|part| label.contains(part.as_str()))
    }
}

/// How many times more images a repetition has.
pub const REPETITION: u64 = 4;

/// One row of the table: a quantity in a setting.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Quantity.
    pub quantity: Quantity,
    /// The pulls that count.
    pub pulls: Pulls,
    /// Summary of the first pulls, if they were repeated.
    pub first: Option<Summary>,
    /// Why it does not close, where that follows from its definition, and how far off it is.
    pub by_design: Option<ByDesign>,
}

/// What a row of the table says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Mean and width are right.
    Closes,
    /// They are as far off as is known.
    ByDesign,
    /// They are not.
    Fails,
}

impl Verdict {
    /// The word in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Closes => "closes",
            Self::ByDesign => "by design",
            Self::Fails => "FAILS",
        }
    }
}

impl Entry {
    /// The pulls that count.
    pub fn summary(&self) -> Summary {
        self.pulls.summary()
    }

    /// Whether the quantity closes. Comparisons without result do not spoil the pulls, but more than one in a hundred do.
    pub fn verdict(&self) -> Verdict {
        let s = self.summary();
        if s.closes() && s.missing * 100 <= s.n + s.missing {
            Verdict::Closes
        } else if self.by_design.is_some_and(|known| known.describes(&s)) {
            Verdict::ByDesign
        } else {
            Verdict::Fails
        }
    }
}

/// The result of one setting.
#[derive(Debug, Clone)]
pub struct CaseResult {
    /// What is particular about it.
    pub label: String,
    /// Images made, those of a repetition not counted.
    pub images: u64,
    /// One per quantity that was compared.
    pub entries: Vec<Entry>,
}

/// The result of a study.
#[derive(Debug, Clone)]
pub struct StudyResult {
    /// Name.
    pub name: &'static str,
    /// One line.
    pub title: &'static str,
    /// Its settings.
    pub cases: Vec<CaseResult>,
}

impl StudyResult {
    /// All rows with the label of their setting.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.cases.iter().flat_map(|case| case.entries.iter().map(move |entry| (case.label.as_str(), entry)))
    }
}

/// The study of this name.
///
/// # Errors
/// If there is none; the error lists all.
pub fn find(name: &str) -> Result<&'static Study, ClosureError> {
    STUDIES.iter().find(|s| s.name == name).ok_or_else(|| ClosureError::NoStudy {
        name: name.to_owned(),
        existing: STUDIES.iter().map(|s| s.name).collect(),
    })
}

impl Study {
    /// Makes the study with temporary files in `folder`; `done` hears of every finished setting.
    ///
    /// # Errors
    /// If an image cannot be made, read or analysed.
    pub fn run(
        &self,
        plan: &Plan,
        folder: &Path,
        done: &mut dyn FnMut(&CaseResult),
    ) -> Result<StudyResult, ClosureError> {
        let mut cases = Vec::new();
        for case in (self.cases)(plan.extent).into_iter().filter(|case| plan.wants(&case.label)) {
            let result = self.case(&case, plan, folder)?;
            done(&result);
            cases.push(result);
        }
        Ok(StudyResult { name: self.name, title: self.title, cases })
    }

    fn case(&self, case: &Case, plan: &Plan, folder: &Path) -> Result<CaseResult, ClosureError> {
        let prepared = Prepared::new(self.name, case, plan.seed)?;
        let first = prepared.run(self.quantities, 0..plan.images, folder)?;
        let known = |q: &Quantity| case.by_design.iter().find(|b| b.quantity == q.name).copied();
        let entry = |(quantity, pulls): (&Quantity, Pulls)| {
            let compared = !pulls.values().is_empty() || pulls.summary().missing > 0;
            compared.then(|| Entry { quantity: *quantity, pulls, first: None, by_design: known(quantity) })
        };
        let mut entries: Vec<Entry> = self.quantities.iter().zip(first).filter_map(entry).collect();
        if entries.iter().any(|e| e.verdict() == Verdict::Fails) {
            let fresh = plan.images..plan.images * (1 + REPETITION);
            let repeated = prepared.run(self.quantities, fresh, folder)?;
            for entry in entries.iter_mut().filter(|e| e.verdict() == Verdict::Fails) {
                if let Some(position) = self.quantities.iter().position(|q| *q == entry.quantity) {
                    entry.first = Some(entry.summary());
                    entry.pulls = repeated[position].clone();
                }
            }
        }
        Ok(CaseResult { label: case.label.clone(), images: plan.images, entries })
    }
}
