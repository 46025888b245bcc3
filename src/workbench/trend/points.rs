//! Values of the images, in the order of time.

use std::path::PathBuf;

use super::{DAY, Horizontal, Parameters, TrendArgs};
use crate::stats::robust::trimmed_mean_and_std;
use crate::workbench::error::BenchResult;
use crate::workbench::files::{Cards, FitsFile, name_of, range_of};
use crate::workbench::results::Results;

/// Keywords that may hold the time of an image.
const DATES: [&str; 7] = ["EXPSTART", "DATESTART", "DATEINI", "RDSTART", "RDSTRT", "DATE", "DATE-OBS"];

/// Keywords of the binning: columns, rows.
const BINNING: [&str; 2] = ["NSBIN", "NPBIN"];
/// Units of `PSAMP` and `SSAMP` in a microsecond.
const SAMPLES_PER_MICROSECOND: f64 = 15.0;

/// What is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Quantity {
    /// Value of a card.
    Card {
        /// Keyword.
        key: String,
        /// Keyword of the error.
        error: Option<String>,
        /// Whether an image without the error is left out.
        with_error: bool,
    },
    /// Dark current, e⁻/pix/day.
    DarkCurrent,
    /// Single-electron rate, e⁻/pix/image.
    Rate,
    /// Noise of a region.
    Noise,
}

impl Quantity {
    /// Short name, for files.
    pub fn name(&self) -> String {
        match self {
            Self::Card { key, .. } => key.clone(),
            Self::DarkCurrent => "DC".into(),
            Self::Rate => "RATE".into(),
            Self::Noise => "STD".into(),
        }
    }

    /// Unit, as far as it is known.
    pub fn unit(&self, args: &TrendArgs) -> &'static str {
        match self {
            Self::Card { key, .. } if args.per_day && key.starts_with("MEDC") => "ADU/pix/day",
            Self::Card { .. } if args.per_day => "1/pix/day",
            Self::Card { key, .. } if ["MEGAIN", "MECAL"].iter().any(|k| key.starts_with(k)) => "ADU/e-",
            Self::Card { key, .. } if ["MESIG", "MEMU0", "MECOFF", "MEDC"].iter().any(|k| key.starts_with(k)) => "ADU",
            Self::Card { .. } | Self::Noise => "",
            Self::DarkCurrent => "e-/pix/day",
            Self::Rate => "e-/pix/image",
        }
    }

    /// The keyword by which the series are told apart.
    fn leading_key(&self) -> &str {
        match self {
            Self::Card { key, .. } => key,
            _ => "MEDC",
        }
    }
}

/// One image.
pub struct Image {
    name: String,
    cards: Cards,
    /// Unix seconds; NaN if unknown.
    time: f64,
    /// Exposure and readout, s, or which of the cards of --dates is missing.
    times: Result<(f64, f64), String>,
    /// Standard deviation of the region and its error, with --std.
    noise: (f64, f64),
}

/// One value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Unix seconds; NaN if unknown.
    pub time: f64,
    /// Number of the image in the order of time.
    pub image: usize,
    /// On the horizontal axis.
    pub x: f64,
    /// Value.
    pub y: f64,
    /// Its error; NaN if unknown.
    pub error: f64,
}

/// The values of one amplifier.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Ending of the keywords.
    pub suffix: String,
    /// Name that --modules gives to it.
    pub module: Option<String>,
    /// Values in the order of time.
    pub points: Vec<Point>,
}

impl Series {
    /// Name of what is drawn.
    pub fn label(&self, quantity: &Quantity) -> String {
        if let Some(module) = &self.module {
            return format!("{} {module}", quantity.name());
        }
        match (quantity, self.suffix.is_empty()) {
            (Quantity::Card { key, .. }, _) => format!("{key}{}", self.suffix),
            (_, true) => quantity.name(),
            (_, false) => format!("{} {}", quantity.name(), self.suffix),
        }
    }
}

/// Reads the headers; the images are sorted by time. A file that cannot be read is left out.
///
/// # Errors
/// If no file can be read, or the region of --std makes no sense.
pub fn read(
    args: &TrendArgs,
    parameters: &Parameters,
    files: &[PathBuf],
    results: &mut Results,
) -> BenchResult<Vec<Image>> {
    let read = results.read_each(files, |_, path, results| {
        let file = FitsFile::open(path)?;
        let cards = file.cards(file.find(&args.ext)?)?;
        let keys: Vec<&str> = args.dates.as_ref().map_or(DATES.to_vec(), |keys| vec![keys[0].as_str()]);
        let time = cards.date(&keys).unwrap_or(f64::NAN);
        if time.is_nan() && parameters.horizontal == Horizontal::Time {
            results.warn(format!("{}: no date in {}; the image was left out", name_of(path), keys.join(", ")));
            return Ok(None);
        }
        let times = match args.dates.as_deref() {
            Some([begin, end, exposure]) => times_of(&cards, begin, end, exposure),
            _ => Ok(cards.times()),
        };
        let noise = if args.std { region_noise(args, &file)? } else { (f64::NAN, f64::NAN) };
        Ok(Some(Image { name: name_of(path), cards, time, times, noise }))
    })?;
    let mut images: Vec<Image> = read.into_iter().flatten().collect();
    images.sort_by(|a, b| a.time.total_cmp(&b.time).then_with(|| a.name.cmp(&b.name)));
    images.truncate(args.nfile.unwrap_or(usize::MAX));
    Ok(images)
}

/// Exposure and readout, s, from the cards of --dates.
fn times_of(cards: &Cards, begin: &str, end: &str, exposure: &str) -> Result<(f64, f64), String> {
    let date = |key: &str| cards.date(&[key]).ok_or_else(|| format!("date {key}"));
    let span = date(end)? - date(begin)?;
    let exposure = cards.number(exposure).ok_or_else(|| format!("number {exposure}"))?;
    Ok((exposure, (span - exposure).max(0.0)))
}

/// Trimmed standard deviation of the region, with its error.
fn region_noise(args: &TrendArgs, file: &FitsFile) -> BenchResult<(f64, f64)> {
    let image = file.image(file.find_data(Some(&args.ext), &[])?)?;
    let rows = range_of(&args.rrows, image.nrows(), "--rrows")?;
    let cols = range_of(&args.rcols, image.ncols(), "--rcols")?;
    let mut values = Vec::new();
    for row in rows {
        values.extend(cols.clone().map(|col| image[[row, col]]).filter(|q| q.is_finite()));
    }
    let (_, std) = trimmed_mean_and_std(&values, args.cuttail);
    let kept = values.len() as f64 * (1.0 - 2.0 * args.cuttail);
    Ok((std, std / (2.0 * kept.max(1.0)).sqrt()))
}

/// The series of a quantity, one per amplifier.
pub fn series(
    args: &TrendArgs,
    quantity: &Quantity,
    horizontal: &Horizontal,
    images: &[Image],
    results: &mut Results,
) -> Vec<Series> {
    let suffixes = suffixes(args, quantity, images);
    let mut found = Vec::new();
    for (k, suffix) in suffixes.iter().enumerate() {
        let mut points = Vec::new();
        let mut collected = 0.0;
        for (number, image) in images.iter().enumerate() {
            let x = match horizontal {
                Horizontal::Time => Ok(image.time),
                Horizontal::Image => Ok(number as f64),
                Horizontal::Exposure => collecting(image).map(|days| {
                    collected += days;
                    collected
                }),
                Horizontal::Key(key) => {
                    let number = image.cards.number(&format!("{key}{suffix}")).or_else(|| image.cards.number(key));
                    let factor = if microseconds(quantity, key) { 1.0 / SAMPLES_PER_MICROSECOND } else { 1.0 };
                    number.map(|x| x * factor).ok_or_else(|| format!("number {key}"))
                }
            };
            match value(args, quantity, suffix, image).and_then(|value| Ok((x?, value))) {
                Ok((x, (y, error))) => points.push(Point { time: image.time, image: number, x, y, error }),
                // Files of one amplifier each need not tell of the others; a file without any of them is named once.
                Err(_) if is_of_others(&suffixes, suffix, quantity, image) => {}
                Err(missing) => {
                    results.warn(format!("{}: there is no {missing}; the image was left out", image.name));
                }
            }
        }
        if !points.is_empty() {
            found.push(Series { suffix: suffix.clone(), module: args.modules.get(k).cloned(), points });
        } else if !args.amp.is_empty() && suffixes.len() > 1 {
            results.warn(format!("no image holds {}{suffix}", quantity.leading_key()));
        }
    }
    found
}

/// Days in which a pixel collected charge, exposure and half of the readout, on average. A joined image tells it itself
/// (`CTBINEXP`, `CTBINPIX`, seconds, of each of its `CNUMIMG` images).
fn collecting(image: &Image) -> Result<f64, String> {
    let (exposure, readout) = image.times.clone()?;
    let waiting = image.cards.number("CTBINPIX");
    let images = waiting.and_then(|_| image.cards.number("CNUMIMG")).unwrap_or(1.0);
    let exposure = waiting.and_then(|_| image.cards.number("CTBINEXP")).unwrap_or(exposure);
    Ok(images * (exposure + waiting.unwrap_or(0.5 * readout)) / DAY)
}

/// Whether the image holds the quantity of other amplifiers instead of that of `suffix`, or of none, which the first
/// amplifier reports.
fn is_of_others(suffixes: &[String], suffix: &str, quantity: &Quantity, image: &Image) -> bool {
    let key = quantity.leading_key();
    let holds = |s: &String| image.cards.number(&format!("{key}{s}")).is_some();
    let own = suffixes.iter().position(|s| s == suffix).unwrap_or(0);
    !holds(&suffixes[own]) && (own > 0 || suffixes.iter().any(holds))
}

/// Whether a keyword counts samples of 15 per µs: the sampling times of the noise.
pub fn microseconds(quantity: &Quantity, key: &str) -> bool {
    *quantity == Quantity::Noise && ["PSAMP", "SSAMP"].contains(&key)
}

/// Endings of the keywords: those asked for, none if the plain keyword exists, else those of the amplifiers.
fn suffixes(args: &TrendArgs, quantity: &Quantity, images: &[Image]) -> Vec<String> {
    if *quantity == Quantity::Noise {
        return vec![String::new()];
    }
    if !args.amp.is_empty() {
        return args.amp.iter().map(|a| a.trim().trim_start_matches("EXT").to_owned()).collect();
    }
    let key = quantity.leading_key();
    if images.iter().any(|i| i.cards.number(key).is_some()) {
        return vec![String::new()];
    }
    let is_amplifier = |s: &String| {
        ["U", "L", "1", "2", "3", "4", "A", "B", "C", "D", "0"].contains(&s.as_str())
            || s.bytes().all(|b| b.is_ascii_digit())
    };
    let mut all: Vec<String> = images.iter().flat_map(|i| i.cards.suffixes(key)).filter(is_amplifier).collect();
    all.sort();
    all.dedup();
    if all.is_empty() { vec![String::new()] } else { all }
}

/// Value and error, or what is missing.
fn value(args: &TrendArgs, quantity: &Quantity, suffix: &str, image: &Image) -> Result<(f64, f64), String> {
    let (y, e) = any_value(args, quantity, suffix, image)?;
    // a gain of 0, no bin or no time
    if y.is_finite() { Ok((y, e)) } else { Err("finite number: a gain, a time or a number of bins is 0".into()) }
}

fn any_value(args: &TrendArgs, quantity: &Quantity, suffix: &str, image: &Image) -> Result<(f64, f64), String> {
    let cards = &image.cards;
    let number = |key: &str| {
        let key = format!("{key}{suffix}");
        cards.number(&key).ok_or_else(|| format!("number {key}"))
    };
    let optional = |key: &str| number(key).unwrap_or(f64::NAN);
    let bins = || match &args.binning {
        Some(keys) => keys.iter().map(|key| cards.number(key).ok_or_else(|| format!("number {key}"))).product(),
        None => Ok(BINNING.iter().map(|key| cards.number(key).unwrap_or(1.0)).product::<f64>()),
    };
    match quantity {
        Quantity::Card { key, error, with_error } => {
            let y = number(key)?;
            let e = match error {
                Some(error) if *with_error => number(error)?,
                Some(error) => optional(error),
                None => f64::NAN,
            };
            if !args.per_day {
                return Ok((y, e));
            }
            let factor = 1.0 / (bins()? * days(args, image)?);
            Ok((y * factor, e * factor))
        }
        Quantity::DarkCurrent => {
            let (y, e) = rate(number("MEDC")?, number("MEGAIN")?, optional("EMEDC"), optional("EMEGAIN"));
            let factor = 1.0 / (bins()? * days(args, image)?);
            Ok((y * factor, e * factor))
        }
        Quantity::Rate => {
            let (y, e) = rate(number("MEDC")?, number("MEGAIN")?, optional("EMEDC"), optional("EMEGAIN"));
            let bins = bins()?;
            Ok((y / bins, e / bins))
        }
        Quantity::Noise => {
            let samples = cards.number("SSAMP").filter(|s| *s > 0.0).ok_or("number SSAMP")?;
            Ok((image.noise.0 / (args.sf * samples), image.noise.1 / (args.sf * samples)))
        }
    }
}

/// MEDC/MEGAIN and its error from independent errors.
fn rate(adu: f64, gain: f64, adu_error: f64, gain_error: f64) -> (f64, f64) {
    (adu / gain, (adu_error / gain).hypot(adu * gain_error / (gain * gain)))
}

/// Days in which a pixel collected charge. Joined images tell it themselves (`CTBINEXP`, `CTBINPIX`, seconds).
fn days(args: &TrendArgs, image: &Image) -> Result<f64, String> {
    let joined = image.cards.number("CTBINPIX").map(|waiting| {
        let exposure = image.cards.number("CTBINEXP").unwrap_or(image.times.as_ref().map_or(0.0, |t| t.0));
        exposure + if args.continuous { 2.0 * waiting } else { waiting }
    });
    let (exposure, readout) = image.times.clone()?;
    let seconds = joined.unwrap_or(exposure + if args.continuous { readout } else { 0.5 * readout });
    if seconds > 0.0 { Ok(seconds / DAY) } else { Err("time of exposure or readout".into()) }
}
