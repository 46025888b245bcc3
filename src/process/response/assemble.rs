//! Signal and noise together: sum, saturation, threshold (spec 07 §§4.5, 4.6).
//!
//! Done once, by the first step that needs the sum.

use std::collections::HashSet;

use crate::process::digitize::{HitCollection, Pixel, ResponseContext};

/// Adds the noise to the pixels, applies saturation and threshold; pixels of noise alone are kept where they are above
/// the threshold (above 0 without one).
///
/// Without any noise only the saturation is applied, and the energies before it are kept.
pub fn assemble(hits: &mut HitCollection, context: &ResponseContext<'_>) {
    if std::mem::replace(&mut hits.assembled, true) {
        return;
    }
    let limit = hits.saturation.unwrap_or(f64::INFINITY);
    if hits.noise.is_empty() && context.full_noise.sum.is_none() {
        for pixel in &mut hits.pixels {
            pixel.unsaturated = pixel.energy;
            pixel.energy = pixel.energy.min(limit);
        }
        return;
    }
    let threshold = context.threshold.unwrap_or(0.0);
    let ccd = context.ccd;
    let noise_at = |row: u32, col: u32| {
        let (row, col) = (row as usize, col as usize);
        let full = context
            .full_noise
            .sum
            .as_ref()
            .and_then(|sum| sum.get((ccd.rows_prescan + row, ccd.cols_prescan + col)))
            .map_or(0.0, |v| f64::from(*v));
        full + hits.noise.iter().map(|patch| patch.at(row, col)).sum::<f64>()
    };
    let mut total: Vec<Pixel> = Vec::new();
    let signal: HashSet<(u32, u32)> = hits.pixels.iter().map(|p| (p.row, p.col)).collect();
    for pixel in &hits.pixels {
        let energy = (pixel.energy + noise_at(pixel.row, pixel.col)).min(limit);
        if energy > threshold {
            total.push(Pixel { energy, unsaturated: energy, ..*pixel });
        }
    }
    for (row, col) in candidates(hits, context, threshold) {
        if !signal.contains(&(row, col)) {
            let energy = noise_at(row, col).min(limit);
            if energy > threshold {
                total.push(Pixel::noise_only(row, col, energy));
            }
        }
    }
    total.sort_unstable_by_key(|p| (p.row, p.col));
    hits.pixels = total;
    hits.killed = hits.pixels.is_empty();
}

/// Pixels that noise alone may bring above the threshold, each once.
fn candidates(hits: &HitCollection, context: &ResponseContext<'_>, threshold: f64) -> Vec<(u32, u32)> {
    let mut pixels: Vec<(u32, u32)> = Vec::new();
    for patch in &hits.noise {
        let (rows, cols) = patch.values.dim();
        for row in patch.row..patch.row + rows {
            pixels.extend((patch.col..patch.col + cols).map(|col| (row as u32, col as u32)));
        }
    }
    if context.full_noise.sum.is_some() {
        // The sum of a patch and the full noise is judged where the patch is; elsewhere the full noise stands alone.
        pixels.extend(context.full_noise.above(context.ccd, threshold));
    }
    if hits.noise.len() + usize::from(context.full_noise.sum.is_some()) > 1 {
        pixels.sort_unstable();
        pixels.dedup();
    }
    pixels
}
