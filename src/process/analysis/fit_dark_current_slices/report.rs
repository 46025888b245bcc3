//! What the fits of groups say: measurements, tables, log lines.

use super::{Parameter, Quantity, SliceAxis, SliceFit, SliceFits, Slicing, groups_text};
use crate::image::report::Table;
use crate::image::root_objects::{RootGraph, RootObject, RootObjects};
use crate::image::{Amplifier, RawData};
use crate::plot::value_with_error;
use crate::process::Measurement;
use crate::process::analysis::fit_verdict::is_contradicted;
use crate::stats::polynomial::PolynomialFit;
use crate::stats::robust::{self, Ddof};

/// Groups named one by one in a warning; more are counted only.
const MAX_NAMED: usize = 8;

/// Measurements, tables and log lines of one amplifier.
pub(super) fn report(name: &str, slicing: &Slicing, raw: &mut RawData, amplifier: &Amplifier, result: &SliceFits) {
    let total = result.fits.len() + result.empty;
    let line = slicing.axis.line();
    raw.report.measure(Measurement::integer(format!("groups_per_{line}"), total as i64));
    let bad = result.not_good().count();
    raw.report.measure(Measurement::integer(format!("groups_per_{line}_not_good"), bad as i64));
    for (parameter, trend) in Parameter::ALL.into_iter().zip(&result.trends) {
        summarise(raw, slicing, amplifier, result, parameter, trend.as_ref());
    }
    raw.report.table(compatible_table(name, amplifier, result));
    raw.report.table(full_table(name, slicing, amplifier, result));
    warn(raw, slicing, amplifier, result);
}

/// Mean over the groups and the polynomial through them.
fn summarise(
    raw: &mut RawData,
    slicing: &Slicing,
    amplifier: &Amplifier,
    result: &SliceFits,
    parameter: Parameter,
    trend: Option<&PolynomialFit>,
) {
    let (line, unit, key) = (slicing.axis.line(), parameter.unit(), parameter.name());
    let values: Vec<f64> = result.trusted(parameter).into_iter().map(|(_, value, _)| value).collect();
    if values.is_empty() {
        raw.report.result(format!("amplifier {}: {}: no group gives a value", amplifier.name, parameter.label()));
        return;
    }
    let (mean, spread) = robust::mean_and_std(&values, Ddof::Sample);
    let error = if values.len() > 1 { spread / (values.len() as f64).sqrt() } else { f64::NAN };
    raw.report.measure(Measurement::new(format!("{key}_mean_over_{line}s"), mean, unit).error(error));
    let mut text = format!(
        "amplifier {}: {} from {}: mean {} {unit}",
        amplifier.name,
        parameter.label(),
        groups_text(slicing, values.len()),
        value_with_error(mean, error)
    );
    if let Some(trend) = trend {
        for (k, c) in trend.coefficients.iter().enumerate() {
            let e = trend.error(k);
            let (what, unit) = match k {
                0 => ("intercept".to_owned(), unit.to_owned()),
                1 => ("slope".to_owned(), format!("{unit}/{line}")),
                k => (format!("coefficient_{k}"), format!("{unit}/{line}^{k}")),
            };
            raw.report.measure(Measurement::new(format!("{key}_{what}_over_{line}s"), *c, &unit).error(e));
            text += &format!(", {what} {} {unit}", value_with_error(*c, e));
        }
        text += &format!(", χ²/NDF {:.1}/{}", trend.chi2, trend.ndf);
        if is_contradicted(trend.chi2, trend.ndf) {
            text += if slicing.degree == 1 { " [not a straight line]" } else { " [not this polynomial]" };
        }
    }
    raw.report.result(text);
}

/// Says which groups are not good and what is not done with them.
fn warn(raw: &mut RawData, slicing: &Slicing, amplifier: &Amplifier, result: &SliceFits) {
    let line = slicing.axis.line();
    if result.fits.is_empty() {
        raw.report.warn(format!(
            "amplifier {}: none of the {} has a pixel in the window; nothing is fitted",
            amplifier.name,
            groups_text(slicing, result.empty)
        ));
        return;
    }
    if result.empty > 0 {
        raw.report.inform(format!(
            "amplifier {}: {} of {} groups have no pixel in the window",
            amplifier.name,
            result.empty,
            result.empty + result.fits.len()
        ));
    }
    let bad: Vec<&SliceFit> = result.not_good().collect();
    if bad.is_empty() {
        return;
    }
    let describe = |fit: &&SliceFit| {
        let limits =
            if fit.at_limit.is_empty() { String::new() } else { format!(", limits: {}", fit.at_limit.join(" ")) };
        format!("{line} {} ({}{limits})", fit.lines.start, fit.verdict.text())
    };
    let mut names: Vec<String> = bad.iter().take(MAX_NAMED).map(describe).collect();
    if bad.len() > MAX_NAMED {
        names.push(format!("and {} more", bad.len() - MAX_NAMED));
    }
    raw.report.warn(format!(
        "amplifier {}: {} of {} groups have a fit that is not good: {}. Values of fits that failed and values on a limit are \
         left out of means and lines",
        amplifier.name,
        bad.len(),
        result.fits.len(),
        names.join("; ")
    ));
}

/// The table that ClusterFinder reads (`resolution`) and existing scripts know.
fn compatible_table(name: &str, amplifier: &Amplifier, result: &SliceFits) -> Table {
    let mut columns = Vec::new();
    for quantity in ["dc", "mu", "resolution", "gain"] {
        columns.extend([
            format!("x_{quantity}"),
            quantity.into(),
            format!("err_x_{quantity}"),
            format!("err_{quantity}"),
        ]);
    }
    let rows = result
        .fits
        .iter()
        .map(|fit| {
            [fit.dc, fit.mu, fit.sigma, fit.gain]
                .into_iter()
                .flat_map(|q| [fit.x, q.value, fit.half_width, q.error])
                .collect()
        })
        .collect();
    Table { name: format!("{name}_side{}", amplifier.name), columns, rows }
}

/// Everything about each group.
fn full_table(name: &str, slicing: &Slicing, amplifier: &Amplifier, result: &SliceFits) -> Table {
    let line = slicing.axis.line();
    let mut columns = vec![format!("first_{line}"), format!("end_{line}"), "pixels".into()];
    for quantity in ["dc_e", "mu_e", "sigma_e", "gain_ADU_e"] {
        columns.extend([quantity.into(), format!("{quantity}_error"), format!("{quantity}_error_with_covariance")]);
    }
    columns.extend(
        ["dc_e_profile_down", "dc_e_profile_up", "correlation_dc_gain", "chi2_ndf", "ndf", "p_value", "status"]
            .map(str::to_owned),
    );
    if slicing.threshold.is_some() {
        columns.push("pixels_above_threshold".into());
    }
    let rows = result
        .fits
        .iter()
        .map(|fit| {
            let mut row = vec![fit.lines.start as f64, fit.lines.end as f64, fit.pixels as f64];
            for Quantity { value, error, error_with_covariance, .. } in [fit.dc, fit.mu, fit.sigma, fit.gain] {
                row.extend([value, error, error_with_covariance]);
            }
            row.extend([
                fit.dc_profile.0,
                fit.dc_profile.1,
                fit.correlation_dc_gain,
                fit.chi2,
                fit.ndf as f64,
                fit.p_value,
                f64::from(fit.verdict.word()),
            ]);
            row.extend(fit.above_threshold.map(|n| n as f64));
            row
        })
        .collect();
    Table { name: format!("{name}_fits_{}", amplifier.name), columns, rows }
}

/// The quantities along the axis as graphs, for ROOT (spec 03 §§2.3, 3).
pub(super) fn root_objects(name: &str, slicing: &Slicing, amplifier: &Amplifier, result: &SliceFits) -> RootObjects {
    let column = |f: &dyn Fn(&SliceFit) -> f64| result.fits.iter().map(f).collect::<Vec<f64>>();
    let line = slicing.axis.line();
    let graph = |name: &str, label: &str, y: Vec<f64>, y_errors: Vec<f64>| {
        RootObject::Graph(RootGraph {
            name: name.into(),
            title: format!("amplifier {}", amplifier.name),
            axes: (line.into(), label.into()),
            x: column(&|f| f.x),
            y,
            x_errors: column(&|f| f.half_width),
            y_errors,
        })
    };
    let mut objects = Vec::new();
    for (parameter, name) in Parameter::ALL.into_iter().zip(["lambda_e_pix_img", "mu_e", "sigma_e", "gain_ADU_e"]) {
        let label = format!("{} [{}]", parameter.name(), parameter.unit());
        let (y, errors) = (column(&|f| parameter.of(f).value), column(&|f| parameter.of(f).error));
        objects.push(graph(name, &label, y, errors));
    }
    if slicing.axis == SliceAxis::Cols {
        let chi2 = column(&|f| if f.chi2 > -999.0 { f.chi2 } else { f64::NAN });
        objects.push(graph("chis2", "chi2/NDF", chi2, Vec::new()));
    }
    if let Some(threshold) = slicing.threshold {
        let counts = column(&|f| f.above_threshold.map_or(f64::NAN, |n| n as f64));
        objects.push(graph("has_highE_pix", &format!("N(q) > {threshold}"), counts, Vec::new()));
    }
    let file = format!("{name}_side{}_all_params_vs{}", amplifier.name, slicing.axis.name());
    RootObjects { name: file, objects }
}

/// The table of FitDarkCurrentPerCol with `save_results`.
pub fn results_table(amplifier: &Amplifier, result: &SliceFits) -> Table {
    debug_assert_eq!(result.axis, SliceAxis::Cols);
    Table {
        name: format!("FitDarkCurrentPerCol_DCvsCOLS_results_amp{}", amplifier.name),
        columns: ["cols", "ecols", "noise", "enoise", "gain", "egain", "dc", "edc", "chi2"].map(str::to_owned).to_vec(),
        rows: result
            .fits
            .iter()
            .map(|f| {
                vec![
                    f.x,
                    f.half_width,
                    f.sigma.value,
                    f.sigma.error,
                    f.gain.value,
                    f.gain.error,
                    f.dc.value,
                    f.dc.error,
                    f.chi2,
                ]
            })
            .collect(),
    }
}
