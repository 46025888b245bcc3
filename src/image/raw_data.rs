//! [`RawData`]: the image that travels through the chain.

use std::path::PathBuf;

use indexmap::IndexMap;
use ndarray::Array2;

use super::reduce::Reduction;
use super::{Amplifier, Products, Report, SkipCube};
use crate::fits::{CardValue, Header};

/// Where the image comes from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Source {
    /// Absolute path of the file.
    pub path: PathBuf,
    /// HDUs that make up the image (several only when extensions are stacked).
    pub hdus: Vec<usize>,
    /// Position of the file in the sorted list of inputs, from 0.
    pub position: usize,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// How the content was identified: `SHA-256 …`, or `DATASUM …` for files above 16 MiB (empty until their data have been
    /// read: [`super::identify`]).
    pub checksum: String,
    /// File name with its HDUs for messages, e.g. `name.fz[1]`.
    pub label: String,
}

/// Times of exposure and readout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Times {
    /// Start of the exposure, POSIX seconds; NaN if unknown.
    pub exposure_start: f64,
    /// Start of the readout, POSIX seconds; NaN if unknown.
    pub readout_start: f64,
    /// End of the readout, POSIX seconds; NaN if unknown.
    pub readout_end: f64,
    /// Exposure time, s (0 if unknown).
    pub exposure: f64,
    /// Readout time, s; NaN if unknown.
    pub readout: f64,
    /// Whether no card tells the readout time, so that `readout` is what lies between its start and its end.
    pub readout_from_dates: bool,
}

impl Times {
    /// Exposure plus readout, s; an unknown readout time counts as 0.
    pub fn total(&self) -> f64 {
        self.exposure + if self.readout.is_finite() { self.readout } else { 0.0 }
    }
}

impl Default for Times {
    fn default() -> Self {
        Self {
            exposure_start: f64::NAN,
            readout_start: f64::NAN,
            readout_end: f64::NAN,
            exposure: 0.0,
            readout: f64::NAN,
            readout_from_dates: false,
        }
    }
}

/// Identification numbers (spec 01 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Numbers {
    /// Run.
    pub run: i64,
    /// Image.
    pub image: i64,
    /// CCD.
    pub ccd: i64,
}

/// The part of the image that the user wants to be used (`id_<axis>_start`, `id_<axis>_end`); ends are excluded, a
/// negative end means "to the last".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserRegion {
    /// Rows.
    pub rows: (i64, i64),
    /// Columns.
    pub cols: (i64, i64),
    /// Skips.
    pub skips: (i64, i64),
}

impl Default for UserRegion {
    fn default() -> Self {
        Self { rows: (0, -1), cols: (0, -1), skips: (0, -1) }
    }
}

/// A boolean image (true = do not use) and the EXTNAME under which it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Mask {
    /// `[row, col]`, true = masked.
    pub pixels: Array2<bool>,
    /// EXTNAME in the output FITS; `None`: not written.
    pub extname: Option<String>,
}

/// Monte-Carlo truth stored in the input.
#[derive(Debug, Clone, PartialEq)]
pub struct Truth {
    /// Deposited energy per pixel, eV, `[row, col]`.
    pub energy: Array2<f64>,
    /// Id of the true cluster per pixel, `[row, col]`.
    pub cluster: Array2<f64>,
}

/// One image: header, amplifiers and regions, the cube of skips, the images made so far and everything the processes
/// say about it. Rows and columns are counted from 0.
#[derive(Debug, Default)]
pub struct RawData {
    /// Where it comes from.
    pub source: Source,
    /// Header of the input, the base of the output header.
    pub header: Header,
    /// Values of the header keywords that the configuration names (`convention` extras, `scp`, `ampdir`, `itgtime`).
    pub metadata: IndexMap<String, CardValue>,
    /// Rows of the image.
    pub rows: usize,
    /// Columns of the image (pixels, not samples).
    pub cols: usize,
    /// Skips per pixel in the data: 1 for averaged images.
    pub nskips: usize,
    /// Skips per pixel according to the header, also for averaged images.
    pub ndcm: usize,
    /// Header keyword that holds the number of skips.
    pub skip_keyword: String,
    /// On-chip binning of rows (NPBIN) times the software binning.
    pub row_binning: usize,
    /// On-chip binning of columns (NSBIN).
    pub col_binning: usize,
    /// Amplifiers, in the order in which processes visit them.
    pub amplifiers: Vec<Amplifier>,
    /// Whether several extensions are stacked along the rows.
    pub stacked: bool,
    /// Times.
    pub times: Times,
    /// Run, image and CCD numbers.
    pub numbers: Numbers,
    /// Part of the image that the user wants to be used.
    pub user_region: UserRegion,
    /// The samples, for a skipper image.
    pub cube: Option<SkipCube>,
    /// Pixels excluded from clustering by the user (`--mask`), `[row, col]`.
    pub clustering_mask: Option<Array2<bool>>,
    /// Monte-Carlo truth (`--MCT`).
    pub truth: Option<Truth>,
    /// Images made so far, `[row, col]`, by name without the prefix `image_`; in the order in which they were made.
    pub images: IndexMap<String, Array2<f64>>,
    /// Boolean images made so far, by name.
    pub masks: IndexMap<String, Mask>,
    /// Typed results that one process leaves for later ones.
    pub products: Products,
    /// Numbers, cards, figures and messages.
    pub report: Report,
    /// Tags of the processes executed so far.
    pub chain: Vec<String>,
}

impl RawData {
    /// A bare image with one amplifier that reads all of it, as a starting point for tests and simulations.
    pub fn from_image(name: &str, pixels: Array2<f64>) -> Self {
        let (rows, cols) = pixels.dim();
        let mut raw = Self {
            rows,
            cols,
            nskips: 1,
            ndcm: 1,
            skip_keyword: "NDCM".into(),
            row_binning: 1,
            col_binning: 1,
            amplifiers: vec![Amplifier::whole_image("EXT0", 0, rows, cols)],
            ..Self::default()
        };
        raw.images.insert(name.to_owned(), pixels);
        raw
    }

    /// An image by name; the error lists the images that exist.
    ///
    /// The old name `pedestal_subtracted` stands for the pedestal-subtracted image of whichever compression exists.
    pub fn image(&self, name: &str) -> Result<&Array2<f64>, MissingImage> {
        self.images.get(self.resolve_image_name(name)).ok_or_else(|| MissingImage {
            name: name.to_owned(),
            existing: self.images.keys().cloned().collect::<Vec<_>>().join(", "),
            maker: maker_of(name.strip_prefix("image_").unwrap_or(name)),
        })
    }

    /// The name under which an image is stored: resolves the old name `pedestal_subtracted`, and `raw` of an image that
    /// has one value per pixel: that is its `mean_compressed`.
    pub fn resolve_image_name<'a>(&'a self, name: &'a str) -> &'a str {
        let name = name.strip_prefix("image_").unwrap_or(name);
        if name == "pedestal_subtracted" {
            let usual = "mean_compressed_pedestal_subtracted";
            if self.images.contains_key(usual) {
                return usual;
            }
            return self
                .images
                .keys()
                .map(String::as_str)
                .find(|n| n.ends_with("_compressed_pedestal_subtracted"))
                .unwrap_or(usual);
        }
        if name == "raw" && self.cube.is_none() && !self.images.contains_key(name) {
            return "mean_compressed";
        }
        name
    }

    /// The amplifiers' rows within their extension: `(first row of the block, rows of the block)`. For stacked
    /// extensions, row lists of the configuration count from the first row of the block.
    pub fn row_block(&self, amplifier: usize) -> (usize, usize) {
        let rows = &self.amplifiers[amplifier].full.rows;
        (rows.start, rows.len())
    }
}

/// What processes append to the name of an image that they make from another one.
const ENDINGS: [(&str, &str); 9] = [
    ("_e", "CalibrationProcess"),
    ("_pedestal_subtracted", "PedestalSubtractionProcess"),
    ("_correct_cols", "CorrectElectronicColumnTransient"),
    ("_wgnoise", "GaussianNoiseProcess"),
    ("_correlated", "CorrelatedNoiseProcess"),
    ("_decorrelated", "TwoDGaussProcess"),
    ("_woExtraDC", "AddBKGComponent"),
    ("_n_probability", "AbsoluteChargeProcess"),
    ("_n", "AbsoluteChargeProcess"),
];

/// The process that makes images of this name; `None` if none does.
fn maker_of(name: &str) -> Option<&'static str> {
    if let Some(function) = name.strip_suffix("_compressed") {
        return Reduction::from_name(function).is_ok().then_some("CompressSkipperProcess");
    }
    if name == "pedestal_subtracted" {
        return Some("PedestalSubtractionProcess");
    }
    ENDINGS.iter().find_map(|(ending, maker)| maker_of(name.strip_suffix(ending)?).map(|_| *maker))
}

/// An image that a process asks for does not exist.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct MissingImage {
    /// Name asked for.
    pub name: String,
    /// Names that exist, comma-separated.
    pub existing: String,
    /// Process that makes such images; `None`: none does.
    pub maker: Option<&'static str>,
}

impl MissingImage {
    fn sentence(&self) -> String {
        if self.name == "raw" {
            return "`raw` holds several skips per pixel here and is no image; CompressSkipperProcess makes \
                    `mean_compressed` and others of it"
                .into();
        }
        let existing = if self.existing.is_empty() { "none" } else { &self.existing };
        let made = self.maker.map(|maker| format!("; {maker} would make it")).unwrap_or_default();
        format!("there is no image `{}` at this point (existing: {existing}){made}", self.name)
    }
}
