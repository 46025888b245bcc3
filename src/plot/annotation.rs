//! Text boxes and legends of a panel.

use serde::Serialize;

use super::style::{Colour, Marker, Stroke};

/// A place in the frame of a panel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Anchor {
    /// Top left.
    TopLeft,
    /// Top centre.
    Top,
    /// Top right.
    #[default]
    TopRight,
    /// Middle of the left side.
    Left,
    /// Middle of the right side.
    Right,
    /// Bottom left.
    BottomLeft,
    /// Bottom centre.
    Bottom,
    /// Bottom right.
    BottomRight,
    /// Wherever it hides the least data.
    Free,
}

/// Lines of text in a corner of a panel; notes in the same corner are stacked inwards in the order of adding.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Note {
    /// Lines of (left text, right text); the right texts are aligned in a column of their own.
    pub lines: Vec<(String, Option<String>)>,
    /// Place.
    pub anchor: Anchor,
    /// Text colour.
    pub colour: Colour,
    /// Size in points; `None`: that of tick labels.
    pub size: Option<f64>,
    /// Frame and white ground.
    pub boxed: bool,
}

impl Note {
    /// Black text without a frame.
    pub fn new<S: Into<String>>(anchor: Anchor, lines: impl IntoIterator<Item = S>) -> Self {
        Self {
            lines: lines.into_iter().map(|l| (l.into(), None)).collect(),
            anchor,
            colour: Colour::BLACK,
            size: None,
            boxed: false,
        }
    }

    /// Empty framed box for fit results, top right; fill it with [`Note::value`] and [`Note::entry`].
    pub fn fit_results() -> Self {
        Self { lines: Vec::new(), anchor: Anchor::TopRight, colour: Colour::BLACK, size: None, boxed: true }
    }

    /// Grey text (exposure, frame, binning of an image).
    pub fn grey(self) -> Self {
        Self { colour: Colour::GREY, ..self }
    }

    /// With a frame and white ground.
    pub fn boxed(self) -> Self {
        Self { boxed: true, ..self }
    }

    /// In this place.
    pub fn at(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }

    /// With this colour.
    pub fn colour(self, colour: Colour) -> Self {
        Self { colour, ..self }
    }

    /// With this size in points.
    pub fn size(self, size: f64) -> Self {
        Self { size: Some(size), ..self }
    }

    /// One more line across both columns.
    pub fn line(mut self, text: impl Into<String>) -> Self {
        self.lines.push((text.into(), None));
        self
    }

    /// One more line: name and text.
    pub fn entry(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.lines.push((name.into(), Some(text.into())));
        self
    }

    /// One more line: name and value ± error, rounded to the error's two leading digits.
    pub fn value(self, name: impl Into<String>, value: f64, error: f64) -> Self {
        self.entry(name, value_with_error(value, error))
    }

    /// One more line: χ²/ndf as two numbers.
    pub fn chi2(self, chi2: f64, ndf: usize) -> Self {
        let text = format!("{} / {ndf}", typographic_minus(&format!("{chi2:.1}")));
        self.entry("χ² / ndf", text)
    }
}

/// `value ± error`, both rounded to two significant digits of the error; plain value with six significant digits when
/// the error is not positive and finite; powers of ten from 10⁻⁴ downwards and 10⁶ upwards.
pub fn value_with_error(value: f64, error: f64) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "n/a".into() } else { typographic_minus(&value.to_string()) };
    }
    if !error.is_finite() || error <= 0.0 {
        return typographic_minus(&significant(value, 6));
    }
    let largest = value.abs().max(error);
    let exponent = largest.log10().floor() as i32;
    if !(-4..6).contains(&exponent) {
        // A subnormal power of ten cannot be divided by.
        let scale = 10f64.powi(exponent.max(-300));
        let (v, e) = (value / scale, error / scale);
        let digits = decimals_for(e);
        let power = exponent.max(-300);
        return format!("({} ± {e:.digits$})·10^{{{}}}", typographic_minus(&format!("{v:.digits$}")), signed(power));
    }
    let digits = decimals_for(error);
    format!("{} ± {error:.digits$}", typographic_minus(&format!("{value:.digits$}")))
}

/// The text of a figure for a terminal: powers of ten as `e-5`.
pub fn without_markup(text: &str) -> String {
    if !text.contains('{') {
        return text.to_owned();
    }
    let mut plain = text.to_owned();
    for (from, to) in [("·10^{−", "e-"), ("·10^{", "e")] {
        while let Some(at) = plain.find(from) {
            let Some(end) = plain[at..].find('}') else { break };
            plain.remove(at + end);
            plain.replace_range(at..at + from.len(), to);
        }
    }
    plain
}

/// Decimals that show two significant digits of `error`.
fn decimals_for(error: f64) -> usize {
    let mut digits = 1i32.saturating_sub(error.log10().floor() as i32).clamp(0, 17) as usize;
    // 0.0996 rounds to 0.10, which has its two digits one place earlier.
    let rounded: f64 = format!("{error:.digits$}").parse().unwrap_or(error);
    if rounded > 0.0 {
        digits = 1i32.saturating_sub(rounded.log10().floor() as i32).clamp(0, 17) as usize;
    }
    digits
}

/// `value` with `digits` significant digits, without trailing zeros.
pub(crate) fn significant(value: f64, digits: usize) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let scientific = format!("{value:.*e}", digits.saturating_sub(1));
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |s: &str| {
        if s.contains('.') { s.trim_end_matches('0').trim_end_matches('.').to_string() } else { s.to_string() }
    };
    if (-4..digits as i32).contains(&exponent) {
        let decimals = (digits as i32 - 1 - exponent).max(0) as usize;
        trim(&format!("{value:.decimals$}"))
    } else {
        match trim(mantissa).as_str() {
            "1" => format!("10^{{{}}}", signed(exponent)),
            "-1" => format!("-10^{{{}}}", signed(exponent)),
            mantissa => format!("{mantissa}·10^{{{}}}", signed(exponent)),
        }
    }
}

/// An integer with a minus sign instead of a hyphen.
pub(crate) fn signed(value: i32) -> String {
    typographic_minus(&value.to_string())
}

/// A number's leading hyphen replaced by a minus sign.
pub(crate) fn typographic_minus(number: &str) -> String {
    match number.strip_prefix('-') {
        Some(rest) => format!("−{rest}"),
        None => number.to_string(),
    }
}

/// Where a legend stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum LegendPlace {
    /// The corner that hides the least data.
    #[default]
    Auto,
    /// This place in the frame.
    At(Anchor),
    /// Beside the frame, at its right.
    Outside,
    /// No legend.
    Hidden,
}

/// The sample of a legend entry.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub enum LegendKey {
    /// A piece of line.
    Line(Stroke),
    /// A marker, on a piece of line when the points are joined.
    Marker {
        /// The marker.
        marker: Marker,
        /// Line behind it.
        line: Option<Stroke>,
        /// Whether it carries an error bar.
        error_bar: bool,
    },
    /// A coloured patch.
    Patch {
        /// Filling.
        fill: Option<Colour>,
        /// Outline.
        stroke: Option<Stroke>,
    },
    /// Text only.
    Nothing,
}

/// One line of a legend.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LegendEntry {
    /// Sample.
    pub key: LegendKey,
    /// Text.
    pub text: String,
}

impl LegendEntry {
    /// Entry with a sample.
    pub fn new(key: LegendKey, text: impl Into<String>) -> Self {
        Self { key, text: text.into() }
    }
}

/// A legend. That of a panel gathers the labels of the series by itself; further ones hold entries of their own.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Legend {
    /// Place.
    pub place: LegendPlace,
    /// Heading.
    pub title: Option<String>,
    /// Own entries, after those of the series.
    pub entries: Vec<LegendEntry>,
    /// Number of columns; 0: as many as look well.
    pub columns: usize,
    /// Frame and white ground (frameless by default).
    pub framed: bool,
}

impl Legend {
    /// Frameless legend in this place.
    pub fn at(anchor: Anchor) -> Self {
        Self { place: LegendPlace::At(anchor), ..Self::default() }
    }

    /// Frameless legend at the right of the frame.
    pub fn outside() -> Self {
        Self { place: LegendPlace::Outside, ..Self::default() }
    }

    /// No legend.
    pub fn hidden() -> Self {
        Self { place: LegendPlace::Hidden, ..Self::default() }
    }

    /// With a heading.
    pub fn title(self, title: impl Into<String>) -> Self {
        Self { title: Some(title.into()), ..self }
    }

    /// With one more entry.
    pub fn entry(mut self, key: LegendKey, text: impl Into<String>) -> Self {
        self.entries.push(LegendEntry::new(key, text));
        self
    }

    /// In this number of columns.
    pub fn columns(self, columns: usize) -> Self {
        Self { columns, ..self }
    }

    /// With a frame.
    pub fn framed(self) -> Self {
        Self { framed: true, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_ten_read_well_on_a_terminal() {
        assert_eq!(without_markup("slope (1.4 ± 0.6)·10^{−5} e-, 3·10^{7}"), "slope (1.4 ± 0.6)e-5 e-, 3e7");
        assert_eq!(without_markup("`{L: 1}`, 5"), "`{L: 1}`, 5");
    }

    #[test]
    fn values_are_rounded_to_two_digits_of_their_error() {
        assert_eq!(value_with_error(0.1361482, 0.00071), "0.13615 ± 0.00071");
        assert_eq!(value_with_error(1445.03, 2.2), "1445.0 ± 2.2");
        assert_eq!(value_with_error(-0.001274, 0.000293), "−0.00127 ± 0.00029");
        assert_eq!(value_with_error(10.138268, 0.072446), "10.138 ± 0.072");
        assert_eq!(value_with_error(12.0, 0.0996), "12.00 ± 0.10");
        assert_eq!(value_with_error(43.29, f64::NAN), "43.29");
        assert_eq!(value_with_error(f64::NAN, 1.0), "n/a");
        assert_eq!(value_with_error(1.22e-4, 1.1e-6), "0.0001220 ± 0.0000011");
        assert_eq!(value_with_error(3.21e-7, 1.1e-8), "(3.21 ± 0.11)·10^{−7}");
        assert_eq!(value_with_error(123456.0, 1234.0), "123456 ± 1234");
    }

    #[test]
    fn odd_numbers_are_printed_too() {
        for v in [0.0, -0.0, f64::MIN_POSITIVE, 5e-324, f64::MAX, f64::INFINITY, f64::NEG_INFINITY] {
            for e in [0.0, 5e-324, 1e-300, 1.0, f64::MAX, f64::INFINITY, f64::NAN, -1.0] {
                assert!(!value_with_error(v, e).is_empty());
            }
        }
        assert_eq!(significant(1234567.0, 6), "1.23457·10^{6}");
        assert_eq!(significant(0.25, 6), "0.25");
    }
}
