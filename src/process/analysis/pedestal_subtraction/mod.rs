//! PedestalSubtractionProcess: the baseline of each row (column, or the whole amplifier) is estimated and subtracted.
//!
//! The baseline is the ADU value of a pixel without charge. It is estimated from the overscan, or from the active region
//! after an outlier mask |x − median| ≤ k·MAD, by a Gaussian fit to the histogram of each line, or by its median or mean.
//! Spec 02 §4; the fit itself is [`crate::stats::gaussian_fit`].

mod estimate;
mod figures;
mod skip_by_skip;
mod streamed_median;

use ndarray::Array2;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::products::{Axis, Pedestal, PedestalAxis};
use crate::config::named::named_values;
use crate::config::{IndexList, PairEnd, PerAmplifier};
use crate::image::{Amplifier, Level, RawData, Region};
use crate::process::{Context, Measurement, ProcessError, SKImageProcess};
use crate::stats::gaussian_fit::{GaussianFitSettings, StartRule};
use crate::stats::histogram::BinRule;
use crate::stats::peak_finder::PeakFinder;
use crate::stats::robust::{self, Ddof};

pub use estimate::{Estimator, LineEstimate, Selection};

/// Overscans narrower than this are not used.
const MIN_OVERSCAN_COLUMNS: usize = 3;
/// Outlier cut, in MAD, when the active region replaces a missing overscan and no cut was configured.
const FALLBACK_N_MAD: f64 = 100.0;
/// Share of lines with σ on its limit above which a hint is logged.
const HINT_SHARE: f64 = 0.2;

named_values! {
    /// How a pedestal is estimated.
    pub enum Method {
        /// Gaussian fit to the histogram of the pixels.
        GaussFit = "gauss_fit" | "gaussian_fit" | "gaus_fit" | "gaussfit",
        /// Median of the pixels.
        Median = "median",
        /// Mean of the pixels.
        Mean = "mean",
        /// Moments inside a window around the highest peak.
        GaussFitWindow = "gauss_fit_window",
    }
}

named_values! {
    /// Along which axis pedestals are estimated.
    pub enum AxisChoice {
        /// One value per row.
        Row = "row" | "rows",
        /// One value per column.
        Col = "col" | "cols" | "column",
        /// Rows, then columns of the row-subtracted image.
        Both = "both",
        /// One value for the whole amplifier.
        None = "none" | "full",
    }
}

named_values! {
    /// How the number of histogram bins is chosen.
    pub enum BinMethod {
        /// Bins two ADU wide, at least 10 bins when the range is below 5 ADU.
        Default = "default",
        /// 1 + log₂ n.
        Sturges = "sturge" | "sturges",
        /// Freedman–Diaconis.
        Freedman = "freedman",
        /// `hist_nbins`.
        Manual = "manual",
    }
}

named_values! {
    /// How the peak of the empty pixels is found (`is_highDC`).
    pub enum PeakFinderChoice {
        /// Smoothed histogram: not fooled by single counts.
        Smoothed = "smoothed",
        /// First rise of the histogram, as in older output.
        FirstBump = "first_bump",
    }
}

named_values! {
    /// What is subtracted from a line without estimate.
    pub enum NanPolicy {
        /// The median of the other lines.
        Median = "median",
        /// Nothing.
        Zero = "zero",
    }
}

/// Parameters of PedestalSubtractionProcess.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PedestalSubtractionProcess {
    /// Image whose baseline is estimated and subtracted.
    pub image: String,
    /// Estimator: gauss_fit, median, mean or gauss_fit_window.
    pub method: Method,
    /// Estimate from the overscan columns (true) or from the active region (false).
    pub in_overscan: bool,
    /// One value per row, per column, both (rows first), or none (one value).
    pub axis: AxisChoice,
    /// Dispersion of methods mean and median: MAD (true) or standard deviation (false).
    pub use_mad: bool,
    /// Half window of method gauss_fit_window, in units of the dispersion.
    pub n_sigma_win_fit: f64,
    /// Pixels farther than this many MAD from the median are left out; 0 or negative: none.
    pub n_sigma_to_mask: f64,
    /// Leave out outliers below the median.
    pub cut_left_tail: bool,
    /// Leave out outliers above the median.
    pub cut_right_tail: bool,
    /// Number of histogram bins of gauss_fit: default, sturge, freedman or manual.
    pub hist_nbins_method: BinMethod,
    /// Number of bins for `hist_nbins_method` manual.
    pub hist_nbins: i64,
    /// Rows left out of the estimate (not in overscan only): indices and [first, last].
    pub skip_rows: PerAmplifier<IndexList>,
    /// Columns left out of the estimate (not in overscan only): indices and [first, last].
    pub skip_cols: PerAmplifier<IndexList>,
    /// Subtract skip by skip from the raw image, then average.
    pub in_rawskipimage: bool,
    /// Start the fit at the first charge peak: for images where most pixels hold electrons.
    #[serde(rename = "is_highDC")]
    pub is_high_dc: PerAmplifier<bool>,
    /// How that peak is found: smoothed, or first_bump to compare with older output.
    pub peak_finder: PeakFinderChoice,
    /// What is subtracted from a line without estimate: median (of the other lines) or zero.
    pub nan_policy: NanPolicy,
    /// Estimate each line from this many lines (a sliding window).
    #[schemars(range(min = 1))]
    pub rebin_rows: usize,
    /// Accepted, without effect.
    pub save_pcd: bool,
    /// Also draw the fitted histograms of all lines.
    pub show_fit: bool,
    /// Accepted, without effect.
    pub histequ: bool,
    /// Write the pixels to a ROOT tree.
    pub create_ttree: bool,
    /// Lines [first, last] for which debug figures are drawn; null: all.
    #[serde(rename = "DEBUG_ROWS")]
    pub debug_rows: Option<[usize; 2]>,
}

impl Default for PedestalSubtractionProcess {
    fn default() -> Self {
        Self {
            image: "mean_compressed".into(),
            method: Method::GaussFit,
            in_overscan: true,
            axis: AxisChoice::Row,
            use_mad: true,
            n_sigma_win_fit: 10.0,
            n_sigma_to_mask: -1.0,
            cut_left_tail: true,
            cut_right_tail: true,
            hist_nbins_method: BinMethod::Default,
            hist_nbins: 0,
            skip_rows: PerAmplifier::default(),
            skip_cols: PerAmplifier::default(),
            in_rawskipimage: false,
            is_high_dc: PerAmplifier::All(false),
            peak_finder: PeakFinderChoice::Smoothed,
            nan_policy: NanPolicy::Median,
            rebin_rows: 1,
            save_pcd: true,
            show_fit: false,
            histequ: false,
            create_ttree: false,
            debug_rows: None,
        }
    }
}

/// What was really used for one amplifier, after the fallback for a missing overscan.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Used {
    in_overscan: bool,
    n_mad: f64,
}

impl SKImageProcess for PedestalSubtractionProcess {
    fn execute(&self, raw: &mut RawData, context: &Context<'_>) -> Result<(), ProcessError> {
        let index = context.amplifier;
        let amplifier = raw.amplifiers[index].clone();
        let used = self.fall_back_to_active_region(raw, &amplifier);
        self.explain_choices(raw, context, &amplifier);
        if self.in_rawskipimage {
            return skip_by_skip::execute(self, raw, context, &amplifier, used);
        }
        let input = raw.image(&self.image)?.clone();
        let output_name = format!("{}_pedestal_subtracted", raw.resolve_image_name(&self.image));
        let mut output = raw.images.shift_remove(&output_name).unwrap_or_else(|| input.clone());

        let mut axes = Vec::new();
        let mut selections = Vec::new();
        let mut subtracted = input.clone();
        for axis in self.axes() {
            let selection = self.selection(raw, index, &input, &subtracted, axis, used)?;
            let source = if selection.on_subtracted { &subtracted } else { &input };
            let estimates = self.estimator(&amplifier)?.estimate(source, &selection, axis, self.rebin_rows);
            let pedestal = pedestal_axis(axis, &amplifier, &estimates);
            self.subtract(raw, &amplifier, &pedestal, &mut subtracted);
            self.report_lines(raw, &amplifier.name, &pedestal, &estimates);
            selections.push((axis, selection, estimates));
            axes.push(pedestal);
        }
        copy_region(&amplifier.full, &subtracted, &mut output);
        self.report(raw, context, &amplifier, &axes, used);
        if context.wants_figures() || context.wants_intermediate_figures() || self.show_fit {
            figures::draw(self, raw, context, &input, &output, &axes, &selections, used);
        }
        if context.wants_root_objects() {
            raw.report.root_objects(figures::root_objects(&amplifier, &axes));
        }
        raw.images.insert(output_name, output);
        raw.products.set_for(&amplifier.name, Pedestal { axes });
        super::pixel_tree::request(raw, context, self.create_ttree);
        Ok(())
    }

    fn check(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.hist_nbins_method == BinMethod::Manual && self.hist_nbins <= 0 {
            problems.push(format!(
                "`hist_nbins` is {}; `hist_nbins_method` \"manual\" needs a positive number of bins",
                self.hist_nbins
            ));
        }
        if self.in_rawskipimage && self.axis != AxisChoice::Row {
            problems.push(format!("`axis` is \"{}\"; `in_rawskipimage` works with \"row\" only", self.axis));
        }
        if self.n_sigma_win_fit <= 0.0 {
            problems.push(format!("`n_sigma_win_fit` is {}; a positive number is expected", self.n_sigma_win_fit));
        }
        problems
    }
}

impl PedestalSubtractionProcess {
    fn axes(&self) -> Vec<Axis> {
        match self.axis {
            AxisChoice::Row => vec![Axis::Row],
            AxisChoice::Col => vec![Axis::Col],
            AxisChoice::Both => vec![Axis::Row, Axis::Col],
            AxisChoice::None => vec![Axis::Frame],
        }
    }

    /// The estimator for one amplifier.
    fn estimator(&self, amplifier: &Amplifier) -> Result<Estimator, ProcessError> {
        Ok(match self.method {
            Method::Mean => Estimator::Location { location: robust::Location::Mean, use_mad: self.use_mad },
            Method::Median => Estimator::Location { location: robust::Location::Median, use_mad: self.use_mad },
            Method::GaussFitWindow => Estimator::Window { n_sigma: self.n_sigma_win_fit, use_mad: self.use_mad },
            Method::GaussFit => {
                let bins = match self.hist_nbins_method {
                    BinMethod::Default => BinRule::Default,
                    BinMethod::Sturges => BinRule::Sturges,
                    BinMethod::Freedman => BinRule::Freedman,
                    BinMethod::Manual => BinRule::Manual(usize::try_from(self.hist_nbins).unwrap_or(0)),
                };
                let high_dc = self.is_high_dc.get(amplifier).ok_or_else(|| {
                    ProcessError::Failed(format!("parameter `is_highDC` has no value for amplifier {}", amplifier.name))
                })?;
                let finder = match self.peak_finder {
                    PeakFinderChoice::Smoothed => PeakFinder::Smoothed,
                    PeakFinderChoice::FirstBump => PeakFinder::FirstBump,
                };
                let start = if *high_dc { StartRule::HighDarkCurrent(finder) } else { StartRule::Standard };
                Estimator::GaussFit(GaussianFitSettings { bins, start })
            }
        })
    }

    fn fall_back_to_active_region(&self, raw: &mut RawData, amplifier: &Amplifier) -> Used {
        let width = amplifier.overscan.cols.len();
        if !self.in_overscan || width >= MIN_OVERSCAN_COLUMNS {
            return Used { in_overscan: self.in_overscan, n_mad: self.n_sigma_to_mask };
        }
        let n_mad = if self.n_sigma_to_mask < 0.0 { FALLBACK_N_MAD } else { self.n_sigma_to_mask };
        raw.report.warn(format!(
            "amplifier {} has {width} overscan columns (at least {MIN_OVERSCAN_COLUMNS} are needed): the pedestal is \
             estimated in the active region, outlier cut {n_mad} MAD",
            amplifier.name
        ));
        Used { in_overscan: false, n_mad }
    }

    fn explain_choices(&self, raw: &mut RawData, context: &Context<'_>, amplifier: &Amplifier) {
        if self.method == Method::GaussFit && self.is_high_dc.get(amplifier) == Some(&true) {
            raw.report.log(
                Level::Verbose,
                format!("amplifier {}: peak of the empty pixels searched with `{}`", amplifier.name, self.peak_finder),
            );
        }
        let defaults = Self::default();
        if context.amplifier == 0 && self.method == Method::GaussFit && self.n_sigma_win_fit != defaults.n_sigma_win_fit
        {
            raw.report.log(
                Level::Verbose,
                "`n_sigma_win_fit` has no effect on method gauss_fit (use method gauss_fit_window)".to_owned(),
            );
        }
    }

    /// The pixels from which the pedestals along `axis` are estimated (spec 02 §§4.2, 4.3 and D6).
    fn selection(
        &self,
        raw: &mut RawData,
        index: usize,
        input: &Array2<f64>,
        subtracted: &Array2<f64>,
        axis: Axis,
        used: Used,
    ) -> Result<Selection, ProcessError> {
        let amplifier = raw.amplifiers[index].clone();
        let columns_after_rows = axis == Axis::Col && self.axis == AxisChoice::Both;
        let region = match (used.in_overscan, axis) {
            (true, Axis::Col) => &amplifier.full,
            (true, _) => &amplifier.overscan,
            (false, Axis::Col) if !columns_after_rows => &amplifier.full,
            (false, _) => &amplifier.active,
        };
        let (rows, cols) = if used.in_overscan {
            (Vec::new(), Vec::new())
        } else {
            (
                self.skipped(raw, index, &self.skip_rows, "skip_rows", true),
                self.skipped(raw, index, &self.skip_cols, "skip_cols", false),
            )
        };
        // In the overscan, columns follow on the row-subtracted image, where the cut must be made anew; otherwise the
        // pixels chosen for the rows serve the columns too.
        let cut_on_subtracted = used.in_overscan && columns_after_rows;
        let mut selection = Selection::new(region.clone(), amplifier.full.clone(), &rows, &cols);
        selection.on_subtracted = columns_after_rows;
        if used.n_mad > 0.0 {
            let judged = if cut_on_subtracted { subtracted } else { input };
            selection.cut_outliers(judged, used.n_mad, self.cut_left_tail, self.cut_right_tail);
            if columns_after_rows && !cut_on_subtracted {
                selection.freeze(judged);
            }
        }
        Ok(selection)
    }

    fn skipped(
        &self,
        raw: &mut RawData,
        index: usize,
        list: &PerAmplifier<IndexList>,
        key: &str,
        rows: bool,
    ) -> Vec<usize> {
        let (offset, length) = if rows { raw.row_block(index) } else { (0, raw.cols) };
        let Some(list) = list.get(&raw.amplifiers[index]) else { return Vec::new() };
        let (indices, outside) = list.indices(length, PairEnd::Included);
        if outside > 0 {
            raw.report
                .warn(format!("`{key}`: {outside} entries lie outside 0…{} and are ignored", length.saturating_sub(1)));
        }
        indices.into_iter().map(|i| i + offset).collect()
    }

    /// Subtracts the pedestals of one axis from every pixel of the amplifier.
    fn subtract(&self, raw: &mut RawData, amplifier: &Amplifier, pedestal: &PedestalAxis, image: &mut Array2<f64>) {
        let finite: Vec<f64> = pedestal.mu.iter().copied().filter(|x| x.is_finite()).collect();
        let missing = pedestal.mu.len() - finite.len();
        let substitute = match self.nan_policy {
            NanPolicy::Zero => 0.0,
            NanPolicy::Median if finite.is_empty() => f64::NAN,
            NanPolicy::Median => robust::median(&finite),
        };
        if missing > 0 {
            raw.report.warn(format!(
                "amplifier {}: {missing} of {} {}s have no estimate; {} is subtracted there",
                amplifier.name,
                pedestal.mu.len(),
                pedestal.axis.name(),
                match self.nan_policy {
                    NanPolicy::Median => format!("the median {substitute:.4} ADU"),
                    NanPolicy::Zero => "nothing".into(),
                }
            ));
        }
        let value = |line: usize| {
            let mu = pedestal.mu[line];
            if mu.is_finite() { mu } else { substitute }
        };
        let region = &amplifier.full;
        for row in region.rows.clone() {
            for col in region.cols.clone() {
                image[[row, col]] -= match pedestal.axis {
                    Axis::Row => value(row - pedestal.first),
                    Axis::Col => value(col - pedestal.first),
                    Axis::Frame => value(0),
                };
            }
        }
    }

    /// Log lines about how the estimates went.
    fn report_lines(&self, raw: &mut RawData, amplifier: &str, pedestal: &PedestalAxis, estimates: &[LineEstimate]) {
        if self.method != Method::GaussFit {
            return;
        }
        let count = |f: &dyn Fn(&LineEstimate) -> bool| estimates.iter().filter(|e| f(e)).count();
        let lines = format!("{} {}s", estimates.len(), pedestal.axis.name());
        let no_freedom = count(&|e| e.replaced_by_median);
        if no_freedom > 0 {
            raw.report.warn(format!(
                "amplifier {amplifier}: {no_freedom} of {lines} have too few filled bins for a fit; median and standard deviation are used there"
            ));
        }
        let not_converged = count(&|e| e.not_converged);
        if not_converged > 0 {
            raw.report.warn(format!("amplifier {amplifier}: the fit did not converge in {not_converged} of {lines}"));
        }
        let (mu_at_limit, sigma_at_limit) = (count(&|e| e.mu_at_limit), count(&|e| e.sigma_at_limit));
        if mu_at_limit + sigma_at_limit > 0 {
            raw.report.inform(format!(
                "amplifier {amplifier}: fits on a limit, of {lines}: μ in {mu_at_limit}, σ in {sigma_at_limit}"
            ));
        }
        if sigma_at_limit as f64 > HINT_SHARE * estimates.len() as f64 {
            raw.report.warn(format!(
                "amplifier {amplifier}: σ rests on its limit in many lines, so they hold more than one charge peak: use \
                 `is_highDC`: true, `hist_nbins_method`: \"manual\", `hist_nbins`: 50, `n_sigma_to_mask`: about 2"
            ));
        }
    }

    /// Header cards, measurements, `info` branches and the result line.
    fn report(
        &self,
        raw: &mut RawData,
        context: &Context<'_>,
        amplifier: &Amplifier,
        axes: &[PedestalAxis],
        used: Used,
    ) {
        let report = &mut raw.report;
        let header_method = if self.method == Method::GaussFit { "gaus_fit" } else { self.method.name() };
        report.card(raw.skip_keyword.clone(), 1, "skips per pixel in this image");
        report.card("PSFUNC", header_method, "pedestal: estimator");
        report.card("PSMAD", i32::from(self.use_mad), "pedestal: dispersion is MAD (1) or std (0)");
        report.card("PSAXIS", self.axis.name(), "pedestal: axis");
        report.card("PSOVS", i32::from(used.in_overscan), "pedestal: estimated in the overscan (1)");
        report.card("PSNSIG", used.n_mad, "pedestal: outlier cut [MAD]");

        let sigmas: Vec<f64> = axes.iter().flat_map(|a| a.sigma.iter().copied()).filter(|x| x.is_finite()).collect();
        let (mean_sigma, spread_sigma) = robust::mean_and_std(&sigmas, Ddof::Population);
        let mus: Vec<f64> =
            axes.first().map_or(Vec::new(), |a| a.mu.iter().copied().filter(|x| x.is_finite()).collect());
        let (mean_mu, spread_mu) = robust::mean_and_std(&mus, Ddof::Population);
        let standard_error = |spread: f64, n: usize| if n > 1 { spread / ((n - 1) as f64).sqrt() } else { f64::NAN };
        let (full, short) = (amplifier.name.clone(), amplifier.short_name().to_owned());
        let mut names = vec![full.clone()];
        if short != full {
            names.push(short);
        }
        let mut sigma = Measurement::new("pedestal_sigma", mean_sigma, "ADU")
            .error(standard_error(spread_sigma, sigmas.len()))
            .headline("pedestal σ");
        for name in &names {
            sigma = sigma.card(format!("PSSIG{name}"), "pedestal: mean sigma [ADU]");
        }
        report.measure(sigma);
        let mut spread = Measurement::new("pedestal_sigma_spread", spread_sigma, "ADU");
        for name in &names {
            spread = spread.card(format!("PSESIG{name}"), "pedestal: std of the sigmas [ADU]");
        }
        report.measure(spread);
        report.measure(Measurement::new("pedestal_mu", mean_mu, "ADU").error(standard_error(spread_mu, mus.len())));
        report.config_result(
            "_create_ttree_counter",
            crate::image::report::ConfigResult::Int((context.amplifier + 1) as i64),
        );
        report.result(format!(
            "amplifier {}: baseline {mean_mu:.4} ADU (spread over {}s {spread_mu:.4}), σ {mean_sigma:.4} ADU (spread {spread_sigma:.4})",
            amplifier.name,
            axes.first().map_or("line", |a| a.axis.name()),
        ));
    }
}

/// The product of one axis from the estimates of its lines.
fn pedestal_axis(axis: Axis, amplifier: &Amplifier, estimates: &[LineEstimate]) -> PedestalAxis {
    let column = |f: fn(&LineEstimate) -> f64| estimates.iter().map(f).collect::<Vec<_>>();
    PedestalAxis {
        axis,
        first: match axis {
            Axis::Row => amplifier.full.rows.start,
            Axis::Col => amplifier.full.cols.start,
            Axis::Frame => 0,
        },
        mu: column(|e| e.mu),
        sigma: column(|e| e.sigma),
        mu_error: column(|e| e.mu_error),
        sigma_error: column(|e| e.sigma_error),
        chi2_ndf: column(|e| e.chi2_ndf),
    }
}

/// Copies the pixels of a region from one image to another of the same shape.
fn copy_region(region: &Region, from: &Array2<f64>, to: &mut Array2<f64>) {
    region.view_mut(to).assign(&region.view(from));
}
