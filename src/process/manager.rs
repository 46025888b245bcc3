//! [`ProcessManager`]: an ordered chain of processes, built from the configuration and run on one image after another.

use std::time::{Duration, Instant};

use super::commissioning::survey::Surveys;
use super::{CommonParameters, Context, ProcessEntry, ProcessError, SKImageProcess, Scope};
use crate::config::{Block, Config};
use crate::image::{Amplifier, Level, RawData};

/// One step of the chain: a process with its parameters.
#[derive(Debug)]
struct Step {
    entry: &'static ProcessEntry,
    common: CommonParameters,
    process: Parameters,
}

/// A process, or the block from which it is made when some parameter depends on the amplifier although the process holds
/// one value.
#[derive(Debug)]
enum Parameters {
    Fixed(Box<dyn SKImageProcess>),
    PerAmplifier(Box<Block>),
}

impl Parameters {
    fn with<T>(
        &self,
        amplifier: &Amplifier,
        run: impl FnOnce(&dyn SKImageProcess) -> Result<T, ProcessError>,
    ) -> Result<T, ProcessError> {
        match self {
            Self::Fixed(process) => run(process.as_ref()),
            Self::PerAmplifier(block) => {
                let parameters =
                    block.resolved(amplifier.names()).map_err(|key| ProcessError::NoValueForAmplifier {
                        key,
                        amplifier: amplifier.name.clone(),
                        existing: amplifier.names().collect::<Vec<_>>().join("/"),
                    })?;
                run(block.build(parameters).map_err(ProcessError::Failed)?.as_ref())
            }
        }
    }
}

/// The chain. It holds no state of any image: running it on an image depends on that image alone.
#[derive(Debug)]
pub struct ProcessManager {
    steps: Vec<Step>,
    seed: u64,
}

/// What a chain did to an image, besides what is in the image itself.
#[derive(Debug, Default)]
pub struct Execution {
    /// Time spent in each step, with its tag.
    pub timings: Vec<(&'static str, Duration)>,
    /// Images to be saved for single steps (`save_image`).
    pub snapshots: Vec<Snapshot>,
}

/// The images that one step made, to be saved in a file of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The process.
    pub entry: &'static ProcessEntry,
    /// Names of the images it made, in `RawData::images`.
    pub images: Vec<String>,
    /// How many of the report's header cards existed at that moment.
    pub cards: usize,
    /// Steps executed so far, this one included.
    pub chain: Vec<String>,
}

/// A step failed.
#[derive(Debug, thiserror::Error)]
#[error("{process}{}: {error}", amplifier.as_ref().map(|a| format!(", amplifier {a}")).unwrap_or_default())]
pub struct ChainError {
    /// Name of the process.
    pub process: &'static str,
    /// Amplifier, for processes that run once per amplifier and images with more than one.
    pub amplifier: Option<String>,
    /// Reason.
    #[source]
    pub error: ProcessError,
}

/// A block of parameters is not acceptable.
#[derive(Debug, thiserror::Error)]
#[error("process.{process}: {reason}")]
pub struct BuildError {
    /// Name of the process.
    pub process: &'static str,
    /// Sentence with key, value and what was expected.
    pub reason: String,
}

impl ProcessManager {
    /// Builds the chain of a configuration. All problems are reported together.
    pub fn new(config: &Config) -> Result<Self, Vec<BuildError>> {
        let mut steps = Vec::new();
        let mut errors = Vec::new();
        for entry in &config.sequence {
            let mut fail = |reason: String| errors.push(BuildError { process: entry.name, reason });
            let Some(block) = config.block(entry) else {
                fail("acts on simulated hits only: use `panaSKImg response`, or `panaSKImg simulate`".into());
                continue;
            };
            block.problems().into_iter().for_each(&mut fail);
            let process = if block.depends_on_amplifier() {
                Parameters::PerAmplifier(Box::new(block.clone()))
            } else {
                match block.build(block.parameters.clone().into()) {
                    Ok(process) => Parameters::Fixed(process),
                    Err(reason) => {
                        fail(reason);
                        continue;
                    }
                }
            };
            steps.push(Step { entry, common: block.common.clone(), process });
        }
        if errors.is_empty() { Ok(Self { steps, seed: config.options.seed }) } else { Err(errors) }
    }

    /// Registry rows of the chain, in order of execution.
    pub fn sequence(&self) -> impl Iterator<Item = &'static ProcessEntry> + '_ {
        self.steps.iter().map(|s| s.entry)
    }

    /// Common parameters of a step.
    pub fn common(&self, step: usize) -> &CommonParameters {
        &self.steps[step].common
    }

    /// Whether a process of this name is in the chain.
    pub fn contains(&self, name: &str) -> bool {
        self.steps.iter().any(|s| s.entry.name == name)
    }

    /// Runs every step on the image: each finishes on all amplifiers before the next one starts. Stops at the first
    /// step that fails.
    pub fn run(&self, raw: &mut RawData) -> Result<Execution, ChainError> {
        let mut execution = Execution::default();
        self.book_surveys(raw);
        for (index, step) in self.steps.iter().enumerate() {
            let start = Instant::now();
            let before = raw.images.len();
            let log_before = raw.report.log.len();
            let amplifiers = match step.entry.scope {
                Scope::Image => 1,
                Scope::Amplifier => raw.amplifiers.len(),
            };
            for amplifier in 0..amplifiers {
                let name = (step.entry.scope == Scope::Amplifier).then(|| raw.amplifiers[amplifier].name.clone());
                raw.report.enter(index, step.entry.tag, name.as_deref());
                let context = Context { entry: step.entry, common: &step.common, amplifier, seed: self.seed };
                let owner = raw.amplifiers[amplifier].clone();
                let result = step.process.with(&owner, |process| process.execute(raw, &context));
                result.map_err(|error| ChainError {
                    process: step.entry.name,
                    amplifier: name.filter(|_| amplifiers > 1),
                    error,
                })?;
            }
            if step.common.silent {
                let quiet = |level| level < Level::Warning;
                let mut position = 0;
                raw.report.log.retain(|record| {
                    position += 1;
                    position <= log_before || !quiet(record.level)
                });
            }
            raw.chain.push(step.entry.tag.to_owned());
            if step.common.save_image && raw.images.len() > before {
                execution.snapshots.push(Snapshot {
                    entry: step.entry,
                    images: raw.images.keys().skip(before).cloned().collect(),
                    cards: raw.report.cards.len(),
                    chain: raw.chain.clone(),
                });
            }
            execution.timings.push((step.entry.tag, start.elapsed()));
        }
        Ok(execution)
    }
}

impl ProcessManager {
    /// Books what the processes want to see of the samples.
    fn book_surveys(&self, raw: &mut RawData) {
        if raw.cube.is_none() {
            return;
        }
        let mut surveys = Surveys::default();
        for step in &self.steps {
            let amplifiers = match step.entry.scope {
                Scope::Image => 1,
                Scope::Amplifier => raw.amplifiers.len(),
            };
            for amplifier in 0..amplifiers {
                let context = Context { entry: step.entry, common: &step.common, amplifier, seed: self.seed };
                let survey = step.process.with(&raw.amplifiers[amplifier], |p| Ok(p.survey(raw, &context)));
                // parameters without a value for this amplifier are reported when the process runs
                if let Ok(Some(survey)) = survey {
                    surveys.book(&context, survey);
                }
            }
        }
        raw.products.set(surveys);
    }
}

impl PartialEq for ProcessEntry {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}
impl Eq for ProcessEntry {}
