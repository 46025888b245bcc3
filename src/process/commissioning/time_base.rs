//! The time between two samples of a pixel and between two pixels (spec 04 §4.2).
//!
//! ```text
//! t_pix = T·A/(R·C)      t_s = t_pix/S
//! ```
//!
//! T: readout time of an extension of R rows and C columns, read by A amplifiers at the same time with S skips each.

use crate::image::{RawData, Side};

/// Sampling times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeBase {
    /// Time between two samples of a pixel, s.
    pub sample: f64,
    /// Time between two pixels, s.
    pub pixel: f64,
}

/// The time base of an amplifier; `sample_time` (s) overrides the header. `None` if nothing tells it.
pub fn time_base(raw: &RawData, amplifier: usize, sample_time: Option<f64>) -> Option<TimeBase> {
    let skips = if raw.cube.is_some() { raw.nskips } else { raw.ndcm }.max(1) as f64;
    if let Some(sample) = sample_time.filter(|t| t.is_finite() && *t > 0.0) {
        return Some(TimeBase { sample, pixel: sample * skips });
    }
    let readout = readout_time(raw)?;
    let owner = raw.amplifiers.get(amplifier)?;
    let together = if owner.side == Side::Single { 1.0 } else { 2.0 };
    let pixels = owner.full.rows.len() * raw.cols;
    let pixel = readout * together / pixels as f64;
    (pixel.is_finite() && pixel > 0.0).then_some(TimeBase { sample: pixel / skips, pixel })
}

/// Readout time, s: from its card, else `READOUT_SEC`, else from the dates, without the exposure where start of
/// exposure and readout are the same card.
pub fn readout_time(raw: &RawData) -> Option<f64> {
    let times = &raw.times;
    let between_dates = times.readout_end - times.readout_start;
    let time = if times.readout.is_finite() && !times.readout_from_dates {
        times.readout
    } else if let Some(seconds) = raw.header.number("READOUT_SEC") {
        seconds
    } else if times.readout_start == times.exposure_start {
        between_dates - times.exposure
    } else {
        between_dates
    };
    (time.is_finite() && time > 0.0).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fits::Card;
    use ndarray::Array2;

    /// The ACM header of spec 04 §4.2.
    fn acm() -> RawData {
        let mut raw = RawData::from_image("mean_compressed", Array2::zeros((320, 640)));
        raw.ndcm = 500;
        raw.times.exposure_start = 1000.0;
        raw.times.readout_start = 1000.0;
        raw.times.readout_end = 1000.0 + 4270.344;
        raw.times.readout = raw.times.readout_end - raw.times.readout_start;
        raw.times.readout_from_dates = true;
        raw.times.exposure = 500.0;
        raw
    }

    #[test]
    fn times_of_a_real_header() {
        let mut raw = acm();
        raw.header.push(Card::new("READOUT_SEC", 3769.877, "s"));
        let times = time_base(&raw, 0, None).unwrap();
        // spec 04 §4.2: 18.4076 ms, 36.815 µs
        assert!((times.pixel - 18.4076e-3).abs() < 5e-8, "{times:?}");
        assert!((times.sample - 36.815e-6).abs() < 5e-10);
        assert!((1.0 / (640.0 * times.pixel) - 0.084883).abs() < 5e-7);
    }

    #[test]
    fn dates_without_the_exposure_and_a_card_before_them() {
        let mut raw = acm();
        assert!((readout_time(&raw).unwrap() - 3770.344).abs() < 1e-9);
        raw.times.exposure_start = 500.0;
        assert!((readout_time(&raw).unwrap() - 4270.344).abs() < 1e-9);
        raw.times.readout = 4000.0;
        raw.times.readout_from_dates = false;
        assert_eq!(readout_time(&raw), Some(4000.0));
        // a card that says what the dates say is a card: the exposure is not part of it
        raw.times.exposure_start = raw.times.readout_start;
        raw.times.readout = raw.times.readout_end - raw.times.readout_start;
        assert!((readout_time(&raw).unwrap() - 4270.344).abs() < 1e-9);
        raw.times = crate::image::raw_data::Times::default();
        assert_eq!(readout_time(&raw), None);
        assert_eq!(time_base(&raw, 0, None), None);
        assert_eq!(time_base(&raw, 0, Some(2e-5)).unwrap().pixel, 2e-5 * 500.0);
    }

    #[test]
    fn two_amplifiers_read_at_the_same_time() {
        let mut raw = acm();
        (raw.times.readout, raw.times.readout_from_dates) = (100.0, false);
        let single = time_base(&raw, 0, None).unwrap();
        raw.amplifiers[0].side = Side::U;
        raw.amplifiers[0].full.cols = 320..640;
        assert_eq!(time_base(&raw, 0, None).unwrap().pixel, 2.0 * single.pixel);
    }
}
