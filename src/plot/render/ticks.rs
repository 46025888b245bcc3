//! Ticks of an axis: as dense as the labels allow without touching, at 1, 2, 5 × 10ⁿ, at decades, or at round times.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::scale::Scale;
use crate::plot::annotation::{signed, significant, typographic_minus};
use crate::plot::axis::AxisScale;

/// Ticks of an axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ticks {
    /// Value and label.
    pub major: Vec<(f64, String)>,
    /// Values without label.
    pub minor: Vec<f64>,
    /// What belongs to every label: `×10^{3}`, a date.
    pub common: Option<String>,
}

/// The room that labels have.
pub(crate) struct Room<'a> {
    /// Length of the axis in points.
    pub length: f64,
    /// Least distance of labelled ticks in points.
    pub spacing: f64,
    /// Extent of a label along the axis in points.
    pub extent: &'a dyn Fn(&str) -> f64,
}

impl Room<'_> {
    /// Whether these labels stand clear of each other.
    pub fn fits(&self, scale: &Scale, major: &[(f64, String)]) -> bool {
        self.fits_at(&|v| scale.unit(v), major)
    }

    fn fits_at(&self, place: &dyn Fn(f64) -> f64, major: &[(f64, String)]) -> bool {
        if major.len() > 1 && self.length / (major.len() - 1) as f64 <= 2.0 {
            return false;
        }
        let placed: Vec<(f64, f64)> =
            major.iter().map(|(v, label)| (place(*v) * self.length, (self.extent)(label))).collect();
        placed.windows(2).all(|w| (w[1].0 - w[0].0).abs() >= (w[0].1 + w[1].1) / 2.0 + 3.0)
    }

    /// Most labelled ticks.
    fn most(&self) -> f64 {
        (self.length / self.spacing).max(1.0)
    }
}

/// Ticks for `scale`; `integer` allows whole numbers only.
pub(crate) fn ticks(scale: &Scale, integer: bool, room: &Room) -> Ticks {
    let mut ticks = match scale.kind {
        AxisScale::Linear => linear(scale, integer, room),
        AxisScale::Log => logarithmic(scale, integer, room),
        AxisScale::SymLog(linear_below) => symmetric(scale, linear_below, integer, room),
        AxisScale::Time => time(scale, room).unwrap_or_else(|| linear(scale, true, room)),
    };
    // Rounding may put the outermost tick a hair outside.
    ticks.major.retain(|(v, _)| on_axis(scale, *v));
    ticks.minor.retain(|v| on_axis(scale, *v));
    ticks
}

fn on_axis(scale: &Scale, v: f64) -> bool {
    (-1e-9..=1.0 + 1e-9).contains(&scale.unit(v))
}

/// Multiples of `step` in the range; none when there would be too many to draw.
fn multiples(scale: &Scale, step: f64) -> Vec<f64> {
    let slack = 1e-9;
    let (first, last) = ((scale.min / step - slack).ceil(), (scale.max / step + slack).floor());
    if !(last - first).is_finite() || last - first > 1000.0 || first.abs() > 1e15 || last.abs() > 1e15 {
        return Vec::new();
    }
    (0..=(last - first).max(-1.0) as i64).map(|i| (first + i as f64) * step).collect()
}

fn linear(scale: &Scale, integer: bool, room: &Room) -> Ticks {
    let span = scale.max - scale.min;
    let finest = (span / room.most()).log10().floor() as i32;
    let sparse = linear_up_to(scale, integer, room, room.most(), finest);
    if sparse.major.len() > 1 {
        return sparse;
    }
    // One tick tells nothing about the scale: some more, as long as the labels stand clear.
    let dense = linear_up_to(scale, integer, room, 3.0 * room.most().max(2.0), finest - 1);
    if dense.major.len() > 1 && room.fits(scale, &dense.major) { dense } else { sparse }
}

/// The finest ticks with at most `most` steps whose labels stand clear; `finest`: exponent of the smallest step tried.
fn linear_up_to(scale: &Scale, integer: bool, room: &Room, most: f64, finest: i32) -> Ticks {
    let span = scale.max - scale.min;
    let mut best = Ticks::default();
    'search: for exponent in finest..=finest + 3 {
        for (mantissa, parts) in [(1.0, 5), (2.0, 4), (5.0, 5)] {
            let step = mantissa * power_of_ten(exponent);
            if step == 0.0 || (integer && step < 1.0) || span / step > most {
                continue;
            }
            let values = multiples(scale, step);
            let (labels, common) = linear_labels(&values, exponent);
            let candidate = Ticks { minor: linear_minor(scale, step, parts, integer, room), major: labels, common };
            let fits = room.fits(scale, &candidate.major);
            // One tick tells nothing about the scale: two crowded ones are better.
            if best.major.is_empty() || (fits && candidate.major.len() > 1) {
                best = candidate;
            }
            if fits {
                break 'search;
            }
        }
    }
    best
}

/// 10ⁿ, correctly rounded where that matters (tick labels of small steps).
fn power_of_ten(exponent: i32) -> f64 {
    format!("1e{exponent}").parse().unwrap_or(0.0)
}

fn linear_minor(scale: &Scale, step: f64, parts: u32, integer: bool, room: &Room) -> Vec<f64> {
    let small = step / f64::from(parts);
    let distance = small / (scale.max - scale.min) * room.length;
    if distance < 3.5 || (integer && (small < 1.0 || small.fract() != 0.0)) {
        return Vec::new();
    }
    multiples(scale, small)
}

/// Labels with as many decimals as the step needs; very large and very small numbers share a power of ten.
fn linear_labels(values: &[f64], step_exponent: i32) -> (Vec<(f64, String)>, Option<String>) {
    let largest = values.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let shared = if largest > 0.0 && !(1e-3..1e5).contains(&largest) {
        // Exponents in threes, as in units.
        (largest.log10() / 3.0 + 1e-9).floor() as i32 * 3
    } else {
        0
    };
    let decimals = (shared - step_exponent).clamp(0, 20) as usize;
    let label = |v: f64| {
        let scaled = if shared == 0 { v } else { v / power_of_ten(shared) };
        let text = format!("{scaled:.decimals$}");
        // No "−0".
        if text.chars().all(|c| matches!(c, '-' | '0' | '.')) {
            return text.trim_start_matches('-').to_string();
        }
        typographic_minus(&text)
    };
    let common = (shared != 0).then(|| format!("×10^{{{}}}", signed(shared)));
    (values.iter().map(|&v| (v, label(v))).collect(), common)
}

fn logarithmic(scale: &Scale, integer: bool, room: &Room) -> Ticks {
    let (first, last) = (scale.min.log10(), scale.max.log10());
    let decades: Vec<i32> = ((first - 1e-9).ceil() as i32..=(last + 1e-9).floor() as i32).collect();
    let plain = (-3..=4).contains(&(first.floor() as i32)) && last <= 5.0 && decades.len() < 3;
    let inside = |v: &f64| on_axis(scale, *v);
    let minor = |stride: i32| -> Vec<f64> {
        if stride > 1 {
            return decades.iter().map(|&d| power_of_ten(d)).collect();
        }
        let all = (first.floor() as i32..=last.floor() as i32)
            .flat_map(|d| (2..10).map(move |m| f64::from(m) * power_of_ten(d)));
        all.filter(inside).collect()
    };
    // With few decades the digits between them get labels too.
    if last - first < 2.2 {
        for digits in [&[1, 2, 3, 4, 5, 6, 7, 8, 9][..], &[1, 2, 3, 5], &[1, 2, 5], &[1, 3]] {
            let major: Vec<(f64, String)> = (first.floor() as i32..=last.floor() as i32)
                .flat_map(|d| digits.iter().map(move |&m| (m, d)))
                .map(|(m, d)| (f64::from(m) * power_of_ten(d), log_label(m, d, plain)))
                .filter(|(v, _)| inside(v) && (!integer || v.fract() == 0.0))
                .collect();
            let crowded = major.len() as f64 > 1.4 * room.most() + 1.0;
            if major.len() > 2 && !crowded && room.fits(scale, &major) {
                return Ticks { minor: minor(1), major, common: None };
            }
        }
    }
    if decades.len() < 2 {
        let mut ticks = even_ticks(scale, integer, room);
        ticks.major.retain(|(v, _)| *v > 0.0);
        return ticks;
    }
    // One notation for all labels: numbers as long as all of them are short.
    let plain = decades.iter().all(|d| (-3..=3).contains(d));
    let mut stride = 1;
    loop {
        let major: Vec<(f64, String)> = decades
            .iter()
            .filter(|d| d.rem_euclid(stride) == 0)
            .map(|&d| (power_of_ten(d), log_label(1, d, plain)))
            .collect();
        let crowded = major.len() as f64 > 1.6 * room.most() + 1.0;
        if (!crowded && room.fits(scale, &major)) || stride > 600 {
            return Ticks { minor: minor(stride), major, common: None };
        }
        stride += 1;
    }
}

/// Ticks at even steps on an axis that is not even, thinned until the labels stand clear.
fn even_ticks(scale: &Scale, integer: bool, room: &Room) -> Ticks {
    let even = Scale::new(AxisScale::Linear, scale.min, scale.max, scale.reversed);
    let mut ticks = linear(&even, integer, room);
    thin_out(&mut ticks.major, scale, room);
    ticks
}

/// Leaves out every second tick until the labels stand clear.
fn thin_out(major: &mut Vec<(f64, String)>, scale: &Scale, room: &Room) {
    thin_out_at(major, &|v| scale.unit(v), room);
}

/// The same with another function from values to places (0…1 along the axis).
pub(crate) fn thin_out_at(major: &mut Vec<(f64, String)>, place: &dyn Fn(f64) -> f64, room: &Room) {
    while major.len() > 1 && !room.fits_at(place, major) {
        *major = std::mem::take(major).into_iter().step_by(2).collect();
    }
}

/// m·10ᵈ as a label.
fn log_label(m: i32, d: i32, plain: bool) -> String {
    if plain {
        let decimals = (-d).max(0) as usize;
        return format!("{:.decimals$}", f64::from(m) * power_of_ten(d));
    }
    match (m, d) {
        (_, 0) => m.to_string(),
        (1, 1) => "10".into(),
        (1, _) => format!("10^{{{}}}", signed(d)),
        _ => format!("{m}·10^{{{}}}", signed(d)),
    }
}

fn symmetric(scale: &Scale, linear_below: f64, integer: bool, room: &Room) -> Ticks {
    let largest = scale.min.abs().max(scale.max.abs());
    let decades = (largest / linear_below).log10().floor().clamp(0.0, 600.0) as i32;
    let label = |v: f64| typographic_minus(&significant(v, 4));
    let mut stride = 1;
    loop {
        let mut major: Vec<(f64, String)> = Vec::new();
        let powers = || (0..=decades).filter(|k| (k + 1) % stride == 0).map(|k| linear_below * 10f64.powi(k));
        major.extend(powers().rev().map(|v| (-v, label(-v))));
        major.push((0.0, "0".into()));
        major.extend(powers().map(|v| (v, label(v))));
        major.retain(|(v, _)| on_axis(scale, *v) && (!integer || v.fract() == 0.0));
        if major.len() < 2 {
            return even_ticks(scale, integer, room);
        }
        let crowded = major.len() as f64 > 1.6 * room.most() + 1.0;
        if (!crowded && room.fits(scale, &major)) || stride > decades {
            thin_out(&mut major, scale, room);
            let minor = (0..=decades).flat_map(|k| [1.0, -1.0].map(|s| s * linear_below * 10f64.powi(k)));
            return Ticks { minor: minor.collect(), major, common: None };
        }
        stride += 1;
    }
}

/// Seconds between ticks below one day.
const SHORT_STEPS: [i64; 17] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200];
const DAY: i64 = 86_400;

/// Ticks at round dates and times (UTC); `None` outside the years that the calendar covers.
fn time(scale: &Scale, room: &Room) -> Option<Ticks> {
    let span = scale.max - scale.min;
    if span < 4.0 || scale.min < -6.0e10 || scale.max > 2.0e11 {
        return None;
    }
    let moment =
        |s: f64| -> Option<DateTime> { Some(TimeZone::UTC.to_datetime(Timestamp::from_second(s as i64).ok()?)) };
    let seconds = |d: DateTime| TimeZone::UTC.to_timestamp(d).ok().map(|t| t.as_second() as f64);
    let (begin, end) = (moment(scale.min.floor())?, moment(scale.max.ceil())?);
    let mut best = None;
    for step in SHORT_STEPS {
        if span / step as f64 > room.most() {
            continue;
        }
        let values = multiples(scale, step as f64);
        let format = if step < 60 { "%H:%M:%S" } else { "%H:%M" };
        let one_day = begin.date() == end.date();
        let label = |v: f64| {
            let d = moment(v)?;
            let midnight = d.time() == jiff::civil::Time::midnight();
            Some(if midnight && !one_day { day_label(d) } else { d.strftime(format).to_string() })
        };
        let major = values.into_iter().map(|v| Some((v, label(v)?))).collect::<Option<Vec<_>>>()?;
        let common = if one_day { begin.strftime("%Y-%m-%d UTC") } else { end.strftime("%Y UTC") };
        let candidate = Ticks { major, minor: Vec::new(), common: Some(common.to_string()) };
        if candidate.major.len() < 2 {
            break;
        }
        if room.fits(scale, &candidate.major) {
            return Some(candidate);
        }
        best.get_or_insert(candidate);
    }
    for days in [1, 2, 5, 7, 14] {
        if span / (days * DAY) as f64 > room.most() {
            continue;
        }
        let major: Option<Vec<(f64, String)>> =
            multiples(scale, (days * DAY) as f64).into_iter().map(|v| Some((v, day_label(moment(v)?)))).collect();
        let common = Some(year_span(begin, end));
        let candidate = Ticks { major: major?, minor: Vec::new(), common };
        if candidate.major.len() < 2 {
            break;
        }
        if room.fits(scale, &candidate.major) {
            return Some(candidate);
        }
        best.get_or_insert(candidate);
    }
    for months in [1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200] {
        if span / (months as f64 * 30.4 * DAY as f64) > room.most() {
            continue;
        }
        let mut at = begin.date().first_of_month().to_datetime(jiff::civil::Time::midnight());
        if months >= 12 {
            let years = (months / 12) as i16;
            at = jiff::civil::date(at.year().div_euclid(years) * years, 1, 1).at(0, 0, 0, 0);
        } else {
            let month = (at.month() - 1) / months as i8 * months as i8 + 1;
            at = jiff::civil::date(at.year(), month, 1).at(0, 0, 0, 0);
        }
        let mut major = Vec::new();
        while at <= end && major.len() < 500 {
            let v = seconds(at)?;
            if on_axis(scale, v) {
                let format = if months >= 12 { "%Y" } else { "%Y-%m" };
                major.push((v, at.strftime(format).to_string()));
            }
            at = at.checked_add((months as i64).months()).ok()?;
        }
        let candidate = Ticks { major, minor: Vec::new(), common: None };
        if candidate.major.len() > 1 && room.fits(scale, &candidate.major) {
            return Some(candidate);
        }
        if candidate.major.len() < 2 {
            break;
        }
        best.get_or_insert(candidate);
    }
    best
}

fn day_label(d: DateTime) -> String {
    format!("{} {}", d.day(), d.strftime("%b"))
}

fn year_span(begin: DateTime, end: DateTime) -> String {
    if begin.year() == end.year() { begin.year().to_string() } else { format!("{}–{}", begin.year(), end.year()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(kind: AxisScale, min: f64, max: f64, integer: bool, length: f64) -> Ticks {
        let extent = |label: &str| super::super::font::width(label, 10.0);
        let room = Room { length, spacing: 40.0, extent: &extent };
        let scale = Scale::new(kind, min, max, false);
        let ticks = ticks(&scale, integer, &room);
        // The promise of this module, whatever the axis: labels never touch (unless only two are left).
        assert!(ticks.major.len() <= 2 || room.fits(&scale, &ticks.major), "{kind:?} {min} {max}: {:?}", ticks.major);
        ticks
    }

    fn labels(t: &Ticks) -> Vec<&str> {
        t.major.iter().map(|(_, l)| l.as_str()).collect()
    }

    #[test]
    fn linear_ticks_are_round() {
        assert_eq!(labels(&make(AxisScale::Linear, 0.0, 10.0, false, 300.0)), ["0", "2", "4", "6", "8", "10"]);
        assert_eq!(
            labels(&make(AxisScale::Linear, -0.025, 0.04, false, 350.0)),
            ["−0.02", "−0.01", "0.00", "0.01", "0.02", "0.03", "0.04"]
        );
        assert_eq!(labels(&make(AxisScale::Linear, 4806.5, 4815.5, false, 250.0)), ["4808", "4810", "4812", "4814"]);
    }

    #[test]
    fn large_and_small_numbers_share_a_power_of_ten() {
        let t = make(AxisScale::Linear, 0.0, 3.0e5, false, 300.0);
        assert_eq!(
            (labels(&t), t.common.as_deref()),
            (vec!["0", "50", "100", "150", "200", "250", "300"], Some("×10^{3}"))
        );
        let t = make(AxisScale::Linear, -2e-4, 2e-4, false, 300.0);
        assert_eq!((labels(&t), t.common.as_deref()), (vec!["−200", "−100", "0", "100", "200"], Some("×10^{−6}")));
    }

    #[test]
    fn integer_axes_have_whole_ticks() {
        assert_eq!(labels(&make(AxisScale::Linear, -0.2, 3.2, true, 300.0)), ["0", "1", "2", "3"]);
        assert!(make(AxisScale::Linear, 0.0, 3.0, true, 300.0).minor.iter().all(|v| v.fract() == 0.0));
    }

    #[test]
    fn decades_are_labelled_as_powers() {
        let t = make(AxisScale::Log, 0.5, 20_000.0, false, 200.0);
        assert_eq!(labels(&t), ["1", "10", "10^{2}", "10^{3}", "10^{4}"]);
        assert!(t.minor.contains(&20.0) && !t.minor.contains(&30_000.0));
        // 1e-11 to 0.1, crowded: a stride of decades.
        let t = make(AxisScale::Log, 1e-11, 0.1, false, 150.0);
        assert!(labels(&t).len() < 7 && labels(&t).iter().all(|l| l.starts_with("10^{−")), "{t:?}");
    }

    #[test]
    fn short_logarithmic_axes_label_digits() {
        assert_eq!(
            labels(&make(AxisScale::Log, 2900.0, 8000.0, false, 200.0)),
            ["3000", "4000", "5000", "6000", "7000", "8000"]
        );
        assert!(labels(&make(AxisScale::Log, 3.1, 3.3, false, 200.0)).len() >= 2);
        assert_eq!(labels(&make(AxisScale::Log, 1.0, 2000.0, false, 300.0)), ["1", "10", "100", "1000"]);
    }

    #[test]
    fn symmetric_logarithm_shows_both_signs() {
        let t = make(AxisScale::SymLog(1.0), -100.0, 100.0, false, 400.0);
        assert_eq!(labels(&t), ["−100", "−10", "−1", "0", "1", "10", "100"]);
    }

    #[test]
    fn times_are_round() {
        // 2025-08-07 17:02:13 UTC, six hours.
        let start = 1_754_586_133.0;
        let t = make(AxisScale::Time, start, start + 6.0 * 3600.0, false, 320.0);
        assert_eq!(labels(&t), ["18:00", "19:00", "20:00", "21:00", "22:00", "23:00"]);
        assert_eq!(t.common.as_deref(), Some("2025-08-07 UTC"));
        let t = make(AxisScale::Time, start, start + 6.0 * 86_400.0, false, 320.0);
        assert_eq!(labels(&t)[0], "8 Aug");
        assert_eq!(t.common.as_deref(), Some("2025"));
        let t = make(AxisScale::Time, start, start + 400.0 * 86_400.0, false, 320.0);
        assert!(labels(&t).contains(&"2026-01"), "{t:?}");
    }

    #[test]
    fn every_range_gives_few_ticks_inside() {
        let ends = [-1e300, -1e10, -3.3, -1e-20, 0.0, 1e-300, 1e-20, 0.7, 1.0, 1.0 + 1e-9, 1e10, 2e11, 1e300];
        for kind in [AxisScale::Linear, AxisScale::Log, AxisScale::SymLog(0.1), AxisScale::Time] {
            for (i, &a) in ends.iter().enumerate() {
                for &b in &ends[i + 1..] {
                    for length in [0.0, 5.0, 80.0, 600.0] {
                        for integer in [false, true] {
                            let t = make(kind, a, b, integer, length);
                            assert!(t.major.len() <= 40 && t.minor.len() <= 1300, "{kind:?} {a} {b} {length}");
                        }
                    }
                }
            }
        }
    }
}
