//! `panaSKImg view`: images side by side or one over the other, one colour per electron (spec 04 §8.5).
//!
//! Row 0 is at the bottom. Images are stacked in the order of their names, or drawn in a grid. Over them: the boundary of
//! the overscan, hot columns, outlines of masked clusters, circles around pixels of a given charge. A second figure is
//! the pixel charge distribution.

mod figures;
mod listing;
mod tile;

use std::path::Path;

use clap::{ArgAction, Args, ValueEnum, builder::BoolishValueParser};

use super::error::{BenchError, BenchResult};
use super::files::{Extension, expand, stem_of, whole};
use super::results::{FigureArgs, Results};
use crate::plot::Palette;
pub use tile::{Half, Tile};

/// How values are laid out along the colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Stretch {
    /// In proportion.
    #[default]
    Linear,
    /// Logarithmic.
    Log,
    /// Equal numbers of pixels for equal parts of the palette.
    #[value(alias = "histequ")]
    Equal,
}

/// Options of `panaSKImg view`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct ViewArgs {
    /// Images, or patterns (quoted)
    #[arg(value_name = "INFILE", required = true)]
    pub infiles: Vec<String>,
    /// Extension with the data, number or EXTNAME [default: CALIBRATED, else the first image]
    #[arg(long, value_name = "EXT")]
    pub ext: Option<Extension>,
    /// Extension with a mask (FULLMASK, CLSMASK, ...): masked pixels are outlined and left out of the distribution
    #[arg(long, value_name = "EXT")]
    pub mext: Option<Extension>,
    /// Draw masked pixels white
    #[arg(long, requires = "mext", action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true",
          default_value_t = false, hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub hide: bool,
    /// Do not round charges to whole electrons
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", default_value_t = false,
          hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub float: bool,
    /// Range of the colours [default: -0.5 7.5 for electrons, else 0.5 % to 99.5 % of the pixels]
    #[arg(short = 'r', long, num_args = 2, value_names = ["LO", "HI"], allow_negative_numbers = true)]
    pub color_range: Option<Vec<f64>>,
    /// Colours: jet, bird, viridis, gray, gray_r, diverging
    #[arg(long, value_name = "NAME", default_value = "jet")]
    pub cmap: String,
    /// How values are laid out along the colours
    #[arg(long, value_enum, default_value_t = Stretch::Linear)]
    pub stretch: Stretch,
    /// Circle and list pixels with N electrons after rounding, or with N to M
    #[arg(long, value_name = "N[,M]", allow_hyphen_values = true)]
    pub ne: Option<String>,
    /// Rows R0 to R1 and columns C0 to C1 only (ends excluded; -1: to the last)
    #[arg(long, num_args = 4, value_names = ["R0", "R1", "C0", "C1"], allow_negative_numbers = true)]
    pub zoom: Option<Vec<i64>>,
    /// Draw the half of one amplifier (--amp), rows and columns exchanged
    #[arg(short = 'T', long, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true",
          default_value = "false", value_parser = BoolishValueParser::new(), hide_default_value = true,
          hide_possible_values = true, value_name = "BOOL")]
    pub transpose: bool,
    /// Amplifier of the half; U is mirrored
    #[arg(long, value_enum, default_value_t = Half::L, ignore_case = true)]
    pub amp: Half,
    /// Columns of the prescan of a half, left out
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = whole)]
    pub prescan: usize,
    /// Columns of the overscan of a half, left out
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = whole)]
    pub overscan: usize,
    /// Yellow line before these columns, where the overscan begins
    #[arg(long, value_name = "COL", value_delimiter = ',', value_parser = whole)]
    pub ovs_col: Vec<usize>,
    /// Hot columns: shaded, and left out of the distribution and of --ne
    #[arg(long, value_name = "A,B,...", value_delimiter = ',', value_parser = whole)]
    pub hotcol: Vec<usize>,
    /// Look at the same pixels in the files of the other CCDs, which differ in this part of the name
    #[arg(long, value_name = "A,B,...", value_delimiter = ',')]
    pub xtalk: Vec<String>,
    /// Charge of the pixels for --xtalk, from
    #[arg(long, value_name = "Q", default_value_t = 7.0)]
    pub qseed: f64,
    /// Images in a grid of this number of columns instead of a stack
    #[arg(long, value_name = "COLUMNS", value_parser = whole)]
    pub grid: Option<usize>,
    /// Also write the stack as PNG with one pixel per pixel
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", default_value_t = false,
          hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub native: bool,
    /// Name of the results [default: that of the first image]
    #[arg(short = 'o', long = "output", value_name = "NAME")]
    pub name: Option<String>,
    /// Output.
    #[command(flatten)]
    pub output: FigureArgs,
}

/// Complete, valid options.
struct Parameters {
    palette: Palette,
    /// Charge of circled pixels, both ends included.
    electrons: Option<(f64, f64)>,
    name: String,
}

/// Draws the images.
///
/// # Errors
/// Files that cannot be read, options that make no sense.
pub fn run(args: &ViewArgs, base: &Path) -> BenchResult<Results> {
    let files = expand(&args.infiles, base)?;
    let mut results = Results::new(&args.output, base)?;
    let parameters = Parameters {
        palette: palette(&args.cmap)?,
        electrons: args.ne.as_deref().map(electrons).transpose()?,
        name: args.name.clone().unwrap_or_else(|| format!("{}_view", stem_of(&files[0]))),
    };
    if args.grid == Some(0) {
        return Err(BenchError::option("--grid", "at least one column is needed"));
    }
    if let Some([lo, hi]) = args.color_range.as_deref()
        && !(lo < hi)
    {
        return Err(BenchError::option("--color-range", format!("LO < HI is expected, not {lo} and {hi}")));
    }
    let tiles = results.read_each(&files, |_, path, _| Tile::read(args, path))?;
    for tile in &tiles {
        let (rows, cols) = tile.values.dim();
        let values = tile.kept();
        let (n, median) = (values.len(), crate::stats::robust::median(&values));
        let (lo, hi) = crate::stats::robust::min_max(&values).unwrap_or((f64::NAN, f64::NAN));
        let what = format!("{}{}: {rows} rows × {cols} columns", tile.name, tile.which());
        results.line(if n == 0 {
            format!("{what}, no pixel is defined")
        } else {
            format!("{what}, {n} pixels, median {median:.4}, {lo:.4} to {hi:.4} {}", tile.unit)
        });
    }
    let listed = parameters.electrons.map(|range| listing::pixels(&tiles, range));
    if let Some(listed) = &listed {
        listing::report(&parameters.name, &tiles, listed, &mut results)?;
    }
    let range = figures::colour_range(args, &tiles);
    match args.grid {
        Some(columns) => {
            let figure = figures::grid(args, &parameters, &tiles, listed.as_deref(), columns, range);
            results.figure(figure);
        }
        None => {
            if let Some(other) = tiles.iter().find(|t| t.values.dim().1 != tiles[0].values.dim().1) {
                return Err(BenchError::Shape {
                    path: other.path.clone(),
                    found: other.values.dim(),
                    expected: tiles[0].values.dim(),
                    hint: "; images of different widths can be drawn in a grid (--grid COLUMNS)".into(),
                });
            }
            results.figure(figures::stack(args, &parameters, &tiles, listed.as_deref(), range));
        }
    }
    if args.native {
        let bytes = figures::native(args, &parameters, &tiles, range)?;
        results.file(&format!("{}_native.png", parameters.name), &bytes)?;
    }
    if let (Some(listed), Some(_)) = (&listed, &args.mext)
        && !listed.is_empty()
    {
        results.figure(figures::zooms(args, &parameters, &tiles, listed, range));
    }
    let (distribution, counts) = figures::distribution(&parameters, &tiles, range);
    results.figure(distribution);
    results.csv(&counts, &[("images", tiles.iter().map(|t| t.name.as_str()).collect::<Vec<_>>().join(";"))])?;
    if !args.xtalk.is_empty() {
        listing::crosstalk(args, &parameters.name, &tiles, listed.as_deref(), &mut results)?;
    }
    Ok(results)
}

fn palette(name: &str) -> BenchResult<Palette> {
    match name.to_ascii_lowercase().as_str() {
        "jet" => Ok(Palette::Jet),
        "bird" => Ok(Palette::Bird),
        "viridis" => Ok(Palette::Viridis),
        "gray" | "grey" => Ok(Palette::Gray),
        "gray_r" | "grey_r" => Ok(Palette::GrayReversed),
        "diverging" => Ok(Palette::Diverging),
        _ => Err(BenchError::option(
            "--cmap",
            format!("`{name}` is none of jet, bird, viridis, gray, gray_r, diverging"),
        )),
    }
}

/// `n`: exactly n after rounding; `n,m`: between n and m.
fn electrons(text: &str) -> BenchResult<(f64, f64)> {
    let wrong =
        || BenchError::option("--ne", format!("a number of electrons, or two of them, are expected, not `{text}`"));
    let numbers: Vec<f64> = text.split(',').map(|x| x.trim().parse().map_err(|_| wrong())).collect::<Result<_, _>>()?;
    match numbers[..] {
        [n] if n.is_finite() => Ok((n, n)),
        [n, m] if n <= m => Ok((n, m)),
        [n, m] if n > m => Err(BenchError::option("--ne", format!("n,m with n ≤ m is expected, not {n},{m}"))),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests;
