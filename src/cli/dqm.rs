//! Options of the data-quality monitor, with their fallbacks in the environment (spec 06 §2).

use std::path::PathBuf;

use super::arguments::Arguments;
use super::options::AnalysisOptions;
use super::tokens::TakenList;
use super::{Surroundings, UsageError};

pub use super::dqm_arguments::DqmArguments;

/// Options of the data-quality monitor.
#[derive(Debug, Clone)]
pub struct DqmOptions {
    /// The chain and its inputs. `output` is the parent of the run's directory.
    pub chain: AnalysisOptions,
    /// Directory with the images of the run.
    pub data_dir: PathBuf,
    /// Run number; `None` only with `--run-map`.
    pub run: Option<i64>,
    /// MongoDB server.
    pub mongo_uri: Option<String>,
    /// The other options, as typed.
    pub arguments: DqmArguments,
}

impl DqmOptions {
    /// Completes what was typed with `DQM_DATA_DIR`, `DQM_OUT_DIR`, `DQM_RUN` and `DQM_MONGO_URI`; options win over
    /// the environment.
    pub(super) fn new(
        surroundings: &Surroundings<'_>,
        mut a: Arguments,
        lists: &[TakenList],
    ) -> Result<Self, UsageError> {
        let variable = |name: &str| (surroundings.variable)(name).filter(|v| !v.is_empty());
        let data_dir = a.dqm.dqm_data_dir.clone().or_else(|| variable("DQM_DATA_DIR").map(PathBuf::from));
        let data_dir = data_dir.ok_or_else(|| {
            UsageError::Other(
                "--dqm needs the directory of the images: --dqm-data-dir or the variable DQM_DATA_DIR".into(),
            )
        })?;
        let absolute = surroundings.directory.join(&data_dir);
        if !absolute.is_dir() {
            return Err(UsageError::Other(format!(
                "--dqm-data-dir {}: there is no such directory",
                data_dir.display()
            )));
        }
        if a.general.output.is_none() {
            a.general.output = variable("DQM_OUT_DIR").map(PathBuf::from);
        }
        if a.general.run.is_none()
            && let Some(text) = variable("DQM_RUN")
        {
            let number = text.to_str().and_then(|t| t.trim().parse().ok());
            let error = || UsageError::Other(format!("DQM_RUN={}: not a run number", text.to_string_lossy()));
            a.general.run = Some(number.ok_or_else(error)?);
        }
        if a.general.run.is_none() && a.dqm.run_map.is_none() {
            return Err(UsageError::Other(
                "--dqm needs a run number: --run, the variable DQM_RUN, or --run-map".into(),
            ));
        }
        let uri = variable("DQM_MONGO_URI").map(|v| v.to_string_lossy().into_owned());
        Ok(Self {
            chain: AnalysisOptions::new(surroundings, &a, &absolute, lists)?,
            data_dir,
            run: a.general.run,
            mongo_uri: a.dqm.mongo_uri.clone().or(uri),
            arguments: a.dqm,
        })
    }
}
