//! Pixels of a given charge, and what the other CCDs show there.

use super::{Tile, ViewArgs};
use crate::image::report::Table;
use crate::stats::robust::{Ddof, mean_and_std};
use crate::workbench::error::BenchResult;
use crate::workbench::files::{FitsFile, name_of};
use crate::workbench::results::{Results, plus_minus};

/// Lines printed; the CSV file has all.
const LONGEST: usize = 40;

/// A pixel: number of the tile, row and column as drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// Tile.
    pub tile: usize,
    /// Row as drawn.
    pub row: usize,
    /// Column as drawn.
    pub col: usize,
}

/// The pixels with a rounded charge between two numbers of electrons. Masked ones are listed too, hot columns are not.
pub fn pixels(tiles: &[Tile], (lo, hi): (f64, f64)) -> Vec<Listed> {
    let mut found = Vec::new();
    for (number, tile) in tiles.iter().enumerate() {
        for ((row, col), q) in tile.values.indexed_iter() {
            let charge = q.round();
            let hot = tile.hot.contains(&tile.original(row, col).1);
            if charge >= lo && charge <= hi && !hot {
                found.push(Listed { tile: number, row, col });
            }
        }
    }
    found
}

/// Prints the first pixels and writes all.
pub fn report(name: &str, tiles: &[Tile], listed: &[Listed], results: &mut Results) -> BenchResult<()> {
    results.line(format!("{} pixels of the wanted charge", listed.len()));
    let mut rows = Vec::new();
    for (k, pixel) in listed.iter().enumerate() {
        let tile = &tiles[pixel.tile];
        let (row, col) = tile.original(pixel.row, pixel.col);
        let q = tile.values[[pixel.row, pixel.col]];
        let masked = tile.mask.as_ref().is_some_and(|m| m[[pixel.row, pixel.col]]);
        if k < LONGEST {
            let note = if masked { ", masked" } else { "" };
            results.line(format!("  {} (col {col}, row {row}) q = {q}{note}", tile.name));
        }
        rows.push(vec![pixel.tile as f64, col as f64, row as f64, q, f64::from(u8::from(masked))]);
    }
    if listed.len() > LONGEST {
        results.line(format!("  … {} more in {name}_ne.csv", listed.len() - LONGEST));
    }
    let columns = ["image", "col", "row", "q", "masked"].map(String::from).to_vec();
    let names: Vec<&str> = tiles.iter().map(|t| t.name.as_str()).collect();
    results.csv(&Table { name: format!("{name}_ne"), columns, rows }, &[("images", names.join(";"))])
}

/// The same pixel and row of each seed in the files of the other CCDs.
pub fn crosstalk(
    args: &ViewArgs,
    name: &str,
    tiles: &[Tile],
    listed: Option<&[Listed]>,
    results: &mut Results,
) -> BenchResult<()> {
    let own_of = |tile: &Tile| args.xtalk.iter().position(|ccd| substitute(&tile.name, ccd, ccd).is_some());
    let owns: Vec<Option<usize>> = tiles.iter().map(own_of).collect();
    // A CCD whose seeds are looked at in all images is nowhere another one.
    let others: Vec<usize> = (0..args.xtalk.len()).filter(|k| owns.iter().flatten().any(|own| own != k)).collect();
    let mut columns = ["image", "col", "row", "q"].map(String::from).to_vec();
    for k in &others {
        columns.extend(["q", "row_mean", "row_std"].map(|what| format!("{what} {}", args.xtalk[*k])));
    }
    let mut table = Vec::new();
    for (number, (tile, own)) in tiles.iter().zip(&owns).enumerate() {
        let is_seed = |row: usize, col: usize| tile.values[[row, col]] >= args.qseed;
        let seeds: Vec<(usize, usize)> = match listed {
            Some(listed) => listed.iter().filter(|p| p.tile == number).map(|p| (p.row, p.col)).collect(),
            None => tile.values.indexed_iter().filter(|((r, c), _)| is_seed(*r, *c)).map(|(at, _)| at).collect(),
        };
        let Some(own) = *own else {
            results.warn(format!("{}: the name holds none of {}", tile.name, args.xtalk.join(", ")));
            continue;
        };
        let first = table.len();
        for (row, col) in &seeds {
            let (r, c) = tile.original(*row, *col);
            let mut line = vec![number as f64, c as f64, r as f64, tile.values[[*row, *col]]];
            line.resize(columns.len(), f64::NAN);
            table.push(line);
        }
        for (place, &k) in others.iter().enumerate().filter(|(_, k)| **k != own) {
            let ccd = &args.xtalk[k];
            let other_name = substitute(&tile.name, &args.xtalk[own], ccd).unwrap_or_default();
            let path = tile.path.with_file_name(&other_name);
            if !path.is_file() {
                results.warn(format!("{} does not exist; CCD {ccd} was left out", path.display()));
                continue;
            }
            let file = FitsFile::open(&path)?;
            let other = file.image(file.find_data(args.ext.as_ref(), &["CALIBRATED"])?)?;
            let mut excess = Vec::new();
            for line in &mut table[first..] {
                let (r, c) = (line[2] as usize, line[1] as usize);
                let Some(q) = other.get([r, c]) else { continue };
                let in_row: Vec<f64> = other.row(r).iter().copied().filter(|q| q.is_finite()).collect();
                let (mean, std) = mean_and_std(&in_row, Ddof::Sample);
                line[4 + 3 * place..7 + 3 * place].copy_from_slice(&[*q, mean, std]);
                if q.is_finite() {
                    excess.push((*q, q - mean));
                }
            }
            let (charge, excess): (Vec<f64>, Vec<f64>) = excess.into_iter().unzip();
            let mean = |values: &[f64]| {
                let (mean, std) = mean_and_std(values, Ddof::Sample);
                plus_minus(mean, std / (values.len() as f64).sqrt())
            };
            let (unit, seeds) = (&tile.unit, seeds.len());
            let shown = name_of(&path);
            results.line(if charge.is_empty() {
                format!("{}: {seeds} seeds; CCD {ccd} ({shown}) has no pixel there", tile.name)
            } else {
                format!(
                    "{}: {seeds} seeds; CCD {ccd} ({shown}) shows {} {unit} more than the mean of the row at the same \
                     pixels ({} {unit})",
                    tile.name,
                    mean(&excess),
                    mean(&charge)
                )
            });
        }
    }
    let names: Vec<&str> = tiles.iter().map(|t| t.name.as_str()).collect();
    results.csv(&Table { name: format!("{name}_xtalk"), columns, rows: table }, &[("images", names.join(";"))])
}

/// The file name with the CCD `from` replaced by `to`, where it stands alone (`_A_`, `-A.`) or behind `CCD`.
pub fn substitute(name: &str, from: &str, to: &str) -> Option<String> {
    if from.is_empty() {
        return None;
    }
    name.match_indices(from).find_map(|(at, _)| {
        let (before, after) = (&name[..at], &name[at + from.len()..]);
        let free = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        let begins = free(before.chars().next_back()) || before.to_ascii_uppercase().ends_with("CCD");
        (begins && free(after.chars().next())).then(|| format!("{before}{to}{after}"))
    })
}
