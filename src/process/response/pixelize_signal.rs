//! PixelizeSignal: hits or electrons are summed in pixels (spec 07 §4.3).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::process::digitize::{
    Ccd, DigitizeProcess, Hit, HitCollection, ParticleFlags, Pixel, Recorded, ResponseContext, ResponseError,
};

const NAME: &str = "PixelizeSignal";

const NEUTRON: i32 = 2112;
const PHOTON: i32 = 22;
const ALPHA: i32 = 1_000_020_040;
const ELECTRON: i32 = 11;
/// Codes of ions are above this.
const FIRST_ION: i32 = 1_000_000_000;
/// Silicon-28 to silicon-30, with their excited states.
const SILICON: std::ops::RangeInclusive<i32> = 1_000_140_280..=1_000_140_309;

/// Parameters of PixelizeSignal.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PixelizeSignal {
    /// First active column.
    pub shift_pixel_in_x: usize,
    /// First active row.
    pub shift_pixel_in_y: usize,
    /// Columns of the CCD (older files; overrides CF).
    #[serde(rename = "N_pixels_in_x", skip_serializing_if = "Option::is_none")]
    pub cols: Option<usize>,
    /// Rows of the CCD (older files; overrides CF).
    #[serde(rename = "N_pixels_in_y", skip_serializing_if = "Option::is_none")]
    pub rows: Option<usize>,
    /// Pixel size along x, mm (older files; overrides CF).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixel_size_in_x: Option<f64>,
    /// Pixel size along y, mm (older files; overrides CF).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixel_size_in_y: Option<f64>,
}

impl PixelizeSignal {
    /// Lets the keys of older files override the CCD; returns what was overridden.
    pub fn override_ccd(&self, ccd: &mut Ccd) -> Vec<&'static str> {
        let mut keys = Vec::new();
        let mut set = |key: &'static str, old: &mut f64, new: Option<f64>| {
            if let Some(new) = new {
                *old = new;
                keys.push(key);
            }
        };
        set("pixel_size_in_x", &mut ccd.pixel_x, self.pixel_size_in_x);
        set("pixel_size_in_y", &mut ccd.pixel_y, self.pixel_size_in_y);
        for (key, old, new) in
            [("N_pixels_in_x", &mut ccd.cols, self.cols), ("N_pixels_in_y", &mut ccd.rows, self.rows)]
        {
            if let Some(new) = new {
                *old = new;
                keys.push(key);
            }
        }
        keys
    }
}

impl DigitizeProcess for PixelizeSignal {
    fn name(&self) -> &'static str {
        NAME
    }

    fn sequence_id(&self) -> u32 {
        30
    }

    fn execute(&self, hits: &mut HitCollection, context: &ResponseContext<'_>) -> Result<(), ResponseError> {
        let ccd = context.ccd;
        let rows = self.shift_pixel_in_y as f64..(self.shift_pixel_in_y + ccd.rows) as f64;
        let cols = self.shift_pixel_in_x as f64..(self.shift_pixel_in_x + ccd.cols) as f64;
        let mut order: Vec<(u32, u32, u32)> = Vec::with_capacity(hits.hits.len());
        for (i, hit) in hits.hits.iter().enumerate() {
            let (row, col) = ((hit.y / ccd.pixel_y).floor(), (hit.x / ccd.pixel_x).floor());
            if rows.contains(&row) && cols.contains(&col) {
                order.push((row as u32, col as u32, i as u32));
            }
        }
        order.sort_unstable();
        hits.pixels = order
            .chunk_by(|a, b| (a.0, a.1) == (b.0, b.1))
            .map(|same| {
                let inside: Vec<&Hit> = same.iter().map(|&(.., i)| &hits.hits[i as usize]).collect();
                pixel(same[0].0, same[0].1, &inside, ccd.image_time)
            })
            .filter(|pixel| pixel.energy > 0.0)
            .collect();
        hits.pixelized = true;
        hits.killed = hits.pixels.is_empty();
        Ok(())
    }

    fn recorded(&self) -> Vec<(&'static str, Recorded)> {
        vec![("shift_pixel_in_x", self.shift_pixel_in_x.into()), ("shift_pixel_in_y", self.shift_pixel_in_y.into())]
    }
}

/// The pixel that holds these hits, at least one.
fn pixel(row: u32, col: u32, hits: &[&Hit], image_time: f64) -> Pixel {
    let n = hits.len() as f64;
    let mean = |value: fn(&Hit) -> f64| hits.iter().map(|h| value(h)).sum::<f64>() / n;
    let energy: f64 = hits.iter().map(|h| h.energy).sum();
    let weighted_time = hits.iter().map(|h| h.energy * h.time).sum::<f64>() / energy;
    let mean_time = mean(|h| h.time);
    let variance = hits.iter().map(|h| (h.time - mean_time).powi(2)).sum::<f64>() / n;
    let mut counts: BTreeMap<i32, u32> = BTreeMap::new();
    for hit in hits {
        *counts.entry(hit.pdg).or_default() += 1;
    }
    // Of equally frequent codes the smallest.
    let pdg = counts.iter().rev().max_by_key(|(_, n)| **n).map_or(-1, |(code, _)| *code);
    let any = |test: fn(i32) -> bool| counts.keys().any(|code| test(*code));
    Pixel {
        row,
        col,
        energy,
        charge: hits.iter().map(|h| h.charge).sum(),
        z: mean(|h| h.z),
        sigma: mean(|h| h.sigma),
        time: weighted_time,
        std_time: variance.sqrt(),
        window: (weighted_time / image_time).floor() as i64,
        pdg,
        flags: ParticleFlags {
            neutron: any(|c| c == NEUTRON),
            gamma: any(|c| c == PHOTON),
            silicon: pdg > FIRST_ION && any(|c| SILICON.contains(&c)),
            alpha: any(|c| c == ALPHA),
            ion: any(|c| c > FIRST_ION),
            electron: any(|c| c.abs() == ELECTRON),
        },
        unsaturated: energy,
    }
}
