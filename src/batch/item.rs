//! One item from file to outputs.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::{Interrupt, Options, items_of, resume};
use crate::atomic_file;
use crate::fits::{FitsInput, Header};
use crate::image::{LogRecord, RawData};
use crate::output::images::{OutputHdu, final_images, hdu_header, output_header};
use crate::output::root_files::{self, ImageTrees};
use crate::output::summary::{Headlines, headlines, summary};
use crate::output::{ItemNames, Provenance, figures, images, pixel_trees, root_objects};
use crate::plot::Figure;
use crate::process::ProcessManager;
use crate::process::manager::Execution;

/// How an item ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// All outputs are written.
    Done,
    /// One sentence that says why not.
    Failed(String),
    /// Its outputs were complete already (`--resume`).
    UpToDate,
    /// The run was interrupted before its outputs were written.
    Interrupted,
}

/// What is to be said about an item, and its entry for a common ROOT file.
#[derive(Debug)]
pub struct ItemOutcome {
    /// File name with HDUs.
    pub label: String,
    /// Messages, in order.
    pub log: Vec<LogRecord>,
    /// How it ended.
    pub outcome: Outcome,
    /// Names of the files written, in the output directory.
    pub outputs: Vec<String>,
    /// Numbers for the table at the end.
    pub headlines: Vec<Headlines>,
    /// Entry for the common ROOT file.
    pub trees: Option<Box<ImageTrees>>,
    /// Figures to be shown, with the files they were written to (`--display`).
    pub figures: Vec<(Figure, Vec<PathBuf>)>,
}

/// What the outputs of an item are.
struct Outputs {
    files: Vec<String>,
    trees: Option<Box<ImageTrees>>,
    figures: Vec<(Figure, Vec<PathBuf>)>,
}

/// An item that failed.
pub(super) fn failed(label: String, log: Vec<LogRecord>, reason: String) -> ItemOutcome {
    ItemOutcome {
        label,
        log,
        outcome: Outcome::Failed(reason),
        outputs: Vec::new(),
        headlines: Vec::new(),
        trees: None,
        figures: Vec::new(),
    }
}

/// What all items of a run have in common.
pub(super) struct Job<'a> {
    pub options: &'a Options,
    pub manager: &'a ProcessManager,
    pub provenance: &'a Provenance,
    pub interrupt: &'a Interrupt,
}

impl Job<'_> {
    /// All items of a file, in the order of the extensions.
    pub fn file(&self, position: usize, path: &Path) -> Vec<ItemOutcome> {
        let file_name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let input = match FitsInput::open(path) {
            Ok(input) => input,
            Err(error) => return vec![failed(file_name, Vec::new(), error.to_string())],
        };
        let items = match items_of(&input, self.options) {
            Ok(items) => items,
            Err(error) => return vec![failed(file_name, Vec::new(), error.to_string())],
        };
        let shares_file = items.len() > 1;
        items
            .par_iter()
            .map(|hdus| {
                let label = format!("{file_name}[{}]", hdus.iter().map(usize::to_string).collect::<Vec<_>>().join(","));
                if self.interrupt.load(Ordering::Relaxed) {
                    return ItemOutcome { outcome: Outcome::Interrupted, ..failed(label, Vec::new(), String::new()) };
                }
                // A defect in the program must not take the other items with it.
                catch_unwind(AssertUnwindSafe(|| self.item(&input, position, hdus, shares_file, &label)))
                    .unwrap_or_else(|panic| failed(label.clone(), Vec::new(), internal_error(&panic)))
            })
            .collect()
    }

    fn item(&self, input: &FitsInput, position: usize, hdus: &[usize], shares_file: bool, label: &str) -> ItemOutcome {
        let start = Instant::now();
        let names = ItemNames::new(&self.options.output, input.path(), hdus, shares_file);
        let can_resume = self.options.resume && self.options.combined_root.is_none();
        if can_resume && resume::is_up_to_date(input, hdus, &names, self.provenance) {
            return ItemOutcome { outcome: Outcome::UpToDate, ..failed(label.to_owned(), Vec::new(), String::new()) };
        }
        let mut raw = match crate::image::load(input, hdus, &self.load_options(position)) {
            Ok(raw) => raw,
            Err(error) => return failed(label.to_owned(), Vec::new(), error.to_string()),
        };
        raw.source.label = label.to_owned();
        let loaded = start.elapsed();
        let execution = match self.manager.run(&mut raw) {
            Ok(execution) => execution,
            Err(error) => return failed(label.to_owned(), std::mem::take(&mut raw.report.log), error.to_string()),
        };
        if let Err(error) = crate::image::identify(&mut raw) {
            return failed(label.to_owned(), std::mem::take(&mut raw.report.log), error.to_string());
        }
        if self.interrupt.load(Ordering::Relaxed) {
            let log = std::mem::take(&mut raw.report.log);
            return ItemOutcome { outcome: Outcome::Interrupted, ..failed(label.to_owned(), log, String::new()) };
        }
        raw.report.enter(usize::MAX, "", None);
        match self.write(&mut raw, &execution, &names, loaded) {
            Ok(Outputs { files, trees, figures }) => ItemOutcome {
                label: label.to_owned(),
                headlines: headlines(&raw),
                log: std::mem::take(&mut raw.report.log),
                outcome: Outcome::Done,
                outputs: files,
                figures,
                trees,
            },
            Err(reason) => failed(label.to_owned(), std::mem::take(&mut raw.report.log), reason),
        }
    }

    fn load_options(&self, position: usize) -> crate::image::LoadOptions<'_> {
        crate::image::LoadOptions {
            config: &self.options.config.input,
            options: &self.options.config.options,
            position,
        }
    }

    /// Writes everything the item leaves behind; the summary last, so that it stands for a complete set.
    fn write(
        &self,
        raw: &mut RawData,
        execution: &Execution,
        names: &ItemNames,
        loaded: Duration,
    ) -> Result<Outputs, String> {
        let start = Instant::now();
        // While its summary is missing an item is not complete.
        let summary_path = names.summary();
        match std::fs::remove_file(&summary_path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(format!("{}: {e}", summary_path.display()));
            }
            _ => {}
        }
        let has_clusters = self.manager.contains("ClusterFinder");
        let trees = has_clusters.then(|| ImageTrees::of(raw, self.options.combined_root.is_some()));
        let own_root = self.options.combined_root.is_none();
        let view: &RawData = raw;
        let (pictures, (fits, root)) = rayon::join(
            || {
                let mut written = figures::write_all(&view.report, self.manager, names);
                written.extend(root_objects::write_all(&view.report, self.manager, names));
                written
            },
            || {
                rayon::join(
                    || self.write_fits(view, execution, names),
                    || {
                        let mut paths = pixel_trees::write_all(view, names)?;
                        if let Some(trees) = trees.as_ref().filter(|_| own_root) {
                            let path = names.clusters();
                            root_files::write_one(&path, trees, self.manager, &self.options.config)?;
                            paths.push(path);
                        }
                        Ok::<_, String>(paths)
                    },
                )
            },
        );
        let mut outputs: Vec<String> = Vec::new();
        let (fits, fits_log) = fits?;
        for text in fits_log {
            raw.report.result(text);
        }
        let root = root?;
        for path in &root {
            raw.report.result(format!("wrote {}", file_name(path)));
        }
        outputs.extend(fits.iter().chain(&root).map(|p| file_name(p)));
        let mut drawn = 0;
        let mut files_of_figures: HashMap<String, Vec<PathBuf>> = HashMap::new();
        for written in pictures {
            for problem in written.problems {
                raw.report.warn(format!("figure not written: {problem}"));
            }
            drawn += written.paths.len();
            outputs.extend(written.paths.iter().map(|p| file_name(p)));
            files_of_figures.extend(written.figure.map(|name| (name, written.paths)));
        }
        if drawn > 0 {
            raw.report.result(format!("wrote {drawn} figure files {}_*", names.stem()));
        }
        outputs.push(file_name(&summary_path));
        let mut timings = vec![("load".to_owned(), loaded)];
        timings.extend(execution.timings.iter().map(|(tag, t)| ((*tag).to_owned(), *t)));
        timings.push(("write".to_owned(), start.elapsed()));
        let value = summary(raw, &self.provenance.config, &self.provenance.options, &outputs, &timings);
        let text = serde_json::to_string_pretty(&value).map_err(|e| e.to_string())? + "\n";
        atomic_file::write(&summary_path, text.as_bytes()).map_err(|e| format!("{}: {e}", summary_path.display()))?;
        raw.report.result(format!("wrote {}", file_name(&summary_path)));
        let figures = if self.options.display { self.shown(raw, files_of_figures) } else { Vec::new() };
        Ok(Outputs { files: outputs, trees: trees.filter(|_| !own_root).map(Box::new), figures })
    }

    /// The final figures of the processes with `__display__`, and the intermediate ones with `__verbose__`.
    fn shown(&self, raw: &mut RawData, mut files: HashMap<String, Vec<PathBuf>>) -> Vec<(Figure, Vec<PathBuf>)> {
        let figures = std::mem::take(&mut raw.report.figures).into_iter();
        figures
            .filter(|f| self.manager.common(f.step).display)
            .map(|f| (files.remove(&f.figure.name).unwrap_or_default(), f.figure))
            .map(|(paths, figure)| (figure, paths))
            .collect()
    }

    /// The `_waders` file and the images of single steps; returns the paths and what to say about them.
    fn write_fits(
        &self,
        raw: &RawData,
        execution: &Execution,
        names: &ItemNames,
    ) -> Result<(Vec<PathBuf>, Vec<String>), String> {
        let mut paths = Vec::new();
        let mut log = Vec::new();
        let (mut image_paths, mut image_log) = (Vec::new(), Vec::new());
        let mut write = |path: PathBuf, header: &Header, hdus: &[OutputHdu<'_>], bzip2: bool| -> Result<(), String> {
            if hdus.is_empty() {
                return Ok(());
            }
            write_images(&path, header, hdus, bzip2).map_err(|e| format!("{}: {e}", path.display()))?;
            let extnames: Vec<_> = hdus.iter().map(|h| h.extname.as_str()).collect();
            log.push(format!("wrote {} ({})", file_name(&path), extnames.join(", ")));
            paths.push(path);
            Ok(())
        };
        for snapshot in &execution.snapshots {
            let header = output_header(raw, snapshot.cards, &snapshot.chain, self.provenance);
            let hdus = images::intermediate(raw, snapshot);
            write(names.intermediate(&images::intermediate_name(snapshot)), &header, &hdus, false)?;
        }
        for file in &raw.report.image_files {
            let path = names.intermediate(&file.name);
            images::write_image_file(raw, file, self.provenance, &path)
                .map_err(|e| format!("{}: {e}", path.display()))?;
            image_log.push(format!("wrote {} ({} images)", file_name(&path), file.hdus.len()));
            image_paths.push(path);
        }
        if self.options.config.input.image.save_images {
            let header = output_header(raw, usize::MAX, &raw.chain, self.provenance);
            let bzip2 = self.options.config.input.image.bz2;
            write(names.waders(bzip2), &header, &final_images(raw), bzip2)?;
        }
        paths.extend(image_paths);
        log.extend(image_log);
        Ok((paths, log))
    }
}

fn write_images(
    path: &Path,
    header: &Header,
    hdus: &[OutputHdu<'_>],
    bzip2: bool,
) -> Result<(), crate::fits::FitsError> {
    let mut writer = crate::fits::FitsWriter::new();
    for (position, hdu) in hdus.iter().enumerate() {
        writer.push(hdu_header(header, position, hdu), hdu.pixels.as_real());
    }
    writer.write(path, bzip2)
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

fn internal_error(panic: &Box<dyn std::any::Any + Send>) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    format!("internal error, please report it with the file and the configuration: {text}")
}
