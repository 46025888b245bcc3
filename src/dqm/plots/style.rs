//! Colours and markers of amplifiers and of the reference.

use crate::plot::{Colour, Marker, Shape};

/// Curve of the fit of a run.
pub const FIT: Colour = Colour::hex(0x020fc9);
/// Points that failed a test.
pub const FAILED: Colour = Colour::hex(0xd60a1c);
/// Opacity of points.
const ALPHA: f64 = 0.6;

/// Marker of an amplifier; `index` counts those that are neither L nor U.
pub fn marker(amplifier: &str, index: usize) -> Marker {
    let (shape, face, edge) = match amplifier {
        "L" => (Shape::TriangleUp, Colour::hex(0xd1bbb6), Colour::hex(0x4a4544)),
        "U" => (Shape::Circle, Colour::hex(0x92b9f0), Colour::hex(0x0d3b7a)),
        _ => (Shape::series(index), Colour::series(index), Colour::series(index)),
    };
    Marker { shape, size: 5.0, face: Some(face.with_alpha(ALPHA)), edge: edge.with_alpha(ALPHA) }
}

/// Colour of the curve of an amplifier.
pub fn colour(amplifier: &str, index: usize) -> Colour {
    match amplifier {
        "L" => Colour::hex(0x4a4544),
        "U" => Colour::hex(0x0d3b7a),
        _ => Colour::series(index),
    }
}

/// The same marker in the colour of the reference.
pub fn reference(marker: Marker) -> Marker {
    let colour = Colour::REFERENCE.with_alpha(ALPHA);
    Marker { face: Some(colour.with_alpha(0.35)), edge: colour, ..marker }
}
