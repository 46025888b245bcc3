//! Clusters of the tree `clustersRec`.

use std::path::Path;

use ndarray::Array2;

use crate::root::read::{ReadError, ReadResult, RootInput, TreeReader, Values};
use crate::stats::robust::{Ddof, mean_and_std};
use crate::workbench::error::{BenchError, BenchResult};

/// Energy per electron where the file does not tell it, eV.
const EV_PER_ELECTRON: f64 = 3.74;

/// One cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// Entry of the tree: the image.
    pub entry: usize,
    /// `cluster_id`; unique within its image only.
    pub id: f64,
    /// keV.
    pub energy: f64,
    /// Whether it holds a seed (or, in newer files, is not excluded).
    pub is_seed: bool,
    /// Columns of the pixels.
    pub x: Vec<i64>,
    /// Rows of the pixels.
    pub y: Vec<i64>,
    /// Charge of the pixels, e⁻.
    pub charge: Vec<f64>,
    /// Extent in columns and rows.
    pub dx: i64,
    /// Rows.
    pub dy: i64,
    /// σ_xy, σ_x, σ_y, pixels.
    pub spread: (f64, f64, f64),
    /// Mean position: column, row.
    pub centre: (f64, f64),
    /// eV per electron.
    pub ev_per_electron: f64,
}

/// All clusters of a file.
///
/// # Errors
/// If it cannot be read, or has no tree `clustersRec` with the pixels of the clusters.
pub fn read_clusters(path: &Path) -> BenchResult<Vec<Cluster>> {
    let unreadable = |e: ReadError| BenchError::Unreadable { path: path.to_owned(), reason: e.to_string() };
    let file = RootInput::open(path).map_err(unreadable)?;
    let scale = ev_per_electron(&file);
    clusters(&file, scale).map_err(unreadable)
}

/// e2eV of `process_config`.
fn ev_per_electron(file: &RootInput) -> f64 {
    let read = || -> ReadResult<f64> {
        let tree = file.tree("process_config")?;
        match tree.branch("e2eV")?.values().next() {
            Some(Ok(Values::Number(x))) if x > 0.0 => Ok(x),
            Some(Ok(Values::Numbers(x))) if x.first().is_some_and(|x| *x > 0.0) => Ok(x[0]),
            _ => Err(ReadError("no number e2eV".into())),
        }
    };
    // Files of older versions do not tell it.
    read().unwrap_or(EV_PER_ELECTRON)
}

/// A branch with one number per cluster; `None` if there is no such branch.
fn numbers(tree: &TreeReader, name: &str) -> ReadResult<Option<Vec<Vec<f64>>>> {
    let Ok(branch) = tree.branch(name) else { return Ok(None) };
    let entries = branch.values().map(|value| match value? {
        Values::Numbers(x) => Ok(x),
        Values::Number(x) => Ok(vec![x]),
        _ => Err(ReadError(format!("branch `{name}` holds no numbers"))),
    });
    entries.collect::<ReadResult<_>>().map(Some)
}

/// A branch with a list of numbers per cluster.
fn lists(tree: &TreeReader, name: &str) -> ReadResult<Vec<Vec<Vec<f64>>>> {
    let entries = tree.branch(name)?.values().map(|value| match value? {
        Values::Lists(x) => Ok(x),
        _ => Err(ReadError(format!("branch `{name}` holds no lists of pixels"))),
    });
    entries.collect()
}

fn clusters(file: &RootInput, scale: f64) -> ReadResult<Vec<Cluster>> {
    let tree = file.tree("clustersRec")?;
    let (x, y, energy) = (lists(&tree, "pixels_x")?, lists(&tree, "pixels_y")?, lists(&tree, "pixels_E")?);
    let column = |name: &str| numbers(&tree, name);
    let total = column("Energy")?;
    let seeds = column("has_seed")?;
    let excluded = column("excluded")?;
    let ids = column("cluster_id")?;
    let (dx, dy) = (column("DX")?, column("DY")?);
    let spread = [column("wSTD_XY")?, column("fSTD_X")?, column("fSTD_Y")?];
    let mut found = Vec::new();
    for entry in 0..energy.len() {
        for k in 0..energy[entry].len() {
            let at = |values: &Option<Vec<Vec<f64>>>| -> Option<f64> {
                values.as_ref().and_then(|v| v.get(entry)).and_then(|v| v.get(k)).copied()
            };
            let coordinates = |values: &[Vec<Vec<f64>>]| -> Vec<i64> {
                let list = values.get(entry).and_then(|v| v.get(k));
                list.map_or(Vec::new(), |list| list.iter().map(|v| *v as i64).collect())
            };
            let (px, py) = (coordinates(&x), coordinates(&y));
            let charge: Vec<f64> = energy[entry][k].iter().map(|e| e * 1000.0 / scale).collect();
            if px.len() != charge.len() || py.len() != charge.len() || charge.is_empty() {
                return Err(ReadError(format!(
                    "cluster {k} of entry {entry} has {} columns, {} rows and {} energies of pixels",
                    px.len(),
                    py.len(),
                    charge.len()
                )));
            }
            let span = |v: &[i64]| v.iter().max().zip(v.iter().min()).map_or(0, |(hi, lo)| hi - lo + 1);
            let sum: f64 = charge.iter().sum();
            let mean = |v: &[i64]| v.iter().zip(&charge).map(|(v, q)| *v as f64 * q).sum::<f64>() / sum;
            let seed = match (&excluded, &seeds) {
                (Some(_), _) => at(&excluded) == Some(0.0),
                (None, Some(_)) => at(&seeds) != Some(0.0),
                (None, None) => true,
            };
            found.push(Cluster {
                entry,
                id: at(&ids).unwrap_or(k as f64),
                energy: at(&total).unwrap_or(sum * scale / 1000.0),
                is_seed: seed,
                dx: at(&dx).map_or_else(|| span(&px), |v| v as i64),
                dy: at(&dy).map_or_else(|| span(&py), |v| v as i64),
                spread: (
                    at(&spread[0]).unwrap_or(f64::NAN),
                    at(&spread[1]).unwrap_or(f64::NAN),
                    at(&spread[2]).unwrap_or(f64::NAN),
                ),
                centre: (mean(&px), mean(&py)),
                x: px,
                y: py,
                charge,
                ev_per_electron: scale,
            });
        }
    }
    Ok(found)
}

/// Mean over the clusters of charge/largest charge, against the distance from the brightest pixel; the window reaches
/// `reach_x` and `reach_y` pixels to each side.
pub fn mean_around_maximum(clusters: &[&Cluster], reach_x: i64, reach_y: i64) -> Array2<f64> {
    let shape = ((2 * reach_y + 1).max(1) as usize, (2 * reach_x + 1).max(1) as usize);
    let mut mean = Array2::zeros(shape);
    for cluster in clusters {
        let brightest = (0..cluster.charge.len()).max_by(|a, b| cluster.charge[*a].total_cmp(&cluster.charge[*b]));
        let Some(brightest) = brightest.filter(|b| cluster.charge[*b] > 0.0) else { continue };
        for ((x, y), q) in cluster.x.iter().zip(&cluster.y).zip(&cluster.charge) {
            let (col, row) = (x - cluster.x[brightest] + reach_x, y - cluster.y[brightest] + reach_y);
            let place = usize::try_from(row).ok().zip(usize::try_from(col).ok());
            if let Some(cell) = place.and_then(|(r, c)| mean.get_mut([r, c])) {
                *cell += q / cluster.charge[brightest] / clusters.len() as f64;
            }
        }
    }
    mean
}

/// Errors of the widths of the mean map along x and y, pixels, from the scatter of the clusters: the jackknife
///
/// ```text
/// error² = (n − 1)/n Σᵢ (σ₋ᵢ − mean of σ₋ᵢ)²,
/// ```
///
/// σ₋ᵢ the width of the mean of all clusters but the i-th. NaN for fewer than two clusters.
pub fn width_errors(clusters: &[&Cluster], reach_x: i64, reach_y: i64) -> (f64, f64) {
    // Sums over the map of a cluster: q, q x, q x², q y, q y².
    let moments = |cluster: &&Cluster| {
        let map = mean_around_maximum(&[cluster], reach_x, reach_y);
        map.indexed_iter().fold([0.0; 5], |[q0, x1, x2, y1, y2], ((row, col), q)| {
            let (x, y) = (col as f64, row as f64);
            [q0 + q, x1 + q * x, x2 + q * x * x, y1 + q * y, y2 + q * y * y]
        })
    };
    let own: Vec<[f64; 5]> = clusters.iter().map(moments).collect();
    let total = own.iter().fold([0.0; 5], |sum, one| std::array::from_fn(|k| sum[k] + one[k]));
    let n = own.len() as f64;
    let error = |first: usize| {
        let width = |m: [f64; 5]| (m[first + 1] / m[0] - (m[first] / m[0]).powi(2)).max(0.0).sqrt();
        let left_out: Vec<f64> = own.iter().map(|one| width(std::array::from_fn(|k| total[k] - one[k]))).collect();
        let (_, scatter) = mean_and_std(&left_out, Ddof::Population);
        if own.len() < 2 { f64::NAN } else { (n - 1.0).sqrt() * scatter }
    };
    (error(1), error(3))
}

/// Standard deviations of a map along x and y, pixels.
pub fn widths(mean: &Array2<f64>) -> (f64, f64) {
    let total: f64 = mean.sum();
    let moment = |place: fn((usize, usize)) -> usize, power: i32, about: f64| {
        mean.indexed_iter().map(|(at, q)| q * (place(at) as f64 - about).powi(power)).sum::<f64>() / total
    };
    let width = |place: fn((usize, usize)) -> usize| moment(place, 2, moment(place, 1, 0.0)).sqrt();
    (width(|at| at.1), width(|at| at.0))
}
