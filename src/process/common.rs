//! Parameters that every process block accepts (spec 01 §2.6).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::image::raw_data::UserRegion;
use crate::plot::Format;

/// Parameters that every process block accepts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CommonParameters {
    /// Save the image(s) that the process makes.
    pub save_image: bool,
    /// Write the figures.
    pub save_plots: bool,
    /// Figure formats: pdf, eps, png, svg; some processes know csv and root too.
    pub format_figures: Vec<FigureFormat>,
    /// First skip used by this process; null: that of `input.image`.
    pub id_skip_start: Option<i64>,
    /// End of the skips used (excluded), negative: to the last; null: that of `input.image`.
    pub id_skip_end: Option<i64>,
    /// First row used by this process; null: that of `input.image`.
    pub id_row_start: Option<i64>,
    /// End of the rows used (excluded), negative: to the last; null: that of `input.image`.
    pub id_row_end: Option<i64>,
    /// First column used by this process; null: that of `input.image`.
    pub id_col_start: Option<i64>,
    /// End of the columns used (excluded), negative: to the last; null: that of `input.image`.
    pub id_col_end: Option<i64>,
    /// More messages, and the intermediate figures.
    #[serde(rename = "__verbose__")]
    pub verbose: bool,
    /// Show the figures.
    #[serde(rename = "__display__")]
    pub display: bool,
    /// Details of the fits and figures of each of them.
    #[serde(rename = "__DEBUG__")]
    pub debug: bool,
    /// No messages of this process.
    #[serde(rename = "__silent__")]
    pub silent: bool,
}

impl Default for CommonParameters {
    fn default() -> Self {
        Self {
            save_image: false,
            save_plots: false,
            format_figures: vec![FigureFormat::Pdf, FigureFormat::Eps],
            id_skip_start: None,
            id_skip_end: None,
            id_row_start: None,
            id_row_end: None,
            id_col_start: None,
            id_col_end: None,
            verbose: false,
            display: false,
            debug: false,
            silent: false,
        }
    }
}

impl CommonParameters {
    /// The region for this process: its own keys where given, else those of `input.image`.
    pub fn region(&self, image: &UserRegion) -> UserRegion {
        let pick =
            |start: Option<i64>, end: Option<i64>, from: (i64, i64)| (start.unwrap_or(from.0), end.unwrap_or(from.1));
        UserRegion {
            rows: pick(self.id_row_start, self.id_row_end, image.rows),
            cols: pick(self.id_col_start, self.id_col_end, image.cols),
            skips: pick(self.id_skip_start, self.id_skip_end, image.skips),
        }
    }
}

/// What `format_figures` may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FigureFormat {
    /// Portable Document Format.
    Pdf,
    /// Encapsulated PostScript.
    Eps,
    /// Raster image.
    Png,
    /// Scalable Vector Graphics.
    Svg,
    /// Numbers beside the figure, for the processes that offer them.
    Csv,
    /// Graphs and histograms as ROOT objects, for the processes that offer them.
    Root,
}

impl FigureFormat {
    /// The drawing format, for those that are drawn.
    pub fn drawn(self) -> Option<Format> {
        match self {
            Self::Pdf => Some(Format::Pdf),
            Self::Eps => Some(Format::Eps),
            Self::Png => Some(Format::Png),
            Self::Svg => Some(Format::Svg),
            Self::Csv | Self::Root => None,
        }
    }
}
