//! The pedestal skip by skip (`in_rawskipimage`): each row of each skip gets a baseline of its own, then the skips are
//! averaged.
//!
//! Needed when the baseline moves from skip to skip, e.g. at the first ones. The cube is read in chunks of rows and never
//! held; the outlier cut uses one exact median and MAD over the selected samples of the whole cube
//! ([`streamed_median`]). Spec 02 §4.7 and D12.

use ndarray::Array2;
use rayon::prelude::*;

use super::estimate::{LineEstimate, OutlierCut, Workspace, window_of_lines};
use super::streamed_median::median_and_mad;
use super::{NanPolicy, PedestalSubtractionProcess, Used, copy_region, figures, pedestal_axis};
use crate::image::reduce::{Reduction, reduce};
use crate::image::user_region::resolve_range;
use crate::image::{Amplifier, RawData, Region};
use crate::process::analysis::pixel_tree;
use crate::process::analysis::products::{Axis, Pedestal};
use crate::process::{Context, ProcessError};
use crate::stats::robust;

/// Name of the image that is made.
const OUTPUT: &str = "mean_compressed_pedestal_subtracted";
/// Samples held at a time, about 64 MB.
const SAMPLES_AT_A_TIME: usize = 8 << 20;

/// Mean over the skips used, kept from the first amplifier for the others.
struct SkipMean(Array2<f64>);

/// Pixels from which the baselines are estimated.
struct Candidates {
    region: Region,
    skip_rows: Vec<bool>,
    skip_cols: Vec<bool>,
    cut: Option<OutlierCut>,
}

impl Candidates {
    fn takes(&self, row: usize, col: usize) -> bool {
        self.region.contains(row, col) && !self.skip_rows[row] && !self.skip_cols[col]
    }
}

/// Baselines of one row: one per skip.
struct SkipEstimates {
    per_skip: Vec<LineEstimate>,
}

/// Does the work for one amplifier.
pub(super) fn execute(
    process: &PedestalSubtractionProcess,
    raw: &mut RawData,
    context: &Context<'_>,
    amplifier: &Amplifier,
    used: Used,
) -> Result<(), ProcessError> {
    let region = context.common.region(&raw.user_region);
    let skips = resolve_range("id_skip", region.skips.0, region.skips.1, raw.nskips)
        .map_err(|e| ProcessError::Failed(e.to_string()))?;
    let mean = mean_of_skips(raw, context, skips.clone())?;
    let candidates = candidates(process, raw, context.amplifier, amplifier, used, skips.clone())?;
    let estimator = process.estimator(amplifier)?;
    let lines = amplifier.full.rows.clone();

    let cube = raw.cube.as_ref().ok_or_else(no_skips)?;
    let row_samples = (raw.cols * skips.len()).max(1);
    let step = (SAMPLES_AT_A_TIME / row_samples).saturating_sub(process.rebin_rows).max(1);
    let mut rows: Vec<SkipEstimates> = Vec::with_capacity(lines.len());
    for first in lines.clone().step_by(step) {
        let chunk = first..(first + step).min(lines.end);
        let windows: Vec<_> = chunk.clone().map(|line| window_of_lines(line, &lines, process.rebin_rows)).collect();
        let start = windows.iter().map(|w| w.start).min().unwrap_or(first);
        let end = windows.iter().map(|w| w.end).max().unwrap_or(first);
        let samples = cube.read(start..end, skips.clone()).map_err(|e| ProcessError::Input(e.to_string()))?;
        let made: Vec<SkipEstimates> = windows
            .into_par_iter()
            .map_init(
                || (Workspace::default(), vec![Vec::new(); skips.len()]),
                |(workspace, per_skip), window| {
                    per_skip.iter_mut().for_each(Vec::clear);
                    for row in window {
                        for col in candidates.region.cols.clone().filter(|col| candidates.takes(row, *col)) {
                            let pixel = samples.slice_axis(ndarray::Axis(0), (row - start..row - start + 1).into());
                            let pixel =
                                pixel.index_axis_move(ndarray::Axis(0), 0).index_axis_move(ndarray::Axis(0), col);
                            for (values, x) in per_skip.iter_mut().zip(pixel) {
                                if x.is_finite() && candidates.cut.is_none_or(|cut| cut.accepts(*x)) {
                                    values.push(*x);
                                }
                            }
                        }
                    }
                    let estimates = per_skip.iter_mut().map(|values| {
                        std::mem::swap(values, &mut workspace.values);
                        let estimate = estimator.of_values(workspace);
                        std::mem::swap(values, &mut workspace.values);
                        estimate
                    });
                    SkipEstimates { per_skip: estimates.collect() }
                },
            )
            .collect();
        rows.extend(made);
    }
    let estimates: Vec<LineEstimate> = rows.iter().map(|row| averaged(&row.per_skip)).collect();
    let baselines = baselines(process, raw, amplifier, &rows);
    let mut subtracted = mean.clone();
    for (row, baseline) in lines.zip(baselines) {
        let line = Region::new(row..row + 1, amplifier.full.cols.clone());
        line.view_mut(&mut subtracted).mapv_inplace(|q| q - baseline);
    }
    let begun = if context.amplifier == 0 { None } else { raw.images.shift_remove(OUTPUT) };
    let mut output = begun.unwrap_or_else(|| mean.clone());
    copy_region(&amplifier.full, &subtracted, &mut output);

    let axes = vec![pedestal_axis(Axis::Row, amplifier, &estimates)];
    process.report_lines(raw, &amplifier.name, &axes[0], &estimates);
    process.report(raw, context, amplifier, &axes, used);
    if let Some(cut) = candidates.cut {
        raw.report.inform(format!(
            "amplifier {}: samples within {} MAD of {:.4} ADU are used (MAD {:.4} ADU over all skips)",
            amplifier.name, used.n_mad, cut.median, cut.mad
        ));
    }
    if context.wants_figures() || context.wants_intermediate_figures() {
        figures::draw(process, raw, context, &mean, &output, &axes, &[], used);
    }
    raw.images.insert(OUTPUT.into(), output);
    raw.products.set_for(&amplifier.name, Pedestal { axes });
    if context.amplifier + 1 < raw.amplifiers.len() {
        raw.products.set(SkipMean(mean));
    }
    pixel_tree::request(raw, context, process.create_ttree);
    Ok(())
}

fn no_skips() -> ProcessError {
    ProcessError::Failed(
        "`in_rawskipimage` needs the single skips; this image is averaged already (set `in_rawskipimage` to false)"
            .into(),
    )
}

/// The mean image over the skips used; made for the first amplifier.
fn mean_of_skips(
    raw: &mut RawData,
    context: &Context<'_>,
    skips: std::ops::Range<usize>,
) -> Result<Array2<f64>, ProcessError> {
    let kept = raw.products.take::<SkipMean>();
    if let (Some(SkipMean(mean)), true) = (kept, context.amplifier > 0) {
        return Ok(mean);
    }
    let cube = raw.cube.as_ref().ok_or_else(no_skips)?;
    let reduced = reduce(cube, skips, &[Reduction::Mean]).map_err(|e| ProcessError::Input(e.to_string()))?;
    reduced.images.into_iter().next().ok_or_else(no_skips)
}

fn candidates(
    process: &PedestalSubtractionProcess,
    raw: &mut RawData,
    index: usize,
    amplifier: &Amplifier,
    used: Used,
    skips: std::ops::Range<usize>,
) -> Result<Candidates, ProcessError> {
    let flags = |indices: Vec<usize>, length: usize| {
        let mut flags = vec![false; length];
        indices.into_iter().filter(|&i| i < length).for_each(|i| flags[i] = true);
        flags
    };
    let (rows, cols) = if used.in_overscan {
        (Vec::new(), Vec::new())
    } else {
        (
            process.skipped(raw, index, &process.skip_rows, "skip_rows", true),
            process.skipped(raw, index, &process.skip_cols, "skip_cols", false),
        )
    };
    let mut candidates = Candidates {
        region: if used.in_overscan { amplifier.overscan.clone() } else { amplifier.active.clone() },
        skip_rows: flags(rows, raw.rows),
        skip_cols: flags(cols, raw.cols),
        cut: None,
    };
    if used.n_mad > 0.0 {
        let cube = raw.cube.as_ref().ok_or_else(no_skips)?;
        let found = median_and_mad(cube, &skips, |row, col| candidates.takes(row, col))
            .map_err(|e| ProcessError::Input(e.to_string()))?;
        candidates.cut = found.map(|(median, mad)| {
            let side = |on: bool| if on { used.n_mad * mad } else { f64::INFINITY };
            OutlierCut { median, mad, above: side(process.cut_right_tail), below: side(process.cut_left_tail) }
        });
    }
    Ok(candidates)
}

/// Mean over the skips of the estimates of one row; skips without estimate are left out.
fn averaged(per_skip: &[LineEstimate]) -> LineEstimate {
    let mean = |f: &dyn Fn(&LineEstimate) -> f64| {
        let values: Vec<f64> = per_skip.iter().map(f).filter(|x| x.is_finite()).collect();
        robust::mean(&values)
    };
    let squares = |f: &dyn Fn(&LineEstimate) -> f64| {
        // independent samples: the error of the mean of n skips
        let values: Vec<f64> = per_skip.iter().map(|e| f(e).powi(2)).filter(|x| x.is_finite()).collect();
        (robust::mean(&values) / values.len() as f64).sqrt()
    };
    let any = |f: &dyn Fn(&LineEstimate) -> bool| per_skip.iter().any(f);
    LineEstimate {
        mu: mean(&|e| e.mu),
        sigma: mean(&|e| e.sigma),
        mu_error: squares(&|e| e.mu_error),
        sigma_error: squares(&|e| e.sigma_error),
        chi2_ndf: mean(&|e| if e.chi2_ndf > -999.0 { e.chi2_ndf } else { f64::NAN }),
        n_pixels: per_skip.iter().map(|e| e.n_pixels).sum(),
        replaced_by_median: any(&|e| e.replaced_by_median),
        not_converged: any(&|e| e.not_converged),
        mu_at_limit: any(&|e| e.mu_at_limit),
        sigma_at_limit: any(&|e| e.sigma_at_limit),
        fit: None,
    }
}

/// What is subtracted from each row of the mean image: the mean over the skips of the baselines, with the substitute of
/// `nan_policy` for a skip without estimate (the median over the rows of the same skip).
fn baselines(
    process: &PedestalSubtractionProcess,
    raw: &mut RawData,
    amplifier: &Amplifier,
    rows: &[SkipEstimates],
) -> Vec<f64> {
    let n_skips = rows.first().map_or(0, |row| row.per_skip.len());
    let missing: usize = rows.iter().flat_map(|row| &row.per_skip).filter(|e| !e.mu.is_finite()).count();
    let substitutes: Vec<f64> = if missing == 0 {
        vec![0.0; n_skips]
    } else {
        (0..n_skips)
            .map(|k| match process.nan_policy {
                NanPolicy::Zero => 0.0,
                NanPolicy::Median => {
                    let values: Vec<f64> =
                        rows.iter().map(|row| row.per_skip[k].mu).filter(|x| x.is_finite()).collect();
                    robust::median(&values)
                }
            })
            .collect()
    };
    if missing > 0 {
        raw.report.warn(format!(
            "amplifier {}: {missing} of {} rows of single skips have no estimate; {} is subtracted there",
            amplifier.name,
            rows.len() * n_skips,
            match process.nan_policy {
                NanPolicy::Median => "the median of the other rows of the same skip",
                NanPolicy::Zero => "nothing",
            }
        ));
    }
    rows.iter()
        .map(|row| {
            let sum: f64 = row
                .per_skip
                .iter()
                .zip(&substitutes)
                .map(|(e, substitute)| if e.mu.is_finite() { e.mu } else { *substitute })
                .sum();
            sum / n_skips.max(1) as f64
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::SkipCube;
    use crate::process::{CommonParameters, SKImageProcess, registry};
    use crate::stats::random::Stream;
    use ndarray::Array3;

    fn run(
        process: &PedestalSubtractionProcess,
        raw: &mut RawData,
        common: &CommonParameters,
    ) -> Result<(), ProcessError> {
        let entry = registry::find("PedestalSubtractionProcess").unwrap();
        for amplifier in 0..raw.amplifiers.len() {
            raw.report.enter(0, entry.tag, Some(&raw.amplifiers[amplifier].name.clone()));
            process.execute(raw, &Context { entry, common, amplifier, seed: 321 })?;
        }
        Ok(())
    }

    fn process(json: &str) -> PedestalSubtractionProcess {
        let mut block: serde_json::Value = serde_json::from_str(json).unwrap();
        block["in_rawskipimage"] = true.into();
        serde_json::from_value(block).unwrap()
    }

    fn raw_of(cube: Array3<f64>, overscan: usize) -> RawData {
        let (rows, cols, skips) = cube.dim();
        let mut raw = RawData::from_image("none", Array2::zeros((rows, cols)));
        raw.images.clear();
        raw.nskips = skips;
        raw.amplifiers[0].active = Region::new(0..rows, 0..cols - overscan);
        raw.amplifiers[0].overscan = Region::new(0..rows, cols - overscan..cols);
        raw.cube = Some(SkipCube::from_reals(cube));
        raw
    }

    /// Baseline 1000 + 3·row + 50·exp(−skip) + row·skip/7, noise 2 ADU; 10 ADU in the active columns.
    fn moving_baseline(rows: usize, cols: usize, skips: usize, noise: f64) -> Array3<f64> {
        let mut random = Stream::from_seed(12);
        Array3::from_shape_fn((rows, cols, skips), |(r, c, k)| {
            let baseline = 1000.0 + 3.0 * r as f64 + 50.0 * (-(k as f64)).exp() + (r * k) as f64 / 7.0;
            baseline + if c < cols - 20 { 10.0 } else { 0.0 } + noise * random.normal()
        })
    }

    #[test]
    fn a_baseline_that_moves_from_skip_to_skip_is_removed() {
        for method in ["median", "mean", "gauss_fit"] {
            let mut raw = raw_of(moving_baseline(12, 60, 8, 2.0), 20);
            let process = process(&format!(r#"{{"method": "{method}"}}"#));
            run(&process, &mut raw, &CommonParameters::default()).unwrap();
            let image = &raw.images[OUTPUT];
            let active = Region::new(0..12, 0..40);
            let mean = active.view(image).mean().unwrap();
            // 480 pixels of 8 skips, minus baselines of 20 pixels: 2·√(1/(8·480) + 1.57/(8·20·12))
            let sigma = 2.0 * (1.0 / 3840.0 + std::f64::consts::FRAC_PI_2 / 1920.0_f64).sqrt();
            assert!((mean - 10.0).abs() < 5.0 * sigma, "{method}: {mean}");
            let pedestal = raw.products.get_for::<Pedestal>("EXT0").unwrap();
            let expected = |r: usize| {
                1000.0
                    + 3.0 * r as f64
                    + 50.0 * (0..8).map(|k| (-f64::from(k)).exp()).sum::<f64>() / 8.0
                    + r as f64 * 3.5 / 7.0
            };
            for (r, mu) in pedestal.axes[0].mu.iter().enumerate() {
                assert!(
                    (mu - expected(r)).abs() < 5.0 * 1.2533 * 2.0 / 160f64.sqrt(),
                    "{method} row {r}: {mu} {}",
                    expected(r)
                );
            }
        }
    }

    #[test]
    fn without_noise_the_charge_is_exact_and_ranges_are_honoured() {
        let mut raw = raw_of(moving_baseline(6, 40, 9, 0.0), 20);
        let common =
            CommonParameters { id_skip_start: Some(2), id_skip_end: Some(-1), save_plots: true, ..Default::default() };
        run(&process(r#"{"method": "median", "n_sigma_to_mask": 1e9}"#), &mut raw, &common).unwrap();
        for ((_, c), q) in raw.images[OUTPUT].indexed_iter() {
            let charge = if c < 20 { 10.0 } else { 0.0 };
            assert!((q - charge).abs() < 1e-9, "{q}");
        }
        let card = |k: &str| raw.report.cards.iter().find(|c| c.keyword == k).map(|c| c.value.clone());
        assert_eq!(card("PSFUNC"), Some("median".into()));
        assert_eq!(card("PSOVS"), Some(1.into()));
        assert!(card("PSSIG0").is_some());
        assert!(raw.report.figures.iter().any(|f| f.figure.name == "PedestalSubtractionProcess_Baseline_EXT0"));
    }

    #[test]
    fn means_without_cut_equal_those_of_the_averaged_image() {
        // the mean is linear: subtracting skip by skip and averaging is averaging and subtracting
        let cube = moving_baseline(10, 50, 5, 2.0);
        for rebin in [1, 4] {
            let mut raw = raw_of(cube.clone(), 20);
            let skipwise = PedestalSubtractionProcess { rebin_rows: rebin, ..process(r#"{"method": "mean"}"#) };
            run(&skipwise, &mut raw, &CommonParameters::default()).unwrap();
            let mut averaged = raw_of(cube.clone(), 20);
            averaged.images.insert("mean_compressed".into(), cube.mean_axis(ndarray::Axis(2)).unwrap());
            let usual = PedestalSubtractionProcess { in_rawskipimage: false, ..skipwise };
            run(&usual, &mut averaged, &CommonParameters::default()).unwrap();
            for (a, b) in raw.images[OUTPUT].iter().zip(&averaged.images[OUTPUT]) {
                assert!((a - b).abs() < 1e-9, "{a} {b}");
            }
        }
    }

    #[test]
    fn the_cut_uses_the_whole_cube_and_the_active_region() {
        let mut cube = moving_baseline(8, 30, 6, 1.0);
        cube.iter_mut().for_each(|x| *x = 500.0 + (*x - 500.0) * 1e-3);
        for k in 0..6 {
            cube[[3, 4, k]] = 5000.0;
        }
        let mut raw = raw_of(cube, 1);
        run(
            &process(r#"{"method": "mean", "n_sigma_to_mask": 20, "use_mad": false}"#),
            &mut raw,
            &CommonParameters::default(),
        )
        .unwrap();
        assert!(raw.report.warnings().any(|w| w.text.contains("active region")), "the overscan is too narrow");
        let row = raw.images[OUTPUT].row(3).to_vec();
        assert!(row[4] > 4000.0 && row[5].abs() < 1.0, "{row:?}");
    }

    #[test]
    fn every_amplifier_is_done_and_rows_without_estimate_follow_the_policy() {
        let mut cube = moving_baseline(6, 40, 4, 0.0);
        for c in 20..40 {
            cube[[2, c, 1]] = f64::NAN;
        }
        let mut raw = raw_of(cube, 20);
        let mut second = raw.amplifiers[0].clone();
        let first = &mut raw.amplifiers[0];
        (first.full, first.active, first.overscan) =
            (Region::new(0..3, 0..40), Region::new(0..3, 0..20), Region::new(0..3, 20..40));
        second.name = "EXT1".into();
        (second.full, second.active, second.overscan) =
            (Region::new(3..6, 0..40), Region::new(3..6, 0..20), Region::new(3..6, 20..40));
        raw.amplifiers.push(second);
        run(&process(r#"{"method": "median"}"#), &mut raw, &CommonParameters::default()).unwrap();
        let image = &raw.images[OUTPUT];
        assert!((image[[5, 0]] - 10.0).abs() < 1e-9 && (image[[0, 0]] - 10.0).abs() < 1e-9);
        // row 2, skip 1 takes the median of rows 0 and 1: lower by 1.5 rows of 3 + 1/7 ADU, in one of four skips
        assert!((image[[2, 0]] - 10.0 - 1.5 * (3.0 + 1.0 / 7.0) / 4.0).abs() < 1e-9, "{}", image[[2, 0]]);
        assert!(raw.report.warnings().any(|w| w.text.contains("1 of 12 rows of single skips")));
        assert!(raw.products.get::<SkipMean>().is_none());
    }

    #[test]
    fn averaged_images_are_refused() {
        let mut raw = RawData::from_image("mean_compressed", Array2::zeros((3, 10)));
        let error = run(&process("{}"), &mut raw, &CommonParameters::default()).unwrap_err().to_string();
        assert!(error.contains("in_rawskipimage"), "{error}");
    }
}
