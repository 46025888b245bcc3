//! Values of the images, in the order of time.

use std::path::PathBuf;

use super::{DAY, Horizontal, TrendArgs};
use crate::stats::robust::trimmed_mean_and_std;
use crate::workbench::error::BenchResult;
use crate::workbench::files::{Cards, FitsFile, name_of, range_of};
use crate::workbench::results::Results;

/// Keywords that may hold the time of an image.
const DATES: [&str; 7] = ["EXPSTART", "DATESTART", "DATEINI", "RDSTART", "RDSTRT", "DATE", "DATE-OBS"];

/// What is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Quantity {
    /// Value of a card.
    Card {
        /// Keyword.
        key: String,
        /// Keyword of the error.
        error: Option<String>,
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
            Self::Card { .. } if args.per_day => "/pix/day",
            Self::Card { key, .. } if ["MEGAIN", "MECAL"].iter().any(|k| key.starts_with(k)) => "ADU/e-",
            Self::Card { key, .. } if ["MESIG", "MEMU0", "MECOFF"].iter().any(|k| key.starts_with(k)) => "ADU",
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
    /// Exposure and readout, s.
    times: (f64, f64),
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

/// Reads the headers; the images are sorted by time.
pub fn read(args: &TrendArgs, files: &[PathBuf], results: &mut Results) -> BenchResult<Vec<Image>> {
    let mut images = Vec::new();
    let begin = args.dates.as_ref().map(|d| d[0].clone());
    for path in files {
        let file = FitsFile::open(path)?;
        let hdu = file.find(&args.ext)?;
        let cards = file.cards(hdu)?;
        let keys: Vec<&str> = begin.as_deref().map_or(DATES.to_vec(), |key| vec![key]);
        let time = cards.date(&keys).unwrap_or(f64::NAN);
        if time.is_nan() && args.x.eq_ignore_ascii_case("time") && !args.idimg {
            results.warn(format!("{}: no date in {}; the image was left out", name_of(path), keys.join(", ")));
            continue;
        }
        let times = match args.dates.as_deref() {
            Some([begin, end, exposure]) => {
                let exposure = cards.number(exposure).unwrap_or(0.0);
                let span = cards.date(&[end]).zip(cards.date(&[begin])).map_or(0.0, |(end, begin)| end - begin);
                (exposure, (span - exposure).max(0.0))
            }
            _ => cards.times(),
        };
        let noise = if args.std { region_noise(args, &file)? } else { (f64::NAN, f64::NAN) };
        images.push(Image { name: name_of(path), cards, time, times, noise });
    }
    images.sort_by(|a, b| a.time.total_cmp(&b.time).then_with(|| a.name.cmp(&b.name)));
    images.truncate(args.nfile.unwrap_or(usize::MAX));
    Ok(images)
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
            collected += (image.times.0 + 0.5 * image.times.1) / DAY;
            let x = match horizontal {
                Horizontal::Time => Some(image.time),
                Horizontal::Image => Some(number as f64),
                Horizontal::Exposure => Some(collected),
                Horizontal::Key(key) => {
                    image.cards.number(&format!("{key}{suffix}")).or_else(|| image.cards.number(key))
                }
            };
            match (x, value(args, quantity, suffix, image)) {
                (Some(x), Ok((y, error))) => points.push(Point { time: image.time, image: number, x, y, error }),
                // files of one amplifier each need not tell of the others
                (_, Err(_)) if args.amp.is_empty() && has_another(&suffixes, suffix, quantity, image) => {}
                (_, Err(missing)) => {
                    results.warn(format!("{}: there is no {missing}; the image was left out", image.name));
                }
                (None, Ok(_)) => {
                    results.warn(format!("{}: there is no number {}; the image was left out", image.name, args.x));
                }
            }
        }
        if !points.is_empty() {
            found.push(Series { suffix: suffix.clone(), module: args.modules.get(k).cloned(), points });
        }
    }
    found
}

/// Whether the image holds the quantity of another amplifier instead of that of `suffix`.
fn has_another(suffixes: &[String], suffix: &str, quantity: &Quantity, image: &Image) -> bool {
    let key = quantity.leading_key();
    let holds = |s: &str| image.cards.number(&format!("{key}{s}")).is_some();
    !holds(suffix) && suffixes.iter().any(|s| s != suffix && holds(s))
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
    let cards = &image.cards;
    let number = |key: &str| {
        let key = format!("{key}{suffix}");
        cards.number(&key).ok_or_else(|| format!("number {key}"))
    };
    let optional = |key: &str| number(key).unwrap_or(f64::NAN);
    let bins = args.binning.iter().map(|key| cards.number(key).unwrap_or(1.0)).product::<f64>();
    match quantity {
        Quantity::Card { key, error } => {
            let (y, e) = (number(key)?, error.as_deref().map_or(f64::NAN, optional));
            if !args.per_day {
                return Ok((y, e));
            }
            let factor = 1.0 / (bins * days(args, image)?);
            Ok((y * factor, e * factor))
        }
        Quantity::DarkCurrent => {
            let (y, e) = rate(number("MEDC")?, number("MEGAIN")?, optional("EMEDC"), optional("EMEGAIN"));
            let factor = 1.0 / (bins * days(args, image)?);
            Ok((y * factor, e * factor))
        }
        Quantity::Rate => {
            let (y, e) = rate(number("MEDC")?, number("MEGAIN")?, optional("EMEDC"), optional("EMEGAIN"));
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
        let exposure = image.cards.number("CTBINEXP").unwrap_or(image.times.0);
        exposure + if args.continuous { 2.0 * waiting } else { waiting }
    });
    let (exposure, readout) = image.times;
    let seconds = joined.unwrap_or(exposure + if args.continuous { readout } else { 0.5 * readout });
    if seconds > 0.0 { Ok(seconds / DAY) } else { Err("time of exposure or readout".into()) }
}
