//! One setting of a study: images are simulated, analysed by the chain of a configuration, and compared with the truth.
//!
//! Everything goes through files, as for a user: the image and its truth are written, the image is read with the
//! configuration that the simulation writes beside it. Image i of a case has its own random streams, whatever the number
//! of images and threads.

use std::fs;
use std::path::Path;

use rayon::prelude::*;
use serde_json::{Map, Value, json};

use super::error::ClosureError;
use super::pull::{Comparison, Pulls, Summary, TOLERANCE};
use super::truth::ImageTruth;
use crate::config::{Config, Overrides};
use crate::fits::FitsInput;
use crate::image::{Amplifier, LoadOptions, RawData, Side, data_hdus, load};
use crate::process::{ProcessManager, registry};
use crate::simulate::{ImageFiles, Setup, SimulationConfig, header, simulate_image};

/// Where the error of a comparison comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorSource {
    /// The process states it: the pull tests its error bar too.
    Process,
    /// It follows from the settings by the formula of spec 07 §8.8.
    Formula,
}

/// A quantity that a study compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantity {
    /// Name.
    pub name: &'static str,
    /// Unit.
    pub unit: &'static str,
    /// What it is compared with, and the error, in words.
    pub law: &'static str,
    /// Where the error comes from.
    pub error: ErrorSource,
}

impl Quantity {
    /// A quantity whose error the process states.
    pub const fn with_own_error(name: &'static str, unit: &'static str, law: &'static str) -> Self {
        Self { name, unit, law, error: ErrorSource::Process }
    }

    /// A quantity whose error follows from the settings.
    pub const fn with_expected_error(name: &'static str, unit: &'static str, law: &'static str) -> Self {
        Self { name, unit, law, error: ErrorSource::Formula }
    }
}

/// Compares the extensions of an analysed image with their truth.
pub type Measure = Box<dyn Fn(&[Analysed], &mut Findings) -> Result<(), String> + Send + Sync>;

/// A quantity that does not close because of how it is defined: why, and how far off it is. Pulls that leave these bounds
/// fail like those of any other quantity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ByDesign {
    /// Quantity.
    pub quantity: &'static str,
    /// Mean pull, lowest and highest.
    pub mean: [f64; 2],
    /// Width of the pulls, lowest and highest.
    pub width: [f64; 2],
    /// Highest share of comparisons without result.
    pub missing: f64,
    /// Why.
    pub reason: &'static str,
}

/// Highest share of comparisons without result that does not spoil the pulls.
const MISSING: f64 = 0.01;

impl ByDesign {
    /// A quantity that is off within these bounds.
    pub const fn new(quantity: &'static str, mean: [f64; 2], width: [f64; 2], reason: &'static str) -> Self {
        Self { quantity, mean, width, missing: MISSING, reason }
    }

    /// The same with this share of comparisons without result.
    pub const fn missing(self, missing: f64) -> Self {
        Self { missing, ..self }
    }

    /// Whether the pulls are as far off as expected, within the same number of standard errors as pulls that close.
    pub fn describes(&self, s: &Summary) -> bool {
        let within =
            |x: f64, error: f64, [lo, hi]: [f64; 2]| x >= lo - TOLERANCE * error && x <= hi + TOLERANCE * error;
        self.has_enough(s)
            && within(s.mean, s.width * s.mean_error(), self.mean)
            && within(s.width, s.width_error, self.width)
    }

    fn has_enough(&self, s: &Summary) -> bool {
        s.missing as f64 <= self.missing * (s.n + s.missing) as f64
    }

    /// The bounds in words.
    pub fn bounds(&self) -> String {
        let [mean, width] = [self.mean, self.width];
        let missing = if self.missing > MISSING {
            format!(", up to {:.0} % without result", 100.0 * self.missing)
        } else {
            String::new()
        };
        format!("mean pull {:+.2} to {:+.2}, width {:.2} to {:.2}{missing}", mean[0], mean[1], width[0], width[1])
    }
}

/// One setting of a study.
pub struct Case {
    /// What is particular about it.
    pub label: String,
    /// Section `simulate`.
    pub simulate: Value,
    /// Section `process`.
    pub process: Value,
    /// The comparison.
    pub measure: Measure,
    /// Quantities that do not close by design.
    pub by_design: Vec<ByDesign>,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Case({})", self.label)
    }
}

impl Case {
    /// A setting; `measure` compares every extension of an image with its truth.
    pub fn new(
        label: impl Into<String>,
        simulate: Value,
        process: Value,
        measure: impl Fn(&Analysed, &mut Findings) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        let each = move |extensions: &[Analysed], findings: &mut Findings| {
            extensions.iter().try_for_each(|extension| measure(extension, findings))
        };
        Self::together(label, simulate, process, each)
    }

    /// A setting; `measure` sees all extensions of an image at once.
    pub fn together(
        label: impl Into<String>,
        simulate: Value,
        process: Value,
        measure: impl Fn(&[Analysed], &mut Findings) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self { label: label.into(), simulate, process, measure: Box::new(measure), by_design: Vec::new() }
    }

    /// States that a quantity does not close because of how it is defined.
    pub fn by_design(mut self, by_design: ByDesign) -> Self {
        self.by_design.push(by_design);
        self
    }
}

/// An image with everything known about it.
#[derive(Debug)]
pub struct Analysed {
    /// The parameters of the simulation.
    pub setup: Setup,
    /// The image after the chain.
    pub raw: RawData,
    /// The truth of its extension.
    pub truth: ImageTruth,
    /// Number of the extension, from 0.
    pub ext: usize,
    /// Number of the image.
    pub index: u64,
}

impl Analysed {
    /// The amplifiers with their numbers in [`Setup::gain`] and their names in the truth files.
    pub fn amplifiers(&self) -> impl Iterator<Item = (&Amplifier, usize, &'static str)> {
        let geometry = &self.setup.geometry;
        self.raw.amplifiers.iter().map(move |amplifier| {
            let side = usize::from(amplifier.side == Side::U);
            let number = self.ext * geometry.amplifiers_per_extension() + side;
            (amplifier, number, geometry.amplifier_name(number))
        })
    }

    /// The only amplifier, or the first.
    pub fn amplifier(&self) -> &Amplifier {
        &self.raw.amplifiers[0]
    }

    /// Width of the mean image of an amplifier, ADU: white noise, and for integer samples their rounding (spec 07 §8.8).
    pub fn sigma_average(&self, number: usize) -> f64 {
        let rounding = if self.setup.config.averaged { 0.0 } else { 1.0 / (12.0 * self.setup.geometry.skips as f64) };
        (self.setup.sigma_average(number).powi(2) + rounding).sqrt()
    }

    /// A measurement of an amplifier by its name.
    pub fn measurement(&self, name: &str, amplifier: &str) -> Option<(f64, f64)> {
        let found = self
            .raw
            .report
            .measurements
            .iter()
            .find(|m| m.name == name && m.amplifier.as_deref().is_none_or(|a| a == amplifier))?;
        Some((found.value, found.error.unwrap_or(f64::NAN)))
    }
}

/// The comparisons of one image.
#[derive(Debug, Default)]
pub struct Findings {
    found: Vec<(&'static str, Option<Comparison>)>,
}

impl Findings {
    /// A comparison.
    pub fn compare(&mut self, quantity: &'static str, estimate: f64, truth: f64, error: f64) {
        self.found.push((quantity, Some(Comparison { estimate, truth, error })));
    }

    /// A quantity that the analysis could not find.
    pub fn missing(&mut self, quantity: &'static str) {
        self.found.push((quantity, None));
    }
}

/// A case and the images made for it.
#[derive(Debug)]
pub struct Prepared<'a> {
    name: String,
    case: &'a Case,
    setup: Setup,
    config: Config,
    manager: ProcessManager,
}

impl<'a> Prepared<'a> {
    /// Checks the configurations of a case of the study `study`; `seed` is the master seed of all studies.
    ///
    /// # Errors
    /// If the simulation or the chain is not acceptable.
    pub fn new(study: &str, case: &'a Case, seed: u64) -> Result<Self, ClosureError> {
        let name = format!("{study} ({})", case.label);
        let fail = |reason: String| ClosureError::Case { case: name.clone(), reason };
        let mut simulation: SimulationConfig =
            serde_json::from_value(case.simulate.clone()).map_err(|e| fail(e.to_string()))?;
        // Cases differ in their label only: the seed of each follows from it.
        simulation.seed = crate::stats::random::fnv1a64(&name) ^ seed;
        let setup = Setup::new(simulation).map_err(|e| fail(e.to_string()))?;
        let mut analysis = Map::new();
        analysis.insert("input".into(), header::analysis_input(&setup));
        analysis.insert("process".into(), case.process.clone());
        let text = Value::Object(analysis).to_string();
        let config = Config::parse(registry::all(), &name, text.as_bytes(), &Overrides::default())
            .map_err(|e| fail(e.to_string()))?;
        let manager = ProcessManager::new(&config)
            .map_err(|e| fail(e.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))?;
        Ok(Self { name, case, setup, config, manager })
    }

    /// The parameters of the simulation.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Simulates, analyses and compares the images of a range, in parallel; files go to `folder` and are removed.
    ///
    /// # Errors
    /// If an image cannot be made, read or analysed.
    pub fn run(
        &self,
        quantities: &[Quantity],
        images: std::ops::Range<u64>,
        folder: &Path,
    ) -> Result<Vec<Pulls>, ClosureError> {
        let findings: Vec<Findings> = images
            .into_par_iter()
            .map(|image| {
                self.image(image, folder).map_err(|reason| ClosureError::Image {
                    case: self.name.clone(),
                    image,
                    reason,
                })
            })
            .collect::<Result<_, _>>()?;
        let mut pulls = vec![Pulls::default(); quantities.len()];
        for (name, comparison) in findings.into_iter().flat_map(|f| f.found) {
            let Some(position) = quantities.iter().position(|q| q.name == name) else {
                let reason = format!("compares `{name}`, which the study does not declare");
                return Err(ClosureError::Case { case: self.name.clone(), reason });
            };
            match comparison {
                Some(comparison) => pulls[position].add(comparison),
                None => pulls[position].add_missing(),
            }
        }
        Ok(pulls)
    }

    fn image(&self, index: u64, folder: &Path) -> Result<Findings, String> {
        let digest = crate::stats::random::fnv1a64(&self.name);
        let files = ImageFiles::new(&folder.join(format!("{digest:016x}_{index}.fits")));
        let result = self.compare(index, &files);
        for path in files.all() {
            // What was not written cannot be removed, and the folder is temporary.
            let _ = fs::remove_file(path);
        }
        result
    }

    fn compare(&self, index: u64, files: &ImageFiles) -> Result<Findings, String> {
        simulate_image(&self.setup, index, files, false, None).map_err(|e| e.to_string())?;
        let input = FitsInput::open(&files.image).map_err(|e| e.to_string())?;
        let mut extensions = Vec::new();
        let hdus = data_hdus(&input, &self.config.input).map_err(|e| e.to_string())?;
        for (ext, hdu) in hdus.into_iter().enumerate() {
            // As a file of a list: what processes draw at random differs from image to image.
            let position = usize::try_from(index).unwrap_or(usize::MAX);
            let how = LoadOptions { config: &self.config.input, options: &self.config.options, position };
            let mut raw = load(&input, &[hdu], &how).map_err(|e| e.to_string())?;
            self.manager.run(&mut raw).map_err(|e| e.to_string())?;
            let truth = ImageTruth::read(files, ext)?;
            extensions.push(Analysed { setup: self.setup.clone(), raw, truth, ext, index });
        }
        let mut findings = Findings::default();
        (self.case.measure)(&extensions, &mut findings)?;
        Ok(findings)
    }
}

/// Settings over settings: the keys of `more` replace those of `base`, objects are merged.
pub fn merged(base: &Value, more: Value) -> Value {
    match (base, more) {
        (Value::Object(base), Value::Object(more)) => {
            let mut all = base.clone();
            for (key, value) in more {
                let old = all.get(&key).cloned().unwrap_or(Value::Null);
                all.insert(key, merged(&old, value));
            }
            Value::Object(all)
        }
        (_, more) => more,
    }
}

/// The section `process` of a chain: its sequence and the blocks of its steps.
pub fn chain(steps: &[(&str, Value)]) -> Value {
    let mut section = Map::new();
    let names: Vec<&str> = steps.iter().map(|(name, _)| *name).collect();
    section.insert("sequence".into(), json!(names.join(",")));
    for (name, block) in steps {
        section.insert((*name).to_owned(), block.clone());
    }
    Value::Object(section)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_off_by_design_is_bounded() {
        let known = ByDesign::new("x", [-1.0, -0.8], [1.0, 1.1], "why");
        let pulls = |shift: f64, missing: usize| {
            let mut stream = crate::stats::random::Stream::from_seed(8);
            let mut pulls = Pulls::default();
            for _ in 0..1000 {
                pulls.add(Comparison { estimate: shift + stream.normal(), truth: 0.0, error: 1.0 });
            }
            (0..missing).for_each(|_| pulls.add_missing());
            pulls.summary()
        };
        // three standard errors of the mean of 1000 pulls are 0.09
        assert!(known.describes(&pulls(-0.9, 0)));
        assert!(!known.describes(&pulls(-1.3, 0)) && !known.describes(&pulls(-0.6, 0)));
        assert!(!known.describes(&pulls(-0.9, 30)), "2.9 % without result");
        assert!(known.missing(0.05).describes(&pulls(-0.9, 30)));
        assert!(known.missing(0.05).bounds().ends_with("up to 5 % without result"));
    }

    #[test]
    fn settings_are_merged_object_by_object() {
        let base = json!({"rows": 5, "noise": {"sigma1": 3.0, "flicker": 1.0}});
        let all = merged(&base, json!({"noise": {"flicker": 2.0}, "skips": 7}));
        assert_eq!(all, json!({"rows": 5, "noise": {"sigma1": 3.0, "flicker": 2.0}, "skips": 7}));
    }
}
