//! Hit collections: the deposits of an event, by CCD and time window (spec 07 §3).

use std::collections::BTreeMap;

use super::config::CcdConfig;
use super::geant4_input::{Event, RawHit};
use crate::process::digitize::{Ccd, Hit, HitCollection};

/// Positions may lie outside by this much through rounding, mm.
const ROUNDING: f64 = 1e-6;

/// The collections of an event, ordered by CCD and window; `shift` is added to the number of the event.
pub fn collections(event: &Event, shift: i64, cf: &CcdConfig, ccd: &Ccd) -> Vec<HitCollection> {
    let mut groups: BTreeMap<(i32, i64), Vec<&RawHit>> = BTreeMap::new();
    for hit in &event.hits {
        let window = (hit.time / ccd.image_time).floor();
        groups.entry((hit.ccd, window as i64)).or_default().push(hit);
    }
    let mut number = (0, 0);
    groups
        .into_iter()
        .map(|((ccd_number, window), raw)| {
            number = if number.0 == ccd_number { (ccd_number, number.1 + 1) } else { (ccd_number, 0) };
            let mut collection = HitCollection {
                event: event.id + shift,
                ccd: ccd_number,
                window,
                window_number: number.1,
                ..HitCollection::default()
            };
            for hit in raw {
                match inside(hit, cf, ccd) {
                    Some(hit) => collection.hits.push(hit),
                    None => collection.outside += 1,
                }
            }
            collection.killed = collection.hits.is_empty();
            collection
        })
        .collect()
}

/// The hit in the frame of the CCD, if it lies inside and in the range of depths asked for.
fn inside(raw: &RawHit, cf: &CcdConfig, ccd: &Ccd) -> Option<Hit> {
    let [x, y, depth] = raw.position;
    let mut z = if cf.invert_ccd_z_values { ccd.thickness - depth } else { depth };
    if let Some(offset) = cf.z_offset
        && !(offset..=offset + ccd.thickness).contains(&z)
    {
        return None;
    }
    let clamp = |value: f64, length: f64| {
        let within = value >= -ROUNDING && value <= length + ROUNDING;
        within.then(|| value.clamp(0.0, length))
    };
    // A hit on the far edge belongs to the last pixel.
    let last = |length: f64| length * (1.0 - f64::EPSILON);
    let (width, height) = (ccd.cols as f64 * ccd.pixel_x, ccd.rows as f64 * ccd.pixel_y);
    let x = clamp(x, width)?.min(last(width));
    let y = clamp(y, height)?.min(last(height));
    z = clamp(z, ccd.thickness)?;
    let usable = raw.energy.is_finite() && raw.energy >= 0.0 && raw.time.is_finite();
    usable.then_some(Hit { x, y, z, energy: raw.energy, time: raw.time, pdg: raw.pdg, charge: 0, sigma: 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(ccd: i32, position: [f64; 3], time: f64) -> RawHit {
        RawHit { ccd, position, energy: 10.0, time, pdg: 11 }
    }

    fn made(hits: Vec<RawHit>, cf: &CcdConfig) -> Vec<HitCollection> {
        let ccd = crate::process::response::tests_support::ccd(100, 200);
        collections(&Event { id: 7, hits, primaries: Vec::new() }, 100, cf, &ccd)
    }

    #[test]
    fn hits_are_grouped_by_ccd_and_window_and_depths_are_turned() {
        let cf = CcdConfig::default();
        let late = 1.5e9 * 86400.0;
        let all = made(vec![hit(2, [0.1, 0.2, 0.0], 0.0), hit(1, [0.0; 3], late), hit(1, [0.0, 0.0, 0.675], 1.0)], &cf);
        let keys: Vec<_> = all.iter().map(|c| (c.event, c.ccd, c.window, c.window_number)).collect();
        assert_eq!(keys, [(107, 1, 0, 0), (107, 1, 1, 1), (107, 2, 0, 0)]);
        assert_eq!(all[0].hits[0].z, 0.0);
        assert_eq!(all[2].hits[0].z, 0.675);
    }

    #[test]
    fn hits_outside_are_dropped_one_by_one_and_counted() {
        let cf = CcdConfig::default();
        let bad = [[-0.1, 0.2, 0.3], [0.1, -0.2, 0.3], [3.1, 0.2, 0.3], [0.1, 0.2, 0.7], [f64::NAN, 0.2, 0.3]];
        let mut hits: Vec<RawHit> = bad.into_iter().map(|p| hit(1, p, 0.0)).collect();
        hits.push(hit(1, [1.0, 1.0, 0.3], 0.0));
        // the edge itself, and beyond it by rounding
        hits.push(hit(1, [3.0, 1.5 + 1e-9, 0.675 + 1e-9], 0.0));
        let all = made(hits, &cf);
        assert_eq!((all.len(), all[0].hits.len(), all[0].outside, all[0].killed), (1, 2, 5, false));
        assert_eq!((all[0].hits[1].x / 0.015).floor(), 199.0);
        let cut = CcdConfig { z_offset: Some(0.5), invert_ccd_z_values: false, ..cf };
        assert!(made(vec![hit(1, [1.0, 1.0, 0.3], 0.0)], &cut)[0].killed);
    }
}
