//! Typed results that the analysis processes leave for later ones, one per amplifier
//! (`raw.products.get_for::<Pedestal>("EXT1")`).

/// Axis along which a pedestal is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// One value per row.
    Row,
    /// One value per column.
    Col,
    /// One value for the whole amplifier.
    Frame,
}

impl Axis {
    /// Name in branches and figures: `row`, `col` or `frame`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Row => "row",
            Self::Col => "col",
            Self::Frame => "frame",
        }
    }
}

/// Pedestals of one amplifier, left by PedestalSubtractionProcess: one entry per axis that was subtracted, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pedestal {
    /// Rows, columns, or both.
    pub axes: Vec<PedestalAxis>,
}

impl Pedestal {
    /// All sigmas, ADU, rows first; lines without estimate are NaN.
    pub fn sigmas(&self) -> impl Iterator<Item = f64> + '_ {
        self.axes.iter().flat_map(|axis| axis.sigma.iter().copied())
    }
}

/// Pedestals along one axis. All vectors have the same length: one element per line of the amplifier; lines without
/// estimate are NaN.
#[derive(Debug, Clone, PartialEq)]
pub struct PedestalAxis {
    /// Along which axis.
    pub axis: Axis,
    /// Row or column of the stored image to which element 0 belongs.
    pub first: usize,
    /// Pedestal, ADU.
    pub mu: Vec<f64>,
    /// Its dispersion, ADU: the noise of a single pixel.
    pub sigma: Vec<f64>,
    /// Error of `mu`, ADU; NaN where unknown.
    pub mu_error: Vec<f64>,
    /// Error of `sigma`, ADU; NaN where unknown.
    pub sigma_error: Vec<f64>,
    /// χ²/NDF of the Gaussian fit; NaN where there was no fit, −999 without degrees of freedom.
    pub chi2_ndf: Vec<f64>,
}

/// Gain of one amplifier, ADU/e⁻, as used by CalibrationProcess (or found by FitCalibrationConstant).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gain {
    /// ADU per electron.
    pub adu_per_electron: f64,
}

/// Gain assumed where nothing determined one, ADU/e⁻ (spec 01 §4.13, `ADC2e`).
pub const DEFAULT_GAIN: f64 = 10.5;
