//! Functions of one variable (`TF1`), as they are left attached to a histogram by a fit.
//!
//! The function itself is code that a file cannot hold. As ROOT does for compiled functions, the file keeps its values
//! at equal distances, between which a reader interpolates, and its parameters with names and errors.

use super::super::buffer::Buffer;
use super::super::error::{Result, RootError};
use super::{LARGEST, UNSET};

/// Line colour: red.
const LINE_COLOR: i16 = 2;
/// Fill colour, never seen.
const FILL_COLOR: i16 = 19;
/// "A function in the program, not a formula".
const KIND_COMPILED: i32 = 1;
/// Version of `std::vector` as a member.
const VECTOR_VERSION: i16 = 9;

/// A fitted function.
#[derive(Clone, Copy, Debug, Default)]
pub struct Function<'a> {
    /// Name, under which the histogram knows it (`GetFunction(name)`).
    pub name: &'a str,
    /// Where it begins.
    pub low: f64,
    /// Where it ends.
    pub high: f64,
    /// Values at equal distances from `low` to `high`, both included: at least two.
    pub values: &'a [f64],
    /// The parameters.
    pub parameters: &'a [Parameter<'a>],
    /// χ² of the fit.
    pub chi2: f64,
    /// Degrees of freedom of the fit.
    pub ndf: i32,
    /// Number of points used in the fit.
    pub fitted_points: i32,
}

/// A parameter of a function.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parameter<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value.
    pub value: f64,
    /// Its standard uncertainty, 0 if it was fixed.
    pub error: f64,
}

impl Function<'_> {
    /// Whether the function can be written.
    pub(in crate::root) fn check(&self) -> Result<()> {
        let bad = |reason| Err(RootError::BadObject { what: "function", name: self.name.to_owned(), reason });
        if !(2..=LARGEST).contains(&self.values.len()) {
            return bad(format!("it has {} values, from 2 to {LARGEST} are possible", self.values.len()));
        }
        if !(self.low < self.high && (self.high - self.low).is_finite()) {
            return bad(format!("its range from {} to {} is not one", self.low, self.high));
        }
        Ok(())
    }

    /// Writes a `TF1`.
    pub(super) fn write(&self, buffer: &mut Buffer) {
        let numbers = |number: fn(&Parameter<'_>) -> f64| self.parameters.iter().map(number).collect::<Vec<_>>();
        let no_limits = vec![0.0; self.parameters.len()];
        buffer.counted(12, |buffer| {
            buffer.named(0, self.name, self.name);
            buffer.line_attributes(LINE_COLOR, 1, 2);
            buffer.fill_attributes(FILL_COLOR, 0); // not filled
            buffer.marker_attributes(1, 1, 1.0);
            buffer.f64(self.low);
            buffer.f64(self.high);
            buffer.i32(self.parameters.len() as i32);
            buffer.i32(1); // dimensions
            buffer.i32(self.values.len() as i32 - 1); // intervals to draw
            buffer.i32(KIND_COMPILED);
            buffer.i32(self.fitted_points);
            buffer.i32(self.ndf);
            buffer.f64(self.chi2);
            buffer.f64(UNSET); // minimum
            buffer.f64(UNSET); // maximum
            write_vector(buffer, &numbers(|parameter| parameter.error));
            write_vector(buffer, &no_limits);
            write_vector(buffer, &no_limits);
            write_vector(buffer, &[self.values, &[self.low, self.high]].concat());
            buffer.u8(0); // not normalised
            buffer.f64(0.0); // integral before normalisation
            buffer.null(); // no formula
            buffer.pointer("TF1Parameters", |buffer| {
                buffer.counted(1, |buffer| {
                    write_vector(buffer, &numbers(|parameter| parameter.value));
                    buffer.counted(VECTOR_VERSION, |buffer| {
                        buffer.i32(self.parameters.len() as i32);
                        self.parameters.iter().for_each(|parameter| buffer.string(parameter.name));
                    });
                });
            });
            buffer.null(); // not composed of others
        });
    }
}

fn write_vector(buffer: &mut Buffer, values: &[f64]) {
    buffer.counted(VECTOR_VERSION, |buffer| buffer.f64_array(values));
}
