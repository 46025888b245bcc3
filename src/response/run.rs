//! The flow of a run (spec 07 §2): events in batches, their collections through the chain in parallel, then in order
//! into images and trees.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::collections::collections;
use super::config::ResponseConfig;
use super::error::{ResponseRunError, Result};
use super::event_display::EventDisplay;
use super::geant4_input::{Event, Geant4File};
use super::trees::{self, Branches, Shape};
use crate::fits::FitsWriter;
use crate::process::digitize::{FullNoise, GatheredImage, Gatherer, HitCollection, ImagePlace, ResponseContext};
use crate::root::{Options, RootError, RootFile, TreeId};

/// What is made from which files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Geant4 files; more than one are treated as one long run.
    pub inputs: Vec<PathBuf>,
    /// The ROOT file.
    pub output: PathBuf,
}

/// What a job did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Summary {
    /// Events with deposits.
    pub events: u64,
    /// Events of which something was left.
    pub written: u64,
    /// Clusters.
    pub clusters: u64,
    /// Deposits outside the CCDs.
    pub outside: u64,
    /// Files written besides the ROOT file.
    pub files: Vec<PathBuf>,
    /// What deserves a warning.
    pub warnings: Vec<String>,
    /// `RunInfo.Seed` of the inputs.
    pub seeds: Vec<i64>,
}

/// Events that are worked on at a time when each holds a good part of the CCD.
const FEW_EVENTS: u64 = 2;

/// An event after the chain.
struct Digitized {
    id: i64,
    primaries: Vec<Vec<f64>>,
    collections: Vec<HitCollection>,
}

/// Runs a job. The ROOT file appears when it is complete.
///
/// # Errors
/// If an input cannot be used (then nothing of it is written), a step fails, or a file cannot be written.
pub fn run(config: &ResponseConfig, job: &Job, seed: u64, display: Option<&EventDisplay>) -> Result<Summary> {
    let files: Vec<Geant4File> = job.inputs.iter().map(|path| Geant4File::open(path)).collect::<Result<_>>()?;
    let seed_of_job = seed_of_file(seed, &files[0]);
    let mut full_noise = FullNoise::default();
    for noise in config.chain.iter().filter_map(|step| step.full_noise(&config.ccd, seed_of_job)) {
        full_noise.add(noise);
    }
    let step_failed = |error| ResponseRunError::Step { path: job.inputs[0].clone(), error };
    let mut gatherers: Vec<Box<dyn Gatherer>> = Vec::new();
    for step in &config.chain {
        gatherers.extend(step.gatherer(&config.ccd, seed_of_job).map_err(step_failed)?);
    }
    let shape = Shape {
        diffusion: config.is_active("Diffusion"),
        pasted: config.is_active("PasteClusterProcess"),
        unsaturated: config.saturation_adu.is_some() && !config.has_noise(),
        // Files of one job come from the same program; a column that only some have is left out.
        primaries: files[0]
            .primary_columns
            .iter()
            .copied()
            .filter(|c| files.iter().all(|f| f.primary_columns.contains(c)))
            .collect(),
    };
    let mut output = Output::create(config, &job.output, shape)?;
    let mut shift = 0;
    for (number, (file, path)) in files.iter().zip(&job.inputs).enumerate() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let context = ResponseContext {
            ccd: &config.ccd,
            seed: seed_of_file(seed, file),
            full_noise: &full_noise,
            threshold: config.threshold,
            saturation_adu: config.saturation_adu,
            noise_cards: config.noise_cards,
            input_name: &name,
        };
        let before = output.summary.clusters;
        let (mut known, mut repeated) = (HashSet::new(), 0u64);
        let columns = columns_of(file, &output.shape);
        output.summary.seeds.push(file.run.seed);
        // Without a threshold the noise makes every second pixel of the CCD part of each event.
        let all_pixels = full_noise.sum.is_some() && config.threshold.is_none();
        file.events(if all_pixels { FEW_EVENTS } else { Geant4File::BATCH }, |events| {
            for event in &events {
                repeated += u64::from(!known.insert(event.id + shift));
            }
            let step_failed = |error| ResponseRunError::Step { path: path.clone(), error };
            let events: Vec<Digitized> = events
                .into_par_iter()
                .map(|event| digitize(config, &event, shift, &columns, &context, display).map_err(step_failed))
                .collect::<Result<_>>()?;
            for event in events {
                if let Some(display) = display {
                    output.summary.files.extend(display.draw(&event.collections, &config.ccd, &job.output)?);
                }
                output.event(event, &mut gatherers, &context)?;
            }
            Ok(())
        })?;
        if repeated > 0 {
            output.summary.warnings.push(format!(
                "{}: {repeated} events repeat an EventID of the file: they get the same random numbers",
                path.display()
            ));
        }
        if number + 1 == files.len() {
            for gatherer in &mut gatherers {
                let images = gatherer.close(&context).map_err(step_failed)?;
                output.images(images)?;
            }
        }
        output.file(number, file, output.summary.clusters - before, &files)?;
        shift += file.generated;
    }
    output.finish(config, seed)
}

/// The seed of the random numbers of a file: simulations of one set-up all count their events from 0 and differ in the seed
/// of their `RunInfo`, without which events of the same number would get the same random numbers in all of them.
fn seed_of_file(seed: u64, file: &Geant4File) -> u64 {
    seed ^ (file.run.seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Positions of the columns that are written among those of the file.
fn columns_of(file: &Geant4File, shape: &Shape) -> Vec<usize> {
    shape.primaries.iter().filter_map(|name| file.primary_columns.iter().position(|c| c == name)).collect()
}

/// Runs the chain on the collections of an event.
fn digitize(
    config: &ResponseConfig,
    event: &Event,
    shift: i64,
    columns: &[usize],
    context: &ResponseContext<'_>,
    display: Option<&EventDisplay>,
) -> std::result::Result<Digitized, crate::process::digitize::ResponseError> {
    let mut collections = collections(event, shift, &config.cf, &config.ccd);
    let drawn = display.is_some_and(|d| d.wants(event.id + shift));
    for collection in &mut collections {
        if drawn {
            collection.deposits.clone_from(&collection.hits);
        }
        for step in &config.chain {
            if collection.killed {
                break;
            }
            step.execute(collection, context)?;
        }
        if !drawn {
            // An alpha particle leaves a million electrons.
            collection.hits = Vec::new();
        }
    }
    let primaries = columns.iter().map(|&i| event.primaries.get(i).cloned().unwrap_or_default()).collect();
    Ok(Digitized { id: event.id + shift, primaries, collections })
}

/// The ROOT file under construction.
struct Output {
    file: RootFile,
    path: PathBuf,
    pixels: TreeId,
    clusters: Option<TreeId>,
    shape: Shape,
    detector: String,
    geant4: Vec<Branches>,
    summary: Summary,
}

impl Output {
    fn create(config: &ResponseConfig, path: &Path, shape: Shape) -> Result<Self> {
        let failed = |e: RootError| ResponseRunError::Write { path: path.to_owned(), reason: e.to_string() };
        let mut file = RootFile::create(path, Options::default()).map_err(failed)?;
        let none: [HitCollection; 0] = [];
        let pixels = file
            .tree("pixelizedEvent", trees::schema(&trees::pixelized_event(0, &none, &[], &shape)))
            .map_err(failed)?;
        let clusters = if config.is_active("ClusterFinder") {
            let schema = trees::schema(&trees::clusters(0, &none, &[], &shape));
            Some(file.tree("clustersRec", schema).map_err(failed)?)
        } else {
            None
        };
        let detector = config.cf.detector_name.clone();
        let summary = Summary { warnings: config.warnings.clone(), ..Summary::default() };
        Ok(Self { file, path: path.to_owned(), pixels, clusters, shape, detector, geant4: Vec::new(), summary })
    }

    fn failed(&self) -> impl Fn(RootError) -> ResponseRunError + use<> {
        let path = self.path.clone();
        move |e| ResponseRunError::Write { path: path.clone(), reason: e.to_string() }
    }

    /// Gathers what is left of an event, then writes it.
    fn event(
        &mut self,
        mut event: Digitized,
        gatherers: &mut [Box<dyn Gatherer>],
        context: &ResponseContext<'_>,
    ) -> Result<()> {
        self.summary.events += 1;
        self.summary.outside += event.collections.iter().map(|c| c.outside as u64).sum::<u64>();
        for collection in &mut event.collections {
            for gatherer in gatherers.iter_mut() {
                if !collection.killed {
                    let step_failed = |error| ResponseRunError::Step { path: self.path.clone(), error };
                    let images = gatherer.gather(collection, context).map_err(step_failed)?;
                    self.images(images)?;
                }
            }
        }
        event.collections.retain(|c| !c.killed);
        if event.collections.is_empty() {
            return Ok(());
        }
        self.summary.written += 1;
        let failed = self.failed();
        let entry = trees::pixelized_event(event.id, &event.collections, &event.primaries, &self.shape);
        self.file.fill(self.pixels, &trees::cells(&entry)).map_err(&failed)?;
        if let Some(tree) = self.clusters {
            let entry = trees::clusters(event.id, &event.collections, &event.primaries, &self.shape);
            self.summary.clusters +=
                event.collections.iter().filter_map(|c| c.clusters.as_ref()).map(|t| t.len() as u64).sum::<u64>();
            self.file.fill(tree, &trees::cells(&entry)).map_err(&failed)?;
        }
        Ok(())
    }

    fn images(&mut self, images: Vec<GatheredImage>) -> Result<()> {
        for image in images {
            let path = match image.place {
                ImagePlace::Path(path) => path,
                ImagePlace::BesideOutput(ending) => {
                    let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
                    self.path.with_file_name(format!("{stem}{ending}"))
                }
            };
            let mut writer = FitsWriter::new();
            for (header, pixels) in image.hdus {
                writer.push(header, std::borrow::Cow::Owned(pixels));
            }
            writer
                .write(&path, false)
                .map_err(|e| ResponseRunError::Write { path: path.clone(), reason: e.to_string() })?;
            self.summary.files.push(path);
        }
        Ok(())
    }

    /// Notes an input file.
    fn file(&mut self, number: usize, file: &Geant4File, clusters: u64, all: &[Geant4File]) -> Result<()> {
        let single = all.iter().all(|f| trees::find_volumes(&f.run.volume_names, &f.run.simulated_volume).len() == 1);
        for (what, name) in [("detector_name", &self.detector), ("simulatedVolume", &file.run.simulated_volume)] {
            if trees::find_volumes(&file.run.volume_names, name).is_empty() {
                self.summary.warnings.push(format!(
                    "{what} `{name}` is not among the volumes ({}): mass, volume and surface are 0",
                    file.run.volume_names.join(", ")
                ));
            }
        }
        self.geant4.push(trees::geant4_config(number, &file.run, clusters, &self.detector, single));
        Ok(())
    }

    fn finish(mut self, config: &ResponseConfig, seed: u64) -> Result<Summary> {
        let failed = self.failed();
        for (name, entries) in
            [("geant4_config", &self.geant4), ("process_config", &vec![trees::process_config(config, seed)])]
        {
            if let Some(first) = entries.first() {
                let tree = self.file.tree(name, trees::schema(first)).map_err(&failed)?;
                for entry in entries {
                    self.file.fill(tree, &trees::cells(entry)).map_err(&failed)?;
                }
            }
        }
        self.file.finish().map_err(&failed)?;
        if self.summary.outside > 0 {
            self.summary
                .warnings
                .push(format!("{} deposits lie outside the CCDs and were left out", self.summary.outside));
        }
        Ok(self.summary)
    }
}
