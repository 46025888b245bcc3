//! Where the data of a panel are on paper, for finding free room.

use super::geometry::{Point, clip_polyline, pt, thin_polyline};
use super::marks::Frame;
use crate::plot::series::Series;

/// Places of the data on paper, for finding free room: markers, corners of curves and of bars.
pub(crate) fn footprint(frame: &Frame, series: &[Series]) -> Vec<Point> {
    let mut places: Vec<Point> = Vec::new();
    let along = |places: &mut Vec<Point>, curve: &[Point]| {
        for piece in clip_polyline(curve, &frame.rect) {
            for w in piece.windows(2) {
                let steps = (((w[1].x - w[0].x).hypot(w[1].y - w[0].y)) / 4.0).clamp(1.0, 400.0) as usize;
                let at = |i: usize| i as f64 / steps as f64;
                places.extend(
                    (0..=steps).map(|i| pt(w[0].x + (w[1].x - w[0].x) * at(i), w[0].y + (w[1].y - w[0].y) * at(i))),
                );
            }
        }
    };
    for s in series {
        match s {
            Series::Points(p) => {
                let at: Vec<Point> = p.x.iter().zip(&p.y).filter_map(|(&x, &y)| frame.place(x, y)).collect();
                if p.joined.is_some() {
                    along(&mut places, &at);
                }
                for (i, place) in at.iter().enumerate() {
                    if let Some((low, high)) = p.y_errors.as_ref().and_then(|e| e.at(i))
                        && let (Some(&y), true) = (p.y.get(i), at.len() == p.y.len())
                    {
                        along(
                            &mut places,
                            &[pt(place.x, frame.up_or_below(y - low)), pt(place.x, frame.up_or_below(y + high))],
                        );
                    }
                }
                places.extend(at.into_iter().filter(|p| frame.rect.contains(*p)));
            }
            Series::Line(l) => {
                let curve: Vec<Point> =
                    l.x.iter()
                        .zip(&l.y)
                        .map(|(&x, &y)| pt(frame.across(x), frame.up_or_below(y)))
                        .filter(|p| p.x.is_finite() && p.y.is_finite())
                        .collect();
                along(&mut places, &thin_polyline(curve, 1.0));
            }
            Series::Histogram(h) => {
                let tops: Vec<Point> = h
                    .edges
                    .windows(2)
                    .zip(&h.counts)
                    .enumerate()
                    .flat_map(|(i, (e, n))| {
                        let base = h.base.as_ref().and_then(|b| b.get(i)).copied().unwrap_or(0.0);
                        let y = frame.up_or_below(base + n);
                        [pt(frame.across(e[0]), y), pt(frame.across(e[1]), y)]
                    })
                    .filter(|p| p.x.is_finite() && p.y.is_finite())
                    .collect();
                along(&mut places, &thin_polyline(tops, 1.0));
            }
            Series::Text(t) => places.extend(t.items.iter().filter_map(|(x, y, _)| frame.place(*x, *y))),
            Series::Arrows(a) => places.extend(a.items.iter().filter_map(|(_, tip)| frame.place(tip.0, tip.1))),
            _ => {}
        }
    }
    places
}
