//! The `input` section: how a FITS file becomes an image (spec 01 §§2.2–2.5).

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::values::OneOrMany;

/// Section `input` of the configuration.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct InputConfig {
    /// How the image is laid out in the file.
    pub image: ImageConfig,
    /// Header keywords with the times of exposure and readout.
    pub datetime: DatetimeConfig,
    /// Slow control: any name → header keyword(s); the values found are carried as metadata.
    pub scp: IndexMap<String, OneOrMany<String>>,
    /// Header keywords with the properties of the image.
    pub convention: ConventionConfig,
}

/// Section `input.image`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ImageConfig {
    /// HDU number(s) of the data, counted from 0. null: HDU 0 if it holds an image, else all image HDUs in order.
    pub extensions: Option<OneOrMany<usize>>,
    /// HDU whose header is used for keywords and for the output; one number, or one per extension. null: the data HDU.
    pub ext_header: Option<OneOrMany<usize>>,
    /// Marks files of the multi-CCD acquisition board. Informative: only `--acm` stacks the extensions.
    #[serde(rename = "ACM_multi_extension")]
    pub acm_multi_extension: bool,
    /// true: the data hold the single skips; false: already averaged; null: detect.
    pub skip_image: Option<bool>,
    /// Axis along which the skips are stored: 1 columns, 0 rows.
    #[schemars(range(min = 0, max = 1))]
    pub axis_to_compress: u8,
    /// Undo the shift by two samples of Leach controllers.
    pub correct_leach_bug: bool,
    /// Invert the sign of the charge: maximum − value.
    pub correct_polarity: bool,
    /// Sum this many consecutive rows (software binning); 0 or 1: none.
    pub row_binning: usize,
    /// First skip used, counted from 0.
    pub id_skip_start: i64,
    /// End of the skips used (excluded); negative: to the last.
    pub id_skip_end: i64,
    /// First row used.
    pub id_row_start: i64,
    /// End of the rows used (excluded); negative: to the last.
    pub id_row_end: i64,
    /// First column used.
    pub id_col_start: i64,
    /// End of the columns used (excluded); negative: to the last.
    pub id_col_end: i64,
    /// Prescan rows, in physical (unbinned) pixels.
    pub n_rows_prescan: usize,
    /// Overscan rows, in image rows.
    pub n_rows_overscan: usize,
    /// Physical rows of the CCD (informative).
    pub ccd_rows: Option<usize>,
    /// Prescan columns, in physical (unbinned) pixels; in image pixels when `n_cols_overscan` is set.
    pub n_cols_prescan: usize,
    /// Overscan columns per amplifier, in image (binned) columns. Set: `ccd_cols` is not used.
    pub n_cols_overscan: Option<usize>,
    /// Physical columns of the CCD, from which the overscan is derived; null: no overscan.
    pub ccd_cols: Option<usize>,
    /// Active rows [first, last], both included, in image pixels; overrides the derived region (one amplifier only).
    pub active_region_rows: Option<[usize; 2]>,
    /// Active columns [first, last], both included, in image pixels; overrides the derived region (one amplifier only).
    pub active_region_cols: Option<[usize; 2]>,
    /// Amplifiers in one extension, 1 or 2; null: 2 if the header says `UL`, else 1.
    #[schemars(range(min = 1, max = 2))]
    pub n_amp: Option<u8>,
    /// Name for the amplifier of a one-amplifier image; null: `EXT<n>`.
    pub amp_name: Option<String>,
    /// Write the `_waders` FITS with the final images.
    pub save_images: bool,
    /// Compress that file with bzip2.
    pub bz2: bool,
    /// Saturation level for the report of saturated samples, ADU; null: the end of the integer range.
    pub saturation_adu: Option<f64>,
}

impl Default for ImageConfig {
    fn default() -> Self {
        Self {
            extensions: None,
            ext_header: None,
            acm_multi_extension: false,
            skip_image: None,
            axis_to_compress: 1,
            correct_leach_bug: false,
            correct_polarity: false,
            row_binning: 0,
            id_skip_start: 0,
            id_skip_end: -1,
            id_row_start: 0,
            id_row_end: -1,
            id_col_start: 0,
            id_col_end: -1,
            n_rows_prescan: 0,
            n_rows_overscan: 0,
            ccd_rows: None,
            n_cols_prescan: 0,
            n_cols_overscan: None,
            ccd_cols: None,
            active_region_rows: None,
            active_region_cols: None,
            n_amp: None,
            amp_name: None,
            save_images: true,
            bz2: false,
            saturation_adu: None,
        }
    }
}

/// Section `input.datetime`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct DatetimeConfig {
    /// Keyword(s) of the start of the exposure; the first present wins.
    pub exposure_start: OneOrMany<String>,
    /// Keyword(s) of the start of the readout.
    pub readout_start: OneOrMany<String>,
    /// Keyword(s) of the end of the readout.
    pub readout_end: OneOrMany<String>,
    /// Keyword(s) of the exposure time in s, used if `convention.exposure_time` finds nothing.
    pub exposure_time: Option<OneOrMany<String>>,
    /// Keyword(s) of the readout time in ms, used if `convention.read_time` finds nothing.
    pub read_time: Option<OneOrMany<String>>,
    /// How times without offset are read: `UTC`, `local` or `±HH:MM`.
    pub timezone: String,
}

impl Default for DatetimeConfig {
    fn default() -> Self {
        Self {
            exposure_start: OneOrMany::from(["EXPSTART", "DATEINI"]),
            readout_start: OneOrMany::from(["RDSTRT", "DATEINI"]),
            readout_end: OneOrMany::from(["RDEND", "DATEEND"]),
            exposure_time: None,
            read_time: None,
            timezone: "UTC".into(),
        }
    }
}

/// Section `input.convention`: name → header keyword(s). An empty keyword disables the look-up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ConventionConfig {
    /// Vertical clock direction (metadata).
    pub ampdir: OneOrMany<String>,
    /// Integration time (metadata).
    pub itgtime: OneOrMany<String>,
    /// Skips per pixel.
    #[serde(rename = "Nskips")]
    pub nskips: OneOrMany<String>,
    /// Columns, with or without skips.
    #[serde(rename = "Ncols")]
    pub ncols: OneOrMany<String>,
    /// Rows.
    #[serde(rename = "Nrows")]
    pub nrows: OneOrMany<String>,
    /// Row (parallel, vertical) binning.
    #[serde(rename = "Npbin")]
    pub npbin: OneOrMany<String>,
    /// Column (serial, horizontal) binning.
    #[serde(rename = "Nsbin")]
    pub nsbin: OneOrMany<String>,
    /// Amplifiers read: `L`, `U` or `UL`.
    pub ampl: OneOrMany<String>,
    /// Exposure time.
    pub exposure_time: OneOrMany<String>,
    /// Readout time.
    pub read_time: OneOrMany<String>,
    /// Unit of the exposure time, `s` or `ms`; null: from the card (MEXP is in ms).
    pub exposure_time_unit: Option<TimeUnit>,
    /// Unit of the readout time, `s` or `ms`; null: from the card (MREAD is in ms).
    pub read_time_unit: Option<TimeUnit>,
    /// Further names, carried as metadata.
    #[serde(flatten)]
    pub extra: IndexMap<String, OneOrMany<String>>,
}

impl Default for ConventionConfig {
    fn default() -> Self {
        let one = |s: &str| OneOrMany::from([s]);
        Self {
            ampdir: one("VCKDIRN"),
            itgtime: OneOrMany::from(["ITGTIME", "TINTEGR"]),
            nskips: OneOrMany::from(["NDCMS", "NDCM"]),
            ncols: one("NAXIS1"),
            nrows: one("NAXIS2"),
            npbin: one("NPBIN"),
            nsbin: one("NSBIN"),
            ampl: one("AMPL"),
            exposure_time: OneOrMany::from(["MEXP", "EXPOSURE"]),
            read_time: one("MREAD"),
            exposure_time_unit: None,
            read_time_unit: None,
            extra: IndexMap::new(),
        }
    }
}

/// Unit of a time card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TimeUnit {
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
}
