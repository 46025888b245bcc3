//! The images of an item as HDUs: which ones, in which order, with which header (spec 01 §§6.2–6.4).

use std::borrow::Cow;
use std::path::Path;

use ndarray::Array2;

use super::Provenance;
use crate::fits::{Card, CardValue, FitsError, FitsWriter, Header};
use crate::image::RawData;
use crate::image::report::ImageFile;
use crate::process::manager::Snapshot;

/// Pixels of one HDU.
#[derive(Debug, Clone)]
pub enum Pixels<'a> {
    /// Numbers.
    Real(&'a Array2<f64>),
    /// Flags; stored as 0.0 and 1.0.
    Flags(&'a Array2<bool>),
    /// Numbers made for the output.
    Made(Array2<f64>),
}

impl Pixels<'_> {
    /// The numbers as they are stored.
    pub fn as_real(&self) -> Cow<'_, Array2<f64>> {
        match self {
            Self::Real(pixels) => Cow::Borrowed(*pixels),
            Self::Made(pixels) => Cow::Borrowed(pixels),
            Self::Flags(flags) => Cow::Owned(flags.mapv(|f| f64::from(u8::from(f)))),
        }
    }
}

/// One HDU of an output file.
#[derive(Debug, Clone)]
pub struct OutputHdu<'a> {
    /// EXTNAME, also on the primary.
    pub extname: String,
    /// Unit of the pixels (`adu`, `electron`) or empty.
    pub unit: &'static str,
    /// Pixels, `[row, col]`.
    pub pixels: Pixels<'a>,
}

/// Names of calibrated images, most wanted first.
const CALIBRATED: [&str; 4] = [
    "mean_compressed_pedestal_subtracted_e",
    "median_compressed_pedestal_subtracted_e",
    "mean_compressed_e",
    "median_compressed_e",
];
const SUBTRACTED: [&str; 2] = ["mean_compressed_pedestal_subtracted", "median_compressed_pedestal_subtracted"];

/// The HDUs of the `_waders` file, in their order. Empty if the chain made no image.
pub fn final_images(raw: &RawData) -> Vec<OutputHdu<'_>> {
    let mut hdus = Vec::new();
    let mut add = |extname: &str, unit: &'static str, names: Vec<&str>| -> bool {
        for name in &names {
            if let Some(pixels) = raw.images.get(*name) {
                // Two images with noise and without must not have one name.
                let added = if name.ends_with("_wgnoise") && names.len() > 1 { "_WGNOISE" } else { "" };
                let extname = format!("{extname}{added}");
                hdus.push(OutputHdu { extname, unit, pixels: Pixels::Real(pixels) });
            }
        }
        !names.is_empty()
    };
    let group = |listed: &[&'static str], ending: &str| -> Vec<&str> {
        let mut names: Vec<&str> = listed.iter().copied().filter(|n| raw.images.contains_key(*n)).collect();
        names.extend(raw.images.keys().map(String::as_str).filter(|n| n.ends_with(ending) && !listed.contains(n)));
        names
    };
    let _ = add("CALIBRATED", "electron", group(&CALIBRATED, "_e"))
        || add("PEDSUBTRACTED", "adu", group(&SUBTRACTED, "_pedestal_subtracted"))
        || add("MEAN", "adu", group(&["mean_compressed"], "mean_compressed_wgnoise"))
        || add("MEDIAN", "adu", group(&["median_compressed"], "median_compressed_wgnoise"));
    add("STD", "adu", group(&["std_compressed"], "/"));
    for extname in ["FULLMASK", "CLSMASK", "PIXSATURATION", "CROSSTALK"] {
        for mask in raw.masks.values().filter(|m| m.extname.as_deref() == Some(extname)) {
            hdus.push(OutputHdu { extname: extname.into(), unit: "", pixels: Pixels::Flags(&mask.pixels) });
        }
    }
    if let Some(ids) = raw.images.get("mask_clusters_ids") {
        hdus.push(OutputHdu { extname: "QMAX".into(), unit: "", pixels: Pixels::Real(ids) });
    }
    if raw.stacked && raw.amplifiers.len() >= 2 && !hdus.is_empty() {
        for amplifier in &raw.amplifiers {
            let outside = Array2::from_shape_fn((raw.rows, raw.cols), |(row, col)| {
                if amplifier.active.contains(row, col) { 0.0 } else { 1.0 }
            });
            let extname = format!("MCCDEXT{}", amplifier.hdu);
            hdus.push(OutputHdu { extname, unit: "", pixels: Pixels::Made(outside) });
        }
    }
    hdus
}

/// Name part of the file with the images of one step (`save_image`, spec 01 §6.4).
pub fn intermediate_name(snapshot: &Snapshot) -> String {
    match snapshot.entry.name {
        "CompressSkipperProcess" => "compressed".into(),
        "PedestalSubtractionProcess" => "compressed_pedestal_subtracted".into(),
        "CalibrationProcess" => "calibrated".into(),
        _ => snapshot.entry.tag.to_owned(),
    }
}

/// The HDUs of that file: the first image is the primary, the others are named after their function or image.
pub fn intermediate<'a>(raw: &'a RawData, snapshot: &Snapshot) -> Vec<OutputHdu<'a>> {
    let images = snapshot.images.iter().filter_map(|name| raw.images.get(name).map(|pixels| (name, pixels)));
    images
        .map(|(name, pixels)| OutputHdu {
            extname: name.strip_suffix("_compressed").unwrap_or(name).to_uppercase(),
            unit: if name.ends_with("_e") { "electron" } else { "adu" },
            pixels: Pixels::Real(pixels),
        })
        .collect()
}

/// Keywords of the input that describe its own storage and must not be copied.
pub(crate) fn is_structural(keyword: &str) -> bool {
    const EXACT: [&str; 20] = [
        "SIMPLE", "XTENSION", "BITPIX", "NAXIS", "EXTEND", "PCOUNT", "GCOUNT", "BZERO", "BSCALE", "BLANK", "EXTNAME",
        "EXTVER", "EXTLEVEL", "CHECKSUM", "DATASUM", "TFIELDS", "THEAP", "INHERIT", "GROUPS", "BUNIT",
    ];
    let numbered = |stem: &str| {
        keyword.strip_prefix(stem).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
    };
    const COMPRESSION: [&str; 16] = [
        "ZIMAGE",
        "ZSIMPLE",
        "ZTENSION",
        "ZXTENSION",
        "ZBITPIX",
        "ZNAXIS",
        "ZEXTEND",
        "ZPCOUNT",
        "ZGCOUNT",
        "ZCMPTYPE",
        "ZQUANTIZ",
        "ZDITHER0",
        "ZBLANK",
        "ZHECKSUM",
        "ZDATASUM",
        "ZMASKCMP",
    ];
    EXACT.contains(&keyword)
        || COMPRESSION.contains(&keyword)
        || ["NAXIS", "ZNAXIS", "ZTILE", "ZNAME", "ZVAL", "TTYPE", "TFORM", "TUNIT", "TDIM", "TSCAL", "TZERO", "TNULL"]
            .iter()
            .any(|stem| numbered(stem))
}

/// Tool name and version as written to every file.
pub const TOOL: &str = concat!("panaSKImg ", env!("CARGO_PKG_VERSION"));

/// The header of an output file: the input header, the cards of the first `cards` reports, and the provenance.
///
/// `provenance`: configuration and options as compact JSON.
pub fn output_header(raw: &RawData, cards: usize, chain: &[String], provenance: &Provenance) -> Header {
    let mut header = raw.header.clone();
    header.remove_if(|card| is_structural(&card.keyword));
    if !raw.skip_keyword.is_empty() {
        let comment = header.card(&raw.skip_keyword).map_or(String::new(), |c| c.comment.clone());
        header.set(Card::new(&raw.skip_keyword, 1, comment));
    }
    for card in raw.report.cards.iter().take(cards) {
        header.set(card.clone());
    }
    let file = raw.source.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let hdus = raw.source.hdus.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    header.set(Card::new("FILE", file.clone(), "input file"));
    header.set(Card::new("FILEEXT", hdus, "HDU numbers of the input"));
    header.set(Card::new("PVERSION", env!("CARGO_PKG_VERSION"), "version of panaSKImg"));
    header.set(Card::new("PCHAIN", chain.join("/"), "processes executed"));
    header.push(Card::history(format!("Made by {TOOL}")));
    header.push(Card::history(format!("Input: {file} ({} bytes, {})", raw.source.bytes, raw.source.checksum)));
    header.push(Card::history(format!("Configuration: {}", provenance.config_text)));
    header.push(Card::history(format!("Options: {}", provenance.options_text)));
    header
}

/// Header of the HDU at `position`: everything on the primary, the essentials on the others.
pub fn hdu_header(main: &Header, position: usize, hdu: &OutputHdu<'_>) -> Header {
    let mut header = if position == 0 { main.clone() } else { Header::new() };
    let mut cards = vec![Card::new("EXTNAME", hdu.extname.as_str(), "name of this image")];
    if !hdu.unit.is_empty() {
        cards.push(Card::new("BUNIT", hdu.unit, "unit of the pixels"));
    }
    if position == 0 {
        // Right behind the structural cards, where a reader looks for them.
        let rest = std::mem::take(&mut header);
        cards.into_iter().chain(rest.cards().iter().cloned()).for_each(|card| header.push(card));
    } else {
        cards.into_iter().for_each(|card| header.push(card));
    }
    header
}

/// Writes the images that a process made for a file of their own.
///
/// # Errors
/// What the operating system says.
pub fn write_image_file(
    raw: &RawData,
    file: &ImageFile,
    provenance: &Provenance,
    path: &Path,
) -> Result<(), FitsError> {
    let main = output_header(raw, usize::MAX, &file.chain, provenance);
    let mut writer = FitsWriter::new();
    for (position, image) in file.hdus.iter().enumerate() {
        let hdu = OutputHdu { extname: image.extname.clone(), unit: "adu", pixels: Pixels::Real(&image.pixels) };
        let mut header = hdu_header(&main, position, &hdu);
        image.cards.iter().for_each(|card| header.set(card.clone()));
        if image.single_precision {
            writer.push_single(header, &image.pixels);
        } else {
            writer.push(header, Cow::Borrowed(&image.pixels));
        }
    }
    writer.write(path, false)
}

/// Whether a value cannot be written as a number.
pub fn is_undefined(value: &CardValue) -> bool {
    matches!(value, CardValue::Undefined) || matches!(value, CardValue::Real(x) if !x.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Amplifier;
    use crate::image::raw_data::Mask;

    fn names(raw: &RawData) -> Vec<String> {
        final_images(raw).into_iter().map(|h| h.extname).collect()
    }

    #[test]
    fn the_most_processed_images_come_first_and_each_once() {
        let pixels = || Array2::<f64>::zeros((2, 3));
        let mut raw = RawData::from_image("mean_compressed", pixels());
        assert_eq!(names(&raw), ["MEAN"]);
        raw.images.insert("std_compressed".into(), pixels());
        raw.images.insert("mean_compressed_pedestal_subtracted".into(), pixels());
        assert_eq!(names(&raw), ["PEDSUBTRACTED", "STD"]);
        raw.images.insert("mean_compressed_pedestal_subtracted_correct_cols_e".into(), pixels());
        raw.images.insert("mean_compressed_pedestal_subtracted_e".into(), pixels());
        let mask = |name: &str| Mask { pixels: Array2::from_elem((2, 3), true), extname: Some(name.into()) };
        raw.masks.insert("mask_clusters_only".into(), mask("CLSMASK"));
        raw.masks.insert("mask_clusters".into(), mask("FULLMASK"));
        raw.masks.insert("saturated_pixels".into(), mask("PIXSATURATION"));
        assert_eq!(names(&raw), ["CALIBRATED", "CALIBRATED", "STD", "FULLMASK", "CLSMASK", "PIXSATURATION"]);
        raw.stacked = true;
        raw.amplifiers = vec![Amplifier::whole_image("EXT2", 2, 1, 3), Amplifier::whole_image("EXT4", 4, 1, 3)];
        assert_eq!(names(&raw)[6..], ["MCCDEXT2", "MCCDEXT4"]);
    }

    #[test]
    fn storage_keywords_of_the_input_are_dropped_and_the_rest_is_kept() {
        let mut raw = RawData::from_image("mean_compressed", Array2::zeros((1, 1)));
        for keyword in ["SIMPLE", "NAXIS1", "ZTILE2", "TTYPE1", "CHECKSUM", "ZQUANTIZ", "BZERO"] {
            raw.header.push(Card::new(keyword, 1, ""));
        }
        raw.header.push(Card::new("NDCM", 500, "skips"));
        raw.header.push(Card::new("ZPOSITION", 3, "a user's card"));
        raw.header.push(Card::history("calibrated elsewhere"));
        let header =
            output_header(&raw, 0, &["CompressSkipsProcess".into(), "ClusterFinder".into()], &Provenance::default());
        let kept: Vec<_> = header.cards().iter().map(|c| c.keyword.as_str()).collect();
        assert_eq!(
            kept,
            [
                "NDCM",
                "ZPOSITION",
                "HISTORY",
                "FILE",
                "FILEEXT",
                "PVERSION",
                "PCHAIN",
                "HISTORY",
                "HISTORY",
                "HISTORY",
                "HISTORY",
            ]
        );
        assert_eq!(header.integer("NDCM"), Some(1));
        assert_eq!(header.text("PCHAIN").unwrap(), "CompressSkipsProcess/ClusterFinder");
    }
}
