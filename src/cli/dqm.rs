//! Options of the data-quality monitor, with their fallbacks in the environment (spec 06 §2).

use std::path::PathBuf;

use super::arguments::Arguments;
use super::options::AnalysisOptions;
use super::tokens::TakenList;
use super::{Surroundings, UsageError, inputs};

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
    /// The high-resolution image.
    pub image_hr: Option<PathBuf>,
    /// The other options, as typed.
    pub arguments: DqmArguments,
}

/// Options of `--dqm-merge`.
#[derive(Debug, Clone)]
pub struct DqmMergeOptions {
    /// Summaries of the parts.
    pub summaries: Vec<PathBuf>,
    /// Parent of the output directory.
    pub output: PathBuf,
    /// Worker threads, at least 1.
    pub threads: usize,
    /// The other options, as typed.
    pub arguments: DqmArguments,
}

impl DqmMergeOptions {
    /// Completes what was typed; the output directory is that of a run.
    pub(super) fn new(surroundings: &Surroundings<'_>, a: &Arguments) -> Result<Self, UsageError> {
        let summaries = a.dqm.dqm_merge.clone().unwrap_or_default();
        if let Some(missing) = summaries.iter().find(|p| !surroundings.directory.join(p).is_file()) {
            return Err(UsageError::Other(format!("--dqm-merge {}: there is no such file", missing.display())));
        }
        let variable = (surroundings.variable)("DQM_OUT_DIR").filter(|v| !v.is_empty()).map(PathBuf::from);
        Ok(Self {
            summaries,
            output: a.general.output.clone().or(variable).unwrap_or_else(|| ".".into()),
            threads: a.general.ncpus.map_or(surroundings.cores, |n| n as usize),
            arguments: a.dqm.clone(),
        })
    }
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
        if let Some(run) = a.general.run.filter(|run| *run < 0) {
            return Err(UsageError::Other(format!("--run {run}: the number of a run is 0 or more")));
        }
        if a.general.run.is_some() && a.dqm.run_map.is_some() {
            return Err(UsageError::Other("--run and --run-map: give one of them".into()));
        }
        if a.general.run.is_none() && a.dqm.run_map.is_none() {
            return Err(UsageError::Other(
                "--dqm needs a run number: --run, the variable DQM_RUN, or --run-map".into(),
            ));
        }
        let uri = variable("DQM_MONGO_URI").map(|v| v.to_string_lossy().into_owned());
        let mut chain = AnalysisOptions::new(surroundings, &a, &absolute, lists)?;
        let image_hr = a.dqm.image_hr.as_ref().and_then(|text| {
            let selected = &chain.selection.files;
            let others = inputs::select(&["*".into()], &a.general.skip, &absolute).map(|s| s.files).unwrap_or_default();
            crate::dqm::run::find_high_resolution(text, selected, &others)
        });
        match (&image_hr, &a.dqm.image_hr) {
            (Some(path), _) if !chain.selection.files.contains(path) => chain.selection.files.push(path.clone()),
            (None, Some(text)) => chain.warnings.push(format!(
                "--image-HR {text}: no file in {} has this in its name; the option is ignored",
                data_dir.display()
            )),
            _ => {}
        }
        // The order of the images is that of their names, wherever they are.
        chain.selection.files.sort_by(|a, b| a.file_name().cmp(&b.file_name()).then_with(|| a.cmp(b)));
        Ok(Self {
            chain,
            image_hr,
            data_dir,
            run: a.general.run,
            mongo_uri: a.dqm.mongo_uri.clone().or(uri),
            arguments: a.dqm,
        })
    }
}
