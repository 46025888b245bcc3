//! One pass over the samples for all processes that want to see them.
//!
//! Before the chain starts, every process books a survey: what it wants to see of each block of samples and how its
//! findings add up. The first process that asks for its result sets the pass off; it serves all booked surveys, and the
//! others find theirs ready. A survey that would have to hold too much asks for further passes instead.
//!
//! Findings are collected in the order of the rows, whatever the number of threads: results are the same bit for bit.

use std::any::Any;
use std::fmt;

use crate::image::cube::{Block, Consumer};
use crate::image::{RawData, SkipCube};
use crate::process::{Context, ProcessError};

/// Values that a survey may hold at a time (64 MB of doubles); with more to see it takes several passes.
pub const HELD_VALUES: usize = 8 << 20;

/// What a process wants to see of the samples of an image.
pub trait Survey: Send + Sync + 'static {
    /// What is found in a block.
    type Found: Send + 'static;

    /// Looks at a block of whole rows; called in parallel.
    fn observe(&self, block: &Block<'_>) -> Self::Found;

    /// Takes the findings, block after block in the order of the rows.
    fn collect(&mut self, found: Self::Found);

    /// Called after a pass over all samples: whether another one is needed.
    fn needs_another_pass(&mut self) -> bool {
        false
    }
}

/// A survey of any kind.
pub trait BookedSurvey: Send + Sync {
    /// See [`Survey::observe`].
    fn observe(&self, block: &Block<'_>) -> Box<dyn Any + Send>;
    /// See [`Survey::collect`].
    fn collect(&mut self, found: Box<dyn Any + Send>);
    /// See [`Survey::needs_another_pass`].
    fn needs_another_pass(&mut self) -> bool;
    /// The survey itself, to be taken by the process that booked it.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

impl<S: Survey> BookedSurvey for S {
    fn observe(&self, block: &Block<'_>) -> Box<dyn Any + Send> {
        Box::new(Survey::observe(self, block))
    }

    fn collect(&mut self, found: Box<dyn Any + Send>) {
        if let Ok(found) = found.downcast::<S::Found>() {
            Survey::collect(self, *found);
        }
    }

    fn needs_another_pass(&mut self) -> bool {
        Survey::needs_another_pass(self)
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// Lends a survey to the cube.
struct Lent<'a>(&'a mut dyn BookedSurvey);

impl Consumer for Lent<'_> {
    fn observe(&self, block: &Block<'_>) -> Box<dyn Any + Send> {
        self.0.observe(block)
    }

    fn collect(&mut self, found: Box<dyn Any + Send>) {
        self.0.collect(found);
    }
}

/// Whose survey it is: process and amplifier.
type Key = (&'static str, usize);

/// The surveys of an image: booked ones, and those that are done and wait for their process.
#[derive(Default)]
pub struct Surveys {
    booked: Vec<(Key, Box<dyn BookedSurvey>)>,
    done: Vec<(Key, Box<dyn BookedSurvey>)>,
    passes: usize,
}

impl fmt::Debug for Surveys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Surveys({} booked, {} done)", self.booked.len(), self.done.len())
    }
}

impl Surveys {
    /// Books a survey for the next pass.
    pub fn book(&mut self, context: &Context<'_>, survey: Box<dyn BookedSurvey>) {
        self.booked.push(((context.entry.name, context.amplifier), survey));
    }

    /// Passes over the samples so far.
    pub fn passes(&self) -> usize {
        self.passes
    }

    fn run(&mut self, cube: &SkipCube) -> Result<(), ProcessError> {
        let mut active = std::mem::take(&mut self.booked);
        while !active.is_empty() {
            let mut lent: Vec<Lent<'_>> = active.iter_mut().map(|(_, survey)| Lent(survey.as_mut())).collect();
            let mut consumers: Vec<&mut dyn Consumer> = lent.iter_mut().map(|l| l as &mut dyn Consumer).collect();
            cube.stream(&mut consumers).map_err(|e| ProcessError::Input(e.to_string()))?;
            self.passes += 1;
            for (key, mut survey) in std::mem::take(&mut active) {
                let list = if survey.needs_another_pass() { &mut active } else { &mut self.done };
                list.push((key, survey));
            }
        }
        Ok(())
    }

    fn take(&mut self, key: Key) -> Option<Box<dyn BookedSurvey>> {
        let index = self.done.iter().position(|(k, _)| *k == key)?;
        Some(self.done.swap_remove(index).1)
    }
}

/// The finished survey of a process; `fresh` is used if it was not booked.
///
/// # Errors
/// If the samples cannot be read or the image has none.
pub fn finished<S: Survey>(raw: &mut RawData, context: &Context<'_>, fresh: S) -> Result<S, ProcessError> {
    let mut surveys = raw.products.take::<Surveys>().unwrap_or_default();
    let key = (context.entry.name, context.amplifier);
    if !surveys.done.iter().any(|(k, _)| *k == key) {
        if !surveys.booked.iter().any(|(k, _)| *k == key) {
            surveys.book(context, Box::new(fresh));
        }
        let cube = raw.cube.as_ref().ok_or_else(|| ProcessError::Failed("the image has no single skips".into()))?;
        surveys.run(cube)?;
    }
    let survey = surveys.take(key).and_then(|s| s.into_any().downcast::<S>().ok());
    raw.products.set(surveys);
    survey.map(|s| *s).ok_or_else(|| ProcessError::Failed("the samples were not surveyed".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{CommonParameters, registry};
    use ndarray::Array3;

    /// Adds up samples; asks for as many passes as it is told.
    struct Total {
        sum: f64,
        passes: usize,
    }

    impl Survey for Total {
        type Found = f64;
        fn observe(&self, block: &Block<'_>) -> f64 {
            block.samples.iter().sum()
        }
        fn collect(&mut self, found: f64) {
            self.sum += found;
        }
        fn needs_another_pass(&mut self) -> bool {
            self.passes -= 1;
            self.passes > 0
        }
    }

    #[test]
    fn all_booked_surveys_share_the_pass_that_the_first_one_sets_off() {
        let mut raw = RawData::from_image("x", ndarray::Array2::zeros((300, 7)));
        raw.cube = Some(SkipCube::from_integers(Array3::from_shape_fn((300, 7, 90), |(r, c, k)| (r * c + k) as i32)));
        let common = CommonParameters::default();
        let entry = registry::find("CompressSkipperProcess").unwrap();
        let context = |amplifier| Context { entry, common: &common, amplifier, seed: 1 };
        let mut surveys = Surveys::default();
        surveys.book(&context(0), Box::new(Total { sum: 0.0, passes: 1 }));
        surveys.book(&context(1), Box::new(Total { sum: 0.0, passes: 3 }));
        raw.products.set(surveys);
        let expected: usize = (0..300).flat_map(|r| (0..7).map(move |c| 90 * r * c + 89 * 45)).sum();
        let fresh = || Total { sum: 0.0, passes: 1 };
        assert_eq!(finished(&mut raw, &context(0), fresh()).unwrap().sum, expected as f64);
        assert_eq!(raw.products.get::<Surveys>().unwrap().passes(), 3);
        assert_eq!(finished(&mut raw, &context(1), fresh()).unwrap().sum, 3.0 * expected as f64);
        assert_eq!(raw.products.get::<Surveys>().unwrap().passes(), 3, "no further pass");
        assert_eq!(finished(&mut raw, &context(2), fresh()).unwrap().sum, expected as f64, "a survey nobody booked");
        assert_eq!(raw.products.get::<Surveys>().unwrap().passes(), 4);
    }
}
