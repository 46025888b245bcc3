//! Axes of a panel as data: label, scale, range, ticks.

use serde::Serialize;

/// How data values are laid out along an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub enum AxisScale {
    /// Linear.
    #[default]
    Linear,
    /// Logarithmic; values ≤ 0 are left out.
    Log,
    /// Logarithmic on both sides of zero, linear for |value| below this (> 0).
    SymLog(f64),
    /// Linear in Unix seconds (UTC), with ticks at round dates and times.
    Time,
}

/// One axis of a panel.
///
/// Labels may hold `_{…}` and `^{…}` for subscripts and superscripts; a lone `_` or `^` is printed as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Axis {
    /// Label, with unit.
    pub label: String,
    /// Scale.
    pub scale: AxisScale,
    /// Lower end; `None`: from the data.
    pub min: Option<f64>,
    /// Upper end; `None`: from the data.
    pub max: Option<f64>,
    /// Ticks at integers only (row numbers, electrons, skips).
    pub integer: bool,
    /// High values at the left or bottom.
    pub reversed: bool,
    /// Named ticks (position, text) instead of computed ones.
    pub ticks: Option<Vec<(f64, String)>>,
    /// Pale lines at the ticks.
    pub grid: bool,
}

impl Axis {
    /// Linear axis with this label.
    pub fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::default() }
    }

    /// Logarithmic.
    pub fn log(self) -> Self {
        Self { scale: AxisScale::Log, ..self }
    }

    /// Logarithmic on both sides of zero, linear for |value| < `linear_below`.
    pub fn symlog(self, linear_below: f64) -> Self {
        Self { scale: AxisScale::SymLog(linear_below), ..self }
    }

    /// Dates and times; values are Unix seconds.
    pub fn time(self) -> Self {
        Self { scale: AxisScale::Time, ..self }
    }

    /// With these ends (infinite or NaN ends are taken from the data).
    pub fn range(self, min: f64, max: f64) -> Self {
        Self { min: Some(min), max: Some(max), ..self }
    }

    /// With this lower end.
    pub fn from(self, min: f64) -> Self {
        Self { min: Some(min), ..self }
    }

    /// With this upper end.
    pub fn to(self, max: f64) -> Self {
        Self { max: Some(max), ..self }
    }

    /// Ticks at integers only.
    pub fn integer(self) -> Self {
        Self { integer: true, ..self }
    }

    /// High values at the left or bottom.
    pub fn reversed(self) -> Self {
        Self { reversed: true, ..self }
    }

    /// With named ticks.
    pub fn ticks<S: Into<String>>(self, ticks: impl IntoIterator<Item = (f64, S)>) -> Self {
        Self { ticks: Some(ticks.into_iter().map(|(at, text)| (at, text.into())).collect()), ..self }
    }

    /// With grid lines.
    pub fn grid(self) -> Self {
        Self { grid: true, ..self }
    }
}

/// A second scale on the opposite side of the frame: second = `factor`·first + `offset` (for example ADU beside e⁻).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SecondAxis {
    /// Label, with unit.
    pub label: String,
    /// Units of the second scale per unit of the first.
    pub factor: f64,
    /// Value of the second scale where the first is 0.
    pub offset: f64,
}

impl SecondAxis {
    /// Scale `factor`·first.
    pub fn scaled(label: impl Into<String>, factor: f64) -> Self {
        Self { label: label.into(), factor, offset: 0.0 }
    }
}
