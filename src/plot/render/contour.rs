//! Contour lines by marching squares, in data coordinates.
//!
//! Lorensen and Cline's idea in two dimensions: every cell of the grid whose corners lie on both sides of the level is
//! crossed by one or two straight pieces, whose ends are interpolated linearly on the cell's sides. In an ambiguous
//! cell (saddle) the mean of the corners decides.

use ndarray::ArrayView2;

/// A straight piece of contour: (x, y) of both ends.
pub(crate) type Piece = [(f64, f64); 2];

/// Pieces of the contour of `z[[row, col]]` (at `x[col]`, `y[row]`) at `level`. Cells with a corner that is not finite
/// are left out.
pub(crate) fn contour(x: &[f64], y: &[f64], z: ArrayView2<'_, f64>, level: f64) -> Vec<Piece> {
    let rows = z.nrows().min(y.len());
    let cols = z.ncols().min(x.len());
    let mut pieces = Vec::new();
    for r in 1..rows {
        for c in 1..cols {
            // Corners counter-clockwise from the lower left.
            let corners = [(r - 1, c - 1), (r - 1, c), (r, c), (r, c - 1)];
            let h = corners.map(|(r, c)| z[[r, c]]);
            if h.iter().any(|v| !v.is_finite()) {
                continue;
            }
            let above = h.map(|v| v >= level);
            let crossed = |i: usize| above[i] != above[(i + 1) % 4];
            let cut = |i: usize| {
                let j = (i + 1) % 4;
                let t = (level - h[i]) / (h[j] - h[i]);
                let ((r0, c0), (r1, c1)) = (corners[i], corners[j]);
                (x[c0] + (x[c1] - x[c0]) * t, y[r0] + (y[r1] - y[r0]) * t)
            };
            let sides: Vec<usize> = (0..4).filter(|&i| crossed(i)).collect();
            match sides[..] {
                [a, b] => pieces.push([cut(a), cut(b)]),
                [..] if sides.len() == 4 => {
                    let centre_above = h.iter().sum::<f64>() / 4.0 >= level;
                    // The two corners that differ from the centre are cut off.
                    let pairs = if centre_above == above[0] { [(0, 1), (2, 3)] } else { [(3, 0), (1, 2)] };
                    pieces.extend(pairs.map(|(a, b)| [cut(a), cut(b)]));
                }
                _ => {}
            }
        }
    }
    pieces
}

/// Pieces joined end to end into as few lines as possible (shorter files, unbroken dashes).
pub(crate) fn join(pieces: Vec<Piece>) -> Vec<Vec<(f64, f64)>> {
    use std::collections::HashMap;
    let key = |p: (f64, f64)| (p.0.to_bits(), p.1.to_bits());
    let mut ends: HashMap<(u64, u64), Vec<usize>> = HashMap::new();
    for (i, piece) in pieces.iter().enumerate() {
        for p in piece {
            ends.entry(key(*p)).or_default().push(i);
        }
    }
    let mut used = vec![false; pieces.len()];
    let mut lines = Vec::new();
    for i in 0..pieces.len() {
        if std::mem::replace(&mut used[i], true) {
            continue;
        }
        let mut line = std::collections::VecDeque::from(pieces[i]);
        for forward in [true, false] {
            loop {
                let tip = if forward { line[line.len() - 1] } else { line[0] };
                let Some(&next) = ends.get(&key(tip)).and_then(|c| c.iter().find(|&&n| !used[n])) else {
                    break;
                };
                used[next] = true;
                let [a, b] = pieces[next];
                let far = if key(a) == key(tip) { b } else { a };
                if forward { line.push_back(far) } else { line.push_front(far) }
            }
        }
        lines.push(line.into());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn the_contour_of_a_cone_is_a_circle() {
        let axis: Vec<f64> = (-20..=20).map(|i| f64::from(i) * 0.1).collect();
        let z = Array2::from_shape_fn((41, 41), |(r, c)| axis[r].hypot(axis[c]));
        let lines = join(contour(&axis, &axis, z.view(), 1.03));
        assert_eq!(lines.len(), 1, "one closed line");
        assert_eq!(lines[0].first(), lines[0].last());
        // Linear interpolation between nodes 0.1 apart bends a circle of radius 1 by at most 0.1²/8/1.
        assert!(lines[0].iter().all(|(x, y)| (x.hypot(*y) - 1.03).abs() < 0.1f64.powi(2) / 8.0 + 1e-9));
    }

    #[test]
    fn saddles_and_holes_do_not_confuse_it() {
        let saddle = ndarray::arr2(&[[1.0, 0.0], [0.0, 1.0]]);
        assert_eq!(contour(&[0.0, 1.0], &[0.0, 1.0], saddle.view(), 0.5).len(), 2);
        let hole = ndarray::arr2(&[[1.0, f64::NAN], [0.0, 1.0]]);
        assert!(contour(&[0.0, 1.0], &[0.0, 1.0], hole.view(), 0.5).is_empty());
        assert!(contour(&[], &[], Array2::zeros((0, 0)).view(), 0.5).is_empty());
        assert!(contour(&[0.0], &[0.0], saddle.view(), 0.5).is_empty());
    }
}
