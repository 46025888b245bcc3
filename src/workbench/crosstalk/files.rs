//! Reading processed files of a module, and the names and content of the corrected file.

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use ndarray::Array2;

use super::CrosstalkError;
use super::measure::Matrix;
use super::module::{Channel, Frame, Module, seeds};
use crate::cli::inputs;
use crate::fits::{Card, FitsInput, FitsWriter, Header};
use crate::output::images::{TOOL, is_structural};

/// Channels of a module.
pub const CHANNELS: usize = 4;

/// What was read: the module, the files and the cards of their headers.
#[derive(Debug)]
pub struct Input {
    /// Channels and images.
    pub module: Module,
    /// Files, data set after data set, channel after channel.
    pub files: Vec<PathBuf>,
    /// All cards; of several with one keyword the first.
    pub header: Header,
}

/// Reads the data sets: one directory and pattern each, which must match one file per channel.
pub fn read(directories: &[PathBuf], patterns: &[String], base: &Path) -> Result<Input, CrosstalkError> {
    let mut channels: Vec<Channel> = Vec::new();
    let (mut frames, mut files, mut header) = (Vec::new(), Vec::new(), Header::new());
    for (directory, pattern) in directories.iter().zip(patterns) {
        let mut set = Vec::new();
        for path in matching(&base.join(directory), pattern)? {
            set.push(read_file(&path)?);
            files.push(path);
        }
        set.sort_by_key(|file| file.channel.number);
        let found: Vec<Channel> = set.iter().map(|file| file.channel.clone()).collect();
        if let Some(pair) = found.windows(2).find(|w| w[0].number == w[1].number) {
            return Err(CrosstalkError::SameExtension { number: pair[0].number, pattern: pattern.clone() });
        }
        if channels.is_empty() {
            channels = found;
        } else if channels != found {
            let names = |list: &[Channel]| list.iter().map(|c| c.label.clone()).collect::<Vec<_>>().join(", ");
            return Err(CrosstalkError::OtherChannels { first: names(&channels), other: names(&found) });
        }
        for file in &set {
            if file.image.dim() != set[0].image.dim() || file.coded.dim() != set[0].image.dim() {
                return Err(CrosstalkError::Shape {
                    path: file.path.clone(),
                    found: file.image.dim(),
                    expected: set[0].image.dim(),
                });
            }
            for card in file.header.cards() {
                if !is_structural(&card.keyword) && (card.is_commentary() || header.card(&card.keyword).is_none()) {
                    header.push(card.clone());
                }
            }
        }
        frames.push(Frame {
            seeds: set.iter().map(|file| seeds(&file.coded)).collect(),
            images: set.into_iter().map(|file| file.image).collect(),
        });
    }
    let widths: Vec<usize> = frames.iter().map(|f| f.images[0].ncols()).collect();
    if let Some(k) = widths.iter().position(|w| *w != widths[0]) {
        return Err(CrosstalkError::Shape {
            path: files[k * CHANNELS].clone(),
            found: frames[k].images[0].dim(),
            expected: frames[0].images[0].dim(),
        });
    }
    Ok(Input { module: Module { channels, frames }, files, header })
}

/// The files of a data set, one per channel.
fn matching(directory: &Path, pattern: &str) -> Result<Vec<PathBuf>, CrosstalkError> {
    let selection =
        inputs::select(&[OsString::from(pattern)], &[], directory).map_err(|e| CrosstalkError::Other(e.to_string()))?;
    match selection.files.len() {
        CHANNELS => Ok(selection.files),
        0 => Err(CrosstalkError::NoFile { directory: directory.to_owned(), pattern: pattern.to_owned() }),
        found => Err(CrosstalkError::FileCount { directory: directory.to_owned(), pattern: pattern.to_owned(), found }),
    }
}

struct ChannelFile {
    path: PathBuf,
    channel: Channel,
    image: Array2<f64>,
    coded: Array2<f64>,
    header: Header,
}

fn read_file(path: &Path) -> Result<ChannelFile, CrosstalkError> {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let number = extension_number(&name).ok_or_else(|| CrosstalkError::NoExtension { path: path.to_owned() })?;
    let unreadable =
        |e: crate::fits::FitsError| CrosstalkError::Unreadable { path: path.to_owned(), reason: e.to_string() };
    let input = FitsInput::open(path).map_err(unreadable)?;
    let find = |wanted: &'static str| {
        let named = |h: &&crate::fits::Hdu| h.extname.as_deref().is_some_and(|n| n.trim().eq_ignore_ascii_case(wanted));
        input.hdus().iter().find(named).map(|h| h.index).ok_or_else(|| CrosstalkError::NoImage {
            path: path.to_owned(),
            wanted,
            existing: input.list_hdus(),
        })
    };
    let calibrated = find("CALIBRATED")?;
    let image = input.read_image(calibrated).map_err(unreadable)?;
    let coded = input.read_image(find("QMAX")?).map_err(unreadable)?;
    let header = input.header(calibrated).map_err(unreadable)?;
    let channel = number.saturating_sub(1);
    let letter = header.text(&format!("CH{channel}")).and_then(|text| text.trim().chars().last());
    let label = match letter {
        Some(letter) => format!("{letter}-CH{channel}"),
        None => format!("CH{channel}"),
    };
    Ok(ChannelFile { path: path.to_owned(), channel: Channel { label, number }, image, coded, header })
}

/// The n of `EXT<n>_` in a file name.
fn extension_number(name: &str) -> Option<usize> {
    name.match_indices("EXT").find_map(|(at, _)| {
        let rest = &name[at + 3..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        (digits > 0 && rest[digits..].starts_with('_')).then(|| rest[..digits].parse().ok())?
    })
}

/// Time stamp `YYYYMMDD_HHMMSS_N` in a file name: where it begins, and its text.
fn time_stamp(name: &str) -> Option<(usize, &str)> {
    let bytes = name.as_bytes();
    let digits =
        |from: usize, n: usize| bytes.len() >= from + n && bytes[from..from + n].iter().all(u8::is_ascii_digit);
    (0..bytes.len()).find_map(|at| {
        let free = at == 0 || !bytes[at - 1].is_ascii_digit();
        let fits = free && digits(at, 8) && bytes.get(at + 8) == Some(&b'_') && digits(at + 9, 6);
        if !(fits && bytes.get(at + 15) == Some(&b'_')) {
            return None;
        }
        let number = bytes[at + 16..].iter().take_while(|b| b.is_ascii_digit()).count();
        (number > 0).then(|| (at, &name[at..at + 16 + number]))
    })
}

/// Name of the corrected file.
pub fn corrected_name(files: &[PathBuf]) -> String {
    let names: Vec<String> =
        files.iter().map(|f| f.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()).collect();
    let without_extension = |name: &str| match extension_number(name) {
        Some(n) => name.replace(&format!("EXT{n}_"), ""),
        None => name.to_owned(),
    };
    let first = names.first().map_or_else(|| "simulation".to_owned(), |name| without_extension(name));
    let base = match time_stamp(&first) {
        Some((at, _)) => first[..at].to_owned(),
        None => crate::output::naming::stem(&first).to_owned(),
    };
    let mut stamps: Vec<&str> = Vec::new();
    for (_, stamp) in names.iter().filter_map(|name| time_stamp(name)) {
        if !stamps.contains(&stamp) {
            stamps.push(stamp);
        }
    }
    let parts: Vec<&str> =
        std::iter::once(base.trim_end_matches('_')).chain(stamps).chain(["xtalkcorrected.fits"]).collect();
    parts.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join("_")
}

/// Cards of the coefficients, behind those of the input.
pub fn corrected_header(
    input: &Header,
    matrix: &Matrix,
    acm: Option<u32>,
    lag: (i64, i64),
    files: &[PathBuf],
) -> Header {
    let mut header = input.clone();
    if let Some(acm) = acm {
        header.set(Card::new("ACM", acm, "number of the module"));
    }
    header.set(Card::new("LAG0", lag.0, "cross-talk: rows from source to affected pixel"));
    header.set(Card::new("LAG1", lag.1, "cross-talk: columns from source to affected pixel"));
    for (dst, src, c) in matrix.pairs() {
        let key = format!("{}{}", matrix.labels[dst], matrix.labels[src]);
        header.set(Card::new(&key, c.alpha, "cross-talk coefficient"));
        header.set(Card::new(format!("{key}_NULL"), c.alpha - c.null, "minus null coefficient"));
    }
    header.push(Card::history(format!("Cross-talk corrected by {TOOL}")));
    for file in files {
        let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        header.push(Card::history(format!("Input: {name}")));
    }
    header
}

/// Writes the corrected and the original images.
pub fn write(
    path: &Path,
    header: &Header,
    corrected: &[Array2<f64>],
    originals: &[Array2<f64>],
) -> Result<(), crate::fits::FitsError> {
    let mut writer = FitsWriter::new();
    let names = ["XTALK", "CALIBRATED"];
    for (name, images) in names.into_iter().zip([corrected, originals]) {
        for (k, image) in images.iter().enumerate() {
            let mut own = Header::new();
            own.push(Card::new("EXTNAME", format!("{name}_{}", k + 1), "name of this image"));
            own.push(Card::new("BUNIT", "electron", "unit of the pixels"));
            if name == "XTALK" && k == 0 {
                header.cards().iter().cloned().for_each(|card| own.push(card));
            }
            writer.push(own, Cow::Borrowed(image));
        }
    }
    writer.write(path, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extension_numbers_and_time_stamps_are_found() {
        let name = "avg_Image_5_Low_Temp_109_20250807_170213_15_EXT3_waders.fits";
        assert_eq!(extension_number(name), Some(3));
        assert_eq!(extension_number("EXTRA_EXT12_x.fits"), Some(12));
        assert_eq!(extension_number("x_EXT.fits"), None);
        assert_eq!(time_stamp(name), Some((25, "20250807_170213_15")));
        assert_eq!(time_stamp("a_120250807_170213_15"), None);
        assert_eq!(time_stamp("x_20250807_17021_15"), None);
    }

    #[test]
    fn the_corrected_file_is_named_after_all_time_stamps() {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(
            corrected_name(&paths(&[
                "d/avg_Image_5_20250807_170213_15_EXT1_waders.fits",
                "d/avg_Image_5_20250807_170213_15_EXT2_waders.fits",
                "d/avg_Image_6_20250808_170213_16_EXT1_waders.fits",
            ])),
            "avg_Image_5_20250807_170213_15_20250808_170213_16_xtalkcorrected.fits"
        );
        assert_eq!(corrected_name(&paths(&["Image_7_EXT1_waders.fits"])), "Image_7_waders_xtalkcorrected.fits");
        assert_eq!(corrected_name(&[]), "simulation_xtalkcorrected.fits");
    }
}
