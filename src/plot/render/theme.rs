//! Sizes of everything that is not data, in points.

use crate::plot::style::Colour;

/// Text sizes and line widths.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Theme {
    /// First title line of a figure.
    pub title: f64,
    /// Other title lines.
    pub subtitle: f64,
    /// Title of a panel.
    pub panel_title: f64,
    /// Axis labels.
    pub label: f64,
    /// Tick labels.
    pub tick: f64,
    /// Legends and notes.
    pub note: f64,
    /// Frame and ticks.
    pub line: f64,
    /// Length of labelled ticks.
    pub major: f64,
    /// Length of unlabelled ticks.
    pub minor: f64,
    /// Between ticks and their labels, labels and axis labels.
    pub gap: f64,
}

/// Ink of frame, ticks and text.
pub(crate) const INK: Colour = Colour::rgb(0x12, 0x12, 0x12);

impl Theme {
    /// The usual sizes: readable when a figure of 6.4 inches is printed at half its size.
    pub const USUAL: Self = Self {
        title: 13.0,
        subtitle: 9.5,
        panel_title: 11.5,
        label: 12.0,
        tick: 10.5,
        note: 10.0,
        line: 0.8,
        major: 5.5,
        minor: 3.0,
        gap: 4.0,
    };

    /// All sizes times `factor`.
    pub fn scaled(&self, factor: f64) -> Self {
        Self {
            title: self.title * factor,
            subtitle: self.subtitle * factor,
            panel_title: self.panel_title * factor,
            label: self.label * factor,
            tick: self.tick * factor,
            note: self.note * factor,
            line: self.line * factor.max(0.7),
            major: self.major * factor,
            minor: self.minor * factor,
            gap: self.gap * factor,
        }
    }
}
