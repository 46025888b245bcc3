//! FitDarkCurrentPerCol: dark current, noise, offset and gain along the columns.
//!
//! Hot columns, charge-transfer problems and light at the edges show as structure along the columns; one fit of the whole
//! image averages over them. Spec 03 §3; the work is done in
//! [`super::fit_dark_current_slices`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fit_dark_current::{FitDarkCurrentProcess, FitMethod, MaskFile};
use super::fit_dark_current_slices::{PerColFits, SliceAxis, Slicing, fit_slices, results_table};
use crate::config::{IndexList, PerAmplifier};
use crate::image::RawData;
use crate::process::{Context, ProcessError, SKImageProcess};

/// Parameters of FitDarkCurrentPerCol.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct FitDarkCurrentPerCol {
    /// Image to fit, ADU (or electrons, for an image ending in `_e`).
    pub image: String,
    /// First column, counted within the amplifier.
    pub col_start: usize,
    /// End of the first columns of groups (excluded); -1 or 0: to the last column; other negative values: counted from the
    /// end.
    pub col_end: i64,
    /// Number of columns fitted together.
    #[schemars(range(min = 1))]
    pub col_step: usize,
    /// Rows left out, counted within the extension: indices and [first, end) pairs, end excluded.
    pub rows_to_mask: PerAmplifier<IndexList>,
    /// Columns left out: indices and [first, end) pairs, end excluded.
    pub cols_to_mask: PerAmplifier<IndexList>,
    /// Leave out the pixels masked by BuildClusterMask (in the active region).
    pub mask_clusters: bool,
    /// true: the gain is fitted, starting at `calibration`; false: it is fixed to `calibration`.
    pub do_calibration: bool,
    /// Gain to start with, ADU/e-; it also sets the noise to start with and the automatic window. null: from the header
    /// (`itgtime`).
    pub calibration: PerAmplifier<Option<f64>>,
    /// Number of peaks of the model: 0, 1, … n_peaks − 1 electrons.
    pub n_peaks: PerAmplifier<usize>,
    /// Bin width, ADU; 0 or negative: automatic, for each group.
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
    /// Degree of the polynomial through the results.
    #[schemars(range(min = 0, max = 7))]
    pub degree_pol: usize,
    /// Letters as of ROOT's TH1::Fit: L likelihood, P Pearson, W unit weights, I bin integrals, E profile intervals;
    /// none of L, P, W: Neyman's chi-square.
    pub fit_options: String,
    /// root (compatible with older output), binned or unbinned (likelihoods with profile intervals).
    pub method: FitMethod,
    /// Use a mask from a FITS file instead of all others: [use it, path or "same", HDU].
    pub add_mask: MaskFile,
    /// Flag groups that hold a pixel above this charge, image units; null: no flags.
    pub q_threshold: Option<f64>,
    /// Write the results also as `…_DCvsCOLS_results_amp<AMP>.csv`.
    pub save_results: bool,
    /// Draw the fits of the groups whose first column lies in [first, end).
    #[serde(rename = "DEBUG_COLS")]
    pub debug_cols: Option<[usize; 2]>,
}

impl Default for FitDarkCurrentPerCol {
    fn default() -> Self {
        Self {
            image: "mean_compressed_pedestal_subtracted".into(),
            col_start: 0,
            col_end: -1,
            col_step: 10,
            rows_to_mask: PerAmplifier::default(),
            cols_to_mask: PerAmplifier::default(),
            mask_clusters: false,
            do_calibration: true,
            calibration: Some(10.0).into(),
            n_peaks: 2.into(),
            binning_size: -1.0,
            mu_min: (-1.0).into(),
            mu_max: 1.0.into(),
            dc_min: 1e-6.into(),
            dc_max: 500.0.into(),
            sigma_min: 0.0.into(),
            sigma_max: 100.0.into(),
            gain_min: 1.0.into(),
            gain_max: 500.0.into(),
            x_min: None,
            x_max: None,
            degree_pol: 1,
            fit_options: "QSMEFR".into(),
            method: FitMethod::Root,
            add_mask: MaskFile::default(),
            q_threshold: None,
            save_results: false,
            debug_cols: None,
        }
    }
}

impl From<&FitDarkCurrentProcess> for FitDarkCurrentPerCol {
    /// The same fit in groups of 10 columns: what `dc_axis` asks for.
    fn from(fit: &FitDarkCurrentProcess) -> Self {
        let fit = fit.clone();
        Self {
            image: fit.image,
            rows_to_mask: fit.rows_to_mask,
            cols_to_mask: fit.cols_to_mask,
            mask_clusters: fit.mask_clusters,
            do_calibration: fit.do_calibration,
            calibration: fit.calibration,
            n_peaks: fit.n_peaks,
            binning_size: fit.binning_size,
            mu_min: fit.mu_min,
            mu_max: fit.mu_max,
            dc_min: fit.dc_min,
            dc_max: fit.dc_max,
            sigma_min: fit.sigma_min,
            sigma_max: fit.sigma_max,
            gain_min: fit.gain_min,
            gain_max: fit.gain_max,
            x_min: fit.x_min,
            x_max: fit.x_max,
            fit_options: fit.fit_options,
            method: fit.method,
            add_mask: fit.apply_mask_from_fits,
            ..Self::default()
        }
    }
}

impl SKImageProcess for FitDarkCurrentPerCol {
    fn execute(&self, raw: &mut RawData, context: &Context<'_>) -> Result<(), ProcessError> {
        let fits = fit_slices(&self.fit(), &self.slicing(), raw, context, "FitDarkCurrentPerCol")?;
        let amplifier = raw.amplifiers[context.amplifier].clone();
        if self.save_results {
            raw.report.table(results_table(&amplifier, &fits));
        }
        raw.products.set_for(&amplifier.name, PerColFits(fits));
        Ok(())
    }

    fn check(&self) -> Vec<String> {
        let mut problems = self.slicing().problems("col");
        problems.extend(self.fit().check().into_iter().map(|p| p.replace("apply_mask_from_fits", "add_mask")));
        problems
    }
}

impl FitDarkCurrentPerCol {
    fn slicing(&self) -> Slicing {
        Slicing {
            axis: SliceAxis::Cols,
            start: self.col_start,
            end: self.col_end,
            step: self.col_step,
            threshold: self.q_threshold,
            degree: self.degree_pol,
            debug: self.debug_cols,
        }
    }

    /// The fit of one group.
    fn fit(&self) -> FitDarkCurrentProcess {
        let own = self.clone();
        FitDarkCurrentProcess {
            image: own.image,
            rows_to_mask: own.rows_to_mask,
            cols_to_mask: own.cols_to_mask,
            mask_clusters: own.mask_clusters,
            do_calibration: own.do_calibration,
            calibration: own.calibration,
            n_peaks: own.n_peaks,
            binning_size: own.binning_size,
            mu_min: own.mu_min,
            mu_max: own.mu_max,
            dc_min: own.dc_min,
            dc_max: own.dc_max,
            sigma_min: own.sigma_min,
            sigma_max: own.sigma_max,
            gain_min: own.gain_min,
            gain_max: own.gain_max,
            x_min: own.x_min,
            x_max: own.x_max,
            fit_options: own.fit_options,
            method: own.method,
            apply_mask_from_fits: own.add_mask,
            ..FitDarkCurrentProcess::default()
        }
    }
}

#[cfg(test)]
mod tests;
