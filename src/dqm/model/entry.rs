//! Results of a monitor element: on one image, on the run, and of its tests.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::flag::Flag;
use super::numbers::{Values, number, vector};

/// A monitor element on one image and amplifier.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Entry {
    /// Image number.
    pub image: i64,
    /// Name of the input file, [`ImageRecord::file`](super::ImageRecord::file).
    pub file: String,
    /// CCD number.
    pub ccd: i64,
    /// Amplifier (`L`, `U`, `EXT1`, …); empty for monitor elements of the whole frame.
    pub amplifier: String,
    /// Rows of the frame before the first one of the amplifier (stacked extensions).
    pub row_offset: usize,
    /// Abscissa, in the unit of the x label. Rows and columns count from 1.
    #[serde(default, skip_serializing_if = "Values::is_nothing")]
    pub x: Values,
    /// Values, in the unit of the monitor element.
    #[serde(default, skip_serializing_if = "Values::is_nothing")]
    pub y: Values,
    /// Half-widths in x, where points stand for blocks.
    #[serde(default, skip_serializing_if = "Values::is_nothing")]
    pub xerr: Values,
    /// Errors of the values.
    #[serde(default, skip_serializing_if = "Values::is_nothing")]
    pub yerr: Values,
    /// The straight line at all x, or the fitted counts of a histogram.
    #[serde(default, skip_serializing_if = "Values::is_nothing")]
    pub yfit: Values,
    /// χ²/ndf of the fit behind the values: one number, or one per value; missing without degrees of freedom.
    #[serde(default, skip_serializing_if = "Values::is_nothing")]
    pub goodness: Values,
    /// Straight line through the values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<LineFit>,
    /// Counts, for monitor elements of scope H that are stored as histogram.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub histogram: Option<HistogramCounts>,
    /// Further results by name, such as `y_e`, `mu`, `mu_err`.
    #[serde(default)]
    pub extra: BTreeMap<String, Extra>,
    /// Tests, in the order in which they were made.
    #[serde(default)]
    pub tests: Vec<QualityTest>,
    /// Worst flag of the tests.
    pub status: Flag,
    /// Why there is no result (`n/a`); then there are no values and the status is `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Plot of this image (and amplifier), relative to the directory of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plot: Option<String>,
}

impl Entry {
    /// Whether the monitor element could be computed.
    pub fn is_available(&self) -> bool {
        self.reason.is_none()
    }

    /// Value of a scalar, or the median of the finite values of a vector: the number shown in tables and trends.
    pub fn headline(&self) -> Option<f64> {
        match &self.y {
            Values::Nothing => None,
            Values::One(y) => Some(*y).filter(|y| y.is_finite()),
            Values::Many(y) => {
                let finite: Vec<f64> = y.iter().copied().filter(|y| y.is_finite()).collect();
                (!finite.is_empty()).then(|| crate::stats::robust::median(&finite))
            }
        }
    }

    /// Sets the flag from the tests.
    pub fn update_status(&mut self) {
        self.status = Flag::worst(self.tests.iter().map(|t| t.flag));
    }
}

/// The straight line y = intercept + slope·x.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LineFit {
    /// Slope.
    #[serde(with = "number")]
    pub slope: f64,
    /// Its error.
    #[serde(with = "number")]
    pub slope_err: f64,
    /// Value at x = 0.
    #[serde(with = "number")]
    pub intercept: f64,
    /// Its error.
    #[serde(with = "number")]
    pub intercept_err: f64,
    /// χ² per degree of freedom (mean square in y units for points without errors); missing without degrees of freedom.
    #[serde(with = "number")]
    pub chi2_ndf: f64,
}

impl LineFit {
    /// Value at x.
    pub fn at(&self, x: f64) -> f64 {
        self.intercept + self.slope * x
    }
}

/// A histogram with bins of one width.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HistogramCounts {
    /// Lower edge of the first bin.
    #[serde(with = "number")]
    pub first_edge: f64,
    /// Width of a bin.
    #[serde(with = "number")]
    pub width: f64,
    /// Counts; trailing empty bins are left out.
    pub counts: Vec<u32>,
}

/// One more result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Extra {
    /// A truth value.
    Flag(bool),
    /// A count.
    Integer(i64),
    /// A number.
    Number(#[serde(with = "number")] f64),
    /// A text.
    Text(String),
    /// Numbers.
    Numbers(#[serde(with = "vector")] Vec<f64>),
    /// Texts.
    Texts(Vec<String>),
}

/// A test and its verdict (spec 06 §8).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct QualityTest {
    /// Name, e.g. `QTresiduals` or `QT:range`.
    pub name: String,
    /// Verdict.
    pub flag: Flag,
    /// Not violated (true also for `none`).
    pub result: bool,
    /// What was tested; missing if the test does not apply.
    #[serde(with = "number")]
    pub value: f64,
    /// Limit of the value.
    #[serde(with = "number")]
    pub cut: f64,
    /// Number of standard deviations of a displacement, where the test has one.
    #[serde(default = "missing", with = "number")]
    pub n_std: f64,
    /// Mean of the reference.
    #[serde(default = "missing", with = "number")]
    pub mean_ref: f64,
    /// Spread of the reference.
    #[serde(default = "missing", with = "number")]
    pub std_ref: f64,
    /// Allowed range, for `QT:range`; an open end is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<super::numbers::Pair>,
    /// Run number of the reference.
    #[serde(default)]
    pub run_ref: Option<i64>,
    /// Abscissa of the failing positions.
    #[serde(default, with = "vector")]
    pub x: Vec<f64>,
    /// Values at the failing positions.
    #[serde(default, with = "vector")]
    pub y: Vec<f64>,
    /// The verdict as a sentence with the numbers in it, e.g. `3 of 200 rows lie more than 3 σ from the reference`.
    #[serde(default)]
    pub reason: String,
}

/// A missing number.
fn missing() -> f64 {
    f64::NAN
}

/// A monitor element on the whole run, for one amplifier.
///
/// For vectors: profiles over the images at each x. For scalars: median and quartiles over the images are numbers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RunEntry {
    /// CCD number.
    pub ccd: i64,
    /// Amplifier; empty for the whole frame.
    pub amplifier: String,
    /// Images that entered.
    pub n_images: usize,
    /// Abscissa of the profiles.
    #[serde(default, skip_serializing_if = "Values::is_nothing")]
    pub x: Values,
    /// Median over the images.
    #[serde(default, skip_serializing_if = "Values::is_nothing")]
    pub median: Values,
    /// Lower quartile over the images.
    #[serde(default, skip_serializing_if = "Values::is_nothing")]
    pub p25: Values,
    /// Upper quartile over the images.
    #[serde(default, skip_serializing_if = "Values::is_nothing")]
    pub p75: Values,
    /// Mean over the images.
    #[serde(default, skip_serializing_if = "Values::is_nothing")]
    pub mean: Values,
    /// Straight line through the median profile; for scalars through the values against image number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<LineFit>,
    /// The same of the reference run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<ReferenceProfile>,
    /// Further results, such as the lists `hot_rows` and `hot_cols` of the mask.
    #[serde(default)]
    pub extra: BTreeMap<String, Extra>,
    /// Tests on the level of the run.
    #[serde(default)]
    pub tests: Vec<QualityTest>,
    /// Worst flag of these tests.
    pub status: Flag,
}

/// What the reference run has for the same monitor element and amplifier.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ReferenceProfile {
    /// Run number.
    pub run: i64,
    /// Images.
    pub n_images: usize,
    /// Abscissa.
    #[serde(default, skip_serializing_if = "Values::is_nothing")]
    pub x: Values,
    /// Median over the images.
    #[serde(default, skip_serializing_if = "Values::is_nothing")]
    pub median: Values,
    /// Straight line through it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<LineFit>,
}
