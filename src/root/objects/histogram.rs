//! One-dimensional histograms (`TH1F`).

use super::super::buffer::Buffer;
use super::super::error::{Result, RootError};
use super::super::tree::{FILL_SOLID, LINE_COLOR};
use super::{Function, LARGEST, UNSET};

/// Status bit "tell others when deleted", which ROOT sets on histograms.
const BITS_HISTOGRAM: u32 = 0x08;
/// Status bit "draw without the box of statistics".
const BITS_NO_STATISTICS: u32 = 0x200;
/// Status bit that ROOT sets on a histogram's list of functions.
const BITS_FUNCTIONS: u32 = 0x1_0000;
/// Font number and text size of axes, relative to the picture.
const FONT: i16 = 42;
const TEXT_SIZE: f32 = 0.035;
/// Primary and secondary divisions: 10 and 5.
const DIVISIONS: i32 = 510;
/// "Neither include nor exclude under- and overflow in the statistics: as the user has set it".
const OVERFLOWS_NEUTRAL: i32 = 2;

/// A histogram with bins of equal width.
///
/// Contents are stored with single precision (a `TH1F`), errors and limits with double.
#[derive(Clone, Copy, Debug, Default)]
pub struct Histogram<'a> {
    /// Name for the look-up.
    pub name: &'a str,
    /// Title shown above the picture.
    pub title: &'a str,
    /// Title of the horizontal axis, with its unit.
    pub x_title: &'a str,
    /// Title of the vertical axis.
    pub y_title: &'a str,
    /// Lower edge of the first bin.
    pub low: f64,
    /// Upper edge of the last bin.
    pub high: f64,
    /// Contents of the bins.
    pub contents: &'a [f64],
    /// What fell below the first bin.
    pub underflow: f64,
    /// What fell above the last bin.
    pub overflow: f64,
    /// Variances of the bins (squared errors), if they are not the contents themselves.
    pub variances: Option<&'a [f64]>,
    /// Number of entries, if it is not the sum of all contents.
    pub entries: Option<f64>,
    /// A function drawn with the histogram, as after a fit.
    pub function: Option<&'a Function<'a>>,
}

impl Histogram<'_> {
    /// Whether the histogram can be written.
    pub(in crate::root) fn check(&self) -> Result<()> {
        let bad = |reason| Err(RootError::BadObject { what: "histogram", name: self.name.to_owned(), reason });
        if self.contents.is_empty() {
            return bad("it has no bins".into());
        }
        if self.contents.len() > LARGEST {
            return bad(format!("it has {} bins, {LARGEST} are possible", self.contents.len()));
        }
        if !(self.low < self.high && (self.high - self.low).is_finite()) {
            return bad(format!("its range from {} to {} is not one", self.low, self.high));
        }
        if let Some(variances) = self.variances.filter(|variances| variances.len() != self.contents.len()) {
            return bad(format!("it has {} bins but {} variances", self.contents.len(), variances.len()));
        }
        self.function.map_or(Ok(()), Function::check)
    }

    /// Writes a `TH1F`.
    pub(in crate::root) fn write(&self, buffer: &mut Buffer) {
        let contents = self.contents.iter().map(|&content| content as f32);
        let cells: Vec<f32> =
            std::iter::once(self.underflow as f32).chain(contents).chain([self.overflow as f32]).collect();
        let sum = || self.underflow + self.contents.iter().sum::<f64>() + self.overflow;
        let variances: Vec<f64> = self.variances.map_or_else(Vec::new, |variances| {
            // Under- and overflow have no variances of their own: those of counts.
            std::iter::once(self.underflow).chain(variances.iter().copied()).chain([self.overflow]).collect()
        });
        Frame {
            bits: BITS_HISTOGRAM,
            name: self.name,
            title: self.title,
            x: Axis { title: self.x_title, bins: self.contents.len(), low: self.low, high: self.high },
            y: Axis { title: self.y_title, bins: 1, low: 0.0, high: 1.0 },
            entries: self.entries.unwrap_or_else(sum),
            range: (UNSET, UNSET),
            variances: &variances,
            function: self.function,
        }
        .write(buffer, &cells);
    }
}

/// The empty histogram that holds the axes of a graph.
pub(super) struct GraphAxes<'a> {
    pub name: &'a str,
    pub title: &'a str,
    pub x_title: &'a str,
    pub y_title: &'a str,
    /// Ranges of the axes.
    pub x: (f64, f64),
    pub y: (f64, f64),
}

impl GraphAxes<'_> {
    /// Bins that ROOT gives such a histogram.
    const BINS: usize = 100;

    /// Writes a `TH1F`.
    pub fn write(&self, buffer: &mut Buffer) {
        Frame {
            bits: BITS_NO_STATISTICS,
            name: self.name,
            title: self.title,
            x: Axis { title: self.x_title, bins: Self::BINS, low: self.x.0, high: self.x.1 },
            y: Axis { title: self.y_title, bins: 1, low: self.y.0, high: self.y.1 },
            entries: 0.0,
            range: self.y,
            variances: &[],
            function: None,
        }
        .write(buffer, &[0.0; Self::BINS + 2]);
    }
}

/// A histogram but for its contents.
struct Frame<'a> {
    bits: u32,
    name: &'a str,
    title: &'a str,
    x: Axis<'a>,
    y: Axis<'a>,
    entries: f64,
    /// Lowest and highest content to draw.
    range: (f64, f64),
    variances: &'a [f64],
    function: Option<&'a Function<'a>>,
}

struct Axis<'a> {
    title: &'a str,
    bins: usize,
    low: f64,
    high: f64,
}

impl Frame<'_> {
    fn write(&self, buffer: &mut Buffer, cells: &[f32]) {
        buffer.counted(3, |buffer| {
            buffer.counted(8, |buffer| self.write_base(buffer, cells.len()));
            buffer.f32_array(cells);
        });
    }

    fn write_base(&self, buffer: &mut Buffer, cells: usize) {
        buffer.named(self.bits, self.name, self.title);
        buffer.line_attributes(LINE_COLOR, 1, 1);
        buffer.fill_attributes(0, FILL_SOLID);
        buffer.marker_attributes(1, 1, 1.0);
        buffer.i32(cells as i32);
        self.x.write(buffer, "xaxis", 1.0);
        self.y.write(buffer, "yaxis", 0.0); // 0: ROOT chooses the distance of the title
        Axis { title: "", bins: 1, low: 0.0, high: 1.0 }.write(buffer, "zaxis", 1.0);
        buffer.i16(0); // bar offset
        buffer.i16(1000); // bar width in thousandths
        buffer.f64(self.entries);
        buffer.f64s(&[0.0; 4]); // sums of weights: 0 lets ROOT compute mean and deviation from the bins
        buffer.f64(self.range.1);
        buffer.f64(self.range.0);
        buffer.f64(0.0); // normalisation
        buffer.f64_array(&[]); // contours
        buffer.f64_array(self.variances);
        buffer.string(""); // drawing option
        let functions: Vec<_> = self.function.into_iter().collect();
        buffer.list(BITS_FUNCTIONS, functions.len(), |buffer| {
            for function in functions {
                buffer.pointer("TF1", |buffer| function.write(buffer));
                buffer.string("");
            }
        });
        buffer.i32(0); // no buffered entries
        buffer.u8(0);
        buffer.i32(0); // errors are the roots of the variances
        buffer.i32(OVERFLOWS_NEUTRAL);
    }
}

impl Axis<'_> {
    fn write(&self, buffer: &mut Buffer, name: &str, title_offset: f32) {
        buffer.counted(10, |buffer| {
            buffer.named(0, name, self.title);
            buffer.counted(4, |buffer| {
                buffer.i32(DIVISIONS);
                buffer.i16(1); // axis colour
                buffer.i16(1); // label colour
                buffer.i16(FONT);
                for number in [0.005, TEXT_SIZE, 0.03, title_offset, TEXT_SIZE] {
                    buffer.f32(number); // label distance and size, tick length, title distance and size
                }
                buffer.i16(1); // title colour
                buffer.i16(FONT);
            });
            buffer.i32(self.bins as i32);
            buffer.f64(self.low);
            buffer.f64(self.high);
            buffer.f64_array(&[]); // equal bins
            buffer.i32(0); // first bin shown
            buffer.i32(0); // last bin shown
            buffer.i16(0); // more bits
            buffer.u8(0); // not a time
            buffer.string(""); // time format
            buffer.null(); // labels
            buffer.null(); // changed labels
        });
    }
}
