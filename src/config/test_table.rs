//! A table of processes for the tests of the configuration and of the command line: names, keys, types and defaults are
//! those of the specification (01 §8), the processes do nothing. It stands for the complete table, whatever processes
//! the registry of this version holds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{IndexList, PerAmplifier};
use crate::image::RawData;
use crate::process::registry::{Group, OldKey::*, ProcessEntry, Scope, row, simulation_only};
use crate::process::{Context, ProcessError, SKImageProcess};

/// Parameter structs with defaults; in brackets a check for values that make no sense together.
macro_rules! processes {
    ($($name:ident $([$check:expr])? { $($(#[$meta:meta])* $key:ident : $type:ty = $default:expr),* $(,)? })*) => {$(
        #[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
        #[serde(default)]
        #[allow(non_snake_case)]
        pub struct $name { $($(#[$meta])* pub $key: $type),* }

        impl Default for $name {
            fn default() -> Self { Self { $($key: $default),* } }
        }

        impl SKImageProcess for $name {
            fn execute(&self, _: &mut RawData, _: &Context<'_>) -> Result<(), ProcessError> { Ok(()) }
            $(fn check(&self) -> Vec<String> { let check: fn(&Self) -> Vec<String> = $check; check(self) })?
        }
    )*};
}

/// How the pedestal is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PedestalMethod {
    #[serde(alias = "gaussian_fit", alias = "gaus_fit")]
    GaussFit,
    Median,
    Mean,
    GaussFitWindow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Axis {
    Row,
    Col,
    Both,
    #[serde(alias = "full")]
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Bins {
    Default,
    Freedman,
    Manual,
}

type Threshold = (Option<f64>, f64, f64);

processes! {
    CompressSkipperProcess {
        /// Image to compress.
        image: String = "raw".into(),
        /// Functions that reduce the skips of a pixel to one value.
        func_to_compress: Vec<String> = vec!["mean".into(), "std".into()],
        n_sig_xtalk: f64 = 5.0,
        create_ttree: bool = false,
    }
    CrossTalkProcess {
        n_sig: f64 = 5.0,
        percentile: [f64; 2] = [5.0, 95.0],
        std_pattern: [String; 2] = ["avg_skips_contrun".into(), "var_skips_contrun".into()],
    }
    PedestalSubtractionProcess [|p| match (p.hist_nbins_method, p.hist_nbins) {
        (Bins::Manual, 0) => vec!["`hist_nbins` is 0; method `manual` needs a positive number of bins".into()],
        _ => vec![],
    }] {
        /// Image used and subtracted.
        image: String = "mean_compressed".into(),
        /// How the pedestal is estimated.
        method: PedestalMethod = PedestalMethod::GaussFit,
        /// Use the overscan columns, not the active region.
        in_overscan: bool = true,
        axis: Axis = Axis::Row,
        use_mad: bool = true,
        n_sigma_win_fit: f64 = 10.0,
        n_sigma_to_mask: f64 = -1.0,
        cut_left_tail: bool = true,
        cut_right_tail: bool = true,
        hist_nbins_method: Bins = Bins::Default,
        hist_nbins: u32 = 0,
        skip_rows: PerAmplifier<IndexList> = PerAmplifier::default(),
        skip_cols: PerAmplifier<IndexList> = PerAmplifier::default(),
        #[serde(rename = "is_highDC")]
        is_highdc: PerAmplifier<bool> = false.into(),
        show_fit: bool = false,
        create_ttree: bool = false,
    }
    TwoDGaussProcess {
        q_min_ADU: f64 = -20.0, q_max_ADU: f64 = 100.0, bin_size: f64 = 0.5, col_start: i64 = 0, row_start: i64 = 0,
        do_fit: bool = true, dc_L: f64 = 0.003, dc_U: f64 = 0.003, dc_U_range: Option<[f64; 2]> = None, sig_L: f64 = 2.0,
        sig_U: f64 = 2.0, sig_L_range: Option<[f64; 2]> = None, theta: f64 = 45.0, cal_L: f64 = 7.0, cal_U: f64 = 7.0,
        cal_L_range: Option<[f64; 2]> = None, cal_U_range: Option<[f64; 2]> = None, fit_opt: String = "Q R LEM".into(),
    }
    CorrectElectronicColumnTransient {
        image: String = "mean_compressed_pedestal_subtracted".into(),
        col_start: i64 = 1, col_end: i64 = 50, subtract_median: bool = true, n_exp: u32 = 1,
        fit_options: String = "QSMEFR".into(),
    }
    CalibrationProcess {
        image: String = "mean_compressed_pedestal_subtracted".into(),
        gain: PerAmplifier<f64> = 5.3.into(),
        from_dc_fit: bool = false,
        gain_round_digits: Option<i32> = Some(4),
    }
    FitCalibrationConstant {
        image: String = "mean_compressed".into(),
        #[schemars(range(min = 2))]
        n_peaks: u32 = 100,
        calibration: Option<PerAmplifier<f64>> = None,
        n_sigma_win_fit: f64 = 3.0,
    }
    FitDarkCurrentProcess {
        image: String = "mean_compressed_pedestal_subtracted".into(),
        rows_to_mask: PerAmplifier<IndexList> = PerAmplifier::default(),
        cols_to_mask: PerAmplifier<IndexList> = PerAmplifier::default(),
        mask_clusters: bool = false,
        do_calibration: bool = true,
        calibration: Option<PerAmplifier<f64>> = Some(10.0.into()),
        n_peaks: PerAmplifier<u32> = 5.into(),
        binning_size: f64 = 0.5,
        mu_min: PerAmplifier<f64> = (-1.0).into(), mu_max: PerAmplifier<f64> = 1.0.into(),
        dc_min: PerAmplifier<f64> = 0.001.into(), dc_max: PerAmplifier<f64> = 10.0.into(),
        sigma_min: PerAmplifier<f64> = 0.001.into(), sigma_max: PerAmplifier<f64> = 100.0.into(),
        gain_min: PerAmplifier<f64> = 1.0.into(), gain_max: PerAmplifier<f64> = 100.0.into(),
        x_min: Option<f64> = Some(-10.0), x_max: Option<f64> = Some(50.0),
        fit_options: String = "QR S L EM".into(),
        ratio_plot: bool = false,
        mu_gauss: Option<f64> = None, sigma_gauss: f64 = 0.2, lambda_poisson: Option<f64> = None,
        n_sigma_fit: Option<f64> = None, dc_axis: String = "none".into(),
    }
    FitDarkCurrentPerRow {
        image: String = String::new(), row_start: i64 = 0, row_end: i64 = -1, row_step: i64 = 10, calibration: f64 = 10.0,
        rows_to_mask: PerAmplifier<IndexList> = PerAmplifier::default(),
        cols_to_mask: PerAmplifier<IndexList> = PerAmplifier::default(),
        n_peaks: u32 = 2, binning_size: f64 = -1.0, gain_min: f64 = 1.0, gain_max: f64 = 500.0,
        x_min: Option<f64> = None, x_max: Option<f64> = None,
    }
    FitDarkCurrentPerCol {
        image: String = String::new(), col_start: i64 = 0, col_end: i64 = -1, col_step: i64 = 10, calibration: f64 = 10.0,
        rows_to_mask: PerAmplifier<IndexList> = PerAmplifier::default(),
        cols_to_mask: PerAmplifier<IndexList> = PerAmplifier::default(),
        n_peaks: u32 = 2, binning_size: f64 = -1.0, gain_min: f64 = 1.0, gain_max: f64 = 500.0,
        x_min: Option<f64> = None, x_max: Option<f64> = None,
    }
    ChargeLossPlot {
        skip_id_list: Vec<i64> = vec![0, 1, 2], skip_id_baseline: i64 = -1, histequ: bool = false, gray_palette: bool = false,
    }
    ChargeLossSkewnessProcess {
        use_overscan: bool = false, id_skip_reference: i64 = 1, id_skip_start: i64 = 0, id_skip_end: i64 = -1,
        skip_step: i64 = 50, kcl_threshold: f64 = 3.2, kcl_n_sig: f64 = 8.0, display: bool = true,
    }
    FFTNoisePlot { image: String = "mean_compressed".into(), sample_time: Option<f64> = None }
    RNvsNskipsPlot { n_skips_per_block: i64 = -100, is_blank: bool = false }
    ClusterFinder {
        spr_image: String = "mean_compressed_pedestal_subtracted_e".into(),
        spr_threshold: PerAmplifier<Threshold> = (None, 3.0, 4.0).into(),
        spr_sigma_mean: bool = true,
        absolute_threshold: Option<f64> = None,
        apply_mask: bool = true,
        skip_rows: PerAmplifier<IndexList> = PerAmplifier::default(),
        skip_cols: PerAmplifier<IndexList> = PerAmplifier::default(),
        only_cls_seed: bool = false,
        #[schemars(range(min = 0, max = 1))]
        method: u8 = 1,
        max_nearest_neighbor: u32 = 2,
        split_image_in_rows: bool = false, min_length: u32 = 500, consecutive_ones: u32 = 10, qmax_to_split_in_rows: f64 = 2.5,
    }
    SignalPatternRecognition {
        image: String = "mean_compressed_pedestal_subtracted_e".into(),
        threshold: Value = json!([null, 3, 4]),
        units: String = "ADC".into(),
        mask: bool = true,
        method: Value = Value::Null,
        isdata: Value = Value::Null,
    }
    BuildClusterMask {
        hot_rows: PerAmplifier<IndexList> = PerAmplifier::default(), hot_cols: PerAmplifier<IndexList> = PerAmplifier::default(),
        cluster_size_min: u32 = 2, cluster_E_min: f64 = 0.0, cluster_DX_min: f64 = 1.0, cluster_DY_min: f64 = 1.0,
        cluster_box_E_min: f64 = 100.0, N_col_pre: u32 = 5, N_col_post: u32 = 5, N_row_pre: u32 = 5, N_row_post: u32 = 5,
        mask_cluster_column: bool = false,
    }
    ApplySelectionCuts { rows: IndexList = IndexList::default(), cols: IndexList = IndexList::default() }
    EvalCTIProcess {
        VCTI: [i64; 2] = [155, 10], HCTI: [i64; 2] = [155, 10], Qrange_e: [f64; 2] = [0.75, 1.5], cumulative: bool = true,
    }
    EvalHaloProcess { radius: [i64; 2] = [155, 10], Qrange_e: [f64; 2] = [0.75, 1.5], cumulative: bool = true }
    GaussianFitProcess {
        image: String = "mean_compressed".into(), in_overscan: bool = true, in_trim_mean: bool = true, n_sigma: f64 = 3.0,
        hist_nbins_method: Bins = Bins::Freedman, skip_rows: IndexList = IndexList::default(),
        skip_cols: IndexList = IndexList::default(),
    }
}

fn feed_cluster_finder(given: &Map<String, Value>) -> Map<String, Value> {
    let mut keys = Map::new();
    for (key, value) in given {
        match (key.as_str(), value) {
            ("image", _) => keys.insert("spr_image".into(), value.clone()),
            ("threshold", Value::Number(_)) => keys.insert("absolute_threshold".into(), value.clone()),
            ("threshold", _) => keys.insert("spr_threshold".into(), value.clone()),
            ("mask", _) => keys.insert("apply_mask".into(), value.clone()),
            _ => None,
        };
    }
    keys
}

use Group::{Analysis, Commissioning, Reconstruction};
use Scope::{Amplifier, Image};

/// The table.
pub static TABLE: &[ProcessEntry] = &[
    row::<ApplySelectionCuts>("ApplySelectionCuts", Reconstruction, Image, "masks rows and columns"),
    row::<BuildClusterMask>("BuildClusterMask", Reconstruction, Image, "masks clusters").after(&["ClusterFinder"]),
    row::<CalibrationProcess>("CalibrationProcess", Analysis, Image, "converts ADU to electrons"),
    row::<ChargeLossPlot>("ChargeLossPlot", Commissioning, Image, "shows charge loss"),
    row::<ChargeLossSkewnessProcess>("ChargeLossSkewnessProcess", Commissioning, Amplifier, "measures charge loss"),
    row::<ClusterFinder>("ClusterFinder", Reconstruction, Amplifier, "finds clusters").old_keys(&[
        ("spr_mask", Renamed("apply_mask")),
        ("image", Renamed("spr_image")),
        ("threshold", Renamed("spr_threshold")),
        ("halo_radius", Moved("EvalHaloProcess", "radius", 0)),
        ("halo_radius_min", Moved("EvalHaloProcess", "radius", 1)),
        ("radius_of_acceptancy", Silent),
    ]),
    row::<CompressSkipperProcess>("CompressSkipperProcess", Analysis, Image, "reduces the skips to one value")
        .tag("CompressSkipsProcess"),
    simulation_only("ContinuousReadout", "gives charges a time"),
    row::<CorrectElectronicColumnTransient>(
        "CorrectElectronicColumnTransient",
        Analysis,
        Amplifier,
        "removes a transient",
    ),
    simulation_only("CreateFitsImage", "writes simulated images as FITS"),
    row::<CrossTalkProcess>("CrossTalkProcess", Analysis, Image, "flags cross-talk"),
    simulation_only("Diffusion", "spreads charges"),
    row::<EvalCTIProcess>("EvalCTIProcess", Reconstruction, Image, "measures charge left behind")
        .after(&["ClusterFinder"]),
    row::<EvalHaloProcess>("EvalHaloProcess", Reconstruction, Image, "measures the halo").after(&["ClusterFinder"]),
    row::<FFTNoisePlot>("FFTNoisePlot", Commissioning, Amplifier, "noise spectrum"),
    row::<FitCalibrationConstant>("FitCalibrationConstant", Commissioning, Amplifier, "fits the gain")
        .old_keys(&[("use_pcd", Ignored)]),
    row::<FitDarkCurrentPerCol>("FitDarkCurrentPerCol", Analysis, Amplifier, "dark current per column"),
    row::<FitDarkCurrentPerRow>("FitDarkCurrentPerRow", Analysis, Amplifier, "dark current per row"),
    row::<FitDarkCurrentProcess>("FitDarkCurrentProcess", Analysis, Amplifier, "fits the dark current"),
    row::<GaussianFitProcess>("GaussianFitProcess", Analysis, Amplifier, "fits the noise"),
    row::<PedestalSubtractionProcess>("PedestalSubtractionProcess", Analysis, Amplifier, "subtracts the baseline")
        .aliases(&["PedestalSubtractedProcess"])
        .old_keys(&[
            ("n_mad_mask", Renamed("n_sigma_to_mask")),
            ("is_highT", Renamed("is_highDC")),
            ("highT", Renamed("is_highDC")),
            ("highDC", Renamed("is_highDC")),
        ]),
    row::<RNvsNskipsPlot>("RNvsNskipsPlot", Commissioning, Amplifier, "noise versus skips")
        .tag("NoiseVSSkipPlot")
        .old_keys(&[("include_row_dependency", Ignored)]),
    row::<SignalPatternRecognition>("SignalPatternRecognition", Reconstruction, Amplifier, "older name")
        .feeds("ClusterFinder", feed_cluster_finder),
    row::<TwoDGaussProcess>("TwoDGaussProcess", Analysis, Image, "joint fit of two amplifiers"),
];
