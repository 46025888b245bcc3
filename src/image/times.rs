//! Times of exposure and readout from the header (spec 01 §4.11).
//!
//! Strings without offset are UTC unless `datetime.timezone` says otherwise. Exposure and readout time are in seconds,
//! whatever the unit of their cards.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, fmt::strtime};

use super::error::ImageError;
use super::keywords::{Found, Keywords, names};
use super::raw_data::Times;
use super::report::Report;
use crate::config::OneOrMany;
use crate::config::input::{InputConfig, TimeUnit};

/// Keywords that are known to hold milliseconds.
const MILLISECONDS: [&str; 2] = ["MEXP", "MREAD"];

/// Reads the times; what is missing or cannot be understood becomes a warning in `report`.
///
/// # Errors
/// If the time zone of the configuration makes no sense.
pub fn read_times(keywords: &Keywords, config: &InputConfig, report: &mut Report) -> Result<Times, ImageError> {
    let datetime = &config.datetime;
    let zone =
        time_zone(&datetime.timezone).ok_or_else(|| ImageError::TimeZone { found: datetime.timezone.clone() })?;
    let mut date = |key: &str, names: &OneOrMany<String>| read_date(keywords, key, names, &zone, report);
    let exposure_start = date("exposure_start", &datetime.exposure_start);
    let readout_start = date("readout_start", &datetime.readout_start);
    let readout_end = date("readout_end", &datetime.readout_end);

    let convention = &config.convention;
    let exposure = duration(
        keywords,
        "convention.exposure_time",
        &convention.exposure_time,
        convention.exposure_time_unit,
        report,
    )
    .or_else(|| {
        let fallback = datetime.exposure_time.as_ref()?;
        duration(keywords, "datetime.exposure_time", fallback, Some(TimeUnit::Seconds), report)
    });
    let exposure = exposure.unwrap_or_else(|| {
        warn_missing(keywords, "convention.exposure_time", &convention.exposure_time, "counts as 0 s", report);
        0.0
    });

    let readout = duration(keywords, "convention.read_time", &convention.read_time, convention.read_time_unit, report)
        .or_else(|| {
            let fallback = datetime.read_time.as_ref()?;
            duration(keywords, "datetime.read_time", fallback, Some(TimeUnit::Milliseconds), report)
        });
    let readout_from_dates = readout.is_none();
    let readout = readout.unwrap_or_else(|| {
        let from_dates = readout_end - readout_start;
        if from_dates.is_finite() {
            report.inform("readout time taken from the dates of its start and end");
        } else {
            warn_missing(keywords, "convention.read_time", &convention.read_time, "is unknown", report);
        }
        from_dates
    });
    Ok(Times { exposure_start, readout_start, readout_end, exposure, readout, readout_from_dates })
}

/// The time zone of a text: `UTC`, `local` or `±HH:MM`; `None` if it is something else.
pub fn time_zone(text: &str) -> Option<TimeZone> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("utc") {
        return Some(TimeZone::UTC);
    }
    if text.eq_ignore_ascii_case("local") {
        return Some(TimeZone::system());
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':').or_else(|| rest.split_at_checked(2))?;
    let number = |s: &str, limit: i32| {
        let digits = !s.is_empty() && s.len() <= 2 && s.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| s.parse::<i32>().ok()).flatten().filter(|n| *n <= limit)
    };
    let seconds = sign * (number(hours, 23)? * 3600 + number(minutes, 59)? * 60);
    Offset::from_seconds(seconds).ok().map(TimeZone::fixed)
}

/// POSIX seconds of a date such as `2025-08-07T17:02:13.624482`, with blank or `T`, with or without offset, or
/// `Sun Nov 15 23:31:53 2020`.
pub fn parse_date(text: &str, zone: &TimeZone) -> Option<f64> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(posix_seconds(timestamp));
    }
    let civil = text.parse::<DateTime>().ok().or_else(|| {
        let parts = strtime::parse("%a %b %d %H:%M:%S %Y", &text).ok()?;
        parts.to_datetime().ok()
    })?;
    zone.to_timestamp(civil).ok().map(posix_seconds)
}

/// The nearest double: microseconds are exact integers below 2⁵³.
fn posix_seconds(timestamp: Timestamp) -> f64 {
    let nanoseconds = timestamp.as_nanosecond();
    if nanoseconds % 1000 == 0 { (nanoseconds / 1000) as f64 / 1e6 } else { nanoseconds as f64 / 1e9 }
}

fn read_date(keywords: &Keywords, key: &str, wanted: &OneOrMany<String>, zone: &TimeZone, report: &mut Report) -> f64 {
    let Some(Found { card, hdu }) = keywords.find(wanted) else {
        warn_missing(keywords, &format!("datetime.{key}"), wanted, "is unknown", report);
        return f64::NAN;
    };
    let text = card.value.to_text();
    parse_date(&text, zone).unwrap_or_else(|| {
        report.warn(format!("{} in HDU {hdu} (`input.datetime.{key}`) is no date: `{text}`", card.keyword));
        f64::NAN
    })
}

/// A time in seconds from a card; `None` if there is none or it is not a number.
fn duration(
    keywords: &Keywords,
    key: &str,
    wanted: &OneOrMany<String>,
    unit: Option<TimeUnit>,
    report: &mut Report,
) -> Option<f64> {
    let Found { card, hdu } = keywords.find(wanted)?;
    let Some(value) = card.value.as_f64().filter(|x| x.is_finite()) else {
        let text = card.value.to_text();
        report.warn(format!("{} in HDU {hdu} (`input.{key}`) is no number: `{text}`", card.keyword));
        return None;
    };
    let comment = &card.comment;
    let milliseconds = match unit {
        Some(unit) => unit == TimeUnit::Milliseconds,
        None if comment.contains("(ms)") => true,
        None if comment.contains("(s)") => false,
        None => MILLISECONDS.contains(&card.keyword.as_str()),
    };
    Some(if milliseconds { value / 1000.0 } else { value })
}

/// A warning about a keyword that is not in the header; none if the look-up is disabled.
fn warn_missing(keywords: &Keywords, key: &str, wanted: &OneOrMany<String>, consequence: &str, report: &mut Report) {
    let names = names(wanted);
    if !names.is_empty() {
        let what = key.rsplit('.').next().unwrap_or(key).replace('_', " ");
        let place = keywords.place();
        report.warn(format!("the {what} {consequence}: no keyword {names} (`input.{key}`) in {place}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_the_acquisition_programs_are_understood() {
        let utc = TimeZone::UTC;
        let iso = 1754586133.624482;
        for text in [
            "2025-08-07T17:02:13.624482",
            "2025-08-07 17:02:13.624482",
            "2025-08-07T17:02:13.624482Z",
            "2025-08-07T19:02:13.624482+02:00",
            "  2025-08-07  17:02:13.624482 ",
        ] {
            assert_eq!(parse_date(text, &utc), Some(iso), "{text}");
        }
        assert_eq!(parse_date("2025-08-07T18:13:23.968173", &utc), Some(1754590403.968173));
        // date -u -d '2020-11-15 23:31:53' +%s
        assert_eq!(parse_date("Sun Nov 15 23:31:53 2020", &utc), Some(1605483113.0));
        assert_eq!(parse_date("Thu Nov  5 23:31:53 2020", &utc), Some(1604619113.0));
        for text in ["", "yesterday", "2025-13-07T17:02:13", "17:02:13", "0"] {
            assert_eq!(parse_date(text, &utc), None, "{text}");
        }
    }

    #[test]
    fn strings_without_offset_are_read_in_the_configured_zone() {
        // the recorded file was made on a computer at UTC−7
        let zone = time_zone("-07:00").unwrap();
        assert_eq!(parse_date("2025-08-07T17:02:13.624482", &zone), Some(1754586133.624482 + 25200.0));
        assert_eq!(parse_date("2025-08-07T17:02:13.624482Z", &zone), Some(1754586133.624482));
        assert!(time_zone("local").is_some() && time_zone("utc").is_some());
        assert_eq!(time_zone("+0530").unwrap().to_fixed_offset().unwrap().seconds(), 19800);
        for text in ["", "CET", "+2", "+24:00", "+02:60", "02:00", "+é0:00"] {
            assert!(time_zone(text).is_none(), "{text}");
        }
    }
}
