//! The options of the analysis, grouped as the help shows them.
//!
//! The first sentence of each doc comment is the short help, all of it the long one. Which key of the configuration an
//! option overrides stands in [`super::mapping`]; key and default are appended to the help from there, so that they
//! cannot differ from what the program does.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser};

use super::dqm_arguments::DqmArguments;

/// Analysis of skipper-CCD images: averages the skips, subtracts the pedestal, fits gain and dark current, calibrates to
/// electrons, finds clusters.
///
/// What is done, and how, stands in a configuration file (-j); most of its keys can also be given here. In brackets: the
/// key that an option overrides, and its default.
#[derive(Debug, Clone, Default, Parser)]
#[command(name = "panaSKImg", version, max_term_width = 120, args_override_self = true)]
#[command(override_usage = "panaSKImg [options] INFILE [INFILE ...]")]
#[command(after_help = "\
Examples:
  panaSKImg -j config.json Image_489.fits
        one image
  panaSKImg -j config.json \"run42/*.fits\" --skip _598 _631 -o out
        all images of a run except two, outputs to the directory out
  panaSKImg -j config.json --save-img --save-plots --cal 10.2 Image_489.fits
        with images and figures of each process
  panaSKImg --list-processes
        what can stand in a sequence
  panaSKImg --json help
        what can stand in a configuration

Exit code: 0 done, 1 some input failed, 2 wrong usage or configuration,
3 no input file.")]
pub(crate) struct Arguments {
    /// Image(s) to analyse: files, or quoted patterns ("run42/*.fits").
    ///
    /// A name that exists is taken as it is; otherwise *, ?, [abc], [a-z] and [!abc] are wildcards, in directories too.
    /// HDUs are chosen with -e. Write INFILE before a list such as --skip, or put -- between.
    #[arg(value_name = "INFILE")]
    pub(crate) infiles: Vec<OsString>,

    #[command(flatten)]
    pub(crate) general: General,
    #[command(flatten)]
    pub(crate) clustering: Clustering,
    #[command(flatten)]
    pub(crate) dqm: DqmArguments,
    #[command(flatten)]
    pub(crate) image: Image,
    #[command(flatten)]
    pub(crate) all_processes: AllProcesses,
    #[command(flatten)]
    pub(crate) calibration: Calibration,
    #[command(flatten)]
    pub(crate) compress: Compress,
    #[command(flatten)]
    pub(crate) pedestal: Pedestal,
    #[command(flatten)]
    pub(crate) charge_loss: ChargeLoss,
    #[command(flatten)]
    pub(crate) noise: Noise,
    #[command(flatten)]
    pub(crate) fit_calibration: FitCalibration,
    #[command(flatten)]
    pub(crate) dark_current: DarkCurrent,
}

#[derive(Debug, Clone, Default, Args)]
pub(crate) struct General {
    /// Leave out files whose name contains one of these texts.
    ///
    /// A text with a slash is looked for in the whole path. A name that ends in .txt is a file with one text per line.
    #[arg(long, value_name = "STR", num_args = 1.., value_delimiter = ',')]
    pub(crate) skip: Vec<String>,

    /// Directory for all outputs; created when missing [default: .]
    #[arg(short, long, visible_alias = "ouptut", value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,

    /// HDU number(s) of the data.
    #[arg(short, long, value_name = "N", num_args = 1.., value_delimiter = ',', allow_negative_numbers = true)]
    pub(crate) ext: Vec<i64>,

    /// HDU number(s) of the header to use: one for all, or one per extension.
    #[arg(long, value_name = "N", num_args = 1.., value_delimiter = ',', allow_negative_numbers = true)]
    pub(crate) hext: Vec<i64>,

    /// Configuration file; `help` lists all its keys, `schema` prints its JSON schema.
    ///
    /// Precedence: built-in defaults, then this file, then the command line. A file that is really called help is given
    /// as ./help.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Print the merged configuration (defaults, file, command line) as JSON and stop.
    #[arg(long)]
    pub(crate) dump_config: bool,

    /// Unknown keys of the configuration are warnings, not errors.
    #[arg(long)]
    pub(crate) lenient: bool,

    /// Leave out images whose outputs are complete.
    ///
    /// That is: made by this version with the same configuration from the same input, as their summaries say.
    #[arg(long)]
    pub(crate) resume: bool,

    /// Number of threads [default: all cores]
    ///
    /// Results do not depend on it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) ncpus: Option<u32>,

    /// Seed of all random numbers [default: 321]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,

    /// Stack the extensions along the rows into one image (multi-CCD acquisition board).
    #[arg(long, overrides_with = "no_acm")]
    pub(crate) acm: bool,

    /// One image per extension, the opposite of --acm (default)
    #[arg(long, overrides_with = "acm")]
    pub(crate) no_acm: bool,

    /// Compress the final FITS files with bzip2.
    #[arg(long)]
    pub(crate) bz2: bool,

    /// Name for the amplifier of images with one amplifier.
    #[arg(long, value_name = "NAME")]
    pub(crate) amp_name: Option<String>,

    /// Largest distance of the halo evaluation, pixels.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) halo_radius: Option<i64>,

    /// Step of the distance of the halo evaluation, pixels.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) halo_radius_min: Option<i64>,

    /// One ROOT file of this name for all inputs, in the output directory.
    ///
    /// Without it, each input has its own file panaSKImg_clustersRec_<stem>_ext<n>.root.
    #[arg(long, value_name = "FILE")]
    pub(crate) oroot: Option<PathBuf>,

    /// HDU of the Monte-Carlo truth: deposited energy per pixel, eV; the next HDU holds the ids of the true clusters.
    #[arg(long = "MCT", value_name = "N")]
    pub(crate) mct: Option<usize>,

    /// CCD number [default: from the file name]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) ccd: Option<i64>,

    /// Run number [default: from the file name]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) run: Option<i64>,

    /// Gain of amplifier L, ADU/e-; serves images with one amplifier, too.
    #[arg(long = "calL", value_name = "X", allow_negative_numbers = true, value_parser = finite)]
    pub(crate) cal_l: Option<f64>,

    /// Gain of amplifier U, ADU/e-.
    #[arg(long = "calU", value_name = "X", allow_negative_numbers = true, value_parser = finite)]
    pub(crate) cal_u: Option<f64>,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "*** Options for CLUSTERING ************************** ")]
pub(crate) struct Clustering {
    /// FITS image with the size of the input, not 0 where pixels are to be masked before clustering.
    #[arg(long, value_name = "FITS")]
    pub(crate) mask: Option<PathBuf>,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "*** Related to the input data: JSON[input][image] ************************** ")]
pub(crate) struct Image {
    /// Invert the sign of the charge, so that ADU grow with the charge.
    #[arg(long)]
    pub(crate) invert: bool,

    /// First skip, counted from 0, for all processes whose block has no own id_skip_start.
    #[arg(long, alias = "id-skip-start", value_name = "N", allow_negative_numbers = true)]
    pub(crate) skip_start: Option<i64>,

    /// End of the skips, itself excluded; negative: to the last.
    #[arg(long, alias = "id-skip-end", value_name = "N", allow_negative_numbers = true)]
    pub(crate) skip_end: Option<i64>,

    /// First row, counted from 0, for all processes whose block has no own id_row_start.
    #[arg(long, alias = "id-row-start", value_name = "N", allow_negative_numbers = true)]
    pub(crate) row_start: Option<i64>,

    /// End of the rows, itself excluded; negative: to the last.
    #[arg(long, alias = "id-row-end", value_name = "N", allow_negative_numbers = true)]
    pub(crate) row_end: Option<i64>,

    /// First column, counted from 0, for all processes whose block has no own id_col_start.
    #[arg(long, alias = "id-col-start", value_name = "N", allow_negative_numbers = true)]
    pub(crate) col_start: Option<i64>,

    /// End of the columns, itself excluded; negative: to the last.
    #[arg(long, alias = "id-col-end", value_name = "N", allow_negative_numbers = true)]
    pub(crate) col_end: Option<i64>,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "*** Common to all PROCESS ************************** ")]
pub(crate) struct AllProcesses {
    /// Processes to run, in this order, separated by commas; replaces the sequence of the configuration.
    #[arg(short, long, value_name = "NAME,...")]
    pub(crate) sequence: Option<String>,

    /// List the names of all processes; with --verbose also what they do.
    #[arg(long)]
    pub(crate) list_processes: bool,

    /// Save the images that each process makes as FITS.
    #[arg(long)]
    pub(crate) save_img: bool,

    /// Save the figures as pdf and eps (other formats: key format_figures).
    #[arg(long)]
    pub(crate) save_plots: bool,

    /// Show the final figures of each process.
    ///
    /// In a graphical session in the default viewer, else in the terminal. The program never waits for it.
    #[arg(long)]
    pub(crate) display: bool,

    /// More messages, and the intermediate figures of each process.
    #[arg(long)]
    pub(crate) verbose: bool,

    /// Details of every fit, and a figure of each.
    #[arg(long)]
    pub(crate) debug: bool,

    /// Calibration constant to start with, ADU/e-; the same as --calibration.
    #[arg(long, value_name = "X", allow_negative_numbers = true, overrides_with = "calibration", value_parser = finite)]
    pub(crate) cal: Option<f64>,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "*** For Process CalibrationProcess ************************** ")]
pub(crate) struct Calibration {
    /// Gain of all amplifiers, ADU/e-; --calL and --calU win over it.
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = finite)]
    pub(crate) adu2e: Option<f64>,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "*** For Process CompressSkipperProcess ************************** ")]
pub(crate) struct Compress {
    /// Functions that reduce the skips of a pixel to one value: mean, median, std, ...
    #[arg(long, value_name = "NAME", num_args = 1.., value_delimiter = ',')]
    pub(crate) func_to_compress: Vec<String>,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "*** For Process PedestalSubtractionProcess ************************** ")]
pub(crate) struct Pedestal {
    /// How the pedestal is estimated: gauss_fit, median, mean or gauss_fit_window.
    #[arg(long, value_name = "NAME")]
    pub(crate) method: Option<String>,

    /// Switches the overscan OFF: estimates the pedestal from the active image, not from the overscan.
    ///
    /// The name is kept from older versions; its alias says it more clearly. Opposite: --use-overscan.
    #[arg(long, visible_alias = "no-overscan", overrides_with = "use_overscan")]
    pub(crate) in_overscan: bool,

    /// Estimates the pedestal from the overscan, the opposite of --no-overscan.
    #[arg(long, overrides_with = "in_overscan")]
    pub(crate) use_overscan: bool,

    /// Lines that share one pedestal: row, col, both or none.
    #[arg(long, value_name = "AXIS")]
    pub(crate) axis: Option<String>,

    /// Half width of the window of the fit, in sigmas.
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = finite)]
    pub(crate) n_sigma_win_fit: Option<f64>,

    /// Leave out pixels farther from the median than this many MADs; not positive: use all.
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = finite)]
    pub(crate) n_sigma_to_mask: Option<f64>,

    /// Make figures of the fits.
    #[arg(long)]
    pub(crate) show_fit: bool,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "*** For Process ChargeLossPlot ************************** ")]
pub(crate) struct ChargeLoss {
    /// Skips to show, counted from 0.
    #[arg(long, value_name = "N", num_args = 1.., value_delimiter = ',', allow_negative_numbers = true)]
    pub(crate) skip_id_list: Vec<i64>,

    /// Skip that is subtracted from them; negative: the last.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) skip_id_baseline: Option<i64>,

    /// Equalise the histograms of the images shown.
    #[arg(long)]
    pub(crate) histequ: bool,

    /// Show the images in gray.
    #[arg(long)]
    pub(crate) gray_palette: bool,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "*** For Process RNvsNskipsPlot (readout noise study) ************************** ")]
pub(crate) struct Noise {
    /// Step in the number of skips; negative: so many points, logarithmically spaced.
    #[arg(long, visible_alias = "n-skips-per-block", value_name = "N", allow_negative_numbers = true)]
    pub(crate) n_skips: Option<i64>,

    /// The image holds no charge: use all pixels, not only the overscan.
    #[arg(long)]
    pub(crate) is_blank: bool,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "*** For Process FitCalibrationConstant ************************** ")]
pub(crate) struct FitCalibration {
    /// Largest number of peaks to fit, the one at 0 e- included.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) n_peaks: Option<i64>,

    /// Calibration constant to start with, ADU/e-.
    #[arg(long, value_name = "X", allow_negative_numbers = true, overrides_with = "cal", value_parser = finite)]
    pub(crate) calibration: Option<f64>,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "*** For Process FitDarkCurrentProcess ************************** ")]
pub(crate) struct DarkCurrent {
    /// Also fit the dark current along an axis: none, row or col.
    #[arg(long, value_name = "AXIS")]
    pub(crate) dc_axis: Option<String>,

    /// Number of single-electron peaks in the model, the one at 0 e- included.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) n_elec: Option<i64>,

    /// Widths of noise that the automatic window reaches beyond the last peak.
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = finite)]
    pub(crate) n_sigma_fit: Option<f64>,

    /// Start value of the position of the peak at 0 e-, ADU.
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = finite)]
    pub(crate) mu_gauss: Option<f64>,

    /// Start value of the noise, e-.
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = finite)]
    pub(crate) sigma_gauss: Option<f64>,

    /// Start value of the dark current, e- per (binned) pixel.
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = finite)]
    pub(crate) lambda_poisson: Option<f64>,

    /// Letters of the fit, as in ROOT: L likelihood, I bin integral, M, E, Q, ... in quotes.
    #[arg(long, value_name = "LETTERS")]
    pub(crate) fit_options: Option<String>,

    /// Fit the gain, starting from the value of --calibration (needed).
    #[arg(long, overrides_with = "fix_gain")]
    pub(crate) do_calibration: bool,

    /// Keep the gain at the calibration constant, do not fit it.
    #[arg(long, overrides_with = "do_calibration")]
    pub(crate) fix_gain: bool,
}

fn finite(text: &str) -> Result<f64, String> {
    text.parse::<f64>().ok().filter(|x| x.is_finite()).ok_or_else(|| "expected a number".to_owned())
}
