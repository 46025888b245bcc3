//! Points, rectangles and paths on paper, and their clipping.
//!
//! Unit: points (1/72 inch); origin at the top left, y downwards.

/// A place on paper.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Point {
    pub x: f64,
    pub y: f64,
}

/// Shorthand for [`Point`].
pub(crate) const fn pt(x: f64, y: f64) -> Point {
    Point { x, y }
}

/// An upright rectangle; `x0 <= x1`, `y0 <= y1` (y0 is the upper side).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Rect {
    pub x0: f64,
    pub y0: f64,
    pub x1: f64,
    pub y1: f64,
}

impl Rect {
    pub const fn new(x0: f64, y0: f64, x1: f64, y1: f64) -> Self {
        Self { x0, y0, x1, y1 }
    }

    pub fn width(&self) -> f64 {
        self.x1 - self.x0
    }

    pub fn height(&self) -> f64 {
        self.y1 - self.y0
    }

    pub fn contains(&self, p: Point) -> bool {
        p.x >= self.x0 && p.x <= self.x1 && p.y >= self.y0 && p.y <= self.y1
    }

    /// Grown by `d` on every side.
    pub fn grown(&self, d: f64) -> Self {
        Self::new(self.x0 - d, self.y0 - d, self.x1 + d, self.y1 + d)
    }

    pub fn overlaps(&self, other: &Rect) -> bool {
        self.x0 < other.x1 && other.x0 < self.x1 && self.y0 < other.y1 && other.y0 < self.y1
    }

    pub fn corners(&self) -> [Point; 4] {
        [pt(self.x0, self.y0), pt(self.x1, self.y0), pt(self.x1, self.y1), pt(self.x0, self.y1)]
    }
}

/// Piece of a path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Segment {
    Move(Point),
    Line(Point),
    Cubic(Point, Point, Point),
    Close,
}

/// A path of straight lines and cubic curves.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Path {
    pub segments: Vec<Segment>,
}

impl Path {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    pub fn move_to(&mut self, p: Point) {
        self.segments.push(Segment::Move(p));
    }

    pub fn line_to(&mut self, p: Point) {
        self.segments.push(Segment::Line(p));
    }

    pub fn close(&mut self) {
        self.segments.push(Segment::Close);
    }

    /// Adds a straight piece of its own.
    pub fn segment(&mut self, a: Point, b: Point) {
        self.move_to(a);
        self.line_to(b);
    }

    /// Adds an open polyline.
    pub fn polyline(&mut self, points: &[Point]) {
        if let [first, rest @ ..] = points {
            self.move_to(*first);
            for p in rest {
                self.line_to(*p);
            }
        }
    }

    /// Adds a closed polygon.
    pub fn polygon(&mut self, points: &[Point]) {
        if points.len() > 1 {
            self.polyline(points);
            self.close();
        }
    }

    pub fn rect(&mut self, r: Rect) {
        self.polygon(&r.corners());
    }

    /// Adds a circle as four cubic arcs (radial error 0.03 %).
    pub fn circle(&mut self, c: Point, r: f64) {
        let k = r * 0.552_284_75;
        let quarter = |sx: f64, sy: f64, tx: f64, ty: f64| {
            // From direction (sx, sy) to direction (tx, ty), a quarter turn apart.
            Segment::Cubic(
                pt(c.x + r * sx + k * tx, c.y + r * sy + k * ty),
                pt(c.x + r * tx + k * sx, c.y + r * ty + k * sy),
                pt(c.x + r * tx, c.y + r * ty),
            )
        };
        self.move_to(pt(c.x + r, c.y));
        self.segments.extend([
            quarter(1.0, 0.0, 0.0, 1.0),
            quarter(0.0, 1.0, -1.0, 0.0),
            quarter(-1.0, 0.0, 0.0, -1.0),
            quarter(0.0, -1.0, 1.0, 0.0),
            Segment::Close,
        ]);
    }

    /// The path with every place mapped.
    pub fn map(&self, f: impl Fn(Point) -> Point) -> Path {
        let segments = self
            .segments
            .iter()
            .map(|s| match *s {
                Segment::Move(p) => Segment::Move(f(p)),
                Segment::Line(p) => Segment::Line(f(p)),
                Segment::Cubic(a, b, p) => Segment::Cubic(f(a), f(b), f(p)),
                Segment::Close => Segment::Close,
            })
            .collect();
        Path { segments }
    }
}

/// The part of segment `a`–`b` inside `r` (Liang and Barsky 1984), if any.
pub(crate) fn clip_segment(a: Point, b: Point, r: &Rect) -> Option<(Point, Point)> {
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    let (mut t0, mut t1) = (0.0f64, 1.0f64);
    for (p, q) in [(-dx, a.x - r.x0), (dx, r.x1 - a.x), (-dy, a.y - r.y0), (dy, r.y1 - a.y)] {
        if p == 0.0 {
            if q < 0.0 {
                return None;
            }
        } else if p < 0.0 {
            t0 = t0.max(q / p);
        } else {
            t1 = t1.min(q / p);
        }
    }
    if t0 > t1 || !(dx + dy).is_finite() {
        return None;
    }
    // The end points themselves are kept exactly where nothing is cut off.
    let at = |t: f64| match t {
        t if t <= 0.0 => a,
        t if t >= 1.0 => b,
        t => pt((a.x + t * dx).clamp(r.x0, r.x1), (a.y + t * dy).clamp(r.y0, r.y1)),
    };
    Some((at(t0), at(t1)))
}

/// The pieces of a polyline inside `r`.
pub(crate) fn clip_polyline(points: &[Point], r: &Rect) -> Vec<Vec<Point>> {
    let mut pieces: Vec<Vec<Point>> = Vec::new();
    let mut joins = false;
    for pair in points.windows(2) {
        let Some((a, b)) = clip_segment(pair[0], pair[1], r) else {
            joins = false;
            continue;
        };
        match pieces.last_mut() {
            Some(piece) if joins && piece.last() == Some(&a) => piece.push(b),
            _ => pieces.push(vec![a, b]),
        }
        joins = b == pair[1];
    }
    pieces
}

/// A polygon cut to `r` (Sutherland and Hodgman 1974).
pub(crate) fn clip_polygon(points: &[Point], r: &Rect) -> Vec<Point> {
    let mut polygon = points.to_vec();
    for side in 0..4 {
        // Distance from this side, positive inside.
        let depth = |p: Point| match side {
            0 => p.x - r.x0,
            1 => r.x1 - p.x,
            2 => p.y - r.y0,
            _ => r.y1 - p.y,
        };
        let cut = |a: Point, b: Point| {
            let t = depth(a) / (depth(a) - depth(b));
            pt(a.x + (b.x - a.x) * t, a.y + (b.y - a.y) * t)
        };
        let mut kept = Vec::with_capacity(polygon.len() + 4);
        for (i, &b) in polygon.iter().enumerate() {
            let a = polygon[(i + polygon.len() - 1) % polygon.len()];
            match (depth(a) >= 0.0, depth(b) >= 0.0) {
                (true, true) => kept.push(b),
                (true, false) => kept.push(cut(a, b)),
                (false, true) => kept.extend([cut(a, b), b]),
                (false, false) => {}
            }
        }
        polygon = kept;
    }
    polygon
}

/// A polyline with x in one direction, thinned to what `resolution` (points on paper) can show: per column the first,
/// lowest, highest and last point. Others are returned as they are.
pub(crate) fn thin_polyline(points: Vec<Point>, resolution: f64) -> Vec<Point> {
    let ascending = points.windows(2).all(|w| w[0].x <= w[1].x);
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return points;
    };
    let columns = (last.x - first.x) / resolution;
    if !ascending || (points.len() as f64) < 4.0 * columns.max(256.0) {
        return points;
    }
    let column = |p: &Point| ((p.x - first.x) / resolution).floor();
    let mut thin: Vec<Point> = Vec::with_capacity(4 * columns as usize + 8);
    for group in points.chunk_by(|a, b| column(a) == column(b)) {
        let index = |better: fn(f64, f64) -> bool| {
            (1..group.len()).fold(0, |best, i| if better(group[i].y, group[best].y) { i } else { best })
        };
        let mut keep = [0, index(|a, b| a < b), index(|a, b| a > b), group.len() - 1];
        keep.sort_unstable();
        for (n, &i) in keep.iter().enumerate() {
            if n == 0 || keep[n - 1] != i {
                thin.push(group[i]);
            }
        }
    }
    thin
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOX: Rect = Rect::new(0.0, 0.0, 10.0, 10.0);

    #[test]
    fn segments_are_cut_at_the_frame() {
        assert_eq!(clip_segment(pt(-5.0, 5.0), pt(15.0, 5.0), &BOX), Some((pt(0.0, 5.0), pt(10.0, 5.0))));
        assert_eq!(clip_segment(pt(1.0, 1.0), pt(2.0, 3.0), &BOX), Some((pt(1.0, 1.0), pt(2.0, 3.0))));
        assert_eq!(clip_segment(pt(-5.0, -1.0), pt(15.0, -1.0), &BOX), None);
        assert_eq!(clip_segment(pt(-1.0, 20.0), pt(-1.0, -20.0), &BOX), None);
        assert_eq!(clip_segment(pt(f64::NAN, 0.0), pt(1.0, 1.0), &BOX), None);
    }

    #[test]
    fn a_polyline_falls_into_its_inner_pieces() {
        let zigzag = [pt(1.0, 5.0), pt(1.0, 15.0), pt(3.0, 15.0), pt(3.0, 5.0), pt(4.0, 5.0)];
        let pieces = clip_polyline(&zigzag, &BOX);
        assert_eq!(pieces, [vec![pt(1.0, 5.0), pt(1.0, 10.0)], vec![pt(3.0, 10.0), pt(3.0, 5.0), pt(4.0, 5.0)]]);
    }

    #[test]
    fn a_polygon_is_cut_to_the_frame() {
        let area = |p: &[Point]| {
            (0..p.len()).map(|i| (p[i], p[(i + 1) % p.len()])).map(|(a, b)| a.x * b.y - b.x * a.y).sum::<f64>().abs()
                / 2.0
        };
        // A diamond of half diagonal 8 around a corner of the frame: a quarter of its area is inside.
        let diamond = [pt(8.0, 0.0), pt(0.0, 8.0), pt(-8.0, 0.0), pt(0.0, -8.0)];
        assert!((area(&clip_polygon(&diamond, &BOX)) - 32.0).abs() < 1e-12);
        assert!(clip_polygon(&[pt(11.0, 0.0), pt(12.0, 0.0), pt(12.0, 1.0)], &BOX).is_empty());
        assert!(clip_polygon(&[], &BOX).is_empty());
    }

    #[test]
    fn thinning_keeps_the_extremes() {
        let noisy: Vec<Point> = (0..100_000).map(|i| pt(i as f64 * 0.003, ((i * 7919) % 1009) as f64)).collect();
        let thin = thin_polyline(noisy.clone(), 0.5);
        assert!(thin.len() < 4 * 602, "{}", thin.len());
        let range = |p: &[Point]| p.iter().fold((f64::MAX, f64::MIN), |(l, h), p| (l.min(p.y), h.max(p.y)));
        assert_eq!(range(&thin), range(&noisy));
        assert_eq!(thin.first(), noisy.first());
        assert_eq!(thin.last(), noisy.last());
        let short = vec![pt(0.0, 0.0), pt(1.0, 1.0)];
        assert_eq!(thin_polyline(short.clone(), 0.5), short);
    }
}
