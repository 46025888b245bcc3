//! `panaSKImg compose`: images of a run joined in the order of time, as one tall image or as a cube (spec 04 §8.2).
//!
//! A single low-statistics image holds too few pixels with charge for a dark-current fit; the joined one does. Pixels wait
//! for their readout for half of the readout time on average, so that the mean waiting time of a pixel is MREAD/2; with
//! the exposure it gives the time in which the dark current was collected.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use clap::{ArgAction, Args};
use ndarray::{Array2, ArrayView2, Axis, concatenate};

use super::error::{BenchError, BenchResult};
use super::files::{Cards, Extension, FitsFile, expand, identity, name_of, range_of, unit_card, whole};
use super::results::{FigureArgs, Results, plus_minus};
use crate::fits::{Card, FitsWriter, Header};
use crate::output::images::{TOOL, is_structural};
use crate::stats::robust::{Ddof, mean_and_std};

/// Keywords that may hold the time of an image, the first one found counts.
const DATES: [&str; 4] = ["EXPSTART", "DATE", "DATEINI", "DATESTART"];
/// The same for files of the acquisition board.
const DATES_ACM: [&str; 5] = ["DATEINI", "EXPSTART", "DATE", "DATESTART", "RDSTART"];

/// Options of `panaSKImg compose`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct ComposeArgs {
    /// Images, or patterns (quoted)
    #[arg(value_name = "INFILE", required = true)]
    pub infile: Vec<String>,
    /// File to be written
    #[arg(short = 'o', long = "output", value_name = "FILE", default_value = "composed.fits")]
    pub output: PathBuf,
    /// One tall image (rows stacked) instead of a cube (time, row, column)
    #[arg(short = 'c', long = "concatenate", action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true",
          default_value_t = false, hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub concatenate: bool,
    /// Extension with the data: number or EXTNAME
    #[arg(long, value_name = "EXT", default_value = "0")]
    pub ext: Extension,
    /// Extension with the header
    #[arg(long, value_name = "EXT", default_value = "0")]
    pub hext: Extension,
    /// Rows A to B (excluded; -1: all) of each image, with -c only
    #[arg(long, num_args = 2, value_names = ["A", "B"], allow_negative_numbers = true)]
    pub row_range: Option<Vec<i64>>,
    /// Skip images that have not this number of rows and columns
    #[arg(long, num_args = 2, value_names = ["R", "C"], value_parser = whole)]
    pub shape: Option<Vec<usize>>,
    /// Files of the ACM board: the time is that of DATEINI, that of the readout READOUT_SEC, else
    /// DATEEND - DATEINI without the exposure
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", default_value_t = false,
          hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub acm: bool,
    /// Keyword with the date by which the images are ordered
    #[arg(long, value_name = "KEY")]
    pub keydate: Option<String>,
}

/// One image of the run.
struct Member {
    path: PathBuf,
    pixels: Array2<f64>,
    header: Header,
    extname: Option<String>,
    /// Unit of the pixels, as a card.
    unit: Option<Card>,
    cards: Cards,
    time: f64,
}

impl Member {
    fn unit_text(&self) -> String {
        self.unit.as_ref().map_or_else(|| "no unit".to_owned(), |card| card.value.to_text())
    }
}

/// Joins the images. Relative paths count from `base`.
///
/// # Errors
/// Files that cannot be read, have no date or different shapes; an output that cannot be written.
pub fn run(args: &ComposeArgs, base: &Path) -> BenchResult<Results> {
    let mut results = Results::new(&FigureArgs { outdir: ".".into(), ..FigureArgs::default() }, base)?;
    if args.row_range.is_some() && !args.concatenate {
        return Err(BenchError::option("--row-range", "rows can be chosen for a stacked image only; add -c"));
    }
    let output: PathBuf = base.join(&args.output).components().collect();
    let mut members = Vec::new();
    for path in expand(&args.infile, base)? {
        if identity(&path) == identity(&output) {
            results.warn(format!("{} is the output and was left out", path.display()));
            continue;
        }
        if let Some(member) = read(args, &path, &mut results)? {
            members.push(member);
        }
    }
    members.sort_by(|a, b| a.time.total_cmp(&b.time).then_with(|| a.path.cmp(&b.path)));
    let Some(first) = members.first() else {
        return Err(BenchError::NoInput("no image is left to be joined".into()));
    };
    let shape = first.pixels.dim();
    if let Some(other) = members.iter().find(|m| m.pixels.dim() != shape) {
        return Err(BenchError::Shape {
            path: other.path.clone(),
            found: other.pixels.dim(),
            expected: shape,
            hint: format!(" like {}; images of other shapes are left out with --shape R C", name_of(&first.path)),
        });
    }
    if let Some(other) = members.iter().find(|m| m.unit_text() != first.unit_text()) {
        return Err(BenchError::Data(format!(
            "{}: its pixels have {}, those of {} {}; they cannot be joined",
            other.path.display(),
            other.unit_text(),
            name_of(&first.path),
            first.unit_text()
        )));
    }
    let rows = match &args.row_range {
        Some(values) => range_of(values, shape.0, "--row-range")?,
        None => 0..shape.0,
    };
    let views: Vec<ArrayView2<'_, f64>> =
        members.iter().map(|m| m.pixels.slice_axis(Axis(0), ndarray::Slice::from(rows.clone()))).collect();
    let stacked = concatenate(Axis(0), &views).map_err(|e| BenchError::Data(e.to_string()))?;
    let header = joined_header(&members, rows.len(), args, &mut results);

    let unwritable = |e: String| BenchError::Unwritable { path: output.clone(), reason: e };
    if let Some(folder) = output.parent() {
        std::fs::create_dir_all(folder).map_err(|e| unwritable(e.to_string()))?;
    }
    let mut writer = FitsWriter::new();
    if args.concatenate {
        writer.push(header, Cow::Borrowed(&stacked));
    } else {
        writer.push_stack(header, Cow::Borrowed(&stacked), members.len());
    }
    writer.write(&output, false).map_err(|e| unwritable(e.to_string()))?;
    let what = if args.concatenate {
        format!("{} rows × {} columns", stacked.nrows(), shape.1)
    } else {
        format!("{} × {} × {} (time, row, column)", members.len(), rows.len(), shape.1)
    };
    results.line(format!("{} image(s) joined: {what}", members.len()));
    results.written.push(output);
    Ok(results)
}

/// Reads an image; nothing if it has another shape than asked for.
fn read(args: &ComposeArgs, path: &Path, results: &mut Results) -> BenchResult<Option<Member>> {
    let file = FitsFile::open(path)?;
    let hdu = file.find(&args.ext)?;
    let pixels = file.image(hdu)?;
    if let Some(shape) = &args.shape
        && pixels.dim() != (shape[0], shape[1])
    {
        let (rows, cols) = pixels.dim();
        results.warn(format!("{} has {rows} rows × {cols} columns and was left out", name_of(path)));
        return Ok(None);
    }
    let hext = file.find(&args.hext)?;
    let header = file.header(hext)?;
    let cards = file.cards(hext)?;
    let usual: &[&str] = if args.acm { &DATES_ACM } else { &DATES };
    let keys: Vec<&str> = args.keydate.as_deref().map_or(usual.to_vec(), |key| vec![key]);
    // A number (image or run number) orders as well as a date.
    let number = || args.keydate.as_deref().and_then(|key| cards.number(key));
    let Some(time) = cards.date(&keys).or_else(number) else {
        return Err(BenchError::Keyword {
            path: path.to_owned(),
            reason: format!("no date is found in {}; name the keyword with --keydate", keys.join(", ")),
        });
    };
    let extname = file.input.hdus()[hdu].extname.clone();
    let unit = unit_card(&file, hdu)?;
    Ok(Some(Member { path: path.to_owned(), pixels, header, extname, unit, cards, time }))
}

/// Header of the first image, with what has become of it.
fn joined_header(members: &[Member], rows: usize, args: &ComposeArgs, results: &mut Results) -> Header {
    let (first, last) = (&members[0], &members[members.len() - 1]);
    let extname = first.extname.clone().unwrap_or_else(|| "CONCATENATION".into());
    let mut header = Header::new();
    header.push(Card::new("EXTNAME", extname, "name of this image"));
    let own = first.header.cards().iter().filter(|c| !is_structural(&c.keyword));
    own.for_each(|card| header.push(card.clone()));
    if let Some(unit) = &first.unit {
        header.set(unit.clone());
    }
    let complete = members.iter().any(|m| ["MREAD", "MEXP", "AMPL"].iter().all(|key| m.cards.value(key).is_some()));
    header.set(Card::new("AMPL", "J", "joined images"));
    if header.card("NROW").is_some() {
        let total = if args.concatenate { rows * members.len() } else { rows };
        header.set(Card::new("NROW", total, "rows"));
    }
    header.set(Card::new("CNUMIMG", members.len(), "number of joined images"));
    if complete || args.acm {
        if let Some(end) = last.cards.text("RDEND") {
            header.set(Card::new("RDEND", end, "end of the last readout"));
        }
        let times: Vec<_> = members.iter().map(|m| m.cards.known_times()).collect();
        let waiting = times.iter().map(|(_, readout)| readout.map(|t| 0.5 * t)).collect();
        let exposure = times.iter().map(|(exposure, _)| *exposure).collect();
        let what: [(_, _, _, _, Vec<Option<f64>>); 2] = [
            ("CTBINPIX", "CTPIXSTD", "waiting time of a pixel", "readout time", waiting),
            ("CTBINEXP", "CTEXPSTD", "exposure", "exposure time", exposure),
        ];
        for (mean_key, std_key, name, time, known) in what {
            for (member, _) in members.iter().zip(&known).filter(|(_, t)| t.is_none()) {
                let file = name_of(&member.path);
                results.warn(format!("{file}: there is no {time}; the image does not count in {mean_key}, {std_key}"));
            }
            let sample: Vec<f64> = known.into_iter().flatten().collect();
            if sample.is_empty() {
                continue;
            }
            let (mean, std) = mean_and_std(&sample, Ddof::Population);
            header.set(Card::new(mean_key, mean, format!("[s] mean {name}")));
            header.set(Card::new(std_key, std, format!("[s] standard deviation of the {name}")));
            results.line(format!("mean {name}: {} s", plus_minus(mean, std / (sample.len() as f64).sqrt())));
        }
    }
    header.push(Card::history(format!("Joined by {TOOL}, in the order of time:")));
    for member in members {
        header.push(Card::history(format!("Input: {}", name_of(&member.path))));
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fits::FitsInput;
    use crate::workbench::test_files::{extensions, image, with_cards};

    fn args(infile: &str, concatenate: bool) -> ComposeArgs {
        ComposeArgs {
            infile: vec![infile.into()],
            output: "all.fits".into(),
            concatenate,
            ext: Extension::Number(0),
            hext: Extension::Number(0),
            row_range: None,
            shape: None,
            acm: false,
            keydate: None,
        }
    }

    /// Three images of constant value, named against the order of time.
    fn run_of_three(folder: &Path) {
        for (name, value, day) in [("a", 3.0, 3), ("b", 1.0, 1), ("c", 2.0, 2)] {
            let date = format!("2024-05-0{day}T10:00:00");
            let end = format!("2024-05-0{day}T11:00:00");
            let cards = [
                Card::new("EXPSTART", date, ""),
                Card::new("RDEND", end, ""),
                Card::new("MREAD", 60_000.0 + 2000.0 * f64::from(day), "ms"),
                Card::new("MEXP", 5000, "ms"),
                Card::new("AMPL", "UL", ""),
                Card::new("NROW", 4, ""),
            ];
            with_cards(folder, &format!("i_{name}.fits"), &image(4, 3, |r, _| value + 0.1 * r as f64), &cards);
        }
    }

    #[test]
    fn rows_are_stacked_in_the_order_of_time_and_the_times_are_those_of_the_pixels() {
        let folder = tempfile::tempdir().unwrap();
        run_of_three(folder.path());
        run(&args("i_*.fits", true), folder.path()).unwrap();
        let input = FitsInput::open(folder.path().join("all.fits")).unwrap();
        let pixels = input.read_image(0).unwrap();
        assert_eq!(pixels.dim(), (12, 3));
        assert_eq!(pixels.column(1).to_vec(), [1.0, 1.1, 1.2, 1.3, 2.0, 2.1, 2.2, 2.3, 3.0, 3.1, 3.2, 3.3]);
        let header = input.header(0).unwrap();
        assert_eq!(header.integer("NROW"), Some(12));
        assert_eq!(header.integer("CNUMIMG"), Some(3));
        assert_eq!(header.text("AMPL").unwrap(), "J");
        assert_eq!(header.text("RDEND").unwrap(), "2024-05-03T11:00:00");
        // MREAD 62, 64, 66 s: pixels wait for half of it
        assert!((header.number("CTBINPIX").unwrap() - 32.0).abs() < 1e-12);
        assert!((header.number("CTPIXSTD").unwrap() - (2.0f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(header.number("CTBINEXP"), Some(5.0));
        assert_eq!(header.number("CTEXPSTD"), Some(0.0));
        let history: Vec<_> = header.cards().iter().filter(|c| c.keyword == "HISTORY").map(|c| &*c.comment).collect();
        assert_eq!(history[1..], ["Input: i_b.fits", "Input: i_c.fits", "Input: i_a.fits"]);
    }

    #[test]
    fn the_readout_of_the_acm_board_does_not_include_the_exposure() {
        // the header of spec 04 §4.2: 3769.877 s of readout, 500 s of exposure, 4270.344 s from DATEINI to DATEEND
        let folder = tempfile::tempdir().unwrap();
        let mut cards = vec![
            Card::new("DATEINI", "2025-08-07T17:02:13.624", ""),
            Card::new("DATEEND", "2025-08-07T18:13:23.968", ""),
            Card::new("EXPOSURE", 500, ""),
        ];
        let mut acm = args("x.fits", true);
        acm.acm = true;
        let waiting = |cards: &[Card]| {
            with_cards(folder.path(), "x.fits", &image(2, 2, |_, _| 0.0), cards);
            run(&acm, folder.path()).unwrap();
            let header = FitsInput::open(folder.path().join("all.fits")).unwrap().header(0).unwrap();
            (header.number("CTBINPIX").unwrap(), header.number("CTBINEXP").unwrap())
        };
        let (pixel, exposure) = waiting(&cards);
        assert!((pixel - 0.5 * 3770.344).abs() < 1e-3 && exposure == 500.0, "{pixel} {exposure}");
        cards.push(Card::new("READOUT_SEC", 3769.877, ""));
        assert!((waiting(&cards).0 - 0.5 * 3769.877).abs() < 1e-9);
    }

    #[test]
    fn a_cube_has_three_axes() {
        let folder = tempfile::tempdir().unwrap();
        run_of_three(folder.path());
        run(&args("i_*.fits", false), folder.path()).unwrap();
        let input = FitsInput::open(folder.path().join("all.fits")).unwrap();
        assert_eq!(input.hdus()[0].axes, [3, 4, 3]);
        assert_eq!(input.header(0).unwrap().integer("NROW"), Some(4));
    }

    #[test]
    fn rows_are_chosen_and_other_shapes_left_out() {
        let folder = tempfile::tempdir().unwrap();
        run_of_three(folder.path());
        let date = [Card::new("EXPSTART", "2024-05-02T12:00:00", "")];
        with_cards(folder.path(), "i_d.fits", &image(5, 3, |_, _| 9.0), &date);
        let error = run(&args("i_*.fits", true), folder.path()).unwrap_err().to_string();
        assert!(error.contains("i_d.fits") && error.contains("--shape R C"), "{error}");
        let mut some = args("i_*.fits", true);
        some.shape = Some(vec![4, 3]);
        some.row_range = Some(vec![1, -1]);
        let results = run(&some, folder.path()).unwrap();
        assert_eq!(results.warnings, ["i_d.fits has 5 rows × 3 columns and was left out"]);
        let pixels = FitsInput::open(folder.path().join("all.fits")).unwrap().read_image(0).unwrap();
        assert_eq!(pixels.column(0).to_vec(), [1.1, 1.2, 1.3, 2.1, 2.2, 2.3, 3.1, 3.2, 3.3]);
    }

    #[test]
    fn the_unit_of_the_pixels_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let date = |day: u32| Card::new("EXPSTART", format!("2024-05-0{day}T10:00:00"), "");
        let unit = |text: &str| Card::new("BUNIT", text, "");
        with_cards(folder.path(), "i_a.fits", &image(2, 2, |_, _| 1.0), &[date(1), unit("electron")]);
        with_cards(folder.path(), "i_b.fits", &image(2, 2, |_, _| 1.0), &[date(2), unit("electron")]);
        let unit_of_all = || {
            let header = FitsInput::open(folder.path().join("all.fits")).unwrap().header(0).unwrap();
            header.text("BUNIT")
        };
        run(&args("i_*.fits", true), folder.path()).unwrap();
        assert_eq!(unit_of_all().as_deref(), Some("electron"));
        // An image that is in electrons by its name only.
        extensions(folder.path(), "c.fits", &[("CALIBRATED", &image(2, 2, |_, _| 1.0), &[date(3)])]);
        run(&args("c.fits", false), folder.path()).unwrap();
        assert_eq!(unit_of_all().as_deref(), Some("electron"));
        with_cards(folder.path(), "i_d.fits", &image(2, 2, |_, _| 1.0), &[date(4), unit("adu")]);
        let error = run(&args("i_*.fits", true), folder.path()).unwrap_err().to_string();
        assert!(error.contains("i_d.fits") && error.contains("adu") && error.contains("electron"), "{error}");
    }

    /// Readout 60 s in one file and unknown in the other: pixels wait for 30 s, not for the mean of 30 and 0.
    #[test]
    fn a_time_that_is_missing_is_not_zero() {
        let folder = tempfile::tempdir().unwrap();
        let date = |day: u32| Card::new("EXPSTART", format!("2024-05-0{day}T10:00:00"), "");
        let own = [date(1), Card::new("MREAD", 60_000, ""), Card::new("MEXP", 5000, ""), Card::new("AMPL", "L", "")];
        with_cards(folder.path(), "i_a.fits", &image(2, 2, |_, _| 0.0), &own);
        with_cards(folder.path(), "i_b.fits", &image(2, 2, |_, _| 0.0), &[date(2), own[3].clone()]);
        let results = run(&args("i_*.fits", true), folder.path()).unwrap();
        let header = FitsInput::open(folder.path().join("all.fits")).unwrap().header(0).unwrap();
        let times = ["CTBINPIX", "CTPIXSTD", "CTBINEXP", "CTEXPSTD"].map(|key| header.number(key).unwrap());
        assert_eq!(times, [30.0, 0.0, 5.0, 0.0]);
        assert_eq!(results.warnings.len(), 2, "{:?}", results.warnings);
        assert!(results.warnings[0].starts_with("i_b.fits: there is no readout time"), "{:?}", results.warnings);
        // Where no file has a time there is no card.
        let mut acm = args("i_b.fits", true);
        acm.acm = true;
        run(&acm, folder.path()).unwrap();
        assert!(FitsInput::open(folder.path().join("all.fits")).unwrap().header(0).unwrap().card("CTBINPIX").is_none());
    }

    #[test]
    fn a_file_counts_once_however_it_is_written_and_the_output_never() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("eo")).unwrap();
        run_of_three(&folder.path().join("eo"));
        let mut two_ways = args("eo/i_*.fits", true);
        two_ways.infile.push("eo/../eo/i_a.fits".into());
        two_ways.output = "made/all.fits".into();
        let results = run(&two_ways, folder.path()).unwrap();
        assert!(results.text.iter().any(|l| l.starts_with("3 image(s) joined")), "{:?}", results.text);
        let mut again = args("eo/*.fits", true);
        again.output = "./eo/../eo/i_c.fits".into();
        let results = run(&again, folder.path()).unwrap();
        assert!(results.text.iter().any(|l| l.starts_with("2 image(s) joined")), "{:?}", results.text);
        let error = run(&args("eo", true), folder.path()).unwrap_err().to_string();
        assert!(error.contains("is a directory"), "{error}");
    }

    #[test]
    fn without_a_date_the_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        with_cards(folder.path(), "x.fits", &image(2, 2, |_, _| 0.0), &[]);
        let error = run(&args("x.fits", true), folder.path()).unwrap_err().to_string();
        assert!(error.contains("x.fits") && error.contains("--keydate"), "{error}");
        assert!(run(&args("y*.fits", true), folder.path()).unwrap_err().is_no_input());
    }
}
