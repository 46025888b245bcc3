//! The images of a module: channels read at the same time, and the seeds of the clusters in each.

use ndarray::Array2;

/// Cluster number and charge share one pixel: value = number·10¹⁰ + charge (e⁻), from BuildClusterMask.
const NUMBER_SCALE: f64 = 1e10;

/// A bright pixel of a cluster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seed {
    /// Row.
    pub row: usize,
    /// Column.
    pub col: usize,
    /// Charge, e⁻.
    pub charge: f64,
    /// Number of its cluster.
    pub cluster: u64,
}

/// One data set: simultaneous images of all channels, of one shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Calibrated images, e⁻, `[row, col]`, in the order of the channels.
    pub images: Vec<Array2<f64>>,
    /// Seeds of each channel, in raster order.
    pub seeds: Vec<Vec<Seed>>,
}

/// A channel of the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Name in matrices and cards, e.g. `D-CH2`.
    pub label: String,
    /// Number of its extension.
    pub number: usize,
}

/// Everything measured with a module: the data sets share the channels.
#[derive(Debug, Clone, PartialEq)]
pub struct Module {
    /// Channels, by number.
    pub channels: Vec<Channel>,
    /// Data sets.
    pub frames: Vec<Frame>,
}

impl Module {
    /// The images of a channel stacked along the rows.
    pub fn stacked(&self, channel: usize) -> Array2<f64> {
        stack(self.frames.iter().map(|f| &f.images[channel]))
    }
}

/// Images of the same width, one below the other.
pub fn stack<'a>(images: impl Iterator<Item = &'a Array2<f64>>) -> Array2<f64> {
    let parts: Vec<&Array2<f64>> = images.collect();
    let cols = parts.iter().map(|p| p.ncols()).min().unwrap_or(0);
    let rows: Vec<_> = parts.iter().flat_map(|p| p.rows()).collect();
    Array2::from_shape_fn((rows.len(), cols), |(r, c)| rows[r][c])
}

/// The seeds in an image of coded charges (extension `QMAX`).
pub fn seeds(coded: &Array2<f64>) -> Vec<Seed> {
    coded
        .indexed_iter()
        .filter(|(_, q)| **q > 0.0 && q.is_finite())
        .map(|((row, col), q)| Seed {
            row,
            col,
            charge: q.rem_euclid(NUMBER_SCALE),
            cluster: (q / NUMBER_SCALE).floor() as u64,
        })
        .collect()
}

/// The value that codes a seed.
pub fn coded(cluster: u64, charge: f64) -> f64 {
    cluster as f64 * NUMBER_SCALE + charge
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_and_charge_are_told_apart() {
        let mut image = Array2::zeros((2, 3));
        image[[0, 2]] = 3e10 + 1234.5;
        image[[1, 0]] = coded(120_000, 87.25);
        image[[1, 1]] = f64::NAN;
        let found = seeds(&image);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].row, found[0].col, found[0].cluster, found[0].charge), (0, 2, 3, 1234.5));
        assert_eq!((found[1].cluster, found[1].charge), (120_000, 87.25));
    }

    #[test]
    fn frames_are_stacked_along_the_rows() {
        let image = |v: f64, rows| Array2::from_elem((rows, 2), v);
        let stacked = stack([image(1.0, 1), image(2.0, 2)].iter());
        assert_eq!(stacked.column(1).to_vec(), [1.0, 2.0, 2.0]);
    }
}
