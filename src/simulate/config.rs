//! The parameters of a simulated image (section `simulate` of the configuration, spec 07 §8.2).
//!
//! What a user may write is [`SimulationConfig`]; [`super::setup::Setup`] is made from it once, complete and valid, and
//! is the only thing that the computation sees.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Physics constants shared with the detector response (spec 07 §§1, 4.1).
pub mod defaults {
    /// Mean energy per electron-hole pair, eV.
    pub const E2EV: f64 = 3.74;
    /// Fano factor.
    pub const FANO: f64 = 0.129;
    /// Diffusion amplitude, µm².
    pub const DIFFUSION_A: f64 = 216.2;
    /// Diffusion shape, 1/µm.
    pub const DIFFUSION_B: f64 = 0.000_886;
    /// Energy-dependent diffusion, pixel/eV.
    pub const DIFFUSION_ALPHA: f64 = 5.97e-6;
    /// Depth used to normalise the energy term, µm.
    pub const DIFFUSION_Z_MAX: f64 = 669.0;
    /// Thickness of the CCD, µm.
    pub const THICKNESS_UM: f64 = 675.0;
    /// Pixel size, µm.
    pub const PIXEL_UM: f64 = 15.0;
}

/// Amplifiers and extensions of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// One amplifier, `L`.
    Single,
    /// Two amplifiers, `L` and `U`, side by side in one image; the half of `U` is mirrored.
    Dual,
    /// Four extensions with one CCD and one amplifier each.
    Acm,
}

/// How many electron-hole pairs a deposit makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PairModel {
    /// Gaussian of mean E/e2eV and variance F·E/e2eV, rounded.
    #[serde(rename = "gauss")]
    Gauss,
    /// Ionisation probabilities at 100 K (Ramanathan & Kurinsky 2020) below 50 eV, `gauss` above.
    #[serde(rename = "p100K", alias = "karthik", alias = "karthick")]
    P100K,
}

/// One number for all amplifiers, or one for each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PerAmp {
    /// The same for all.
    All(f64),
    /// One per amplifier (`dual`: L, U) or extension (`acm`).
    Each(Vec<f64>),
}

/// Cross-talk: one fraction for all pairs of amplifiers, or the matrix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum CrossTalk {
    /// The same fraction for every pair.
    All(f64),
    /// `matrix[i][j]`: fraction of the signal of amplifier j that is added to amplifier i. The diagonal must be 0.
    Matrix(Vec<Vec<f64>>),
}

/// An interference line: a sine in readout time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LineConfig {
    /// Frequency, Hz.
    pub freq: f64,
    /// Amplitude, e⁻.
    pub amplitude: f64,
    /// Phase at the start of the readout, rad, or `"random"`.
    #[serde(default)]
    pub phase: LinePhase,
}

/// Phase of an interference line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum LinePhase {
    /// This phase, rad.
    Fixed(f64),
    /// Drawn for each image.
    Random(RandomWord),
}

/// The word `random`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RandomWord {
    /// `"random"`
    Random,
}

impl Default for LinePhase {
    fn default() -> Self {
        Self::Fixed(0.0)
    }
}

/// Readout noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NoiseConfig {
    /// White noise of one sample, e⁻.
    pub sigma1: f64,
    /// 1/f noise, e⁻ rms per sample.
    pub flicker: f64,
    /// Lower end of the 1/f noise, Hz; null: 1/(image time).
    pub flicker_fmin: Option<f64>,
    /// Upper end of the 1/f noise, Hz; null: 0.1/t_skip.
    pub flicker_fmax: Option<f64>,
    /// Interference lines.
    pub lines: Vec<LineConfig>,
}

impl Default for NoiseConfig {
    fn default() -> Self {
        Self { sigma1: 3.0, flicker: 0.0, flicker_fmin: None, flicker_fmax: None, lines: Vec::new() }
    }
}

/// Exponential decay of the pedestal along a row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TransientConfig {
    /// Height at the first pixel read, ADU.
    pub amplitude: f64,
    /// Decay constant, columns.
    pub tau: f64,
}

impl Default for TransientConfig {
    fn default() -> Self {
        Self { amplitude: 0.0, tau: 5.0 }
    }
}

/// Pedestal and its structure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PedestalConfig {
    /// Level of an empty pixel, ADU.
    pub base: f64,
    /// Gaussian offset per row, ADU rms.
    pub row_rms: f64,
    /// Gaussian offset per column, ADU rms.
    pub col_rms: f64,
    /// Linear change over the rows of the image, ADU.
    pub row_drift: f64,
    /// Exponential transient along a row.
    pub col_transient: TransientConfig,
    /// Offsets of skips 0, 1, 2, …, ADU.
    pub skip_transient: Vec<f64>,
}

impl Default for PedestalConfig {
    fn default() -> Self {
        Self {
            base: 1000.0,
            row_rms: 0.0,
            col_rms: 0.0,
            row_drift: 0.0,
            col_transient: TransientConfig::default(),
            skip_transient: Vec::new(),
        }
    }
}

/// A group of hot columns.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HotColumn {
    /// First image column.
    pub col: usize,
    /// Number of columns.
    #[serde(default = "one")]
    pub width: usize,
    /// Charge rate of an image pixel, e⁻/pix/day.
    #[serde(default)]
    pub rate: f64,
    /// Mean charge of an image pixel, e⁻/pix.
    #[serde(default)]
    pub lambda: f64,
    /// Extension (from 0) that has it; null: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ext: Option<usize>,
}

/// A group of hot rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HotRow {
    /// First image row.
    pub row: usize,
    /// Number of rows.
    #[serde(default = "one")]
    pub width: usize,
    /// Charge rate of an image pixel, e⁻/pix/day.
    #[serde(default)]
    pub rate: f64,
    /// Mean charge of an image pixel, e⁻/pix.
    #[serde(default)]
    pub lambda: f64,
    /// Extension (from 0) that has it; null: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ext: Option<usize>,
}

/// A hot pixel.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HotPixel {
    /// Image row.
    pub row: usize,
    /// Image column.
    pub col: usize,
    /// Charge rate, e⁻/pix/day.
    #[serde(default)]
    pub rate: f64,
    /// Mean charge, e⁻/pix.
    #[serde(default)]
    pub lambda: f64,
    /// Extension (from 0) that has it; null: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ext: Option<usize>,
}

/// A trap: it takes charge from the packets of its column that pass through it, and gives it back to later ones.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trap {
    /// Image row; packets of this and later rows pass through it.
    pub row: usize,
    /// Image column.
    pub col: usize,
    /// Electrons that it holds when it is full.
    pub size: u32,
    /// Probability that a trapped electron is released into the next packet.
    #[serde(default = "half")]
    pub release: f64,
    /// Extension (from 0) that has it; null: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ext: Option<usize>,
}

fn half() -> f64 {
    0.5
}

/// Light of the amplifiers: charge that falls off exponentially with the distance from the corner that is read first.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AmplifierLight {
    /// Charge rate of an image pixel in the corner, e⁻/pix/day.
    pub rate: f64,
    /// Mean charge of an image pixel in the corner, e⁻/pix.
    pub lambda: f64,
    /// Distance over which the light falls by the factor e, image pixels.
    pub length: f64,
}

impl Default for AmplifierLight {
    fn default() -> Self {
        Self { rate: 0.0, lambda: 0.0, length: 50.0 }
    }
}

fn one() -> usize {
    1
}

/// Section `simulate`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SimulationConfig {
    /// Amplifiers and extensions of the file.
    pub layout: Layout,
    /// Active rows read, in physical (unbinned) pixels.
    pub rows: usize,
    /// Active columns of the CCD, all amplifiers together, in physical (unbinned) pixels.
    pub active_cols: usize,
    /// Rows of the CCD; null: as many as are read. Fewer: the rest is row overscan.
    pub phys_rows: Option<usize>,
    /// Prescan columns per amplifier, image (binned) pixels.
    pub prescan_cols: usize,
    /// Overscan columns per amplifier, image (binned) pixels.
    pub overscan_cols: usize,
    /// Rows before the active ones, image (binned) pixels.
    pub prescan_rows: usize,
    /// Rows after the active ones, image (binned) pixels.
    pub overscan_rows: usize,
    /// Binning of rows.
    pub npbin: usize,
    /// Binning of columns.
    pub nsbin: usize,
    /// Skips: samples per pixel.
    pub skips: usize,
    /// Write the mean over the skips (float64) instead of the skips.
    pub averaged: bool,
    /// ADU per e⁻ of one sample; one number or one per amplifier/extension.
    pub gain: PerAmp,
    /// +1, or −1: charge lowers the ADU value.
    pub polarity: i8,
    /// Non-linearity, 1/e⁻: response gain·Q·(1 + quadratic·Q).
    pub quadratic: f64,
    /// Readout noise.
    pub noise: NoiseConfig,
    /// Pedestal.
    pub pedestal: PedestalConfig,
    /// Dark current of a physical pixel, e⁻/pix/day.
    pub dark_current: f64,
    /// Exposure before the readout, s.
    pub t_exp: f64,
    /// Time of one sample, s.
    pub t_skip: f64,
    /// Rows read later have collected dark current for longer; false: the mean time for all rows.
    pub dc_row_dependent: bool,
    /// Mean thermal charge of a physical pixel, e⁻/pix; overrides the three parameters above.
    pub lambda_image: Option<f64>,
    /// Clock-induced charge of every image pixel, pre- and overscan too, e⁻/pix.
    pub spurious: f64,
    /// Probability that an electron is lost between one skip and the next.
    pub charge_loss: f64,
    /// Fraction of the electrons that stay behind for the next pixel read.
    pub cti_h: f64,
    /// Fraction of the electrons that stay behind for the next row read.
    pub cti_v: f64,
    /// Fraction of the other amplifiers' signal added, sample by sample.
    pub crosstalk: CrossTalk,
    /// Hot columns.
    pub hot_cols: Vec<HotColumn>,
    /// Hot rows.
    pub hot_rows: Vec<HotRow>,
    /// Hot pixels.
    pub hot_pixels: Vec<HotPixel>,
    /// Light of the amplifiers.
    pub amplifier_light: AmplifierLight,
    /// Traps.
    pub traps: Vec<Trap>,
    /// Bits of the ADC: values are clipped to 0 … 2^bits − 1.
    pub adc_bits: u32,
    /// Largest charge of a pixel, e⁻; 0: no limit.
    pub full_well: f64,
    /// Mean energy per electron-hole pair, eV.
    #[serde(rename = "e2eV")]
    pub e2ev: f64,
    /// Fano factor.
    pub fano: f64,
    /// Pair creation: `gauss` or `p100K`.
    pub pair_model: PairModel,
    /// Diffusion amplitude, µm².
    #[serde(rename = "A")]
    pub diffusion_a: f64,
    /// Diffusion shape, 1/µm.
    #[serde(rename = "B")]
    pub diffusion_b: f64,
    /// Energy-dependent diffusion, pixel/eV.
    pub alpha: f64,
    /// Energy-independent factor of the diffusion.
    pub alpha0: f64,
    /// Depth used to normalise the energy term of the diffusion, µm.
    pub z_max: f64,
    /// Partial charge collection at the back side.
    pub apply_pcc: bool,
    /// Thickness of the CCD, µm.
    pub thickness: f64,
    /// Pixel size, µm.
    pub pixel_size: f64,
    /// What is in the image besides dark current.
    pub sources: Vec<super::sources::SourceConfig>,
    /// Start of the exposure (ISO 8601, UTC) for the header.
    pub start_time: String,
    /// Image number, for header and default file name; the images of a series count up.
    pub image_id: u32,
    /// Run number, for header and default file name.
    pub run_id: u32,
    /// CCD number, for header and default file name.
    pub ccd_id: u32,
    /// Seed of all random numbers.
    pub seed: u64,
}

impl Default for SimulationConfig {
    fn default() -> Self {
        Self {
            layout: Layout::Single,
            rows: 100,
            active_cols: 200,
            phys_rows: None,
            prescan_cols: 8,
            overscan_cols: 42,
            prescan_rows: 0,
            overscan_rows: 0,
            npbin: 1,
            nsbin: 1,
            skips: 100,
            averaged: false,
            gain: PerAmp::All(10.0),
            polarity: 1,
            quadratic: 0.0,
            noise: NoiseConfig::default(),
            pedestal: PedestalConfig::default(),
            dark_current: 0.01,
            t_exp: 0.0,
            t_skip: 4.0e-5,
            dc_row_dependent: true,
            lambda_image: None,
            spurious: 0.0,
            charge_loss: 0.0,
            cti_h: 0.0,
            cti_v: 0.0,
            crosstalk: CrossTalk::All(0.0),
            hot_cols: Vec::new(),
            hot_rows: Vec::new(),
            hot_pixels: Vec::new(),
            amplifier_light: AmplifierLight::default(),
            traps: Vec::new(),
            adc_bits: 16,
            full_well: 0.0,
            e2ev: defaults::E2EV,
            fano: defaults::FANO,
            pair_model: PairModel::Gauss,
            diffusion_a: defaults::DIFFUSION_A,
            diffusion_b: defaults::DIFFUSION_B,
            alpha: defaults::DIFFUSION_ALPHA,
            alpha0: 1.0,
            z_max: defaults::DIFFUSION_Z_MAX,
            apply_pcc: false,
            thickness: defaults::THICKNESS_UM,
            pixel_size: defaults::PIXEL_UM,
            sources: Vec::new(),
            start_time: "2025-01-01T00:00:00".into(),
            image_id: 1,
            run_id: 1,
            ccd_id: 1,
            seed: 321,
        }
    }
}
