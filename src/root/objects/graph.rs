//! Graphs (`TGraph`, `TGraphErrors`).

use super::super::buffer::Buffer;
use super::super::error::{Result, RootError};
use super::histogram::GraphAxes;
use super::{LARGEST, UNSET};

/// Status bit "clip at the frame of the picture", set by default.
const BITS_GRAPH: u32 = 0x400;
/// Fill style "hollow".
const FILL_HOLLOW: i16 = 1000;
/// Marker: a full circle, a little smaller than the default.
const MARKER: (i16, f32) = (20, 0.8);
/// Space around the points, relative to their range.
const MARGIN: f64 = 0.1;

/// Points, with or without errors.
///
/// Written as a `TGraphErrors` if either kind of error is given, else as a `TGraph`. Draw it with `Draw("AP")`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Graph<'a> {
    /// Name for the look-up.
    pub name: &'a str,
    /// Title shown above the picture.
    pub title: &'a str,
    /// Title of the horizontal axis, with its unit.
    pub x_title: &'a str,
    /// Title of the vertical axis, with its unit.
    pub y_title: &'a str,
    /// Horizontal coordinates.
    pub x: &'a [f64],
    /// Vertical coordinates.
    pub y: &'a [f64],
    /// Errors of `x`; none are 0.
    pub x_errors: Option<&'a [f64]>,
    /// Errors of `y`; none are 0.
    pub y_errors: Option<&'a [f64]>,
}

impl Graph<'_> {
    /// The class it is written as.
    pub(in crate::root) fn class(&self) -> &'static str {
        if self.has_errors() { "TGraphErrors" } else { "TGraph" }
    }

    /// Whether the graph can be written.
    pub(in crate::root) fn check(&self) -> Result<()> {
        let points = self.x.len();
        let bad = |reason| Err(RootError::BadObject { what: "graph", name: self.name.to_owned(), reason });
        if points > LARGEST {
            return bad(format!("it has {points} points, {LARGEST} are possible"));
        }
        let columns = [("y values", Some(self.y)), ("x errors", self.x_errors), ("y errors", self.y_errors)];
        for (what, column) in columns {
            if let Some(column) = column.filter(|column| column.len() != points) {
                return bad(format!("it has {points} x values but {} {what}", column.len()));
            }
        }
        Ok(())
    }

    /// Writes the object of [`class`](Self::class).
    pub(in crate::root) fn write(&self, buffer: &mut Buffer) {
        if !self.has_errors() {
            return self.write_graph(buffer);
        }
        buffer.counted(3, |buffer| {
            self.write_graph(buffer);
            let zeros = vec![0.0; self.x.len()];
            write_points(buffer, self.x_errors.unwrap_or(&zeros));
            write_points(buffer, self.y_errors.unwrap_or(&zeros));
        });
    }

    fn has_errors(&self) -> bool {
        self.x_errors.is_some() || self.y_errors.is_some()
    }

    fn write_graph(&self, buffer: &mut Buffer) {
        let axes = GraphAxes {
            name: self.name,
            title: self.title,
            x_title: self.x_title,
            y_title: self.y_title,
            x: range(self.x, self.x_errors),
            y: range(self.y, self.y_errors),
        };
        buffer.counted(4, |buffer| {
            buffer.named(BITS_GRAPH, self.name, self.title);
            buffer.line_attributes(1, 1, 1);
            buffer.fill_attributes(0, FILL_HOLLOW);
            buffer.marker_attributes(1, MARKER.0, MARKER.1);
            buffer.i32(self.x.len() as i32);
            write_points(buffer, self.x);
            write_points(buffer, self.y);
            buffer.pointer("TList", |buffer| buffer.list(0, 0, |_| {})); // functions
            // Axis titles have no other place than this.
            buffer.pointer("TH1F", |buffer| axes.write(buffer));
            buffer.f64(UNSET); // minimum
            buffer.f64(UNSET); // maximum
        });
    }
}

/// An array whose length stands elsewhere: a flag, and the values if there are any.
fn write_points(buffer: &mut Buffer, values: &[f64]) {
    buffer.u8(u8::from(!values.is_empty()));
    buffer.f64s(values);
}

/// The range of an axis that shows all finite points with their errors.
fn range(values: &[f64], errors: Option<&[f64]>) -> (f64, f64) {
    let ends = values.iter().enumerate().flat_map(|(i, &value)| {
        let error = errors.and_then(|errors| errors.get(i)).copied().filter(|error| error.is_finite()).unwrap_or(0.0);
        [value - error, value + error]
    });
    let (low, high) = ends
        .filter(|end| end.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), end| (low.min(end), high.max(end)));
    if low > high {
        (0.0, 1.0)
    } else if low == high {
        (low - 0.5 * low.abs().max(1.0), high + 0.5 * high.abs().max(1.0))
    } else {
        let margin = MARGIN * (high - low);
        ((low - margin).max(f64::MIN), (high + margin).min(f64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_shows_all_points() {
        assert_eq!(range(&[0.0, f64::NAN, 20.0], None), (-2.0, 22.0));
        assert_eq!(range(&[0.0, 10.0], Some(&[10.0, f64::NAN])), (-12.0, 12.0));
        assert_eq!(range(&[], None), (0.0, 1.0));
        assert_eq!(range(&[4.0, 4.0], None), (2.0, 6.0));
        assert_eq!(range(&[0.0], None), (-0.5, 0.5));
        assert_eq!(range(&[f64::MIN, f64::MAX], None), (f64::MIN, f64::MAX));
    }
}
