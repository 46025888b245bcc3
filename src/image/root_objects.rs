//! Histograms and graphs that a process offers as ROOT objects (`root` in `format_figures`, spec 01 §6.5): plain data;
//! the `output` module writes them.

/// One ROOT file with objects.
#[derive(Debug, Clone, PartialEq)]
pub struct RootObjects {
    /// File-name part, as for figures: `FitDarkCurrentProcess_side<amp>`.
    pub name: String,
    /// The objects, in order.
    pub objects: Vec<RootObject>,
}

/// A histogram or a graph.
#[derive(Debug, Clone, PartialEq)]
pub enum RootObject {
    /// `TH1F`.
    Histogram(RootHistogram),
    /// `TGraphErrors`.
    Graph(RootGraph),
}

/// What a `TH1F` holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RootHistogram {
    /// Name for the look-up.
    pub name: String,
    /// Title.
    pub title: String,
    /// Titles of the axes, with units.
    pub axes: (String, String),
    /// Lower edge of the first and upper edge of the last bin.
    pub range: (f64, f64),
    /// Counts.
    pub contents: Vec<f64>,
    /// The fitted function.
    pub function: Option<RootFunction>,
}

/// A function attached to a histogram.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RootFunction {
    /// Name.
    pub name: String,
    /// Values at equal distances over the range of the histogram, both ends included.
    pub values: Vec<f64>,
    /// Names, values and errors of its parameters.
    pub parameters: Vec<(String, f64, f64)>,
    /// χ².
    pub chi2: f64,
    /// Degrees of freedom.
    pub ndf: i64,
    /// Bins used.
    pub points: usize,
}

/// What a `TGraphErrors` holds. Points that are not finite are left out when it is written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RootGraph {
    /// Name for the look-up.
    pub name: String,
    /// Title.
    pub title: String,
    /// Titles of the axes, with units.
    pub axes: (String, String),
    /// Horizontal coordinates.
    pub x: Vec<f64>,
    /// Vertical coordinates.
    pub y: Vec<f64>,
    /// Errors of `x`.
    pub x_errors: Vec<f64>,
    /// Errors of `y`.
    pub y_errors: Vec<f64>,
}
