//! Width of the charge cloud as a table of energy and depth (spec 07 §4.1, `repulsion`).

use std::path::Path;

/// The table: bilinear interpolation inside, linear extrapolation outside.
#[derive(Debug, Clone, PartialEq)]
pub struct SigmaMap {
    /// keV, ascending.
    energies: Vec<f64>,
    /// µm, ascending.
    depths: Vec<f64>,
    /// `[energy][depth]`, µm.
    widths: Vec<Vec<f64>>,
}

impl SigmaMap {
    /// Reads a CSV file: the first line holds the depths (m) after one field that is ignored, each further line an energy
    /// (keV) and the widths (µm). Separators are commas, semicolons or tabs.
    ///
    /// # Errors
    /// A sentence that names file and line.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: cannot be read: {e}", path.display()))?;
        Self::parse(&text).map_err(|e| format!("{}: {e}", path.display()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let fields = |line: &str| line.split([',', ';', '\t']).map(|f| f.trim().to_owned()).collect::<Vec<_>>();
        let number = |place: usize, field: &str| {
            let value: f64 = field.parse().map_err(|_| format!("line {}: `{field}` is not a number", place + 1))?;
            if value.is_finite() { Ok(value) } else { Err(format!("line {}: `{field}` is not finite", place + 1)) }
        };
        let (place, head) = lines.next().ok_or("the sigma map is empty")?;
        let metres: Result<Vec<f64>, String> = fields(head).iter().skip(1).map(|f| number(place, f)).collect();
        let depths: Vec<f64> = metres?.iter().map(|m| m * 1e6).collect();
        let (mut energies, mut widths) = (Vec::new(), Vec::new());
        for (place, line) in lines {
            let values: Vec<f64> = fields(line).iter().map(|f| number(place, f)).collect::<Result<_, _>>()?;
            if values.len() != depths.len() + 1 {
                return Err(format!(
                    "line {}: {} fields instead of an energy and {} widths",
                    place + 1,
                    values.len(),
                    depths.len()
                ));
            }
            energies.push(values[0]);
            widths.push(values[1..].to_vec());
        }
        let ascending = |v: &[f64]| v.len() >= 2 && v.windows(2).all(|w| w[0] < w[1]);
        if !ascending(&energies) || !ascending(&depths) {
            return Err("a sigma map needs at least two energies and two depths, both ascending".into());
        }
        Ok(Self { energies, depths, widths })
    }

    /// Width (µm) for an energy (keV) and a depth (µm).
    pub fn width(&self, energy: f64, depth: f64) -> f64 {
        let (e, fe) = cell(&self.energies, energy);
        let (d, fd) = cell(&self.depths, depth);
        let along = |row: &[f64]| row[d] + fd * (row[d + 1] - row[d]);
        let (low, high) = (along(&self.widths[e]), along(&self.widths[e + 1]));
        low + fe * (high - low)
    }
}

/// Index of the interval and position in it (outside 0…1 beyond the ends).
fn cell(nodes: &[f64], x: f64) -> (usize, f64) {
    let i = nodes.partition_point(|n| *n <= x).clamp(1, nodes.len() - 1) - 1;
    (i, (x - nodes[i]) / (nodes[i + 1] - nodes[i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "E,1e-6,1e-4,6e-4\n0.1,0.3,4.0,14.0\n10,0.3,6.0,20.0\n60,0.3,9.0,40.0\n";

    #[test]
    fn widths_are_interpolated_and_extrapolated_linearly() {
        let map = SigmaMap::parse(MAP).unwrap();
        assert!((map.width(10.0, 100.0) - 6.0).abs() < 1e-12);
        assert!((map.width(35.0, 350.0) - (6.0 + 20.0 + 9.0 + 40.0) / 4.0).abs() < 1e-12);
        assert!((map.width(10.0, 700.0) - (20.0 + 0.2 * 14.0)).abs() < 1e-12);
        assert!((map.width(110.0, 600.0) - 60.0).abs() < 1e-12);
    }

    #[test]
    fn unreadable_maps_are_errors_with_the_line() {
        for (text, expected) in [
            ("", "empty"),
            ("E,1e-6\n1,2\n2,3", "two depths"),
            ("E,1e-6,2e-6\n1,2\n", "line 2: 2 fields"),
            ("E,1e-6,2e-6\n1,2,x\n", "line 2: `x`"),
            ("E,1e-6,2e-6\n2,2,3\n1,2,3\n", "ascending"),
            ("E,1e-6,nan\n2,2,3\n3,2,3\n", "not finite"),
        ] {
            let error = SigmaMap::parse(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
