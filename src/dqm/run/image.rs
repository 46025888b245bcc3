//! One image: through the chain, its monitor elements, tests, plots and files (spec 06 §1).

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::options::{RunOptions, RunTree};
use super::reference::ReferenceRun;
use crate::atomic_file;
use crate::dqm::elements::{self, ImageFacts, Measured, Outliers};
use crate::dqm::model::{Entry, Flag, ImageRecord, NumberOrigin, Pair};
use crate::dqm::plots;
use crate::fits::{Card, FitsInput, FitsWriter, Header};
use crate::image::{Level, LogRecord, RawData};
use crate::output::images::{final_images, hdu_header, output_header};
use crate::output::root_files::{self, ImageTrees};
use crate::output::{ItemNames, Provenance, figures, images, naming, pixel_trees, root_objects};
use crate::process::ProcessManager;
use crate::process::analysis::products::{DEFAULT_GAIN, Gain};
use crate::process::manager::Execution;

/// What is left of an image when it is done.
#[derive(Debug, Default)]
pub struct ImageResult {
    /// The image.
    pub record: ImageRecord,
    /// Its entries with the ids of their elements.
    pub entries: Vec<(u16, Entry)>,
    /// Outlying pixels.
    pub outliers: Option<Outliers>,
    /// Header of the input, for the mask of the run.
    pub header: Option<Header>,
    /// Gains of good dark-current fits.
    pub fitted_gains: BTreeMap<String, Pair>,
    /// Messages.
    pub log: Vec<LogRecord>,
}

/// χ²/ndf from which a dark-current fit fails its test by default.
const POOR_FIT: f64 = 10.0;

/// What all images of a run have in common.
pub struct Job<'a> {
    /// The run.
    pub options: &'a RunOptions,
    /// Its directories.
    pub tree: &'a RunTree,
    /// The chain.
    pub manager: &'a ProcessManager,
    /// Configuration of that chain.
    pub config: &'a crate::config::Config,
    /// What outputs say about it.
    pub provenance: &'a Provenance,
    /// Gains of the run by amplifier; empty without a high-resolution image.
    pub run_gains: &'a BTreeMap<String, Pair>,
    /// Reference run.
    pub reference: Option<&'a ReferenceRun>,
}

impl Job<'_> {
    /// Works on a file. Whatever goes wrong is in the record.
    pub fn image(&self, path: &Path, position: usize, is_hr: bool) -> ImageResult {
        let mut result = ImageResult { record: self.describe_file(path, position, is_hr), ..ImageResult::default() };
        // A defect in the program must not take the other images with it.
        let outcome = catch_unwind(AssertUnwindSafe(|| self.work(path, position, &mut result)));
        let error = match outcome {
            Ok(Ok(())) => None,
            Ok(Err(reason)) => Some(reason),
            Err(panic) => {
                let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
                let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
                Some(format!("internal error, please report it with the file and the configuration: {text}"))
            }
        };
        if let Some(reason) = error {
            result.log.push(LogRecord { level: Level::Error, process: String::new(), text: reason.clone() });
            result.record.status = Flag::Error;
            result.record.error = Some(reason);
            result.entries.clear();
            result.outliers = None;
        }
        result.record.warnings = result.log.iter().filter(|r| r.level == Level::Warning).map(said).collect();
        self.write_log(&result);
        result
    }

    /// What is known before the file is opened.
    fn describe_file(&self, path: &Path, position: usize, is_hr: bool) -> ImageRecord {
        let file = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let numbers = crate::image::numbers::from_path(path);
        let (number, number_from) = match self.options.first_image {
            Some(first) => (first + position as i64, NumberOrigin::Option),
            None if numbers.image == 0 => (position as i64, NumberOrigin::Position),
            None => (numbers.image, NumberOrigin::Name),
        };
        let metadata = std::fs::metadata(path).ok();
        let mtime = metadata.as_ref().and_then(|m| m.modified().ok()).and_then(|t| t.duration_since(UNIX_EPOCH).ok());
        ImageRecord {
            number,
            number_from,
            file,
            file_size: metadata.map_or(0, |m| m.len()),
            file_mtime_ns: mtime.and_then(|d| i64::try_from(d.as_nanos()).ok()),
            ccd: self.config.options.ccd.unwrap_or(numbers.ccd),
            texp: f64::NAN,
            tread: f64::NAN,
            is_hr,
            ..ImageRecord::default()
        }
    }

    fn work(&self, path: &Path, position: usize, result: &mut ImageResult) -> Result<(), String> {
        let input = FitsInput::open(path).map_err(|e| e.to_string())?;
        let hdus = crate::image::data_hdus(&input, &self.config.input).map_err(|e| e.to_string())?;
        let mut options = self.config.options.clone();
        // The extensions of a file are one frame, stacked along the rows.
        options.acm |= hdus.len() > 1;
        let how = crate::image::LoadOptions { config: &self.config.input, options: &options, position };
        let mut raw = crate::image::load(&input, &hdus, &how).map_err(|e| e.to_string())?;
        raw.numbers.image = result.record.number;
        raw.numbers.run = self.options.run;
        raw.numbers.ccd = result.record.ccd;
        raw.source.label = result.record.file.clone();
        describe(&raw, &mut result.record);
        let execution = match self.manager.run(&mut raw) {
            Ok(execution) => execution,
            Err(error) => {
                result.log = std::mem::take(&mut raw.report.log);
                return Err(error.to_string());
            }
        };
        raw.report.enter(usize::MAX, "", None);

        let facts = self.facts(&raw, result);
        let mut measured = elements::measure(&mut raw, &facts, &self.options.elements);
        measured.warnings.drain(..).for_each(|w| raw.report.warn(w));
        self.test(&raw, &mut measured, &result.record);
        result.record.status = measured.status();
        result.record.gains = measured.gains.clone();
        result.fitted_gains =
            measured.fits.iter().filter(|(_, f)| f.is_good()).map(|(name, f)| (name.clone(), f.gain())).collect();
        if result.record.is_hr && self.run_gains.is_empty() {
            for (name, fit) in measured.fits.iter().filter(|(_, f)| f.is_good() && f.fit.chi2() > POOR_FIT) {
                raw.report.warn(format!(
                    "amplifier {name}: the gain of the run comes from a dark-current fit that its residuals contradict \
                     (χ²/ndf = {:.1})",
                    fit.fit.chi2()
                ));
            }
        }
        self.keywords(&mut raw, &measured, result);
        if self.options.draw {
            self.plot(&mut raw, &mut measured, &result.record);
        }
        result.record.outputs = self.write(&mut raw, &execution, &hdus)?;
        result.entries = measured.entries;
        result.outliers = measured.outliers;
        result.header = Some(std::mem::take(&mut raw.header));
        result.log = std::mem::take(&mut raw.report.log);
        Ok(())
    }

    fn facts(&self, raw: &RawData, result: &ImageResult) -> ImageFacts {
        let gain = |name: &str| match (self.run_gains.get(name), raw.products.get_for::<Gain>(name)) {
            (Some(gain), _) => *gain,
            (None, Some(gain)) => Pair::new(gain.adu_per_electron, f64::NAN),
            (None, None) => Pair::new(DEFAULT_GAIN, f64::NAN),
        };
        let restricted = self.options.image_hr.is_some() && !self.options.all_me;
        ImageFacts {
            image: result.record.number,
            ccd: result.record.ccd,
            file: result.record.file.clone(),
            dark_current: !restricted || result.record.is_hr,
            gains: raw.amplifiers.iter().map(|a| (a.name.clone(), gain(&a.name))).collect(),
        }
    }

    /// Tests of the image.
    fn test(&self, raw: &RawData, measured: &mut Measured, record: &ImageRecord) {
        for (id, entry) in &mut measured.entries {
            let Some(config) = self.options.elements.get(*id).filter(|_| entry.is_available()) else { continue };
            let names: Vec<&str> = raw
                .amplifiers
                .iter()
                .find(|a| a.name == entry.amplifier)
                .map_or_else(Vec::new, |a| a.names().collect());
            super::testing::image_tests(config, entry, record.ccd, &names, raw, (self.reference, record.is_hr));
            entry.update_status();
        }
    }

    /// Cards of the processed file (spec 06 §10).
    fn keywords(&self, raw: &mut RawData, measured: &Measured, result: &ImageResult) {
        let amplifiers = raw.amplifiers.clone();
        for amplifier in &amplifiers {
            let a = amplifier.short_name();
            if let Some(found) = measured.fits.get(&amplifier.name).filter(|f| f.fit.was_made()) {
                let fit = &found.fit;
                for (key, p, comment) in [
                    ("GAIN", fit.gain(), "dark-current fit: gain [ADU/e-]"),
                    ("DC", fit.lambda(), "dark-current fit: lambda [ADU/bin/img]"),
                    ("SIG", fit.sigma(), "dark-current fit: noise [ADU]"),
                    ("MU0", fit.mu0(), "dark-current fit: zero-electron peak [ADU]"),
                ] {
                    finite_card(raw, format!("ME{key}{a}"), p.value, comment);
                    finite_card(raw, format!("EME{key}{a}"), p.error, &format!("error of ME{key}{a}"));
                }
                finite_card(raw, format!("MEFRAC{a}"), found.fraction(), "fraction of pixels in the fit window");
                // The chain may have fitted, too: nothing of its fit may stand beside this one.
                finite_card(raw, format!("MECHI2{a}"), fit.chi2(), "dark-current fit: Baker-Cousins chi2/NDF");
                raw.report.card(format!("MENDF{a}"), fit.ndf, "dark-current fit: degrees of freedom");
                let method = format!("MEFitDC {}", self.options.elements.get(60).map_or("", |c| c.text("fit_options")));
                raw.report.card(format!("MEMETH{a}"), method.trim_end(), "dark-current fit: method");
                let status = i64::from(fit.status.0);
                raw.report.card(format!("MESTAT{a}"), status, "dark-current fit: status (0 good)");
            }
            raw.report.card(format!("MEIMGID{a}"), result.record.number, "image number");
            raw.report.card(format!("MERUNID{a}"), self.options.run, "run number");
            if let Some(gain) = measured.gains.get(&amplifier.name) {
                finite_card(raw, format!("GAIN_{a}"), gain.value, "calibration constant used [ADU/e-]");
            }
        }
        for (id, keyword, comment) in [(110, "MEBS", "baseline shift"), (111, "MESC", "sigma above cutoff")] {
            let found = measured.entries.iter().filter(|(i, e)| *i == id && e.is_available());
            let flags: Vec<bool> = found.map(|(_, e)| e.tests.iter().any(|t| !t.result)).collect();
            if !flags.is_empty() {
                raw.report.card(keyword, flags.iter().any(|f| *f), comment);
            }
        }
        // The mask of this run is only known after its last image: this is the one given with --mask.
        if let Some(mask) = &raw.clustering_mask {
            let masked = mask.iter().filter(|m| **m).count() as i64;
            raw.report.card("MEMASK", masked, "masked pixels of the run mask");
        }
        raw.report.card("MEFLAG", result.record.status.word(), "quality of the image: pass, warn, fail, none");
    }

    /// Draws the plots of the image; one that cannot be written is a warning.
    fn plot(&self, raw: &mut RawData, measured: &mut Measured, record: &ImageRecord) {
        let stem = naming::stem(&record.file).to_owned();
        let drawn =
            plots::image::of_image(raw, &measured.entries, record, &self.options.elements, self.options.run, &stem);
        for plot in drawn {
            match plots::write_png(&plot.figure, &self.tree.at(&plot.path)) {
                Ok(()) => {
                    for (id, entry) in &mut measured.entries {
                        if *id == plot.id
                            && plot.amplifier.as_ref().is_none_or(|a| *a == entry.amplifier)
                            && entry.is_available()
                        {
                            entry.plot = Some(plot.path.clone());
                        }
                    }
                }
                Err(reason) => raw.report.warn(reason),
            }
        }
    }

    /// Writes the processed images, the clusters and the figures of the processes; returns paths relative to the run.
    fn write(&self, raw: &mut RawData, execution: &Execution, hdus: &[usize]) -> Result<Vec<String>, String> {
        let names = |room: &str| ItemNames::new(&self.tree.at(room), &raw.source.path, hdus, false);
        let (avgimg, recon, others) = (names("avgimg"), names("recon"), names("others"));
        let mut outputs = Vec::new();
        for snapshot in &execution.snapshots {
            let header = output_header(raw, snapshot.cards, &snapshot.chain, self.provenance);
            let path = others.intermediate(&images::intermediate_name(snapshot));
            write_fits(&path, &header, &images::intermediate(raw, snapshot), false)?;
            outputs.push(path);
        }
        let finals = final_images(raw);
        if !finals.is_empty() {
            let header = output_header(raw, usize::MAX, &raw.chain, self.provenance);
            let bzip2 = self.config.input.image.bz2;
            let path = avgimg.waders(bzip2);
            write_fits(&path, &header, &finals, bzip2)?;
            outputs.push(path);
        }
        for file in &raw.report.image_files {
            let path = others.intermediate(&file.name);
            images::write_image_file(raw, file, self.provenance, &path)
                .map_err(|e| format!("{}: {e}", path.display()))?;
            outputs.push(path);
        }
        outputs.extend(pixel_trees::write_all(raw, &recon)?);
        if self.manager.contains("ClusterFinder") {
            let path = recon.clusters();
            root_files::write_one(&path, &ImageTrees::of(raw, false), self.manager, self.config)?;
            outputs.push(path);
        }
        let mut pictures = figures::write_all(&raw.report, self.manager, &others);
        pictures.extend(root_objects::write_all(&raw.report, self.manager, &others));
        for written in pictures {
            written.problems.into_iter().for_each(|p| raw.report.warn(format!("figure not written: {p}")));
            outputs.extend(written.paths);
        }
        let file_names: Vec<String> =
            outputs.iter().filter_map(|p| Some(p.file_name()?.to_string_lossy().into_owned())).collect();
        let timings: Vec<_> = execution.timings.iter().map(|(tag, t)| ((*tag).to_owned(), *t)).collect();
        let path = others.summary();
        let value = crate::output::summary::summary(
            raw,
            &self.provenance.config,
            &self.provenance.options,
            &file_names,
            &timings,
        );
        let text = serde_json::to_string_pretty(&value).map_err(|e| e.to_string())? + "\n";
        atomic_file::write(&path, text.as_bytes()).map_err(|e| format!("{}: {e}", path.display()))?;
        outputs.push(path);
        let relative = |p: &std::path::PathBuf| {
            p.strip_prefix(&self.tree.root).unwrap_or(p).to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/")
        };
        Ok(outputs.iter().map(relative).collect())
    }

    fn write_log(&self, result: &ImageResult) {
        let mut text = format!("{}  {}\n", result.record.file, crate::output::images::TOOL);
        for record in &result.log {
            text.push_str(&format!("[{}] {}\n", level_word(record.level), said(record)));
        }
        for (id, entry) in &result.entries {
            let name = crate::dqm::catalogue::by_id(*id).map_or("", |d| d.name);
            if let Some(reason) = &entry.reason {
                text.push_str(&format!("[n/a] {name} {}: {reason}\n", entry.amplifier));
            }
            for test in entry.tests.iter().filter(|t| t.flag > Flag::None) {
                let (flag, amplifier) = (test.flag, &entry.amplifier);
                text.push_str(&format!("[{flag}] {name} {amplifier}: {}: {}\n", test.name, test.reason));
            }
        }
        text.push_str(&format!("status {}\n", result.record.status));
        let path = self.tree.at(&format!("logs/{}.log", naming::stem(&result.record.file)));
        // The log repeats what is in the summary; without it the image is no worse.
        let _ = atomic_file::write(&path, text.as_bytes());
    }
}

fn said(record: &LogRecord) -> String {
    if record.process.is_empty() { record.text.clone() } else { format!("{}: {}", record.process, record.text) }
}

pub(super) fn level_word(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Verbose => "verbose",
        Level::Info => "info",
        Level::Result => "result",
        Level::Warning => "warning",
        Level::Error => "error",
    }
}

fn finite_card(raw: &mut RawData, keyword: String, value: f64, comment: &str) {
    if value.is_finite() {
        raw.report.card(keyword, value, comment);
    }
}

fn write_fits(
    path: &Path,
    header: &Header,
    hdus: &[crate::output::images::OutputHdu<'_>],
    bzip2: bool,
) -> Result<(), String> {
    let mut writer = FitsWriter::new();
    for (position, hdu) in hdus.iter().enumerate() {
        writer.push(hdu_header(header, position, hdu), hdu.pixels.as_real());
    }
    writer.write(path, bzip2).map_err(|e| format!("{}: {e}", path.display()))
}

/// Geometry, times and slow control of a loaded image.
fn describe(raw: &RawData, record: &mut ImageRecord) {
    record.amplifiers = raw.amplifiers.iter().map(|a| a.name.clone()).collect();
    record.amplifiers.sort_by(|a, b| elements::label_order(a, b));
    (record.nrows, record.ncols, record.nskips) = (raw.rows, raw.cols, raw.ndcm.max(raw.nskips));
    (record.npbin, record.nsbin) = (raw.row_binning, raw.col_binning);
    (record.texp, record.tread) = (raw.times.exposure, raw.times.readout);
    let start = if raw.times.exposure_start.is_finite() { raw.times.exposure_start } else { raw.times.readout_start };
    record.start = date(start);
    record.end = date(raw.times.readout_end);
    let slow = |key: &str| elements::slow_control(raw, key).map_or(Pair::UNKNOWN, |(v, e)| Pair::new(v, e));
    (record.temperature, record.pressure) = (slow("T"), slow("P"));
}

/// POSIX seconds as `2022-05-10T00:00:00.000`, UTC.
fn date(seconds: f64) -> Option<String> {
    if !seconds.is_finite() {
        return None;
    }
    let timestamp = jiff::Timestamp::from_millisecond((seconds * 1e3).round() as i64).ok()?;
    Some(timestamp.strftime("%Y-%m-%dT%H:%M:%S%.3f").to_string())
}

/// The card `RUN` and others of the run mask need the input header without its storage cards.
pub(super) fn plain_header(header: &Header) -> Header {
    let mut header = header.clone();
    header.remove_if(|card: &Card| crate::output::images::is_structural(&card.keyword));
    header
}
