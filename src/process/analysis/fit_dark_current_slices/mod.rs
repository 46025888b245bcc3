//! The dark-current fit of groups of rows or columns: what FitDarkCurrentPerRow and FitDarkCurrentPerCol share.
//!
//! Each group is fitted like a whole amplifier ([`crate::stats::dark_current`], spec 03 §1), in parallel; the results are
//! vectors along the axis with a verdict for every group. Groups whose fit is not usable, or whose parameter rests on a
//! limit, are shown as such and do not enter the straight lines and means. Header keywords and `info` branches of the
//! fit of the whole amplifier are never touched. Spec 03 §§2, 3.

mod figures;
mod report;

use std::ops::Range;

use ndarray::Array2;
use rayon::prelude::*;

use super::fit_dark_current::{FitDarkCurrentProcess, PixelSelection, SelectionRules};
use super::fit_verdict::FitVerdict;
use crate::image::{Amplifier, RawData, Region};
use crate::process::{Context, ProcessError};
use crate::stats::dark_current::{self, DarkCurrentSettings, InElectrons, Profiles};
use crate::stats::polynomial::{self, PolynomialFit, fit_polynomial};
pub use report::results_table;

/// Along which axis the groups follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SliceAxis {
    /// Groups of rows of the active region.
    Rows,
    /// Groups of columns, all that the amplifier reads.
    Cols,
}

impl SliceAxis {
    /// `Rows` or `Cols`, as in the names of figures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rows => "Rows",
            Self::Cols => "Cols",
        }
    }

    /// `row` or `column`, for sentences.
    pub fn line(self) -> &'static str {
        match self {
            Self::Rows => "row",
            Self::Cols => "column",
        }
    }
}

/// Which groups are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slicing {
    /// Along which axis.
    pub axis: SliceAxis,
    /// First line.
    pub start: usize,
    /// End of the first lines of groups; −1 or 0: to the last line; other negative values: counted from the end.
    pub end: i64,
    /// Lines per group.
    pub step: usize,
    /// Groups with a pixel above this charge are flagged.
    pub threshold: Option<f64>,
    /// Degree of the polynomial through the results.
    pub degree: usize,
    /// Fits of groups whose first line lies in this range are drawn.
    pub debug: Option<[usize; 2]>,
}

impl Slicing {
    /// What is wrong, as sentences; `name` is `row` or `col`.
    pub fn problems(&self, name: &str) -> Vec<String> {
        let mut problems = Vec::new();
        if self.step == 0 {
            problems.push(format!("`{name}_step` is 0; at least one {} per group is needed", self.axis.line()));
        }
        if self.end > 0 && self.end as u64 <= self.start as u64 {
            problems.push(format!(
                "`{name}_start` is {} and `{name}_end` is {}; {name}_start < {name}_end is expected",
                self.start, self.end
            ));
        }
        if self.degree > polynomial::MAX_DEGREE {
            problems.push(format!("`degree_pol` is {}; at most {} is possible", self.degree, polynomial::MAX_DEGREE));
        }
        problems
    }

    /// First line and lines of each group, counted from the first line of the amplifier, which has `lines` of them.
    pub fn groups(&self, lines: usize) -> Vec<Range<usize>> {
        let end = match self.end {
            -1 | 0 => lines,
            end if end < 0 => lines.saturating_sub(usize::try_from(-end).unwrap_or(usize::MAX)),
            end => usize::try_from(end).unwrap_or(usize::MAX).min(lines),
        };
        (self.start..end).step_by(self.step.max(1)).map(|r| r..(r + self.step.max(1)).min(lines)).collect()
    }
}

/// A value with the errors of spec 03 §1.8, and whether the parameter behind it rests on a limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantity {
    /// Value.
    pub value: f64,
    /// Error without the covariance of the parameter and the gain, as the reference quotes it.
    pub error: f64,
    /// Error with it.
    pub error_with_covariance: f64,
    /// The parameter rests on a limit.
    pub at_limit: bool,
}

impl Quantity {
    fn new(q: InElectrons, at_limit: bool) -> Self {
        Self { value: q.value, error: q.error, error_with_covariance: q.error_with_covariance, at_limit }
    }

    /// Exact, or without error.
    fn plain(value: f64, error: f64, at_limit: bool) -> Self {
        Self { value, error, error_with_covariance: error, at_limit }
    }
}

/// The fit of one group.
#[derive(Debug, Clone, PartialEq)]
pub struct SliceFit {
    /// Lines of the group, counted from the first line of the amplifier.
    pub lines: Range<usize>,
    /// Centre of the group, lines.
    pub x: f64,
    /// Half its width, lines.
    pub half_width: f64,
    /// Dark current, e⁻/pix/img.
    pub dc: Quantity,
    /// Position of the zero-electron peak, e⁻.
    pub mu: Quantity,
    /// Noise, e⁻.
    pub sigma: Quantity,
    /// Gain, ADU/e⁻.
    pub gain: Quantity,
    /// Objective of the fit per degree of freedom; −999 without.
    pub chi2: f64,
    /// Degrees of freedom.
    pub ndf: i64,
    /// Probability of a larger χ² (goodness of fit).
    pub p_value: f64,
    /// Correlation of the dark current (λ) and the gain.
    pub correlation_dc_gain: f64,
    /// Distances to the ends of the profile interval of the dark current, e⁻/pix/img; NaN where not asked for or found.
    pub dc_profile: (f64, f64),
    /// Pixels inside the window.
    pub pixels: usize,
    /// Pixels above the threshold, if there is one.
    pub above_threshold: Option<usize>,
    /// Names of the parameters on a limit.
    pub at_limit: Vec<&'static str>,
    /// What the fit is worth.
    pub verdict: FitVerdict,
}

impl SliceFit {
    /// Whether a quantity of this group may enter means and straight lines.
    pub fn trusts(&self, quantity: &Quantity) -> bool {
        self.verdict.is_usable() && !quantity.at_limit && quantity.value.is_finite()
    }

    fn new(lines: Range<usize>, fit: &dark_current::DarkCurrentFit, step: usize, pixels_per_bin: f64) -> Self {
        use dark_current::model::{GAIN, LAMBDA, MU0, SIGMA};
        // everything in electrons rests on the gain
        let limit = |k: usize| fit.parameters[k].at_limit || fit.parameters[GAIN].at_limit;
        let per_pixel = 1.0 / pixels_per_bin;
        let gain = fit.gain();
        let (dc, profile) = match &fit.direct {
            Some(direct) => {
                let e = &direct.electrons;
                (
                    Quantity::plain(e.value * per_pixel, e.error * per_pixel, e.at_limit || limit(GAIN)),
                    e.profile_errors(),
                )
            }
            None => (
                Quantity::new(fit.lambda_in_electrons().scaled(per_pixel), limit(LAMBDA)),
                // at the fitted gain
                fit.lambda().profile_errors().map(|(down, up)| (down / gain.value, up / gain.value)),
            ),
        };
        Self {
            x: lines.start as f64 + 0.5 * step as f64,
            half_width: 0.5 * step as f64,
            lines,
            dc,
            mu: Quantity::new(fit.mu0_in_electrons(), limit(MU0)),
            sigma: Quantity::new(fit.sigma_in_electrons(), limit(SIGMA)),
            gain: Quantity::plain(gain.value, gain.error, limit(GAIN)),
            chi2: fit.objective_per_ndf(),
            ndf: fit.ndf,
            p_value: fit.goodness.p_value,
            correlation_dc_gain: fit.correlation(LAMBDA, GAIN),
            dc_profile: profile.map_or((f64::NAN, f64::NAN), |(down, up)| (down * per_pixel, up * per_pixel)),
            pixels: fit.included_pixels as usize,
            above_threshold: None,
            at_limit: fit.parameters_at_limit(),
            verdict: FitVerdict::from(fit),
        }
    }
}

/// The fits of all groups of an amplifier, left for later processes and monitor elements.
#[derive(Debug, Clone, PartialEq)]
pub struct SliceFits {
    /// Along which axis.
    pub axis: SliceAxis,
    /// One per group that had pixels in the window, ascending.
    pub fits: Vec<SliceFit>,
    /// Groups without a pixel in the window.
    pub empty: usize,
    /// Polynomials through the results, in the order of [`Parameter::ALL`]; `None` when nothing was to be fitted.
    pub trends: Vec<Option<PolynomialFit>>,
}

/// Results of FitDarkCurrentPerRow, as left in `RawData::products`.
#[derive(Debug, Clone, PartialEq)]
pub struct PerRowFits(pub SliceFits);

/// Results of FitDarkCurrentPerCol, as left in `RawData::products`.
#[derive(Debug, Clone, PartialEq)]
pub struct PerColFits(pub SliceFits);

/// A quantity that is followed along the axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// Dark current.
    DarkCurrent,
    /// Position of the zero-electron peak.
    ZeroPeak,
    /// Noise.
    Noise,
    /// Gain.
    Gain,
}

impl Parameter {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::DarkCurrent, Self::ZeroPeak, Self::Noise, Self::Gain];

    /// Name in figure names.
    pub fn name(self) -> &'static str {
        match self {
            Self::DarkCurrent => "dc",
            Self::ZeroPeak => "mu",
            Self::Noise => "sigma",
            Self::Gain => "calibration",
        }
    }

    /// Label of the axis.
    pub fn label(self) -> &'static str {
        match self {
            Self::DarkCurrent => "Dark current (e⁻/pix/img)",
            Self::ZeroPeak => "zero-e⁻ peak position (e⁻)",
            Self::Noise => "Resolution (e⁻)",
            Self::Gain => "Calibration (ADU/e⁻)",
        }
    }

    /// Unit.
    pub fn unit(self) -> &'static str {
        match self {
            Self::DarkCurrent => "e-/pix/img",
            Self::ZeroPeak | Self::Noise => "e-",
            Self::Gain => "ADU/e-",
        }
    }

    /// Its value in a group.
    pub fn of(self, fit: &SliceFit) -> Quantity {
        match self {
            Self::DarkCurrent => fit.dc,
            Self::ZeroPeak => fit.mu,
            Self::Noise => fit.sigma,
            Self::Gain => fit.gain,
        }
    }
}

impl SliceFits {
    /// Groups whose fit is not good.
    pub fn not_good(&self) -> impl Iterator<Item = &SliceFit> {
        self.fits.iter().filter(|f| !f.verdict.is_good())
    }

    /// The polynomial through a quantity; `None` with too few points that may be trusted and have an error.
    fn trend(&self, parameter: Parameter, degree: usize) -> Option<PolynomialFit> {
        let points = self.trusted(parameter);
        let column = |f: fn(&(f64, f64, f64)) -> f64| points.iter().map(f).collect::<Vec<f64>>();
        let fit = fit_polynomial(&column(|p| p.0), &column(|p| p.1), &column(|p| p.2), degree).ok()?;
        fit.coefficients.iter().all(|c| c.is_finite()).then_some(fit)
    }

    /// Points (x, value, error) of a quantity, of groups that may be trusted.
    pub fn trusted(&self, parameter: Parameter) -> Vec<(f64, f64, f64)> {
        self.fits
            .iter()
            .map(|fit| (fit, parameter.of(fit)))
            .filter(|(fit, q)| fit.trusts(q))
            .map(|(fit, q)| (fit.x, q.value, q.error))
            .collect()
    }
}

/// A group with its fit and, for figures, everything the fit found.
struct Fitted {
    slice: SliceFit,
    details: Option<dark_current::DarkCurrentFit>,
}

/// The pixels that may be fitted and how they are cut into groups.
struct Pixels<'a> {
    image: &'a Array2<f64>,
    selection: &'a PixelSelection,
    mask: Option<&'a Array2<bool>>,
    active: &'a Region,
    full: &'a Region,
    axis: SliceAxis,
}

impl Pixels<'_> {
    /// Finite values of a group, in raster order.
    fn values(&self, lines: &Range<usize>) -> Vec<f64> {
        let region = match self.axis {
            SliceAxis::Rows => Region::new(
                self.full.rows.start + lines.start..self.full.rows.start + lines.end,
                self.full.cols.clone(),
            ),
            SliceAxis::Cols => Region::new(
                self.full.rows.clone(),
                self.full.cols.start + lines.start..self.full.cols.start + lines.end,
            ),
        };
        let mut values = Vec::with_capacity(region.len());
        for row in region.rows.clone() {
            for col in region.cols.clone() {
                let q = self.image[[row, col]];
                // the cluster mask also covers everything outside of the active region, which is not meant here
                let masked = self.mask.is_some_and(|mask| mask[[row, col]] && self.active.contains(row, col));
                if q.is_finite() && !masked && self.selection.selects(row, col) {
                    values.push(q);
                }
            }
        }
        values
    }
}

/// Fits all groups of an amplifier, and reports and draws them. `process` holds the parameters of the fit.
pub fn fit_slices(
    process: &FitDarkCurrentProcess,
    slicing: &Slicing,
    raw: &mut RawData,
    context: &Context<'_>,
    name: &str,
) -> Result<SliceFits, ProcessError> {
    let index = context.amplifier;
    let amplifier = raw.amplifiers[index].clone();
    let image_name = raw.resolve_image_name(&process.image).to_owned();
    raw.image(&image_name)?;
    let selection = select(process, slicing.axis, raw, index)?;
    let mut settings = process.settings(raw, &amplifier, &[])?;
    settings.profiles = Profiles::DarkCurrent;
    for letter in &settings.options.unknown {
        raw.report.warn(format!("`fit_options`: the letter `{letter}` has no meaning and is ignored"));
    }
    let lines = match slicing.axis {
        SliceAxis::Rows => amplifier.full.rows.len(),
        SliceAxis::Cols => amplifier.full.cols.len(),
    };
    let groups = slicing.groups(lines);
    if groups.is_empty() {
        return Err(ProcessError::Failed(format!(
            "the first group would start at {} {} of {lines}; nothing is left to fit",
            slicing.axis.line(),
            slicing.start
        )));
    }
    let clusters = raw.masks.get("mask_clusters").filter(|_| process.mask_clusters && !process.apply_mask_from_fits.0);
    let pixels = Pixels {
        image: raw.image(&image_name)?,
        selection: &selection,
        mask: clusters.map(|m| &m.pixels),
        active: &amplifier.active,
        full: &amplifier.full,
        axis: slicing.axis,
    };
    let per_bin = (raw.row_binning * raw.col_binning).max(1) as f64;
    let draws =
        |first: usize| context.common.debug || slicing.debug.is_some_and(|[from, to]| (from..to).contains(&first));
    let fitted: Vec<Option<Fitted>> = groups
        .into_par_iter()
        .map(|lines| fit_group(&pixels, lines, slicing, &settings, per_bin, &draws))
        .collect::<Result<_, _>>()?;
    let empty = fitted.iter().filter(|f| f.is_none()).count();
    let (fits, details): (Vec<SliceFit>, Vec<_>) = fitted.into_iter().flatten().map(|f| (f.slice, f.details)).unzip();
    let mut result = SliceFits { axis: slicing.axis, fits, empty, trends: Vec::new() };
    result.trends = Parameter::ALL.iter().map(|p| result.trend(*p, slicing.degree)).collect();
    report::report(name, slicing, raw, &amplifier, &result);
    if context.wants_figures() {
        figures::draw(name, slicing, raw, &amplifier, &result);
    }
    if context.wants_root_objects() {
        raw.report.root_objects(report::root_objects(name, slicing, &amplifier, &result));
    }
    figures::draw_fits(name, slicing, raw, &amplifier, &result, &details);
    Ok(result)
}

/// The pixels of the amplifier that may be fitted; the cluster mask is applied separately.
fn select(
    process: &FitDarkCurrentProcess,
    axis: SliceAxis,
    raw: &mut RawData,
    index: usize,
) -> Result<PixelSelection, ProcessError> {
    if process.mask_clusters && !process.apply_mask_from_fits.0 && !raw.masks.contains_key("mask_clusters") {
        return Err(ProcessError::NotRunBefore {
            needed: "ClusterFinder and BuildClusterMask",
            what: "the mask of the clusters, asked for by `mask_clusters`".into(),
        });
    }
    let outside = process.mask_from_file(raw)?;
    let rules = SelectionRules {
        in_overscan: false,
        mask_clusters: false,
        rows_to_mask: &process.rows_to_mask,
        cols_to_mask: &process.cols_to_mask,
    };
    let mut selection = PixelSelection::new(raw, index, rules, outside)?;
    if axis == SliceAxis::Cols {
        selection.region = raw.amplifiers[index].full.clone();
    }
    Ok(selection)
}

fn fit_group(
    pixels: &Pixels<'_>,
    lines: Range<usize>,
    slicing: &Slicing,
    settings: &DarkCurrentSettings,
    per_bin: f64,
    draws: &dyn Fn(usize) -> bool,
) -> Result<Option<Fitted>, ProcessError> {
    let values = pixels.values(&lines);
    let inside = values.iter().filter(|q| **q > settings.window.0 && **q < settings.window.1).count();
    if inside == 0 {
        return Ok(None);
    }
    let first = lines.start;
    let fit = match dark_current::fit_pixels(&values, settings) {
        Ok(fit) => fit,
        // a few pixels may be too few for an automatic bin
        Err(crate::stats::StatsError::BinCount { n_bins: 0, .. }) => return Ok(None),
        Err(error) => return Err(ProcessError::Failed(error.to_string())),
    };
    let mut slice = SliceFit::new(lines, &fit, slicing.step, per_bin);
    slice.above_threshold = slicing.threshold.map(|limit| values.iter().filter(|q| **q > limit).count());
    Ok(Some(Fitted { slice, details: draws(first).then_some(fit) }))
}

/// Name of the amplifier's number of lines, for sentences: "12 groups of 10 rows".
fn groups_text(slicing: &Slicing, n: usize) -> String {
    let plural = |n: usize, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
    format!("{} of {}", plural(n, "group"), plural(slicing.step, slicing.axis.line()))
}

/// Where the figure of an amplifier says what it is.
fn title(amplifier: &Amplifier) -> String {
    format!("amplifier {}", amplifier.name)
}
