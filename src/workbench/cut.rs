//! `panaSKImg cut`: the same small region of many images, as a cube and as pictures (spec 04 §8.12).

use std::borrow::Cow;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::{ArgAction, Args};
use ndarray::{Array2, ArrayView2, Axis, Slice, concatenate};

use super::error::{BenchError, BenchResult};
use super::files::{Extension, FitsFile, expand, name_of, stem_of, unit_card, unit_of, whole};
use super::results::{FigureArgs, Results};
use crate::fits::{Card, FitsWriter, Header};
use crate::output::images::{TOOL, is_structural};
use crate::plot::{Colour, Figure, ImagePlot, Palette, Panel, Polygon, Stroke, render_pixels};

/// Panels of the picture at most.
const MOST_PANELS: usize = 36;
/// Pixels per inch of the frames.
const FRAME_DPI: f64 = 110.0;

/// Options of `panaSKImg cut`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct CutArgs {
    /// Images, or patterns (quoted)
    #[arg(value_name = "INFILE")]
    pub files: Vec<String>,
    /// The same
    #[arg(long, num_args = 1.., value_name = "INFILE")]
    pub images: Vec<String>,
    /// Centre and padding: columns CENTRE-PAD to CENTRE+PAD
    #[arg(long, num_args = 2, required = true, value_names = ["CENTRE", "PAD"], value_parser = whole)]
    pub col: Vec<usize>,
    /// Centre and padding of the rows
    #[arg(long, num_args = 2, required = true, value_names = ["CENTRE", "PAD"], value_parser = whole)]
    pub row: Vec<usize>,
    /// Extension with the data, number or EXTNAME [default: CALIBRATED, else the first image]
    #[arg(long, value_name = "EXT")]
    pub ext: Option<Extension>,
    /// Range of the colours
    #[arg(long, num_args = 2, value_names = ["LO", "HI"], allow_negative_numbers = true, default_values_t = [-0.5, 2.0])]
    pub cmap: Vec<f64>,
    /// Colours: bird, jet, viridis, gray
    #[arg(long, value_name = "NAME", default_value = "bird")]
    pub cmapname: String,
    /// Titles of the pictures, in the order of the files [default: the names]
    #[arg(long, value_name = "A,B,...", value_delimiter = ',')]
    pub ccds: Vec<String>,
    /// Also write the images one after the other as animated PNG
    #[arg(long, visible_alias = "mp4", action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true",
          default_value_t = false, hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub film: bool,
    /// Time of a frame of the film, s
    #[arg(long, value_name = "S", default_value_t = 0.5)]
    pub tframe: f64,
    /// Output.
    #[command(flatten)]
    pub output: FigureArgs,
}

/// Cuts the region out of all images.
///
/// # Errors
/// Files that cannot be read or differ in shape, a region outside of them.
pub fn run(args: &CutArgs, base: &Path) -> BenchResult<Results> {
    let mut results = Results::new(&args.output, base)?;
    let palette = match args.cmapname.to_ascii_lowercase().as_str() {
        "bird" => Palette::Bird,
        "jet" => Palette::Jet,
        "viridis" => Palette::Viridis,
        "gray" | "grey" => Palette::Gray,
        other => {
            return Err(BenchError::option("--cmapname", format!("`{other}` is none of bird, jet, viridis, gray")));
        }
    };
    if !(args.cmap[0] < args.cmap[1]) {
        return Err(BenchError::option("--cmap", "LO < HI is expected"));
    }
    if !(args.tframe > 0.0 && args.tframe <= 60.0) {
        return Err(BenchError::option("--tframe", "a time between 0 and 60 s is expected"));
    }
    let patterns: Vec<String> = args.files.iter().chain(&args.images).cloned().collect();
    let files = expand(&patterns, base)?;
    if !args.ccds.is_empty() && args.ccds.len() != files.len() {
        return Err(BenchError::option(
            "--ccds",
            format!("{} names are given for {} images", args.ccds.len(), files.len()),
        ));
    }
    let cuts = results.read_each(&files, |k, path, _| {
        let title = args.ccds.get(k).cloned().unwrap_or_else(|| stem_of(path));
        cut(args, path, title)
    })?;
    let first = &cuts[0];
    if let Some(other) = cuts.iter().find(|c| c.pixels.dim() != first.pixels.dim()) {
        return Err(BenchError::Shape {
            path: other.path.clone(),
            found: other.shape,
            expected: first.shape,
            hint: format!(" like {}: the region is cut off at the edge of one of them", name_of(&first.path)),
        });
    }
    if let Some(other) = cuts.iter().find(|c| c.unit != first.unit) {
        return Err(BenchError::Data(format!(
            "{}: its pixels are in {}, those of {} in {}",
            other.path.display(),
            other.unit,
            name_of(&first.path),
            first.unit
        )));
    }
    for one in &cuts {
        let q = one.centre(args);
        results.line(format!("{}: q = {q:.4} {} in the centre", name_of(&one.path), one.unit));
    }
    let name = format!("{}_snap_{}-{}", stem_of(&files[files.len() - 1]), args.col[0], args.row[0]);
    write_cube(&name, &cuts, &mut results)?;
    let figure = picture(args, &cuts, &palette, &name);
    results.figure(figure);
    if args.film {
        let bytes = film(args, &cuts, &palette)?;
        results.file(&format!("{name}_film.png"), &bytes)?;
    }
    Ok(results)
}

/// The region of one image.
struct Cut {
    path: PathBuf,
    title: String,
    unit: String,
    unit_card: Option<Card>,
    header: Header,
    /// Rows and columns of the image.
    shape: (usize, usize),
    rows: Range<usize>,
    cols: Range<usize>,
    pixels: Array2<f64>,
}

impl Cut {
    fn centre(&self, args: &CutArgs) -> f64 {
        self.pixels[[args.row[0] - self.rows.start, args.col[0] - self.cols.start]]
    }
}

/// From centre − pad to centre + pad, as far as there are pixels.
fn region(values: &[usize], length: usize, option: &'static str) -> BenchResult<Range<usize>> {
    let (centre, pad) = (values[0], values[1]);
    if centre >= length {
        return Err(BenchError::option(option, format!("{centre} lies beyond the image, which has {length}")));
    }
    Ok(centre.saturating_sub(pad)..centre.saturating_add(pad).saturating_add(1).min(length))
}

fn cut(args: &CutArgs, path: &Path, title: String) -> BenchResult<Cut> {
    let file = FitsFile::open(path)?;
    let hdu = file.find_data(args.ext.as_ref(), &["CALIBRATED"])?;
    let image = file.image(hdu)?;
    let rows = region(&args.row, image.nrows(), "--row")?;
    let cols = region(&args.col, image.ncols(), "--col")?;
    let part = image.slice_axis(Axis(0), Slice::from(rows.clone()));
    let pixels = part.slice_axis(Axis(1), Slice::from(cols.clone())).to_owned();
    let unit = unit_of(&file, hdu)?;
    Ok(Cut {
        path: path.to_owned(),
        title,
        unit,
        unit_card: unit_card(&file, hdu)?,
        header: file.header(0)?,
        shape: image.dim(),
        rows,
        cols,
        pixels,
    })
}

fn write_cube(name: &str, cuts: &[Cut], results: &mut Results) -> BenchResult<()> {
    let first = &cuts[0];
    let mut header = Header::new();
    header.push(Card::new("EXTNAME", "SNAP", "region cut out of images"));
    let own = first.header.cards().iter().filter(|c| !is_structural(&c.keyword));
    own.for_each(|card| header.push(card.clone()));
    if let Some(unit) = &first.unit_card {
        header.set(unit.clone());
    }
    for (key, value, comment) in [
        ("NROW", first.rows.len(), "rows"),
        ("NCOL", first.cols.len(), "columns"),
        ("X0", first.cols.start, "column of the image that is column 0 here"),
        ("Y0", first.rows.start, "row of the image that is row 0 here"),
    ] {
        header.set(Card::new(key, value, comment));
    }
    header.push(Card::history(format!("Cut by {TOOL}")));
    for one in cuts {
        header.push(Card::history(format!("Input: {}", name_of(&one.path))));
    }
    let views: Vec<ArrayView2<'_, f64>> = cuts.iter().map(|c| c.pixels.view()).collect();
    let stacked = concatenate(Axis(0), &views).map_err(|e| BenchError::Data(e.to_string()))?;
    let mut writer = FitsWriter::new();
    writer.push_stack(header, Cow::Borrowed(&stacked), cuts.len());
    let path = results.path(&format!("{name}.fits"));
    writer.write(&path, false).map_err(|e| BenchError::Unwritable { path: path.clone(), reason: e.to_string() })?;
    results.written.push(path);
    Ok(())
}

fn panel(args: &CutArgs, one: &Cut, palette: &Palette) -> Panel {
    let (x0, y0) = (one.cols.start as f64 - 0.5, one.rows.start as f64 - 0.5);
    let unit = one.unit.replace("e-", "e⁻");
    let plot = ImagePlot::new(one.pixels.clone())
        .origin_bottom()
        .extent(x0, x0 + one.cols.len() as f64, y0, y0 + one.rows.len() as f64)
        .palette(palette.clone())
        .range(args.cmap[0], args.cmap[1])
        .colour_label(format!("pixel charge [{unit}]"));
    let (x, y) = (args.col[0] as f64, args.row[0] as f64);
    let mark = Polygon::rectangle(x - 0.5, y - 0.5, x + 0.5, y + 0.5).stroke(Stroke::new(Colour::RED).width(1.6));
    Panel::image_of(plot).title(format!("{}: {:.2} {unit}", one.title, one.centre(args))).equal_aspect().polygon(mark)
}

fn picture(args: &CutArgs, cuts: &[Cut], palette: &Palette, name: &str) -> Figure {
    let some = &cuts[..cuts.len().min(MOST_PANELS)];
    let columns = (some.len() as f64).sqrt().ceil() as usize;
    let rows = some.len().div_ceil(columns.max(1));
    let mut figure = Figure::new(format!("{name}_subfigure"))
        .title(format!("column {}, row {}", args.col[0], args.row[0]))
        .grid(rows, columns)
        .size(4.6 * columns as f64, 4.0 * rows as f64 + 0.4);
    for one in some {
        figure = figure.panel(panel(args, one, palette));
    }
    figure
}

/// The images as frames of an animated PNG, which browsers and viewers play.
fn film(args: &CutArgs, cuts: &[Cut], palette: &Palette) -> BenchResult<Vec<u8>> {
    let failed = |e: String| BenchError::Data(format!("the film cannot be made: {e}"));
    let mut frames = Vec::new();
    for one in cuts {
        let figure = Figure::new("frame").size(5.0, 4.4).panel(panel(args, one, palette));
        frames.push(render_pixels(&figure, FRAME_DPI).map_err(|e| failed(e.to_string()))?);
    }
    let (width, height) = (frames[0].width, frames[0].height);
    let number = u32::try_from(frames.len()).map_err(|e| failed(e.to_string()))?;
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let milliseconds = (1000.0 * args.tframe).round() as u16;
    encoder.set_animated(number, 0).map_err(|e| failed(e.to_string()))?;
    encoder.set_frame_delay(milliseconds, 1000).map_err(|e| failed(e.to_string()))?;
    let mut writer = encoder.write_header().map_err(|e| failed(e.to_string()))?;
    for frame in &frames {
        writer.write_image_data(&frame.rgb).map_err(|e| failed(e.to_string()))?;
    }
    writer.finish().map_err(|e| failed(e.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;
    use crate::fits::FitsInput;
    use crate::workbench::test_files::{extensions, image, with_cards};

    fn args(words: &[&str]) -> CutArgs {
        let command = CutArgs::augment_args(clap::Command::new("cut"));
        CutArgs::from_arg_matches(&command.get_matches_from(std::iter::once("cut").chain(words.iter().copied())))
            .unwrap()
    }

    #[test]
    fn regions_are_odd_and_end_at_the_edges() {
        let folder = tempfile::tempdir().unwrap();
        for (name, add) in [("a", 0.0), ("b", 0.5)] {
            let cards = [Card::new("NROW", 20, ""), Card::new("NCOL", 30, "")];
            let pixels = image(20, 30, |r, c| (100 * r + c) as f64 + add);
            with_cards(folder.path(), &format!("{name}.fits"), &pixels, &cards);
        }
        let results = run(&args(&["?.fits", "--col", "10", "2", "--row", "1", "3", "--film"]), folder.path()).unwrap();
        assert_eq!(results.text, ["a.fits: q = 110.0000 ADU in the centre", "b.fits: q = 110.5000 ADU in the centre"]);
        let input = FitsInput::open(folder.path().join("b_snap_10-1.fits")).unwrap();
        assert_eq!(input.hdus()[0].axes, [5, 5, 2], "columns 8 to 12, rows 0 to 4, two images");
        let header = input.header(0).unwrap();
        let cards = ["NROW", "NCOL", "X0", "Y0"].map(|key| header.integer(key).unwrap());
        assert_eq!(cards, [5, 5, 8, 0]);
        let film = std::fs::read(folder.path().join("b_snap_10-1_film.png")).unwrap();
        let reader = png::Decoder::new(std::io::Cursor::new(film)).read_info().unwrap();
        assert_eq!(reader.info().animation_control().unwrap().num_frames, 2);
    }

    /// The cut of an image in electrons is in electrons, whether its unit or only its name says so.
    #[test]
    fn the_unit_of_the_pixels_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let pixels = image(8, 8, |_, _| 2.0);
        extensions(folder.path(), "a.fits", &[("CALIBRATED", &pixels, &[])]);
        extensions(folder.path(), "b.fits", &[("", &pixels, &[Card::new("BUNIT", "electron", "")])]);
        extensions(folder.path(), "c.fits", &[("", &pixels, &[Card::new("BUNIT", "adu", "")])]);
        for (name, unit) in [("a", "e-"), ("b", "e-"), ("c", "ADU")] {
            run(&args(&[&format!("{name}.fits"), "--col", "3", "1", "--row", "3", "1"]), folder.path()).unwrap();
            let file = FitsFile::open(&folder.path().join(format!("{name}_snap_3-3.fits"))).unwrap();
            assert_eq!(unit_of(&file, 0).unwrap(), unit, "{name}");
        }
        let error = run(&args(&["?.fits", "--col", "3", "1", "--row", "3", "1"]), folder.path()).unwrap_err();
        assert!(error.to_string().contains("c.fits: its pixels are in ADU"), "{error}");
    }

    #[test]
    fn mistakes_are_explained() {
        let folder = tempfile::tempdir().unwrap();
        with_cards(folder.path(), "wide.fits", &image(20, 31, |_, _| 0.0), &[]);
        with_cards(folder.path(), "narrow.fits", &image(20, 30, |_, _| 0.0), &[]);
        let error = run(&args(&["*.fits", "--col", "29", "2", "--row", "5", "2"]), folder.path()).unwrap_err();
        let text = "wide.fits: the image has 20 rows × 31 columns; 20 × 30 are expected like narrow.fits";
        assert!(error.to_string().contains(text), "{error}");
        with_cards(folder.path(), "a.fits", &image(20, 30, |_, _| 0.0), &[]);
        let message = |words: &[&str]| run(&args(words), folder.path()).unwrap_err().to_string();
        assert!(message(&["a.fits", "--col", "30", "2", "--row", "1", "3"]).contains("30 lies beyond"));
        assert!(message(&["a.fits", "--col", "3", "2", "--row", "1", "3", "--cmapname", "x"]).contains("viridis"));
        assert!(message(&["a.fits", "--col", "3", "2", "--row", "1", "3", "--ccds", "A,B"]).contains("2 names"));
    }
}
