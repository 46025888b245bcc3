//! Parameters of FitDarkCurrentProcess (spec 03 §1.1).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::named::named_values;
use crate::config::{IndexList, PerAmplifier};

named_values! {
    /// What is minimised.
    pub enum FitMethod {
        /// Histogram fit compatible with older output; the objective is chosen by `fit_options`.
        Root = "root",
        /// Extended binned likelihood with bin integrals.
        Binned = "binned",
        /// Unbinned likelihood.
        Unbinned = "unbinned",
    }
}

named_values! {
    /// Whether the fit is also made along an axis.
    pub enum DarkCurrentAxis {
        /// One fit of the amplifier.
        None = "none" | "full" | "both",
        /// Also FitDarkCurrentPerRow.
        Row = "row",
        /// Also FitDarkCurrentPerCol.
        Col = "col",
    }
}

/// A mask in a FITS file: [use it, path or "same", HDU].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct MaskFile(
    /// Whether it is used.
    pub bool,
    /// Path, or `same` for the input file.
    pub Option<String>,
    /// HDU.
    pub Option<usize>,
);

/// A column of a CSV file: [use it, path, column].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct CsvColumn(
    /// Whether it is used.
    pub bool,
    /// Path.
    pub Option<String>,
    /// Column name.
    pub Option<String>,
);

/// Parameters of FitDarkCurrentProcess.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct FitDarkCurrentProcess {
    /// Image to fit, ADU (or electrons, for an image ending in `_e`).
    pub image: String,
    /// Fit the overscan columns instead of the active region.
    pub in_overscan: bool,
    /// Rows left out, counted within the extension: indices and [first, end) pairs, end excluded.
    pub rows_to_mask: PerAmplifier<IndexList>,
    /// Columns left out: indices and [first, end) pairs, end excluded.
    pub cols_to_mask: PerAmplifier<IndexList>,
    /// Leave out the pixels masked by BuildClusterMask.
    pub mask_clusters: bool,
    /// true: the gain is fitted, starting at `calibration`; false: it is fixed to `calibration`.
    pub do_calibration: bool,
    /// Gain to start with, ADU/e-; it also sets the noise to start with and the automatic window. null: from the header
    /// (`itgtime`).
    pub calibration: PerAmplifier<Option<f64>>,
    /// Number of peaks of the model: 0, 1, … n_peaks − 1 electrons.
    pub n_peaks: PerAmplifier<usize>,
    /// Bin width, ADU; 0 or negative: automatic.
    pub binning_size: f64,
    /// Lower limit of the position of the zero-electron peak, ADU.
    pub mu_min: PerAmplifier<f64>,
    /// Upper limit of the position of the zero-electron peak, ADU.
    pub mu_max: PerAmplifier<f64>,
    /// Lower limit of the dark current, ADU per bin and image.
    pub dc_min: PerAmplifier<f64>,
    /// Upper limit of the dark current, ADU per bin and image.
    pub dc_max: PerAmplifier<f64>,
    /// Lower limit of the noise, ADU.
    pub sigma_min: PerAmplifier<f64>,
    /// Upper limit of the noise, ADU.
    pub sigma_max: PerAmplifier<f64>,
    /// Lower limit of the gain, ADU/e-.
    pub gain_min: PerAmplifier<f64>,
    /// Upper limit of the gain, ADU/e-.
    pub gain_max: PerAmplifier<f64>,
    /// Lower edge of the window, ADU; null: −calibration.
    pub x_min: Option<f64>,
    /// Upper edge of the window, ADU; null: n_peaks·calibration.
    pub x_max: Option<f64>,
    /// Letters as of ROOT's TH1::Fit: L likelihood, P Pearson, W unit weights, I bin integrals, E profile intervals;
    /// none of L, P, W: Neyman's chi-square.
    pub fit_options: String,
    /// Also draw the residuals.
    pub ratio_plot: bool,
    /// Free the linear term.
    #[serde(rename = "add_linear_DQ")]
    pub add_linear_dq: bool,
    /// Start value of the slope of the linear term.
    #[serde(rename = "CRx")]
    pub crx: f64,
    /// Start value of the constant of the linear term.
    #[serde(rename = "CR0")]
    pub cr0: f64,
    /// root (compatible with older output), binned or unbinned (likelihoods with profile intervals).
    pub method: FitMethod,
    /// Methods binned and unbinned: cut the window to the modelled peaks.
    pub window_peaks: bool,
    /// Start value of the position of the zero-electron peak, ADU; null: middle of its limits.
    pub mu_gauss: Option<f64>,
    /// Start value of the noise, e-.
    pub sigma_gauss: f64,
    /// Start value of the dark current, e- per bin and image; null: from the spectrum.
    pub lambda_poisson: Option<f64>,
    /// Automatic window only: upper edge this many noise widths above the last peak; null: not used.
    pub n_sigma_fit: Option<f64>,
    /// Also fit groups of rows (row) or columns (col).
    pub dc_axis: DarkCurrentAxis,
    /// Use a mask from a FITS file, and nothing else: [use it, path or "same", HDU].
    pub apply_mask_from_fits: MaskFile,
    /// Fit the numbers of a CSV column instead of an image: [use it, path, column].
    pub data_as_csv: CsvColumn,
}

impl Default for FitDarkCurrentProcess {
    fn default() -> Self {
        Self {
            image: "mean_compressed_pedestal_subtracted".into(),
            in_overscan: false,
            rows_to_mask: PerAmplifier::default(),
            cols_to_mask: PerAmplifier::default(),
            mask_clusters: false,
            do_calibration: true,
            calibration: Some(10.0).into(),
            n_peaks: 5.into(),
            binning_size: 0.5,
            mu_min: (-1.0).into(),
            mu_max: 1.0.into(),
            dc_min: 0.001.into(),
            dc_max: 10.0.into(),
            sigma_min: 0.001.into(),
            sigma_max: 100.0.into(),
            gain_min: 1.0.into(),
            gain_max: 100.0.into(),
            x_min: Some(-10.0),
            x_max: Some(50.0),
            fit_options: "QR S L EM".into(),
            ratio_plot: false,
            add_linear_dq: false,
            crx: 0.0,
            cr0: 0.0,
            method: FitMethod::Root,
            window_peaks: true,
            mu_gauss: None,
            sigma_gauss: 0.2,
            lambda_poisson: None,
            n_sigma_fit: None,
            dc_axis: DarkCurrentAxis::None,
            apply_mask_from_fits: MaskFile::default(),
            data_as_csv: CsvColumn::default(),
        }
    }
}

impl FitDarkCurrentProcess {
    /// Values that make no sense together (spec 03 §1.12).
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if let PerAmplifier::All(Some(calibration)) = &self.calibration
            && !(*calibration > 0.0)
        {
            problems.push(format!("`calibration` is {calibration}; a positive number of ADU/e- is expected"));
        }
        if let (Some(lo), Some(hi)) = (self.x_min, self.x_max)
            && lo >= hi
        {
            problems.push(format!("`x_min` is {lo} and `x_max` is {hi}; x_min < x_max is expected"));
        }
        if let (Some(lo), Some(hi)) = (self.x_min, self.x_max)
            && self.binning_size > hi - lo
        {
            problems
                .push(format!("`binning_size` is {}; it leaves no bin in the window {lo}…{hi} ADU", self.binning_size));
        }
        let limits = [
            ("mu", &self.mu_min, &self.mu_max),
            ("sigma", &self.sigma_min, &self.sigma_max),
            ("dc", &self.dc_min, &self.dc_max),
            ("gain", &self.gain_min, &self.gain_max),
        ];
        for (name, lo, hi) in limits {
            if let (PerAmplifier::All(lo), PerAmplifier::All(hi)) = (lo, hi)
                && lo > hi
            {
                problems.push(format!(
                    "`{name}_min` is {lo} and `{name}_max` is {hi}; {name}_min ≤ {name}_max is expected"
                ));
            }
        }
        if let PerAmplifier::All(0) = self.n_peaks {
            problems.push("`n_peaks` is 0; at least 1 peak is needed".into());
        }
        if self.apply_mask_from_fits.0 && self.apply_mask_from_fits.1.is_none() {
            problems.push("`apply_mask_from_fits` needs a path or \"same\" as its second element".into());
        }
        if self.data_as_csv.0 && (self.data_as_csv.1.is_none() || self.data_as_csv.2.is_none()) {
            problems.push("`data_as_csv` needs a path and a column name".into());
        }
        problems
    }
}
