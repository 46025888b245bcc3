//! The configuration of the detector response (spec 07 §2): groups `in_root`, `out_root`, `detector_response`,
//! `reconstruction` and `CF`.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::{ResponseRunError, Result};
use crate::process::digitize::{Ccd, DigitizeProcess, NoiseCards};
use crate::process::response::flag::flag;
use crate::process::response::noise_region::NoiseMode;
use crate::process::response::{
    ClusterFinder, ContinuousReadout, CreateFitsImage, DarkCurrent, Diffusion, ElectronicNoise, PasteClusterProcess,
    PixelSaturation, PixelizeSignal, SignalPatternRecognition,
};
use crate::simulate::setup::DAY;

/// Group `CF`: the CCD and constants of the run. Used as given, without unit factors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CcdConfig {
    /// Mean energy per electron-hole pair, eV.
    #[serde(rename = "e2eV")]
    pub e2ev: f64,
    /// eV per ADU.
    #[serde(rename = "ADC2eV")]
    pub adc2ev: f64,
    /// Active rows and columns.
    pub ccd_shape: [usize; 2],
    /// Pixel size along x (columns), mm.
    pub ccd_pixel_size_x: f64,
    /// Pixel size along y (rows), mm.
    pub ccd_pixel_size_y: f64,
    /// Thickness, mm.
    pub ccd_thickness: f64,
    /// Rows before the active ones, in full images.
    pub n_rows_prescan: usize,
    /// Rows after the active ones, in full images.
    pub n_rows_overscan: usize,
    /// Columns before the active ones, in full images.
    pub n_cols_prescan: usize,
    /// Columns after the active ones, in full images.
    pub n_cols_overscan: usize,
    /// Name of the sensitive volume, looked up in `RunInfo`.
    pub detector_name: String,
    /// Width of the time window that makes an image, s.
    pub img_exp_time: f64,
    /// z of the simulation counts from the back side: turn it.
    #[serde(deserialize_with = "flag")]
    pub invert_ccd_z_values: bool,
    /// Keep only hits with z in [z_offset, z_offset + thickness], mm; null: all.
    pub z_offset: Option<f64>,
}

impl Default for CcdConfig {
    fn default() -> Self {
        Self {
            e2ev: 3.74,
            adc2ev: 3.74 / 14.5,
            ccd_shape: [4000, 6000],
            ccd_pixel_size_x: 0.015,
            ccd_pixel_size_y: 0.015,
            ccd_thickness: 0.675,
            n_rows_prescan: 0,
            n_rows_overscan: 0,
            n_cols_prescan: 0,
            n_cols_overscan: 0,
            detector_name: "CCDSensor_PV".into(),
            img_exp_time: 1e9 * DAY,
            invert_ccd_z_values: true,
            z_offset: None,
        }
    }
}

/// Group `in_root`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InRoot {
    /// Directory of the Geant4 file.
    pub in_dir_path: Option<PathBuf>,
    /// Its name.
    pub root_file_name: Option<PathBuf>,
}

/// Group `out_root`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OutRoot {
    /// Directory of the output (`--g4out` beats it).
    pub out_dir_path: Option<PathBuf>,
    /// Beginning of the name of the output.
    pub prefix_root_name: String,
    /// Accepted, without effect: pixels are always stored.
    pub store_pixel_info: Value,
    /// Accepted, without effect: use CreateFitsImage.
    #[serde(rename = "save_CCDimg")]
    pub save_ccd_image: Value,
}

impl Default for OutRoot {
    fn default() -> Self {
        Self {
            out_dir_path: None,
            prefix_root_name: "out_simulCCDimg".into(),
            store_pixel_info: 1.into(),
            save_ccd_image: 0.into(),
        }
    }
}

/// The complete, valid configuration of a run.
#[derive(Debug)]
pub struct ResponseConfig {
    /// Input.
    pub in_root: InRoot,
    /// Output.
    pub out_root: OutRoot,
    /// Group `CF`.
    pub cf: CcdConfig,
    /// The CCD.
    pub ccd: Ccd,
    /// Active steps, in order of execution.
    pub chain: Vec<Box<dyn DigitizeProcess>>,
    /// Threshold of the pixels, eV.
    pub threshold: Option<f64>,
    /// Largest value of a pixel, ADU.
    pub saturation_adu: Option<f64>,
    /// Noise parameters for the headers of images.
    pub noise_cards: NoiseCards,
    /// What deserves a warning.
    pub warnings: Vec<String>,
}

/// The groups that hold processes.
const GROUPS: [&str; 2] = ["detector_response", "reconstruction"];

/// Keys of a block that are not parameters of its process.
fn is_informative(key: &str) -> bool {
    matches!(key, "active" | "units" | "unit") || key.starts_with("__")
}

/// Whether a value switches something on.
fn truthy(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(b)) => *b,
        Some(Value::Number(n)) => n.as_f64() != Some(0.0),
        Some(Value::String(s)) => !s.is_empty(),
        Some(Value::Array(a)) => !a.is_empty(),
        Some(Value::Object(o)) => !o.is_empty(),
        _ => false,
    }
}

/// A parameter group from JSON; a wrong key or value is named with its place.
fn read<T: DeserializeOwned>(place: &str, block: &Map<String, Value>, problems: &mut Vec<String>) -> Option<T> {
    let parameters: Map<String, Value> =
        block.iter().filter(|(key, _)| !is_informative(key)).map(|(k, v)| (k.clone(), v.clone())).collect();
    match serde_json::from_value(Value::Object(parameters.clone())) {
        Ok(read) => Some(read),
        Err(error) => {
            let before = problems.len();
            for (key, value) in &parameters {
                let alone = Value::Object(Map::from_iter([(key.clone(), value.clone())]));
                if let Err(error) = serde_json::from_value::<T>(alone) {
                    problems.push(format!("{place}.{key} = {value}: {error}"));
                }
            }
            if problems.len() == before {
                problems.push(format!("{place}: {error}"));
            }
            None
        }
    }
}

/// Collects steps and problems while the blocks are read.
struct Builder {
    chain: Vec<Box<dyn DigitizeProcess>>,
    problems: Vec<String>,
    pixelize: Option<PixelizeSignal>,
    create: Option<CreateFitsImage>,
    noise: NoiseCards,
    modes: Vec<NoiseMode>,
    spr_threshold_adu: Option<f64>,
    cluster_threshold_e: Option<f64>,
    saturation: Option<f64>,
}

impl Builder {
    fn block(&mut self, group: &str, name: &str, block: &Map<String, Value>) {
        let place = format!("{group}.{name}");
        macro_rules! step {
            ($type:ty) => {
                read::<$type>(&place, block, &mut self.problems)
            };
        }
        let before = self.chain.len();
        match name {
            "Diffusion" => {
                if let Some(mut step) = step!(Diffusion) {
                    if let Err(error) = step.read_map() {
                        self.problems.push(format!("{place}: {error}"));
                    }
                    self.chain.push(Box::new(step));
                }
            }
            "ContinuousReadout" => {
                let step = step!(ContinuousReadout);
                self.push(step);
            }
            "PixelizeSignal" => {
                let step = step!(PixelizeSignal);
                self.pixelize.clone_from(&step);
                self.push(step);
            }
            "DarkCurrent" => {
                let step = step!(DarkCurrent);
                if let Some(step) = &step {
                    self.modes.push(step.mode);
                    self.noise.dark_current = step.darkcurrent / DAY;
                    self.noise.exposure = step.exp_time * DAY;
                }
                self.push(step);
            }
            "ElectronicNoise" => {
                let step = step!(ElectronicNoise);
                if let Some(step) = &step {
                    self.modes.push(step.mode);
                    self.noise.pedestal = step.pedestal;
                    self.noise.sigma = step.width();
                }
                self.push(step);
            }
            "PixelSaturation" => {
                let step = step!(PixelSaturation);
                self.saturation = step.map(|s: PixelSaturation| s.saturation);
                self.push(step);
            }
            "PasteClusterProcess" => {
                let step = step!(PasteClusterProcess);
                self.push(step);
            }
            "CreateFitsImage" => {
                let step = step!(CreateFitsImage);
                self.create.clone_from(&step);
                self.push(step);
            }
            "SignalPatternRecognition" => {
                let step = step!(SignalPatternRecognition);
                self.spr_threshold_adu = step.map(|s: SignalPatternRecognition| s.threshold);
                self.push(step);
            }
            "ClusterFinder" => {
                let step = step!(ClusterFinder);
                self.cluster_threshold_e = step.as_ref().and_then(|s: &ClusterFinder| s.spr_threshold);
                self.push(step);
            }
            other => {
                let nearest = crate::config::problem::nearest(other, NAMES)
                    .map_or_else(String::new, |n| format!("; did you mean `{n}`?"));
                self.problems
                    .push(format!("{group}: there is no process `{other}`{nearest} (processes: {})", NAMES.join(", ")));
            }
        }
        let repeated = self.chain.len() > before
            && self.chain[..before].iter().any(|step| step.sequence_id() == self.chain[before].sequence_id());
        if repeated {
            self.problems.push(format!("{place}: the process is active twice"));
        }
    }

    fn push<P: DigitizeProcess + 'static>(&mut self, step: Option<P>) {
        if let Some(step) = step {
            self.chain.push(Box::new(step));
        }
    }
}

/// Names of all steps, in order of execution.
pub const NAMES: [&str; 10] = [
    "Diffusion",
    "ContinuousReadout",
    "PixelizeSignal",
    "DarkCurrent",
    "ElectronicNoise",
    "PixelSaturation",
    "PasteClusterProcess",
    "CreateFitsImage",
    "SignalPatternRecognition",
    "ClusterFinder",
];

impl ResponseConfig {
    /// Whether a step is part of the chain.
    pub fn is_active(&self, name: &str) -> bool {
        self.chain.iter().any(|step| step.name() == name)
    }

    /// Whether noise is added to the pixels.
    pub fn has_noise(&self) -> bool {
        self.is_active("DarkCurrent") || self.is_active("ElectronicNoise")
    }

    /// Reads a configuration file.
    ///
    /// # Errors
    /// If it cannot be read, or with all problems it has.
    pub fn load(path: &Path) -> Result<Self> {
        let failed = |reason: String| ResponseRunError::Configuration { path: path.to_owned(), problems: vec![reason] };
        let bytes = std::fs::read(path).map_err(|e| failed(e.to_string()))?;
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let document: Value = serde_json::from_slice(text).map_err(|e| failed(e.to_string()))?;
        Self::from_json(&document)
            .map_err(|problems| ResponseRunError::Configuration { path: path.to_owned(), problems })
    }

    /// Checks a configuration document; all problems are returned together.
    ///
    /// # Errors
    /// One sentence per problem.
    pub fn from_json(document: &Value) -> std::result::Result<Self, Vec<String>> {
        let Some(document) = document.as_object() else { return Err(vec!["the document is not an object".into()]) };
        let mut problems = Vec::new();
        let empty = Map::new();
        let mut group = |name: &str| match document.get(name) {
            None => &empty,
            Some(Value::Object(group)) => group,
            Some(_) => {
                problems.push(format!("`{name}` must be an object"));
                &empty
            }
        };
        let (in_root, out_root, cf) = (group("in_root"), group("out_root"), group("CF"));
        let groups = GROUPS.map(|name| (name, group(name)));
        for key in document.keys() {
            let known = ["in_root", "out_root", "CF"].contains(&key.as_str()) || GROUPS.contains(&key.as_str());
            if !known && !key.starts_with("__") {
                problems.push(format!(
                    "there is no group `{key}` (groups: in_root, out_root, detector_response, reconstruction, CF)"
                ));
            }
        }
        let in_root = read("in_root", in_root, &mut problems).unwrap_or_default();
        let out_root = read("out_root", out_root, &mut problems).unwrap_or_default();
        let cf: CcdConfig = read("CF", cf, &mut problems).unwrap_or_default();
        let mut builder = Builder {
            chain: Vec::new(),
            problems,
            pixelize: None,
            create: None,
            noise: NoiseCards::default(),
            modes: Vec::new(),
            spr_threshold_adu: None,
            cluster_threshold_e: None,
            saturation: None,
        };
        for (group, blocks) in groups {
            for (name, block) in blocks {
                match block {
                    Value::Object(block) if truthy(block.get("active")) => builder.block(group, name, block),
                    Value::Object(_) => {}
                    _ if is_informative(name) => {}
                    _ => builder.problems.push(format!("`{group}.{name}` must be an object")),
                }
            }
        }
        builder.finish(in_root, out_root, cf)
    }
}

impl Builder {
    fn finish(
        mut self,
        in_root: InRoot,
        out_root: OutRoot,
        cf: CcdConfig,
    ) -> std::result::Result<ResponseConfig, Vec<String>> {
        let mut warnings = Vec::new();
        let mut ccd = cf.ccd();
        if let Some(pixelize) = &self.pixelize {
            for key in pixelize.override_ccd(&mut ccd) {
                warnings.push(format!("detector_response.PixelizeSignal.{key} overrides the value of CF"));
            }
        }
        self.problems.extend(cf.check(&ccd));
        self.chain.sort_by_key(|step| step.sequence_id());
        for step in &self.chain {
            self.problems.extend(step.check(&ccd).iter().map(|p| format!("{}: {p}", step.name())));
            warnings.extend(step.remarks(&ccd).iter().map(|r| format!("{}: {r}", step.name())));
        }
        self.check_order();
        let threshold = match (self.cluster_threshold_e, self.spr_threshold_adu) {
            (Some(electrons), _) => Some(electrons * ccd.e2ev),
            (None, Some(adu)) => Some(adu * ccd.adc2ev),
            (None, None) => None,
        };
        if threshold.is_some() && self.modes.is_empty() {
            self.problems.push(
                "a threshold (SignalPatternRecognition, or ClusterFinder.spr_threshold) needs DarkCurrent or ElectronicNoise: without noise every pixel with signal is kept".into(),
            );
        }
        if self.create.as_ref().is_some_and(|c| c.blank_image.is_none()) && !self.modes.contains(&NoiseMode::Full) {
            self.problems.push(
                "CreateFitsImage: needs `blank_image`, or DarkCurrent or ElectronicNoise with `mode` = \"full-image\""
                    .into(),
            );
        }
        if self.problems.is_empty() {
            Ok(ResponseConfig {
                in_root,
                out_root,
                cf,
                ccd,
                chain: self.chain,
                threshold,
                saturation_adu: self.saturation,
                noise_cards: self.noise,
                warnings,
            })
        } else {
            Err(self.problems)
        }
    }

    /// Steps behind PixelizeSignal need pixels.
    fn check_order(&mut self) {
        let pixelized = self.pixelize.is_some();
        if self.chain.is_empty() {
            self.problems.push("no process is active (`\"active\": 1` in its block)".into());
        } else if !pixelized {
            let needing: Vec<&str> = self.chain.iter().filter(|s| s.sequence_id() > 30).map(|s| s.name()).collect();
            let reason = if needing.is_empty() {
                "the output needs pixels".into()
            } else {
                format!("{} need pixels", needing.join(", "))
            };
            self.problems.push(format!("PixelizeSignal must be active: {reason}"));
        }
    }
}

impl CcdConfig {
    fn ccd(&self) -> Ccd {
        Ccd {
            e2ev: self.e2ev,
            adc2ev: self.adc2ev,
            rows: self.ccd_shape[0],
            cols: self.ccd_shape[1],
            pixel_x: self.ccd_pixel_size_x,
            pixel_y: self.ccd_pixel_size_y,
            thickness: self.ccd_thickness,
            rows_prescan: self.n_rows_prescan,
            rows_overscan: self.n_rows_overscan,
            cols_prescan: self.n_cols_prescan,
            cols_overscan: self.n_cols_overscan,
            image_time: self.img_exp_time,
        }
    }

    fn check(&self, ccd: &Ccd) -> Vec<String> {
        const LONGEST: usize = 100_000;
        let mut problems = Vec::new();
        let positive = [
            ("e2eV", ccd.e2ev, 1e6),
            ("ADC2eV", ccd.adc2ev, 1e9),
            ("ccd_pixel_size_x", ccd.pixel_x, 1e3),
            ("ccd_pixel_size_y", ccd.pixel_y, 1e3),
            ("ccd_thickness", ccd.thickness, 1e3),
            ("img_exp_time", ccd.image_time, 1e30),
        ];
        for (key, value, largest) in positive {
            if !(value > 0.0 && value <= largest) {
                problems.push(format!("CF.{key} = {value} must be positive and at most {largest:e}"));
            }
        }
        if ccd.rows == 0 || ccd.cols == 0 {
            problems.push(format!("CF.ccd_shape = [{}, {}] must be rows and columns, at least 1", ccd.rows, ccd.cols));
        }
        let lengths = [
            ("ccd_shape", ccd.rows),
            ("ccd_shape", ccd.cols),
            ("n_rows_prescan", ccd.rows_prescan),
            ("n_rows_overscan", ccd.rows_overscan),
            ("n_cols_prescan", ccd.cols_prescan),
            ("n_cols_overscan", ccd.cols_overscan),
        ];
        for (key, value) in lengths {
            if value > LONGEST {
                problems.push(format!("CF.{key}: {value} pixels are more than {LONGEST}"));
            }
        }
        if self.z_offset.is_some_and(|z| !z.is_finite()) {
            problems.push("CF.z_offset must be a number".into());
        }
        problems
    }
}
