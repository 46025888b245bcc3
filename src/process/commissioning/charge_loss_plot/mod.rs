//! ChargeLossPlot: is charge conserved from skip to skip?
//!
//! Images of single skips, of a baseline skip and of the differences to it: ghosts around tracks reveal loss or gain of
//! charge. Mean, spread and mean difference of every skip show how many skips the electronics needs to settle; the slope
//! of the mean from there on is what all pixels together lose or gain from skip to skip. Spec 04 §5.

mod figures;
mod survey;
#[cfg(test)]
mod tests;

use ndarray::Array2;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::survey::{PixelGroup, SkipImagesSurvey, SkipMoments};
use super::moments::Moments;
use super::selection::Ranges;
use super::survey::{BookedSurvey, finished};
use crate::fits::Card;
use crate::image::RawData;
use crate::image::report::{FileImage, ImageFile, Table, TableHead};
use crate::plot::value_with_error;
use crate::process::{Context, Measurement, ProcessError, SKImageProcess};
use crate::stats::polynomial::{PolynomialFit, fit_polynomial};
use crate::stats::robust::{self, MAD_TO_SIGMA};

/// A skip has settled when its mean differs from the line through the late skips by less than this many times their
/// scatter, or the error that groups of pixels tell.
const SETTLED: f64 = 5.0;
/// Relative differences of means that are rounding.
const ROUNDING: f64 = 1e-9;
/// Groups of pixels that tell an error.
const FEWEST_GROUPS: usize = 10;
/// Skips that a slope needs.
const SLOPE_SKIPS: usize = 4;

/// Parameters of ChargeLossPlot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ChargeLossPlot {
    /// Skips to show, counted from 0; negative: from the end.
    pub skip_id_list: Vec<i64>,
    /// Baseline skip; negative: from the end.
    pub skip_id_baseline: i64,
    /// Equalise the histogram of the images shown.
    pub histequ: bool,
    /// Show the images in gray.
    pub gray_palette: bool,
    /// Bins of the pixel charge distribution, used with `pcd_charge_range`; below 2: 500 bins over the data.
    pub pcd_nbins: i64,
    /// Range of the pixel charge distribution, ADU.
    pub pcd_charge_range: [f64; 2],
    /// Logarithmic counts of the pixel charge distribution.
    pub pcd_ylog: bool,
    /// Write the images to `…__skipper_chargeloss.fits`.
    pub save_image: bool,
}

impl Default for ChargeLossPlot {
    fn default() -> Self {
        Self {
            skip_id_list: vec![0, 1, 2],
            skip_id_baseline: -1,
            histequ: false,
            gray_palette: false,
            pcd_nbins: -1,
            pcd_charge_range: [-100.0, 100.0],
            pcd_ylog: true,
            save_image: false,
        }
    }
}

/// The skips that are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    /// Skips, each once, ascending unless the user gave the order and the first skip is among them.
    skips: Vec<usize>,
    baseline: usize,
}

/// Mean and spread of every skip.
#[derive(Debug, Clone, PartialEq)]
pub struct SkipCurves {
    /// Amplifier; `None`: the whole image.
    pub amplifier: Option<String>,
    /// Mean of each skip, ADU.
    pub mean: Vec<f64>,
    /// Standard deviation of each skip, ADU.
    pub std: Vec<f64>,
    /// Mean difference to the baseline skip, ADU.
    pub difference: Vec<f64>,
    /// The same pixels in groups of neighbours.
    groups: Vec<PixelGroup>,
}

impl SkipCurves {
    fn new(amplifier: Option<String>, moments: &SkipMoments, baseline: usize) -> Self {
        let mean: Vec<f64> = moments.all.iter().map(Moments::mean).collect();
        let reference = mean.get(baseline).copied().unwrap_or(f64::NAN);
        Self {
            amplifier,
            std: moments.all.iter().map(Moments::std).collect(),
            difference: mean.iter().map(|m| m - reference).collect(),
            mean,
            groups: moments.groups.clone(),
        }
    }

    /// First skip from which on all means agree with the straight line through the later half: what leaks away evenly
    /// does not settle any more. `None` where the later half has fewer than four skips: they tell no scatter.
    pub fn settled_from(&self) -> Option<usize> {
        let from = self.mean.len() / 2;
        if self.mean.len() - from < SLOPE_SKIPS {
            return None;
        }
        let late = self.line(from).filter(|line| line.coefficients.iter().all(|c| c.is_finite()));
        let level = |k: usize| match &late {
            Some(line) => line.at(k as f64),
            None => robust::median(&self.mean[from..]),
        };
        let rest: Vec<f64> = self.mean.iter().enumerate().map(|(k, m)| m - level(k)).collect();
        // the means of a constant image differ by their rounding
        let rounding = ROUNDING * self.mean[from..].iter().fold(0.0_f64, |most, m| most.max(m.abs()));
        let limit = (SETTLED * MAD_TO_SIGMA * robust::mad(&rest[from..])).max(rounding);
        // Before the later half the line is extrapolated, with an error of its own.
        let n = (self.mean.len() - from) as f64;
        let (centre, squares) = (from as f64 + 0.5 * (n - 1.0), n * (n * n - 1.0) / 12.0);
        let limit_at = |k: usize| match &late {
            Some(_) if k < from && squares > 0.0 => {
                limit * (1.0 + 1.0 / n + (k as f64 - centre).powi(2) / squares).sqrt()
            }
            _ => limit,
        };
        // what leaks away makes the means walk off the line together: the groups of pixels tell by how much
        let walks = self.deviations(from, &rest);
        let allowed = |k: usize| limit_at(k).max(walks.get(k).map_or(0.0, |error| SETTLED * error));
        let unsettled = (0..rest.len()).rev().find(|&k| rest[k].abs() > allowed(k));
        Some(unsettled.map_or(0, |last| last + 1))
    }

    /// Errors of the deviations of all skips from the line through those from `from` on; empty without groups.
    fn deviations(&self, from: usize, rest: &[f64]) -> Vec<f64> {
        let x: Vec<f64> = (from..self.mean.len()).map(|k| k as f64).collect();
        let of_group = |group: &PixelGroup| {
            let mean: Vec<f64> = group.sum.iter().map(|sum| sum / group.n).collect();
            let line = fit_polynomial(&x, mean.get(from..)?, &vec![1.0; x.len()], 1).ok()?;
            Some((group.n, mean.iter().enumerate().map(|(k, m)| m - line.at(k as f64)).collect::<Vec<f64>>()))
        };
        let groups: Vec<(f64, Vec<f64>)> = self.groups.iter().filter(|g| g.n > 0.0).filter_map(of_group).collect();
        if groups.len() < FEWEST_GROUPS {
            return Vec::new();
        }
        (0..rest.len()).map(|k| scatter_of_means(groups.iter().map(|(n, d)| (*n, d[k]))).unwrap_or(0.0)).collect()
    }

    /// Straight line through the means of the skips from `from` on, with the scatter about it as their error. `None` for
    /// fewer than four skips.
    fn line(&self, from: usize) -> Option<PolynomialFit> {
        let mean = self.mean.get(from..).filter(|mean| mean.len() >= SLOPE_SKIPS)?;
        let x: Vec<f64> = (from..self.mean.len()).map(|k| k as f64).collect();
        let line = fit_polynomial(&x, mean, &vec![1.0; x.len()], 1).ok()?;
        let scatter = (line.chi2 / line.ndf as f64).sqrt();
        fit_polynomial(&x, mean, &vec![scatter; x.len()], 1).ok()
    }

    /// Slope of the mean of the settled skips and its error, ADU per skip: lost charge makes it negative, and so does a
    /// pedestal that falls.
    ///
    /// What a pixel loses in one skip is missing in all later ones: a random walk, which the scatter about the line hardly
    /// shows. The error is therefore that of the slopes of groups of pixels, where it is larger.
    ///
    /// `None` where too few skips tell whether they have settled.
    pub fn slope(&self) -> Option<(f64, f64)> {
        let from = self.settled_from()?;
        let line = self.line(from)?;
        let (slope, error) = (line.coefficients[1], line.error(1));
        let rounding = ROUNDING * self.mean[from].abs() / (self.mean.len() - from) as f64;
        let error = error.max(self.error_of_groups(from).unwrap_or(0.0)).max(rounding);
        (slope.is_finite() && error.is_finite()).then_some((slope, error))
    }

    /// The skip whose mean differs most from that of the baseline skip, and by how much, ADU.
    pub fn largest_difference(&self) -> (usize, f64) {
        let far = |best: (usize, f64), (k, d): (usize, &f64)| if d.abs() > best.1.abs() { (k, *d) } else { best };
        self.difference.iter().enumerate().fold((0, 0.0), far)
    }

    /// Error of the slope of the skips from `from` on.
    fn error_of_groups(&self, from: usize) -> Option<f64> {
        let skips = self.mean.len() - from;
        let centre = from as f64 + 0.5 * (skips as f64 - 1.0);
        let squares: f64 = (from..self.mean.len()).map(|k| (k as f64 - centre).powi(2)).sum();
        self.scatter_of_groups(|group| {
            let terms = group.sum.iter().enumerate().skip(from).map(|(k, sum)| (k as f64 - centre) * sum);
            terms.sum::<f64>() / group.n / squares
        })
    }

    /// Error of the mean difference of a skip to the baseline skip, ADU; NaN with few pixels.
    pub fn difference_error(&self, skip: usize, baseline: usize) -> f64 {
        let difference = |group: &PixelGroup| (group.sum[skip] - group.sum[baseline]) / group.n;
        self.scatter_of_groups(difference).unwrap_or(f64::NAN)
    }

    /// Error of a mean over all pixels, from the means xᵢ of G groups of nᵢ of n pixels: √(Σ (nᵢ/n)² (xᵢ − x)² · G/(G − 1)).
    /// `None` with few groups.
    fn scatter_of_groups(&self, mean: impl Fn(&PixelGroup) -> f64) -> Option<f64> {
        scatter_of_means(self.groups.iter().filter(|g| g.n > 0.0).map(|g| (g.n, mean(g))))
    }
}

/// Error of a mean over all pixels from those of groups, `(pixels, mean)`; see [`SkipCurves::scatter_of_groups`].
fn scatter_of_means(groups: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let means: Vec<(f64, f64)> = groups.filter(|(_, x)| x.is_finite()).collect();
    if means.len() < FEWEST_GROUPS {
        return None;
    }
    let n: f64 = means.iter().map(|(n, _)| n).sum();
    let all: f64 = means.iter().map(|(m, x)| m / n * x).sum();
    let variance: f64 = means.iter().map(|(m, x)| (m / n * (x - all)).powi(2)).sum();
    let count = means.len() as f64;
    Some((variance * count / (count - 1.0)).sqrt())
}

/// An image of the figure.
#[derive(Debug, Clone)]
struct Shot {
    title: String,
    extname: String,
    cards: Vec<Card>,
    pixels: Array2<f64>,
    is_difference: bool,
}

impl SKImageProcess for ChargeLossPlot {
    fn execute(&self, raw: &mut RawData, context: &Context<'_>) -> Result<(), ProcessError> {
        if raw.cube.is_none() {
            raw.report.warn("the image has no single skips, nothing to do");
            return Ok(());
        }
        let shown = self.shown(raw, context)?;
        let fresh = self.skip_images(raw, context, &shown)?;
        let (images, moments) = finished(raw, context, fresh)?.into_parts();
        let mut total = SkipMoments { all: vec![Moments::default(); raw.nskips], groups: Vec::new() };
        for amplifier in &moments {
            total.all.iter_mut().zip(&amplifier.all).for_each(|(t, m)| t.merge(m));
            total.groups.extend(amplifier.groups.iter().cloned());
        }
        let whole = SkipCurves::new(None, &total, shown.baseline);
        let single: Vec<SkipCurves> = raw
            .amplifiers
            .iter()
            .zip(&moments)
            .map(|(a, m)| SkipCurves::new(Some(a.name.clone()), m, shown.baseline))
            .collect();
        self.report(raw, &shown, &whole, &single);
        if context.wants_figures() || self.wants_file(context) {
            let shots = shots(raw, &shown, images);
            if context.wants_figures() {
                figures::draw(self, raw, context, &shots, &single, shown.baseline);
            }
            if self.wants_file(context) {
                let mut chain = raw.chain.clone();
                chain.push(context.entry.tag.to_owned());
                let hdu = |shot: Shot| FileImage {
                    extname: shot.extname,
                    cards: shot.cards,
                    pixels: shot.pixels,
                    single_precision: shot.is_difference,
                };
                let hdus = shots.into_iter().map(hdu).collect();
                raw.report.image_file(ImageFile { name: "_skipper_chargeloss".into(), hdus, chain });
            }
        }
        Ok(())
    }

    fn survey(&self, raw: &RawData, context: &Context<'_>) -> Option<Box<dyn BookedSurvey>> {
        let shown = self.shown(raw, context).ok()?;
        Some(Box::new(self.skip_images(raw, context, &shown).ok()?))
    }

    fn check(&self) -> Vec<String> {
        let [low, high] = self.pcd_charge_range;
        if low < high { Vec::new() } else { vec![format!("`pcd_charge_range` [{low}, {high}] is empty")] }
    }
}

impl ChargeLossPlot {
    /// `save_image` of this process, or of all of them.
    fn wants_file(&self, context: &Context<'_>) -> bool {
        self.save_image || context.common.save_image
    }

    fn shown(&self, raw: &RawData, context: &Context<'_>) -> Result<Shown, ProcessError> {
        let all = raw.nskips;
        let resolve = |key: &str, k: i64| {
            let index = if k < 0 { all as i64 + k } else { k };
            usize::try_from(index).ok().filter(|i| *i < all).ok_or_else(|| {
                ProcessError::Failed(format!("`{key}`: there is no skip {k}, the image has {all} (0 … {})", all - 1))
            })
        };
        let given: &[i64] = if self.skip_id_list.is_empty() { &[0, 1, 2] } else { &self.skip_id_list };
        let mut skips = Vec::new();
        let add = |k: usize, skips: &mut Vec<usize>| {
            if !skips.contains(&k) {
                skips.push(k);
            }
        };
        for k in given {
            // the built-in list is cut to what the image has
            match resolve("skip_id_list", *k) {
                Ok(k) => add(k, &mut skips),
                Err(_) if *given == [0, 1, 2] => {}
                Err(error) => return Err(error),
            }
        }
        let first = Ranges::of(raw, context)?.skips.start;
        if !skips.contains(&first) {
            skips.push(first);
            skips.sort_unstable();
        }
        if skips.len() < 2 {
            let next = skips.iter().max().map_or(0, |m| m + 1);
            add(if next < all { next } else { 0 }, &mut skips);
        }
        Ok(Shown { skips, baseline: resolve("skip_id_baseline", self.skip_id_baseline)? })
    }

    fn skip_images(
        &self,
        raw: &RawData,
        context: &Context<'_>,
        shown: &Shown,
    ) -> Result<SkipImagesSurvey, ProcessError> {
        let ranges = Ranges::of(raw, context)?;
        let wanted = if context.wants_figures() || self.wants_file(context) {
            shown.skips.iter().copied().chain([shown.baseline]).collect()
        } else {
            Vec::new()
        };
        let regions = raw.amplifiers.iter().map(|a| ranges.within(&a.full)).collect();
        Ok(SkipImagesSurvey::new((raw.rows, raw.cols, raw.nskips), wanted, regions))
    }

    fn report(&self, raw: &mut RawData, shown: &Shown, whole: &SkipCurves, single: &[SkipCurves]) {
        let last = raw.nskips - 1;
        for curves in single {
            let name = curves.amplifier.clone().unwrap_or_default();
            let settled = curves.settled_from();
            let (at, largest) = curves.largest_difference();
            let largest_error = curves.difference_error(at, shown.baseline);
            raw.report.result(format!(
                "amplifier {name}: mean of skip 0 {:.2} ADU, of baseline skip {} {:.2} ADU, largest mean difference {} \
                 ADU (skip {at}); {}",
                curves.mean[0],
                shown.baseline,
                curves.mean[shown.baseline],
                value_with_error(largest, largest_error),
                match settled {
                    Some(skip) => format!("settled from skip {skip} on"),
                    None => format!("{} skips are too few to see them settle", raw.nskips),
                }
            ));
            if let Some(skip) = settled {
                raw.report.measure(Measurement::integer("settled_from_skip", skip as i64).amplifier(&name));
            }
            raw.report.measure(
                Measurement::new("largest_mean_difference", largest, "ADU").error(largest_error).amplifier(&name),
            );
            if let Some((slope, error)) = curves.slope() {
                raw.report.result(format!(
                    "amplifier {name}: the mean changes by {} ADU per skip{}",
                    value_with_error(slope, error),
                    if slope.abs() > 3.0 * error { ": loss or gain of charge, or drift of the pedestal" } else { "" }
                ));
                raw.report
                    .measure(Measurement::new("mean_change_per_skip", slope, "ADU").error(error).amplifier(&name));
            }
            if settled.is_some_and(|skip| skip > last / 2) {
                raw.report.warn(format!("amplifier {name}: the mean of the skips does not settle"));
            }
        }
        let mut labels = Vec::new();
        let mut rows = Vec::new();
        for curves in std::iter::once(whole).chain(single) {
            for k in 0..curves.mean.len() {
                labels.push(curves.amplifier.clone().unwrap_or_else(|| "all".into()));
                let error = curves.difference_error(k, shown.baseline);
                rows.push(vec![k as f64, curves.mean[k], curves.std[k], curves.difference[k], error]);
            }
        }
        let columns = ["skip", "mean", "std", "mean_minus_baseline", "error"].map(str::to_owned).to_vec();
        let head = TableHead { row_labels: Some(("amp".to_owned(), labels)), ..TableHead::default() };
        let shown_skips = shown.skips.iter().map(usize::to_string).collect::<Vec<_>>().join(" ");
        let mut head = head.scalar("baseline_skip", shown.baseline).scalar("shown_skips", shown_skips);
        for curves in single {
            let name = curves.amplifier.clone().unwrap_or_default();
            let settled = curves.settled_from().map_or("n/a".to_owned(), |skip| skip.to_string());
            head = head.scalar(format!("settled_from_skip_{name}"), settled);
            if let Some((slope, error)) = curves.slope() {
                head = head.scalar(format!("mean_change_per_skip_ADU_{name}"), slope);
                head = head.scalar(format!("mean_change_per_skip_error_{name}"), error);
            }
        }
        raw.report.table_with(Table { name: "ChargeLossPlot".into(), columns, rows }, head);
    }
}

/// The images in the order of spec 04 §5.2: skips, baseline, compressed images, differences.
fn shots(raw: &mut RawData, shown: &Shown, mut images: Vec<Array2<f64>>) -> Vec<Shot> {
    let baseline = images.pop().unwrap_or_default();
    let card = |k: usize| Card::new("SKIPID", k, "skip of this image");
    let base = |k: usize| Card::new("BASESKIP", k, "baseline skip");
    let mut shots: Vec<Shot> = Vec::new();
    for (k, pixels) in shown.skips.iter().zip(&images) {
        shots.push(Shot {
            title: format!("skip num. {k}"),
            extname: format!("SKIP{k}"),
            cards: vec![card(*k)],
            pixels: pixels.clone(),
            is_difference: false,
        });
    }
    shots.push(Shot {
        title: format!("skip num. {} (image baseline)", shown.baseline),
        extname: "BASELINE".into(),
        cards: vec![card(shown.baseline), base(shown.baseline)],
        pixels: baseline.clone(),
        is_difference: false,
    });
    let compressed: Vec<(String, Array2<f64>)> = raw
        .images
        .iter()
        .filter_map(|(name, pixels)| Some((name.strip_suffix("_compressed")?.to_owned(), pixels.clone())))
        .collect();
    if compressed.is_empty() {
        raw.report.warn("no compressed image yet: only the skips are shown (CompressSkipperProcess makes them)");
    }
    for (function, pixels) in compressed {
        shots.push(Shot {
            title: format!("{function} compressed image"),
            extname: function.to_uppercase(),
            cards: Vec::new(),
            pixels,
            is_difference: false,
        });
    }
    for (k, pixels) in shown.skips.iter().zip(images).filter(|(k, _)| **k != shown.baseline) {
        shots.push(Shot {
            title: format!("(skip {k}) − (baseline skip)"),
            extname: format!("DIFF{k}"),
            cards: vec![card(*k), base(shown.baseline)],
            pixels: pixels - &baseline,
            is_difference: true,
        });
    }
    shots
}

/// Histogram equalisation (spec 04 §5.2 step 5): the cumulative distribution in 5 ⌊√pixels⌋ bins, placed at their left
/// edges, interpolated at the value of each pixel. Undefined pixels stay undefined.
pub fn equalised(image: &Array2<f64>) -> Array2<f64> {
    let finite: Vec<f64> = image.iter().copied().filter(|x| x.is_finite()).collect();
    let Some((low, high)) = robust::min_max(&finite) else { return image.clone() };
    if low >= high {
        return image.mapv(|x| if x.is_finite() { 1.0 } else { x });
    }
    let bins = 5 * finite.len().isqrt().max(1);
    let width = (high - low) / bins as f64;
    let mut cumulative = vec![0.0; bins];
    for x in &finite {
        cumulative[(((x - low) / width) as usize).min(bins - 1)] += 1.0 / finite.len() as f64;
    }
    for i in 1..bins {
        cumulative[i] += cumulative[i - 1];
    }
    image.mapv(|x| {
        if !x.is_finite() {
            return x;
        }
        let t = (x - low) / width;
        let bin = (t as usize).min(bins - 1);
        match cumulative.get(bin + 1) {
            Some(next) => cumulative[bin] + (next - cumulative[bin]) * (t - bin as f64),
            None => cumulative[bin],
        }
    })
}
