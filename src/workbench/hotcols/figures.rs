//! Figures of the search for hot columns.

use super::search::{Found, Line};
use crate::plot::{self, Axis, Colour, Figure, Guide, Panel, Points, Shape, Stroke};

/// Counts with baseline, and significance with threshold.
pub fn search(name: &str, lines: &[Line], found: &[Found], what: &str, nsigma: f64, gap: Option<f64>) -> Figure {
    let x: Vec<f64> = lines.iter().map(|l| l.first as f64 + 0.5 * (l.width as f64 - 1.0)).collect();
    let rate: Vec<f64> = lines.iter().map(Line::rate).collect();
    let hot: Vec<usize> = (0..lines.len()).filter(|i| found[*i].hot).collect();
    let of = |values: &[f64]| hot.iter().map(|i| values[*i]).collect::<Vec<f64>>();
    let z: Vec<f64> = found.iter().map(|f| f.z).collect();
    let expected: Vec<f64> = found.iter().map(|f| f.baseline).collect();
    let marker = |points: Points| points.shape(Shape::Circle).filled(Colour::RED).size(4.0);
    let mut rates = Panel::new()
        .y("selected per unmasked pixel")
        .points(
            Points::new(&x, &rate)
                .size(1.0)
                .joined(Stroke::new(Colour::BLUE).width(0.7))
                .filled(Colour::BLUE)
                .label(what),
        )
        .points(marker(Points::new(of(&x), of(&rate))).label(format!("hot ({})", hot.len())));
    if gap.is_none() {
        rates = rates.line(plot::Line::new(&x, &expected).colour(Colour::BLACK).width(1.2).label("baseline"));
    }
    if let Some(gap) = gap {
        rates = rates.guide(Guide::horizontal(gap).colour(Colour::ORANGE).label(format!("gap at {gap:.4}")));
    }
    let mut significance = Panel::new()
        .x(what)
        .y("z")
        .integer_x()
        .points(Points::new(&x, &z).size(1.0).joined(Stroke::new(Colour::BLUE).width(0.7)).filled(Colour::BLUE))
        .points(marker(Points::new(of(&x), of(&z))))
        .guide(Guide::horizontal(0.0).solid().colour(Colour::GREY));
    if nsigma.is_finite() {
        significance =
            significance.guide(Guide::horizontal(nsigma).colour(Colour::RED).label(format!("threshold {nsigma}")));
    }
    Figure::new(name)
        .title(format!("Hot {what}s"))
        .size(10.0, 6.0)
        .grid(2, 1)
        .heights([1.6, 1.0])
        .share_x()
        .panel(rates)
        .panel(significance)
}

/// Rate of the remaining columns against the threshold; rows of (nsigma, rate, error, hot columns).
pub fn scan(name: &str, rows: &[Vec<f64>], unit: &str, what: &str) -> Figure {
    let column = |k: usize| rows.iter().map(|r| r[k]).collect::<Vec<f64>>();
    let left = Panel::new()
        .y(format!("rate [{unit}]"))
        .points(Points::new(column(0), column(1)).y_errors(column(2)).size(3.0));
    let right = Panel::new()
        .x("threshold z")
        .y_axis(Axis::new(format!("hot {what}s")).integer())
        .points(Points::new(column(0), column(3)).size(3.0).colour(Colour::RED));
    Figure::new(format!("{name}_scan"))
        .title(format!("Rate outside of hot {what}s"))
        .size(7.0, 6.0)
        .grid(2, 1)
        .share_x()
        .panel(left)
        .panel(right)
}
