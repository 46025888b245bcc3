//! Tests with the same verdict put together: a fault shows in many images, amplifiers and elements at once.

use std::collections::BTreeMap;

use crate::dqm::model::{Entry, Flag, QualityTest, Summary};

/// The violations of one test of one monitor element with one flag: of the run, or of its images.
pub(super) struct Group<'a> {
    /// Flag of all of them.
    pub flag: Flag,
    /// Name of the element.
    pub name: &'a str,
    /// Its id.
    pub id: u16,
    /// Name of the test.
    pub test: &'a str,
    /// Where it was violated, at least one place, in the order of the images.
    pub members: Vec<Member<'a>>,
}

/// One violation.
#[derive(Clone, Copy)]
pub(super) struct Member<'a> {
    /// Entry of the image; `None`: of the run.
    pub entry: Option<&'a Entry>,
    /// Amplifier, empty for the whole frame.
    pub amplifier: &'a str,
    /// The test.
    pub test: &'a QualityTest,
}

/// All tests with at least this flag: the worst flag first, the run before its images, what is in many places before
/// what is in few.
pub(super) fn groups(summary: &Summary, least: Flag) -> Vec<Group<'_>> {
    let of_run =
        summary.run_tests().map(|(name, e, test)| (name, Member { entry: None, amplifier: &e.amplifier, test }));
    let of_images =
        summary.image_tests().map(|(name, e, test)| (name, Member { entry: Some(e), amplifier: &e.amplifier, test }));
    let mut by_key: BTreeMap<(bool, &str, &str, Flag), Vec<Member<'_>>> = BTreeMap::new();
    for (name, member) in of_run.chain(of_images).filter(|(_, m)| m.test.flag >= least) {
        by_key.entry((member.entry.is_some(), name, &member.test.name, member.test.flag)).or_default().push(member);
    }
    let mut groups: Vec<Group<'_>> = by_key
        .into_iter()
        .map(|((_, name, test, flag), mut members)| {
            members.sort_by_key(|m| m.entry.map(|e| e.image));
            Group { flag, name, id: summary.mes.get(name).map_or(0, |me| me.id), test, members }
        })
        .collect();
    groups.sort_by_key(|g| {
        (std::cmp::Reverse(g.flag), !g.is_of_run(), std::cmp::Reverse(g.members.len()), g.id, g.test.to_owned())
    });
    groups
}

impl<'a> Group<'a> {
    /// Whether it is a test of the run.
    pub fn is_of_run(&self) -> bool {
        self.members.iter().all(|m| m.entry.is_none())
    }

    /// The member that violates the test most: with the smallest probability, or the largest value.
    pub fn worst(&self) -> Member<'a> {
        let is_probability = matches!(self.test, "QTKstest" | "QTTtest");
        let badness = |m: &Member<'_>| if is_probability { -m.test.value } else { m.test.value.abs() };
        let worst = self.members.iter().copied().max_by(|a, b| badness(a).total_cmp(&badness(b)));
        worst.unwrap_or(self.members[0])
    }

    /// Numbers of the images, each once.
    pub fn images(&self) -> Vec<i64> {
        let mut images: Vec<i64> = self.members.iter().filter_map(|m| m.entry.map(|e| e.image)).collect();
        images.dedup();
        images
    }

    /// Amplifiers, each once, in the order in which they appear.
    pub fn amplifiers(&self) -> Vec<&'a str> {
        let mut amplifiers: Vec<&str> = Vec::new();
        for m in &self.members {
            let name = if m.amplifier.is_empty() { "frame" } else { m.amplifier };
            if !amplifiers.contains(&name) {
                amplifiers.push(name);
            }
        }
        amplifiers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dqm::model::example;

    #[test]
    fn nothing_is_lost_and_the_worst_comes_first() {
        let summary = example::run(59, 6);
        let groups = groups(&summary, Flag::Warn);
        let bad = summary
            .image_tests()
            .map(|(_, _, t)| t.flag)
            .chain(summary.run_tests().map(|(_, _, t)| t.flag))
            .filter(|f| *f >= Flag::Warn)
            .count();
        assert!(bad > 0);
        assert_eq!(groups.iter().map(|g| g.members.len()).sum::<usize>(), bad);
        assert!(groups.is_sorted_by_key(|g| std::cmp::Reverse(g.flag)));
        for group in &groups {
            assert!(group.members.iter().all(|m| m.test.flag == group.flag && m.test.name == group.test));
            assert_eq!(group.images().is_empty(), group.is_of_run());
        }
    }
}
