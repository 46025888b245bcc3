//! From data values to places along an axis, and the choice of the range.

use crate::plot::axis::{Axis, AxisScale};
use crate::plot::figure::Panel;
use crate::plot::overlay::Direction;
use crate::plot::series::{Errors, Histogram, Points, Series};

/// Values beyond this are not drawn (differences of larger ones overflow).
const LARGEST: f64 = 1e300;

/// A resolved axis: finite range with `min < max`, positive when logarithmic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    pub kind: AxisScale,
    pub min: f64,
    pub max: f64,
    pub reversed: bool,
    /// Transformed ends, so that placing a value costs one transformation.
    low: f64,
    high: f64,
}

impl Scale {
    /// Makes a usable scale from any two numbers.
    pub fn new(kind: AxisScale, min: f64, max: f64, reversed: bool) -> Self {
        let kind = match kind {
            AxisScale::SymLog(c) if !(c.is_finite() && c > 0.0) => AxisScale::SymLog(1.0),
            other => other,
        };
        let bound = |v: f64, fallback: f64| {
            if v.is_finite() { v.clamp(-LARGEST, LARGEST) } else { fallback }
        };
        let (mut min, mut max) = (bound(min, 0.0), bound(max, 1.0));
        if min > max {
            std::mem::swap(&mut min, &mut max);
        }
        if kind == AxisScale::Log {
            max = if max > 0.0 { max.max(1e-290) } else { 10.0 };
            min = if min > 0.0 { min.max(1e-300) } else { max * 1e-3 };
            if max / min < 1.0 + 1e-9 {
                (min, max) = (min / 2.0, max * 2.0);
            }
        } else if max - min <= min.abs().max(max.abs()) * 1e-10 || max - min < 1e-290 {
            let half = if min == 0.0 || min.abs() < 1e-290 { 0.5 } else { min.abs() * 0.05 };
            (min, max) = (min - half, max + half);
        }
        let mut scale = Self { kind, min, max, reversed, low: 0.0, high: 1.0 };
        (scale.low, scale.high) = (scale.forward(min), scale.forward(max));
        scale
    }

    /// Value in the space in which the axis is even; NaN when it cannot be drawn.
    pub fn forward(&self, v: f64) -> f64 {
        match self.kind {
            AxisScale::Linear | AxisScale::Time => v,
            AxisScale::Log => {
                if v > 0.0 {
                    v.log10()
                } else {
                    f64::NAN
                }
            }
            AxisScale::SymLog(c) => (1.0 + v.abs() / c).log10().copysign(v),
        }
    }

    /// Inverse of [`Scale::forward`].
    pub fn inverse(&self, t: f64) -> f64 {
        match self.kind {
            AxisScale::Linear | AxisScale::Time => t,
            AxisScale::Log => 10f64.powf(t),
            AxisScale::SymLog(c) => ((10f64.powf(t.abs()) - 1.0) * c).copysign(t),
        }
    }

    /// Place of a value: 0 at the left or lower end, 1 at the other; outside the range beyond these. NaN when the value
    /// cannot be drawn.
    pub fn unit(&self, v: f64) -> f64 {
        let u = (self.forward(v) - self.low) / (self.high - self.low);
        if !u.is_finite() {
            return f64::NAN;
        }
        // Farther away than this all places are alike, and file formats have limits.
        let u = u.clamp(-1e4, 1e4);
        if self.reversed { 1.0 - u } else { u }
    }

    /// Like [`Scale::unit`], with a value that a logarithm cannot show placed far below the range (bars of empty bins,
    /// lower ends of error bars).
    pub fn unit_or_below(&self, v: f64) -> f64 {
        if self.kind == AxisScale::Log && v <= 0.0 {
            return if self.reversed { 1e4 } else { -1e4 };
        }
        self.unit(v)
    }

    /// Whether a value lies in the range.
    pub fn contains(&self, v: f64) -> bool {
        v >= self.min && v <= self.max
    }
}

/// Lowest and highest of the values added, of those that the scale can show.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bounds {
    low: f64,
    high: f64,
}

impl Bounds {
    const EMPTY: Self = Self { low: f64::INFINITY, high: f64::NEG_INFINITY };

    fn add(&mut self, v: f64, kind: AxisScale) {
        if v.is_finite() && v.abs() <= LARGEST && (kind != AxisScale::Log || v > 0.0) {
            self.low = self.low.min(v);
            self.high = self.high.max(v);
        }
    }

    fn join(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    fn is_empty(&self) -> bool {
        self.low > self.high
    }
}

/// What the data of a panel need along one axis.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Need {
    /// Points and bins: shown with a margin.
    data: Bounds,
    /// Curves and what is laid over the data: shown with a margin, but their tails do not stretch a logarithmic axis.
    curves: Bounds,
    /// Bin edges, image edges: shown without a margin.
    tight: Bounds,
    /// Bars start at zero.
    from_zero: bool,
}

impl Need {
    const NOTHING: Self = Self { data: Bounds::EMPTY, curves: Bounds::EMPTY, tight: Bounds::EMPTY, from_zero: false };

    fn join(self, other: Self) -> Self {
        Self {
            data: self.data.join(other.data),
            curves: self.curves.join(other.curves),
            tight: self.tight.join(other.tight),
            from_zero: self.from_zero || other.from_zero,
        }
    }
}

/// Resolved lower and left axes of a panel.
pub(crate) fn scales_of(panel: &Panel) -> (Scale, Scale) {
    let x = shared_x_scale(&[panel]);
    (x, y_scale(panel, &x))
}

/// One lower axis for panels stacked on each other; fixed ends are taken from the first panel that has them.
pub(crate) fn shared_x_scale(panels: &[&Panel]) -> Scale {
    let Some(first) = panels.first() else {
        return Scale::new(AxisScale::Linear, 0.0, 1.0, false);
    };
    let kind = first.x.scale;
    let mut axis = first.x.clone();
    axis.min = panels.iter().find_map(|p| p.x.min.filter(|v| v.is_finite()));
    axis.max = panels.iter().find_map(|p| p.x.max.filter(|v| v.is_finite()));
    let need = panels.iter().fold(Need::NOTHING, |need, p| need.join(x_need(p, kind)));
    let guides: Vec<f64> = panels.iter().flat_map(|p| guides(p, Direction::Vertical)).collect();
    resolve(&axis, need, &guides)
}

/// The left axis of a panel, from the data inside the range of `x`.
pub(crate) fn y_scale(panel: &Panel, x: &Scale) -> Scale {
    let guides: Vec<f64> = guides(panel, Direction::Horizontal).collect();
    resolve(&panel.y, y_need(panel, panel.y.scale, x), &guides)
}

/// Places of guides and sides of strips.
fn guides(panel: &Panel, direction: Direction) -> impl Iterator<Item = f64> + '_ {
    panel.series.iter().flat_map(move |s| match s {
        Series::Guide(g) if g.direction == direction => vec![g.at],
        Series::Strip(s) if s.direction == direction => vec![s.from, s.to],
        _ => vec![],
    })
}

/// Margin between data and frame as a fraction of the range.
const MARGIN: f64 = 0.045;

/// Decades shown of a curve alone on a logarithmic axis.
const CURVE_DECADES: f64 = 1e-6;

fn resolve(axis: &Axis, need: Need, guides: &[f64]) -> Scale {
    let kind = axis.scale;
    let mut all = need.data.join(need.curves);
    if kind == AxisScale::Log {
        all.low = if need.data.is_empty() { all.low.max(all.high * CURVE_DECADES) } else { need.data.low };
    }
    let mut whole = all.join(need.tight);
    // A guide a little outside is brought in; a far one would flatten the data.
    let reach = (whole.high - whole.low).max(whole.high.abs() * 1e-3);
    for &at in guides {
        let near = match kind {
            AxisScale::Log => at > whole.low / 30.0 && at < whole.high * 30.0,
            _ => at >= whole.low - reach && at <= whole.high + reach,
        };
        if near || (need == Need::NOTHING && at.is_finite()) {
            all.add(at, kind);
            whole.add(at, kind);
        }
    }
    if whole.is_empty() {
        let (low, high) = if kind == AxisScale::Log { (1.0, 10.0) } else { (0.0, 1.0) };
        return Scale::new(kind, axis.min.unwrap_or(low), axis.max.unwrap_or(high), axis.reversed);
    }
    if need.from_zero && kind != AxisScale::Log {
        all.add(0.0, kind);
    }
    let mut padded = whole;
    if !all.is_empty() {
        let flat = Scale::new(kind, all.low, all.high, false);
        let (a, b) = (flat.forward(flat.min), flat.forward(flat.max));
        // Counting bins of one event stand clear of the bottom.
        let below = if need.from_zero && kind == AxisScale::Log { 2f64.log10() } else { MARGIN * (b - a) };
        let above = if need.from_zero { 1.6 * MARGIN } else { MARGIN } * (b - a);
        let mut margins = Bounds { low: flat.inverse(a - below), high: flat.inverse(b + above) };
        if need.from_zero && kind != AxisScale::Log {
            if all.low >= 0.0 {
                margins.low = 0.0;
            }
            if all.high <= 0.0 {
                margins.high = 0.0;
            }
        }
        padded = padded.join(margins);
    }
    // Nothing drawn without margin ends at the frame unless it asks for it.
    let end = |wanted: Option<f64>, own: f64| match wanted {
        Some(v) if v.is_finite() && (kind != AxisScale::Log || v > 0.0) => v,
        _ => own,
    };
    Scale::new(kind, end(axis.min, padded.low), end(axis.max, padded.high), axis.reversed)
}

fn x_need(panel: &Panel, kind: AxisScale) -> Need {
    let mut need = Need::NOTHING;
    for series in &panel.series {
        match series {
            Series::Points(p) => {
                for (i, (&x, &y)) in p.x.iter().zip(&p.y).enumerate() {
                    if y.is_finite() {
                        add_with_error(&mut need.data, x, p.x_errors.as_ref(), i, kind);
                    }
                }
            }
            Series::Line(l) => l.x.iter().zip(&l.y).filter(|(_, y)| y.is_finite()).for_each(|(&x, _)| {
                need.tight.add(x, kind);
            }),
            Series::Band(b) => b.x.iter().for_each(|&x| need.tight.add(x, kind)),
            Series::Histogram(h) => {
                h.edges.iter().take(h.counts.len() + 1).for_each(|&x| need.tight.add(x, kind));
            }
            Series::Image(image) => {
                let [x0, x1, ..] = image.edges();
                need.tight.add(x0, kind);
                need.tight.add(x1, kind);
            }
            Series::Contours(c) => c.x.iter().for_each(|&x| need.tight.add(x, kind)),
            Series::Polygon(p) => p.x.iter().for_each(|&x| need.curves.add(x, kind)),
            Series::Text(t) => t.items.iter().for_each(|(x, ..)| need.curves.add(*x, kind)),
            Series::Arrows(a) => a.items.iter().for_each(|(tail, tip)| {
                need.curves.add(tail.0, kind);
                need.curves.add(tip.0, kind);
            }),
            Series::Guide(_) | Series::Strip(_) => {}
        }
    }
    keep_inside_image(panel, &mut need);
    need
}

fn y_need(panel: &Panel, kind: AxisScale, x: &Scale) -> Need {
    let mut need = Need::NOTHING;
    for series in &panel.series {
        match series {
            Series::Points(p) => add_points(&mut need.data, p, kind, x),
            Series::Line(l) => {
                for (&at, &y) in l.x.iter().zip(&l.y) {
                    if x.contains(at) {
                        need.curves.add(y, kind);
                    }
                }
            }
            Series::Band(b) => {
                for ((&at, &low), &high) in b.x.iter().zip(&b.low).zip(&b.high) {
                    if x.contains(at) {
                        need.data.add(low, kind);
                        need.data.add(high, kind);
                    }
                }
            }
            Series::Histogram(h) => add_histogram(&mut need, h, kind, x),
            Series::Image(image) => {
                let [.., y0, y1] = image.edges();
                need.tight.add(y0, kind);
                need.tight.add(y1, kind);
            }
            Series::Contours(c) => c.y.iter().for_each(|&y| need.tight.add(y, kind)),
            Series::Polygon(p) => p.y.iter().for_each(|&y| need.curves.add(y, kind)),
            Series::Text(t) => t.items.iter().for_each(|(_, y, _)| need.curves.add(*y, kind)),
            Series::Arrows(a) => a.items.iter().for_each(|(tail, tip)| {
                need.curves.add(tail.1, kind);
                need.curves.add(tip.1, kind);
            }),
            Series::Guide(_) | Series::Strip(_) => {}
        }
    }
    keep_inside_image(panel, &mut need);
    need
}

/// What lies over an image does not stretch its frame.
fn keep_inside_image(panel: &Panel, need: &mut Need) {
    if panel.series.iter().any(|s| matches!(s, Series::Image(_))) {
        need.data = Bounds::EMPTY;
        need.curves = Bounds::EMPTY;
    }
}

fn add_with_error(bounds: &mut Bounds, v: f64, errors: Option<&Errors>, index: usize, kind: AxisScale) {
    bounds.add(v, kind);
    if v.is_finite()
        && let Some((low, high)) = errors.and_then(|e| e.at(index))
    {
        bounds.add(v + high, kind);
        // The lower arm of an error bar does not decide how many decades are shown.
        if kind != AxisScale::Log {
            bounds.add(v - low, kind);
        }
    }
}

fn add_points(bounds: &mut Bounds, p: &Points, kind: AxisScale, x: &Scale) {
    for (i, (&at, &y)) in p.x.iter().zip(&p.y).enumerate() {
        if x.contains(at) {
            add_with_error(bounds, y, p.y_errors.as_ref(), i, kind);
        }
    }
}

fn add_histogram(need: &mut Need, h: &Histogram, kind: AxisScale, x: &Scale) {
    need.from_zero = true;
    for (i, &count) in h.counts.iter().enumerate() {
        let (Some(&low), Some(&high)) = (h.edges.get(i), h.edges.get(i + 1)) else {
            break;
        };
        if high < x.min || low > x.max {
            continue;
        }
        let base = h.base.as_ref().and_then(|b| b.get(i)).copied().unwrap_or(0.0);
        need.data.add(base + count, kind);
        if let Some(error) = h.errors.as_ref().and_then(|e| e.get(i)).filter(|e| e.is_finite()) {
            need.data.add(base + count + error, kind);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::{Guide, ImagePlot, Line};

    #[test]
    fn values_land_where_the_scale_says() {
        let linear = Scale::new(AxisScale::Linear, -1.0, 3.0, false);
        assert_eq!(linear.unit(0.0), 0.25);
        let log = Scale::new(AxisScale::Log, 1.0, 1000.0, false);
        assert!((log.unit(10.0) - 1.0 / 3.0).abs() < 1e-15);
        assert!(log.unit(0.0).is_nan() && log.unit(-5.0).is_nan());
        assert!(log.unit_or_below(0.0) < -100.0);
        let symlog = Scale::new(AxisScale::SymLog(1.0), -99.0, 99.0, false);
        assert_eq!(symlog.unit(0.0), 0.5);
        assert!((symlog.unit(9.0) - 0.75).abs() < 1e-15);
        assert!((symlog.inverse(symlog.forward(-37.0)) + 37.0).abs() < 1e-12);
        assert_eq!(Scale::new(AxisScale::Linear, 0.0, 4.0, true).unit(1.0), 0.75);
    }

    #[test]
    fn every_pair_of_numbers_gives_a_scale() {
        let odd = [0.0, 1.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, 5e-324, 1.0 + 1e-15];
        for kind in [AxisScale::Linear, AxisScale::Log, AxisScale::SymLog(f64::NAN), AxisScale::Time] {
            for a in odd {
                for b in odd {
                    let s = Scale::new(kind, a, b, false);
                    assert!(s.min < s.max && s.min.is_finite() && s.max.is_finite(), "{kind:?} {a} {b}: {s:?}");
                    assert_eq!((s.unit(s.min), s.unit(s.max)), (0.0, 1.0), "{kind:?} {a} {b}: {s:?}");
                }
            }
        }
    }

    #[test]
    fn ranges_hold_the_data() {
        let panel =
            Panel::new().points(Points::new([0.0, 10.0, f64::NAN], [5.0, 7.0, 900.0]).y_errors([1.0, 1.0, 1.0]));
        let (x, y) = scales_of(&panel);
        assert!(x.min < 0.0 && x.max > 10.0 && x.max < 11.0);
        assert!(y.min < 4.0 && y.max > 8.0 && y.max < 9.0, "{y:?}");
    }

    #[test]
    fn histograms_stand_on_zero_and_end_at_their_edges() {
        let h = Histogram::uniform(-2.0, 3.0, [0.0, 5.0, 100.0, 1.0, 0.0]);
        let (x, y) = scales_of(&Panel::new().histogram(h.clone()));
        assert_eq!((x.min, x.max), (-2.0, 3.0));
        assert_eq!(y.min, 0.0);
        let (_, y) = scales_of(&Panel::new().log_y().histogram(h));
        assert!((y.min - 0.5).abs() < 1e-12 && y.max > 100.0, "{y:?}");
    }

    #[test]
    fn tails_of_a_curve_do_not_stretch_a_logarithmic_axis() {
        let h = Histogram::uniform(-2.0, 3.0, [0.0, 5.0, 100.0, 1.0, 0.0]);
        let tail = Line::function(-2.0, 3.0, 100, |x| 120.0 * (-40.0 * x * x).exp());
        let (_, y) = scales_of(&Panel::new().log_y().histogram(h).line(tail));
        assert!(y.min > 0.4 && y.max > 120.0, "{y:?}");
    }

    #[test]
    fn guides_and_overlays_do_not_flatten_the_data() {
        let points = Points::indexed([1.0, 2.0, 3.0]);
        let (_, y) = scales_of(&Panel::new().points(points.clone()).guide(Guide::horizontal(4.0)));
        assert!(y.contains(4.0));
        let (_, y) = scales_of(&Panel::new().points(points.clone()).guide(Guide::horizontal(1e6)));
        assert!(y.max < 10.0);
        let image = ImagePlot::new(ndarray::Array2::zeros((3, 4)));
        let (x, y) = scales_of(&Panel::image_of(image).points(points.size(3.0)));
        assert_eq!((x.min, x.max, y.min, y.max, y.reversed), (-0.5, 3.5, -0.5, 2.5, true));
    }
}
