//! Colours, strokes, markers and palettes of figures.
//!
//! The look follows the figures users know (open blue circles, red fit curves, black data histograms, ROOT's "bird"
//! palette for images); where several series stand side by side the colours come from Okabe and Ito's set, which stays
//! distinguishable with every common colour-vision deficiency and in grey print.

use serde::Serialize;

/// A colour with 8 bits per channel; `a` = 255 is opaque.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Colour {
    /// Red.
    pub r: u8,
    /// Green.
    pub g: u8,
    /// Blue.
    pub b: u8,
    /// Opacity.
    pub a: u8,
}

impl Colour {
    /// Black.
    pub const BLACK: Self = Self::rgb(0x00, 0x00, 0x00);
    /// White.
    pub const WHITE: Self = Self::rgb(0xff, 0xff, 0xff);
    /// Middle grey of secondary text and guide lines.
    pub const GREY: Self = Self::rgb(0x80, 0x80, 0x80);
    /// Pale grey of grids.
    pub const PALE_GREY: Self = Self::rgb(0xdc, 0xdc, 0xdc);
    /// Blue of data points (`#043bd1`).
    pub const BLUE: Self = Self::rgb(0x04, 0x3b, 0xd1);
    /// Pale blue of reference histograms.
    pub const PALE_BLUE: Self = Self::rgb(0xa6, 0xc8, 0xf0);
    /// Red of fit curves.
    pub const RED: Self = Self::rgb(0xd6, 0x0a, 0x1c);
    /// Green (`#156e31`), first of the three curve colours of the charge-loss figure.
    pub const GREEN: Self = Self::rgb(0x15, 0x6e, 0x31);
    /// Orange (`#de9050`), second of them.
    pub const ORANGE: Self = Self::rgb(0xde, 0x90, 0x50);
    /// Light blue (`#4287f5`), third of them.
    pub const SKY: Self = Self::rgb(0x42, 0x87, 0xf5);
    /// Yellow that is visible on dark images.
    pub const YELLOW: Self = Self::rgb(0xf0, 0xe4, 0x42);
    /// Crimson of a DQM reference run (`#e61239`).
    pub const REFERENCE: Self = Self::rgb(0xe6, 0x12, 0x39);

    /// Opaque colour from its channels.
    pub const fn rgb(r: u8, g: u8, b: u8) -> Self {
        Self { r, g, b, a: 255 }
    }

    /// Opaque colour from a number such as `0x043bd1`.
    pub const fn hex(rgb: u32) -> Self {
        Self::rgb((rgb >> 16) as u8, (rgb >> 8) as u8, rgb as u8)
    }

    /// The same colour with opacity `alpha` in 0…1 (clamped; NaN is opaque).
    pub fn with_alpha(self, alpha: f64) -> Self {
        let alpha = if alpha.is_nan() { 1.0 } else { alpha.clamp(0.0, 1.0) };
        Self { a: (alpha * 255.0).round() as u8, ..self }
    }

    /// Colour number `index` of the colour-blind safe series colours (cyclic).
    pub const fn series(index: usize) -> Self {
        const CYCLE: [Colour; 8] = [
            Colour::hex(0x0072b2),
            Colour::hex(0xd55e00),
            Colour::hex(0x009e73),
            Colour::hex(0xcc79a7),
            Colour::hex(0xe69f00),
            Colour::hex(0x56b4e9),
            Colour::hex(0x6a3d9a),
            Colour::hex(0x4d4d4d),
        ];
        CYCLE[index % CYCLE.len()]
    }

    /// The opaque colour that this one gives on white paper.
    pub fn on_white(self) -> Self {
        let alpha = f64::from(self.a) / 255.0;
        let mix = |c: u8| (255.0 + (f64::from(c) - 255.0) * alpha).round() as u8;
        Self::rgb(mix(self.r), mix(self.g), mix(self.b))
    }
}

/// Dash pattern of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Dash {
    /// Unbroken.
    #[default]
    Solid,
    /// Dashes.
    Dashed,
    /// Dots.
    Dotted,
    /// Dashes and dots in turn.
    DashDotted,
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Stroke {
    /// Colour.
    pub colour: Colour,
    /// Width in points (1/72 inch).
    pub width: f64,
    /// Pattern.
    pub dash: Dash,
}

impl Stroke {
    /// Solid line of one point.
    pub const fn new(colour: Colour) -> Self {
        Self { colour, width: 1.0, dash: Dash::Solid }
    }

    /// With another width, in points.
    pub const fn width(self, width: f64) -> Self {
        Self { width, ..self }
    }

    /// Dashed.
    pub const fn dashed(self) -> Self {
        Self { dash: Dash::Dashed, ..self }
    }

    /// Dotted.
    pub const fn dotted(self) -> Self {
        Self { dash: Dash::Dotted, ..self }
    }

    /// Dash-dotted.
    pub const fn dash_dotted(self) -> Self {
        Self { dash: Dash::DashDotted, ..self }
    }
}

/// Shape of a data point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Shape {
    /// Circle.
    #[default]
    Circle,
    /// Square.
    Square,
    /// Triangle standing on its base.
    TriangleUp,
    /// Triangle standing on its tip.
    TriangleDown,
    /// Square standing on a corner.
    Diamond,
    /// Diagonal cross (drawn with the edge colour).
    Cross,
    /// Upright cross (drawn with the edge colour).
    Plus,
    /// Small filled dot of 40 % of the size.
    Dot,
}

impl Shape {
    /// Shape number `index` of those that stay distinguishable when small (cyclic).
    pub const fn series(index: usize) -> Self {
        const CYCLE: [Shape; 5] =
            [Shape::Circle, Shape::TriangleUp, Shape::Square, Shape::Diamond, Shape::TriangleDown];
        CYCLE[index % CYCLE.len()]
    }
}

/// How a data point is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Marker {
    /// Shape.
    pub shape: Shape,
    /// Diameter in points.
    pub size: f64,
    /// Inside; `None` leaves it open (white shows through).
    pub face: Option<Colour>,
    /// Outline and error bars.
    pub edge: Colour,
}

impl Marker {
    /// Open marker of 4.5 points.
    pub const fn open(shape: Shape, edge: Colour) -> Self {
        Self { shape, size: 4.5, face: None, edge }
    }

    /// Filled marker of 4.5 points.
    pub const fn filled(shape: Shape, colour: Colour) -> Self {
        Self { shape, size: 4.5, face: Some(colour), edge: colour }
    }

    /// With another diameter, in points.
    pub const fn size(self, size: f64) -> Self {
        Self { size, ..self }
    }
}

impl Default for Marker {
    /// The open blue circle users know.
    fn default() -> Self {
        Self::open(Shape::Circle, Colour::BLUE)
    }
}

/// Colours of an image, from low to high.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub enum Palette {
    /// ROOT's palette "bird": blue, green, yellow; nine equidistant stops (spec 04 §1).
    #[default]
    Bird,
    /// Perceptually uniform violet, green, yellow.
    Viridis,
    /// Black (low) to white (high).
    Gray,
    /// White (low) to black (high).
    GrayReversed,
    /// Blue, white, red: for differences around a centre.
    Diverging,
    /// Rainbow from dark blue to dark red.
    Jet,
    /// Dark red (low), orange, pale yellow (high).
    YellowOrangeRedReversed,
    /// Own stops, equidistant, at least one.
    Custom(Vec<Colour>),
}

impl Palette {
    /// Colour at `t` in 0…1 (clamped; NaN gives the lowest), interpolated linearly between the stops.
    pub fn at(&self, t: f64) -> Colour {
        match self {
            Self::Bird => interpolate(&BIRD, t),
            Self::Viridis => interpolate(&VIRIDIS, t),
            Self::Gray => interpolate(&[Colour::BLACK, Colour::WHITE], t),
            Self::GrayReversed => interpolate(&[Colour::WHITE, Colour::BLACK], t),
            Self::Diverging => interpolate(&DIVERGING, t),
            Self::Jet => interpolate(&JET, t),
            Self::YellowOrangeRedReversed => interpolate(&YELLOW_ORANGE_RED_REVERSED, t),
            Self::Custom(stops) => interpolate(stops, t),
        }
    }
}

/// Linear interpolation in equidistant stops; black when there are none.
fn interpolate(stops: &[Colour], t: f64) -> Colour {
    let (Some(first), Some(last)) = (stops.first(), stops.last()) else {
        return Colour::BLACK;
    };
    if t.is_nan() || t <= 0.0 {
        return *first;
    }
    let position = t * (stops.len() - 1) as f64;
    let index = position.floor() as usize;
    if t >= 1.0 || index + 1 >= stops.len() {
        return *last;
    }
    let f = position - index as f64;
    let (low, high) = (stops[index], stops[index + 1]);
    let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * f).round() as u8;
    Colour { r: mix(low.r, high.r), g: mix(low.g, high.g), b: mix(low.b, high.b), a: mix(low.a, high.a) }
}

/// The stops of spec 04 §1 times 255, rounded.
const BIRD: [Colour; 9] = [
    Colour::rgb(53, 42, 135),
    Colour::rgb(15, 92, 221),
    Colour::rgb(20, 129, 214),
    Colour::rgb(6, 164, 202),
    Colour::rgb(46, 183, 164),
    Colour::rgb(135, 191, 119),
    Colour::rgb(209, 187, 89),
    Colour::rgb(254, 200, 50),
    Colour::rgb(249, 251, 14),
];

const VIRIDIS: [Colour; 11] = [
    Colour::hex(0x440154),
    Colour::hex(0x482475),
    Colour::hex(0x414487),
    Colour::hex(0x355f8d),
    Colour::hex(0x2a788e),
    Colour::hex(0x21918c),
    Colour::hex(0x22a884),
    Colour::hex(0x44bf70),
    Colour::hex(0x7ad151),
    Colour::hex(0xbddf26),
    Colour::hex(0xfde725),
];

const DIVERGING: [Colour; 9] = [
    Colour::hex(0x053061),
    Colour::hex(0x2f79b5),
    Colour::hex(0x6bacd1),
    Colour::hex(0xc0dceb),
    Colour::hex(0xf7f7f7),
    Colour::hex(0xfacab1),
    Colour::hex(0xdf765e),
    Colour::hex(0xb82531),
    Colour::hex(0x67001f),
];

const JET: [Colour; 9] = [
    Colour::rgb(0, 0, 128),
    Colour::rgb(0, 0, 255),
    Colour::rgb(0, 128, 255),
    Colour::rgb(0, 255, 255),
    Colour::rgb(128, 255, 128),
    Colour::rgb(255, 255, 0),
    Colour::rgb(255, 128, 0),
    Colour::rgb(255, 0, 0),
    Colour::rgb(128, 0, 0),
];

const YELLOW_ORANGE_RED_REVERSED: [Colour; 9] = [
    Colour::hex(0x800026),
    Colour::hex(0xbd0026),
    Colour::hex(0xe31a1c),
    Colour::hex(0xfc4e2a),
    Colour::hex(0xfd8d3c),
    Colour::hex(0xfeb24c),
    Colour::hex(0xfed976),
    Colour::hex(0xffeda0),
    Colour::hex(0xffffcc),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bird_has_the_stops_of_the_specification() {
        let stops = [
            (0.2082, 0.1664, 0.5293),
            (0.0592, 0.3599, 0.8684),
            (0.0780, 0.5041, 0.8385),
            (0.0232, 0.6419, 0.7914),
            (0.1802, 0.7178, 0.6425),
            (0.5301, 0.7492, 0.4662),
            (0.8186, 0.7328, 0.3499),
            (0.9956, 0.7862, 0.1968),
            (0.9764, 0.9832, 0.0539),
        ];
        for (i, (r, g, b)) in stops.into_iter().enumerate() {
            let c = Palette::Bird.at(i as f64 / 8.0);
            for (channel, expected) in [(c.r, r), (c.g, g), (c.b, b)] {
                // Half a unit of an 8-bit channel.
                assert!((f64::from(channel) - expected * 255.0).abs() <= 0.501, "stop {i}: {c:?}");
            }
        }
    }

    #[test]
    fn palettes_clamp_and_survive_odd_arguments() {
        for palette in [Palette::Bird, Palette::Gray, Palette::Custom(vec![]), Palette::Custom(vec![Colour::RED])] {
            assert_eq!(palette.at(-3.0), palette.at(0.0));
            assert_eq!(palette.at(7.0), palette.at(1.0));
            assert_eq!(palette.at(f64::NAN), palette.at(0.0));
            assert_eq!(palette.at(f64::INFINITY), palette.at(1.0));
        }
        assert_eq!(Palette::Gray.at(0.0), Colour::BLACK);
        assert_eq!(Palette::Gray.at(1.0), Colour::WHITE);
    }

    #[test]
    fn transparency_mixes_with_paper() {
        assert_eq!(Colour::BLACK.with_alpha(0.5).on_white(), Colour::rgb(127, 127, 127));
        assert_eq!(Colour::RED.on_white(), Colour::RED);
    }
}
