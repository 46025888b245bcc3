//! The reference run: its vectors and numbers by monitor element, CCD and amplifier (spec 06 §9).

use std::collections::{HashMap, HashSet};
use std::path::Path;

use crate::dqm::catalogue::{self, Scope};
use crate::dqm::model::{self, Entry, Summary};
use crate::dqm::quality::vector;
use crate::dqm::summary::{self, SummaryError};

/// A reference run, prepared for the tests of many images.
#[derive(Debug)]
pub struct ReferenceRun {
    /// What stands in the summary of the run that is compared.
    pub record: model::ReferenceRun,
    /// The summary.
    pub summary: Summary,
    /// By id, amplifier and whether it is the high-resolution image.
    vectors: HashMap<(u16, String, bool), Vec<(i64, vector::Reference)>>,
    /// Files of high-resolution images: their noise is another one, so that they are compared among each other only.
    high_resolution: HashSet<String>,
}

impl ReferenceRun {
    /// Reads a summary.
    ///
    /// # Errors
    /// A sentence with the file in it.
    pub fn read(path: &Path) -> Result<Self, SummaryError> {
        let summary = summary::read(path)?;
        Ok(Self::new(summary, &path.display().to_string()))
    }

    /// From a summary that was read from `path`.
    pub fn new(summary: Summary, path: &str) -> Self {
        let run = summary.run.number;
        let high_resolution: HashSet<String> =
            summary.images.iter().filter(|i| i.is_hr).map(|i| i.file.clone()).collect();
        let mut vectors = HashMap::new();
        for me in summary.mes.values() {
            if !matches!(me.scope, Scope::R | Scope::C) {
                continue;
            }
            for (amplifier, hr) in me.amplifiers().into_iter().flat_map(|a| [(a, false), (a, true)]) {
                let of_kind = || me.of_amplifier(amplifier).filter(|e| high_resolution.contains(&e.file) == hr);
                let mut ccds: Vec<i64> = of_kind().map(|e| e.ccd).collect();
                ccds.sort_unstable();
                ccds.dedup();
                let of_ccd = |ccd: i64| {
                    let entries: Vec<(&[f64], &[f64])> =
                        of_kind().filter(|e| e.ccd == ccd).map(|e| (e.x.as_slice(), e.y.as_slice())).collect();
                    vector::Reference::new(run, &entries).map(|r| (ccd, r))
                };
                let references: Vec<_> = ccds.into_iter().filter_map(of_ccd).collect();
                vectors.insert((me.id, amplifier.to_owned(), hr), references);
            }
        }
        Self { record: model::ReferenceRun { run, path: path.into() }, summary, vectors, high_resolution }
    }

    /// The vectors of an element and amplifier: of the same CCD, or of the only one there is. `hr`: those of the
    /// high-resolution image, else those of the others.
    pub fn vector(&self, id: u16, ccd: i64, amplifier: &str, hr: bool) -> Option<&vector::Reference> {
        let all = self.vectors.get(&(id, amplifier.to_owned(), hr))?;
        all.iter().find(|(c, _)| *c == ccd).or(if all.len() == 1 { all.first() } else { None }).map(|(_, r)| r)
    }

    /// The numbers of an element of scope S, in the order of the images; `hr` as for [`ReferenceRun::vector`].
    pub fn scalars(&self, id: u16, ccd: i64, amplifier: &str, hr: bool) -> Vec<f64> {
        let Some(me) = self.element(id) else { return Vec::new() };
        let all: Vec<&Entry> =
            me.of_amplifier(amplifier).filter(|e| self.high_resolution.contains(&e.file) == hr).collect();
        let same: Vec<&Entry> = all.iter().copied().filter(|e| e.ccd == ccd).collect();
        let several = all.iter().any(|e| e.ccd != all[0].ccd);
        let chosen = if same.is_empty() && !several { all } else { same };
        chosen.iter().filter_map(|e| e.y.scalar()).collect()
    }

    /// A monitor element of the reference.
    pub fn element(&self, id: u16) -> Option<&model::MonitorElement> {
        self.summary.element(id).or_else(|| self.summary.mes.get(catalogue::by_id(id)?.name))
    }
}
